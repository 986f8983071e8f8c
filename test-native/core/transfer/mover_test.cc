// Movers: each technique to each destination, and every way in which a move can stop.
#include "mover_fixture.h"

namespace
{

using MoverTest = MoverFixture;

TEST_F(MoverTest, ShouldMoveARangeToAPipeByEachTechnique)
{
    for (const auto technique : {SFD_TECHNIQUE_SPLICE, SFD_TECHNIQUE_MMAP, SFD_TECHNIQUE_READ_WRITE}) {
        SCOPED_TRACE(sfd_technique_name(technique));
        const struct sfd_move move = toPipe();
        EXPECT_PROGRESS(40000, SFD_STEP_MORE, 0, sfd_mover_step(&move, technique, 5000, 40000));
        EXPECT_BYTES(content_.substr(5000, 40000), drain(pipe_->in.get()));
    }
}

TEST_F(MoverTest, ShouldMoveARangeToASocketByEachTechnique)
{
    for (const auto technique : {SFD_TECHNIQUE_SENDFILE, SFD_TECHNIQUE_MMAP, SFD_TECHNIQUE_READ_WRITE}) {
        SCOPED_TRACE(sfd_technique_name(technique));
        const struct sfd_move move = toSocket();
        EXPECT_PROGRESS(40000, SFD_STEP_MORE, 0, sfd_mover_step(&move, technique, 5000, 40000));
        EXPECT_BYTES(content_.substr(5000, 40000), drain(pair_->in.get()));
    }
}

TEST_F(MoverTest, ShouldRefuseTechniquesThatDoNotStep)
{
    const struct sfd_move move = toPipe();
    EXPECT_PROGRESS(0, SFD_STEP_FAILED, -EINVAL, sfd_mover_step(&move, SFD_TECHNIQUE_COPY_FILE_RANGE, 0, 10));
    EXPECT_PROGRESS(0, SFD_STEP_FAILED, -EINVAL, sfd_mover_step(&move, SFD_TECHNIQUE_AUTO, 0, 10));
}

TEST_F(MoverTest, ShouldMakeOneCallAStepThatCouldBlock) // R5: O_NONBLOCK is asked for before each
{
    script.sendfile = {1000};
    const struct sfd_move socket = toSocket();
    EXPECT_PROGRESS(1000, SFD_STEP_MORE, 0, sfd_mover_step(&socket, SFD_TECHNIQUE_SENDFILE, 0, SIZE));
}

TEST_F(MoverTest, ShouldTakeASignalForAFullDestination)
{
    script.sendfile = {-EINTR};
    const struct sfd_move socket = toSocket();
    EXPECT_PROGRESS(0, SFD_STEP_BLOCKED, 0, sfd_mover_step(&socket, SFD_TECHNIQUE_SENDFILE, 0, SIZE));
}

TEST_F(MoverTest, ShouldGoOnAfterShortMoves)
{
    script.sendfile = {1, 4095, 100};
    const struct sfd_move socket = toSocket();
    EXPECT_PROGRESS(SIZE, SFD_STEP_MORE, 0, stepAll(&socket, SFD_TECHNIQUE_SENDFILE, 0, SIZE));
    EXPECT_BYTES(content_, drain(pair_->in.get()));

    script.splice = {1, 4095, 100};
    const struct sfd_move pipe = toPipe();
    EXPECT_PROGRESS(30000, SFD_STEP_MORE, 0, stepAll(&pipe, SFD_TECHNIQUE_SPLICE, 0, 30000));
    EXPECT_BYTES(content_.substr(0, 30000), drain(pipe_->in.get()));

    script.preadv2 = {1, 7000};
    script.pwritev2 = {1, 50, 6000};
    EXPECT_PROGRESS(30000, SFD_STEP_MORE, 0, stepAll(&pipe, SFD_TECHNIQUE_READ_WRITE, 0, 30000));
    EXPECT_BYTES(content_.substr(0, 30000), drain(pipe_->in.get()));
}

TEST_F(MoverTest, ShouldTellAFullDestinationFromAShrunkFile)
{
    const struct sfd_move move = toPipe();
    pipe_->fill();
    EXPECT_PROGRESS(0, SFD_STEP_BLOCKED, 0, stepAll(&move, SFD_TECHNIQUE_SPLICE, 0, SIZE));
    drain(pipe_->in.get());
    EXPECT_PROGRESS(0, SFD_STEP_FAILED, -ENODATA, stepAll(&move, SFD_TECHNIQUE_SPLICE, SIZE, 10));
}

TEST_F(MoverTest, ShouldReportTheBytesThatPassedBeforeTheDestinationWasFull)
{
    const struct sfd_move move = toPipe();
    ASSERT_GE(fcntl(pipe_->out.get(), F_SETPIPE_SZ, 16384), 0);
    const uint64_t room = pipe_->capacity();
    ASSERT_LT(room, SIZE);
    for (const auto technique : {SFD_TECHNIQUE_SPLICE, SFD_TECHNIQUE_MMAP, SFD_TECHNIQUE_READ_WRITE}) {
        SCOPED_TRACE(sfd_technique_name(technique));
        if (technique == SFD_TECHNIQUE_READ_WRITE && kernel_->kernel.pipe_write_flags == 0) {
            continue; /* such a pipe is reopened with O_NONBLOCK first */
        }
        EXPECT_PROGRESS(room, SFD_STEP_BLOCKED, 0, stepAll(&move, technique, 0, SIZE));
        EXPECT_BYTES(content_.substr(0, room), drain(pipe_->in.get()));
    }
}

TEST_F(MoverTest, ShouldReportTheBytesThatPassedBesideAnError)
{
    script.sendfile = {1000, -EIO};
    const struct sfd_move socket = toSocket();
    EXPECT_PROGRESS(1000, SFD_STEP_FAILED, -EIO, stepAll(&socket, SFD_TECHNIQUE_SENDFILE, 0, SIZE));
    script.splice = {1000, -EIO};
    const struct sfd_move pipe = toPipe();
    EXPECT_PROGRESS(1000, SFD_STEP_FAILED, -EIO, stepAll(&pipe, SFD_TECHNIQUE_SPLICE, 0, SIZE));
    script.send = {1000, -ECONNRESET};
    EXPECT_PROGRESS(1000, SFD_STEP_FAILED, -ECONNRESET, stepAll(&socket, SFD_TECHNIQUE_READ_WRITE, 0, SIZE));
}

TEST_F(MoverTest, ShouldReportTruncationWhenTheFileShrinksMidMove) // D4
{
    const struct sfd_move pipe = toPipe();
    const struct sfd_move socket = toSocket();
    ASSERT_EQ(0, truncate((*directory_ / "file").c_str(), 10000));
    EXPECT_PROGRESS(10000, SFD_STEP_FAILED, -ENODATA, stepAll(&socket, SFD_TECHNIQUE_SENDFILE, 0, SIZE));
    EXPECT_PROGRESS(10000, SFD_STEP_FAILED, -ENODATA, stepAll(&pipe, SFD_TECHNIQUE_SPLICE, 0, SIZE));
    drain(pipe_->in.get());
    EXPECT_PROGRESS(10000, SFD_STEP_FAILED, -ENODATA, stepAll(&pipe, SFD_TECHNIQUE_READ_WRITE, 0, SIZE));
}

TEST_F(MoverTest, ShouldTellAPipeNotToBlockByEachSplice)
{
    const struct sfd_move move = toPipe();
    stepAll(&move, SFD_TECHNIQUE_SPLICE, 0, 10);
    EXPECT_NE(0u, script.splice_flags & SPLICE_F_NONBLOCK);
}

TEST_F(MoverTest, ShouldWriteMemoryToAPipeThatWasSplicedInto)
{
    /* splice(2) takes RWF_NOWAIT away from a pipe's description. */
    const struct sfd_move move = toPipe();
    EXPECT_PROGRESS(1000, SFD_STEP_MORE, 0, stepAll(&move, SFD_TECHNIQUE_SPLICE, 0, 1000));
    EXPECT_PROGRESS(1000, SFD_STEP_MORE, 0, stepAll(&move, SFD_TECHNIQUE_READ_WRITE, 1000, 1000));
    EXPECT_BYTES(content_.substr(0, 2000), drain(pipe_->in.get()));
    EXPECT_EQ(0, fcntl(pipe_->out.get(), F_GETFL) & O_NONBLOCK) << "the flag is the client's";
    pipe_->fill();
    EXPECT_PROGRESS(0, SFD_STEP_BLOCKED, 0, stepAll(&move, SFD_TECHNIQUE_READ_WRITE, 2000, 1000));
}

TEST_F(MoverTest, ShouldTellASocketNotToBlockByEachSend) // D18
{
    pair_ = std::make_unique<SocketPair>(); // blocking
    pair_->fill();
    const struct sfd_move move = to(pair_->out.get(), SFD_FD_UNIX_STREAM);
    EXPECT_PROGRESS(0, SFD_STEP_BLOCKED, 0, stepAll(&move, SFD_TECHNIQUE_READ_WRITE, 0, SIZE));
    EXPECT_EQ(MSG_DONTWAIT | MSG_NOSIGNAL, script.send_flags);
    EXPECT_EQ(0, fcntl(pair_->out.get(), F_GETFL) & O_NONBLOCK) << "the flag is the client's";
}

TEST_F(MoverTest, ShouldTellAnErrorOfAGonePeer)
{
    const struct sfd_move pipe = toPipe();
    pipe_->in.reset();
    EXPECT_PROGRESS(0, SFD_STEP_FAILED, -EPIPE, stepAll(&pipe, SFD_TECHNIQUE_SPLICE, 0, SIZE));
    EXPECT_PROGRESS(0, SFD_STEP_FAILED, -EPIPE, stepAll(&pipe, SFD_TECHNIQUE_READ_WRITE, 0, SIZE));
    const struct sfd_move socket = toSocket();
    pair_->in.reset();
    EXPECT_PROGRESS(0, SFD_STEP_FAILED, -EPIPE, stepAll(&socket, SFD_TECHNIQUE_SENDFILE, 0, SIZE));
    EXPECT_PROGRESS(0, SFD_STEP_FAILED, -EPIPE, stepAll(&socket, SFD_TECHNIQUE_READ_WRITE, 0, SIZE));
}

TEST_F(MoverTest, ShouldReadOnlyWhatNeedsNoDisk)
{
    const struct sfd_move move = toPipe();
    EXPECT_PROGRESS(16384, SFD_STEP_MORE, 0, sfd_mover_read(&move, 100, SIZE - 100));
    EXPECT_EQ(RWF_NOWAIT, script.read_flags);
    EXPECT_BYTES(content_.substr(100, 16384), buffer_);
    EXPECT_PROGRESS(10, SFD_STEP_MORE, 0, sfd_mover_read(&move, 100, 10));
}

TEST_F(MoverTest, ShouldCallAReadColdThatWouldWaitOrCannotTell)
{
    const struct sfd_move move = toPipe();
    script.preadv2 = {-EAGAIN, -EOPNOTSUPP, -EIO, 0};
    EXPECT_PROGRESS(0, SFD_STEP_COLD, 0, sfd_mover_read(&move, 0, 10));
    EXPECT_PROGRESS(0, SFD_STEP_COLD, 0, sfd_mover_read(&move, 0, 10));
    EXPECT_PROGRESS(0, SFD_STEP_FAILED, -EIO, sfd_mover_read(&move, 0, 10));
    EXPECT_PROGRESS(0, SFD_STEP_FAILED, -ENODATA, sfd_mover_read(&move, 0, 10));
}

TEST_F(MoverTest, ShouldKeepWhatPassedBeforeAReadTurnedCold)
{
    const struct sfd_move move = toPipe();
    script.preadv2 = {5000, -EAGAIN};
    EXPECT_PROGRESS(5000, SFD_STEP_COLD, 0, stepAll(&move, SFD_TECHNIQUE_READ_WRITE, 0, SIZE));
    EXPECT_BYTES(content_.substr(0, 5000), drain(pipe_->in.get()));
}

TEST_F(MoverTest, ShouldReadAMemoryFileWithoutTheFlagThatItDoesNotKnow)
{
    struct sfd_move move = toPipe();
    move.memory_file = true;
    EXPECT_PROGRESS(10, SFD_STEP_MORE, 0, sfd_mover_read(&move, 0, 10));
    EXPECT_EQ(0, script.read_flags);
}

TEST_F(MoverTest, ShouldWriteMemoryWhollyAfterShortWrites)
{
    for (const bool socket : {false, true}) {
        const struct sfd_move move = socket ? toSocket() : toPipe();
        (socket ? script.send : script.pwritev2) = {1, 3, 3};
        char header[] = "head";
        char body[] = "and body";
        struct iovec iov[] = {{header, 0}, {header, 4}, {header, 0}, {body, 8}};
        EXPECT_PROGRESS(12, SFD_STEP_MORE, 0, sfd_mover_memory(move.kernel, move.dest, move.dest_kind, iov, 4, false));
        EXPECT_EQ("headand body", drain(socket ? pair_->in.get() : pipe_->in.get()));
    }
}

TEST_F(MoverTest, ShouldResumeMemoryWhereItWasBlocked)
{
    const struct sfd_move move = toPipe();
    script.pwritev2 = {6, -EAGAIN};
    char header[] = "head";
    char body[] = "and body";
    struct iovec iov[] = {{header, 4}, {body, 8}};
    EXPECT_PROGRESS(6, SFD_STEP_BLOCKED, 0, sfd_mover_memory(move.kernel, move.dest, move.dest_kind, iov, 2, false));
    EXPECT_EQ("headan", drain(pipe_->in.get()));
}

TEST_F(MoverTest, ShouldWriteNoMemoryAtOnce)
{
    const struct sfd_move move = toPipe();
    struct iovec none = {nullptr, 0};
    script.calls = 0;
    EXPECT_PROGRESS(0, SFD_STEP_MORE, 0, sfd_mover_memory(move.kernel, move.dest, move.dest_kind, &none, 1, false));
    EXPECT_EQ(0, script.calls);
}

} // namespace
