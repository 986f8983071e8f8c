// The mailbox: order, wake-ups, and that nothing is lost between many pushers and one taker.
#include "core.h"

#include <array>
#include <memory>
#include <thread>

namespace
{

class MailboxTest : public CoreTest
{
  protected:
    void SetUp() override
    {
        CoreTest::SetUp();
        ASSERT_EQ(0, sfd_mailbox_init(&mailbox_));
    }
    void TearDown() override
    {
        sfd_mailbox_deinit(&mailbox_);
        sfd_mailbox_deinit(&mailbox_); // idempotent
        CoreTest::TearDown();
    }

    struct sfd_mailbox mailbox_;
};

TEST_F(MailboxTest, ShouldBeEmptyAndQuietAtFirst)
{
    EXPECT_EQ(nullptr, sfd_mailbox_take(&mailbox_));
    EXPECT_FALSE(readable(mailbox_.eventfd));
}

TEST_F(MailboxTest, ShouldGiveTheOldestFirst)
{
    std::array<struct sfd_task, 3> tasks = {};
    for (struct sfd_task &task : tasks) {
        EXPECT_TRUE(sfd_mailbox_push(&mailbox_, &task));
    }
    struct sfd_task *taken = sfd_mailbox_take(&mailbox_);
    for (struct sfd_task &task : tasks) {
        ASSERT_EQ(&task, taken);
        taken = taken->next;
    }
    EXPECT_EQ(nullptr, taken);
    EXPECT_EQ(nullptr, sfd_mailbox_take(&mailbox_));
}

TEST_F(MailboxTest, ShouldWakeTheLoopOnceAndOnlyWhileItMayWait)
{
    std::array<struct sfd_task, 3> tasks = {};
    EXPECT_TRUE(sfd_mailbox_push(&mailbox_, &tasks[0]));
    EXPECT_FALSE(readable(mailbox_.eventfd)) << "a loop that works needs no wake-up";
    EXPECT_FALSE(sfd_mailbox_begin_wait(&mailbox_)) << "it would wait although there is mail";
    sfd_mailbox_end_wait(&mailbox_);
    sfd_mailbox_take(&mailbox_);
    EXPECT_TRUE(sfd_mailbox_begin_wait(&mailbox_));
    EXPECT_TRUE(sfd_mailbox_push(&mailbox_, &tasks[1]));
    EXPECT_TRUE(readable(mailbox_.eventfd));
    sfd_sys_event_clear(mailbox_.eventfd);
    EXPECT_TRUE(sfd_mailbox_push(&mailbox_, &tasks[2]));
    EXPECT_FALSE(readable(mailbox_.eventfd)) << "it was woken already";
    sfd_mailbox_end_wait(&mailbox_);
    sfd_mailbox_take(&mailbox_);
}

TEST_F(MailboxTest, ShouldTakeNothingOnceItIsClosedAndLoseNothingBefore)
{
    struct sfd_task before = {};
    struct sfd_task after = {};
    EXPECT_TRUE(sfd_mailbox_push(&mailbox_, &before));
    EXPECT_FALSE(sfd_mailbox_close(&mailbox_)) << "with a task in it";
    EXPECT_EQ(&before, sfd_mailbox_take(&mailbox_));
    EXPECT_TRUE(sfd_mailbox_close(&mailbox_));
    EXPECT_TRUE(sfd_mailbox_close(&mailbox_));
    EXPECT_FALSE(sfd_mailbox_push(&mailbox_, &after));
    EXPECT_EQ(nullptr, sfd_mailbox_take(&mailbox_));
}

TEST_F(MailboxTest, ShouldWakeTheLoopWithoutATask)
{
    sfd_mailbox_wake(&mailbox_);
    EXPECT_TRUE(readable(mailbox_.eventfd));
    EXPECT_EQ(nullptr, sfd_mailbox_take(&mailbox_));
}

TEST_F(MailboxTest, ShouldLoseNothingBetweenFourPushersAndOneTaker)
{
    constexpr size_t PUSHERS = 4;
    constexpr size_t EACH = 20000;
    auto tasks = std::make_unique<std::array<std::array<struct sfd_task, EACH>, PUSHERS>>();
    std::vector<std::thread> pushers;
    for (auto &mine : *tasks) {
        pushers.emplace_back([this, &mine] {
            for (struct sfd_task &task : mine) {
                EXPECT_TRUE(sfd_mailbox_push(&mailbox_, &task));
            }
        });
    }
    std::array<size_t, PUSHERS> expected = {};
    size_t got = 0;
    while (got < PUSHERS * EACH) {
        uint64_t count = 0;
        /* Waits for the wake-up: one that were missing would leave the test here. */
        if (sfd_mailbox_begin_wait(&mailbox_)) {
            while (!readable(mailbox_.eventfd)) {
                std::this_thread::yield();
            }
            sfd_sys_event_clear(mailbox_.eventfd);
        }
        sfd_mailbox_end_wait(&mailbox_);
        for (struct sfd_task *task = sfd_mailbox_take(&mailbox_); task != nullptr;) {
            struct sfd_task *next = task->next;
            for (size_t i = 0; i < PUSHERS; i++) {
                auto &mine = (*tasks)[i];
                if (task >= mine.data() && task < mine.data() + EACH) {
                    ASSERT_EQ(&mine[expected[i]++], task) << "out of order";
                    count++;
                }
            }
            task = next;
        }
        got += count;
    }
    for (std::thread &pusher : pushers) {
        pusher.join();
    }
    EXPECT_EQ(nullptr, sfd_mailbox_take(&mailbox_));
}

} // namespace
