// The table of transfers: ids that cannot be guessed, matched exactly.
#include "core.h"

#include <memory>
#include <set>

namespace
{

class TableTest : public testing::Test
{
  protected:
    static constexpr uint32_t LOOP = 5;

    void SetUp() override
    {
        sfd_transfer_table_init(&table_, LOOP);
    }
    void TearDown() override
    {
        sfd_transfer_table_deinit(&table_);
    }

    struct sfd_transfer *add()
    {
        transfers_.push_back(std::make_unique<struct sfd_transfer>());
        sfd_transfer_init(transfers_.back().get());
        EXPECT_EQ(0, sfd_transfer_table_add(&table_, transfers_.back().get()));
        return transfers_.back().get();
    }

    struct sfd_transfer_table table_;
    std::vector<std::unique_ptr<struct sfd_transfer>> transfers_;
};

TEST_F(TableTest, ShouldFindATransferByItsId)
{
    struct sfd_transfer *a = add();
    struct sfd_transfer *b = add();
    EXPECT_EQ(a, sfd_transfer_table_find(&table_, a->id));
    EXPECT_EQ(b, sfd_transfer_table_find(&table_, b->id));
}

TEST_F(TableTest, ShouldMatchEveryBitOfAnId)
{
    const struct sfd_transfer *t = add();
    for (int bit = 0; bit < 64; bit++) {
        EXPECT_EQ(nullptr, sfd_transfer_table_find(&table_, t->id ^ (uint64_t{1} << bit))) << bit; // D24
    }
}

TEST_F(TableTest, ShouldFindNothingInAnEmptyTable)
{
    EXPECT_EQ(nullptr, sfd_transfer_table_find(&table_, 0));
    EXPECT_EQ(nullptr, sfd_transfer_table_find(&table_, UINT64_MAX));
}

TEST_F(TableTest, ShouldNotFindARemovedTransferWhenItsPositionIsUsedAgain)
{
    struct sfd_transfer *first = add();
    const uint64_t id = first->id;
    sfd_transfer_table_remove(&table_, first);
    EXPECT_EQ(nullptr, sfd_transfer_table_find(&table_, id));
    const struct sfd_transfer *second = add();
    EXPECT_EQ(1u, table_.count);
    EXPECT_NE(id, second->id);
    EXPECT_EQ(id & (SFD_TRANSFER_TABLE_MAX - 1), second->id & (SFD_TRANSFER_TABLE_MAX - 1)) << "the same position";
    EXPECT_EQ(nullptr, sfd_transfer_table_find(&table_, id));
}

TEST_F(TableTest, ShouldTellWhichLoopGaveAnId)
{
    for (int i = 0; i < 100; i++) {
        EXPECT_EQ(LOOP, sfd_transfer_table_loop_of(add()->id));
    }
}

TEST_F(TableTest, ShouldGiveIdsThatAreDistinctAndLeaveBit63Clear)
{
    std::set<uint64_t> random_parts;
    for (int i = 0; i < 5000; i++) {
        const uint64_t id = add()->id;
        EXPECT_NE(0u, id);
        EXPECT_LT(id, SFD_ID_MAX);
        random_parts.insert(id >> 23);
    }
    /* 5,000 draws of 40 bits: two that collide are a chance of 1 in 90,000, a third is out of reach. */
    EXPECT_GE(random_parts.size(), 4999u);
}

TEST_F(TableTest, ShouldGrowWithoutLosingAnybody)
{
    for (int i = 0; i < 1000; i++) {
        add();
    }
    for (const auto &t : transfers_) {
        EXPECT_EQ(t.get(), sfd_transfer_table_find(&table_, t->id));
    }
    EXPECT_EQ(1000u, table_.count);
}

TEST_F(TableTest, ShouldVisitEachTransferOnceEvenWhenItIsRemovedMeanwhile)
{
    for (int i = 0; i < 200; i++) {
        add();
    }
    sfd_transfer_table_remove(&table_, transfers_[7].get());
    std::set<const struct sfd_transfer *> seen;
    uint32_t position = 0;
    while (struct sfd_transfer *t = sfd_transfer_table_next(&table_, &position)) {
        EXPECT_TRUE(seen.insert(t).second);
        sfd_transfer_table_remove(&table_, t);
    }
    EXPECT_EQ(199u, seen.size());
    EXPECT_EQ(0u, seen.count(transfers_[7].get()));
    EXPECT_EQ(0u, table_.count);
}

TEST_F(TableTest, ShouldRefuseMoreThanItsPositionsCanName)
{
    struct sfd_transfer t;
    sfd_transfer_init(&t);
    for (uint32_t i = 0; i < SFD_TRANSFER_TABLE_MAX; i++) {
        ASSERT_EQ(0, sfd_transfer_table_add(&table_, &t));
    }
    EXPECT_EQ(-EMFILE, sfd_transfer_table_add(&table_, &t));
    EXPECT_EQ(SFD_TRANSFER_TABLE_MAX, table_.count);
    sfd_transfer_table_remove(&table_, &t);
    EXPECT_EQ(0, sfd_transfer_table_add(&table_, &t)) << "a free position is used again";
}

} // namespace
