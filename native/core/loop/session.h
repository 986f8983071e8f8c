/*
 * Sessions: clients that are served through memory which they share with a loop; <sendfiled/session.h> says how.
 *
 * Role: of one loop, the connections, what was registered over them, and the requests of their rings. A request on
 * handles, of what is in the page cache and small, is served at once, with no transfer: read from the cache, sent by
 * one call. All else becomes a request as those of this process are (local_request.h), with the account of the client,
 * and its end a completion. What names a path is first decided by the dispatcher, in a slot of the turn buffer.
 *
 *     connect --> NEW: waits for Hello --> ASKING: the dispatcher decides --> OPEN --> OVER: what was in flight ends
 *
 * A session belongs to one loop at a time: first to the one that had the fewest. The first loop accepts. While it is
 * idle, it may move to another one that has less to do (loop_session_move.c). No request is taken for whose completion
 * the ring might have no room; so a client that does not reap, or is stopped, is not looked at any more until it wakes
 * the loop.
 *
 * Thread: the loop's. Like a transfer, a session is worked on by one carrier at a time: while one is held in a call for
 * it, its heir leaves it alone (`busy`), but for completions of requests that were in flight.
 */
#ifndef SFD_LOOP_SESSION_H
#define SFD_LOOP_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/task.h"
#include "base/timer.h"
#include "loop/handles.h"
#include "loop/local_request.h"
#include "protocol/session_ring.h"

struct sfd_client;
struct sfd_client_account;
struct sfd_loop;
struct sfd_slot;

/* The most sessions of an engine. */
#define SFD_SESSIONS_MAX 4096

/* Of one session, paths that the dispatcher has not seen yet, and jobs. What is beyond them stays in the ring. */
#define SFD_SESSION_ASKING_MAX 64
#define SFD_SESSION_JOBS_MAX   1024

/* The most bytes that sessions move in a turn: of one, and after which those that are left have theirs in the next. */
#define SFD_SESSION_TURN_BYTES ((uint64_t)1024 * 1024)

enum sfd_session_stage {
    SFD_SESSION_STAGE_NEW,
    SFD_SESSION_STAGE_ASKING,
    SFD_SESSION_STAGE_OPEN,
    SFD_SESSION_STAGE_OVER,
};

struct sfd_session_job;

struct sfd_session {
    struct sfd_task task; /* first: SFD_TASK_SESSION, on its way to its loop */
    uint32_t index;       /* in the table of its loop */
    uint32_t born;        /* loop.waits when it came: events of that batch are not its own */
    uint32_t turns;       /* in which it was served */
    uint32_t references;  /* the table has one, each of its jobs, and a ring that it is in */
    uint8_t stage;        /* enum sfd_session_stage */
    bool busy;            /* a carrier works on it */
    bool again;           /* it has something to do, and was busy */
    bool queued;          /* in the ring of those that have something to do */
    bool readable;        /* the connection may have a message */
    struct sfd_session *next;

    uint64_t silent_ms; /* by when a Hello has to come */

    /* Who it is: as at connect(2). */
    uint64_t process;
    uint32_t uid;
    uint32_t gid;
    int32_t pid;
    struct sfd_client_account *account; /* a reference of its own */
    struct sfd_client *client;          /* of its loop, entered; NULL: on its way to it */

    /* Owned; -1: closed. */
    int connection;
    int pidfd;   /* on its way: of its process, unless that is found by its pid */
    int eventfd; /* the client's, which is never read */
    int memory_fd;

    void *memory; /* mapped; NULL: not yet, or not any more */
    size_t bytes;
    struct sfd_session_sizes sizes; /* of the Hello */
    struct sfd_session_ring ring;
    struct sfd_handles handles;

    uint32_t promised; /* completions that are still to be written */
    uint32_t job_count;
    uint32_t asking; /* of its jobs, those whose path the dispatcher is to see */

    struct sfd_session_job *jobs; /* all of them */
    struct sfd_session_job *due;  /* those that can go on: decided, or linked to one that is complete */
    struct sfd_session_job *due_last;

    /* The last request that was taken has a link. */
    bool chained;
    bool chain_failed;                  /* it was not complete */
    struct sfd_session_job *chain_last; /* it is in flight; NULL: it has ended */

    /* loop_session_move.c */
    uint32_t settings_version; /* on its way: by which it was served last */
    uint64_t measured_ns;      /* since when; 0: not yet */
    uint64_t worked_ns;        /* how long it was served since then */
    uint64_t loop_ns;          /* what its loop had then of these */
    uint64_t sessions_ns;
};

/* What a memory file of a client's is. */
struct sfd_session_memory {
    uint64_t size;
    bool whole; /* all of its pages are there: they were charged to whoever made them, and not to this process */
};

struct sfd_sessions {
    struct sfd_session **at; /* by index; NULL: free */
    uint32_t capacity;
    uint32_t count;
    struct sfd_session *last;      /* of a ring: those that have something to do */
    uint32_t queued;               /* in that ring */
    struct sfd_session *held_last; /* these wait until they may hold a thread */
    struct sfd_session_job *asking_first;
    struct sfd_session_job *asking_last;
    struct sfd_outbox outbox;  /* ends of their local requests */
    uint32_t settings_version; /* of the loop's, by which those that are open were served */
    bool told;                 /* each ends when it is idle */
    bool listening;            /* the listening socket is in the epoll of this loop */
    struct sfd_timer accept_again;
    struct sfd_timer look_for_silent; /* that have not said Hello */
    struct sfd_timer close_unused;    /* files that are kept open for requests by path */
};

#endif
