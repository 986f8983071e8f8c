// R27: whose a request is, while one process follows another: what is looked at, and that nothing else is received.
#include "held_loops_fixture.h"

extern "C" {
#include "sys/sys_succession.h"
}

namespace
{

constexpr uint32_t PREDECESSOR = 7; // the tag of its transfers

uint64_t idOf(uint32_t tag)
{
    return SFD_ID_MAX / SFD_ID_TAGS * tag | SFD_ID_MIN;
}

/* A request socket, and one to a process before this one, over answers that a test scripts. */
class SuccessionTest : public CoreTest
{
  protected:
    void SetUp() override
    {
        CoreTest::SetUp();
        ASSERT_EQ(0, sfd_sys_message_pair(channel_));
        sfd_succession_init(&succession_, 1);
        succession_.predecessor[2].tag = PREDECESSOR;
        succession_.predecessor[2].fd = channel_[0];
        succession_.predecessors = 1;
        receiving_ = 0;
        sending_ = 0;
        sys_ = copyOfSys();
        sys_.recvmmsg = [](int fd, struct mmsghdr *messages, unsigned count, int flags) {
            return receiving_ < 0 ? receiving_ : sfd_sys_linux.recvmmsg(fd, messages, count, flags);
        };
        sys_.send = [](int fd, const void *bytes, size_t length, int flags) {
            return sending_ < 0 ? sending_ : sfd_sys_linux.send(fd, bytes, length, flags);
        };
    }
    void TearDown() override
    {
        for (int fd : channel_) {
            close(fd);
        }
        CoreTest::TearDown();
    }

    int look()
    {
        return sfd_succession_look(&succession_, &sys_, requests_.in.get(), 3, 16);
    }
    void ask(uint8_t command, uint32_t tag)
    {
        char header[SFD_WIRE_MAX_REQUEST_SIZE];
        const size_t n = sfd_wire_put_transfer_request(header, command, idOf(tag));
        ASSERT_EQ(tag, sfd_transfer_table_tag_of(idOf(tag)));
        ASSERT_EQ(static_cast<ssize_t>(n), ::send(requests_.out.get(), header, n, 0));
    }
    /* What the predecessor was told. */
    std::string told()
    {
        char text[64];
        const ssize_t n = recv(channel_[1], text, sizeof text, MSG_DONTWAIT);
        return {text, n < 0 ? 0 : static_cast<size_t>(n)};
    }

    static inline int receiving_;
    static inline int64_t sending_;
    struct sfd_succession succession_;
    struct sfd_sys sys_;
    SocketPair requests_{SOCK_DGRAM};
    int channel_[2];
};

TEST_F(SuccessionTest, ShouldReceiveAllAtOnceIfThereIsNoPredecessor)
{
    sfd_succession_forget(&succession_, 2);
    EXPECT_EQ(16, look());
}

TEST_F(SuccessionTest, ShouldReceiveNothingThatComesAfterTheLook)
{
    EXPECT_EQ(0, look()) << "an empty socket";
    receiving_ = -ENOMEM;
    EXPECT_EQ(-ENOMEM, look());
}

TEST_F(SuccessionTest, ShouldReceiveOneThatIsNotThePredecessors)
{
    ask(SFD_WIRE_SEND_OPEN_FILE, PREDECESSOR + 1);
    EXPECT_EQ(1, look());
    EXPECT_EQ("", told());
}

TEST_F(SuccessionTest, ShouldLeaveToThePredecessorWhatIsItsOwn)
{
    ask(SFD_WIRE_CANCEL, PREDECESSOR);
    EXPECT_EQ(0, look());
    EXPECT_EQ("take 3", told());
    EXPECT_EQ(0, look()) << "until it has taken it";
    EXPECT_EQ("", told());
}

TEST_F(SuccessionTest, ShouldTellThePredecessorLaterIfThereIsNoRoomNow)
{
    ask(SFD_WIRE_SEND_OPEN_FILE, PREDECESSOR);
    sending_ = -EAGAIN;
    EXPECT_EQ(0, look());
    EXPECT_FALSE(succession_.delegated);
    sending_ = 0;
    EXPECT_EQ(0, look());
    EXPECT_EQ("take 3", told());
}

TEST_F(SuccessionTest, ShouldReceiveWhatWasOfAPredecessorThatHasEnded)
{
    ask(SFD_WIRE_SEND_OPEN_FILE, PREDECESSOR);
    close(std::exchange(channel_[1], -1));
    EXPECT_EQ(1, look());
    EXPECT_FALSE(succession_.delegated);
}

TEST_F(SuccessionTest, ShouldLetNobodyReceiveBetweenLookAndReceipt)
{
    EXPECT_TRUE(sfd_succession_begin_receipt(&succession_));
    EXPECT_FALSE(sfd_succession_begin_receipt(&succession_));
    sfd_succession_end_receipt(&succession_);
    EXPECT_TRUE(sfd_succession_begin_receipt(&succession_));
    sfd_succession_forget(&succession_, 2);
    EXPECT_TRUE(sfd_succession_begin_receipt(&succession_)) << "the usual case: as many as like";
}

TEST_F(SuccessionTest, ShouldHandOverNothingBeforeItsLastReceiptHasEnded)
{
    sfd_succession_forget(&succession_, 2);
    EXPECT_TRUE(sfd_succession_begin_receipt(&succession_));
    EXPECT_FALSE(sfd_succession_is_paused(&succession_, 1));
    succession_.loops_paused = 1;
    EXPECT_FALSE(sfd_succession_is_paused(&succession_, 1));
    sfd_succession_end_receipt(&succession_);
    EXPECT_TRUE(sfd_succession_is_paused(&succession_, 1));
    EXPECT_FALSE(sfd_succession_is_paused(&succession_, 2));
}

/* ------------------------------------------------------------------ a thread that loses its loop at the look */

class HeldSuccessionTest : public HeldLoopsFixture
{
  protected:
    void SetUp() override
    {
        HeldLoopsFixture::SetUp();
        ASSERT_EQ(0, sfd_sys_message_pair(channel_));
        sfd_succession_init(&shared_->succession, 1);
    }
    void TearDown() override
    {
        stop();
        for (const int fd : channel_) {
            close(fd);
        }
        HeldLoopsFixture::TearDown();
    }
    /* As the engine, at its start. */
    void follow()
    {
        shared_->succession.predecessor[0].tag = PREDECESSOR;
        shared_->succession.predecessor[0].fd = channel_[0];
        shared_->succession.predecessors = 1;
    }
    uint32_t beats() const
    {
        return shared_->loops[0]->beats;
    }

    int channel_[2];
};

TEST_F(HeldSuccessionTest, ShouldReceiveWhatItHasLookedAt)
{
    char byte;

    follow();
    start();
    warmUp();
    gate.hold(Hold(RECVMMSG).of(ANY)); // the look
    const OwnedFd own = read(1, "small");
    ASSERT_TRUE(gate.awaitHeld(1));
    ASSERT_TRUE(await([this] { return count(SFD_COUNTER_STUCK) > 0; })) << "another thread has the loop";
    const uint32_t before = beats();
    ASSERT_TRUE(await([&] { return beats() - before >= 4 || readable(own.get()); })) << "it has seen the request, too";
    sendOpen(2, idOf(PREDECESSOR), pair_->out.get());
    gate.release();

    EXPECT_BYTES(small_, readToEnd(own.get()).substr(SFD_WIRE_FILE_INFO_SIZE));
    ASSERT_TRUE(await([this] { return readable(channel_[1]); }));
    EXPECT_TRUE(await([this] { return shared_->succession.receipts == 0 && loopsThatRun() == 1; }));
    EXPECT_EQ(1, recv(requests_->in.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT)) << "it was received all the same";

    ASSERT_EQ(1, recv(requests_->in.get(), &byte, 1, MSG_DONTWAIT)); // as the predecessor does
    shared_->succession.delegated = false;
    sfd_loop_receive_again(shared_->loops[0]);
    expectService();
}

} // namespace
