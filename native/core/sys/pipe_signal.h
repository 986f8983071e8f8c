/*
 * SIGPIPE, kept from a thread that writes with calls that know no MSG_NOSIGNAL: sendfile(2), splice(2), pwritev2(2).
 *
 * Role: the signal would end a program that neither ignores nor handles it. Its disposition belongs to the program, so
 * it is blocked in the calling thread alone, and one that came meanwhile is taken away. Thread: any, each for itself.
 * Two system calls, ~0.1 us. Owns nothing.
 */
#ifndef SFD_SYS_PIPE_SIGNAL_H
#define SFD_SYS_PIPE_SIGNAL_H

#include <stdbool.h>

struct sfd_pipe_signal {
    bool was_blocked;
    bool was_pending;
};

/* Blocks it. */
struct sfd_pipe_signal sfd_pipe_signal_hold(void);

/* Makes it as it was. `raised`: a write meanwhile gave EPIPE. */
void sfd_pipe_signal_release(const struct sfd_pipe_signal *held, bool raised);

#endif
