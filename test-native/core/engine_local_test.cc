// An engine without a request socket: many threads submit, cancel and send at once, and everything ends once.
#include "await.h"
#include "helper_process.h"
#include "local_requests.h"
#include "small_daemon.h"

#include <atomic>
#include <filesystem>
#include <memory>
#include <random>

namespace
{

#ifdef __SANITIZE_THREAD__
constexpr unsigned SLOWER = 10; // so that it takes as long as without
#else
constexpr unsigned SLOWER = 1;
#endif

class EngineLocalTest : public CoreTest, public testing::WithParamInterface<uint32_t>
{
  protected:
    void SetUp() override
    {
        CoreTest::SetUp();
        directory_ = std::make_unique<TemporaryDirectory>();
        writeFile(*directory_ / "small", pattern(512));
        writeFile(*directory_ / "big", pattern(1 << 20));
        struct sfd_settings settings = settingsOf(GetParam());
        settings.max_transfers = 10000;
        ASSERT_EQ(0, sfd_engine_create(&engine_, &settings, nullptr, nullptr, nullptr, nullptr, nullptr, -1));
        ASSERT_EQ(0, sfd_engine_add_root(engine_, directory_->path().c_str(), false, &root_));
        stuck_ = std::make_unique<Pipe>();
        stuck_->fill();
        setNonblocking(stuck_->out.get());
        null_ = OwnedFd(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    }
    void TearDown() override
    {
        EXPECT_EQ(0u, sfd_engine_transfers(engine_));
        sfd_engine_destroy(engine_);
        stuck_.reset();
        null_.reset();
        directory_.reset();
        CoreTest::TearDown();
    }

    std::unique_ptr<SmallDaemon> run()
    {
        return std::make_unique<SmallDaemon>(engine_, GetParam(),
                                             [this](const struct sfd_turn *turn) { requests_.dispatch(turn); });
    }
    int64_t submit(uint8_t command, const std::string &path, int dest, uint64_t owner = 1)
    {
        return requests_.submit(&engine_->shared, localOrder(command, root_, path, dest, owner));
    }

    std::unique_ptr<TemporaryDirectory> directory_;
    struct sfd_engine *engine_ = nullptr;
    struct sfd_root *root_ = nullptr;
    LocalRequests requests_;
    std::unique_ptr<Pipe> stuck_; // it is full
    OwnedFd null_;
};

INSTANTIATE_TEST_SUITE_P(Loops, EngineLocalTest, testing::Values(1u, 2u));

TEST_P(EngineLocalTest, ShouldHaveNoSocketToLookAt)
{
    EXPECT_EQ(0, sfd_engine_look(engine_));
    sfd_engine_chores_wake(engine_);
    sfd_engine_chores_wait(engine_, -1);
    sfd_engine_drain(engine_);
    sfd_engine_close_endpoint(engine_);
    struct sfd_root *missing = nullptr;
    EXPECT_EQ(-ENOENT, sfd_engine_add_root(engine_, (*directory_ / "missing").c_str(), false, &missing));
    EXPECT_EQ(-ENOTDIR, sfd_engine_add_root(engine_, (*directory_ / "small").c_str(), false, &missing));
}

TEST_P(EngineLocalTest, ShouldServeManySmallSendsOfManyThreads)
{
    constexpr unsigned THREADS = 4;
    constexpr unsigned EACH = 25000 / SLOWER;
    const auto daemon = run();
    std::vector<std::thread> threads;
    std::atomic<uint64_t> read{0};
    for (unsigned t = 0; t < THREADS; t++) {
        threads.emplace_back([&, t] {
            Pipe pipe;
            std::thread reader([&read, &pipe] {
                char bytes[65536];
                for (ssize_t n; (n = ::read(pipe.in.get(), bytes, sizeof(bytes))) > 0;) {
                    read += static_cast<uint64_t>(n);
                }
            });
            for (unsigned i = 0; i < EACH; i++) {
                EXPECT_LT(0, submit(SFD_WIRE_SEND_FILE, "small", dup(pipe.out.get()), t));
                EXPECT_TRUE(requests_.awaitAtMost(300));
            }
            EXPECT_TRUE(requests_.awaitAtMost(0));
            pipe.out.reset();
            reader.join();
        });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    EXPECT_EQ(uint64_t{THREADS} * EACH * 512, read.load());
    for (int64_t ticket = 1; ticket <= int64_t{THREADS} * EACH; ticket++) {
        ASSERT_EQ("result 0 moved 512", requests_.lastOf(ticket));
    }
}

/* Requests of all kinds, cancelled at any moment by another thread: before they begin, while they run, after. */
TEST_P(EngineLocalTest, ShouldEndEachRequestOnceWhateverIsCancelledWhen)
{
    constexpr int64_t COUNT = 20000 / SLOWER;
    requests_.opened = [this](int64_t ticket) {
        if (ticket % 8 == 0) {
            requests_.sendOpened(ticket, dup(stuck_->out.get()));
        }
    };
    const auto daemon = run();
    std::thread canceller([this] {
        std::mt19937 random(1); // NOLINT: the same each time
        for (int64_t ticket = 1; ticket <= COUNT; ticket++) {
            const uint64_t until = std::min<uint64_t>(COUNT, static_cast<uint64_t>(ticket) + random() % 200);
            while (requests_.submitted() < until) {
                std::this_thread::yield();
            }
            requests_.cancel(ticket);
        }
    });
    for (int64_t i = 1; i <= COUNT; i++) {
        const uint64_t owner = static_cast<uint64_t>(i % 7);
        int64_t result = 0;
        switch (i % 4) {
        case 0:
            result = submit(SFD_WIRE_OPEN_FILE, "small", -1, owner);
            break;
        case 1:
            result = submit(SFD_WIRE_SEND_FILE, "big", dup(stuck_->out.get()), owner);
            break;
        case 2:
            result = submit(SFD_WIRE_SEND_FILE, "missing", dup(stuck_->out.get()), owner);
            break;
        default:
            result = submit(SFD_WIRE_SEND_FILE, "small", dup(null_.get()), owner);
        }
        EXPECT_EQ(i, result);
        EXPECT_TRUE(requests_.awaitAtMost(1000)); // descriptors are limited
    }
    canceller.join();
    EXPECT_TRUE(requests_.awaitAtMost(0)) << requests_.open();
}

/* Requests are submitted and cancelled while the engine stops: each is refused at once, or gets its end. */
TEST_P(EngineLocalTest, ShouldLoseNothingThatIsSubmittedWhileItStops)
{
    std::vector<std::thread> threads;
    std::atomic<bool> over{false};
    {
        const auto daemon = run();
        for (uint64_t t = 0; t < 2; t++) {
            threads.emplace_back([&, t] {
                for (int64_t i = 0; !over; i++) {
                    const bool opens = i % 2 == 0;
                    const int64_t ticket = submit(opens ? SFD_WIRE_OPEN_FILE : SFD_WIRE_SEND_FILE, "small",
                                                  opens ? -1 : dup(stuck_->out.get()), t);
                    EXPECT_TRUE(ticket > 0 || ticket == -ESHUTDOWN);
                    over = ticket < 0;
                    if (i % 8 == 0) {
                        requests_.cancel(ticket);
                    }
                    if (i > 100) {
                        requests_.cancel(ticket - 100);
                    }
                    EXPECT_TRUE(requests_.awaitAtMost(400));
                }
            });
        }
        EXPECT_TRUE(await([&] { return requests_.submitted() > 1000; }));
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    EXPECT_EQ(0u, requests_.open());
}

TEST_P(EngineLocalTest, ShouldServeWhatWasSubmittedBeforeItsRootWasRemoved)
{
    constexpr int64_t COUNT = 200;
    {
        const auto daemon = run();
        struct sfd_root *first = root_;
        for (int64_t i = 0; i < COUNT; i++) {
            ASSERT_EQ(0, sfd_engine_add_root(engine_, directory_->path().c_str(), i % 2 == 0, &root_));
            ASSERT_LT(0, submit(SFD_WIRE_SEND_FILE, "small", dup(null_.get())));
            sfd_engine_remove_root(engine_, root_);
        }
        root_ = first;
        EXPECT_TRUE(requests_.awaitAtMost(0));
    }
    for (int64_t ticket = 1; ticket <= COUNT; ticket++) {
        EXPECT_EQ("result 0 moved 512", requests_.lastOf(ticket));
    }
}

/* A dead disk: the request that it has can be cancelled at once, and the others do not wait for it. */
class EngineLocalFuseTest : public EngineLocalTest
{
  protected:
    void SetUp() override
    {
        EngineLocalTest::SetUp();
        if (!helperExists("slowfs")) {
            GTEST_SKIP() << "slowfs was not built: libfuse3 is missing";
        }
        if (access("/dev/fuse", R_OK | W_OK) != 0) {
            GTEST_SKIP() << "/dev/fuse is missing or not allowed";
        }
        for (const char *name : {"source", "mount"}) {
            std::filesystem::create_directory(*directory_ / name);
        }
        writeFile(*directory_ / "source/held", pattern(1000));
    }
    void mount(const std::string &calls)
    {
        slowfs_ = std::make_unique<HelperProcess>(std::vector<std::string>{
            helper("slowfs"), *directory_ / "mount", *directory_ / "source", "--hold", "held", "--hold-calls", calls});
        ASSERT_EQ("ready", slowfs_->readLine());
        ASSERT_EQ(0, sfd_engine_add_root(engine_, (*directory_ / "mount").c_str(), false, &dead_));
    }
    void TearDown() override
    {
        if (dead_ != nullptr) {
            sfd_engine_remove_root(engine_, dead_);
        }
        slowfs_.reset();
        EngineLocalTest::TearDown();
    }

    std::unique_ptr<HelperProcess> slowfs_;
    struct sfd_root *dead_ = nullptr;
};

INSTANTIATE_TEST_SUITE_P(Loops, EngineLocalFuseTest, testing::Values(1u));

TEST_P(EngineLocalFuseTest, ShouldCancelWhatADeadDiskHasAndServeTheOthers)
{
    mount("open");
    {
        const auto daemon = run();
        SocketPair pair;
        setNonblocking(pair.out.get());
        const int64_t held =
            requests_.submit(&engine_->shared, localOrder(SFD_WIRE_SEND_FILE, dead_, "held", dup(pair.out.get()), 1));
        pair.out.reset();
        ASSERT_LT(0, held);
        ASSERT_EQ("held", slowfs_->readLine());
        for (uint64_t owner = 1; owner <= 2; owner++) {
            const int64_t other = submit(SFD_WIRE_SEND_FILE, "small", dup(null_.get()), owner);
            ASSERT_TRUE(await([&] { return requests_.isOver(other); })) << "it waits for another disk";
            EXPECT_EQ("result 0 moved 512", requests_.lastOf(other));
        }
        EXPECT_FALSE(requests_.isOver(held));
        requests_.cancel(held);
        ASSERT_TRUE(await([&] { return requests_.isOver(held); })) << "it waits for its disk";
        EXPECT_EQ("refusal " + std::to_string(ECANCELED) + " fits 0", requests_.lastOf(held));
        EXPECT_EQ("", readToEnd(pair.in.get())) << "its destination is closed";
        slowfs_->signal(SIGUSR1);
        EXPECT_TRUE(await([this] { return sfd_engine_transfers(engine_) == 0; }));
    }
}

TEST_P(EngineLocalFuseTest, ShouldTellTheEndOfWhatADeadDiskHasBeforeItHasStopped)
{
    mount("read");
    {
        const auto daemon = run();
        SocketPair pair;
        setNonblocking(pair.out.get());
        const int64_t held =
            requests_.submit(&engine_->shared, localOrder(SFD_WIRE_SEND_FILE, dead_, "held", dup(pair.out.get()), 1));
        pair.out.reset();
        ASSERT_LT(0, held);
        ASSERT_EQ("held", slowfs_->readLine());
        for (uint32_t i = 0; i < GetParam(); i++) {
            sfd_loop_stop(sfd_engine_loop(engine_, i));
        }
        ASSERT_TRUE(await([&] { return requests_.isOver(held); })) << "its end waits for its disk";
        EXPECT_EQ("result " + std::to_string(ESHUTDOWN) + " moved 0", requests_.lastOf(held));
        EXPECT_EQ("", readToEnd(pair.in.get()));
        slowfs_->signal(SIGUSR1);
    }
}

} // namespace
