// sfd_sendfile(): compared with sendfile(2) itself, and what only it has: the daemon that loads what is cold.
#include "serving_fixture.h"

#include <random>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/wait.h>

#include <netinet/in.h>

namespace
{

constexpr size_t WINDOW = 256 * 1024;
constexpr size_t SIZE = 2 * WINDOW + 12345;

/* What one call came to. */
struct Result {
    ssize_t moved = 0;
    int error = 0;
    off_t offset = 0;
    off_t position = 0;
    std::string bytes;
};

using Call = std::function<ssize_t(int out, int in, off_t *offset, size_t count)>;

enum class To { PIPE, FULL_PIPE, UNIX, TCP, FILE, APPENDED, NOTHING };

class SendfileTest : public ServingFixture
{
  protected:
    void SetUp() override
    {
        ServingFixture::SetUp();
        content_ = pattern(SIZE);
        file_ = makeFile("file", SIZE);
    }
    void TearDown() override
    {
        srv_.reset();
        ServingFixture::TearDown();
    }

    Call system() const
    {
        return [](int out, int in, off_t *offset, size_t count) { return sendfile(out, in, offset, count); };
    }
    Call ours(int srv) const
    {
        return
            [srv](int out, int in, off_t *offset, size_t count) { return sfd_sendfile(srv, out, in, offset, count); };
    }

    /* One call to a new destination of that kind, with all that can be seen of it. */
    Result carryOut(const Call &call, To to, bool by_offset, off_t from, size_t count)
    {
        Result result;
        const OwnedFd in = openFile(file_, O_RDONLY);
        result.offset = from;
        EXPECT_EQ(by_offset ? 5 : from, lseek(in.get(), by_offset ? 5 : from, SEEK_SET));

        OwnedFd out;
        OwnedFd reader;
        const std::string copy = *directory_ / "copy";
        if (to == To::PIPE || to == To::FULL_PIPE) {
            Pipe pipe;
            if (to == To::FULL_PIPE) {
                setNonblocking(pipe.out.get());
                pipe.fill();
            }
            out = std::move(pipe.out);
            reader = std::move(pipe.in);
        } else if (to == To::UNIX || to == To::TCP) {
            SocketPair pair = to == To::TCP ? tcpPair() : SocketPair();
            out = std::move(pair.out);
            reader = std::move(pair.in);
            setBlocking(out.get());
        } else if (to == To::NOTHING) {
            out = openFile("/dev/null", O_WRONLY);
        } else {
            writeFile(copy, "before");
            out = openFile(copy, O_WRONLY | (to == To::APPENDED ? O_APPEND : 0));
        }
        /* A pipe is read behind the call, which must not need a reader. */
        const bool pipe = to == To::PIPE || to == To::FULL_PIPE;
        std::thread reading;
        if (reader.get() >= 0 && !pipe) {
            reading = std::thread([&] { result.bytes = readToEnd(reader.get()); });
        }
        errno = 0;
        result.moved = call(out.get(), in.get(), by_offset ? &result.offset : nullptr, count);
        result.error = result.moved < 0 ? errno : 0;
        result.position = lseek(in.get(), 0, SEEK_CUR);
        out.reset();
        if (reading.joinable()) reading.join();
        if (pipe) result.bytes = readToEnd(reader.get());
        if (to == To::FILE || to == To::APPENDED) result.bytes = contentOf(copy);
        return result;
    }
    static void setBlocking(int fd)
    {
        ASSERT_EQ(0, fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK));
    }

    std::string content_;
    std::string file_;
};

TEST_F(SendfileTest, ShouldDoWhatSendfileDoes)
{
    std::mt19937 random(16); // the same cases each time
    for (int i = 0; i < 80; i++) {
        const To to = static_cast<To>(random() % 7);
        const bool by_offset = random() % 2 == 0;
        const off_t froms[] = {0, static_cast<off_t>(random() % SIZE), WINDOW, SIZE - 1, SIZE, SIZE + 1, -1};
        off_t from = froms[random() % 7];
        if (from < 0 && !by_offset) from = 0; // no file has such a position
        const size_t counts[] = {0, 1, random() % SIZE, WINDOW, WINDOW + 1, SIZE, 2 * SIZE, 0x7ffff000, SIZE_MAX};
        const size_t count = counts[random() % 9];
        const int srv = random() % 3 == 0 ? -1 : srv_.get();
        const int cold = static_cast<int>(random() % 4); // 1: all of it, 2: from the middle, 3: a hole
        const auto prepare = [&] {
            warm(file_);
            if (cold == 1) evict(file_);
            if (cold == 2) evict(file_, SIZE / 2 & ~4095u);
            if (cold == 3) evict(file_, 4 * 4096, 4 * 4096);
        };
        prepare();
        const Result expected = carryOut(system(), to, by_offset, from, count);
        prepare();
        const Result got = carryOut(ours(srv), to, by_offset, from, count);

        const std::string what = "case " + std::to_string(i) + ": to " + std::to_string(static_cast<int>(to)) +
                                 " by offset " + std::to_string(by_offset) + " from " + std::to_string(from) +
                                 " count " + std::to_string(count) + " srv " + std::to_string(srv) + " cold " +
                                 std::to_string(cold);
        ASSERT_EQ(expected.moved, got.moved) << what;
        ASSERT_EQ(expected.error, got.error) << what;
        ASSERT_EQ(expected.offset, got.offset) << what;
        ASSERT_EQ(expected.position, got.position) << what;
        ASSERT_TRUE(sameBytes(expected.bytes, got.bytes)) << what;
    }
    EXPECT_LT(0u, count(SFD_COUNTER_COMPLETED)) << "the daemon has had something to do";
}

TEST_F(SendfileTest, ShouldFailAsSendfileDoes)
{
    Pipe pipe;
    Pipe unread;
    unread.in.reset();
    SocketPair gone;
    gone.in.reset();
    const OwnedFd unconnected(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const OwnedFd file = openFile(file_, O_RDONLY);
    const OwnedFd other = openFile(file_, O_RDONLY);
    const OwnedFd written = openFile(file_, O_WRONLY);
    const OwnedFd named = openFile(file_, O_PATH);
    const OwnedFd directory = openFile(path(), O_RDONLY | O_DIRECTORY);
    const OwnedFd zero = openFile("/dev/zero", O_RDONLY);
    const OwnedFd full = openFile("/dev/full", O_WRONLY);
    const int outs[] = {-1,          9999,        pipe.out.get(),  unread.out.get(), gone.out.get(), unconnected.get(),
                        other.get(), named.get(), directory.get(), full.get()};
    const int ins[] = {-1,         9999,          file.get(),    written.get(), named.get(), directory.get(),
                       zero.get(), pipe.in.get(), gone.out.get()};

    for (const bool cold : {false, true}) {
        for (const int out : outs) {
            for (const int in : ins) {
                off_t expected_offset = 7;
                off_t offset = 7;
                if (cold) evict(file_);
                const ssize_t expected = sendfile(out, in, &expected_offset, 10);
                const int expected_error = expected < 0 ? errno : 0;
                if (expected > 0 && out == pipe.out.get()) drain(pipe.in.get());
                if (cold) evict(file_);
                const ssize_t moved = sfd_sendfile(srv_.get(), out, in, &offset, 10);
                const int error = moved < 0 ? errno : 0;
                if (moved > 0 && out == pipe.out.get()) drain(pipe.in.get());

                EXPECT_EQ(expected, moved) << "from " << in << " to " << out;
                EXPECT_EQ(expected_error, error) << "from " << in << " to " << out;
                EXPECT_EQ(expected_offset, offset);
            }
        }
    }
    /* What is loaded is what can be sent, or fails with the first byte only: to a peer that has gone, to /dev/full. */
    EXPECT_GE(5u, count(SFD_COUNTER_REQUESTS));
}

TEST_F(SendfileTest, ShouldFillAPipeNoFurtherThanItHasRoom)
{
    Pipe pipe;
    const size_t room = 2 * WINDOW; // the file has more, and its first windows fill the pipe exactly
    ASSERT_EQ(static_cast<int>(room), fcntl(pipe.out.get(), F_SETPIPE_SZ, room));
    const OwnedFd in = openFile(file_, O_RDONLY);
    std::atomic<bool> over{false};
    std::thread rescuer([&] {
        if (!await([&] { return over.load(); })) {
            ADD_FAILURE() << "it waits for a reader";
            (void)readExactly(pipe.in.get(), room);
        }
    });
    EXPECT_EQ(static_cast<ssize_t>(room), sfd_sendfile(srv_.get(), pipe.out.get(), in.get(), nullptr, SIZE));
    over = true;
    rescuer.join();
}

TEST_F(SendfileTest, ShouldSendNoMoreByOneCallThanSendfileDoes)
{
    const OwnedFd memory(memfd_create("sparse", MFD_CLOEXEC));
    const OwnedFd null = openFile("/dev/null", O_WRONLY);
    const size_t size = size_t{2} << 30;
    ASSERT_EQ(0, ftruncate(memory.get(), static_cast<off_t>(size)));
    off_t offset = 0;

    EXPECT_EQ(0x7ffff000, sfd_sendfile(srv_.get(), null.get(), memory.get(), &offset, size));
    EXPECT_EQ(0x7ffff000, offset);
    EXPECT_EQ(0u, count(SFD_COUNTER_REQUESTS)) << "it is in memory";
}

TEST_F(SendfileTest, ShouldSayThatANonblockingDestinationIsFull)
{
    SocketPair pair = tcpPair();
    setNonblocking(pair.out.get());
    pair.fill();
    evict(file_);
    const OwnedFd in = openFile(file_, O_RDONLY);
    off_t offset = 3;

    EXPECT_EQ(-1, sfd_sendfile(srv_.get(), pair.out.get(), in.get(), &offset, SIZE));
    EXPECT_EQ(EAGAIN, errno);
    EXPECT_EQ(3, offset);
}

TEST_F(SendfileTest, ShouldMoveAllToANonblockingDestinationInTheEnd)
{
    SocketPair pair = tcpPair();
    setNonblocking(pair.out.get());
    const OwnedFd in = openFile(file_, O_RDONLY);
    std::string got;
    off_t offset = 0;

    while (offset < static_cast<off_t>(SIZE)) {
        evict(file_);
        const off_t before = offset;
        const ssize_t moved = sfd_sendfile(srv_.get(), pair.out.get(), in.get(), &offset, SIZE);
        if (moved < 0) {
            ASSERT_EQ(EAGAIN, errno);
            got += drain(pair.in.get());
        } else {
            ASSERT_EQ(before + moved, offset);
            ASSERT_NE(0, moved);
        }
    }
    EXPECT_EQ(0, sfd_sendfile(srv_.get(), pair.out.get(), in.get(), &offset, SIZE)) << "the end";
    pair.out.reset();
    got += readToEnd(pair.in.get());
    EXPECT_BYTES(content_, got);
}

TEST_F(SendfileTest, ShouldAskTheDaemonOnlyForWhatIsCold)
{
    const OwnedFd in = openFile(file_, O_RDONLY);
    const OwnedFd null = openFile("/dev/null", O_WRONLY);
    off_t offset = 0;

    warm(file_);
    EXPECT_EQ(static_cast<ssize_t>(SIZE), sfd_sendfile(srv_.get(), null.get(), in.get(), &offset, SIZE));
    EXPECT_EQ(0u, count(SFD_COUNTER_REQUESTS));
    if (!evict(file_)) {
        GTEST_SKIP() << "the temporary directory is in memory";
    }
    offset = 0;
    EXPECT_EQ(static_cast<ssize_t>(SIZE), sfd_sendfile(srv_.get(), null.get(), in.get(), &offset, SIZE));
    EXPECT_EQ(1u, count(SFD_COUNTER_REQUESTS)) << "one request loads some windows";
}

TEST_F(SendfileTest, ShouldLoadMoreThanOneRequestDoes)
{
    const size_t size = 9 * 1024 * 1024 + 1;
    const std::string big = makeFile("big", size, 2);
    evict(big);
    const OwnedFd in = openFile(big, O_RDONLY);
    SocketPair pair;
    std::string got;
    std::thread reading([&] { got = readToEnd(pair.in.get()); });

    EXPECT_EQ(static_cast<ssize_t>(size), sfd_sendfile(srv_.get(), pair.out.get(), in.get(), nullptr, size));
    pair.out.reset();
    reading.join();
    EXPECT_BYTES(pattern(size, 2), got);
}

TEST_F(SendfileTest, ShouldWaitForTheDiskItselfWhenTheDaemonHasEnded)
{
    endDaemon();
    for (const bool nonblocking : {false, true}) {
        evict(file_);
        if (nonblocking) setNonblocking(srv_.get());
        const Result got = carryOut(ours(srv_.get()), To::TCP, true, 1, SIZE);
        EXPECT_EQ(static_cast<ssize_t>(SIZE) - 1, got.moved);
        EXPECT_BYTES(content_.substr(1), got.bytes);
    }
}

TEST_F(SendfileTest, ShouldWaitForTheDiskItselfWhenTheConnectionIsNone)
{
    const OwnedFd null = openFile("/dev/null", O_RDWR);
    for (const int srv : {9999, null.get()}) {
        evict(file_);
        const Result got = carryOut(ours(srv), To::UNIX, false, 1, SIZE);
        EXPECT_EQ(static_cast<ssize_t>(SIZE) - 1, got.moved);
        EXPECT_BYTES(content_.substr(1), got.bytes);
    }
}

TEST_F(SendfileTest, ShouldRaiseSigpipeAsSendfileDoes)
{
    SocketPair gone;
    gone.in.reset();
    evict(file_);
    const OwnedFd in = openFile(file_, O_RDONLY);
    const pid_t child = fork();
    if (child == 0) {
        std::signal(SIGPIPE, SIG_DFL);
        (void)sfd_sendfile(srv_.get(), gone.out.get(), in.get(), nullptr, 10);
        _exit(0);
    }
    int status = 0;
    ASSERT_EQ(child, waitpid(child, &status, 0));
    EXPECT_TRUE(WIFSIGNALED(status));
    EXPECT_EQ(SIGPIPE, WTERMSIG(status));
}

TEST_F(SendfileTest, ShouldTakeNoHarmFromAFileThatBecomesShorter)
{
    evict(file_);
    const OwnedFd in = openFile(file_, O_RDONLY);
    const OwnedFd null = openFile("/dev/null", O_WRONLY);
    off_t offset = 0;
    ASSERT_EQ(0, truncate(file_.c_str(), 100));
    EXPECT_EQ(100, sfd_sendfile(srv_.get(), null.get(), in.get(), &offset, SIZE));
    EXPECT_EQ(0, sfd_sendfile(srv_.get(), null.get(), in.get(), &offset, SIZE));
}

TEST_F(SendfileTest, ShouldMoveAFileThatIsNeverHot)
{
    if (!canMount()) GTEST_SKIP() << "no FUSE here";
    for (const char *option : {"--direct-io", "--read-ms=1"}) {
        file_ = mountSlowly({option}) + "/file";
        const Result got = carryOut(ours(srv_.get()), To::TCP, true, 1, SIZE);
        EXPECT_EQ(static_cast<ssize_t>(SIZE) - 1, got.moved);
        EXPECT_BYTES(content_.substr(1), got.bytes);
        slowfs_.reset();
        std::filesystem::remove(*directory_ / "mount");
    }
    EXPECT_LE(2u, count(SFD_COUNTER_COMPLETED));
}

/* A request socket behind which the test itself is the daemon. */
class SendfileInterruptedTest : public SendfileTest
{
  protected:
    void SetUp() override
    {
        SendfileTest::SetUp();
        std::filesystem::remove(*directory_ / "sendfiled.test.socket");
        endDaemon();
        struct sockaddr_un address = {};
        const std::string name = *directory_ / "sendfiled.silent.socket";
        address.sun_family = AF_UNIX;
        name.copy(address.sun_path, sizeof address.sun_path - 1);
        requests_.reset(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        ASSERT_EQ(0, bind(requests_.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address));
        srv_.reset(sfd_connect(directory_->path().c_str(), "silent"));
        ASSERT_LE(0, srv_.get());
        if (!evict(file_)) GTEST_SKIP() << "the temporary directory is in memory";
        signals_ = 0;
    }
    void TearDown() override
    {
        requests_.reset();
        std::signal(SIGUSR1, SIG_DFL);
        SendfileTest::TearDown();
    }

    static void handle(int flags)
    {
        struct sigaction action = {};
        action.sa_handler = [](int) { signals_++; };
        action.sa_flags = flags;
        ASSERT_EQ(0, sigaction(SIGUSR1, &action, nullptr));
    }
    /* Leaves the file in the page cache up to there. False where that is impossible. */
    bool warmUntil(off_t end) const
    {
        const OwnedFd file = openFile(file_, O_RDONLY);
        std::string begin(static_cast<size_t>(end), 0);
        char byte;
        const struct iovec iov = {&byte, 1};
        for (int i = 0; i < 20; i++) {
            evict(file_);
            EXPECT_EQ(end, pread(file.get(), begin.data(), begin.size(), 0));
            EXPECT_EQ(0, posix_fadvise(file.get(), end, 0, POSIX_FADV_DONTNEED)); // what was read ahead
            if (preadv2(file.get(), &iov, 1, end, RWF_NOWAIT) < 0) return true;
        }
        return false;
    }
    /* Takes a request as soon as it is there: the status channel's write end. */
    OwnedFd takeRequest() const
    {
        if (!await([&] { return readable(requests_.get()); })) {
            ADD_FAILURE() << "nothing is asked of the daemon";
            return OwnedFd();
        }
        char bytes[512];
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 8)];
        iovec iov = {bytes, sizeof bytes};
        msghdr message = {};
        message.msg_iov = &iov;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        EXPECT_LT(0, recvmsg(requests_.get(), &message, MSG_CMSG_CLOEXEC));
        const cmsghdr *rights = CMSG_FIRSTHDR(&message);
        EXPECT_NE(nullptr, rights);
        int fds[3] = {-1, -1, -1};
        EXPECT_EQ(CMSG_LEN(sizeof fds), rights->cmsg_len);
        std::memcpy(fds, CMSG_DATA(rights), sizeof fds);
        close(fds[1]);
        close(fds[2]);
        return OwnedFd(fds[0]);
    }

    static inline std::atomic<int> signals_{0};
    OwnedFd requests_;
};

TEST_F(SendfileInterruptedTest, ShouldEndWithASignal)
{
    handle(0);
    const OwnedFd in = openFile(file_, O_RDONLY);
    const OwnedFd null = openFile("/dev/null", O_WRONLY);
    const pthread_t caller = pthread_self();
    for (const off_t resident : {off_t{0}, static_cast<off_t>(WINDOW)}) {
        if (!warmUntil(resident)) GTEST_SKIP() << "the rest of the file stays in memory";
        ssize_t moved = SIZE;
        int error = 0;
        /* A fast disk may have loaded all of it before anybody is asked: until it has not. */
        for (int i = 0; i < 1000 && moved == static_cast<ssize_t>(SIZE); i++) {
            (void)warmUntil(resident);
            std::atomic<bool> over{false};
            std::thread other([&] {
                if (!await([&] { return over || readable(requests_.get()); }) || over) return;
                const OwnedFd status = takeRequest();
                while (!over) {
                    pthread_kill(caller, SIGUSR1);
                    std::this_thread::sleep_for(std::chrono::milliseconds(1));
                }
                char byte = 0;
                EXPECT_EQ(-1, write(status.get(), &byte, 1)) << "the load is given up";
            });
            off_t offset = 0;
            moved = sfd_sendfile(srv_.get(), null.get(), in.get(), &offset, SIZE);
            error = errno;
            over = true;
            other.join();
            EXPECT_EQ(std::max(moved, ssize_t{0}), offset);
        }
        EXPECT_LT(moved, static_cast<ssize_t>(SIZE));
        EXPECT_TRUE(moved < 0 ? resident == 0 && error == EINTR : moved >= resident) << moved;
    }
}

TEST_F(SendfileInterruptedTest, ShouldGoOnAfterASignalWhoseHandlerAsksForThat)
{
    handle(SA_RESTART);
    const pthread_t caller = pthread_self();
    std::thread other([&] {
        const OwnedFd status = takeRequest();
        while (signals_ < 3) {
            const int before = signals_;
            pthread_kill(caller, SIGUSR1);
            await([&] { return signals_ > before; });
        }
        // and the daemon ends
    });
    const Result got = carryOut(ours(srv_.get()), To::TCP, true, 0, SIZE);
    other.join();
    EXPECT_EQ(static_cast<ssize_t>(SIZE), got.moved);
    EXPECT_BYTES(content_, got.bytes);
    EXPECT_EQ(3, signals_);
}

TEST_F(SendfileInterruptedTest, ShouldAskADaemonNoMoreThatHasLoadedNothing)
{
    if (!canMount()) GTEST_SKIP() << "no FUSE here";
    std::atomic<bool> over{false};
    int requests = 0;
    std::thread other([&] {
        struct sfd_wire_file_info empty = {};
        const struct sfd_wire_result complete = {};
        unsigned char message[SFD_WIRE_FILE_INFO_SIZE + SFD_WIRE_RESULT_SIZE];
        empty.id = 1;
        const size_t size = sfd_wire_put_file_info(message, &empty);
        const size_t all = size + sfd_wire_put_result(message + size, 0, &complete);
        while (await([&] { return over || readable(requests_.get()); }) && !over) {
            const OwnedFd status = takeRequest();
            EXPECT_EQ(static_cast<ssize_t>(all), write(status.get(), message, all));
            requests++;
        }
    });
    const OwnedFd in = openFile(mountSlowly({"--direct-io"}) + "/file", O_RDONLY); // the next windows stay cold
    const OwnedFd null = openFile("/dev/null", O_WRONLY);
    EXPECT_EQ(static_cast<ssize_t>(SIZE), sfd_sendfile(srv_.get(), null.get(), in.get(), nullptr, SIZE));
    over = true;
    other.join();
    EXPECT_EQ(1, requests);
}

/* The promise itself: a disk that does not answer does not keep a thread from being interrupted. */
TEST_F(SendfileInterruptedTest, ShouldBeInterruptedWhileADiskDoesNotAnswer)
{
    if (!canMount()) GTEST_SKIP() << "no FUSE here";
    serve(path());
    handle(0);
    const OwnedFd in = openFile(mountSlowly({"--hold", "file"}) + "/file", O_RDONLY);
    const OwnedFd null = openFile("/dev/null", O_WRONLY);
    std::atomic<bool> over{false};
    const pthread_t caller = pthread_self();
    std::thread other([&] {
        EXPECT_EQ("held", slowfs_->readLine().substr(0, 4));
        while (!over) {
            pthread_kill(caller, SIGUSR1);
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    });
    EXPECT_EQ(-1, sfd_sendfile(srv_.get(), null.get(), in.get(), nullptr, SIZE));
    EXPECT_EQ(EINTR, errno);
    over = true;
    other.join();
    slowfs_->signal(SIGUSR1); // or the daemon could not end
}

} // namespace
