// The ready queue: round-robin by client, in order within one.
#include "core.h"

#include <memory>

namespace
{

class ReadyQueueTest : public testing::Test
{
  protected:
    void SetUp() override
    {
        const struct sfd_limits limits = {};
        sfd_client_accounts_init(&accounts_, &limits);
        sfd_clients_init(&clients_, &accounts_);
    }
    void TearDown() override
    {
        while (sfd_ready_queue_pop(&queue_) != nullptr) {
        }
        for (const auto &t : transfers_) {
            sfd_clients_leave(&clients_, t->loop.client);
        }
        for (const struct sfd_client *client : clients_.buckets) {
            EXPECT_EQ(nullptr, client) << "a client outlived its transfers";
        }
        for (const struct sfd_user *user : clients_.users) {
            EXPECT_EQ(nullptr, user) << "a user outlived its clients";
        }
        for (const struct sfd_client_account *account : accounts_.buckets) {
            EXPECT_EQ(nullptr, account) << "an account outlived its clients";
        }
        sfd_client_accounts_deinit(&accounts_);
    }

    struct sfd_transfer *enter(int32_t pid, uint32_t uid = 1000)
    {
        transfers_.push_back(std::make_unique<struct sfd_transfer>());
        struct sfd_transfer *t = transfers_.back().get();
        sfd_transfer_init(t);
        t->loop.client = sfd_clients_enter(&clients_, pid, uid);
        return t;
    }

    struct sfd_client_accounts accounts_;
    struct sfd_clients clients_;
    struct sfd_ready_queue queue_ = {};
    std::vector<std::unique_ptr<struct sfd_transfer>> transfers_;
};

TEST_F(ReadyQueueTest, ShouldHaveNobodyWhenNobodyIsReady)
{
    enter(1);
    EXPECT_EQ(nullptr, sfd_ready_queue_pop(&queue_));
}

TEST_F(ReadyQueueTest, ShouldKeepTheOrderWithinOneClient)
{
    struct sfd_transfer *a = enter(1);
    struct sfd_transfer *b = enter(1);
    struct sfd_transfer *c = enter(1);
    sfd_ready_queue_push(&queue_, b);
    sfd_ready_queue_push(&queue_, a);
    sfd_ready_queue_push(&queue_, c);
    EXPECT_EQ(3u, queue_.count);
    EXPECT_EQ(b, sfd_ready_queue_pop(&queue_));
    EXPECT_EQ(a, sfd_ready_queue_pop(&queue_));
    EXPECT_EQ(c, sfd_ready_queue_pop(&queue_));
    EXPECT_EQ(nullptr, sfd_ready_queue_pop(&queue_));
    EXPECT_EQ(0u, queue_.count);
}

TEST_F(ReadyQueueTest, ShouldGiveAPoliteClientEverySecondTurnBesideAFlooder) // D36
{
    for (int i = 0; i < 100; i++) {
        sfd_ready_queue_push(&queue_, enter(1));
    }
    struct sfd_transfer *polite = enter(2);
    sfd_ready_queue_push(&queue_, polite);
    int queue_of_polite = 0;
    for (int i = 0; i < 50; i++) {
        struct sfd_transfer *t = sfd_ready_queue_pop(&queue_);
        ASSERT_NE(nullptr, t);
        queue_of_polite += t == polite ? 1 : 0;
        sfd_ready_queue_push(&queue_, t);
    }
    EXPECT_EQ(25, queue_of_polite);
}

TEST_F(ReadyQueueTest, ShouldServeManyClientsInACircle)
{
    std::vector<struct sfd_transfer *> all;
    for (int32_t pid = 1; pid <= 200; pid++) { // more than there are buckets
        all.push_back(enter(pid));
        sfd_ready_queue_push(&queue_, all.back());
    }
    for (int round = 0; round < 3; round++) {
        for (struct sfd_transfer *expected : all) {
            struct sfd_transfer *t = sfd_ready_queue_pop(&queue_);
            ASSERT_EQ(expected, t);
            sfd_ready_queue_push(&queue_, t);
        }
    }
}

TEST_F(ReadyQueueTest, ShouldGiveAUserEverySecondTurnBesideOneWithManyProcesses) // R25
{
    for (int32_t pid = 1; pid <= 100; pid++) {
        sfd_ready_queue_push(&queue_, enter(pid, 1000));
    }
    struct sfd_transfer *polite = enter(1, 2000);
    sfd_ready_queue_push(&queue_, polite);
    int turns_of_polite = 0;
    for (int i = 0; i < 50; i++) {
        struct sfd_transfer *t = sfd_ready_queue_pop(&queue_);
        ASSERT_NE(nullptr, t);
        turns_of_polite += t == polite ? 1 : 0;
        sfd_ready_queue_push(&queue_, t);
    }
    EXPECT_EQ(25, turns_of_polite);
    EXPECT_EQ(101u, queue_.count);
}

TEST_F(ReadyQueueTest, ShouldServeTheClientsOfAUserInTurnAsTheirTransfersEnd)
{
    struct sfd_transfer *a1 = enter(1);
    struct sfd_transfer *a2 = enter(1);
    struct sfd_transfer *b1 = enter(2);
    struct sfd_transfer *c1 = enter(3);
    for (struct sfd_transfer *t : {a1, a2, b1, c1}) {
        sfd_ready_queue_push(&queue_, t);
    }
    for (struct sfd_transfer *expected : {a1, b1, c1, a2}) {
        EXPECT_EQ(expected, sfd_ready_queue_pop(&queue_));
    }
    EXPECT_EQ(nullptr, sfd_ready_queue_pop(&queue_));
}

TEST_F(ReadyQueueTest, ShouldQueueAReadyTransferOnlyOnce)
{
    struct sfd_transfer *t = enter(1);
    sfd_ready_queue_push(&queue_, t);
    sfd_ready_queue_push(&queue_, t);
    EXPECT_EQ(1u, queue_.count);
    EXPECT_EQ(t, sfd_ready_queue_pop(&queue_));
    EXPECT_EQ(nullptr, sfd_ready_queue_pop(&queue_));
    EXPECT_FALSE(t->loop.ready);
}

} // namespace
