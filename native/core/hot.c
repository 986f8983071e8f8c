/*
 * The hot path: open, read, send from the kernel's memory.
 */
#include "hot.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/counters.h"
#include "disk/open.h"
#include "disk/residency.h"
#include "hot/hot_close.h"
#include "sys/errno_policy.h"
#include "sys/pipe_signal.h"
#include "transfer/destination.h"
#include "transfer/mover.h"

/* What is looked at, and then sent by one call. */
#define WINDOW_BYTES ((uint64_t)256 * 1024)

/* By which bytes go to a socket without O_NONBLOCK: on the stack of a caller whose stack may be small. */
#define COPY_BYTES ((size_t)32 * 1024)

static int open_root(struct sfd_hot *hot, const char *path)
{
    struct statx st;

    hot->root = sfd_open_root(&hot->kernel, path, false);
    if (hot->root < 0) return hot->root;
    const int result = hot->kernel.sys->statx(hot->root, "", AT_EMPTY_PATH | AT_STATX_SYNC_AS_STAT, STATX_TYPE, &st);
    if (result < 0) return result;
    hot->dev = makedev(st.stx_dev_major, st.stx_dev_minor);
    hot->medium = sfd_residency_medium_of_root(&hot->kernel, hot->root);
    hot->opens = sfd_medium_is_local(hot->medium);
    return 0;
}

int sfd_hot_init(struct sfd_hot *hot, const char *path, const struct sfd_hot_settings *options)
{
    *hot = (struct sfd_hot){
        .root = -1,
        .sigpipe_is_harmless = options->sigpipe_is_harmless,
        .cache_looks = options->cache_looks,
    };
    int result = sfd_kernel_init(&hot->kernel, options->sys != NULL ? options->sys : &sfd_sys_linux);
    if (result == 0) {
        sfd_hot_device_init(&hot->device, hot->kernel.sys);
        sfd_fd_close(hot->kernel.sys, &hot->kernel.null_fd); /* nothing is loaded here */
        result = open_root(hot, path);
    }
    if (result == 0)
        result = sfd_hot_cache_init(&hot->cache, hot->kernel.sys, options->cache_entries, options->cache_age_ns);
    if (result < 0) sfd_hot_deinit(hot);
    return result;
}

void sfd_hot_deinit(struct sfd_hot *hot)
{
    if (hot->kernel.sys == NULL) return;
    sfd_hot_cache_deinit(&hot->cache);
    sfd_fd_close(hot->kernel.sys, &hot->root);
    sfd_kernel_deinit(&hot->kernel);
}

int64_t sfd_hot_nanoseconds(int64_t seconds, uint32_t behind)
{
    int64_t all;

    if (__builtin_mul_overflow(seconds, 1000000000, &all) || __builtin_add_overflow(all, (int64_t)behind, &all))
        return seconds < 0 ? INT64_MIN : INT64_MAX;
    return all;
}

static struct sfd_hot_source file_of(struct sfd_hot *hot, struct sfd_hot_entry *entry, const struct sfd_opened *opened)
{
    return (struct sfd_hot_source){
        .hot = hot,
        .entry = entry,
        .fd = opened->fd,
        .mode = opened->mode,
        .dev = opened->dev,
        .inode = opened->inode,
        .size = opened->size,
        .atime_ns = sfd_hot_nanoseconds(opened->atime, opened->atime_ns),
        .mtime_ns = sfd_hot_nanoseconds(opened->mtime, opened->mtime_ns),
        .ctime_ns = sfd_hot_nanoseconds(opened->ctime, opened->ctime_ns),
    };
}

/* A result of an open from the caches, for the caller: what somebody who may wait would do otherwise is cold. */
static int opened_or_cold(int result)
{
    return result < 0 && sfd_errno_policy(SFD_PLACE_OPEN_CACHED, result) == SFD_REMEDY_POOL ? -EAGAIN : result;
}

static int open_now(struct sfd_hot *hot, const char *path, struct sfd_opened *opened, uint64_t *begun)
{
    struct sfd_hot_call call;

    if (!sfd_hot_device_enter(&hot->device, hot->kernel.sys, &call)) return -EAGAIN;
    const int result = sfd_open_cached(&hot->kernel, hot->root, path, opened);
    sfd_hot_device_leave(&hot->device, hot->kernel.sys, &call);
    *begun = call.begun;
    /* Whoever opens it instead needs a descriptor as well, more than the cache does. */
    if (result == -EMFILE || result == -ENFILE) sfd_hot_cache_clear(&hot->cache);
    return opened_or_cold(result);
}

/* Whether a path still leads to the file of its entry, and that is as it was: 0, -ESTALE, or -errno as an open. */
static int check(struct sfd_hot *hot, struct sfd_hot_entry *entry)
{
    struct sfd_hot_call call;

    if (!sfd_hot_device_enter(&hot->device, hot->kernel.sys, &call)) return -EAGAIN;
    const int result = sfd_open_cached_same(&hot->kernel, hot->root, entry->path, &entry->opened);
    sfd_hot_device_leave(&hot->device, hot->kernel.sys, &call);
    if (result == 0) atomic_store_explicit(&entry->checked, call.begun, memory_order_relaxed);
    return opened_or_cold(result);
}

static void count(struct sfd_counters *counters, enum sfd_counter counter)
{
    if (counters != NULL) sfd_counters_add(counters, counter, 1);
}

/* Takes the file from the cache: 0; -ENOENT: it has none to use; -EAGAIN: whether it has one only the disk can tell. */
static int take_entry(struct sfd_hot *hot, const char *path, struct sfd_counters *counters, struct sfd_hot_source *out)
{
    struct sfd_hot_cache *const cache = &hot->cache;
    const uint64_t now = hot->kernel.sys->now_ns();
    int result = 0;

    if (sfd_hot_device_is_closed(&hot->device)) return -ENOENT; /* the open finds out how it is now */
    sfd_hot_cache_sweep(cache, now);
    struct sfd_hot_entry *entry = sfd_hot_cache_find(cache, path, now);
    if (entry == NULL) return -ENOENT;
    if (!sfd_hot_cache_is_fresh(cache, entry, now))
        result = check(hot, entry);
    else if (hot->cache_looks)
        result = opened_or_cold(sfd_open_file_same(&hot->kernel, &entry->opened));
    if (result == 0) {
        count(counters, SFD_COUNTER_OPEN_FILE_HITS);
        *out = file_of(hot, entry, &entry->opened);
        return 0;
    }
    if (result != -EAGAIN) {
        count(counters, SFD_COUNTER_OPEN_FILE_STALE);
        sfd_hot_cache_remove(cache, entry);
    }
    sfd_hot_entry_put(entry);
    return result == -EAGAIN ? -EAGAIN : -ENOENT;
}

int sfd_hot_source_open(struct sfd_hot *hot, const char *path, struct sfd_hot_source *out)
{
    return sfd_hot_source_open_counted(hot, path, NULL, out);
}

int sfd_hot_source_open_counted(struct sfd_hot *hot, const char *path, struct sfd_counters *counters,
                                struct sfd_hot_source *out)
{
    const bool caches = hot->cache.set != NULL;
    bool evicted = false;
    struct sfd_opened opened;
    uint64_t begun = 0;

    if (!hot->opens) return -EAGAIN;
    int result = caches ? take_entry(hot, path, counters, out) : -ENOENT;
    if (result != -ENOENT) return result;
    result = open_now(hot, path, &opened, &begun);
    if (result < 0) return result;
    struct sfd_hot_entry *entry = caches ? sfd_hot_cache_add(&hot->cache, path, &opened, begun, &evicted) : NULL;
    if (evicted) count(counters, SFD_COUNTER_OPEN_FILE_EVICTIONS);
    *out = file_of(hot, entry, &opened);
    return 0;
}

int sfd_hot_source_adopt(struct sfd_hot *hot, int fd, struct sfd_hot_source *out)
{
    struct sfd_opened opened;

    const int result = sfd_open_descriptor(&hot->kernel, &fd, true, &opened);
    if (result < 0) return result;
    /* The root keeps its file system mounted, so that no other can have the same number. */
    if (!hot->opens || opened.dev != hot->dev) return -EAGAIN;
    *out = file_of(hot, NULL, &opened);
    return 0;
}

void sfd_hot_source_close(struct sfd_hot_source *file)
{
    if (file->entry != NULL)
        sfd_hot_entry_put(file->entry);
    else if (file->hot != NULL)
        sfd_hot_close_file(file->hot->kernel.sys, &file->fd, file->size);
    file->entry = NULL;
    file->fd = -1;
}

static bool is_in_memory(const struct sfd_hot *hot)
{
    return hot->medium == SFD_MEDIUM_MEMORY;
}

int64_t sfd_hot_source_read(struct sfd_hot_source *file, void *to, size_t size, uint64_t offset)
{
    struct sfd_hot *const hot = file->hot;
    const struct sfd_sys *sys = hot->kernel.sys;
    const struct iovec iov = {.iov_base = to, .iov_len = size};
    struct sfd_hot_call call;

    if (offset > INT64_MAX) return -EINVAL;
    if (!sfd_hot_device_enter(&hot->device, sys, &call)) return -EAGAIN;
    const int64_t n = sys->preadv2(file->fd, &iov, 1, (int64_t)offset, is_in_memory(hot) ? 0 : RWF_NOWAIT);
    sfd_hot_device_leave(&hot->device, sys, &call);
    return n < 0 && sfd_errno_policy(SFD_PLACE_READ, (int)n) == SFD_REMEDY_POOL ? -EAGAIN : n;
}

/* ---- sending ---- */

struct sending {
    struct sfd_hot *hot;
    struct sfd_move move;
    enum sfd_technique technique;
};

/* 0 or -errno: what the destination is, and by which technique nothing waits for it. */
static int find_destination(struct sending *s, int dest, const struct sfd_fd_info *known)
{
    const struct sfd_sys *sys = s->hot->kernel.sys;
    struct sfd_fd_info info;
    int result = 0;

    if (known != NULL) {
        info = *known;
    } else {
        result = sfd_fd_classify(sys, dest, &info);
        if (result == 0 && !info.asked) result = sfd_fd_ask(sys, dest, &info);
    }
    if (result < 0) return result;
    if (!info.writable) return -EBADF;
    s->move.dest = dest;
    s->move.dest_kind = info.kind;
    switch (info.kind) {
    case SFD_FD_TCP:
    case SFD_FD_UNIX_STREAM:
        /* sendfile(2) has no flag by which it would not wait, and with O_APPEND it is refused. */
        s->technique = info.nonblock && !info.append ? SFD_TECHNIQUE_SENDFILE : SFD_TECHNIQUE_READ_WRITE;
        return 0;
    case SFD_FD_PIPE:
        /* The head is written, which a pipe without O_NONBLOCK waits for on some kernels. */
        if (!info.nonblock && s->hot->kernel.pipe_write_flags == 0) return -EOPNOTSUPP;
        s->technique = SFD_TECHNIQUE_SPLICE;
        return 0;
    default:
        return -EOPNOTSUPP;
    }
}

/* What of a window is in memory now; a read finds out by itself. */
static bool is_resident(const struct sending *s, uint64_t offset, uint64_t length)
{
    return sfd_residency_probe(&s->hot->kernel, s->hot->medium, s->move.file, offset, length) == length;
}

/* Takes what one step says. False: it is over. */
static bool take(struct sfd_hot_sent *sent, const struct sfd_progress *progress)
{
    sent->error = progress->error;
    switch (progress->step) {
    case SFD_STEP_MORE:
        return true;
    case SFD_STEP_BLOCKED:
        sent->step = SFD_HOT_STEP_BLOCKED;
        return false;
    case SFD_STEP_COLD:
    case SFD_STEP_SHORT: /* who may wait can wait for its end, too */
        sent->step = SFD_HOT_STEP_COLD;
        sent->error = 0;
        return false;
    default:
        sent->step = SFD_HOT_STEP_FAILED;
        return false;
    }
}

static bool send_head(const struct sending *s, const void *head, size_t length, bool more, struct sfd_hot_sent *sent)
{
    struct iovec iov = {.iov_base = (void *)(uintptr_t)head, .iov_len = length};

    const struct sfd_progress p = sfd_mover_memory(&s->hot->kernel, s->move.dest, s->move.dest_kind, &iov, 1, more);
    sent->head_moved = (size_t)p.moved;
    return take(sent, &p);
}

/* One window, and before the first one the head. False: it is over. */
static bool send_window(struct sending *s, const void *head, size_t head_length, uint64_t offset, uint64_t length,
                        uint64_t behind, struct sfd_hot_sent *sent)
{
    if (!is_resident(s, offset, length)) {
        sent->step = SFD_HOT_STEP_COLD;
        return false;
    }
    if (sent->head_moved < head_length && !send_head(s, head, head_length, true, sent)) return false;
    s->move.more = behind > 0;
    uint64_t moved = 0;
    while (moved < length) {
        const struct sfd_progress p = sfd_mover_step(&s->move, s->technique, offset + moved, length - moved);
        moved += p.moved;
        sent->moved += p.moved;
        if (!take(sent, &p)) return false;
    }
    return true;
}

static void send_all(struct sending *s, const void *head, size_t head_length, uint64_t offset, uint64_t length,
                     struct sfd_hot_sent *sent)
{
    const struct sfd_sys *sys = s->hot->kernel.sys;
    bool goes_on = true;

    if (length == 0) (void)send_head(s, head, head_length, false, sent);
    while (goes_on && sent->moved < length) {
        const uint64_t rest = length - sent->moved;
        const uint64_t window = rest < WINDOW_BYTES ? rest : WINDOW_BYTES;
        struct sfd_hot_call call;
        if (!sfd_hot_device_enter(&s->hot->device, sys, &call)) {
            sent->step = SFD_HOT_STEP_COLD;
            return;
        }
        goes_on = send_window(s, head, head_length, offset + sent->moved, window, rest - window, sent);
        sfd_hot_device_leave(&s->hot->device, sys, &call);
    }
}

struct sfd_hot_sent sfd_hot_source_send(struct sfd_hot_source *file, int dest, const struct sfd_fd_info *known,
                                        const void *head, size_t head_length, uint64_t offset, uint64_t length)
{
    char buffer[COPY_BYTES];
    struct sfd_hot_sent sent = {.step = SFD_HOT_STEP_DONE};
    struct sending s = {
        .hot = file->hot,
        .move = {.kernel = &file->hot->kernel,
                 .file = file->fd,
                 .memory_file = is_in_memory(file->hot),
                 .buffer = buffer,
                 .buffer_size = sizeof(buffer)},
    };

    const bool is_inside = offset <= file->size && length <= file->size - offset;
    const int result = is_inside ? find_destination(&s, dest, known) : -ERANGE;
    if (result < 0) return (struct sfd_hot_sent){.step = SFD_HOT_STEP_FAILED, .error = result};
    /* send(2) has MSG_NOSIGNAL. */
    const bool raises = !s.hot->sigpipe_is_harmless && s.technique != SFD_TECHNIQUE_READ_WRITE;
    const struct sfd_pipe_signal held = raises ? sfd_pipe_signal_hold() : (struct sfd_pipe_signal){.was_blocked = true};
    send_all(&s, head, head_length, offset, length, &sent);
    if (raises) sfd_pipe_signal_release(&held, sent.error == -EPIPE);
    return sent;
}
