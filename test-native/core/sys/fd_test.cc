// Descriptors: every type is told from every other, by calls that cannot block.
#include "core.h"

#include <functional>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

namespace
{

using FdTest = CoreTest;

struct Type {
    const char *name;
    enum sfd_fd_kind kind;
    bool readable;
    bool writable;
    std::function<OwnedFd(const TemporaryDirectory &)> make;
};

OwnedFd of(int fd)
{
    return OwnedFd(fd);
}

std::vector<Type> types()
{
    const auto file = [](int flags) {
        return [flags](const TemporaryDirectory &d) { return openFile(d / "file", flags | O_CREAT); };
    };
    const auto sock = [](int domain, int type) {
        return [=](const TemporaryDirectory &) { return of(socket(domain, type | SOCK_CLOEXEC, 0)); };
    };
    return {
        {"pipe, read end", SFD_FD_PIPE, true, false, [](const TemporaryDirectory &) { return Pipe().in; }},
        {"pipe, write end", SFD_FD_PIPE, false, true, [](const TemporaryDirectory &) { return Pipe().out; }},
        {"FIFO", SFD_FD_PIPE, true, true,
         [](const TemporaryDirectory &d) {
             EXPECT_EQ(0, mkfifo((d / "fifo").c_str(), 0600));
             return openFile(d / "fifo", O_RDWR);
         }},
        {"TCP socket", SFD_FD_TCP, true, true, sock(AF_INET, SOCK_STREAM)},
        {"TCP socket, IPv6", SFD_FD_TCP, true, true, sock(AF_INET6, SOCK_STREAM)},
        {"UNIX stream socket", SFD_FD_UNIX_STREAM, true, true, sock(AF_UNIX, SOCK_STREAM)},
        {"UNIX datagram socket", SFD_FD_OTHER, true, true, sock(AF_UNIX, SOCK_DGRAM)},
        {"UNIX seqpacket socket", SFD_FD_UNIX_SEQPACKET, true, true, sock(AF_UNIX, SOCK_SEQPACKET)},
        {"UDP socket", SFD_FD_OTHER, true, true, sock(AF_INET, SOCK_DGRAM)},
        {"netlink socket", SFD_FD_OTHER, true, true, sock(AF_NETLINK, SOCK_RAW)},
        {"file to read", SFD_FD_REGULAR, true, false, file(O_RDONLY)},
        {"file to write", SFD_FD_REGULAR, false, true, file(O_WRONLY)},
        {"file to read and write", SFD_FD_REGULAR, true, true, file(O_RDWR)},
        {"memory file", SFD_FD_REGULAR, true, true,
         [](const TemporaryDirectory &) { return of(memfd_create("test", MFD_CLOEXEC)); }},
        {"character device", SFD_FD_CHAR, false, true,
         [](const TemporaryDirectory &) { return openFile("/dev/null", O_WRONLY); }},
        {"directory", SFD_FD_OTHER, true, false,
         [](const TemporaryDirectory &d) { return openFile(d.path(), O_RDONLY | O_DIRECTORY); }},
        {"O_PATH of a file", SFD_FD_OTHER, false, false,
         [](const TemporaryDirectory &d) {
             writeFile(d / "file", "x");
             return openFile(d / "file", O_PATH);
         }},
        {"O_PATH of a FIFO", SFD_FD_OTHER, false, false,
         [](const TemporaryDirectory &d) {
             EXPECT_EQ(0, mkfifo((d / "fifo").c_str(), 0600));
             return openFile(d / "fifo", O_PATH);
         }},
        {"epoll", SFD_FD_OTHER, true, true,
         [](const TemporaryDirectory &) { return of(epoll_create1(EPOLL_CLOEXEC)); }},
        {"eventfd", SFD_FD_OTHER, true, true, [](const TemporaryDirectory &) { return of(eventfd(0, EFD_CLOEXEC)); }},
        {"timerfd", SFD_FD_OTHER, true, true,
         [](const TemporaryDirectory &) { return of(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)); }},
        {"inotify", SFD_FD_OTHER, true, false,
         [](const TemporaryDirectory &) { return of(inotify_init1(IN_CLOEXEC)); }},
    };
}

TEST_F(FdTest, ShouldTellEveryTypeOfDescriptor)
{
    int number = 0;
    for (const Type &type : types()) {
        SCOPED_TRACE(type.name);
        const TemporaryDirectory directory;
        const OwnedFd fd = type.make(directory);
        ASSERT_GE(fd.get(), 0);
        struct sfd_fd_info info = {};
        ASSERT_EQ(0, sfd_fd_classify(&sfd_sys_linux, fd.get(), &info));
        EXPECT_EQ(type.kind, info.kind);
        EXPECT_EQ(type.readable, info.readable);
        EXPECT_EQ(type.writable, info.writable);
        EXPECT_FALSE(info.nonblock);
        number++;
    }
    EXPECT_GE(number, 14); // R6
}

TEST_F(FdTest, ShouldRefuseANumberThatIsNotOpenAndLeaveTheOutputAlone)
{
    struct sfd_fd_info info = {};
    info.kind = SFD_FD_CHAR;
    EXPECT_EQ(-EBADF, sfd_fd_classify(&sfd_sys_linux, 1 << 20, &info));
    EXPECT_EQ(SFD_FD_CHAR, info.kind);
}

TEST_F(FdTest, ShouldTellNonblockOfTheDescription)
{
    const Pipe pipe(O_NONBLOCK);
    struct sfd_fd_info info = {};
    ASSERT_EQ(0, sfd_fd_classify(&sfd_sys_linux, pipe.out.get(), &info));
    EXPECT_TRUE(info.asked);
    EXPECT_TRUE(info.nonblock);
}

TEST_F(FdTest, ShouldAskASocketForItsFlagsOnlyWhenItIsTold)
{
    const SocketPair pair(SOCK_STREAM | SOCK_NONBLOCK);
    struct sfd_sys silent = sfd_sys_linux;
    silent.fcntl = [](int, int, int64_t) -> int { return -EIO; };
    struct sfd_fd_info info = {};
    ASSERT_EQ(0, sfd_fd_classify(&silent, pair.out.get(), &info));
    EXPECT_EQ(SFD_FD_UNIX_STREAM, info.kind);
    EXPECT_FALSE(info.asked);
    EXPECT_EQ(-EIO, sfd_fd_ask(&silent, pair.out.get(), &info));
    EXPECT_FALSE(info.asked);
    ASSERT_EQ(0, sfd_fd_ask(&sfd_sys_linux, pair.out.get(), &info));
    EXPECT_TRUE(info.asked);
    EXPECT_TRUE(info.nonblock);
    EXPECT_FALSE(info.append);
}

TEST_F(FdTest, ShouldKnowAPipeAndNothingElseAsAPipe)
{
    for (const Type &type : types()) {
        SCOPED_TRACE(type.name);
        const TemporaryDirectory directory;
        const OwnedFd fd = type.make(directory);
        EXPECT_EQ(type.kind == SFD_FD_PIPE, sfd_fd_is_pipe(&sfd_sys_linux, fd.get()));
    }
    EXPECT_FALSE(sfd_fd_is_pipe(&sfd_sys_linux, 1 << 20));
}

TEST_F(FdTest, ShouldAskAFileWithoutWaitingForItsServer)
{
    const TemporaryDirectory directory;
    const OwnedFd fd = openFile(directory / "file", O_RDWR | O_CREAT);
    static int asked_flags;
    asked_flags = 0;
    struct sfd_sys sys = copyOfSys();
    sys.statx = [](int f, const char *path, int flags, unsigned mask, struct statx *out) {
        asked_flags = flags;
        return sfd_sys_linux.statx(f, path, flags, mask, out);
    };
    struct sfd_fd_info info = {};
    ASSERT_EQ(0, sfd_fd_classify(&sys, fd.get(), &info));
    EXPECT_EQ(AT_STATX_DONT_SYNC, asked_flags & AT_STATX_SYNC_TYPE);
}

TEST_F(FdTest, ShouldTakeAFileWhoseTypeCannotBeAskedAsUnknown)
{
    const TemporaryDirectory directory;
    const OwnedFd fd = openFile(directory / "file", O_RDWR | O_CREAT);
    struct sfd_sys sys = copyOfSys();
    sys.statx = [](int, const char *, int, unsigned, struct statx *) { return -EIO; };
    struct sfd_fd_info info = {};
    ASSERT_EQ(0, sfd_fd_classify(&sys, fd.get(), &info));
    EXPECT_EQ(SFD_FD_OTHER, info.kind);
}

TEST_F(FdTest, ShouldKnowThatOnlyPipesAndSocketsThatDoNotLingerCloseAtOnce)
{
    const TemporaryDirectory directory;
    const Pipe pipe;
    const OwnedFd file = openFile(directory / "file", O_RDWR | O_CREAT);
    const SocketPair unix_pair;
    SocketPair tcp = tcpPair();
    const auto blocks = [](const OwnedFd &fd) {
        struct sfd_fd_info info = {};
        EXPECT_EQ(0, sfd_fd_classify(&sfd_sys_linux, fd.get(), &info));
        return sfd_fd_close_may_block(&sfd_sys_linux, fd.get(), info.kind);
    };
    EXPECT_FALSE(blocks(pipe.out));
    EXPECT_FALSE(blocks(unix_pair.out));
    ASSERT_EQ(1, write(unix_pair.in.get(), "x", 1));
    EXPECT_TRUE(blocks(unix_pair.out)) << "a descriptor in its queue would be closed with it";
    EXPECT_TRUE(blocks(SocketPair(SOCK_SEQPACKET).out)) << "no call tells of records with descriptors alone";
    EXPECT_FALSE(blocks(tcp.out));
    EXPECT_TRUE(blocks(file));
    struct linger linger = {1, 0};
    ASSERT_EQ(0, setsockopt(tcp.out.get(), SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
    EXPECT_FALSE(blocks(tcp.out)) << "a reset does not wait";
    linger.l_linger = 1;
    ASSERT_EQ(0, setsockopt(tcp.out.get(), SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
    EXPECT_TRUE(blocks(tcp.out));
}

TEST_F(FdTest, ShouldReopenAPipeWithoutAChangeToTheClientsDescription)
{
    const Pipe pipe;
    const OwnedFd own(sfd_fd_reopen_pipe(&sfd_sys_linux, pipe.out.get()));
    ASSERT_GE(own.get(), 0);
    EXPECT_NE(0, fcntl(own.get(), F_GETFL) & O_NONBLOCK);
    EXPECT_EQ(0, fcntl(pipe.out.get(), F_GETFL) & O_NONBLOCK);
    EXPECT_NE(0, fcntl(own.get(), F_GETFD) & FD_CLOEXEC);
    ASSERT_EQ(2, write(own.get(), "hi", 2));
    EXPECT_EQ("hi", drain(pipe.in.get()));
}

TEST_F(FdTest, ShouldFindAReopenedPipeAsBrokenAsTheClients)
{
    Pipe pipe;
    pipe.in.reset();
    const OwnedFd own(sfd_fd_reopen_pipe(&sfd_sys_linux, pipe.out.get()));
    ASSERT_GE(own.get(), 0);
    EXPECT_EQ(-1, write(own.get(), "x", 1));
    EXPECT_EQ(EPIPE, errno);
}

TEST_F(FdTest, ShouldCloseOnceHoweverOftenItIsAsked) // D37
{
    Pipe pipe;
    int fd = dup(pipe.out.get());
    const int number = fd;
    sfd_fd_close(&sfd_sys_linux, &fd);
    EXPECT_EQ(-1, fd);
    ASSERT_EQ(number, dup(pipe.in.get())) << "the number is in use again";
    sfd_fd_close(&sfd_sys_linux, &fd);
    EXPECT_GE(fcntl(number, F_GETFD), 0);
    EXPECT_EQ(0, close(number));
}

TEST_F(FdTest, ShouldTellTheDevicesThatTakeBytesFromOthers)
{
    const std::vector<std::pair<const char *, enum sfd_fd_device>> devices = {
        {"/dev/null", SFD_FD_DEVICE_NULL},     {"/dev/zero", SFD_FD_DEVICE_NULL},  {"/dev/full", SFD_FD_DEVICE_FULL},
        {"/dev/urandom", SFD_FD_DEVICE_OTHER}, {"/dev/ptmx", SFD_FD_DEVICE_OTHER}, // to open it again makes another pty
    };
    for (const auto &device : devices) {
        SCOPED_TRACE(device.first);
        const OwnedFd fd = openFile(device.first, O_WRONLY | O_NOCTTY);
        struct sfd_fd_info info = {};
        ASSERT_EQ(0, sfd_fd_classify(&sfd_sys_linux, fd.get(), &info));
        EXPECT_EQ(SFD_FD_CHAR, info.kind);
        EXPECT_EQ(device.second, info.device);
    }
}

TEST_F(FdTest, ShouldTellTerminalsByTheirNumbers)
{
    struct Number {
        unsigned major;
        unsigned minor;
        enum sfd_fd_device device;
    };
    static Number number;
    struct sfd_sys sys = copyOfSys();
    sys.statx = [](int, const char *, int, unsigned, struct statx *out) {
        *out = {};
        out->stx_mode = S_IFCHR;
        out->stx_rdev_major = number.major;
        out->stx_rdev_minor = number.minor;
        return 0;
    };
    const OwnedFd fd = openFile("/dev/null", O_WRONLY);
    for (const Number each : {Number{136, 0, SFD_FD_DEVICE_TERMINAL},
                              {143, 5, SFD_FD_DEVICE_TERMINAL},
                              {4, 64, SFD_FD_DEVICE_TERMINAL},
                              {188, 0, SFD_FD_DEVICE_TERMINAL},
                              {4, 0, SFD_FD_DEVICE_OTHER},   // the console in front
                              {5, 0, SFD_FD_DEVICE_OTHER},   // /dev/tty
                              {5, 1, SFD_FD_DEVICE_OTHER},   // /dev/console
                              {128, 0, SFD_FD_DEVICE_OTHER}, // master of a pty
                              {144, 0, SFD_FD_DEVICE_OTHER},
                              {1, 1, SFD_FD_DEVICE_OTHER}, // /dev/mem
                              {10, 229, SFD_FD_DEVICE_OTHER}}) {
        number = each;
        struct sfd_fd_info info = {};
        ASSERT_EQ(0, sfd_fd_classify(&sys, fd.get(), &info));
        EXPECT_EQ(each.device, info.device) << each.major << ":" << each.minor;
    }
}

TEST_F(FdTest, ShouldTellADescriptorThatAppends)
{
    const TemporaryDirectory directory;
    for (const int append : {0, O_APPEND}) {
        const OwnedFd fd = openFile(directory / "file", O_WRONLY | O_CREAT | append);
        struct sfd_fd_info info = {};
        ASSERT_EQ(0, sfd_fd_classify(&sfd_sys_linux, fd.get(), &info));
        EXPECT_EQ(append != 0, info.append);
    }
}

TEST_F(FdTest, ShouldOpenADescriptionOfItsOwn)
{
    const TemporaryDirectory directory;
    writeFile(directory / "file", "content");
    const OwnedFd fd = openFile(directory / "file", O_RDONLY);
    std::filesystem::remove(directory / "file"); // it needs no name
    const OwnedFd own(sfd_fd_reopen(&sfd_sys_linux, fd.get(), O_RDONLY | O_NONBLOCK));
    ASSERT_GE(own.get(), 0);
    EXPECT_EQ("content", readExactly(own.get(), 10));
    EXPECT_EQ(0, lseek(fd.get(), 0, SEEK_CUR));
    EXPECT_EQ(0, fcntl(fd.get(), F_GETFL) & O_NONBLOCK);
    EXPECT_EQ(-ENOENT, sfd_fd_reopen(&sfd_sys_linux, 9999, O_RDONLY));
}

TEST_F(FdTest, ShouldTellTheSizeOfAFile)
{
    const TemporaryDirectory directory;
    writeFile(directory / "file", "content");
    const OwnedFd fd = openFile(directory / "file", O_RDONLY);
    uint64_t size = 0;
    EXPECT_EQ(0, sfd_fd_size(&sfd_sys_linux, fd.get(), &size));
    EXPECT_EQ(7u, size);
    EXPECT_EQ(-EBADF, sfd_fd_size(&sfd_sys_linux, 9999, &size));
    EXPECT_EQ(7u, size);
    EXPECT_EQ(-EBADF, sfd_fd_size_now(&sfd_sys_linux, 9999, &size));
    EXPECT_EQ(7u, size);
    EXPECT_EQ(0, truncate((directory / "file").c_str(), 3));
    EXPECT_EQ(0, sfd_fd_size_now(&sfd_sys_linux, fd.get(), &size));
    EXPECT_EQ(3u, size);
}

} // namespace
