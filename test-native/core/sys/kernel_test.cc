// What the kernel can do: each answer, and each absence.
#include "core.h"

#include <linux/openat2.h>

namespace
{

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20
#endif

using KernelTest = CoreTest;

TEST_F(KernelTest, ShouldFindOutAboutThisKernelAndLeaveOneDescriptorOpen)
{
    const size_t before = openDescriptors().size();
    struct sfd_kernel kernel;
    ASSERT_EQ(0, sfd_kernel_init(&kernel, &sfd_sys_linux));
    EXPECT_EQ(before + 1, openDescriptors().size());
    EXPECT_EQ(1, write(kernel.null_fd, "x", 1));
    sfd_kernel_deinit(&kernel);
    sfd_kernel_deinit(&kernel); // idempotent
}

TEST_F(KernelTest, ShouldWritePlainlyWherePipesDoNotKnowNowait)
{
    struct sfd_sys sys = copyOfSys();
    sys.pwritev2 = [](int fd, const struct iovec *iov, int count, int64_t offset, int flags) {
        if ((flags & RWF_NOWAIT) != 0) {
            return static_cast<int64_t>(-EOPNOTSUPP);
        }
        return sfd_sys_linux.pwritev2(fd, iov, count, offset, flags);
    };
    const Kernel old(&sys);
    EXPECT_EQ(0, old.kernel.pipe_write_flags);
}

TEST_F(KernelTest, ShouldUseNowaitWherePipesKnowIt)
{
    struct sfd_sys sys = copyOfSys();
    sys.pwritev2 = [](int, const struct iovec *, int, int64_t, int) { return int64_t{1}; };
    const Kernel recent(&sys);
    EXPECT_EQ(RWF_NOWAIT, recent.kernel.pipe_write_flags);
}

TEST_F(KernelTest, ShouldDoWithoutCachedResolutionWhereTheKernelLacksIt)
{
    struct sfd_sys sys = copyOfSys();
    sys.openat2 = [](int dir, const char *path, const struct open_how *how) {
        if ((how->resolve & RESOLVE_CACHED) != 0) {
            return -EINVAL;
        }
        return sfd_sys_linux.openat2(dir, path, how);
    };
    const Kernel old(&sys);
    EXPECT_FALSE(old.kernel.resolve_cached);
}

TEST_F(KernelTest, ShouldTakeAnUncachedPathAsAProofThatTheKernelKnowsTheFlag)
{
    struct sfd_sys sys = copyOfSys();
    sys.openat2 = [](int, const char *, const struct open_how *) { return -EAGAIN; };
    const Kernel recent(&sys);
    EXPECT_TRUE(recent.kernel.resolve_cached);
}

TEST_F(KernelTest, ShouldDoWithoutCachestatWhereTheKernelLacksIt)
{
    struct sfd_sys sys = copyOfSys();
    sys.cachestat = [](int, const struct sfd_cachestat_range *, struct sfd_cachestat *) { return -ENOSYS; };
    const Kernel old(&sys);
    EXPECT_FALSE(old.kernel.cachestat);
}

TEST_F(KernelTest, ShouldTellProcessesApartByPidfdsOnlyWhereTheseHaveInodesOfTheirOwn) // R19
{
    struct sfd_sys sys = copyOfSys();
    sys.fstatfs_type = [](int, uint64_t *type) {
        *type = 0x09041934; // ANON_INODE_FS_MAGIC
        return 0;
    };
    const Kernel old(&sys);
    EXPECT_TRUE(old.kernel.pidfds);
    EXPECT_FALSE(old.kernel.pidfs);
    sys.pidfd_open = [](int) { return -EPERM; };
    const Kernel filtered(&sys);
    EXPECT_FALSE(filtered.kernel.pidfds);
    EXPECT_FALSE(filtered.kernel.pidfs);
}

} // namespace
