// Where clients look for a daemon, and whose directories they believe: on a real tree, with real sockets.
#include "places_fixture.h"

#include <cerrno>
#include <cstring>
#include <vector>

namespace
{

class SocketPlaces : public PlacesTest
{
  protected:
    // Where a client finds "web", or the errno.
    std::string found()
    {
        const OwnedFd socket(sfd_sys_unix_datagram());
        struct sfd_place place = {};
        const int result = sfd_places_connect(&rule_, socket.get(), "web", &place);
        if (result == 0) {
            EXPECT_EQ(0, place.error);
            EXPECT_STREQ("", place.reason);
            EXPECT_EQ(1, send(socket.get(), "x", 1, 0)) << "it is connected";
            return place.path;
        }
        EXPECT_EQ(-result, place.error);
        return strerrorname_np(-result);
    }

    // "path: reason" of every place.
    std::vector<std::string> places(const char *name = "web")
    {
        struct sfd_place all[SFD_PLACES_MAX];
        const int count = sfd_places_find(&rule_, name, all, SFD_PLACES_MAX);
        std::vector<std::string> words;
        for (int i = 0; i < count; i++) {
            std::string path = all[i].path;
            if (path.rfind(base_->path(), 0) == 0) {
                path = path.substr(base_->path().size());
            }
            words.push_back(path + ": " + (all[i].error == 0 ? "found" : all[i].reason));
        }
        return words;
    }
};

using Words = std::vector<std::string>;

TEST_F(SocketPlaces, shouldLookInEachPlaceAndSayWhatIsThere)
{
    make(instance());
    make(own(), 0700);
    make(runtime(), 0700);
    const std::string runtime = this->runtime();
    rule_.runtime = runtime.c_str();
    bindRequestSocket(instance(), "web"); // and nobody serves it any more
    const OwnedFd server = bindRequestSocket(own(), "web");

    const std::string uid = std::to_string(rule_.uid);
    EXPECT_EQ(places(), (Words{"/runtime/sendfiled.web.socket: no such socket",
                               "/run/sendfiled/web/sendfiled.web.socket: no process serves it",
                               "/run/sendfiled/sendfiled.web.socket: no such socket",
                               "/tmp/sendfiled-" + uid + "/sendfiled.web.socket: found"}));
    EXPECT_EQ(found(), requestSocketPath(own(), "web")) << "a socket that nobody serves hides none";
}

TEST_F(SocketPlaces, shouldFindTheFirstThatListens)
{
    make(runtime(), 0700);
    make(instance());
    make(own(), 0700);
    const std::string runtime = this->runtime();
    rule_.runtime = runtime.c_str();
    std::vector<OwnedFd> servers;
    for (const std::string &directory : {own(), system(), instance(), runtime}) {
        servers.push_back(bindRequestSocket(directory, "web"));
        EXPECT_EQ(found(), requestSocketPath(directory, "web"));
    }
}

TEST_F(SocketPlaces, shouldLookNowhereElseWhenTheDirectoryIsGiven)
{
    make(instance());
    const OwnedFd server = bindRequestSocket(instance(), "web");
    const std::string given = *base_ / "given";
    rule_.given = given.c_str();
    EXPECT_EQ(found(), "ENOENT");
    EXPECT_EQ(places(), (Words{"/given/sendfiled.web.socket: no such socket"}));

    treeIsAStrangers();
    make(given, 0777); // whoever gives it answers for it
    const OwnedFd other = bindRequestSocket(given, "web");
    EXPECT_EQ(found(), requestSocketPath(given, "web"));
}

TEST_F(SocketPlaces, shouldTakeAnEmptyVariableForNone)
{
    rule_.given = "";
    rule_.runtime = "";
    EXPECT_EQ(places().size(), 3U);
}

TEST_F(SocketPlaces, shouldBelieveRootThatAnInstancesDirectoryIsItsUsers)
{
    treeIsRoots();
    make(instance());
    const OwnedFd server = bindRequestSocket(instance(), "web");
    EXPECT_EQ(found(), requestSocketPath(instance(), "web"));
}

TEST_F(SocketPlaces, shouldFindNoSocketThatAStrangerMayHavePlanted)
{
    make(runtime(), 0700);
    make(instance());
    treeIsAStrangers();
    make(own(), 0700);
    const std::string runtime = this->runtime();
    rule_.runtime = runtime.c_str();
    std::vector<OwnedFd> servers;
    for (const std::string &directory : {own(), system(), instance(), runtime}) {
        servers.push_back(bindRequestSocket(directory, "web"));
    }

    const std::string stranger = "belongs to another user (uid " + std::to_string(geteuid()) + ")";
    const std::string uid = std::to_string(rule_.uid);
    EXPECT_EQ(places(), (Words{"/runtime/sendfiled.web.socket: " + stranger,
                               "/run/sendfiled/web/sendfiled.web.socket: the directory above it: " + stranger,
                               "/run/sendfiled/sendfiled.web.socket: " + stranger,
                               "/tmp/sendfiled-" + uid + "/sendfiled.web.socket: " + stranger}));
    EXPECT_EQ(found(), "EPERM");
}

TEST_F(SocketPlaces, shouldNotBelieveADirectoryThatOthersMayWriteTo)
{
    make(runtime(), 0770);
    make(own(), 0750);
    make(instance(), 0775);
    ASSERT_EQ(0, chmod(system().c_str(), 01777));
    const std::string runtime = this->runtime();
    rule_.runtime = runtime.c_str();
    std::vector<OwnedFd> servers;
    for (const std::string &directory : {own(), system(), instance(), runtime}) {
        servers.push_back(bindRequestSocket(directory, "web"));
    }

    const std::string uid = std::to_string(rule_.uid);
    EXPECT_EQ(
        places(),
        (Words{"/runtime/sendfiled.web.socket: others may write to it (mode 0770)",
               "/run/sendfiled/web/sendfiled.web.socket: the directory above it: others may write to it (mode 1777)",
               "/run/sendfiled/sendfiled.web.socket: others may write to it (mode 1777)",
               "/tmp/sendfiled-" + uid + "/sendfiled.web.socket: is open to other users (mode 0750)"}));
    EXPECT_EQ(found(), "EPERM");

    ASSERT_EQ(0, chmod(system().c_str(), 0755));
    EXPECT_EQ(places()[1], "/run/sendfiled/web/sendfiled.web.socket: others may write to it (mode 0775)");
}

TEST_F(SocketPlaces, shouldFollowNoLinkThatMayBeAStrangers)
{
    const std::string target = *base_ / "target";
    make(target, 0700);
    make(system());
    const OwnedFd server = bindRequestSocket(target, "web");
    std::filesystem::create_symlink(target, instance());
    std::filesystem::create_symlink(target, own());
    EXPECT_EQ(found(), "ENOENT");
    EXPECT_EQ(places()[0], "/run/sendfiled/web/sendfiled.web.socket: is not a directory");

    std::filesystem::remove_all(system());
    std::filesystem::create_symlink(target, system());
    EXPECT_EQ(places()[1], "/run/sendfiled/sendfiled.web.socket: is not a directory");
}

TEST_F(SocketPlaces, shouldRefuseARelativeRuntimeDirectory)
{
    rule_.runtime = "runtime";
    EXPECT_EQ(places()[0], "runtime/sendfiled.web.socket: XDG_RUNTIME_DIR is not an absolute path");
}

TEST_F(SocketPlaces, shouldNotWaitForWhatIsNoSocket)
{
    make(instance());
    ASSERT_EQ(0, mkfifo(requestSocketPath(instance(), "web").c_str(), 0600));
    EXPECT_EQ(found(), "ECONNREFUSED");
    bindRequestSocket(system(), "stream", SOCK_STREAM);
    ASSERT_EQ(0, rename(requestSocketPath(system(), "stream").c_str(), requestSocketPath(system(), "web").c_str()));
    EXPECT_EQ(found(), "ECONNREFUSED");
}

TEST_F(SocketPlaces, shouldSayWhatTellsMostWhenNothingIsFound)
{
    EXPECT_EQ(found(), "ENOENT") << "rather than that a place is not this user's";
    make(system());
    const OwnedFd stream = bindRequestSocket(system(), "web", SOCK_STREAM);
    ASSERT_EQ(0, listen(stream.get(), 1));
    make(own(), 0700);
    bindRequestSocket(own(), "web");
    EXPECT_EQ(found(), "EPROTOTYPE") << "rather than that one has ended";
}

TEST_F(SocketPlaces, shouldSkipAPlaceWhosePathIsTooLong)
{
    const std::string longest(107 - std::strlen("/sendfiled..socket") - system().size(), 'n');
    make(system());
    const OwnedFd server = bindRequestSocket(system(), longest);
    EXPECT_EQ(places(longest.c_str())[0].substr(0, 16), "/run/sendfiled/n");
    EXPECT_NE(places(longest.c_str())[0].find(": too long for a socket, 107 bytes"), std::string::npos);
    EXPECT_NE(places(longest.c_str())[1].find(": found"), std::string::npos);

    const std::string runtime(5000, 'd');
    rule_.runtime = runtime.c_str();
    EXPECT_NE(places()[0].find(": too long for a socket, 107 bytes"), std::string::npos);
}

TEST_F(SocketPlaces, shouldTakeNoNameThatLeavesItsDirectory)
{
    make(instance());
    const OwnedFd server = bindRequestSocket(run_, "..");
    EXPECT_EQ(places("..")[0], "/run/sendfiled/../sendfiled....socket: no such directory");
    struct sfd_place place;
    EXPECT_EQ(-EINVAL, sfd_places_find(&rule_, "", &place, 1));
    EXPECT_EQ(-EINVAL, sfd_places_find(&rule_, "a/b", &place, 1));
    EXPECT_EQ(-EINVAL, sfd_places_connect(&rule_, -1, "../web", &place));
}

} // namespace
