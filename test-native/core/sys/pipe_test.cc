// Pipes that somebody else reads: written to without waiting, and told apart from broken ones.
#include "core.h"

namespace
{

using PipeTest = CoreTest;

TEST_F(PipeTest, ShouldFindAFifoBrokenThatWasSplicedIntoAndLostItsReader)
{
    const TemporaryDirectory directory;
    ASSERT_EQ(0, mkfifo((directory / "fifo").c_str(), 0600));
    OwnedFd in = openFile(directory / "fifo", O_RDONLY | O_NONBLOCK);
    const OwnedFd out = openFile(directory / "fifo", O_WRONLY);
    in.reset();
    struct sfd_sys sys = copyOfSys();
    sys.pwritev2 = [](int, const struct iovec *, int, int64_t, int) { return static_cast<int64_t>(-EOPNOTSUPP); };
    Kernel kernel(&sys);
    kernel.kernel.pipe_write_flags = RWF_NOWAIT;
    char byte = 0;
    const struct iovec iov = {&byte, 1};
    EXPECT_EQ(-EPIPE, sfd_pipe_write(&kernel.kernel, out.get(), &iov, 1));
}

} // namespace
