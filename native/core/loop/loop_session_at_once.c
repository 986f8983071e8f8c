/*
 * What of a session's requests is served at once: what is in the page cache and small, with no transfer.
 *
 * Its bytes are read into the carrier's memory, behind its head, and sent by one call. Then it costs two system calls.
 *
 * Where the time goes (Linux 6.18, perf; 4 KiB to a UNIX socket): by a handle four fifths are the kernel's, a third of
 * these copying; of the rest no function has more than 1.2 %. By a path without a cache they are openat2, statx,
 * preadv2, sendto and close for each request; the rest is as flat, and the dispatcher has 6 % of all.
 */
#include <errno.h>
#include <string.h>

#include "disk/open.h"
#include "loop/loop_session.h"
#include "loop/session_job.h"
#include "sys/errno_policy.h"

/* The most bytes that are sent at once: above, sendfile(2) costs less than a copy. And that are read into a buffer. */
#define SEND_AT_ONCE ((uint64_t)16 * 1024)
#define READ_AT_ONCE ((uint64_t)256 * 1024)

/* Of those who may wait, some would do otherwise. */
static bool is_cold(int64_t result)
{
    return result == -EAGAIN || result == -EOPNOTSUPP || result == -EIO || result == -ENOMEM || result == -EMFILE ||
           result == -ENFILE;
}

/* A file of a root may be kept open for the next request by its path: it is closed in time, if there is none. */
static void note_kept(struct sfd_loop *loop, const struct sfd_hot *hot)
{
    struct sfd_timer *timer = &loop->sessions.close_unused;

    if (timer->position != 0) return; /* all roots have the same times */
    const uint64_t in_ns = sfd_hot_cache_sweep_in(&hot->cache);
    if (in_ns > 0) sfd_timer_arm(&loop->context.timers, timer, sfd_loop_sys(loop)->now_ms() + in_ns / 1000000 + 1);
}

void sfd_loop_sessions_close_unused(struct sfd_loop *loop)
{
    for (int32_t i = 0; i < SFD_ROOTS_MAX; i++) {
        struct sfd_hot *hot = sfd_loop_hot(loop, i);
        if (hot == NULL || sfd_hot_cache_sweep_in(&hot->cache) == 0) continue;
        sfd_hot_cache_sweep(&hot->cache, sfd_loop_sys(loop)->now_ns());
        note_kept(loop, hot);
    }
}

/* 1: the source is there, and its range known; 0: only somebody who may wait can tell; -errno. */
static int find_source(struct sfd_loop *loop, struct sfd_session *s, struct sfd_session_attempt *a)
{
    uint64_t end = 0;
    bool known = true;

    if (a->path != NULL) {
        struct sfd_hot *hot = sfd_loop_hot(loop, a->root);
        const int result =
            hot == NULL ? -EAGAIN : sfd_hot_source_open_counted(hot, a->path, loop->context.counters, &a->source);
        if (result < 0) return is_cold(result) ? 0 : result;
        note_kept(loop, hot);
        a->from = a->source;
    } else {
        const struct sfd_handle *thing = sfd_handles_find(&s->handles, a->entry->file, SFD_SESSION_FILE);
        if (thing == NULL) return -EBADF;
        a->from = thing->file.source;
        known = thing->file.known;
    }
    if (!known) return 0;
    if (a->entry->operation == SFD_SESSION_OPEN) return 1;
    const int result = sfd_open_range(a->from.size, (int64_t)a->offset, a->length, &end);
    if (result < 0) return result;
    a->length = end - a->offset;
    return a->from.hot != NULL;
}

static int read_flags(const struct sfd_hot_source *source)
{
    return source->hot->medium == SFD_MEDIUM_MEMORY ? 0 : RWF_NOWAIT;
}

/* Of a destination: it may go on later. */
static bool is_later(int error)
{
    const enum sfd_remedy remedy = sfd_errno_policy(SFD_PLACE_MOVE, error);

    return remedy == SFD_REMEDY_READY || remedy == SFD_REMEDY_DEFER;
}

/* 1: all is sent; 0: the rest is for somebody who may wait; -errno. */
static int send_now(struct sfd_loop *loop, struct sfd_session_attempt *a, const struct sfd_destination *destination)
{
    const enum sfd_fd_kind kind = destination->kind;
    const uint64_t all = a->head + a->length;
    const int fd = destination->fd;
    const bool streams = kind == SFD_FD_TCP || kind == SFD_FD_UNIX_STREAM || kind == SFD_FD_PIPE;
    const uint8_t technique = a->entry->technique;
    struct iovec iov = {.iov_base = a->bytes + a->head, .iov_len = (size_t)a->length};

    if (!streams || all > SEND_AT_ONCE || all > loop->context.settings->buffer_size) return 0;
    if (technique != SFD_TECHNIQUE_AUTO && technique != SFD_TECHNIQUE_READ_WRITE) return 0;
    if ((a->entry->options & ~SFD_OPTION_MORE) != 0 || a->entry->target != 0) return 0;
    if (a->length > 0 && sfd_loop_sys(loop)->preadv2(a->from.fd, &iov, 1, (int64_t)a->offset, read_flags(&a->from)) !=
                             (int64_t)a->length)
        return 0;
    iov = (struct iovec){.iov_base = a->bytes, .iov_len = (size_t)all};
    const int64_t n = all == 0 ? 0
                               : sfd_destination_write(&loop->context.kernel, fd, kind, &iov, 1,
                                                       (a->entry->options & SFD_OPTION_MORE) != 0);
    if (n < 0) return is_later((int)n) ? 0 : (int)n;
    a->moved = (uint64_t)n;
    a->completion.technique = SFD_TECHNIQUE_READ_WRITE;
    const uint32_t head_sent = n < a->head ? (uint32_t)n : a->head;
    memmove(a->bytes, a->bytes + head_sent, a->head - head_sent);
    a->head -= head_sent;
    a->offset += (uint64_t)n - head_sent;
    a->length -= (uint64_t)n - head_sent;
    return (uint64_t)n == all;
}

/* Whether a range, as far as it is known, fits into a buffer: what is read elsewhere could make its file longer. */
static bool has_room(const struct sfd_session_attempt *a, size_t size)
{
    if (a->entry->target > size) return false;
    return a->length == SFD_SESSION_TO_END || a->length <= size - a->entry->target;
}

static int read_now(struct sfd_loop *loop, struct sfd_session *s, struct sfd_session_attempt *a, void *memory)
{
    if (a->length > READ_AT_ONCE || !sfd_loop_session_is_whole(loop, s, a->entry->destination)) return 0;
    const struct iovec iov = {.iov_base = (char *)memory + a->entry->target, .iov_len = (size_t)a->length};
    const int64_t n =
        a->length == 0 ? 0 : sfd_loop_sys(loop)->preadv2(a->from.fd, &iov, 1, (int64_t)a->offset, read_flags(&a->from));
    if (n <= 0) return a->length == 0;
    a->moved = (uint64_t)n;
    a->completion.technique = SFD_TECHNIQUE_READ_WRITE;
    a->offset += (uint64_t)n;
    a->length -= (uint64_t)n;
    return a->length == 0;
}

static int load_now(struct sfd_loop *loop, struct sfd_session_attempt *a)
{
    a->moved = 0;
    if (a->length > READ_AT_ONCE) return 0;
    return a->length == 0 || sfd_residency_probe(&loop->context.kernel, a->from.hot->medium, a->from.fd, a->offset,
                                                 a->length) == a->length;
}

void sfd_session_tell_file(struct sfd_session_completion *completion, const struct sfd_hot_source *source)
{
    completion->mode = source->mode;
    completion->size = source->size;
    completion->mtime_ns = source->mtime_ns;
    completion->inode = source->inode;
    completion->device = source->dev;
}

static int open_now(struct sfd_loop *loop, struct sfd_session *s, struct sfd_session_attempt *a)
{
    const int result = sfd_loop_session_add_handle(loop, s, SFD_SESSION_FILE, &a->completion.handle);

    if (result < 0) return result;
    struct sfd_handle *thing = sfd_handles_find(&s->handles, a->completion.handle, SFD_SESSION_FILE);
    thing->file.source = a->source;
    thing->file.known = true;
    sfd_session_tell_file(&a->completion, &a->source);
    a->source = (struct sfd_hot_source){.fd = -1};
    return 1;
}

static struct sfd_session_job *find_job(const struct sfd_session *s, uint64_t user_data)
{
    struct sfd_session_job *job = s->jobs;

    while (job != NULL &&
           (job->entry.user_data != user_data || job->hello || job->entry.operation == SFD_SESSION_WITHDRAW))
        job = job->following;
    return job;
}

static int withdraw(const struct sfd_session *s, uint64_t user_data)
{
    struct sfd_session_job *job = find_job(s, user_data);

    if (job == NULL) return -ENOENT;
    job->withdrawn = true;
    if (job->local != NULL) sfd_local_cancel(job->local);
    return 1;
}

static int release(struct sfd_loop *loop, struct sfd_session *s, uint32_t handle)
{
    struct sfd_handle *thing = sfd_handles_find(&s->handles, handle, SFD_SESSION_FREE);

    if (thing == NULL) return -EBADF;
    sfd_loop_session_release(loop, s, thing);
    return 1;
}

int sfd_loop_session_try(struct sfd_loop *loop, struct sfd_session *s, struct sfd_session_attempt *a)
{
    const uint8_t operation = a->entry->operation;
    const enum sfd_session_kind kind = operation == SFD_SESSION_SEND   ? SFD_SESSION_DESTINATION
                                       : operation == SFD_SESSION_READ ? SFD_SESSION_BUFFER
                                                                       : SFD_SESSION_FREE;
    const uint32_t destination = a->entry->destination;
    const bool has_destination = kind != SFD_SESSION_FREE;

    if (operation == SFD_SESSION_NOTHING) return 1;
    if (operation == SFD_SESSION_RELEASE) return release(loop, s, a->entry->file);
    if (operation == SFD_SESSION_WITHDRAW) return withdraw(s, a->entry->target);
    if (has_destination && sfd_handles_find(&s->handles, destination, kind) == NULL) return -EBADF;
    const int found = find_source(loop, s, a);
    const struct sfd_handle *thing = has_destination ? sfd_handles_find(&s->handles, destination, kind) : NULL;
    if (has_destination && thing == NULL) return -EBADF;
    if (found >= 0 && operation == SFD_SESSION_READ && !has_room(a, thing->buffer.size)) return -ERANGE;
    if (found <= 0) return found;
    if (operation == SFD_SESSION_OPEN) return open_now(loop, s, a);
    if (operation == SFD_SESSION_READ) return read_now(loop, s, a, thing->buffer.memory);
    if (operation == SFD_SESSION_LOAD) return load_now(loop, a);
    const struct sfd_destination to = thing->destination;
    return send_now(loop, a, &to);
}
