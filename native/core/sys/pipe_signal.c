/*
 * Keeping SIGPIPE from the calling thread.
 */
#include "sys/pipe_signal.h"

#include <signal.h>
#include <stddef.h>
#include <time.h>

static sigset_t pipe_alone(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    return set;
}

struct sfd_pipe_signal sfd_pipe_signal_hold(void)
{
    const sigset_t set = pipe_alone();
    struct sfd_pipe_signal held = {.was_blocked = false};
    sigset_t before, pending;

    (void)pthread_sigmask(SIG_BLOCK, &set, &before);
    held.was_blocked = sigismember(&before, SIGPIPE) == 1;
    /* One that was not blocked cannot have been pending: this thread would have got it. */
    if (held.was_blocked && sigpending(&pending) == 0) held.was_pending = sigismember(&pending, SIGPIPE) == 1;
    return held;
}

void sfd_pipe_signal_release(const struct sfd_pipe_signal *held, bool raised)
{
    const sigset_t set = pipe_alone();
    const struct timespec now = {.tv_sec = 0};

    if (raised && !held->was_pending) (void)sigtimedwait(&set, NULL, &now);
    if (!held->was_blocked) (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}
