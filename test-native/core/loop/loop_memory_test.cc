// A loop whose allocations, and whose calls that watch, wait and receive, fail for a while (R13, R14, D12, D15, D31).
#include "loop_fixture.h"

#include "allocations.h"

namespace
{

constexpr uint64_t START_MS = 1000000;

/* Answers of calls that the fixture leaves alone. */
struct Lack {
    int receive_error; // of every recvmmsg, unless 0
    int receives;
    int watch_error; // of every epoll_ctl that adds, unless 0
    int watches;
    int wait_error; // of the next waits
    int waits;
};
Lack lack;

class LoopMemoryTest : public LoopFixture
{
  protected:
    void SetUp() override
    {
        lack = {};
        LoopFixture::SetUp();
        script.now_ms = START_MS;
        warmUp();
    }
    void TearDown() override
    {
        allocations = {};
        lack = {};
        LoopFixture::TearDown();
    }
    void scriptCalls(struct sfd_sys *sys) override
    {
        script.now_ms = START_MS;
        sys->recvmmsg = [](int fd, struct mmsghdr *messages, unsigned count, int flags) {
            lack.receives++;
            return lack.receive_error < 0 ? lack.receive_error : sfd_sys_linux.recvmmsg(fd, messages, count, flags);
        };
        sys->epoll_ctl = [](int epoll, int operation, int fd, struct epoll_event *event) {
            if (operation == EPOLL_CTL_ADD && lack.watch_error < 0) {
                lack.watches++;
                return lack.watch_error;
            }
            return sfd_sys_linux.epoll_ctl(epoll, operation, fd, event);
        };
        sys->epoll_wait = [](int epoll, struct epoll_event *events, int count, int timeout_ms) {
            if (lack.waits > 0) {
                lack.waits--;
                return lack.wait_error;
            }
            script.timeout_ms = timeout_ms; // the clock is the test's: nobody would gain by the wait
            return sfd_sys_linux.epoll_wait(epoll, events, count, 0);
        };
    }
    /* Turns of which nobody wakes the first, with some time between them. */
    void pass(uint64_t ms, int ready_queue = 50)
    {
        for (int i = 0; i < ready_queue; i++) {
            turn(0, false);
        }
        script.now_ms += ms;
    }
    /* Until it holds, while the time goes on. */
    void later(const std::function<bool()> &condition)
    {
        for (int i = 0; i < 5000 && !condition(); i++) {
            turn();
            script.now_ms += 5;
        }
        EXPECT_TRUE(condition()) << "it does not come true";
    }
    static std::string lastOf(const std::string &bytes)
    {
        const Messages all = messages(bytes);
        return all.empty() ? "nothing" : all.back();
    }
    /* The messages that end a transfer, on a channel that has ended; 0 where the end itself says it all. */
    static int terminals(const std::string &bytes)
    {
        int count = 0;
        for (const std::string &message : messages(bytes)) {
            count += message == "complete" || message.rfind("error", 0) == 0 ? 1 : 0;
        }
        return count;
    }
};

/* ------------------------------------------------------------------ receiving */

TEST_F(LoopMemoryTest, ShouldLookAwayFromRequestsThatCannotBeReceived) // R4, D31
{
    for (const int error : {-ENOBUFS, -ENOMEM, -EIO}) {
        file(100);
        lack.receive_error = error;
        const OwnedFd in = read();
        for (int i = 0; i < 10; i++) {
            lack.receives = 0;
            pass(10);
            EXPECT_LE(lack.receives, 1) << "the socket is readable all the time";
            EXPECT_LE(script.timeout_ms, 10) << "but it is not forgotten";
            EXPECT_GT(script.timeout_ms, 0) << "and the loop sleeps";
        }
        EXPECT_EQ(0u, drain(in.get()).size());
        lack.receive_error = 0;
        later([&] { return readable(in.get()); });
        EXPECT_EQ(148u, drain(in.get()).size());
    }
    EXPECT_GE(count(SFD_COUNTER_SHORTAGES), 20u);
}

TEST_F(LoopMemoryTest, ShouldReportAReceiptThatFailsForGoodUntilItWorks) // R22
{
    const auto reported = [this] { return atomic_load(&shared_->receive_error); };
    file(100);
    for (const int error : {-EPERM, -EBADF}) {
        lack.receive_error = error;
        const OwnedFd in = read();
        for (uint64_t ms = 0; ms < 900; ms += 100) {
            pass(100);
            EXPECT_EQ(0, reported()) << "it may pass";
        }
        for (int i = 0; i < 5; i++) {
            pass(100);
        }
        EXPECT_EQ(-error, reported());
        lack.receive_error = 0;
        later([&] { return readable(in.get()); });
        EXPECT_EQ(0, reported());
        drain(in.get());
    }
}

TEST_F(LoopMemoryTest, ShouldReportASocketThatCannotBeWatched) // R22
{
    destroyLoops();
    createLoops();
    lack.watch_error = -EBADF;
    for (int i = 0; i < 15; i++) {
        pass(100);
    }
    EXPECT_EQ(EBADF, atomic_load(&shared_->receive_error));
    file(100);
    const OwnedFd in = read();
    lack.watch_error = 0;
    later([&] { return readable(in.get()); });
    EXPECT_EQ(0, atomic_load(&shared_->receive_error));
    drain(in.get());
}

TEST_F(LoopMemoryTest, ShouldReceiveOnceTheSocketCanBeWatched) // R4
{
    destroyLoops();
    createLoops();
    file(100);
    lack.watch_error = -ENOMEM;
    const OwnedFd in = read();
    for (int i = 0; i < 5; i++) {
        lack.watches = 0;
        pass(10);
        EXPECT_LE(lack.watches, 1);
        EXPECT_GT(script.timeout_ms, 0);
    }
    lack.watch_error = 0;
    later([&] { return readable(in.get()); });
    EXPECT_EQ(148u, drain(in.get()).size());
}

TEST_F(LoopMemoryTest, ShouldHandTheReceivingOnWhileItCannotReceive)
{
    destroyLoops();
    shared_->settings.loops = 2;
    createLoops();
    turn(0);
    file(BIG);
    Pipe dest;
    uint64_t id = 0;
    const OwnedFd status = opened(&id);
    lack.receive_error = -ENOMEM;
    const OwnedFd in = read();
    for (int i = 0; i < 200; i++) { // timers and offers of both loops cross each other
        if (i % 7 == 0) {
            sfd_loop_receiving_take_away(loop(receiver()));
        }
        turn(static_cast<uint32_t>(i % 2));
        script.now_ms += 3;
    }
    lack.receive_error = 0;
    later([&] {
        turn(1);
        return readable(in.get());
    });
    cancel(id);
    later([&] {
        turn(1);
        return atEnd(status.get());
    });
}

TEST_F(LoopMemoryTest, ShouldNotTakeTheTimerOfThePauseForMail)
{
    sfd_loop_receiving_offer(loop());
    sfd_loop_receiving_resume(loop()); // what the timer does, before the mail was taken
    sfd_loop_receiving_offer(loop());
    ASSERT_NE(&loop()->receive, loop()->receive.next) << "it is in the mailbox twice";
    EXPECT_EQ(0, turn());
}

/* ------------------------------------------------------------------ waiting */

TEST_F(LoopMemoryTest, ShouldSurviveAWaitThatFails) // R13
{
    file(100);
    for (const int error : {-ENOMEM, -EIO, -ENOBUFS, -EAGAIN}) {
        lack.wait_error = error;
        lack.waits = 2;
        EXPECT_EQ(0, turn());
        EXPECT_EQ(0, turn());
    }
    const OwnedFd in = read();
    later([&] { return readable(in.get()); });
}

TEST_F(LoopMemoryTest, ShouldEndWhenThereIsNothingToWaitWith)
{
    lack.wait_error = -EBADF;
    lack.waits = 1;
    EXPECT_EQ(-EBADF, turn());
}

/* ------------------------------------------------------------------ watching */

TEST_F(LoopMemoryTest, ShouldServeATransferThatEpollCannotWatch) // R13
{
    for (const int error : {-ENOSPC, -ENOMEM}) {
        file(BIG);
        lack.watch_error = error; // ENOSPC: fs.epoll.max_user_watches, which a user's programs share
        Pipe dest;
        const OwnedFd status = send(dest.out.get());
        dest.out.reset();
        std::string data;
        std::string told;
        later([&] {
            data += drain(dest.in.get());
            told += drain(status.get());
            return atEnd(dest.in.get());
        });
        lack.watch_error = 0;
        EXPECT_BYTES(content_, data);
        EXPECT_EQ("complete", lastOf(told + drain(status.get())));
        EXPECT_EQ(0u, transfers());
    }
}

TEST_F(LoopMemoryTest, ShouldEndAnUnwatchedTransferThatIsIdleForTooLong) // R14
{
    destroyLoops();
    shared_->settings.idle_timeout_ms = 2000;
    createLoops();
    turn();
    file(BIG);
    lack.watch_error = -ENOSPC;
    Pipe dest;
    OwnedFd status = send(dest.out.get());
    later([&] { return transfers() == 1; });
    const uint64_t begin = script.now_ms;
    later([&] { return transfers() == 0; });
    EXPECT_GE(script.now_ms - begin, 2000u);
    EXPECT_EQ(error(0x82, ETIMEDOUT), lastOf(drain(status.get())));
}

TEST_F(LoopMemoryTest, ShouldSeeAClientGoThatEpollCannotWatch)
{
    file(BIG);
    lack.watch_error = -ENOSPC;
    Pipe status;
    Pipe dest;
    submit(pathRequest(SFD_WIRE_READ_FILE, "file"), {status.out.get()});
    status.out.reset();
    later([&] { return transfers() == 1; });
    status.in.reset();
    later([&] { return transfers() == 0; });
}

TEST_F(LoopMemoryTest, ShouldEndWhatCanNeverBeWatched)
{
    file(BIG);
    lack.watch_error = -EPERM;
    Pipe dest;
    const OwnedFd status = send(dest.out.get());
    later([&] { return readable(status.get()) && transfers() == 0; });
    EXPECT_EQ(error(0x82, EPERM), lastOf(drain(status.get())));
}

/* ------------------------------------------------------------------ allocating */

TEST_F(LoopMemoryTest, ShouldSurviveTheFailureOfAnyAllocation) // D12, D15, R3, R13
{
    file(300000);
    writeFile(*directory_ / "small", "small");
    int cases = 0;
    for (int operation = 0; operation < 6; operation++) {
        for (const int fail : {1, 3, 1000}) {
            int before = 0;
            int failed = 0;
            do {
                SCOPED_TRACE(std::to_string(operation) + ": " + std::to_string(fail) + " after " +
                             std::to_string(before));
                allocations = {};
                destroyLoops(); // so that tables and timers have to grow
                createLoops();
                turn();
                script.cold_opens = operation == 1;
                Pipe dest;
                OwnedFd output = openFile(*directory_ / "output", O_WRONLY | O_CREAT | O_TRUNC);
                const char *const name = operation == 2 ? "small" : "file";
                const int target = operation == 3 ? output.get() : dest.out.get();
                OwnedFd status;
                uint64_t id = 0;
                if (operation == 4) {
                    status = opened(&id);
                    arm(before, fail);
                    sendOpen(id, target);
                } else {
                    arm(before, fail);
                    status = operation == 5 ? read(name) : send(target, name);
                }
                dest.out.reset();
                output.reset();
                std::string told;
                std::string data;
                const uint64_t begin = script.now_ms;
                later([&] {
                    told += drain(status.get());
                    data += drain(dest.in.get());
                    if (script.now_ms > begin + 3000) {
                        allocations.fail = 0;
                    }
                    return atEnd(status.get());
                });
                if (operation != 5) {
                    EXPECT_LE(terminals(told), 1);
                    if (terminals(told) == 1 && messages(told).back() == "complete") {
                        const std::string sent = operation == 2 ? "small" : content_;
                        data += drain(dest.in.get());
                        EXPECT_BYTES(sent, operation == 3 ? contentOf(*directory_ / "output") : data);
                    }
                }
                later([&] { return transfers() == 0 && loop()->context.closer.count == 0; });
                EXPECT_EQ(0u, loop()->context.timers.count - (loop()->close_again.position > 0 ? 1 : 0)) // D11
                    << "a timer outlived its transfer";
                cases++;
                failed = allocations.failed;
            } while (failed > 0 && before++ < 100);
            EXPECT_LT(before, 100);
        }
    }
    EXPECT_GE(cases, 60);
}

TEST_F(LoopMemoryTest, ShouldRefuseARequestForWhoseTimerThereIsNoRoom) // D12
{
    file(100);
    std::vector<OwnedFd> parked;
    for (int i = 0; i < 150; i++) { // the timers' room is doubled twice meanwhile
        arm(0, 1);
        const OwnedFd refused = open();
        later([&] { return readable(refused.get()); });
        EXPECT_EQ(1, allocations.failed);
        ASSERT_EQ(Messages{error(0x81, ENOMEM)}, messages(drain(refused.get()))) << i;
        parked.push_back(open());
        later([&] { return readable(parked.back().get()); });
        ASSERT_EQ(Messages{"info 100"}, messages(drain(parked.back().get()))) << i;
    }
    EXPECT_EQ(150u, loop()->context.timers.count);
    for (int i = 0; i < 2; i++) { // after the first jump, a late turn, their time begins anew
        script.now_ms += shared_->settings.open_timeout_ms;
        turn();
    }
    later([&] { return transfers() == 0; });
    EXPECT_EQ(0u, loop()->context.timers.count);
}

TEST_F(LoopMemoryTest, ShouldSleepWhileThereIsNoMemoryToCloseDescriptorsWith) // R4
{
    const auto passLingering = [this] {
        SocketPair pair = tcpPair();
        const struct linger on = {1, 10};
        EXPECT_EQ(0, setsockopt(pair.out.get(), SOL_SOCKET, SO_LINGER, &on, sizeof(on)));
        submit("malformed", {pair.out.get()});
        pair.out.reset();
        turn(); // the next one refuses it
        return std::move(pair.in);
    };
    const OwnedFd first = passLingering();
    settle(); // from here on the closer has room
    const OwnedFd second = passLingering();
    arm(0, 1000000);
    for (int i = 0; i < 5; i++) {
        turn();
        allocations.failed = 0;
        pass(10);
        EXPECT_EQ(0, allocations.failed) << "once in 10 ms is enough";
        EXPECT_GT(script.timeout_ms, 0);
        EXPECT_LE(script.timeout_ms, 10);
    }
    EXPECT_EQ(1u, loop()->context.closer.count);
    allocations = {};
    later([&] { return loop()->context.closer.count == 0; });
    for (const int in : {first.get(), second.get()}) {
        ASSERT_EQ(1, sfd_sys_wait_readable(in, 10000));
        EXPECT_TRUE(atEnd(in));
    }
}

/* ------------------------------------------------------------------ one request beside another */

TEST_F(LoopMemoryTest, ShouldNotTellOneRequestTheErrorOfAnother) // D26
{
    file(100);
    uint64_t id = 0;
    const OwnedFd parked = opened(&id);
    for (int i = 0; i < 10; i++) {
        const OwnedFd missing = read("missing");
        const OwnedFd good = read();
        later([&] { return readable(missing.get()); });
        EXPECT_EQ(Messages{error(0x81, ENOENT)}, messages(drain(missing.get())));
        later([&] { return readable(good.get()); });
        EXPECT_EQ(148u, drain(good.get()).size());
    }
    Pipe dest;
    sendOpen(id, dest.out.get());
    dest.out.reset();
    later([&] { return readable(parked.get()) && transfers() == 0; });
    EXPECT_EQ("complete", lastOf(drain(parked.get())));
    EXPECT_BYTES(content_, drain(dest.in.get()));
}

TEST_F(LoopMemoryTest, ShouldNotLetAnOldTimerEndANewTransfer) // D27, D11, R14
{
    destroyLoops();
    shared_->settings.open_timeout_ms = 1000;
    createLoops();
    turn();
    file(100);
    for (int i = 0; i < 20; i++) { // their memory and their table entries are used again at once
        uint64_t id = 0;
        OwnedFd status = opened(&id);
        const size_t own = loop()->look_for_exits.position > 0 ? 1 : 0;
        EXPECT_EQ(1u, loop()->context.timers.count - own);
        script.now_ms += 900;
        cancel(id);
        later([&] { return atEnd(status.get()); });
        EXPECT_EQ(0u, loop()->context.timers.count) << "it died with its transfer";
        status = opened(&id);
        script.now_ms += 900; // the first would have been due
        settle();
        EXPECT_EQ(1u, transfers());
        EXPECT_EQ(0u, drain(status.get()).size());
        cancel(id);
        later([&] { return transfers() == 0; });
    }
}

} // namespace
