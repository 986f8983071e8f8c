/*
 * What becomes of clients whose process ends: all their transfers are cancelled.
 *
 * Most clients show their end by the hang-up of their status channels. But the read end of such a pipe can outlive its
 * process: in another process, or in the queue of a socket that nobody reads. So the loop waits for the process itself,
 * by a pidfd in its epoll (pidfd_open(2)).
 *
 * Small requests are over before that would pay: only clients that a loop has for more than SFD_LOOP_EXITS_MS get a
 * pidfd, which a timer sees to that runs only while there are clients without one. It comes with the request if the
 * pid is not visible here (receive_batch.h). Otherwise it is opened by the pid, and if the process has ended and its
 * number has been given to another one before that, the other one is waited for.
 *
 * Thread: the loop's. Owns the pidfds of the clients. Its calls wait for nobody, and go round the guard: so nothing
 * changes while it walks the clients. Never: ends a transfer itself; sfd_loop_act does.
 */
#include <errno.h>

#include "loop/loop_private.h"

void sfd_loop_exits_give(struct sfd_client *client, int *pidfd)
{
    if (client->pidfd >= 0 || client->account->process == 0) return; /* who is unknown is not one process */
    client->pidfd = *pidfd;
    *pidfd = -1;
}

/* Cancels what is marked. A carrier that loses the loop meanwhile leaves the rest to its heir. */
static void cancel(struct sfd_loop *loop)
{
    struct sfd_transfer *t;

    while ((t = sfd_transfer_table_next(&loop->transfers, &loop->exit_position)) != NULL)
        if ((t->loop.due & SFD_DUE_CANCEL) != 0) sfd_loop_act(loop, t, 0);
}

/* Marks all transfers of a client that is gone, at once: later its number may be another process's. */
static void mark(struct sfd_loop *loop, struct sfd_client *client)
{
    struct sfd_transfer *t;
    uint32_t position = 0;

    client->watch = SFD_WATCH_OVER;
    while ((t = sfd_transfer_table_next(&loop->transfers, &position)) != NULL)
        if (t->loop.client == client) t->loop.due |= SFD_DUE_CANCEL;
    loop->exit_position = 0;
    sfd_loop_sessions_end_of(loop, client);
}

static void close_pidfd(const struct sfd_loop *loop, int pidfd, bool watched)
{
    const struct sfd_sys *sys = loop->shared->kernel.sys;

    if (watched) (void)sys->epoll_ctl(loop->epoll, EPOLL_CTL_DEL, pidfd, NULL);
    sfd_fd_close(sys, &pidfd);
}

/* Waits for the end of a client's process from here on, if it can. False: to be tried again. */
static bool watch(struct sfd_loop *loop, struct sfd_client *client)
{
    const int32_t pid = sfd_process_pid(client->account->process);

    if (client->pidfd < 0 && (pid <= 0 || !loop->shared->kernel.pidfds)) {
        client->watch = SFD_WATCH_OVER;
        return true;
    }
    if (client->pidfd < 0) {
        const int result = loop->shared->kernel.sys->pidfd_open(pid);
        if (result == -ESRCH) mark(loop, client);
        if (result < 0) return result == -ESRCH;
        client->pidfd = result;
    }
    const uint64_t data = SFD_EVENT_PIDFD + (uint64_t)client->pidfd;
    if (data >= SFD_EVENT_SESSION) return false;
    const struct epoll_event event = {.events = EPOLLIN, .data.u64 = data};
    if (sfd_loop_watch(loop, client->pidfd, event, false) < 0) return false;
    client->watch = SFD_WATCH_ON;
    client->watched_at = loop->waits;
    return true;
}

void sfd_loop_exits_look(struct sfd_loop *loop)
{
    bool again = false;

    for (struct sfd_client *client = NULL; (client = sfd_clients_next(&loop->clients, client)) != NULL;) {
        if (client->watch == SFD_WATCH_NEW) {
            client->watch = SFD_WATCH_SEEN;
            again = true;
        } else if (client->watch == SFD_WATCH_SEEN && !watch(loop, client)) {
            again = true;
        }
    }
    if (again) {
        const uint64_t due_ms = loop->context.now_ms + SFD_LOOP_EXITS_MS;
        sfd_timer_arm(&loop->context.timers, &loop->look_for_exits, due_ms);
    }
    cancel(loop);
}

void sfd_loop_exits_event(struct sfd_loop *loop, int pidfd)
{
    for (struct sfd_client *client = NULL; (client = sfd_clients_next(&loop->clients, client)) != NULL;) {
        if (client->watch != SFD_WATCH_ON || client->pidfd != pidfd) continue;
        /* The event of an earlier descriptor of this number, from a batch of which not all was looked at. */
        if (client->watched_at == loop->waits) return;
        close_pidfd(loop, pidfd, true);
        client->pidfd = -1;
        mark(loop, client);
        cancel(loop);
        return;
    }
}

void sfd_loop_exits_leave(struct sfd_loop *loop, struct sfd_client *client)
{
    const bool watched = client->watch == SFD_WATCH_ON;

    close_pidfd(loop, sfd_clients_leave(&loop->clients, client), watched);
    if (loop->transfers.count == 0 && loop->sessions.count == 0)
        sfd_timer_disarm(&loop->context.timers, &loop->look_for_exits);
}
