// Movers: each technique to each destination, and every way in which a move can stop.
#include "core.h"

#include <deque>
#include <memory>
#include <sys/mman.h>

namespace
{

/* What the next calls of one kind answer; a positive value moves at most that many bytes really. Empty: the real call. */
struct Script {
    std::deque<int64_t> sendfile;
    std::deque<int64_t> splice;
    std::deque<int64_t> copy_file_range;
    std::deque<int64_t> preadv2;
    std::deque<int64_t> pwritev2;
    std::deque<int64_t> sendmsg;
    int read_flags;
    int send_flags;
    unsigned splice_flags;
    int calls;
};
Script script;

/* The next answer in *out; false when the script is over. */
bool answer(std::deque<int64_t> &from, int64_t *out)
{
    script.calls++;
    if (from.empty()) {
        return false;
    }
    *out = from.front();
    from.pop_front();
    return true;
}

std::vector<struct iovec> cut(const struct iovec *iov, int count, size_t limit)
{
    std::vector<struct iovec> parts;
    for (int i = 0; i < count && limit > 0; i++) {
        parts.push_back({iov[i].iov_base, std::min(iov[i].iov_len, limit)});
        limit -= parts.back().iov_len;
    }
    return parts;
}

struct sfd_sys scripted()
{
    struct sfd_sys sys = copyOfSys();
    sys.sendfile = [](int to, int from, int64_t *offset, size_t count) {
        int64_t n = 0;
        if (!answer(script.sendfile, &n)) {
            return sfd_sys_linux.sendfile(to, from, offset, count);
        }
        return n <= 0 ? n
                      : sfd_sys_linux.sendfile(to, from, offset,
                                               std::min(count, static_cast<size_t>(n)));
    };
    sys.splice = [](int from, int64_t *offset, int to, size_t count, unsigned flags) {
        int64_t n = 0;
        script.splice_flags = flags;
        if (!answer(script.splice, &n)) {
            return sfd_sys_linux.splice(from, offset, to, count, flags);
        }
        return n <= 0 ? n
                      : sfd_sys_linux.splice(from, offset, to,
                                             std::min(count, static_cast<size_t>(n)), flags);
    };
    sys.copy_file_range = [](int from, int64_t *offset, int to, size_t count) {
        int64_t n = 0;
        if (!answer(script.copy_file_range, &n)) {
            return sfd_sys_linux.copy_file_range(from, offset, to, count);
        }
        return n <= 0 ? n
                      : sfd_sys_linux.copy_file_range(from, offset, to,
                                                      std::min(count, static_cast<size_t>(n)));
    };
    sys.preadv2 = [](int fd, const struct iovec *iov, int count, int64_t offset, int flags) {
        int64_t n = 0;
        script.read_flags = flags;
        if (!answer(script.preadv2, &n)) {
            return sfd_sys_linux.preadv2(fd, iov, count, offset, 0);
        }
        if (n <= 0) {
            return n;
        }
        const auto parts = cut(iov, count, static_cast<size_t>(n));
        return sfd_sys_linux.preadv2(fd, parts.data(), static_cast<int>(parts.size()), offset, 0);
    };
    sys.pwritev2 = [](int fd, const struct iovec *iov, int count, int64_t offset, int flags) {
        int64_t n = 0;
        if (!answer(script.pwritev2, &n)) {
            return sfd_sys_linux.pwritev2(fd, iov, count, offset, flags);
        }
        if (n <= 0) {
            return n;
        }
        const auto parts = cut(iov, count, static_cast<size_t>(n));
        return sfd_sys_linux.pwritev2(fd, parts.data(), static_cast<int>(parts.size()), offset,
                                      flags);
    };
    sys.sendmsg = [](int fd, const struct msghdr *message, int flags) {
        int64_t n = 0;
        script.send_flags = flags;
        if (!answer(script.sendmsg, &n)) {
            return sfd_sys_linux.sendmsg(fd, message, flags);
        }
        if (n <= 0) {
            return n;
        }
        auto parts =
            cut(message->msg_iov, static_cast<int>(message->msg_iovlen), static_cast<size_t>(n));
        struct msghdr shorter = *message;
        shorter.msg_iov = parts.data();
        shorter.msg_iovlen = parts.size();
        return sfd_sys_linux.sendmsg(fd, &shorter, flags);
    };
    return sys;
}

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
        output_.reset();
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
    struct sfd_move toFile(int flags = O_RDWR)
    {
        output_ = openFile(*directory_ / "output", flags | O_CREAT);
        return to(output_.get(), SFD_FD_REGULAR);
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
    OwnedFd output_;
    std::string buffer_;
    std::unique_ptr<Pipe> pipe_;
    std::unique_ptr<SocketPair> pair_;
};

#define EXPECT_PROGRESS(expected_moved, expected_step, expected_error, progress)                   \
    do {                                                                                           \
        const struct sfd_progress p_ = (progress);                                                 \
        EXPECT_EQ(static_cast<uint64_t>(expected_moved), p_.moved);                                \
        EXPECT_EQ(expected_step, p_.step);                                                         \
        EXPECT_EQ(expected_error, p_.error);                                                       \
    } while (0)

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

TEST_F(MoverTest, ShouldCopyToARegularFileAtItsPosition)
{
    const struct sfd_move move = toFile();
    ASSERT_EQ(3, write(output_.get(), "abc", 3));
    enum sfd_technique technique = SFD_TECHNIQUE_COPY_FILE_RANGE;
    EXPECT_PROGRESS(40000, SFD_STEP_MORE, 0, sfd_mover_copy(&move, &technique, 1000, 40000));
    EXPECT_BYTES("abc" + content_.substr(1000, 40000), contentOf(*directory_ / "output"));
    EXPECT_EQ(40003, lseek(output_.get(), 0, SEEK_CUR));
}

TEST_F(MoverTest, ShouldFallBackToSendfileAndRememberIt)
{
    for (const int64_t error : {-EXDEV, -EINVAL, -EBADF, -EOPNOTSUPP, -ENOSYS, 0}) {
        SCOPED_TRACE(error);
        const struct sfd_move move = toFile(O_RDWR | O_TRUNC);
        enum sfd_technique technique = SFD_TECHNIQUE_COPY_FILE_RANGE;
        script.copy_file_range = {error};
        EXPECT_PROGRESS(SIZE, SFD_STEP_MORE, 0, sfd_mover_copy(&move, &technique, 0, SIZE));
        EXPECT_EQ(SFD_TECHNIQUE_SENDFILE, technique);
        EXPECT_BYTES(content_, contentOf(*directory_ / "output"));
    }
}

TEST_F(MoverTest, ShouldFallBackToReadWriteInMidFile)
{
    const struct sfd_move move = toFile();
    enum sfd_technique technique = SFD_TECHNIQUE_COPY_FILE_RANGE;
    script.copy_file_range = {1000, -EXDEV};
    script.sendfile = {2000, -EINVAL};
    script.preadv2 = {7, 5000};
    script.pwritev2 = {3, 1, 3, 4000};
    EXPECT_PROGRESS(SIZE, SFD_STEP_MORE, 0, sfd_mover_copy(&move, &technique, 0, SIZE));
    EXPECT_EQ(SFD_TECHNIQUE_READ_WRITE, technique);
    EXPECT_BYTES(content_, contentOf(*directory_ / "output"));
}

TEST_F(MoverTest, ShouldAppendToAFileThatWasOpenedForAppending)
{
    writeFile(*directory_ / "output", "before ");
    const struct sfd_move move = toFile(O_WRONLY | O_APPEND);
    enum sfd_technique technique = SFD_TECHNIQUE_COPY_FILE_RANGE;
    EXPECT_PROGRESS(SIZE, SFD_STEP_MORE, 0, sfd_mover_copy(&move, &technique, 0, SIZE));
    EXPECT_BYTES("before " + content_, contentOf(*directory_ / "output"));
}

TEST_F(MoverTest, ShouldCopyToAMemoryFile)
{
    output_.reset(memfd_create("test", MFD_CLOEXEC));
    const struct sfd_move move = to(output_.get(), SFD_FD_REGULAR);
    enum sfd_technique technique = SFD_TECHNIQUE_COPY_FILE_RANGE;
    EXPECT_PROGRESS(SIZE, SFD_STEP_MORE, 0, sfd_mover_copy(&move, &technique, 0, SIZE));
    ASSERT_EQ(0, lseek(output_.get(), 0, SEEK_SET));
    EXPECT_BYTES(content_, readExactly(output_.get(), SIZE + 1));
}

TEST_F(MoverTest, ShouldReportWhatWasCopiedBesideAFullDisk)
{
    const struct sfd_move move = toFile();
    enum sfd_technique technique = SFD_TECHNIQUE_COPY_FILE_RANGE;
    script.copy_file_range = {1000, -ENOSPC};
    EXPECT_PROGRESS(1000, SFD_STEP_FAILED, -ENOSPC, sfd_mover_copy(&move, &technique, 0, SIZE));
    EXPECT_EQ(SFD_TECHNIQUE_COPY_FILE_RANGE, technique) << "a full disk is no reason to change";

    technique = SFD_TECHNIQUE_READ_WRITE;
    script.pwritev2 = {500, -ENOSPC};
    EXPECT_PROGRESS(500, SFD_STEP_FAILED, -ENOSPC, sfd_mover_copy(&move, &technique, 0, SIZE));
    script.pwritev2 = {0};
    // Not a write of nothing, again and again.
    EXPECT_PROGRESS(0, SFD_STEP_FAILED, -ENOSPC, sfd_mover_copy(&move, &technique, 0, SIZE));
}

TEST_F(MoverTest, ShouldReportTruncationWhileCopying)
{
    const struct sfd_move move = toFile();
    ASSERT_EQ(0, truncate((*directory_ / "file").c_str(), 10000));
    for (const auto first :
         {SFD_TECHNIQUE_COPY_FILE_RANGE, SFD_TECHNIQUE_SENDFILE, SFD_TECHNIQUE_READ_WRITE}) {
        SCOPED_TRACE(sfd_technique_name(first));
        enum sfd_technique technique = first;
        EXPECT_PROGRESS(10000, SFD_STEP_FAILED, -ENODATA,
                        sfd_mover_copy(&move, &technique, 0, SIZE));
    }
}

TEST_F(MoverTest, ShouldFailWhenNoTechniqueIsLeft)
{
    const struct sfd_move move = toFile();
    enum sfd_technique technique = SFD_TECHNIQUE_COPY_FILE_RANGE;
    script.copy_file_range = {-EPERM};
    script.sendfile = {-EPERM};
    script.pwritev2 = {-EPERM};
    EXPECT_PROGRESS(0, SFD_STEP_FAILED, -EPERM, sfd_mover_copy(&move, &technique, 0, SIZE));
}

} // namespace
