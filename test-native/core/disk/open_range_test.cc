// R12: ranges of files and of the wire, against arithmetic that has room for every sum. The Java twin is
// RangePropertyTest.
#include "core.h"

#include <random>

namespace
{

__extension__ typedef __int128 Wide;
constexpr Wide MOST = INT64_MAX;

// Each corner of 64 bits, and what lies beside it.
std::vector<uint64_t> corners()
{
    std::vector<uint64_t> all;
    for (int bit = 0; bit < 64; bit++) {
        for (int beside = -1; beside <= 1; beside++) {
            all.push_back((uint64_t{1} << bit) + static_cast<uint64_t>(beside));
        }
    }
    for (const uint64_t base : {uint64_t{INT64_MAX}, UINT64_MAX, uint64_t{4096}, uint64_t{65536}}) {
        for (uint64_t below = 0; below < 3; below++) {
            all.push_back(base - below);
        }
    }
    return all;
}

void expectRange(uint64_t size, int64_t offset, uint64_t length)
{
    uint64_t end = 0xa5a5;
    const int result = sfd_open_range(size, offset, length, &end);
    const Wide from = offset;
    const Wide until = length == SFD_OPEN_TO_END ? Wide{size} : from + Wide{length};

    if (from < 0 || from > Wide{size} || until > Wide{size}) {
        ASSERT_EQ(-ERANGE, result) << size << " " << offset << " " << length;
        ASSERT_EQ(0xa5a5u, end) << "outputs of a failure stay as they were";
    } else {
        ASSERT_EQ(0, result) << size << " " << offset << " " << length;
        ASSERT_EQ(static_cast<uint64_t>(until), end);
        ASSERT_LE(static_cast<uint64_t>(offset), end);
    }
}

TEST(Range, ShouldBeWhatWideArithmeticSaysAtEveryCornerOfAFile) // R12, D5, D6
{
    const std::vector<uint64_t> all = corners();
    for (const uint64_t size : all) {
        if (size > uint64_t{INT64_MAX}) {
            continue; // no file is as long
        }
        for (const uint64_t offset : all) {
            for (const uint64_t length : all) {
                expectRange(size, static_cast<int64_t>(offset), length);
            }
            if (HasFatalFailure()) {
                return;
            }
        }
    }
}

TEST(Range, ShouldBeWhatWideArithmeticSaysNearTheEndOfAFile) // R12, D5, D6
{
    std::mt19937_64 random(20261120);
    for (int i = 0; i < 1000000; i++) {
        const uint64_t size = random() >> (1 + random() % 63);
        const uint64_t near = random() % 5;
        const uint64_t offset = random() % 3 == 0 ? random() : size - 2 + near;
        const uint64_t length = random() % 3 == 0 ? random() : size - offset - 2 + random() % 5;
        expectRange(size, static_cast<int64_t>(offset), length);
        if (HasFatalFailure()) {
            return;
        }
    }
}

TEST(Range, ShouldLeaveTheWireOnlyIfItFitsIntoAFile) // R12, D5
{
    struct sfd_options options = {};
    char message[SFD_WIRE_MAX_REQUEST_SIZE] = {};
    int taken = 0;

    for (const uint64_t offset : corners()) {
        for (const uint64_t length : corners()) {
            const auto from = static_cast<int64_t>(offset);
            const bool fits = from >= 0 && Wide{from} + Wide{length} <= MOST;
            struct dispatcher_request request = {};

            size_t n = sfd_wire_put_path_request(message, SFD_WIRE_READ_FILE, from, length);
            message[n] = 'f';
            message[n + 1] = 0;
            ASSERT_EQ(fits ? 0 : -ERANGE, dispatcher_decode(message, n + 2, &request)) << from << " " << length;
            n = sfd_wire_put_extended_request(message, SFD_WIRE_SEND_DESCRIPTOR, from, length, &options, 0);
            ASSERT_EQ(fits ? 0 : -ERANGE, dispatcher_decode(message, n, &request));
            options.version = SFD_WIRE_VERSION_2;
            n = sfd_wire_put_extended_request(message, SFD_WIRE_SEND_DESCRIPTOR, from, length, &options, 0);
            const bool fits2 = from >= 0 && (length == SFD_WIRE_TO_END || fits);
            ASSERT_EQ(fits2 ? 0 : -ERANGE, dispatcher_decode(message, n, &request));
            ASSERT_TRUE(!fits2 || request.length == length); // 0 stays 0
            options.version = 0;
            taken += fits ? 1 : 0;
        }
    }
    EXPECT_GT(taken, 10000);
}

} // namespace
