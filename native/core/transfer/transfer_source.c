/*
 * The source of a transfer: an opened file is taken over, and its range is locked.
 *
 * Thread: the loop, or the disk pool while it has the transfer. The loop takes over only files of local media, whose
 * locks wait for no server; all others are opened and locked by the disk pool.
 */
#include <errno.h>

#include "sys/errno_policy.h"
#include "transfer/transfer_private.h"

/* Files of file systems without locks are served too. */
static int lock_result(int result)
{
    if (result < 0 && sfd_errno_policy(SFD_PLACE_LOCK, result) == SFD_REMEDY_PASS) return 0;
    return result == -EACCES ? -EAGAIN : result;
}

/* Calls a lock function for each range that will be moved, until one fails: 0 or -errno. */
static int for_ranges(const struct sfd_transfer *t, int (*lock)(int fd, uint64_t offset, uint64_t length))
{
    int result = 0;

    if (t->segments == NULL) {
        const uint64_t size = t->range.end - t->range.begin;
        return size == 0 ? 0 : lock_result(lock(t->source.fd, t->range.begin, size)); /* 0 would be "to the end" */
    }
    for (uint32_t i = 0; i < t->segments->count && result == 0; i++) {
        const struct sfd_segment *segment = &t->segments->segment[i];
        const uint64_t size = sfd_segment_size(segment, t->status.details.size);
        if (segment->bytes == NULL && size > 0)
            result = lock_result(lock(t->source.fd, (uint64_t)segment->offset, size));
    }
    return result;
}

int sfd_transfer_lock(const struct sfd_context *context, struct sfd_transfer *t)
{
    if (t->source.locked || sfd_transfer_size(t) == 0) return 0;
    const int result = for_ranges(t, context->kernel.sys->ofd_read_lock);
    t->source.locked = result == 0;
    return result;
}

/*
 * A file that one step will read is only tested for a conflicting lock: a lock held for a few microseconds would
 * protect nothing, and costs a tenth of a small request. A transfer that has to wait after all takes the lock before it
 * waits.
 */
static int lock_or_test(const struct sfd_context *context, struct sfd_transfer *t)
{
    const uint64_t size = sfd_transfer_size(t);
    const bool waits = size > SFD_SMALL_BYTES || t->command == SFD_WIRE_OPEN_FILE ||
                       !sfd_medium_is_local((enum sfd_medium)t->source.medium);

    /* On a shared description the lock would belong to the client, so it is never taken (sfd_open_descriptor). */
    t->source.locked = t->source.shared;
    if (size == 0 || (waits && !t->source.shared)) return sfd_transfer_lock(context, t);
    return for_ranges(t, context->kernel.sys->ofd_test_read_lock);
}

/* What the client is told of the file. */
static void describe(struct sfd_transfer *t, const struct sfd_opened *opened)
{
    t->status.info = (struct sfd_wire_file_info){
        .size = sfd_transfer_size(t),
        .atime = opened->atime,
        .mtime = opened->mtime,
        .ctime = opened->ctime,
        .id = t->id,
    };
    t->status.details = (struct sfd_wire_file_details){
        .size = opened->size,
        .inode = opened->inode,
        .device = opened->dev,
        .atime_ns = opened->atime_ns,
        .mtime_ns = opened->mtime_ns,
        .ctime_ns = opened->ctime_ns,
        .mode = opened->mode,
    };
}

int sfd_transfer_adopt(const struct sfd_context *context, struct sfd_transfer *t, const struct sfd_opened *opened,
                       int device)
{
    t->source.fd = opened->fd;
    t->source.shared = opened->shared;
    t->source.sparse = opened->sparse;
    sfd_transfer_hold_device(context, t, device);
    t->source.medium = (uint8_t)sfd_devices_medium(context->devices, device);
    if (t->source.medium == SFD_MEDIUM_UNKNOWN) t->source.medium = SFD_MEDIUM_REMOTE; /* for this time */
    const uint64_t asked = t->range.end;
    const uint64_t length = asked == SFD_WIRE_TO_END ? SFD_OPEN_TO_END : asked - t->range.begin;
    int result = t->segments != NULL ? sfd_transfer_begin_segments(t, opened->size)
                                     : sfd_open_range(opened->size, (int64_t)t->range.begin, length, &t->range.end);
    if (result < 0) return result;
    sfd_transfer_load_init(t);
    describe(t, opened);
    t->cache.bounce_only = t->source.medium == SFD_MEDIUM_REMOTE;
    result = lock_or_test(context, t);
    if (result < 0) t->range.end = asked; /* it may be opened once more */
    return result;
}
