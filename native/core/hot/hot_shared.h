/*
 * A root of the hot path that any thread may close at any time, while others open files there and have some open.
 *
 * Role: counts who uses the root. Its descriptor is closed when the owner has closed it and nobody uses it any more;
 * until then its number cannot mean another directory to a thread that is about to open a file. The counter is striped,
 * so that event loops do not pass one cache line around for each file. Thread: any, but sfd_hot_shared_create and
 * _free. The memory stays until sfd_hot_shared_free, which the owner calls when no thread can come any more.
 */
#ifndef SFD_HOT_HOT_SHARED_H
#define SFD_HOT_HOT_SHARED_H

#include <stdalign.h>
#include <stdatomic.h>

#include "hot.h"

#define SFD_HOT_STRIPES 16

/* A counter with a cache line of its own. */
struct sfd_hot_stripe {
    alignas(64) atomic_uint users; /* the owner is one of them */
};

struct sfd_hot_shared {
    struct sfd_hot_stripe stripe[SFD_HOT_STRIPES];
    struct sfd_hot hot;
    atomic_bool closed;
    atomic_uint used; /* stripes with users */
};

/* As sfd_hot_init. 0 with the root in *out, or -errno. Blocks. */
int sfd_hot_shared_create(const char *path, const struct sfd_hot_settings *options, struct sfd_hot_shared **out);

/* Begins a use: the number of a stripe, for the release; -EBADF: it is closed. */
int sfd_hot_shared_hold(struct sfd_hot_shared *shared);

/* Ends a use. The last one of a closed root closes its descriptor. */
void sfd_hot_shared_release(struct sfd_hot_shared *shared, int stripe);

/* No use begins any more. Idempotent. */
void sfd_hot_shared_close(struct sfd_hot_shared *shared);

/* Frees the memory, and closes what is not closed. Nobody uses it any more. */
void sfd_hot_shared_free(struct sfd_hot_shared *shared);

#endif
