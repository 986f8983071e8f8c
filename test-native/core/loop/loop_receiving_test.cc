// Which loop receives, by their load, and while one is stuck: R4, R5, D18.
#include "loop_fixture.h"
#include "two_loops_fixture.h"

namespace
{

using ReceivingTest = TwoLoopsFixture;

TEST_F(ReceivingTest, ShouldServeWithoutAWatch)
{
    const OwnedFd in = request(SFD_WIRE_READ_FILE, "small");
    EXPECT_BYTES("small", readToEnd(in.get()).substr(SFD_WIRE_FILE_INFO_SIZE));
    EXPECT_EQ(0u, stuck());
}

TEST_F(ReceivingTest, ShouldReceiveElsewhereWhileALoopIsStuck)
{
    stick(); // without a signal to free it
    for (int i = 0; i < 10; i++) {
        EXPECT_TRUE(serves());
    }
    expectAllOfTheBigFile();
    for (int i = 0; i < 10; i++) {
        EXPECT_TRUE(serves()) << "and both live on";
    }
}

/* ------------------------------------------------------------------ load */

uint64_t clock_ns;

/* Two loops, and transfers that need many turns: their quantum is small. */
class LoadTest : public LoopFixture
{
  protected:
    static constexpr size_t QUANTUM = 4096;

    void scriptCalls(struct sfd_sys *sys) override
    {
        clock_ns = 1000000000;
        sys->now_ns = [] { return clock_ns; };
    }
    void createLoops() override
    {
        shared_->settings.loops = 2;
        shared_->settings.quantum = QUANTUM;
        LoopFixture::createLoops();
    }
    void SetUp() override
    {
        LoopFixture::SetUp();
        warmUp();
        file(BIG);
    }
    void TearDown() override
    {
        statuses_.clear();
        pipes_.clear();
        LoopFixture::TearDown();
    }

    /* The receiving loop gets a transfer into a pipe: work until the pipe is full, and whenever it is read. */
    void begin()
    {
        const int received = received_;
        pipes_.emplace_back();
        statuses_.push_back(send(pipes_.back().out.get()));
        pipes_.back().out.reset();
        until([&] { return received_ > received; });
        turnBoth();
    }
    void park(int files)
    {
        for (int i = 0; i < files; i++) {
            uint64_t id = 0;
            statuses_.push_back(opened(&id));
        }
    }
    void turnBoth()
    {
        turn(0);
        turn(1);
    }
    static void pass(uint64_t ms)
    {
        clock_ns += ms * 1000000;
    }
    size_t receivedBy(uint32_t index)
    {
        return static_cast<size_t>(std::count(receivers_.begin(), receivers_.end(), index));
    }

    std::vector<Pipe> pipes_;
    std::vector<OwnedFd> statuses_;
};

TEST_F(LoadTest, ShouldKeepReceivingWhateverIsParked)
{
    park(8);
    EXPECT_EQ(8u, receivedBy(0));
}

TEST_F(LoadTest, ShouldKeepReceivingBesideReceiversThatDoNotRead)
{
    begin();
    settle(); // its pipe is full
    receiveElsewhere();
    ASSERT_EQ(0u, receiver());
    pass(1000);
    park(4);
    EXPECT_EQ(5u, receivedBy(0));
}

TEST_F(LoadTest, ShouldHandOverToALoopThatHasLessWorkThoughMoreWaitsThere)
{
    receiveElsewhere();
    park(3);
    receiveElsewhere();
    ASSERT_EQ(0u, receiver());
    begin();
    EXPECT_EQ(1u, receiver());
}

TEST_F(LoadTest, ShouldSpreadWorkOverTheLoopsAsItComes)
{
    for (int i = 0; i < 8; i++) {
        begin();
    }
    EXPECT_LE(3u, receivedBy(0));
    EXPECT_LE(3u, receivedBy(1));
}

TEST_F(LoadTest, ShouldForgetWorkThatIsOver)
{
    begin();
    settle(); // its pipe is full
    ASSERT_EQ(1u, receiver());
    pass(4);
    begin();
    EXPECT_EQ(0u, receiver());
}

TEST_F(LoadTest, ShouldNotHandOverToAndFroWhileTheLoopsHaveWorkByTurns)
{
    begin();
    begin();
    settle();
    ASSERT_EQ(1u, receivedBy(0));
    ASSERT_EQ(1u, receivedBy(1));
    const uint32_t before = receiver();
    for (uint32_t i = 0; i < 20; i++) {
        drain(pipes_[i % 2].in.get(), QUANTUM);
        for (int n = 0; n < 4; n++) {
            turnBoth();
        }
        EXPECT_EQ(before, receiver());
        clock_ns += 500000; // each loop has work every millisecond
    }
}

} // namespace
