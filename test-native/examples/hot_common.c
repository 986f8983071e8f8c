/*
 * The hot path of server_common.h: what is in memory is sent by this thread itself, which takes a tenth of the time
 * that asking the daemon takes. The rest of a file goes on by the daemon at the first byte that only the disk has.
 */
#include "server_common.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* Up to so many bytes a file is read, to go out in one call with its header; above, sending it without a copy is
 * faster. */
enum { SMALL = 16 * 1024 };

bool server_open_root(struct server *server, const char *path)
{
    const struct sfd_hot_options options = {.flags = SFD_HOT_SIGPIPE_HANDLED};

    return sfd_hot_open_root(path, &options, &server->root) == 0;
}

/* One send(2) for the header and a small file. What the socket has not taken is left in c->rest. */
static enum outcome send_small(struct connection *c)
{
    char bytes[HTTP_MAX_HEADER + SMALL];
    struct sfd_hot_rest *rest = &c->rest;
    const size_t all = rest->head_length + rest->length;

    if (sfd_hot_read(&c->file, rest->offset, rest->length, bytes + rest->head_length, SMALL) != SFD_HOT_DONE)
        return GO_ON; /* sfd_hot_send() will find out what it is */
    memcpy(bytes, rest->head, rest->head_length);
    const ssize_t sent = send(c->client.fd, bytes, all, 0);

    if (sent < 0) return errno == EAGAIN ? GO_ON : CLOSE;
    const size_t of_head = (size_t)sent < rest->head_length ? (size_t)sent : rest->head_length;

    rest->head = (const char *)rest->head + of_head;
    rest->head_length -= of_head;
    rest->offset += (off_t)((size_t)sent - of_head);
    rest->length -= (size_t)sent - of_head;
    return GO_ON;
}

enum outcome server_open_hot(struct server *server, struct connection *c)
{
    switch (sfd_hot_open(server->root, c->request.path, &c->file)) {
    case SFD_HOT_DONE:
        break;
    case SFD_HOT_COLD:
        c->step = STEP_ASK;
        return GO_ON;
    default:
        return server_refuse(server, c, http_status_of_errno(errno));
    }
    http_select(&c->request, c->file.size, (time_t)c->file.mtime, &c->response);
    if (!http_has_body(&c->request, &c->response)) {
        sfd_hot_close(&c->file);
        c->step = STEP_WRITE_HEADER;
        return GO_ON;
    }
    c->header_size = http_format(&c->request, &c->response, c->header);
    c->rest = (struct sfd_hot_rest){.head = c->header,
                                    .head_length = c->header_size,
                                    .offset = (off_t)c->response.first,
                                    .length = c->response.length};
    c->step = STEP_SEND_HOT;
    return c->response.length <= SMALL ? send_small(c) : GO_ON;
}

enum outcome server_send_hot(struct server *server, struct connection *c)
{
    const size_t left = c->rest.head_length + c->rest.length;
    const enum sfd_hot_result result = left == 0 ? SFD_HOT_DONE : sfd_hot_send(&c->file, c->client.fd, &c->rest);

    if (c->rest.head_length + c->rest.length < left) c->deadline = 0; /* the client reads on */
    switch (result) {
    case SFD_HOT_DONE:
        return server_finish(server, c);
    case SFD_HOT_BLOCKED:
        return server_wait(server, c, EPOLLOUT, 0);
    case SFD_HOT_COLD:
        c->step = STEP_HAND_OVER;
        return GO_ON;
    default:
        return CLOSE;
    }
}

enum outcome server_hand_over(struct server *server, struct connection *c)
{
    const int channel = sfd_hot_hand_over(server->daemon.fd, &c->file, NULL, c->client.fd, &c->rest, true, NULL);

    if (channel < 0) return server_ask_again(server, c, errno);
    server_begin_transfer(c, channel, SFD_EVENTS_OF_SEND);
    sfd_hot_close(&c->file);
    c->step = STEP_WATCH_BODY;
    return GO_ON;
}
