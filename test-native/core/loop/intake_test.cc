// The intake: several request sockets take turns, and one that keeps a queue rests while others wait for answers. R26
#include "core.h"

#include <array>
#include <memory>

extern "C" {
#include "loop/intake.h"
}

namespace
{

constexpr uint32_t FLOODER = 0;
constexpr uint32_t POLITE = 1;

class IntakeTest : public CoreTest
{
  protected:
    void SetUp() override
    {
        CoreTest::SetUp();
        receiver_ = std::make_unique<struct sfd_receive_batch>();
        slots_ = std::make_unique<std::array<struct sfd_slot, SFD_BATCH_MAX>>();
        sfd_devices_init(&devices_);
        sfd_closer_init(&closer_, &sfd_sys_linux, &devices_);
        sfd_intake_init(&intake_);
        for (int i = 0; i < 3; i++) {
            const SocketPair &pair = pairs_.emplace_back(SOCK_DGRAM);
            const int on = 1;
            ASSERT_EQ(0, setsockopt(pair.in.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
            setNonblocking(pair.in.get());
            ASSERT_EQ(0, sfd_intake_add(&intake_, &sfd_sys_linux, pair.in.get()));
        }
    }
    void TearDown() override
    {
        sfd_intake_deinit(&intake_);
        sfd_closer_deinit(&closer_);
        sfd_devices_deinit(&devices_);
        pairs_.clear();
        CoreTest::TearDown();
    }

    bool send(uint32_t source)
    {
        const char byte = static_cast<char>('0' + source);
        return ::send(pairs_[source].out.get(), &byte, 1, MSG_DONTWAIT) == 1;
    }
    void fill(uint32_t source)
    {
        while (send(source)) {
        }
    }
    /* What came, a digit for each request: its source. */
    std::string receive()
    {
        std::string sources;
        const int n = sfd_intake_receive(&intake_, receiver_.get(), &closer_, slots_->data(), SFD_BATCH_MAX, now_ms_);
        for (int i = 0; i < n; i++) {
            sources += (*slots_)[static_cast<size_t>(i)].bytes[0];
        }
        return sources;
    }
    static long of(uint32_t source, const std::string &sources)
    {
        return std::count(sources.begin(), sources.end(), static_cast<char>('0' + source));
    }
    /* How many requests of a flooder are taken, while a polite client asks again after each answer. */
    long floodBesidePolite()
    {
        long taken = 0;
        for (int i = 0; i < 50; i++) {
            fill(FLOODER);
            EXPECT_TRUE(send(POLITE));
            const std::string sources = receive();
            EXPECT_EQ(1, of(POLITE, sources)) << i;
            taken += of(FLOODER, sources);
        }
        return taken;
    }

    std::vector<SocketPair> pairs_;
    struct sfd_devices devices_;
    struct sfd_closer closer_;
    struct sfd_intake intake_;
    std::unique_ptr<struct sfd_receive_batch> receiver_;
    std::unique_ptr<std::array<struct sfd_slot, SFD_BATCH_MAX>> slots_;
    uint64_t now_ms_ = 1000;
};

TEST_F(IntakeTest, ShouldTakeSomeOfEachHoweverManyAnotherHas)
{
    for (int i = 0; i < 3; i++) {
        fill(FLOODER);
        ASSERT_TRUE(send(POLITE));
        ASSERT_TRUE(send(2));
        const std::string sources = receive();
        EXPECT_EQ(1, of(POLITE, sources));
        EXPECT_EQ(1, of(2, sources));
        EXPECT_EQ(SFD_BATCH_MAX / 3, of(FLOODER, sources));
    }
}

TEST_F(IntakeTest, ShouldLetAFlooderRestBesideOneWhoWaitsForEachAnswer)
{
    const long taken = floodBesidePolite();
    EXPECT_GE(taken, SFD_INTAKE_BURST);
    EXPECT_LE(taken, SFD_INTAKE_BURST + SFD_BATCH_MAX);
    EXPECT_TRUE(sfd_intake_rests(&intake_));

    sfd_intake_resume(&intake_, &sfd_sys_linux, now_ms_);
    EXPECT_TRUE(sfd_intake_rests(&intake_)) << "the millisecond is not over";
    sfd_intake_resume(&intake_, &sfd_sys_linux, ++now_ms_);
    EXPECT_FALSE(sfd_intake_rests(&intake_));
    EXPECT_GE(of(FLOODER, receive()), 1);
}

TEST_F(IntakeTest, ShouldGiveAFlooderABurstInEachMillisecond)
{
    for (int i = 0; i < 5; i++) {
        EXPECT_GE(floodBesidePolite(), SFD_INTAKE_BURST) << i;
        sfd_intake_resume(&intake_, &sfd_sys_linux, ++now_ms_);
    }
}

TEST_F(IntakeTest, ShouldLetASourceRestWhoseRequestsAreNoneAlsoIfTheyComeOneByOne)
{
    int taken = 0;
    for (int i = 0; i < 20; i++) {
        if (taken == 0 || i % 2 == 0) {
            EXPECT_TRUE(send(FLOODER));
        }
        EXPECT_TRUE(send(POLITE));
        const std::string sources = receive();
        EXPECT_EQ(1, of(POLITE, sources)) << i;
        if (of(FLOODER, sources) > 0) {
            taken++;
            for (const struct sfd_slot &slot : *slots_) {
                if (slot.bytes[0] == '0') {
                    EXPECT_EQ(FLOODER, slot.source);
                }
            }
            sfd_intake_blame(&intake_, &sfd_sys_linux, FLOODER, now_ms_);
        }
    }
    EXPECT_EQ(SFD_INTAKE_BURST / SFD_INTAKE_PENALTY, taken);
    sfd_intake_resume(&intake_, &sfd_sys_linux, now_ms_ + SFD_INTAKE_PENALTY_MS);
    EXPECT_TRUE(sfd_intake_rests(&intake_));
    sfd_intake_resume(&intake_, &sfd_sys_linux, now_ms_ + SFD_INTAKE_PENALTY_MS + 1);
    EXPECT_FALSE(sfd_intake_rests(&intake_));
}

TEST_F(IntakeTest, ShouldLetNobodyRestForOneWhoseRequestsAreNone)
{
    for (int i = 0; i < 20; i++) {
        ASSERT_TRUE(send(POLITE));
        fill(FLOODER);
        receive();
        sfd_intake_blame(&intake_, &sfd_sys_linux, POLITE, now_ms_);
        now_ms_ += i % 2; // two of them in a millisecond, which is less than a burst
    }
    EXPECT_FALSE(sfd_intake_rests(&intake_));
}

TEST_F(IntakeTest, ShouldServeAFlooderAtFullSpeedThatIsAlone)
{
    ASSERT_TRUE(send(POLITE));
    EXPECT_EQ("1", receive());
    now_ms_ += SFD_INTAKE_PRESENT_MS; // the other one has gone
    for (int i = 0; i < 50; i++) {
        fill(FLOODER);
        EXPECT_GE(of(FLOODER, receive()), 10) << i;
    }
    EXPECT_FALSE(sfd_intake_rests(&intake_));
}

TEST_F(IntakeTest, ShouldServeFloodersAtFullSpeedBesideEachOther)
{
    for (int i = 0; i < 50; i++) {
        fill(FLOODER);
        fill(2);
        const std::string sources = receive();
        EXPECT_EQ(SFD_BATCH_MAX / 2, of(FLOODER, sources)) << i;
        EXPECT_EQ(SFD_BATCH_MAX / 2, of(2, sources)) << i;
    }
    EXPECT_FALSE(sfd_intake_rests(&intake_));
}

TEST_F(IntakeTest, ShouldEndAllRestsForTheLastReceipts)
{
    floodBesidePolite();
    ASSERT_TRUE(sfd_intake_rests(&intake_));
    sfd_intake_resume(&intake_, &sfd_sys_linux, UINT64_MAX);
    EXPECT_FALSE(sfd_intake_rests(&intake_));
    EXPECT_GE(of(FLOODER, receive()), 1);
}

TEST_F(IntakeTest, ShouldReportAnErrorOnlyIfNothingCame)
{
    struct sfd_sys sys = copyOfSys();
    sys.recvmmsg = [](int, struct mmsghdr *, unsigned, int) { return -ENOBUFS; };
    closer_.sys = &sys;
    ASSERT_TRUE(send(POLITE));
    EXPECT_EQ(-ENOBUFS,
              sfd_intake_receive(&intake_, receiver_.get(), &closer_, slots_->data(), SFD_BATCH_MAX, now_ms_));
    closer_.sys = &sfd_sys_linux;
    EXPECT_EQ("1", receive());
    EXPECT_EQ("", receive());
}

} // namespace
