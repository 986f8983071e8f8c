/*
 * The socket of sessions; see session_socket.h.
 */
#include "process/session_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "sys/sys_setup.h"

/* Connections that wait to be accepted; more are refused with EAGAIN. */
#define BACKLOG 128

void sfd_session_socket_init(struct sfd_session_socket *s, const struct sfd_sys_setup *sys)
{
    *s = (struct sfd_session_socket){.sys = sys, .fd = -1};
}

static int hide_name(const char *path, char *out)
{
    const char *slash = strrchr(path, '/');
    const int directory = slash == NULL ? 0 : (int)(slash + 1 - path);
    const int n = snprintf(out, SFD_LANE_PATH_SIZE, "%.*s.%s", directory, path, path + directory);

    return n < 0 || n >= SFD_LANE_PATH_SIZE ? -ENAMETOOLONG : 0;
}

static int remove_stale(const struct sfd_sys_setup *sys, const char *path)
{
    struct stat st;
    const int result = sys->fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW);

    if (result < 0) return result == -ENOENT ? 0 : result;
    return S_ISSOCK(st.st_mode) ? sys->unlinkat(AT_FDCWD, path, 0) : -EEXIST;
}

/* Lets those in who can connect to the request socket: endpoint.c does the same there. */
static int widen(const struct sfd_session_socket *s, const struct sfd_endpoint_access *access)
{
    mode_t mode = access->mode;
    int result = 0;

    if (mode == 0600) return 0;
    if (mode == 0660)
        result = s->sys->fchownat(AT_FDCWD, s->hidden_path, (uid_t)-1, access->group, AT_SYMLINK_NOFOLLOW);
    if (result == -EPERM) mode = 0666; /* this user is not in that group: the credentials decide */
    if (result < 0 && result != -EPERM) return result;
    return s->sys->fchmodat(AT_FDCWD, s->hidden_path, mode);
}

static int bind_hidden(struct sfd_session_socket *s, const struct sfd_endpoint_access *access)
{
    const struct sfd_sys_setup *sys = s->sys;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat st;

    memcpy(address.sun_path, s->hidden_path, strlen(s->hidden_path) + 1);
    int result = remove_stale(sys, s->hidden_path);
    if (result == 0) result = sys->socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (result < 0) return result;
    s->fd = result;
    result = sys->fchmod(s->fd, 0600); /* before the bind: others can connect at no moment */
    if (result == 0) result = sys->bind(s->fd, (const struct sockaddr *)&address, sizeof address);
    if (result < 0) return result;
    s->hidden = true;
    result = sys->fstatat(AT_FDCWD, s->hidden_path, &st, AT_SYMLINK_NOFOLLOW);
    if (result == 0) result = widen(s, access);
    if (result == 0) result = sys->listen(s->fd, BACKLOG);
    if (result < 0) return result;
    s->dev = st.st_dev;
    s->ino = st.st_ino;
    return 0;
}

int sfd_session_socket_open(struct sfd_session_socket *s, const char *path, const struct sfd_endpoint_access *access)
{
    int result = sfd_session_path(path, s->path);

    if (result == 0) result = hide_name(s->path, s->hidden_path);
    if (result == 0) result = bind_hidden(s, access);
    if (result < 0) sfd_session_socket_close(s);
    return result;
}

int sfd_session_socket_claim(struct sfd_session_socket *s)
{
    char directory[SFD_LANE_PATH_SIZE];
    const char *slash = strrchr(s->path, '/');

    if (s->fd < 0 || s->named) return s->fd < 0 ? -ENOENT : 0;
    (void)snprintf(directory, sizeof directory, "%.*s/", slash == NULL ? 1 : (int)(slash - s->path),
                   slash == NULL ? "." : s->path);
    const int dir = s->sys->openat(AT_FDCWD, directory, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    if (dir < 0) return dir;
    const int result = s->sys->renameat(dir, s->hidden_path + (slash == NULL ? 0 : slash + 1 - s->path),
                                        s->path + (slash == NULL ? 0 : slash + 1 - s->path));
    s->sys->close(dir);
    if (result < 0) return result;
    s->hidden = false;
    s->named = true;
    return 0;
}

void sfd_session_socket_release(struct sfd_session_socket *s)
{
    s->named = false;
}

void sfd_session_socket_hide(struct sfd_session_socket *s)
{
    struct stat st;

    if (s->hidden) s->sys->unlinkat(AT_FDCWD, s->hidden_path, 0);
    if (s->named && s->sys->fstatat(AT_FDCWD, s->path, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == s->dev &&
        st.st_ino == s->ino)
        s->sys->unlinkat(AT_FDCWD, s->path, 0);
    s->hidden = s->named = false;
}

void sfd_session_socket_close(struct sfd_session_socket *s)
{
    sfd_session_socket_hide(s);
    if (s->fd >= 0) s->sys->close(s->fd);
    s->fd = -1;
}
