// The journal: records in order, the ones that find no room counted exactly, and a reader that is woken when it sleeps.
#include "core.h"

#include <poll.h>
#include <thread>
#include <vector>

extern "C" {
#include "base/journal.h"
}

namespace
{

constexpr uint32_t RINGS = 3;

class JournalTest : public CoreTest
{
  protected:
    void SetUp() override
    {
        CoreTest::SetUp();
        ASSERT_EQ(0, sfd_journal_init(&journal_, RINGS));
    }
    void TearDown() override
    {
        sfd_journal_deinit(&journal_);
        CoreTest::TearDown();
    }

    bool write(uint32_t ring, uint64_t id)
    {
        struct sfd_record *record = sfd_journal_reserve(&journal_, ring);
        if (record == nullptr) return false;
        record->id = id;
        record->loop = static_cast<uint16_t>(ring);
        sfd_journal_commit(&journal_, ring);
        return true;
    }

    std::vector<struct sfd_record> take(uint32_t most = 2 * SFD_JOURNAL_RING_SIZE)
    {
        std::vector<struct sfd_record> records(most);
        records.resize(sfd_journal_take(&journal_, records.data(), most));
        return records;
    }

    bool isWoken() const
    {
        struct pollfd fd = {journal_.eventfd, POLLIN, 0};
        return poll(&fd, 1, 0) == 1;
    }

    struct sfd_journal journal_ = {};
};

TEST_F(JournalTest, shouldGiveTheRecordsOfEachRingInOrder)
{
    for (uint64_t id = 1; id <= 10; id++)
        EXPECT_TRUE(write(id % 2, id));
    std::vector<uint64_t> last(RINGS, 0);
    const auto records = take();
    ASSERT_EQ(10u, records.size());
    for (const auto &record : records) {
        EXPECT_GT(record.id, last[record.loop]);
        last[record.loop] = record.id;
    }
    EXPECT_EQ(0u, take().size());
}

TEST_F(JournalTest, shouldBeginEachRecordAnew)
{
    for (int i = 0; i < SFD_JOURNAL_RING_SIZE; i++) {
        struct sfd_record *record = sfd_journal_reserve(&journal_, 0);
        record->error = EIO;
        record->path_length = 5;
        sfd_journal_commit(&journal_, 0);
    }
    EXPECT_EQ(static_cast<size_t>(SFD_JOURNAL_RING_SIZE), take().size());
    ASSERT_TRUE(write(0, 1));
    const auto records = take();
    ASSERT_EQ(1u, records.size());
    EXPECT_EQ(0, records[0].error);
    EXPECT_EQ(0, records[0].path_length);
    EXPECT_EQ(UINT64_MAX, records[0].size);
}

TEST_F(JournalTest, shouldLetNoFullRingTakeRoomFromAnother)
{
    for (int i = 0; i < SFD_JOURNAL_RING_SIZE; i++)
        EXPECT_TRUE(write(0, 1));
    EXPECT_FALSE(write(0, 2));
    EXPECT_FALSE(write(0, 3));
    EXPECT_TRUE(write(1, 4));
    EXPECT_EQ(2u, sfd_journal_lost(&journal_));
    EXPECT_EQ(0u, sfd_journal_lost(&journal_)) << "told twice";
    EXPECT_EQ(SFD_JOURNAL_RING_SIZE + 1u, take().size());
    EXPECT_TRUE(write(0, 5));
}

TEST_F(JournalTest, shouldHideNoRingBehindABusyOne)
{
    EXPECT_TRUE(write(2, 77));
    bool seen = false;
    for (uint32_t i = 0; i < RINGS && !seen; i++) {
        while (write(0, 1) && write(1, 1))
            continue;
        for (const auto &record : take(16))
            seen = seen || record.id == 77;
    }
    EXPECT_TRUE(seen);
}

TEST_F(JournalTest, shouldWakeNobodyWhoDoesNotSleepUntilARingIsHalfFull)
{
    for (int i = 1; i < SFD_JOURNAL_RING_SIZE / 2; i++)
        EXPECT_TRUE(write(0, 1));
    EXPECT_FALSE(isWoken());
    EXPECT_TRUE(write(0, 1));
    EXPECT_TRUE(isWoken());
    sfd_journal_wait(&journal_, 60000, -1); // ends at once
    EXPECT_FALSE(isWoken());
    EXPECT_TRUE(write(0, 1));
    EXPECT_FALSE(isWoken()) << "for each record beyond half of it";
}

TEST_F(JournalTest, shouldNotSleepWhileThereIsARecord)
{
    EXPECT_TRUE(write(1, 1));
    sfd_journal_wait(&journal_, 0, -1);
    EXPECT_EQ(1u, take().size());
}

TEST_F(JournalTest, shouldWantNothingUnlessItIsAsked)
{
    EXPECT_FALSE(sfd_journal_wants(&journal_, SFD_RECORD_FAILED));
    sfd_journal_want(&journal_, SFD_RECORD_REFUSED | SFD_RECORD_FAILED);
    EXPECT_TRUE(sfd_journal_wants(&journal_, SFD_RECORD_FAILED));
    EXPECT_FALSE(sfd_journal_wants(&journal_, SFD_RECORD_DONE));
}

TEST_F(JournalTest, shouldRefuseMoreRingsThanItHas)
{
    struct sfd_journal other;
    EXPECT_EQ(-EINVAL, sfd_journal_init(&other, SFD_JOURNAL_RINGS_MAX + 1));
    sfd_journal_deinit(&other);
}

/* Each writer is faster than the reader at times: what is read and what is lost is all that was written, in order. */
TEST_F(JournalTest, shouldCountExactlyWhatIsLostBesideWriters)
{
    constexpr uint64_t EACH = 200000;
    std::vector<std::thread> writers;
    std::atomic<uint32_t> busy{RINGS};
    std::vector<uint64_t> written(RINGS, 0);
    for (uint32_t ring = 0; ring < RINGS; ring++) {
        writers.emplace_back([this, ring, &busy, &written] {
            for (uint64_t id = 1; id <= EACH; id++)
                written[ring] += write(ring, id) ? 1 : 0;
            busy--;
            sfd_journal_wake(&journal_);
        });
    }
    std::vector<uint64_t> last(RINGS, 0);
    std::vector<uint64_t> read(RINGS, 0);
    uint64_t lost = 0;
    bool over = false;
    while (!over) {
        over = busy == 0; // a last look comes after it
        for (auto records = take(300); !records.empty(); records = take(300)) {
            for (const auto &record : records) {
                ASSERT_GT(record.id, last[record.loop]);
                last[record.loop] = record.id;
                read[record.loop]++;
            }
        }
        lost += sfd_journal_lost(&journal_);
        if (!over) sfd_journal_wait(&journal_, 1, -1);
    }
    for (auto &writer : writers)
        writer.join();
    lost += sfd_journal_lost(&journal_);
    EXPECT_EQ(written, read);
    EXPECT_EQ(RINGS * EACH, read[0] + read[1] + read[2] + lost);
}

/* Without a rest and without a limit: a wake-up that is lost hangs here. */
TEST_F(JournalTest, shouldLoseNoWakeUp)
{
    constexpr uint64_t ALL = 5000;
    std::atomic<uint64_t> seen{0};
    std::thread writer([this, &seen] {
        for (uint64_t id = 1; id <= ALL; id++) {
            ASSERT_TRUE(write(0, id));
            while (seen < id)
                std::this_thread::yield();
        }
    });
    while (seen < ALL) {
        sfd_journal_wait(&journal_, 0, -1);
        seen += take(4).size();
    }
    writer.join();
    EXPECT_EQ(ALL, seen);
}

} // namespace
