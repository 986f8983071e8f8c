/*
 * Client accounts: how many transfers, descriptors and disk tasks each client has, and how many it may have.
 *
 * Role: a client is a process, identified by the pid and the uid that the kernel attaches to its requests. All loops
 * count what they do for a client in one account. A limit is checked when a request arrives, before anything is opened;
 * an accepted request never loses what it was promised. Descriptors that arrive unasked (surplus ones whose close can
 * block) are counted too, so that their sender gets no more.
 * Thread: any; the counts are atomic and need no lock. Owns the accounts, which are reference-counted.
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

#define SFD_CLIENT_ACCOUNT_BUCKETS 64

/* Of each client; 0: no limit. */
struct sfd_limits {
    uint32_t transfers;
    uint32_t descriptors;
    uint32_t disk_tasks; /* jobs of transfers, in the disk pool's queues or on its threads */
};

struct sfd_client_account {
    struct sfd_client_accounts *owner;
    struct sfd_client_account *next; /* in its bucket */
    int32_t pid;
    uint32_t uid;
    atomic_uint references; /* falls to 0 under the lock only */
    atomic_uint transfers;
    atomic_uint descriptors; /* held for it, or promised to its transfers */
    atomic_uint disk_tasks;
    atomic_uint waiting; /* disk tasks that the limit keeps out of the disk pool */
};

struct sfd_client_accounts {
    pthread_mutex_t lock; /* of the buckets: held for a few instructions, when an account is looked up or freed */
    struct sfd_limits limits;
    struct sfd_client_account *buckets[SFD_CLIENT_ACCOUNT_BUCKETS];
};

void sfd_client_accounts_init(struct sfd_client_accounts *accounts, const struct sfd_limits *limits);

/* All accounts must have been put. Idempotent after init. */
void sfd_client_accounts_deinit(struct sfd_client_accounts *accounts);

/* Gives a reference to the account of a process; makes the account if there is none. NULL without memory. */
struct sfd_client_account *sfd_client_accounts_get(struct sfd_client_accounts *accounts, int32_t pid, uint32_t uid);

/* One more reference to an account that the caller has one to, given back. */
struct sfd_client_account *sfd_client_account_share(struct sfd_client_account *account);

/* Releases a reference. */
void sfd_client_account_put(struct sfd_client_account *account);

/*
 * `counters`, in all of these functions: where refusals and gauges are counted; NULL: nowhere. Only the sum of a gauge
 * over all loops is meaningful: one loop may add what another one subtracts.
 */

/* A transfer begins, with this many descriptors promised to it: both or none. 0, or -EDQUOT. */
int sfd_client_account_begin(struct sfd_client_account *account, uint32_t descriptors, struct sfd_counters *counters);

/* A transfer is over; releases the descriptors that it still has. */
void sfd_client_account_end(struct sfd_client_account *account, uint32_t descriptors, struct sfd_counters *counters);

/* Counts descriptors that were promised to no transfer. Never refuses. */
void sfd_client_account_hold(struct sfd_client_account *account, uint32_t descriptors, struct sfd_counters *counters);

/* Descriptors were closed, or will not be needed. */
void sfd_client_account_release(struct sfd_client_account *account, uint32_t descriptors,
                                struct sfd_counters *counters);

/*
 * Whether the client may have one more disk task now: 0, or -EDQUOT. Reserves nothing: sfd_client_account_begin_task
 * may return false all the same.
 */
int sfd_client_account_ask_task(struct sfd_client_account *account, struct sfd_counters *counters);

/* Begins a disk task: false at the limit. */
bool sfd_client_account_begin_task(struct sfd_client_account *account, struct sfd_counters *counters);
void sfd_client_account_end_task(struct sfd_client_account *account, struct sfd_counters *counters);

#endif
