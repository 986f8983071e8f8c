/*
 * One transfer: the state machine. How a step moves bytes is in transfer_step.c, what the disk pool does in transfer_work.c,
 * how it waits in transfer_wait.c, and how it ends in transfer_end.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "transfer_private.h"

/* Unprivileged users share 64 MiB of pipe buffers (pipe(7)): a bigger pipe is only for reads that gain by it. */
#define PIPE_BYTES          ((uint64_t)1024 * 1024)
#define PIPE_BYTES_STANDARD ((uint64_t)64 * 1024)

void sfd_transfer_init(struct sfd_transfer *transfer)
{
    *transfer =
        (struct sfd_transfer){.file = -1, .dest = -1, .device = -1, .dest_device = -1, .root = -1};
    sfd_status_init(&transfer->status);
}

/* ------------------------------------------------------------------ moving */

static void account(struct sfd_context *context, struct sfd_transfer *t, uint64_t moved)
{
    t->offset += moved;
    if (t->command != SFD_WIRE_READ_FILE) t->status.progress += moved;
    if (moved > 0) t->cold_rounds = 0;
    sfd_counters_add(&context->counters, SFD_COUNTER_BYTES, moved);
}

/* What somebody waits for who has got nothing yet: opens, first windows, and so all of a small file. */
static bool is_urgent(const struct sfd_transfer *t, enum sfd_job job)
{
    if (job == SFD_JOB_COPY) return t->end - t->begin <= SFD_SMALL_BYTES;
    return job == SFD_JOB_OPEN || t->offset == t->begin;
}

static enum sfd_next lend(struct sfd_context *context, struct sfd_transfer *t, enum sfd_job job,
                          uint8_t queue)
{
    t->job = (uint8_t)job;
    t->task.urgent = is_urgent(t, job);
    t->job_error = 0;
    t->job_moved = 0;
    t->task.queue = queue;
    return sfd_transfer_pause(context, t, SFD_NEXT_POOL);
}

static enum sfd_next lend_load(struct sfd_context *context, struct sfd_transfer *t)
{
    sfd_counters_add(&context->counters, SFD_COUNTER_COLD_WINDOWS, 1);
    if (++t->cold_rounds > 3) t->bounce_only = true;
    return lend(context, t, SFD_JOB_LOAD, sfd_transfer_queue(t->device));
}

static enum sfd_next move_bytes(struct sfd_context *context, struct sfd_transfer *t)
{
    uint64_t budget = context->quantum;

    if (sfd_destination_is_pooled((enum sfd_fd_kind)t->dest_kind) && t->offset < t->end) {
        return lend(context, t, SFD_JOB_COPY,
                    sfd_transfer_queue(t->dest_device)); /* its writes wait longest */
    }
    while (t->offset < t->end) {
        if (budget == 0) return sfd_transfer_pause(context, t, SFD_NEXT_AGAIN);
        const uint64_t limit = sfd_min_u64(budget, t->end - t->offset);
        const struct sfd_progress p = sfd_transfer_step(context, t, limit);
        account(context, t, p.moved);
        budget -= p.moved;
        switch (p.step) {
        case SFD_STEP_MORE:
            break;
        case SFD_STEP_BLOCKED:
            return sfd_transfer_pause(context, t, SFD_NEXT_DEST);
        case SFD_STEP_COLD:
            return lend_load(context, t);
        case SFD_STEP_FAILED:
            return sfd_transfer_fail(context, t, p.error);
        }
    }
    return sfd_transfer_complete(context, t);
}

static enum sfd_next start_moving(struct sfd_context *context, struct sfd_transfer *t)
{
    const struct sfd_destination dest = {.kind = (enum sfd_fd_kind)t->dest_kind,
                                         .fits = t->dest_fits};
    const struct sfd_subject subject = {
        .size = t->end - t->begin,
        .kind = dest.kind,
        .nonblock = t->dest_nonblock,
        .fits = sfd_destination_fits(&dest, (enum sfd_medium)t->medium),
    };

    t->state = SFD_STATE_MOVING;
    t->technique = (uint8_t)sfd_technique_choose(context->rules, context->rule_count, &subject);
    if (t->technique == SFD_TECHNIQUE_AUTO) return sfd_transfer_fail(context, t, -EOPNOTSUPP);
    return move_bytes(context, t);
}

static enum sfd_next park(struct sfd_context *context, struct sfd_transfer *t)
{
    t->state = SFD_STATE_PARKED;
    if (!sfd_transfer_tell(context, t)) return sfd_transfer_cancel(context, t);
    sfd_timer_arm(&context->timers, &t->timer, context->now_ms + context->open_timeout_ms);
    return SFD_NEXT_PARK;
}

/* ------------------------------------------------------------------ opening */

static enum sfd_next opened(struct sfd_context *context, struct sfd_transfer *t)
{
    if (t->command == SFD_WIRE_OPEN_FILE) return park(context, t);
    if (t->command == SFD_WIRE_READ_FILE && t->end - t->begin > PIPE_BYTES_STANDARD) {
        /* 3.5 times the throughput; EPERM at the user's limit only means the old size. */
        const uint64_t wanted =
            sfd_min_u64(t->end - t->begin + SFD_WIRE_MAX_RESPONSE_SIZE, PIPE_BYTES);
        (void)context->machine.sys->fcntl(t->status.fd, F_SETPIPE_SZ, (int64_t)wanted);
    }
    return start_moving(context, t);
}

static void take_dest(struct sfd_transfer *t, const struct sfd_destination *dest)
{
    t->dest_kind = (uint8_t)dest->kind;
    t->dest_nonblock = dest->nonblock;
    t->dest_device = dest->device;
    t->dest_fits = (uint8_t)dest->fits;
}

/* Takes note of what the destination is. 0, or why it cannot be one. */
static int accept_dest(struct sfd_context *context, struct sfd_transfer *t,
                       const struct sfd_fd_info *info)
{
    struct sfd_destination dest;

    t->dest_kind = (uint8_t)info->kind; /* also of one that is refused: it is closed by its kind */
    const int result =
        sfd_destination_accept(&context->machine, context->devices, info, &t->dest, &dest);
    if (result < 0) return result;
    take_dest(t, &dest);
    return 0;
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
    sfd_counters_add(&context->counters, SFD_COUNTER_COLD_OPENS, 1);
    t->state = SFD_STATE_OPENING;
    return lend(context, t, SFD_JOB_OPEN, queue);
}

enum sfd_next sfd_transfer_begin(struct sfd_context *context, struct sfd_transfer *t,
                                 const struct sfd_transfer_request *request)
{
    struct sfd_opened file;
    int result;

    t->command = request->command;
    t->id = request->id;
    t->status.fd = request->status;
    t->dest = request->dest;
    t->root = request->root;
    t->extended = request->extended;
    t->options = request->options;
    t->want_offset = request->offset;
    t->want_length = request->length;
    t->dest_kind = request->dest < 0 ? SFD_FD_PIPE : (uint8_t)request->dest_info.kind;
    t->reported_ms = context->now_ms;
    result = sfd_machine_own_pipe(&context->machine, &t->status.fd);
    if (result < 0)
        return sfd_transfer_cancel(context, t); /* nothing can be said without blocking */
    if (t->command == SFD_WIRE_SEND_FILE) {
        result = accept_dest(context, t, &request->dest_info);
        if (result < 0) return sfd_transfer_refuse(context, t, result);
    } else if (t->command == SFD_WIRE_READ_FILE) {
        const struct sfd_destination channel =
            sfd_destination_of_channel(&context->machine, t->status.fd);
        take_dest(t, &channel);
    }

    result = sfd_open_path(&context->machine, request->root, request->path, true, &file);
    if (result == -EAGAIN) return open_in_pool(context, t, request->path);
    if (result < 0) return sfd_transfer_refuse(context, t, result);
    const int device = sfd_devices_find(context->devices, file.dev);
    if (device < 0 || !sfd_medium_is_local(sfd_devices_medium(context->devices, device))) {
        /* Its attributes may be stale and its locks may wait for a server: all of it is the disk pool's. */
        sfd_closer_take_file(&context->closer, &file.fd, sfd_transfer_queue((int16_t)device));
        return open_in_pool(context, t, request->path);
    }
    result = sfd_transfer_adopt(context, t, &file, device);
    if (result < 0) return sfd_transfer_refuse(context, t, result);
    return opened(context, t);
}

enum sfd_next sfd_transfer_send(struct sfd_context *context, struct sfd_transfer *t, int dest)
{
    struct sfd_fd_info info;

    sfd_timer_disarm(&context->timers, &t->timer);
    t->dest = dest;
    int result = sfd_fd_classify(context->machine.sys, dest, &info);
    if (result == 0) result = accept_dest(context, t, &info);
    if (result < 0) {
        sfd_counters_add(&context->counters, SFD_COUNTER_FAILED, 1);
        sfd_status_fail(&t->status, SFD_WIRE_XFER_STAT, result);
        return sfd_transfer_end(context, t);
    }
    return start_moving(context, t);
}

/* ------------------------------------------------------------------ going on */

static enum sfd_next after_open(struct sfd_context *context, struct sfd_transfer *t)
{
    if (t->job_error == -EXDEV && t->task.queue != SFD_QUEUE_OPEN) {
        /* A link leads to another disk, which may be a dead one. */
        return lend(context, t, SFD_JOB_OPEN, SFD_QUEUE_OPEN);
    }
    free(t->path);
    t->path = NULL;
    if (t->job_error < 0) return sfd_transfer_refuse(context, t, t->job_error);
    return opened(context, t);
}

static enum sfd_next after_load(struct sfd_context *context, struct sfd_transfer *t)
{
    if (t->job_error < 0) return sfd_transfer_fail(context, t, t->job_error);
    if (t->job_moved == 0)
        return sfd_transfer_fail(context, t, -ENODATA); /* the file ends before its range does */
    t->resident_end = t->offset + t->job_moved;
    t->resident_ms = context->now_ms;
    return move_bytes(context, t);
}

static enum sfd_next after_copy(struct sfd_context *context, struct sfd_transfer *t)
{
    account(context, t, t->job_moved);
    if (t->job_error < 0) return sfd_transfer_fail(context, t, t->job_error);
    return move_bytes(context, t);
}

static enum sfd_next after_job(struct sfd_context *context, struct sfd_transfer *t)
{
    const uint8_t job = t->job;

    t->job = SFD_JOB_NONE;
    switch (job) {
    case SFD_JOB_OPEN:
        return after_open(context, t);
    case SFD_JOB_LOAD:
        return after_load(context, t);
    default:
        return after_copy(context, t);
    }
}

enum sfd_next sfd_transfer_run(struct sfd_context *context, struct sfd_transfer *t)
{
    if (atomic_load_explicit(&t->cancelled, memory_order_relaxed))
        return sfd_transfer_cancel(context, t);
    if (t->job != SFD_JOB_NONE) return after_job(context, t);
    switch (t->state) {
    case SFD_STATE_MOVING:
        sfd_timer_disarm(&context->timers, &t->timer); /* no longer blocked, as far as is known */
        return move_bytes(context, t);
    case SFD_STATE_ENDING:
        return sfd_transfer_end(context, t);
    default: /* PARKED: its File Information has found room */
        if (t->timer.position == 0) return sfd_transfer_timeout(context, t); /* due meanwhile */
        return sfd_transfer_tell(context, t) ? SFD_NEXT_PARK : sfd_transfer_cancel(context, t);
    }
}
