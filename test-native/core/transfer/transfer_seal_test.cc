// Transfers to a memory file that is sealed at their end, and buffers as their source.
#include "transfer_fixture.h"

#include "memory_fixture.h"

#include <sys/mman.h>

namespace
{

constexpr size_t JOB = 8 * 1024 * 1024; // bytes of one copy
constexpr int SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

struct SealScript {
    std::deque<int> answers; // of F_ADD_SEALS, then the kernel's
    int calls;
    std::function<void()> before; // each of them
};
SealScript sealing;

class TransferSealTest : public TransferFixture
{
  protected:
    void SetUp() override
    {
        TransferFixture::SetUp();
        sealing = {};
        sys_.fcntl = [](int fd, int command, int64_t argument) {
            if (command == F_ADD_SEALS) {
                sealing.calls++;
                if (sealing.before) {
                    sealing.before();
                }
                if (!sealing.answers.empty()) {
                    const int answer = sealing.answers.front();
                    sealing.answers.pop_front();
                    return answer;
                }
            }
            return sfd_sys_linux.fcntl(fd, command, argument);
        };
        learnDevice();
        version_ = SFD_WIRE_VERSION;
        options_.flags = SFD_OPTION_SEAL;
        memory_ = memory();
    }
    void TearDown() override
    {
        memory_.reset();
        sealing = {};
        TransferFixture::TearDown();
    }

    static OwnedFd memory(unsigned flags = MFD_ALLOW_SEALING)
    {
        return OwnedFd(memfd_create("buffer", MFD_CLOEXEC | flags));
    }
    /* The daemon's copy of the client's descriptor. */
    int dest() const
    {
        return fcntl(memory_.get(), F_DUPFD_CLOEXEC, 0);
    }
    int seals() const
    {
        return fcntl(memory_.get(), F_GET_SEALS) & SEALS;
    }
    std::string content() const
    {
        struct stat st = {};
        EXPECT_EQ(0, fstat(memory_.get(), &st));
        std::string bytes(static_cast<size_t>(st.st_size), '\0');
        EXPECT_EQ(st.st_size, pread(memory_.get(), &bytes[0], bytes.size(), 0));
        return bytes;
    }
    static std::string refusal(int error, unsigned fits = 0)
    {
        return "refusal " + std::to_string(error) + " fits " + std::to_string(fits);
    }
    /* How the Result at the end begins. */
    static std::string result(int error, size_t moved)
    {
        return "result " + std::to_string(error) + " moved " + std::to_string(moved) + " by ";
    }
    testing::AssertionResult endedWith(const std::string &expected)
    {
        const Messages all = told();
        if (!all.empty() && all.back().rfind(expected, 0) == 0) {
            return testing::AssertionSuccess();
        }
        return testing::AssertionFailure() << (all.empty() ? "nothing" : all.back());
    }
    void expectSealed(size_t size)
    {
        EXPECT_TRUE(endedWith(result(0, size)));
        EXPECT_EQ(SEALS, seals());
        EXPECT_BYTES(content_, content());
        EXPECT_TRUE(clientSeesEnd());
        EXPECT_EQ(1u, count(SFD_COUNTER_COMPLETED));
        EXPECT_EQ(size, count(SFD_COUNTER_BYTES));
    }
    void next()
    {
        again();
        memory_ = memory();
        sealing = {};
    }
    /* In place of a path: a sealed memory file. */
    void source(size_t size)
    {
        content_ = pattern(size);
        source_ = memory();
        ASSERT_EQ(static_cast<ssize_t>(size), write(source_.get(), content_.data(), size));
        ASSERT_EQ(0, fcntl(source_.get(), F_ADD_SEALS, SEALS));
    }

    OwnedFd memory_; // the client's
};

/* ------------------------------------------------------------------ sealed */

TEST_F(TransferSealTest, ShouldSealWhatItHasFilled)
{
    for (const size_t size : {size_t{0}, size_t{1}, size_t{4096}, BIG, JOB, JOB + 1, 2 * JOB}) {
        SCOPED_TRACE(size);
        next();
        file(size);
        begin(SFD_WIRE_SEND_FILE, dest());
        finish();
        expectSealed(size);
        EXPECT_EQ(1, sealing.calls) << "when all is in it, and once";
    }
}

TEST_F(TransferSealTest, ShouldSealBeforeItSaysComplete)
{
    for (const size_t size : {size_t{0}, size_t{1}, JOB + 1}) {
        next();
        file(size);
        bool told_too_soon = false;
        sealing.before = [&] {
            for (const std::string &message : told()) {
                told_too_soon |= message.rfind("result", 0) == 0 || message == "complete";
            }
            EXPECT_BYTES(content_, content()) << "all is in it";
        };
        begin(SFD_WIRE_SEND_FILE, dest());
        finish();
        EXPECT_EQ(1, sealing.calls);
        EXPECT_FALSE(told_too_soon);
        expectSealed(size);
    }
}

TEST_F(TransferSealTest, ShouldSealOnAThreadOfTheDiskPool)
{
    for (const size_t size : {size_t{0}, size_t{100}}) { // it looks at every page, and may wait
        next();
        file(size);
        EXPECT_EQ(SFD_NEXT_POOL, begin(SFD_WIRE_SEND_FILE, dest()));
        EXPECT_EQ(0, sealing.calls);
        work();
        EXPECT_EQ(1, sealing.calls);
        EXPECT_EQ(SFD_NEXT_END, run());
    }
}

TEST_F(TransferSealTest, ShouldSealByEachTechniqueBetweenFiles)
{
    for (const enum sfd_technique technique :
         {SFD_TECHNIQUE_COPY_FILE_RANGE, SFD_TECHNIQUE_SENDFILE, SFD_TECHNIQUE_MMAP, SFD_TECHNIQUE_READ_WRITE}) {
        for (const size_t size : {size_t{0}, BIG}) {
            SCOPED_TRACE(std::to_string(technique) + " " + std::to_string(size));
            next();
            options_.technique = static_cast<uint8_t>(technique);
            source(size); // between file systems not every kernel has copy_file_range(2)
            begin(SFD_WIRE_SEND_FILE, dest());
            finish();
            EXPECT_EQ(result(0, size) + std::to_string(technique), told().back());
            expectSealed(size);
        }
    }
}

TEST_F(TransferSealTest, ShouldSealWhatWasSentAtARate)
{
    for (const size_t size : {size_t{0}, size_t{300000}}) {
        next();
        file(size);
        options_.rate = 1000000;
        begin(SFD_WIRE_SEND_FILE, dest());
        for (int i = 0; i < 1000 && next_ != SFD_NEXT_END; i++) {
            if (next_ == SFD_NEXT_POOL) {
                work();
            } else {
                EXPECT_EQ(SFD_NEXT_TIMER, next_);
                context_->now_ms += 50;
            }
            run();
        }
        expectSealed(size);
        EXPECT_EQ(1, sealing.calls);
    }
}

TEST_F(TransferSealTest, ShouldSealARange)
{
    file(BIG);
    begin(SFD_WIRE_SEND_FILE, dest(), 1000, 5000);
    content_ = content_.substr(1000, 5000);
    finish();
    expectSealed(5000);
}

TEST_F(TransferSealTest, ShouldSealARangeThatIsEmpty)
{
    file(100);
    begin(SFD_WIRE_SEND_FILE, dest(), 100);
    content_.clear();
    finish();
    expectSealed(0);
}

TEST_F(TransferSealTest, ShouldSealAFileThatEndsInAHole)
{
    content_ = "begin" + std::string(BIG, '\0');
    const OwnedFd source = openFile(*directory_ / "file", O_RDWR | O_CREAT | O_TRUNC);
    ASSERT_EQ(5, pwrite(source.get(), "begin", 5, 0));
    ASSERT_EQ(0, ftruncate(source.get(), static_cast<off_t>(content_.size())));
    begin(SFD_WIRE_SEND_FILE, dest());
    finish();
    expectSealed(content_.size());
}

TEST_F(TransferSealTest, ShouldSealAnOpenedFilesDestination)
{
    for (const size_t size : {size_t{0}, BIG}) {
        next();
        file(size);
        ASSERT_EQ(SFD_NEXT_PARK, begin(SFD_WIRE_OPEN_FILE));
        next_ = sfd_transfer_send(context_.get(), t_.get(), dest());
        finish();
        expectSealed(size);
    }
}

TEST_F(TransferSealTest, ShouldSealWhatComesFromADescriptorOfTheClients)
{
    file(BIG);
    source_ = openFile(*directory_ / "file", O_RDONLY);
    begin(SFD_WIRE_SEND_FILE, dest());
    finish();
    expectSealed(BIG);
}

TEST_F(TransferSealTest, ShouldSealWhatASelectorHasAVoiceIn)
{
    for (const size_t size : {size_t{0}, BIG}) {
        next();
        settings_.selector = true;
        file(size);
        ASSERT_EQ(SFD_NEXT_SELECT, begin(SFD_WIRE_SEND_FILE, dest()));
        sfd_transfer_select(t_.get(), SFD_TECHNIQUE_READ_WRITE);
        run();
        finish();
        expectSealed(size);
    }
}

TEST_F(TransferSealTest, ShouldNotSealUnlessItIsAsked)
{
    options_.flags = 0;
    file(BIG);
    begin(SFD_WIRE_SEND_FILE, dest());
    finish();
    EXPECT_TRUE(endedWith(result(0, BIG)));
    EXPECT_EQ(0, sealing.calls);
    EXPECT_EQ(0, seals());
}

/* ------------------------------------------------------------------ refused */

TEST_F(TransferSealTest, ShouldRefuseADestinationThatCannotBeSealed)
{
    file(100);
    struct Case {
        const char *what;
        std::function<int()> dest;
        int error;
    };
    const Case cases[] = {
        {"pipe", [this] { return toPipe(); }, EINVAL},
        {"TCP", [this] { return toPair(tcpPair(), true); }, EINVAL},
        {"UNIX socket", [this] { return toPair(SocketPair(), true); }, EINVAL},
        {"regular file", [this] { return toFile(O_RDWR | O_TRUNC); }, EINVAL},
        {"device", [] { return open("/dev/null", O_WRONLY | O_CLOEXEC); }, EINVAL},
        {"memory file without seals", [] { return memfd_create("fixed", MFD_CLOEXEC); }, EPERM},
    };
    for (const Case &one : cases) {
        SCOPED_TRACE(one.what);
        next();
        EXPECT_EQ(SFD_NEXT_END, begin(SFD_WIRE_SEND_FILE, one.dest()));
        EXPECT_EQ(Messages{refusal(one.error)}, told());
        EXPECT_TRUE(clientSeesEnd());
        EXPECT_EQ("", data_);
        EXPECT_EQ(1u, count(SFD_COUNTER_REFUSED));
    }
    struct stat st = {};
    ASSERT_EQ(0, stat((*directory_ / "output").c_str(), &st));
    EXPECT_EQ(0, st.st_size) << "nothing was written";
}

TEST_F(TransferSealTest, ShouldRefuseAFileOfASharedMemoryFileSystem)
{
    OwnedFd shared(open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (shared.get() < 0) {
        GTEST_SKIP() << "/dev/shm: " << std::strerror(errno);
    }
    file(100);
    EXPECT_EQ(SFD_NEXT_END, begin(SFD_WIRE_SEND_FILE, take(shared)));
    EXPECT_EQ(Messages{refusal(EPERM)}, told());
}

TEST_F(TransferSealTest, ShouldRefuseWhatIsSealedAlready)
{
    for (const int already : {F_SEAL_SEAL, F_SEAL_WRITE, F_SEAL_FUTURE_WRITE, SEALS}) {
        SCOPED_TRACE(already);
        next();
        file(100);
        ASSERT_EQ(0, fcntl(memory_.get(), F_ADD_SEALS, already));
        EXPECT_EQ(SFD_NEXT_END, begin(SFD_WIRE_SEND_FILE, dest()));
        EXPECT_EQ(Messages{refusal(EPERM)}, told());
    }
}

TEST_F(TransferSealTest, ShouldRefuseADescriptorThatIsReadOnly)
{
    file(100);
    EXPECT_EQ(SFD_NEXT_END, begin(SFD_WIRE_SEND_FILE, open(("/proc/self/fd/" + std::to_string(memory_.get())).c_str(),
                                                           O_RDONLY | O_CLOEXEC)));
    EXPECT_EQ(Messages{refusal(EBADF)}, told());
}

TEST_F(TransferSealTest, ShouldRefuseToReadAndSeal)
{
    file(100);
    EXPECT_EQ(SFD_NEXT_END, begin(SFD_WIRE_READ_FILE));
    EXPECT_EQ(Messages{refusal(EINVAL)}, told());
    EXPECT_TRUE(clientSeesEnd());
}

TEST_F(TransferSealTest, ShouldEndAnOpenedFileWhoseDestinationCannotBeSealed)
{
    file(100);
    ASSERT_EQ(SFD_NEXT_PARK, begin(SFD_WIRE_OPEN_FILE));
    next_ = sfd_transfer_send(context_.get(), t_.get(), toPipe());
    EXPECT_EQ(SFD_NEXT_END, next_);
    EXPECT_EQ("info 100", told().front());
    EXPECT_TRUE(endedWith(result(EINVAL, 0)));
    EXPECT_TRUE(clientSeesEnd());
}

TEST_F(TransferSealTest, ShouldNotFillAFileThatMayNotGrow)
{
    file(100);
    ASSERT_EQ(0, fcntl(memory_.get(), F_ADD_SEALS, F_SEAL_GROW));
    begin(SFD_WIRE_SEND_FILE, dest());
    finish();
    EXPECT_TRUE(endedWith(result(EPERM, 0)));
    EXPECT_EQ(0, sealing.calls);
}

/* ------------------------------------------------------------------ failed */

TEST_F(TransferSealTest, ShouldSayThatSomebodyHasItMappedForWriting)
{
    for (const size_t size : {size_t{1}, size_t{100000}, JOB + 1}) {
        next();
        file(size);
        ASSERT_EQ(0, ftruncate(memory_.get(), 4096));
        void *data = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory_.get(), 0);
        ASSERT_NE(MAP_FAILED, data);
        begin(SFD_WIRE_SEND_FILE, dest());
        finish();
        EXPECT_TRUE(endedWith(result(EBUSY, size))) << "all was moved, and is not complete";
        EXPECT_TRUE(clientSeesEnd());
        EXPECT_EQ(0, seals());
        EXPECT_EQ(1u, count(SFD_COUNTER_FAILED));
        EXPECT_EQ(0u, count(SFD_COUNTER_COMPLETED));
        munmap(data, 4096);
    }
}

TEST_F(TransferSealTest, ShouldSayThatAnEmptyOneIsMappedForWriting)
{
    file(0);
    ASSERT_EQ(0, ftruncate(memory_.get(), 4096));
    void *data = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory_.get(), 0);
    begin(SFD_WIRE_SEND_FILE, dest());
    finish();
    EXPECT_TRUE(endedWith(result(EBUSY, 0)));
    EXPECT_EQ(0u, count(SFD_COUNTER_COMPLETED));
    munmap(data, 4096);
}

TEST_F(TransferSealTest, ShouldSayThatItsSealsWereSealedMeanwhile)
{
    file(100);
    begin(SFD_WIRE_SEND_FILE, dest());
    ASSERT_EQ(0, fcntl(memory_.get(), F_ADD_SEALS, F_SEAL_SEAL));
    finish();
    EXPECT_TRUE(endedWith(result(EPERM, 100)));
    EXPECT_EQ(0, seals());
}

TEST_F(TransferSealTest, ShouldTryAgainWhenThereWasNoMemoryToSealIt)
{
    for (const size_t size : {size_t{0}, size_t{100}, JOB + 1}) {
        SCOPED_TRACE(size);
        next();
        file(size);
        sealing.answers = {-ENOMEM, -ENOMEM};
        begin(SFD_WIRE_SEND_FILE, dest());
        int waits = 0;
        for (int i = 0; i < 100 && next_ != SFD_NEXT_END; i++) {
            if (next_ == SFD_NEXT_POOL) {
                work();
            } else if (next_ == SFD_NEXT_RETRY) {
                waits++;
                EXPECT_EQ(0, seals());
                EXPECT_FALSE(endedWith("result"));
                EXPECT_TRUE(fires(100));
            }
            run();
        }
        EXPECT_EQ(2, waits);
        EXPECT_EQ(3, sealing.calls);
        expectSealed(size);
    }
}

TEST_F(TransferSealTest, ShouldTryAgainAtARateAsWell)
{
    file(100);
    options_.rate = 1000;
    sealing.answers = {-ENOMEM};
    begin(SFD_WIRE_SEND_FILE, dest());
    for (int i = 0; i < 1000 && next_ != SFD_NEXT_END; i++) {
        if (next_ == SFD_NEXT_POOL) {
            work();
        } else {
            fires(50);
        }
        run();
    }
    EXPECT_EQ(2, sealing.calls);
    expectSealed(100);
}

TEST_F(TransferSealTest, ShouldGiveUpToSealWhenMemoryIsShortForTooLong)
{
    file(100);
    options_.idle_ms = 1000;
    sealing.answers.assign(1000, -ENOMEM);
    begin(SFD_WIRE_SEND_FILE, dest());
    for (int i = 0; i < 100 && next_ != SFD_NEXT_END; i++) {
        if (next_ == SFD_NEXT_POOL) {
            work();
        } else {
            fires(200);
        }
        run();
    }
    EXPECT_TRUE(endedWith(result(ENOMEM, 100)));
    EXPECT_EQ(0u, count(SFD_COUNTER_COMPLETED));
    EXPECT_EQ(0, seals());
}

TEST_F(TransferSealTest, ShouldNotSealHalfAFile)
{
    file(BIG);
    begin(SFD_WIRE_SEND_FILE, dest());
    ASSERT_EQ(0, truncate((*directory_ / "file").c_str(), 1000));
    finish();
    EXPECT_TRUE(endedWith(result(ENODATA, 1000)));
    EXPECT_EQ(0, sealing.calls);
    EXPECT_EQ(0, seals());
}

TEST_F(TransferSealTest, ShouldNotBeCompleteWhenItIsCancelledWhileAJobRuns)
{
    for (const bool after_work : {false, true}) {
        next();
        file(100);
        ASSERT_EQ(SFD_NEXT_POOL, begin(SFD_WIRE_SEND_FILE, dest()));
        t_->loop.offloaded = true;
        if (after_work) { // it is sealed, and nobody was told
            sfd_transfer_work(context_.get(), t_.get());
        }
        EXPECT_EQ(SFD_NEXT_WAIT, sfd_transfer_cancel(context_.get(), t_.get()));
        EXPECT_TRUE(clientSeesEnd());
        EXPECT_EQ(Messages{"info 100"}, told());
        if (!after_work) {
            sfd_transfer_work(context_.get(), t_.get());
        }
        t_->loop.offloaded = false;
        EXPECT_EQ(SFD_NEXT_END, run());
        EXPECT_EQ(after_work ? 1 : 0, sealing.calls);
        EXPECT_EQ(0u, count(SFD_COUNTER_COMPLETED));
        EXPECT_EQ(1u, count(SFD_COUNTER_CANCELLED));
    }
}

TEST_F(TransferSealTest, ShouldEndAtItsDeadlineAlthoughItIsSealed)
{
    file(100);
    options_.deadline_ms = 100;
    begin(SFD_WIRE_SEND_FILE, dest());
    work();
    context_->now_ms += 100;
    EXPECT_EQ(SFD_NEXT_END, run());
    EXPECT_TRUE(endedWith(result(ETIMEDOUT, 100)));
    EXPECT_EQ(0u, count(SFD_COUNTER_COMPLETED));
}

/* ------------------------------------------------------------------ a buffer as source */

class BufferSourceTest : public TransferSealTest
{
  protected:
    void SetUp() override
    {
        TransferSealTest::SetUp();
        options_.flags = 0;
    }
};

TEST_F(BufferSourceTest, ShouldSendASealedBufferToEveryDestination)
{
    const std::function<int()> destinations[] = {
        [this] { return toPipe(); }, [this] { return toPair(tcpPair(), true); },
        [this] { return toPair(tcpPair(), false); }, [this] { return toPair(SocketPair(), true); }};
    for (const auto &destination : destinations) {
        for (const size_t size : {size_t{0}, size_t{1}, BIG}) {
            next();
            source(size);
            begin(SFD_WIRE_SEND_FILE, destination());
            finish();
            EXPECT_BYTES(content_, data_);
            EXPECT_TRUE(endedWith(result(0, size)));
        }
    }
}

TEST_F(BufferSourceTest, ShouldSendABufferOfHugePagesToEveryDestination)
{
    const size_t huge = HugePages::size();
    HugePages pages(4); // the closer has those that are sent, until it is asked to close
    if (huge == 0 || !pages.missing().empty()) {
        GTEST_SKIP() << (huge == 0 ? "a kernel without huge pages" : pages.missing());
    }
    const std::function<int()> destinations[] = {
        [this] { return toPipe(); }, [this] { return toPair(tcpPair(), true); },
        [this] { return toPair(SocketPair(), true); }, [this] { return dest(); }};
    for (const auto &destination : destinations) {
        next();
        struct sfd_buffer buffer = SFD_BUFFER_INIT;
        ASSERT_EQ(0, sfd_memory_create(&sfd_sys_memory_linux, "huge", BIG, SFD_BUFFER_HUGE_PAGES, &buffer));
        content_ = pattern(BIG);
        std::memcpy(buffer.data, content_.data(), BIG);
        ASSERT_EQ(0, sfd_memory_seal(&sfd_sys_memory_linux, &buffer));
        source_.reset(fcntl(buffer.fd, F_DUPFD_CLOEXEC, 0));
        script.fs_type = HUGETLBFS_MAGIC;
        sfd_devices_deinit(&devices_);
        sfd_devices_init(&devices_);
        begin(SFD_WIRE_SEND_FILE, destination(), 0, BIG);
        finish();
        EXPECT_TRUE(endedWith(result(0, BIG)));
        EXPECT_BYTES(content_, pipe_ || pair_ ? data_ : content());
        sfd_memory_free(&sfd_sys_memory_linux, &buffer);
        source_.reset();
    }
}

TEST_F(BufferSourceTest, ShouldCopyASealedBufferToAnotherOne)
{
    options_.flags = SFD_OPTION_SEAL;
    source(BIG);
    begin(SFD_WIRE_SEND_FILE, dest());
    finish();
    expectSealed(BIG);
}

TEST_F(BufferSourceTest, ShouldRefuseToFillABufferFromItself)
{
    content_ = pattern(100);
    ASSERT_EQ(100, pwrite(memory_.get(), content_.data(), 100, 0));
    options_.flags = SFD_OPTION_SEAL;
    source_.reset(dest());
    begin(SFD_WIRE_SEND_FILE, dest());
    finish();
    EXPECT_TRUE(endedWith(result(EINVAL, 0)));
    EXPECT_EQ(0, seals());
}

} // namespace
