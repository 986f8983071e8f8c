// Movers: each technique to each destination, and every way in which a move can stop.
#include "scripted.h"

#include <memory>

#include <linux/tcp.h>
#include <netinet/in.h>

namespace
{

class MoverTest : public CoreTest
{
  protected:
    static constexpr uint64_t SIZE = 50000;

    void SetUp() override
    {
        CoreTest::SetUp();
        script = {};
        machine_ = std::make_unique<Machine>();
        sys_ = scripted();
        machine_->machine.sys = &sys_;
        directory_ = std::make_unique<TemporaryDirectory>();
        content_ = pattern(SIZE);
        writeFile(*directory_ / "file", content_);
        file_ = openFile(*directory_ / "file", O_RDONLY);
        buffer_.resize(16384);
    }
    void TearDown() override
    {
        file_.reset();
        pipe_.reset();
        pair_.reset();
        directory_.reset();
        machine_.reset();
        CoreTest::TearDown();
    }

    struct sfd_move to(int dest, enum sfd_fd_kind kind)
    {
        struct sfd_move move = {};
        move.machine = &machine_->machine;
        move.file = file_.get();
        move.dest = dest;
        move.dest_kind = kind;
        move.buffer = buffer_.data();
        move.buffer_size = buffer_.size();
        return move;
    }
    struct sfd_move toPipe()
    {
        pipe_ = std::make_unique<Pipe>();
        return to(pipe_->out.get(), SFD_FD_PIPE);
    }
    struct sfd_move toSocket()
    {
        pair_ = std::make_unique<SocketPair>();
        setNonblocking(pair_->out.get());
        const int size = 1 << 20;
        setsockopt(pair_->out.get(), SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
        return to(pair_->out.get(), SFD_FD_UNIX_STREAM);
    }

    /* Steps until all is moved or one stops, as a transfer does. */
    static struct sfd_progress stepAll(const struct sfd_move *move, enum sfd_technique technique,
                                       uint64_t offset, uint64_t limit)
    {
        struct sfd_progress all = {};
        all.step = SFD_STEP_MORE;
        while (all.step == SFD_STEP_MORE && all.moved < limit) {
            const struct sfd_progress step =
                sfd_mover_step(move, technique, offset + all.moved, limit - all.moved);
            all.moved += step.moved;
            all.step = step.step;
            all.error = step.error;
        }
        return all;
    }

    std::unique_ptr<Machine> machine_;
    struct sfd_sys sys_;
    std::unique_ptr<TemporaryDirectory> directory_;
    std::string content_;
    OwnedFd file_;
    std::string buffer_;
    std::unique_ptr<Pipe> pipe_;
    std::unique_ptr<SocketPair> pair_;
};

TEST_F(MoverTest, ShouldMoveARangeToAPipeByEachTechnique)
{
    for (const auto technique :
         {SFD_TECHNIQUE_SPLICE, SFD_TECHNIQUE_MMAP, SFD_TECHNIQUE_READ_WRITE}) {
        SCOPED_TRACE(sfd_technique_name(technique));
        const struct sfd_move move = toPipe();
        EXPECT_PROGRESS(40000, SFD_STEP_MORE, 0, sfd_mover_step(&move, technique, 5000, 40000));
        EXPECT_BYTES(content_.substr(5000, 40000), drain(pipe_->in.get()));
    }
}

TEST_F(MoverTest, ShouldMoveARangeToASocketByEachTechnique)
{
    for (const auto technique :
         {SFD_TECHNIQUE_SENDFILE, SFD_TECHNIQUE_MMAP, SFD_TECHNIQUE_READ_WRITE}) {
        SCOPED_TRACE(sfd_technique_name(technique));
        const struct sfd_move move = toSocket();
        EXPECT_PROGRESS(40000, SFD_STEP_MORE, 0, sfd_mover_step(&move, technique, 5000, 40000));
        EXPECT_BYTES(content_.substr(5000, 40000), drain(pair_->in.get()));
    }
}

TEST_F(MoverTest, ShouldRefuseTechniquesThatDoNotStep)
{
    const struct sfd_move move = toPipe();
    EXPECT_PROGRESS(0, SFD_STEP_FAILED, -EINVAL,
                    sfd_mover_step(&move, SFD_TECHNIQUE_COPY_FILE_RANGE, 0, 10));
    EXPECT_PROGRESS(0, SFD_STEP_FAILED, -EINVAL, sfd_mover_step(&move, SFD_TECHNIQUE_AUTO, 0, 10));
}

TEST_F(MoverTest, ShouldMakeOneCallAStepThatCouldBlock) // R5: O_NONBLOCK is asked for before each
{
    script.sendfile = {1000};
    const struct sfd_move socket = toSocket();
    EXPECT_PROGRESS(1000, SFD_STEP_MORE, 0,
                    sfd_mover_step(&socket, SFD_TECHNIQUE_SENDFILE, 0, SIZE));
}

TEST_F(MoverTest, ShouldTakeASignalForAFullDestination)
{
    script.sendfile = {-EINTR};
    const struct sfd_move socket = toSocket();
    EXPECT_PROGRESS(0, SFD_STEP_BLOCKED, 0,
                    sfd_mover_step(&socket, SFD_TECHNIQUE_SENDFILE, 0, SIZE));
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
    for (const auto technique :
         {SFD_TECHNIQUE_SPLICE, SFD_TECHNIQUE_MMAP, SFD_TECHNIQUE_READ_WRITE}) {
        SCOPED_TRACE(sfd_technique_name(technique));
        if (technique == SFD_TECHNIQUE_READ_WRITE && machine_->machine.pipe_write_flags == 0) {
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
    script.sendmsg = {1000, -ECONNRESET};
    EXPECT_PROGRESS(1000, SFD_STEP_FAILED, -ECONNRESET,
                    stepAll(&socket, SFD_TECHNIQUE_READ_WRITE, 0, SIZE));
}

TEST_F(MoverTest, ShouldReportTruncationWhenTheFileShrinksMidMove) // D4
{
    const struct sfd_move pipe = toPipe();
    const struct sfd_move socket = toSocket();
    ASSERT_EQ(0, truncate((*directory_ / "file").c_str(), 10000));
    EXPECT_PROGRESS(10000, SFD_STEP_FAILED, -ENODATA,
                    stepAll(&socket, SFD_TECHNIQUE_SENDFILE, 0, SIZE));
    EXPECT_PROGRESS(10000, SFD_STEP_FAILED, -ENODATA,
                    stepAll(&pipe, SFD_TECHNIQUE_SPLICE, 0, SIZE));
    drain(pipe_->in.get());
    EXPECT_PROGRESS(10000, SFD_STEP_FAILED, -ENODATA,
                    stepAll(&pipe, SFD_TECHNIQUE_READ_WRITE, 0, SIZE));
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
    EXPECT_PROGRESS(0, SFD_STEP_FAILED, -EPIPE,
                    stepAll(&socket, SFD_TECHNIQUE_READ_WRITE, 0, SIZE));
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
        (socket ? script.sendmsg : script.pwritev2) = {1, 3, 3};
        char header[] = "head";
        char body[] = "and body";
        struct iovec iov[] = {{header, 0}, {header, 4}, {header, 0}, {body, 8}};
        EXPECT_PROGRESS(12, SFD_STEP_MORE, 0,
                        sfd_mover_memory(move.machine, move.dest, move.dest_kind, iov, 4, false));
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
    EXPECT_PROGRESS(6, SFD_STEP_BLOCKED, 0,
                    sfd_mover_memory(move.machine, move.dest, move.dest_kind, iov, 2, false));
    EXPECT_EQ("headan", drain(pipe_->in.get()));
}

TEST_F(MoverTest, ShouldWriteNoMemoryAtOnce)
{
    const struct sfd_move move = toPipe();
    struct iovec none = {nullptr, 0};
    script.calls = 0;
    EXPECT_PROGRESS(0, SFD_STEP_MORE, 0,
                    sfd_mover_memory(move.machine, move.dest, move.dest_kind, &none, 1, false));
    EXPECT_EQ(0, script.calls);
}

// ------------------------------------------------------------------ mmap

TEST_F(MoverTest, ShouldMapFromAnyOffset)
{
    for (const uint64_t offset :
         {uint64_t{0}, uint64_t{1}, uint64_t{4095}, uint64_t{4096}, SIZE - 1}) {
        SCOPED_TRACE(offset);
        const struct sfd_move move = toPipe();
        const uint64_t length = std::min<uint64_t>(SIZE - offset, 9000);
        EXPECT_PROGRESS(length, SFD_STEP_MORE, 0,
                        sfd_mover_step(&move, SFD_TECHNIQUE_MMAP, offset, length));
        EXPECT_BYTES(content_.substr(offset, length), drain(pipe_->in.get()));
    }
}

TEST_F(MoverTest, ShouldSendNoZerosFromBehindTheEndOfAMappedFile)
{
    // The end is inside a page, whose rest is zeros in every mapping.
    ASSERT_EQ(0, truncate((*directory_ / "file").c_str(), 10001));
    const struct sfd_move move = toPipe();
    EXPECT_PROGRESS(10001, SFD_STEP_FAILED, -ENODATA, stepAll(&move, SFD_TECHNIQUE_MMAP, 0, SIZE));
    EXPECT_BYTES(content_.substr(0, 10001), drain(pipe_->in.get()));
}

/* The file shrinks when it is mapped already. */
void shrinkWhenMapped(struct sfd_sys *sys, const std::string &path, off_t size)
{
    static std::string file;
    static off_t length;
    file = path;
    length = size;
    sys->mmap = [](size_t bytes, int protection, int flags, int fd, uint64_t offset, void **out) {
        const int result = sfd_sys_linux.mmap(bytes, protection, flags, fd, offset, out);
        EXPECT_EQ(0, truncate(file.c_str(), length));
        return result;
    };
}

TEST_F(MoverTest, ShouldReportTruncationOfAFileThatIsMapped) // a load would raise SIGBUS
{
    shrinkWhenMapped(&sys_, *directory_ / "file", 8192);
    for (const bool socket : {false, true}) {
        writeFile(*directory_ / "file", content_);
        const struct sfd_move move = socket ? toSocket() : toPipe();
        EXPECT_PROGRESS(8192, SFD_STEP_FAILED, -ENODATA,
                        stepAll(&move, SFD_TECHNIQUE_MMAP, 0, SIZE));
        EXPECT_BYTES(content_.substr(0, 8192), drain(socket ? pair_->in.get() : pipe_->in.get()));
    }
}

TEST_F(MoverTest, ShouldNotCallAMappedFileSentThatShrankInItsLastPage)
{
    shrinkWhenMapped(&sys_, *directory_ / "file", SIZE - 1);
    const struct sfd_move move = toPipe();
    const struct sfd_progress p = sfd_mover_step(&move, SFD_TECHNIQUE_MMAP, SIZE - 100, 100);
    EXPECT_EQ(SFD_STEP_FAILED, p.step) << "a zero has gone out where the last byte was";
    EXPECT_EQ(-ENODATA, p.error);
}

TEST_F(MoverTest, ShouldTellAnErrorOfTheDiskFromAShrunkMapping)
{
    script.sendmsg = {1000, -EFAULT};
    const struct sfd_move move = toSocket();
    EXPECT_PROGRESS(1000, SFD_STEP_FAILED, -EIO,
                    sfd_mover_step(&move, SFD_TECHNIQUE_MMAP, 0, SIZE));
}

TEST_F(MoverTest, ShouldReportAFileThatCannotBeMapped)
{
    sys_.mmap = [](size_t, int, int, int, uint64_t, void **) { return -ENODEV; };
    const struct sfd_move move = toPipe();
    EXPECT_PROGRESS(0, SFD_STEP_FAILED, -ENODEV,
                    sfd_mover_step(&move, SFD_TECHNIQUE_MMAP, 0, SIZE));
}

TEST_F(MoverTest, ShouldEndEveryMapping)
{
    static int mapped;
    mapped = 0;
    sys_.mmap = [](size_t bytes, int protection, int flags, int fd, uint64_t offset, void **out) {
        mapped++;
        return sfd_sys_linux.mmap(bytes, protection, flags, fd, offset, out);
    };
    sys_.munmap = [](void *address, size_t length) {
        mapped--;
        return sfd_sys_linux.munmap(address, length);
    };
    const struct sfd_move move = toPipe();
    stepAll(&move, SFD_TECHNIQUE_MMAP, 0, SIZE);
    pipe_->in.reset();
    EXPECT_PROGRESS(0, SFD_STEP_FAILED, -EPIPE, sfd_mover_step(&move, SFD_TECHNIQUE_MMAP, 0, SIZE));
    EXPECT_EQ(0, mapped);
}

// ------------------------------------------------------------------ devices

TEST_F(MoverTest, ShouldMoveToADeviceThatTakesAll)
{
    const OwnedFd null = openFile("/dev/null", O_WRONLY);
    const struct sfd_move move = to(null.get(), SFD_FD_CHAR);
    for (const auto technique :
         {SFD_TECHNIQUE_SENDFILE, SFD_TECHNIQUE_MMAP, SFD_TECHNIQUE_READ_WRITE}) {
        SCOPED_TRACE(sfd_technique_name(technique));
        EXPECT_PROGRESS(SIZE, SFD_STEP_MORE, 0, stepAll(&move, technique, 0, SIZE));
        ASSERT_EQ(0, truncate((*directory_ / "file").c_str(), 10001));
        EXPECT_PROGRESS(10001, SFD_STEP_FAILED, -ENODATA, stepAll(&move, technique, 0, SIZE));
        writeFile(*directory_ / "file", content_);
    }
}

TEST_F(MoverTest, ShouldNotWaitForADeviceAfterASignal)
{
    const OwnedFd null = openFile("/dev/null", O_WRONLY);
    const struct sfd_move move = to(null.get(), SFD_FD_CHAR);
    script.sendfile = {-EINTR}; // epoll would refuse to wait for /dev/null
    EXPECT_PROGRESS(0, SFD_STEP_MORE, 0, sfd_mover_step(&move, SFD_TECHNIQUE_SENDFILE, 0, SIZE));
}

TEST_F(MoverTest, ShouldTellThatADeviceIsFull)
{
    const OwnedFd full = openFile("/dev/full", O_WRONLY);
    const struct sfd_move move = to(full.get(), SFD_FD_CHAR);
    for (const auto technique : {SFD_TECHNIQUE_MMAP, SFD_TECHNIQUE_READ_WRITE}) {
        EXPECT_PROGRESS(0, SFD_STEP_FAILED, -ENOSPC, stepAll(&move, technique, 0, SIZE));
    }
}

// ------------------------------------------------------------------ packets

/* Segments with data that a TCP socket has sent. */
uint32_t segments(int fd)
{
    struct tcp_info info = {};
    socklen_t size = sizeof(info);
    EXPECT_EQ(0, getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size));
    return info.tcpi_data_segs_out;
}

TEST_F(MoverTest, ShouldHoldAPacketBackOnlyWhileBytesFollow)
{
    pair_ = std::make_unique<SocketPair>(tcpPair());
    struct sfd_move move = to(pair_->out.get(), SFD_FD_TCP);
    for (const auto technique : {SFD_TECHNIQUE_MMAP, SFD_TECHNIQUE_READ_WRITE}) {
        SCOPED_TRACE(sfd_technique_name(technique));
        move.more = true;
        sfd_mover_step(&move, technique, 0, 1000);
        EXPECT_NE(0, script.send_flags & MSG_MORE);
        move.more = false;
        sfd_mover_step(&move, technique, 0, 1000);
        EXPECT_EQ(0, script.send_flags & MSG_MORE) << "nothing may stay behind";
    }
    // 20000 bytes are two reads into the buffer: what follows inside of a step counts as well.
    script.sendmsg = {INT64_MAX, -EIO};
    EXPECT_PROGRESS(16384, SFD_STEP_FAILED, -EIO,
                    sfd_mover_step(&move, SFD_TECHNIQUE_READ_WRITE, 0, 16384 * 2));
    EXPECT_EQ(0, script.send_flags & MSG_MORE);
    script.sendmsg = {-EIO};
    EXPECT_PROGRESS(0, SFD_STEP_FAILED, -EIO,
                    sfd_mover_step(&move, SFD_TECHNIQUE_READ_WRITE, 0, 16384 * 2));
    EXPECT_NE(0, script.send_flags & MSG_MORE);
}

TEST_F(MoverTest, ShouldSendAHeaderAndASmallBodyInOnePacket)
{
    for (const auto technique : {SFD_TECHNIQUE_MMAP, SFD_TECHNIQUE_READ_WRITE}) {
        SCOPED_TRACE(sfd_technique_name(technique));
        uint32_t together = 0;
        uint32_t apart = 0;
        // The kernel waits for 200 ms with such a packet; a test that was held up for as long tries again.
        for (int i = 0; i < 10 && together != 1; i++) {
            for (const bool more : {true, false}) {
                pair_ = std::make_unique<SocketPair>(tcpPair());
                const int yes = 1;
                ASSERT_EQ(
                    0, setsockopt(pair_->out.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)));
                struct sfd_move move = to(pair_->out.get(), SFD_FD_TCP);
                move.more = more;
                EXPECT_PROGRESS(1000, SFD_STEP_MORE, 0, sfd_mover_step(&move, technique, 0, 1000));
                ASSERT_EQ(7, send(pair_->out.get(), "trailer", 7, 0)); // the client's
                EXPECT_BYTES(content_.substr(0, 1000) + "trailer",
                             readExactly(pair_->in.get(), 1007));
                (more ? together : apart) = segments(pair_->out.get());
            }
        }
        EXPECT_EQ(1u, together);
        EXPECT_EQ(2u, apart);
    }
}

TEST_F(MoverTest, ShouldPushOutAHeaderThatItsClientHeldBackWithTheBody)
{
    for (const auto technique :
         {SFD_TECHNIQUE_SENDFILE, SFD_TECHNIQUE_MMAP, SFD_TECHNIQUE_READ_WRITE}) {
        SCOPED_TRACE(sfd_technique_name(technique));
        uint32_t sent = 0;
        for (int i = 0; i < 10 && sent != 1; i++) { // as above
            pair_ = std::make_unique<SocketPair>(tcpPair());
            setNonblocking(pair_->out.get());
            ASSERT_EQ(6, send(pair_->out.get(), "header", 6, MSG_MORE)); // the client's
            const struct sfd_move move = to(pair_->out.get(), SFD_FD_TCP);
            EXPECT_PROGRESS(1000, SFD_STEP_MORE, 0, sfd_mover_step(&move, technique, 0, 1000));
            EXPECT_BYTES("header" + content_.substr(0, 1000), readExactly(pair_->in.get(), 1006));
            sent = segments(pair_->out.get());
        }
        EXPECT_EQ(1u, sent);
    }
}

TEST_F(MoverTest, ShouldTellNobodyButTcpThatMoreFollows)
{
    struct sfd_move move = toSocket();
    move.more = true;
    sfd_mover_step(&move, SFD_TECHNIQUE_READ_WRITE, 0, 1000);
    EXPECT_EQ(MSG_DONTWAIT | MSG_NOSIGNAL, script.send_flags);
}

} // namespace
