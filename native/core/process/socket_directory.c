/*
 * The directory of the request socket: made, given away, chosen; see socket_directory.h. Owns descriptors for the
 * duration of a call.
 */
#include "process/socket_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/un.h>
#include <unistd.h>

#include "process/endpoint.h"
#include "sys/sys_setup.h"

static int refuse(struct sfd_place *out, int result, const char *what)
{
    char text[SFD_PLACE_REASON_SIZE / 2];

    return sfd_place_refuse(out, -result, "%s: %s", what, strerror_r(-result, text, sizeof text));
}

/* ---- made by root ------------------------------------------------------------------------------------------------ */

/*
 * Makes a directory of this user's if it is missing, and opens it, whoever's it is. Below root's directories only: so
 * what has been made is what is opened.
 */
static int make_and_open(const struct sfd_place_rule *rule, const char *path, struct sfd_place *out)
{
    const int made = rule->sys->mkdir(path, 0755);
    const int fd = rule->sys->openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);

    if (fd == -ENOTDIR || fd == -ELOOP) return sfd_place_refuse(out, ENOTDIR, "%s is not a directory", path);
    /* mkdir(2) on a read-only file system gives EROFS also for a directory that exists. */
    if (fd < 0) return refuse(out, made < 0 && made != -EEXIST ? made : fd, "cannot be made");
    int result = made < 0 ? 0 : rule->sys->fchmod(fd, 0755); /* whatever the umask is */
    if (result == 0) return fd;
    rule->sys->close(fd);
    return refuse(out, result, "cannot be made");
}

/* The lock of an instance of that name: 0 if it is free, and kept in *lock (-1: there is none); else -EADDRINUSE. */
static int lock_instance(const struct sfd_place_rule *rule, int dir, const char *file, int *lock)
{
    const int fd = rule->sys->openat(dir, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);

    *lock = -1;
    if (fd < 0) return 0; /* missing, or a link: no instance has that */
    if (rule->sys->flock(fd, LOCK_EX | LOCK_NB) < 0) {
        rule->sys->close(fd);
        return -EADDRINUSE;
    }
    *lock = fd;
    return 0;
}

/*
 * Gives away `dir`, which is another user's, or root's. First the directory: from then on its former owner can put
 * nothing into it. Then lock and socket of a killed instance go, which the new owner can neither open nor try.
 */
static int give(const struct sfd_place_rule *rule, int dir, const char *name, uid_t uid, gid_t gid,
                struct sfd_place *out)
{
    char file[SFD_ENDPOINT_FILE_MAX];
    int lock;

    (void)snprintf(file, sizeof file, "sendfiled.%s.lock", name);
    if (lock_instance(rule, dir, file, &lock) < 0)
        return sfd_place_refuse(out, EADDRINUSE, "an instance of that name runs as another user");
    int result = rule->sys->fchown(dir, uid, gid);
    if (result == 0) result = rule->sys->fchmod(dir, 0755);
    if (result == 0) (void)rule->sys->unlinkat(dir, file, 0);
    (void)snprintf(file, sizeof file, "sendfiled.%s.socket", name);
    if (result == 0) (void)rule->sys->unlinkat(dir, file, 0);
    if (lock >= 0) rule->sys->close(lock);
    return result < 0 ? refuse(out, result, "cannot be given to the daemon's user") : 0;
}

/* Takes `dir`. */
static int give_if_foreign(const struct sfd_place_rule *rule, int dir, const char *name, uid_t uid, gid_t gid,
                           struct sfd_place *out)
{
    struct stat st;
    int result = rule->sys->fstat(dir, &st);

    if (result < 0)
        result = refuse(out, result, "cannot be examined");
    else if (st.st_uid != uid)
        result = give(rule, dir, name, uid, gid, out);
    rule->sys->close(dir);
    return result;
}

int sfd_socket_directory_make(const struct sfd_place_rule *rule, const char *name, uid_t uid, gid_t gid,
                              struct sfd_place *out)
{
    char system[SFD_PLACE_PATH_SIZE];
    char socket[sizeof(((struct sockaddr_un *)0)->sun_path)];
    int result;

    *out = (struct sfd_place){.error = 0};
    (void)sfd_place_directory(rule, SFD_PLACE_SYSTEM, name, system, sizeof system);
    const int cut = sfd_place_directory(rule, SFD_PLACE_INSTANCE, name, out->path, sizeof out->path);
    if (sfd_place_check_name(name) < 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return sfd_place_refuse(out, EINVAL, "no directory has such a name");
    if (cut < 0 || sfd_place_socket(out->path, name, socket, sizeof socket) < 0)
        return sfd_place_refuse(out, ENAMETOOLONG, "too long for a socket, %zu bytes", sizeof socket - 1);

    int parent = make_and_open(rule, system, out);
    if (parent < 0) return parent;
    rule->sys->close(parent);
    parent = sfd_place_open_roots(rule, out);
    if (parent < 0) return parent;
    rule->sys->close(parent);

    const int dir = make_and_open(rule, out->path, out);
    result = dir < 0 ? dir : give_if_foreign(rule, dir, name, uid, gid, out);
    if (result < 0) return result;
    result = sfd_place_open(rule, SFD_PLACE_INSTANCE, name, out); /* others may still write to it, if it was UID's */
    if (result < 0) return result;
    rule->sys->close(result);
    return 0;
}

/* ---- chosen ------------------------------------------------------------------------------------------------------ */

/* Whether this process can have its socket there. 0, or -errno with error and reason set. */
static int try_place(const struct sfd_place_rule *rule, enum sfd_place_kind kind, const char *name,
                     struct sfd_place *out)
{
    char socket[sizeof(((struct sockaddr_un *)0)->sun_path)];
    const bool root = rule->uid == rule->root;

    *out = (struct sfd_place){.error = 0};
    if (kind == SFD_PLACE_INSTANCE && root)
        return sfd_socket_directory_make(rule, name, rule->uid, (gid_t)-1 /* as it is */, out);
    if (sfd_place_directory(rule, kind, name, out->path, sizeof out->path) < 0 ||
        sfd_place_socket(out->path, name, socket, sizeof socket) < 0)
        return sfd_place_refuse(out, ENAMETOOLONG, "too long for a socket, %zu bytes", sizeof socket - 1);
    if (kind == SFD_PLACE_GIVEN) return 0; /* the start of the endpoint examines it */
    if (kind == SFD_PLACE_RUNTIME && root) return sfd_place_refuse(out, EPERM, "is a session's, and ends with it");
    if (kind == SFD_PLACE_SYSTEM || kind == SFD_PLACE_PRIVATE) (void)rule->sys->mkdir(out->path, 0700);

    const int fd = sfd_place_open(rule, kind, name, out);
    if (fd < 0) return fd;
    const int result = rule->sys->may_make(fd);
    rule->sys->close(fd);
    return result < 0 ? sfd_place_refuse(out, -result, "this user may not make a socket there") : 0;
}

int sfd_socket_directory_choose(const struct sfd_place_rule *rule, const char *name,
                                struct sfd_place places[SFD_PLACES_MAX], unsigned *count)
{
    enum sfd_place_kind kinds[SFD_PLACES_MAX];
    int result = sfd_place_check_name(name);

    *count = 0;
    if (result < 0) return result;
    const unsigned all = sfd_place_kinds(rule, kinds);
    do {
        result = try_place(rule, kinds[*count], name, &places[*count]);
        ++*count;
    } while (result < 0 && *count < all);
    return result;
}
