/*
 * See driver_common.h.
 */
#include "driver_common.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

void driver_die(const char *what)
{
    fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
    exit(DRIVER_FAILED);
}

void driver_close(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

/* A connected pair of TCP sockets on loopback. */
static void tcp_pair(int out[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    out[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || out[1] < 0 || bind(listener, (const struct sockaddr *)&address, sizeof address) < 0 ||
        listen(listener, 1) < 0 || getsockname(listener, (struct sockaddr *)&address, &size) < 0 ||
        connect(out[1], (const struct sockaddr *)&address, sizeof address) < 0)
        driver_die("tcp");
    out[0] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (out[0] < 0) driver_die("accept");
    close(listener);
}

/* A raw pseudo terminal: out[0] the master, out[1] the slave. */
static void tty_pair(int out[2])
{
    char name[64];
    struct termios settings;

    out[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (out[0] < 0 || grantpt(out[0]) < 0 || unlockpt(out[0]) < 0 || ptsname_r(out[0], name, sizeof name) != 0)
        driver_die("posix_openpt");
    out[1] = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (out[1] < 0 || tcgetattr(out[1], &settings) < 0) driver_die(name);
    cfmakeraw(&settings);
    if (tcsetattr(out[1], TCSANOW, &settings) < 0) driver_die("tcsetattr");
}

/* Says whether writes to `fd` may block. */
static void set_blocking(int fd, bool blocking)
{
    const int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK) < 0) driver_die("fcntl");
}

static int open_for_writing(const char *path, int flags)
{
    const int fd = open(path, O_WRONLY | O_CLOEXEC | flags, 0600);

    if (fd < 0) driver_die(path);
    return fd;
}

/* KIND or KIND/MODE */
static bool is_kind(const char *destination, const char *kind)
{
    const size_t size = strlen(kind);

    return strncmp(destination, kind, size) == 0 && (destination[size] == '\0' || destination[size] == '/');
}

int driver_open_destination(const char *destination, int *data)
{
    const char *slash = strchr(destination, '/');
    int fds[2] = {-1, -1};

    *data = -1;
    if (strncmp(destination, "file:", 5) == 0) return open_for_writing(destination + 5, O_CREAT | O_TRUNC);
    if (strcmp(destination, "null") == 0) return open_for_writing("/dev/null", 0);
    if (is_kind(destination, "pipe")) {
        if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0) driver_die("pipe");
    } else if (is_kind(destination, "unix")) {
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0) driver_die("socketpair");
    } else if (is_kind(destination, "seqpacket")) {
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0) driver_die("socketpair");
    } else if (is_kind(destination, "tcp")) {
        tcp_pair(fds);
    } else if (is_kind(destination, "tty")) {
        tty_pair(fds);
    } else {
        fprintf(stderr, "%s: %s: no destination\n", program_invocation_short_name, destination);
        exit(DRIVER_USAGE);
    }
    set_blocking(fds[0], false);
    if (slash != NULL) set_blocking(fds[1], strcmp(slash, "/blocking") == 0);
    *data = fds[0];
    return fds[1];
}

bool driver_is_unread(const char *destination)
{
    return strcmp(destination, "null") == 0 || strncmp(destination, "file:", 5) == 0;
}

void driver_hash_range(const char *path, off_t offset, size_t length, char hex[SHA256_HEX_SIZE])
{
    static _Thread_local unsigned char buffer[64 * 1024];
    struct sha256 sha;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t left = length == 0 ? SIZE_MAX : length;

    if (fd < 0) driver_die(path);
    sha256_init(&sha);
    for (ssize_t n; left > 0; left -= (size_t)n, offset += n) {
        n = pread(fd, buffer, left < sizeof buffer ? left : sizeof buffer, offset);
        if (n < 0) driver_die(path);
        if (n == 0) break;
        sha256_update(&sha, buffer, (size_t)n);
    }
    close(fd);
    sha256_finish(&sha, hex);
}

int driver_count_descriptors(void)
{
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");

    if (directory == NULL) driver_die("/proc/self/fd");
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}
