/*
 * The daemon's side of the memory that a session shares with its client; <sendfiled/session.h> draws it.
 *
 * Role: the only code that touches that memory. The client writes to it whenever it likes, so every value is read once,
 * checked, and not read again; what the daemon goes by, its own counters, is not in it. Thread: the session's loop.
 * Borrows the memory. Never blocks, but a page of it may have to be made, or swapped in.
 */
#ifndef SFD_PROTOCOL_SESSION_RING_H
#define SFD_PROTOCOL_SESSION_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sendfiled/session.h>

/* What a Hello asks for. */
struct sfd_session_sizes {
    uint32_t submissions;
    uint32_t completions;
    uint32_t arena;
};

struct sfd_session_ring {
    unsigned char *memory; /* borrowed; NULL: there is none yet */
    struct sfd_session_sizes sizes;
    uint32_t taken;
    uint32_t written;   /* completions, of which as many as `completed` are published */
    uint32_t completed; /* as the client can see it */
};

/* The bytes that such memory has; 0: no session has such sizes. */
size_t sfd_session_ring_bytes(const struct sfd_session_sizes *sizes);

/* `memory` has those bytes, aligned to a page. */
void sfd_session_ring_init(struct sfd_session_ring *ring, void *memory, const struct sfd_session_sizes *sizes);

/* How many entries wait to be taken; -EPROTO: the client's counter is none. */
int64_t sfd_session_ring_waiting(const struct sfd_session_ring *ring);

/* How many completions have room; -EPROTO. */
int64_t sfd_session_ring_room(const struct sfd_session_ring *ring);

/* Copies the next entry, which waits. */
void sfd_session_ring_peek(const struct sfd_session_ring *ring, struct sfd_session_entry *out);

/* Copies `length` bytes from the arena. False: they are not inside it. */
bool sfd_session_ring_copy(const struct sfd_session_ring *ring, uint32_t data, size_t length, void *out);

/* The next entry, and what it refers to, is the client's again. */
void sfd_session_ring_take(struct sfd_session_ring *ring);

/* Writes a completion, for which there is room. */
void sfd_session_ring_write(struct sfd_session_ring *ring, const struct sfd_session_completion *completion);

/* Shows the client what was written. True: it sleeps, and is to be woken. */
bool sfd_session_ring_publish(struct sfd_session_ring *ring);

/* The daemon is to be woken from here on: look again afterwards, whether something waits or has room. */
void sfd_session_ring_sleep(struct sfd_session_ring *ring);

/* It is awake. */
void sfd_session_ring_wake(struct sfd_session_ring *ring);

/* It takes nothing more. */
void sfd_session_ring_end(struct sfd_session_ring *ring);

#endif
