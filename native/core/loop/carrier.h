/*
 * Carriers: the threads that carry loops. A loop is not its thread; carrier.c says why, and how it changes threads.
 *
 * Role: gives each loop a thread, takes it away from one that sits in a kernel call, and brings the thread back
 * afterwards. Owns what a thread needs to carry a loop: turn buffer, memory for receipt, memory for read-write.
 * Thread: sfd_carrier_poll: the carrier's own; the rest says.
 */
#ifndef SFD_LOOP_CARRIER_H
#define SFD_LOOP_CARRIER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/client_account.h"
#include "loop/receive_batch.h"

struct sfd_loop;
struct sfd_shared;
struct sfd_transfer;
struct sfd_turn;

/*
 * Threads that clients may hold in calls at once, over all loops. Those that have held one before may have half of
 * them, and each client a few; so the other half is there for those that do it for the first time. Where several users
 * are served, all clients of one user may have half of either.
 */
#define SFD_HELD_MAX              128
#define SFD_HELD_SUSPECT_MAX      (SFD_HELD_MAX / 2)
#define SFD_HELD_CLIENT_MAX       4
#define SFD_HELD_USER_MAX         (SFD_HELD_MAX / 2)
#define SFD_HELD_USER_SUSPECT_MAX (SFD_HELD_SUSPECT_MAX / 2)

/* A spare carrier ends after it was not needed for this long, unless it is the only one. */
#define SFD_CARRIER_IDLE_MS 2000

struct sfd_carrier {
    /* What every call of a loop touches (guard.c). */
    _Atomic(uint64_t) word;    /* counts beginnings and ends of calls: odd while it is in one */
    atomic_bool claimed;       /* somebody takes the loop away, or has done so */
    bool suspect;              /* its client has held threads: it gives the loop away before each call */
    bool fences;               /* sfd_sys_barrier does not work */
    const struct sfd_sys *sys; /* borrowed: to which the guard passes calls on */

    struct sfd_shared *shared;
    struct sfd_turn *turn;
    int32_t next_request; /* of its turn: the slots before it are served */
    struct sfd_receive_batch *batch;
    char *buffer; /* of read-write, settings.buffer_size */
    int tid;      /* 0: it has not run yet */

    /* Its thread's: the loop that it carries, or has lost to come back to. NULL: it is spare. */
    struct sfd_loop *of;

    /* For whom it works now, on that loop. */
    struct sfd_transfer *transfer;          /* NULL: no transfer */
    const struct sfd_slot *slot;            /* NULL: no request */
    struct sfd_client_account *account_now; /* borrowed; NULL: neither of them, and no other descriptor of a client */

    /* Of the one that has the loop: carriers that have lost it in the middle of a turn. */
    struct sfd_carrier *left_next;
    bool left;

    /* Under the lock of struct sfd_carriers. */
    struct sfd_loop *loop;              /* that it carries; NULL: it is spare, or away */
    struct sfd_loop *away_from;         /* that it has lost, and gets back after its call; NULL: none */
    struct sfd_client_account *account; /* while it is away: whose call it is in; a reference of its own */
    uint64_t away_ns;                   /* when it lost the loop */
    uint64_t signalled_ms;
    bool long_held;                /* its call waits: the loop was taken away from it, or it has been away for long */
    struct sfd_carrier *next;      /* among the spare ones, or among those that want their loop back */
    struct sfd_carrier *all_next;  /* of struct sfd_carriers */
    struct sfd_carrier *away_next; /* of those that are away */
    pthread_cond_t given;          /* a loop, or nothing more to do */
};

struct sfd_carriers {
    pthread_mutex_t lock;
    struct sfd_carrier *all;
    struct sfd_carrier *spare; /* the last one first: it is the warmest */
    struct sfd_carrier *away;
    uint32_t count;
    uint32_t spares;
    uint32_t loops;       /* that have not ended */
    uint64_t alarm_until; /* ns: threads were held lately, so spare ones are kept ready, and the looks are short */
    uint32_t idle_ms;     /* SFD_CARRIER_IDLE_MS */
    atomic_uint held;     /* that are away */
    bool barrier;         /* sfd_sys_barrier works */
};

/* May be called by one thread, before the first carrier. Never fails. */
void sfd_carriers_init(struct sfd_carriers *carriers);

/* Frees all carriers. No thread may be in sfd_carrier_poll; the loops are gone. Idempotent after init. */
void sfd_carriers_deinit(struct sfd_carriers *carriers);

/* A new carrier without a loop, for one thread. In *out, and 0; or -ENOMEM. Any thread. */
int sfd_carrier_create(struct sfd_carrier **out, struct sfd_shared *shared);

/* Frees a carrier whose poll gave -ETIMEDOUT, or that was never polled. Any thread. */
void sfd_carrier_destroy(struct sfd_carrier *carrier);

/* Its turn buffer, which lives as long as the carrier. Any thread. */
struct sfd_turn *sfd_carrier_turn(struct sfd_carrier *carrier);

/*
 * One turn of the loop that it carries; without one it first waits until it is given a loop. 0, with events in its turn
 * buffer; -ESHUTDOWN when its loop has ended, or all have; -ETIMEDOUT when it is not needed any more; another -errno
 * when the loop cannot go on. Always on the same thread.
 */
int sfd_carrier_poll(struct sfd_carrier *carrier);

/* How many carriers should be created now, so that a spare one is ready. Any thread. */
uint32_t sfd_carriers_missing(struct sfd_shared *shared);

/* ---- for the loop (loop.c, loop_life.c, loop_act.c) */

/* Gives a new loop its first carrier. */
void sfd_carrier_begin(struct sfd_carrier *carrier, struct sfd_loop *loop);

/* The loop has ended: its carrier carries none any more. */
void sfd_carrier_end(struct sfd_carrier *carrier, struct sfd_loop *loop);

/*
 * At a point of the turn where the carrier's turn buffer is empty: if another carrier wants this loop back, gives it to
 * that one. True when it has.
 */
bool sfd_carrier_yield(struct sfd_carrier *carrier, struct sfd_loop *loop);

/* Whether a thread may be held for this client now. */
bool sfd_carrier_may_be_held(struct sfd_shared *shared, const struct sfd_client_account *account);

/* ---- for the guard (guard.c) */

/* The carrier's client is suspect: gives the loop to a spare carrier, if there is one, before a call. */
void sfd_carrier_step_aside(struct sfd_carrier *carrier);

/* After a call during which the carrier was claimed: waits until it has its loop back, if it has lost it. */
void sfd_carrier_come_back(struct sfd_carrier *carrier);

/* ---- for the watchdog */

/*
 * Takes the loop away from its carrier, if that is still in the call that `word` stands for, and if another carrier can
 * have it. True when it was taken.
 */
bool sfd_carrier_take(struct sfd_loop *loop, struct sfd_carrier *carrier, uint64_t word);

/* Whether a thread was held lately. */
bool sfd_carriers_alarmed(struct sfd_shared *shared);

/* Whether a carrier is away. */
bool sfd_carriers_are_away(const struct sfd_shared *shared);

/*
 * At each look: finds out which of the carriers that have stepped aside wait, and interrupts calls that have held their
 * thread for long, as far as a signal can.
 */
void sfd_carriers_look(struct sfd_shared *shared, uint64_t now_ms);

#endif
