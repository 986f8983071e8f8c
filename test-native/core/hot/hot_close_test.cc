// Closing a file whose last close frees its blocks: in a thread of its own, if that may take long.
#include "await.h"
#include "hot_fixture.h"

#include <thread>

namespace
{

std::atomic<bool> elsewhere;
std::atomic<int> watched;
std::thread::id here;

class HotCloseTest : public HotFixture
{
  protected:
    void SetUp() override
    {
        HotFixture::SetUp();
        writeFile(path("large"), pattern(1 << 20));
        elsewhere = false;
        here = std::this_thread::get_id();
        sys_.close = [](int fd) {
            const bool is_other = std::this_thread::get_id() != here;
            const int result = sfd_sys_linux.close(fd);
            if (fd == watched) {
                elsewhere = is_other;
                watched = -1;
            }
            return result;
        };
    }
    /* Whether a thread of its own closes a file that is open, and removed if it is to be. */
    bool closesElsewhere(const char *name, bool removes)
    {
        EXPECT_EQ(0, open(name));
        if (removes) {
            std::filesystem::remove(path(name));
        }
        watched = file_.fd;
        close();
        EXPECT_TRUE(await([] { return watched == -1; }));
        return elsewhere;
    }
};

TEST_F(HotCloseTest, ShouldLeaveALargeFileThatWasRemovedToAThread)
{
    EXPECT_TRUE(closesElsewhere("large", true));
}

TEST_F(HotCloseTest, ShouldCloseOthersAtOnce)
{
    EXPECT_FALSE(closesElsewhere("large", false));
    EXPECT_FALSE(closesElsewhere("file", true)) << "it is small";
}

TEST_F(HotCloseTest, ShouldLeaveALargeFileOfTheCacheToAThread)
{
    ASSERT_EQ(0, init(1, 1000 * MS));
    ASSERT_EQ(0, open("large"));
    watched = file_.fd;
    std::filesystem::remove(path("large"));
    ASSERT_EQ(0, open("file")) << "there is room for one";
    EXPECT_TRUE(await([] { return watched == -1; }));
    EXPECT_TRUE(elsewhere);
}

} // namespace
