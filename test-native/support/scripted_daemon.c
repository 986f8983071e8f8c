/*
 * Stands in for the daemon in tests of clients: does with the requests what the lines on stdin say, so that a test can
 * script every answer, and every lack of one.
 *
 * usage: scripted_daemon SOCKET
 *   receive          takes one datagram; answers "request HEX DESCRIPTORS"; its descriptors become number N (from 0)
 *   write N I HEX    writes to descriptor I of request N
 *   close N I        closes descriptor I of request N
 *   rebind           closes the request socket and binds a new one, as a restarted daemon does
 * Every line is answered by one line: "ok", "request ..." or "errno NUMBER". Ends with stdin.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MAX_REQUESTS = 4096, MAX_FDS = 4, MAX_BYTES = 65536 };

static int fds[MAX_REQUESTS][MAX_FDS];
static int request_count;

static int bind_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
    unlink(path);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        perror(path);
        exit(1);
    }
    return fd;
}

static void receive(int socket)
{
    static unsigned char bytes[MAX_BYTES];
    union {
        struct cmsghdr align;
        unsigned char bytes[CMSG_SPACE(MAX_FDS * sizeof(int))];
    } control;
    struct iovec iov = {.iov_base = bytes, .iov_len = sizeof(bytes)};
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control)};
    const ssize_t length = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    size_t count = 0;

    if (length < 0 || request_count == MAX_REQUESTS) {
        printf("errno %d\n", length < 0 ? errno : ENOSPC);
        return;
    }
    memset(fds[request_count], 0xff, sizeof(fds[request_count]));
    const struct cmsghdr *const header = CMSG_FIRSTHDR(&message);
    if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
        count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(fds[request_count], CMSG_DATA(header), count * sizeof(int));
    }
    request_count++;
    printf("request ");
    for (ssize_t i = 0; i < length; i++)
        printf("%02x", bytes[i]);
    printf(" %zu\n", count);
}

static void write_hex(int fd, const char *hex)
{
    static unsigned char bytes[MAX_BYTES];
    size_t length = 0;
    unsigned byte = 0;

    for (; length < sizeof(bytes) && sscanf(hex + 2 * length, "%2x", &byte) == 1; length++)
        bytes[length] = (unsigned char)byte;
    const ssize_t written = write(fd, bytes, length);
    printf(written == (ssize_t)length ? "ok\n" : "errno %d\n", errno);
}

int main(int argc, char **argv)
{
    static char line[2 * MAX_BYTES + 64];
    static char hex[2 * MAX_BYTES + 1];
    int number = 0;
    int index = 0;

    if (argc != 2) {
        fprintf(stderr, "usage: scripted_daemon SOCKET\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    int socket = bind_socket(argv[1]);
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("ok\n");
    while (fgets(line, sizeof(line), stdin) != NULL) {
        if (strcmp(line, "receive\n") == 0) {
            receive(socket);
        } else if (strcmp(line, "rebind\n") == 0) {
            close(socket);
            socket = bind_socket(argv[1]);
            printf("ok\n");
        } else if (sscanf(line, "write %d %d %131072s", &number, &index, hex) == 3 && number < request_count &&
                   index < MAX_FDS) {
            write_hex(fds[number][index], hex);
        } else if (sscanf(line, "close %d %d", &number, &index) == 2 && number < request_count && index < MAX_FDS) {
            close(fds[number][index]);
            printf("ok\n");
        } else {
            printf("errno %d\n", EINVAL);
        }
    }
    return 0;
}
