// The table of devices: each found by its number, by every thread, in the room that there is. The disk pool fills it.
#include "core.h"

#include <atomic>
#include <linux/magic.h>
#include <memory>
#include <thread>

namespace
{

class DevicesTest : public CoreTest
{
  protected:
    void SetUp() override
    {
        CoreTest::SetUp();
        sys_ = copyOfSys();
        sys_.fstatfs_type = [](int, uint64_t *type) {
            *type = EXT4_SUPER_MAGIC;
            return 0;
        };
        sys_.preadv2 = [](int fd, const struct iovec *iov, int count, int64_t offset, int) {
            return sfd_sys_linux.preadv2(fd, iov, count, offset, 0);
        };
        kernel_ = std::make_unique<Kernel>(&sys_);
        sfd_devices_init(&devices_);
        directory_ = std::make_unique<TemporaryDirectory>();
        writeFile(*directory_ / "file", "content");
        file_ = openFile(*directory_ / "file", O_RDONLY);
    }
    void TearDown() override
    {
        file_.reset();
        directory_.reset();
        sfd_devices_deinit(&devices_);
        kernel_.reset();
        CoreTest::TearDown();
    }

    struct sfd_sys sys_;
    std::unique_ptr<Kernel> kernel_;
    struct sfd_devices devices_;
    std::unique_ptr<TemporaryDirectory> directory_;
    OwnedFd file_;
};

TEST_F(DevicesTest, ShouldRecognizeADevice)
{
    EXPECT_EQ(-ENOENT, sfd_devices_find(&devices_, 7));
    const int index = sfd_residency_learn(&devices_, &kernel_->kernel, file_.get(), 7);
    EXPECT_EQ(index, sfd_residency_learn(&devices_, &kernel_->kernel, file_.get(), 7));
    EXPECT_EQ(index, sfd_devices_find(&devices_, 7));
    EXPECT_EQ(index, sfd_devices_add(&devices_, 7));
    EXPECT_EQ(SFD_MEDIUM_LOCAL, sfd_devices_medium(&devices_, index));
}

TEST_F(DevicesTest, ShouldKnowNothingOfADeviceThatWasOnlyAdded)
{
    const int index = sfd_devices_add(&devices_, 7);
    EXPECT_EQ(SFD_MEDIUM_UNKNOWN, sfd_devices_medium(&devices_, index));
    EXPECT_FALSE(sfd_medium_is_local(SFD_MEDIUM_UNKNOWN));
    EXPECT_EQ(index, sfd_residency_learn(&devices_, &kernel_->kernel, file_.get(), 7));
    EXPECT_EQ(SFD_MEDIUM_LOCAL, sfd_devices_medium(&devices_, index));
}

TEST_F(DevicesTest, ShouldShareTheLastEntryAmongTheDevicesThatDoNotFit)
{
    for (uint64_t dev = 0; dev < SFD_DEVICES_MAX + 10; dev++) {
        const int index = sfd_residency_learn(&devices_, &kernel_->kernel, file_.get(), dev);
        ASSERT_GE(index, 0);
        ASSERT_LT(index, SFD_DEVICES_MAX);
        const bool fits = dev < SFD_DEVICES_MAX - 1;
        EXPECT_EQ(fits ? SFD_MEDIUM_LOCAL : SFD_MEDIUM_REMOTE, sfd_devices_medium(&devices_, index)) << dev;
    }
    EXPECT_EQ(-ENOENT, sfd_devices_find(&devices_, SFD_DEVICES_MAX)) << "the loop must not guess";
}

TEST_F(DevicesTest, ShouldGiveIdleEntriesToNewDevices) // R10
{
    for (uint64_t dev = 1; dev <= 10 * SFD_DEVICES_MAX; dev++) {
        const int index = sfd_residency_learn(&devices_, &kernel_->kernel, file_.get(), dev);
        ASSERT_NE(SFD_DEVICES_SHARED, index) << dev;
        EXPECT_EQ(SFD_MEDIUM_LOCAL, sfd_devices_medium(&devices_, index));
        sfd_devices_put(&devices_, index);
    }
    EXPECT_EQ(-ENOENT, sfd_devices_find(&devices_, 1)) << "its entry is another device's";
    const int last = sfd_devices_find(&devices_, 10 * SFD_DEVICES_MAX);
    ASSERT_GE(last, 0) << "it was used lately";
    sfd_devices_put(&devices_, last);
}

TEST_F(DevicesTest, ShouldKeepAnEntryThatIsInUse) // R10
{
    const int dead = sfd_residency_learn(&devices_, &kernel_->kernel, file_.get(), 1);
    sfd_devices_hold(&devices_, dead);
    sfd_devices_put(&devices_, dead); // one of two
    for (uint64_t dev = 2; dev <= 3 * SFD_DEVICES_MAX; dev++) {
        const int index = sfd_devices_add(&devices_, dev);
        ASSERT_NE(dead, index);
        EXPECT_EQ(SFD_MEDIUM_UNKNOWN, sfd_devices_medium(&devices_, index)) << "nothing is left of the device before";
        sfd_devices_put(&devices_, index);
    }
    EXPECT_EQ(dead, sfd_devices_find(&devices_, 1));
}

TEST_F(DevicesTest, ShouldNeverGiveAwayWhatAThreadUses) // R10
{
    std::vector<std::thread> threads;
    std::atomic<int> wrong{0};
    for (uint64_t thread = 0; thread < 4; thread++) {
        threads.emplace_back([&, thread] {
            for (uint64_t i = 0; i < 20000; i++) {
                const uint64_t dev = 1 + (i * (2 * thread + 3)) % (2 * SFD_DEVICES_MAX);
                const int index = sfd_devices_add(&devices_, dev);
                if (index != SFD_DEVICES_SHARED && devices_.at[index].dev.load() != dev) {
                    wrong++;
                }
                sfd_devices_put(&devices_, index);
            }
        });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    EXPECT_EQ(0, wrong.load());
    for (int i = 0; i < SFD_DEVICES_MAX; i++) {
        EXPECT_EQ(0u, devices_.at[i].users.load()) << i;
    }
}

TEST_F(DevicesTest, ShouldGiveOneIndexToADeviceThatManyThreadsLearnAtOnce)
{
    std::vector<std::thread> threads;
    std::atomic<int> wrong(0);
    struct sfd_kernel kernel = kernel_->kernel;
    kernel.sys = &sfd_sys_linux; /* the script is for one thread */
    for (int i = 0; i < 8; i++) {
        threads.emplace_back([&] {
            for (uint64_t dev = 0; dev < 40; dev++) {
                const int index = sfd_residency_learn(&devices_, &kernel, file_.get(), dev);
                if (index != sfd_devices_find(&devices_, dev)) {
                    wrong++;
                }
            }
        });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    EXPECT_EQ(0, wrong);
    EXPECT_EQ(40u, devices_.count.load());
}

} // namespace
