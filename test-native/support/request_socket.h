// A bound request socket that nobody reads: what a client finds.
#ifndef SFD_TEST_REQUEST_SOCKET_H
#define SFD_TEST_REQUEST_SOCKET_H

#include <stdexcept>
#include <string>

#include <sys/socket.h>
#include <sys/un.h>

#include "descriptors.h"

inline std::string requestSocketPath(const std::string &directory, const std::string &name)
{
    return directory + "/sendfiled." + name + ".socket";
}

inline OwnedFd bindRequestSocket(const std::string &directory, const std::string &name, int type = SOCK_DGRAM)
{
    OwnedFd fd(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
    sockaddr_un address = {};
    const std::string path = requestSocketPath(directory, name);

    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    if (bind(fd.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0) {
        throw std::runtime_error("bind " + path);
    }
    return fd;
}

#endif
