// The clients of a loop: one for each process, for as long as it has transfers there.
#include "core.h"

namespace
{

class ClientsTest : public testing::Test
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
        for (struct sfd_client *client : entered_) {
            sfd_clients_leave(&clients_, client);
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

    /* The client of a new transfer. */
    struct sfd_client *enter(uint64_t process, uint32_t uid = 1000)
    {
        entered_.push_back(sfd_clients_enter(&clients_, process, uid));
        return entered_.back();
    }

    struct sfd_client_accounts accounts_;
    struct sfd_clients clients_;
    std::vector<struct sfd_client *> entered_; // one for each transfer
};

TEST_F(ClientsTest, ShouldCountTheTransfersOfOneProcessTogether)
{
    const struct sfd_client *a = enter(1);
    const struct sfd_client *b = enter(1);
    EXPECT_EQ(a, b);
    EXPECT_EQ(2u, a->transfers);
}

TEST_F(ClientsTest, ShouldTellProcessesApartThatShareABucketOrANumber)
{
    const struct sfd_client *a = enter(1);
    EXPECT_NE(a, enter(1 + SFD_CLIENT_BUCKETS));
    EXPECT_NE(a, enter(1, 1001)) << "the number was used again by somebody else";
}

TEST_F(ClientsTest, ShouldHaveOneUserForTheProcessesOfAUid) // R25
{
    const struct sfd_user *a = enter(1)->user;
    EXPECT_EQ(a, enter(2)->user);
    EXPECT_EQ(2u, a->clients);
    EXPECT_NE(a, enter(1, 1000 + SFD_USER_BUCKETS)->user);
    EXPECT_EQ(2u, a->clients);
}

TEST_F(ClientsTest, ShouldForgetAClientWithItsLastTransfer)
{
    struct sfd_client *a = enter(1);
    struct sfd_client *b = enter(1 + SFD_CLIENT_BUCKETS);
    sfd_clients_leave(&clients_, a); // the older of the bucket
    entered_.erase(entered_.begin());
    EXPECT_EQ(b, clients_.buckets[1]);
    EXPECT_EQ(nullptr, clients_.buckets[1]->bucket_next);
}

TEST_F(ClientsTest, ShouldGiveBackThePidfdOfAClientWithItsLastTransfer)
{
    struct sfd_client *a = enter(1);
    enter(1);
    a->pidfd = 7;
    entered_.clear();
    EXPECT_EQ(-1, sfd_clients_leave(&clients_, a));
    EXPECT_EQ(7, sfd_clients_leave(&clients_, a));
}

TEST_F(ClientsTest, ShouldTellAPidFromAnInodeOfThatNumber) // R19
{
    EXPECT_NE(enter(5), enter(SFD_PROCESS_INODE | 5));
    EXPECT_NE(enter(SFD_PROCESS_INODE | 5), enter(SFD_PROCESS_INODE | (5 + SFD_CLIENT_BUCKETS)));
}

TEST_F(ClientsTest, ShouldWaitAnewForAProcessWhosePredecessorIsGone)
{
    struct sfd_client *a = enter(1);
    a->watch = SFD_WATCH_OVER;
    enter(1);
    EXPECT_EQ(SFD_WATCH_NEW, a->watch);
}

} // namespace
