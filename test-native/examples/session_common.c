/*
 * The session of http_session_server.c: connecting, asking, and the files that the daemon has open for it.
 *
 * A file is kept open for a second or two, so that a busy server asks once for what it sends a thousand times. What
 * replaces it meanwhile is served from then on; the bytes that are sent belong to the size and the time that were told.
 */
#include "session_common.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

/*
 * Entries of both rings. Requests for clients have half of them, so that there always is room to release and withdraw.
 */
enum { RING = 4096, ARENA = 1024 * 1024, KEEP_S = 1 };

bool session_connect(struct server *server)
{
    const struct sfd_session_options options = {.submissions = RING, .completions = RING, .arena = ARENA};

    if (sfd_session_open(server->sockets, server->name, &options, &server->session) < 0) return false;
    server->daemon = (struct source){.fd = sfd_session_fd(server->session)};
    return server_watch(server, &server->daemon, EPOLLIN);
}

/* Those that were opened before. */
static void forget_files(struct server *server, time_t opened_before)
{
    for (size_t i = 0; i < sizeof server->files / sizeof *server->files; i++) {
        struct file *file = server->files[i];

        if (file == NULL || file->opened >= opened_before) continue;
        server->files[i] = NULL;
        session_put_file(server, file);
    }
}

/* All that was asked has ended with it, and no handle means anything. */
void session_disconnect(struct server *server)
{
    if (server->session != NULL) (void)server_watch(server, &server->daemon, 0);
    sfd_session_close(server->session);
    server->session = NULL;
    for (struct connection *c = server->connections; c != NULL; c = c->next) {
        for (; c->sent < c->linked; c->sent++)
            session_put_file(server, c->sending[c->sent]);
        c->in_flight = 0;
        c->destination = 0;
    }
    forget_files(server, server->now + 1);
}

int session_ask(struct server *server, struct connection *c, const struct sfd_session_request *requests, unsigned count)
{
    const struct sfd_session_request end = {.operation = SFD_SESSION_NOTHING};
    const int n = sfd_session_submit(server->session, requests, count);

    if (n > 0 && (unsigned)n < count) /* the arena is full: what comes next is not to be linked to the last one */
        (void)sfd_session_submit(server->session, &end, 1);
    if (n > 0) c->in_flight += (unsigned)n;
    return n;
}

bool session_has_room(const struct server *server)
{
    return sfd_session_in_flight(server->session) + LINKED_MOST <= RING / 2;
}

void session_release(struct server *server, uint32_t handle)
{
    const struct sfd_session_request release = {.operation = SFD_SESSION_RELEASE, .file = handle};

    if (server->session != NULL) (void)sfd_session_submit(server->session, &release, 1);
}

void session_forget_old_files(struct server *server)
{
    forget_files(server, server->now - KEEP_S);
}

/* The place of a path: FNV-1a. */
static struct file **place_of(struct server *server, const char *path)
{
    uint32_t hash = 2166136261u;

    for (; *path != '\0'; path++)
        hash = (hash ^ (unsigned char)*path) * 16777619u;
    return &server->files[hash % (sizeof server->files / sizeof *server->files)];
}

struct file *session_find_file(struct server *server, const char *path)
{
    struct file *file = *place_of(server, path);

    if (file == NULL || server->now - file->opened > KEEP_S) return NULL;
    return strcmp(file->path, path) == 0 ? file : NULL;
}

bool session_keep_file(struct server *server, const char *path, const struct sfd_session_completion *opened)
{
    const size_t size = strlen(path) + 1;
    struct file **place = place_of(server, path);
    struct file *file = malloc(sizeof *file + size);

    if (file == NULL) {
        session_release(server, opened->handle);
        return false;
    }
    *file = (struct file){.handle = opened->handle,
                          .users = 1,
                          .opened = server->now,
                          .size = opened->size,
                          .modified = (time_t)(opened->mtime_ns / 1000000000)};
    memcpy(file->path, path, size);
    if (*place != NULL) session_put_file(server, *place);
    *place = file;
    return true;
}

void session_put_file(struct server *server, struct file *file)
{
    if (--file->users > 0) return;
    session_release(server, file->handle);
    free(file);
}
