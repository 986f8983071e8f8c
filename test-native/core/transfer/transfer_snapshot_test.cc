// Files that do not tell their size, real ones of /proc and /sys: what is sent, and what is refused.
#include "transfer_fixture.h"

#include <sys/mman.h>

namespace
{

constexpr uint64_t LIMIT = 1 << 20;

class TransferSnapshotTest : public TransferFixture
{
  protected:
    void SetUp() override
    {
        TransferFixture::SetUp();
        sys_.fstatfs_type = sfd_sys_linux.fstatfs_type;
        sys_.cachestat = sfd_sys_linux.cachestat;
        rootIsLocal_ = false;
        sfd_memory_budget_init_in(&budget_, &sfd_sys_linux, LIMIT, LIMIT / 2, nullptr, 0, true);
        context_->memory = &budget_;
        const struct sfd_limits limits = {};
        sfd_client_accounts_init(&accounts_, &limits);
        account_ = sfd_client_accounts_get(&accounts_, 1, 1);
        t_->loop.account = account_;
    }
    void TearDown() override
    {
        EXPECT_EQ(0u, budget_.filling.load()) << "a grant outlived its transfer";
        EXPECT_EQ(0u, account_->memory.load());
        sfd_memory_budget_deinit(&budget_);
        TransferFixture::TearDown();
        sfd_client_account_put(account_);
        sfd_client_accounts_deinit(&accounts_);
    }

    void root(const char *directory)
    {
        root_ = openFile(directory, O_PATH | O_DIRECTORY);
    }
    void read(const char *path, int64_t offset = 0, uint64_t length = SFD_WIRE_TO_END)
    {
        begin(SFD_WIRE_READ_FILE, -1, offset, length, path);
        finish();
    }
    void expectRefused(int number)
    {
        EXPECT_EQ(Messages{"error " + std::to_string(SFD_WIRE_FILE_INFO) + " " + std::to_string(number)}, told());
    }
    /* From a file of /proc without any content, a stand-in whose reads the test decides on. */
    void sendScripted()
    {
        source_ = openFile("/proc/self/attr/current", O_RDONLY | O_NONBLOCK);
        begin(SFD_WIRE_SEND_FILE, toPipe());
        finish();
    }

    struct sfd_memory_budget budget_ = {};
    struct sfd_client_accounts accounts_ = {};
    struct sfd_client_account *account_ = nullptr;
};

TEST_F(TransferSnapshotTest, ShouldReadTheContentThatIsBehindASizeOfZeroOrAPage)
{
    const char *files[][2] = {
        {"/proc", "version"}, {"/proc", "sys/kernel/ostype"}, {"/sys", "devices/system/cpu/online"}};
    for (const auto &file : files) {
        SCOPED_TRACE(file[1]);
        root(file[0]);
        const std::string content = contentOf(std::string(file[0]) + "/" + file[1]);
        ASSERT_GT(content.size(), 1u);
        read(file[1]);
        EXPECT_EQ(content, readBytes());
        EXPECT_EQ(content.size(), infoOf(status_bytes_).size);
        again();
        read(file[1], 1, content.size() - 2);
        EXPECT_EQ(content.substr(1, content.size() - 2), readBytes());
        again();
    }
}

TEST_F(TransferSnapshotTest, ShouldSendItByEveryOperationAndTechnique)
{
    root("/proc");
    content_ = contentOf("/proc/version");
    for (const uint8_t technique :
         {SFD_TECHNIQUE_AUTO, SFD_TECHNIQUE_SPLICE, SFD_TECHNIQUE_MMAP, SFD_TECHNIQUE_READ_WRITE}) {
        options_.technique = technique;
        begin(SFD_WIRE_SEND_FILE, toPipe(), 0, SFD_WIRE_TO_END, "version");
        finish();
        EXPECT_EQ(content_, data_);
        expectSent(content_.size());
        again();
    }
    options_.technique = SFD_TECHNIQUE_AUTO;
    begin(SFD_WIRE_SEND_FILE, toFile(), 0, SFD_WIRE_TO_END, "version");
    finish();
    EXPECT_EQ(content_, contentOf(*directory_ / "output"));
    again();
    begin(SFD_WIRE_OPEN_FILE, -1, 0, SFD_WIRE_TO_END, "version");
    finish();
    ASSERT_EQ(SFD_NEXT_PARK, next_);
    EXPECT_EQ(content_.size(), infoOf(status_->in.get() < 0 ? "" : (collect(), status_bytes_)).size);
    next_ = sfd_transfer_send(context_.get(), t_.get(), toPipe());
    finish();
    EXPECT_EQ(content_, data_);
}

TEST_F(TransferSnapshotTest, ShouldSendADescriptorOfTheClientsAndLeaveItsPositionAlone)
{
    content_ = contentOf("/proc/version");
    const OwnedFd client = openFile("/proc/version", O_RDONLY);
    source_ = OwnedFd(dup(client.get()));
    begin(SFD_WIRE_SEND_FILE, toPipe());
    finish();
    EXPECT_EQ(content_, data_);
    expectSent(content_.size());
    EXPECT_EQ(0, lseek(client.get(), 0, SEEK_CUR));
}

TEST_F(TransferSnapshotTest, ShouldSendAnEmptyFileAsOne)
{
    file(0);
    begin(SFD_WIRE_SEND_FILE, toPipe());
    finish();
    expectSent(0);
}

TEST_F(TransferSnapshotTest, ShouldRefuseWhatHasNoEnd)
{
    sys_.preadv2 = [](int, const struct iovec *iov, int, int64_t, int) {
        memset(iov->iov_base, 'x', iov->iov_len);
        return static_cast<int64_t>(iov->iov_len);
    };
    sendScripted();
    expectRefused(EFBIG);
}

TEST_F(TransferSnapshotTest, ShouldRefuseWhatWouldWaitOrIsAStream)
{
    static int64_t answer;
    sys_.preadv2 = [](int, const struct iovec *, int, int64_t, int) { return answer; };
    for (const int64_t failure : {-EAGAIN, -ESPIPE, -EINVAL}) {
        answer = failure;
        sendScripted();
        expectRefused(EINVAL);
        again();
    }
    answer = -EIO;
    sendScripted();
    expectRefused(EIO);
}

TEST_F(TransferSnapshotTest, ShouldStopReadingWhenItIsCancelled)
{
    static struct sfd_transfer *transfer;
    transfer = t_.get();
    sys_.preadv2 = [](int, const struct iovec *iov, int, int64_t offset, int) {
        EXPECT_EQ(0, offset) << "it reads on";
        (void)sfd_write_gate_close(&transfer->gate); // as the loop does for a Cancel
        memset(iov->iov_base, 'x', 1);
        return int64_t{1};
    };
    sendScripted();
    EXPECT_EQ(Messages{}, told());
    EXPECT_TRUE(clientSeesEnd());
}

TEST_F(TransferSnapshotTest, ShouldHoldNoMoreMemoryThanMayBeFilled) // R18
{
    sys_.preadv2 = [](int, const struct iovec *iov, int, int64_t offset, int) {
        const auto left = std::max<int64_t>(0, static_cast<int64_t>(LIMIT / 2) + 1 - offset);
        return std::min(static_cast<int64_t>(iov->iov_len), left);
    };
    sendScripted();
    expectRefused(EDQUOT);
}

TEST_F(TransferSnapshotTest, ShouldGiveUpOnlyAfterAWhileWhenNoDescriptorIsFree) // R13
{
    static bool full;
    full = true;
    sys_.memory_file = [](const char *name) { return full ? -EMFILE : sfd_sys_linux.memory_file(name); };
    root("/proc");
    content_ = contentOf("/proc/version");
    begin(SFD_WIRE_SEND_FILE, toPipe(), 0, SFD_WIRE_TO_END, "version");
    work();
    run();
    ASSERT_EQ(SFD_NEXT_RETRY, next_);
    full = false;
    ASSERT_TRUE(fires(1000));
    finish();
    EXPECT_EQ(content_, data_);
    expectSent(content_.size());
}

} // namespace
