/*
 * What the running kernel can do, found out once at start.
 *
 * Role: probes each optional system call once, so that no other code has to. A call counts as present when it has
 * succeeded: a kernel without it answers ENOSYS, and the seccomp filter of a container that does not know it EPERM.
 * Minimum: Linux 5.10.
 * Thread: filled at start, constant afterwards, read by all. Owns `null_fd`.
 */
#ifndef SFD_SYS_KERNEL_H
#define SFD_SYS_KERNEL_H

#include <stdbool.h>

#include "sys/sys.h"

struct sfd_kernel {
    const struct sfd_sys *sys; /* borrowed */
    int null_fd;               /* /dev/null: where windows are sent to make them resident */
    int *spare;                /* borrowed, a loop's: sfd_pipe_keep_spare; NULL: none */
    int pipe_write_flags;      /* RWF_NOWAIT, or 0 where pipes must be reopened with O_NONBLOCK */
    uint32_t uid;              /* as which this process acts */
    bool resolve_cached;       /* openat2(RESOLVE_CACHED), 5.12 */
    bool cachestat;            /* cachestat(2), 6.5 */
    bool pidfds;               /* pidfd_open(2), 5.3; a seccomp filter may refuse it */
    bool pidfs;                /* each process has an inode number of its own there, 6.9 */
};

/*
 * Tries the calls that nothing can replace: resolution inside a root (openat2), attributes without a word to a file
 * server (statx), requests in batches (recvmmsg). 0, or -errno with the name of the call that failed in *call (not for
 * a want of descriptors for the attempt).
 */
int sfd_kernel_demand(const struct sfd_sys *sys, const char **call);

/* Asks the kernel. 0, or -errno when not even /dev/null opens. */
int sfd_kernel_init(struct sfd_kernel *kernel, const struct sfd_sys *sys);

/* Idempotent. */
void sfd_kernel_deinit(struct sfd_kernel *kernel);

#endif
