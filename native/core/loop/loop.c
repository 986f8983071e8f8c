/*
 * One event loop: its turns. How it comes and goes is in loop_life.c.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "loop/loop_private.h"
#include "sys/errno_policy.h"

_Static_assert(sizeof(struct sfd_lend) == 16, "layout shared with Java");
_Static_assert(offsetof(struct sfd_turn, lend) == 64, "layout shared with Java");
_Static_assert(sizeof(struct sfd_choice) == 32, "layout shared with Java");
_Static_assert(offsetof(struct sfd_turn, choice) == 2112, "layout shared with Java");
_Static_assert(offsetof(struct sfd_turn, slot) == 4096, "layout shared with Java");

#define EVENTS_MAX 64

/*
 * What moves in one turn before the loop looks for events again: some 1 ms. Where small requests arrive they would wait
 * for as long, so there it is some 100 us, which costs bulk transfers one more epoll_wait in half a MiB.
 */
#define TURN_TRANSFERS       64
#define TURN_BYTES           ((uint64_t)4 * 1024 * 1024)
#define TURN_BYTES_RECEIVING ((uint64_t)512 * 1024)

/* Of requests that a loop receives after its stop: more than a queue holds, and a flooder cannot keep it. */
#define LAST_BATCHES 64

/* What a loop itself lacks memory for is tried again after this. */
#define SHORTAGE_MS 10

/* ------------------------------------------------------------------ placing transfers */

void sfd_loop_forget(struct sfd_loop *loop, struct sfd_transfer *t)
{
    sfd_table_remove(&loop->table, t);
    sfd_account_end(t->account, t->promised, &loop->context.counters);
    sfd_turns_leave(&loop->turns, t->client);
    atomic_fetch_sub_explicit(&loop->shared->transfers, 1, memory_order_relaxed);
    free(t);
}

static void abort_transfer(struct sfd_loop *loop, struct sfd_transfer *t, int error)
{
    if (t->waiting) sfd_lending_withdraw(loop, t);
    sfd_transfer_abort(&loop->context, t, error);
    if (!t->lent) sfd_loop_forget(loop, t);
}

int sfd_loop_watch(struct sfd_loop *loop, int fd, struct epoll_event event, bool registered)
{
    const struct sfd_sys *sys = loop->context.machine.sys;
    const int result = sys->epoll_ctl(loop->epoll, registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);

    if (result == 0 || sfd_policy(SFD_PLACE_WATCH, result) != SFD_REMEDY_PASS) return result;
    return sys->epoll_ctl(loop->epoll, EPOLL_CTL_MOD, fd, &event); /* it is in there already */
}

/* One-shot, so that a descriptor that is not waited for cannot wake the loop. */
static int watch(struct sfd_loop *loop, int fd, uint32_t events, uint64_t data, bool *registered)
{
    const struct epoll_event event = {.events = events | EPOLLONESHOT, .data.u64 = data};
    const int result = sfd_loop_watch(loop, fd, event, *registered);

    if (result == 0) *registered = true;
    return result;
}

/*
 * A pipe that we could read ourselves never hangs up while we have it: its client may be long gone, and the transfer
 * would wait for as long as that client wished.
 */
static int check_hangup(struct sfd_loop *loop, const struct sfd_transfer *t)
{
    struct sfd_fd_info info = {.readable = false};
    const int result = sfd_fd_ask(loop->context.machine.sys, t->status.fd, &info);

    return result == 0 && info.readable ? -EBADMSG : result;
}

static int watch_status(struct sfd_loop *loop, struct sfd_transfer *t, uint32_t events)
{
    if (events == 0 && t->hangup_watched) return 0;
    const int checked = t->status_registered ? 0 : check_hangup(loop, t);
    if (checked < 0) return checked;
    const int result = watch(loop, t->status.fd, events, t->id | SFD_EVENT_STATUS, &t->status_registered);
    t->hangup_watched = events == 0 && result == 0;
    return result;
}

/* For what has its timer all the same: when its client goes unwatched, it is seen later. */
static int watch_hangup(struct sfd_loop *loop, struct sfd_transfer *t)
{
    const int result = watch_status(loop, t, 0);

    return result < 0 && sfd_policy(SFD_PLACE_WATCH, result) == SFD_REMEDY_DEFER ? 0 : result;
}

static int watch_dest(struct sfd_loop *loop, struct sfd_transfer *t)
{
    if (t->dest < 0) return watch_status(loop, t, EPOLLOUT); /* Read File: the data goes there too */
    /* The status channel's reader going away is the client going away, however long the destination stays full. */
    const int result = watch_status(loop, t, 0);
    return result < 0 ? result : watch(loop, t->dest, EPOLLOUT, t->id, &t->dest_registered);
}

/*
 * What could not be watched: the transfer looks by its timer, where watching fails for want of something that may be
 * there later.
 */
static void go_unwatched(struct sfd_loop *loop, struct sfd_transfer *t, int error)
{
    if (sfd_policy(SFD_PLACE_WATCH, error) == SFD_REMEDY_DEFER)
        sfd_transfer_unwatched(&loop->context, t);
    else
        abort_transfer(loop, t, error);
}

/* Leaves the selector a choice; when the turn has no room for it, in the next one. */
static void leave_choice(struct sfd_loop *loop, struct sfd_transfer *t)
{
    const struct sfd_subject subject = sfd_transfer_subject(t);

    if (loop->turn->choices == SFD_CHOICES_MAX) {
        sfd_turns_push(&loop->turns, t);
        return;
    }
    loop->turn->choice[loop->turn->choices++] = (struct sfd_choice){
        .id = t->id,
        .size = subject.size,
        .kind = (int32_t)subject.kind,
        .blocking = subject.nonblock ? 0 : 1,
        .fits = subject.fits,
    };
}

void sfd_loop_place(struct sfd_loop *loop, struct sfd_transfer *t, enum sfd_next next)
{
    int result = 0;

    if (t->waiting && t->state == SFD_STATE_ENDING) {
        sfd_lending_withdraw(loop, t); /* it has ended before the disk pool had it */
        next = sfd_transfer_run(&loop->context, t);
    }
    switch (next) {
    case SFD_NEXT_AGAIN:
        sfd_turns_push(&loop->turns, t);
        break;
    case SFD_NEXT_DEST:
        result = watch_dest(loop, t);
        break;
    case SFD_NEXT_STATUS:
        result = watch_status(loop, t, EPOLLOUT);
        break;
    case SFD_NEXT_PARK:
        if (t->status.info_due && t->retry_ms == 0) {
            result = watch_status(loop, t, EPOLLOUT);
            break;
        }
        result = watch_hangup(loop, t);
        break;
    case SFD_NEXT_TIMER:
    case SFD_NEXT_RETRY:
        result = watch_hangup(loop, t);
        break;
    case SFD_NEXT_CHOOSE:
        leave_choice(loop, t);
        break;
    case SFD_NEXT_WAIT:
        break;
    case SFD_NEXT_POOL:
        (void)watch_status(loop, t, 0);
        sfd_lending_add(loop, t);
        break;
    case SFD_NEXT_END:
        sfd_loop_forget(loop, t);
        break;
    }
    if (result < 0) go_unwatched(loop, t, result);
}

void sfd_loop_cancel(struct sfd_loop *loop, struct sfd_transfer *t)
{
    if (t->ready) {
        atomic_store_explicit(&t->cancelled, true, memory_order_relaxed); /* obeyed in its turn */
        return;
    }
    sfd_loop_place(loop, t, sfd_transfer_cancel(&loop->context, t));
}

void sfd_loop_defer(struct sfd_loop *loop, struct sfd_timer *timer)
{
    sfd_counters_add(&loop->context.counters, SFD_COUNTER_SHORTAGES, 1);
    sfd_timer_arm(&loop->context.timers, timer, loop->context.now_ms + SHORTAGE_MS);
}

/* ------------------------------------------------------------------ the parts of a turn */

static void serve_requests(struct sfd_loop *loop)
{
    const int32_t count = loop->turn->requests;

    for (int32_t i = 0; i < count && i < SFD_BATCH_MAX; i++)
        sfd_requests_serve(loop, &loop->turn->slot[i]);
    loop->turn->requests = 0;
}

/* What the selector has chosen for transfers of the turn before; one may have ended meanwhile. */
static void take_choices(struct sfd_loop *loop)
{
    for (int32_t i = 0; i < loop->turn->choices && i < SFD_CHOICES_MAX; i++) {
        struct sfd_transfer *t = sfd_table_find(&loop->table, loop->turn->choice[i].id);
        if (t == NULL || t->state != SFD_STATE_CHOOSING) continue;
        sfd_transfer_choose(t, loop->turn->choice[i].verdict);
        sfd_turns_push(&loop->turns, t);
    }
    loop->turn->choices = 0;
}

static void receive_requests(struct sfd_loop *loop)
{
    const int n = sfd_receive(&loop->receiver, &loop->context.closer, loop->shared->request_fd, loop->turn->slot);

    if (n < 0) sfd_receiving_pause(loop); /* they wait in the socket */
    if (n <= 0) return;
    sfd_counters_add(&loop->context.counters, SFD_COUNTER_REQUESTS, (uint64_t)n);
    loop->turn->requests = n;
}

static void take_mail(struct sfd_loop *loop)
{
    struct sfd_task *next;

    for (struct sfd_task *task = sfd_mailbox_take(&loop->mailbox); task != NULL; task = next) {
        next = task->next;
        if (task->kind == SFD_TASK_MESSAGE) {
            struct sfd_message *message = (struct sfd_message *)task;
            sfd_requests_command(loop, message->id, message->pid, message->uid, message->dest);
            sfd_requests_free(message);
        } else if (task->kind == SFD_TASK_RECEIVE) {
            sfd_receiving_start(loop);
        } else if (task->kind == SFD_TASK_LOOK) {
            sfd_lending_look(loop);
        } else {
            struct sfd_transfer *t = (struct sfd_transfer *)task;
            sfd_lending_take_back(loop, t);
            sfd_turns_push(&loop->turns, t);
        }
    }
}

static void give_turns(struct sfd_loop *loop)
{
    const uint64_t before = loop->context.counters.at[SFD_COUNTER_BYTES];
    const uint64_t most = loop->receiving ? TURN_BYTES_RECEIVING : TURN_BYTES;

    /* Not the ones that become ready meanwhile: each gets one quantum a turn. */
    uint32_t count = loop->turns.ready < TURN_TRANSFERS ? loop->turns.ready : TURN_TRANSFERS;
    for (; count > 0; count--) {
        struct sfd_transfer *t = sfd_turns_pop(&loop->turns);
        if (loop->stopping) {
            abort_transfer(loop, t, -ESHUTDOWN);
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
        if (timer == &loop->receive_again) sfd_receiving_resume(loop);
        if (timer == &loop->receive_again || timer == &loop->close_again) continue;
        struct sfd_transfer *t = (struct sfd_transfer *)(void *)((char *)timer - offsetof(struct sfd_transfer, timer));
        if (t->ready) continue; /* its turn comes anyway, and it looks at the clock */
        sfd_loop_place(loop, t, sfd_transfer_timeout(&loop->context, t));
    }
}

static void transfer_event(struct sfd_loop *loop, const struct epoll_event *event)
{
    struct sfd_transfer *t = sfd_table_find(&loop->table, event->data.u64 & ~SFD_EVENT_STATUS);
    const bool status = (event->data.u64 & SFD_EVENT_STATUS) != 0;

    if (t == NULL) return; /* ended by an earlier event of the same batch */
    if (status) t->hangup_watched = false;
    if (status && (event->events & EPOLLERR) != 0)
        sfd_loop_cancel(loop, t); /* nobody reads the status channel any more: the client is gone */
    else if (!t->lent)
        sfd_turns_push(&loop->turns, t);
    else if (t->state == SFD_STATE_ENDING)
        sfd_loop_place(loop, t, sfd_transfer_run(&loop->context, t)); /* its last words have room */
}

/*
 * Without epoll there is nothing to wait for, and a loop that asks and asks is no help to a machine that lacks
 * something.
 */
static int survive_wait(struct sfd_loop *loop, int error)
{
    if (sfd_policy(SFD_PLACE_WAIT, error) == SFD_REMEDY_END) return error;
    sfd_counters_add(&loop->context.counters, SFD_COUNTER_SHORTAGES, 1);
    (void)sfd_sys_wait_readable(-1, SHORTAGE_MS); /* of no descriptor: only the time passes */
    return 0;
}

static int wait_for_events(struct sfd_loop *loop)
{
    struct epoll_event events[EVENTS_MAX];
    const bool busy = loop->turns.ready > 0 || loop->turn->choices > 0 || loop->turn->requests > 0 ||
                      loop->lend_first != NULL || sfd_lending_has_closes(loop);
    const int timeout = busy ? 0 : sfd_timers_timeout(&loop->context.timers, loop->context.machine.sys->now_ms());

    sfd_watch_waiting(loop);
    const int n = loop->context.machine.sys->epoll_wait(loop->epoll, events, EVENTS_MAX, timeout);
    sfd_watch_working(loop);
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
    sfd_receiving_stop(loop);
    while ((t = sfd_table_next(&loop->table, &position)) != NULL)
        if (!t->ready) abort_transfer(loop, t, -ESHUTDOWN); /* else its turn comes, and is its last */
}

static void publish_load(struct sfd_loop *loop)
{
    atomic_store_explicit(&loop->load, loop->table.count, memory_order_relaxed);
    atomic_store_explicit(&loop->context.counters.at[SFD_COUNTER_TRANSFERS], loop->table.count, memory_order_relaxed);
}

static int run_turn(struct sfd_loop *loop)
{
    loop->context.now_ms = loop->context.machine.sys->now_ms();
    if (!loop->stopping && atomic_load_explicit(&loop->stop, memory_order_relaxed)) begin_stop(loop);
    take_choices(loop);
    serve_requests(loop);
    if (loop->last_batches > 0) {
        /* What waits in the socket is refused in words: its end would let those clients go without. */
        receive_requests(loop);
        loop->last_batches = loop->turn->requests > 0 ? loop->last_batches - 1 : 0;
    }
    take_mail(loop);
    give_turns(loop);
    run_timers(loop);
    publish_load(loop);
    if (loop->stopping && loop->lent == 0 && loop->turns.ready == 0) {
        sfd_lending_publish(loop); /* closes, and nothing else */
        return loop->turn->lends == 0 && loop->turn->requests == 0 ? -ESHUTDOWN : 0;
    }
    sfd_receiving_balance(loop);
    const int result = wait_for_events(loop);
    sfd_lending_publish(loop);
    return result;
}

int sfd_loop_poll(struct sfd_loop *loop)
{
    if (loop->own_tid == 0) {
        loop->own_tid = sfd_sys_thread_id();
        sfd_sys_block_terminal_stop(); /* a terminal can be a destination */
    }
    sfd_watch_working(loop);
    const int result = run_turn(loop);
    sfd_watch_waiting(loop);
    return result;
}

/* ------------------------------------------------------------------ other threads */

void sfd_loop_work(struct sfd_task *task)
{
    if (task->kind == SFD_TASK_CLOSE) {
        sfd_lending_close(task);
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
