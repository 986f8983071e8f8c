// The file of an engine's counters: its names, its mode, its space, and whose it is.
#include "core.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

extern "C" {
#include "base/counters_file.h"
}

namespace
{

constexpr uint32_t LOOPS = 2;
constexpr uint32_t ROWS = 8;

/* With the directory in memory, as /run is, and on a disk, as /tmp may be. */
class CountersFileTest : public testing::TestWithParam<const char *>
{
  protected:
    void SetUp() override
    {
        directory_ = std::string(GetParam()) + "/counters.XXXXXX";
        ASSERT_NE(nullptr, mkdtemp(directory_.data()));
        dir_ = openFile(directory_, O_PATH | O_DIRECTORY);
    }
    void TearDown() override
    {
        sfd_counters_file_release(&file_);
        EXPECT_EQ(std::vector<std::string>{}, names()) << "left behind";
        dir_.reset();
        removeNames();
        EXPECT_EQ(0, rmdir(directory_.c_str()));
    }

    int make(struct sfd_counters_file *file, const char *name = "one")
    {
        return sfd_counters_file_make(file, dir_.get(), directory_.c_str(), name, LOOPS, 3, ROWS);
    }
    std::vector<std::string> names() const
    {
        std::vector<std::string> all;
        for (const auto &entry : std::filesystem::directory_iterator(directory_)) {
            all.push_back(entry.path().filename());
        }
        std::sort(all.begin(), all.end());
        return all;
    }
    /* As a reader finds it: the file of that name, or the one that it names. */
    OwnedFd openNamed(const std::string &name = "sendfiled.one.counters") const
    {
        OwnedFd fd = openFile(directory_ + "/" + name, O_RDONLY);
        char text[256] = {};
        if (pread(fd.get(), text, sizeof(text) - 1, 0) > 0 && text[0] == '/') {
            std::string path(text);
            EXPECT_EQ('\n', path.back());
            path.pop_back();
            return openFile(path, O_RDONLY);
        }
        return fd;
    }
    static std::shared_ptr<struct sfd_counters_head> headOf(const OwnedFd &fd)
    {
        auto head = std::make_shared<struct sfd_counters_head>();
        EXPECT_EQ(static_cast<ssize_t>(sizeof(*head)), pread(fd.get(), head.get(), sizeof(*head), 0));
        return head;
    }
    /* Another process that has a file of the same name, until it is told to end. */
    void startOther()
    {
        other_ = fork();
        if (other_ == 0) {
            struct sfd_counters_file file;
            if (make(&file) != 0 || file.error != 0) {
                _exit(1);
            }
            kill(getpid(), SIGSTOP); // made
            sfd_counters_file_release(&file);
            _exit(0);
        }
        int status = 0;
        ASSERT_EQ(other_, waitpid(other_, &status, WUNTRACED));
        ASSERT_TRUE(WIFSTOPPED(status));
    }
    void endOther(int signal)
    {
        int status = 0;
        kill(other_, signal);
        EXPECT_EQ(other_, waitpid(other_, &status, 0));
    }

    /* Another process like that, in a container: the first of a pid namespace. It leaves all behind when `end` closes.
     */
    void startContained(Pipe &end)
    {
        Pipe made;
        other_ = fork();
        if (other_ == 0) {
            const std::string map = std::to_string(geteuid()) + " " + std::to_string(geteuid()) + " 1";
            const bool isRoot = geteuid() == 0;
            end.out.reset();
            if (unshare(CLONE_NEWPID | CLONE_NEWNS | (isRoot ? 0 : CLONE_NEWUSER)) != 0) {
                _exit(77);
            }
            if (!isRoot) {
                writeFile("/proc/self/uid_map", map);
            }
            const pid_t first = fork();
            if (first == 0) {
                struct sfd_counters_file file;
                char byte = 0;
                if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
                    mount("proc", "/proc", "proc", 0, nullptr) != 0) {
                    _exit(77);
                }
                if (getpid() == 1 && make(&file) == 0 && file.error == 0 && write(made.out.get(), "m", 1) == 1) {
                    _exit(read(end.in.get(), &byte, 1) == 0 ? 0 : 1);
                }
                _exit(1);
            }
            int status = 0;
            _exit(waitpid(first, &status, 0) == first ? WEXITSTATUS(status) : 1);
        }
        made.out.reset();
        char byte = 0;
        if (read(made.in.get(), &byte, 1) != 1) {
            int status = 0;
            ASSERT_EQ(other_, waitpid(other_, &status, 0));
            ASSERT_EQ(77, WEXITSTATUS(status));
            GTEST_SKIP() << "no pid namespace here";
        }
    }
    void endContained(Pipe &end)
    {
        int status = 0;
        end.out.reset();
        EXPECT_EQ(other_, waitpid(other_, &status, 0));
        EXPECT_EQ(0, status);
    }
    /* As if the whole directory were removed, or in a container that is gone. */
    void removeNames() const
    {
        for (const std::string &name : names()) {
            unlink((directory_ + "/" + name).c_str());
        }
    }

    std::string directory_;
    OwnedFd dir_;
    struct sfd_counters_file file_ = {};
    pid_t other_ = -1;
};

INSTANTIATE_TEST_SUITE_P(, CountersFileTest, testing::Values("/dev/shm", "/var/tmp"),
                         [](const auto &parameter) { return parameter.index == 0 ? "memory" : "disk"; });

TEST_P(CountersFileTest, ShouldHaveACompleteFileForItsGroupToRead)
{
    const mode_t mask = umask(0077);
    ASSERT_EQ(0, make(&file_));
    umask(mask);
    ASSERT_EQ(0, file_.error);
    EXPECT_EQ(std::vector<std::string>{"sendfiled.one.counters"}, names());
    const OwnedFd fd = openNamed();
    struct stat st = {};
    ASSERT_EQ(0, fstat(fd.get(), &st));
    EXPECT_EQ(0640u, st.st_mode & 07777u);
    const auto head = headOf(fd);
    EXPECT_EQ(0, memcmp(head->magic, SFD_COUNTERS_MAGIC, sizeof(head->magic)));
    EXPECT_EQ(static_cast<uint32_t>(getpid()), head->pid);
    EXPECT_GT(head->process_start, 0u);
    EXPECT_STREQ("one", head->name);
    EXPECT_EQ(static_cast<uint64_t>(st.st_size), head->size);
    EXPECT_GE(static_cast<uint64_t>(st.st_blocks) * 512, head->size) << "a store would find the disk full";
    EXPECT_GE(head->size, head->rows_at + uint64_t{LOOPS} * ROWS * head->row_size);
}

TEST_P(CountersFileTest, ShouldShowWhatIsStored)
{
    ASSERT_EQ(0, make(&file_));
    sfd_counters_add(&sfd_counters_file_loop(&file_, 1)->counters, SFD_COUNTER_BYTES, 4711);
    sfd_counters_file_rows(&file_, 1)[ROWS - 1].id = 42;
    const OwnedFd fd = openNamed();
    const auto head = headOf(fd);
    uint64_t value = 0;
    const off_t counter = head->loops_at + head->loop_size + head->counters_at + 8 * SFD_COUNTER_BYTES;
    ASSERT_EQ(8, pread(fd.get(), &value, sizeof(value), counter));
    EXPECT_EQ(4711u, value);
    const off_t row =
        static_cast<off_t>(head->rows_at + (2 * ROWS - 1) * head->row_size + offsetof(struct sfd_counters_row, id));
    ASSERT_EQ(8, pread(fd.get(), &value, sizeof(value), row));
    EXPECT_EQ(42u, value);
}

TEST_P(CountersFileTest, ShouldStayReadableForWhoHasItOpen)
{
    ASSERT_EQ(0, make(&file_));
    const OwnedFd fd = openNamed();
    sfd_counters_file_release(&file_);
    EXPECT_EQ(std::vector<std::string>{}, names());
    EXPECT_EQ(static_cast<uint32_t>(SFD_COUNTERS_ENDED), headOf(fd)->state.load());
}

TEST_P(CountersFileTest, ShouldReplaceWhatAKilledProcessHasLeft)
{
    startOther();
    const OwnedFd left = openNamed();
    endOther(SIGKILL);
    ASSERT_EQ(0, make(&file_));
    EXPECT_EQ(0, file_.error);
    EXPECT_EQ(std::vector<std::string>{"sendfiled.one.counters"}, names());
    EXPECT_EQ(static_cast<uint32_t>(getpid()), headOf(openNamed())->pid);
    EXPECT_EQ(static_cast<uint32_t>(other_), headOf(left)->pid) << "who reads the old one reads on";
    struct stat st = {};
    ASSERT_EQ(0, fstat(left.get(), &st));
    EXPECT_EQ(0u, st.st_nlink) << "its memory would stay";
}

TEST_P(CountersFileTest, ShouldSweepAwayWhatNobodyWouldReplace)
{
    startOther();
    const OwnedFd left = openNamed();
    endOther(SIGKILL);
    removeNames();
    ASSERT_EQ(0, make(&file_, "another"));
    struct stat st = {};
    ASSERT_EQ(0, fstat(left.get(), &st));
    EXPECT_EQ(0u, st.st_nlink);
}

/* Containers of one user may share /dev/shm, but neither see each other's pids nor directories. */
TEST_P(CountersFileTest, ShouldSweepAwayWhatAContainerHasLeftAndNotBefore)
{
    const nlink_t elsewhere = std::string(GetParam()) == "/dev/shm" ? 0 : 1;
    Pipe end;
    struct stat st = {};
    startContained(end);
    if (IsSkipped()) {
        return;
    }
    const OwnedFd left = openNamed();
    removeNames();
    ASSERT_EQ(0, make(&file_, "another"));
    ASSERT_EQ(0, fstat(left.get(), &st));
    EXPECT_EQ(elsewhere, st.st_nlink) << "it is in use";
    endContained(end);

    Pipe next;
    startContained(next); // its pid is the same
    removeNames();
    ASSERT_EQ(0, fstat(left.get(), &st));
    EXPECT_EQ(0u, st.st_nlink);
    endContained(next);
}

TEST_P(CountersFileTest, ShouldLeaveWhatAKilledProcessTellsToItsNextStart)
{
    startOther();
    endOther(SIGKILL);
    ASSERT_EQ(0, make(&file_, "another"));
    EXPECT_EQ(static_cast<uint32_t>(other_), headOf(openNamed())->pid);
    sfd_counters_file_release(&file_);
    ASSERT_EQ(0, make(&file_));
    EXPECT_EQ(static_cast<uint32_t>(getpid()), headOf(openNamed())->pid);
}

TEST_P(CountersFileTest, ShouldLeaveTheFileOfALivingProcessItsOwnName)
{
    startOther();
    const std::string aside = "sendfiled.one.counters." + std::to_string(other_);
    ASSERT_EQ(0, make(&file_));
    EXPECT_EQ((std::vector<std::string>{"sendfiled.one.counters", aside}), names());
    EXPECT_EQ(static_cast<uint32_t>(other_), headOf(openNamed(aside))->pid);
    EXPECT_EQ(static_cast<uint32_t>(getpid()), headOf(openNamed())->pid);
    endOther(SIGCONT);
    EXPECT_EQ(std::vector<std::string>{"sendfiled.one.counters"}, names()) << "it removes its own, under either name";
}

TEST_P(CountersFileTest, ShouldSweepAwayWhatWasPutAsideOfAKilledProcess)
{
    startOther();
    ASSERT_EQ(0, make(&file_));
    const OwnedFd left = openNamed("sendfiled.one.counters." + std::to_string(other_));
    sfd_counters_file_release(&file_);
    ASSERT_EQ(0, make(&file_));
    EXPECT_EQ(2u, names().size()) << "it lives";
    endOther(SIGKILL);
    sfd_counters_file_release(&file_);
    ASSERT_EQ(0, make(&file_));
    struct stat st = {};
    ASSERT_EQ(0, fstat(left.get(), &st));
    EXPECT_EQ(0u, st.st_nlink);
    EXPECT_EQ(std::vector<std::string>{"sendfiled.one.counters"}, names());
}

TEST_P(CountersFileTest, ShouldPutAsideUnderANameThatNoInstanceHas)
{
    startOther();
    const std::string pid = std::to_string(other_);
    struct sfd_counters_file others[3] = {};
    const std::string named[3] = {"one." + pid, "one.counters", "one.counters." + pid};
    for (int i = 0; i < 3; i++) {
        ASSERT_EQ(0, make(&others[i], named[i].c_str()));
    }
    ASSERT_EQ(0, make(&file_));
    EXPECT_EQ(5u, names().size());
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(named[i], headOf(openNamed("sendfiled." + named[i] + ".counters"))->name);
        sfd_counters_file_release(&others[i]);
    }
    endOther(SIGCONT);
}

/* A start that fails when it has the name already: the process before serves on. */
TEST_P(CountersFileTest, ShouldGiveTheNameBackToTheProcessBefore)
{
    startOther();
    ASSERT_EQ(0, make(&file_));
    file_.gives_back = true;
    sfd_counters_file_hide(&file_);
    EXPECT_EQ(std::vector<std::string>{"sendfiled.one.counters"}, names());
    EXPECT_EQ(static_cast<uint32_t>(other_), headOf(openNamed())->pid);
    endOther(SIGCONT);
    EXPECT_EQ(std::vector<std::string>{}, names());
}

TEST_P(CountersFileTest, ShouldNotRemoveAFileThatIsNotItsOwn)
{
    ASSERT_EQ(0, make(&file_));
    const std::string path = directory_ + "/sendfiled.one.counters";
    ASSERT_EQ(0, unlink(path.c_str()));
    writeFile(path, "somebody's");
    sfd_counters_file_release(&file_);
    EXPECT_EQ(std::vector<std::string>{"sendfiled.one.counters"}, names());
    unlink(path.c_str());
}

TEST_P(CountersFileTest, ShouldReplaceWhateverHasItsName)
{
    const std::string path = directory_ + "/sendfiled.one.counters";
    const std::string hidden = directory_ + "/.sendfiled.one.counters";
    writeFile(directory_ + "/target", "untouched");
    ASSERT_EQ(0, symlink("target", path.c_str()));
    ASSERT_EQ(0, mkfifo(hidden.c_str(), 0600));
    ASSERT_EQ(0, make(&file_));
    EXPECT_EQ(0, file_.error);
    EXPECT_EQ(static_cast<uint32_t>(getpid()), headOf(openNamed())->pid);
    EXPECT_EQ("untouched", contentOf(directory_ + "/target")) << "no link is followed";
    unlink((directory_ + "/target").c_str());
}

TEST_P(CountersFileTest, ShouldCountWithoutAFileWhereNoneCanBe)
{
    const std::string path = directory_ + "/sendfiled.one.counters";
    ASSERT_EQ(0, mkdir(path.c_str(), 0700));
    ASSERT_EQ(0, make(&file_));
    EXPECT_EQ(-EISDIR, file_.error);
    EXPECT_EQ(std::vector<std::string>{"sendfiled.one.counters"}, names());
    sfd_counters_add(&sfd_counters_file_loop(&file_, 1)->counters, SFD_COUNTER_BYTES, 1);
    rmdir(path.c_str());
}

/* What a user finds who has this directory on a disk: the -errno for which there is no file. In a process of its own.
 */
int errorOf(uid_t user, const std::string &directory)
{
    const pid_t child = fork();
    if (child == 0) {
        struct sfd_counters_file file;
        if (setresuid(user, user, user) != 0) {
            _exit(0);
        }
        const int dir = open(directory.c_str(), O_PATH | O_DIRECTORY);
        const bool made = sfd_counters_file_make(&file, dir, directory.c_str(), "one", LOOPS, 3, ROWS) == 0;
        const bool counts = made && file.head != nullptr && std::filesystem::is_empty(directory);
        _exit(counts ? -file.error : 0);
    }
    int status = 0;
    EXPECT_EQ(child, waitpid(child, &status, 0));
    return -WEXITSTATUS(status);
}

TEST(CountersFileForeignTest, ShouldTrustNothingThatAnotherUserHasPutIntoSharedMemory)
{
    if (geteuid() != 0) {
        GTEST_SKIP() << "root alone can be two users";
    }
    const uid_t user = 2000000000 + static_cast<uid_t>(getpid()); /* nobody's */
    const std::string shared = "/dev/shm/sendfiled-" + std::to_string(user);
    std::string directory = "/var/tmp/counters.XXXXXX";
    ASSERT_NE(nullptr, mkdtemp(directory.data()));
    ASSERT_EQ(0, chown(directory.c_str(), user, user));

    ASSERT_EQ(0, mkdir(shared.c_str(), 0700));
    ASSERT_EQ(0, chmod(shared.c_str(), 0755));
    EXPECT_EQ(-EPERM, errorOf(user, directory)) << "another user's";
    ASSERT_EQ(0, chown(shared.c_str(), user, user));
    ASSERT_EQ(0, chmod(shared.c_str(), 0777));
    EXPECT_EQ(-EPERM, errorOf(user, directory)) << "where others can write";
    ASSERT_EQ(0, rmdir(shared.c_str()));

    ASSERT_EQ(0, symlink(directory.c_str(), shared.c_str()));
    EXPECT_EQ(-ENOTDIR, errorOf(user, directory)) << "a link";
    ASSERT_EQ(0, unlink(shared.c_str()));
    writeFile(shared, "");
    EXPECT_EQ(-ENOTDIR, errorOf(user, directory)) << "a file";
    ASSERT_EQ(0, unlink(shared.c_str()));
    ASSERT_EQ(0, rmdir(directory.c_str()));
}

/* In a process of its own, with a file system that has room for less than the file. */
TEST(CountersFileFullTest, ShouldTakeItsSpaceAtTheStartOrHaveNoFile)
{
    const std::string directory = TemporaryDirectory().path(); // its name; a mount needs it again
    ASSERT_EQ(0, mkdir(directory.c_str(), 0700));
    const pid_t child = fork();
    if (child == 0) {
        const int flags = geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER;
        if (unshare(flags) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
            mount("none", directory.c_str(), "tmpfs", 0, "size=128k") != 0) {
            _exit(77);
        }
        struct sfd_counters_file file;
        const int dir = open(directory.c_str(), O_PATH | O_DIRECTORY);
        const bool made = sfd_counters_file_make(&file, dir, directory.c_str(), "one", LOOPS, 3, ROWS) == 0;
        const bool empty = std::filesystem::is_empty(directory);
        _exit(made && file.error == -ENOSPC && empty && file.head != nullptr ? 0 : 1);
    }
    int status = 0;
    EXPECT_EQ(child, waitpid(child, &status, 0));
    EXPECT_EQ(0, rmdir(directory.c_str()));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        GTEST_SKIP() << "no mount of its own here";
    }
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST(CountersFileMemoryTest, ShouldHaveNoFileWithoutADirectory)
{
    struct sfd_counters_file file;
    ASSERT_EQ(0, sfd_counters_file_make(&file, -1, nullptr, "one", LOOPS, 3, ROWS));
    EXPECT_EQ(0, file.error);
    EXPECT_EQ(static_cast<uint32_t>(ROWS), file.head->rows);
    sfd_counters_file_release(&file);
    EXPECT_EQ(nullptr, file.head);
}

} // namespace
