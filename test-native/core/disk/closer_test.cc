// The closer: what can block in close waits for the disk pool, the rest goes at once.
#include "core.h"

#include <sys/epoll.h>
#include <sys/mman.h>

namespace
{

class CloserTest : public CoreTest
{
  protected:
    void SetUp() override
    {
        CoreTest::SetUp();
        sfd_devices_init(&devices_);
        sfd_closer_init(&closer_, &sfd_sys_linux, &devices_);
    }
    void TearDown() override
    {
        sfd_closer_deinit(&closer_);
        sfd_devices_deinit(&devices_);
        CoreTest::TearDown();
    }

    static bool isOpen(int fd)
    {
        return fcntl(fd, F_GETFD) >= 0;
    }

    struct sfd_closer closer_;
    struct sfd_devices devices_;
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
    ASSERT_EQ(1u, closer_.count);
    EXPECT_EQ(SFD_QUEUE_LINGER, closer_.closes[0].queue);
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

TEST_F(CloserTest,
       ShouldLeaveWhatIsStoredToTheQueueOfItsDevice) // R4: a dead disk keeps up its own closes only
{
    const TemporaryDirectory directory;
    writeFile(directory / "file", "x");
    int fds[] = {open((directory / "file").c_str(), O_RDONLY | O_CLOEXEC),
                 open(directory.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                 open((directory / "file").c_str(), O_PATH | O_CLOEXEC),
                 open("/proc/self/status", O_RDONLY | O_CLOEXEC),
                 memfd_create("test", MFD_CLOEXEC),
                 epoll_create1(EPOLL_CLOEXEC),
                 open("/dev/null", O_WRONLY | O_CLOEXEC)};
    for (int &fd : fds) {
        ASSERT_GE(fd, 0);
        sfd_closer_take_unknown(&closer_, &fd, nullptr);
    }
    const std::vector<int> expected = {SFD_QUEUE_DEVICES,     SFD_QUEUE_DEVICES,     SFD_QUEUE_DEVICES,
                                       SFD_QUEUE_DEVICES + 1, SFD_QUEUE_DEVICES + 2, SFD_QUEUE_CLOSE,
                                       SFD_QUEUE_CLOSE};
    ASSERT_EQ(expected.size(), closer_.count);
    for (size_t i = 0; i < expected.size(); i++) {
        EXPECT_EQ(expected[i], closer_.closes[i].queue) << i;
    }
}

TEST_F(CloserTest, ShouldHandOverEachQueueAndEachClientByItself)
{
    const Pipe pipe;
    const std::vector<std::pair<int, int32_t>> closes = {{3, 1}, {5, 1}, {3, 1}, {3, 2}, {3, 1}};
    const struct sfd_limits limits = {};
    struct sfd_client_accounts accounts;
    sfd_client_accounts_init(&accounts, &limits);
    for (const auto &[device, client] : closes) {
        int fd = dup(pipe.out.get());
        struct sfd_client_account *account = sfd_client_accounts_get(&accounts, client, 0);
        sfd_closer_take_file(&closer_, &fd, device, account);
        sfd_client_account_put(account);
        EXPECT_EQ(-1, fd);
    }
    struct sfd_closer first;
    ASSERT_TRUE(sfd_closer_split(&closer_, &first));
    ASSERT_EQ(3u, first.count);
    for (size_t i = 0; i < first.count; i++) {
        EXPECT_EQ(SFD_QUEUE_DEVICES + 3, first.closes[i].queue);
        EXPECT_EQ(1u, first.closes[i].account->process);
    }
    ASSERT_EQ(2u, closer_.count);
    EXPECT_EQ(SFD_QUEUE_DEVICES + 5, closer_.closes[0].queue);
    EXPECT_EQ(2u, closer_.closes[1].account->process);
    sfd_closer_deinit(&first);
    sfd_closer_deinit(&closer_);
    sfd_client_accounts_deinit(&accounts);
}

TEST_F(CloserTest, ShouldHandOverTheDescriptorsOfEachClientByThemselves)
{
    const struct sfd_limits limits = {};
    struct sfd_client_accounts accounts;
    struct sfd_counters counters = {};
    sfd_client_accounts_init(&accounts, &limits);
    struct sfd_client_account *clients[] = {sfd_client_accounts_get(&accounts, 1, 1000),
                                            sfd_client_accounts_get(&accounts, 2, 1000)};
    closer_.counters = &counters;
    const Pipe pipe;
    for (const size_t client : {0u, 1u, 0u}) {
        int fd = dup(pipe.out.get());
        sfd_closer_take_file(&closer_, &fd, 3, clients[client]);
    }
    EXPECT_EQ(3u, counters.at[SFD_COUNTER_DESCRIPTORS].load());
    EXPECT_EQ(2u, clients[0]->descriptors.load());
    struct sfd_closer first;
    ASSERT_TRUE(sfd_closer_split(&closer_, &first));
    EXPECT_EQ(2u, first.count);
    EXPECT_EQ(1u, closer_.count);
    sfd_closer_deinit(&first);
    EXPECT_EQ(0u, clients[0]->descriptors.load());
    EXPECT_EQ(1u, clients[1]->descriptors.load());
    sfd_client_account_put(clients[0]);
    sfd_client_account_put(clients[1]); // what waits keeps its client's account
    EXPECT_EQ(nullptr, accounts.buckets[1]);
    EXPECT_NE(nullptr, accounts.buckets[2]);
    sfd_closer_deinit(&closer_);
    EXPECT_EQ(nullptr, accounts.buckets[2]);
    EXPECT_EQ(0u, counters.at[SFD_COUNTER_DESCRIPTORS].load());
    sfd_client_accounts_deinit(&accounts);
}

TEST_F(CloserTest, ShouldNotLetASocketLingerWhoseClientHasAllItsDescriptors) // R10
{
    const struct sfd_limits limits = {0, 2, 0};
    struct sfd_client_accounts accounts;
    sfd_client_accounts_init(&accounts, &limits);
    struct sfd_client_account *client = sfd_client_accounts_get(&accounts, 1, 1000);
    std::vector<SocketPair> pairs;
    for (size_t i = 0; i < 4; i++) {
        pairs.push_back(tcpPair());
        const struct linger linger = {1, 3600};
        ASSERT_EQ(0, setsockopt(pairs[i].out.get(), SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
        int fd = dup(pairs[i].out.get());
        const int number = fd;
        sfd_closer_take_unknown(&closer_, &fd, client);
        EXPECT_EQ(i < 2, isOpen(number)) << i;
    }
    EXPECT_EQ(2u, closer_.count);
    EXPECT_EQ(2u, client->descriptors.load());
    sfd_client_account_put(client);
    sfd_closer_deinit(&closer_);
    sfd_client_accounts_deinit(&accounts);
}

TEST_F(CloserTest, ShouldIgnoreWhatIsNoDescriptor)
{
    int none = -1;
    int unopened = 1 << 20;
    sfd_closer_take_unknown(&closer_, &none, nullptr);
    sfd_closer_take_file(&closer_, &none, 0, nullptr);
    sfd_closer_take_unknown(&closer_, &unopened, nullptr);
    EXPECT_EQ(-1, none);
    EXPECT_EQ(-1, unopened);
    EXPECT_EQ(0u, closer_.count);
}

} // namespace
