// What sys.c does besides calling the kernel: the signal that wakes a thread, and threads that stand back.
#include "core.h"

#include <atomic>
#include <sched.h>
#include <thread>

#include "await.h"

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

TEST(ThreadStateTest, ShouldTellAThreadThatWaitsFromOneThatRuns)
{
    Pipe pipe;
    std::atomic<int> tid{0};
    std::thread thread([&] {
        tid = sfd_sys_thread_id();
        while (tid != 0) { // it runs, or wants to
        }
        char byte;
        EXPECT_EQ(1, read(pipe.in.get(), &byte, 1));
    });
    ASSERT_TRUE(await([&] { return tid != 0; }));
    const int id = tid;
    for (int i = 0; i < 100; i++) {
        EXPECT_FALSE(sfd_sys_thread_waits(id));
    }
    tid = 0;
    EXPECT_TRUE(await([&] { return sfd_sys_thread_waits(id); }));
    ASSERT_EQ(1, write(pipe.out.get(), "x", 1));
    thread.join();
    EXPECT_TRUE(sfd_sys_thread_waits(id)) << "nobody can tell any more";
}

} // namespace
