/*
 * Writing to pipes without waiting.
 */
#include "sys/pipe.h"

#include <errno.h>
#include <fcntl.h>

#include "sys/fd.h"

#define PIPE_BYTES          ((uint64_t)1024 * 1024)
#define PIPE_BYTES_STANDARD ((uint64_t)64 * 1024)
#define MESSAGE_BYTES       ((uint64_t)128)

/*
 * Writes to a pipe that the daemon may not open again: another user's, or any FIFO while the sandbox is on. The bytes
 * go through a pipe of our own, because splice(2) with SPLICE_F_NONBLOCK does not block; bytes that do not fit are
 * dropped with that pipe, and are not counted.
 */
static int64_t write_by_splice(const struct sfd_kernel *kernel, int fd, const struct iovec *iov, int count)
{
    const struct sfd_sys *sys = kernel->sys;
    int ends[2];

    const int made = sys->pipe2(ends, O_CLOEXEC | O_NONBLOCK);
    if (made < 0) return made;
    int64_t n = sys->pwritev2(ends[1], iov, count, -1, 0);
    if (n > 0) n = sys->splice(ends[0], NULL, fd, (size_t)n, SPLICE_F_NONBLOCK);
    sfd_fd_close(sys, &ends[0]);
    sfd_fd_close(sys, &ends[1]);
    return n;
}

void sfd_pipe_keep_spare(const struct sfd_kernel *kernel)
{
    if (kernel->spare == NULL || *kernel->spare >= 0) return;
    int fd = kernel->sys->fcntl(kernel->null_fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) return;
    if (*kernel->spare < 0)
        *kernel->spare = fd;
    else /* another thread of the loop has been faster */
        sfd_fd_close(kernel->sys, &fd);
}

static int reopen_pipe(const struct sfd_kernel *kernel, int fd)
{
    const int own = sfd_fd_reopen_pipe(kernel->sys, fd);

    if (own != -EMFILE || kernel->spare == NULL || *kernel->spare < 0) return own;
    sfd_fd_close(kernel->sys, kernel->spare);
    return sfd_fd_reopen_pipe(kernel->sys, fd);
}

int64_t sfd_pipe_write(const struct sfd_kernel *kernel, int fd, const struct iovec *iov, int count)
{
    /* One that sfd_pipe_own could not open again is still the client's, who may make it block. */
    if (kernel->pipe_write_flags == 0 && sfd_fd_is_foreign(kernel->sys, fd, kernel->uid))
        return write_by_splice(kernel, fd, iov, count);
    int64_t n = kernel->sys->pwritev2(fd, iov, count, -1, kernel->pipe_write_flags);

    if (n != -EOPNOTSUPP || kernel->pipe_write_flags == 0) return n;
    /*
     * A splice(2) into a pipe, ours or the client's, takes RWF_NOWAIT away from that description for good (6.4:
     * pipe_clear_nowait). A description of our own writes without blocking.
     */
    int own = reopen_pipe(kernel, fd);
    if (own == -ENXIO) return -EPIPE; /* a FIFO without a reader */
    if (own == -EACCES) return write_by_splice(kernel, fd, iov, count);
    if (own < 0) return own;
    n = kernel->sys->pwritev2(own, iov, count, -1, 0);
    sfd_fd_close(kernel->sys, &own);
    sfd_pipe_keep_spare(kernel);
    return n;
}

int sfd_pipe_own(const struct sfd_kernel *kernel, int *fd)
{
    if (kernel->pipe_write_flags != 0) return 0;
    const int own = reopen_pipe(kernel, *fd);
    if (own == -EACCES && sfd_fd_is_foreign(kernel->sys, *fd, kernel->uid)) return 0; /* sfd_pipe_write knows it */
    if (own < 0) return own;
    sfd_fd_close(kernel->sys, fd);
    sfd_pipe_keep_spare(kernel);
    *fd = own;
    return 0;
}

void sfd_pipe_grow(const struct sfd_kernel *kernel, int fd, uint64_t bytes)
{
    const uint64_t wanted = bytes + MESSAGE_BYTES;

    if (bytes <= PIPE_BYTES_STANDARD) return;
    /* 3.5 times the throughput; EPERM at the user's limit only means the old size. */
    (void)kernel->sys->fcntl(fd, F_SETPIPE_SZ, (int64_t)(wanted < PIPE_BYTES ? wanted : PIPE_BYTES));
}
