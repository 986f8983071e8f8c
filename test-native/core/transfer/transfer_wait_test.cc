// How long a transfer waits, and how slowly it may go: idle timeout, deadline, drain timeout and rate, on a scripted
// clock.
#include "transfer_fixture.h"

namespace
{

constexpr uint32_t IDLE_MS = 10000;
constexpr uint32_t DRAIN_MS = 3000;

class TransferWaitTest : public TransferFixture
{
  protected:
    void SetUp() override
    {
        TransferFixture::SetUp();
        settings_.idle_timeout_ms = IDLE_MS;
        settings_.drain_timeout_ms = DRAIN_MS;
        learnDevice();
    }
    /* A Send File whose destination is full after a part of the file. */
    void block()
    {
        file(BIG);
        ASSERT_EQ(SFD_NEXT_DEST, begin(SFD_WIRE_SEND_FILE, toPipe()));
        filled_ = static_cast<size_t>(fcntl(pipe_->in.get(), F_GETPIPE_SZ));
    }
    void takeAndRun()
    {
        collect();
        EXPECT_EQ(SFD_NEXT_DEST, run());
    }
    /* The loop offloads it. */
    void offload()
    {
        ASSERT_EQ(SFD_NEXT_POOL, next_);
        t_->loop.offloaded = true;
    }
    void handBack()
    {
        sfd_transfer_work(context_.get(), t_.get());
        t_->loop.offloaded = false;
        run();
    }
    static std::string failed(int error, size_t moved, unsigned technique)
    {
        return "result " + std::to_string(error) + " moved " + std::to_string(moved) + " by " +
               std::to_string(technique);
    }

    size_t filled_ = 0;
};

/* ------------------------------------------------------------------ idle */

TEST_F(TransferWaitTest, ShouldEndWhenItsReceiverTakesNothingForTooLong) // D30
{
    block();
    EXPECT_FALSE(fires(IDLE_MS - 1));
    ASSERT_TRUE(fires(1));
    EXPECT_EQ(SFD_NEXT_END, next_);
    EXPECT_EQ("error 130 " + std::to_string(ETIMEDOUT), told().back());
    EXPECT_TRUE(clientSeesEnd());
    EXPECT_EQ(1u, count(SFD_COUNTER_IDLE_TIMEOUTS));
    EXPECT_EQ(1u, count(SFD_COUNTER_FAILED));
}

TEST_F(TransferWaitTest, ShouldEndAReadWhoseReaderTakesNothingForTooLong) // D30
{
    file(4 * BIG);
    ASSERT_EQ(SFD_NEXT_AGAIN, begin(SFD_WIRE_READ_FILE));
    while (next_ == SFD_NEXT_AGAIN) {
        run();
    }
    ASSERT_EQ(SFD_NEXT_DEST, next_);
    ASSERT_TRUE(fires(IDLE_MS));
    EXPECT_EQ(SFD_NEXT_END, next_);
    EXPECT_TRUE(clientSeesEnd());
    EXPECT_LT(readBytes().size(), content_.size());
    EXPECT_EQ(1u, count(SFD_COUNTER_IDLE_TIMEOUTS));
}

TEST_F(TransferWaitTest, ShouldTryOnceMoreBeforeItEnds) // R14: a socket takes bytes before epoll says so
{
    block();
    EXPECT_FALSE(fires(IDLE_MS - 1));
    collect(); // and no event comes
    ASSERT_TRUE(fires(1));
    EXPECT_EQ(SFD_NEXT_DEST, next_) << "bytes were moved: its time begins anew";
    EXPECT_EQ(0u, count(SFD_COUNTER_IDLE_TIMEOUTS));
    ASSERT_TRUE(fires(IDLE_MS));
    EXPECT_EQ(SFD_NEXT_END, next_);
    EXPECT_EQ("error 130 " + std::to_string(ETIMEDOUT), told().back());
}

TEST_F(TransferWaitTest, ShouldBeginItsTimeAnewOnceWhenTheTurnIsLate) // R14: its receiver may have been stopped, too
{
    block();
    context_->late = true;
    ASSERT_TRUE(fires(IDLE_MS * 3));
    EXPECT_EQ(SFD_NEXT_WAIT, next_);
    context_->late = false;
    EXPECT_FALSE(fires(IDLE_MS - 1));
    takeAndRun();
    context_->late = true;
    ASSERT_TRUE(fires(IDLE_MS * 3));
    EXPECT_EQ(SFD_NEXT_WAIT, next_) << "it had got on";
    ASSERT_TRUE(fires(IDLE_MS));
    EXPECT_EQ(SFD_NEXT_END, next_) << "however late: it has not got on since";
    EXPECT_EQ(1u, count(SFD_COUNTER_IDLE_TIMEOUTS));
}

TEST_F(TransferWaitTest, ShouldLetAnOpenedFileBeSentAfterALateTurn) // R14
{
    file(1000);
    ASSERT_EQ(SFD_NEXT_PARK, begin(SFD_WIRE_OPEN_FILE));
    context_->late = true;
    ASSERT_TRUE(fires(OPEN_TIMEOUT_MS));
    EXPECT_EQ(SFD_NEXT_WAIT, next_) << "its Send Open File may be in the socket";
    context_->late = false;
    EXPECT_FALSE(fires(OPEN_TIMEOUT_MS - 1));
    ASSERT_TRUE(fires(1));
    EXPECT_EQ(SFD_NEXT_END, next_);
    EXPECT_EQ(1u, count(SFD_COUNTER_OPEN_TIMEOUTS));
}

TEST_F(TransferWaitTest, ShouldKeepItsDeadlineWhenTheTurnIsLate) // R14: a deadline is a point in time
{
    version_ = SFD_WIRE_VERSION;
    options_.deadline_ms = 500;
    block();
    context_->late = true;
    ASSERT_TRUE(fires(3000));
    EXPECT_EQ(SFD_NEXT_END, next_);
    EXPECT_EQ(1u, count(SFD_COUNTER_DEADLINES));
}

TEST_F(TransferWaitTest, ShouldBeginTheIdleTimeAnewWithEachByte)
{
    block();
    EXPECT_FALSE(fires(IDLE_MS - 1));
    takeAndRun();
    ASSERT_TRUE(fires(SFD_PROGRESS_INTERVAL_MS)) << "it is told what was moved, and sleeps on";
    EXPECT_EQ(SFD_NEXT_WAIT, next_);
    EXPECT_FALSE(fires(IDLE_MS - SFD_PROGRESS_INTERVAL_MS - 1));
    ASSERT_TRUE(fires(1));
    EXPECT_EQ(SFD_NEXT_END, next_);
}

TEST_F(TransferWaitTest, ShouldNotTakeAWakeUpWithoutAByteForProgress)
{
    block();
    EXPECT_FALSE(fires(IDLE_MS - 1));
    EXPECT_EQ(SFD_NEXT_DEST, run()) << "the destination is as full as before";
    ASSERT_TRUE(fires(1));
    EXPECT_EQ(SFD_NEXT_END, next_);
}

TEST_F(TransferWaitTest, ShouldPreferTheRequestsIdleTimeout)
{
    version_ = SFD_WIRE_VERSION;
    options_.idle_ms = 500;
    block();
    EXPECT_FALSE(fires(499));
    ASSERT_TRUE(fires(1));
    EXPECT_EQ(SFD_NEXT_END, next_);
    EXPECT_EQ(failed(ETIMEDOUT, filled_, SFD_TECHNIQUE_SPLICE), told().back());
}

TEST_F(TransferWaitTest, ShouldNotCountTheDisksTimeAsIdle)
{
    script.warm_until = 0;
    version_ = SFD_WIRE_VERSION;
    options_.idle_ms = 500;
    file(BIG);
    begin(SFD_WIRE_SEND_FILE, toPipe());
    offload();
    EXPECT_FALSE(fires(100 * 500));
    handBack();
    ASSERT_EQ(SFD_NEXT_DEST, next_);
    fires(499); // it may be told what was moved
    EXPECT_NE(SFD_NEXT_END, next_);
    ASSERT_TRUE(fires(1));
    EXPECT_EQ(SFD_NEXT_END, next_);
}

/* ------------------------------------------------------------------ a stuck transfer costs nothing */

TEST_F(TransferWaitTest, ShouldWakeTheLoopOfAStuckTransferForItsProgressAndItsLimitOnly)
{
    block();
    takeAndRun(); // progress that is not told yet
    int wakeups = 0;
    for (uint32_t ms = 0; ms < IDLE_MS && next_ != SFD_NEXT_END; ms++) {
        wakeups += fires(1) ? 1 : 0;
    }
    EXPECT_EQ(SFD_NEXT_END, next_);
    EXPECT_EQ(2, wakeups);
}

TEST_F(TransferWaitTest, ShouldSeldomWakeTheLoopOfAStuckTransferWhoseStatusChannelIsFull)
{
    status_ = std::make_unique<Pipe>(O_NONBLOCK);
    status_->fill();
    block();
    for (int i = 0; i < 3; i++) {
        EXPECT_FALSE(fires(999));
        if (i == 2) {
            drain(status_->in.get());
        }
        EXPECT_TRUE(fires(1));
        EXPECT_EQ(SFD_NEXT_WAIT, next_);
    }
    EXPECT_EQ((Messages{"info " + std::to_string(BIG), "progress " + std::to_string(filled_)}), told());
    next_ = sfd_transfer_cancel(context_.get(), t_.get());
}

TEST_F(TransferWaitTest, ShouldArmNoTimerForAStuckTransferWithoutALimit)
{
    settings_.idle_timeout_ms = 0;
    block();
    EXPECT_EQ(0u, context_->timers.count);
    next_ = sfd_transfer_cancel(context_.get(), t_.get());
}

TEST_F(TransferWaitTest, ShouldStaySmall)
{
    /*
     * Beside it: 16 bytes of the table, at most 16 of the timers, and a client that many may share. malloc adds 8, and
     * makes a multiple of 16 of the sum: it has 536 bytes for who asks for 528.
     */
    EXPECT_LE(sizeof(struct sfd_transfer), 536u);
    EXPECT_LE(sizeof(struct sfd_client), 104u);
}

/* ------------------------------------------------------------------ deadline */

TEST_F(TransferWaitTest, ShouldEndAtItsDeadlineHoweverMuchMoves)
{
    version_ = SFD_WIRE_VERSION;
    options_.deadline_ms = 100;
    file(4 * BIG);
    ASSERT_EQ(SFD_NEXT_DEST, begin(SFD_WIRE_SEND_FILE, toPipe()));
    while (next_ == SFD_NEXT_DEST) {
        collect();
        context_->now_ms += 30;
        run();
    }
    EXPECT_EQ(SFD_NEXT_END, next_);
    const Messages all = told();
    EXPECT_EQ(failed(ETIMEDOUT, data_.size(), SFD_TECHNIQUE_SPLICE), all.back());
    EXPECT_EQ(1u, count(SFD_COUNTER_DEADLINES));
    EXPECT_EQ(START_MS + 120, context_->now_ms);
}

TEST_F(TransferWaitTest, ShouldEndAtItsDeadlineWhenNothingMoves)
{
    version_ = SFD_WIRE_VERSION;
    options_.deadline_ms = 100;
    block();
    EXPECT_FALSE(fires(99));
    ASSERT_TRUE(fires(1));
    EXPECT_EQ(SFD_NEXT_END, next_);
    EXPECT_EQ(1u, count(SFD_COUNTER_DEADLINES));
}

TEST_F(TransferWaitTest, ShouldEndAnOpenedFileAtItsDeadline)
{
    version_ = SFD_WIRE_VERSION;
    options_.deadline_ms = 100;
    file(100);
    ASSERT_EQ(SFD_NEXT_PARK, begin(SFD_WIRE_OPEN_FILE));
    ASSERT_TRUE(fires(100));
    EXPECT_EQ(SFD_NEXT_END, next_);
    EXPECT_EQ((Messages{"info 100", failed(ETIMEDOUT, 0, SFD_TECHNIQUE_AUTO)}), told());
}

TEST_F(TransferWaitTest, ShouldAnswerAtItsDeadlineWhileTheDiskHasIt)
{
    script.warm_until = 0;
    version_ = SFD_WIRE_VERSION;
    options_.deadline_ms = 100;
    file(BIG);
    begin(SFD_WIRE_SEND_FILE, toPipe());
    offload();
    ASSERT_TRUE(fires(100));
    EXPECT_EQ(SFD_NEXT_WAIT, next_);
    EXPECT_EQ((Messages{"info " + std::to_string(BIG), failed(ETIMEDOUT, 0, SFD_TECHNIQUE_SPLICE)}), told());
    EXPECT_TRUE(clientSeesEnd());
    EXPECT_TRUE(atEnd(pipe_->in.get())) << "the load does not need the destination";
    EXPECT_NE(-1, t_->source.fd) << "but the file";
    EXPECT_TRUE(script.loads.empty());
    handBack();
    EXPECT_EQ(SFD_NEXT_END, next_);
    EXPECT_TRUE(script.loads.empty()) << "it need not begin any more";
    EXPECT_EQ(1u, count(SFD_COUNTER_DEADLINES));
    EXPECT_EQ(1u, count(SFD_COUNTER_FAILED));
    EXPECT_EQ(0u, count(SFD_COUNTER_CANCELLED));
}

TEST_F(TransferWaitTest, ShouldRefuseAtItsDeadlineWhileTheDiskOpensItsFile)
{
    version_ = SFD_WIRE_VERSION;
    options_.deadline_ms = 100;
    script.opens = {-EAGAIN};
    file(BIG);
    begin(SFD_WIRE_SEND_FILE, toPipe());
    offload();
    ASSERT_TRUE(fires(100));
    EXPECT_EQ(Messages{"refusal " + std::to_string(ETIMEDOUT) + " fits 0"}, told());
    EXPECT_TRUE(clientSeesEnd());
    handBack();
    EXPECT_EQ(SFD_NEXT_END, next_);
}

TEST_F(TransferWaitTest, ShouldKeepTheLastWordsOfALentTransferUntilThereIsRoom)
{
    script.warm_until = 0;
    version_ = SFD_WIRE_VERSION;
    options_.deadline_ms = 100;
    file(BIG);
    status_ = std::make_unique<Pipe>(O_NONBLOCK);
    status_->fill();
    begin(SFD_WIRE_SEND_FILE, toPipe());
    offload();
    ASSERT_TRUE(fires(100));
    EXPECT_EQ(SFD_NEXT_STATUS, next_);
    drain(status_->in.get());
    EXPECT_EQ(SFD_NEXT_WAIT, run());
    EXPECT_EQ(Messages{"refusal " + std::to_string(ETIMEDOUT) + " fits 0"}, told())
        << "in place of the File Information, which had no room either";
    EXPECT_TRUE(clientSeesEnd());
    handBack();
    EXPECT_EQ(SFD_NEXT_END, next_);
}

TEST_F(TransferWaitTest, ShouldKeepADestinationThatTheDiskPoolWritesTo)
{
    version_ = SFD_WIRE_VERSION;
    options_.deadline_ms = 100;
    file(BIG);
    begin(SFD_WIRE_SEND_FILE, toFile());
    offload();
    ASSERT_TRUE(fires(100));
    EXPECT_TRUE(clientSeesEnd());
    EXPECT_NE(-1, t_->destination.fd);
    handBack();
    EXPECT_EQ(SFD_NEXT_END, next_);
}

TEST_F(TransferWaitTest, ShouldCountWhatACopyHasMovedThatComesBackTooLate)
{
    version_ = SFD_WIRE_VERSION;
    options_.deadline_ms = 2000;
    file(BIG);
    begin(SFD_WIRE_SEND_FILE, toFile());
    offload();
    context_->now_ms += 2000;
    handBack();
    EXPECT_EQ(SFD_NEXT_END, next_);
    EXPECT_EQ(failed(ETIMEDOUT, BIG, SFD_TECHNIQUE_COPY_FILE_RANGE), told().back());
    EXPECT_EQ(BIG, count(SFD_COUNTER_BYTES));
}

TEST_F(TransferWaitTest, ShouldTellProgressWhileTheDiskHasIt)
{
    script.warm_until = 0;
    file(BIG);
    begin(SFD_WIRE_SEND_FILE, toPair(tcpPair(), true));
    offload();
    ASSERT_EQ(Messages{"info " + std::to_string(BIG)}, told());
    handBack();
    offload();
    ASSERT_EQ(1u, told().size()) << "too soon";
    const uint64_t moved = count(SFD_COUNTER_BYTES);
    ASSERT_GT(moved, 0u);
    ASSERT_TRUE(fires(SFD_PROGRESS_INTERVAL_MS));
    EXPECT_EQ(SFD_NEXT_WAIT, next_);
    EXPECT_EQ("progress " + std::to_string(moved), told().back());
    EXPECT_EQ(0u, context_->timers.count) << "once";
    next_ = sfd_transfer_cancel(context_.get(), t_.get());
    handBack();
}

TEST_F(TransferWaitTest, ShouldObeyACancelAtOnceWhileTheDiskHasIt)
{
    script.warm_until = 0;
    file(BIG);
    begin(SFD_WIRE_SEND_FILE, toPipe());
    offload();
    EXPECT_EQ(SFD_NEXT_WAIT, sfd_transfer_cancel(context_.get(), t_.get()));
    EXPECT_TRUE(clientSeesEnd());
    EXPECT_TRUE(atEnd(pipe_->in.get()));
    handBack();
    EXPECT_EQ(SFD_NEXT_END, next_);
    EXPECT_EQ(1u, count(SFD_COUNTER_CANCELLED));
}

/* ------------------------------------------------------------------ drain */

TEST_F(TransferWaitTest, ShouldGiveUpALastMessageThatFindsNoRoomInTime) // D10
{
    file(100);
    status_ = std::make_unique<Pipe>(O_NONBLOCK);
    status_->fill();
    ASSERT_EQ(SFD_NEXT_STATUS, begin(SFD_WIRE_SEND_FILE, toPipe()));
    EXPECT_FALSE(fires(DRAIN_MS - 1));
    EXPECT_EQ(SFD_NEXT_STATUS, run()) << "woken for nothing";
    ASSERT_TRUE(fires(1));
    EXPECT_EQ(SFD_NEXT_END, next_);
    drain(status_->in.get());
    EXPECT_TRUE(clientSeesEnd());
    EXPECT_EQ(1u, count(SFD_COUNTER_DRAIN_TIMEOUTS));
    EXPECT_EQ(1u, count(SFD_COUNTER_COMPLETED));
}

TEST_F(TransferWaitTest, ShouldGiveTheReaderOfAResultAsLongAsOfTheBytesBeforeIt)
{
    version_ = SFD_WIRE_VERSION;
    options_.technique = SFD_TECHNIQUE_READ_WRITE;
    file(65536 - SFD_WIRE_FILE_INFO_SIZE); // a pipe of the usual size, and no byte more
    ASSERT_EQ(SFD_NEXT_STATUS, begin(SFD_WIRE_READ_FILE));
    EXPECT_FALSE(fires(IDLE_MS - 1)) << "longer than the last message of others may take";
    collect();
    EXPECT_EQ(SFD_NEXT_END, run());
    const size_t before = SFD_WIRE_FILE_INFO_SIZE + content_.size();
    collect();
    EXPECT_EQ(Messages{failed(0, content_.size(), SFD_TECHNIQUE_READ_WRITE)}, messages(status_bytes_.substr(before)));
    EXPECT_EQ(0u, count(SFD_COUNTER_DRAIN_TIMEOUTS));
}

TEST_F(TransferWaitTest, ShouldGiveUpTheResultOfAReadThatNobodyReads) // D10
{
    version_ = SFD_WIRE_VERSION;
    file(0);
    status_ = std::make_unique<Pipe>(O_NONBLOCK);
    status_->fill();
    ASSERT_EQ(SFD_NEXT_STATUS, begin(SFD_WIRE_READ_FILE));
    ASSERT_TRUE(fires(IDLE_MS));
    EXPECT_EQ(SFD_NEXT_END, next_);
    EXPECT_EQ(1u, count(SFD_COUNTER_DRAIN_TIMEOUTS));
}

TEST_F(TransferWaitTest, ShouldNotLetADeadlineOvertakeTheLastMessage)
{
    version_ = SFD_WIRE_VERSION;
    options_.deadline_ms = 100;
    file(100);
    status_ = std::make_unique<Pipe>(O_NONBLOCK);
    status_->fill();
    ASSERT_EQ(SFD_NEXT_STATUS, begin(SFD_WIRE_SEND_FILE, toPipe()));
    EXPECT_FALSE(fires(1000));
    drain(status_->in.get());
    EXPECT_EQ(SFD_NEXT_END, run());
    EXPECT_EQ((Messages{"info 100", failed(0, 100, SFD_TECHNIQUE_READ_WRITE)}), told());
    EXPECT_EQ(0u, count(SFD_COUNTER_DEADLINES));
}

/* ------------------------------------------------------------------ rate */

class RateTest : public TransferWaitTest
{
  protected:
    /* Plays a client that takes all at once, millisecond by millisecond, and checks that the rate is kept all along. */
    void finishAtRate(uint64_t rate, size_t size)
    {
        const uint64_t step = std::max<uint64_t>(1, std::min(rate / 20, QUANTUM));
        const uint64_t begun_ms = context_->now_ms;
        for (int ready_queue = 0; next_ != SFD_NEXT_END; ready_queue++) {
            ASSERT_LT(ready_queue, 1000000) << "it does not end";
            collect();
            const uint64_t moved = count(SFD_COUNTER_BYTES);
            const uint64_t elapsed = context_->now_ms - begun_ms;
            ASSERT_LE(moved, elapsed * rate / 1000 + step) << "after " << elapsed << " ms";
            if (next_ == SFD_NEXT_POOL) {
                sfd_transfer_work(context_.get(), t_.get());
                run();
            } else if (next_ == SFD_NEXT_TIMER) {
                wakeups_ += fires(1) ? 1 : 0;
                if (next_ == SFD_NEXT_WAIT) {
                    next_ = SFD_NEXT_TIMER; // told its progress
                }
            } else {
                run();
            }
        }
        collect();
        elapsed_ms_ = context_->now_ms - begun_ms;
        EXPECT_LE(elapsed_ms_, size * 1000 / rate + 1);
        EXPECT_GE((elapsed_ms_ + 1) * rate / 1000 + step, size);
    }

    uint64_t elapsed_ms_ = 0;
    int wakeups_ = 0;
};

TEST_F(RateTest, ShouldKeepItToAPipe)
{
    version_ = SFD_WIRE_VERSION;
    options_.rate = 1000000;
    file(1500000);
    begin(SFD_WIRE_SEND_FILE, toPipe());
    finishAtRate(1000000, 1500000);
    EXPECT_BYTES(content_, data_);
    EXPECT_EQ(failed(0, 1500000, SFD_TECHNIQUE_SPLICE), told().back());
    EXPECT_LE(wakeups_, 2 * 30) << "30 steps, and progress";
}

TEST_F(RateTest, ShouldKeepItToASocket)
{
    version_ = SFD_WIRE_VERSION;
    options_.rate = 3000000;
    file(BIG);
    begin(SFD_WIRE_SEND_FILE, toPair(tcpPair(), true));
    finishAtRate(3000000, BIG);
    data_ += readExactly(pair_->in.get(), BIG - data_.size());
    EXPECT_BYTES(content_, data_);
}

TEST_F(RateTest, ShouldKeepItInARead)
{
    version_ = SFD_WIRE_VERSION;
    options_.rate = 500000;
    file(300000);
    begin(SFD_WIRE_READ_FILE);
    finishAtRate(500000, 300000);
    EXPECT_BYTES(content_, readBytes().substr(0, content_.size()));
}

TEST_F(RateTest, ShouldKeepItBetweenFiles)
{
    for (const uint64_t rate : {1000000, 400000000}) {
        SCOPED_TRACE(rate);
        again();
        version_ = SFD_WIRE_VERSION;
        options_.rate = rate;
        file(4 * BIG);
        begin(SFD_WIRE_SEND_FILE, toFile(O_WRONLY | O_TRUNC));
        finishAtRate(rate, 4 * BIG);
        EXPECT_BYTES(content_, contentOf(*directory_ / "output"));
    }
}

TEST_F(RateTest, ShouldKeepTheLowestRate)
{
    version_ = SFD_WIRE_VERSION;
    options_.rate = 1;
    file(5);
    begin(SFD_WIRE_SEND_FILE, toPipe());
    finishAtRate(1, 5);
    EXPECT_EQ(content_, data_);
    EXPECT_EQ(4000u, elapsed_ms_) << "the first byte at once, then one a second";
}

TEST_F(RateTest, ShouldTakeARateThatNoMachineReachesForNone)
{
    version_ = SFD_WIRE_VERSION;
    options_.rate = UINT64_MAX;
    file(BIG);
    begin(SFD_WIRE_SEND_FILE, toPipe());
    finish();
    EXPECT_EQ(START_MS, context_->now_ms);
    EXPECT_BYTES(content_, data_);
}

TEST_F(RateTest, ShouldNotMakeUpForALongTimeInWhichItsReceiverWasSlow)
{
    constexpr uint64_t RATE = 100000;
    version_ = SFD_WIRE_VERSION;
    options_.rate = RATE;
    options_.idle_ms = 3600 * 1000;
    file(BIG);
    pipe_ = std::make_unique<Pipe>();
    fcntl(pipe_->out.get(), F_SETPIPE_SZ, 4096);
    ASSERT_EQ(SFD_NEXT_DEST, begin(SFD_WIRE_SEND_FILE, take(pipe_->out)));
    fcntl(pipe_->in.get(), F_SETPIPE_SZ, 1 << 20);
    context_->now_ms += 60 * 1000;
    collect();
    const uint64_t before = count(SFD_COUNTER_BYTES);
    do {
        run();
    } while (next_ == SFD_NEXT_AGAIN);
    ASSERT_EQ(SFD_NEXT_TIMER, next_);
    EXPECT_LE(count(SFD_COUNTER_BYTES) - before, RATE / 10);
    next_ = sfd_transfer_cancel(context_.get(), t_.get());
}

TEST_F(RateTest, ShouldNotCallItsOwnPaceIdle)
{
    version_ = SFD_WIRE_VERSION;
    options_.rate = 1;
    options_.idle_ms = 100;
    file(3);
    begin(SFD_WIRE_SEND_FILE, toPipe());
    finishAtRate(1, 3);
    EXPECT_EQ(0u, count(SFD_COUNTER_IDLE_TIMEOUTS));
    EXPECT_EQ(content_, data_);
}

TEST_F(RateTest, ShouldEndAtItsDeadlineWhileItWaitsForItsRate)
{
    version_ = SFD_WIRE_VERSION;
    options_.rate = 1;
    options_.deadline_ms = 1500;
    file(10);
    ASSERT_EQ(SFD_NEXT_TIMER, begin(SFD_WIRE_SEND_FILE, toPipe()));
    while (next_ != SFD_NEXT_END) {
        if (next_ == SFD_NEXT_AGAIN) {
            run();
        } else {
            fires(1);
        }
    }
    EXPECT_EQ(START_MS + 1500, context_->now_ms);
    EXPECT_EQ(failed(ETIMEDOUT, 2, SFD_TECHNIQUE_READ_WRITE), told().back());
}

} // namespace
