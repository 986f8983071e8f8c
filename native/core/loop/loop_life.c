/*
 * Creation and end of an event loop. Thread: the one that starts and stops the engine, before the first turn and after
 * the last.
 */
#include <errno.h>
#include <stdlib.h>

#include "loop/guard.h"
#include "loop/loop_private.h"
#include "sys/pipe.h"
#include "transfer/observe.h"

struct sfd_carrier *sfd_loop_carrier(struct sfd_loop *loop)
{
    return loop->carrier;
}

struct sfd_counters *sfd_loop_counters(struct sfd_loop *loop)
{
    return loop->context.counters;
}

int sfd_loop_create(struct sfd_loop **out, struct sfd_shared *shared, uint32_t index)
{
    struct epoll_event mailbox = {.events = EPOLLIN | EPOLLET, .data.u64 = SFD_EVENT_MAILBOX};
    struct sfd_carrier *carrier = NULL;
    struct sfd_loop *loop = calloc(1, sizeof(*loop));

    if (loop == NULL) return -ENOMEM;
    loop->shared = shared;
    loop->index = index;
    loop->epoll = -1;
    loop->spare = -1;
    loop->mailbox.eventfd = -1;
    loop->awaited_ms = UINT64_MAX; /* it has not begun */
    loop->context = (struct sfd_context){
        .settings = &shared->settings,
        .devices = &shared->devices,
        .memory = &shared->memory,
        .ranges = &shared->write_ranges,
        .kernel = shared->kernel,
        .techniques = shared->techniques,
    };
    sfd_observe_init(&loop->context, sfd_counters_file_loop(&shared->counters_file, index),
                     sfd_counters_file_rows(&shared->counters_file, index), shared->counters_file.head->rows, index);
    if (shared->journal.count > index) sfd_observe_keep(&loop->context, &shared->journal, index);
    loop->pool_context = loop->context;
    loop->context.kernel.spare = &loop->spare;
    sfd_pipe_keep_spare(&loop->context.kernel);
    loop->context.kernel.sys = &sfd_guard_sys; /* no call of this file goes there */
    sfd_closer_init(&loop->context.closer, &sfd_guard_sys, &shared->devices);
    loop->context.closer.counters = loop->context.counters;
    sfd_timers_init(&loop->context.timers);
    sfd_transfer_table_init(&loop->transfers, index);
    loop->transfers.tag = shared->succession.tag;
    sfd_clients_init(&loop->clients, &shared->accounts);
    atomic_init(&loop->stop, false);
    atomic_init(&loop->load, 0);
    atomic_init(&loop->beats, 0);
    atomic_init(&loop->tid, 0);
    atomic_init(&loop->stuck, false);
    atomic_init(&loop->session_count, 0);
    atomic_init(&loop->work.published, 0);
    atomic_init(&loop->receive_queued, false);
    loop->receive.kind = SFD_TASK_RECEIVE;
    atomic_init(&loop->look_queued, false);
    atomic_init(&loop->waiting, 0);
    atomic_init(&loop->returning, 0);
    loop->look.kind = SFD_TASK_LOOK;

    int result = sfd_carrier_create(&carrier, shared);
    if (result < 0) goto fail;
    sfd_carrier_begin(carrier, loop);
    result = sfd_timers_reserve(&loop->context.timers, SFD_LOOP_TIMERS);
    if (result < 0) goto fail;
    result = sfd_mailbox_init(&loop->mailbox);
    if (result < 0) goto fail;
    result = sfd_sys_epoll();
    if (result < 0) goto fail;
    loop->epoll = result;
    loop->context.epoll = loop->epoll;
    result = shared->kernel.sys->epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->mailbox.eventfd, &mailbox);
    if (result < 0) goto fail;
    sfd_loop_receiving_offer(loop); /* only the receiving loop accepts it */
    *out = loop;
    return 0;
fail:
    sfd_loop_destroy(loop);
    return result;
}

static void forget_task(struct sfd_loop *loop, struct sfd_task *task)
{
    if (task->kind >= SFD_TASK_LOCAL) {
        sfd_loop_local_forget_task(loop, task);
    } else if (task->kind == SFD_TASK_SESSION) {
        sfd_loop_session_take(loop, task); /* to be told that it is over */
    } else if (task->kind == SFD_TASK_COMMAND || task->kind == SFD_TASK_ORDER) {
        struct sfd_command *command = (struct sfd_command *)task;
        sfd_closer_take_unknown(&loop->context.closer, &command->dest, NULL);
        sfd_loop_requests_free(command);
    }
}

/* What came by the mailbox, into which nothing comes any more: not even from what is forgotten here. */
static void forget_mail(struct sfd_loop *loop)
{
    do {
        if (loop->mail == NULL) loop->mail = sfd_mailbox_take(&loop->mailbox);
        while (loop->mail != NULL) {
            struct sfd_task *task = loop->mail;
            loop->mail = task->next;
            forget_task(loop, task);
        }
    } while (!sfd_mailbox_close(&loop->mailbox));
}

void sfd_loop_destroy(struct sfd_loop *loop)
{
    struct sfd_transfer *t;
    struct sfd_task *next;
    uint32_t position = 0;

    if (loop == NULL) return;
    /* No thread carries it any more: the calls from here on may wait. */
    if (loop->carrier != NULL) sfd_carrier_end(loop->carrier, loop);
    loop->context.kernel.sys = loop->context.closer.sys = loop->shared->kernel.sys;
    for (int32_t i = 0; loop->turn != NULL && i < loop->turn->requests; i++)
        sfd_loop_requests_drop(loop, &loop->turn->slot[i]);
    forget_mail(loop);
    for (struct sfd_task *task = loop->offload_first; task != NULL; task = next) {
        next = task->next;
        if (task->kind == SFD_TASK_CLOSE) sfd_loop_offload_close(task);
    }
    sfd_loop_requests_forget(loop);
    sfd_loop_local_forget(loop);
    while ((t = sfd_transfer_table_next(&loop->transfers, &position)) != NULL) {
        t->loop.offloaded = false; /* no thread works on it any more */
        sfd_transfer_abort(&loop->context, t, -ESHUTDOWN);
        sfd_loop_drop_dest(loop, t);
        sfd_client_account_end(t->loop.account, t->loop.promised, loop->context.counters);
        sfd_loop_exits_leave(loop, t->loop.client);
        sfd_observe_forget(&loop->context, t);
        sfd_transfer_deinit(&loop->context, t);
        free(t);
    }
    sfd_loop_sessions_forget(loop); /* with the ends of their transfers */
    sfd_outbox_deinit(&loop->outbox);
    sfd_closer_deinit(&loop->context.closer);
    sfd_timers_deinit(&loop->context.timers);
    sfd_transfer_table_deinit(&loop->transfers);
    sfd_mailbox_deinit(&loop->mailbox);
    if (loop->epoll >= 0) (void)loop->context.kernel.sys->close(loop->epoll);
    sfd_fd_close(loop->shared->kernel.sys, &loop->spare);
    free(loop);
}
