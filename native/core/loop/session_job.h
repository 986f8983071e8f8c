/*
 * Requests of sessions as their loop works on them; for loop_session_*.c only.
 *
 * Role: an attempt is what a request is while it is tried, and a job what is left of one that could not be complete at
 * once: it waits for the dispatcher, for the request that it is linked to, or for a transfer. Thread: the session's
 * loop. A job is owned by its session.
 */
#ifndef SFD_LOOP_SESSION_JOB_H
#define SFD_LOOP_SESSION_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "hot.h"
#include "loop/local_request.h"
#include "loop/session.h"
#include "protocol/wire.h"

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

/*
 * A request as it is worked on: of a ring, or a job. What its handles stand for is copied: a table can grow while a
 * call is held, by what another carrier completes.
 */
struct sfd_session_attempt {
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

static inline const char *sfd_session_job_path(const struct sfd_session_job *job)
{
    return (job->entry.flags & SFD_SESSION_PATH) != 0 ? job->data : NULL;
}

static inline const char *sfd_session_job_head(const struct sfd_session_job *job)
{
    return job->data + (sfd_session_job_path(job) == NULL ? 0 : job->entry.path_length + 1u);
}

/* What its transfer is asked for. */
static inline uint8_t sfd_session_command(const struct sfd_session_entry *entry)
{
    if (entry->operation == SFD_SESSION_OPEN) return SFD_WIRE_OPEN_FILE;
    return (entry->flags & SFD_SESSION_PATH) != 0 ? SFD_WIRE_SEND_FILE : SFD_WIRE_SEND_DESCRIPTOR;
}

/* ---- loop_session_jobs.c ---- */

/* A job of this entry, with so many bytes for its path, a NUL and its head; NULL without memory. */
struct sfd_session_job *sfd_session_job_new(struct sfd_session *session, const struct sfd_session_entry *entry,
                                            size_t data);

/* It waits for the dispatcher. */
void sfd_session_job_ask(struct sfd_loop *loop, struct sfd_session_job *job);

/* The first that is due; NULL: none is. */
struct sfd_session_job *sfd_session_job_next(struct sfd_session *session);

/* It has ended: so do those that are linked to it, or the next one is due. */
void sfd_session_job_end(struct sfd_loop *loop, struct sfd_session_job *job, struct sfd_session_completion *completion);
void sfd_session_job_fail(struct sfd_loop *loop, struct sfd_session_job *job, int error);

/* The same without a completion. */
void sfd_session_job_forget(struct sfd_loop *loop, struct sfd_session_job *job);

/* ---- loop_session_at_once.c ---- */

/* Tries a request: 1: it is complete; 0: what is left is for somebody who may wait; -errno: it has failed. */
int sfd_loop_session_try(struct sfd_loop *loop, struct sfd_session *session, struct sfd_session_attempt *attempt);

/* What a completion of OPEN tells. */
void sfd_session_tell_file(struct sfd_session_completion *completion, const struct sfd_hot_source *source);

/* ---- loop_session_transfers.c ---- */

/* Makes a transfer of what is left, for which the job waits from here on. 0 or -errno. */
int sfd_loop_session_transfer(struct sfd_loop *loop, struct sfd_session_job *job,
                              const struct sfd_session_attempt *attempt);

#endif
