/*
 * How a transfer ends: its last words, and the closing of what it owns. Loop only.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "transfer_private.h"

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
                          sfd_transfer_queue(t->dest_device));
    if (file_closes_at_once(context, t)) {
        sfd_fd_close(context->machine.sys, &t->file);
    } else {
        sfd_closer_take_file(&context->closer, &t->file, sfd_transfer_queue(t->device));
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

enum sfd_next sfd_transfer_end(struct sfd_context *context, struct sfd_transfer *t)
{
    close_data(context, t);
    t->state = SFD_STATE_ENDING;
    if (sfd_status_flush(&t->status, &context->machine) == 0) return SFD_NEXT_STATUS;
    return release(context, t);
}

enum sfd_next sfd_transfer_refuse(struct sfd_context *context, struct sfd_transfer *t, int error)
{
    sfd_counters_add(&context->counters, SFD_COUNTER_REFUSED, 1);
    sfd_status_fail(&t->status, SFD_WIRE_FILE_INFO, error);
    return sfd_transfer_end(context, t);
}

enum sfd_next sfd_transfer_fail(struct sfd_context *context, struct sfd_transfer *t, int error)
{
    /* Before its file is open it has nothing to tell, but it has not begun either. */
    const bool begun =
        t->state != SFD_STATE_OPENING && (t->offset > t->begin || !t->status.info_due);

    if (!begun) return sfd_transfer_refuse(context, t, error);
    sfd_counters_add(&context->counters, SFD_COUNTER_FAILED, 1);
    if (t->command == SFD_WIRE_READ_FILE)
        return release(context, t); /* EOF before `size` bytes says it */
    sfd_status_fail(&t->status, SFD_WIRE_XFER_STAT, error);
    return sfd_transfer_end(context, t);
}

enum sfd_next sfd_transfer_cancel(struct sfd_context *context, struct sfd_transfer *t)
{
    sfd_counters_add(&context->counters, SFD_COUNTER_CANCELLED, 1);
    return release(context, t);
}

void sfd_transfer_abort(struct sfd_context *context, struct sfd_transfer *t, int error)
{
    if (t->state != SFD_STATE_ENDING) {
        (void)sfd_transfer_fail(context, t, error);
    } else if (t->status.fd >= 0) {
        (void)sfd_status_flush(&t->status, &context->machine); /* there may be room by now */
    }
    (void)release(context, t);
}

enum sfd_next sfd_transfer_complete(struct sfd_context *context, struct sfd_transfer *t)
{
    sfd_counters_add(&context->counters, SFD_COUNTER_COMPLETED, 1);
    if (t->command != SFD_WIRE_READ_FILE) sfd_status_complete(&t->status);
    return sfd_transfer_end(context, t);
}
