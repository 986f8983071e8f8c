/*
 * The daemon's end of one session, for tests of clients: shows what a client sends, byte by byte.
 *
 * usage: session_peer REQUESTS SESSIONS
 * Binds both sockets, prints "ready", accepts a connection, and prints a line "message HEX DESCRIPTOR..." for each
 * message: its bytes, and what came with it by its numbers here. A Hello is welcome. So the first of its descriptors is
 * the shared memory, which a test maps as /proc/PID/fd/N. "end" when the client has closed its end.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <sendfiled/session.h>

static int bind_socket(const char *path, int type)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        perror(path);
        exit(1);
    }
    return fd;
}

static void welcome(int connection)
{
    unsigned char bytes[SFD_SESSION_WELCOME_SIZE] = {SFD_SESSION_WELCOME};
    const uint16_t version = SFD_SESSION_VERSION;
    const uint32_t length = sizeof(bytes);

    memcpy(bytes + 2, &version, sizeof(version));
    memcpy(bytes + 4, &length, sizeof(length));
    (void)!send(connection, bytes, sizeof(bytes), MSG_NOSIGNAL);
}

/* False at the end. */
static bool show_message(int connection)
{
    unsigned char bytes[256];
    union {
        struct cmsghdr align;
        unsigned char bytes[CMSG_SPACE(2 * sizeof(int))];
    } control;
    struct iovec iov = {.iov_base = bytes, .iov_len = sizeof(bytes)};
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control)};
    const ssize_t length = recvmsg(connection, &message, MSG_CMSG_CLOEXEC);

    if (length <= 0) return false;
    printf("message ");
    for (ssize_t i = 0; i < length; i++)
        printf("%02x", bytes[i]);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c)) {
        for (size_t at = 0; at + sizeof(int) <= c->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + at, sizeof(fd));
            printf(" %d", fd);
        }
    }
    printf("\n");
    if (bytes[0] == SFD_SESSION_HELLO) welcome(connection);
    return true;
}

int main(int argc, char **argv)
{
    if (argc != 3) return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    (void)bind_socket(argv[1], SOCK_DGRAM);
    const int listening = bind_socket(argv[2], SOCK_SEQPACKET);
    if (listen(listening, 1) < 0) return 1;
    printf("ready\n");
    const int connection = accept(listening, NULL, NULL);
    while (show_message(connection)) {
    }
    printf("end\n");
    return 0;
}
