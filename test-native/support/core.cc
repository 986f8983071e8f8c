#include "core.h"

#include <fstream>
#include <iterator>
#include <stdexcept>

#include <netinet/in.h>
#include <poll.h>

std::string pattern(size_t size, unsigned seed)
{
    std::string bytes(size, '\0');
    uint32_t state = seed * 2654435761u + 12345u;

    for (char &byte : bytes) {
        state = state * 1664525u + 1013904223u;
        byte = static_cast<char>(state >> 24);
    }
    return bytes;
}

testing::AssertionResult sameBytes(const std::string &expected, const std::string &actual)
{
    if (expected == actual) {
        return testing::AssertionSuccess();
    }
    size_t at = 0;
    while (at < expected.size() && at < actual.size() && expected[at] == actual[at]) {
        at++;
    }
    return testing::AssertionFailure() << actual.size() << " bytes where " << expected.size()
                                       << " are expected; the first difference is at " << at;
}

void writeFile(const std::string &path, const std::string &content)
{
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out << content;
    out.close();
    if (!out) {
        throw std::runtime_error("cannot write " + path);
    }
}

OwnedFd openFile(const std::string &path, int flags)
{
    OwnedFd fd(open(path.c_str(), flags | O_CLOEXEC, 0600));

    EXPECT_GE(fd.get(), 0) << path << ": " << std::strerror(errno);
    return fd;
}

std::string contentOf(const std::string &path)
{
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

bool readable(int fd)
{
    struct pollfd poll_fd = {fd, POLLIN, 0};
    return poll(&poll_fd, 1, 0) == 1;
}

std::string drain(int fd, size_t limit)
{
    std::string bytes;
    char buffer[64 * 1024];

    while (bytes.size() < limit && readable(fd)) {
        const size_t room = std::min(sizeof(buffer), limit - bytes.size());
        const ssize_t n = read(fd, buffer, room);
        if (n <= 0) {
            break;
        }
        bytes.append(buffer, static_cast<size_t>(n));
    }
    return bytes;
}

std::string readExactly(int fd, size_t size)
{
    std::string bytes(size, '\0');
    size_t got = 0;

    while (got < size) {
        const ssize_t n = read(fd, &bytes[got], size - got);
        if (n <= 0) {
            break;
        }
        got += static_cast<size_t>(n);
    }
    bytes.resize(got);
    return bytes;
}

std::string readToEnd(int fd)
{
    std::string bytes;
    std::string part;

    do {
        part = readExactly(fd, 64 * 1024);
        bytes += part;
    } while (!part.empty());
    return bytes;
}

bool atEnd(int fd)
{
    char byte;
    return readable(fd) && read(fd, &byte, 1) == 0;
}

Pipe::Pipe(int flags)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC | flags) < 0) {
        throw std::runtime_error("pipe2");
    }
    in.reset(ends[0]);
    out.reset(ends[1]);
}

size_t Pipe::capacity() const
{
    return static_cast<size_t>(fcntl(out.get(), F_GETPIPE_SZ));
}

void Pipe::fill()
{
    // Exactly what it holds: does not wait, whatever O_NONBLOCK says.
    const std::string bytes(capacity(), 'f');
    EXPECT_EQ(static_cast<ssize_t>(bytes.size()), write(out.get(), bytes.data(), bytes.size()));
}

SocketPair::SocketPair(int type)
{
    int ends[2];

    if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) < 0) {
        throw std::runtime_error("socketpair");
    }
    in.reset(ends[0]);
    out.reset(ends[1]);
}

void SocketPair::fill()
{
    const std::string bytes(64 * 1024, 'f');

    while (send(out.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
    }
    while (send(out.get(), bytes.data(), 1, MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
    }
}

SocketPair tcpPair()
{
    SocketPair pair;
    struct sockaddr_in address = {};
    socklen_t size = sizeof(address);
    const OwnedFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));

    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto *generic = reinterpret_cast<struct sockaddr *>(&address);
    if (bind(listener.get(), generic, sizeof(address)) < 0 || listen(listener.get(), 1) < 0 ||
        getsockname(listener.get(), generic, &size) < 0) {
        throw std::runtime_error("no loopback");
    }
    pair.out.reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (connect(pair.out.get(), generic, sizeof(address)) < 0) {
        throw std::runtime_error("connect");
    }
    pair.in.reset(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    return pair;
}

void setNonblocking(int fd)
{
    EXPECT_EQ(0, fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK));
}

std::vector<std::string> messages(const std::string &bytes)
{
    std::vector<std::string> all;
    size_t at = 0;

    while (at < bytes.size()) {
        struct sfd_wire_response response = {};
        const int n = sfd_wire_get_response(bytes.data() + at, bytes.size() - at, &response);
        if (n <= 0) {
            all.push_back("undecodable: " + std::to_string(bytes.size() - at) + " bytes");
            break;
        }
        at += static_cast<size_t>(n);
        switch (response.kind) {
        case SFD_WIRE_RESPONSE_INFO:
            all.push_back("info " + std::to_string(response.info.size));
            break;
        case SFD_WIRE_RESPONSE_PROGRESS:
            all.push_back("progress " + std::to_string(response.moved));
            break;
        case SFD_WIRE_RESPONSE_COMPLETE:
            all.push_back("complete");
            break;
        case SFD_WIRE_RESPONSE_ERROR:
            all.push_back("error " + std::to_string(response.cmd) + " " + std::to_string(response.errnum));
            break;
        case SFD_WIRE_RESPONSE_REFUSAL:
            all.push_back("refusal " + std::to_string(response.errnum) + " fits " + std::to_string(response.fits));
            break;
        case SFD_WIRE_RESPONSE_DETAILS:
            all.push_back("details " + std::to_string(response.details.size));
            break;
        case SFD_WIRE_RESPONSE_RESULT:
            all.push_back("result " + std::to_string(response.errnum) + " moved " +
                          std::to_string(response.result.moved) + " by " + std::to_string(response.result.technique));
            break;
        }
    }
    return all;
}

struct sfd_wire_file_info infoOf(const std::string &bytes)
{
    struct sfd_wire_response response = {};
    const int n = sfd_wire_get_response(bytes.data(), bytes.size(), &response);

    EXPECT_GT(n, 0);
    EXPECT_EQ(SFD_WIRE_RESPONSE_INFO, response.kind);
    return response.info;
}
