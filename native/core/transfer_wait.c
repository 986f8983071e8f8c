/*
 * How a transfer waits: what its client is told before, and what its timer is for. Loop only.
 */
#include <errno.h>

#include "transfer_private.h"

bool sfd_transfer_tell(struct sfd_context *context, struct sfd_transfer *t)
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

enum sfd_next sfd_transfer_pause(struct sfd_context *context, struct sfd_transfer *t,
                                 enum sfd_next next)
{
    const int locked = t->file < 0 ? 0 : sfd_transfer_lock(context, t);

    if (locked < 0) return sfd_transfer_fail(context, t, locked);
    if (progress_is_due(context, t) && !sfd_transfer_tell(context, t))
        return sfd_transfer_cancel(context, t);
    if (next == SFD_NEXT_DEST) {
        sfd_counters_add(&context->counters, SFD_COUNTER_BLOCKED, 1);
        /* What is not told yet is told in time even if the destination stays full. */
        if (t->status.progress > 0) {
            sfd_timer_arm(&context->timers, &t->timer, t->reported_ms + SFD_PROGRESS_INTERVAL_MS);
        }
    }
    return next;
}

enum sfd_next sfd_transfer_timeout(struct sfd_context *context, struct sfd_transfer *t)
{
    if (t->state == SFD_STATE_PARKED) {
        sfd_counters_add(&context->counters, SFD_COUNTER_OPEN_TIMEOUTS, 1);
        sfd_status_fail(&t->status, SFD_WIRE_XFER_STAT, -ETIMEDOUT);
        return sfd_transfer_end(context, t);
    }
    return sfd_transfer_tell(context, t) ? SFD_NEXT_DEST : sfd_transfer_cancel(context, t);
}
