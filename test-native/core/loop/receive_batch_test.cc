// Receipt: datagrams, credentials, descriptors; each descriptor has one owner, whatever a client sends.
#include "core.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <sys/resource.h>
#include <sys/wait.h>

namespace
{

/* Of Linux 6.5; the headers may be older. */
constexpr int SO_PASSPIDFD_ = 76;
constexpr int SCM_PIDFD_ = 4;

class ReceiveTest : public CoreTest
{
  protected:
    void SetUp() override
    {
        CoreTest::SetUp();
        pair_ = std::make_unique<SocketPair>(SOCK_DGRAM);
        const int on = 1;
        ASSERT_EQ(0, setsockopt(pair_->in.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
        receiver_ = std::make_unique<struct sfd_receive_batch>();
        slots_.resize(SFD_BATCH_MAX);
        for (struct sfd_slot &slot : slots_) {
            std::fill(std::begin(slot.fds), std::end(slot.fds), -1);
        }
        sfd_devices_init(&devices_);
        sfd_closer_init(&closer_, &sfd_sys_linux, &devices_);
    }
    void TearDown() override
    {
        for (struct sfd_slot &slot : slots_) {
            for (int &fd : slot.fds) {
                sfd_closer_take_unknown(&closer_, &fd, nullptr);
            }
        }
        sfd_closer_deinit(&closer_);
        sfd_devices_deinit(&devices_);
        pair_.reset();
        CoreTest::TearDown();
    }

    void send(const std::string &bytes, const std::vector<int> &fds = {})
    {
        std::vector<char> control(CMSG_SPACE(fds.size() * sizeof(int)));
        struct iovec iov = {const_cast<char *>(bytes.data()), bytes.size()};
        struct msghdr message = {};
        message.msg_iov = &iov;
        message.msg_iovlen = 1;
        if (!fds.empty()) {
            message.msg_control = control.data();
            message.msg_controllen = control.size();
            struct cmsghdr *header = CMSG_FIRSTHDR(&message);
            header->cmsg_level = SOL_SOCKET;
            header->cmsg_type = SCM_RIGHTS;
            header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
            std::memcpy(CMSG_DATA(header), fds.data(), fds.size() * sizeof(int));
        }
        ASSERT_EQ(static_cast<ssize_t>(bytes.size()), sendmsg(pair_->out.get(), &message, MSG_DONTWAIT));
    }
    int receive()
    {
        for (struct sfd_slot &slot : slots_) {
            for (int &fd : slot.fds) {
                sfd_closer_take_unknown(&closer_, &fd, nullptr);
            }
            std::memset(&slot, 0xaa, sizeof(slot)); // what an earlier turn left behind
            std::fill(std::begin(slot.fds), std::end(slot.fds), -1);
        }
        const int n = sfd_receive_batch_fill(receiver_.get(), &closer_, pair_->in.get(), slots_.data(), SFD_BATCH_MAX);
        closeSurplus();
        return n;
    }
    /* As the loop does in its next turn. */
    void closeSurplus()
    {
        struct sfd_client_account *account = nullptr;
        int fd = -1;
        while (sfd_closer_take_aside(&closer_, &fd, &account)) {
            sfd_closer_take_unknown(&closer_, &fd, account);
            sfd_client_account_put(account);
        }
    }

    std::unique_ptr<SocketPair> pair_;
    std::unique_ptr<struct sfd_receive_batch> receiver_;
    std::vector<struct sfd_slot> slots_;
    struct sfd_closer closer_;
    struct sfd_devices devices_;
};

TEST_F(ReceiveTest, ShouldReceiveNothingWithoutAWait)
{
    EXPECT_EQ(0, receive());
}

TEST_F(ReceiveTest, ShouldReceiveBytesAndTheSender)
{
    send("request");
    ASSERT_EQ(1, receive());
    const struct sfd_slot &slot = slots_[0];
    EXPECT_EQ(SFD_SLOT_SOUND, slot.fault);
    EXPECT_EQ("request", std::string(slot.bytes, static_cast<size_t>(slot.length)));
    EXPECT_EQ(getpid(), slot.pid);
    EXPECT_EQ(getuid(), slot.uid);
    EXPECT_EQ(getgid(), slot.gid);
    EXPECT_EQ(static_cast<uint64_t>(getpid()), slot.process);
    EXPECT_EQ(-1, slot.pidfd);
    EXPECT_EQ(0, slot.fd_count);
    EXPECT_EQ(-1, slot.fds[0]);
    EXPECT_EQ(-1, slot.fds[1]);
    EXPECT_EQ(-1, slot.fds[2]);
}

/* A kernel in which the sender is in a pid namespace that is not seen; `lost`: for its pidfd no descriptor was free. */
static struct {
    int lost;
} foreign;
static int receiveFromForeign(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    const int n = sfd_sys_linux.recvmmsg(fd, messages, count, flags);
    for (int i = 0; i < n; i++) {
        struct msghdr *header = &messages[i].msg_hdr;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != nullptr; c = CMSG_NXTHDR(header, c)) {
            if (c->cmsg_type == SCM_CREDENTIALS) {
                const pid_t none = 0;
                std::memcpy(CMSG_DATA(c) + offsetof(struct ucred, pid), &none, sizeof(none));
            } else if (c->cmsg_type == SCM_PIDFD_ && foreign.lost < 0) {
                int pidfd = -1;
                std::memcpy(&pidfd, CMSG_DATA(c), sizeof(pidfd));
                close(pidfd);
                std::memcpy(CMSG_DATA(c), &foreign.lost, sizeof(foreign.lost));
            }
        }
    }
    return n;
}

class ForeignTest : public ReceiveTest
{
  protected:
    void SetUp() override
    {
        ReceiveTest::SetUp();
        const int on = 1;
        if (setsockopt(pair_->in.get(), SOL_SOCKET, SO_PASSPIDFD_, &on, sizeof(on)) < 0) {
            GTEST_SKIP() << "SO_PASSPIDFD needs Linux 6.5";
        }
        foreign.lost = 0;
        sys_ = copyOfSys();
        sys_.recvmmsg = receiveFromForeign;
        closer_.sys = &sys_;
        struct sfd_kernel kernel;
        ASSERT_EQ(0, sfd_kernel_init(&kernel, &sfd_sys_linux));
        receiver_->pidfs = kernel.pidfs;
        sfd_kernel_deinit(&kernel);
    }
    void TearDown() override
    {
        closePidfds();
        ReceiveTest::TearDown();
    }
    void closePidfds()
    {
        for (struct sfd_slot &slot : slots_) {
            if (slot.pidfd > 0) {
                sfd_fd_close(&sfd_sys_linux, &slot.pidfd);
            }
        }
    }
    struct sfd_sys sys_;
};

TEST_F(ForeignTest, ShouldKnowASenderWithoutAPidByTheInodeOfItsPidfd) // R19
{
    if (!receiver_->pidfs) {
        GTEST_SKIP() << "inodes of pidfds need Linux 6.9";
    }
    const Pipe pipe;
    send("x", {pipe.out.get()});
    ASSERT_EQ(1, receive());
    const uint64_t process = slots_[0].process;
    EXPECT_EQ(0, slots_[0].pid);
    EXPECT_EQ(SFD_SLOT_SOUND, slots_[0].fault);
    EXPECT_EQ(1, slots_[0].fd_count) << "a pidfd is no descriptor of the request's";
    EXPECT_NE(0u, process & SFD_PROCESS_INODE);
    EXPECT_NE(0, fcntl(slots_[0].pidfd, F_GETFD) & FD_CLOEXEC);
    closePidfds();
    send("x");
    ASSERT_EQ(1, receive());
    EXPECT_EQ(process, slots_[0].process) << "it is the same process";
    closePidfds();
    const pid_t child = fork();
    if (child == 0) {
        _exit(::send(pair_->out.get(), "y", 1, 0) == 1 ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(child, waitpid(child, &status, 0));
    ASSERT_EQ(0, status);
    ASSERT_EQ(1, receive());
    EXPECT_NE(process, slots_[0].process) << "this is another one";
}

TEST_F(ForeignTest, ShouldNotKnowASenderWhosePidfdTellsNothing) // R19
{
    receiver_->pidfs = false;
    send("x");
    ASSERT_EQ(1, receive());
    EXPECT_EQ(0u, slots_[0].process);
    EXPECT_EQ(SFD_SLOT_SOUND, slots_[0].fault);
}

TEST_F(ForeignTest, ShouldTellWhenNoDescriptorWasFreeToKnowTheSenderBy) // R19, D3
{
    foreign.lost = -EMFILE;
    send("x");
    ASSERT_EQ(1, receive());
    EXPECT_EQ(0u, slots_[0].process);
    EXPECT_EQ(-1, slots_[0].pidfd);
    EXPECT_EQ(SFD_SLOT_CROWDED, slots_[0].fault);
    foreign.lost = -ESRCH; // it has ended
    send("x");
    ASSERT_EQ(1, receive());
    EXPECT_EQ(0u, slots_[0].process);
    EXPECT_EQ(SFD_SLOT_SOUND, slots_[0].fault);
}

TEST_F(ReceiveTest, ShouldHaveRoomForAPidfdBesideAllDescriptorsThatAMessageCarries) // R19, D2
{
    const int on = 1;
    if (setsockopt(pair_->in.get(), SOL_SOCKET, SO_PASSPIDFD_, &on, sizeof(on)) < 0) {
        GTEST_SKIP() << "SO_PASSPIDFD needs Linux 6.5";
    }
    const Pipe pipe;
    send("x", std::vector<int>(SFD_FDS_MAX, pipe.out.get()));
    ASSERT_EQ(1, receive());
    EXPECT_EQ(static_cast<uint64_t>(getpid()), slots_[0].process);
    EXPECT_GE(slots_[0].pidfd, 0);
    EXPECT_EQ(SFD_SLOT_MALFORMED, slots_[0].fault);
    sfd_fd_close(&sfd_sys_linux, &slots_[0].pidfd);
}

TEST_F(ReceiveTest, ShouldLeaveNothingOfAnEarlierRequestInASlot) // D25
{
    send("x");
    ASSERT_EQ(1, receive());
    const struct sfd_slot &slot = slots_[0];
    EXPECT_EQ(0, slot.verdict);
    EXPECT_EQ(0, slot.command);
    EXPECT_EQ(0, slot.range_offset);
    EXPECT_EQ(0u, slot.range_length);
    EXPECT_EQ(0u, slot.id);
    EXPECT_EQ(0, slot.root);
    EXPECT_EQ(0, slot.path);
    EXPECT_EQ(0, slot.path_length);
    EXPECT_EQ(0, slot.technique);
    EXPECT_EQ(0, slot.flags);
    EXPECT_EQ(0, slot.version);
    EXPECT_EQ(0u, slot.rate);
    EXPECT_EQ(0u, slot.idle_ms);
    EXPECT_EQ(0u, slot.deadline_ms);
}

TEST_F(ReceiveTest, ShouldReceiveDescriptorsInOrderAndCloseThemOnExec)
{
    const Pipe pipe;
    const OwnedFd both = openFile("/dev/null", O_RDWR);
    send("x", {pipe.in.get(), pipe.out.get(), both.get()});
    ASSERT_EQ(1, receive());
    const struct sfd_slot &slot = slots_[0];
    EXPECT_EQ(SFD_SLOT_SOUND, slot.fault);
    ASSERT_EQ(3, slot.fd_count);
    EXPECT_EQ(O_RDONLY, fcntl(slot.fds[0], F_GETFL) & O_ACCMODE);
    EXPECT_EQ(O_WRONLY, fcntl(slot.fds[1], F_GETFL) & O_ACCMODE);
    EXPECT_EQ(O_RDWR, fcntl(slot.fds[2], F_GETFL) & O_ACCMODE);
    for (const int fd : slot.fds) {
        EXPECT_NE(0, fcntl(fd, F_GETFD) & FD_CLOEXEC);
    }
}

TEST_F(ReceiveTest, ShouldReceiveABatchInOrder)
{
    int sent = 0;
    while (sent < 10) { // net.unix.max_dgram_qlen is 10
        send(std::to_string(sent));
        sent++;
    }
    ASSERT_EQ(sent, receive());
    for (int i = 0; i < sent; i++) {
        const struct sfd_slot &slot = slots_[static_cast<size_t>(i)];
        EXPECT_EQ(std::to_string(i), std::string(slot.bytes, static_cast<size_t>(slot.length)));
    }
    EXPECT_EQ(0, receive());
}

TEST_F(ReceiveTest, ShouldReceiveAnEmptyDatagram) // D1
{
    send("");
    send("behind it");
    ASSERT_EQ(2, receive());
    EXPECT_EQ(0, slots_[0].length);
    EXPECT_EQ(9, slots_[1].length);
}

TEST_F(ReceiveTest, ShouldTakeTheLongestRequestAndCallALongerOneMalformed) // D2
{
    send(std::string(SFD_WIRE_MAX_REQUEST_SIZE, 'x'));
    send(std::string(SFD_SLOT_BYTES + 1, 'x'));
    send(std::string(100000, 'x'));
    ASSERT_EQ(3, receive());
    EXPECT_EQ(SFD_SLOT_SOUND, slots_[0].fault);
    EXPECT_EQ(SFD_WIRE_MAX_REQUEST_SIZE, slots_[0].length);
    EXPECT_EQ(SFD_SLOT_MALFORMED, slots_[1].fault);
    EXPECT_EQ(SFD_SLOT_MALFORMED, slots_[2].fault);
    EXPECT_LE(slots_[2].length, SFD_SLOT_BYTES);
}

TEST_F(ReceiveTest, ShouldCloseSurplusDescriptorsAndKeepTheFirstToAnswerOn) // D2, D8
{
    const Pipe pipe;
    for (const size_t count : {4u, 5u, 50u, 253u}) {
        SCOPED_TRACE(count);
        const size_t before = openDescriptors().size();
        send("x", std::vector<int>(count, pipe.out.get()));
        ASSERT_EQ(1, receive());
        EXPECT_EQ(SFD_SLOT_MALFORMED, slots_[0].fault);
        EXPECT_EQ(SFD_SLOT_FDS, slots_[0].fd_count);
        EXPECT_EQ(before + SFD_SLOT_FDS, openDescriptors().size()) << "a pipe closes at once";
        receive();
        EXPECT_EQ(before, openDescriptors().size());
    }
}

TEST_F(ReceiveTest, ShouldGiveSurplusFilesToTheCloser)
{
    const OwnedFd file = openFile("/", O_RDONLY | O_DIRECTORY);
    send("x", std::vector<int>(4, file.get()));
    ASSERT_EQ(1, receive());
    EXPECT_EQ(1u, closer_.count);
}

TEST_F(ReceiveTest, ShouldKeepWhatArrivedWhenThereIsNoRoomForTheRest) // D3, R2
{
    const Pipe pipe;
    send("x", {pipe.out.get(), pipe.out.get(), pipe.out.get()});
    const size_t before = openDescriptors().size();
    const int next = dup(0);
    ASSERT_GE(next, 0);
    ASSERT_EQ(0, close(next));
    struct rlimit old;
    ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &old));
    const struct rlimit almost = {static_cast<rlim_t>(next) + 1, old.rlim_max};
    ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &almost));
    const int n = receive();
    ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &old));
    ASSERT_EQ(1, n);
    EXPECT_EQ(SFD_SLOT_CROWDED, slots_[0].fault);
    EXPECT_EQ(1, slots_[0].fd_count);
    EXPECT_EQ(next, slots_[0].fds[0]) << "the status channel comes first";
    EXPECT_EQ(before + 1, openDescriptors().size());
}

TEST_F(ReceiveTest, ShouldSurviveADescriptorTableThatIsFull) // D3
{
    const Pipe pipe;
    send("x", {pipe.out.get(), pipe.out.get()});
    struct rlimit old;
    ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &old));
    const int next = dup(0); // the number that the kernel would use
    ASSERT_GE(next, 0);
    ASSERT_EQ(0, close(next));
    const struct rlimit full = {static_cast<rlim_t>(next), old.rlim_max};
    ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &full));
    const int n = receive();
    ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &old));
    ASSERT_EQ(1, n);
    EXPECT_EQ(SFD_SLOT_CROWDED, slots_[0].fault) << "its descriptors are lost";
    EXPECT_EQ(getpid(), slots_[0].pid);
    EXPECT_EQ(0, slots_[0].fd_count);
    send("next", {pipe.out.get()});
    ASSERT_EQ(1, receive());
    EXPECT_EQ(SFD_SLOT_SOUND, slots_[0].fault);
    EXPECT_EQ(1, slots_[0].fd_count);
}

TEST_F(ReceiveTest, ShouldCallADatagramWithoutCredentialsAnonymous)
{
    const int off = 0;
    ASSERT_EQ(0, setsockopt(pair_->in.get(), SOL_SOCKET, SO_PASSCRED, &off, sizeof(off)));
    send("x");
    ASSERT_EQ(1, receive());
    EXPECT_EQ(SFD_SLOT_ANONYMOUS, slots_[0].fault);
}

TEST_F(ReceiveTest, ShouldGiveOtherErrorsToItsCaller)
{
    struct sfd_sys sys = copyOfSys();
    sys.recvmmsg = [](int, struct mmsghdr *, unsigned, int) { return -ENOBUFS; };
    struct sfd_closer closer;
    sfd_closer_init(&closer, &sys, &devices_);
    EXPECT_EQ(-ENOBUFS,
              sfd_receive_batch_fill(receiver_.get(), &closer, pair_->in.get(), slots_.data(), SFD_BATCH_MAX));
    sfd_closer_deinit(&closer);
}

} // namespace
