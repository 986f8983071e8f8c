// The closer: what can block in close waits for the disk pool, the rest goes at once.
#include "core.h"

namespace
{

class CloserTest : public CoreTest
{
  protected:
    void SetUp() override
    {
        CoreTest::SetUp();
        sfd_closer_init(&closer_, &sfd_sys_linux, 7);
    }
    void TearDown() override
    {
        sfd_closer_deinit(&closer_);
        CoreTest::TearDown();
    }

    static bool isOpen(int fd)
    {
        return fcntl(fd, F_GETFD) >= 0;
    }

    struct sfd_closer closer_;
};

TEST_F(CloserTest, ShouldCloseAPipeAtOnce)
{
    const Pipe pipe;
    int fd = dup(pipe.out.get());
    const int number = fd;
    sfd_closer_take_unknown(&closer_, &fd, nullptr);
    EXPECT_EQ(-1, fd);
    EXPECT_FALSE(isOpen(number));
    EXPECT_EQ(0u, closer_.count);
}

TEST_F(CloserTest, ShouldCloseAnOrdinarySocketAtOnce)
{
    const SocketPair pair;
    int fd = dup(pair.out.get());
    const int number = fd;
    sfd_closer_take_unknown(&closer_, &fd, nullptr);
    EXPECT_FALSE(isOpen(number));
}

TEST_F(CloserTest, ShouldKeepALingeringSocketForTheDiskPool)
{
    const SocketPair pair = tcpPair();
    const struct linger linger = {1, 3};
    ASSERT_EQ(0, setsockopt(pair.out.get(), SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
    int fd = dup(pair.out.get());
    const int number = fd;
    sfd_closer_take_unknown(&closer_, &fd, nullptr);
    EXPECT_EQ(-1, fd);
    EXPECT_TRUE(isOpen(number));
    EXPECT_EQ(1u, closer_.count);
    sfd_closer_deinit(&closer_);
    EXPECT_FALSE(isOpen(number));
}

TEST_F(CloserTest, ShouldKeepFilesForTheDiskPoolInAnyNumber)
{
    const TemporaryDirectory directory;
    std::vector<int> numbers;
    for (int i = 0; i < 100; i++) {
        int fd = open(directory.path().c_str(), O_RDONLY | O_CLOEXEC);
        ASSERT_GE(fd, 0);
        numbers.push_back(fd);
        sfd_closer_take_unknown(&closer_, &fd, nullptr);
        EXPECT_EQ(-1, fd);
    }
    EXPECT_EQ(numbers.size(), closer_.count);
    for (const int number : numbers) {
        EXPECT_TRUE(isOpen(number));
    }
    sfd_closer_deinit(&closer_);
    sfd_closer_deinit(&closer_); // idempotent
    for (const int number : numbers) {
        EXPECT_FALSE(isOpen(number));
    }
}

TEST_F(CloserTest, ShouldKeepASocketWithSomethingUnreadForTheDiskPool)
{
    const SocketPair pair;
    ASSERT_EQ(1, write(pair.in.get(), "x", 1)); // it could be a descriptor that lingers
    int fd = dup(pair.out.get());
    sfd_closer_take_unknown(&closer_, &fd, nullptr);
    EXPECT_EQ(1u, closer_.count);
}

TEST_F(CloserTest, ShouldHandOverEachQueueByItself)
{
    const Pipe pipe;
    for (const uint8_t queue : std::vector<uint8_t>{3, 5, 3, 3}) {
        int fd = dup(pipe.out.get());
        sfd_closer_take_file(&closer_, &fd, queue, nullptr);
        EXPECT_EQ(-1, fd);
    }
    struct sfd_closer first;
    ASSERT_TRUE(sfd_closer_split(&closer_, &first));
    EXPECT_EQ(3, first.queue);
    EXPECT_EQ(3u, first.count);
    ASSERT_EQ(1u, closer_.count);
    EXPECT_EQ(5, closer_.closes[0].queue);
    sfd_closer_deinit(&first);
}

TEST_F(CloserTest, ShouldIgnoreWhatIsNoDescriptor)
{
    int none = -1;
    int unopened = 1 << 20;
    sfd_closer_take_unknown(&closer_, &none, nullptr);
    sfd_closer_take(&closer_, &none, SFD_FD_REGULAR, nullptr);
    sfd_closer_take_unknown(&closer_, &unopened, nullptr);
    EXPECT_EQ(-1, none);
    EXPECT_EQ(-1, unopened);
    EXPECT_EQ(0u, closer_.count);
}

} // namespace
