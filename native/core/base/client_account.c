/*
 * Client accounts.
 */
#include "base/client_account.h"

#include <errno.h>
#include <stdlib.h>

void sfd_client_accounts_init(struct sfd_client_accounts *accounts, const struct sfd_limits *limits)
{
    *accounts = (struct sfd_client_accounts){.limits = *limits};
    pthread_mutex_init(&accounts->lock, NULL);
}

/* A limit that may change. */
static uint32_t now(const uint32_t *limit)
{
    return __atomic_load_n(limit, __ATOMIC_RELAXED);
}

void sfd_client_accounts_divide(struct sfd_client_accounts *accounts, uint32_t transfers)
{
    const uint32_t most = now(&accounts->limits.transfers);
    const uint32_t share = sfd_share_of(transfers);

    atomic_store(&accounts->all, transfers);
    atomic_store(&accounts->users.all, transfers);
    atomic_store(&accounts->users.share, share);
    atomic_store(&accounts->share, most > 0 && most < transfers ? 0 : share);
}

void sfd_client_accounts_limit(struct sfd_client_accounts *accounts, const struct sfd_limits *limits,
                               uint32_t transfers)
{
    __atomic_store_n(&accounts->limits.transfers, limits->transfers, __ATOMIC_RELAXED);
    __atomic_store_n(&accounts->limits.descriptors, limits->descriptors, __ATOMIC_RELAXED);
    __atomic_store_n(&accounts->limits.disk_tasks, limits->disk_tasks, __ATOMIC_RELAXED);
    sfd_client_accounts_divide(accounts, transfers);
}

void sfd_client_accounts_reserve(struct sfd_client_accounts *accounts)
{
    accounts->users.several = true;
}

void sfd_client_accounts_deinit(struct sfd_client_accounts *accounts)
{
    for (uint32_t i = 0; i < SFD_CLIENTS_REMEMBERED; i++) {
        sfd_client_account_put(accounts->remembered[i]);
        accounts->remembered[i] = NULL;
    }
    pthread_mutex_destroy(&accounts->lock);
}

static struct sfd_client_account **bucket_of(struct sfd_client_accounts *accounts, uint64_t process)
{
    return &accounts->buckets[process % SFD_CLIENT_ACCOUNT_BUCKETS];
}

static struct sfd_client_account *find_or_make(struct sfd_client_accounts *accounts, uint64_t process, uint32_t uid)
{
    struct sfd_client_account **bucket = bucket_of(accounts, process);
    struct sfd_client_account *account = *bucket;

    while (account != NULL && (account->process != process || account->uid != uid))
        account = account->next;
    if (account != NULL) return account;
    account = calloc(1, sizeof(*account));
    if (account == NULL) return NULL;
    account->user = sfd_user_accounts_enter(&accounts->users, uid);
    if (account->user == NULL) {
        free(account);
        return NULL;
    }
    account->owner = accounts;
    account->next = *bucket;
    account->process = process;
    account->uid = uid;
    *bucket = account;
    return account;
}

struct sfd_client_account *sfd_client_accounts_get(struct sfd_client_accounts *accounts, uint64_t process, uint32_t uid)
{
    pthread_mutex_lock(&accounts->lock);
    struct sfd_client_account *account = find_or_make(accounts, process, uid);
    (void)sfd_client_account_share(account);
    pthread_mutex_unlock(&accounts->lock);
    return account;
}

struct sfd_client_account *sfd_client_account_share(struct sfd_client_account *account)
{
    if (account != NULL) atomic_fetch_add_explicit(&account->references, 1, memory_order_relaxed);
    return account;
}

/* Releases what may be the last reference, under the lock, so that no thread can find the account meanwhile. */
static void put_last(struct sfd_client_account *account)
{
    struct sfd_client_accounts *accounts = account->owner;

    pthread_mutex_lock(&accounts->lock);
    const bool last = atomic_fetch_sub_explicit(&account->references, 1, memory_order_acq_rel) == 1;
    if (last) {
        struct sfd_client_account **at = bucket_of(accounts, account->process);
        while (*at != account)
            at = &(*at)->next;
        *at = account->next;
        sfd_user_accounts_leave(&accounts->users, account->user);
    }
    pthread_mutex_unlock(&accounts->lock);
    if (last) free(account);
}

void sfd_client_account_put(struct sfd_client_account *account)
{
    if (account == NULL) return;
    unsigned references = atomic_load_explicit(&account->references, memory_order_relaxed);
    while (references > 1)
        if (atomic_compare_exchange_weak_explicit(&account->references, &references, references - 1,
                                                  memory_order_release, memory_order_relaxed))
            return;
    put_last(account);
}

/* ------------------------------------------------------------------ conduct */

void sfd_client_account_suspect(struct sfd_client_account *account)
{
    if (account == NULL) return;
    struct sfd_client_accounts *accounts = account->owner;
    struct sfd_client_account *forgotten = NULL;

    atomic_store_explicit(&account->probation, SFD_CLIENT_PROBATION, memory_order_relaxed);
    pthread_mutex_lock(&accounts->lock);
    if (!account->remembered) {
        struct sfd_client_account **at = &accounts->remembered[accounts->next_remembered++ % SFD_CLIENTS_REMEMBERED];
        forgotten = *at;
        if (forgotten != NULL) forgotten->remembered = false;
        *at = sfd_client_account_share(account);
        account->remembered = true;
    }
    pthread_mutex_unlock(&accounts->lock);
    atomic_store_explicit(&accounts->suspicious, true, memory_order_relaxed);
    sfd_client_account_put(forgotten);
}

void sfd_client_account_behaved(struct sfd_client_account *account)
{
    if (account == NULL) return;
    unsigned left = atomic_load_explicit(&account->probation, memory_order_relaxed);
    while (left > 0)
        if (atomic_compare_exchange_weak_explicit(&account->probation, &left, left - 1, memory_order_relaxed,
                                                  memory_order_relaxed))
            return;
}

void sfd_client_account_hold_thread(struct sfd_client_account *account)
{
    if (account == NULL) return;
    atomic_fetch_add(&account->held, 1);
    atomic_fetch_add(&account->user->held, 1);
}

void sfd_client_account_release_thread(struct sfd_client_account *account)
{
    if (account == NULL) return;
    atomic_fetch_sub(&account->user->held, 1);
    atomic_fetch_sub(&account->held, 1);
}

bool sfd_client_account_hold_request(struct sfd_client_account *account, unsigned most)
{
    const unsigned most_of_user = account->owner->users.several ? most * SFD_USER_HELD_CLIENTS : 0;
    unsigned before;

    if (!sfd_count_take(&account->held_requests, 1, most, &before)) return false;
    if (sfd_count_take(&account->user->held_requests, 1, most_of_user, &before)) return true;
    atomic_fetch_sub(&account->held_requests, 1);
    return false;
}

void sfd_client_account_release_request(struct sfd_client_account *account)
{
    atomic_fetch_sub(&account->user->held_requests, 1);
    atomic_fetch_sub(&account->held_requests, 1);
}

bool sfd_client_account_begin_session(struct sfd_client_account *account, unsigned most)
{
    const uint32_t limit = account->owner->users.several ? sfd_share_of(most) : 0;
    unsigned before;

    return sfd_count_take(&account->user->sessions, 1, limit, &before);
}

void sfd_client_account_end_session(struct sfd_client_account *account)
{
    atomic_fetch_sub(&account->user->sessions, 1);
}

/* ------------------------------------------------------------------ counting */

static void gauge(struct sfd_counters *counters, enum sfd_counter counter, int64_t n)
{
    /* The disk pool counts here as well: sfd_counters_add is for one writer. */
    if (counters != NULL) atomic_fetch_add_explicit(&counters->at[counter], (uint64_t)n, memory_order_relaxed);
}

static int refuse(struct sfd_counters *counters, enum sfd_counter counter)
{
    if (counters != NULL) sfd_counters_add(counters, counter, 1);
    return counter == SFD_COUNTER_REFUSED_TRANSFERS ? -EMFILE : -EDQUOT;
}

/* The most transfers that a client may have now. */
static uint32_t most_transfers(const struct sfd_client_accounts *accounts)
{
    const uint32_t share = atomic_load(&accounts->share);

    if (share == 0) return now(&accounts->limits.transfers);
    /* One client is this one, or will be: who is beyond its share has a transfer. */
    return atomic_load(&accounts->active) <= 1 ? atomic_load(&accounts->all) : share;
}

/*
 * A transfer is counted from the top down, and uncounted from the bottom up: so a count is at no moment lower than what
 * the counts below it add up to.
 */
static bool enter_user(struct sfd_client_account *account)
{
    bool beyond = false;

    if (!sfd_user_account_begin(&account->owner->users, account->user, &beyond)) return false;
    if (beyond) atomic_fetch_add(&account->owner->beyond, 1);
    return true;
}

static void leave_user(struct sfd_client_account *account)
{
    if (sfd_user_account_end(&account->owner->users, account->user)) atomic_fetch_sub(&account->owner->beyond, 1);
}

/* Counts a transfer, of which the client had `before`. The user has it already. */
static void enter(struct sfd_client_account *account, unsigned before)
{
    struct sfd_client_accounts *accounts = account->owner;
    const uint32_t share = atomic_load(&accounts->share);

    if (before == 0) atomic_fetch_add(&accounts->active, 1);
    if (share == 0 || before < share + atomic_load(&account->beyond)) return;
    atomic_fetch_add(&account->beyond, 1);
    atomic_fetch_add(&accounts->beyond, 1);
    leave_user(account);
}

static void leave(struct sfd_client_account *account)
{
    struct sfd_client_accounts *accounts = account->owner;
    const unsigned before = atomic_fetch_sub(&account->transfers, 1);

    if (sfd_count_drop(&account->beyond))
        atomic_fetch_sub(&accounts->beyond, 1);
    else
        leave_user(account);
    if (before == 1) atomic_fetch_sub(&accounts->active, 1);
}

/* Both or none. */
static bool take_descriptors(struct sfd_client_account *account, uint32_t n)
{
    const struct sfd_client_accounts *accounts = account->owner;
    unsigned before;

    if (!sfd_count_take(&account->user->descriptors, n, sfd_user_descriptors_most(&accounts->users), &before))
        return false;
    if (sfd_count_take(&account->descriptors, n, now(&accounts->limits.descriptors), &before)) return true;
    atomic_fetch_sub_explicit(&account->user->descriptors, n, memory_order_relaxed);
    return false;
}

static void give_descriptors(struct sfd_client_account *account, uint32_t n)
{
    atomic_fetch_sub_explicit(&account->descriptors, n, memory_order_relaxed);
    atomic_fetch_sub_explicit(&account->user->descriptors, n, memory_order_relaxed);
}

int sfd_client_account_begin(struct sfd_client_account *account, uint32_t descriptors, struct sfd_counters *counters)
{
    if (account == NULL) return 0;
    struct sfd_client_accounts *accounts = account->owner;
    const uint32_t most = most_transfers(accounts);
    unsigned before = 0;
    if (!enter_user(account)) {
        const bool alone = atomic_load(&accounts->users.active) <= 1;
        return refuse(counters, alone ? SFD_COUNTER_REFUSED_TRANSFERS : SFD_COUNTER_REFUSED_USER_TRANSFERS);
    }
    if (!sfd_count_take(&account->transfers, 1, most, &before)) {
        leave_user(account);
        const bool full = atomic_load(&accounts->share) > 0 && most == atomic_load(&accounts->all);
        return refuse(counters, full ? SFD_COUNTER_REFUSED_TRANSFERS : SFD_COUNTER_REFUSED_CLIENT_TRANSFERS);
    }
    enter(account, before);
    if (!take_descriptors(account, descriptors)) {
        leave(account);
        return refuse(counters, SFD_COUNTER_REFUSED_CLIENT_DESCRIPTORS);
    }
    gauge(counters, SFD_COUNTER_DESCRIPTORS, descriptors);
    return 0;
}

void sfd_client_account_end(struct sfd_client_account *account, uint32_t descriptors, struct sfd_counters *counters)
{
    if (account == NULL) return;
    sfd_client_account_release(account, descriptors, counters);
    leave(account);
}

void sfd_client_account_hold(struct sfd_client_account *account, uint32_t descriptors, struct sfd_counters *counters)
{
    if (account == NULL) return;
    atomic_fetch_add_explicit(&account->user->descriptors, descriptors, memory_order_relaxed);
    atomic_fetch_add_explicit(&account->descriptors, descriptors, memory_order_relaxed);
    gauge(counters, SFD_COUNTER_DESCRIPTORS, descriptors);
}

void sfd_client_account_release(struct sfd_client_account *account, uint32_t descriptors, struct sfd_counters *counters)
{
    if (account == NULL) return;
    give_descriptors(account, descriptors);
    gauge(counters, SFD_COUNTER_DESCRIPTORS, -(int64_t)descriptors);
}

bool sfd_client_account_is_full(const struct sfd_client_account *account)
{
    if (account == NULL) return false;
    const uint32_t limit = now(&account->owner->limits.descriptors);
    const uint32_t limit_of_user = sfd_user_descriptors_most(&account->owner->users);
    return (limit > 0 && atomic_load_explicit(&account->descriptors, memory_order_relaxed) >= limit) ||
           (limit_of_user > 0 &&
            atomic_load_explicit(&account->user->descriptors, memory_order_relaxed) >= limit_of_user);
}

int sfd_client_account_ask_task(struct sfd_client_account *account, struct sfd_counters *counters)
{
    if (account == NULL) return 0;
    const uint32_t limit = now(&account->owner->limits.disk_tasks);
    if (limit == 0 || atomic_load_explicit(&account->disk_tasks, memory_order_relaxed) < limit) return 0;
    return refuse(counters, SFD_COUNTER_REFUSED_CLIENT_DISK_TASKS);
}

bool sfd_client_account_begin_task(struct sfd_client_account *account, struct sfd_counters *counters)
{
    unsigned before;

    if (account != NULL && !sfd_count_take(&account->disk_tasks, 1, now(&account->owner->limits.disk_tasks), &before))
        return false;
    gauge(counters, SFD_COUNTER_DISK_TASKS, 1);
    return true;
}

void sfd_client_account_end_task(struct sfd_client_account *account, struct sfd_counters *counters)
{
    if (account != NULL) atomic_fetch_sub(&account->disk_tasks, 1);
    gauge(counters, SFD_COUNTER_DISK_TASKS, -1);
}
