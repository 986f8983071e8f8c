/*
 * http_session_server: an HTTP/1.1 server for files which never touches a disk, over a session with the daemon. As
 * http_open_server, but what is asked and answered goes through memory that both share, and a file that many want is
 * opened once: the answer to such a request is one Send, of the header and the file behind it, which costs this program
 * no system call while the daemon is awake.
 *
 * The socket of each client is registered as a destination with its first request, and released when it goes. Requests
 * that a client has sent one behind the other are linked: the daemon answers them in their order without a word of this
 * program.
 *
 * One thread, which never blocks: clients and the session are watched by one epoll instance (server_common.h).
 */
#include "session_common.h"

#include <errno.h>

static struct sfd_session_request request_of(struct connection *c, enum sfd_session_operation operation)
{
    return (struct sfd_session_request){.operation = operation, .user_data = (uintptr_t)c};
}

/*
 * It is the daemon's turn. From now on the client's hanging up is noticed, also if its first request was there before
 * its connection was accepted. A client that is watched already stays so, for what it says too: that is a call less for
 * each request.
 */
static enum outcome await_daemon(struct server *server, struct connection *c)
{
    c->deadline = 0;
    return c->client.watched != 0 ? WAIT : server_wait(server, c, 0, 0);
}

/* Of the daemon, or of the session, before anything of the answer was sent. EAGAIN: there is no room now. */
static enum outcome refuse(struct server *server, struct connection *c, int error)
{
    if (error != EAGAIN && error != ENOTCONN) return server_refuse(server, c, http_status_of_errno(error));
    c->waits_for_daemon = server->waiting = true;
    return await_daemon(server, c);
}

/* The next request of the client is here, and its file is open: it is the connection's from now on. NULL: it is not. */
static struct file *take_next(struct server *server, struct connection *c)
{
    struct file *file;

    if (!c->request.keep_alive || c->received == c->head_size) return NULL;
    server_forget_request(server, c);
    if (server_read_request(server, c) != GO_ON || c->step != STEP_ASK) return NULL;
    file = session_find_file(server, c->request.path);
    if (file != NULL) http_select(&c->request, file->size, file->modified, &c->response);
    return file != NULL && http_has_body(&c->request, &c->response) ? file : NULL;
}

/* The answer to the connection's request, and to those behind it. */
static enum outcome send_files(struct server *server, struct connection *c, struct file *file)
{
    struct sfd_session_request sends[LINKED_MOST];
    char headers[LINKED_MOST][HTTP_MAX_HEADER];
    unsigned count = 0;
    int taken;

    while (file != NULL) {
        struct sfd_session_request *send = &sends[count];

        *send = request_of(c, SFD_SESSION_SEND);
        send->file = file->handle;
        send->destination = c->destination;
        send->head = headers[count];
        send->head_length = http_format(&c->request, &c->response, headers[count]);
        send->offset = (off_t)c->response.first;
        send->length = c->response.length;
        if (count > 0) sends[count - 1].flags = SFD_SESSION_LINK;
        c->sending[count++] = file;
        c->step = STEP_MOVE_BODY;
        file = count < LINKED_MOST ? take_next(server, c) : NULL;
    }
    c->linked = c->sent = 0;
    taken = session_ask(server, c, sends, count);
    for (; (int)c->linked < taken; c->linked++)
        c->sending[c->linked]->users++;
    return taken == (int)count ? await_daemon(server, c) : CLOSE;
}

/* Asks for what it takes to answer: the client's handle, then that of an open file; then answers. */
static enum outcome ask(struct server *server, struct connection *c)
{
    struct sfd_session_request open = request_of(c, SFD_SESSION_OPEN);
    struct file *file;

    if (server->session == NULL && !session_connect(server)) return server_refuse(server, c, 503);
    if (!session_has_room(server)) return refuse(server, c, EAGAIN);
    if (c->destination == 0) {
        if (sfd_session_register(server->session, SFD_SESSION_DESTINATION, c->client.fd, open.user_data) < 0)
            return refuse(server, c, errno);
        c->in_flight++;
        return await_daemon(server, c);
    }
    file = session_find_file(server, c->request.path);
    if (file == NULL) {
        open.path = c->request.path;
        const int taken = session_ask(server, c, &open, 1);

        return taken > 0 ? await_daemon(server, c) : refuse(server, c, taken == 0 ? EAGAIN : errno);
    }
    http_select(&c->request, file->size, file->modified, &c->response);
    if (http_has_body(&c->request, &c->response)) return send_files(server, c, file);
    c->step = STEP_WRITE_HEADER;
    return GO_ON;
}

/* Its socket is about to be closed: what is in flight ends, and its handle is free. */
static void leave(struct server *server, struct connection *c)
{
    struct sfd_session_request withdraw = {.operation = SFD_SESSION_WITHDRAW, .target = (uintptr_t)c};

    if (c->in_flight > 0 && server->session != NULL) (void)sfd_session_submit(server->session, &withdraw, 1);
    if (c->destination != 0) session_release(server, c->destination);
    c->destination = 0;
}

/* All that a connection has asked for is complete. */
static void go_on(struct server *server, struct connection *c, const struct sfd_session_completion *last)
{
    const bool sole =
        c->step == STEP_ASK || (c->step == STEP_MOVE_BODY && c->linked == 1); /* not the next one's step */
    const int error = c->error;

    c->error = 0;
    if (c->client.fd < 0) { /* the client has gone meanwhile */
        leave(server, c);
        server->closed = true;
    } else if (error != 0 && (!sole || last->moved > 0)) {
        server_close(server, c); /* the header has promised more */
    } else {
        if (error != 0) (void)refuse(server, c, error);
        server_advance(server, c);
    }
}

static void complete(struct server *server, const struct sfd_session_completion *done)
{
    struct connection *c = (struct connection *)(uintptr_t)done->user_data;

    if (c == NULL) return; /* a RELEASE or WITHDRAW */
    if (done->operation == SFD_SESSION_SEND) session_put_file(server, c->sending[c->sent++]);
    if (c->error == 0) c->error = (int)done->error;
    if (done->error == 0 && done->operation == SFD_SESSION_REGISTERED) c->destination = done->handle;
    if (done->error == 0 && done->operation == SFD_SESSION_OPEN && !session_keep_file(server, c->request.path, done))
        c->error = ENOMEM;
    if (--c->in_flight == 0) go_on(server, c, done);
}

/* The daemon has ended: with the next request another one may be there. */
static void lose_session(struct server *server)
{
    session_disconnect(server);
    for (struct connection *c = server->connections; c != NULL; c = c->next) {
        if (c->client.fd < 0)
            server->closed = true;
        else if (c->step == STEP_MOVE_BODY)
            server_close(server, c);
        else if (c->step == STEP_ASK)
            server_advance(server, c);
    }
}

static void hear(struct server *server)
{
    struct sfd_session_completion done[64];
    int count;

    while ((count = sfd_session_reap(server->session, done, sizeof done / sizeof *done)) > 0)
        for (int i = 0; i < count; i++)
            complete(server, &done[i]);
    if (count < 0) {
        lose_session(server);
    } else if (server->waiting) {
        server->waiting = false;
        server_advance_waiting(server);
    }
}

int main(int argc, char **argv)
{
    static const struct server_way way = {.ask = ask,
                                          .begin_body = server_finish, /* there is none: else it is the daemon's */
                                          .move_body = server_finish,
                                          .connect = session_connect,
                                          .disconnect = session_disconnect,
                                          .hear = hear,
                                          .leave = leave,
                                          .tick = session_forget_old_files};

    return server_main(argc, argv, &way);
}
