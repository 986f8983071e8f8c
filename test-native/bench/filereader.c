/*
 * filereader: a warm file as memory, in several ways, every byte of it read.
 *
 * Role: asks a daemon for the file by a buffer or by a pipe, or maps it itself; sums all bytes, and takes new memory
 * each time.
 *   One line of JSON on stdout: the median time from the request to the sum, and the processor time that the daemon and
 *   this process took for each, the memory's return included.
 * Threads: one. Never: runs longer than TIMEOUT_SECONDS.
 */
#include "bench_common.h"
#include "memory_common.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sendfiled/sendfiled.h>

enum { MAX_COUNT = 10000, TIMEOUT_SECONDS = 60 };

enum way { BUFFER, PIPE, MAP, MAP_POPULATED, WAYS };

static const char *const way_names[WAYS] = {"buffer", "pipe", "mmap", "mmap-populate"};

static struct {
    enum way way;
    const char *socket, *path, *file;
    struct sfd_options options; /* of the requests */
    long count;
    pid_t server_pid;
} opt = {.way = WAYS, .count = 1};

/* One file that was read. */
struct reading {
    uint64_t sum, size, elapsed_ns;
    int technique;
};

/* Waits for the next event of a transfer that must not fail. */
static enum sfd_event_type next_event(struct sfd_events *events, int status, struct sfd_event *event)
{
    if (sfd_events_next(events, status, event) != 1) die("%s: the status channel ended too early", opt.path);
    if (event->type == SFD_EVENT_FAILED) die("%s: %s", opt.path, strerror(event->error));
    return event->type;
}

/* Until the daemon has let go of the transfer, so that its share of the work is done. */
static void await_end(int status)
{
    char rest[SFD_MAX_RESP_SIZE];
    while (read(status, rest, sizeof rest) > 0) { /* nothing is expected */
    }
    close(status);
}

static void read_by_buffer(int server, struct reading *reading)
{
    struct sfd_buffer buffer;
    struct sfd_events events;
    struct sfd_event event;
    const uint64_t start_ns = now_ns();
    const int status = sfd_read_buffer(server, opt.path, 0, 0, false, &opt.options, &buffer);
    if (status < 0) die_errno("%s", opt.path);
    sfd_events_init(&events, SFD_EVENTS_OF_SEND);
    while (next_event(&events, status, &event) != SFD_EVENT_COMPLETE) { /* progress */
    }
    if (sfd_buffer_map(&buffer, 0) < 0) die_errno("mapping the buffer");
    reading->sum = sum_memory(buffer.data, buffer.size);
    reading->elapsed_ns = now_ns() - start_ns;
    reading->size = buffer.size;
    reading->technique = event.result.technique;
    sfd_buffer_free(&buffer);
    await_end(status);
}

static void take_data(struct sfd_events *events, int status, char *memory)
{
    for (uint64_t left; (left = sfd_events_data_left(events)) > 0;) {
        const ssize_t n = read(status, memory, left);
        if (n <= 0) die("%s: the data ended too early", opt.path);
        sfd_events_skip(events, (uint64_t)n);
        memory += n;
    }
}

static void read_by_pipe(int server, struct reading *reading)
{
    struct sfd_events events;
    struct sfd_event event;
    const uint64_t start_ns = now_ns();
    const int status = sfd_read_with(server, opt.path, 0, 0, false, &opt.options);
    if (status < 0) die_errno("%s", opt.path);
    sfd_events_init(&events, SFD_EVENTS_OF_READ);
    while (next_event(&events, status, &event) != SFD_EVENT_ACCEPTED) { /* the first one */
    }
    reading->size = event.info.size;
    char *memory = fresh_memory(reading->size);
    while (next_event(&events, status, &event) != SFD_EVENT_COMPLETE)
        take_data(&events, status, memory);
    reading->sum = sum_memory(memory, reading->size);
    reading->elapsed_ns = now_ns() - start_ns;
    reading->technique = event.result.technique;
    free(memory);
    await_end(status);
}

static void read_by_map(int flags, struct reading *reading)
{
    struct stat st;
    const uint64_t start_ns = now_ns();
    const int file = open(opt.file, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &st) < 0) die_errno("%s", opt.file);
    reading->size = (uint64_t)st.st_size;
    void *memory = mmap(NULL, reading->size, PROT_READ, MAP_SHARED | flags, file, 0);
    if (memory == MAP_FAILED) die_errno("mapping %s", opt.file);
    reading->sum = sum_memory(memory, reading->size);
    reading->elapsed_ns = now_ns() - start_ns;
    munmap(memory, reading->size);
    close(file);
}

static void read_once(int server, struct reading *reading)
{
    switch (opt.way) {
    case BUFFER:
        read_by_buffer(server, reading);
        break;
    case PIPE:
        read_by_pipe(server, reading);
        break;
    default:
        read_by_map(opt.way == MAP_POPULATED ? MAP_POPULATE : 0, reading);
        break;
    }
}

static void report(const struct reading *last, uint64_t *samples, const struct process_use *server, uint64_t own_ns)
{
    samples_sort(samples, (size_t)opt.count);
    const double median_us = samples_us(samples, (size_t)opt.count, 50);
    printf("{\"way\":\"%s\",\"count\":%ld,\"bytes\":%llu,\"sum\":\"%016llx\",\"technique\":%d,", way_names[opt.way],
           opt.count, (unsigned long long)last->size, (unsigned long long)last->sum, last->technique);
    print_server_use(opt.server_pid, server, (double)opt.count);
    printf("\"p50_us\":%.1f,\"mb_per_s\":%.1f,\"client_cpu_us\":%.1f}\n", median_us, (double)last->size / median_us,
           (double)own_ns / 1e3 / (double)opt.count);
}

static void read_again_and_again(int server)
{
    uint64_t *samples = allocate((size_t)opt.count * sizeof *samples);
    struct reading reading = {0};
    uint64_t sum = 0;
    const struct process_use server_before = process_use(opt.server_pid);
    const struct process_use own_before = process_use(getpid());
    for (long i = 0; i < opt.count; i++) {
        read_once(server, &reading);
        samples[i] = reading.elapsed_ns;
        if (i > 0 && reading.sum != sum) die("%s: not the same bytes as before", opt.path);
        sum = reading.sum;
    }
    const struct process_use used = process_use_since(opt.server_pid, &server_before);
    report(&reading, samples, &used, process_use_since(getpid(), &own_before).cpu_ns);
    free(samples);
}

static enum way parse_way(const char *name)
{
    for (int way = 0; way < WAYS; way++)
        if (strcmp(name, way_names[way]) == 0) return (enum way)way;
    die("--way: '%s' is none: buffer, pipe, mmap or mmap-populate", name);
}

static void parse_options(int argc, char **argv)
{
    enum { WAY, SOCKET, PATH, FILE_PATH, COUNT, TECHNIQUE, SERVER_PID };
    static const struct option options[] = {
        {"way", required_argument, NULL, WAY},
        {"socket", required_argument, NULL, SOCKET},
        {"path", required_argument, NULL, PATH},
        {"file", required_argument, NULL, FILE_PATH},
        {"count", required_argument, NULL, COUNT},
        {"technique", required_argument, NULL, TECHNIQUE},
        {"server-pid", required_argument, NULL, SERVER_PID},
        {NULL, 0, NULL, 0},
    };
    bool wrong = false;
    for (int which; (which = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (which) {
        case WAY:
            opt.way = parse_way(optarg);
            break;
        case SOCKET:
            opt.socket = optarg;
            break;
        case PATH:
            opt.path = optarg;
            break;
        case FILE_PATH:
            opt.file = optarg;
            break;
        case COUNT:
            opt.count = parse_number("count", optarg, 1, MAX_COUNT);
            break;
        case TECHNIQUE: {
            const int technique = sfd_find_technique(optarg);
            if (technique < 0) die_errno("--technique: %s", optarg);
            opt.options.technique = (uint8_t)technique;
            break;
        }
        case SERVER_PID:
            opt.server_pid = (pid_t)parse_number("server-pid", optarg, 1, INT32_MAX);
            break;
        default:
            wrong = true;
            break;
        }
    }
    const bool asks = opt.way == BUFFER || opt.way == PIPE;
    if (wrong || opt.way == WAYS || (asks ? opt.socket == NULL || opt.path == NULL : opt.file == NULL)) {
        die("usage: filereader --way buffer|pipe --socket SOCKET --path PATH [options]\n"
            "       filereader --way mmap|mmap-populate --file FILE [options]\n"
            "  --count N          how often (1)\n"
            "  --technique NAME   force one\n"
            "  --server-pid PID   tell the server's processor time, too");
    }
}

int main(int argc, char **argv)
{
    parse_options(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    memory_stays_fresh();
    alarm(TIMEOUT_SECONDS);
    const int server = opt.socket != NULL ? request_socket_connect(opt.socket) : -1;
    read_again_and_again(server);
    if (server >= 0) close(server);
    return 0;
}
