/*
 * stuck: transfers whose receiver does not read, and for as long as it is wanted.
 *
 * Role: asks for the same big file again and again, each time into a channel of its own that nobody reads; says
 *   "holding N" once every one of them has taken what it can and no byte moves any more; keeps them until SIGTERM.
 * Threads: one. Owns: the read end of each channel, 1 descriptor for a Read File, 2 for a Send File to a UNIX socket.
 * Never: reads a byte of the data.
 */
#include "bench_common.h"

#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { SPARE_FILES = 32, SETTLE_MS = 100, GIVE_UP_MS = 30000 };

struct held {
    int source; /* where the data stops */
    int status; /* of a Send File, else -1 */
};

static struct held *held;
static size_t count = 1;
static int command = CMD_READ;

static void ask(int socket, const char *path, struct held *h)
{
    int pipes[2];
    int sink = -1;
    struct request request = {.cmd = command};
    uint8_t bytes[REQUEST_MAX];
    memcpy(request.path, path, strlen(path) + 1);
    if (pipe2(pipes, O_CLOEXEC) < 0) die_errno("a status pipe");
    h->source = pipes[0];
    h->status = -1;
    if (command == CMD_SEND) {
        h->status = pipes[0];
        channel_open(CHANNEL_UNIX, &h->source, &sink);
        fcntl(sink, F_SETFL, fcntl(sink, F_GETFL) | O_NONBLOCK);
    }
    const int fds[2] = {pipes[1], sink};
    send_datagram(socket, bytes, put_request(bytes, &request), fds, command == CMD_SEND ? 2 : 1);
    close(pipes[1]);
    if (sink >= 0) close(sink);
}

/* Bytes that lie in the channel; the transfer must be under way. */
static uint64_t waiting_bytes(const struct held *h)
{
    int bytes = 0;
    struct pollfd ended = {.fd = h->status >= 0 ? h->status : h->source, .events = 0};
    if (ioctl(h->source, FIONREAD, &bytes) < 0) die_errno("how much lies in a channel");
    /* A pipe whose other end is closed: the transfer is over, whatever lies in it. */
    if (poll(&ended, 1, 0) > 0 && (ended.revents & POLLHUP) != 0) {
        die("a transfer has ended instead of being stuck: is the file bigger than 1 MiB, and is "
            "there room for so many?");
    }
    return (uint64_t)bytes;
}

/* True when each has taken something. */
static bool add_up(uint64_t *total)
{
    bool all = true;
    *total = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t bytes = waiting_bytes(&held[i]);
        all = all && bytes > FILE_INFO_SIZE;
        *total += bytes;
    }
    return all;
}

static void await_stillness(void)
{
    static const struct timespec pause = {.tv_nsec = SETTLE_MS * 1000000L};
    uint64_t before = 0;
    uint64_t total;
    for (int waited = 0; !add_up(&total) || total != before; waited += SETTLE_MS) {
        if (waited >= GIVE_UP_MS) die("the transfers do not come to rest");
        before = total;
        nanosleep(&pause, NULL);
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"socket", required_argument, NULL, 's'},
        {"path", required_argument, NULL, 'p'},
        {"op", required_argument, NULL, 'o'},
        {"count", required_argument, NULL, 'c'},
        {NULL, 0, NULL, 0},
    };
    const char *socket_path = NULL;
    const char *path = NULL;
    for (int which; (which = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (which) {
        case 's':
            socket_path = optarg;
            break;
        case 'p':
            path = strlen(optarg) < 4096 ? optarg : NULL;
            break;
        case 'o':
            command = strcmp(optarg, "send") == 0 ? CMD_SEND : CMD_READ;
            break;
        case 'c':
            count = (size_t)parse_number("count", optarg, 1, 1000000);
            break;
        default:
            path = NULL;
            optind = argc;
        }
    }
    if (socket_path == NULL || path == NULL)
        die("usage: stuck --socket SOCKET --path PATH [--op read|send] [--count N]");
    uint64_t allowed;
    const uint64_t wanted = count * (command == CMD_SEND ? 2 : 1) + SPARE_FILES;
    if (!raise_open_files(wanted, &allowed))
        die("%llu open files are needed, %llu are allowed", (unsigned long long)wanted, (unsigned long long)allowed);
    sigset_t end;
    sigemptyset(&end);
    sigaddset(&end, SIGTERM);
    sigaddset(&end, SIGINT);
    sigprocmask(SIG_BLOCK, &end, NULL);
    held = allocate(count * sizeof *held);
    int socket = request_socket_connect(socket_path);
    for (size_t i = 0; i < count; i++)
        ask(socket, path, &held[i]);
    await_stillness();
    printf("holding %zu\n", count);
    fflush(stdout);
    int number;
    sigwait(&end, &number);
    return 0;
}
