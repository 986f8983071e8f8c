/*
 * The gate of a transfer's writes to a file: once it is closed, and nothing writes, nothing will.
 *
 * Role: one word between the loop, which ends a transfer for its client, and the disk pool, which writes for it. The
 * pool passes the gate for each bounded write, and not while it only waits for the source. The loop closes it, and
 * knows by the answer whether the end can be told now, or only when the job is back: after the end of the status
 * channel a client may use its file again, and must find no byte of ours there that comes later.
 * Thread: enter, leave: the disk pool; close: the loop; is_closed, is_over: any. Owns nothing.
 */
#ifndef SFD_TRANSFER_WRITE_GATE_H
#define SFD_TRANSFER_WRITE_GATE_H

#include <stdatomic.h>
#include <stdbool.h>

#define SFD_GATE_WRITING 1u
#define SFD_GATE_CLOSED  2u

/* Open, and nobody writes: all zero. */
struct sfd_write_gate {
    atomic_uint word;
};

/* Begins a write. False when the gate is closed: nothing may be written any more. */
static inline bool sfd_write_gate_enter(struct sfd_write_gate *gate)
{
    unsigned open = 0;

    return atomic_compare_exchange_strong(&gate->word, &open, SFD_GATE_WRITING);
}

static inline void sfd_write_gate_leave(struct sfd_write_gate *gate)
{
    atomic_fetch_and(&gate->word, ~SFD_GATE_WRITING);
}

/* Closes it for good. True when no write is under way: then none follows. */
static inline bool sfd_write_gate_close(struct sfd_write_gate *gate)
{
    return (atomic_fetch_or(&gate->word, SFD_GATE_CLOSED) & SFD_GATE_WRITING) == 0;
}

static inline bool sfd_write_gate_is_closed(struct sfd_write_gate *gate)
{
    return (atomic_load(&gate->word) & SFD_GATE_CLOSED) != 0;
}

/* Whether it is closed, and no write is under way. */
static inline bool sfd_write_gate_is_over(struct sfd_write_gate *gate)
{
    return atomic_load(&gate->word) == SFD_GATE_CLOSED;
}

#endif
