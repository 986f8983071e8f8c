// Transfers to every type of destination, by what auto takes for it, and what a client may change meanwhile.
#include "transfer_fixture.h"

#include <sys/mman.h>

#include "pty.h"

namespace
{

constexpr size_t SMALL = 1000;

class TransferDestinationTest : public TransferFixture
{
  protected:
    void SetUp() override
    {
        TransferFixture::SetUp();
        learnDevice();
    }
    void TearDown() override
    {
        other_.reset();
        TransferFixture::TearDown();
    }

    void send(int dest)
    {
        begin(SFD_WIRE_SEND_FILE, dest);
        finish();
    }
    /* Nothing is known of the file system any more; it turns out to be that one. */
    void onMedium(uint64_t fs_type)
    {
        script.fs_type = fs_type;
        sfd_devices_deinit(&devices_);
        sfd_devices_init(&devices_);
    }
    int device(const char *name)
    {
        other_ = openFile(name, O_WRONLY);
        return take(other_);
    }

    OwnedFd other_;
};

TEST_F(TransferDestinationTest, ShouldSendToADeviceThatTakesAll)
{
    for (const char *name : {"/dev/null", "/dev/zero"}) {
        for (const size_t size : {size_t{0}, SMALL, BIG}) {
            file(size);
            send(device(name));
            expectSent(size);
            again();
        }
    }
}

TEST_F(TransferDestinationTest, ShouldTellThatADeviceIsFull)
{
    for (const size_t size : {SMALL, BIG}) {
        file(size);
        send(device("/dev/full"));
        EXPECT_EQ("error 129 " + std::to_string(ENOSPC), told().back());
        EXPECT_TRUE(clientSeesEnd());
        again();
    }
}

TEST_F(TransferDestinationTest, ShouldSendEveryByteToATerminal)
{
    Pty pty;
    for (const size_t size : {SMALL, size_t{100000}}) {
        file(size);
        begin(SFD_WIRE_SEND_FILE, fcntl(pty.line.get(), F_DUPFD_CLOEXEC, 0));
        std::string shown;
        for (int i = 0; i < 100000 && next_ != SFD_NEXT_END; i++) {
            collect();
            if (next_ == SFD_NEXT_DEST) {
                ASSERT_TRUE(await([&] {
                    shown += drain(pty.master.get());
                    return sfd_sys_wait_writable(t_->destination.fd, 0) == 1;
                }));
            }
            run();
        }
        shown += readExactly(pty.master.get(), size - shown.size());
        EXPECT_BYTES(content_, shown);
        expectSent(size);
        EXPECT_EQ(0, fcntl(pty.line.get(), F_GETFL) & O_NONBLOCK) << "the flag is the client's";
        again();
    }
}

TEST_F(TransferDestinationTest, ShouldRefuseAPtysMaster)
{
    file(SMALL);
    Pty pty;
    send(take(pty.master));
    EXPECT_EQ(Messages{"error 129 " + std::to_string(EOPNOTSUPP)}, told());
}

TEST_F(TransferDestinationTest, ShouldStayWithReadAndWriteOnceASocketHasBlocked) // D18, R5
{
    file(BIG);
    SocketPair pair;
    OwnedFd client(dup(pair.out.get()));
    const int flags = fcntl(client.get(), F_GETFL);
    begin(SFD_WIRE_SEND_FILE, toPair(std::move(pair), true));
    while (next_ == SFD_NEXT_AGAIN) {
        run();
    }
    ASSERT_EQ(SFD_NEXT_DEST, next_);
    EXPECT_GT(script.sendfiles, 0);
    script.sendfiles = 0;
    ASSERT_EQ(0, fcntl(client.get(), F_SETFL, flags & ~O_NONBLOCK));
    collect();
    run();
    ASSERT_EQ(0, fcntl(client.get(), F_SETFL, flags | O_NONBLOCK));
    client.reset();
    finish();
    EXPECT_EQ(0, script.sendfiles);
    EXPECT_BYTES(content_, data_);
    expectSent(BIG);
    EXPECT_EQ(SFD_TECHNIQUE_READ_WRITE, t_->technique) << "the result tells what moved the bytes";
}

TEST_F(TransferDestinationTest, ShouldSendToASocketThatAppends) // sendfile(2) says EINVAL to it
{
    for (const bool late : {false, true}) {
        file(BIG);
        SocketPair pair;
        OwnedFd client(dup(pair.out.get()));
        setNonblocking(client.get());
        const auto append = [&client] { ASSERT_EQ(0, fcntl(client.get(), F_SETFL, O_NONBLOCK | O_APPEND)); };
        if (!late) {
            append();
        }
        begin(SFD_WIRE_SEND_FILE, toPair(std::move(pair), false));
        append();
        client.reset();
        finish();
        EXPECT_BYTES(content_, data_);
        expectSent(BIG);
        again();
    }
}

TEST_F(TransferDestinationTest, ShouldNotCopyAFileOverItself)
{
    file(BIG);
    output_ = openFile(*directory_ / "file", O_RDWR);
    send(take(output_));
    EXPECT_EQ("error 130 " + std::to_string(EINVAL), told().back());
    EXPECT_BYTES(content_, contentOf(*directory_ / "file"));
}

TEST_F(TransferDestinationTest, ShouldKeepTheHolesOfAFile)
{
    content_.assign(3 * BIG, '\0');
    content_ += "end";
    OwnedFd sparse = openFile(*directory_ / "file", O_RDWR | O_CREAT);
    ASSERT_EQ(3, pwrite(sparse.get(), "end", 3, 3 * BIG));
    sparse.reset();
    send(toFile());
    expectSent(3 * BIG + 3);
    EXPECT_BYTES(content_, contentOf(*directory_ / "output"));
    struct stat st = {};
    ASSERT_EQ(0, stat((*directory_ / "output").c_str(), &st));
    EXPECT_LT(st.st_blocks * 512, static_cast<blkcnt_t>(BIG));
}

// ------------------------------------------------------------------ records and packets

TEST_F(TransferDestinationTest, ShouldSendRecordsThatNoSendBufferIsTooSmallFor)
{
    static std::vector<size_t> records;
    sys_.send = [](int fd, const void *bytes, size_t length, int how) {
        const int64_t sent = sfd_sys_linux.send(fd, bytes, length, how);
        if (sent >= 0) {
            records.push_back(static_cast<size_t>(sent));
        }
        return sent;
    };
    for (const uint8_t technique : {SFD_TECHNIQUE_AUTO, SFD_TECHNIQUE_READ_WRITE, SFD_TECHNIQUE_MMAP}) {
        for (const uint64_t warm_until : {UINT64_MAX, uint64_t{0}}) {
            for (const bool smallest : {false, true}) {
                SCOPED_TRACE(testing::Message() << int{technique} << ' ' << warm_until << ' ' << smallest);
                records.clear();
                file(BIG + 1);
                script.warm_until = warm_until;
                options_.technique = technique;
                SocketPair pair(SOCK_SEQPACKET);
                const int none = 1; // the kernel makes it its least
                if (smallest) {
                    ASSERT_EQ(0, setsockopt(pair.out.get(), SOL_SOCKET, SO_SNDBUF, &none, sizeof(none)));
                }
                send(toPair(std::move(pair), false));
                EXPECT_BYTES(content_, data_);
                expectSent(BIG + 1);
                ASSERT_EQ((BIG + 1 + 4095) / 4096, records.size());
                const size_t last = records.back();
                records.pop_back();
                EXPECT_EQ(std::vector<size_t>(records.size(), 4096), records);
                EXPECT_EQ((BIG + 1) % 4096, last);
                again();
            }
        }
    }
}

TEST_F(TransferDestinationTest, ShouldSendNoRecordForAnEmptyFile)
{
    file(0);
    SocketPair pair(SOCK_SEQPACKET);
    OwnedFd client(dup(pair.out.get()));
    ASSERT_EQ(SFD_NEXT_END, begin(SFD_WIRE_SEND_FILE, toPair(std::move(pair), false)));
    expectSent(0);
    char byte;
    EXPECT_EQ(-1, recv(pair_->in.get(), &byte, 1, MSG_DONTWAIT)) << "an empty record would look like the end";
    EXPECT_EQ(EAGAIN, errno);
}

TEST_F(TransferDestinationTest, ShouldTellThatTheReceiverOfRecordsIsGone)
{
    file(BIG);
    SocketPair pair(SOCK_SEQPACKET);
    ASSERT_EQ(SFD_NEXT_DEST, begin(SFD_WIRE_SEND_FILE, toPair(std::move(pair), true)));
    drain(pair_->in.get());
    pair_.reset();
    run();
    EXPECT_EQ(SFD_NEXT_END, next_);
    EXPECT_EQ("error 130 " + std::to_string(EPIPE), told().back());
}

TEST_F(TransferDestinationTest, ShouldRefuseASeqpacketSocketASendfile)
{
    file(BIG);
    options_.technique = SFD_TECHNIQUE_SENDFILE;
    EXPECT_EQ(SFD_NEXT_END, begin(SFD_WIRE_SEND_FILE, toPair(SocketPair(SOCK_SEQPACKET), true)));
    EXPECT_EQ("error 129 " + std::to_string(EOPNOTSUPP), told().back());
}

TEST_F(TransferDestinationTest, ShouldHoldTheLastPacketBackOnlyIfTheClientHasMore)
{
    static std::vector<int> flags;
    sys_.send = [](int fd, const void *bytes, size_t length, int how) {
        flags.push_back(how & MSG_MORE);
        return sfd_sys_linux.send(fd, bytes, length, how);
    };
    for (const uint8_t technique : {SFD_TECHNIQUE_READ_WRITE, SFD_TECHNIQUE_MMAP}) {
        for (const uint64_t warm_until : {UINT64_MAX, uint64_t{0}}) {
            for (const bool more : {false, true}) {
                flags.clear();
                file(BIG);
                script.warm_until = warm_until;
                options_.technique = technique;
                options_.flags = more ? SFD_OPTION_MORE : 0;
                send(toPair(tcpPair(), true));
                EXPECT_BYTES(content_, data_);
                ASSERT_GT(flags.size(), 1u);
                EXPECT_EQ(MSG_MORE, flags.front()) << "the rest of the file follows";
                EXPECT_EQ(more ? MSG_MORE : 0, flags.back());
                again();
            }
        }
    }
}

TEST_F(TransferDestinationTest, ShouldSayThatMoreFollowsMemoryOfTheDiskPoolToo)
{
    static std::vector<int> flags;
    sys_.send = [](int fd, const void *bytes, size_t length, int how) {
        flags.push_back(how & MSG_MORE);
        return sfd_sys_linux.send(fd, bytes, length, how);
    };
    onMedium(0x6969); // NFS
    flags.clear();
    file(BIG);
    send(toPair(tcpPair(), true));
    EXPECT_BYTES(content_, data_);
    ASSERT_GT(flags.size(), 1u);
    EXPECT_EQ(MSG_MORE, flags.front());
    EXPECT_EQ(0, flags.back());
}

TEST_F(TransferDestinationTest, ShouldSayThatItReadAndWroteWhereNoPageStays)
{
    onMedium(FUSE_MAGIC);
    file(BIG);
    script.warm_until = 0;
    script.keeps_nothing = true;
    options_.technique = SFD_TECHNIQUE_SENDFILE;
    send(toPair(SocketPair(), true));
    EXPECT_BYTES(content_, data_);
    expectSent(BIG);
    EXPECT_EQ(SFD_TECHNIQUE_READ_WRITE, t_->technique);
}

TEST_F(TransferDestinationTest, ShouldCopyFromAServersFileOnAThreadOfThatServer)
{
    for (const uint64_t medium : {FUSE_MAGIC, uint64_t{0x6969}}) {
        onMedium(medium);
        file(BIG);
        ASSERT_EQ(SFD_NEXT_POOL, begin(SFD_WIRE_SEND_FILE, memfd_create("output", MFD_CLOEXEC)));
        workAndRun(); // the open
        ASSERT_EQ(SFD_NEXT_POOL, next_);
        EXPECT_NE(t_->source.device, t_->destination.device);
        EXPECT_EQ(SFD_QUEUE_DEVICES + t_->source.device, t_->task.queue);
        finish();
        expectSent(BIG);
        again();
    }
}

TEST_F(TransferDestinationTest, ShouldCopyFromALocalFileOnAThreadOfTheDestination)
{
    file(BIG);
    ASSERT_EQ(SFD_NEXT_POOL, begin(SFD_WIRE_SEND_FILE, memfd_create("output", MFD_CLOEXEC)));
    EXPECT_EQ(SFD_QUEUE_DEVICES + t_->destination.device, t_->task.queue);
    finish();
    expectSent(BIG);
}

// ------------------------------------------------------------------ forced techniques

class ForcedTest : public TransferDestinationTest, public testing::WithParamInterface<enum sfd_technique>
{
  protected:
    void SetUp() override
    {
        TransferDestinationTest::SetUp();
        options_.technique = static_cast<uint8_t>(GetParam());
    }
    /* A destination that the technique fits and that tells what it got. */
    int dest()
    {
        switch (GetParam()) {
        case SFD_TECHNIQUE_SPLICE:
            return toPipe();
        case SFD_TECHNIQUE_COPY_FILE_RANGE:
            return toFile(O_RDWR | O_TRUNC);
        default:
            return toPair(SocketPair(), true);
        }
    }
    std::string received()
    {
        return GetParam() == SFD_TECHNIQUE_COPY_FILE_RANGE ? contentOf(*directory_ / "output") : data_;
    }
};

INSTANTIATE_TEST_SUITE_P(Techniques, ForcedTest,
                         testing::Values(SFD_TECHNIQUE_SENDFILE, SFD_TECHNIQUE_SPLICE, SFD_TECHNIQUE_MMAP,
                                         SFD_TECHNIQUE_READ_WRITE, SFD_TECHNIQUE_COPY_FILE_RANGE),
                         [](const auto &instance) {
                             std::string name = sfd_technique_name(instance.param);
                             name.erase(std::remove(name.begin(), name.end(), '-'), name.end());
                             return name;
                         });

TEST_P(ForcedTest, ShouldMoveColdFilesAsWarmOnes)
{
    for (const uint64_t warm_until : {UINT64_MAX, uint64_t{100000}, uint64_t{0}}) {
        file(BIG);
        script.warm_until = warm_until;
        send(dest());
        EXPECT_BYTES(content_, received());
        expectSent(BIG);
        EXPECT_EQ(GetParam(), t_->technique);
        again();
    }
}

TEST_P(ForcedTest, ShouldEndWithTheBytesThatWereThereWhenTheFileShrinks) // D4
{
    constexpr off_t LEFT = 300001; // inside a page, behind the first quantum
    for (const uint64_t warm_until : {UINT64_MAX, uint64_t{0}}) {
        file(BIG);
        script.warm_until = warm_until;
        begin(SFD_WIRE_SEND_FILE, dest());
        ASSERT_EQ(0, truncate((*directory_ / "file").c_str(), LEFT));
        finish();
        // What had gone out before it shrank is more, with a socket that takes it.
        const std::string got = received();
        EXPECT_GE(got.size(), static_cast<size_t>(LEFT));
        EXPECT_BYTES(content_.substr(0, got.size()), got);
        EXPECT_EQ("error 130 " + std::to_string(ENODATA), told().back());
        again();
    }
}

TEST_P(ForcedTest, ShouldMoveTheRangeOnlyWhenTheFileGrows)
{
    file(BIG);
    begin(SFD_WIRE_SEND_FILE, dest());
    const OwnedFd grown = openFile(*directory_ / "file", O_WRONLY | O_APPEND);
    ASSERT_EQ(4, write(grown.get(), "more", 4));
    finish();
    EXPECT_BYTES(content_, received());
    expectSent(BIG);
}

// ------------------------------------------------------------------ the client's own source

TEST_F(TransferDestinationTest, ShouldEndWhenItsClientTurnsTheSourceDirect)
{
    file(BIG);
    source_ = openFile(*directory_ / "file", O_RDONLY);
    const OwnedFd client(dup(source_.get()));
    begin(SFD_WIRE_SEND_FILE, toPipe());
    ASSERT_EQ(SFD_NEXT_DEST, next_);
    if (fcntl(client.get(), F_SETFL, O_DIRECT) < 0) {
        sfd_transfer_cancel(context_.get(), t_.get());
        GTEST_SKIP() << "this file system knows no O_DIRECT";
    }
    finish();
    EXPECT_EQ("error 130 " + std::to_string(EINVAL), told().back());
    EXPECT_BYTES(content_.substr(0, data_.size()), data_);
}

TEST_F(TransferDestinationTest, ShouldSendASourceThatWasOpenedDirect)
{
    file(BIG);
    source_.reset(open((*directory_ / "file").c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC));
    if (source_.get() < 0) {
        GTEST_SKIP() << "this file system knows no O_DIRECT";
    }
    begin(SFD_WIRE_SEND_FILE, toPipe(), 1, BIG - 2);
    EXPECT_EQ(SFD_NEXT_POOL, next_) << "to open it once more may wait";
    finish();
    EXPECT_BYTES(content_.substr(1, BIG - 2), data_);
    expectSent(BIG - 2);
}

TEST_F(TransferDestinationTest, ShouldKeepTheHolesOfASourceWithoutMovingItsPosition)
{
    content_.assign(BIG, '\0');
    content_ += "end";
    source_ = openFile(*directory_ / "file", O_RDWR | O_CREAT | O_TRUNC);
    ASSERT_EQ(3, pwrite(source_.get(), "end", 3, BIG));
    const OwnedFd client(dup(source_.get()));
    ASSERT_EQ(17, lseek(client.get(), 17, SEEK_SET));
    send(toFile());
    expectSent(BIG + 3);
    EXPECT_BYTES(content_, contentOf(*directory_ / "output"));
    EXPECT_EQ(17, lseek(client.get(), 0, SEEK_CUR));
    struct stat st = {};
    ASSERT_EQ(0, stat((*directory_ / "output").c_str(), &st));
    EXPECT_LT(st.st_blocks * 512, static_cast<blkcnt_t>(BIG));
}

} // namespace
