// Tests of native/client/buffer.c and of what native/client/client.c does with buffers, through libsendfiled.so: -1 and
// errno, and what a request carries. How buffers behave is told by memory_test and buffer_handover_test.
#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <sendfiled/sendfiled.h>
#include <sendfiled/wire.h>

#include "descriptors.h"
#include "temporary_directory.h"

namespace
{

constexpr int SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

class BufferTest : public DescriptorCountingTest
{
  protected:
    void SetUp() override
    {
        DescriptorCountingTest::SetUp();
        int ends[2];
        ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
        in_.reset(ends[0]);
        out_.reset(ends[1]);
    }
    void TearDown() override
    {
        sfd_buffer_free(&buffer_);
        sfd_buffer_free(&other_);
        in_.reset();
        out_.reset();
        DescriptorCountingTest::TearDown();
    }

    void alloc(const std::string &content)
    {
        ASSERT_EQ(0, sfd_buffer_alloc(&buffer_, "test", content.size(), 0));
        std::memcpy(buffer_.data, content.data(), content.size());
    }
    static std::string bytesOf(const sfd_buffer &buffer)
    {
        return buffer.data == nullptr ? std::string()
                                      : std::string(static_cast<const char *>(buffer.data), buffer.size);
    }
    static bool isNothing(const sfd_buffer &buffer)
    {
        const sfd_buffer nothing = SFD_BUFFER_INIT;
        return buffer.data == nothing.data && buffer.size == nothing.size && buffer.fd == nothing.fd &&
               buffer.seal == nothing.seal && buffer.mapped == nothing.mapped;
    }

    sfd_buffer buffer_ = SFD_BUFFER_INIT;
    sfd_buffer other_ = SFD_BUFFER_INIT;
    OwnedFd in_;
    OwnedFd out_;
};

// A call gives -1 and this errno.
#define EXPECT_ERRNO(expected, call)                                                                                   \
    do {                                                                                                               \
        errno = 0;                                                                                                     \
        EXPECT_EQ(-1, (call)) << #call;                                                                                \
        EXPECT_EQ(expected, errno) << #call;                                                                           \
    } while (0)

TEST_F(BufferTest, shouldSendABufferFromOneEndToTheOther)
{
    alloc("content");
    ASSERT_EQ(0, sfd_buffer_send(out_.get(), &buffer_));
    ASSERT_EQ(1, sfd_buffer_recv(in_.get(), &other_, 0));
    EXPECT_EQ("content", bytesOf(other_));
    EXPECT_EQ(SFD_BUFFER_SEALED, other_.seal);
}

TEST_F(BufferTest, shouldMoveABufferThereAndBack)
{
    alloc("content");
    ASSERT_EQ(0, sfd_buffer_move(out_.get(), &buffer_));
    EXPECT_TRUE(isNothing(buffer_));
    ASSERT_EQ(1, sfd_buffer_recv(in_.get(), &other_, SFD_BUFFER_WRITABLE));
    static_cast<char *>(other_.data)[0] = 'C';
    ASSERT_EQ(0, sfd_buffer_move(in_.get(), &other_));
    ASSERT_EQ(1, sfd_buffer_recv(out_.get(), &buffer_, SFD_BUFFER_WRITABLE));
    EXPECT_EQ("Content", bytesOf(buffer_));
}

TEST_F(BufferTest, shouldMapADescriptorThatCameByAnotherWay)
{
    alloc("content");
    ASSERT_EQ(0, sfd_buffer_seal(&buffer_));
    other_.fd = fcntl(buffer_.fd, F_DUPFD_CLOEXEC, 0);
    ASSERT_EQ(0, sfd_buffer_map(&other_, 0));
    EXPECT_EQ("content", bytesOf(other_));
    EXPECT_EQ(0, sfd_buffer_map(&other_, 0)) << "it is mapped";
}

TEST_F(BufferTest, shouldTellFailuresByErrno)
{
    EXPECT_ERRNO(EINVAL, sfd_buffer_alloc(&buffer_, "test", 1, 0x80));
    EXPECT_ERRNO(EINVAL, sfd_buffer_alloc(&buffer_, std::string(250, 'n').c_str(), 1, 0));
    EXPECT_ERRNO(ENOMEM, sfd_buffer_alloc(&buffer_, "test", SIZE_MAX, 0));
    EXPECT_ERRNO(ENOMEM, sfd_buffer_alloc(&buffer_, "test", SIZE_MAX / 2, 0));
    EXPECT_ERRNO(EBADF, sfd_buffer_seal(&buffer_));
    EXPECT_ERRNO(EBADF, sfd_buffer_map(&buffer_, 0));
    EXPECT_ERRNO(EBADF, sfd_buffer_send(out_.get(), &buffer_));
    EXPECT_ERRNO(EBADF, sfd_buffer_move(out_.get(), &buffer_));
    EXPECT_ERRNO(EBADF, sfd_buffer_recv(-1, &buffer_, 0));
    EXPECT_ERRNO(EINVAL, sfd_buffer_recv(in_.get(), &buffer_, 1));
    EXPECT_TRUE(isNothing(buffer_));
}

TEST_F(BufferTest, shouldTellByErrnoWhatHasCome)
{
    ASSERT_EQ(4, write(out_.get(), "junk", 4));
    EXPECT_ERRNO(EBADMSG, sfd_buffer_recv(in_.get(), &buffer_, 0));
    alloc("content");
    ASSERT_EQ(0, sfd_buffer_move(out_.get(), &buffer_));
    EXPECT_ERRNO(EPERM, sfd_buffer_recv(in_.get(), &buffer_, 0));
    alloc("content");
    ASSERT_EQ(0, sfd_buffer_send(out_.get(), &buffer_));
    EXPECT_ERRNO(EROFS, sfd_buffer_recv(in_.get(), &other_, SFD_BUFFER_WRITABLE));
    EXPECT_TRUE(isNothing(other_));
}

TEST_F(BufferTest, shouldNotWaitWhenTheSocketIsNonblocking)
{
    ASSERT_EQ(0, fcntl(in_.get(), F_SETFL, O_NONBLOCK));
    EXPECT_ERRNO(EAGAIN, sfd_buffer_recv(in_.get(), &buffer_, 0));
}

TEST_F(BufferTest, shouldTellTheEndOfTheConnection)
{
    out_.reset();
    EXPECT_EQ(0, sfd_buffer_recv(in_.get(), &buffer_, 0));
    EXPECT_TRUE(isNothing(buffer_));
}

TEST_F(BufferTest, shouldNotTouchErrnoWhenItFrees)
{
    alloc("content");
    errno = 4711;
    sfd_buffer_free(&buffer_);
    EXPECT_EQ(4711, errno);
    sfd_buffer_free(&buffer_);
    sfd_buffer_free(nullptr);
    EXPECT_EQ(4711, errno);
    EXPECT_TRUE(isNothing(buffer_));
    buffer_.fd = INT_MAX; // close(2) says EBADF
    sfd_buffer_free(&buffer_);
    EXPECT_EQ(4711, errno);
}

TEST_F(BufferTest, shouldNotTouchErrnoWhenItSucceeds)
{
    errno = 4711;
    alloc("content");
    ASSERT_EQ(0, sfd_buffer_seal(&buffer_));
    ASSERT_EQ(0, sfd_buffer_send(out_.get(), &buffer_));
    ASSERT_EQ(1, sfd_buffer_recv(in_.get(), &other_, 0));
    EXPECT_EQ(4711, errno);
}

/* ------------------------------------------------------------------ requests */

// The daemon's end of a request.
struct Request {
    std::string bytes;
    std::vector<OwnedFd> descriptors;

    template <typename T> T number(size_t at) const
    {
        T value = 0;
        if (at + sizeof value <= bytes.size()) {
            std::memcpy(&value, bytes.data() + at, sizeof value);
        } else {
            ADD_FAILURE() << "a request of " << bytes.size() << " bytes";
        }
        return value;
    }
};

class BufferRequestTest : public BufferTest
{
  protected:
    void SetUp() override
    {
        BufferTest::SetUp();
        int ends[2];
        ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends));
        daemon_.reset(ends[0]);
        client_.reset(ends[1]);
        ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
        destination_in_.reset(ends[0]);
        destination_.reset(ends[1]);
    }
    void TearDown() override
    {
        daemon_.reset();
        client_.reset();
        destination_in_.reset();
        destination_.reset();
        BufferTest::TearDown();
    }

    Request request()
    {
        Request request;
        request.bytes.resize(65536);
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 8)];
        iovec iov = {&request.bytes[0], request.bytes.size()};
        msghdr message = {};
        message.msg_iov = &iov;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        const ssize_t size = recvmsg(daemon_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        EXPECT_GE(size, 0) << "no request";
        request.bytes.resize(size < 0 ? 0 : static_cast<size_t>(size));
        for (cmsghdr *c = CMSG_FIRSTHDR(&message); size >= 0 && c != nullptr; c = CMSG_NXTHDR(&message, c)) {
            for (size_t at = 0; at < c->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
                int fd;
                std::memcpy(&fd, CMSG_DATA(c) + at, sizeof fd);
                request.descriptors.emplace_back(fd);
            }
        }
        return request;
    }
    /* What a peer says is a buffer. */
    void sendAsBuffer(int fd, uint64_t size)
    {
        std::string bytes("\x20\0\1\0\x10\0\0\0", 8);
        bytes.append(reinterpret_cast<const char *>(&size), sizeof size);
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
        iovec iov = {&bytes[0], bytes.size()};
        msghdr message = {};
        message.msg_iov = &iov;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        cmsghdr *c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(c), &fd, sizeof fd);
        ASSERT_EQ(16, sendmsg(out_.get(), &message, 0));
    }
    bool nothingSent()
    {
        char byte;
        return recv(daemon_.get(), &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
    }
    static bool isSameFile(int a, int b)
    {
        struct stat left = {};
        struct stat right = {};
        return fstat(a, &left) == 0 && fstat(b, &right) == 0 && left.st_dev == right.st_dev &&
               left.st_ino == right.st_ino;
    }
    int send(off_t offset, size_t length)
    {
        return sfd_send_buffer(client_.get(), &buffer_, destination_.get(), offset, length, true, nullptr);
    }
    int read(const char *path, const sfd_options *options = nullptr)
    {
        return sfd_read_buffer(client_.get(), path, 3, 5, true, options, &buffer_);
    }
    /* A read that fails: nothing is open that was not before, and the buffer is untouched. */
    void expectNoRead(int error, int srv, const char *path, const sfd_options *options = nullptr)
    {
        const auto before = openDescriptors();
        sfd_buffer out = SFD_BUFFER_INIT;
        out.size = 4711;
        EXPECT_ERRNO(error, sfd_read_buffer(srv, path, 0, 0, true, options, &out));
        EXPECT_EQ(4711u, out.size);
        EXPECT_EQ(-1, out.fd);
        EXPECT_EQ(before, openDescriptors());
    }

    OwnedFd daemon_;
    OwnedFd client_;
    OwnedFd destination_in_;
    OwnedFd destination_;
};

TEST_F(BufferRequestTest, shouldAskForAFileToBeSentToASealedMemoryFile)
{
    const OwnedFd status(read("directory/file"));
    ASSERT_GE(status.get(), 0);
    const Request asked = request();
    EXPECT_EQ(SFD_WIRE_SEND_FILE_EXT, asked.number<uint8_t>(0));
    EXPECT_EQ(3, asked.number<int64_t>(8));
    EXPECT_EQ(5u, asked.number<uint64_t>(16));
    EXPECT_EQ(SFD_OPTION_SEAL, asked.number<uint8_t>(41));
    EXPECT_EQ(std::string("directory/file\0", 15), asked.bytes.substr(48));
    ASSERT_EQ(2u, asked.descriptors.size());
    EXPECT_TRUE(isSameFile(buffer_.fd, asked.descriptors[1].get()));
    EXPECT_EQ(O_RDWR, fcntl(asked.descriptors[1].get(), F_GETFL) & O_ACCMODE);
}

TEST_F(BufferRequestTest, shouldAddTheSealToTheOptionsThatAreAskedFor)
{
    sfd_options options = {};
    options.rate = 1000;
    options.deadline_ms = 77;
    options.technique = SFD_TECHNIQUE_SENDFILE;
    options.flags = SFD_OPTION_DROP_BEHIND;
    const OwnedFd status(read("file", &options));
    const Request asked = request();
    EXPECT_EQ(1000u, asked.number<uint64_t>(24));
    EXPECT_EQ(77u, asked.number<uint32_t>(36));
    EXPECT_EQ(SFD_TECHNIQUE_SENDFILE, asked.number<uint8_t>(40));
    EXPECT_EQ(SFD_OPTION_DROP_BEHIND | SFD_OPTION_SEAL, asked.number<uint8_t>(41));
    EXPECT_EQ(SFD_OPTION_DROP_BEHIND, options.flags) << "the caller's are the caller's";
}

TEST_F(BufferRequestTest, shouldGiveABufferThatIsMappedOnceItIsFilled)
{
    const OwnedFd status(read("file"));
    EXPECT_EQ(nullptr, buffer_.data);
    EXPECT_GE(buffer_.fd, 0);
    EXPECT_EQ(FD_CLOEXEC, fcntl(buffer_.fd, F_GETFD));
    EXPECT_ERRNO(EPERM, sfd_buffer_map(&buffer_, 0)); // it is not complete
    {
        const Request asked = request();
        ASSERT_EQ(5, write(asked.descriptors.at(1).get(), "bytes", 5));
        ASSERT_EQ(0, fcntl(asked.descriptors.at(1).get(), F_ADD_SEALS, SEALS));
    }
    ASSERT_EQ(0, sfd_buffer_map(&buffer_, 0));
    EXPECT_EQ("bytes", bytesOf(buffer_));
    EXPECT_EQ(SFD_BUFFER_SEALED, buffer_.seal);
}

TEST_F(BufferRequestTest, shouldNameTheMemoryAfterTheFile)
{
    const std::string cut(300, 'n');
    const std::array<std::array<std::string, 2>, 5> names = {{{"a/b/model.bin", "model.bin"},
                                                              {"model.bin", "model.bin"},
                                                              {"/", ""},
                                                              {"a/", ""},
                                                              {"a/" + cut, cut.substr(0, 249)}}};
    for (const auto &[path, name] : names) {
        const OwnedFd status(read(path.c_str()));
        ASSERT_GE(status.get(), 0) << path;
        char target[512];
        const ssize_t n = readlink(("/proc/self/fd/" + std::to_string(buffer_.fd)).c_str(), target, sizeof target);
        EXPECT_EQ("/memfd:" + name + " (deleted)", std::string(target, n < 0 ? 0 : static_cast<size_t>(n)));
        request();
        sfd_buffer_free(&buffer_);
    }
}

TEST_F(BufferRequestTest, shouldLeaveNothingBehindWhenAReadCannotBeSent)
{
    sfd_options options = {};
    options.reserved[4] = 1;
    expectNoRead(EINVAL, client_.get(), nullptr);
    expectNoRead(ENAMETOOLONG, client_.get(), std::string(4096, 'p').c_str());
    expectNoRead(EINVAL, client_.get(), "file", &options);
    expectNoRead(EBADF, -1, "file");
    expectNoRead(ENOTSOCK, destination_.get(), "file");
    EXPECT_TRUE(nothingSent());
    daemon_.reset();
    expectNoRead(ECONNREFUSED, client_.get(), "file");
    expectNoRead(ENOTCONN, client_.get(), "file");
}

TEST_F(BufferRequestTest, shouldTakeTheLongestPath)
{
    const OwnedFd status(read(std::string(4095, 'p').c_str()));
    EXPECT_GE(status.get(), 0);
    EXPECT_EQ(48u + 4096u, request().bytes.size());
}

TEST_F(BufferRequestTest, shouldSayThatAReadHasNoDescriptorLeft)
{
    rlimit before = {};
    ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &before));
    const int srv = client_.get(); // a sanitizer that looks at an object may need a descriptor
    sfd_buffer *const out = &buffer_;
    const int lowest = dup(0);
    close(lowest);
    for (int room = 0; room < 3; room++) { // the memory file, two ends of the status channel
        const rlimit full = {static_cast<rlim_t>(lowest + room), before.rlim_max};
        errno = 0;
        ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &full));
        const int result = sfd_read_buffer(srv, "file", 0, 0, true, nullptr, out);
        const int error = errno;
        setrlimit(RLIMIT_NOFILE, &before);
        EXPECT_EQ(-1, result);
        EXPECT_EQ(EMFILE, error);
        EXPECT_TRUE(isNothing(buffer_));
        const int again = dup(0);
        EXPECT_EQ(lowest, again);
        close(again);
    }
    EXPECT_TRUE(nothingSent());
}

TEST_F(BufferRequestTest, shouldSendASealedBufferAsASource)
{
    alloc("content");
    const OwnedFd status(send(0, 0));
    ASSERT_GE(status.get(), 0);
    EXPECT_EQ(SFD_BUFFER_SEALED, buffer_.seal);
    const Request asked = request();
    EXPECT_EQ(48u, asked.bytes.size());
    EXPECT_EQ(SFD_WIRE_SEND_DESCRIPTOR, asked.number<uint8_t>(0));
    EXPECT_EQ(0, asked.number<int64_t>(8));
    EXPECT_EQ(7u, asked.number<uint64_t>(16));
    ASSERT_EQ(3u, asked.descriptors.size());
    EXPECT_TRUE(isSameFile(destination_.get(), asked.descriptors[1].get()));
    EXPECT_TRUE(isSameFile(buffer_.fd, asked.descriptors[2].get()));
    EXPECT_EQ(F_SEAL_WRITE, fcntl(asked.descriptors[2].get(), F_GET_SEALS) & F_SEAL_WRITE);
}

TEST_F(BufferRequestTest, shouldSendThePartThatIsAskedFor)
{
    struct Part {
        off_t offset;
        size_t length;
        off_t sent_offset;
        size_t sent_length;
    };
    alloc("content");
    for (const Part &part : {Part{1, 2, 1, 2}, Part{0, 7, 0, 7}, Part{6, 1, 6, 1}, Part{3, 0, 3, 4}, Part{7, 0, 7, 0},
                             Part{3, SFD_TO_END, 3, 4}}) {
        const OwnedFd status(send(part.offset, part.length));
        ASSERT_GE(status.get(), 0);
        const Request asked = request();
        EXPECT_EQ(part.sent_offset, asked.number<int64_t>(8));
        EXPECT_EQ(part.sent_length, asked.number<uint64_t>(16));
    }
}

TEST_F(BufferRequestTest, shouldSendExactlyThePartThatARequestOfVersion2AsksFor)
{
    struct sfd_options options = {};
    options.version = 2;
    alloc("content");
    for (const auto &[length, sent] : {std::pair<size_t, uint64_t>{0, 0}, {2, 2}, {SFD_TO_END, 4}}) {
        const OwnedFd status(sfd_send_buffer(client_.get(), &buffer_, destination_.get(), 3, length, true, &options));
        ASSERT_GE(status.get(), 0);
        const Request asked = request();
        EXPECT_EQ(3, asked.number<int64_t>(8));
        EXPECT_EQ(sent, asked.number<uint64_t>(16));
    }
}

TEST_F(BufferRequestTest, shouldSendNoByteBehindTheBufferAlthoughItsFileIsLonger)
{
    const OwnedFd longer(memfd_create("longer", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    ASSERT_EQ(0, ftruncate(longer.get(), 100));
    ASSERT_EQ(0, fcntl(longer.get(), F_ADD_SEALS, SEALS));
    sendAsBuffer(longer.get(), 10);
    ASSERT_EQ(1, sfd_buffer_recv(in_.get(), &buffer_, 0));
    {
        const OwnedFd status(send(4, 0));
        const Request asked = request();
        EXPECT_EQ(4, asked.number<int64_t>(8));
        EXPECT_EQ(6u, asked.number<uint64_t>(16));
    }
    const OwnedFd status(send(10, 0));
    const Request asked = request();
    EXPECT_EQ(100, asked.number<int64_t>(8)) << "to the end, without a byte";
    EXPECT_EQ(0u, asked.number<uint64_t>(16));
}

TEST_F(BufferRequestTest, shouldSendABufferWithoutBytes)
{
    ASSERT_EQ(0, sfd_buffer_alloc(&buffer_, "test", 0, 0));
    const OwnedFd status(send(0, 0));
    ASSERT_GE(status.get(), 0);
    const Request asked = request();
    EXPECT_EQ(0, asked.number<int64_t>(8));
    EXPECT_EQ(0u, asked.number<uint64_t>(16));
}

TEST_F(BufferRequestTest, shouldRefuseAPartThatIsNotInsideOfTheBuffer)
{
    alloc("content");
    EXPECT_ERRNO(ERANGE, send(-1, 0));
    EXPECT_ERRNO(ERANGE, send(-1, 1));
    EXPECT_ERRNO(ERANGE, send(8, 0));
    EXPECT_ERRNO(ERANGE, send(0, 8));
    EXPECT_ERRNO(ERANGE, send(7, 1));
    EXPECT_ERRNO(ERANGE, send(1, SIZE_MAX - 1));
    EXPECT_ERRNO(ERANGE, send(8, SFD_TO_END));
    EXPECT_ERRNO(ERANGE, send(7, SIZE_MAX - 6));
    EXPECT_ERRNO(ERANGE, send(INT64_MAX, 1));
    EXPECT_ERRNO(ERANGE, send(INT64_MIN, 0));
    EXPECT_EQ(SFD_BUFFER_UNSEALED, buffer_.seal) << "it is as it was";
    EXPECT_TRUE(nothingSent());
}

TEST_F(BufferRequestTest, shouldSendNoBufferThatIsNone)
{
    EXPECT_ERRNO(EBADF, send(0, 0));
    EXPECT_TRUE(nothingSent());
}

TEST_F(BufferRequestTest, shouldSendNoBufferThatCannotBeSealed)
{
    alloc("content");
    ASSERT_EQ(0, fcntl(buffer_.fd, F_ADD_SEALS, F_SEAL_SEAL));
    EXPECT_ERRNO(EPERM, send(0, 0));
    EXPECT_TRUE(nothingSent());
    EXPECT_EQ("content", bytesOf(buffer_));
}

TEST_F(BufferRequestTest, shouldKeepABufferThatCannotBeSent)
{
    alloc("content");
    const auto before = openDescriptors();
    EXPECT_ERRNO(EBADF, sfd_send_buffer(-1, &buffer_, destination_.get(), 0, 0, true, nullptr));
    EXPECT_ERRNO(EBADF, sfd_send_buffer(client_.get(), &buffer_, -1, 0, 0, true, nullptr));
    EXPECT_EQ(before, openDescriptors());
    EXPECT_EQ("content", bytesOf(buffer_));
    EXPECT_TRUE(nothingSent());
}

/*
 * Its size is 0 until it is mapped, and that of its file is not: it must not go as if it were empty, nor be sealed too
 * soon.
 */
TEST_F(BufferRequestTest, shouldNeitherSealNorSendWhatIsReadBeforeItIsMapped)
{
    const OwnedFd status(read("file"));
    const Request asked = request();
    const int daemons = asked.descriptors.at(1).get();
    const auto expectRefusals = [this] {
        EXPECT_ERRNO(EINVAL, sfd_buffer_seal(&buffer_));
        EXPECT_ERRNO(EINVAL, sfd_buffer_send(out_.get(), &buffer_));
        EXPECT_ERRNO(EINVAL, sfd_buffer_move(out_.get(), &buffer_));
        EXPECT_ERRNO(EINVAL, send(0, 0));
    };
    expectRefusals();
    ASSERT_EQ(5, write(daemons, "bytes", 5)) << "it has been sealed";
    expectRefusals();
    ASSERT_EQ(0, fcntl(daemons, F_ADD_SEALS, SEALS));
    expectRefusals();
    EXPECT_TRUE(nothingSent());
    ASSERT_EQ(0, sfd_buffer_map(&buffer_, 0));
    ASSERT_EQ(0, sfd_buffer_send(out_.get(), &buffer_));
    ASSERT_EQ(1, sfd_buffer_recv(in_.get(), &other_, 0));
    EXPECT_EQ("bytes", bytesOf(other_));
}

TEST_F(BufferRequestTest, shouldSendWhatWasReadFromAnEmptyFile)
{
    const OwnedFd status(read("file"));
    ASSERT_EQ(0, fcntl(request().descriptors.at(1).get(), F_ADD_SEALS, SEALS));
    ASSERT_EQ(0, sfd_buffer_map(&buffer_, 0));
    ASSERT_EQ(0, sfd_buffer_send(out_.get(), &buffer_));
    ASSERT_EQ(1, sfd_buffer_recv(in_.get(), &other_, 0));
    EXPECT_EQ(0u, other_.size);
}

} // namespace
