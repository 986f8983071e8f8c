// R27: engines of one instance that follow each other, in one process: who receives what, and what becomes of the rest.
#include "await.h"
#include "small_daemon.h"

#include <atomic>
#include <memory>

extern "C" {
#include "protocol/trial.h"
#include "sys/sys_succession.h"
}

namespace
{

/* An engine with its threads, and what connects it with the one before: what io.sendfiled.daemon does. */
class Generation
{
  public:
    Generation(struct sfd_engine *engine, uint32_t loops) : engine_(engine), daemon_(engine, loops) {}
    ~Generation()
    {
        leave();
        if (!ended_) end();
    }
    struct sfd_engine *engine()
    {
        return engine_;
    }
    /* Serves what the successor leaves to it, until that one is gone. */
    void follow(int successor)
    {
        relay_ = std::thread([this, successor] {
            char text[64] = {};
            while (sfd_sys_message_receive(successor, -1, text, sizeof text - 1, -1) > 0) {
                taken_++;
                sfd_engine_take(engine_, successor, static_cast<uint32_t>(atoi(text + strlen(SFD_SUCCESSION_TAKE))));
                memset(text, 0, sizeof text);
            }
        });
    }
    /* Hears what the predecessor has taken, until that one is gone. */
    void precede(int predecessor)
    {
        answers_ = std::thread([this, predecessor] {
            char text[64];
            while (sfd_sys_message_receive(predecessor, -1, text, sizeof text, -1) > 0) {
                sfd_engine_taken(engine_);
            }
            sfd_engine_forget_predecessor(engine_, 0);
        });
    }
    void leave()
    {
        if (relay_.joinable()) relay_.join();
        if (answers_.joinable()) answers_.join();
    }
    void end()
    {
        ended_ = true;
    }
    int taken() const
    {
        return taken_;
    }

  private:
    struct sfd_engine *engine_;
    SmallDaemon daemon_;
    std::thread relay_;
    std::thread answers_;
    std::atomic_int taken_{0};
    bool ended_ = false;
};

class EngineSuccessionTest : public CoreTest, public testing::WithParamInterface<uint32_t>
{
  protected:
    void SetUp() override
    {
        CoreTest::SetUp();
        directory_ = std::make_unique<TemporaryDirectory>();
        std::filesystem::create_directory(*directory_ / "root");
        writeFile(*directory_ / "root/file", pattern(SIZE));
        const struct sfd_endpoint_access own = {0600, 0};
        const struct sfd_settings settings = settingsOf(GetParam());
        ASSERT_EQ(0, sfd_engine_create(&old_, &settings, directory_->path().c_str(), "test",
                                       (*directory_ / "root").c_str(), &own, nullptr, -1));
        socket_ = OwnedFd(sfd_sys_unix_datagram());
        ASSERT_EQ(0, sfd_sys_unix_connect(socket_.get(), path().c_str()));
    }
    void TearDown() override
    {
        socket_.reset();
        sfd_engine_destroy(new_);
        sfd_engine_destroy(old_);
        directory_.reset();
        CoreTest::TearDown();
    }

    std::string path() const
    {
        return *directory_ / "sendfiled.test.socket";
    }
    /* The engine that is to follow, with copies of the descriptors as another process would have them. */
    int createSuccessor(int predecessor)
    {
        struct sfd_handover left;
        sfd_engine_describe(old_, &left);
        int64_t numbers[SFD_HANDOVER_NUMBERS_MAX];
        const size_t count = sfd_handover_write(&left, numbers);
        EXPECT_EQ(0, sfd_handover_read(&left, numbers, count));
        left.request_fd = dup(left.request_fd);
        left.lock_fd = dup(left.lock_fd);
        if (predecessor >= 0) {
            left.predecessor[0].fd = predecessor;
            left.predecessor[0].tag = left.tag;
            left.predecessors = 1;
        }
        const struct sfd_endpoint_access own = {0600, 0};
        const struct sfd_settings settings = settingsOf(GetParam());
        return sfd_engine_create_successor(&new_, &settings, directory_->path().c_str(), "test",
                                           (*directory_ / "root").c_str(), &own, nullptr, &left);
    }
    static void pause(struct sfd_engine *engine)
    {
        sfd_engine_pause(engine);
        ASSERT_TRUE(await([engine] { return sfd_engine_paused(engine); }));
    }
    OwnedFd request(uint8_t command, int dest = -1) const
    {
        Pipe status;
        char header[SFD_WIRE_MAX_REQUEST_SIZE];
        const size_t n = sfd_wire_put_path_request(header, command, 0, 0);
        const std::string bytes = std::string(header, n) + "file" + '\0';
        const int fds[] = {status.out.get(), dest};
        EXPECT_EQ(0, send(bytes.data(), bytes.size(), fds, dest < 0 ? 1 : 2));
        return std::move(status.in);
    }
    void command(uint8_t command, uint64_t id, int dest = -1) const
    {
        char header[SFD_WIRE_MAX_REQUEST_SIZE];
        const size_t n = sfd_wire_put_transfer_request(header, command, id);
        EXPECT_EQ(0, send(header, n, &dest, dest < 0 ? 0 : 1));
    }
    int send(const void *bytes, size_t length, const int *fds, unsigned count) const
    {
        int result = 0;
        do {
            result = sfd_submit_send(&sfd_sys_linux, socket_.get(), bytes, length, fds, count);
            if (result == -EAGAIN) sfd_sys_wait_writable(socket_.get(), 100);
        } while (result == -EAGAIN);
        return result;
    }
    static uint64_t served(struct sfd_engine *engine)
    {
        uint64_t all = 0;
        for (uint32_t i = 0; i < GetParam(); i++) {
            all += sfd_loop_counters(sfd_engine_loop(engine, i))->at[SFD_COUNTER_REQUESTS].load();
        }
        return all;
    }
    void expectServed() const
    {
        const std::string bytes = readToEnd(request(SFD_WIRE_READ_FILE).get());
        ASSERT_EQ(SFD_WIRE_FILE_INFO_SIZE + SIZE, bytes.size());
        EXPECT_BYTES(pattern(SIZE), bytes.substr(SFD_WIRE_FILE_INFO_SIZE));
    }

    static constexpr size_t SIZE = 100000;
    std::unique_ptr<TemporaryDirectory> directory_;
    struct sfd_engine *old_ = nullptr;
    struct sfd_engine *new_ = nullptr;
    OwnedFd socket_;
};

TEST_P(EngineSuccessionTest, ShouldReceiveNothingWhileItIsPausedAndEverythingAfterwards)
{
    Generation only(old_, GetParam());
    expectServed();
    for (int i = 0; i < 20; i++) {
        pause(old_);
        const uint64_t before = served(old_);
        const OwnedFd waiting = request(SFD_WIRE_READ_FILE);
        EXPECT_EQ(before, served(old_));
        sfd_engine_resume(old_, -1);
        EXPECT_EQ(SFD_WIRE_FILE_INFO_SIZE + SIZE, readToEnd(waiting.get()).size());
    }
}

TEST_P(EngineSuccessionTest, ShouldLeaveWhatWaitsInTheSocketWhenItEndsPaused)
{
    OwnedFd waiting;
    {
        Generation first(old_, GetParam());
        pause(old_);
        ASSERT_EQ(0, createSuccessor(-1));
        sfd_engine_release(old_);
        waiting = request(SFD_WIRE_READ_FILE);
    }
    sfd_engine_destroy(old_);
    old_ = nullptr;
    EXPECT_TRUE(std::filesystem::exists(path()));
    Generation second(new_, GetParam());
    ASSERT_TRUE(await([this] { return sfd_engine_paused(new_); }));
    sfd_engine_resume(new_, -1);
    EXPECT_EQ(SFD_WIRE_FILE_INFO_SIZE + SIZE, readToEnd(waiting.get()).size());
    expectServed();
}

TEST_P(EngineSuccessionTest, ShouldTakeNothingAwayIfItsSuccessorFails)
{
    Generation first(old_, GetParam());
    ASSERT_EQ(0, createSuccessor(-1));
    sfd_engine_destroy(new_);
    new_ = nullptr;
    EXPECT_TRUE(std::filesystem::exists(path()));
    EXPECT_TRUE(std::filesystem::exists(*directory_ / "sendfiled.test.lock"));
    EXPECT_TRUE(std::filesystem::exists(*directory_ / ".sendfiled.test.spare"));
    EXPECT_GT(sfd_endpoint_holder(directory_->path().c_str(), "test"), 0);
    expectServed();
}

TEST_P(EngineSuccessionTest, ShouldKeepTheLockAndTheNamesOverTheSuccession)
{
    ASSERT_EQ(0, createSuccessor(-1));
    sfd_engine_release(old_);
    sfd_engine_claim(new_);
    sfd_engine_destroy(old_);
    old_ = nullptr;
    EXPECT_TRUE(std::filesystem::exists(path()));
    EXPECT_EQ(getpid(), sfd_endpoint_holder(directory_->path().c_str(), "test"));
    std::filesystem::remove(path());
    EXPECT_EQ(1, sfd_engine_look(new_)) << "it has the spare name";
    sfd_engine_destroy(new_);
    new_ = nullptr;
    EXPECT_FALSE(std::filesystem::exists(path()));
    EXPECT_FALSE(std::filesystem::exists(*directory_ / "sendfiled.test.lock"));
    EXPECT_FALSE(std::filesystem::exists(*directory_ / ".sendfiled.test.spare"));
}

TEST_P(EngineSuccessionTest, ShouldRefuseALockThatIsNotThatOfTheName)
{
    struct sfd_handover left;
    sfd_engine_describe(old_, &left);
    left.request_fd = dup(left.request_fd);
    left.lock_fd = open((*directory_ / "root/file").c_str(), O_RDONLY | O_CLOEXEC);
    const struct sfd_endpoint_access own = {0600, 0};
    const struct sfd_settings settings = settingsOf(GetParam());
    EXPECT_EQ(-ESTALE, sfd_engine_create_successor(&new_, &settings, directory_->path().c_str(), "test",
                                                   (*directory_ / "root").c_str(), &own, nullptr, &left));
    EXPECT_TRUE(std::filesystem::exists(path()));
}

TEST_P(EngineSuccessionTest, ShouldServeOpenedFilesWhereTheyWereOpened)
{
    int fds[2];
    ASSERT_EQ(0, sfd_sys_message_pair(fds));
    OwnedFd toOld(fds[0]);
    OwnedFd toNew(fds[1]);
    auto first = std::make_unique<Generation>(old_, GetParam());
    std::vector<OwnedFd> statuses;
    std::vector<uint64_t> ids;
    for (int i = 0; i < 6; i++) {
        statuses.push_back(request(SFD_WIRE_OPEN_FILE));
        ids.push_back(infoOf(readExactly(statuses.back().get(), SFD_WIRE_FILE_INFO_SIZE)).id);
    }
    ASSERT_EQ(0, createSuccessor(toOld.get()));
    pause(old_);
    sfd_engine_release(old_);
    {
        Generation second(new_, GetParam());
        ASSERT_TRUE(await([this] { return sfd_engine_paused(new_); }));
        second.precede(toOld.get());
        first->follow(toNew.get());
        sfd_engine_claim(new_);
        sfd_engine_resume(new_, -1);

        for (size_t i = 0; i < ids.size(); i++) { // among others' requests
            const OwnedFd before = request(SFD_WIRE_READ_FILE);
            SocketPair pair;
            setNonblocking(pair.out.get());
            command(i % 3 == 2 ? SFD_WIRE_CANCEL : SFD_WIRE_SEND_OPEN_FILE, ids[i], i % 3 == 2 ? -1 : pair.out.get());
            const OwnedFd after = request(SFD_WIRE_READ_FILE);
            pair.out.reset();
            if (i % 3 != 2) {
                EXPECT_BYTES(pattern(SIZE), readToEnd(pair.in.get()));
                EXPECT_EQ("complete", messages(readToEnd(statuses[i].get())).back());
            } else {
                const Messages said = messages(readToEnd(statuses[i].get()));
                EXPECT_TRUE(said.empty() || said.back() != "complete");
            }
            EXPECT_EQ(SFD_WIRE_FILE_INFO_SIZE + SIZE, readToEnd(before.get()).size());
            EXPECT_EQ(SFD_WIRE_FILE_INFO_SIZE + SIZE, readToEnd(after.get()).size());
        }
        EXPECT_EQ(6, first->taken());
        EXPECT_TRUE(await([this] { return sfd_engine_idle(old_); }));

        shutdown(toNew.get(), SHUT_RDWR); // the old one ends
        first->leave();
        ASSERT_TRUE(await([this] { return new_->shared.succession.predecessors.load() == 0; }));
        command(SFD_WIRE_CANCEL, ids[0]); // nobody's any more
        expectServed();
        second.leave();
    }
}

TEST_P(EngineSuccessionTest, ShouldPassATrialOnASocketOfItsOwn)
{
    ASSERT_EQ(0, createSuccessor(-1));
    Generation second(new_, GetParam());
    int fds[2];
    ASSERT_EQ(0, sfd_sys_request_pair(fds));
    const OwnedFd receiving(fds[0]);
    const OwnedFd sending(fds[1]);
    ASSERT_TRUE(await([this] { return sfd_engine_paused(new_); }));
    sfd_engine_resume(new_, receiving.get());
    struct sfd_trial *trial = nullptr;
    ASSERT_EQ(0, sfd_trial_begin(&trial, sending.get()));
    EXPECT_EQ(0, sfd_trial_end(trial, 5000));
    pause(new_);
    ASSERT_EQ(0, sfd_trial_begin(&trial, sending.get()));
    EXPECT_EQ(-ETIMEDOUT, sfd_trial_end(trial, 50)) << "nobody receives";
}

INSTANTIATE_TEST_SUITE_P(Loops, EngineSuccessionTest, testing::Values(1u, 4u));

} // namespace
