/*
 * User accounts: what the processes of one uid have together, and how much of it they may have.
 *
 * Why. A client is a process, and a user may have as many processes as it likes: limits of each process alone would
 * give most to the one that forks most. So each account of a client (client_account.h) has the account of its user
 * above it, as a cgroup has its parent, and what is counted there is counted here too, within a limit of its own.
 *
 * What of it counts here. A client that was alone may have more transfers than its share; what is beyond it is in
 * nobody's way, and so counts neither here nor in the daemon's limit. The same rule holds one level up: what a user has
 * beyond its share does not count in the daemon's limit. So a user that had everything leaves a quarter to the next one
 * that comes, and gets no more before it is back within three quarters.
 *
 * What cannot be left to others in this way, because it cannot be doubled (memory, descriptors, threads), is reserved:
 * where several users are served, none gets more than its share of it, also while it is alone.
 *
 * Thread: any; the counts are atomic. Users are found under the lock of the clients' accounts. Owned by the clients'
 * accounts, which count themselves in `clients`.
 */
#ifndef SFD_BASE_USER_ACCOUNT_H
#define SFD_BASE_USER_ACCOUNT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define SFD_USER_ACCOUNT_BUCKETS 16

/* The descriptors that a transfer may have: status channel, file and destination. */
#define SFD_TRANSFER_DESCRIPTORS 3

/* Descriptors of a user that are no transfer's: surplus ones, on their way to be closed. */
#define SFD_USER_DESCRIPTORS_MORE 64

struct sfd_user_account {
    struct sfd_user_account *next; /* in its bucket */
    uint32_t uid;
    uint32_t clients;         /* accounts of its processes; under the lock */
    atomic_uint transfers;    /* of its clients, but for what these have beyond their shares */
    atomic_uint beyond;       /* of these, as many as were beyond its share when they began, and have not ended */
    atomic_uint descriptors;  /* held for its clients, or promised to their transfers */
    _Atomic(uint64_t) memory; /* bytes that are being filled for its clients */
    atomic_uint held;         /* threads that sit in calls for its clients */
    atomic_uint held_requests;
    atomic_uint sessions;
};

struct sfd_user_accounts {
    atomic_uint all;    /* transfers of all users; 0: there is no limit, and so are no shares; may change at any time */
    atomic_uint share;  /* of them, for a user that is not alone; may change as well */
    bool several;       /* users are served that do not trust each other: shares of all that cannot be doubled */
    atomic_uint active; /* users with transfers */
    struct sfd_user_account *buckets[SFD_USER_ACCOUNT_BUCKETS];
};

/* Adds `n` to a count, unless it would exceed `limit` (0: there is none): false then. In both cases gives what it was.
 */
bool sfd_count_take(atomic_uint *count, uint32_t n, uint32_t limit, unsigned *before);

/* Subtracts 1 from a count: false if it is 0. */
bool sfd_count_drop(atomic_uint *count);

/* Three quarters, but not nothing. */
uint32_t sfd_share_of(uint32_t all);

/* ---- under the lock of the clients' accounts */

/* Counts a client of that uid; makes the account if there is none. NULL without memory. */
struct sfd_user_account *sfd_user_accounts_enter(struct sfd_user_accounts *users, uint32_t uid);

/* Uncounts a client; the last one's leaving frees the account. */
void sfd_user_accounts_leave(struct sfd_user_accounts *users, struct sfd_user_account *user);

/* ---- any thread */

/* Counts a transfer: false if the user may have no more now. *beyond: whether it is beyond the user's share. */
bool sfd_user_account_begin(struct sfd_user_accounts *users, struct sfd_user_account *user, bool *beyond);

/* Uncounts a transfer. True when it was beyond the user's share. */
bool sfd_user_account_end(struct sfd_user_accounts *users, struct sfd_user_account *user);

/* The most descriptors of a user; 0: no limit. */
uint32_t sfd_user_descriptors_most(const struct sfd_user_accounts *users);

#endif
