/*
 * A cache of open files: a path that was opened lately is not looked up again.
 *
 * What is kept is a descriptor and what was told of its file; its bytes are read as they are now. For `age` after the
 * path was checked last, that is served without asking; afterwards the path is checked again before, by whoever opens
 * it. So a file that was replaced, removed, renamed (it or a directory above), cut, touched or made unreadable is
 * served for at most `age` as it was. (With `cache_looks` of its root the open file itself is looked at each time, and
 * only a change of what is above it can be seen that late.) What nobody asks for is closed by a later call, so that a
 * removed file does not keep its disk's space: an entry whose last check is longer ago than `age`, and than a second,
 * and at the latest when twice that is over, if somebody calls sfd_hot_cache_sweep as often as sfd_hot_cache_sweep_in
 * says.
 *
 * Sets of 8 entries, by the hash of the path; in a set the entry that was used least lately makes room. Each set has a
 * lock, which nobody waits for: who finds it taken does without the cache. An entry counts its users, of which the
 * cache is one; the last one closes its file. So a file in use stays open when its entry goes.
 *
 * Thread: any, but init and deinit. Owns its entries. Makes no system call but close.
 */
#ifndef SFD_HOT_HOT_CACHE_H
#define SFD_HOT_HOT_CACHE_H

#include <stdatomic.h>

#include "disk/open.h"

/* Constant but for the last members. */
struct sfd_hot_entry {
    const struct sfd_sys *sys; /* borrowed */
    struct sfd_opened opened;  /* owns its descriptor */
    uint64_t hash;
    uint64_t used; /* under the lock of its set: when it was last found */
    _Atomic(uint64_t) checked;
    atomic_uint users;
    char *path; /* in the same piece of memory */
};

struct sfd_hot_set;

/* Times of sys->now_ns. */
struct sfd_hot_cache {
    const struct sfd_sys *sys; /* borrowed */
    struct sfd_hot_set *set;   /* NULL: there is no cache */
    size_t sets;
    unsigned ways; /* entries of a set */
    uint64_t age;
    uint64_t seed; /* of the hash: who names files cannot choose their sets */
    _Atomic(uint64_t) swept;
    _Atomic(size_t) hand;
    _Atomic(size_t) held; /* entries */
};

/* At most `entries`, of which 0 are no cache. 0 or -errno: -ENOMEM. */
int sfd_hot_cache_init(struct sfd_hot_cache *cache, const struct sfd_sys *sys, size_t entries, uint64_t age_ns);

/* Closes what is not in use; idempotent. */
void sfd_hot_cache_deinit(struct sfd_hot_cache *cache);

/* Closes what is not in use, and forgets the rest. */
void sfd_hot_cache_clear(struct sfd_hot_cache *cache);

/* The entry of a path, to be put; NULL: none. */
struct sfd_hot_entry *sfd_hot_cache_find(struct sfd_hot_cache *cache, const char *path, uint64_t now);

/* Whether it may be used without a check. */
bool sfd_hot_cache_is_fresh(const struct sfd_hot_cache *cache, const struct sfd_hot_entry *entry, uint64_t now);

/*
 * Keeps a file that was opened by `path`, in place of what was kept of that path; `checked` is when that began. Takes
 * its descriptor and gives the entry, to be put; or NULL, and the caller keeps the descriptor: a set in use, no memory.
 * evicted: whether another path made room.
 */
struct sfd_hot_entry *sfd_hot_cache_add(struct sfd_hot_cache *cache, const char *path, const struct sfd_opened *opened,
                                        uint64_t checked, bool *evicted);

/* Forgets an entry, which the caller uses. It may fail if its set is in use: then it stays, and is checked again. */
void sfd_hot_cache_remove(struct sfd_hot_cache *cache, struct sfd_hot_entry *entry);

/* Closes some of what nobody has asked for; called with each open. */
void sfd_hot_cache_sweep(struct sfd_hot_cache *cache, uint64_t now);

/* After how many ns a sweep is due, if nobody opens anything; 0: nothing is kept. */
uint64_t sfd_hot_cache_sweep_in(const struct sfd_hot_cache *cache);

/* Ends a use. */
void sfd_hot_entry_put(struct sfd_hot_entry *entry);

#endif
