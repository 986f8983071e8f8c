/*
 * What this kernel can do, found out once at start.
 *
 * Role: every optional call has its answer here, so that nobody else asks twice. Floor: Linux 5.10.
 * Thread: filled at start, constant afterwards, read by all. Owns `null_fd`.
 */
#ifndef SFD_SYS_KERNEL_H
#define SFD_SYS_KERNEL_H

#include <stdbool.h>

#include "protocol/technique.h"

struct sfd_machine {
    const struct sfd_sys *sys; /* borrowed */
    int null_fd;               /* /dev/null: where windows are sent to make them resident */
    int *spare;                /* borrowed, a loop's: see sfd_machine_keep_spare; NULL: none */
    int pipe_write_flags;      /* RWF_NOWAIT, or 0 where pipes must be reopened with O_NONBLOCK */
    bool resolve_cached;       /* openat2(RESOLVE_CACHED), 5.12 */
    bool cachestat;            /* cachestat(2), 6.5 */
    uint32_t techniques;       /* mask of those that work here, sfd_techniques_probe */
};

/* Asks the kernel. 0, or -errno when not even /dev/null opens. */
int sfd_machine_init(struct sfd_machine *machine, const struct sfd_sys *sys);

/*
 * Keeps a descriptor in *machine->spare that stands for nothing: when the process has no number left, it makes room for
 * the one that a last word to a client can need. Not const like the rest: one loop's copy of a machine has it, and no
 * other thread.
 */
void sfd_machine_keep_spare(const struct sfd_machine *machine);

/*
 * Writes memory to a pipe: the bytes taken, or -errno, -EAGAIN when it is full. Does not block if pipe_write_flags is
 * RWF_NOWAIT or `fd` has O_NONBLOCK (sfd_machine_own_pipe).
 */
int64_t sfd_machine_write_pipe(const struct sfd_machine *machine, int fd, const struct iovec *iov, int count);

/*
 * Makes *fd, a pipe that was received, fit for sfd_machine_write_pipe: without RWF_NOWAIT it becomes a description of
 * our own with O_NONBLOCK. 0, or -errno with *fd as it was: the pipe of another user may not be opened.
 */
int sfd_machine_own_pipe(const struct sfd_machine *machine, int *fd);

/* Idempotent. */
void sfd_machine_deinit(struct sfd_machine *machine);

#endif
