// Files that cannot be opened for a moment: a lease is being given up, or directories of the path are renamed.
#include "transfer_fixture.h"

#include <csignal>
#include <sys/wait.h>

namespace
{

/* A process with a write lease on a file. */
class LeaseHolder
{
  public:
    LeaseHolder(const std::string &path, bool givesUp)
    {
        Pipe ready;
        sigset_t io;
        sigemptyset(&io);
        sigaddset(&io, SIGIO);
        pid_ = fork();
        if (pid_ == 0) {
            sigprocmask(SIG_BLOCK, &io, nullptr);
            const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
            const int result = fcntl(fd, F_SETLEASE, F_WRLCK);
            if (write(ready.out.get(), result == 0 ? "y" : "n", 1) != 1) {
                _exit(1);
            }
            int signal = 0;
            sigwait(&io, &signal);
            if (!givesUp) {
                pause();
            }
            const struct timespec pause = {0, 50 * 1000 * 1000}; // what an honest holder needs to write its data back
            nanosleep(&pause, nullptr);
            fcntl(fd, F_SETLEASE, F_UNLCK);
            _exit(0);
        }
        char answer = 'n';
        holds_ = read(ready.in.get(), &answer, 1) == 1 && answer == 'y';
    }
    ~LeaseHolder()
    {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
    bool holds() const
    {
        return holds_;
    }

  private:
    pid_t pid_;
    bool holds_ = false;
};

class TransferBusyTest : public TransferFixture
{
  protected:
    void SetUp() override
    {
        TransferFixture::SetUp();
        learnDevice();
    }

    /* The loop, in real time. */
    void finishInTime()
    {
        const uint64_t begun = sfd_sys_now_ms();
        bool waits = false;
        while (next_ != SFD_NEXT_END) {
            context_->now_ms = START_MS + (sfd_sys_now_ms() - begun);
            ASSERT_LT(context_->now_ms, START_MS + 10000) << "it does not end";
            waits = waits || next_ == SFD_NEXT_RETRY;
            if (waits) {
                if (sfd_timers_expire(&context_->timers, context_->now_ms) == nullptr) {
                    continue;
                }
                next_ = sfd_transfer_timeout(context_.get(), t_.get());
                waits = next_ == SFD_NEXT_WAIT;
                retries_++;
            } else if (next_ == SFD_NEXT_POOL) {
                workAndRun();
            } else {
                run();
            }
        }
        collect();
    }

    int retries_ = 0;
};

TEST_F(TransferBusyTest, ShouldWaitForALeaseThatIsGivenUp) // R13
{
    file(1000);
    {
        const LeaseHolder holder(*directory_ / "file", true);
        if (!holder.holds()) {
            GTEST_SKIP() << "no leases on this file system";
        }
        begin(SFD_WIRE_READ_FILE);
        finishInTime();
    }
    EXPECT_TRUE(content_ == readBytes());
    EXPECT_GT(retries_, 0);
}

TEST_F(TransferBusyTest, ShouldRefuseAfterASecondWhatALeaseKeepsClosed) // R13, R14
{
    file(1000);
    const LeaseHolder holder(*directory_ / "file", false);
    if (!holder.holds()) {
        GTEST_SKIP() << "no leases on this file system";
    }
    begin(SFD_WIRE_READ_FILE);
    finishInTime();
    EXPECT_EQ(Messages{"error " + std::to_string(SFD_WIRE_FILE_INFO) + " " + std::to_string(EAGAIN)}, told());
    EXPECT_GE(context_->now_ms - START_MS, 1000u);
}

TEST_F(TransferBusyTest, ShouldNotWaitForAWriteLock) // R13: advisory locks are an error, not a wait
{
    file(1000);
    script.lock_error = -EAGAIN;
    begin(SFD_WIRE_READ_FILE);
    finishInTime();
    EXPECT_EQ(Messages{"error " + std::to_string(SFD_WIRE_FILE_INFO) + " " + std::to_string(EAGAIN)}, told());
    EXPECT_EQ(0, retries_);
}

/*
 * A thread that renames directories makes openat2(2) answer EAGAIN up to 300 times in a row, for a path with "..": but
 * only while both run, which no test can rely on. So the answers are scripted.
 */
TEST_F(TransferBusyTest, ShouldOpenWhileDirectoriesOfThePathAreRenamed) // R13
{
    file(1000);
    ASSERT_EQ(0, mkdir((*directory_ / "sub").c_str(), 0700));
    script.opens.assign(12, -EAGAIN);
    begin(SFD_WIRE_READ_FILE, -1, 0, SFD_WIRE_TO_END, "sub/../file");
    finishInTime();
    EXPECT_TRUE(content_ == readBytes());
    EXPECT_GT(retries_, 0);
}

} // namespace
