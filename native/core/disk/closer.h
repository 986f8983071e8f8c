/*
 * Descriptors whose close(2) can block, on their way to the disk pool.
 *
 * Role: closes at once whatever cannot block, and collects the rest for the disk pool: files for the queue of their
 * device, so that a dead disk delays its own closes only; TCP sockets that linger for SFD_QUEUE_LINGER; all else for
 * SFD_QUEUE_CLOSE.
 * Thread: one event loop. Owns the descriptors that it holds. Each is charged to the account of the client that sent
 * it, or for which it was opened, until it is closed.
 */
#ifndef SFD_DISK_CLOSER_H
#define SFD_DISK_CLOSER_H

#include <stddef.h>

#include "base/client_account.h"
#include "disk/drop.h"
#include "disk/residency.h"
#include "sys/fd.h"

struct sfd_close {
    int fd;
    uint8_t queue;                      /* of the disk pool */
    struct sfd_drop drop;               /* what to drop from the page cache before the close */
    struct sfd_client_account *account; /* a reference of its own; NULL: no client */
};

/* A descriptor of which nothing is known yet. */
struct sfd_unknown {
    int fd;
    struct sfd_client_account *account; /* a reference of its own; NULL: no client */
};

struct sfd_closer {
    const struct sfd_sys *sys;
    struct sfd_counters *counters; /* borrowed; NULL: none */
    struct sfd_devices *devices;   /* borrowed */
    struct sfd_close *closes;
    size_t count;
    size_t capacity;
    struct sfd_unknown *unknown;
    size_t unknown_count;
    size_t unknown_capacity;
};

void sfd_closer_init(struct sfd_closer *closer, const struct sfd_sys *sys, struct sfd_devices *devices);

/* Closes all descriptors that are left; may block. Idempotent. */
void sfd_closer_deinit(struct sfd_closer *closer);

/*
 * Takes *fd, a pipe, socket or device, unless it is -1, and sets it to -1. Never blocks, unless there is no memory to
 * queue the close. `account` (borrowed; NULL: none) is charged while the close is pending. A TCP socket of a client
 * that has as many descriptors as it may have loses its SO_LINGER.
 */
void sfd_closer_take(struct sfd_closer *closer, int *fd, enum sfd_fd_kind kind, struct sfd_client_account *account);

/*
 * The same for a file. Its close is always queued, unless there is no memory for that. `device` is the index of its
 * device; -1: unknown.
 */
void sfd_closer_take_file(struct sfd_closer *closer, int *fd, int device, struct sfd_client_account *account);

/* The same for a file of which parts are still to be dropped from the page cache. */
void sfd_closer_take_dropping(struct sfd_closer *closer, int *fd, int device, const struct sfd_drop *drop,
                              struct sfd_client_account *account);

/* The same for a descriptor whose kind is not known yet. */
void sfd_closer_take_unknown(struct sfd_closer *closer, int *fd, struct sfd_client_account *account);

/*
 * Puts *fd aside, to be taken as one whose kind is not known, and sets it to -1. Makes no system call, unless there is
 * no memory for that: then it closes. `account` (borrowed; NULL: none) is charged meanwhile.
 */
void sfd_closer_put_aside(struct sfd_closer *closer, int *fd, struct sfd_client_account *account);

/* Gives one of those in *fd, with a reference to its account in *account; false when there is none. */
bool sfd_closer_take_aside(struct sfd_closer *closer, int *fd, struct sfd_client_account **account);

/*
 * Moves the first descriptor, and all others with the same queue and account, to `out`, which is initialized here.
 * False without memory.
 */
bool sfd_closer_split(struct sfd_closer *closer, struct sfd_closer *out);

#endif
