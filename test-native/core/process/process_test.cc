/* The daemon as a process: what can be changed for good only is changed in forked children. */
#include "descriptors.h"
#include "temporary_directory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <functional>
#include <grp.h>
#include <sstream>
#include <string>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

extern "C" {
#include "process/process.h"
#include "sys/sys_setup.h"
}

namespace
{

class Process : public DescriptorCountingTest
{
};

/* Runs the body in a child; its result is the child's exit status (0 to 255), or -1 when it died otherwise. */
int in_child(const std::function<int()> &body)
{
    const pid_t pid = fork();
    if (pid == 0) {
        _exit(body());
    }
    int status = 0;
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) {
        return -1;
    }
    return WEXITSTATUS(status);
}

std::string status_line(const std::string &key)
{
    std::ifstream file("/proc/self/status");
    std::string line;
    while (std::getline(file, line)) {
        if (line.rfind(key + ":", 0) == 0) {
            return line;
        }
    }
    return "";
}

bool is_root()
{
    return geteuid() == 0;
}

TEST_F(Process, shouldFindUsersAndGroupsByNameAndNumber)
{
    uid_t uid = 1;
    gid_t gid = 1;
    EXPECT_EQ(0, sfd_process_user("root", &uid, &gid));
    EXPECT_EQ(0u, uid);
    EXPECT_EQ(0u, gid);
    EXPECT_EQ(0, sfd_process_user("0", &uid, &gid));
    EXPECT_EQ(0u, uid);
    EXPECT_EQ(0, sfd_process_user("4000000000", &uid, &gid)) << "no entry, but a number";
    EXPECT_EQ(4000000000u, uid);
    EXPECT_EQ(4000000000u, gid);
    EXPECT_EQ(0, sfd_process_group("root", &gid));
    EXPECT_EQ(0u, gid);
    EXPECT_EQ(0, sfd_process_group("12345", &gid));
    EXPECT_EQ(12345u, gid);
}

TEST_F(Process, shouldRefuseUsersThatDoNotExistOrMeanNobodyInParticular)
{
    uid_t uid = 7;
    gid_t gid = 7;
    for (const char *name : {"no-such-user", "", "-1", "4294967295", "99999999999999999999", "1x", " 1"}) {
        EXPECT_EQ(-ENOENT, sfd_process_user(name, &uid, &gid)) << name;
        EXPECT_EQ(-ENOENT, sfd_process_group(name, &gid)) << name;
    }
    EXPECT_EQ(7u, uid) << "an output was touched by a failure";
    EXPECT_EQ(7u, gid);
}

/* D23 */
TEST_F(Process, shouldBecomeAnotherUserInEveryThreadWithoutTheOldGroupsD23)
{
    if (!is_root()) {
        GTEST_SKIP() << "only root can become another user";
    }
    EXPECT_EQ(0, in_child([] {
                  const gid_t old_groups[] = {0, 4, 27};
                  if (setgroups(3, old_groups) != 0) {
                      return 10;
                  }
                  /* A thread that exists before, as the JVM's do. */
                  int pipe_fds[2];
                  if (pipe(pipe_fds) != 0) {
                      return 11;
                  }
                  std::string seen;
                  std::thread other([&] {
                      char byte;
                      if (read(pipe_fds[0], &byte, 1) == 1) {
                          std::ifstream file("/proc/thread-self/status");
                          std::stringstream all;
                          all << file.rdbuf();
                          seen = all.str();
                      }
                  });
                  const int result = sfd_process_become(&sfd_sys_setup_linux, 54321, 54322);
                  const bool written = write(pipe_fds[1], "x", 1) == 1;
                  other.join();
                  if (result != 0 || !written) {
                      return 12;
                  }
                  if (status_line("Uid") != "Uid:\t54321\t54321\t54321\t54321") {
                      return 13;
                  }
                  if (status_line("Gid") != "Gid:\t54322\t54322\t54322\t54322") {
                      return 14;
                  }
                  if (status_line("Groups") != "Groups:\t54322 ") {
                      return 15;
                  }
                  if (seen.find("Uid:\t54321\t54321\t54321\t54321") == std::string::npos ||
                      seen.find("Groups:\t54322 ") == std::string::npos) {
                      return 16;
                  }
                  return setuid(0) == 0 ? 17 : 0;
              }));
}

/* Who starts the daemon can ask the kernel to leave a process its capabilities over a change of user. */
TEST_F(Process, shouldNotKeepCapabilitiesThatItCouldTakeAgain)
{
    if (!is_root()) {
        GTEST_SKIP() << "only root has capabilities to keep";
    }
    EXPECT_EQ(0, in_child([] {
                  if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) {
                      return 10;
                  }
                  const int result = sfd_process_become(&sfd_sys_setup_linux, 54321, 54322);
                  if (status_line("CapPrm") == "CapPrm:\t0000000000000000") {
                      return 11; /* the case is not what it should be */
                  }
                  return result == -ENOTRECOVERABLE ? 0 : 12;
              }));
}

TEST_F(Process, shouldGiveTheGroupsOfTheUserByTheGroupDatabase)
{
    if (!is_root()) {
        GTEST_SKIP() << "only root can become another user";
    }
    uid_t uid = 0;
    gid_t gid = 0;
    if (sfd_process_user("nobody", &uid, &gid) != 0) {
        GTEST_SKIP() << "this system has no user nobody";
    }
    EXPECT_EQ(0, in_child([=] {
                  if (sfd_process_become(&sfd_sys_setup_linux, uid, gid) != 0) {
                      return 10;
                  }
                  return geteuid() == uid && getegid() == gid ? 0 : 11;
              }));
}

TEST_F(Process, shouldNotPretendWhenItMayNotBecomeSomebodyElse)
{
    EXPECT_EQ(0, in_child([] {
                  if (is_root() &&
                      (setgroups(0, nullptr) != 0 || setresgid(500, 500, 500) != 0 || setresuid(500, 500, 500) != 0)) {
                      return 10;
                  }
                  if (sfd_process_become(&sfd_sys_setup_linux, geteuid() + 1, getegid()) != -EPERM) {
                      return 11;
                  }
                  if (sfd_process_become(&sfd_sys_setup_linux, geteuid(), getegid() + 1) != -EPERM) {
                      return 12;
                  }
                  return sfd_process_become(&sfd_sys_setup_linux, geteuid(), getegid()) == 0 ? 0 : 13;
              }));
}

/* A kernel on paper: what the calls were told, and what they claim. */
struct {
    uid_t uid = 0;
    gid_t gid = 0;
    int setgroups_result = 0;
    bool ignore_setresuid = false;
    bool way_back = false;
    bool keep_groups = false;
    uint64_t capabilities = 0;
    std::string calls;
} fake;

int fake_getresuid(uid_t *real, uid_t *effective, uid_t *saved)
{
    *real = *effective = *saved = fake.uid;
    return 0;
}
int fake_getresgid(gid_t *real, gid_t *effective, gid_t *saved)
{
    *real = *effective = *saved = fake.gid;
    return 0;
}
int fake_setgroups(size_t count, const gid_t *groups)
{
    fake.calls += "groups:" + std::to_string(count) + ":" + std::to_string(groups[0]) + " ";
    return fake.setgroups_result;
}
int fake_setresgid(gid_t real, gid_t, gid_t)
{
    fake.calls += "gid ";
    fake.gid = real;
    return 0;
}
int fake_setresuid(uid_t real, uid_t, uid_t)
{
    fake.calls += "uid" + std::to_string(real) + " ";
    if (real == 0) {
        return fake.way_back ? 0 : -EPERM;
    }
    if (!fake.ignore_setresuid) {
        fake.uid = real;
    }
    return 0;
}
int fake_getgroups(int, gid_t *groups)
{
    groups[0] = fake.gid;
    groups[1] = 0;
    return fake.keep_groups ? 2 : 1;
}

int fake_capabilities(uint64_t *permitted)
{
    *permitted = fake.capabilities;
    return 0;
}

struct sfd_sys_setup fake_kernel()
{
    struct sfd_sys_setup sys = sfd_sys_setup_linux;
    fake = {};
    sys.getresuid = fake_getresuid;
    sys.getresgid = fake_getresgid;
    sys.setgroups = fake_setgroups;
    sys.setresgid = fake_setresgid;
    sys.setresuid = fake_setresuid;
    sys.getgroups = fake_getgroups;
    sys.capabilities = fake_capabilities;
    return sys;
}

TEST_F(Process, shouldGiveUpGroupsThenGroupThenUser)
{
    const struct sfd_sys_setup sys = fake_kernel();
    EXPECT_EQ(0, sfd_process_become(&sys, 54321, 54322));
    EXPECT_EQ("groups:1:54322 gid uid54321 uid0 ", fake.calls) << "the last call tries the way back";
}

TEST_F(Process, shouldNotGoOnWhenTheKernelKeptAnything)
{
    struct sfd_sys_setup sys = fake_kernel();
    fake.setgroups_result = -EPERM;
    EXPECT_EQ(-EPERM, sfd_process_become(&sys, 54321, 54322));
    EXPECT_EQ("groups:1:54322 ", fake.calls);
    sys = fake_kernel();
    fake.ignore_setresuid = true;
    EXPECT_EQ(-ENOTRECOVERABLE, sfd_process_become(&sys, 54321, 54322));
    sys = fake_kernel();
    fake.way_back = true;
    EXPECT_EQ(-ENOTRECOVERABLE, sfd_process_become(&sys, 54321, 54322));
    sys = fake_kernel();
    fake.keep_groups = true;
    EXPECT_EQ(-ENOTRECOVERABLE, sfd_process_become(&sys, 54321, 54322));
    sys = fake_kernel();
    fake.capabilities = 1;
    EXPECT_EQ(-ENOTRECOVERABLE, sfd_process_become(&sys, 54321, 54322));
}

/* A user namespace: what /proc says of it; NULL: nothing. */
struct {
    uid_t euid;
    const char *overflow;
    const char *map;
} space;

int space_getresuid(uid_t *real, uid_t *effective, uid_t *saved)
{
    *real = *effective = *saved = space.euid;
    return 0;
}

int space_openat(int, const char *path, int, mode_t)
{
    const bool is_map = strcmp(path, "/proc/self/uid_map") == 0;
    const char *text = is_map ? space.map : space.overflow;
    EXPECT_TRUE(is_map || strcmp(path, "/proc/sys/kernel/overflowuid") == 0) << path;
    if (text == nullptr) {
        return -ENOENT;
    }
    const int fd = memfd_create("proc", MFD_CLOEXEC);
    EXPECT_EQ(static_cast<ssize_t>(strlen(text)), pwrite(fd, text, strlen(text), 0));
    return fd;
}

TEST_F(Process, shouldTakeTheOverflowUserOfAUserNamespaceForNobody) // R19
{
    constexpr uid_t NOBODY = 65534;
    constexpr const char *ALL = "         0          0 4294967295\n";
    struct sfd_sys_setup sys = sfd_sys_setup_linux;
    sys.getresuid = space_getresuid;
    sys.openat = space_openat;
    const struct {
        uid_t euid;
        const char *overflow;
        const char *map;
        uid_t expected;
    } cases[] = {
        {1000, "65534\n", "0 100000 65536\n", 1000},
        {0, "65534\n", "0 1000 1\n", 0},
        {NOBODY, "65534\n", ALL, NOBODY},
        {NOBODY, "65534\n", "0 1 4294967294\n4294967294 0 1\n", NOBODY},
        {NOBODY, "65534\n", "0 100000 65536\n", UINT32_MAX},
        {NOBODY, "65534\n", "", UINT32_MAX},
        {NOBODY, "65533\n", "0 100000 65536\n", NOBODY},
        {65533, "65533\n", "0 100000 65536\n", UINT32_MAX},
        {NOBODY, nullptr, nullptr, UINT32_MAX},
        {1000, nullptr, nullptr, 1000},
    };
    for (const auto &one : cases) {
        space = {one.euid, one.overflow, one.map};
        EXPECT_EQ(one.expected, sfd_process_client_uid(&sys)) << one.euid;
    }
    EXPECT_EQ(geteuid(), sfd_process_client_uid(&sfd_sys_setup_linux));
}

bool knows_all;

int group_openat(int, const char *path, int, mode_t)
{
    const bool is_map = strcmp(path, "/proc/self/gid_map") == 0;
    EXPECT_TRUE(is_map || strcmp(path, "/proc/sys/kernel/overflowgid") == 0) << path;
    const std::string text = !is_map ? "65533\n" : knows_all ? "0 0 4294967295\n" : "0 100000 65536\n";
    const int fd = memfd_create("proc", MFD_CLOEXEC);
    EXPECT_EQ(static_cast<ssize_t>(text.size()), pwrite(fd, text.data(), text.size(), 0));
    return fd;
}

TEST_F(Process, shouldTakeTheOverflowGroupForNobodysGroup) // R9, R19
{
    struct sfd_sys_setup sys = sfd_sys_setup_linux;
    sys.openat = group_openat;
    knows_all = false;
    EXPECT_EQ(65533u, sfd_process_nogroup(&sys));
    knows_all = true;
    EXPECT_EQ(UINT32_MAX, sfd_process_nogroup(&sys)) << "it is a group as any other one";
}

TEST_F(Process, shouldNameTheMembersOfAGroup) // R9
{
    uid_t one[1] = {7};
    const int64_t count = sfd_process_members(0, one, 0);
    ASSERT_GE(count, 1) << "root's own group";
    EXPECT_EQ(7u, one[0]) << "there was no room";
    std::vector<uid_t> all(static_cast<size_t>(count));
    EXPECT_EQ(count, sfd_process_members(0, all.data(), all.size()));
    EXPECT_NE(all.end(), std::find(all.begin(), all.end(), 0u));
    EXPECT_EQ(0, sfd_process_members(4000000000u, one, 1)) << "a number without an entry";
}

TEST_F(Process, shouldRaiseTheLimitOfOpenFilesToTheHardOne)
{
    EXPECT_EQ(0, in_child([] {
                  struct rlimit limit = {64, 512};
                  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
                      return 10;
                  }
                  if (sfd_process_raise_open_files(&sfd_sys_setup_linux) != 512) {
                      return 11;
                  }
                  return getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == 512 ? 0 : 12;
              }));
}

int unlimited_getrlimit(int, struct rlimit *out)
{
    *out = {1024, RLIM_INFINITY};
    return 0;
}
int refusing_setrlimit(int, const struct rlimit *)
{
    return -EPERM;
}

TEST_F(Process, shouldLiveWithALimitThatCannotBeRaised)
{
    struct sfd_sys_setup sys = sfd_sys_setup_linux;
    sys.getrlimit = unlimited_getrlimit;
    sys.setrlimit = refusing_setrlimit;
    EXPECT_EQ(1024, sfd_process_raise_open_files(&sys));
}

TEST_F(Process, shouldLoseNoSignalInAStormOfOthers)
{
    EXPECT_EQ(0, in_child([] {
                  const int fd = sfd_process_signals_open();
                  const uint64_t almost = UINT64_MAX - 1; // the counter is full: the handler must not wait for room
                  if (fd < 0 || write(fd, &almost, sizeof almost) != sizeof almost) {
                      return 10;
                  }
                  for (int i = 0; i < 1000; i++) {
                      raise(SIGHUP);
                      raise(SIGUSR1);
                  }
                  raise(SIGTERM);
                  raise(SIGINT);
                  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) {
                      if (sfd_process_signal_wait(fd, 0) != number) {
                          return 11;
                      }
                  }
                  return sfd_process_signal_wait(fd, 0) == 0 ? 0 : 12;
              }));
}

TEST_F(Process, shouldNoteSignalsInsteadOfDying)
{
    EXPECT_EQ(0, in_child([] {
                  const int fd = sfd_process_signals_open();
                  if (fd < 0 || sfd_process_signals_open() != -EALREADY) {
                      return 10;
                  }
                  for (int i = 0; i < 1000; i++) {
                      raise(SIGHUP);
                  }
                  if (sfd_process_signal_wait(fd, 0) != SIGHUP || sfd_process_signal_wait(fd, 0) != 0) {
                      return 9; // one wait for all of them
                  }
                  raise(SIGUSR1);
                  if (sfd_process_signal_wait(fd, 0) != SIGUSR1 || sfd_process_signal_wait(fd, 0) != 0) {
                      return 7;
                  }
                  raise(SIGHUP);
                  raise(SIGINT);
                  if (sfd_process_signal_wait(fd, 0) != SIGINT || sfd_process_signal_wait(fd, 0) != SIGHUP ||
                      sfd_process_signal_wait(fd, 0) != 0) {
                      return 8;
                  }
                  raise(SIGINT);
                  raise(SIGINT);
                  if (sfd_process_signal_wait(fd, -1) != SIGINT || sfd_process_signal_wait(fd, 0) != SIGINT ||
                      sfd_process_signal_wait(fd, 0) != 0) {
                      return 11;
                  }
                  raise(SIGINT);
                  raise(SIGTERM);
                  raise(SIGTERM);
                  if (sfd_process_signal_wait(fd, -1) != SIGTERM || sfd_process_signal_wait(fd, 0) != SIGTERM ||
                      sfd_process_signal_wait(fd, 0) != SIGINT || sfd_process_signal_wait(fd, 0) != 0) {
                      return 12;
                  }
                  std::thread later([] { kill(getpid(), SIGTERM); });
                  const int noted = sfd_process_signal_wait(fd, -1);
                  later.join();
                  if (noted != SIGTERM) {
                      return 13;
                  }
                  sfd_process_signal_wake(fd);
                  if (sfd_process_signal_wait(fd, -1) != SIGINT) {
                      return 15;
                  }
                  sfd_process_signals_close(fd);
                  return sfd_process_signals_open() >= 0 ? 0 : 14;
              }));
}

TEST_F(Process, shouldGiveSignalsBackWhatTheyDidBefore)
{
    const pid_t pid = fork();
    if (pid == 0) {
        sfd_process_signals_close(sfd_process_signals_open());
        raise(SIGTERM);
        _exit(0);
    }
    int status = 0;
    ASSERT_EQ(pid, waitpid(pid, &status, 0));
    EXPECT_TRUE(WIFSIGNALED(status));
    EXPECT_EQ(SIGTERM, WTERMSIG(status));
}

TEST_F(Process, shouldReportOneNativeIntAndCloseTheDescriptor)
{
    int fds[2];
    ASSERT_EQ(0, pipe(fds));
    EXPECT_EQ(0, sfd_process_report_check(fds[1]));
    EXPECT_EQ(0, sfd_process_report(fds[1], EADDRINUSE));
    char data[16];
    ASSERT_EQ(static_cast<ssize_t>(sizeof(int)), read(fds[0], data, sizeof data));
    int value = 0;
    memcpy(&value, data, sizeof value);
    EXPECT_EQ(EADDRINUSE, value);
    EXPECT_EQ(0, read(fds[0], data, sizeof data)) << "the descriptor is still open";
    close(fds[0]);
}

TEST_F(Process, shouldKnowDescriptorsThatNoParentWaitsOn)
{
    int fds[2];
    ASSERT_EQ(0, pipe(fds));
    EXPECT_EQ(-EBADF, sfd_process_report_check(fds[0])) << "a read end";
    EXPECT_EQ(-EBADF, sfd_process_report_check(9999));
    OwnedFd file(open("/proc/self/exe", O_RDONLY));
    EXPECT_EQ(-EBADF, sfd_process_report_check(file.get())) << "as the JVM's own files are";
    OwnedFd directory(open("/", O_PATH));
    EXPECT_EQ(-EBADF, sfd_process_report_check(directory.get()));
    close(fds[0]);
    close(fds[1]);
}

int spawn(const std::string &script)
{
    std::string copy = script;
    char shell[] = "sh";
    char option[] = "-c";
    char *argv[] = {shell, option, copy.data(), nullptr};
    return sfd_process_spawn_detached("/bin/sh", argv);
}

TEST_F(Process, shouldReturnWhatTheDetachedChildReports)
{
    EXPECT_EQ(0, spawn("printf '\\0\\0\\0\\0' >&3"));
    EXPECT_EQ(-ECHILD, spawn("exit 0"));
    EXPECT_EQ(-ECHILD, spawn("printf '\\0' >&3")) << "half a word is none";
    const int one = 1;
    EXPECT_EQ(*reinterpret_cast<const char *>(&one) == 1 ? EADDRINUSE : EADDRINUSE << 24,
              spawn("printf '\\142\\0\\0\\0' >&3"));
    char name[] = "nothing";
    char *argv[] = {name, nullptr};
    EXPECT_EQ(ENOENT, sfd_process_spawn_detached("/no/such/program", argv));
    while (waitpid(-1, nullptr, 0) > 0) {
    }
}

TEST_F(Process, shouldRunTheChildInItsOwnSessionWithNothingElseOpen)
{
    TemporaryDirectory directory;
    const std::string out = directory / "out";
    OwnedFd inherited(open("/dev/zero", O_RDONLY)); /* no CLOEXEC */
    OwnedFd high(fcntl(inherited.get(), F_DUPFD, 200));
    const int result = spawn("{ ls -l /proc/$$/fd | sed 's/.* \\([0-9]* -> .*\\)/\\1/'; cut -d' ' -f1,6 /proc/$$/stat; "
                             "grep SigBlk /proc/self/status; } >" +
                             out + " 2>&1; printf '\\0\\0\\0\\0' >&3");
    ASSERT_EQ(0, result);
    std::ifstream file(out);
    std::stringstream all;
    all << file.rdbuf();
    const std::string seen = all.str();
    EXPECT_NE(std::string::npos, seen.find("0 -> /dev/null")) << seen;
    EXPECT_NE(std::string::npos, seen.find("3 -> pipe:")) << seen;
    EXPECT_EQ(std::string::npos, seen.find("/dev/zero")) << seen;
    EXPECT_NE(std::string::npos, seen.find("SigBlk:\t0000000000000000")) << seen;
    std::istringstream lines(seen);
    std::string line;
    bool leader = false;
    while (std::getline(lines, line)) {
        long pid = 0;
        long session = -1;
        if (line.find("->") == std::string::npos && sscanf(line.c_str(), "%ld %ld", &pid, &session) == 2) {
            leader = pid == session;
        }
    }
    EXPECT_TRUE(leader) << seen;
    while (waitpid(-1, nullptr, 0) > 0) {
    }
}

TEST_F(Process, shouldLetGoOfTheTerminalAndTheWorkingDirectory)
{
    EXPECT_EQ(0, in_child([] {
                  if (sfd_process_detached_finish(-1) != 0) {
                      return 10;
                  }
                  char path[PATH_MAX];
                  const ssize_t n = readlink("/proc/self/fd/2", path, sizeof path - 1);
                  path[n > 0 ? n : 0] = '\0';
                  if (strcmp(path, "/dev/null") != 0) {
                      return 11;
                  }
                  return getcwd(path, sizeof path) != nullptr && strcmp(path, "/") == 0 ? 0 : 12;
              }));
}

TEST_F(Process, shouldWriteItsLastWordsToTheLogThatItWasGiven) // R24
{
    const TemporaryDirectory directory;
    const std::string path = directory / "log";
    EXPECT_EQ(0, in_child([&path] {
                  return sfd_process_detached_finish(sfd_process_log_open(path.c_str(), 0600)) == 0 &&
                                 write(2, "word", 4) == 4
                             ? 0
                             : 10;
              }));
    std::stringstream all;
    all << std::ifstream(path).rdbuf();
    EXPECT_EQ("word", all.str());
}

TEST_F(Process, shouldOpenNoLogThatIsNotItsOwn) // R24
{
    const TemporaryDirectory directory;
    const std::string log = directory / "log";
    ASSERT_EQ(0, symlink((directory / "target").c_str(), log.c_str()));
    EXPECT_EQ(-ELOOP, sfd_process_log_open(log.c_str(), 0600));
    unlink(log.c_str());
    ASSERT_EQ(0, mkfifo(log.c_str(), 0600));
    EXPECT_EQ(-ENXIO, sfd_process_log_open(log.c_str(), 0600)) << "and does not wait";
    unlink(log.c_str());
    std::ofstream(directory / "precious") << "x";
    ASSERT_EQ(0, link((directory / "precious").c_str(), log.c_str()));
    EXPECT_EQ(-EEXIST, sfd_process_log_open(log.c_str(), 0600));
    unlink(log.c_str());
    unlink((directory / "precious").c_str());
}

TEST_F(Process, shouldWriteToNoPipeThatIsFull) // R24
{
    EXPECT_EQ(0, in_child([] {
                  int fds[2];
                  if (pipe(fds) < 0 || dup2(fds[1], 1) < 0 || dup2(fds[1], 2) < 0) {
                      return 10;
                  }
                  const int size = fcntl(fds[1], F_GETPIPE_SZ);
                  const std::string full(static_cast<size_t>(size), 'x');
                  if (write(1, full.data(), full.size()) != size) {
                      return 11;
                  }
                  sfd_process_output_unblock();
                  for (const int fd : {1, 2}) {
                      if (write(fd, "x", 1) != -1 || errno != EAGAIN) {
                          return 12;
                      }
                  }
                  return (fcntl(fds[1], F_GETFL) & O_NONBLOCK) == 0 ? 0 : 13; /* nobody else's flag has changed */
              }));
}

} // namespace
