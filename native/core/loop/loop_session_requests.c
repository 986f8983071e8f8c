/*
 * What the requests of a session ask for: from the ring to a completion. session.h says what a session is.
 *
 * A request is tried at once, as far as that waits for nothing and is small: its bytes are read from the page cache
 * into the carrier's memory, behind its head, and sent by one call. Then it costs two system calls. What is left of it
 * becomes a job, and that a request as those of this process are, with descriptors of its own.
 *
 * Where the time goes (Linux 6.18, perf; 4 KiB to a UNIX socket): by a handle four fifths are the kernel's, a third of
 * these copying; of the rest no function has more than 1.2 %. By a path without a cache they are openat2, statx,
 * preadv2, sendto and close for each request; the rest is as flat, and the dispatcher has 6 % of all.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "disk/open.h"
#include "loop/loop_private.h"
#include "protocol/wire.h"
#include "sys/errno_policy.h"
#include "transfer/observe.h"

/* The most requests of one session in a turn. */
#define TURN_ENTRIES 64

/* After so many requests of a turn the client is shown what is complete: it works on that while the loop goes on. */
#define SHOW_ENTRIES 8

/* The most bytes that are sent at once: above, sendfile(2) costs less than a copy. And that are read into a buffer. */
#define SEND_AT_ONCE ((uint64_t)16 * 1024)
#define READ_AT_ONCE ((uint64_t)256 * 1024)

/* A request that could not be served at once. */
struct sfd_session_job {
    struct sfd_session *session; /* a reference */
    struct sfd_session_job *previous;
    struct sfd_session_job *following;  /* of all */
    struct sfd_session_job *queue_next; /* among those that are asking, or due */
    struct sfd_session_job *linked;     /* begins when this one is complete */
    struct sfd_local_request *local;    /* a reference, once it is one; NULL: not yet */
    struct sfd_session_entry entry;
    uint64_t moved;  /* bytes before `local` began */
    int32_t root;    /* granted; -1: not decided, or it has no path */
    int32_t verdict; /* the errno with which the dispatcher has refused it; 0: none */
    bool hello;      /* no entry, whose operation could be any byte: the session is to be decided on */
    bool withdrawn;
    char data[]; /* path, NUL, head */
};

/* ------------------------------------------------------------------ completions */

void sfd_loop_session_complete(struct sfd_session *s, const struct sfd_session_completion *completion)
{
    s->promised--;
    if (s->stage == SFD_SESSION_STAGE_OPEN) sfd_session_ring_write(&s->ring, completion);
}

/* ------------------------------------------------------------------ jobs */

static void queue_job(struct sfd_session_job **first, struct sfd_session_job **last, struct sfd_session_job *job)
{
    job->queue_next = NULL;
    if (*first == NULL)
        *first = job;
    else
        (*last)->queue_next = job;
    *last = job;
}

static struct sfd_session_job *unqueue_job(struct sfd_session_job **first)
{
    struct sfd_session_job *job = *first;

    if (job != NULL) *first = job->queue_next;
    return job;
}

static struct sfd_session_job *new_job(struct sfd_session *s, const struct sfd_session_entry *entry, size_t data)
{
    struct sfd_session_job *job = malloc(sizeof(*job) + data);

    if (job == NULL) return NULL;
    *job = (struct sfd_session_job){.session = s, .following = s->jobs, .entry = *entry, .root = -1};
    if (s->jobs != NULL) s->jobs->previous = job;
    s->jobs = job;
    s->job_count++;
    s->references++;
    return job;
}

static const char *path_of(const struct sfd_session_job *job)
{
    return (job->entry.flags & SFD_SESSION_PATH) != 0 ? job->data : NULL;
}

static const char *head_of(const struct sfd_session_job *job)
{
    return job->data + (path_of(job) == NULL ? 0 : job->entry.path_length + 1u);
}

static void forget_job(struct sfd_loop *loop, struct sfd_session_job *job)
{
    struct sfd_session *s = job->session;

    if (job->local != NULL) sfd_local_release(job->local);
    if (job->previous != NULL)
        job->previous->following = job->following;
    else
        s->jobs = job->following;
    if (job->following != NULL) job->following->previous = job->previous;
    s->job_count--;
    free(job);
    sfd_loop_session_put(loop, s);
}

/* A job has ended: so do those that are linked to it, or the next one begins. */
static void end_job(struct sfd_loop *loop, struct sfd_session_job *job, struct sfd_session_completion *completion)
{
    struct sfd_session *s = job->session;
    struct sfd_session_job *next;

    completion->user_data = job->entry.user_data;
    completion->operation = job->entry.operation;
    sfd_loop_session_complete(s, completion);
    const bool failed = completion->error != 0;
    for (;; job = next) {
        next = job->linked;
        if (s->chain_last == job) {
            s->chain_last = NULL;
            s->chain_failed = failed;
        }
        forget_job(loop, job);
        if (next == NULL) return;
        if (!failed) {
            queue_job(&s->due, &s->due_last, next); /* whoever ends a job looks at these afterwards */
            return;
        }
        const struct sfd_session_completion cancelled = {
            .user_data = next->entry.user_data, .operation = next->entry.operation, .error = ECANCELED};
        sfd_loop_session_complete(s, &cancelled);
    }
}

static void fail_job(struct sfd_loop *loop, struct sfd_session_job *job, int error)
{
    struct sfd_session_completion completion = {.error = (uint32_t)-error, .moved = job->moved};

    end_job(loop, job, &completion);
}

void sfd_loop_session_cancel_all(struct sfd_session *s)
{
    for (struct sfd_session_job *job = s->jobs; job != NULL; job = job->following) {
        job->withdrawn = true;
        if (job->local != NULL) sfd_local_cancel(job->local);
    }
}

/* ------------------------------------------------------------------ at once */

/*
 * A request as it is worked on: of a ring, or a job. What its handles stand for is copied: a table can grow while a
 * call is held, by what another carrier completes.
 */
struct attempt {
    const struct sfd_session_entry *entry;
    const char *path;             /* NULL: it has none */
    int32_t root;                 /* granted, with a path */
    char *bytes;                  /* the carrier's memory, where its head is */
    uint32_t head;                /* bytes of it that are still to be sent */
    uint64_t offset;              /* of the file, of what is left */
    uint64_t length;              /* likewise; SFD_SESSION_TO_END: not known yet */
    uint64_t moved;               /* with the head */
    struct sfd_hot_source source; /* opened by its path; fd -1: not */
    struct sfd_hot_source from;   /* what is read: that, or what its handle stands for */
    struct sfd_session_completion completion;
};

/* Of those who may wait, some would do otherwise. */
static bool is_cold(int64_t result)
{
    return result == -EAGAIN || result == -EOPNOTSUPP || result == -EIO || result == -ENOMEM || result == -EMFILE ||
           result == -ENFILE;
}

/* 1: the source is there, and its range known; 0: only somebody who may wait can tell; -errno. */
static int find_source(struct sfd_loop *loop, struct sfd_session *s, struct attempt *a)
{
    uint64_t end = 0;
    bool known = true;

    if (a->path != NULL) {
        struct sfd_hot *hot = sfd_loop_hot(loop, a->root);
        const int result =
            hot == NULL ? -EAGAIN : sfd_hot_source_open_counted(hot, a->path, loop->context.counters, &a->source);
        if (result < 0) return is_cold(result) ? 0 : result;
        sfd_loop_sessions_kept(loop, hot);
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
static int send_now(struct sfd_loop *loop, struct attempt *a, const struct sfd_destination *destination)
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
static bool has_room(const struct attempt *a, size_t size)
{
    if (a->entry->target > size) return false;
    return a->length == SFD_SESSION_TO_END || a->length <= size - a->entry->target;
}

static int read_now(struct sfd_loop *loop, struct sfd_session *s, struct attempt *a, void *memory)
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

static int load_now(struct sfd_loop *loop, struct attempt *a)
{
    a->moved = 0;
    if (a->length > READ_AT_ONCE) return 0;
    return a->length == 0 || sfd_residency_probe(&loop->context.kernel, a->from.hot->medium, a->from.fd, a->offset,
                                                 a->length) == a->length;
}

/* What a completion of OPEN tells. */
static void tell_file(struct sfd_session_completion *completion, const struct sfd_hot_source *source)
{
    completion->mode = source->mode;
    completion->size = source->size;
    completion->mtime_ns = source->mtime_ns;
    completion->inode = source->inode;
    completion->device = source->dev;
}

static int open_now(struct sfd_loop *loop, struct sfd_session *s, struct attempt *a)
{
    const int result = sfd_loop_session_add_handle(loop, s, SFD_SESSION_FILE, &a->completion.handle);

    if (result < 0) return result;
    struct sfd_handle *thing = sfd_handles_find(&s->handles, a->completion.handle, SFD_SESSION_FILE);
    thing->file.source = a->source;
    thing->file.known = true;
    tell_file(&a->completion, &a->source);
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

/* 1: it is complete; 0: what is left is for somebody who may wait; -errno: it has failed. */
static int try_now(struct sfd_loop *loop, struct sfd_session *s, struct attempt *a)
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

/* ------------------------------------------------------------------ what is left of it */

static uint8_t command_of(const struct sfd_session_entry *entry)
{
    if (entry->operation == SFD_SESSION_OPEN) return SFD_WIRE_OPEN_FILE;
    return (entry->flags & SFD_SESSION_PATH) != 0 ? SFD_WIRE_SEND_FILE : SFD_WIRE_SEND_DESCRIPTOR;
}

static int duplicate(const struct sfd_sys *sys, int fd)
{
    return sys->fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

/* A description of our own of a buffer, at the place where the bytes go. */
static int buffer_at(const struct sfd_sys *sys, const struct sfd_handle *buffer, uint64_t position)
{
    int fd = sfd_fd_reopen(sys, buffer->buffer.fd, O_RDWR | O_CLOEXEC);

    if (fd < 0) return fd;
    const int64_t at = sys->lseek(fd, (int64_t)position, SEEK_SET);
    if (at >= 0) return fd;
    sfd_fd_close(sys, &fd);
    return (int)at;
}

/* Where the bytes go to, for the request that is made of a job: -1: nowhere; or -errno. Borrows nothing. */
static int destination_for(struct sfd_loop *loop, struct sfd_session *s, const struct attempt *a)
{
    const struct sfd_sys *sys = sfd_loop_sys(loop);
    const struct sfd_handle *to;

    switch (a->entry->operation) {
    case SFD_SESSION_SEND:
        to = sfd_handles_find(&s->handles, a->entry->destination, SFD_SESSION_DESTINATION);
        return to == NULL ? -EBADF : duplicate(sys, to->destination.fd);
    case SFD_SESSION_READ:
        to = sfd_handles_find(&s->handles, a->entry->destination, SFD_SESSION_BUFFER);
        return to == NULL ? -EBADF : buffer_at(sys, to, a->entry->target + a->moved);
    default:
        return duplicate(sys, loop->context.kernel.null_fd);
    }
}

/* The file, if it is open. */
static int source_for(struct sfd_loop *loop, struct sfd_session *s, const struct attempt *a)
{
    const struct sfd_handle *thing;

    if (a->source.fd >= 0) return duplicate(sfd_loop_sys(loop), a->source.fd);
    thing = sfd_handles_find(&s->handles, a->entry->file, SFD_SESSION_FILE);
    return thing == NULL ? -EBADF : duplicate(sfd_loop_sys(loop), thing->file.source.fd);
}

/* What is left of its head, and behind it the range, as segments. How many bytes. */
static size_t put_segments(char *out, const struct attempt *a)
{
    const struct sfd_segment head = {.bytes = a->bytes, .length = a->head};
    const struct sfd_segment file = {.offset = (off_t)a->offset,
                                     .length = a->length == SFD_SESSION_TO_END ? SFD_TO_END : (size_t)a->length};
    size_t size = sfd_wire_put_segment(out, &head);

    memcpy(out + size, a->bytes, a->head);
    size += a->head;
    return size + sfd_wire_put_segment(out + size, &file);
}

/* Makes a request of it, for which it waits from here on. 0 or -errno. */
static int go_on_elsewhere(struct sfd_loop *loop, struct sfd_session_job *job, const struct attempt *a)
{
    struct sfd_session *s = job->session;
    const struct sfd_sys *sys = sfd_loop_sys(loop);
    const bool opened = a->source.fd >= 0;
    char segments[SFD_SEGMENTS_ROOM];
    struct sfd_local_order order = {
        .ticket = (uint64_t)(uintptr_t)job,
        .command = opened ? SFD_WIRE_SEND_DESCRIPTOR : command_of(&job->entry),
        .dest = -1,
        .source = -1,
        .offset = (int64_t)a->offset,
        .length = a->length,
        .options = {.technique = job->entry.technique,
                    .flags = job->entry.options,
                    .idle_ms = job->entry.idle_ms,
                    .deadline_ms = job->entry.deadline_ms,
                    .rate = job->entry.operation == SFD_SESSION_SEND ? job->entry.target : 0},
    };
    int result = 0;

    if (order.command != SFD_WIRE_SEND_DESCRIPTOR) {
        order.root = loop->shared->roots[a->root];
        order.path = a->path;
        order.path_length = job->entry.path_length;
    } else {
        order.source = source_for(loop, s, a);
        if (order.source < 0) result = order.source;
    }
    if (result == 0 && order.command != SFD_WIRE_OPEN_FILE) {
        order.dest = destination_for(loop, s, a);
        if (order.dest < 0) result = order.dest;
    }
    if (result == 0 && a->head > 0) {
        order.segments = segments;
        order.segments_size = put_segments(segments, a);
        order.segment_count = 2;
        order.offset = 0;
        order.length = 0;
    }
    if (result == 0) result = sfd_local_check(&order);
    struct sfd_local_request *local = result == 0 ? sfd_local_new(&order) : NULL;
    if (local == NULL) {
        sfd_fd_close(sys, &order.dest); /* duplicates: these are not the last */
        sfd_fd_close(sys, &order.source);
        return result < 0 ? result : -ENOMEM;
    }
    local->task.loop = loop;
    local->channel.outbox = &loop->sessions.outbox;
    local->process = s->process;
    local->uid = s->uid;
    job->local = local;
    job->moved = a->moved;
    sfd_observe_before(&loop->context, order.command, a->completion.technique, a->moved);
    (void)sfd_local_channel_share(&local->channel); /* the loop's */
    sfd_loop_local_take(loop, &local->task);
    if (job->withdrawn) sfd_local_cancel(local); /* in one of these calls */
    return 0;
}

/* ------------------------------------------------------------------ one request */

/* Whether it begins something that goes on. */
static bool begins(const struct sfd_session_entry *e)
{
    return e->operation != SFD_SESSION_NOTHING && e->operation != SFD_SESSION_RELEASE &&
           e->operation != SFD_SESSION_WITHDRAW;
}

/* Of a request that has become no transfer: it was served at once, or refused with -errno. */
static void observe(struct sfd_loop *loop, const struct sfd_session *s, const struct sfd_session_entry *entry,
                    const char *path, const struct attempt *a, int error)
{
    if (!begins(entry)) return;
    const struct sfd_at_once what = {
        .command = entry->operation == SFD_SESSION_READ ? SFD_WIRE_READ_FILE : command_of(entry),
        .technique = a == NULL ? SFD_TECHNIQUE_AUTO : a->completion.technique,
        .process = s->process,
        .uid = s->uid,
        .bytes = a == NULL ? 0 : a->moved,
        .path = path,
        .path_length = path == NULL ? 0 : entry->path_length,
    };
    sfd_observe_at_once(&loop->context, &what, error);
}

static void close_source(struct attempt *a)
{
    if (a->source.fd >= 0) sfd_hot_source_close(&a->source);
}

static void begin_attempt(struct sfd_loop *loop, struct attempt *a, const struct sfd_session_entry *entry)
{
    *a = (struct attempt){
        .entry = entry,
        .root = -1,
        .bytes = loop->carrier->buffer,
        .head = entry->head_length,
        .offset = (uint64_t)entry->offset,
        .length = entry->length,
        .source = {.fd = -1},
    };
}

static void run_job(struct sfd_loop *loop, struct sfd_session_job *job)
{
    struct sfd_session *s = job->session;
    struct attempt a;

    if (job->hello) {
        int verdict = -job->verdict;
        forget_job(loop, job);
        if (verdict == 0 && s->stage == SFD_SESSION_STAGE_ASKING && sfd_loop_sessions_end(loop)) verdict = -ESHUTDOWN;
        if (s->stage == SFD_SESSION_STAGE_ASKING) sfd_loop_session_open(loop, s, verdict);
        if (s->stage == SFD_SESSION_STAGE_OPEN && verdict < 0) sfd_loop_session_end(loop, s); /* it is served no more */
        return;
    }
    if (job->withdrawn || job->verdict != 0 || loop->stopping) {
        if (!job->withdrawn && job->verdict != 0) observe(loop, s, &job->entry, path_of(job), NULL, -job->verdict);
        fail_job(loop, job, job->withdrawn ? -ECANCELED : job->verdict != 0 ? -job->verdict : -ESHUTDOWN);
        return;
    }
    if (path_of(job) != NULL && job->root < 0) { /* it was linked, and is to be decided now */
        s->asking++;
        queue_job(&loop->sessions.asking_first, &loop->sessions.asking_last, job);
        return;
    }
    begin_attempt(loop, &a, &job->entry);
    a.path = path_of(job);
    a.root = job->root;
    memcpy(a.bytes, head_of(job), a.head);
    int result = try_now(loop, s, &a);
    if (result == 0)
        result = go_on_elsewhere(loop, job, &a);
    else
        observe(loop, s, &job->entry, a.path, &a, result < 0 ? result : 0);
    const bool goes_on = job->local != NULL;
    close_source(&a); /* in these calls it may end */
    if (goes_on) return;
    a.completion.moved = a.moved;
    a.completion.error = result < 0 ? (uint32_t)-result : 0;
    end_job(loop, job, &a.completion);
}

/* ------------------------------------------------------------------ the ring */

/* 0, or the errno of an entry that is none. */
static int check_entry(const struct sfd_session_entry *e)
{
    const bool path = (e->flags & SFD_SESSION_PATH) != 0;
    const bool takes_path = e->operation == SFD_SESSION_OPEN || e->operation == SFD_SESSION_SEND ||
                            e->operation == SFD_SESSION_READ || e->operation == SFD_SESSION_LOAD;

    if (e->operation >= SFD_SESSION_OPERATIONS || (e->flags & ~SFD_SESSION_FLAGS_ALL) != 0 || e->reserved != 0)
        return -EINVAL;
    if (path && (!takes_path || e->path_length == 0)) return takes_path ? -ENOENT : -EINVAL;
    if (!path && (e->operation == SFD_SESSION_OPEN || e->path_length != 0)) return -EINVAL;
    if (e->path_length > SFD_WIRE_MAX_PATH) return -ENAMETOOLONG;
    if (e->head_length > 0 && e->operation != SFD_SESSION_SEND) return -EINVAL;
    if (e->path_length + 1u + e->head_length + 2 * SFD_WIRE_SEGMENT_SIZE > SFD_SEGMENTS_ROOM && e->head_length > 0)
        return -EMSGSIZE;
    if (e->technique >= SFD_TECHNIQUES || (e->options & ~SFD_OPTIONS_ALL) != 0) return -EINVAL;
    if (e->operation != SFD_SESSION_SEND &&
        (e->technique != 0 || e->options != 0 || e->idle_ms != 0 || e->deadline_ms != 0))
        return -EINVAL;
    return e->offset < 0 ? -ERANGE : 0;
}

static void refuse_entry(struct sfd_session *s, const struct sfd_session_entry *entry, int error)
{
    const struct sfd_session_completion completion = {
        .user_data = entry->user_data, .operation = entry->operation, .error = (uint32_t)-error};

    sfd_loop_session_complete(s, &completion);
}

/* A job of the next entry, with what that refers to; NULL with *error. */
static struct sfd_session_job *job_of_entry(struct sfd_session *s, const struct sfd_session_entry *e, int *error)
{
    const bool path = (e->flags & SFD_SESSION_PATH) != 0;
    struct sfd_session_job *job = new_job(s, e, e->path_length + 1u + e->head_length);

    *error = -ENOMEM;
    if (job == NULL) return NULL;
    *error = 0;
    if (!sfd_session_ring_copy(&s->ring, e->data, e->path_length, job->data)) {
        *error = -EFAULT;
        job->entry.path_length = 0;
    }
    if (path) {
        job->data[job->entry.path_length] = '\0';
        if (*error == 0 && memchr(job->data, '\0', e->path_length) != NULL) *error = -EINVAL;
    }
    if (*error == 0 && e->head_length > 0 &&
        !sfd_session_ring_copy(&s->ring, e->data + e->path_length, e->head_length,
                               job->data + (head_of(job) - job->data)))
        *error = -EFAULT;
    return job;
}

/* As a part of a chain: false if it has to wait for the one before, or has ended with it. */
static bool joins_chain(struct sfd_loop *loop, struct sfd_session *s, struct sfd_session_job *job)
{
    const bool goes_on = (job->entry.flags & SFD_SESSION_LINK) != 0;
    struct sfd_session_job *before = s->chained ? s->chain_last : NULL;
    const bool failed = s->chained && before == NULL && s->chain_failed;

    s->chained = goes_on;
    s->chain_last = goes_on ? job : NULL;
    s->chain_failed = failed;
    if (before != NULL) before->linked = job;
    if (failed) fail_job(loop, job, -ECANCELED);
    return before == NULL && !failed;
}

/* Whether an entry can be worked on without a job. */
static bool is_simple(const struct sfd_session *s, const struct sfd_session_entry *e)
{
    return e->flags == 0 && !s->chained;
}

/* Works on an entry that needs no job; one is made if something is left of it. */
static void run_entry(struct sfd_loop *loop, struct sfd_session *s, const struct sfd_session_entry *e)
{
    struct attempt a;

    begin_attempt(loop, &a, e);
    if (!sfd_session_ring_copy(&s->ring, e->data, e->head_length, a.bytes)) {
        sfd_session_ring_take(&s->ring);
        refuse_entry(s, e, -EFAULT);
        return;
    }
    sfd_session_ring_take(&s->ring);
    int result = try_now(loop, s, &a);
    if (result == 0) {
        struct sfd_session_job *job = new_job(s, e, 1);
        result = job == NULL                          ? -ENOMEM
                 : s->stage != SFD_SESSION_STAGE_OPEN ? -ECANCELED /* meanwhile */
                                                      : go_on_elsewhere(loop, job, &a);
        if (result == 0) return;
        if (job != NULL) forget_job(loop, job);
    } else {
        observe(loop, s, e, NULL, &a, result < 0 ? result : 0);
    }
    a.completion.user_data = e->user_data;
    a.completion.operation = e->operation;
    a.completion.error = result < 0 ? (uint32_t)-result : 0;
    a.completion.moved = a.moved;
    sfd_loop_session_complete(s, &a.completion);
}

/* Whether an entry need not wait until the dispatcher has seen paths, or jobs have ended. */
static bool may_be_taken(const struct sfd_session *s, const struct sfd_session_entry *e)
{
    if (s->asking >= SFD_SESSION_ASKING_MAX && (e->flags & SFD_SESSION_PATH) != 0) return false;
    return s->job_count < SFD_SESSION_JOBS_MAX || (!begins(e) && is_simple(s, e));
}

/* Takes the next entry. False: it has to wait. */
static bool take_entry(struct sfd_loop *loop, struct sfd_session *s)
{
    struct sfd_session_entry e;
    int error;

    sfd_session_ring_peek(&s->ring, &e);
    error = check_entry(&e);
    if (!may_be_taken(s, &e)) return false;
    if (error == 0 && begins(&e) && sfd_loop_sessions_end(loop)) error = -ESHUTDOWN;
    sfd_counters_add(loop->context.counters, SFD_COUNTER_REQUESTS, 1);
    s->promised++;
    if (error < 0 && !s->chained && (e.flags & SFD_SESSION_LINK) == 0) {
        sfd_session_ring_take(&s->ring);
        refuse_entry(s, &e, error);
        return true;
    }
    if (error == 0 && is_simple(s, &e)) {
        run_entry(loop, s, &e);
        return true;
    }
    if (error < 0) { /* of a chain, which it breaks */
        e.path_length = e.head_length = 0;
        e.flags &= SFD_SESSION_LINK;
    }
    int copied = 0;
    struct sfd_session_job *job = job_of_entry(s, &e, &copied);
    sfd_session_ring_take(&s->ring);
    if (job == NULL) {
        s->chained = s->chain_failed = (e.flags & SFD_SESSION_LINK) != 0;
        s->chain_last = NULL;
        refuse_entry(s, &e, copied);
        return true;
    }
    if (error == 0) error = copied;
    if (error < 0) job->verdict = -error;
    if (joins_chain(loop, s, job)) run_job(loop, job);
    return true;
}

/* Shows what was completed, and wakes the client if it sleeps. */
static void show(struct sfd_loop *loop, struct sfd_session *s)
{
    const unsigned char wake = SFD_SESSION_WAKE_UP;

    if (sfd_session_ring_publish(&s->ring))
        (void)sfd_loop_sys(loop)->send(s->connection, &wake, sizeof(wake), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Takes entries. 1: there may be more at once; 0: the client wakes the loop; -EPROTO. */
static int take_entries(struct sfd_loop *loop, struct sfd_session *s)
{
    const uint64_t before = loop->context.counters->at[SFD_COUNTER_BYTES];

    for (int i = 0; i < TURN_ENTRIES && s->stage == SFD_SESSION_STAGE_OPEN && !loop->stopping; i++) {
        const int64_t waiting = sfd_session_ring_waiting(&s->ring);
        const int64_t room = sfd_session_ring_room(&s->ring);
        if (waiting < 0 || room < 0) return -EPROTO;
        if (waiting == 0 || room <= (int64_t)s->promised) return 0;
        if (!take_entry(loop, s)) return 0; /* until the dispatcher has seen paths, or jobs have ended */
        if (loop->context.counters->at[SFD_COUNTER_BYTES] - before >= SFD_SESSION_TURN_BYTES) break;
        if (i % SHOW_ENTRIES == SHOW_ENTRIES - 1) show(loop, s);
    }
    return 1;
}

/* Whether something can be taken now. */
static bool has_work(const struct sfd_session *s)
{
    const int64_t waiting = sfd_session_ring_waiting(&s->ring);
    const int64_t room = sfd_session_ring_room(&s->ring);

    struct sfd_session_entry e;

    if (waiting < 0 || room < 0) return true;
    if (waiting == 0 || room <= (int64_t)s->promised) return false;
    sfd_session_ring_peek(&s->ring, &e);
    return may_be_taken(s, &e);
}

/* Those that can go on: a long chain is served in several turns. */
static void run_due(struct sfd_loop *loop, struct sfd_session *s)
{
    const uint64_t before = loop->context.counters->at[SFD_COUNTER_BYTES];

    for (int i = 0; s->due != NULL; i++) {
        const bool enough =
            i >= TURN_ENTRIES || loop->context.counters->at[SFD_COUNTER_BYTES] - before >= SFD_SESSION_TURN_BYTES;
        if (enough && s->stage == SFD_SESSION_STAGE_OPEN) return;
        run_job(loop, unqueue_job(&s->due));
    }
}

bool sfd_loop_session_run(struct sfd_loop *loop, struct sfd_session *s)
{
    run_due(loop, s);
    if (s->stage == SFD_SESSION_STAGE_NEW && sfd_loop_sessions_end(loop)) sfd_loop_session_open(loop, s, -ESHUTDOWN);
    if (s->stage != SFD_SESSION_STAGE_OPEN) return false;
    sfd_session_ring_wake(&s->ring);
    const int result = take_entries(loop, s);
    if (s->stage != SFD_SESSION_STAGE_OPEN) return false;
    if (result < 0) {
        sfd_loop_session_end(loop, s);
        return false;
    }
    const bool ends = sfd_loop_sessions_end(loop);
    if (ends) sfd_session_ring_end(&s->ring);
    show(loop, s);
    if (s->stage != SFD_SESSION_STAGE_OPEN) return false;
    if (ends && s->promised == 0 && s->jobs == NULL) { /* whatever waits: the client could go on for ever */
        sfd_loop_session_end(loop, s);
        return false;
    }
    if (result > 0 || s->due != NULL) return true;
    sfd_session_ring_sleep(&s->ring);
    return has_work(s);
}

/* ------------------------------------------------------------------ ends of local requests */

/*
 * A file that only somebody who may wait could open: it is parked in a transfer, from which it is taken. Gives 0 with
 * its handle, or -errno.
 */
static int take_parked(struct sfd_loop *loop, struct sfd_session_job *job, struct sfd_session_completion *completion)
{
    struct sfd_session *s = job->session;
    struct sfd_hot *hot = sfd_loop_hot(loop, job->root);
    struct sfd_transfer *t = sfd_transfer_table_find(&loop->transfers, job->local->id);
    const struct sfd_wire_file_details details = job->local->channel.due.details; /* before a call can be held */
    const int64_t mtime = job->local->channel.due.info.mtime;
    struct sfd_hot_source source = {.fd = -1};

    if (t == NULL || t->loop.out || t->loop.offloaded || t->source.fd < 0) return -EIO;
    int fd = duplicate(sfd_loop_sys(loop), t->source.fd);
    if (fd < 0) return fd;
    int result = hot == NULL ? -EAGAIN : sfd_hot_source_adopt(hot, fd, &source);
    if (result < 0) source = (struct sfd_hot_source){.fd = fd};
    result = -ECANCELED; /* it has ended in one of these calls */
    if (s->stage == SFD_SESSION_STAGE_OPEN)
        result = sfd_loop_session_add_handle(loop, s, SFD_SESSION_FILE, &completion->handle);
    if (result < 0) {
        sfd_fd_close(sfd_loop_sys(loop), &fd); /* the transfer has another one */
        return result;
    }
    source.size = details.size;
    source.inode = details.inode;
    source.dev = details.device;
    source.mode = details.mode;
    source.mtime_ns = sfd_hot_nanoseconds(mtime, details.mtime_ns);
    struct sfd_handle *thing = sfd_handles_find(&s->handles, completion->handle, SFD_SESSION_FILE);
    thing->file.source = source;
    thing->file.known = true;
    tell_file(completion, &source);
    return 0;
}

static void take_end(struct sfd_loop *loop, struct sfd_local_channel *channel)
{
    struct sfd_session_job *job = (struct sfd_session_job *)(uintptr_t)channel->ticket;
    struct sfd_session_completion completion = {.error = 0};
    struct sfd_status *due = &channel->due;

    if (due->terminal == SFD_TERMINAL_NONE && job->entry.operation == SFD_SESSION_OPEN && due->info_due &&
        !job->withdrawn) {
        due->info_due = false;
        channel->ticket = 0; /* what comes from here on is of the transfer, which nobody needs any more */
        job->withdrawn = true;
        completion.error = (uint32_t)-take_parked(loop, job, &completion);
        sfd_local_cancel(job->local);
        end_job(loop, job, &completion);
        return;
    }
    due->info_due = false;
    due->progress = 0;
    if (due->terminal == SFD_TERMINAL_NONE) return;
    const bool began = due->terminal == SFD_TERMINAL_COMPLETE || due->error_command != SFD_WIRE_FILE_INFO;
    completion.error = due->terminal == SFD_TERMINAL_COMPLETE ? 0 : due->error;
    completion.moved = job->moved + (began ? due->result.moved : 0);
    completion.technique = began ? due->result.technique : 0;
    if (job->entry.operation == SFD_SESSION_LOAD) completion.moved = 0;
    end_job(loop, job, &completion);
}

void sfd_loop_session_take_ends(struct sfd_loop *loop)
{
    struct sfd_local_channel *channel;

    while ((channel = sfd_outbox_take(&loop->sessions.outbox)) != NULL) {
        struct sfd_session_job *job = (struct sfd_session_job *)(uintptr_t)channel->ticket;
        struct sfd_session *s = job == NULL ? NULL : job->session;
        if (s != NULL) {
            s->references++;
            take_end(loop, channel);
            if (!s->busy && s->stage != SFD_SESSION_STAGE_NEW) sfd_loop_session_queue(loop, s); /* to show it */
            if (s->busy) s->again = true;
            sfd_loop_session_put(loop, s);
        }
        sfd_local_channel_put(channel);
    }
}

/* ------------------------------------------------------------------ the dispatcher */

int sfd_loop_session_ask_hello(struct sfd_loop *loop, struct sfd_session *s)
{
    const struct sfd_session_entry none = {.operation = SFD_SESSION_NOTHING};
    struct sfd_session_job *job = new_job(s, &none, 1);

    if (job == NULL) return -ENOMEM;
    job->hello = true;
    s->asking++;
    queue_job(&loop->sessions.asking_first, &loop->sessions.asking_last, job);
    return 0;
}

/* The request as a datagram would have it. */
static void put_request(const struct sfd_session_job *job, struct sfd_slot *slot)
{
    const struct sfd_options none = {.version = SFD_WIRE_VERSION_2};
    const size_t path_length = job->entry.path_length;

    if (job->hello) {
        slot->fault = SFD_SLOT_HELLO;
        return;
    }
    const size_t at =
        sfd_wire_put_extended_request(slot->bytes, SFD_WIRE_OPEN_FILE_EXT, 0, SFD_WIRE_TO_END, &none, path_length);
    memcpy(slot->bytes + at, job->data, path_length + 1);
    slot->length = (int32_t)(at + path_length + 1);
}

int sfd_loop_sessions_ask(struct sfd_loop *loop, struct sfd_slot *slots, int most)
{
    int n = 0;

    while (n < most && loop->sessions.asking_first != NULL) {
        struct sfd_session_job *job = unqueue_job(&loop->sessions.asking_first);
        const struct sfd_session *s = job->session;
        struct sfd_slot *slot = &slots[n++];
        memset(slot, 0, offsetof(struct sfd_slot, bytes));
        for (int i = 0; i < SFD_SLOT_FDS; i++)
            slot->fds[i] = -1;
        slot->pidfd = -1;
        slot->uid = s->uid;
        slot->gid = s->gid;
        slot->pid = s->pid;
        slot->process = s->process;
        slot->job = (uint64_t)(uintptr_t)job;
        put_request(job, slot);
    }
    return n;
}

void sfd_loop_sessions_decide(struct sfd_loop *loop, struct sfd_slot *slot, int verdict)
{
    struct sfd_session_job *job = (struct sfd_session_job *)(uintptr_t)slot->job;
    struct sfd_session *s = job->session;
    const bool granted = slot->root >= 0 && slot->root < SFD_ROOTS_MAX && loop->shared->roots[slot->root] != NULL;

    slot->job = 0;
    s->asking--;
    job->verdict = verdict;
    job->root = slot->root;
    if (verdict == 0 && !granted && !job->hello) job->verdict = EACCES;
    queue_job(&s->due, &s->due_last, job);
    if (s->busy)
        s->again = true;
    else
        sfd_loop_session_queue(loop, s);
}
