/* The loop of server_common.h: accepts, waits, and lets connections take their steps. Owns all of them. */
#include "server_common.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 64, TICK_MS = 1000 };

bool server_watch(struct server *server, struct source *source, uint32_t events)
{
    struct epoll_event event = {.events = events, .data = {.ptr = source}};
    int operation = EPOLL_CTL_MOD;

    if (events == source->watched) return true;
    if (source->watched == 0)
        operation = EPOLL_CTL_ADD;
    else if (events == 0)
        operation = EPOLL_CTL_DEL;
    source->watched = events;
    return epoll_ctl(server->epoll, operation, source->fd, &event) == 0;
}

/* The memory stays until no event can refer to it any more: server_free_closed(). */
void server_close(struct server *server, struct connection *c)
{
    server->way->leave(server, c);
    /*
     * The daemon may have a duplicate of the socket for a moment longer. As long as it does, close(2) alone would
     * neither end the connection nor take the socket out of the epoll instance.
     */
    (void)server_watch(server, &c->client, 0);
    (void)shutdown(c->client.fd, SHUT_RDWR);
    (void)close(c->client.fd);
    c->client.fd = -1;
    server->closed = true;
}

void server_free_closed(struct server *server)
{
    struct connection **at = &server->connections;

    while (*at != NULL) {
        struct connection *c = *at;

        if (c->client.fd >= 0 || c->in_flight > 0) {
            at = &c->next;
        } else {
            *at = c->next;
            free(c);
        }
    }
    server->closed = false;
}

static enum outcome take_step(struct server *server, struct connection *c)
{
    switch (c->step) {
    case STEP_READ_REQUEST:
        return server_read_request(server, c);
    case STEP_OPEN_HOT:
        return server_open_hot(server, c);
    case STEP_SEND_HOT:
        return server_send_hot(server, c);
    case STEP_HAND_OVER:
        return server_hand_over(server, c);
    case STEP_ASK:
        return server->way->ask(server, c);
    case STEP_ANSWER:
        return server_read_answer(server, c);
    case STEP_WRITE_HEADER:
        return server_write_header(server, c);
    case STEP_BEGIN_BODY:
        return server->way->begin_body(server, c);
    case STEP_MOVE_BODY:
        return server->way->move_body(server, c);
    case STEP_WATCH_BODY:
        return server_watch_body(server, c);
    case STEP_LINGER:
        return server_linger(server, c);
    }
    return CLOSE;
}

void server_advance(struct server *server, struct connection *c)
{
    enum outcome outcome;

    do {
        outcome = take_step(server, c);
    } while (outcome == GO_ON);
    if (outcome == CLOSE) server_close(server, c);
}

static void accept_clients(struct server *server)
{
    for (;;) {
        const int on = 1;
        const int fd = accept4(server->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        struct connection *c = fd >= 0 ? calloc(1, sizeof *c) : NULL;

        if (c == NULL) {
            if (fd >= 0)
                (void)close(fd);
            else if (errno != EAGAIN) /* out of descriptors: the next tick tries again */
                (void)server_watch(server, &server->listener, 0);
            return;
        }
        c->client = (struct source){.fd = fd, .connection = c};
        c->channel = (struct source){.fd = -1, .connection = c};
        c->next = server->connections;
        server->connections = c;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        server_advance(server, c);
    }
}

/* Who finds no room again watches the queue again. */
void server_advance_waiting(struct server *server)
{
    if (server->session == NULL) (void)server_watch(server, &server->daemon, 0);
    for (struct connection *c = server->connections; c != NULL; c = c->next) {
        if (c->waits_for_daemon && c->client.fd >= 0) {
            c->waits_for_daemon = false;
            server_advance(server, c);
        }
    }
}

static void tick(struct server *server, time_t now)
{
    server->now = now;
    (void)server_watch(server, &server->listener, EPOLLIN);
    if (server->way->tick != NULL) server->way->tick(server);
    for (struct connection *c = server->connections; c != NULL; c = c->next)
        if (c->client.fd >= 0 && c->deadline != 0 && c->deadline <= now) server_close(server, c);
}

bool server_run(struct server *server)
{
    struct epoll_event events[EVENTS];
    struct timespec now;

    for (;;) {
        const int count = epoll_wait(server->epoll, events, EVENTS, TICK_MS);

        if (count < 0 && errno != EINTR) return false;
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec != server->now) tick(server, now.tv_sec);
        for (int i = 0; i < count; i++) {
            struct source *source = events[i].data.ptr;
            struct connection *c = source->connection;

            if (source == &server->signals) return true;
            if (source == &server->listener)
                accept_clients(server);
            else if (source == &server->daemon)
                server->way->hear(server);
            else if (c->client.fd < 0)
                continue; /* closed by an event before this one */
            else if (source == &c->client && (events[i].events & (EPOLLHUP | EPOLLERR)) != 0)
                server_close(server, c);
            else if (c->in_flight > 0)
                (void)server_wait(server, c, 0, 0); /* what it says is read when it has its answer */
            else
                server_advance(server, c);
        }
        if (server->closed) server_free_closed(server);
    }
}
