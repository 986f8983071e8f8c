/*
 * The request socket and the instance lock; see endpoint.h. Owns what struct sfd_endpoint holds.
 */
#include "process/endpoint.h"

#include "sys/sys_setup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <unistd.h>

#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76 /* asm-generic/socket.h of Linux 6.5 */
#endif

/* The inode number of the initial pid namespace: PROC_PID_INIT_INO, include/linux/proc_ns.h. */
#define INITIAL_PID_NAMESPACE "pid:[4026531836]"

/* Tries to lock. The last owner may remove the lock file between our open and our flock, but not so often by chance. */
enum { LOCK_ATTEMPTS = 16 };

void sfd_endpoint_init(struct sfd_endpoint *e)
{
    *e = (struct sfd_endpoint){
        .fd = -1,
        .dir_fd = -1,
        .lock_fd = -1,
        .dir_lock_fd = -1,
        .watch_fd = -1,
        .sys = &sfd_sys_setup_linux,
    };
}

static int file_name(char *out, const char *prefix, const char *name, const char *suffix)
{
    const int n = snprintf(out, SFD_ENDPOINT_FILE_MAX, "%s.%s.%s", prefix, name, suffix);
    return n < 0 || (size_t)n >= SFD_ENDPOINT_FILE_MAX ? -ENAMETOOLONG : 0;
}

static int set_names(struct sfd_endpoint *e, const char *name)
{
    if (name[0] == '\0' || strchr(name, '/') != NULL) return -EINVAL;
    int result = file_name(e->socket_file, "sendfiled", name, "socket");
    if (result == 0) result = file_name(e->spare_file, ".sendfiled", name, "spare");
    return result < 0 ? result : file_name(e->lock_file, "sendfiled", name, "lock");
}

static int socket_address(struct sockaddr_un *out, const char *dir, const char *file)
{
    memset(out, 0, sizeof *out);
    out->sun_family = AF_UNIX;
    const size_t length = strlen(dir);
    const char *separator = length > 0 && dir[length - 1] == '/' ? "" : "/";
    const int n = snprintf(out->sun_path, sizeof out->sun_path, "%s%s%s", dir, separator, file);
    return n < 0 || (size_t)n >= sizeof out->sun_path ? -ENAMETOOLONG : 0;
}

/*
 * A user who may write to the directory can replace our socket with another one. The groups of root and our own are
 * trusted: a umask of 002 makes directories that the user's own group may write to. Not our own if others may connect
 * (`shared`): they may be in it, and are not to receive each other's requests.
 */
static int check_dir(const struct sfd_sys_setup *sys, int fd, bool shared)
{
    uid_t ruid;
    uid_t euid;
    uid_t suid;
    gid_t rgid;
    gid_t egid;
    gid_t sgid;
    struct stat st;
    int result = sys->fstat(fd, &st);
    if (result == 0) result = sys->getresuid(&ruid, &euid, &suid);
    if (result == 0) result = sys->getresgid(&rgid, &egid, &sgid);
    if (result < 0) return result;
    if (st.st_uid != 0 && st.st_uid != euid) return -EPERM;
    const mode_t foreign = S_IWOTH | (st.st_gid == 0 || (st.st_gid == egid && !shared) ? 0U : S_IWGRP);
    return (st.st_mode & foreign) != 0 && (st.st_mode & S_ISVTX) == 0 ? -EPERM : 0;
}

static int open_dir(const struct sfd_sys_setup *sys, const char *dir, mode_t mode)
{
    const int made = sys->mkdir(dir, mode);
    const int fd = sys->openat(AT_FDCWD, dir, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    if (fd < 0) {
        /*
         * mkdir gives EROFS or EACCES for a read-only or foreign parent even if the directory exists: openat decides.
         */
        return fd == -ENOENT && made < 0 && made != -EEXIST ? made : fd;
    }
    const int result = check_dir(sys, fd, mode != 0700);
    if (result < 0) {
        sys->close(fd);
        return result;
    }
    return fd;
}

/* Whether the locked descriptor is still the file of that name: its last owner may have removed it meanwhile. */
static int is_current(const struct sfd_endpoint *e, int fd)
{
    struct stat opened;
    struct stat named;
    int result = e->sys->fstat(fd, &opened);
    if (result < 0) return result;
    if (!S_ISREG(opened.st_mode)) return -EEXIST;
    result = e->sys->fstatat(e->dir_fd, e->lock_file, &named, AT_SYMLINK_NOFOLLOW);
    if (result == -ENOENT) return 0;
    if (result < 0) return result;
    return opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

static int take_lock(struct sfd_endpoint *e)
{
    for (int attempt = 0; attempt < LOCK_ATTEMPTS; attempt++) {
        /* O_NONBLOCK: a FIFO of that name must not hold up the start. */
        const int fd =
            e->sys->openat(e->dir_fd, e->lock_file, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
        if (fd < 0) return fd == -ELOOP ? -EEXIST : fd;
        int result = e->sys->flock(fd, LOCK_EX | LOCK_NB);
        if (result == 0) result = is_current(e, fd);
        if (result > 0) {
            e->lock_fd = fd;
            return 0;
        }
        e->sys->close(fd);
        if (result < 0) return result == -EWOULDBLOCK ? -EADDRINUSE : result;
    }
    return -EAGAIN;
}

static int write_pid(const struct sfd_endpoint *e)
{
    char text[24];
    const int length = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    int result = e->sys->ftruncate(e->lock_fd, 0);
    if (result < 0) return result;
    const ssize_t n = e->sys->pwrite(e->lock_fd, text, (size_t)length, 0);
    return n < 0 ? (int)n : n == length ? 0 : -EIO;
}

/*
 * Under the lock no instance of ours serves that name, but the original sendfiled knows no lock, and a cleaner of /tmp
 * may have removed our lock: a socket to which one can connect is in use. connect(2) alone sends nothing.
 */
static int remove_stale(const struct sfd_endpoint *e, const struct sockaddr_un *address)
{
    struct stat st;
    int result = e->sys->fstatat(e->dir_fd, e->socket_file, &st, AT_SYMLINK_NOFOLLOW);
    if (result < 0) return result == -ENOENT ? 0 : result;
    if (!S_ISSOCK(st.st_mode)) return -EEXIST;
    const int probe = e->sys->socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0) return probe;
    result = e->sys->connect(probe, (const struct sockaddr *)address, sizeof *address);
    e->sys->close(probe);
    if (result == 0 || result == -EPROTOTYPE) return -EADDRINUSE;
    if (result != -ECONNREFUSED) return result == -ENOENT ? 0 : result;
    result = e->sys->unlinkat(e->dir_fd, e->socket_file, 0);
    return result == -ENOENT ? 0 : result;
}

/* All processes are in the initial pid namespace, or below it. False also when /proc does not tell where we are. */
static bool sees_all_processes(const struct sfd_sys_setup *sys)
{
    char name[sizeof INITIAL_PID_NAMESPACE];
    const ssize_t length = sys->readlink("/proc/self/ns/pid", name, sizeof name);
    return length == (ssize_t)strlen(INITIAL_PID_NAMESPACE) && memcmp(name, INITIAL_PID_NAMESPACE, (size_t)length) == 0;
}

static int bind_socket(struct sfd_endpoint *e, const struct sockaddr_un *address)
{
    const int fd = e->sys->socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return fd;
    e->fd = fd;
    const int on = 1;
    int result = e->sys->setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
    if (result < 0) return result;
    /*
     * bind(2) makes the name with the mode of the socket's inode less the umask (unix_bind, net/unix/af_unix.c): the
     * mode is set before bind, so that others can send at no moment, and the process-wide umask stays as it is.
     */
    result = e->sys->fchmod(fd, 0600);
    if (result < 0) return result;
    result = e->sys->bind(fd, (const struct sockaddr *)address, sizeof *address);
    if (result < 0) return result;
    /* A umask such as 0277 has removed the owner's bits: set them again. */
    struct stat st;
    result = e->sys->fstatat(e->dir_fd, e->socket_file, &st, AT_SYMLINK_NOFOLLOW);
    if (result == 0 && S_ISSOCK(st.st_mode) && (st.st_mode & 0777) != 0600)
        result = e->sys->fchmodat(e->dir_fd, e->socket_file, 0600);
    if (result < 0) {
        e->sys->unlinkat(e->dir_fd, e->socket_file, 0);
        return result;
    }
    e->socket_dev = st.st_dev;
    e->socket_ino = st.st_ino;
    e->named = true;
    return 0;
}

/* Of a socket that somebody else has bound: whether clients can find it. */
static int find_name(const struct sfd_endpoint *e)
{
    struct stat st;
    const int result = e->sys->fstatat(e->dir_fd, e->socket_file, &st, AT_SYMLINK_NOFOLLOW);

    return result < 0 ? result : S_ISSOCK(st.st_mode) ? 0 : -EEXIST;
}

/* Lets others connect. Nobody can while the group changes: the socket still has mode 0600. */
static int widen(const struct sfd_endpoint *e, const struct sfd_endpoint_access *access)
{
    mode_t mode = access->mode;
    int result = 0;

    if (mode == 0660) {
        result = e->sys->fchownat(e->dir_fd, e->socket_file, (uid_t)-1, access->group, AT_SYMLINK_NOFOLLOW);
        if (result == -EPERM)
            mode = 0666; /* this user is not in that group: the credentials of each datagram decide */
        else if (result < 0)
            return result;
    }
    return mode == 0600 ? 0 : e->sys->fchmodat(e->dir_fd, e->socket_file, mode);
}

/* ---- that the name stays ---------------------------------------------------------------------------------------- */

static bool is_our_socket(const struct sfd_endpoint *e, const struct stat *st)
{
    return st->st_dev == e->socket_dev && st->st_ino == e->socket_ino;
}

/* Keeps cleaners away. Without it the engine works as well. */
static void lock_dir(struct sfd_endpoint *e)
{
    struct stat st;
    if (e->sys->fstat(e->dir_fd, &st) < 0 || (st.st_mode & S_IWOTH) != 0) return;
    const int fd = e->sys->openat(e->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (fd < 0) return;
    if (e->sys->flock(fd, LOCK_SH | LOCK_NB) == 0)
        e->dir_lock_fd = fd;
    else
        e->sys->close(fd);
}

/* A socket can be bound only once, and not at all in the sandbox: it gets a second name while it has the first. */
static void make_spare(struct sfd_endpoint *e)
{
    struct stat st;
    if (e->sys->fstatat(e->dir_fd, e->spare_file, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        e->spared = is_our_socket(e, &st);
        if (e->spared || !S_ISSOCK(st.st_mode)) return;
        e->sys->unlinkat(e->dir_fd, e->spare_file, 0); /* of a killed instance: we have its lock */
    }
    e->spared = e->sys->linkat(e->dir_fd, e->socket_file, e->dir_fd, e->spare_file) == 0;
}

/* A name less, or another one, is a change of the inode's attributes; so nothing else in DIR wakes anybody. */
static void watch_socket(struct sfd_endpoint *e)
{
    char path[64 + SFD_ENDPOINT_FILE_MAX];
    const int n = snprintf(path, sizeof path, "/proc/self/fd/%d/%s", e->dir_fd, e->socket_file);
    if (n < 0 || (size_t)n >= sizeof path) return;
    const int fd = e->sys->inotify(IN_CLOEXEC | IN_NONBLOCK);
    if (fd < 0) return;
    if (e->sys->inotify_add(fd, path, IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF | IN_DONT_FOLLOW) < 0)
        e->sys->close(fd);
    else
        e->watch_fd = fd;
}

int sfd_endpoint_look(struct sfd_endpoint *e)
{
    char events[512];
    struct stat st;

    while (e->watch_fd >= 0 && e->sys->read(e->watch_fd, events, sizeof events) > 0)
        continue;
    if (!e->named) return 0;
    const int result = e->sys->fstatat(e->dir_fd, e->socket_file, &st, AT_SYMLINK_NOFOLLOW);
    if (result == 0 && !is_our_socket(e, &st)) return -EEXIST;
    if (result == 0) {
        make_spare(e); /* that may have been removed */
        return 0;
    }
    if (result != -ENOENT) return result;
    if (e->sys->fstatat(e->dir_fd, e->spare_file, &st, AT_SYMLINK_NOFOLLOW) < 0 || !is_our_socket(e, &st))
        return -ENOENT;
    const int linked = e->sys->linkat(e->dir_fd, e->spare_file, e->dir_fd, e->socket_file);
    return linked < 0 ? linked : 1;
}

/* ---- all of it -------------------------------------------------------------------------------------------------- */

static void close_fd(const struct sfd_endpoint *e, int *fd)
{
    if (*fd >= 0) {
        e->sys->close(*fd);
        *fd = -1;
    }
}

int sfd_endpoint_adopt(struct sfd_endpoint *e, const struct sfd_sys_setup *sys, const char *dir, const char *name,
                       const struct sfd_endpoint_access *access, int fd)
{
    sfd_endpoint_init(e);
    e->sys = sys;
    e->fd = fd;
    e->stays = fd >= 0;
    struct sockaddr_un address;
    int result = set_names(e, name);
    if (result < 0) goto fail;
    result = socket_address(&address, dir, e->socket_file);
    if (result < 0) goto fail;
    result = open_dir(sys, dir, access->mode == 0600 ? 0700 : 0755);
    if (result < 0) goto fail;
    e->dir_fd = result;
    result = take_lock(e);
    if (result < 0) goto fail;
    /* Independent of the umask: after this process was killed, the next start must be able to open the file. */
    result = sys->fchmod(e->lock_fd, 0600);
    if (result < 0) goto fail;
    /* At once: a reader would take the pid of a killed instance, still in the file, for ours. */
    result = write_pid(e);
    if (result < 0) goto fail;
    result = e->stays ? find_name(e) : remove_stale(e, &address);
    if (result < 0) goto fail;
    if (!e->stays) result = bind_socket(e, &address);
    if (result < 0) goto fail;
    result = widen(e, access);
    if (result < 0 && !(e->stays && result == -EPERM)) goto fail;
    e->blind = !sees_all_processes(sys);
    lock_dir(e);
    if (!e->stays) {
        make_spare(e);
        watch_socket(e);
    }
    return 0;

fail:
    sfd_endpoint_hide(e);
    if (e->lock_fd >= 0) e->sys->unlinkat(e->dir_fd, e->lock_file, 0);
    close_fd(e, &e->fd);
    close_fd(e, &e->lock_fd);
    close_fd(e, &e->dir_fd);
    return result;
}

int sfd_endpoint_inherit(struct sfd_endpoint *e, const struct sfd_sys_setup *sys, const char *dir, const char *name,
                         const struct sfd_endpoint_access *access, int fd, int lock_fd, bool stays, dev_t dev,
                         ino_t ino)
{
    sfd_endpoint_init(e);
    e->sys = sys;
    e->fd = fd;
    e->lock_fd = lock_fd;
    e->stays = stays;
    e->borrowed = true;
    e->socket_dev = dev;
    e->socket_ino = ino;
    struct stat st;
    int result = set_names(e, name);
    if (result == 0) result = open_dir(sys, dir, access->mode == 0600 ? 0700 : 0755);
    if (result < 0) goto fail;
    e->dir_fd = result;
    result = is_current(e, lock_fd);
    if (result == 0) result = -ESTALE;
    if (result < 0) goto fail;
    /* Never narrower: until it lets go, the process that serves has clients of its own. */
    if (sys->fstatat(e->dir_fd, e->socket_file, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        (st.st_mode & access->mode) != access->mode) {
        result = widen(e, access);
        if (result < 0 && !(stays && result == -EPERM)) goto fail;
    }
    e->blind = !sees_all_processes(sys);
    lock_dir(e);
    if (!stays) watch_socket(e); /* what the sandbox does not allow later */
    return 0;

fail:
    sfd_endpoint_close(e);
    return result;
}

void sfd_endpoint_claim(struct sfd_endpoint *e)
{
    if (!e->borrowed) return;
    e->borrowed = false;
    (void)write_pid(e); /* else the file tells of the other one, which has told that it ends */
    if (e->stays) return;
    e->named = true;
    make_spare(e);
}

void sfd_endpoint_release(struct sfd_endpoint *e)
{
    e->named = e->spared = false;
    e->borrowed = true;
    close_fd(e, &e->lock_fd); /* the lock is of the description, which the other one has as well: flock(2) */
    close_fd(e, &e->dir_lock_fd);
}

int sfd_endpoint_open_for(struct sfd_endpoint *e, const struct sfd_sys_setup *sys, const char *dir, const char *name,
                          const struct sfd_endpoint_access *access)
{
    return sfd_endpoint_adopt(e, sys, dir, name, access, -1);
}

int sfd_endpoint_open_with(struct sfd_endpoint *e, const struct sfd_sys_setup *sys, const char *dir, const char *name)
{
    const struct sfd_endpoint_access own = {.mode = 0600};

    return sfd_endpoint_open_for(e, sys, dir, name, &own);
}

int sfd_endpoint_open(struct sfd_endpoint *e, const char *dir, const char *name)
{
    return sfd_endpoint_open_with(e, &sfd_sys_setup_linux, dir, name);
}

int sfd_endpoint_holder(const char *dir, const char *name)
{
    const struct sfd_sys_setup *sys = &sfd_sys_setup_linux;
    struct sfd_endpoint e;
    sfd_endpoint_init(&e);
    int result = set_names(&e, name);
    if (result < 0) return result;
    result = sys->openat(AT_FDCWD, dir, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    if (result < 0) return result == -ENOENT ? 0 : result;
    e.dir_fd = result;
    result = sys->openat(e.dir_fd, e.lock_file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
    close_fd(&e, &e.dir_fd);
    if (result < 0) return result == -ENOENT ? 0 : result;
    e.lock_fd = result;
    /* A shared lock: it fails only while an instance holds the lock, and closing the descriptor releases it. */
    result = sys->flock(e.lock_fd, LOCK_SH | LOCK_NB);
    if (result == -EWOULDBLOCK) {
        char text[24] = {0};
        const ssize_t n = sys->pread(e.lock_fd, text, sizeof text - 1, 0);
        const long pid = n > 0 ? strtol(text, NULL, 10) : 0;
        result = pid > 0 && pid <= 0x7fffffff ? (int)pid : 0;
    }
    close_fd(&e, &e.lock_fd);
    return result;
}

int sfd_endpoint_pass_pidfds(const struct sfd_endpoint *e)
{
    return sfd_endpoint_pass_pidfds_of(e, e->fd);
}

int sfd_endpoint_pass_pidfds_of(const struct sfd_endpoint *e, int fd)
{
    const int on = 1;
    return e->sys->setsockopt(fd, SOL_SOCKET, SO_PASSPIDFD, &on, sizeof on);
}

void sfd_endpoint_path(const struct sfd_endpoint *e, const char *dir, char *out)
{
    struct sockaddr_un address;
    (void)socket_address(&address, dir, e->socket_file); /* it was bound to it */
    memcpy(out, address.sun_path, sizeof address.sun_path);
}

static void remove_ours(const struct sfd_endpoint *e, const char *file)
{
    struct stat st;
    if (e->sys->fstatat(e->dir_fd, file, &st, AT_SYMLINK_NOFOLLOW) == 0 && is_our_socket(e, &st))
        e->sys->unlinkat(e->dir_fd, file, 0);
}

void sfd_endpoint_hide(struct sfd_endpoint *e)
{
    /* A cleaner of /tmp may have removed our socket, and another server may have made one of the same name. */
    if (e->named) remove_ours(e, e->socket_file);
    if (e->spared) remove_ours(e, e->spare_file);
    e->named = e->spared = false;
}

void sfd_endpoint_close(struct sfd_endpoint *e)
{
    sfd_endpoint_hide(e);
    close_fd(e, &e->fd);
    /* Removed while the lock is held: a process that has opened the file sees in is_current that its name is gone. */
    if (!e->borrowed && e->lock_fd >= 0 && is_current(e, e->lock_fd) > 0) e->sys->unlinkat(e->dir_fd, e->lock_file, 0);
    close_fd(e, &e->lock_fd);
    close_fd(e, &e->watch_fd);
    close_fd(e, &e->dir_lock_fd);
    close_fd(e, &e->dir_fd);
}
