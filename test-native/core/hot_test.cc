// The hot path on real files: what is opened, read and sent from memory, and what is said to be cold.
#include "await.h"
#include "helper_process.h"
#include "hot_fixture.h"
#include "page_cache.h"

#include <csignal>
#include <grp.h>
#include <sys/fanotify.h>
#include <sys/wait.h>
#include <thread>

namespace
{

class HotTest : public HotFixture
{
  protected:
    bool evict(uint64_t offset, uint64_t length)
    {
        const OwnedFd fd = openFile(path(), O_RDWR);

        EXPECT_EQ(0, fsync(fd.get()));
        return ::evict(fd.get(), static_cast<off_t>(offset), static_cast<off_t>(length));
    }
    /* Sends all, while another thread receives it; the steps in between were BLOCKED. What arrived. */
    std::string sendAll(SocketPair &pair, const std::string &head, uint64_t offset, uint64_t length)
    {
        std::string arrived;
        std::thread receiver([&] { arrived = readToEnd(pair.in.get()); });
        uint64_t moved = 0;
        size_t head_moved = 0;
        for (;;) {
            const struct sfd_hot_sent sent =
                send(pair.out.get(), offset + moved, length - moved, head.substr(head_moved));
            moved += sent.moved;
            head_moved += sent.head_moved;
            if (sent.step != SFD_HOT_STEP_BLOCKED) {
                EXPECT_EQ(SFD_HOT_STEP_DONE, sent.step) << sent.error << " closed " << hot_.device.closed_until;
                break;
            }
            blocked_++;
            EXPECT_EQ(1, sfd_sys_wait_writable(pair.out.get(), 10000));
        }
        EXPECT_EQ(head.size(), head_moved);
        EXPECT_EQ(length, moved);
        pair.out.reset();
        receiver.join();
        return arrived;
    }

    int blocked_ = 0;
};

TEST_F(HotTest, ShouldOpenWithAllThatAnEntityTagNeeds)
{
    struct stat st;

    ASSERT_EQ(0, open("/file"));
    ASSERT_EQ(0, stat(path().c_str(), &st));
    EXPECT_EQ(SIZE, file_.size);
    EXPECT_EQ(st.st_ino, file_.inode);
    EXPECT_EQ(st.st_dev, file_.dev);
    EXPECT_EQ(st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec, file_.mtime_ns);
    EXPECT_EQ(st.st_mode, file_.mode);
}

TEST_F(HotTest, ShouldReadToTheEndOfTheFile)
{
    std::string buffer(SIZE + 10, 'x');

    ASSERT_EQ(0, open());
    EXPECT_EQ(100, sfd_hot_source_read(&file_, &buffer[0], 100, SIZE - 200));
    EXPECT_EQ(content_.substr(SIZE - 200, 100), buffer.substr(0, 100));
    EXPECT_EQ(static_cast<int64_t>(SIZE), sfd_hot_source_read(&file_, &buffer[0], buffer.size(), 0));
    EXPECT_BYTES(content_, buffer.substr(0, SIZE));
    EXPECT_EQ(0, sfd_hot_source_read(&file_, &buffer[0], 1, SIZE));
}

TEST_F(HotTest, ShouldNotLeaveTheRoot)
{
    writeFile(*directory_ / "secret", "outside");
    std::filesystem::create_symlink("../secret", path("link"));
    EXPECT_NE(0, access(path("secret").c_str(), F_OK)) << "now it is known that there is none";
    EXPECT_EQ(-ENOENT, open("../secret"));
    EXPECT_EQ(-ENOENT, open("/../../secret"));
    EXPECT_TRUE(std::filesystem::is_symlink(path("link")));
    EXPECT_NE(0, open("link"));
    EXPECT_EQ(-EINVAL, open("/"));
}

TEST_F(HotTest, ShouldSayThatEvictedBytesAreCold)
{
    char byte;

    ASSERT_EQ(0, open());
    int64_t read = 1;
    /* A fast disk may answer within the call: until it has not. */
    for (int i = 0; i < 1000 && read == 1; i++) {
        ASSERT_TRUE(evict(0, SIZE));
        read = sfd_hot_source_read(&file_, &byte, 1, SIZE / 2);
    }
    EXPECT_EQ(-EAGAIN, read);
    ASSERT_TRUE(evict(0, SIZE)) << "also what that has begun to read";
    SocketPair pair = tcpPair();
    setNonblocking(pair.out.get());
    const struct sfd_hot_sent sent = send(pair.out.get(), 0, SIZE, "head");
    EXPECT_EQ(SFD_HOT_STEP_COLD, sent.step);
    EXPECT_EQ(0u, sent.head_moved) << "a header would announce what may not come";
    EXPECT_EQ(0u, sent.moved);
    EXPECT_FALSE(readable(pair.in.get()));
}

TEST_F(HotTest, ShouldSendHeadAndFileByteForByte)
{
    for (const bool nonblock : {true, false}) {
        SocketPair tcp = tcpPair();
        SocketPair local;
        for (SocketPair *pair : {&tcp, &local}) {
            if (nonblock) {
                setNonblocking(pair->out.get());
            }
            ASSERT_EQ(0, open());
            EXPECT_BYTES("head" + content_.substr(7), sendAll(*pair, "head", 7, SIZE - 7));
        }
    }
    EXPECT_GT(blocked_, 0);
}

TEST_F(HotTest, ShouldStopWhereTheFileIsColdInTheMiddle)
{
    SocketPair pair;
    const int size = 1 << 22;

    setNonblocking(pair.out.get());
    ASSERT_EQ(0, setsockopt(pair.out.get(), SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)));
    ASSERT_EQ(0, open());
    ASSERT_TRUE(evict(2 * HOT_WINDOW, HOT_WINDOW));
    const struct sfd_hot_sent sent = send(pair.out.get(), 0, SIZE, "head");
    EXPECT_EQ(SFD_HOT_STEP_COLD, sent.step);
    EXPECT_EQ(4u, sent.head_moved);
    EXPECT_EQ(2 * HOT_WINDOW, sent.moved);
    EXPECT_BYTES("head" + content_.substr(0, 2 * HOT_WINDOW), drain(pair.in.get()));
}

TEST_F(HotTest, ShouldSendAWindowWholeOrNotAtAll)
{
    SocketPair pair;
    const int size = 1 << 22;

    sys_.cachestat = [](int, const struct sfd_cachestat_range *, struct sfd_cachestat *) { return -EPERM; };
    sys_.preadv2 = [](int fd, const struct iovec *iov, int count, int64_t offset, int flags) {
        return static_cast<uint64_t>(offset) >= 2 * HOT_WINDOW + HOT_WINDOW / 2
                   ? static_cast<int64_t>(-EAGAIN)
                   : sfd_sys_linux.preadv2(fd, iov, count, offset, flags);
    };
    setNonblocking(pair.out.get());
    ASSERT_EQ(0, setsockopt(pair.out.get(), SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)));
    ASSERT_EQ(0, open());
    const struct sfd_hot_sent sent = send(pair.out.get(), 0, SIZE);
    EXPECT_EQ(SFD_HOT_STEP_COLD, sent.step);
    EXPECT_EQ(2 * HOT_WINDOW, sent.moved);
}

TEST_F(HotTest, ShouldAskNothingOfADestinationThatIsKnown)
{
    SocketPair pair(SOCK_STREAM);
    struct sfd_fd_info known = {};
    known.kind = SFD_FD_UNIX_STREAM;
    known.writable = true;
    known.nonblock = true;
    ASSERT_EQ(0, open());
    sys_.fcntl = [](int, int, int64_t) { return -EIO; };
    sys_.getsockopt_int = [](int, int, int, int *) { return -EIO; };
    EXPECT_EQ(SFD_HOT_STEP_FAILED, send(pair.out.get(), 0, 4096).step);
    const struct sfd_hot_sent sent = send(pair.out.get(), 0, 4096, "head", &known);
    EXPECT_EQ(SFD_HOT_STEP_DONE, sent.step) << sent.error;
    EXPECT_BYTES("head" + content_.substr(0, 4096), drain(pair.in.get()));
}

TEST_F(HotTest, ShouldSendThroughPipesWhateverTheirMode)
{
    for (const int flags : {0, O_NONBLOCK}) {
        Pipe pipe(flags);
        std::string arrived;
        uint64_t moved = 0;
        size_t head = 0;
        ASSERT_EQ(0, open());
        for (;;) {
            const struct sfd_hot_sent sent =
                send(pipe.out.get(), moved, SIZE - moved, std::string("head").substr(head));
            moved += sent.moved;
            head += sent.head_moved;
            arrived += drain(pipe.in.get());
            if (sent.step != SFD_HOT_STEP_BLOCKED) {
                EXPECT_EQ(SFD_HOT_STEP_DONE, sent.step) << sent.error << " closed " << hot_.device.closed_until;
                break;
            }
        }
        EXPECT_BYTES("head" + content_, arrived);
    }
}

TEST_F(HotTest, ShouldNotWaitForADestinationInBlockingMode)
{
    SocketPair tcp = tcpPair();
    SocketPair local;
    Pipe pipe;

    ASSERT_EQ(0, open());
    tcp.fill();
    local.fill();
    pipe.fill();
    for (const int dest : {tcp.out.get(), local.out.get(), pipe.out.get()}) {
        const struct sfd_hot_sent sent = send(dest, 0, SIZE);
        EXPECT_EQ(SFD_HOT_STEP_BLOCKED, sent.step) << sent.error;
        EXPECT_EQ(0u, sent.moved);
        EXPECT_EQ(SFD_HOT_STEP_BLOCKED, send(dest, 0, SIZE, "head").step);
        EXPECT_EQ(0, fcntl(dest, F_GETFL) & O_NONBLOCK);
    }
}

TEST_F(HotTest, ShouldSendAHeadAloneAndNothing)
{
    SocketPair pair;

    ASSERT_EQ(0, open());
    EXPECT_EQ(SFD_HOT_STEP_DONE, send(pair.out.get(), SIZE, 0, "head").step);
    EXPECT_EQ("head", drain(pair.in.get()));
    EXPECT_EQ(SFD_HOT_STEP_DONE, send(pair.out.get(), 0, 0).step);
    EXPECT_FALSE(readable(pair.in.get()));
}

TEST_F(HotTest, ShouldRefuseWhatItCannotSendTo)
{
    SocketPair pair(SOCK_DGRAM);
    const OwnedFd file = openFile(*directory_ / "out", O_WRONLY | O_CREAT);
    const Pipe pipe;

    ASSERT_EQ(0, open());
    for (const auto &[dest, error] : std::vector<std::pair<int, int>>{
             {file.get(), -EOPNOTSUPP}, {pair.out.get(), -EOPNOTSUPP}, {pipe.in.get(), -EBADF}, {-1, -EBADF}}) {
        const struct sfd_hot_sent sent = send(dest, 0, SIZE, "head");
        EXPECT_EQ(SFD_HOT_STEP_FAILED, sent.step);
        EXPECT_EQ(error, sent.error);
    }
    EXPECT_EQ("", contentOf(*directory_ / "out"));
}

TEST_F(HotTest, ShouldSendNothingOfARangeThatIsNotInTheFile)
{
    SocketPair pair;

    ASSERT_EQ(0, open());
    for (const auto &[offset, length] :
         std::vector<std::pair<uint64_t, uint64_t>>{{0, SIZE + 1}, {SIZE + 1, 0}, {1, UINT64_MAX}, {UINT64_MAX, 2}}) {
        const struct sfd_hot_sent sent = send(pair.out.get(), offset, length, "head");
        EXPECT_EQ(SFD_HOT_STEP_FAILED, sent.step);
        EXPECT_EQ(-ERANGE, sent.error);
    }
    EXPECT_FALSE(readable(pair.in.get()));
    char byte;
    EXPECT_EQ(-EINVAL, sfd_hot_source_read(&file_, &byte, 1, UINT64_MAX));
}

TEST_F(HotTest, ShouldSendNoZerosForAFileThatWasCut)
{
    SocketPair pair;

    setNonblocking(pair.out.get());
    ASSERT_EQ(0, open());
    ASSERT_EQ(0, truncate(path().c_str(), 5000));
    const struct sfd_hot_sent sent = send(pair.out.get(), 0, SIZE, "head");
    EXPECT_TRUE(sent.step == SFD_HOT_STEP_COLD || (sent.step == SFD_HOT_STEP_FAILED && sent.error == -ENODATA))
        << sent.step;
    EXPECT_BYTES(("head" + content_).substr(0, sent.head_moved + sent.moved), drain(pair.in.get()));
    EXPECT_GE(5000u, sent.moved);
}

TEST_F(HotTest, ShouldOutliveAPeerThatIsGone)
{
    sigset_t before, after, set;

    std::signal(SIGPIPE, SIG_DFL);
    ASSERT_EQ(0, open());
    for (const bool blocked : {false, true}) {
        sigemptyset(&set);
        sigaddset(&set, SIGPIPE);
        ASSERT_EQ(0, pthread_sigmask(blocked ? SIG_BLOCK : SIG_UNBLOCK, &set, nullptr));
        ASSERT_EQ(0, pthread_sigmask(SIG_SETMASK, nullptr, &before));
        for (const bool nonblock : {true, false}) {
            SocketPair pair;
            if (nonblock) {
                setNonblocking(pair.out.get());
            }
            pair.in.reset();
            const struct sfd_hot_sent sent = send(pair.out.get(), 0, SIZE);
            EXPECT_EQ(SFD_HOT_STEP_FAILED, sent.step);
            EXPECT_EQ(-EPIPE, sent.error);
        }
        Pipe pipe;
        pipe.in.reset();
        EXPECT_EQ(-EPIPE, send(pipe.out.get(), 0, SIZE, "head").error);
        ASSERT_EQ(0, pthread_sigmask(SIG_SETMASK, nullptr, &after));
        EXPECT_EQ(sigismember(&before, SIGPIPE), sigismember(&after, SIGPIPE));
        EXPECT_EQ(0, sigpending(&set));
        EXPECT_EQ(0, sigismember(&set, SIGPIPE));
    }
    std::signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    ASSERT_EQ(0, pthread_sigmask(SIG_UNBLOCK, &set, nullptr));
}

TEST_F(HotTest, ShouldTakeUpAFileThatTheCallerHasOpened)
{
    const OwnedFd directory = openFile(*directory_ / "root", O_RDONLY | O_DIRECTORY);
    const OwnedFd writer = openFile(path(), O_WRONLY);
    const OwnedFd direct = openFile(path(), O_RDONLY | O_DIRECT);
    const OwnedFd elsewhere = openFile("/proc/self/maps", O_RDONLY);
    char bytes[10];

    ASSERT_EQ(0, sfd_hot_source_adopt(&hot_, ::open(path().c_str(), O_RDONLY | O_CLOEXEC), &file_));
    EXPECT_EQ(SIZE, file_.size);
    EXPECT_EQ(10, sfd_hot_source_read(&file_, bytes, 10, 5));
    EXPECT_EQ(content_.substr(5, 10), std::string(bytes, 10));
    struct sfd_hot_source none = {};
    EXPECT_EQ(-EINVAL, sfd_hot_source_adopt(&hot_, directory.get(), &none));
    EXPECT_EQ(-EBADF, sfd_hot_source_adopt(&hot_, writer.get(), &none));
    EXPECT_EQ(-EAGAIN, sfd_hot_source_adopt(&hot_, direct.get(), &none));
    EXPECT_EQ(-EAGAIN, sfd_hot_source_adopt(&hot_, elsewhere.get(), &none));
    for (const OwnedFd *fd : {&directory, &writer, &direct, &elsewhere}) {
        EXPECT_LE(0, fcntl(fd->get(), F_GETFD)) << "the caller keeps it";
    }
}

TEST_F(HotTest, ShouldServeFilesInMemory)
{
    char directory[] = "/dev/shm/hot_test.XXXXXX";

    ASSERT_NE(nullptr, mkdtemp(directory));
    writeFile(std::string(directory) + "/file", content_);
    ASSERT_EQ(0, initAt(directory));
    ASSERT_EQ(0, open());
    SocketPair pair = tcpPair();
    setNonblocking(pair.out.get());
    EXPECT_BYTES(content_, sendAll(pair, "", 0, SIZE));
    std::filesystem::remove_all(directory);
}

TEST_F(HotTest, ShouldFindAServersFilesColdWithoutAskingTheServer)
{
    if (!helperExists("slowfs") || access("/dev/fuse", R_OK | W_OK) != 0) {
        GTEST_SKIP() << "no FUSE here";
    }
    std::filesystem::create_directory(path("mount"));
    HelperProcess slowfs(
        {helper("slowfs"), path("mount"), *directory_ / "root", "--hold", "file", "--hold-calls", "open,read"});
    ASSERT_EQ("ready", slowfs.readLine());
    EXPECT_EQ(0, access(path("mount/file").c_str(), F_OK))
        << "now the caches know it; who asks the server waits for ever";
    EXPECT_EQ(-EAGAIN, open("mount/file")) << "another mount";
    struct sfd_hot_settings options = {};
    struct sfd_hot server;
    struct sfd_hot_source file;
    ASSERT_EQ(0, sfd_hot_init(&server, path("mount").c_str(), &options));
    EXPECT_EQ(0, access(path("mount/file").c_str(), F_OK));
    EXPECT_EQ(-EAGAIN, sfd_hot_source_open(&server, "file", &file));
    sfd_hot_deinit(&server);
}

/* Delays each event of a kind on one file, as an antivirus does, from a thread of its own. */
class Listener
{
  public:
    Listener(const std::string &path, uint64_t events)
        : group_(fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, O_RDONLY))
    {
        if (works()) {
            EXPECT_EQ(0, fanotify_mark(group_.get(), FAN_MARK_ADD, events, AT_FDCWD, path.c_str()));
            thread_ = std::thread([this] { answer(); });
        }
    }
    Listener(const Listener &) = delete;
    Listener &operator=(const Listener &) = delete;
    ~Listener()
    {
        if (works()) {
            over_ = true;
            thread_.join();
        }
    }
    bool works() const
    {
        return group_.get() >= 0;
    }
    int events() const
    {
        return events_;
    }

  private:
    void answer()
    {
        struct fanotify_event_metadata event;

        while (!over_) {
            if (sfd_sys_wait_readable(group_.get(), 10) != 1 || read(group_.get(), &event, sizeof(event)) < 1) {
                continue;
            }
            events_++;
            std::this_thread::sleep_for(std::chrono::milliseconds(50)); /* what it is about */
            const struct fanotify_response response = {event.fd, FAN_ALLOW};
            EXPECT_EQ(static_cast<ssize_t>(sizeof(response)), write(group_.get(), &response, sizeof(response)));
            ::close(event.fd);
        }
    }

    OwnedFd group_;
    std::atomic<bool> over_{false};
    std::atomic<int> events_{0};
    std::thread thread_;
};

uint64_t frozen_ns;

/* From now on no time passes: what is closed for a while stays so. */
void freeze(struct sfd_sys *sys)
{
    frozen_ns = sfd_sys_linux.now_ns();
    sys->now_ns = [] { return frozen_ns; };
}

TEST_F(HotTest, ShouldKeepAwayFromADeviceWhoseOpensAreHeld)
{
    Listener listener(path(), FAN_OPEN_PERM);
    if (!listener.works()) {
        GTEST_SKIP() << "no fanotify here";
    }
    EXPECT_EQ(0, open()) << "nobody could know";
    for (int i = 0; i < 3 && open() == 0; i++) {
        /* The first one may have come too late for its waits to be counted. */
    }
    freeze(&sys_);
    const int events = listener.events();
    EXPECT_GE(2, events);
    for (int i = 0; i < 10; i++) {
        EXPECT_EQ(-EAGAIN, open());
    }
    EXPECT_EQ(events, listener.events());
}

TEST_F(HotTest, ShouldKeepAwayFromADeviceWhoseReadsAreHeld)
{
    for (const bool sends : {false, true}) {
        SocketPair pair;
        struct sfd_hot_source another;
        char byte;
        setNonblocking(pair.out.get());
        sys_.now_ns = sfd_sys_linux.now_ns;
        ASSERT_EQ(0, init());
        Listener listener(path(), FAN_ACCESS_PERM); /* before the open: the kernel asks then whether there is one */
        if (!listener.works()) {
            GTEST_SKIP() << "no fanotify here";
        }
        ASSERT_EQ(0, open());
        for (int i = 0; i < 3; i++) {
            if (sends ? send(pair.out.get(), 0, 4096).step == SFD_HOT_STEP_COLD
                      : sfd_hot_source_read(&file_, &byte, 1, 0) == -EAGAIN) {
                break;
            }
        }
        freeze(&sys_);
        const int events = listener.events();
        EXPECT_LT(0, events);
        EXPECT_EQ(-EAGAIN, sfd_hot_source_read(&file_, &byte, 1, 0));
        EXPECT_EQ(SFD_HOT_STEP_COLD, send(pair.out.get(), 0, 4096, "head").step);
        EXPECT_EQ(-EAGAIN, sfd_hot_source_open(&hot_, "file", &another));
        EXPECT_EQ(events, listener.events());
    }
}

/* As another user than the owner of its files: the kernel tells it less of them. */
TEST_F(HotTest, ShouldServeFilesThatItDoesNotOwn)
{
    if (getuid() != 0) {
        GTEST_SKIP() << "only root can become another user";
    }
    ASSERT_EQ(0, chmod((*directory_ / "").c_str(), 0755));
    const pid_t child = fork();
    ASSERT_LE(0, child);
    if (child == 0) {
        const struct sfd_hot_settings options = {};
        const struct sfd_cachestat_range range = {0, SIZE};
        struct sfd_cachestat stat;
        SocketPair pair = tcpPair();
        struct sfd_hot hot;
        if (setgroups(0, nullptr) != 0 || setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0) {
            _exit(2);
        }
        if (sfd_hot_init(&hot, (*directory_ / "root").c_str(), &options) != 0 ||
            sfd_hot_source_open(&hot, "file", &file_) != 0) {
            _exit(3);
        }
        if (hot.kernel.cachestat && sfd_sys_linux.cachestat(file_.fd, &range, &stat) != -EPERM) {
            _exit(4);
        }
        setNonblocking(pair.out.get());
        _exit(sendAll(pair, "", 0, SIZE) == content_ && !HasFailure() ? 0 : 5);
    }
    int status = 0;
    ASSERT_EQ(child, waitpid(child, &status, 0));
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(0, WEXITSTATUS(status));
}

} // namespace
