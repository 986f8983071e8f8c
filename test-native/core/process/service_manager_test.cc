/* The service manager's socket, which is a real one here; the messages are system tests' (ServiceManagerIT). */
#include "descriptors.h"
#include "temporary_directory.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

extern "C" {
#include "process/service_manager.h"
}

namespace
{

class ServiceManager : public DescriptorCountingTest
{
  protected:
    static int bound(const std::string &address, int type = SOCK_DGRAM)
    {
        struct sockaddr_un name = {};
        name.sun_family = AF_UNIX;
        address.copy(name.sun_path, sizeof name.sun_path - 1);
        socklen_t size = sizeof name;
        if (address[0] == '@') {
            name.sun_path[0] = '\0';
            size = static_cast<socklen_t>(offsetof(struct sockaddr_un, sun_path) + address.size());
        }
        const int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
        EXPECT_EQ(0, bind(fd, reinterpret_cast<struct sockaddr *>(&name), size)) << address;
        return fd;
    }

    const TemporaryDirectory directory_;
    const std::string path_ = directory_.path() + "/notify";
};

TEST_F(ServiceManager, ShouldSendWholeMessagesToAPathAndToAnAbstractName)
{
    for (const std::string &address : {path_, "@" + path_}) {
        const int manager = bound(address);
        const int fd = sfd_service_connect(address.c_str());
        ASSERT_GE(fd, 0) << address;
        EXPECT_EQ(0, sfd_service_send(fd, "READY=1\nSTATUS=x", 16));
        char text[64] = {};
        EXPECT_EQ(16, recv(manager, text, sizeof text, 0));
        EXPECT_STREQ("READY=1\nSTATUS=x", text);
        close(fd);
        close(manager);
    }
}

TEST_F(ServiceManager, ShouldRefuseWhatIsNoSocketOfAManager)
{
    const int stream = bound(directory_.path() + "/stream", SOCK_STREAM);
    EXPECT_EQ(-EAFNOSUPPORT, sfd_service_connect("vsock:2:1234"));
    EXPECT_EQ(-EAFNOSUPPORT, sfd_service_connect("relative"));
    EXPECT_EQ(-ENAMETOOLONG, sfd_service_connect(("/" + std::string(108, 'x')).c_str()));
    EXPECT_EQ(-ENOENT, sfd_service_connect(path_.c_str()));
    EXPECT_EQ(-ECONNREFUSED, sfd_service_connect(("@" + path_).c_str()));
    EXPECT_EQ(-EPROTOTYPE, sfd_service_connect((directory_.path() + "/stream").c_str()));
    close(stream);
}

TEST_F(ServiceManager, ShouldOutliveAManagerThatReadsNothingOrIsGone)
{
    const int manager = bound(path_);
    const int fd = sfd_service_connect(path_.c_str());
    ASSERT_GE(fd, 0);
    const auto begin = std::chrono::steady_clock::now();
    int result = 0;
    while (result == 0) {
        result = sfd_service_send(fd, "WATCHDOG=1", 10);
    }
    EXPECT_EQ(-EAGAIN, result) << "its queue is full";
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
    close(manager);
    EXPECT_EQ(-ECONNREFUSED, sfd_service_send(fd, "WATCHDOG=1", 10));
    EXPECT_LT(sfd_service_send(fd, "WATCHDOG=1", 10), 0);
    close(fd);
}

TEST_F(ServiceManager, ShouldWaitUntilItsLastWordsAreTaken)
{
    const int manager = bound(path_);
    const int fd = sfd_service_connect(path_.c_str());
    ASSERT_GE(fd, 0);
    ASSERT_EQ(0, sfd_service_send(fd, "ERRNO=2", 7));
    EXPECT_EQ(-ETIMEDOUT, sfd_service_await_receipt(fd, 20)) << "nobody reads";
    std::thread reader([&] {
        char text[64];
        for (const char *expected : {"ERRNO=2", "BARRIER=1", "BARRIER=1"}) { // without room for a descriptor
            const ssize_t n = recv(manager, text, sizeof text, 0);
            EXPECT_EQ(expected, std::string(text, n < 0 ? 0 : static_cast<size_t>(n)));
        }
    });
    EXPECT_EQ(0, sfd_service_await_receipt(fd, 10000));
    reader.join();
    close(manager);
    EXPECT_EQ(-ECONNREFUSED, sfd_service_await_receipt(fd, 10000));
    close(fd);
}

TEST_F(ServiceManager, ShouldTakeASocketForDatagramsThatHasAPath)
{
    const int on = 1;
    for (const bool credentials : {true, false}) {
        const std::string path = path_ + (credentials ? "1" : "2");
        const int fd = bound(path);
        if (credentials) {
            ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
        }
        ASSERT_EQ(0, fcntl(fd, F_SETFD, 0));
        char found[SFD_SERVICE_PATH_MAX];
        EXPECT_EQ(credentials ? 0 : 1, sfd_service_socket(fd, found));
        EXPECT_EQ(path, found);
        int option = 0;
        socklen_t length = sizeof option;
        EXPECT_EQ(0, getsockopt(fd, SOL_SOCKET, SO_PASSCRED, &option, &length));
        EXPECT_EQ(1, option);
        EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
        EXPECT_NE(0, fcntl(fd, F_GETFL) & O_NONBLOCK);
        close(fd);
    }
}

TEST_F(ServiceManager, ShouldTakeASocketWhosePathFillsItsAddress)
{
    const TemporaryDirectory directory;
    struct sockaddr_un name = {};
    name.sun_family = AF_UNIX;
    const std::string path =
        directory.path() + "/" + std::string(sizeof name.sun_path - directory.path().size() - 1, 'x');
    ASSERT_EQ(sizeof name.sun_path, path.size());
    memcpy(name.sun_path, path.data(), path.size());
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(0, bind(fd, reinterpret_cast<struct sockaddr *>(&name), sizeof name));
    char found[SFD_SERVICE_PATH_MAX];
    EXPECT_EQ(1, sfd_service_socket(fd, found));
    EXPECT_EQ(path, found);
    close(fd);
}

TEST_F(ServiceManager, ShouldLeaveEverythingElseAsItIs)
{
    const int file = open("/dev/null", O_RDONLY);
    const int udp = socket(AF_INET, SOCK_DGRAM, 0);
    const int stream = bound(path_, SOCK_STREAM);
    const int abstract = bound("@" + path_);
    const int unbound = socket(AF_UNIX, SOCK_DGRAM, 0);
    const struct {
        int fd;
        int expected;
    } cases[] = {{-1, -EBADF},          {file, -ENOTSOCK},          {udp, -EAFNOSUPPORT},
                 {stream, -EPROTOTYPE}, {abstract, -EADDRNOTAVAIL}, {unbound, -EADDRNOTAVAIL}};
    for (const auto &one : cases) {
        char found[SFD_SERVICE_PATH_MAX];
        const int flags = one.fd < 0 ? 0 : fcntl(one.fd, F_GETFL);
        EXPECT_EQ(one.expected, sfd_service_socket(one.fd, found)) << one.expected;
        if (one.fd >= 0) {
            EXPECT_EQ(flags, fcntl(one.fd, F_GETFL));
            close(one.fd);
        }
    }
}

} // namespace
