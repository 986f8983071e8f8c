/*
 * One job of a transfer in the disk pool: open its file, load its next window, copy a slice to a regular file. Blocks
 * as long as the disk likes. The loop keeps to what is its own meanwhile, see transfer.h, and sets `cancelled`.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "sys/errno_policy.h"
#include "transfer/copy.h"
#include "transfer/transfer_private.h"

#define COPY_BUFFER ((size_t)64 * 1024)

#define OPEN_TRIES 3 /* against EAGAIN of a rename that races with the resolution, openat2(2) */

/* File systems that know no locks are served all the same. */
static int lock_result(int result)
{
    if (result < 0 && sfd_errno_policy(SFD_PLACE_LOCK, result) == SFD_REMEDY_PASS) return 0;
    return result == -EACCES ? -EAGAIN : result;
}

int sfd_transfer_lock(const struct sfd_context *context, struct sfd_transfer *t)
{
    const uint64_t size = t->end - t->begin;

    if (t->locked || size == 0) return 0; /* length 0 would mean "to the end" */
    const int result = lock_result(context->kernel.sys->ofd_read_lock(t->file, t->begin, size));
    t->locked = result == 0;
    return result;
}

/*
 * A file that one step will read is only asked about: a lock that lives for some microseconds keeps nobody out, and
 * costs a tenth of a small request. A transfer that has to wait after all takes the lock before it does.
 */
static int lock_or_test(const struct sfd_context *context, struct sfd_transfer *t)
{
    const uint64_t size = t->end - t->begin;
    const bool waits =
        size > SFD_SMALL_BYTES || t->command == SFD_WIRE_OPEN_FILE || !sfd_medium_is_local((enum sfd_medium)t->medium);

    /* On the client's own description the lock would be the client's: it is never taken (sfd_open_descriptor). */
    t->locked = t->file_shared;
    if (size == 0 || (waits && !t->file_shared)) return sfd_transfer_lock(context, t);
    return lock_result(context->kernel.sys->ofd_test_read_lock(t->file, t->begin, size));
}

int sfd_transfer_adopt(const struct sfd_context *context, struct sfd_transfer *t, const struct sfd_opened *opened,
                       int device)
{
    t->file = opened->fd;
    t->file_shared = opened->shared;
    t->device = (int16_t)device;
    t->medium = (uint8_t)sfd_devices_medium(context->devices, device);
    if (t->medium == SFD_MEDIUM_UNKNOWN) t->medium = SFD_MEDIUM_REMOTE; /* for this time */
    t->file_size = opened->size;
    const int result = sfd_open_range(opened->size, t->want_offset, t->want_length, &t->end);
    if (result < 0) return result;
    t->begin = (uint64_t)t->want_offset;
    t->offset = t->begin;
    sfd_transfer_load_init(t);
    t->atime = opened->atime; /* told by the loop: the status channel is its own */
    t->mtime = opened->mtime;
    t->ctime = opened->ctime;
    t->bounce_only = t->medium == SFD_MEDIUM_REMOTE;
    return lock_or_test(context, t);
}

static int open_path(const struct sfd_context *context, const struct sfd_transfer *t, struct sfd_opened *out)
{
    int result = -EAGAIN;

    for (int i = 0; i < OPEN_TRIES && result == -EAGAIN; i++) {
        /* A thread of one disk waits for no other. */
        result = t->task.queue == SFD_QUEUE_OPEN ? sfd_open_path(&context->kernel, t->root, t->path, out)
                                                 : sfd_open_on_device(&context->kernel, t->root, t->path, out);
    }
    return result;
}

static void work_open(const struct sfd_context *context, struct sfd_transfer *t)
{
    struct sfd_opened file;

    int result =
        t->path != NULL ? open_path(context, t, &file) : sfd_open_descriptor(&context->kernel, &t->file, false, &file);
    if (result == 0) {
        result = sfd_transfer_adopt(context, t, &file,
                                    sfd_residency_learn(context->devices, &context->kernel, file.fd, file.dev));
    }
    t->job_error = result;
}

/*
 * To look for holes moves a description's position, and one that the client shares has a position of the client's.
 * Here, where an open may wait, one of our own can be had, if we are allowed to; without it the holes become zeros.
 */
static void own_source(const struct sfd_context *context, struct sfd_transfer *t)
{
    const int own = sfd_fd_reopen(t->file, O_RDONLY | O_NONBLOCK | O_NOCTTY);

    if (own < 0) return;
    sfd_fd_close(context->kernel.sys, &t->file);
    t->file = own;
    t->file_shared = false;
}

/* The next part: what it has moved, and why it went no further. */
static void copy_slice(const struct sfd_context *context, struct sfd_transfer *t, struct sfd_copy *copy)
{
    copy->move.buffer_size = COPY_BUFFER;
    copy->move.buffer = malloc(copy->move.buffer_size); /* the loop's own buffer is the loop's */
    if (copy->move.buffer == NULL) {
        t->job_error = -ENOMEM;
        return;
    }
    sfd_transfer_claim(context, t, t->job_limit);
    const struct sfd_progress p = sfd_copy_run(copy);
    sfd_transfer_drop(context, t, t->offset + p.moved);
    free(copy->move.buffer);
    t->job_technique = (uint8_t)copy->technique;
    t->job_moved = p.moved;
    t->job_error = p.step == SFD_STEP_BLOCKED ? -EAGAIN : p.error;
}

static void work_copy(const struct sfd_context *context, struct sfd_transfer *t)
{
    const bool first = t->offset == t->begin;

    if (first && t->file_shared) own_source(context, t);
    struct sfd_copy copy = {
        .move = sfd_transfer_move(context, t),
        .offset = t->offset,
        .end = t->end,
        .budget = t->job_limit,
        .forced = t->options.technique != SFD_TECHNIQUE_AUTO,
        .seeks = !t->file_shared,
        .technique = (enum sfd_technique)t->technique,
    };
    t->job_error = first ? sfd_copy_check(&copy) : 0;
    if (t->job_error == 0 && t->offset < t->end) copy_slice(context, t, &copy);
    if (t->job_error == 0 && t->offset + t->job_moved == t->end && t->seal_due) {
        t->job_error = sfd_destination_seal(&context->kernel, t->dest);
        t->seal_due = t->job_error < 0;
    }
}

void sfd_transfer_work(const struct sfd_context *context, struct sfd_transfer *t)
{
    if (atomic_load_explicit(&t->cancelled, memory_order_relaxed)) return; /* run obeys after the hand-back */
    switch (t->job) {
    case SFD_JOB_OPEN:
        work_open(context, t);
        break;
    case SFD_JOB_LOAD:
        sfd_transfer_load(context, t);
        break;
    default:
        work_copy(context, t);
        break;
    }
}
