/*
 * soak: mixed work for a daemon, a fifth of it hostile, from several threads at once.
 *
 *   soak SOCKET ROOT COUNT THREADS SEED PATH...
 *
 * The daemon serves these files under ROOT, which is read here as well: every byte of an honest transfer is compared.
 * Four of five operations are honest, of all kinds, to all destinations; the others are left, cancelled, die with their
 * process, or are a handful of malformed datagrams (hostile_common.h).
 *
 * One line of JSON on stdout tells the outcome:
 *   {"honest":N,"hostile":N,"datagrams":N,"bytes":N,"failures":N,"firstFailure":"...","seconds":S,"leaked":N}
 * datagrams: malformed ones. leaked: descriptors of our own that are left.
 *
 * Exit: 0 each honest transfer got its bytes and its end; 1 not so; 2 usage.
 */
#include "soak.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "driver_common.h"

enum { MAX_THREADS = 64, HOSTILE_PERCENT = 20, DATAGRAMS = 5, DRAIN_EVERY = 32 };

struct worker {
    pthread_t thread;
    struct soaker soaker;
    struct hostile hostile;
    struct pool *pool;
};

static atomic_llong left;

static void be_hostile(struct worker *w)
{
    if (chance_of(&w->soaker.chance, 50)) {
        soak_leave(&w->soaker);
        return;
    }
    w->soaker.hostile++;
    for (int i = 0; i < DATAGRAMS; i++) {
        const int error = hostile_send(&w->hostile);
        if (error != 0 && w->soaker.failures++ == 0) {
            (void)snprintf(w->soaker.first_failure, sizeof w->soaker.first_failure,
                           "errno %d from sending a malformed datagram", error);
        }
    }
    if (w->soaker.hostile % DRAIN_EVERY == 0) pool_drain(w->pool);
}

static void *run_worker(void *argument)
{
    struct worker *w = argument;

    while (atomic_fetch_sub(&left, 1) > 0 && w->soaker.failures == 0)
        if (chance_of(&w->soaker.chance, HOSTILE_PERCENT))
            be_hostile(w);
        else
            soak_transfer(&w->soaker);
    return NULL;
}

static void add_file(struct soak *soak, const char *root, const char *path)
{
    struct soak_file *file = &soak->files[soak->count];
    const size_t size = strlen(root) + strlen(path) + 2;
    struct stat status;

    file->path = path;
    file->name = malloc(size);
    if (file->name == NULL) driver_die("malloc");
    (void)snprintf(file->name, size, "%s/%s", root, path);
    const int fd = open(file->name, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0) driver_die(file->name);
    file->size = (uint64_t)status.st_size;
    if (file->size > 0) {
        void *bytes = mmap(NULL, file->size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes == MAP_FAILED) driver_die(file->name);
        file->bytes = bytes;
    }
    close(fd);
    if (file->size > soak->files[soak->biggest].size) soak->biggest = soak->count;
    soak->count++;
}

static double seconds_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void raise_limit(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
}

static int report(const struct worker *workers, size_t threads, double seconds, int leaked)
{
    unsigned long long honest = 0;
    unsigned long long hostile = 0;
    unsigned long long datagrams = 0;
    unsigned long long bytes = 0;
    unsigned long long failures = 0;
    const char *first = "";

    for (size_t i = 0; i < threads; i++) {
        const struct soaker *s = &workers[i].soaker;
        honest += s->honest;
        hostile += s->hostile;
        datagrams += workers[i].hostile.sent;
        bytes += s->bytes;
        if (failures == 0 && s->failures > 0) first = s->first_failure;
        failures += s->failures;
    }
    printf("{\"honest\":%llu,\"hostile\":%llu,\"datagrams\":%llu,\"bytes\":%llu,\"failures\":%llu,"
           "\"firstFailure\":\"%s\",\"seconds\":%.3f,\"leaked\":%d}\n",
           honest, hostile, datagrams, bytes, failures, first, seconds, leaked);
    return failures == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    static struct worker workers[MAX_THREADS];
    static struct soak soak;
    struct pool pool;
    const size_t threads = argc > 4 ? strtoull(argv[4], NULL, 10) : 0;
    const uint64_t seed = argc > 5 ? strtoull(argv[5], NULL, 10) : 0;

    if (argc < 7 || argc > 6 + SOAK_FILES || threads == 0 || threads > MAX_THREADS) {
        fprintf(stderr, "usage: soak SOCKET ROOT COUNT THREADS SEED PATH...\n");
        return DRIVER_USAGE;
    }
    signal(SIGPIPE, SIG_IGN);
    raise_limit();
    const int before = driver_count_descriptors();
    for (int i = 6; i < argc; i++)
        add_file(&soak, argv[2], argv[i]);
    pool_open(&pool, argv[1]);
    atomic_store(&left, strtoll(argv[3], NULL, 10));
    const double began = seconds_now();
    for (size_t i = 0; i < threads; i++) {
        struct worker *w = &workers[i];
        w->pool = &pool;
        w->soaker.soak = &soak;
        w->soaker.socket = hostile_connect(argv[1]);
        chance_init(&w->soaker.chance, seed * MAX_THREADS + i);
        hostile_init(&w->hostile, &pool, argv[1], soak.files[0].path, seed * MAX_THREADS + i + MAX_THREADS / 2);
        if (pthread_create(&w->thread, NULL, run_worker, w) != 0) driver_die("pthread_create");
    }
    for (size_t i = 0; i < threads; i++) {
        pthread_join(workers[i].thread, NULL);
        hostile_deinit(&workers[i].hostile);
        driver_close(&workers[i].soaker.socket);
    }
    const double seconds = seconds_now() - began;
    pool_close(&pool);
    return report(workers, threads, seconds, driver_count_descriptors() - before);
}
