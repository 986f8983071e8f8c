/*
 * The intake: the sockets from which one engine receives requests, where there are several (base/lane.h).
 *
 * Role: gives the receiving loop one descriptor to watch, an epoll instance of all sources, and takes a few requests
 * from each that has some, in turn. A source that keeps a queue of waiting requests rests now and then, as follows.
 *
 * Why turns alone are not enough. A request of one user that comes while another one's are being served has to wait for
 * those, and if the other one always has some, it always waits. So whoever keeps a queue is served in bursts: after
 * SFD_INTAKE_BURST requests of which there were several at once, the source rests until the next millisecond, its
 * senders sleep in its queue, and the others find an idle daemon. That holds only while somebody else is served who
 * keeps no queue, and so waits for each answer; sources that all keep queues take turns at full speed. Requests that
 * are none (malformed, or of somebody who is not served) are no reason for anybody to wait: they count as several each,
 * also if they come one by one, and the source rests for longer.
 *
 * Thread: the receiving loop; when the turn to receive moves, two may be in here for a moment: all state is atomic.
 * Owns the epoll instance. Never: closes a source, or waits.
 */
#ifndef SFD_LOOP_INTAKE_H
#define SFD_LOOP_INTAKE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/lane.h"
#include "loop/receive_batch.h"
#include "loop/succession.h"

#define SFD_INTAKE_SOURCES_MAX (SFD_LANES_MAX + 1)

/* The requests of one source in one millisecond that it may have beside others. */
#define SFD_INTAKE_BURST 24

/* What a request counts that is none, and for how much longer its source rests. */
#define SFD_INTAKE_PENALTY    8
#define SFD_INTAKE_PENALTY_MS 20

/* For so long after it was served somebody counts as being there. */
#define SFD_INTAKE_PRESENT_MS 50

struct sfd_intake_source {
    int fd;                       /* borrowed */
    _Atomic(uint64_t) burst;      /* a millisecond, and in the lower 16 bits what counts of the requests taken in it */
    _Atomic(uint64_t) present_ms; /* when it had one request, and no queue */
    atomic_bool rests;            /* until the millisecond of `burst` is over, which then may be one to come */
};

struct sfd_intake {
    int epoll;                         /* owned; -1: none yet */
    uint32_t count;                    /* 0: there is one request socket only, which needs no intake */
    atomic_uint resting;               /* sources */
    pthread_mutex_t lock;              /* of rests: held for one epoll_ctl(2) */
    struct sfd_succession *succession; /* borrowed: says how many requests may be received; NULL: all */
    struct sfd_intake_source source[SFD_INTAKE_SOURCES_MAX];
};

/* Makes deinit legal. */
void sfd_intake_init(struct sfd_intake *intake);

/* Idempotent. */
void sfd_intake_deinit(struct sfd_intake *intake);

/* Adds a source, a non-blocking socket. Before the first receipt. 0 or -errno. */
int sfd_intake_add(struct sfd_intake *intake, const struct sfd_sys *sys, int fd);

/*
 * Receives what waits, at most `most` requests (SFD_INTAKE_LEAST..SFD_BATCH_MAX), into `slots`: as
 * sfd_receive_batch_fill. `now_ms` is exact, not that of a turn.
 */
#define SFD_INTAKE_LEAST (SFD_BATCH_MAX / 2)
int sfd_intake_receive(struct sfd_intake *intake, struct sfd_receive_batch *receiver, struct sfd_closer *closer,
                       struct sfd_slot *slots, int most, uint64_t now_ms);

/* A request of that source was refused because it is none. */
void sfd_intake_blame(struct sfd_intake *intake, const struct sfd_sys *sys, uint64_t source, uint64_t now_ms);

/* Whether some source rests: sfd_intake_resume is due in a millisecond. */
static inline bool sfd_intake_rests(const struct sfd_intake *intake)
{
    return atomic_load_explicit(&intake->resting, memory_order_relaxed) > 0;
}

/* Ends the rest of the sources whose millisecond is over; of all at UINT64_MAX. */
void sfd_intake_resume(struct sfd_intake *intake, const struct sfd_sys *sys, uint64_t now_ms);

#endif
