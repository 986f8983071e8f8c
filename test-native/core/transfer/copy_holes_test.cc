// Copying around holes: kept, punched, written where nobody knows them. On a disk and in memory.
#include "copy_fixture.h"

namespace
{

using CopyHolesTest = CopyFixture;

INSTANTIATE_TEST_SUITE_P(FileSystems, CopyHolesTest, testing::Values("/tmp", "/dev/shm"), fileSystemName);

// ------------------------------------------------------------------ holes

TEST_P(CopyHolesTest, ShouldKeepHolesByEachTechnique)
{
    for (const std::string parts : {"dhd", "hd", "dh", "h", "hhdhhddhh", "d"}) {
        layOut(parts);
        for (const auto technique : COPY_TECHNIQUES) {
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

TEST_P(CopyHolesTest, ShouldBeAtTheEndOfAHoleThatEndsTheCopy)
{
    layOut("dh");
    struct sfd_copy copy = copyToFile(O_TRUNC, 0, content_.size());
    EXPECT_PROGRESS(content_.size(), SFD_STEP_MORE, 0, sfd_copy_run(&copy));
    sfd_copy_set_position(&copy);
    EXPECT_EQ(static_cast<off_t>(content_.size()), position());
}

TEST_P(CopyHolesTest, ShouldNotCountHolesAgainstItsBudget)
{
    layOut("hhhhhdhhhhd");
    struct sfd_copy copy = copyToFile(O_TRUNC, 0, content_.size());
    copy.budget = BLOCK;
    EXPECT_PROGRESS(6 * BLOCK, SFD_STEP_MORE, 0, sfd_copy_run(&copy));
    copy.budget = BLOCK;
    EXPECT_PROGRESS(5 * BLOCK, SFD_STEP_MORE, 0, sfd_copy_run(&copy));
    EXPECT_BYTES(content_, output());
}

TEST_P(CopyHolesTest, ShouldPunchHolesIntoOldBytes)
{
    layOut("dhhd");
    writeFile(*directory_ / "output", std::string(5 * BLOCK, 'o'));
    struct sfd_copy copy = copyToFile(0, 0, content_.size());
    EXPECT_PROGRESS(content_.size(), SFD_STEP_MORE, 0, sfd_copy_run(&copy));
    EXPECT_EQ("dhhdd", partsOf(output_.get()));
    EXPECT_BYTES(content_ + std::string(BLOCK, 'o'), output());
}

TEST_P(CopyHolesTest, ShouldMeetTheEndOfTheOldBytesInsideAHole)
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
            EXPECT_EQ(content_.size(), copy.to);
        }
    }
}

TEST_P(CopyHolesTest, ShouldWriteZerosWhereNoHoleCanBePunched)
{
    layOut("dhh");
    for (const int64_t error : {-EOPNOTSUPP, -ENOSYS, -EIO, -EACCES, -EPERM, -EINVAL, -ENOTTY}) {
        writeFile(*directory_ / "output", std::string(3 * BLOCK, 'o'));
        struct sfd_copy copy = copyToFile(0, 0, content_.size());
        script.fallocate = {error};
        EXPECT_PROGRESS(content_.size(), SFD_STEP_MORE, 0, sfd_copy_run(&copy));
        EXPECT_BYTES(content_, output());
    }
}

TEST_P(CopyHolesTest, ShouldEndInAHoleWhereTheFileSystemCannotGrowAFile)
{
    layOut("dhhh");
    for (const int64_t error : {-EOPNOTSUPP, -EIO, -EACCES}) {
        struct sfd_copy copy = copyToFile(O_TRUNC, 0, content_.size());
        script.fallocate = {error};
        EXPECT_PROGRESS(content_.size(), SFD_STEP_MORE, 0, sfd_copy_run(&copy));
        EXPECT_BYTES(content_, output());
        EXPECT_EQ("dhhd", partsOf(output_.get())) << "one byte makes it as long as it has to be";
    }
}

TEST_P(CopyHolesTest, ShouldReportWhatWentBeforeAHoleThatFails)
{
    layOut("dh");
    for (const int64_t error : {-ENOSPC, -EDQUOT, -EFBIG}) {
        struct sfd_copy copy = copyToFile(O_TRUNC, 0, content_.size());
        script.fallocate = {error};
        EXPECT_PROGRESS(BLOCK, SFD_STEP_FAILED, error, sfd_copy_run(&copy));
    }
}

TEST_P(CopyHolesTest, ShouldCountZerosThatItWritesAgainstItsBudget)
{
    layOut("hh");
    writeFile(*directory_ / "output", std::string(2 * BLOCK, 'o'));
    struct sfd_copy copy = copyToFile(0, 0, content_.size());
    script.fallocate = std::deque<int64_t>(100, -EOPNOTSUPP);
    copy.budget = BLOCK;
    EXPECT_PROGRESS(BLOCK, SFD_STEP_MORE, 0, sfd_copy_run(&copy));
    EXPECT_BYTES(std::string(BLOCK, '\0') + std::string(BLOCK, 'o'), output());
}

TEST_P(CopyHolesTest, ShouldCutNothingOffThatSomebodyWroteBehindItsHole)
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

TEST_P(CopyHolesTest, ShouldAskTheServerBeforeItTakesALostEndForAHole)
{
    layOut("dh");
    sys_.statx = [](int fd, const char *path, int flags, unsigned mask, struct statx *out) {
        const int result = sfd_sys_linux.statx(fd, path, flags, mask, out);
        if ((flags & AT_STATX_DONT_SYNC) == 0 && out->stx_size == 2 * BLOCK) {
            out->stx_size = BLOCK; // what the kernel here does not know yet
        }
        return result;
    };
    struct sfd_copy copy = copyToFile(O_TRUNC, 0, content_.size());
    EXPECT_PROGRESS(BLOCK, SFD_STEP_FAILED, -ENODATA, sfd_copy_run(&copy));
}

TEST_P(CopyHolesTest, ShouldCopyHolesAsZerosWhereNobodyKnowsThem)
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

TEST_P(CopyHolesTest, ShouldCopyARangeThatBeginsAndEndsInHoles)
{
    layOut("hdh");
    struct sfd_copy copy = copyToFile(O_TRUNC, 100, content_.size() - 100);
    EXPECT_PROGRESS(content_.size() - 200, SFD_STEP_MORE, 0, sfd_copy_run(&copy));
    EXPECT_BYTES(content_.substr(100, content_.size() - 200), output());
}

} // namespace
