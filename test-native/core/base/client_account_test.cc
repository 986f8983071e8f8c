// What a client has of the daemon: counted exactly, by all threads together.
#include "core.h"

#include <thread>

namespace
{

class AccountTest : public testing::Test
{
  protected:
    void SetUp() override
    {
        const struct sfd_limits limits = {3, 7, 2};
        sfd_client_accounts_init(&accounts_, &limits);
    }
    void TearDown() override
    {
        for (const struct sfd_client_account *account : accounts_.buckets) {
            EXPECT_EQ(nullptr, account);
        }
        sfd_client_accounts_deinit(&accounts_);
    }
    uint64_t count(enum sfd_counter counter)
    {
        return counters_.at[counter].load();
    }

    struct sfd_client_accounts accounts_;
    struct sfd_counters counters_ = {};
};

TEST_F(AccountTest, ShouldHaveOneAccountForAProcess)
{
    struct sfd_client_account *a = sfd_client_accounts_get(&accounts_, 1, 1000);
    struct sfd_client_account *again = sfd_client_accounts_get(&accounts_, 1, 1000);
    struct sfd_client_account *neighbour = sfd_client_accounts_get(&accounts_, 1 + SFD_CLIENT_ACCOUNT_BUCKETS, 1000);
    struct sfd_client_account *successor = sfd_client_accounts_get(&accounts_, 1, 1001);
    EXPECT_EQ(a, again);
    EXPECT_NE(a, neighbour) << "the same bucket";
    EXPECT_NE(a, successor) << "the number was used again by somebody else";
    for (struct sfd_client_account *account : {a, again, neighbour, successor}) {
        sfd_client_account_put(account);
    }
}

TEST_F(AccountTest, ShouldForgetAnAccountWithItsLastReference)
{
    struct sfd_client_account *a = sfd_client_accounts_get(&accounts_, 1, 1000);
    EXPECT_EQ(a, sfd_client_account_share(a));
    sfd_client_account_put(a);
    EXPECT_EQ(a, accounts_.buckets[1]);
    sfd_client_account_put(a);
    EXPECT_EQ(nullptr, accounts_.buckets[1]);
}

// R10
TEST_F(AccountTest, ShouldLimitTheSessionsOfAUserOnceThereAreSeveral)
{
    constexpr unsigned MOST = 16;
    struct sfd_client_account *one = sfd_client_accounts_get(&accounts_, 1, 1000);
    struct sfd_client_account *again = sfd_client_accounts_get(&accounts_, 2, 1000);
    accounts_.users.several = true;
    unsigned begun = 0;
    while (begun <= MOST && sfd_client_account_begin_session(begun % 2 == 0 ? one : again, MOST)) {
        begun++;
    }
    EXPECT_EQ(12u, begun) << "three quarters";
    struct sfd_client_account *other = sfd_client_accounts_get(&accounts_, 3, 1001);
    EXPECT_TRUE(sfd_client_account_begin_session(other, MOST));
    sfd_client_account_end_session(one);
    EXPECT_TRUE(sfd_client_account_begin_session(again, MOST));
    for (unsigned i = 0; i < begun; i++) {
        sfd_client_account_end_session(one);
    }
    sfd_client_account_end_session(other);
    for (struct sfd_client_account *account : {one, again, other}) {
        sfd_client_account_put(account);
    }
}

TEST_F(AccountTest, ShouldTakeATransferWithItsDescriptorsOrNothing)
{
    struct sfd_client_account *a = sfd_client_accounts_get(&accounts_, 1, 1000);
    EXPECT_EQ(0, sfd_client_account_begin(a, 3, &counters_));
    EXPECT_EQ(0, sfd_client_account_begin(a, 3, &counters_));
    EXPECT_EQ(-EDQUOT, sfd_client_account_begin(a, 3, &counters_)) << "of 7 descriptors 6 are taken";
    EXPECT_EQ(1u, count(SFD_COUNTER_REFUSED_CLIENT_DESCRIPTORS));
    EXPECT_EQ(2u, a->transfers.load());
    EXPECT_EQ(6u, a->descriptors.load());
    EXPECT_EQ(0, sfd_client_account_begin(a, 1, &counters_));
    EXPECT_EQ(-EDQUOT, sfd_client_account_begin(a, 0, &counters_)) << "3 transfers";
    EXPECT_EQ(1u, count(SFD_COUNTER_REFUSED_CLIENT_TRANSFERS));
    EXPECT_EQ(7u, count(SFD_COUNTER_DESCRIPTORS));
    for (const uint32_t descriptors : {3u, 3u, 1u}) {
        sfd_client_account_end(a, descriptors, &counters_);
    }
    EXPECT_EQ(0u, a->transfers.load());
    EXPECT_EQ(0u, count(SFD_COUNTER_DESCRIPTORS));
    sfd_client_account_put(a);
}

TEST_F(AccountTest, ShouldCountWhatArrivedUnaskedBeyondTheLimitAndRefuseThen)
{
    struct sfd_client_account *a = sfd_client_accounts_get(&accounts_, 1, 1000);
    sfd_client_account_hold(a, 100, &counters_);
    EXPECT_EQ(100u, count(SFD_COUNTER_DESCRIPTORS));
    EXPECT_EQ(-EDQUOT, sfd_client_account_begin(a, 1, &counters_));
    sfd_client_account_release(a, 94, &counters_);
    EXPECT_EQ(0, sfd_client_account_begin(a, 1, &counters_));
    sfd_client_account_end(a, 1, &counters_);
    sfd_client_account_release(a, 6, &counters_);
    sfd_client_account_put(a);
}

TEST_F(AccountTest, ShouldLimitTheDiskTasksOfEachClientAlone)
{
    struct sfd_client_account *a = sfd_client_accounts_get(&accounts_, 1, 1000);
    struct sfd_client_account *b = sfd_client_accounts_get(&accounts_, 2, 1000);
    EXPECT_TRUE(sfd_client_account_begin_task(a, &counters_));
    EXPECT_EQ(0, sfd_client_account_ask_task(a, &counters_));
    EXPECT_TRUE(sfd_client_account_begin_task(a, &counters_));
    EXPECT_FALSE(sfd_client_account_begin_task(a, &counters_));
    EXPECT_EQ(0u, count(SFD_COUNTER_REFUSED_CLIENT_DISK_TASKS)) << "who was accepted waits";
    EXPECT_EQ(-EDQUOT, sfd_client_account_ask_task(a, &counters_));
    EXPECT_EQ(1u, count(SFD_COUNTER_REFUSED_CLIENT_DISK_TASKS));
    EXPECT_TRUE(sfd_client_account_begin_task(b, &counters_));
    EXPECT_EQ(3u, count(SFD_COUNTER_DISK_TASKS));
    sfd_client_account_end_task(a, &counters_);
    EXPECT_TRUE(sfd_client_account_begin_task(a, &counters_));
    sfd_client_account_end_task(a, &counters_);
    sfd_client_account_end_task(a, &counters_);
    sfd_client_account_end_task(b, &counters_);
    EXPECT_EQ(0u, count(SFD_COUNTER_DISK_TASKS));
    sfd_client_account_put(a);
    sfd_client_account_put(b);
}

TEST_F(AccountTest, ShouldLimitNothingWithoutALimitOrAnAccount)
{
    accounts_.limits = {};
    struct sfd_client_account *a = sfd_client_accounts_get(&accounts_, 1, 1000);
    EXPECT_EQ(0, sfd_client_account_begin(a, 100000, &counters_));
    EXPECT_TRUE(sfd_client_account_begin_task(a, nullptr));
    sfd_client_account_end_task(a, nullptr);
    sfd_client_account_end(a, 100000, &counters_);
    sfd_client_account_put(a);
    EXPECT_EQ(0, sfd_client_account_begin(nullptr, 3, nullptr));
    sfd_client_account_end(nullptr, 3, nullptr);
    EXPECT_TRUE(sfd_client_account_begin_task(nullptr, nullptr));
    sfd_client_account_end_task(nullptr, nullptr);
    EXPECT_EQ(nullptr, sfd_client_account_share(nullptr));
    sfd_client_account_put(nullptr);
}

TEST_F(AccountTest, ShouldGiveAllTransfersToAClientThatIsAloneAndItsShareToOneThatIsNot) // R19
{
    accounts_.limits = {};
    sfd_client_accounts_divide(&accounts_, 8);
    struct sfd_client_account *a = sfd_client_accounts_get(&accounts_, 1, 1000);
    struct sfd_client_account *b = sfd_client_accounts_get(&accounts_, 2, 1000);
    for (int i = 0; i < 8; i++) {
        EXPECT_EQ(0, sfd_client_account_begin(a, 0, &counters_)) << i;
    }
    EXPECT_EQ(-EMFILE, sfd_client_account_begin(a, 0, &counters_)) << "it is alone: the daemon is full";
    EXPECT_EQ(1u, count(SFD_COUNTER_REFUSED_TRANSFERS));
    EXPECT_EQ(2u, accounts_.beyond.load()) << "these are in nobody's way";
    EXPECT_EQ(0, sfd_client_account_begin(b, 0, &counters_));
    sfd_client_account_end(a, 0, &counters_);
    EXPECT_EQ(-EDQUOT, sfd_client_account_begin(a, 0, &counters_)) << "7 are more than 6";
    EXPECT_EQ(1u, count(SFD_COUNTER_REFUSED_CLIENT_TRANSFERS));
    sfd_client_account_end(a, 0, &counters_);
    EXPECT_EQ(1u, accounts_.beyond.load()) << "6 and 1 are one more than their user's share";
    sfd_client_account_end(a, 0, &counters_);
    EXPECT_EQ(0u, accounts_.beyond.load());
    EXPECT_EQ(0, sfd_client_account_begin(a, 0, &counters_)) << "6 are its share";
    sfd_client_account_end(b, 0, &counters_);
    EXPECT_EQ(0, sfd_client_account_begin(a, 0, &counters_)) << "it is alone again";
    for (int i = 0; i < 7; i++) {
        sfd_client_account_end(a, 0, &counters_);
    }
    EXPECT_EQ(0u, accounts_.active.load());
    EXPECT_EQ(0u, accounts_.beyond.load());
    sfd_client_account_put(a);
    sfd_client_account_put(b);
}

TEST_F(AccountTest, ShouldUncountWhatWasBeyondAShareThatIsAnotherOneNow) // R19
{
    const struct sfd_limits none = {};
    sfd_client_accounts_limit(&accounts_, &none, 8);
    struct sfd_client_account *a = sfd_client_accounts_get(&accounts_, 1, 1000);
    for (int i = 0; i < 8; i++) {
        EXPECT_EQ(0, sfd_client_account_begin(a, 0, &counters_));
    }
    sfd_client_accounts_limit(&accounts_, &none, 100);
    EXPECT_EQ(0, sfd_client_account_begin(a, 0, &counters_)) << "there is room now";
    EXPECT_EQ(2u, accounts_.beyond.load());
    for (int i = 0; i < 9; i++) {
        sfd_client_account_end(a, 0, &counters_);
    }
    EXPECT_EQ(0u, accounts_.beyond.load()) << "the share has grown meanwhile";
    EXPECT_EQ(0u, a->user->transfers.load());

    for (int i = 0; i < 9; i++) {
        EXPECT_EQ(0, sfd_client_account_begin(a, 0, &counters_));
    }
    sfd_client_accounts_limit(&accounts_, &none, 8);
    EXPECT_EQ(-EMFILE, sfd_client_account_begin(a, 0, &counters_)) << "what is there stays, and counts";
    EXPECT_EQ(0u, accounts_.beyond.load());
    for (int i = 0; i < 9; i++) {
        sfd_client_account_end(a, 0, &counters_);
    }
    EXPECT_EQ(0u, accounts_.beyond.load()) << "the share has shrunk meanwhile";
    EXPECT_EQ(0u, a->user->transfers.load());
    EXPECT_EQ(0u, accounts_.active.load());
    sfd_client_account_put(a);
}

TEST_F(AccountTest, ShouldObeyALowerLimitWithoutTakingAnythingAway)
{
    struct sfd_client_account *a = sfd_client_accounts_get(&accounts_, 1, 1000);
    EXPECT_EQ(0, sfd_client_account_begin(a, 3, &counters_));
    EXPECT_EQ(0, sfd_client_account_begin(a, 3, &counters_));
    const struct sfd_limits low = {1, 5, 1};
    sfd_client_accounts_limit(&accounts_, &low, 0);
    EXPECT_EQ(-EDQUOT, sfd_client_account_begin(a, 0, &counters_));
    EXPECT_TRUE(sfd_client_account_is_full(a));
    EXPECT_EQ(2u, a->transfers.load());
    const struct sfd_limits high = {9, 9, 9};
    sfd_client_accounts_limit(&accounts_, &high, 0);
    EXPECT_FALSE(sfd_client_account_is_full(a));
    EXPECT_EQ(0, sfd_client_account_begin(a, 3, &counters_));
    for (int i = 0; i < 3; i++) {
        sfd_client_account_end(a, 3, &counters_);
    }
    sfd_client_account_put(a);
}

TEST_F(AccountTest, ShouldKeepToALimitThatWasAskedForAlsoForAClientThatIsAlone)
{
    sfd_client_accounts_divide(&accounts_, 8);
    struct sfd_client_account *a = sfd_client_accounts_get(&accounts_, 1, 1000);
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(0, sfd_client_account_begin(a, 0, &counters_));
    }
    EXPECT_EQ(-EDQUOT, sfd_client_account_begin(a, 0, &counters_));
    for (int i = 0; i < 3; i++) {
        sfd_client_account_end(a, 0, &counters_);
    }
    sfd_client_account_put(a);
}

TEST_F(AccountTest, ShouldNumberProcessesWithoutAPidApartFromThoseThatHaveOne) // R19
{
    EXPECT_EQ(7, sfd_process_pid(7));
    EXPECT_EQ(7, sfd_process_short(7));
    EXPECT_EQ(0, sfd_process_pid(SFD_PROCESS_INODE | 7));
    EXPECT_LT(sfd_process_short(SFD_PROCESS_INODE | 7), 0);
    EXPECT_NE(sfd_process_short(SFD_PROCESS_INODE | 7), sfd_process_short(SFD_PROCESS_INODE | 8));
    EXPECT_EQ(0, sfd_process_short(0));
}

/* Runs it on several threads at the same time. */
template <typename Body> void together(Body body)
{
    std::vector<std::thread> threads;
    for (int n = 0; n < 4; n++) {
        threads.emplace_back(body);
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
}

TEST_F(AccountTest, ShouldNeverExceedALimitWhoeverAsksAtTheSameTime)
{
    accounts_.limits.transfers = 1;
    struct sfd_client_account *a = sfd_client_accounts_get(&accounts_, 1, 1000);
    std::atomic<uint32_t> most{0};
    together([&] {
        for (int i = 0; i < 300000; i++) {
            if (sfd_client_account_begin(a, 2, nullptr) == 0) {
                const uint32_t now = a->transfers.load();
                if (now > most.load()) {
                    most = now;
                }
                sfd_client_account_end(a, 2, nullptr);
            }
        }
    });
    EXPECT_EQ(1u, most.load());
    EXPECT_EQ(0u, a->transfers.load());
    EXPECT_EQ(0u, a->descriptors.load());
    sfd_client_account_put(a);
}

TEST_F(AccountTest, ShouldCountSharesExactlyWhoeverBeginsAndEndsAtTheSameTime)
{
    accounts_.limits = {};
    sfd_client_accounts_divide(&accounts_, 4);
    struct sfd_client_account *clients[] = {sfd_client_accounts_get(&accounts_, 1, 1000),
                                            sfd_client_accounts_get(&accounts_, 2, 1000)};
    std::atomic<unsigned> next{0};
    together([&] {
        struct sfd_client_account *a = clients[next++ % 2];
        for (int i = 0; i < 20000; i++) {
            int begun = 0;
            while (begun < 3 && sfd_client_account_begin(a, 0, nullptr) == 0) {
                begun++;
            }
            while (begun-- > 0) {
                sfd_client_account_end(a, 0, nullptr);
            }
        }
    });
    EXPECT_EQ(0u, accounts_.active.load());
    EXPECT_EQ(0u, accounts_.beyond.load());
    for (struct sfd_client_account *a : clients) {
        sfd_client_account_put(a);
    }
}

TEST_F(AccountTest, ShouldBeMadeAndForgottenBySeveralThreadsAtTheSameTime)
{
    together([&] {
        for (int i = 0; i < 10000; i++) {
            struct sfd_client_account *a = sfd_client_accounts_get(&accounts_, 1, 1000);
            sfd_client_account_put(sfd_client_account_share(a));
            sfd_client_account_put(a);
        }
    });
}

} // namespace
