// The layouts of sessions, as test-native/golden/sessions.txt has them: what the client library sends and writes, and
// what the engine takes and answers, byte by byte.
#include "core.h"

#include <thread>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <sendfiled/sendfiled.h>

#include "golden.h"
#include "small_daemon.h"

namespace
{

constexpr uint32_t SUBMISSIONS = 16;
constexpr uint32_t COMPLETIONS = 32;
constexpr uint32_t ARENA = 256;
constexpr size_t COMPLETIONS_AT = SFD_SESSION_RINGS_AT + SUBMISSIONS * SFD_SESSION_ENTRY_SIZE;
constexpr size_t ARENA_AT = COMPLETIONS_AT + COMPLETIONS * SFD_SESSION_ENTRY_SIZE;
constexpr size_t BYTES = ARENA_AT + ARENA;

GoldenVector golden(const std::string &name)
{
    return goldenVector(name, "sessions.txt");
}

uint64_t numberOf(const GoldenVector &v, const std::string &key)
{
    return v.has(key) ? v.number(key) : 0;
}

std::string bytesOf(const GoldenVector &v, const std::string &key)
{
    const Bytes bytes = v.has(key) ? parseBytes(v.fields.at(key)) : Bytes();
    return std::string(bytes.begin(), bytes.end());
}

// One message, of which `fds` are what came with it.
Bytes receive(int connection, std::vector<OwnedFd> *fds = nullptr)
{
    Bytes bytes(256);
    alignas(struct cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))];
    struct iovec iov = {bytes.data(), bytes.size()};
    struct msghdr message = {};
    message.msg_iov = &iov;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    struct pollfd waits = {connection, POLLIN, 0};
    EXPECT_EQ(1, poll(&waits, 1, 20000));
    const ssize_t n = recvmsg(connection, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    EXPECT_LE(0, n) << strerror(errno);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); n >= 0 && c != nullptr; c = CMSG_NXTHDR(&message, c)) {
        const int *numbers = reinterpret_cast<const int *>(CMSG_DATA(c));
        for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
            OwnedFd fd(numbers[i]);
            if (fds != nullptr) fds->push_back(std::move(fd));
        }
    }
    bytes.resize(n < 0 ? 0 : static_cast<size_t>(n));
    return bytes;
}

void sendMessage(int connection, const Bytes &bytes, const std::vector<int> &fds = {})
{
    Bytes copy = bytes;
    alignas(struct cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))] = {};
    struct iovec iov = {copy.data(), copy.size()};
    struct msghdr message = {};
    message.msg_iov = &iov;
    message.msg_iovlen = 1;
    if (!fds.empty()) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
        memcpy(CMSG_DATA(c), fds.data(), fds.size() * sizeof(int));
    }
    EXPECT_EQ(static_cast<ssize_t>(bytes.size()), sendmsg(connection, &message, MSG_NOSIGNAL)) << strerror(errno);
}

// What both ends map.
class Shared
{
  public:
    explicit Shared(int fd) : at_(mmap(nullptr, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0))
    {
        EXPECT_NE(MAP_FAILED, at_);
    }
    Shared(const Shared &) = delete;
    Shared &operator=(const Shared &) = delete;
    ~Shared()
    {
        munmap(at_, BYTES);
    }
    unsigned char *bytes(size_t at) const
    {
        return static_cast<unsigned char *>(at_) + at;
    }
    uint32_t load(size_t at) const
    {
        return __atomic_load_n(reinterpret_cast<uint32_t *>(bytes(at)), __ATOMIC_SEQ_CST);
    }
    void store(size_t at, uint32_t value) const
    {
        __atomic_store_n(reinterpret_cast<uint32_t *>(bytes(at)), value, __ATOMIC_SEQ_CST);
    }
    Bytes entry(uint32_t number) const
    {
        const unsigned char *from = bytes(SFD_SESSION_RINGS_AT + number * SFD_SESSION_ENTRY_SIZE);
        return Bytes(from, from + SFD_SESSION_ENTRY_SIZE);
    }
    Bytes completion(uint32_t number) const
    {
        const unsigned char *from = bytes(COMPLETIONS_AT + number * SFD_SESSION_ENTRY_SIZE);
        return Bytes(from, from + SFD_SESSION_ENTRY_SIZE);
    }

  private:
    void *at_;
};

class SessionLayoutTest : public DescriptorCountingTest
{
  protected:
    std::string at(const char *suffix)
    {
        return directory_.path() + "/sendfiled.test." + suffix;
    }
    static struct sockaddr_un addressOf(const std::string &path)
    {
        struct sockaddr_un address = {};
        address.sun_family = AF_UNIX;
        EXPECT_LT(path.size(), sizeof address.sun_path);
        memcpy(address.sun_path, path.c_str(), path.size() + 1);
        return address;
    }
    OwnedFd bound(const char *suffix, int type)
    {
        const struct sockaddr_un address = addressOf(at(suffix));
        OwnedFd fd(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
        EXPECT_EQ(0, bind(fd.get(), reinterpret_cast<const struct sockaddr *>(&address), sizeof address));
        return fd;
    }

    TemporaryDirectory directory_;
};

// ---- the client library, against a daemon of this test

TEST_F(SessionLayoutTest, ShouldBeWhatTheClientSendsAndWrites)
{
    const OwnedFd requests = bound("socket", SOCK_DGRAM);
    const OwnedFd listening = bound("session", SOCK_SEQPACKET);
    ASSERT_EQ(0, listen(listening.get(), 1));
    std::vector<OwnedFd> came;
    OwnedFd connection;
    std::thread daemon([&] {
        connection.reset(accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
        EXPECT_EQ(golden("hello").bytes, receive(connection.get(), &came));
        sendMessage(connection.get(), golden("welcome").bytes);
    });
    const struct sfd_session_options options = {SUBMISSIONS, COMPLETIONS, ARENA, {}};
    struct sfd_session *session = nullptr;
    EXPECT_EQ(0, sfd_session_open(directory_.path().c_str(), "test", &options, &session)) << strerror(errno);
    daemon.join();
    ASSERT_NE(nullptr, session);
    ASSERT_EQ(2u, came.size());
    const Shared shared(came[0].get());

    for (const GoldenVector &v : readGoldenVectors("sessions.txt")) {
        if (v.kind != "register") continue;
        SCOPED_TRACE(v.name);
        EXPECT_EQ(0, sfd_session_register(session, static_cast<enum sfd_session_kind>(v.number("kind")), requests.get(),
                                          v.number("user_data")));
        std::vector<OwnedFd> registered;
        EXPECT_EQ(v.bytes, receive(connection.get(), &registered));
        EXPECT_EQ(1u, registered.size());
    }

    uint32_t entries = 0;
    for (const GoldenVector &v : readGoldenVectors("sessions.txt")) {
        if (v.kind != "entry") continue;
        SCOPED_TRACE(v.name);
        const std::string path = bytesOf(v, "path");
        const std::string head = bytesOf(v, "head");
        struct sfd_options sending = {};
        struct sfd_session_request request = {};
        request.operation = static_cast<uint32_t>(v.number("operation"));
        request.flags = static_cast<uint32_t>(numberOf(v, "flags") & SFD_SESSION_LINK);
        request.file = static_cast<uint32_t>(numberOf(v, "file"));
        request.destination = static_cast<uint32_t>(numberOf(v, "destination"));
        request.user_data = v.number("user_data");
        request.path = path.empty() ? nullptr : path.c_str();
        request.head = head.data();
        request.head_length = head.size();
        request.offset = static_cast<int64_t>(numberOf(v, "offset"));
        request.length = numberOf(v, "length");
        if (request.operation == SFD_SESSION_SEND) {
            sending.rate = numberOf(v, "target");
            sending.idle_ms = static_cast<uint32_t>(numberOf(v, "idle_ms"));
            sending.deadline_ms = static_cast<uint32_t>(numberOf(v, "deadline_ms"));
            sending.technique = static_cast<uint8_t>(numberOf(v, "technique"));
            sending.flags = static_cast<uint8_t>(numberOf(v, "options"));
            request.options = &sending;
        } else {
            request.target = numberOf(v, "target");
        }
        EXPECT_EQ(1, sfd_session_submit(session, &request, 1)) << strerror(errno);
        EXPECT_EQ(v.bytes, shared.entry(entries++));
        const auto *data = reinterpret_cast<const char *>(shared.bytes(ARENA_AT + numberOf(v, "data")));
        EXPECT_EQ(path + head, std::string(data, path.size() + head.size()));
        EXPECT_EQ(entries, shared.load(SFD_SESSION_SUBMITTED_AT));
    }
    EXPECT_EQ(static_cast<uint32_t>(SFD_SESSION_OPERATIONS) + 2, entries);

    uint32_t completions = 0;
    for (const GoldenVector &v : readGoldenVectors("sessions.txt")) {
        if (v.kind != "completion") continue;
        SCOPED_TRACE(v.name);
        memcpy(shared.bytes(COMPLETIONS_AT + completions * SFD_SESSION_ENTRY_SIZE), v.bytes.data(), v.bytes.size());
        shared.store(SFD_SESSION_COMPLETED_AT, ++completions);
        struct sfd_session_completion completion = {};
        EXPECT_EQ(1, sfd_session_reap(session, &completion, 1));
        EXPECT_EQ(v.number("user_data"), completion.user_data);
        EXPECT_EQ(numberOf(v, "error"), completion.error);
        EXPECT_EQ(numberOf(v, "operation"), completion.operation);
        EXPECT_EQ(numberOf(v, "technique"), completion.technique);
        EXPECT_EQ(numberOf(v, "moved"), completion.moved);
        EXPECT_EQ(numberOf(v, "handle"), completion.handle);
        EXPECT_EQ(numberOf(v, "mode"), completion.mode);
        EXPECT_EQ(numberOf(v, "size"), completion.size);
        EXPECT_EQ(numberOf(v, "mtime_ns"), static_cast<uint64_t>(completion.mtime_ns));
        EXPECT_EQ(numberOf(v, "inode"), completion.inode);
        EXPECT_EQ(numberOf(v, "device"), completion.device);
        EXPECT_EQ(completions, shared.load(SFD_SESSION_REAPED_AT));
    }
    EXPECT_LT(0u, completions);
    sfd_session_close(session);
}

TEST_F(SessionLayoutTest, ShouldTellTheClientWhyThereIsNoSession)
{
    const OwnedFd requests = bound("socket", SOCK_DGRAM);
    const OwnedFd listening = bound("session", SOCK_SEQPACKET);
    ASSERT_EQ(0, listen(listening.get(), 1));
    const GoldenVector refused = golden("welcome_refused");
    std::thread daemon([&] {
        const OwnedFd connection(accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
        receive(connection.get());
        sendMessage(connection.get(), refused.bytes);
    });
    struct sfd_session *session = nullptr;
    EXPECT_EQ(-1, sfd_session_open(directory_.path().c_str(), "test", nullptr, &session));
    EXPECT_EQ(static_cast<int>(refused.number("error")), errno);
    daemon.join();
}

// ---- the engine, with a client of this test

class EngineSessionLayoutTest : public SessionLayoutTest
{
  protected:
    void SetUp() override
    {
        SessionLayoutTest::SetUp();
        const struct sfd_settings settings = settingsOf(1);
        const struct sfd_endpoint_access access = {0600, 0};
        ASSERT_EQ(0, mkdir((directory_.path() + "/root").c_str(), 0700));
        ASSERT_EQ(0, sfd_engine_create(&engine_, &settings, directory_.path().c_str(), "test",
                                       (directory_.path() + "/root").c_str(), &access, nullptr, -1));
        daemon_ = std::make_unique<SmallDaemon>(engine_, 1);
        const struct sockaddr_un address = addressOf(at("session"));
        connection_.reset(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
        ASSERT_EQ(0, connect(connection_.get(), reinterpret_cast<const struct sockaddr *>(&address), sizeof address));
        memory_.reset(memfd_create("session", MFD_CLOEXEC | MFD_ALLOW_SEALING));
        ASSERT_EQ(0, fallocate(memory_.get(), 0, 0, BYTES));
        ASSERT_EQ(0, fcntl(memory_.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
        event_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    }
    void TearDown() override
    {
        connection_.reset();
        memory_.reset();
        event_.reset();
        daemon_.reset();
        sfd_engine_destroy(engine_);
        SessionLayoutTest::TearDown();
    }
    // As whoever waits: WAKE first, and the counter after it.
    void awaitCompletions(const Shared &shared, uint32_t count)
    {
        while (true) {
            __atomic_fetch_or(reinterpret_cast<uint32_t *>(shared.bytes(SFD_SESSION_CLIENT_STATE_AT)),
                              static_cast<uint32_t>(SFD_SESSION_WAKE), __ATOMIC_SEQ_CST);
            if (shared.load(SFD_SESSION_COMPLETED_AT) == count) return;
            ASSERT_EQ(golden("wake").bytes, receive(connection_.get()));
        }
    }

    // The answer to an Open with what is the kernel's choice.
    Bytes ofTheFile(Bytes bytes)
    {
        struct sfd_session_completion completion;
        struct stat st = {};
        memcpy(&completion, bytes.data(), sizeof completion);
        const struct timespec times[2] = {{0, UTIME_OMIT},
                                          {completion.mtime_ns / 1000000000, completion.mtime_ns % 1000000000}};
        const std::string path = directory_.path() + "/root/a/b";
        EXPECT_EQ(0, utimensat(AT_FDCWD, path.c_str(), times, 0));
        EXPECT_EQ(0, stat(path.c_str(), &st));
        completion.size = static_cast<uint64_t>(st.st_size);
        completion.inode = st.st_ino;
        completion.device = st.st_dev;
        memcpy(bytes.data(), &completion, sizeof completion);
        return bytes;
    }

    struct sfd_engine *engine_ = nullptr;
    std::unique_ptr<SmallDaemon> daemon_;
    OwnedFd connection_;
    OwnedFd memory_;
    OwnedFd event_;
};

TEST_F(EngineSessionLayoutTest, ShouldBeWhatTheEngineTakesAndAnswers)
{
    const Shared shared(memory_.get());
    uint32_t completions = 0;
    uint32_t entries = 0;
    const auto expectAnswer = [&](const GoldenVector &v, Bytes expected) {
        awaitCompletions(shared, completions + 1);
        EXPECT_EQ(expected, shared.completion(completions++)) << v.name;
    };
    SocketPair pair;
    const OwnedFd buffer(memfd_create("buffer", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    ASSERT_EQ(0, ftruncate(buffer.get(), 4096));
    ASSERT_EQ(0, fcntl(buffer.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
    const std::string content = pattern(16384);
    writeFile(directory_.path() + "/root/file", content);
    writeFile(directory_.path() + "/root/ff", "bytes");
    ASSERT_EQ(0, mkdir((directory_.path() + "/root/a").c_str(), 0700));
    writeFile(directory_.path() + "/root/a/b", "opened");
    ASSERT_EQ(0, chmod((directory_.path() + "/root/a/b").c_str(), 0644));
    const OwnedFd file = openFile(directory_.path() + "/root/file", O_RDONLY);
    sendMessage(connection_.get(), golden("hello").bytes, {memory_.get(), event_.get()});
    EXPECT_EQ(golden("welcome").bytes, receive(connection_.get()));

    for (const GoldenVector &v : readGoldenVectors("sessions.txt")) {
        if (v.kind != "register") {
            continue;
        }
        const uint64_t kind = v.number("kind");
        sendMessage(connection_.get(), v.bytes,
                    {kind == SFD_SESSION_FILE     ? file.get()
                     : kind == SFD_SESSION_BUFFER ? buffer.get()
                                                  : pair.out.get()});
        expectAnswer(v, golden(v.name + "_complete").bytes);
    }
    sendMessage(connection_.get(), golden("register_destination").bytes, {pair.out.get()});
    awaitCompletions(shared, ++completions);

    for (const GoldenVector &v : readGoldenVectors("sessions.txt")) {
        if (v.kind != "entry") {
            continue;
        }
        Bytes expected = golden(v.name + "_complete").bytes;
        if (v.name == "open") {
            expected = ofTheFile(expected);
        }
        const std::string data = bytesOf(v, "path") + bytesOf(v, "head");
        memcpy(shared.bytes(ARENA_AT + numberOf(v, "data")), data.data(), data.size());
        memcpy(shared.bytes(SFD_SESSION_RINGS_AT + entries * SFD_SESSION_ENTRY_SIZE), v.bytes.data(), v.bytes.size());
        shared.store(SFD_SESSION_SUBMITTED_AT, ++entries);
        const uint64_t one = 1;
        ASSERT_EQ(static_cast<ssize_t>(sizeof one), write(event_.get(), &one, sizeof one));
        expectAnswer(v, expected);
        EXPECT_EQ(entries, shared.load(SFD_SESSION_TAKEN_AT));
    }
    EXPECT_EQ("HTTP" + content.substr(4096, 8192) + "hea" + "bytes", drain(pair.in.get()));
}

TEST_F(EngineSessionLayoutTest, ShouldRefuseSizesThatAreNoPowersOfTwo)
{
    sendMessage(connection_.get(), golden("hello_no_power_of_two").bytes, {memory_.get(), event_.get()});
    EXPECT_EQ(golden("welcome_refused").bytes, receive(connection_.get()));
    EXPECT_EQ(Bytes(), receive(connection_.get())) << "the daemon closes it";
}

} // namespace
