/*
 * Residency of file windows in the page cache.
 *
 * Measured on 6.18: cachestat 0.7-1.4 us cold and 7.5 us for a resident MiB, preadv2(RWF_NOWAIT) of one byte 0.2-0.9 us
 * warm but 70-85 us cold, because it reads that page. So cachestat comes first: for a cold window it is the only call.
 * It also counts pages that are still being read; therefore the first and the last byte are read too. They stand for
 * the window, because readahead fills it front to back.
 *
 * cachestat is answered only to the file's owner and to who may write it (EPERM, can_do_cachestat in mm/filemap.c), so
 * a daemon that serves the files of another user, as most do, never gets an answer. mincore says "all" then. There the
 * bytes alone tell: one each PROBE_STEP, as far apart as a device reads ahead, and the last. A hole between two of them
 * is missed, and costs one wait for the disk. A probe that fails reads no other page than its own, because it follows
 * no other read; so the probes of one window do not answer for each other.
 */
#include "disk/residency.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "sys/fd.h"

#ifndef FUSE_SUPER_MAGIC
#define FUSE_SUPER_MAGIC 0x65735546
#endif
#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif
#ifndef F2FS_SUPER_MAGIC
#define F2FS_SUPER_MAGIC 0xF2F52010
#endif

/* Asks for one byte: 1: it is ready, 0: the file ends before it, -EAGAIN: the disk has it, another -errno: untold. */
static int64_t ask_byte(const struct sfd_kernel *kernel, int fd, uint64_t offset)
{
    char byte;
    const struct iovec iov = {.iov_base = &byte, .iov_len = 1};

    return kernel->sys->preadv2(fd, &iov, 1, (int64_t)offset, RWF_NOWAIT);
}

/* Whether this file can be read with RWF_NOWAIT: 1, 0, or -errno when the call does not tell. */
static int64_t asks_nowait(const struct sfd_kernel *kernel, int fd)
{
    const int64_t n = ask_byte(kernel, fd, 0);

    if (n >= 0 || n == -EAGAIN) return 1;
    return n == -EOPNOTSUPP || n == -EINVAL ? 0 : n;
}

static bool reads_nowait(const struct sfd_kernel *kernel, int fd)
{
    return asks_nowait(kernel, fd) > 0;
}

static enum sfd_medium medium_of_type(const struct sfd_kernel *kernel, int fd)
{
    uint64_t type = 0;

    if (kernel->sys->fstatfs_type(fd, &type) < 0) return SFD_MEDIUM_UNKNOWN;
    switch (type) {
    case TMPFS_MAGIC:
    case RAMFS_MAGIC:
        return SFD_MEDIUM_MEMORY;
    case HUGETLBFS_MAGIC: /* knows read(2), but neither splice(2) nor sendfile(2) nor RWF_NOWAIT */
        return SFD_MEDIUM_REMOTE;
    case FUSE_SUPER_MAGIC:
        return SFD_MEDIUM_FUSE;
    case XFS_SUPER_MAGIC:
        return SFD_MEDIUM_LOCKING;
    case EXT4_SUPER_MAGIC: /* ext2 and ext3 as well */
    case BTRFS_SUPER_MAGIC:
    case F2FS_SUPER_MAGIC:
    case OVERLAYFS_SUPER_MAGIC:
        return SFD_MEDIUM_LOCAL;
    default:
        return SFD_MEDIUM_REMOTE;
    }
}

static enum sfd_medium medium_of(const struct sfd_kernel *kernel, int fd)
{
    const enum sfd_medium medium = medium_of_type(kernel, fd);
    const bool has_pages = medium == SFD_MEDIUM_LOCAL || medium == SFD_MEDIUM_LOCKING;

    if (!has_pages) return medium;
    const int64_t asked = asks_nowait(kernel, fd);
    if (asked < 0) return SFD_MEDIUM_UNKNOWN;
    return asked > 0 ? medium : SFD_MEDIUM_REMOTE;
}

enum sfd_medium sfd_residency_medium_of_root(const struct sfd_kernel *kernel, int fd)
{
    return medium_of_type(kernel, fd);
}

bool sfd_residency_opens_here(const struct sfd_kernel *kernel, int fd)
{
    return sfd_medium_is_local(medium_of_type(kernel, fd));
}

int sfd_residency_learn(struct sfd_devices *devices, const struct sfd_kernel *kernel, int fd, uint64_t dev)
{
    const int index = sfd_devices_add(devices, dev);
    const int medium = (int)medium_of(kernel, fd);
    int known = SFD_MEDIUM_UNKNOWN;

    /* A failed call says nothing about the device, and the table keeps an entry for long. */
    if (medium == SFD_MEDIUM_UNKNOWN) return index;
    if (!atomic_compare_exchange_strong(&devices->at[index].medium, &known, medium) && known != medium)
        atomic_store(&devices->at[index].medium, SFD_MEDIUM_REMOTE);
    return index;
}

bool sfd_residency_is_on(const struct sfd_kernel *kernel, enum sfd_medium medium, int fd, uint64_t dev)
{
    if (major(dev) != 0) return true;
    /* Neither call waits. A memory file system is recognized by its seals, a local one by RWF_NOWAIT. */
    return medium == SFD_MEDIUM_MEMORY ? kernel->sys->fcntl(fd, F_GET_SEALS, 0) >= 0 : reads_nowait(kernel, fd);
}

/*
 * cachestat counts too few where its thread loses the processor in the middle of a large folio (seen on 6.18: one
 * window of 4,000 on a busy machine). What is there in part, which is rare otherwise, is counted again.
 */
#define RECOUNTS 3

/* Bytes between two that stand for those between them. */
#define PROBE_STEP ((uint64_t)128 * 1024)

static bool byte_is_ready(const struct sfd_kernel *kernel, int fd, uint64_t offset)
{
    /* 0: the file has become shorter; the move will find that out without waiting. */
    return ask_byte(kernel, fd, offset) >= 0;
}

/* As sfd_residency_probe, by bytes alone. */
static uint64_t ready_by_bytes(const struct sfd_kernel *kernel, int fd, uint64_t offset, uint64_t length)
{
    uint64_t ready = 0; /* before the last byte that was ready */

    for (uint64_t at = 0; at < length; at += PROBE_STEP) {
        if (!byte_is_ready(kernel, fd, offset + at)) return ready;
        ready = at;
    }
    return byte_is_ready(kernel, fd, offset + length - 1) ? length : ready;
}

static uint64_t pages_between(uint64_t offset, uint64_t length)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

    return (offset + length - 1) / page - offset / page + 1;
}

/* How many pages of a range are in the cache; -errno when the kernel does not tell this process, or not at all. */
static int64_t pages_present(const struct sfd_kernel *kernel, int fd, uint64_t offset, uint64_t length)
{
    const struct sfd_cachestat_range range = {.offset = offset, .length = length};
    struct sfd_cachestat stat;

    if (!kernel->cachestat) return -ENOSYS;
    const int result = kernel->sys->cachestat(fd, &range, &stat);
    return result < 0 ? result : (int64_t)stat.nr_cache;
}

static bool are_all(int64_t pages, uint64_t offset, uint64_t length)
{
    return (uint64_t)pages >= pages_between(offset, length);
}

uint64_t sfd_residency_probe(const struct sfd_kernel *kernel, enum sfd_medium medium, int fd, uint64_t offset,
                             uint64_t length)
{
    if (medium == SFD_MEDIUM_MEMORY) return length;
    if (!sfd_medium_is_local(medium) || length == 0) return 0;
    int64_t pages = pages_present(kernel, fd, offset, length);
    for (int i = 0; i < RECOUNTS && pages > 0 && !are_all(pages, offset, length); i++)
        pages = pages_present(kernel, fd, offset, length);
    if (pages < 0) return ready_by_bytes(kernel, fd, offset, length);
    if (!are_all(pages, offset, length)) return 0;
    if (!byte_is_ready(kernel, fd, offset)) return 0;
    if (length > 1 && !byte_is_ready(kernel, fd, offset + length - 1)) return 0;
    return length;
}

bool sfd_residency_is_absent(const struct sfd_kernel *kernel, int fd, uint64_t offset, uint64_t length)
{
    const int64_t pages = pages_present(kernel, fd, offset, length);

    if (pages >= 0) return pages == 0;
    for (uint64_t at = 0; at < length + PROBE_STEP; at += PROBE_STEP) {
        const int64_t asked = ask_byte(kernel, fd, offset + (at < length ? at : length - 1));
        if (asked == 0 && at > 0) break; /* the file ends here */
        if (asked != -EAGAIN) return false;
    }
    return true;
}

void sfd_residency_request(const struct sfd_kernel *kernel, int fd, uint64_t from, uint64_t to)
{
    /* One call reads no more than the device's read-ahead, often 128 KiB, whatever length it is given (6.18). */
    const uint64_t piece = 128 * 1024;

    for (uint64_t at = from; at < to; at += piece) {
        const uint64_t length = to - at < piece ? to - at : piece;
        if (kernel->sys->fadvise(fd, at, length, POSIX_FADV_WILLNEED) < 0) return;
    }
}

int64_t sfd_residency_load(const struct sfd_kernel *kernel, int fd, uint64_t offset, uint64_t length)
{
    uint64_t loaded = 0;

    while (loaded < length) {
        int64_t at = (int64_t)(offset + loaded);
        const int64_t n = kernel->sys->sendfile(kernel->null_fd, fd, &at, (size_t)(length - loaded));
        if (n == -EINTR) continue;
        if (n < 0) return loaded > 0 ? (int64_t)loaded : n;
        if (n == 0) break;
        loaded += (uint64_t)n;
    }
    return (int64_t)loaded;
}

bool sfd_residency_stays(const struct sfd_kernel *kernel, int fd, uint64_t offset, uint64_t length)
{
    const int64_t pages = pages_present(kernel, fd, offset, length);

    return pages < 0 ? ready_by_bytes(kernel, fd, offset, length) == length : are_all(pages, offset, length);
}

int sfd_residency_is_memory(const struct sfd_kernel *kernel, int fd)
{
    uint64_t type = 0;
    const int result = kernel->sys->fstatfs_type(fd, &type);

    if (result < 0) return result;
    return type == TMPFS_MAGIC || type == RAMFS_MAGIC || type == HUGETLBFS_MAGIC ? 1 : 0;
}

uint64_t sfd_residency_allocated(const struct sfd_kernel *kernel, int fd, uint64_t offset, uint64_t length)
{
    const struct sfd_cachestat_range range = {.offset = offset, .length = length};
    struct sfd_cachestat stat;
    struct statx st;

    /* Neither lseek(2) nor mincore(2) sees the pages of fallocate(2) before they are written. */
    if (kernel->cachestat && kernel->sys->cachestat(fd, &range, &stat) == 0)
        return (stat.nr_cache + stat.nr_evicted) * (uint64_t)sysconf(_SC_PAGESIZE);
    if (kernel->sys->statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BLOCKS, &st) < 0) return 0;
    return st.stx_blocks * 512;
}
