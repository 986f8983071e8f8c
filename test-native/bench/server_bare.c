/*
 * The limit for big files: a bare loop around one system call for each transfer, and nothing else.
 *
 * Role: takes the same requests as the daemon, so that the same client receives from both; a Send File is a sendfile
 *   loop, a Read File a splice loop into a pipe of 1 MiB. How the loops wait is a choice (WAY), because which is the
 *   fastest depends on the machine and on the number of connections: the limit is the best of them.
 * Threads: one that receives, and as WAY says. Owns: the request socket at PATH.
 * Never: looks at what it is asked for; reports progress; is used for anything but comparison.
 */
#include "bench_common.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIPE_SIZE = 1024 * 1024, CHUNK = 1024 * 1024, EVENTS = 16, MAX_LOOPS = 16 };

enum way {
    WAY_BLOCKING, /* a thread for each transfer, calls that block */
    WAY_POLLING,  /* a thread for each transfer, calls that do not, poll(2) */
    WAY_LOOPS,    /* a thread for each processor, epoll: the fewest threads that use the machine */
    WAY_ONE_LOOP, /* one thread for all transfers, epoll */
    WAYS
};

static const char *const way_names[WAYS] = {"blocking", "polling", "loops", "one-loop"};

struct transfer {
    int status, dest, file;
    int epoll; /* or -1 */
    bool splices;
    uint64_t left;
    off_t offset;
};

static enum way way;
static int root;
static int loops[MAX_LOOPS];
static size_t loop_count, next_loop;

static void write_message(int fd, const void *message, size_t length)
{
    if (write(fd, message, length) < 0) return; /* The client went away: so does the transfer, with its next call. */
}

static void end_transfer(struct transfer *t, int error)
{
    uint8_t message[XFER_STAT_SIZE];
    if (t->epoll >= 0) epoll_ctl(t->epoll, EPOLL_CTL_DEL, t->dest, NULL); /* the client has it open as well */
    if (!t->splices) {
        write_message(t->status, message,
                      error == 0 ? put_xfer_stat(message, XFER_COMPLETE) : put_error(message, RSP_XFER_STAT, error));
        close(t->dest);
    }
    close(t->status);
    close(t->file);
    free(t);
}

/* One call. 1: goes on, 0: the destination is full; otherwise it has ended. */
static int step(struct transfer *t)
{
    size_t want = t->left < CHUNK ? (size_t)t->left : CHUNK;
    ssize_t n = t->splices ? splice(t->file, &t->offset, t->dest, NULL, want,
                                    SPLICE_F_MOVE | (way == WAY_BLOCKING ? 0 : SPLICE_F_NONBLOCK))
                           : sendfile(t->dest, t->file, &t->offset, want);
    if (n < 0 && errno == EAGAIN) return 0;
    if (n > 0 && (t->left -= (uint64_t)n) > 0) return 1;
    end_transfer(t, n > 0 ? 0 : n == 0 ? EIO : errno);
    return -1;
}

static void *serve_one(void *arg)
{
    struct transfer *t = arg;
    struct pollfd ready = {.fd = t->dest, .events = POLLOUT};
    for (int next; (next = step(t)) >= 0;)
        if (next == 0) poll(&ready, 1, -1);
    return NULL;
}

/* Level-triggered: a call for each that is writable, as long as one is. */
static void *serve_many(void *arg)
{
    const int epoll = *(const int *)arg;
    struct epoll_event events[EVENTS];
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++)
            step(events[i].data.ptr);
    }
    return NULL;
}

static void start_thread(void *(*body)(void *), void *arg)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, body, arg) != 0 || pthread_detach(thread) != 0) die("cannot start a thread");
}

static void start_transfer(struct transfer *t)
{
    /* Ours to choose, here: who measures does not use the descriptor himself. */
    int flags = fcntl(t->dest, F_GETFL);
    fcntl(t->dest, F_SETFL, way == WAY_BLOCKING ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
    if (t->splices) fcntl(t->dest, F_SETPIPE_SZ, PIPE_SIZE);
    if (way == WAY_BLOCKING || way == WAY_POLLING) {
        start_thread(serve_one, t);
        return;
    }
    struct epoll_event event = {.events = EPOLLOUT, .data = {.ptr = t}};
    t->epoll = loops[next_loop++ % loop_count];
    if (epoll_ctl(t->epoll, EPOLL_CTL_ADD, t->dest, &event) < 0) die_errno("epoll_ctl");
}

static void serve(const struct datagram *datagram)
{
    struct request request;
    struct stat st;
    if (!get_request(&request, datagram->bytes, datagram->length) ||
        datagram->fd_count != (request.cmd == CMD_SEND ? 2U : 1U) ||
        (request.cmd != CMD_SEND && request.cmd != CMD_READ))
        die("only Read File and Send File");
    struct transfer *t = allocate(sizeof *t);
    uint8_t message[FILE_INFO_SIZE];
    t->epoll = -1;
    t->status = datagram->fds[0];
    t->splices = request.cmd == CMD_READ;
    t->dest = t->splices ? t->status : datagram->fds[1];
    t->file = openat(root, request.path, O_RDONLY | O_CLOEXEC);
    if (t->file < 0 || fstat(t->file, &st) < 0 || st.st_size == 0)
        die("%s: not a file with something in it", request.path);
    t->left = (uint64_t)st.st_size;
    struct file_info info = {.size = t->left, .id = 1};
    write_message(t->status, message, put_file_info(message, &info));
    start_transfer(t);
}

static void receive(int socket, struct datagram *datagram)
{
    char control[CMSG_SPACE(sizeof(int) * MAX_FDS) + CMSG_SPACE(sizeof(struct ucred))] = {0};
    struct iovec iov = {.iov_base = datagram->bytes, .iov_len = sizeof datagram->bytes};
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (n < 0) die_errno("recvmsg");
    datagram->length = (size_t)n;
    take_control(&message, datagram);
}

static enum way parse_way(const char *name)
{
    for (int i = 0; i < WAYS; i++)
        if (strcmp(name, way_names[i]) == 0) return (enum way)i;
    die("'%s' is not a way: blocking, polling, loops or one-loop", name);
}

int main(int argc, char **argv)
{
    if (argc != 4) die("usage: server_bare SOCKET ROOT blocking|polling|loops|one-loop");
    way = parse_way(argv[3]);
    root = open(argv[2], O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) die_errno("%s", argv[2]);
    int socket = request_socket_bind(argv[1]);
    signal(SIGPIPE, SIG_IGN);
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    loop_count = way != WAY_LOOPS ? 1 : processors < MAX_LOOPS ? (size_t)processors : MAX_LOOPS;
    for (size_t i = 0; i < loop_count && way >= WAY_LOOPS; i++) {
        loops[i] = epoll_create1(EPOLL_CLOEXEC);
        if (loops[i] < 0) die_errno("epoll");
        start_thread(serve_many, &loops[i]);
    }
    puts("ready");
    fflush(stdout);
    static struct datagram datagram;
    for (;;) {
        receive(socket, &datagram);
        serve(&datagram);
    }
}
