/*
 * The system calls of start-up and end: the request socket, the lock, identity, limits, signals, the detached child.
 *
 * A second table beside struct sfd_sys, which so has only the calls of a request's path. Tests can script these calls
 * too. Any thread may use it; it owns nothing.
 *
 * Each call returns >= 0 on success and -errno on failure; EINTR is retried inside where a retry is legal.
 */
#ifndef SFD_SYS_SYS_SETUP_H
#define SFD_SYS_SYS_SETUP_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>

struct sfd_sys_setup {
    /* files */
    int (*mkdir)(const char *path, mode_t mode);
    int (*openat)(int dir, const char *path, int flags, mode_t mode);
    int (*close)(int fd);
    int (*flock)(int fd, int operation);
    int (*fstat)(int fd, struct stat *out);
    int (*fstatat)(int dir, const char *path, struct stat *out, int flags);
    int (*unlinkat)(int dir, const char *path, int flags);
    int (*linkat)(int dir, const char *path, int new_dir, const char *new_path); /* a symbolic link is not followed */
    int (*renameat)(int dir, const char *path, const char *new_path);            /* within the directory; replaces */
    int (*lsetxattr)(const char *path, const char *name, const void *value, size_t size);
    int (*inotify)(int flags);
    int (*inotify_add)(int fd, const char *path, uint32_t events);
    int (*fchmod)(int fd, mode_t mode);
    int (*fchown)(int fd, uid_t owner, gid_t group);
    int (*may_make)(int dir); /* whether the effective user can make and remove names in it: 0 or -errno */
    int (*fchmodat)(int dir, const char *path, mode_t mode);
    int (*fchownat)(int dir, const char *path, uid_t uid, gid_t gid, int flags);
    int (*ftruncate)(int fd, off_t length);
    ssize_t (*pread)(int fd, void *buf, size_t length, off_t offset);
    ssize_t (*pwrite)(int fd, const void *buf, size_t length, off_t offset);
    ssize_t (*read)(int fd, void *buf, size_t length);
    ssize_t (*write)(int fd, const void *buf, size_t length);
    ssize_t (*readlink)(const char *path, char *buf, size_t length);
    int (*fcntl)(int fd, int command, int argument);
    int (*pipe2)(int fds[2], int flags);
    int (*dup2)(int from, int to);
    int (*chdir)(const char *path);
    /* sockets */
    int (*socket)(int domain, int type, int protocol);
    int (*setsockopt)(int fd, int level, int option, const void *value, socklen_t length);
    int (*getsockopt)(int fd, int level, int option, void *value, socklen_t *length);
    int (*getsockname)(int fd, struct sockaddr *address, socklen_t *length);
    int (*bind)(int fd, const struct sockaddr *address, socklen_t length);
    int (*connect)(int fd, const struct sockaddr *address, socklen_t length);
    int (*listen)(int fd, int backlog);
    /* identity and limits */
    int (*getresuid)(uid_t *real, uid_t *effective, uid_t *saved);
    int (*getresgid)(gid_t *real, gid_t *effective, gid_t *saved);
    int (*getgroups)(int size, gid_t *groups);
    int (*setgroups)(size_t count, const gid_t *groups);
    int (*setresgid)(gid_t real, gid_t effective, gid_t saved);
    int (*setresuid)(uid_t real, uid_t effective, uid_t saved);
    int (*capabilities)(uint64_t *permitted); /* of the calling thread: what it has, or may take */
    int (*getrlimit)(int resource, struct rlimit *out);
    int (*setrlimit)(int resource, const struct rlimit *limit);
    /* signals and processes */
    int (*eventfd)(unsigned int value, int flags);
    int (*await_readable)(int fd, int timeout_ms); /* poll(2): 1, or 0 when the time is over */
    int (*sigaction)(int number, const struct sigaction *action, struct sigaction *previous);
    int (*thread_sigmask)(int how, const sigset_t *set, sigset_t *previous); /* of the calling thread */
    pid_t (*fork)(void);
    pid_t (*setsid)(void);
    int (*close_range)(unsigned int first, unsigned int last); /* -ENOSYS where headers or kernel lack it */
    int (*execv)(const char *path, char *const argv[]);
};

extern const struct sfd_sys_setup sfd_sys_setup_linux;

#endif
