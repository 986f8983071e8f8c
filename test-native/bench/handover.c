/*
 * handover: memory for another process, handed over as a buffer or copied through a socket.
 *
 * Role: two processes, connected by a UNIX stream socket. The sender notes when it begins, the receiver when it is
 * there, by
 *   the clock that all processes share; every sum is checked. One line of JSON on stdout: the median for each size.
 * Threads: one in each process. Owns: all memory it measures; what a round takes is back before the next one. Never:
 * runs longer
 *   than TIMEOUT_SECONDS.
 */
#include "bench_common.h"
#include "memory_common.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sendfiled/buffer.h>

enum { MAX_SIZES = 8, MAX_COUNT = 10000, TIMEOUT_SECONDS = 60 };

/* What is measured, from and to. */
enum way {
    SEALED,       /* a buffer that is sealed already, from the send to the first byte that the receiver reads */
    UNSEALED,     /* the same with the seal in it: a new buffer each time, filled before */
    SOCKET,       /* write(2) and read(2) of memory that both have written to, to the last byte that is copied */
    WHOLE_BUFFER, /* allocate, fill, hand over, read every byte */
    WHOLE_SOCKET, /* the same by malloc(3), write(2), malloc(3), read(2) */
    WAYS
};

static const char *const way_names[WAYS] = {"sealed", "unsealed", "socket", "whole-buffer", "whole-socket"};

static struct {
    enum way way;
    size_t sizes[MAX_SIZES];
    size_t size_count;
    uint64_t count;
    unsigned buffer_flags;
} opt = {.way = WAYS, .count = 1};

/* What the receiver says of each one, once it has let go of it. */
struct report {
    uint64_t end_ns;
    uint64_t sum; /* SEALED, UNSEALED: the first word */
};

/* What a side keeps from round to round, for each size: SEALED's buffer, SOCKET's memory. */
struct kept {
    struct sfd_buffer buffer;
    void *memory;
};

static void write_all(int socket, const void *memory, size_t size)
{
    for (size_t done = 0; done < size;) {
        const ssize_t n = write(socket, (const char *)memory + done, size - done);
        if (n < 0) die_errno("writing to the other process");
        done += (size_t)n;
    }
}

/* False at the end of the stream. */
static bool read_all(int socket, void *memory, size_t size)
{
    for (size_t done = 0; done < size;) {
        const ssize_t n = read(socket, (char *)memory + done, size - done);
        if (n < 0) die_errno("reading from the other process");
        if (n == 0) return false;
        done += (size_t)n;
    }
    return true;
}

/* ------------------------------------------------------------------ the receiver */

static void receive_buffer(int socket, struct report *report)
{
    struct sfd_buffer buffer = SFD_BUFFER_INIT;
    if (sfd_buffer_recv(socket, &buffer, 0) != 1) die_errno("receiving a buffer");
    report->sum =
        opt.way == WHOLE_BUFFER ? sum_memory(buffer.data, buffer.size) : *(const volatile uint64_t *)buffer.data;
    report->end_ns = now_ns();
    sfd_buffer_free(&buffer);
}

static void receive_copy(int socket, size_t size, void *kept, struct report *report)
{
    void *memory = kept != NULL ? kept : fresh_memory(size);
    if (!read_all(socket, memory, size)) die("the sender has gone");
    if (kept != NULL) report->end_ns = now_ns();
    report->sum = sum_memory(memory, size);
    if (kept == NULL) {
        report->end_ns = now_ns();
        free(memory);
    }
}

_Noreturn static void run_receiver(int socket)
{
    void *kept[MAX_SIZES] = {NULL};
    for (size_t i = 0; opt.way == SOCKET && i < opt.size_count; i++) {
        kept[i] = fresh_memory(opt.sizes[i]);
        fill_memory(kept[i], opt.sizes[i], opt.count); /* of no round */
    }
    struct report report = {0};
    write_all(socket, &report, sizeof report);
    for (uint64_t round = 0; round < opt.count; round++) {
        for (size_t i = 0; i < opt.size_count; i++) {
            if (opt.way == SOCKET || opt.way == WHOLE_SOCKET)
                receive_copy(socket, opt.sizes[i], kept[i], &report);
            else
                receive_buffer(socket, &report);
            write_all(socket, &report, sizeof report);
        }
    }
    exit(0);
}

/* ------------------------------------------------------------------ the sender */

static void allocate_buffer(struct sfd_buffer *buffer, size_t size)
{
    if (sfd_buffer_alloc(buffer, "handover", size, opt.buffer_flags) < 0) die_errno("a buffer of %zu bytes", size);
}

static void send_buffer(int socket, struct sfd_buffer *buffer)
{
    if (sfd_buffer_send(socket, buffer) < 0) die_errno("sending a buffer");
    if (buffer->seal != SFD_BUFFER_SEALED) die("the buffer could not be sealed");
}

static void await_report(int socket, struct report *report)
{
    if (!read_all(socket, report, sizeof *report)) die("the receiver has gone (see its message above)");
}

static struct kept prepare(size_t size)
{
    struct kept kept = {.buffer = SFD_BUFFER_INIT};
    if (opt.way == SEALED) {
        allocate_buffer(&kept.buffer, size);
        fill_memory(kept.buffer.data, size, 0);
        if (sfd_buffer_seal(&kept.buffer) < 0) die_errno("sealing a buffer");
    } else if (opt.way == SOCKET) {
        kept.memory = fresh_memory(size);
    }
    return kept;
}

/* A buffer, from where it is measured to the report. The time when it began. */
static uint64_t hand_over(int socket, size_t size, uint64_t round, struct report *report)
{
    struct sfd_buffer buffer = SFD_BUFFER_INIT;
    uint64_t start_ns = now_ns();
    allocate_buffer(&buffer, size);
    fill_memory(buffer.data, size, round);
    if (opt.way == UNSEALED) start_ns = now_ns();
    send_buffer(socket, &buffer);
    await_report(socket, report);
    sfd_buffer_free(&buffer);
    return start_ns;
}

static uint64_t copy(int socket, size_t size, uint64_t round, void *kept, struct report *report)
{
    uint64_t start_ns = now_ns();
    void *memory = kept != NULL ? kept : fresh_memory(size);
    fill_memory(memory, size, round);
    if (kept != NULL) start_ns = now_ns();
    write_all(socket, memory, size);
    await_report(socket, report);
    if (kept == NULL) free(memory);
    return start_ns;
}

/* One of a size, in nanoseconds. */
static uint64_t measure(int socket, size_t size, uint64_t round, struct kept *kept)
{
    struct report report;
    uint64_t start_ns;
    uint64_t expected = sum_of_fill(size, round);
    switch (opt.way) {
    case SEALED:
        start_ns = now_ns();
        send_buffer(socket, &kept->buffer);
        await_report(socket, &report);
        expected = first_of_fill(0);
        break;
    case UNSEALED:
        start_ns = hand_over(socket, size, round, &report);
        expected = first_of_fill(round);
        break;
    case WHOLE_BUFFER:
        start_ns = hand_over(socket, size, round, &report);
        break;
    default:
        start_ns = copy(socket, size, round, kept->memory, &report);
        break;
    }
    if (report.sum != expected) {
        die("the receiver did not get what was sent: its sum is %llx, not %llx", (unsigned long long)report.sum,
            (unsigned long long)expected);
    }
    return report.end_ns - start_ns;
}

static void print_report(uint64_t *samples[])
{
    printf("{\"way\":\"%s\",\"sizes\":[", way_names[opt.way]);
    for (size_t i = 0; i < opt.size_count; i++) {
        samples_sort(samples[i], opt.count);
        printf("%s{\"bytes\":%zu,\"count\":%llu,\"p50_us\":%.1f,\"p99_us\":%.1f}", i > 0 ? "," : "", opt.sizes[i],
               (unsigned long long)opt.count, samples_us(samples[i], opt.count, 50),
               samples_us(samples[i], opt.count, 99));
    }
    puts("]}");
}

static void run_sender(int socket)
{
    struct kept kept[MAX_SIZES];
    uint64_t *samples[MAX_SIZES];
    struct report ready;
    for (size_t i = 0; i < opt.size_count; i++) {
        kept[i] = prepare(opt.sizes[i]);
        samples[i] = allocate(opt.count * sizeof *samples[i]);
    }
    await_report(socket, &ready);
    for (uint64_t round = 0; round < opt.count; round++)
        for (size_t i = 0; i < opt.size_count; i++)
            samples[i][round] = measure(socket, opt.sizes[i], round, &kept[i]);
    print_report(samples);
    for (size_t i = 0; i < opt.size_count; i++) {
        sfd_buffer_free(&kept[i].buffer);
        free(kept[i].memory);
        free(samples[i]);
    }
}

/* ------------------------------------------------------------------ the whole */

static enum way parse_way(const char *name)
{
    for (int way = 0; way < WAYS; way++)
        if (strcmp(name, way_names[way]) == 0) return (enum way)way;
    die("--way: '%s' is none: sealed, unsealed, socket, whole-buffer or whole-socket", name);
}

static void parse_options(int argc, char **argv)
{
    enum { WAY, SIZE, COUNT, HUGE_PAGES };
    static const struct option options[] = {
        {"way", required_argument, NULL, WAY},
        {"size", required_argument, NULL, SIZE},
        {"count", required_argument, NULL, COUNT},
        {"huge-pages", no_argument, NULL, HUGE_PAGES},
        {NULL, 0, NULL, 0},
    };
    for (int which; (which = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (which == WAY) {
            opt.way = parse_way(optarg);
        } else if (which == SIZE && opt.size_count < MAX_SIZES) {
            const size_t size = (size_t)parse_number("size", optarg, FILL_PAGE, 1L << 40);
            opt.sizes[opt.size_count++] = size / FILL_PAGE * FILL_PAGE;
        } else if (which == COUNT) {
            opt.count = (uint64_t)parse_number("count", optarg, 1, MAX_COUNT);
        } else if (which == HUGE_PAGES) {
            opt.buffer_flags = SFD_BUFFER_HUGE_PAGES;
        } else {
            opt.size_count = 0;
            break;
        }
    }
    if (opt.way == WAYS || opt.size_count == 0) {
        die("usage: handover --way sealed|unsealed|socket|whole-buffer|whole-socket --size "
            "BYTES...\n"
            "                [--count N] [--huge-pages]\n"
            "Each of the N rounds does every size once.");
    }
}

int main(int argc, char **argv)
{
    int ends[2];
    int status;
    parse_options(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    memory_stays_fresh();
    alarm(TIMEOUT_SECONDS);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) die_errno("socketpair");
    const pid_t receiver = fork();
    if (receiver < 0) die_errno("fork");
    close(ends[receiver == 0 ? 0 : 1]);
    if (receiver == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        run_receiver(ends[1]);
    }
    run_sender(ends[0]);
    close(ends[0]);
    if (waitpid(receiver, &status, 0) < 0 || status != 0) die("the receiver did not end well");
    return 0;
}
