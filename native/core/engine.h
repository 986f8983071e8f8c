/*
 * One engine: the request socket, the roots and the loops of one instance.
 *
 * Role: starts and stops in order; the loops do the work. Thread: the one that starts the engine; may wait for the
 * disk. Owns the endpoint, the roots and the loops.
 */
#ifndef SFD_CORE_ENGINE_H
#define SFD_CORE_ENGINE_H

#include <pthread.h>

#include "loop/loop.h"
#include "process/endpoint.h"
#include "process/handover.h"
#include "process/lanes.h"
#include "process/session_socket.h"

struct sfd_engine {
    struct sfd_shared shared;
    struct sfd_endpoint endpoint;
    struct sfd_lanes lanes;
    int lanes_error; /* sfd_engine_lanes_error */
    struct sfd_session_socket sessions;
    int sessions_error;            /* sfd_engine_sessions_error */
    bool tells_clients;            /* sfd_engine_tells_clients */
    pthread_mutex_t endpoint_lock; /* start and stop beside sfd_engine_look */
    pthread_mutex_t roots_lock;    /* of the list */
    struct sfd_root *added_roots;  /* sfd_engine_add_root; a reference to each */
    int chores_fd;                 /* an eventfd: something of the chores is due */
};

/*
 * Binds `dir`/sendfiled.NAME.socket, opens `root` (with settings.follow_root each request opens it anew, as that path
 * leads then) and makes the loops; clients may send from here on, and are served as soon as the loops are polled. The
 * engine in *out, and 0; or -errno, among them -EADDRINUSE (an instance of that name is running), -ENOENT and -ENOTDIR
 * (the root). If `passed_fd` is not -1, it is the socket, as sfd_endpoint_adopt says: it is taken, and keeps its name.
 *
 * Without `dir` (NULL) there is no request socket, for an engine of this process's own requests alone
 * (loop/local_request.h): `name`, `access` and `users` are ignored. `root` may be NULL as well: requests that come by a
 * socket have none then.
 */
int sfd_engine_create(struct sfd_engine **out, const struct sfd_settings *settings, const char *dir, const char *name,
                      const char *root, const struct sfd_endpoint_access *access, const struct sfd_lane_users *users,
                      int passed_fd);

/*
 * The same with what another process of this instance leaves (process/handover.h), whose descriptors are taken, also
 * after a failure. Nothing is received before sfd_engine_resume, and nothing of the other process's is removed before
 * sfd_engine_claim, whatever happens. -ESTALE: it has not the lock of that name.
 */
int sfd_engine_create_successor(struct sfd_engine **out, const struct sfd_settings *settings, const char *dir,
                                const char *name, const char *root, const struct sfd_endpoint_access *access,
                                const struct sfd_lane_users *users, const struct sfd_handover *handover);

/*
 * What this engine would leave to the next process. Its descriptors are borrowed: they live until the engine is
 * destroyed, or its endpoint closed.
 */
void sfd_engine_describe(struct sfd_engine *engine, struct sfd_handover *out);

/*
 * No loop receives from the request sockets any more, as soon as sfd_engine_paused says so; what was received is
 * served. What waits in the sockets stays there, also if the engine is stopped. Any thread.
 */
void sfd_engine_pause(struct sfd_engine *engine);
bool sfd_engine_paused(struct sfd_engine *engine);

/*
 * Ends a pause that sfd_engine_paused has confirmed. -1: the loops receive from the sockets of the instance; else from
 * `fd` alone, a bound or connected datagram socket that is borrowed until the next pause: for a trial.
 */
void sfd_engine_resume(struct sfd_engine *engine, int fd);

/*
 * The other process has let go of its names and its lock; or this one does, for its successor. The latter stays paused,
 * and ends when sfd_engine_idle.
 */
void sfd_engine_claim(struct sfd_engine *engine);
void sfd_engine_release(struct sfd_engine *engine);

/* Of a paused engine: no transfer is left, and nothing that was received waits. Any thread. */
bool sfd_engine_idle(struct sfd_engine *engine);

/*
 * The successor, who is reached by `successor_fd` (borrowed, until the engine is destroyed), has left a request in that
 * socket, which is for a transfer of this process. One at a time, in a pause. Any thread but a loop's.
 */
void sfd_engine_take(struct sfd_engine *engine, int successor_fd, uint32_t source);

/* A predecessor has taken what was left to it; or it has ended, or does not answer, and is asked no more. Any thread.
 */
void sfd_engine_taken(struct sfd_engine *engine);
void sfd_engine_forget_predecessor(struct sfd_engine *engine, uint32_t index);

/* Whether a predecessor is being waited for, and nothing is received until it has taken what was left to it. */
bool sfd_engine_delegates(struct sfd_engine *engine);

/*
 * From here on other settings hold: for the limits of clients at once, for each loop from its next turn on, all
 * together. What was accepted is not ended because a limit is lower now; limits of time hold for transfers under way
 * from their next wait on. -EINVAL if a member differs that no reload changes (settings.h). Any thread.
 */
int sfd_engine_reload(struct sfd_engine *engine, const struct sfd_settings *settings);

/*
 * One more root, for requests of this process; any number. In *out, and 0; or -errno: -ENOENT, -ENOTDIR, -ENOMEM, ...
 * It lives until it is removed, or the engine is destroyed. With `follow` each request resolves the path anew. Waits
 * for the disk. Any thread.
 */
int sfd_engine_add_root(struct sfd_engine *engine, const char *path, bool follow, struct sfd_root **out);

/*
 * Closes a root when no request needs it any more: those that were submitted go on. No thread may submit one with it
 * now or later. Any thread.
 */
void sfd_engine_remove_root(struct sfd_engine *engine, struct sfd_root *root);

/*
 * Whether each client is known as one process. False where clients may be in other pid namespaces, whose pids are not
 * visible here, and the kernel has no other name for them (pidfds with inode numbers of their own, Linux 6.9). These
 * clients then share one account, and may not open files to send them later.
 */
bool sfd_engine_tells_clients(const struct sfd_engine *engine);

/*
 * 0, or the -errno for which some of the users have no lane, and so share the queue of the request socket with all
 * others: as sfd_lanes_open, or -EADDRINUSE: the request socket is a service manager's, and outlives this process.
 */
int sfd_engine_lanes_error(const struct sfd_engine *engine);

/* 0, or the -errno for which no sessions can begin: session_socket.h. */
int sfd_engine_sessions_error(const struct sfd_engine *engine);

/*
 * 0, or the -errno for which the counters of an engine with a request socket are in no file: -EOPNOTSUPP, neither the
 * directory of the socket nor /dev/shm is in memory; -EPERM, its place there is somebody else's; -ENOSPC; ...
 */
int sfd_engine_counters_error(const struct sfd_engine *engine);

/* The loop of that index, below settings.loops. */
struct sfd_loop *sfd_engine_loop(struct sfd_engine *engine, uint32_t index);

/* A new carrier, for a thread that is to be ready when another one loses its loop. 0 or -ENOMEM. */
int sfd_engine_add_carrier(struct sfd_engine *engine, struct sfd_carrier **out);

/*
 * The watchdog: one look at the loops, then the wait until the next look is due, without limit while no loop works and
 * nothing else is `pending`. To be called repeatedly, by one thread that is no loop's. Gives how many carriers, each
 * with a thread, are to be added (sfd_engine_missing_carriers); then it has not waited, unless `pending`.
 */
uint32_t sfd_engine_run_watchdog(struct sfd_engine *engine, bool pending);

/* Ends a wait of sfd_engine_run_watchdog, or the next one. Any thread. */
void sfd_engine_wake_watchdog(struct sfd_engine *engine);

/*
 * Whether every loop, and the watchdog, has done something since the last call, for which they are woken: see
 * sfd_watchdog_probe. One thread at a time, between the start of the threads and the stop of the loops.
 */
bool sfd_engine_probe(struct sfd_engine *engine);

/*
 * From here on requests for new transfers are refused with -ESHUTDOWN, and no client can connect. Accepted transfers go
 * on, and can be cancelled; files that are opened, and not being sent, end with -ESHUTDOWN. Not on a loop's thread,
 * Idempotent.
 */
void sfd_engine_drain(struct sfd_engine *engine);

/* The errno with which requests cannot be received, at every try for a second or more; 0: none. Any thread. */
int sfd_engine_receive_error(struct sfd_engine *engine);

/*
 * The chores: what has to be done now and then, and may wait although no disk is involved: starting threads, and a look
 * at the request socket. Waits until sfd_engine_chores_wake was called, the socket has changed, or the time is over
 * (-1: no limit). To be called repeatedly, by one thread that is neither a loop's nor the watchdog's.
 */
void sfd_engine_chores_wait(struct sfd_engine *engine, int timeout_ms);

/* Any thread. Never waits. */
void sfd_engine_chores_wake(struct sfd_engine *engine);

/* How many carriers, each with a thread, are to be added now. */
uint32_t sfd_engine_missing_carriers(struct sfd_engine *engine);

/* Gives the request socket its name back, if that was removed: as sfd_endpoint_look. */
int sfd_engine_look(struct sfd_engine *engine);

/*
 * After sfd_engine_drain: whether no transfer is left, and every request that was received has been answered. Any
 * thread.
 */
bool sfd_engine_drained(struct sfd_engine *engine);

/*
 * Ends a transfer, whoever its client is, who is told ECANCELED where the protocol has room for that. `id` is that of
 * its row in the counters (sfd_observe_id). 0: its loop will do so; -ESRCH: there is none; -ENOMEM. Any thread.
 */
int sfd_engine_cancel(struct sfd_engine *engine, uint64_t id);

/* Whether there is such a transfer, which has not ended. Any thread. */
bool sfd_engine_has(struct sfd_engine *engine, uint64_t id);

/* How many transfers there are, including those that wait for room for their final message. Any thread. */
uint32_t sfd_engine_transfers(struct sfd_engine *engine);

/* Takes no more requests: removes the socket. The loops go on until they are stopped. Idempotent. */
void sfd_engine_close_endpoint(struct sfd_engine *engine);

/* Frees all. No thread may be in poll or work any more. NULL is allowed. */
void sfd_engine_destroy(struct sfd_engine *engine);

#endif
