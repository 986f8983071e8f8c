/*
 * The journal.
 */
#include "base/journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sys/sys.h"

int sfd_journal_init(struct sfd_journal *journal, uint32_t rings)
{
    *journal = (struct sfd_journal){.eventfd = -1};
    if (rings > SFD_JOURNAL_RINGS_MAX) return -EINVAL;
    for (; journal->count < rings; journal->count++) {
        struct sfd_journal_ring *ring = &journal->rings[journal->count];
        ring->records = calloc(SFD_JOURNAL_RING_SIZE, sizeof(*ring->records)); /* pages come when they are written to */
        if (ring->records == NULL) {
            sfd_journal_deinit(journal);
            return -ENOMEM;
        }
    }
    const int eventfd = sfd_sys_eventfd();
    if (eventfd < 0) sfd_journal_deinit(journal);
    journal->eventfd = eventfd;
    return eventfd < 0 ? eventfd : 0;
}

void sfd_journal_deinit(struct sfd_journal *journal)
{
    while (journal->count > 0)
        free(journal->rings[--journal->count].records);
    if (journal->eventfd >= 0) (void)sfd_sys_linux.close(journal->eventfd);
    journal->eventfd = -1;
}

void sfd_journal_want(struct sfd_journal *journal, unsigned kinds)
{
    atomic_store_explicit(&journal->wanted, kinds, memory_order_relaxed);
}

static struct sfd_record *at(struct sfd_journal_ring *ring, unsigned number)
{
    return &ring->records[number % SFD_JOURNAL_RING_SIZE];
}

struct sfd_record *sfd_journal_reserve(struct sfd_journal *journal, uint32_t index)
{
    struct sfd_journal_ring *ring = &journal->rings[index];
    const unsigned written = atomic_load_explicit(&ring->written, memory_order_relaxed);

    if (written - atomic_load_explicit(&ring->read, memory_order_acquire) == SFD_JOURNAL_RING_SIZE) {
        atomic_fetch_add_explicit(&ring->lost, 1, memory_order_relaxed);
        return NULL;
    }
    struct sfd_record *record = at(ring, written);
    *record = (struct sfd_record){.size = UINT64_MAX};
    return record;
}

void sfd_journal_commit(struct sfd_journal *journal, uint32_t index)
{
    struct sfd_journal_ring *ring = &journal->rings[index];
    const unsigned written = atomic_load_explicit(&ring->written, memory_order_relaxed) + 1;
    const unsigned waiting = written - atomic_load_explicit(&ring->read, memory_order_relaxed);

    atomic_store(&ring->written, written);
    if (waiting == SFD_JOURNAL_RING_SIZE / 2 ||
        (atomic_load(&journal->asleep) && atomic_exchange(&journal->asleep, false)))
        sfd_sys_event_signal(journal->eventfd);
}

/* Copies the oldest records of one ring. */
static uint32_t take_from(struct sfd_journal_ring *ring, struct sfd_record *out, uint32_t most)
{
    const unsigned read = atomic_load_explicit(&ring->read, memory_order_relaxed);
    const unsigned there = atomic_load_explicit(&ring->written, memory_order_acquire) - read;
    const uint32_t count = there < most ? there : most;

    for (uint32_t i = 0; i < count; i++)
        out[i] = *at(ring, read + i);
    atomic_store_explicit(&ring->read, read + count, memory_order_release);
    return count;
}

uint32_t sfd_journal_take(struct sfd_journal *journal, struct sfd_record *out, uint32_t most)
{
    uint32_t taken = 0;

    for (uint32_t i = 0; i < journal->count; i++)
        taken += take_from(&journal->rings[(journal->next + i) % journal->count], out + taken, most - taken);
    if (journal->count > 0) journal->next = (journal->next + 1) % journal->count; /* a busy ring hides no other */
    return taken;
}

uint64_t sfd_journal_lost(struct sfd_journal *journal)
{
    uint64_t lost = 0;

    for (uint32_t i = 0; i < journal->count; i++)
        lost += atomic_exchange_explicit(&journal->rings[i].lost, 0, memory_order_relaxed);
    return lost;
}

static bool is_empty(struct sfd_journal *journal)
{
    for (uint32_t i = 0; i < journal->count; i++) {
        const struct sfd_journal_ring *ring = &journal->rings[i];
        if (atomic_load(&ring->written) != atomic_load_explicit(&ring->read, memory_order_relaxed)) return false;
    }
    return true;
}

void sfd_journal_wait(struct sfd_journal *journal, int rest_ms, int timeout_ms)
{
    if (rest_ms > 0 && sfd_sys_wait_readable(journal->eventfd, rest_ms) > 0) {
        sfd_sys_event_clear(journal->eventfd);
        return;
    }
    atomic_store(&journal->asleep, true);
    if (is_empty(journal)) {
        (void)sfd_sys_wait_readable(journal->eventfd, timeout_ms);
        sfd_sys_event_clear(journal->eventfd);
    }
    atomic_store(&journal->asleep, false);
}

void sfd_journal_wake(struct sfd_journal *journal)
{
    sfd_sys_event_signal(journal->eventfd);
}
