/*
 * The intake.
 */
#include "loop/intake.h"

#include <errno.h>

#include "sys/fd.h"
#include "sys/sys.h"

/* Of `burst`: the lower bits are the number, the others are its millisecond. */
#define COUNT_BITS 16
#define COUNT_MASK ((UINT64_C(1) << COUNT_BITS) - 1)

/* The sources that one receipt looks at: as many as can have more than one request of a batch. */
#define READY_MAX SFD_INTAKE_LEAST

void sfd_intake_init(struct sfd_intake *intake)
{
    intake->epoll = -1;
    intake->count = 0;
    intake->succession = NULL;
    atomic_init(&intake->resting, 0);
    pthread_mutex_init(&intake->lock, NULL);
}

void sfd_intake_deinit(struct sfd_intake *intake)
{
    sfd_fd_close(&sfd_sys_linux, &intake->epoll);
    pthread_mutex_destroy(&intake->lock);
}

static int watch(struct sfd_intake *intake, const struct sfd_sys *sys, int operation, uint32_t index, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u32 = index};

    return sys->epoll_ctl(intake->epoll, operation, intake->source[index].fd, &event);
}

int sfd_intake_add(struct sfd_intake *intake, const struct sfd_sys *sys, int fd)
{
    if (intake->count == SFD_INTAKE_SOURCES_MAX) return -EINVAL;
    if (intake->epoll < 0) {
        const int epoll = sfd_sys_epoll();
        if (epoll < 0) return epoll;
        intake->epoll = epoll;
    }
    struct sfd_intake_source *source = &intake->source[intake->count];
    source->fd = fd;
    atomic_init(&source->burst, 0);
    atomic_init(&source->present_ms, 0);
    atomic_init(&source->rests, false);
    const int result = watch(intake, sys, EPOLL_CTL_ADD, intake->count, EPOLLIN);
    if (result == 0) intake->count++;
    return result;
}

/* ------------------------------------------------------------------ rests */

static bool others_are_present(const struct sfd_intake *intake, const struct sfd_intake_source *source, uint64_t now_ms)
{
    for (uint32_t i = 0; i < intake->count; i++) {
        const struct sfd_intake_source *other = &intake->source[i];
        const uint64_t present_ms = atomic_load_explicit(&other->present_ms, memory_order_relaxed);
        if (other != source && present_ms != 0 && now_ms - present_ms < SFD_INTAKE_PRESENT_MS) return true;
    }
    return false;
}

static void rest(struct sfd_intake *intake, const struct sfd_sys *sys, uint32_t index)
{
    struct sfd_intake_source *source = &intake->source[index];

    pthread_mutex_lock(&intake->lock);
    if (!atomic_load(&source->rests) && watch(intake, sys, EPOLL_CTL_MOD, index, 0) == 0) {
        atomic_store(&source->rests, true);
        atomic_fetch_add(&intake->resting, 1);
    }
    pthread_mutex_unlock(&intake->lock);
}

/* Adds to the source's burst; at its end the source rests for this millisecond and `more_ms`, if others are there. */
static void count(struct sfd_intake *intake, const struct sfd_sys *sys, uint32_t index, uint32_t n, uint64_t now_ms,
                  uint64_t more_ms)
{
    struct sfd_intake_source *source = &intake->source[index];
    uint64_t burst = atomic_load_explicit(&source->burst, memory_order_relaxed);

    burst = burst >> COUNT_BITS == now_ms ? burst + n : now_ms << COUNT_BITS | n;
    atomic_store_explicit(&source->burst, burst, memory_order_relaxed);
    if ((burst & COUNT_MASK) < SFD_INTAKE_BURST || !others_are_present(intake, source, now_ms)) return;
    atomic_store_explicit(&source->burst, burst + (more_ms << COUNT_BITS), memory_order_relaxed);
    rest(intake, sys, index);
}

/* It has given `n` requests at once. */
static void note(struct sfd_intake *intake, const struct sfd_sys *sys, uint32_t index, uint32_t n, uint64_t now_ms)
{
    if (n == 1) atomic_store_explicit(&intake->source[index].present_ms, now_ms, memory_order_relaxed);
    if (n > 1) count(intake, sys, index, n, now_ms, 0);
}

void sfd_intake_blame(struct sfd_intake *intake, const struct sfd_sys *sys, uint64_t source, uint64_t now_ms)
{
    if (source >= intake->count) return;
    atomic_store_explicit(&intake->source[source].present_ms, 0, memory_order_relaxed); /* it waits for no answer */
    count(intake, sys, (uint32_t)source, SFD_INTAKE_PENALTY, now_ms, SFD_INTAKE_PENALTY_MS);
}

void sfd_intake_resume(struct sfd_intake *intake, const struct sfd_sys *sys, uint64_t now_ms)
{
    for (uint32_t i = 0; i < intake->count; i++) {
        struct sfd_intake_source *source = &intake->source[i];
        const uint64_t since_ms = atomic_load_explicit(&source->burst, memory_order_relaxed) >> COUNT_BITS;
        if (!atomic_load_explicit(&source->rests, memory_order_relaxed) || since_ms >= now_ms) continue;
        pthread_mutex_lock(&intake->lock);
        if (atomic_load(&source->rests) && watch(intake, sys, EPOLL_CTL_MOD, i, EPOLLIN) == 0) { /* else tried again */
            atomic_store(&source->rests, false);
            atomic_fetch_sub(&intake->resting, 1);
        }
        pthread_mutex_unlock(&intake->lock);
    }
}

/* ------------------------------------------------------------------ receipt */

int sfd_intake_receive(struct sfd_intake *intake, struct sfd_receive_batch *receiver, struct sfd_closer *closer,
                       struct sfd_slot *slots, int most, uint64_t now_ms)
{
    struct epoll_event ready[READY_MAX];
    int filled = 0;
    int error = 0;

    /* The kernel gives them in turn: who was ready at the last look comes behind the others (epoll(7)). */
    const int count = closer->sys->epoll_wait(intake->epoll, ready, READY_MAX, 0);
    if (count <= 0) return count;
    for (int i = 0; i < count; i++) {
        const uint32_t index = ready[i].data.u32;
        const int fd = intake->source[index].fd;
        const int share = intake->succession == NULL
                              ? most / count
                              : sfd_succession_look(intake->succession, closer->sys, fd, index, most / count);
        if (share == 0) continue;
        const int n = share < 0 ? share : sfd_receive_batch_fill(receiver, closer, fd, slots + filled, share);
        if (n < 0)
            error = n;
        else
            note(intake, closer->sys, index, (uint32_t)n, now_ms);
        for (int slot = filled; slot < filled + n; slot++)
            slots[slot].source = index;
        if (n > 0) filled += n;
    }
    return filled > 0 ? filled : error;
}
