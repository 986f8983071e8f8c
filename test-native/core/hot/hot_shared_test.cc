// A root that is closed while others use it.
#include "hot_fixture.h"

#include <thread>

extern "C" {
#include "hot/hot_shared.h"
}

namespace
{

class HotSharedTest : public HotFixture
{
  protected:
    void SetUp() override
    {
        HotFixture::SetUp();
        struct sfd_hot_settings options = {};
        options.cache_entries = 4;
        options.cache_age_ns = 1000 * MS;
        ASSERT_EQ(0, sfd_hot_shared_create((*directory_ / "root").c_str(), &options, &shared_));
    }
    void TearDown() override
    {
        sfd_hot_shared_free(shared_);
        HotFixture::TearDown();
    }
    /* Opens a file for as long as it has a use of the root: 0 or -errno. */
    int use(struct sfd_hot_source *file, int *hold)
    {
        *hold = sfd_hot_shared_hold(shared_);
        return *hold < 0 ? *hold : sfd_hot_source_open(&shared_->hot, "file", file);
    }

    struct sfd_hot_shared *shared_ = nullptr;
};

TEST_F(HotSharedTest, ShouldCloseItsDescriptorsWithItsLastFile)
{
    const size_t before = openDescriptors().size();
    struct sfd_hot_source file, later;
    int hold, none;

    ASSERT_EQ(0, use(&file, &hold));
    EXPECT_EQ(before + 1, openDescriptors().size());
    sfd_hot_shared_close(shared_);
    EXPECT_EQ(-EBADF, use(&later, &none));
    char bytes[10];
    EXPECT_EQ(10, sfd_hot_source_read(&file, bytes, sizeof(bytes), 0));
    EXPECT_EQ(before + 1, openDescriptors().size());
    sfd_hot_source_close(&file);
    sfd_hot_shared_release(shared_, hold);
    EXPECT_EQ(before - 1, openDescriptors().size());
    sfd_hot_shared_close(shared_);
}

TEST_F(HotSharedTest, ShouldOpenTheFilesOfItsOwnDirectoryOnlyWhileItIsClosed)
{
    std::atomic<int> faults{0}, opened{0};
    std::vector<std::thread> threads;

    std::filesystem::create_directory(*directory_ / "other");
    writeFile(*directory_ / "other/file", "another file");
    for (int i = 0; i < 3; i++) {
        threads.emplace_back([&] {
            for (;;) {
                struct sfd_hot_source file = {};
                int hold;
                const int result = use(&file, &hold);
                if (result == -EBADF) {
                    return;
                }
                faults += result != 0 || file.size != SIZE;
                opened++;
                sfd_hot_source_close(&file);
                sfd_hot_shared_release(shared_, hold);
            }
        });
    }
    while (opened < 100) {
        std::this_thread::yield();
    }
    sfd_hot_shared_close(shared_);
    /* What gets the number of the root's descriptor as soon as that is free. */
    const OwnedFd other = openFile(*directory_ / "other", O_PATH | O_DIRECTORY);
    for (std::thread &thread : threads) {
        thread.join();
    }
    EXPECT_EQ(0, faults);
}

} // namespace
