// Movers: what is special about mappings, devices and the packets of TCP.
#include "mover_fixture.h"

#include <linux/tcp.h>
#include <netinet/in.h>

namespace
{

using MoverSpecialTest = MoverFixture;

// ------------------------------------------------------------------ mmap

TEST_F(MoverSpecialTest, ShouldMapFromAnyOffset)
{
    for (const uint64_t offset : {uint64_t{0}, uint64_t{1}, uint64_t{4095}, uint64_t{4096}, SIZE - 1}) {
        SCOPED_TRACE(offset);
        const struct sfd_move move = toPipe();
        const uint64_t length = std::min<uint64_t>(SIZE - offset, 9000);
        EXPECT_PROGRESS(length, SFD_STEP_MORE, 0, sfd_mover_step(&move, SFD_TECHNIQUE_MMAP, offset, length));
        EXPECT_BYTES(content_.substr(offset, length), drain(pipe_->in.get()));
    }
}

TEST_F(MoverSpecialTest, ShouldSendNoZerosFromBehindTheEndOfAMappedFile)
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

TEST_F(MoverSpecialTest, ShouldReportTruncationOfAFileThatIsMapped) // a load would raise SIGBUS
{
    shrinkWhenMapped(&sys_, *directory_ / "file", 8192);
    for (const bool socket : {false, true}) {
        writeFile(*directory_ / "file", content_);
        const struct sfd_move move = socket ? toSocket() : toPipe();
        EXPECT_PROGRESS(8192, SFD_STEP_FAILED, -ENODATA, stepAll(&move, SFD_TECHNIQUE_MMAP, 0, SIZE));
        EXPECT_BYTES(content_.substr(0, 8192), drain(socket ? pair_->in.get() : pipe_->in.get()));
    }
}

TEST_F(MoverSpecialTest, ShouldNotCallAMappedFileSentThatShrankInItsLastPage)
{
    shrinkWhenMapped(&sys_, *directory_ / "file", SIZE - 1);
    const struct sfd_move move = toPipe();
    const struct sfd_progress p = sfd_mover_step(&move, SFD_TECHNIQUE_MMAP, SIZE - 100, 100);
    EXPECT_EQ(SFD_STEP_FAILED, p.step) << "a zero has gone out where the last byte was";
    EXPECT_EQ(-ENODATA, p.error);
}

TEST_F(MoverSpecialTest, ShouldTellAnErrorOfTheDiskFromAShrunkMapping)
{
    script.send = {1000, -EFAULT};
    const struct sfd_move move = toSocket();
    EXPECT_PROGRESS(1000, SFD_STEP_FAILED, -EIO, sfd_mover_step(&move, SFD_TECHNIQUE_MMAP, 0, SIZE));
}

TEST_F(MoverSpecialTest, ShouldReportAFileThatCannotBeMapped)
{
    sys_.mmap = [](size_t, int, int, int, uint64_t, void **) { return -ENODEV; };
    const struct sfd_move move = toPipe();
    EXPECT_PROGRESS(0, SFD_STEP_FAILED, -ENODEV, sfd_mover_step(&move, SFD_TECHNIQUE_MMAP, 0, SIZE));
}

TEST_F(MoverSpecialTest, ShouldEndEveryMapping)
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

TEST_F(MoverSpecialTest, ShouldMoveToADeviceThatTakesAll)
{
    const OwnedFd null = openFile("/dev/null", O_WRONLY);
    const struct sfd_move move = to(null.get(), SFD_FD_CHAR);
    for (const auto technique : {SFD_TECHNIQUE_SENDFILE, SFD_TECHNIQUE_MMAP, SFD_TECHNIQUE_READ_WRITE}) {
        SCOPED_TRACE(sfd_technique_name(technique));
        EXPECT_PROGRESS(SIZE, SFD_STEP_MORE, 0, stepAll(&move, technique, 0, SIZE));
        ASSERT_EQ(0, truncate((*directory_ / "file").c_str(), 10001));
        EXPECT_PROGRESS(10001, SFD_STEP_FAILED, -ENODATA, stepAll(&move, technique, 0, SIZE));
        writeFile(*directory_ / "file", content_);
    }
}

TEST_F(MoverSpecialTest, ShouldNotWaitForADeviceAfterASignal)
{
    const OwnedFd null = openFile("/dev/null", O_WRONLY);
    const struct sfd_move move = to(null.get(), SFD_FD_CHAR);
    script.sendfile = {-EINTR}; // epoll would refuse to wait for /dev/null
    EXPECT_PROGRESS(0, SFD_STEP_MORE, 0, sfd_mover_step(&move, SFD_TECHNIQUE_SENDFILE, 0, SIZE));
}

TEST_F(MoverSpecialTest, ShouldTellThatADeviceIsFull)
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

TEST_F(MoverSpecialTest, ShouldHoldAPacketBackOnlyWhileBytesFollow)
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
    script.send = {INT64_MAX, -EIO};
    EXPECT_PROGRESS(16384, SFD_STEP_FAILED, -EIO, sfd_mover_step(&move, SFD_TECHNIQUE_READ_WRITE, 0, 16384 * 2));
    EXPECT_EQ(0, script.send_flags & MSG_MORE);
    script.send = {-EIO};
    EXPECT_PROGRESS(0, SFD_STEP_FAILED, -EIO, sfd_mover_step(&move, SFD_TECHNIQUE_READ_WRITE, 0, 16384 * 2));
    EXPECT_NE(0, script.send_flags & MSG_MORE);
}

TEST_F(MoverSpecialTest, ShouldSendAHeaderAndASmallBodyInOnePacket)
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
                ASSERT_EQ(0, setsockopt(pair_->out.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)));
                struct sfd_move move = to(pair_->out.get(), SFD_FD_TCP);
                move.more = more;
                EXPECT_PROGRESS(1000, SFD_STEP_MORE, 0, sfd_mover_step(&move, technique, 0, 1000));
                ASSERT_EQ(7, send(pair_->out.get(), "trailer", 7, 0)); // the client's
                EXPECT_BYTES(content_.substr(0, 1000) + "trailer", readExactly(pair_->in.get(), 1007));
                (more ? together : apart) = segments(pair_->out.get());
            }
        }
        EXPECT_EQ(1u, together);
        EXPECT_EQ(2u, apart);
    }
}

TEST_F(MoverSpecialTest, ShouldPushOutAHeaderThatItsClientHeldBackWithTheBody)
{
    for (const auto technique : {SFD_TECHNIQUE_SENDFILE, SFD_TECHNIQUE_MMAP, SFD_TECHNIQUE_READ_WRITE}) {
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

TEST_F(MoverSpecialTest, ShouldTellNobodyButTcpThatMoreFollows)
{
    struct sfd_move move = toSocket();
    move.more = true;
    sfd_mover_step(&move, SFD_TECHNIQUE_READ_WRITE, 0, 1000);
    EXPECT_EQ(MSG_DONTWAIT | MSG_NOSIGNAL, script.send_flags);
}

} // namespace
