/*
 * The clients of one loop: the processes that have transfers in it, and the users whose processes these are.
 *
 * Role: finds the client of a process. A client exists as long as it has transfers here, and refers to its account,
 * which all loops share. It may have a pidfd, which tells when the process is gone (loop_exits.c). A user exists as
 * long as it has clients here. Thread: one event loop. Owns the clients and the users. Every call is O(1), but
 * sfd_clients_next.
 */
#ifndef SFD_LOOP_CLIENTS_H
#define SFD_LOOP_CLIENTS_H

#include <stdint.h>

#include "base/client_account.h"
#include "base/task.h"

#define SFD_CLIENT_BUCKETS 256
#define SFD_USER_BUCKETS   16

struct sfd_transfer;

/* Whether somebody waits for the end of the client's process. */
enum sfd_client_watch {
    SFD_WATCH_NEW,
    SFD_WATCH_SEEN, /* it was there when the loop looked */
    SFD_WATCH_ON,   /* its pidfd is in the loop's epoll */
    SFD_WATCH_OVER, /* the process is gone, or has no number by which it could be found */
};

struct sfd_user {
    struct sfd_user *bucket_next;
    uint32_t uid;
    uint32_t clients;

    /* ready_queue.c */
    struct sfd_user *queue_next;   /* valid while it has ready transfers */
    struct sfd_client *ready_last; /* of a ring: its clients that have some */
};

struct sfd_client {
    struct sfd_client_account *account; /* a reference of its own */
    struct sfd_user *user;
    uint32_t transfers;
    int pidfd; /* owned; -1: none yet (loop_exits.c) */
    struct sfd_client *bucket_next;

    /* ready_queue.c */
    struct sfd_client *ready_next;   /* in its user's ring; valid while it has ready transfers */
    struct sfd_transfer *ready_last; /* of a ring */

    /* loop_offload.c */
    struct sfd_task *waiting_first; /* transfers that wait for a place in the disk pool */
    struct sfd_task *waiting_last;

    /* loop_act.c */
    struct sfd_transfer *queued_last; /* of a ring: transfers that wait until they may hold a thread */

    /* loop_local.c */
    struct sfd_task *local_first; /* requests that have not begun */
    struct sfd_task *local_last;
    struct sfd_client *local_next; /* in a ring of the loop's, while it has some */

    /* loop_exits.c */
    uint32_t watched_at; /* loop.waits when it began to wait for the pidfd */
    uint8_t watch;       /* enum sfd_client_watch */
};

struct sfd_clients {
    struct sfd_client_accounts *accounts;
    struct sfd_client *buckets[SFD_CLIENT_BUCKETS];
    struct sfd_user *users[SFD_USER_BUCKETS];
};

/* `accounts` is borrowed. */
void sfd_clients_init(struct sfd_clients *clients, struct sfd_client_accounts *accounts);

/* Counts a new transfer of a process, and gives its client; NULL without memory. */
struct sfd_client *sfd_clients_enter(struct sfd_clients *clients, uint64_t process, uint32_t uid);

/* Uncounts a transfer, which must not be ready. May free the client: then it gives its pidfd to be closed, else -1. */
int sfd_clients_leave(struct sfd_clients *clients, struct sfd_client *client);

/*
 * The client after `previous`, in no order; the first one after NULL, NULL after the last one. No client may be added
 * or freed meanwhile.
 */
struct sfd_client *sfd_clients_next(const struct sfd_clients *clients, const struct sfd_client *previous);

#endif
