/*
 * What a loop hands to the disk pool: transfers that need their disk, and descriptors whose close can block.
 *
 * The disk tasks that a client may have at once, over all loops, are limited. Beyond the limit a request whose open
 * needs the disk is refused (transfer_open.c), and a job of an accepted transfer waits here, in its loop, until another
 * task of that client is done. Closes are not limited, because descriptors that were received must be closed; they
 * count as descriptors of the client.
 *
 * No wake-up is lost: a loop that has to wait first counts itself in `waiting`, then looks for room; a loop that ends a
 * task first makes room, then looks at `waiting`. All of it is sequentially consistent (memory_order_seq_cst).
 *
 * Thread: the loop; sfd_loop_offload_close: the disk pool. Owns the close tasks.
 */
#include <stdlib.h>

#include "loop/loop_private.h"
#include "transfer/observe.h"

struct close_task {
    struct sfd_task task;
    struct sfd_closer closer;
};

/* To the end of a list. */
static void append(struct sfd_task **first, struct sfd_task **last, struct sfd_task *task)
{
    task->next = NULL;
    if (*last == NULL)
        *first = task;
    else
        (*last)->next = task;
    *last = task;
}

static void push(struct sfd_loop *loop, struct sfd_task *task)
{
    append(&loop->offload_first, &loop->offload_last, task);
}

/* ------------------------------------------------------------------ waiting for room */

/* Begins a disk task for its job: false if its client may have no more now. */
static bool may_go(struct sfd_loop *loop, struct sfd_transfer *t)
{
    return sfd_client_account_begin_task(t->loop.account, loop->context.counters);
}

static void stop_waiting(struct sfd_loop *loop, struct sfd_transfer *t)
{
    t->loop.waiting = false;
    atomic_fetch_sub(&loop->waiting, 1);
    atomic_fetch_sub(&t->loop.account->waiting, 1);
}

/* Sends the client's waiting jobs to the disk pool, oldest first, as long as there is room. */
static void feed(struct sfd_loop *loop, struct sfd_client *client)
{
    while (client->waiting_first != NULL) {
        struct sfd_task *task = client->waiting_first;
        struct sfd_transfer *t = (struct sfd_transfer *)task;
        if (!may_go(loop, t)) return;
        client->waiting_first = task->next;
        if (client->waiting_first == NULL) client->waiting_last = NULL;
        stop_waiting(loop, t);
        sfd_observe_waits(&loop->context, t, SFD_WAITS_FOR_DISK);
        push(loop, task);
    }
}

static void wait_for_room(struct sfd_loop *loop, struct sfd_transfer *t)
{
    struct sfd_client *client = t->loop.client;

    t->loop.waiting = true;
    append(&client->waiting_first, &client->waiting_last, &t->task);
    atomic_fetch_add(&loop->waiting, 1);
    atomic_fetch_add(&t->loop.account->waiting, 1);
    feed(loop, client); /* another loop may have made room meanwhile */
}

void sfd_loop_offload_tell(struct sfd_loop *loop)
{
    struct sfd_shared *shared = loop->shared;

    for (uint32_t i = 0; i < shared->settings.loops; i++) {
        struct sfd_loop *other = shared->loops[i];
        if (other == loop || other == NULL || atomic_load(&other->waiting) == 0) continue;
        if (!atomic_exchange(&other->look_queued, true)) (void)sfd_mailbox_push(&other->mailbox, &other->look);
    }
}

void sfd_loop_offload_look(struct sfd_loop *loop)
{
    atomic_store(&loop->look_queued, false); /* before the check: room that is made later is announced again */
    if (atomic_load(&loop->waiting) == 0) return;
    loop->look_again = true; /* for a thread, loop_act.c */
    for (struct sfd_client *client = NULL; (client = sfd_clients_next(&loop->clients, client)) != NULL;)
        feed(loop, client);
}

/* ------------------------------------------------------------------ transfers */

void sfd_loop_offload_add(struct sfd_loop *loop, struct sfd_transfer *t)
{
    t->loop.offloaded = true;
    loop->offloaded++;
    t->task.kind = SFD_TASK_TRANSFER;
    if (t->loop.client->waiting_first == NULL && may_go(loop, t))
        push(loop, &t->task);
    else
        wait_for_room(loop, t); /* behind those that wait already */
}

void sfd_loop_offload_take_back(struct sfd_loop *loop, struct sfd_transfer *t)
{
    t->loop.offloaded = false;
    loop->offloaded--;
    sfd_client_account_end_task(t->loop.account, loop->context.counters);
    feed(loop, t->loop.client);
    if (atomic_load(&t->loop.account->waiting) > 0) sfd_loop_offload_tell(loop);
}

void sfd_loop_offload_withdraw(struct sfd_loop *loop, struct sfd_transfer *t)
{
    struct sfd_client *client = t->loop.client;
    struct sfd_task *before = NULL;

    for (struct sfd_task *task = client->waiting_first; task != &t->task; task = task->next)
        before = task;
    if (before == NULL)
        client->waiting_first = t->task.next;
    else
        before->next = t->task.next;
    if (client->waiting_last == &t->task) client->waiting_last = before;
    stop_waiting(loop, t);
    t->loop.offloaded = false;
    loop->offloaded--;
}

/* ------------------------------------------------------------------ closes */

bool sfd_loop_offload_has_closes(const struct sfd_loop *loop)
{
    return loop->context.closer.count > 0 && loop->close_again.position == 0;
}

/* Makes tasks of the closes that can block, one for each queue and client. Without memory they wait for the timer. */
static void offload_closes(struct sfd_loop *loop)
{
    struct sfd_closer *closer = &loop->context.closer;

    while (sfd_loop_offload_has_closes(loop)) {
        const struct sfd_close *first = &closer->closes[0];
        struct close_task *task = malloc(sizeof(*task));
        if (task != NULL) {
            *task = (struct close_task){
                .task =
                    {
                        .loop = loop,
                        .kind = SFD_TASK_CLOSE,
                        .queue = first->queue,
                        .client = first->account == NULL ? 0 : sfd_process_short(first->account->process),
                        .user = first->account == NULL ? 0 : first->account->uid,
                    },
            };
        }
        if (task == NULL || !sfd_closer_split(closer, &task->closer)) {
            free(task);
            sfd_loop_defer(loop, &loop->close_again);
            return;
        }
        task->closer.sys = loop->shared->kernel.sys; /* there it may wait */
        (void)sfd_client_account_begin_task(NULL, loop->context.counters);
        push(loop, &task->task);
    }
}

void sfd_loop_offload_close(struct sfd_task *task)
{
    struct close_task *closes = (struct close_task *)task;

    sfd_closer_deinit(&closes->closer);
    sfd_client_account_end_task(NULL, task->loop->context.counters);
    free(closes);
}

/* ------------------------------------------------------------------ handing over */

/* A queue's device is that of all its tasks, since each of them uses the device's entry. */
static void observe_queued(struct sfd_loop *loop, uint8_t queue)
{
    struct sfd_counters_queue *counters = sfd_counters_file_queue(&loop->shared->counters_file, queue);

    if (queue >= SFD_QUEUE_DEVICES)
        atomic_store_explicit(
            &counters->device,
            atomic_load_explicit(&loop->shared->devices.at[queue - SFD_QUEUE_DEVICES].dev, memory_order_relaxed),
            memory_order_relaxed);
    atomic_fetch_add_explicit(&counters->queued, 1, memory_order_relaxed);
}

void sfd_loop_offload_publish(struct sfd_loop *loop)
{
    int32_t count = 0;

    offload_closes(loop);
    while (loop->offload_first != NULL && count < SFD_OFFLOADS_MAX) {
        struct sfd_task *task = loop->offload_first;
        observe_queued(loop, task->queue);
        loop->offload_first = task->next;
        if (loop->offload_first == NULL) loop->offload_last = NULL;
        loop->turn->offload[count++] = (struct sfd_offload){
            .task = (uint64_t)(uintptr_t)task,
            .queue = (int16_t)task->queue,
            .urgent = task->urgent ? 1 : 0,
            .client = task->client,
            .user = (int32_t)task->user,
        };
    }
    loop->turn->offloads = count;
}
