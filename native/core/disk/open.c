/*
 * Opening a regular file inside a root, and checking a range against it.
 */
#include "disk/open.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "sys/errno_policy.h"
#include "sys/fd.h"

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20
#endif

/* Resolution that cannot leave the root. */
#define RESOLVE_INSIDE ((uint64_t)(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS))

/* Resolution that ends with -EXDEV where it would leave the directory or its mount. */
#define RESOLVE_NEAR ((uint64_t)(RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS))

/* Fills *out if `fd` is a regular file: 0 or -errno. With `cached` never blocks. */
static int describe(const struct sfd_kernel *kernel, int fd, bool cached, struct sfd_opened *out)
{
    const unsigned mask =
        STATX_TYPE | STATX_MODE | STATX_INO | STATX_SIZE | STATX_BLOCKS | STATX_ATIME | STATX_MTIME | STATX_CTIME;
    const int sync = cached ? AT_STATX_DONT_SYNC : AT_STATX_SYNC_AS_STAT;
    struct statx st;

    const int result = kernel->sys->statx(fd, "", AT_EMPTY_PATH | sync, mask, &st);
    if (result < 0) return result;
    if (!S_ISREG(st.stx_mode)) return -EINVAL;
    *out = (struct sfd_opened){
        .fd = fd,
        .dev = makedev(st.stx_dev_major, st.stx_dev_minor),
        .size = st.stx_size,
        .inode = st.stx_ino,
        .atime = st.stx_atime.tv_sec,
        .mtime = st.stx_mtime.tv_sec,
        .ctime = st.stx_ctime.tv_sec,
        .atime_ns = st.stx_atime.tv_nsec,
        .mtime_ns = st.stx_mtime.tv_nsec,
        .ctime_ns = st.stx_ctime.tv_nsec,
        .mode = st.stx_mode,
        .sparse = st.stx_blocks < st.stx_size / 512,
    };
    return 0;
}

static int open_file(const struct sfd_kernel *kernel, int directory, const char *path, uint64_t resolve, bool cached,
                     struct sfd_opened *out)
{
    /* O_NONBLOCK: the open of a FIFO or of a leased file does not wait. O_NOCTTY: a terminal is not adopted. */
    const struct open_how how = {
        .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
        .resolve = resolve | (cached ? RESOLVE_CACHED : 0u),
    };

    if (cached && !kernel->resolve_cached) return -EAGAIN;
    int fd = kernel->sys->openat2(directory, path, &how);
    if (fd == -ENXIO) return -EINVAL; /* a socket, or a device without a driver: no regular file either */
    if (fd < 0) return fd;
    const int result = describe(kernel, fd, cached, out);
    if (result < 0) sfd_fd_close(kernel->sys, &fd);
    return result;
}

int sfd_open_root(const struct sfd_kernel *kernel, const char *path, bool cached)
{
    const struct open_how how = {
        .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
        .resolve = cached ? RESOLVE_CACHED : 0u,
    };

    if (cached && !kernel->resolve_cached) return -EAGAIN;
    return kernel->sys->openat2(AT_FDCWD, path, &how);
}

int sfd_open_path(const struct sfd_kernel *kernel, int root, const char *path, struct sfd_opened *out)
{
    return open_file(kernel, root, path, RESOLVE_INSIDE, false, out);
}

int sfd_open_cached(const struct sfd_kernel *kernel, int root, const char *path, struct sfd_opened *out)
{
    return open_file(kernel, root, path, RESOLVE_INSIDE | RESOLVE_NO_XDEV, true, out);
}

/* 0 or -ESTALE. ctime changes with everything but the time of reading; a file system may lack it. */
static int compare(const struct sfd_opened *now, const struct sfd_opened *opened)
{
    const bool same = now->dev == opened->dev && now->inode == opened->inode && now->size == opened->size &&
                      now->mode == opened->mode && now->mtime == opened->mtime && now->mtime_ns == opened->mtime_ns &&
                      now->ctime == opened->ctime && now->ctime_ns == opened->ctime_ns;
    return same ? 0 : -ESTALE;
}

int sfd_open_file_same(const struct sfd_kernel *kernel, const struct sfd_opened *opened)
{
    struct sfd_opened now;

    const int result = describe(kernel, opened->fd, true, &now);
    return result < 0 ? result : compare(&now, opened);
}

int sfd_open_cached_same(const struct sfd_kernel *kernel, int root, const char *path, const struct sfd_opened *opened)
{
    /* O_PATH: no lease is broken and no listener asked, by which the open of a file may wait. */
    const struct open_how how = {
        .flags = O_PATH | O_CLOEXEC,
        .resolve = RESOLVE_INSIDE | RESOLVE_NO_XDEV | RESOLVE_CACHED,
    };
    struct sfd_opened now;

    int fd = kernel->sys->openat2(root, path, &how);
    if (fd < 0) return fd;
    const int result = describe(kernel, fd, true, &now);
    sfd_fd_close(kernel->sys, &fd);
    return result < 0 ? result : compare(&now, opened);
}

int sfd_open_descriptor(const struct sfd_kernel *kernel, int *fd, bool cached, struct sfd_opened *out)
{
    const struct sfd_sys *sys = kernel->sys;
    struct sfd_opened opened;

    const int flags = sys->fcntl(*fd, F_GETFL, 0);
    if (flags < 0) return flags;
    if ((flags & O_PATH) != 0 || (flags & O_ACCMODE) == O_WRONLY) return -EBADF;
    const int result = describe(kernel, *fd, cached, &opened);
    if (result < 0) return result;
    opened.shared = true;
    if ((flags & O_DIRECT) != 0) {
        if (cached) return -EAGAIN;
        const int own = sfd_fd_reopen(sys, *fd, O_RDONLY | O_NONBLOCK | O_NOCTTY);
        if (own < 0) return sfd_errno_policy(SFD_PLACE_OPEN, own) == SFD_REMEDY_DEFER ? own : -EINVAL;
        sfd_fd_close(sys, fd);
        opened.fd = own;
        opened.shared = false;
    }
    *fd = -1;
    *out = opened;
    return 0;
}

bool sfd_open_turned_direct(const struct sfd_kernel *kernel, int fd)
{
    const int flags = kernel->sys->fcntl(fd, F_GETFL, 0);

    return flags < 0 || (flags & O_DIRECT) != 0;
}

/* The position of the last name in a path; 0 when there is only one. */
static size_t last_name(const char *path, size_t length)
{
    while (length > 0 && path[length - 1] == '/')
        length--;
    while (length > 0 && path[length - 1] != '/')
        length--;
    return length;
}

/*
 * Opens the longest part of `path` that the kernel's caches know as a directory. Mount points, and the directories
 * above them, are always in the caches: so all that follows is on the same device, unless a symbolic link or ".." leads
 * away. 0, or -errno when the caches cannot tell.
 */
static int open_known_part(const struct sfd_kernel *kernel, int root, const char *path, struct sfd_near *out)
{
    const struct open_how how = {
        .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
        .resolve = RESOLVE_INSIDE | RESOLVE_CACHED,
    };
    const size_t slashes = strspn(path, "/"); /* the root */
    size_t end = strlen(path);
    char part[PATH_MAX];

    if (end >= sizeof(part)) return -ENAMETOOLONG;
    memcpy(part, path, end);
    for (end = last_name(path, end); end > slashes; end = last_name(path, end)) {
        if (!kernel->resolve_cached) return -EAGAIN;
        part[end] = '\0';
        const int fd = kernel->sys->openat2(root, part, &how);
        if (fd < 0 && fd != -EAGAIN) return fd;
        if (fd >= 0) {
            *out = (struct sfd_near){.directory = fd, .rest = (uint16_t)end};
            return 0;
        }
    }
    *out = (struct sfd_near){.directory = -1, .rest = (uint16_t)slashes};
    return 0;
}

/* The st_dev of a directory that is open with O_PATH. 0 or -errno. */
static int device_of(const struct sfd_kernel *kernel, int directory, uint64_t *dev)
{
    struct statx st;
    const int result = kernel->sys->statx(directory, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st);

    if (result == 0) *dev = makedev(st.stx_dev_major, st.stx_dev_minor);
    return result;
}

int sfd_open_device(const struct sfd_kernel *kernel, int root, const char *path, struct sfd_near *near, uint64_t *dev)
{
    int result = open_known_part(kernel, root, path, near);

    if (result < 0) return result;
    result = device_of(kernel, near->directory < 0 ? root : near->directory, dev);
    if (result < 0) sfd_fd_close(kernel->sys, &near->directory);
    return result;
}

static int open_near(const struct sfd_kernel *kernel, int root, const struct sfd_near *near, const char *path,
                     bool cached, struct sfd_opened *out)
{
    if (path[near->rest] == '\0') return -EXDEV;
    return open_file(kernel, near->directory < 0 ? root : near->directory, path + near->rest, RESOLVE_NEAR, cached,
                     out);
}

int sfd_open_on_device(const struct sfd_kernel *kernel, int root, const struct sfd_near *near, const char *path,
                       struct sfd_opened *out)
{
    struct sfd_near found;

    if (near != NULL) return open_near(kernel, root, near, path, false, out);
    if (open_known_part(kernel, root, path, &found) < 0) return -EXDEV;
    const int result = open_near(kernel, root, &found, path, false, out);
    sfd_fd_close(kernel->sys, &found.directory);
    return result;
}

int sfd_open_cached_on_device(const struct sfd_kernel *kernel, int root, const struct sfd_near *near, const char *path,
                              struct sfd_opened *out)
{
    return open_near(kernel, root, near, path, true, out);
}

int sfd_open_range(uint64_t size, int64_t offset, uint64_t length, uint64_t *end)
{
    if (offset < 0 || (uint64_t)offset > size) return -ERANGE;
    const uint64_t rest = size - (uint64_t)offset;
    if (length == SFD_OPEN_TO_END) length = rest;
    if (length > rest) return -ERANGE;
    *end = (uint64_t)offset + length;
    return 0;
}
