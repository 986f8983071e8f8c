/*
 * Calls every function of the C client library while its system calls fail, against a daemon that is well.
 *
 *   faulty_client SOCKDIR NAME PATH FILE
 *
 * Role: runs with the fault shim preloaded (test-native/faults) and gives it its orders. PATH is what the daemon
 * serves, FILE the same file here, at most a pipe long; the program that PATH of the environment finds as "sendfiled"
 * is a stand-in that is ready at once (fake_daemon). Thread: one. Owns everything that it opens.
 *
 * After each call that fails: it said -1 (or false) and an errno, or it did its work, and then the daemon's answer is
 * whole and right; it left no descriptor and no child.
 *
 * One line of JSON on stdout: {"cases":N,"hits":N,"wrong":N}; hits: cases in which a call did fail. What was wrong is
 * on stderr.
 * Exit: 0 nothing was wrong, 1 something was, 2 usage.
 */
#include <sendfiled/sendfiled.h>

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../faults/faults.h"
#include "driver_common.h"

#define FILE_MAX 60000

/* What the library calls; the rest of the shim's calls belong to the engine. */
static const char *const calls[] = {
    "socket",        "connect",      "shutdown", "pipe2",   "fcntl",   "sendmsg",  "close",           "read",
    "openat",        "memfd_create", "mmap",     "munmap",  "splice",  "sendfile", "copy_file_range", "pwritev2",
    "spawn_actions", "posix_spawnp", "alloc",    "recvmsg", "madvise", "sysinfo",  "ftruncate",       "statx",
    "fstatfs",       "getsockopt",
};

static const int errors[] = {EINTR, EAGAIN, ENOMEM, ENOBUFS, EMFILE, ENOSPC, EIO, EPIPE};

static const struct pattern {
    uint32_t first;
    uint32_t every;
    const char *name;
} patterns[] = {{1, 0, "no. 1"}, {2, 0, "no. 2"}, {3, 0, "no. 3"}, {3, 3, "every 3rd"}, {1, 1, "all"}};

static struct faults *page;
static unsigned char content[FILE_MAX];
static size_t content_size;
static const char *server_directory;
static const char *server_name;
static const char *path;
static const char *file;

/* The case that runs. */
static char current[128];
static int wrong;

static void demand(bool condition, const char *otherwise)
{
    if (condition) return;
    fprintf(stderr, "faulty_client: %s: %s\n", current, otherwise);
    wrong++;
}

/* Whether a call of the API succeeded; if not it has said why. */
static bool did(bool success, const char *what)
{
    if (!success) demand(errno > 0, what);
    errno = 0;
    return success;
}

static size_t read_all(int fd, unsigned char *out, size_t size)
{
    size_t have = 0;

    for (ssize_t n = 1; n != 0 && have < size;) {
        n = read(fd, out + have, size - have);
        if (n < 0 && errno != EINTR) driver_die("read");
        if (n > 0) have += (size_t)n;
    }
    return have;
}

static bool is_content(const unsigned char *bytes, size_t size)
{
    return size == content_size && memcmp(bytes, content, size) == 0;
}

/* Reads a status channel to its end. */
static void expect_complete(int status, bool extended)
{
    unsigned char told[1024];
    const size_t size = read_all(status, told, sizeof told);
    struct sfd_file_info info;
    struct sfd_xfer_stat last;
    struct sfd_result result;
    const size_t end = extended ? 32 : 16;

    demand(size >= SFD_MAX_RESP_SIZE + end && sfd_unmarshal_file_info(&info, told) && info.size == content_size,
           "a request that was sent is not answered");
    if (size < SFD_MAX_RESP_SIZE + end) return;
    if (extended) {
        demand(sfd_unmarshal_result(&result, told + size - end) && result.stat == 0 && result.moved == content_size,
               "a request that was sent does not succeed");
    } else {
        demand(sfd_unmarshal_xfer_stat(&last, told + size - end) && sfd_xfer_complete(&last),
               "a request that was sent does not succeed");
    }
}

static void expect_content(int data)
{
    static unsigned char bytes[FILE_MAX];

    demand(is_content(bytes, read_all(data, bytes, sizeof bytes)), "wrong bytes arrived");
}

static void run_read(int srv)
{
    static unsigned char bytes[FILE_MAX + SFD_MAX_RESP_SIZE];
    int fd = sfd_read(srv, path, 0, 0, false);

    if (!did(fd >= 0, "sfd_read")) return;
    const size_t size = read_all(fd, bytes, sizeof bytes);
    demand(size > SFD_MAX_RESP_SIZE && is_content(bytes + SFD_MAX_RESP_SIZE, size - SFD_MAX_RESP_SIZE),
           "wrong bytes were read");
    driver_close(&fd);
}

/* Send File, or Send Descriptor of a file of ours. */
static void run_send(int srv, bool descriptor)
{
    int data = -1;
    int dest = driver_open_destination("pipe", &data);
    int source = descriptor ? open(file, O_RDONLY | O_CLOEXEC) : -1;
    int status =
        descriptor ? sfd_send_fd(srv, source, dest, 0, 0, false, NULL) : sfd_send(srv, path, dest, 0, 0, false);

    driver_close(&dest);
    driver_close(&source);
    if (did(status >= 0, "sfd_send")) {
        expect_complete(status, descriptor);
        expect_content(data);
    }
    driver_close(&status);
    driver_close(&data);
}

static void run_open(int srv, bool sends)
{
    unsigned char told[SFD_MAX_RESP_SIZE];
    struct sfd_file_info info = {.cmd = 0};
    int data = -1;
    int dest = driver_open_destination("pipe", &data);
    int status = sfd_open(srv, path, 0, 0, false);

    if (did(status >= 0, "sfd_open")) {
        demand(read_all(status, told, sizeof told) == sizeof told && sfd_unmarshal_file_info(&info, told),
               "a file that was opened is not told about");
        if (sends && did(sfd_send_open(srv, info.txnid, dest), "sfd_send_open")) {
            driver_close(&dest);
            struct sfd_xfer_stat last = {.cmd = 0};
            unsigned char rest[256];
            const size_t size = read_all(status, rest, sizeof rest);
            demand(size >= 16 && sfd_unmarshal_xfer_stat(&last, rest + size - 16) && sfd_xfer_complete(&last),
                   "an open file that was sent does not succeed");
            expect_content(data);
        } else if (!sends && did(sfd_cancel(srv, info.txnid), "sfd_cancel")) {
            demand(read_all(status, told, sizeof told) == 0, "a cancelled file has more to say");
        }
    }
    driver_close(&status);
    driver_close(&dest);
    driver_close(&data);
}

static bool holds_content(const struct sfd_buffer *buffer)
{
    return is_content(buffer->data, buffer->size);
}

/*
 * Waits for the end of a transfer. A channel that cannot be read says so: what becomes of the transfer, nobody knows
 * then.
 */
static bool await_complete(int status)
{
    struct sfd_events events;
    struct sfd_event event;
    int result;

    sfd_events_init(&events, SFD_EVENTS_OF_SEND);
    while ((result = sfd_events_next(&events, status, &event)) > 0) {
        if (event.type != SFD_EVENT_COMPLETE && event.type != SFD_EVENT_FAILED) continue;
        demand(event.type == SFD_EVENT_COMPLETE, "a request that was sent does not succeed");
        return event.type == SFD_EVENT_COMPLETE;
    }
    (void)did(result == 0, "sfd_events_next");
    return false;
}

static void run_read_buffer(int srv)
{
    struct sfd_buffer buffer = SFD_BUFFER_INIT;
    int status = sfd_read_buffer(srv, path, 0, 0, false, NULL, &buffer);

    if (did(status >= 0, "sfd_read_buffer")) {
        if (await_complete(status) && did(sfd_buffer_map(&buffer, 0) == 0, "sfd_buffer_map"))
            demand(buffer.seal == SFD_BUFFER_SEALED && holds_content(&buffer), "wrong bytes were read into memory");
    } else {
        demand(buffer.fd == -1, "a request that was not sent has left a buffer");
    }
    sfd_buffer_free(&buffer);
    driver_close(&status);
}

/* A buffer with the file's bytes. False if there is none. */
static bool fill(struct sfd_buffer *buffer)
{
    *buffer = (struct sfd_buffer)SFD_BUFFER_INIT;
    if (!did(sfd_buffer_alloc(buffer, "faulty", content_size, SFD_BUFFER_PREFAULT) == 0, "sfd_buffer_alloc")) {
        demand(buffer->fd == -1, "what was not allocated is there");
        return false;
    }
    memcpy(buffer->data, content, content_size);
    return true;
}

static void run_send_buffer(int srv)
{
    struct sfd_buffer buffer;
    int data = -1;
    int dest = driver_open_destination("pipe", &data);
    int status = -1;

    if (fill(&buffer)) {
        status = sfd_send_buffer(srv, &buffer, dest, 0, 0, false, NULL);
        driver_close(&dest);
        if (did(status >= 0, "sfd_send_buffer") && await_complete(status)) expect_content(data);
        demand(buffer.data == NULL || holds_content(&buffer), "a buffer's bytes have changed");
    }
    sfd_buffer_free(&buffer);
    driver_close(&status);
    driver_close(&dest);
    driver_close(&data);
}

/* From here to here, over a socket: sealed, or moved. */
static void run_hand_over(bool moves)
{
    struct sfd_buffer given;
    struct sfd_buffer taken = SFD_BUFFER_INIT;
    int pair[2];

    if (!fill(&given)) return;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) driver_die("socketpair");
    const int sent = moves ? sfd_buffer_move(pair[0], &given) : sfd_buffer_send(pair[0], &given);

    if (did(sent == 0, "sfd_buffer_send")) {
        const int got = sfd_buffer_recv(pair[1], &taken, moves ? SFD_BUFFER_WRITABLE : 0);

        if (did(got == 1, "sfd_buffer_recv")) {
            demand(holds_content(&taken), "wrong bytes were handed over");
            demand((taken.seal == SFD_BUFFER_SEALED) == !moves, "a buffer is sealed or not, but the other way round");
        } else {
            demand(taken.fd == -1, "what was not received is there");
        }
        demand(!moves || given.fd == -1, "what was moved is still here");
    } else {
        demand(given.data == NULL || holds_content(&given), "a buffer that was not sent has changed");
    }
    sfd_buffer_free(&given);
    sfd_buffer_free(&taken);
    driver_close(&pair[0]);
    driver_close(&pair[1]);
}

static void run_probe(void)
{
    int missing[16];

    errno = 0;
    sfd_probe_techniques(missing);
    demand(errno == 0, "a probe changes errno");
}

static void run_spawn(void)
{
    const pid_t pid = sfd_spawn("any", "/", "/", 1, 1);

    if (did(pid >= 0, "sfd_spawn") && pid > 0)
        demand(sfd_shutdown(pid) == 0, "a daemon that was started does not end as it should");
    demand(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, "a child is left");
}

static void run_all(void)
{
    int srv = sfd_connect(server_directory, server_name);

    if (did(srv >= 0, "sfd_connect")) {
        run_read(srv);
        run_send(srv, false);
        run_send(srv, true);
        run_open(srv, true);
        run_open(srv, false);
        run_read_buffer(srv);
        run_send_buffer(srv);
    }
    driver_close(&srv);
    run_hand_over(false);
    run_hand_over(true);
    run_probe();
    run_spawn();
}

/* ---- orders ---------------------------------------------------------------------------------- */

static void attach(void)
{
    const char *name = getenv(FAULTS_FILE);
    const int fd = name == NULL ? -1 : open(name, O_RDWR | O_CLOEXEC);

    if (fd < 0) driver_die(FAULTS_FILE);
    page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (page == MAP_FAILED || atomic_load(&page->version) != FAULTS_VERSION) {
        fputs("faulty_client: the fault shim is not preloaded\n", stderr);
        exit(DRIVER_FAILED);
    }
}

static uint32_t number(const char *call)
{
    for (uint32_t i = 0; i < page->calls; i++)
        if (strcmp(page->name[i], call) == 0) return i;
    fprintf(stderr, "faulty_client: the shim does not know %s\n", call);
    exit(DRIVER_FAILED);
}

static bool run_case(const char *call, int error, const struct pattern *pattern)
{
    const int before = driver_count_descriptors();

    (void)snprintf(current, sizeof current, "%s of %s, %s", strerrorname_np(error), call, pattern->name);
    page->call = number(call);
    page->error = error;
    page->first = pattern->first;
    page->every = pattern->every;
    page->limit = pattern->every == 1 ? 50 : 0; /* what is tried again until it succeeds has to succeed */
    atomic_store(&page->seen, 0);
    atomic_store(&page->failed, 0);
    atomic_store(&page->generation, 1);
    run_all();
    atomic_store(&page->generation, 0);
    demand(driver_count_descriptors() == before, "descriptors are left");
    return atomic_load(&page->failed) > 0;
}

static void read_file(void)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);

    if (fd < 0) driver_die(file);
    content_size = read_all(fd, content, sizeof content);
    driver_close(&fd);
}

int main(int argc, char **argv)
{
    int cases = 0;
    int hits = 0;

    if (argc != 5) {
        fputs("usage: see the top of faulty_client.c\n", stderr);
        return DRIVER_USAGE;
    }
    server_directory = argv[1];
    server_name = argv[2];
    path = argv[3];
    file = argv[4];
    attach();
    read_file();
    (void)snprintf(current, sizeof current, "no fault");
    run_all();
    for (size_t c = 0; c < sizeof calls / sizeof calls[0]; c++) {
        for (size_t e = 0; e < sizeof errors / sizeof errors[0]; e++) {
            for (size_t p = 0; p < sizeof patterns / sizeof patterns[0]; p++) {
                cases++;
                hits += run_case(calls[c], errors[e], &patterns[p]) ? 1 : 0;
            }
        }
    }
    printf("{\"cases\":%d,\"hits\":%d,\"wrong\":%d}\n", cases, hits, wrong);
    return wrong == 0 ? 0 : DRIVER_FAILED;
}
