// The cache of open files: what it saves, and that nothing is served for longer than its age.
#include "hot_fixture.h"

#include <functional>
#include <thread>

namespace
{

constexpr uint64_t AGE = 100 * MS;

uint64_t now_ns;
std::atomic<int> lookups;
int lookup_error;

class HotCacheTest : public HotFixture
{
  protected:
    void SetUp() override
    {
        HotFixture::SetUp();
        now_ns = 1000000 * MS;
        lookup_error = 0;
        sys_.now_ns = [] { return now_ns; };
        sys_.openat2 = [](int dir, const char *path, const struct open_how *how) {
            lookups++;
            return lookup_error != 0 ? lookup_error : sfd_sys_linux.openat2(dir, path, how);
        };
        std::filesystem::create_directory(path("sub"));
        for (const char *name : {"a", "b", "c", "sub/file"}) {
            writeFile(path(name), std::string("content of ") + name);
        }
        ASSERT_EQ(0, init(8, AGE));
        lookups = 0;
    }
    std::string content()
    {
        std::string buffer(100, 'x');
        const int64_t n = sfd_hot_source_read(&file_, &buffer[0], buffer.size(), 0);
        return n < 0 ? "error " + std::to_string(-n) : buffer.substr(0, static_cast<size_t>(n));
    }
    int lookupsOf(const char *name)
    {
        const int before = lookups;
        EXPECT_EQ(0, open(name));
        return lookups - before;
    }
    /* What the kernel knows of a path is what a test has changed, not what it has forgotten. */
    void know(const std::string &name)
    {
        (void)!access(path(name).c_str(), F_OK);
    }
};

TEST_F(HotCacheTest, ShouldAskNothingWhileAnEntryIsFresh)
{
    EXPECT_EQ(1, lookupsOf("a"));
    const int fd = file_.fd;
    now_ns += AGE - 1;
    EXPECT_EQ(0, lookupsOf("a"));
    EXPECT_EQ(fd, file_.fd);
    EXPECT_EQ("content of a", content());
}

TEST_F(HotCacheTest, ShouldCheckAnEntryThatIsOlderAndUseItAgain)
{
    EXPECT_EQ(1, lookupsOf("a"));
    const int fd = file_.fd;
    now_ns += AGE;
    EXPECT_EQ(1, lookupsOf("a")) << "its path";
    EXPECT_EQ(fd, file_.fd);
    now_ns += AGE - 1;
    EXPECT_EQ(0, lookupsOf("a"));
}

TEST_F(HotCacheTest, ShouldCheckEachTimeWithoutAnAge)
{
    ASSERT_EQ(0, init(8, 0));
    EXPECT_EQ(1, lookupsOf("a"));
    EXPECT_EQ(1, lookupsOf("a"));
    writeFile(path("new"), "new");
    std::filesystem::rename(path("new"), path("a"));
    ASSERT_EQ(0, open("a"));
    EXPECT_EQ("new", content());
}

struct Change {
    const char *name;
    std::function<void(const std::string &directory)> make;
    int result; /* of the next open, when the age is over */
    uint64_t size;
};

class HotCacheChangeTest : public HotCacheTest, public testing::WithParamInterface<Change>
{
};

TEST_P(HotCacheChangeTest, ShouldServeAFileAsItWasForItsAgeAtMost)
{
    const Change &change = GetParam();

    ASSERT_EQ(0, open("sub/file"));
    const struct sfd_hot_source before = file_;
    change.make(path(""));
    know("sub/file");
    now_ns += AGE - 1;
    ASSERT_EQ(0, open("sub/file")) << "this is what an age is";
    EXPECT_EQ(before.inode, file_.inode);
    EXPECT_EQ(before.size, file_.size);
    EXPECT_EQ(before.mtime_ns, file_.mtime_ns);

    now_ns += 1;
    ASSERT_EQ(change.result, open("sub/file"));
    if (change.result == 0) {
        struct stat st;
        ASSERT_EQ(0, stat(path("sub/file").c_str(), &st));
        EXPECT_EQ(st.st_ino, file_.inode);
        EXPECT_EQ(change.size, file_.size);
        EXPECT_EQ(st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec, file_.mtime_ns);
        EXPECT_EQ(change.size, content().size());
    }
}

TEST_P(HotCacheChangeTest, ShouldSeeAtOnceWhatHappenedToTheFileItselfIfItLooks)
{
    const Change &change = GetParam();

    ASSERT_EQ(0, init(8, AGE, true));
    ASSERT_EQ(0, open("sub/file"));
    EXPECT_EQ(0, lookupsOf("sub/file")) << "no path is looked up for that";
    const struct sfd_hot_source before = file_;
    change.make(path(""));
    know("sub/file");
    if (std::string(change.name).rfind("Below", 0) == 0) {
        now_ns += AGE - 1;
        ASSERT_EQ(0, open("sub/file")) << "what is above it is seen when the age is over";
        EXPECT_EQ(before.inode, file_.inode);
        now_ns += 1;
    }
    ASSERT_EQ(change.result, open("sub/file"));
    if (change.result == 0) {
        EXPECT_EQ(change.size, file_.size);
        EXPECT_EQ(change.size, content().size());
    }
}

INSTANTIATE_TEST_SUITE_P(
    All, HotCacheChangeTest,
    testing::Values(
        Change{"Replaced",
               [](const std::string &d) {
                   writeFile(d + "new", "new");
                   std::filesystem::rename(d + "new", d + "sub/file");
               },
               0, 3},
        Change{"Removed", [](const std::string &d) { std::filesystem::remove(d + "sub/file"); }, -ENOENT, 0},
        Change{"Renamed", [](const std::string &d) { std::filesystem::rename(d + "sub/file", d + "sub/other"); },
               -ENOENT, 0},
        Change{"BelowARenamedDirectory", [](const std::string &d) { std::filesystem::rename(d + "sub", d + "other"); },
               -ENOENT, 0},
        Change{"BelowAReplacedDirectory",
               [](const std::string &d) {
                   std::filesystem::rename(d + "sub", d + "other");
                   std::filesystem::create_directory(d + "sub");
                   writeFile(d + "sub/file", "another");
               },
               0, 7},
        Change{"BelowALinkOutside",
               [](const std::string &d) {
                   std::filesystem::rename(d + "sub", d + "../sub");
                   std::filesystem::create_symlink("../sub", d + "sub");
                   (void)!access((d + "../root/sub").c_str(), F_OK);
               },
               -ELOOP, 0},
        Change{"Cut", [](const std::string &d) { std::filesystem::resize_file(d + "sub/file", 4); }, 0, 4},
        Change{"Grown", [](const std::string &d) { std::filesystem::resize_file(d + "sub/file", 40); }, 0, 40},
        Change{"Touched",
               [](const std::string &d) {
                   const struct timespec times[] = {{1, 2}, {3, 4}};
                   ASSERT_EQ(0, utimensat(AT_FDCWD, (d + "sub/file").c_str(), times, 0));
               },
               0, 19},
        Change{"NoFileAnyMore",
               [](const std::string &d) {
                   std::filesystem::remove(d + "sub/file");
                   std::filesystem::create_directory(d + "sub/file");
               },
               -EINVAL, 0}),
    [](const testing::TestParamInfo<Change> &change) { return change.param.name; });

TEST_F(HotCacheTest, ShouldSeeThatAFileWasMadeUnreadable)
{
    ASSERT_EQ(0, open("a"));
    ASSERT_EQ(0, chmod(path("a").c_str(), 0));
    now_ns += AGE;
    EXPECT_EQ(2, lookupsOf("a")) << "it is opened again, as who may read all";
}

TEST_F(HotCacheTest, ShouldBeColdWhereOnlyTheDiskKnowsThePath)
{
    ASSERT_EQ(0, open("a"));
    now_ns += AGE;
    lookup_error = -EAGAIN;
    EXPECT_EQ(-EAGAIN, open("a"));
    lookup_error = 0;
    EXPECT_EQ(0, open("a"));
}

TEST_F(HotCacheTest, ShouldGiveItsDescriptorsAwayWhenThereAreNoMore)
{
    const size_t before = openDescriptors().size();

    ASSERT_EQ(0, open("a"));
    ASSERT_EQ(0, open("b"));
    lookup_error = -EMFILE;
    EXPECT_EQ(-EAGAIN, open("c"));
    EXPECT_EQ(before, openDescriptors().size());
}

TEST_F(HotCacheTest, ShouldMakeRoomByTheEntryUsedLeastLately)
{
    ASSERT_EQ(0, init(2, AGE));
    const size_t before = openDescriptors().size();
    for (const char *name : {"a", "b", "a", "c"}) {
        now_ns += 1;
        ASSERT_EQ(0, open(name));
    }
    close();
    EXPECT_EQ(before + 2, openDescriptors().size());
    EXPECT_EQ(0, lookupsOf("a"));
    EXPECT_EQ(0, lookupsOf("c"));
    EXPECT_EQ(1, lookupsOf("b"));
}

TEST_F(HotCacheTest, ShouldKeepAFileInUseOpen)
{
    ASSERT_EQ(0, init(1, AGE));
    ASSERT_EQ(0, open("a"));
    struct sfd_hot_source used = file_;
    file_ = {};
    ASSERT_EQ(0, open("b"));
    std::filesystem::remove(path("a"));
    char bytes[100];
    EXPECT_EQ(12, sfd_hot_source_read(&used, bytes, sizeof(bytes), 0));
    sfd_hot_source_close(&used);
    sfd_hot_source_close(&used);
    EXPECT_EQ(-1, used.fd);
}

TEST_F(HotCacheTest, ShouldCloseWhatNobodyAsksFor)
{
    ASSERT_EQ(0, init(64, AGE));
    const size_t before = openDescriptors().size();
    for (int i = 0; i < 40; i++) {
        const std::string name = std::to_string(i);
        writeFile(path(name), name);
        ASSERT_EQ(0, open(name.c_str()));
    }
    close();
    EXPECT_LT(before + 20, openDescriptors().size());
    now_ns += 900 * MS;
    ASSERT_EQ(0, open("a"));
    EXPECT_LT(before + 20, openDescriptors().size()) << "a second is the least";
    now_ns += 200 * MS;
    for (int i = 0; i < 10; i++) {
        now_ns += 130 * MS;
        ASSERT_EQ(0, open("a"));
    }
    close();
    EXPECT_EQ(before + 1, openDescriptors().size());
}

TEST_F(HotCacheTest, ShouldSayWhenASweepIsDueUntilNothingIsKept)
{
    ASSERT_EQ(0, init(512, AGE));
    const size_t before = openDescriptors().size();
    EXPECT_EQ(0u, sfd_hot_cache_sweep_in(&hot_.cache));
    for (int i = 0; i < 40; i++) {
        const std::string name = std::to_string(i);
        writeFile(path(name), name);
        ASSERT_EQ(0, open(name.c_str()));
        ASSERT_EQ(0, open(name.c_str())) << "again";
    }
    close();
    const uint64_t opened = now_ns;
    uint64_t in = sfd_hot_cache_sweep_in(&hot_.cache);
    for (; in != 0 && now_ns - opened < 2000 * MS; in = sfd_hot_cache_sweep_in(&hot_.cache)) {
        EXPECT_LE(100 * MS, in) << "it wakes its thread a few times a second at the most";
        now_ns += in;
        sfd_hot_cache_sweep(&hot_.cache, now_ns);
        EXPECT_TRUE(now_ns - opened > 1000 * MS || openDescriptors().size() == before + 40) << "a second is the least";
    }
    EXPECT_EQ(0u, in) << "a file is kept for more than two seconds";
    EXPECT_EQ(before, openDescriptors().size());
    ASSERT_EQ(0, open("a"));
    sfd_hot_cache_remove(&hot_.cache, file_.entry);
    EXPECT_EQ(0u, sfd_hot_cache_sweep_in(&hot_.cache)) << "what was removed is not kept";
}

TEST_F(HotCacheTest, ShouldDoWithoutASetThatIsInUse)
{
    ASSERT_EQ(0, open("a"));
    /* What another thread that has lost its processor leaves. */
    auto *const lock = reinterpret_cast<std::atomic_flag *>(hot_.cache.set);
    lock->test_and_set();
    EXPECT_EQ(1, lookupsOf("a"));
    EXPECT_EQ(nullptr, file_.entry);
    EXPECT_EQ("content of a", content());
    lock->clear();
}

/* Each byte of a file is its length. Files are replaced all the time, and no reader sees a mixture. */
TEST_F(HotCacheTest, ShouldServeSeveralThreadsWhileFilesAreReplaced)
{
    sys_.now_ns = sfd_sys_linux.now_ns;
    ASSERT_EQ(0, init(2, MS / 10));
    std::atomic<bool> over{false};
    std::atomic<int> faults{0}, served{0};
    std::vector<std::thread> readers;
    for (const char *name : {"a", "b", "c"}) {
        writeFile(path(name), std::string(9, '\t'));
    }
    for (int i = 0; i < 3; i++) {
        readers.emplace_back([&] {
            while (!over) {
                for (const char *name : {"a", "b", "c"}) {
                    struct sfd_hot_source file;
                    const int result = sfd_hot_source_open(&hot_, name, &file);
                    if (result < 0) {
                        faults += result != -EAGAIN;
                        continue;
                    }
                    char bytes[300];
                    const int64_t n = sfd_hot_source_read(&file, bytes, sizeof(bytes), 0);
                    if (n != -EAGAIN) { /* cold, after a call that a busy machine has made long */
                        faults += n != static_cast<int64_t>(file.size) || static_cast<unsigned char>(bytes[0]) != n ||
                                  bytes[0] != bytes[n - 1];
                    }
                    served++;
                    sfd_hot_source_close(&file);
                }
            }
        });
    }
    for (int i = 0; i < 500 || served < 3000; i++) {
        const size_t size = 20 + static_cast<size_t>(i % 200);
        writeFile(path("new"), std::string(size, static_cast<char>(size)));
        std::filesystem::rename(path("new"), path(i % 3 == 0 ? "a" : i % 3 == 1 ? "b" : "c"));
    }
    over = true;
    for (std::thread &reader : readers) {
        reader.join();
    }
    EXPECT_EQ(0, faults);
}

} // namespace
