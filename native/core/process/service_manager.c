/*
 * The service manager; see service_manager.h.
 */
#include "process/service_manager.h"

#include "sys/sys.h"
#include "sys/sys_setup.h"

#include <errno.h>
#include <stdbool.h>
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

uint64_t sfd_service_clock_us(void)
{
    return sfd_sys_linux.now_ns() / 1000;
}
