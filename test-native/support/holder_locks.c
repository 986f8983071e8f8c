/*
 * Clients that hold a lock of the kernel which the daemon needs: the mutex of a pipe, the lock of a socket.
 *
 * Role: each has a thread, the locker, in a call that waits inside the lock; it holds when the kernel says that the
 *   thread sleeps there. What it waits for is the reader of a blocking socket (splice), or the disk behind a private
 *   mapping: the kernel takes the lock first, and then meets a page that is not there (read, recv).
 * Threads: the client's main thread decides when it ends, and receives what the locker does not.
 */
#include "holder.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "driver_common.h"

enum { PAGE = 4096, PIECE = 16 * PAGE, PIECES = 32, SLOW_BYTES = 16384 };

struct locker {
    const struct holder *holder;
    struct transfer *transfer; /* whose bytes it reads */
    int from;
    int to;
    unsigned char *memory; /* a page of the dead disk */
    int disk;
    atomic_bool over;
    atomic_int tid;
    pthread_t thread;
};

static void start(struct locker *l, void *(*body)(void *))
{
    if (pthread_create(&l->thread, NULL, body, l) != 0) driver_die("pthread_create");
}

/* Waits for the end of the locker; false: not in time. */
static bool join(const struct locker *l, long deadline_ms)
{
    const long left = deadline_ms - now_ms();
    struct timespec deadline;

    (void)clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += left > 0 ? left / 1000 + 1 : 0;
    return pthread_timedjoin_np(l->thread, NULL, &deadline) == 0;
}

/* Whether the locker sleeps in this system call (proc_pid_syscall(5)). */
static bool sleeps_in(const struct locker *l, long call)
{
    char name[64];
    char text[32] = "";
    const int tid = atomic_load(&l->tid);

    if (tid == 0) return false;
    (void)snprintf(name, sizeof name, "/proc/self/task/%d/syscall", tid);
    const int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    const ssize_t n = read(fd, text, sizeof text - 1);
    (void)close(fd);
    return n > 0 && text[0] >= '0' && text[0] <= '9' && atol(text) == call;
}

/* Waits until the locker holds: it has bytes to take, and stays in the call. */
static void await_held(const struct locker *l, long call)
{
    const long deadline = now_ms() + l->holder->patience_ms;

    for (int looks = 0; looks < 5;) {
        struct pollfd bytes = {.fd = l->from, .events = POLLIN}; /* takes no lock */
        if (now_ms() >= deadline) return;
        looks = poll(&bytes, 1, 0) > 0 && sleeps_in(l, call) ? looks + 1 : 0;
        (void)poll(NULL, 0, 1);
    }
    say_held(l->holder);
}

/* ---- memory that is not there ---- */

/* So that the next access waits for the disk. */
static void forget_dead(const struct locker *l)
{
    (void)madvise(l->memory, PAGE, MADV_DONTNEED);
    (void)posix_fadvise(l->disk, (off_t)l->holder->number * PAGE, PAGE, POSIX_FADV_DONTNEED);
}

static void map_dead(struct locker *l)
{
    const struct holder *h = l->holder;

    l->disk = open(h->dead, O_RDONLY | O_CLOEXEC);
    if (l->disk < 0) driver_die(h->dead);
    l->memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, l->disk, (off_t)h->number * PAGE);
    if (l->memory == MAP_FAILED) driver_die("mmap");
    forget_dead(l); /* an earlier user of the disk may have read it */
}

/* ---- a pipe's mutex ---- */

static void *splice_on(void *argument)
{
    struct locker *l = argument;

    atomic_store(&l->tid, gettid());
    while (splice(l->from, NULL, l->to, NULL, PIECE, SPLICE_F_MOVE) > 0) {
    }
    (void)shutdown(l->to, SHUT_WR);
    return NULL;
}

/* A byte, so that the locker has something to take before the daemon writes. */
static uint64_t put(int pipe)
{
    if (write(pipe, "", 1) != 1) driver_die("write");
    return 1;
}

/* Until no byte goes in for some time. */
static uint64_t fill(int socket)
{
    static const char bytes[PIECE];
    struct pollfd room = {.fd = socket, .events = POLLOUT};
    uint64_t filled = 0;

    do {
        for (ssize_t n; (n = send(socket, bytes, sizeof bytes, MSG_DONTWAIT | MSG_NOSIGNAL)) > 0;)
            filled += (uint64_t)n;
        for (ssize_t n; (n = send(socket, bytes, 1, MSG_DONTWAIT | MSG_NOSIGNAL)) > 0;)
            filled += (uint64_t)n;
    } while (poll(&room, 1, 20) > 0);
    return filled;
}

void hold_by_splice(const struct holder *h)
{
    const bool slow = h->kind->pause_ms > 0;
    const long pause_ms = slow ? h->kind->pause_ms : h->hold_ms > 0 ? h->hold_ms : -1;
    struct transfer t;
    struct locker l = {.holder = h, .transfer = &t};
    struct outcome outcome = {0};
    int pipe[2];
    int peer;
    bool sent;

    l.to = driver_open_destination(h->kind->to, &peer);
    if (pipe2(pipe, O_CLOEXEC) < 0) driver_die("pipe");
    l.from = pipe[0];
    uint64_t foreign = fill(l.to);
    if (h->early) foreign += put(pipe[1]);
    transfer_begin_read(&t, h, peer, foreign);
    start(&l, splice_on);
    if (h->early) await_held(&l, SYS_splice);
    sent = transfer_ask(h, pipe[1], -1);
    if (!h->early) await_held(&l, SYS_splice);
    while (!is_over(h, pause_ms))
        for (int i = 0; i < (slow ? 1 : PIECES); i++)
            transfer_receive(&t, slow ? SLOW_BYTES : PIECE, 5);
    if (sent) (void)transfer_finish(&t, false, now_ms() + RELEASE_MS);
    transfer_count(&t, &outcome);
    say_outcome(h, &outcome);
}

static void *read_on(void *argument)
{
    struct locker *l = argument;
    unsigned char page[PAGE];
    bool dead = true;

    atomic_store(&l->tid, gettid());
    for (;;) {
        unsigned char *memory = dead && !atomic_load(&l->over) ? l->memory : page;
        const ssize_t n = read(l->from, memory, PAGE);
        if (n < 0 && errno == EFAULT && memory != page) {
            dead = false; /* the disk has gone */
            continue;
        }
        if (n <= 0) break;
        transfer_take(l->transfer, memory, (size_t)n);
        if (memory != page) forget_dead(l);
    }
    transfer_end(l->transfer);
    return NULL;
}

void hold_by_read(const struct holder *h)
{
    struct transfer t;
    struct locker l = {.holder = h, .transfer = &t};
    struct outcome outcome = {0};
    int pipe[2];
    bool sent;

    if (pipe2(pipe, O_CLOEXEC) < 0) driver_die("pipe");
    l.from = pipe[0];
    map_dead(&l);
    transfer_begin_read(&t, h, pipe[0], h->early ? put(pipe[1]) : 0);
    start(&l, read_on);
    if (h->early) await_held(&l, SYS_read);
    sent = transfer_ask(h, pipe[1], -1);
    if (!h->early) await_held(&l, SYS_read);
    (void)is_over(h, -1);
    atomic_store(&l.over, true);
    const bool joined = sent && join(&l, now_ms() + RELEASE_MS);
    if (!joined) t.ended = false;
    transfer_count(&t, &outcome);
    say_outcome(h, &outcome);
}

/* ---- a socket's lock ---- */

/* The peer sends a byte, which the destination is read for: into memory that is not there. */
static void *receive_on(void *argument)
{
    struct locker *l = argument;

    atomic_store(&l->tid, gettid());
    while (!atomic_load(&l->over)) {
        struct pollfd ready = {.fd = l->from, .events = POLLIN};
        if (send(l->to, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1 || poll(&ready, 1, 1000) <= 0) break;
        if (recv(l->from, l->memory, 1, 0) != 1) break;
        forget_dead(l);
    }
    return NULL;
}

void hold_by_socket(const struct holder *h)
{
    struct transfer t;
    struct locker l = {.holder = h, .transfer = &t};
    struct outcome outcome = {0};
    int data;
    bool sent = true;

    l.from = driver_open_destination(h->kind->to, &data);
    l.to = dup(data);
    if (l.to < 0) driver_die("dup");
    map_dead(&l);
    const int status = transfer_begin_send(&t, h, data);
    if (!h->early) {
        sent = transfer_ask(h, status, l.from);
        for (const long deadline = now_ms() + h->patience_ms; t.received == 0 && now_ms() < deadline;)
            transfer_receive(&t, PIECE, 10);
    }
    start(&l, receive_on);
    await_held(&l, SYS_recvfrom);
    if (h->early) sent = transfer_ask(h, status, l.from);
    while (!is_over(h, 0))
        transfer_receive(&t, PIECE, 50);
    atomic_store(&l.over, true);
    const long deadline = now_ms() + RELEASE_MS;
    if (sent && transfer_finish(&t, false, deadline) && join(&l, deadline)) {
        (void)shutdown(l.from, SHUT_WR);
        (void)transfer_finish(&t, true, deadline);
    }
    transfer_count(&t, &outcome);
    say_outcome(h, &outcome);
}
