// Local channels: what is due is kept, merged and handed out in order, whatever has room.
#include "core.h"

extern "C" {
#include "protocol/outbox.h"
}

namespace
{

constexpr size_t HEAD = sizeof(struct sfd_message);

class OutboxTest : public CoreTest
{
  protected:
    void TearDown() override
    {
        sfd_outbox_deinit(&outbox_);
        for (struct sfd_local_channel *channel : channels_) {
            EXPECT_EQ(1u, channel->references.load()) << "ticket " << channel->ticket;
            sfd_local_channel_put(channel);
        }
        CoreTest::TearDown();
    }

    struct sfd_local_channel *channel(uint64_t ticket)
    {
        auto *channel = static_cast<struct sfd_local_channel *>(std::malloc(sizeof(struct sfd_local_channel)));
        sfd_local_channel_init(channel, ticket);
        channel->outbox = &outbox_;
        channels_.push_back(channel);
        return channel;
    }
    static struct sfd_status statusOf(struct sfd_local_channel *channel)
    {
        struct sfd_status status;
        sfd_status_init(&status);
        status.version = SFD_WIRE_VERSION_2;
        status.local = channel;
        return status;
    }
    int flush(struct sfd_status *status)
    {
        return sfd_status_flush(status, &kernel_.kernel);
    }
    /* A final message. */
    void fail(struct sfd_local_channel *channel, int error)
    {
        struct sfd_status status = statusOf(channel);
        sfd_status_fail(&status, SFD_WIRE_FILE_INFO, error);
        EXPECT_EQ(1, flush(&status));
    }
    /* What has room, one entry a message: its ticket and what it says. */
    Messages publish(size_t size = 1000)
    {
        std::string bytes(size, 'x');
        const int32_t count = sfd_outbox_publish(&outbox_, bytes.data(), size);
        Messages all;
        size_t at = 0;
        for (int32_t i = 0; i < count; i++) {
            struct sfd_message message = {};
            memcpy(&message, bytes.data() + at, HEAD);
            const auto length = static_cast<size_t>(message.length);
            for (const std::string &text : messages(bytes.substr(at + HEAD, length))) {
                all.push_back(std::to_string(message.ticket) + " " + text);
            }
            const size_t content = message.content == SFD_NO_CONTENT ? 0 : static_cast<size_t>(message.content);
            if (message.content != SFD_NO_CONTENT) {
                all.push_back(std::to_string(message.ticket) + " content " + bytes.substr(at + HEAD + length, content));
            }
            at += HEAD + (length + content + 7) / 8 * 8;
        }
        EXPECT_EQ(std::string(size - at, 'x'), bytes.substr(at)) << "written behind the last message";
        return all;
    }

    Kernel kernel_;
    struct sfd_outbox outbox_ = {};
    std::vector<struct sfd_local_channel *> channels_;
};

TEST_F(OutboxTest, ShouldMergeWhatComesBeforeItIsPublished)
{
    struct sfd_status status = statusOf(channel(7));
    status.info_due = true;
    status.info.size = 100;
    status.details.size = 1000;
    EXPECT_EQ(1, flush(&status));
    for (const uint64_t moved : {30, 20}) {
        status.progress = moved;
        EXPECT_EQ(1, flush(&status));
        EXPECT_EQ(0u, status.progress);
    }
    EXPECT_EQ((Messages{"7 details 1000", "7 info 100", "7 progress 50"}), publish());
    EXPECT_EQ(Messages{}, publish()) << "once";
    status.progress = 5;
    EXPECT_EQ(1, flush(&status));
    status.result.moved = 60;
    sfd_status_fail(&status, SFD_WIRE_XFER_STAT, -EIO);
    EXPECT_EQ(1, flush(&status));
    EXPECT_EQ(Messages{"7 result 5 moved 60 by 0"}, publish()) << "a Result includes the progress";
}

TEST_F(OutboxTest, ShouldHandOutInOrderAsFarAsThereIsRoom)
{
    for (uint64_t ticket = 1; ticket <= 5; ticket++) {
        fail(channel(ticket), -static_cast<int>(ticket));
    }
    constexpr size_t EACH = HEAD + SFD_WIRE_REFUSAL_SIZE;
    EXPECT_EQ(Messages{}, publish(EACH - 1));
    EXPECT_EQ((Messages{"1 refusal 1 fits 0", "2 refusal 2 fits 0"}), publish(3 * EACH - 1));
    EXPECT_EQ((Messages{"3 refusal 3 fits 0", "4 refusal 4 fits 0", "5 refusal 5 fits 0"}), publish(3 * EACH));
    EXPECT_EQ(Messages{}, publish());
}

TEST_F(OutboxTest, ShouldKeepAChannelAsLongAsSomethingOfItIsDue)
{
    struct sfd_local_channel *last = channel(1);
    fail(last, -ENOENT);
    channels_.clear();
    sfd_local_channel_put(last); // its submitter's: the outbox has the last one
    EXPECT_EQ(Messages{"1 refusal 2 fits 0"}, publish());
}

TEST_F(OutboxTest, ShouldDropWhatNobodyWillRead)
{
    fail(channel(1), -ENOENT);
    fail(channel(2), -ENOENT);
    sfd_outbox_deinit(&outbox_);
    EXPECT_EQ(Messages{}, publish());
}

/* All of it or nothing has room, and what is never handed out is freed with its channel. */
TEST_F(OutboxTest, ShouldHandOutContentOnceAndWithItsInformation)
{
    const std::string text = "of 11 bytes";
    struct sfd_local_channel *with_content[] = {channel(1), channel(2), channel(3)};
    for (struct sfd_local_channel *one : with_content) {
        struct sfd_status status = statusOf(one);
        sfd_local_channel_give(one, strdup(text.c_str()), static_cast<uint32_t>(one->ticket == 2 ? 0 : text.size()));
        status.info_due = true;
        status.info.size = status.details.size = text.size();
        EXPECT_EQ(1, flush(&status));
    }
    const size_t record = HEAD + SFD_STATUS_INFO_MAX;
    EXPECT_EQ(Messages{}, publish(record + 15)) << "its content has no room";
    EXPECT_EQ((Messages{"1 details 11", "1 info 11", "1 content " + text, "2 details 11", "2 info 11", "2 content "}),
              publish(record + 16 + record));
    EXPECT_EQ(nullptr, with_content[0]->content);
    fail(with_content[0], -EIO);
    EXPECT_NE(nullptr, with_content[2]->content);
}

} // namespace
