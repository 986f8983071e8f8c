// A kernel call for a session that is held holds its thread, and that session alone (R4, R16, R29).
#include "held_loops_fixture.h"

#include <map>

#include <poll.h>
#include <sys/un.h>

#include <sendfiled/sendfiled.h>

extern "C" {
#include "hot.h"
#include "loop/guard.h"
}

namespace
{

class SessionHeldTest : public HeldLoopsFixture
{
  protected:
    void SetUp() override
    {
        HeldLoopsFixture::SetUp();
        datagrams_ = bindAt("socket", SOCK_DGRAM);
        sessions_ = bindAt("session", SOCK_SEQPACKET);
        ASSERT_EQ(0, listen(sessions_.get(), 10));
        setNonblocking(sessions_.get());
        shared_->session_fd = sessions_.get();
        const struct sfd_hot_settings settings = {&sys_, true, 16, 1000000000, false};
        ASSERT_EQ(0, sfd_hot_init(&hot_, directory_->path().c_str(), &settings));
        hot_.kernel.sys = &sfd_guard_sys;
        shared_->hot[0] = &hot_;
    }
    void TearDown() override
    {
        for (struct sfd_session *session : all_) {
            sfd_session_close(session);
        }
        stop();
        for (struct sfd_loop *&loop : shared_->loops) {
            sfd_loop_destroy(loop);
            loop = nullptr;
        }
        EXPECT_EQ(0u, shared_->sessions.load());
        sfd_hot_deinit(&hot_);
        datagrams_.reset();
        sessions_.reset();
        HeldLoopsFixture::TearDown();
    }
    OwnedFd bindAt(const char *suffix, int type)
    {
        struct sockaddr_un address = {};
        address.sun_family = AF_UNIX;
        std::snprintf(address.sun_path, sizeof(address.sun_path), "%s/sendfiled.test.%s", directory_->path().c_str(),
                      suffix);
        OwnedFd fd(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
        EXPECT_EQ(0, bind(fd.get(), reinterpret_cast<struct sockaddr *>(&address), sizeof(address)));
        return fd;
    }
    /* One client's: a session, a file that is open, and a destination. */
    struct Client {
        struct sfd_session *session = nullptr;
        SocketPair pair;
        uint32_t file = 0;
        uint32_t destination = 0;
    };
    std::unique_ptr<Client> connect()
    {
        auto client = std::make_unique<Client>();
        EXPECT_EQ(0, sfd_session_open(directory_->path().c_str(), "test", nullptr, &client->session))
            << strerror(errno);
        all_.push_back(client->session);
        struct sfd_session_request open = {};
        open.operation = SFD_SESSION_OPEN;
        open.path = "small";
        EXPECT_EQ(1, sfd_session_submit(client->session, &open, 1));
        client->file = reapOne(*client).handle;
        EXPECT_EQ(0, sfd_session_register(client->session, SFD_SESSION_DESTINATION, client->pair.out.get(), 0));
        client->destination = reapOne(*client).handle;
        EXPECT_NE(0u, client->file);
        EXPECT_NE(0u, client->destination);
        return client;
    }
    static void submit(Client &client)
    {
        struct sfd_session_request send = {};
        send.operation = SFD_SESSION_SEND;
        send.file = client.file;
        send.destination = client.destination;
        send.length = SFD_SESSION_TO_END;
        ASSERT_EQ(1, sfd_session_submit(client.session, &send, 1));
    }
    static bool hasCompletion(Client &client, struct sfd_session_completion *out)
    {
        return sfd_session_reap(client.session, out, 1) == 1;
    }
    static struct sfd_session_completion reapOne(Client &client)
    {
        struct sfd_session_completion completion = {};
        EXPECT_TRUE(await([&] { return hasCompletion(client, &completion); })) << "nothing comes";
        return completion;
    }
    void expectSend(Client &client)
    {
        submit(client);
        const struct sfd_session_completion completion = reapOne(client);
        EXPECT_EQ(0u, completion.error);
        EXPECT_EQ(small_.size(), completion.moved);
        EXPECT_BYTES(small_, receive(client.pair.in.get(), small_.size()));
    }

    OwnedFd datagrams_;
    OwnedFd sessions_;
    struct sfd_hot hot_ = {};
    std::vector<struct sfd_session *> all_;
};

class SessionHeldCallTest : public SessionHeldTest, public testing::WithParamInterface<Hold>
{
};

TEST_P(SessionHeldCallTest, ShouldServeOthersMeanwhile)
{
    start();
    warmUp();
    const auto held = connect();
    const auto other = connect();
    expectSend(*held);
    expectSend(*other);
    gate.hold(GetParam());
    submit(*held);
    ASSERT_TRUE(gate.awaitHeld(1));
    expectService();
    EXPECT_EQ(1u, shared_->carriers.held.load());
    struct sfd_session_completion none;
    EXPECT_FALSE(hasCompletion(*held, &none));
    gate.release();
    const struct sfd_session_completion completion = reapOne(*held);
    EXPECT_EQ(0u, completion.error);
    EXPECT_BYTES(small_, receive(held->pair.in.get(), small_.size()));
    EXPECT_TRUE(await([this] { return shared_->carriers.held.load() == 0; }));
    expectSend(*held);
    expectSend(*other);
}

TEST_P(SessionHeldCallTest, ShouldEndWhenTheCallIsBack)
{
    start();
    warmUp();
    const auto held = connect();
    gate.hold(GetParam());
    submit(*held);
    submit(*held);
    ASSERT_TRUE(gate.awaitHeld(1));
    sfd_session_close(held->session);
    all_.clear();
    expectService();
    EXPECT_EQ(1u, shared_->sessions.load()) << "a thread works on it";
    gate.release();
    EXPECT_TRUE(await([this] { return shared_->sessions.load() == 0; }));
    expectService();
}

TEST_P(SessionHeldCallTest, ShouldStopWhenTheCallIsBack)
{
    start();
    warmUp();
    const auto held = connect();
    gate.hold(GetParam());
    submit(*held);
    ASSERT_TRUE(gate.awaitHeld(1));
    expectService();
    stopLoops();
    EXPECT_EQ(1u, loopsThatRun());
    gate.release();
    EXPECT_TRUE(await([this] { return loopsThatRun() == 0; })) << "the loop does not end";
}

INSTANTIATE_TEST_SUITE_P(Calls, SessionHeldCallTest,
                         testing::Values(Hold(PREADV2).of(ANY), Hold(PREADV2).of(ANY).made(), Hold(SOCKET_SEND).of(ANY),
                                         Hold(SOCKET_SEND).of(ANY).made()),
                         [](const auto &test) {
                             return std::string(test.param.call == PREADV2 ? "Read" : "Send") +
                                    (test.param.after ? "Made" : "");
                         });

TEST_F(SessionHeldTest, ShouldReceiveARegistrationMeanwhileAndAfterwards)
{
    start();
    warmUp();
    const auto held = connect();
    gate.hold(Hold(SOCKET_SEND).of(ANY));
    submit(*held);
    ASSERT_TRUE(gate.awaitHeld(1));
    SocketPair second;
    ASSERT_EQ(0, sfd_session_register(held->session, SFD_SESSION_DESTINATION, second.out.get(), 7));
    expectService();
    gate.release();
    std::map<uint64_t, uint32_t> handles;
    for (int i = 0; i < 2; i++) {
        const struct sfd_session_completion completion = reapOne(*held);
        EXPECT_EQ(0u, completion.error);
        handles[completion.user_data] = completion.handle;
    }
    EXPECT_NE(0u, handles[7]);
}

TEST_F(SessionHeldTest, ShouldGiveTheBytesOfAHeldOpenToItsSessionAlone)
{
    start();
    warmUp();
    const auto held = connect();
    const auto other = connect();
    gate.hold(Hold(OPENAT2).of(ANY));
    struct sfd_session_request open = {};
    open.operation = SFD_SESSION_OPEN;
    open.path = "big";
    ASSERT_EQ(1, sfd_session_submit(held->session, &open, 1));
    ASSERT_TRUE(gate.awaitHeld(1));
    expectSend(*other); // without a new open: its client is suspect by now, but not the loop
    gate.release();
    EXPECT_EQ(big_.size(), reapOne(*held).size);
}

// Else the call could find another file under its number.
TEST_F(SessionHeldTest, ShouldKeepTheFileOfAHeldOpenThatIsWithdrawn)
{
    const std::string content = pattern(200, 7);
    writeFile(*directory_ / "cold", content);
    start();
    warmUp();
    const auto held = connect();
    gate.hold(Hold(DUPLICATE).of(ANY));
    struct sfd_session_request request = {};
    request.operation = SFD_SESSION_OPEN;
    request.path = "cold";
    request.user_data = 1;
    ASSERT_EQ(1, sfd_session_submit(held->session, &request, 1));
    ASSERT_TRUE(gate.awaitHeld(1));
    request = {};
    request.operation = SFD_SESSION_WITHDRAW;
    request.target = 1;
    request.user_data = 2;
    ASSERT_EQ(1, sfd_session_submit(held->session, &request, 1));
    EXPECT_EQ(2u, reapOne(*held).user_data);
    expectService();
    EXPECT_EQ(1u, shared_->transfers.load()) << "it has closed the file";
    gate.release();
    const struct sfd_session_completion opened = reapOne(*held);
    EXPECT_EQ(0u, opened.error);
    EXPECT_TRUE(awaitTransfers(0));
    held->file = opened.handle;
    submit(*held);
    EXPECT_EQ(0u, reapOne(*held).error);
    EXPECT_BYTES(content, receive(held->pair.in.get(), content.size()));
}

TEST_F(SessionHeldTest, ShouldRestWhileASessionHasAllItsJobs)
{
    start();
    warmUp();
    const auto client = connect();
    const struct sfd_session_options options = {2048, 2048, 4096, {}};
    sfd_session_close(client->session);
    all_.clear();
    ASSERT_EQ(0, sfd_session_open(directory_->path().c_str(), "test", &options, &client->session));
    all_.push_back(client->session);
    client->pair.fill();
    ASSERT_EQ(0, sfd_session_register(client->session, SFD_SESSION_DESTINATION, client->pair.out.get(), 0));
    client->destination = reapOne(*client).handle;
    std::vector<struct sfd_session_request> requests(2000);
    for (struct sfd_session_request &request : requests) {
        request.flags = SFD_SESSION_LINK;
    }
    requests[0].operation = SFD_SESSION_SEND; // what waits for it are more jobs than there may be
    requests[0].path = "small";
    requests[0].destination = client->destination;
    requests[0].length = SFD_SESSION_TO_END;
    ASSERT_EQ(2000, sfd_session_submit(client->session, requests.data(), requests.size()));
    ASSERT_TRUE(awaitTransfers(1));
    expectService();
    expectService();
    const unsigned beats = shared_->loops[0]->beats;
    expectService();
    EXPECT_GT(beats + 200, shared_->loops[0]->beats) << "it looks at the ring again and again";
    size_t all = 0;
    EXPECT_TRUE(await([&] {
        struct sfd_session_completion some[64];
        (void)drain(client->pair.in.get());
        const int n = sfd_session_reap(client->session, some, 64);
        all += n > 0 ? static_cast<size_t>(n) : 0;
        return all == requests.size();
    }));
}

// The loop that accepts it has slept since its last turn, longer than a client may take to say Hello.
TEST_F(SessionHeldTest, ShouldWelcomeWhoComesAfterALongSilence)
{
    start();
    warmUp();
    for (int i = 0; i < 10; i++) {
        const unsigned beats = shared_->loops[0]->beats;
        answers.skew_ms += 60000;
        const auto client = connect();
        expectSend(*client);
        EXPECT_NE(beats, shared_->loops[0]->beats);
    }
}

TEST_F(SessionHeldTest, ShouldServeManyWhoseCallsAreHeldAtRandom)
{
    start(2);
    warmUp();
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 0; i < 8; i++) {
        clients.push_back(connect());
    }
    gate.holdAtRandom(11, 20, 15000);
    for (int round = 0; round < 60; round++) {
        for (const auto &client : clients) {
            submit(*client);
        }
        for (const auto &client : clients) {
            EXPECT_EQ(0u, reapOne(*client).error);
            EXPECT_BYTES(small_, receive(client->pair.in.get(), small_.size()));
        }
    }
    gate.release();
}

// Sessions move all the time: a thread tells their loops, by turns, that another one has nothing to do.
TEST_F(SessionHeldTest, ShouldServeManyThatMoveWhileCallsAreHeldAtRandom)
{
    constexpr uint64_t MOVES = 20;
    constexpr unsigned FASTER = 12; // the clock by which they are measured
    constexpr int ROUND = 8;
    sys_.now_ns = [] { return sfd_sys_linux.now_ns() * FASTER; };
    start(3);
    warmUp();
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 0; i < 9; i++) {
        clients.push_back(connect());
    }
    std::atomic<bool> over{false};
    std::thread teller([&] {
        for (uint64_t i = 0; !over; i++) {
            const uint64_t now = sys_.now_ns() / 1000000 << 24;
            for (uint64_t l = 0; l < 3; l++) {
                shared_->loops[l]->work.published = now | (l == i / 20 % 3 ? 0 : 1024);
            }
            std::this_thread::yield();
        }
    });
    gate.holdAtRandom(13, 5, 3000);
    const bool moved = await([&] {
        answers.skew_ms += 200; // the loops soon wait for the end of the process
        for (const auto &client : clients) {
            for (int i = 0; i < ROUND; i++) {
                submit(*client);
            }
        }
        for (const auto &client : clients) {
            std::string all;
            for (int i = 0; i < ROUND; i++) {
                EXPECT_EQ(0u, reapOne(*client).error);
                all += small_;
            }
            EXPECT_BYTES(all, receive(client->pair.in.get(), all.size()));
        }
        return count(SFD_COUNTER_SESSION_MOVES) >= MOVES;
    });
    over = true;
    teller.join();
    gate.release();
    EXPECT_TRUE(moved) << count(SFD_COUNTER_SESSION_MOVES);
    for (const auto &client : clients) {
        expectSend(*client);
    }
}

} // namespace
