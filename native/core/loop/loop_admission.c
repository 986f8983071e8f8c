/*
 * Admission: a new transfer within the limits of the engine and of its client.
 *
 * Thread: the loop that serves the request.
 */
#include <errno.h>
#include <stdlib.h>

#include "loop/loop_private.h"

static int refuse_as_full(struct sfd_loop *loop)
{
    sfd_counters_add(loop->context.counters, SFD_COUNTER_REFUSED_TRANSFERS, 1);
    return -EMFILE;
}

/* Whether the engine has all the transfers that it may have, but for what a client has beyond its share. */
static bool is_full(const struct sfd_loop *loop, unsigned transfers)
{
    return (int64_t)transfers - atomic_load(&loop->shared->accounts.beyond) >= loop->context.settings->max_transfers;
}

/* Admits a transfer within the limits of the engine and of its client, checked in this order: 0 or -errno. */
static int admit(struct sfd_loop *loop, struct sfd_transfer *t, uint8_t descriptors)
{
    atomic_uint *all = &loop->shared->transfers;

    if (is_full(loop, atomic_load(all))) return refuse_as_full(loop);
    const int result = sfd_client_account_begin(t->loop.account, descriptors, loop->context.counters);
    if (result < 0) return result;
    if (is_full(loop, atomic_fetch_add(all, 1))) { /* another loop was faster */
        atomic_fetch_sub(all, 1);
        sfd_client_account_end(t->loop.account, descriptors, loop->context.counters);
        return refuse_as_full(loop);
    }
    t->loop.promised = descriptors;
    return 0;
}

static void dismiss(struct sfd_loop *loop, struct sfd_transfer *t)
{
    atomic_fetch_sub(&loop->shared->transfers, 1);
    sfd_client_account_end(t->loop.account, t->loop.promised, loop->context.counters);
}

struct sfd_transfer *sfd_loop_admit(struct sfd_loop *loop, uint64_t process, uint32_t uid, uint8_t descriptors,
                                    int *pidfd, int *error)
{
    struct sfd_transfer *t = NULL;

    *error = sfd_timers_reserve(&loop->context.timers, loop->transfers.count + 1u + SFD_LOOP_TIMERS);
    if (*error < 0) return NULL;
    *error = -ENOMEM;
    t = malloc(sizeof(*t));
    if (t == NULL) return NULL;
    sfd_transfer_init(t);
    t->task.loop = loop;
    t->task.client = sfd_process_short(process);
    t->task.user = uid;
    t->loop.client = sfd_clients_enter(&loop->clients, process, uid);
    if (t->loop.client == NULL) goto fail;
    if (pidfd != NULL) sfd_loop_exits_give(t->loop.client, pidfd);
    t->loop.account = t->loop.client->account;
    *error = admit(loop, t, descriptors);
    if (*error < 0) goto fail;
    *error = sfd_transfer_table_add(&loop->transfers, t);
    if (*error < 0) {
        dismiss(loop, t);
        goto fail;
    }
    return t;
fail:
    if (t->loop.client != NULL) sfd_loop_exits_leave(loop, t->loop.client);
    free(t);
    return NULL;
}
