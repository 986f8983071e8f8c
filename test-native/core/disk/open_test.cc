// Opening inside a root: what is served, what is refused, and that nothing leaves the root.
#include "core.h"

#include <linux/openat2.h>
#include <memory>
#include <sys/mman.h>
#include <sys/sysmacros.h>

namespace
{

class OpenTest : public CoreTest
{
  protected:
    void SetUp() override
    {
        CoreTest::SetUp();
        kernel_ = std::make_unique<Kernel>();
        directory_ = std::make_unique<TemporaryDirectory>();
        std::filesystem::create_directory(*directory_ / "root");
        std::filesystem::create_directory(*directory_ / "root/sub");
        writeFile(*directory_ / "secret", "outside");
        writeFile(*directory_ / "root/file", "inside");
        writeFile(*directory_ / "root/sub/deep", "deeper");
        root_ = openFile(*directory_ / "root", O_PATH | O_DIRECTORY);
    }
    void TearDown() override
    {
        root_.reset();
        directory_.reset();
        kernel_.reset();
        CoreTest::TearDown();
    }

    int open(const char *path, bool cached = false)
    {
        opened_ = {};
        const int result = cached ? sfd_open_cached(&kernel_->kernel, root_.get(), path, &opened_)
                                  : sfd_open_path(&kernel_->kernel, root_.get(), path, &opened_);
        if (result == 0) {
            fd_.reset(opened_.fd);
        }
        return result;
    }
    std::string content()
    {
        return readExactly(fd_.get(), 100);
    }
    void link(const std::string &name, const std::string &target)
    {
        std::filesystem::create_symlink(target, *directory_ / ("root/" + name));
    }

    std::unique_ptr<Kernel> kernel_;
    std::unique_ptr<TemporaryDirectory> directory_;
    OwnedFd root_;
    struct sfd_opened opened_;
    OwnedFd fd_;

    /* Before CoreTest counts. */
    void close()
    {
        fd_.reset();
    }
};

TEST_F(OpenTest, ShouldOpenAFileAndTellItsAttributes)
{
    ASSERT_EQ(0, open("file"));
    struct stat st;
    ASSERT_EQ(0, fstat(fd_.get(), &st));
    EXPECT_EQ(6u, opened_.size);
    EXPECT_EQ(st.st_mtime, opened_.mtime);
    EXPECT_EQ(st.st_atime, opened_.atime);
    EXPECT_EQ(st.st_ctime, opened_.ctime);
    EXPECT_EQ(makedev(major(st.st_dev), minor(st.st_dev)), opened_.dev);
    EXPECT_EQ("inside", content());
    close();
}

TEST_F(OpenTest, ShouldOpenReadOnlyAndCloseOnExec)
{
    ASSERT_EQ(0, open("file"));
    EXPECT_EQ(O_RDONLY, fcntl(fd_.get(), F_GETFL) & O_ACCMODE);
    EXPECT_NE(0, fcntl(fd_.get(), F_GETFD) & FD_CLOEXEC);
    close();
}

TEST_F(OpenTest, ShouldTakeALeadingSlashAsTheRoot)
{
    ASSERT_EQ(0, open("/sub/deep"));
    EXPECT_EQ("deeper", content());
    close();
}

TEST_F(OpenTest, ShouldStopAtTheRootHoweverManyDotsLeadUp)
{
    EXPECT_EQ(-ENOENT, open("../secret"));
    EXPECT_EQ(-ENOENT, open("sub/../../../../../../secret"));
    ASSERT_EQ(0, open("../../file")) << "the parent of the root is the root";
    EXPECT_EQ("inside", content());
    close();
}

TEST_F(OpenTest, ShouldResolveSymbolicLinksInsideTheRoot)
{
    link("absolute", "/file");
    link("climbing", "../secret");
    link("outside", *directory_ / "secret");
    ASSERT_EQ(0, open("absolute"));
    EXPECT_EQ("inside", content());
    EXPECT_EQ(-ENOENT, open("climbing"));
    EXPECT_EQ(-ENOENT, open("outside"));
    close();
}

TEST_F(OpenTest, ShouldNotFollowMagicLinks)
{
    const OwnedFd proc = openFile("/proc/self", O_PATH | O_DIRECTORY);
    const OwnedFd secret = openFile(*directory_ / "secret", O_RDONLY);
    const std::string path = "fd/" + std::to_string(secret.get());
    struct sfd_opened out = {};
    EXPECT_EQ(-ELOOP, sfd_open_path(&kernel_->kernel, proc.get(), path.c_str(), &out));
}

TEST_F(OpenTest, ShouldRefuseAllThatIsNoRegularFile) // D17
{
    ASSERT_EQ(0, mkfifo((*directory_ / "root/fifo").c_str(), 0600));
    const OwnedFd dev = openFile("/dev", O_PATH | O_DIRECTORY);
    const size_t before = openDescriptors().size();
    struct sfd_opened out = {};
    EXPECT_EQ(-EINVAL, open("sub"));
    EXPECT_EQ(-EINVAL, open("/"));
    EXPECT_EQ(-EINVAL, open("fifo")) << "and without a wait for a writer";
    EXPECT_EQ(-EINVAL, sfd_open_path(&kernel_->kernel, dev.get(), "null", &out));
    EXPECT_EQ(before, openDescriptors().size());
}

TEST_F(OpenTest, ShouldTellWhyAPathDoesNotOpen)
{
    EXPECT_EQ(-ENOENT, open("missing"));
    EXPECT_EQ(-ENOTDIR, open("file/below"));
    link("circle", "circle");
    EXPECT_EQ(-ELOOP, open("circle"));
    EXPECT_EQ(-ENAMETOOLONG, open(std::string(300, 'x').c_str()));
}

TEST_F(OpenTest, ShouldNotWaitForTheHolderOfALease) // D17
{
    const OwnedFd holder = openFile(*directory_ / "root/file", O_RDWR);
    std::signal(SIGIO, SIG_IGN);
    if (fcntl(holder.get(), F_SETLEASE, F_WRLCK) < 0) {
        GTEST_SKIP() << "no leases here: " << std::strerror(errno);
    }
    EXPECT_EQ(-EAGAIN, open("file"));
    EXPECT_EQ(0, fcntl(holder.get(), F_SETLEASE, F_UNLCK));
}

TEST_F(OpenTest, ShouldOpenFromTheCacheWhatWasJustOpened)
{
    if (!kernel_->kernel.resolve_cached) {
        GTEST_SKIP() << "RESOLVE_CACHED needs Linux 5.12";
    }
    ASSERT_EQ(0, open("sub/deep"));
    ASSERT_EQ(0, open("sub/deep", true));
    EXPECT_EQ("deeper", content());
    close();
}

TEST_F(OpenTest, ShouldLeaveEveryOpenToTheDiskPoolWithoutCachedResolution)
{
    static int calls;
    calls = 0;
    struct sfd_sys sys = copyOfSys();
    sys.openat2 = [](int, const char *, const struct open_how *) {
        calls++;
        return -EIO;
    };
    kernel_->kernel.sys = &sys;
    kernel_->kernel.resolve_cached = false;
    EXPECT_EQ(-EAGAIN, open("file", true));
    EXPECT_EQ(0, calls);
    kernel_->kernel.sys = &sfd_sys_linux;
}

TEST_F(OpenTest, ShouldCloseTheFileWhenItsAttributesCannotBeRead)
{
    struct sfd_sys sys = copyOfSys();
    sys.statx = [](int, const char *, int, unsigned, struct statx *) { return -EIO; };
    kernel_->kernel.sys = &sys;
    EXPECT_EQ(-EIO, open("file")); // the fixture counts the descriptors
    kernel_->kernel.sys = &sfd_sys_linux;
}

/* Opens with one device, and tells which part of the path the caches were said to know. */
class OpenOnDeviceTest : public OpenTest
{
  protected:
    void SetUp() override
    {
        OpenTest::SetUp();
        known = SIZE_MAX;
        sys_ = copyOfSys();
        sys_.openat2 = [](int dir, const char *path, const struct open_how *how) {
            struct open_how real = *how;
            if ((how->resolve & RESOLVE_CACHED_FLAG) != 0) {
                if (std::strlen(path) > known) {
                    return -EAGAIN;
                }
                real.resolve &= ~RESOLVE_CACHED_FLAG; // a busy machine may have dropped it
            }
            return sfd_sys_linux.openat2(dir, path, &real);
        };
        kernel_->kernel.sys = &sys_;
        kernel_->kernel.resolve_cached = true;
    }
    void TearDown() override
    {
        close();
        near_.reset();
        kernel_->kernel.sys = &sfd_sys_linux;
        OpenTest::TearDown();
    }
    int open(const char *path)
    {
        const int result = sfd_open_on_device(&kernel_->kernel, root_.get(), nullptr, path, &opened_);
        if (result == 0) {
            fd_.reset(opened_.fd);
        }
        return result;
    }
    uint64_t device(int root, const char *path)
    {
        struct sfd_near near = {};
        uint64_t dev = 0;
        EXPECT_EQ(0, sfd_open_device(&kernel_->kernel, root, path, &near, &dev)) << path;
        near_.reset(near.directory);
        return dev;
    }
    static uint64_t deviceOf(const std::string &path)
    {
        struct stat st = {};
        EXPECT_EQ(0, stat(path.c_str(), &st)) << path;
        return makedev(major(st.st_dev), minor(st.st_dev));
    }

    static constexpr uint64_t RESOLVE_CACHED_FLAG = 0x20;
    OwnedFd near_;
    static size_t known; /* longest path that is cached */
    struct sfd_sys sys_;
};
size_t OpenOnDeviceTest::known;

TEST_F(OpenOnDeviceTest, ShouldOpenWhatLiesBelowTheRootOrADirectoryThatIsKnown)
{
    for (const size_t length : {size_t{0}, SIZE_MAX}) {
        known = length;
        for (const char *path : {"sub/deep", "/sub/deep", "//sub//deep", "sub/./deep", "sub/../sub/deep"}) {
            ASSERT_EQ(0, open(path)) << path;
            EXPECT_EQ("deeper", content()) << path;
        }
        ASSERT_EQ(0, open("/file"));
        EXPECT_EQ("inside", content());
    }
}

TEST_F(OpenOnDeviceTest, ShouldTellTheDeviceOfTheLastDirectoryThatIsKnown)
{
    const OwnedFd slash = openFile("/", O_PATH | O_DIRECTORY);
    const uint64_t proc = deviceOf("/proc");
    ASSERT_NE(deviceOf("/"), proc);
    EXPECT_EQ(proc, device(slash.get(), "proc/1/status"));
    EXPECT_EQ(proc, device(slash.get(), "/proc/version"));
    EXPECT_EQ(deviceOf("/"), device(slash.get(), "version"));
    known = std::strlen("proc/");
    EXPECT_EQ(proc, device(slash.get(), "proc/no/such/directory")) << "mount points are always known";
    known = 0;
    EXPECT_EQ(deviceOf("/"), device(slash.get(), "proc/1/status")) << "all that is left to go by";
}

TEST_F(OpenOnDeviceTest, ShouldNotOpenFromTheCachesOnAnotherMount)
{
    const OwnedFd slash = openFile("/", O_PATH | O_DIRECTORY);
    ASSERT_EQ(0, access("/proc/version", R_OK)); // known from here on
    EXPECT_EQ(-EXDEV, sfd_open_cached(&kernel_->kernel, slash.get(), "proc/version", &opened_));
}

TEST_F(OpenOnDeviceTest, ShouldNotFollowAPathToAnotherDevice)
{
    std::filesystem::create_directory(*directory_ / "root/empty");
    link("away", "/proc/version");
    const OwnedFd slash = openFile("/", O_PATH | O_DIRECTORY);
    const std::string away = (*directory_ / "root/away").substr(1);
    EXPECT_EQ(-EXDEV, sfd_open_on_device(&kernel_->kernel, slash.get(), nullptr, away.c_str(), &opened_));
    known = 0;
    EXPECT_EQ(-EXDEV, sfd_open_on_device(&kernel_->kernel, slash.get(), nullptr, "proc/version", &opened_));
}

TEST_F(OpenOnDeviceTest, ShouldOpenFromTheDirectoryThatWasLookedAtWhateverTakesItsPlace)
{
    struct sfd_near near = {};
    uint64_t dev = 0;
    ASSERT_EQ(0, sfd_open_device(&kernel_->kernel, root_.get(), "sub/deep", &near, &dev));
    near_.reset(near.directory);
    ASSERT_GE(near.directory, 0);
    std::filesystem::rename(*directory_ / "root/sub", *directory_ / "root/before");
    link("sub", "/proc"); // a dead disk's
    ASSERT_EQ(0, sfd_open_on_device(&kernel_->kernel, root_.get(), &near, "sub/deep", &opened_));
    fd_.reset(opened_.fd);
    EXPECT_EQ("deeper", content());
    ASSERT_EQ(0, sfd_open_cached_on_device(&kernel_->kernel, root_.get(), &near, "sub/deep", &opened_));
    fd_.reset(opened_.fd);
    EXPECT_EQ("deeper", content());
}

TEST_F(OpenOnDeviceTest, ShouldLeaveTheRestToAnOpenThatMayWaitForAnyDevice)
{
    link("absolute", "/file");
    link("climbing", "../secret");
    for (const char *path : {"absolute", "climbing", "/", ""}) {
        EXPECT_EQ(-EXDEV, open(path)) << path;
    }
    known = 0;
    EXPECT_EQ(-EXDEV, open("sub/../../file")) << "above the root is the root, but not from below it";
    kernel_->kernel.resolve_cached = false;
    EXPECT_EQ(-EXDEV, open("sub/deep")) << "nobody knows";
    EXPECT_EQ(0, open("file")) << "below the root itself everybody does";
}

TEST_F(OpenOnDeviceTest, ShouldTellWhyAPathDoesNotOpen)
{
    EXPECT_EQ(-ENOENT, open("missing"));
    EXPECT_EQ(-ENOTDIR, open("file/"));
    EXPECT_EQ(-EINVAL, open("sub"));
    EXPECT_EQ(-EINVAL, open("sub/"));
}

struct RangeCase {
    uint64_t size;
    int64_t offset;
    uint64_t length;
    int result;
    uint64_t end;
};

TEST(OpenRangeTest, ShouldAcceptWhatLiesInsideTheFileAndNothingElse)
{
    constexpr uint64_t MAX = INT64_MAX;
    const RangeCase cases[] = {
        {100, 0, SFD_OPEN_TO_END, 0, 100},
        {100, 0, 0, 0, 0},
        {100, 10, 0, 0, 10},
        {100, 0, 100, 0, 100},
        {100, 10, SFD_OPEN_TO_END, 0, 100},
        {100, 10, 90, 0, 100},
        {100, 10, 20, 0, 30},
        {100, 100, 0, 0, 100},
        {100, 100, SFD_OPEN_TO_END, 0, 100}, // D6: offset at the end is an empty range
        {0, 0, 0, 0, 0},
        {0, 0, SFD_OPEN_TO_END, 0, 0}, // D34: an empty file
        {100, 101, 0, -ERANGE, 0},
        {100, 101, SFD_OPEN_TO_END, -ERANGE, 0},
        {100, 100, 1, -ERANGE, 0},
        {100, 10, 91, -ERANGE, 0},
        {0, 0, 1, -ERANGE, 0},
        {100, -1, 0, -ERANGE, 0},
        {100, INT64_MIN, 0, -ERANGE, 0},
        {100, 1, UINT64_MAX - 1, -ERANGE, 0}, // D5: the sum wraps
        {100, INT64_MAX, UINT64_MAX - 1, -ERANGE, 0},
        {MAX, INT64_MAX, 0, 0, MAX},
        {MAX, INT64_MAX - 1, 1, 0, MAX},
        {MAX, INT64_MAX - 1, 2, -ERANGE, 0},
    };
    for (const RangeCase &c : cases) {
        SCOPED_TRACE(testing::Message() << c.size << " " << c.offset << " " << c.length);
        uint64_t end = 4711;
        EXPECT_EQ(c.result, sfd_open_range(c.size, c.offset, c.length, &end));
        EXPECT_EQ(c.result == 0 ? c.end : 4711u, end);
    }
}

// ------------------------------------------------------------------ descriptors of clients

class DescriptorTest : public OpenTest
{
  protected:
    /* What becomes of a descriptor that a client passes; the taken one is closed with the test. */
    int take(OwnedFd client, bool cached = true)
    {
        int fd = fcntl(client.get(), F_DUPFD_CLOEXEC, 0);
        client_ = std::move(client);
        const int before = fd;
        opened_ = {};
        const int result = sfd_open_descriptor(&kernel_->kernel, &fd, cached, &opened_);
        if (result == 0) {
            EXPECT_EQ(-1, fd);
            fd_.reset(opened_.fd);
        } else {
            EXPECT_EQ(before, fd) << "it stays the caller's";
            ::close(fd);
        }
        return result;
    }
    void TearDown() override
    {
        client_.reset();
        fd_.reset();
        OpenTest::TearDown();
    }

    struct sfd_sys sys_ = copyOfSys(); // the machine closes with it
    OwnedFd client_;
};

TEST_F(DescriptorTest, ShouldTakeARegularFileThatCanBeRead)
{
    for (const int mode : {O_RDONLY, O_RDWR}) {
        ASSERT_EQ(0, take(openFile(*directory_ / "root/file", mode)));
        EXPECT_EQ(6u, opened_.size);
        EXPECT_TRUE(opened_.shared);
        struct stat st = {};
        ASSERT_EQ(0, stat((*directory_ / "root/file").c_str(), &st));
        EXPECT_EQ(st.st_dev, opened_.dev);
        EXPECT_EQ(st.st_mtime, opened_.mtime);
    }
}

TEST_F(DescriptorTest, ShouldTakeAFileWithoutANameOrRights)
{
    OwnedFd file = openFile(*directory_ / "root/file", O_RDONLY);
    std::filesystem::remove(*directory_ / "root/file");
    EXPECT_EQ(0, take(std::move(file)));
    OwnedFd memory(memfd_create("test", MFD_CLOEXEC));
    ASSERT_EQ(4, write(memory.get(), "data", 4));
    EXPECT_EQ(0, take(std::move(memory)));
    EXPECT_EQ(4u, opened_.size);
}

TEST_F(DescriptorTest, ShouldNeitherUseNorMoveThePositionNorTheFlagsNorLock)
{
    static int locks;
    locks = 0;
    sys_.lseek = [](int, int64_t, int) -> int64_t {
        ADD_FAILURE() << "the position is the client's";
        return -EINVAL;
    };
    sys_.ofd_read_lock = [](int, uint64_t, uint64_t) { return ++locks; };
    kernel_->kernel.sys = &sys_;
    OwnedFd file = openFile(*directory_ / "root/file", O_RDONLY);
    ASSERT_EQ(3, lseek(file.get(), 3, SEEK_SET));
    const int flags = fcntl(file.get(), F_GETFL);
    ASSERT_EQ(0, take(std::move(file)));
    EXPECT_EQ(6u, opened_.size);
    EXPECT_EQ(3, lseek(client_.get(), 0, SEEK_CUR));
    EXPECT_EQ(flags, fcntl(client_.get(), F_GETFL));
    EXPECT_EQ(0, locks);
}

TEST_F(DescriptorTest, ShouldRefuseWhatIsNoRegularFile)
{
    EXPECT_EQ(-EINVAL, take(Pipe().in));
    EXPECT_EQ(-EINVAL, take(openFile("/dev/zero", O_RDONLY)));
    EXPECT_EQ(-EINVAL, take(openFile(*directory_ / "root", O_RDONLY | O_DIRECTORY)));
    EXPECT_EQ(-EINVAL, take(SocketPair().in));
}

TEST_F(DescriptorTest, ShouldRefuseWhatCannotBeRead)
{
    EXPECT_EQ(-EBADF, take(openFile(*directory_ / "root/file", O_WRONLY)));
    EXPECT_EQ(-EBADF, take(openFile(*directory_ / "root/file", O_PATH)));
    int none = 9999;
    EXPECT_EQ(-EBADF, sfd_open_descriptor(&kernel_->kernel, &none, true, &opened_));
}

TEST_F(DescriptorTest, ShouldAskForAttributesWithoutTheirServerOnTheLoopOnly)
{
    static int asked;
    sys_.statx = [](int fd, const char *path, int flags, unsigned mask, struct statx *out) {
        asked = flags;
        return sfd_sys_linux.statx(fd, path, flags, mask, out);
    };
    kernel_->kernel.sys = &sys_;
    ASSERT_EQ(0, take(openFile(*directory_ / "root/file", O_RDONLY), true));
    EXPECT_EQ(AT_EMPTY_PATH | AT_STATX_DONT_SYNC, asked);
    ASSERT_EQ(0, take(openFile(*directory_ / "root/file", O_RDONLY), false));
    EXPECT_EQ(AT_EMPTY_PATH, asked);
}

TEST_F(DescriptorTest, ShouldReadADirectFileThroughADescriptionOfItsOwn)
{
    OwnedFd file(::open((*directory_ / "root/file").c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC));
    if (file.get() < 0) {
        GTEST_SKIP() << "this file system knows no O_DIRECT";
    }
    EXPECT_TRUE(sfd_open_turned_direct(&kernel_->kernel, file.get()));
    EXPECT_EQ(-EAGAIN, take(OwnedFd(dup(file.get())), true)) << "to open it may wait";
    ASSERT_EQ(0, take(std::move(file), false));
    EXPECT_FALSE(opened_.shared);
    EXPECT_FALSE(sfd_open_turned_direct(&kernel_->kernel, fd_.get()));
    EXPECT_NE(0, fcntl(client_.get(), F_GETFL) & O_DIRECT) << "the flag is the client's";
    EXPECT_EQ("inside", content());
    EXPECT_EQ(0, lseek(client_.get(), 0, SEEK_CUR));
}

TEST_F(DescriptorTest, ShouldNoticeThatAClientTurnedItsFileDirect)
{
    OwnedFd file = openFile(*directory_ / "root/file", O_RDONLY);
    EXPECT_FALSE(sfd_open_turned_direct(&kernel_->kernel, file.get()));
    if (fcntl(file.get(), F_SETFL, fcntl(file.get(), F_GETFL) | O_DIRECT) < 0) {
        GTEST_SKIP() << "this file system knows no O_DIRECT";
    }
    EXPECT_TRUE(sfd_open_turned_direct(&kernel_->kernel, file.get()));
}

} // namespace
