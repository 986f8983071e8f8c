// What the processes of one user have together: shares between users, whatever the number of their processes. R25
#include "core.h"

#include <thread>

namespace
{

constexpr uint32_t ALICE = 1000;
constexpr uint32_t BOB = 2000;
constexpr uint32_t ALL = 100;
constexpr uint32_t SHARE = 75;

class UserAccountTest : public testing::Test
{
  protected:
    void SetUp() override
    {
        const struct sfd_limits limits = {};
        sfd_client_accounts_init(&accounts_, &limits);
        sfd_client_accounts_divide(&accounts_, ALL);
    }
    void TearDown() override
    {
        for (struct sfd_client_account *account : got_) {
            sfd_client_account_put(account);
        }
        EXPECT_EQ(0u, accounts_.active.load());
        EXPECT_EQ(0u, accounts_.users.active.load());
        EXPECT_EQ(0u, accounts_.beyond.load());
        for (const struct sfd_user_account *user : accounts_.users.buckets) {
            EXPECT_EQ(nullptr, user) << "a user outlived its clients";
        }
        sfd_client_accounts_deinit(&accounts_);
    }
    struct sfd_client_account *get(uint64_t process, uint32_t uid)
    {
        got_.push_back(sfd_client_accounts_get(&accounts_, process, uid));
        return got_.back();
    }
    /* So many new processes of a user. */
    std::vector<struct sfd_client_account *> fork(uint32_t uid, uint64_t count)
    {
        std::vector<struct sfd_client_account *> processes;
        for (uint64_t i = 0; i < count; i++) {
            processes.push_back(get(++process_, uid));
        }
        return processes;
    }
    /* As many transfers as it gets, of all of them in turn. */
    static uint32_t takeAll(const std::vector<struct sfd_client_account *> &processes)
    {
        uint32_t taken = 0;
        for (bool any = true; any;) {
            any = false;
            for (struct sfd_client_account *account : processes) {
                if (sfd_client_account_begin(account, SFD_TRANSFER_DESCRIPTORS, nullptr) == 0) {
                    taken++;
                    any = true;
                }
            }
        }
        return taken;
    }
    static void endAll(const std::vector<struct sfd_client_account *> &processes)
    {
        for (struct sfd_client_account *account : processes) {
            while (account->transfers.load() > 0) {
                sfd_client_account_end(account, SFD_TRANSFER_DESCRIPTORS, nullptr);
            }
        }
    }

    struct sfd_client_accounts accounts_;
    struct sfd_counters counters_ = {};
    std::vector<struct sfd_client_account *> got_;
    uint64_t process_ = 0;
};

TEST_F(UserAccountTest, ShouldHaveOneAccountForTheProcessesOfAUser)
{
    const struct sfd_client_account *a = get(1, ALICE);
    EXPECT_EQ(a->user, get(2, ALICE)->user);
    EXPECT_NE(a->user, get(1, BOB)->user) << "the number was used again by somebody else";
    EXPECT_NE(a->user, get(3, ALICE + SFD_USER_ACCOUNT_BUCKETS)->user) << "the same bucket";
}

TEST_F(UserAccountTest, ShouldGiveAThousandProcessesOfOneUserNoMoreThanOneUsersShare)
{
    struct sfd_client_account *bob = get(9999, BOB);
    EXPECT_EQ(0, sfd_client_account_begin(bob, 0, nullptr));
    const auto processes = fork(ALICE, 1000);
    EXPECT_EQ(SHARE, takeAll(processes));
    EXPECT_EQ(-EDQUOT, sfd_client_account_begin(processes.back(), 0, &counters_));
    EXPECT_EQ(1u, counters_.at[SFD_COUNTER_REFUSED_USER_TRANSFERS].load());
    EXPECT_EQ(0, sfd_client_account_begin(bob, 0, nullptr));
    endAll(processes);
    endAll({bob});
}

TEST_F(UserAccountTest, ShouldGiveAllToAUserThatIsAloneAndLetAnotherOneIn)
{
    const auto processes = fork(ALICE, 1000);
    EXPECT_EQ(ALL, takeAll(processes));
    EXPECT_EQ(-EMFILE, sfd_client_account_begin(processes.back(), 0, &counters_)) << "alone: the daemon is full";
    EXPECT_EQ(ALL - SHARE, accounts_.beyond.load()) << "these are in nobody's way";

    struct sfd_client_account *bob = get(9999, BOB);
    for (uint32_t i = 0; i < ALL - SHARE; i++) {
        EXPECT_EQ(0, sfd_client_account_begin(bob, 0, nullptr)) << i;
    }
    sfd_client_account_end(processes[0], SFD_TRANSFER_DESCRIPTORS, nullptr);
    EXPECT_EQ(-EDQUOT, sfd_client_account_begin(processes[0], 0, nullptr)) << "99 are more than 75";
    endAll({bob});
    EXPECT_EQ(0, sfd_client_account_begin(processes[0], SFD_TRANSFER_DESCRIPTORS, nullptr)) << "alone again";
    endAll(processes);
}

TEST_F(UserAccountTest, ShouldCountWhatAClientHasBeyondItsShareNeitherForItsUserNorForTheDaemon)
{
    struct sfd_client_account *greedy = get(1, ALICE);
    struct sfd_client_account *sister = get(2, ALICE);
    EXPECT_EQ(ALL, takeAll({greedy}));
    EXPECT_EQ(SHARE, greedy->user->transfers.load());
    EXPECT_EQ(ALL - SHARE, takeAll({sister})) << "a quarter is left to its user's next process";
    EXPECT_EQ(ALL, greedy->user->transfers.load());
    struct sfd_client_account *bob = get(1, BOB);
    EXPECT_EQ(0, sfd_client_account_begin(bob, 0, nullptr)) << "and a quarter to the next user";
    EXPECT_EQ(2 * (ALL - SHARE), accounts_.beyond.load());
    endAll({greedy});
    EXPECT_EQ(ALL - SHARE, sister->user->transfers.load());
    endAll({sister, bob});
}

TEST_F(UserAccountTest, ShouldReserveDescriptorsForOthersOnlyWhereSeveralUsersAreServed)
{
    struct sfd_client_account *a = get(1, ALICE);
    sfd_client_account_hold(a, 10000, nullptr);
    EXPECT_FALSE(sfd_client_account_is_full(a));
    EXPECT_EQ(0, sfd_client_account_begin(a, 3, nullptr));
    sfd_client_accounts_reserve(&accounts_);
    struct sfd_client_account *sister = get(2, ALICE);
    EXPECT_TRUE(sfd_client_account_is_full(sister)) << "its user is";
    EXPECT_EQ(-EDQUOT, sfd_client_account_begin(sister, 3, nullptr));
    EXPECT_EQ(0u, sister->transfers.load());
    EXPECT_EQ(0, sfd_client_account_begin(get(1, BOB), 3, nullptr));
    sfd_client_account_end(got_.back(), 3, nullptr);
    sfd_client_account_end(a, 3, nullptr);
    sfd_client_account_release(a, 10000, nullptr);
    EXPECT_EQ(0u, a->user->descriptors.load());
}

TEST_F(UserAccountTest, ShouldLimitTheRequestsThatWaitForAThreadByUserToo)
{
    sfd_client_accounts_reserve(&accounts_);
    const auto processes = fork(ALICE, 2 * SFD_USER_HELD_CLIENTS);
    unsigned held = 0;
    for (struct sfd_client_account *account : processes) {
        while (sfd_client_account_hold_request(account, 5)) {
            held++;
        }
    }
    EXPECT_EQ(5u * SFD_USER_HELD_CLIENTS, held);
    EXPECT_TRUE(sfd_client_account_hold_request(get(1, BOB), 5));
    sfd_client_account_release_request(got_.back());
    for (struct sfd_client_account *account : processes) {
        while (account->held_requests.load() > 0) {
            sfd_client_account_release_request(account);
        }
    }
    EXPECT_EQ(0u, processes[0]->user->held_requests.load());
}

TEST_F(UserAccountTest, ShouldCountExactlyWhoeverBeginsAndEndsAtTheSameTime)
{
    const std::vector<struct sfd_client_account *> clients = {get(1, ALICE), get(2, ALICE), get(1, BOB), get(2, BOB)};
    std::atomic<unsigned> next{0};
    std::vector<std::thread> threads;
    for (int n = 0; n < 4; n++) {
        threads.emplace_back([&] {
            struct sfd_client_account *a = clients[next++ % clients.size()];
            for (int i = 0; i < 2000; i++) {
                uint32_t begun = 0;
                while (begun < ALL && sfd_client_account_begin(a, 0, nullptr) == 0) {
                    begun++;
                }
                while (begun-- > 0) {
                    sfd_client_account_end(a, 0, nullptr);
                }
            }
        });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    EXPECT_EQ(0u, clients[0]->user->transfers.load());
    EXPECT_EQ(0u, clients[2]->user->transfers.load());
}

} // namespace
