/*
 * The status channel of one transfer.
 */
#include "protocol/status.h"

#include <errno.h>
#include <fcntl.h>

#include "protocol/outbox.h"
#include "sys/errno_policy.h"
#include "sys/fd.h"
#include "sys/pipe.h"

int sfd_status_accept(const struct sfd_kernel *kernel, int *fd)
{
    return sfd_fd_is_pipe(kernel->sys, *fd) ? sfd_pipe_own(kernel, fd) : -EBADMSG;
}

void sfd_status_init(struct sfd_status *status)
{
    *status = (struct sfd_status){.fd = -1};
}

void sfd_status_deinit(struct sfd_status *status, const struct sfd_kernel *kernel)
{
    sfd_fd_close(kernel->sys, &status->fd);
    if (status->local != NULL) sfd_local_channel_put(status->local);
    status->local = NULL;
}

int sfd_status_check_hangup(const struct sfd_status *status, const struct sfd_kernel *kernel)
{
    struct sfd_fd_info info = {.readable = false};
    const int result = sfd_fd_ask(kernel->sys, status->fd, &info);

    return result == 0 && info.readable ? -EBADMSG : result;
}

size_t sfd_status_put_info(const struct sfd_status *status, void *buffer)
{
    unsigned char *at = buffer;
    size_t length = 0;

    if (status->version >= SFD_WIRE_VERSION_2) length = sfd_wire_put_file_details(at, &status->details);
    return length + sfd_wire_put_file_info(at + length, &status->info);
}

void sfd_status_complete(struct sfd_status *status)
{
    if (status->terminal != SFD_TERMINAL_NONE) return;
    status->terminal = SFD_TERMINAL_COMPLETE;
    status->progress = 0; /* included in "complete" */
}

void sfd_status_fail(struct sfd_status *status, uint8_t command, int error)
{
    if (status->terminal != SFD_TERMINAL_NONE) return;
    status->terminal = SFD_TERMINAL_ERROR;
    status->error_command = command;
    status->error = (uint8_t)(error < 0 && error > -256 ? -error : EIO);
    if (status->version > 0) status->progress = 0;               /* included in a Result */
    if (command == SFD_WIRE_FILE_INFO) status->info_due = false; /* a refusal replaces it */
}

static size_t put_terminal(char *buffer, const struct sfd_status *status)
{
    const bool complete = status->terminal == SFD_TERMINAL_COMPLETE;

    if (status->version == 0) {
        return complete ? sfd_wire_put_complete(buffer)
                        : sfd_wire_put_error(buffer, status->error_command, status->error);
    }
    if (!complete && status->error_command == SFD_WIRE_FILE_INFO)
        return sfd_wire_put_refusal(buffer, status->error, status->fits);
    return sfd_wire_put_result(buffer, complete ? 0 : status->error, &status->result);
}

size_t sfd_status_put(const struct sfd_status *status, char *buffer)
{
    size_t length = 0;

    if (status->info_due) length += sfd_status_put_info(status, buffer);
    if (status->progress > 0) length += sfd_wire_put_xfer_stat(buffer + length, status->progress);
    if (status->terminal != SFD_TERMINAL_NONE) length += put_terminal(buffer + length, status);
    return length;
}

/* 0 or -errno. */
static int write_to_pipe(const struct sfd_status *status, const struct sfd_kernel *kernel)
{
    char buffer[SFD_STATUS_BYTES_MAX];
    const struct iovec iov = {.iov_base = buffer, .iov_len = sfd_status_put(status, buffer)};
    /* Atomic below PIPE_BUF (pipe(7)): all of it or nothing. */
    const int64_t n = sfd_pipe_write(kernel, status->fd, &iov, 1);

    return n < 0 ? (int)n : 0;
}

int sfd_status_flush(struct sfd_status *status, const struct sfd_kernel *kernel)
{
    if (!status->info_due && status->progress == 0 && status->terminal == SFD_TERMINAL_NONE) return 1;
    if (status->local != NULL) {
        sfd_local_channel_add(status->local, status);
    } else {
        const int result = write_to_pipe(status, kernel);
        if (result < 0) return sfd_errno_policy(SFD_PLACE_STATUS, result) == SFD_REMEDY_READY ? 0 : result;
    }
    status->info_due = false;
    status->progress = 0;
    return 1;
}

bool sfd_status_is_lost(int flushed)
{
    return flushed < 0 && sfd_errno_policy(SFD_PLACE_STATUS, flushed) == SFD_REMEDY_END;
}
