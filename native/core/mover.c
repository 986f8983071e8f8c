/*
 * Movers: sendfile, splice, read-write to pipes and sockets; copy_file_range and its stand-ins to regular files.
 */
#include "mover.h"

#include <errno.h>
#include <fcntl.h>

/* The largest count that one system call takes; keeps every count far away from SSIZE_MAX. */
#define CALL_BYTES_MAX ((uint64_t)1 << 30)

static const char *const technique_names[SFD_TECHNIQUES] = {
    [SFD_TECHNIQUE_AUTO] = "auto",
    [SFD_TECHNIQUE_SENDFILE] = "sendfile",
    [SFD_TECHNIQUE_SPLICE] = "splice",
    [SFD_TECHNIQUE_READ_WRITE] = "read-write",
    [SFD_TECHNIQUE_COPY_FILE_RANGE] = "copy_file_range",
};

const char *sfd_technique_name(enum sfd_technique technique)
{
    return (unsigned)technique < SFD_TECHNIQUES ? technique_names[technique] : "unknown";
}

enum sfd_technique sfd_technique_choose(enum sfd_fd_kind destination, bool nonblock, uint64_t size)
{
    if (destination == SFD_FD_REGULAR) return SFD_TECHNIQUE_COPY_FILE_RANGE;
    if (size <= SFD_SMALL_BYTES) return SFD_TECHNIQUE_READ_WRITE;
    if (destination == SFD_FD_PIPE) return SFD_TECHNIQUE_SPLICE;
    return nonblock ? SFD_TECHNIQUE_SENDFILE : SFD_TECHNIQUE_READ_WRITE;
}

static size_t call_size(uint64_t bytes)
{
    return (size_t)(bytes < CALL_BYTES_MAX ? bytes : CALL_BYTES_MAX);
}

/* Adds the result of one moving call; false when the step is over. 0 bytes before the end: the file has shrunk. */
static bool take(struct sfd_progress *progress, int64_t result)
{
    if (result > 0) {
        progress->moved += (uint64_t)result;
        return true;
    }
    if (result == -EAGAIN || result == -EINTR) {
        progress->step = SFD_STEP_BLOCKED;
    } else {
        progress->step = SFD_STEP_FAILED;
        progress->error = result == 0 ? -ENODATA : (int)result;
    }
    return false;
}

/*
 * One call a step: the caller asks before each whether the socket still has O_NONBLOCK. A signal of the watch (EINTR) ends a
 * call that blocked all the same, and waiting for the socket is what remains.
 */
static struct sfd_progress step_sendfile(const struct sfd_move *move, uint64_t offset,
                                         uint64_t limit)
{
    struct sfd_progress progress = {.step = SFD_STEP_MORE};
    int64_t at = (int64_t)offset;

    (void)take(&progress,
               move->machine->sys->sendfile(move->dest, move->file, &at, call_size(limit)));
    return progress;
}

static struct sfd_progress step_splice(const struct sfd_move *move, uint64_t offset, uint64_t limit)
{
    struct sfd_progress progress = {.step = SFD_STEP_MORE};
    int64_t at = (int64_t)offset;

    (void)take(&progress, move->machine->sys->splice(move->file, &at, move->dest, call_size(limit),
                                                     SPLICE_F_NONBLOCK | SPLICE_F_MOVE));
    return progress;
}

struct sfd_progress sfd_mover_read(const struct sfd_move *move, uint64_t offset, uint64_t limit)
{
    const struct iovec iov = {
        .iov_base = move->buffer,
        .iov_len = limit < move->buffer_size ? (size_t)limit : move->buffer_size,
    };
    const int flags = move->memory_file ? 0 : RWF_NOWAIT;
    const int64_t n = move->machine->sys->preadv2(move->file, &iov, 1, (int64_t)offset, flags);

    if (n > 0) return (struct sfd_progress){.moved = (uint64_t)n, .step = SFD_STEP_MORE};
    /* EOPNOTSUPP: this file, unlike its neighbours on the device, cannot be read without waiting. */
    if (n == -EAGAIN || n == -EOPNOTSUPP) return (struct sfd_progress){.step = SFD_STEP_COLD};
    return (struct sfd_progress){.step = SFD_STEP_FAILED, .error = n == 0 ? -ENODATA : (int)n};
}

static struct sfd_progress step_read_write(const struct sfd_move *move, uint64_t offset,
                                           uint64_t limit)
{
    struct sfd_progress progress = {.step = SFD_STEP_MORE};

    while (progress.moved < limit) {
        const struct sfd_progress got =
            sfd_mover_read(move, offset + progress.moved, limit - progress.moved);
        if (got.step != SFD_STEP_MORE) {
            progress.step = got.step;
            progress.error = got.error;
            break;
        }
        struct iovec iov = {.iov_base = move->buffer, .iov_len = (size_t)got.moved};
        const struct sfd_progress put =
            sfd_mover_memory(move->machine, move->dest, move->dest_kind, &iov, 1);
        progress.moved += put.moved;
        if (put.step != SFD_STEP_MORE) {
            progress.step = put.step;
            progress.error = put.error;
            break;
        }
    }
    return progress;
}

struct sfd_progress sfd_mover_step(const struct sfd_move *move, enum sfd_technique technique,
                                   uint64_t offset, uint64_t limit)
{
    switch (technique) {
    case SFD_TECHNIQUE_SENDFILE:
        return step_sendfile(move, offset, limit);
    case SFD_TECHNIQUE_SPLICE:
        return step_splice(move, offset, limit);
    case SFD_TECHNIQUE_READ_WRITE:
        return step_read_write(move, offset, limit);
    default:
        return (struct sfd_progress){.step = SFD_STEP_FAILED, .error = -EINVAL};
    }
}

static void advance(struct iovec **iov, int *count, uint64_t bytes)
{
    while (*count > 0 && bytes >= (*iov)->iov_len) {
        bytes -= (*iov)->iov_len;
        (*iov)++;
        (*count)--;
    }
    if (*count > 0) {
        (*iov)->iov_base = (char *)(*iov)->iov_base + bytes;
        (*iov)->iov_len -= (size_t)bytes;
    }
}

struct sfd_progress sfd_mover_memory(const struct sfd_machine *machine, int dest,
                                     enum sfd_fd_kind dest_kind, struct iovec *iov, int count)
{
    struct sfd_progress progress = {.step = SFD_STEP_MORE};
    uint64_t before;

    advance(&iov, &count, 0);
    while (count > 0) {
        int64_t n;
        if (dest_kind == SFD_FD_PIPE) {
            n = sfd_machine_write_pipe(machine, dest, iov, count);
        } else {
            const struct msghdr message = {.msg_iov = iov, .msg_iovlen = (size_t)count};
            n = machine->sys->sendmsg(dest, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        }
        before = progress.moved;
        if (!take(&progress, n)) break;
        advance(&iov, &count, progress.moved - before);
    }
    return progress;
}

/* Plain read and write; the last resort between two files. A write that fails has put the bytes before it in place. */
static struct sfd_progress copy_read_write(const struct sfd_move *move, uint64_t offset,
                                           uint64_t limit)
{
    struct sfd_progress progress = {.step = SFD_STEP_MORE};
    const struct sfd_sys *sys = move->machine->sys;

    while (progress.moved < limit) {
        const uint64_t rest = limit - progress.moved;
        struct iovec iov = {
            .iov_base = move->buffer,
            .iov_len = rest < move->buffer_size ? (size_t)rest : move->buffer_size,
        };
        const int64_t got =
            sys->preadv2(move->file, &iov, 1, (int64_t)(offset + progress.moved), 0);
        if (got <= 0) {
            (void)take(&progress, got);
            return progress;
        }
        iov.iov_len = (size_t)got;
        while (iov.iov_len > 0) {
            const int64_t put = sys->pwritev2(move->dest, &iov, 1, -1, 0);
            if (!take(&progress, put == 0 ? -ENOSPC : put)) return progress;
            iov.iov_base = (char *)iov.iov_base + put;
            iov.iov_len -= (size_t)put;
        }
    }
    return progress;
}

/* The technique to try after one that this pair of files refuses; AUTO when none is left. */
static enum sfd_technique copy_fallback(enum sfd_technique technique, int error)
{
    switch (error) {
    case -EXDEV:  /* two file systems that cannot reflink */
    case -EINVAL: /* overlapping ranges, O_APPEND, pseudo files */
    case -EBADF:  /* O_APPEND (copy_file_range) */
    case -EOPNOTSUPP:
    case -ENOSYS:
    case -EPERM: /* immutable or swap file says the same to the next one */
        break;
    default:
        return SFD_TECHNIQUE_AUTO;
    }
    if (technique == SFD_TECHNIQUE_COPY_FILE_RANGE) return SFD_TECHNIQUE_SENDFILE;
    if (technique == SFD_TECHNIQUE_SENDFILE) return SFD_TECHNIQUE_READ_WRITE;
    return SFD_TECHNIQUE_AUTO;
}

struct sfd_progress sfd_mover_copy(const struct sfd_move *move, enum sfd_technique *technique,
                                   uint64_t offset, uint64_t limit)
{
    struct sfd_progress progress = {.step = SFD_STEP_MORE};

    while (progress.moved < limit) {
        if (*technique == SFD_TECHNIQUE_READ_WRITE) {
            const struct sfd_progress rest =
                copy_read_write(move, offset + progress.moved, limit - progress.moved);
            progress.moved += rest.moved;
            progress.step = rest.step;
            progress.error = rest.error;
            return progress;
        }
        int64_t at = (int64_t)(offset + progress.moved);
        const size_t count = call_size(limit - progress.moved);
        const int64_t n =
            *technique == SFD_TECHNIQUE_COPY_FILE_RANGE
                ? move->machine->sys->copy_file_range(move->file, &at, move->dest, count)
                : move->machine->sys->sendfile(move->dest, move->file, &at, count);
        if (n == -EINTR) continue;
        /* Some kernels answer 0 for files that have no length of their own: let the next technique see. */
        const enum sfd_technique next = n == 0 && *technique == SFD_TECHNIQUE_COPY_FILE_RANGE
                                            ? SFD_TECHNIQUE_SENDFILE
                                        : n < 0 ? copy_fallback(*technique, (int)n)
                                                : SFD_TECHNIQUE_AUTO;
        if (next != SFD_TECHNIQUE_AUTO) {
            *technique = next;
        } else if (!take(&progress, n)) {
            break;
        }
    }
    return progress;
}
