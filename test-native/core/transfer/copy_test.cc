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
        ASSERT_EQ(0, begin(&copy));
        copy.technique = technique;
        copy.forced = true;
        EXPECT_PROGRESS(40000, SFD_STEP_MORE, 0, sfd_copy_run(&copy));
        EXPECT_EQ(technique, copy.technique);
        EXPECT_EQ(41001u, copy.offset);
        EXPECT_BYTES("abc" + content_.substr(1001, 40000), output());
        EXPECT_EQ(3, position()) << "it is the client's until the end";
        sfd_copy_set_position(&copy);
        EXPECT_EQ(40003, position());
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

/* Every errno there is, but those that say that there is no room, or nothing about the technique. */
std::vector<int64_t> errorsOfTechniques()
{
    std::vector<int64_t> errors = {0};
    for (int64_t error = 1; error < 134; error++) {
        const bool others = error == ENOSPC || error == EDQUOT || error == EFBIG || error == ENOMEM ||
                            error == ENOBUFS || error == EINTR || error == EAGAIN || error == ECANCELED;
        if (!others) {
            errors.push_back(-error);
        }
    }
    return errors;
}

TEST_P(CopyTest, ShouldFallBackToSendfileAndRememberIt)
{
    for (const int64_t error : errorsOfTechniques()) {
        SCOPED_TRACE(error);
        struct sfd_copy copy = copyToFile();
        script.copy_file_range = {error};
        EXPECT_PROGRESS(SIZE, SFD_STEP_MORE, 0, sfd_copy_run(&copy));
        EXPECT_EQ(SFD_TECHNIQUE_SENDFILE, copy.technique);
        EXPECT_BYTES(content_, output());
    }
}

TEST_P(CopyTest, ShouldFallBackToReadWriteFromAnyOtherTechnique)
{
    for (const int64_t error : {-EIO, -EACCES, -EINVAL, -EXDEV, -EPERM, -EBADF, -EOPNOTSUPP, -ESTALE}) {
        for (const auto technique : {SFD_TECHNIQUE_COPY_FILE_RANGE, SFD_TECHNIQUE_SENDFILE, SFD_TECHNIQUE_MMAP}) {
            for (const bool reading : {true, false}) {
                SCOPED_TRACE(std::string(sfd_technique_name(technique)) + " " + std::to_string(error));
                struct sfd_copy copy = copyToFile();
                copy.technique = technique;
                script.copy_file_range = {error};
                script.splice.clear();
                script.splice_out.clear();
                script.pwritev2.clear();
                if (technique == SFD_TECHNIQUE_MMAP) {
                    script.pwritev2 = {error};
                } else {
                    (reading ? script.splice : script.splice_out) = {error};
                }
                EXPECT_PROGRESS(SIZE, SFD_STEP_MORE, 0, sfd_copy_run(&copy));
                EXPECT_EQ(SFD_TECHNIQUE_READ_WRITE, copy.technique);
                EXPECT_BYTES(content_, output());
            }
        }
    }
}

TEST_P(CopyTest, ShouldNeedNoPipeWhereNoneCanBeMade)
{
    sys_.pipe2 = [](int *, int) { return -EMFILE; };
    struct sfd_copy copy = copyToFile();
    copy.technique = SFD_TECHNIQUE_SENDFILE;
    EXPECT_PROGRESS(SIZE, SFD_STEP_MORE, 0, sfd_copy_run(&copy));
    EXPECT_EQ(SFD_TECHNIQUE_READ_WRITE, copy.technique);
    EXPECT_BYTES(content_, output());
}

TEST_P(CopyTest, ShouldNotTryAgainWhereThereIsNoRoom)
{
    for (const int64_t error : {-ENOSPC, -EDQUOT, -EFBIG}) {
        for (const auto technique : COPY_TECHNIQUES) {
            SCOPED_TRACE(std::string(sfd_technique_name(technique)) + " " + std::to_string(error));
            struct sfd_copy copy = copyToFile();
            copy.technique = technique;
            script.copy_file_range = script.splice_out = script.pwritev2 = {error};
            EXPECT_PROGRESS(0, SFD_STEP_FAILED, error, sfd_copy_run(&copy));
            EXPECT_EQ(technique, copy.technique);
        }
    }
}

TEST_P(CopyTest, ShouldTellWhyTheLastTechniqueFailed)
{
    struct sfd_copy copy = copyToFile();
    script.copy_file_range = {-EACCES};
    script.splice = {-EINVAL};
    script.preadv2 = {-EIO};
    EXPECT_PROGRESS(0, SFD_STEP_FAILED, -EIO, sfd_copy_run(&copy));
}

// ------------------------------------------------------------------ where it goes to

/* The other owners of the description move its position before each write. */
TEST_P(CopyTest, ShouldWriteWhereItBeganWhoeverMovesThePosition) // R17
{
    static int dest;
    static const auto disturb = [](int fd) {
        if (fd == dest) {
            lseek(fd, 12345, SEEK_SET);
        }
    };
    sys_.pwritev2 = [](int fd, const struct iovec *iov, int count, int64_t offset, int flags) {
        disturb(fd);
        return sfd_sys_linux.pwritev2(fd, iov, count, offset, flags);
    };
    sys_.splice_out = [](int pipe, int to, int64_t *at, size_t count) {
        disturb(to);
        return sfd_sys_linux.splice_out(pipe, to, at, count);
    };
    sys_.sendfile = [](int to, int from, int64_t *offset, size_t count) {
        disturb(to);
        return sfd_sys_linux.sendfile(to, from, offset, count);
    };
    sys_.copy_file_range = [](int from, int64_t *offset, int to, int64_t *at, size_t count) {
        disturb(to);
        return sfd_sys_linux.copy_file_range(from, offset, to, at, count);
    };
    for (const std::string parts : {"d", "dhd", "dh"}) {
        layOut(parts);
        for (const auto technique : COPY_TECHNIQUES) {
            SCOPED_TRACE(parts + " " + sfd_technique_name(technique));
            struct sfd_copy copy = copyToFile(O_TRUNC, 0, content_.size());
            ASSERT_EQ(3, write(output_.get(), "abc", 3));
            dest = output_.get();
            ASSERT_EQ(0, begin(&copy));
            copy.technique = technique;
            copy.forced = true;
            EXPECT_PROGRESS(content_.size(), SFD_STEP_MORE, 0, sfd_copy_run(&copy));
            EXPECT_BYTES("abc" + content_, output());
            EXPECT_EQ(0, sfd_copy_check_size(&copy));
            sfd_copy_set_position(&copy);
            EXPECT_EQ(static_cast<off_t>(content_.size() + 3), position());
        }
    }
}

TEST_P(CopyTest, ShouldWriteNothingOnceItsGateIsClosed) // R17
{
    for (const std::string parts : {"d", "hd", "h"}) {
        layOut(parts);
        for (const auto technique : COPY_TECHNIQUES) {
            for (const size_t old : {size_t{0}, size_t{2 * BLOCK}}) {
                SCOPED_TRACE(parts + " " + sfd_technique_name(technique));
                const std::string before(old, 'o');
                writeFile(*directory_ / "output", before);
                struct sfd_copy copy = copyToFile(0, 0, content_.size());
                gate_.word = 0;
                copy.technique = technique;
                EXPECT_TRUE(sfd_write_gate_close(&gate_));
                EXPECT_EQ(-ECANCELED, sfd_copy_run(&copy).error);
                sfd_copy_set_position(&copy);
                EXPECT_EQ(0, position());
                EXPECT_BYTES(before, output());
            }
        }
    }
}

/* Whoever closes the gate within a write is told so, and it is the last one. */
TEST_P(CopyTest, ShouldStopBehindTheWriteInWhichItsGateIsClosed) // R17
{
    static struct sfd_write_gate *gate;
    static int writes;
    static const auto close = [] {
        EXPECT_FALSE(sfd_write_gate_close(gate)) << "there is a write";
        EXPECT_FALSE(sfd_write_gate_is_over(gate));
        writes++;
    };
    sys_.pwritev2 = [](int fd, const struct iovec *iov, int count, int64_t offset, int flags) {
        close();
        return sfd_sys_linux.pwritev2(fd, iov, count, offset, flags);
    };
    sys_.splice_out = [](int pipe, int to, int64_t *at, size_t count) {
        close();
        return sfd_sys_linux.splice_out(pipe, to, at, count);
    };
    sys_.copy_file_range = [](int from, int64_t *offset, int to, int64_t *at, size_t count) {
        close();
        return sfd_sys_linux.copy_file_range(from, offset, to, at, count);
    };
    sys_.fallocate = [](int fd, int mode, uint64_t offset, uint64_t length) {
        close();
        return sfd_sys_linux.fallocate(fd, mode, offset, length);
    };
    gate = &gate_;
    for (const std::string parts : {"ddddddddddddddddddddddddddddddddd", "hd", "hhh"}) { // longer than one write
        layOut(parts);
        for (const auto technique : COPY_TECHNIQUES) {
            SCOPED_TRACE(parts + " " + sfd_technique_name(technique));
            writeFile(*directory_ / "output", std::string(BLOCK, 'o'));
            struct sfd_copy copy = copyToFile(0, 0, content_.size());
            gate_.word = 0;
            writes = 0;
            copy.technique = technique;
            const struct sfd_progress p = sfd_copy_run(&copy);
            EXPECT_EQ(-ECANCELED, p.error);
            EXPECT_EQ(1, writes);
            EXPECT_GT(p.moved, 0u);
            EXPECT_LE(p.moved, uint64_t{1024 * 1024});
            EXPECT_TRUE(sfd_write_gate_is_over(&gate_));
        }
    }
}

TEST_P(CopyTest, ShouldWaitForItsSourceOutsideOfTheGate) // R17
{
    static struct sfd_write_gate *gate;
    static int reads;
    static const auto look = [] {
        EXPECT_EQ(0u, gate->word.load()) << "a slow disk would hold up the end";
        reads++;
    };
    sys_.preadv2 = [](int fd, const struct iovec *iov, int count, int64_t offset, int flags) {
        look();
        return sfd_sys_linux.preadv2(fd, iov, count, offset, flags);
    };
    sys_.splice = [](int from, int64_t *offset, int to, size_t count, unsigned flags) {
        look();
        return sfd_sys_linux.splice(from, offset, to, count, flags);
    };
    sys_.mmap = [](size_t length, int protection, int flags, int fd, uint64_t offset, void **out) {
        look();
        return sfd_sys_linux.mmap(length, protection, flags, fd, offset, out);
    };
    sys_.sendfile = [](int to, int from, int64_t *offset, size_t count) { // loads for copy_file_range
        look();
        return sfd_sys_linux.sendfile(to, from, offset, count);
    };
    gate = &gate_;
    for (const auto technique : COPY_TECHNIQUES) {
        SCOPED_TRACE(sfd_technique_name(technique));
        struct sfd_copy copy = copyToFile();
        reads = 0;
        copy.technique = technique;
        EXPECT_PROGRESS(SIZE, SFD_STEP_MORE, 0, sfd_copy_run(&copy));
        EXPECT_GT(reads, 0);
        EXPECT_BYTES(content_, output());
    }
}

TEST_P(CopyTest, ShouldNotLoadWhatMayBeShared)
{
    static int loads;
    sys_.sendfile = [](int to, int from, int64_t *offset, size_t count) {
        loads++;
        return sfd_sys_linux.sendfile(to, from, offset, count);
    };
    loads = 0;
    struct sfd_copy copy = copyToFile();
    copy.one_device = true;
    EXPECT_PROGRESS(SIZE, SFD_STEP_MORE, 0, sfd_copy_run(&copy));
    EXPECT_EQ(SFD_TECHNIQUE_COPY_FILE_RANGE, copy.technique);
    EXPECT_EQ(0, loads);
}

TEST_P(CopyTest, ShouldNotGoOnWhenAppendingIsTurnedOnOrOff)
{
    for (const int flags : {0, O_APPEND}) {
        struct sfd_copy copy = copyToFile(flags);
        ASSERT_EQ(0, begin(&copy));
        copy.budget = 1000;
        copy.technique = SFD_TECHNIQUE_READ_WRITE;
        EXPECT_PROGRESS(1000, SFD_STEP_MORE, 0, sfd_copy_run(&copy));
        ASSERT_EQ(0, fcntl(output_.get(), F_SETFL, flags ^ O_APPEND));
        EXPECT_PROGRESS(0, SFD_STEP_FAILED, -EINVAL, sfd_copy_run(&copy));
    }
}

TEST_P(CopyTest, ShouldTellThatItsDestinationWasCut) // R17
{
    for (const int flags : {0, O_APPEND}) {
        struct sfd_copy copy = copyToFile(O_TRUNC | flags);
        ASSERT_EQ(3, write(output_.get(), "abc", 3));
        ASSERT_EQ(0, begin(&copy));
        copy.technique = SFD_TECHNIQUE_READ_WRITE;
        EXPECT_PROGRESS(SIZE, SFD_STEP_MORE, 0, sfd_copy_run(&copy));
        EXPECT_EQ(0, sfd_copy_check_size(&copy));
        ASSERT_EQ(0, ftruncate(output_.get(), SIZE + 2));
        EXPECT_EQ(-EIO, sfd_copy_check_size(&copy));
    }
}

TEST_P(CopyTest, ShouldCopyToAFileThatWasOpenedDirect)
{
    for (const bool reopens : {true, false}) {
        for (const auto technique : COPY_TECHNIQUES) {
            SCOPED_TRACE(std::string(sfd_technique_name(technique)) + (reopens ? "" : " as it is"));
            output_.reset(
                open((*directory_ / "output").c_str(), O_RDWR | O_CREAT | O_TRUNC | O_DIRECT | O_CLOEXEC, 0600));
            if (output_.get() < 0) {
                GTEST_SKIP() << "this file system knows no O_DIRECT";
            }
            sys_.openat = reopens ? sfd_sys_linux.openat : [](int, const char *, int) { return -EACCES; };
            const uint64_t length = reopens ? SIZE - 1 : 40960; // whole blocks
            std::unique_ptr<char, decltype(&free)> aligned(static_cast<char *>(aligned_alloc(4096, 16384)), free);
            struct sfd_copy copy = copyTo(output_.get(), 0, length);
            copy.move.buffer = aligned.get();
            copy.technique = technique;
            EXPECT_PROGRESS(length, SFD_STEP_MORE, 0, sfd_copy_run(&copy));
            EXPECT_BYTES(content_.substr(0, length), output());
            EXPECT_NE(0, fcntl(output_.get(), F_GETFL) & O_DIRECT) << "the flag is the client's";
        }
    }
}

// ------------------------------------------------------------------ two into one file

class TwoCopies
{
  public:
    explicit TwoCopies(struct sfd_write_ranges *ranges) : ranges_(ranges) {}
    ~TwoCopies()
    {
        for (auto &range : range_) {
            sfd_write_ranges_leave(ranges_, &range);
        }
    }
    int begin(int which, struct sfd_copy copy, int dest)
    {
        copy.gate = &gate_[which];
        copy.move.dest = dest;
        return sfd_copy_begin(&copy, ranges_, &range_[which]);
    }

    struct sfd_write_gate gate_[2] = {};
    struct sfd_write_range range_[2] = {};

  private:
    struct sfd_write_ranges *ranges_;
};

TEST_P(CopyTest, ShouldRefuseASecondCopyIntoTheSameBytes) // R17
{
    const struct sfd_copy copy = copyToFile();
    OwnedFd second = openFile(*directory_ / "output", O_RDWR);
    for (const off_t at : {off_t{0}, off_t{1}, static_cast<off_t>(SIZE - 1)}) {
        TwoCopies two(&ranges_);
        EXPECT_EQ(0, two.begin(0, copy, output_.get()));
        lseek(second.get(), at, SEEK_SET);
        EXPECT_EQ(-EBUSY, two.begin(1, copy, second.get())) << at;
        EXPECT_EQ(-EBUSY, two.begin(1, copy, output_.get())) << "the same description";
        sfd_write_ranges_leave(&ranges_, &two.range_[0]);
        EXPECT_EQ(0, two.begin(1, copy, second.get())) << at;
    }
    EXPECT_EQ(nullptr, ranges_.first);
}

TEST_P(CopyTest, ShouldLetTwoCopiesWriteBesideEachOther)
{
    const struct sfd_copy copy = copyToFile();
    OwnedFd behind = openFile(*directory_ / "output", O_RDWR);
    OwnedFd other = openFile(*directory_ / "other", O_RDWR | O_CREAT);
    lseek(behind.get(), SIZE, SEEK_SET);
    for (const int dest : {behind.get(), other.get()}) {
        TwoCopies two(&ranges_);
        EXPECT_EQ(0, two.begin(0, copy, output_.get()));
        EXPECT_EQ(0, two.begin(1, copy, dest));
    }
}

TEST_P(CopyTest, ShouldNotWaitForACopyThatWritesNoMore)
{
    const struct sfd_copy copy = copyToFile();
    TwoCopies two(&ranges_);
    EXPECT_EQ(0, two.begin(0, copy, output_.get()));
    ASSERT_TRUE(sfd_write_gate_enter(&two.gate_[0]));
    EXPECT_FALSE(sfd_write_gate_close(&two.gate_[0]));
    EXPECT_EQ(-EBUSY, two.begin(1, copy, output_.get())) << "its last write is under way";
    sfd_write_gate_leave(&two.gate_[0]);
    EXPECT_EQ(0, two.begin(1, copy, output_.get()));
}

/* The first copy ends between the second's look at the position and its entry. */
TEST_P(CopyTest, ShouldGoOnBehindACopyThatEndsMeanwhile) // R17
{
    static int looks;
    looks = 0;
    sys_.lseek = [](int fd, int64_t offset, int whence) {
        const int64_t at = sfd_sys_linux.lseek(fd, offset, whence);
        if (whence == SEEK_CUR && looks++ == 0) {
            lseek(fd, 1000, SEEK_SET);
        }
        return at;
    };
    struct sfd_copy copy = copyToFile();
    EXPECT_EQ(0, begin(&copy));
    EXPECT_EQ(1000u, copy.to);
    EXPECT_EQ(1000u, range_.begin);
    EXPECT_EQ(1000u + SIZE, range_.end);
}

TEST_P(CopyTest, ShouldRefuseARangeBehindTheLastOffset)
{
    struct sfd_copy copy = copyToFile();
    sys_.lseek = [](int, int64_t, int) { return INT64_MAX - 1000; };
    EXPECT_EQ(-EFBIG, begin(&copy));
}

TEST_P(CopyTest, ShouldFallBackToReadWriteInMidFile)
{
    struct sfd_copy copy = copyToFile();
    script.copy_file_range = {1000, -EXDEV};
    script.splice = {2000, -EINTR, 1000, -EINVAL};
    script.splice_out = {1500, -EINTR, 500, 1000};
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
    script.splice = {-EINVAL};
    EXPECT_PROGRESS(0, SFD_STEP_FAILED, -EINVAL, sfd_copy_run(&copy));
    script.splice_out = {-EIO};
    EXPECT_PROGRESS(0, SFD_STEP_FAILED, -EIO, sfd_copy_run(&copy));
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
    script.splice_out = {-EPERM};
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
    struct sfd_copy copy = copyTo(output_.get(), 10000, 20000);
    for (const off_t position : {1, 9999, 10000, 19999}) {
        lseek(output_.get(), position, SEEK_SET);
        EXPECT_EQ(-EINVAL, begin(&copy)) << position;
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
            EXPECT_EQ(0, begin(&copy));
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
    EXPECT_EQ(0, begin(&copy));
    EXPECT_PROGRESS(SIZE, SFD_STEP_MORE, 0, sfd_copy_run(&copy));
    EXPECT_BYTES(content_ + content_, contentOf(*directory_ / "file"));
}

TEST_P(CopyTest, ShouldTellFilesApart)
{
    struct sfd_copy copy = copyToFile();
    EXPECT_EQ(0, begin(&copy));
}

} // namespace
