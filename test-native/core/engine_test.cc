// One engine: start, end, and a small daemon of threads around it.
#include "await.h"
#include "small_daemon.h"

#include <memory>
#include <sys/un.h>

namespace
{

class EngineTest : public CoreTest
{
  protected:
    void SetUp() override
    {
        CoreTest::SetUp();
        directory_ = std::make_unique<TemporaryDirectory>();
        std::filesystem::create_directory(*directory_ / "root");
    }
    void TearDown() override
    {
        sfd_engine_destroy(engine_);
        directory_.reset();
        CoreTest::TearDown();
    }

    int create(const struct sfd_settings &settings, const std::string &root = "root")
    {
        const struct sfd_endpoint_access own = {0600, 0};
        return sfd_engine_create(&engine_, &settings, directory_->path().c_str(), "test", (*directory_ / root).c_str(),
                                 &own, nullptr, -1);
    }
    bool socketExists() const
    {
        return std::filesystem::exists(*directory_ / "sendfiled.test.socket");
    }

    std::unique_ptr<TemporaryDirectory> directory_;
    struct sfd_engine *engine_ = nullptr;
};

TEST_F(EngineTest, ShouldHaveItsLoopsAndItsSocketFromTheStart)
{
    ASSERT_EQ(0, create(settingsOf(SFD_LOOPS_MAX)));
    EXPECT_TRUE(socketExists());
    for (uint32_t i = 0; i < SFD_LOOPS_MAX; i++) {
        EXPECT_NE(nullptr, sfd_engine_loop(engine_, i));
    }
}

TEST_F(EngineTest, ShouldRefuseSettingsThatMakeNoSense)
{
    for (const uint32_t loops : {0u, SFD_LOOPS_MAX + 1u}) {
        EXPECT_EQ(-EINVAL, create(settingsOf(loops)));
    }
    struct sfd_settings settings = settingsOf(1);
    settings.quantum = 0;
    EXPECT_EQ(-EINVAL, create(settings));
    settings = settingsOf(1);
    settings.buffer_size = 0;
    EXPECT_EQ(-EINVAL, create(settings));
    EXPECT_EQ(nullptr, engine_) << "the output is untouched";
    EXPECT_FALSE(socketExists());
}

TEST_F(EngineTest, ShouldRefuseARootThatIsNoDirectory)
{
    writeFile(*directory_ / "file", "x");
    EXPECT_EQ(-ENOENT, create(settingsOf(1), "missing"));
    EXPECT_EQ(-ENOTDIR, create(settingsOf(1), "file"));
    EXPECT_FALSE(socketExists());
}

TEST_F(EngineTest, ShouldRefuseASecondInstanceOfItsName)
{
    ASSERT_EQ(0, create(settingsOf(1)));
    struct sfd_engine *second = nullptr;
    const struct sfd_settings settings = settingsOf(1);
    const struct sfd_endpoint_access own = {0600, 0};
    EXPECT_EQ(-EADDRINUSE, sfd_engine_create(&second, &settings, directory_->path().c_str(), "test",
                                             directory_->path().c_str(), &own, nullptr, -1));
    EXPECT_EQ(nullptr, second);
    EXPECT_TRUE(socketExists());
}

TEST_F(EngineTest, ShouldCloseItsEndpointOnceAndForAll)
{
    ASSERT_EQ(0, create(settingsOf(1)));
    sfd_engine_close_endpoint(engine_);
    EXPECT_FALSE(socketExists());
    sfd_engine_close_endpoint(engine_); // idempotent
}

TEST_F(EngineTest, ShouldReloadWhatNeedsNoOtherStart)
{
    const struct sfd_settings started = settingsOf(2);
    ASSERT_EQ(0, create(started));
    struct sfd_settings other = started;
    other.max_transfers = 7;
    other.client.transfers = 3;
    other.idle_timeout_ms = 99;
    EXPECT_EQ(0, sfd_engine_reload(engine_, &other));
    EXPECT_EQ(7u, engine_->shared.accounts.all.load());
    EXPECT_EQ(3u, engine_->shared.accounts.limits.transfers);

    for (int member = 0; member < 5; member++) {
        struct sfd_settings refused = started;
        if (member == 0) refused.loops = 1;
        if (member == 1) refused.buffer_size *= 2;
        if (member == 2) refused.follow_root = 1;
        if (member == 3) refused.selector = true;
        if (member == 4) refused.quantum = 0;
        EXPECT_EQ(-EINVAL, sfd_engine_reload(engine_, &refused)) << member;
    }
    EXPECT_EQ(7u, engine_->shared.accounts.all.load()) << "nothing of it";
}

TEST_F(EngineTest, ShouldDestroyNothingGracefully)
{
    sfd_engine_destroy(nullptr);
}

class EngineLoopsTest : public EngineTest, public testing::WithParamInterface<uint32_t>
{
  protected:
    OwnedFd connected() const
    {
        OwnedFd socket(sfd_sys_unix_datagram());
        EXPECT_EQ(0, sfd_sys_unix_connect(socket.get(), (*directory_ / "sendfiled.test.socket").c_str()));
        return socket;
    }
    static OwnedFd request(int socket, uint8_t command, const std::string &path, int dest = -1)
    {
        Pipe status;
        char header[SFD_WIRE_MAX_REQUEST_SIZE];
        const size_t n = sfd_wire_put_path_request(header, command, 0, 0);
        const std::string bytes = std::string(header, n) + path + '\0';
        const int fds[] = {status.out.get(), dest};
        int result = 0;
        do {
            result = sfd_submit_send(&sfd_sys_linux, socket, bytes.data(), bytes.size(), fds, dest < 0 ? 1 : 2);
            if (result == -EAGAIN) {
                sfd_sys_wait_writable(socket, 100);
            }
        } while (result == -EAGAIN);
        EXPECT_EQ(0, result);
        return std::move(status.in);
    }
};

TEST_P(EngineLoopsTest, ShouldServeManyTransfersOfSeveralClientsAtOnce)
{
    const size_t sizes[] = {0, 1, 4096, 65537, 1048577};
    for (const size_t size : sizes) {
        writeFile(*directory_ / ("root/" + std::to_string(size)), pattern(size));
    }
    ASSERT_EQ(0, create(settingsOf(GetParam())));
    {
        const SmallDaemon daemon(engine_, GetParam());
        std::vector<std::thread> clients;
        for (unsigned c = 0; c < 4; c++) {
            clients.emplace_back([&, c] {
                const OwnedFd socket = connected();
                for (unsigned i = 0; i < 40; i++) {
                    const size_t size = sizes[(c + i) % 5];
                    const std::string name = std::to_string(size);
                    if (i % 2 == 0) {
                        const OwnedFd in = request(socket.get(), SFD_WIRE_READ_FILE, name);
                        const std::string bytes = readToEnd(in.get());
                        ASSERT_EQ(SFD_WIRE_FILE_INFO_SIZE + size, bytes.size());
                        EXPECT_BYTES(pattern(size), bytes.substr(SFD_WIRE_FILE_INFO_SIZE));
                    } else {
                        SocketPair pair;
                        setNonblocking(pair.out.get());
                        const OwnedFd status = request(socket.get(), SFD_WIRE_SEND_FILE, name, pair.out.get());
                        pair.out.reset();
                        EXPECT_BYTES(pattern(size), readToEnd(pair.in.get()));
                        EXPECT_EQ("complete", messages(readToEnd(status.get())).back());
                    }
                }
            });
        }
        for (std::thread &client : clients) {
            client.join();
        }
    }
    EXPECT_EQ(0u, engine_->shared.transfers.load());
}

TEST_P(EngineLoopsTest, ShouldEndWhileTransfersAreUnderWay)
{
    writeFile(*directory_ / "root/big", pattern(4 << 20));
    ASSERT_EQ(0, create(settingsOf(GetParam())));
    std::vector<OwnedFd> stuck;
    {
        const OwnedFd socket = connected();
        const SmallDaemon daemon(engine_, GetParam());
        for (int i = 0; i < 30; i++) {
            stuck.push_back(request(socket.get(), SFD_WIRE_READ_FILE, "big"));
        }
        const std::string header = readExactly(stuck.front().get(), SFD_WIRE_FILE_INFO_SIZE);
        EXPECT_EQ(SFD_WIRE_FILE_INFO_SIZE, header.size());
    }
    sfd_engine_close_endpoint(engine_); // requests that nobody has received go with it
    for (const OwnedFd &in : stuck) {
        EXPECT_LT(readToEnd(in.get()).size(), SFD_WIRE_FILE_INFO_SIZE + (4u << 20)) << "and there is an end";
    }
}

// R15: while it drains, what was accepted goes on, and nothing new begins.
TEST_P(EngineLoopsTest, ShouldFinishWhatItHasAndTakeNothingNewWhileItDrains)
{
    writeFile(*directory_ / "root/big", pattern(1 << 20));
    ASSERT_EQ(0, create(settingsOf(GetParam())));
    const SmallDaemon daemon(engine_, GetParam());
    const OwnedFd socket = connected();
    SocketPair pair;
    setNonblocking(pair.out.get());
    const OwnedFd sending = request(socket.get(), SFD_WIRE_SEND_FILE, "big", pair.out.get());
    SocketPair stuck;
    setNonblocking(stuck.out.get());
    const OwnedFd cancelled = request(socket.get(), SFD_WIRE_SEND_FILE, "big", stuck.out.get());
    const OwnedFd opened = request(socket.get(), SFD_WIRE_OPEN_FILE, "big");
    (void)readExactly(sending.get(), SFD_WIRE_FILE_INFO_SIZE);
    const uint64_t other = infoOf(readExactly(cancelled.get(), SFD_WIRE_FILE_INFO_SIZE)).id;
    (void)readExactly(opened.get(), SFD_WIRE_FILE_INFO_SIZE);
    EXPECT_EQ(3u, sfd_engine_transfers(engine_));

    sfd_engine_drain(engine_);
    sfd_engine_drain(engine_); // idempotent

    EXPECT_FALSE(socketExists());
    const Messages refused{"error " + std::to_string(SFD_WIRE_FILE_INFO) + " " + std::to_string(ESHUTDOWN)};
    for (const uint8_t command : {SFD_WIRE_OPEN_FILE, SFD_WIRE_READ_FILE}) {
        const OwnedFd status = request(socket.get(), command, "big");
        EXPECT_EQ(refused, messages(readToEnd(status.get())));
    }
    char header[SFD_WIRE_MAX_REQUEST_SIZE];
    size_t n = sfd_wire_put_transfer_request(header, SFD_WIRE_CANCEL, other);
    ASSERT_EQ(0, sfd_submit_send(&sfd_sys_linux, socket.get(), header, n, nullptr, 0));
    const Messages said = messages(readToEnd(cancelled.get()));
    EXPECT_TRUE(said.empty() || said.back() != "complete");
    /* What is only opened does not move, and so is not waited for. */
    EXPECT_EQ("error " + std::to_string(SFD_WIRE_XFER_STAT) + " " + std::to_string(ESHUTDOWN),
              messages(readToEnd(opened.get())).back());
    pair.out.reset();
    EXPECT_BYTES(pattern(1 << 20), readToEnd(pair.in.get()));
    EXPECT_EQ("complete", messages(readToEnd(sending.get())).back());
    EXPECT_TRUE(await([this] { return sfd_engine_transfers(engine_) == 0; }));
}

// R15: a request that was sent in time gets an answer, not just the end of its status channel.
TEST_P(EngineLoopsTest, ShouldRefuseInWordsWhatWaitsInTheSocketAtItsEnd)
{
    writeFile(*directory_ / "root/file", "x");
    ASSERT_EQ(0, create(settingsOf(GetParam())));
    const OwnedFd socket = connected();
    std::vector<OwnedFd> waiting;
    sfd_loop_wake(sfd_engine_loop(engine_, 0));                                    // it waits for nothing
    ASSERT_EQ(0, sfd_carrier_poll(sfd_loop_carrier(sfd_engine_loop(engine_, 0)))); // from now on it receives
    for (int i = 0; i < 5; i++) {
        waiting.push_back(request(socket.get(), SFD_WIRE_READ_FILE, "file"));
    }
    for (uint32_t i = 0; i < GetParam(); i++) {
        sfd_loop_stop(sfd_engine_loop(engine_, i));
    }
    {
        const SmallDaemon daemon(engine_, GetParam());
    }
    sfd_engine_close_endpoint(engine_);
    for (const OwnedFd &in : waiting) {
        EXPECT_EQ(Messages{"error " + std::to_string(SFD_WIRE_FILE_INFO) + " " + std::to_string(ESHUTDOWN)},
                  messages(readToEnd(in.get())));
    }
}

/* One loop, whose turns the test takes itself; the socket is its own, as systemd's is. */
class PassedSocketTest : public EngineLoopsTest
{
  protected:
    void SetUp() override
    {
        EngineLoopsTest::SetUp();
        writeFile(*directory_ / "root/small", "small");
        const std::string path = *directory_ / "sendfiled.test.socket";
        struct sockaddr_un address = {};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        kept_ = OwnedFd(sfd_sys_unix_datagram());
        const int on = 1;
        ASSERT_EQ(0, setsockopt(kept_.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
        ASSERT_EQ(0, bind(kept_.get(), reinterpret_cast<struct sockaddr *>(&address), sizeof address));
        const struct sfd_endpoint_access own = {0600, 0};
        const struct sfd_settings settings = settingsOf(1);
        ASSERT_EQ(0, sfd_engine_create(&engine_, &settings, directory_->path().c_str(), "test",
                                       (*directory_ / "root").c_str(), &own, nullptr, dup(kept_.get())));
    }
    void TearDown() override
    {
        kept_.reset();
        EngineLoopsTest::TearDown();
    }

    /* A turn, the verdicts on what it has received, and the work for disks. How many requests that were. */
    int turn()
    {
        sfd_loop_wake(sfd_engine_loop(engine_, 0)); // it waits for nothing
        struct sfd_carrier *carrier = sfd_loop_carrier(sfd_engine_loop(engine_, 0));
        EXPECT_EQ(0, sfd_carrier_poll(carrier));
        struct sfd_turn *turn = sfd_carrier_turn(carrier);
        for (int i = 0; i < turn->requests; i++) {
            dispatcher_decide(&turn->slot[i], getuid());
        }
        for (int i = 0; i < turn->offloads; i++) {
            sfd_loop_work(reinterpret_cast<struct sfd_task *>(turn->offload[i].task));
        }
        turn->offloads = 0;
        return turn->requests;
    }

    OwnedFd kept_;
};

TEST_P(PassedSocketTest, ShouldNotBeDrainedBeforeItHasAnsweredWhatItHasReceived)
{
    const OwnedFd client = connected();
    const OwnedFd status = request(client.get(), SFD_WIRE_READ_FILE, "small");
    while (turn() == 0) {
    }
    sfd_engine_drain(engine_);
    EXPECT_EQ(0u, sfd_engine_transfers(engine_));
    ASSERT_FALSE(sfd_engine_drained(engine_)) << "the request has a verdict, and is not served yet";
    const OwnedFd late = request(client.get(), SFD_WIRE_READ_FILE, "small");
    for (int turns = 0; turns < 20 && !sfd_engine_drained(engine_); turns++) {
        EXPECT_EQ(0, turn()) << "the late one is left for the next engine";
    }
    ASSERT_TRUE(sfd_engine_drained(engine_));
    EXPECT_EQ("small", readToEnd(status.get()).substr(SFD_WIRE_FILE_INFO_SIZE));
    char byte = 0;
    EXPECT_EQ(1, recv(kept_.get(), &byte, 1, MSG_DONTWAIT));
    EXPECT_EQ(SFD_WIRE_READ_FILE, byte);
}

INSTANTIATE_TEST_SUITE_P(OneLoop, PassedSocketTest, testing::Values(1u));

INSTANTIATE_TEST_SUITE_P(Loops, EngineLoopsTest, testing::Values(1u, 3u));

} // namespace
