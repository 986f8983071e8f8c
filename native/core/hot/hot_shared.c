/*
 * A root that is closed when nobody uses it.
 */
#include "hot/hot_shared.h"

#include <errno.h>
#include <stdlib.h>

int sfd_hot_shared_create(const char *path, const struct sfd_hot_settings *options, struct sfd_hot_shared **out)
{
    struct sfd_hot_shared *shared = aligned_alloc(_Alignof(struct sfd_hot_shared), sizeof(*shared));

    if (shared == NULL) return -ENOMEM;
    const int result = sfd_hot_init(&shared->hot, path, options);
    if (result < 0) {
        free(shared);
        return result;
    }
    for (size_t i = 0; i < SFD_HOT_STRIPES; i++)
        atomic_init(&shared->stripe[i].users, 1);
    atomic_init(&shared->used, SFD_HOT_STRIPES);
    atomic_init(&shared->closed, false);
    *out = shared;
    return 0;
}

/* Threads have stacks of their own, in pages of their own: a thread keeps its stripe, and few share one. */
static int stripe_of_thread(void)
{
    const char here = 0;
    const uint64_t page = (uint64_t)(uintptr_t)&here >> 16;

    return (int)((page * UINT64_C(0x9E3779B97F4A7C15)) >> 60);
}

int sfd_hot_shared_hold(struct sfd_hot_shared *shared)
{
    const int stripe = stripe_of_thread();
    atomic_uint *users = &shared->stripe[stripe].users;
    unsigned before = atomic_load_explicit(users, memory_order_relaxed);

    if (atomic_load_explicit(&shared->closed, memory_order_relaxed)) return -EBADF; /* with files open */
    do {
        if (before == 0) return -EBADF;
    } while (!atomic_compare_exchange_weak(users, &before, before + 1));
    return stripe;
}

void sfd_hot_shared_release(struct sfd_hot_shared *shared, int stripe)
{
    if (atomic_fetch_sub(&shared->stripe[stripe].users, 1) > 1) return;
    if (atomic_fetch_sub(&shared->used, 1) == 1) sfd_hot_deinit(&shared->hot);
}

void sfd_hot_shared_close(struct sfd_hot_shared *shared)
{
    if (atomic_exchange(&shared->closed, true)) return;
    sfd_hot_cache_clear(&shared->hot.cache);
    for (int i = 0; i < SFD_HOT_STRIPES; i++)
        sfd_hot_shared_release(shared, i);
}

void sfd_hot_shared_free(struct sfd_hot_shared *shared)
{
    sfd_hot_shared_close(shared);
    sfd_hot_deinit(&shared->hot);
    free(shared);
}
