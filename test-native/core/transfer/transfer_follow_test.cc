// A root that is followed: by which way a request's file is opened when a symbolic link on its path changes.
#include "transfer_fixture.h"

#include <filesystem>

namespace
{

class TransferFollowTest : public TransferFixture, public testing::WithParamInterface<bool>
{
  protected:
    void SetUp() override
    {
        TransferFixture::SetUp();
        for (const char *release : {"a", "b"}) {
            std::filesystem::create_directory(*directory_ / release);
            writeFile(*directory_ / release + "/file", std::string("of ") + release);
        }
        link_ = *directory_ / "current";
        lead("a");
        servedRoot_.follow = link_.data();
        context_->kernel.resolve_cached = GetParam();
        root_ = OwnedFd();
        rootIsLocal_ = false;
        learn();
    }
    void TearDown() override
    {
        EXPECT_EQ(-1, t_->source.directory) << "a root outlived its request";
        root_ = openFile(directory_->path(), O_PATH | O_DIRECTORY);
        TransferFixture::TearDown();
    }

    void learn()
    {
        struct sfd_opened opened = {};
        const OwnedFd root = openFile(directory_->path(), O_PATH | O_DIRECTORY);
        ASSERT_EQ(0, sfd_open_path(&context_->kernel, root.get(), "a/file", &opened));
        sfd_residency_learn(&devices_, &context_->kernel, opened.fd, opened.dev);
        close(opened.fd);
    }
    void lead(const std::string &to)
    {
        std::filesystem::create_directory_symlink(to, *directory_ / "new");
        std::filesystem::rename(*directory_ / "new", link_);
    }
    std::string read()
    {
        begin(SFD_WIRE_READ_FILE);
        finish();
        std::string bytes = readBytes();
        again();
        return bytes;
    }

    std::string link_;
};

INSTANTIATE_TEST_SUITE_P(Kernels, TransferFollowTest, testing::Bool(), [](const auto &instance) {
    return instance.param ? std::string("withResolveCached") : std::string("without");
});

TEST_P(TransferFollowTest, ShouldReadFromWhereTheLinkLeadsAtEachRequest)
{
    for (int i = 0; i < 20; i++) {
        lead(i % 2 == 0 ? "a" : "b");
        EXPECT_EQ(i % 2 == 0 ? "of a" : "of b", read());
    }
}

TEST_P(TransferFollowTest, ShouldOpenFromTheCachesOnTheLoopWhereItCan)
{
    EXPECT_EQ("of a", read());
    EXPECT_EQ(GetParam() ? SFD_NEXT_END : SFD_NEXT_POOL, begin(SFD_WIRE_READ_FILE));
    finish();
}

TEST_P(TransferFollowTest, ShouldStayWithTheRootThatItHas)
{
    static std::string link;
    static std::string other;
    static bool knows_files; // whether the kernel's caches do
    link = link_;
    other = *directory_ / "b";
    sys_.openat2 = [](int dir, const char *path, const struct open_how *how) {
        constexpr uint64_t CACHED = 0x20; // RESOLVE_CACHED
        const bool root = dir == AT_FDCWD;
        const int fd =
            !root && !knows_files && (how->resolve & CACHED) != 0 ? -EAGAIN : sfd_sys_linux.openat2(dir, path, how);
        if (fd >= 0 && root) { // just behind the open of the root
            std::filesystem::remove(link);
            std::filesystem::create_directory_symlink(other, link);
        }
        return fd;
    };
    for (const bool knows : {true, false}) {
        knows_files = knows;
        lead("a");
        begin(SFD_WIRE_OPEN_FILE);
        finish();
        ASSERT_EQ(SFD_NEXT_PARK, next_);
        EXPECT_EQ(-1, t_->source.directory) << "it is not needed any more";
        next_ = sfd_transfer_send(context_.get(), t_.get(), toPipe());
        finish();
        EXPECT_EQ("of a", data_);
        again();
    }
}

TEST_P(TransferFollowTest, ShouldCloseTheRootOfARequestThatIsRefused)
{
    begin(SFD_WIRE_READ_FILE, -1, 0, SFD_WIRE_TO_END, "missing");
    finish();
    EXPECT_EQ(Messages{"error 129 " + std::to_string(ENOENT)}, told());
}

TEST_P(TransferFollowTest, ShouldRefuseWhileTheLinkLeadsNowhere)
{
    const auto refusal = [this] {
        begin(SFD_WIRE_READ_FILE);
        finish();
        const Messages answer = told();
        again();
        return answer;
    };
    lead("missing");
    EXPECT_EQ(Messages{"error 129 " + std::to_string(ENOENT)}, refusal());
    lead("a/file");
    EXPECT_EQ(Messages{"error 129 " + std::to_string(ENOTDIR)}, refusal());
    lead("current");
    EXPECT_EQ(Messages{"error 129 " + std::to_string(ELOOP)}, refusal());
    lead("b");
    EXPECT_EQ("of b", read());
}

TEST_P(TransferFollowTest, ShouldWaitALittleForADescriptor) // R13
{
    static int failures;
    failures = 2;
    sys_.openat2 = [](int dir, const char *path, const struct open_how *how) {
        return dir == AT_FDCWD && failures-- > 0 ? -EMFILE : sfd_sys_linux.openat2(dir, path, how);
    };
    begin(SFD_WIRE_READ_FILE);
    while (next_ == SFD_NEXT_POOL) {
        workAndRun();
        if (next_ == SFD_NEXT_RETRY) {
            ASSERT_TRUE(fires(50));
            run();
        }
    }
    finish();
    EXPECT_EQ("of a", readBytes());
}

TEST_P(TransferFollowTest, ShouldCloseTheRootOfARequestThatIsCancelledMeanwhile)
{
    context_->kernel.resolve_cached = false;
    ASSERT_EQ(SFD_NEXT_POOL, begin(SFD_WIRE_READ_FILE));
    t_->loop.offloaded = true;
    ASSERT_EQ(SFD_NEXT_WAIT, sfd_transfer_cancel(context_.get(), t_.get()));
    sfd_transfer_work(context_.get(), t_.get());
    t_->loop.offloaded = false;
    EXPECT_EQ(SFD_NEXT_END, run());
}

} // namespace
