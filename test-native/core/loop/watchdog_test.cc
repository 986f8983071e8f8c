// The watchdog: how it frees a loop that is stuck (R4, R5, D18), and when it sleeps.
#include "two_loops_fixture.h"

extern "C" {
#include "loop/loop_private.h"
}

namespace
{

using WatchdogTest = TwoLoopsFixture;

TEST_F(WatchdogTest, ShouldFreeALoopThatASocketBlocks)
{
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
TEST_F(WatchdogTest, ShouldLookAFewTimesMoreAfterTheLastWorkAndThenSleep)
{
    EXPECT_TRUE(serves());
    sleepOverWatch();
    shared_->watchdog.quiet_looks = 0; // as if a loop had worked a moment ago
    for (int looks = 0; looks < 9; looks++) {
        EXPECT_EQ(5, sfd_watchdog_look(shared_.get(), false)) << looks;
    }
    EXPECT_EQ(-1, sfd_watchdog_look(shared_.get(), false)) << "and sleeps on";
    EXPECT_FALSE(readable(shared_->watchdog.eventfd)) << "nobody works, and nobody wakes it";
}

TEST_F(WatchdogTest, ShouldBeWokenByTheFirstLoopThatWorks)
{
    sleepOverWatch();
    const OwnedFd in = request(SFD_WIRE_READ_FILE, "small");
    sfd_watchdog_wait(&shared_->watchdog, -1); // returns
    EXPECT_FALSE(shared_->watchdog.asleep.load()) << "nobody has to wake it twice";
    EXPECT_EQ(5, sfd_watchdog_look(shared_.get(), false)) << "it saw the loop at work";
    EXPECT_BYTES("small", readToEnd(in.get()).substr(SFD_WIRE_FILE_INFO_SIZE));
}

TEST_F(WatchdogTest, ShouldNotSleepWhileSomethingElseIsPending)
{
    ASSERT_TRUE(await([this] { return sfd_watchdog_look(shared_.get(), true) == 100; })) << "the loops sleep";
    for (int i = 0; i < 30; i++) {
        EXPECT_EQ(100, sfd_watchdog_look(shared_.get(), true));
    }
}

TEST_F(WatchdogTest, ShouldNotSleepWhileALoopIsStuck)
{
    stick();
    for (int i = 0; i < 30; i++) {
        EXPECT_GT(sfd_watchdog_look(shared_.get(), false), 0);
    }
    expectAllOfTheBigFile();
}

TEST_F(WatchdogTest, ShouldWatchALoopThatGetsStuckWhileItSleeps)
{
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

/* Two probes: the first one wakes them all. */
TEST_F(WatchdogTest, ShouldFindLoopsAliveThatHaveNothingToDo)
{
    EXPECT_TRUE(await([this] {
        sfd_watchdog_look(shared_.get(), false);
        return sfd_watchdog_probe(shared_.get());
    }));
    EXPECT_TRUE(readable(shared_->watchdog.eventfd)) << "it is asked as well";
    EXPECT_TRUE(serves());
}

TEST_F(WatchdogTest, ShouldFindALoopDeadThatIsStuckThoughTheOtherOneServes)
{
    stick();
    EXPECT_TRUE(serves());
    (void)sfd_watchdog_probe(shared_.get());
    for (int i = 0; i < 10; i++) {
        EXPECT_TRUE(serves());
        sfd_watchdog_look(shared_.get(), false);
        EXPECT_FALSE(sfd_watchdog_probe(shared_.get()));
    }
    expectAllOfTheBigFile();
    EXPECT_TRUE(await([this] {
        sfd_watchdog_look(shared_.get(), false);
        return sfd_watchdog_probe(shared_.get());
    }));
}

TEST_F(WatchdogTest, ShouldFindItDeadWhenTheWatchdogItselfDoesNotLook)
{
    sfd_watchdog_look(shared_.get(), false);
    (void)sfd_watchdog_probe(shared_.get());
    EXPECT_TRUE(await([this] {
        return shared_->loops[0]->beats.load() != shared_->loops[0]->probed_beats &&
               shared_->loops[1]->beats.load() != shared_->loops[1]->probed_beats;
    })) << "the probe has woken both";
    EXPECT_FALSE(sfd_watchdog_probe(shared_.get()));
}

TEST_F(WatchdogTest, ShouldEndAWaitWhenSomebodyWakesTheWatch)
{
    sfd_watchdog_wake(&shared_->watchdog);
    sfd_watchdog_wait(&shared_->watchdog, -1); // returns
    EXPECT_FALSE(readable(shared_->watchdog.eventfd));
}

} // namespace
