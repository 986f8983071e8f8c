/*
 * http_paced: requests of a file by HTTP, on a schedule.
 *
 * Role: request k is due k / RATE seconds after the start, on connection k modulo CONNECTIONS, whether or not earlier
 * ones have been answered; a connection that still waits sends it as soon as it has its answer. A latency is counted
 * from when the request was due, so that a server that stalls is charged for all that it kept waiting (no coordinated
 * omission). Says "started"; then one line of JSON: the latencies in the order of the schedule, in microseconds. Who
 * got no answer within WAIT_MS of the last due time has the time that it has waited until then, as a negative number.
 * Threads: one, which sleeps until the next due time to the nanosecond. Never: compares the bytes, only how many they
 * are.
 */
#include "bench_common.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_CONNECTIONS = 256, MAX_REQUESTS = 4000000, HEADER_MAX = 4096, START_MS = 10, WAIT_MS = 1000 };

static const uint64_t ns_per_s = 1000000000, ns_per_ms = 1000000;

struct connection {
    size_t next; /* its request that is under way, or that it sends next */
    bool waits;  /* for an answer */
    size_t header_length;
    uint64_t left; /* of the body, once the header is complete */
    char header[HEADER_MAX];
};

struct load {
    char request[HEADER_MAX];
    size_t request_length;
    uint64_t file_size;
    size_t connections, requests;
    double rate;
    uint64_t start_ns;
    struct pollfd fds[MAX_CONNECTIONS];
    struct connection states[MAX_CONNECTIONS];
    int64_t *latencies_ns;
};

static uint64_t due_ns(const struct load *load, size_t request)
{
    return load->start_ns + (uint64_t)((double)request / load->rate * 1e9);
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0)
        die_errno("127.0.0.1:%u", port);
    return fd;
}

static void ask(struct load *load, size_t i)
{
    struct connection *connection = &load->states[i];
    const ssize_t sent = send(load->fds[i].fd, load->request, load->request_length, MSG_NOSIGNAL);
    if (sent < 0) die_errno("send");
    if ((size_t)sent != load->request_length) die("a request does not fit into an empty socket");
    connection->waits = true;
    connection->header_length = 0;
    load->fds[i].events = POLLIN;
}

/* What of the body came along with the end of the header; -1: the header is not complete. */
static ssize_t header_end(const struct load *load, const struct connection *connection)
{
    const char *end = memmem(connection->header, connection->header_length, "\r\n\r\n", 4);
    if (end == NULL) return -1;
    const char *length = strcasestr(connection->header, "\r\ncontent-length:");
    if (strncmp(connection->header, "HTTP/1.1 200 ", 13) != 0) die("not 200: %.40s", connection->header);
    if (length == NULL || length > end || strtoull(strchr(length, ':') + 1, NULL, 10) != load->file_size)
        die("not an answer of %llu bytes: %s", (unsigned long long)load->file_size, connection->header);
    return connection->header + connection->header_length - (end + 4);
}

/* Whether the answer has begun: then `left` says how much of it is to come. */
static bool receive_header(const struct load *load, struct connection *connection, int fd)
{
    const size_t room = HEADER_MAX - 1 - connection->header_length;
    if (room == 0) die("a header of more than %d bytes", HEADER_MAX - 1);
    const ssize_t count = recv(fd, connection->header + connection->header_length, room, MSG_DONTWAIT);
    if (count < 0 && errno == EAGAIN) return false;
    if (count < 0) die_errno("receive");
    if (count == 0) die("the server has hung up");
    connection->header_length += (size_t)count;
    connection->header[connection->header_length] = '\0';
    const ssize_t body = header_end(load, connection);
    if (body < 0) return false;
    if ((uint64_t)body > load->file_size) die("more bytes than the file has");
    connection->left = load->file_size - (uint64_t)body;
    return true;
}

/* Takes what has come; whether the answer is complete. */
static bool receive(const struct load *load, struct connection *connection, int fd)
{
    static char buffer[DRAIN_BUFFER];
    if (connection->left == UINT64_MAX && !receive_header(load, connection, fd)) return false;
    while (connection->left > 0) {
        const size_t wanted = connection->left < sizeof buffer ? (size_t)connection->left : sizeof buffer;
        const ssize_t count = recv(fd, buffer, wanted, MSG_DONTWAIT);
        if (count < 0 && errno == EAGAIN) return false;
        if (count < 0) die_errno("receive");
        if (count == 0) die("the server has hung up in an answer");
        connection->left -= (uint64_t)count;
    }
    return true;
}

static void take(struct load *load, size_t i)
{
    struct connection *connection = &load->states[i];
    if (!receive(load, connection, load->fds[i].fd)) return;
    load->latencies_ns[connection->next] = (int64_t)(now_ns() - due_ns(load, connection->next));
    connection->next += load->connections;
    connection->waits = false;
    connection->left = UINT64_MAX;
    load->fds[i].events = 0;
}

/* Sends what is due; when the next one will be, or UINT64_MAX: all that is left waits for answers. */
static uint64_t ask_due(struct load *load)
{
    uint64_t earliest_ns = UINT64_MAX;
    for (size_t i = 0; i < load->connections; i++) {
        const struct connection *connection = &load->states[i];
        if (connection->waits || connection->next >= load->requests) continue;
        const uint64_t at_ns = due_ns(load, connection->next);
        if (at_ns <= now_ns())
            ask(load, i);
        else if (at_ns < earliest_ns)
            earliest_ns = at_ns;
    }
    return earliest_ns;
}

static bool is_complete(const struct load *load)
{
    for (size_t i = 0; i < load->connections; i++)
        if (load->states[i].waits || load->states[i].next < load->requests) return false;
    return true;
}

static void run(struct load *load)
{
    const uint64_t end_ns = due_ns(load, load->requests - 1) + WAIT_MS * ns_per_ms;
    while (!is_complete(load) && now_ns() < end_ns) {
        const uint64_t next_ns = ask_due(load);
        const uint64_t until_ns = next_ns < end_ns ? next_ns : end_ns;
        const uint64_t now = now_ns();
        const uint64_t wait_ns = until_ns > now ? until_ns - now : 0;
        const struct timespec wait = {.tv_sec = (time_t)(wait_ns / ns_per_s), .tv_nsec = (long)(wait_ns % ns_per_s)};
        const int ready = ppoll(load->fds, load->connections, &wait, NULL);
        if (ready < 0 && errno != EINTR) die_errno("poll");
        for (size_t i = 0; ready > 0 && i < load->connections; i++)
            if (load->fds[i].revents != 0) take(load, i);
    }
    /* What was not answered, was not even sent perhaps, has waited since it was due. */
    const uint64_t now = now_ns();
    for (size_t i = 0; i < load->connections; i++)
        for (size_t k = load->states[i].next; k < load->requests; k += load->connections)
            load->latencies_ns[k] = -(int64_t)(now - due_ns(load, k));
}

static void print(const struct load *load)
{
    printf("{\"latencies_us\":[");
    for (size_t k = 0; k < load->requests; k++)
        printf("%s%.1f", k == 0 ? "" : ",", (double)load->latencies_ns[k] / 1000);
    printf("]}\n");
}

int main(int argc, char **argv)
{
    static struct load load;
    if (argc != 7) die("usage: http_paced PORT PATH BYTES CONNECTIONS RATE MILLISECONDS");
    const uint16_t port = (uint16_t)parse_number("PORT", argv[1], 1, UINT16_MAX);
    load.file_size = (uint64_t)parse_number("BYTES", argv[3], 0, INT32_MAX);
    load.connections = (size_t)parse_number("CONNECTIONS", argv[4], 1, MAX_CONNECTIONS);
    load.rate = (double)parse_number("RATE", argv[5], 1, 1000000);
    const long ms = parse_number("MILLISECONDS", argv[6], 1, 60000);
    load.requests = (size_t)(load.rate * (double)ms / 1000);
    if (load.requests == 0 || load.requests > MAX_REQUESTS) die("1 to %d requests, please", MAX_REQUESTS);
    load.latencies_ns = allocate(load.requests * sizeof *load.latencies_ns);
    const int length = snprintf(load.request, sizeof load.request, "GET /%s HTTP/1.1\r\nHost: bench\r\n\r\n", argv[2]);
    if (length < 0 || (size_t)length >= sizeof load.request) die("%s: too long", argv[2]);
    load.request_length = (size_t)length;
    if (prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL) < 0) die_errno("prctl");
    for (size_t i = 0; i < load.connections; i++) {
        load.fds[i] = (struct pollfd){.fd = connect_to(port)};
        load.states[i] = (struct connection){.next = i, .left = UINT64_MAX};
    }
    puts("started");
    fflush(stdout);
    load.start_ns = now_ns() + START_MS * ns_per_ms;
    run(&load);
    print(&load);
    for (size_t i = 0; i < load.connections; i++)
        close(load.fds[i].fd);
    free(load.latencies_ns);
    return 0;
}
