// The memory of what has held a thread: when a device is left alone, for how long, and who tries it again.
#include "core.h"

extern "C" {
#include "hot/hot_device.h"
}

namespace
{

constexpr uint64_t MS = 1000000;

uint64_t now_ns;
int64_t switches;
int asked;

class HotDeviceTest : public testing::Test
{
  protected:
    void SetUp() override
    {
        now_ns = 1000000 * MS;
        switches = 0;
        asked = 0;
        sys_.now_ns = [] { return now_ns; };
        sys_.voluntary_switches = [] {
            asked++;
            return switches;
        };
        sfd_hot_device_init(&device_, &sys_);
    }
    bool enter(struct sfd_hot_call *call)
    {
        return sfd_hot_device_enter(&device_, &sys_, call);
    }
    void leave(const struct sfd_hot_call &call)
    {
        sfd_hot_device_leave(&device_, &sys_, &call);
    }
    /* A call of so long, during which the thread waited that often. False: there was none. */
    bool call(uint64_t ms, int waits)
    {
        struct sfd_hot_call one;
        if (!enter(&one)) {
            return false;
        }
        now_ns += ms * MS;
        switches += waits;
        leave(one);
        return true;
    }
    /* For how many ms it is closed now. */
    uint64_t closedFor()
    {
        struct sfd_hot_call one;
        uint64_t ms = 0;
        while (!enter(&one)) {
            ms += 10;
            now_ns += 10 * MS;
        }
        leave(one);
        return ms;
    }

    struct sfd_sys sys_ = copyOfSys();
    struct sfd_hot_device device_ = {};
};

TEST_F(HotDeviceTest, ShouldLeaveAQuickDeviceAlone)
{
    now_ns += 60000 * MS;
    for (int i = 0; i < 1000; i++) {
        EXPECT_TRUE(call(3, 1));
    }
    EXPECT_EQ(0, asked) << "a system call more";
}

TEST_F(HotDeviceTest, ShouldCloseADeviceThatHasHeldAThreadForASecond)
{
    EXPECT_TRUE(call(300, 1));
    EXPECT_FALSE(call(0, 0));
    EXPECT_EQ(1000u, closedFor());
    EXPECT_TRUE(call(0, 0));
}

TEST_F(HotDeviceTest, ShouldCloseItTwiceAsLongEachTimeUpToAMinute)
{
    for (const uint64_t ms : {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000}) {
        EXPECT_TRUE(call(300, 1));
        EXPECT_EQ(ms, closedFor());
    }
    now_ns += 200000 * MS;
    EXPECT_TRUE(call(300, 1));
    EXPECT_TRUE(call(300, 1));
    EXPECT_EQ(1000u, closedFor()) << "after good conduct";
}

TEST_F(HotDeviceTest, ShouldLetOneThreadAloneTryItAgain)
{
    struct sfd_hot_call trial;

    EXPECT_TRUE(call(300, 1));
    now_ns += 1000 * MS;
    ASSERT_TRUE(enter(&trial));
    EXPECT_FALSE(call(0, 0)) << "the trial may be held for long";
    now_ns += 300 * MS;
    switches++;
    leave(trial);
    EXPECT_FALSE(call(0, 0));
    EXPECT_EQ(2000u, closedFor());
    EXPECT_TRUE(call(0, 0)) << "the next trial has shown that it is well";
}

TEST_F(HotDeviceTest, ShouldSendAnotherThreadAfterATrialThatDoesNotComeBack)
{
    struct sfd_hot_call lost;

    EXPECT_TRUE(call(300, 1));
    now_ns += 1000 * MS;
    ASSERT_TRUE(enter(&lost));
    EXPECT_EQ(2000u, closedFor());
}

TEST_F(HotDeviceTest, ShouldNotTakeALostProcessorForAHeldThread)
{
    for (int i = 0; i < 100; i++) {
        EXPECT_TRUE(call(1000, 0));
    }
    EXPECT_LT(100, asked);
}

TEST_F(HotDeviceTest, ShouldNotLookCloselyForLongAtADeviceThatWasNotToBlame)
{
    now_ns += 60000 * MS;
    EXPECT_TRUE(call(10, 0)) << "it was not counted";
    for (int i = 0; i < 50; i++) {
        EXPECT_TRUE(call(21, 0));
    }
    EXPECT_LT(50, asked);
    const int before = asked;
    now_ns += 1000 * MS;
    EXPECT_TRUE(call(3, 0));
    EXPECT_EQ(before, asked) << "two seconds are over";
}

TEST_F(HotDeviceTest, ShouldLookCloselyAfterASlowCall)
{
    now_ns += 60000 * MS;
    EXPECT_TRUE(call(10, 1)) << "it was not counted";
    EXPECT_TRUE(call(3, 1)) << "not so long";
    EXPECT_TRUE(call(10, 1));
    EXPECT_EQ(1000u, closedFor());
}

TEST_F(HotDeviceTest, ShouldTakeThreadsHeldAtTheSameTimeForOneIncident)
{
    struct sfd_hot_call calls[4];

    for (struct sfd_hot_call &one : calls) {
        ASSERT_TRUE(enter(&one));
    }
    now_ns += 300 * MS;
    switches++;
    for (const struct sfd_hot_call &one : calls) {
        leave(one);
    }
    EXPECT_EQ(1000u, closedFor());
}

} // namespace
