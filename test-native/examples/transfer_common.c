/* What servers of server_common.h that ask by datagrams ask of the daemon in the same way. */
#include "server_common.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

bool server_connect(struct server *server)
{
    const int fd = sfd_connect(server->sockets, server->name);

    if (fd < 0) return false;
    if (server->daemon.fd >= 0) (void)close(server->daemon.fd);
    server->daemon = (struct source){.fd = fd};
    return fcntl(fd, F_SETFL, O_NONBLOCK) == 0; /* a full queue is waited for by epoll, too */
}

void server_disconnect(struct server *server)
{
    if (server->daemon.fd >= 0) (void)close(server->daemon.fd);
    server->daemon.fd = -1;
}

/* Whether nothing of an answer was sent yet, so that it can be another one. */
static bool is_unanswered(const struct connection *c)
{
    return c->rest.head_length == c->header_size;
}

enum outcome server_ask_again(struct server *server, struct connection *c, int error)
{
    if (error == EAGAIN && server_watch(server, &server->daemon, EPOLLOUT)) {
        c->waits_for_daemon = true;
        return server_wait(server, c, 0, 0);
    }
    if ((error == ECONNREFUSED || error == ENOTCONN) && server_connect(server)) {
        /* Who waits for the old one's queue tries again as well. */
        (void)server_watch(server, &server->daemon, EPOLLOUT);
        return GO_ON;
    }
    return is_unanswered(c) ? server_refuse(server, c, http_status_of_errno(error)) : CLOSE;
}

enum outcome server_begin_transfer(struct connection *c, int channel, enum sfd_events_of of)
{
    c->channel = (struct source){.fd = channel, .connection = c};
    sfd_events_init(&c->events, of);
    c->step = STEP_ANSWER;
    return GO_ON;
}

enum outcome server_read_answer(struct server *server, struct connection *c)
{
    const bool is_range = c->response.status != 0;
    struct sfd_event event;
    const int count = sfd_events_next(&c->events, c->channel.fd, &event);

    if (count <= 0) return count < 0 ? CLOSE : server_wait(server, c, 0, EPOLLIN);
    if (event.type != SFD_EVENT_ACCEPTED) return server_refuse(server, c, http_status_of_errno(event.error));
    c->step = STEP_WRITE_HEADER;
    if (is_range) /* of the file that was judged? The other way round "bytes 0-9/100" would be a lie */
        return event.info.mtime == c->response.modified ? GO_ON : server_refuse(server, c, 503);
    http_select(&c->request, event.info.size, event.info.mtime, &c->response);
    if (c->response.status == 206) { /* the file's size is known now: what was asked for is another transfer */
        server_end_transfer(server, c);
        c->step = STEP_ASK;
    } else if (!http_has_body(&c->request, &c->response)) {
        server_end_transfer(server, c);
    }
    return GO_ON;
}

enum outcome server_watch_body(struct server *server, struct connection *c)
{
    struct sfd_event event;
    int count;

    while ((count = sfd_events_next(&c->events, c->channel.fd, &event)) > 0) {
        switch (event.type) {
        case SFD_EVENT_COMPLETE: /* the socket has accepted every byte */
            return server_finish(server, c);
        case SFD_EVENT_FAILED: /* if the header has promised more, hanging up is the only way to say so */
            if (!event.refused || !is_unanswered(c)) return CLOSE;
            return server_refuse(server, c, http_status_of_errno(event.error));
        default: /* progress */
            break;
        }
    }
    return count < 0 ? CLOSE : server_wait(server, c, 0, EPOLLIN);
}

void server_end_transfer(struct server *server, struct connection *c)
{
    if (c->channel.fd >= 0) {
        const size_t id = sfd_events_txnid(&c->events); /* 0: it is over */

        /* Should the daemon's queue be full: closing the channel says the same, a little later. */
        if (id != 0) (void)sfd_cancel(server->daemon.fd, id);
        (void)close(c->channel.fd);
        c->channel = (struct source){.fd = -1, .connection = c};
    }
    sfd_hot_close(&c->file);
}
