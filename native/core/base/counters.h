/*
 * Counters of one event loop: what it has done since it started.
 *
 * Role: 64-bit cells in one block, which Java reads through a direct buffer without a call.
 * Thread: written by the loop, the two gauges of client_account.h by any thread, read by any thread (relaxed: a reader
 * may see an old value).
 */
#ifndef SFD_BASE_COUNTERS_H
#define SFD_BASE_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

/* The order is part of the contract with io.sendfiled.counters.Counter; add at the end. */
enum sfd_counter {
    SFD_COUNTER_REQUESTS,                 /* datagrams received */
    SFD_COUNTER_REFUSED,                  /* requests that were answered with an error, or could not be answered */
    SFD_COUNTER_COMPLETED,                /* transfers that moved every byte */
    SFD_COUNTER_FAILED,                   /* transfers that ended with an error after they had begun */
    SFD_COUNTER_CANCELLED,                /* by request, or because the client is gone */
    SFD_COUNTER_BYTES,                    /* accepted by destinations */
    SFD_COUNTER_COLD_OPENS,               /* opens that went to the disk pool */
    SFD_COUNTER_COLD_WINDOWS,             /* windows that the disk pool loaded */
    SFD_COUNTER_BLOCKED,                  /* times that a transfer waited for its client */
    SFD_COUNTER_OPEN_TIMEOUTS,            /* opened files that were not sent in time */
    SFD_COUNTER_TRANSFERS,                /* in the table now */
    SFD_COUNTER_STUCK,                    /* times that one call held its thread for too long, watchdog.h */
    SFD_COUNTER_IDLE_TIMEOUTS,            /* transfers that ended because no byte moved for too long */
    SFD_COUNTER_DEADLINES,                /* transfers that ended because their time was over */
    SFD_COUNTER_DRAIN_TIMEOUTS,           /* final messages for which a status channel had no room in time */
    SFD_COUNTER_UNFIT_SELECTIONS,         /* selections that do not fit; the rules selected instead */
    SFD_COUNTER_REFUSED_TRANSFERS,        /* requests beyond max_transfers */
    SFD_COUNTER_REFUSED_CLIENT_TRANSFERS, /* requests beyond one client's limits, client_account.h */
    SFD_COUNTER_REFUSED_CLIENT_DESCRIPTORS,
    SFD_COUNTER_REFUSED_CLIENT_DISK_TASKS,
    SFD_COUNTER_DESCRIPTORS,            /* held for clients, or promised to their transfers, now */
    SFD_COUNTER_DISK_TASKS,             /* in the disk pool now */
    SFD_COUNTER_SHORTAGES,              /* waits because the system lacked memory, descriptors or the like */
    SFD_COUNTER_CROWDED,                /* requests whose descriptors were lost: no descriptor was free */
    SFD_COUNTER_REFUSED_USER_TRANSFERS, /* requests beyond one user's share, user_account.h */
    SFD_COUNTER_OPEN_FILE_HITS,         /* paths of sessions that the cache of open files had, hot/hot_cache.h */
    SFD_COUNTER_OPEN_FILE_EVICTIONS,    /* files that made room there for others */
    SFD_COUNTER_OPEN_FILE_STALE,        /* that a check found to be another file, changed or gone */
    SFD_COUNTER_SESSION_MOVES,          /* sessions that went to a loop with less to do */
    SFD_COUNTERS,
};

struct sfd_counters {
    _Atomic(uint64_t) at[SFD_COUNTERS];
};

/* One writer: a load and a store are enough, and cost less than a locked add. */
static inline void sfd_counter_add(_Atomic(uint64_t) *cell, uint64_t n)
{
    const uint64_t before = atomic_load_explicit(cell, memory_order_relaxed);
    atomic_store_explicit(cell, before + n, memory_order_relaxed);
}

static inline void sfd_counters_add(struct sfd_counters *counters, enum sfd_counter counter, uint64_t n)
{
    sfd_counter_add(&counters->at[counter], n);
}

#endif
