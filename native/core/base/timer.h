/*
 * Timers of one event loop: a binary heap, O(log n) to arm, disarm and expire.
 *
 * Thread: one event loop. A timer is a member of its owner, who disarms it before the owner is freed.
 */
#ifndef SFD_BASE_TIMER_H
#define SFD_BASE_TIMER_H

#include <stddef.h>
#include <stdint.h>

struct sfd_timer {
    uint64_t due_ms; /* of struct sfd_sys, now_ms */
    size_t position; /* in the heap, from 1; 0: not armed */
};

struct sfd_timers {
    struct sfd_timer **heap; /* heap[1] is due first */
    size_t count;
    size_t capacity;
};

void sfd_timers_init(struct sfd_timers *timers);
void sfd_timers_deinit(struct sfd_timers *timers);

/* Makes room for `count` armed timers, so that arming that many cannot fail. 0 or -ENOMEM. */
int sfd_timers_reserve(struct sfd_timers *timers, size_t count);

/* Arms `timer`, or moves it when it is armed. The room must have been reserved. */
void sfd_timer_arm(struct sfd_timers *timers, struct sfd_timer *timer, uint64_t due_ms);

/* Idempotent. */
void sfd_timer_disarm(struct sfd_timers *timers, struct sfd_timer *timer);

/* Takes out the first timer that is due at `now_ms`; NULL when none is. */
struct sfd_timer *sfd_timers_expire(struct sfd_timers *timers, uint64_t now_ms);

/* When the first timer is due; UINT64_MAX without timers. */
static inline uint64_t sfd_timers_due_ms(const struct sfd_timers *timers)
{
    return timers->count == 0 ? UINT64_MAX : timers->heap[1]->due_ms;
}

/* Milliseconds until the first timer is due, 0 when it already is, -1 without timers. Fits epoll_wait(2). */
int sfd_timers_timeout(const struct sfd_timers *timers, uint64_t now_ms);

#endif
