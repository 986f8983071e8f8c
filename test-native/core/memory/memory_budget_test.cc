// Grants of memory: how they follow the cgroup, the machine and the limits. A directory plays the cgroup.
#include "core.h"

#include <sys/stat.h>

#include "temporary_directory.h"

extern "C" {
#include "memory/memory_budget.h"
}

namespace
{

constexpr uint64_t MIB = 1 << 20;

class MemoryBudgetTest : public CoreTest
{
  protected:
    void SetUp() override
    {
        CoreTest::SetUp();
        directory_ = std::make_unique<TemporaryDirectory>();
        mkdir((*directory_ / "parent").c_str(), 0700);
        mkdir((*directory_ / "parent/own").c_str(), 0700);
    }
    void TearDown() override
    {
        sfd_memory_budget_deinit(&budget_);
        directory_.reset();
        CoreTest::TearDown();
    }
    void put(const std::string &name, const std::string &text)
    {
        writeFile(*directory_ / name, text);
    }
    static std::string mib(uint64_t n)
    {
        return std::to_string(n * MIB) + "\n";
    }
    void init(uint64_t forAll, uint64_t forEach, bool unified = true)
    {
        const std::string top = directory_->path();
        sfd_memory_budget_init_in(&budget_, &sfd_sys_linux, forAll, forEach, (top + "/parent/own").c_str(), top.size(),
                                  unified);
    }
    int take(uint64_t bytes, struct sfd_memory_grant *grant, struct sfd_client_account *account = nullptr)
    {
        return sfd_memory_budget_take(&budget_, account, bytes, grant);
    }
    void giveBack(struct sfd_memory_grant *grant, struct sfd_client_account *account = nullptr)
    {
        sfd_memory_budget_give_back(&budget_, account, grant);
    }

    std::unique_ptr<TemporaryDirectory> directory_;
    struct sfd_memory_budget budget_ = {};
    struct sfd_memory_grant grant_ = {};
    struct sfd_memory_grant other_ = {};
};

TEST_F(MemoryBudgetTest, ShouldGrantHalfOfTheCgroupWithoutSettings) // R18
{
    put("parent/own/memory.max", mib(256));
    put("parent/own/memory.current", mib(20));
    init(0, UINT64_MAX);
    EXPECT_EQ(-ENOBUFS, take(128 * MIB + 1, &grant_));
    EXPECT_EQ(0u, grant_.pieces);
    EXPECT_EQ(0, take(128 * MIB, &grant_));
    EXPECT_EQ(-ENOBUFS, take(1, &other_));
    giveBack(&grant_);
    EXPECT_EQ(0, take(1, &other_));
    giveBack(&other_);
    giveBack(&other_); // idempotent
    EXPECT_EQ(0u, budget_.filling.load());
    EXPECT_EQ(0u, budget_.missing.load());
}

TEST_F(MemoryBudgetTest, ShouldGrantOneClientThreeQuartersOfWhatAllMayHave) // R18
{
    const struct sfd_limits limits = {};
    struct sfd_client_accounts accounts;

    sfd_client_accounts_init(&accounts, &limits);
    struct sfd_client_account *account = sfd_client_accounts_get(&accounts, 1, 1000);
    put("parent/own/memory.max", mib(256));
    init(100 * MIB, 0);
    EXPECT_EQ(-EDQUOT, take(75 * MIB + 1, &grant_, account));
    EXPECT_EQ(0, take(75 * MIB, &grant_, account));
    EXPECT_EQ(-EDQUOT, take(1, &other_, account));
    EXPECT_EQ(0, take(25 * MIB, &other_)) << "of another client";
    giveBack(&other_);
    giveBack(&grant_, account);
    EXPECT_EQ(0u, account->memory.load());
    sfd_memory_budget_deinit(&budget_);
    init(100 * MIB, 10 * MIB);
    EXPECT_EQ(-EDQUOT, take(10 * MIB + 1, &grant_, account));
    EXPECT_EQ(0u, account->memory.load());
    sfd_client_account_put(account);
    sfd_client_accounts_deinit(&accounts);
}

TEST_F(MemoryBudgetTest, ShouldGrantAllProcessesOfOneUserThreeQuartersWhereSeveralUsersAreServed) // R18, R25
{
    const struct sfd_limits limits = {};
    struct sfd_client_accounts accounts;

    sfd_client_accounts_init(&accounts, &limits);
    struct sfd_client_account *account = sfd_client_accounts_get(&accounts, 1, 1000);
    struct sfd_client_account *sister = sfd_client_accounts_get(&accounts, 2, 1000);
    struct sfd_client_account *stranger = sfd_client_accounts_get(&accounts, 1, 2000);
    put("parent/own/memory.max", mib(256));
    init(100 * MIB, 0);
    EXPECT_EQ(0, take(60 * MIB, &grant_, account));
    EXPECT_EQ(0, take(40 * MIB, &other_, sister)) << "there is one user only";
    giveBack(&other_, sister);
    sfd_client_accounts_reserve(&accounts);
    EXPECT_EQ(-EDQUOT, take(15 * MIB + 1, &other_, sister));
    EXPECT_EQ(0u, sister->memory.load());
    EXPECT_EQ(0, take(40 * MIB, &other_, stranger));
    giveBack(&other_, stranger);
    giveBack(&grant_, account);
    EXPECT_EQ(0u, account->user->memory.load());
    for (struct sfd_client_account *each : {account, sister, stranger}) {
        sfd_client_account_put(each);
    }
    sfd_client_accounts_deinit(&accounts);
}

TEST_F(MemoryBudgetTest, ShouldGrantNoMoreThanTheCgroupHasLeft) // R18
{
    put("parent/own/memory.max", mib(256));
    put("parent/own/memory.current", mib(180));
    put("parent/own/memory.stat", "anon 1\nfile 99999999\ninactive_file " + mib(10) + "active_file " + mib(5) +
                                      "slab_reclaimable " + mib(5) + "slab_unreclaimable 77\n");
    init(UINT64_MAX, UINT64_MAX);
    const uint64_t left = (256 - 160 - 32) * MIB; // an eighth is the process's own
    EXPECT_EQ(-ENOBUFS, take(left + 1, &grant_));
    EXPECT_EQ(0, take(left, &grant_));
    EXPECT_EQ(-ENOBUFS, take(2 * MIB, &other_)) << "it is promised, although it is in no measurement yet";
    put("parent/own/memory.current", mib(180 + 24));
    sfd_memory_budget_filled(&budget_, &grant_, 24 * MIB);
    EXPECT_EQ(-ENOBUFS, take(2 * MIB, &other_)) << "it is measured now";
    put("parent/own/memory.current", mib(170)); // some client has freed its memory
    giveBack(&grant_);
    EXPECT_EQ(0, take(left + 10 * MIB, &grant_));
    giveBack(&grant_);
}

TEST_F(MemoryBudgetTest, ShouldObeyTheLowestLimitOfAllCgroupsAbove) // R18
{
    put("parent/own/memory.max", "max\n");
    put("parent/own/memory.high", "max\n");
    put("parent/own/memory.current", mib(1));
    put("parent/memory.max", mib(512));
    put("parent/memory.high", mib(64));
    put("parent/memory.current", mib(16));
    init(UINT64_MAX, UINT64_MAX);
    EXPECT_EQ(-ENOBUFS, take((64 - 16 - 8) * MIB + 1, &grant_));
    EXPECT_EQ(0, take((64 - 16 - 8) * MIB, &grant_));
    giveBack(&grant_);
}

TEST_F(MemoryBudgetTest, ShouldTakeOtherLimitsWhileItGrants) // R18
{
    put("parent/own/memory.max", mib(64));
    put("parent/own/memory.current", mib(1));
    init(8 * MIB, 0);
    struct sfd_memory_grant first = {};
    struct sfd_memory_grant second = {};
    ASSERT_EQ(0, take(6 * MIB, &first));
    EXPECT_EQ(-ENOBUFS, take(6 * MIB, &second));
    sfd_memory_budget_limit(&budget_, 16 * MIB, 0);
    EXPECT_EQ(0, take(6 * MIB, &second));
    sfd_memory_budget_give_back(&budget_, nullptr, &second);
    sfd_memory_budget_limit(&budget_, 4 * MIB, 0);
    EXPECT_EQ(-ENOBUFS, take(4096, &second)) << "what was granted counts, and stays";
    sfd_memory_budget_limit(&budget_, 0, 0);
    EXPECT_EQ(32 * MIB, budget_.most.load()) << "half of the cgroup, at once";
    EXPECT_EQ(0, take(6 * MIB, &second));
    sfd_memory_budget_give_back(&budget_, nullptr, &first);
    sfd_memory_budget_give_back(&budget_, nullptr, &second);
}

TEST_F(MemoryBudgetTest, ShouldReadCgroupsOfVersion1) // R18
{
    put("parent/own/memory.limit_in_bytes", mib(256));
    put("parent/own/memory.usage_in_bytes", mib(180));
    put("parent/own/memory.stat",
        "inactive_file 1\nactive_file 2\ntotal_inactive_file " + mib(10) + "total_active_file " + mib(10));
    put("parent/memory.limit_in_bytes", "9223372036854771712\n");
    init(UINT64_MAX, UINT64_MAX, false);
    EXPECT_EQ(-ENOBUFS, take((256 - 160 - 32) * MIB + 1, &grant_));
    EXPECT_EQ(0, take((256 - 160 - 32) * MIB, &grant_));
    giveBack(&grant_);
}

TEST_F(MemoryBudgetTest, ShouldMeasureBeforeSmallFillsAddUp) // R18
{
    put("parent/own/memory.max", mib(256));
    put("parent/own/memory.current", mib(0));
    init(UINT64_MAX, UINT64_MAX);
    EXPECT_EQ(0, take(MIB, &grant_));
    giveBack(&grant_);
    put("parent/own/memory.current", mib(256)); // it is full now
    uint64_t granted = 0;
    while (granted < 256 * MIB && take(MIB / 2, &grant_) == 0) {
        granted += MIB / 2;
        giveBack(&grant_);
    }
    EXPECT_LE(granted, 16 * MIB);
}

TEST_F(MemoryBudgetTest, ShouldFindTheMachineWithoutACgroup) // R18
{
    sfd_memory_budget_init_in(&budget_, &sfd_sys_linux, UINT64_MAX, UINT64_MAX, nullptr, 0, true);
    EXPECT_EQ(-ENOBUFS, take(uint64_t{1} << 50, &grant_));
    EXPECT_EQ(0, take(2 * MIB, &grant_));
    giveBack(&grant_);
}

TEST_F(MemoryBudgetTest, ShouldFindItsOwnCgroup) // R18
{
    sfd_memory_budget_init(&budget_, &sfd_sys_linux, 0, 0);
    if (budget_.cgroup == nullptr) {
        GTEST_SKIP() << "no cgroup has the controller of memory here";
    }
    struct stat st;
    EXPECT_EQ(0, stat((std::string(budget_.cgroup) + "/cgroup.procs").c_str(), &st)) << budget_.cgroup;
    EXPECT_LE(budget_.top, strlen(budget_.cgroup));
}

} // namespace
