/*
 * Requests of this very process: their way into the loop, and their beginning. local_request.h says what they are.
 */
#include "loop/local_request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sendfiled/segments.h>

#include "loop/loop_private.h"
#include "transfer/observe.h"

/* The most requests that begin in one turn, and after how many bytes no more begin. */
#define TURN_REQUESTS 64
#define TURN_BYTES    ((uint64_t)512 * 1024)

static struct sfd_local_request *request_of(struct sfd_task *task)
{
    const size_t member = task->kind == SFD_TASK_LOCAL        ? offsetof(struct sfd_local_request, task)
                          : task->kind == SFD_TASK_LOCAL_SEND ? offsetof(struct sfd_local_request, send)
                                                              : offsetof(struct sfd_local_request, cancel);

    return (struct sfd_local_request *)(void *)((char *)task - member);
}

/* ------------------------------------------------------------------ submitting: any thread */

static int check_segments(const struct sfd_local_order *order)
{
    if (order->segment_count > SFD_SEGMENTS_MAX) return -E2BIG;
    if (order->path_length + 1 + order->segments_size > SFD_WIRE_MAX_PATH + 1) return -EMSGSIZE;
    if (order->segment_count == 0) return order->segments_size == 0 ? 0 : -EINVAL;
    return order->offset == 0 && order->length == 0 && (order->options.flags & SFD_OPTION_SEAL) == 0 ? 0 : -EINVAL;
}

static int check_path(const struct sfd_local_order *order)
{
    if (order->root == NULL || order->path == NULL) return -EINVAL;
    if (order->path_length == 0) return -ENOENT;
    if (order->path_length > SFD_WIRE_MAX_PATH) return -ENAMETOOLONG;
    return memchr(order->path, '\0', order->path_length) == NULL ? 0 : -EINVAL;
}

int sfd_local_check(const struct sfd_local_order *order)
{
    const bool opens = order->command == SFD_WIRE_OPEN_FILE;
    const bool descriptor = order->command == SFD_WIRE_SEND_DESCRIPTOR;
    const bool sends = descriptor || order->command == SFD_WIRE_SEND_FILE || order->command == SFD_WIRE_READ_FILE;
    const bool to_end = order->length == SFD_WIRE_TO_END;
    int result;

    if (!opens && !sends) return -EINVAL;
    if ((order->dest >= 0) != sends || (order->source >= 0) != descriptor) return -EINVAL;
    if (order->content_most > (opens && order->segment_count == 0 ? SFD_CONTENT_MAX : 0)) return -EINVAL;
    if (order->options.technique >= SFD_TECHNIQUES || (order->options.flags & ~SFD_OPTIONS_ALL) != 0) return -EINVAL;
    result = descriptor ? 0 : check_path(order);
    if (result == 0) result = check_segments(order);
    if (result < 0) return result;
    if (order->offset < 0) return -ERANGE;
    return to_end || order->length <= (uint64_t)(INT64_MAX - order->offset) ? 0 : -ERANGE;
}

struct sfd_local_request *sfd_local_new(const struct sfd_local_order *order)
{
    const size_t path_size = order->command == SFD_WIRE_SEND_DESCRIPTOR ? 0 : order->path_length + 1;
    struct sfd_local_request *request = malloc(sizeof(*request) + path_size + order->segments_size);

    if (request == NULL) return NULL;
    *request = (struct sfd_local_request){
        .task = {.kind = SFD_TASK_LOCAL},
        .send = {.kind = SFD_TASK_LOCAL_SEND},
        .cancel = {.kind = SFD_TASK_LOCAL_CANCEL},
        .send_dest = -1,
        .process = sfd_local_process(order->owner),
        .command = order->command,
        .root = sfd_root_share(order->root),
        .dest = order->dest,
        .source = order->source,
        .offset = order->offset,
        .length = order->length,
        .options = order->options,
        .content_most = order->content_most,
        .segment_count = order->segment_count,
        .segments_size = order->segments_size,
        .path_size = path_size,
        .bytes = (char *)(request + 1),
    };
    sfd_local_channel_init(&request->channel, order->ticket);
    if (path_size > 0) {
        memcpy(request->bytes, order->path, order->path_length);
        request->bytes[order->path_length] = '\0';
    }
    if (order->segments_size > 0) memcpy(request->bytes + path_size, order->segments, order->segments_size);
    return request;
}

int sfd_local_submit(struct sfd_shared *shared, const struct sfd_local_order *order, struct sfd_local_request **out)
{
    struct sfd_loop *loop = shared->loops[atomic_load_explicit(&shared->receiving_loop, memory_order_relaxed)];
    struct sfd_local_request *request = NULL;
    int fds[] = {order->dest, order->source};
    int result = sfd_local_check(order);

    if (result < 0) goto fail;
    result = -ENOMEM;
    request = sfd_local_new(order);
    if (request == NULL) goto fail;
    request->task.loop = loop;
    request->uid = loop->shared->kernel.uid;
    request->channel.outbox = &loop->outbox;
    (void)sfd_local_channel_share(&request->channel); /* the loop's */
    result = -ESHUTDOWN; /* asked first: else those who go on submitting could keep it from its end */
    if (atomic_load_explicit(&loop->stop, memory_order_relaxed) || !sfd_mailbox_push(&loop->mailbox, &request->task))
        goto fail;
    *out = request;
    return 0;
fail:
    if (request != NULL) {
        sfd_root_put(request->root);
        free(request);
    }
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
        sfd_fd_close(&sfd_sys_linux, &fds[i]);
    return result;
}

void sfd_local_send_opened(struct sfd_local_request *request, int dest)
{
    if (!atomic_exchange(&request->sent, true)) {
        request->send_dest = dest;
        (void)sfd_local_channel_share(&request->channel);
        if (sfd_mailbox_push(&request->task.loop->mailbox, &request->send)) return;
        sfd_local_channel_put(&request->channel); /* not the last: the caller has one */
    }
    sfd_fd_close(&sfd_sys_linux, &dest);
}

void sfd_local_cancel(struct sfd_local_request *request)
{
    if (atomic_exchange(&request->cancelled, true)) return;
    (void)sfd_local_channel_share(&request->channel);
    if (!sfd_mailbox_push(&request->task.loop->mailbox, &request->cancel)) sfd_local_channel_put(&request->channel);
}

void sfd_local_release(struct sfd_local_request *request)
{
    sfd_local_channel_put(&request->channel);
}

/* ------------------------------------------------------------------ the loop */

/* Closes what it came with. */
static void drop(struct sfd_loop *loop, struct sfd_local_request *request, struct sfd_client_account *account)
{
    sfd_root_put(request->root);
    request->root = NULL;
    sfd_closer_take_unknown(&loop->context.closer, &request->dest, account);
    sfd_closer_take_unknown(&loop->context.closer, &request->source, account);
}

/* It ends before it is a transfer. */
static void refuse(struct sfd_loop *loop, struct sfd_local_request *request, struct sfd_client_account *account,
                   int error)
{
    const struct sfd_refused_request refused = {
        .command = request->command,
        .process = request->process,
        .uid = request->uid,
        .path = request->path_size > 0 ? request->bytes : NULL,
        .path_length = request->path_size > 0 ? request->path_size - 1 : 0,
    };
    struct sfd_status status;

    request->state = SFD_LOCAL_BEGUN;
    sfd_observe_refused(&loop->context, &refused, error);
    drop(loop, request, account); /* before its client hears of the end */
    sfd_status_init(&status);
    status.local = sfd_local_channel_share(&request->channel);
    status.version = SFD_WIRE_VERSION_2;
    sfd_status_fail(&status, SFD_WIRE_FILE_INFO, error);
    (void)sfd_status_flush(&status, &loop->context.kernel);
    sfd_status_deinit(&status, &loop->context.kernel);
}

/* To the end of a ring, of which the last one is known. */
static void append_owner(struct sfd_client **last, struct sfd_client *owner)
{
    if (*last == NULL) {
        owner->local_next = owner;
    } else {
        owner->local_next = (*last)->local_next;
        (*last)->local_next = owner;
    }
    *last = owner;
}

static struct sfd_client *take_owner(struct sfd_client **last)
{
    struct sfd_client *owner = *last == NULL ? NULL : (*last)->local_next;

    if (owner == NULL) return NULL;
    if (owner == *last)
        *last = NULL;
    else
        (*last)->local_next = owner->local_next;
    return owner;
}

static struct sfd_local_request *take_request(struct sfd_client *owner)
{
    struct sfd_task *task = owner->local_first;

    owner->local_first = task->next;
    if (owner->local_first == NULL) owner->local_last = NULL;
    return request_of(task);
}

void sfd_loop_local_take(struct sfd_loop *loop, struct sfd_task *task)
{
    struct sfd_local_request *request = request_of(task);
    /* Counted like a transfer as long as it waits, so that the client stays. */
    struct sfd_client *owner = sfd_clients_enter(&loop->clients, request->process, request->uid);

    sfd_counters_add(loop->context.counters, SFD_COUNTER_REQUESTS, 1);
    if (owner == NULL) {
        refuse(loop, request, NULL, -ENOMEM);
        sfd_local_channel_put(&request->channel);
        return;
    }
    const bool was_idle = owner->local_first == NULL;
    task->next = NULL;
    if (was_idle)
        owner->local_first = task;
    else
        owner->local_last->next = task;
    owner->local_last = task;
    if (was_idle) append_owner(&loop->owners_last, owner);
}

void sfd_loop_local_command(struct sfd_loop *loop, struct sfd_task *task)
{
    const bool cancels = task->kind == SFD_TASK_LOCAL_CANCEL;
    struct sfd_local_request *request = request_of(task);
    struct sfd_transfer *t = sfd_transfer_table_find(&loop->transfers, request->id);

    if (cancels && request->state == SFD_LOCAL_SUBMITTED) {
        refuse(loop, request, NULL, -ECANCELED); /* it stays in the queue, as one that is over */
    } else if (cancels && request->state == SFD_LOCAL_BEGINNING) {
        request->end_at_once = true;
    } else if (cancels && t != NULL) {
        sfd_loop_act(loop, t, SFD_DUE_CANCEL);
    } else if (!cancels && t != NULL && (t->loop.due & SFD_DUE_SEND) == 0) {
        t->loop.send_dest = request->send_dest;
        sfd_loop_act(loop, t, SFD_DUE_SEND);
    } else if (!cancels) {
        sfd_closer_take_unknown(&loop->context.closer, &request->send_dest, NULL);
    }
    sfd_local_channel_put(&request->channel);
}

/* A thread may lose the loop in any call of this. */
static void begin_transfer(struct sfd_loop *loop, struct sfd_local_request *request, struct sfd_client_account *account)
{
    const bool descriptor = request->command == SFD_WIRE_SEND_DESCRIPTOR;
    const bool reads = request->command == SFD_WIRE_READ_FILE;
    struct sfd_transfer_request what = {
        .command = request->command == SFD_WIRE_OPEN_FILE ? SFD_WIRE_OPEN_FILE : SFD_WIRE_SEND_FILE,
        .asked = request->command,
        .root = request->root,
        .path = descriptor ? NULL : request->bytes,
        .offset = request->offset,
        .length = request->length,
        .segment_count = request->segment_count,
        .segments = request->bytes + request->path_size,
        .segments_size = request->segments_size,
        .version = SFD_WIRE_VERSION_2,
        .grows = reads,
        .foreign = request->uid != 0 && request->uid != loop->context.kernel.uid,
        .content_most = (uint16_t)request->content_most,
        .options = request->options,
        .status = -1,
        .local = &request->channel,
        .dest = request->dest,
        .source = request->source,
    };
    struct sfd_transfer *t = NULL;
    int error = 0;

    if (request->dest >= 0) error = sfd_fd_classify(loop->context.kernel.sys, request->dest, &what.dest_info);
    if (error == 0 && reads && what.dest_info.kind != SFD_FD_PIPE) error = -EINVAL;
    if (request->end_at_once) error = -ECANCELED;
    if (loop->stopping || atomic_load_explicit(&loop->shared->draining, memory_order_relaxed)) error = -ESHUTDOWN;
    if (error == 0) t = sfd_loop_admit(loop, request->process, account->uid, descriptor ? 3 : 2, NULL, &error);
    if (t == NULL) {
        refuse(loop, request, account, error);
        return;
    }
    request->state = SFD_LOCAL_BEGUN;
    request->id = what.id = t->id;
    request->dest = request->source = -1;
    (void)sfd_local_channel_share(&request->channel); /* the transfer's */
    sfd_loop_enter(loop, t);
    sfd_loop_place(loop, t, sfd_transfer_begin(&loop->context, t, &what));
    sfd_loop_leave(loop, t);
    sfd_root_put(request->root);
}

/* The request's reference is released. */
static void begin(struct sfd_loop *loop, struct sfd_local_request *request, struct sfd_client_account *account)
{
    struct sfd_carrier *carrier = loop->carrier;

    if (request->state == SFD_LOCAL_SUBMITTED) { /* else it was cancelled */
        request->state = SFD_LOCAL_BEGINNING;
        carrier->account_now = account;
        carrier->suspect = sfd_client_account_is_suspect(account);
        begin_transfer(loop, request, account);
        carrier->account_now = NULL;
        carrier->suspect = false;
    }
    sfd_local_channel_put(&request->channel);
}

/* Its owner holds all the threads that it may hold: it waits until one is back. No wake-up is lost: loop_act.c. */
static void hold_back(struct sfd_loop *loop, struct sfd_client *owner)
{
    append_owner(&loop->owners_held_last, owner);
    atomic_fetch_add(&loop->waiting, 1);
    if (sfd_carrier_may_be_held(loop->shared, owner->account)) loop->look_again = true; /* since a moment ago */
}

void sfd_loop_local_look(struct sfd_loop *loop)
{
    struct sfd_client *owner;

    while ((owner = take_owner(&loop->owners_held_last)) != NULL) {
        atomic_fetch_sub(&loop->waiting, 1);
        append_owner(&loop->owners_last, owner);
    }
}

void sfd_loop_local_serve(struct sfd_loop *loop)
{
    const uint64_t before = loop->context.counters->at[SFD_COUNTER_BYTES];

    for (int i = 0; i < TURN_REQUESTS && loop->context.counters->at[SFD_COUNTER_BYTES] - before < TURN_BYTES; i++) {
        struct sfd_client *owner = take_owner(&loop->owners_last);
        if (owner == NULL) return;
        if (!loop->stopping && !sfd_carrier_may_be_held(loop->shared, owner->account)) {
            hold_back(loop, owner);
            continue;
        }
        struct sfd_local_request *request = take_request(owner);
        if (owner->local_first != NULL) append_owner(&loop->owners_last, owner);
        begin(loop, request, owner->account);
        sfd_loop_exits_leave(loop, owner);
    }
}

void sfd_loop_local_publish(struct sfd_loop *loop)
{
    _Static_assert(sizeof(struct sfd_message) + SFD_STATUS_BYTES_MAX + SFD_CONTENT_MAX + 7 <= SFD_MESSAGES_SIZE,
                   "the longest message has room");
    loop->turn->messages = sfd_outbox_publish(&loop->outbox, loop->turn->message, sizeof(loop->turn->message));
}

/* ------------------------------------------------------------------ the end of a loop that was not stopped */

static void forget(struct sfd_loop *loop, struct sfd_local_request *request)
{
    if (request->state == SFD_LOCAL_SUBMITTED) refuse(loop, request, NULL, -ESHUTDOWN);
    sfd_local_channel_put(&request->channel);
}

void sfd_loop_local_forget_task(struct sfd_loop *loop, struct sfd_task *task)
{
    struct sfd_local_request *request = request_of(task);

    if (task->kind == SFD_TASK_LOCAL) {
        forget(loop, request);
        return;
    }
    if (task->kind == SFD_TASK_LOCAL_SEND) sfd_closer_take_unknown(&loop->context.closer, &request->send_dest, NULL);
    sfd_local_channel_put(&request->channel);
}

void sfd_loop_local_forget(struct sfd_loop *loop)
{
    struct sfd_client *owner;

    sfd_loop_local_look(loop);
    while ((owner = take_owner(&loop->owners_last)) != NULL) {
        forget(loop, take_request(owner));
        if (owner->local_first != NULL) append_owner(&loop->owners_last, owner);
        sfd_loop_exits_leave(loop, owner);
    }
}
