/*
 * The cache of open files.
 */
#include "hot/hot_cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hot/hot_close.h"

#define WAYS        8
#define LOCK_TRIES  64
#define KEEP_MIN_NS ((uint64_t)1000 * 1000 * 1000)
#define SWEEP_MAX   ((size_t)16) /* sets of one call: some 100 us, if all of their files are closed */

struct sfd_hot_set {
    atomic_flag lock;
    uint64_t hash[WAYS]; /* beside the entries: one cache line to look at */
    struct sfd_hot_entry *entry[WAYS];
};

int sfd_hot_cache_init(struct sfd_hot_cache *cache, const struct sfd_sys *sys, size_t entries, uint64_t age_ns)
{
    *cache = (struct sfd_hot_cache){.sys = sys, .age = age_ns};
    if (entries == 0) return 0;
    cache->ways = entries < WAYS ? (unsigned)entries : WAYS;
    cache->sets = entries / cache->ways;
    const int result = sfd_sys_random(&cache->seed, sizeof(cache->seed));
    if (result < 0) return result;
    cache->set = calloc(cache->sets, sizeof(*cache->set));
    if (cache->set == NULL) return -ENOMEM;
    for (size_t i = 0; i < cache->sets; i++)
        atomic_flag_clear(&cache->set[i].lock);
    atomic_init(&cache->swept, sys->now_ns());
    return 0;
}

void sfd_hot_cache_deinit(struct sfd_hot_cache *cache)
{
    sfd_hot_cache_clear(cache);
    free(cache->set);
    cache->set = NULL;
}

void sfd_hot_entry_put(struct sfd_hot_entry *entry)
{
    if (entry == NULL || atomic_fetch_sub(&entry->users, 1) > 1) return;
    sfd_hot_close_file(entry->sys, &entry->opened.fd, entry->opened.size);
    free(entry);
}

static bool try_lock(struct sfd_hot_set *set)
{
    for (int i = 0; i < LOCK_TRIES; i++)
        if (!atomic_flag_test_and_set_explicit(&set->lock, memory_order_acquire)) return true;
    return false; /* its thread may have lost its processor */
}

static void unlock(struct sfd_hot_set *set)
{
    atomic_flag_clear_explicit(&set->lock, memory_order_release);
}

/* FNV-1a, and what it lacks of mixing. */
static uint64_t hash_of(const struct sfd_hot_cache *cache, const char *path)
{
    uint64_t hash = cache->seed;

    for (; *path != '\0'; path++)
        hash = (hash ^ (unsigned char)*path) * UINT64_C(0x100000001b3);
    hash = (hash ^ (hash >> 32)) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ (hash >> 29);
}

static struct sfd_hot_set *set_of(const struct sfd_hot_cache *cache, uint64_t hash)
{
    return &cache->set[hash % cache->sets];
}

/* The way of a path in its set, which is locked; or -1. */
static int way_of(const struct sfd_hot_cache *cache, const struct sfd_hot_set *set, uint64_t hash, const char *path)
{
    for (unsigned i = 0; i < cache->ways; i++)
        if (set->hash[i] == hash && set->entry[i] != NULL && strcmp(set->entry[i]->path, path) == 0) return (int)i;
    return -1;
}

struct sfd_hot_entry *sfd_hot_cache_find(struct sfd_hot_cache *cache, const char *path, uint64_t now)
{
    struct sfd_hot_entry *entry = NULL;

    const uint64_t hash = hash_of(cache, path);
    struct sfd_hot_set *const set = set_of(cache, hash);
    if (!try_lock(set)) return NULL;
    const int way = way_of(cache, set, hash, path);
    if (way >= 0) {
        entry = set->entry[way];
        entry->used = now;
        atomic_fetch_add_explicit(&entry->users, 1, memory_order_relaxed);
    }
    unlock(set);
    return entry;
}

bool sfd_hot_cache_is_fresh(const struct sfd_hot_cache *cache, const struct sfd_hot_entry *entry, uint64_t now)
{
    const uint64_t checked = atomic_load_explicit(&entry->checked, memory_order_relaxed);

    return now < checked || now - checked < cache->age; /* another thread may have checked it after `now` */
}

/* The way that makes room: a free one, or the one used least lately. */
static unsigned oldest_of(const struct sfd_hot_cache *cache, const struct sfd_hot_set *set)
{
    unsigned oldest = 0;

    for (unsigned i = 0; i < cache->ways; i++) {
        if (set->entry[i] == NULL) return i;
        if (set->entry[i]->used < set->entry[oldest]->used) oldest = i;
    }
    return oldest;
}

struct sfd_hot_entry *sfd_hot_cache_add(struct sfd_hot_cache *cache, const char *path, const struct sfd_opened *opened,
                                        uint64_t checked, bool *evicted)
{
    const size_t size = strlen(path) + 1;
    const uint64_t hash = hash_of(cache, path);
    struct sfd_hot_set *const set = set_of(cache, hash);
    struct sfd_hot_entry *entry = malloc(sizeof(*entry) + size);

    if (entry == NULL) return NULL;
    if (!try_lock(set)) {
        free(entry);
        return NULL;
    }
    entry->sys = cache->sys;
    entry->opened = *opened;
    entry->hash = hash;
    entry->used = checked;
    atomic_init(&entry->checked, checked);
    atomic_init(&entry->users, 2);
    entry->path = memcpy(entry + 1, path, size);
    const int same = way_of(cache, set, hash, path);
    const unsigned way = same >= 0 ? (unsigned)same : oldest_of(cache, set);
    struct sfd_hot_entry *const before = set->entry[way];
    set->entry[way] = entry;
    set->hash[way] = hash;
    if (before == NULL) atomic_fetch_add(&cache->held, 1); /* before its user asks whether the sweeper sleeps */
    unlock(set);
    *evicted = before != NULL && same < 0;
    sfd_hot_entry_put(before);
    return entry;
}

/* The cache's part of the end of an entry. */
static void let_go(struct sfd_hot_cache *cache, struct sfd_hot_entry *entry)
{
    if (entry == NULL) return;
    atomic_fetch_sub_explicit(&cache->held, 1, memory_order_relaxed);
    sfd_hot_entry_put(entry);
}

void sfd_hot_cache_remove(struct sfd_hot_cache *cache, struct sfd_hot_entry *entry)
{
    struct sfd_hot_set *const set = set_of(cache, entry->hash);
    bool found = false;

    if (!try_lock(set)) return;
    for (unsigned i = 0; i < cache->ways; i++) {
        if (set->entry[i] != entry) continue;
        set->entry[i] = NULL;
        found = true;
    }
    unlock(set);
    if (found) let_go(cache, entry);
}

/* Forgets what of a set was checked last before a time. */
static void forget(struct sfd_hot_cache *cache, struct sfd_hot_set *set, uint64_t before)
{
    struct sfd_hot_entry *forgotten[WAYS] = {NULL};

    if (!try_lock(set)) return;
    for (unsigned i = 0; i < cache->ways; i++) {
        if (set->entry[i] == NULL || atomic_load(&set->entry[i]->checked) >= before) continue;
        forgotten[i] = set->entry[i];
        set->entry[i] = NULL;
    }
    unlock(set);
    for (unsigned i = 0; i < WAYS; i++)
        let_go(cache, forgotten[i]);
}

void sfd_hot_cache_clear(struct sfd_hot_cache *cache)
{
    for (size_t i = 0; cache->set != NULL && i < cache->sets; i++)
        forget(cache, &cache->set[i], UINT64_MAX);
}

/* How long what nobody asks for is kept at least. */
static uint64_t keep_of(const struct sfd_hot_cache *cache)
{
    return cache->age > KEEP_MIN_NS ? cache->age : KEEP_MIN_NS;
}

/* Each set is swept once in that time. */
static uint64_t pace_of(const struct sfd_hot_cache *cache)
{
    return keep_of(cache) / cache->sets + 1;
}

uint64_t sfd_hot_cache_sweep_in(const struct sfd_hot_cache *cache)
{
    const size_t at_once = cache->sets < SWEEP_MAX ? cache->sets : SWEEP_MAX;

    return atomic_load(&cache->held) == 0 ? 0 : at_once * pace_of(cache);
}

void sfd_hot_cache_sweep(struct sfd_hot_cache *cache, uint64_t now)
{
    const uint64_t keep = keep_of(cache);
    const uint64_t pace = pace_of(cache);
    uint64_t last = atomic_load_explicit(&cache->swept, memory_order_relaxed);

    if (now < last + pace) return;
    size_t count = (size_t)((now - last) / pace);
    if (count > cache->sets) count = cache->sets;
    /* What is left of a long silence is swept by the next calls. */
    const uint64_t next = count > SWEEP_MAX ? now - (count - SWEEP_MAX) * pace : last + count * pace;
    if (count > SWEEP_MAX) count = SWEEP_MAX;
    if (!atomic_compare_exchange_strong(&cache->swept, &last, next)) return;
    const size_t from = atomic_fetch_add(&cache->hand, count);
    for (size_t i = 0; i < count; i++)
        forget(cache, &cache->set[(from + i) % cache->sets], now - keep);
}
