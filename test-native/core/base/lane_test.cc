// Lanes: their names, and the rule by which clients take one. R26
#include "core.h"

#include <memory>
#include <sys/un.h>

extern "C" {
#include "base/lane.h"
#include "sys/sys.h"
}

namespace
{

class LaneTest : public CoreTest
{
  protected:
    void SetUp() override
    {
        CoreTest::SetUp();
        directory_ = std::make_unique<TemporaryDirectory>();
        path_ = *directory_ / "sendfiled.a.socket";
        char lane[SFD_LANE_PATH_SIZE];
        ASSERT_EQ(0, sfd_lane_path(path_.c_str(), geteuid(), lane));
        lane_ = lane;
    }
    void TearDown() override
    {
        directory_.reset();
        CoreTest::TearDown();
    }
    static OwnedFd serve(const std::string &path)
    {
        OwnedFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        struct sockaddr_un address = {};
        address.sun_family = AF_UNIX;
        strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
        EXPECT_EQ(0, bind(fd.get(), reinterpret_cast<struct sockaddr *>(&address), sizeof address));
        return fd;
    }
    /* 0 or -errno; the request goes where it has connected to. */
    int connectAndSend()
    {
        OwnedFd client(sfd_sys_unix_datagram());
        const int result = sfd_lane_connect(client.get(), path_.c_str());
        if (result == 0) {
            EXPECT_EQ(1, send(client.get(), "x", 1, 0));
        }
        return result;
    }

    std::unique_ptr<TemporaryDirectory> directory_;
    std::string path_;
    std::string lane_;
};

TEST_F(LaneTest, ShouldNameALaneAfterItsSocketAndItsUser)
{
    char lane[SFD_LANE_PATH_SIZE];
    EXPECT_EQ(0, sfd_lane_path("/run/x/sendfiled.a.socket", 1000, lane));
    EXPECT_STREQ("/run/x/sendfiled.a.1000.lane", lane);
    EXPECT_EQ(0, sfd_lane_path("/run/sendfiled.\xff.socket", UINT32_MAX - 1, lane));
    EXPECT_STREQ("/run/sendfiled.\xff.4294967294.lane", lane);
    EXPECT_EQ(-EINVAL, sfd_lane_path("/run/other", 1000, lane));
    EXPECT_EQ(-EINVAL, sfd_lane_path(".socket", 1000, lane));
    EXPECT_EQ(-ENAMETOOLONG, sfd_lane_path(("/" + std::string(99, 'x') + ".socket").c_str(), 4294967294, lane));
    EXPECT_EQ(-ENAMETOOLONG, sfd_lane_path(("/" + std::string(200, 'x') + ".socket").c_str(), 1, lane));
}

TEST_F(LaneTest, ShouldTakeTheLaneOfItsUser)
{
    const OwnedFd common = serve(path_);
    const OwnedFd lane = serve(lane_);
    EXPECT_EQ(0, connectAndSend());
    EXPECT_TRUE(readable(lane.get()));
    EXPECT_FALSE(readable(common.get()));
}

TEST_F(LaneTest, ShouldTakeTheRequestSocketWithoutALaneAndWhereOneIsLeftOfADaemonThatWasKilled)
{
    const OwnedFd common = serve(path_);
    EXPECT_EQ(0, connectAndSend());
    EXPECT_EQ("x", drain(common.get(), 1));
    serve(lane_).reset();
    EXPECT_EQ(0, connectAndSend());
    EXPECT_EQ("x", drain(common.get(), 1));
}

TEST_F(LaneTest, ShouldTakeNoLaneWithoutARequestSocketAndSayWhatItsErrorIs)
{
    const OwnedFd lane = serve(lane_);
    EXPECT_EQ(-ENOENT, connectAndSend());
    EXPECT_FALSE(readable(lane.get()));
}

TEST_F(LaneTest, ShouldTakeALaneOfTheDirectorysOwnerBesideASocketThatRootHasMade)
{
    if (geteuid() != 0) {
        GTEST_SKIP() << "only root can make a socket that is another user's";
    }
    const OwnedFd common = serve(path_);
    const OwnedFd lane = serve(lane_);
    ASSERT_EQ(0, chown(lane_.c_str(), 4321, 4321));
    ASSERT_EQ(0, chown(directory_->path().c_str(), 4321, 4321));
    EXPECT_EQ(0, connectAndSend());
    EXPECT_TRUE(readable(lane.get()));
}

TEST_F(LaneTest, ShouldNotBeMisledByALaneThatSomebodyElseHasPlanted)
{
    if (geteuid() != 0) {
        GTEST_SKIP() << "only root can make a socket that is another user's";
    }
    const OwnedFd common = serve(path_);
    const OwnedFd planted = serve(lane_);
    ASSERT_EQ(0, chown(lane_.c_str(), 4321, 4321));
    EXPECT_EQ(0, connectAndSend());
    EXPECT_FALSE(readable(planted.get()));
    EXPECT_TRUE(readable(common.get()));
    ASSERT_EQ(0, unlink(lane_.c_str()));
    const OwnedFd elsewhere = serve(*directory_ / "elsewhere");
    ASSERT_EQ(0, symlink((*directory_ / "elsewhere").c_str(), lane_.c_str()));
    EXPECT_EQ(0, connectAndSend());
    EXPECT_FALSE(readable(elsewhere.get()));
}

} // namespace
