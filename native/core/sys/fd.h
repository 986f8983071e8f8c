/*
 * Descriptors: what one is, whether closing it can block, and closing it once.
 *
 * Role: every rule that depends on a descriptor's type starts here.
 * Thread: any. Owns nothing. Never calls fstat(2) on a descriptor that somebody else opened: on FUSE it waits for as
 * long as the file system's server likes. The calls used here answer from memory (F_GETFL, F_GETPIPE_SZ, getsockopt,
 * statx with AT_STATX_DONT_SYNC).
 */
#ifndef SFD_SYS_FD_H
#define SFD_SYS_FD_H

#include <stdbool.h>
#include <stdint.h>

#include "sys/sys.h"

enum sfd_fd_kind {
    SFD_FD_OTHER = 0,   /* anything not below: directories, epoll, netlink, datagram sockets, O_PATH, ... */
    SFD_FD_PIPE,        /* pipe(2) or an opened FIFO */
    SFD_FD_TCP,         /* AF_INET or AF_INET6, SOCK_STREAM */
    SFD_FD_UNIX_STREAM, /* AF_UNIX, SOCK_STREAM */
    SFD_FD_REGULAR,     /* regular or memory file */
    SFD_FD_CHAR,        /* character device */
};

/* Which character device it is; the ones that can be a destination have a name. */
enum sfd_fd_device {
    SFD_FD_DEVICE_OTHER = 0, /* also /dev/tty, /dev/console, the master of a pty: opened again, each is another one */
    SFD_FD_DEVICE_NULL,      /* /dev/null, /dev/zero */
    SFD_FD_DEVICE_FULL,      /* /dev/full */
    SFD_FD_DEVICE_TERMINAL,  /* a line of a tty driver, the slave of a pty among them */
};

struct sfd_fd_info {
    enum sfd_fd_kind kind;
    enum sfd_fd_device device; /* of SFD_FD_CHAR */
    bool readable;
    bool writable;
    bool asked;    /* for its flags: not of a socket, see sfd_fd_ask */
    bool nonblock; /* O_NONBLOCK of the description, at the moment of asking */
    bool append;   /* its O_APPEND, likewise */
    bool stored;   /* on a file system, whose business its close is: files, directories, all O_PATH */
    uint64_t dev;  /* where it is stored: st_dev */
};

/* Says what `fd` (borrowed) is. 0, or -EBADF when it is no open descriptor. Never blocks. */
int sfd_fd_classify(const struct sfd_sys *sys, int fd, struct sfd_fd_info *out);

/* Whether `fd` (borrowed) is a pipe or FIFO, in one call. Never blocks. */
bool sfd_fd_is_pipe(const struct sfd_sys *sys, int fd);

/*
 * Asks for the flags of what sfd_fd_classify has not asked about: O_NONBLOCK and O_APPEND belong to the description,
 * whose other owners may change them at any time. 0 or -EBADF. Never blocks.
 */
int sfd_fd_ask(const struct sfd_sys *sys, int fd, struct sfd_fd_info *info);

/* True for the two kinds of stream socket. */
static inline bool sfd_fd_is_socket(enum sfd_fd_kind kind)
{
    return kind == SFD_FD_TCP || kind == SFD_FD_UNIX_STREAM;
}

/*
 * Can close(2) of this descriptor block? True for what may flush to a file server and for sockets that linger or that
 * have something unread, which can be a descriptor that lingers; false for pipes and for ordinary stream sockets. Never
 * blocks itself.
 */
bool sfd_fd_close_may_block(const struct sfd_sys *sys, int fd, enum sfd_fd_kind kind);

/* The size of a file as the kernel knows it, in *size. 0 or -errno. Never blocks. */
int sfd_fd_size(const struct sfd_sys *sys, int fd, uint64_t *size);

/* The same as the file's server knows it. Blocks for as long as that likes: disk pool only. */
int sfd_fd_size_now(const struct sfd_sys *sys, int fd, uint64_t *size);

/*
 * Opens what is behind `fd` (borrowed) once more, with these flags: a description of our own. The descriptor, given to
 * the caller, or -errno: we may not be allowed what the client was. Blocks as its open does: never for a pipe or a
 * terminal with O_NONBLOCK, as long as the disk likes for a file.
 */
int sfd_fd_reopen(int fd, int flags);

/* The same for the write end of a pipe, with O_NONBLOCK. Never blocks. */
int sfd_fd_reopen_pipe(int fd);

/* Closes *fd unless it is -1 and sets it to -1. Idempotent. Blocks as close(2) does. */
void sfd_fd_close(const struct sfd_sys *sys, int *fd);

#endif
