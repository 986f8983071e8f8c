/*
 * Connections of sessions as they come: who is at the other end, within which limits, and which loop serves it. The
 * first loop accepts them all.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include <sys/stat.h>

#include "loop/loop_session.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* asm-generic/socket.h of Linux 6.5 */
#endif

/* The most connections that a turn accepts. */
#define TURN_CONNECTIONS 16

/* ------------------------------------------------------------------ one connection */

/* Finds out which process is at the other end, as client_account.h numbers them. */
static void find_process(const struct sfd_loop *loop, struct sfd_session *s)
{
    const struct sfd_sys *sys = sfd_loop_sys(loop);
    struct statx stat;

    s->process = s->pid > 0 ? (uint64_t)s->pid : 0;
    if (s->pid > 0 || !loop->shared->kernel.pidfs) return;
    if (sys->getsockopt_int(s->connection, SOL_SOCKET, SO_PEERPIDFD, &s->pidfd) < 0) s->pidfd = -1;
    if (s->pidfd >= 0 && sys->statx(s->pidfd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &stat) == 0)
        s->process = SFD_PROCESS_INODE | stat.stx_ino;
}

static struct sfd_loop *least_loaded(const struct sfd_shared *shared)
{
    struct sfd_loop *least = shared->loops[0];

    for (uint32_t i = 1; i < shared->settings.loops; i++)
        if (atomic_load(&shared->loops[i]->session_count) < atomic_load(&least->session_count))
            least = shared->loops[i];
    return least;
}

/* Counts it for its client. 0, or -errno: what must not be. */
static int charge(struct sfd_loop *loop, struct sfd_session *s)
{
    s->account = sfd_client_accounts_get(&loop->shared->accounts, s->process, s->uid);
    if (s->account == NULL) return -ENOMEM;
    if (sfd_client_account_is_full(s->account)) return -EDQUOT;
    if (sfd_loop_sessions_end(loop)) return -ESHUTDOWN;
    if (!sfd_client_account_begin_session(s->account, SFD_SESSIONS_MAX)) return -EDQUOT;
    sfd_client_account_hold(s->account, SFD_SESSION_DESCRIPTORS, loop->context.counters);
    return 0;
}

static int make(struct sfd_loop *loop, int connection)
{
    struct ucred peer;
    struct sfd_session *s = NULL;
    int result = sfd_loop_sys(loop)->peer_credentials(connection, &peer);

    if (result < 0) return result;
    if (atomic_fetch_add(&loop->shared->sessions, 1) >= SFD_SESSIONS_MAX) result = -EMFILE;
    if (result == 0) s = calloc(1, sizeof(*s));
    if (s == NULL) {
        atomic_fetch_sub(&loop->shared->sessions, 1);
        return result < 0 ? result : -ENOMEM;
    }
    s->task.kind = SFD_TASK_SESSION;
    s->references = 1;
    s->uid = peer.uid;
    s->gid = peer.gid;
    s->pid = peer.pid;
    s->connection = connection;
    s->pidfd = s->eventfd = s->memory_fd = -1;
    find_process(loop, s);
    sfd_handles_init(&s->handles);
    result = charge(loop, s);
    if (result < 0) {
        sfd_fd_close(loop->shared->kernel.sys, &s->pidfd);
        sfd_client_account_put(s->account);
        atomic_fetch_sub(&loop->shared->sessions, 1);
        free(s);
        return result;
    }
    sfd_loop_session_give(loop, s, least_loaded(loop->shared));
    return 0;
}

/* ------------------------------------------------------------------ the listening socket */

/*
 * Whether this loop accepts connections now. In a pause they wait; when sessions end they are accepted all the same, to
 * be told so at once.
 */
static bool should_listen(const struct sfd_loop *loop)
{
    if (loop->index != 0 || loop->shared->session_fd < 0 || loop->stopping) return false;
    if (loop->sessions.accept_again.position > 0) return false;
    return sfd_loop_sessions_end(loop) || !sfd_loop_receiving_is_over(loop);
}

static void accept_connections(struct sfd_loop *loop, int most)
{
    for (int i = 0; i < most && loop->sessions.listening; i++) {
        int connection = sfd_loop_sys(loop)->accept(loop->shared->session_fd);
        if (connection == -EAGAIN || connection == -ECONNABORTED) return;
        if (connection < 0) { /* a shortage: it stays readable, and would wake the loop for nothing */
            sfd_loop_defer(loop, &loop->sessions.accept_again);
            return;
        }
        const int result = make(loop, connection);
        if (result == 0) continue;
        sfd_loop_session_welcome(sfd_loop_sys(loop), connection, result);
        sfd_closer_take(&loop->context.closer, &connection, SFD_FD_UNIX_SEQPACKET, NULL);
    }
}

void sfd_loop_sessions_accept(struct sfd_loop *loop)
{
    accept_connections(loop, TURN_CONNECTIONS);
}

void sfd_loop_sessions_listen(struct sfd_loop *loop)
{
    const struct epoll_event event = {.events = EPOLLIN, .data.u64 = SFD_EVENT_LISTENER};
    const bool should = should_listen(loop);

    if (should == loop->sessions.listening) return;
    if (!should) {
        if (loop->sessions.accept_again.position == 0) accept_connections(loop, SOMAXCONN); /* else they wait in vain */
        loop->sessions.listening = false;
        (void)loop->shared->kernel.sys->epoll_ctl(loop->epoll, EPOLL_CTL_DEL, loop->shared->session_fd, NULL);
        return;
    }
    loop->sessions.listening = sfd_loop_watch(loop, loop->shared->session_fd, event, false) == 0;
    if (!loop->sessions.listening) sfd_loop_defer(loop, &loop->sessions.accept_again);
}
