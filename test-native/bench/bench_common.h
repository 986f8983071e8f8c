/*
 * What the benchmark programs share: clocks, samples, PROTOCOL.md's messages, channels to send into.
 *
 * Role: written from the protocol's description alone, so that it checks the daemon rather than repeats its code.
 *   These are programs of the harness: they print and exit on errors, which the product never does.
 */
#ifndef SFD_BENCH_COMMON_H
#define SFD_BENCH_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    CMD_OPEN = 0x01,
    CMD_READ = 0x02,
    CMD_SEND = 0x03,
    CMD_SEND_OPEN = 0x04,
    CMD_CANCEL = 0x05,
    RSP_FILE_INFO = 0x81,
    RSP_XFER_STAT = 0x82,
};

enum { HEADER_SIZE = 2, ERROR_SIZE = 2, FILE_INFO_SIZE = 48, XFER_STAT_SIZE = 16 };
enum { REQUEST_HEADER_SIZE = 24, ID_REQUEST_SIZE = 16, REQUEST_MAX = REQUEST_HEADER_SIZE + 4096 };
enum { MAX_FDS = 2 };

#define XFER_COMPLETE UINT64_MAX

struct file_info {
    uint64_t size;
    int64_t atime, mtime, ctime;
    uint64_t id;
};

struct request {
    int cmd;
    int64_t offset;
    uint64_t length;
    uint64_t id;
    char path[4096];
};

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
/* User and system time of a process, 0 if there is none. */
uint64_t process_cpu_ns(pid_t pid);
long parse_number(const char *option, const char *text, long min, long max);
void *allocate(size_t size);

/* Sorts; the nearest-rank percentile. */
void samples_sort(uint64_t *ns, size_t count);
double samples_us(const uint64_t *sorted, size_t count, double percent);

/* Prints text as a JSON string, quotes included. */
void print_json_string(const char *text);

size_t put_request(void *out, const struct request *request);
bool get_request(struct request *request, const void *bytes, size_t length);
size_t put_file_info(void *out, const struct file_info *info);
void get_file_info(struct file_info *info, const void *bytes);
size_t put_xfer_stat(void *out, uint64_t size);
uint64_t get_xfer_size(const void *bytes);
size_t put_error(void *out, int cmd, int error);

int request_socket_bind(const char *path);
int request_socket_connect(const char *path);
/* Blocks while the daemon's queue is full. */
void send_datagram(int socket, const void *bytes, size_t length, const int *fds, size_t fd_count);
/* Takes the descriptors and credentials out of a received message's control data. */
struct msghdr;
void take_control(struct msghdr *message, struct datagram *datagram);

enum channel_kind { CHANNEL_TCP, CHANNEL_UNIX, CHANNEL_PIPE };

enum channel_kind parse_channel(const char *name);
/* Makes a connected channel: bytes written to *sink arrive at *source. */
void channel_open(enum channel_kind kind, int *source, int *sink);
/* Reads exactly `bytes` bytes, comparing them with the reference when there is one. */
void drain(int source, uint64_t bytes, void *buffer, size_t buffer_size, const uint8_t *reference);
enum { DRAIN_BUFFER = 256 * 1024 };

/* Maps a whole file for comparison. */
const uint8_t *map_reference(const char *path, uint64_t *size);

#endif
