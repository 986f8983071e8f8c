/*
 * From one segment of a transfer to the next. Loop, or the disk pool while it has the transfer.
 */
#include <stdlib.h>

#include "transfer/transfer_private.h"

/* What is known of the page cache is about another part of the file. */
static void forget_cache(struct sfd_transfer *t)
{
    t->cache.resident_end = 0;
    t->cache.requested_end = 0;
    t->segments->jumped = true;
}

static void enter(struct sfd_transfer *t, const struct sfd_segment *segment, uint64_t size)
{
    struct sfd_segments *segments = t->segments;

    segments->before += t->range.end - t->range.begin;
    segments->behind -= size;
    segments->literal = segment->bytes != NULL;
    t->range.begin = t->range.offset = segments->literal ? 0 : (uint64_t)segment->offset;
    t->range.end = t->range.begin + size;
    if (segments->literal) {
        t->bounce.bytes = (char *)(uintptr_t)segment->bytes; /* only read */
        t->bounce.length = (uint32_t)size;
        t->bounce.position = 0;
    }
    forget_cache(t);
}

void sfd_transfer_next_segment(struct sfd_transfer *t)
{
    struct sfd_segments *segments = t->segments;

    while (segments->behind > 0) {
        const struct sfd_segment *segment = &segments->segment[segments->next++];
        const uint64_t size = sfd_segment_size(segment, t->status.details.size);
        if (size > 0) {
            enter(t, segment, size);
            return;
        }
    }
}

int sfd_transfer_begin_segments(struct sfd_transfer *t, uint64_t file_size)
{
    sfd_transfer_drop_bounce(t); /* of an open that has to be tried again */
    const int result = sfd_segments_begin(t->segments, file_size);
    if (result < 0) return result;
    t->status.details.size = file_size;
    t->range.begin = t->range.offset = t->range.end = 0;
    sfd_transfer_next_segment(t);
    return 0;
}

void sfd_transfer_drop_bounce(struct sfd_transfer *t)
{
    if (t->segments == NULL || !t->segments->literal) free(t->bounce.bytes);
    t->bounce.bytes = NULL;
}
