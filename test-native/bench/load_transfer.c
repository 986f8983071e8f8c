/* One transfer of load: the request, the bytes that arrive, the messages, and what is wrong with them. */
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { INLINE_SEND = 32 * 1024 };

static void fail(struct worker *w, int error, const char *what)
{
    if (w->failures++ == 0) {
        w->first_errno = error;
        snprintf(w->first_failure, sizeof w->first_failure, "%s%s%s", what, error != 0 ? ": " : "",
                 error != 0 ? strerror(error) : "");
    }
}

/* The bytes that arrived at `at` of the transfer, against the reference file. */
static bool matches(uint64_t at, const void *bytes, size_t length)
{
    if (opt.reference == NULL) return true;
    uint64_t position = (uint64_t)opt.offset + at;
    return position + length <= opt.reference_size && memcmp(bytes, opt.reference + position, length) == 0;
}

static ssize_t read_some(int fd, void *buffer, size_t size)
{
    ssize_t n;
    do {
        n = read(fd, buffer, size);
    } while (n < 0 && errno == EINTR);
    return n;
}

static void take_result(struct worker *w, const uint8_t *bytes, uint64_t size)
{
    struct result result;
    get_result(&result, bytes);
    w->technique = result.technique;
    w->cold_windows += result.cold_windows;
    if (bytes[0] != RSP_RESULT)
        fail(w, 0, "no Result");
    else if (result.error != 0)
        fail(w, result.error, "failed");
    else if (result.bytes != size)
        fail(w, 0, "a Result of other bytes");
}

/* Data of a Read File follows File Information on the same pipe, and the Result follows the data. */
static uint64_t finish_read(struct worker *w, struct slot *slot)
{
    uint8_t trailer[RESULT_SIZE];
    const size_t trailer_size = opt.extended ? RESULT_SIZE : 0;
    size_t have = 0;
    while (have < FILE_INFO_SIZE) {
        ssize_t n = read_some(slot->status, w->buffer + have, DRAIN_BUFFER - have);
        if (n <= 0) break;
        have += (size_t)n;
    }
    if (have >= ERROR_SIZE && have < FILE_INFO_SIZE && w->buffer[1] != 0) {
        fail(w, w->buffer[1], "refused");
        return 0;
    }
    if (have < FILE_INFO_SIZE || w->buffer[0] != RSP_FILE_INFO || w->buffer[1] != 0) {
        fail(w, 0, "no File Information");
        return 0;
    }
    struct file_info info;
    get_file_info(&info, w->buffer);
    const uint64_t whole = info.size + trailer_size;
    const uint8_t *bytes = w->buffer + FILE_INFO_SIZE;
    uint64_t done = 0;
    for (uint64_t more = have - FILE_INFO_SIZE;;) {
        const uint64_t data = more < info.size - done ? more : info.size - done;
        if (!matches(done, bytes, (size_t)data)) {
            fail(w, 0, "wrong bytes");
            return done;
        }
        if (done + more > whole) {
            fail(w, 0, "more bytes than said");
            return done;
        }
        if (more > data) memcpy(trailer + (done + data - info.size), bytes + data, (size_t)(more - data));
        done += more;
        if (done == whole && !opt.wait_eof) break;
        ssize_t n = read_some(slot->status, w->buffer, DRAIN_BUFFER);
        if (n <= 0) break;
        bytes = w->buffer;
        more = (uint64_t)n;
    }
    if (done != whole) {
        fail(w, 0, "end of file before the last byte");
        return done < info.size ? done : info.size;
    }
    if (opt.extended) take_result(w, trailer, info.size);
    return info.size;
}

static void *receive(void *arg)
{
    struct slot *slot = arg;
    uint8_t *buffer = allocate(DRAIN_BUFFER);
    const uint8_t *reference = opt.reference == NULL ? NULL : opt.reference + opt.offset;
    pthread_mutex_lock(&slot->lock);
    for (;;) {
        while (slot->expected == 0 && !slot->ended)
            pthread_cond_wait(&slot->changed, &slot->lock);
        if (slot->expected == 0) break;
        uint64_t expected = slot->expected;
        pthread_mutex_unlock(&slot->lock);
        drain(slot->source, expected, opt.discard ? NULL : buffer, DRAIN_BUFFER, reference);
        pthread_mutex_lock(&slot->lock);
        slot->expected = 0;
        pthread_cond_broadcast(&slot->changed);
    }
    pthread_mutex_unlock(&slot->lock);
    free(buffer);
    return NULL;
}

static void start_receiving(struct slot *slot, uint64_t bytes)
{
    if (!slot->receiving) {
        pthread_mutex_init(&slot->lock, NULL);
        pthread_cond_init(&slot->changed, NULL);
        slot->receiving = true;
        if (pthread_create(&slot->receiver, NULL, receive, slot) != 0) die("cannot start a receiver");
    }
    pthread_mutex_lock(&slot->lock);
    slot->expected = bytes;
    pthread_cond_broadcast(&slot->changed);
    pthread_mutex_unlock(&slot->lock);
}

static void await_received(struct slot *slot)
{
    pthread_mutex_lock(&slot->lock);
    while (slot->expected != 0)
        pthread_cond_wait(&slot->changed, &slot->lock);
    pthread_mutex_unlock(&slot->lock);
}

static void send_open(struct worker *w, struct slot *slot, uint64_t id)
{
    struct request request = {.cmd = CMD_SEND_OPEN, .id = id};
    uint8_t bytes[ID_REQUEST_SIZE];
    send_datagram(w->socket, bytes, put_request(bytes, &request), &slot->sink, 1);
}

/* What was written to a destination that is a file, which nobody received. */
static void check_file(struct worker *w, const struct slot *slot, uint64_t size)
{
    if (opt.reference == NULL || opt.channel != CHANNEL_FILE) return;
    for (uint64_t at = 0; at < size;) {
        ssize_t n = pread(slot->sink, w->buffer, DRAIN_BUFFER, (off_t)at);
        if (n <= 0 || !matches(at, w->buffer, (size_t)n)) {
            fail(w, 0, "wrong bytes in the file");
            return;
        }
        at += (uint64_t)n;
    }
}

/* Reads messages until the terminal one; the bytes go to the destination meanwhile. */
static uint64_t finish_send(struct worker *w, struct slot *slot)
{
    uint8_t messages[1024];
    size_t have = 0;
    size_t at = 0;
    struct file_info info = {.size = 0};
    uint64_t progress = 0;
    for (bool begun = false;;) {
        size_t left = have - at;
        if (left >= HEADER_SIZE && messages[at + 1] != 0) {
            fail(w, messages[at + 1], begun ? "failed" : "refused");
            return progress;
        }
        if (begun && left >= RESULT_SIZE && messages[at] == RSP_RESULT) {
            take_result(w, messages + at, info.size);
            break;
        }
        if (!begun && left >= FILE_INFO_SIZE && messages[at] == RSP_FILE_INFO) {
            get_file_info(&info, messages + at);
            at += FILE_INFO_SIZE;
            begun = true;
            if (info.size > INLINE_SEND && slot->source >= 0) start_receiving(slot, info.size);
            if (opt.command == CMD_OPEN) send_open(w, slot, info.id);
            continue;
        }
        if (begun && left >= XFER_STAT_SIZE && messages[at] == RSP_XFER_STAT) {
            uint64_t size = get_xfer_size(messages + at);
            at += XFER_STAT_SIZE;
            if (size == XFER_COMPLETE) break;
            progress += size;
            continue;
        }
        memmove(messages, messages + at, left);
        have = left;
        at = 0;
        ssize_t n = read_some(slot->status, messages + have, sizeof messages - have);
        if (n <= 0) {
            fail(w, 0, "end of the status channel before the last message");
            return progress;
        }
        have += (size_t)n;
    }
    if (progress > info.size) fail(w, 0, "more progress than bytes");
    if (opt.wait_eof && read_some(slot->status, messages, sizeof messages) != 0) fail(w, 0, "a message after the last");
    if (slot->receiving && info.size > INLINE_SEND) {
        await_received(slot);
    } else if (slot->source < 0) {
        check_file(w, slot, info.size);
    } else {
        drain(slot->source, info.size, w->buffer, DRAIN_BUFFER,
              opt.reference == NULL ? NULL : opt.reference + opt.offset);
    }
    return info.size;
}

/* A file of a directory's file system that has no name any more. */
static int make_file(const char *directory)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/load-XXXXXX", directory);
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0 || unlink(path) < 0) die_errno("%s", path);
    return fd;
}

static void open_destination(struct slot *slot)
{
    if (opt.channel == CHANNEL_FILE && opt.directory != NULL) {
        slot->sink = make_file(opt.directory);
        return;
    }
    channel_open(opt.channel, &slot->source, &slot->sink);
    if (opt.pipe_size > 0 && opt.channel == CHANNEL_PIPE) fcntl(slot->sink, F_SETPIPE_SZ, opt.pipe_size);
    /* Ours to set: a server must not, and needs it for sendfile. Our reads stay blocking. */
    fcntl(slot->sink, F_SETFL, fcntl(slot->sink, F_GETFL) | O_NONBLOCK);
}

void submit(struct worker *w, struct slot *slot, const char *path)
{
    int status[2];
    if (pipe2(status, O_CLOEXEC) < 0) die_errno("a status pipe");
    if (opt.pipe_size > 0) fcntl(status[1], F_SETPIPE_SZ, opt.pipe_size);
    if (opt.command != CMD_READ && slot->sink < 0) open_destination(slot);
    if (opt.command != CMD_READ && opt.channel == CHANNEL_FILE &&
        (ftruncate(slot->sink, 0) < 0 || lseek(slot->sink, 0, SEEK_SET) < 0))
        die_errno("the file to write to");
    struct request request = {.cmd = opt.command + (opt.extended ? CMD_EXTENDED : 0),
                              .offset = opt.offset,
                              .length = opt.length,
                              .options = opt.request};
    uint8_t bytes[REQUEST_MAX];
    memcpy(request.path, path, strlen(path) + 1);
    size_t length = put_request(bytes, &request);
    const int fds[2] = {status[1], slot->sink};
    slot->status = status[0];
    slot->started_ns = now_ns();
    send_datagram(w->socket, bytes, length, fds, opt.command == CMD_SEND ? 2 : 1);
    close(status[1]);
}

void finish(struct worker *w, struct slot *slot)
{
    uint64_t failures = w->failures;
    uint64_t bytes = opt.command == CMD_READ ? finish_read(w, slot) : finish_send(w, slot);
    uint64_t ended_ns = now_ns();
    close(slot->status);
    slot->status = -1;
    if (w->failures != failures && slot->sink >= 0 && !slot->receiving) {
        /* Part of the file may still be on its way: the next transfer gets a new destination. */
        close(slot->source);
        close(slot->sink);
        slot->sink = -1;
    }
    w->requests++;
    w->bytes += bytes;
    if (w->sample_count < (size_t)MAX_SAMPLES / opt.threads)
        w->samples[w->sample_count++] = ended_ns - slot->started_ns;
}

void stop_receivers(struct worker *w)
{
    for (size_t i = 0; i < opt.depth; i++) {
        struct slot *slot = &w->slots[i];
        if (slot->receiving) {
            pthread_mutex_lock(&slot->lock);
            slot->ended = true;
            pthread_cond_broadcast(&slot->changed);
            pthread_mutex_unlock(&slot->lock);
            /* After a failure it may wait for bytes that never come; the process's end takes it along. */
            if (w->failures == 0) pthread_join(slot->receiver, NULL);
        }
    }
}
