// Tests of native/core/protocol/session_ring.c: memory that its other owner writes to whenever it likes (R29).
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <thread>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

extern "C" {
#include "protocol/session_ring.h"
}

namespace
{

constexpr uint32_t SUBMISSIONS = 8;
constexpr uint32_t COMPLETIONS = 4;
constexpr uint32_t ARENA = 100;

class SessionRingTest : public testing::Test
{
  protected:
    // The memory ends at a page that cannot be touched, and another one is before it.
    void SetUp() override
    {
        const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
        bytes_ = sfd_session_ring_bytes(&sizes_);
        mapped_ = 3 * page;
        map_ = mmap(nullptr, mapped_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        ASSERT_NE(MAP_FAILED, map_);
        ASSERT_LT(bytes_, page);
        unsigned char *const middle = static_cast<unsigned char *>(map_) + page;
        ASSERT_EQ(0, mprotect(middle, page, PROT_READ | PROT_WRITE));
        memory_ = middle;
        memset(middle + bytes_, 0x5a, page - bytes_); // what is behind it stays as it is
        behind_ = page - bytes_;
        sfd_session_ring_init(&ring_, memory_, &sizes_);
    }
    void TearDown() override
    {
        for (size_t i = 0; i < behind_; i++) {
            ASSERT_EQ(0x5a, memory_[bytes_ + i]) << "written behind the memory, at " << i;
        }
        munmap(map_, mapped_);
    }
    std::atomic<uint32_t> &word(size_t at)
    {
        return *reinterpret_cast<std::atomic<uint32_t> *>(memory_ + at);
    }
    struct sfd_session_entry &entry(uint32_t place)
    {
        return reinterpret_cast<struct sfd_session_entry *>(memory_ + SFD_SESSION_RINGS_AT)[place];
    }
    const struct sfd_session_completion &completion(uint32_t place)
    {
        return reinterpret_cast<struct sfd_session_completion *>(memory_ + SFD_SESSION_RINGS_AT)[SUBMISSIONS + place];
    }
    unsigned char *arena()
    {
        return memory_ + bytes_ - ARENA;
    }

    const struct sfd_session_sizes sizes_ = {SUBMISSIONS, COMPLETIONS, ARENA};
    size_t bytes_ = 0;
    size_t behind_ = 0;
    size_t mapped_ = 0;
    void *map_ = nullptr;
    unsigned char *memory_ = nullptr;
    struct sfd_session_ring ring_ = {};
};

size_t bytesOf(uint32_t submissions, uint32_t completions, uint32_t arena)
{
    const struct sfd_session_sizes sizes = {submissions, completions, arena};

    return sfd_session_ring_bytes(&sizes);
}

TEST(SessionRingSizesTest, ShouldBePowersOfTwoWithinTheirLimits)
{
    for (const uint32_t wrong : {0u, 1u, 2u, 3u, 5u, 6u, 7u, 12u, 8191u, 8193u, 16384u, 0x80000000u, UINT32_MAX}) {
        EXPECT_EQ(0u, bytesOf(wrong, 8, 0)) << wrong;
        EXPECT_EQ(0u, bytesOf(8, wrong, 0)) << wrong;
    }
    for (uint32_t right = SFD_SESSION_RING_MIN; right <= SFD_SESSION_RING_MAX; right *= 2) {
        EXPECT_EQ(256 + (size_t{right} + 4) * 64, bytesOf(right, 4, 0));
        EXPECT_EQ(256 + (size_t{right} + 4) * 64 + 1, bytesOf(4, right, 1));
    }
}

TEST(SessionRingSizesTest, ShouldBoundTheArena)
{
    EXPECT_EQ(256 + 16384u * 64 + SFD_SESSION_ARENA_MAX, bytesOf(8192, 8192, SFD_SESSION_ARENA_MAX));
    EXPECT_EQ(0u, bytesOf(8, 8, SFD_SESSION_ARENA_MAX + 1));
    EXPECT_EQ(0u, bytesOf(8, 8, UINT32_MAX));
}

TEST_F(SessionRingTest, ShouldRefuseASubmittedCounterThatCannotBe)
{
    EXPECT_EQ(0, sfd_session_ring_waiting(&ring_));
    word(SFD_SESSION_SUBMITTED_AT) = SUBMISSIONS;
    EXPECT_EQ(int64_t{SUBMISSIONS}, sfd_session_ring_waiting(&ring_));
    for (const uint32_t wrong : {SUBMISSIONS + 1, 0x7fffffffu, 0x80000000u, 0xffffffffu}) {
        word(SFD_SESSION_SUBMITTED_AT) = wrong;
        EXPECT_EQ(-EPROTO, sfd_session_ring_waiting(&ring_)) << wrong;
    }
    sfd_session_ring_take(&ring_);
    word(SFD_SESSION_SUBMITTED_AT) = 0;
    EXPECT_EQ(-EPROTO, sfd_session_ring_waiting(&ring_)) << "it runs backwards";
    word(SFD_SESSION_SUBMITTED_AT) = 1;
    EXPECT_EQ(0, sfd_session_ring_waiting(&ring_));
}

TEST_F(SessionRingTest, ShouldRefuseAReapedCounterThatCannotBe)
{
    EXPECT_EQ(int64_t{COMPLETIONS}, sfd_session_ring_room(&ring_));
    for (const uint32_t wrong : {1u, COMPLETIONS, 0x80000000u, UINT32_MAX - COMPLETIONS}) {
        word(SFD_SESSION_REAPED_AT) = wrong;
        EXPECT_EQ(-EPROTO, sfd_session_ring_room(&ring_)) << wrong << ": beyond what was written";
    }
    word(SFD_SESSION_REAPED_AT) = 0;
    const struct sfd_session_completion some = {};
    for (uint32_t i = 0; i < COMPLETIONS; i++) {
        EXPECT_EQ(int64_t{COMPLETIONS} - i, sfd_session_ring_room(&ring_));
        sfd_session_ring_write(&ring_, &some);
    }
    EXPECT_EQ(0, sfd_session_ring_room(&ring_));
    word(SFD_SESSION_REAPED_AT) = UINT32_MAX;
    EXPECT_EQ(-EPROTO, sfd_session_ring_room(&ring_)) << "it runs backwards";
    word(SFD_SESSION_REAPED_AT) = COMPLETIONS;
    EXPECT_EQ(int64_t{COMPLETIONS}, sfd_session_ring_room(&ring_));
}

TEST_F(SessionRingTest, ShouldGoOnWhenCountersWrapAround)
{
    constexpr uint32_t START = UINT32_MAX - 5;
    ring_.taken = START;
    ring_.written = ring_.completed = START;
    word(SFD_SESSION_REAPED_AT) = START;
    for (uint32_t i = 0; i < 20; i++) {
        const uint32_t n = START + i;
        entry(n & (SUBMISSIONS - 1)).user_data = 1000 + i;
        word(SFD_SESSION_SUBMITTED_AT) = n + 1;
        ASSERT_EQ(1, sfd_session_ring_waiting(&ring_)) << i;
        struct sfd_session_entry e = {};
        sfd_session_ring_peek(&ring_, &e);
        EXPECT_EQ(1000 + i, e.user_data);
        sfd_session_ring_take(&ring_);
        EXPECT_EQ(n + 1, word(SFD_SESSION_TAKEN_AT));
        struct sfd_session_completion done = {};
        done.user_data = 2000 + i;
        sfd_session_ring_write(&ring_, &done);
        ASSERT_EQ(int64_t{COMPLETIONS} - 1, sfd_session_ring_room(&ring_)) << i;
        EXPECT_FALSE(sfd_session_ring_publish(&ring_));
        EXPECT_EQ(n + 1, word(SFD_SESSION_COMPLETED_AT));
        EXPECT_EQ(2000 + i, completion(n & (COMPLETIONS - 1)).user_data);
        word(SFD_SESSION_REAPED_AT) = n + 1;
    }
    word(SFD_SESSION_SUBMITTED_AT) = START; // before the wrap: twenty back
    EXPECT_EQ(-EPROTO, sfd_session_ring_waiting(&ring_));
}

TEST_F(SessionRingTest, ShouldNotCopyWhatIsOutsideTheArena)
{
    char out[ARENA + 1];

    memset(arena(), 'a', ARENA);
    EXPECT_TRUE(sfd_session_ring_copy(&ring_, 0, ARENA, out));
    EXPECT_TRUE(sfd_session_ring_copy(&ring_, ARENA - 1, 1, out));
    EXPECT_TRUE(sfd_session_ring_copy(&ring_, ARENA, 0, out));
    EXPECT_FALSE(sfd_session_ring_copy(&ring_, 0, ARENA + 1, out));
    EXPECT_FALSE(sfd_session_ring_copy(&ring_, ARENA, 1, out));
    EXPECT_FALSE(sfd_session_ring_copy(&ring_, ARENA - 1, 2, out));
    EXPECT_FALSE(sfd_session_ring_copy(&ring_, ARENA + 1, 0, out));
    EXPECT_FALSE(sfd_session_ring_copy(&ring_, UINT32_MAX, 1, out));
    EXPECT_FALSE(sfd_session_ring_copy(&ring_, UINT32_MAX - 9, 20, out)) << "the sum wraps around";
    EXPECT_FALSE(sfd_session_ring_copy(&ring_, 0, SIZE_MAX, out));
    EXPECT_FALSE(sfd_session_ring_copy(&ring_, 50, SIZE_MAX - 10, out));
}

TEST_F(SessionRingTest, ShouldCopyTheLastByteOfTheArenaAndNoMore)
{
    char out[2] = {0, 'x'};

    arena()[ARENA - 1] = 'z';
    ASSERT_TRUE(sfd_session_ring_copy(&ring_, ARENA - 1, 1, out));
    EXPECT_EQ('z', out[0]);
    EXPECT_EQ('x', out[1]);
}

TEST_F(SessionRingTest, ShouldNotSeeWhatChangesAfterItWasCopied)
{
    struct sfd_session_entry e = {};
    char path[4];

    entry(0).operation = SFD_SESSION_OPEN;
    entry(0).user_data = 7;
    entry(0).path_length = 4;
    memcpy(arena(), "path", 4);
    sfd_session_ring_peek(&ring_, &e);
    ASSERT_TRUE(sfd_session_ring_copy(&ring_, 0, 4, path));
    memset(static_cast<void *>(&entry(0)), 0xff, sizeof(struct sfd_session_entry));
    memcpy(arena(), "evil", 4);
    EXPECT_EQ(SFD_SESSION_OPEN, e.operation);
    EXPECT_EQ(4, e.path_length);
    EXPECT_EQ(7u, e.user_data);
    EXPECT_EQ(0, memcmp("path", path, 4));
}

TEST_F(SessionRingTest, ShouldGoByItsOwnCounters)
{
    const struct sfd_session_completion some = {};

    sfd_session_ring_take(&ring_);
    sfd_session_ring_write(&ring_, &some);
    (void)sfd_session_ring_publish(&ring_);
    word(SFD_SESSION_TAKEN_AT) = 99;
    word(SFD_SESSION_COMPLETED_AT) = 99;
    sfd_session_ring_take(&ring_);
    EXPECT_EQ(2u, word(SFD_SESSION_TAKEN_AT));
    sfd_session_ring_write(&ring_, &some);
    (void)sfd_session_ring_publish(&ring_);
    EXPECT_EQ(2u, word(SFD_SESSION_COMPLETED_AT));
}

// A counter that changes while it is looked at: what is given is what was checked.
TEST_F(SessionRingTest, ShouldReadACounterOnce)
{
    std::atomic<bool> over{false};
    std::thread flips([&] {
        while (!over) {
            word(SFD_SESSION_SUBMITTED_AT) = 3;
            word(SFD_SESSION_REAPED_AT) = 0;
            word(SFD_SESSION_SUBMITTED_AT) = 4000000000u;
            word(SFD_SESSION_REAPED_AT) = 4000000u;
        }
    });
    for (int i = 0; i < 200000; i++) {
        const int64_t waiting = sfd_session_ring_waiting(&ring_);
        const int64_t room = sfd_session_ring_room(&ring_);
        if ((waiting != 0 && waiting != 3 && waiting != -EPROTO) || (room != COMPLETIONS && room != -EPROTO)) {
            ADD_FAILURE() << waiting << ", " << room;
            break;
        }
    }
    over = true;
    flips.join();
}

TEST_F(SessionRingTest, ShouldWakeAClientThatSleepsAndOnce)
{
    const struct sfd_session_completion some = {};

    word(SFD_SESSION_CLIENT_STATE_AT) = UINT32_MAX;
    EXPECT_FALSE(sfd_session_ring_publish(&ring_)) << "there is nothing to show";
    sfd_session_ring_write(&ring_, &some);
    EXPECT_TRUE(sfd_session_ring_publish(&ring_));
    EXPECT_EQ(~uint32_t{SFD_SESSION_WAKE}, word(SFD_SESSION_CLIENT_STATE_AT)) << "other bits are the client's";
    sfd_session_ring_write(&ring_, &some);
    EXPECT_FALSE(sfd_session_ring_publish(&ring_));
}

TEST_F(SessionRingTest, ShouldSayWhatItDoes)
{
    sfd_session_ring_sleep(&ring_);
    EXPECT_EQ(uint32_t{SFD_SESSION_WAKE}, word(SFD_SESSION_STATE_AT));
    sfd_session_ring_end(&ring_);
    EXPECT_EQ(uint32_t{SFD_SESSION_WAKE | SFD_SESSION_ENDING}, word(SFD_SESSION_STATE_AT));
    sfd_session_ring_wake(&ring_);
    EXPECT_EQ(uint32_t{SFD_SESSION_ENDING}, word(SFD_SESSION_STATE_AT));
}

} // namespace
