// Tests of native/client/spawn.c, through libsendfiled.so: a program that stands in for the daemon
// (support/fake_daemon.c) is found on PATH under the name "sendfiled".
#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sendfiled/sendfiled.h>

#include "descriptors.h"
#include "temporary_directory.h"

namespace
{

class SpawnTest : public DescriptorCountingTest
{
  protected:
    void SetUp() override
    {
        DescriptorCountingTest::SetUp();
        directory_ = std::make_unique<TemporaryDirectory>();
        std::filesystem::create_symlink(SENDFILED_BIN_DIR "/fake_daemon", *directory_ / "sendfiled");
        path_ = std::getenv("PATH") == nullptr ? "" : std::getenv("PATH");
        setenv("PATH", directory_->path().c_str(), 1);
        setenv("FAKE_DAEMON_LOG", (*directory_ / "log").c_str(), 1);
    }

    void TearDown() override
    {
        EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
        EXPECT_EQ(errno, ECHILD);
        setenv("PATH", path_.c_str(), 1);
        unsetenv("FAKE_DAEMON");
        unsetenv("FAKE_DAEMON_LOG");
        directory_.reset();
        DescriptorCountingTest::TearDown();
    }

    pid_t spawn(const char *behaviour)
    {
        setenv("FAKE_DAEMON", behaviour, 1);
        errno = 0;
        return sfd_spawn("disk0", "/srv/files", "/run/sockets", 100, 10000);
    }

    // Lines of the log that start with this word, without it.
    std::vector<std::string> logged(const std::string &word) const
    {
        std::ifstream log(*directory_ / "log");
        std::vector<std::string> lines;
        std::string line;

        while (std::getline(log, line)) {
            if (line.rfind(word + " ", 0) == 0) {
                lines.push_back(line.substr(word.size() + 1));
            }
        }
        return lines;
    }

    std::unique_ptr<TemporaryDirectory> directory_;
    std::string path_;
};

void expectCleanEnd(pid_t pid)
{
    ASSERT_GT(pid, 0);
    const int status = sfd_shutdown(pid);

    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(SpawnTest, shouldStartTheDaemonAndEndIt)
{
    const pid_t pid = spawn("ready");

    ASSERT_GT(pid, 0);
    EXPECT_EQ(kill(pid, 0), 0);
    expectCleanEnd(pid);
    EXPECT_EQ(kill(pid, 0), -1);
}

TEST_F(SpawnTest, shouldStartTheOriginalDaemonWithArgumentsThatItKnows)
{
    expectCleanEnd(spawn("original"));

    const std::vector<std::string> expected = {"sendfiled",  "-S", "/run/sockets", "-s", "disk0", "-r",
                                               "/srv/files", "-n", "100",          "-t", "10000", "-p"};
    EXPECT_EQ(logged("argument"), expected);
}

const std::vector<std::string> daemonDescriptors = {"0 /dev/null 0", "1 /dev/null 1", "2 /dev/null 1", "3 pipe 1"};

TEST_F(SpawnTest, shouldPassNoDescriptorsButDevNullAndThePipe)
{
    int fds[2];
    ASSERT_EQ(pipe(fds), 0); // without CLOEXEC
    const OwnedFd readEnd(fds[0]);
    const OwnedFd writeEnd(fds[1]);
    const OwnedFd high(fcntl(fds[0], F_DUPFD, 200));

    expectCleanEnd(spawn("ready"));
    EXPECT_EQ(logged("descriptor"), daemonDescriptors);
}

TEST_F(SpawnTest, shouldWorkWhenTheCallerHasNoStandardDescriptors)
{
    // The readiness pipe gets the numbers 0 and 1 then.
    std::vector<OwnedFd> saved;
    for (int fd = 0; fd <= 2; fd++) {
        saved.emplace_back(fcntl(fd, F_DUPFD_CLOEXEC, 100));
        ASSERT_GE(saved.back().get(), 0);
    }
    for (int fd = 0; fd <= 2; fd++) {
        close(fd);
    }
    const pid_t pid = spawn("ready");
    const int error = errno;
    for (int fd = 0; fd <= 2; fd++) {
        dup2(saved[static_cast<size_t>(fd)].get(), fd);
    }

    ASSERT_GT(pid, 0) << error;
    expectCleanEnd(pid);
    EXPECT_EQ(logged("descriptor"), daemonDescriptors);
}

TEST_F(SpawnTest, shouldWorkWhenThePipeIsDescriptorThreeAlready)
{
    // With 3 and 4 free, the write end is 4; with 2 free as well, it is 3.
    const OwnedFd saved(fcntl(2, F_DUPFD_CLOEXEC, 100));
    close(2);
    const pid_t pid = spawn("ready");
    dup2(saved.get(), 2);

    expectCleanEnd(pid);
    EXPECT_EQ(logged("descriptor"), daemonDescriptors);
}

TEST_F(SpawnTest, shouldGiveTheDaemonDefaultSignals)
{
    sigset_t blocked;
    sigset_t before;
    sigfillset(&blocked);
    sigprocmask(SIG_SETMASK, &blocked, &before);
    const auto interrupt = signal(SIGINT, SIG_IGN);
    const auto terminate = signal(SIGTERM, SIG_IGN);
    const auto pipe = signal(SIGPIPE, SIG_IGN);
    const auto hangUp = signal(SIGHUP, SIG_IGN);

    expectCleanEnd(spawn("ready"));

    signal(SIGHUP, hangUp);
    signal(SIGPIPE, pipe);
    signal(SIGTERM, terminate);
    signal(SIGINT, interrupt);
    sigprocmask(SIG_SETMASK, &before, nullptr);
    EXPECT_EQ(logged("blocked"), std::vector<std::string>());
    EXPECT_EQ(logged("ignored"), std::vector<std::string>());
}

TEST_F(SpawnTest, shouldStartTheDaemonInTheCallersDirectory)
{
    const std::filesystem::path before = std::filesystem::current_path();
    std::filesystem::current_path(directory_->path());
    const pid_t pid = spawn("ready");
    std::filesystem::current_path(before);

    expectCleanEnd(pid);
    EXPECT_EQ(logged("directory"), std::vector<std::string>{directory_->path()});
}

TEST_F(SpawnTest, shouldStartTheDaemonInTheRootDirectoryWhenTheCallersIsGone)
{
    const std::filesystem::path before = std::filesystem::current_path();
    std::filesystem::create_directory(*directory_ / "gone");
    std::filesystem::current_path(*directory_ / "gone");
    std::filesystem::remove(*directory_ / "gone");
    const pid_t relativeRoot = sfd_spawn("disk0", "files", "/run/sockets", 100, 10000);
    const int relativeRootError = errno;
    const pid_t relativeSockets = sfd_spawn("disk0", "/srv/files", "sockets", 100, 10000);
    const int relativeSocketsError = errno;
    const pid_t pid = spawn("ready");
    std::filesystem::current_path(before);

    EXPECT_EQ(relativeRoot, -1);
    EXPECT_EQ(relativeRootError, ENOENT);
    EXPECT_EQ(relativeSockets, -1);
    EXPECT_EQ(relativeSocketsError, ENOENT);
    expectCleanEnd(pid);
    EXPECT_EQ(logged("directory"), std::vector<std::string>{"/"});
}

TEST_F(SpawnTest, shouldGiveZeroWhenAnInstanceOfThatNameRuns)
{
    EXPECT_EQ(spawn(("errno=" + std::to_string(EADDRINUSE)).c_str()), 0);
}

TEST_F(SpawnTest, shouldGiveTheErrnoOfTheDaemonsFailure)
{
    for (const int error : {EACCES, ENOENT, EMFILE, ENOTDIR}) {
        EXPECT_EQ(spawn(("errno=" + std::to_string(error)).c_str()), -1);
        EXPECT_EQ(errno, error);
    }
}

TEST_F(SpawnTest, shouldNotTakeNonsenseForAnErrno)
{
    EXPECT_EQ(spawn("errno=-5"), -1);
    EXPECT_EQ(errno, EIO);
}

TEST_F(SpawnTest, shouldFailWhenTheDaemonEndsWithoutAWord)
{
    EXPECT_EQ(spawn("exit=1"), -1);
    EXPECT_EQ(errno, EIO);
    EXPECT_EQ(spawn("exit=0"), -1);
    EXPECT_EQ(errno, EIO);
    EXPECT_EQ(spawn("half"), -1);
    EXPECT_EQ(errno, EIO);
}

TEST_F(SpawnTest, shouldSayEinvalWhenTheDaemonRefusesItsArguments)
{
    EXPECT_EQ(spawn("exit=2"), -1);
    EXPECT_EQ(errno, EINVAL);
}

TEST_F(SpawnTest, shouldEndAProgramThatWillNeverSayAWord)
{
    const auto start = std::chrono::steady_clock::now();

    EXPECT_EQ(spawn("mute"), -1);
    EXPECT_EQ(errno, EIO);
    // By itself it ends after ten.
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(9));
}

TEST_F(SpawnTest, shouldFailWithoutAProgramOnPath)
{
    std::filesystem::remove(*directory_ / "sendfiled");
    EXPECT_EQ(spawn("ready"), -1);
    EXPECT_EQ(errno, ENOENT);
}

TEST_F(SpawnTest, shouldFailWithAProgramThatIsNone)
{
    std::filesystem::remove(*directory_ / "sendfiled");
    std::ofstream(*directory_ / "sendfiled") << "#!/nonexistent/interpreter\n";
    std::filesystem::permissions(*directory_ / "sendfiled", std::filesystem::perms(0755));
    EXPECT_EQ(spawn("ready"), -1);
    EXPECT_EQ(errno, ENOENT);
    std::filesystem::permissions(*directory_ / "sendfiled", std::filesystem::perms(0644));
    EXPECT_EQ(spawn("ready"), -1);
    EXPECT_EQ(errno, EACCES);
}

TEST_F(SpawnTest, shouldRefuseArgumentsThatCannotBeRight)
{
    setenv("FAKE_DAEMON", "ready", 1);
    EXPECT_EQ(sfd_spawn(nullptr, "/", "/run", 1, 1), -1);
    EXPECT_EQ(errno, EINVAL);
    EXPECT_EQ(sfd_spawn("n", nullptr, "/run", 1, 1), -1);
    EXPECT_EQ(errno, EINVAL);
    EXPECT_EQ(sfd_spawn("n", "/", nullptr, 1, 1), -1);
    EXPECT_EQ(errno, EINVAL);
    EXPECT_EQ(sfd_spawn("n", "/", "/run", 0, 1), -1);
    EXPECT_EQ(errno, EINVAL);
    EXPECT_EQ(sfd_spawn("n", "/", "/run", 1, -1), -1);
    EXPECT_EQ(errno, EINVAL);
    EXPECT_TRUE(logged("argument").empty());
}

TEST_F(SpawnTest, shouldNotLeakWhenDescriptorsRunOut)
{
    rlimit before = {};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    const auto open = openDescriptors();
    setenv("FAKE_DAEMON", "ready", 1);

    for (rlim_t limit = 3; limit <= static_cast<rlim_t>(open.back()) + 2; limit++) {
        const rlimit tight = {limit, before.rlim_max};
        ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
        // Nothing virtual down here: the sanitizer's check of it needs a descriptor.
        const pid_t pid = sfd_spawn("disk0", "/srv/files", "/run/sockets", 100, 10000);
        const int error = errno;
        ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);

        if (pid > 0) {
            expectCleanEnd(pid);
        } else {
            EXPECT_EQ(error, EMFILE);
        }
        EXPECT_EQ(openDescriptors(), open);
    }
}

TEST_F(SpawnTest, shouldNeverSignalAProcessGroup)
{
    for (const pid_t pid : {0, -1, -2}) {
        EXPECT_EQ(sfd_shutdown(pid), -1);
        EXPECT_EQ(errno, EINVAL);
    }
}

TEST_F(SpawnTest, shouldSayWhichProcessCannotBeShutDown)
{
    const pid_t ended = fork();
    if (ended == 0) {
        _exit(0);
    }
    ASSERT_EQ(waitpid(ended, nullptr, 0), ended);
    EXPECT_EQ(sfd_shutdown(ended), -1);
    EXPECT_EQ(errno, ESRCH);
}

} // namespace
