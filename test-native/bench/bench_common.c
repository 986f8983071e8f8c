#include "bench_common.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

_Noreturn void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

_Noreturn void die_errno(const char *format, ...)
{
    int error = errno;
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, ": %s\n", strerror(error));
    exit(1);
}

static uint64_t timespec_ns(struct timespec t)
{
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return timespec_ns(t);
}

uint64_t process_cpu_ns(pid_t pid)
{
    clockid_t clock;
    struct timespec t;
    if (pid <= 0 || clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0) {
        return 0;
    }
    return timespec_ns(t);
}

long parse_number(const char *option, const char *text, long min, long max)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || value < min || value > max) {
        die("--%s: '%s' is not a number in %ld..%ld", option, text, min, max);
    }
    return value;
}

void *allocate(size_t size)
{
    void *memory = calloc(1, size);
    if (memory == NULL) {
        die("out of memory (%zu bytes)", size);
    }
    return memory;
}

static int compare_ns(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

void samples_sort(uint64_t *ns, size_t count)
{
    qsort(ns, count, sizeof *ns, compare_ns);
}

double samples_us(const uint64_t *sorted, size_t count, double percent)
{
    if (count == 0) {
        return 0;
    }
    size_t rank = (size_t)(percent / 100 * (double)count);
    return (double)sorted[rank < count ? rank : count - 1] / 1000;
}

void print_json_string(const char *text)
{
    putchar('"');
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\') {
            printf("\\%c", *c);
        } else if (*c < 0x20) {
            printf("\\u%04x", *c);
        } else {
            putchar(*c);
        }
    }
    putchar('"');
}

/*
 * 0      1      2        8         16        24
 * | cmd  | stat | padding | offset  | length  | path ... NUL      (Open, Read, Send)
 * | cmd  | stat | padding | id      |                             (Send Open, Cancel)
 */
size_t put_request(void *out, const struct request *request)
{
    uint8_t *bytes = out;
    memset(bytes, 0, 8);
    bytes[0] = (uint8_t)request->cmd;
    if (request->cmd == CMD_SEND_OPEN || request->cmd == CMD_CANCEL) {
        memcpy(bytes + 8, &request->id, 8);
        return ID_REQUEST_SIZE;
    }
    size_t path_size = strlen(request->path) + 1;
    memcpy(bytes + 8, &request->offset, 8);
    memcpy(bytes + 16, &request->length, 8);
    memcpy(bytes + REQUEST_HEADER_SIZE, request->path, path_size);
    return REQUEST_HEADER_SIZE + path_size;
}

bool get_request(struct request *request, const void *in, size_t length)
{
    const uint8_t *bytes = in;
    if (length < ID_REQUEST_SIZE || bytes[1] != 0) {
        return false;
    }
    request->cmd = bytes[0];
    switch (request->cmd) {
    case CMD_SEND_OPEN:
    case CMD_CANCEL:
        memcpy(&request->id, bytes + 8, 8);
        return length == ID_REQUEST_SIZE;
    case CMD_OPEN:
    case CMD_READ:
    case CMD_SEND:
        if (length < REQUEST_HEADER_SIZE + 1 || bytes[length - 1] != '\0' ||
            length - REQUEST_HEADER_SIZE > sizeof request->path) {
            return false;
        }
        memcpy(&request->offset, bytes + 8, 8);
        memcpy(&request->length, bytes + 16, 8);
        memcpy(request->path, bytes + REQUEST_HEADER_SIZE, length - REQUEST_HEADER_SIZE);
        return true;
    default:
        return false;
    }
}

/* | cmd | stat | 6 padding | size | atime | mtime | ctime | id | */
size_t put_file_info(void *out, const struct file_info *info)
{
    uint8_t *bytes = out;
    memset(bytes, 0, 8);
    bytes[0] = RSP_FILE_INFO;
    memcpy(bytes + 8, &info->size, 8);
    memcpy(bytes + 16, &info->atime, 8);
    memcpy(bytes + 24, &info->mtime, 8);
    memcpy(bytes + 32, &info->ctime, 8);
    memcpy(bytes + 40, &info->id, 8);
    return FILE_INFO_SIZE;
}

void get_file_info(struct file_info *info, const void *in)
{
    const uint8_t *bytes = in;
    memcpy(&info->size, bytes + 8, 8);
    memcpy(&info->atime, bytes + 16, 8);
    memcpy(&info->mtime, bytes + 24, 8);
    memcpy(&info->ctime, bytes + 32, 8);
    memcpy(&info->id, bytes + 40, 8);
}

/* | cmd | stat | 6 padding | size | */
size_t put_xfer_stat(void *out, uint64_t size)
{
    uint8_t *bytes = out;
    memset(bytes, 0, 8);
    bytes[0] = RSP_XFER_STAT;
    memcpy(bytes + 8, &size, 8);
    return XFER_STAT_SIZE;
}

uint64_t get_xfer_size(const void *bytes)
{
    uint64_t size;
    memcpy(&size, (const uint8_t *)bytes + 8, 8);
    return size;
}

size_t put_error(void *out, int cmd, int error)
{
    uint8_t *bytes = out;
    bytes[0] = (uint8_t)cmd;
    bytes[1] = (uint8_t)(error > 0 && error < 256 ? error : EIO);
    return ERROR_SIZE;
}

static struct sockaddr_un unix_address(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        die("%s: too long for a socket's path (%zu bytes at most)", path,
            sizeof address.sun_path - 1);
    }
    memcpy(address.sun_path, path, strlen(path));
    return address;
}

int request_socket_bind(const char *path)
{
    struct sockaddr_un address = unix_address(path);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int on = 1;
    unlink(path);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        die_errno("%s", path);
    }
    return fd;
}

int request_socket_connect(const char *path)
{
    struct sockaddr_un address = unix_address(path);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        die_errno("%s", path);
    }
    return fd;
}

void send_datagram(int socket, const void *bytes, size_t length, const int *fds, size_t fd_count)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int) * MAX_FDS)];
    } control = {.space = {0}};
    struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    if (fd_count > 0) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(rights), fds, sizeof(int) * fd_count);
    }
    ssize_t sent;
    do {
        sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) {
        die_errno("sending a request");
    }
}

void take_control(struct msghdr *message, struct datagram *datagram)
{
    datagram->fd_count = 0;
    datagram->pid = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET) {
            continue;
        }
        if (c->cmsg_type == SCM_RIGHTS) {
            size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            datagram->fd_count = count < MAX_FDS ? count : MAX_FDS;
            memcpy(datagram->fds, CMSG_DATA(c), datagram->fd_count * sizeof(int));
        } else if (c->cmsg_type == SCM_CREDENTIALS) {
            struct ucred credentials;
            memcpy(&credentials, CMSG_DATA(c), sizeof credentials);
            datagram->pid = credentials.pid;
        }
    }
}

enum channel_kind parse_channel(const char *name)
{
    if (strcmp(name, "tcp") == 0) {
        return CHANNEL_TCP;
    }
    if (strcmp(name, "unix") == 0) {
        return CHANNEL_UNIX;
    }
    if (strcmp(name, "pipe") == 0) {
        return CHANNEL_PIPE;
    }
    die("'%s' is not a channel: tcp, unix or pipe", name);
}

static void tcp_open(int *source, int *sink)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *source = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || *source < 0 ||
        bind(listener, (struct sockaddr *)&address, sizeof address) < 0 ||
        listen(listener, 1) < 0 || getsockname(listener, (struct sockaddr *)&address, &size) < 0 ||
        connect(*source, (struct sockaddr *)&address, sizeof address) < 0 ||
        (*sink = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0) {
        die_errno("a TCP connection over loopback");
    }
    close(listener);
    int on = 1;
    setsockopt(*sink, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void channel_open(enum channel_kind kind, int *source, int *sink)
{
    int fds[2];
    if (kind == CHANNEL_TCP) {
        tcp_open(source, sink);
        return;
    }
    if ((kind == CHANNEL_UNIX ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds)
                              : pipe2(fds, O_CLOEXEC)) < 0) {
        die_errno("a channel");
    }
    *source = fds[0];
    *sink = fds[1];
}

void drain(int source, uint64_t bytes, void *buffer, size_t buffer_size, const uint8_t *reference)
{
    for (uint64_t done = 0; done < bytes;) {
        uint64_t left = bytes - done;
        ssize_t n = read(source, buffer, left < buffer_size ? (size_t)left : buffer_size);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            die("data channel ended after %llu of %llu bytes", (unsigned long long)done,
                (unsigned long long)bytes);
        }
        if (reference != NULL && memcmp(buffer, reference + done, (size_t)n) != 0) {
            die("wrong bytes between %llu and %llu", (unsigned long long)done,
                (unsigned long long)(done + (uint64_t)n));
        }
        done += (uint64_t)n;
    }
}

const uint8_t *map_reference(const char *path, uint64_t *size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) {
        die_errno("%s", path);
    }
    void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED) {
        die_errno("%s", path);
    }
    close(fd);
    *size = (uint64_t)st.st_size;
    return map;
}
