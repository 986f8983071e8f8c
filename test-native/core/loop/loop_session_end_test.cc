// Sessions of a loop that is destroyed without a stop, as after a failure of its thread: nothing of them stays (R29).
//
// What stays is seen by the fixtures: sessions and client accounts are counted, and so are descriptors.
#include "session_loops_fixture.h"

namespace
{

class SessionEndTest : public SessionLoopsFixture
{
  protected:
    void SetUp() override
    {
        SessionLoopsFixture::SetUp();
        full_ = std::make_unique<SocketPair>();
        full_->fill();
    }
    void TearDown() override
    {
        full_->out.reset();
        destroy();
        drain(full_->in.get());
        EXPECT_TRUE(atEnd(full_->in.get())) << "a destination is still open";
        full_.reset();
        SessionLoopsFixture::TearDown();
    }
    /* Its clients see that. What the disk pool has is given up. */
    void destroy()
    {
        held_.clear();
        destroyLoops();
        EXPECT_EQ(0u, shared_->sessions.load());
        for (const auto &client : clients_) {
            EXPECT_TRUE(client->raw.ended());
        }
        clients_.clear();
    }
    struct sfd_session_entry blocked(const Client &client, uint64_t user_data = 0, uint8_t flags = 0) const
    {
        struct sfd_session_entry e = sending(client, user_data, flags);
        e.destination = full_destination_;
        return e;
    }
    /* A client, and a destination whose receiver takes nothing. */
    Client &connectOne()
    {
        connect(1);
        full_destination_ = add(*clients_[0], SFD_SESSION_DESTINATION, full_->out.get());
        return *clients_[0];
    }
    /* Of a path, at the start of the arena. */
    static struct sfd_session_entry byPath(const Client &client, const std::string &path, uint8_t operation)
    {
        struct sfd_session_entry e = entry(operation, 0, SFD_SESSION_PATH);
        memcpy(const_cast<Client &>(client).raw.arena(), path.data(), path.size());
        e.path_length = static_cast<uint16_t>(path.size());
        if (operation == SFD_SESSION_SEND) {
            e.destination = client.destination;
            e.length = SFD_SESSION_TO_END;
        }
        return e;
    }
    /* A transfer, and a file that is opened. */
    void leaveTwoToTheDiskPool()
    {
        Client &client = connectOne();
        script.cold_opens = hold_ = true;
        client.raw.submit(byPath(client, "file", SFD_SESSION_SEND));
        client.raw.submit(byPath(client, "file", SFD_SESSION_OPEN));
        client.raw.publish();
        stepUntil([this] { return held_.size() == 2; });
    }

    std::unique_ptr<SocketPair> full_;
    uint32_t full_destination_ = 0;
};

TEST_F(SessionEndTest, ShouldEndOneWithATransfer)
{
    Client &client = connectOne();
    client.raw.submit(blocked(client));
    client.raw.publish();
    stepUntil([this] { return transfers() == 1; });
}

TEST_F(SessionEndTest, ShouldEndOneWithAChain)
{
    Client &client = connectOne();
    client.raw.submit(blocked(client, 1, SFD_SESSION_LINK));
    client.raw.submit(sending(client, 2, SFD_SESSION_LINK));
    client.raw.submit(sending(client, 3));
    client.raw.publish();
    stepUntil([this] { return transfers() == 1; });
}

TEST_F(SessionEndTest, ShouldEndOneWhoseRequestWasWithdrawnJustNow)
{
    Client &client = connectOne();
    client.raw.submit(blocked(client, 1));
    client.raw.publish();
    stepUntil([this] { return transfers() == 1; });
    struct sfd_session_entry e = entry(SFD_SESSION_WITHDRAW, 2);
    e.target = 1;
    client.raw.submit(e);
    client.raw.publish();
    while (client.raw.word(SFD_SESSION_TAKEN_AT) != client.raw.submitted) {
        turnOf(0);
    }
    ASSERT_EQ(1u, transfers());
}

TEST_F(SessionEndTest, ShouldEndOneWithTransfersThatTheDiskPoolHas)
{
    leaveTwoToTheDiskPool();
}

TEST_F(SessionEndTest, ShouldEndOneWithTransfersThatTheDiskPoolHasHandedBack)
{
    leaveTwoToTheDiskPool();
    releaseHeld();
}

TEST_F(SessionEndTest, ShouldEndThoseWithRequestsThatHaveNotBegun)
{
    sizes_ = {256, 512, 4096};
    Client &client = connectOne();
    for (uint64_t i = 0; i < 100; i++) {
        client.raw.submit(blocked(client, i));
    }
    client.raw.publish();
    stepUntil([this] { return transfers() > 0; });
    ASSERT_NE(nullptr, loop(0)->owners_last);
}

TEST_F(SessionEndTest, ShouldEndThoseOfWhichNothingIsDecided)
{
    const Client &client = connectOne();
    for (int i = 0; i < 8; i++) { // more than a turn asks for
        clients_[0]->raw.submit(byPath(client, "file", SFD_SESSION_SEND));
    }
    clients_[0]->raw.publish();
    clients_.push_back(std::make_unique<Client>(directory_->path(), sizes_));
    RawSession &other = clients_.back()->raw;
    ASSERT_TRUE(other.prepare());
    ASSERT_EQ(0, other.say(RawSession::hello(other.sizes()), {other.memory_fd.get(), other.event.get()}));
    loop(1)->session_count += 1000;
    stepUntil([this] { return on(0) == 2 && loop(0)->sessions.asking_first != nullptr; });
    loop(1)->session_count -= 1000;
    EXPECT_LT(0, buffer()->requests);
}

TEST_F(SessionEndTest, ShouldEndOneThatWaitsForAThread)
{
    Client &client = connectOne();
    struct sfd_client_account *account = loop(0)->sessions.at[0]->account;
    client.raw.submit(blocked(client, 1));
    client.raw.publish();
    stepUntil([this] { return transfers() == 1; });
    sfd_client_account_suspect(account);
    account->held += SFD_HELD_CLIENT_MAX;
    submit(client);
    stepUntil([this] { return loop(0)->sessions.held_last != nullptr; });
    account->held -= SFD_HELD_CLIENT_MAX;
}

TEST_F(SessionEndTest, ShouldEndOneThatHasRegisteredJustNow)
{
    Client &client = connectOne();
    ASSERT_EQ(0, client.raw.say(RawSession::registering(SFD_SESSION_DESTINATION, 1), {full_->out.get()}));
}

} // namespace
