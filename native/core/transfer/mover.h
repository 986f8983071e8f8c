/*
 * Movers: the techniques that take bytes from a file (or from memory) to a destination.
 *
 * Role: one bounded, non-blocking move at a time; no memory of its own, so any move can be resumed at any offset.
 * Between two files the bytes move in copy.h.
 * Thread: an event loop. Owns nothing, borrows all descriptors.
 * Never: changes O_NONBLOCK of a destination. It belongs to the open file description, which the client shares.
 */
#ifndef SFD_TRANSFER_MOVER_H
#define SFD_TRANSFER_MOVER_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/technique.h"
#include "sys/kernel.h"

enum sfd_step {
    SFD_STEP_MORE,    /* moved all that was asked for, or stopped for another reason than the destination */
    SFD_STEP_BLOCKED, /* the destination is full */
    SFD_STEP_COLD,    /* the next bytes need the disk */
    SFD_STEP_SHORT,   /* a shortage, which may pass; `error` says of what */
    SFD_STEP_FAILED,  /* `error` says why; -ENODATA: the file has become shorter */
};

/* What one step did. `moved` counts in every case, also beside an error. */
struct sfd_progress {
    uint64_t moved;
    int error; /* 0 or -errno */
    enum sfd_step step;
};

/* Adds the result of one call that moves bytes; false when the step is over. 0 before the end: the file has shrunk. */
bool sfd_progress_take(struct sfd_progress *progress, int64_t result);

/* The most bytes of one call: far below SSIZE_MAX. */
static inline size_t sfd_mover_call_size(uint64_t bytes)
{
    const uint64_t most = (uint64_t)1 << 30;

    return (size_t)(bytes < most ? bytes : most);
}

struct sfd_move {
    const struct sfd_kernel *kernel;
    int file;
    int dest;
    enum sfd_fd_kind dest_kind;
    bool memory_file; /* the source cannot answer RWF_NOWAIT and needs no disk */
    bool more;        /* further bytes follow this move: a packet that is not full may wait for them (TCP) */
    char *buffer;     /* of read-write; the caller's, `buffer_size` bytes */
    size_t buffer_size;
};

/*
 * Moves at most `limit` bytes from `offset` of the file to a pipe, socket or device. Does not block as long as the
 * file's bytes are resident (sendfile, splice, mmap) or at all (read-write).
 */
struct sfd_progress sfd_mover_step(const struct sfd_move *move, enum sfd_technique technique, uint64_t offset,
                                   uint64_t limit);

/*
 * Writes memory to a pipe, socket or device: `moved` bytes of `iov` were taken. `more`: as in a move. Never blocks.
 * `iov` is used up.
 */
struct sfd_progress sfd_mover_memory(const struct sfd_kernel *kernel, int dest, enum sfd_fd_kind dest_kind,
                                     struct iovec *iov, int count, bool more);

/* Reads into memory without waiting for a disk: `moved` bytes are in `buffer`; COLD, or FAILED as a step does. */
struct sfd_progress sfd_mover_read(const struct sfd_move *move, uint64_t offset, uint64_t limit);

/* A part of the file as memory, which only the kernel may read. */
struct sfd_mapping {
    struct iovec bytes; /* what was asked for */
    uint64_t offset;    /* its place in the file */
    uint64_t wanted;    /* its length */
    void *address;      /* of the mapping, which begins with a page */
    size_t length;
};

/* Maps at most `limit` bytes from `offset`, which are inside the file now. 0 or -errno, -ENODATA behind its end. */
int sfd_mover_map(const struct sfd_move *move, uint64_t offset, uint64_t limit, struct sfd_mapping *out);

/*
 * Ends a mapping; `progress` is the result of writing its bytes. Changes it to -ENODATA if the file has shrunk below
 * what was sent, to -EIO if a page could not be read, and to MORE if the file has less now than was mapped.
 */
void sfd_mover_unmap(const struct sfd_move *move, const struct sfd_mapping *mapping, struct sfd_progress *progress);

#endif
