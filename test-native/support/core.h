// What tests of the core share: its headers for C++, pipes, files, and the messages of a status channel.
#ifndef SFD_TEST_CORE_H
#define SFD_TEST_CORE_H

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <stdatomic.h>

extern "C" {
#include "disk/open.h"
#include "dispatcher.h"
#include "engine.h"
#include "loop/loop.h"
#include "loop/ready_queue.h"
#include "loop/transfer_table.h"
#include "protocol/submit.h"
#include "sys/pipe.h"
#include "transfer/observe.h"
}

#include "descriptors.h"
#include "temporary_directory.h"

// Bytes that differ from offset to offset, so that a shift by any number of bytes shows.
std::string pattern(size_t size, unsigned seed = 1);

// Compares without printing a megabyte when they differ.
testing::AssertionResult sameBytes(const std::string &expected, const std::string &actual);
#define EXPECT_BYTES(expected, actual) EXPECT_TRUE(sameBytes((expected), (actual)))

// Makes or replaces a file.
void writeFile(const std::string &path, const std::string &content);

OwnedFd openFile(const std::string &path, int flags);
std::string contentOf(const std::string &path);

// True when there is something to read, or the end of it; never waits.
bool readable(int fd);

// What there is to read now, up to `limit` bytes. Never waits.
std::string drain(int fd, size_t limit = SIZE_MAX);

// Waits until that many bytes are there, or for the end.
std::string readExactly(int fd, size_t size);
std::string readToEnd(int fd);

// True when the next read gives the end; does not wait.
bool atEnd(int fd);

struct Pipe {
    explicit Pipe(int flags = 0);
    // Makes it as full as it gets; the bytes are 'f'.
    void fill();
    size_t capacity() const;

    OwnedFd in;  // read end
    OwnedFd out; // write end
};

struct SocketPair {
    // AF_UNIX
    explicit SocketPair(int type = SOCK_STREAM);
    // Fills what `out` sends into, without a change of its flags.
    void fill();

    OwnedFd in;
    OwnedFd out;
};

// A connected pair over the loopback interface.
SocketPair tcpPair();

void setNonblocking(int fd);

// What a client reads on a status channel, one entry a message: "details SIZE", "info SIZE", "progress N", "complete",
// "error COMMAND ERRNO", "refusal ERRNO fits TECHNIQUES", "result ERRNO moved N by TECHNIQUE".
std::vector<std::string> messages(const std::string &bytes);
using Messages = std::vector<std::string>;

// The first message, which must be a File Information.
struct sfd_wire_file_info infoOf(const std::string &bytes);

// The core leaves SIGPIPE to its host, and every host ignores it.
class CoreTest : public DescriptorCountingTest
{
  protected:
    void SetUp() override
    {
        std::signal(SIGPIPE, SIG_IGN);
        DescriptorCountingTest::SetUp();
    }
};

// The real system calls; a test replaces entries.
inline struct sfd_sys copyOfSys()
{
    return sfd_sys_linux;
}

// What the kernel says about itself, on a table that may be scripted.
class Kernel
{
  public:
    explicit Kernel(const struct sfd_sys *sys = &sfd_sys_linux)
    {
        EXPECT_EQ(0, sfd_kernel_init(&kernel, sys));
    }
    Kernel(const Kernel &) = delete;
    Kernel &operator=(const Kernel &) = delete;
    ~Kernel()
    {
        sfd_kernel_deinit(&kernel);
    }

    struct sfd_kernel kernel;
};

#endif
