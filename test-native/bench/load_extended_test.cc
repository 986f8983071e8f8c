// Tests of the benchmark's load client with requests that carry options.
#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "descriptors.h"
#include "helper_process.h"
#include "temporary_directory.h"

extern "C" {
#include "dispatcher.h"
#include "protocol/wire.h"
}

namespace
{

// Plays the daemon to one extended request, with the core's own codecs: the load client's are written from the
// protocol's description alone.
class ExtendedLoadTest : public DescriptorCountingTest
{
  protected:
    void SetUp() override
    {
        DescriptorCountingTest::SetUp();
        directory_ = std::make_unique<TemporaryDirectory>();
        std::ofstream(*directory_ / "small") << std::string(4096, 's');
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        const std::string path = *directory_ / "socket";
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        socket_.reset(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        ASSERT_EQ(bind(socket_.get(), reinterpret_cast<sockaddr *>(&address), sizeof address), 0);
    }

    void TearDown() override
    {
        socket_.reset();
        directory_.reset();
        DescriptorCountingTest::TearDown();
    }

    // Borrowed from bytes_ and fds_.
    dispatcher_request receive()
    {
        alignas(cmsghdr) char control[256];
        iovec iov{bytes_, sizeof bytes_};
        msghdr message{};
        message.msg_iov = &iov;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        const ssize_t n = recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC);
        dispatcher_request request{};
        EXPECT_GT(n, 0);
        EXPECT_GE(dispatcher_decode(bytes_, static_cast<size_t>(n), &request), 0);
        const cmsghdr *rights = CMSG_FIRSTHDR(&message);
        const size_t count = rights == nullptr ? 0 : (rights->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        fds_.clear();
        for (size_t i = 0; i < count; i++) {
            int fd;
            std::memcpy(&fd, CMSG_DATA(rights) + i * sizeof fd, sizeof fd);
            fds_.emplace_back(fd);
        }
        return request;
    }

    std::string content() const
    {
        std::ifstream file(*directory_ / "small");
        return std::string(std::istreambuf_iterator<char>(file), {});
    }

    // File Information, then this, then a Result; and the end.
    void answer(const std::string &data, int error)
    {
        char buffer[256];
        const sfd_wire_file_info info = {4096, 0, 0, 0, 1};
        const sfd_wire_result result = {4096, 1000, 3, SFD_TECHNIQUE_SPLICE, 0};
        std::string all(buffer, sfd_wire_put_file_info(buffer, &info));
        all += data;
        all.append(buffer, sfd_wire_put_result(buffer, error, &result));
        EXPECT_EQ(write(fds_[0].get(), all.data(), all.size()), static_cast<ssize_t>(all.size()));
        fds_.clear();
    }

    std::vector<std::string> command(const std::vector<std::string> &options)
    {
        std::vector<std::string> command{helper("load"),
                                         "--socket",
                                         *directory_ / "socket",
                                         "--path",
                                         "small",
                                         "--reference",
                                         *directory_ / "small",
                                         "--count",
                                         "1",
                                         "--technique",
                                         "splice",
                                         "--limit",
                                         "1000000",
                                         "--eof"};
        command.insert(command.end(), options.begin(), options.end());
        return command;
    }

    std::unique_ptr<TemporaryDirectory> directory_;
    OwnedFd socket_;
    std::vector<OwnedFd> fds_;
    char bytes_[8192];
};

TEST_F(ExtendedLoadTest, ShouldReadWhatAResultFollows)
{
    HelperProcess client(command({"--op", "read"}));
    const dispatcher_request request = receive();
    EXPECT_EQ(request.cmd, SFD_WIRE_READ_FILE);
    EXPECT_EQ(request.version, 1);
    EXPECT_STREQ(request.path, "small");
    EXPECT_EQ(request.options.technique, SFD_TECHNIQUE_SPLICE);
    EXPECT_EQ(request.options.rate, 1000000U);
    answer(content(), 0);
    const std::string report = client.readLine();
    EXPECT_NE(report.find("\"failures\":0,"), std::string::npos) << report;
    EXPECT_NE(report.find("\"technique\":2,\"cold_windows\":3,"), std::string::npos) << report;
}

TEST_F(ExtendedLoadTest, ShouldSendUntilTheResult)
{
    HelperProcess client(command({"--op", "send", "--to", "pipe"}));
    EXPECT_EQ(receive().cmd, SFD_WIRE_SEND_FILE);
    EXPECT_EQ(write(fds_[1].get(), content().data(), 4096), 4096);
    answer("", 0);
    const std::string report = client.readLine();
    EXPECT_NE(report.find("\"failures\":0,"), std::string::npos) << report;
}

TEST_F(ExtendedLoadTest, ShouldReportTheErrorOfAResultAsAFailure)
{
    HelperProcess client(command({"--op", "send", "--to", "pipe"}));
    receive();
    answer("", EPIPE);
    const std::string report = client.readLine();
    EXPECT_NE(report.find("\"failures\":1,"), std::string::npos) << report;
    EXPECT_NE(report.find("\"first_errno\":32,"), std::string::npos) << report;
}

TEST_F(ExtendedLoadTest, ShouldReportARefusalAsAFailure)
{
    HelperProcess client(command({"--op", "read"}));
    receive();
    char refusal[64];
    const size_t length = sfd_wire_put_refusal(refusal, EOPNOTSUPP, 1U << SFD_TECHNIQUE_MMAP);
    EXPECT_EQ(write(fds_[0].get(), refusal, length), static_cast<ssize_t>(length));
    fds_.clear();
    const std::string report = client.readLine();
    EXPECT_NE(report.find("\"first_errno\":95,"), std::string::npos) << report;
}

} // namespace
