/*
 * The ranges that are written to: a list, because few transfers are copies.
 */
#include "transfer/write_ranges.h"

void sfd_write_ranges_init(struct sfd_write_ranges *ranges)
{
    ranges->first = NULL;
    pthread_mutex_init(&ranges->lock, NULL);
}

void sfd_write_ranges_deinit(struct sfd_write_ranges *ranges)
{
    pthread_mutex_destroy(&ranges->lock);
}

static bool overlap(const struct sfd_write_range *a, const struct sfd_write_range *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->begin < b->end && b->begin < a->end;
}

bool sfd_write_ranges_enter(struct sfd_write_ranges *ranges, struct sfd_write_range *range)
{
    bool free = true;

    pthread_mutex_lock(&ranges->lock);
    for (struct sfd_write_range *other = ranges->first; other != NULL && free; other = other->next)
        free = !overlap(range, other) || sfd_write_gate_is_over(other->gate); /* it only waits for its source */
    if (free) {
        range->entered = true;
        range->next = ranges->first;
        ranges->first = range;
    }
    pthread_mutex_unlock(&ranges->lock);
    return free;
}

void sfd_write_ranges_leave(struct sfd_write_ranges *ranges, struct sfd_write_range *range)
{
    if (!range->entered) return;
    pthread_mutex_lock(&ranges->lock);
    struct sfd_write_range **at = &ranges->first;
    while (*at != range)
        at = &(*at)->next;
    *at = range->next;
    pthread_mutex_unlock(&ranges->lock);
    range->entered = false;
}
