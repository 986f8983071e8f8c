// One transfer: what its client sees, what it asks of the loop, and what the disk pool does for it.
#include "transfer_fixture.h"

namespace
{

/* ------------------------------------------------------------------ every medium, every kernel */

struct World {
    const char *name;
    uint64_t fs_type;
    bool warm;
    bool nowait_pipes;
    bool keeps_nothing;
};

class TransferWorldTest : public TransferFixture, public testing::WithParamInterface<World>
{
  protected:
    static constexpr size_t SIZES[] = {0, 1, 4095, 4096, 4097, 32768, 32769, 65535, 65536, 65537, BIG};

    void SetUp() override
    {
        TransferFixture::SetUp();
        world();
    }
    void world()
    {
        script.fs_type = GetParam().fs_type;
        script.warm_until = GetParam().warm ? UINT64_MAX : 0;
        script.keeps_nothing = GetParam().keeps_nothing;
        if (!GetParam().nowait_pipes) {
            pipesWithoutNowait();
        } else if (context_->kernel.pipe_write_flags == 0) {
            GTEST_SKIP() << "this kernel's pipes do not know RWF_NOWAIT";
        }
    }
    void forEachSize(const std::function<void(size_t)> &body)
    {
        for (const size_t size : SIZES) {
            SCOPED_TRACE(size);
            again();
            world();
            file(size);
            body(size);
        }
    }
    void send(int dest)
    {
        begin(SFD_WIRE_SEND_FILE, dest);
        finish();
    }
};

TEST_P(TransferWorldTest, ShouldReadEveryByteOfAFile)
{
    forEachSize([this](size_t size) {
        begin(SFD_WIRE_READ_FILE);
        finish();
        EXPECT_EQ(size, infoOf(status_bytes_).size);
        EXPECT_BYTES(content_, readBytes());
        EXPECT_TRUE(clientSeesEnd());
        EXPECT_EQ(1u, count(SFD_COUNTER_COMPLETED));
    });
}

TEST_P(TransferWorldTest, ShouldSendEveryByteToAPipe)
{
    forEachSize([this](size_t size) {
        send(toPipe());
        EXPECT_BYTES(content_, data_);
        EXPECT_TRUE(atEnd(pipe_->in.get()));
        expectSent(size);
    });
}

TEST_P(TransferWorldTest, ShouldSendEveryByteToAUnixSocket)
{
    forEachSize([this](size_t size) {
        send(toPair(SocketPair(), true));
        EXPECT_BYTES(content_, data_);
        expectSent(size);
    });
}

TEST_P(TransferWorldTest, ShouldSendEveryByteToABlockingSocket) // D18
{
    forEachSize([this](size_t size) {
        send(toPair(SocketPair(), false));
        EXPECT_BYTES(content_, data_);
        expectSent(size);
        EXPECT_EQ(0, script.sendfiles) << "it would have blocked";
    });
}

TEST_P(TransferWorldTest, ShouldSendEveryByteToATcpSocket)
{
    forEachSize([this](size_t size) {
        send(toPair(tcpPair(), true));
        EXPECT_BYTES(content_, data_);
        expectSent(size);
    });
}

TEST_P(TransferWorldTest, ShouldSendEveryByteToARegularFile) // D9
{
    forEachSize([this](size_t size) {
        send(toFile(O_WRONLY | O_TRUNC));
        EXPECT_BYTES(content_, contentOf(*directory_ / "output"));
        expectSent(size);
    });
}

TEST_P(TransferWorldTest, ShouldSendAnOpenedFile)
{
    forEachSize([this](size_t size) {
        begin(SFD_WIRE_OPEN_FILE);
        finish();
        ASSERT_EQ(SFD_NEXT_PARK, next_);
        EXPECT_EQ(Messages{"info " + std::to_string(size)}, told());
        next_ = sfd_transfer_send(context_.get(), t_.get(), toPair(SocketPair(), true));
        finish();
        EXPECT_BYTES(content_, data_);
        expectSent(size);
    });
}

TEST_P(TransferWorldTest, ShouldMoveARangeAndNothingElse)
{
    file(BIG);
    for (const uint64_t length : {uint64_t{1}, uint64_t{5000}, uint64_t{700000}}) {
        again();
        begin(SFD_WIRE_READ_FILE, -1, 4711, length);
        finish();
        EXPECT_EQ(length, infoOf(status_bytes_).size);
        EXPECT_BYTES(content_.substr(4711, length), readBytes());
        again();
        begin(SFD_WIRE_SEND_FILE, toPair(SocketPair(), true), 4711, length);
        finish();
        EXPECT_BYTES(content_.substr(4711, length), data_);
        expectSent(length);
    }
}

TEST_P(TransferWorldTest, ShouldMoveNothingFromTheEndOfAFile) // D6
{
    file(100);
    begin(SFD_WIRE_READ_FILE, -1, 100);
    finish();
    EXPECT_EQ(0u, infoOf(status_bytes_).size);
    EXPECT_EQ("", readBytes());
}

TEST_P(TransferWorldTest, ShouldServeAReaderThatTakesAByteAtATime)
{
    file(40000);
    begin(SFD_WIRE_READ_FILE);
    int rounds = 0;
    while (next_ != SFD_NEXT_END && rounds++ < 1000000) {
        if (next_ == SFD_NEXT_POOL) {
            work();
        }
        if (next_ == SFD_NEXT_DEST) {
            while (sfd_sys_wait_writable(t_->status.fd, 0) == 0) {
                status_bytes_ += drain(status_->in.get(), 1);
            }
        }
        run();
    }
    collect();
    EXPECT_BYTES(content_, readBytes());
}

INSTANTIATE_TEST_SUITE_P(Worlds, TransferWorldTest,
                         testing::Values(World{"Memory", TMPFS_MAGIC, true, true, false},
                                         World{"LocalWarm", EXT4_SUPER_MAGIC, true, true, false},
                                         World{"LocalCold", EXT4_SUPER_MAGIC, false, true, false},
                                         World{"LocalDirect", EXT4_SUPER_MAGIC, false, true, true},
                                         World{"Fuse", FUSE_MAGIC, false, true, false},
                                         World{"Locking", XFS_MAGIC, false, true, false},
                                         World{"Remote", NFS_SUPER_MAGIC, false, true, false},
                                         World{"FuseDirect", FUSE_MAGIC, false, true, true},
                                         World{"LocalWarmOldPipes", EXT4_SUPER_MAGIC, true, false, false},
                                         World{"FuseOldPipes", FUSE_MAGIC, false, false, false}),
                         [](const testing::TestParamInfo<World> &world) { return std::string(world.param.name); });

/* ------------------------------------------------------------------ refusals */

class TransferTest : public TransferFixture
{
  protected:
    void expectRefused(int error)
    {
        finish();
        EXPECT_EQ(SFD_NEXT_END, next_);
        EXPECT_EQ(Messages{"error 129 " + std::to_string(error)}, told());
        EXPECT_TRUE(clientSeesEnd());
        EXPECT_EQ(1u, count(SFD_COUNTER_REFUSED));
    }
    /* The transfer is told about its first bytes, and its destination is full. */
    void blockSendToPipe(size_t size = BIG)
    {
        learnDevice();
        file(size);
        const int dest = toPipe();
        ASSERT_EQ(SFD_NEXT_DEST, begin(SFD_WIRE_SEND_FILE, dest));
        filled_ = static_cast<size_t>(fcntl(pipe_->in.get(), F_GETPIPE_SZ));
        EXPECT_EQ((Messages{"info " + std::to_string(size), "progress " + std::to_string(filled_)}), told());
    }
    /* The client takes what is there, and as much again fills the destination. */
    void takeAndRun()
    {
        collect();
        EXPECT_EQ(SFD_NEXT_DEST, run());
    }

    size_t filled_ = 0; // bytes of a full destination
};

TEST_F(TransferTest, ShouldRefuseWithTheReasonOfTheOpen)
{
    file(10);
    begin(SFD_WIRE_READ_FILE, -1, 0, SFD_WIRE_TO_END, "missing");
    expectRefused(ENOENT);
    again();
    begin(SFD_WIRE_SEND_FILE, toPipe(), 0, SFD_WIRE_TO_END, "/");
    expectRefused(EINVAL);
    EXPECT_TRUE(atEnd(pipe_->in.get())) << "the destination is closed";
    again();
    begin(SFD_WIRE_OPEN_FILE, -1, 11, 0);
    expectRefused(ERANGE);
    again();
    begin(SFD_WIRE_OPEN_FILE, -1, 1, UINT64_MAX - 1); // D5
    expectRefused(ERANGE);
}

TEST_F(TransferTest, ShouldRefuseAlsoWhenTheLoopFoundOut)
{
    learnDevice();
    file(10);
    EXPECT_EQ(SFD_NEXT_END, begin(SFD_WIRE_READ_FILE, -1, 0, SFD_WIRE_TO_END, "missing"));
    EXPECT_EQ(Messages{"error 129 2"}, told());
    again();
    EXPECT_EQ(SFD_NEXT_END, begin(SFD_WIRE_READ_FILE, -1, 10, 1));
    EXPECT_EQ(Messages{"error 129 34"}, told());
    EXPECT_TRUE(clientSeesEnd());
}

TEST_F(TransferTest, ShouldRefuseDestinationsThatCannotTakeBytes)
{
    file(10);
    begin(SFD_WIRE_SEND_FILE, eventfd(0, EFD_CLOEXEC));
    expectRefused(EOPNOTSUPP);
    again();
    const SocketPair datagrams(SOCK_DGRAM);
    begin(SFD_WIRE_SEND_FILE, dup(datagrams.out.get())); // R7
    expectRefused(EOPNOTSUPP);
    again();
    const Pipe read_end;
    begin(SFD_WIRE_SEND_FILE, dup(read_end.in.get()));
    expectRefused(EBADF);
    again();
    begin(SFD_WIRE_SEND_FILE, toFile(O_RDONLY));
    expectRefused(EBADF);
}

TEST_F(TransferTest, ShouldRefuseAFileThatSomebodyHasLockedForWriting)
{
    file(1000);
    const OwnedFd writer = openFile(*directory_ / "file", O_RDWR);
    struct flock lock = {};
    lock.l_type = F_WRLCK;
    lock.l_start = 500;
    lock.l_len = 100;
    ASSERT_EQ(0, fcntl(writer.get(), F_OFD_SETLK, &lock));
    begin(SFD_WIRE_READ_FILE);
    expectRefused(EAGAIN);
    again();
    begin(SFD_WIRE_READ_FILE, -1, 0, 500);
    finish();
    EXPECT_BYTES(content_.substr(0, 500), readBytes()) << "a range beside the lock is free";
}

TEST_F(TransferTest, ShouldHoldAReadLockOnItsRangeAsLongAsItLasts) // D33
{
    learnDevice();
    file(1000);
    begin(SFD_WIRE_OPEN_FILE, -1, 100, 200);
    const OwnedFd writer = openFile(*directory_ / "file", O_RDWR);
    const auto locks = [&](off_t start, off_t length) {
        struct flock lock = {};
        lock.l_type = F_WRLCK;
        lock.l_start = start;
        lock.l_len = length;
        return fcntl(writer.get(), F_OFD_SETLK, &lock) == 0;
    };
    EXPECT_FALSE(locks(299, 1));
    EXPECT_TRUE(locks(300, 10));
    EXPECT_TRUE(locks(0, 100));
    const OwnedFd other = openFile(*directory_ / "file", O_RDONLY); // and closed
    EXPECT_FALSE(locks(100, 1));
    next_ = sfd_transfer_cancel(context_.get(), t_.get());
    EXPECT_TRUE(locks(0, 0));
}

TEST_F(TransferTest, ShouldLockASmallFileOnlyWhenItHasToWait)
{
    learnDevice();
    file(1000);
    const OwnedFd writer = openFile(*directory_ / "file", O_RDWR);
    struct flock lock = {};
    lock.l_type = F_WRLCK;
    EXPECT_EQ(SFD_NEXT_END, begin(SFD_WIRE_SEND_FILE, toPipe()));
    EXPECT_EQ(0, script.locks) << "served within the turn";
    again();

    const int dest = toPipe();
    const std::string full(static_cast<size_t>(fcntl(dest, F_GETPIPE_SZ)), 'x');
    ASSERT_EQ(static_cast<ssize_t>(full.size()), write(dest, full.data(), full.size()));
    ASSERT_EQ(SFD_NEXT_DEST, begin(SFD_WIRE_SEND_FILE, dest));
    EXPECT_EQ(-1, fcntl(writer.get(), F_OFD_SETLK, &lock));
    EXPECT_EQ(1, script.locks);
    collect();
    EXPECT_EQ(SFD_NEXT_END, run());
    EXPECT_EQ(0, fcntl(writer.get(), F_OFD_SETLK, &lock));
}

TEST_F(TransferTest, ShouldEndASmallTransferThatHasToWaitWhileSomebodyWrites)
{
    learnDevice();
    file(1000);
    const int dest = toPipe();
    const std::string full(static_cast<size_t>(fcntl(dest, F_GETPIPE_SZ)), 'x');
    ASSERT_EQ(static_cast<ssize_t>(full.size()), write(dest, full.data(), full.size()));
    script.late_lock_error = -EAGAIN;
    EXPECT_EQ(SFD_NEXT_END, begin(SFD_WIRE_SEND_FILE, dest));
    EXPECT_EQ(Messages{"error 129 " + std::to_string(EAGAIN)}, told());
}

TEST_F(TransferTest, ShouldServeFileSystemsThatKnowNoLocks)
{
    for (const int error : {-EINVAL, -EOPNOTSUPP, -ENOSYS}) {
        again();
        file(10);
        script.lock_error = error;
        begin(SFD_WIRE_READ_FILE);
        finish();
        EXPECT_BYTES(content_, readBytes());
    }
    again();
    script.lock_error = -ENOLCK;
    begin(SFD_WIRE_READ_FILE);
    expectRefused(ENOLCK);
}

/* ------------------------------------------------------------------ opening */

TEST_F(TransferTest, ShouldOpenInTheDiskPoolOnAFileSystemThatNobodyHasMet)
{
    file(100);
    EXPECT_EQ(SFD_NEXT_POOL, begin(SFD_WIRE_READ_FILE));
    EXPECT_EQ(SFD_QUEUE_DEVICES, t_->task.queue) << "the root's own";
    EXPECT_EQ(1u, count(SFD_COUNTER_COLD_OPENS));
    EXPECT_EQ(SFD_NEXT_END, workAndRun());
    again();
    EXPECT_EQ(SFD_NEXT_END, begin(SFD_WIRE_READ_FILE)) << "from then on inside the turn";
    EXPECT_EQ(0u, count(SFD_COUNTER_COLD_OPENS));
}

TEST_F(TransferTest, ShouldOpenNothingOfAServerOnTheLoopAlthoughTheCachesKnowThePath)
{
    script.fs_type = FUSE_MAGIC;
    learnDevice();
    file(100);
    rootIsLocal_ = false;
    script.opens = {-EIO}; // it would wait for the server, for as long as that likes
    EXPECT_EQ(SFD_NEXT_POOL, begin(SFD_WIRE_READ_FILE));
    EXPECT_EQ(SFD_QUEUE_DEVICES, t_->task.queue);
    script.opens.clear();
    finish();
    EXPECT_BYTES(content_, readBytes());
}

static int lookups; // of directories

TEST_F(TransferTest, ShouldLookUpTheDirectoryOfAColdOpenOnce)
{
    static int (*openat2)(int, const char *, const struct open_how *);
    openat2 = sys_.openat2;
    lookups = 0;
    sys_.openat2 = [](int dir, const char *path, const struct open_how *how) {
        lookups += (how->flags & O_PATH) != 0 ? 1 : 0;
        return openat2(dir, path, how);
    };
    script.fs_type = FUSE_MAGIC;
    learnDevice();
    rootIsLocal_ = false;
    content_ = pattern(100);
    std::filesystem::create_directory(*directory_ / "sub");
    writeFile(*directory_ / "sub/file", content_);
    begin(SFD_WIRE_READ_FILE, -1, 0, SFD_WIRE_TO_END, "sub/file");
    EXPECT_GE(t_->source.directory, 0);
    work();
    EXPECT_EQ(-1, t_->source.directory);
    EXPECT_EQ(1, lookups);
    run();
    finish();
    EXPECT_BYTES(content_, readBytes());
}

TEST_F(TransferTest, ShouldCloseTheDirectoryOfAnOpenThatNeverBegins)
{
    script.fs_type = FUSE_MAGIC;
    learnDevice();
    rootIsLocal_ = false;
    std::filesystem::create_directory(*directory_ / "sub");
    begin(SFD_WIRE_READ_FILE, -1, 0, SFD_WIRE_TO_END, "sub/file");
    EXPECT_GE(t_->source.directory, 0);
    EXPECT_EQ(SFD_NEXT_END, sfd_transfer_cancel(context_.get(), t_.get()));
    EXPECT_EQ(-1, t_->source.directory);
}

TEST_F(TransferTest, ShouldOpenOnTheLoopOnALocalDiskBelowARootOfAServer)
{
    learnDevice();
    file(100);
    rootIsLocal_ = false;
    EXPECT_EQ(SFD_NEXT_END, begin(SFD_WIRE_READ_FILE));
    finish();
    EXPECT_BYTES(content_, readBytes());
    EXPECT_EQ(0u, count(SFD_COUNTER_COLD_OPENS));
}

TEST_F(TransferTest, ShouldOpenOnTheCommonQueueWhatOnlyTheDiskCanPlace)
{
    learnDevice();
    context_->kernel.resolve_cached = false;
    EXPECT_EQ(SFD_NEXT_POOL, begin(SFD_WIRE_READ_FILE, -1, 0, SFD_WIRE_TO_END, "directory/file"));
    EXPECT_EQ(SFD_QUEUE_OPEN, t_->task.queue);
    finish();
    expectRefused(ENOENT);
}

TEST_F(TransferTest, ShouldOpenOnItsDisksQueueWhateverTheCachesHaveForgotten)
{
    learnDevice();
    std::filesystem::create_directory(*directory_ / "directory");
    script.opens = {-EAGAIN, -EAGAIN}; // the file, then its directory
    EXPECT_EQ(SFD_NEXT_POOL, begin(SFD_WIRE_READ_FILE, -1, 0, SFD_WIRE_TO_END, "directory/file"));
    EXPECT_EQ(SFD_QUEUE_DEVICES, t_->task.queue) << "the root's own";
    finish();
    expectRefused(ENOENT);
}

TEST_F(TransferTest, ShouldMoveToTheCommonQueueWhenALinkLeadsAwayFromTheDisk)
{
    learnDevice();
    file(100);
    std::filesystem::create_symlink("/file", *directory_ / "link");
    script.opens = {-EAGAIN};
    EXPECT_EQ(SFD_NEXT_POOL, begin(SFD_WIRE_READ_FILE, -1, 0, SFD_WIRE_TO_END, "link"));
    EXPECT_EQ(SFD_QUEUE_DEVICES, t_->task.queue) << "the root's own";
    EXPECT_EQ(SFD_NEXT_POOL, workAndRun());
    EXPECT_EQ(SFD_QUEUE_OPEN, t_->task.queue);
    EXPECT_EQ(1u, count(SFD_COUNTER_COLD_OPENS));
    finish();
    EXPECT_BYTES(content_, readBytes());
}

TEST_F(TransferTest, ShouldBeUrgentUntilItsFirstBytesAreThere)
{
    script.warm_until = 0;
    file(BIG);
    EXPECT_EQ(SFD_NEXT_POOL, begin(SFD_WIRE_SEND_FILE, toPipe()));
    EXPECT_TRUE(t_->task.urgent) << "the open";
    EXPECT_EQ(SFD_NEXT_POOL, workAndRun());
    EXPECT_TRUE(t_->task.urgent) << "the first window";
    while (next_ != SFD_NEXT_POOL || t_->range.offset == 0) {
        next_ == SFD_NEXT_POOL ? workAndRun() : run();
        collect();
    }
    EXPECT_FALSE(t_->task.urgent);
    finish();
    EXPECT_BYTES(content_, data_);
}

TEST_F(TransferTest, ShouldBeUrgentWhenItCopiesASmallFileOnly)
{
    learnDevice();
    for (const size_t size : {size_t{100}, BIG}) {
        again();
        file(size);
        EXPECT_EQ(SFD_NEXT_POOL, begin(SFD_WIRE_SEND_FILE, toFile(O_WRONLY | O_TRUNC)));
        EXPECT_EQ(size < BIG, t_->task.urgent);
        finish();
        EXPECT_BYTES(content_, contentOf(*directory_ / "output"));
    }
}

TEST_F(TransferTest, ShouldOpenInTheDiskPoolWhatIsNotInTheCache)
{
    learnDevice();
    file(100);
    script.opens = {-EAGAIN};
    EXPECT_EQ(SFD_NEXT_POOL, begin(SFD_WIRE_READ_FILE));
    EXPECT_EQ(SFD_NEXT_END, workAndRun());
    collect();
    EXPECT_BYTES(content_, readBytes());
}

TEST_F(TransferTest, ShouldOpenEveryFileOfARemoteFileSystemInTheDiskPool)
{
    script.fs_type = NFS_SUPER_MAGIC;
    learnDevice();
    file(100);
    EXPECT_EQ(SFD_NEXT_POOL, begin(SFD_WIRE_READ_FILE));
    EXPECT_EQ(SFD_QUEUE_DEVICES, t_->task.queue) << "the root's own";
    finish();
    EXPECT_BYTES(content_, readBytes());
}

TEST_F(TransferTest, ShouldTryAnOpenAgainThatRacedWithARename)
{
    file(100);
    script.opens = {-EAGAIN, -EAGAIN, -EAGAIN};
    begin(SFD_WIRE_READ_FILE);
    finish();
    EXPECT_BYTES(content_, readBytes());
}

TEST_F(TransferTest, ShouldRefuseAFileWhoseFirstBytesTheDiskDoesNotGive)
{
    script.warm_until = 0;
    script.load_error = -EIO;
    file(100);
    begin(SFD_WIRE_READ_FILE);
    expectRefused(EIO);
}

TEST_F(TransferTest, ShouldGrowThePipeOfABigReadOnly)
{
    learnDevice();
    file(BIG);
    status_ = std::make_unique<Pipe>();
    const size_t small = status_->capacity();
    begin(SFD_WIRE_READ_FILE);
    EXPECT_GT(static_cast<size_t>(fcntl(status_->in.get(), F_GETPIPE_SZ)), small);
    finish();
    again();
    begin(SFD_WIRE_READ_FILE, -1, 0, 60000);
    EXPECT_EQ(static_cast<int>(small), fcntl(status_->in.get(), F_GETPIPE_SZ));
    finish();
}

/* ------------------------------------------------------------------ turns and waiting */

TEST_F(TransferTest, ShouldMoveAtMostAQuantumATurn)
{
    learnDevice();
    file(BIG);
    settings_.quantum = 16384; // fits any socket
    EXPECT_EQ(SFD_NEXT_AGAIN, begin(SFD_WIRE_SEND_FILE, toPair(SocketPair(), true)));
    EXPECT_EQ(16384u, count(SFD_COUNTER_BYTES));
    EXPECT_EQ(SFD_NEXT_AGAIN, run());
    EXPECT_EQ(32768u, count(SFD_COUNTER_BYTES));
    finish();
    EXPECT_BYTES(content_, data_);
}

TEST_F(TransferTest, ShouldWaitForAFullDestinationAndGoOnWhereItStopped)
{
    blockSendToPipe();
    EXPECT_EQ(1u, count(SFD_COUNTER_BLOCKED));
    EXPECT_EQ(SFD_NEXT_DEST, run()) << "woken for nothing";
    finish();
    EXPECT_BYTES(content_, data_);
    expectSent(BIG);
}

TEST_F(TransferTest, ShouldNotLoseTheHeaderOfAReadIntoAFullPipe) // D38
{
    for (const size_t size : {size_t{100}, BIG}) {
        SCOPED_TRACE(size);
        again();
        learnDevice();
        file(size);
        status_ = std::make_unique<Pipe>();
        ASSERT_GT(fcntl(status_->out.get(), F_SETPIPE_SZ, 1 << 20), 0); // it will not grow any more
        const size_t filled = status_->capacity();
        status_->fill();
        if (context_->kernel.pipe_write_flags == 0) {
            setNonblocking(status_->out.get());
        }
        EXPECT_EQ(SFD_NEXT_DEST, begin(SFD_WIRE_READ_FILE));
        EXPECT_EQ(0u, count(SFD_COUNTER_BYTES));
        EXPECT_EQ(std::string(filled, 'f'), drain(status_->in.get(), filled));
        run();
        finish();
        EXPECT_BYTES(content_, readBytes());
    }
}

TEST_F(TransferTest, ShouldCloseTheDestinationBeforeItsLastWordsFindRoom)
{
    learnDevice();
    file(100);
    status_ = std::make_unique<Pipe>(O_NONBLOCK);
    status_->fill();
    EXPECT_EQ(SFD_NEXT_STATUS, begin(SFD_WIRE_SEND_FILE, toPipe()));
    EXPECT_BYTES(content_, drain(pipe_->in.get()));
    EXPECT_TRUE(atEnd(pipe_->in.get()));
    EXPECT_EQ(-1, t_->source.fd);
    EXPECT_EQ(SFD_NEXT_STATUS, run()) << "still no room";
    drain(status_->in.get());
    EXPECT_EQ(SFD_NEXT_END, run());
    EXPECT_EQ((Messages{"info 100", "complete"}), told());
    EXPECT_TRUE(clientSeesEnd());
}

TEST_F(TransferTest, ShouldDeliverARefusalThatFindsNoRoomAtFirst)
{
    learnDevice();
    status_ = std::make_unique<Pipe>(O_NONBLOCK);
    status_->fill();
    EXPECT_EQ(SFD_NEXT_STATUS, begin(SFD_WIRE_READ_FILE, -1, 0, SFD_WIRE_TO_END, "missing"));
    drain(status_->in.get());
    EXPECT_EQ(SFD_NEXT_END, run());
    EXPECT_EQ(Messages{"error 129 2"}, told());
}

TEST_F(TransferTest, ShouldMergeProgressIntoOneMessageAnInterval)
{
    blockSendToPipe(4 * BIG);
    for (int i = 0; i < 3; i++) {
        takeAndRun();
    }
    EXPECT_EQ(2u, told().size()) << "nothing new within the interval";
    context_->now_ms += SFD_PROGRESS_INTERVAL_MS;
    takeAndRun();
    EXPECT_EQ("progress " + std::to_string(4 * filled_), told().back());
    EXPECT_EQ(3u, told().size());
    next_ = sfd_transfer_cancel(context_.get(), t_.get());
}

TEST_F(TransferTest, ShouldTellProgressInTimeWhileTheDestinationStaysFull)
{
    blockSendToPipe();
    takeAndRun();
    EXPECT_EQ(nullptr, sfd_timers_expire(&context_->timers, START_MS + SFD_PROGRESS_INTERVAL_MS - 1));
    context_->now_ms += SFD_PROGRESS_INTERVAL_MS;
    ASSERT_EQ(&t_->limits.timer, sfd_timers_expire(&context_->timers, context_->now_ms));
    EXPECT_EQ(SFD_NEXT_WAIT, sfd_transfer_timeout(context_.get(), t_.get()));
    EXPECT_EQ("progress " + std::to_string(filled_), told().back());
    EXPECT_EQ(3u, told().size());
    next_ = sfd_transfer_cancel(context_.get(), t_.get());
}

/* ------------------------------------------------------------------ failures after the beginning */

TEST_F(TransferTest, ShouldTellWhatWasMovedAndWhyWhenThePeerGoesAway) // D29
{
    blockSendToPipe();
    takeAndRun();
    pipe_.reset();
    EXPECT_EQ(SFD_NEXT_END, run());
    const std::string moved = "progress " + std::to_string(filled_);
    EXPECT_EQ((Messages{"info " + std::to_string(BIG), moved, moved, "error 130 " + std::to_string(EPIPE)}), told());
    EXPECT_TRUE(clientSeesEnd());
    EXPECT_EQ(1u, count(SFD_COUNTER_FAILED));
    EXPECT_EQ(0u, count(SFD_COUNTER_COMPLETED));
}

TEST_F(TransferTest, ShouldReportTruncationWhenTheFileShrinksMidTransfer) // D4
{
    blockSendToPipe();
    drain(pipe_->in.get());
    ASSERT_EQ(0, truncate((*directory_ / "file").c_str(), static_cast<off_t>(filled_)));
    script.warm_until = filled_;
    run();
    finish();
    EXPECT_EQ((Messages{"info " + std::to_string(BIG), "progress " + std::to_string(filled_),
                        "error 130 " + std::to_string(ENODATA)}),
              told());
}

TEST_F(TransferTest, ShouldEndAReadEarlyWhenTheFileShrinks)
{
    learnDevice();
    file(4 * BIG);
    ASSERT_EQ(SFD_NEXT_AGAIN, begin(SFD_WIRE_READ_FILE));
    ASSERT_EQ(0, truncate((*directory_ / "file").c_str(), 10));
    finish();
    EXPECT_EQ(4 * BIG, infoOf(status_bytes_).size);
    EXPECT_LT(readBytes().size(), 4 * BIG); // spliced pages that were cut off read as zeros
    EXPECT_TRUE(clientSeesEnd());
    EXPECT_EQ(1u, count(SFD_COUNTER_FAILED));
}

TEST_F(TransferTest, ShouldReportAFailingDisk)
{
    learnDevice();
    file(BIG);
    script.warm_until = 100000;
    begin(SFD_WIRE_SEND_FILE, toPair(SocketPair(), true));
    while (next_ != SFD_NEXT_POOL && next_ != SFD_NEXT_END) {
        collect();
        run();
    }
    script.load_error = -EIO;
    ASSERT_EQ(SFD_NEXT_POOL, next_);
    EXPECT_EQ(SFD_NEXT_END, workAndRun());
    const Messages all = told();
    ASSERT_EQ(3u, all.size());
    EXPECT_EQ("progress 65536", all[1]) << "the resident part, probed in pieces of 64 KiB";
    EXPECT_EQ("error 130 5", all[2]);
}

TEST_F(TransferTest, ShouldReportAFullDisk)
{
    learnDevice();
    file(BIG);
    script.copy = {1000, -ENOSPC};
    begin(SFD_WIRE_SEND_FILE, toFile());
    EXPECT_EQ(SFD_NEXT_END, workAndRun());
    EXPECT_EQ((Messages{"info " + std::to_string(BIG), "progress 1000", "error 130 " + std::to_string(ENOSPC)}),
              told());
}

TEST_F(TransferTest, ShouldHaveNoSecondTerminalMessage)
{
    blockSendToPipe();
    pipe_.reset();
    EXPECT_EQ(SFD_NEXT_END, run());
    sfd_transfer_abort(context_.get(), t_.get(), -ESHUTDOWN);
    EXPECT_EQ((Messages{"info " + std::to_string(BIG), "progress " + std::to_string(filled_), "error 130 32"}), told());
}

/* ------------------------------------------------------------------ the disk pool */

TEST_F(TransferTest, ShouldLendAColdWindowToTheQueueOfItsDevice)
{
    learnDevice();
    file(BIG);
    script.warm_until = 0;
    EXPECT_EQ(SFD_NEXT_POOL, begin(SFD_WIRE_SEND_FILE, toPair(SocketPair(), true)));
    EXPECT_EQ(SFD_QUEUE_DEVICES, t_->task.queue);
    EXPECT_EQ(Messages{"info " + std::to_string(BIG)}, told()) << "told before the wait";
    EXPECT_EQ(1u, count(SFD_COUNTER_COLD_WINDOWS));
    finish();
    EXPECT_BYTES(content_, data_);
}

TEST_F(TransferTest, ShouldLoadBiggerWindowsAsItGoes)
{
    learnDevice();
    file(8 * BIG);
    script.warm_until = 0;
    begin(SFD_WIRE_READ_FILE);
    finish();
    EXPECT_BYTES(content_, readBytes());
    ASSERT_GE(script.loads.size(), 4u);
    EXPECT_EQ(128u * 1024, script.loads[0]);
    EXPECT_EQ(512u * 1024, script.loads[1]);
    EXPECT_EQ(2048u * 1024, script.loads[2]);
    EXPECT_LE(script.loads.size(), 7u) << "few hand-overs for a big file";
}

TEST_F(TransferTest, ShouldAskForTheWholeNextWindowBeforeItWaitsForOne)
{
    static std::vector<std::pair<uint64_t, uint64_t>>
        asked; // what each load begins with, and what was asked for by then
    static uint64_t end;
    asked.clear();
    end = 0;
    sys_.fadvise = [](int, uint64_t offset, uint64_t length, int advice) {
        EXPECT_EQ(POSIX_FADV_WILLNEED, advice);
        EXPECT_EQ(end, offset) << "nothing twice";
        end = offset + length;
        return 0;
    };
    learnDevice();
    file(8 * BIG);
    script.warm_until = 0;
    begin(SFD_WIRE_READ_FILE);
    while (next_ == SFD_NEXT_POOL || next_ == SFD_NEXT_AGAIN || next_ == SFD_NEXT_DEST) {
        const bool load = next_ == SFD_NEXT_POOL;
        const uint64_t offset = t_->range.offset;
        load ? work() : void();
        if (load) {
            asked.emplace_back(offset + t_->job.moved, end);
        }
        collect();
        run();
    }
    finish();
    ASSERT_GE(asked.size(), 4u);
    for (size_t i = 0; i + 1 < asked.size(); i++) {
        EXPECT_GE(asked[i].second, asked[i + 1].first) << "window " << i + 1 << " was not on its way";
    }
}

TEST_F(TransferTest, ShouldReadIntoMemoryWhatThePageCacheDoesNotKeep)
{
    learnDevice();
    file(BIG);
    script.warm_until = 0;
    script.keeps_nothing = true;
    begin(SFD_WIRE_SEND_FILE, toPair(SocketPair(), true));
    finish();
    EXPECT_BYTES(content_, data_);
    EXPECT_LT(count(SFD_COUNTER_COLD_WINDOWS), 40u) << "no circle of loading and forgetting";
}

TEST_F(TransferTest, ShouldAskAgainForPagesThatWereReadyASecondAgo)
{
    learnDevice();
    file(BIG);
    ASSERT_EQ(SFD_NEXT_DEST, begin(SFD_WIRE_SEND_FILE, toPipe()));
    script.warm_until = 0; // evicted
    drain(pipe_->in.get());
    context_->now_ms += 1000;
    EXPECT_EQ(SFD_NEXT_POOL, run());
    next_ = sfd_transfer_cancel(context_.get(), t_.get());
}

TEST_F(TransferTest, ShouldObeyACancelThatCameWhileItWasLent)
{
    learnDevice();
    file(BIG);
    script.warm_until = 0;
    ASSERT_EQ(SFD_NEXT_POOL, begin(SFD_WIRE_READ_FILE));
    (void)sfd_write_gate_close(&t_->gate);
    work();
    EXPECT_TRUE(script.loads.empty()) << "nobody wants the window any more";
    EXPECT_EQ(SFD_NEXT_END, run());
    EXPECT_EQ("", drain(status_->in.get()));
    EXPECT_TRUE(clientSeesEnd());
    EXPECT_EQ(1u, count(SFD_COUNTER_CANCELLED));
}

TEST_F(TransferTest, ShouldNotServeAFileThatShrankWhileItWasLent)
{
    learnDevice();
    file(100);
    script.warm_until = 0;
    ASSERT_EQ(SFD_NEXT_POOL, begin(SFD_WIRE_SEND_FILE, toPipe()));
    ASSERT_EQ(0, truncate((*directory_ / "file").c_str(), 0));
    finish();
    EXPECT_EQ((Messages{"info 100", "error 130 " + std::to_string(ENODATA)}), told());
}

TEST_F(TransferTest, ShouldCopyToARegularFileInSlicesThatACancelCanStop)
{
    learnDevice();
    file(20 * BIG);
    ASSERT_EQ(SFD_NEXT_POOL, begin(SFD_WIRE_SEND_FILE, toFile()));
    EXPECT_EQ(Messages{"info " + std::to_string(20 * BIG)}, told());
    context_->now_ms += SFD_PROGRESS_INTERVAL_MS;
    EXPECT_EQ(SFD_NEXT_POOL, workAndRun());
    EXPECT_EQ("progress 8388608", told().back());
    (void)sfd_write_gate_close(&t_->gate);
    work();
    EXPECT_EQ(SFD_NEXT_END, run());
    EXPECT_EQ(8388608u, std::filesystem::file_size(*directory_ / "output"));
}

/* ------------------------------------------------------------------ O_NONBLOCK is the client's */

TEST_F(TransferTest, ShouldStopUsingSendfileWhenTheClientClearsNonblock) // D18
{
    learnDevice();
    file(4 * BIG);
    SocketPair pair;
    const OwnedFd client(dup(pair.out.get()));
    begin(SFD_WIRE_SEND_FILE, toPair(std::move(pair), true));
    EXPECT_GT(script.sendfiles, 0);
    ASSERT_EQ(0, fcntl(client.get(), F_SETFL, 0));
    script.sendfiles = 0;
    while (next_ == SFD_NEXT_AGAIN) {
        run();
    }
    EXPECT_EQ(SFD_NEXT_DEST, next_);
    EXPECT_EQ(0, script.sendfiles);
    EXPECT_GT(script.sends, 0);
    EXPECT_EQ(0, fcntl(client.get(), F_GETFL) & O_NONBLOCK);
    next_ = sfd_transfer_cancel(context_.get(), t_.get());
}

TEST_F(TransferTest, ShouldNotBlockOnPipesOfKernelsWithoutNowait)
{
    pipesWithoutNowait();
    learnDevice();
    file(10000);
    status_ = std::make_unique<Pipe>(); // blocking
    status_->fill();
    EXPECT_EQ(SFD_NEXT_DEST, begin(SFD_WIRE_READ_FILE));
    const size_t filled = static_cast<size_t>(fcntl(status_->in.get(), F_GETPIPE_SZ));
    drain(status_->in.get(), filled);
    finish();
    EXPECT_BYTES(content_, readBytes());
    EXPECT_TRUE(clientSeesEnd()) << "both descriptions are closed";
}

TEST_F(TransferTest, ShouldLeaveTheCloseToTheDiskPoolAlsoWhenNothingCanBeSaid)
{
    pipesWithoutNowait();
    file(100);
    ASSERT_EQ(0, mkfifo((*directory_ / "fifo").c_str(), 0600));
    status_ = std::make_unique<Pipe>();
    status_->in = openFile(*directory_ / "fifo", O_RDONLY | O_NONBLOCK);
    status_->out = openFile(*directory_ / "fifo", O_WRONLY);
    status_->in.reset(); // nobody can open it for writing any more
    EXPECT_EQ(SFD_NEXT_END, begin(SFD_WIRE_SEND_FILE, toFile()));
    EXPECT_EQ(1u, context_->closer.count) << "the close of a file can block";
    status_.reset();
}

/* ------------------------------------------------------------------ Open File */

TEST_F(TransferTest, ShouldEndAnOpenedFileThatNobodySendsInTime)
{
    learnDevice();
    file(100);
    ASSERT_EQ(SFD_NEXT_PARK, begin(SFD_WIRE_OPEN_FILE));
    EXPECT_FALSE(fires(OPEN_TIMEOUT_MS - 1));
    ASSERT_TRUE(fires(1));
    EXPECT_EQ(SFD_NEXT_END, next_);
    EXPECT_EQ((Messages{"info 100", "error 130 " + std::to_string(ETIMEDOUT)}), told());
    EXPECT_TRUE(clientSeesEnd());
    EXPECT_EQ(1u, count(SFD_COUNTER_OPEN_TIMEOUTS));
}

TEST_F(TransferTest, ShouldForgetTheOpenTimeoutOnceTheFileIsSent) // D28
{
    learnDevice();
    file(BIG);
    ASSERT_EQ(SFD_NEXT_PARK, begin(SFD_WIRE_OPEN_FILE));
    SocketPair pair;
    pair.fill();
    next_ = sfd_transfer_send(context_.get(), t_.get(), toPair(std::move(pair), true));
    ASSERT_EQ(SFD_NEXT_DEST, next_);
    EXPECT_EQ(nullptr, sfd_timers_expire(&context_->timers, START_MS + 10 * OPEN_TIMEOUT_MS));
    next_ = sfd_transfer_cancel(context_.get(), t_.get());
}

TEST_F(TransferTest, ShouldEndAnOpenedFileWithAnErrorWhenItsDestinationTakesNoBytes)
{
    learnDevice();
    file(100);
    ASSERT_EQ(SFD_NEXT_PARK, begin(SFD_WIRE_OPEN_FILE));
    EXPECT_EQ(SFD_NEXT_END, sfd_transfer_send(context_.get(), t_.get(), eventfd(0, EFD_CLOEXEC)));
    EXPECT_EQ((Messages{"info 100", "error 130 " + std::to_string(EOPNOTSUPP)}), told());
}

TEST_F(TransferTest, ShouldTellAboutAnOpenedFileWhenThePipeGetsRoom)
{
    learnDevice();
    file(100);
    status_ = std::make_unique<Pipe>(O_NONBLOCK);
    status_->fill();
    ASSERT_EQ(SFD_NEXT_PARK, begin(SFD_WIRE_OPEN_FILE));
    EXPECT_TRUE(t_->status.info_due);
    drain(status_->in.get());
    EXPECT_EQ(SFD_NEXT_PARK, run());
    EXPECT_EQ(Messages{"info 100"}, told());
    next_ = sfd_transfer_cancel(context_.get(), t_.get());
}

TEST_F(TransferTest, ShouldNotKeepAFileOpenForAClientThatIsGone)
{
    learnDevice();
    file(100);
    status_ = std::make_unique<Pipe>();
    status_->in.reset();
    EXPECT_EQ(SFD_NEXT_END, begin(SFD_WIRE_OPEN_FILE));
    status_.reset();
    EXPECT_EQ(1u, count(SFD_COUNTER_CANCELLED));
}

/* ------------------------------------------------------------------ cancel and abort */

TEST_F(TransferTest, ShouldEndWithoutAWordWhenItIsCancelled)
{
    blockSendToPipe();
    EXPECT_EQ(SFD_NEXT_END, next_ = sfd_transfer_cancel(context_.get(), t_.get()));
    EXPECT_EQ(2u, told().size()) << "nothing behind the progress";
    EXPECT_TRUE(clientSeesEnd());
    EXPECT_TRUE(atEnd(pipe_->in.get()));
    EXPECT_EQ(1u, count(SFD_COUNTER_CANCELLED));
}

TEST_F(TransferTest, ShouldSayWhyItIsAborted)
{
    blockSendToPipe();
    sfd_transfer_abort(context_.get(), t_.get(), -ESHUTDOWN);
    EXPECT_EQ("error 130 " + std::to_string(ESHUTDOWN), told().back());
    EXPECT_TRUE(clientSeesEnd());
}

TEST_F(TransferTest, ShouldRefuseWhatIsAbortedBeforeItsFileIsOpen)
{
    file(100);
    ASSERT_EQ(SFD_NEXT_POOL, begin(SFD_WIRE_SEND_FILE, toPipe()));
    sfd_transfer_abort(context_.get(), t_.get(), -ESHUTDOWN);
    EXPECT_EQ(Messages{"error 129 " + std::to_string(ESHUTDOWN)}, told())
        << "an error of a transfer that had begun would be a message out of order";
}

TEST_F(TransferTest, ShouldTimeOutAnOpenedFileWhoseTimerWasDueWhileItWaitedForItsTurn)
{
    learnDevice();
    file(100);
    status_ = std::make_unique<Pipe>(O_NONBLOCK);
    status_->fill();
    ASSERT_EQ(SFD_NEXT_PARK, begin(SFD_WIRE_OPEN_FILE));
    drain(status_->in.get());
    ASSERT_NE(nullptr, sfd_timers_expire(&context_->timers, START_MS + OPEN_TIMEOUT_MS));
    context_->now_ms += OPEN_TIMEOUT_MS; // the loop leaves ready transfers alone: their turn comes
    EXPECT_EQ(SFD_NEXT_END, run());
    EXPECT_EQ((Messages{"info 100", "error 130 " + std::to_string(ETIMEDOUT)}), told());
}

} // namespace
