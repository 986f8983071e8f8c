// Sessions, from the client library through an engine and back (R29).
#include "core.h"

#include <map>
#include <random>

#include <poll.h>
#include <sys/mman.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <sendfiled/sendfiled.h>

#include "await.h"
#include "small_daemon.h"

namespace
{

constexpr int PATIENCE_MS = 20000;

struct SocketPair {
    SocketPair()
    {
        int ends[2];
        EXPECT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
        in.reset(ends[0]);
        out.reset(ends[1]);
    }
    OwnedFd in;
    OwnedFd out;
};

std::string receive(int fd, size_t size)
{
    return readExactly(fd, size);
}

class SessionTest : public DescriptorCountingTest
{
  protected:
    void SetUp() override
    {
        DescriptorCountingTest::SetUp();
        ASSERT_EQ(0, mkdir((path() + "/root").c_str(), 0700));
        writeFile(path() + "/root/small", small_);
        writeFile(path() + "/root/big", big_);
        writeFile(path() + "/root/empty", "");
        settings_ = settingsOf(1);
        settings_.open_files = 64;
    }
    void TearDown() override
    {
        sfd_session_close(session_);
        daemon_.reset();
        sfd_engine_destroy(engine_);
        DescriptorCountingTest::TearDown();
    }
    const std::string &path()
    {
        return directory_.path();
    }
    void start(const struct sfd_lane_users *users = nullptr)
    {
        const struct sfd_endpoint_access access = {0600, 0};
        ASSERT_EQ(0, sfd_engine_create(&engine_, &settings_, path().c_str(), "test", (path() + "/root").c_str(),
                                       &access, users, -1));
        ASSERT_EQ(0, sfd_engine_sessions_error(engine_));
        daemon_ = std::make_unique<SmallDaemon>(engine_, settings_.loops);
    }
    void open(const struct sfd_session_options *options = nullptr)
    {
        ASSERT_EQ(0, sfd_session_open(path().c_str(), "test", options, &session_)) << strerror(errno);
    }
    // Waits for that many completions, by user data.
    std::map<uint64_t, struct sfd_session_completion> reap(size_t count)
    {
        std::map<uint64_t, struct sfd_session_completion> all;
        while (all.size() < count) {
            struct sfd_session_completion some[16];
            const int n = sfd_session_reap(session_, some, 16);
            if (n < 0) {
                ADD_FAILURE() << "the session has ended, with " << all.size() << " of " << count;
                return all;
            }
            for (int i = 0; i < n; i++) {
                EXPECT_EQ(0u, all.count(some[i].user_data)) << "a second completion of " << some[i].user_data;
                all[some[i].user_data] = some[i];
            }
            struct pollfd waits = {sfd_session_fd(session_), POLLIN, 0};
            if (n == 0 && poll(&waits, 1, PATIENCE_MS) <= 0) {
                ADD_FAILURE() << "nothing comes, with " << all.size() << " of " << count;
                return all;
            }
        }
        return all;
    }
    struct sfd_session_completion one(struct sfd_session_request request)
    {
        request.user_data = ++last_;
        EXPECT_EQ(1, sfd_session_submit(session_, &request, 1)) << strerror(errno);
        return reap(1)[request.user_data];
    }
    struct sfd_session_completion add(enum sfd_session_kind kind, int fd)
    {
        EXPECT_EQ(0, sfd_session_register(session_, kind, fd, ++last_)) << strerror(errno);
        return reap(1)[last_];
    }
    uint32_t file(const char *name)
    {
        struct sfd_session_request request = {};
        request.operation = SFD_SESSION_OPEN;
        request.path = name;
        const struct sfd_session_completion completion = one(request);
        EXPECT_EQ(0u, completion.error) << strerror(static_cast<int>(completion.error));
        return completion.handle;
    }
    uint32_t destination(int fd)
    {
        const struct sfd_session_completion completion = add(SFD_SESSION_DESTINATION, fd);
        EXPECT_EQ(0u, completion.error);
        return completion.handle;
    }
    uint64_t count(enum sfd_counter counter) const
    {
        return sfd_loop_counters(sfd_engine_loop(engine_, 0))->at[counter].load();
    }
    static struct sfd_session_request sending(uint32_t file, uint32_t destination, uint64_t length = SFD_SESSION_TO_END)
    {
        struct sfd_session_request request = {};
        request.operation = SFD_SESSION_SEND;
        request.file = file;
        request.destination = destination;
        request.length = length;
        return request;
    }

    TemporaryDirectory directory_;
    struct sfd_settings settings_ = {};
    struct sfd_engine *engine_ = nullptr;
    std::unique_ptr<SmallDaemon> daemon_;
    struct sfd_session *session_ = nullptr;
    uint64_t last_ = 0;
    const std::string small_ = pattern(4096);
    const std::string big_ = pattern(3000000);
};

TEST_F(SessionTest, ShouldCompleteNothing)
{
    start();
    open();
    struct sfd_session_request request = {};
    for (int i = 0; i < 1000; i++) {
        ASSERT_EQ(0u, one(request).error);
    }
    EXPECT_EQ(0u, sfd_session_in_flight(session_));
}

TEST_F(SessionTest, ShouldSendAFileToASocketByTheirHandles)
{
    start();
    open();
    SocketPair pair;
    const uint32_t to = destination(pair.out.get());
    const uint32_t from = file("small");
    for (int i = 0; i < 10; i++) {
        const struct sfd_session_completion sent = one(sending(from, to));
        EXPECT_EQ(0u, sent.error);
        EXPECT_EQ(small_.size(), sent.moved);
        EXPECT_BYTES(small_, receive(pair.in.get(), small_.size()));
    }
    struct sfd_session_request part = sending(from, to, 100);
    part.offset = 50;
    part.head = "head";
    part.head_length = 4;
    EXPECT_EQ(104u, one(part).moved);
    EXPECT_BYTES("head" + small_.substr(50, 100), receive(pair.in.get(), 104));
}

TEST_F(SessionTest, ShouldSendByAPath)
{
    start();
    open();
    SocketPair pair;
    struct sfd_session_request request = sending(0, destination(pair.out.get()));
    request.path = "/small";
    request.head = "HTTP";
    request.head_length = 4;
    for (int i = 0; i < 10; i++) {
        const struct sfd_session_completion sent = one(request);
        EXPECT_EQ(0u, sent.error);
        EXPECT_EQ(small_.size() + 4, sent.moved);
        EXPECT_BYTES("HTTP" + small_, receive(pair.in.get(), small_.size() + 4));
    }
    request.path = "missing";
    EXPECT_EQ(static_cast<uint32_t>(ENOENT), one(request).error);
    EXPECT_EQ("", drain(pair.in.get()));
}

TEST_F(SessionTest, ShouldCountWhatTheCacheOfOpenFilesHas)
{
    settings_.open_files = 1;
    start();
    open();
    SocketPair pair;
    struct sfd_session_request request = sending(0, destination(pair.out.get()));
    const auto send = [&](const char *path, const std::string &content) {
        request.path = path;
        EXPECT_EQ(content.size(), one(request).moved);
        EXPECT_BYTES(content, receive(pair.in.get(), content.size()));
    };
    send("small", small_);
    EXPECT_EQ(0u, count(SFD_COUNTER_OPEN_FILE_HITS));
    send("small", small_);
    send("small", small_);
    EXPECT_EQ(2u, count(SFD_COUNTER_OPEN_FILE_HITS));
    EXPECT_EQ(0u, count(SFD_COUNTER_OPEN_FILE_EVICTIONS));
    writeFile(path() + "/root/other", "other");
    send("other", "other");
    EXPECT_EQ(1u, count(SFD_COUNTER_OPEN_FILE_EVICTIONS));
    EXPECT_EQ(0u, count(SFD_COUNTER_OPEN_FILE_STALE));
    writeFile(path() + "/root/new", "another");
    ASSERT_EQ(0, rename((path() + "/root/new").c_str(), (path() + "/root/other").c_str()));
    send("other", "another");
    EXPECT_EQ(1u, count(SFD_COUNTER_OPEN_FILE_STALE));
    EXPECT_EQ(1u, count(SFD_COUNTER_OPEN_FILE_EVICTIONS)) << "what is stale makes no room";
    EXPECT_EQ(2u, count(SFD_COUNTER_OPEN_FILE_HITS));
}

TEST_F(SessionTest, ShouldCloseAFileThatWasRemovedThoughNobodyAsksForAnything)
{
    start();
    open();
    SocketPair pair;
    struct sfd_session_request request = sending(0, destination(pair.out.get()));
    request.path = "small";
    ASSERT_EQ(0u, one(request).error);
    EXPECT_BYTES(small_, receive(pair.in.get(), small_.size()));
    ASSERT_EQ(0, unlink((path() + "/root/small").c_str()));
    const auto kept = [] {
        const std::vector<int> all = openDescriptors();
        return std::count_if(all.begin(), all.end(), [](int fd) {
            const std::string link = "/proc/self/fd/" + std::to_string(fd);
            char name[PATH_MAX] = "";
            return readlink(link.c_str(), name, sizeof name - 1) > 0 &&
                   strstr(name, "/root/small (deleted)") != nullptr;
        });
    };
    EXPECT_EQ(1, kept());
    EXPECT_TRUE(await([&] { return kept() == 0; }));
}

TEST_F(SessionTest, ShouldSendABigFileAndItsHead)
{
    start();
    open();
    SocketPair pair;
    struct sfd_session_request request = sending(file("big"), destination(pair.out.get()));
    request.head = "HTTP";
    request.head_length = 4;
    request.user_data = 77;
    ASSERT_EQ(1, sfd_session_submit(session_, &request, 1));
    EXPECT_BYTES("HTTP" + big_, receive(pair.in.get(), big_.size() + 4));
    const struct sfd_session_completion sent = reap(1)[77];
    EXPECT_EQ(0u, sent.error);
    EXPECT_EQ(big_.size() + 4, sent.moved);
}

TEST_F(SessionTest, ShouldGoOnWhenTheReceiverReads)
{
    start();
    open();
    SocketPair pair;
    setNonblocking(pair.out.get());
    const struct sfd_session_request request = sending(file("small"), destination(pair.out.get()));
    size_t all = 0;
    std::vector<struct sfd_session_request> requests(60, request); // more than the socket holds
    for (struct sfd_session_request &r : requests) {
        r.user_data = ++last_;
        r.flags = SFD_SESSION_LINK;
    }
    ASSERT_EQ(60, sfd_session_submit(session_, requests.data(), requests.size()));
    std::string expected;
    for (size_t i = 0; i < requests.size(); i++) {
        expected += small_;
    }
    EXPECT_BYTES(expected, receive(pair.in.get(), expected.size()));
    for (const auto &[user_data, completion] : reap(requests.size())) {
        EXPECT_EQ(0u, completion.error);
        all += completion.moved;
    }
    EXPECT_EQ(expected.size(), all);
}

TEST_F(SessionTest, ShouldNotBeginWhatIsLinkedToAFailure)
{
    start();
    open();
    SocketPair pair;
    const uint32_t to = destination(pair.out.get());
    struct sfd_session_request requests[4] = {sending(0, to), sending(0, to), sending(0, to),
                                              sending(file("small"), to)};
    requests[0].path = "missing";
    requests[1].path = "small";
    requests[2].path = "small";
    requests[0].flags = requests[1].flags = SFD_SESSION_LINK;
    for (uint64_t i = 0; i < 4; i++) {
        requests[i].user_data = 100 + i;
    }
    ASSERT_EQ(4, sfd_session_submit(session_, requests, 4));
    auto all = reap(4);
    EXPECT_EQ(static_cast<uint32_t>(ENOENT), all[100].error);
    EXPECT_EQ(static_cast<uint32_t>(ECANCELED), all[101].error);
    EXPECT_EQ(static_cast<uint32_t>(ECANCELED), all[102].error);
    EXPECT_EQ(0u, all[103].error);
    EXPECT_BYTES(small_, receive(pair.in.get(), small_.size()));
    EXPECT_EQ("", drain(pair.in.get()));
}

class SessionBufferTest : public SessionTest, public testing::WithParamInterface<bool>
{
};

TEST_P(SessionBufferTest, ShouldReadIntoIt)
{
    start();
    open();
    const OwnedFd memory(memfd_create("buffer", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    ASSERT_EQ(0, ftruncate(memory.get(), 4 << 20));
    if (GetParam()) { // its pages are the client's own
        ASSERT_EQ(0, fallocate(memory.get(), 0, 0, 4 << 20));
    }
    ASSERT_EQ(0, fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
    const uint32_t buffer = add(SFD_SESSION_BUFFER, memory.get()).handle;
    ASSERT_NE(0u, buffer);
    for (const auto &[name, content] : {std::pair{"small", small_}, {"big", big_}, {"empty", std::string()}}) {
        struct sfd_session_request request = {};
        request.operation = SFD_SESSION_READ;
        request.path = name;
        request.destination = buffer;
        request.target = 12345;
        request.length = SFD_SESSION_TO_END;
        const struct sfd_session_completion read = one(request);
        EXPECT_EQ(0u, read.error) << name << ": " << strerror(static_cast<int>(read.error));
        EXPECT_EQ(content.size(), read.moved);
        std::string got(content.size(), '\0');
        EXPECT_EQ(static_cast<ssize_t>(got.size()), pread(memory.get(), got.data(), got.size(), 12345));
        EXPECT_BYTES(content, got);
    }
}

INSTANTIATE_TEST_SUITE_P(Allocated, SessionBufferTest, testing::Bool());

TEST_F(SessionTest, ShouldNotReadBeyondABuffer)
{
    start();
    open();
    const OwnedFd memory(memfd_create("buffer", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    ASSERT_EQ(0, ftruncate(memory.get(), 8192));
    ASSERT_EQ(0, fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SHRINK));
    EXPECT_EQ(static_cast<uint32_t>(EPERM), add(SFD_SESSION_BUFFER, memory.get()).error) << "it could grow";
    ASSERT_EQ(0, fcntl(memory.get(), F_ADD_SEALS, F_SEAL_GROW));
    const OwnedFd elsewhere(memfd_create("file", MFD_CLOEXEC)); // on another device than the root: never read at once
    ASSERT_EQ(static_cast<ssize_t>(small_.size()), write(elsewhere.get(), small_.data(), small_.size()));
    struct sfd_session_request request = {};
    request.operation = SFD_SESSION_READ;
    request.destination = add(SFD_SESSION_BUFFER, memory.get()).handle;
    request.target = 8192 - small_.size() + 1;
    request.length = SFD_SESSION_TO_END;
    for (const uint32_t from : {file("small"), add(SFD_SESSION_FILE, elsewhere.get()).handle}) {
        ASSERT_NE(0u, from);
        request.file = from;
        const struct sfd_session_completion read = one(request);
        EXPECT_EQ(static_cast<uint32_t>(ERANGE), read.error);
        EXPECT_EQ(0u, read.moved);
    }
    struct stat st;
    ASSERT_EQ(0, fstat(memory.get(), &st));
    EXPECT_EQ(8192, st.st_size);
}

TEST_F(SessionTest, ShouldRefuseWhatIsNot)
{
    start();
    open();
    SocketPair pair;
    const uint32_t to = destination(pair.out.get());
    const uint32_t from = file("small");
    EXPECT_EQ(static_cast<uint32_t>(EBADF), one(sending(from + 1, to)).error);
    EXPECT_EQ(static_cast<uint32_t>(EBADF), one(sending(from, from)).error);
    EXPECT_EQ(static_cast<uint32_t>(ERANGE), one(sending(from, to, small_.size() + 1)).error);
    struct sfd_session_request release = {};
    release.operation = SFD_SESSION_RELEASE;
    release.file = from;
    EXPECT_EQ(0u, one(release).error);
    EXPECT_EQ(static_cast<uint32_t>(EBADF), one(release).error);
    EXPECT_EQ(static_cast<uint32_t>(EBADF), one(sending(from, to)).error);
    EXPECT_NE(from, file("small")) << "another generation";
    EXPECT_EQ(static_cast<uint32_t>(EINVAL), add(SFD_SESSION_BUFFER, pair.out.get()).error);
    EXPECT_EQ(static_cast<uint32_t>(EINVAL), add(SFD_SESSION_FILE, pair.out.get()).error);
    const OwnedFd unsuitable = openFile(path() + "/root", O_RDONLY | O_DIRECTORY);
    EXPECT_EQ(static_cast<uint32_t>(EOPNOTSUPP), add(SFD_SESSION_DESTINATION, unsuitable.get()).error);
}

TEST_F(SessionTest, ShouldWithdrawWhatWaitsForItsReceiver)
{
    start();
    open();
    SocketPair pair;
    struct sfd_session_request request = sending(file("big"), destination(pair.out.get()));
    request.user_data = 1000;
    ASSERT_EQ(1, sfd_session_submit(session_, &request, 1));
    ASSERT_TRUE(await([&] { return readable(pair.in.get()); }));
    struct sfd_session_request withdraw = {};
    withdraw.operation = SFD_SESSION_WITHDRAW;
    withdraw.target = 1000;
    withdraw.user_data = 1001;
    ASSERT_EQ(1, sfd_session_submit(session_, &withdraw, 1));
    auto all = reap(2);
    EXPECT_EQ(0u, all[1001].error);
    EXPECT_EQ(static_cast<uint32_t>(ECANCELED), all[1000].error);
    EXPECT_LT(0u, all[1000].moved);
    withdraw.target = 5;
    EXPECT_EQ(static_cast<uint32_t>(ENOENT), one(withdraw).error);
}

enum class To { UNIX, TCP, PIPE };

// What is withdrawn tells how many bytes it has moved: whoever has sent none can still send something else.
class SessionWithdrawTest : public SessionTest, public testing::WithParamInterface<To>
{
  protected:
    void SetUp() override
    {
        SessionTest::SetUp();
        start();
        struct sfd_session_options options = {};
        options.submissions = 1024;
        options.completions = 2048;
        open(&options);
        if (GetParam() == To::PIPE) {
            Pipe pipe;
            hold(pipe.in, pipe.out);
        } else if (GetParam() == To::TCP) {
            auto pair = tcpPair();
            const int bytes = 64 * 1024; // and not as many as the kernel finds useful
            EXPECT_EQ(0, setsockopt(pair.in.get(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes));
            EXPECT_EQ(0, setsockopt(pair.out.get(), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes));
            hold(pair.in, pair.out);
        } else {
            SocketPair pair;
            hold(pair.in, pair.out);
        }
        setNonblocking(out_.get());
        to_ = destination(out_.get());
    }
    void TearDown() override
    {
        in_.reset();
        out_.reset();
        SessionTest::TearDown();
    }
    void hold(OwnedFd &in, OwnedFd &out)
    {
        in_ = std::move(in);
        out_ = std::move(out);
    }
    struct sfd_session_request sendingWithHead(uint32_t file)
    {
        struct sfd_session_request request = sending(file, to_);
        request.head = "HTTP";
        request.head_length = 4;
        request.user_data = ++last_;
        return request;
    }
    struct sfd_session_request withdrawing(uint64_t target)
    {
        struct sfd_session_request withdraw = {};
        withdraw.operation = SFD_SESSION_WITHDRAW;
        withdraw.target = target;
        withdraw.user_data = ++last_;
        return withdraw;
    }
    // All that has arrived, once nobody else can send.
    std::string received()
    {
        struct sfd_session_request release = {};
        release.operation = SFD_SESSION_RELEASE;
        release.file = to_;
        EXPECT_EQ(0u, one(release).error);
        out_.reset();
        return readToEnd(in_.get());
    }

    OwnedFd in_, out_;
    uint32_t to_ = 0;
};

TEST_P(SessionWithdrawTest, ShouldTellWhatWasMovedOfABigFile)
{
    const struct sfd_session_request request = sendingWithHead(file("big"));
    ASSERT_EQ(1, sfd_session_submit(session_, &request, 1));
    ASSERT_TRUE(await([&] { return readable(in_.get()); }));
    const struct sfd_session_request withdraw = withdrawing(request.user_data);
    ASSERT_EQ(1, sfd_session_submit(session_, &withdraw, 1));
    auto all = reap(2);
    EXPECT_EQ(0u, all[withdraw.user_data].error);
    EXPECT_EQ(static_cast<uint32_t>(ECANCELED), all[request.user_data].error);
    const uint64_t moved = all[request.user_data].moved;
    EXPECT_LT(4u, moved);
    EXPECT_BYTES(("HTTP" + big_).substr(0, moved), received());
}

// Those that the destination has room for are served at once, one may be in part, and the others wait, or are refused.
TEST_P(SessionWithdrawTest, ShouldTellWhatWasMovedOfManySmallOnes)
{
    constexpr size_t MANY = 400;
    const uint32_t small = file("small");
    std::vector<struct sfd_session_request> requests;
    for (size_t i = 0; i < MANY; i++) {
        requests.push_back(sendingWithHead(small));
    }
    ASSERT_EQ(static_cast<int>(MANY), sfd_session_submit(session_, requests.data(), MANY));
    ASSERT_TRUE(await([&] { return readable(in_.get()); }));
    std::string read = readExactly(in_.get(), 3000); // there is room for a part of one more
    std::vector<struct sfd_session_request> withdraws;
    for (const struct sfd_session_request &request : requests) {
        withdraws.push_back(withdrawing(request.user_data));
    }
    ASSERT_EQ(static_cast<int>(MANY), sfd_session_submit(session_, withdraws.data(), MANY));
    auto all = reap(2 * MANY);
    uint64_t moved = 0;
    size_t none = 0;
    for (const struct sfd_session_request &request : requests) {
        moved += all[request.user_data].moved;
        none += all[request.user_data].moved == 0;
        if (all[request.user_data].error == 0) {
            EXPECT_EQ(small_.size() + 4, all[request.user_data].moved);
        }
    }
    read += received();
    EXPECT_EQ(read.size(), moved);
    EXPECT_GT(none, 0u) << "of some, nothing";
}

TEST_P(SessionWithdrawTest, ShouldHaveMovedNothingOfWhatWasLinked)
{
    struct sfd_session_request requests[] = {sendingWithHead(file("big")), sendingWithHead(file("small"))};
    requests[0].flags = SFD_SESSION_LINK;
    ASSERT_EQ(2, sfd_session_submit(session_, requests, 2));
    ASSERT_TRUE(await([&] { return readable(in_.get()); }));
    const struct sfd_session_request withdraw = withdrawing(requests[0].user_data);
    ASSERT_EQ(1, sfd_session_submit(session_, &withdraw, 1));
    auto all = reap(3);
    EXPECT_EQ(static_cast<uint32_t>(ECANCELED), all[requests[1].user_data].error);
    EXPECT_EQ(0u, all[requests[1].user_data].moved);
    EXPECT_EQ(received().size(), all[requests[0].user_data].moved);
}

INSTANTIATE_TEST_SUITE_P(AllKinds, SessionWithdrawTest, testing::Values(To::UNIX, To::TCP, To::PIPE));

TEST_F(SessionTest, ShouldEndWhatIsInFlightWithTheConnection)
{
    start();
    open();
    SocketPair pair;
    const struct sfd_session_request request = sending(file("big"), destination(pair.out.get()));
    ASSERT_EQ(1, sfd_session_submit(session_, &request, 1));
    ASSERT_TRUE(await([&] { return readable(pair.in.get()); }));
    pair.out.reset();
    sfd_session_close(session_);
    session_ = nullptr;
    EXPECT_TRUE(readToEnd(pair.in.get()).size() < big_.size()) << "the daemon closes its own";
    EXPECT_TRUE(await([&] { return sfd_engine_transfers(engine_) == 0; }));
}

TEST_F(SessionTest, ShouldTakeNoMoreThanItCanAnswer)
{
    start();
    const struct sfd_session_options options = {4, 4, 256, {}};
    open(&options);
    struct sfd_session_request requests[8] = {};
    for (uint64_t i = 0; i < 8; i++) {
        requests[i].user_data = i;
    }
    ASSERT_EQ(4, sfd_session_submit(session_, requests, 8));
    ASSERT_EQ(0, sfd_session_submit(session_, requests + 4, 4)) << "nobody has reaped";
    EXPECT_EQ(4u, reap(4).size());
    ASSERT_EQ(4, sfd_session_submit(session_, requests + 4, 4));
    EXPECT_EQ(4u, reap(4).size());
    // The arena goes round.
    SocketPair pair;
    struct sfd_session_request request = sending(0, destination(pair.out.get()));
    request.path = "small";
    const std::string head(150, 'h');
    request.head = head.data();
    request.head_length = head.size();
    for (int i = 0; i < 20; i++) {
        EXPECT_EQ(head.size() + small_.size(), one(request).moved);
        EXPECT_BYTES(head + small_, receive(pair.in.get(), head.size() + small_.size()));
    }
}

TEST_F(SessionTest, ShouldSubmitWhatFitsIntoTheArenaWhereverThatIs)
{
    start();
    const struct sfd_session_options options = {4, 4, 256, {}};
    open(&options);
    SocketPair pair;
    struct sfd_session_request request = sending(0, destination(pair.out.get()));
    request.path = "small";
    for (const size_t size : {95, 251, 1, 251, 150, 251}) { // behind the first one no 256 bytes are left in one piece
        const std::string head(size, 'h');
        request.head = head.data();
        request.head_length = head.size();
        EXPECT_EQ(head.size() + small_.size(), one(request).moved);
        EXPECT_BYTES(head + small_, receive(pair.in.get(), head.size() + small_.size()));
    }
}

TEST_F(SessionTest, ShouldWakeWhoWatchesBeforeTheFirstLook)
{
    start();
    open();
    const struct sfd_session_request request = {};
    ASSERT_EQ(1, sfd_session_submit(session_, &request, 1));
    EXPECT_TRUE(await([&] { return readable(sfd_session_fd(session_)); }));
    EXPECT_EQ(1u, reap(1).size());
}

TEST_F(SessionTest, ShouldServeManySessionsOnTwoLoops)
{
    settings_.loops = 2;
    start();
    std::vector<struct sfd_session *> sessions;
    for (int i = 0; i < 20; i++) {
        struct sfd_session *session = nullptr;
        ASSERT_EQ(0, sfd_session_open(path().c_str(), "test", nullptr, &session));
        sessions.push_back(session);
    }
    for (struct sfd_session *session : sessions) {
        session_ = session;
        SocketPair pair;
        EXPECT_EQ(small_.size(), one(sending(file("small"), destination(pair.out.get()))).moved);
        EXPECT_BYTES(small_, receive(pair.in.get(), small_.size()));
        sfd_session_close(session);
    }
    session_ = nullptr;
}

// The dispatcher sees the paths of sessions and datagrams of several sockets in one turn.
TEST_F(SessionTest, ShouldShareTurnsWithTheDatagramsOfLanes)
{
    const uint32_t uids[] = {getuid()};
    const struct sfd_lane_users users = {uids, 1};
    start(&users);
    ASSERT_EQ(0, sfd_engine_lanes_error(engine_));
    open();
    std::atomic<bool> over{false};
    std::atomic<int> answers{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; i++) {
        threads.emplace_back([&] {
            const OwnedFd srv(sfd_connect(path().c_str(), "test"));
            while (!over) {
                const OwnedFd status(sfd_read(srv.get(), "small", 0, 0, false));
                EXPECT_BYTES(small_, readToEnd(status.get()).substr(SFD_WIRE_FILE_INFO_SIZE));
                answers++;
            }
        });
    }
    SocketPair pair;
    const uint32_t to = destination(pair.out.get());
    for (int round = 0; round < 300; round++) {
        std::vector<struct sfd_session_request> requests(12, sending(0, to));
        for (struct sfd_session_request &request : requests) {
            request.path = "small";
            request.user_data = ++last_;
        }
        ASSERT_EQ(12, sfd_session_submit(session_, requests.data(), requests.size()));
        for (const auto &[user_data, completion] : reap(requests.size())) {
            EXPECT_EQ(0u, completion.error);
        }
        for (size_t i = 0; i < requests.size(); i++) {
            EXPECT_BYTES(small_, receive(pair.in.get(), small_.size()));
        }
    }
    EXPECT_TRUE(await([&] { return answers > 100; }));
    over = true;
    for (std::thread &thread : threads) {
        thread.join();
    }
}

TEST_F(SessionTest, ShouldHangUpOnWhoeverSaysNothing)
{
    start();
    struct sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::snprintf(address.sun_path, sizeof(address.sun_path), "%s/sendfiled.test.session", path().c_str());
    const OwnedFd silent(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    ASSERT_EQ(0, connect(silent.get(), reinterpret_cast<struct sockaddr *>(&address), sizeof(address)));
    struct pollfd waits = {silent.get(), POLLIN, 0};
    ASSERT_EQ(1, poll(&waits, 1, PATIENCE_MS));
    char byte;
    EXPECT_EQ(0, recv(silent.get(), &byte, 1, 0));
}

TEST_F(SessionTest, ShouldEndWithTheEngine)
{
    start();
    open();
    daemon_.reset();
    struct sfd_session_completion completion;
    EXPECT_TRUE(await([&] { return sfd_session_reap(session_, &completion, 1) < 0; }));
    EXPECT_EQ(ENOTCONN, errno);
    const struct sfd_session_request request = {};
    EXPECT_EQ(-1, sfd_session_submit(session_, &request, 1));
    EXPECT_EQ(-1, sfd_session_register(session_, SFD_SESSION_FILE, 0, 0));
}

TEST_F(SessionTest, ShouldSayToWhoeverComesThatAnotherProcessServes)
{
    start();
    open();
    SocketPair pair;
    struct sfd_session_request request = sending(file("big"), destination(pair.out.get()));
    request.user_data = 500;
    ASSERT_EQ(1, sfd_session_submit(session_, &request, 1));
    ASSERT_TRUE(await([&] { return readable(pair.in.get()); }));
    sfd_engine_pause(engine_);
    ASSERT_TRUE(await([&] { return sfd_engine_paused(engine_); }));
    sfd_engine_release(engine_);
    struct sfd_session *late = nullptr;
    EXPECT_EQ(-1, sfd_session_open(path().c_str(), "test", nullptr, &late));
    EXPECT_EQ(ESHUTDOWN, errno);
    const uint32_t none = 1;
    EXPECT_EQ(static_cast<uint32_t>(ESHUTDOWN), one(sending(none, none)).error);
    EXPECT_FALSE(sfd_engine_idle(engine_)) << "it has a session with a transfer";
    EXPECT_BYTES(big_, receive(pair.in.get(), big_.size()));
    EXPECT_EQ(0u, reap(1)[500].error) << "what was in flight goes on";
    EXPECT_TRUE(await([&] { return sfd_engine_idle(engine_); }));
    struct sfd_session_completion completion;
    EXPECT_TRUE(await([&] { return sfd_session_reap(session_, &completion, 1) < 0; }));
}

TEST_F(SessionTest, ShouldEndWithTheProcessThatHasConnected)
{
    start();
    SocketPair pass;
    const pid_t child = fork();
    ASSERT_LE(0, child);
    if (child == 0) {
        struct sfd_session *session = nullptr;
        const bool open = sfd_session_open(path().c_str(), "test", nullptr, &session) == 0;
        char byte = 0;
        struct iovec part = {&byte, 1};
        union {
            struct cmsghdr align;
            char bytes[CMSG_SPACE(sizeof(int))];
        } control = {};
        struct msghdr message = {};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof(control.bytes);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        const int fd = open ? sfd_session_fd(session) : 0;
        std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
        _exit(open && sendmsg(pass.out.get(), &message, 0) == 1 ? 0 : 1);
    }
    char bytes[CMSG_SPACE(sizeof(int))];
    char byte;
    struct iovec part = {&byte, 1};
    struct msghdr message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = bytes;
    message.msg_controllen = sizeof(bytes);
    ASSERT_EQ(1, recvmsg(pass.in.get(), &message, MSG_CMSG_CLOEXEC));
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
    const OwnedFd connection(fd);
    int status = 0;
    ASSERT_EQ(child, waitpid(child, &status, 0));
    ASSERT_EQ(0, status);
    struct pollfd waits = {fd, POLLIN, 0};
    ASSERT_EQ(1, poll(&waits, 1, PATIENCE_MS)) << "it lives on in another process";
    EXPECT_EQ(0, recv(fd, &byte, 1, 0));
}

// R10
TEST_F(SessionTest, ShouldRegisterNoMoreThanAClientMayHave)
{
    settings_.client.descriptors = 12;
    start();
    open();
    const OwnedFd null = openFile("/dev/null", O_WRONLY);
    const auto holds = [this](uint64_t descriptors) {
        return await([&] { return count(SFD_COUNTER_DESCRIPTORS) == descriptors; });
    };
    EXPECT_TRUE(holds(2)) << "its memory and its event descriptor";
    std::vector<uint32_t> handles;
    for (int i = 0; i < 10; i++) {
        handles.push_back(destination(null.get()));
    }
    EXPECT_EQ(static_cast<uint32_t>(EDQUOT), add(SFD_SESSION_DESTINATION, null.get()).error);
    struct sfd_session_request request = {};
    request.operation = SFD_SESSION_OPEN;
    request.path = "small";
    EXPECT_EQ(static_cast<uint32_t>(EDQUOT), one(request).error) << "a file that it opens is one, too";
    EXPECT_TRUE(holds(12)) << "what was refused counts until it is closed";
    struct sfd_session *other = nullptr;
    EXPECT_EQ(-1, sfd_session_open(path().c_str(), "test", nullptr, &other));
    EXPECT_EQ(EDQUOT, errno) << "and so is a session";
    request = {};
    request.operation = SFD_SESSION_RELEASE;
    request.file = handles[0];
    EXPECT_EQ(0u, one(request).error);
    EXPECT_TRUE(holds(11)) << "and so does what is released";
    EXPECT_EQ(0u, add(SFD_SESSION_DESTINATION, null.get()).error);
}

// R10: over however many sessions.
TEST_F(SessionTest, ShouldHaveNoMoreTransfersThanAClientMayHave)
{
    settings_.client.transfers = 3;
    start();
    SocketPair pair; // nobody reads it, and it has no room for a big file
    std::vector<struct sfd_session *> sessions;
    for (uint64_t i = 0; i < 4; i++) {
        open();
        sessions.push_back(session_);
        const struct sfd_session_request request = sending(file("big"), destination(pair.out.get()));
        ASSERT_EQ(1, sfd_session_submit(session_, &request, 1));
        ASSERT_TRUE(await([&] { return i == 3 || sfd_engine_transfers(engine_) == i + 1; }));
    }
    EXPECT_EQ(static_cast<uint32_t>(EDQUOT), reap(1)[0].error);
    EXPECT_EQ(3u, sfd_engine_transfers(engine_));
    for (struct sfd_session *session : sessions) {
        sfd_session_close(session);
    }
    session_ = nullptr;
    EXPECT_TRUE(await([this] { return sfd_engine_transfers(engine_) == 0; }));
    open();
    EXPECT_EQ(small_.size(), one(sending(file("small"), destination(SocketPair().out.get()))).moved);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t MOST_BYTES = 200u << 20;
#else
constexpr uint64_t MOST_BYTES = 2u << 30;
#endif

// R3: by handle or path, with a head or not, from memory or the disk, to sockets, pipes and buffers.
TEST_F(SessionTest, ShouldMoveEveryByteOfManyRanges)
{
    static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 16384, 65535, 65537, (1 << 20) + 1, 16 << 20};
    constexpr size_t ROOM = (16 << 20) + 8192;
    const std::string content = pattern(40 << 20);
    writeFile(path() + "/root/content", content);
    const OwnedFd file_fd = openFile(path() + "/root/content", O_RDONLY);
    const OwnedFd memory(memfd_create("session_test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    ASSERT_EQ(0, ftruncate(memory.get(), ROOM));
    ASSERT_EQ(0, fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
    void *const mapped = mmap(nullptr, ROOM, PROT_READ, MAP_SHARED, memory.get(), 0);
    ASSERT_NE(MAP_FAILED, mapped);
    start();
    open();
    SocketPair pair;
    Pipe pipe;
    const uint32_t files[] = {file("content"), add(SFD_SESSION_FILE, file_fd.get()).handle};
    const uint32_t ends[] = {destination(pair.out.get()), destination(pipe.out.get())};
    const int sources[] = {pair.in.get(), pipe.in.get()};
    const uint32_t buffer = add(SFD_SESSION_BUFFER, memory.get()).handle;
    std::mt19937 random(1);
    const std::string head(100, 'h');
    uint64_t all = 0;
    for (unsigned i = 0; all < MOST_BYTES && !HasFailure(); i++) {
        const size_t size = sizes[random() % std::size(sizes)];
        const auto offset = static_cast<off_t>(random() % (content.size() - size + 1));
        const auto to = static_cast<unsigned>(random() % 3);
        struct sfd_session_request request = sending(files[random() % 2], ends[to % 2], size);
        request.offset = offset;
        request.user_data = ++last_;
        request.path = random() % 2 == 0 ? "content" : nullptr;
        if (to == 2) {
            request.operation = SFD_SESSION_READ;
            request.destination = buffer;
            request.target = random() % 8192;
        } else if (random() % 2 == 0) {
            request.head = head.data();
            request.head_length = head.size();
        }
        if (random() % 8 == 0) {
            (void)posix_fadvise(file_fd.get(), 0, 0, POSIX_FADV_DONTNEED);
        }
        ASSERT_EQ(1, sfd_session_submit(session_, &request, 1));
        const std::string arrived = to == 2 ? "" : receive(sources[to], request.head_length + size);
        const struct sfd_session_completion completion = reap(1)[last_];
        ASSERT_EQ(0u, completion.error) << "request " << i;
        ASSERT_EQ(request.head_length + size, completion.moved) << "request " << i;
        const char *bytes = to == 2 ? static_cast<const char *>(mapped) + request.target : arrived.data();
        ASSERT_EQ(0, memcmp(head.data(), bytes, request.head_length)) << "request " << i;
        ASSERT_EQ(0, memcmp(content.data() + offset, bytes + request.head_length, size)) << "request " << i;
        all += size;
    }
    munmap(mapped, ROOM);
}

TEST_F(SessionTest, ShouldSayThatThereIsNoDaemon)
{
    EXPECT_EQ(-1, sfd_session_open(path().c_str(), "test", nullptr, &session_));
    EXPECT_EQ(ENOENT, errno);
    const struct sfd_session_options wrong = {5, 0, 0, {}};
    EXPECT_EQ(-1, sfd_session_open(path().c_str(), "test", &wrong, &session_));
    EXPECT_EQ(EINVAL, errno);
}

} // namespace
