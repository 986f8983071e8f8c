/* The request socket and the instance lock, on a real directory; faults through a copied table. */
#include "descriptors.h"
#include "temporary_directory.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <string>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

extern "C" {
#include "process/endpoint.h"
#include "sys/sys_setup.h"
}

namespace
{

class Endpoint : public DescriptorCountingTest
{
  protected:
    std::string socket_path(const std::string &name) const
    {
        return dir_ + "/sendfiled." + name + ".socket";
    }
    std::string lock_path(const std::string &name) const
    {
        return dir_ + "/sendfiled." + name + ".lock";
    }

    static bool exists(const std::string &path)
    {
        struct stat st;
        return lstat(path.c_str(), &st) == 0;
    }

    static mode_t mode(const std::string &path)
    {
        struct stat st;
        return lstat(path.c_str(), &st) == 0 ? (st.st_mode & 07777) : 0;
    }

    int client(const std::string &name) const
    {
        const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct sockaddr_un address = {};
        address.sun_family = AF_UNIX;
        socket_path(name).copy(address.sun_path, sizeof address.sun_path - 1);
        if (connect(fd, reinterpret_cast<struct sockaddr *>(&address), sizeof address) < 0) {
            const int error = errno;
            close(fd);
            return -error;
        }
        return fd;
    }

    const TemporaryDirectory directory_;
    const std::string dir_ = directory_.path();
};

TEST_F(Endpoint, shouldReceiveDatagramsWithTheSendersCredentials)
{
    struct sfd_endpoint e;
    ASSERT_EQ(0, sfd_endpoint_open(&e, dir_.c_str(), "a"));
    const int fd = client("a");
    ASSERT_GE(fd, 0);
    ASSERT_EQ(2, send(fd, "hi", 2, 0));
    char data[8];
    alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct ucred))];
    struct iovec iov = {data, sizeof data};
    struct msghdr message = {};
    message.msg_iov = &iov;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    ASSERT_EQ(2, recvmsg(e.fd, &message, 0));
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    ASSERT_NE(nullptr, header);
    EXPECT_EQ(SCM_CREDENTIALS, header->cmsg_type);
    close(fd);
    sfd_endpoint_close(&e);
}

class PassedEndpoint : public Endpoint
{
  protected:
    /* As a service manager has it: bound, and nothing else of ours is there. */
    int passed(const std::string &name) const
    {
        const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct sockaddr_un address = {};
        address.sun_family = AF_UNIX;
        socket_path(name).copy(address.sun_path, sizeof address.sun_path - 1);
        EXPECT_EQ(0, bind(fd, reinterpret_cast<struct sockaddr *>(&address), sizeof address));
        return fd;
    }
    int adopt(struct sfd_endpoint *e, int fd, mode_t mode = 0600) const
    {
        const struct sfd_endpoint_access access = {mode, 0};
        return sfd_endpoint_adopt(e, &sfd_sys_setup_linux, dir_.c_str(), "a", &access, fd);
    }
};

TEST_F(PassedEndpoint, shouldKeepTheNameOfASocketThatOutlivesIt)
{
    const int fd = passed("a");
    const int again = dup(fd);
    struct sfd_endpoint e;
    ASSERT_EQ(0, adopt(&e, fd));
    EXPECT_EQ(fd, e.fd);
    EXPECT_TRUE(exists(lock_path("a")));
    EXPECT_FALSE(exists(dir_ + "/sendfiled.a.spare"));
    sfd_endpoint_hide(&e);
    EXPECT_TRUE(exists(socket_path("a"))) << "clients wait for the next one";
    sfd_endpoint_close(&e);
    EXPECT_TRUE(exists(socket_path("a")));
    EXPECT_FALSE(exists(lock_path("a")));
    const int sender = client("a");
    ASSERT_GE(sender, 0);
    EXPECT_EQ(2, send(sender, "hi", 2, 0));
    ASSERT_EQ(0, adopt(&e, again));
    char text[8];
    EXPECT_EQ(2, recv(e.fd, text, sizeof text, 0)) << "the next one has it";
    sfd_endpoint_close(&e);
    close(sender);
}

TEST_F(PassedEndpoint, shouldLetOthersConnectIfAskedAndLeaveTheNameToItsOwner)
{
    struct sfd_endpoint e;
    ASSERT_EQ(0, adopt(&e, passed("a"), 0666));
    EXPECT_EQ(0666u, mode(socket_path("a")));
    ASSERT_EQ(0, unlink(socket_path("a").c_str())) << "as RemoveOnStop= does";
    EXPECT_EQ(0, sfd_endpoint_look(&e));
    EXPECT_FALSE(exists(socket_path("a"))) << "nobody would remove it again";
    sfd_endpoint_close(&e);
}

TEST_F(PassedEndpoint, shouldBeTheOnlyOneOfItsName)
{
    struct sfd_endpoint first;
    struct sfd_endpoint second;
    const int fd = passed("a");
    const int again = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    ASSERT_EQ(0, adopt(&first, fd));
    EXPECT_EQ(-EADDRINUSE, adopt(&second, again));
    EXPECT_EQ(-1, fcntl(again, F_GETFD)) << "it was taken";
    sfd_endpoint_close(&first);
}

TEST_F(PassedEndpoint, shouldTakeTheSocketAlsoWhenItFails)
{
    struct sfd_endpoint e;
    const int fd = passed("a");
    ASSERT_EQ(0, unlink(socket_path("a").c_str()));
    EXPECT_EQ(-ENOENT, adopt(&e, fd)) << "clients would not find it";
    EXPECT_EQ(-1, fcntl(fd, F_GETFD));
    EXPECT_FALSE(exists(lock_path("a")));
}

static const char *pid_namespace;

static ssize_t fake_readlink(const char *path, char *buf, size_t length)
{
    if (pid_namespace == nullptr || std::string(path) != "/proc/self/ns/pid") {
        return -ENOENT;
    }
    return static_cast<ssize_t>(std::string(pid_namespace).copy(buf, length));
}

TEST_F(Endpoint, shouldKnowWhetherItSeesEveryProcessThatMaySend) // R19
{
    struct sfd_sys_setup sys = sfd_sys_setup_linux;
    sys.readlink = fake_readlink;
    const struct {
        const char *name;
        bool blind;
    } cases[] = {{"pid:[4026531836]", false}, {"pid:[4026532567]", true}, {"pid:[40265318367]", true}, {nullptr, true}};
    for (const auto &one : cases) {
        struct sfd_endpoint e;
        pid_namespace = one.name;
        ASSERT_EQ(0, sfd_endpoint_open_with(&e, &sys, dir_.c_str(), "a"));
        EXPECT_EQ(one.blind, e.blind) << (one.name == nullptr ? "no /proc" : one.name);
        sfd_endpoint_close(&e);
    }
}

TEST_F(Endpoint, shouldReceiveAPidfdOfTheSenderIfItAsksForIt) // R19
{
    struct sfd_endpoint e;
    ASSERT_EQ(0, sfd_endpoint_open(&e, dir_.c_str(), "a"));
    if (sfd_endpoint_pass_pidfds(&e) == -ENOPROTOOPT) {
        sfd_endpoint_close(&e);
        GTEST_SKIP() << "SO_PASSPIDFD needs Linux 6.5";
    }
    const int sender = client("a");
    ASSERT_EQ(1, send(sender, "x", 1, 0));
    char byte = 0;
    alignas(struct cmsghdr) char control[128] = {};
    struct iovec iov = {&byte, 1};
    struct msghdr message = {};
    message.msg_iov = &iov;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    ASSERT_EQ(1, recvmsg(e.fd, &message, 0));
    int pidfds = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_type == 4 /* SCM_PIDFD */) {
            int fd = -1;
            memcpy(&fd, CMSG_DATA(c), sizeof fd);
            EXPECT_EQ(0, close(fd));
            pidfds++;
        }
    }
    EXPECT_EQ(1, pidfds);
    close(sender);
    sfd_endpoint_close(&e);
}

TEST_F(Endpoint, shouldGiveANonBlockingCloexecSocketThatOnlyTheOwnerMayUse)
{
    struct sfd_endpoint e;
    ASSERT_EQ(0, sfd_endpoint_open(&e, dir_.c_str(), "a"));
    EXPECT_NE(0, fcntl(e.fd, F_GETFL) & O_NONBLOCK);
    EXPECT_NE(0, fcntl(e.fd, F_GETFD) & FD_CLOEXEC);
    EXPECT_NE(0, fcntl(e.lock_fd, F_GETFD) & FD_CLOEXEC);
    EXPECT_EQ(0600u, mode(socket_path("a")));
    EXPECT_EQ(0600u, mode(lock_path("a")));
    sfd_endpoint_close(&e);
}

/* D22: nobody else may send in any moment, whatever the umask; so the mode must be right when bind returns. */
mode_t mode_after_bind;
std::string path_to_look_at;

int looking_bind(int fd, const struct sockaddr *address, socklen_t length)
{
    const int result = sfd_sys_setup_linux.bind(fd, address, length);
    struct stat st;
    mode_after_bind = lstat(path_to_look_at.c_str(), &st) == 0 ? (st.st_mode & 07777) : 0;
    return result;
}

TEST_F(Endpoint, shouldNeverLetOthersSendBetweenBindAndChmodD22)
{
    struct sfd_sys_setup sys = sfd_sys_setup_linux;
    sys.bind = looking_bind;
    path_to_look_at = socket_path("a");
    const mode_t before = umask(0);
    struct sfd_endpoint e;
    EXPECT_EQ(0, sfd_endpoint_open_with(&e, &sys, dir_.c_str(), "a"));
    EXPECT_EQ(0600u, mode_after_bind);
    sfd_endpoint_close(&e);
    EXPECT_EQ(0u, umask(before)) << "the process-wide umask was changed";
}

/* ---- who can connect (R9) */

static mode_t mode_at_chown;
static gid_t group_at_chmod;

static int looking_fchownat(int dir, const char *path, uid_t uid, gid_t gid, int flags)
{
    struct stat st;
    EXPECT_EQ(0, fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW));
    mode_at_chown = st.st_mode & 07777;
    EXPECT_EQ(static_cast<uid_t>(-1), uid);
    return sfd_sys_setup_linux.fchownat(dir, path, uid, gid, flags);
}

static int looking_fchmodat(int dir, const char *path, mode_t mode)
{
    struct stat st;
    EXPECT_EQ(0, fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW));
    group_at_chmod = st.st_gid;
    return sfd_sys_setup_linux.fchmodat(dir, path, mode);
}

static int refused_fchownat(int, const char *, uid_t, gid_t, int)
{
    return -EPERM;
}

TEST_F(Endpoint, shouldLetOthersConnectOnlyWhenTheSocketHasItsGroup) // R9, D22
{
    if (geteuid() != 0) {
        GTEST_SKIP() << "only root can give a file to any group";
    }
    struct sfd_sys_setup sys = sfd_sys_setup_linux;
    sys.bind = looking_bind;
    sys.fchownat = looking_fchownat;
    sys.fchmodat = looking_fchmodat;
    path_to_look_at = socket_path("a");
    const struct sfd_endpoint_access access = {0660, 4321};
    const mode_t before = umask(0);
    struct sfd_endpoint e;
    ASSERT_EQ(0, sfd_endpoint_open_for(&e, &sys, dir_.c_str(), "a", &access));
    umask(before);
    EXPECT_EQ(0600u, mode_after_bind);
    EXPECT_EQ(0600u, mode_at_chown);
    EXPECT_EQ(4321u, group_at_chmod);
    EXPECT_EQ(0660u, mode(socket_path("a")));
    sfd_endpoint_close(&e);
}

TEST_F(Endpoint, shouldLetAllConnectWhereItCannotGiveTheSocketToTheGroup) // R9
{
    struct sfd_sys_setup sys = sfd_sys_setup_linux;
    sys.fchownat = refused_fchownat;
    const struct sfd_endpoint_access access = {0660, 4321};
    struct sfd_endpoint e;
    ASSERT_EQ(0, sfd_endpoint_open_for(&e, &sys, dir_.c_str(), "a", &access));
    EXPECT_EQ(0666u, mode(socket_path("a"))) << "the credentials of each request decide";
    sfd_endpoint_close(&e);
}

TEST_F(Endpoint, shouldMakeADirectoryThatOthersCanSearchIfTheyMayConnect) // R9
{
    const mode_t before = umask(022);
    for (const auto &one : {std::pair<mode_t, mode_t>{0600, 0700}, {0660, 0755}, {0666, 0755}}) {
        const std::string dir = dir_ + "/new" + std::to_string(one.first);
        const struct sfd_endpoint_access access = {one.first, getegid()};
        struct sfd_endpoint e;
        ASSERT_EQ(0, sfd_endpoint_open_for(&e, &sfd_sys_setup_linux, dir.c_str(), "a", &access));
        EXPECT_EQ(one.second, mode(dir));
        EXPECT_EQ(one.first, mode(dir + "/sendfiled.a.socket"));
        EXPECT_EQ(0600u, mode(dir + "/sendfiled.a.lock"));
        sfd_endpoint_close(&e);
    }
    umask(before);
}

TEST_F(Endpoint, shouldTrustNotEvenItsOwnGroupIfOthersMayConnect) // R9
{
    if (getegid() == 0) {
        ASSERT_EQ(0, chown(dir_.c_str(), static_cast<uid_t>(-1), 4321)); /* root's own group is trusted */
    }
    ASSERT_EQ(0, chmod(dir_.c_str(), 0775));
    struct sfd_sys_setup sys = sfd_sys_setup_linux;
    sys.getresgid = [](gid_t *real, gid_t *effective, gid_t *saved) {
        *real = *effective = *saved = getegid() == 0 ? 4321 : getegid();
        return 0;
    };
    const struct sfd_endpoint_access others = {0666, 0};
    struct sfd_endpoint e;
    EXPECT_EQ(-EPERM, sfd_endpoint_open_for(&e, &sys, dir_.c_str(), "a", &others));
    EXPECT_EQ(0, sfd_endpoint_open_with(&e, &sys, dir_.c_str(), "a"));
    sfd_endpoint_close(&e);
}

TEST_F(Endpoint, shouldBeReachableByItsOwnerUnderAHostileUmask)
{
    const mode_t before = umask(0777);
    struct sfd_endpoint e;
    EXPECT_EQ(0, sfd_endpoint_open(&e, dir_.c_str(), "a"));
    EXPECT_EQ(0600u, mode(socket_path("a")));
    umask(before);
    sfd_endpoint_close(&e);
}

TEST_F(Endpoint, shouldRefuseASecondInstanceAndNameTheFirst)
{
    struct sfd_endpoint first;
    struct sfd_endpoint second;
    ASSERT_EQ(0, sfd_endpoint_open(&first, dir_.c_str(), "a"));
    EXPECT_EQ(getpid(), sfd_endpoint_holder(dir_.c_str(), "a"));
    EXPECT_EQ(-EADDRINUSE, sfd_endpoint_open(&second, dir_.c_str(), "a"));
    EXPECT_EQ(-1, second.fd);
    sfd_endpoint_close(&second);
    EXPECT_TRUE(exists(socket_path("a"))) << "the refused one must not touch the running one";
    EXPECT_TRUE(exists(lock_path("a")));
    sfd_endpoint_close(&first);
}

TEST_F(Endpoint, shouldServeSeveralNamesInOneDirectory)
{
    struct sfd_endpoint a;
    struct sfd_endpoint b;
    ASSERT_EQ(0, sfd_endpoint_open(&a, dir_.c_str(), "a"));
    ASSERT_EQ(0, sfd_endpoint_open(&b, dir_.c_str(), "b"));
    sfd_endpoint_close(&a);
    EXPECT_FALSE(exists(socket_path("a")));
    EXPECT_TRUE(exists(socket_path("b")));
    sfd_endpoint_close(&b);
}

TEST_F(Endpoint, shouldRemoveBothNamesOnCloseAndStartAgain)
{
    for (int i = 0; i < 3; i++) {
        struct sfd_endpoint e;
        ASSERT_EQ(0, sfd_endpoint_open(&e, dir_.c_str(), "a"));
        sfd_endpoint_close(&e);
        sfd_endpoint_close(&e);
        EXPECT_FALSE(exists(socket_path("a")));
        EXPECT_FALSE(exists(lock_path("a")));
        EXPECT_EQ(0, sfd_endpoint_holder(dir_.c_str(), "a"));
    }
}

TEST_F(Endpoint, shouldReplaceTheSocketOfAKilledInstanceD35)
{
    const pid_t pid = fork();
    if (pid == 0) {
        struct sfd_endpoint e;
        if (sfd_endpoint_open(&e, dir_.c_str(), "a") == 0) {
            raise(SIGKILL);
        }
        _exit(1);
    }
    int status = 0;
    ASSERT_EQ(pid, waitpid(pid, &status, 0));
    ASSERT_TRUE(WIFSIGNALED(status));
    ASSERT_TRUE(exists(socket_path("a")));
    ASSERT_EQ(-ECONNREFUSED, client("a"));
    EXPECT_EQ(0, sfd_endpoint_holder(dir_.c_str(), "a")) << "a dead owner's pid must not be named";

    struct sfd_endpoint e;
    ASSERT_EQ(0, sfd_endpoint_open(&e, dir_.c_str(), "a"));
    const int fd = client("a");
    EXPECT_GE(fd, 0);
    close(fd);
    sfd_endpoint_close(&e);
}

TEST_F(Endpoint, shouldLeaveAForeignServersSocketAlone)
{
    const int foreign = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    socket_path("a").copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(0, bind(foreign, reinterpret_cast<struct sockaddr *>(&address), sizeof address));
    struct sfd_endpoint e;
    EXPECT_EQ(-EADDRINUSE, sfd_endpoint_open(&e, dir_.c_str(), "a"));
    EXPECT_TRUE(exists(socket_path("a")));
    EXPECT_FALSE(exists(lock_path("a")));
    close(foreign);
}

TEST_F(Endpoint, shouldNotRemoveWhatIsNotASocket)
{
    std::ofstream(socket_path("a")) << "precious";
    struct sfd_endpoint e;
    EXPECT_EQ(-EEXIST, sfd_endpoint_open(&e, dir_.c_str(), "a"));
    EXPECT_TRUE(exists(socket_path("a")));
}

TEST_F(Endpoint, shouldNotFollowASymbolicLinkAsLock)
{
    const std::string victim = dir_ + "/victim";
    std::ofstream(victim) << "precious";
    ASSERT_EQ(0, symlink(victim.c_str(), lock_path("a").c_str()));
    struct sfd_endpoint e;
    EXPECT_EQ(-EEXIST, sfd_endpoint_open(&e, dir_.c_str(), "a"));
    std::string content;
    std::ifstream(victim) >> content;
    EXPECT_EQ("precious", content);
}

TEST_F(Endpoint, shouldNotWaitForAFifoAsLock)
{
    ASSERT_EQ(0, mkfifo(lock_path("a").c_str(), 0600));
    struct sfd_endpoint e;
    EXPECT_EQ(-EEXIST, sfd_endpoint_open(&e, dir_.c_str(), "a"));
}

TEST_F(Endpoint, shouldMakeTheDirectoryPrivateWhenItIsMissing)
{
    const std::string dir = dir_ + "/run";
    struct sfd_endpoint e;
    ASSERT_EQ(0, sfd_endpoint_open(&e, dir.c_str(), "a"));
    EXPECT_EQ(0700u, mode(dir));
    sfd_endpoint_close(&e);
    EXPECT_EQ(-ENOENT, sfd_endpoint_open(&e, (dir_ + "/no/such").c_str(), "a"));
}

// R15
TEST_F(Endpoint, shouldRefuseADirectoryInWhichOthersCouldReplaceTheSocket)
{
    const std::string dir = dir_ + "/run";
    ASSERT_EQ(0, mkdir(dir.c_str(), 0700));
    struct sfd_endpoint e;
    for (const mode_t mode : {0757, 0777, 0702}) {
        ASSERT_EQ(0, chmod(dir.c_str(), mode));
        EXPECT_EQ(-EPERM, sfd_endpoint_open(&e, dir.c_str(), "a")) << std::oct << mode;
        EXPECT_EQ(-1, e.fd);
        EXPECT_TRUE(std::filesystem::is_empty(dir));
    }
    for (const mode_t mode : {01777, 0775, 0755, 0700}) { // the last but one: our own group
        ASSERT_EQ(0, chmod(dir.c_str(), mode));
        EXPECT_EQ(0, sfd_endpoint_open(&e, dir.c_str(), "a")) << std::oct << mode;
        sfd_endpoint_close(&e);
    }
}

// R15
TEST_F(Endpoint, shouldRefuseADirectoryOfAnotherUserOrGroup)
{
    if (geteuid() != 0) {
        GTEST_SKIP() << "only root can give a directory away";
    }
    const std::string dir = dir_ + "/run";
    struct sfd_endpoint e;
    ASSERT_EQ(0, mkdir(dir.c_str(), 0700));
    ASSERT_EQ(0, chown(dir.c_str(), 54321, 0));
    EXPECT_EQ(-EPERM, sfd_endpoint_open(&e, dir.c_str(), "a"));
    ASSERT_EQ(0, chown(dir.c_str(), 0, 54321));
    ASSERT_EQ(0, chmod(dir.c_str(), 0770));
    EXPECT_EQ(-EPERM, sfd_endpoint_open(&e, dir.c_str(), "a"));
    ASSERT_EQ(0, chmod(dir.c_str(), 0750));
    EXPECT_EQ(0, sfd_endpoint_open(&e, dir.c_str(), "a"));
    sfd_endpoint_close(&e);
}

// R15: a drained instance's name is free for nobody until its end, but cannot be connected to.
TEST_F(Endpoint, shouldHideItsSocketAndKeepItsLock)
{
    struct sfd_endpoint e;
    struct sfd_endpoint second;
    ASSERT_EQ(0, sfd_endpoint_open(&e, dir_.c_str(), "a"));
    sfd_endpoint_hide(&e);
    sfd_endpoint_hide(&e);
    EXPECT_EQ(-ENOENT, client("a"));
    EXPECT_EQ(-EADDRINUSE, sfd_endpoint_open(&second, dir_.c_str(), "a"));
    EXPECT_EQ(getpid(), sfd_endpoint_holder(dir_.c_str(), "a"));
    sfd_endpoint_close(&e);
    EXPECT_FALSE(exists(lock_path("a")));
}

// R15
TEST_F(Endpoint, shouldNotRemoveTheSocketAndTheLockThatReplacedItsOwn)
{
    struct sfd_endpoint e;
    ASSERT_EQ(0, sfd_endpoint_open(&e, dir_.c_str(), "a"));
    ASSERT_EQ(0, unlink(socket_path("a").c_str()));
    ASSERT_EQ(0, unlink(lock_path("a").c_str()));
    struct sfd_endpoint other;
    ASSERT_EQ(0, sfd_endpoint_open(&other, dir_.c_str(), "a"));
    sfd_endpoint_close(&e);
    EXPECT_TRUE(exists(socket_path("a")));
    EXPECT_TRUE(exists(lock_path("a")));
    sfd_endpoint_close(&other);
    EXPECT_FALSE(exists(socket_path("a")));
}

// R15: whatever a killed instance wrote, and whoever has its process id now.
TEST_F(Endpoint, shouldNotBelieveAPidThatNobodyLocks)
{
    std::ofstream(lock_path("a")) << getppid() << "\n";
    EXPECT_EQ(0, sfd_endpoint_holder(dir_.c_str(), "a"));
    struct sfd_endpoint e;
    ASSERT_EQ(0, sfd_endpoint_open(&e, dir_.c_str(), "a"));
    EXPECT_EQ(getpid(), sfd_endpoint_holder(dir_.c_str(), "a"));
    sfd_endpoint_close(&e);
}

pid_t holder_at_bind = -1;
int holder_looking_bind(int fd, const struct sockaddr *address, socklen_t length)
{
    const std::string path = path_to_look_at;
    holder_at_bind = sfd_endpoint_holder(path.substr(0, path.rfind('/')).c_str(), "a");
    return sfd_sys_setup_linux.bind(fd, address, length);
}

TEST_F(Endpoint, shouldNameItselfBeforeItCanBeMetInPlaceOfAKilledInstance)
{
    std::ofstream(lock_path("a")) << getppid() << "\n";
    struct sfd_sys_setup sys = sfd_sys_setup_linux;
    sys.bind = holder_looking_bind;
    path_to_look_at = socket_path("a");
    struct sfd_endpoint e;
    ASSERT_EQ(0, sfd_endpoint_open_with(&e, &sys, dir_.c_str(), "a"));
    EXPECT_EQ(getpid(), holder_at_bind);
    sfd_endpoint_close(&e);
}

TEST_F(Endpoint, shouldRefuseNamesThatLeaveTheDirectoryOrDoNotFit)
{
    struct sfd_endpoint e;
    EXPECT_EQ(-EINVAL, sfd_endpoint_open(&e, dir_.c_str(), ""));
    EXPECT_EQ(-EINVAL, sfd_endpoint_open(&e, dir_.c_str(), "../a"));
    EXPECT_EQ(-ENAMETOOLONG, sfd_endpoint_open(&e, dir_.c_str(), std::string(100, 'n').c_str()));
    EXPECT_EQ(-ENAMETOOLONG, sfd_endpoint_open(&e, ("/" + std::string(98, 'd')).c_str(), "a"));
    EXPECT_EQ(-ENOTDIR, sfd_endpoint_open(&e, "/dev/null", "a"));
}

/* The last owner removes its lock file between our open and our flock: the lock on a nameless file locks nothing. */
std::string lock_to_remove;
int removals;

int flock_after_removal(int fd, int operation)
{
    if (removals-- > 0) {
        unlink(lock_to_remove.c_str());
    }
    return sfd_sys_setup_linux.flock(fd, operation);
}

TEST_F(Endpoint, shouldNotTrustALockWhoseFileWasRemovedMeanwhile)
{
    struct sfd_sys_setup sys = sfd_sys_setup_linux;
    sys.flock = flock_after_removal;
    lock_to_remove = lock_path("a");
    removals = 2;
    struct sfd_endpoint e;
    ASSERT_EQ(0, sfd_endpoint_open_with(&e, &sys, dir_.c_str(), "a"));
    struct stat held;
    struct stat named;
    ASSERT_EQ(0, fstat(e.lock_fd, &held));
    ASSERT_EQ(0, lstat(lock_path("a").c_str(), &named));
    EXPECT_EQ(held.st_ino, named.st_ino);
    sfd_endpoint_close(&e);
    removals = 1000;
    EXPECT_EQ(-EAGAIN, sfd_endpoint_open_with(&e, &sys, dir_.c_str(), "a"));
}

/* Start and stop at the same time from all sides: the lock file comes and goes, yet there is never a second owner. */
TEST_F(Endpoint, shouldHaveOneOwnerAtATimeHoweverManyComeAndGo)
{
    std::atomic<int> owners{0};
    std::atomic<int> opened{0};
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++) {
        threads.emplace_back([&] {
            for (int round = 0; round < 400; round++) {
                struct sfd_endpoint e;
                const int result = sfd_endpoint_open(&e, dir_.c_str(), "a");
                if (result == 0) {
                    opened++;
                    wrong += owners.fetch_add(1) != 0;
                    std::this_thread::yield();
                    owners--;
                    sfd_endpoint_close(&e);
                } else if (result != -EADDRINUSE && result != -EAGAIN) {
                    ADD_FAILURE() << "open: " << result;
                }
            }
        });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    EXPECT_EQ(0, wrong);
    EXPECT_GT(opened, 0);
    EXPECT_FALSE(exists(socket_path("a")));
    EXPECT_FALSE(exists(lock_path("a")));
}

int failing_setsockopt(int, int, int, const void *, socklen_t)
{
    return -ENOBUFS;
}
int failing_fchmod(int, mode_t)
{
    return -EINVAL;
}
int failing_bind(int, const struct sockaddr *, socklen_t)
{
    return -EROFS;
}
ssize_t failing_pwrite(int, const void *, size_t, off_t)
{
    return -ENOSPC;
}
ssize_t short_pwrite(int, const void *, size_t, off_t)
{
    return 1;
}
int failing_ftruncate(int, off_t)
{
    return -EIO;
}
int failing_socket(int, int, int)
{
    return -EMFILE;
}
int failing_fchownat(int, const char *, uid_t, gid_t, int)
{
    return -EIO;
}
int failing_fchmodat(int, const char *, mode_t)
{
    return -EROFS;
}

TEST_F(Endpoint, shouldLeaveNothingBehindWhenAStepFails)
{
    struct {
        void (*set)(struct sfd_sys_setup *);
        int expected;
    } cases[] = {
        {[](struct sfd_sys_setup *s) { s->setsockopt = failing_setsockopt; }, -ENOBUFS},
        {[](struct sfd_sys_setup *s) { s->fchmod = failing_fchmod; }, -EINVAL},
        {[](struct sfd_sys_setup *s) { s->bind = failing_bind; }, -EROFS},
        {[](struct sfd_sys_setup *s) { s->pwrite = failing_pwrite; }, -ENOSPC},
        {[](struct sfd_sys_setup *s) { s->pwrite = short_pwrite; }, -EIO},
        {[](struct sfd_sys_setup *s) { s->ftruncate = failing_ftruncate; }, -EIO},
        {[](struct sfd_sys_setup *s) { s->socket = failing_socket; }, -EMFILE},
        {[](struct sfd_sys_setup *s) { s->fchownat = failing_fchownat; }, -EIO},
        {[](struct sfd_sys_setup *s) { s->fchmodat = failing_fchmodat; }, -EROFS},
    };
    for (const auto &c : cases) {
        struct sfd_sys_setup sys = sfd_sys_setup_linux;
        c.set(&sys);
        struct sfd_endpoint e;
        const struct sfd_endpoint_access access = {0660, getegid()};
        EXPECT_EQ(c.expected, sfd_endpoint_open_for(&e, &sys, dir_.c_str(), "a", &access));
        EXPECT_FALSE(exists(socket_path("a")));
        EXPECT_FALSE(exists(lock_path("a")));
        sfd_endpoint_close(&e);
    }
}

/* ---- that the name stays (R24) */

class EndpointName : public Endpoint
{
  protected:
    void SetUp() override
    {
        Endpoint::SetUp();
        ASSERT_EQ(0, sfd_endpoint_open(&e_, dir_.c_str(), "a"));
    }

    void TearDown() override
    {
        sfd_endpoint_close(&e_);
        Endpoint::TearDown();
    }

    bool noticed() const
    {
        struct pollfd poll_fd = {e_.watch_fd, POLLIN, 0};
        return poll(&poll_fd, 1, 0) == 1;
    }

    std::string spare_path() const
    {
        return dir_ + "/.sendfiled.a.spare";
    }

    struct sfd_endpoint e_;
};

TEST_F(EndpointName, shouldComeBackWhenSomebodyHasRemovedIt)
{
    for (int i = 0; i < 3; i++) {
        ASSERT_EQ(0, sfd_endpoint_look(&e_));
        ASSERT_FALSE(noticed());
        ASSERT_EQ(0, unlink(socket_path("a").c_str()));
        EXPECT_TRUE(noticed());
        EXPECT_EQ(1, sfd_endpoint_look(&e_));
        const int fd = client("a");
        EXPECT_GE(fd, 0);
        close(fd);
    }
    ASSERT_EQ(0, rename(socket_path("a").c_str(), (dir_ + "/elsewhere").c_str()));
    EXPECT_TRUE(noticed());
    EXPECT_EQ(1, sfd_endpoint_look(&e_));
    unlink((dir_ + "/elsewhere").c_str());
}

TEST_F(EndpointName, shouldGetItsSpareNameBackAsWell)
{
    ASSERT_EQ(0, unlink(spare_path().c_str()));
    EXPECT_TRUE(noticed());
    EXPECT_EQ(0, sfd_endpoint_look(&e_));
    EXPECT_TRUE(exists(spare_path()));
    ASSERT_EQ(0, unlink(socket_path("a").c_str()));
    EXPECT_EQ(1, sfd_endpoint_look(&e_));
}

TEST_F(EndpointName, shouldLeaveTheNameToWhoeverHasTakenIt)
{
    ASSERT_EQ(0, unlink(socket_path("a").c_str()));
    std::ofstream(socket_path("a")) << "precious";
    EXPECT_EQ(-EEXIST, sfd_endpoint_look(&e_));
    sfd_endpoint_hide(&e_);
    EXPECT_TRUE(exists(socket_path("a")));
    EXPECT_FALSE(exists(spare_path()));
    unlink(socket_path("a").c_str());
}

TEST_F(EndpointName, shouldSayThatNothingIsLeftToMakeItFrom)
{
    ASSERT_EQ(0, unlink(spare_path().c_str()));
    ASSERT_EQ(0, unlink(socket_path("a").c_str()));
    EXPECT_EQ(-ENOENT, sfd_endpoint_look(&e_));
}

TEST_F(EndpointName, shouldNotComeBackAfterTheEndpointWasHidden)
{
    sfd_endpoint_hide(&e_);
    EXPECT_EQ(0, sfd_endpoint_look(&e_));
    EXPECT_FALSE(exists(socket_path("a")));
    EXPECT_FALSE(exists(spare_path()));
}

TEST_F(EndpointName, shouldReplaceTheSpareNameOfAKilledInstance)
{
    struct sfd_endpoint killed = e_;
    close(killed.lock_fd); /* as its end would do; its names stay */
    close(killed.fd);
    close(killed.watch_fd);
    close(killed.dir_lock_fd);
    close(killed.dir_fd);
    ASSERT_EQ(0, sfd_endpoint_open(&e_, dir_.c_str(), "a"));
    ASSERT_EQ(0, unlink(socket_path("a").c_str()));
    EXPECT_EQ(1, sfd_endpoint_look(&e_));
    const int fd = client("a");
    EXPECT_GE(fd, 0);
    close(fd);
}

TEST_F(EndpointName, shouldLockTheDirectoryUnlessItIsEverybodys)
{
    OwnedFd cleaner(open(dir_.c_str(), O_RDONLY | O_DIRECTORY));
    EXPECT_EQ(-1, flock(cleaner.get(), LOCK_EX | LOCK_NB));
    struct sfd_endpoint other;
    EXPECT_EQ(0, sfd_endpoint_open(&other, dir_.c_str(), "b")) << "a second instance shares the lock";
    sfd_endpoint_close(&other);
    sfd_endpoint_close(&e_);
    EXPECT_EQ(0, flock(cleaner.get(), LOCK_EX | LOCK_NB));
    EXPECT_EQ(0, flock(cleaner.get(), LOCK_UN));

    ASSERT_EQ(0, chmod(dir_.c_str(), 01777));
    ASSERT_EQ(0, sfd_endpoint_open(&e_, dir_.c_str(), "a"));
    EXPECT_EQ(0, flock(cleaner.get(), LOCK_EX | LOCK_NB));
    EXPECT_EQ(0, chmod(dir_.c_str(), 0700));
}

} // namespace
