/*
 * How a transfer comes by its file: at once, where the kernel's caches know it, or by way of the disk pool. Loop only.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "transfer_private.h"

static enum sfd_next lend_open(struct sfd_context *context, struct sfd_transfer *t, uint8_t queue)
{
    sfd_counters_add(&context->counters, SFD_COUNTER_COLD_OPENS, 1);
    t->state = SFD_STATE_OPENING;
    return sfd_transfer_lend(context, t, SFD_JOB_OPEN, queue);
}

/* The open waits on the queue of its disk, as far as the kernel knows without any disk which one that is. */
static enum sfd_next open_in_pool(struct sfd_context *context, struct sfd_transfer *t,
                                  const char *path)
{
    uint64_t dev = 0;
    uint8_t queue = SFD_QUEUE_OPEN;

    if (sfd_open_device(&context->machine, t->root, path, &dev) == 0)
        queue = sfd_transfer_queue((int16_t)sfd_devices_add(context->devices, dev));
    t->path = strdup(path);
    if (t->path == NULL) return sfd_transfer_refuse(context, t, -ENOMEM);
    return lend_open(context, t, queue);
}

/* What the kernel knows of a file without a disk or a server: true when that is enough for the loop. Its device's index. */
static bool is_known(const struct sfd_context *context, const struct sfd_opened *file, int *device)
{
    *device = sfd_devices_find(context->devices, file->dev);
    return *device >= 0 && sfd_medium_is_local(sfd_devices_medium(context->devices, *device));
}

static enum sfd_next take_over(struct sfd_context *context, struct sfd_transfer *t,
                               const struct sfd_opened *file, int device)
{
    const int result = sfd_transfer_adopt(context, t, file, device);

    return result < 0 ? sfd_transfer_refuse(context, t, result) : sfd_transfer_opened(context, t);
}

enum sfd_next sfd_transfer_open_path(struct sfd_context *context, struct sfd_transfer *t,
                                     const char *path)
{
    struct sfd_opened file;
    int device;

    const int result = sfd_open_path(&context->machine, t->root, path, true, &file);
    if (result == -EAGAIN) return open_in_pool(context, t, path);
    if (result < 0) return sfd_transfer_refuse(context, t, result);
    if (is_known(context, &file, &device)) return take_over(context, t, &file, device);
    /* Its attributes may be stale and its locks may wait for a server: all of it is the disk pool's. */
    sfd_closer_take_file(&context->closer, &file.fd, sfd_transfer_queue(device));
    return open_in_pool(context, t, path);
}

enum sfd_next sfd_transfer_open_source(struct sfd_context *context, struct sfd_transfer *t,
                                       int source)
{
    struct sfd_opened file;
    struct sfd_fd_info info = {.dev = 0};
    int device = -1;

    const int result = sfd_open_descriptor(&context->machine, &source, true, &file);
    if (result == 0) {
        if (is_known(context, &file, &device)) return take_over(context, t, &file, device);
        t->file = file.fd;
        device = sfd_devices_add(context->devices, file.dev);
    } else if (result == -EAGAIN && sfd_fd_classify(context->machine.sys, source, &info) == 0) {
        t->file = source;
        device = sfd_devices_add(context->devices, info.dev);
    } else {
        sfd_closer_take_unknown(&context->closer, &source);
        return sfd_transfer_refuse(context, t, result);
    }
    return lend_open(context, t, sfd_transfer_queue(device));
}

enum sfd_next sfd_transfer_after_open(struct sfd_context *context, struct sfd_transfer *t)
{
    if (t->job_error == -EXDEV && t->task.queue != SFD_QUEUE_OPEN) {
        /* A link leads to another disk, which may be a dead one. */
        return sfd_transfer_lend(context, t, SFD_JOB_OPEN, SFD_QUEUE_OPEN);
    }
    free(t->path);
    t->path = NULL;
    if (t->job_error < 0) return sfd_transfer_refuse(context, t, t->job_error);
    return sfd_transfer_opened(context, t);
}
