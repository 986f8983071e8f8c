// Copies to files: how they end while the disk pool has them, and what they leave behind.
#include "transfer_fixture.h"

#include <sys/mman.h>

namespace
{

/* What happens within the calls of the disk pool. */
struct Meanwhile {
    std::function<void()> reading; // before a call that waits for the source
    std::function<void()> writing; // before a call that writes
    std::function<void()> sizing;  // before a look at a size as the server has it
};
Meanwhile meanwhile;

void happen(const std::function<void()> &what)
{
    if (what) {
        what();
    }
}

class TransferCopyTest : public TransferFixture
{
  protected:
    void SetUp() override
    {
        TransferFixture::SetUp();
        meanwhile = {};
        sys_.preadv2 = [](int fd, const struct iovec *iov, int count, int64_t offset, int flags) {
            happen(meanwhile.reading);
            return sfd_sys_linux.preadv2(fd, iov, count, offset, flags);
        };
        sys_.pwritev2 = [](int fd, const struct iovec *iov, int count, int64_t offset, int flags) {
            if (offset >= 0) { // else it is a message
                happen(meanwhile.writing);
            }
            return sfd_sys_linux.pwritev2(fd, iov, count, offset, flags);
        };
        sys_.statx = [](int fd, const char *path, int flags, unsigned mask, struct statx *out) {
            if (mask == STATX_SIZE && (flags & AT_STATX_DONT_SYNC) == 0) {
                happen(meanwhile.sizing);
            }
            return sfd_sys_linux.statx(fd, path, flags, mask, out);
        };
        learnDevice();
        version_ = SFD_WIRE_VERSION;
        options_.technique = SFD_TECHNIQUE_READ_WRITE; // the reads and writes above
    }
    void TearDown() override
    {
        client_.reset();
        meanwhile = {};
        TransferFixture::TearDown();
    }

    /* Sends to a file whose description stays with the client too. */
    void beginCopy(int flags = O_RDWR | O_TRUNC)
    {
        client_ = openFile(*directory_ / "output", flags | O_CREAT);
        beginCopyTo(client_.get());
    }
    void beginCopyTo(int client)
    {
        ASSERT_EQ(SFD_NEXT_POOL, begin(SFD_WIRE_SEND_FILE, fcntl(client, F_DUPFD_CLOEXEC, 0)));
    }
    /* A job, during which the loop goes on. */
    void job()
    {
        t_->loop.offloaded = true;
        work();
        t_->loop.offloaded = false;
    }
    std::string output()
    {
        return contentOf(*directory_ / "output");
    }
    off_t position()
    {
        return lseek(client_.get(), 0, SEEK_CUR);
    }
    std::string lastTold()
    {
        return told().empty() ? "" : told().back();
    }

    OwnedFd client_;
};

// ------------------------------------------------------------------ ends

/* The ways in which a loop ends a transfer that the disk pool has. */
struct End {
    const char *name;
    enum sfd_next (*end)(struct sfd_context *context, struct sfd_transfer *t);
    int error; // 0: the client is told nothing
};

const End ENDS[] = {
    {"Cancel", sfd_transfer_cancel, 0},
    {"Deadline",
     [](struct sfd_context *context, struct sfd_transfer *t) {
         context->now_ms += 1000;
         return sfd_transfer_timeout(context, t);
     },
     ETIMEDOUT},
    {"Stop",
     [](struct sfd_context *context, struct sfd_transfer *t) {
         sfd_transfer_abort(context, t, -ESHUTDOWN);
         return SFD_NEXT_WAIT;
     },
     ESHUTDOWN},
};

class TransferCopyEndTest : public TransferCopyTest, public testing::WithParamInterface<End>
{
  protected:
    void SetUp() override
    {
        TransferCopyTest::SetUp();
        if (GetParam().error == ETIMEDOUT) {
            options_.deadline_ms = 1000;
        }
        ended_ = 0;
    }
    /* Ends it, and ends it again, as other reasons may follow the first. */
    void end()
    {
        if (ended_++ > 0) {
            return;
        }
        EXPECT_EQ(SFD_NEXT_WAIT, GetParam().end(context_.get(), t_.get()));
    }
    void expectTold()
    {
        const auto all = told();
        if (GetParam().error == 0) {
            EXPECT_TRUE(all.empty() || all.back().find("info") == 0) << all.back();
        } else {
            ASSERT_FALSE(all.empty());
            EXPECT_NE(std::string::npos, all.back().find(std::to_string(GetParam().error))) << all.back();
        }
        EXPECT_TRUE(clientSeesEnd());
    }

    int ended_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Ends, TransferCopyEndTest, testing::ValuesIn(ENDS),
                         [](const auto &instance) { return std::string(instance.param.name); });

TEST_P(TransferCopyEndTest, ShouldEndAtOnceWhileItWaitsForItsSourceAndWriteNothing) // R17
{
    file(BIG);
    beginCopy();
    int reads = 0;
    meanwhile.reading = [&] {
        if (++reads == 3) {
            end();
            expectTold();
        }
    };
    job();
    ASSERT_EQ(3, reads) << "nobody wants the rest";
    const std::string then = output();
    EXPECT_BYTES(content_.substr(0, then.size()), then);
    EXPECT_EQ(2u * 64 * 1024, then.size()) << "what was read last is not written any more";
    EXPECT_EQ(SFD_NEXT_END, run());
    EXPECT_EQ(0, position()) << "it would be moved behind the back of the client";
}

TEST_P(TransferCopyEndTest, ShouldEndOnlyBehindTheWriteThatIsUnderWay) // R17
{
    file(BIG);
    beginCopy();
    int writes = 0;
    meanwhile.writing = [&] {
        if (++writes == 3) {
            end();
            EXPECT_FALSE(clientSeesEnd());
            EXPECT_EQ(std::string::npos, lastTold().find("result")) << lastTold();
            EXPECT_EQ(SFD_NEXT_WAIT, sfd_transfer_timeout(context_.get(), t_.get())) << "nothing is left to wait for";
            EXPECT_EQ(SFD_NEXT_WAIT, sfd_transfer_cancel(context_.get(), t_.get())) << "the first reason counts";
        }
    };
    job();
    EXPECT_EQ(3, writes);
    EXPECT_BYTES(content_.substr(0, size_t{3} * 64 * 1024), output());
    EXPECT_FALSE(clientSeesEnd()) << "the loop has not taken it back";
    EXPECT_EQ(SFD_NEXT_END, run());
    expectTold();
    EXPECT_EQ(0, position());
    if (GetParam().error != 0) {
        EXPECT_NE(std::string::npos, lastTold().find(std::to_string(3 * 64 * 1024))) << lastTold();
    }
}

/* When the loop stops, a transfer that comes back is not run, but aborted. */
TEST_P(TransferCopyEndTest, ShouldEndForTheFirstReasonWhenTheLoopStopsMeanwhile)
{
    file(BIG);
    beginCopy();
    meanwhile.writing = [&] { end(); };
    job();
    sfd_transfer_abort(context_.get(), t_.get(), -ESHUTDOWN);
    expectTold();
    EXPECT_EQ(size_t{64} * 1024, output().size());
    if (GetParam().error != 0) {
        EXPECT_NE(std::string::npos, lastTold().find(std::to_string(64 * 1024))) << lastTold();
    }
}

TEST_P(TransferCopyEndTest, ShouldSealNothingAfterwards) // R17
{
    file(1000);
    OwnedFd memory(memfd_create("output", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    options_.flags = SFD_OPTION_SEAL;
    beginCopyTo(memory.get());
    meanwhile.sizing = [&] { // all is written, the seal comes next
        meanwhile.sizing = nullptr;
        end();
        expectTold();
    };
    job();
    EXPECT_EQ(1, ended_);
    EXPECT_EQ(0, fcntl(memory.get(), F_GET_SEALS));
    EXPECT_EQ(SFD_NEXT_END, run());
}

TEST_P(TransferCopyEndTest, ShouldNotHoldUpARetryIntoTheSameFile) // R17
{
    file(BIG);
    beginCopy();
    meanwhile.reading = [&] {
        end();
        meanwhile.reading = nullptr;
        struct sfd_write_range range = {};
        struct sfd_write_gate gate = {};
        range.gate = &gate;
        range.dev = ranges_.first->dev;
        range.ino = ranges_.first->ino;
        range.end = 10;
        EXPECT_TRUE(sfd_write_ranges_enter(&ranges_, &range));
        sfd_write_ranges_leave(&ranges_, &range);
    };
    job();
    EXPECT_EQ(SFD_NEXT_END, run());
    EXPECT_BYTES("", output());
}

// ------------------------------------------------------------------ the position

TEST_F(TransferCopyTest, ShouldMoveThePositionOnceBehindTheLastByte) // R17
{
    options_.technique = SFD_TECHNIQUE_AUTO;
    for (const size_t size : {size_t{1}, BIG, 10 * BIG}) {
        file(size);
        client_ = openFile(*directory_ / "output", O_RDWR | O_CREAT | O_TRUNC);
        ASSERT_EQ(3, write(client_.get(), "abc", 3));
        beginCopyTo(client_.get());
        while (next_ == SFD_NEXT_POOL) {
            EXPECT_EQ(3, position());
            workAndRun();
        }
        EXPECT_EQ(SFD_NEXT_END, next_);
        EXPECT_EQ(static_cast<off_t>(size) + 3, position());
        EXPECT_BYTES("abc" + content_, output());
        again();
    }
}

TEST_F(TransferCopyTest, ShouldMoveThePositionBehindWhatWasCopiedWhenTheDiskIsFull)
{
    file(BIG);
    beginCopy();
    sys_.pwritev2 = [](int fd, const struct iovec *iov, int count, int64_t offset, int flags) {
        if (offset >= 100000) {
            return static_cast<int64_t>(-ENOSPC);
        }
        return sfd_sys_linux.pwritev2(fd, iov, count, offset, flags);
    };
    finish();
    EXPECT_NE(std::string::npos, lastTold().find(std::to_string(ENOSPC))) << lastTold();
    EXPECT_EQ(2 * 64 * 1024, position());
}

TEST_F(TransferCopyTest, ShouldNeitherMoveNorUseThePositionOfAnEmptyTransfer)
{
    file(0);
    client_ = openFile(*directory_ / "output", O_RDWR | O_CREAT);
    ASSERT_EQ(7, lseek(client_.get(), 7, SEEK_SET));
    EXPECT_EQ(SFD_NEXT_END, begin(SFD_WIRE_SEND_FILE, fcntl(client_.get(), F_DUPFD_CLOEXEC, 0)));
    EXPECT_EQ(7, position());
}

// ------------------------------------------------------------------ complete

TEST_F(TransferCopyTest, ShouldNotBeCompleteWhenTheDestinationWasCut) // R17
{
    for (const int append : {0, O_APPEND}) {
        file(BIG);
        beginCopy(O_RDWR | O_TRUNC | append);
        meanwhile.sizing = [&] { EXPECT_EQ(0, ftruncate(client_.get(), BIG - 1)); };
        finish();
        EXPECT_NE(std::string::npos, lastTold().find(" " + std::to_string(EIO) + " ")) << lastTold();
        EXPECT_EQ(0u, count(SFD_COUNTER_COMPLETED));
        again();
    }
}

TEST_F(TransferCopyTest, ShouldBeCompleteInTheMiddleOfAFile)
{
    file(BIG);
    writeFile(*directory_ / "output", std::string(2 * BIG, 'o'));
    beginCopy(O_RDWR);
    finish();
    EXPECT_EQ(1u, count(SFD_COUNTER_COMPLETED));
    EXPECT_BYTES(content_ + std::string(BIG, 'o'), output());
}

// ------------------------------------------------------------------ two into one file

TEST_F(TransferCopyTest, ShouldRefuseTheSecondOfTwoIntoTheSameBytes) // R17
{
    file(10 * BIG); // of more than one job
    beginCopy();
    ASSERT_EQ(SFD_NEXT_POOL, workAndRun());
    auto first = std::move(t_);
    auto status = std::move(status_);
    t_ = std::make_unique<struct sfd_transfer>();
    again();
    beginCopyTo(client_.get());
    finish();
    EXPECT_NE(std::string::npos, lastTold().find(" " + std::to_string(EBUSY) + " ")) << lastTold();
    EXPECT_EQ(0, position());

    t_ = std::move(first);
    status_ = std::move(status);
    status_bytes_.clear();
    next_ = SFD_NEXT_POOL;
    finish();
    EXPECT_BYTES(content_, output());
    EXPECT_EQ(static_cast<off_t>(10 * BIG), position());
    again();
    beginCopyTo(client_.get()); // behind it
    finish();
    EXPECT_BYTES(content_ + content_, output());
}

} // namespace
