/*
 * The polite client beside the storm: see storm.h.
 */
#include "storm.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "driver_common.h"
#include "hostile_common.h"

enum { READ = 2, SEND = 3, HEADER = 24, INFO = 48, STATUS = 16, SIZE_MAX_FILE = 65536 };
enum { PAUSE_MS = 3, SAMPLES = 1 << 20 };

static uint8_t expected[INFO + SIZE_MAX_FILE];
static uint8_t received[INFO + SIZE_MAX_FILE + 1];
static size_t file_size;
static uint64_t samples[SAMPLES];

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static void fail(struct probe_report *report, const char *what, size_t bytes, int error)
{
    if (report->failures++ == 0) {
        (void)snprintf(report->first_failure, sizeof report->first_failure, "probe %llu: %s (%zu bytes, errno %d)",
                       (unsigned long long)report->probes, what, bytes, error);
    }
}

/* Reads to the end, or `most` bytes; -1 when nothing comes. */
static ssize_t take(int fd, size_t most)
{
    size_t got = 0;
    struct pollfd ready = {.fd = fd, .events = POLLIN};

    while (got < most) {
        if (poll(&ready, 1, HOSTILE_PATIENCE_S * 1000) <= 0) return -1;
        const ssize_t n = read(fd, received + got, most - got);
        if (n < 0) return -1;
        if (n == 0) break;
        got += (size_t)n;
    }
    return (ssize_t)got;
}

static int ask(int socket, int command, const char *path, int status, int destination)
{
    uint8_t bytes[HEADER + 256] = {(uint8_t)command};
    const int fds[2] = {status, destination};

    (void)snprintf((char *)bytes + HEADER, sizeof bytes - HEADER, "%s", path);
    return hostile_send_bytes(socket, bytes, HEADER + strlen(path) + 1, fds, command == SEND ? 2 : 1);
}

static bool is_right(const uint8_t *bytes)
{
    return memcmp(bytes, expected + INFO, file_size) == 0;
}

static void probe_read(struct probe_report *report, int socket, const char *path)
{
    int ends[2];

    if (pipe(ends) < 0) driver_die("pipe");
    const int error = ask(socket, READ, path, ends[1], -1);
    close(ends[1]);
    const ssize_t n = error == 0 ? take(ends[0], sizeof received) : -1;
    close(ends[0]);
    if (n < 0)
        fail(report, "no answer to Read File", 0, error);
    else if ((size_t)n != INFO + file_size || received[0] != 0x81 || !is_right(received + INFO))
        fail(report, "wrong answer to Read File", (size_t)n, n == 2 ? received[1] : 0);
}

static void probe_send(struct probe_report *report, int socket, const char *path)
{
    static const uint8_t complete[8] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    int ends[2];
    int data[2];

    if (pipe(ends) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, data) < 0) driver_die("pipe");
    const int error = ask(socket, SEND, path, ends[1], data[1]);
    close(ends[1]);
    close(data[1]);
    const ssize_t n = error == 0 ? take(data[0], file_size + 1) : -1;
    if (n < 0) {
        fail(report, "no bytes for Send File", 0, error);
    } else if ((size_t)n == file_size && !is_right(received)) {
        fail(report, "wrong bytes for Send File", (size_t)n, 0);
    } else {
        const ssize_t said = take(ends[0], sizeof received);
        if (said < INFO + STATUS || memcmp(received + said - 8, complete, 8) != 0)
            fail(report, "Send File without complete", said < 0 ? 0 : (size_t)said, said == 2 ? received[1] : 0);
        else if ((size_t)n != file_size)
            fail(report, "complete without all bytes", (size_t)n, 0);
    }
    close(data[0]);
    close(ends[0]);
}

static void load_expected(const char *file)
{
    FILE *in = fopen(file, "re");

    if (in == NULL) driver_die(file);
    file_size = fread(expected + INFO, 1, SIZE_MAX_FILE, in);
    (void)fclose(in);
}

static int compare(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a;
    const uint64_t y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

int probe_run(struct probe_report *report, const char *socket, const char *path, const char *file)
{
    const int request_socket = hostile_connect(socket);
    uint64_t in_a_row = 0;

    load_expected(file);
    while (!atomic_load(&report->stop) && report->failures == 0) {
        const uint64_t began_ns = now_ns();
        if (report->probes % 2 == 0)
            probe_read(report, request_socket, path);
        else
            probe_send(report, request_socket, path);
        const uint64_t took_ns = now_ns() - began_ns;
        samples[report->probes++ % SAMPLES] = took_ns;
        in_a_row = took_ns > PROBE_LATE_NS ? in_a_row + 1 : 0;
        if (in_a_row > 0) report->late++;
        if (in_a_row > report->late_in_a_row) report->late_in_a_row = in_a_row;
        if (took_ns > report->max_ns) report->max_ns = took_ns;
        (void)poll(NULL, 0, PAUSE_MS);
    }
    const size_t count = report->probes < SAMPLES ? report->probes : SAMPLES;
    if (count > 0) {
        qsort(samples, count, sizeof samples[0], compare);
        report->p50_ns = samples[count / 2];
        report->p99_ns = samples[count * 99 / 100];
    }
    close(request_socket);
    return report->failures == 0 ? 0 : 1;
}
