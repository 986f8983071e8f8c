/*
 * One event loop: its turns. loop_life.c creates and destroys it.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "loop/loop_private.h"
#include "sys/errno_policy.h"

#define EVENTS_MAX 64

/*
 * The most that one turn moves before the loop looks for events again: about 1 ms of work. On the loop that receives,
 * new requests would wait for that long, so there it is about 100 us of work; bulk transfers pay for that with one
 * epoll_wait per 512 KiB.
 */
#define TURN_TRANSFERS       64
#define TURN_BYTES           ((uint64_t)4 * 1024 * 1024)
#define TURN_BYTES_RECEIVING ((uint64_t)512 * 1024)

/*
 * The most batches that a loop receives after its stop, to refuse them: more than the socket's queue holds, and a
 * limit, so that a flooder cannot keep the loop alive.
 */
#define LAST_BATCHES 64

/* ------------------------------------------------------------------ the parts of a turn */

static void serve_requests(struct sfd_loop *loop)
{
    const int32_t count = loop->turn->requests;

    for (int32_t i = 0; i < count && i < SFD_BATCH_MAX; i++)
        sfd_loop_requests_serve(loop, &loop->turn->slot[i]);
    loop->turn->requests = 0;
}

/* Passes the selector's answers to the transfers of the last turn; one may have ended meanwhile. */
static void take_selections(struct sfd_loop *loop)
{
    for (int32_t i = 0; i < loop->turn->selections && i < SFD_SELECTIONS_MAX; i++) {
        struct sfd_transfer *t = sfd_transfer_table_find(&loop->transfers, loop->turn->selection[i].id);
        if (t == NULL || t->state != SFD_STATE_SELECTING) continue;
        sfd_transfer_select(t, loop->turn->selection[i].verdict);
        sfd_ready_queue_push(&loop->ready_queue, t);
    }
    loop->turn->selections = 0;
}

static void receive_requests(struct sfd_loop *loop)
{
    const int n =
        sfd_receive_batch_fill(&loop->receive_batch, &loop->context.closer, loop->shared->request_fd, loop->turn->slot);

    if (n < 0) sfd_loop_receiving_pause(loop); /* the requests stay in the socket */
    if (n <= 0) return;
    sfd_counters_add(&loop->context.counters, SFD_COUNTER_REQUESTS, (uint64_t)n);
    loop->turn->requests = n;
}

static void take_mail(struct sfd_loop *loop)
{
    struct sfd_task *next;

    for (struct sfd_task *task = sfd_mailbox_take(&loop->mailbox); task != NULL; task = next) {
        next = task->next;
        if (task->kind == SFD_TASK_COMMAND) {
            struct sfd_command *command = (struct sfd_command *)task;
            sfd_loop_requests_command(loop, command->id, command->pid, command->uid, command->dest);
            sfd_loop_requests_free(command);
        } else if (task->kind == SFD_TASK_RECEIVE) {
            sfd_loop_receiving_start(loop);
        } else if (task->kind == SFD_TASK_LOOK) {
            sfd_loop_offload_look(loop);
        } else {
            struct sfd_transfer *t = (struct sfd_transfer *)task;
            sfd_loop_offload_take_back(loop, t);
            sfd_ready_queue_push(&loop->ready_queue, t);
        }
    }
}

static void run_ready(struct sfd_loop *loop)
{
    const uint64_t before = loop->context.counters.at[SFD_COUNTER_BYTES];
    const uint64_t most = loop->receiving ? TURN_BYTES_RECEIVING : TURN_BYTES;

    /* Only transfers that are ready now: so each one moves at most one quantum in a turn. */
    uint32_t count = loop->ready_queue.count < TURN_TRANSFERS ? loop->ready_queue.count : TURN_TRANSFERS;
    for (; count > 0; count--) {
        struct sfd_transfer *t = sfd_ready_queue_pop(&loop->ready_queue);
        if (loop->stopping) {
            sfd_loop_abort(loop, t, -ESHUTDOWN);
            continue;
        }
        sfd_loop_place(loop, t, sfd_transfer_run(&loop->context, t));
        if (loop->context.counters.at[SFD_COUNTER_BYTES] - before >= most) break;
    }
}

static void run_timers(struct sfd_loop *loop)
{
    struct sfd_timer *timer;

    while ((timer = sfd_timers_expire(&loop->context.timers, loop->context.now_ms)) != NULL) {
        if (timer == &loop->receive_again) sfd_loop_receiving_resume(loop);
        if (timer == &loop->receive_again || timer == &loop->close_again) continue;
        struct sfd_transfer *t =
            (struct sfd_transfer *)(void *)((char *)timer - offsetof(struct sfd_transfer, limits.timer));
        if (t->loop.ready) continue; /* it runs anyway, and checks its limits then */
        sfd_loop_place(loop, t, sfd_transfer_timeout(&loop->context, t));
    }
}

static void transfer_event(struct sfd_loop *loop, const struct epoll_event *event)
{
    struct sfd_transfer *t = sfd_transfer_table_find(&loop->transfers, event->data.u64 & ~SFD_EVENT_STATUS);
    const bool status = (event->data.u64 & SFD_EVENT_STATUS) != 0;

    if (t == NULL) return; /* ended by an earlier event of the same batch */
    if (status) t->loop.hangup_watched = false;
    if (status && (event->events & EPOLLERR) != 0)
        sfd_loop_cancel(loop, t); /* the status channel has lost its reader: the client is gone */
    else if (!t->loop.offloaded)
        sfd_ready_queue_push(&loop->ready_queue, t);
    else if (t->state == SFD_STATE_ENDING)
        sfd_loop_place(loop, t, sfd_transfer_run(&loop->context, t)); /* its final message may have room now */
}

/*
 * After an error of epoll_wait that may pass: sleeps a moment before the next try. A loop that tried again at once
 * would only add to the load of a system that is short of something.
 */
static int survive_wait(struct sfd_loop *loop, int error)
{
    if (sfd_errno_policy(SFD_PLACE_WAIT, error) == SFD_REMEDY_END) return error;
    sfd_counters_add(&loop->context.counters, SFD_COUNTER_SHORTAGES, 1);
    (void)sfd_sys_wait_readable(-1, SFD_LOOP_SHORTAGE_MS); /* of no descriptor: only sleeps */
    return 0;
}

static int wait_for_events(struct sfd_loop *loop)
{
    struct epoll_event events[EVENTS_MAX];
    const bool busy = loop->ready_queue.count > 0 || loop->turn->selections > 0 || loop->turn->requests > 0 ||
                      loop->offload_first != NULL || sfd_loop_offload_has_closes(loop);
    const int timeout = busy ? 0 : sfd_timers_timeout(&loop->context.timers, loop->context.kernel.sys->now_ms());

    sfd_watchdog_waiting(loop);
    const int n = loop->context.kernel.sys->epoll_wait(loop->epoll, events, EVENTS_MAX, timeout);
    sfd_watchdog_working(loop);
    if (n < 0) return survive_wait(loop, n);
    for (int i = 0; i < n; i++)
        if (events[i].data.u64 == SFD_EVENT_REQUESTS)
            receive_requests(loop);
        else if (events[i].data.u64 == SFD_EVENT_MAILBOX)
            sfd_sys_event_clear(loop->mailbox.eventfd);
        else
            transfer_event(loop, &events[i]);
    return 0;
}

static void begin_stop(struct sfd_loop *loop)
{
    struct sfd_transfer *t;
    uint32_t position = 0;

    loop->stopping = true;
    loop->last_batches = loop->receiving ? LAST_BATCHES : 0;
    sfd_loop_receiving_stop(loop);
    while ((t = sfd_transfer_table_next(&loop->transfers, &position)) != NULL)
        if (!t->loop.ready) sfd_loop_abort(loop, t, -ESHUTDOWN); /* a ready one is aborted by run_ready */
}

static void publish_transfers(struct sfd_loop *loop)
{
    atomic_store_explicit(&loop->context.counters.at[SFD_COUNTER_TRANSFERS], loop->transfers.count,
                          memory_order_relaxed);
}

static int run_turn(struct sfd_loop *loop)
{
    loop->context.now_ms = loop->context.kernel.sys->now_ms();
    if (!loop->stopping && atomic_load_explicit(&loop->stop, memory_order_relaxed)) begin_stop(loop);
    take_selections(loop);
    serve_requests(loop);
    if (loop->last_batches > 0) {
        /*
         * Requests that wait in the socket are refused with an error message. If the socket were just closed, their
         * clients would get end of file without a reason.
         */
        receive_requests(loop);
        loop->last_batches = loop->turn->requests > 0 ? loop->last_batches - 1 : 0;
    }
    sfd_loop_receiving_balance(loop);
    take_mail(loop);
    run_ready(loop);
    run_timers(loop);
    publish_transfers(loop);
    if (loop->stopping && loop->offloaded == 0 && loop->ready_queue.count == 0) {
        sfd_loop_offload_publish(loop); /* only closes are left */
        return loop->turn->offloads == 0 && loop->turn->requests == 0 ? -ESHUTDOWN : 0;
    }
    const int result = wait_for_events(loop);
    sfd_loop_offload_publish(loop);
    return result;
}

int sfd_loop_poll(struct sfd_loop *loop)
{
    if (loop->own_tid == 0) {
        loop->own_tid = sfd_sys_thread_id();
        sfd_sys_block_terminal_stop(); /* a terminal can be a destination */
    }
    sfd_watchdog_working(loop);
    const int result = run_turn(loop);
    sfd_watchdog_waiting(loop);
    return result;
}

/* ------------------------------------------------------------------ other threads */

void sfd_loop_work(struct sfd_task *task)
{
    if (task->kind == SFD_TASK_CLOSE) {
        sfd_loop_offload_close(task);
        return;
    }
    struct sfd_loop *loop = task->loop;
    sfd_transfer_work(&loop->context, (struct sfd_transfer *)task);
    sfd_mailbox_push(&loop->mailbox, task);
}

void sfd_loop_wake(struct sfd_loop *loop)
{
    sfd_mailbox_wake(&loop->mailbox);
}

void sfd_loop_stop(struct sfd_loop *loop)
{
    atomic_store_explicit(&loop->stop, true, memory_order_relaxed);
    sfd_loop_wake(loop);
}
