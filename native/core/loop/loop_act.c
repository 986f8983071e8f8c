/*
 * The door to a transfer: whatever the loop does with one it does here.
 *
 * A call for a transfer may hold its thread (carrier.c). Then the transfer is out, and what becomes due for it
 * meanwhile is noted; the thread does it when it is back, before it lets the transfer go. A transfer whose client holds
 * all the threads that it may hold waits in the queue of its client in the same way, without a thread.
 *
 * No wake-up is lost: a transfer that has to wait is first counted in `waiting` of its loop, then it is checked again
 * whether it may go; a thread that comes back is first uncounted, then looks at `waiting` of all loops. All of it is
 * sequentially consistent (memory_order_seq_cst). Thread: the loop's.
 */
#include <errno.h>
#include <stdlib.h>

#include "loop/loop_private.h"
#include "transfer/observe.h"

/* ------------------------------------------------------------------ what is due */

static void send_opened(struct sfd_loop *loop, struct sfd_transfer *t)
{
    int dest = t->loop.send_dest;

    if (!t->loop.offloaded && !t->loop.ready && t->state == SFD_STATE_PARKED)
        sfd_loop_place(loop, t, sfd_transfer_send(&loop->context, t, dest));
    else if (dest >= 0)
        sfd_closer_take_unknown(&loop->context.closer, &dest, t->loop.account);
}

static void take_back(struct sfd_loop *loop, struct sfd_transfer *t)
{
    sfd_loop_offload_take_back(loop, t);
    sfd_ready_queue_push(&loop->ready_queue, t);
}

/* A descriptor that it waits for is ready. */
static void event(struct sfd_loop *loop, struct sfd_transfer *t)
{
    if (!t->loop.offloaded)
        sfd_ready_queue_push(&loop->ready_queue, t);
    else if (t->state == SFD_STATE_ENDING)
        sfd_loop_place(loop, t, sfd_transfer_run(&loop->context, t)); /* its final message may have room now */
}

static void timeout(struct sfd_loop *loop, struct sfd_transfer *t)
{
    if (t->loop.ready) return; /* it runs anyway, and checks its limits then */
    sfd_loop_place(loop, t, sfd_transfer_timeout(&loop->context, t));
}

static void run(struct sfd_loop *loop, struct sfd_transfer *t)
{
    if (loop->stopping)
        sfd_loop_abort(loop, t, -ESHUTDOWN);
    else
        sfd_loop_place(loop, t, sfd_transfer_run(&loop->context, t));
}

static void stop(struct sfd_loop *loop, struct sfd_transfer *t)
{
    if (!t->loop.ready) sfd_loop_abort(loop, t, -ESHUTDOWN); /* else it is aborted when it runs */
}

/* An opened file that nobody sends would only be waited for. One that becomes one later: sfd_loop_place. */
static void drain(struct sfd_loop *loop, struct sfd_transfer *t)
{
    if (t->state == SFD_STATE_PARKED && !t->loop.offloaded && !t->loop.ready) sfd_loop_abort(loop, t, -ESHUTDOWN);
}

/* Takes the first thing that is due, and does it; the transfer may be gone afterwards. */
static void do_next(struct sfd_loop *loop, struct sfd_transfer *t)
{
    static const struct {
        uint8_t due;
        void (*act)(struct sfd_loop *loop, struct sfd_transfer *t);
    } acts[] = {
        {SFD_DUE_BACK, take_back}, {SFD_DUE_SEND, send_opened}, {SFD_DUE_CANCEL, sfd_loop_cancel},
        {SFD_DUE_STOP, stop},      {SFD_DUE_EVENT, event},      {SFD_DUE_TIMER, timeout},
        {SFD_DUE_RUN, run},        {SFD_DUE_DRAIN, drain},
    };

    for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
        if ((t->loop.due & acts[i].due) == 0) continue;
        t->loop.due &= (uint8_t)~acts[i].due;
        acts[i].act(loop, t);
        return;
    }
    t->loop.due = 0;
}

void sfd_loop_enter(struct sfd_loop *loop, struct sfd_transfer *t)
{
    loop->carrier->transfer = t;
    loop->carrier->suspect = sfd_client_account_is_suspect(t->loop.account);
}

void sfd_loop_leave(struct sfd_loop *loop, struct sfd_transfer *t)
{
    while (loop->carrier->transfer == t && t->loop.due != 0)
        do_next(loop, t);
    loop->carrier->transfer = NULL;
    loop->carrier->suspect = false;
}

/* ------------------------------------------------------------------ waiting for a thread */

/* A ring, of which the last one is known: its link is the first one. NULL: empty. */
static void append(struct sfd_transfer **last, struct sfd_transfer *t)
{
    if (*last == NULL) {
        t->loop.queued_next = t;
    } else {
        t->loop.queued_next = (*last)->loop.queued_next;
        (*last)->loop.queued_next = t;
    }
    *last = t;
}

static struct sfd_transfer *take_first(struct sfd_transfer **last)
{
    if (*last == NULL) return NULL;
    struct sfd_transfer *t = (*last)->loop.queued_next;
    if (t == *last)
        *last = NULL;
    else
        (*last)->loop.queued_next = t->loop.queued_next;
    return t;
}

static void wait_for_thread(struct sfd_loop *loop, struct sfd_transfer *t)
{
    t->loop.queued = true;
    sfd_observe_waits(&loop->context, t, SFD_WAITS_FOR_THREAD);
    append(&t->loop.client->queued_last, t);
    atomic_fetch_add(&loop->waiting, 1);
    if (sfd_carrier_may_be_held(loop->shared, t->loop.account)) loop->look_again = true; /* since a moment ago */
}

void sfd_loop_act(struct sfd_loop *loop, struct sfd_transfer *t, uint8_t due)
{
    t->loop.due |= due;
    if (t->loop.out || t->loop.queued) return;
    if (!loop->stopping && !sfd_carrier_may_be_held(loop->shared, t->loop.account)) {
        wait_for_thread(loop, t);
        return;
    }
    sfd_loop_enter(loop, t);
    sfd_loop_leave(loop, t);
}

/* Those that may hold a thread now, at most as many as a client may hold, leave the queue of their client. */
static void choose(struct sfd_loop *loop, struct sfd_client *client)
{
    if (!loop->stopping && !sfd_carrier_may_be_held(loop->shared, client->account)) return;
    for (int i = 0; client->queued_last != NULL; i++) {
        if (!loop->stopping && i == SFD_HELD_CLIENT_MAX) {
            loop->look_again = true; /* these may hold no thread, and then none would come back and tell */
            return;
        }
        append(&loop->chosen_last, take_first(&client->queued_last));
    }
}

void sfd_loop_act_look(struct sfd_loop *loop)
{
    struct sfd_transfer *t;

    if (loop->look_again) {
        loop->look_again = false;
        loop->requests_to_look_at = loop->requests_held;
        for (struct sfd_client *client = NULL; (client = sfd_clients_next(&loop->clients, client)) != NULL;)
            choose(loop, client);
        sfd_loop_local_look(loop);
        sfd_loop_sessions_look(loop);
    }
    /* What is left here by a carrier that has lost the loop, its heir goes on with. */
    while ((t = take_first(&loop->chosen_last)) != NULL) {
        t->loop.queued = false;
        sfd_observe_waits(&loop->context, t, SFD_WAITS_FOR_NOTHING);
        atomic_fetch_sub(&loop->waiting, 1);
        sfd_loop_act(loop, t, 0);
    }
    sfd_loop_requests_look(loop);
}

void sfd_loop_act_tell(struct sfd_loop *loop)
{
    if (atomic_load(&loop->waiting) > 0) loop->look_again = true;
    sfd_loop_offload_tell(loop);
}
