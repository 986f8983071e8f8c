/*
 * How a transfer opens its file: at once, if the kernel's caches know it, else in the disk pool. Loop only.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sys/errno_policy.h"
#include "transfer/observe.h"
#include "transfer/transfer_private.h"

static enum sfd_next offload_open(struct sfd_context *context, struct sfd_transfer *t, uint8_t queue)
{
    /* The last moment to refuse: an accepted transfer waits when its client may have no more disk tasks. */
    const int result = sfd_client_account_ask_task(t->loop.account, context->counters);
    if (result < 0) return sfd_transfer_refuse(context, t, result);
    sfd_counters_add(context->counters, SFD_COUNTER_COLD_OPENS, 1);
    sfd_observe_cold(context, t, false);
    t->state = SFD_STATE_OPENING;
    return sfd_transfer_offload(context, t, SFD_JOB_OPEN, queue);
}

/* `device` is where the open will wait: an index, or -1 when that is unknown. */
static enum sfd_next open_in_pool(struct sfd_context *context, struct sfd_transfer *t, const char *path, int device)
{
    t->source.path = strdup(path);
    if (t->source.path == NULL) return sfd_transfer_refuse(context, t, -ENOMEM);
    return offload_open(context, t, sfd_transfer_queue((int16_t)device));
}

/*
 * The device that the open of a path waits for, as far as the kernel's caches tell: its index, to be put, or -1 with
 * nothing in *near.
 */
static int device_of(const struct sfd_context *context, const struct sfd_transfer *t, const char *path,
                     struct sfd_near *near)
{
    uint64_t dev = 0;
    const int result = sfd_open_device(&context->kernel, sfd_transfer_root(t), path, near, &dev);

    return result < 0 ? -1 : sfd_devices_add(context->devices, dev);
}

/* For the open in the disk pool; a root that is followed has the place already. */
static void keep_near(const struct sfd_context *context, struct sfd_transfer *t, struct sfd_near *near)
{
    if (t->source.root->follow != NULL) {
        sfd_fd_close(context->kernel.sys, &near->directory);
        return;
    }
    t->source.directory = near->directory;
    t->source.rest = near->rest;
}

static bool is_local(const struct sfd_context *context, int device)
{
    return device >= 0 && sfd_medium_is_local(sfd_devices_medium(context->devices, device));
}

/* From the caches of the kernel; where the client has just tried that, it is not tried again. */
static int open_cached(const struct sfd_context *context, const struct sfd_transfer *t, const char *path,
                       struct sfd_opened *out)
{
    /* What a client finds is on the device of its root. */
    if (!t->source.root->opens_here || t->job.content_most > 0) return -EXDEV;
    return sfd_open_cached(&context->kernel, sfd_transfer_root(t), path, out);
}

/* Whether the caches were not enough, or no descriptor was free: the disk pool may wait. */
static bool is_for_pool(int result)
{
    return result < 0 && sfd_errno_policy(SFD_PLACE_OPEN_CACHED, result) == SFD_REMEDY_POOL;
}

void sfd_transfer_drop_root(const struct sfd_context *context, struct sfd_transfer *t)
{
    struct sfd_root *root = t->source.root;

    t->source.root = NULL;
    sfd_fd_close(context->kernel.sys, &t->source.directory); /* O_PATH: nothing is flushed */
    sfd_root_put(root);
}

static enum sfd_next take_over(struct sfd_context *context, struct sfd_transfer *t, const struct sfd_opened *file,
                               int device)
{
    const int result = sfd_transfer_adopt(context, t, file, device);

    return result < 0 ? sfd_transfer_refuse(context, t, result) : sfd_transfer_opened(context, t);
}

enum sfd_next sfd_transfer_open_path(struct sfd_context *context, struct sfd_transfer *t, const char *path)
{
    struct sfd_opened file;
    struct sfd_near near = {.directory = -1};
    int device = -1;
    int result = 0;

    if (t->source.root->follow != NULL) {
        result = sfd_open_root(&context->kernel, t->source.root->follow, true);
        if (is_for_pool(result)) return open_in_pool(context, t, path, -1);
        if (result < 0) return sfd_transfer_refuse(context, t, result);
        t->source.directory = result;
    }
    result = open_cached(context, t, path, &file);
    if (is_for_pool(result)) {
        device = device_of(context, t, path, &near);
        sfd_transfer_hold_device(context, t, device);
        if (result == -EXDEV && is_local(context, device))
            result = sfd_open_cached_on_device(&context->kernel, sfd_transfer_root(t), &near, path, &file);
        if (is_for_pool(result)) {
            keep_near(context, t, &near);
            return open_in_pool(context, t, path, device);
        }
        sfd_fd_close(context->kernel.sys, &near.directory);
    }
    if (result < 0) return sfd_transfer_refuse(context, t, result);
    device = sfd_devices_find(context->devices, file.dev);
    if (is_local(context, device)) return take_over(context, t, &file, device);
    /* The device is new: the disk pool has to learn its medium. */
    if (device < 0) device = sfd_devices_add(context->devices, file.dev);
    sfd_transfer_hold_device(context, t, device);
    sfd_closer_take_file(&context->closer, &file.fd, device, t->loop.account);
    return open_in_pool(context, t, path, device);
}

enum sfd_next sfd_transfer_open_source(struct sfd_context *context, struct sfd_transfer *t, int source)
{
    struct sfd_opened file;
    struct sfd_fd_info info = {.dev = 0};
    int device = -1;

    const int result = sfd_open_descriptor(&context->kernel, &source, true, &file);
    if (result == 0) {
        device = sfd_devices_add(context->devices, file.dev);
        if (is_local(context, device) &&
            sfd_residency_is_on(&context->kernel, sfd_devices_medium(context->devices, device), file.fd, file.dev))
            return take_over(context, t, &file, device);
        t->source.fd = file.fd;
    } else if (is_for_pool(result) && sfd_fd_classify(context->kernel.sys, source, &info) == 0) {
        t->source.fd = source;
        device = sfd_devices_add(context->devices, info.dev);
    } else {
        sfd_closer_take_unknown(&context->closer, &source, t->loop.account);
        return sfd_transfer_refuse(context, t, result);
    }
    sfd_transfer_hold_device(context, t, device);
    return offload_open(context, t, sfd_transfer_queue(device));
}

/*
 * Whether the open failed for something that passes by itself: a process is asked to give up its lease on the file
 * (fcntl(2)), or directories are renamed while a path with ".." is resolved (openat2(2)). open(2) waits there. With the
 * file open, EAGAIN tells of a write lock, for which nothing waits.
 */
static bool is_busy(const struct sfd_transfer *t)
{
    return t->job.error == -EAGAIN && t->source.path != NULL && t->source.fd < 0;
}

static bool passes(const struct sfd_transfer *t)
{
    return is_busy(t) || (t->job.error < 0 && sfd_errno_policy(SFD_PLACE_OPEN, t->job.error) == SFD_REMEDY_DEFER);
}

enum sfd_next sfd_transfer_after_open(struct sfd_context *context, struct sfd_transfer *t)
{
    if (t->job.error == -EXDEV && t->task.queue != SFD_QUEUE_OPEN) {
        /* A link leads to another disk, which may be dead. */
        return sfd_transfer_offload(context, t, SFD_JOB_OPEN, SFD_QUEUE_OPEN);
    }
    if (passes(t)) {
        /*
         * A path will be opened again, so its file is closed; a descriptor from the client is kept, because there is no
         * other.
         */
        if (t->source.path != NULL) {
            sfd_closer_take_file(&context->closer, &t->source.fd, t->source.device, t->loop.account);
            sfd_transfer_drop_snapshot(context, t);
        }
        return sfd_transfer_defer(context, t, t->job.error);
    }
    sfd_transfer_got_on(t);
    free(t->source.path);
    t->source.path = NULL;
    if (t->job.error < 0) return sfd_transfer_refuse(context, t, t->job.error);
    return sfd_transfer_opened(context, t);
}

enum sfd_next sfd_transfer_open_again(struct sfd_context *context, struct sfd_transfer *t)
{
    return sfd_transfer_offload(context, t, SFD_JOB_OPEN, t->task.queue);
}
