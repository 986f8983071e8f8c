/* Submitting requests over a real socket: datagrams, descriptors, a full queue, a daemon that is gone. */
#include "descriptors.h"
#include "temporary_directory.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <vector>

extern "C" {
#include "protocol/submit.h"
}

namespace
{

class Submit : public DescriptorCountingTest
{
  protected:
    void SetUp() override
    {
        DescriptorCountingTest::SetUp();
        path_ = directory_.path() + "/s";
        listen();
        client_.reset(sfd_sys_unix_datagram());
        ASSERT_EQ(sfd_sys_unix_connect(client_.get(), path_.c_str()), 0);
    }
    void TearDown() override
    {
        client_.reset();
        server_.reset();
        DescriptorCountingTest::TearDown();
    }

    void listen()
    {
        struct sockaddr_un address = {};
        address.sun_family = AF_UNIX;
        path_.copy(address.sun_path, sizeof(address.sun_path) - 1);
        unlink(path_.c_str());
        server_.reset(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        ASSERT_EQ(bind(server_.get(), reinterpret_cast<struct sockaddr *>(&address), sizeof(address)), 0);
    }

    int send(const std::string &bytes, const std::vector<int> &fds = {})
    {
        return sfd_submit_send(&sfd_sys_linux, client_.get(), bytes.data(), bytes.size(), fds.data(),
                               static_cast<unsigned>(fds.size()));
    }

    /* Takes a datagram; its descriptors, which are the caller's, go to `fds`. */
    std::string receive(std::vector<int> *fds)
    {
        char bytes[256];
        alignas(struct cmsghdr) char control[256];
        struct iovec iov = {bytes, sizeof(bytes)};
        struct msghdr message = {};
        message.msg_iov = &iov;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof(control);
        const ssize_t n = recvmsg(server_.get(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
        if (n < 0) {
            return "nothing";
        }
        const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        if (header != nullptr && header->cmsg_type == SCM_RIGHTS) {
            fds->resize((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
            memcpy(fds->data(), CMSG_DATA(header), fds->size() * sizeof(int));
        }
        return std::string(bytes, static_cast<size_t>(n));
    }

    TemporaryDirectory directory_;
    std::string path_;
    OwnedFd server_;
    OwnedFd client_;
};

TEST_F(Submit, ShouldPassBytesAndDescriptorsInOrder)
{
    int pipe_fds[2];
    ASSERT_EQ(pipe2(pipe_fds, O_CLOEXEC), 0);
    const OwnedFd read_end(pipe_fds[0]);
    const OwnedFd write_end(pipe_fds[1]);

    for (size_t count = 0; count <= SFD_RIGHTS_MAX; count++) {
        const std::vector<int> all = {write_end.get(), read_end.get(), write_end.get()};
        std::vector<int> received;

        ASSERT_EQ(send("request", std::vector<int>(all.begin(), all.begin() + static_cast<long>(count))), 0);

        ASSERT_EQ(receive(&received), "request");
        ASSERT_EQ(received.size(), count);
        if (count == SFD_RIGHTS_MAX) {
            char bytes[3] = {};
            ASSERT_EQ(write(received[0], "x", 1), 1);
            ASSERT_EQ(write(received[2], "y", 1), 1);
            ASSERT_EQ(read(received[1], bytes, sizeof(bytes)), 2);
            ASSERT_STREQ(bytes, "xy");
        }
        for (const int fd : received) {
            close(fd);
        }
    }
}

TEST_F(Submit, ShouldRefuseMoreDescriptorsThanARequestHas)
{
    EXPECT_EQ(send("request", {0, 1, 2, 0}), -EINVAL);
}

TEST_F(Submit, ShouldTellADescriptorThatIsNone)
{
    EXPECT_EQ(send("request", {9999}), -EBADF);
}

TEST_F(Submit, ShouldNeverWaitForRoom)
{
    int result = 0;
    int sent = 0;
    std::vector<int> none;

    while (sent < 100000 && (result = send("request")) == 0) {
        sent++;
    }
    ASSERT_EQ(result, -EAGAIN);
    EXPECT_EQ(sfd_sys_wait_writable(client_.get(), 0), 0);

    do { // of a long queue the kernel wants three quarters taken, before it says that there is room
        ASSERT_EQ(receive(&none), "request");
    } while (--sent > 0 && sfd_sys_wait_writable(client_.get(), 0) == 0);

    EXPECT_EQ(sfd_sys_wait_writable(client_.get(), 10000), 1);
    EXPECT_EQ(send("request"), 0);
}

TEST_F(Submit, ShouldReconnectToADaemonThatWasRestarted)
{
    std::vector<int> none;
    server_.reset();
    ASSERT_EQ(send("lost"), -ECONNREFUSED);
    ASSERT_EQ(sfd_sys_unix_connect(client_.get(), path_.c_str()), -ECONNREFUSED);
    listen();

    ASSERT_EQ(sfd_sys_unix_connect(client_.get(), path_.c_str()), 0);

    ASSERT_EQ(send("found"), 0);
    EXPECT_EQ(receive(&none), "found");
}

TEST_F(Submit, ShouldRefuseAPathThatIsTooLongForASocket)
{
    EXPECT_EQ(sfd_sys_unix_connect(client_.get(), std::string(108, 'x').c_str()), -ENAMETOOLONG);
    EXPECT_EQ(sfd_sys_unix_connect(client_.get(), std::string(107, 'x').c_str()), -ENOENT);
}

} // namespace
