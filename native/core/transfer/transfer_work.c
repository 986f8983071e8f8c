/*
 * One job of a transfer in the disk pool: open its file, load its next window, copy a slice to a regular file. Waits
 * for the disk. Meanwhile the loop uses only its own members, see struct sfd_transfer, and closes `gate`.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "sys/errno_policy.h"
#include "transfer/copy.h"
#include "transfer/transfer_private.h"

#define COPY_BUFFER ((size_t)64 * 1024)
#define COPY_ALIGN  ((size_t)4096) /* that O_DIRECT wants of memory, at most */

#define OPEN_TRIES 3 /* against EAGAIN of a rename that races with the resolution, openat2(2) */

/* 0 when the root is open, or -errno. */
static int open_root(const struct sfd_context *context, struct sfd_transfer *t)
{
    if (sfd_transfer_root(t) >= 0) return 0;
    const int root = sfd_open_root(&context->kernel, t->source.root->follow, false);
    if (root < 0) return root;
    t->source.directory = root;
    return 0;
}

static void drop_near(const struct sfd_context *context, struct sfd_transfer *t)
{
    if (t->source.rest > 0) sfd_fd_close(context->kernel.sys, &t->source.directory);
    t->source.rest = 0;
}

static int open_path(const struct sfd_context *context, struct sfd_transfer *t, struct sfd_opened *out)
{
    const struct sfd_near near = {.directory = t->source.directory, .rest = t->source.rest};
    int result = open_root(context, t);

    if (result < 0) return result;
    result = -EAGAIN;
    for (int i = 0; i < OPEN_TRIES && result == -EAGAIN; i++) {
        /* A thread of one disk must not wait for another disk. */
        result = t->task.queue == SFD_QUEUE_OPEN
                     ? sfd_open_path(&context->kernel, sfd_transfer_root(t), t->source.path, out)
                     : sfd_open_on_device(&context->kernel, sfd_transfer_root(t), near.rest > 0 ? &near : NULL,
                                          t->source.path, out);
    }
    drop_near(context, t); /* not while it waits to try again: its client is charged for one file */
    return result;
}

static void work_open(const struct sfd_context *context, struct sfd_transfer *t)
{
    struct sfd_opened file;
    uint64_t dev = 0;

    int result = t->source.path != NULL ? open_path(context, t, &file)
                                        : sfd_open_descriptor(&context->kernel, &t->source.fd, false, &file);
    if (result == 0 && t->foreign && t->source.path == NULL && sfd_fd_is_pseudo(context->kernel.sys, file.fd)) {
        t->source.fd = file.fd;
        t->job.error = -EACCES; /* what it says depends on who reads it */
        return;
    }
    if (result == 0) {
        result = sfd_transfer_take_snapshot(context, t, &file, &dev);
        if (result < 0) t->source.fd = file.fd;
    }
    if (result == 0) {
        result = sfd_transfer_adopt(context, t, &file,
                                    sfd_residency_learn(context->devices, &context->kernel, file.fd, dev));
    }
    if (result == 0) result = sfd_transfer_take_content(context, t);
    t->job.error = result;
}

/*
 * Finding holes moves the position of the open file description, which must not happen to one that the client shares.
 * Here an open may wait, so the file is opened again for a description of our own, if the daemon may do that; else
 * holes are copied as zeros.
 */
static void own_source(const struct sfd_context *context, struct sfd_transfer *t)
{
    const int own = sfd_fd_reopen(context->kernel.sys, t->source.fd, O_RDONLY | O_NONBLOCK | O_NOCTTY);

    if (own < 0) return;
    sfd_fd_close(context->kernel.sys, &t->source.fd);
    t->source.fd = own;
    t->source.shared = false;
}

/* Copies the next part: gives the bytes that it has moved, and the error that stopped it. */
static void copy_slice(const struct sfd_context *context, struct sfd_transfer *t, struct sfd_copy *copy)
{
    copy->move.buffer_size = COPY_BUFFER;
    copy->move.buffer = aligned_alloc(COPY_ALIGN, COPY_BUFFER); /* only the loop may use the loop's buffer */
    if (copy->move.buffer == NULL) {
        t->job.error = -ENOMEM;
        return;
    }
    sfd_transfer_claim(context, t, t->job.limit);
    const struct sfd_progress p = sfd_copy_run(copy);
    sfd_transfer_drop(context, t, t->range.offset + p.moved);
    free(copy->move.buffer);
    t->job.technique = (uint8_t)copy->technique;
    t->job.moved = p.moved;
    sfd_transfer_filled_memory(context, t, p.moved);
    t->job.error = p.step == SFD_STEP_BLOCKED ? -EAGAIN : p.error;
}

static int begin_copy(const struct sfd_context *context, struct sfd_transfer *t, struct sfd_copy *copy)
{
    int result = -ENOMEM;

    if (t->target != NULL || t->range.offset == t->range.end) return 0;
    if (t->foreign) {
        result = sfd_destination_demand_plain(&context->kernel, t->destination.fd);
        if (result < 0) return result;
        result = -ENOMEM;
    }
    struct sfd_target *target = calloc(1, sizeof(*target)); /* of few transfers, so not a part of all */
    if (target != NULL) result = sfd_copy_begin(copy, context->ranges, &target->range);
    if (result < 0) {
        free(target);
        return result;
    }
    target->start = copy->to;
    target->appends = copy->appends;
    t->target = target;
    result = sfd_transfer_take_memory(context, t);
    if (result < 0) sfd_transfer_drop_target(context, t);
    return result;
}

/* All is moved: only now it shows whether the destination has it. To seal a memory file is a write, too. */
static int finish_copy(const struct sfd_context *context, struct sfd_transfer *t, const struct sfd_copy *copy)
{
    int result = t->target != NULL ? sfd_copy_check_size(copy) : 0;

    if (result < 0 || !t->destination.seal_due) return result;
    if (!sfd_write_gate_enter(&t->gate)) return -ECANCELED;
    result = sfd_destination_seal(&context->kernel, t->destination.fd);
    sfd_write_gate_leave(&t->gate);
    t->destination.seal_due = result < 0;
    return result;
}

static void work_copy(const struct sfd_context *context, struct sfd_transfer *t)
{
    if (t->target == NULL && t->source.shared) own_source(context, t);
    struct sfd_copy copy = {
        .move = sfd_transfer_move(context, t),
        .gate = &t->gate,
        .offset = t->range.offset,
        .end = t->range.end,
        .budget = t->job.limit,
        .one_device = t->source.device >= 0 && t->source.device == t->destination.device,
        .forced = t->options.technique != SFD_TECHNIQUE_AUTO,
        .seeks = !t->source.shared,
        .technique = (enum sfd_technique)t->technique,
    };
    if (t->target != NULL) {
        copy.to = t->target->start + (t->range.offset - t->range.begin);
        copy.appends = t->target->appends;
    }
    t->job.error = begin_copy(context, t, &copy);
    if (t->job.error == 0 && t->range.offset < t->range.end) copy_slice(context, t, &copy);
    const bool all = t->job.error == 0 && copy.offset == t->range.end;
    if (all) t->job.error = finish_copy(context, t, &copy);
    const bool over = t->job.error == 0 ? all : sfd_errno_policy(SFD_PLACE_COPY, t->job.error) == SFD_REMEDY_END;
    if (over && copy.offset > t->range.begin) sfd_copy_set_position(&copy);
}

void sfd_transfer_work(const struct sfd_context *context, struct sfd_transfer *t)
{
    if (sfd_write_gate_is_closed(&t->gate)) return; /* run ends it after the hand-back */
    switch (t->job.kind) {
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
