#include "bench_common.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
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

static uint64_t process_cpu_ns(pid_t pid)
{
    clockid_t clock;
    struct timespec t;
    if (pid <= 0 || clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0) return 0;
    return timespec_ns(t);
}

/* The number behind a key at the start of a line of a file of /proc; 0 if it is not told. */
static uint64_t number_of(const char *path, const char *key)
{
    char line[256];
    uint64_t number = 0;
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, key, strlen(key)) == 0) number = strtoull(line + strlen(key), NULL, 10);
    if (file != NULL) fclose(file);
    return number;
}

struct process_use process_use(pid_t pid)
{
    struct process_use use = {.cpu_ns = process_cpu_ns(pid)};
    char path[300];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *threads = opendir(path);
    for (struct dirent *thread; threads != NULL && (thread = readdir(threads)) != NULL;) {
        if (thread->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "/proc/%d/task/%.16s/status", (int)pid, thread->d_name);
        const uint64_t wakeups = number_of(path, "voluntary_ctxt_switches:");
        use.wakeups += wakeups;
        use.switches += wakeups + number_of(path, "nonvoluntary_ctxt_switches:");
    }
    if (threads != NULL) closedir(threads);
    return use;
}

static uint64_t grown(uint64_t now, uint64_t before)
{
    return now > before ? now - before : 0;
}

struct process_use process_use_since(pid_t pid, const struct process_use *before)
{
    const struct process_use now = process_use(pid);
    return (struct process_use){.cpu_ns = grown(now.cpu_ns, before->cpu_ns),
                                .wakeups = grown(now.wakeups, before->wakeups),
                                .switches = grown(now.switches, before->switches)};
}

void print_server_use(pid_t server, const struct process_use *used, double requests)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)server);
    printf("\"server_cpu_us\":%.3f,\"server_switches\":%.4f,\"server_pss_kib\":%llu,",
           (double)used->cpu_ns / 1000 / requests, (double)used->switches / requests,
           (unsigned long long)number_of(path, "Pss:"));
}

long parse_number(const char *option, const char *text, long min, long max)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || value < min || value > max)
        die("--%s: '%s' is not a number in %ld..%ld", option, text, min, max);
    return value;
}

void *allocate(size_t size)
{
    void *memory = calloc(1, size);
    if (memory == NULL) die("out of memory (%zu bytes)", size);
    return memory;
}

bool raise_open_files(uint64_t wanted, uint64_t *allowed)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0) die_errno("getrlimit");
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    *allowed = files.rlim_max;
    return files.rlim_max >= wanted;
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
    if (count == 0) return 0;
    size_t rank = (size_t)(percent / 100 * (double)count);
    return (double)sorted[rank < count ? rank : count - 1] / 1000;
}

void print_json_string(const char *text)
{
    putchar('"');
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++)
        if (*c == '"' || *c == '\\')
            printf("\\%c", *c);
        else if (*c < 0x20)
            printf("\\u%04x", *c);
        else
            putchar(*c);
    putchar('"');
}

static struct sockaddr_un unix_address(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        die("%s: too long for a socket's path (%zu bytes at most)", path, sizeof address.sun_path - 1);
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
        bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
        die_errno("%s", path);
    return fd;
}

int request_socket_connect(const char *path)
{
    struct sockaddr_un address = unix_address(path);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) die_errno("%s", path);
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
    } while (sent < 0 && (errno == EINTR || errno == EAGAIN));
    if (sent < 0) die_errno("sending a request");
}

void take_control(struct msghdr *message, struct datagram *datagram)
{
    datagram->fd_count = 0;
    datagram->pid = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET) continue;
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
