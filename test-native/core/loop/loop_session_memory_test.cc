// Sessions for which a loop has no memory: they end, and nothing of them stays (R13, R29).
#include "allocations.h"
#include "session_loops_fixture.h"

namespace
{

class SessionMemoryTest : public SessionLoopsFixture
{
  protected:
    void TearDown() override
    {
        arm(0, 0);
        SessionLoopsFixture::TearDown();
    }
};

TEST_F(SessionMemoryTest, ShouldTellWhoConnectsThatThereIsNone)
{
    loop(0)->session_count += 1000; // the other one gets it
    RawSession session(directory_->path());
    turnOf(0);
    turnOf(0);
    ASSERT_EQ(1u, on(1));
    arm(0, 1);
    turnOf(1);
    EXPECT_EQ(1, allocations.failed);
    loop(0)->session_count -= 1000;
    int error = 0;
    EXPECT_EQ(RawSession::Answer::REFUSAL, session.answer(0, &error));
    EXPECT_EQ(ENOMEM, error);
    EXPECT_EQ(0u, shared_->sessions.load());
    EXPECT_EQ(0u, on(1));
}

TEST_F(SessionMemoryTest, ShouldEndOneThatHasMoved)
{
    for (int before = 0; before < 3; before++) {
        SCOPED_TRACE(before);
        connect(2);
        workUntilOneLeaves();
        arm(before, 1);
        turnOf(1);
        ASSERT_EQ(1, allocations.failed);
        EXPECT_EQ(1u, shared_->sessions.load());
        EXPECT_EQ(0u, on(1));
        EXPECT_NE(clients_[0]->raw.ended(), clients_[1]->raw.ended());
        clients_.clear();
        stepUntil([this] { return shared_->sessions.load() == 0; });
    }
}

} // namespace
