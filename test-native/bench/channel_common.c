/* Channels to send files into, and the receiver that all measurements share. */
#include "bench_common.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum channel_kind parse_channel(const char *name)
{
    static const char *const names[] = {"tcp", "unix", "pipe", "file", "null"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0) return (enum channel_kind)i;
    die("'%s' is not a channel: tcp, unix, pipe, file or null", name);
}

static void tcp_open(int *source, int *sink)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *source = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || *source < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) < 0 ||
        listen(listener, 1) < 0 || getsockname(listener, (struct sockaddr *)&address, &size) < 0 ||
        connect(*source, (struct sockaddr *)&address, sizeof address) < 0 ||
        (*sink = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0)
        die_errno("a TCP connection over loopback");
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
    if (kind == CHANNEL_FILE || kind == CHANNEL_NULL) {
        *source = -1;
        *sink = kind == CHANNEL_FILE ? memfd_create("load", MFD_CLOEXEC) : open("/dev/null", O_WRONLY | O_CLOEXEC);
        if (*sink < 0) die_errno("a file to write to");
        return;
    }
    if ((kind == CHANNEL_UNIX ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) : pipe2(fds, O_CLOEXEC)) < 0)
        die_errno("a channel");
    *source = fds[0];
    *sink = fds[1];
}

void drain(int source, uint64_t bytes, void *buffer, size_t buffer_size, const uint8_t *reference)
{
    for (uint64_t done = 0; done < bytes;) {
        uint64_t left = bytes - done;
        ssize_t n = buffer == NULL ? recv(source, NULL, left, MSG_TRUNC)
                                   : read(source, buffer, left < buffer_size ? (size_t)left : buffer_size);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0)
            die("data channel ended after %llu of %llu bytes", (unsigned long long)done, (unsigned long long)bytes);
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
    if (fd < 0 || fstat(fd, &st) < 0) die_errno("%s", path);
    void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED) die_errno("%s", path);
    close(fd);
    *size = (uint64_t)st.st_size;
    return map;
}
