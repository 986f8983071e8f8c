/*
 * The hot path: what the kernel has in memory is opened, read and sent by the calling thread itself, which never waits
 * for a disk. What is cold is handed over to a daemon. Included by sendfiled.h.
 *
 *     struct sfd_hot_root *root;
 *     sfd_hot_open_root("/srv/www", NULL, &root);      (once, when the program starts)
 *     ...
 *     struct sfd_hot_file file;
 *     switch (sfd_hot_open(root, "index.html", &file)) {
 *     case SFD_HOT_DONE:   ...file.size, file.mtime, file.inode: make a header...
 *     case SFD_HOT_COLD:   ...sfd_open(): the daemon opens it, and tells the size...
 *     default:             ...strerror(errno): ENOENT, EACCES...
 *     }
 *     struct sfd_hot_rest rest = {.head = header, .head_length = strlen(header), .length = SFD_TO_END};
 *     switch (sfd_hot_send(&file, socket, &rest)) {
 *     case SFD_HOT_DONE:    ...the socket has accepted everything...
 *     case SFD_HOT_BLOCKED: ...call it again, with the same rest, when the socket is writable...
 *     case SFD_HOT_COLD:    status = sfd_hot_hand_over(srv, &file, NULL, socket, &rest, true, NULL);
 *                           ...sfd_events_next() on status: the socket is the daemon's until the transfer is over...
 *     default:              ...strerror(errno)...
 *     }
 *     sfd_hot_close(&file);
 *
 * A file is hot if it is on the root's own mount, on a local disk or in memory, and the kernel's caches have what is
 * needed of it. All else is cold: other mounts, file servers (NFS, FUSE), systems without openat2(2) RESOLVE_CACHED
 * (before Linux 5.12). Whose file it is makes no difference. Two things can still hold a thread: a page that is evicted
 * between the look at it and its use, and what hooks into the kernel's calls, as an antivirus does by fanotify(7). A
 * device on which a call was held is cold for a while, from one second to a minute.
 *
 * None of this needs a daemon; without one, cold is for the program itself to deal with, in a thread that may wait.
 *
 * For all functions here:
 *   - Failure is -1 with errno set, and SFD_HOT_FAILED is that. Nothing is leaked or left half done.
 *   - A root may be used by any number of threads at a time, a file by one at a time. Signal handlers must not call
 *     them.
 *   - No SIGPIPE is raised, and the process's signal dispositions are not touched.
 */
#ifndef SENDFILED_HOT_H
#define SENDFILED_HOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "attr.h"
#include "options.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What came of a call. */
enum sfd_hot_result {
    SFD_HOT_FAILED = -1, /* errno says why */
    SFD_HOT_DONE = 0,    /* all of it */
    SFD_HOT_COLD,        /* the next step would wait for a disk or a file server: hand it over */
    SFD_HOT_BLOCKED,     /* the destination is full: call again when it is writable, poll(2) */
    SFD_HOT_BIG          /* more bytes than the buffer has room for: sfd_hot_send() needs none */
};

/* Flags of struct sfd_hot_options. */
enum {
    /*
     * This process ignores or handles SIGPIPE as long as the root is open. sfd_hot_send() then saves the system calls
     * by which it keeps that signal from its thread.
     */
    SFD_HOT_SIGPIPE_HANDLED = 1
};

/* A program that is compiled with -Wpadded is told of its own structs only. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpadded"

/* All zeros asks for nothing. */
struct sfd_hot_options {
    uint32_t cache_entries; /* so many files are kept open for the next sfd_hot_open() of their paths; 0: none */
    uint32_t cache_age_ms;  /* A path is looked up again when that was so long ago. Until then a file that was
                               replaced, removed, renamed or changed is told as it was; its bytes are those of now.
                               0: each time. A file of which nobody asks is closed by a later call, after this time and
                               a second. */
    uint32_t flags;         /* SFD_HOT_SIGPIPE_HANDLED */
    uint32_t reserved[5];   /* 0 */
};

/* A directory below which files are opened. */
struct sfd_hot_root;

/* An open file. The caller allocates it; sfd_hot_open() fills it, sfd_hot_close() ends it. Neither to be changed nor
   copied. */
struct sfd_hot_file {
    uint64_t size;     /* bytes, when it was opened */
    uint64_t inode;    /* st_ino */
    uint64_t device;   /* st_dev */
    int64_t mtime;     /* last modification, in seconds since 1970 */
    uint32_t mtime_ns; /* what is behind the full seconds */
    uint32_t mode;     /* type (always a regular file) and permissions, as st_mode of stat(2) */
    int fd;            /* open for reading. Others may have it, too: its position means nothing. Not to be closed */
    uint64_t internal[16];
};

/* What is still to be sent: sfd_hot_send() moves it on. Zeros, but for `length`, are the whole file. */
struct sfd_hot_rest {
    const void *head;   /* bytes before the file's, such as a response header; must stay until they are sent */
    size_t head_length; /* 0: none */
    off_t offset;       /* of the file's next byte */
    size_t length;      /* bytes of the file; SFD_TO_END: to its end, as it was when it was opened */
};

#pragma GCC diagnostic pop

/*
 * Opens a directory as a root. Nothing leads out of it: "..", absolute symbolic links and those of /proc are resolved
 * inside of it, as by a daemon whose --root it is.
 *
 *   path      of the directory; symbolic links on the way to it are followed
 *   options   borrowed; NULL: none
 *   root      untouched on failure; the caller closes it
 *
 * 0 or -1. Blocks: it looks at the disk. errno: EINVAL (a NULL argument; a reserved field or an unknown flag is not 0),
 * ENOMEM, ENOSYS (a kernel before 5.6), and those of open(2): ENOENT, ENOTDIR, EACCES, ELOOP, EMFILE, ENFILE...
 */
int sfd_hot_open_root(const char *path, const struct sfd_hot_options *options, struct sfd_hot_root **root) SFD_API;

/* Closes it, after all of its files. NULL: nothing happens. May block as close(2) does. */
void sfd_hot_close_root(struct sfd_hot_root *root) SFD_API;

/*
 * Opens a regular file for reading.
 *
 *   path   relative to the root, with or without a leading slash; at most 4095 bytes
 *   file   untouched unless the result is SFD_HOT_DONE
 *
 * DONE; COLD: have the daemon do it, sfd_open() or sfd_hot_hand_over(), also when this process has no descriptor left;
 * or FAILED, with an errno that the kernel gave from memory: ENOENT, ENOTDIR, EACCES, ELOOP, ENAMETOOLONG, EINVAL (not
 * a regular file, or a NULL argument)... Does not block.
 */
enum sfd_hot_result sfd_hot_open(struct sfd_hot_root *root, const char *path, struct sfd_hot_file *file) SFD_API;

/*
 * Reads a part of a file into memory: all of it or nothing. Meant for small files, which go out behind their header in
 * one send(2): up to some 16 KiB that is as fast as sfd_hot_send(), which is faster above.
 *
 *   offset, length   the part; length SFD_TO_END: to the end, file->size - offset bytes
 *   buffer, size     where to. What is in it is undefined unless the result is SFD_HOT_DONE
 *
 * DONE; BIG: the part has more than `size` bytes; COLD; or FAILED: ERANGE (the part is not inside the file), ENODATA
 * (the file has become shorter since it was opened), EBADF (it is closed), EINVAL (a NULL argument), EIO... Does not
 * block.
 */
enum sfd_hot_result sfd_hot_read(struct sfd_hot_file *file, off_t offset, size_t length, void *buffer,
                                 size_t size) SFD_API;

/*
 * Sends a part of a file, and bytes of the caller's before it, to a stream socket or a pipe, without copying the
 * file's.
 *
 *   destination_fd   TCP, UNIX stream socket, or pipe. It need not be non-blocking, and is not waited for in any case;
 *                    but only a non-blocking socket gets the file's bytes without a copy
 *   rest             what to send, and afterwards what is still to be sent, whatever the result is
 *
 * DONE: the destination has accepted everything, rest->length is 0. BLOCKED: call it again when the destination is
 * writable. COLD: hand over; if nothing was sent before, the head was not either, so that any answer can still be
 * given. Or FAILED: EPIPE, ECONNRESET (the peer has gone), ENODATA (the file has become shorter since it was opened),
 * ERANGE (the part is not inside the file), EOPNOTSUPP (the destination is no stream socket or pipe), EBADF (it or the
 * file is not open), EINVAL (a NULL argument), EIO...
 *
 * Does not block, but a quick reader of a big file can keep it busy: to give others a turn, give it a rest of a part.
 */
enum sfd_hot_result sfd_hot_send(struct sfd_hot_file *file, int destination_fd, struct sfd_hot_rest *rest) SFD_API;

/* Closes the file. Idempotent; so is a file of all zeros. Does not touch errno. Does not block for a file that is hot.
 */
void sfd_hot_close(struct sfd_hot_file *file) SFD_API;

/*
 * Hands over to a daemon what is cold: it sends the rest, head and all, to the destination, from the descriptor of the
 * file, or from the path if that was not opened. A Send Descriptor or a Send File of version 2 (sfd_send_fd(),
 * sfd_send_with(), and with a head sfd_send_fd_segments(), sfd_send_segments()).
 *
 *   srv_sockfd         of sfd_connect()
 *   file               NULL: it was not opened. May be closed as soon as the call has returned
 *   path               if `file` is NULL, relative to the root of the daemon, which should be the same; else ignored
 *   destination_fd     as sfd_send(). Do not write to it until the transfer is over
 *   rest               borrowed; of a file of which nothing was opened, as it is to be sent
 *   stat_fd_nonblock   whether the returned descriptor is non-blocking
 *   options            as sfd_send_with(); NULL: none. The request is of version 2 in any case
 *
 * Returns the status channel, which tells how the transfer ends: sfd_events_next(); or -1 with the errno of those
 * functions; EMSGSIZE: a head that is longer than some 4 KiB (SFD_SEGMENTS_ROOM) has to be sent before; EBADF: the file
 * is closed. Blocks while the daemon's queue of requests is full, unless srv_sockfd is non-blocking.
 */
int sfd_hot_hand_over(int srv_sockfd, const struct sfd_hot_file *file, const char *path, int destination_fd,
                      const struct sfd_hot_rest *rest, bool stat_fd_nonblock,
                      const struct sfd_options *options) SFD_API;

#ifdef __cplusplus
}
#endif

#endif
