/*
 * Opening a regular file inside a root.
 *
 * Role: the only place that turns a client's path into a descriptor. Resolution stays under the root (openat2,
 * RESOLVE_IN_ROOT): "..", absolute symbolic links and magic links cannot leave it.
 * Thread: functions with "cached" in their names, or a parameter `cached` that is true, run on event loops and never
 * block; the others run in the disk pool and wait for the disk, unless their comment says otherwise.
 */
#ifndef SFD_DISK_OPEN_H
#define SFD_DISK_OPEN_H

#include "sys/kernel.h"

struct sfd_opened {
    int fd; /* given to the caller */
    uint64_t dev;
    uint64_t size;
    uint64_t inode;
    int64_t atime; /* seconds, and below what is behind them */
    int64_t mtime;
    int64_t ctime;
    uint32_t atime_ns;
    uint32_t mtime_ns;
    uint32_t ctime_ns;
    uint16_t mode;
    bool sparse; /* it has fewer blocks than bytes */
    bool shared; /* description shared with the client: no lock, no lseek; see sfd_open_turned_direct */
};

/*
 * Opens the directory `path` as a root, following symbolic links: an O_PATH descriptor, or -errno. With `cached` from
 * the kernel's caches alone, without blocking: -EAGAIN when only the disk can tell.
 */
int sfd_open_root(const struct sfd_kernel *kernel, const char *path, bool cached);

/*
 * Opens `path` (bytes, NUL at the end) for reading below `root` (O_PATH directory, borrowed). 0, or -errno, among them
 * -EINVAL: not a regular file; -EAGAIN: a lease is being broken. Disk pool only.
 */
int sfd_open_path(const struct sfd_kernel *kernel, int root, const char *path, struct sfd_opened *out);

/*
 * The same from the kernel's caches alone, and on the root's own mount: -EAGAIN when only the disk can tell, -EXDEV
 * when the path leads to another mount. Never blocks if an open on that mount asks no server
 * (sfd_residency_opens_here). On FUSE or NFS it may block: the caches know a path for a second or more, but the open
 * itself waits for the server.
 */
int sfd_open_cached(const struct sfd_kernel *kernel, int root, const char *path, struct sfd_opened *out);

/*
 * Whether `path` still leads to the file that it was opened as by sfd_open_cached, and that was not changed since: 0,
 * -ESTALE, or -errno as there. Looks at no permission of the file itself, of which a change shows. Never blocks
 * likewise.
 */
int sfd_open_cached_same(const struct sfd_kernel *kernel, int root, const char *path, const struct sfd_opened *opened);

/*
 * Whether an open file is as it was then: 0, -ESTALE, or -errno. One that was written to, cut, touched, renamed or
 * removed is not, nor one with other permissions. Never blocks likewise, and looks at no path.
 */
int sfd_open_file_same(const struct sfd_kernel *kernel, const struct sfd_opened *opened);

/*
 * Takes a file that the client opened itself, and passed as *fd. 0 with *fd -1 and the descriptor in out->fd; or, with
 * *fd as it was: -EBADF (not open for reading, or O_PATH), -EINVAL (not a regular file, or open with O_DIRECT and not
 * to be opened again without it), -EAGAIN with `cached`: only the disk pool can do it. With `cached` never blocks, and
 * uses the attributes that the kernel has cached.
 *
 * The description stays shared with the client, and out->shared says so: its position is neither used nor moved, and
 * none of its flags is changed. No lock is taken, because it would belong to the client's description: it would turn a
 * write lock of the client's into a read lock, and outlive the transfer. A client that wants a lock can take it. To
 * open the file again, for a description of our own, would need rights that the daemon may not have; it is tried only
 * for O_DIRECT, with which every read waits for the disk.
 */
int sfd_open_descriptor(const struct sfd_kernel *kernel, int *fd, bool cached, struct sfd_opened *out);

/* True when a client has set O_DIRECT on a description that it shares with us: reads then bypass the page cache. */
bool sfd_open_turned_direct(const struct sfd_kernel *kernel, int fd);

/* The last directory on a path that the kernel's caches know. */
struct sfd_near {
    int directory; /* O_PATH, the caller's to close; -1: the root itself */
    uint16_t rest; /* the position of what follows in the path */
};

/*
 * The st_dev of the device that the open of `path` will most likely wait for, that of *near, which is given. 0, or
 * -errno with nothing given (-EAGAIN: only the disk can tell). Never blocks.
 */
int sfd_open_device(const struct sfd_kernel *kernel, int root, const char *path, struct sfd_near *near, uint64_t *dev);

/*
 * sfd_open_path that waits for no other device than that of `near` (borrowed), as sfd_open_device gives it for the same
 * path; NULL: it is looked up once more. -EXDEV when the path leads away from it, by a symbolic link for example.
 */
int sfd_open_on_device(const struct sfd_kernel *kernel, int root, const struct sfd_near *near, const char *path,
                       struct sfd_opened *out);

/* The same from the kernel's caches alone, else -EAGAIN. Never blocks if the device of `near` is local. */
int sfd_open_cached_on_device(const struct sfd_kernel *kernel, int root, const struct sfd_near *near, const char *path,
                              struct sfd_opened *out);

/* A length: to the end of the file. */
#define SFD_OPEN_TO_END UINT64_MAX

/*
 * The end of the range that a request asks for, in *end. An offset at the end of the file is an empty range, and so is
 * a length of 0. 0, or -ERANGE when the range is not inside the file.
 */
int sfd_open_range(uint64_t size, int64_t offset, uint64_t length, uint64_t *end);

#endif
