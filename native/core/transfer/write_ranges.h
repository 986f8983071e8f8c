/*
 * The ranges of files that copies write to now, over all loops of an engine.
 *
 * Role: two copies into the same bytes would mix, and both would be complete: the second one is refused. Only what this
 * engine writes to by offset is known, not who appends, and not what other processes write.
 * Thread: any; a short lock. Borrows its entries, which are in the transfers.
 */
#ifndef SFD_TRANSFER_WRITE_RANGES_H
#define SFD_TRANSFER_WRITE_RANGES_H

#include <pthread.h>
#include <stdint.h>

#include "transfer/write_gate.h"

struct sfd_write_range {
    struct sfd_write_range *next;
    struct sfd_write_gate *gate; /* of its transfer, borrowed */
    uint64_t dev;                /* of the file: st_dev, st_ino */
    uint64_t ino;
    uint64_t begin;
    uint64_t end;
    bool entered;
};

struct sfd_write_ranges {
    pthread_mutex_t lock;
    struct sfd_write_range *first;
};

void sfd_write_ranges_init(struct sfd_write_ranges *ranges);
void sfd_write_ranges_deinit(struct sfd_write_ranges *ranges);

/* Enters a range, which stays where it is until it leaves. False if another one, whose gate is not over, overlaps. */
bool sfd_write_ranges_enter(struct sfd_write_ranges *ranges, struct sfd_write_range *range);

/* Idempotent. */
void sfd_write_ranges_leave(struct sfd_write_ranges *ranges, struct sfd_write_range *range);

#endif
