// The lanes of an instance: who can connect to each, and what becomes of their names. R26
#include "core.h"

#include <memory>
#include <sys/un.h>
#include <sys/wait.h>

extern "C" {
#include "process/lanes.h"
#include "sys/sys.h"
#include "sys/sys_setup.h"
}

namespace
{

constexpr uint32_t ALICE = 4321;
constexpr uint32_t BOB = 4322;

class LanesTest : public CoreTest
{
  protected:
    void SetUp() override
    {
        CoreTest::SetUp();
        directory_ = std::make_unique<TemporaryDirectory>();
        ASSERT_EQ(0, chmod(directory_->path().c_str(), 0755));
        path_ = *directory_ / "sendfiled.a.socket";
        sfd_lanes_init(&lanes_, &sfd_sys_setup_linux);
    }
    void TearDown() override
    {
        sfd_lanes_close(&lanes_);
        directory_.reset();
        CoreTest::TearDown();
    }
    int open(const std::vector<uint32_t> &uids)
    {
        const struct sfd_lane_users users = {uids.data(), static_cast<uint32_t>(uids.size())};
        return sfd_lanes_open(&lanes_, path_.c_str(), &users);
    }
    std::string lane(uint32_t uid) const
    {
        return *directory_ / ("sendfiled.a." + std::to_string(uid) + ".lane");
    }
    /* What connect(2) gives to a process of that user, which has to be another one. */
    static int connectAs(uint32_t uid, const std::string &path)
    {
        const pid_t child = fork();
        if (child == 0) {
            if (setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0) {
                _exit(255);
            }
            _exit(-sfd_sys_unix_connect(sfd_sys_unix_datagram(), path.c_str()));
        }
        int status = 0;
        EXPECT_EQ(child, waitpid(child, &status, 0));
        return WEXITSTATUS(status);
    }

    std::unique_ptr<TemporaryDirectory> directory_;
    std::string path_;
    struct sfd_lanes lanes_;
};

TEST_F(LanesTest, ShouldLetInTheUserWhoseLaneItIsAndNobodyElse)
{
    if (geteuid() != 0) {
        GTEST_SKIP() << "only root can be other users";
    }
    ASSERT_EQ(0, open({0, ALICE, BOB}));
    EXPECT_EQ(0, connectAs(ALICE, lane(ALICE)));
    EXPECT_EQ(EACCES, connectAs(ALICE, lane(BOB)));
    EXPECT_EQ(EACCES, connectAs(ALICE, lane(0)));
    EXPECT_EQ(0, connectAs(BOB, lane(BOB)));
}

TEST_F(LanesTest, ShouldLeaveNoNameBehind)
{
    ASSERT_EQ(0, open({geteuid(), ALICE}));
    EXPECT_TRUE(std::filesystem::exists(lane(geteuid())));
    EXPECT_TRUE(std::filesystem::exists(lane(ALICE)));
    sfd_lanes_hide(&lanes_);
    EXPECT_TRUE(std::filesystem::is_empty(directory_->path()));
    sfd_lanes_hide(&lanes_);
}

TEST_F(LanesTest, ShouldLeaveANameAloneThatIsSomebodyElsesByNow)
{
    ASSERT_EQ(0, open({geteuid()}));
    ASSERT_EQ(0, unlink(lane(geteuid()).c_str()));
    writeFile(lane(geteuid()), "x");
    sfd_lanes_close(&lanes_);
    EXPECT_EQ("x", contentOf(lane(geteuid())));
}

TEST_F(LanesTest, ShouldTakeThePlaceOfAKilledInstancesAndOfNothingElse)
{
    const OwnedFd stale(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    struct sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    strncpy(address.sun_path, lane(geteuid()).c_str(), sizeof address.sun_path - 1);
    ASSERT_EQ(0, bind(stale.get(), reinterpret_cast<struct sockaddr *>(&address), sizeof address));
    writeFile(lane(ALICE), "x");
    EXPECT_EQ(-EEXIST, open({geteuid(), ALICE, BOB}));
    EXPECT_EQ(2u, lanes_.count) << "the others have theirs";
    EXPECT_EQ("x", contentOf(lane(ALICE)));
}

TEST_F(LanesTest, ShouldRemoveAllLanesOfAKilledInstanceOfItsNameAndNoOthers)
{
    const auto leave = [this](const std::string &name) {
        const OwnedFd stale(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        struct sockaddr_un address = {};
        address.sun_family = AF_UNIX;
        strncpy(address.sun_path, std::string(*directory_ / name).c_str(), sizeof address.sun_path - 1);
        EXPECT_EQ(0, bind(stale.get(), reinterpret_cast<struct sockaddr *>(&address), sizeof address));
    };
    leave("sendfiled.a.77.lane");
    leave("sendfiled.a.b.77.lane");
    leave("sendfiled.a..lane");
    leave("sendfiled.a.7x.lane");
    leave("sendfiled.a.77.lane.old");
    writeFile(*directory_ / "sendfiled.a.78.lane", "x");
    ASSERT_EQ(0, open({geteuid()}));
    EXPECT_FALSE(std::filesystem::exists(*directory_ / "sendfiled.a.77.lane"));
    for (const char *other : {"b.77.lane", ".lane", "7x.lane", "77.lane.old", "78.lane"}) {
        EXPECT_TRUE(std::filesystem::exists(*directory_ / ("sendfiled.a." + std::string(other)))) << other;
    }
}

TEST_F(LanesTest, ShouldHaveNoLaneThatOthersCouldReachWhereThereAreNoAccessControlLists)
{
    struct sfd_sys_setup sys = sfd_sys_setup_linux;
    sys.lsetxattr = [](const char *, const char *, const void *, size_t) { return -EOPNOTSUPP; };
    lanes_.sys = &sys;
    EXPECT_EQ(-EOPNOTSUPP, open({ALICE, geteuid()}));
    EXPECT_EQ(1u, lanes_.count) << "its own user needs no list";
    EXPECT_FALSE(std::filesystem::exists(lane(ALICE)));
    sfd_lanes_close(&lanes_);
    lanes_.sys = &sfd_sys_setup_linux;
}

TEST_F(LanesTest, ShouldHaveAsManyAsItMayAndSayThatThereAreMore)
{
    std::vector<uint32_t> uids;
    for (uint32_t uid = 1; uid <= SFD_LANES_MAX; uid++) {
        uids.push_back(10000 + uid);
    }
    ASSERT_EQ(0, open(uids));
    EXPECT_EQ(static_cast<uint32_t>(SFD_LANES_MAX), lanes_.count);
    sfd_lanes_close(&lanes_);
    uids.push_back(ALICE);
    EXPECT_EQ(-E2BIG, open(uids));
    EXPECT_EQ(static_cast<uint32_t>(SFD_LANES_MAX), lanes_.count);
}

} // namespace
