// What an extended request asks for, and how it is answered: forced techniques, choices of a selector, Send Descriptor,
// Refusal and Result.
#include "transfer_fixture.h"

#include <sys/mman.h>

namespace
{

constexpr unsigned MEMORY = SFD_TECHNIQUE_BIT(SFD_TECHNIQUE_MMAP) | SFD_TECHNIQUE_BIT(SFD_TECHNIQUE_READ_WRITE);

class TransferOptionsTest : public TransferFixture
{
  protected:
    void SetUp() override
    {
        TransferFixture::SetUp();
        learnDevice();
        version_ = SFD_WIRE_VERSION;
    }
    static std::string result(size_t moved, enum sfd_technique technique, int error = 0)
    {
        return "result " + std::to_string(error) + " moved " + std::to_string(moved) + " by " +
               std::to_string(technique);
    }
    static std::string refusal(int error, unsigned fits = 0)
    {
        return "refusal " + std::to_string(error) + " fits " + std::to_string(fits);
    }
    /* The Result at the end of the status channel's bytes. */
    struct sfd_wire_result lastResult()
    {
        collect();
        struct sfd_wire_response response = {};
        const size_t size = SFD_WIRE_RESULT_SIZE;
        EXPECT_GE(status_bytes_.size(), size);
        EXPECT_EQ(static_cast<int>(size),
                  sfd_wire_get_response(status_bytes_.data() + status_bytes_.size() - size, size, &response));
        EXPECT_EQ(SFD_WIRE_RESPONSE_RESULT, response.kind);
        return response.result;
    }
};

/* ------------------------------------------------------------------ answers */

TEST_F(TransferOptionsTest, ShouldTellTheFiguresOfATransferInItsResult)
{
    file(BIG);
    script.now_ns = 5000;
    begin(SFD_WIRE_SEND_FILE, toPipe());
    script.now_ns += 1234567;
    finish();
    EXPECT_BYTES(content_, data_);
    EXPECT_EQ("info " + std::to_string(BIG), told().front());
    EXPECT_EQ(result(BIG, SFD_TECHNIQUE_SPLICE), told().back());
    EXPECT_EQ(1234567u, lastResult().elapsed_ns);
    EXPECT_EQ(0u, lastResult().cold_windows);
    EXPECT_TRUE(clientSeesEnd());
}

TEST_F(TransferOptionsTest, ShouldCountTheWindowsThatTheDiskHadToLoad)
{
    script.warm_until = 0;
    file(BIG);
    begin(SFD_WIRE_SEND_FILE, toPipe());
    finish();
    EXPECT_EQ(count(SFD_COUNTER_COLD_WINDOWS), lastResult().cold_windows);
    EXPECT_GT(lastResult().cold_windows, 0u);
}

TEST_F(TransferOptionsTest, ShouldReadWithTheResultBehindTheBytes)
{
    for (const size_t size : {size_t{0}, size_t{1}, size_t{4096}, size_t{32769}, BIG}) {
        SCOPED_TRACE(size);
        again();
        file(size);
        begin(SFD_WIRE_READ_FILE);
        finish();
        ASSERT_EQ(SFD_WIRE_FILE_INFO_SIZE + size + SFD_WIRE_RESULT_SIZE, status_bytes_.size());
        EXPECT_BYTES(content_, readBytes().substr(0, size));
        EXPECT_EQ(size, lastResult().moved);
        EXPECT_EQ(size <= SFD_SMALL_BYTES ? SFD_TECHNIQUE_READ_WRITE : SFD_TECHNIQUE_SPLICE, lastResult().technique);
        EXPECT_TRUE(clientSeesEnd());
    }
}

TEST_F(TransferOptionsTest, ShouldKeepTheResultOfAReadUntilThereIsRoom) // D38
{
    file(4096);
    status_ = std::make_unique<Pipe>();
    ASSERT_EQ(4096, fcntl(status_->out.get(), F_SETPIPE_SZ, 4096));
    next_ = begin(SFD_WIRE_READ_FILE);
    EXPECT_NE(SFD_NEXT_END, next_);
    finish();
    EXPECT_BYTES(content_, readBytes().substr(0, 4096));
    EXPECT_EQ(4096u, lastResult().moved);
}

TEST_F(TransferOptionsTest, ShouldEndAReadThatFailsWithoutAResult)
{
    file(BIG);
    begin(SFD_WIRE_READ_FILE);
    writeFile(*directory_ / "file", "short"); // it shrinks
    finish();
    EXPECT_LT(status_bytes_.size(), SFD_WIRE_FILE_INFO_SIZE + BIG);
    EXPECT_EQ(1u, count(SFD_COUNTER_FAILED));
}

TEST_F(TransferOptionsTest, ShouldSayHowMuchWasMovedBeforeAnError)
{
    file(BIG);
    ASSERT_EQ(SFD_NEXT_DEST, begin(SFD_WIRE_SEND_FILE, toPipe()));
    collect();
    const size_t moved = data_.size();
    pipe_.reset();
    EXPECT_EQ(SFD_NEXT_END, run());
    EXPECT_EQ(result(moved, SFD_TECHNIQUE_SPLICE, EPIPE), told().back());
}

TEST_F(TransferOptionsTest, ShouldRefuseWithARefusal)
{
    EXPECT_EQ(SFD_NEXT_END, begin(SFD_WIRE_SEND_FILE, toPipe(), 0, SFD_WIRE_TO_END, "missing"));
    EXPECT_EQ(Messages{refusal(ENOENT)}, told());
    EXPECT_TRUE(clientSeesEnd());
}

TEST_F(TransferOptionsTest, ShouldSendAnOpenedFileByTheOptionsOfItsOpen)
{
    options_.technique = SFD_TECHNIQUE_MMAP;
    file(BIG);
    script.now_ns = 1000;
    ASSERT_EQ(SFD_NEXT_PARK, begin(SFD_WIRE_OPEN_FILE));
    script.now_ns = 1000000;
    next_ = sfd_transfer_send(context_.get(), t_.get(), toPipe());
    script.now_ns = 1000077;
    finish();
    EXPECT_BYTES(content_, data_);
    EXPECT_EQ(result(BIG, SFD_TECHNIQUE_MMAP), told().back());
    EXPECT_EQ(77u, lastResult().elapsed_ns) << "from the request that began to move it";
}

TEST_F(TransferOptionsTest, ShouldEndAnOpenedFileWhoseTechniqueDoesNotFitItsDestination)
{
    options_.technique = SFD_TECHNIQUE_SPLICE;
    file(100);
    ASSERT_EQ(SFD_NEXT_PARK, begin(SFD_WIRE_OPEN_FILE));
    next_ = sfd_transfer_send(context_.get(), t_.get(), toPair(tcpPair(), true));
    EXPECT_EQ(SFD_NEXT_END, next_);
    EXPECT_EQ((Messages{"info 100", result(0, SFD_TECHNIQUE_AUTO, EOPNOTSUPP)}), told());
    EXPECT_EQ(MEMORY | SFD_TECHNIQUE_BIT(SFD_TECHNIQUE_SENDFILE), lastResult().fits);
}

/* ------------------------------------------------------------------ forced techniques */

TEST_F(TransferOptionsTest, ShouldObeyAForcedTechniqueThatFits)
{
    for (const enum sfd_technique technique : {SFD_TECHNIQUE_SPLICE, SFD_TECHNIQUE_MMAP, SFD_TECHNIQUE_READ_WRITE}) {
        for (const size_t size : {size_t{0}, size_t{1}, BIG}) {
            SCOPED_TRACE(std::to_string(technique) + " " + std::to_string(size));
            again();
            options_.technique = static_cast<uint8_t>(technique);
            file(size);
            begin(SFD_WIRE_SEND_FILE, toPipe());
            finish();
            EXPECT_BYTES(content_, data_);
            EXPECT_EQ(result(size, technique), told().back());
        }
    }
}

TEST_F(TransferOptionsTest, ShouldObeyAForcedTechniqueBetweenFiles)
{
    for (const enum sfd_technique technique :
         {SFD_TECHNIQUE_COPY_FILE_RANGE, SFD_TECHNIQUE_SENDFILE, SFD_TECHNIQUE_MMAP, SFD_TECHNIQUE_READ_WRITE}) {
        SCOPED_TRACE(technique);
        again();
        options_.technique = static_cast<uint8_t>(technique);
        file(BIG);
        begin(SFD_WIRE_SEND_FILE, toFile(O_WRONLY | O_TRUNC));
        finish();
        EXPECT_BYTES(content_, contentOf(*directory_ / "output"));
        EXPECT_EQ(result(BIG, technique), told().back());
    }
}

TEST_F(TransferOptionsTest, ShouldRefuseATechniqueThatDoesNotFitAndSayWhichWould)
{
    file(100);
    options_.technique = SFD_TECHNIQUE_SPLICE;
    EXPECT_EQ(SFD_NEXT_END, begin(SFD_WIRE_SEND_FILE, toPair(tcpPair(), true)));
    EXPECT_EQ(Messages{refusal(EOPNOTSUPP, MEMORY | SFD_TECHNIQUE_BIT(SFD_TECHNIQUE_SENDFILE))}, told());
    again();
    options_.technique = SFD_TECHNIQUE_SENDFILE;
    EXPECT_EQ(SFD_NEXT_END, begin(SFD_WIRE_SEND_FILE, toPair(tcpPair(), false)));
    EXPECT_EQ(Messages{refusal(EOPNOTSUPP, MEMORY)}, told()) << "it blocks";
    again();
    options_.technique = SFD_TECHNIQUE_COPY_FILE_RANGE;
    EXPECT_EQ(SFD_NEXT_END, begin(SFD_WIRE_READ_FILE));
    EXPECT_EQ(Messages{refusal(EOPNOTSUPP, MEMORY | SFD_TECHNIQUE_BIT(SFD_TECHNIQUE_SPLICE))}, told());
}

TEST_F(TransferOptionsTest, ShouldRefuseWhatTakesNoBytesWithoutATechniqueThatWould)
{
    file(100);
    EXPECT_EQ(SFD_NEXT_END, begin(SFD_WIRE_SEND_FILE, eventfd(0, EFD_CLOEXEC)));
    EXPECT_EQ(Messages{refusal(EOPNOTSUPP)}, told());
}

/* ------------------------------------------------------------------ the selector */

class SelectorTest : public TransferOptionsTest
{
  protected:
    void SetUp() override
    {
        TransferOptionsTest::SetUp();
        version_ = 0; // it is asked for version 1 requests as well
        settings_.selector = true;
    }
    enum sfd_next choose(int verdict)
    {
        EXPECT_EQ(SFD_NEXT_SELECT, next_);
        sfd_transfer_select(t_.get(), verdict);
        return run();
    }
};

TEST_F(SelectorTest, ShouldObeyAChoice)
{
    file(BIG);
    begin(SFD_WIRE_SEND_FILE, toPipe());
    const struct sfd_subject subject = sfd_transfer_subject(t_.get());
    EXPECT_EQ(BIG, subject.size);
    EXPECT_EQ(SFD_FD_PIPE, subject.kind);
    EXPECT_FALSE(subject.nonblock);
    EXPECT_EQ(MEMORY | SFD_TECHNIQUE_BIT(SFD_TECHNIQUE_SPLICE), subject.fits);
    choose(SFD_TECHNIQUE_MMAP);
    EXPECT_EQ(SFD_TECHNIQUE_MMAP, t_->technique);
    finish();
    EXPECT_BYTES(content_, data_);
    expectSent(BIG);
}

TEST_F(SelectorTest, ShouldGoByTheRulesWhenItIsLeftToThem)
{
    file(100);
    begin(SFD_WIRE_SEND_FILE, toPipe());
    choose(SFD_TECHNIQUE_AUTO);
    EXPECT_EQ(SFD_TECHNIQUE_READ_WRITE, t_->technique);
    finish();
    expectSent(100);
    EXPECT_EQ(0u, count(SFD_COUNTER_UNFIT_SELECTIONS));
}

TEST_F(SelectorTest, ShouldGoByTheRulesWhenAChoiceDoesNotFitAndCountIt)
{
    for (const int verdict : {int{SFD_TECHNIQUE_COPY_FILE_RANGE}, 6, 255, 1000, -1}) {
        SCOPED_TRACE(verdict);
        again();
        file(BIG);
        begin(SFD_WIRE_SEND_FILE, toPipe());
        choose(verdict);
        EXPECT_EQ(SFD_TECHNIQUE_SPLICE, t_->technique);
        finish();
        EXPECT_EQ(1u, count(SFD_COUNTER_UNFIT_SELECTIONS));
        expectSent(BIG);
    }
}

TEST_F(SelectorTest, ShouldNotReportAChoiceThatMovedNothing)
{
    version_ = SFD_WIRE_VERSION;
    options_.deadline_ms = 100;
    file(BIG);
    ASSERT_EQ(SFD_NEXT_PARK, begin(SFD_WIRE_OPEN_FILE));
    next_ = sfd_transfer_send(context_.get(), t_.get(), toPipe());
    context_->now_ms += 100; // its turn after the verdict comes late
    EXPECT_EQ(SFD_NEXT_END, choose(-1));
    EXPECT_EQ(result(0, SFD_TECHNIQUE_AUTO, ETIMEDOUT), told().back());
}

TEST_F(SelectorTest, ShouldAskAgainWhenItIsWokenBeforeTheVerdict)
{
    file(BIG);
    begin(SFD_WIRE_SEND_FILE, toPipe());
    EXPECT_EQ(SFD_NEXT_SELECT, run());
    choose(SFD_TECHNIQUE_SPLICE);
    finish();
    expectSent(BIG);
}

TEST_F(SelectorTest, ShouldNotBeAskedForAForcedTechnique)
{
    version_ = SFD_WIRE_VERSION;
    options_.technique = SFD_TECHNIQUE_READ_WRITE;
    file(BIG);
    EXPECT_EQ(SFD_NEXT_DEST, begin(SFD_WIRE_SEND_FILE, toPipe()));
    finish();
    EXPECT_EQ(result(BIG, SFD_TECHNIQUE_READ_WRITE), told().back());
}

TEST_F(SelectorTest, ShouldBeAskedForAnOpenedFileOnceItsDestinationIsKnown)
{
    file(BIG);
    ASSERT_EQ(SFD_NEXT_PARK, begin(SFD_WIRE_OPEN_FILE));
    next_ = sfd_transfer_send(context_.get(), t_.get(), toPair(tcpPair(), true));
    choose(SFD_TECHNIQUE_SENDFILE);
    finish();
    EXPECT_BYTES(content_, data_);
    expectSent(BIG);
}

TEST_F(SelectorTest, ShouldObeyACancelBeforeTheVerdict)
{
    file(BIG);
    begin(SFD_WIRE_SEND_FILE, toPipe());
    EXPECT_EQ(SFD_NEXT_END, sfd_transfer_cancel(context_.get(), t_.get()));
    EXPECT_TRUE(clientSeesEnd());
}

/* ------------------------------------------------------------------ Send Descriptor */

class SendDescriptorTest : public TransferOptionsTest
{
  protected:
    void source(int flags = O_RDONLY)
    {
        source_ = openFile(*directory_ / "file", flags);
    }
};

TEST_F(SendDescriptorTest, ShouldSendAFileThatItsClientOpenedWithoutMovingItsPosition)
{
    file(BIG);
    source();
    const OwnedFd client(fcntl(source_.get(), F_DUPFD_CLOEXEC, 0)); // the same description
    ASSERT_EQ(17, lseek(client.get(), 17, SEEK_SET));
    begin(SFD_WIRE_SEND_FILE, toPipe(), 1000, BIG - 2000);
    finish();
    EXPECT_BYTES(content_.substr(1000, BIG - 2000), data_);
    EXPECT_EQ(result(BIG - 2000, SFD_TECHNIQUE_SPLICE), told().back());
    EXPECT_EQ(17, lseek(client.get(), 0, SEEK_CUR));
}

TEST_F(SendDescriptorTest, ShouldLockNothingOnItsClientsDescription)
{
    file(BIG);
    source();
    const OwnedFd client(fcntl(source_.get(), F_DUPFD_CLOEXEC, 0));
    begin(SFD_WIRE_SEND_FILE, toPipe());
    EXPECT_EQ(0, script.locks);
    finish();
    EXPECT_EQ(0, script.locks);
}

TEST_F(SendDescriptorTest, ShouldRefuseWhatIsNoRegularFileOrCannotBeRead)
{
    file(100);
    source_ = openFile(directory_->path(), O_RDONLY | O_DIRECTORY);
    EXPECT_EQ(SFD_NEXT_END, begin(SFD_WIRE_SEND_FILE, toPipe()));
    EXPECT_EQ(Messages{refusal(EINVAL)}, told());
    again();
    Pipe no_file;
    source_ = std::move(no_file.in);
    EXPECT_EQ(SFD_NEXT_END, begin(SFD_WIRE_SEND_FILE, toPipe()));
    EXPECT_EQ(Messages{refusal(EINVAL)}, told());
    for (const int flags : {O_WRONLY, O_PATH}) {
        again();
        source(flags);
        EXPECT_EQ(SFD_NEXT_END, begin(SFD_WIRE_SEND_FILE, toPipe()));
        EXPECT_EQ(Messages{refusal(EBADF)}, told());
    }
}

TEST_F(SendDescriptorTest, ShouldRefuseARangeOutsideTheFile)
{
    file(100);
    source();
    EXPECT_EQ(SFD_NEXT_END, begin(SFD_WIRE_SEND_FILE, toPipe(), 50, 51));
    EXPECT_EQ(Messages{refusal(ERANGE)}, told());
}

TEST_F(SendDescriptorTest, ShouldLeaveAFileOfAServerToTheDiskPool)
{
    script.fs_type = FUSE_MAGIC;
    sfd_devices_deinit(&devices_);
    sfd_devices_init(&devices_); // nothing is known of it yet
    file(BIG);
    source();
    ASSERT_EQ(SFD_NEXT_POOL, begin(SFD_WIRE_SEND_FILE, toPipe()));
    EXPECT_EQ(SFD_QUEUE_DEVICES, t_->task.queue) << "of its own device";
    finish();
    EXPECT_BYTES(content_, data_);
    EXPECT_EQ(1u, count(SFD_COUNTER_COLD_OPENS));
}

TEST_F(SendDescriptorTest, ShouldNotTakeTheNumberOfAnUnmountedFileSystemForIt)
{
    sys_.fcntl = [](int fd, int command, int64_t argument) {
        return command == F_GET_SEALS ? -EINVAL : sfd_sys_linux.fcntl(fd, command, argument);
    };
    for (const uint64_t before : {uint64_t{TMPFS_MAGIC}, uint64_t{EXT4_SUPER_MAGIC}}) {
        sfd_devices_deinit(&devices_);
        sfd_devices_init(&devices_);
        source_ = OwnedFd(memfd_create("its device has no hardware", MFD_CLOEXEC));
        ASSERT_EQ(100, write(source_.get(), pattern(100).data(), 100));
        struct sfd_fd_info info;
        ASSERT_EQ(0, sfd_fd_classify(&sfd_sys_linux, source_.get(), &info));
        script.fs_type = before;
        sfd_residency_learn(&devices_, &context_->kernel, source_.get(), info.dev);
        script.fs_type = FUSE_MAGIC;
        sys_.preadv2 = [](int fd, const struct iovec *iov, int count, int64_t offset, int flags) {
            return (flags & RWF_NOWAIT) != 0 ? static_cast<int64_t>(-EOPNOTSUPP)
                                             : sfd_sys_linux.preadv2(fd, iov, count, offset, flags);
        };
        EXPECT_EQ(SFD_NEXT_POOL, begin(SFD_WIRE_SEND_FILE, toPipe())) << "a server has it";
        finish();
        EXPECT_EQ(pattern(100), data_);
        EXPECT_EQ(SFD_MEDIUM_REMOTE, sfd_devices_medium(&devices_, t_->source.device));
        again();
        sys_.preadv2 = scripted().preadv2;
    }
}

TEST_F(SendDescriptorTest, ShouldRefuseInTimeWhileADeadServerHasTheDescriptor)
{
    sfd_devices_deinit(&devices_);
    sfd_devices_init(&devices_);
    options_.deadline_ms = 100;
    file(BIG);
    source();
    ASSERT_EQ(SFD_NEXT_POOL, begin(SFD_WIRE_SEND_FILE, toPipe()));
    t_->loop.offloaded = true;
    ASSERT_TRUE(fires(100));
    EXPECT_EQ(Messages{refusal(ETIMEDOUT)}, told());
    EXPECT_TRUE(clientSeesEnd());
    t_->loop.offloaded = false;
    EXPECT_EQ(SFD_NEXT_END, run());
}

} // namespace
