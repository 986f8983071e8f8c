/*
 * storm: malformed datagrams at a daemon, as many as are wanted, and a polite client beside them.
 *
 *   storm SOCKET PATH FILE COUNT SEED [THREADS]
 *
 * PATH is a file that the daemon serves, FILE the same file for us: what the polite client gets is compared with it.
 * COUNT datagrams are sent by THREADS threads (2), from garbage to requests that are almost sound; the seed decides
 * all.
 *
 * One line of JSON on stdout tells the outcome:
 *   {"sent":N,"descriptors":N,"types":N,"crowded":N,"seconds":S,"error":N,"probes":N,"probeFailures":N,
 *    "firstFailure":"...","late":N,"lateInARow":N,"p50Us":N,"p99Us":N,"maxUs":N,"leaked":N}
 * crowded: datagrams that went without descriptors, since the kernel had too many on their way. error: the errno that
 * ended it before its time: EAGAIN, the daemon has taken nothing for 20 s; ECONNREFUSED, it is gone. late: probes that
 * took longer than 250 ms. leaked: descriptors of our own that are left.
 *
 * Exit: 0 all was sent, and each probe was answered as it should; 1 not so; 2 usage.
 */
#include "storm.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "driver_common.h"
#include "hostile_common.h"

enum { MAX_THREADS = 16, DRAIN_EVERY = 256 };

struct worker {
    pthread_t thread;
    struct hostile hostile;
    struct pool *pool;
    uint64_t count;
    bool drains;
    int error;
};

static atomic_bool give_up;

static void *run_worker(void *argument)
{
    struct worker *w = argument;

    while (w->hostile.sent < w->count && w->error == 0 && !atomic_load(&give_up)) {
        w->error = hostile_send(&w->hostile);
        if (w->drains && w->hostile.sent % DRAIN_EVERY == 0) pool_drain(w->pool);
    }
    if (w->error != 0) atomic_store(&give_up, true);
    return NULL;
}

static double seconds_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* As many descriptors as may be, since those under way count, too. */
static void raise_limit(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
}

static pid_t start_probe(struct probe_report *report, char **argv)
{
    const pid_t child = fork();

    if (child < 0) driver_die("fork");
    if (child == 0) _exit(probe_run(report, argv[1], argv[2], argv[3]));
    return child;
}

/* Sends it all; the first error, 0 if there was none. */
static int blow(struct worker *workers, size_t threads)
{
    int error = 0;

    for (size_t i = 0; i < threads; i++)
        if (pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]) != 0) driver_die("pthread_create");
    for (size_t i = 0; i < threads; i++) {
        pthread_join(workers[i].thread, NULL);
        if (error == 0) error = workers[i].error;
    }
    return error;
}

static void print_report(const struct worker *workers, size_t threads, size_t types, double seconds, int error,
                         const struct probe_report *probe, int leaked)
{
    unsigned long long sent = 0;
    unsigned long long descriptors = 0;
    unsigned long long crowded = 0;

    for (size_t i = 0; i < threads; i++) {
        sent += workers[i].hostile.sent;
        descriptors += workers[i].hostile.descriptors;
        crowded += workers[i].hostile.crowded;
    }
    printf("{\"sent\":%llu,\"descriptors\":%llu,\"types\":%zu,\"crowded\":%llu,\"seconds\":%.3f,"
           "\"error\":%d,",
           sent, descriptors, types, crowded, seconds, error);
    printf("\"probes\":%llu,\"probeFailures\":%llu,\"firstFailure\":\"%s\",\"late\":%llu,"
           "\"lateInARow\":%llu,",
           (unsigned long long)probe->probes, (unsigned long long)probe->failures, probe->first_failure,
           (unsigned long long)probe->late, (unsigned long long)probe->late_in_a_row);
    printf("\"p50Us\":%llu,\"p99Us\":%llu,\"maxUs\":%llu,\"leaked\":%d}\n", (unsigned long long)probe->p50_ns / 1000,
           (unsigned long long)probe->p99_ns / 1000, (unsigned long long)probe->max_ns / 1000, leaked);
}

int main(int argc, char **argv)
{
    static struct worker workers[MAX_THREADS];
    const uint64_t count = argc > 4 ? strtoull(argv[4], NULL, 10) : 0;
    const uint64_t seed = argc > 5 ? strtoull(argv[5], NULL, 10) : 0;
    const size_t threads = argc > 6 ? strtoull(argv[6], NULL, 10) : 2;
    struct pool pool;
    int status;

    if (argc < 6 || threads == 0 || threads > MAX_THREADS) {
        fprintf(stderr, "usage: storm SOCKET PATH FILE COUNT SEED [THREADS]\n");
        return DRIVER_USAGE;
    }
    signal(SIGPIPE, SIG_IGN);
    raise_limit();
    struct probe_report *probe = mmap(NULL, sizeof *probe, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (probe == MAP_FAILED) driver_die("mmap");
    const pid_t child = start_probe(probe, argv); /* before the pool: it has none of those */
    const int before = driver_count_descriptors();
    pool_open(&pool, argv[1]);
    const size_t types = pool.count;
    for (size_t i = 0; i < threads; i++) {
        hostile_init(&workers[i].hostile, &pool, argv[1], argv[2], seed * MAX_THREADS + i);
        workers[i].pool = &pool;
        workers[i].count = count / threads;
        workers[i].drains = i == 0;
    }
    const double began = seconds_now();
    const int error = blow(workers, threads);
    const double seconds = seconds_now() - began;
    atomic_store(&probe->stop, true);
    if (waitpid(child, &status, 0) != child) driver_die("waitpid");
    for (size_t i = 0; i < threads; i++)
        hostile_deinit(&workers[i].hostile);
    pool_close(&pool);
    print_report(workers, threads, types, seconds, error, probe, driver_count_descriptors() - before);
    return error == 0 && status == 0 ? 0 : 1;
}
