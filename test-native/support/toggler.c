/*
 * toggler: a client that sets and clears O_NONBLOCK of its destinations all the time, while the daemon writes to them.
 *
 *   toggler SOCKET PATH FILE SECONDS     PATH: as the daemon knows FILE
 *
 * Sends PATH to pipes and sockets, one transfer after the other, for so long; a thread toggles meanwhile. Reads slowly,
 * so that the daemon meets full destinations, and compares all bytes with those of FILE. Prints
 * {"transfers":N,"toggles":N}; exit status 1 if a transfer did not complete or had other bytes.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "driver_common.h"
#include "hostile_common.h"
#include "protocol/wire.h"
#include "sha256_common.h"

static atomic_int toggled = -1; /* the destination; -1: none now */
static atomic_bool over;
static unsigned long toggles;

/* The number is -1 before its descriptor is closed: never another's. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *toggle(void *unused)
{
    while (!atomic_load(&over)) {
        pthread_mutex_lock(&lock);
        const int fd = atomic_load(&toggled);
        for (int i = 0; fd >= 0 && i < 64; i++, toggles++)
            (void)fcntl(fd, F_SETFL, (i & 1) != 0 ? O_NONBLOCK : 0);
        pthread_mutex_unlock(&lock);
        if (fd < 0) (void)poll(NULL, 0, 1);
    }
    return unused;
}

static double now_s(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void set_toggled(int fd)
{
    pthread_mutex_lock(&lock);
    atomic_store(&toggled, fd);
    pthread_mutex_unlock(&lock);
}

/*
 * All that arrives, in small pieces, so that the destination is full again and again. Ends early when nothing comes any
 * more.
 */
static void receive(int fd, off_t size, char hex[SHA256_HEX_SIZE])
{
    static char buffer[32 * 1024];
    struct sha256 sha;
    struct pollfd ready = {.fd = fd, .events = POLLIN};

    sha256_init(&sha);
    while (size > 0 && poll(&ready, 1, 20000) > 0) {
        const ssize_t n = read(fd, buffer, sizeof(buffer));
        if (n < 0 && errno == EAGAIN) continue;
        if (n <= 0) break;
        sha256_update(&sha, buffer, (size_t)n);
        size -= n;
    }
    sha256_finish(&sha, hex);
}

/* The last bytes of the status channel tell; progress before them is more than anybody keeps. */
static bool completed(int status)
{
    uint8_t tail[SFD_WIRE_XFER_STAT_SIZE] = {0};
    uint64_t size = 0;
    uint8_t byte[256];

    for (ssize_t n = 1; n > 0;) {
        n = read(status, byte, sizeof(byte));
        if (n < 0) driver_die("status");
        for (ssize_t i = 0; i < n; i++) {
            memmove(tail, tail + 1, sizeof(tail) - 1);
            tail[sizeof(tail) - 1] = byte[i];
        }
    }
    memcpy(&size, tail + 8, sizeof(size));
    return tail[0] == SFD_WIRE_XFER_STAT && tail[1] == 0 && size == SFD_WIRE_COMPLETE;
}

int main(int argc, char **argv)
{
    static const char *const kinds[] = {"pipe", "unix", "tcp/nonblocking", "pipe/blocking"};
    char expected[SHA256_HEX_SIZE];
    char actual[SHA256_HEX_SIZE];
    char request[4200];
    pthread_t thread;
    unsigned long transfers = 0;
    struct stat st;

    if (argc != 5) return DRIVER_USAGE;
    if (stat(argv[3], &st) < 0) driver_die(argv[3]);
    const int requests = hostile_connect(argv[1]);
    size_t length = sfd_wire_put_path_request(request, SFD_WIRE_SEND_FILE, 0, 0);
    memcpy(request + length, argv[2], strlen(argv[2]) + 1);
    length += strlen(argv[2]) + 1;
    driver_hash_range(argv[3], 0, 0, expected);
    if (pthread_create(&thread, NULL, toggle, NULL) != 0) driver_die("pthread_create");
    const double end = now_s() + atof(argv[4]);
    while (now_s() < end) {
        int data;
        int status[2];
        int destination = driver_open_destination(kinds[transfers % 4], &data);
        if (pipe2(status, O_CLOEXEC) < 0) driver_die("pipe");
        const int fds[] = {status[1], destination};
        const int passed = fcntl(destination, F_DUPFD_CLOEXEC, 0);
        set_toggled(passed);
        if (hostile_send_bytes(requests, request, length, fds, 2) != 0) driver_die("send");
        (void)close(status[1]);
        (void)close(destination);
        receive(data, st.st_size, actual);
        set_toggled(-1);
        (void)close(passed);
        if (!completed(status[0])) {
            (void)fprintf(stderr, "toggler: %s: not complete\n", kinds[transfers % 4]);
            return 1;
        }
        if (strcmp(expected, actual) != 0) {
            (void)fprintf(stderr, "toggler: %s: other bytes\n", kinds[transfers % 4]);
            return 1;
        }
        (void)close(status[0]);
        (void)close(data);
        transfers++;
    }
    atomic_store(&over, true);
    (void)pthread_join(thread, NULL);
    (void)printf("{\"transfers\":%lu,\"toggles\":%lu}\n", transfers, toggles);
    return 0;
}
