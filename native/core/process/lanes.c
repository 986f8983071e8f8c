/*
 * The lanes of one instance; see lanes.h.
 */
#include "process/lanes.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "sys/sys_setup.h"

#define ACL_ATTRIBUTE "system.posix_acl_access"

/* One entry as the kernel takes it, little-endian: linux/posix_acl_xattr.h, which C libraries do not install. */
struct acl_entry {
    uint16_t tag;
    uint16_t permissions;
    uint32_t id;
};

struct acl {
    uint32_t version;
    struct acl_entry entries[5];
};

_Static_assert(sizeof(struct acl) == 44, "an attribute has no padding");

enum { ACL_VERSION = 2, OWNER = 0x01, USER = 0x02, GROUP = 0x04, MASK = 0x10, OTHER = 0x20, NOBODY = -1 };
enum { NONE = 0, READ_AND_WRITE = 6 };

static struct acl_entry entry(uint16_t tag, uint16_t permissions, uint32_t id)
{
    return (struct acl_entry){.tag = htole16(tag), .permissions = htole16(permissions), .id = htole32(id)};
}

/* Lets the user in whose lane it is; the owner, and root, can connect anyway. */
static int admit(const struct sfd_sys_setup *sys, const char *path, uint32_t uid, uint32_t owner)
{
    const struct acl acl = {
        .version = htole32(ACL_VERSION),
        .entries =
            {
                entry(OWNER, READ_AND_WRITE, (uint32_t)NOBODY),
                entry(USER, READ_AND_WRITE, uid),
                entry(GROUP, NONE, (uint32_t)NOBODY),
                entry(MASK, READ_AND_WRITE, (uint32_t)NOBODY),
                entry(OTHER, NONE, (uint32_t)NOBODY),
            },
    };

    return uid == owner || uid == 0 ? 0 : sys->lsetxattr(path, ACL_ATTRIBUTE, &acl, sizeof acl);
}

void sfd_lanes_init(struct sfd_lanes *lanes, const struct sfd_sys_setup *sys)
{
    lanes->sys = sys;
    lanes->count = 0;
}

static int remove_stale(const struct sfd_sys_setup *sys, const char *path, uint32_t owner)
{
    struct stat st;
    const int result = sys->fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW);

    if (result < 0) return result == -ENOENT ? 0 : result;
    if (!S_ISSOCK(st.st_mode) || st.st_uid != owner) return -EEXIST;
    return sys->unlinkat(AT_FDCWD, path, 0);
}

/* Whether a name in the directory is that of a lane of `own`, which is the name of one of ours. */
static bool is_sibling(const char *name, const char *own)
{
    const char *const suffix = strrchr(own, '.');
    const char *uid = suffix;

    while (uid[-1] != '.')
        uid--;
    const size_t before = (size_t)(uid - own);
    if (strncmp(name, own, before) != 0) return false;
    const size_t digits = strspn(name + before, "0123456789");
    return digits > 0 && strcmp(name + before + digits, suffix) == 0;
}

/* Removes lanes of an instance of this name that was killed, whose users may not be the ones of now. */
static void remove_all_stale(const struct sfd_sys_setup *sys, const char *path, uint32_t owner)
{
    char lane[SFD_LANE_PATH_SIZE];
    const struct dirent *found;

    if (sfd_lane_path(path, 0, lane) < 0) return;
    char *const slash = strrchr(lane, '/');
    if (slash == NULL) return;
    *slash = '\0';
    DIR *const directory = opendir(slash == lane ? "/" : lane);
    if (directory == NULL) return; /* no client connects to them */
    while ((found = readdir(directory)) != NULL) {
        struct stat st;
        if (is_sibling(found->d_name, slash + 1) &&
            sys->fstatat(dirfd(directory), found->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(st.st_mode) &&
            st.st_uid == owner)
            sys->unlinkat(dirfd(directory), found->d_name, 0);
    }
    closedir(directory);
}

/* Binds lane number `count`, which closes what is left of it if this fails. */
static int bind_lane(struct sfd_lanes *lanes, uint32_t uid, uint32_t owner)
{
    const struct sfd_sys_setup *sys = lanes->sys;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = lanes->lane[lanes->count].path;
    const int on = 1;
    struct stat st;

    memcpy(address.sun_path, path, strlen(path) + 1);
    int result = remove_stale(sys, path, owner);
    if (result < 0) return result;
    const int fd = sys->socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return fd;
    lanes->lane[lanes->count].fd = fd;
    lanes->lane[lanes->count].named = false;
    result = sys->setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
    if (result == 0) result = sys->fchmod(fd, 0600); /* before the bind: others can connect at no moment */
    if (result == 0) result = sys->bind(fd, (const struct sockaddr *)&address, sizeof address);
    if (result < 0) goto fail;
    result = admit(sys, path, uid, owner);
    if (result == 0) result = sys->fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW);
    if (result < 0) {
        sys->unlinkat(AT_FDCWD, path, 0);
        goto fail;
    }
    lanes->lane[lanes->count].uid = uid;
    lanes->lane[lanes->count].dev = st.st_dev;
    lanes->lane[lanes->count].ino = st.st_ino;
    lanes->lane[lanes->count].named = true;
    lanes->count++;
    return 0;
fail:
    sys->close(fd);
    return result;
}

int sfd_lanes_open(struct sfd_lanes *lanes, const char *path, const struct sfd_lane_users *users)
{
    uid_t real;
    uid_t owner;
    uid_t saved;
    const int result = lanes->sys->getresuid(&real, &owner, &saved);

    if (result < 0) return result;
    remove_all_stale(lanes->sys, path, owner);
    return sfd_lanes_add(lanes, path, users);
}

static bool has_lane(const struct sfd_lanes *lanes, uint32_t uid)
{
    for (uint32_t i = 0; i < lanes->count; i++)
        if (lanes->lane[i].uid == uid) return true;
    return false;
}

int sfd_lanes_add(struct sfd_lanes *lanes, const char *path, const struct sfd_lane_users *users)
{
    uid_t real;
    uid_t owner;
    uid_t saved;
    int first_error = lanes->sys->getresuid(&real, &owner, &saved);

    for (uint32_t i = 0; i < users->count && first_error != -E2BIG; i++) {
        int result = -E2BIG;
        if (has_lane(lanes, users->uids[i])) continue;
        if (lanes->count < SFD_LANES_MAX) result = sfd_lane_path(path, users->uids[i], lanes->lane[lanes->count].path);
        if (result == 0) result = bind_lane(lanes, users->uids[i], owner);
        if (result < 0 && (first_error == 0 || result == -E2BIG)) first_error = result;
    }
    return first_error;
}

int sfd_lanes_inherit(struct sfd_lanes *lanes, const char *path, uint32_t uid, int fd, dev_t dev, ino_t ino)
{
    const uint32_t n = lanes->count;
    const int result = n == SFD_LANES_MAX ? -E2BIG : sfd_lane_path(path, uid, lanes->lane[n].path);

    if (result < 0) {
        lanes->sys->close(fd);
        return result;
    }
    lanes->lane[n].uid = uid;
    lanes->lane[n].fd = fd;
    lanes->lane[n].named = false;
    lanes->lane[n].dev = dev;
    lanes->lane[n].ino = ino;
    lanes->count++;
    return 0;
}

void sfd_lanes_claim(struct sfd_lanes *lanes)
{
    for (uint32_t i = 0; i < lanes->count; i++)
        lanes->lane[i].named = true;
}

void sfd_lanes_release(struct sfd_lanes *lanes)
{
    for (uint32_t i = 0; i < lanes->count; i++)
        lanes->lane[i].named = false;
}

void sfd_lanes_hide(struct sfd_lanes *lanes)
{
    struct stat st;

    for (uint32_t i = 0; i < lanes->count; i++) {
        if (!lanes->lane[i].named) continue;
        lanes->lane[i].named = false;
        if (lanes->sys->fstatat(AT_FDCWD, lanes->lane[i].path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            st.st_dev == lanes->lane[i].dev && st.st_ino == lanes->lane[i].ino)
            lanes->sys->unlinkat(AT_FDCWD, lanes->lane[i].path, 0);
    }
}

void sfd_lanes_close(struct sfd_lanes *lanes)
{
    sfd_lanes_hide(lanes);
    for (uint32_t i = 0; i < lanes->count; i++)
        lanes->sys->close(lanes->lane[i].fd);
    lanes->count = 0;
}
