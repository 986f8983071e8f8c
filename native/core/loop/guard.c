/*
 * The guard around the calls of a loop; carrier.c has the reasons.
 *
 * A call costs two stores and one load more than before. No atomic read-modify-write is needed: who claims a carrier
 * stores the claim, makes a barrier in all threads (membarrier(2)), and then reads the word. So either this thread's
 * end of the call was seen, and it keeps its loop, or it sees the claim. Without membarrier(2) the stores and the loads
 * of both are sequentially consistent. (Not a fence: ThreadSanitizer knows none.)
 */
#include "loop/guard.h"

#include <fcntl.h>

#include "loop/carrier.h"
#include "loop/loop_private.h"

/* A system call has no argument for its caller. */
static _Thread_local struct sfd_carrier *current;

void sfd_guard_enter(struct sfd_carrier *carrier)
{
    current = carrier;
}

void sfd_guard_leave(void)
{
    current = NULL;
}

static inline __attribute__((always_inline)) struct sfd_carrier *begin(void)
{
    struct sfd_carrier *carrier = current;

    if (carrier->suspect) sfd_carrier_step_aside(carrier);
    const uint64_t word = atomic_load_explicit(&carrier->word, memory_order_relaxed);
    /* Release: who finds it in a call, and takes its loop, sees all that it has done with it. */
    atomic_store_explicit(&carrier->word, word | 1, memory_order_release);
    return carrier;
}

static inline __attribute__((always_inline)) void end(struct sfd_carrier *carrier)
{
    const uint64_t word = atomic_load_explicit(&carrier->word, memory_order_relaxed);

    if (carrier->fences) {
        atomic_store(&carrier->word, word + 1);
    } else {
        atomic_store_explicit(&carrier->word, word + 1, memory_order_release);
        atomic_signal_fence(memory_order_seq_cst);
    }
    if (atomic_load(&carrier->claimed)) sfd_carrier_come_back(carrier);
}

/* A thread that carries no loop, such as one that closes what an event loop must not, makes its calls directly. */
#define GUARD(type, name, parameters, arguments)                                                                       \
    static type guard_##name parameters                                                                                \
    {                                                                                                                  \
        if (current == NULL) return sfd_sys_linux.name arguments;                                                      \
        struct sfd_carrier *carrier = begin();                                                                         \
        const type result = carrier->sys->name arguments;                                                              \
        end(carrier);                                                                                                  \
        return result;                                                                                                 \
    }

/* Calls that wait for nothing. */
#define PASS(type, name, parameters, arguments)                                                                        \
    static type guard_##name parameters                                                                                \
    {                                                                                                                  \
        return (current == NULL ? &sfd_sys_linux : current->sys)->name arguments;                                      \
    }

GUARD(int, openat, (int dir, const char *path, int flags), (dir, path, flags))
GUARD(int, openat2, (int dir, const char *path, const struct open_how *how), (dir, path, how))
GUARD(int, statx, (int fd, const char *path, int flags, unsigned mask, struct statx *out), (fd, path, flags, mask, out))
GUARD(int, fstatfs_type, (int fd, uint64_t *type), (fd, type))
GUARD(int, close, (int fd), (fd))
GUARD(int, fadvise, (int fd, uint64_t offset, uint64_t length, int advice), (fd, offset, length, advice))
GUARD(int, cachestat, (int fd, const struct sfd_cachestat_range *range, struct sfd_cachestat *out), (fd, range, out))
GUARD(int, ofd_read_lock, (int fd, uint64_t offset, uint64_t length), (fd, offset, length))
GUARD(int, ofd_test_read_lock, (int fd, uint64_t offset, uint64_t length), (fd, offset, length))
GUARD(int64_t, lseek, (int fd, int64_t offset, int whence), (fd, offset, whence))
GUARD(int, fallocate, (int fd, int mode, uint64_t offset, uint64_t length), (fd, mode, offset, length))
GUARD(int, mmap, (size_t length, int protection, int flags, int fd, uint64_t offset, void **out),
      (length, protection, flags, fd, offset, out))
GUARD(int, munmap, (void *address, size_t length), (address, length))
GUARD(int64_t, preadv2, (int fd, const struct iovec *iov, int count, int64_t offset, int flags),
      (fd, iov, count, offset, flags))
GUARD(int64_t, pwritev2, (int fd, const struct iovec *iov, int count, int64_t offset, int flags),
      (fd, iov, count, offset, flags))
GUARD(int64_t, sendfile, (int out, int in, int64_t *offset, size_t count), (out, in, offset, count))
GUARD(int64_t, splice, (int in, int64_t *offset, int out, size_t count, unsigned flags),
      (in, offset, out, count, flags))
GUARD(int64_t, splice_out, (int pipe, int out, int64_t *offset, size_t count), (pipe, out, offset, count))
GUARD(int64_t, copy_file_range, (int in, int64_t *offset, int out, int64_t *out_offset, size_t count),
      (in, offset, out, out_offset, count))
GUARD(int, peer_uid, (int fd, uint32_t *out), (fd, out))
GUARD(int, get_linger, (int fd, struct linger *out), (fd, out))
GUARD(int, set_linger, (int fd, const struct linger *value), (fd, value))
GUARD(int, get_unread, (int fd, int *out), (fd, out))
GUARD(int, recvmmsg, (int fd, struct mmsghdr *messages, unsigned count, int flags), (fd, messages, count, flags))
GUARD(int64_t, send, (int fd, const void *bytes, size_t length, int flags), (fd, bytes, length, flags))

PASS(int, pipe2, (int ends[2], int flags), (ends, flags))
PASS(int, memory_file, (const char *name), (name))
PASS(int, pidfd_open, (int pid), (pid))
PASS(int, getsockopt_int, (int fd, int level, int name, int *out), (fd, level, name, out))
PASS(int, epoll_ctl, (int epoll, int operation, int fd, struct epoll_event *event), (epoll, operation, fd, event))
PASS(int, epoll_wait, (int epoll, struct epoll_event *events, int count, int timeout_ms),
     (epoll, events, count, timeout_ms))
PASS(uint64_t, now_ms, (void), ())
PASS(uint64_t, now_ns, (void), ())
PASS(int, accept, (int fd), (fd))
PASS(int, peer_credentials, (int fd, struct ucred *out), (fd, out))

/* The flags of a description are read without a lock; what is asked of a pipe, or of a memory file, takes its lock. */
static int guard_fcntl(int fd, int command, int64_t argument)
{
    if (current == NULL) return sfd_sys_linux.fcntl(fd, command, argument);
    if (command == F_GETFL) return current->sys->fcntl(fd, command, argument);
    struct sfd_carrier *carrier = begin();
    const int result = carrier->sys->fcntl(fd, command, argument);
    end(carrier);
    return result;
}

/* A suspect's thread waits for its loop after each call: that says nothing of a device. */
static int64_t guard_voluntary_switches(void)
{
    return current != NULL && current->suspect ? -1 : sfd_sys_linux.voluntary_switches();
}

const struct sfd_sys sfd_guard_sys = {
    .openat = guard_openat,
    .openat2 = guard_openat2,
    .statx = guard_statx,
    .fstatfs_type = guard_fstatfs_type,
    .close = guard_close,
    .fadvise = guard_fadvise,
    .cachestat = guard_cachestat,
    .ofd_read_lock = guard_ofd_read_lock,
    .ofd_test_read_lock = guard_ofd_test_read_lock,
    .lseek = guard_lseek,
    .fallocate = guard_fallocate,
    .mmap = guard_mmap,
    .munmap = guard_munmap,
    .preadv2 = guard_preadv2,
    .pwritev2 = guard_pwritev2,
    .sendfile = guard_sendfile,
    .splice = guard_splice,
    .splice_out = guard_splice_out,
    .copy_file_range = guard_copy_file_range,
    .fcntl = guard_fcntl,
    .pipe2 = guard_pipe2,
    .memory_file = guard_memory_file,
    .pidfd_open = guard_pidfd_open,
    .getsockopt_int = guard_getsockopt_int,
    .get_linger = guard_get_linger,
    .peer_uid = guard_peer_uid,
    .set_linger = guard_set_linger,
    .get_unread = guard_get_unread,
    .recvmmsg = guard_recvmmsg,
    .send = guard_send,
    .epoll_ctl = guard_epoll_ctl,
    .epoll_wait = guard_epoll_wait,
    .now_ms = guard_now_ms,
    .now_ns = guard_now_ns,
    .accept = guard_accept,
    .peer_credentials = guard_peer_credentials,
    .voluntary_switches = guard_voluntary_switches,
};
