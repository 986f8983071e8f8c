// The hot path on real files: what is opened, read and sent from memory, and what is said to be cold.
#include "core.h"

#include <filesystem>
#include <linux/openat2.h>
#include <memory>
#include <sys/mman.h>
#include <thread>

extern "C" {
#include "hot.h"
}

namespace
{

constexpr uint64_t WINDOW = 256 * 1024;

class HotTest : public CoreTest
{
  protected:
    void SetUp() override
    {
        CoreTest::SetUp();
        directory_ = std::make_unique<TemporaryDirectory>();
        std::filesystem::create_directory(*directory_ / "root");
        writeFile(*directory_ / "secret", "outside");
        content_ = pattern(SIZE);
        writeFile(*directory_ / "root/file", content_);
        ASSERT_EQ(0, init(*directory_ / "root"));
    }
    void TearDown() override
    {
        close();
        sfd_hot_deinit(&hot_);
        directory_.reset();
        CoreTest::TearDown();
    }

    int init(const std::string &path, const struct sfd_sys *sys = nullptr)
    {
        struct sfd_hot_settings options = {};
        options.sys = sys;
        sfd_hot_deinit(&hot_);
        return sfd_hot_init(&hot_, path.c_str(), &options);
    }
    void close()
    {
        sfd_hot_source_close(&file_);
    }
    int open(const char *path = "file")
    {
        close();
        return sfd_hot_source_open(&hot_, path, &file_);
    }
    /* Takes the pages of the file's range out of the cache; true once they are. */
    bool evict(uint64_t offset, uint64_t length, const std::string &name = "root/file")
    {
        const OwnedFd fd = openFile(*directory_ / name, O_RDWR);
        EXPECT_EQ(0, fsync(fd.get()));
        EXPECT_EQ(0,
                  posix_fadvise(fd.get(), static_cast<off_t>(offset), static_cast<off_t>(length), POSIX_FADV_DONTNEED));
        char byte;
        const struct iovec iov = {&byte, 1};
        return preadv2(fd.get(), &iov, 1, static_cast<off_t>(offset + length / 2), RWF_NOWAIT) < 0;
    }
    struct sfd_hot_sent send(int dest, uint64_t offset, uint64_t length, const std::string &head = "",
                             enum sfd_fd_kind kind = SFD_FD_OTHER)
    {
        return sfd_hot_source_send(&file_, dest, kind, head.data(), head.size(), offset, length);
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
                EXPECT_EQ(SFD_HOT_STEP_DONE, sent.step) << sent.error;
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

    static constexpr uint64_t SIZE = 3 * WINDOW + 12345;
    std::unique_ptr<TemporaryDirectory> directory_;
    std::string content_;
    struct sfd_hot hot_ = {};
    struct sfd_hot_source file_ = {};
    int blocked_ = 0;
};

TEST_F(HotTest, ShouldOpenWithAllThatAnEntityTagNeeds)
{
    struct stat st;

    ASSERT_EQ(0, open("/file"));
    ASSERT_EQ(0, stat((*directory_ / "root/file").c_str(), &st));
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
    std::filesystem::create_symlink("../secret", *directory_ / "root/link");
    EXPECT_NE(0, access((*directory_ / "root/secret").c_str(), F_OK)) << "now it is known that there is none";
    EXPECT_EQ(-ENOENT, open("../secret"));
    EXPECT_EQ(-ENOENT, open("/../../secret"));
    EXPECT_TRUE(std::filesystem::is_symlink(*directory_ / "root/link"));
    EXPECT_NE(0, open("link"));
    EXPECT_EQ(-EINVAL, open("/"));
}

TEST_F(HotTest, ShouldSayThatEvictedBytesAreCold)
{
    char byte;

    ASSERT_EQ(0, open());
    ASSERT_TRUE(evict(0, SIZE));
    EXPECT_EQ(-EAGAIN, sfd_hot_source_read(&file_, &byte, 1, SIZE / 2));
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
    ASSERT_TRUE(evict(2 * WINDOW, WINDOW));
    const struct sfd_hot_sent sent = send(pair.out.get(), 0, SIZE, "head");
    EXPECT_EQ(SFD_HOT_STEP_COLD, sent.step);
    EXPECT_EQ(4u, sent.head_moved);
    EXPECT_EQ(2 * WINDOW, sent.moved);
    EXPECT_BYTES("head" + content_.substr(0, 2 * WINDOW), drain(pair.in.get()));
}

} // namespace
