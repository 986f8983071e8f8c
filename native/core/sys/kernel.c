/*
 * What this kernel can do: each probe makes the real call on something harmless.
 */
#include "sys/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/fd.h"

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20
#endif

/* Of linux/magic.h; before 6.9 all pidfds share one anonymous inode. */
#define PIDFS_MAGIC 0x50494446U

/* Pipes learnt RWF_NOWAIT long after files did; before that the flag is refused with EOPNOTSUPP. */
static bool pipe_takes_nowait(const struct sfd_sys *sys)
{
    int ends[2];
    char byte = 0;
    struct iovec iov = {.iov_base = &byte, .iov_len = 1};

    if (sys->pipe2(ends, O_CLOEXEC) < 0) return false;
    const int64_t n = sys->pwritev2(ends[1], &iov, 1, -1, RWF_NOWAIT);
    sfd_fd_close(sys, &ends[0]);
    sfd_fd_close(sys, &ends[1]);
    return n == 1;
}

#define RESOLVE_TRIES 100

/* openat2(2) with these flags of resolution: 0 or -errno. */
static int try_resolve(const struct sfd_sys *sys, unsigned flags)
{
    const struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = flags};
    int fd = -EAGAIN;

    /* EAGAIN: somewhere a directory is being renamed at this moment. */
    for (int i = 0; i < RESOLVE_TRIES && fd == -EAGAIN; i++)
        fd = sys->openat2(AT_FDCWD, "/", &how);
    if (fd < 0) return fd;
    sfd_fd_close(sys, &fd);
    return 0;
}

static int try_statx(const struct sfd_sys *sys)
{
    struct statx st;

    return sys->statx(AT_FDCWD, "/", AT_STATX_DONT_SYNC, STATX_TYPE, &st);
}

static int try_recvmmsg(const struct sfd_sys *sys, int socket)
{
    char byte;
    struct iovec iov = {.iov_base = &byte, .iov_len = 1};
    struct mmsghdr message = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};
    const int n = sys->recvmmsg(socket, &message, 1, MSG_DONTWAIT);

    return n == -EAGAIN ? 0 : n; /* the socket has nothing */
}

int sfd_kernel_demand(const struct sfd_sys *sys, const char **call)
{
    int socket = sfd_sys_unix_datagram();

    if (socket < 0) return socket;
    const struct {
        const char *call;
        int result;
    } tried[] = {
        {"openat2", try_resolve(sys, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)},
        {"statx", try_statx(sys)},
        {"recvmmsg", try_recvmmsg(sys, socket)},
    };
    sfd_fd_close(sys, &socket);
    for (size_t i = 0; i < sizeof(tried) / sizeof(tried[0]); i++) {
        if (tried[i].result >= 0) continue;
        *call = tried[i].call;
        return tried[i].result;
    }
    return 0;
}

static void probe_pidfds(struct sfd_kernel *kernel, const struct sfd_sys *sys)
{
    uint64_t type = 0;
    int fd = sys->pidfd_open((int)getpid());

    kernel->pidfds = fd >= 0;
    kernel->pidfs = fd >= 0 && sys->fstatfs_type(fd, &type) == 0 && type == PIDFS_MAGIC;
    sfd_fd_close(sys, &fd);
}

int sfd_kernel_init(struct sfd_kernel *kernel, const struct sfd_sys *sys)
{
    struct sfd_cachestat_range range = {.offset = 0, .length = 1};
    struct sfd_cachestat stat;

    *kernel = (struct sfd_kernel){.sys = sys, .null_fd = -1, .uid = geteuid()};
    const int fd = sfd_sys_openat(AT_FDCWD, "/dev/null", O_WRONLY | O_NOCTTY);
    if (fd < 0) return fd;
    kernel->null_fd = fd;
    kernel->pipe_write_flags = pipe_takes_nowait(sys) ? RWF_NOWAIT : 0;
    kernel->resolve_cached = try_resolve(sys, RESOLVE_CACHED) == 0;
    kernel->cachestat = sys->cachestat(fd, &range, &stat) == 0;
    probe_pidfds(kernel, sys);
    return 0;
}

void sfd_kernel_deinit(struct sfd_kernel *kernel)
{
    if (kernel->sys != NULL) sfd_fd_close(kernel->sys, &kernel->null_fd);
}
