/*
 * Copying between two files: by technique, around holes.
 */
#include "transfer/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk/residency.h"

/* One write is no longer than this, and so is the wait for it when the transfer is to end. */
#define PIECE_BYTES ((uint64_t)1024 * 1024)

/* What a pipe holds: one splice from the file fills it. */
#define PIPE_BYTES ((uint64_t)64 * 1024)

/* A hole that is punched costs the same whatever its length, but for the blocks that it frees. */
#define HOLE_BYTES ((uint64_t)1024 * 1024 * 1024)

/* How often the position is read again that others go on moving. */
#define POSITION_TRIES 8

/* One part of a copy. */
struct part {
    struct sfd_copy *copy;
    const struct sfd_sys *sys;
    int dest;    /* the copy's, or `own` */
    int own;     /* our description of it; -1: none */
    int pipe[2]; /* that bytes are spliced through; -1: none */
};

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static struct sfd_progress failed(int error)
{
    return (struct sfd_progress){.step = SFD_STEP_FAILED, .error = error};
}

/* ------------------------------------------------------------------ by technique */

/* Writes memory to offset `to` of the destination; bytes written before a failure stay. */
static struct sfd_progress put(const struct part *part, uint64_t to, struct iovec iov)
{
    struct sfd_progress progress = {.step = SFD_STEP_MORE};

    if (!sfd_write_gate_enter(part->copy->gate)) return failed(-ECANCELED);
    while (iov.iov_len > 0) {
        const int64_t at = part->copy->appends ? -1 : (int64_t)(to + progress.moved);
        const int64_t n = part->sys->pwritev2(part->dest, &iov, 1, at, 0);
        if (!sfd_progress_take(&progress, n == 0 ? -ENOSPC : n)) break;
        iov.iov_base = (char *)iov.iov_base + n;
        iov.iov_len -= (size_t)n;
    }
    sfd_write_gate_leave(part->copy->gate);
    return progress;
}

/*
 * The source is loaded before the gate, except where the call may share blocks instead of reading them: there it would
 * be read for nothing.
 */
static struct sfd_progress by_copy_file_range(struct part *part, uint64_t limit)
{
    const struct sfd_copy *copy = part->copy;
    struct sfd_progress progress = {.step = SFD_STEP_MORE};
    int64_t from = (int64_t)copy->offset;
    int64_t to = (int64_t)copy->to;

    limit = least(limit, PIECE_BYTES);
    if (!copy->one_device) (void)sfd_residency_load(copy->move.kernel, copy->move.file, copy->offset, limit);
    if (!sfd_write_gate_enter(copy->gate)) return failed(-ECANCELED);
    const int64_t n = part->sys->copy_file_range(copy->move.file, &from, part->dest, &to, (size_t)limit);
    sfd_write_gate_leave(copy->gate);
    (void)sfd_progress_take(&progress, n);
    return progress;
}

static void drop_pipe(struct part *part)
{
    sfd_fd_close(part->sys, &part->pipe[0]);
    sfd_fd_close(part->sys, &part->pipe[1]);
}

/* The pipe's `length` bytes to where the copy stands. What it cannot take is dropped with the pipe, and not counted. */
static struct sfd_progress empty_pipe(struct part *part, uint64_t length)
{
    struct sfd_progress progress = {.step = SFD_STEP_MORE};
    int64_t to = (int64_t)part->copy->to;
    bool more = true;

    if (!sfd_write_gate_enter(part->copy->gate)) return failed(-ECANCELED);
    while (more && progress.moved < length) {
        const int64_t n = part->sys->splice_out(part->pipe[0], part->dest, &to, (size_t)(length - progress.moved));
        if (n != -EINTR) more = sfd_progress_take(&progress, n == 0 ? -ENOSPC : n);
    }
    sfd_write_gate_leave(part->copy->gate);
    if (progress.moved < length) drop_pipe(part);
    return progress;
}

/*
 * What sendfile(2) does inside, in two steps: it would write at the position of the description, and would wait for the
 * source within the write. The pipe holds references to the loaded pages.
 */
static struct sfd_progress by_sendfile(struct part *part, uint64_t limit)
{
    const struct sfd_copy *copy = part->copy;
    struct sfd_progress progress = {.step = SFD_STEP_MORE};
    int64_t from = (int64_t)copy->offset;
    int64_t n = part->pipe[0] >= 0 ? 0 : part->sys->pipe2(part->pipe, O_CLOEXEC);

    if (n == 0) do {
            n = part->sys->splice(copy->move.file, &from, part->pipe[1], (size_t)least(limit, PIPE_BYTES),
                                  SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        } while (n == -EINTR);
    if (n > 0)
        progress = empty_pipe(part, (uint64_t)n);
    else
        (void)sfd_progress_take(&progress, n);
    if (progress.step != SFD_STEP_MORE) drop_pipe(part);
    return progress;
}

static struct sfd_progress by_mmap(struct part *part, uint64_t limit)
{
    const struct sfd_copy *copy = part->copy;
    struct sfd_progress progress = {.step = SFD_STEP_MORE};
    struct sfd_mapping mapping;

    const int result = sfd_mover_map(&copy->move, copy->offset, limit, &mapping);
    if (result < 0) {
        (void)sfd_progress_take(&progress, result);
        return progress;
    }
    progress = put(part, copy->to, mapping.bytes);
    sfd_mover_unmap(&copy->move, &mapping, &progress);
    return progress;
}

static struct sfd_progress by_read_write(struct part *part, uint64_t limit)
{
    const struct sfd_move *move = &part->copy->move;
    struct sfd_progress progress = {.step = SFD_STEP_MORE};
    struct iovec iov = {
        .iov_base = move->buffer,
        .iov_len = (size_t)least(limit, move->buffer_size),
    };

    const int64_t got = part->sys->preadv2(move->file, &iov, 1, (int64_t)part->copy->offset, 0);
    if (got <= 0) {
        (void)sfd_progress_take(&progress, got);
        return progress;
    }
    iov.iov_len = (size_t)got;
    return put(part, part->copy->to, iov);
}

/* Errors that any other way of writing would meet too, or that say nothing about the technique. */
static bool is_of_technique(int error)
{
    switch (error) {
    case -ENOSPC:
    case -EDQUOT:
    case -EFBIG:
    case -ENOMEM:
    case -ENOBUFS:
    case -EINTR:
    case -EAGAIN:
    case -ECANCELED:
        return false;
    default: /* a list of those that are would be too short: file servers answer what they like */
        return error < 0;
    }
}

/*
 * The technique to try after one that has failed; AUTO when none is left. As each one says from where to where, the
 * next can go on wherever the last one has stopped.
 */
static enum sfd_technique fallback(enum sfd_technique technique)
{
    switch (technique) {
    case SFD_TECHNIQUE_COPY_FILE_RANGE:
        return SFD_TECHNIQUE_SENDFILE;
    case SFD_TECHNIQUE_SENDFILE:
    case SFD_TECHNIQUE_MMAP:
        return SFD_TECHNIQUE_READ_WRITE;
    default:
        return SFD_TECHNIQUE_AUTO;
    }
}

static struct sfd_progress copy_piece(struct part *part, uint64_t limit)
{
    static struct sfd_progress (*const pieces[SFD_TECHNIQUES])(struct part *, uint64_t) = {
        [SFD_TECHNIQUE_SENDFILE] = by_sendfile,
        [SFD_TECHNIQUE_MMAP] = by_mmap,
        [SFD_TECHNIQUE_READ_WRITE] = by_read_write,
        [SFD_TECHNIQUE_COPY_FILE_RANGE] = by_copy_file_range,
    };
    struct sfd_copy *copy = part->copy;

    for (;;) {
        if ((unsigned)copy->technique >= SFD_TECHNIQUES || pieces[copy->technique] == NULL) return failed(-EINVAL);
        /* With O_APPEND these two know no offset to write to. */
        const bool fits =
            !copy->appends || copy->technique == SFD_TECHNIQUE_READ_WRITE || copy->technique == SFD_TECHNIQUE_MMAP;
        const struct sfd_progress p = fits ? pieces[copy->technique](part, limit) : failed(-EINVAL);
        if (p.moved > 0 || copy->forced || !is_of_technique(p.error)) return p;
        const enum sfd_technique next = fallback(copy->technique);
        if (next == SFD_TECHNIQUE_AUTO) return p;
        copy->technique = next;
    }
}

/* ------------------------------------------------------------------ holes */

/*
 * The next data at or after the offset: [*from, *to), empty at the end of the range, or of the file where that is
 * shorter, when only a hole is left. 0, or -ENODATA behind the end of the file.
 */
static int find_data(const struct sfd_copy *copy, uint64_t *from, uint64_t *to)
{
    const struct sfd_sys *sys = copy->move.kernel->sys;
    uint64_t size = 0;

    *from = copy->offset;
    *to = copy->end;
    const int64_t data = sys->lseek(copy->move.file, (int64_t)copy->offset, SEEK_DATA);
    if (data == -ENXIO) {
        /* With an old size, bytes that the file has lost on its server would be copied as zeros. */
        const int result = sfd_fd_size_now(sys, copy->move.file, &size);
        if (result < 0) return result;
        if (size <= copy->offset) return -ENODATA;
        *from = *to = least(size, copy->end);
        return 0;
    }
    if (data < 0) return 0; /* a file system without holes */
    *from = least((uint64_t)data, copy->end);
    const int64_t hole = sys->lseek(copy->move.file, (int64_t)*from, SEEK_HOLE);
    if (hole > (int64_t)*from) *to = least((uint64_t)hole, copy->end);
    return 0;
}

/* Of `length` zeros those that fit into the budget and the buffer, to offset `to` of the destination. */
static struct sfd_progress put_zeros(struct part *part, uint64_t to, uint64_t length)
{
    const struct sfd_move *move = &part->copy->move;
    const size_t size = (size_t)least(least(length, part->copy->budget), move->buffer_size);

    memset(move->buffer, 0, size);
    const struct sfd_progress p = put(part, to, (struct iovec){.iov_base = move->buffer, .iov_len = size});
    part->copy->budget -= p.moved;
    return p;
}

/* fallocate(2) within the gate: 0, 1 when zeros are to be written instead, or -errno. */
static int allocate(const struct part *part, int mode, uint64_t at, uint64_t length)
{
    if (!sfd_write_gate_enter(part->copy->gate)) return -ECANCELED;
    const int result = part->sys->fallocate(part->dest, mode, at, length);
    sfd_write_gate_leave(part->copy->gate);
    return is_of_technique(result) ? 1 : result;
}

#define PUNCH (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)

static struct sfd_progress passed(uint64_t length)
{
    return (struct sfd_progress){.moved = length, .step = SFD_STEP_MORE};
}

/* Extends the destination, which ends where the copy stands or before, and leaves a hole where the file system can. */
static struct sfd_progress grow(struct part *part, uint64_t length)
{
    const uint64_t at = part->copy->to;

    /* ftruncate(2) would be one call, but would cut off what another process has written behind it meanwhile. */
    const int result = allocate(part, 0, at + length - 1, 1);
    if (result < 0) return failed(result);
    if (result == 0) {
        (void)allocate(part, PUNCH, at, length);
        return passed(length);
    }
    const struct sfd_progress p = put_zeros(part, at + length - 1, 1);
    return p.moved > 0 ? passed(length) : p;
}

/*
 * Puts a part of a hole where the copy stands. `last`: nothing follows that would make the file as long as it has to
 * be.
 */
static struct sfd_progress put_hole(struct part *part, uint64_t length, bool last)
{
    const uint64_t at = part->copy->to;
    uint64_t size = 0;

    int result = sfd_fd_size(part->sys, part->dest, &size);
    if (result < 0) return failed(result);
    if (at >= size) return last ? grow(part, length) : passed(length);
    length = least(least(length, size - at), HOLE_BYTES);
    result = allocate(part, PUNCH, at, length);
    if (result < 0) return failed(result);
    return result == 0 ? passed(length) : put_zeros(part, at, length);
}

/* ------------------------------------------------------------------ the whole */

/* -EINVAL when the bytes from `to` on are those that are copied. */
static int check_overlap(const struct sfd_copy *copy, const struct statx *source, const struct statx *dest, uint64_t to)
{
    if (source->stx_ino != dest->stx_ino || source->stx_dev_major != dest->stx_dev_major ||
        source->stx_dev_minor != dest->stx_dev_minor)
        return 0;
    return to < copy->end && copy->offset < to + (copy->end - copy->offset) ? -EINVAL : 0;
}

/*
 * Enters the range that begins at the position of the destination. Another transfer sets that position when it ends,
 * and leaves its own range afterwards: so the position is read again once the range is ours.
 */
static int enter_at_position(const struct sfd_copy *copy, const struct statx *source, const struct statx *dest,
                             struct sfd_write_ranges *ranges, struct sfd_write_range *range)
{
    const struct sfd_sys *sys = copy->move.kernel->sys;
    const uint64_t length = copy->end - copy->offset;
    int64_t position = sys->lseek(copy->move.dest, 0, SEEK_CUR);

    for (int i = 0; i < POSITION_TRIES; i++) {
        if (position < 0) return (int)position;
        if (length > INT64_MAX - (uint64_t)position) return -EFBIG;
        const int result = check_overlap(copy, source, dest, (uint64_t)position);
        if (result < 0) return result;
        range->begin = (uint64_t)position;
        range->end = (uint64_t)position + length;
        if (!sfd_write_ranges_enter(ranges, range)) return -EBUSY;
        position = sys->lseek(copy->move.dest, 0, SEEK_CUR);
        if (position == (int64_t)range->begin) return 0;
        sfd_write_ranges_leave(ranges, range);
    }
    return -EBUSY;
}

int sfd_copy_begin(struct sfd_copy *copy, struct sfd_write_ranges *ranges, struct sfd_write_range *range)
{
    const struct sfd_sys *sys = copy->move.kernel->sys;
    struct statx source;
    struct statx dest;

    const int flags = sys->fcntl(copy->move.dest, F_GETFL, 0);
    if (flags < 0) return flags;
    int result = sys->statx(copy->move.file, "", AT_EMPTY_PATH, STATX_INO, &source);
    if (result == 0) result = sys->statx(copy->move.dest, "", AT_EMPTY_PATH, STATX_INO | STATX_SIZE, &dest);
    if (result < 0) return result;
    copy->appends = (flags & O_APPEND) != 0;
    if (copy->appends) {
        copy->to = dest.stx_size;
        return 0;
    }
    range->gate = copy->gate;
    range->dev = (uint64_t)dest.stx_dev_major << 32 | dest.stx_dev_minor;
    range->ino = dest.stx_ino;
    result = enter_at_position(copy, &source, &dest, ranges, range);
    if (result == 0) copy->to = range->begin;
    return result;
}

static void advance(struct sfd_copy *copy, struct sfd_progress *progress, const struct sfd_progress *step)
{
    copy->offset += step->moved;
    copy->to += step->moved;
    progress->moved += step->moved;
    progress->step = step->step;
    progress->error = step->error;
}

/* From here on to `end`, where a hole begins or the range ends. */
static void copy_data(struct part *part, uint64_t end, struct sfd_progress *progress)
{
    struct sfd_copy *copy = part->copy;

    while (copy->offset < end && copy->budget > 0 && progress->step == SFD_STEP_MORE) {
        const struct sfd_progress p = copy_piece(part, least(end - copy->offset, copy->budget));
        copy->budget -= p.moved;
        advance(copy, progress, &p);
    }
}

static struct sfd_progress copy_part(struct part *part, bool holes)
{
    struct sfd_copy *copy = part->copy;
    struct sfd_progress progress = {.step = SFD_STEP_MORE};

    while (copy->offset < copy->end && copy->budget > 0 && progress.step == SFD_STEP_MORE) {
        uint64_t from = copy->offset;
        uint64_t to = copy->end;
        const int result = holes ? find_data(copy, &from, &to) : 0;
        if (result < 0) {
            (void)sfd_progress_take(&progress, result);
        } else if (from > copy->offset) {
            const struct sfd_progress p = put_hole(part, from - copy->offset, from == to);
            advance(copy, &progress, &p);
        } else {
            copy_data(part, to, &progress);
        }
    }
    return progress;
}

struct sfd_progress sfd_copy_run(struct sfd_copy *copy)
{
    struct part part = {
        .copy = copy, .sys = copy->move.kernel->sys, .dest = copy->move.dest, .own = -1, .pipe = {-1, -1}};
    const int flags = part.sys->fcntl(copy->move.dest, F_GETFL, 0);

    if (flags < 0) return failed(flags);
    if (((flags & O_APPEND) != 0) != copy->appends) return failed(-EINVAL);
    if ((flags & O_DIRECT) != 0) {
        const int own = sfd_fd_reopen(part.sys, copy->move.dest, O_WRONLY | O_NOCTTY | (flags & O_APPEND));
        if (own >= 0) part.dest = part.own = own;
    }
    const struct sfd_progress progress = copy_part(&part, copy->seeks && !copy->appends);
    drop_pipe(&part);
    sfd_fd_close(part.sys, &part.own);
    return progress;
}

int sfd_copy_check_size(const struct sfd_copy *copy)
{
    uint64_t size = 0;
    const int result = sfd_fd_size_now(copy->move.kernel->sys, copy->move.dest, &size);

    if (result < 0) return result;
    return size < copy->to ? -EIO : 0;
}

void sfd_copy_set_position(const struct sfd_copy *copy)
{
    if (copy->appends || !sfd_write_gate_enter(copy->gate)) return;
    (void)copy->move.kernel->sys->lseek(copy->move.dest, (int64_t)copy->to, SEEK_SET);
    sfd_write_gate_leave(copy->gate);
}
