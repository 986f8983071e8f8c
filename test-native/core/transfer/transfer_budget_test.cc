// Copies into memory files: what they may fill, and what is not counted.
#include "transfer_fixture.h"

#include <sys/mman.h>
#include <sys/stat.h>

namespace
{

constexpr uint64_t LIMIT = 4 << 20;

class TransferBudgetTest : public TransferFixture
{
  protected:
    void SetUp() override
    {
        TransferFixture::SetUp();
        sys_.fstatfs_type = [](int fd, uint64_t *type) {
            const int result = sfd_sys_linux.fstatfs_type(fd, type);
            *type = *type == TMPFS_MAGIC && isSource(fd) ? EXT4_SUPER_MAGIC : *type;
            return result;
        };
        sys_.cachestat = sfd_sys_linux.cachestat;
        sfd_memory_budget_init_in(&budget_, &sfd_sys_linux, LIMIT, LIMIT / 2, nullptr, 0, true);
        context_->memory = &budget_;
        const struct sfd_limits limits = {};
        sfd_client_accounts_init(&accounts_, &limits);
        account_ = sfd_client_accounts_get(&accounts_, 1, 1);
        t_->loop.account = account_;
        learnDevice();
    }
    void TearDown() override
    {
        EXPECT_EQ(0u, budget_.filling.load()) << "a grant outlived its transfer";
        EXPECT_EQ(0u, budget_.missing.load());
        EXPECT_EQ(0u, account_->memory.load());
        memory_.reset();
        sfd_memory_budget_deinit(&budget_);
        TransferFixture::TearDown();
        sfd_client_account_put(account_);
        sfd_client_accounts_deinit(&accounts_);
    }

    /* The temporary directory may be on tmpfs: its files are opened for reading, memory files are not. */
    static bool isSource(int fd)
    {
        return (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY;
    }
    int toMemory()
    {
        memory_ = OwnedFd(memfd_create("memory", MFD_CLOEXEC));
        return fcntl(memory_.get(), F_DUPFD_CLOEXEC, 0);
    }
    uint64_t allocated()
    {
        struct stat st = {};
        fstat(memory_.get(), &st);
        return static_cast<uint64_t>(st.st_blocks) * 512;
    }
    std::string lastTold()
    {
        return told().back();
    }
    static std::string failed(int number)
    {
        return "error " + std::to_string(SFD_WIRE_XFER_STAT) + " " + std::to_string(number);
    }

    struct sfd_memory_budget budget_ = {};
    struct sfd_client_accounts accounts_ = {};
    struct sfd_client_account *account_ = nullptr;
    OwnedFd memory_;
};

TEST_F(TransferBudgetTest, ShouldRefuseWhatOneClientMayNotHaveFilledBeforeItIsFilled) // R18
{
    file(LIMIT / 2 + 1);
    begin(SFD_WIRE_SEND_FILE, toMemory());
    finish();
    EXPECT_EQ(failed(EDQUOT), lastTold());
    EXPECT_EQ(0u, allocated());
}

TEST_F(TransferBudgetTest, ShouldRefuseWhatAllMayNotHaveFilledBeforeItIsFilled) // R18
{
    budget_.for_each = UINT64_MAX;
    file(LIMIT + 1);
    begin(SFD_WIRE_SEND_FILE, toMemory());
    finish();
    EXPECT_EQ(failed(ENOBUFS), lastTold());
    EXPECT_EQ(0u, allocated());
}

TEST_F(TransferBudgetTest, ShouldCountAFillUntilItsTransferIsOver) // R18
{
    file(LIMIT / 2);
    begin(SFD_WIRE_SEND_FILE, toMemory());
    work();
    EXPECT_EQ(LIMIT / 2, budget_.filling.load());
    EXPECT_EQ(LIMIT / 2, account_->memory.load());
    EXPECT_EQ(0u, budget_.missing.load()) << "it is filled: a measurement sees it";
    run();
    finish();
    expectSent(LIMIT / 2);
    EXPECT_EQ(0u, budget_.filling.load());
}

TEST_F(TransferBudgetTest, ShouldGiveBackWhatACancelledTransferWasGranted) // R18
{
    file(LIMIT / 2);
    options_.rate = 1;
    begin(SFD_WIRE_SEND_FILE, toMemory());
    workAndRun();
    EXPECT_EQ(SFD_NEXT_TIMER, next_);
    EXPECT_EQ(LIMIT / 2, budget_.filling.load());
    EXPECT_EQ(LIMIT / 2, budget_.missing.load()) << "one byte is no page";
    EXPECT_EQ(SFD_NEXT_END, sfd_transfer_cancel(context_.get(), t_.get()));
}

TEST_F(TransferBudgetTest, ShouldNotCountPagesThatTheClientHasAllocated) // R18
{
    file(LIMIT * 2);
    const int dest = toMemory();
    ASSERT_EQ(0, fallocate(dest, 0, 0, LIMIT * 2));
    begin(SFD_WIRE_SEND_FILE, dest);
    work();
    EXPECT_EQ(0u, budget_.filling.load());
    run();
    finish();
    expectSent(LIMIT * 2);
}

TEST_F(TransferBudgetTest, ShouldNotTakeOtherPagesForThoseOfTheRange) // R18
{
    file(LIMIT);
    const int dest = toMemory();
    const struct sfd_cachestat_range range = {0, 1};
    struct sfd_cachestat stat = {};
    if (sfd_sys_linux.cachestat(dest, &range, &stat) < 0) {
        close(dest);
        GTEST_SKIP() << "without cachestat(2) only the pages of the whole file can be counted";
    }
    ASSERT_EQ(0, fallocate(dest, 0, 0, LIMIT));
    ASSERT_EQ(static_cast<off_t>(LIMIT), lseek(dest, LIMIT, SEEK_SET));
    begin(SFD_WIRE_SEND_FILE, dest);
    finish();
    EXPECT_EQ(failed(EDQUOT), lastTold());
    EXPECT_EQ(LIMIT, allocated());
}

TEST_F(TransferBudgetTest, ShouldCountOnlyTheDataOfASparseFile) // R18
{
    const std::string path = *directory_ / "file";
    const OwnedFd sparse = openFile(path, O_WRONLY | O_CREAT);
    ASSERT_EQ(0, ftruncate(sparse.get(), 100 * LIMIT));
    ASSERT_EQ(4, pwrite(sparse.get(), "data", 4, 50 * LIMIT));
    begin(SFD_WIRE_SEND_FILE, toMemory());
    work();
    EXPECT_GT(budget_.filling.load(), 0u);
    EXPECT_LE(budget_.filling.load(), 64u * 1024);
    run();
    finish();
    EXPECT_EQ("complete", lastTold());
}

TEST_F(TransferBudgetTest, ShouldLimitNoFileOnADisk) // R18
{
    file(LIMIT * 2);
    sys_.fstatfs_type = [](int, uint64_t *type) {
        *type = EXT4_SUPER_MAGIC;
        return 0;
    };
    begin(SFD_WIRE_SEND_FILE, toFile());
    finish();
    expectSent(LIMIT * 2);
}

TEST_F(TransferBudgetTest, ShouldNotMapAMemoryFileWithHoles) // R18: a fault in a hole would charge its page to us
{
    sys_.fstatfs_type = sfd_sys_linux.fstatfs_type;
    const OwnedFd sparse(memfd_create("sparse", MFD_CLOEXEC));
    ASSERT_EQ(0, ftruncate(sparse.get(), LIMIT));
    source_ = OwnedFd(fcntl(sparse.get(), F_DUPFD_CLOEXEC, 0));
    options_.technique = SFD_TECHNIQUE_MMAP;
    begin(SFD_WIRE_SEND_FILE, toPipe());
    finish();
    EXPECT_EQ("error " + std::to_string(SFD_WIRE_FILE_INFO) + " " + std::to_string(EOPNOTSUPP), lastTold());
    struct stat st = {};
    ASSERT_EQ(0, fstat(sparse.get(), &st));
    EXPECT_EQ(0, st.st_blocks);
}

} // namespace
