/*
 * The watchdog over threads that are held in one call.
 *
 * Role: looks at every loop each 5 ms, and each millisecond while threads are held, and takes a loop away from a thread
 * that sits in a call (carrier.c). Sleeps without limit when no loop has worked for some looks; the first loop that
 * works again wakes it. Thread: the service thread; sfd_watchdog_working, _waiting: the carriers of loops;
 * sfd_watchdog_wake: any; sfd_watchdog_probe: one other. Owns the eventfd that it sleeps on. Never: touches members of
 * a loop other than those for the watchdog.
 */
#ifndef SFD_LOOP_WATCHDOG_H
#define SFD_LOOP_WATCHDOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct sfd_loop;
struct sfd_shared;

struct sfd_watchdog {
    int eventfd;           /* wakes it */
    atomic_bool asleep;    /* a loop that works has to wake it */
    uint32_t quiet_looks;  /* in a row */
    atomic_uint looks;     /* how many it has begun */
    uint32_t probed_looks; /* of sfd_watchdog_probe: as it found them last */
};

/* 0 or -errno. */
int sfd_watchdog_init(struct sfd_watchdog *watchdog);

/* Idempotent after init. */
void sfd_watchdog_deinit(struct sfd_watchdog *watchdog);

/*
 * One look at all loops. A thread that is in the same call as at the last look loses its loop to a spare one; after 250
 * ms a signal interrupts its call, if a signal can. If there is no spare thread, at least another loop receives. To be
 * called by one thread, never a loop's. Gives the milliseconds until the next look; -1: no limit, the next loop that
 * works calls sfd_watchdog_wake. Never -1 while something else is `pending`.
 */
int sfd_watchdog_look(struct sfd_shared *shared, bool pending);

/* Waits between two looks, on the same thread. */
void sfd_watchdog_wait(struct sfd_watchdog *watchdog, int timeout_ms);

/* Ends a wait, or the next one. Any thread. */
void sfd_watchdog_wake(struct sfd_watchdog *watchdog);

/*
 * Whether every loop has begun a turn, and the watchdog itself a look, since the last call; all of them are woken for
 * the next one. False while a loop is held that no spare thread could take, however long the watchdog has known. One
 * thread at a time, neither a loop's nor the watchdog's; some seconds should lie between two calls.
 */
bool sfd_watchdog_probe(struct sfd_shared *shared);

/* The loop works on a turn, or waits in epoll: one that works and begins no new turn is stuck. That loop's thread.
 */
void sfd_watchdog_working(struct sfd_loop *loop);
void sfd_watchdog_waiting(struct sfd_loop *loop);

#endif
