/*
 * What the HTTP servers have in common, and what has nothing to do with files: one thread with an epoll(7) loop,
 * connections, reading request heads and writing response headers.
 *
 * A connection goes through the steps below, one request after the other. A step is tried again whenever something has
 * happened that the connection waits for.
 */
#ifndef SERVER_COMMON_H
#define SERVER_COMMON_H

#include <sendfiled.h>

#include "http_common.h"

enum step {
    STEP_READ_REQUEST, /* until its head is whole */
    STEP_OPEN_HOT,     /* if the file is in memory, the next two are its own */
    STEP_SEND_HOT,     /* until the socket has taken all of it, or the disk has the next bytes */
    STEP_HAND_OVER,    /* the rest of it to the daemon */
    STEP_ASK,          /* the daemon for the file */
    STEP_ANSWER,       /* of the daemon */
    STEP_WRITE_HEADER, /* until the socket has taken all of it */
    STEP_BEGIN_BODY,   /* if there is one */
    STEP_MOVE_BODY,    /* until it is over */
    STEP_WATCH_BODY,   /* which the daemon writes, until it is over */
    STEP_LINGER        /* the last response is out: until the client has hung up */
};

enum outcome {
    GO_ON, /* with the connection's step, which may be another one now */
    WAIT,  /* until what was asked of server_wait() has happened */
    CLOSE
};

struct connection;
struct server;

/* The steps in which the servers differ, and how each talks to the daemon. */
struct server_way {
    bool hot; /* what is in memory is served without the daemon, if the root is known */
    enum outcome (*ask)(struct server *server, struct connection *c);
    enum outcome (*begin_body)(struct server *server, struct connection *c);
    enum outcome (*move_body)(struct server *server, struct connection *c);

    bool (*connect)(struct server *server);                     /* false, with errno, if the daemon is not there */
    void (*disconnect)(struct server *server);                  /* for good */
    void (*hear)(struct server *server);                        /* the daemon's descriptor is ready */
    void (*leave)(struct server *server, struct connection *c); /* the client's socket is about to be closed */
    void (*tick)(struct server *server);                        /* each second; NULL: nothing is due */
};

/* Those of servers that ask by datagrams. */
#define SERVER_OF_DATAGRAMS                                                                                            \
    .hot = true, .connect = server_connect, .disconnect = server_disconnect, .hear = server_advance_waiting,           \
    .leave = server_end_transfer

/* The most requests of one client that are answered one after the other without a word of this program. */
enum { LINKED_MOST = 8 };

struct file;

/* A descriptor that is watched. */
struct source {
    int fd; /* -1: there is none */
    uint32_t watched;
    struct connection *connection; /* NULL: the server's own */
};

struct connection {
    enum step step;
    struct source client; /* the socket, non-blocking */

    struct source channel; /* the status channel of the transfer under way */
    struct sfd_events events;
    bool waits_for_daemon;

    struct sfd_hot_file file; /* all zeros: none is open here */
    struct sfd_hot_rest rest; /* of the response that is sent from here: its header, and the file */

    struct http_request request;
    struct http_response response;
    char head[8192]; /* the request, and what came behind it */
    size_t head_size, received;
    char header[HTTP_MAX_HEADER]; /* of the response */
    size_t header_size, written;

    /* Over a session: session_common.c */
    uint32_t destination;              /* the handle of the socket; 0: there is none */
    unsigned in_flight;                /* that the daemon has not completed; until then no step is taken */
    int error;                         /* the first one of those */
    struct file *sending[LINKED_MOST]; /* what they send, in order */
    unsigned linked, sent;             /* how many these are, and of them are complete */

    time_t deadline; /* of the client's next move, in seconds of CLOCK_MONOTONIC; 0: it is not its turn */
    struct connection *next;
};

struct server {
    struct source listener, signals, daemon;
    int epoll;
    const char *sockets, *name; /* of the daemon */
    struct sfd_hot_root *root;  /* its root; NULL: all files are asked for */
    int patience;               /* seconds */
    time_t now;
    const struct server_way *way;
    struct sfd_session *session; /* over which the daemon is asked; NULL: there is none */
    struct file *files[256];     /* that it has opened, by the hash of their path */
    struct connection *connections;
    bool closed;  /* some of them are */
    bool waiting; /* some of them for the daemon */
};

/* server_main_common.c */

/* A server's main(): listens on the loopback address until SIGTERM or SIGINT. Returns the exit status. */
int server_main(int argc, char **argv, const struct server_way *way);

/* server_common.c: the loop. */

/* Runs until SIGTERM or SIGINT. False, with errno, if it cannot go on. */
bool server_run(struct server *server);

/* Watches a descriptor for these events of epoll(7); 0: not any more. False, with errno, if that is impossible. */
bool server_watch(struct server *server, struct source *source, uint32_t events);

/* Lets a connection take its steps, until it has to wait. */
void server_advance(struct server *server, struct connection *c);

/* Those that wait for room in the daemon's queue try again. */
void server_advance_waiting(struct server *server);

/* Hangs up. The memory stays for server_free_closed(), as an event that is on its way may refer to it. */
void server_close(struct server *server, struct connection *c);
void server_free_closed(struct server *server);

/* connection_common.c: the steps that the servers have in common. */
enum outcome server_read_request(struct server *server, struct connection *c);
enum outcome server_write_header(struct server *server, struct connection *c);
enum outcome server_linger(struct server *server, struct connection *c);

/* Waits for EPOLLIN or EPOLLOUT of the two; always for the client's hanging up, and for its own move not for ever. */
enum outcome server_wait(struct server *server, struct connection *c, uint32_t client, uint32_t channel);

/* The answer is an error: next is its header. */
enum outcome server_refuse(struct server *server, struct connection *c, int status);

/* The next request of the client takes the place of this one, to be read. */
void server_forget_request(struct server *server, struct connection *c);

/* The response is out: next is another request, or the end. */
enum outcome server_finish(struct server *server, struct connection *c);

/* hot_common.c: the steps of what is in memory. */
bool server_open_root(struct server *server, const char *path);
enum outcome server_open_hot(struct server *server, struct connection *c);
enum outcome server_send_hot(struct server *server, struct connection *c);
enum outcome server_hand_over(struct server *server, struct connection *c);

/* transfer_common.c: talking to the daemon. */

/* Connects to it, also anew. False, with errno, if it is not there. */
bool server_connect(struct server *server);
void server_disconnect(struct server *server);

/*
 * A request to the daemon has failed with this errno: waits if the daemon's queue is full, connects anew if it has been
 * restarted, and else answers the client with an error.
 */
enum outcome server_ask_again(struct server *server, struct connection *c, int error);

/* A transfer has begun: takes its status channel. The daemon's answer is next. */
enum outcome server_begin_transfer(struct connection *c, int channel, enum sfd_events_of of);

/* The daemon's answer decides about the response: next is its header, or for a range another request to the daemon. */
enum outcome server_read_answer(struct server *server, struct connection *c);

/* STEP_WATCH_BODY: the daemon writes to the socket. */
enum outcome server_watch_body(struct server *server, struct connection *c);

/* Ends the transfer, if there is one: cancels it unless it is over, and closes its status channel. */
void server_end_transfer(struct server *server, struct connection *c);

#endif
