/*
 * Drives a real daemon through the C client library, for system tests.
 *
 *   client_driver SOCKDIR NAME read PATH [OFFSET [LENGTH]]
 *   client_driver SOCKDIR NAME send PATH DESTINATION [OFFSET [LENGTH]]
 *   client_driver SOCKDIR NAME open-send PATH DESTINATION [OFFSET [LENGTH]]
 *   client_driver SOCKDIR NAME send-fd FILE DESTINATION [OFFSET [LENGTH]]
 *                                   Send Descriptor: a local FILE, opened here
 *   client_driver SOCKDIR NAME open PATH          open, then wait for what happens (the timeout)
 *   client_driver SOCKDIR NAME cancel PATH        open and cancel: end of file without a message
 *   client_driver SOCKDIR NAME cancel-send PATH   cancel a Send File whose reader takes nothing
 *   client_driver SOCKDIR NAME stall PATH         a Send File to a pipe that is not read before it is over
 *   client_driver SOCKDIR NAME cancel-id ID       cancel a transfer, most likely of another process
 *   client_driver SOCKDIR NAME send-id ID         send an opened file, most likely of another process, to a
 *                                   pipe, and print how many bytes arrived
 *   client_driver SOCKDIR NAME many COUNT PARALLEL ROOT PATH...
 *                                   COUNT transfers of these files of all kinds, PARALLEL at once,
 *                                   each compared with the file of that path under ROOT
 *   client_driver hash FILE                       SHA-256 of a local file
 *
 * DESTINATION: as driver_common.h has them.
 *
 * Options, anywhere behind NAME, make requests extended: --technique=NAME, --rate=BYTES, --idle=MS,
 * --deadline=MS, --drop-behind, --more; or --extended, which asks for nothing.
 *
 * One line of JSON on stdout tells the outcome:
 *   {"size":N,"atime":N,"mtime":N,"ctime":N,"id":"N","moved":N,"received":N,"complete":B,"refused":B,
 *    "errno":N,"sha256":"...","ended":B,"total":N,"technique":"...","elapsedNs":N,"coldWindows":N,"fits":N}
 * size to id: File Information (0 when refused). moved: sum of the progress. received, sha256: of the
 * bytes that arrived. errno: of the error message, the refusal or the result, 0 without one.
 * ended: a Result came; total to coldWindows are its. fits: the techniques of an extended refusal, or of a Result.
 * many: {"done":N,"failed":N,"descriptors":N}, descriptors being the difference of our own open ones.
 *
 * Exit: 0 the transfer ended as it should (cancel: as it should when cancelled), 1 it did not, 2 usage,
 * 3 no daemon, 4 nothing happened for a minute.
 */
#include <sendfiled/sendfiled.h>

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver_common.h"
#include "sha256_common.h"

enum { EXIT_NO_DAEMON = 3, EXIT_STUCK = 4 };

#define PATIENCE_MS  60000
#define MAX_PARALLEL 1024

enum operation { READ, SEND, SEND_FD, OPEN_SEND, OPEN, CANCEL, CANCEL_SEND, STALL };

struct outcome {
    struct sfd_file_info info;
    uint64_t moved;
    uint64_t received;
    bool complete;
    bool refused;
    int error;
    bool ended; /* by the result */
    struct sfd_result result;
    uint32_t fits;
    char sha256[SHA256_HEX_SIZE];
};

/* One transfer under way. Owns its descriptors; -1: none (any more). */
struct transfer {
    enum operation operation;
    int srv;    /* borrowed */
    int status; /* the status channel */
    int data;   /* where the bytes arrive; Read File: the same as status */
    int target; /* Open File: where to send to, once the information is here */
    bool extended;
    unsigned char message[SFD_MAX_RESP_SIZE]; /* the response that is being received */
    size_t have;
    struct sha256 sha;
    struct outcome outcome;
};

/* Reads what is there. Bytes, 0 at the end, or -1 when there is nothing yet. */
static ssize_t take(int fd, void *buffer, size_t size)
{
    ssize_t n;

    do {
        n = read(fd, buffer, size);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EAGAIN) {
        /* A reset connection, whose cause the status channel tells; a terminal that nobody has. */
        if (errno != ECONNRESET && errno != EIO) driver_die("read");
        return 0;
    }
    return n;
}

/* An extended Read File has a message behind the file's bytes. */
static size_t data_limit(const struct transfer *t, size_t limit)
{
    const uint64_t left = t->outcome.info.size - t->outcome.received;

    return t->extended && t->data == t->status && left < limit ? (size_t)left : limit;
}

static void take_data(struct transfer *t)
{
    static _Thread_local unsigned char buffer[256 * 1024];
    const ssize_t n = take(t->data, buffer, data_limit(t, sizeof buffer));

    if (n == 0) {
        if (t->data == t->status) t->status = -1;
        driver_close(&t->data);
    } else if (n > 0) {
        sha256_update(&t->sha, buffer, (size_t)n);
        t->outcome.received += (uint64_t)n;
        if (data_limit(t, 1) == 0) t->data = -1;
    }
}

static void on_information(struct transfer *t)
{
    if (t->operation == OPEN_SEND) {
        if (!sfd_send_open(t->srv, t->outcome.info.txnid, t->target)) driver_die("sfd_send_open");
        driver_close(&t->target);
    } else if (t->operation == CANCEL || t->operation == CANCEL_SEND) {
        if (!sfd_cancel(t->srv, t->outcome.info.txnid)) driver_die("sfd_cancel");
    } else if (t->operation == READ) {
        t->data = t->status;
        if (data_limit(t, 1) == 0) t->data = -1;
    }
}

static void on_message(struct transfer *t)
{
    struct sfd_xfer_stat progress;
    struct sfd_refusal refusal;

    if (sfd_unmarshal_refusal(&refusal, t->message)) {
        t->outcome.refused = true;
        t->outcome.error = refusal.stat;
        t->outcome.fits = refusal.fits;
    } else if (sfd_unmarshal_result(&t->outcome.result, t->message)) {
        t->outcome.ended = true;
        t->outcome.error = t->outcome.result.stat;
        t->outcome.fits = t->outcome.result.fits;
        t->outcome.complete = t->outcome.error == 0;
    } else if (sfd_get_stat(t->message) != SFD_STAT_OK) {
        t->outcome.error = sfd_get_stat(t->message);
        t->outcome.refused = sfd_get_cmd(t->message) == SFD_FILE_INFO;
    } else if (sfd_unmarshal_file_info(&t->outcome.info, t->message)) {
        on_information(t);
    } else if (sfd_unmarshal_xfer_stat(&progress, t->message)) {
        if (sfd_xfer_complete(&progress))
            t->outcome.complete = true;
        else
            t->outcome.moved += progress.size;
    } else {
        fprintf(stderr, "client_driver: response with command %d\n", sfd_get_cmd(t->message));
        exit(DRIVER_FAILED);
    }
}

/* Bytes of the response that has begun, as far as it is known. */
static size_t message_size(const struct transfer *t)
{
    const size_t size = t->have < SFD_HDR_SIZE ? SFD_HDR_SIZE : sfd_get_size(t->message);

    if (size == 0) {
        fprintf(stderr, "client_driver: response with command %d\n", sfd_get_cmd(t->message));
        exit(DRIVER_FAILED);
    }
    return size;
}

static void take_status(struct transfer *t)
{
    /* Never beyond this message: in a Read File, what follows is data. */
    const ssize_t n = take(t->status, t->message + t->have, message_size(t) - t->have);

    if (n < 0) return;
    if (n == 0) {
        if (t->have != 0) {
            fprintf(stderr, "client_driver: end of file inside a response\n");
            exit(DRIVER_FAILED);
        }
        driver_close(&t->status);
        driver_close(&t->target);
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
    const bool read_data = t->operation != CANCEL_SEND && t->operation != STALL;

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
        if (fds[0].revents != 0) take_status(t);
        if (fds[1].revents != 0) take_data(t);
    }
    driver_close(&t->data);
}

/* What all transfers of this program ask for. */
struct asked {
    bool extended; /* whether to ask at all */
    struct sfd_options options;
};

/* Makes a request of version 1. The status channel or -1. */
static int submit(const struct transfer *t, const char *path, off_t offset, size_t length)
{
    switch (t->operation) {
    case READ:
        return sfd_read(t->srv, path, offset, length, true);
    case SEND:
    case STALL:
    case CANCEL_SEND:
        return sfd_send(t->srv, path, t->target, offset, length, true);
    default:
        return sfd_open(t->srv, path, offset, length, true);
    }
}

static int send_local_file(const struct transfer *t, const char *path, off_t offset, size_t length,
                           const struct sfd_options *options)
{
    int source = open(path, O_RDONLY | O_CLOEXEC);

    if (source < 0) driver_die(path);

    const int status = sfd_send_fd(t->srv, source, t->target, offset, length, true, options);

    driver_close(&source);
    return status;
}

static int submit_extended(const struct transfer *t, const char *path, off_t offset, size_t length,
                           const struct sfd_options *options)
{
    switch (t->operation) {
    case READ:
        return sfd_read_with(t->srv, path, offset, length, true, options);
    case SEND:
    case STALL:
    case CANCEL_SEND:
        return sfd_send_with(t->srv, path, t->target, offset, length, true, options);
    case SEND_FD:
        return send_local_file(t, path, offset, length, options);
    default:
        return sfd_open_with(t->srv, path, offset, length, true, options);
    }
}

/* Makes a request and sees it through. */
static struct outcome transfer(int srv, enum operation operation, const struct asked *asked, const char *path,
                               const char *destination, off_t offset, size_t length)
{
    struct transfer t = {
        .operation = operation,
        .srv = srv,
        .status = -1,
        .data = -1,
        .target = -1,
        .extended = asked->extended || operation == SEND_FD,
    };

    sha256_init(&t.sha);
    if (destination != NULL) t.target = driver_open_destination(destination, &t.data);
    t.status =
        t.extended ? submit_extended(&t, path, offset, length, &asked->options) : submit(&t, path, offset, length);
    if (t.status < 0) driver_die("request");
    if (operation != OPEN_SEND) driver_close(&t.target);
    run(&t);
    sha256_finish(&t.sha, t.outcome.sha256);
    return t.outcome;
}

static bool is_success(enum operation operation, bool extended, const struct outcome *o, bool unread)
{
    if (o->error != 0 || (o->ended && o->complete && o->result.moved != o->info.size)) return false;
    switch (operation) {
    case READ:
        return o->received == o->info.size && (!extended || o->complete);
    case SEND:
    case SEND_FD:
    case OPEN_SEND:
        return o->complete && o->moved <= o->info.size && (unread || o->received == o->info.size);
    case OPEN:
    case STALL:
        return false; /* never sent, never read: the timeout is an error */
    case CANCEL:
    case CANCEL_SEND:
        return !o->complete;
    }
    return false;
}

static void print_outcome(FILE *to, const struct outcome *o)
{
    fprintf(to,
            "{\"size\":%zu,\"atime\":%jd,\"mtime\":%jd,\"ctime\":%jd,\"id\":\"%zu\",\"moved\":%" PRIu64
            ",\"received\":%" PRIu64 ",\"complete\":%s,\"refused\":%s,\"errno\":%d,\"sha256\":\"%s\"",
            o->info.size, (intmax_t)o->info.atime, (intmax_t)o->info.mtime, (intmax_t)o->info.ctime, o->info.txnid,
            o->moved, o->received, o->complete ? "true" : "false", o->refused ? "true" : "false", o->error, o->sha256);

    const char *technique = sfd_get_technique_name(o->result.technique);

    fprintf(to,
            ",\"ended\":%s,\"total\":%" PRIu64 ",\"technique\":\"%s\",\"elapsedNs\":%" PRIu64
            ",\"coldWindows\":%" PRIu32 ",\"fits\":%" PRIu32 "}\n",
            o->ended ? "true" : "false", o->result.moved, technique == NULL ? "?" : technique, o->result.elapsed_ns,
            o->result.cold_windows, o->fits);
}

/* ---- many ---------------------------------------------------------------------------------- */

struct many {
    int srv;
    const struct asked *asked;
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
    const struct outcome o = transfer(m->srv, operation, m->asked, path, operation == READ ? NULL : destination, 0, 0);
    const bool right =
        is_success(operation, m->asked->extended, &o, false) && strcmp(o.sha256, m->hashes[n % m->path_count]) == 0;

    if (!right) {
        fprintf(stderr, "client_driver: transfer %d of %s failed: ", n, path);
        print_outcome(stderr, &o);
    }
    return right;
}

static void *run_some(void *argument)
{
    struct many *m = argument;

    for (int n; (n = atomic_fetch_add(&m->next, 1)) < m->count;)
        if (!run_one(m, n)) atomic_fetch_add(&m->failed, 1);
    return NULL;
}

static int run_many(int srv, const struct asked *asked, int argc, char **argv)
{
    if (argc < 4) return DRIVER_USAGE;

    const int parallel = atoi(argv[1]);
    const int before = driver_count_descriptors();
    struct many m = {
        .srv = srv,
        .asked = asked,
        .count = atoi(argv[0]),
        .paths = argv + 3,
        .path_count = argc - 3,
    };

    if (parallel < 1 || parallel > MAX_PARALLEL) return DRIVER_USAGE;
    m.hashes = calloc((size_t)m.path_count, sizeof *m.hashes);
    if (m.hashes == NULL) driver_die("calloc");
    for (int i = 0; i < m.path_count; i++) {
        char local[4096];

        (void)snprintf(local, sizeof local, "%s/%s", argv[2], m.paths[i]);
        driver_hash_range(local, 0, 0, m.hashes[i]);
    }

    pthread_t threads[MAX_PARALLEL];

    for (int i = 0; i < parallel; i++) {
        errno = pthread_create(&threads[i], NULL, run_some, &m);
        if (errno != 0) driver_die("pthread_create");
    }
    for (int i = 0; i < parallel; i++)
        pthread_join(threads[i], NULL);

    free(m.hashes);

    const int failed = atomic_load(&m.failed);
    const int leaked = driver_count_descriptors() - before;

    printf("{\"done\":%d,\"failed\":%d,\"descriptors\":%d}\n", m.count - failed, failed, leaked);
    return failed == 0 && leaked == 0 ? 0 : DRIVER_FAILED;
}

/* ---- somebody's transfer --------------------------------------------------------------------- */

static int run_cancel_id(int srv, const char *id)
{
    return sfd_cancel(srv, strtoull(id, NULL, 10)) ? 0 : DRIVER_FAILED;
}

static int run_send_id(int srv, const char *id)
{
    struct transfer t = {.operation = SEND, .srv = srv, .status = -1, .data = -1};
    int dest = driver_open_destination("pipe", &t.data);

    sha256_init(&t.sha);
    if (!sfd_send_open(srv, strtoull(id, NULL, 10), dest)) return DRIVER_FAILED;
    driver_close(&dest);
    run(&t);
    printf("%" PRIu64 "\n", t.outcome.received);
    return 0;
}

/* ---- the command line ---------------------------------------------------------------------- */

static int usage(void)
{
    fprintf(stderr, "usage: see the top of client_driver.c\n");
    return DRIVER_USAGE;
}

static const struct command {
    const char *name;
    enum operation operation;
    bool has_destination;
} commands[] = {
    {"read", READ, false}, {"send", SEND, true},      {"open-send", OPEN_SEND, true},      {"send-fd", SEND_FD, true},
    {"open", OPEN, false}, {"cancel", CANCEL, false}, {"cancel-send", CANCEL_SEND, false}, {"stall", STALL, false},
};

static int run_command(int srv, const struct asked *asked, const char *name, int argc, char **argv)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        const struct command *c = &commands[i];
        const int range = c->has_destination ? 2 : 1; /* where OFFSET would stand */

        if (strcmp(name, c->name) != 0) continue;
        if (argc < range || argc > range + 2) return usage();

        const char *destination = c->has_destination                                     ? argv[1]
                                  : c->operation == CANCEL_SEND || c->operation == STALL ? "pipe"
                                                                                         : NULL;
        const off_t offset = argc > range ? (off_t)strtoll(argv[range], NULL, 0) : 0;
        const size_t length = argc > range + 1 ? strtoull(argv[range + 1], NULL, 0) : 0;
        const bool unread = destination != NULL && driver_is_unread(destination);
        const struct outcome o = transfer(srv, c->operation, asked, argv[0], destination, offset, length);

        print_outcome(stdout, &o);
        return is_success(c->operation, asked->extended, &o, unread) ? 0 : DRIVER_FAILED;
    }
    return usage();
}

/* The value of --NAME=VALUE, or NULL. */
static const char *value_of(const char *argument, const char *name)
{
    const size_t size = strlen(name);

    return strncmp(argument, name, size) == 0 && argument[size] == '=' ? argument + size + 1 : NULL;
}

/* Takes an option; false if it is none that we know. */
static bool ask(struct asked *asked, const char *argument)
{
    const char *value;

    asked->extended = true;
    if ((value = value_of(argument, "--technique")) != NULL) {
        const int technique = sfd_find_technique(value);

        asked->options.technique = (uint8_t)technique; /* a number: perhaps one that is none */
        return technique >= 0 || sscanf(value, "%" SCNu8, &asked->options.technique) == 1;
    }
    if ((value = value_of(argument, "--rate")) != NULL)
        asked->options.rate = strtoull(value, NULL, 0);
    else if ((value = value_of(argument, "--idle")) != NULL)
        asked->options.idle_ms = (uint32_t)strtoul(value, NULL, 0);
    else if ((value = value_of(argument, "--deadline")) != NULL)
        asked->options.deadline_ms = (uint32_t)strtoul(value, NULL, 0);
    else if (strcmp(argument, "--drop-behind") == 0)
        asked->options.flags |= SFD_OPTION_DROP_BEHIND;
    else if (strcmp(argument, "--more") == 0)
        asked->options.flags |= SFD_OPTION_MORE;
    else
        return strcmp(argument, "--extended") == 0;
    return true;
}

/* Takes the options out of the arguments. How many are left, or -1. */
static int take_options(struct asked *asked, int argc, char **argv)
{
    int left = 0;

    for (int i = 0; i < argc; i++)
        if (strncmp(argv[i], "--", 2) != 0)
            argv[left++] = argv[i];
        else if (!ask(asked, argv[i]))
            return -1;
    return left;
}

int main(int argc, char **argv)
{
    struct asked asked = {.extended = false};

    argc = take_options(&asked, argc, argv);
    if (argc == 3 && strcmp(argv[1], "hash") == 0) {
        char hex[SHA256_HEX_SIZE];

        driver_hash_range(argv[2], 0, 0, hex);
        puts(hex);
        return 0;
    }
    if (argc < 5) return usage();

    int srv = sfd_connect(argv[1], argv[2]);

    if (srv < 0) {
        fprintf(stderr, "client_driver: %s/sendfiled.%s.socket: %s\n", argv[1], argv[2], strerror(errno));
        return EXIT_NO_DAEMON;
    }

    int result;

    if (strcmp(argv[3], "many") == 0)
        result = run_many(srv, &asked, argc - 4, argv + 4);
    else if (strcmp(argv[3], "cancel-id") == 0)
        result = run_cancel_id(srv, argv[4]);
    else if (strcmp(argv[3], "send-id") == 0)
        result = run_send_id(srv, argv[4]);
    else
        result = run_command(srv, &asked, argv[3], argc - 4, argv + 4);

    driver_close(&srv);
    return result == DRIVER_USAGE ? usage() : result;
}
