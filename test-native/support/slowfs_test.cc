// Tests of support/slowfs.c, the disk that other tests trust to be slow.
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "descriptors.h"
#include "helper_process.h"
#include "temporary_directory.h"

namespace
{

class SlowfsTest : public DescriptorCountingTest
{
  protected:
    void SetUp() override
    {
        DescriptorCountingTest::SetUp();
        if (!helperExists("slowfs")) {
            GTEST_SKIP() << "slowfs was not built: libfuse3 is missing";
        }
        if (access("/dev/fuse", R_OK | W_OK) != 0) {
            GTEST_SKIP() << "/dev/fuse is missing or not allowed";
        }
        directory_ = std::make_unique<TemporaryDirectory>();
        std::filesystem::create_directory(*directory_ / "source");
        std::filesystem::create_directory(*directory_ / "mount");
        std::ofstream(*directory_ / "source/held.txt") << "held";
        std::ofstream(*directory_ / "source/free.txt") << "free";
    }

    void TearDown() override
    {
        slowfs_.reset();
        directory_.reset();
        DescriptorCountingTest::TearDown();
    }

    void mount(std::vector<std::string> options)
    {
        options.insert(options.begin(), {helper("slowfs"), *directory_ / "mount", *directory_ / "source"});
        slowfs_ = std::make_unique<HelperProcess>(options);
        ASSERT_EQ(slowfs_->readLine(), "ready");
    }

    std::string content(const std::string &name) const
    {
        std::ifstream file(*directory_ / ("mount/" + name));
        return std::string(std::istreambuf_iterator<char>(file), {});
    }

    std::unique_ptr<TemporaryDirectory> directory_;
    std::unique_ptr<HelperProcess> slowfs_;
};

TEST_F(SlowfsTest, ShouldServeTheFilesOfTheDirectory)
{
    mount({});
    EXPECT_EQ(content("free.txt"), "free");
    EXPECT_FALSE(std::filesystem::exists(*directory_ / "mount/missing"));
}

TEST_F(SlowfsTest, ShouldUnmountAtSigterm)
{
    mount({});
    EXPECT_EQ(slowfs_->stop(), 0);
    EXPECT_FALSE(std::filesystem::exists(*directory_ / "mount/free.txt"));
}

TEST_F(SlowfsTest, ShouldWaitBeforeAColdReadOnly)
{
    mount({"--read-ms", "50"});
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(content("free.txt"), "free");
    EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(50));

    // Warm now: a wait before the page cache's answer would have to come from the server, which is gone.
    const OwnedFd file(open((*directory_ / "mount/free.txt").c_str(), O_RDONLY | O_CLOEXEC));
    slowfs_->signal(SIGSTOP);
    char bytes[4];
    EXPECT_EQ(pread(file.get(), bytes, sizeof bytes, 0), 4);
    slowfs_->signal(SIGCONT);
}

TEST_F(SlowfsTest, ShouldFailReadsBeyondAnOffsetAndServeWhatIsBefore)
{
    std::ofstream(*directory_ / "source/bad.txt") << std::string(20000, 'b');
    std::ofstream(*directory_ / "source/good.txt") << std::string(20000, 'g');
    mount({"--faulty", "bad", "--eio-at", "8192"});
    const OwnedFd bad(open((*directory_ / "mount/bad.txt").c_str(), O_RDONLY | O_CLOEXEC));
    char bytes[20000];
    EXPECT_EQ(pread(bad.get(), bytes, 8192, 0), 8192);
    EXPECT_EQ(pread(bad.get(), bytes, 4096, 8192), -1);
    EXPECT_EQ(errno, EIO);
    EXPECT_EQ(content("good.txt"), std::string(20000, 'g'));
}

TEST_F(SlowfsTest, ShouldShrinkAFileWhileItIsRead)
{
    std::ofstream(*directory_ / "source/shrinking.txt") << std::string(20000, 's');
    mount({"--shrink-to", "9000"});
    const OwnedFd file(open((*directory_ / "mount/shrinking.txt").c_str(), O_RDONLY | O_CLOEXEC));
    EXPECT_EQ(std::filesystem::file_size(*directory_ / "mount/shrinking.txt"), 20000u);
    char bytes[20000];
    EXPECT_EQ(pread(file.get(), bytes, sizeof bytes, 0), 9000);
    EXPECT_EQ(pread(file.get(), bytes, sizeof bytes, 9000), 0);
}

TEST_F(SlowfsTest, ShouldHoldReadsUntilTheGateOpens)
{
    mount({"--hold", "held"});
    int done[2];
    ASSERT_EQ(pipe2(done, O_CLOEXEC), 0);
    std::string held;
    std::thread reader([&] {
        held = content("held.txt");
        close(done[1]);
    });

    EXPECT_EQ(content("free.txt"), "free") << "a held read stopped another one";
    pollfd ended = {done[0], POLLIN, 0};
    EXPECT_EQ(poll(&ended, 1, 0), 0) << "the held read came back before the gate was open";
    slowfs_->signal(SIGUSR1);
    reader.join();
    EXPECT_EQ(held, "held");
    close(done[0]);
}

} // namespace
