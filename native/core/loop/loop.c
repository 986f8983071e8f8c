/*
 * One event loop: its turns. loop_life.c creates and destroys it.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "loop/loop_private.h"
#include "sys/errno_policy.h"
#include "transfer/observe.h"

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

/* The most tasks of its mailbox that a turn takes: many threads can submit faster than a loop serves. */
#define TURN_MAIL 1024

/* ------------------------------------------------------------------ the parts of a turn */

static void serve_requests(struct sfd_loop *loop)
{
    struct sfd_carrier *carrier = loop->carrier;

    while (carrier->next_request < loop->turn->requests && carrier->next_request < SFD_BATCH_MAX)
        sfd_loop_requests_serve(loop, &loop->turn->slot[carrier->next_request++]);
    loop->turn->requests = 0;
    carrier->next_request = 0;
}

/* Selections of this turn that were not decided: their transfers ask again in the next one. */
static void withdraw_selections(struct sfd_loop *loop, struct sfd_turn *turn)
{
    for (int32_t i = 0; i < turn->selections && i < SFD_SELECTIONS_MAX; i++) {
        struct sfd_transfer *t = sfd_transfer_table_find(&loop->transfers, turn->selection[i].id);
        if (t != NULL && t->state == SFD_STATE_SELECTING) sfd_loop_act(loop, t, SFD_DUE_EVENT);
    }
    turn->selections = 0;
}

/* Goes on with what carriers have not served that have lost the loop. The own turn buffer is empty. */
static void adopt(struct sfd_loop *loop)
{
    while (loop->left != NULL) {
        struct sfd_carrier *left = loop->left;
        struct sfd_turn *turn = left->turn;
        loop->left = left->left_next;
        left->left = false;
        for (int32_t i = left->next_request; i < turn->requests; i++) {
            const struct sfd_slot *slot = &turn->slot[i];
            memcpy(&loop->turn->slot[loop->turn->requests++], slot, sfd_slot_size(slot));
        }
        turn->requests = left->next_request;
        withdraw_selections(loop, turn);
        serve_requests(loop);
    }
}

/* Passes the selector's answers to the transfers of the last turn; one may have ended meanwhile. */
static void take_selections(struct sfd_loop *loop)
{
    for (int32_t i = 0; i < loop->turn->selections && i < SFD_SELECTIONS_MAX; i++) {
        struct sfd_transfer *t = sfd_transfer_table_find(&loop->transfers, loop->turn->selection[i].id);
        if (t == NULL || t->state != SFD_STATE_SELECTING) continue;
        if (!t->loop.out) sfd_transfer_select(t, loop->turn->selection[i].verdict); /* else it asks again */
        sfd_loop_act(loop, t, SFD_DUE_EVENT);
    }
    loop->turn->selections = 0;
}

/* Behind what sessions ask in this turn. */
static void receive_requests(struct sfd_loop *loop, bool takes, int asked)
{
    const int n = takes ? sfd_loop_receiving_take(loop, asked) : sfd_loop_receiving_fill(loop, asked);

    if (n < 0)
        sfd_loop_receiving_pause(loop, n); /* the requests stay in the socket */
    else
        sfd_loop_receiving_works(loop);
    if (n <= 0) return;
    sfd_counters_add(loop->context.counters, SFD_COUNTER_REQUESTS, (uint64_t)n);
    loop->turn->requests = asked + n;
}

static void take_mail(struct sfd_loop *loop)
{
    if (loop->mail == NULL) loop->mail = sfd_mailbox_take(&loop->mailbox);
    for (int i = 0; i < TURN_MAIL && loop->mail != NULL; i++) {
        struct sfd_task *task = loop->mail;
        loop->mail = task->next;
        if (task->kind == SFD_TASK_COMMAND) {
            struct sfd_command *command = (struct sfd_command *)task;
            sfd_loop_requests_command(loop, command->id, command->process, command->uid, command->dest);
            sfd_loop_requests_free(command);
        } else if (task->kind == SFD_TASK_ORDER) {
            struct sfd_command *command = (struct sfd_command *)task;
            sfd_loop_requests_order(loop, command->id);
            sfd_loop_requests_free(command);
        } else if (task->kind == SFD_TASK_RECEIVE) {
            sfd_loop_receiving_start(loop);
        } else if (task->kind == SFD_TASK_TAKE) {
            loop->takes = true;
        } else if (task->kind == SFD_TASK_LOOK) {
            sfd_loop_offload_look(loop);
        } else if (task->kind == SFD_TASK_SESSION) {
            sfd_loop_session_take(loop, task);
        } else if (task->kind == SFD_TASK_LOCAL) {
            sfd_loop_local_take(loop, task);
        } else if (task->kind == SFD_TASK_LOCAL_SEND || task->kind == SFD_TASK_LOCAL_CANCEL) {
            sfd_loop_local_command(loop, task);
        } else {
            sfd_loop_act(loop, (struct sfd_transfer *)task, SFD_DUE_BACK);
        }
    }
}

static void run_ready(struct sfd_loop *loop)
{
    const uint64_t before = loop->context.counters->at[SFD_COUNTER_BYTES];
    const uint64_t most = loop->receiving ? TURN_BYTES_RECEIVING : TURN_BYTES;

    /* Only transfers that are ready now: so each one moves at most one quantum in a turn. */
    uint32_t count = loop->ready_queue.count < TURN_TRANSFERS ? loop->ready_queue.count : TURN_TRANSFERS;
    for (; count > 0; count--) {
        struct sfd_transfer *t = sfd_ready_queue_pop(&loop->ready_queue);
        if (t == NULL) break; /* another carrier has run them */
        sfd_loop_act(loop, t, SFD_DUE_RUN);
        if (loop->context.counters->at[SFD_COUNTER_BYTES] - before >= most) break;
    }
}

static void run_timers(struct sfd_loop *loop)
{
    struct sfd_timer *timer;

    while ((timer = sfd_timers_expire(&loop->context.timers, loop->context.now_ms)) != NULL) {
        if (timer == &loop->receive_again) sfd_loop_receiving_resume(loop);
        if (timer == &loop->look_for_exits) sfd_loop_exits_look(loop);
        if (timer == &loop->rest_over) sfd_loop_receiving_end_rests(loop); /* or waits for longer */
        if (timer == &loop->sessions.look_for_silent) sfd_loop_sessions_end_silent(loop);
        if (timer == &loop->sessions.close_unused) sfd_loop_sessions_close_unused(loop);
        if (timer == &loop->receive_again || timer == &loop->close_again || timer == &loop->look_for_exits ||
            timer == &loop->rest_over || timer == &loop->sessions.accept_again ||
            timer == &loop->sessions.look_for_silent || timer == &loop->sessions.close_unused)
            continue;
        struct sfd_transfer *t =
            (struct sfd_transfer *)(void *)((char *)timer - offsetof(struct sfd_transfer, limits.timer));
        sfd_loop_act(loop, t, SFD_DUE_TIMER);
    }
}

static void transfer_event(struct sfd_loop *loop, const struct epoll_event *event)
{
    struct sfd_transfer *t = sfd_transfer_table_find(&loop->transfers, event->data.u64 & ~SFD_EVENT_STATUS);
    const bool status = (event->data.u64 & SFD_EVENT_STATUS) != 0;

    if (t == NULL) return; /* ended by an earlier event of the same batch */
    if (status) t->loop.hangup_watched = false;
    /* The status channel that loses its reader has lost its client. */
    sfd_loop_act(loop, t, status && (event->events & EPOLLERR) != 0 ? SFD_DUE_CANCEL : SFD_DUE_EVENT);
}

/*
 * After an error of epoll_wait that may pass: sleeps a moment before the next try. A loop that tried again at once
 * would only add to the load of a system that is short of something.
 */
static int survive_wait(struct sfd_loop *loop, int error)
{
    if (sfd_errno_policy(SFD_PLACE_WAIT, error) == SFD_REMEDY_END) return error;
    sfd_counters_add(loop->context.counters, SFD_COUNTER_SHORTAGES, 1);
    (void)sfd_sys_wait_readable(-1, SFD_LOOP_SHORTAGE_MS); /* of no descriptor: only sleeps */
    return 0;
}

static bool is_busy(const struct sfd_loop *loop)
{
    return loop->ready_queue.count > 0 || loop->turn->selections > 0 || loop->offload_first != NULL ||
           loop->last_batches > 0 || loop->takes || loop->look_again || loop->left != NULL || loop->mail != NULL ||
           loop->owners_last != NULL || loop->outbox.first != NULL || loop->sessions.queued > 0 ||
           loop->sessions.asking_first != NULL || loop->sessions.outbox.first != NULL ||
           loop->context.closer.unknown_count > 0 || atomic_load(&loop->returning) > 0 ||
           sfd_loop_offload_has_closes(loop);
}

/* What became ready behind the last wait has had to wait for all of this. */
static void note_turn(struct sfd_loop *loop)
{
    struct sfd_counters_loop *counters = loop->context.observer.loop;
    const uint64_t now_ns = loop->shared->kernel.sys->now_ns();

    if (loop->context.now_ns > 0 && now_ns >= loop->context.now_ns) {
        sfd_histogram_record(&counters->time[SFD_TIME_TURN], now_ns - loop->context.now_ns);
        sfd_loop_sessions_note_turn(loop, now_ns - loop->context.now_ns, now_ns);
    }
    atomic_store_explicit(&counters->turned_ns, now_ns, memory_order_relaxed);
}

static int wait_for_events(struct sfd_loop *loop)
{
    const struct sfd_sys *sys = loop->shared->kernel.sys;
    if (loop->next_event < loop->event_count) return 0; /* what another carrier has left */
    const bool skips = loop->outbox.first != NULL && !loop->wait_skipped;
    const bool waits = !is_busy(loop) && sfd_mailbox_begin_wait(&loop->mailbox);
    const int timeout = waits ? sfd_timers_timeout(&loop->context.timers, sys->now_ms()) : 0;

    /* Not before this turn began: a timer that was due earlier was served in it. */
    loop->awaited_ms = sfd_timers_due_ms(&loop->context.timers);
    if (loop->awaited_ms < loop->context.now_ms) loop->awaited_ms = loop->context.now_ms;
    /* Messages go to the dispatcher without a system call first; but not in two turns in a row, for the events' sake.
     */
    loop->wait_skipped = skips;
    if (skips) return 0;
    note_turn(loop);
    sfd_watchdog_waiting(loop);
    const int n = sys->epoll_wait(loop->epoll, loop->events, SFD_EVENTS_MAX, timeout);
    sfd_watchdog_working(loop);
    loop->context.now_ns = sys->now_ns();
    sfd_mailbox_end_wait(&loop->mailbox);
    if (n < 0) return survive_wait(loop, n);
    loop->next_event = 0;
    loop->event_count = n;
    loop->waits++;
    return 0;
}

static void take_events(struct sfd_loop *loop)
{
    while (loop->next_event < loop->event_count) {
        const struct epoll_event event = loop->events[loop->next_event++];
        if (event.data.u64 == SFD_EVENT_REQUESTS)
            loop->requests_wait = true;
        else if (event.data.u64 == SFD_EVENT_MAILBOX)
            continue; /* it has ended the wait, and the next turn takes the mail */
        else if (event.data.u64 < SFD_ID_MIN && event.data.u64 >= SFD_EVENT_SESSION)
            sfd_loop_sessions_event(loop, event.data.u64);
        else if (event.data.u64 < SFD_ID_MIN)
            sfd_loop_exits_event(loop, (int)(event.data.u64 - SFD_EVENT_PIDFD));
        else
            transfer_event(loop, &event);
    }
}

/* The last part of a turn: from here on its turn buffer has requests that were not decided. */
static void take_requests(struct sfd_loop *loop)
{
    const bool wait = loop->requests_wait;
    /* Half of the slots at the most, so that datagrams have room; from here to the end they are this carrier's. */
    const int asked = sfd_loop_sessions_ask(loop, loop->turn->slot, SFD_BATCH_MAX - SFD_INTAKE_LEAST);

    loop->requests_wait = false;
    loop->turn->requests = 0;
    if (loop->takes) {
        atomic_store(&loop->shared->succession.take_queued, false); /* before the answer, after which it is used anew */
        loop->takes = false; /* before the receipt, during which another carrier may have the loop */
        receive_requests(loop, true, asked);
    } else if (loop->last_batches > 0) {
        /*
         * Requests that wait in the socket are refused with an error message. If the socket were just closed, their
         * clients would get end of file without a reason.
         */
        loop->last_batches--; /* before the receipt, during which another carrier may find the socket empty */
        receive_requests(loop, false, asked);
        if (loop->turn->requests == 0) loop->last_batches = 0;
    } else if (wait && !sfd_loop_receiving_is_over(loop)) {
        receive_requests(loop, false, asked);
    }
    if (loop->turn->requests == 0) loop->turn->requests = asked;
}

static void begin_stop(struct sfd_loop *loop)
{
    loop->stopping = true;
    const bool socket_ends = loop->shared->request_fd >= 0 && !loop->shared->socket_stays &&
                             !atomic_load(&loop->shared->succession.paused); /* else it is another process's */
    loop->last_batches = loop->receiving && socket_ends ? LAST_BATCHES : 0;
    sfd_loop_receiving_stop(loop);
    loop->look_again = true;
}

/* Requests in a socket that stays are the next engine's; what has been received is still this one's. */
static void begin_drain(struct sfd_loop *loop)
{
    loop->draining = true;
    if (loop->shared->socket_stays) sfd_loop_receiving_stop(loop);
}

/* Behind the requests of the last turn: of these none is undecided, but those that wait for a thread. */
static void note_drained(struct sfd_loop *loop)
{
    if (loop->turn->requests > 0 || loop->requests_held > 0) return;
    loop->drained = true;
    atomic_fetch_add(&loop->shared->loops_drained, 1);
}

/* Of a carrier that has lost the loop meanwhile, the heir goes on. */
static void tell_transfers(struct sfd_loop *loop, uint32_t *position, uint8_t due)
{
    struct sfd_transfer *t;

    while ((t = sfd_transfer_table_next(&loop->transfers, position)) != NULL)
        sfd_loop_act(loop, t, due);
}

static void publish_transfers(struct sfd_loop *loop)
{
    atomic_store_explicit(&loop->context.counters->at[SFD_COUNTER_TRANSFERS], loop->transfers.count,
                          memory_order_relaxed);
}

/* Between two turns, so that each request, and each step of a transfer, sees all of a reload or nothing. */
static void take_settings(struct sfd_loop *loop)
{
    struct sfd_reload *reload = &loop->shared->reload;

    if (atomic_load_explicit(&reload->version, memory_order_relaxed) == loop->settings_version) return;
    pthread_mutex_lock(&reload->lock);
    loop->settings = reload->settings;
    loop->context.settings = &loop->settings;
    loop->settings_version = atomic_load(&reload->version);
    pthread_mutex_unlock(&reload->lock);
}

/* Whether a loop that stops has nothing left but closes and messages. Then nothing can be sent to it any more. */
static bool is_over(struct sfd_loop *loop)
{
    return loop->stopping && loop->offloaded == 0 && loop->ready_queue.count == 0 && loop->away == 0 &&
           loop->last_batches == 0 && atomic_load(&loop->waiting) == 0 && loop->context.closer.unknown_count == 0 &&
           loop->mail == NULL && loop->owners_last == NULL && loop->sessions.count == 0 && loop->sessions.queued == 0 &&
           loop->sessions.asking_first == NULL && loop->sessions.outbox.first == NULL &&
           sfd_mailbox_close(&loop->mailbox);
}

/* The last part of a turn: what the dispatcher is to do. */
static void publish(struct sfd_loop *loop)
{
    sfd_loop_offload_publish(loop);
    sfd_loop_local_publish(loop);
}

int sfd_loop_run_turn(struct sfd_loop *loop)
{
    struct sfd_carrier *carrier = loop->carrier;

    loop->turn->messages = 0; /* they were dispatched */
    take_settings(loop);
    if (!loop->stopping && atomic_load_explicit(&loop->stop, memory_order_relaxed)) begin_stop(loop);
    if (loop->stopping) tell_transfers(loop, &loop->stop_position, SFD_DUE_STOP);
    if (!loop->draining && atomic_load_explicit(&loop->shared->draining, memory_order_relaxed)) begin_drain(loop);
    if (loop->draining) tell_transfers(loop, &loop->drain_position, SFD_DUE_DRAIN);
    take_selections(loop);
    serve_requests(loop);
    adopt(loop);
    sfd_loop_receiving_note_pause(loop);
    if (loop->draining && !loop->drained) note_drained(loop);
    sfd_loop_requests_close_surplus(loop);
    if (loop->turn->selections > 0 && atomic_load(&loop->returning) > 0) withdraw_selections(loop, loop->turn);
    if (sfd_carrier_yield(carrier, loop)) return SFD_TURN_YIELDED;
    sfd_loop_receiving_balance(loop);
    sfd_loop_receiving_end_rests(loop);
    take_mail(loop);
    sfd_loop_local_serve(loop);
    sfd_loop_act_look(loop);
    run_ready(loop);
    run_timers(loop);
    sfd_loop_sessions_tell(loop);
    sfd_loop_sessions_listen(loop);
    sfd_loop_sessions_serve(loop);
    publish_transfers(loop);
    if (is_over(loop)) {
        publish(loop);
        const struct sfd_turn *turn = loop->turn;
        return turn->offloads == 0 && turn->requests == 0 && turn->messages == 0 ? -ESHUTDOWN : 0;
    }
    const int result = wait_for_events(loop);
    if (result < 0) return result; /* it cannot go on: nobody looks at its turn buffer any more */
    take_events(loop);
    take_requests(loop);
    publish(loop);
    return 0;
}

/* ------------------------------------------------------------------ other threads */

void sfd_loop_work(struct sfd_task *task)
{
    struct sfd_loop *loop = task->loop;
    struct sfd_counters_queue *queue = sfd_counters_file_queue(&loop->shared->counters_file, task->queue);

    atomic_fetch_add_explicit(&queue->begun, 1, memory_order_relaxed);
    if (task->kind == SFD_TASK_CLOSE) {
        sfd_loop_offload_close(task);
        atomic_fetch_add_explicit(&queue->done, 1, memory_order_relaxed);
        return;
    }
    sfd_transfer_work(&loop->pool_context, (struct sfd_transfer *)task);
    atomic_fetch_add_explicit(&queue->done, 1, memory_order_relaxed); /* before the loop can know that it is */
    (void)sfd_mailbox_push(&loop->mailbox, task);                     /* it has not ended: it waits for the transfer */
}

bool sfd_loop_has_waiting(struct sfd_loop *loop)
{
    return atomic_load(&loop->waiting) > 0;
}

bool sfd_loop_take(struct sfd_loop *loop, struct sfd_task *task)
{
    task->kind = SFD_TASK_TAKE;
    return sfd_mailbox_push(&loop->mailbox, task);
}

void sfd_loop_receive_again(struct sfd_loop *loop)
{
    sfd_loop_receiving_offer(loop);
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
