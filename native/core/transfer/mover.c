/*
 * Movers: sendfile, splice, mmap, read-write to pipes, sockets and devices.
 */
#include "transfer/mover.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/errno_policy.h"
#include "transfer/destination.h"

/* A mapping lasts for one step, so it is no larger than a step, to save page tables. */
#define MAPPING_BYTES_MAX ((uint64_t)1024 * 1024)

bool sfd_progress_take(struct sfd_progress *progress, int64_t result)
{
    if (result > 0) {
        progress->moved += (uint64_t)result;
        return true;
    }
    const int error = result == 0 ? -ENODATA : (int)result;
    switch (sfd_errno_policy(SFD_PLACE_MOVE, error)) {
    case SFD_REMEDY_READY:
        progress->step = SFD_STEP_BLOCKED;
        break;
    case SFD_REMEDY_DEFER:
        progress->step = SFD_STEP_SHORT;
        progress->error = error;
        break;
    default:
        progress->step = SFD_STEP_FAILED;
        progress->error = error;
        break;
    }
    return false;
}

/*
 * One call a step: the caller asks before each whether the destination still has O_NONBLOCK. If a call blocks all the
 * same, a signal of the watchdog interrupts it (EINTR), and the transfer waits for the destination in epoll; a device
 * is never full.
 */
static struct sfd_progress step_sendfile(const struct sfd_move *move, uint64_t offset, uint64_t limit)
{
    struct sfd_progress progress = {.step = SFD_STEP_MORE};
    int64_t at = (int64_t)offset;

    const int64_t n = move->kernel->sys->sendfile(move->dest, move->file, &at, sfd_mover_call_size(limit));
    if (n != -EINTR || move->dest_kind != SFD_FD_CHAR) (void)sfd_progress_take(&progress, n);
    return progress;
}

static struct sfd_progress step_splice(const struct sfd_move *move, uint64_t offset, uint64_t limit)
{
    struct sfd_progress progress = {.step = SFD_STEP_MORE};
    int64_t at = (int64_t)offset;

    (void)sfd_progress_take(&progress,
                            move->kernel->sys->splice(move->file, &at, move->dest, sfd_mover_call_size(limit),
                                                      SPLICE_F_NONBLOCK | SPLICE_F_MOVE));
    return progress;
}

struct sfd_progress sfd_mover_read(const struct sfd_move *move, uint64_t offset, uint64_t limit)
{
    const struct iovec iov = {
        .iov_base = move->buffer,
        .iov_len = limit < move->buffer_size ? (size_t)limit : move->buffer_size,
    };
    const int flags = move->memory_file ? 0 : RWF_NOWAIT;
    const int64_t n = move->kernel->sys->preadv2(move->file, &iov, 1, (int64_t)offset, flags);

    if (n > 0) return (struct sfd_progress){.moved = (uint64_t)n, .step = SFD_STEP_MORE};
    if (n < 0 && sfd_errno_policy(SFD_PLACE_READ, (int)n) == SFD_REMEDY_POOL)
        return (struct sfd_progress){.step = SFD_STEP_COLD};
    return (struct sfd_progress){.step = SFD_STEP_FAILED, .error = n == 0 ? -ENODATA : (int)n};
}

static struct sfd_progress step_read_write(const struct sfd_move *move, uint64_t offset, uint64_t limit)
{
    struct sfd_progress progress = {.step = SFD_STEP_MORE};

    while (progress.moved < limit) {
        const struct sfd_progress got = sfd_mover_read(move, offset + progress.moved, limit - progress.moved);
        if (got.step != SFD_STEP_MORE) {
            progress.step = got.step;
            progress.error = got.error;
            break;
        }
        struct iovec iov = {.iov_base = move->buffer, .iov_len = (size_t)got.moved};
        const bool more = move->more || progress.moved + got.moved < limit;
        const struct sfd_progress put = sfd_mover_memory(move->kernel, move->dest, move->dest_kind, &iov, 1, more);
        progress.moved += put.moved;
        if (put.step != SFD_STEP_MORE) {
            progress.step = put.step;
            progress.error = put.error;
            break;
        }
    }
    return progress;
}

int sfd_mover_map(const struct sfd_move *move, uint64_t offset, uint64_t limit, struct sfd_mapping *out)
{
    const struct sfd_sys *sys = move->kernel->sys;
    const uint64_t before = offset % (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t size = 0;

    /* Behind the file's end its last page has zeros, which a write would accept. */
    int result = sfd_fd_size(sys, move->file, &size);
    if (result < 0) return result;
    if (size <= offset) return -ENODATA;
    if (limit > size - offset) limit = size - offset;
    if (limit > MAPPING_BYTES_MAX) limit = MAPPING_BYTES_MAX;
    struct sfd_mapping mapping = {
        .offset = offset,
        .wanted = limit,
        .length = (size_t)(before + limit),
    };
    /* Populated: 1.5 to 2 times the throughput of a page fault for each 64 KiB. */
    result =
        sys->mmap(mapping.length, PROT_READ, MAP_SHARED | MAP_POPULATE, move->file, offset - before, &mapping.address);
    /* EAGAIN of mmap(2) means that the memory may not be locked; it must not be taken for a full destination. */
    if (result < 0) return result == -EAGAIN ? -ENOMEM : result;
    mapping.bytes = (struct iovec){
        .iov_base = (char *)mapping.address + before,
        .iov_len = (size_t)limit,
    };
    *out = mapping;
    return 0;
}

void sfd_mover_unmap(const struct sfd_move *move, const struct sfd_mapping *mapping, struct sfd_progress *progress)
{
    const struct sfd_sys *sys = move->kernel->sys;
    uint64_t size = 0;

    (void)sys->munmap(mapping->address, mapping->length);
    const bool shrunk = sfd_fd_size(sys, move->file, &size) == 0 && size < mapping->offset + mapping->wanted;
    if (shrunk && size < mapping->offset + progress->moved) {
        /* The new end is inside a page that was sent: zeros were sent for the bytes behind it. */
        progress->step = SFD_STEP_FAILED;
        progress->error = -ENODATA;
    } else if (progress->error == -EFAULT) {
        /* A socket may refuse a whole write because one page is missing: the next step maps less. */
        progress->step = shrunk ? SFD_STEP_MORE : SFD_STEP_FAILED;
        progress->error = shrunk ? 0 : -EIO; /* the page should exist: the disk cannot read it */
    }
}

/*
 * Only the kernel reads the mapping: if the file has shrunk meanwhile, a write gives fewer bytes or EFAULT, where an
 * access by this process would raise SIGBUS.
 */
static struct sfd_progress step_mmap(const struct sfd_move *move, uint64_t offset, uint64_t limit)
{
    struct sfd_progress progress = {.step = SFD_STEP_MORE};
    struct sfd_mapping mapping;

    const int result = sfd_mover_map(move, offset, limit, &mapping);
    if (result < 0) {
        (void)sfd_progress_take(&progress, result);
        return progress;
    }
    const bool more = move->more || mapping.bytes.iov_len < limit;
    progress = sfd_mover_memory(move->kernel, move->dest, move->dest_kind, &mapping.bytes, 1, more);
    sfd_mover_unmap(move, &mapping, &progress);
    return progress;
}

struct sfd_progress sfd_mover_step(const struct sfd_move *move, enum sfd_technique technique, uint64_t offset,
                                   uint64_t limit)
{
    static struct sfd_progress (*const steps[SFD_TECHNIQUES])(const struct sfd_move *, uint64_t, uint64_t) = {
        [SFD_TECHNIQUE_SENDFILE] = step_sendfile,
        [SFD_TECHNIQUE_SPLICE] = step_splice,
        [SFD_TECHNIQUE_MMAP] = step_mmap,
        [SFD_TECHNIQUE_READ_WRITE] = step_read_write,
    };

    if ((unsigned)technique >= SFD_TECHNIQUES || steps[technique] == NULL)
        return (struct sfd_progress){.step = SFD_STEP_FAILED, .error = -EINVAL};
    return steps[technique](move, offset, limit);
}

static void advance(struct iovec **iov, int *count, uint64_t bytes)
{
    while (*count > 0 && bytes >= (*iov)->iov_len) {
        bytes -= (*iov)->iov_len;
        (*iov)++;
        (*count)--;
    }
    if (*count > 0) {
        (*iov)->iov_base = (char *)(*iov)->iov_base + bytes;
        (*iov)->iov_len -= (size_t)bytes;
    }
}

struct sfd_progress sfd_mover_memory(const struct sfd_kernel *kernel, int dest, enum sfd_fd_kind dest_kind,
                                     struct iovec *iov, int count, bool more)
{
    struct sfd_progress progress = {.step = SFD_STEP_MORE};

    advance(&iov, &count, 0);
    while (count > 0) {
        const uint64_t before = progress.moved;
        if (!sfd_progress_take(&progress, sfd_destination_write(kernel, dest, dest_kind, iov, count, more))) break;
        advance(&iov, &count, progress.moved - before);
    }
    return progress;
}
