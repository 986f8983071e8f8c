// What sys.c does besides calling the kernel: the signal that wakes a thread, and threads that stand back.
#include "core.h"

#include <sched.h>
#include <thread>

namespace
{

TEST(WakeSignalTest, ShouldFindOneSignalAndKeepToIt)
{
    const int signal = sfd_sys_wake_signal();
    ASSERT_GT(signal, 0);
    EXPECT_EQ(signal, sfd_sys_wake_signal());
    struct sigaction action = {};
    ASSERT_EQ(0, sigaction(signal, nullptr, &action));
    EXPECT_EQ(0, action.sa_flags & SA_RESTART) << "it has to interrupt";
    sfd_sys_signal_thread(sfd_sys_thread_id(), signal); // and does nothing else
}

TEST(StandBackTest, ShouldLetOthersRunFirstOnTheCallingThreadOnly)
{
    int policy = -1;
    std::thread thread([&] {
        sfd_sys_stand_back();
        policy = sched_getscheduler(0);
    });
    thread.join();
    EXPECT_EQ(SCHED_BATCH, policy);
    EXPECT_EQ(SCHED_OTHER, sched_getscheduler(0));
}

} // namespace
