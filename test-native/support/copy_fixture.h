// A file, and files to copy it to, on a disk and in memory: what tests of copying share.
#ifndef SFD_TEST_COPY_FIXTURE_H
#define SFD_TEST_COPY_FIXTURE_H

#include "scripted.h"

#include <memory>

#include <sys/mman.h>

extern "C" {
#include "transfer/copy.h"
}

constexpr enum sfd_technique COPY_TECHNIQUES[] = {SFD_TECHNIQUE_COPY_FILE_RANGE, SFD_TECHNIQUE_SENDFILE,
                                                  SFD_TECHNIQUE_MMAP, SFD_TECHNIQUE_READ_WRITE};

class CopyFixture : public CoreTest, public testing::WithParamInterface<const char *>
{
  protected:
    static constexpr uint64_t SIZE = 50000;
    static constexpr uint64_t BLOCK = 64 * 1024;

    void SetUp() override
    {
        CoreTest::SetUp();
        kernel_ = std::make_unique<Kernel>();
        script = {};
        gate_.word = 0;
        range_ = {};
        sfd_write_ranges_init(&ranges_);
        sys_ = scripted();
        kernel_->kernel.sys = &sys_;
        directory_ = std::make_unique<TemporaryDirectory>(GetParam());
        content_ = pattern(SIZE);
        writeFile(*directory_ / "file", content_);
        file_ = openFile(*directory_ / "file", O_RDONLY);
        buffer_.resize(16384);
    }
    void TearDown() override
    {
        file_.reset();
        output_.reset();
        directory_.reset();
        sfd_write_ranges_deinit(&ranges_);
        kernel_.reset();
        CoreTest::TearDown();
    }

    /* Of the whole file to "output", or to what `output_` is. */
    struct sfd_copy copyTo(int dest, uint64_t offset = 0, uint64_t end = SIZE)
    {
        struct sfd_copy copy = {};
        copy.move.kernel = &kernel_->kernel;
        copy.move.file = file_.get();
        copy.move.dest = dest;
        copy.move.dest_kind = SFD_FD_REGULAR;
        copy.move.buffer = buffer_.data();
        copy.move.buffer_size = buffer_.size();
        copy.gate = &gate_;
        copy.appends = (fcntl(dest, F_GETFL) & O_APPEND) != 0;
        copy.to = static_cast<uint64_t>(lseek(dest, 0, SEEK_CUR));
        copy.offset = offset;
        copy.end = end;
        copy.budget = UINT64_MAX;
        copy.seeks = true;
        copy.technique = SFD_TECHNIQUE_COPY_FILE_RANGE;
        return copy;
    }
    struct sfd_copy copyToFile(int flags = O_TRUNC, uint64_t offset = 0, uint64_t end = SIZE)
    {
        output_ = openFile(*directory_ / "output", O_RDWR | O_CREAT | flags);
        return copyTo(output_.get(), offset, end);
    }

    /* Asks where it goes to, as before the first part. */
    int begin(struct sfd_copy *copy)
    {
        const int result = sfd_copy_begin(copy, &ranges_, &range_);
        sfd_write_ranges_leave(&ranges_, &range_);
        return result;
    }
    int64_t position()
    {
        return lseek(output_.get(), 0, SEEK_CUR);
    }

    /* A file of BLOCK-sized parts: 'd' data, 'h' hole. Becomes the source. */
    void layOut(const std::string &parts)
    {
        file_ = openFile(*directory_ / "sparse", O_RDWR | O_CREAT | O_TRUNC);
        content_.clear();
        for (size_t i = 0; i < parts.size(); i++) {
            const std::string part =
                parts[i] == 'd' ? pattern(BLOCK, static_cast<unsigned>(i) + 1) : std::string(BLOCK, '\0');
            content_ += part;
            if (parts[i] == 'd') {
                ASSERT_EQ(static_cast<ssize_t>(BLOCK),
                          pwrite(file_.get(), part.data(), BLOCK, static_cast<off_t>(i * BLOCK)));
            }
        }
        ASSERT_EQ(0, ftruncate(file_.get(), static_cast<off_t>(content_.size())));
        ASSERT_EQ(parts, partsOf(file_.get())) << "this file system keeps no holes";
    }
    static std::string partsOf(int fd)
    {
        struct stat st = {};
        EXPECT_EQ(0, fstat(fd, &st));
        std::string parts;
        for (off_t at = 0; at < st.st_size; at += BLOCK) {
            const off_t data = lseek(fd, at, SEEK_DATA);
            parts += data >= at && data < at + static_cast<off_t>(BLOCK) ? 'd' : 'h';
        }
        return parts;
    }
    std::string output()
    {
        return contentOf(*directory_ / "output");
    }

    std::unique_ptr<Kernel> kernel_;
    struct sfd_sys sys_;
    struct sfd_write_gate gate_ = {};
    struct sfd_write_ranges ranges_ = {};
    struct sfd_write_range range_ = {};
    std::unique_ptr<TemporaryDirectory> directory_;
    std::string content_;
    OwnedFd file_;
    OwnedFd output_;
    std::string buffer_;
};

/* The name of a parameter. */
inline std::string fileSystemName(const testing::TestParamInfo<const char *> &instance)
{
    return instance.index == 0 ? "Disk" : "Memory";
}

#endif
