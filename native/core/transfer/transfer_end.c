/*
 * How a transfer ends: its final message, and closing what it owns. Loop only.
 *
 * A transfer can end while the disk pool has it: its client is answered, and its status channel and its destination are
 * closed, at once; the file, and all else that the job uses, are closed when it comes back. Only if the pool just
 * writes to a file for it, the client is answered when the job comes back, too: what it hears last is the end of all
 * writes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "transfer/observe.h"
#include "transfer/transfer_private.h"

static void leave_epoll(struct sfd_context *context, int fd, bool *registered)
{
    /*
     * Closing our descriptor is not enough: the registration lives as long as the open file description, which the
     * client has too (epoll(7)).
     */
    if (*registered) (void)context->kernel.sys->epoll_ctl(context->epoll, EPOLL_CTL_DEL, fd, NULL);
    *registered = false;
}

/*
 * On a local file system there is nothing to flush and no server to ask; but the last close of a file that was deleted
 * meanwhile frees its blocks, which can take long for a long file.
 */
static bool file_closes_at_once(const struct sfd_context *context, const struct sfd_transfer *t)
{
    struct statx st;

    if (!sfd_medium_is_local((enum sfd_medium)t->source.medium)) return false;
    if (t->source.fd < 0 || t->status.details.size <= context->settings->quantum) return true;
    return context->kernel.sys->statx(t->source.fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_NLINK, &st) == 0 &&
           st.stx_nlink > 0;
}

void sfd_transfer_drop_target(const struct sfd_context *context, struct sfd_transfer *t)
{
    if (t->target == NULL) return;
    sfd_transfer_give_memory_back(context, t);
    sfd_write_ranges_leave(context->ranges, &t->target->range);
    free(t->target);
    t->target = NULL;
}

/* Closes what the disk pool works with: not while it has the transfer. */
static void close_file(struct sfd_context *context, struct sfd_transfer *t)
{
    sfd_transfer_drop_target(context, t);
    sfd_transfer_drop_snapshot(context, t);
    sfd_transfer_drop_root(context, t);
    if (t->cache.drop.own != 0)
        sfd_closer_take_dropping(&context->closer, &t->source.fd, t->source.device, &t->cache.drop, t->loop.account);
    else if (file_closes_at_once(context, t))
        sfd_fd_close(context->kernel.sys, &t->source.fd);
    else
        sfd_closer_take_file(&context->closer, &t->source.fd, t->source.device, t->loop.account);
    free(t->source.path);
    t->source.path = NULL;
    sfd_transfer_drop_bounce(t);
    free(t->segments);
    t->segments = NULL;
}

static void close_data(struct sfd_context *context, struct sfd_transfer *t)
{
    sfd_timer_disarm(&context->timers, &t->limits.timer);
    if (t->loop.offloaded)
        (void)sfd_write_gate_close(&t->gate); /* the job should not begin, or should stop */
    else
        close_file(context, t);
    if (t->loop.offloaded && t->job.kind == SFD_JOB_COPY) return;
    if (t->destination.fd >= 0) leave_epoll(context, t->destination.fd, &t->loop.dest_registered);
    sfd_destination_close(&context->closer, &t->destination, t->loop.account);
}

/*
 * It has ended, but still exists: its client is no longer charged for promised descriptors that it does not hold any
 * more.
 */
static void settle(struct sfd_context *context, struct sfd_transfer *t)
{
    const int file = t->loop.offloaded || t->source.fd >= 0 ? 1 : 0; /* while offloaded, the disk pool has it */
    const int held = file + (t->status.fd >= 0 ? 1 : 0) + (t->destination.fd >= 0 ? 1 : 0);

    if (held >= t->loop.promised) return;
    sfd_client_account_release(t->loop.account, (uint32_t)(t->loop.promised - held), context->counters);
    t->loop.promised = (uint8_t)held;
}

/*
 * Closes everything. Of an offloaded transfer it closes only the loop's part; when it comes back, sfd_transfer_run
 * closes the rest.
 */
static enum sfd_next release(struct sfd_context *context, struct sfd_transfer *t)
{
    t->state = SFD_STATE_ENDING;
    close_data(context, t);
    if (t->status.fd >= 0) leave_epoll(context, t->status.fd, &t->loop.status_registered);
    sfd_status_deinit(&t->status, &context->kernel);
    if (!t->loop.offloaded) return SFD_NEXT_END;
    settle(context, t);
    return SFD_NEXT_WAIT;
}

enum sfd_next sfd_transfer_end(struct sfd_context *context, struct sfd_transfer *t)
{
    if (t->state != SFD_STATE_ENDING) t->limits.since_ms = context->now_ms;
    t->state = SFD_STATE_ENDING;
    close_data(context, t);
    const int told = !sfd_status_is_open(&t->status) ? 1 : sfd_status_flush(&t->status, &context->kernel);
    if (told == 1 || sfd_status_is_lost(told)) return release(context, t);
    settle(context, t);
    if (told < 0) sfd_transfer_retry(context, t); /* there is room, but no memory to use it */
    sfd_transfer_wait(context, t, SFD_NEXT_STATUS);
    return told < 0 ? SFD_NEXT_RETRY : SFD_NEXT_STATUS;
}

enum sfd_next sfd_transfer_give_up(struct sfd_context *context, struct sfd_transfer *t)
{
    sfd_counters_add(context->counters, SFD_COUNTER_DRAIN_TIMEOUTS, 1);
    return release(context, t);
}

/* Fills in the Result. */
static void sum_up(struct sfd_transfer *t, uint64_t now_ns)
{
    if (t->status.version == 0) return;
    t->status.result = (struct sfd_wire_result){
        .moved = sfd_transfer_moved(t),
        .elapsed_ns = now_ns - t->limits.started_ns,
        .cold_windows = t->cache.cold_windows,
        .technique = t->technique,
        .fits = (uint8_t)t->status.fits,
    };
}

/*
 * It should end, for `error`. If the disk pool writes for it now, that is only noted, and true: it ends when the job is
 * back, which is not long, because no further write begins. The first reason counts.
 */
static bool ends_later(struct sfd_transfer *t, int error)
{
    if (!t->loop.offloaded || t->state == SFD_STATE_ENDING) return false;
    if (t->due_end == 0 && sfd_write_gate_close(&t->gate)) return false;
    if (t->due_end == 0) t->due_end = (int16_t)error;
    return true;
}

enum sfd_next sfd_transfer_end_as_due(struct sfd_context *context, struct sfd_transfer *t)
{
    const int error = t->due_end;

    t->due_end = 0;
    return error == -ECANCELED ? sfd_transfer_cancel(context, t) : sfd_transfer_fail(context, t, error);
}

enum sfd_next sfd_transfer_refuse(struct sfd_context *context, struct sfd_transfer *t, int error)
{
    (void)sfd_observe_end(context, t, SFD_OUTCOME_REFUSED, error);
    sfd_status_fail(&t->status, SFD_WIRE_FILE_INFO, error);
    return sfd_transfer_end(context, t);
}

/* Before its file is open no File Information is due, but the transfer has not begun either. */
static bool has_begun(const struct sfd_transfer *t)
{
    return t->state != SFD_STATE_OPENING &&
           (t->state == SFD_STATE_PARKED || sfd_transfer_moved(t) > 0 || !t->status.info_due);
}

enum sfd_next sfd_transfer_fail(struct sfd_context *context, struct sfd_transfer *t, int error)
{
    if (ends_later(t, error)) return SFD_NEXT_WAIT;
    if (!has_begun(t)) return sfd_transfer_refuse(context, t, error);
    const uint64_t now_ns = sfd_observe_end(context, t, SFD_OUTCOME_FAILED, error);
    if (t->command == SFD_WIRE_READ_FILE) return release(context, t); /* EOF before `size` bytes reports the failure */
    sum_up(t, now_ns);
    sfd_status_fail(&t->status, SFD_WIRE_XFER_STAT, error);
    return sfd_transfer_end(context, t);
}

/*
 * A client that cancels sees by the end of file that nothing more comes; a local channel has none. One whose transfer
 * somebody else ends is told as well, unless the file's bytes go where the message would.
 */
static bool is_to_be_told(const struct sfd_transfer *t)
{
    return t->status.local != NULL || (t->loop.ordered && !(t->command == SFD_WIRE_READ_FILE && has_begun(t)));
}

static void tell_cancelled(struct sfd_context *context, struct sfd_transfer *t, uint64_t now_ns)
{
    sum_up(t, now_ns);
    sfd_status_fail(&t->status, has_begun(t) ? SFD_WIRE_XFER_STAT : SFD_WIRE_FILE_INFO, -ECANCELED);
    (void)sfd_status_flush(&t->status, &context->kernel);
}

enum sfd_next sfd_transfer_cancel(struct sfd_context *context, struct sfd_transfer *t)
{
    if (ends_later(t, -ECANCELED)) return SFD_NEXT_WAIT;
    if (t->state != SFD_STATE_ENDING) {
        const uint64_t now_ns = sfd_observe_end(context, t, SFD_OUTCOME_CANCELLED, 0);
        if (is_to_be_told(t)) tell_cancelled(context, t, now_ns);
    }
    return release(context, t);
}

void sfd_transfer_abort(struct sfd_context *context, struct sfd_transfer *t, int error)
{
    if (ends_later(t, error)) return;
    if (t->state != SFD_STATE_ENDING) {
        if (!t->loop.offloaded) sfd_transfer_take_copied(context, t);
        if (t->due_end == 0) t->due_end = (int16_t)error;
        (void)sfd_transfer_end_as_due(context, t);
    } else if (sfd_status_is_open(&t->status)) {
        (void)sfd_status_flush(&t->status, &context->kernel); /* there may be room by now */
    }
    (void)release(context, t);
}

enum sfd_next sfd_transfer_complete(struct sfd_context *context, struct sfd_transfer *t)
{
    sum_up(t, sfd_observe_end(context, t, SFD_OUTCOME_COMPLETED, 0));
    if (t->command != SFD_WIRE_READ_FILE || t->status.version > 0) sfd_status_complete(&t->status);
    return sfd_transfer_end(context, t);
}
