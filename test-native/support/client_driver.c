/*
 * Drives a real daemon through the C client library, for system tests.
 *
 *   client_driver SOCKDIR NAME read PATH [OFFSET [LENGTH]]
 *   client_driver SOCKDIR NAME send PATH DESTINATION [OFFSET [LENGTH]]
 *   client_driver SOCKDIR NAME open-send PATH DESTINATION [OFFSET [LENGTH]]
 *   client_driver SOCKDIR NAME open PATH          open, then wait for what happens (the timeout)
 *   client_driver SOCKDIR NAME cancel PATH        open and cancel: end of file without a message
 *   client_driver SOCKDIR NAME cancel-send PATH   cancel a Send File whose reader takes nothing
 *   client_driver SOCKDIR NAME cancel-id ID       cancel a transfer, most likely of another process
 *   client_driver SOCKDIR NAME send-id ID         send an opened file, most likely of another process, to a
 *                                   pipe, and print how many bytes arrived
 *   client_driver SOCKDIR NAME many COUNT PARALLEL ROOT PATH...
 *                                   COUNT transfers of these files of all kinds, PARALLEL at once,
 *                                   each compared with the file of that path under ROOT
 *   client_driver hash FILE                       SHA-256 of a local file
 *
 * DESTINATION: pipe, unix, tcp (made here and read from here), or file:NAME (written from its start).
 *
 * One line of JSON on stdout tells the outcome:
 *   {"size":N,"atime":N,"mtime":N,"ctime":N,"id":"N","moved":N,"received":N,"complete":B,"refused":B,
 *    "errno":N,"sha256":"..."}
 * size to id: File Information (0 when refused). moved: sum of the progress. received, sha256: of the
 * bytes that arrived. errno: of the error message, 0 without one.
 * many: {"done":N,"failed":N,"descriptors":N}, descriptors being the difference of our own open ones.
 *
 * Exit: 0 the transfer ended as it should (cancel: as it should when cancelled), 1 it did not, 2 usage,
 * 3 no daemon, 4 nothing happened for a minute.
 */
#include <sendfiled/sendfiled.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sha256_common.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_NO_DAEMON = 3, EXIT_STUCK = 4 };

#define PATIENCE_MS  60000
#define MAX_PARALLEL 1024

enum operation { READ, SEND, OPEN_SEND, OPEN, CANCEL, CANCEL_SEND };

struct outcome {
    struct sfd_file_info info;
    uint64_t moved;
    uint64_t received;
    bool complete;
    bool refused;
    int error;
    char sha256[SHA256_HEX_SIZE];
};

/* One transfer under way. Owns its descriptors; -1: none (any more). */
struct transfer {
    enum operation operation;
    int srv;    /* borrowed */
    int status; /* the status channel */
    int data;   /* where the bytes arrive; Read File: the same as status */
    int target; /* Open File: where to send to, once the information is here */
    bool informed;
    unsigned char message[SFD_MAX_RESP_SIZE]; /* the response that is being received */
    size_t have;
    struct sha256 sha;
    struct outcome outcome;
};

static void die(const char *what)
{
    fprintf(stderr, "client_driver: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILED);
}

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

/* A connected pair of TCP sockets on loopback. */
static void tcp_pair(int out[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    out[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || out[1] < 0 ||
        bind(listener, (const struct sockaddr *)&address, sizeof address) < 0 ||
        listen(listener, 1) < 0 || getsockname(listener, (struct sockaddr *)&address, &size) < 0 ||
        connect(out[1], (const struct sockaddr *)&address, sizeof address) < 0) {
        die("tcp");
    }
    out[0] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (out[0] < 0) {
        die("accept");
    }
    close(listener);
}

/* Makes a destination: *data is our end (-1 for a file), the result the daemon's. */
static int open_destination(const char *destination, int *data)
{
    int fds[2] = {-1, -1};

    if (strcmp(destination, "pipe") == 0) {
        if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0) {
            die("pipe");
        }
    } else if (strcmp(destination, "unix") == 0) {
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0) {
            die("socketpair");
        }
    } else if (strcmp(destination, "tcp") == 0) {
        tcp_pair(fds);
    } else if (strncmp(destination, "file:", 5) == 0) {
        fds[1] = open(destination + 5, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fds[1] < 0) {
            die(destination);
        }
    } else {
        fprintf(stderr, "client_driver: %s: no destination\n", destination);
        exit(EXIT_USAGE);
    }
    if (fds[0] >= 0 && fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0) {
        die("fcntl");
    }
    *data = fds[0];
    return fds[1];
}

/* Reads what is there. Bytes, 0 at end of file or -1 when there is nothing yet. */
static ssize_t take(int fd, void *buffer, size_t size)
{
    ssize_t n;

    do {
        n = read(fd, buffer, size);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EAGAIN) {
        /* A reset connection ends the data as well; the status channel says why. */
        return errno == ECONNRESET ? 0 : (die("read"), -1);
    }
    return n;
}

static void take_data(struct transfer *t)
{
    static _Thread_local unsigned char buffer[256 * 1024];
    const ssize_t n = take(t->data, buffer, sizeof buffer);

    if (n == 0) {
        if (t->data == t->status) {
            t->status = -1;
        }
        close_fd(&t->data);
    } else if (n > 0) {
        sha256_update(&t->sha, buffer, (size_t)n);
        t->outcome.received += (uint64_t)n;
    }
}

static void on_information(struct transfer *t)
{
    t->informed = true;
    if (t->operation == OPEN_SEND) {
        if (!sfd_send_open(t->srv, t->outcome.info.txnid, t->target)) {
            die("sfd_send_open");
        }
        close_fd(&t->target);
    } else if (t->operation == CANCEL || t->operation == CANCEL_SEND) {
        if (!sfd_cancel(t->srv, t->outcome.info.txnid)) {
            die("sfd_cancel");
        }
    } else if (t->operation == READ) {
        t->data = t->status;
    }
}

static void on_message(struct transfer *t)
{
    struct sfd_xfer_stat progress;

    if (sfd_get_stat(t->message) != SFD_STAT_OK) {
        t->outcome.error = sfd_get_stat(t->message);
        t->outcome.refused = sfd_get_cmd(t->message) == SFD_FILE_INFO;
    } else if (sfd_unmarshal_file_info(&t->outcome.info, t->message)) {
        on_information(t);
    } else if (sfd_unmarshal_xfer_stat(&progress, t->message)) {
        if (sfd_xfer_complete(&progress)) {
            t->outcome.complete = true;
        } else {
            t->outcome.moved += progress.size;
        }
    } else {
        fprintf(stderr, "client_driver: response with command %d\n", sfd_get_cmd(t->message));
        exit(EXIT_FAILED);
    }
}

/* Bytes of the response that has begun, as far as it is known. */
static size_t message_size(const struct transfer *t)
{
    if (t->have < SFD_HDR_SIZE || sfd_get_stat(t->message) != SFD_STAT_OK) {
        return SFD_HDR_SIZE;
    }
    return sfd_get_cmd(t->message) == SFD_FILE_INFO ? SFD_MAX_RESP_SIZE : 16;
}

static void take_status(struct transfer *t)
{
    /* Never beyond this message: in a Read File, what follows is data. */
    const ssize_t n = take(t->status, t->message + t->have, message_size(t) - t->have);

    if (n < 0) {
        return;
    }
    if (n == 0) {
        if (t->have != 0) {
            fprintf(stderr, "client_driver: end of file inside a response\n");
            exit(EXIT_FAILED);
        }
        close_fd(&t->status);
        close_fd(&t->target);
        return;
    }
    t->have += (size_t)n;
    if (t->have == message_size(t)) {
        t->have = 0;
        on_message(t);
    }
}

static void run(struct transfer *t)
{
    const bool read_data = t->operation != CANCEL_SEND;

    while (t->status >= 0 || (read_data && t->data >= 0)) {
        const bool merged = t->data >= 0 && t->data == t->status;
        struct pollfd fds[2] = {
            {.fd = merged ? -1 : t->status, .events = POLLIN},
            {.fd = read_data ? t->data : -1, .events = POLLIN},
        };
        const int ready = poll(fds, 2, PATIENCE_MS);

        if (ready == 0) {
            fprintf(stderr, "client_driver: nothing happened for a minute\n");
            exit(EXIT_STUCK);
        }
        if (fds[0].revents != 0) {
            take_status(t);
        }
        if (fds[1].revents != 0) {
            take_data(t);
        }
    }
    close_fd(&t->data);
}

/* Makes a request and sees it through. */
static struct outcome transfer(int srv, enum operation operation, const char *path,
                               const char *destination, off_t offset, size_t length)
{
    struct transfer t = {
        .operation = operation, .srv = srv, .status = -1, .data = -1, .target = -1};

    sha256_init(&t.sha);
    if (destination != NULL) {
        t.target = open_destination(destination, &t.data);
    }
    switch (operation) {
    case READ:
        t.status = sfd_read(srv, path, offset, length, true);
        break;
    case SEND:
    case CANCEL_SEND:
        t.status = sfd_send(srv, path, t.target, offset, length, true);
        close_fd(&t.target);
        break;
    case OPEN_SEND:
    case OPEN:
    case CANCEL:
        t.status = sfd_open(srv, path, offset, length, true);
        break;
    }
    if (t.status < 0) {
        die("request");
    }
    run(&t);
    sha256_finish(&t.sha, t.outcome.sha256);
    return t.outcome;
}

static void hash_range(const char *path, off_t offset, size_t length, char hex[SHA256_HEX_SIZE])
{
    static _Thread_local unsigned char buffer[64 * 1024];
    struct sha256 sha;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t left = length == 0 ? SIZE_MAX : length;

    if (fd < 0) {
        die(path);
    }
    sha256_init(&sha);
    for (ssize_t n; left > 0; left -= (size_t)n, offset += n) {
        n = pread(fd, buffer, left < sizeof buffer ? left : sizeof buffer, offset);
        if (n < 0) {
            die(path);
        }
        if (n == 0) {
            break;
        }
        sha256_update(&sha, buffer, (size_t)n);
    }
    close(fd);
    sha256_finish(&sha, hex);
}

static bool is_success(enum operation operation, const struct outcome *o, bool to_file)
{
    if (o->error != 0) {
        return false;
    }
    switch (operation) {
    case READ:
        return o->received == o->info.size;
    case SEND:
    case OPEN_SEND:
        return o->complete && o->moved <= o->info.size && (to_file || o->received == o->info.size);
    case OPEN:
        return false; /* it was never sent: the timeout is an error */
    case CANCEL:
    case CANCEL_SEND:
        return !o->complete;
    }
    return false;
}

static void print_outcome(FILE *to, const struct outcome *o)
{
    fprintf(
        to,
        "{\"size\":%zu,\"atime\":%jd,\"mtime\":%jd,\"ctime\":%jd,\"id\":\"%zu\",\"moved\":%" PRIu64
        ",\"received\":%" PRIu64
        ",\"complete\":%s,\"refused\":%s,\"errno\":%d,\"sha256\":\"%s\"}\n",
        o->info.size, (intmax_t)o->info.atime, (intmax_t)o->info.mtime, (intmax_t)o->info.ctime,
        o->info.txnid, o->moved, o->received, o->complete ? "true" : "false",
        o->refused ? "true" : "false", o->error, o->sha256);
}

/* ---- many ---------------------------------------------------------------------------------- */

struct many {
    int srv;
    int count;
    char **paths;
    char (*hashes)[SHA256_HEX_SIZE]; /* of the files of these paths */
    int path_count;
    atomic_int next;
    atomic_int failed;
};

static bool run_one(const struct many *m, int n)
{
    static const char *const destinations[] = {"pipe", "unix", "tcp"};
    const char *path = m->paths[n % m->path_count];
    const char *destination = destinations[n / 3 % 3];
    const enum operation operation = n % 3 == 0 ? READ : n % 3 == 1 ? SEND : OPEN_SEND;
    const struct outcome o =
        transfer(m->srv, operation, path, operation == READ ? NULL : destination, 0, 0);
    const bool right =
        is_success(operation, &o, false) && strcmp(o.sha256, m->hashes[n % m->path_count]) == 0;

    if (!right) {
        fprintf(stderr, "client_driver: transfer %d of %s failed: ", n, path);
        print_outcome(stderr, &o);
    }
    return right;
}

static void *run_some(void *argument)
{
    struct many *m = argument;

    for (int n; (n = atomic_fetch_add(&m->next, 1)) < m->count;) {
        if (!run_one(m, n)) {
            atomic_fetch_add(&m->failed, 1);
        }
    }
    return NULL;
}

static int count_descriptors(void)
{
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");

    if (directory == NULL) {
        die("/proc/self/fd");
    }
    while (readdir(directory) != NULL) {
        count++;
    }
    closedir(directory);
    return count;
}

static int run_many(int srv, int argc, char **argv)
{
    if (argc < 4) {
        return EXIT_USAGE;
    }

    const int parallel = atoi(argv[1]);
    const int before = count_descriptors();
    struct many m = {.srv = srv, .count = atoi(argv[0]), .paths = argv + 3, .path_count = argc - 3};

    if (parallel < 1 || parallel > MAX_PARALLEL) {
        return EXIT_USAGE;
    }
    m.hashes = calloc((size_t)m.path_count, sizeof *m.hashes);
    if (m.hashes == NULL) {
        die("calloc");
    }
    for (int i = 0; i < m.path_count; i++) {
        char local[4096];

        (void)snprintf(local, sizeof local, "%s/%s", argv[2], m.paths[i]);
        hash_range(local, 0, 0, m.hashes[i]);
    }

    pthread_t threads[MAX_PARALLEL];

    for (int i = 0; i < parallel; i++) {
        errno = pthread_create(&threads[i], NULL, run_some, &m);
        if (errno != 0) {
            die("pthread_create");
        }
    }
    for (int i = 0; i < parallel; i++) {
        pthread_join(threads[i], NULL);
    }

    free(m.hashes);

    const int failed = atomic_load(&m.failed);
    const int leaked = count_descriptors() - before;

    printf("{\"done\":%d,\"failed\":%d,\"descriptors\":%d}\n", m.count - failed, failed, leaked);
    return failed == 0 && leaked == 0 ? 0 : EXIT_FAILED;
}

/* ---- somebody's transfer --------------------------------------------------------------------- */

static int run_cancel_id(int srv, const char *id)
{
    return sfd_cancel(srv, strtoull(id, NULL, 10)) ? 0 : EXIT_FAILED;
}

static int run_send_id(int srv, const char *id)
{
    struct transfer t = {.operation = SEND, .srv = srv, .status = -1, .data = -1};
    int dest = open_destination("pipe", &t.data);

    sha256_init(&t.sha);
    if (!sfd_send_open(srv, strtoull(id, NULL, 10), dest)) {
        return EXIT_FAILED;
    }
    close_fd(&dest);
    run(&t);
    printf("%" PRIu64 "\n", t.outcome.received);
    return 0;
}

/* ---- the command line ---------------------------------------------------------------------- */

static int usage(void)
{
    fprintf(stderr, "usage: see the top of client_driver.c\n");
    return EXIT_USAGE;
}

static const struct command {
    const char *name;
    enum operation operation;
    bool has_destination;
} commands[] = {
    {"read", READ, false}, {"send", SEND, true},      {"open-send", OPEN_SEND, true},
    {"open", OPEN, false}, {"cancel", CANCEL, false}, {"cancel-send", CANCEL_SEND, false},
};

static int run_command(int srv, const char *name, int argc, char **argv)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        const struct command *c = &commands[i];
        const int range = c->has_destination ? 2 : 1; /* where OFFSET would stand */

        if (strcmp(name, c->name) != 0) {
            continue;
        }
        if (argc < range || argc > range + 2) {
            return usage();
        }

        const char *destination = c->has_destination            ? argv[1]
                                  : c->operation == CANCEL_SEND ? "pipe"
                                                                : NULL;
        const off_t offset = argc > range ? (off_t)strtoll(argv[range], NULL, 0) : 0;
        const size_t length = argc > range + 1 ? strtoull(argv[range + 1], NULL, 0) : 0;
        const bool to_file = destination != NULL && strncmp(destination, "file:", 5) == 0;
        const struct outcome o = transfer(srv, c->operation, argv[0], destination, offset, length);

        print_outcome(stdout, &o);
        return is_success(c->operation, &o, to_file) ? 0 : EXIT_FAILED;
    }
    return usage();
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "hash") == 0) {
        char hex[SHA256_HEX_SIZE];

        hash_range(argv[2], 0, 0, hex);
        puts(hex);
        return 0;
    }
    if (argc < 5) {
        return usage();
    }

    int srv = sfd_connect(argv[1], argv[2]);

    if (srv < 0) {
        fprintf(stderr, "client_driver: %s/sendfiled.%s.socket: %s\n", argv[1], argv[2],
                strerror(errno));
        return EXIT_NO_DAEMON;
    }

    int result;

    if (strcmp(argv[3], "many") == 0) {
        result = run_many(srv, argc - 4, argv + 4);
    } else if (strcmp(argv[3], "cancel-id") == 0) {
        result = run_cancel_id(srv, argv[4]);
    } else if (strcmp(argv[3], "send-id") == 0) {
        result = run_send_id(srv, argv[4]);
    } else {
        result = run_command(srv, argv[3], argc - 4, argv + 4);
    }

    close_fd(&srv);
    return result == EXIT_USAGE ? usage() : result;
}
