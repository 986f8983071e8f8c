/*
 * session_load: a client of sessions that keeps a daemon busy, checks what arrives, and counts. Its answer is that of
 * load.
 *
 * Role: --depth requests are under way at a time, each with a destination of its own (or a place in one buffer). A
 * batch of completions is reaped, what came with them is read and compared, and as many requests are submitted again.
 * Threads: one. Never: runs longer than --timeout seconds.
 */
#include "bench_common.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sendfiled/sendfiled.h>

enum { MAX_DEPTH = 4096, MAX_SAMPLES = 4 * 1000 * 1000, TIMEOUT_S = 120 };

enum operation { SEND, SEND_PATH, READ };

static struct {
    const char *directory, *name, *path;
    enum operation operation;
    size_t depth, head;
    long count, warmup;
    double seconds;
    pid_t server_pid;
    const uint8_t *reference;
    uint64_t size;
} opt = {.name = "default", .depth = 1, .count = 10000, .operation = SEND};

struct slot {
    int source; /* what was sent arrives here; -1: in the buffer */
    uint32_t destination;
    uint64_t started_ns, ended_ns;
};

static struct sfd_session *session;
static struct slot slots[MAX_DEPTH];
static uint8_t *buffer;
static char head[1024];
static uint64_t samples[MAX_SAMPLES];
static size_t sample_count;
static uint32_t file, memory;

static enum operation operation_of(const char *name)
{
    if (strcmp(name, "send") == 0) return SEND;
    if (strcmp(name, "send-path") == 0) return SEND_PATH;
    if (strcmp(name, "read") == 0) return READ;
    die("--op is send, send-path or read, and not %s", name);
}

static void parse(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *option = argv[i];
        if (i + 1 == argc) die("%s wants a value", option);
        const char *value = argv[++i];
        if (strcmp(option, "--dir") == 0)
            opt.directory = value;
        else if (strcmp(option, "--name") == 0)
            opt.name = value;
        else if (strcmp(option, "--path") == 0)
            opt.path = value;
        else if (strcmp(option, "--reference") == 0)
            opt.reference = map_reference(value, &opt.size);
        else if (strcmp(option, "--op") == 0)
            opt.operation = operation_of(value);
        else if (strcmp(option, "--depth") == 0)
            opt.depth = (size_t)parse_number(option, value, 1, MAX_DEPTH);
        else if (strcmp(option, "--head") == 0)
            opt.head = (size_t)parse_number(option, value, 0, sizeof head);
        else if (strcmp(option, "--count") == 0)
            opt.count = parse_number(option, value, 1, 1000L * 1000 * 1000);
        else if (strcmp(option, "--seconds") == 0)
            opt.seconds = strtod(value, NULL);
        else if (strcmp(option, "--warmup") == 0)
            opt.warmup = parse_number(option, value, 0, 1000L * 1000 * 1000);
        else if (strcmp(option, "--server-pid") == 0)
            opt.server_pid = (pid_t)parse_number(option, value, 1, 1 << 30);
        else
            die("there is no option %s", option);
    }
    if (opt.path == NULL || opt.reference == NULL) die("--path and --reference are needed");
}

static size_t reap(struct sfd_session_completion *out, size_t most)
{
    for (;;) {
        const int n = sfd_session_reap(session, out, most);
        if (n > 0) return (size_t)n;
        if (n < 0) die_errno("the session has ended");
        struct pollfd waits = {.fd = sfd_session_fd(session), .events = POLLIN};
        if (poll(&waits, 1, -1) < 0 && errno != EINTR) die_errno("poll");
    }
}

static uint32_t registered(enum sfd_session_kind kind, int fd)
{
    struct sfd_session_completion completion;

    if (sfd_session_register(session, kind, fd, 0) < 0) die_errno("register");
    (void)reap(&completion, 1);
    if (completion.error != 0) die("register: %s", strerror((int)completion.error));
    return completion.handle;
}

static void set_up(void)
{
    const struct sfd_session_options options = {.submissions = 4096, .completions = 8192, .arena = 512 * 1024};
    struct sfd_session_completion opened;

    if (sfd_session_open(opt.directory, opt.name, &options, &session) < 0) die_errno("cannot open a session");
    struct sfd_session_request open = {.operation = SFD_SESSION_OPEN, .path = opt.path};
    if (sfd_session_submit(session, &open, 1) != 1) die_errno("open");
    (void)reap(&opened, 1);
    if (opened.error != 0) die("%s: %s", opt.path, strerror((int)opened.error));
    if (opened.size != opt.size) die("%s is no copy of the reference", opt.path);
    file = opened.handle;
    buffer = allocate(DRAIN_BUFFER);
    if (opt.operation == READ) {
        const size_t bytes = opt.depth * opt.size;
        const int fd = memfd_create("session_load", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)
            die_errno("memory");
        buffer = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
        if (buffer == MAP_FAILED) die_errno("mmap");
        memory = registered(SFD_SESSION_BUFFER, fd);
    }
    for (size_t i = 0; i < opt.depth && opt.operation != READ; i++) {
        int ends[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) die_errno("socketpair");
        slots[i].source = ends[0];
        slots[i].destination = registered(SFD_SESSION_DESTINATION, ends[1]);
        close(ends[1]);
    }
}

static void fill(struct sfd_session_request *request, size_t slot)
{
    *request = (struct sfd_session_request){
        .operation = opt.operation == READ ? SFD_SESSION_READ : SFD_SESSION_SEND,
        .file = file,
        .path = opt.operation == SEND_PATH ? opt.path : NULL,
        .destination = opt.operation == READ ? memory : slots[slot].destination,
        .length = SFD_SESSION_TO_END,
        .target = opt.operation == READ ? slot * opt.size : 0,
        .head = head,
        .head_length = opt.head,
        .user_data = slot,
    };
    slots[slot].started_ns = now_ns();
}

static void submit(struct sfd_session_request *requests, size_t count)
{
    if (count > 0 && sfd_session_submit(session, requests, count) != (int)count) die_errno("submit");
}

/* What came of a request: reads and compares it. */
static void finish(const struct sfd_session_completion *completion)
{
    struct slot *slot = &slots[completion->user_data];

    if (completion->error != 0) die("a request failed: %s", strerror((int)completion->error));
    if (opt.operation == READ) {
        if (memcmp(buffer + completion->user_data * opt.size, opt.reference, opt.size) != 0) die("wrong bytes");
    } else {
        if (opt.head > 0) drain(slot->source, opt.head, buffer, DRAIN_BUFFER, NULL);
        drain(slot->source, opt.size, buffer, DRAIN_BUFFER, opt.reference);
    }
    slot->ended_ns = now_ns();
    if (sample_count < MAX_SAMPLES) samples[sample_count++] = slot->ended_ns - slot->started_ns;
}

/* So many requests, or as many as begin in a time; how many. */
static long run(long count, double for_seconds)
{
    const uint64_t until_ns = for_seconds > 0 ? now_ns() + (uint64_t)(for_seconds * 1e9) : UINT64_MAX;
    static struct sfd_session_request requests[MAX_DEPTH];
    static struct sfd_session_completion completions[MAX_DEPTH];
    long begun = 0;
    size_t n = 0;

    for (; n < opt.depth && begun < count; begun++, n++)
        fill(&requests[n], n);
    submit(requests, n);
    long done = 0;
    while (done < begun) {
        const size_t got = reap(completions, opt.depth);
        n = 0;
        for (size_t i = 0; i < got; i++) {
            finish(&completions[i]);
            if (begun < count && slots[completions[i].user_data].ended_ns < until_ns) {
                fill(&requests[n++], completions[i].user_data);
                begun++;
            }
        }
        done += (long)got;
        submit(requests, n);
    }
    return done;
}

int main(int argc, char **argv)
{
    parse(argc, argv);
    alarm(TIMEOUT_S);
    uint64_t allowed;
    raise_open_files(0, &allowed);
    set_up();
    if (opt.warmup > 0) (void)run(opt.warmup, 0);
    sample_count = 0;
    const struct process_use server_before = process_use(opt.server_pid);
    const struct process_use own_before = process_use(getpid());
    const uint64_t start_ns = now_ns();
    const long done = run(opt.seconds > 0 ? LONG_MAX : opt.count, opt.seconds);
    const double seconds = (double)(now_ns() - start_ns) / 1e9;
    const double count = (double)done;
    const struct process_use server = process_use_since(opt.server_pid, &server_before);
    const struct process_use own = process_use_since(getpid(), &own_before);
    samples_sort(samples, sample_count);
    printf("{\"requests\":%ld,\"failures\":0,\"seconds\":%.6f,\"rate\":%.1f,\"bytes\":%.0f,\"mb_per_s\":%.1f,",
           opt.count, seconds, count / seconds, count * (double)opt.size, count * (double)opt.size / 1e6 / seconds);
    printf("\"p50_us\":%.1f,\"p90_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f,", samples_us(samples, sample_count, 50),
           samples_us(samples, sample_count, 90), samples_us(samples, sample_count, 99),
           samples_us(samples, sample_count, 100));
    print_server_use(opt.server_pid, &server, count);
    printf("\"technique\":0,\"cold_windows\":0,\"client_cpu_us\":%.3f,\"first_errno\":0,\"first_failure\":\"\"}\n",
           (double)own.cpu_ns / 1000 / count);
    sfd_session_close(session);
    return 0;
}
