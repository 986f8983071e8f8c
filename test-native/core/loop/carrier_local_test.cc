// Requests of this process whose threads lose the loop: messages come once and in order, and nobody waits for them.
#include "held_loops_fixture.h"
#include "local_requests.h"

namespace
{

constexpr int LOCAL = -PID; // whose calls are those of transfers of this process, for the gate

class CarrierLocalTest : public HeldLoopsFixture
{
  protected:
    void SetUp() override
    {
        HeldLoopsFixture::SetUp();
        null_ = OwnedFd(::open("/dev/null", O_WRONLY | O_CLOEXEC));
        requests_ = std::make_unique<LocalRequests>();
    }
    void TearDown() override
    {
        gate.reset();
        EXPECT_TRUE(requests_->awaitAtMost(0));
        null_.reset();
        HeldLoopsFixture::TearDown();
        requests_.reset();
    }
    void readMessages(const struct sfd_turn *turn) override
    {
        requests_->dispatch(turn);
    }
    int64_t submit(uint8_t command, const std::string &path, int dest, uint64_t owner)
    {
        return requests_->submit(shared_.get(), localOrder(command, &servedRoot_, path, dest, owner));
    }
    /* For the content of a small file that is cold. */
    int64_t ask(uint64_t owner)
    {
        const std::string path = "cold-small";
        struct sfd_local_order order = localOrder(SFD_WIRE_OPEN_FILE, &servedRoot_, path, -1, owner);

        order.content_most = SFD_CONTENT_MAX;
        return requests_->submit(shared_.get(), order);
    }
    /* How many have got it. */
    int expectContents(int64_t last)
    {
        int count = 0;
        for (int64_t ticket = 1; ticket <= last; ticket++) {
            const std::string content = requests_->contentOf(ticket);
            if (content != "none") {
                EXPECT_EQ("result 0 moved 300", requests_->lastOf(ticket));
                EXPECT_BYTES(small_, content);
                count++;
            }
        }
        return count;
    }
    /* Many small requests of another owner. */
    void expectLocalService()
    {
        std::vector<int64_t> tickets;
        for (int i = 0; i < 100; i++) {
            tickets.push_back(submit(SFD_WIRE_SEND_FILE, "small", dup(null_.get()), 2));
        }
        for (const int64_t ticket : tickets) {
            EXPECT_TRUE(await([&] { return requests_->isOver(ticket); })) << "it waits for another owner's";
            EXPECT_EQ("result 0 moved 300", requests_->lastOf(ticket));
        }
    }

    std::unique_ptr<LocalRequests> requests_;
    OwnedFd null_;
};

TEST_F(CarrierLocalTest, ShouldServeOthersWhileACallHoldsATransfer)
{
    for (const bool cancelled : {false, true}) {
        if (!cancelled) {
            start();
            warmUp();
        }
        gate.hold(Hold(SENDFILE).of(LOCAL));
        SocketPair pair;
        setNonblocking(pair.out.get());
        const int64_t held = submit(SFD_WIRE_SEND_FILE, "big", dup(pair.out.get()), 1);
        pair.out.reset();
        ASSERT_TRUE(gate.awaitHeld(1)) << "there is no such call";
        expectLocalService();
        if (cancelled) {
            requests_->cancel(held);
        }
        expectLocalService();
        EXPECT_FALSE(requests_->isOver(held)) << "its call is not back";
        gate.release();
        const std::string got = readToEnd(pair.in.get());
        EXPECT_TRUE(await([&] { return requests_->isOver(held); }));
        const std::string end = requests_->lastOf(held);
        if (cancelled) {
            EXPECT_EQ("result " + std::to_string(ECANCELED) + " moved " + std::to_string(got.size()), end);
        } else {
            EXPECT_BYTES(big_, got);
            EXPECT_EQ("result 0 moved " + std::to_string(big_.size()), end);
        }
        EXPECT_TRUE(await([this] { return shared_->carriers.held.load() == 0; }));
    }
}

TEST_F(CarrierLocalTest, ShouldCancelARequestWhoseBeginningIsHeld)
{
    start();
    warmUp();
    gate.hold(Hold(STATX).of(ANY)); // it looks at its destination, and is no transfer yet
    const int64_t held = submit(SFD_WIRE_SEND_FILE, "small", dup(null_.get()), 1);
    ASSERT_TRUE(gate.awaitHeld(1)) << "there is no such call";
    expectLocalService();
    requests_->cancel(held);
    expectLocalService();
    gate.release();
    EXPECT_TRUE(await([&] { return requests_->isOver(held); }));
    EXPECT_EQ(Messages{"refusal " + std::to_string(ECANCELED) + " fits 0"}, requests_->of(held));
}

TEST_F(CarrierLocalTest, ShouldStopWhileTheBeginningOfARequestIsHeld)
{
    start();
    warmUp();
    gate.hold(Hold(STATX).of(ANY));
    const int64_t held = submit(SFD_WIRE_SEND_FILE, "small", dup(null_.get()), 1);
    ASSERT_TRUE(gate.awaitHeld(1)) << "there is no such call";
    const int64_t other = submit(SFD_WIRE_OPEN_FILE, "small", -1, 2);
    EXPECT_TRUE(await([&] { return !requests_->of(other).empty(); }));
    stopLoops();
    EXPECT_TRUE(await([&] { return requests_->isOver(other); }));
    EXPECT_FALSE(requests_->isOver(held));
    gate.release();
    EXPECT_TRUE(await([&] { return requests_->isOver(held); }));
    EXPECT_EQ(Messages{"refusal " + std::to_string(ESHUTDOWN) + " fits 0"}, requests_->of(held));
}

/* Any call may be held, and so any carrier may lose its loop, in the middle of any request, two loops of them. */
TEST_F(CarrierLocalTest, ShouldKeepTheOrderOfMessagesWhoeverLosesWhichLoop)
{
    constexpr int64_t COUNT = 1500;
    start(2);
    warmUp();
    writeFile(*directory_ / "cold-small", small_);
    answers.cold_per_mille = 100;
    gate.holdAtRandom(7, 20, 20000);
    Pipe stuck;
    stuck.fill();
    setNonblocking(stuck.out.get());
    requests_->opened = [this](int64_t ticket) { requests_->sendOpened(ticket, dup(null_.get())); };
    for (int64_t i = 1; i <= COUNT; i++) {
        const uint64_t owner = static_cast<uint64_t>(i % 5);
        const int64_t ticket = i % 3 == 0 ? (i % 2 == 0 ? submit(SFD_WIRE_OPEN_FILE, "big", -1, owner) : ask(owner))
                               : i % 3 == 1
                                   ? submit(SFD_WIRE_SEND_FILE, i % 2 == 0 ? "big" : "cold", dup(null_.get()), owner)
                                   : submit(SFD_WIRE_SEND_FILE, "small", dup(stuck.out.get()), owner);
        ASSERT_EQ(i, ticket);
        if (i > 50) {
            requests_->cancel(i - 50);
        }
        ASSERT_TRUE(requests_->awaitAtMost(100));
    }
    for (int64_t i = COUNT - 50; i <= COUNT; i++) {
        requests_->cancel(i);
    }
    EXPECT_TRUE(requests_->awaitAtMost(0));
    gate.release();
    EXPECT_LT(0, expectContents(COUNT)) << "all were cancelled";
}

} // namespace
