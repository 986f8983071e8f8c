// Copying between files: each technique, what follows one that is refused, and holes. On a disk and in memory.
#include "scripted.h"

#include <memory>

#include <sys/mman.h>
#include <sys/resource.h>

extern "C" {
#include "copy.h"
}

namespace
{

constexpr enum sfd_technique TECHNIQUES[] = {SFD_TECHNIQUE_COPY_FILE_RANGE, SFD_TECHNIQUE_SENDFILE,
                                             SFD_TECHNIQUE_MMAP, SFD_TECHNIQUE_READ_WRITE};

class CopyTest : public CoreTest, public testing::WithParamInterface<const char *>
{
  protected:
    static constexpr uint64_t SIZE = 50000;
    static constexpr uint64_t BLOCK = 64 * 1024;

    void SetUp() override
    {
        CoreTest::SetUp();
        machine_ = std::make_unique<Machine>();
        script = {};
        sys_ = scripted();
        machine_->machine.sys = &sys_;
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
        machine_.reset();
        CoreTest::TearDown();
    }

    /* Of the whole file to "output", or to what `output_` is. */
    struct sfd_copy copyTo(int dest, uint64_t offset = 0, uint64_t end = SIZE)
    {
        struct sfd_copy copy = {};
        copy.move.machine = &machine_->machine;
        copy.move.file = file_.get();
        copy.move.dest = dest;
        copy.move.dest_kind = SFD_FD_REGULAR;
        copy.move.buffer = buffer_.data();
        copy.move.buffer_size = buffer_.size();
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

    /* A file of BLOCK-sized parts: 'd' data, 'h' hole. Becomes the source. */
    void layOut(const std::string &parts)
    {
        file_ = openFile(*directory_ / "sparse", O_RDWR | O_CREAT | O_TRUNC);
        content_.clear();
        for (size_t i = 0; i < parts.size(); i++) {
            const std::string part = parts[i] == 'd' ? pattern(BLOCK, static_cast<unsigned>(i) + 1)
                                                     : std::string(BLOCK, '\0');
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

    std::unique_ptr<Machine> machine_;
    struct sfd_sys sys_;
    std::unique_ptr<TemporaryDirectory> directory_;
    std::string content_;
    OwnedFd file_;
    OwnedFd output_;
    std::string buffer_;
};

INSTANTIATE_TEST_SUITE_P(FileSystems, CopyTest, testing::Values("/tmp", "/dev/shm"),
                         [](const auto &instance) {
                             return std::string(instance.index == 0 ? "Disk" : "Memory");
                         });

// ------------------------------------------------------------------ techniques

TEST_P(CopyTest, ShouldCopyARangeToThePositionByEachTechnique)
{
    for (const auto technique : TECHNIQUES) {
        SCOPED_TRACE(sfd_technique_name(technique));
        struct sfd_copy copy = copyToFile(O_TRUNC, 1001, 41001);
        ASSERT_EQ(3, write(output_.get(), "abc", 3));
        copy.technique = technique;
        copy.forced = true;
        EXPECT_PROGRESS(40000, SFD_STEP_MORE, 0, sfd_copy_run(&copy));
        EXPECT_EQ(technique, copy.technique);
        EXPECT_EQ(41001u, copy.offset);
        EXPECT_BYTES("abc" + content_.substr(1001, 40000), output());
        EXPECT_EQ(40003, lseek(output_.get(), 0, SEEK_CUR));
    }
}

TEST_P(CopyTest, ShouldStopWhenItsBudgetIsSpentAndGoOn)
{
    for (const auto technique : TECHNIQUES) {
        SCOPED_TRACE(sfd_technique_name(technique));
        struct sfd_copy copy = copyToFile();
        copy.technique = technique;
        copy.budget = 5000;
        EXPECT_PROGRESS(5000, SFD_STEP_MORE, 0, sfd_copy_run(&copy));
        EXPECT_BYTES(content_.substr(0, 5000), output());
        copy.budget = SIZE;
        EXPECT_PROGRESS(SIZE - 5000, SFD_STEP_MORE, 0, sfd_copy_run(&copy));
        EXPECT_BYTES(content_, output());
    }
}

TEST_P(CopyTest, ShouldFallBackToSendfileAndRememberIt)
{
    for (const int64_t error : {-EXDEV, -EINVAL, -EBADF, -EOPNOTSUPP, -ENOSYS, 0}) {
        SCOPED_TRACE(error);
        struct sfd_copy copy = copyToFile();
        script.copy_file_range = {error};
        EXPECT_PROGRESS(SIZE, SFD_STEP_MORE, 0, sfd_copy_run(&copy));
        EXPECT_EQ(SFD_TECHNIQUE_SENDFILE, copy.technique);
        EXPECT_BYTES(content_, output());
    }
}

TEST_P(CopyTest, ShouldFallBackToReadWriteInMidFile)
{
    struct sfd_copy copy = copyToFile();
    script.copy_file_range = {1000, -EXDEV};
    script.sendfile = {2000, -EINTR, -EINVAL};
    script.preadv2 = {7, 5000};
    script.pwritev2 = {3, 1, 3, 4000};
    EXPECT_PROGRESS(SIZE, SFD_STEP_MORE, 0, sfd_copy_run(&copy));
    EXPECT_EQ(SFD_TECHNIQUE_READ_WRITE, copy.technique);
    EXPECT_BYTES(content_, output());
}

TEST_P(CopyTest, ShouldTryNoOtherTechniqueThanTheForcedOne)
{
    struct sfd_copy copy = copyToFile();
    copy.forced = true;
    script.copy_file_range = {1000, -EXDEV};
    EXPECT_PROGRESS(1000, SFD_STEP_FAILED, -EXDEV, sfd_copy_run(&copy));
    copy.technique = SFD_TECHNIQUE_SENDFILE;
    script.sendfile = {-EINVAL};
    EXPECT_PROGRESS(0, SFD_STEP_FAILED, -EINVAL, sfd_copy_run(&copy));
    copy.technique = SFD_TECHNIQUE_SPLICE;
    EXPECT_PROGRESS(0, SFD_STEP_FAILED, -EINVAL, sfd_copy_run(&copy));
}

TEST_P(CopyTest, ShouldAppendToAFileThatWasOpenedForAppending)
{
    layOut("dhd");
    writeFile(*directory_ / "output", "before ");
    struct sfd_copy copy = copyToFile(O_APPEND, 0, 3 * BLOCK);
    EXPECT_PROGRESS(3 * BLOCK, SFD_STEP_MORE, 0, sfd_copy_run(&copy));
    EXPECT_EQ(SFD_TECHNIQUE_READ_WRITE, copy.technique);
    EXPECT_BYTES("before " + content_, output());
    EXPECT_TRUE(script.holes.empty()) << "another one that appends could stand there";
}

TEST_P(CopyTest, ShouldCopyToAMemoryFile)
{
    for (const auto technique : TECHNIQUES) {
        SCOPED_TRACE(sfd_technique_name(technique));
        output_.reset(memfd_create("test", MFD_CLOEXEC));
        struct sfd_copy copy = copyTo(output_.get());
        copy.technique = technique;
        EXPECT_PROGRESS(SIZE, SFD_STEP_MORE, 0, sfd_copy_run(&copy));
        ASSERT_EQ(0, lseek(output_.get(), 0, SEEK_SET));
        EXPECT_BYTES(content_, readExactly(output_.get(), SIZE + 1));
    }
}

TEST_P(CopyTest, ShouldSayThatASealedMemoryFileMayNotBeWritten)
{
    for (const int seal : {F_SEAL_WRITE, F_SEAL_GROW}) {
        for (const bool hole : {false, true}) {
            for (const auto technique : TECHNIQUES) {
                SCOPED_TRACE(std::string(sfd_technique_name(technique)) + (hole ? " hole " : " ") +
                             std::to_string(seal));
                layOut(hole ? "h" : "d");
                output_.reset(memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
                if (seal == F_SEAL_WRITE) { // one that is empty may grow by a hole
                    ASSERT_EQ(0, ftruncate(output_.get(), BLOCK));
                }
                ASSERT_EQ(0, fcntl(output_.get(), F_ADD_SEALS, seal));
                struct sfd_copy copy = copyTo(output_.get(), 0, BLOCK);
                copy.technique = technique;
                EXPECT_PROGRESS(0, SFD_STEP_FAILED, -EPERM, sfd_copy_run(&copy));
                copy.forced = true;
                EXPECT_PROGRESS(0, SFD_STEP_FAILED, -EPERM, sfd_copy_run(&copy));
            }
        }
    }
}

TEST_P(CopyTest, ShouldReportWhatWasCopiedBesideAFullDisk)
{
    struct sfd_copy copy = copyToFile();
    script.copy_file_range = {1000, -ENOSPC};
    EXPECT_PROGRESS(1000, SFD_STEP_FAILED, -ENOSPC, sfd_copy_run(&copy));
    EXPECT_EQ(SFD_TECHNIQUE_COPY_FILE_RANGE, copy.technique)
        << "a full disk is no reason to change";

    for (const auto technique : {SFD_TECHNIQUE_READ_WRITE, SFD_TECHNIQUE_MMAP}) {
        copy.technique = technique;
        script.pwritev2 = {500, -ENOSPC};
        EXPECT_PROGRESS(500, SFD_STEP_FAILED, -ENOSPC, sfd_copy_run(&copy));
        script.pwritev2 = {0};
        // Not a write of nothing, again and again.
        EXPECT_PROGRESS(0, SFD_STEP_FAILED, -ENOSPC, sfd_copy_run(&copy));
    }
}

TEST_P(CopyTest, ShouldFailWhenNoTechniqueIsLeft)
{
    struct sfd_copy copy = copyToFile();
    script.copy_file_range = {-EPERM};
    script.sendfile = {-EPERM};
    script.pwritev2 = {-EPERM};
    EXPECT_PROGRESS(0, SFD_STEP_FAILED, -EPERM, sfd_copy_run(&copy));
}

// ------------------------------------------------------------------ a source that changes

TEST_P(CopyTest, ShouldReportTruncationAfterTheBytesThatWereThere)
{
    ASSERT_EQ(0, truncate((*directory_ / "file").c_str(), 10001));
    for (const bool seeks : {true, false}) {
        for (const auto technique : TECHNIQUES) {
            SCOPED_TRACE(sfd_technique_name(technique));
            struct sfd_copy copy = copyToFile();
            copy.technique = technique;
            copy.seeks = seeks;
            EXPECT_PROGRESS(10001, SFD_STEP_FAILED, -ENODATA, sfd_copy_run(&copy));
            EXPECT_BYTES(content_.substr(0, 10001), output());
        }
    }
}

TEST_P(CopyTest, ShouldReportTruncationOfAFileThatEndsInAHole)
{
    layOut("dh");
    struct sfd_copy copy = copyToFile(O_TRUNC, 0, 3 * BLOCK);
    EXPECT_PROGRESS(2 * BLOCK, SFD_STEP_FAILED, -ENODATA, sfd_copy_run(&copy));
    EXPECT_BYTES(content_, output());
}

TEST_P(CopyTest, ShouldReportAMappingThatLostItsPages)
{
    static std::string path;
    path = *directory_ / "file";
    sys_.mmap = [](size_t length, int protection, int flags, int fd, uint64_t offset, void **out) {
        const int result = sfd_sys_linux.mmap(length, protection, flags, fd, offset, out);
        EXPECT_EQ(0, truncate(path.c_str(), 8192)); // between the look at its size and the write
        return result;
    };
    struct sfd_copy copy = copyToFile();
    copy.technique = SFD_TECHNIQUE_MMAP;
    EXPECT_PROGRESS(8192, SFD_STEP_FAILED, -ENODATA, sfd_copy_run(&copy));
    EXPECT_BYTES(content_.substr(0, 8192), output());
}

TEST_P(CopyTest, ShouldCopyTheRangeOnlyOfAFileThatGrows)
{
    for (const auto technique : TECHNIQUES) {
        SCOPED_TRACE(sfd_technique_name(technique));
        writeFile(*directory_ / "file", content_ + "more");
        struct sfd_copy copy = copyToFile();
        copy.technique = technique;
        EXPECT_PROGRESS(SIZE, SFD_STEP_MORE, 0, sfd_copy_run(&copy));
        EXPECT_BYTES(content_, output());
    }
}

// ------------------------------------------------------------------ holes

TEST_P(CopyTest, ShouldKeepHolesByEachTechnique)
{
    for (const std::string parts : {"dhd", "hd", "dh", "h", "hhdhhddhh", "d"}) {
        layOut(parts);
        for (const auto technique : TECHNIQUES) {
            SCOPED_TRACE(parts + " " + sfd_technique_name(technique));
            struct sfd_copy copy = copyToFile(O_TRUNC, 0, content_.size());
            copy.technique = technique;
            copy.forced = true;
            EXPECT_PROGRESS(content_.size(), SFD_STEP_MORE, 0, sfd_copy_run(&copy));
            EXPECT_EQ(parts, partsOf(output_.get()));
            EXPECT_EQ(static_cast<off_t>(content_.size()), lseek(output_.get(), 0, SEEK_END));
            EXPECT_BYTES(content_, output());
        }
    }
}

TEST_P(CopyTest, ShouldBeAtTheEndOfAHoleThatEndsTheCopy)
{
    layOut("dh");
    struct sfd_copy copy = copyToFile(O_TRUNC, 0, content_.size());
    EXPECT_PROGRESS(content_.size(), SFD_STEP_MORE, 0, sfd_copy_run(&copy));
    EXPECT_EQ(static_cast<off_t>(content_.size()), lseek(output_.get(), 0, SEEK_CUR));
}

TEST_P(CopyTest, ShouldNotCountHolesAgainstItsBudget)
{
    layOut("hhhhhdhhhhd");
    struct sfd_copy copy = copyToFile(O_TRUNC, 0, content_.size());
    copy.budget = BLOCK;
    EXPECT_PROGRESS(6 * BLOCK, SFD_STEP_MORE, 0, sfd_copy_run(&copy));
    copy.budget = BLOCK;
    EXPECT_PROGRESS(5 * BLOCK, SFD_STEP_MORE, 0, sfd_copy_run(&copy));
    EXPECT_BYTES(content_, output());
}

TEST_P(CopyTest, ShouldPunchHolesIntoOldBytes)
{
    layOut("dhhd");
    writeFile(*directory_ / "output", std::string(5 * BLOCK, 'o'));
    struct sfd_copy copy = copyToFile(0, 0, content_.size());
    EXPECT_PROGRESS(content_.size(), SFD_STEP_MORE, 0, sfd_copy_run(&copy));
    EXPECT_EQ("dhhdd", partsOf(output_.get()));
    EXPECT_BYTES(content_ + std::string(BLOCK, 'o'), output());
}

TEST_P(CopyTest, ShouldMeetTheEndOfTheOldBytesInsideAHole)
{
    for (const bool punches : {true, false}) {
        for (const std::string parts : {"dhhhd", "dhhh"}) {
            SCOPED_TRACE(parts + (punches ? " punched" : " written"));
            layOut(parts);
            writeFile(*directory_ / "output", std::string(2 * BLOCK + 5, 'o'));
            struct sfd_copy copy = copyToFile(0, 0, content_.size());
            script.fallocate.clear();
            if (!punches) {
                script.fallocate = {-EOPNOTSUPP, -EOPNOTSUPP};
            }
            EXPECT_PROGRESS(content_.size(), SFD_STEP_MORE, 0, sfd_copy_run(&copy));
            EXPECT_BYTES(content_, output());
            EXPECT_EQ(static_cast<off_t>(content_.size()), lseek(output_.get(), 0, SEEK_CUR));
        }
    }
}

TEST_P(CopyTest, ShouldWriteZerosWhereNoHoleCanBePunched)
{
    layOut("dhh");
    for (const int64_t error : {-EOPNOTSUPP, -ENOSYS}) {
        writeFile(*directory_ / "output", std::string(3 * BLOCK, 'o'));
        struct sfd_copy copy = copyToFile(0, 0, content_.size());
        script.fallocate = {error};
        EXPECT_PROGRESS(content_.size(), SFD_STEP_MORE, 0, sfd_copy_run(&copy));
        EXPECT_BYTES(content_, output());
    }
}

TEST_P(CopyTest, ShouldEndInAHoleWhereTheFileSystemCannotGrowAFile)
{
    layOut("dhhh");
    struct sfd_copy copy = copyToFile(O_TRUNC, 0, content_.size());
    script.fallocate = {-EOPNOTSUPP};
    EXPECT_PROGRESS(content_.size(), SFD_STEP_MORE, 0, sfd_copy_run(&copy));
    EXPECT_BYTES(content_, output());
    EXPECT_EQ("dhhd", partsOf(output_.get())) << "one byte makes it as long as it has to be";
}

TEST_P(CopyTest, ShouldReportWhatWentBeforeAHoleThatFails)
{
    layOut("dh");
    struct sfd_copy copy = copyToFile(O_TRUNC, 0, content_.size());
    script.fallocate = {-ENOSPC};
    EXPECT_PROGRESS(BLOCK, SFD_STEP_FAILED, -ENOSPC, sfd_copy_run(&copy));
}

TEST_P(CopyTest, ShouldCutNothingOffThatSomebodyWroteBehindItsHole)
{
    layOut("dh");
    struct sfd_copy copy = copyToFile(O_TRUNC, 0, content_.size());
    static int other;
    other = output_.get();
    sys_.statx = [](int fd, const char *path, int flags, unsigned mask, struct statx *out) {
        const int result = sfd_sys_linux.statx(fd, path, flags, mask, out);
        if (fd == other) { // the other one's bytes come after its size was looked at
            EXPECT_EQ(4, pwrite(other, "tail", 4, 2 * BLOCK));
        }
        return result;
    };
    EXPECT_PROGRESS(content_.size(), SFD_STEP_MORE, 0, sfd_copy_run(&copy));
    EXPECT_BYTES(content_ + "tail", output());
}

TEST_P(CopyTest, ShouldCopyHolesAsZerosWhereNobodyKnowsThem)
{
    layOut("dhd");
    for (const bool seeks : {true, false}) {
        struct sfd_copy copy = copyToFile(O_TRUNC, 0, content_.size());
        copy.seeks = seeks;
        script.lseek = {-EINVAL};
        EXPECT_PROGRESS(content_.size(), SFD_STEP_MORE, 0, sfd_copy_run(&copy));
        EXPECT_BYTES(content_, output());
        if (!seeks) {
            EXPECT_EQ(1u, script.lseek.size()) << "the position is the client's";
        }
    }
}

TEST_P(CopyTest, ShouldCopyARangeThatBeginsAndEndsInHoles)
{
    layOut("hdh");
    struct sfd_copy copy = copyToFile(O_TRUNC, 100, content_.size() - 100);
    EXPECT_PROGRESS(content_.size() - 200, SFD_STEP_MORE, 0, sfd_copy_run(&copy));
    EXPECT_BYTES(content_.substr(100, content_.size() - 200), output());
}

// ------------------------------------------------------------------ one file

TEST_P(CopyTest, ShouldRefuseToCopyBytesOverThemselves)
{
    output_ = openFile(*directory_ / "file", O_RDWR);
    const struct sfd_copy copy = copyTo(output_.get(), 10000, 20000);
    for (const off_t position : {1, 9999, 10000, 19999}) {
        lseek(output_.get(), position, SEEK_SET);
        EXPECT_EQ(-EINVAL, sfd_copy_check(&copy)) << position;
    }
    EXPECT_BYTES(content_, contentOf(*directory_ / "file"));
}

TEST_P(CopyTest, ShouldCopyAPartOfAFileBesideIt)
{
    for (const auto technique : TECHNIQUES) {
        SCOPED_TRACE(sfd_technique_name(technique));
        for (const off_t position : {0, 20000, 60000}) {
            writeFile(*directory_ / "file", content_);
            output_ = openFile(*directory_ / "file", O_RDWR);
            lseek(output_.get(), position, SEEK_SET);
            struct sfd_copy copy = copyTo(output_.get(), 10000, 20000);
            copy.technique = technique;
            EXPECT_EQ(0, sfd_copy_check(&copy));
            EXPECT_PROGRESS(10000, SFD_STEP_MORE, 0, sfd_copy_run(&copy));
            std::string expected = content_;
            expected.resize(std::max(expected.size(), static_cast<size_t>(position) + 10000));
            expected.replace(static_cast<size_t>(position), 10000, content_.substr(10000, 10000));
            EXPECT_BYTES(expected, contentOf(*directory_ / "file"));
        }
    }
}

TEST_P(CopyTest, ShouldAppendAFileToItself)
{
    output_ = openFile(*directory_ / "file", O_WRONLY | O_APPEND);
    struct sfd_copy copy = copyTo(output_.get());
    EXPECT_EQ(0, sfd_copy_check(&copy));
    EXPECT_PROGRESS(SIZE, SFD_STEP_MORE, 0, sfd_copy_run(&copy));
    EXPECT_BYTES(content_ + content_, contentOf(*directory_ / "file"));
}

TEST_P(CopyTest, ShouldTellFilesApart)
{
    const struct sfd_copy copy = copyToFile();
    EXPECT_EQ(0, sfd_copy_check(&copy));
}

} // namespace
