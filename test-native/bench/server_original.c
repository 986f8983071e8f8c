/*
 * The yardstick: a server that takes one datagram at a time, with the system calls of the original sendfiled (2016).
 *
 * Role: the same calls in the same order, so that a request costs what it cost there: recvmsg; two fcntl a descriptor;
 *   open, fstat, fcntl(F_SETLK); epoll_ctl(ADD, edge-triggered); a write for each message; splice or sendfile in pieces
 *   of the file's block size, 64 KiB a turn; epoll_ctl(DEL) and the closes. Our own code; only the sequence is theirs.
 * Threads: one. The first page that is not in the page cache stops it, as it did the original.
 * Owns: the request socket at PATH. Never: more than the harness needs (no timers, no users, no limits).
 */
#include "bench_common.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TABLE_SIZE = 4096, EVENTS = 256, TURN_BYTES = 64 * 1024 };

struct transfer {
    int cmd, status, dest, file;
    size_t block_size;
    uint64_t left, id;
    pid_t client;
    bool deferred, cancelled;
};

struct server {
    int socket, epoll;
    struct transfer *table[TABLE_SIZE];
    struct transfer *deferred[TABLE_SIZE];
    size_t deferred_count;
    uint64_t next_id;
};

static ssize_t receive(int socket, struct datagram *datagram)
{
    char control[CMSG_SPACE(sizeof(int) * MAX_FDS) + CMSG_SPACE(sizeof(struct ucred))] = {0};
    struct iovec iov = {.iov_base = datagram->bytes, .iov_len = sizeof datagram->bytes};
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(socket, &message, 0);
    if (n < 0) return n;
    datagram->length = (size_t)n;
    take_control(&message, datagram);
    for (size_t i = 0; i < datagram->fd_count; i++) {
        int flags = fcntl(datagram->fds[i], F_GETFL);
        fcntl(datagram->fds[i], F_SETFL, flags | O_NONBLOCK);
    }
    return n;
}

static void write_message(int fd, const void *message, size_t length)
{
    if (write(fd, message, length) < 0) return; /* The client went away; epoll will tell. */
}

static struct transfer **slot_of(struct server *server, uint64_t id)
{
    return &server->table[id % TABLE_SIZE];
}

static void defer(struct server *server, struct transfer *transfer)
{
    if (!transfer->deferred) {
        transfer->deferred = true;
        server->deferred[server->deferred_count++] = transfer;
    }
}

static void end_transfer(struct server *server, struct transfer *transfer)
{
    *slot_of(server, transfer->id) = NULL;
    if (transfer->dest >= 0) epoll_ctl(server->epoll, EPOLL_CTL_DEL, transfer->dest, NULL);
    close(transfer->status);
    if (transfer->dest >= 0 && transfer->dest != transfer->status) close(transfer->dest);
    close(transfer->file);
    free(transfer);
}

/* 0, or the errno to refuse with. */
static int open_file(const struct request *request, struct transfer *transfer, struct file_info *info)
{
    transfer->file = open(request->path, O_RDONLY);
    if (transfer->file < 0) return errno;
    struct stat st;
    struct flock lock = {
        .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = request->offset, .l_len = (off_t)request->length};
    if (fstat(transfer->file, &st) < 0 || fcntl(transfer->file, F_SETLK, &lock) < 0) return errno;
    if (!S_ISREG(st.st_mode) || st.st_size == 0) return EINVAL;
    if (request->offset < 0 || (uint64_t)request->offset + request->length > (uint64_t)st.st_size) return ERANGE;
    if (request->offset > 0) lseek(transfer->file, request->offset, SEEK_SET);
    transfer->block_size = (size_t)st.st_blksize;
    transfer->left = request->length > 0 ? request->length : (uint64_t)(st.st_size - request->offset);
    *info = (struct file_info){
        .size = transfer->left, .atime = st.st_atime, .mtime = st.st_mtime, .ctime = st.st_ctime, .id = transfer->id};
    return 0;
}

static bool watch(struct server *server, struct transfer *transfer)
{
    struct epoll_event event = {.events = EPOLLOUT | EPOLLET, .data = {.ptr = transfer}};
    return epoll_ctl(server->epoll, EPOLL_CTL_ADD, transfer->dest, &event) == 0;
}

static bool begin(struct server *server, const struct request *request, const struct datagram *datagram)
{
    uint8_t message[FILE_INFO_SIZE];
    struct file_info info;
    struct transfer *transfer = malloc(sizeof *transfer);
    if (transfer == NULL) return false;
    *transfer = (struct transfer){
        .cmd = request->cmd == CMD_READ ? CMD_READ : CMD_SEND,
        .status = datagram->fds[0],
        .dest = request->cmd == CMD_OPEN   ? -1
                : request->cmd == CMD_READ ? datagram->fds[0]
                                           : datagram->fds[1],
        .file = -1,
        .id = server->next_id++,
        .client = datagram->pid,
    };
    struct transfer **slot = slot_of(server, transfer->id);
    int error = *slot != NULL ? EMFILE : open_file(request, transfer, &info);
    if (error == 0 && transfer->dest >= 0 && !watch(server, transfer)) error = errno;
    if (error != 0) {
        write_message(transfer->status, message, put_error(message, RSP_FILE_INFO, error));
        if (transfer->file >= 0) close(transfer->file);
        free(transfer);
        return false;
    }
    *slot = transfer;
    write_message(transfer->status, message, put_file_info(message, &info));
    return true;
}

static struct transfer *find(struct server *server, uint64_t id, pid_t client)
{
    struct transfer *transfer = *slot_of(server, id);
    return transfer != NULL && transfer->id == id && transfer->client == client ? transfer : NULL;
}

/* True if the datagram's descriptors found an owner. */
static bool process_request(struct server *server, const struct datagram *datagram)
{
    struct request request;
    if (!get_request(&request, datagram->bytes, datagram->length)) return false;
    struct transfer *transfer;
    switch (request.cmd) {
    case CMD_CANCEL:
        transfer = find(server, request.id, datagram->pid);
        if (transfer != NULL) {
            transfer->cancelled = true;
            defer(server, transfer);
        }
        return false;
    case CMD_SEND_OPEN:
        transfer = find(server, request.id, datagram->pid);
        if (transfer == NULL || transfer->dest >= 0 || datagram->fd_count != 1) return false;
        transfer->dest = datagram->fds[0];
        if (!watch(server, transfer)) end_transfer(server, transfer);
        return true;
    case CMD_SEND:
        return datagram->fd_count == 2 && begin(server, &request, datagram);
    default:
        return datagram->fd_count == 1 && begin(server, &request, datagram);
    }
}

static void receive_requests(struct server *server)
{
    struct datagram datagram;
    while (receive(server->socket, &datagram) >= 0) {
        if (!process_request(server, &datagram))
            for (size_t i = 0; i < datagram.fd_count; i++)
                close(datagram.fds[i]);
    }
}

/* True while the transfer goes on. */
static bool step(struct server *server, struct transfer *transfer)
{
    uint8_t message[XFER_STAT_SIZE];
    size_t turn = 0;
    while (turn < TURN_BYTES) {
        size_t size = transfer->block_size < TURN_BYTES - turn ? transfer->block_size : TURN_BYTES - turn;
        size = transfer->left < size ? (size_t)transfer->left : size;
        ssize_t n = transfer->cmd == CMD_READ
                        ? splice(transfer->file, NULL, transfer->dest, NULL, size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK)
                        : sendfile(transfer->dest, transfer->file, NULL, size);
        if (n < 0 && errno == EAGAIN) {
            if (transfer->cmd == CMD_SEND && turn > 0)
                write_message(transfer->status, message, put_xfer_stat(message, turn));
            return true;
        }
        if (n <= 0) {
            if (transfer->cmd == CMD_SEND)
                write_message(transfer->status, message, put_error(message, RSP_XFER_STAT, n < 0 ? errno : EIO));
            return false;
        }
        turn += (size_t)n;
        transfer->left -= (uint64_t)n;
        if (transfer->left == 0) {
            if (transfer->cmd == CMD_SEND)
                write_message(transfer->status, message, put_xfer_stat(message, XFER_COMPLETE));
            return false;
        }
    }
    defer(server, transfer);
    return true;
}

/* What used up its turn, or was cancelled: once more after the events. */
static void process_deferred(struct server *server)
{
    size_t count = server->deferred_count;
    server->deferred_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct transfer *transfer = server->deferred[i];
        transfer->deferred = false;
        if (transfer->cancelled || !step(server, transfer)) end_transfer(server, transfer);
    }
}

static void process_event(struct server *server, const struct epoll_event *event)
{
    struct transfer *transfer = event->data.ptr;
    if (transfer == NULL)
        receive_requests(server);
    else if (transfer->deferred)
        return; /* It has a turn of its own. */
    else if ((event->events & EPOLLERR) != 0 || !step(server, transfer))
        end_transfer(server, transfer);
}

int main(int argc, char **argv)
{
    if (argc != 3) die("usage: server_original SOCKET ROOT");
    struct server *server = allocate(sizeof *server);
    server->next_id = 1;
    server->socket = request_socket_bind(argv[1]);
    server->epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data = {.ptr = NULL}};
    if (chdir(argv[2]) < 0 || server->epoll < 0 || fcntl(server->socket, F_SETFL, O_NONBLOCK) < 0 ||
        epoll_ctl(server->epoll, EPOLL_CTL_ADD, server->socket, &event) < 0)
        die_errno("server_original");
    signal(SIGPIPE, SIG_IGN);
    puts("ready");
    fflush(stdout);

    struct epoll_event events[EVENTS];
    for (;;) {
        int count = epoll_wait(server->epoll, events, EVENTS, server->deferred_count > 0 ? 0 : -1);
        for (int i = 0; i < count; i++)
            process_event(server, &events[i]);
        process_deferred(server);
    }
}
