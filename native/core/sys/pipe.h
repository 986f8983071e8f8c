/*
 * Writes to pipes that another process reads, without waiting.
 *
 * Role: the one place that knows how a write to a pipe is kept from blocking on this kernel, whatever the description's
 * O_NONBLOCK says. Thread: any; *kernel->spare: the loop that has it. Owns nothing.
 */
#ifndef SFD_SYS_PIPE_H
#define SFD_SYS_PIPE_H

#include "sys/kernel.h"

/*
 * Keeps an unused descriptor in *kernel->spare. When the process has no free descriptor, the spare one is closed to
 * make room for the descriptor that the final message to a client may need (reopen_pipe). The only part of struct
 * sfd_kernel that changes: it belongs to one loop's copy, and only that loop's thread uses it.
 */
void sfd_pipe_keep_spare(const struct sfd_kernel *kernel);

/*
 * Writes memory to a pipe: the bytes taken, or -errno, -EAGAIN when it is full. Does not block if pipe_write_flags is
 * RWF_NOWAIT or `fd` has O_NONBLOCK (sfd_pipe_own).
 */
int64_t sfd_pipe_write(const struct sfd_kernel *kernel, int fd, const struct iovec *iov, int count);

/*
 * Makes *fd, a pipe that was received, fit for sfd_pipe_write: without RWF_NOWAIT it becomes a description of
 * our own with O_NONBLOCK. 0, or -errno with *fd as it was: the pipe of another user may not be opened.
 */
int sfd_pipe_own(const struct sfd_kernel *kernel, int *fd);

/*
 * Enlarges a pipe for that many bytes of a file, and messages before them, as far as that makes reading them faster.
 * Does nothing when the kernel refuses:
 * 64 MiB of pipe buffers are for all pipes of an unprivileged user (pipe(7)).
 */
void sfd_pipe_grow(const struct sfd_kernel *kernel, int fd, uint64_t bytes);

#endif
