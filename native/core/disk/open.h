/*
 * Opening a regular file inside a root.
 *
 * Role: the only place that turns a client's path into a descriptor. Resolution stays under the root (openat2,
 * RESOLVE_IN_ROOT): "..", absolute symbolic links and magic links cannot leave it.
 * Thread: what says "cached" an event loop, never blocks; the rest the disk pool, blocks as long as the disk likes.
 */
#ifndef SFD_DISK_OPEN_H
#define SFD_DISK_OPEN_H

#include "sys/kernel.h"

struct sfd_opened {
    int fd; /* given to the caller */
    uint64_t dev;
    uint64_t size;
    int64_t atime;
    int64_t mtime;
    int64_t ctime;
    bool shared; /* the description is the client's: no lock, no lseek, O_DIRECT may come (sfd_open_turned_direct) */
};

/*
 * Opens `path` (bytes, NUL at the end) for reading below `root` (O_PATH directory, borrowed). 0, or -errno, among them
 * -EINVAL: not a regular file; -EAGAIN: a lease is being broken. Disk pool only.
 */
int sfd_open_path(const struct sfd_kernel *kernel, int root, const char *path, struct sfd_opened *out);

/*
 * The same from the kernel's caches alone, and on the root's own mount: -EAGAIN when only the disk can tell, -EXDEV
 * when the path leads to another mount. Never blocks if opens on that mount ask no server (sfd_residency_opens_here):
 * the caches know the path of a file on FUSE or NFS for a second or more, and then it is the open itself that waits.
 */
int sfd_open_cached(const struct sfd_kernel *kernel, int root, const char *path, struct sfd_opened *out);

/*
 * Takes a file that the client opened itself, and passed as *fd. 0 with *fd -1 and the descriptor in out->fd; or, with
 * *fd as it was: -EBADF (not open for reading, or O_PATH), -EINVAL (not a regular file, or O_DIRECT and no way round
 * it), -EAGAIN with `cached`: the disk pool has to look. With `cached` never blocks and believes the attributes that
 * the kernel has.
 *
 * The description stays the client's, and out->shared says so: its position is neither used nor moved, none of its
 * flags is changed, and nothing is locked, because the lock would be the client's own: it would turn a write lock of
 * the client's into a read lock, and outlive the transfer. A client that wants a lock can take it. Opening the file
 * once more, for a description of our own, would ask for rights that the daemon need not have; only O_DIRECT, which
 * waits for the disk in every call, makes us try.
 */
int sfd_open_descriptor(const struct sfd_kernel *kernel, int *fd, bool cached, struct sfd_opened *out);

/*
 * True when a client has set O_DIRECT on a description that we share: its pages are no longer where they are looked
 * for.
 */
bool sfd_open_turned_direct(const struct sfd_kernel *kernel, int fd);

/*
 * The st_dev that the open of `path` will most likely wait for: that of the last directory on the way which the
 * kernel's caches know. 0, or -errno (-EAGAIN: only the disk can tell). Never blocks.
 */
int sfd_open_device(const struct sfd_kernel *kernel, int root, const char *path, uint64_t *dev);

/*
 * sfd_open_path that waits for no other device than the one that sfd_open_device tells: -EXDEV when the path leads away
 * from it, by a symbolic link for example.
 */
int sfd_open_on_device(const struct sfd_kernel *kernel, int root, const char *path, struct sfd_opened *out);

/*
 * The same from the caches alone, or -EAGAIN, and on no device but `dev`, which sfd_open_device has told: -EXDEV when
 * somebody has put another one in its place meanwhile. Never blocks if that device is local.
 */
int sfd_open_cached_on_device(const struct sfd_kernel *kernel, int root, const char *path, uint64_t dev,
                              struct sfd_opened *out);

/*
 * The end of the range that a request asks for, in *end. `length` 0 means to the end of the file; an offset at the end
 * is an empty range. 0, or -ERANGE when the range is not inside the file.
 */
int sfd_open_range(uint64_t size, int64_t offset, uint64_t length, uint64_t *end);

#endif
