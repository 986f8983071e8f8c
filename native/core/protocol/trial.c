/*
 * A trial of an engine.
 */
#include "protocol/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/submit.h"
#include "protocol/wire.h"
#include "sys/fd.h"
#include "sys/sys.h"
#include "sys/sys_setup.h"

/* Fits a pipe, so that nobody has to read while it is written; and is more than one window. */
#define BYTES 40000

struct sfd_trial {
    int status;    /* of the transfer */
    int data;      /* what it has moved */
    int directory; /* the status channel of the other request */
    unsigned char sent[BYTES];
    unsigned char arrived[BYTES + 1]; /* one more than is right */
};

static void close_all(struct sfd_trial *trial)
{
    sfd_fd_close(&sfd_sys_linux, &trial->status);
    sfd_fd_close(&sfd_sys_linux, &trial->data);
    sfd_fd_close(&sfd_sys_linux, &trial->directory);
}

static int make_source(struct sfd_trial *trial)
{
    int result = sfd_sys_random(trial->sent, 256); /* the rest repeats it, more or less */
    int file;

    for (size_t i = 256; i < BYTES; i++)
        trial->sent[i] = (unsigned char)(trial->sent[i - 256] + i / 256);
    if (result < 0) return result;
    file = sfd_sys_memory_file("sendfiled-trial");
    if (file < 0) return file;
    const struct iovec iov = {.iov_base = trial->sent, .iov_len = BYTES};
    const int64_t written = sfd_sys_linux.pwritev2(file, &iov, 1, 0, 0);
    if (written == BYTES) return file;
    sfd_fd_close(&sfd_sys_linux, &file);
    return written < 0 ? (int)written : -EIO;
}

static int send_bytes(struct sfd_trial *trial, int socket)
{
    const struct sfd_options options = {.version = SFD_WIRE_VERSION_2};
    unsigned char request[SFD_WIRE_EXTENDED_REQUEST_SIZE];
    int status[2] = {-1, -1};
    int data[2] = {-1, -1};
    int source = make_source(trial);
    int result = source;

    if (result >= 0) result = sfd_sys_linux.pipe2(status, O_CLOEXEC);
    if (result >= 0) result = sfd_sys_linux.pipe2(data, O_CLOEXEC);
    trial->status = status[0];
    trial->data = data[0];
    if (result >= 0) {
        const int fds[] = {status[1], data[1], source};
        const size_t length =
            sfd_wire_put_extended_request(request, SFD_WIRE_SEND_DESCRIPTOR, 0, SFD_WIRE_TO_END, &options, 0);
        result = sfd_submit_send(&sfd_sys_linux, socket, request, length, fds, 3);
    }
    sfd_fd_close(&sfd_sys_linux, &status[1]);
    sfd_fd_close(&sfd_sys_linux, &data[1]);
    sfd_fd_close(&sfd_sys_linux, &source);
    return result < 0 ? result : 0;
}

static int ask_for_directory(struct sfd_trial *trial, int socket)
{
    unsigned char request[SFD_WIRE_MAX_REQUEST_SIZE];
    size_t length = sfd_wire_put_path_request(request, SFD_WIRE_READ_FILE, 0, 0);
    int status[2] = {-1, -1};
    int result = sfd_sys_linux.pipe2(status, O_CLOEXEC);

    if (result < 0) return result;
    trial->directory = status[0];
    memcpy(request + length, ".", 2);
    length += 2;
    result = sfd_submit_send(&sfd_sys_linux, socket, request, length, &status[1], 1);
    sfd_fd_close(&sfd_sys_linux, &status[1]);
    return result;
}

int sfd_trial_begin(struct sfd_trial **out, int socket)
{
    struct sfd_trial *trial = calloc(1, sizeof(*trial));

    if (trial == NULL) return -ENOMEM;
    trial->status = trial->data = trial->directory = -1;
    int result = send_bytes(trial, socket);
    if (result == 0) result = ask_for_directory(trial, socket);
    if (result < 0) {
        close_all(trial);
        free(trial);
        return result;
    }
    *out = trial;
    return 0;
}

/* Reads to the end, `room` bytes at most. How many there were, or -errno. */
static int read_all(int fd, unsigned char *out, size_t room, uint64_t deadline_ms)
{
    size_t got = 0;

    while (got < room) {
        const uint64_t now_ms = sfd_sys_now_ms();
        const int ready = now_ms >= deadline_ms ? 0 : sfd_sys_wait_readable(fd, (int)(deadline_ms - now_ms));
        if (ready <= 0) return ready == 0 ? -ETIMEDOUT : ready;
        const ssize_t n = sfd_sys_setup_linux.read(fd, out + got, room - got);
        if (n < 0) return (int)n;
        if (n == 0) break;
        got += (size_t)n;
    }
    return (int)got;
}

/* The errno of the last message on a status channel: 0 (complete), or -errno. */
static int outcome(int fd, uint64_t deadline_ms)
{
    unsigned char bytes[4096];
    const int length = read_all(fd, bytes, sizeof(bytes), deadline_ms);
    int error = -EBADMSG;
    int at = 0;

    if (length < 0) return length;
    while (at < length) {
        struct sfd_wire_response response;
        const int n = sfd_wire_get_response(bytes + at, (size_t)(length - at), &response);
        if (n <= 0) return -EBADMSG;
        at += n;
        if (response.kind == SFD_WIRE_RESPONSE_ERROR || response.kind == SFD_WIRE_RESPONSE_REFUSAL ||
            response.kind == SFD_WIRE_RESPONSE_RESULT)
            error = -response.errnum;
    }
    return error;
}

int sfd_trial_end(struct sfd_trial *trial, int timeout_ms)
{
    const uint64_t deadline_ms = sfd_sys_now_ms() + (uint64_t)timeout_ms;
    int result = outcome(trial->status, deadline_ms);

    if (result == 0) {
        const int length = read_all(trial->data, trial->arrived, sizeof(trial->arrived), deadline_ms);
        if (length < 0)
            result = length;
        else if (length != BYTES || memcmp(trial->sent, trial->arrived, BYTES) != 0)
            result = -EBADMSG;
    }
    if (result == 0) {
        result = outcome(trial->directory, deadline_ms);
        result = result == -EINVAL ? 0 : result == 0 ? -EBADMSG : result;
    }
    close_all(trial);
    free(trial);
    return result;
}
