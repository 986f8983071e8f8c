/*
 * The status channel of one transfer: a pipe to the client, or a local channel (outbox.h), which is one of this
 * process.
 *
 * Role: checks which pipe can be one. Has one slot for File Information, one for merged progress, and one for the
 * terminal message, in the form of version 1 or, of extended requests, with a Refusal and a Result. What does not fit
 * into the pipe stays in its slot; File Information and the terminal message are never lost, progress is merged.
 * Thread: the transfer's loop. Owns the descriptor. Never blocks.
 */
#ifndef SFD_PROTOCOL_STATUS_H
#define SFD_PROTOCOL_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/wire.h"
#include "sys/kernel.h"

enum sfd_terminal {
    SFD_TERMINAL_NONE = 0,
    SFD_TERMINAL_COMPLETE,
    SFD_TERMINAL_ERROR,
};

struct sfd_local_channel;

struct sfd_status {
    int fd;        /* -1: it is a local channel, or closed */
    bool info_due; /* File Information has not been written yet */
    uint8_t terminal;
    uint8_t error_command; /* SFD_WIRE_FILE_INFO refuses, SFD_WIRE_XFER_STAT ends a transfer that had begun */
    uint8_t error;         /* errno */
    uint8_t version; /* of an extended request: its client takes a Refusal and a Result for error and end; 0: neither */
    uint32_t fits;   /* of a refusal, also of an opened file: mask of techniques */
    struct sfd_local_channel
        *local;        /* a reference; NULL: it is a pipe, or closed. Takes everything that is due, always */
    uint64_t progress; /* bytes that the client does not know about yet */
    struct sfd_wire_file_info info;       /* these two are read once it is due */
    struct sfd_wire_file_details details; /* told from version 2 on */
    struct sfd_wire_result result;        /* of a Result */
};

/* Bytes of File Information, with the File Details before it. */
#define SFD_STATUS_INFO_MAX (SFD_WIRE_FILE_DETAILS_SIZE + SFD_WIRE_FILE_INFO_SIZE)

/* File Information, progress and one terminal message: far below PIPE_BUF, so a pipe takes all of it or nothing. */
#define SFD_STATUS_BYTES_MAX (SFD_STATUS_INFO_MAX + SFD_WIRE_XFER_STAT_SIZE + SFD_WIRE_RESULT_SIZE)

/*
 * Accepts *fd, a descriptor that was received, as a status channel. 0, and *fd can be written to without waiting: it
 * may be a description of our own now. Or, with *fd as it was: -EBADMSG when it is no pipe, or the -errno for which it
 * cannot be opened again; then the client can get no answer. Never blocks.
 *
 * Accepts a read end too: the first write to it fails, and no channel is left for an answer in any case. Accepts also a
 * pipe that is open for reading and writing: sfd_status_check_hangup finds it when a transfer has to wait, and most
 * transfers never do.
 */
int sfd_status_accept(const struct sfd_kernel *kernel, int *fd);

void sfd_status_init(struct sfd_status *status);

/* Closes. Idempotent. */
void sfd_status_deinit(struct sfd_status *status, const struct sfd_kernel *kernel);

/*
 * Whether the end of its client shows as a hang-up: 0; -EBADMSG for a pipe that is open for reading here too, because
 * such a pipe never hangs up, and a transfer whose client has ended would wait without limit; or -EBADF. Never blocks.
 */
int sfd_status_check_hangup(const struct sfd_status *status, const struct sfd_kernel *kernel);

static inline bool sfd_status_is_open(const struct sfd_status *status)
{
    return status->fd >= 0 || status->local != NULL;
}

/* Puts everything that is due, in order, into a buffer of SFD_STATUS_BYTES_MAX; how many bytes. */
size_t sfd_status_put(const struct sfd_status *status, char *buffer);

/* Puts File Information as its client takes it into a buffer of SFD_STATUS_INFO_MAX; how many bytes. */
size_t sfd_status_put_info(const struct sfd_status *status, void *buffer);

/*
 * Writes everything that is due, in order, as one atomic write: 1 when nothing is due any more, 0 when the pipe has no
 * room, -errno when it could not be written to: all is still due.
 */
int sfd_status_flush(struct sfd_status *status, const struct sfd_kernel *kernel);

/*
 * Whether the result of a flush means that the channel has no reader any more (-EPIPE). False when it can be tried
 * again.
 */
bool sfd_status_is_lost(int flushed);

/*
 * Sets the terminal message; only the first one counts. `command` is SFD_WIRE_FILE_INFO (refuses) or
 * SFD_WIRE_XFER_STAT, `error` is -errno. Of an extended request `fits` and `result` are to be filled before.
 */
void sfd_status_complete(struct sfd_status *status);
void sfd_status_fail(struct sfd_status *status, uint8_t command, int error);

#endif
