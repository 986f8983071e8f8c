/*
 * tenant: a client that a test puts into namespaces of its own, and that obeys it line by line.
 *
 *   tenant SOCKET
 *
 * Reads a command a line from standard input, and prints a line for each:
 *
 *   open         Open File of `small`: the transfer's id, or the name of the errno
 *   send ID      Send Open File to a pipe: how many bytes arrived before its end
 *   cancel ID    Cancel: "sent"
 *   hide PATH    Send File of PATH with 1 byte a second, and Open File of `small`, whose status channels, like the
 *                destination's other end, then lie in the queue of a socket that a child of this process holds until
 *                standard input ends. Prints "hidden" when both have been accepted, and ends: its standard output, too.
 *
 * Ends with its input. Exit status 1 with a word on standard error for all else.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "driver_common.h"
#include "hostile_common.h"
#include "protocol/wire.h"

enum { INFO_SIZE = 48, ID_AT = 40 };

static int requests;

static void new_pipe(int ends[2])
{
    if (pipe2(ends, O_CLOEXEC) < 0) driver_die("pipe");
}

static void send_request(const char *request, size_t length, const int *fds, size_t count)
{
    if (hostile_send_bytes(requests, request, length, fds, count) != 0) driver_die("send");
}

static size_t await_bytes(int fd, char *bytes, size_t size)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};

    if (poll(&ready, 1, HOSTILE_PATIENCE_S * 1000) <= 0) driver_die("no answer");
    const ssize_t n = read(fd, bytes, size);
    if (n < 0) driver_die("read");
    return (size_t)n;
}

/* The status channel of a new Open File. */
static int open_file(void)
{
    static const char path[] = "small";
    char request[64];
    int status[2];

    new_pipe(status);
    const size_t length = sfd_wire_put_path_request(request, SFD_WIRE_OPEN_FILE, 0, 0);
    memcpy(request + length, path, sizeof(path));
    send_request(request, length + sizeof(path), &status[1], 1);
    (void)close(status[1]);
    return status[0];
}

/* Keeps the status channel of what was accepted. */
static void print_open(void)
{
    char answer[INFO_SIZE];
    uint64_t id;
    const int status = open_file();
    const size_t length = await_bytes(status, answer, sizeof(answer));

    if (length == INFO_SIZE) {
        memcpy(&id, answer + ID_AT, sizeof(id));
        (void)printf("%llu\n", (unsigned long long)id);
    } else {
        (void)puts(length == 0 ? "EOF" : strerrorname_np((uint8_t)answer[1]));
        (void)close(status);
    }
}

static void send_opened(uint64_t id)
{
    char request[SFD_WIRE_MAX_REQUEST_SIZE];
    char bytes[65536];
    size_t all = 0;
    int data[2];

    new_pipe(data);
    send_request(request, sfd_wire_put_transfer_request(request, SFD_WIRE_SEND_OPEN_FILE, id), &data[1], 1);
    (void)close(data[1]);
    for (size_t n = 1; n > 0; all += n)
        n = await_bytes(data[0], bytes, sizeof(bytes));
    (void)close(data[0]);
    (void)printf("%zu\n", all);
}

static void cancel(uint64_t id)
{
    char request[SFD_WIRE_MAX_REQUEST_SIZE];

    send_request(request, sfd_wire_put_transfer_request(request, SFD_WIRE_CANCEL, id), NULL, 0);
    (void)puts("sent");
}

/* The status channel of a Send File that takes for ever; the end of its destination in *data. */
static int send_slowly(const char *path, int *data)
{
    const struct sfd_options options = {.rate = 1};
    char request[SFD_WIRE_MAX_REQUEST_SIZE + 4096];
    int status[2];
    int dest[2];

    new_pipe(status);
    new_pipe(dest);
    const int fds[] = {status[1], dest[1]};
    const size_t length = sfd_wire_put_extended_request(request, SFD_WIRE_SEND_FILE_EXT, 0, 0, &options, strlen(path));
    memcpy(request + length, path, strlen(path) + 1);
    send_request(request, length + strlen(path) + 1, fds, 2);
    (void)close(status[1]);
    (void)close(dest[1]);
    *data = dest[0];
    return status[0];
}

_Noreturn static void hide(const char *path)
{
    char answer[64];
    int pair[2];
    int hidden[3];

    hidden[0] = send_slowly(path, &hidden[1]);
    hidden[2] = open_file();
    if (await_bytes(hidden[0], answer, sizeof(answer)) < INFO_SIZE ||
        await_bytes(hidden[2], answer, sizeof(answer)) < INFO_SIZE)
        driver_die("refused");
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0) driver_die("socketpair");
    if (hostile_send_bytes(pair[0], "", 1, hidden, 3) != 0) driver_die("hide");
    for (int i = 0; i < 3; i++)
        (void)close(hidden[i]);
    (void)puts("hidden");
    (void)fflush(stdout);
    const pid_t child = fork();
    if (child < 0) driver_die("fork");
    if (child == 0) {
        (void)close(STDOUT_FILENO);
        while (read(STDIN_FILENO, answer, sizeof(answer)) > 0)
            ;
    }
    _exit(0);
}

int main(int argc, char **argv)
{
    char line[4096];

    if (argc != 2) return DRIVER_USAGE;
    requests = hostile_connect(argv[1]);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *argument = strchr(line, ' ');
        if (argument != NULL) *argument++ = '\0';
        if (strcmp(line, "open") == 0)
            print_open();
        else if (argument != NULL && strcmp(line, "send") == 0)
            send_opened(strtoull(argument, NULL, 10));
        else if (argument != NULL && strcmp(line, "cancel") == 0)
            cancel(strtoull(argument, NULL, 10));
        else if (argument != NULL && strcmp(line, "hide") == 0)
            hide(argument);
        else
            return DRIVER_USAGE;
        (void)fflush(stdout);
    }
    return 0;
}
