// The timer heap: order, moves, removal; no clock is asked.
#include "core.h"

#include <algorithm>
#include <climits>
#include <random>

namespace
{

class TimerTest : public testing::Test
{
  protected:
    void SetUp() override
    {
        sfd_timers_init(&timers_);
        ASSERT_EQ(0, sfd_timers_reserve(&timers_, 1000));
    }
    void TearDown() override
    {
        sfd_timers_deinit(&timers_);
    }

    struct sfd_timers timers_;
};

TEST_F(TimerTest, ShouldWaitWithoutEndWhenNoTimerIsArmed)
{
    EXPECT_EQ(-1, sfd_timers_timeout(&timers_, 0));
    EXPECT_EQ(nullptr, sfd_timers_expire(&timers_, UINT64_MAX));
}

TEST_F(TimerTest, ShouldExpireAtTheDueMillisecondAndNotBefore)
{
    struct sfd_timer timer = {};
    sfd_timer_arm(&timers_, &timer, 100);
    EXPECT_EQ(nullptr, sfd_timers_expire(&timers_, 99));
    EXPECT_EQ(&timer, sfd_timers_expire(&timers_, 100));
    EXPECT_EQ(nullptr, sfd_timers_expire(&timers_, 100)) << "it expires once";
}

TEST_F(TimerTest, ShouldWaitUntilTheFirstOfSeveral)
{
    struct sfd_timer late = {};
    struct sfd_timer soon = {};
    sfd_timer_arm(&timers_, &late, 500);
    sfd_timer_arm(&timers_, &soon, 200);
    EXPECT_EQ(150, sfd_timers_timeout(&timers_, 50));
    EXPECT_EQ(0, sfd_timers_timeout(&timers_, 200));
    EXPECT_EQ(0, sfd_timers_timeout(&timers_, 300)) << "overdue";
}

TEST_F(TimerTest, ShouldCutAWaitThatDoesNotFitEpoll)
{
    struct sfd_timer timer = {};
    sfd_timer_arm(&timers_, &timer, UINT64_MAX);
    EXPECT_EQ(INT_MAX, sfd_timers_timeout(&timers_, 0));
}

TEST_F(TimerTest, ShouldMoveATimerThatIsArmedAgain)
{
    struct sfd_timer moved = {};
    struct sfd_timer other = {};
    sfd_timer_arm(&timers_, &moved, 10);
    sfd_timer_arm(&timers_, &other, 20);
    sfd_timer_arm(&timers_, &moved, 30);
    EXPECT_EQ(2u, timers_.count);
    EXPECT_EQ(&other, sfd_timers_expire(&timers_, 100));
    EXPECT_EQ(&moved, sfd_timers_expire(&timers_, 100));
}

TEST_F(TimerTest, ShouldNotExpireADisarmedTimer)
{
    struct sfd_timer gone = {};
    struct sfd_timer kept = {};
    sfd_timer_arm(&timers_, &gone, 10);
    sfd_timer_arm(&timers_, &kept, 20);
    sfd_timer_disarm(&timers_, &gone);
    sfd_timer_disarm(&timers_, &gone);
    EXPECT_EQ(&kept, sfd_timers_expire(&timers_, 100));
    EXPECT_EQ(nullptr, sfd_timers_expire(&timers_, 100));
}

TEST_F(TimerTest, ShouldDisarmATimerThatWasNeverArmed)
{
    struct sfd_timer timer = {};
    sfd_timer_disarm(&timers_, &timer);
    EXPECT_EQ(0u, timers_.count);
}

TEST_F(TimerTest, ShouldExpireInOrderAfterRandomArmsMovesAndDisarms)
{
    std::mt19937 random(7);
    std::vector<struct sfd_timer> owners(1000);
    for (int round = 0; round < 20000; round++) {
        struct sfd_timer *timer = &owners[random() % owners.size()];
        if (random() % 3 == 0) {
            sfd_timer_disarm(&timers_, timer);
        } else {
            sfd_timer_arm(&timers_, timer, random() % 5000);
        }
    }
    std::vector<uint64_t> expected;
    for (const struct sfd_timer &timer : owners) {
        if (timer.position != 0) {
            expected.push_back(timer.due_ms);
        }
    }
    std::sort(expected.begin(), expected.end());
    ASSERT_GT(expected.size(), 300u);
    std::vector<uint64_t> actual;
    while (const struct sfd_timer *timer = sfd_timers_expire(&timers_, UINT64_MAX)) {
        actual.push_back(timer->due_ms);
    }
    EXPECT_EQ(expected, actual);
}

TEST_F(TimerTest, ShouldKeepArmedTimersWhenRoomIsAdded)
{
    struct sfd_timer timer = {};
    sfd_timer_arm(&timers_, &timer, 5);
    ASSERT_EQ(0, sfd_timers_reserve(&timers_, 100000));
    EXPECT_GT(timers_.capacity, 100000u) << "the heap counts from 1";
    EXPECT_EQ(&timer, sfd_timers_expire(&timers_, 5));
}

} // namespace
