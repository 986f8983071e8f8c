/*
 * What the benchmark programs share: clocks, samples, request sockets, channels to send into, files to make cold.
 *
 * Role: these are programs of the harness: they print and exit on errors, which the product never does.
 */
#ifndef SFD_BENCH_COMMON_H
#define SFD_BENCH_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "wire_common.h"

enum { MAX_FDS = 2 };

/* One received datagram: its bytes, its descriptors, and who sent it. */
struct datagram {
    uint8_t bytes[REQUEST_MAX];
    size_t length;
    int fds[MAX_FDS];
    size_t fd_count;
    pid_t pid;
};

_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void die_errno(const char *format, ...) __attribute__((format(printf, 1, 2)));

uint64_t now_ns(void);

/* What a process has used until now; all 0 if there is none. */
struct process_use {
    uint64_t cpu_ns;   /* user and system time of all its threads that are and were, exact */
    uint64_t wakeups;  /* voluntary context switches of its threads that are: each wait that one ends by waking up */
    uint64_t switches; /* those, and when another thread got the processor instead */
};
struct process_use process_use(pid_t pid);
/* What it has used since then. A thread that has ended has taken its counts along: they are 0 at least. */
struct process_use process_use_since(pid_t pid, const struct process_use *before);
/* Prints members of a JSON object, each with a comma: what each of so many requests has cost a server, and its memory.
 */
void print_server_use(pid_t server, const struct process_use *used, double requests);
long parse_number(const char *option, const char *text, long min, long max);
void *allocate(size_t size);

/* Sorts; the nearest-rank percentile. */
void samples_sort(uint64_t *ns, size_t count);
double samples_us(const uint64_t *sorted, size_t count, double percent);

/* Prints text as a JSON string, quotes included. */
void print_json_string(const char *text);

int request_socket_bind(const char *path);
int request_socket_connect(const char *path);
/* Waits while the daemon's queue is full; on a non-blocking socket it tries again and again. */
void send_datagram(int socket, const void *bytes, size_t length, const int *fds, size_t fd_count);
/* Takes the descriptors and credentials out of a received message's control data. */
struct msghdr;
void take_control(struct msghdr *message, struct datagram *datagram);

enum channel_kind { CHANNEL_TCP, CHANNEL_UNIX, CHANNEL_PIPE, CHANNEL_FILE, CHANNEL_NULL };

enum channel_kind parse_channel(const char *name);
/* Makes a connected channel: bytes written to *sink arrive at *source, which is -1 for a file and for /dev/null. */
void channel_open(enum channel_kind kind, int *source, int *sink);
/*
 * Reads exactly `bytes` bytes, comparing them with the reference when there is one. Without a buffer the kernel drops
 * them and copies none, which only TCP does.
 */
void drain(int source, uint64_t bytes, void *buffer, size_t buffer_size, const uint8_t *reference);
enum { DRAIN_BUFFER = 256 * 1024 };

/* Maps a whole file for comparison. */
const uint8_t *map_reference(const char *path, uint64_t *size);

/* Drops a file's pages from the page cache, and makes sure that none is left. */
void make_cold(const char *path);
/* As many open files as the hard limit allows, at least `wanted`; false (and how many there are) if it does not. */
bool raise_open_files(uint64_t wanted, uint64_t *allowed);

#endif
