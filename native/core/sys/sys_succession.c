/*
 * The system calls by which one process follows another.
 */
#include "sys/sys_succession.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "sys/sys.h"

#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438 /* the same on every architecture */
#endif

#ifndef PR_SET_PTRACER
#define PR_SET_PTRACER 0x59616d61
#endif

static int result(int value)
{
    return value < 0 ? -errno : value;
}

int sfd_sys_connect_stream(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(address.sun_path)) return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path) + 1);
    const int fd = result(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (fd < 0) return fd;
    const int connected = result(connect(fd, (const struct sockaddr *)&address, sizeof(address)));
    if (connected == 0) return fd;
    (void)close(fd);
    return connected;
}

static int peer_of(int fd, struct ucred *peer)
{
    socklen_t length = sizeof(*peer);

    return result(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &length));
}

int sfd_sys_peer_pid(int fd)
{
    struct ucred peer;
    const int got = peer_of(fd, &peer);

    return got < 0 ? got : peer.pid <= 0 ? -ESRCH : peer.pid;
}

int sfd_sys_peer_ids(int fd, uint32_t ids[2])
{
    struct ucred peer;
    const int got = peer_of(fd, &peer);

    if (got < 0) return got;
    ids[0] = peer.uid;
    ids[1] = peer.gid;
    return 0;
}

int sfd_sys_fetch(int pidfd, int fd)
{
    return result((int)syscall(SYS_pidfd_getfd, pidfd, fd, 0));
}

void sfd_sys_let_in(int pid)
{
    (void)prctl(PR_SET_PTRACER, (unsigned long)pid, 0, 0, 0); /* EINVAL: there is no Yama */
}

int sfd_sys_message_pair(int fds[2])
{
    return result(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds));
}

int sfd_sys_request_pair(int fds[2])
{
    const int on = 1;
    int made = result(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds));

    if (made < 0) return made;
    made = result(setsockopt(fds[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
    if (made == 0) made = result(fcntl(fds[0], F_SETFL, O_NONBLOCK));
    if (made == 0) return 0;
    (void)close(fds[0]);
    (void)close(fds[1]);
    return made;
}

int sfd_sys_message_send(int fd, const void *bytes, size_t length)
{
    const int64_t sent = sfd_sys_linux.send(fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);

    return sent < 0 ? (int)sent : 0;
}

int sfd_sys_message_receive(int fd, int wake, void *bytes, size_t room, int timeout_ms)
{
    const int ready = sfd_sys_wait_either_readable(fd, wake, timeout_ms);

    if (ready <= 0) return ready == 0 ? -ETIMEDOUT : ready;
    if (wake >= 0 && sfd_sys_wait_readable(wake, 0) > 0) return -ECANCELED;
    ssize_t got;
    do
        got = recv(fd, bytes, room, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got >= 0) return (int)got;
    return errno == EAGAIN ? -ETIMEDOUT : errno == ECONNRESET ? 0 : -errno;
}
