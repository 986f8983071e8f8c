// Clients whose process ends: their transfers end, although nobody hangs up. R19
#include "loop_fixture.h"

#include <csignal>
#include <fcntl.h>
#include <sys/wait.h>

namespace
{

constexpr uint64_t START_MS = 1000000;
constexpr int32_t ONE = 1001;
constexpr int32_t OTHER = 1002;

// A process that does nothing until it is ended.
class Process
{
  public:
    Process() : pid_(fork())
    {
        while (pid_ == 0) {
            pause();
        }
    }
    ~Process()
    {
        end();
    }
    Process(const Process &) = delete;
    Process &operator=(const Process &) = delete;
    void end()
    {
        if (pid_ > 0) {
            kill(pid_, SIGKILL);
            waitpid(pid_, nullptr, 0);
        }
        pid_ = 0;
    }
    int pid() const
    {
        return pid_;
    }

  private:
    int pid_;
};

class ExitsTest : public LoopFixture
{
  protected:
    void SetUp() override
    {
        LoopFixture::SetUp();
        script.now_ms = START_MS;
        script.process = process_.pid();
        warmUp();
        file(BIG);
        script.pidfds = 0;
    }
    /* A Send File that goes on for days. */
    OwnedFd slowSend()
    {
        struct sfd_options options = {};
        options.rate = 1;
        OwnedFd status = sendExtended(dest_.out.get(), options);
        until([&] { return readable(status.get()); });
        drain(status.get());
        return status;
    }
    /* Until the loop has looked twice. */
    void passTime()
    {
        for (int i = 0; i < 3; i++) {
            script.now_ms += SFD_LOOP_EXITS_MS;
            settle();
        }
    }

    struct sfd_limits &limits()
    {
        return shared_->accounts.limits;
    }

    Process process_; // every client
    Pipe dest_;
    uint64_t id_ = 0;
};

TEST_F(ExitsTest, ShouldEndTheTransfersOfAProcessThatIsGoneAlthoughNobodyHangsUp) // R19
{
    uint64_t id = 0;
    const OwnedFd slow = slowSend();
    const OwnedFd parked = opened(&id);
    passTime();
    EXPECT_EQ(2u, transfers()) << "it is there";
    process_.end();
    until([&] { return transfers() == 0; });
    drain(slow.get());
    EXPECT_TRUE(atEnd(slow.get()));
    EXPECT_TRUE(atEnd(parked.get()));
    settle();
    EXPECT_EQ(0u, count(SFD_COUNTER_DESCRIPTORS));
}

TEST_F(ExitsTest, ShouldEndThemAlsoIfTheProcessWasGoneBeforeItWasLookedFor) // R19
{
    const OwnedFd slow = slowSend();
    process_.end();
    script.process = -ESRCH;
    passTime();
    EXPECT_EQ(0u, transfers());
}

TEST_F(ExitsTest, ShouldLeaveTheTransfersOfOtherProcessesAlone)
{
    const Process other;
    pid_ = ONE;
    const OwnedFd first = slowSend();
    passTime();
    pid_ = OTHER;
    script.process = other.pid();
    const OwnedFd second = slowSend();
    passTime();
    EXPECT_EQ(2, script.pidfds) << "one for each";
    process_.end();
    until([&] { return transfers() == 1; });
    settle();
    EXPECT_EQ(1u, transfers());
    EXPECT_FALSE(atEnd(second.get()));
}

TEST_F(ExitsTest, ShouldAskForNoPidfdForRequestsThatAreOverSoon)
{
    file(100);
    for (int i = 0; i < 10; i++) {
        const OwnedFd in = read();
        until([&] { return transfers() == 0; });
        script.now_ms += SFD_LOOP_EXITS_MS / 2;
    }
    EXPECT_EQ(0, script.pidfds);
}

TEST_F(ExitsTest, ShouldTryAgainWhenNoDescriptorIsFreeOrEpollHasNoRoom) // R13
{
    script.process = -EMFILE;
    const OwnedFd slow = slowSend();
    passTime();
    EXPECT_GT(script.pidfds, 1);
    EXPECT_EQ(1u, transfers());
    script.process = process_.pid();
    script.epoll_add_error = -ENOSPC;
    passTime();
    script.epoll_add_error = 0;
    passTime();
    process_.end();
    until([&] { return transfers() == 0; });
}

TEST_F(ExitsTest, ShouldSleepOnceEveryClientIsWatched)
{
    const OwnedFd slow = opened(&id_);
    passTime();
    EXPECT_EQ(0u, loop()->look_for_exits.position);
    EXPECT_EQ(1, script.pidfds);
}

TEST_F(ExitsTest, ShouldNotTakeAProcessWithAnOldNumberForTheOneThatIsGone)
{
    hold_ = true;
    script.cold_opens = true;
    const OwnedFd stuck = open(); // a disk has it, and does not answer
    until([&] { return held_.size() == 1; });
    passTime();
    process_.end();
    until([&] { return atEnd(stuck.get()); });
    EXPECT_EQ(1u, transfers()) << "until the disk answers";
    const Process successor;
    script.process = successor.pid();
    script.cold_opens = false;
    const OwnedFd slow = slowSend();
    passTime();
    EXPECT_EQ(2u, transfers());
    EXPECT_FALSE(atEnd(slow.get()));
    hold_ = false;
    releaseHeld();
    until([&] { return transfers() == 1; });
}

TEST_F(ExitsTest, ShouldLetATransferThatADiskHasEndForItsClient)
{
    hold_ = true;
    script.cold_opens = true;
    const OwnedFd stuck = read();
    until([&] { return held_.size() == 1; });
    passTime();
    process_.end();
    until([&] { return atEnd(stuck.get()); });
    hold_ = false;
    releaseHeld();
    until([&] { return transfers() == 0; });
}

/* ------------------------------------------------------------------ senders without a pid */

// The receipt of this loop gives every sender pid 0, and a pidfd if there is one.
class NamelessTest : public ExitsTest
{
  protected:
    void receiveAs(uint64_t process, int pidfd = -1)
    {
        process_number_ = process;
        pidfd_ = pidfd;
    }
    /* One request, decided by the test. */
    void serve()
    {
        struct sfd_turn *turn = buffer();
        until([&] {
            sfd_loop_wake(loop());
            EXPECT_EQ(0, sfd_carrier_poll(carriers_[0]));
            return turn->requests > 0;
        });
        for (int i = 0; i < turn->requests; i++) {
            turn->slot[i].pid = 0;
            turn->slot[i].process = process_number_;
            turn->slot[i].pidfd = pidfd_;
            pidfd_ = -1;
            dispatcher_decide(&turn->slot[i], getuid());
        }
        takeOffloads(0);
        settle();
    }

    uint64_t process_number_ = 0;
    int pidfd_ = -1;
};

TEST_F(NamelessTest, ShouldRefuseToOpenAFileForASenderThatIsUnknown) // R19
{
    receiveAs(0);
    const OwnedFd status = open();
    serve();
    EXPECT_EQ(Messages{error(0x81, ESRCH)}, messages(drain(status.get())));
    EXPECT_EQ(0u, transfers());
}

TEST_F(NamelessTest, ShouldLetNobodyOwnATransferByBeingUnknown) // R19
{
    receiveAs(0);
    const OwnedFd status = send(dest_.out.get());
    serve();
    ASSERT_EQ(1u, transfers()) << "a pipe takes less than the file";
    ASSERT_EQ(1u, loop()->transfers.count);
    uint32_t position = 0;
    const uint64_t id = sfd_transfer_table_next(&loop()->transfers, &position)->id;
    cancel(id);
    serve();
    EXPECT_EQ(1u, transfers());
}

TEST_F(NamelessTest, ShouldKnowAProcessByTheInodeOfItsPidfdAndCountItAlone) // R19, R10
{
    const uint64_t one = SFD_PROCESS_INODE | 5;
    const uint64_t other = SFD_PROCESS_INODE | 6;
    receiveAs(one);
    const OwnedFd status = open();
    serve();
    const uint64_t id = infoOf(drain(status.get())).id;
    receiveAs(other);
    cancel(id);
    serve();
    Pipe stolen;
    sendOpen(id, stolen.out.get());
    stolen.out.reset();
    serve();
    EXPECT_EQ(1u, transfers());
    EXPECT_TRUE(atEnd(stolen.in.get()));
    limits().transfers = 1;
    const OwnedFd second = read();
    serve();
    EXPECT_NE(Messages{error(0x81, EDQUOT)}, messages(drain(second.get(), SFD_WIRE_MAX_RESPONSE_SIZE)));
    receiveAs(one);
    cancel(id);
    serve();
    EXPECT_TRUE(atEnd(status.get()));
}

TEST_F(NamelessTest, ShouldWaitForTheEndOfAProcessByThePidfdThatCameWithItsRequest) // R19
{
    receiveAs(SFD_PROCESS_INODE | 5, sfd_sys_linux.pidfd_open(process_.pid()));
    const OwnedFd status = open();
    serve();
    EXPECT_EQ(1u, transfers());
    passTime();
    EXPECT_EQ(0, script.pidfds) << "none was opened";
    process_.end();
    until([&] { return transfers() == 0; });
}

} // namespace
