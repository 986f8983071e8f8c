// The hot path of the C API, with a daemon beside it and without.
#include "serving_fixture.h"

#include <functional>
#include <random>
#include <sys/wait.h>

#include <netinet/in.h>

namespace
{

constexpr size_t WINDOW = 256 * 1024;
constexpr size_t SIZE = 2 * WINDOW + 12345;
const std::string HEAD = "HTTP/1.1 200 OK\r\n\r\n";

class HotClientTest : public ServingFixture
{
  protected:
    void SetUp() override
    {
        ServingFixture::SetUp();
        content_ = pattern(SIZE);
        makeFile("file", SIZE);
        ASSERT_EQ(0, sfd_hot_open_root(path().c_str(), nullptr, &root_));
        warm(path("file"));
    }
    void TearDown() override
    {
        sfd_hot_close(&file_);
        sfd_hot_close_root(root_);
        srv_.reset();
        ServingFixture::TearDown();
    }

    /* By a root of which nothing bad is known: on a busy machine calls take long, which makes all cold for a while. */
    void open(const char *name = "file")
    {
        enum sfd_hot_result result = SFD_HOT_COLD;
        for (int i = 0; i < 20 && result == SFD_HOT_COLD; i++) {
            sfd_hot_close(&file_);
            sfd_hot_close_root(root_);
            ASSERT_EQ(0, sfd_hot_open_root(path().c_str(), nullptr, &root_));
            result = sfd_hot_open(root_, name, &file_);
        }
        ASSERT_EQ(SFD_HOT_DONE, result) << std::strerror(errno);
    }
    /* A call on the file that is not cold. */
    enum sfd_hot_result hot(const std::function<enum sfd_hot_result()> &call)
    {
        enum sfd_hot_result result = SFD_HOT_COLD;
        for (int i = 0; i < 20 && result == SFD_HOT_COLD; i++) {
            open();
            result = call();
        }
        return result;
    }
    /* The same of a read. */
    enum sfd_hot_result hotRead(off_t offset, size_t length, void *buffer, size_t size)
    {
        return hot([&] { return sfd_hot_read(&file_, offset, length, buffer, size); });
    }
    /* Leaves the file in the page cache up to there. False where that is impossible. */
    bool warmUntil(off_t end)
    {
        evict(path("file"));
        const OwnedFd file = openFile(path("file"), O_RDONLY);
        std::string begin(static_cast<size_t>(end), 0);
        char byte;
        const struct iovec iov = {&byte, 1};
        EXPECT_EQ(0, posix_fadvise(file.get(), 0, 0, POSIX_FADV_RANDOM));
        EXPECT_EQ(end, pread(file.get(), begin.data(), begin.size(), 0));
        EXPECT_EQ(0, posix_fadvise(file.get(), end, 0, POSIX_FADV_DONTNEED)); // what was read ahead
        return preadv2(file.get(), &iov, 1, end, RWF_NOWAIT) < 0;
    }
    static struct sfd_hot_rest whole(const std::string &head = HEAD)
    {
        struct sfd_hot_rest rest = {};
        rest.head = head.data();
        rest.head_length = head.size();
        rest.length = SFD_TO_END;
        return rest;
    }
    /* Sends all of it while a thread reads; where it is cold the daemon takes over. What has arrived. */
    std::string sendAll(SocketPair pair, struct sfd_hot_rest rest, bool *handed_over = nullptr)
    {
        std::string got;
        std::thread reading([&] { got = readToEnd(pair.in.get()); });
        enum sfd_hot_result result;
        while ((result = sfd_hot_send(&file_, pair.out.get(), &rest)) == SFD_HOT_BLOCKED) {
            EXPECT_EQ(1, sfd_sys_wait_writable(pair.out.get(), -1));
        }
        if (handed_over != nullptr) *handed_over = result == SFD_HOT_COLD;
        if (result == SFD_HOT_COLD) {
            const OwnedFd status(sfd_hot_hand_over(srv_.get(), &file_, nullptr, pair.out.get(), &rest, false, nullptr));
            EXPECT_LE(0, status.get()) << std::strerror(errno);
            awaitCompletion(status.get(), rest.head_length + rest.length);
        } else {
            EXPECT_EQ(SFD_HOT_DONE, result) << std::strerror(errno);
        }
        pair.out.reset();
        reading.join();
        return got;
    }
    static void awaitCompletion(int status, uint64_t moved)
    {
        struct sfd_events events;
        struct sfd_event event = {};
        sfd_events_init(&events, SFD_EVENTS_OF_SEND);
        while (event.type < SFD_EVENT_COMPLETE) {
            ASSERT_EQ(1, sfd_events_next(&events, status, &event));
        }
        EXPECT_EQ(SFD_EVENT_COMPLETE, event.type) << std::strerror(event.error);
        EXPECT_EQ(moved, event.moved);
    }
    static SocketPair nonblocking(SocketPair pair)
    {
        setNonblocking(pair.out.get());
        return pair;
    }

    std::string content_;
    struct sfd_hot_root *root_ = nullptr;
    struct sfd_hot_file file_ = {};
};

TEST_F(HotClientTest, ShouldOpenAFileAndTellWhatItIs)
{
    struct stat st = {};
    ASSERT_EQ(0, stat(path("file").c_str(), &st));
    for (const char *name : {"file", "/file", "../file", "./file"}) {
        open(name);
        EXPECT_EQ(SIZE, file_.size);
        EXPECT_EQ(st.st_ino, file_.inode);
        EXPECT_EQ(st.st_dev, file_.device);
        EXPECT_EQ(st.st_mode, file_.mode);
        EXPECT_EQ(st.st_mtim.tv_sec, file_.mtime);
        EXPECT_EQ(st.st_mtim.tv_nsec, file_.mtime_ns);
        char byte = 0;
        EXPECT_EQ(1, pread(file_.fd, &byte, 1, 7));
        EXPECT_EQ(content_[7], byte);
        sfd_hot_close(&file_);
        EXPECT_EQ(-1, file_.fd);
    }
}

TEST_F(HotClientTest, ShouldTellATimeBefore1970)
{
    const struct timespec times[2] = {{-5, 250000000}, {-5, 250000000}};
    ASSERT_EQ(0, utimensat(AT_FDCWD, path("file").c_str(), times, 0));
    open();
    EXPECT_EQ(-5, file_.mtime);
    EXPECT_EQ(250000000u, file_.mtime_ns);
}

TEST_F(HotClientTest, ShouldSayWhyAFileIsNotOpened)
{
    std::filesystem::create_directory(path("directory"));
    ASSERT_EQ(0, mkfifo(path("fifo").c_str(), 0600));
    std::filesystem::create_symlink("loop", path("loop"));
    const struct {
        const char *name;
        int error;
    } cases[] = {{"directory", EINVAL}, {"fifo", EINVAL}, {"loop", ELOOP}, {nullptr, EINVAL}};
    for (const auto &c : cases) {
        struct sfd_hot_file untouched = {};
        untouched.size = 77;
        errno = 0;
        EXPECT_EQ(SFD_HOT_FAILED, sfd_hot_open(root_, c.name, &untouched));
        EXPECT_EQ(c.error, errno) << (c.name == nullptr ? "NULL" : c.name);
        EXPECT_EQ(77u, untouched.size);
    }
    EXPECT_EQ(SFD_HOT_FAILED, sfd_hot_open(nullptr, "file", &file_));
    EXPECT_EQ(SFD_HOT_FAILED, sfd_hot_open(root_, "file", nullptr));
    EXPECT_EQ(SFD_HOT_FAILED, sfd_hot_open(root_, std::string(5000, 'x').c_str(), &file_));
    EXPECT_EQ(ENAMETOOLONG, errno);
    /* Whether a name is missing may be known to the disk only, at first. */
    (void)access(path("missing").c_str(), F_OK);
    EXPECT_EQ(SFD_HOT_FAILED, sfd_hot_open(root_, "missing", &file_));
    EXPECT_EQ(ENOENT, errno);
}

TEST_F(HotClientTest, ShouldSayWhyARootIsNotOpened)
{
    struct sfd_hot_root *root = nullptr;
    struct sfd_hot_options reserved = {};
    struct sfd_hot_options unknown = {};
    reserved.reserved[4] = 1;
    unknown.flags = 2;

    EXPECT_EQ(-1, sfd_hot_open_root(path("missing").c_str(), nullptr, &root));
    EXPECT_EQ(ENOENT, errno);
    EXPECT_EQ(-1, sfd_hot_open_root(path("file").c_str(), nullptr, &root));
    EXPECT_EQ(ENOTDIR, errno);
    for (const struct sfd_hot_options *options : {&reserved, &unknown}) {
        errno = 0;
        EXPECT_EQ(-1, sfd_hot_open_root(path().c_str(), options, &root));
        EXPECT_EQ(EINVAL, errno);
    }
    EXPECT_EQ(-1, sfd_hot_open_root(nullptr, nullptr, &root));
    EXPECT_EQ(EINVAL, errno);
    EXPECT_EQ(-1, sfd_hot_open_root(path().c_str(), nullptr, nullptr));
    EXPECT_EQ(nullptr, root);
    sfd_hot_close_root(nullptr);
}

TEST_F(HotClientTest, ShouldCloseAFileOnceAndLeaveErrnoAlone)
{
    struct sfd_hot_file zeros = {};
    errno = 1234;
    sfd_hot_close(&zeros);
    open();
    errno = 1234;
    sfd_hot_close(&file_);
    sfd_hot_close(&file_);
    EXPECT_EQ(1234, errno);

    char byte;
    struct sfd_hot_rest rest = whole();
    Pipe pipe;
    EXPECT_EQ(SFD_HOT_FAILED, sfd_hot_read(&file_, 0, 1, &byte, 1));
    EXPECT_EQ(EBADF, errno);
    EXPECT_EQ(SFD_HOT_FAILED, sfd_hot_send(&file_, pipe.out.get(), &rest));
    EXPECT_EQ(EBADF, errno);
    EXPECT_EQ(-1, sfd_hot_hand_over(srv_.get(), &file_, nullptr, pipe.out.get(), &rest, true, nullptr));
    EXPECT_EQ(EBADF, errno);
}

/* The inode that is told of the file before and after another one has taken its place. */
std::pair<uint64_t, uint64_t> replaced(const std::string &root, const std::string &file, struct sfd_hot_options options)
{
    struct sfd_hot_root *opened = nullptr;
    struct sfd_hot_file files[2] = {};
    EXPECT_EQ(0, sfd_hot_open_root(root.c_str(), &options, &opened));
    enum sfd_hot_result first = sfd_hot_open(opened, "file", &files[0]);
    sfd_hot_close(&files[0]);
    writeFile(file + "2", "another");
    EXPECT_EQ(0, rename((file + "2").c_str(), file.c_str()));
    enum sfd_hot_result second = sfd_hot_open(opened, "file", &files[1]);
    sfd_hot_close(&files[1]);
    sfd_hot_close_root(opened);
    return {first == SFD_HOT_DONE ? files[0].inode : 0, second == SFD_HOT_DONE ? files[1].inode : 0};
}

TEST_F(HotClientTest, ShouldKeepFilesOpenAsLongAsItIsTold)
{
    struct sfd_hot_options options = {};
    options.cache_entries = 10;
    for (const uint32_t age : {uint32_t{0}, UINT32_MAX}) {
        options.cache_age_ms = age;
        std::pair<uint64_t, uint64_t> inodes;
        for (int i = 0; i < 20 && (inodes.first == 0 || inodes.second == 0); i++) {
            inodes = replaced(path(), path("file"), options);
        }
        EXPECT_NE(0u, inodes.second);
        EXPECT_EQ(age > 0, inodes.first == inodes.second) << age;
    }
}

TEST_F(HotClientTest, ShouldReadAllOrNothing)
{
    std::string buffer(SIZE + 1, 0);
    EXPECT_EQ(SFD_HOT_DONE, hotRead(0, SFD_TO_END, buffer.data(), SIZE));
    EXPECT_BYTES(content_, buffer.substr(0, SIZE));
    EXPECT_EQ(SFD_HOT_DONE, hotRead(100, 5000, buffer.data(), buffer.size()));
    EXPECT_BYTES(content_.substr(100, 5000), buffer.substr(0, 5000));
    EXPECT_EQ(SFD_HOT_BIG, hotRead(0, SFD_TO_END, buffer.data(), SIZE - 1));
    EXPECT_EQ(SFD_HOT_BIG, hotRead(0, 11, buffer.data(), 10));
    for (const size_t nothing : {SFD_TO_END, size_t{0}}) {
        EXPECT_EQ(SFD_HOT_DONE, hotRead(SIZE, nothing, nullptr, 0));
    }
    EXPECT_EQ(SFD_HOT_FAILED, hotRead(0, 1, nullptr, 1));
    EXPECT_EQ(EINVAL, errno);
    const struct {
        off_t offset;
        size_t length;
    } outside[] = {{-1, 1}, {SIZE + 1, 0}, {SIZE, 1}, {0, SIZE + 1}, {1, SIZE_MAX - 1}};
    for (const auto &part : outside) {
        errno = 0;
        EXPECT_EQ(SFD_HOT_FAILED, sfd_hot_read(&file_, part.offset, part.length, buffer.data(), buffer.size()));
        EXPECT_EQ(ERANGE, errno) << part.offset;
        struct sfd_hot_rest rest = whole();
        rest.offset = part.offset;
        rest.length = part.length;
        errno = 0;
        SocketPair pair;
        EXPECT_EQ(SFD_HOT_FAILED, sfd_hot_send(&file_, pair.out.get(), &rest));
        EXPECT_EQ(ERANGE, errno) << part.offset;
        EXPECT_EQ(HEAD.size(), rest.head_length);
        EXPECT_FALSE(readable(pair.in.get()));
    }
    const enum sfd_hot_result result = hot([&] {
        EXPECT_EQ(0, truncate(path("file").c_str(), 10));
        const enum sfd_hot_result read = sfd_hot_read(&file_, 0, SFD_TO_END, buffer.data(), buffer.size());
        if (read == SFD_HOT_COLD) makeFile("file", SIZE);
        return read;
    });
    EXPECT_EQ(SFD_HOT_FAILED, result);
    EXPECT_EQ(ENODATA, errno);
}

TEST_F(HotClientTest, ShouldSayThatAReadIsCold)
{
    std::string buffer(SIZE, 0);
    if (!evict(path("file"))) GTEST_SKIP() << "the temporary directory is in memory";
    open();
    enum sfd_hot_result result = SFD_HOT_DONE;
    /* A fast disk may have loaded what the beginning of the read asked for, before its end: until it has not. */
    for (int i = 0; i < 1000 && result == SFD_HOT_DONE; i++) {
        (void)warmUntil(WINDOW);
        result = sfd_hot_read(&file_, 0, SFD_TO_END, buffer.data(), SIZE);
    }
    EXPECT_EQ(SFD_HOT_COLD, result);
    EXPECT_EQ(SFD_HOT_DONE, hotRead(0, 4096, buffer.data(), SIZE));
    EXPECT_BYTES(content_.substr(0, 4096), buffer.substr(0, 4096));
}

TEST_F(HotClientTest, ShouldSendAHeadAndAFile)
{
    const auto connected = [](bool tcp, bool blocking) {
        SocketPair pair = tcp ? tcpPair() : SocketPair();
        if (!blocking) setNonblocking(pair.out.get());
        return pair;
    };
    struct sfd_hot_rest part = whole();
    part.offset = 5;
    part.length = 300000;
    struct sfd_hot_rest head_only = whole();
    head_only.length = 0;
    const struct {
        struct sfd_hot_rest rest;
        std::string expected;
    } cases[] = {{whole(), HEAD + content_},
                 {whole(""), content_},
                 {part, HEAD + content_.substr(5, 300000)},
                 {head_only, HEAD}};
    for (int socket = 0; socket < 4; socket++) {
        for (const auto &c : cases) {
            bool handed_over = true;
            for (int i = 0; i < 20 && handed_over; i++) {
                open();
                EXPECT_BYTES(c.expected, sendAll(connected(socket & 1, socket & 2), c.rest, &handed_over));
            }
            EXPECT_FALSE(handed_over) << "it needs no daemon";
        }
    }
}

TEST_F(HotClientTest, ShouldSendToAPipe)
{
    open();
    for (const int flags : {0, O_NONBLOCK}) {
        Pipe pipe(flags);
        struct sfd_hot_rest rest = whole();
        std::string got;
        enum sfd_hot_result result;
        while ((result = hot([&] { return sfd_hot_send(&file_, pipe.out.get(), &rest); })) == SFD_HOT_BLOCKED) {
            got += drain(pipe.in.get());
        }
        EXPECT_EQ(SFD_HOT_DONE, result) << std::strerror(errno);
        pipe.out.reset();
        got += readToEnd(pipe.in.get());
        EXPECT_BYTES(HEAD + content_, got);
    }
}

TEST_F(HotClientTest, ShouldSayWhatIsStillToBeSent)
{
    open();
    SocketPair pair;
    setNonblocking(pair.out.get());
    pair.fill();
    struct sfd_hot_rest rest = whole();
    const auto send = [&] { return sfd_hot_send(&file_, pair.out.get(), &rest); };
    EXPECT_EQ(SFD_HOT_BLOCKED, hot(send));
    EXPECT_EQ(HEAD.size(), rest.head_length);
    EXPECT_EQ(0, rest.offset);
    EXPECT_EQ(SIZE, rest.length);

    (void)drain(pair.in.get());
    EXPECT_EQ(SFD_HOT_BLOCKED, hot(send));
    EXPECT_EQ(0u, rest.head_length);
    const std::string got = drain(pair.in.get());
    EXPECT_EQ(HEAD.size() + static_cast<size_t>(rest.offset), got.size());
    EXPECT_EQ(SIZE - static_cast<size_t>(rest.offset), rest.length);
    EXPECT_BYTES((HEAD + content_).substr(0, got.size()), got);
}

TEST_F(HotClientTest, ShouldSayWhyNothingIsSent)
{
    open();
    const OwnedFd file = openFile(path("file"), O_RDWR);
    SocketPair datagrams(SOCK_DGRAM);
    SocketPair gone;
    gone.in.reset();
    Pipe unread;
    unread.in.reset();
    const struct {
        int fd;
        int error;
    } cases[] = {{-1, EBADF},
                 {9999, EBADF},
                 {file.get(), EOPNOTSUPP},
                 {datagrams.out.get(), EOPNOTSUPP},
                 {gone.out.get(), EPIPE},
                 {unread.out.get(), EPIPE}};
    for (const auto &c : cases) {
        struct sfd_hot_rest rest = whole();
        EXPECT_EQ(SFD_HOT_FAILED, hot([&] { return sfd_hot_send(&file_, c.fd, &rest); }));
        EXPECT_EQ(c.error, errno) << c.fd;
        EXPECT_EQ(SIZE, rest.length);
    }
    struct sfd_hot_rest headless = {};
    headless.head_length = 1;
    EXPECT_EQ(SFD_HOT_FAILED, sfd_hot_send(&file_, gone.out.get(), &headless));
    EXPECT_EQ(EINVAL, errno);
    EXPECT_EQ(SFD_HOT_FAILED, sfd_hot_send(&file_, gone.out.get(), nullptr));
    EXPECT_EQ(SFD_HOT_FAILED, sfd_hot_send(nullptr, gone.out.get(), &headless));
}

TEST_F(HotClientTest, ShouldTellThatAFileHasBecomeShorter)
{
    open();
    ASSERT_EQ(0, truncate(path("file").c_str(), 10));
    SocketPair pair;
    setNonblocking(pair.out.get());
    struct sfd_hot_rest rest = whole();
    /* What is behind the end is in no cache: the daemon will say the same. */
    const enum sfd_hot_result result = sfd_hot_send(&file_, pair.out.get(), &rest);
    if (result == SFD_HOT_FAILED) {
        EXPECT_EQ(ENODATA, errno);
    } else {
        EXPECT_EQ(SFD_HOT_COLD, result);
    }
}

TEST_F(HotClientTest, ShouldRaiseNoSigpipe)
{
    open();
    for (const bool pipe : {false, true}) {
        const pid_t child = fork();
        if (child == 0) {
            std::signal(SIGPIPE, SIG_DFL);
            SocketPair pair;
            Pipe unread;
            pair.in.reset();
            unread.in.reset();
            setNonblocking(pair.out.get());
            struct sfd_hot_rest rest = whole("");
            const enum sfd_hot_result result = sfd_hot_send(&file_, pipe ? unread.out.get() : pair.out.get(), &rest);
            const bool same = std::signal(SIGPIPE, SIG_IGN) == SIG_DFL;
            _exit(result == SFD_HOT_FAILED && errno == EPIPE && same ? 7 : 8);
        }
        int status = 0;
        ASSERT_EQ(child, waitpid(child, &status, 0));
        EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
        EXPECT_EQ(7, WEXITSTATUS(status));
    }
}

TEST_F(HotClientTest, ShouldHandOverWhatIsCold)
{
    if (!evict(path("file"))) GTEST_SKIP() << "the temporary directory is in memory";
    open();
    SocketPair pair;
    setNonblocking(pair.out.get());
    struct sfd_hot_rest rest = whole();
    EXPECT_EQ(SFD_HOT_COLD, sfd_hot_send(&file_, pair.out.get(), &rest));
    EXPECT_FALSE(readable(pair.in.get()));
    EXPECT_EQ(HEAD.size(), rest.head_length) << "any answer can still be given";
    EXPECT_EQ(SIZE, rest.length);

    bool handed_over = false;
    EXPECT_BYTES(HEAD + content_, sendAll(nonblocking(tcpPair()), whole(), &handed_over));
    EXPECT_TRUE(handed_over);
    EXPECT_EQ(1u, count(SFD_COUNTER_REQUESTS));
}

TEST_F(HotClientTest, ShouldHandOverInMidFile)
{
    if (!evict(path("file"))) GTEST_SKIP() << "the temporary directory is in memory";
    std::mt19937 random(16);
    int times = 0;
    /* A fast disk may have loaded what a first look asked for, before the next one: until that has happened. */
    for (int i = 0; i < 16 || (times == 0 && i < 1000); i++) {
        const off_t from = static_cast<off_t>(random() % SIZE & ~4095u);
        const bool cold = warmUntil(from);
        open();
        bool handed_over = false;
        const std::string head = i % 3 == 0 ? "" : HEAD;
        EXPECT_BYTES(head + content_,
                     sendAll(nonblocking(i % 2 == 0 ? tcpPair() : SocketPair()), whole(head), &handed_over))
            << "cold from " << from;
        times += cold && handed_over;
    }
    EXPECT_LT(0, times);
}

TEST_F(HotClientTest, ShouldHandOverAPath)
{
    for (const std::string &head : {std::string(), HEAD}) {
        for (const char *name : {"file", "/file"}) {
            SocketPair pair = tcpPair();
            struct sfd_hot_rest rest = whole(head);
            rest.offset = 3;
            std::string got;
            std::thread reading([&] { got = readToEnd(pair.in.get()); });
            const OwnedFd status(sfd_hot_hand_over(srv_.get(), nullptr, name, pair.out.get(), &rest, false, nullptr));
            ASSERT_LE(0, status.get());
            awaitCompletion(status.get(), head.size() + SIZE - 3);
            pair.out.reset();
            reading.join();
            EXPECT_BYTES(head + content_.substr(3), got);
        }
    }
}

TEST_F(HotClientTest, ShouldHandOverNothing)
{
    open();
    const OwnedFd null = openFile("/dev/null", O_WRONLY);
    for (const char *name : {static_cast<const char *>(nullptr), "file"}) {
        struct sfd_hot_rest rest = whole("");
        rest.length = 0;
        const OwnedFd status(
            sfd_hot_hand_over(srv_.get(), name == nullptr ? &file_ : nullptr, name, null.get(), &rest, false, nullptr));
        ASSERT_LE(0, status.get());
        awaitCompletion(status.get(), 0);
    }
}

TEST_F(HotClientTest, ShouldHandOverWithTheOptionsThatAreAskedFor)
{
    open();
    const OwnedFd null = openFile("/dev/null", O_WRONLY);
    struct sfd_options options = {};
    struct sfd_hot_rest rest = whole("");
    options.technique = SFD_TECHNIQUE_COPY_FILE_RANGE;
    const OwnedFd status(sfd_hot_hand_over(srv_.get(), &file_, nullptr, null.get(), &rest, true, &options));
    ASSERT_LE(0, status.get());
    EXPECT_NE(0, fcntl(status.get(), F_GETFL) & O_NONBLOCK);
    ASSERT_TRUE(await([&] { return readable(status.get()); }));
    EXPECT_EQ("refusal " + std::to_string(EOPNOTSUPP), messages(readToEnd(status.get())).back().substr(0, 10));
}

TEST_F(HotClientTest, ShouldSayWhyNothingIsHandedOver)
{
    open();
    Pipe pipe;
    struct sfd_hot_rest rest = whole();
    EXPECT_EQ(-1, sfd_hot_hand_over(srv_.get(), &file_, nullptr, pipe.out.get(), nullptr, true, nullptr));
    EXPECT_EQ(EINVAL, errno);
    EXPECT_EQ(-1, sfd_hot_hand_over(srv_.get(), nullptr, nullptr, pipe.out.get(), &rest, true, nullptr));
    EXPECT_EQ(EINVAL, errno);
    EXPECT_EQ(-1, sfd_hot_hand_over(-1, &file_, nullptr, pipe.out.get(), &rest, true, nullptr));
    EXPECT_EQ(EBADF, errno);
    const std::string long_head(5000, 'h');
    struct sfd_hot_rest long_rest = whole(long_head);
    EXPECT_EQ(-1, sfd_hot_hand_over(srv_.get(), &file_, nullptr, pipe.out.get(), &long_rest, true, nullptr));
    EXPECT_EQ(EMSGSIZE, errno);
    endDaemon();
    EXPECT_EQ(-1, sfd_hot_hand_over(srv_.get(), &file_, nullptr, pipe.out.get(), &rest, true, nullptr));
    EXPECT_EQ(ECONNREFUSED, errno);
}

TEST_F(HotClientTest, ShouldTakeNoHarmFromPeersThatGo)
{
    open();
    for (int i = 0; i < 20; i++) {
        SocketPair pair = tcpPair();
        setNonblocking(pair.out.get());
        if (i % 4 == 0) {
            ASSERT_EQ(0, shutdown(pair.in.get(), SHUT_WR)); // half-closed: it still reads
            EXPECT_BYTES(HEAD + content_, sendAll(std::move(pair), whole()));
            continue;
        }
        const struct linger reset = {1, i % 4 == 1 ? 0 : 1};
        ASSERT_EQ(0, setsockopt(pair.in.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset));
        struct sfd_hot_rest rest = whole();
        enum sfd_hot_result result = sfd_hot_send(&file_, pair.out.get(), &rest);
        pair.in.reset();
        while (result != SFD_HOT_FAILED) {
            rest = whole();
            result = hot([&] { return sfd_hot_send(&file_, pair.out.get(), &rest); });
        }
        EXPECT_TRUE(errno == EPIPE || errno == ECONNRESET) << std::strerror(errno);
    }
}

TEST_F(HotClientTest, ShouldServeThreadsAtOnce)
{
    std::vector<std::thread> threads;
    std::atomic<int> right{0};
    for (int t = 0; t < 4; t++) {
        threads.emplace_back([&] {
            std::string bytes(SIZE, 0);
            for (int i = 0; i < 20; i++) {
                struct sfd_hot_file file = {};
                if (sfd_hot_open(root_, "file", &file) == SFD_HOT_DONE &&
                    sfd_hot_read(&file, 0, SFD_TO_END, bytes.data(), SIZE) == SFD_HOT_DONE && bytes == content_) {
                    right++;
                }
                sfd_hot_close(&file);
            }
        });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    EXPECT_LE(1, right) << "a busy machine may make the rest cold";
}

TEST_F(HotClientTest, ShouldLeaveAFileServerToTheDaemon)
{
    if (!canMount()) GTEST_SKIP() << "no FUSE here";
    const std::string mount = mountSlowly({});
    struct sfd_hot_root *root = nullptr;
    ASSERT_EQ(0, sfd_hot_open_root(mount.c_str(), nullptr, &root));
    warm(mount + "/file");
    EXPECT_EQ(SFD_HOT_COLD, sfd_hot_open(root, "file", &file_));
    sfd_hot_close_root(root);
    endDaemon();
    serve(mount);

    SocketPair pair = tcpPair();
    struct sfd_hot_rest rest = whole();
    std::string got;
    std::thread reading([&] { got = readToEnd(pair.in.get()); });
    const OwnedFd status(sfd_hot_hand_over(srv_.get(), nullptr, "file", pair.out.get(), &rest, false, nullptr));
    awaitCompletion(status.get(), HEAD.size() + SIZE);
    pair.out.reset();
    reading.join();
    EXPECT_BYTES(HEAD + content_, got);
    endDaemon();
}

/* Another mount below the root, whose server does not answer: nobody waits for it. */
TEST_F(HotClientTest, ShouldNotWaitForAFileServerThatDoesNotAnswer)
{
    if (!canMount()) GTEST_SKIP() << "no FUSE here";
    const std::string mount = mountSlowly({"--hold", "file", "--hold-calls", "open"});
    struct sfd_hot_root *root = nullptr;
    ASSERT_EQ(0, sfd_hot_open_root(directory_->path().c_str(), nullptr, &root));
    EXPECT_EQ(SFD_HOT_COLD, sfd_hot_open(root, "mount/file", &file_));
    sfd_hot_close_root(root);
}

} // namespace
