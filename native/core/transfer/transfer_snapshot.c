/*
 * Files that do not tell their size: /proc, /sys and their like make the content when it is read. The kernel gives 0 as
 * the size, sysfs a page.
 *
 * A transfer tells its client the size first, so such a file is read to its end when it is opened, into a memory file
 * that takes its place: what is sent is its content at that time, by every operation and technique. The memory is
 * granted as any that a client has filled (memory_budget.h).
 *
 * Thread: the disk pool while it has the transfer; drop: who has it. Never waits for a writer: a file whose read would
 * wait, or that cannot be read at an offset, is no regular file in this respect (EINVAL).
 */
#include <errno.h>
#include <linux/magic.h>
#include <stdlib.h>

#include "transfer/transfer_private.h"

#ifndef CONFIGFS_MAGIC
#define CONFIGFS_MAGIC 0x62656570
#endif

/* A file that does not end before is refused: this much is held in memory, by each thread that reads one as well. */
#define BYTES_MAX   ((size_t)4 * 1024 * 1024)
#define BYTES_FIRST ((size_t)64 * 1024)

static bool tells_size(const struct sfd_sys *sys, const struct sfd_opened *file)
{
    uint64_t type = 0;

    if (file->size == 0) return false;
    /* sysfs has no blocks behind its page. Fewer bytes than a block show nothing. */
    if (!file->sparse && file->size >= 512) return true;
    return sys->fstatfs_type(file->fd, &type) < 0 || (type != SYSFS_MAGIC && type != CONFIGFS_MAGIC);
}

/* One more piece behind `length`: the bytes read, 0 at the end, or -errno. */
static int64_t read_piece(const struct sfd_sys *sys, int fd, char *to, size_t room, size_t length)
{
    const struct iovec iov = {.iov_base = to, .iov_len = room};

    if (sfd_sys_wait_readable(fd, 0) == 0) return -EINVAL;
    const int64_t n = sys->preadv2(fd, &iov, 1, (int64_t)length, 0);
    return n == -EAGAIN || n == -ESPIPE ? -EINVAL : n;
}

/* Reads all of it. 0 with the content in *bytes, the caller's to free, also after a failure. */
static int read_all(const struct sfd_context *context, struct sfd_transfer *t, int fd, char **bytes, size_t *length)
{
    size_t capacity = 0;

    for (;;) {
        if (sfd_write_gate_is_closed(&t->gate)) return -ECANCELED;
        if (*length == BYTES_MAX) return -EFBIG;
        if (*length == capacity) {
            capacity = capacity == 0 ? BYTES_FIRST : 2 * capacity;
            char *more = realloc(*bytes, capacity);
            if (more == NULL) return -ENOMEM;
            *bytes = more;
        }
        const int64_t n = read_piece(context->kernel.sys, fd, *bytes + *length, capacity - *length, *length);
        if (n <= 0) return (int)n;
        *length += (size_t)n;
    }
}

/* A memory file with these bytes: a descriptor, or -errno. */
static int write_memory(const struct sfd_sys *sys, char *bytes, size_t length)
{
    size_t written = 0;

    int fd = sys->memory_file("sendfiled-snapshot");
    while (fd >= 0 && written < length) {
        const struct iovec iov = {.iov_base = bytes + written, .iov_len = length - written};
        const int64_t n = sys->pwritev2(fd, &iov, 1, (int64_t)written, 0);
        if (n > 0) {
            written += (size_t)n;
            continue;
        }
        sfd_fd_close(sys, &fd);
        return n < 0 ? (int)n : -ENOSPC;
    }
    return fd;
}

/* The same with a grant for the memory, which the transfer keeps. */
static int keep(const struct sfd_context *context, struct sfd_transfer *t, char *bytes, size_t length)
{
    struct sfd_memory_grant grant = {.pieces = 0};

    if (context->memory == NULL) return write_memory(context->kernel.sys, bytes, length);
    const int result = sfd_memory_budget_take(context->memory, t->loop.account, length, &grant);
    if (result < 0) return result;
    const int fd = write_memory(context->kernel.sys, bytes, length);
    if (fd < 0) {
        sfd_memory_budget_give_back(context->memory, t->loop.account, &grant);
        return fd;
    }
    sfd_memory_budget_filled(context->memory, &grant, length);
    t->source.snapshot_pieces = (uint16_t)grant.pieces;
    return fd;
}

int sfd_transfer_take_snapshot(const struct sfd_context *context, struct sfd_transfer *t, struct sfd_opened *file,
                               uint64_t *dev)
{
    const struct sfd_sys *sys = context->kernel.sys;
    struct sfd_fd_info info = {.dev = 0};
    char *bytes = NULL;
    size_t length = 0;

    *dev = file->dev;
    if (tells_size(sys, file)) return 0;
    int result = read_all(context, t, file->fd, &bytes, &length);
    if (result == 0) file->size = length;
    if (result == 0 && length > 0) {
        int memory = keep(context, t, bytes, length);
        result = memory < 0 ? memory : sfd_fd_classify(sys, memory, &info);
        if (result == 0) {
            sfd_fd_close(sys, &file->fd);
            file->fd = memory;
            *dev = info.dev;
            file->sparse = file->shared = false;
        }
    }
    free(bytes);
    return result;
}

void sfd_transfer_drop_snapshot(const struct sfd_context *context, struct sfd_transfer *t)
{
    struct sfd_memory_grant grant = {.pieces = t->source.snapshot_pieces};

    if (grant.pieces == 0) return;
    sfd_memory_budget_give_back(context->memory, t->loop.account, &grant);
    t->source.snapshot_pieces = 0;
}
