// The status channel: nothing that is due is lost, nothing is cut, nothing is said twice.
#include "core.h"

#include <memory>

namespace
{

class StatusTest : public CoreTest
{
  protected:
    void SetUp() override
    {
        CoreTest::SetUp();
        kernel_ = std::make_unique<Kernel>();
        pipe_ = std::make_unique<Pipe>(O_NONBLOCK);
        sfd_status_init(&status_);
        status_.fd = dup(pipe_->out.get());
    }
    void TearDown() override
    {
        sfd_status_deinit(&status_, &kernel_->kernel);
        sfd_status_deinit(&status_, &kernel_->kernel); // idempotent
        pipe_.reset();
        kernel_.reset();
        CoreTest::TearDown();
    }

    void infoIsDue()
    {
        status_.info_due = true;
        status_.info.size = 1234;
        status_.info.atime = 1;
        status_.info.mtime = 2;
        status_.info.ctime = 3;
        status_.info.id = 0x1122334455667788;
    }
    int flush()
    {
        return sfd_status_flush(&status_, &kernel_->kernel);
    }
    std::string received()
    {
        return drain(pipe_->in.get());
    }

    std::unique_ptr<Kernel> kernel_;
    std::unique_ptr<Pipe> pipe_;
    struct sfd_status status_;
};

TEST_F(StatusTest, ShouldWriteNothingWhenNothingIsDue)
{
    EXPECT_EQ(1, flush());
    EXPECT_EQ("", received());
}

TEST_F(StatusTest, ShouldWriteFileInformationOnce)
{
    infoIsDue();
    EXPECT_EQ(1, flush());
    EXPECT_EQ(1, flush());
    const std::string bytes = received();
    EXPECT_EQ(Messages{"info 1234"}, messages(bytes));
    EXPECT_EQ(0x1122334455667788u, infoOf(bytes).id);
    EXPECT_EQ(2, infoOf(bytes).mtime);
}

TEST_F(StatusTest, ShouldMergeProgressThatFindsNoRoom)
{
    pipe_->fill();
    status_.progress = 10;
    EXPECT_EQ(0, flush());
    status_.progress += 5;
    EXPECT_EQ(0, flush());
    received();
    EXPECT_EQ(1, flush());
    EXPECT_EQ(Messages{"progress 15"}, messages(received()));
    EXPECT_EQ(0u, status_.progress);
}

TEST_F(StatusTest, ShouldKeepFileInformationAndTheTerminalMessageUntilThereIsRoom) // D38
{
    pipe_->fill();
    infoIsDue();
    EXPECT_EQ(0, flush());
    sfd_status_complete(&status_);
    EXPECT_EQ(0, flush());
    received();
    EXPECT_EQ(1, flush());
    EXPECT_EQ((Messages{"info 1234", "complete"}), messages(received()));
}

TEST_F(StatusTest, ShouldDropProgressThatCompleteSaysAnyway)
{
    status_.progress = 77;
    sfd_status_complete(&status_);
    EXPECT_EQ(1, flush());
    EXPECT_EQ(Messages{"complete"}, messages(received()));
}

TEST_F(StatusTest, ShouldTellHowMuchWasMovedBeforeAnError)
{
    infoIsDue();
    status_.progress = 77;
    sfd_status_fail(&status_, SFD_WIRE_XFER_STAT, -EPIPE);
    EXPECT_EQ(1, flush());
    EXPECT_EQ((Messages{"info 1234", "progress 77", "error 130 32"}), messages(received()));
}

TEST_F(StatusTest, ShouldRefuseInPlaceOfFileInformation)
{
    infoIsDue();
    sfd_status_fail(&status_, SFD_WIRE_FILE_INFO, -ENOENT);
    EXPECT_EQ(1, flush());
    EXPECT_EQ(Messages{"error 129 2"}, messages(received()));
}

TEST_F(StatusTest, ShouldKeepTheFirstTerminalMessage)
{
    sfd_status_fail(&status_, SFD_WIRE_XFER_STAT, -EIO);
    sfd_status_complete(&status_);
    sfd_status_fail(&status_, SFD_WIRE_XFER_STAT, -EPIPE);
    EXPECT_EQ(1, flush());
    EXPECT_EQ(Messages{"error 130 5"}, messages(received()));
}

TEST_F(StatusTest, ShouldReportAnErrorThatOneByteCannotCarryAsEio)
{
    sfd_status_fail(&status_, SFD_WIRE_XFER_STAT, -512);
    EXPECT_EQ(1, flush());
    EXPECT_EQ(Messages{"error 130 5"}, messages(received()));
}

TEST_F(StatusTest, ShouldNeverReportZeroAsAnError)
{
    sfd_status_fail(&status_, SFD_WIRE_XFER_STAT, 0);
    EXPECT_EQ(1, flush());
    EXPECT_EQ(Messages{"error 130 5"}, messages(received()));
}

TEST_F(StatusTest, ShouldNotCutAMessageWhenThePipeHasRoomForAPartOfIt)
{
    /* A pipe of one page with 40 bytes left. */
    const int page = fcntl(pipe_->out.get(), F_SETPIPE_SZ, 4096);
    const std::string most(static_cast<size_t>(page - 40), 'f');
    ASSERT_EQ(static_cast<ssize_t>(most.size()), write(pipe_->out.get(), most.data(), most.size()));
    infoIsDue();
    EXPECT_EQ(0, flush());
    EXPECT_EQ(most, received()) << "no byte of the message";
    EXPECT_EQ(1, flush());
    EXPECT_EQ(Messages{"info 1234"}, messages(received()));
}

TEST_F(StatusTest, ShouldTellAResultInPlaceOfCompleteAndOfAnErrorToAnExtendedRequest)
{
    for (const int error : {0, EPIPE}) {
        status_.version = SFD_WIRE_VERSION;
        status_.terminal = SFD_TERMINAL_NONE;
        infoIsDue();
        status_.progress = 77;
        status_.result = {1234, 5678, 9, SFD_TECHNIQUE_SPLICE, 0};
        if (error == 0) {
            sfd_status_complete(&status_);
        } else {
            sfd_status_fail(&status_, SFD_WIRE_XFER_STAT, -error);
        }
        EXPECT_EQ(1, flush());
        const std::string bytes = received();
        EXPECT_EQ((Messages{"info 1234", "result " + std::to_string(error) + " moved 1234 by 2"}), messages(bytes));
        struct sfd_wire_response response = {};
        EXPECT_EQ(SFD_WIRE_RESULT_SIZE,
                  sfd_wire_get_response(bytes.data() + SFD_WIRE_FILE_INFO_SIZE, SFD_WIRE_RESULT_SIZE, &response));
        EXPECT_EQ(5678u, response.result.elapsed_ns);
        EXPECT_EQ(9u, response.result.cold_windows);
    }
}

TEST_F(StatusTest, ShouldRefuseAnExtendedRequestWithTheTechniquesThatWouldDo)
{
    status_.version = SFD_WIRE_VERSION;
    status_.fits = 6;
    infoIsDue();
    sfd_status_fail(&status_, SFD_WIRE_FILE_INFO, -EOPNOTSUPP);
    EXPECT_EQ(1, flush());
    EXPECT_EQ(Messages{"refusal " + std::to_string(EOPNOTSUPP) + " fits 6"}, messages(received()));
}

TEST_F(StatusTest, ShouldKeepAResultUntilThereIsRoom)
{
    pipe_->fill();
    status_.version = SFD_WIRE_VERSION;
    sfd_status_complete(&status_);
    EXPECT_EQ(0, flush());
    received();
    EXPECT_EQ(1, flush());
    EXPECT_EQ(Messages{"result 0 moved 0 by 0"}, messages(received()));
}

TEST_F(StatusTest, ShouldSayThatNobodyReads)
{
    pipe_->in.reset();
    infoIsDue();
    EXPECT_EQ(-EPIPE, flush());
    EXPECT_TRUE(sfd_status_is_lost(-EPIPE));
}

TEST_F(StatusTest, ShouldTryAgainAfterWantOfMemory)
{
    static int calls;
    calls = 0;
    struct sfd_sys sys = copyOfSys();
    sys.pwritev2 = [](int fd, const struct iovec *iov, int count, int64_t offset, int flags) {
        static const int errors[] = {-ENOMEM, -ENOBUFS, -EAGAIN};
        if (calls < 3) {
            return static_cast<int64_t>(errors[calls++]);
        }
        return sfd_sys_linux.pwritev2(fd, iov, count, offset, flags);
    };
    kernel_->kernel.sys = &sys;
    infoIsDue();
    for (const int expected : {-ENOMEM, -ENOBUFS, 0}) {
        const int told = flush();
        EXPECT_EQ(expected, told) << "an event tells when there is room, and none when there is memory";
        EXPECT_FALSE(sfd_status_is_lost(told));
    }
    EXPECT_EQ(1, flush());
    EXPECT_EQ(Messages{"info 1234"}, messages(received()));
    kernel_->kernel.sys = &sfd_sys_linux;
}

TEST_F(StatusTest, ShouldAcceptPipesOnly)
{
    const SocketPair pair;
    const OwnedFd file = openFile("/dev/null", O_WRONLY);
    for (const int other : {pair.out.get(), file.get(), 1 << 20}) {
        int fd = other;
        EXPECT_EQ(-EBADMSG, sfd_status_accept(&kernel_->kernel, &fd));
        EXPECT_EQ(other, fd);
    }
    EXPECT_EQ(0, sfd_status_accept(&kernel_->kernel, &status_.fd));
    infoIsDue();
    EXPECT_EQ(1, flush());
    EXPECT_EQ(Messages{"info 1234"}, messages(received()));
}

TEST_F(StatusTest, ShouldAcceptABlockingPipeByADescriptionOfOurOwnWhereItsKernelKnowsNoNowait)
{
    Pipe blocking;
    kernel_->kernel.pipe_write_flags = 0;
    sfd_status_deinit(&status_, &kernel_->kernel);
    status_.fd = dup(blocking.out.get());
    blocking.fill();
    ASSERT_EQ(0, sfd_status_accept(&kernel_->kernel, &status_.fd));
    infoIsDue();
    EXPECT_EQ(0, flush());
    EXPECT_EQ(0, fcntl(blocking.out.get(), F_GETFL) & O_NONBLOCK);
}

TEST_F(StatusTest, ShouldTellAPipeThatNeverHangsUp)
{
    EXPECT_EQ(0, sfd_status_check_hangup(&status_, &kernel_->kernel));
    const OwnedFd both = openFile("/proc/self/fd/" + std::to_string(pipe_->in.get()), O_RDWR);
    sfd_status_deinit(&status_, &kernel_->kernel);
    status_.fd = dup(both.get());
    EXPECT_EQ(-EBADMSG, sfd_status_check_hangup(&status_, &kernel_->kernel));
}

TEST_F(StatusTest, ShouldNotBlockOnAFullPipeWithoutONonblock) // D18
{
    if (kernel_->kernel.pipe_write_flags == 0) {
        GTEST_SKIP() << "this kernel's pipes do not know RWF_NOWAIT; transfers reopen them instead";
    }
    Pipe blocking;
    sfd_status_deinit(&status_, &kernel_->kernel);
    status_.fd = dup(blocking.out.get());
    blocking.fill();
    infoIsDue();
    EXPECT_EQ(0, flush());
}

} // namespace
