// Which loop receives while one is stuck, how the watchdog frees it (R4, R5, D18), and when the watchdog sleeps.
//
// Two loops on threads of their own. A loop gets stuck as it would in life: a client clears O_NONBLOCK of its socket
// between the look and the sendfile, here played by a scripted F_GETFL.
#include "core.h"

#include <linux/magic.h>
#include <memory>
#include <thread>

#include "await.h"

namespace
{

class ReceivingTest : public CoreTest
{
  protected:
    static constexpr size_t BIG = 8 << 20;

    void SetUp() override
    {
        CoreTest::SetUp();
        shared_ = std::make_unique<struct sfd_shared>();
        shared_->settings.loops = 2;
        shared_->settings.max_transfers = 100;
        shared_->settings.open_timeout_ms = 60000;
        shared_->settings.buffer_size = 64 * 1024;
        shared_->settings.quantum = 4 << 20;
        sys_ = copyOfSys();
        sys_.fcntl = [](int fd, int command, int64_t argument) {
            const int result = sfd_sys_linux.fcntl(fd, command, argument);
            return command == F_GETFL && result >= 0 ? result | O_NONBLOCK : result;
        };
        sys_.fstatfs_type = [](int, uint64_t *type) {
            *type = TMPFS_MAGIC; // everything is warm, wherever the tests run
            return 0;
        };
        ASSERT_EQ(0, sfd_watchdog_init(&shared_->watchdog));
        ASSERT_EQ(0, sfd_kernel_init(&shared_->kernel, &sys_));
        shared_->techniques = sfd_techniques_available(&sys_);
        sfd_devices_init(&shared_->devices);
        const struct sfd_limits limits = {};
        sfd_client_accounts_init(&shared_->accounts, &limits);
        directory_ = std::make_unique<TemporaryDirectory>();
        root_ = openFile(directory_->path(), O_PATH | O_DIRECTORY);
        for (int &root : shared_->roots) {
            root = -1;
        }
        shared_->roots[0] = root_.get();
        shared_->root_local[0] = true;
        requests_ = std::make_unique<SocketPair>(SOCK_DGRAM);
        const int on = 1;
        ASSERT_EQ(0, setsockopt(requests_->in.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
        setNonblocking(requests_->in.get());
        shared_->request_fd = requests_->in.get();
        for (uint32_t i = 0; i < 2; i++) {
            ASSERT_EQ(0, sfd_loop_create(&shared_->loops[i], shared_.get(), i));
        }
        content_ = pattern(BIG);
        writeFile(*directory_ / "big", content_);
        writeFile(*directory_ / "small", "small");
        for (struct sfd_loop *loop : {shared_->loops[0], shared_->loops[1]}) {
            threads_.emplace_back([loop] { run(loop); });
        }
    }
    void TearDown() override
    {
        for (struct sfd_loop *loop : {shared_->loops[0], shared_->loops[1]}) {
            sfd_loop_stop(loop);
        }
        for (std::thread &thread : threads_) {
            thread.join();
        }
        for (struct sfd_loop *loop : {shared_->loops[0], shared_->loops[1]}) {
            sfd_loop_destroy(loop);
        }
        pair_.reset();
        status_.reset();
        requests_.reset();
        root_.reset();
        directory_.reset();
        sfd_devices_deinit(&shared_->devices);
        sfd_client_accounts_deinit(&shared_->accounts);
        sfd_kernel_deinit(&shared_->kernel);
        sfd_watchdog_deinit(&shared_->watchdog);
        CoreTest::TearDown();
    }

    /* Loop, dispatcher and disk pool in one thread. */
    static void run(struct sfd_loop *loop)
    {
        struct sfd_turn *turn = sfd_loop_turn(loop);
        int result = 0;
        while (result == 0) {
            result = sfd_loop_poll(loop);
            for (int i = 0; i < turn->requests; i++) {
                dispatcher_decide(&turn->slot[i], getuid());
            }
            for (int i = 0; i < turn->offloads; i++) {
                sfd_loop_work(reinterpret_cast<struct sfd_task *>(turn->offload[i].task));
            }
            turn->offloads = 0;
        }
        EXPECT_EQ(-ESHUTDOWN, result);
    }

    OwnedFd request(uint8_t command, const std::string &path, int dest = -1)
    {
        Pipe status;
        char header[SFD_WIRE_MAX_REQUEST_SIZE];
        const size_t n = sfd_wire_put_path_request(header, command, 0, 0);
        const std::string bytes = std::string(header, n) + path + '\0';
        const int fds[] = {status.out.get(), dest};
        EXPECT_EQ(0, sfd_submit_send(&sfd_sys_linux, requests_->out.get(), bytes.data(), bytes.size(), fds,
                                     dest < 0 ? 1 : 2));
        return std::move(status.in);
    }
    /* A loop sits in a sendfile: its client does not read, and its socket blocks. */
    void stick()
    {
        pair_ = std::make_unique<SocketPair>();
        status_ = request(SFD_WIRE_SEND_FILE, "big", pair_->out.get());
        pair_->out.reset();
        ASSERT_TRUE(await([this] {
            sfd_watchdog_look(shared_.get(), false);
            return stuck() > 0;
        }));
    }
    uint64_t stuck()
    {
        uint64_t sum = 0;
        for (struct sfd_loop *loop : {shared_->loops[0], shared_->loops[1]}) {
            sum += sfd_loop_counters(loop)->at[SFD_COUNTER_STUCK].load();
        }
        return sum;
    }
    /* Looks until the watchdog is asleep. */
    void sleepOverWatch()
    {
        ASSERT_TRUE(await([this] { return sfd_watchdog_look(shared_.get(), false) == -1; }));
    }
    /* A request that is served at once, by whichever loop can. */
    testing::AssertionResult serves()
    {
        const OwnedFd in = request(SFD_WIRE_READ_FILE, "small");
        const bool answered = await([&] {
            sfd_watchdog_look(shared_.get(), false);
            return readable(in.get());
        });
        if (!answered) {
            return testing::AssertionFailure() << "no answer";
        }
        return sameBytes("small", readToEnd(in.get()).substr(SFD_WIRE_FILE_INFO_SIZE));
    }
    void expectAllOfTheBigFile()
    {
        std::string data;
        while (data.size() < BIG) {
            const std::string part = readExactly(pair_->in.get(), std::min(BIG - data.size(), size_t{65536}));
            sfd_watchdog_look(shared_.get(), false);
            ASSERT_FALSE(part.empty());
            data += part;
        }
        EXPECT_BYTES(content_, data);
        EXPECT_EQ("complete", messages(readToEnd(status_.get())).back());
    }

    std::unique_ptr<struct sfd_shared> shared_;
    struct sfd_sys sys_;
    std::unique_ptr<TemporaryDirectory> directory_;
    OwnedFd root_;
    std::unique_ptr<SocketPair> requests_;
    std::string content_;
    std::vector<std::thread> threads_;
    std::unique_ptr<SocketPair> pair_;
    OwnedFd status_;
};

TEST_F(ReceivingTest, ShouldServeWithoutAWatch)
{
    const OwnedFd in = request(SFD_WIRE_READ_FILE, "small");
    EXPECT_BYTES("small", readToEnd(in.get()).substr(SFD_WIRE_FILE_INFO_SIZE));
    EXPECT_EQ(0u, stuck());
}

TEST_F(ReceivingTest, ShouldReceiveElsewhereWhileALoopIsStuck)
{
    stick(); // without a signal to free it
    for (int i = 0; i < 10; i++) {
        EXPECT_TRUE(serves());
    }
    expectAllOfTheBigFile();
    for (int i = 0; i < 10; i++) {
        EXPECT_TRUE(serves()) << "and both live on";
    }
}

TEST_F(ReceivingTest, ShouldFreeALoopThatASocketBlocks)
{
    shared_->wake_signal = sfd_sys_wake_signal();
    ASSERT_GT(shared_->wake_signal, 0);
    stick();
    /* The loop is free when it obeys again: it ends the transfer whose client goes. */
    status_.reset();
    EXPECT_TRUE(await([this] {
        sfd_watchdog_look(shared_.get(), false);
        return shared_->transfers.load() == 0;
    })) << "with nobody reading its destination";
    EXPECT_TRUE(serves());
}

/* How many looks it takes until the watchdog wants to sleep without limit; one that sees work begins anew. */
TEST_F(ReceivingTest, ShouldLookOnForASecondAfterTheLastWorkAndThenSleep)
{
    EXPECT_TRUE(serves());
    int looks = 0;
    ASSERT_TRUE(await([&] {
        looks = 0;
        int timeout = sfd_watchdog_look(shared_.get(), true); // the count begins anew
        for (; looks < 10 && timeout == 100; looks++) {
            timeout = sfd_watchdog_look(shared_.get(), false);
        }
        return timeout == -1 && looks == 10; // at first the loops have yet to fall asleep
    }));
    EXPECT_EQ(-1, sfd_watchdog_look(shared_.get(), false)) << "and sleeps on";
    EXPECT_FALSE(readable(shared_->watchdog.eventfd)) << "nobody works, and nobody wakes it";
}

TEST_F(ReceivingTest, ShouldBeWokenByTheFirstLoopThatWorks)
{
    sleepOverWatch();
    const OwnedFd in = request(SFD_WIRE_READ_FILE, "small");
    sfd_watchdog_wait(&shared_->watchdog, -1); // returns
    EXPECT_FALSE(shared_->watchdog.asleep.load()) << "nobody has to wake it twice";
    EXPECT_EQ(100, sfd_watchdog_look(shared_.get(), false)) << "it saw the loop at work";
    EXPECT_BYTES("small", readToEnd(in.get()).substr(SFD_WIRE_FILE_INFO_SIZE));
}

TEST_F(ReceivingTest, ShouldNotSleepWhileSomethingElseIsPending)
{
    for (int i = 0; i < 30; i++) {
        EXPECT_EQ(100, sfd_watchdog_look(shared_.get(), true));
    }
}

TEST_F(ReceivingTest, ShouldNotSleepWhileALoopIsStuck)
{
    stick();
    for (int i = 0; i < 30; i++) {
        EXPECT_EQ(100, sfd_watchdog_look(shared_.get(), false));
    }
    expectAllOfTheBigFile();
}

TEST_F(ReceivingTest, ShouldWatchALoopThatGetsStuckWhileItSleeps)
{
    shared_->wake_signal = sfd_sys_wake_signal();
    ASSERT_GT(shared_->wake_signal, 0);
    sleepOverWatch();
    pair_ = std::make_unique<SocketPair>();
    status_ = request(SFD_WIRE_SEND_FILE, "big", pair_->out.get());
    pair_->out.reset();
    std::atomic<bool> over(false);
    std::thread watch([&] {
        while (!over) {
            sfd_watchdog_wait(&shared_->watchdog, sfd_watchdog_look(shared_.get(), false));
        }
    });
    EXPECT_TRUE(await([this] { return stuck() > 0; }));
    status_.reset(); // a loop that is freed notices
    EXPECT_TRUE(await([this] { return shared_->transfers.load() == 0; }));
    over = true;
    sfd_watchdog_wake(&shared_->watchdog);
    watch.join();
}

TEST_F(ReceivingTest, ShouldEndAWaitWhenSomebodyWakesTheWatch)
{
    sfd_watchdog_wake(&shared_->watchdog);
    sfd_watchdog_wait(&shared_->watchdog, -1); // returns
    EXPECT_FALSE(readable(shared_->watchdog.eventfd));
}

TEST(WakeSignalTest, ShouldFindOneSignalAndKeepToIt)
{
    const int signal = sfd_sys_wake_signal();
    ASSERT_GT(signal, 0);
    EXPECT_EQ(signal, sfd_sys_wake_signal());
    struct sigaction action = {};
    ASSERT_EQ(0, sigaction(signal, nullptr, &action));
    EXPECT_EQ(0, action.sa_flags & SA_RESTART) << "it has to interrupt";
    sfd_sys_signal_thread(sfd_sys_thread_id(), signal); // and does nothing else
}

TEST(StandBackTest, ShouldLetOthersRunFirstOnTheCallingThreadOnly)
{
    int policy = -1;
    std::thread thread([&] {
        sfd_sys_stand_back();
        policy = sched_getscheduler(0);
    });
    thread.join();
    EXPECT_EQ(SCHED_BATCH, policy);
    EXPECT_EQ(SCHED_OTHER, sched_getscheduler(0));
}

} // namespace
