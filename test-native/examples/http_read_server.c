/*
 * http_read_server: an HTTP/1.1 server for files which never touches a disk. As http_open_server, but the bytes come
 * here.
 *
 * Each request is a Read File: its answer tells the size, which makes the header; behind it in the same pipe come the
 * file's bytes, which splice(2) moves on to the client's socket without a copy. That costs a system call for every 64
 * KiB or so, and is the way for a server that has to count, limit or stop what it sends, or that has something else to
 * write behind it. (One that encrypts would read(2) in place of splice(2).)
 *
 * One thread, which never blocks: clients, pipes and the daemon's queue of requests are all watched by one epoll
 * instance (server_common.h).
 */
#include "server_common.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

enum { TURN = 256 * 1024 };

/* Read File; for a HEAD, or to judge a range by the file's size, an Open File, of which no bytes come. */
static enum outcome ask_for_file(struct server *server, struct connection *c)
{
    const struct http_response *part = &c->response; /* all zeros at first, which is the whole */
    const bool judge = part->status == 0 && (c->request.head || c->request.range.given);
    const int channel = judge ? sfd_open(server->daemon.fd, c->request.path, 0, 0, true)
                              : sfd_read(server->daemon.fd, c->request.path, (off_t)part->first, part->length, true);

    if (channel < 0) return server_ask_again(server, c, errno);
    return server_begin_transfer(c, channel, judge ? SFD_EVENTS_OF_SEND : SFD_EVENTS_OF_READ);
}

static enum outcome begin_body(struct server *server, struct connection *c)
{
    if (!http_has_body(&c->request, &c->response)) return server_finish(server, c);
    c->step = STEP_MOVE_BODY;
    return GO_ON;
}

/*
 * splice(2) said EAGAIN, but not of which end. Watching both would wake this loop all the time for the one that is
 * ready.
 */
static enum outcome wait_for_the_right_end(struct server *server, struct connection *c)
{
    int in_pipe = 0;

    if (ioctl(c->channel.fd, FIONREAD, &in_pipe) < 0) return CLOSE;
    return in_pipe > 0 ? server_wait(server, c, EPOLLOUT, 0) : server_wait(server, c, 0, EPOLLIN);
}

/* At most TURN bytes: a client that is as quick as the daemon would keep this loop for itself. */
static enum outcome move_body(struct server *server, struct connection *c)
{
    struct sfd_event event;
    size_t done = 0;
    int count;

    while ((count = sfd_events_next(&c->events, c->channel.fd, &event)) > 0) {
        if (event.type == SFD_EVENT_COMPLETE) return server_finish(server, c);
        if (event.type != SFD_EVENT_DATA) return CLOSE;
        const ssize_t moved = splice(c->channel.fd, NULL, c->client.fd, NULL, sfd_events_data_left(&c->events),
                                     SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

        if (moved < 0 && errno == EAGAIN) return wait_for_the_right_end(server, c);
        if (moved <= 0) /* the client has gone, or the file has ended before it should */
            return CLOSE;
        sfd_events_skip(&c->events, (uint64_t)moved);
        c->deadline = 0; /* the client reads on */
        done += (size_t)moved;
        if (done >= TURN) return server_wait(server, c, EPOLLOUT, 0);
    }
    return count < 0 ? CLOSE : server_wait(server, c, 0, EPOLLIN);
}

int main(int argc, char **argv)
{
    static const struct server_way way = {SERVER_OF_DATAGRAMS, .ask = ask_for_file, .begin_body = begin_body,
                                          .move_body = move_body};

    return server_main(argc, argv, &way);
}
