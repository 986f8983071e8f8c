/*
 * The session of http_session_server.c: one for all of its clients, and the files that the daemon has open for it.
 */
#ifndef SESSION_COMMON_H
#define SESSION_COMMON_H

#include "server_common.h"

/* An open file, for a second or two. */
struct file {
    uint32_t handle;
    unsigned users; /* of which the table is one */
    time_t opened;  /* in seconds of CLOCK_MONOTONIC */
    uint64_t size;
    time_t modified;
    char path[];
};

bool session_connect(struct server *server);
void session_disconnect(struct server *server);

/* Whether a connection may ask for something now. */
bool session_has_room(const struct server *server);

/*
 * Asks for what is the connection's. Returns how many of the requests were taken: fewer, and the last one's link leads
 * nowhere, if the arena is full; or -1, with errno.
 */
int session_ask(struct server *server, struct connection *c, const struct sfd_session_request *requests,
                unsigned count);

/* What a handle stands for is needed no more. For this there always is room. */
void session_release(struct server *server, uint32_t handle);

/* The open file of a path; NULL: there is none, or it was opened too long ago. Borrowed. */
struct file *session_find_file(struct server *server, const char *path);

/* Keeps a file that was opened. False: there is no memory. */
bool session_keep_file(struct server *server, const char *path, const struct sfd_session_completion *opened);

/* Forgets the files that were opened too long ago: one that was removed is not to keep its disk's space. */
void session_forget_old_files(struct server *server);

/* Ends a use. */
void session_put_file(struct server *server, struct file *file);

#endif
