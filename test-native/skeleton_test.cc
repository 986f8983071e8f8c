// The build's own smoke test: the toolchain compiles, links and runs a test.
#include <gtest/gtest.h>

TEST(Skeleton, shouldKnowTheProjectsVersion)
{
    EXPECT_STRNE(SENDFILED_VERSION, "");
}
