// What the kernel can do: each answer, and each absence.
#include "core.h"

#include <linux/openat2.h>

namespace
{

#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20
#endif

using MachineTest = CoreTest;

TEST_F(MachineTest, ShouldFindOutAboutThisKernelAndLeaveOneDescriptorOpen)
{
    const size_t before = openDescriptors().size();
    struct sfd_machine machine;
    ASSERT_EQ(0, sfd_machine_init(&machine, &sfd_sys_linux));
    EXPECT_EQ(before + 1, openDescriptors().size());
    EXPECT_EQ(1, write(machine.null_fd, "x", 1));
    sfd_machine_deinit(&machine);
    sfd_machine_deinit(&machine); // idempotent
}

TEST_F(MachineTest, ShouldWritePlainlyWherePipesDoNotKnowNowait)
{
    struct sfd_sys sys = copyOfSys();
    sys.pwritev2 = [](int fd, const struct iovec *iov, int count, int64_t offset, int flags) {
        if ((flags & RWF_NOWAIT) != 0) {
            return static_cast<int64_t>(-EOPNOTSUPP);
        }
        return sfd_sys_linux.pwritev2(fd, iov, count, offset, flags);
    };
    const Machine old(&sys);
    EXPECT_EQ(0, old.machine.pipe_write_flags);
}

TEST_F(MachineTest, ShouldUseNowaitWherePipesKnowIt)
{
    struct sfd_sys sys = copyOfSys();
    sys.pwritev2 = [](int, const struct iovec *, int, int64_t, int) { return int64_t{1}; };
    const Machine recent(&sys);
    EXPECT_EQ(RWF_NOWAIT, recent.machine.pipe_write_flags);
}

TEST_F(MachineTest, ShouldDoWithoutCachedResolutionWhereTheKernelLacksIt)
{
    struct sfd_sys sys = copyOfSys();
    sys.openat2 = [](int dir, const char *path, const struct open_how *how) {
        if ((how->resolve & RESOLVE_CACHED) != 0) {
            return -EINVAL;
        }
        return sfd_sys_linux.openat2(dir, path, how);
    };
    const Machine old(&sys);
    EXPECT_FALSE(old.machine.resolve_cached);
}

TEST_F(MachineTest, ShouldTakeAnUncachedPathAsAProofThatTheKernelKnowsTheFlag)
{
    struct sfd_sys sys = copyOfSys();
    sys.openat2 = [](int, const char *, const struct open_how *) { return -EAGAIN; };
    const Machine recent(&sys);
    EXPECT_TRUE(recent.machine.resolve_cached);
}

TEST_F(MachineTest, ShouldDoWithoutCachestatWhereTheKernelLacksIt)
{
    struct sfd_sys sys = copyOfSys();
    sys.cachestat = [](int, const struct sfd_cachestat_range *, struct sfd_cachestat *) { return -ENOSYS; };
    const Machine old(&sys);
    EXPECT_FALSE(old.machine.cachestat);
}

TEST_F(MachineTest, ShouldFindAFifoBrokenThatWasSplicedIntoAndLostItsReader)
{
    const TemporaryDirectory directory;
    ASSERT_EQ(0, mkfifo((directory / "fifo").c_str(), 0600));
    OwnedFd in = openFile(directory / "fifo", O_RDONLY | O_NONBLOCK);
    const OwnedFd out = openFile(directory / "fifo", O_WRONLY);
    in.reset();
    struct sfd_sys sys = copyOfSys();
    sys.pwritev2 = [](int, const struct iovec *, int, int64_t, int) { return static_cast<int64_t>(-EOPNOTSUPP); };
    Machine machine(&sys);
    machine.machine.pipe_write_flags = RWF_NOWAIT;
    char byte = 0;
    const struct iovec iov = {&byte, 1};
    EXPECT_EQ(-EPIPE, sfd_machine_write_pipe(&machine.machine, out.get(), &iov, 1));
}

} // namespace
