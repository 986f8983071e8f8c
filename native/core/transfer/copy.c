/*
 * Copying between two files: by technique, around holes.
 */
#include "transfer/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* ------------------------------------------------------------------ by technique */

/* Writes memory at the destination's position; bytes written before a failure stay. */
static struct sfd_progress put(const struct sfd_move *move, struct iovec iov)
{
    struct sfd_progress progress = {.step = SFD_STEP_MORE};

    while (iov.iov_len > 0) {
        const int64_t n = move->kernel->sys->pwritev2(move->dest, &iov, 1, -1, 0);
        if (!sfd_progress_take(&progress, n == 0 ? -ENOSPC : n)) break;
        iov.iov_base = (char *)iov.iov_base + n;
        iov.iov_len -= (size_t)n;
    }
    return progress;
}

static struct sfd_progress by_copy_file_range(const struct sfd_move *move, uint64_t offset, uint64_t limit)
{
    struct sfd_progress progress = {.step = SFD_STEP_MORE};
    int64_t at = (int64_t)offset;

    (void)sfd_progress_take(
        &progress, move->kernel->sys->copy_file_range(move->file, &at, move->dest, sfd_mover_call_size(limit)));
    return progress;
}

static struct sfd_progress by_sendfile(const struct sfd_move *move, uint64_t offset, uint64_t limit)
{
    struct sfd_progress progress = {.step = SFD_STEP_MORE};
    int64_t at = (int64_t)offset;
    int64_t n;

    do {
        n = move->kernel->sys->sendfile(move->dest, move->file, &at, sfd_mover_call_size(limit));
    } while (n == -EINTR);
    (void)sfd_progress_take(&progress, n);
    return progress;
}

static struct sfd_progress by_mmap(const struct sfd_move *move, uint64_t offset, uint64_t limit)
{
    struct sfd_progress progress = {.step = SFD_STEP_MORE};
    struct sfd_mapping mapping;

    const int result = sfd_mover_map(move, offset, limit, &mapping);
    if (result < 0) {
        (void)sfd_progress_take(&progress, result);
        return progress;
    }
    progress = put(move, mapping.bytes);
    sfd_mover_unmap(move, &mapping, &progress);
    return progress;
}

static struct sfd_progress by_read_write(const struct sfd_move *move, uint64_t offset, uint64_t limit)
{
    struct sfd_progress progress = {.step = SFD_STEP_MORE};
    struct iovec iov = {
        .iov_base = move->buffer,
        .iov_len = (size_t)least(limit, move->buffer_size),
    };

    const int64_t got = move->kernel->sys->preadv2(move->file, &iov, 1, (int64_t)offset, 0);
    if (got <= 0) {
        (void)sfd_progress_take(&progress, got);
        return progress;
    }
    iov.iov_len = (size_t)got;
    return put(move, iov);
}

/* The technique to try after one that this pair of files refuses; AUTO when none is left. */
static enum sfd_technique fallback(enum sfd_technique technique, int error)
{
    switch (error) {
    case -EXDEV:  /* two file systems that cannot reflink */
    case -EINVAL: /* O_APPEND, pseudo files */
    case -EBADF:  /* O_APPEND (copy_file_range) */
    case -EOPNOTSUPP:
    case -ENOSYS:
    case -EPERM:   /* of an immutable or sealed file: the next technique fails too */
    case -ENODATA: /* some kernels move 0 bytes of files that have no length of their own */
        break;
    default:
        return SFD_TECHNIQUE_AUTO;
    }
    if (technique == SFD_TECHNIQUE_COPY_FILE_RANGE) return SFD_TECHNIQUE_SENDFILE;
    if (technique == SFD_TECHNIQUE_SENDFILE) return SFD_TECHNIQUE_READ_WRITE;
    return SFD_TECHNIQUE_AUTO;
}

static struct sfd_progress copy_piece(struct sfd_copy *copy, uint64_t limit)
{
    static struct sfd_progress (*const pieces[SFD_TECHNIQUES])(const struct sfd_move *, uint64_t, uint64_t) = {
        [SFD_TECHNIQUE_SENDFILE] = by_sendfile,
        [SFD_TECHNIQUE_MMAP] = by_mmap,
        [SFD_TECHNIQUE_READ_WRITE] = by_read_write,
        [SFD_TECHNIQUE_COPY_FILE_RANGE] = by_copy_file_range,
    };

    for (;;) {
        if ((unsigned)copy->technique >= SFD_TECHNIQUES || pieces[copy->technique] == NULL)
            return (struct sfd_progress){.step = SFD_STEP_FAILED, .error = -EINVAL};
        const struct sfd_progress p = pieces[copy->technique](&copy->move, copy->offset, limit);
        if (p.step != SFD_STEP_FAILED || p.moved > 0 || copy->forced) return p;
        const enum sfd_technique next = fallback(copy->technique, p.error);
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

static struct sfd_progress put_zeros(const struct sfd_move *move, uint64_t length)
{
    struct sfd_progress progress = {.step = SFD_STEP_MORE};

    memset(move->buffer, 0, move->buffer_size);
    while (progress.moved < length && progress.step == SFD_STEP_MORE) {
        const struct sfd_progress p =
            put(move, (struct iovec){.iov_base = move->buffer,
                                     .iov_len = (size_t)least(length - progress.moved, move->buffer_size)});
        progress.moved += p.moved;
        progress.step = p.step;
        progress.error = p.error;
    }
    return progress;
}

static bool no_such_call(int64_t result)
{
    return result == -EOPNOTSUPP || result == -ENOSYS;
}

/* Advances the destination's position. */
static struct sfd_progress pass(const struct sfd_move *move, uint64_t length)
{
    struct sfd_progress progress = {.step = SFD_STEP_MORE};
    const int64_t at = move->kernel->sys->lseek(move->dest, (int64_t)length, SEEK_CUR);

    (void)sfd_progress_take(&progress, at < 0 ? at : (int64_t)length);
    return progress;
}

/*
 * Extends the destination, which ends before `position` + `length`, to that size, and leaves a hole where the file
 * system can.
 */
static struct sfd_progress grow(const struct sfd_move *move, uint64_t position, uint64_t length)
{
    const struct sfd_sys *sys = move->kernel->sys;
    struct sfd_progress progress = {.step = SFD_STEP_MORE};

    /* ftruncate(2) would be one call, but would cut off what another process has written behind it meanwhile. */
    const int result = sys->fallocate(move->dest, 0, position + length - 1, 1);
    if (no_such_call(result)) {
        if (length > 1) progress = pass(move, length - 1);
        if (progress.step != SFD_STEP_MORE) return progress;
        const struct sfd_progress last = put_zeros(move, 1);
        return (struct sfd_progress){.moved = progress.moved + last.moved, .step = last.step, .error = last.error};
    }
    if (result < 0) {
        (void)sfd_progress_take(&progress, result);
        return progress;
    }
    (void)sys->fallocate(move->dest, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, position, length);
    return pass(move, length);
}

/*
 * Puts a hole at the destination's position. `last`: nothing follows that would make the file as long as it has to be.
 */
static struct sfd_progress put_hole(const struct sfd_move *move, uint64_t length, bool last)
{
    const struct sfd_sys *sys = move->kernel->sys;
    struct sfd_progress progress = {.step = SFD_STEP_MORE};
    uint64_t size = 0;

    const int64_t position = sys->lseek(move->dest, 0, SEEK_CUR);
    const int result = position < 0 ? (int)position : sfd_fd_size(sys, move->dest, &size);
    if (result < 0) {
        (void)sfd_progress_take(&progress, result);
        return progress;
    }
    const uint64_t at = (uint64_t)position;
    const uint64_t old = at < size ? least(length, size - at) : 0;
    if (old > 0) {
        const int punched = sys->fallocate(move->dest, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, old);
        if (no_such_call(punched))
            progress = put_zeros(move, old);
        else if (punched < 0)
            (void)sfd_progress_take(&progress, punched);
        else
            progress = pass(move, old);
    }
    if (old == length || progress.step != SFD_STEP_MORE) return progress;
    const struct sfd_progress rest = last ? grow(move, at + old, length - old) : pass(move, length - old);
    return (struct sfd_progress){.moved = progress.moved + rest.moved, .step = rest.step, .error = rest.error};
}

/* ------------------------------------------------------------------ the whole */

int sfd_copy_check(const struct sfd_copy *copy)
{
    const struct sfd_move *move = &copy->move;
    const struct sfd_sys *sys = move->kernel->sys;
    struct statx source;
    struct statx dest;

    int result = sys->statx(move->file, "", AT_EMPTY_PATH, STATX_INO, &source);
    if (result == 0) result = sys->statx(move->dest, "", AT_EMPTY_PATH, STATX_INO, &dest);
    if (result < 0) return result;
    if (source.stx_ino != dest.stx_ino || source.stx_dev_major != dest.stx_dev_major ||
        source.stx_dev_minor != dest.stx_dev_minor)
        return 0;
    const int flags = sys->fcntl(move->dest, F_GETFL, 0);
    if (flags >= 0 && (flags & O_APPEND) != 0) return 0; /* always behind its end */
    const int64_t position = sys->lseek(move->dest, 0, SEEK_CUR);
    if (position < 0) return (int)position;
    const uint64_t at = (uint64_t)position;
    return at < copy->end && copy->offset < at + (copy->end - copy->offset) ? -EINVAL : 0;
}

struct sfd_progress sfd_copy_run(struct sfd_copy *copy)
{
    const int flags = copy->move.kernel->sys->fcntl(copy->move.dest, F_GETFL, 0);
    const bool holes = copy->seeks && flags >= 0 && (flags & O_APPEND) == 0;
    struct sfd_progress progress = {.step = SFD_STEP_MORE};

    while (copy->offset < copy->end && copy->budget > 0) {
        uint64_t from = copy->offset;
        uint64_t to = copy->end;
        struct sfd_progress p;
        const int result = holes ? find_data(copy, &from, &to) : 0;
        if (result < 0) {
            (void)sfd_progress_take(&progress, result);
            break;
        }
        if (from > copy->offset) {
            p = put_hole(&copy->move, from - copy->offset, from == to);
        } else {
            p = copy_piece(copy, least(to - from, copy->budget));
            copy->budget -= p.moved;
        }
        copy->offset += p.moved;
        progress.moved += p.moved;
        progress.step = p.step;
        progress.error = p.error;
        if (p.step != SFD_STEP_MORE) break;
    }
    return progress;
}
