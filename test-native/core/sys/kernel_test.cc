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

TEST_F(KernelTest, ShouldTryAgainWhileDirectoriesAreRenamed)
{
    static int busy;
    busy = 3;
    struct sfd_sys sys = copyOfSys();
    sys.openat2 = [](int dir, const char *path, const struct open_how *how) {
        return busy-- > 0 ? -EAGAIN : sfd_sys_linux.openat2(dir, path, how);
    };
    const Kernel recent(&sys);
    EXPECT_TRUE(recent.kernel.resolve_cached);
}

// R22: ENOSYS is a kernel's answer, EPERM that of a container's filter, any other one is no success either.
TEST_F(KernelTest, ShouldCountACallAsPresentOnlyWhenItHasSucceeded)
{
    static int error;
    struct sfd_sys sys = copyOfSys();
    sys.cachestat = [](int, const struct sfd_cachestat_range *, struct sfd_cachestat *) { return -error; };
    sys.openat2 = [](int, const char *, const struct open_how *) { return -error; };
    sys.pwritev2 = [](int, const struct iovec *, int, int64_t, int) { return static_cast<int64_t>(-error); };
    for (const int each : {ENOSYS, EPERM, EACCES, EINVAL, EAGAIN}) {
        error = each;
        const Kernel without(&sys);
        EXPECT_FALSE(without.kernel.cachestat) << each;
        EXPECT_FALSE(without.kernel.resolve_cached) << each;
        EXPECT_EQ(0, without.kernel.pipe_write_flags) << each;
    }
    const Kernel real;
    const struct sfd_cachestat_range range = {0, 1};
    struct sfd_cachestat stat;
    EXPECT_EQ(sfd_sys_linux.cachestat(real.kernel.null_fd, &range, &stat) == 0, real.kernel.cachestat);
}

// R22
TEST_F(KernelTest, ShouldNameTheCallThatItCannotDoWithout)
{
    const char *call = nullptr;
    EXPECT_EQ(0, sfd_kernel_demand(&sfd_sys_linux, &call));
    EXPECT_EQ(nullptr, call);
    static int error;
    for (const int each : {ENOSYS, EPERM}) {
        error = each;
        struct sfd_sys sys = copyOfSys();
        sys.recvmmsg = [](int, struct mmsghdr *, unsigned, int) { return -error; };
        EXPECT_EQ(-each, sfd_kernel_demand(&sys, &call));
        EXPECT_STREQ("recvmmsg", call);
        sys.statx = [](int, const char *, int, unsigned, struct statx *) { return -error; };
        EXPECT_EQ(-each, sfd_kernel_demand(&sys, &call));
        EXPECT_STREQ("statx", call);
        sys.openat2 = [](int, const char *, const struct open_how *) { return -error; };
        EXPECT_EQ(-each, sfd_kernel_demand(&sys, &call));
        EXPECT_STREQ("openat2", call);
    }
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
