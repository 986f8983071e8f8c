// The content of a small file in place of an open one: one job, one answer, and nothing stays open.
#include "local_requests.h"
#include "loop_fixture.h"

namespace
{

/* Answers of the next reads of files. */
struct Reads {
    std::deque<int64_t> errors; // 0: end of file
    int count;
    size_t most; // bytes of one read; 0: as many as there are
};
Reads reads;

class TransferContentTest : public LoopFixture
{
  protected:
    void createLoops() override
    {
        shared_->request_fd = -1;
        reads = {};
        LoopFixture::createLoops();
        before_ = openDescriptors();
    }
    void scriptCalls(struct sfd_sys *sys) override
    {
        sys->fstatfs_type = [](int, uint64_t *type) {
            *type = FUSE_SUPER_MAGIC; // nothing is hot, and every close can wait
            return 0;
        };
        sys->preadv2 = [](int fd, const struct iovec *iov, int count, int64_t offset, int flags) -> int64_t {
            EXPECT_TRUE(working) << "the loop reads a file";
            reads.count++;
            if (!reads.errors.empty()) {
                const int64_t error = reads.errors.front();
                reads.errors.pop_front();
                return error;
            }
            struct iovec part = *iov;
            part.iov_len = reads.most > 0 ? std::min(part.iov_len, reads.most) : part.iov_len;
            return sfd_sys_linux.preadv2(fd, &part, count, offset, flags);
        };
    }
    void TearDown() override
    {
        releaseHeld();
        finish();
        LoopFixture::TearDown();
    }

    static size_t openDescriptors()
    {
        const std::filesystem::directory_iterator all("/proc/self/fd");
        return static_cast<size_t>(std::distance(begin(all), end(all)));
    }
    int step()
    {
        result_ = turn();
        return result_ == 0 ? requests_.dispatch(buffer()) : 0;
    }
    void finish()
    {
        for (int i = 0; i < 1000 && (requests_.open() > 0 || transfers() > 0); i++) {
            step();
        }
        EXPECT_EQ(0u, requests_.open()) << "requests without an end";
    }
    struct sfd_local_order order(const std::string &path = "file")
    {
        paths_.push_back(path);
        struct sfd_local_order order = localOrder(SFD_WIRE_OPEN_FILE, &servedRoot_, paths_.back(), -1);
        order.content_most = SFD_CONTENT_MAX;
        return order;
    }
    int64_t submit(const struct sfd_local_order &order)
    {
        return requests_.submit(shared_.get(), order);
    }
    int64_t ask(const std::string &path = "file")
    {
        return submit(order(path));
    }
    /* The whole answer to a request, when it is over. */
    Messages answer(int64_t ticket)
    {
        finish();
        Messages all = requests_.of(ticket);
        if (!all.empty()) {
            all.back() = requests_.lastOf(ticket);
        }
        return all;
    }
    static Messages told(size_t size, size_t length)
    {
        return {"details " + std::to_string(size), "info " + std::to_string(length),
                "result 0 moved " + std::to_string(length)};
    }
    static Messages refused(int error)
    {
        return {"refusal " + std::to_string(error) + " fits 0"};
    }
    /* Turns whose messages are read, until it holds. */
    void await(const std::function<bool()> &condition)
    {
        for (int i = 0; i < 1000 && !condition(); i++) {
            step();
        }
        EXPECT_TRUE(condition());
    }
    /* The file is open, and the request goes on. */
    void expectOpened(int64_t ticket)
    {
        await([&] { return !requests_.of(ticket).empty(); });
        EXPECT_EQ("none", requests_.contentOf(ticket));
        EXPECT_FALSE(requests_.isOver(ticket)) << requests_.lastOf(ticket);
        EXPECT_EQ(1u, transfers());
        Pipe pipe;
        requests_.sendOpened(ticket, dup(pipe.out.get()));
        pipe.out.reset();
        std::string got;
        await([&] {
            got += drain(pipe.in.get());
            return requests_.isOver(ticket);
        });
        EXPECT_EQ("result 0 moved " + std::to_string(content_.size()), requests_.lastOf(ticket));
        EXPECT_BYTES(content_, got + drain(pipe.in.get()));
    }

    LocalRequests requests_;
    std::deque<std::string> paths_;
    size_t before_ = 0;
    int result_ = 0;
};

TEST_F(TransferContentTest, ShouldComeInOneAnswerOfOneJobAndLeaveNothingOpen)
{
    for (const size_t size : {size_t{1}, size_t{4096}, size_t{SFD_CONTENT_MAX}}) {
        file(size);
        offloaded_total_ = 0;
        const int64_t ticket = ask();
        EXPECT_EQ(told(size, size), answer(ticket));
        EXPECT_BYTES(content_, requests_.contentOf(ticket));
        EXPECT_EQ(1, offloaded_total_) << "jobs";
        EXPECT_EQ(0u, transfers());
        EXPECT_EQ(before_, openDescriptors());
        EXPECT_EQ(0u, loop()->context.timers.count) << "a timer of a request that is over";
    }
    EXPECT_EQ(3u, count(SFD_COUNTER_COMPLETED));
    EXPECT_EQ(1u + 4096 + SFD_CONTENT_MAX, count(SFD_COUNTER_BYTES));
}

TEST_F(TransferContentTest, ShouldBeEmptyForAnEmptyFile)
{
    file(0);
    sys_.fstatfs_type = sfd_sys_linux.fstatfs_type; // else it may be one that does not tell its size
    const int64_t ticket = ask();
    EXPECT_EQ(told(0, 0), answer(ticket));
    EXPECT_EQ("", requests_.contentOf(ticket));
    EXPECT_EQ(before_, openDescriptors());
}

TEST_F(TransferContentTest, ShouldBeTheRangeThatIsAskedFor)
{
    file(100 * 1000);
    struct sfd_local_order part = order();
    part.offset = 99 * 1000;
    part.length = 500;
    const int64_t range = submit(part);
    part.length = SFD_WIRE_TO_END;
    const int64_t rest = submit(part);
    part.length = 1001;
    const int64_t behind = submit(part);
    EXPECT_EQ(told(100 * 1000, 500), answer(range));
    EXPECT_BYTES(content_.substr(99 * 1000, 500), requests_.contentOf(range));
    EXPECT_EQ(told(100 * 1000, 1000), answer(rest));
    EXPECT_BYTES(content_.substr(99 * 1000), requests_.contentOf(rest));
    EXPECT_EQ(refused(ERANGE), answer(behind));
    EXPECT_EQ("none", requests_.contentOf(behind));
    EXPECT_EQ(before_, openDescriptors());
}

TEST_F(TransferContentTest, ShouldBeReadWholeWhereReadsAreShort)
{
    file(5000);
    reads.most = 999;
    const int64_t ticket = ask();
    EXPECT_EQ(told(5000, 5000), answer(ticket));
    EXPECT_BYTES(content_, requests_.contentOf(ticket));
}

TEST_F(TransferContentTest, ShouldNotComeOfALongerFileWhichIsOpenedAsEver)
{
    file(SFD_CONTENT_MAX + 1);
    expectOpened(ask());
}

TEST_F(TransferContentTest, ShouldNotComeWhereTheBytesAreToBeMovedInAnotherWay)
{
    file(100);
    struct sfd_local_order slowly = order();
    slowly.options.rate = 1000 * 1000;
    expectOpened(submit(slowly));
    struct sfd_local_order dropping = order();
    dropping.options.flags = SFD_OPTION_DROP_BEHIND;
    expectOpened(submit(dropping));
    struct sfd_local_order shorter = order();
    shorter.content_most = 99;
    expectOpened(submit(shorter));
}

/* Nothing is lost by a shortage: the transfer waits when it is sent. */
TEST_F(TransferContentTest, ShouldLeaveTheFileOpenWhenAReadFailsForAMoment)
{
    file(5000);
    for (const int error : {-ENOMEM, -EAGAIN, -EMFILE}) {
        reads.errors = {error};
        expectOpened(ask());
    }
    reads.most = 100;
    reads.errors = {100, -ENOMEM}; // in the middle of it
    reads.errors.pop_front();
    expectOpened(ask());
}

TEST_F(TransferContentTest, ShouldFailTheOpenWhenTheDiskFailsOrTheFileIsTruncated)
{
    file(5000);
    reads.errors = {-EIO};
    EXPECT_EQ(refused(EIO), answer(ask()));
    reads.errors = {0};
    EXPECT_EQ(refused(ENODATA), answer(ask()));
    EXPECT_EQ(0u, count(SFD_COUNTER_COMPLETED));
    EXPECT_EQ(0u, count(SFD_COUNTER_BYTES));
    EXPECT_EQ(before_, openDescriptors());
}

TEST_F(TransferContentTest, ShouldBeDroppedWhenItsRequestIsCancelledBeforeDuringOrAfterTheJob)
{
    file(5000);
    hold_ = true;
    for (const bool reads_first : {false, true}) {
        const int before = reads.count;
        const int64_t ticket = ask();
        await([&] { return !held_.empty(); });
        if (reads_first) {
            releaseHeld(); // its loop does not know yet
        }
        requests_.cancel(ticket);
        step();
        step();
        EXPECT_EQ(refused(ECANCELED), requests_.of(ticket)) << "the client waits for a disk";
        releaseHeld();
        EXPECT_EQ(refused(ECANCELED), answer(ticket));
        EXPECT_EQ(before + (reads_first ? 1 : 0), reads.count) << "read for nobody";
        EXPECT_EQ("none", requests_.contentOf(ticket));
    }
    releaseHeld();
    settle();
    EXPECT_EQ(0u, transfers());
    EXPECT_EQ(before_, openDescriptors());
    const int64_t over = ask();
    await([&] { return !held_.empty(); });
    releaseHeld();
    turn(); // its submitter does not know yet
    requests_.cancel(over);
    requests_.dispatch(buffer());
    EXPECT_EQ(told(5000, 5000), answer(over)) << "it was over";
    EXPECT_BYTES(content_, requests_.contentOf(over));
}

TEST_F(TransferContentTest, ShouldComeOrBeRefusedWhenTheLoopStops)
{
    file(5000);
    hold_ = true;
    const int64_t done = ask();
    const int64_t under_way = ask();
    await([&] { return held_.size() == 2; });
    struct sfd_task *last = held_.back();
    held_.pop_back();
    releaseHeld();
    turn();
    sfd_loop_stop(loop());
    requests_.dispatch(buffer());
    held_.push_back(last);
    for (int i = 0; i < 100 && result_ == 0; i++) {
        releaseHeld();
        step();
    }
    EXPECT_EQ(-ESHUTDOWN, result_);
    EXPECT_EQ(told(5000, 5000), answer(done));
    EXPECT_EQ(refused(ESHUTDOWN), answer(under_way));
    EXPECT_EQ(before_, openDescriptors());
}

/* A client that has not found the file asks for it: the loop looks where its disk is, and no more. */
TEST_F(TransferContentTest, ShouldNotLookIntoTheCachesForAFileThatItsClientHasLookedFor)
{
    static int cached;
    cached = 0;
    sys_.openat2 = [](int dir, const char *path, const struct open_how *how) {
        cached += !working && (how->flags & O_PATH) == 0 ? 1 : 0;
        struct open_how uncached = *how;
        uncached.resolve &= ~uint64_t{0x20};
        return sfd_sys_linux.openat2(dir, path, &uncached);
    };
    file(10);
    EXPECT_EQ(told(10, 10), answer(ask()));
    EXPECT_EQ(told(10, 10), answer(ask()));
    EXPECT_EQ(0, cached);
}

TEST_F(TransferContentTest, ShouldBeRefusedWhereThereIsNone)
{
    file(10);
    struct sfd_local_order longer = order();
    longer.content_most = SFD_CONTENT_MAX + 1;
    EXPECT_EQ(-EINVAL, submit(longer));
    struct sfd_local_order sends = order();
    sends.command = SFD_WIRE_SEND_FILE;
    sends.dest = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    EXPECT_EQ(-EINVAL, submit(sends));
    struct sfd_local_order segments = order();
    segments.segment_count = 1;
    segments.length = 0;
    EXPECT_EQ(-EINVAL, submit(segments));
    EXPECT_EQ(refused(ENOENT), answer(ask("missing")));
    EXPECT_EQ(before_, openDescriptors());
}

} // namespace
