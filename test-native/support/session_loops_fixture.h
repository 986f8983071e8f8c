// Two loops with sessions, in steps of a millisecond of a clock of their own: what tests of sessions that move share.
//
// Each request costs some of that; a loop that has served its own sleeps to the end of the step.
#ifndef SFD_TEST_SESSION_LOOPS_FIXTURE_H
#define SFD_TEST_SESSION_LOOPS_FIXTURE_H

#include "loop_fixture.h"

#include <sys/un.h>

#include "raw_session.h"

extern "C" {
#include "hot.h"
#include "loop/guard.h"
}

constexpr uint64_t STEP_NS = 1000000;
constexpr int SECOND = 1000; // steps
constexpr size_t SIZE = 300;

struct Clock {
    uint64_t step_ns; // when the step began
    uint64_t now_ns;  // of the loop whose turn it is
    uint64_t cost_ns; // of a request
};
inline Clock the_clock;

struct Client {
    Client(const std::string &directory, const RawSizes &sizes) : raw(directory, sizes) {}

    bool reap(struct sfd_session_completion *out)
    {
        return raw.word(SFD_SESSION_COMPLETED_AT) != raw.reaped && raw.reap(out);
    }

    RawSession raw;
    SocketPair pair;
    uint32_t file = 0;
    uint32_t destination = 0;
};
using Clients = std::vector<std::unique_ptr<Client>>;

class SessionLoopsFixture : public LoopFixture
{
  protected:
    void SetUp() override
    {
        the_clock = {1000 * SECOND * STEP_NS, 1000 * SECOND * STEP_NS, 400000};
        LoopFixture::SetUp();
        file(SIZE);
        file_ = openFile(*directory_ / "file", O_RDONLY);
        sockaddr_un address = {};
        address.sun_family = AF_UNIX;
        (*directory_ / "sendfiled.test.session").copy(address.sun_path, sizeof address.sun_path - 1);
        listening_.reset(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        ASSERT_EQ(0, bind(listening_.get(), reinterpret_cast<sockaddr *>(&address), sizeof address));
        ASSERT_EQ(0, listen(listening_.get(), 100));
        const struct sfd_hot_settings settings = {&sys_, true, 16, 1000000000, false};
        ASSERT_EQ(0, sfd_hot_init(&hot_, directory_->path().c_str(), &settings));
        hot_.kernel.sys = &sfd_guard_sys;
        shared_->hot[0] = &hot_;
        shared_->session_fd = listening_.get();
    }
    void TearDown() override
    {
        clients_.clear();
        destroyLoops();
        EXPECT_EQ(0u, shared_->sessions.load());
        sfd_hot_deinit(&hot_);
        listening_.reset();
        file_.reset();
        LoopFixture::TearDown();
    }
    void createLoops() override
    {
        shared_->settings.loops = 2;
        LoopFixture::createLoops();
    }
    void scriptCalls(struct sfd_sys *sys) override
    {
        sys->now_ns = [] { return the_clock.now_ns; };
        sys->now_ms = [] { return the_clock.now_ns / STEP_NS; };
        sys->preadv2 = [](int fd, const struct iovec *iov, int count, int64_t offset, int flags) {
            the_clock.now_ns += iov->iov_len == SIZE ? the_clock.cost_ns : 0;
            return sfd_sys_linux.preadv2(fd, iov, count, offset, flags);
        };
        sys->epoll_wait = [](int epoll, struct epoll_event *events, int count, int) {
            the_clock.now_ns = std::max(the_clock.now_ns, the_clock.step_ns + STEP_NS);
            return sfd_sys_linux.epoll_wait(epoll, events, count, 0);
        };
    }

    void turnOf(uint32_t index)
    {
        the_clock.now_ns = the_clock.step_ns;
        turn(index);
    }
    void step()
    {
        turnOf(0);
        turnOf(1);
        the_clock.step_ns += STEP_NS;
    }
    void stepUntil(const std::function<bool()> &condition)
    {
        for (int i = 0; i < 10 * SECOND; i++) {
            if (condition()) {
                return;
            }
            step();
        }
        FAIL() << "it does not come true";
    }
    struct sfd_session_completion answer(Client &client)
    {
        struct sfd_session_completion c = {};
        stepUntil([&] { return client.reap(&c); });
        return c;
    }
    uint32_t add(Client &client, uint32_t kind, int fd)
    {
        EXPECT_EQ(0, client.raw.say(RawSession::registering(kind, 0), {fd}));
        const struct sfd_session_completion c = answer(client);
        EXPECT_EQ(0u, c.error);
        return c.handle;
    }
    /* On the first loop, as if the other one had more. */
    void connect(int count)
    {
        loop(1)->session_count += 1000;
        for (int i = 0; i < count; i++) {
            clients_.push_back(std::make_unique<Client>(directory_->path(), sizes_));
            Client &client = *clients_.back();
            ASSERT_TRUE(client.raw.prepare());
            ASSERT_EQ(0, client.raw.say(RawSession::hello(client.raw.sizes()),
                                        {client.raw.memory_fd.get(), client.raw.event.get()}));
            stepUntil([&] { return client.raw.answer(0) == RawSession::Answer::WELCOME; });
            client.file = add(client, SFD_SESSION_FILE, file_.get());
            client.destination = add(client, SFD_SESSION_DESTINATION, client.pair.out.get());
        }
        loop(1)->session_count -= 1000;
        ASSERT_EQ(static_cast<unsigned>(count), on(0));
    }
    static struct sfd_session_entry entry(uint8_t operation, uint64_t user_data = 0, uint8_t flags = 0)
    {
        struct sfd_session_entry e = {};
        e.operation = operation;
        e.user_data = user_data;
        e.flags = flags;
        return e;
    }
    static struct sfd_session_entry sending(const Client &client, uint64_t user_data = 0, uint8_t flags = 0)
    {
        struct sfd_session_entry e = entry(SFD_SESSION_SEND, user_data, flags);
        e.file = client.file;
        e.destination = client.destination;
        e.length = SFD_SESSION_TO_END;
        return e;
    }
    static void submit(Client &client)
    {
        client.raw.submit(sending(client));
        client.raw.publish();
    }
    void expectSent(Client &client)
    {
        struct sfd_session_completion c = {};
        ASSERT_TRUE(client.reap(&c));
        EXPECT_EQ(0u, c.error);
        EXPECT_EQ(SIZE, c.moved);
        EXPECT_BYTES(content_, drain(client.pair.in.get()));
    }
    /* Each has a request in every second step: one turn sees its event, the next one serves it. */
    void work(int steps)
    {
        for (int i = 0; i < steps && !HasFatalFailure(); i++) {
            for (const auto &client : clients_) {
                submit(*client);
            }
            stepUntil([&] {
                return std::all_of(clients_.begin(), clients_.end(), [](const auto &client) {
                    return client->raw.word(SFD_SESSION_COMPLETED_AT) != client->raw.reaped;
                });
            });
            for (const auto &client : clients_) {
                expectSent(*client);
            }
        }
    }
    /* Until one is on its way, and the other loop has not taken it. Of neither is anything in flight. */
    void workUntilOneLeaves()
    {
        const uint64_t before = moves();
        for (int i = 0; i < 10 * SECOND && !HasFatalFailure(); i++) {
            const bool begins = i % 2 == 0; // the first turn sees the event, the second one serves
            for (const auto &client : clients_) {
                if (begins) {
                    submit(*client);
                }
            }
            turnOf(0);
            for (const auto &client : clients_) {
                if (!begins) {
                    expectSent(*client);
                }
            }
            if (moves() > before) {
                return;
            }
            turnOf(1);
            the_clock.step_ns += STEP_NS;
        }
        FAIL() << "none leaves";
    }
    struct sfd_limits &limits()
    {
        return shared_->accounts.limits;
    }
    unsigned on(uint32_t index)
    {
        return loop(index)->session_count.load();
    }
    uint64_t moves()
    {
        return count(SFD_COUNTER_SESSION_MOVES, 0) + count(SFD_COUNTER_SESSION_MOVES, 1);
    }

    RawSizes sizes_;
    OwnedFd listening_;
    OwnedFd file_;
    struct sfd_hot hot_ = {};
    Clients clients_;
};

#endif
