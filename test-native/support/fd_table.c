/*
 * fd_table: what a daemon answers to a descriptor of each type, in each place of a request.
 *
 *   fd_table SOCKET PID [FILE-ON-A-DISK-THAT-HANGS]
 *
 * Opens the descriptors, prints "opened", waits for a line of standard input, then prints one line a type:
 *
 *   NAME|STATUS|DESTINATION|SOURCE
 *
 * STATUS: "answered" or "silence"; the others "complete" or the name of an errno. The daemon serves `small` and has one
 * loop, so the answer to a probe behind a request says that the request is done with: each cell has one, and each is
 * patient for 10 seconds at most. Ends with "probe N", N the slowest probe in milliseconds. A failure of this side, an
 * answer that never comes, answers that differ between the operations, bytes that arrive where something was refused:
 * exit status 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "driver_common.h"
#include "hostile_common.h"
#include "protocol/wire.h"

enum { PATIENCE_MS = 10000, ANSWER = 4096 };

static int requests;         /* the request socket */
static int small;            /* a regular file to send */
static struct pool pool;     /* the descriptors */
static size_t held_from;     /* those from here on hang in close(2) and getattr */
static double slowest_probe; /* ms */

static _Noreturn void give_up(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
    (void)puts("failed"); /* its end may wait for a disk, and with it the end of its output */
    (void)fflush(stdout);
    _exit(1); /* no atexit, no close of what would wait for a disk */
}

static double now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* ------------------------------------------------------------------ requests and answers */

static void send_request(const void *bytes, size_t length, const int *fds, size_t count)
{
    const int error = hostile_send_bytes(requests, bytes, length, fds, count);

    if (error != 0) give_up("a request cannot be sent: %s", strerror(error));
}

static size_t path_request(char *buffer, uint8_t command, const char *path)
{
    size_t length =
        command < SFD_WIRE_EXTENDED_REQUEST_FIRST
            ? sfd_wire_put_path_request(buffer, command, 0, 0)
            : sfd_wire_put_extended_request(buffer, command, 0, 0, &(struct sfd_options){.technique = 0}, strlen(path));
    memcpy(buffer + length, path, strlen(path) + 1);
    return length + strlen(path) + 1;
}

static void new_pipe(int ends[2])
{
    if (pipe2(ends, O_CLOEXEC) < 0) give_up("pipe: %s", strerror(errno));
}

/* Reads once, within the patience of this program; 0 at the end. */
static size_t read_some(int fd, char *buffer, size_t size, const char *what)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};

    if (poll(&ready, 1, PATIENCE_MS) <= 0) give_up("%s: no answer", what);
    const ssize_t n = read(fd, buffer, size);
    if (n < 0) give_up("%s: %s", what, strerror(errno));
    return (size_t)n;
}

static const char *name_of(int error)
{
    return error == 0 ? "complete" : strerrorname_np(error);
}

/* The last message before the end of the status channel says what became of it. Closes it. */
static const char *outcome(int status, const char *what)
{
    char answer[ANSWER];
    size_t length = 0;
    const char *result = "EOF";

    for (size_t n = 1; n > 0; length += n)
        n = read_some(status, answer + length, sizeof answer - length, what);
    (void)close(status);
    for (size_t at = 0; at < length;) {
        const uint8_t command = (uint8_t)answer[at];
        const uint8_t stat = (uint8_t)answer[at + 1];
        uint64_t size = 0;
        if (command == SFD_WIRE_REFUSAL) return name_of(stat);
        if (command == SFD_WIRE_RESULT) return name_of(stat);
        if (stat != 0) return name_of(stat);
        if (command == SFD_WIRE_XFER_STAT) {
            memcpy(&size, answer + at + 8, sizeof size);
            if (size == SFD_WIRE_COMPLETE) return "complete";
            at += SFD_WIRE_XFER_STAT_SIZE;
        } else {
            at += SFD_WIRE_FILE_INFO_SIZE;
        }
    }
    return result;
}

/* A request that must be served, behind all those before it. */
static void probe(const char *what)
{
    char request[256];
    int ends[2];
    const double begin = now_ms();

    new_pipe(ends);
    send_request(request, path_request(request, SFD_WIRE_READ_FILE, "small"), &ends[1], 1);
    (void)close(ends[1]);
    for (size_t n = 1; n > 0;) {
        char answer[ANSWER];
        n = read_some(ends[0], answer, sizeof answer, what);
    }
    (void)close(ends[0]);
    if (now_ms() - begin > slowest_probe) slowest_probe = now_ms() - begin;
}

/* Reads what is there; how many bytes. */
static size_t take(int fd)
{
    char bytes[ANSWER];
    size_t all = 0;
    struct pollfd ready = {.fd = fd, .events = POLLIN};

    while (poll(&ready, 1, 0) > 0) {
        const ssize_t n = read(fd, bytes, sizeof bytes);
        if (n <= 0) break;
        all += (size_t)n;
    }
    return all;
}

/* Takes what has arrived at the other ends of the descriptors; how many bytes. */
static size_t arrived(void)
{
    size_t all = 0;

    for (size_t i = 0; i < pool.kept_count; i++)
        all += take(pool.kept[i]);
    for (size_t i = 0; i < pool.count; i++)
        if (strcmp(pool.names[i], "fifo") == 0) all += take(pool.fds[i]); /* its own other end */
    return all;
}

/* ------------------------------------------------------------------ the places */

static const char *as_status(int fd, const char *name)
{
    char request[256];
    const int fds[] = {fd, fd, small};

    (void)arrived();
    /* Without a path they are refused at once: before the probe is answered, whatever a disk does. */
    (void)path_request(request, SFD_WIRE_OPEN_FILE, "");
    send_request(request, SFD_WIRE_PATH_REQUEST_SIZE, fds, 1);
    (void)path_request(request, SFD_WIRE_READ_FILE, "");
    send_request(request, SFD_WIRE_PATH_REQUEST_SIZE, fds, 1);
    (void)path_request(request, SFD_WIRE_SEND_FILE, "");
    send_request(request, SFD_WIRE_PATH_REQUEST_SIZE, fds, 2);
    (void)path_request(request, SFD_WIRE_SEND_FILE_EXT, "");
    send_request(request, SFD_WIRE_EXTENDED_REQUEST_SIZE, fds, 2);
    probe(name);
    const bool answered = arrived() > 0;
    if (!answered) { /* nor is it, then, where there is a file to send */
        send_request(request, path_request(request, SFD_WIRE_READ_FILE, "small"), fds, 1);
        send_request(request, path_request(request, SFD_WIRE_OPEN_FILE, "small"), fds, 1);
        send_request(request,
                     sfd_wire_put_extended_request(request, SFD_WIRE_SEND_DESCRIPTOR, 0, 0,
                                                   &(struct sfd_options){.technique = 0}, 0),
                     fds, 3);
        probe(name);
        if (arrived() > 0) give_up("%s: a status channel after all", name);
    }
    return answered ? "answered" : "silence";
}

/* Open File, then Send Open File to `fd`. */
static const char *open_and_send(int fd, const char *name)
{
    char request[256];
    char info[ANSWER];
    int ends[2];
    uint64_t id;

    new_pipe(ends);
    send_request(request, path_request(request, SFD_WIRE_OPEN_FILE, "small"), &ends[1], 1);
    (void)close(ends[1]);
    if (read_some(ends[0], info, sizeof info, name) != SFD_WIRE_FILE_INFO_SIZE) give_up("%s: no file was opened", name);
    memcpy(&id, info + 40, sizeof id);
    send_request(request, sfd_wire_put_transfer_request(request, SFD_WIRE_SEND_OPEN_FILE, id), &fd, 1);
    return outcome(ends[0], name);
}

static const char *send_by(uint8_t command, int fd, int source, const char *name)
{
    char request[256];
    int ends[2];

    new_pipe(ends);
    const int fds[] = {ends[1], fd, source};
    const bool descriptor = command == SFD_WIRE_SEND_DESCRIPTOR;
    const size_t length =
        descriptor ? sfd_wire_put_extended_request(request, command, 0, 0, &(struct sfd_options){.technique = 0}, 0)
                   : path_request(request, command, "small");
    send_request(request, length, fds, descriptor ? 3 : 2);
    (void)close(ends[1]);
    return outcome(ends[0], name);
}

static const char *as_destination(int fd, const char *name)
{
    (void)arrived();
    const char *result = send_by(SFD_WIRE_SEND_FILE, fd, -1, name);
    const bool complete = strcmp(result, "complete") == 0;
    const size_t bytes = arrived();
    const char *others[] = {send_by(SFD_WIRE_SEND_FILE_EXT, fd, -1, name), open_and_send(fd, name),
                            send_by(SFD_WIRE_SEND_DESCRIPTOR, fd, small, name)};

    if (!complete && bytes > 0) give_up("%s: %s, but %zu bytes have arrived", name, result, bytes);
    for (size_t i = 0; i < 3; i++)
        if (strcmp(others[i], result) != 0) give_up("%s: %s by Send File, %s by another", name, result, others[i]);
    (void)arrived();
    probe(name);
    return result;
}

static const char *as_source(int fd, const char *name)
{
    int pair[2];
    char byte;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) give_up("socketpair");
    const char *result = send_by(SFD_WIRE_SEND_DESCRIPTOR, pair[0], fd, name);
    if (strcmp(result, "complete") != 0 && recv(pair[1], &byte, 1, MSG_DONTWAIT) > 0)
        give_up("%s: %s as a source, but bytes have arrived", name, result);
    (void)close(pair[0]);
    (void)close(pair[1]);
    probe(name);
    return result;
}

/* What comes with descriptors that nobody has asked for is refused, and they are closed. */
static void as_surplus(int fd, const char *name)
{
    char request[256];
    int ends[2];

    new_pipe(ends);
    const int fds[] = {ends[1], fd, fd, fd, fd};
    for (size_t count = 2; count <= 5; count++)
        send_request(request, path_request(request, SFD_WIRE_READ_FILE, "small"), fds, count);
    (void)close(ends[1]);
    const char *result = outcome(ends[0], name);
    if (strcmp(result, "EBADMSG") != 0) give_up("%s: surplus: %s", name, result);
    send_request(request, sfd_wire_put_transfer_request(request, SFD_WIRE_CANCEL, 42), &fd, 1);
    send_request(request, sfd_wire_put_transfer_request(request, SFD_WIRE_SEND_OPEN_FILE, 42), &fd, 1);
    probe(name);
    if (arrived() > 0) give_up("%s: bytes of a refused request have arrived", name);
}

/* ------------------------------------------------------------------ the types that the pool does not have */

/* Since Linux 6.8 an io_uring travels no more. */
static bool can_be_passed(int fd)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0) give_up("socketpair");
    const int error = hostile_send_bytes(pair[0], "x", 1, &fd, 1);
    (void)close(pair[0]);
    (void)close(pair[1]);
    return error == 0;
}

static void add(const char *name, int fd)
{
    if (fd < 0) return; /* this machine or user cannot have one */
    if (!can_be_passed(fd)) return;
    if (pool.count == POOL_MAX) give_up("too many types");
    pool.fds[pool.count] = fd;
    pool.names[pool.count++] = name;
}

/* With something unsent, to a peer that reads nothing: the last close waits for a minute. */
static void add_lingering(void)
{
    static const char bytes[64 * 1024];
    const struct linger linger = {.l_onoff = 1, .l_linger = 60};
    int peer;
    const int fd = driver_open_destination("tcp/nonblocking", &peer);

    if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) < 0) give_up("SO_LINGER");
    for (ssize_t n = 1; n > 0;)
        n = write(fd, bytes, sizeof bytes);
    if (shutdown(fd, SHUT_WR) < 0) give_up("shutdown"); /* so that a send ends, and does not wait */
    add("tcp, lingering", fd);
}

/* The daemon's own request socket, the one that it receives from. */
static void add_stolen(pid_t daemon)
{
    const int process = (int)syscall(SYS_pidfd_open, daemon, 0);
    char link[64];
    char target[256];

    for (int number = 3; process >= 0 && number < 512; number++) {
        (void)snprintf(link, sizeof link, "/proc/%ld/fd/%d", (long)daemon, number);
        const ssize_t length = readlink(link, target, sizeof target - 1);
        if (length < 0 || strncmp(target, "socket:", 7) != 0) continue;
        const int fd = (int)syscall(SYS_pidfd_getfd, process, number, 0);
        struct sockaddr_storage address;
        socklen_t size = sizeof address;
        if (fd >= 0 && getsockname(fd, (struct sockaddr *)&address, &size) == 0 && address.ss_family == AF_UNIX &&
            size > sizeof(sa_family_t)) {
            int type = 0;
            socklen_t type_size = sizeof type;
            (void)getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size);
            if (type == SOCK_DGRAM) {
                add("the daemon's own socket", fd);
                (void)close(process);
                return;
            }
        }
        if (fd >= 0) (void)close(fd);
    }
    if (process >= 0) (void)close(process);
}

static void add_more(pid_t daemon)
{
    struct io_uring_params parameters = {.flags = 0};

    add_lingering();
    add("io_uring", (int)syscall(SYS_io_uring_setup, 4, &parameters));
    add("memory, huge pages", memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB));
    add("namespace", open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    add("fanotify", fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC, O_RDONLY));
    add("empty file", open("/proc/self/fdinfo/0", O_RDONLY | O_CLOEXEC));
    add_stolen(daemon);
}

static void add_held(const char *path)
{
    char directory[256];

    held_from = pool.count;
    if (path == NULL) return;
    (void)snprintf(directory, sizeof directory, "%s", path);
    *strrchr(directory, '/') = '\0';
    add("file on a dead disk", open(path, O_RDONLY | O_CLOEXEC));
    add("directory on a dead disk", open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    add("path on a dead disk", open(path, O_PATH | O_CLOEXEC));
    if (pool.count != held_from + 3) give_up("%s: %s", path, strerror(errno));
}

/* ------------------------------------------------------------------ */

static bool is_left_out(const char *name)
{
    /* They wait for room, as they should; their other ends are nobody's. */
    return strncmp(name, "full pipe", 9) == 0;
}

int main(int argc, char **argv)
{
    char line[16];

    if (argc != 3 && argc != 4) {
        (void)fputs("usage: fd_table SOCKET PID [FILE]\n", stderr);
        return DRIVER_USAGE;
    }
    requests = hostile_connect(argv[1]);
    pool_open(&pool, argv[1]);
    add_more((pid_t)atol(argv[2]));
    small = memfd_create("small", MFD_CLOEXEC);
    if (small < 0 || write(small, "some bytes", 10) != 10) give_up("memfd");
    add_held(argc == 4 ? argv[3] : NULL);
    (void)puts("opened");
    (void)fflush(stdout);
    if (fgets(line, sizeof line, stdin) == NULL) return 1;
    for (size_t i = 0; i < pool.count; i++) {
        const char *name = pool.names[i];
        const int fd = pool.fds[i];
        if (is_left_out(name)) continue;
        const char *status = as_status(fd, name);
        const char *destination = as_destination(fd, name);
        const char *source = i >= held_from ? "-" : as_source(fd, name);
        as_surplus(fd, name);
        (void)printf("%s|%s|%s|%s\n", name, status, destination, source);
        (void)fflush(stdout);
    }
    (void)printf("probe %.0f\n", slowest_probe);
    (void)fflush(stdout);
    /* From here on a close may wait. Not the last one of this process's, that of its end does. */
    if (fgets(line, sizeof line, stdin) != NULL) return 1;
    return 0;
}
