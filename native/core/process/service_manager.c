/*
 * The service manager; see service_manager.h.
 */
#include "process/service_manager.h"

#include "sys/fd.h"
#include "sys/rights.h"
#include "sys/sys.h"
#include "sys/sys_setup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

int sfd_service_connect(const char *address)
{
    const struct sfd_sys_setup *sys = &sfd_sys_setup_linux;
    const size_t length = strlen(address);
    const bool abstract = address[0] == '@';
    struct sockaddr_un peer = {.sun_family = AF_UNIX};

    if (address[0] != '/' && !abstract) return -EAFNOSUPPORT;
    if (length >= sizeof peer.sun_path) return -ENAMETOOLONG;
    memcpy(peer.sun_path, address, length);
    if (abstract) peer.sun_path[0] = '\0';
    const int fd = sys->socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return fd;
    const struct timeval second = {.tv_sec = 1};
    int result = sys->setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof second);
    /* The length of an abstract name is part of it (unix(7)). */
    const socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (abstract ? 0 : 1));
    if (result >= 0) result = sys->connect(fd, (const struct sockaddr *)&peer, size);
    if (result < 0) {
        sys->close(fd);
        return result;
    }
    return fd;
}

int sfd_service_send(int fd, const char *message, size_t length)
{
    const ssize_t n = sfd_sys_setup_linux.write(fd, message, length);
    return n < 0 ? (int)n : n == (ssize_t)length ? 0 : -EIO;
}

/* It closes the descriptor of this message when it has come to it; one that does not know it, too (sd_notify(3)). */
int sfd_service_await_receipt(int fd, int timeout_ms)
{
    char text[] = "BARRIER=1";
    struct iovec iov = {.iov_base = text, .iov_len = sizeof(text) - 1};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    union sfd_rights rights;
    int ends[2];
    const int made = sfd_sys_linux.pipe2(ends, O_CLOEXEC);

    if (made < 0) return made;
    sfd_rights_attach(&message, &rights, &ends[1], 1);
    const int64_t sent = sfd_sys_linux.sendmsg(fd, &message, MSG_NOSIGNAL);
    sfd_fd_close(&sfd_sys_linux, &ends[1]);
    const int taken = sent < 0 ? (int)sent : sfd_sys_wait_readable(ends[0], timeout_ms); /* hang-up */
    sfd_fd_close(&sfd_sys_linux, &ends[0]);
    return taken == 0 ? -ETIMEDOUT : taken < 0 ? taken : 0;
}

/* The path that a socket of AF_UNIX for datagrams is bound to. 0 or -errno. */
static int path_of(const struct sfd_sys_setup *sys, int fd, char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNSPEC};
    socklen_t length = sizeof address;
    int type = 0;
    socklen_t type_length = sizeof type;
    int result = sys->getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_length);

    if (result >= 0) result = sys->getsockname(fd, (struct sockaddr *)&address, &length);
    if (result < 0) return result;
    if (address.sun_family != AF_UNIX) return -EAFNOSUPPORT;
    if (type != SOCK_DGRAM) return -EPROTOTYPE;
    if (length <= offsetof(struct sockaddr_un, sun_path) || address.sun_path[0] != '/') return -EADDRNOTAVAIL;
    /* One of 108 bytes has no NUL of its own (unix(7)). */
    const size_t most = sizeof address.sun_path;
    const size_t size = strnlen(address.sun_path, most);
    memcpy(path, address.sun_path, size);
    path[size] = '\0';
    return 0;
}

int sfd_service_socket(int fd, char *path)
{
    const struct sfd_sys_setup *sys = &sfd_sys_setup_linux;
    int on = 0;
    socklen_t length = sizeof on;
    int result = path_of(sys, fd, path);

    if (result < 0) return result;
    result = sys->getsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, &length);
    if (result < 0) return result;
    const bool had_credentials = on != 0;
    on = 1;
    result = sys->setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
    const int flags = result < 0 ? result : sys->fcntl(fd, F_GETFL, 0);
    if (flags < 0) return flags;
    result = sys->fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    if (result >= 0) result = sys->fcntl(fd, F_SETFD, FD_CLOEXEC);
    return result < 0 ? result : had_credentials ? 0 : 1;
}

uint64_t sfd_service_clock_us(void)
{
    return sfd_sys_linux.now_ns() / 1000;
}
