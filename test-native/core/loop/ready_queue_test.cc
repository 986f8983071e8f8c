// Whose turn it is: round-robin by client, in order within one.
#include "core.h"

#include <memory>

namespace
{

class TurnsTest : public testing::Test
{
  protected:
    void SetUp() override
    {
        const struct sfd_limits limits = {};
        sfd_accounts_init(&accounts_, &limits);
        sfd_turns_init(&turns_, &accounts_);
    }
    void TearDown() override
    {
        while (sfd_turns_pop(&turns_) != nullptr) {
        }
        for (const auto &t : transfers_) {
            sfd_turns_leave(&turns_, t->client);
        }
        for (const struct sfd_client *client : turns_.buckets) {
            EXPECT_EQ(nullptr, client) << "a client outlived its transfers";
        }
        for (const struct sfd_account *account : accounts_.buckets) {
            EXPECT_EQ(nullptr, account) << "an account outlived its clients";
        }
        sfd_accounts_deinit(&accounts_);
    }

    struct sfd_transfer *enter(int32_t pid, uint32_t uid = 1000)
    {
        transfers_.push_back(std::make_unique<struct sfd_transfer>());
        struct sfd_transfer *t = transfers_.back().get();
        sfd_transfer_init(t);
        t->client = sfd_turns_enter(&turns_, pid, uid);
        return t;
    }

    struct sfd_accounts accounts_;
    struct sfd_turns turns_;
    std::vector<std::unique_ptr<struct sfd_transfer>> transfers_;
};

TEST_F(TurnsTest, ShouldHaveNobodyWhenNobodyIsReady)
{
    enter(1);
    EXPECT_EQ(nullptr, sfd_turns_pop(&turns_));
}

TEST_F(TurnsTest, ShouldKeepTheOrderWithinOneClient)
{
    struct sfd_transfer *a = enter(1);
    struct sfd_transfer *b = enter(1);
    struct sfd_transfer *c = enter(1);
    sfd_turns_push(&turns_, b);
    sfd_turns_push(&turns_, a);
    sfd_turns_push(&turns_, c);
    EXPECT_EQ(3u, turns_.ready);
    EXPECT_EQ(b, sfd_turns_pop(&turns_));
    EXPECT_EQ(a, sfd_turns_pop(&turns_));
    EXPECT_EQ(c, sfd_turns_pop(&turns_));
    EXPECT_EQ(nullptr, sfd_turns_pop(&turns_));
    EXPECT_EQ(0u, turns_.ready);
}

TEST_F(TurnsTest, ShouldGiveAPoliteClientEverySecondTurnBesideAFlooder) // D36
{
    for (int i = 0; i < 100; i++) {
        sfd_turns_push(&turns_, enter(1));
    }
    struct sfd_transfer *polite = enter(2);
    sfd_turns_push(&turns_, polite);
    int turns_of_polite = 0;
    for (int i = 0; i < 50; i++) {
        struct sfd_transfer *t = sfd_turns_pop(&turns_);
        ASSERT_NE(nullptr, t);
        turns_of_polite += t == polite ? 1 : 0;
        sfd_turns_push(&turns_, t);
    }
    EXPECT_EQ(25, turns_of_polite);
}

TEST_F(TurnsTest, ShouldServeManyClientsInACircle)
{
    std::vector<struct sfd_transfer *> all;
    for (int32_t pid = 1; pid <= 200; pid++) { // more than there are buckets
        all.push_back(enter(pid));
        sfd_turns_push(&turns_, all.back());
    }
    for (int round = 0; round < 3; round++) {
        for (struct sfd_transfer *expected : all) {
            struct sfd_transfer *t = sfd_turns_pop(&turns_);
            ASSERT_EQ(expected, t);
            sfd_turns_push(&turns_, t);
        }
    }
}

TEST_F(TurnsTest, ShouldQueueAReadyTransferOnlyOnce)
{
    struct sfd_transfer *t = enter(1);
    sfd_turns_push(&turns_, t);
    sfd_turns_push(&turns_, t);
    EXPECT_EQ(1u, turns_.ready);
    EXPECT_EQ(t, sfd_turns_pop(&turns_));
    EXPECT_EQ(nullptr, sfd_turns_pop(&turns_));
    EXPECT_FALSE(t->ready);
}

TEST_F(TurnsTest, ShouldCountTheTransfersOfOneProcessTogether)
{
    const struct sfd_transfer *a = enter(1);
    const struct sfd_transfer *b = enter(1);
    EXPECT_EQ(a->client, b->client);
    EXPECT_EQ(2u, a->client->transfers);
}

TEST_F(TurnsTest, ShouldTellProcessesApartThatShareABucketOrANumber)
{
    const struct sfd_transfer *a = enter(1);
    EXPECT_NE(a->client, enter(1 + SFD_CLIENT_BUCKETS)->client);
    EXPECT_NE(a->client, enter(1, 1001)->client) << "the number was used again by somebody else";
}

TEST_F(TurnsTest, ShouldForgetAClientWithItsLastTransfer)
{
    struct sfd_transfer *a = enter(1);
    struct sfd_transfer *b = enter(1 + SFD_CLIENT_BUCKETS);
    sfd_turns_leave(&turns_, a->client); // the older of the bucket
    transfers_.erase(transfers_.begin());
    EXPECT_EQ(b->client, turns_.buckets[1]);
    EXPECT_EQ(nullptr, turns_.buckets[1]->bucket_next);
}

} // namespace
