/*
 * The system calls that the core uses. The only file of the core that reads errno.
 */
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <linux/openat2.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

/* The same number on every architecture (asm-generic since 5.10), and missing in the headers of older distributions. */
#ifndef __NR_cachestat
#define __NR_cachestat 451
#endif

/* A write to an eventfd fails this often only if the descriptor is no eventfd (eventfd(2)). */
#define SIGNAL_TRIES 1000

/* Evaluates a call until it is not interrupted; yields its result or -errno. */
#define RETRY(type, call)                                                                                              \
    do {                                                                                                               \
        type result_;                                                                                                  \
        do {                                                                                                           \
            result_ = (type)(call);                                                                                    \
        } while (result_ < 0 && errno == EINTR);                                                                       \
        return result_ < 0 ? (type)-errno : result_;                                                                   \
    } while (0)

static int sys_openat2(int dir, const char *path, const struct open_how *how)
{
    RETRY(int, syscall(SYS_openat2, dir, path, how, sizeof(*how)));
}

static int sys_statx(int fd, const char *path, int flags, unsigned mask, struct statx *out)
{
    /* By number: where the kernel refuses it, statx(3) makes do with fstat(2), which waits for a file server. */
    RETRY(int, syscall(SYS_statx, fd, path, flags, mask, out));
}

static int sys_fstatfs_type(int fd, uint64_t *type)
{
    struct statfs st;
    int result;

    do {
        result = fstatfs(fd, &st);
    } while (result < 0 && errno == EINTR);
    if (result < 0) return -errno;
    *type = (uint64_t)st.f_type;
    return 0;
}

static int sys_close(int fd)
{
    /* Linux frees the number even when close fails: a retry could close another descriptor that has it by then. */
    return close(fd) < 0 ? -errno : 0;
}

static int sys_fadvise(int fd, uint64_t offset, uint64_t length, int advice)
{
    return -posix_fadvise(fd, (off_t)offset, (off_t)length, advice);
}

static int sys_cachestat(int fd, const struct sfd_cachestat_range *range, struct sfd_cachestat *out)
{
    RETRY(int, syscall(__NR_cachestat, fd, range, out, 0));
}

static struct flock read_lock(uint64_t offset, uint64_t length)
{
    return (struct flock){
        .l_type = F_RDLCK,
        .l_whence = SEEK_SET,
        .l_start = (off_t)offset,
        .l_len = (off_t)length,
    };
}

static int sys_ofd_read_lock(int fd, uint64_t offset, uint64_t length)
{
    struct flock lock = read_lock(offset, length);

    RETRY(int, fcntl(fd, F_OFD_SETLK, &lock));
}

static int sys_ofd_test_read_lock(int fd, uint64_t offset, uint64_t length)
{
    struct flock lock = read_lock(offset, length);
    int result;

    do {
        result = fcntl(fd, F_OFD_GETLK, &lock);
    } while (result < 0 && errno == EINTR);
    if (result < 0) return -errno;
    return lock.l_type == F_UNLCK ? 0 : -EAGAIN;
}

static int64_t sys_lseek(int fd, int64_t offset, int whence)
{
    RETRY(int64_t, lseek(fd, (off_t)offset, whence));
}

static int sys_fallocate(int fd, int mode, uint64_t offset, uint64_t length)
{
    RETRY(int, fallocate(fd, mode, (off_t)offset, (off_t)length));
}

static int sys_mmap(size_t length, int protection, int flags, int fd, uint64_t offset, void **out)
{
    void *const address = mmap(NULL, length, protection, flags, fd, (off_t)offset);

    if (address == MAP_FAILED) return -errno;
    *out = address;
    return 0;
}

static int sys_munmap(void *address, size_t length)
{
    return munmap(address, length) < 0 ? -errno : 0;
}

/* Without flags both are the older calls, which no filter of a container refuses. */
static int64_t sys_preadv2(int fd, const struct iovec *iov, int count, int64_t offset, int flags)
{
    if (flags == 0) RETRY(int64_t, preadv(fd, iov, count, (off_t)offset));
    RETRY(int64_t, preadv2(fd, iov, count, (off_t)offset, flags));
}

static int64_t sys_pwritev2(int fd, const struct iovec *iov, int count, int64_t offset, int flags)
{
    if (flags == 0 && offset == -1) RETRY(int64_t, writev(fd, iov, count));
    if (flags == 0) RETRY(int64_t, pwritev(fd, iov, count, (off_t)offset));
    RETRY(int64_t, pwritev2(fd, iov, count, (off_t)offset, flags));
}

static int64_t sys_sendfile(int out, int in, int64_t *offset, size_t count)
{
    const ssize_t n = sendfile(out, in, (off_t *)offset, count);

    return n < 0 ? -errno : n;
}

static int64_t sys_splice(int in, int64_t *offset, int out, size_t count, unsigned flags)
{
    const ssize_t n = splice(in, (off_t *)offset, out, NULL, count, flags);

    return n < 0 ? -errno : n;
}

static int64_t sys_splice_out(int pipe, int out, int64_t *offset, size_t count)
{
    const ssize_t n = splice(pipe, NULL, out, (off_t *)offset, count, SPLICE_F_MOVE);

    return n < 0 ? -errno : n;
}

static int64_t sys_copy_file_range(int in, int64_t *offset, int out, int64_t *out_offset, size_t count)
{
    RETRY(int64_t, copy_file_range(in, (off_t *)offset, out, (off_t *)out_offset, count, 0));
}

static int sys_fcntl(int fd, int command, int64_t argument)
{
    RETRY(int, fcntl(fd, command, (long)argument));
}

static int get_option(int fd, int level, int name, void *value, socklen_t size)
{
    RETRY(int, getsockopt(fd, level, name, value, &size));
}

static int sys_pidfd_open(int pid)
{
    RETRY(int, syscall(SYS_pidfd_open, pid, 0));
}

static int sys_getsockopt_int(int fd, int level, int name, int *out)
{
    int value = 0;
    const int result = get_option(fd, level, name, &value, sizeof(value));

    if (result == 0) *out = value;
    return result;
}

static int sys_get_linger(int fd, struct linger *out)
{
    struct linger value = {0};
    const int result = get_option(fd, SOL_SOCKET, SO_LINGER, &value, sizeof(value));

    if (result == 0) *out = value;
    return result;
}

static int sys_accept(int fd)
{
    RETRY(int, accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
}

static int sys_peer_credentials(int fd, struct ucred *out)
{
    return get_option(fd, SOL_SOCKET, SO_PEERCRED, out, sizeof(*out));
}

static int sys_peer_uid(int fd, uint32_t *out)
{
    struct ucred value = {.uid = UINT32_MAX};
    const int result = get_option(fd, SOL_SOCKET, SO_PEERCRED, &value, sizeof(value));

    if (result == 0) *out = value.uid;
    return result;
}

static int sys_set_linger(int fd, const struct linger *value)
{
    RETRY(int, setsockopt(fd, SOL_SOCKET, SO_LINGER, value, sizeof(*value)));
}

static int sys_get_unread(int fd, int *out)
{
    int value = 0;
    int result;

    do {
        result = ioctl(fd, FIONREAD, &value);
    } while (result < 0 && errno == EINTR);
    if (result < 0) return -errno;
    *out = value;
    return 0;
}

static int sys_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    RETRY(int, recvmmsg(fd, messages, count, flags, NULL));
}

static int64_t sys_sendmsg(int fd, const struct msghdr *message, int flags)
{
    RETRY(int64_t, sendmsg(fd, message, flags));
}

static int64_t sys_send(int fd, const void *bytes, size_t length, int flags)
{
    RETRY(int64_t, send(fd, bytes, length, flags));
}

static int sys_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    RETRY(int, epoll_ctl(epoll, operation, fd, event));
}

static int sys_epoll_wait(int epoll, struct epoll_event *events, int count, int timeout_ms)
{
    /* An interrupted wait is an empty turn, not a new wait with the whole timeout. */
    const int n = epoll_wait(epoll, events, count, timeout_ms);
    if (n >= 0) return n;
    return errno == EINTR ? 0 : -errno;
}

uint64_t sfd_sys_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now); /* cannot fail with a valid clock and address */
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t sys_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int64_t sys_voluntary_switches(void)
{
    struct rusage usage = {0};

    (void)getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nvcsw;
}

static int sys_pipe2(int ends[2], int flags)
{
    RETRY(int, pipe2(ends, flags));
}

const struct sfd_sys sfd_sys_linux = {
    .openat = sfd_sys_openat,
    .openat2 = sys_openat2,
    .statx = sys_statx,
    .fstatfs_type = sys_fstatfs_type,
    .close = sys_close,
    .fadvise = sys_fadvise,
    .cachestat = sys_cachestat,
    .ofd_read_lock = sys_ofd_read_lock,
    .ofd_test_read_lock = sys_ofd_test_read_lock,
    .lseek = sys_lseek,
    .fallocate = sys_fallocate,
    .mmap = sys_mmap,
    .munmap = sys_munmap,
    .preadv2 = sys_preadv2,
    .pwritev2 = sys_pwritev2,
    .sendfile = sys_sendfile,
    .splice = sys_splice,
    .splice_out = sys_splice_out,
    .copy_file_range = sys_copy_file_range,
    .fcntl = sys_fcntl,
    .pipe2 = sys_pipe2,
    .memory_file = sfd_sys_memory_file,
    .pidfd_open = sys_pidfd_open,
    .getsockopt_int = sys_getsockopt_int,
    .get_linger = sys_get_linger,
    .accept = sys_accept,
    .peer_credentials = sys_peer_credentials,
    .peer_uid = sys_peer_uid,
    .set_linger = sys_set_linger,
    .get_unread = sys_get_unread,
    .recvmmsg = sys_recvmmsg,
    .sendmsg = sys_sendmsg,
    .send = sys_send,
    .epoll_ctl = sys_epoll_ctl,
    .epoll_wait = sys_epoll_wait,
    .now_ms = sfd_sys_now_ms,
    .now_ns = sys_now_ns,
    .voluntary_switches = sys_voluntary_switches,
};

int sfd_sys_thread_id(void)
{
    return (int)syscall(SYS_gettid);
}

void sfd_sys_block_terminal_stop(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTTOU);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void interrupt(int signal)
{
    (void)signal; /* its only effect is to interrupt a call */
}

/* Of this copy of the library: a JVM may have several, one a class loader, each with a handler of its own. */
static struct {
    pthread_mutex_t lock;
    unsigned users;
} wake_signal = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The first signal whose disposition is `handler` becomes ours: its number; or -ENOENT. */
static int take_signal(void (*handler)(int))
{
    const struct sigaction ours = {.sa_handler = interrupt};

    for (int signal = SIGRTMIN + 2; signal < SIGRTMAX - 2; signal++) {
        struct sigaction action;
        if (sigaction(signal, NULL, &action) < 0 || action.sa_handler != handler) continue;
        if (sigaction(signal, &ours, NULL) == 0) return signal;
    }
    return -ENOENT;
}

int sfd_sys_wake_signal(void)
{
    pthread_mutex_lock(&wake_signal.lock);
    int signal = take_signal(interrupt);
    /* Before one that nobody has touched: an ignored one may be what we have released. */
    if (signal < 0) signal = take_signal(SIG_IGN);
    if (signal < 0) signal = take_signal(SIG_DFL);
    if (signal >= 0) wake_signal.users++;
    pthread_mutex_unlock(&wake_signal.lock);
    return signal;
}

/*
 * Ignored, not default: the default action ends the process, and one may still be on its way. That also drops those
 * that are pending (POSIX, XSH 2.4.3).
 */
static void ignore_ours(void)
{
    const struct sigaction ignore = {.sa_handler = SIG_IGN};

    for (int signal = SIGRTMIN + 2; signal < SIGRTMAX - 2; signal++) {
        struct sigaction action;
        if (sigaction(signal, NULL, &action) == 0 && action.sa_handler == interrupt)
            (void)sigaction(signal, &ignore, NULL);
    }
}

void sfd_sys_wake_signal_release(void)
{
    pthread_mutex_lock(&wake_signal.lock);
    if (wake_signal.users > 0 && --wake_signal.users == 0) ignore_ours();
    pthread_mutex_unlock(&wake_signal.lock);
}

void sfd_sys_wake_signal_forget(void)
{
    pthread_mutex_lock(&wake_signal.lock);
    wake_signal.users = 0;
    ignore_ours();
    pthread_mutex_unlock(&wake_signal.lock);
}

void sfd_sys_unblock_signal(int signal)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, signal);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

bool sfd_sys_barrier(void)
{
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0) == 0) return true;
    if (errno != EPERM) return false;
    /* This process has not announced yet that it will ask. */
    return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0) == 0 &&
           syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0) == 0;
}

bool sfd_sys_thread_waits(int thread_id)
{
    char path[sizeof("/proc/self/task//stat") + 12];
    char stat[64]; /* number (name of 15 bytes at most) state ... */

    (void)snprintf(path, sizeof(path), "/proc/self/task/%d/stat", thread_id);
    const int fd = sfd_sys_openat(AT_FDCWD, path, O_RDONLY);
    if (fd < 0) return true;
    const ssize_t n = read(fd, stat, sizeof(stat) - 1);
    (void)close(fd);
    stat[n > 0 ? n : 0] = '\0';
    const char *name_end = strrchr(stat, ')');
    return name_end == NULL || strncmp(name_end, ") R", 3) != 0;
}

void sfd_sys_signal_thread(int thread_id, int signal)
{
    (void)syscall(SYS_tgkill, getpid(), thread_id, signal);
}

int sfd_sys_random(void *out, size_t length)
{
    unsigned char *at = out;

    while (length > 0) {
        const ssize_t n = getrandom(at, length, 0);
        if (n < 0 && errno != EINTR) return -errno;
        if (n <= 0) continue;
        at += n;
        length -= (size_t)n;
    }
    return 0;
}

void sfd_sys_stand_back(void)
{
    const struct sched_param none = {.sched_priority = 0};

    (void)sched_setscheduler(0, SCHED_BATCH, &none);
}

int sfd_sys_eventfd(void)
{
    RETRY(int, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

int sfd_sys_epoll(void)
{
    RETRY(int, epoll_create1(EPOLL_CLOEXEC));
}

void sfd_sys_event_signal(int eventfd)
{
    const uint64_t one = 1;
    ssize_t n;
    int tries = SIGNAL_TRIES;

    /*
     * A lost wake-up is not repeated, so errors are retried. EAGAIN means that the counter is full: the same as
     * success.
     */
    do {
        n = write(eventfd, &one, sizeof(one));
    } while (n < 0 && errno != EAGAIN && --tries > 0);
}

void sfd_sys_event_clear(int eventfd)
{
    uint64_t count;
    ssize_t n;

    do {
        n = read(eventfd, &count, sizeof(count));
    } while (n < 0 && errno == EINTR);
}

int sfd_sys_memory_file(const char *name)
{
    RETRY(int, memfd_create(name, MFD_CLOEXEC));
}

int sfd_sys_unix_datagram(void)
{
    RETRY(int, socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

int sfd_sys_unix_connect(int socket, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const size_t length = strlen(path);

    if (length >= sizeof(address.sun_path)) return -ENAMETOOLONG;
    memcpy(address.sun_path, path, length + 1);
    RETRY(int, connect(socket, (const struct sockaddr *)&address, sizeof(address)));
}

int sfd_sys_wait_readable(int fd, int timeout_ms)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    RETRY(int, poll(&poll_fd, 1, timeout_ms));
}

int sfd_sys_wait_either_readable(int first, int second, int timeout_ms)
{
    struct pollfd poll_fds[] = {{.fd = first, .events = POLLIN}, {.fd = second, .events = POLLIN}};

    RETRY(int, poll(poll_fds, 2, timeout_ms));
}

int sfd_sys_wait_writable(int fd, int timeout_ms)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};

    RETRY(int, poll(&poll_fd, 1, timeout_ms));
}

int sfd_sys_openat(int dir, const char *path, int flags)
{
    RETRY(int, openat(dir, path, flags | O_CLOEXEC));
}
