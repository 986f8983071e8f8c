/*
 * The memory of a session.
 */
#include "protocol/session_ring.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

_Static_assert(sizeof(struct sfd_session_entry) == SFD_SESSION_ENTRY_SIZE, "as it is drawn");
_Static_assert(sizeof(struct sfd_session_completion) == SFD_SESSION_ENTRY_SIZE, "as it is drawn");

#define WORDS (SFD_SESSION_ENTRY_SIZE / sizeof(uint64_t))

static bool is_ring_size(uint32_t size)
{
    return size >= SFD_SESSION_RING_MIN && size <= SFD_SESSION_RING_MAX && (size & (size - 1)) == 0;
}

size_t sfd_session_ring_bytes(const struct sfd_session_sizes *sizes)
{
    if (!is_ring_size(sizes->submissions) || !is_ring_size(sizes->completions)) return 0;
    if (sizes->arena > SFD_SESSION_ARENA_MAX) return 0;
    return SFD_SESSION_RINGS_AT + ((size_t)sizes->submissions + sizes->completions) * SFD_SESSION_ENTRY_SIZE +
           sizes->arena;
}

void sfd_session_ring_init(struct sfd_session_ring *ring, void *memory, const struct sfd_session_sizes *sizes)
{
    *ring = (struct sfd_session_ring){.memory = memory, .sizes = *sizes};
}

static atomic_uint *word_at(const struct sfd_session_ring *ring, size_t at)
{
    return (atomic_uint *)(void *)(ring->memory + at);
}

static unsigned char *entry_at(const struct sfd_session_ring *ring, uint32_t number)
{
    const size_t place = number & (ring->sizes.submissions - 1);

    return ring->memory + SFD_SESSION_RINGS_AT + place * SFD_SESSION_ENTRY_SIZE;
}

static unsigned char *completion_at(const struct sfd_session_ring *ring, uint32_t number)
{
    const size_t place = ring->sizes.submissions + (size_t)(number & (ring->sizes.completions - 1));

    return ring->memory + SFD_SESSION_RINGS_AT + place * SFD_SESSION_ENTRY_SIZE;
}

int64_t sfd_session_ring_waiting(const struct sfd_session_ring *ring)
{
    const uint32_t submitted = atomic_load(word_at(ring, SFD_SESSION_SUBMITTED_AT));
    const uint32_t waiting = submitted - ring->taken;

    return waiting > ring->sizes.submissions ? -EPROTO : (int64_t)waiting;
}

int64_t sfd_session_ring_room(const struct sfd_session_ring *ring)
{
    const uint32_t reaped = atomic_load(word_at(ring, SFD_SESSION_REAPED_AT));
    const uint32_t unread = ring->written - reaped;

    return unread > ring->sizes.completions ? -EPROTO : (int64_t)(ring->sizes.completions - unread);
}

void sfd_session_ring_peek(const struct sfd_session_ring *ring, struct sfd_session_entry *out)
{
    const _Atomic(uint64_t) *from = (const _Atomic(uint64_t) *)(const void *)entry_at(ring, ring->taken);
    uint64_t copy[WORDS];

    for (size_t i = 0; i < WORDS; i++)
        copy[i] = atomic_load_explicit(&from[i], memory_order_relaxed);
    memcpy(out, copy, sizeof(copy));
}

bool sfd_session_ring_copy(const struct sfd_session_ring *ring, uint32_t data, size_t length, void *out)
{
    const uint32_t arena = ring->sizes.arena;

    if (data > arena || length > arena - data) return false;
    const size_t rings = ((size_t)ring->sizes.submissions + ring->sizes.completions) * SFD_SESSION_ENTRY_SIZE;
    memcpy(out, ring->memory + SFD_SESSION_RINGS_AT + rings + data, length);
    atomic_signal_fence(memory_order_seq_cst); /* the copy is read from here on, and the arena not again */
    return true;
}

void sfd_session_ring_take(struct sfd_session_ring *ring)
{
    ring->taken++;
    atomic_store_explicit(word_at(ring, SFD_SESSION_TAKEN_AT), ring->taken, memory_order_release);
}

void sfd_session_ring_write(struct sfd_session_ring *ring, const struct sfd_session_completion *completion)
{
    _Atomic(uint64_t) *to = (_Atomic(uint64_t) *)(void *)completion_at(ring, ring->written);
    uint64_t copy[WORDS];

    memcpy(copy, completion, sizeof(copy));
    for (size_t i = 0; i < WORDS; i++)
        atomic_store_explicit(&to[i], copy[i], memory_order_relaxed);
    ring->written++;
}

bool sfd_session_ring_publish(struct sfd_session_ring *ring)
{
    atomic_uint *const client_state = word_at(ring, SFD_SESSION_CLIENT_STATE_AT);

    if (ring->completed == ring->written) return false;
    ring->completed = ring->written;
    /* Sequentially consistent, as the client's store of WAKE and its look: one of the two sees the other's. */
    atomic_store(word_at(ring, SFD_SESSION_COMPLETED_AT), ring->completed);
    if ((atomic_load(client_state) & SFD_SESSION_WAKE) == 0) return false;
    return (atomic_fetch_and(client_state, ~(unsigned)SFD_SESSION_WAKE) & SFD_SESSION_WAKE) != 0;
}

void sfd_session_ring_sleep(struct sfd_session_ring *ring)
{
    atomic_fetch_or(word_at(ring, SFD_SESSION_STATE_AT), SFD_SESSION_WAKE);
}

void sfd_session_ring_wake(struct sfd_session_ring *ring)
{
    atomic_uint *const state = word_at(ring, SFD_SESSION_STATE_AT);

    if ((atomic_load_explicit(state, memory_order_relaxed) & SFD_SESSION_WAKE) != 0)
        atomic_fetch_and(state, ~(unsigned)SFD_SESSION_WAKE);
}

void sfd_session_ring_end(struct sfd_session_ring *ring)
{
    atomic_fetch_or(word_at(ring, SFD_SESSION_STATE_AT), SFD_SESSION_ENDING);
}
