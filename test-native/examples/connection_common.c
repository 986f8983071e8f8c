/* The connections of server_common.h: the steps that have nothing to do with files. */
#include "server_common.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum outcome server_wait(struct server *server, struct connection *c, uint32_t client, uint32_t channel)
{
    if (client == 0)
        c->deadline = 0;
    else if (c->deadline == 0)
        c->deadline = server->now + server->patience;
    /*
     * The channel's hanging up is the daemon's last word, which can wait, and which epoll(7) would tell for ever: so
     * the channel is not watched at all while it is the client's turn. The client's hanging up is always of interest.
     */
    if (!server_watch(server, &c->channel, channel) || !server_watch(server, &c->client, client | EPOLLHUP))
        return CLOSE;
    return WAIT;
}

enum outcome server_refuse(struct server *server, struct connection *c, int status)
{
    server_end_transfer(server, c);
    c->header_size = 0; /* of the answer that it would have been */
    c->response.status = status;
    c->step = STEP_WRITE_HEADER;
    return GO_ON;
}

enum outcome server_read_request(struct server *server, struct connection *c)
{
    for (;;) {
        c->head_size = http_parse_request(c->head, c->received, &c->request);
        if (c->head_size == 0 && c->received == sizeof c->head) c->request = (struct http_request){.refusal = 431};
        if (c->head_size > 0 || c->request.refusal != 0) break;
        const ssize_t count = recv(c->client.fd, c->head + c->received, sizeof c->head - c->received, 0);

        if (count < 0 && errno == EAGAIN) return server_wait(server, c, EPOLLIN, 0);
        if (count <= 0) return CLOSE;
        c->received += (size_t)count;
    }
    c->deadline = 0;
    if (c->request.refusal != 0) return server_refuse(server, c, c->request.refusal);
    c->step = server->root != NULL ? STEP_OPEN_HOT : STEP_ASK;
    return GO_ON;
}

enum outcome server_write_header(struct server *server, struct connection *c)
{
    /* A small file travels in one packet with its header: the kernel waits for it, at most 0.2 s. tcp(7), TCP_CORK */
    const int more = http_has_body(&c->request, &c->response) ? MSG_MORE : 0;

    if (c->header_size == 0) c->header_size = http_format(&c->request, &c->response, c->header);
    while (c->written < c->header_size) {
        const ssize_t count = send(c->client.fd, c->header + c->written, c->header_size - c->written, more);

        if (count < 0) return errno == EAGAIN ? server_wait(server, c, EPOLLOUT, 0) : CLOSE;
        c->written += (size_t)count;
    }
    c->deadline = 0;
    c->step = STEP_BEGIN_BODY;
    return GO_ON;
}

void server_forget_request(struct server *server, struct connection *c)
{
    server_end_transfer(server, c);
    c->response = (struct http_response){.status = 0};
    c->rest = (struct sfd_hot_rest){.length = 0};
    c->header_size = 0;
    c->written = 0;
    c->deadline = 0;
    c->received -= c->head_size;
    memmove(c->head, c->head + c->head_size, c->received);
    c->step = STEP_READ_REQUEST;
}

enum outcome server_finish(struct server *server, struct connection *c)
{
    server_forget_request(server, c);
    if (c->request.keep_alive) {
        /*
         * First it is the others' turn: a client that is always quicker than this loop would keep it for itself. If the
         * next request is here already, no EPOLLIN will say so, but EPOLLOUT does as soon as it can be answered.
         */
        return server_wait(server, c, EPOLLIN | (c->received > 0 ? EPOLLOUT : 0), 0);
    }
    (void)shutdown(c->client.fd, SHUT_WR);
    c->step = STEP_LINGER;
    return GO_ON;
}

enum outcome server_linger(struct server *server, struct connection *c)
{
    ssize_t count;

    /*
     * To close a socket in which bytes have not been read resets the connection, and what the client has not read of
     * the response yet is lost: RFC 9112, 9.6.
     */
    do {
        count = recv(c->client.fd, c->head, sizeof c->head, 0);
    } while (count > 0);
    return count < 0 && errno == EAGAIN ? server_wait(server, c, EPOLLIN, 0) : CLOSE;
}
