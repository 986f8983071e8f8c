/*
 * The requests of a session, from the ring to a completion. session.h says what a session is.
 *
 * A request is tried at once, as far as that waits for nothing and is small (loop_session_at_once.c). What is left of
 * it becomes a job (session_job.h), and that a transfer (loop_session_transfers.c).
 */
#include <errno.h>
#include <string.h>

#include "loop/loop_session.h"
#include "loop/session_job.h"
#include "transfer/observe.h"

/* The most requests of one session in a turn. */
#define TURN_ENTRIES 64

/* After so many requests of a turn the client is shown what is complete: it works on that while the loop goes on. */
#define SHOW_ENTRIES 8

/* ------------------------------------------------------------------ one request */

/* Whether it begins something that goes on. */
static bool begins(const struct sfd_session_entry *e)
{
    return e->operation != SFD_SESSION_NOTHING && e->operation != SFD_SESSION_RELEASE &&
           e->operation != SFD_SESSION_WITHDRAW;
}

/* Of a request that has become no transfer: it was served at once, or refused with -errno. */
static void observe(struct sfd_loop *loop, const struct sfd_session *s, const struct sfd_session_entry *entry,
                    const char *path, const struct sfd_session_attempt *a, int error)
{
    if (!begins(entry)) return;
    const struct sfd_at_once what = {
        .command = entry->operation == SFD_SESSION_READ ? SFD_WIRE_READ_FILE : sfd_session_command(entry),
        .technique = a == NULL ? SFD_TECHNIQUE_AUTO : a->completion.technique,
        .process = s->process,
        .uid = s->uid,
        .bytes = a == NULL ? 0 : a->moved,
        .path = path,
        .path_length = path == NULL ? 0 : entry->path_length,
    };
    sfd_observe_at_once(&loop->context, &what, error);
}

static void close_source(struct sfd_session_attempt *a)
{
    if (a->source.fd >= 0) sfd_hot_source_close(&a->source);
}

static void begin_attempt(struct sfd_loop *loop, struct sfd_session_attempt *a, const struct sfd_session_entry *entry)
{
    *a = (struct sfd_session_attempt){
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
    struct sfd_session_attempt a;

    if (job->hello) {
        int verdict = -job->verdict;
        sfd_session_job_forget(loop, job);
        if (verdict == 0 && s->stage == SFD_SESSION_STAGE_ASKING && sfd_loop_sessions_end(loop)) verdict = -ESHUTDOWN;
        if (s->stage == SFD_SESSION_STAGE_ASKING) sfd_loop_session_open(loop, s, verdict);
        if (s->stage == SFD_SESSION_STAGE_OPEN && verdict < 0) sfd_loop_session_end(loop, s); /* it is served no more */
        return;
    }
    if (job->withdrawn || job->verdict != 0 || loop->stopping) {
        if (!job->withdrawn && job->verdict != 0)
            observe(loop, s, &job->entry, sfd_session_job_path(job), NULL, -job->verdict);
        sfd_session_job_fail(loop, job, job->withdrawn ? -ECANCELED : job->verdict != 0 ? -job->verdict : -ESHUTDOWN);
        return;
    }
    if (sfd_session_job_path(job) != NULL && job->root < 0) { /* it was linked, and is to be decided now */
        sfd_session_job_ask(loop, job);
        return;
    }
    begin_attempt(loop, &a, &job->entry);
    a.path = sfd_session_job_path(job);
    a.root = job->root;
    memcpy(a.bytes, sfd_session_job_head(job), a.head);
    int result = sfd_loop_session_try(loop, s, &a);
    if (result == 0)
        result = sfd_loop_session_transfer(loop, job, &a);
    else
        observe(loop, s, &job->entry, a.path, &a, result < 0 ? result : 0);
    const bool goes_on = job->local != NULL;
    close_source(&a); /* in these calls it may end */
    if (goes_on) return;
    a.completion.moved = a.moved;
    a.completion.error = result < 0 ? (uint32_t)-result : 0;
    sfd_session_job_end(loop, job, &a.completion);
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
    struct sfd_session_job *job = sfd_session_job_new(s, e, e->path_length + 1u + e->head_length);

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
                               job->data + (sfd_session_job_head(job) - job->data)))
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
    if (failed) sfd_session_job_fail(loop, job, -ECANCELED);
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
    struct sfd_session_attempt a;

    begin_attempt(loop, &a, e);
    if (!sfd_session_ring_copy(&s->ring, e->data, e->head_length, a.bytes)) {
        sfd_session_ring_take(&s->ring);
        refuse_entry(s, e, -EFAULT);
        return;
    }
    sfd_session_ring_take(&s->ring);
    int result = sfd_loop_session_try(loop, s, &a);
    if (result == 0) {
        struct sfd_session_job *job = sfd_session_job_new(s, e, 1);
        result = job == NULL                          ? -ENOMEM
                 : s->stage != SFD_SESSION_STAGE_OPEN ? -ECANCELED /* meanwhile */
                                                      : sfd_loop_session_transfer(loop, job, &a);
        if (result == 0) return;
        if (job != NULL) sfd_session_job_forget(loop, job);
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
        run_job(loop, sfd_session_job_next(s));
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
