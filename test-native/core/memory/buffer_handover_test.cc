// Hand-over of buffers: over every type of UNIX socket, between processes, and everything that a peer may send instead.
#include "memory_fixture.h"

#include <algorithm>
#include <memory>
#include <tuple>

#include <netinet/in.h>
#include <sys/un.h>

#include <sendfiled/wire.h>

#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76 // Linux 6.5
#endif

namespace
{

constexpr int SIZE_SEALS = F_SEAL_SHRINK | F_SEAL_GROW;
constexpr int SEALS = SIZE_SEALS | F_SEAL_WRITE;
constexpr size_t MOST_DESCRIPTORS = 253; // SCM_MAX_FD, unix(7)

class HandoverTest : public MemoryFixture
{
  protected:
    void TearDown() override
    {
        pair_.reset();
        MemoryFixture::TearDown();
    }
    virtual int type() const
    {
        return SOCK_STREAM;
    }
    void connect()
    {
        pair_ = std::make_unique<SocketPair>(type());
    }
    int to() const
    {
        return pair_->out.get();
    }
    int from() const
    {
        return pair_->in.get();
    }

    int send(struct sfd_buffer *buffer)
    {
        return sfd_buffer_handover_send(&sys_, to(), buffer, MSG_DONTWAIT);
    }
    int move(struct sfd_buffer *buffer)
    {
        return sfd_buffer_handover_move(&sys_, to(), buffer, MSG_DONTWAIT);
    }
    int receive(struct sfd_buffer *out, unsigned flags = 0)
    {
        return sfd_buffer_handover_receive(&sys_, from(), flags, MSG_DONTWAIT, out);
    }
    /* The same of one that is not to be received: nothing is left open, nothing is touched. */
    int refusal(unsigned flags = 0)
    {
        const auto descriptors = openDescriptors();
        struct sfd_buffer out = SFD_BUFFER_INIT;
        out.size = 12345;
        const struct sfd_buffer before = out;
        const int result = receive(&out, flags);
        EXPECT_TRUE(isSame(before, out)) << "touched on failure";
        if (result > 0) {
            sfd_memory_free(&sys_, &out);
        }
        EXPECT_EQ(descriptors, openDescriptors());
        return result;
    }

    /* The message of a buffer, of which any byte may be changed. */
    static std::string message(uint64_t size)
    {
        std::string bytes("\x20\0\1\0\x10\0\0\0", 8);
        return bytes.append(reinterpret_cast<const char *>(&size), sizeof size);
    }
    /* What a peer sends by hand. */
    void sendRaw(const std::string &bytes, const std::vector<int> &fds)
    {
        std::vector<char> control(CMSG_SPACE(sizeof(int) * MOST_DESCRIPTORS));
        struct iovec iov = {const_cast<char *>(bytes.data()), bytes.size()};
        struct msghdr header = {};
        header.msg_iov = &iov;
        header.msg_iovlen = 1;
        if (!fds.empty()) {
            header.msg_control = control.data();
            header.msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
            struct cmsghdr *const c = CMSG_FIRSTHDR(&header);
            c->cmsg_level = SOL_SOCKET;
            c->cmsg_type = SCM_RIGHTS;
            c->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
            std::memcpy(CMSG_DATA(c), fds.data(), sizeof(int) * fds.size());
        }
        ASSERT_EQ(static_cast<ssize_t>(bytes.size()), sendmsg(to(), &header, MSG_DONTWAIT));
    }
    /* The next bytes in the socket, and how many descriptors came with them, which are closed. */
    std::pair<std::string, size_t> receiveRaw()
    {
        char bytes[64];
        alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * 4)];
        struct iovec iov = {bytes, sizeof bytes};
        struct msghdr header = {};
        header.msg_iov = &iov;
        header.msg_iovlen = 1;
        header.msg_control = control;
        header.msg_controllen = sizeof control;
        const ssize_t n = recvmsg(from(), &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        size_t count = 0;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
            for (size_t at = 0; at < c->cmsg_len - CMSG_LEN(0); at += sizeof(int), count++) {
                int fd = -1;
                std::memcpy(&fd, CMSG_DATA(c) + at, sizeof fd);
                close(fd);
            }
        }
        return {std::string(bytes, n < 0 ? 0 : static_cast<size_t>(n)), count};
    }
    void option(int fd, int name)
    {
        const int on = 1;
        ASSERT_EQ(0, setsockopt(fd, SOL_SOCKET, name, &on, sizeof on));
    }

    std::unique_ptr<SocketPair> pair_;
};

/* ------------------------------------------------------------------ over each type of socket */

class SocketTypeTest : public HandoverTest, public testing::WithParamInterface<int>
{
  protected:
    void SetUp() override
    {
        HandoverTest::SetUp();
        connect();
    }
    int type() const override
    {
        return GetParam();
    }
    enum Operation { SEND, MOVE, RECEIVE };
    int perform(Operation operation)
    {
        return operation == SEND ? send(&buffer_) : operation == MOVE ? move(&buffer_) : receive(&other_);
    }
};

INSTANTIATE_TEST_SUITE_P(Sockets, SocketTypeTest, testing::Values(SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET),
                         [](const auto &instance) {
                             return instance.param == SOCK_STREAM  ? "Stream"
                                    : instance.param == SOCK_DGRAM ? "Datagram"
                                                                   : "SeqPacket";
                         });

TEST_P(SocketTypeTest, ShouldHandOverBytesThatNobodyCanChange)
{
    create(3 * pageSize() + 5);
    ASSERT_EQ(0, send(&buffer_));
    EXPECT_EQ(SFD_BUFFER_SEALED, buffer_.seal);
    ASSERT_EQ(1, receive(&other_));
    EXPECT_EQ(SFD_BUFFER_SEALED, other_.seal);
    EXPECT_EQ(buffer_.size, other_.size);
    EXPECT_NE(buffer_.fd, other_.fd);
    EXPECT_EQ(FD_CLOEXEC, fcntl(other_.fd, F_GETFD));
    EXPECT_BYTES(content_, bytesOf(other_));
    EXPECT_EQ(-SIGSEGV, writing(buffer_.data));
    EXPECT_EQ(-SIGSEGV, writing(other_.data));
}

TEST_P(SocketTypeTest, ShouldHandOverABufferWithoutBytes)
{
    ASSERT_EQ(0, sfd_memory_create(&sys_, "test", 0, 0, &buffer_));
    ASSERT_EQ(0, send(&buffer_));
    ASSERT_EQ(1, receive(&other_));
    EXPECT_EQ(0u, other_.size);
    EXPECT_EQ(nullptr, other_.data);
    EXPECT_GE(other_.fd, 0);
}

TEST_P(SocketTypeTest, ShouldHandOverSeveralInTheirOrder)
{
    for (const size_t size : {1u, 5000u, 2u}) {
        create(size);
        ASSERT_EQ(0, send(&buffer_));
        sfd_memory_free(&sys_, &buffer_);
    }
    for (const size_t size : {1u, 5000u, 2u}) {
        ASSERT_EQ(1, receive(&other_));
        EXPECT_BYTES(pattern(size), bytesOf(other_));
        sfd_memory_free(&sys_, &other_);
    }
    EXPECT_EQ(-EAGAIN, receive(&other_));
}

TEST_P(SocketTypeTest, ShouldHandOneOverToMany)
{
    create(1000);
    ASSERT_EQ(0, send(&buffer_));
    ASSERT_EQ(1, receive(&other_));
    ASSERT_EQ(0, send(&buffer_));
    struct sfd_buffer third = SFD_BUFFER_INIT;
    ASSERT_EQ(1, receive(&third));
    sfd_memory_free(&sys_, &buffer_);
    EXPECT_BYTES(content_, bytesOf(other_));
    sfd_memory_free(&sys_, &other_);
    EXPECT_BYTES(content_, bytesOf(third));
    sfd_memory_free(&sys_, &third);
}

TEST_P(SocketTypeTest, ShouldHandOnWhatWasReceived)
{
    create(1000);
    ASSERT_EQ(0, send(&buffer_));
    sfd_memory_free(&sys_, &buffer_);
    ASSERT_EQ(1, receive(&other_));
    ASSERT_EQ(0, send(&other_));
    sfd_memory_free(&sys_, &other_);
    ASSERT_EQ(1, receive(&buffer_));
    EXPECT_BYTES(content_, bytesOf(buffer_));
}

TEST_P(SocketTypeTest, ShouldMoveABufferThereAndBack)
{
    create(pageSize() + 1);
    void *const data = buffer_.data;
    ASSERT_EQ(0, move(&buffer_));
    EXPECT_TRUE(isNothing(buffer_));
    EXPECT_EQ("", mappingAt(data).protection);
    ASSERT_EQ(1, receive(&other_, SFD_BUFFER_WRITABLE));
    EXPECT_EQ(SFD_BUFFER_UNSEALED, other_.seal);
    EXPECT_BYTES(content_, bytesOf(other_));
    static_cast<char *>(other_.data)[0] = 'W';
    ASSERT_EQ(0, move(&other_));
    ASSERT_EQ(1, receive(&buffer_, SFD_BUFFER_WRITABLE));
    content_[0] = 'W';
    EXPECT_BYTES(content_, bytesOf(buffer_));
}

TEST_P(SocketTypeTest, ShouldBeSealedByWhomItWasMovedTo)
{
    create(100);
    ASSERT_EQ(0, move(&buffer_));
    ASSERT_EQ(1, receive(&other_, SFD_BUFFER_WRITABLE));
    ASSERT_EQ(0, sfd_memory_seal(&sys_, &other_));
    EXPECT_EQ(SFD_BUFFER_SEALED, other_.seal) << "nobody else has it mapped";
    EXPECT_BYTES(content_, bytesOf(other_));
}

TEST_P(SocketTypeTest, ShouldNotReceiveForReadingWhatWasMoved)
{
    create(100);
    ASSERT_EQ(0, move(&buffer_));
    EXPECT_EQ(-EPERM, refusal());
}

TEST_P(SocketTypeTest, ShouldNotReceiveForWritingWhatIsSealed)
{
    create(100);
    ASSERT_EQ(0, send(&buffer_));
    EXPECT_EQ(-EROFS, refusal(SFD_BUFFER_WRITABLE));
}

TEST_P(SocketTypeTest, ShouldSayThatNothingHasCome)
{
    EXPECT_EQ(-EAGAIN, refusal());
}

TEST_P(SocketTypeTest, ShouldStayWholeWhileTheSocketIsFull)
{
    create(1000);
    void *const data = buffer_.data;
    pair_->fill();
    EXPECT_EQ(-EAGAIN, move(&buffer_));
    EXPECT_EQ(data, buffer_.data);
    EXPECT_BYTES(content_, bytesOf(buffer_));
    EXPECT_EQ(0, writing(data));
    EXPECT_EQ(-EAGAIN, send(&buffer_));
    EXPECT_EQ(SFD_BUFFER_SEALED, buffer_.seal);
    EXPECT_BYTES(content_, bytesOf(buffer_));
    drain(from());
    ASSERT_EQ(0, send(&buffer_));
    ASSERT_EQ(1, receive(&other_));
    EXPECT_BYTES(content_, bytesOf(other_));
}

TEST_P(SocketTypeTest, ShouldTellThatThePeerIsGoneWithoutASignal)
{
    create(1000);
    const int expected = type() == SOCK_DGRAM ? ECONNREFUSED : EPIPE;
    for (const Operation operation : {MOVE, SEND}) {
        connect();
        pair_->in.reset();
        EXPECT_EQ(expected, inChild([&] {
                      std::signal(SIGPIPE, SIG_DFL);
                      const int result = perform(operation);
                      return bytesOf(buffer_) == content_ ? -result : 0;
                  }));
    }
}

TEST_P(SocketTypeTest, ShouldCloseAllDescriptorsThatAreMoreThanOne)
{
    create(100);
    ASSERT_EQ(0, sfd_memory_seal(&sys_, &buffer_));
    for (const size_t count : {size_t{2}, size_t{3}, MOST_DESCRIPTORS}) {
        sendRaw(message(100), std::vector<int>(count, buffer_.fd));
        EXPECT_EQ(-E2BIG, refusal());
    }
}

TEST_P(SocketTypeTest, ShouldReceiveWhatFollowsARefusal)
{
    create(100);
    sendRaw("sixteen letters.", {});
    ASSERT_EQ(0, send(&buffer_));
    EXPECT_EQ(-EBADMSG, refusal());
    ASSERT_EQ(1, receive(&other_));
    EXPECT_BYTES(content_, bytesOf(other_));
}

TEST_P(SocketTypeTest, ShouldNotMindCredentialsThatComeAlong)
{
    option(from(), SO_PASSCRED);
    create(100);
    ASSERT_EQ(0, send(&buffer_));
    ASSERT_EQ(1, receive(&other_));
    EXPECT_BYTES(content_, bytesOf(other_));
    sendRaw(message(100), std::vector<int>(MOST_DESCRIPTORS, buffer_.fd));
    EXPECT_EQ(-E2BIG, refusal()) << "there is room for both";
}

TEST_P(SocketTypeTest, ShouldCloseAPidfdThatComesAlong)
{
    const int on = 1;
    if (setsockopt(from(), SOL_SOCKET, SO_PASSPIDFD, &on, sizeof on) < 0) {
        GTEST_SKIP() << "a kernel without SO_PASSPIDFD";
    }
    option(from(), SO_PASSCRED);
    create(100);
    ASSERT_EQ(0, send(&buffer_));
    const size_t before = openDescriptors().size();
    ASSERT_EQ(1, receive(&other_));
    EXPECT_EQ(before + 1, openDescriptors().size());
    EXPECT_BYTES(content_, bytesOf(other_));
    EXPECT_EQ(0, sfd_memory_map(&sys_, &other_, SFD_MEMORY_WHOLE, 0));
    sendRaw(message(100), {});
    EXPECT_EQ(-ENOMSG, refusal()) << "a pidfd is no buffer";
}

TEST_P(SocketTypeTest, ShouldSayThatThereIsNoDescriptorLeftForIt)
{
    create(100);
    ASSERT_EQ(0, sfd_memory_seal(&sys_, &buffer_));
    sendRaw(message(100), {buffer_.fd});
    sendRaw(message(100), {buffer_.fd, buffer_.fd, buffer_.fd});
    struct rlimit before = {};
    ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &before));
    const int lowest = fcntl(0, F_DUPFD_CLOEXEC, 0);
    close(lowest);
    int results[2];
    for (const int room : {0, 1}) {
        const struct rlimit full = {static_cast<rlim_t>(lowest + room), before.rlim_max};
        setrlimit(RLIMIT_NOFILE, &full);
        results[room] = receive(&other_);
        setrlimit(RLIMIT_NOFILE, &before);
    }
    EXPECT_EQ(-EMFILE, results[0]);
    EXPECT_EQ(-EMFILE, results[1]) << "of three there was room for one";
    EXPECT_TRUE(isNothing(other_));
    ASSERT_EQ(0, send(&buffer_));
    EXPECT_EQ(1, receive(&other_)) << "later there is room";
}

TEST_P(SocketTypeTest, ShouldLeakNothingWhicheverCallFails)
{
    for (const Operation operation : {SEND, MOVE, RECEIVE}) {
        bool failed = true;
        for (int at = 1; failed; at++) {
            connect();
            const auto descriptors = openDescriptors();
            const size_t count = memoryMappings();
            faults = {};
            create(100);
            if (operation == RECEIVE) {
                ASSERT_EQ(0, send(&buffer_));
            }
            const struct sfd_buffer before = buffer_;
            faults.calls.clear();
            faults.fail_at = at;
            faults.error = -ENOBUFS;
            const int result = perform(operation);
            failed = static_cast<int>(faults.calls.size()) >= at;
            const std::string call = failed ? faults.calls[static_cast<size_t>(at) - 1] : "";
            SCOPED_TRACE(call);
            if (failed && call != "close" && call != "munmap") {
                EXPECT_EQ(-ENOBUFS, result);
                EXPECT_TRUE(isNothing(other_));
                EXPECT_EQ(before.fd, buffer_.fd);
                EXPECT_EQ(before.size, buffer_.size);
                if (buffer_.data != nullptr) {
                    EXPECT_EQ(before.data, buffer_.data);
                    EXPECT_BYTES(content_, bytesOf(buffer_));
                }
            } else {
                EXPECT_EQ(operation == RECEIVE ? 1 : 0, result);
            }
            sfd_memory_free(&sfd_sys_memory_linux, &buffer_);
            sfd_memory_free(&sfd_sys_memory_linux, &other_);
            EXPECT_EQ(descriptors, openDescriptors());
            EXPECT_EQ(count, memoryMappings());
        }
    }
}

/* ------------------------------------------------------------------ what a peer may send */

class RefusalTest : public HandoverTest
{
  protected:
    void SetUp() override
    {
        HandoverTest::SetUp();
        connect();
        sealed_ = memoryFile(100, SEALS);
    }
    void TearDown() override
    {
        sealed_.reset();
        HandoverTest::TearDown();
    }
    int type() const override
    {
        return SOCK_SEQPACKET;
    }
    int refusalOf(const std::string &bytes, const std::vector<int> &fds, unsigned flags = 0)
    {
        sendRaw(bytes, fds);
        return refusal(flags);
    }
    int refusalOfFile(int fd, unsigned flags = 0)
    {
        return refusalOf(message(1), {fd}, flags);
    }
    /* The message of a buffer with another byte. */
    int refusalOfByte(size_t at, char value)
    {
        std::string bytes = message(100);
        bytes[at] = value;
        return refusalOf(bytes, {sealed_.get()});
    }

    OwnedFd sealed_;
};

TEST_F(RefusalTest, ShouldReceiveWhatAPeerSendsByHand) // or the tests below would show nothing
{
    sendRaw(message(100), {sealed_.get()});
    ASSERT_EQ(1, receive(&other_));
    EXPECT_EQ(100u, other_.size);
}

TEST_F(RefusalTest, ShouldSendTheMessageThatIsDrawn)
{
    create(0x123);
    ASSERT_EQ(0, send(&buffer_));
    const auto [bytes, count] = receiveRaw();
    EXPECT_EQ(std::string("\x20\x00\x01\x00\x10\x00\x00\x00\x23\x01\x00\x00\x00\x00\x00\x00", 16), bytes);
    EXPECT_EQ(1u, count);
}

TEST_F(RefusalTest, ShouldMoveByTheSameMessage)
{
    create(7);
    ASSERT_EQ(0, move(&buffer_));
    const auto [bytes, count] = receiveRaw();
    EXPECT_EQ(message(7), bytes);
    EXPECT_EQ(1u, count);
}

TEST_F(RefusalTest, ShouldRefuseAMessageWithoutADescriptor)
{
    EXPECT_EQ(-ENOMSG, refusalOf(message(100), {}));
}

TEST_F(RefusalTest, ShouldRefuseAnotherCommand)
{
    for (const char command : {'\x00', '\x13', '\x21', '\x7f', '\x81'}) {
        EXPECT_EQ(-EBADMSG, refusalOfByte(0, command));
    }
}

TEST_F(RefusalTest, ShouldRefuseAStatus)
{
    EXPECT_EQ(-EBADMSG, refusalOfByte(1, 1));
}

TEST_F(RefusalTest, ShouldRefuseAnotherVersion)
{
    EXPECT_EQ(-EPROTONOSUPPORT, refusalOfByte(2, 2));
    EXPECT_EQ(-EPROTONOSUPPORT, refusalOfByte(2, 0));
    EXPECT_EQ(-EPROTONOSUPPORT, refusalOfByte(3, 1));
}

TEST_F(RefusalTest, ShouldRefuseALaterVersionThatIsLonger)
{
    std::string bytes = message(100) + "something new";
    bytes[2] = 2;
    bytes[4] = static_cast<char>(bytes.size());
    const int result = refusalOf(bytes, {sealed_.get()});
    EXPECT_TRUE(result == -EPROTONOSUPPORT || result == -EBADMSG) << result;
    bytes.resize(8);
    bytes[4] = 8;
    EXPECT_EQ(-EPROTONOSUPPORT, refusalOf(bytes, {sealed_.get()}));
}

TEST_F(RefusalTest, ShouldRefuseAnotherTotalLength)
{
    for (const char total : {'\0', '\x0f', '\x11'}) {
        EXPECT_EQ(-EBADMSG, refusalOfByte(4, total));
    }
    EXPECT_EQ(-EBADMSG, refusalOfByte(7, 1));
}

TEST_F(RefusalTest, ShouldRefuseAMessageOfAnotherLength)
{
    for (size_t length = 1; length < 16; length++) {
        EXPECT_EQ(-EBADMSG, refusalOf(message(100).substr(0, length), {sealed_.get()})) << length;
    }
    EXPECT_EQ(-EBADMSG, refusalOf(message(100) + "x", {sealed_.get()}));
    EXPECT_EQ(-EBADMSG, refusalOf(message(100) + std::string(1000, 'x'), {sealed_.get()}));
}

TEST_F(RefusalTest, ShouldRefuseToBelieveALargerSize)
{
    for (const uint64_t size : {uint64_t{101}, uint64_t{4096}, uint64_t{1} << 40, uint64_t{INT64_MAX},
                                uint64_t{INT64_MAX} + 1, UINT64_MAX - 4096, UINT64_MAX - 1, UINT64_MAX}) {
        EXPECT_EQ(-ERANGE, refusalOf(message(size), {sealed_.get()})) << size;
    }
}

TEST_F(RefusalTest, ShouldTakeASmallerSize)
{
    for (const size_t size : {99u, 1u, 0u}) {
        sendRaw(message(size), {sealed_.get()});
        ASSERT_EQ(1, receive(&other_));
        EXPECT_EQ(size, other_.size);
        sfd_memory_free(&sys_, &other_);
    }
}

TEST_F(RefusalTest, ShouldRefuseAFileThatIsNoMemoryFile)
{
    TemporaryDirectory directory;
    writeFile(directory / "file", "content");
    const OwnedFd file = openFile(directory / "file", O_RDWR);
    const OwnedFd folder = openFile(directory.path(), O_RDONLY | O_DIRECTORY);
    const OwnedFd path = openFile(directory / "file", O_PATH);
    const OwnedFd memory_path = reopened(sealed_.get(), O_PATH);
    const OwnedFd device = openFile("/dev/zero", O_RDWR);
    Pipe pipe;
    for (const int fd : {file.get(), folder.get(), path.get(), memory_path.get(), device.get(), pipe.in.get(),
                         pipe.out.get(), to(), from()}) {
        for (const unsigned flags : {0u, unsigned{SFD_BUFFER_WRITABLE}}) {
            EXPECT_EQ(-EMEDIUMTYPE, refusalOfFile(fd, flags));
        }
    }
}

TEST_F(RefusalTest, ShouldRefuseWhatIsNotSealedAsItHasToBe)
{
    const OwnedFd loose = memoryFile(100, 0);
    const OwnedFd open_file = memoryFile(100, SIZE_SEALS);
    const OwnedFd grows = memoryFile(100, F_SEAL_SHRINK | F_SEAL_WRITE);
    const OwnedFd old_writers = memoryFile(100, SIZE_SEALS | F_SEAL_FUTURE_WRITE);
    EXPECT_EQ(-EPERM, refusalOfFile(loose.get()));
    EXPECT_EQ(-EPERM, refusalOfFile(loose.get(), SFD_BUFFER_WRITABLE));
    EXPECT_EQ(-EPERM, refusalOfFile(open_file.get()));
    EXPECT_EQ(-EPERM, refusalOfFile(open_file.get(), SFD_BUFFER_FUTURE_WRITE));
    EXPECT_EQ(-EPERM, refusalOfFile(grows.get()));
    EXPECT_EQ(-EBUSY, refusalOfFile(old_writers.get()));
    EXPECT_EQ(-EROFS, refusalOfFile(old_writers.get(), SFD_BUFFER_WRITABLE));
    EXPECT_EQ(-EROFS, refusalOfFile(sealed_.get(), SFD_BUFFER_WRITABLE));
}

TEST_F(RefusalTest, ShouldRefuseADescriptorThatCannotBeRead)
{
    const OwnedFd file = memoryFile(100, SIZE_SEALS);
    const OwnedFd writer = reopened(file.get(), O_WRONLY);
    ASSERT_GE(writer.get(), 0);
    ASSERT_EQ(0, fcntl(file.get(), F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
    EXPECT_EQ(-EACCES, refusalOfFile(writer.get(), SFD_BUFFER_FUTURE_WRITE));
}

TEST_F(RefusalTest, ShouldTakeWhatOldWritersCanWriteToWhenItIsAskedTo)
{
    create(100);
    void *writer = mmap(nullptr, 100, PROT_READ | PROT_WRITE, MAP_SHARED, buffer_.fd, 0);
    ASSERT_EQ(0, send(&buffer_));
    EXPECT_EQ(SFD_BUFFER_SEALED_FUTURE, buffer_.seal);
    EXPECT_EQ(-EBUSY, refusal());
    ASSERT_EQ(0, send(&buffer_));
    ASSERT_EQ(1, receive(&other_, SFD_BUFFER_FUTURE_WRITE));
    EXPECT_EQ(SFD_BUFFER_SEALED_FUTURE, other_.seal);
    EXPECT_BYTES(content_, bytesOf(other_));
    munmap(writer, 100);
}

TEST_F(RefusalTest, ShouldSealForGoodWhatItSendsOnceTheOldWriterHasGone)
{
    create(100);
    void *writer = mmap(nullptr, 100, PROT_READ | PROT_WRITE, MAP_SHARED, buffer_.fd, 0);
    ASSERT_EQ(0, send(&buffer_));
    EXPECT_EQ(-EBUSY, refusal());
    munmap(writer, 100);
    ASSERT_EQ(0, send(&buffer_));
    EXPECT_EQ(SFD_BUFFER_SEALED, buffer_.seal);
    ASSERT_EQ(1, receive(&other_));
    EXPECT_EQ(SFD_BUFFER_SEALED, other_.seal);
}

TEST_F(RefusalTest, ShouldHandOnWhatItCannotSealAnyBetter)
{
    const OwnedFd fd = memoryFile(100, SIZE_SEALS | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL);
    sendRaw(message(100), {fd.get()});
    ASSERT_EQ(1, receive(&buffer_, SFD_BUFFER_FUTURE_WRITE));
    ASSERT_EQ(0, send(&buffer_));
    ASSERT_EQ(1, receive(&other_, SFD_BUFFER_FUTURE_WRITE));
    EXPECT_EQ(std::string(100, '\0'), bytesOf(buffer_));
    EXPECT_EQ(std::string(100, '\0'), bytesOf(other_));
}

TEST_F(RefusalTest, ShouldRefuseFlagsThatItDoesNotKnowAndTakeNothing)
{
    sendRaw(message(100), {sealed_.get()});
    for (const unsigned flags : {1u, 2u, 256u, 0x80000000u}) {
        EXPECT_EQ(-EINVAL, refusal(flags));
    }
    EXPECT_EQ(1, receive(&other_));
}

/* ------------------------------------------------------------------ sockets */

class StreamTest : public HandoverTest
{
  protected:
    void SetUp() override
    {
        HandoverTest::SetUp();
        connect();
    }
};

TEST_F(StreamTest, ShouldTakeNoByteThatIsNotItsOwn)
{
    create(100);
    ASSERT_EQ(6, write(to(), "before", 6));
    ASSERT_EQ(0, send(&buffer_));
    ASSERT_EQ(0, send(&buffer_));
    ASSERT_EQ(6, write(to(), "behind", 6));
    EXPECT_EQ("before", readExactly(from(), 6));
    for (int i = 0; i < 2; i++) {
        ASSERT_EQ(1, receive(&other_));
        EXPECT_BYTES(content_, bytesOf(other_));
        sfd_memory_free(&sys_, &other_);
    }
    EXPECT_EQ("behind", readExactly(from(), 6));
}

TEST_F(StreamTest, ShouldTellTheEndOfTheConnection)
{
    create(100);
    ASSERT_EQ(0, send(&buffer_));
    pair_->out.reset();
    ASSERT_EQ(1, receive(&other_));
    sfd_memory_free(&sys_, &other_);
    EXPECT_EQ(0, refusal());
    EXPECT_EQ(0, refusal());
}

TEST_F(StreamTest, ShouldRefuseAMessageThatEndsInTheMiddle)
{
    sendRaw(message(100).substr(0, 9), {});
    pair_->out.reset();
    EXPECT_EQ(-EBADMSG, refusal());
    EXPECT_EQ(0, refusal());
}

TEST_F(StreamTest, ShouldCloseADescriptorThatComesWithHalfAMessage)
{
    const OwnedFd sealed = memoryFile(100, SEALS);
    sendRaw(message(100).substr(0, 8), {sealed.get()});
    sendRaw(message(100).substr(8), {sealed.get()});
    EXPECT_EQ(-EBADMSG, refusal());
    EXPECT_EQ(-EBADMSG, refusal());
    EXPECT_EQ(-EAGAIN, refusal());
}

TEST_F(HandoverTest, ShouldTellAnEmptyDatagramFromAnEnd)
{
    pair_ = std::make_unique<SocketPair>(SOCK_DGRAM);
    const OwnedFd sealed = memoryFile(100, SEALS);
    sendRaw("", {});
    EXPECT_EQ(-EBADMSG, refusal());
    sendRaw("", {sealed.get()});
    EXPECT_EQ(-EBADMSG, refusal());
    create(10);
    ASSERT_EQ(0, send(&buffer_));
    EXPECT_EQ(1, receive(&other_));
}

TEST_F(HandoverTest, ShouldTellTheEndOfASequencedConnection)
{
    pair_ = std::make_unique<SocketPair>(SOCK_SEQPACKET);
    pair_->out.reset();
    EXPECT_EQ(0, refusal());
}

TEST_F(HandoverTest, ShouldCloseADescriptorThatComesWithAnEmptyPacket)
{
    pair_ = std::make_unique<SocketPair>(SOCK_SEQPACKET);
    const OwnedFd sealed = memoryFile(100, SEALS);
    sendRaw("", {sealed.get()});
    EXPECT_EQ(-EBADMSG, refusal());
}

TEST_F(HandoverTest, ShouldUseNoSocketButAUnixSocket)
{
    pair_ = std::make_unique<SocketPair>(tcpPair());
    create(100);
    ASSERT_EQ(5, write(to(), "bytes", 5));
    EXPECT_EQ(-EOPNOTSUPP, send(&buffer_));
    EXPECT_EQ(-EOPNOTSUPP, move(&buffer_));
    EXPECT_EQ(SFD_BUFFER_UNSEALED, buffer_.seal) << "it is as it was";
    EXPECT_BYTES(content_, bytesOf(buffer_));
    EXPECT_EQ(-EOPNOTSUPP, refusal());
    EXPECT_EQ("bytes", readExactly(from(), 5)) << "nothing was taken";
    pair_->out.reset();
    EXPECT_EQ("", readToEnd(from())) << "nothing was sent";
}

TEST_F(HandoverTest, ShouldRefuseADescriptorThatIsNoSocket)
{
    create(100);
    Pipe pipe;
    EXPECT_EQ(-ENOTSOCK, sfd_buffer_handover_send(&sys_, pipe.out.get(), &buffer_, 0));
    EXPECT_EQ(-ENOTSOCK, sfd_buffer_handover_move(&sys_, pipe.out.get(), &buffer_, 0));
    EXPECT_EQ(-ENOTSOCK, sfd_buffer_handover_receive(&sys_, pipe.in.get(), 0, 0, &other_));
    EXPECT_EQ(-EBADF, sfd_buffer_handover_send(&sys_, -1, &buffer_, 0));
    EXPECT_EQ(-EBADF, sfd_buffer_handover_receive(&sys_, -1, 0, 0, &other_));
    EXPECT_EQ(SFD_BUFFER_UNSEALED, buffer_.seal);
}

TEST_F(HandoverTest, ShouldSendNothingOverASocketThatIsNotConnected)
{
    create(100);
    for (const int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET}) {
        const OwnedFd alone(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
        EXPECT_EQ(-ENOTCONN, sfd_buffer_handover_move(&sys_, alone.get(), &buffer_, MSG_DONTWAIT));
        EXPECT_BYTES(content_, bytesOf(buffer_));
    }
}

TEST_F(HandoverTest, ShouldSendNoBufferThatIsNone)
{
    connect();
    EXPECT_EQ(-EBADF, send(&buffer_));
    EXPECT_EQ(-EBADF, move(&buffer_));
    EXPECT_EQ(-EAGAIN, refusal());
}

TEST_F(HandoverTest, ShouldMoveNothingThatIsSealed)
{
    connect();
    create(100);
    ASSERT_EQ(0, sfd_memory_seal(&sys_, &buffer_));
    EXPECT_EQ(-EROFS, move(&buffer_));
    EXPECT_BYTES(content_, bytesOf(buffer_));
    EXPECT_EQ(-EAGAIN, refusal());
}

TEST_F(HandoverTest, ShouldSendNothingThatCannotBeSealed)
{
    connect();
    create(100);
    ASSERT_EQ(0, fcntl(buffer_.fd, F_ADD_SEALS, F_SEAL_SEAL));
    EXPECT_EQ(-EPERM, send(&buffer_));
    EXPECT_BYTES(content_, bytesOf(buffer_));
    EXPECT_EQ(-EAGAIN, refusal());
}

TEST_F(HandoverTest, ShouldBeWithoutAMappingWhenAMoveFailsAndTheMappingDoesNotComeBack)
{
    connect();
    create(100);
    void *const data = buffer_.data;
    pair_->in.reset();
    faults.calls.clear();
    faults.fail_at = 4; // socket_option, mmap, sendmsg, mmap
    faults.error = -ENOMEM;
    EXPECT_EQ(-ENOMEM, move(&buffer_));
    EXPECT_EQ("mmap", faults.calls.at(3));
    EXPECT_EQ(nullptr, buffer_.data);
    EXPECT_EQ("", mappingAt(data).protection);
    faults.fail_at = 0;
    ASSERT_EQ(0, sfd_memory_map(&sys_, &buffer_, SFD_MEMORY_WHOLE, SFD_BUFFER_WRITABLE));
    EXPECT_BYTES(content_, bytesOf(buffer_)) << "no byte is lost";
}

/* ------------------------------------------------------------------ two processes */

TEST_F(HandoverTest, ShouldKeepTheBytesAlthoughTheSenderHasGone)
{
    connect();
    const std::string content = pattern(5 * pageSize() + 3);
    EXPECT_EQ(0, inChild([&] {
                  struct sfd_buffer buffer = SFD_BUFFER_INIT;
                  const struct sfd_sys_memory *sys = &sfd_sys_memory_linux;
                  if (sfd_memory_create(sys, "child", content.size(), 0, &buffer) < 0) {
                      return 1;
                  }
                  std::memcpy(buffer.data, content.data(), content.size());
                  return sfd_buffer_handover_send(sys, to(), &buffer, 0) < 0 ? 2 : 0;
              }));
    ASSERT_EQ(1, receive(&other_));
    EXPECT_BYTES(content, bytesOf(other_));
}

TEST_F(HandoverTest, ShouldStopTheSenderInItsOwnProcessFromWriting)
{
    connect();
    EXPECT_EQ(-SIGSEGV, inChild([&] {
        struct sfd_buffer buffer = SFD_BUFFER_INIT;
        const struct sfd_sys_memory *sys = &sfd_sys_memory_linux;
        if (sfd_memory_create(sys, "child", 100, 0, &buffer) < 0) {
            return 1;
        }
        std::memset(buffer.data, 'a', 100);
        if (sfd_buffer_handover_send(sys, to(), &buffer, 0) < 0 || pwrite(buffer.fd, "b", 1, 0) != -1) {
            return 2;
        }
        *static_cast<volatile char *>(buffer.data) = 'b';
        return 3;
    }));
    ASSERT_EQ(1, receive(&other_));
    EXPECT_EQ(std::string(100, 'a'), bytesOf(other_));
}

TEST_F(HandoverTest, ShouldTakeWhatAnotherProcessHasMoved)
{
    connect();
    EXPECT_EQ(0, inChild([&] {
                  struct sfd_buffer buffer = SFD_BUFFER_INIT;
                  const struct sfd_sys_memory *sys = &sfd_sys_memory_linux;
                  if (sfd_memory_create(sys, "child", 100, 0, &buffer) < 0) {
                      return 1;
                  }
                  std::memset(buffer.data, 'a', 100);
                  return sfd_buffer_handover_move(sys, to(), &buffer, 0) < 0 ? 2 : 0;
              }));
    ASSERT_EQ(1, receive(&other_, SFD_BUFFER_WRITABLE));
    EXPECT_EQ(std::string(100, 'a'), bytesOf(other_));
    ASSERT_EQ(0, sfd_memory_seal(&sys_, &other_));
    EXPECT_EQ(SFD_BUFFER_SEALED, other_.seal);
}

TEST_F(HandoverTest, ShouldNotBeSealedForGoodWhileAForkedChildHasItMapped)
{
    connect();
    create(100);
    Pipe up;
    Pipe down;
    const pid_t child = fork();
    if (child == 0) { // has the same mapping
        char byte;
        down.out.reset();
        _exit(write(up.out.get(), "x", 1) == 1 && read(down.in.get(), &byte, 1) == 0 ? 0 : 1);
    }
    EXPECT_EQ("x", readExactly(up.in.get(), 1));
    ASSERT_EQ(0, send(&buffer_));
    EXPECT_EQ(SFD_BUFFER_SEALED_FUTURE, buffer_.seal);
    EXPECT_EQ(-EBUSY, refusal());
    down.out.reset();
    int status = 1;
    EXPECT_EQ(child, waitpid(child, &status, 0));
    EXPECT_EQ(0, status);
    ASSERT_EQ(0, sfd_memory_seal(&sys_, &buffer_));
    EXPECT_EQ(SFD_BUFFER_SEALED, buffer_.seal);
}

} // namespace
