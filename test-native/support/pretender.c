/*
 * pretender: clients that are not who they seem, and receivers that ask who it is.
 *
 *   pretender SOCKET as PID          Read File under another process's id (for root only: CAP_SYS_ADMIN)
 *   pretender SOCKET user UID        Read and Send File as that user (for root only), and all requests without
 *   descriptors
 *   pretender SOCKET receive         Send File of `small` to a socket with SO_PASSCRED
 *
 * Prints one line: the name of the errno, "complete", or "EOF"; `receive`: the process and the user that the bytes came
 * from. Exit status 1 with a word on standard error for all else.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "driver_common.h"
#include "hostile_common.h"
#include "protocol/wire.h"

static int requests;

/* Sends one descriptor under an identity. */
static void send_as(const void *bytes, size_t length, int fd, pid_t pid)
{
    union {
        size_t align;
        char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int))];
    } control = {.align = 0};
    const struct ucred who = {.pid = pid, .uid = geteuid(), .gid = getegid()};
    struct iovec iov = {.iov_base = (void *)bytes, .iov_len = length};
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);

    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_CREDENTIALS;
    header->cmsg_len = CMSG_LEN(sizeof(who));
    memcpy(CMSG_DATA(header), &who, sizeof(who));
    header = CMSG_NXTHDR(&message, header);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(fd));
    memcpy(CMSG_DATA(header), &fd, sizeof(fd));
    if (sendmsg(requests, &message, 0) < 0) driver_die("sendmsg");
}

static size_t path_request(char *buffer, uint8_t command)
{
    static const char path[] = "small";
    const size_t length = sfd_wire_put_path_request(buffer, command, 0, 0);

    memcpy(buffer + length, path, sizeof(path));
    return length + sizeof(path);
}

static void new_pipe(int ends[2])
{
    if (pipe2(ends, O_CLOEXEC) < 0) driver_die("pipe");
}

/* All that there is, to the end. */
static size_t read_all(int fd, char *buffer, size_t size)
{
    size_t length = 0;
    struct pollfd ready = {.fd = fd, .events = POLLIN};

    for (ssize_t n = 1; n > 0; length += (size_t)n) {
        if (poll(&ready, 1, 20000) <= 0) driver_die("no answer");
        n = read(fd, buffer + length, size - length);
        if (n < 0) driver_die("read");
    }
    return length;
}

static void print_outcome(int fd)
{
    char answer[8192];
    const size_t length = read_all(fd, answer, sizeof(answer));

    if (length == 0)
        (void)puts("EOF");
    else
        (void)puts(answer[1] == 0 ? "complete" : strerrorname_np((uint8_t)answer[1]));
}

static int pretend_to_be(pid_t pid)
{
    char request[64];
    int ends[2];

    new_pipe(ends);
    send_as(request, path_request(request, SFD_WIRE_READ_FILE), ends[1], pid);
    (void)close(ends[1]);
    print_outcome(ends[0]);
    return 0;
}

static int be_user(uid_t uid)
{
    char request[64];
    char bytes[64];
    int status[2];
    int dest[2];

    if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0) driver_die("setresuid");
    for (uint8_t command = SFD_WIRE_OPEN_FILE; command <= SFD_WIRE_CANCEL; command++) {
        const size_t length = command <= SFD_WIRE_SEND_FILE ? path_request(request, command)
                                                            : sfd_wire_put_transfer_request(request, command, 1);
        if (hostile_send_bytes(requests, request, length, NULL, 0) != 0) driver_die("send");
    }
    new_pipe(status);
    new_pipe(dest);
    const int fds[] = {status[1], dest[1]};
    if (hostile_send_bytes(requests, request, path_request(request, SFD_WIRE_SEND_FILE), fds, 2) != 0)
        driver_die("send");
    (void)close(status[1]);
    (void)close(dest[1]);
    print_outcome(status[0]);
    if (read_all(dest[0], bytes, sizeof(bytes)) != 0) driver_die("bytes of a refused request");
    return 0;
}

static int receive_credentials(void)
{
    char request[64];
    char bytes[8192];
    union {
        size_t align;
        char bytes[CMSG_SPACE(sizeof(struct ucred))];
    } control = {.align = 0};
    struct ucred who = {.pid = 0};
    const int on = 1;
    int status[2];
    int pair[2];

    new_pipe(status);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ||
        setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
        driver_die("SO_PASSCRED");
    const int fds[] = {status[1], pair[1]};
    if (hostile_send_bytes(requests, request, path_request(request, SFD_WIRE_SEND_FILE), fds, 2) != 0)
        driver_die("send");
    (void)close(status[1]);
    (void)close(pair[1]);
    struct iovec iov = {.iov_base = bytes, .iov_len = sizeof(bytes)};
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
    if (recvmsg(pair[0], &message, 0) <= 0) driver_die("recvmsg");
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header == NULL || header->cmsg_type != SCM_CREDENTIALS) driver_die("no credentials");
    memcpy(&who, CMSG_DATA(header), sizeof(who));
    (void)printf("%ld %ld\n", (long)who.pid, (long)who.uid);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[2], "receive") == 0) {
        requests = hostile_connect(argv[1]);
        return receive_credentials();
    }
    if (argc != 4) return DRIVER_USAGE;
    requests = hostile_connect(argv[1]);
    return strcmp(argv[2], "as") == 0 ? pretend_to_be((pid_t)atol(argv[3])) : be_user((uid_t)atol(argv[3]));
}
