// Copying between files: each technique, what follows one that is refused, and a file over itself. On a disk and in
// memory.
#include "copy_fixture.h"

namespace
{

using CopyTest = CopyFixture;

INSTANTIATE_TEST_SUITE_P(FileSystems, CopyTest, testing::Values("/tmp", "/dev/shm"), fileSystemName);

// ------------------------------------------------------------------ techniques

TEST_P(CopyTest, ShouldCopyARangeToThePositionByEachTechnique)
{
    for (const auto technique : COPY_TECHNIQUES) {
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
    for (const auto technique : COPY_TECHNIQUES) {
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
    for (const auto technique : COPY_TECHNIQUES) {
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
            for (const auto technique : COPY_TECHNIQUES) {
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
    EXPECT_EQ(SFD_TECHNIQUE_COPY_FILE_RANGE, copy.technique) << "a full disk is no reason to change";

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
        for (const auto technique : COPY_TECHNIQUES) {
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
    for (const auto technique : COPY_TECHNIQUES) {
        SCOPED_TRACE(sfd_technique_name(technique));
        writeFile(*directory_ / "file", content_ + "more");
        struct sfd_copy copy = copyToFile();
        copy.technique = technique;
        EXPECT_PROGRESS(SIZE, SFD_STEP_MORE, 0, sfd_copy_run(&copy));
        EXPECT_BYTES(content_, output());
    }
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
    for (const auto technique : COPY_TECHNIQUES) {
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
