/*
 * The limit for small requests: the fewest system calls that protocol version 1 allows.
 *
 * Role: a batch of datagrams in one call, openat2, fstat, one read, one write for File Information and data together
 *   (or for File Information and "complete"), two closes. Nothing may be slow here: it waits wherever a call waits.
 * Threads: one. Owns: the request socket at PATH. Never: used for anything but comparison.
 */
#include "bench_common.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { BATCH = 16, SMALL = 60 * 1024 };

static uint8_t reply[FILE_INFO_SIZE + SMALL];

static int open_in_root(int root, const char *path)
{
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    return (int)syscall(SYS_openat2, root, path, &how, sizeof how);
}

static void wait_writable(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    poll(&ready, 1, -1);
}

static bool write_whole(int fd, const uint8_t *bytes, size_t length)
{
    while (length > 0) {
        ssize_t n = write(fd, bytes, length);
        if (n < 0 && errno != EAGAIN) return false;
        if (n < 0) {
            wait_writable(fd);
            continue;
        }
        bytes += n;
        length -= (size_t)n;
    }
    return true;
}

static int move_by_sendfile(int dest, int file, off_t offset, uint64_t left)
{
    while (left > 0) {
        ssize_t n = sendfile(dest, file, &offset, left < (1U << 30) ? (size_t)left : 1U << 30);
        if (n == 0 || (n < 0 && errno != EAGAIN)) return n == 0 ? EIO : errno;
        if (n < 0) {
            wait_writable(dest);
            continue;
        }
        left -= (uint64_t)n;
    }
    return 0;
}

static void serve_range(const struct request *request, const int *fds, int file, const struct file_info *info)
{
    size_t length = put_file_info(reply, info);
    if (request->cmd == CMD_READ && info->size <= SMALL) {
        ssize_t n = pread(file, reply + length, (size_t)info->size, request->offset);
        write_whole(fds[0], reply, length + (n > 0 ? (size_t)n : 0));
    } else if (request->cmd == CMD_READ) {
        if (write_whole(fds[0], reply, length)) move_by_sendfile(fds[0], file, request->offset, info->size);
    } else {
        if (info->size > SMALL && write_whole(fds[0], reply, length))
            length = 0; /* Whoever gets so much has to be told before, or would not be ready to take it. */
        int error = move_by_sendfile(fds[1], file, request->offset, info->size);
        length +=
            error == 0 ? put_xfer_stat(reply + length, XFER_COMPLETE) : put_error(reply + length, RSP_XFER_STAT, error);
        write_whole(fds[0], reply, length);
    }
}

static void serve(int root, const struct datagram *datagram)
{
    struct request request;
    size_t wanted = 0;
    if (get_request(&request, datagram->bytes, datagram->length))
        wanted = request.cmd == CMD_READ ? 1 : request.cmd == CMD_SEND ? 2 : 0;
    if (wanted > 0 && datagram->fd_count == wanted) {
        struct stat st;
        int file = open_in_root(root, request.path);
        if (file < 0 || fstat(file, &st) < 0) {
            write_whole(datagram->fds[0], reply, put_error(reply, RSP_FILE_INFO, errno));
        } else if (!S_ISREG(st.st_mode) || request.offset < 0 || request.offset > st.st_size ||
                   request.length > (uint64_t)(st.st_size - request.offset)) {
            int error = S_ISREG(st.st_mode) ? ERANGE : EINVAL;
            write_whole(datagram->fds[0], reply, put_error(reply, RSP_FILE_INFO, error));
        } else {
            struct file_info info = {.size =
                                         request.length > 0 ? request.length : (uint64_t)(st.st_size - request.offset),
                                     .atime = st.st_atime,
                                     .mtime = st.st_mtime,
                                     .ctime = st.st_ctime,
                                     .id = 1};
            serve_range(&request, datagram->fds, file, &info);
        }
        if (file >= 0) close(file);
    }
    for (size_t i = 0; i < datagram->fd_count; i++)
        close(datagram->fds[i]);
}

int main(int argc, char **argv)
{
    if (argc != 3) die("usage: server_fewest SOCKET ROOT");
    static struct datagram datagrams[BATCH];
    static char control[BATCH][CMSG_SPACE(sizeof(int) * MAX_FDS) + CMSG_SPACE(sizeof(struct ucred))];
    static struct iovec iov[BATCH];
    static struct mmsghdr messages[BATCH];
    int root = open(argv[2], O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) die_errno("%s", argv[2]);
    int socket = request_socket_bind(argv[1]);
    signal(SIGPIPE, SIG_IGN);
    /*
     * epoll, not a blocking recvmmsg(): a datagram wakes a blocked receiver "synchronously", which keeps sender and
     * receiver on one CPU, taking turns. That measures the scheduler (60,000 requests a second instead of 80,000).
     */
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event) < 0) die_errno("epoll");
    puts("ready");
    fflush(stdout);
    for (;;) {
        for (size_t i = 0; i < BATCH; i++) {
            iov[i] = (struct iovec){datagrams[i].bytes, sizeof datagrams[i].bytes};
            messages[i].msg_hdr = (struct msghdr){
                .msg_iov = &iov[i], .msg_iovlen = 1, .msg_control = control[i], .msg_controllen = sizeof control[i]};
        }
        int count = recvmmsg(socket, messages, BATCH, MSG_DONTWAIT | MSG_CMSG_CLOEXEC, NULL);
        if (count < 0) epoll_wait(epoll, &event, 1, -1);
        for (int i = 0; i < count; i++) {
            datagrams[i].length = messages[i].msg_len;
            take_control(&messages[i].msg_hdr, &datagrams[i]);
            serve(root, &datagrams[i]);
        }
    }
}
