/*
 * The ready queue: the ready transfers of one loop, round-robin by user, and those of each user round-robin by client.
 *
 * Role: a client with a thousand ready transfers gets one quantum, then the next client gets one; and a user with a
 * thousand clients gets one, then the next user gets one. Thread: one event loop. Owns nothing: the links are the
 * users', the clients' and the transfers'. Every call is O(1).
 */
#ifndef SFD_LOOP_READY_QUEUE_H
#define SFD_LOOP_READY_QUEUE_H

#include "loop/clients.h"
#include "transfer/transfer.h"

/* All 0: empty. */
struct sfd_ready_queue {
    struct sfd_user *first; /* users with ready transfers */
    struct sfd_user *last;
    uint32_t count; /* transfers */
};

/* Makes a transfer ready; a ready one stays where it is. */
void sfd_ready_queue_push(struct sfd_ready_queue *queue, struct sfd_transfer *transfer);

/* Removes the next transfer from the queue, and gives it; NULL when none is ready. */
struct sfd_transfer *sfd_ready_queue_pop(struct sfd_ready_queue *queue);

#endif
