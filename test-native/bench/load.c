/*
 * load: a client of protocol version 1 that keeps a server busy, checks what arrives, and counts.
 *
 * Role: the same program measures the daemon and the yardstick servers. Each thread has its own request socket and
 * keeps
 *   --depth requests under way, finishing them in order; the result is one line of JSON on stdout.
 * Threads: --threads workers; a Send File of more than INLINE_SEND bytes adds a receiver for each destination.
 * Owns: every pipe and destination it makes. Never: runs longer than --timeout seconds.
 */
#include "load.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_long next_request;
static volatile sig_atomic_t ended;
static uint64_t deadline_ns, start_ns;
static struct process_use server_before, own_before;
static pthread_barrier_t begin;

/* What was finished in each slice of the time; those after the last are not counted. */
enum { MAX_SLICES = 4096 };
static atomic_uint slices[MAX_SLICES];

static void on_end(int number)
{
    (void)number;
    ended = 1;
}

static bool may_submit(long *number)
{
    if (ended != 0 || (deadline_ns != 0 && now_ns() >= deadline_ns)) return false;
    *number = atomic_fetch_add(&next_request, 1);
    return opt.count == 0 || *number < opt.count;
}

static void make_own_cold(const struct worker *w)
{
    char file[8192];
    snprintf(file, sizeof file, "%s/%s", opt.cold, opt.paths[w->number % opt.path_count]);
    make_cold(file);
}

static void submit_number(struct worker *w, struct slot *slot, long number)
{
    const char *path = opt.paths[(opt.cold != NULL ? w->number : (size_t)number) % opt.path_count];
    if (opt.cold != NULL && w->requests > 0) make_own_cold(w); /* the first time before the clock started */
    submit(w, slot, path);
}

static void count_in_slice(void)
{
    if (opt.slice_ms == 0 || start_ns == 0) return;
    const uint64_t slice = (now_ns() - start_ns) / (opt.slice_ms * UINT64_C(1000000));
    if (slice < MAX_SLICES) atomic_fetch_add_explicit(&slices[slice], 1, memory_order_relaxed);
}

static void print_slices(uint64_t elapsed_ns)
{
    uint64_t count = elapsed_ns / (opt.slice_ms * UINT64_C(1000000)); /* those that were over */
    if (count > MAX_SLICES) count = MAX_SLICES;
    printf("\"slices\":[");
    for (uint64_t i = 0; i < count; i++)
        printf("%s%u", i == 0 ? "" : ",", atomic_load(&slices[i]));
    printf("],");
}

static void keep_busy(struct worker *w, long limit)
{
    size_t head = 0;
    size_t busy = 0;
    bool more = true;
    for (long mine = 0;;) {
        while (more && busy < opt.depth) {
            long number = mine;
            more = limit > 0 ? ended == 0 && mine < limit : may_submit(&number);
            if (more) {
                submit_number(w, &w->slots[(head + busy) % opt.depth], number);
                busy++;
                mine++;
            }
        }
        if (busy == 0) return;
        finish(w, &w->slots[head]);
        count_in_slice();
        head = (head + 1) % opt.depth;
        busy--;
    }
}

static void flood(struct worker *w)
{
    static const char bytes[] = "malformed";
    for (long number; may_submit(&number); w->requests++)
        send_datagram(w->socket, (const uint8_t *)bytes, sizeof bytes, NULL, 0);
}

static void *run_worker(void *arg)
{
    struct worker *w = arg;
    if (opt.rude) fcntl(w->socket, F_SETFL, O_NONBLOCK);
    if (opt.warmup > 0) {
        keep_busy(w, opt.warmup);
        if (w->failures == 0) w->requests = w->bytes = w->sample_count = 0;
    }
    if (opt.cold != NULL) make_own_cold(w);
    if (pthread_barrier_wait(&begin) == PTHREAD_BARRIER_SERIAL_THREAD) {
        server_before = process_use(opt.server_pid);
        own_before = process_use(getpid());
        start_ns = now_ns();
        deadline_ns = opt.seconds > 0 ? start_ns + (uint64_t)(opt.seconds * 1e9) : 0;
        if (opt.announce) {
            puts("started");
            fflush(stdout);
        }
    }
    pthread_barrier_wait(&begin);
    if (opt.malformed)
        flood(w);
    else
        keep_busy(w, opt.cold != NULL ? opt.count / (long)opt.threads : 0);
    return NULL;
}

static void make_worker(struct worker *w, size_t number)
{
    w->number = number;
    w->socket = request_socket_connect(opt.socket);
    w->slots = allocate(opt.depth * sizeof *w->slots);
    for (size_t i = 0; i < opt.depth; i++)
        w->slots[i].status = w->slots[i].source = w->slots[i].sink = -1;
    w->buffer = allocate(DRAIN_BUFFER);
    w->samples = allocate((size_t)MAX_SAMPLES / opt.threads * sizeof *w->samples);
}

static void free_worker(struct worker *w)
{
    if (w->failures > 0) return; /* A receiver may still be at work; the process's end takes all along. */
    close(w->socket);
    free(w->samples);
    free(w->buffer);
    free(w->slots);
}

static int report(struct worker *workers, uint64_t elapsed_ns, const struct process_use *server, uint64_t own_ns)
{
    uint64_t requests = 0;
    uint64_t bytes = 0;
    uint64_t failures = 0;
    uint64_t cold_windows = 0;
    size_t samples = 0;
    const char *first = "";
    int first_errno = 0;
    uint64_t *all = allocate(MAX_SAMPLES * sizeof *all);
    for (size_t i = 0; i < opt.threads; i++) {
        struct worker *w = &workers[i];
        requests += w->requests;
        bytes += w->bytes;
        if (failures == 0 && w->failures > 0) {
            first = w->first_failure;
            first_errno = w->first_errno;
        }
        failures += w->failures;
        cold_windows += w->cold_windows;
        memcpy(all + samples, w->samples, w->sample_count * sizeof *all);
        samples += w->sample_count;
    }
    samples_sort(all, samples);
    double seconds = (double)elapsed_ns / 1e9;
    double each = requests > 0 ? (double)requests : 1;
    printf("{\"requests\":%llu,\"failures\":%llu,\"seconds\":%.6f,\"rate\":%.1f,\"bytes\":%llu,"
           "\"mb_per_s\":%.1f,",
           (unsigned long long)requests, (unsigned long long)failures, seconds, (double)requests / seconds,
           (unsigned long long)bytes, (double)bytes / 1e6 / seconds);
    printf("\"p50_us\":%.1f,\"p90_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f,", samples_us(all, samples, 50),
           samples_us(all, samples, 90), samples_us(all, samples, 99), samples_us(all, samples, 100));
    if (opt.slice_ms > 0) print_slices(elapsed_ns);
    printf("\"technique\":%d,\"cold_windows\":%llu,", workers[0].technique, (unsigned long long)cold_windows);
    print_server_use(opt.server_pid, server, each);
    printf("\"client_cpu_us\":%.3f,\"first_errno\":%d,\"first_failure\":", (double)own_ns / 1000 / each, first_errno);
    print_json_string(first);
    puts("}");
    free(all);
    return failures == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    parse_options(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, on_end);
    uint64_t allowed;
    raise_open_files(0, &allowed);
    static struct worker workers[MAX_THREADS];
    pthread_barrier_init(&begin, NULL, (unsigned)opt.threads);
    for (size_t i = 0; i < opt.threads; i++)
        make_worker(&workers[i], i);
    /* The kernel attests who sends a request, not who has connected. */
    const uid_t user = (uid_t)opt.user;
    if (opt.user >= 0 && (setgroups(0, NULL) < 0 || setresgid(user, user, user) < 0 || setresuid(user, user, user) < 0))
        die_errno("--user");
    for (size_t i = 0; i < opt.threads; i++) {
        if (pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]) != 0) die("cannot start a thread");
    }
    for (size_t i = 0; i < opt.threads; i++)
        pthread_join(workers[i].thread, NULL);
    uint64_t elapsed_ns = now_ns() - start_ns;
    const struct process_use server = process_use_since(opt.server_pid, &server_before);
    const struct process_use own = process_use_since(getpid(), &own_before);
    for (size_t i = 0; i < opt.threads; i++)
        stop_receivers(&workers[i]);
    int status = report(workers, elapsed_ns, &server, own.cpu_ns);
    for (size_t i = 0; i < opt.threads; i++)
        free_worker(&workers[i]);
    return status;
}
