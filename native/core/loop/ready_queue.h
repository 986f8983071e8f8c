/*
 * Whose turn it is: the ready transfers of one loop, round-robin by client.
 *
 * Role: a client with a thousand ready transfers gets one quantum, then the next client gets one. Thread: one event
 * loop. Owns the clients; a client lives as long as it has transfers here, and refers to its account, which all loops
 * share. Every call is O(1).
 */
#ifndef SFD_LOOP_READY_QUEUE_H
#define SFD_LOOP_READY_QUEUE_H

#include "transfer/transfer.h"

#define SFD_CLIENT_BUCKETS 64

/* One process that has transfers in this loop. */
struct sfd_client {
    struct sfd_account *account; /* a reference of its own */
    uint32_t transfers;
    struct sfd_client *bucket_next;
    struct sfd_client *turn_next; /* meaningful while it has ready transfers */
    struct sfd_transfer *first;   /* ready */
    struct sfd_transfer *last;
    struct sfd_task *waiting_first; /* transfers that wait for a place in the disk pool, loop_offload.c */
    struct sfd_task *waiting_last;
};

struct sfd_turns {
    struct sfd_accounts *accounts;
    struct sfd_client *buckets[SFD_CLIENT_BUCKETS];
    struct sfd_client *first; /* clients with ready transfers */
    struct sfd_client *last;
    uint32_t ready; /* transfers */
};

/* `accounts` is borrowed. */
void sfd_turns_init(struct sfd_turns *turns, struct sfd_accounts *accounts);

/* Counts a transfer in for its client: the client, or NULL without memory. */
struct sfd_client *sfd_turns_enter(struct sfd_turns *turns, int32_t pid, uint32_t uid);

/* Counts a transfer out that is not ready. The client may be gone afterwards. */
void sfd_turns_leave(struct sfd_turns *turns, struct sfd_client *client);

/* Makes a transfer ready; a ready one stays where it is. */
void sfd_turns_push(struct sfd_turns *turns, struct sfd_transfer *transfer);

/* The next one in turn, no longer ready; NULL when none is. */
struct sfd_transfer *sfd_turns_pop(struct sfd_turns *turns);

#endif
