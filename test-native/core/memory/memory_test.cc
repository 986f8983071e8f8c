// Memory files: made, sealed, mapped, revoked; and every call that they are made of failing in turn.
#include "memory_fixture.h"

#include <algorithm>
#include <functional>

namespace
{

constexpr size_t GIB = size_t{1} << 30;
constexpr int SIZE_SEALS = F_SEAL_SHRINK | F_SEAL_GROW;

class MemoryTest : public MemoryFixture
{
  protected:
    static std::string nameInProc(int fd)
    {
        char target[512];
        const ssize_t n = readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), target, sizeof target);
        return n < 0 ? std::string() : std::string(target, static_cast<size_t>(n));
    }
    static int sealsOf(int fd)
    {
        return fcntl(fd, F_GET_SEALS);
    }
    static size_t sizeOfFile(int fd)
    {
        struct stat st = {};
        EXPECT_EQ(0, fstat(fd, &st));
        return static_cast<size_t>(st.st_size);
    }
    static blkcnt_t blocksOf(int fd)
    {
        struct stat st = {};
        EXPECT_EQ(0, fstat(fd, &st));
        return st.st_blocks;
    }
    /* Of [data, data + size): how many pages are in memory. */
    static size_t resident(void *data, size_t size)
    {
        std::vector<unsigned char> pages((size + pageSize() - 1) / pageSize());
        EXPECT_EQ(0, mincore(data, size, pages.data()));
        return static_cast<size_t>(std::count_if(pages.begin(), pages.end(), [](unsigned char c) { return c & 1; }));
    }
    int seal()
    {
        return sfd_memory_seal(&sys_, &buffer_);
    }
    /* Somebody else who has it mapped for writing. */
    void *mapForWriting()
    {
        void *data = mmap(nullptr, buffer_.mapped, PROT_READ | PROT_WRITE, MAP_SHARED, buffer_.fd, 0);
        EXPECT_NE(MAP_FAILED, data);
        return data;
    }
};

/* ------------------------------------------------------------------ making */

TEST_F(MemoryTest, ShouldMakeABufferOfZerosThatCanBeWrittenTo)
{
    const size_t size = 3 * pageSize() + 1;
    ASSERT_EQ(0, sfd_memory_create(&sys_, "test", size, 0, &buffer_));
    EXPECT_EQ(size, buffer_.size);
    EXPECT_EQ(4 * pageSize(), buffer_.mapped);
    EXPECT_EQ(SFD_BUFFER_UNSEALED, buffer_.seal);
    EXPECT_BYTES(std::string(size, '\0'), bytesOf(buffer_));
    EXPECT_EQ("rw-s", mappingAt(buffer_.data).protection);
    EXPECT_EQ(0, writing(static_cast<char *>(buffer_.data) + size - 1));
}

TEST_F(MemoryTest, ShouldMakeABufferOfAnySizeToTheByte)
{
    const size_t page = pageSize();
    for (const size_t size : {size_t{1}, page - 1, page, page + 1, 100 * page - 1}) {
        SCOPED_TRACE(size);
        create(size);
        EXPECT_EQ(size, buffer_.size);
        EXPECT_EQ(size, sizeOfFile(buffer_.fd));
        EXPECT_EQ((size + page - 1) / page * page, buffer_.mapped);
        EXPECT_BYTES(content_, bytesOf(buffer_));
        sfd_memory_free(&sys_, &buffer_);
    }
}

TEST_F(MemoryTest, ShouldMakeABufferWithoutAnyBytes)
{
    ASSERT_EQ(0, sfd_memory_create(&sys_, "test", 0, SFD_BUFFER_PREFAULT, &buffer_));
    EXPECT_EQ(nullptr, buffer_.data);
    EXPECT_EQ(0u, buffer_.size);
    EXPECT_EQ(0u, buffer_.mapped);
    EXPECT_GE(buffer_.fd, 0);
    EXPECT_EQ(-1, ftruncate(buffer_.fd, 1)) << "its size is fixed as well";
}

TEST_F(MemoryTest, ShouldTakeNoMemoryBeforeItIsWrittenTo)
{
    ASSERT_EQ(0, sfd_memory_create(&sys_, "test", GIB, 0, &buffer_));
    EXPECT_EQ(0, blocksOf(buffer_.fd));
    static_cast<char *>(buffer_.data)[GIB - 1] = 'x';
    EXPECT_GT(blocksOf(buffer_.fd), 0);
}

TEST_F(MemoryTest, ShouldTakeAllPagesAtOnceWhenAsked)
{
    const size_t size = 16 * pageSize() + 1;
    ASSERT_EQ(0, sfd_memory_create(&sys_, "test", size, SFD_BUFFER_PREFAULT, &buffer_));
    EXPECT_EQ(17u, resident(buffer_.data, buffer_.mapped));
    EXPECT_EQ(static_cast<blkcnt_t>(17 * pageSize() / 512), blocksOf(buffer_.fd));
    EXPECT_BYTES(std::string(size, '\0'), bytesOf(buffer_));
}

TEST_F(MemoryTest, ShouldRefuseMoreThanTheMachineHas)
{
    uint64_t total = 0;
    ASSERT_EQ(0, sfd_sys_memory_linux.memory_total(&total));
    const struct sfd_buffer before = buffer_;
    for (const uint64_t size :
         {total + 1, uint64_t{INT64_MAX}, uint64_t{INT64_MAX} + 1, uint64_t{SIZE_MAX} - 4095, uint64_t{SIZE_MAX}}) {
        SCOPED_TRACE(size);
        EXPECT_EQ(-ENOMEM, sfd_memory_create(&sys_, "test", size, 0, &buffer_));
        EXPECT_TRUE(isSame(before, buffer_));
    }
    EXPECT_EQ(0u, static_cast<size_t>(std::count(faults.calls.begin(), faults.calls.end(), "memfd_create")));
}

TEST_F(MemoryTest, ShouldMakeAsMuchAsTheMachineHas)
{
    uint64_t total = 0;
    ASSERT_EQ(0, sfd_sys_memory_linux.memory_total(&total));
    ASSERT_EQ(0, sfd_memory_create(&sys_, "test", total, 0, &buffer_)) << "no page is touched";
    EXPECT_EQ(total, buffer_.size);
}

TEST_F(MemoryTest, ShouldRefuseFlagsThatItDoesNotKnow)
{
    for (const unsigned flags : {4u, 8u, unsigned{SFD_BUFFER_WRITABLE}, unsigned{SFD_BUFFER_PREFAULT} | 0x80000000u}) {
        EXPECT_EQ(-EINVAL, sfd_memory_create(&sys_, "test", 1, flags, &buffer_));
    }
    EXPECT_TRUE(isNothing(buffer_));
}

TEST_F(MemoryTest, ShouldShowItsName)
{
    ASSERT_EQ(0, sfd_memory_create(&sys_, "frame of a film", 1, 0, &buffer_));
    EXPECT_EQ("/memfd:frame of a film (deleted)", nameInProc(buffer_.fd));
    EXPECT_EQ("/memfd:frame of a film (deleted)", mappingAt(buffer_.data).name);
}

TEST_F(MemoryTest, ShouldHaveANameOfItsOwnWithoutOne)
{
    ASSERT_EQ(0, sfd_memory_create(&sys_, nullptr, 1, 0, &buffer_));
    EXPECT_EQ("/memfd:sendfiled (deleted)", nameInProc(buffer_.fd));
}

TEST_F(MemoryTest, ShouldTakeTheLongestNameAndNoLonger)
{
    const std::string longest(SFD_MEMORY_NAME_MAX, 'n');
    ASSERT_EQ(0, sfd_memory_create(&sys_, longest.c_str(), 1, 0, &buffer_));
    EXPECT_EQ("/memfd:" + longest + " (deleted)", nameInProc(buffer_.fd));
    EXPECT_EQ(-EINVAL, sfd_memory_create(&sys_, (longest + "n").c_str(), 1, 0, &other_));
    EXPECT_TRUE(isNothing(other_));
}

TEST_F(MemoryTest, ShouldTakeAnEmptyName)
{
    ASSERT_EQ(0, sfd_memory_create(&sys_, "", 1, 0, &buffer_));
    EXPECT_EQ("/memfd: (deleted)", nameInProc(buffer_.fd));
}

TEST_F(MemoryTest, ShouldFixItsSizeAndNothingElse)
{
    create(pageSize() + 1);
    EXPECT_EQ(SIZE_SEALS, sealsOf(buffer_.fd) & (SIZE_SEALS | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL));
    EXPECT_EQ(-1, ftruncate(buffer_.fd, static_cast<off_t>(buffer_.size) + 1));
    EXPECT_EQ(EPERM, errno);
    EXPECT_EQ(-1, ftruncate(buffer_.fd, 0));
    EXPECT_EQ(EPERM, errno);
}

TEST_F(MemoryTest, ShouldCloseOnExec)
{
    create(1);
    EXPECT_EQ(FD_CLOEXEC, fcntl(buffer_.fd, F_GETFD));
    const OwnedFd empty(sfd_memory_open(&sys_, "empty"));
    EXPECT_EQ(FD_CLOEXEC, fcntl(empty.get(), F_GETFD));
}

TEST_F(MemoryTest, ShouldMakeAnEmptyFileThatMayStillGrowAndBeSealed)
{
    const OwnedFd fd(sfd_memory_open(&sys_, "empty"));
    EXPECT_EQ(0u, sizeOfFile(fd.get()));
    EXPECT_EQ(0, ftruncate(fd.get(), 100));
    EXPECT_EQ(0, fcntl(fd.get(), F_ADD_SEALS, SIZE_SEALS | F_SEAL_WRITE));
}

TEST_F(MemoryTest, ShouldMakeOneOnAKernelThatKnowsNoExecSeal)
{
    sys_.memfd_create = [](const char *name, unsigned flags) {
        constexpr unsigned KNOWN = MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB;
        faults.calls.emplace_back("memfd_create");
        return (flags & ~KNOWN) != 0 ? -EINVAL : sfd_sys_memory_linux.memfd_create(name, flags);
    };
    create(100);
    EXPECT_EQ(2, std::count(faults.calls.begin(), faults.calls.end(), "memfd_create"));
    EXPECT_EQ(0, seal());
    EXPECT_EQ(SFD_BUFFER_SEALED, buffer_.seal);
}

/* ------------------------------------------------------------------ sealing */

TEST_F(MemoryTest, ShouldKeepAddressAndBytesWhenItIsSealed)
{
    for (const size_t size : {size_t{1}, pageSize(), 50 * pageSize() + 7}) {
        create(size);
        void *const data = buffer_.data;
        ASSERT_EQ(0, seal());
        EXPECT_EQ(SFD_BUFFER_SEALED, buffer_.seal);
        EXPECT_EQ(data, buffer_.data);
        EXPECT_EQ(size, buffer_.size);
        EXPECT_BYTES(content_, bytesOf(buffer_));
        EXPECT_EQ("r--p", mappingAt(data).protection) << "before Linux 6.7 no other is allowed";
        sfd_memory_free(&sys_, &buffer_);
    }
}

TEST_F(MemoryTest, ShouldReadZerosWhereNothingWasWrittenBeforeTheSeal)
{
    ASSERT_EQ(0, sfd_memory_create(&sys_, "test", 100 * pageSize(), 0, &buffer_));
    ASSERT_EQ(0, seal());
    EXPECT_BYTES(std::string(buffer_.size, '\0'), bytesOf(buffer_));
}

TEST_F(MemoryTest, ShouldRaiseSigsegvForAWriteToWhatIsSealed)
{
    create(pageSize());
    EXPECT_EQ(0, writing(buffer_.data));
    ASSERT_EQ(0, seal());
    EXPECT_EQ(-SIGSEGV, writing(buffer_.data));
}

TEST_F(MemoryTest, ShouldRefuseEveryOtherWayToWriteToWhatIsSealed)
{
    create(2 * pageSize());
    ASSERT_EQ(0, seal());
    const int fd = buffer_.fd;
    EXPECT_EQ(-1, write(fd, "x", 1));
    EXPECT_EQ(EPERM, errno);
    EXPECT_EQ(-1, pwrite(fd, "x", 1, 0));
    EXPECT_EQ(EPERM, errno);
    EXPECT_EQ(MAP_FAILED, mmap(nullptr, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    EXPECT_EQ(EPERM, errno);
    EXPECT_EQ(-1, ftruncate(fd, 1));
    EXPECT_EQ(EPERM, errno);
    EXPECT_EQ(-1, ftruncate(fd, 1 << 20));
    EXPECT_EQ(EPERM, errno);
    EXPECT_EQ(-1, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(pageSize())));
    EXPECT_EQ(EPERM, errno);
    const OwnedFd again = reopened(fd, O_RDWR);
    ASSERT_GE(again.get(), 0);
    EXPECT_EQ(-1, write(again.get(), "x", 1));
    EXPECT_BYTES(content_, bytesOf(buffer_));
}

TEST_F(MemoryTest, ShouldKeepTheFileFromAMappingThatIsMadeWritableAgain)
{
    create(100);
    ASSERT_EQ(0, seal());
    other_.fd = fcntl(buffer_.fd, F_DUPFD_CLOEXEC, 0);
    ASSERT_EQ(0, sfd_memory_map(&sys_, &other_, SFD_MEMORY_WHOLE, 0));
    if (mprotect(buffer_.data, buffer_.mapped, PROT_READ | PROT_WRITE) == 0) {
        std::memset(buffer_.data, 'W', buffer_.size);
    }
    EXPECT_BYTES(content_, bytesOf(other_)) << "it was a copy";
}

TEST_F(MemoryTest, ShouldSealOnlyOnce)
{
    create(10);
    ASSERT_EQ(0, seal());
    const size_t calls = faults.calls.size();
    ASSERT_EQ(0, seal());
    EXPECT_EQ(calls, faults.calls.size());
}

TEST_F(MemoryTest, ShouldSealABufferWithoutBytes)
{
    ASSERT_EQ(0, sfd_memory_create(&sys_, "test", 0, 0, &buffer_));
    ASSERT_EQ(0, seal());
    EXPECT_EQ(SFD_BUFFER_SEALED, buffer_.seal);
    EXPECT_EQ(F_SEAL_WRITE, sealsOf(buffer_.fd) & F_SEAL_WRITE);
    EXPECT_EQ(nullptr, buffer_.data);
}

TEST_F(MemoryTest, ShouldSealNothing)
{
    EXPECT_EQ(-EBADF, seal());
    EXPECT_TRUE(isNothing(buffer_));
}

TEST_F(MemoryTest, ShouldNotSealWhatADaemonIsStillFilling)
{
    buffer_.fd = sfd_memory_open(&sys_, "filling");
    EXPECT_EQ(-EINVAL, seal());
    EXPECT_EQ(4, write(buffer_.fd, "more", 4));
    EXPECT_EQ(-EINVAL, seal());
    EXPECT_EQ(4, write(buffer_.fd, "more", 4));
    ASSERT_EQ(0, fcntl(buffer_.fd, F_ADD_SEALS, SIZE_SEALS | F_SEAL_WRITE));
    EXPECT_EQ(-EINVAL, seal()) << "how long it is nobody has asked yet";
    ASSERT_EQ(0, sfd_memory_map(&sys_, &buffer_, SFD_MEMORY_WHOLE, 0));
    EXPECT_EQ(0, seal());
    EXPECT_EQ("moremore", bytesOf(buffer_));
}

TEST_F(MemoryTest, ShouldKeepNewWritersOutWhereThereIsAnotherOne)
{
    create(100);
    void *writer = mapForWriting();
    void *const data = buffer_.data;
    ASSERT_EQ(0, seal());
    EXPECT_EQ(SFD_BUFFER_SEALED_FUTURE, buffer_.seal);
    EXPECT_EQ(data, buffer_.data);
    EXPECT_EQ(-SIGSEGV, writing(data));
    EXPECT_EQ(MAP_FAILED, mmap(nullptr, 1, PROT_READ | PROT_WRITE, MAP_SHARED, buffer_.fd, 0));
    EXPECT_EQ(-1, pwrite(buffer_.fd, "x", 1, 0));
    *static_cast<char *>(writer) = 'W';
    EXPECT_EQ('W', *static_cast<const volatile char *>(data)) << "this one still can";
    munmap(writer, buffer_.mapped);
}

TEST_F(MemoryTest, ShouldSealInTheEndWhenTheOtherWriterHasGone)
{
    create(100);
    void *writer = mapForWriting();
    ASSERT_EQ(0, seal());
    ASSERT_EQ(0, seal());
    EXPECT_EQ(SFD_BUFFER_SEALED_FUTURE, buffer_.seal);
    munmap(writer, buffer_.mapped);
    ASSERT_EQ(0, seal());
    EXPECT_EQ(SFD_BUFFER_SEALED, buffer_.seal);
    EXPECT_BYTES(content_, bytesOf(buffer_));
}

TEST_F(MemoryTest, ShouldGiveBackWhatCannotBeSealed)
{
    create(100);
    ASSERT_EQ(0, fcntl(buffer_.fd, F_ADD_SEALS, F_SEAL_SEAL));
    const struct sfd_buffer before = buffer_;
    EXPECT_EQ(-EPERM, seal());
    EXPECT_TRUE(isSame(before, buffer_));
    EXPECT_BYTES(content_, bytesOf(buffer_));
    EXPECT_EQ(0, writing(buffer_.data));
}

TEST_F(MemoryTest, ShouldNotSealByADescriptorThatIsReadOnly)
{
    create(100);
    OwnedFd read_only = reopened(buffer_.fd, O_RDONLY);
    ASSERT_GE(read_only.get(), 0);
    other_.fd = fcntl(read_only.get(), F_DUPFD_CLOEXEC, 0);
    other_.size = 100;
    EXPECT_EQ(-EPERM, sfd_memory_seal(&sys_, &other_));
    EXPECT_EQ(SFD_BUFFER_UNSEALED, other_.seal);
}

TEST_F(MemoryTest, ShouldHideAndShowTheSameBytes)
{
    create(3 * pageSize());
    void *const data = buffer_.data;
    ASSERT_EQ(0, sfd_memory_hide(&sys_, &buffer_));
    EXPECT_EQ(data, buffer_.data);
    EXPECT_EQ(-SIGSEGV, reading(data));
    ASSERT_EQ(0, sfd_memory_show(&sys_, &buffer_));
    EXPECT_EQ(data, buffer_.data);
    EXPECT_BYTES(content_, bytesOf(buffer_));
    EXPECT_EQ(0, writing(data));
}

TEST_F(MemoryTest, ShouldShowForReadingWhatSomebodyElseHasSealedMeanwhile)
{
    create(100); // and moved, but who sent it has kept a descriptor
    void *const data = buffer_.data;
    ASSERT_EQ(0, sfd_memory_hide(&sys_, &buffer_));
    ASSERT_EQ(0, fcntl(buffer_.fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SEAL));
    ASSERT_EQ(0, sfd_memory_show(&sys_, &buffer_));
    EXPECT_EQ(data, buffer_.data);
    EXPECT_EQ(SFD_BUFFER_SEALED_FUTURE, buffer_.seal);
    EXPECT_BYTES(content_, bytesOf(buffer_));
}

TEST_F(MemoryTest, ShouldKeepItsBytesWhenSomebodyElseKeepsItFromBeingSealed)
{
    create(100);
    ASSERT_EQ(0, fcntl(buffer_.fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SEAL));
    EXPECT_EQ(-EPERM, seal());
    EXPECT_BYTES(content_, bytesOf(buffer_));
}

/* ------------------------------------------------------------------ mapping */

TEST_F(MemoryTest, ShouldMapWhatIsSealed)
{
    create(pageSize() + 5);
    ASSERT_EQ(0, seal());
    other_.fd = fcntl(buffer_.fd, F_DUPFD_CLOEXEC, 0);
    ASSERT_EQ(0, sfd_memory_map(&sys_, &other_, SFD_MEMORY_WHOLE, 0));
    EXPECT_EQ(SFD_BUFFER_SEALED, other_.seal);
    EXPECT_EQ(buffer_.size, other_.size);
    EXPECT_NE(buffer_.data, other_.data);
    EXPECT_BYTES(content_, bytesOf(other_));
    EXPECT_EQ(-SIGSEGV, writing(other_.data));
}

TEST_F(MemoryTest, ShouldMapForWritingWhatIsNotSealed)
{
    create(100);
    other_.fd = fcntl(buffer_.fd, F_DUPFD_CLOEXEC, 0);
    ASSERT_EQ(0, sfd_memory_map(&sys_, &other_, SFD_MEMORY_WHOLE, SFD_BUFFER_WRITABLE));
    EXPECT_EQ(SFD_BUFFER_UNSEALED, other_.seal);
    static_cast<char *>(other_.data)[99] = 'W';
    EXPECT_EQ('W', bytesOf(buffer_).back());
}

TEST_F(MemoryTest, ShouldMapSoMuchAsItIsToldAndNotMore)
{
    const size_t page = pageSize();
    const OwnedFd fd = memoryFile(3 * page, SIZE_SEALS | F_SEAL_WRITE);
    for (const size_t size : {size_t{1}, page, page + 1, 3 * page}) {
        struct sfd_buffer buffer = SFD_BUFFER_INIT;
        buffer.fd = fd.get();
        ASSERT_EQ(0, sfd_memory_map(&sys_, &buffer, size, 0));
        EXPECT_EQ(size, buffer.size);
        EXPECT_EQ((size + page - 1) / page * page, buffer.mapped);
        sfd_memory_release(&sys_, buffer.data, buffer.mapped);
    }
    EXPECT_EQ(0, mapOf(fd.get(), 0, 0)) << "a buffer without bytes in a file that has some";
    EXPECT_EQ(-ERANGE, mapOf(fd.get(), 0, 3 * page + 1));
    EXPECT_EQ(-ERANGE, mapOf(fd.get(), 0, UINT64_MAX - 1));
}

TEST_F(MemoryTest, ShouldMapAnEmptyFile)
{
    const OwnedFd fd = memoryFile(0, SIZE_SEALS | F_SEAL_WRITE);
    struct sfd_buffer buffer = SFD_BUFFER_INIT;
    buffer.fd = fd.get();
    ASSERT_EQ(0, sfd_memory_map(&sys_, &buffer, SFD_MEMORY_WHOLE, 0));
    EXPECT_EQ(nullptr, buffer.data);
    EXPECT_EQ(0u, buffer.size);
    EXPECT_EQ(SFD_BUFFER_SEALED, buffer.seal);
}

TEST_F(MemoryTest, ShouldLeaveAloneWhatIsMapped)
{
    create(100);
    const struct sfd_buffer before = buffer_;
    EXPECT_EQ(0, sfd_memory_map(&sys_, &buffer_, SFD_MEMORY_WHOLE, 0));
    EXPECT_TRUE(isSame(before, buffer_));
}

TEST_F(MemoryTest, ShouldRefuseToMapWhatIsNoMemoryFile)
{
    TemporaryDirectory directory;
    writeFile(directory / "file", "content");
    const OwnedFd file = openFile(directory / "file", O_RDWR);
    const OwnedFd device = openFile("/dev/null", O_RDWR);
    const OwnedFd folder = openFile(directory.path(), O_RDONLY | O_DIRECTORY);
    const OwnedFd proc = openFile("/proc/self/maps", O_RDONLY);
    Pipe pipe;
    SocketPair pair;
    for (const int fd :
         {file.get(), device.get(), folder.get(), proc.get(), pipe.in.get(), pipe.out.get(), pair.in.get()}) {
        for (const unsigned flags : {0u, unsigned{SFD_BUFFER_WRITABLE}, unsigned{SFD_BUFFER_FUTURE_WRITE}}) {
            EXPECT_EQ(-EMEDIUMTYPE, mapOf(fd, flags)) << nameInProc(fd);
        }
    }
}

TEST_F(MemoryTest, ShouldRefuseToMapAPathOfAMemoryFile)
{
    const OwnedFd fd = memoryFile(100, SIZE_SEALS | F_SEAL_WRITE);
    const OwnedFd path = reopened(fd.get(), O_PATH);
    ASSERT_GE(path.get(), 0);
    EXPECT_EQ(-EMEDIUMTYPE, mapOf(path.get()));
}

TEST_F(MemoryTest, ShouldRefuseToMapAClosedDescriptor)
{
    int closed = -1;
    {
        Pipe pipe;
        closed = pipe.in.get();
    }
    EXPECT_EQ(-EBADF, mapOf(closed));
    EXPECT_EQ(-EBADF, mapOf(-1));
}

TEST_F(MemoryTest, ShouldRefuseToMapAFileOfASharedMemoryFileSystem)
{
    const OwnedFd fd(open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (fd.get() < 0) {
        GTEST_SKIP() << "/dev/shm: " << std::strerror(errno);
    }
    ASSERT_EQ(4, write(fd.get(), "test", 4));
    EXPECT_EQ(-EPERM, mapOf(fd.get())) << "nothing can seal it";
    EXPECT_EQ(-EPERM, mapOf(fd.get(), SFD_BUFFER_WRITABLE));
}

TEST_F(MemoryTest, ShouldRefuseToMapWhatCanChangeItsSize)
{
    for (const int seals :
         {0, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE, F_SEAL_WRITE | F_SEAL_GROW, F_SEAL_WRITE | F_SEAL_SHRINK}) {
        const OwnedFd fd = memoryFile(100, seals);
        SCOPED_TRACE(seals);
        EXPECT_EQ(-EPERM, mapOf(fd.get()));
        EXPECT_EQ(-EPERM, mapOf(fd.get(), SFD_BUFFER_FUTURE_WRITE));
        EXPECT_EQ(-EPERM, mapOf(fd.get(), SFD_BUFFER_WRITABLE));
    }
}

TEST_F(MemoryTest, ShouldRefuseToMapWhatCanBeWrittenTo)
{
    const OwnedFd fd = memoryFile(100, SIZE_SEALS);
    EXPECT_EQ(-EPERM, mapOf(fd.get()));
    EXPECT_EQ(-EPERM, mapOf(fd.get(), SFD_BUFFER_FUTURE_WRITE));
    EXPECT_EQ(0, mapOf(fd.get(), SFD_BUFFER_WRITABLE));
}

TEST_F(MemoryTest, ShouldMapWhatOldWritersCanWriteToOnlyWhenAsked)
{
    const OwnedFd fd = memoryFile(100, SIZE_SEALS | F_SEAL_FUTURE_WRITE);
    EXPECT_EQ(-EBUSY, mapOf(fd.get()));
    EXPECT_EQ(-EROFS, mapOf(fd.get(), SFD_BUFFER_WRITABLE));
    struct sfd_buffer buffer = SFD_BUFFER_INIT;
    buffer.fd = fd.get();
    ASSERT_EQ(0, sfd_memory_map(&sys_, &buffer, SFD_MEMORY_WHOLE, SFD_BUFFER_FUTURE_WRITE));
    EXPECT_EQ(SFD_BUFFER_SEALED_FUTURE, buffer.seal);
    sfd_memory_release(&sys_, buffer.data, buffer.mapped);
}

TEST_F(MemoryTest, ShouldRefuseToMapForWritingWhatIsSealed)
{
    const OwnedFd fd = memoryFile(100, SIZE_SEALS | F_SEAL_WRITE);
    EXPECT_EQ(-EROFS, mapOf(fd.get(), SFD_BUFFER_WRITABLE));
    EXPECT_EQ(0, mapOf(fd.get(), SFD_BUFFER_FUTURE_WRITE)) << "more than was asked for";
}

TEST_F(MemoryTest, ShouldGoByHowADescriptorIsOpen)
{
    const OwnedFd open_file = memoryFile(100, SIZE_SEALS);
    const OwnedFd sealed = memoryFile(100, SIZE_SEALS | F_SEAL_WRITE);
    const OwnedFd reader = reopened(open_file.get(), O_RDONLY);
    const OwnedFd writer = reopened(open_file.get(), O_WRONLY);
    const OwnedFd sealed_reader = reopened(sealed.get(), O_RDONLY);
    const OwnedFd sealed_writer = reopened(sealed.get(), O_WRONLY);
    EXPECT_EQ(-EROFS, mapOf(reader.get(), SFD_BUFFER_WRITABLE));
    EXPECT_EQ(-EROFS, mapOf(writer.get(), SFD_BUFFER_WRITABLE)) << "it could not be read";
    EXPECT_EQ(-EACCES, mapOf(writer.get()));
    EXPECT_EQ(0, mapOf(sealed_reader.get()));
    if (sealed_writer.get() >= 0) {
        EXPECT_EQ(-EACCES, mapOf(sealed_writer.get()));
    }
}

TEST_F(MemoryTest, ShouldRefuseToMapByFlagsThatItDoesNotKnow)
{
    const OwnedFd fd = memoryFile(100, SIZE_SEALS | F_SEAL_WRITE);
    for (const unsigned flags : {1u, 2u, 8u, 256u, 0x80000000u}) {
        EXPECT_EQ(-EINVAL, mapOf(fd.get(), flags));
    }
}

/* ------------------------------------------------------------------ letting go */

TEST_F(MemoryTest, ShouldRaiseSigbusForWhatIsRevoked)
{
    for (const bool sealed : {false, true}) {
        create(2 * pageSize() + 1);
        if (sealed) {
            ASSERT_EQ(0, seal());
        }
        char *const data = static_cast<char *>(buffer_.data);
        const size_t length = buffer_.mapped;
        ASSERT_EQ(0, sfd_memory_revoke(&sys_, &buffer_));
        EXPECT_NE(data, buffer_.data);
        EXPECT_EQ(length, buffer_.mapped);
        for (const size_t at : {size_t{0}, pageSize(), length - 1}) {
            EXPECT_EQ(-SIGBUS, reading(data + at));
            EXPECT_EQ(-SIGBUS, writing(data + at));
        }
        sfd_memory_free(&sys_, &buffer_);
        EXPECT_EQ(-SIGBUS, reading(data)) << "the addresses outlive the buffer";
        sfd_memory_release(&sys_, data, length);
        EXPECT_EQ("", mappingAt(data).protection);
    }
}

TEST_F(MemoryTest, ShouldKeepTheBytesOfWhatIsRevokedElsewhere)
{
    create(100);
    void *const data = buffer_.data;
    const size_t length = buffer_.mapped;
    ASSERT_EQ(0, sfd_memory_revoke(&sys_, &buffer_));
    EXPECT_BYTES(content_, bytesOf(buffer_));
    static_cast<char *>(buffer_.data)[0] = 'x'; // as writable as before
    ASSERT_EQ(0, seal());
    EXPECT_EQ(SFD_BUFFER_SEALED, buffer_.seal);
    sfd_memory_release(&sys_, data, length);
}

TEST_F(MemoryTest, ShouldRevokeWhatSomebodyElseHasSealedMeanwhile)
{
    create(100);
    void *const data = buffer_.data;
    const size_t length = buffer_.mapped;
    ASSERT_EQ(0, fcntl(buffer_.fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
    ASSERT_EQ(0, sfd_memory_revoke(&sys_, &buffer_));
    EXPECT_EQ(SFD_BUFFER_SEALED_FUTURE, buffer_.seal);
    EXPECT_BYTES(content_, bytesOf(buffer_));
    sfd_memory_release(&sys_, data, length);
    ASSERT_EQ(0, seal());
    EXPECT_EQ(SFD_BUFFER_SEALED, buffer_.seal) << "the old mapping for writing has gone";
}

TEST_F(MemoryTest, ShouldRevokeNothing)
{
    EXPECT_EQ(0, sfd_memory_revoke(&sys_, &buffer_));
    EXPECT_TRUE(isNothing(buffer_));
}

TEST_F(MemoryTest, ShouldFreeTwice)
{
    create(100);
    void *const data = buffer_.data;
    sfd_memory_free(&sys_, &buffer_);
    EXPECT_TRUE(isNothing(buffer_));
    EXPECT_EQ("", mappingAt(data).protection);
    const OwnedFd other(memfd_create("other", MFD_CLOEXEC)); // of the same number, perhaps
    sfd_memory_free(&sys_, &buffer_);
    EXPECT_GE(fcntl(other.get(), F_GETFD), 0);
}

/* ------------------------------------------------------------------ failures */

struct Operation {
    const char *name;
    std::function<int(MemoryTest &, const struct sfd_sys_memory *, struct sfd_buffer *)> prepare;
    std::function<int(const struct sfd_sys_memory *, struct sfd_buffer *)> run;
    bool keeps; // on failure the buffer is as it was, but for its mapping
};

// GoogleTest would print the object's bytes, padding and all, which Valgrind takes ill.
void PrintTo(const Operation &operation, std::ostream *out)
{
    *out << operation.name;
}

const Operation OPERATIONS[] = {
    {"create", nullptr,
     [](auto *sys, auto *buffer) { return sfd_memory_create(sys, "test", 100, SFD_BUFFER_PREFAULT, buffer); }, true},
    {"seal", [](auto &, auto *sys, auto *buffer) { return sfd_memory_create(sys, "test", 100, 0, buffer); },
     [](auto *sys, auto *buffer) { return sfd_memory_seal(sys, buffer); }, true},
    {"map",
     [](auto &, auto *sys, auto *buffer) {
         int result = sfd_memory_create(sys, "test", 100, 0, buffer);
         result = result < 0 ? result : sfd_memory_seal(sys, buffer);
         sfd_memory_release(sys, buffer->data, buffer->mapped);
         buffer->data = nullptr;
         return result;
     },
     [](auto *sys, auto *buffer) { return sfd_memory_map(sys, buffer, SFD_MEMORY_WHOLE, 0); }, true},
    {"revoke", [](auto &, auto *sys, auto *buffer) { return sfd_memory_create(sys, "test", 100, 0, buffer); },
     [](auto *sys, auto *buffer) {
         void *const data = buffer->data;
         const size_t length = buffer->mapped;
         const int result = sfd_memory_revoke(sys, buffer);
         if (result == 0) sfd_memory_release(sys, data, length);
         return result;
     },
     true},
};

class FailingCallTest : public MemoryTest, public testing::WithParamInterface<Operation>
{
};

INSTANTIATE_TEST_SUITE_P(Operations, FailingCallTest, testing::ValuesIn(OPERATIONS),
                         [](const auto &instance) { return std::string(instance.param.name); });

TEST_P(FailingCallTest, ShouldLeakNothingAndTouchNothingWhicheverCallFails)
{
    const Operation &operation = GetParam();
    bool failed = true;

    for (int at = 1; failed; at++) {
        struct sfd_buffer buffer = SFD_BUFFER_INIT;
        const auto descriptors = openDescriptors();
        const size_t count = memoryMappings();
        if (operation.prepare != nullptr) {
            ASSERT_EQ(0, operation.prepare(*this, &sfd_sys_memory_linux, &buffer));
        }
        const struct sfd_buffer before = buffer;
        faults.calls.clear();
        faults.fail_at = at;
        faults.error = -ENOMEM;
        const int result = operation.run(&sys_, &buffer);
        failed = static_cast<int>(faults.calls.size()) >= at;
        SCOPED_TRACE(failed ? faults.calls[static_cast<size_t>(at) - 1] : "none");
        const std::string call = failed ? faults.calls[static_cast<size_t>(at) - 1] : "";
        if (!failed || call == "close" || call == "munmap") {
            EXPECT_EQ(0, result) << "these two cannot fail in earnest";
        } else {
            EXPECT_EQ(-ENOMEM, result);
            EXPECT_EQ(before.fd, buffer.fd);
            EXPECT_EQ(before.size, buffer.size);
            if (buffer.data != nullptr) {
                EXPECT_EQ(before.data, buffer.data);
                EXPECT_EQ(buffer.seal == SFD_BUFFER_UNSEALED ? 'w' : '-', mappingAt(buffer.data).protection[1])
                    << "what is mapped can be used";
            }
        }
        sfd_memory_free(&sys_, &buffer);
        sfd_memory_free(&sys_, &buffer);
        EXPECT_EQ(descriptors, openDescriptors());
        EXPECT_EQ(count, memoryMappings());
        for (const void *address : faults.addresses) {
            EXPECT_EQ("", mappingAt(address).protection);
        }
        if (before.data != nullptr) {
            EXPECT_EQ("", mappingAt(before.data).protection);
        }
    }
}

TEST_F(MemoryTest, ShouldStaySealedWithoutAMappingWhenItCannotBeMappedAgain)
{
    create(100);
    void *const data = buffer_.data;
    faults.calls.clear();
    faults.fail_at = 4; // page_size, hide, seal, show
    faults.error = -ENOMEM;
    ASSERT_EQ(-ENOMEM, seal());
    EXPECT_EQ("mmap", faults.calls.back() == "munmap" ? faults.calls[3] : "");
    EXPECT_EQ(SFD_BUFFER_SEALED, buffer_.seal);
    EXPECT_EQ(nullptr, buffer_.data);
    EXPECT_EQ("", mappingAt(data).protection);
    faults.fail_at = 0;
    ASSERT_EQ(0, sfd_memory_map(&sys_, &buffer_, SFD_MEMORY_WHOLE, 0)) << "later there is memory";
    EXPECT_BYTES(content_, bytesOf(buffer_));
}

TEST_F(MemoryTest, ShouldSayThatThereIsNoMemoryForWhatIsPrefaulted)
{
    for (const int error : {-ENOSPC, -EFAULT, -ENOMEM}) { // hugetlbfs; a fault that would be SIGBUS
        faults = {};
        faults.fail_at = 7;
        faults.error = error;
        EXPECT_EQ(-ENOMEM, sfd_memory_create(&sys_, "test", 1, SFD_BUFFER_PREFAULT, &buffer_));
        EXPECT_EQ("populate", faults.calls[6]);
    }
}

TEST_F(MemoryTest, ShouldNotBelieveAPageSizeThatIsNone)
{
    sys_.page_size = [](int, uint64_t *size) {
        *size = 0;
        return 0;
    };
    EXPECT_EQ(-ENOMEM, sfd_memory_create(&sys_, "test", 100, 0, &buffer_));
    const OwnedFd fd = memoryFile(100, SIZE_SEALS | F_SEAL_WRITE);
    EXPECT_EQ(-ENOMEM, mapOf(fd.get()));
}

/* ------------------------------------------------------------------ huge pages */

class HugeMemoryTest : public MemoryTest
{
  protected:
    void SetUp() override
    {
        MemoryTest::SetUp();
        huge_ = HugePages::size();
        if (huge_ == 0) {
            GTEST_SKIP() << "a kernel without huge pages";
        }
    }
    /* Sets them aside for this test. False: there are none, skip() tells why. */
    bool setAside(unsigned count)
    {
        pages_ = std::make_unique<HugePages>(count);
        return pages_->missing().empty();
    }
    void TearDown() override
    {
        sfd_memory_free(&sys_, &buffer_);
        sfd_memory_free(&sys_, &other_);
        pages_.reset();
        MemoryTest::TearDown();
    }

    size_t huge_ = 0;
    std::unique_ptr<HugePages> pages_;
};

TEST_F(HugeMemoryTest, ShouldMakeABufferOfWholeHugePagesThatKeepsItsOwnSize)
{
    if (!setAside(2)) {
        GTEST_SKIP() << pages_->missing();
    }
    create(huge_ + 5, SFD_BUFFER_HUGE_PAGES);
    EXPECT_EQ(huge_ + 5, buffer_.size);
    EXPECT_EQ(2 * huge_, buffer_.mapped);
    EXPECT_EQ(2 * huge_, sizeOfFile(buffer_.fd));
    EXPECT_EQ("/memfd:test (deleted)", nameInProc(buffer_.fd));
}

TEST_F(HugeMemoryTest, ShouldKeepAddressAndBytesWhenItIsSealed)
{
    if (!setAside(2)) {
        GTEST_SKIP() << pages_->missing();
    }
    create(huge_ + 5, SFD_BUFFER_HUGE_PAGES | SFD_BUFFER_PREFAULT);
    void *const data = buffer_.data;
    ASSERT_EQ(0, seal());
    EXPECT_EQ(SFD_BUFFER_SEALED, buffer_.seal);
    EXPECT_EQ(data, buffer_.data);
    EXPECT_BYTES(content_, bytesOf(buffer_));
    EXPECT_EQ(-SIGSEGV, writing(data));
}

TEST_F(HugeMemoryTest, ShouldReadZerosWhereNothingWasWrittenBeforeTheSeal)
{
    if (!setAside(2)) {
        GTEST_SKIP() << pages_->missing();
    }
    ASSERT_EQ(0, sfd_memory_create(&sys_, "test", 2 * huge_, SFD_BUFFER_HUGE_PAGES, &buffer_));
    ASSERT_EQ(0, seal());
    EXPECT_EQ(0, reading(buffer_.data));
    EXPECT_EQ(0, reading(static_cast<char *>(buffer_.data) + 2 * huge_ - 1));
}

TEST_F(HugeMemoryTest, ShouldTakeNoPageWhenItIsSealedThatItHas)
{
    if (!setAside(1)) {
        GTEST_SKIP() << pages_->missing();
    }
    create(5, SFD_BUFFER_HUGE_PAGES);
    const blkcnt_t blocks = blocksOf(buffer_.fd);
    ASSERT_EQ(0, seal());
    EXPECT_EQ(blocks, blocksOf(buffer_.fd));
    EXPECT_EQ(static_cast<blkcnt_t>(huge_ / 512), blocks);
}

TEST_F(HugeMemoryTest, ShouldStayAsItIsWhenItsPagesCannotBeTakenForTheSeal)
{
    if (!setAside(1)) {
        GTEST_SKIP() << pages_->missing();
    }
    create(5, SFD_BUFFER_HUGE_PAGES);
    const struct sfd_buffer before = buffer_;
    faults.calls.clear();
    faults.fail_at = 2;
    faults.error = -EFAULT;
    EXPECT_EQ(-ENOMEM, seal());
    EXPECT_EQ("populate", faults.calls.at(1));
    EXPECT_TRUE(isSame(before, buffer_));
    EXPECT_EQ(0, writing(buffer_.data));
}

TEST_F(HugeMemoryTest, ShouldSealInTheEndWhenTheOtherWriterHasGone)
{
    if (!setAside(1)) {
        GTEST_SKIP() << pages_->missing();
    }
    create(5, SFD_BUFFER_HUGE_PAGES);
    void *writer = mapForWriting();
    ASSERT_EQ(0, seal());
    EXPECT_EQ(SFD_BUFFER_SEALED_FUTURE, buffer_.seal);
    munmap(writer, buffer_.mapped);
    ASSERT_EQ(0, seal());
    EXPECT_EQ(SFD_BUFFER_SEALED, buffer_.seal);
    EXPECT_BYTES(content_, bytesOf(buffer_));
}

TEST_F(HugeMemoryTest, ShouldRefuseToMapAPeersFileThatLacksPages)
{
    // Anybody can make such a file, also where no huge page is set aside: an access would raise SIGBUS.
    const OwnedFd fd(memfd_create("peer", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB));
    ASSERT_GE(fd.get(), 0);
    ASSERT_EQ(0, ftruncate(fd.get(), static_cast<off_t>(2 * huge_)));
    ASSERT_EQ(0, fcntl(fd.get(), F_ADD_SEALS, SIZE_SEALS | F_SEAL_FUTURE_WRITE));
    EXPECT_EQ(-ENOMEM, mapOf(fd.get(), SFD_BUFFER_FUTURE_WRITE));
    ASSERT_EQ(0, fcntl(fd.get(), F_ADD_SEALS, F_SEAL_WRITE));
    EXPECT_EQ(-ENOMEM, mapOf(fd.get()));
    EXPECT_EQ(-ENOMEM, mapOf(fd.get(), 0, 1));
}

TEST_F(HugeMemoryTest, ShouldBeMappedByWhoGetsIt)
{
    if (!setAside(2)) {
        GTEST_SKIP() << pages_->missing();
    }
    create(huge_ + 5, SFD_BUFFER_HUGE_PAGES);
    ASSERT_EQ(0, seal());
    other_.fd = fcntl(buffer_.fd, F_DUPFD_CLOEXEC, 0);
    ASSERT_EQ(0, sfd_memory_map(&sys_, &other_, buffer_.size, 0)) << "it takes no page more";
    EXPECT_EQ(huge_ + 5, other_.size);
    EXPECT_EQ(2 * huge_, other_.mapped);
    EXPECT_BYTES(content_, bytesOf(other_));
}

TEST_F(HugeMemoryTest, ShouldBeMappedForWritingByWhomItIsMovedTo)
{
    if (!setAside(1)) {
        GTEST_SKIP() << pages_->missing();
    }
    create(5, SFD_BUFFER_HUGE_PAGES);
    ASSERT_EQ(0, sfd_memory_hide(&sys_, &buffer_));
    other_.fd = fcntl(buffer_.fd, F_DUPFD_CLOEXEC, 0);
    ASSERT_EQ(0, sfd_memory_map(&sys_, &other_, 5, SFD_BUFFER_WRITABLE));
    EXPECT_BYTES(content_, bytesOf(other_));
    EXPECT_EQ(0, writing(other_.data));
}

TEST_F(HugeMemoryTest, ShouldBeRevoked)
{
    if (!setAside(1)) {
        GTEST_SKIP() << pages_->missing();
    }
    create(5, SFD_BUFFER_HUGE_PAGES);
    void *const data = buffer_.data;
    const size_t length = buffer_.mapped;
    ASSERT_EQ(0, sfd_memory_revoke(&sys_, &buffer_));
    EXPECT_EQ(-SIGBUS, reading(data));
    sfd_memory_release(&sys_, data, length);
}

TEST_F(HugeMemoryTest, ShouldRefuseWhenThereAreNotEnough)
{
    std::ifstream overcommit("/proc/sys/vm/nr_overcommit_hugepages");
    std::ifstream all("/proc/sys/vm/nr_hugepages");
    size_t more = 1;
    size_t count = 0;
    overcommit >> more;
    all >> count;
    if (more != 0) {
        GTEST_SKIP() << "this machine makes huge pages on demand";
    }
    for (const unsigned flags : {0u, unsigned{SFD_BUFFER_PREFAULT}}) {
        EXPECT_EQ(-ENOMEM,
                  sfd_memory_create(&sys_, "test", (count + 1000) * huge_, SFD_BUFFER_HUGE_PAGES | flags, &buffer_));
        EXPECT_TRUE(isNothing(buffer_));
    }
}

TEST_F(HugeMemoryTest, ShouldSayThatTheKernelHasNone)
{
    faults.fail_at = 2;
    faults.error = -ENOSYS;
    EXPECT_EQ(-ENOSYS, sfd_memory_create(&sys_, "test", 1, SFD_BUFFER_HUGE_PAGES, &buffer_));
    EXPECT_EQ("memfd_create", faults.calls.at(1));
}

} // namespace
