/*
 * Where a transfer waits between two steps: in the ready queue, in epoll, for its timer, for the selector or for the
 * disk pool; and how it leaves its loop. Thread: the loop's.
 */
#include <errno.h>
#include <stdlib.h>

#include "loop/loop_private.h"
#include "sys/errno_policy.h"
#include "transfer/observe.h"

void sfd_loop_drop_dest(struct sfd_loop *loop, struct sfd_transfer *t)
{
    while ((t->loop.due & SFD_DUE_SEND) != 0) { /* another one may come during the close */
        int dest = t->loop.send_dest;
        t->loop.due &= (uint8_t)~SFD_DUE_SEND;
        sfd_closer_take_unknown(&loop->context.closer, &dest, t->loop.account);
    }
}

void sfd_loop_forget(struct sfd_loop *loop, struct sfd_transfer *t)
{
    sfd_loop_drop_dest(loop, t);
    sfd_transfer_table_remove(&loop->transfers, t);
    atomic_fetch_sub(&loop->shared->transfers, 1);
    sfd_client_account_end(t->loop.account, t->loop.promised, loop->context.counters);
    sfd_loop_exits_leave(loop, t->loop.client);
    if (loop->carrier->transfer == t) loop->carrier->transfer = NULL;
    sfd_observe_forget(&loop->context, t);
    sfd_transfer_deinit(&loop->context, t);
    free(t);
}

void sfd_loop_abort(struct sfd_loop *loop, struct sfd_transfer *t, int error)
{
    if (t->loop.waiting) sfd_loop_offload_withdraw(loop, t);
    sfd_transfer_abort(&loop->context, t, error);
    if (!t->loop.offloaded) sfd_loop_forget(loop, t);
}

int sfd_loop_watch(struct sfd_loop *loop, int fd, struct epoll_event event, bool registered)
{
    const struct sfd_sys *sys = loop->shared->kernel.sys; /* epoll_ctl(2) waits for nobody: no guard */
    const int result = sys->epoll_ctl(loop->epoll, registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);

    if (result == 0 || sfd_errno_policy(SFD_PLACE_WATCH, result) != SFD_REMEDY_PASS) return result;
    return sys->epoll_ctl(loop->epoll, EPOLL_CTL_MOD, fd, &event); /* it is registered already */
}

/* One-shot, so that a descriptor that is not waited for cannot wake the loop. */
static int watch(struct sfd_loop *loop, int fd, uint32_t events, uint64_t data, bool *registered)
{
    const struct epoll_event event = {.events = events | EPOLLONESHOT, .data.u64 = data};
    const int result = sfd_loop_watch(loop, fd, event, *registered);

    if (result == 0) *registered = true;
    return result;
}

/* A local channel always has room, and its process is this one. */
static int watch_status(struct sfd_loop *loop, struct sfd_transfer *t, uint32_t events)
{
    if (t->status.local != NULL) return 0;
    if (events == 0 && t->loop.hangup_watched) return 0;
    const int checked = t->loop.status_registered ? 0 : sfd_status_check_hangup(&t->status, &loop->context.kernel);
    if (checked < 0) return checked;
    const int result = watch(loop, t->status.fd, events, t->id | SFD_EVENT_STATUS, &t->loop.status_registered);
    t->loop.hangup_watched = events == 0 && result == 0;
    return result;
}

/*
 * For a transfer that waits for its timer. A shortage is no error here: then the end of its client is noticed later, by
 * the timer.
 */
static int watch_hangup(struct sfd_loop *loop, struct sfd_transfer *t)
{
    const int result = watch_status(loop, t, 0);

    return result < 0 && sfd_errno_policy(SFD_PLACE_WATCH, result) == SFD_REMEDY_DEFER ? 0 : result;
}

static int watch_dest(struct sfd_loop *loop, struct sfd_transfer *t)
{
    if (t->destination.fd < 0) return watch_status(loop, t, EPOLLOUT); /* Read File: the data goes there too */
    /*
     * The client's end shows as hang-up of the status channel; it must be noticed also while the destination stays
     * full.
     */
    const int result = watch_status(loop, t, 0);
    return result < 0 ? result : watch(loop, t->destination.fd, EPOLLOUT, t->id, &t->loop.dest_registered);
}

/*
 * A descriptor could not be watched. After a shortage the transfer tries again by its timer; any other error ends it.
 */
static void go_unwatched(struct sfd_loop *loop, struct sfd_transfer *t, int error)
{
    if (sfd_errno_policy(SFD_PLACE_WATCH, error) == SFD_REMEDY_DEFER)
        sfd_transfer_unwatched(&loop->context, t);
    else
        sfd_loop_abort(loop, t, error);
}

/* Adds a selection to the turn buffer; if that is full, tries again in the next turn. */
static void leave_selection(struct sfd_loop *loop, struct sfd_transfer *t)
{
    const struct sfd_subject subject = sfd_transfer_subject(t);

    if (loop->turn->selections == SFD_SELECTIONS_MAX) {
        sfd_ready_queue_push(&loop->ready_queue, t);
        return;
    }
    loop->turn->selection[loop->turn->selections++] = (struct sfd_selection){
        .id = t->id,
        .size = subject.size,
        .kind = (int32_t)subject.kind,
        .blocking = subject.nonblock ? 0 : 1,
        .fits = subject.fits,
    };
}

static enum sfd_waits_for waits_for(const struct sfd_transfer *t, enum sfd_next next)
{
    switch (next) {
    case SFD_NEXT_DEST:
        return SFD_WAITS_FOR_RECEIVER;
    case SFD_NEXT_STATUS:
        return SFD_WAITS_FOR_STATUS;
    case SFD_NEXT_POOL:
        return t->loop.waiting ? SFD_WAITS_FOR_PLACE : SFD_WAITS_FOR_DISK;
    case SFD_NEXT_PARK:
        return SFD_WAITS_FOR_SEND;
    case SFD_NEXT_TIMER:
        return SFD_WAITS_FOR_RATE;
    case SFD_NEXT_RETRY:
        return SFD_WAITS_FOR_RESOURCES;
    case SFD_NEXT_SELECT:
        return SFD_WAITS_FOR_SELECTOR;
    default:
        return SFD_WAITS_FOR_NOTHING;
    }
}

void sfd_loop_place(struct sfd_loop *loop, struct sfd_transfer *t, enum sfd_next next)
{
    int result = 0;

    if (next != SFD_NEXT_END && t->status.local == NULL) sfd_loop_exits_await(loop, t->loop.client);
    if (t->loop.waiting && t->state == SFD_STATE_ENDING) {
        sfd_loop_offload_withdraw(loop, t); /* it has ended while it waited for a disk task */
        next = sfd_transfer_run(&loop->context, t);
    }
    switch (next) {
    case SFD_NEXT_AGAIN:
        sfd_ready_queue_push(&loop->ready_queue, t);
        break;
    case SFD_NEXT_DEST:
        result = watch_dest(loop, t);
        break;
    case SFD_NEXT_STATUS:
        result = watch_status(loop, t, EPOLLOUT);
        break;
    case SFD_NEXT_PARK:
        if (loop->draining) { /* a drain would wait for it, and it waits for the client */
            sfd_loop_abort(loop, t, -ESHUTDOWN);
            return;
        }
        if (t->status.info_due && t->limits.retry_ms == 0) {
            result = watch_status(loop, t, EPOLLOUT);
            break;
        }
        result = watch_hangup(loop, t);
        break;
    case SFD_NEXT_TIMER:
    case SFD_NEXT_RETRY:
        result = watch_hangup(loop, t);
        break;
    case SFD_NEXT_SELECT:
        leave_selection(loop, t);
        break;
    case SFD_NEXT_WAIT:
        break;
    case SFD_NEXT_POOL:
        (void)watch_status(loop, t, 0);
        sfd_loop_offload_add(loop, t);
        break;
    case SFD_NEXT_END:
        sfd_loop_forget(loop, t);
        break;
    }
    if (next != SFD_NEXT_END && next != SFD_NEXT_WAIT) sfd_observe_waits(&loop->context, t, waits_for(t, next));
    if (result < 0) go_unwatched(loop, t, result);
}

void sfd_loop_cancel(struct sfd_loop *loop, struct sfd_transfer *t)
{
    if (t->loop.ready) {
        (void)sfd_write_gate_close(&t->gate); /* obeyed when it runs */
        return;
    }
    sfd_loop_place(loop, t, sfd_transfer_cancel(&loop->context, t));
}
