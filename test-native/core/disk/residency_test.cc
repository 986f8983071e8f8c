// Residency: which media there are, what the page cache says, and loading a window.
#include "core.h"
#include "page_cache.h"

#include <linux/magic.h>
#include <memory>
#include <utility>

namespace
{

constexpr uint64_t FUSE_MAGIC = 0x65735546;
constexpr uint64_t XFS_MAGIC = 0x58465342;

/* What scripted calls answer. */
struct Script {
    uint64_t fs_type;
    int64_t nowait;         /* of preadv2(RWF_NOWAIT); INT64_MIN: the real call without the flag */
    uint64_t cold_from;     /* bytes from here on: -EAGAIN */
    uint64_t present_until; /* cachestat counts the pages before it */
    int undercounts;        /* so many next calls of cachestat count one page */
    int counts;             /* calls of cachestat */
    int cachestat_error;
    std::vector<int64_t> loads; /* of sendfile; empty: the real one */
    std::vector<uint64_t> load_offsets;
    std::vector<std::pair<uint64_t, uint64_t>> advised; /* offset, length */
    int advice_error;
    int nowait_reads;
};
Script script;

struct sfd_sys scripted()
{
    struct sfd_sys sys = copyOfSys();
    sys.fstatfs_type = [](int, uint64_t *type) {
        *type = script.fs_type;
        return 0;
    };
    sys.preadv2 = [](int fd, const struct iovec *iov, int count, int64_t offset, int flags) {
        if ((flags & RWF_NOWAIT) != 0) {
            script.nowait_reads++;
            if (script.nowait != INT64_MIN) {
                return script.nowait;
            }
            if (static_cast<uint64_t>(offset) >= script.cold_from) {
                return static_cast<int64_t>(-EAGAIN);
            }
        }
        return sfd_sys_linux.preadv2(fd, iov, count, offset, 0);
    };
    sys.cachestat = [](int, const struct sfd_cachestat_range *range, struct sfd_cachestat *out) {
        if (script.cachestat_error < 0) {
            return script.cachestat_error;
        }
        *out = {};
        script.counts++;
        if (script.undercounts > 0) {
            script.undercounts--;
            out->nr_cache = 1;
            return 0;
        }
        const uint64_t last = std::min(range->offset + range->length, script.present_until);
        if (last > range->offset) {
            out->nr_cache = (last - 1) / 4096 - range->offset / 4096 + 1;
        }
        return 0;
    };
    sys.sendfile = [](int to, int from, int64_t *offset, size_t count) {
        script.load_offsets.push_back(static_cast<uint64_t>(*offset));
        if (script.loads.empty()) {
            return sfd_sys_linux.sendfile(to, from, offset, count);
        }
        const int64_t n = script.loads.front();
        script.loads.erase(script.loads.begin());
        return n;
    };
    sys.fadvise = [](int, uint64_t offset, uint64_t length, int advice) {
        EXPECT_EQ(POSIX_FADV_WILLNEED, advice);
        script.advised.emplace_back(offset, length);
        return script.advice_error;
    };
    return sys;
}

class ResidencyTest : public CoreTest
{
  protected:
    void SetUp() override
    {
        if (sysconf(_SC_PAGESIZE) != 4096) {
            GTEST_SKIP() << "the script counts pages of 4096 bytes";
        }
        CoreTest::SetUp();
        script = {};
        script.fs_type = EXT4_SUPER_MAGIC;
        script.nowait = INT64_MIN;
        script.cold_from = UINT64_MAX;
        script.present_until = UINT64_MAX;
        sys_ = scripted();
        kernel_ = std::make_unique<Kernel>(&sys_);
        kernel_->kernel.cachestat = true;
        sfd_devices_init(&devices_);
        directory_ = std::make_unique<TemporaryDirectory>();
        writeFile(*directory_ / "file", pattern(SIZE));
        file_ = openFile(*directory_ / "file", O_RDONLY);
        script.load_offsets.clear();
        script.nowait_reads = 0;
    }
    void TearDown() override
    {
        if (kernel_ == nullptr) {
            return;
        }
        file_.reset();
        directory_.reset();
        sfd_devices_deinit(&devices_);
        kernel_.reset();
        CoreTest::TearDown();
    }

    enum sfd_medium learn(uint64_t type)
    {
        script.fs_type = type;
        const int index = sfd_residency_learn(&devices_, &kernel_->kernel, file_.get(), ++dev_);
        EXPECT_GE(index, 0);
        return sfd_devices_medium(&devices_, index);
    }
    uint64_t probe(uint64_t offset, uint64_t length, enum sfd_medium medium = SFD_MEDIUM_LOCAL)
    {
        return sfd_residency_probe(&kernel_->kernel, medium, file_.get(), offset, length);
    }
    int64_t load(uint64_t offset, uint64_t length)
    {
        return sfd_residency_load(&kernel_->kernel, file_.get(), offset, length);
    }

    static constexpr uint64_t SIZE = 300000;
    static constexpr uint64_t STEP = 128 * 1024; /* one byte stands for so many */
    struct sfd_sys sys_;
    std::unique_ptr<Kernel> kernel_;
    struct sfd_devices devices_;
    std::unique_ptr<TemporaryDirectory> directory_;
    OwnedFd file_;
    uint64_t dev_ = 1000;
};

TEST_F(ResidencyTest, ShouldCountAgainWhatIsThereInPart)
{
    script.undercounts = 2;
    EXPECT_EQ(SIZE, probe(0, SIZE)) << "the kernel was interrupted";
    script.counts = 0;
    script.present_until = SIZE / 2;
    EXPECT_EQ(0u, probe(0, SIZE));
    EXPECT_EQ(4, script.counts) << "it has an end";
    script.counts = 0;
    script.present_until = 0;
    EXPECT_EQ(0u, probe(0, SIZE));
    EXPECT_EQ(1, script.counts) << "a cold window costs one call";
}

TEST_F(ResidencyTest, ShouldKnowMemoryFileSystems)
{
    EXPECT_EQ(SFD_MEDIUM_MEMORY, learn(TMPFS_MAGIC));
    EXPECT_EQ(SFD_MEDIUM_MEMORY, learn(RAMFS_MAGIC));
}

TEST_F(ResidencyTest, ShouldTrustLocalFileSystemsThatAnswerNowait)
{
    EXPECT_EQ(SFD_MEDIUM_LOCAL, learn(EXT4_SUPER_MAGIC));
    EXPECT_EQ(SFD_MEDIUM_LOCAL, learn(BTRFS_SUPER_MAGIC));
    script.nowait = -EAGAIN;
    EXPECT_EQ(SFD_MEDIUM_LOCAL, learn(OVERLAYFS_SUPER_MAGIC)) << "cold, but it can tell";
}

TEST_F(ResidencyTest, ShouldKnowThatXfsLocks)
{
    EXPECT_EQ(SFD_MEDIUM_LOCKING, learn(XFS_MAGIC));
    EXPECT_TRUE(sfd_medium_is_local(SFD_MEDIUM_LOCKING));
    EXPECT_EQ(SIZE, probe(0, SIZE, SFD_MEDIUM_LOCKING));
}

TEST_F(ResidencyTest, ShouldTreatALocalFileSystemWithoutNowaitAsRemote)
{
    script.nowait = -EOPNOTSUPP;
    EXPECT_EQ(SFD_MEDIUM_REMOTE, learn(OVERLAYFS_SUPER_MAGIC));
}

TEST_F(ResidencyTest, ShouldTellFuseFromEverythingElseThatIsRemote)
{
    EXPECT_EQ(SFD_MEDIUM_FUSE, learn(FUSE_MAGIC));
    EXPECT_EQ(SFD_MEDIUM_REMOTE, learn(NFS_SUPER_MAGIC));
    EXPECT_EQ(SFD_MEDIUM_REMOTE, learn(0x12345678));
}

TEST_F(ResidencyTest, ShouldTrustADeviceNoMoreThatBecameAnotherFileSystem)
{
    const int index = sfd_residency_learn(&devices_, &kernel_->kernel, file_.get(), 7);
    script.fs_type = FUSE_MAGIC; /* unmounted, and its number given to the next one */
    EXPECT_EQ(index, sfd_residency_learn(&devices_, &kernel_->kernel, file_.get(), 7));
    EXPECT_EQ(SFD_MEDIUM_REMOTE, sfd_devices_medium(&devices_, index));
}

// R13: a want of memory at the first file of a device must not make it slow for the daemon's life.
TEST_F(ResidencyTest, ShouldLearnNothingOfADeviceFromACallThatFailed)
{
    script.nowait = -ENOMEM;
    const int index = sfd_residency_learn(&devices_, &kernel_->kernel, file_.get(), 7);
    EXPECT_EQ(SFD_MEDIUM_UNKNOWN, sfd_devices_medium(&devices_, index));
    script.nowait = INT64_MIN;
    EXPECT_EQ(index, sfd_residency_learn(&devices_, &kernel_->kernel, file_.get(), 7));
    EXPECT_EQ(SFD_MEDIUM_LOCAL, sfd_devices_medium(&devices_, index));
    script.nowait = -EIO;
    EXPECT_EQ(index, sfd_residency_learn(&devices_, &kernel_->kernel, file_.get(), 7));
    sys_.fstatfs_type = [](int, uint64_t *) { return -ENOMEM; };
    EXPECT_EQ(index, sfd_residency_learn(&devices_, &kernel_->kernel, file_.get(), 7));
    EXPECT_EQ(SFD_MEDIUM_LOCAL, sfd_devices_medium(&devices_, index));
}

TEST_F(ResidencyTest, ShouldFindAWarmWindowReady)
{
    EXPECT_EQ(SIZE, probe(0, SIZE));
    EXPECT_EQ(1u, probe(SIZE - 1, 1));
}

TEST_F(ResidencyTest, ShouldFindMemoryAlwaysReadyAndRemoteNever)
{
    script.present_until = 0;
    EXPECT_EQ(SIZE, probe(0, SIZE, SFD_MEDIUM_MEMORY));
    script.present_until = UINT64_MAX;
    EXPECT_EQ(0u, probe(0, SIZE, SFD_MEDIUM_REMOTE));
    EXPECT_EQ(0u, probe(0, SIZE, SFD_MEDIUM_UNKNOWN));
}

TEST_F(ResidencyTest, ShouldStartNoReadaheadForAColdWindow)
{
    script.present_until = 0;
    EXPECT_EQ(0u, probe(0, SIZE));
    EXPECT_EQ(0, script.nowait_reads);
}

TEST_F(ResidencyTest, ShouldNotTakeAWindowWithAHoleForReady)
{
    script.present_until = SIZE - 8192;
    EXPECT_EQ(0u, probe(0, SIZE));
    EXPECT_EQ(100000u, probe(0, 100000)) << "the part before it is";
}

TEST_F(ResidencyTest, ShouldNotTakePagesThatAreStillBeingReadForReady)
{
    script.cold_from = 200000; /* cachestat counts them already */
    EXPECT_EQ(0u, probe(0, SIZE));
    EXPECT_EQ(0u, probe(200000, 100));
    EXPECT_EQ(200000u, probe(0, 200000));
}

TEST_F(ResidencyTest, ShouldCountPagesOfARangeThatBeginsAndEndsInsidePages)
{
    /* Bytes 4000..8200 touch three pages. */
    script.present_until = 8192;
    EXPECT_EQ(0u, probe(4000, 4201));
    script.present_until = 8201;
    EXPECT_EQ(4201u, probe(4000, 4201));
}

// R22: the usual deployment serves another user's files, of which cachestat tells nothing.
TEST_F(ResidencyTest, ShouldFindAWarmFileOfAnotherUserReady)
{
    script.cachestat_error = -EPERM;
    EXPECT_EQ(SIZE, probe(0, SIZE));
    EXPECT_EQ(1u, probe(SIZE - 1, 1));
    EXPECT_EQ(STEP, probe(5, STEP));
    EXPECT_EQ(STEP + 1, probe(5, STEP + 1));
}

TEST_F(ResidencyTest, ShouldFindAColdFileOfAnotherUserColdByOneByte)
{
    script.cachestat_error = -EPERM;
    script.cold_from = 0;
    EXPECT_EQ(0u, probe(0, SIZE));
    EXPECT_EQ(1, script.nowait_reads);
}

TEST_F(ResidencyTest, ShouldFindOfAnotherUsersFileNoMoreReadyThanWhatEndsWithAReadyByte)
{
    script.cachestat_error = -EPERM;
    const std::vector<std::pair<uint64_t, uint64_t>> answers = {
        {1, 0},       {STEP, 0}, {STEP + 1, STEP}, {2 * STEP, STEP}, {2 * STEP + 1, 2 * STEP}, {SIZE - 1, 2 * STEP},
        {SIZE, SIZE},
    };
    for (const auto &[cold_from, ready] : answers) {
        script.cold_from = cold_from;
        EXPECT_EQ(ready, probe(0, SIZE)) << cold_from;
    }
}

TEST_F(ResidencyTest, ShouldAskTheBytesAloneWhereCachestatIsNotThere)
{
    kernel_->kernel.cachestat = false;
    script.present_until = 0;
    EXPECT_EQ(SIZE, probe(0, SIZE));
    script.cold_from = STEP + 1;
    EXPECT_EQ(STEP, probe(0, SIZE));
}

TEST_F(ResidencyTest, ShouldTellThatNothingIsInTheCacheOnlyWhenItIsSo)
{
    const auto absent = [this](uint64_t length) {
        return sfd_residency_is_absent(&kernel_->kernel, file_.get(), 0, length);
    };
    EXPECT_FALSE(absent(SIZE));
    script.present_until = 0;
    EXPECT_TRUE(absent(SIZE));
    script.cachestat_error = -EPERM;
    EXPECT_FALSE(absent(SIZE)) << "its bytes are there";
    script.cold_from = SIZE - 1;
    EXPECT_FALSE(absent(SIZE));
    script.cold_from = 0;
    EXPECT_TRUE(absent(SIZE));
    EXPECT_TRUE(absent(SIZE + 1000)) << "the file ends before the part does";
    for (const int error : {EOPNOTSUPP, EPERM, EIO}) {
        script.nowait = -error;
        EXPECT_FALSE(absent(SIZE)) << "who cannot ask does not know";
    }
    script.nowait = 0;
    EXPECT_FALSE(absent(SIZE)) << "there is no such part";
}

TEST_F(ResidencyTest, ShouldSeeTheLastByteOfAPartThatIsAlone)
{
    script.cachestat_error = -EPERM;
    sys_.preadv2 = [](int, const struct iovec *, int, int64_t offset, int) {
        return static_cast<int64_t>(static_cast<uint64_t>(offset) == SIZE - 1 ? 1 : -EAGAIN);
    };
    EXPECT_FALSE(sfd_residency_is_absent(&kernel_->kernel, file_.get(), 0, SIZE));
}

TEST_F(ResidencyTest, ShouldFindNothingReadyInAnEmptyWindow)
{
    EXPECT_EQ(0u, probe(0, 0));
}

TEST_F(ResidencyTest, ShouldLoadAWindow)
{
    EXPECT_EQ(100000, load(1000, 100000));
    EXPECT_EQ(1000u, script.load_offsets.front());
    EXPECT_TRUE(script.advised.empty());
}

TEST_F(ResidencyTest, ShouldAskForBytesInPiecesThatTheKernelReadsWhole)
{
    sfd_residency_request(&kernel_->kernel, file_.get(), 1000, 1000 + 300000);
    uint64_t at = 1000;
    for (const auto &[from, length] : script.advised) {
        EXPECT_EQ(at, from);
        EXPECT_LE(length, 128u * 1024);
        at += length;
    }
    EXPECT_EQ(301000u, at);
}

TEST_F(ResidencyTest, ShouldNotGoOnAskingAFileSystemThatRefusesAdvice)
{
    script.advice_error = -EOPNOTSUPP;
    sfd_residency_request(&kernel_->kernel, file_.get(), 0, 300000);
    EXPECT_EQ(1u, script.advised.size());
}

TEST_F(ResidencyTest, ShouldAskForNothingWhenEverythingWasAskedFor)
{
    sfd_residency_request(&kernel_->kernel, file_.get(), 5000, 5000);
    sfd_residency_request(&kernel_->kernel, file_.get(), 5000, 4000);
    EXPECT_TRUE(script.advised.empty());
}

TEST_F(ResidencyTest, ShouldLoadOnAfterASignal)
{
    script.loads = {4096, -EINTR, 5904};
    EXPECT_EQ(10000, load(0, 10000));
}

TEST_F(ResidencyTest, ShouldLoadUpToTheEndOfTheFile)
{
    EXPECT_EQ(1000, load(SIZE - 1000, 5000));
    EXPECT_EQ(0, load(SIZE, 5000));
}

TEST_F(ResidencyTest, ShouldGoOnAfterAShortLoad)
{
    script.loads = {4096, 4096, 1808};
    EXPECT_EQ(10000, load(0, 10000));
    EXPECT_EQ((std::vector<uint64_t>{0, 4096, 8192}), script.load_offsets);
}

TEST_F(ResidencyTest, ShouldTellWhyADiskFails)
{
    script.loads = {-EIO};
    EXPECT_EQ(-EIO, load(0, 10000));
}

TEST_F(ResidencyTest, ShouldKeepWhatWasLoadedBeforeADiskFailed)
{
    script.loads = {4096, -EIO};
    EXPECT_EQ(4096, load(0, 10000));
}

TEST_F(ResidencyTest, ShouldTellWhetherALoadedWindowStays)
{
    const auto stays = [this] { return sfd_residency_stays(&kernel_->kernel, file_.get(), 0, SIZE); };
    EXPECT_TRUE(stays());
    script.present_until = 0; /* direct I/O */
    EXPECT_FALSE(stays());
    script.cachestat_error = -EPERM;
    EXPECT_TRUE(stays()) << "of another user's file the bytes tell";
    script.cold_from = STEP;
    EXPECT_FALSE(stays());
    script.nowait = -EOPNOTSUPP;
    EXPECT_FALSE(stays()) << "who cannot ask does not rely on it";
}

TEST_F(ResidencyTest, ShouldSeeARealFileGetColdAndWarm)
{
    struct sfd_kernel kernel = kernel_->kernel;
    kernel.sys = &sfd_sys_linux;
    struct sfd_cachestat stat;
    const struct sfd_cachestat_range range = {0, 0};
    if (sfd_sys_linux.cachestat(file_.get(), &range, &stat) < 0) {
        GTEST_SKIP() << "cachestat needs Linux 6.5";
    }
    sfd_residency_learn(&devices_, &kernel, file_.get(), 1);
    if (sfd_devices_medium(&devices_, 0) != SFD_MEDIUM_LOCAL) {
        GTEST_SKIP() << "the temporary directory is not on a local disk";
    }
    ASSERT_EQ(0, fsync(file_.get()));
    ASSERT_TRUE(evict(file_.get()));
    EXPECT_EQ(0u, sfd_residency_probe(&kernel, SFD_MEDIUM_LOCAL, file_.get(), 0, SIZE));
    EXPECT_EQ(static_cast<int64_t>(SIZE), sfd_residency_load(&kernel, file_.get(), 0, SIZE));
    EXPECT_EQ(SIZE, sfd_residency_probe(&kernel, SFD_MEDIUM_LOCAL, file_.get(), 0, SIZE));
    EXPECT_TRUE(sfd_residency_stays(&kernel, file_.get(), 0, SIZE));
}

// R22: as root this process may ask everything, so it asks as somebody else.
TEST_F(ResidencyTest, ShouldSeeARealFileOfAnotherUserGetColdAndWarm)
{
    if (geteuid() != 0) {
        GTEST_SKIP() << "only root can be two users";
    }
    struct sfd_kernel kernel = kernel_->kernel;
    kernel.sys = &sfd_sys_linux;
    sfd_residency_learn(&devices_, &kernel, file_.get(), 1);
    if (sfd_devices_medium(&devices_, 0) != SFD_MEDIUM_LOCAL) {
        GTEST_SKIP() << "the temporary directory is not on a local disk";
    }
    const auto ready = [&] { return sfd_residency_probe(&kernel, SFD_MEDIUM_LOCAL, file_.get(), 0, SIZE); };
    const auto absent = [&] { return sfd_residency_is_absent(&kernel, file_.get(), 0, SIZE); };
    struct sfd_cachestat stat;
    const struct sfd_cachestat_range range = {0, 0};
    /* As root, who may look. */
    const auto drop = [&] {
        EXPECT_EQ(0, seteuid(0));
        EXPECT_TRUE(evict(file_.get()));
        EXPECT_EQ(0, seteuid(54321));
    };
    /* A byte is asked for by a read, which a fast disk may answer within the call: until it has not. */
    const auto once = [&](const auto &is_cold) {
        bool cold = false;
        for (int i = 0; i < 1000 && !cold; i++) {
            drop();
            cold = is_cold();
        }
        return cold;
    };
    ASSERT_EQ(0, fsync(file_.get()));
    ASSERT_EQ(0, seteuid(54321));
    const int told = sfd_sys_linux.cachestat(file_.get(), &range, &stat);
    const uint64_t warm = ready();
    const bool warm_absent = absent();
    const bool cold_absent = once(absent);
    const bool cold = once([&] { return ready() == 0; });
    const int64_t loaded = sfd_residency_load(&kernel, file_.get(), 0, SIZE);
    const uint64_t again = ready();
    const bool stays = sfd_residency_stays(&kernel, file_.get(), 0, SIZE);
    ASSERT_EQ(0, seteuid(0));
    EXPECT_TRUE(told == -EPERM || told == -ENOSYS) << told;
    EXPECT_EQ(SIZE, warm);
    EXPECT_FALSE(warm_absent);
    EXPECT_TRUE(cold_absent);
    EXPECT_TRUE(cold);
    EXPECT_EQ(static_cast<int64_t>(SIZE), loaded);
    EXPECT_EQ(SIZE, again);
    EXPECT_TRUE(stays);
}

} // namespace
