// A program of the library's users in C++11, compiled from the installed tree and nothing else (InstalledLibraryIT):
// what program.c does, with the library's types in classes.
#include <sendfiled.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <iostream>
#include <string>
#include <system_error>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace
{

int check(int result, const char *what)
{
    if (result == -1) {
        throw std::system_error(errno, std::generic_category(), what);
    }
    return result;
}

class Descriptor
{
  public:
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(const Descriptor &) = delete;
    Descriptor &operator=(const Descriptor &) = delete;
    ~Descriptor()
    {
        close(fd_);
    }
    operator int() const
    {
        return fd_;
    }

  private:
    int fd_;
};

class Buffer : public sfd_buffer
{
  public:
    Buffer() : sfd_buffer SFD_BUFFER_INIT {}
    Buffer(const Buffer &) = delete;
    Buffer &operator=(const Buffer &) = delete;
    ~Buffer()
    {
        sfd_buffer_free(this);
    }
    std::string bytes() const
    {
        return std::string(static_cast<const char *>(data), size);
    }
};

void handOver()
{
    int ends[2];
    check(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), "socketpair");
    const Descriptor one(ends[0]);
    const Descriptor other(ends[1]);
    Buffer sent;
    Buffer received;

    check(sfd_buffer_alloc(&sent, nullptr, 100000, SFD_BUFFER_PREFAULT), "sfd_buffer_alloc");
    std::memset(sent.data, 'x', sent.size);
    check(sfd_buffer_send(one, &sent), "sfd_buffer_send");
    check(sfd_buffer_recv(other, &received, 0), "sfd_buffer_recv");
    if (received.seal != SFD_BUFFER_SEALED || received.bytes() != std::string(100000, 'x')) {
        throw std::runtime_error("another buffer");
    }
}

void awaitEnd(const Descriptor &status)
{
    sfd_events events;
    sfd_event event;

    sfd_events_init(&events, SFD_EVENTS_OF_SEND);
    do {
        pollfd readable = {status, POLLIN, 0};
        check(poll(&readable, 1, 60000), "poll");
        check(sfd_events_next(&events, status, &event), "sfd_events_next");
    } while (event.type < SFD_EVENT_COMPLETE);
    if (event.type == SFD_EVENT_FAILED) {
        throw std::system_error(event.error, std::generic_category(), "transfer");
    }
}

/* The file may also be cold, which is for the daemon. */
void hot(const char *rootPath, const char *path, size_t size)
{
    sfd_hot_root *root;
    sfd_hot_file file = {};

    check(sfd_hot_open_root(rootPath, nullptr, &root), "sfd_hot_open_root");
    const sfd_hot_result result = sfd_hot_open(root, path, &file);
    check(result, "sfd_hot_open");
    if (result == SFD_HOT_DONE && file.size != size) {
        throw std::runtime_error("another size");
    }
    sfd_hot_close(&file);
    sfd_hot_close_root(root);
}

void run(char **argv)
{
    handOver();

    const Descriptor srv(check(sfd_connect(argv[1], argv[2]), "sfd_connect"));
    Buffer file;
    {
        const Descriptor status(check(sfd_read_buffer(srv, argv[3], 0, 0, true, nullptr, &file), "sfd_read_buffer"));
        awaitEnd(status);
    }
    check(sfd_buffer_map(&file, 0), "sfd_buffer_map");
    hot(argv[4], argv[3], file.size);
    std::cout << file.size << '\n';
}

} // namespace

int main(int argc, char **argv)
{
    if (argc != 5) {
        return 2;
    }
    try {
        run(argv);
    } catch (const std::exception &e) {
        std::cerr << e.what() << '\n';
        return 1;
    }
    return 0;
}
