// A root of the hot path, a file there, and a clock: what tests of the hot path share.
#ifndef SFD_TEST_HOT_FIXTURE_H
#define SFD_TEST_HOT_FIXTURE_H

#include "core.h"

#include <filesystem>
#include <memory>

extern "C" {
#include "hot.h"
}

inline constexpr uint64_t MS = 1000000;
inline constexpr uint64_t HOT_WINDOW = 256 * 1024;

class HotFixture : public CoreTest
{
  protected:
    void SetUp() override
    {
        CoreTest::SetUp();
        sys_ = copyOfSys();
        directory_ = std::make_unique<TemporaryDirectory>();
        std::filesystem::create_directory(*directory_ / "root");
        content_ = pattern(SIZE);
        writeFile(*directory_ / "root/file", content_);
        ASSERT_EQ(0, init());
    }
    void TearDown() override
    {
        close();
        sfd_hot_deinit(&hot_);
        directory_.reset();
        CoreTest::TearDown();
    }

    int init(size_t cache_entries = 0, uint64_t cache_age_ns = 0, bool cache_looks = false)
    {
        return initAt(*directory_ / "root", cache_entries, cache_age_ns, cache_looks);
    }
    int initAt(const std::string &path, size_t cache_entries = 0, uint64_t cache_age_ns = 0, bool cache_looks = false)
    {
        struct sfd_hot_settings options = {};
        options.sys = &sys_;
        options.cache_entries = cache_entries;
        options.cache_age_ns = cache_age_ns;
        options.cache_looks = cache_looks;
        close();
        sfd_hot_deinit(&hot_);
        return sfd_hot_init(&hot_, path.c_str(), &options);
    }
    void close()
    {
        sfd_hot_source_close(&file_);
    }
    int open(const char *path = "file")
    {
        close();
        return sfd_hot_source_open(&hot_, path, &file_);
    }
    std::string path(const std::string &name = "file") const
    {
        return *directory_ / ("root/" + name);
    }
    struct sfd_hot_sent send(int dest, uint64_t offset, uint64_t length, const std::string &head = "",
                             const struct sfd_fd_info *known = nullptr)
    {
        return sfd_hot_source_send(&file_, dest, known, head.data(), head.size(), offset, length);
    }

    static constexpr uint64_t SIZE = 3 * HOT_WINDOW + 12345;
    struct sfd_sys sys_;
    std::unique_ptr<TemporaryDirectory> directory_;
    std::string content_;
    struct sfd_hot hot_ = {};
    struct sfd_hot_source file_ = {};
};

#endif
