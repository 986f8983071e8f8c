/*
 * http_open_server: an HTTP/1.1 server for files which never touches a disk, and none of the files' bytes either.
 *
 * Each request is an Open File, which tells the size; then comes the header, which this program writes itself; then a
 * Send Open File, with which the daemon writes the body straight into the client's socket. So a file on a disk that
 * does not answer keeps nobody waiting but who asked for it.
 *
 * One thread, which never blocks: clients, status channels and the daemon's queue of requests are all watched by one
 * epoll instance (server_common.h). While the daemon has a socket, nothing is written to it here.
 */
#include "server_common.h"

#include <errno.h>

/* Open File: the whole file first, as only that tells its size, by which a range can be judged. */
static enum outcome open_file(struct server *server, struct connection *c)
{
    const struct http_response *part = &c->response; /* all zeros at first, which is the whole */
    const int channel = sfd_open(server->daemon.fd, c->request.path, (off_t)part->first, part->length, true);

    if (channel < 0) return server_ask_again(server, c, errno);
    return server_begin_transfer(c, channel, SFD_EVENTS_OF_SEND);
}

/* Send Open File: the header is in the socket, and from now on the socket is the daemon's. */
static enum outcome send_file(struct server *server, struct connection *c)
{
    if (!http_has_body(&c->request, &c->response)) return server_finish(server, c);
    if (!sfd_send_open(server->daemon.fd, sfd_events_txnid(&c->events), c->client.fd))
        return server_ask_again(server, c, errno);
    c->step = STEP_MOVE_BODY;
    return GO_ON;
}

int main(int argc, char **argv)
{
    static const struct server_way way = {SERVER_OF_DATAGRAMS, .ask = open_file, .begin_body = send_file,
                                          .move_body = server_watch_body};

    return server_main(argc, argv, &way);
}
