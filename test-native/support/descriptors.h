// Descriptors in tests: owning them, and proving that none leaked.
#ifndef SFD_TEST_DESCRIPTORS_H
#define SFD_TEST_DESCRIPTORS_H

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <utility>
#include <vector>

#include <dirent.h>
#include <unistd.h>

// A descriptor with one owner.
class OwnedFd
{
  public:
    OwnedFd() = default;
    explicit OwnedFd(int fd) : fd_(fd) {}
    OwnedFd(OwnedFd &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    OwnedFd &operator=(OwnedFd &&other) noexcept
    {
        reset(std::exchange(other.fd_, -1));
        return *this;
    }
    OwnedFd(const OwnedFd &) = delete;
    OwnedFd &operator=(const OwnedFd &) = delete;
    ~OwnedFd()
    {
        reset();
    }

    int get() const
    {
        return fd_;
    }
    void reset(int fd = -1)
    {
        if (fd_ >= 0) {
            close(fd_);
        }
        fd_ = fd;
    }

  private:
    int fd_ = -1;
};

// The numbers of all open descriptors of this process, in order.
inline std::vector<int> openDescriptors()
{
    std::vector<int> numbers;
    DIR *directory = opendir("/proc/self/fd");

    if (directory == nullptr) {
        ADD_FAILURE() << "cannot read /proc/self/fd";
        return numbers;
    }
    while (const dirent *entry = readdir(directory)) {
        const int number = std::atoi(entry->d_name);

        if (entry->d_name[0] != '.' && number != dirfd(directory)) {
            numbers.push_back(number);
        }
    }
    closedir(directory);
    std::sort(numbers.begin(), numbers.end());
    return numbers;
}

// A test that fails when it leaves another set of descriptors open than it found. A fixture calls
// SetUp() first and TearDown() last.
class DescriptorCountingTest : public testing::Test
{
  protected:
    void SetUp() override
    {
        before_ = openDescriptors();
    }
    void TearDown() override
    {
        EXPECT_EQ(openDescriptors(), before_) << "descriptors leaked";
    }

  private:
    std::vector<int> before_;
};

#endif
