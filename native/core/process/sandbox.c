/*
 * Landlock, on every thread of a process that has many; see sandbox.h.
 *
 * landlock_restrict_self(2) is for the calling thread alone (before ABI 8). So each thread is sent a signal whose
 * handler makes the call, as glibc does for setresuid(2). Each thread gets a domain of its own. The domains are alike;
 * only for signals it would matter that they are not the same, and the kernel exempts signals within a process (erratum
 * 2 of ABI 6).
 */
#include "process/sandbox.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "sys/sys.h"
#include "sys/sys_sandbox.h"

/* Of linux/landlock.h, which older headers lack in part. */
#define FS_EXECUTE               (1ULL << 0)
#define FS_WRITE_FILE            (1ULL << 1)
#define FS_READ_FILE             (1ULL << 2)
#define FS_READ_DIR              (1ULL << 3)
#define FS_REMOVE_FILE           (1ULL << 5)
#define FS_MAKE_REG              (1ULL << 8)
#define FS_MAKE_SOCK             (1ULL << 9)
#define FS_TRUNCATE              (1ULL << 14)
#define FS_IOCTL_DEV             (1ULL << 15)
#define NET_BIND_AND_CONNECT_TCP (3ULL)
#define SCOPE_ABSTRACT_SOCKETS   (1ULL << 0)
#define SCOPE_SIGNALS            (1ULL << 1)

/* The rights that apply to a file; the others apply to a directory only. */
#define OF_FILES (FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)

/* Erratum 2: signals between the threads of one process are allowed. The watchdog sends such signals. */
#define ERRATUM_SIGNALS (1 << 1)

enum { THREADS_MAX = 4096, PASSES_MAX = 100, PATIENCE_MS = 20000 };

/* ---- the ruleset ---------------------------------------------------------------------------------------------- */

/* What came of an attempt: a result, and the call that gave it. */
struct attempt {
    int result;
    const char *call;
};

/* A thread that restricts itself, to nothing less than it could do, and ends: so each call is made for once. */
static void *restrict_itself(void *out)
{
    const struct sfd_landlock_ruleset execution = {.handled_fs = FS_EXECUTE};
    struct attempt *attempt = out;
    const int root = sfd_sys_open_path("/");
    const int ruleset = sfd_sys_landlock_create(&execution, sizeof(execution.handled_fs));

    *attempt = (struct attempt){.result = ruleset, .call = "landlock_create_ruleset"};
    if (ruleset >= 0)
        *attempt =
            (struct attempt){.result = sfd_sys_landlock_allow(ruleset, FS_EXECUTE, root), .call = "landlock_add_rule"};
    if (attempt->result >= 0)
        *attempt = (struct attempt){.result = sfd_sys_landlock_restrict(ruleset), .call = "landlock_restrict_self"};
    sfd_sys_close_fd(ruleset);
    sfd_sys_close_fd(root);
    return NULL;
}

/* The ABI, or -errno and the call that is missing. */
static struct attempt try_landlock(void)
{
    struct attempt attempt = {.result = 0, .call = "landlock_create_ruleset"};
    pthread_t thread;
    const int abi = sfd_sys_landlock_abi();

    if (abi < 0) {
        attempt.result = abi;
        return attempt;
    }
    const int error = pthread_create(&thread, NULL, restrict_itself, &attempt);
    if (error != 0) return (struct attempt){.result = -error, .call = "clone"};
    (void)pthread_join(thread, NULL);
    if (attempt.result >= 0) attempt.result = abi;
    return attempt;
}

int sfd_sandbox_landlock(void)
{
    return try_landlock().result;
}

const char *sfd_sandbox_landlock_lacks(void)
{
    const struct attempt attempt = try_landlock();

    return attempt.result < 0 ? attempt.call : NULL;
}

/* Refuses everything that this ABI can refuse, unless a rule allows it. */
static struct sfd_landlock_ruleset everything(int abi, size_t *size)
{
    const int fs_bits = abi >= 5 ? 16 : abi >= 3 ? 15 : abi == 2 ? 14 : 13;
    struct sfd_landlock_ruleset all = {.handled_fs = (1ULL << fs_bits) - 1};

    *size = sizeof(all.handled_fs);
    if (abi >= 4) {
        all.handled_net = NET_BIND_AND_CONNECT_TCP;
        *size = offsetof(struct sfd_landlock_ruleset, scoped);
    }
    if (abi >= 6) {
        all.scoped = SCOPE_ABSTRACT_SOCKETS;
        if ((sfd_sys_landlock_errata() & ERRATUM_SIGNALS) != 0) all.scoped |= SCOPE_SIGNALS;
        *size = sizeof(all);
    }
    return all;
}

static uint64_t rights_of(unsigned access)
{
    uint64_t rights = 0;

    if ((access & SFD_SANDBOX_READ) != 0) rights |= FS_READ_FILE;
    if ((access & SFD_SANDBOX_LIST) != 0) rights |= FS_READ_DIR;
    if ((access & SFD_SANDBOX_WRITE) != 0) rights |= FS_WRITE_FILE | FS_IOCTL_DEV;
    if ((access & SFD_SANDBOX_MAKE) != 0) rights |= FS_MAKE_REG | FS_MAKE_SOCK | FS_REMOVE_FILE | FS_TRUNCATE;
    if ((access & SFD_SANDBOX_ADD) != 0) rights |= FS_MAKE_REG;
    return rights;
}

static int allow(int ruleset, uint64_t handled, const struct sfd_sandbox_rule *rule)
{
    uint64_t rights = rights_of(rule->access) & handled;
    const int fd = sfd_sys_open_path(rule->path);

    if (fd < 0) return fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM ? fd : 0;
    if (sfd_sys_is_directory(fd) < 0) rights &= OF_FILES;
    const int result = rights == 0 ? 0 : sfd_sys_landlock_allow(ruleset, rights, fd);
    sfd_sys_close_fd(fd);
    return result;
}

static int make_ruleset(const struct sfd_sandbox_rule *rules, size_t count)
{
    size_t size;
    const int abi = sfd_sys_landlock_abi();
    if (abi < 0) return abi;
    const struct sfd_landlock_ruleset all = everything(abi, &size);
    const int ruleset = sfd_sys_landlock_create(&all, size);

    for (size_t i = 0; ruleset >= 0 && i < count; i++) {
        const int result = allow(ruleset, all.handled_fs, &rules[i]);
        if (result < 0) {
            sfd_sys_close_fd(ruleset);
            return result;
        }
    }
    return ruleset;
}

/* ---- every thread --------------------------------------------------------------------------------------------- */

enum { PENDING = 1 }; /* a result is 0 or less */

struct order {
    int thread;
    int ruleset;
    atomic_int result;
};

struct roll {
    struct order *orders; /* of all threads that were signalled */
    int *threads;         /* found by one pass */
    int count;
    int signal;
};

/* The signal handler. Any thread, at any moment: makes only system calls and an atomic store. */
static void obey(int number, siginfo_t *info, void *context)
{
    const int saved = errno; /* the interrupted code's */

    (void)number;
    (void)context;
    if (info->si_code == SI_QUEUE && info->si_pid == sfd_sys_process_id()) {
        struct order *order = info->si_value.sival_ptr;
        atomic_store(&order->result, sfd_sys_landlock_restrict(order->ruleset));
    }
    errno = saved;
}

static bool is_called(const struct roll *roll, int thread)
{
    for (int i = 0; i < roll->count; i++)
        if (roll->orders[i].thread == thread) return true;
    return false;
}

/* Signals all threads that were not signalled before, except this one. Returns how many, or -errno. */
static int call_threads(struct roll *roll, int self, int ruleset)
{
    const int found = sfd_sys_threads(roll->threads, THREADS_MAX);
    int called = 0;

    if (found < 0) return found;
    if (found > THREADS_MAX) return -E2BIG;
    for (int i = 0; i < found; i++) {
        if (roll->threads[i] == self || is_called(roll, roll->threads[i])) continue;
        if (roll->count == THREADS_MAX) return -E2BIG;
        struct order *order = &roll->orders[roll->count];
        order->thread = roll->threads[i];
        order->ruleset = ruleset;
        atomic_store(&order->result, PENDING);
        const int result = sfd_sys_signal_send(order->thread, roll->signal, order);
        if (result == -ESRCH) continue;
        if (result < 0) return result;
        roll->count++;
        called++;
    }
    return called;
}

/* Waits until every signalled thread has answered or ended. */
static int await_threads(const struct roll *roll)
{
    int waited = 0;

    for (int i = 0; i < roll->count;) {
        const int result = atomic_load(&roll->orders[i].result);
        if (result < 0) return result;
        if (result == 0 || sfd_sys_thread_alive(roll->orders[i].thread) == -ESRCH) {
            i++;
            continue;
        }
        if (waited++ >= PATIENCE_MS) return -ETIMEDOUT;
        sfd_sys_sleep_ms(1);
    }
    return 0;
}

/*
 * A thread that is not restricted yet may start another one meanwhile; the next pass finds that one. When a pass finds
 * no new thread, all threads are restricted, and so will be the threads that they start.
 */
static int restrict_others(struct roll *roll, int ruleset)
{
    const int self = sfd_sys_thread_id();

    for (int pass = 0; pass < PASSES_MAX; pass++) {
        const int called = call_threads(roll, self, ruleset);
        if (called <= 0) return called;
        const int result = await_threads(roll);
        if (result < 0) return result;
    }
    return -EAGAIN;
}

static int restrict_all(struct roll *roll, int ruleset)
{
    struct sigaction previous;

    roll->signal = sfd_sys_signal_take(obey, &previous);
    if (roll->signal < 0) return roll->signal;
    int result = restrict_others(roll, ruleset);
    if (result < 0) return result;
    result = sfd_sys_landlock_restrict(ruleset);
    sfd_sys_signal_release(roll->signal, &previous);
    return result;
}

int sfd_sandbox_confine(const struct sfd_sandbox_rule *rules, size_t count)
{
    struct roll roll = {
        .orders = calloc(THREADS_MAX, sizeof(struct order)),
        .threads = calloc(THREADS_MAX, sizeof(int)),
    };
    int result = -ENOMEM;

    if (roll.orders != NULL && roll.threads != NULL) {
        const int ruleset = make_ruleset(rules, count);
        result = ruleset < 0 ? ruleset : restrict_all(&roll, ruleset);
        /* A thread that has not answered may still do so: then the orders and the handler stay for good. */
        if (result < 0 && roll.count > 0) roll.orders = NULL;
        if (ruleset >= 0 && roll.orders != NULL) sfd_sys_close_fd(ruleset);
    }
    free(roll.threads);
    free(roll.orders);
    return result;
}
