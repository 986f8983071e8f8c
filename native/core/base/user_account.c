/*
 * User accounts.
 */
#include "base/user_account.h"

#include <stdlib.h>

bool sfd_count_take(atomic_uint *count, uint32_t n, uint32_t limit, unsigned *before)
{
    *before = atomic_load(count); /* seq_cst also when it refuses: loop_offload.c relies on it */

    /* Never exceeds it, not even for a moment: another loop would then refuse a request for which there is room. */
    do {
        if (limit > 0 && (*before >= limit || n > limit - *before)) return false;
    } while (!atomic_compare_exchange_weak(count, before, *before + n));
    return true;
}

bool sfd_count_drop(atomic_uint *count)
{
    unsigned before = atomic_load(count);

    while (before > 0)
        if (atomic_compare_exchange_weak(count, &before, before - 1)) return true;
    return false;
}

uint32_t sfd_share_of(uint32_t all)
{
    const uint32_t three_quarters = (uint32_t)((uint64_t)all * 3 / 4);

    return three_quarters > 0 ? three_quarters : all;
}

static struct sfd_user_account **bucket_of(struct sfd_user_accounts *users, uint32_t uid)
{
    return &users->buckets[uid % SFD_USER_ACCOUNT_BUCKETS];
}

struct sfd_user_account *sfd_user_accounts_enter(struct sfd_user_accounts *users, uint32_t uid)
{
    struct sfd_user_account **bucket = bucket_of(users, uid);
    struct sfd_user_account *user = *bucket;

    while (user != NULL && user->uid != uid)
        user = user->next;
    if (user == NULL) {
        user = calloc(1, sizeof(*user));
        if (user == NULL) return NULL;
        user->uid = uid;
        user->next = *bucket;
        *bucket = user;
    }
    user->clients++;
    return user;
}

void sfd_user_accounts_leave(struct sfd_user_accounts *users, struct sfd_user_account *user)
{
    struct sfd_user_account **at = bucket_of(users, user->uid);

    if (--user->clients > 0) return;
    while (*at != user)
        at = &(*at)->next;
    *at = user->next;
    free(user);
}

/* The most transfers that a user may have now; 0: no limit. */
static uint32_t most_transfers(const struct sfd_user_accounts *users)
{
    /* One user is this one, or will be: who is beyond its share has a transfer. */
    return atomic_load(atomic_load(&users->active) <= 1 ? &users->all : &users->share);
}

bool sfd_user_account_begin(struct sfd_user_accounts *users, struct sfd_user_account *user, bool *beyond)
{
    unsigned before = 0;

    if (!sfd_count_take(&user->transfers, 1, most_transfers(users), &before)) return false;
    if (before == 0) atomic_fetch_add(&users->active, 1);
    const uint32_t share = atomic_load(&users->share);
    *beyond = share > 0 && before >= share + atomic_load(&user->beyond);
    if (*beyond) atomic_fetch_add(&user->beyond, 1);
    return true;
}

bool sfd_user_account_end(struct sfd_user_accounts *users, struct sfd_user_account *user)
{
    const unsigned before = atomic_fetch_sub(&user->transfers, 1);

    if (before == 1) atomic_fetch_sub(&users->active, 1);
    return sfd_count_drop(&user->beyond);
}

uint32_t sfd_user_descriptors_most(const struct sfd_user_accounts *users)
{
    const uint32_t share = atomic_load(&users->share);

    if (!users->several || share == 0 || share > (UINT32_MAX - SFD_USER_DESCRIPTORS_MORE) / SFD_TRANSFER_DESCRIPTORS)
        return 0;
    return share * SFD_TRANSFER_DESCRIPTORS + SFD_USER_DESCRIPTORS_MORE;
}
