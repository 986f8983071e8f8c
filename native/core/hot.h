/*
 * The hot path: opening, reading and sending what the kernel has in memory, in the caller's own thread, and saying
 * "cold" where only a disk, a file server or another mount can go on.
 *
 * Role: one `struct sfd_hot` is a directory below which files are opened, as a root of the daemon: nothing leads out of
 * it. Whoever is told "cold" hands the rest to somebody who may wait: the path if nothing was opened, else the file's
 * descriptor and the offset.
 * Thread: sfd_hot_init and sfd_hot_deinit block, and nothing else may run on that root meanwhile. All other functions
 * never wait for a disk or a server, and any threads may call them at a time, for a file one at a time.
 * Owns: the descriptor of the root, and those of its files until they are closed.
 *
 * What it does not keep from waiting: a page that is evicted between the look at it and its move, and what is hooked
 * into the kernel's calls, such as an antivirus. What has held a thread is noticed, and then everything is cold for a
 * while (hot/hot_device.h).
 */
#ifndef SFD_HOT_H
#define SFD_HOT_H

#include <stddef.h>
#include <stdint.h>

#include "disk/devices.h"
#include "hot/hot_cache.h"
#include "hot/hot_device.h"
#include "sys/fd.h"
#include "sys/kernel.h"

struct sfd_counters;

struct sfd_hot_settings {
    const struct sfd_sys *sys; /* borrowed; NULL: sfd_sys_linux */
    bool sigpipe_is_harmless;  /* the process ignores or handles SIGPIPE; else it is blocked while bytes are sent */
    size_t cache_entries;      /* the most files that a cache of open files keeps open; 0: there is none */
    uint64_t cache_age_ns;     /* for so long an entry is used unchecked: hot/hot_cache.h */
    bool cache_looks;          /* at the file itself each time: one that is not as it was is opened anew at once */
};

struct sfd_hot {
    struct sfd_kernel kernel;
    int root;   /* O_PATH */
    bool opens; /* an open there asks no server */
    enum sfd_medium medium;
    bool sigpipe_is_harmless;
    bool cache_looks;
    uint64_t dev; /* st_dev of the root */
    struct sfd_hot_device device;
    struct sfd_hot_cache cache;
};

/* An open file. Only this module changes it; all may read. */
struct sfd_hot_source {
    struct sfd_hot *hot;         /* borrowed */
    struct sfd_hot_entry *entry; /* of the cache, which shares the descriptor; NULL: its own */
    int fd;                      /* borrowed by all but this module; -1: closed */
    uint16_t mode;
    uint64_t dev; /* st_dev */
    uint64_t inode;
    uint64_t size;    /* bytes, when it was opened, or last checked by the cache */
    int64_t atime_ns; /* since 1970, as are the others; from 1678 to 2262 */
    int64_t mtime_ns;
    int64_t ctime_ns;
};

/* What a call of sfd_hot_source_send ended with. */
enum sfd_hot_step {
    SFD_HOT_STEP_DONE,    /* all was moved */
    SFD_HOT_STEP_BLOCKED, /* the destination said EAGAIN: go on when it can be written to */
    SFD_HOT_STEP_COLD,    /* the next bytes of the file need somebody who may wait */
    SFD_HOT_STEP_FAILED,  /* `error` says why; -ENODATA: the file has become shorter */
};

/* What it moved, in every case, also beside an error. */
struct sfd_hot_sent {
    uint64_t moved;    /* bytes of the file */
    size_t head_moved; /* bytes of the head */
    enum sfd_hot_step step;
    int error; /* 0 or -errno */
};

/*
 * Opens the directory `path` as a root; symbolic links on the way to it are followed. 0, or -errno: those of
 * openat2(2), and of the calls that a hot path is made of. Blocks. On failure there is nothing to deinit.
 */
int sfd_hot_init(struct sfd_hot *hot, const char *path, const struct sfd_hot_settings *options);

/* Idempotent. All files are closed before. May block as close(2) does. */
void sfd_hot_deinit(struct sfd_hot *hot);

/*
 * Opens the regular file `path` (bytes, NUL at the end) for reading below the root; a leading "/" means the root. 0, or
 * -EAGAIN: cold: only the disk can tell, or it is on another mount or a file server; or another -errno that the kernel
 * gave from memory: -ENOENT, -EACCES, -EINVAL (not a regular file), ... On failure *out stays as it was.
 */
int sfd_hot_source_open(struct sfd_hot *hot, const char *path, struct sfd_hot_source *out);

/* The same; what the cache had, and what it gave up, is counted by the thread whose counters these are. NULL: nobody.
 */
int sfd_hot_source_open_counted(struct sfd_hot *hot, const char *path, struct sfd_counters *counters,
                                struct sfd_hot_source *out);

/*
 * Takes a file that the caller has opened, on success only. 0; -EAGAIN: cold: it is on another device than the root, or
 * open with O_DIRECT; -EBADF: not open for reading; -EINVAL: not a regular file. Its position is neither used nor
 * moved.
 */
int sfd_hot_source_adopt(struct sfd_hot *hot, int fd, struct sfd_hot_source *out);

/* Closes it; idempotent. A large file that was removed is closed by a thread of its own: hot/hot_close.h. */
void sfd_hot_source_close(struct sfd_hot_source *file);

/*
 * Reads at most `size` bytes from `offset`. The bytes read, fewer at the end of the file or where the next are not in
 * memory, 0 at the end; -EAGAIN: cold; or another -errno.
 */
int64_t sfd_hot_source_read(struct sfd_hot_source *file, void *to, size_t size, uint64_t offset);

/*
 * Sends `head` (`head_length` bytes of the caller's, such as a response header; none: 0) and then `length` bytes of the
 * file from `offset`, which are inside it (else -ERANGE, and nothing is sent). The head is not sent unless the first
 * bytes behind it are in memory, so COLD with nothing moved leaves every choice. The file goes in windows of at most
 * 256 KiB; the caller bounds `length` if others wait for its thread meanwhile.
 *
 * `dest` is a stream socket or a pipe. `known`: what it is, with its flags, which nobody changes meanwhile; NULL: find
 * out, in three more system calls. Files and others are refused (-EOPNOTSUPP): writing to them may wait. Never waits
 * for the destination either: one without O_NONBLOCK is written to by calls that do not wait, and its flags stay as
 * they are; that copies the bytes once more if it is a socket.
 */
struct sfd_hot_sent sfd_hot_source_send(struct sfd_hot_source *file, int dest, const struct sfd_fd_info *known,
                                        const void *head, size_t head_length, uint64_t offset, uint64_t length);

/* Seconds and nanoseconds as nanoseconds; the nearest that there is. */
int64_t sfd_hot_nanoseconds(int64_t seconds, uint32_t behind);

#endif
