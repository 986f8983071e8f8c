/*
 * The one place that reads errno for the calls of start-up and end; see sys_setup.h. Any thread; owns nothing; never
 * decides anything.
 */
#include "sys/sys_setup.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

static int result(int value)
{
    return value < 0 ? -errno : value;
}

static int sys_mkdir(const char *path, mode_t mode)
{
    return result(mkdir(path, mode));
}

static int sys_openat(int dir, const char *path, int flags, mode_t mode)
{
    int fd;
    do {
        fd = openat(dir, path, flags, mode);
    } while (fd < 0 && errno == EINTR);
    return result(fd);
}

/* Never retried: on Linux the descriptor is gone even when close reports EINTR (close(2)). */
static int sys_close(int fd)
{
    return result(close(fd));
}

static int sys_flock(int fd, int operation)
{
    int value;
    do {
        value = flock(fd, operation);
    } while (value < 0 && errno == EINTR);
    return result(value);
}

static int sys_fstat(int fd, struct stat *out)
{
    int value;
    do {
        value = fstat(fd, out);
    } while (value < 0 && errno == EINTR);
    return result(value);
}

static int sys_fstatat(int dir, const char *path, struct stat *out, int flags)
{
    int value;
    do {
        value = fstatat(dir, path, out, flags);
    } while (value < 0 && errno == EINTR);
    return result(value);
}

static int sys_unlinkat(int dir, const char *path, int flags)
{
    int value;
    do {
        value = unlinkat(dir, path, flags);
    } while (value < 0 && errno == EINTR);
    return result(value);
}

static int sys_lsetxattr(const char *path, const char *name, const void *value, size_t size)
{
    return lsetxattr(path, name, value, size, 0) < 0 ? -errno : 0;
}

static int sys_linkat(int dir, const char *path, int new_dir, const char *new_path)
{
    int value;
    do {
        value = linkat(dir, path, new_dir, new_path, 0);
    } while (value < 0 && errno == EINTR);
    return result(value);
}

static int sys_renameat(int dir, const char *path, const char *new_path)
{
    return result(renameat(dir, path, dir, new_path));
}

static int sys_inotify(int flags)
{
    return result(inotify_init1(flags));
}

static int sys_inotify_add(int fd, const char *path, uint32_t events)
{
    return result(inotify_add_watch(fd, path, events));
}

static int sys_fchmod(int fd, mode_t mode)
{
    return result(fchmod(fd, mode));
}

static int sys_fchown(int fd, uid_t owner, gid_t group)
{
    return result(fchown(fd, owner, group));
}

static int sys_may_make(int dir)
{
    return result(faccessat(dir, ".", W_OK | X_OK, AT_EACCESS));
}

static int sys_fchmodat(int dir, const char *path, mode_t mode)
{
    return result(fchmodat(dir, path, mode, 0));
}

static int sys_fchownat(int dir, const char *path, uid_t uid, gid_t gid, int flags)
{
    return result(fchownat(dir, path, uid, gid, flags));
}

static int sys_ftruncate(int fd, off_t length)
{
    int value;
    do {
        value = ftruncate(fd, length);
    } while (value < 0 && errno == EINTR);
    return result(value);
}

static ssize_t sys_pread(int fd, void *buf, size_t length, off_t offset)
{
    ssize_t n;
    do {
        n = pread(fd, buf, length, offset);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static ssize_t sys_pwrite(int fd, const void *buf, size_t length, off_t offset)
{
    ssize_t n;
    do {
        n = pwrite(fd, buf, length, offset);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static ssize_t sys_read(int fd, void *buf, size_t length)
{
    ssize_t n;
    do {
        n = read(fd, buf, length);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static ssize_t sys_write(int fd, const void *buf, size_t length)
{
    ssize_t n;
    do {
        n = write(fd, buf, length);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static ssize_t sys_readlink(const char *path, char *buf, size_t length)
{
    const ssize_t n = readlink(path, buf, length);
    return n < 0 ? -errno : n;
}

static int sys_fcntl(int fd, int command, int argument)
{
    return result(fcntl(fd, command, argument));
}

static int sys_pipe2(int fds[2], int flags)
{
    return result(pipe2(fds, flags));
}

static int sys_dup2(int from, int to)
{
    int value;
    do {
        value = dup2(from, to);
    } while (value < 0 && errno == EINTR);
    return result(value);
}

static int sys_chdir(const char *path)
{
    return result(chdir(path));
}

static int sys_socket(int domain, int type, int protocol)
{
    return result(socket(domain, type, protocol));
}

static int sys_setsockopt(int fd, int level, int option, const void *value, socklen_t length)
{
    return result(setsockopt(fd, level, option, value, length));
}

static int sys_getsockopt(int fd, int level, int option, void *value, socklen_t *length)
{
    return result(getsockopt(fd, level, option, value, length));
}

static int sys_getsockname(int fd, struct sockaddr *address, socklen_t *length)
{
    return result(getsockname(fd, address, length));
}

static int sys_bind(int fd, const struct sockaddr *address, socklen_t length)
{
    return result(bind(fd, address, length));
}

static int sys_listen(int fd, int backlog)
{
    return result(listen(fd, backlog));
}

static int sys_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    return result(connect(fd, address, length));
}

static int sys_getresuid(uid_t *real, uid_t *effective, uid_t *saved)
{
    return result(getresuid(real, effective, saved));
}

static int sys_getresgid(gid_t *real, gid_t *effective, gid_t *saved)
{
    return result(getresgid(real, effective, saved));
}

static int sys_getgroups(int size, gid_t *groups)
{
    return result(getgroups(size, groups));
}

static int sys_setgroups(size_t count, const gid_t *groups)
{
    return result(setgroups(count, groups));
}

static int sys_setresgid(gid_t real, gid_t effective, gid_t saved)
{
    return result(setresgid(real, effective, saved));
}

static int sys_setresuid(uid_t real, uid_t effective, uid_t saved)
{
    return result(setresuid(real, effective, saved));
}

static int sys_capabilities(uint64_t *permitted)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};

    if (syscall(SYS_capget, &header, data) < 0) return -errno;
    *permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted;
    return 0;
}

static int sys_getrlimit(int resource, struct rlimit *out)
{
    return result(getrlimit((unsigned)resource, out));
}

static int sys_setrlimit(int resource, const struct rlimit *limit)
{
    return result(setrlimit((unsigned)resource, limit));
}

static int sys_eventfd(unsigned int value, int flags)
{
    return result(eventfd(value, flags));
}

/* After EINTR the whole timeout starts again: callers check their condition after each wait anyway. */
static int sys_await_readable(int fd, int timeout_ms)
{
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    int value;
    do {
        value = poll(&entry, 1, timeout_ms);
    } while (value < 0 && errno == EINTR);
    return result(value);
}

static int sys_sigaction(int number, const struct sigaction *action, struct sigaction *previous)
{
    return result(sigaction(number, action, previous));
}

static int sys_thread_sigmask(int how, const sigset_t *set, sigset_t *previous)
{
    return -pthread_sigmask(how, set, previous);
}

static pid_t sys_fork(void)
{
    const pid_t pid = fork();
    return pid < 0 ? -errno : pid;
}

static pid_t sys_setsid(void)
{
    const pid_t sid = setsid();
    return sid < 0 ? -errno : sid;
}

/* By number: glibc has the function from 2.34 on, the kernel the call from 5.9 on (close_range(2)). */
static int sys_close_range(unsigned int first, unsigned int last)
{
#ifdef SYS_close_range
    return result((int)syscall(SYS_close_range, first, last, 0));
#else
    (void)first;
    (void)last;
    return -ENOSYS;
#endif
}

static int sys_execv(const char *path, char *const argv[])
{
    return result(execv(path, argv));
}

const struct sfd_sys_setup sfd_sys_setup_linux = {
    .mkdir = sys_mkdir,
    .openat = sys_openat,
    .close = sys_close,
    .flock = sys_flock,
    .fstat = sys_fstat,
    .fstatat = sys_fstatat,
    .unlinkat = sys_unlinkat,
    .linkat = sys_linkat,
    .renameat = sys_renameat,
    .lsetxattr = sys_lsetxattr,
    .inotify = sys_inotify,
    .inotify_add = sys_inotify_add,
    .fchmod = sys_fchmod,
    .fchown = sys_fchown,
    .may_make = sys_may_make,
    .fchmodat = sys_fchmodat,
    .fchownat = sys_fchownat,
    .ftruncate = sys_ftruncate,
    .pread = sys_pread,
    .pwrite = sys_pwrite,
    .read = sys_read,
    .write = sys_write,
    .readlink = sys_readlink,
    .fcntl = sys_fcntl,
    .pipe2 = sys_pipe2,
    .dup2 = sys_dup2,
    .chdir = sys_chdir,
    .socket = sys_socket,
    .setsockopt = sys_setsockopt,
    .getsockopt = sys_getsockopt,
    .getsockname = sys_getsockname,
    .bind = sys_bind,
    .connect = sys_connect,
    .listen = sys_listen,
    .getresuid = sys_getresuid,
    .getresgid = sys_getresgid,
    .getgroups = sys_getgroups,
    .setgroups = sys_setgroups,
    .setresgid = sys_setresgid,
    .setresuid = sys_setresuid,
    .capabilities = sys_capabilities,
    .getrlimit = sys_getrlimit,
    .setrlimit = sys_setrlimit,
    .eventfd = sys_eventfd,
    .await_readable = sys_await_readable,
    .sigaction = sys_sigaction,
    .thread_sigmask = sys_thread_sigmask,
    .fork = sys_fork,
    .setsid = sys_setsid,
    .close_range = sys_close_range,
    .execv = sys_execv,
};
