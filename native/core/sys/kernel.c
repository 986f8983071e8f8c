/*
 * What this kernel can do: each probe makes the real call on something harmless.
 */
#include "sys/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <unistd.h>

#include "sys/fd.h"

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20
#endif

/* Pipes learnt RWF_NOWAIT long after files did; before that the flag is refused with EOPNOTSUPP. */
static bool pipe_takes_nowait(const struct sfd_sys *sys)
{
    int ends[2];
    char byte = 0;
    struct iovec iov = {.iov_base = &byte, .iov_len = 1};

    if (pipe2(ends, O_CLOEXEC) < 0) return false;
    const int64_t n = sys->pwritev2(ends[1], &iov, 1, -1, RWF_NOWAIT);
    sfd_fd_close(sys, &ends[0]);
    sfd_fd_close(sys, &ends[1]);
    return n == 1;
}

static bool resolves_cached(const struct sfd_sys *sys)
{
    const struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_CACHED};
    int fd = sys->openat2(AT_FDCWD, "/", &how);

    if (fd < 0) return fd == -EAGAIN;
    sfd_fd_close(sys, &fd);
    return true;
}

int sfd_machine_init(struct sfd_machine *machine, const struct sfd_sys *sys)
{
    struct sfd_cachestat_range range = {.offset = 0, .length = 1};
    struct sfd_cachestat stat;
    int missing[SFD_TECHNIQUES];

    *machine = (struct sfd_machine){.sys = sys, .null_fd = -1};
    const int fd = sfd_sys_openat(AT_FDCWD, "/dev/null", O_WRONLY | O_NOCTTY);
    if (fd < 0) return fd;
    machine->null_fd = fd;
    machine->pipe_write_flags = pipe_takes_nowait(sys) ? RWF_NOWAIT : 0;
    machine->resolve_cached = resolves_cached(sys);
    machine->cachestat = sys->cachestat(fd, &range, &stat) != -ENOSYS;
    sfd_techniques_probe(sys, missing);
    for (int i = SFD_TECHNIQUE_AUTO + 1; i < SFD_TECHNIQUES; i++)
        if (missing[i] == 0) machine->techniques |= SFD_TECHNIQUE_BIT(i);
    return 0;
}

/*
 * A FIFO stands in the tree of files, where we may not be allowed to open it anew: another user's, or any in the
 * sandbox. splice(2) does not block, so the bytes go there by a pipe of our own; what does not fit goes with that pipe.
 */
static int64_t write_by_splice(const struct sfd_machine *machine, int fd, const struct iovec *iov, int count)
{
    const struct sfd_sys *sys = machine->sys;
    int ends[2];

    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) return -EMFILE; /* or ENFILE: for now */
    int64_t n = sys->pwritev2(ends[1], iov, count, -1, 0);
    if (n > 0) n = sys->splice(ends[0], NULL, fd, (size_t)n, SPLICE_F_NONBLOCK);
    sfd_fd_close(sys, &ends[0]);
    sfd_fd_close(sys, &ends[1]);
    return n;
}

void sfd_machine_keep_spare(const struct sfd_machine *machine)
{
    if (machine->spare == NULL || *machine->spare >= 0) return;
    const int fd = machine->sys->fcntl(machine->null_fd, F_DUPFD_CLOEXEC, 0);
    if (fd >= 0) *machine->spare = fd;
}

static int reopen_pipe(const struct sfd_machine *machine, int fd)
{
    const int own = sfd_fd_reopen_pipe(fd);

    if (own != -EMFILE || machine->spare == NULL || *machine->spare < 0) return own;
    sfd_fd_close(machine->sys, machine->spare);
    return sfd_fd_reopen_pipe(fd);
}

int64_t sfd_machine_write_pipe(const struct sfd_machine *machine, int fd, const struct iovec *iov, int count)
{
    int64_t n = machine->sys->pwritev2(fd, iov, count, -1, machine->pipe_write_flags);

    if (n != -EOPNOTSUPP || machine->pipe_write_flags == 0) return n;
    /*
     * A splice(2) into a pipe, ours or the client's, takes RWF_NOWAIT away from that description for good (6.4:
     * pipe_clear_nowait). A description of our own writes without blocking.
     */
    int own = reopen_pipe(machine, fd);
    if (own == -ENXIO) return -EPIPE; /* a FIFO without a reader */
    if (own == -EACCES) return write_by_splice(machine, fd, iov, count);
    if (own < 0) return own;
    n = machine->sys->pwritev2(own, iov, count, -1, 0);
    sfd_fd_close(machine->sys, &own);
    sfd_machine_keep_spare(machine);
    return n;
}

int sfd_machine_own_pipe(const struct sfd_machine *machine, int *fd)
{
    if (machine->pipe_write_flags != 0) return 0;
    const int own = reopen_pipe(machine, *fd);
    if (own < 0) return own;
    sfd_fd_close(machine->sys, fd);
    sfd_machine_keep_spare(machine);
    *fd = own;
    return 0;
}

void sfd_machine_deinit(struct sfd_machine *machine)
{
    if (machine->sys != NULL) sfd_fd_close(machine->sys, &machine->null_fd);
}
