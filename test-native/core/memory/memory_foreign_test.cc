// Buffers that no kernel has sealed: in files, and those of senders that know no seals, as of libfatipc.
#include "memory_fixture.h"

#include <filesystem>
#include <memory>

#include <sys/stat.h>

#include "temporary_directory.h"

extern "C" {
#include "memory/buffer_handover.h"
}

namespace
{

constexpr size_t SIZE = 100001;
constexpr unsigned COPY = SFD_BUFFER_COPY;
constexpr unsigned TRUST = SFD_BUFFER_TRUST | SFD_BUFFER_WRITABLE;

class ForeignBufferTest : public MemoryFixture
{
  protected:
    void SetUp() override
    {
        MemoryFixture::SetUp();
        directory_ = std::make_unique<TemporaryDirectory>();
        pair_ = std::make_unique<SocketPair>(SOCK_DGRAM);
        content_ = pattern(SIZE);
        writeFile(*directory_ / "file", content_);
    }
    void TearDown() override
    {
        pair_.reset();
        directory_.reset();
        MemoryFixture::TearDown();
    }

    OwnedFd file(int flags)
    {
        return openFile(*directory_ / "file", flags);
    }
    /* What fatipc_send() of libfatipc sends. */
    void sendAsFatipc(int fd)
    {
        char bytes[] = "ABC";
        alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
        struct iovec iov = {bytes, 3};
        struct msghdr message = {};
        message.msg_iov = &iov;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        struct cmsghdr *const c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(c), &fd, sizeof fd);
        ASSERT_EQ(3, sendmsg(pair_->out.get(), &message, 0));
    }
    int receive(unsigned flags)
    {
        return sfd_buffer_handover_receive(&sys_, pair_->in.get(), flags, MSG_DONTWAIT, &other_);
    }
    static ino_t inodeOf(int fd)
    {
        struct stat st = {};
        EXPECT_EQ(0, fstat(fd, &st));
        return st.st_ino;
    }
    int refusalOf(const OwnedFd &fd, unsigned flags)
    {
        const auto before = openDescriptors();
        sendAsFatipc(fd.get());
        const int result = receive(flags);
        EXPECT_TRUE(isNothing(other_));
        EXPECT_EQ(before, openDescriptors());
        return result;
    }

    std::unique_ptr<TemporaryDirectory> directory_;
    std::unique_ptr<SocketPair> pair_;
};

TEST_F(ForeignBufferTest, ShouldCopyWhatAnOldSenderHandsOverAndSealTheCopy)
{
    const OwnedFd sent = file(O_RDWR);
    sendAsFatipc(sent.get());
    ASSERT_EQ(1, receive(COPY));
    EXPECT_EQ(SFD_BUFFER_SEALED, other_.seal);
    ASSERT_EQ(1, pwrite(sent.get(), "?", 1, 0));
    ASSERT_EQ(0, ftruncate(sent.get(), 0));
    EXPECT_BYTES(content_, bytesOf(other_));
    EXPECT_EQ(-SIGSEGV, writing(other_.data));
}

TEST_F(ForeignBufferTest, ShouldCopyMemoryThatIsNotSealedAsDemandedAndNoOther)
{
    create(SIZE);
    ASSERT_EQ(0, sfd_buffer_handover_move(&sys_, pair_->out.get(), &buffer_, 0));
    ASSERT_EQ(1, receive(COPY | SFD_BUFFER_WRITABLE)) << "it was moved, as demanded";
    EXPECT_EQ(SFD_BUFFER_UNSEALED, other_.seal);
    const ino_t moved = inodeOf(other_.fd);
    ASSERT_EQ(0, sfd_buffer_handover_send(&sys_, pair_->out.get(), &other_, 0));
    sfd_memory_free(&sys_, &other_);
    ASSERT_EQ(1, receive(COPY));
    EXPECT_EQ(moved, inodeOf(other_.fd)) << "sealed memory is not copied";
    ASSERT_EQ(0, sfd_buffer_handover_send(&sys_, pair_->out.get(), &other_, 0));
    sfd_memory_free(&sys_, &other_);
    ASSERT_EQ(1, receive(COPY | SFD_BUFFER_WRITABLE)) << "a copy to write to";
    EXPECT_NE(moved, inodeOf(other_.fd));
    EXPECT_EQ(0, writing(other_.data));
    EXPECT_BYTES(content_, bytesOf(other_));
}

TEST_F(ForeignBufferTest, ShouldMapAFileOfATrustedSenderAsItIs)
{
    const OwnedFd sent = file(O_RDWR);
    sendAsFatipc(sent.get());
    ASSERT_EQ(1, receive(TRUST));
    EXPECT_EQ(SFD_BUFFER_UNSEALED, other_.seal);
    ASSERT_EQ(1, pwrite(sent.get(), "?", 1, 0));
    content_[0] = '?';
    EXPECT_BYTES(content_, bytesOf(other_));
    EXPECT_EQ(-EMEDIUMTYPE, sfd_memory_seal(&sys_, &other_)) << "it says so instead of a seal that is none";
    EXPECT_NE(nullptr, other_.data);
}

TEST_F(ForeignBufferTest, ShouldRefuseThemUnlessAskedFor)
{
    EXPECT_EQ(-EBADMSG, refusalOf(file(O_RDWR), 0));
    EXPECT_EQ(-EBADMSG, refusalOf(file(O_RDWR), SFD_BUFFER_WRITABLE));
    EXPECT_EQ(-EMEDIUMTYPE, mapOf(file(O_RDWR).get()));
    EXPECT_EQ(-EROFS, refusalOf(file(O_RDONLY), TRUST));
    EXPECT_EQ(-EACCES, refusalOf(file(O_WRONLY), COPY));
    EXPECT_EQ(-EMEDIUMTYPE, refusalOf(file(O_PATH), COPY));
    EXPECT_EQ(-EMEDIUMTYPE, refusalOf(file(O_PATH), TRUST));
    for (const unsigned flags : {COPY, TRUST}) {
        EXPECT_EQ(-EMEDIUMTYPE, refusalOf(openFile("/dev/zero", O_RDWR), flags));
        EXPECT_EQ(-EMEDIUMTYPE, refusalOf(SocketPair().in, flags));
    }
    for (const unsigned flags : {unsigned{SFD_BUFFER_TRUST}, TRUST | COPY, 256U}) {
        EXPECT_EQ(-EINVAL, receive(flags));
    }
}

TEST_F(ForeignBufferTest, ShouldTellThatAFileBecameShorterWhileItWasCopied)
{
    static int cut;
    const OwnedFd sent = file(O_RDWR);
    cut = sent.get();
    sys_.pread = [](int fd, void *to, size_t size, uint64_t offset) {
        EXPECT_EQ(0, ftruncate(cut, SIZE / 2));
        return sfd_sys_memory_linux.pread(fd, to, size, offset);
    };
    EXPECT_EQ(-ERANGE, refusalOf(sent, COPY)) << "and no SIGBUS";
}

TEST_F(ForeignBufferTest, ShouldCopyNoMoreThanMemoryCanHave)
{
    const OwnedFd sent = file(O_RDWR);
    ASSERT_EQ(0, ftruncate(sent.get(), off_t{1} << 43));
    EXPECT_EQ(-ENOMEM, refusalOf(sent, COPY));
}

TEST_F(ForeignBufferTest, ShouldHandOverAFileThatIsLargerThanMemory)
{
    sys_.memory_total = [](uint64_t *bytes) {
        *bytes = SIZE - 1;
        return 0;
    };
    EXPECT_EQ(-ENOMEM, sfd_memory_create(&sys_, "test", SIZE, 0, &buffer_));
    ASSERT_EQ(0, sfd_memory_create_in(&sys_, directory_->path().c_str(), SIZE, &buffer_));
    EXPECT_EQ(SIZE, buffer_.size);
    std::memcpy(buffer_.data, content_.data(), SIZE);
    EXPECT_EQ(-EMEDIUMTYPE, sfd_buffer_handover_send(&sys_, pair_->out.get(), &buffer_, 0)) << "nothing seals it";
    EXPECT_BYTES(content_, bytesOf(buffer_));
    ASSERT_EQ(0, sfd_buffer_handover_move(&sys_, pair_->out.get(), &buffer_, 0));
    EXPECT_TRUE(isNothing(buffer_));
    ASSERT_EQ(1, receive(TRUST));
    EXPECT_BYTES(content_, bytesOf(other_));
}

TEST_F(ForeignBufferTest, ShouldTakeTheRoomOfAFileAtOnce)
{
    ASSERT_EQ(0, sfd_memory_create_in(&sys_, directory_->path().c_str(), SIZE, &buffer_));
    uint64_t allocated = 0;
    ASSERT_EQ(0, sys_.file_allocated(buffer_.fd, &allocated));
    EXPECT_GE(allocated, SIZE) << "a full disk would be a SIGBUS later";
    EXPECT_EQ(0u, std::distance(std::filesystem::directory_iterator(directory_->path()), {}) - 1) << "it has no name";
}

TEST_F(ForeignBufferTest, ShouldSayWhyThereIsNoFile)
{
    const auto failure = [this](const char *directory, size_t size) {
        const int result = sfd_memory_create_in(&sys_, directory, size, &buffer_);
        EXPECT_TRUE(isNothing(buffer_));
        return result;
    };
    EXPECT_EQ(-EINVAL, failure(nullptr, SIZE));
    EXPECT_EQ(-EINVAL, failure(directory_->path().c_str(), 0));
    EXPECT_EQ(-ENOENT, failure((*directory_ / "missing").c_str(), SIZE));
    EXPECT_EQ(-ENOTDIR, failure((*directory_ / "file").c_str(), SIZE));
    EXPECT_EQ(-EOPNOTSUPP, failure("/proc", SIZE));
    sys_.fallocate = [](int, uint64_t) { return -ENOSPC; };
    EXPECT_EQ(-ENOSPC, failure(directory_->path().c_str(), SIZE));
}

} // namespace
