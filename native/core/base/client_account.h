/*
 * What a client has of the daemon, and how much of it one client may have: transfers, descriptors, disk tasks.
 *
 * Role: a client is a process: its id and its user, as the kernel tells them. All loops count what they do for it in
 * one account. A limit is asked when a request comes, before anything is opened; what was promised to an accepted one
 * is never refused later. What arrives without being asked for (surplus descriptors whose close can block) is counted
 * all the same: it keeps its sender from getting more.
 * Thread: any; nothing of a single count is locked. Owns the accounts; one lives as long as somebody refers to it.
 *
 * Where an account is NULL it is nobody's: nothing is counted, nothing is limited.
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
    atomic_uint descriptors; /* held, or promised to a transfer */
    atomic_uint disk_tasks;
    atomic_uint waiting; /* disk tasks that are not in the pool yet, because of the limit */
};

struct sfd_client_accounts {
    pthread_mutex_t lock; /* of the buckets: held for some instructions, when a client comes or goes */
    struct sfd_limits limits;
    struct sfd_client_account *buckets[SFD_CLIENT_ACCOUNT_BUCKETS];
};

void sfd_client_accounts_init(struct sfd_client_accounts *accounts, const struct sfd_limits *limits);

/* All accounts must have been put. Idempotent after init. */
void sfd_client_accounts_deinit(struct sfd_client_accounts *accounts);

/* Gives a reference to the account of a process, which is made if need be; NULL without memory. */
struct sfd_client_account *sfd_client_accounts_get(struct sfd_client_accounts *accounts, int32_t pid, uint32_t uid);

/* One more reference to an account that the caller has one to, given back. */
struct sfd_client_account *sfd_client_account_share(struct sfd_client_account *account);

/* Lets go of a reference. */
void sfd_client_account_put(struct sfd_client_account *account);

/*
 * `counters`, in all of these: where the refusal and the gauges are counted; NULL: nowhere. The gauges of all loops
 * together are true.
 */

/* A transfer begins, with this many descriptors promised to it: both or none. 0, or -EDQUOT. */
int sfd_client_account_begin(struct sfd_client_account *account, uint32_t descriptors, struct sfd_counters *counters);

/* A transfer is over, and so are the descriptors that it still has. */
void sfd_client_account_end(struct sfd_client_account *account, uint32_t descriptors, struct sfd_counters *counters);

/* Descriptors that nobody was asked for are held; never refused. */
void sfd_client_account_hold(struct sfd_client_account *account, uint32_t descriptors, struct sfd_counters *counters);

/* Descriptors are closed, or needed no longer. */
void sfd_client_account_release(struct sfd_client_account *account, uint32_t descriptors,
                                struct sfd_counters *counters);

/*
 * Whether a job for the disk pool has room now: 0, or -EDQUOT. Takes nothing: who begins it may have to wait all the
 * same.
 */
int sfd_client_account_ask_task(struct sfd_client_account *account, struct sfd_counters *counters);

/* A job for the disk pool: false at the limit. */
bool sfd_client_account_begin_task(struct sfd_client_account *account, struct sfd_counters *counters);
void sfd_client_account_end_task(struct sfd_client_account *account, struct sfd_counters *counters);

#endif
