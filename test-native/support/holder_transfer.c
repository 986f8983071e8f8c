/* One transfer as a client of holder sees it: what is asked for, what comes, and whether that is right. */
#include "holder.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "driver_common.h"
#include "hostile_common.h"
#include "protocol/wire.h"

enum { PIECE = 65536, RATE = 128 * 1024 * 1024 };

static void begin(struct transfer *t, const struct holder *holder, enum sfd_events_of of, int channel, int data)
{
    *t = (struct transfer){.holder = holder, .channel = channel, .data = data};
    sfd_events_init(&t->events, of);
}

void transfer_begin_read(struct transfer *t, const struct holder *holder, int channel, uint64_t foreign)
{
    begin(t, holder, SFD_EVENTS_OF_READ, channel, -1);
    t->foreign = foreign;
}

int transfer_begin_send(struct transfer *t, const struct holder *holder, int data)
{
    int status[2];

    if (pipe2(status, O_CLOEXEC | O_NONBLOCK) < 0) driver_die("pipe");
    begin(t, holder, SFD_EVENTS_OF_SEND, status[0], data);
    return status[1];
}

bool transfer_ask(const struct holder *holder, int status, int destination)
{
    /* So that the daemon comes again by its timer, and not only when the locker has made room. */
    const struct sfd_options options = {.rate = holder->early ? 0 : RATE};
    const bool sends = destination >= 0;
    const int fds[] = {status, destination};
    unsigned char request[SFD_WIRE_EXTENDED_REQUEST_SIZE + 4096];
    const size_t path_size = strlen(holder->path) + 1;
    size_t length = sfd_wire_put_extended_request(request, sends ? SFD_WIRE_SEND_FILE_EXT : SFD_WIRE_READ_FILE_EXT, 0,
                                                  0, &options, path_size - 1);

    memcpy(request + length, holder->path, path_size);
    length += path_size;
    const int error = hostile_send_bytes(holder->requests, request, length, fds, sends ? 2 : 1);
    (void)close(status);
    return error == 0;
}

static void take_content(struct transfer *t, const void *bytes, size_t size)
{
    const struct holder *h = t->holder;

    if (size > h->size - t->received || memcmp(h->reference + t->received, bytes, size) != 0)
        t->wrong = true;
    else
        t->received += size;
}

static void take_event(struct transfer *t, const struct sfd_event *event)
{
    if (event->type == SFD_EVENT_DATA) take_content(t, event->data, event->size);
    if (event->type != SFD_EVENT_COMPLETE && event->type != SFD_EVENT_FAILED) return;
    t->ended = true;
    t->end = *event;
}

void transfer_take(struct transfer *t, const unsigned char *bytes, size_t size)
{
    const size_t foreign = t->foreign < size ? (size_t)t->foreign : size;
    struct sfd_event event;

    t->foreign -= foreign;
    for (size_t at = foreign; at < size;) {
        if (t->ended) {
            t->wrong = true; /* behind the last message */
            return;
        }
        at += sfd_events_feed(&t->events, bytes + at, size - at, &event);
        take_event(t, &event);
    }
}

void transfer_end(struct transfer *t)
{
    struct sfd_event event;

    if (sfd_events_end(&t->events, &event)) take_event(t, &event);
    driver_close(&t->channel);
}

/* Reads once; 0 at the end. */
static ssize_t take_from(struct transfer *t, int fd, size_t size)
{
    static _Thread_local unsigned char bytes[PIECE];
    const ssize_t n = read(fd, bytes, size < PIECE ? size : PIECE);

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return 1;
    if (n <= 0) return 0;
    if (fd == t->channel)
        transfer_take(t, bytes, (size_t)n);
    else
        take_content(t, bytes, (size_t)n);
    return n;
}

void transfer_receive(struct transfer *t, size_t size, long timeout_ms)
{
    struct pollfd ready[] = {{.fd = t->channel, .events = POLLIN}, {.fd = t->data, .events = POLLIN}};

    if (poll(ready, 2, (int)timeout_ms) <= 0) return;
    if (ready[0].revents != 0 && take_from(t, t->channel, size) == 0) transfer_end(t);
    if (ready[1].revents != 0 && take_from(t, t->data, size) == 0) driver_close(&t->data);
}

bool transfer_finish(struct transfer *t, bool all, long deadline_ms)
{
    for (long left; t->channel >= 0 || (all && t->data >= 0);) {
        left = deadline_ms - now_ms();
        if (left <= 0) return false;
        transfer_receive(t, PIECE, left);
    }
    return true;
}

void transfer_count(struct transfer *t, struct outcome *outcome)
{
    const struct sfd_event *end = &t->end;
    const bool told = t->ended && end->result.cmd != 0;

    if (t->ended && end->type == SFD_EVENT_COMPLETE && t->received != t->holder->size) t->wrong = true;
    if (told && end->result.moved != t->received) t->wrong = true;
    if (t->wrong) outcome->wrong++;
    if (!t->ended) {
        outcome->unfinished++;
    } else if (end->type == SFD_EVENT_COMPLETE) {
        outcome->complete++;
    } else if (end->error == ECONNABORTED) {
        outcome->aborted++;
    } else {
        outcome->failed++;
        if (outcome->first_errno == 0) outcome->first_errno = end->error;
    }
    driver_close(&t->channel);
    driver_close(&t->data);
}
