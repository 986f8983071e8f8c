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

/*
 * In a directory to which others may write (sticky, as /tmp) anybody can make a socket of that name. One that belongs
 * to the request socket's owner is as trustworthy as that is.
 */
static bool have_one_owner(const char *path, const char *lane)
{
    struct stat of_path;
    struct stat of_lane;

    return sfd_sys_setup_linux.fstatat(AT_FDCWD, lane, &of_lane, AT_SYMLINK_NOFOLLOW) == 0 &&
           sfd_sys_setup_linux.fstatat(AT_FDCWD, path, &of_path, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISSOCK(of_lane.st_mode) && S_ISSOCK(of_path.st_mode) && of_lane.st_uid == of_path.st_uid;
}

int sfd_lane_connect(int socket, const char *path)
{
    char lane[SFD_LANE_PATH_SIZE];
    uid_t real;
    uid_t effective;
    uid_t saved;

    if (sfd_sys_setup_linux.getresuid(&real, &effective, &saved) == 0 && sfd_lane_path(path, effective, lane) == 0 &&
        have_one_owner(path, lane) && sfd_sys_unix_connect(socket, lane) == 0)
        return 0;
    return sfd_sys_unix_connect(socket, path); /* also where a lane is left of a daemon that was killed */
}
