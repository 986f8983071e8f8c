/*
 * One transfer: the state machine. transfer_private.h has the map of its other files. Loop only.
 */
#include <errno.h>

#include "protocol/outbox.h"
#include "sys/errno_policy.h"
#include "sys/pipe.h"
#include "transfer/observe.h"
#include "transfer/transfer_private.h"

/* A job between two files ends after this many bytes, so that a cancel is obeyed and progress is reported. */
#define COPY_BYTES ((uint64_t)8 * 1024 * 1024)

/*
 * After so many runs in a row in which epoll reported the destination as ready, and it took nothing, the timer is used
 * instead.
 */
#define VAIN_RUNS_MAX 8

void sfd_transfer_init(struct sfd_transfer *transfer)
{
    *transfer = (struct sfd_transfer){
        .destination = {.fd = -1, .device = -1},
        .source = {.fd = -1, .directory = -1, .device = -1},
    };
    sfd_status_init(&transfer->status);
}

void sfd_transfer_deinit(const struct sfd_context *context, struct sfd_transfer *t)
{
    sfd_devices_put(context->devices, t->source.device);
    sfd_devices_put(context->devices, t->destination.device);
    t->source.device = -1;
    t->destination.device = -1;
}

/* ------------------------------------------------------------------ moving */

static void account(struct sfd_context *context, struct sfd_transfer *t, uint64_t moved)
{
    t->range.offset += moved;
    if (t->command != SFD_WIRE_READ_FILE) t->status.progress += moved;
    if (moved > 0) {
        t->cache.cold_rounds = 0;
        t->limits.since_ms = context->now_ms;
        sfd_transfer_got_on(t);
        sfd_transfer_rate_spend(t, moved);
    }
    sfd_observe_moved(context, t, moved);
    if (t->segments != NULL && t->range.offset == t->range.end) sfd_transfer_next_segment(t);
}

/* Jobs of transfers whose client has got nothing yet: opens and first windows, and so all jobs of a small file. */
static bool is_urgent(const struct sfd_transfer *t, enum sfd_job job)
{
    if (job == SFD_JOB_COPY) return t->range.end - t->range.begin <= SFD_SMALL_BYTES;
    return job == SFD_JOB_OPEN || sfd_transfer_moved(t) == 0;
}

enum sfd_next sfd_transfer_offload(struct sfd_context *context, struct sfd_transfer *t, enum sfd_job job, uint8_t queue)
{
    t->job.kind = (uint8_t)job;
    t->task.urgent = is_urgent(t, job);
    t->job.error = 0;
    t->job.moved = 0;
    t->task.queue = queue;
    return sfd_transfer_pause(context, t, SFD_NEXT_POOL);
}

static enum sfd_next offload_load(struct sfd_context *context, struct sfd_transfer *t)
{
    sfd_observe_cold(context, t, true);
    t->cache.cold_windows++;
    if (++t->cache.cold_rounds > 3) t->cache.bounce_only = true;
    return sfd_transfer_offload(context, t, SFD_JOB_LOAD, sfd_transfer_queue(t->source.device));
}

/* Its quantum is used up: it is ready again, or waits until its rate allows more. */
static enum sfd_next rest(struct sfd_context *context, struct sfd_transfer *t)
{
    const bool may_go_on = sfd_transfer_rate_take(context, t, 1) > 0;

    return sfd_transfer_pause(context, t, may_go_on ? SFD_NEXT_AGAIN : SFD_NEXT_TIMER);
}

/*
 * The disk pool's queue for a copy, which waits for two disks. If the source is a server's file, it is the queue of
 * that device, so that a dead server does not block the threads of another disk. If the source is local, it is the
 * destination's: writes wait longest.
 */
static uint8_t copy_queue(const struct sfd_transfer *t)
{
    const bool local = sfd_medium_is_local((enum sfd_medium)t->source.medium);

    return sfd_transfer_queue(local ? t->destination.device : t->source.device);
}

static enum sfd_next offload_copy(struct sfd_context *context, struct sfd_transfer *t)
{
    const uint64_t left = t->range.end - t->range.offset;

    t->job.limit = sfd_transfer_rate_take(context, t, sfd_min_u64(COPY_BYTES, left));
    if (t->job.limit == 0 && left > 0) return rest(context, t);
    return sfd_transfer_offload(context, t, SFD_JOB_COPY, copy_queue(t));
}

/*
 * The destination is full. If epoll reports it as ready all the same, the loop must not spin: TCP gives EAGAIN also
 * when the system is short of memory, and a file server may answer a read with EAGAIN.
 */
static enum sfd_next wait_for_dest(struct sfd_context *context, struct sfd_transfer *t)
{
    if (t->limits.vain_runs < VAIN_RUNS_MAX) {
        t->limits.vain_runs++;
        return sfd_transfer_pause(context, t, SFD_NEXT_DEST);
    }
    sfd_transfer_retry(context, t);
    const enum sfd_next next = sfd_transfer_pause(context, t, SFD_NEXT_DEST);
    return next == SFD_NEXT_DEST ? SFD_NEXT_RETRY : next;
}

static enum sfd_next move_bytes(struct sfd_context *context, struct sfd_transfer *t)
{
    if (t->range.offset == t->range.end && !t->destination.seal_due) return sfd_transfer_complete(context, t);
    if (sfd_destination_is_pooled(t->destination.kind)) return offload_copy(context, t);

    uint64_t budget = sfd_transfer_rate_take(context, t, context->settings->quantum);
    while (t->range.offset < t->range.end) {
        if (budget == 0) return rest(context, t);
        const uint64_t limit = sfd_min_u64(budget, t->range.end - t->range.offset);
        const struct sfd_progress p = sfd_transfer_step(context, t, limit);
        account(context, t, p.moved);
        budget -= p.moved;
        switch (p.step) {
        case SFD_STEP_MORE:
            break;
        case SFD_STEP_BLOCKED:
            return wait_for_dest(context, t);
        case SFD_STEP_COLD:
            return offload_load(context, t);
        case SFD_STEP_SHORT:
            return sfd_transfer_defer(context, t, p.error);
        case SFD_STEP_FAILED:
            return sfd_transfer_fail(context, t, p.error);
        }
    }
    return sfd_transfer_complete(context, t);
}

enum sfd_next sfd_transfer_move_by(struct sfd_context *context, struct sfd_transfer *t, enum sfd_technique technique)
{
    t->state = SFD_STATE_MOVING;
    t->technique = (uint8_t)technique;
    sfd_observe_moves_by(context, t);
    t->limits.since_ms = context->now_ms;
    sfd_transfer_rate_start(context, t);
    return move_bytes(context, t);
}

/* ------------------------------------------------------------------ opening */

static enum sfd_next park(struct sfd_context *context, struct sfd_transfer *t)
{
    t->state = SFD_STATE_PARKED;
    t->limits.since_ms = context->now_ms;
    if (!sfd_transfer_tell(context, t)) return sfd_transfer_cancel(context, t);
    sfd_transfer_wait(context, t, SFD_NEXT_PARK);
    return SFD_NEXT_PARK;
}

/* Its file is closed already: the client gets the bytes, and all is over. */
static enum sfd_next give_content(struct sfd_context *context, struct sfd_transfer *t)
{
    const uint32_t length = t->bounce.length;

    sfd_local_channel_give(t->status.local, t->bounce.bytes, length);
    t->bounce.bytes = NULL;
    t->bounce.length = 0;
    t->technique = SFD_TECHNIQUE_READ_WRITE;
    sfd_observe_moves_by(context, t);
    account(context, t, length);
    return sfd_transfer_complete(context, t);
}

enum sfd_next sfd_transfer_opened(struct sfd_context *context, struct sfd_transfer *t)
{
    t->status.info_due = true;
    sfd_observe_opened(context, t);
    sfd_transfer_drop_root(context, t);
    if (t->command == SFD_WIRE_OPEN_FILE)
        return t->job.content_most > 0 && t->bounce.bytes != NULL ? give_content(context, t) : park(context, t);
    if (t->command == SFD_WIRE_READ_FILE || t->destination.grows)
        sfd_pipe_grow(&context->kernel, sfd_transfer_output(t), t->status.info.size);
    return sfd_transfer_choose(context, t);
}

/* Accepts the destination. 0, or the -errno for which it cannot be one. */
static int accept_dest(struct sfd_context *context, struct sfd_transfer *t, const struct sfd_fd_info *info)
{
    int result = sfd_destination_accept(&context->kernel, context->techniques, context->devices, info, &t->destination);

    if (result < 0) return result;
    if (t->foreign) {
        result = sfd_destination_demand_own_peer(&context->kernel, t->destination.fd, info->kind, t->loop.account->uid);
        if (result < 0) return result;
    }
    if (t->segments != NULL && !sfd_destination_takes_segments(info->kind)) return -EOPNOTSUPP;
    t->destination.seal_due = (t->options.flags & SFD_OPTION_SEAL) != 0;
    return t->destination.seal_due ? sfd_destination_can_seal(&context->kernel, t->destination.fd) : 0;
}

enum sfd_next sfd_transfer_begin(struct sfd_context *context, struct sfd_transfer *t,
                                 const struct sfd_transfer_request *request)
{
    if (request->path == NULL) t->source.fd = request->source; /* until it is looked at */
    t->command = request->command;
    t->foreign = request->foreign;
    t->job.content_most = request->content_most;
    t->id = request->id;
    t->status.fd = request->status;
    t->destination.fd = request->dest;
    t->status.local = request->local;
    t->source.root = sfd_root_share(request->root);
    t->status.version = request->version;
    if (request->version > 0) t->limits.started_ns = context->kernel.sys->now_ns();
    t->options = request->options;
    t->range.begin = t->range.offset = (uint64_t)request->offset;
    t->range.end = SFD_WIRE_TO_END;
    if (request->length != SFD_WIRE_TO_END) /* no file is as long as what is cut here */
        t->range.end = t->range.begin + sfd_min_u64(request->length, INT64_MAX);
    t->destination.kind = request->dest < 0 ? SFD_FD_PIPE : request->dest_info.kind;
    t->limits.reported_ms = context->now_ms;
    t->limits.since_ms = context->now_ms;
    sfd_observe_begin(context, t, request);
    if (t->options.deadline_ms > 0) t->limits.deadline_ms = context->now_ms + t->options.deadline_ms;
    if (request->accepted < 0) return sfd_transfer_cancel(context, t); /* an answer could block */
    if (request->segment_count > 0) {
        const int result =
            sfd_segments_decode(request->segments, request->segments_size, request->segment_count, &t->segments);
        if (result < 0) return sfd_transfer_refuse(context, t, result);
    }
    if (t->command == SFD_WIRE_SEND_FILE) {
        const int result = accept_dest(context, t, &request->dest_info);
        if (result < 0) return sfd_transfer_refuse(context, t, result);
        t->destination.grows = request->grows;
    } else if (t->command == SFD_WIRE_READ_FILE) {
        if ((t->options.flags & SFD_OPTION_SEAL) != 0) return sfd_transfer_refuse(context, t, -EINVAL);
        t->destination = sfd_destination_of_channel(context->techniques);
    }

    if (request->path != NULL) return sfd_transfer_open_path(context, t, request->path);
    t->source.fd = -1;
    return sfd_transfer_open_source(context, t, request->source);
}

enum sfd_next sfd_transfer_send(struct sfd_context *context, struct sfd_transfer *t, int dest)
{
    struct sfd_fd_info info;

    sfd_timer_disarm(&context->timers, &t->limits.timer);
    sfd_observe_asked(context, t);
    if (t->status.version > 0) t->limits.started_ns = context->kernel.sys->now_ns();
    if (dest < 0) return sfd_transfer_fail(context, t, dest);
    t->destination.fd = dest;
    int result = sfd_fd_classify(context->kernel.sys, dest, &info);
    if (result == 0) result = accept_dest(context, t, &info);
    if (result < 0) return sfd_transfer_fail(context, t, result);
    return sfd_transfer_choose(context, t);
}

/* ------------------------------------------------------------------ going on */

static enum sfd_next after_load(struct sfd_context *context, struct sfd_transfer *t)
{
    if (t->job.error < 0 && sfd_errno_policy(SFD_PLACE_LOAD, t->job.error) == SFD_REMEDY_DEFER) {
        t->cache.cold_rounds--; /* a failed load says nothing about whether pages stay */
        return sfd_transfer_defer(context, t, t->job.error);
    }
    if (t->job.error < 0) return sfd_transfer_fail(context, t, t->job.error);
    if (t->job.moved == 0) return sfd_transfer_fail(context, t, -ENODATA); /* the file ends before its range does */
    t->cache.resident_end = t->range.offset + t->job.moved;
    t->cache.resident_ms = context->now_ms;
    return move_bytes(context, t);
}

void sfd_transfer_take_copied(struct sfd_context *context, struct sfd_transfer *t)
{
    if (t->job.kind != SFD_JOB_COPY) return;
    if (t->job.moved > 0) t->technique = t->job.technique;
    account(context, t, t->job.moved);
    t->job.moved = 0;
}

static enum sfd_next after_copy(struct sfd_context *context, struct sfd_transfer *t)
{
    const enum sfd_place place = t->target == NULL ? SFD_PLACE_BEGIN_COPY : SFD_PLACE_COPY;

    if (t->job.error < 0 && sfd_errno_policy(place, t->job.error) == SFD_REMEDY_DEFER)
        return sfd_transfer_defer(context, t, t->job.error);
    if (t->job.error < 0) return sfd_transfer_fail(context, t, t->job.error);
    return move_bytes(context, t);
}

static enum sfd_next after_job(struct sfd_context *context, struct sfd_transfer *t)
{
    const uint8_t job = t->job.kind;

    t->job.kind = SFD_JOB_NONE;
    t->limits.since_ms = context->now_ms; /* time that the disk took does not count as idle */
    switch (job) {
    case SFD_JOB_OPEN:
        return sfd_transfer_after_open(context, t);
    case SFD_JOB_LOAD:
        return after_load(context, t);
    default:
        return after_copy(context, t);
    }
}

enum sfd_next sfd_transfer_run(struct sfd_context *context, struct sfd_transfer *t)
{
    enum sfd_next next;

    t->limits.retry_ms = 0;
    if (t->state == SFD_STATE_ENDING) return sfd_transfer_end(context, t);
    sfd_transfer_take_copied(context, t);
    if (t->due_end != 0) return sfd_transfer_end_as_due(context, t);
    if (sfd_write_gate_is_closed(&t->gate)) return sfd_transfer_cancel(context, t);
    if (sfd_transfer_is_late(context, t)) return sfd_transfer_timeout(context, t);
    if (t->job.kind != SFD_JOB_NONE) return after_job(context, t);
    switch (t->state) {
    case SFD_STATE_MOVING:
        if (t->wait == SFD_NEXT_TIMER) t->limits.since_ms = context->now_ms; /* nor does a wait for its rate */
        return move_bytes(context, t);
    case SFD_STATE_SELECTING:
        return t->wait == SFD_NEXT_SELECT ? SFD_NEXT_SELECT : sfd_transfer_obey(context, t);
    case SFD_STATE_OPENING:
        return sfd_transfer_open_again(context, t);
    default: /* PARKED: its File Information may have room now, or its time is over */
        next = sfd_transfer_timeout(context, t);
        return next == SFD_NEXT_WAIT ? SFD_NEXT_PARK : next;
    }
}
