/*
 * Movers: the techniques that take bytes from a file (or from memory) to a destination.
 *
 * Role: one bounded, non-blocking move at a time; no memory of its own, so any move can be resumed at any offset.
 * Thread: an event loop, for pipes and sockets; the disk pool, for regular files. Owns nothing, borrows all descriptors.
 * Never: changes O_NONBLOCK of a destination. It belongs to the description, which is the client's too.
 */
#ifndef SFD_CORE_MOVER_H
#define SFD_CORE_MOVER_H

#include <stddef.h>
#include <stdint.h>

#include "fd.h"
#include "machine.h"

enum sfd_step {
    SFD_STEP_MORE, /* moved all that was asked for, or stopped for no reason of the destination's */
    SFD_STEP_BLOCKED, /* the destination is full */
    SFD_STEP_COLD,    /* the next bytes need the disk */
    SFD_STEP_FAILED,  /* `error` says why; -ENODATA: the file has become shorter */
};

/* What one step did. `moved` counts in every case, also beside an error. */
struct sfd_progress {
    uint64_t moved;
    int error; /* 0 or -errno */
    enum sfd_step step;
};

enum sfd_technique {
    SFD_TECHNIQUE_AUTO = 0,
    SFD_TECHNIQUE_SENDFILE,
    SFD_TECHNIQUE_SPLICE,
    SFD_TECHNIQUE_READ_WRITE,
    SFD_TECHNIQUE_COPY_FILE_RANGE, /* regular destinations only */
    SFD_TECHNIQUES,
};

#define SFD_RULES_MAX 16

/* One line of the table by which `auto` decides. */
struct sfd_rule {
    uint64_t max_size; /* bytes; longer transfers do not match */
    uint16_t kinds;    /* of destinations: bit per enum sfd_fd_kind */
    uint8_t blocking;  /* 0: any, 1: without O_NONBLOCK, 2: with it */
    uint8_t technique; /* enum sfd_technique */
};

/* "sendfile", "read-write", ... Never NULL. */
const char *sfd_technique_name(enum sfd_technique technique);

/* Up to this many bytes one read and one write beat every other technique. */
#define SFD_SMALL_BYTES ((uint64_t)32 * 1024)

/*
 * What `auto` decides for a transfer of `size` bytes. Measured: a
 * sendfile to a socket without O_NONBLOCK would block; sendfile and splice are equal on pipes, but only splice can be told
 * not to block there.
 */
enum sfd_technique sfd_technique_choose(enum sfd_fd_kind destination, bool nonblock, uint64_t size);

struct sfd_move {
    const struct sfd_machine *machine;
    int file;
    int dest;
    enum sfd_fd_kind dest_kind;
    bool memory_file; /* the source cannot answer RWF_NOWAIT and needs no disk */
    char *buffer;     /* of read-write; the caller's, `buffer_size` bytes */
    size_t buffer_size;
};

/*
 * Moves at most `limit` bytes from `offset` of the file to a pipe or socket. Does not block as long as the file's
 * bytes are resident (sendfile, splice) or at all (read-write).
 */
struct sfd_progress sfd_mover_step(const struct sfd_move *move, enum sfd_technique technique,
                                   uint64_t offset, uint64_t limit);

/* Writes memory to a pipe or socket: `moved` bytes of `iov` were taken. Never blocks. `iov` is used up. */
struct sfd_progress sfd_mover_memory(const struct sfd_machine *machine, int dest,
                                     enum sfd_fd_kind dest_kind, struct iovec *iov, int count);

/* Reads into memory without waiting for a disk: `moved` bytes are in `buffer`; COLD, or FAILED as a step does. */
struct sfd_progress sfd_mover_read(const struct sfd_move *move, uint64_t offset, uint64_t limit);

/*
 * Moves at most `limit` bytes to a regular file at its current position. Blocks: disk pool only. Tries copy_file_range,
 * sendfile and read-write in turn; *technique remembers which one works for this pair of files.
 */
struct sfd_progress sfd_mover_copy(const struct sfd_move *move, enum sfd_technique *technique,
                                   uint64_t offset, uint64_t limit);

#endif
