// Transfers to every type of destination, by what auto takes for it, and what a client may change meanwhile.
#include "transfer_fixture.h"

#include "pty.h"

namespace
{

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
    int device(const char *name)
    {
        other_ = openFile(name, O_WRONLY);
        return take(other_);
    }

    OwnedFd other_;
};

constexpr size_t SMALL = 1000;

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
                    return sfd_sys_wait_writable(t_->dest, 0) == 1;
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
        const auto append = [&client] {
            ASSERT_EQ(0, fcntl(client.get(), F_SETFL, O_NONBLOCK | O_APPEND));
        };
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

} // namespace
