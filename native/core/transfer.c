/*
 * One transfer: the state machine. How a step moves bytes is in transfer_step.c, what the disk pool does in transfer_work.c.
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

static uint8_t queue_of(int16_t device)
{
    return device < 0 ? SFD_QUEUE_OPEN : (uint8_t)(SFD_QUEUE_DEVICES + device);
}

void sfd_transfer_init(struct sfd_transfer *transfer)
{
    *transfer =
        (struct sfd_transfer){.file = -1, .dest = -1, .device = -1, .dest_device = -1, .root = -1};
    sfd_status_init(&transfer->status);
}

/* ------------------------------------------------------------------ closing */

static void leave_epoll(struct sfd_context *context, int fd, bool *registered)
{
    /* Our number going is not enough: the registration lives as long as the client's copy of the description. */
    if (*registered) (void)context->machine.sys->epoll_ctl(context->epoll, EPOLL_CTL_DEL, fd, NULL);
    *registered = false;
}

/*
 * On a local file system there is nothing to flush and no server to ask; but the last close of a file that was deleted
 * meanwhile frees its blocks, which can take long for a long file.
 */
static bool file_closes_at_once(const struct sfd_context *context, const struct sfd_transfer *t)
{
    struct statx st;

    if (!sfd_medium_is_local((enum sfd_medium)t->medium)) return false;
    if (t->file < 0 || t->file_size <= context->quantum) return true;
    return context->machine.sys->statx(t->file, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_NLINK,
                                       &st) == 0 &&
           st.stx_nlink > 0;
}

static void close_data(struct sfd_context *context, struct sfd_transfer *t)
{
    if (t->dest >= 0) leave_epoll(context, t->dest, &t->dest_registered);
    sfd_destination_close(&context->closer, &t->dest, (enum sfd_fd_kind)t->dest_kind,
                          queue_of(t->dest_device));
    if (file_closes_at_once(context, t)) {
        sfd_fd_close(context->machine.sys, &t->file);
    } else {
        sfd_closer_take_file(&context->closer, &t->file, queue_of(t->device));
    }
    free(t->path);
    t->path = NULL;
    free(t->bounce);
    t->bounce = NULL;
    sfd_timer_disarm(&context->timers, &t->timer);
}

static enum sfd_next release(struct sfd_context *context, struct sfd_transfer *t)
{
    close_data(context, t);
    if (t->status.fd >= 0) leave_epoll(context, t->status.fd, &t->status_registered);
    sfd_status_deinit(&t->status, &context->machine);
    return SFD_NEXT_END;
}

/* Everything but the last words is done: the file and the destination go first, so EOF there means EOF everywhere. */
static enum sfd_next end(struct sfd_context *context, struct sfd_transfer *t)
{
    close_data(context, t);
    t->state = SFD_STATE_ENDING;
    if (sfd_status_flush(&t->status, &context->machine) == 0) return SFD_NEXT_STATUS;
    return release(context, t);
}

static enum sfd_next refuse(struct sfd_context *context, struct sfd_transfer *t, int error)
{
    sfd_counters_add(&context->counters, SFD_COUNTER_REFUSED, 1);
    sfd_status_fail(&t->status, SFD_WIRE_FILE_INFO, error);
    return end(context, t);
}

static enum sfd_next fail(struct sfd_context *context, struct sfd_transfer *t, int error)
{
    /* Before its file is open it has nothing to tell, but it has not begun either. */
    const bool begun =
        t->state != SFD_STATE_OPENING && (t->offset > t->begin || !t->status.info_due);

    if (!begun) return refuse(context, t, error);
    sfd_counters_add(&context->counters, SFD_COUNTER_FAILED, 1);
    if (t->command == SFD_WIRE_READ_FILE)
        return release(context, t); /* EOF before `size` bytes says it */
    sfd_status_fail(&t->status, SFD_WIRE_XFER_STAT, error);
    return end(context, t);
}

enum sfd_next sfd_transfer_cancel(struct sfd_context *context, struct sfd_transfer *t)
{
    sfd_counters_add(&context->counters, SFD_COUNTER_CANCELLED, 1);
    return release(context, t);
}

void sfd_transfer_abort(struct sfd_context *context, struct sfd_transfer *t, int error)
{
    if (t->state != SFD_STATE_ENDING) {
        (void)fail(context, t, error);
    } else if (t->status.fd >= 0) {
        (void)sfd_status_flush(&t->status, &context->machine); /* there may be room by now */
    }
    (void)release(context, t);
}

static enum sfd_next complete(struct sfd_context *context, struct sfd_transfer *t)
{
    sfd_counters_add(&context->counters, SFD_COUNTER_COMPLETED, 1);
    if (t->command != SFD_WIRE_READ_FILE) sfd_status_complete(&t->status);
    return end(context, t);
}

/* ------------------------------------------------------------------ status */

/* Tells the client what is due. False when it is gone. */
static bool tell(struct sfd_context *context, struct sfd_transfer *t)
{
    if (t->command == SFD_WIRE_READ_FILE) return true; /* the header goes with the first bytes */
    t->reported_ms = context->now_ms;
    return sfd_status_flush(&t->status, &context->machine) >= 0;
}

static bool progress_is_due(const struct sfd_context *context, const struct sfd_transfer *t)
{
    return t->status.info_due ||
           (t->status.progress > 0 && context->now_ms >= t->reported_ms + SFD_PROGRESS_INTERVAL_MS);
}

/* Leaves the turn with `next`, holding the lock, having told the client what is due. */
static enum sfd_next pause(struct sfd_context *context, struct sfd_transfer *t, enum sfd_next next)
{
    const int locked = t->file < 0 ? 0 : sfd_transfer_lock(context, t);

    if (locked < 0) return fail(context, t, locked);
    if (progress_is_due(context, t) && !tell(context, t)) return sfd_transfer_cancel(context, t);
    if (next == SFD_NEXT_DEST) {
        sfd_counters_add(&context->counters, SFD_COUNTER_BLOCKED, 1);
        /* What is not told yet is told in time even if the destination stays full. */
        if (t->status.progress > 0) {
            sfd_timer_arm(&context->timers, &t->timer, t->reported_ms + SFD_PROGRESS_INTERVAL_MS);
        }
    }
    return next;
}

static void account(struct sfd_context *context, struct sfd_transfer *t, uint64_t moved)
{
    t->offset += moved;
    if (t->command != SFD_WIRE_READ_FILE) t->status.progress += moved;
    if (moved > 0) t->cold_rounds = 0;
    sfd_counters_add(&context->counters, SFD_COUNTER_BYTES, moved);
}

/* ------------------------------------------------------------------ moving */

static enum sfd_next lend(struct sfd_context *context, struct sfd_transfer *t, enum sfd_job job,
                          uint8_t queue)
{
    t->job = (uint8_t)job;
    t->job_error = 0;
    t->job_moved = 0;
    t->task.queue = queue;
    return pause(context, t, SFD_NEXT_POOL);
}

static enum sfd_next lend_load(struct sfd_context *context, struct sfd_transfer *t)
{
    sfd_counters_add(&context->counters, SFD_COUNTER_COLD_WINDOWS, 1);
    if (++t->cold_rounds > 3) t->bounce_only = true;
    return lend(context, t, SFD_JOB_LOAD, queue_of(t->device));
}

static enum sfd_next move_bytes(struct sfd_context *context, struct sfd_transfer *t)
{
    uint64_t budget = context->quantum;

    if (sfd_destination_is_pooled((enum sfd_fd_kind)t->dest_kind) && t->offset < t->end) {
        return lend(context, t, SFD_JOB_COPY,
                    queue_of(t->dest_device)); /* its writes wait longest */
    }
    while (t->offset < t->end) {
        if (budget == 0) return pause(context, t, SFD_NEXT_AGAIN);
        const uint64_t limit = sfd_min_u64(budget, t->end - t->offset);
        const struct sfd_progress p = sfd_transfer_step(context, t, limit);
        account(context, t, p.moved);
        budget -= p.moved;
        switch (p.step) {
        case SFD_STEP_MORE:
            break;
        case SFD_STEP_BLOCKED:
            return pause(context, t, SFD_NEXT_DEST);
        case SFD_STEP_COLD:
            return lend_load(context, t);
        case SFD_STEP_FAILED:
            return fail(context, t, p.error);
        }
    }
    return complete(context, t);
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
    if (t->technique == SFD_TECHNIQUE_AUTO) return fail(context, t, -EOPNOTSUPP);
    return move_bytes(context, t);
}

static enum sfd_next park(struct sfd_context *context, struct sfd_transfer *t)
{
    t->state = SFD_STATE_PARKED;
    if (!tell(context, t)) return sfd_transfer_cancel(context, t);
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

/* The open waits on its disk's own queue, as long as the kernel knows without the disk which one that is. */
static enum sfd_next open_in_pool(struct sfd_context *context, struct sfd_transfer *t,
                                  const char *path)
{
    uint64_t dev = 0;
    uint8_t queue = SFD_QUEUE_OPEN;

    if (sfd_open_device(&context->machine, t->root, path, &dev) == 0)
        queue = queue_of((int16_t)sfd_devices_add(context->devices, dev));
    t->path = strdup(path);
    if (t->path == NULL) return refuse(context, t, -ENOMEM);
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
        if (result < 0) return refuse(context, t, result);
    } else if (t->command == SFD_WIRE_READ_FILE) {
        const struct sfd_destination channel =
            sfd_destination_of_channel(&context->machine, t->status.fd);
        take_dest(t, &channel);
    }

    result = sfd_open_path(&context->machine, request->root, request->path, true, &file);
    if (result == -EAGAIN) return open_in_pool(context, t, request->path);
    if (result < 0) return refuse(context, t, result);
    const int device = sfd_devices_find(context->devices, file.dev);
    if (device < 0 || !sfd_medium_is_local(sfd_devices_medium(context->devices, device))) {
        /* Its attributes may be stale and its locks may wait for a server: all of it is the disk pool's. */
        sfd_closer_take_file(&context->closer, &file.fd, queue_of((int16_t)device));
        return open_in_pool(context, t, request->path);
    }
    result = sfd_transfer_adopt(context, t, &file, device);
    if (result < 0) return refuse(context, t, result);
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
        return end(context, t);
    }
    return start_moving(context, t);
}

/* ------------------------------------------------------------------ going on */

static enum sfd_next after_open(struct sfd_context *context, struct sfd_transfer *t)
{
    free(t->path);
    t->path = NULL;
    if (t->job_error < 0) return refuse(context, t, t->job_error);
    return opened(context, t);
}

static enum sfd_next after_load(struct sfd_context *context, struct sfd_transfer *t)
{
    if (t->job_error < 0) return fail(context, t, t->job_error);
    if (t->job_moved == 0)
        return fail(context, t, -ENODATA); /* the file ends before its range does */
    t->resident_end = t->offset + t->job_moved;
    t->resident_ms = context->now_ms;
    return move_bytes(context, t);
}

static enum sfd_next after_copy(struct sfd_context *context, struct sfd_transfer *t)
{
    account(context, t, t->job_moved);
    if (t->job_error < 0) return fail(context, t, t->job_error);
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
        return end(context, t);
    default: /* PARKED: its File Information has found room */
        if (t->timer.position == 0) return sfd_transfer_timeout(context, t); /* due meanwhile */
        return tell(context, t) ? SFD_NEXT_PARK : sfd_transfer_cancel(context, t);
    }
}

enum sfd_next sfd_transfer_timeout(struct sfd_context *context, struct sfd_transfer *t)
{
    if (t->state == SFD_STATE_PARKED) {
        sfd_counters_add(&context->counters, SFD_COUNTER_OPEN_TIMEOUTS, 1);
        sfd_status_fail(&t->status, SFD_WIRE_XFER_STAT, -ETIMEDOUT);
        return end(context, t);
    }
    return tell(context, t) ? SFD_NEXT_DEST : sfd_transfer_cancel(context, t);
}
