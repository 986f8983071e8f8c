// Sessions that go to a loop with less to do: when they do, and that nothing of them is lost on the way (R29).
#include "session_loops_fixture.h"

#include <csignal>

#include <sys/wait.h>

namespace
{

class SessionMoveTest : public SessionLoopsFixture
{
};

// ---- when

TEST_F(SessionMoveTest, ShouldGoToALoopThatHasLessToDoAndStayThere)
{
    connect(2);
    work(4 * SECOND);
    EXPECT_EQ(1u, moves());
    EXPECT_EQ(1u, on(0));
    EXPECT_EQ(1u, on(1));
}

TEST_F(SessionMoveTest, ShouldStayWhereItIsAlone)
{
    connect(1);
    the_clock.cost_ns = 900000;
    work(4 * SECOND);
    EXPECT_EQ(0u, moves());
}

TEST_F(SessionMoveTest, ShouldStayForADifferenceThatIsNotWorthIt)
{
    connect(2);
    the_clock.cost_ns = 200000; // a fifth of the time, against none
    work(4 * SECOND);
    EXPECT_EQ(0u, moves());
}

TEST_F(SessionMoveTest, ShouldStayWhileTheOtherLoopWorksAsMuch)
{
    connect(2);
    for (int i = 0; i < 4 * SECOND; i++) {
        loop(1)->work.published = (the_clock.step_ns / STEP_NS) << 24 | 1000;
        work(1);
    }
    EXPECT_EQ(0u, moves());
}

TEST_F(SessionMoveTest, ShouldStayWhileTheOtherLoopIsStuck)
{
    connect(2);
    loop(1)->stuck = true;
    work(4 * SECOND);
    EXPECT_EQ(0u, moves());
    loop(1)->stuck = false;
    work(SECOND);
    EXPECT_EQ(1u, moves());
}

TEST_F(SessionMoveTest, ShouldStayUntilTheEndOfItsProcessIsWaitedFor)
{
    connect(2);
    work(SECOND / 2);
    EXPECT_EQ(0u, moves());
}

TEST_F(SessionMoveTest, ShouldLeaveALoopOneByOne)
{
    connect(8);
    the_clock.cost_ns = 120000;
    work(SECOND);
    uint64_t before = moves();
    uint64_t last_ns = 0;
    for (int i = 0; i < 4 * SECOND; i++) {
        work(1);
        if (moves() == before) {
            continue;
        }
        EXPECT_EQ(before + 1, moves());
        EXPECT_LE(last_ns + 250 * STEP_NS, the_clock.step_ns);
        last_ns = the_clock.step_ns;
        before = moves();
    }
    EXPECT_EQ(3u, moves());
    EXPECT_EQ(3u, on(1));
}

TEST_F(SessionMoveTest, ShouldStayWhileSomethingIsInFlight)
{
    connect(2);
    SocketPair full[2];
    for (size_t i = 0; i < 2; i++) {
        Client &client = *clients_[i];
        full[i].fill();
        struct sfd_session_entry e = sending(client);
        e.destination = add(client, SFD_SESSION_DESTINATION, full[i].out.get());
        client.raw.submit(e);
        client.raw.publish();
    }
    stepUntil([&] { return transfers() == 2; });
    work(4 * SECOND);
    EXPECT_EQ(0u, moves());
    drain(full[0].in.get());
    EXPECT_EQ(0u, answer(*clients_[0]).error);
    work(SECOND);
    EXPECT_EQ(1u, moves());
    EXPECT_EQ(1u, transfers());
    clients_.clear();
    stepUntil([this] { return shared_->sessions.load() == 0; });
}

TEST_F(SessionMoveTest, ShouldStayWhileItsRingHasMoreThanATurnTakes)
{
    sizes_ = {256, 512, 4096};
    connect(2);
    for (int i = 0; i < 3 * SECOND; i++) {
        for (const auto &client : clients_) {
            struct sfd_session_completion c;
            while (client->reap(&c)) {
                EXPECT_EQ(0u, c.error);
            }
            drain(client->pair.in.get());
            while (client->raw.submitted - client->raw.word(SFD_SESSION_TAKEN_AT) < 200) {
                client->raw.submit(client->raw.submitted % 64 == 0 ? sending(*client) : entry(SFD_SESSION_NOTHING));
            }
            client->raw.publish();
        }
        step();
    }
    EXPECT_EQ(0u, moves());
    EXPECT_LT(uint64_t{2 * SECOND}, count(SFD_COUNTER_REQUESTS, 0));
}

// ---- on its way

TEST_F(SessionMoveTest, ShouldBeServedWithWhatItsClientAsksOnItsWay)
{
    connect(2);
    workUntilOneLeaves();
    EXPECT_EQ(1u, on(0));
    EXPECT_EQ(1u, on(1)) << "on its way";
    std::vector<std::unique_ptr<SocketPair>> second;
    for (const auto &client : clients_) {
        second.push_back(std::make_unique<SocketPair>());
        for (uint64_t i = 1; i <= 8; i++) {
            client->raw.submit(sending(*client, i));
        }
        client->raw.publish();
        ASSERT_EQ(0, client->raw.say(RawSession::registering(SFD_SESSION_DESTINATION, 9), {second.back()->out.get()}));
    }
    for (const auto &client : clients_) {
        uint64_t next = 1;
        for (int i = 0; i < 9; i++) {
            const struct sfd_session_completion c = answer(*client);
            EXPECT_EQ(0u, c.error);
            if (c.user_data == 9) {
                client->destination = c.handle;
            } else {
                EXPECT_EQ(next++, c.user_data);
            }
        }
        std::string all;
        for (int i = 0; i < 8; i++) {
            all += content_;
        }
        EXPECT_BYTES(all, drain(client->pair.in.get()));
    }
    for (size_t i = 0; i < 2; i++) {
        submit(*clients_[i]);
        EXPECT_EQ(0u, answer(*clients_[i]).error);
        EXPECT_BYTES(content_, drain(second[i]->in.get()));
    }
}

TEST_F(SessionMoveTest, ShouldKeepALinkToARequestThatHasFailedBefore)
{
    connect(2);
    const auto ask = [this] {
        for (const auto &client : clients_) {
            client->raw.submit(entry(SFD_SESSION_NOTHING, 1)); // linked to what has failed in the step before
            client->raw.submit(sending(*client, 2));
            client->raw.submit(entry(SFD_SESSION_RELEASE, 3, SFD_SESSION_LINK)); // of no handle
            client->raw.publish();
        }
    };
    bool first = true;
    uint64_t after_move = 0;
    for (int i = 0; i < 4 * SECOND && after_move < 3; i++) {
        ask();
        for (const auto &client : clients_) {
            for (uint64_t n = 1; n <= 3; n++) {
                const struct sfd_session_completion c = answer(*client);
                EXPECT_EQ(n, c.user_data);
                EXPECT_EQ(n == 2 || (n == 1 && first) ? 0u : n == 1 ? unsigned{ECANCELED} : unsigned{EBADF}, c.error);
            }
            EXPECT_BYTES(content_, drain(client->pair.in.get()));
        }
        first = false;
        step();
        after_move += moves() > 0 ? 1 : 0;
    }
    EXPECT_EQ(1u, moves());
}

TEST_F(SessionMoveTest, ShouldEndIfItsClientClosesItOnItsWay)
{
    connect(2);
    workUntilOneLeaves();
    clients_.clear();
    stepUntil([this] { return shared_->sessions.load() == 0; });
    EXPECT_EQ(0u, on(0));
    EXPECT_EQ(0u, on(1));
}

TEST_F(SessionMoveTest, ShouldEndIfTheLoopsStopWhileItIsOnItsWay)
{
    connect(2);
    workUntilOneLeaves();
    sfd_loop_stop(loop(0));
    sfd_loop_stop(loop(1));
    for (uint32_t l = 0; l < 2; l++) {
        int result = 0;
        for (int i = 0; i < SECOND && result == 0; i++) {
            result = turn(l);
        }
        EXPECT_EQ(-ESHUTDOWN, result);
    }
    EXPECT_EQ(0u, shared_->sessions.load());
    for (const auto &client : clients_) {
        EXPECT_TRUE(client->raw.ended());
    }
}

TEST_F(SessionMoveTest, ShouldBeFreedWithALoopThatDoesNotTakeIt)
{
    connect(2);
    workUntilOneLeaves();
    destroyLoops();
    EXPECT_EQ(0u, shared_->sessions.load());
    for (const auto &client : clients_) {
        EXPECT_TRUE(client->raw.ended());
    }
}

TEST_F(SessionMoveTest, ShouldStayWithItsLoopIfTheOtherOneHasEnded)
{
    connect(2);
    work(SECOND);
    ASSERT_TRUE(sfd_mailbox_close(&loop(1)->mailbox));
    work(3 * SECOND);
    EXPECT_LT(0u, moves());
    EXPECT_EQ(2u, on(0));
}

TEST_F(SessionMoveTest, ShouldCountForItsClientThroughout)
{
    connect(2);
    struct sfd_client_account *account = loop(0)->sessions.at[0]->account;
    const unsigned descriptors = account->descriptors;
    EXPECT_EQ(8u, descriptors) << "connection, eventfd, file and destination of each";
    workUntilOneLeaves();
    EXPECT_EQ(descriptors, account->descriptors);
    limits().descriptors = 9;
    step();
    for (const auto &client : clients_) {
        submit(*client);
        EXPECT_EQ(0u, answer(*client).error);
    }
    add(*clients_[0], SFD_SESSION_FILE, file_.get());
    for (const auto &client : clients_) {
        ASSERT_EQ(0, client->raw.say(RawSession::registering(SFD_SESSION_FILE, 0), {file_.get()}));
        EXPECT_EQ(unsigned{EDQUOT}, answer(*client).error);
    }
    EXPECT_EQ(descriptors + 1, account->descriptors);
}

TEST_F(SessionMoveTest, ShouldBeDecidedOnAnewIfItHasMissedAReload)
{
    connect(2);
    workUntilOneLeaves();
    loop(1)->settings_version++; // that loop has seen one just before
    loop(1)->sessions.settings_version++;
    shared_->reload.version++;
    deny_ = EACCES;
    turnOf(1);
    stepUntil([this] { return on(1) == 0; });
}

// ---- its process

class SessionMoveProcessTest : public SessionMoveTest
{
  protected:
    void SetUp() override
    {
        process_ = fork();
        while (process_ == 0) {
            pause();
        }
        SessionMoveTest::SetUp();
        script.process = process_;
    }
    void TearDown() override
    {
        end();
        SessionMoveTest::TearDown();
    }
    void end()
    {
        if (process_ > 0) {
            kill(process_, SIGKILL);
            waitpid(process_, nullptr, 0);
        }
        process_ = 0;
    }

    int process_ = 0;
};

TEST_F(SessionMoveProcessTest, ShouldEndWithItsProcessWhereverItIs) // R19
{
    connect(2);
    workUntilOneLeaves();
    const int pidfds = script.pidfds;
    script.process = -ESRCH; // its number could be another process's by now
    step();
    work(SECOND);
    EXPECT_EQ(pidfds, script.pidfds) << "the pidfd went with it";
    end();
    stepUntil([this] { return shared_->sessions.load() == 0; });
    for (const auto &client : clients_) {
        EXPECT_TRUE(client->raw.ended());
    }
}

TEST_F(SessionMoveProcessTest, ShouldEndIfItsProcessEndsWhileItIsOnItsWay) // R19
{
    connect(2);
    workUntilOneLeaves();
    script.process = -ENOENT;
    end();
    stepUntil([this] { return shared_->sessions.load() == 0; });
}

} // namespace
