// Which loop receives while one is stuck: R4, R5, D18.
#include "two_loops_fixture.h"

namespace
{

using ReceivingTest = TwoLoopsFixture;

TEST_F(ReceivingTest, ShouldServeWithoutAWatch)
{
    const OwnedFd in = request(SFD_WIRE_READ_FILE, "small");
    EXPECT_BYTES("small", readToEnd(in.get()).substr(SFD_WIRE_FILE_INFO_SIZE));
    EXPECT_EQ(0u, stuck());
}

TEST_F(ReceivingTest, ShouldReceiveElsewhereWhileALoopIsStuck)
{
    stick(); // without a signal to free it
    for (int i = 0; i < 10; i++) {
        EXPECT_TRUE(serves());
    }
    expectAllOfTheBigFile();
    for (int i = 0; i < 10; i++) {
        EXPECT_TRUE(serves()) << "and both live on";
    }
}

} // namespace
