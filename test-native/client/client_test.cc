// Tests of native/client/client.c, through libsendfiled.so, against a socket that stands in for the
// daemon: what exactly is sent, and that no descriptor leaks on any path.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <sendfiled/sendfiled.h>

#include "await.h"
#include "descriptors.h"
#include "golden.h"
#include "temporary_directory.h"

namespace
{

struct Received {
    Bytes bytes;
    std::vector<OwnedFd> descriptors;
};

// The daemon's end: a bound request socket.
class RequestSocket
{
  public:
    RequestSocket(const std::string &directory, const std::string &name, int type = SOCK_DGRAM)
        : fd_(socket(AF_UNIX, type | SOCK_CLOEXEC, 0))
    {
        sockaddr_un address = {};
        const std::string path = directory + "/sendfiled." + name + ".socket";

        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        if (bind(fd_.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0) {
            throw std::runtime_error("bind " + path);
        }
    }

    // Takes one request, which must be there.
    Received receive()
    {
        Received received;
        received.bytes.resize(65536);
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 8)];
        iovec iov = {received.bytes.data(), received.bytes.size()};
        msghdr message = {};

        message.msg_iov = &iov;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        const ssize_t size = recvmsg(fd_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (size < 0) {
            ADD_FAILURE() << "no request: " << std::strerror(errno);
            received.bytes.clear();
            return received;
        }
        received.bytes.resize(static_cast<size_t>(size));
        for (cmsghdr *c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
            EXPECT_EQ(c->cmsg_type, SCM_RIGHTS);
            for (size_t at = 0; at < c->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
                int fd;
                std::memcpy(&fd, CMSG_DATA(c) + at, sizeof fd);
                received.descriptors.emplace_back(fd);
            }
        }
        return received;
    }

    bool isEmpty() const
    {
        pollfd waiting = {fd_.get(), POLLIN, 0};
        return poll(&waiting, 1, 0) == 0;
    }

  private:
    OwnedFd fd_;
};

bool isNonblocking(int fd)
{
    return (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0;
}

bool isCloseOnExec(int fd)
{
    return (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
}

// Whether two descriptors name the same file, pipe or socket.
bool isSameObject(int a, int b)
{
    struct stat left = {};
    struct stat right = {};
    return fstat(a, &left) == 0 && fstat(b, &right) == 0 && left.st_dev == right.st_dev && left.st_ino == right.st_ino;
}

struct Pipe {
    OwnedFd readEnd;
    OwnedFd writeEnd;

    Pipe()
    {
        int fds[2];
        if (pipe2(fds, O_CLOEXEC) != 0) {
            throw std::runtime_error("pipe2");
        }
        readEnd.reset(fds[0]);
        writeEnd.reset(fds[1]);
    }
};

class ClientTest : public DescriptorCountingTest
{
  protected:
    void SetUp() override
    {
        DescriptorCountingTest::SetUp();
        directory_ = std::make_unique<TemporaryDirectory>();
        server_ = std::make_unique<RequestSocket>(directory_->path(), "test");
        client_.reset(sfd_connect(directory_->path().c_str(), "test"));
        ASSERT_GE(client_.get(), 0);
    }

    void TearDown() override
    {
        client_.reset();
        server_.reset();
        directory_.reset();
        DescriptorCountingTest::TearDown();
    }

    int connectErrno(const std::string &directory, const char *name)
    {
        errno = 0;
        const int fd = sfd_connect(directory.c_str(), name);
        const int error = errno;
        EXPECT_EQ(fd, -1);
        OwnedFd{fd};
        return error;
    }

    // Every request, with the errno that it fails with; all have to fail alike.
    void expectRequestsFail(int srv, int error)
    {
        Pipe destination;
        const int to = destination.writeEnd.get();
        const auto before = openDescriptors();

        errno = 0;
        EXPECT_EQ(sfd_read(srv, "f", 0, 0, true), -1);
        EXPECT_EQ(errno, error) << "sfd_read";
        errno = 0;
        EXPECT_EQ(sfd_read(srv, "f", 0, 0, false), -1);
        EXPECT_EQ(errno, error) << "sfd_read, blocking";
        errno = 0;
        EXPECT_EQ(sfd_send(srv, "f", to, 0, 0, true), -1);
        EXPECT_EQ(errno, error) << "sfd_send";
        errno = 0;
        EXPECT_EQ(sfd_open(srv, "f", 0, 0, true), -1);
        EXPECT_EQ(errno, error) << "sfd_open";
        errno = 0;
        EXPECT_FALSE(sfd_send_open(srv, 1, to));
        EXPECT_EQ(errno, error) << "sfd_send_open";
        errno = 0;
        EXPECT_FALSE(sfd_cancel(srv, 1));
        EXPECT_EQ(errno, error) << "sfd_cancel";
        errno = 0;
        EXPECT_EQ(sfd_read_with(srv, "f", 0, 0, true, nullptr), -1);
        EXPECT_EQ(errno, error) << "sfd_read_with";
        errno = 0;
        EXPECT_EQ(sfd_send_with(srv, "f", to, 0, 0, true, nullptr), -1);
        EXPECT_EQ(errno, error) << "sfd_send_with";
        errno = 0;
        EXPECT_EQ(sfd_open_with(srv, "f", 0, 0, true, nullptr), -1);
        EXPECT_EQ(errno, error) << "sfd_open_with";
        errno = 0;
        int data = 4711;
        EXPECT_EQ(sfd_read_split(srv, "f", 0, 0, true, nullptr, &data), -1);
        EXPECT_EQ(errno, error) << "sfd_read_split";
        EXPECT_EQ(4711, data);
        errno = 0;
        EXPECT_EQ(sfd_send_fd(srv, to, to, 0, 0, true, nullptr), -1);
        EXPECT_EQ(errno, error) << "sfd_send_fd";
        EXPECT_EQ(openDescriptors(), before);
    }

    std::unique_ptr<TemporaryDirectory> directory_;
    std::unique_ptr<RequestSocket> server_;
    OwnedFd client_;
};

TEST_F(ClientTest, shouldConnectWithABlockingCloseOnExecSocket)
{
    EXPECT_TRUE(isCloseOnExec(client_.get()));
    EXPECT_FALSE(isNonblocking(client_.get()));
}

TEST_F(ClientTest, shouldConnectToTheInstanceOfThatName)
{
    RequestSocket other(directory_->path(), "other");
    const OwnedFd client(sfd_connect(directory_->path().c_str(), "other"));

    ASSERT_TRUE(sfd_cancel(client.get(), 1));
    EXPECT_TRUE(server_->isEmpty());
    EXPECT_FALSE(other.isEmpty());
}

TEST_F(ClientTest, shouldSayWhyItCannotConnect)
{
    const std::string &directory = directory_->path();

    EXPECT_EQ(connectErrno(directory, "absent"), ENOENT);
    EXPECT_EQ(connectErrno(directory + "/absent", "test"), ENOENT);
    EXPECT_EQ(connectErrno(directory, ""), EINVAL);
    EXPECT_EQ(connectErrno(directory, "a/b"), EINVAL);
    {
        RequestSocket gone(directory, "gone");
    }
    EXPECT_EQ(connectErrno(directory, "gone"), ECONNREFUSED);
    RequestSocket stream(directory, "stream", SOCK_STREAM);
    EXPECT_EQ(connectErrno(directory, "stream"), EPROTOTYPE);
}

// What getenv(3) says, for the life of the object.
class Variable
{
  public:
    Variable(const char *name, const std::string &value) : name_(name)
    {
        setenv(name, value.c_str(), 1);
    }
    Variable(const Variable &) = delete;
    Variable &operator=(const Variable &) = delete;
    ~Variable()
    {
        unsetenv(name_);
    }

  private:
    const char *name_;
};

TEST_F(ClientTest, shouldFindTheDaemonWithoutADirectory)
{
    ASSERT_EQ(0, chmod(directory_->path().c_str(), 0700));
    for (const char *variable : {"XDG_RUNTIME_DIR", "SENDFILED_SOCKET_DIR"}) {
        const Variable set(variable, directory_->path());
        const OwnedFd client(sfd_connect(nullptr, "test"));
        ASSERT_TRUE(sfd_cancel(client.get(), 1)) << variable;
        server_->receive();

        sfd_place places[SFD_PLACES_MAX];
        ASSERT_GE(sfd_find("test", places, SFD_PLACES_MAX), 1);
        EXPECT_EQ(places[0].error, 0);
        EXPECT_EQ(places[0].path, directory_->path() + "/sendfiled.test.socket");
        EXPECT_TRUE(isCloseOnExec(client.get()));
        EXPECT_FALSE(isNonblocking(client.get()));
    }
}

TEST_F(ClientTest, shouldTakeTheNameDefaultForNone)
{
    const RequestSocket server(directory_->path(), "default");
    EXPECT_GE(OwnedFd(sfd_connect(directory_->path().c_str(), nullptr)).get(), 0);
    const Variable set("SENDFILED_SOCKET_DIR", directory_->path());
    EXPECT_GE(OwnedFd(sfd_connect(nullptr, nullptr)).get(), 0);
    sfd_place place;
    EXPECT_EQ(sfd_find(nullptr, &place, 1), 1);
    EXPECT_EQ(place.error, 0);
}

TEST_F(ClientTest, shouldSayWhereItHasLookedInVain)
{
    const Variable set("XDG_RUNTIME_DIR", directory_->path());
    EXPECT_EQ(sfd_connect(nullptr, "absent"), -1);
    EXPECT_EQ(errno, ENOENT);
    sfd_place places[SFD_PLACES_MAX] = {};
    EXPECT_EQ(sfd_find("absent", places, 2), 4) << "more than there is room for";
    EXPECT_STREQ(places[0].reason, "no such socket");
    EXPECT_STREQ(places[1].path, "/run/sendfiled/absent/sendfiled.absent.socket");
    EXPECT_NE(places[1].error, 0);
    EXPECT_STREQ(places[2].path, "");
    for (const char *name : {"", "a/b"}) {
        EXPECT_EQ(sfd_find(name, places, 2), -1);
        EXPECT_EQ(errno, EINVAL);
        EXPECT_EQ(sfd_connect(nullptr, name), -1);
        EXPECT_EQ(errno, EINVAL);
    }
    EXPECT_EQ(sfd_find("absent", nullptr, 0), -1);
    EXPECT_EQ(errno, EINVAL);
}

TEST_F(ClientTest, shouldConnectWithTheLongestSocketPathAndNoLonger)
{
    const size_t around = directory_->path().size() + std::strlen("/sendfiled..socket");
    const std::string longest(107 - around, 'n');
    RequestSocket server(directory_->path(), longest);

    const OwnedFd client(sfd_connect(directory_->path().c_str(), longest.c_str()));
    EXPECT_GE(client.get(), 0);
    EXPECT_EQ(connectErrno(directory_->path(), (longest + "n").c_str()), ENAMETOOLONG);
    EXPECT_EQ(connectErrno(std::string(100000, 'd'), "test"), ENAMETOOLONG);
}

TEST_F(ClientTest, shouldSendReadFileWithTheStatusPipe)
{
    const OwnedFd status(sfd_read(client_.get(), "x", 1, 2, true));
    const Received request = server_->receive();

    EXPECT_EQ(request.bytes, goldenVector("read_file_range").bytes);
    ASSERT_EQ(request.descriptors.size(), 1u);
    ASSERT_EQ(write(request.descriptors[0].get(), "data", 4), 4);
    std::array<char, 8> got = {};
    EXPECT_EQ(read(status.get(), got.data(), got.size()), 4);
    EXPECT_STREQ(got.data(), "data");
}

TEST_F(ClientTest, shouldSendSendFileWithStatusPipeThenDestination)
{
    Pipe destination;
    const OwnedFd status(sfd_send(client_.get(), "dir/file", destination.writeEnd.get(), 65535, 65537, true));
    const Received request = server_->receive();

    EXPECT_EQ(request.bytes, goldenVector("send_file_range").bytes);
    ASSERT_EQ(request.descriptors.size(), 2u);
    EXPECT_TRUE(isSameObject(request.descriptors[0].get(), status.get()));
    EXPECT_TRUE(isSameObject(request.descriptors[1].get(), destination.writeEnd.get()));
}

TEST_F(ClientTest, shouldSendOpenFileWithTheStatusPipe)
{
    const OwnedFd status(sfd_open(client_.get(), "/var/data/a b", 4096, 8192, true));
    const Received request = server_->receive();

    EXPECT_EQ(request.bytes, goldenVector("open_file_range").bytes);
    ASSERT_EQ(request.descriptors.size(), 1u);
    EXPECT_TRUE(isSameObject(request.descriptors[0].get(), status.get()));
}

TEST_F(ClientTest, shouldSendSendOpenFileWithTheDestination)
{
    Pipe destination;

    ASSERT_TRUE(sfd_send_open(client_.get(), 0x1122334455667788, destination.writeEnd.get()));
    const Received request = server_->receive();
    EXPECT_EQ(request.bytes, goldenVector("send_open_file").bytes);
    ASSERT_EQ(request.descriptors.size(), 1u);
    EXPECT_TRUE(isSameObject(request.descriptors[0].get(), destination.writeEnd.get()));
}

TEST_F(ClientTest, shouldSendCancelWithoutDescriptors)
{
    ASSERT_TRUE(sfd_cancel(client_.get(), SIZE_MAX));
    const Received request = server_->receive();
    EXPECT_EQ(request.bytes, goldenVector("cancel_id_all_ones").bytes);
    EXPECT_TRUE(request.descriptors.empty());
}

sfd_options optionsOf(const GoldenVector &v)
{
    sfd_options options = {};

    options.rate = v.number("rate");
    options.idle_ms = static_cast<uint32_t>(v.number("idle"));
    options.deadline_ms = static_cast<uint32_t>(v.number("deadline"));
    options.technique = static_cast<uint8_t>(v.number("technique"));
    options.flags = static_cast<uint8_t>(v.number("flags"));
    return options;
}

TEST_F(ClientTest, shouldSendReadFileWithOptions)
{
    const GoldenVector v = goldenVector("extended_read_file");
    const sfd_options options = optionsOf(v);

    const OwnedFd status(sfd_read_with(client_.get(), "/var/a b", 4096, 8192, true, &options));
    const Received request = server_->receive();

    EXPECT_EQ(request.bytes, v.bytes);
    ASSERT_EQ(request.descriptors.size(), 1u);
    EXPECT_TRUE(isSameObject(request.descriptors[0].get(), status.get()));
}

TEST_F(ClientTest, shouldSendSendFileWithOptions)
{
    const GoldenVector v = goldenVector("extended_send_file_splice");
    const sfd_options options = optionsOf(v);
    Pipe destination;

    const OwnedFd status(sfd_send_with(client_.get(), "f", destination.writeEnd.get(), 0, 0, true, &options));
    const Received request = server_->receive();

    EXPECT_EQ(request.bytes, v.bytes);
    ASSERT_EQ(request.descriptors.size(), 2u);
    EXPECT_TRUE(isSameObject(request.descriptors[0].get(), status.get()));
    EXPECT_TRUE(isSameObject(request.descriptors[1].get(), destination.writeEnd.get()));
}

TEST_F(ClientTest, shouldSendSegmentsOfAPathAndOfADescriptor)
{
    Pipe destination;
    const int out = destination.writeEnd.get();
    const sfd_segment answer[] = {{"HTTP", 0, 4}, {nullptr, 0, SFD_TO_END}};
    const OwnedFd status(sfd_send_segments(client_.get(), "f", out, answer, 2, true, nullptr));
    const Received request = server_->receive();

    EXPECT_EQ(request.bytes, goldenVector("segments_header_and_file").bytes);
    ASSERT_EQ(request.descriptors.size(), 2u);
    EXPECT_TRUE(isSameObject(request.descriptors[0].get(), status.get()));
    EXPECT_TRUE(isSameObject(request.descriptors[1].get(), out));

    const sfd_segment part[] = {{"", 0, 0}, {nullptr, 5, 6}};
    const OwnedFd other(sfd_send_fd_segments(client_.get(), client_.get(), out, part, 2, true, nullptr));
    const Received opened = server_->receive();

    EXPECT_EQ(opened.bytes, goldenVector("segments_empty_bytes_of_a_descriptor").bytes);
    ASSERT_EQ(opened.descriptors.size(), 3u);
    EXPECT_TRUE(isSameObject(opened.descriptors[1].get(), out));
    EXPECT_TRUE(isSameObject(opened.descriptors[2].get(), client_.get()));
}

TEST_F(ClientTest, shouldSendAsManySegmentsAsFitAndNoMore)
{
    constexpr size_t SEGMENT_HEAD = 16;
    const std::string bytes(SFD_SEGMENTS_ROOM, 'x');
    const std::string path(100, 'p');
    const std::vector<sfd_segment> ranges(SFD_SEGMENTS_MAX + 1, sfd_segment{nullptr, 1, 2});
    const size_t most = SFD_SEGMENTS_ROOM - (path.size() + 1) - SEGMENT_HEAD;
    const auto send = [&](const sfd_segment *segments, unsigned count) {
        errno = 0;
        const OwnedFd status(sfd_send_segments(client_.get(), path.c_str(), 1, segments, count, true, nullptr));
        return status.get() < 0 ? errno : 0;
    };
    const sfd_segment fits = {bytes.data(), 0, most};
    const sfd_segment large = {bytes.data(), 0, most + 1};
    const sfd_segment huge = {bytes.data(), 0, SIZE_MAX};
    const sfd_segment negative = {nullptr, -1, 0};
    const sfd_segment two[] = {{bytes.data(), 0, most - SEGMENT_HEAD + 1}, {nullptr, 0, 0}};

    EXPECT_EQ(send(&fits, 1), 0);
    EXPECT_EQ(server_->receive().bytes.size(), 48u + SFD_SEGMENTS_ROOM);
    EXPECT_EQ(send(ranges.data(), SFD_SEGMENTS_MAX), 0);
    EXPECT_EQ(server_->receive().bytes.size(), 48 + 101 + SFD_SEGMENTS_MAX * SEGMENT_HEAD);
    EXPECT_EQ(send(nullptr, 0), 0); // nothing is a list, too
    EXPECT_EQ(server_->receive().bytes.size(), 48 + 101u);
    EXPECT_EQ(send(&large, 1), EMSGSIZE);
    EXPECT_EQ(send(&huge, 1), EMSGSIZE);
    EXPECT_EQ(send(two, 2), EMSGSIZE);
    EXPECT_EQ(send(ranges.data(), SFD_SEGMENTS_MAX + 1), E2BIG);
    EXPECT_EQ(send(&negative, 1), ERANGE);
    EXPECT_TRUE(server_->isEmpty());
}

TEST_F(ClientTest, shouldSayToTheEndAsTheVersionOfEachRequestHasIt)
{
    sfd_options options = {};
    const auto lengthSent = [&](int status) {
        const OwnedFd channel(status);
        uint64_t length = 4711;
        memcpy(&length, server_->receive().bytes.data() + 16, sizeof length);
        return length;
    };
    for (const size_t length : {size_t{0}, SFD_TO_END}) {
        EXPECT_EQ(lengthSent(sfd_read(client_.get(), "f", 1, length, true)), 0u);
        EXPECT_EQ(lengthSent(sfd_open(client_.get(), "f", 1, length, true)), 0u);
        EXPECT_EQ(lengthSent(sfd_send(client_.get(), "f", client_.get(), 1, length, true)), 0u);
        EXPECT_EQ(lengthSent(sfd_read_with(client_.get(), "f", 1, length, true, nullptr)), 0u);
        options.version = 1;
        EXPECT_EQ(lengthSent(sfd_open_with(client_.get(), "f", 1, length, true, &options)), 0u);
        options.version = 2;
        EXPECT_EQ(lengthSent(sfd_open_with(client_.get(), "f", 1, length, true, &options)), length);
        EXPECT_EQ(lengthSent(sfd_send_fd(client_.get(), 0, 1, 1, length, true, &options)), length);
    }
}

TEST_F(ClientTest, shouldSendReadFileWithADataChannel)
{
    const GoldenVector v = goldenVector("extended_2_read_file_empty");
    const sfd_options options = optionsOf(v);
    int data = -1;

    for (const bool nonblock : {false, true}) {
        const OwnedFd status(sfd_read_split(client_.get(), "ab", 7, 0, nonblock, &options, &data));
        const OwnedFd bytes(data);
        const Received request = server_->receive();

        EXPECT_EQ(request.bytes, v.bytes);
        ASSERT_EQ(request.descriptors.size(), 2u);
        EXPECT_TRUE(isSameObject(request.descriptors[0].get(), status.get()));
        EXPECT_TRUE(isSameObject(request.descriptors[1].get(), bytes.get()));
        EXPECT_EQ(isNonblocking(status.get()), nonblock);
        EXPECT_EQ(isNonblocking(bytes.get()), nonblock);
        EXPECT_TRUE(isCloseOnExec(bytes.get()));
    }
}

TEST_F(ClientTest, shouldLeaveNothingOpenOfAReadForWhichThereAreTooFewDescriptors)
{
    rlimit before = {};
    ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &before));
    const int srv = client_.get();
    const int lowest = dup(0);
    close(lowest);
    int data = 4711;
    for (int room = 0; room < 4; room++) { // two ends of the data channel, two of the status channel
        const rlimit full = {static_cast<rlim_t>(lowest + room), before.rlim_max};
        errno = 0;
        ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &full));
        const int result = sfd_read_split(srv, "f", 0, 0, true, nullptr, &data);
        const int error = errno;
        setrlimit(RLIMIT_NOFILE, &before);
        EXPECT_EQ(-1, result);
        EXPECT_EQ(EMFILE, error);
        EXPECT_EQ(4711, data);
        const int again = dup(0);
        EXPECT_EQ(lowest, again);
        close(again);
    }
    EXPECT_TRUE(server_->isEmpty());
}

TEST_F(ClientTest, shouldSendOpenFileAskingForNothing)
{
    const OwnedFd status(sfd_open_with(client_.get(), "a", 0, 0, true, nullptr));
    const Received request = server_->receive();

    EXPECT_EQ(request.bytes, goldenVector("extended_open_file").bytes);
    ASSERT_EQ(request.descriptors.size(), 1u);
    EXPECT_TRUE(isSameObject(request.descriptors[0].get(), status.get()));
}

TEST_F(ClientTest, shouldSendSendDescriptorWithStatusPipeDestinationAndSource)
{
    const GoldenVector v = goldenVector("extended_send_descriptor_range");
    const sfd_options options = optionsOf(v);
    Pipe destination;
    const OwnedFd source(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));

    const OwnedFd status(
        sfd_send_fd(client_.get(), source.get(), destination.writeEnd.get(), 65535, 65537, true, &options));
    const Received request = server_->receive();

    EXPECT_EQ(request.bytes, v.bytes);
    ASSERT_EQ(request.descriptors.size(), 3u);
    EXPECT_TRUE(isSameObject(request.descriptors[0].get(), status.get()));
    EXPECT_TRUE(isSameObject(request.descriptors[1].get(), destination.writeEnd.get()));
    EXPECT_TRUE(isSameObject(request.descriptors[2].get(), source.get()));
}

TEST_F(ClientTest, shouldSendTheLongestPathWithOptionsAndNoLonger)
{
    const std::string longest(4095, 'a');
    const OwnedFd status(sfd_read_with(client_.get(), longest.c_str(), 0, 0, true, nullptr));

    EXPECT_EQ(server_->receive().bytes, goldenVector("extended_read_file_longest_path").bytes);
    EXPECT_EQ(sfd_read_with(client_.get(), (longest + "a").c_str(), 0, 0, true, nullptr), -1);
    EXPECT_EQ(errno, ENAMETOOLONG);
    EXPECT_TRUE(server_->isEmpty());
}

TEST_F(ClientTest, shouldLeaveJudgementOfOptionsToTheDaemon)
{
    sfd_options options = {};
    options.technique = 255;

    const OwnedFd status(sfd_send_fd(client_.get(), 0, 1, 0, 0, true, &options));

    EXPECT_EQ(server_->receive().bytes, goldenVector("refused_extended_technique_255").bytes);
}

TEST_F(ClientTest, shouldRefuseOptionsWithReservedFieldsSetAndNullPaths)
{
    for (size_t i = 0; i < sizeof(sfd_options::reserved); i++) {
        sfd_options options = {};
        options.reserved[i] = 1;

        EXPECT_EQ(sfd_read_with(client_.get(), "f", 0, 0, true, &options), -1);
        EXPECT_EQ(errno, EINVAL);
        EXPECT_EQ(sfd_send_fd(client_.get(), 0, 1, 0, 0, true, &options), -1);
        EXPECT_EQ(errno, EINVAL);
    }
    sfd_options newer = {};
    newer.version = 3;
    EXPECT_EQ(sfd_open_with(client_.get(), "f", 0, 0, true, &newer), -1);
    EXPECT_EQ(errno, EINVAL);
    EXPECT_EQ(sfd_open_with(client_.get(), nullptr, 0, 0, true, nullptr), -1);
    EXPECT_EQ(errno, EINVAL);
    EXPECT_TRUE(server_->isEmpty());
}

TEST_F(ClientTest, shouldFailToPassASourceThatIsNone)
{
    for (const int source : {-1, 987654}) {
        EXPECT_EQ(sfd_send_fd(client_.get(), source, STDOUT_FILENO, 0, 0, true, nullptr), -1);
        EXPECT_EQ(errno, EBADF);
    }
    EXPECT_TRUE(server_->isEmpty());
}

TEST_F(ClientTest, shouldGiveAStatusChannelThatBlocksOnlyWhenAsked)
{
    for (const bool nonblock : {true, false}) {
        const OwnedFd read(sfd_read(client_.get(), "f", 0, 0, nonblock));
        const OwnedFd open(sfd_open(client_.get(), "f", 0, 0, nonblock));
        const OwnedFd sent(sfd_send(client_.get(), "f", STDOUT_FILENO, 0, 0, nonblock));
        const OwnedFd fd(sfd_send_fd(client_.get(), STDIN_FILENO, STDOUT_FILENO, 0, 0, nonblock, nullptr));

        for (const OwnedFd *status : {&read, &open, &sent, &fd}) {
            ASSERT_GE(status->get(), 0);
            EXPECT_EQ(isNonblocking(status->get()), nonblock);
            EXPECT_TRUE(isCloseOnExec(status->get()));
        }
        for (int i = 0; i < 4; i++) {
            EXPECT_TRUE(isNonblocking(server_->receive().descriptors.at(0).get()));
        }
    }
}

TEST_F(ClientTest, shouldSeeEndOfFileWhenTheDaemonClosesTheStatusChannel)
{
    const OwnedFd status(sfd_read(client_.get(), "f", 0, 0, false));

    server_->receive().descriptors.clear();
    char byte;
    EXPECT_EQ(read(status.get(), &byte, 1), 0);
}

TEST_F(ClientTest, shouldLeaveTheDestinationAsItWas)
{
    Pipe destination;
    const int to = destination.writeEnd.get();

    const OwnedFd status(sfd_send(client_.get(), "f", to, 0, 0, true));
    ASSERT_TRUE(sfd_send_open(client_.get(), 1, to));
    server_->receive();
    server_->receive();
    EXPECT_FALSE(isNonblocking(to));
    EXPECT_EQ(write(to, "x", 1), 1);
}

TEST_F(ClientTest, shouldPassPathsAsBytes)
{
    for (const char *name : {"read_file_path_not_utf8", "read_file_path_utf8"}) {
        const GoldenVector v = goldenVector(name);
        const Bytes path = parseBytes(v.fields.at("path"));
        const OwnedFd status(sfd_read(client_.get(), std::string(path.begin(), path.end()).c_str(), 0, 0, true));

        EXPECT_EQ(server_->receive().bytes, v.bytes);
    }
}

TEST_F(ClientTest, shouldSendTheLongestPathAndNoLonger)
{
    const std::string longest(4095, 'a');
    const OwnedFd status(sfd_read(client_.get(), longest.c_str(), 0, 0, true));

    EXPECT_EQ(server_->receive().bytes, goldenVector("read_file_longest_path").bytes);
    EXPECT_EQ(sfd_read(client_.get(), (longest + "a").c_str(), 0, 0, true), -1);
    EXPECT_EQ(errno, ENAMETOOLONG);
    EXPECT_EQ(sfd_open(client_.get(), (longest + "a").c_str(), 0, 0, true), -1);
    EXPECT_EQ(errno, ENAMETOOLONG);
    EXPECT_EQ(sfd_send(client_.get(), (longest + "a").c_str(), 1, 0, 0, true), -1);
    EXPECT_EQ(errno, ENAMETOOLONG);
    EXPECT_TRUE(server_->isEmpty());
}

TEST_F(ClientTest, shouldRefuseANullPath)
{
    EXPECT_EQ(sfd_read(client_.get(), nullptr, 0, 0, true), -1);
    EXPECT_EQ(errno, EINVAL);
    EXPECT_EQ(sfd_open(client_.get(), nullptr, 0, 0, true), -1);
    EXPECT_EQ(errno, EINVAL);
    EXPECT_EQ(sfd_send(client_.get(), nullptr, 1, 0, 0, true), -1);
    EXPECT_EQ(errno, EINVAL);
    EXPECT_TRUE(server_->isEmpty());
}

TEST_F(ClientTest, shouldLeaveJudgementOfRangesToTheDaemon)
{
    const OwnedFd status(sfd_read(client_.get(), "a", -1, 0, true));

    EXPECT_EQ(server_->receive().bytes, goldenVector("refused_offset_minus_one").bytes);
}

TEST_F(ClientTest, shouldFailOnDescriptorsThatAreNone)
{
    expectRequestsFail(-1, EBADF);
    expectRequestsFail(987654, EBADF);
    Pipe pipe;
    expectRequestsFail(pipe.writeEnd.get(), ENOTSOCK);

    for (const int destination : {-1, 987654}) {
        EXPECT_EQ(sfd_send(client_.get(), "f", destination, 0, 0, true), -1);
        EXPECT_EQ(errno, EBADF);
        EXPECT_FALSE(sfd_send_open(client_.get(), 1, destination));
        EXPECT_EQ(errno, EBADF);
    }
    EXPECT_TRUE(server_->isEmpty());
}

TEST_F(ClientTest, shouldFailWhenTheDaemonHasGone)
{
    server_.reset();
    EXPECT_FALSE(sfd_cancel(client_.get(), 1));
    EXPECT_EQ(errno, ECONNREFUSED);
    // The kernel says so once and forgets the connection.
    expectRequestsFail(client_.get(), ENOTCONN);
}

TEST_F(ClientTest, shouldFailOnASocketThatIsNotConnected)
{
    const OwnedFd lonely(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));

    expectRequestsFail(lonely.get(), ENOTCONN);
}

TEST_F(ClientTest, shouldNotRaiseSigpipe)
{
    // Only a stream socket, passed by mistake, would raise it.
    int fds[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    const OwnedFd mistaken(fds[0]);
    close(fds[1]);
    expectRequestsFail(mistaken.get(), EPIPE);
    ASSERT_EQ(shutdown(client_.get(), SHUT_WR), 0);
    expectRequestsFail(client_.get(), EPIPE);
}

TEST_F(ClientTest, shouldNotLeakWhenDescriptorsRunOut)
{
    rlimit before = {};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    const auto open = openDescriptors();
    const rlim_t used = static_cast<rlim_t>(open.back()) + 1;
    int failures = 0;

    // From no free number to more than a request needs. The limit is about numbers, not a count.
    for (rlim_t limit = 3; limit <= used + 4; limit++) {
        const rlimit tight = {limit, before.rlim_max};
        ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
        OwnedFd results[4];
        results[0].reset(sfd_connect(directory_->path().c_str(), "test"));
        const int connectError = results[0].get() < 0 ? errno : 0;
        results[0].reset();
        results[1].reset(sfd_read(client_.get(), "f", 0, 0, false));
        const int readError = results[1].get() < 0 ? errno : 0;
        results[1].reset();
        results[2].reset(sfd_open(client_.get(), "f", 0, 0, true));
        const int openError = results[2].get() < 0 ? errno : 0;
        results[2].reset();
        results[3].reset(sfd_send(client_.get(), "f", client_.get(), 0, 0, true));
        const int sendError = results[3].get() < 0 ? errno : 0;
        results[3].reset();
        ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);

        for (const int error : {connectError, readError, openError, sendError}) {
            EXPECT_TRUE(error == 0 || error == EMFILE) << std::strerror(error);
            failures += error == EMFILE;
        }
        EXPECT_EQ(openDescriptors(), open) << "with a limit of " << limit;
        while (!server_->isEmpty()) {
            server_->receive();
        }
    }
    EXPECT_GT(failures, 4);
}

TEST_F(ClientTest, shouldSayEagainWhenTheQueueIsFullAndTheSocketNonblocking)
{
    ASSERT_EQ(fcntl(client_.get(), F_SETFL, O_NONBLOCK), 0);
    int sent = 0;

    while (sent < 10000 && sfd_cancel(client_.get(), 1)) {
        sent++;
    }
    EXPECT_GE(sent, 1);
    expectRequestsFail(client_.get(), EAGAIN);

    server_->receive();
    const OwnedFd status(sfd_read(client_.get(), "f", 0, 0, true));
    EXPECT_GE(status.get(), 0);
}

// Sends requests from another thread until they have all been taken.
class SendingThread
{
  public:
    SendingThread(int client, int count)
        : thread_([this, client, count] {
              for (int i = 0; i < count; i++) {
                  if (!sfd_cancel(client, static_cast<size_t>(i))) {
                      failed_ = errno;
                      return;
                  }
                  sent_++;
              }
          })
    {
    }
    SendingThread(const SendingThread &) = delete;
    SendingThread &operator=(const SendingThread &) = delete;
    ~SendingThread()
    {
        join();
    }

    void join()
    {
        if (thread_.joinable()) {
            thread_.join();
        }
    }
    pthread_t handle()
    {
        return thread_.native_handle();
    }
    int sent() const
    {
        return sent_;
    }
    int failed() const
    {
        return failed_;
    }

  private:
    std::atomic<int> sent_{0};
    std::atomic<int> failed_{0};
    std::thread thread_; // last: it uses the others
};

// More than a daemon's queue holds, and than the kernel takes of one sender (net.unix.max_dgram_qlen is 10 at first,
// and 512 where systemd has started the machine).
constexpr int MANY = 2000;

bool isFull(int client)
{
    struct pollfd room = {client, POLLOUT, 0};
    return poll(&room, 1, 0) == 0;
}

void takeInOrder(RequestSocket &server, int count)
{
    for (int i = 0; i < count; i++) {
        ASSERT_TRUE(await([&] { return !server.isEmpty(); }));
        uint64_t id = 0;
        const Received request = server.receive();
        ASSERT_EQ(request.bytes.size(), 16u);
        std::memcpy(&id, request.bytes.data() + 8, sizeof id);
        EXPECT_EQ(id, static_cast<uint64_t>(i));
    }
}

TEST_F(ClientTest, shouldWaitWhileTheQueueIsFull)
{
    SendingThread sender(client_.get(), MANY);

    EXPECT_TRUE(await([&] { return isFull(client_.get()); }));
    EXPECT_LT(sender.sent(), MANY);
    takeInOrder(*server_, MANY);
    sender.join();
    EXPECT_EQ(sender.failed(), 0);
    EXPECT_EQ(sender.sent(), MANY);
}

TEST_F(ClientTest, shouldFailRatherThanHangWhenTheDaemonEndsWithAFullQueue)
{
    SendingThread sender(client_.get(), MANY);

    EXPECT_TRUE(await([&] { return isFull(client_.get()); }));
    server_.reset();
    sender.join();
    EXPECT_EQ(sender.failed(), ECONNREFUSED);
}

std::atomic<int> signalsHandled{0};

TEST_F(ClientTest, shouldGoOnWaitingAfterASignal)
{
    struct sigaction action = {};
    struct sigaction before = {};
    action.sa_handler = [](int) { signalsHandled++; }; // without SA_RESTART
    ASSERT_EQ(sigaction(SIGUSR1, &action, &before), 0);

    SendingThread sender(client_.get(), MANY);
    EXPECT_TRUE(await([&] { return isFull(client_.get()); }));
    for (int i = 1; i <= 20; i++) {
        ASSERT_EQ(pthread_kill(sender.handle(), SIGUSR1), 0);
        ASSERT_TRUE(await([&] { return signalsHandled >= i; }));
    }
    takeInOrder(*server_, MANY);
    sender.join();
    EXPECT_EQ(sender.failed(), 0);
    ASSERT_EQ(sigaction(SIGUSR1, &before, nullptr), 0);
}

TEST_F(ClientTest, shouldServeSeveralThreadsOnOneConnection)
{
    constexpr int threads = 4;
    constexpr int each = 200;
    std::vector<std::thread> clients;
    std::atomic<int> right{0};
    std::atomic<int> taken{0};

    // The stand-in daemon answers each request with the path that it asked for.
    std::thread daemon([&] {
        while (taken < threads * each && await([&] { return !server_->isEmpty(); })) {
            const Received request = server_->receive();
            const size_t size = request.bytes.size() - 24;
            EXPECT_EQ(write(request.descriptors.at(0).get(), request.bytes.data() + 24, size),
                      static_cast<ssize_t>(size));
            taken++;
        }
    });
    for (int t = 0; t < threads; t++) {
        clients.emplace_back([&, t] {
            for (int i = 0; i < each; i++) {
                const std::string path = std::to_string(t) + "/" + std::to_string(i);
                const OwnedFd status(sfd_read(client_.get(), path.c_str(), 0, 0, false));
                std::array<char, 64> got = {};
                if (read(status.get(), got.data(), got.size()) > 0 && path == got.data()) {
                    right++;
                }
            }
        });
    }
    for (std::thread &client : clients) {
        client.join();
    }
    daemon.join();
    EXPECT_EQ(right, threads * each);
}

} // namespace
