/*
 * The system calls that the core uses, as one table of functions.
 *
 * Role: the only door to the kernel. Tests copy `sfd_sys_linux`, replace entries and so script short writes, EAGAIN or
 * ENOSPC without a line of test code in the product.
 * Thread: any; the table is constant and the functions keep no state.
 * Rule: each function gives >= 0 or -errno. EINTR is retried here, but not for close, see close(2), and not for
 * sendfile and splice: a signal is how the watchdog frees a loop whose client has made its socket block.
 */
#ifndef SFD_SYS_SYS_H
#define SFD_SYS_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

struct statx;
struct open_how;

/* Of linux/mman.h (6.5); repeated because the oldest headers that we build with do not have it. */
struct sfd_cachestat_range {
    uint64_t offset;
    uint64_t length;
};

struct sfd_cachestat {
    uint64_t nr_cache;
    uint64_t nr_dirty;
    uint64_t nr_writeback;
    uint64_t nr_evicted;
    uint64_t nr_recently_evicted;
};

struct sfd_sys {
    /* files */
    int (*openat)(int dir, const char *path, int flags); /* sfd_sys_openat */
    int (*openat2)(int dir, const char *path, const struct open_how *how);
    int (*statx)(int fd, const char *path, int flags, unsigned mask, struct statx *out);
    int (*fstatfs_type)(int fd, uint64_t *type);
    int (*close)(int fd);
    int (*fadvise)(int fd, uint64_t offset, uint64_t length, int advice);
    int (*cachestat)(int fd, const struct sfd_cachestat_range *range, struct sfd_cachestat *out);
    int (*ofd_read_lock)(int fd, uint64_t offset, uint64_t length);
    int (*ofd_test_read_lock)(int fd, uint64_t offset, uint64_t length); /* takes none */
    int64_t (*lseek)(int fd, int64_t offset, int whence);
    int (*fallocate)(int fd, int mode, uint64_t offset, uint64_t length);
    int (*mmap)(size_t length, int protection, int flags, int fd, uint64_t offset, void **out);
    int (*munmap)(void *address, size_t length);

    /* bytes */
    int64_t (*preadv2)(int fd, const struct iovec *iov, int count, int64_t offset, int flags);
    int64_t (*pwritev2)(int fd, const struct iovec *iov, int count, int64_t offset, int flags);
    int64_t (*sendfile)(int out, int in, int64_t *offset, size_t count);
    int64_t (*splice)(int in, int64_t *offset, int out, size_t count, unsigned flags);
    int64_t (*splice_out)(int pipe, int out, int64_t *offset, size_t count); /* splice(2) into a file */
    int64_t (*copy_file_range)(int in, int64_t *offset, int out, int64_t *out_offset, size_t count);

    /* descriptors and sockets */
    int (*fcntl)(int fd, int command, int64_t argument);
    int (*pipe2)(int ends[2], int flags);
    int (*memory_file)(const char *name); /* sfd_sys_memory_file */
    int (*pidfd_open)(int pid);           /* CLOEXEC, Linux 5.3 */
    int (*getsockopt_int)(int fd, int level, int name, int *out);
    int (*get_linger)(int fd, struct linger *out);
    int (*accept)(int fd);                              /* of a listening socket: CLOEXEC, non-blocking */
    int (*peer_credentials)(int fd, struct ucred *out); /* of a connected UNIX socket: as it was at connect(2) */
    int (*peer_uid)(int fd, uint32_t *out); /* of a connected UNIX socket: who connected, or listened (SO_PEERCRED) */
    int (*set_linger)(int fd, const struct linger *value);
    int (*get_unread)(int fd, int *out); /* bytes that wait in a socket's receive queue */
    int (*recvmmsg)(int fd, struct mmsghdr *messages, unsigned count, int flags);
    int64_t (*sendmsg)(int fd, const struct msghdr *message, int flags); /* clients only: the sandbox refuses it */
    int64_t (*send)(int fd, const void *bytes, size_t length, int flags);

    /* waiting */
    int (*epoll_ctl)(int epoll, int operation, int fd, struct epoll_event *event);
    int (*epoll_wait)(int epoll, struct epoll_event *events, int count, int timeout_ms);

    /* clocks: neither blocks nor enters the kernel */
    uint64_t (*now_ms)(void); /* sfd_sys_now_ms */
    uint64_t (*now_ns)(void); /* of CLOCK_MONOTONIC, exact; costs ~25 ns */

    /* how often the calling thread has given up its processor to wait (getrusage(2), ru_nvcsw); enters the kernel */
    int64_t (*voluntary_switches)(void);
};

/* The calls of the running kernel. */
extern const struct sfd_sys sfd_sys_linux;

/* Milliseconds of CLOCK_MONOTONIC, at the resolution of the kernel's tick (some ms); never blocks, costs ~5 ns. */
uint64_t sfd_sys_now_ms(void);

/* The calling thread's id, as sfd_sys_signal_thread takes it. */
int sfd_sys_thread_id(void);

/*
 * Blocks SIGTTOU in the calling thread, so that it can write to the terminal from which the process was started, also
 * as a background job. With stty tostop, which any user of the terminal can set, SIGTTOU would stop the whole process.
 */
void sfd_sys_block_terminal_stop(void);

/*
 * A real-time signal of this process whose only effect is to interrupt a call: its number, or -ENOENT when none is
 * free. Installs a handler that does nothing, without SA_RESTART, until each call was answered by a release. Skips
 * signals that are already in use. Any thread.
 */
int sfd_sys_wake_signal(void);

/* Its user sends it no more. After the last release it is ignored, and found again by the next call. Any thread. */
void sfd_sys_wake_signal_release(void);

/* This library is about to be unloaded, and its handler with it: as if every user had released it. */
void sfd_sys_wake_signal_forget(void);

/* For the calling thread: one may have been started by a thread that blocks all signals. */
void sfd_sys_unblock_signal(int signal);

/*
 * Sets SCHED_BATCH for the calling thread: when it wakes, it does not preempt a running thread. For threads that only
 * wait and hand work over. Does nothing if the kernel refuses.
 */
void sfd_sys_stand_back(void);

/*
 * A barrier in every thread of this process: what each of them has stored before it is visible to the caller
 * afterwards, and what the caller has stored is visible to their later loads (membarrier(2), PRIVATE_EXPEDITED). Costs
 * some microseconds here and nothing there. True once it is known to work, from the first call on.
 */
bool sfd_sys_barrier(void);

/*
 * Whether a thread of this process waits: it neither runs nor wants a processor. True also when /proc does not tell.
 * Costs some 10 us; never blocks.
 */
bool sfd_sys_thread_waits(int thread_id);

/* Sends a signal to one thread of this process; one that has ended is no error. */
void sfd_sys_signal_thread(int thread_id, int signal);

/* Fills `out` with unpredictable bytes. 0 or -errno. Blocks only before the kernel's pool is ready, early at boot. */
int sfd_sys_random(void *out, size_t length);

/* Non-blocking, CLOEXEC eventfd / epoll instance: a descriptor or -errno. */
int sfd_sys_eventfd(void);
int sfd_sys_epoll(void);

/* Adds to / empties an eventfd of sfd_sys_eventfd; a counter that is already full or empty is no error. */
void sfd_sys_event_signal(int eventfd);
void sfd_sys_event_clear(int eventfd);

/* CLOEXEC, nameless memory file (memfd_create): a descriptor or -errno. `name` is shown in /proc. */
int sfd_sys_memory_file(const char *name);

/* CLOEXEC AF_UNIX datagram socket: a descriptor or -errno. */
int sfd_sys_unix_datagram(void);

/*
 * Connects to (or, when it is connected, reconnects to) the socket at `path`: 0 or -errno. -ENAMETOOLONG above 107
 * bytes.
 */
int sfd_sys_unix_connect(int socket, const char *path);

/* Waits until `fd` can be read from, or written to: 1, 0 after timeout_ms (negative: no limit), or -errno. */
int sfd_sys_wait_readable(int fd, int timeout_ms);

/* The same for either of two, of which a negative one never is. The number of those that are, 0 or -errno. */
int sfd_sys_wait_either_readable(int first, int second, int timeout_ms);
int sfd_sys_wait_writable(int fd, int timeout_ms);

/* openat(2) with CLOEXEC added: a descriptor or -errno. Waits for the disk. */
int sfd_sys_openat(int dir, const char *path, int flags);

#endif
