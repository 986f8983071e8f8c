/*
 * Jobs of sessions: what of their requests goes on, from its beginning to its completion; and what of it the dispatcher
 * decides. session_job.h says what a job is.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "loop/loop_session.h"
#include "loop/session_job.h"

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

struct sfd_session_job *sfd_session_job_new(struct sfd_session *s, const struct sfd_session_entry *entry, size_t data)
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

struct sfd_session_job *sfd_session_job_next(struct sfd_session *s)
{
    return unqueue_job(&s->due);
}

void sfd_session_job_forget(struct sfd_loop *loop, struct sfd_session_job *job)
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

void sfd_session_job_end(struct sfd_loop *loop, struct sfd_session_job *job, struct sfd_session_completion *completion)
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
        sfd_session_job_forget(loop, job);
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

void sfd_session_job_fail(struct sfd_loop *loop, struct sfd_session_job *job, int error)
{
    struct sfd_session_completion completion = {.error = (uint32_t)-error, .moved = job->moved};

    sfd_session_job_end(loop, job, &completion);
}

void sfd_loop_session_cancel_all(struct sfd_session *s)
{
    for (struct sfd_session_job *job = s->jobs; job != NULL; job = job->following) {
        job->withdrawn = true;
        if (job->local != NULL) sfd_local_cancel(job->local);
    }
}

/* ------------------------------------------------------------------ the dispatcher */

void sfd_session_job_ask(struct sfd_loop *loop, struct sfd_session_job *job)
{
    job->session->asking++;
    queue_job(&loop->sessions.asking_first, &loop->sessions.asking_last, job);
}

int sfd_loop_session_ask_hello(struct sfd_loop *loop, struct sfd_session *s)
{
    const struct sfd_session_entry none = {.operation = SFD_SESSION_NOTHING};
    struct sfd_session_job *job = sfd_session_job_new(s, &none, 1);

    if (job == NULL) return -ENOMEM;
    job->hello = true;
    sfd_session_job_ask(loop, job);
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
