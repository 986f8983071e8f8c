/*
 * One event loop.
 */
#include "loop.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "table.h"

_Static_assert(sizeof(struct sfd_lend) == 16, "layout shared with Java");
_Static_assert(offsetof(struct sfd_turn, lend) == 64, "layout shared with Java");
_Static_assert(offsetof(struct sfd_turn, slot) == 4096, "layout shared with Java");

#define EVENTS_MAX 64

/* Transfers that move in one turn before the loop looks for requests again: 64 quanta of 256 KiB are some 4 ms. */
#define TURN_TRANSFERS 64
#define TURN_BYTES     ((uint64_t)4 * 1024 * 1024)

/* epoll data: a transfer id, with this bit when the descriptor is the status channel; or one of the two below. */
#define EVENT_STATUS   SFD_ID_MAX
#define EVENT_REQUESTS UINT64_MAX
#define EVENT_MAILBOX  0

enum task_kind {
    TASK_TRANSFER,
    TASK_CLOSE,   /* descriptors whose close can block; nobody gets it back */
    TASK_MESSAGE, /* Send Open File or Cancel that another loop received */
    TASK_RECEIVE, /* the turn to receive requests */
};

struct close_task {
    struct sfd_task task;
    struct sfd_closer closer;
};

/* Send Open File or Cancel. */
struct message {
    struct sfd_task task;
    uint64_t id;
    int32_t pid;
    uint32_t uid;
    int dest; /* owned; -1: Cancel */
};

struct sfd_loop {
    struct sfd_shared *shared;
    uint32_t index;
    int epoll;
    struct sfd_context context;
    struct sfd_table table;
    struct sfd_turns turns;
    struct sfd_mailbox mailbox;
    struct sfd_receiver receiver;
    struct sfd_turn *turn;
    struct sfd_task *lend_first; /* for the dispatcher, when the turn buffer is full */
    struct sfd_task *lend_last;
    uint32_t lent;           /* transfers that the disk pool has */
    struct sfd_task receive; /* how another loop hands over the receiving */
    atomic_uint load;        /* transfers in the table, for the other loops to read */
    atomic_bool stop;
    bool receiving; /* this loop has the request socket in its epoll; one of all loops has */
    bool stopping;
};

/* ------------------------------------------------------------------ placing transfers */

static void push_lend(struct sfd_loop *loop, struct sfd_task *task)
{
    task->next = NULL;
    if (loop->lend_last == NULL) {
        loop->lend_first = task;
    } else {
        loop->lend_last->next = task;
    }
    loop->lend_last = task;
}

static void forget(struct sfd_loop *loop, struct sfd_transfer *t)
{
    sfd_table_remove(&loop->table, t);
    sfd_turns_leave(&loop->turns, t->client);
    atomic_fetch_sub_explicit(&loop->shared->transfers, 1, memory_order_relaxed);
    free(t);
}

static void abort_transfer(struct sfd_loop *loop, struct sfd_transfer *t, int error)
{
    sfd_transfer_abort(&loop->context, t, error);
    forget(loop, t);
}

/* One-shot, so that a descriptor that is not waited for cannot wake the loop. */
static int watch(struct sfd_loop *loop, int fd, uint32_t events, uint64_t data, bool *registered)
{
    struct epoll_event event = {.events = events | EPOLLONESHOT, .data.u64 = data};
    const int result = loop->context.machine.sys->epoll_ctl(
        loop->epoll, *registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);

    if (result == 0) *registered = true;
    return result;
}

static int watch_status(struct sfd_loop *loop, struct sfd_transfer *t, uint32_t events)
{
    if (events == 0 && t->hangup_watched) return 0;
    t->hangup_watched = events == 0;
    return watch(loop, t->status.fd, events, t->id | EVENT_STATUS, &t->status_registered);
}

static int watch_dest(struct sfd_loop *loop, struct sfd_transfer *t)
{
    if (t->dest < 0)
        return watch_status(loop, t, EPOLLOUT); /* Read File: the data goes there too */
    /* The status channel's reader going away is the client going away, however long the destination stays full. */
    const int result = watch_status(loop, t, 0);
    return result < 0 ? result : watch(loop, t->dest, EPOLLOUT, t->id, &t->dest_registered);
}

/* Puts the transfer where it has to wait. */
static void place(struct sfd_loop *loop, struct sfd_transfer *t, enum sfd_next next)
{
    int result = 0;

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
        result = watch_status(loop, t, t->status.info_due ? EPOLLOUT : 0);
        break;
    case SFD_NEXT_POOL:
        t->lent = true;
        loop->lent++;
        t->task.kind = TASK_TRANSFER;
        push_lend(loop, &t->task);
        break;
    case SFD_NEXT_END:
        forget(loop, t);
        break;
    }
    if (result < 0) {
        /* What cannot be watched (memory, the user's limit of watches) cannot be waited for. */
        abort_transfer(loop, t, result);
    }
}

static void cancel(struct sfd_loop *loop, struct sfd_transfer *t)
{
    if (t->lent || t->ready) {
        atomic_store_explicit(&t->cancelled, true,
                              memory_order_relaxed); /* obeyed on return or in its turn */
        return;
    }
    place(loop, t, sfd_transfer_cancel(&loop->context, t));
}

/* ------------------------------------------------------------------ requests */

/* Answers on the first descriptor if it can be a status channel, and lets all descriptors go. */
static void refuse(struct sfd_loop *loop, struct sfd_slot *slot, int error)
{
    struct sfd_status status;

    sfd_counters_add(&loop->context.counters, SFD_COUNTER_REFUSED, 1);
    if (slot->fds[0] >= 0 && sfd_fd_is_pipe(loop->context.machine.sys, slot->fds[0])) {
        sfd_status_init(&status);
        status.fd = slot->fds[0];
        sfd_status_fail(&status, SFD_WIRE_FILE_INFO, error);
        /* A pipe without room for two bytes is not the fresh pipe that the protocol asks for. */
        (void)sfd_status_flush(&status, &loop->context.machine);
    }
    for (int i = 0; i < SFD_SLOT_FDS; i++)
        sfd_closer_take_unknown(&loop->context.closer, &slot->fds[i]);
}

static struct sfd_transfer *new_transfer(struct sfd_loop *loop, const struct sfd_slot *slot,
                                         int *error)
{
    struct sfd_shared *shared = loop->shared;
    struct sfd_transfer *t = NULL;

    if (atomic_fetch_add_explicit(&shared->transfers, 1, memory_order_relaxed) >=
        shared->settings.max_transfers) {
        *error = -EMFILE;
        goto fail;
    }
    *error = sfd_timers_reserve(&loop->context.timers, loop->table.count + 1u);
    if (*error < 0) goto fail;
    *error = -ENOMEM;
    t = malloc(sizeof(*t));
    if (t == NULL) goto fail;
    sfd_transfer_init(t);
    t->task.loop = loop;
    t->client = sfd_turns_enter(&loop->turns, slot->pid, slot->uid);
    if (t->client == NULL) goto fail;
    *error = sfd_table_add(&loop->table, t);
    if (*error < 0) {
        sfd_turns_leave(&loop->turns, t->client);
        goto fail;
    }
    return t;
fail:
    atomic_fetch_sub_explicit(&shared->transfers, 1, memory_order_relaxed);
    free(t);
    return NULL;
}

/* Open File, Read File, Send File. */
static void begin(struct sfd_loop *loop, struct sfd_slot *slot)
{
    const int wanted = slot->command == SFD_WIRE_SEND_FILE ? 2 : 1;
    struct sfd_transfer_request request = {
        .command = (uint8_t)slot->command,
        .root = loop->shared->roots[slot->root],
        .path = slot->bytes + slot->path,
        .offset = slot->range_offset,
        .length = slot->range_length,
        .dest = -1,
    };
    int error = -EBADMSG;

    if (slot->fd_count != wanted) goto fail;
    /* A read end passes here; the first write to it tells, and there is nobody to tell. */
    if (!sfd_fd_is_pipe(loop->context.machine.sys, slot->fds[0])) goto fail;
    if (wanted == 2) {
        error = sfd_fd_classify(loop->context.machine.sys, slot->fds[1], &request.dest_info);
        if (error < 0) goto fail;
    }
    struct sfd_transfer *t = new_transfer(loop, slot, &error);
    if (t == NULL) goto fail;
    request.id = t->id;
    request.status = slot->fds[0];
    request.dest = slot->fds[1];
    place(loop, t, sfd_transfer_begin(&loop->context, t, &request));
    return;
fail:
    refuse(loop, slot, error);
}

/* Takes `dest`. Only the process that opened a file may send or cancel it; what does not fit is ignored. */
static void command_transfer(struct sfd_loop *loop, uint64_t id, int32_t pid, uint32_t uid,
                             int dest)
{
    struct sfd_transfer *t = sfd_table_find(&loop->table, id);
    const bool own = t != NULL && t->client->pid == pid && t->client->uid == uid;

    if (own && dest < 0) {
        cancel(loop, t);
    } else if (own && !t->lent && !t->ready && t->state == SFD_STATE_PARKED) {
        place(loop, t, sfd_transfer_send(&loop->context, t, dest));
    } else {
        sfd_closer_take_unknown(&loop->context.closer, &dest);
    }
}

/* Send Open File, Cancel: by the loop that has the transfer. */
static void forward(struct sfd_loop *loop, struct sfd_slot *slot)
{
    const int wanted = slot->command == SFD_WIRE_SEND_OPEN_FILE ? 1 : 0;
    const uint32_t index = sfd_table_loop_of(slot->id);

    if (slot->fd_count != wanted || slot->id >= SFD_ID_MAX ||
        index >= loop->shared->settings.loops) {
        /* There is no status channel to answer on: the descriptor is a destination. */
        sfd_counters_add(&loop->context.counters, SFD_COUNTER_REFUSED, 1);
        for (int i = 0; i < SFD_SLOT_FDS; i++)
            sfd_closer_take_unknown(&loop->context.closer, &slot->fds[i]);
        return;
    }
    if (index == loop->index) {
        command_transfer(loop, slot->id, slot->pid, slot->uid, slot->fds[0]);
        return;
    }
    struct message *message = malloc(sizeof(*message));
    if (message == NULL) {
        sfd_closer_take_unknown(&loop->context.closer, &slot->fds[0]);
        return;
    }
    *message = (struct message){
        .task.kind = TASK_MESSAGE,
        .id = slot->id,
        .pid = slot->pid,
        .uid = slot->uid,
        .dest = slot->fds[0],
    };
    sfd_mailbox_push(&loop->shared->loops[index]->mailbox, &message->task);
}

static void serve(struct sfd_loop *loop, struct sfd_slot *slot)
{
    const bool path_sound = slot->root >= 0 && slot->root < SFD_ROOTS_MAX && slot->path >= 0 &&
                            slot->path_length >= 0 &&
                            slot->path < SFD_SLOT_BYTES - slot->path_length;

    if (slot->verdict != 0) {
        refuse(loop, slot, -slot->verdict);
    } else if (loop->stopping) {
        refuse(loop, slot, -ESHUTDOWN);
    } else {
        switch (slot->command) {
        case SFD_WIRE_OPEN_FILE:
        case SFD_WIRE_READ_FILE:
        case SFD_WIRE_SEND_FILE:
            if (path_sound && slot->bytes[slot->path + slot->path_length] == '\0') {
                begin(loop, slot);
            } else {
                refuse(loop, slot, -EBADMSG);
            }
            break;
        case SFD_WIRE_SEND_OPEN_FILE:
        case SFD_WIRE_CANCEL:
            forward(loop, slot);
            break;
        default:
            refuse(loop, slot, -EBADMSG);
        }
    }
}

static void serve_requests(struct sfd_loop *loop)
{
    const int32_t count = loop->turn->requests;

    for (int32_t i = 0; i < count && i < SFD_BATCH_MAX; i++)
        serve(loop, &loop->turn->slot[i]);
    loop->turn->requests = 0;
}

static void receive_requests(struct sfd_loop *loop)
{
    const int n = sfd_receive(&loop->receiver, &loop->context.closer, loop->shared->request_fd,
                              loop->turn->slot);

    if (n <= 0) return; /* ENOBUFS, ENOMEM: they wait in the socket, and the next turn asks again */
    sfd_counters_add(&loop->context.counters, SFD_COUNTER_REQUESTS, (uint64_t)n);
    loop->turn->requests = n;
}

/*
 * One loop receives. On two cores, two loops that both wake for a batch cost 18 % more CPU a request and 17 % of the rate;
 * so the others sleep until one is less loaded than the one that receives, which then hands over. A transfer stays
 * where its request was received: bulk transfers spread over the loops, and small requests find the idlest one.
 */
static void start_receiving(struct sfd_loop *loop)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = EVENT_REQUESTS};

    if (loop->stopping) return;
    /* Without memory for the registration nobody would receive: the next turn tries again. */
    loop->receiving = loop->context.machine.sys->epoll_ctl(loop->epoll, EPOLL_CTL_ADD,
                                                           loop->shared->request_fd, &event) == 0;
    if (!loop->receiving) sfd_mailbox_push(&loop->mailbox, &loop->receive);
}

static void stop_receiving(struct sfd_loop *loop)
{
    if (!loop->receiving) return;
    (void)loop->context.machine.sys->epoll_ctl(loop->epoll, EPOLL_CTL_DEL, loop->shared->request_fd,
                                               NULL);
    loop->receiving = false;
}

static void hand_over_receiving(struct sfd_loop *loop)
{
    struct sfd_loop *idlest = loop;
    uint32_t least = loop->table.count;

    if (!loop->receiving) return;
    for (uint32_t i = 0; i < loop->shared->settings.loops; i++) {
        struct sfd_loop *other = loop->shared->loops[i];
        const uint32_t load = atomic_load_explicit(&other->load, memory_order_relaxed);
        if (load < least) {
            least = load;
            idlest = other;
        }
    }
    if (idlest == loop) return;
    stop_receiving(loop);
    sfd_mailbox_push(&idlest->mailbox, &idlest->receive);
}

/* ------------------------------------------------------------------ the parts of a turn */

static void take_mail(struct sfd_loop *loop)
{
    struct sfd_task *next;

    for (struct sfd_task *task = sfd_mailbox_take(&loop->mailbox); task != NULL; task = next) {
        next = task->next;
        if (task->kind == TASK_MESSAGE) {
            struct message *message = (struct message *)task;
            command_transfer(loop, message->id, message->pid, message->uid, message->dest);
            free(message);
        } else if (task->kind == TASK_RECEIVE) {
            start_receiving(loop);
        } else {
            struct sfd_transfer *t = (struct sfd_transfer *)task;
            t->lent = false;
            loop->lent--;
            sfd_turns_push(&loop->turns, t);
        }
    }
}

static void give_turns(struct sfd_loop *loop)
{
    const uint64_t before = loop->context.counters.at[SFD_COUNTER_BYTES];

    /* Not the ones that become ready meanwhile: each gets one quantum a turn. */
    uint32_t count = loop->turns.ready < TURN_TRANSFERS ? loop->turns.ready : TURN_TRANSFERS;
    for (; count > 0; count--) {
        struct sfd_transfer *t = sfd_turns_pop(&loop->turns);
        if (loop->stopping) {
            abort_transfer(loop, t, -ESHUTDOWN);
            continue;
        }
        place(loop, t, sfd_transfer_run(&loop->context, t));
        if (loop->context.counters.at[SFD_COUNTER_BYTES] - before >= TURN_BYTES) break;
    }
}

static void run_timers(struct sfd_loop *loop)
{
    struct sfd_timer *timer;

    while ((timer = sfd_timers_expire(&loop->context.timers, loop->context.now_ms)) != NULL) {
        struct sfd_transfer *t =
            (struct sfd_transfer *)(void *)((char *)timer - offsetof(struct sfd_transfer, timer));
        if (t->ready || t->lent) continue; /* its turn comes anyway */
        place(loop, t, sfd_transfer_timeout(&loop->context, t));
    }
}

/* Descriptors that may block in close go as one task; without memory for it they wait for the next turn. */
static void lend_closes(struct sfd_loop *loop)
{
    if (loop->context.closer.count == 0) return;
    struct close_task *task = malloc(sizeof(*task));
    if (task == NULL) return;
    *task = (struct close_task){
        .task = {.kind = TASK_CLOSE, .queue = SFD_QUEUE_CLOSE},
        .closer = loop->context.closer,
    };
    sfd_closer_init(&loop->context.closer, loop->context.machine.sys);
    push_lend(loop, &task->task);
}

static void publish_lends(struct sfd_loop *loop)
{
    int32_t count = 0;

    lend_closes(loop);
    while (loop->lend_first != NULL && count < SFD_LENDS_MAX) {
        struct sfd_task *task = loop->lend_first;
        loop->lend_first = task->next;
        if (loop->lend_first == NULL) loop->lend_last = NULL;
        loop->turn->lend[count++] =
            (struct sfd_lend){.task = (uint64_t)(uintptr_t)task, .queue = (int32_t)task->queue};
    }
    loop->turn->lends = count;
}

static void transfer_event(struct sfd_loop *loop, const struct epoll_event *event)
{
    struct sfd_transfer *t = sfd_table_find(&loop->table, event->data.u64 & ~EVENT_STATUS);
    const bool status = (event->data.u64 & EVENT_STATUS) != 0;

    if (t == NULL) return; /* ended by an earlier event of the same batch */
    if (status) t->hangup_watched = false;
    if (status && (event->events & EPOLLERR) != 0) {
        cancel(loop, t); /* nobody reads the status channel any more: the client is gone */
    } else if (!t->lent) {
        sfd_turns_push(&loop->turns, t);
    }
}

static int wait_for_events(struct sfd_loop *loop)
{
    struct epoll_event events[EVENTS_MAX];
    const bool busy =
        loop->turns.ready > 0 || loop->lend_first != NULL || loop->context.closer.count > 0;
    const int timeout = busy ? 0 : sfd_timers_timeout(&loop->context.timers, sfd_sys_now_ms());

    const int n = loop->context.machine.sys->epoll_wait(loop->epoll, events, EVENTS_MAX, timeout);
    if (n < 0) return n;
    for (int i = 0; i < n; i++) {
        if (events[i].data.u64 == EVENT_REQUESTS) {
            receive_requests(loop);
        } else if (events[i].data.u64 == EVENT_MAILBOX) {
            sfd_sys_event_clear(loop->mailbox.eventfd);
        } else {
            transfer_event(loop, &events[i]);
        }
    }
    return 0;
}

static void begin_stop(struct sfd_loop *loop)
{
    struct sfd_transfer *t;
    uint32_t position = 0;

    loop->stopping = true;
    stop_receiving(loop);
    while ((t = sfd_table_next(&loop->table, &position)) != NULL) {
        if (t->lent || t->ready) {
            /* Its turn comes, and is its last; the disk pool need not begin any more. */
            atomic_store_explicit(&t->cancelled, true, memory_order_relaxed);
        } else {
            abort_transfer(loop, t, -ESHUTDOWN);
        }
    }
}

static void publish_load(struct sfd_loop *loop)
{
    atomic_store_explicit(&loop->load, loop->table.count, memory_order_relaxed);
    atomic_store_explicit(&loop->context.counters.at[SFD_COUNTER_TRANSFERS], loop->table.count,
                          memory_order_relaxed);
}

int sfd_loop_poll(struct sfd_loop *loop)
{
    loop->context.now_ms = sfd_sys_now_ms();
    if (!loop->stopping && atomic_load_explicit(&loop->stop, memory_order_relaxed))
        begin_stop(loop);
    serve_requests(loop);
    take_mail(loop);
    give_turns(loop);
    run_timers(loop);
    if (loop->stopping && loop->lent == 0 && loop->turns.ready == 0) {
        publish_lends(loop); /* closes, and nothing else */
        if (loop->turn->lends == 0) return -ESHUTDOWN;
        return 0;
    }
    publish_load(loop);
    hand_over_receiving(loop);
    const int result = wait_for_events(loop);
    publish_lends(loop);
    return result;
}

/* ------------------------------------------------------------------ other threads */

void sfd_loop_work(struct sfd_task *task)
{
    if (task->kind == TASK_CLOSE) {
        struct close_task *closes = (struct close_task *)task;
        sfd_closer_deinit(&closes->closer);
        free(closes);
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

/* ------------------------------------------------------------------ life */

struct sfd_turn *sfd_loop_turn(struct sfd_loop *loop)
{
    return loop->turn;
}

struct sfd_counters *sfd_loop_counters(struct sfd_loop *loop)
{
    return &loop->context.counters;
}

int sfd_loop_create(struct sfd_loop **out, struct sfd_shared *shared, uint32_t index)
{
    struct epoll_event mailbox = {.events = EPOLLIN, .data.u64 = EVENT_MAILBOX};
    int result = -ENOMEM;
    struct sfd_loop *loop = calloc(1, sizeof(*loop));

    if (loop == NULL) return -ENOMEM;
    loop->shared = shared;
    loop->index = index;
    loop->epoll = -1;
    loop->mailbox.eventfd = -1;
    loop->context = (struct sfd_context){
        .machine = shared->machine,
        .devices = &shared->devices,
        .buffer_size = shared->settings.buffer_size,
        .quantum = shared->settings.quantum,
        .open_timeout_ms = shared->settings.open_timeout_ms,
    };
    sfd_closer_init(&loop->context.closer, shared->machine.sys);
    sfd_timers_init(&loop->context.timers);
    sfd_table_init(&loop->table, index);
    sfd_turns_init(&loop->turns);
    atomic_init(&loop->stop, false);
    atomic_init(&loop->load, 0);
    loop->receive.kind = TASK_RECEIVE;

    loop->context.buffer = malloc(loop->context.buffer_size);
    loop->turn = calloc(1, sizeof(*loop->turn));
    if (loop->context.buffer == NULL || loop->turn == NULL) goto fail;
    result = sfd_mailbox_init(&loop->mailbox);
    if (result < 0) goto fail;
    result = sfd_sys_epoll();
    if (result < 0) goto fail;
    loop->epoll = result;
    loop->context.epoll = loop->epoll;
    result =
        shared->machine.sys->epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->mailbox.eventfd, &mailbox);
    if (result < 0) goto fail;
    if (index == 0) sfd_mailbox_push(&loop->mailbox, &loop->receive);
    *out = loop;
    return 0;
fail:
    sfd_loop_destroy(loop);
    return result;
}

void sfd_loop_destroy(struct sfd_loop *loop)
{
    struct sfd_transfer *t;
    struct sfd_task *next;
    uint32_t position = 0;

    if (loop == NULL) return;
    for (int32_t i = 0; loop->turn != NULL && i < loop->turn->requests; i++) {
        for (int j = 0; j < SFD_SLOT_FDS; j++) {
            sfd_closer_take_unknown(&loop->context.closer, &loop->turn->slot[i].fds[j]);
        }
    }
    for (struct sfd_task *task = sfd_mailbox_take(&loop->mailbox); task != NULL; task = next) {
        next = task->next;
        if (task->kind != TASK_MESSAGE) continue;
        struct message *message = (struct message *)task;
        sfd_closer_take_unknown(&loop->context.closer, &message->dest);
        free(message);
    }
    while ((t = sfd_table_next(&loop->table, &position)) != NULL) {
        sfd_transfer_abort(&loop->context, t, -ESHUTDOWN);
        sfd_turns_leave(&loop->turns, t->client);
        free(t);
    }
    for (struct sfd_task *task = loop->lend_first; task != NULL; task = next) {
        next = task->next;
        if (task->kind == TASK_CLOSE) sfd_loop_work(task);
    }
    sfd_closer_deinit(&loop->context.closer);
    sfd_timers_deinit(&loop->context.timers);
    sfd_table_deinit(&loop->table);
    sfd_mailbox_deinit(&loop->mailbox);
    if (loop->epoll >= 0) (void)loop->context.machine.sys->close(loop->epoll);
    free(loop->context.buffer);
    free(loop->turn);
    free(loop);
}
