// Destinations: what is accepted, what fits, how memory is written, and how each type is closed.
#include "core.h"

#include <functional>
#include <memory>

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "pty.h"

extern "C" {
#include "transfer/destination.h"
}

namespace
{

constexpr uint32_t SENDFILE = SFD_TECHNIQUE_BIT(SFD_TECHNIQUE_SENDFILE);
constexpr uint32_t SPLICE = SFD_TECHNIQUE_BIT(SFD_TECHNIQUE_SPLICE);
constexpr uint32_t COPY = SFD_TECHNIQUE_BIT(SFD_TECHNIQUE_COPY_FILE_RANGE);
constexpr uint32_t READ_WRITE = SFD_TECHNIQUE_BIT(SFD_TECHNIQUE_READ_WRITE);
constexpr uint32_t MEMORY = SFD_TECHNIQUE_BIT(SFD_TECHNIQUE_MMAP) | READ_WRITE;

class DestinationTest : public CoreTest
{
  protected:
    void SetUp() override
    {
        CoreTest::SetUp();
        kernel_ = std::make_unique<Kernel>();
        sfd_devices_init(&devices_);
        sfd_closer_init(&closer_, &sfd_sys_linux, &devices_);
        directory_ = std::make_unique<TemporaryDirectory>();
    }
    void TearDown() override
    {
        fd_.reset();
        client_.reset();
        directory_.reset();
        sfd_closer_deinit(&closer_);
        sfd_devices_deinit(&devices_);
        kernel_.reset();
        CoreTest::TearDown();
    }

    /* Accepts a descriptor that the client keeps a copy of. */
    int accept(OwnedFd client)
    {
        struct sfd_fd_info info = {};
        client_ = std::move(client);
        const int fd = fcntl(client_.get(), F_DUPFD_CLOEXEC, 0);
        EXPECT_EQ(0, sfd_fd_classify(&sfd_sys_linux, fd, &info));
        dest_ = {};
        dest_.fd = fd;
        const int result = sfd_destination_accept(&kernel_->kernel, available_, &devices_, &info, &dest_);
        fd_.reset(dest_.fd);
        at_first_ = dest_.fits;
        if (result == 0) {
            sfd_destination_ask(&kernel_->kernel, available_, dest_.fd, &dest_);
        }
        return result;
    }
    void close(int *fd, enum sfd_fd_kind kind, int16_t device)
    {
        struct sfd_destination destination = {};
        destination.fd = *fd;
        destination.kind = kind;
        destination.device = device;
        sfd_destination_close(&closer_, &destination, nullptr);
        *fd = destination.fd;
    }
    static OwnedFd nonblocking(OwnedFd fd)
    {
        setNonblocking(fd.get());
        return fd;
    }
    OwnedFd file(int flags)
    {
        return openFile(*directory_ / "file", flags | O_CREAT);
    }
    int64_t write(const std::string &bytes, bool more = false)
    {
        const struct iovec iov = {const_cast<char *>(bytes.data()), bytes.size()};
        return sfd_destination_write(&kernel_->kernel, fd_.get(), dest_.kind, &iov, 1, more);
    }

    std::unique_ptr<Kernel> kernel_;
    uint32_t available_ = SFD_TECHNIQUES_ALL;
    struct sfd_devices devices_;
    struct sfd_closer closer_;
    std::unique_ptr<TemporaryDirectory> directory_;
    struct sfd_destination dest_;
    uint32_t at_first_; // before it was asked for its flags
    OwnedFd fd_;
    OwnedFd client_;
};

TEST_F(DestinationTest, ShouldTellWhatFitsEachType)
{
    struct Type {
        const char *name;
        OwnedFd fd;
        enum sfd_fd_kind kind;
        uint32_t fits;
    };
    Type types[] = {
        {"TCP", tcpPair().out, SFD_FD_TCP, MEMORY},
        {"TCP, O_NONBLOCK", nonblocking(tcpPair().out), SFD_FD_TCP, MEMORY | SENDFILE},
        {"UNIX", SocketPair().out, SFD_FD_UNIX_STREAM, MEMORY},
        {"UNIX, O_NONBLOCK", nonblocking(SocketPair().out), SFD_FD_UNIX_STREAM, MEMORY | SENDFILE},
        {"seqpacket", nonblocking(SocketPair(SOCK_SEQPACKET).out), SFD_FD_UNIX_SEQPACKET, MEMORY},
        {"pipe", Pipe().out, SFD_FD_PIPE, MEMORY | SPLICE},
        {"pipe, O_NONBLOCK", Pipe(O_NONBLOCK).out, SFD_FD_PIPE, MEMORY | SPLICE | SENDFILE},
        {"file", file(O_WRONLY), SFD_FD_REGULAR, MEMORY | SENDFILE | COPY},
        {"file, O_APPEND", file(O_WRONLY | O_APPEND), SFD_FD_REGULAR, MEMORY},
        {"memory file", OwnedFd(memfd_create("test", MFD_CLOEXEC)), SFD_FD_REGULAR, MEMORY | SENDFILE | COPY},
        {"null", openFile("/dev/null", O_WRONLY), SFD_FD_CHAR, MEMORY | SENDFILE},
        {"null, O_APPEND", openFile("/dev/null", O_WRONLY | O_APPEND), SFD_FD_CHAR, MEMORY},
        {"zero", openFile("/dev/zero", O_RDWR), SFD_FD_CHAR, MEMORY | SENDFILE},
        {"full", openFile("/dev/full", O_WRONLY), SFD_FD_CHAR, MEMORY},
        {"terminal", Pty().line, SFD_FD_CHAR, 0}, // below: its master has to stay
    };
    for (Type &type : types) {
        if (type.fits == 0) {
            continue;
        }
        SCOPED_TRACE(type.name);
        ASSERT_EQ(0, accept(std::move(type.fd)));
        EXPECT_EQ(type.kind, dest_.kind);
        EXPECT_EQ(type.fits, dest_.fits);
        EXPECT_EQ(0u, at_first_ & ~type.fits) << "nothing that may turn out not to fit";
        EXPECT_EQ(type.kind == SFD_FD_REGULAR, dest_.device >= 0);
    }
    const Pty pty;
    ASSERT_EQ(0, accept(OwnedFd(dup(pty.line.get()))));
    EXPECT_EQ(MEMORY, dest_.fits);
}

TEST_F(DestinationTest, ShouldMakeEveryTechniqueTrueThatItCallsFit)
{
    // The kernel agrees: no technique that fits is refused, by a kernel that has them all.
    const OwnedFd source = openFile(*directory_ / "source", O_RDWR | O_CREAT);
    ASSERT_EQ(3, ::write(source.get(), "abc", 3));
    Pipe pipe(O_NONBLOCK);
    SocketPair pair;
    setNonblocking(pair.out.get());
    OwnedFd ends[] = {
        OwnedFd(dup(pipe.out.get())),   OwnedFd(dup(pair.out.get())),    file(O_WRONLY),
        file(O_WRONLY | O_APPEND),      openFile("/dev/null", O_WRONLY), openFile("/dev/null", O_WRONLY | O_APPEND),
        openFile("/dev/zero", O_WRONLY)};
    for (OwnedFd &end : ends) {
        ASSERT_EQ(0, accept(std::move(end)));
        int64_t at = 0;
        const int64_t sent = sfd_sys_linux.sendfile(fd_.get(), source.get(), &at, 3);
        EXPECT_EQ((dest_.fits & SENDFILE) != 0 ? 3 : -EINVAL, sent);
        at = 0;
        const int64_t copied = sfd_sys_linux.copy_file_range(source.get(), &at, fd_.get(), nullptr, 3);
        EXPECT_EQ((dest_.fits & COPY) != 0, copied == 3);
    }
}

TEST_F(DestinationTest, ShouldOfferWhatThisMachineHas)
{
    available_ = READ_WRITE | SPLICE;
    ASSERT_EQ(0, accept(file(O_WRONLY)));
    EXPECT_EQ(READ_WRITE, dest_.fits);
}

TEST_F(DestinationTest, ShouldRefuseWhatTakesNoBytesOfAFile)
{
    EXPECT_EQ(-EOPNOTSUPP, accept(OwnedFd(eventfd(0, EFD_CLOEXEC))));
    EXPECT_EQ(-EOPNOTSUPP, accept(SocketPair(SOCK_DGRAM).out)); // R7
    EXPECT_EQ(-EOPNOTSUPP, accept(openFile("/tmp", O_RDONLY | O_DIRECTORY)));
    EXPECT_EQ(-EOPNOTSUPP, accept(openFile("/dev/urandom", O_WRONLY)));
    EXPECT_EQ(-EOPNOTSUPP, accept(openFile("/dev/null", O_PATH)));
    Pty pty;
    EXPECT_EQ(-EOPNOTSUPP, accept(std::move(pty.master))) << "opened again it is another pty's";
}

TEST_F(DestinationTest, ShouldRefuseWhatIsNotOpenForWriting)
{
    EXPECT_EQ(-EBADF, accept(Pipe().in));
    EXPECT_EQ(-EBADF, accept(file(O_RDONLY)));
    EXPECT_EQ(-EBADF, accept(openFile("/dev/null", O_RDONLY)));
}

TEST_F(DestinationTest, ShouldRefuseAMemoryFileThatIsSealedAgainstWrites)
{
    for (const int seal : {F_SEAL_WRITE, F_SEAL_FUTURE_WRITE, F_SEAL_SHRINK}) {
        OwnedFd memory(memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
        ASSERT_EQ(0, fcntl(memory.get(), F_ADD_SEALS, seal));
        EXPECT_EQ(seal == F_SEAL_SHRINK ? 0 : -EPERM, accept(std::move(memory)));
    }
}

TEST_F(DestinationTest, ShouldWriteToATerminalThroughADescriptionOfItsOwn)
{
    const Pty pty;
    ASSERT_EQ(0, accept(OwnedFd(dup(pty.line.get()))));
    EXPECT_TRUE(dest_.nonblock);
    EXPECT_NE(0, fcntl(fd_.get(), F_GETFL) & O_NONBLOCK);
    EXPECT_EQ(0, fcntl(pty.line.get(), F_GETFL) & O_NONBLOCK) << "the flag is the client's";
    EXPECT_EQ(5, write("hello"));
    EXPECT_EQ("hello", readExactly(pty.master.get(), 5));
}

TEST_F(DestinationTest, ShouldNotWaitForATerminalThatTakesNoMore)
{
    const Pty pty;
    ASSERT_EQ(0, accept(OwnedFd(dup(pty.line.get()))));
    const std::string page(4096, 'x');
    int64_t n;
    do {
        n = write(page);
    } while (n > 0);
    EXPECT_EQ(-EAGAIN, n);
    ASSERT_FALSE(drain(pty.master.get()).empty());
    EXPECT_GT(write(page), 0);
}

TEST_F(DestinationTest, ShouldFailForATerminalThatHungUp)
{
    Pty pty;
    ASSERT_EQ(0, accept(OwnedFd(dup(pty.line.get()))));
    pty.master.reset();
    EXPECT_EQ(-EIO, write("hello"));
    EXPECT_EQ(-EIO, accept(OwnedFd(dup(pty.line.get())))) << "it cannot be opened again";
}

TEST_F(DestinationTest, ShouldReopenAPipeWhereItsKernelKnowsNoNowait)
{
    kernel_->kernel.pipe_write_flags = 0;
    ASSERT_EQ(0, accept(Pipe().out));
    EXPECT_TRUE(dest_.nonblock);
    EXPECT_EQ(MEMORY | SPLICE | SENDFILE, dest_.fits) << "the description is ours";
    EXPECT_EQ(0, fcntl(client_.get(), F_GETFL) & O_NONBLOCK);
}

/* In a child that is another user from then on: 0, or the number of what has failed. */
static int inChildOf(uid_t uid, const std::function<int()> &body)
{
    const pid_t pid = fork();
    if (pid == 0) {
        _exit(setresuid(uid, uid, uid) != 0 ? 100 : body());
    }
    int status = 0;
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(DestinationTest, ShouldWriteToAnotherUsersPipeThatItCannotReopenWithoutWaiting) // R5, R9, R22
{
    if (geteuid() != 0) {
        GTEST_SKIP() << "only root can be two users";
    }
    const Pipe pipe;
    EXPECT_EQ(0, inChildOf(54321, [&] {
                  kernel_->kernel.pipe_write_flags = 0;
                  kernel_->kernel.uid = geteuid();
                  if (accept(OwnedFd(dup(pipe.out.get()))) != 0) {
                      return 1;
                  }
                  if (dest_.nonblock || (fcntl(dest_.fd, F_GETFL) & O_NONBLOCK) != 0) {
                      return 2;
                  }
                  if (write("hello") != 5) {
                      return 3;
                  }
                  alarm(20); // it would wait
                  int64_t n = 0;
                  while ((n = write(std::string(4096, 'x'))) > 0) {
                  }
                  return n == -EAGAIN ? 0 : 4;
              }));
    EXPECT_EQ("hello", drain(pipe.in.get()).substr(0, 5));
}

TEST_F(DestinationTest, ShouldDemandThatTheOtherEndIsTheSameUsers) // R7, R9
{
    const SocketPair pair;
    const OwnedFd lonely(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const Pipe pipe;
    const auto demand = [&](int fd, enum sfd_fd_kind kind, uid_t uid) {
        return sfd_destination_demand_own_peer(&kernel_->kernel, fd, kind, uid);
    };
    EXPECT_EQ(0, demand(pair.out.get(), SFD_FD_UNIX_STREAM, geteuid()));
    EXPECT_EQ(-EPERM, demand(pair.out.get(), SFD_FD_UNIX_STREAM, geteuid() + 1));
    EXPECT_EQ(-EPERM, demand(pair.out.get(), SFD_FD_UNIX_SEQPACKET, geteuid() + 1));
    EXPECT_EQ(-ENOTCONN, demand(lonely.get(), SFD_FD_UNIX_STREAM, geteuid()));
    EXPECT_EQ(0, demand(pipe.out.get(), SFD_FD_PIPE, geteuid() + 1));
}

TEST_F(DestinationTest, ShouldTellFilesToWhichItMattersWhoWrites) // R7, R9
{
    const OwnedFd plain = file(O_WRONLY);
    EXPECT_EQ(0, sfd_destination_demand_plain(&kernel_->kernel, plain.get()));
    ASSERT_EQ(0, fchmod(plain.get(), 04755));
    EXPECT_EQ(-EPERM, sfd_destination_demand_plain(&kernel_->kernel, plain.get()));
    const OwnedFd memory(memfd_create("memory", MFD_CLOEXEC));
    EXPECT_EQ(0, sfd_destination_demand_plain(&kernel_->kernel, memory.get()));
    EXPECT_EQ(-EACCES, sfd_destination_demand_plain(&kernel_->kernel, openFile("/proc/self/comm", O_WRONLY).get()));
}

TEST_F(DestinationTest, ShouldTakeAStatusChannelForAPipe)
{
    for (const bool nonblock : {false, true}) {
        const Pipe pipe(nonblock ? O_NONBLOCK : 0);
        struct sfd_destination channel = sfd_destination_of_channel(available_);
        EXPECT_EQ(SFD_FD_PIPE, channel.kind);
        EXPECT_EQ(MEMORY | SPLICE, channel.fits);
        sfd_destination_ask(&kernel_->kernel, available_, pipe.out.get(), &channel);
        EXPECT_EQ(nonblock, channel.nonblock);
        EXPECT_EQ(MEMORY | SPLICE | (nonblock ? SENDFILE : 0), channel.fits);
    }
}

TEST_F(DestinationTest, ShouldReadAndWriteWhatOnlyTheDiskPoolCanRead)
{
    ASSERT_EQ(0, accept(nonblocking(tcpPair().out)));
    for (const auto medium : {SFD_MEDIUM_MEMORY, SFD_MEDIUM_LOCAL, SFD_MEDIUM_LOCKING}) {
        EXPECT_EQ(MEMORY | SENDFILE, sfd_destination_fits(&dest_, medium));
    }
    EXPECT_EQ(READ_WRITE | SENDFILE, sfd_destination_fits(&dest_, SFD_MEDIUM_FUSE))
        << "a mapping can wait for its server";
    EXPECT_EQ(READ_WRITE, sfd_destination_fits(&dest_, SFD_MEDIUM_REMOTE));
    ASSERT_EQ(0, accept(file(O_WRONLY)));
    EXPECT_EQ(READ_WRITE | SENDFILE | COPY, sfd_destination_fits(&dest_, SFD_MEDIUM_REMOTE))
        << "there the disk pool moves the bytes";
}

TEST_F(DestinationTest, ShouldCloseAtOnceWhatCanNotBlock)
{
    const size_t before = openDescriptors().size();
    int ends[] = {fcntl(Pipe().out.get(), F_DUPFD_CLOEXEC, 0), fcntl(SocketPair().out.get(), F_DUPFD_CLOEXEC, 0),
                  fcntl(tcpPair().out.get(), F_DUPFD_CLOEXEC, 0)};
    const enum sfd_fd_kind kinds[] = {SFD_FD_PIPE, SFD_FD_UNIX_STREAM, SFD_FD_TCP};
    for (size_t i = 0; i < std::size(ends); i++) {
        close(&ends[i], kinds[i], 9);
        EXPECT_EQ(-1, ends[i]);
    }
    EXPECT_EQ(0u, closer_.count);
    EXPECT_EQ(before, openDescriptors().size());
}

TEST_F(DestinationTest, ShouldLeaveFilesToTheirDiskAndTerminalsToTheCloser)
{
    int regular = fcntl(file(O_WRONLY).get(), F_DUPFD_CLOEXEC, 0);
    close(&regular, SFD_FD_REGULAR, 9);
    const Pty pty;
    int line = fcntl(pty.line.get(), F_DUPFD_CLOEXEC, 0); // the last close of a line drains it
    close(&line, SFD_FD_CHAR, 9);
    EXPECT_EQ(-1, regular);
    EXPECT_EQ(-1, line);
    ASSERT_EQ(2u, closer_.count);
    EXPECT_EQ(SFD_QUEUE_DEVICES + 9, closer_.closes[0].queue);
    EXPECT_EQ(SFD_QUEUE_CLOSE, closer_.closes[1].queue);
    int none = -1;
    close(&none, SFD_FD_REGULAR, 9);
    EXPECT_EQ(2u, closer_.count);
}

TEST_F(DestinationTest,
       ShouldLookAtWhatWasRefusedBeforeItIsClosed) // R4: a dead disk's descriptors keep no queue but its own
{
    int regular = fcntl(file(O_RDONLY).get(), F_DUPFD_CLOEXEC, 0);
    close(&regular, SFD_FD_REGULAR, -1);
    int folder = fcntl(openFile(directory_->path(), O_RDONLY | O_DIRECTORY).get(), F_DUPFD_CLOEXEC, 0);
    close(&folder, SFD_FD_OTHER, -1);
    ASSERT_EQ(2u, closer_.count);
    EXPECT_EQ(SFD_QUEUE_DEVICES, closer_.closes[0].queue);
    EXPECT_EQ(SFD_QUEUE_DEVICES, closer_.closes[1].queue);
}

} // namespace
