// The directory of the request socket: chosen by any user; made and given away where root runs the test.
#include "places_fixture.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include <sys/stat.h>
#include <sys/wait.h>

extern "C" {
#include "process/endpoint.h"
#include "process/socket_directory.h"
}

namespace
{

class SocketDirectory : public PlacesTest
{
  protected:
    // The directory that is chosen for "web"; or, of each place, why it is not.
    std::string chosen(const std::string &name = "web")
    {
        struct sfd_place places[SFD_PLACES_MAX];
        unsigned count = 0;
        std::string reasons;
        const int result = sfd_socket_directory_choose(&rule_, name.c_str(), places, &count);
        if (result == 0) {
            return places[count - 1].path;
        }
        for (unsigned i = 0; i < count; i++) {
            EXPECT_NE(0, places[i].error);
            reasons += std::string(places[i].reason) + "; ";
        }
        return reasons;
    }

    static std::string status(const std::string &path)
    {
        struct stat st;
        char words[64];
        if (lstat(path.c_str(), &st) != 0) {
            return "missing";
        }
        snprintf(words, sizeof words, "%u:%u %04o", st.st_uid, st.st_gid, st.st_mode & 07777);
        return words;
    }

    // What comes of sfd_socket_directory_make for "web" and uid 1234, gid 1235.
    std::string made(const std::string &name = "web")
    {
        struct sfd_place place;
        const int result = sfd_socket_directory_make(&rule_, name.c_str(), 1234, 1235, &place);
        EXPECT_EQ(result, -place.error);
        return result == 0 ? place.path : std::string(strerrorname_np(-result)) + ": " + place.reason;
    }
};

TEST_F(SocketDirectory, shouldBeTheRuntimeDirectoryOfAnOrdinaryUser)
{
    treeIsOwn();
    make(runtime(), 0700);
    make(system());
    const std::string runtime = this->runtime();
    rule_.runtime = runtime.c_str();
    EXPECT_EQ(chosen(), runtime);
    rule_.given = "anywhere";
    EXPECT_EQ(chosen(), "anywhere");
}

TEST_F(SocketDirectory, shouldBeMadeForTheInstanceByRoot)
{
    make(runtime(), 0700);
    const std::string runtime = this->runtime();
    rule_.runtime = runtime.c_str(); // of the session, which ends before the daemon
    const mode_t mask = umask(077);
    EXPECT_EQ(chosen(), instance());
    umask(mask);
    EXPECT_EQ(status(system()).substr(status(system()).find(' ')), " 0755");
    EXPECT_EQ(status(instance()).substr(status(instance()).find(' ')), " 0755");
    EXPECT_EQ(chosen(), instance()) << "the second start finds it";
    EXPECT_EQ(chosen("other"), instance("other"));
}

TEST_F(SocketDirectory, shouldBeTheInstancesIfTheUserHasIt)
{
    rule_.root = geteuid() + 1;
    make(instance());
    EXPECT_EQ(chosen(), system()) << "what is above it is not root's: clients of others would not believe it";
}

TEST_F(SocketDirectory, shouldBeMadeBelowTmpWhenNothingElseIsThere)
{
    treeIsOwn();
    std::filesystem::remove_all(run_);
    EXPECT_EQ(chosen(), own());
    EXPECT_EQ(status(own()).substr(status(own()).find(' ')), " 0700");
    EXPECT_EQ(chosen(), own()) << "the second start finds it";
}

TEST_F(SocketDirectory, shouldSayOfEachPlaceWhyItIsNone)
{
    treeIsAStrangers();
    make(system());
    make(own(), 0700);
    rule_.runtime = "here";
    const std::string stranger = "belongs to another user (uid " + std::to_string(geteuid()) + "); ";
    EXPECT_EQ(chosen(),
              "XDG_RUNTIME_DIR is not an absolute path; the directory above it: " + stranger + stranger + stranger);
}

TEST_F(SocketDirectory, shouldNotBeALinkOrOpenToOthers)
{
    treeIsOwn();
    std::filesystem::remove_all(run_);
    make(*base_ / "target", 0700);
    std::filesystem::create_symlink(*base_ / "target", own());
    EXPECT_EQ(chosen(), "no such directory; no such directory; is not a directory; ");
    std::filesystem::remove(own());
    make(own(), 0750);
    EXPECT_EQ(chosen(), "no such directory; no such directory; is open to other users (mode 0750); ");
}

TEST_F(SocketDirectory, shouldFallToTheNextPlaceWhenAPathIsTooLong)
{
    const std::string longest(107 - std::strlen("/sendfiled..socket") - system().size(), 'n');
    EXPECT_EQ(chosen(longest), system());
    EXPECT_EQ(made(longest), "ENAMETOOLONG: too long for a socket, 107 bytes");
}

TEST_F(SocketDirectory, shouldNotBeMadeWhereOthersCouldReplaceIt)
{
    make(system(), 0777);
    EXPECT_EQ(made(), "EPERM: the directory above it: others may write to it (mode 0777)");
    ASSERT_EQ(0, chmod(system().c_str(), 0755));
    make(*base_ / "target", 0755);
    std::filesystem::create_symlink(*base_ / "target", instance());
    EXPECT_EQ(made(), "ENOTDIR: " + instance() + " is not a directory");
    treeIsAStrangers();
    EXPECT_EQ(made("other"),
              "EPERM: the directory above it: belongs to another user (uid " + std::to_string(geteuid()) + ")");
    EXPECT_EQ(status(instance("other")), "missing");
    std::filesystem::remove_all(run_);
    EXPECT_EQ(made(), "ENOENT: cannot be made: No such file or directory");
    for (const char *name : {"", ".", "..", "a/b"}) {
        EXPECT_EQ(made(name), "EINVAL: no directory has such a name") << name;
        struct sfd_place place;
        EXPECT_EQ(-EINVAL, sfd_socket_directory_make(&rule_, name, 1234, 1235, &place));
        EXPECT_EQ(place.path, system() + "/" + name) << "a message names it";
    }
}

class SocketDirectoryOfRoot : public SocketDirectory
{
  protected:
    void SetUp() override
    {
        if (geteuid() != 0) {
            GTEST_SKIP() << "only root can give a directory away";
        }
        SocketDirectory::SetUp();
    }
    void TearDown() override
    {
        if (geteuid() == 0) {
            SocketDirectory::TearDown();
        }
    }
};

TEST_F(SocketDirectoryOfRoot, shouldBeGivenToTheUserOfTheInstance)
{
    EXPECT_EQ(made(), instance());
    EXPECT_EQ(status(system()), "0:0 0755");
    EXPECT_EQ(status(instance()), "1234:1235 0755");
    ASSERT_EQ(0, chmod(instance().c_str(), 0700));
    EXPECT_EQ(made(), instance());
    EXPECT_EQ(status(instance()), "1234:1235 0700") << "what is the user's stays as it is";
    ASSERT_EQ(0, chmod(instance().c_str(), 0777));
    EXPECT_EQ(made(), "EPERM: others may write to it (mode 0777)");
}

TEST_F(SocketDirectoryOfRoot, shouldBeTakenOverWithWhatAnInstanceOfAnotherUserHasLeft)
{
    make(instance(), 0777);
    ASSERT_EQ(0, chown(instance().c_str(), 77, 77));
    std::ofstream(instance() + "/sendfiled.web.lock") << "1\n";
    bindRequestSocket(instance(), "web");
    std::ofstream(instance() + "/mine") << "kept";

    EXPECT_EQ(made(), instance());
    EXPECT_EQ(status(instance()), "1234:1235 0755");
    EXPECT_EQ(status(instance() + "/sendfiled.web.lock"), "missing");
    EXPECT_EQ(status(instance() + "/sendfiled.web.socket"), "missing");
    EXPECT_NE(status(instance() + "/mine"), "missing");
}

TEST_F(SocketDirectoryOfRoot, shouldNotBeTakenFromAnInstanceThatRuns)
{
    make(instance(), 0755);
    struct sfd_endpoint running;
    ASSERT_EQ(0, sfd_endpoint_open(&running, instance().c_str(), "web"));
    EXPECT_EQ(made(), "EADDRINUSE: an instance of that name runs as another user");
    EXPECT_EQ(status(instance()), "0:0 0755");
    sfd_endpoint_close(&running);
    EXPECT_EQ(made(), instance());
}

TEST_F(SocketDirectoryOfRoot, shouldNotWaitForAFifoInPlaceOfALock)
{
    make(instance(), 0755);
    ASSERT_EQ(0, chown(instance().c_str(), 77, 77));
    ASSERT_EQ(0, mkfifo((instance() + "/sendfiled.web.lock").c_str(), 0600));
    EXPECT_EQ(made(), instance());
    EXPECT_EQ(status(instance() + "/sendfiled.web.lock"), "missing");
}

TEST_F(SocketDirectoryOfRoot, shouldBeFoundByItsUserAfterwards)
{
    ASSERT_EQ(made(), instance());
    rule_.uid = 1234;
    const std::string expected = instance();
    // In a process of that user: what may be written to is asked of the kernel.
    ASSERT_EQ(0, chmod(base_->path().c_str(), 0755));
    const pid_t child = fork();
    if (child == 0) {
        _exit(setgid(1235) == 0 && setuid(1234) == 0 && chosen() == expected ? 0 : 1);
    }
    int ended = -1;
    ASSERT_EQ(child, waitpid(child, &ended, 0));
    EXPECT_EQ(0, ended);
}

} // namespace
