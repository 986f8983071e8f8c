/*
 * Lanes: their names, and the rule of clients.
 */
#include "base/lane.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "sys/sys.h"
#include "sys/sys_setup.h"

#define SOCKET_SUFFIX ".socket"

int sfd_lane_path(const char *path, uint32_t uid, char *out)
{
    const size_t length = strlen(path);
    const size_t suffix = strlen(SOCKET_SUFFIX);

    if (length <= suffix || strcmp(path + length - suffix, SOCKET_SUFFIX) != 0) return -EINVAL;
    if (length >= SFD_LANE_PATH_SIZE) return -ENAMETOOLONG;
    const int n = snprintf(out, SFD_LANE_PATH_SIZE, "%.*s.%u.lane", (int)(length - suffix), path, uid);
    return n < 0 || n >= SFD_LANE_PATH_SIZE ? -ENAMETOOLONG : 0;
}

int sfd_session_path(const char *path, char *out)
{
    const size_t length = strlen(path);
    const size_t suffix = strlen(SOCKET_SUFFIX);

    if (length <= suffix || strcmp(path + length - suffix, SOCKET_SUFFIX) != 0) return -EINVAL;
    const int n = snprintf(out, SFD_LANE_PATH_SIZE, "%.*s.session", (int)(length - suffix), path);
    return n < 0 || n >= SFD_LANE_PATH_SIZE ? -ENAMETOOLONG : 0;
}

static bool own(const char *path, mode_t type, uid_t *owner)
{
    struct stat st;

    if (sfd_sys_setup_linux.fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || (st.st_mode & S_IFMT) != type)
        return false;
    *owner = st.st_uid;
    return true;
}

/*
 * In a directory to which others may write (sticky, as /tmp) anybody can make a socket of that name. One that belongs
 * to the request socket's owner is as trustworthy as that is; and so is one of the directory's owner, who can replace
 * the request socket (which is root's where systemd has made it).
 */
static bool is_trustworthy(const char *path, const char *lane)
{
    char directory[SFD_LANE_PATH_SIZE];
    const char *slash = strrchr(path, '/');
    uid_t of_lane;
    uid_t of_path;
    uid_t of_directory;

    (void)snprintf(directory, sizeof directory, "%.*s/.", slash == NULL ? 1 : (int)(slash - path),
                   slash == NULL ? "." : path);
    return own(lane, S_IFSOCK, &of_lane) && own(path, S_IFSOCK, &of_path) &&
           (of_lane == of_path || (own(directory, S_IFDIR, &of_directory) && of_lane == of_directory));
}

int sfd_lane_connect(int socket, const char *path)
{
    char lane[SFD_LANE_PATH_SIZE];
    uid_t real;
    uid_t effective;
    uid_t saved;

    if (sfd_sys_setup_linux.getresuid(&real, &effective, &saved) == 0 && sfd_lane_path(path, effective, lane) == 0 &&
        is_trustworthy(path, lane) && sfd_sys_unix_connect(socket, lane) == 0)
        return 0;
    return sfd_sys_unix_connect(socket, path); /* also where a lane is left of a daemon that was killed */
}

int sfd_session_connect(int socket, const char *path)
{
    char session[SFD_LANE_PATH_SIZE];
    const int result = sfd_session_path(path, session);

    if (result < 0) return result;
    return is_trustworthy(path, session) ? sfd_sys_unix_connect(socket, session) : -ENOENT;
}
