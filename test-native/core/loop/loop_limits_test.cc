// What one client may have: transfers, descriptors and disk tasks; and that it costs nobody else anything. R10
#include "loop_fixture.h"

#include <sys/socket.h>

namespace
{

constexpr int32_t GREEDY = 1001;
constexpr int32_t POLITE = 1002;

class LimitsTest : public LoopFixture
{
  protected:
    /* One file over a transfer's standard pipe: its read is blocked until somebody takes the bytes. */
    OwnedFd blockedRead()
    {
        const uint64_t blocked = count(SFD_COUNTER_BLOCKED);
        OwnedFd in = read();
        until([&] { return count(SFD_COUNTER_BLOCKED) > blocked; });
        return in;
    }
    std::string answer(const OwnedFd &in)
    {
        until([&] { return readable(in.get()); });
        return messages(drain(in.get(), SFD_WIRE_MAX_RESPONSE_SIZE)).front();
    }
    void warmBig()
    {
        warmUp();
        file(BIG);
    }
    static std::string refused()
    {
        return error(0x81, EDQUOT);
    }
    /* A malformed request with that many descriptors whose close can block. */
    void flood(size_t count)
    {
        const OwnedFd directory = openFile(directory_->path(), O_RDONLY | O_DIRECTORY);
        char control[CMSG_SPACE(sizeof(int) * SFD_FDS_MAX)] = {};
        char byte = 0;
        struct iovec iov = {&byte, 1};
        struct msghdr message = {};
        message.msg_iov = &iov;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * count);
        const std::vector<int> fds(count, directory.get());
        memcpy(CMSG_DATA(header), fds.data(), sizeof(int) * count);
        ASSERT_EQ(1, sendmsg(requests_->out.get(), &message, 0));
    }
    struct sfd_limits &limits()
    {
        return shared_->accounts.limits;
    }
};

TEST_F(LimitsTest, ShouldRefuseATransferBeyondItsClientsLimitAndServeAnother) // R10, D36
{
    warmBig();
    limits().transfers = 2;
    pid_ = GREEDY;
    OwnedFd first = blockedRead();
    const OwnedFd second = blockedRead();
    const OwnedFd third = read();
    EXPECT_EQ(refused(), answer(third));
    EXPECT_TRUE(atEnd(third.get()));
    EXPECT_EQ(1u, count(SFD_COUNTER_REFUSED_CLIENT_TRANSFERS));
    EXPECT_EQ(1u, count(SFD_COUNTER_REFUSED));
    EXPECT_EQ(2u, transfers());
    pid_ = POLITE;
    const OwnedFd polite = read();
    EXPECT_EQ("info " + std::to_string(BIG), answer(polite));
    pid_ = GREEDY;
    first.reset();
    until([&] { return transfers() == 2; });
    const OwnedFd fourth = read();
    EXPECT_EQ("info " + std::to_string(BIG), answer(fourth));
}

TEST_F(LimitsTest, ShouldTakeOverTheSettingsOfAReloadBetweenTwoTurns)
{
    warmBig();
    pid_ = POLITE;
    const OwnedFd first = blockedRead();
    shared_->reload.settings = shared_->settings;
    shared_->reload.settings.max_transfers = 1;
    const OwnedFd second = blockedRead(); /* there is no version of it yet */
    EXPECT_EQ(2u, transfers());
    atomic_fetch_add(&shared_->reload.version, 1);
    const OwnedFd third = read();
    EXPECT_EQ(error(0x81, EMFILE), answer(third));
    shared_->reload.settings.max_transfers = 3;
    atomic_fetch_add(&shared_->reload.version, 1);
    const OwnedFd fourth = blockedRead();
    EXPECT_EQ("info " + std::to_string(BIG), answer(fourth));
    EXPECT_EQ(3u, transfers()) << "what was accepted goes on";
}

TEST_F(LimitsTest, ShouldTellTheDaemonsLimitFromTheClients)
{
    warmBig();
    shared_->settings.max_transfers = 2;
    limits().transfers = 2;
    pid_ = POLITE;
    const OwnedFd first = blockedRead();
    pid_ = GREEDY;
    const OwnedFd second = blockedRead();
    const OwnedFd third = read();
    EXPECT_EQ(error(0x81, EMFILE), answer(third));
    EXPECT_EQ(1u, count(SFD_COUNTER_REFUSED_TRANSFERS));
    EXPECT_EQ(0u, count(SFD_COUNTER_REFUSED_CLIENT_TRANSFERS));
}

TEST_F(LimitsTest, ShouldGiveAllToAClientThatIsAloneAndLetAnotherOneIn) // R19
{
    warmBig();
    shared_->settings.max_transfers = 8;
    sfd_client_accounts_divide(&shared_->accounts, 8);
    pid_ = GREEDY;
    std::vector<OwnedFd> all;
    for (int i = 0; i < 8; i++) {
        all.push_back(blockedRead());
    }
    const OwnedFd more = read();
    EXPECT_EQ(error(0x81, EMFILE), answer(more)) << "as the original";
    pid_ = POLITE;
    std::vector<OwnedFd> polite;
    for (int i = 0; i < 2; i++) {
        polite.push_back(blockedRead());
        EXPECT_EQ("info " + std::to_string(BIG), answer(polite.back()));
    }
    const OwnedFd third = read();
    EXPECT_EQ(error(0x81, EMFILE), answer(third)) << "6 and 2 are all";
    polite.pop_back();
    until([&] { return transfers() == 9; });
    pid_ = GREEDY;
    all.pop_back();
    until([&] { return transfers() == 8; });
    const OwnedFd again = read();
    EXPECT_EQ(refused(), answer(again)) << "6 are its share, beside another one";
    polite.pop_back();
    until([&] { return transfers() == 7; });
    const OwnedFd alone = read();
    EXPECT_EQ("info " + std::to_string(BIG), answer(alone));
}

TEST_F(LimitsTest, ShouldRefuseBeforeAnythingIsOpened)
{
    static int opens;
    warmBig();
    limits().transfers = 1;
    const OwnedFd first = blockedRead();
    opens = 0;
    sys_.openat2 = [](int dir, const char *path, const struct open_how *how) {
        opens++;
        return sfd_sys_linux.openat2(dir, path, how);
    };
    const OwnedFd second = read();
    EXPECT_EQ(refused(), answer(second));
    EXPECT_EQ(0, opens);
}

TEST_F(LimitsTest, ShouldCountFinishedTransfersWhoseLastMessageNobodyReads) // D10, D30
{
    warmUp();
    file(100);
    limits().transfers = 2;
    pid_ = GREEDY;
    std::vector<Pipe> undrained(2);
    const Pipe dest;
    for (Pipe &status : undrained) {
        status.fill();
        submit(pathRequest(SFD_WIRE_SEND_FILE, "file"), {status.out.get(), dest.out.get()});
        status.out.reset();
    }
    until([&] { return count(SFD_COUNTER_COMPLETED) == 1 + undrained.size(); });
    settle();
    EXPECT_EQ(2u, transfers());
    EXPECT_EQ(2u, count(SFD_COUNTER_DESCRIPTORS)) << "nothing but their status channels";
    const OwnedFd third = read();
    EXPECT_EQ(refused(), answer(third));
    pid_ = POLITE;
    const OwnedFd polite = read();
    EXPECT_EQ("info 100", answer(polite));
    undrained.clear();
    until([&] { return transfers() == 0; });
    EXPECT_EQ(0u, count(SFD_COUNTER_DESCRIPTORS));
}

TEST_F(LimitsTest, ShouldRefuseDescriptorsBeyondTheClientsLimit)
{
    warmBig();
    limits().descriptors = 5;
    pid_ = GREEDY;
    uint64_t id = 0;
    OwnedFd parked = opened(&id); // its destination is promised as well
    EXPECT_EQ(3u, count(SFD_COUNTER_DESCRIPTORS));
    const OwnedFd blocked = blockedRead();
    EXPECT_EQ(5u, count(SFD_COUNTER_DESCRIPTORS));
    const OwnedFd over = read();
    EXPECT_EQ(refused(), answer(over));
    EXPECT_EQ(1u, count(SFD_COUNTER_REFUSED_CLIENT_DESCRIPTORS));
    EXPECT_EQ(2u, transfers());
    pid_ = POLITE;
    const OwnedFd polite = read();
    EXPECT_EQ("info " + std::to_string(BIG), answer(polite));
    pid_ = GREEDY;
    Pipe dest;
    sendOpen(id, dest.out.get()); // accepted long ago
    dest.out.reset();
    until([&] { return readable(dest.in.get()); });
    parked.reset();
    until([&] { return transfers() == 2; });
    const OwnedFd next = read();
    EXPECT_EQ("info " + std::to_string(BIG), answer(next));
}

TEST_F(LimitsTest, ShouldCountDescriptorsThatWaitToBeClosedForTheClientThatSentThem) // R2, D8
{
    warmUp();
    file(100);
    limits().descriptors = 20;
    hold_ = true; // the disk is dead
    flood(40);
    untilServed(1);
    EXPECT_EQ(40u, count(SFD_COUNTER_DESCRIPTORS));
    EXPECT_EQ(1u, held_.size()) << "one task a turn: the surplus, and the refused request's";
    EXPECT_EQ(1u, count(SFD_COUNTER_DISK_TASKS));
    const OwnedFd refusedRead = read();
    EXPECT_EQ(refused(), answer(refusedRead));
    pid_ = POLITE;
    const OwnedFd polite = read();
    EXPECT_EQ("info 100", answer(polite));
    hold_ = false;
    releaseHeld();
    pid_ = 0;
    EXPECT_EQ(0u, count(SFD_COUNTER_DESCRIPTORS));
    EXPECT_EQ(0u, count(SFD_COUNTER_DISK_TASKS));
    const OwnedFd served = read();
    EXPECT_EQ("info 100", answer(served));
}

TEST_F(LimitsTest, ShouldLendTheClosesOfEachClientAsATaskOfItsOwn)
{
    warmUp();
    hold_ = true;
    const OwnedFd directory = openFile(directory_->path(), O_RDONLY | O_DIRECTORY);
    for (const int32_t pid : {GREEDY, POLITE}) {
        pid_ = pid;
        submit("malformed", {directory.get(), directory.get()});
        until([&] { return received_ == (pid == GREEDY ? 1 : 2); });
        settle();
    }
    EXPECT_EQ((std::vector<int32_t>{GREEDY, POLITE}), clients_);
    EXPECT_EQ(4u, count(SFD_COUNTER_DESCRIPTORS));
}

TEST_F(LimitsTest, ShouldRefuseAColdOpenBeyondTheClientsDiskTasksAndServeWhatIsWarm)
{
    warmUp();
    file(100);
    limits().disk_tasks = 2;
    hold_ = true;
    script.cold_opens = true;
    pid_ = GREEDY;
    const OwnedFd first = read();
    const OwnedFd second = read();
    const OwnedFd third = read();
    EXPECT_EQ(refused(), answer(third));
    EXPECT_EQ(2u, held_.size());
    EXPECT_EQ(2u, count(SFD_COUNTER_DISK_TASKS));
    EXPECT_EQ(1u, count(SFD_COUNTER_REFUSED_CLIENT_DISK_TASKS));
    pid_ = POLITE;
    const OwnedFd polite = read();
    settle();
    EXPECT_EQ(3u, held_.size()) << "others have their own";
    pid_ = GREEDY;
    script.cold_opens = false;
    const OwnedFd warm = read();
    EXPECT_EQ("info 100", answer(warm));
    hold_ = false;
    releaseHeld();
    for (const OwnedFd *in : {&first, &second, &polite}) {
        EXPECT_EQ("info 100", answer(*in));
    }
    until([&] { return transfers() == 0; });
    EXPECT_EQ(0u, count(SFD_COUNTER_DISK_TASKS));
}

/* Transfers that were accepted, and then need the disk. */
class WaitingLimitsTest : public LimitsTest
{
  protected:
    /* So many files are open, and all are to be copied. */
    void copies(int count)
    {
        warmUp();
        file(100);
        out_ = openFile(*directory_ / "out", O_WRONLY | O_CREAT);
        std::vector<uint64_t> ids(static_cast<size_t>(count));
        for (uint64_t &id : ids) {
            statuses_.push_back(opened(&id));
            receiveElsewhere(); // if there is another loop
        }
        hold_ = true;
        limits().disk_tasks = 1;
        for (const uint64_t id : ids) {
            const int received = received_;
            sendOpen(id, out_.get());
            until([&] { return received_ > received; });
        }
        settle();
        ids_ = ids;
    }
    void TearDown() override
    {
        statuses_.clear();
        out_.reset();
        LimitsTest::TearDown();
    }
    std::vector<std::string> outcome(size_t index)
    {
        return messages(drain(statuses_[index].get()));
    }
    /* The jobs of transfers that the disk pool has; closes are done. */
    size_t jobs()
    {
        std::deque<struct sfd_task *> transfers;
        for (struct sfd_task *task : held_) {
            if (task->kind == SFD_TASK_CLOSE) {
                sfd_loop_work(task);
            } else {
                transfers.push_back(task);
            }
        }
        held_ = transfers;
        return held_.size();
    }
    void releaseOne()
    {
        ASSERT_LT(0u, jobs());
        struct sfd_task *task = held_.front();
        held_.pop_front();
        sfd_loop_work(task);
        settle();
    }

    OwnedFd out_;
    std::vector<OwnedFd> statuses_;
    std::vector<uint64_t> ids_;
};

TEST_F(WaitingLimitsTest, ShouldHaveWhatWasAcceptedWaitForItsClientsDiskTasks)
{
    copies(3);
    EXPECT_EQ(1u, jobs());
    EXPECT_EQ(1u, count(SFD_COUNTER_DISK_TASKS));
    for (size_t i = 0; i < 3; i++) {
        EXPECT_FALSE(readable(statuses_[i].get()));
        releaseOne();
        EXPECT_EQ(Messages{"complete"}, outcome(i)) << "in the order of their coming";
        EXPECT_EQ(i < 2 ? 1u : 0u, jobs());
    }
    until([&] { return transfers() == 0; });
    EXPECT_EQ(0u, count(SFD_COUNTER_DISK_TASKS));
    EXPECT_EQ(0u, count(SFD_COUNTER_REFUSED_CLIENT_DISK_TASKS));
}

TEST_F(WaitingLimitsTest, ShouldForgetACancelledTransferThatWaitsAtOnce)
{
    copies(4);
    for (const size_t i : {2u, 1u, 3u}) { // in the middle, the first, the last
        cancel(ids_[i]);
        settle();
        EXPECT_TRUE(atEnd(statuses_[i].get()));
    }
    EXPECT_EQ(1u, transfers()) << "the disk pool has one, and nothing else waits";
    hold_ = false;
    releaseHeld();
    until([&] { return transfers() == 0; });
    EXPECT_EQ(Messages{"complete"}, outcome(0));
    EXPECT_EQ(3u, count(SFD_COUNTER_CANCELLED));
}

TEST_F(WaitingLimitsTest, ShouldForgetATransferThatWaitsWhenItsClientGoes)
{
    copies(3);
    statuses_[1].reset();
    until([&] { return transfers() == 2; });
    hold_ = false;
    releaseHeld();
    until([&] { return transfers() == 0; });
    EXPECT_EQ(Messages{"complete"}, outcome(2));
}

TEST_F(WaitingLimitsTest, ShouldTellAllThatWaitOfAStop)
{
    copies(3);
    sfd_loop_stop(loop());
    for (int i = 0; i < 3; i++) {
        turn();
    }
    for (const size_t i : {0u, 1u, 2u}) {
        EXPECT_EQ(error(0x82, ESHUTDOWN), outcome(i).back());
    }
    EXPECT_EQ(1u, transfers()) << "what the disk pool has";
    hold_ = false;
    releaseHeld();
    until([&] { return turn() == -ESHUTDOWN; });
}

TEST_F(WaitingLimitsTest, ShouldLeaveNothingBehindWhenItIsDestroyedWhileSomeWait)
{
    copies(3);
    held_.clear();
    destroyLoops();
}

class TwoLoopsLimitsTest : public WaitingLimitsTest
{
  protected:
    void createLoops() override
    {
        shared_->settings.loops = 2;
        LoopFixture::createLoops();
    }
};

TEST_F(TwoLoopsLimitsTest, ShouldCountInAllLoopsTogetherAndTellTheOtherLoopOfRoom)
{
    copies(4);
    int of_one = 0;
    for (const uint64_t id : ids_) {
        of_one += sfd_transfer_table_loop_of(id) == 1 ? 1 : 0;
    }
    ASSERT_GT(of_one, 0);
    ASSERT_LT(of_one, 4) << "both loops have some";
    EXPECT_EQ(1u, jobs()) << "one task a client, whichever loop it is in";
    while (jobs() > 0) {
        EXPECT_EQ(1u, jobs());
        releaseOne();
    }
    until([&] { return transfers() == 0; });
    for (size_t i = 0; i < 4; i++) {
        EXPECT_EQ(Messages{"complete"}, outcome(i));
    }
}

} // namespace
