// What sys.c does besides calling the kernel: the signal that wakes a thread, and threads that stand back.
#include "core.h"

#include <atomic>
#include <csignal>
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
    sfd_sys_wake_signal_release();
    sfd_sys_wake_signal_release();
}

void (*handlerOf(int signal))(int)
{
    struct sigaction action = {};
    EXPECT_EQ(0, sigaction(signal, nullptr, &action));
    return action.sa_handler;
}

TEST(WakeSignalTest, ShouldLeaveNoHandlerBehindWithItsLastUser) // R24
{
    const int signal = sfd_sys_wake_signal();
    ASSERT_GT(signal, 0);
    const auto handler = handlerOf(signal);
    ASSERT_EQ(signal, sfd_sys_wake_signal());

    sfd_sys_wake_signal_release();
    EXPECT_EQ(handler, handlerOf(signal)) << "one user is left";
    sfd_sys_wake_signal_release();
    EXPECT_EQ(SIG_IGN, handlerOf(signal));
    sfd_sys_signal_thread(sfd_sys_thread_id(), signal); // a late one ends nobody

    EXPECT_EQ(signal, sfd_sys_wake_signal()) << "it is found again";
    sfd_sys_wake_signal_forget();
    EXPECT_EQ(SIG_IGN, handlerOf(signal));
}

TEST(WakeSignalTest, ShouldReachAThreadWhoseParentBlocksAllSignals) // R24
{
    const int signal = sfd_sys_wake_signal();
    ASSERT_GT(signal, 0);
    sigset_t all;
    sigset_t previous;
    sigfillset(&all);
    ASSERT_EQ(0, pthread_sigmask(SIG_BLOCK, &all, &previous));
    sfd_sys_unblock_signal(signal);
    sigset_t now;
    ASSERT_EQ(0, pthread_sigmask(SIG_SETMASK, &previous, &now));
    EXPECT_EQ(0, sigismember(&now, signal));
    EXPECT_EQ(1, sigismember(&now, signal + 1)) << "and no other";
    sfd_sys_wake_signal_release();
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
