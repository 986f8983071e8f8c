/*
 * Timers of one event loop.
 */
#include "base/timer.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

void sfd_timers_init(struct sfd_timers *timers)
{
    *timers = (struct sfd_timers){0};
}

void sfd_timers_deinit(struct sfd_timers *timers)
{
    free(timers->heap);
    sfd_timers_init(timers);
}

int sfd_timers_reserve(struct sfd_timers *timers, size_t count)
{
    if (count < timers->capacity) return 0;
    size_t capacity = timers->capacity == 0 ? 64 : timers->capacity;
    while (capacity <= count)
        capacity *= 2;
    struct sfd_timer **heap = realloc(timers->heap, capacity * sizeof(*heap));
    if (heap == NULL) return -ENOMEM;
    timers->heap = heap;
    timers->capacity = capacity;
    return 0;
}

static void place(struct sfd_timers *timers, struct sfd_timer *timer, size_t position)
{
    timers->heap[position] = timer;
    timer->position = position;
}

static void sift_up(struct sfd_timers *timers, struct sfd_timer *timer, size_t at)
{
    while (at > 1 && timers->heap[at / 2]->due_ms > timer->due_ms) {
        place(timers, timers->heap[at / 2], at);
        at /= 2;
    }
    place(timers, timer, at);
}

static void sift_down(struct sfd_timers *timers, struct sfd_timer *timer, size_t at)
{
    for (;;) {
        size_t child = at * 2;
        if (child > timers->count) break;
        if (child < timers->count && timers->heap[child + 1]->due_ms < timers->heap[child]->due_ms) child++;
        if (timers->heap[child]->due_ms >= timer->due_ms) break;
        place(timers, timers->heap[child], at);
        at = child;
    }
    place(timers, timer, at);
}

void sfd_timer_arm(struct sfd_timers *timers, struct sfd_timer *timer, uint64_t due_ms)
{
    sfd_timer_disarm(timers, timer);
    timer->due_ms = due_ms;
    timers->count++;
    sift_up(timers, timer, timers->count);
}

void sfd_timer_disarm(struct sfd_timers *timers, struct sfd_timer *timer)
{
    const size_t at = timer->position;

    if (at == 0) return;
    timer->position = 0;
    struct sfd_timer *last = timers->heap[timers->count--];
    if (last == timer) return;
    if (at > 1 && timers->heap[at / 2]->due_ms > last->due_ms)
        sift_up(timers, last, at);
    else
        sift_down(timers, last, at);
}

struct sfd_timer *sfd_timers_expire(struct sfd_timers *timers, uint64_t now_ms)
{
    if (timers->count == 0 || timers->heap[1]->due_ms > now_ms) return NULL;
    struct sfd_timer *first = timers->heap[1];
    sfd_timer_disarm(timers, first);
    return first;
}

int sfd_timers_timeout(const struct sfd_timers *timers, uint64_t now_ms)
{
    if (timers->count == 0) return -1;
    const uint64_t due = timers->heap[1]->due_ms;
    if (due <= now_ms) return 0;
    return due - now_ms > INT_MAX ? INT_MAX : (int)(due - now_ms);
}
