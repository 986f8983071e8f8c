/*
 * Descriptors: what one is, whether closing it can block, and closing it once.
 *
 * Role: every rule that depends on a descriptor's type starts here.
 * Thread: any. Owns nothing. Never calls fstat(2) on a descriptor that another process opened: on FUSE it waits for the
 * file system's server, without limit. The calls used here answer from memory (F_GETFL, F_GETPIPE_SZ, getsockopt, statx
 * with AT_STATX_DONT_SYNC).
 */
#ifndef SFD_SYS_FD_H
#define SFD_SYS_FD_H

#include <stdbool.h>
#include <stdint.h>

#include "sys/sys.h"

enum sfd_fd_kind {
    SFD_FD_OTHER = 0,      /* anything not below: directories, epoll, netlink, datagram sockets, O_PATH, ... */
    SFD_FD_PIPE,           /* pipe(2) or an opened FIFO */
    SFD_FD_TCP,            /* AF_INET or AF_INET6, SOCK_STREAM */
    SFD_FD_UNIX_STREAM,    /* AF_UNIX, SOCK_STREAM */
    SFD_FD_REGULAR,        /* regular or memory file */
    SFD_FD_CHAR,           /* character device */
    SFD_FD_UNIX_SEQPACKET, /* AF_UNIX, SOCK_SEQPACKET */
};

/* Which character device it is; the ones that can be a destination have a name. */
enum sfd_fd_device {
    SFD_FD_DEVICE_OTHER = 0, /* also /dev/tty, /dev/console, a pty's master: to reopen one gives another */
    SFD_FD_DEVICE_NULL,      /* /dev/null, /dev/zero */
    SFD_FD_DEVICE_FULL,      /* /dev/full */
    SFD_FD_DEVICE_TERMINAL,  /* a line of a tty driver, the slave of a pty among them */
};

struct sfd_fd_info {
    enum sfd_fd_kind kind;
    enum sfd_fd_device device; /* of SFD_FD_CHAR */
    bool readable;
    bool writable;
    bool asked;    /* the flags below were read; false for a socket, see sfd_fd_ask */
    bool nonblock; /* O_NONBLOCK of the description, when it was read */
    bool append;   /* its O_APPEND, likewise */
    bool stored;   /* on a file system, which its close may wait for: files, directories, all O_PATH */
    uint64_t dev;  /* where it is stored: st_dev */
};

/* Says what `fd` (borrowed) is. 0, or -EBADF when it is no open descriptor. Never blocks. */
int sfd_fd_classify(const struct sfd_sys *sys, int fd, struct sfd_fd_info *out);

/* Whether `fd` (borrowed) is a pipe or FIFO, in one call. Never blocks. */
bool sfd_fd_is_pipe(const struct sfd_sys *sys, int fd);

/*
 * Reads the flags that sfd_fd_classify does not read (of sockets). O_NONBLOCK and O_APPEND belong to the open file
 * description, whose other owners may change them at any time. 0 or -EBADF. Never blocks.
 */
int sfd_fd_ask(const struct sfd_sys *sys, int fd, struct sfd_fd_info *info);

/*
 * Whether close(2) of this descriptor can block. False for pipes. A TCP socket blocks if it lingers (SO_LINGER), a UNIX
 * stream socket if it has unread data, which may carry descriptors whose close blocks. True for all else: a file may
 * flush to a server, and a seqpacket socket may have unread records that are empty but for descriptors, which no call
 * counts. Never blocks itself.
 */
bool sfd_fd_close_may_block(const struct sfd_sys *sys, int fd, enum sfd_fd_kind kind);

/* Whether it belongs to another user than `uid`, as far as memory tells. Never blocks. */
bool sfd_fd_is_foreign(const struct sfd_sys *sys, int fd, uint32_t uid);

/*
 * Whether a file is on a pseudo file system, as /proc and /sys are: the kernel makes its content when it is read, and
 * acts when it is written to, and may do so as the process may that reads or writes. Blocks as long as the file's
 * server likes: disk pool only.
 */
bool sfd_fd_is_pseudo(const struct sfd_sys *sys, int fd);

/* The size of a file as the kernel knows it, in *size. 0 or -errno. Never blocks. */
int sfd_fd_size(const struct sfd_sys *sys, int fd, uint64_t *size);

/* The same as the file's server knows it. Blocks until the server answers: disk pool only. */
int sfd_fd_size_now(const struct sfd_sys *sys, int fd, uint64_t *size);

/*
 * Opens the file of `fd` (borrowed) again with these flags, as an open file description of our own. Gives the
 * descriptor, or -errno: the daemon may lack a right that the client had. Never blocks for a pipe or a terminal with
 * O_NONBLOCK; waits for the disk for a file.
 */
int sfd_fd_reopen(const struct sfd_sys *sys, int fd, int flags);

/* The same for the write end of a pipe, with O_NONBLOCK. Never blocks. */
int sfd_fd_reopen_pipe(const struct sfd_sys *sys, int fd);

/* Closes *fd unless it is -1 and sets it to -1. Idempotent. Blocks as close(2) does. */
void sfd_fd_close(const struct sfd_sys *sys, int *fd);

#endif
