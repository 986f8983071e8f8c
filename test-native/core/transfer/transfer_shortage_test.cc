// One transfer on a machine that lacks something for a while: memory, descriptors, watches (R13, R14, D31).
#include "transfer_fixture.h"

#include <limits>
#include <sys/resource.h>

namespace
{

constexpr uint32_t IDLE_MS = 10000;
constexpr uint32_t DRAIN_MS = 3000;

/* Answers of the calls that the fixture leaves alone. */
struct Lack {
    std::deque<int64_t> moves;    // splice, send, sendfile to a destination; then the real call
    int64_t always;               // the same for good, unless 0
    int moved;                    // calls
    std::deque<int64_t> messages; // into a status channel
};
Lack lack;
ino_t status_inode; // of the transfer

bool isStatus(int fd)
{
    struct stat st = {};
    return fstat(fd, &st) == 0 && st.st_ino == status_inode;
}

bool lacks(int64_t *out)
{
    lack.moved++;
    if (lack.always < 0) {
        *out = lack.always;
        return true;
    }
    if (lack.moves.empty()) {
        return false;
    }
    *out = lack.moves.front();
    lack.moves.pop_front();
    return *out < 0;
}

/* No more descriptors than that, for its life. */
class DescriptorLimit
{
  public:
    explicit DescriptorLimit(rlim_t limit)
    {
        EXPECT_EQ(0, getrlimit(RLIMIT_NOFILE, &before_));
        const struct rlimit lower = {limit, before_.rlim_max};
        EXPECT_EQ(0, setrlimit(RLIMIT_NOFILE, &lower));
    }
    DescriptorLimit(const DescriptorLimit &) = delete;
    DescriptorLimit &operator=(const DescriptorLimit &) = delete;
    ~DescriptorLimit()
    {
        EXPECT_EQ(0, setrlimit(RLIMIT_NOFILE, &before_));
    }

  private:
    struct rlimit before_ = {};
};

class ShortageTest : public TransferFixture
{
  protected:
    void SetUp() override
    {
        TransferFixture::SetUp();
        lack = {};
        status_inode = 0;
        sys_.splice = [](int from, int64_t *offset, int to, size_t count, unsigned flags) {
            int64_t n = 0;
            return lacks(&n) ? n : sfd_sys_linux.splice(from, offset, to, count, flags);
        };
        sys_.send = [](int fd, const void *bytes, size_t length, int flags) {
            int64_t n = 0;
            return lacks(&n) ? n : sfd_sys_linux.send(fd, bytes, length, flags);
        };
        static int64_t (*const sendfile)(int, int, int64_t *, size_t) = sys_.sendfile;
        sys_.sendfile = [](int to, int from, int64_t *offset, size_t count) {
            int64_t n = 0;
            return to != script.null_fd && lacks(&n) ? n : sendfile(to, from, offset, count);
        };
        sys_.pwritev2 = [](int fd, const struct iovec *iov, int count, int64_t offset, int flags) {
            if (!lack.messages.empty() && isStatus(fd)) {
                const int64_t n = lack.messages.front();
                lack.messages.pop_front();
                if (n < 0) {
                    return n;
                }
            }
            return sfd_sys_linux.pwritev2(fd, iov, count, offset, flags);
        };
        settings_.idle_timeout_ms = IDLE_MS;
        settings_.drain_timeout_ms = DRAIN_MS;
        learnDevice();
    }
    /* The messages of the transfer that begins next meet these answers. */
    void messagesMeet(std::deque<int64_t> answers)
    {
        status_ = std::make_unique<Pipe>();
        struct stat st = {};
        ASSERT_EQ(0, fstat(status_->in.get(), &st));
        status_inode = st.st_ino;
        lack.messages = std::move(answers);
    }
    /* The time goes on until it has been tried again. */
    void retry(uint64_t ms)
    {
        ASSERT_EQ(SFD_NEXT_RETRY, next_);
        EXPECT_FALSE(fires(ms - 1)) << "tried again too early";
        ASSERT_TRUE(fires(1));
        ASSERT_EQ(SFD_NEXT_AGAIN, next_);
        run();
    }
    void retry()
    {
        ASSERT_EQ(SFD_NEXT_RETRY, next_);
        for (int ms = 0; ms < 1000 && next_ != SFD_NEXT_AGAIN; ms++) {
            fires(1);
        }
        ASSERT_EQ(SFD_NEXT_AGAIN, next_);
        collect();
        run();
    }
    /* Tries again and again as the loop would: how often, until it is over. */
    int retryToTheEnd()
    {
        int tries = 0;
        while (next_ == SFD_NEXT_RETRY && tries < 10000) {
            if (fires(1) && next_ == SFD_NEXT_AGAIN) {
                tries++;
                run();
                if (next_ == SFD_NEXT_POOL) {
                    workAndRun();
                }
            } else if (next_ == SFD_NEXT_WAIT) {
                next_ = SFD_NEXT_RETRY;
            }
        }
        return tries;
    }
    static std::string refused(int error)
    {
        return "error 129 " + std::to_string(error);
    }
    static std::string ended(int error)
    {
        return "error 130 " + std::to_string(error);
    }
};

/* ------------------------------------------------------------------ moving */

TEST_F(ShortageTest, ShouldMoveOnWhenThereIsMemoryAgain) // D31
{
    const auto destinations = {
        std::function<int()>([&] { return toPipe(); }),                    // splice
        std::function<int()>([&] { return toPair(SocketPair(), true); }),  // sendfile
        std::function<int()>([&] { return toPair(SocketPair(), false); }), // send
        std::function<int()>([&] { return toPair(tcpPair(), true); }),     // sendfile
    };
    for (const int64_t error : {-ENOMEM, -ENOBUFS}) {
        for (const auto &destination : destinations) {
            again();
            file(BIG);
            lack.moves = {0, error, error, 0, error}; // 0: the real call
            begin(SFD_WIRE_SEND_FILE, destination());
            while (next_ == SFD_NEXT_AGAIN || next_ == SFD_NEXT_DEST) {
                collect();
                run();
            }
            retry(10);
            retry(20);
            while (next_ == SFD_NEXT_AGAIN || next_ == SFD_NEXT_DEST) {
                collect();
                run();
            }
            retry(); // it may have got on in between
            finish();
            expectSent(BIG);
            EXPECT_BYTES(content_, data_);
            EXPECT_EQ(3u, count(SFD_COUNTER_SHORTAGES));
        }
    }
}

TEST_F(ShortageTest, ShouldReadOnWhenThereIsMemoryAgain) // D31
{
    file(BIG);
    lack.moves = {-ENOMEM, 0, -ENOBUFS};
    begin(SFD_WIRE_READ_FILE);
    retry(10);
    while (next_ == SFD_NEXT_AGAIN || next_ == SFD_NEXT_DEST) {
        collect();
        run();
    }
    retry(10);
    finish();
    EXPECT_BYTES(content_, readBytes());
}

TEST_F(ShortageTest, ShouldEndWithTheErrorWhenAShortageLastsAsLongAsItMayBeIdle) // R14
{
    for (const uint32_t own : {0u, 500u}) {
        again();
        lack = {};
        lack.always = -ENOBUFS;
        options_.idle_ms = own;
        const uint64_t began = context_->now_ms;
        file(BIG);
        begin(SFD_WIRE_SEND_FILE, toPipe());
        const int tries = retryToTheEnd();
        EXPECT_EQ(SFD_NEXT_END, next_);
        EXPECT_EQ(own > 0 ? own : IDLE_MS, context_->now_ms - began);
        EXPECT_EQ((Messages{"info " + std::to_string(BIG), ended(ENOBUFS)}), told());
        EXPECT_TRUE(clientSeesEnd());
        EXPECT_EQ(1u, count(SFD_COUNTER_FAILED));
        EXPECT_LE(tries, 20) << "less and less often";
        EXPECT_GE(tries, 5);
    }
}

TEST_F(ShortageTest, ShouldWaitForMemoryWithoutALimitWhereIdlenessHasNone)
{
    settings_.idle_timeout_ms = 0;
    lack.always = -ENOMEM;
    file(BIG);
    begin(SFD_WIRE_SEND_FILE, toPipe());
    for (int i = 0; i < 1000; i++) {
        ASSERT_EQ(SFD_NEXT_RETRY, next_);
        ASSERT_TRUE(fires(1000));
        run();
    }
    lack.always = 0;
    ASSERT_TRUE(fires(1000));
    run();
    finish();
    expectSent(BIG);
}

TEST_F(ShortageTest, ShouldObeyADeadlineAndACancelWhileItWaitsForMemory) // R14, D11
{
    lack.always = -ENOMEM;
    version_ = SFD_WIRE_VERSION;
    options_.deadline_ms = 55;
    file(BIG);
    begin(SFD_WIRE_SEND_FILE, toPipe());
    ASSERT_TRUE(fires(55));
    EXPECT_EQ(SFD_NEXT_END, next_);
    EXPECT_EQ(1u, count(SFD_COUNTER_DEADLINES));
    again();
    options_ = {};
    begin(SFD_WIRE_SEND_FILE, toPipe());
    EXPECT_EQ(SFD_NEXT_RETRY, next_);
    EXPECT_EQ(SFD_NEXT_END, sfd_transfer_cancel(context_.get(), t_.get()));
    EXPECT_FALSE(fires(IDLE_MS)) << "its timer died with it";
}

TEST_F(ShortageTest, ShouldNotSpinOnADestinationThatIsReadyAndTakesNothing) // R4
{
    lack.always = -EAGAIN;
    file(BIG);
    begin(SFD_WIRE_SEND_FILE, toPipe());
    int runs = 1;
    for (; next_ == SFD_NEXT_DEST && runs < 1000; runs++) {
        run(); // epoll says at once that the pipe has room
    }
    EXPECT_EQ(9, runs);
    retry(10);
    retry(20);
    EXPECT_EQ(SFD_NEXT_RETRY, next_);
    lack.always = 0;
    retry(40);
    EXPECT_EQ(SFD_NEXT_DEST, next_) << "the pipe is full";
    finish();
    expectSent(BIG);
}

TEST_F(ShortageTest, ShouldEndWithIdlenessWhatIsReadyAndNeverTakesAnything) // R14
{
    lack.always = -EAGAIN;
    file(BIG);
    begin(SFD_WIRE_SEND_FILE, toPipe());
    while (next_ == SFD_NEXT_DEST) {
        run();
    }
    retryToTheEnd();
    EXPECT_EQ(SFD_NEXT_END, next_);
    EXPECT_EQ(ended(ETIMEDOUT), told().back());
}

/* ------------------------------------------------------------------ the disk pool */

TEST_F(ShortageTest, ShouldLoadAWindowAgainThatTheKernelHadNoMemoryFor) // D31
{
    file(BIG);
    script.warm_until = 0;
    for (const int error : {-ENOMEM, -EAGAIN}) {
        again();
        script.warm_until = 0;
        script.load_error = error;
        begin(SFD_WIRE_SEND_FILE, toPipe());
        workAndRun();
        EXPECT_EQ(SFD_NEXT_RETRY, next_);
        retry(10);
        workAndRun();
        retry(20);
        script.load_error = 0;
        finish();
        expectSent(BIG);
        EXPECT_BYTES(content_, data_);
        EXPECT_FALSE(t_->cache.bounce_only) << "the page cache is not to blame";
    }
}

TEST_F(ShortageTest, ShouldEndWithTheErrorOfADiskAtOnce)
{
    file(BIG);
    script.warm_until = 0;
    script.load_error = -EIO;
    begin(SFD_WIRE_SEND_FILE, toPipe());
    workAndRun();
    EXPECT_EQ(SFD_NEXT_END, next_);
    EXPECT_EQ(ended(EIO), told().back());
    EXPECT_EQ(0u, count(SFD_COUNTER_SHORTAGES));
}

TEST_F(ShortageTest, ShouldCopyOnFromWhereItStood) // D31
{
    file(BIG);
    script.copy = {1000, -ENOMEM, 5000, -EAGAIN};
    begin(SFD_WIRE_SEND_FILE, toFile());
    workAndRun();
    EXPECT_EQ(1000u, t_->range.offset);
    retry(10);
    workAndRun();
    EXPECT_EQ(6000u, t_->range.offset);
    retry(10);
    finish();
    expectSent(BIG);
    EXPECT_BYTES(content_, contentOf(*directory_ / "output"));
}

TEST_F(ShortageTest, ShouldEndWithTheErrorOfAFullDiskAtOnce)
{
    file(BIG);
    script.copy = {1000, -EDQUOT};
    begin(SFD_WIRE_SEND_FILE, toFile());
    workAndRun();
    EXPECT_EQ(SFD_NEXT_END, next_);
    EXPECT_EQ(ended(EDQUOT), told().back());
}

/* ------------------------------------------------------------------ opening */

TEST_F(ShortageTest, ShouldOpenAFileOnceThereAreDescriptorsAgain) // R13, D3
{
    for (const int error : {-EMFILE, -ENFILE, -ENOMEM}) {
        again();
        file(BIG);
        script.opens = {error, error};
        ASSERT_EQ(SFD_NEXT_POOL, begin(SFD_WIRE_SEND_FILE, toPipe()));
        workAndRun();
        EXPECT_TRUE(told().empty());
        retry(10);
        finish();
        expectSent(BIG);
        EXPECT_BYTES(content_, data_);
    }
}

TEST_F(ShortageTest, ShouldRefuseAfterASecondWithoutADescriptor) // R13
{
    file(BIG);
    script.opens = std::deque<int>(1000, -EMFILE);
    const uint64_t began = context_->now_ms;
    begin(SFD_WIRE_OPEN_FILE);
    workAndRun();
    const int tries = retryToTheEnd();
    EXPECT_EQ(SFD_NEXT_END, next_);
    EXPECT_EQ(1000u, context_->now_ms - began);
    EXPECT_EQ(Messages{refused(EMFILE)}, told());
    EXPECT_TRUE(clientSeesEnd());
    EXPECT_EQ(1u, count(SFD_COUNTER_REFUSED));
    EXPECT_LE(tries, 10);
}

TEST_F(ShortageTest, ShouldForgetAFileThatIsCancelledBeforeItCouldBeOpened)
{
    file(BIG);
    script.opens = std::deque<int>(1000, -EMFILE);
    begin(SFD_WIRE_OPEN_FILE);
    workAndRun();
    ASSERT_EQ(SFD_NEXT_RETRY, next_);
    EXPECT_EQ(SFD_NEXT_END, sfd_transfer_cancel(context_.get(), t_.get()));
    EXPECT_TRUE(clientSeesEnd());
}

TEST_F(ShortageTest, ShouldOpenAnewAFileForWhoseLockThereWasNoMemory) // R2
{
    file(BIG);
    script.opens = {-EAGAIN}; // only the disk can tell
    script.late_lock_error = -ENOLCK;
    begin(SFD_WIRE_OPEN_FILE);
    workAndRun();
    ASSERT_EQ(SFD_NEXT_RETRY, next_);
    EXPECT_EQ(-1, t_->source.fd) << "two files would be open, and one would leak";
    script.late_lock_error = 0;
    retry(10);
    workAndRun();
    EXPECT_EQ(SFD_NEXT_PARK, next_);
    EXPECT_EQ(Messages{"info " + std::to_string(BIG)}, told());
    sfd_transfer_cancel(context_.get(), t_.get());
}

TEST_F(ShortageTest, ShouldAskAgainForALockThatThereWasNoMemoryFor)
{
    file(1000);
    lack.always = -EAGAIN; // a small file that has to wait after all
    script.late_lock_error = -ENOLCK;
    begin(SFD_WIRE_SEND_FILE, toPair(SocketPair(), true));
    EXPECT_EQ(SFD_NEXT_DEST, next_);
    EXPECT_FALSE(t_->source.locked);
    script.late_lock_error = 0;
    run();
    EXPECT_EQ(SFD_NEXT_DEST, next_);
    EXPECT_TRUE(t_->source.locked);
    lack.always = 0;
    finish();
    expectSent(1000);
}

/* ------------------------------------------------------------------ messages */

TEST_F(ShortageTest, ShouldDeliverALastMessageForWhichThereWasNoMemory) // R3, D31
{
    file(1000);
    messagesMeet({-ENOMEM, -ENOBUFS});
    begin(SFD_WIRE_SEND_FILE, toPair(SocketPair(), true));
    EXPECT_EQ(-1, t_->destination.fd) << "its receiver need not wait for that";
    retry(10);
    EXPECT_TRUE(told().empty());
    retry(20);
    EXPECT_EQ(SFD_NEXT_END, next_);
    collect();
    expectSent(1000);
}

TEST_F(ShortageTest, ShouldGiveUpALastMessageForWhichThereIsNoMemoryInTime) // R14
{
    file(1000);
    messagesMeet(std::deque<int64_t>(1000, -ENOMEM));
    const uint64_t began = context_->now_ms;
    begin(SFD_WIRE_SEND_FILE, toPair(SocketPair(), true));
    retryToTheEnd();
    EXPECT_EQ(SFD_NEXT_END, next_);
    EXPECT_EQ(DRAIN_MS, context_->now_ms - began);
    EXPECT_EQ(1u, count(SFD_COUNTER_DRAIN_TIMEOUTS));
    EXPECT_TRUE(clientSeesEnd());
}

TEST_F(ShortageTest, ShouldTellAboutAnOpenedFileOnceThereIsMemory) // D38
{
    file(1000);
    messagesMeet({-ENOMEM, -ENOMEM});
    EXPECT_EQ(SFD_NEXT_PARK, begin(SFD_WIRE_OPEN_FILE));
    EXPECT_NE(0u, t_->limits.retry_ms) << "the loop would wait for room, which there is";
    ASSERT_TRUE(fires(10));
    EXPECT_TRUE(told().empty());
    for (int i = 0; i < 100 && told().empty(); i++) {
        if (fires(10)) {
            EXPECT_NE(SFD_NEXT_AGAIN, next_) << "a Send Open File would be ignored until it has had its turn";
        }
    }
    EXPECT_EQ(Messages{"info 1000"}, told());
    EXPECT_EQ(SFD_NEXT_PARK, next_);
    ASSERT_TRUE(fires(OPEN_TIMEOUT_MS));
    EXPECT_EQ(SFD_NEXT_END, next_);
    EXPECT_EQ(ended(ETIMEDOUT), told().back());
}

TEST_F(ShortageTest, ShouldNotLoseTheHeaderOfAReadForWhichThereWasNoMemory) // D38
{
    file(BIG);
    messagesMeet({-ENOMEM});
    begin(SFD_WIRE_READ_FILE);
    retry(10);
    finish();
    EXPECT_BYTES(content_, readBytes());
}

TEST_F(ShortageTest, ShouldWaitForADescriptorWhereAMessageNeedsOne) // D3, R3
{
    file(1000);
    /* As after a splice into the pipe: each message meets one description that has to be opened anew. */
    messagesMeet({-EOPNOTSUPP, 0, -EOPNOTSUPP, -EOPNOTSUPP, 0});
    begin(SFD_WIRE_OPEN_FILE);
    ASSERT_EQ(Messages{"info 1000"}, told());
    {
        const DescriptorLimit none(3);
        ASSERT_TRUE(fires(OPEN_TIMEOUT_MS));
    }
    EXPECT_EQ(SFD_NEXT_RETRY, next_);
    EXPECT_FALSE(clientSeesEnd());
    retry(10);
    EXPECT_EQ(SFD_NEXT_END, next_);
    EXPECT_EQ(ended(ETIMEDOUT), told().back());
}

/* ------------------------------------------------------------------ what nobody can watch */

TEST_F(ShortageTest, ShouldLookItselfWhereEpollCannot)
{
    file(BIG);
    ASSERT_EQ(SFD_NEXT_DEST, begin(SFD_WIRE_SEND_FILE, toPipe()));
    sfd_transfer_unwatched(context_.get(), t_.get());
    next_ = SFD_NEXT_RETRY;
    retry(10);
    EXPECT_EQ(SFD_NEXT_DEST, next_) << "it is still full, and to be watched if that is possible now";
    sfd_transfer_unwatched(context_.get(), t_.get());
    collect();
    next_ = SFD_NEXT_RETRY;
    retry(20);
    finish();
    expectSent(BIG);
}

TEST_F(ShortageTest, ShouldNotRunATransferThatTheDiskHas)
{
    file(BIG);
    ASSERT_EQ(SFD_NEXT_DEST, begin(SFD_WIRE_SEND_FILE, toPipe()));
    sfd_transfer_unwatched(context_.get(), t_.get());
    t_->loop.offloaded = true;
    ASSERT_TRUE(fires(10));
    EXPECT_EQ(SFD_NEXT_WAIT, next_);
    t_->loop.offloaded = false;
    collect();
    run();
    finish();
    expectSent(BIG);
}

/* ------------------------------------------------------------------ the start */

TEST_F(ShortageTest, ShouldServeAlsoWhenNotEvenAPipeCouldBeTriedAtTheStart) // D32
{
    struct sfd_kernel *kernel = &context_->kernel;
    const int null = kernel->null_fd;
    sfd_kernel_deinit(kernel);
    {
        const DescriptorLimit one(static_cast<rlim_t>(null) + 1); // /dev/null, and nothing else
        ASSERT_EQ(0, sfd_kernel_init(kernel, &sys_));
        context_->techniques = sfd_techniques_available(&sys_);
    }
    ASSERT_EQ(null, kernel->null_fd);
    EXPECT_EQ(0, kernel->pipe_write_flags) << "pipes are opened once more instead";
    EXPECT_NE(0u, context_->techniques);
    file(BIG);
    begin(SFD_WIRE_SEND_FILE, toPipe());
    finish();
    expectSent(BIG);
    EXPECT_BYTES(content_, data_);
}

TEST_F(ShortageTest, ShouldNotTakeWantOfMemoryAtTheStartForALackOfTheKernels) // D32
{
    struct sfd_sys sys = copyOfSys();
    sys.splice = [](int, int64_t *, int, size_t, unsigned) { return int64_t{-ENOMEM}; };
    sys.sendfile = [](int, int, int64_t *, size_t) { return int64_t{-EINTR}; };
    const uint32_t available = sfd_techniques_available(&sys);
    EXPECT_TRUE(sfd_technique_is_in(SFD_TECHNIQUE_SPLICE, available));
    EXPECT_TRUE(sfd_technique_is_in(SFD_TECHNIQUE_SENDFILE, available));
}

} // namespace
