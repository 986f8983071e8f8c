/*
 * How much memory the engine may fill for its clients.
 *
 * The pages of a memory file are charged to the cgroup of the process that touches them first. If an engine fills a
 * client's memory file, that is the engine's own cgroup, and a cgroup above its limit is killed. Nobody tells the
 * engine when its clients free such a file, so counting cannot be enough. Therefore it is measured: before a fill
 * begins, what its cgroup, each cgroup above, and the machine can still take, without what was granted and is not
 * filled yet. Two limits stand beside that: for the fills of all clients that are under way at once, and for those of
 * one client; and where several users are served, all clients of one user together may have three quarters.
 *
 * Pages that a client has allocated itself before (fallocate(2)) are charged to its own cgroup. They need no grant: who
 * allocates pays.
 *
 * Role: grants. Thread: any; the disk pool asks, because a measurement reads some files of /proc and of the cgroup,
 * 0.1 ms. Owns the name of its cgroup. Never: keeps a descriptor.
 */
#ifndef SFD_MEMORY_MEMORY_BUDGET_H
#define SFD_MEMORY_MEMORY_BUDGET_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/client_account.h"
#include "sys/sys.h"

struct sfd_memory_budget {
    const struct sfd_sys *sys;  /* borrowed */
    char *cgroup;               /* the directory of its cgroup; NULL: only the machine counts */
    size_t top;                 /* so many bytes of it name the mount point, above which no cgroup is seen */
    bool unified;               /* cgroups of version 2 */
    _Atomic(uint64_t) for_all;  /* bytes; 0: half of the memory that it may have */
    _Atomic(uint64_t) for_each; /* bytes; 0: three quarters of what all may have */
    _Atomic(uint64_t) most;     /* what all may have, as measured last; 0: not measured yet */
    _Atomic(uint64_t) filling;  /* bytes of all fills that are under way */
    _Atomic(uint64_t) missing;  /* of these, what is not filled yet, and so is in no measurement */
    _Atomic(uint64_t) credit;   /* what small fills may take without a measurement */
    pthread_mutex_t lock;       /* of measuring and granting */
};

/* One fill, in pieces of 4 KiB, because each transfer has one; all zero: none. */
struct sfd_memory_grant {
    uint32_t pieces;
    uint32_t missing; /* not filled yet */
};

/* `sys` is borrowed. Without memory, or without a cgroup, only the machine counts. */
void sfd_memory_budget_init(struct sfd_memory_budget *budget, const struct sfd_sys *sys, uint64_t for_all,
                            uint64_t for_each);

/* The same with a given cgroup, whose name in `cgroup` begins with the `top` bytes of its mount point. */
void sfd_memory_budget_init_in(struct sfd_memory_budget *budget, const struct sfd_sys *sys, uint64_t for_all,
                               uint64_t for_each, const char *cgroup, size_t top, bool unified);

/* Other limits from here on; what was granted stays granted. Any thread. */
void sfd_memory_budget_limit(struct sfd_memory_budget *budget, uint64_t for_all, uint64_t for_each);

/* Idempotent after init. */
void sfd_memory_budget_deinit(struct sfd_memory_budget *budget);

/*
 * Asks for `bytes`, for a client (borrowed; NULL: none). 0 with the grant in *grant, which must be empty; or -EDQUOT:
 * beyond what one client, or one user, may fill at once; -ENOBUFS: beyond what all may, or what the memory can take.
 */
int sfd_memory_budget_take(struct sfd_memory_budget *budget, struct sfd_client_account *account, uint64_t bytes,
                           struct sfd_memory_grant *grant);

/* So many bytes have been filled: measurements see them from now on. */
void sfd_memory_budget_filled(struct sfd_memory_budget *budget, struct sfd_memory_grant *grant, uint64_t bytes);

/* The fill is over. Idempotent; not while it goes on. */
void sfd_memory_budget_give_back(struct sfd_memory_budget *budget, struct sfd_client_account *account,
                                 struct sfd_memory_grant *grant);

#endif
