/*
 * load: a client of protocol version 1 that keeps a server busy, checks what arrives, and counts.
 *
 * Role: the same program measures the daemon and the yardstick servers. Each thread has its own request socket and keeps
 *   --depth requests under way, finishing them in order; the result is one line of JSON on stdout.
 * Threads: --threads workers; a Send File of more than INLINE_SEND bytes adds a receiver for each destination.
 * Owns: every pipe and destination it makes. Never: runs longer than --timeout seconds.
 */
#include "bench_common.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { MAX_PATHS = 256, MAX_DEPTH = 4096, MAX_THREADS = 64, MAX_SAMPLES = 4 * 1000 * 1000 };
enum { INLINE_SEND = 32 * 1024 };

struct options {
    const char *socket;
    const char *paths[MAX_PATHS];
    size_t path_count;
    int command;
    enum channel_kind channel;
    size_t threads, depth;
    long count, warmup;
    double seconds;
    int64_t offset;
    uint64_t length;
    int pipe_size;
    pid_t server_pid;
    bool wait_eof, announce;
    const uint8_t *reference;
    uint64_t reference_size;
};

struct slot {
    int status;       /* our end of the status pipe */
    int source, sink; /* the destination's two ends, for sends */
    uint64_t started_ns;
    uint64_t expected; /* bytes that the receiver thread waits for */
    pthread_t receiver;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool receiving, ended;
};

struct worker {
    pthread_t thread;
    size_t number;
    int socket;
    struct slot *slots;
    uint8_t *buffer;
    uint64_t *samples;
    size_t sample_count;
    uint64_t requests, bytes, failures;
    int first_errno;
    char first_failure[160];
};

static struct options opt = {
    .command = CMD_READ,
    .channel = CHANNEL_TCP,
    .threads = 1,
    .depth = 1,
    .warmup = 0,
    .seconds = 0,
};
static atomic_long next_request;
static uint64_t deadline_ns, start_ns, start_server_cpu_ns, start_own_cpu_ns;
static pthread_barrier_t begin;

static void fail(struct worker *w, int error, const char *what)
{
    if (w->failures++ == 0) {
        w->first_errno = error;
        snprintf(w->first_failure, sizeof w->first_failure, "%s%s%s", what, error != 0 ? ": " : "",
                 error != 0 ? strerror(error) : "");
    }
}

/* The bytes that arrived at `at` of the transfer, against the reference file. */
static bool matches(uint64_t at, const void *bytes, size_t length)
{
    if (opt.reference == NULL) {
        return true;
    }
    uint64_t position = (uint64_t)opt.offset + at;
    return position + length <= opt.reference_size &&
           memcmp(bytes, opt.reference + position, length) == 0;
}

static ssize_t read_some(int fd, void *buffer, size_t size)
{
    ssize_t n;
    do {
        n = read(fd, buffer, size);
    } while (n < 0 && errno == EINTR);
    return n;
}

/* Data of a Read File follows File Information on the same pipe. */
static uint64_t finish_read(struct worker *w, struct slot *slot)
{
    size_t have = 0;
    while (have < FILE_INFO_SIZE) {
        ssize_t n = read_some(slot->status, w->buffer + have, DRAIN_BUFFER - have);
        if (n <= 0) {
            break;
        }
        have += (size_t)n;
    }
    if (have == ERROR_SIZE && w->buffer[0] == RSP_FILE_INFO) {
        fail(w, w->buffer[1], "refused");
        return 0;
    }
    if (have < FILE_INFO_SIZE || w->buffer[0] != RSP_FILE_INFO || w->buffer[1] != 0) {
        fail(w, 0, "no File Information");
        return 0;
    }
    struct file_info info;
    get_file_info(&info, w->buffer);
    uint64_t done = have - FILE_INFO_SIZE;
    if (!matches(0, w->buffer + FILE_INFO_SIZE, (size_t)done)) {
        fail(w, 0, "wrong bytes at the start");
        return done;
    }
    while (done < info.size || opt.wait_eof) {
        ssize_t n = read_some(slot->status, w->buffer, DRAIN_BUFFER);
        if (n <= 0) {
            break;
        }
        if (!matches(done, w->buffer, (size_t)n)) {
            fail(w, 0, "wrong bytes");
            return done;
        }
        done += (uint64_t)n;
    }
    if (done != info.size) {
        fail(w, 0, done < info.size ? "end of file before the last byte" : "more bytes than said");
    }
    return done;
}

static void *receive(void *arg)
{
    struct slot *slot = arg;
    uint8_t *buffer = allocate(DRAIN_BUFFER);
    const uint8_t *reference = opt.reference == NULL ? NULL : opt.reference + opt.offset;
    pthread_mutex_lock(&slot->lock);
    for (;;) {
        while (slot->expected == 0 && !slot->ended) {
            pthread_cond_wait(&slot->changed, &slot->lock);
        }
        if (slot->expected == 0) {
            break;
        }
        uint64_t expected = slot->expected;
        pthread_mutex_unlock(&slot->lock);
        drain(slot->source, expected, buffer, DRAIN_BUFFER, reference);
        pthread_mutex_lock(&slot->lock);
        slot->expected = 0;
        pthread_cond_broadcast(&slot->changed);
    }
    pthread_mutex_unlock(&slot->lock);
    free(buffer);
    return NULL;
}

static void start_receiving(struct slot *slot, uint64_t bytes)
{
    if (!slot->receiving) {
        pthread_mutex_init(&slot->lock, NULL);
        pthread_cond_init(&slot->changed, NULL);
        slot->receiving = true;
        if (pthread_create(&slot->receiver, NULL, receive, slot) != 0) {
            die("cannot start a receiver");
        }
    }
    pthread_mutex_lock(&slot->lock);
    slot->expected = bytes;
    pthread_cond_broadcast(&slot->changed);
    pthread_mutex_unlock(&slot->lock);
}

static void await_received(struct slot *slot)
{
    pthread_mutex_lock(&slot->lock);
    while (slot->expected != 0) {
        pthread_cond_wait(&slot->changed, &slot->lock);
    }
    pthread_mutex_unlock(&slot->lock);
}

static void send_open(struct worker *w, struct slot *slot, uint64_t id)
{
    struct request request = {.cmd = CMD_SEND_OPEN, .id = id};
    uint8_t bytes[ID_REQUEST_SIZE];
    send_datagram(w->socket, bytes, put_request(bytes, &request), &slot->sink, 1);
}

/* Reads messages until the terminal one; the bytes go to the destination meanwhile. */
static uint64_t finish_send(struct worker *w, struct slot *slot)
{
    uint8_t messages[1024];
    size_t have = 0;
    size_t at = 0;
    struct file_info info = {.size = 0};
    uint64_t progress = 0;
    for (bool begun = false;;) {
        size_t left = have - at;
        if (left >= HEADER_SIZE && messages[at + 1] != 0) {
            fail(w, messages[at + 1], messages[at] == RSP_FILE_INFO ? "refused" : "failed");
            return progress;
        }
        if (!begun && left >= FILE_INFO_SIZE && messages[at] == RSP_FILE_INFO) {
            get_file_info(&info, messages + at);
            at += FILE_INFO_SIZE;
            begun = true;
            if (info.size > INLINE_SEND) {
                start_receiving(slot, info.size);
            }
            if (opt.command == CMD_OPEN) {
                send_open(w, slot, info.id);
            }
            continue;
        }
        if (begun && left >= XFER_STAT_SIZE && messages[at] == RSP_XFER_STAT) {
            uint64_t size = get_xfer_size(messages + at);
            at += XFER_STAT_SIZE;
            if (size == XFER_COMPLETE) {
                break;
            }
            progress += size;
            continue;
        }
        memmove(messages, messages + at, left);
        have = left;
        at = 0;
        ssize_t n = read_some(slot->status, messages + have, sizeof messages - have);
        if (n <= 0) {
            fail(w, 0, "end of the status channel before the last message");
            return progress;
        }
        have += (size_t)n;
    }
    if (progress > info.size) {
        fail(w, 0, "more progress than bytes");
    }
    if (opt.wait_eof && read_some(slot->status, messages, sizeof messages) != 0) {
        fail(w, 0, "a message after the last");
    }
    if (slot->receiving && info.size > INLINE_SEND) {
        await_received(slot);
    } else {
        drain(slot->source, info.size, w->buffer, DRAIN_BUFFER,
              opt.reference == NULL ? NULL : opt.reference + opt.offset);
    }
    return info.size;
}

static void submit(struct worker *w, struct slot *slot, long number)
{
    int status[2];
    if (pipe2(status, O_CLOEXEC) < 0) {
        die_errno("a status pipe");
    }
    if (opt.pipe_size > 0) {
        fcntl(status[1], F_SETPIPE_SZ, opt.pipe_size);
    }
    if (opt.command != CMD_READ && slot->sink < 0) {
        channel_open(opt.channel, &slot->source, &slot->sink);
        if (opt.pipe_size > 0 && opt.channel == CHANNEL_PIPE) {
            fcntl(slot->sink, F_SETPIPE_SZ, opt.pipe_size);
        }
        /* Ours to set: a server must not, and needs it for sendfile. Our reads stay blocking. */
        fcntl(slot->sink, F_SETFL, fcntl(slot->sink, F_GETFL) | O_NONBLOCK);
    }
    struct request request = {.cmd = opt.command, .offset = opt.offset, .length = opt.length};
    uint8_t bytes[REQUEST_MAX];
    const char *path = opt.paths[(size_t)number % opt.path_count];
    memcpy(request.path, path, strlen(path) + 1);
    size_t length = put_request(bytes, &request);
    const int fds[2] = {status[1], slot->sink};
    slot->status = status[0];
    slot->started_ns = now_ns();
    send_datagram(w->socket, bytes, length, fds, opt.command == CMD_SEND ? 2 : 1);
    close(status[1]);
}

static void finish(struct worker *w, struct slot *slot)
{
    uint64_t failures = w->failures;
    uint64_t bytes = opt.command == CMD_READ ? finish_read(w, slot) : finish_send(w, slot);
    uint64_t ended_ns = now_ns();
    close(slot->status);
    slot->status = -1;
    if (w->failures != failures && slot->sink >= 0 && !slot->receiving) {
        /* Part of the file may still be on its way: the next transfer gets a new destination. */
        close(slot->source);
        close(slot->sink);
        slot->sink = -1;
    }
    w->requests++;
    w->bytes += bytes;
    if (w->sample_count < (size_t)MAX_SAMPLES / opt.threads) {
        w->samples[w->sample_count++] = ended_ns - slot->started_ns;
    }
}

static bool may_submit(long *number)
{
    if (deadline_ns != 0 && now_ns() >= deadline_ns) {
        return false;
    }
    *number = atomic_fetch_add(&next_request, 1);
    return opt.count == 0 || *number < opt.count;
}

static void keep_busy(struct worker *w, long limit)
{
    size_t head = 0;
    size_t busy = 0;
    bool more = true;
    for (long mine = 0;;) {
        while (more && busy < opt.depth) {
            long number = mine;
            more = limit > 0 ? mine < limit : may_submit(&number);
            if (more) {
                submit(w, &w->slots[(head + busy) % opt.depth], number);
                busy++;
                mine++;
            }
        }
        if (busy == 0) {
            return;
        }
        finish(w, &w->slots[head]);
        head = (head + 1) % opt.depth;
        busy--;
    }
}

static uint64_t own_cpu_ns(void)
{
    return process_cpu_ns(getpid());
}

static void *run_worker(void *arg)
{
    struct worker *w = arg;
    w->socket = request_socket_connect(opt.socket);
    if (opt.warmup > 0) {
        keep_busy(w, opt.warmup);
        if (w->failures == 0) {
            w->requests = w->bytes = w->sample_count = 0;
        }
    }
    if (pthread_barrier_wait(&begin) == PTHREAD_BARRIER_SERIAL_THREAD) {
        start_server_cpu_ns = process_cpu_ns(opt.server_pid);
        start_own_cpu_ns = own_cpu_ns();
        start_ns = now_ns();
        deadline_ns = opt.seconds > 0 ? start_ns + (uint64_t)(opt.seconds * 1e9) : 0;
        if (opt.announce) {
            puts("started");
            fflush(stdout);
        }
    }
    pthread_barrier_wait(&begin);
    keep_busy(w, 0);
    return NULL;
}

static void make_worker(struct worker *w, size_t number)
{
    w->number = number;
    w->slots = allocate(opt.depth * sizeof *w->slots);
    for (size_t i = 0; i < opt.depth; i++) {
        w->slots[i].status = w->slots[i].source = w->slots[i].sink = -1;
    }
    w->buffer = allocate(DRAIN_BUFFER);
    w->samples = allocate((size_t)MAX_SAMPLES / opt.threads * sizeof *w->samples);
}

static void stop_receivers(struct worker *w)
{
    for (size_t i = 0; i < opt.depth; i++) {
        struct slot *slot = &w->slots[i];
        if (slot->receiving) {
            pthread_mutex_lock(&slot->lock);
            slot->ended = true;
            pthread_cond_broadcast(&slot->changed);
            pthread_mutex_unlock(&slot->lock);
            /* After a failure it may wait for bytes that never come; the process's end takes it along. */
            if (w->failures == 0) {
                pthread_join(slot->receiver, NULL);
            }
        }
    }
}

static void free_worker(struct worker *w)
{
    if (w->failures > 0) {
        return; /* A receiver may still be at work; the process's end takes all along. */
    }
    close(w->socket);
    free(w->samples);
    free(w->buffer);
    free(w->slots);
}

static int report(struct worker *workers, uint64_t elapsed_ns, uint64_t server_ns, uint64_t own_ns)
{
    uint64_t requests = 0;
    uint64_t bytes = 0;
    uint64_t failures = 0;
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
        memcpy(all + samples, w->samples, w->sample_count * sizeof *all);
        samples += w->sample_count;
    }
    samples_sort(all, samples);
    double seconds = (double)elapsed_ns / 1e9;
    double each = requests > 0 ? (double)requests : 1;
    printf("{\"requests\":%llu,\"failures\":%llu,\"seconds\":%.6f,\"rate\":%.1f,\"bytes\":%llu,"
           "\"mb_per_s\":%.1f,",
           (unsigned long long)requests, (unsigned long long)failures, seconds,
           (double)requests / seconds, (unsigned long long)bytes, (double)bytes / 1e6 / seconds);
    printf("\"p50_us\":%.1f,\"p90_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f,",
           samples_us(all, samples, 50), samples_us(all, samples, 90), samples_us(all, samples, 99),
           samples_us(all, samples, 100));
    printf("\"server_cpu_us\":%.3f,\"client_cpu_us\":%.3f,\"first_errno\":%d,\"first_failure\":",
           (double)server_ns / 1000 / each, (double)own_ns / 1000 / each, first_errno);
    print_json_string(first);
    puts("}");
    free(all);
    return failures == 0 ? 0 : 1;
}

static void on_timeout(int signal)
{
    (void)signal;
    static const char text[] =
        "{\"requests\":0,\"failures\":1,\"seconds\":0,\"rate\":0,\"bytes\":0,"
        "\"mb_per_s\":0,\"first_errno\":110,\"first_failure\":\"timeout\"}\n";
    _exit(write(STDOUT_FILENO, text, sizeof text - 1) > 0 ? 124 : 125);
}

static void usage(FILE *to)
{
    fputs(
        "usage: load --socket SOCKET --path PATH... [options]\n"
        "  --op read|send|open      Read File, Send File, or Open File and Send Open File (read)\n"
        "  --to tcp|unix|pipe       destination of a send (tcp)\n"
        "  --depth N --threads N    requests under way in each thread (1), threads (1)\n"
        "  --count N --seconds S    how much; one of them is needed\n"
        "  --warmup N               requests of each thread that are not counted (0)\n"
        "  --offset N --length N    range (the whole file)\n"
        "  --reference FILE         compare every byte with this file\n"
        "  --pipe-size N            grow the pipes that receive data\n"
        "  --eof                    also wait for the end of the status channel\n"
        "  --server-pid PID         report the server's CPU time for each request\n"
        "  --announce               print \"started\" once requests begin\n"
        "  --timeout S              give up after this many seconds (60)\n",
        to);
}

static int parse_operation(const char *name)
{
    if (strcmp(name, "read") == 0) {
        return CMD_READ;
    }
    if (strcmp(name, "send") == 0) {
        return CMD_SEND;
    }
    if (strcmp(name, "open") == 0) {
        return CMD_OPEN;
    }
    die("--op: '%s' is not an operation: read, send or open", name);
}

static void parse_options(int argc, char **argv)
{
    enum {
        SOCKET,
        PATH,
        OP,
        TO,
        DEPTH,
        THREADS,
        COUNT,
        SECONDS,
        WARMUP,
        OFFSET,
        LENGTH,
        REFERENCE,
        PIPE_SIZE,
        END,
        SERVER_PID,
        ANNOUNCE,
        TIMEOUT,
        HELP
    };
    static const struct option options[] = {
        {"socket", required_argument, NULL, SOCKET},
        {"path", required_argument, NULL, PATH},
        {"op", required_argument, NULL, OP},
        {"to", required_argument, NULL, TO},
        {"depth", required_argument, NULL, DEPTH},
        {"threads", required_argument, NULL, THREADS},
        {"count", required_argument, NULL, COUNT},
        {"seconds", required_argument, NULL, SECONDS},
        {"warmup", required_argument, NULL, WARMUP},
        {"offset", required_argument, NULL, OFFSET},
        {"length", required_argument, NULL, LENGTH},
        {"reference", required_argument, NULL, REFERENCE},
        {"pipe-size", required_argument, NULL, PIPE_SIZE},
        {"eof", no_argument, NULL, END},
        {"server-pid", required_argument, NULL, SERVER_PID},
        {"announce", no_argument, NULL, ANNOUNCE},
        {"timeout", required_argument, NULL, TIMEOUT},
        {"help", no_argument, NULL, HELP},
        {NULL, 0, NULL, 0},
    };
    long timeout = 60;
    for (int which, i; (which = getopt_long(argc, argv, "", options, &i)) != -1;) {
        const char *name = which == '?' ? "" : options[i].name;
        switch (which) {
        case SOCKET:
            opt.socket = optarg;
            break;
        case PATH:
            if (opt.path_count == MAX_PATHS || strlen(optarg) >= 4096) {
                die("--path: %d paths of 4095 bytes at most", MAX_PATHS);
            }
            opt.paths[opt.path_count++] = optarg;
            break;
        case OP:
            opt.command = parse_operation(optarg);
            break;
        case TO:
            opt.channel = parse_channel(optarg);
            break;
        case DEPTH:
            opt.depth = (size_t)parse_number(name, optarg, 1, MAX_DEPTH);
            break;
        case THREADS:
            opt.threads = (size_t)parse_number(name, optarg, 1, MAX_THREADS);
            break;
        case COUNT:
            opt.count = parse_number(name, optarg, 1, 1000000000);
            break;
        case SECONDS:
            opt.seconds = atof(optarg);
            break;
        case WARMUP:
            opt.warmup = parse_number(name, optarg, 0, 1000000);
            break;
        case OFFSET:
            opt.offset = parse_number(name, optarg, 0, INT64_MAX);
            break;
        case LENGTH:
            opt.length = (uint64_t)parse_number(name, optarg, 0, INT64_MAX);
            break;
        case REFERENCE:
            opt.reference = map_reference(optarg, &opt.reference_size);
            break;
        case PIPE_SIZE:
            opt.pipe_size = (int)parse_number(name, optarg, 4096, 1 << 30);
            break;
        case END:
            opt.wait_eof = true;
            break;
        case SERVER_PID:
            opt.server_pid = (pid_t)parse_number(name, optarg, 1, INT32_MAX);
            break;
        case ANNOUNCE:
            opt.announce = true;
            break;
        case TIMEOUT:
            timeout = parse_number(name, optarg, 1, 600);
            break;
        case HELP:
            usage(stdout);
            exit(0);
        default:
            usage(stderr);
            exit(2);
        }
    }
    if (opt.socket == NULL || opt.path_count == 0 || (opt.count == 0 && opt.seconds <= 0)) {
        usage(stderr);
        exit(2);
    }
    signal(SIGALRM, on_timeout);
    alarm((unsigned)timeout);
}

int main(int argc, char **argv)
{
    parse_options(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    static struct worker workers[MAX_THREADS];
    pthread_barrier_init(&begin, NULL, (unsigned)opt.threads);
    for (size_t i = 0; i < opt.threads; i++) {
        make_worker(&workers[i], i);
        if (pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]) != 0) {
            die("cannot start a thread");
        }
    }
    for (size_t i = 0; i < opt.threads; i++) {
        pthread_join(workers[i].thread, NULL);
    }
    uint64_t elapsed_ns = now_ns() - start_ns;
    uint64_t server_ns = process_cpu_ns(opt.server_pid);
    server_ns = server_ns > start_server_cpu_ns ? server_ns - start_server_cpu_ns : 0;
    uint64_t own_ns = own_cpu_ns() - start_own_cpu_ns;
    for (size_t i = 0; i < opt.threads; i++) {
        stop_receivers(&workers[i]);
    }
    int status = report(workers, elapsed_ns, server_ns, own_ns);
    for (size_t i = 0; i < opt.threads; i++) {
        free_worker(&workers[i]);
    }
    return status;
}
