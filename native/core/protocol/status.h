/*
 * The status channel of one transfer: a pipe to the client.
 *
 * Role: says what can be one. One slot for File Information, one for merged progress, one for the terminal message, in
 * the words of version 1 or, if `extended`, with a Refusal and a Result. What does not fit into the pipe stays in its
 * slot; File Information and the terminal message are never lost, progress is merged.
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

struct sfd_status {
    int fd;
    bool info_due; /* File Information has not been written yet */
    uint8_t terminal;
    uint8_t error_command; /* SFD_WIRE_FILE_INFO refuses, SFD_WIRE_XFER_STAT ends a transfer that had begun */
    uint8_t error;         /* errno */
    bool extended;         /* its client takes a Refusal and a Result for the error and the end */
    uint32_t fits;         /* of a refusal, also of an opened file: mask of techniques */
    uint64_t progress;     /* bytes that the client does not know about yet */
    struct sfd_wire_file_info info;
    struct sfd_wire_result result; /* of a Result */
};

/*
 * Accepts *fd, a descriptor that was received, as a status channel. 0, and *fd can be written to without waiting: it
 * may be a description of our own now. Or, with *fd as it was: -EBADMSG when it is no pipe, or the -errno for which no
 * description of our own can be had; then nothing can be said to the client. Never blocks.
 *
 * A read end passes: the first write to it tells, and there is nobody to tell. So does a pipe that is open for reading
 * as well: sfd_status_check_hangup tells as soon as a transfer has to wait, and most never do.
 */
int sfd_status_accept(const struct sfd_kernel *kernel, int *fd);

void sfd_status_init(struct sfd_status *status);

/* Closes. Idempotent. */
void sfd_status_deinit(struct sfd_status *status, const struct sfd_kernel *kernel);

/*
 * Whether the channel hangs up when its client goes: 0; -EBADMSG for a pipe that we could read ourselves, which never
 * hangs up while we have it: its client may be long gone, and the transfer would wait for as long as that client
 * wished; or -EBADF. Never blocks.
 */
int sfd_status_check_hangup(const struct sfd_status *status, const struct sfd_kernel *kernel);

/* Makes room for that many bytes of a file as well, as far as reading them gains by it. */
void sfd_status_grow(const struct sfd_status *status, const struct sfd_kernel *kernel, uint64_t bytes);

/*
 * Writes everything that is due, in order, as one atomic write: 1 when nothing is due any more, 0 when the pipe has no
 * room, -errno when it could not be written to: all is still due.
 */
int sfd_status_flush(struct sfd_status *status, const struct sfd_kernel *kernel);

/*
 * What a flush has given: true when nobody will ever read the channel (-EPIPE), false also when it can be tried again.
 */
bool sfd_status_is_lost(int flushed);

/*
 * A terminal message; the first one stays. `command` is SFD_WIRE_FILE_INFO (refuses) or SFD_WIRE_XFER_STAT, `error` is
 * -errno. With `extended` set, `fits` and `result` are to be filled before.
 */
void sfd_status_complete(struct sfd_status *status);
void sfd_status_fail(struct sfd_status *status, uint8_t command, int error);

#endif
