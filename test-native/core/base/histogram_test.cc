// The cells of a histogram: how wide they are, and that they are those of HdrHistogram.
#include "core.h"

extern "C" {
#include "base/histogram.h"
}

namespace
{

/* AbstractHistogram.countsArrayIndex of HdrHistogram 2.2.2, for (64, 2^42 - 1, 2). */
uint32_t cellOfHdrHistogram(uint64_t value)
{
    const int unitMagnitude = 6;
    const int subBucketHalfCountMagnitude = 7;
    const uint64_t subBucketMask = uint64_t{255} << unitMagnitude;
    const int leadingZeroCountBase = 64 - unitMagnitude - subBucketHalfCountMagnitude - 1;
    const int bucketIndex = leadingZeroCountBase - __builtin_clzll(value | subBucketMask);
    const auto subBucketIndex = static_cast<uint32_t>(value >> (bucketIndex + unitMagnitude));
    return (static_cast<uint32_t>(bucketIndex + 1) << subBucketHalfCountMagnitude) + subBucketIndex - 128;
}

TEST(HistogramTest, ShouldHaveTheCellsOfHdrHistogram)
{
    for (uint64_t ns = 1; ns < uint64_t{1} << 42; ns = ns * 9 / 8 + 1) {
        for (const uint64_t at : {ns - 1, ns, ns + 1}) {
            ASSERT_EQ(cellOfHdrHistogram(at), sfd_histogram_cell(at)) << at;
        }
    }
}

TEST(HistogramTest, ShouldCountWhatIsTooLongInTheLastCell)
{
    EXPECT_EQ(SFD_HISTOGRAM_CELLS - 1u, sfd_histogram_cell((uint64_t{1} << 42) - 1));
    EXPECT_EQ(SFD_HISTOGRAM_CELLS - 1u, sfd_histogram_cell(uint64_t{1} << 42));
    EXPECT_EQ(SFD_HISTOGRAM_CELLS - 1u, sfd_histogram_cell(UINT64_MAX));
}

TEST(HistogramTest, ShouldKeepCountSumAndGreatest)
{
    const auto histogram = std::make_unique<struct sfd_histogram>();
    sfd_histogram_record(histogram.get(), 100);
    sfd_histogram_record(histogram.get(), 5000);
    sfd_histogram_record(histogram.get(), 120);
    EXPECT_EQ(3u, histogram->count.load());
    EXPECT_EQ(5220u, histogram->sum_ns.load());
    EXPECT_EQ(5000u, histogram->max_ns.load());
    EXPECT_EQ(2u, histogram->cell[1].load());
}

} // namespace
