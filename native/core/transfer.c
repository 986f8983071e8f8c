/*
 * One transfer: the state machine, and the disk pool's part of it.
 */
#include "transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "open.h"

enum sfd_job {
    SFD_JOB_NONE = 0,
    SFD_JOB_OPEN, /* path -> file, device, range, lock */
    SFD_JOB_LOAD, /* the next window */
    SFD_JOB_COPY, /* a slice to a regular file */
};

/* Windows of the disk pool grow with sequential progress: the first bytes soon, then few hand-overs. */
#define WINDOW_MIN ((uint32_t)128 * 1024)
#define WINDOW_MAX ((uint32_t)2 * 1024 * 1024)
#define BOUNCE_MAX ((uint32_t)256 * 1024)

/* One probe costs 2 us and 7.5 us a MiB; a partly cached file is looked at in smaller pieces. */
#define PROBE_BYTES       ((uint64_t)1024 * 1024)
#define PROBE_BYTES_SMALL ((uint64_t)64 * 1024)

/* Ready pages can be evicted: what is older than this is asked for again. */
#define RESIDENT_MS 1000

/* A job between two files ends after this many bytes, so that a cancel is obeyed and progress is told. */
#define COPY_BYTES  ((uint64_t)8 * 1024 * 1024)
#define COPY_BUFFER ((size_t)64 * 1024)

/* Unprivileged users share 64 MiB of pipe buffers (pipe(7)): a bigger pipe is only for reads that gain by it. */
#define PIPE_BYTES ((uint64_t)1024 * 1024)

#define OPEN_TRIES 3 /* against EAGAIN of a rename that races with the resolution, openat2(2) */

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint8_t queue_of(int16_t device)
{
    return device < 0 ? SFD_QUEUE_OPEN : (uint8_t)(SFD_QUEUE_DEVICES + device);
}

void sfd_transfer_init(struct sfd_transfer *transfer)
{
    *transfer =
        (struct sfd_transfer){.file = -1, .dest = -1, .device = -1, .dest_device = -1, .root = -1};
    sfd_status_init(&transfer->status);
}

/* ------------------------------------------------------------------ closing */

static void leave_epoll(struct sfd_context *context, int fd, bool *registered)
{
    /* Our number going is not enough: the registration lives as long as the client's copy of the description. */
    if (*registered) (void)context->machine.sys->epoll_ctl(context->epoll, EPOLL_CTL_DEL, fd, NULL);
    *registered = false;
}

/*
 * On a local file system there is nothing to flush and no server to ask; but the last close of a file that was deleted
 * meanwhile frees its blocks, which can take long for a long file.
 */
static bool file_closes_at_once(const struct sfd_context *context, const struct sfd_transfer *t)
{
    struct statx st;

    if (!sfd_medium_is_local((enum sfd_medium)t->medium)) return false;
    if (t->file < 0 || t->file_size <= context->quantum) return true;
    return context->machine.sys->statx(t->file, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_NLINK,
                                       &st) == 0 &&
           st.stx_nlink > 0;
}

static void close_data(struct sfd_context *context, struct sfd_transfer *t)
{
    if (t->dest >= 0) leave_epoll(context, t->dest, &t->dest_registered);
    if (t->dest_device >= 0) {
        sfd_closer_take_file(&context->closer, &t->dest, queue_of(t->dest_device));
    } else {
        sfd_closer_take(&context->closer, &t->dest, (enum sfd_fd_kind)t->dest_kind);
    }
    if (file_closes_at_once(context, t)) {
        sfd_fd_close(context->machine.sys, &t->file);
    } else {
        sfd_closer_take_file(&context->closer, &t->file, queue_of(t->device));
    }
    free(t->path);
    t->path = NULL;
    free(t->bounce);
    t->bounce = NULL;
    sfd_timer_disarm(&context->timers, &t->timer);
}

static enum sfd_next release(struct sfd_context *context, struct sfd_transfer *t)
{
    close_data(context, t);
    if (t->status.fd >= 0) leave_epoll(context, t->status.fd, &t->status_registered);
    sfd_status_deinit(&t->status, &context->machine);
    return SFD_NEXT_END;
}

/* Everything but the last words is done: the file and the destination go first, so EOF there means EOF everywhere. */
static enum sfd_next end(struct sfd_context *context, struct sfd_transfer *t)
{
    close_data(context, t);
    t->state = SFD_STATE_ENDING;
    if (sfd_status_flush(&t->status, &context->machine) == 0) return SFD_NEXT_STATUS;
    return release(context, t);
}

static enum sfd_next refuse(struct sfd_context *context, struct sfd_transfer *t, int error)
{
    sfd_counters_add(&context->counters, SFD_COUNTER_REFUSED, 1);
    sfd_status_fail(&t->status, SFD_WIRE_FILE_INFO, error);
    return end(context, t);
}

static enum sfd_next fail(struct sfd_context *context, struct sfd_transfer *t, int error)
{
    /* Before its file is open it has nothing to tell, but it has not begun either. */
    const bool begun =
        t->state != SFD_STATE_OPENING && (t->offset > t->begin || !t->status.info_due);

    if (!begun) return refuse(context, t, error);
    sfd_counters_add(&context->counters, SFD_COUNTER_FAILED, 1);
    if (t->command == SFD_WIRE_READ_FILE)
        return release(context, t); /* EOF before `size` bytes says it */
    sfd_status_fail(&t->status, SFD_WIRE_XFER_STAT, error);
    return end(context, t);
}

enum sfd_next sfd_transfer_cancel(struct sfd_context *context, struct sfd_transfer *t)
{
    sfd_counters_add(&context->counters, SFD_COUNTER_CANCELLED, 1);
    return release(context, t);
}

void sfd_transfer_abort(struct sfd_context *context, struct sfd_transfer *t, int error)
{
    if (t->state != SFD_STATE_ENDING) {
        (void)fail(context, t, error);
    } else if (t->status.fd >= 0) {
        (void)sfd_status_flush(&t->status, &context->machine); /* there may be room by now */
    }
    (void)release(context, t);
}

static enum sfd_next complete(struct sfd_context *context, struct sfd_transfer *t)
{
    sfd_counters_add(&context->counters, SFD_COUNTER_COMPLETED, 1);
    if (t->command != SFD_WIRE_READ_FILE) sfd_status_complete(&t->status);
    return end(context, t);
}

/* ------------------------------------------------------------------ status */

/* Tells the client what is due. False when it is gone. */
static bool tell(struct sfd_context *context, struct sfd_transfer *t)
{
    if (t->command == SFD_WIRE_READ_FILE) return true; /* the header goes with the first bytes */
    t->reported_ms = context->now_ms;
    return sfd_status_flush(&t->status, &context->machine) >= 0;
}

static bool progress_is_due(const struct sfd_context *context, const struct sfd_transfer *t)
{
    return t->status.info_due ||
           (t->status.progress > 0 && context->now_ms >= t->reported_ms + SFD_PROGRESS_INTERVAL_MS);
}

/* Leaves the turn with `next`, having told the client what is due. */
static enum sfd_next pause(struct sfd_context *context, struct sfd_transfer *t, enum sfd_next next)
{
    if (progress_is_due(context, t) && !tell(context, t)) return sfd_transfer_cancel(context, t);
    if (next == SFD_NEXT_DEST) {
        sfd_counters_add(&context->counters, SFD_COUNTER_BLOCKED, 1);
        /* What is not told yet is told in time even if the destination stays full. */
        if (t->status.progress > 0) {
            sfd_timer_arm(&context->timers, &t->timer, t->reported_ms + SFD_PROGRESS_INTERVAL_MS);
        }
    }
    return next;
}

static void account(struct sfd_context *context, struct sfd_transfer *t, uint64_t moved)
{
    t->offset += moved;
    if (t->command != SFD_WIRE_READ_FILE) t->status.progress += moved;
    if (moved > 0) t->cold_rounds = 0;
    sfd_counters_add(&context->counters, SFD_COUNTER_BYTES, moved);
}

/* ------------------------------------------------------------------ moving */

static enum sfd_next lend(struct sfd_context *context, struct sfd_transfer *t, enum sfd_job job,
                          uint8_t queue)
{
    t->job = (uint8_t)job;
    t->job_error = 0;
    t->job_moved = 0;
    t->task.queue = queue;
    return pause(context, t, SFD_NEXT_POOL);
}

static enum sfd_next lend_load(struct sfd_context *context, struct sfd_transfer *t)
{
    sfd_counters_add(&context->counters, SFD_COUNTER_COLD_WINDOWS, 1);
    if (++t->cold_rounds > 3) t->bounce_only = true;
    return lend(context, t, SFD_JOB_LOAD, queue_of(t->device));
}

static int dest_of(const struct sfd_transfer *t)
{
    return t->command == SFD_WIRE_READ_FILE ? t->status.fd : t->dest;
}

/* Header and data of a Read File in one write, as long as the header is due. */
static struct sfd_progress memory_step(struct sfd_context *context, struct sfd_transfer *t,
                                       char *bytes, uint64_t length)
{
    char header[SFD_WIRE_MAX_RESPONSE_SIZE];
    struct iovec iov[2];
    int count = 0;
    uint64_t header_length = 0;

    if (t->command == SFD_WIRE_READ_FILE && t->status.info_due) {
        /* Fits or does not as a whole: the pipe is the client's own, and its first page is empty or has a reader. */
        header_length = sfd_wire_put_file_info(header, &t->status.info);
        iov[count++] = (struct iovec){.iov_base = header, .iov_len = (size_t)header_length};
    }
    iov[count++] = (struct iovec){.iov_base = bytes, .iov_len = (size_t)length};
    struct sfd_progress p =
        sfd_mover_memory(&context->machine, dest_of(t), (enum sfd_fd_kind)t->dest_kind, iov, count);
    if (header_length > 0) {
        if (p.moved >= header_length) {
            p.moved -= header_length;
            t->status.info_due = false;
        } else if (p.moved > 0) {
            p = (struct sfd_progress){.step = SFD_STEP_FAILED, .error = -EIO};
            t->status.info_due = false; /* a cut header cannot be mended: EOF tells the client */
        }
    }
    return p;
}

static struct sfd_progress bounce_step(struct sfd_context *context, struct sfd_transfer *t,
                                       uint64_t limit)
{
    const uint64_t rest = t->bounce_length - t->bounce_position;
    const struct sfd_progress p =
        memory_step(context, t, t->bounce + t->bounce_position, min_u64(rest, limit));

    t->bounce_position += (uint32_t)p.moved;
    if (t->bounce_position == t->bounce_length) {
        free(t->bounce);
        t->bounce = NULL;
    }
    return p;
}

static struct sfd_move move_of(const struct sfd_context *context, const struct sfd_transfer *t)
{
    return (struct sfd_move){
        .machine = &context->machine,
        .file = t->file,
        .dest = dest_of(t),
        .dest_kind = (enum sfd_fd_kind)t->dest_kind,
        .memory_file = t->medium == SFD_MEDIUM_MEMORY,
        .buffer = context->buffer,
        .buffer_size = context->buffer_size,
    };
}

/* The bytes from the offset on that can be moved now without the disk; probes at most once a MiB. */
static uint64_t ready_bytes(struct sfd_context *context, struct sfd_transfer *t)
{
    const enum sfd_medium medium = (enum sfd_medium)t->medium;
    const bool locking =
        medium == SFD_MEDIUM_LOCKING; /* a writer can come at any time: look before each step */
    const bool fresh = context->now_ms < t->resident_ms + RESIDENT_MS && !locking;

    if (!fresh || t->offset >= t->resident_end) {
        const uint64_t rest = t->end - t->offset;
        const uint64_t piece = locking ? context->quantum : PROBE_BYTES;
        uint64_t ready = sfd_residency_probe(&context->machine, medium, t->file, t->offset,
                                             min_u64(rest, piece));
        if (ready == 0 && sfd_medium_is_local(medium) && rest > PROBE_BYTES_SMALL) {
            ready = sfd_residency_probe(&context->machine, medium, t->file, t->offset,
                                        PROBE_BYTES_SMALL);
        }
        t->resident_end = t->offset + ready;
        t->resident_ms = context->now_ms;
    }
    return t->resident_end - t->offset;
}

static struct sfd_progress file_step(struct sfd_context *context, struct sfd_transfer *t,
                                     uint64_t limit)
{
    const struct sfd_move move = move_of(context, t);
    enum sfd_technique technique = (enum sfd_technique)t->technique;

    if (technique == SFD_TECHNIQUE_SENDFILE) {
        /* O_NONBLOCK is shared with the client, who may change it at any time: ask before each batch. */
        const int flags = context->machine.sys->fcntl(t->dest, F_GETFL, 0);
        if (flags < 0 || (flags & O_NONBLOCK) == 0) technique = SFD_TECHNIQUE_READ_WRITE;
    }
    if (technique == SFD_TECHNIQUE_READ_WRITE) {
        /* A read of a remote file can ask its server although the pages are here; the disk pool reads it. */
        if (!sfd_medium_is_local((enum sfd_medium)t->medium)) t->bounce_only = true;
        if (t->bounce_only) return (struct sfd_progress){.step = SFD_STEP_COLD};
        const struct sfd_progress got = sfd_mover_read(&move, t->offset, limit);
        return got.step == SFD_STEP_MORE ? memory_step(context, t, context->buffer, got.moved)
                                         : got;
    }

    const uint64_t ready = t->bounce_only ? 0 : ready_bytes(context, t);
    if (ready == 0) return (struct sfd_progress){.step = SFD_STEP_COLD};
    if (t->command == SFD_WIRE_READ_FILE && t->status.info_due) {
        const int told = sfd_status_flush(&t->status, &context->machine);
        if (told == 0) return (struct sfd_progress){.step = SFD_STEP_BLOCKED};
        if (told < 0) return (struct sfd_progress){.step = SFD_STEP_FAILED, .error = told};
    }
    return sfd_mover_step(&move, technique, t->offset, min_u64(limit, ready));
}

static enum sfd_next move_bytes(struct sfd_context *context, struct sfd_transfer *t)
{
    uint64_t budget = context->quantum;

    if (t->dest_kind == SFD_FD_REGULAR && t->offset < t->end) {
        return lend(context, t, SFD_JOB_COPY,
                    queue_of(t->dest_device)); /* its writes wait longest */
    }
    while (t->offset < t->end) {
        if (budget == 0) return pause(context, t, SFD_NEXT_AGAIN);
        const uint64_t limit = min_u64(budget, t->end - t->offset);
        const struct sfd_progress p =
            t->bounce != NULL ? bounce_step(context, t, limit) : file_step(context, t, limit);
        account(context, t, p.moved);
        budget -= p.moved;
        switch (p.step) {
        case SFD_STEP_MORE:
            break;
        case SFD_STEP_BLOCKED:
            return pause(context, t, SFD_NEXT_DEST);
        case SFD_STEP_COLD:
            return lend_load(context, t);
        case SFD_STEP_FAILED:
            return fail(context, t, p.error);
        }
    }
    return complete(context, t);
}

static enum sfd_next start_moving(struct sfd_context *context, struct sfd_transfer *t)
{
    const uint64_t size = t->end - t->begin;

    t->state = SFD_STATE_MOVING;
    t->technique =
        (uint8_t)sfd_technique_choose((enum sfd_fd_kind)t->dest_kind, t->dest_nonblock, size);
    t->copy_technique = SFD_TECHNIQUE_COPY_FILE_RANGE;
    return move_bytes(context, t);
}

static enum sfd_next park(struct sfd_context *context, struct sfd_transfer *t)
{
    t->state = SFD_STATE_PARKED;
    if (!tell(context, t)) return sfd_transfer_cancel(context, t);
    sfd_timer_arm(&context->timers, &t->timer, context->now_ms + context->open_timeout_ms);
    return SFD_NEXT_PARK;
}

/* ------------------------------------------------------------------ opening */

/* An advisory lock, as the original promised. File systems that know no locks are served all the same. */
static int lock_range(const struct sfd_context *context, const struct sfd_transfer *t)
{
    if (t->begin == t->end) return 0; /* length 0 would mean "to the end" */
    const int result = context->machine.sys->ofd_read_lock(t->file, t->begin, t->end - t->begin);
    if (result == -EINVAL || result == -EOPNOTSUPP || result == -ENOSYS) return 0;
    return result == -EACCES ? -EAGAIN : result;
}

/* Takes over an opened file whose device is known. Loop or disk pool. */
static int adopt(const struct sfd_context *context, struct sfd_transfer *t,
                 const struct sfd_opened *opened, int device)
{
    t->file = opened->fd;
    t->device = (int16_t)device;
    t->medium = (uint8_t)sfd_devices_medium(context->devices, device);
    t->file_size = opened->size;
    const int result = sfd_open_range(opened->size, t->want_offset, t->want_length, &t->end);
    if (result < 0) return result;
    t->begin = (uint64_t)t->want_offset;
    t->offset = t->begin;
    t->window = WINDOW_MIN;
    t->status.info = (struct sfd_wire_file_info){
        .size = t->end - t->begin,
        .atime = opened->atime,
        .mtime = opened->mtime,
        .ctime = opened->ctime,
        .id = t->id,
    };
    t->status.info_due = true;
    /* A small file is read and written, and a read from a file server is the disk pool's. */
    t->bounce_only = t->medium == SFD_MEDIUM_REMOTE ||
                     (t->medium == SFD_MEDIUM_FUSE && t->end - t->begin <= SFD_SMALL_BYTES);
    return lock_range(context, t);
}

static enum sfd_next opened(struct sfd_context *context, struct sfd_transfer *t)
{
    if (t->command == SFD_WIRE_OPEN_FILE) return park(context, t);
    if (t->command == SFD_WIRE_READ_FILE && t->end - t->begin > PROBE_BYTES_SMALL) {
        /* 3.5 times the throughput; EPERM at the user's limit only means the old size. */
        const uint64_t wanted = min_u64(t->end - t->begin + SFD_WIRE_MAX_RESPONSE_SIZE, PIPE_BYTES);
        (void)context->machine.sys->fcntl(t->status.fd, F_SETPIPE_SZ, (int64_t)wanted);
    }
    return start_moving(context, t);
}

/* Takes note of what the destination is. 0, or why it cannot be one. */
static int accept_dest(struct sfd_context *context, struct sfd_transfer *t,
                       const struct sfd_fd_info *info)
{
    t->dest_kind = (uint8_t)info->kind;
    t->dest_nonblock = info->nonblock;
    switch (info->kind) {
    case SFD_FD_REGULAR:
        t->dest_device = (int16_t)sfd_devices_add(context->devices, info->dev);
        return info->writable ? 0 : -EBADF;
    case SFD_FD_PIPE:
        return info->writable ? sfd_machine_own_pipe(&context->machine, &t->dest) : -EBADF;
    case SFD_FD_TCP:
    case SFD_FD_UNIX_STREAM:
        return info->writable ? 0 : -EBADF;
    default:
        return -EOPNOTSUPP;
    }
}

static enum sfd_next open_in_pool(struct sfd_context *context, struct sfd_transfer *t,
                                  const char *path)
{
    t->path = strdup(path);
    if (t->path == NULL) return refuse(context, t, -ENOMEM);
    sfd_counters_add(&context->counters, SFD_COUNTER_COLD_OPENS, 1);
    t->state = SFD_STATE_OPENING;
    return lend(context, t, SFD_JOB_OPEN, SFD_QUEUE_OPEN);
}

enum sfd_next sfd_transfer_begin(struct sfd_context *context, struct sfd_transfer *t,
                                 const struct sfd_transfer_request *request)
{
    struct sfd_opened file;
    int result;

    t->command = request->command;
    t->id = request->id;
    t->status.fd = request->status;
    t->dest = request->dest;
    t->root = request->root;
    t->want_offset = request->offset;
    t->want_length = request->length;
    t->dest_kind = request->dest < 0 ? SFD_FD_PIPE : (uint8_t)request->dest_info.kind;
    t->reported_ms = context->now_ms;
    result = sfd_machine_own_pipe(&context->machine, &t->status.fd);
    if (result < 0)
        return sfd_transfer_cancel(context, t); /* nothing can be said without blocking */
    if (t->command == SFD_WIRE_SEND_FILE) {
        result = accept_dest(context, t, &request->dest_info);
        if (result < 0) return refuse(context, t, result);
    }

    result = sfd_open_path(&context->machine, request->root, request->path, true, &file);
    if (result == -EAGAIN) return open_in_pool(context, t, request->path);
    if (result < 0) return refuse(context, t, result);
    const int device = sfd_devices_find(context->devices, file.dev);
    if (device < 0 || !sfd_medium_is_local(sfd_devices_medium(context->devices, device))) {
        /* Its attributes may be stale and its locks may wait for a server: all of it is the disk pool's. */
        sfd_closer_take_file(&context->closer, &file.fd, queue_of((int16_t)device));
        return open_in_pool(context, t, request->path);
    }
    result = adopt(context, t, &file, device);
    if (result < 0) return refuse(context, t, result);
    return opened(context, t);
}

enum sfd_next sfd_transfer_send(struct sfd_context *context, struct sfd_transfer *t, int dest)
{
    struct sfd_fd_info info;

    sfd_timer_disarm(&context->timers, &t->timer);
    t->dest = dest;
    int result = sfd_fd_classify(context->machine.sys, dest, &info);
    if (result == 0) result = accept_dest(context, t, &info);
    if (result < 0) {
        sfd_counters_add(&context->counters, SFD_COUNTER_FAILED, 1);
        sfd_status_fail(&t->status, SFD_WIRE_XFER_STAT, result);
        return end(context, t);
    }
    return start_moving(context, t);
}

/* ------------------------------------------------------------------ going on */

static enum sfd_next after_open(struct sfd_context *context, struct sfd_transfer *t)
{
    free(t->path);
    t->path = NULL;
    if (t->job_error < 0) return refuse(context, t, t->job_error);
    return opened(context, t);
}

static enum sfd_next after_load(struct sfd_context *context, struct sfd_transfer *t)
{
    if (t->job_error < 0) return fail(context, t, t->job_error);
    if (t->job_moved == 0)
        return fail(context, t, -ENODATA); /* the file ends before its range does */
    t->resident_end = t->offset + t->job_moved;
    t->resident_ms = context->now_ms;
    if (t->window < WINDOW_MAX) t->window *= 2;
    return move_bytes(context, t);
}

static enum sfd_next after_copy(struct sfd_context *context, struct sfd_transfer *t)
{
    account(context, t, t->job_moved);
    if (t->job_error < 0) return fail(context, t, t->job_error);
    return move_bytes(context, t);
}

static enum sfd_next after_job(struct sfd_context *context, struct sfd_transfer *t)
{
    const uint8_t job = t->job;

    t->job = SFD_JOB_NONE;
    switch (job) {
    case SFD_JOB_OPEN:
        return after_open(context, t);
    case SFD_JOB_LOAD:
        return after_load(context, t);
    default:
        return after_copy(context, t);
    }
}

enum sfd_next sfd_transfer_run(struct sfd_context *context, struct sfd_transfer *t)
{
    if (atomic_load_explicit(&t->cancelled, memory_order_relaxed))
        return sfd_transfer_cancel(context, t);
    if (t->job != SFD_JOB_NONE) return after_job(context, t);
    switch (t->state) {
    case SFD_STATE_MOVING:
        sfd_timer_disarm(&context->timers, &t->timer); /* no longer blocked, as far as is known */
        return move_bytes(context, t);
    case SFD_STATE_ENDING:
        return end(context, t);
    default: /* PARKED: its File Information has found room */
        if (t->timer.position == 0) return sfd_transfer_timeout(context, t); /* due meanwhile */
        return tell(context, t) ? SFD_NEXT_PARK : sfd_transfer_cancel(context, t);
    }
}

enum sfd_next sfd_transfer_timeout(struct sfd_context *context, struct sfd_transfer *t)
{
    if (t->state == SFD_STATE_PARKED) {
        sfd_counters_add(&context->counters, SFD_COUNTER_OPEN_TIMEOUTS, 1);
        sfd_status_fail(&t->status, SFD_WIRE_XFER_STAT, -ETIMEDOUT);
        return end(context, t);
    }
    return tell(context, t) ? SFD_NEXT_DEST : sfd_transfer_cancel(context, t);
}

/* ------------------------------------------------------------------ the disk pool's part */

/* Loads the next window: into the page cache, or into memory where the page cache keeps nothing. */
static void work_load(const struct sfd_context *context, struct sfd_transfer *t)
{
    const struct sfd_machine *machine = &context->machine;
    const uint64_t length = min_u64(t->window, t->end - t->offset);

    if (!t->bounce_only) {
        /* This window and the next one: while this one is sent, the disk works on. */
        const uint64_t ahead = min_u64(t->offset + 2 * length, t->end);
        sfd_residency_request(machine, t->file,
                              t->requested_end > t->offset ? t->requested_end : t->offset, ahead);
        t->requested_end = ahead;
        const int64_t n = sfd_residency_load(machine, t->file, t->offset, length);
        if (n < 0) {
            t->job_error = (int)n;
            return;
        }
        t->job_moved = (uint64_t)n;
        if (n == 0 || t->medium != SFD_MEDIUM_FUSE) return;
        if (sfd_residency_stays(machine, t->file, t->offset, (uint64_t)n)) return;
        t->bounce_only = true;
    }

    struct iovec iov = {.iov_len = (size_t)min_u64(length, BOUNCE_MAX)};
    t->job_moved = 0;
    iov.iov_base = malloc(iov.iov_len);
    if (iov.iov_base == NULL) {
        t->job_error = -ENOMEM;
        return;
    }
    const int64_t n = machine->sys->preadv2(t->file, &iov, 1, (int64_t)t->offset, 0);
    if (n <= 0) {
        free(iov.iov_base);
        t->job_error = (int)n;
        return;
    }
    t->bounce = iov.iov_base;
    t->bounce_length = (uint32_t)n;
    t->bounce_position = 0;
    t->job_moved = (uint64_t)n;
}

static void work_open(const struct sfd_context *context, struct sfd_transfer *t)
{
    struct sfd_opened file;
    int result = -EAGAIN;

    for (int i = 0; i < OPEN_TRIES && result == -EAGAIN; i++) {
        result = sfd_open_path(&context->machine, t->root, t->path, false, &file);
    }
    if (result == 0) {
        result = adopt(context, t, &file,
                       sfd_devices_learn(context->devices, &context->machine, file.fd, file.dev));
    }
    t->job_error = result;
}

static void work_copy(const struct sfd_context *context, struct sfd_transfer *t)
{
    struct sfd_move move = move_of(context, t);
    enum sfd_technique technique = (enum sfd_technique)t->copy_technique;

    move.buffer_size = COPY_BUFFER;
    move.buffer = malloc(move.buffer_size); /* the loop's own buffer is the loop's */
    if (move.buffer == NULL) {
        t->job_error = -ENOMEM;
        return;
    }
    const struct sfd_progress p =
        sfd_mover_copy(&move, &technique, t->offset, min_u64(COPY_BYTES, t->end - t->offset));
    free(move.buffer);
    t->copy_technique = (uint8_t)technique;
    t->job_moved = p.moved;
    t->job_error = p.step == SFD_STEP_BLOCKED ? -EAGAIN : p.error;
}

void sfd_transfer_work(const struct sfd_context *context, struct sfd_transfer *t)
{
    if (atomic_load_explicit(&t->cancelled, memory_order_relaxed))
        return; /* run obeys after the hand-back */
    switch (t->job) {
    case SFD_JOB_OPEN:
        work_open(context, t);
        break;
    case SFD_JOB_LOAD:
        work_load(context, t);
        break;
    default:
        work_copy(context, t);
        break;
    }
}
