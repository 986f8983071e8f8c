/*
 * holder: clients that make the daemon's threads wait in the kernel, each a process of its own.
 *
 *   holder --socket SOCKET --kind KIND --path PATH --file FILE [options]    PATH: as the daemon knows FILE
 *
 *   splice           Read File, and splice(2) of its pipe to a blocking socket that nobody reads: the pipe's mutex
 *   splice-slow      the same, with a reader of 160 KB/s
 *   read             read(2) of a Read File's pipe into memory of a disk that does not answer: the pipe's mutex
 *   socket           Send File to a TCP socket, which the client itself receives from into such memory: its lock
 *   socket-blocking  the same without O_NONBLOCK, so that the daemon writes memory instead of using sendfile(2)
 *   fanotify         Read File of FILE, whose opens and reads by the daemon are allowed late (CAP_SYS_ADMIN)
 *   evict            Send File of FILE, whose pages are dropped all the time; FILE is on a slow disk
 *
 *   --clients N      processes (1)
 *   --seconds S      ends after so long at the latest (30)
 *   --early          the lock is held before the request is sent; without it, while the daemon moves bytes (128 MB/s)
 *   --hold-ms H      splice: hold so long, let go, hold again; fanotify: allow after so long (4000)
 *   --dead FILE      of the disk that does not answer, a page for each client: read, socket
 *   --pid PID        the daemon's: fanotify
 *   --reference FILE the bytes of FILE, if FILE itself is not to be read: evict
 *   --patience-ms P  how long to wait until all hold (5000)
 *
 * Prints "held N" when all N hold; fewer if not all do in time. Holds until its standard input ends, or SIGTERM, or S
 * seconds are over; then releases all, waits for the end of each transfer, and prints one line of JSON:
 *   {"clients":N,"complete":N,"failed":N,"aborted":N,"unfinished":N,"wrong":N,"first_errno":"NAME"}
 * aborted: the channel ended without a last message; wrong: other bytes than the file's, a message too many, or other
 * numbers than the bytes.
 *
 * Exit: 0, also when transfers failed; 1 this side failed; 2 usage; 77 not possible here, which is said.
 */
#include "holder.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "driver_common.h"
#include "hostile_common.h"

enum { CLIENTS_MAX = 256, NOT_POSSIBLE = 77, GRACE_MS = 5000 };

static const struct holder_kind kinds[] = {
    {"splice", hold_by_splice, "unix/blocking", 0},
    {"splice-slow", hold_by_splice, "unix/blocking", 100},
    {"read", hold_by_read, NULL, 0},
    {"socket", hold_by_socket, "tcp/nonblocking", 0},
    {"socket-blocking", hold_by_socket, "tcp/blocking", 0},
    {"fanotify", hold_by_permission, NULL, 0},
    {"evict", hold_by_eviction, "unix/nonblocking", 0},
};

static volatile sig_atomic_t ended;

static void on_end(int number)
{
    (void)number;
    ended = 1;
}

long now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- what a client uses ---- */

bool is_over(const struct holder *holder, long timeout_ms)
{
    struct pollfd over = {.fd = holder->over};

    return poll(&over, 1, (int)timeout_ms) > 0;
}

void say_held(const struct holder *holder)
{
    if (write(holder->held, "", 1) != 1) driver_die("write");
}

void say_outcome(const struct holder *holder, const struct outcome *outcome)
{
    if (write(holder->results, outcome, sizeof *outcome) != sizeof *outcome) driver_die("write");
}

/* ---- the program ---- */

static void map_reference(struct holder *h, const char *name)
{
    struct stat status;
    const int fd = open(name, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &status) < 0) driver_die(name);
    h->size = (size_t)status.st_size;
    h->reference = mmap(NULL, h->size, PROT_READ, MAP_SHARED, fd, 0);
    if (h->reference == MAP_FAILED) driver_die(name);
    (void)close(fd);
}

static void start_client(const struct holder *holder, size_t number, int group, int release)
{
    struct holder h = *holder;
    const pid_t parent = getpid();
    const pid_t pid = fork();

    if (pid < 0) driver_die("fork");
    if (pid > 0) return;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(DRIVER_FAILED);
    (void)close(release);
    if (group >= 0) (void)close(group);
    h.number = number;
    h.requests = hostile_connect(h.socket);
    h.kind->run(&h);
    _exit(0); /* a thread of it may be held */
}

/* Reads so many bytes of the clients, until the deadline; how many came. */
static size_t collect(int fd, void *out, size_t size, long deadline_ms)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    size_t have = 0;

    while (have < size) {
        const long left = deadline_ms - now_ms();
        if (left <= 0 || poll(&ready, 1, (int)left) < 0) break;
        if (ready.revents == 0) continue;
        const ssize_t n = read(fd, (char *)out + have, size - have);
        if (n == 0) break;
        if (n > 0) have += (size_t)n;
    }
    return have;
}

static void await_end(long deadline_ms)
{
    sigset_t none;
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    char bytes[64];

    sigemptyset(&none);
    for (long left; ended == 0 && (left = deadline_ms - now_ms()) > 0;) {
        const struct timespec timeout = {.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000};
        if (ppoll(&input, 1, &timeout, &none) > 0 && read(STDIN_FILENO, bytes, sizeof bytes) <= 0) return;
    }
}

static void report(const struct outcome *outcomes, size_t told, size_t clients)
{
    struct outcome sum = {.unfinished = (uint32_t)(clients - told)};

    for (size_t i = 0; i < told; i++) {
        sum.complete += outcomes[i].complete;
        sum.failed += outcomes[i].failed;
        sum.aborted += outcomes[i].aborted;
        sum.unfinished += outcomes[i].unfinished;
        sum.wrong += outcomes[i].wrong;
        if (sum.first_errno == 0) sum.first_errno = outcomes[i].first_errno;
    }
    printf("{\"clients\":%zu,\"complete\":%u,\"failed\":%u,\"aborted\":%u,\"unfinished\":%u,\"wrong\":%u,"
           "\"first_errno\":\"%s\"}\n",
           clients, sum.complete, sum.failed, sum.aborted, sum.unfinished, sum.wrong,
           sum.first_errno == 0 ? "" : strerrorname_np(sum.first_errno));
}

static int run(struct holder *h, size_t clients, long seconds)
{
    static struct outcome outcomes[CLIENTS_MAX];
    static char held_bytes[CLIENTS_MAX];
    const long begin = now_ms();
    int group = -1;
    int over[2];
    int held[2];
    int results[2];
    pthread_t listener;

    if (pipe2(over, O_CLOEXEC) < 0 || pipe2(held, O_CLOEXEC) < 0 || pipe2(results, O_CLOEXEC) < 0) driver_die("pipe");
    h->over = over[0];
    h->held = held[1];
    h->results = results[1];
    if (h->kind->run == hold_by_permission && (group = permission_open(h)) < 0) {
        printf("not possible: fanotify: %s\n", strerror(errno));
        return NOT_POSSIBLE;
    }
    for (size_t i = 0; i < clients; i++)
        start_client(h, i, group, over[1]);
    (void)close(held[1]);
    (void)close(results[1]);
    if (group >= 0) permission_start(h, group, &listener);

    printf("held %zu\n", collect(held[0], held_bytes, clients, begin + h->patience_ms + GRACE_MS));
    fflush(stdout);
    await_end(begin + seconds * 1000);

    (void)close(over[1]);
    if (group >= 0) (void)pthread_join(listener, NULL);
    ended = 0;
    const size_t size = collect(results[0], outcomes, clients * sizeof *outcomes, now_ms() + RELEASE_MS + GRACE_MS);
    report(outcomes, size / sizeof *outcomes, clients);
    return 0; /* what is left of the clients ends with this process */
}

static long number(const char *text, long least, long most)
{
    char *end;
    const long value = strtol(text, &end, 10);

    if (end == text || *end != '\0' || value < least || value > most) {
        fprintf(stderr, "holder: '%s' is not a number from %ld to %ld\n", text, least, most);
        exit(DRIVER_USAGE);
    }
    return value;
}

static const struct holder_kind *kind_of(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].name, name) == 0) return &kinds[i];
    return NULL;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"socket", required_argument, NULL, 's'},
        {"kind", required_argument, NULL, 'k'},
        {"path", required_argument, NULL, 'p'},
        {"file", required_argument, NULL, 'f'},
        {"clients", required_argument, NULL, 'n'},
        {"seconds", required_argument, NULL, 'S'},
        {"early", no_argument, NULL, 'e'},
        {"hold-ms", required_argument, NULL, 'h'},
        {"dead", required_argument, NULL, 'd'},
        {"pid", required_argument, NULL, 'P'},
        {"reference", required_argument, NULL, 'r'},
        {"patience-ms", required_argument, NULL, 't'},
        {NULL, 0, NULL, 0},
    };
    struct holder h = {.patience_ms = 5000};
    const char *reference = NULL;
    size_t clients = 1;
    long seconds = 30;
    bool usable = true;

    for (int which; (which = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (which) {
        case 's':
            h.socket = optarg;
            break;
        case 'k':
            h.kind = kind_of(optarg);
            break;
        case 'p':
            h.path = strlen(optarg) < 4096 ? optarg : NULL;
            break;
        case 'f':
            h.file = optarg;
            break;
        case 'n':
            clients = (size_t)number(optarg, 1, CLIENTS_MAX);
            break;
        case 'S':
            seconds = number(optarg, 1, 3600);
            break;
        case 'e':
            h.early = true;
            break;
        case 'h':
            h.hold_ms = number(optarg, 1, 600000);
            break;
        case 'd':
            h.dead = optarg;
            break;
        case 'P':
            h.daemon = (pid_t)number(optarg, 1, 1L << 30);
            break;
        case 'r':
            reference = optarg;
            break;
        case 't':
            h.patience_ms = number(optarg, 1, 600000);
            break;
        default:
            usable = false;
        }
    }
    if (!usable || optind != argc || h.socket == NULL || h.kind == NULL || h.path == NULL || h.file == NULL ||
        (h.dead == NULL && (h.kind->run == hold_by_read || h.kind->run == hold_by_socket)) ||
        (h.daemon == 0 && h.kind->run == hold_by_permission)) {
        fputs("usage: see the top of holder.c\n", stderr);
        return DRIVER_USAGE;
    }
    map_reference(&h, reference != NULL ? reference : h.file);
    (void)signal(SIGPIPE, SIG_IGN);
    const struct sigaction end = {.sa_handler = on_end};
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, NULL); /* but in await_end() */
    (void)sigaction(SIGTERM, &end, NULL);
    return run(&h, clients, seconds);
}
