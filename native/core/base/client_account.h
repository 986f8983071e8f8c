/*
 * Client accounts: how many transfers, descriptors and disk tasks each client has, and how many it may have.
 *
 * Role: a client is a process, identified by what the kernel attaches to its requests: a number for the process, and
 * the uid. All loops count what they do for a client in one account. A limit is checked when a request arrives, before
 * anything is opened; an accepted request never loses what it was promised. Descriptors that arrive unasked (surplus
 * ones whose close can block) are counted too, so that their sender gets no more. The memory that is filled for it is
 * counted here as well; memory/memory_budget.c does that.
 *
 * A client that is alone may have all transfers of the daemon. As soon as another one has a transfer, it gets no new
 * ones beyond its share. What it has beyond its share stays with it, and is not in the way of the others: it does not
 * count in the daemon's own limit. All clients of one user together are limited in the same way (user_account.h).
 *
 * Thread: any; the counts are atomic and need no lock. Owns the accounts, which are reference-counted.
 *
 * An account also remembers whether its client has held threads in kernel calls lately (loop/carrier.h).
 *
 * A NULL account stands for no client: no client is charged and nothing is limited.
 */
#ifndef SFD_BASE_CLIENT_ACCOUNT_H
#define SFD_BASE_CLIENT_ACCOUNT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/counters.h"
#include "base/user_account.h"

#define SFD_CLIENT_ACCOUNT_BUCKETS 1024 /* an embedder may have an owner for each connection */

/* So many accounts of clients that have held a thread are remembered although these clients have no transfers. */
#define SFD_CLIENTS_REMEMBERED 256

/* A client that has held a thread is trusted again after so many calls in a row that came back at once. */
#define SFD_CLIENT_PROBATION 64

/* The requests of a user that may wait for a thread: those of so many clients. */
#define SFD_USER_HELD_CLIENTS 4

/*
 * The number of a process: its pid, if that is visible from the daemon's pid namespace; else the inode number of its
 * pidfd, which no other process ever has, with this bit. 0: unknown, which stands for many processes and owns nothing.
 */
#define SFD_PROCESS_INODE ((uint64_t)1 << 63)

/* The pid in a process's number; 0: it has none here. */
static inline int32_t sfd_process_pid(uint64_t process)
{
    return (process & SFD_PROCESS_INODE) != 0 ? 0 : (int32_t)process;
}

/* The same in 32 bits, where a clash is no harm: for fair turns. 0 for what is unknown alone. */
static inline int32_t sfd_process_short(uint64_t process)
{
    return (process & SFD_PROCESS_INODE) != 0 ? INT32_MIN | (int32_t)(process & INT32_MAX) : (int32_t)process;
}

/* Of each client; 0: no limit. */
struct sfd_limits {
    uint32_t transfers;
    uint32_t descriptors;
    uint32_t disk_tasks; /* jobs of transfers, in the disk pool's queues or on its threads */
};

struct sfd_client_account {
    struct sfd_client_accounts *owner;
    struct sfd_client_account *next; /* in its bucket */
    struct sfd_user_account *user;   /* what it has counts there as well */
    uint64_t process;
    uint32_t uid;
    atomic_uint references; /* falls to 0 under the lock only */
    atomic_uint transfers;
    atomic_uint beyond;      /* of these, as many as were beyond its share when they began, and have not ended */
    atomic_uint descriptors; /* held for it, or promised to its transfers */
    atomic_uint disk_tasks;
    _Atomic(uint64_t) memory;  /* bytes that are being filled for it */
    atomic_uint waiting;       /* disk tasks that the limit keeps out of the disk pool */
    atomic_uint probation;     /* calls for it that are still made off the loop; 0: it is trusted */
    atomic_uint held;          /* threads that sit in calls for it */
    atomic_uint held_requests; /* that wait until it may hold a thread */
    bool remembered;           /* under the lock: has a reference of its owner's */
};

struct sfd_client_accounts {
    pthread_mutex_t lock; /* of the buckets: held for a few instructions, when an account is looked up or freed */
    /*
     * The limits, of which each may change at any time, as those that follow: a request that old and new ones allow is
     * allowed while they do. What was counted as beyond a share is remembered as a number, and not found by comparing
     * with a share that was another one before.
     */
    struct sfd_limits limits; /* once there are threads, by the functions __atomic of the compiler only */
    atomic_uint all;          /* transfers of all clients; 0: there is no limit, and so are no shares */
    atomic_uint share;        /* of them, for one that is not alone; 0: all have limits.transfers */
    struct sfd_user_accounts users;
    atomic_uint active; /* accounts with transfers */
    atomic_uint beyond; /* transfers that clients have beyond their share, or their users */
    struct sfd_client_account *buckets[SFD_CLIENT_ACCOUNT_BUCKETS];
    struct sfd_client_account *remembered[SFD_CLIENTS_REMEMBERED]; /* a ring */
    uint32_t next_remembered;
    atomic_bool suspicious; /* some account has been remembered */
};

void sfd_client_accounts_init(struct sfd_client_accounts *accounts, const struct sfd_limits *limits);

/*
 * Divides the `transfers` of the daemon: a client may have three quarters of them, and all of them while it is alone. A
 * limit of transfers for each client that is lower takes the place of both. For all clients of a user together there is
 * no other limit than that of shares.
 */
void sfd_client_accounts_divide(struct sfd_client_accounts *accounts, uint32_t transfers);

/* Other limits from here on, and the transfers divided anew. What is there already stays, and counts. Any thread. */
void sfd_client_accounts_limit(struct sfd_client_accounts *accounts, const struct sfd_limits *limits,
                               uint32_t transfers);

/*
 * Users are served that do not trust each other: what cannot be doubled (memory, descriptors, threads) is reserved, so
 * that a user gets no more than its share, also while it is alone. Before the first account.
 */
void sfd_client_accounts_reserve(struct sfd_client_accounts *accounts);

/* Forgets what it remembers. All accounts must have been put. Idempotent after init. */
void sfd_client_accounts_deinit(struct sfd_client_accounts *accounts);

/* Gives a reference to the account of a process; makes the account if there is none. NULL without memory. */
struct sfd_client_account *sfd_client_accounts_get(struct sfd_client_accounts *accounts, uint64_t process,
                                                   uint32_t uid);

/* One more reference to an account that the caller has one to, given back. */
struct sfd_client_account *sfd_client_account_share(struct sfd_client_account *account);

/* Releases a reference. */
void sfd_client_account_put(struct sfd_client_account *account);

/* A call for this client has held its thread: puts it on probation, and remembers it. */
void sfd_client_account_suspect(struct sfd_client_account *account);

/* A call for a client on probation has come back at once. */
void sfd_client_account_behaved(struct sfd_client_account *account);

/* A thread begins, or ends, to sit in a call for this client. */
void sfd_client_account_hold_thread(struct sfd_client_account *account);
void sfd_client_account_release_thread(struct sfd_client_account *account);

/* Counts a request that waits for a thread: false at the limit `most` of each client. */
bool sfd_client_account_hold_request(struct sfd_client_account *account, unsigned most);
void sfd_client_account_release_request(struct sfd_client_account *account);

/* A session of this client begins: false at the share of its user of all of them, `most`; or it ends. */
bool sfd_client_account_begin_session(struct sfd_client_account *account, unsigned most);
void sfd_client_account_end_session(struct sfd_client_account *account);

/* Whether calls for this client may hold their thread, as far as is known. */
static inline bool sfd_client_account_is_suspect(const struct sfd_client_account *account)
{
    return account != NULL && atomic_load_explicit(&account->probation, memory_order_relaxed) > 0;
}

/*
 * `counters`, in all of these functions: where refusals and gauges are counted; NULL: nowhere. Only the sum of a gauge
 * over all loops is meaningful: one loop may add what another one subtracts.
 */

/*
 * A transfer begins, with this many descriptors promised to it: both or none. 0; -EDQUOT; or -EMFILE for a client that
 * is alone and has all transfers of the daemon.
 */
int sfd_client_account_begin(struct sfd_client_account *account, uint32_t descriptors, struct sfd_counters *counters);

/* A transfer is over; releases the descriptors that it still has. */
void sfd_client_account_end(struct sfd_client_account *account, uint32_t descriptors, struct sfd_counters *counters);

/* Counts descriptors that were promised to no transfer. Never refuses. */
void sfd_client_account_hold(struct sfd_client_account *account, uint32_t descriptors, struct sfd_counters *counters);

/* Descriptors were closed, or will not be needed. */
void sfd_client_account_release(struct sfd_client_account *account, uint32_t descriptors,
                                struct sfd_counters *counters);

/* Whether it has as many descriptors as one client may have, or its user as many as one user may. */
bool sfd_client_account_is_full(const struct sfd_client_account *account);

/*
 * Whether the client may have one more disk task now: 0, or -EDQUOT. Reserves nothing: sfd_client_account_begin_task
 * may return false all the same.
 */
int sfd_client_account_ask_task(struct sfd_client_account *account, struct sfd_counters *counters);

/* Begins a disk task: false at the limit. */
bool sfd_client_account_begin_task(struct sfd_client_account *account, struct sfd_counters *counters);
void sfd_client_account_end_task(struct sfd_client_account *account, struct sfd_counters *counters);

#endif
