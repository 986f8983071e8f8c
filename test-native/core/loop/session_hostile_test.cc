// Sessions whose clients keep no rule: the engine lives, serves others all along, and keeps nothing of them (R29).
//
// SENDFILED_HOSTILE_SEED, _ENTRIES, _SESSIONS and _PROCESSES in the environment repeat a run, or make it longer.
#include "core.h"

#include <chrono>
#include <fstream>
#include <random>

#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#include <linux/falloc.h>

extern "C" {
#include "loop/loop_private.h"
}

#include "await.h"
#include "raw_session.h"
#include "small_daemon.h"

namespace
{

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr unsigned SLOWER = 10;
#else
constexpr unsigned SLOWER = 1;
#endif

/* What a well-behaved session may wait for one answer, on a busy machine. */
constexpr std::chrono::seconds PATIENCE{5};

uint64_t environment(const char *name, uint64_t otherwise)
{
    const char *value = getenv(name);

    return value == nullptr ? otherwise : strtoull(value, nullptr, 0);
}

// Mapped memory files of this process: of sessions, and of their buffers.
size_t mappedMemoryFiles()
{
    std::ifstream maps("/proc/self/maps");
    std::string line;
    size_t n = 0;

    while (std::getline(maps, line)) {
        n += line.find("/memfd:") != std::string::npos ? 1 : 0;
    }
    return n;
}

struct sfd_session_entry entryOf(uint8_t operation, uint64_t user_data = 0)
{
    struct sfd_session_entry e = {};

    e.operation = operation;
    e.user_data = user_data;
    return e;
}

struct sfd_session_entry sending(uint32_t file, uint32_t destination, uint64_t user_data = 0)
{
    struct sfd_session_entry e = entryOf(SFD_SESSION_SEND, user_data);

    e.file = file;
    e.destination = destination;
    e.length = SFD_SESSION_TO_END;
    return e;
}

// A client that keeps all rules, on a thread of its own: it sends a small file again and again.
class Witness
{
  public:
    Witness(const std::string &directory, const std::string &content)
        : session_(directory), content_(content), opened_(session_.open())
    {
        if (opened_) {
            file_ = session_.file("small");
            to_ = session_.add(SFD_SESSION_DESTINATION, pair_.out.get());
        }
        EXPECT_TRUE(opened_ && file_ != 0 && to_ != 0);
        thread_ = std::thread([this] { run(); });
    }
    Witness(const Witness &) = delete;
    Witness &operator=(const Witness &) = delete;
    ~Witness()
    {
        stop();
    }
    // The longest wait for one answer.
    std::chrono::microseconds stop()
    {
        over_ = true;
        if (thread_.joinable()) {
            thread_.join();
        }
        return longest_;
    }

    std::atomic<uint64_t> served{0};

  private:
    void run()
    {
        while (!over_ && opened_) {
            const auto before = std::chrono::steady_clock::now();
            const struct sfd_session_completion c = session_.one(sending(file_, to_));
            const auto took = std::chrono::steady_clock::now() - before;
            longest_ = std::max(longest_, std::chrono::duration_cast<std::chrono::microseconds>(took));
            if (c.error != 0 || c.moved != content_.size()) {
                ADD_FAILURE() << "errno " << c.error << ", " << c.moved << " bytes";
                return;
            }
            if (readExactly(pair_.in.get(), content_.size()) != content_) {
                ADD_FAILURE() << "other bytes than the file's";
                return;
            }
            served++;
        }
    }

    RawSession session_;
    SocketPair pair_;
    const std::string content_;
    const bool opened_;
    uint32_t file_ = 0;
    uint32_t to_ = 0;
    std::chrono::microseconds longest_{0};
    std::atomic<bool> over_{false};
    std::thread thread_;
};

class SessionHostileTest : public CoreTest
{
  protected:
    void SetUp() override
    {
        CoreTest::SetUp();
        ASSERT_EQ(0, mkdir((path() + "/root").c_str(), 0700));
        writeFile(path() + "/root/small", small_);
        writeFile(path() + "/root/big", big_);
        writeFile(path() + "/root/empty", "");
        settings_ = settingsOf(1);
        settings_.open_files = 64;
        restart();
    }
    void TearDown() override
    {
        const uint64_t served = witness_->served;
        EXPECT_TRUE(await([&] { return witness_->served > served; })) << "the witness is served no more";
        EXPECT_LT(witness_->stop(), PATIENCE);
        witness_.reset();
        expectNothingLeft();
        daemon_.reset();
        expectNoAccounts();
        sfd_engine_destroy(engine_);
        CoreTest::TearDown();
    }
    const std::string &path()
    {
        return directory_.path();
    }
    // The engine, and beside it the witness.
    void restart()
    {
        const struct sfd_endpoint_access access = {0600, 0};
        ASSERT_EQ(0, sfd_engine_create(&engine_, &settings_, path().c_str(), "test", (path() + "/root").c_str(),
                                       &access, nullptr, -1));
        ASSERT_EQ(0, sfd_engine_sessions_error(engine_));
        daemon_ = std::make_unique<SmallDaemon>(engine_, settings_.loops);
        {
            RawSession warm(path()); // the files that the engine keeps open
            ASSERT_TRUE(warm.open());
            for (const char *name : {"small", "/small", "big", "empty"}) {
                ASSERT_NE(0u, warm.file(name));
            }
        }
        ASSERT_TRUE(await([this] { return sessions() == 0; }));
        mapped_ = mappedMemoryFiles();
        fds_ = openDescriptors().size();
        witness_ = std::make_unique<Witness>(path(), small_);
    }
    struct sfd_shared *shared()
    {
        return sfd_engine_loop(engine_, 0)->shared;
    }
    uint32_t sessions()
    {
        return static_cast<uint32_t>(shared()->sessions);
    }
    void expectNothingLeft()
    {
        EXPECT_TRUE(await([this] { return sessions() == 0; })) << sessions() << " sessions are left";
        EXPECT_TRUE(await([this] { return sfd_engine_transfers(engine_) == 0; })) << "transfers are left";
        EXPECT_TRUE(await([this] { return mappedMemoryFiles() == mapped_; })) << mappedMemoryFiles() - mapped_;
        EXPECT_TRUE(await(
            [this] { return openDescriptors().size() <= fds_ + 8; })) /* and files that it keeps open, by other names */
            << openDescriptors().size() << " descriptors, and " << fds_ << " before";
    }
    void expectNoAccounts()
    {
        for (const struct sfd_client_account *account : shared()->accounts.buckets) {
            EXPECT_EQ(nullptr, account);
        }
    }
    // The daemon has ended this session, and serves others.
    void expectEnd(RawSession &session, const std::string &what)
    {
        EXPECT_TRUE(session.ends()) << what;
    }

    TemporaryDirectory directory_;
    struct sfd_settings settings_ = {};
    struct sfd_engine *engine_ = nullptr;
    std::unique_ptr<SmallDaemon> daemon_;
    std::unique_ptr<Witness> witness_;
    size_t mapped_ = 0;
    size_t fds_ = 0;
    const std::string small_ = pattern(4096);
    const std::string big_ = pattern(600000);
};

// ------------------------------------------------------------------ Hello

TEST_F(SessionHostileTest, ShouldRefuseMemoryThatMayGoAway)
{
    const RawSizes sizes;
    const size_t bytes = sizes.bytes();
    const OwnedFd event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    const OwnedFd sealed = sealedMemory(bytes);
    const OwnedFd read_only = openFile("/proc/self/fd/" + std::to_string(sealed.get()), O_RDONLY | O_CLOEXEC);
    const OwnedFd pathless = openFile("/proc/self/fd/" + std::to_string(sealed.get()), O_PATH | O_CLOEXEC);
    const OwnedFd file = openFile(path() + "/root/big", O_RDWR);
    const OwnedFd directory = openFile(path(), O_RDONLY | O_DIRECTORY);
    writeFile("/dev/shm/" + std::to_string(getpid()), std::string(bytes, 0));
    const OwnedFd shared = openFile("/dev/shm/" + std::to_string(getpid()), O_RDWR);
    unlink(("/dev/shm/" + std::to_string(getpid())).c_str());
    const Pipe pipe;
    const SocketPair pair;
    std::vector<std::pair<std::string, OwnedFd>> files;
    files.emplace_back("a byte too small", sealedMemory(bytes - 1));
    files.emplace_back("empty", sealedMemory(0));
    files.emplace_back("sparse", sealedMemory(bytes, F_SEAL_SHRINK | F_SEAL_GROW, 0, true));
    files.emplace_back("unsealed", sealedMemory(bytes, 0));
    files.emplace_back("sealed against growing alone", sealedMemory(bytes, F_SEAL_GROW));
    files.emplace_back("sealed against writing", sealedMemory(bytes, F_SEAL_SHRINK | F_SEAL_WRITE));
    files.emplace_back("sealed against later writing", sealedMemory(bytes, F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE));
    OwnedFd huge = sealedMemory(2 << 20, F_SEAL_SHRINK, MFD_HUGETLB);
    if (huge.get() >= 0) {
        files.emplace_back("of huge pages", std::move(huge));
    }
    for (const auto &[name, fd] : std::initializer_list<std::pair<const char *, int>>{{"read-only", read_only.get()},
                                                                                      {"O_PATH", pathless.get()},
                                                                                      {"a file", file.get()},
                                                                                      {"a directory", directory.get()},
                                                                                      {"a file of tmpfs", shared.get()},
                                                                                      {"a pipe", pipe.out.get()},
                                                                                      {"a socket", pair.out.get()},
                                                                                      {"an eventfd", event.get()}}) {
        files.emplace_back(name, OwnedFd(fcntl(fd, F_DUPFD_CLOEXEC, 0)));
    }
    for (const auto &[name, fd] : files) {
        int error = 0;
        RawSession session(path(), sizes);
        ASSERT_LE(0, fd.get()) << name;
        ASSERT_EQ(0, session.say(RawSession::hello(sizes), {fd.get(), event.get()})) << name;
        EXPECT_EQ(RawSession::Answer::REFUSAL, session.answer(20000, &error)) << name;
        EXPECT_NE(0, error) << name;
        expectEnd(session, name);
    }
}

TEST_F(SessionHostileTest, ShouldRefuseWhatIsNoEventfd)
{
    const RawSizes sizes;
    const OwnedFd memory = sealedMemory(sizes.bytes());
    const OwnedFd file = openFile(path() + "/root/big", O_RDWR);
    const OwnedFd null = openFile("/dev/null", O_RDWR);
    const Pipe pipe;
    const SocketPair pair;
    const OwnedFd epoll(epoll_create1(EPOLL_CLOEXEC));
    const OwnedFd inotify(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    sigset_t signals;
    sigemptyset(&signals);
    const OwnedFd signal(signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
    for (const auto &[name, fd] :
         std::initializer_list<std::pair<const char *, int>>{{"pipe", pipe.in.get()},
                                                             {"pipe's other end", pipe.out.get()},
                                                             {"socket", pair.in.get()},
                                                             {"epoll", epoll.get()},
                                                             {"file", file.get()},
                                                             {"memory", memory.get()},
                                                             {"null", null.get()},
                                                             {"inotify", inotify.get()},
                                                             {"signalfd", signal.get()}}) {
        RawSession session(path(), sizes);
        ASSERT_EQ(0, session.say(RawSession::hello(sizes), {memory.get(), fd})) << name;
        EXPECT_EQ(RawSession::Answer::REFUSAL, session.answer(20000)) << name;
        expectEnd(session, name);
    }
}

// Linux 6.10 reads a timerfd as it reads an eventfd. It may be taken for one: its events are the kernel's too.
TEST_F(SessionHostileTest, ShouldBearATimerThatFiresAllTheTime)
{
    const RawSizes sizes;
    const OwnedFd memory = sealedMemory(sizes.bytes());
    const OwnedFd timer(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    const itimerspec often = {{0, 1}, {0, 1}};
    RawSession session(path(), sizes);

    ASSERT_EQ(0, timerfd_settime(timer.get(), 0, &often, nullptr));
    ASSERT_EQ(0, session.say(RawSession::hello(sizes), {memory.get(), timer.get()}));
    if (session.answer(20000) == RawSession::Answer::WELCOME) {
        const uint64_t served = witness_->served;
        EXPECT_TRUE(await([&] { return witness_->served > served + 1000; }));
    }
}

TEST_F(SessionHostileTest, ShouldRefuseSizesThatCannotBe)
{
    const OwnedFd memory = sealedMemory(4 << 20);
    const OwnedFd event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    for (const RawSizes &sizes : {RawSizes{0, 8, 0}, RawSizes{8, 0, 0}, RawSizes{2, 8, 0}, RawSizes{8, 12, 0},
                                  RawSizes{16384, 8, 0}, RawSizes{8, UINT32_MAX, 0}, RawSizes{0x80000000u, 8, 0},
                                  RawSizes{8, 8, (1 << 20) + 1}, RawSizes{8, 8, UINT32_MAX}}) {
        int error = 0;
        RawSession session(path(), sizes);
        ASSERT_EQ(0, session.say(RawSession::hello(sizes), {memory.get(), event.get()}));
        EXPECT_EQ(RawSession::Answer::REFUSAL, session.answer(20000, &error));
        EXPECT_EQ(EINVAL, error);
        expectEnd(session, "sizes");
    }
}

TEST_F(SessionHostileTest, ShouldEndWhatSpeaksOutOfTurn)
{
    const OwnedFd null = openFile("/dev/null", O_WRONLY);
    {
        RawSession early(path());
        ASSERT_EQ(0, early.say(RawSession::registering(SFD_SESSION_DESTINATION, 1), {null.get()}));
        expectEnd(early, "Register before Hello");
    }
    {
        RawSession eager(path());
        ASSERT_TRUE(eager.prepare());
        ASSERT_EQ(0, eager.say(RawSession::hello(RawSizes()), {eager.memory_fd.get(), eager.event.get()}));
        (void)eager.say(RawSession::registering(SFD_SESSION_DESTINATION, 1), {null.get()}); /* before the Welcome */
        (void)eager.say(RawSession::registering(SFD_SESSION_DESTINATION, 2), {});
        expectEnd(eager, "Register without a descriptor");
    }
    {
        RawSession twice(path());
        ASSERT_TRUE(twice.open());
        (void)twice.say(RawSession::hello(RawSizes()), {twice.memory_fd.get(), twice.event.get()});
        expectEnd(twice, "Hello, twice");
    }
}

// All lengths and numbers of descriptors, of bytes that are nearly a message.
TEST_F(SessionHostileTest, ShouldEndAtEachMessageThatIsNone)
{
    const OwnedFd null = openFile("/dev/null", O_WRONLY);
    for (size_t length = 0; length <= 64; length++) {
        for (const size_t count : {0u, 1u, 2u, 3u, 20u}) {
            const std::vector<int> fds(count, null.get());
            for (const bool open : {false, true}) {
                std::vector<unsigned char> bytes =
                    open ? RawSession::registering(SFD_SESSION_DESTINATION, 5) : RawSession::hello(RawSizes());
                bytes.resize(length);
                RawSession session(path());
                if (open) {
                    if (length % 4 != 0 && length != 25) {
                        continue; /* an opened session costs more */
                    }
                    ASSERT_TRUE(session.open());
                }
                ASSERT_EQ(0, session.say(bytes, fds));
                if (open && length == SFD_SESSION_REGISTER_SIZE && count == 1) {
                    struct sfd_session_completion c = {};
                    ASSERT_TRUE(session.reap(&c));
                    EXPECT_EQ(0u, c.error);
                    continue;
                }
                ASSERT_TRUE(session.ends()) << length << " bytes, " << count << " descriptors, " << open;
            }
        }
    }
    RawSession crowd(path());
    ASSERT_EQ(0, crowd.say(RawSession::hello(RawSizes()), std::vector<int>(253, null.get())));
    expectEnd(crowd, "253 descriptors");
}

// ------------------------------------------------------------------ counters

TEST_F(SessionHostileTest, ShouldEndAtACounterThatCannotBe)
{
    const std::pair<size_t, uint32_t> wrongs[] = {
        {SFD_SESSION_SUBMITTED_AT, 17 + 3},     {SFD_SESSION_SUBMITTED_AT, 2},
        {SFD_SESSION_SUBMITTED_AT, UINT32_MAX}, {SFD_SESSION_REAPED_AT, 4},
        {SFD_SESSION_REAPED_AT, 0x80000000u},   {SFD_SESSION_REAPED_AT, UINT32_MAX - 31}};
    for (const auto &[at, value] : wrongs) {
        RawSession session(path());
        ASSERT_TRUE(session.open());
        for (int i = 0; i < 3; i++) {
            EXPECT_EQ(0u, session.one(entryOf(SFD_SESSION_NOTHING)).error);
        }
        session.word(at) = value;
        session.wake();
        expectEnd(session, std::to_string(at) + ": " + std::to_string(value));
    }
}

TEST_F(SessionHostileTest, ShouldNotCareForTheCountersThatAreItsOwn)
{
    RawSession session(path());
    ASSERT_TRUE(session.open());
    for (uint32_t i = 0; i < 100; i++) {
        session.word(SFD_SESSION_TAKEN_AT) = i * 77777;
        session.word(SFD_SESSION_STATE_AT) = UINT32_MAX;
        session.submit(entryOf(SFD_SESSION_NOTHING, i));
        session.publish();
        ASSERT_TRUE(await([&] { return session.word(SFD_SESSION_COMPLETED_AT) == i + 1; }));
        session.word(SFD_SESSION_REAPED_AT) = i + 1;
    }
}

TEST_F(SessionHostileTest, ShouldTakeNoMoreThanTheRingOfOneWhoNeverReaps)
{
    RawSession session(path());
    ASSERT_TRUE(session.open());
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 16; i++) {
            if (session.submitted - session.word(SFD_SESSION_TAKEN_AT) < 16) {
                session.submit(entryOf(SFD_SESSION_NOTHING));
            }
        }
        session.publish();
        for (int i = 0; i < 100; i++) {
            session.wake();
        }
        const uint32_t most = std::min(session.submitted, 32u);
        ASSERT_TRUE(await([&] { return session.word(SFD_SESSION_COMPLETED_AT) == most; }));
    }
    EXPECT_EQ(32u, session.word(SFD_SESSION_TAKEN_AT));
    EXPECT_FALSE(session.ended());
    const OwnedFd null = openFile("/dev/null", O_WRONLY);
    (void)session.say(RawSession::registering(SFD_SESSION_DESTINATION, 1), {null.get()});
    expectEnd(session, "a Register for whose completion there is no room");
}

// ------------------------------------------------------------------ entries

TEST_F(SessionHostileTest, ShouldRefusePathsAndHeadsThatCannotBe)
{
    RawSession session(path(), RawSizes{16, 32, 16384});
    ASSERT_TRUE(session.open());
    const SocketPair pair;
    const uint32_t to = session.add(SFD_SESSION_DESTINATION, pair.out.get());
    struct sfd_session_entry e = sending(0, to);
    const auto with = [&](uint16_t path_length, uint16_t head_length, uint32_t data) {
        e.flags = path_length > 0 ? SFD_SESSION_PATH : 0;
        e.path_length = path_length;
        e.head_length = head_length;
        e.data = data;
        return session.one(e).error;
    };
    const auto error = [](int value) { return static_cast<uint32_t>(value); };
    memset(session.arena(), 'a', 16384);
    EXPECT_NE(0u, with(4095, 0, 0)) << "a name of 4095 bytes";
    EXPECT_EQ(error(ENAMETOOLONG), with(4096, 0, 0));
    EXPECT_EQ(error(ENAMETOOLONG), with(UINT16_MAX, 0, 0));
    EXPECT_EQ(error(EMSGSIZE), with(5, UINT16_MAX, 0));
    EXPECT_EQ(error(EFAULT), with(5, 0, 16380));
    EXPECT_EQ(error(EFAULT), with(5, 0, UINT32_MAX));
    EXPECT_EQ(error(EFAULT), with(5, 10, 16384 - 10));
    EXPECT_EQ(error(EFAULT), with(4, 8, UINT32_MAX - 3));
    for (size_t i = 0; i < 4095; i += 2) {
        session.arena()[i] = '/';
    }
    EXPECT_NE(0u, with(4095, 0, 0));
    memset(session.arena(), 0, 16384);
    EXPECT_EQ(error(EINVAL), with(4095, 0, 0)) << "NULs";
    EXPECT_EQ(error(EINVAL), with(1, 0, 0));
    memcpy(session.arena(), "small\0", 6);
    EXPECT_EQ(error(EINVAL), with(6, 0, 0));
    // The head begins behind the path: it overlaps one only if another entry's is there too.
    memcpy(session.arena(), "smallsmall", 10);
    e.length = 0;
    EXPECT_EQ(0u, with(5, 5, 0));
    EXPECT_EQ("small", readExactly(pair.in.get(), 5));
    for (const char *escape : {"..", "../root/small", "/..", "a/../../small"}) {
        memcpy(session.arena(), escape, strlen(escape));
        EXPECT_NE(0u, with(static_cast<uint16_t>(strlen(escape)), 0, 0)) << escape;
    }
}

TEST_F(SessionHostileTest, ShouldSendOnWhenAHandleIsReleasedMeanwhile)
{
    RawSession session(path());
    ASSERT_TRUE(session.open());
    SocketPair pair;
    const uint32_t to = session.add(SFD_SESSION_DESTINATION, pair.out.get());
    const uint32_t file = session.file("big");
    session.submit(sending(file, to, 1));
    struct sfd_session_entry release = entryOf(SFD_SESSION_RELEASE, 2);
    release.file = to;
    session.submit(release);
    release.file = file;
    release.user_data = 3;
    session.submit(release);
    session.submit(release);
    session.publish();
    pair.out.reset();
    EXPECT_BYTES(big_, readToEnd(pair.in.get()));
    uint32_t failed = 0;
    for (int i = 0; i < 4; i++) {
        struct sfd_session_completion c = {};
        ASSERT_TRUE(session.reap(&c));
        failed += c.error == EBADF ? 1 : 0;
        EXPECT_TRUE(c.error == 0 || c.error == EBADF) << c.error;
    }
    EXPECT_EQ(1u, failed);
}

TEST_F(SessionHostileTest, ShouldWithdrawWhatItCan)
{
    RawSession session(path());
    ASSERT_TRUE(session.open());
    struct sfd_session_entry withdraw = entryOf(SFD_SESSION_WITHDRAW, 5);
    withdraw.target = 5;
    EXPECT_EQ(static_cast<uint32_t>(ENOENT), session.one(withdraw).error) << "itself";
    EXPECT_EQ(0u, session.one(entryOf(SFD_SESSION_NOTHING, 6)).error);
    withdraw.target = 6;
    EXPECT_EQ(static_cast<uint32_t>(ENOENT), session.one(withdraw).error) << "what is over";
    withdraw.flags = SFD_SESSION_LINK;
    withdraw.target = withdraw.user_data;
    (void)session.one(withdraw); /* itself, of a chain */
    // Many of the same user data, each of them once.
    SocketPair pair;
    pair.fill();
    const uint32_t to = session.add(SFD_SESSION_DESTINATION, pair.out.get());
    const uint32_t file = session.file("small");
    for (int i = 0; i < 8; i++) {
        session.submit(sending(file, to, 9));
    }
    withdraw.flags = 0;
    withdraw.target = 9;
    for (int i = 0; i < 8; i++) {
        session.submit(withdraw);
    }
    session.publish();
    struct sfd_session_completion c = {};
    for (int i = 0; i < 8; i++) {
        ASSERT_TRUE(session.reap(&c, 5000)) << i;
    }
}

// Any byte as an operation, in a chain: among them those of messages.
TEST_F(SessionHostileTest, ShouldCompleteEachOperationThatIsNone)
{
    RawSession session(path());
    ASSERT_TRUE(session.open());
    for (int operation = SFD_SESSION_OPERATIONS; operation <= UINT8_MAX; operation++) {
        struct sfd_session_entry e = entryOf(static_cast<uint8_t>(operation));
        e.flags = SFD_SESSION_LINK;
        session.submit(e);
        session.submit(entryOf(SFD_SESSION_NOTHING));
        session.publish();
        struct sfd_session_completion c = {};
        ASSERT_TRUE(session.reap(&c, 2000)) << operation;
        EXPECT_EQ(static_cast<uint32_t>(EINVAL), c.error) << operation;
        ASSERT_TRUE(session.reap(&c, 2000)) << operation;
        EXPECT_EQ(static_cast<uint32_t>(ECANCELED), c.error) << operation;
    }
}

// A chain of the whole ring, of which one fails, at each place; at once, or by way of the dispatcher.
TEST_F(SessionHostileTest, ShouldEndAChainWhereItFails)
{
    constexpr uint32_t LENGTH = 16;
    for (const bool by_path : {false, true}) {
        RawSession session(path());
        ASSERT_TRUE(session.open());
        memcpy(session.arena(), "missing", 7);
        memcpy(session.arena() + 16, "small", 5);
        for (uint32_t place = 0; place < LENGTH; place++) {
            for (uint32_t i = 0; i < LENGTH; i++) {
                struct sfd_session_entry e = entryOf(SFD_SESSION_NOTHING, i);
                if (by_path) {
                    e = entryOf(SFD_SESSION_LOAD, i);
                    e.flags = SFD_SESSION_PATH;
                    e.path_length = i == place ? 7 : 5;
                    e.data = i == place ? 0 : 16;
                } else if (i == place) {
                    e.operation = place % 2 == 0 ? static_cast<uint8_t>(SFD_SESSION_RELEASE) : uint8_t{99};
                }
                e.flags |= i + 1 < LENGTH ? SFD_SESSION_LINK : 0;
                session.submit(e);
            }
            session.publish();
            for (uint32_t i = 0; i < LENGTH; i++) {
                struct sfd_session_completion c = {};
                ASSERT_TRUE(session.reap(&c)) << place << ", " << i;
                const int expected = i < place ? 0 : i > place ? ECANCELED : -1;
                ASSERT_EQ(i, c.user_data);
                EXPECT_TRUE(expected < 0 ? c.error != 0 && c.error != ECANCELED
                                         : c.error == static_cast<uint32_t>(expected))
                    << place << ", " << i << ": " << c.error;
            }
        }
    }
}

// ------------------------------------------------------------------ what holds on to it

// The daemon holds both ends of its connections: no close of the client's ends them. A shutdown does.
TEST_F(SessionHostileTest, ShouldEndSessionsThatHoldEachOtherWhenTheyAreShutDown)
{
    RawSession one(path());
    RawSession other(path());
    ASSERT_TRUE(one.open() && other.open());
    (void)one.add(SFD_SESSION_DESTINATION, one.connection.get());
    (void)one.add(SFD_SESSION_DESTINATION, other.connection.get());
    (void)other.add(SFD_SESSION_DESTINATION, one.connection.get());
    shutdown(one.connection.get(), SHUT_RDWR);
    shutdown(other.connection.get(), SHUT_RDWR);
}

// A sparse file costs its maker nothing, and its mapping the daemon's addresses.
TEST_F(SessionHostileTest, ShouldNotMapABufferThatIsHuge)
{
    RawSession session(path());
    ASSERT_TRUE(session.open());
    for (const size_t bytes : {size_t{1} << 62, size_t{100} << 40, size_t{1} << 40}) {
        const OwnedFd memory = sealedMemory(bytes);
        if (memory.get() < 0) {
            continue;
        }
        uint32_t error = 0;
        EXPECT_EQ(0u, session.add(SFD_SESSION_BUFFER, memory.get(), &error)) << bytes;
        EXPECT_NE(0u, error) << bytes;
    }
}

// The pages of the ring go, and are made anew, while it is served.
TEST_F(SessionHostileTest, ShouldBearHolesInItsRing)
{
    const RawSizes sizes;
    for (int round = 0; round < 20; round++) {
        RawSession session(path(), sizes);
        ASSERT_TRUE(session.open());
        std::atomic<bool> over{false};
        std::thread punches([&] {
            while (!over) {
                (void)fallocate(session.memory_fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                                static_cast<off_t>(sizes.bytes()));
            }
        });
        for (uint32_t i = 0; i < 500 && !session.ended(); i++) {
            session.submit(entryOf(SFD_SESSION_NOTHING, i));
            session.word(SFD_SESSION_REAPED_AT) = session.word(SFD_SESSION_COMPLETED_AT).load();
            session.publish();
        }
        over = true;
        punches.join();
    }
}

// ------------------------------------------------------------------ what keeps it busy

// Messages without end are no reason to do nothing else.
TEST_F(SessionHostileTest, ShouldServeOthersBesideAFloodOfMessages)
{
    RawSession session(path(), RawSizes{16, 8192, 0});
    ASSERT_TRUE(session.open());
    const OwnedFd null = openFile("/dev/null", O_RDONLY);
    std::atomic<bool> over{false};
    std::vector<std::thread> threads;
    const std::vector<unsigned char> message = RawSession::registering(SFD_SESSION_FILE, 1);
    for (int i = 0; i < 2; i++) {
        threads.emplace_back([&] {
            while (!over && session.say(message, {null.get()}, MSG_DONTWAIT) != EPIPE) {
                session.word(SFD_SESSION_REAPED_AT) = session.word(SFD_SESSION_COMPLETED_AT).load();
            }
        });
    }
    const uint64_t served = witness_->served;
    const bool goes_on = await([&] { return witness_->served > served + 300 / SLOWER; });
    over = true;
    for (std::thread &thread : threads) {
        thread.join();
    }
    EXPECT_TRUE(goes_on) << witness_->served - served;
}

// A chain that waits for one request, and then is all due at once.
TEST_F(SessionHostileTest, ShouldServeOthersBesideALongChain)
{
    constexpr uint32_t LENGTH = 8000;
    const RawSizes sizes{8192, 8192, 4096};
    RawSession session(path(), sizes);
    ASSERT_TRUE(session.open());
    SocketPair pair;
    pair.fill();
    const OwnedFd memory = sealedMemory(1 << 20);
    const uint32_t buffer = session.add(SFD_SESSION_BUFFER, memory.get());
    const uint32_t to = session.add(SFD_SESSION_DESTINATION, pair.out.get());
    const uint32_t small = session.file("small");
    const uint32_t big = session.file("big");
    struct sfd_session_entry e = sending(small, to);
    e.flags = SFD_SESSION_LINK;
    session.submit(e);
    e = entryOf(SFD_SESSION_READ);
    e.file = big;
    e.destination = buffer;
    e.length = 256 * 1024;
    e.flags = SFD_SESSION_LINK;
    for (uint32_t i = 0; i < LENGTH / SLOWER; i++) {
        session.submit(e);
    }
    session.publish();
    constexpr uint32_t MOST = std::min<uint32_t>(SFD_SESSION_JOBS_MAX, LENGTH / SLOWER); // the rest stays in the ring
    ASSERT_TRUE(await([&] { return session.word(SFD_SESSION_TAKEN_AT) >= MOST; }));
    EXPECT_LE(session.word(SFD_SESSION_TAKEN_AT), SFD_SESSION_JOBS_MAX + 2u) << "and two files were opened";
    witness_->stop();
    witness_ = std::make_unique<Witness>(path(), small_);
    (void)drain(pair.in.get());
    struct sfd_session_completion c = {};
    for (uint32_t i = 0; i <= LENGTH / SLOWER; i++) {
        (void)drain(pair.in.get());
        ASSERT_TRUE(session.reap(&c)) << i;
    }
    const auto longest = witness_->stop();
    RecordProperty("longest_us", static_cast<int>(longest.count()));
    EXPECT_LT(longest, std::chrono::milliseconds(200 * SLOWER));
    witness_ = std::make_unique<Witness>(path(), small_);
}

// ------------------------------------------------------------------ at random

class Attack
{
  public:
    Attack(const std::string &directory, uint64_t seed) : directory_(directory), random_(seed)
    {
        for (const char *name : {"small", "big", "empty", "missing", "../root/small", "/small", "."}) {
            names_.emplace_back(name);
        }
        null_ = openFile("/dev/null", O_RDWR);
        buffer_ = sealedMemory(1 << 20);
        file_ = openFile(directory + "/root/small", O_RDONLY);
        fcntl(pair_.in.get(), F_SETFL, O_NONBLOCK);
        fcntl(pipe_.in.get(), F_SETFL, O_NONBLOCK);
    }
    uint32_t below(uint32_t n)
    {
        return static_cast<uint32_t>(random_() % n);
    }
    bool one_in(uint32_t n)
    {
        return below(n) == 0;
    }
    // A session as long as it lives, at most that many bursts: on a busy machine each waits for a processor.
    void run(uint64_t most)
    {
        static const uint32_t sizes[] = {4, 16, 64, 256, 1024};
        RawSession session(directory_, RawSizes{sizes[below(5)], sizes[below(5)], below(3) * 4096});
        uint64_t n = 0;
        int stalls = 0;

        handles_ = {0};
        if (session.connection.get() < 0 || !session.prepare() || !hello(session)) {
            return;
        }
        for (uint32_t i = 0; i < 6; i++) {
            (void)registers(session);
        }
        while (n++ < most && !session.ended()) {
            const uint64_t submitted = burst(session);
            stalls = submitted > 0 ? 0 : stalls + 1;
            if (stalls > 8) { /* it has broken its own counters, or waits for itself */
                break;
            }
            look(session);
            if (one_in(40)) {
                registers(session);
            }
            if (one_in(300)) {
                counters(session);
            }
        }
    }

  private:
    bool hello(RawSession &session)
    {
        std::vector<unsigned char> bytes = RawSession::hello(session.sizes());
        std::vector<int> fds = {session.memory_fd.get(), session.event.get()};

        if (one_in(8)) {
            bytes[below(static_cast<uint32_t>(bytes.size()))] ^= static_cast<unsigned char>(1u << below(8));
        }
        if (one_in(50)) {
            std::swap(fds[0], fds[1]);
        }
        return session.say(bytes, fds) == 0 && session.answer(20000) == RawSession::Answer::WELCOME;
    }
    bool registers(RawSession &session)
    {
        const int fds[] = {null_.get(), buffer_.get(), file_.get(), pair_.out.get(), pipe_.out.get(), pipe_.in.get()};
        std::vector<unsigned char> bytes = RawSession::registering(below(5), random_());

        if (one_in(60)) {
            bytes[below(static_cast<uint32_t>(bytes.size()))] ^= static_cast<unsigned char>(1u << below(8));
        }
        return session.say(bytes, {fds[below(6)]}, MSG_DONTWAIT) == 0;
    }
    uint32_t handle()
    {
        if (one_in(10)) {
            return static_cast<uint32_t>(random_());
        }
        const uint32_t h = handles_[below(static_cast<uint32_t>(handles_.size()))];
        return one_in(20) ? h ^ (1u << below(32)) : h;
    }
    struct sfd_session_entry entry(RawSession &session)
    {
        const std::string &name = names_[below(static_cast<uint32_t>(names_.size()))];
        struct sfd_session_entry e = {};

        e.operation = static_cast<uint8_t>(below(SFD_SESSION_OPERATIONS));
        e.user_data = below(20);
        e.file = handle();
        e.destination = handle();
        e.length = one_in(3) ? below(5000) : SFD_SESSION_TO_END;
        e.offset = one_in(3) ? below(5000) : 0;
        e.flags = one_in(4) ? SFD_SESSION_LINK : 0;
        if (e.operation == SFD_SESSION_WITHDRAW || e.operation == SFD_SESSION_READ) {
            e.target = below(20);
        }
        if (session.sizes().arena > 0) {
            const uint32_t data = below(session.sizes().arena);
            if (e.operation == SFD_SESSION_OPEN || one_in(4)) {
                e.flags |= SFD_SESSION_PATH;
                e.path_length = static_cast<uint16_t>(name.size());
                e.data = data;
                if (data + name.size() <= session.sizes().arena) {
                    memcpy(session.arena() + data, name.data(), name.size());
                }
            }
            if (e.operation == SFD_SESSION_SEND && one_in(3)) {
                e.head_length = static_cast<uint16_t>(below(300));
            }
        }
        if (e.operation == SFD_SESSION_SEND && one_in(5)) {
            e.technique = static_cast<uint8_t>(below(8));
            e.options = static_cast<uint8_t>(random_());
            e.idle_ms = below(3);
            e.deadline_ms = below(100);
            e.target = below(2) * 100000;
        }
        if (one_in(4)) { /* any byte of it, or all */
            auto *bytes = reinterpret_cast<unsigned char *>(&e);
            for (uint32_t i = below(4); i < 4; i++) {
                bytes[below(sizeof e)] = static_cast<unsigned char>(random_());
            }
            e.reserved = one_in(5) ? e.reserved : 0;
        }
        return e;
    }
    uint64_t burst(RawSession &session)
    {
        const uint32_t room = session.sizes().submissions - (session.submitted - session.word(SFD_SESSION_TAKEN_AT));
        const uint32_t n = room > session.sizes().submissions ? 0 : below(room + 1);

        for (uint32_t i = 0; i < n; i++) {
            session.submit(entry(session));
        }
        session.publish();
        if (n > 0 && one_in(10)) { /* an entry that changes while it is looked at */
            reinterpret_cast<unsigned char *>(&session.entry(session.submitted - 1))[below(64)] ^= 1;
        }
        if (n == 0) {
            std::this_thread::yield();
        }
        return n;
    }
    // Reads completions, mostly, and makes room at the destinations.
    void look(RawSession &session)
    {
        char bytes[65536];
        const uint32_t completed = session.word(SFD_SESSION_COMPLETED_AT);

        if (one_in(10)) {
            return;
        }
        if (completed - session.reaped > session.sizes().completions) {
            return; /* counters() has been at it */
        }
        while (session.reaped != completed) {
            const struct sfd_session_completion c = session.completion(session.reaped++);
            if (c.handle != 0) {
                handles_.push_back(c.handle);
            }
        }
        session.word(SFD_SESSION_REAPED_AT) = session.reaped;
        session.word(SFD_SESSION_CLIENT_STATE_AT) = one_in(3) ? static_cast<uint32_t>(random_()) : 0;
        session.wake();
        while (!one_in(5) && read(pair_.in.get(), bytes, sizeof bytes) > 0) {
        }
        while (!one_in(5) && read(pipe_.in.get(), bytes, sizeof bytes) > 0) {
        }
    }
    void counters(RawSession &session)
    {
        static const size_t words[] = {SFD_SESSION_SUBMITTED_AT, SFD_SESSION_TAKEN_AT,  SFD_SESSION_STATE_AT,
                                       SFD_SESSION_COMPLETED_AT, SFD_SESSION_REAPED_AT, SFD_SESSION_CLIENT_STATE_AT};

        session.word(words[below(6)]) += one_in(2) ? below(5) : static_cast<uint32_t>(random_());
        session.wake();
    }

    const std::string directory_;
    std::mt19937_64 random_;
    std::vector<std::string> names_;
    std::vector<uint32_t> handles_;
    OwnedFd null_;
    OwnedFd buffer_;
    OwnedFd file_;
    SocketPair pair_;
    Pipe pipe_;
};

// R1
TEST_F(SessionHostileTest, ShouldBearHalfAMillionMutatedEntries)
{
    const uint64_t seed = environment("SENDFILED_HOSTILE_SEED", 1);
    const uint64_t most = environment("SENDFILED_HOSTILE_ENTRIES", 500000);
    const auto taken = [this] { // by the engine: of what was written, sessions that it ends leave a part behind
        return shared()->loops[0]->context.counters->at[SFD_COUNTER_REQUESTS] - witness_->served;
    };
    Attack attack(path(), seed);

    RecordProperty("seed", std::to_string(seed));
    for (const uint64_t before = taken(); taken() - before < most && !HasFailure();) {
        attack.run(40);
    }
}

// R2: the connection ends between any two steps, with cold and big sends under way.
TEST_F(SessionHostileTest, ShouldKeepNothingOfSessionsThatDie)
{
    const uint64_t sessions = environment("SENDFILED_HOSTILE_SESSIONS", 20000 / SLOWER);
    std::mt19937_64 random(environment("SENDFILED_HOSTILE_SEED", 1));
    const SocketPair pair;
    const OwnedFd big = openFile(path() + "/root/big", O_RDONLY);
    const OwnedFd buffer = sealedMemory(1 << 20);
    const auto before = std::chrono::steady_clock::now();

    for (uint64_t i = 0; i < sessions; i++) {
        RawSession session(path(), RawSizes{8, 16, 4096});
        const auto last = static_cast<unsigned>(random() % 9);
        ASSERT_LE(0, session.connection.get());
        if (last == 0) continue;
        if (!session.prepare()) continue;
        (void)session.say(RawSession::hello(session.sizes()), {session.memory_fd.get(), session.event.get()});
        if (last == 1) continue;
        ASSERT_EQ(RawSession::Answer::WELCOME, session.answer(20000)) << i;
        if (last == 2) continue;
        (void)session.say(RawSession::registering(SFD_SESSION_DESTINATION, 1), {pair.out.get()});
        if (last == 3) continue;
        (void)session.say(RawSession::registering(SFD_SESSION_BUFFER, 2), {buffer.get()});
        if (last == 4) continue;
        (void)session.say(RawSession::registering(SFD_SESSION_FILE, 3), {big.get()});
        if (last == 5) continue;
        uint32_t handles[3] = {};
        for (uint32_t &handle : handles) {
            struct sfd_session_completion c = {};
            ASSERT_TRUE(session.reap(&c)) << i;
            handle = c.handle;
        }
        if (random() % 8 == 0) {
            (void)posix_fadvise(big.get(), 0, 0, POSIX_FADV_DONTNEED); /* cold */
        }
        session.submit(sending(handles[2], handles[0], 1)); /* nobody reads it */
        memcpy(session.arena(), "big", 3);
        struct sfd_session_entry e = sending(0, handles[0], 2);
        e.flags = SFD_SESSION_PATH | (random() % 2 == 0 ? SFD_SESSION_LINK : 0);
        e.path_length = 3;
        session.submit(e);
        e = entryOf(SFD_SESSION_READ, 3);
        e.file = handles[2];
        e.destination = handles[1];
        e.length = SFD_SESSION_TO_END;
        session.submit(e);
        e = entryOf(SFD_SESSION_OPEN, 4);
        e.flags = SFD_SESSION_PATH;
        e.path_length = 3;
        session.submit(e);
        session.publish();
        if (last == 6) continue;
        if (last == 7) {
            std::this_thread::yield();
            continue;
        }
        e = entryOf(SFD_SESSION_WITHDRAW, 5);
        e.target = 1 + random() % 4;
        session.submit(e);
        session.publish();
    }
    const auto took = std::chrono::steady_clock::now() - before;
    RecordProperty("ms", static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(took).count()));
    if (sessions <= 20000) {
        EXPECT_LT(took, std::chrono::seconds(30));
    }
}

// The steps of a session in a process of its own, each told by a byte; it goes on until it is killed.
[[noreturn]] void live(const std::string &directory, int tell)
{
    const char step = 0;
    const SocketPair pair;

    for (;;) {
        RawSession session(directory, RawSizes{8, 16, 4096});
        (void)!write(tell, &step, 1);
        if (!session.open()) {
            _exit(1);
        }
        (void)!write(tell, &step, 1);
        (void)session.say(RawSession::registering(SFD_SESSION_DESTINATION, 1), {pair.out.get()});
        (void)!write(tell, &step, 1);
        memcpy(session.arena(), "big", 3);
        struct sfd_session_entry e = entryOf(SFD_SESSION_OPEN, 2);
        e.flags = SFD_SESSION_PATH;
        e.path_length = 3;
        session.submit(e);
        session.publish();
        (void)!write(tell, &step, 1);
        struct sfd_session_completion c = {};
        uint32_t handles[2] = {};
        for (uint32_t &handle : handles) {
            if (!session.reap(&c)) {
                _exit(1);
            }
            handle = c.handle;
        }
        for (uint64_t i = 0; i < 8; i++) {
            session.submit(sending(handles[1], handles[0], i)); /* nobody reads it */
        }
        session.publish();
        (void)!write(tell, &step, 1);
    }
}

// R2
TEST_F(SessionHostileTest, ShouldKeepNothingOfProcessesThatAreKilled)
{
    std::mt19937_64 random(environment("SENDFILED_HOSTILE_SEED", 1));

    for (uint64_t i = environment("SENDFILED_HOSTILE_PROCESSES", 300 / SLOWER); i > 0 && !HasFailure(); i--) {
        Pipe pipe;
        const pid_t child = fork();
        ASSERT_LE(0, child);
        if (child == 0) {
            live(path(), pipe.out.get());
        }
        pipe.out.reset();
        (void)readExactly(pipe.in.get(), random() % 12);
        ASSERT_EQ(0, kill(child, SIGKILL));
        int status = 0;
        ASSERT_EQ(child, waitpid(child, &status, 0));
        EXPECT_TRUE(WIFSIGNALED(status)) << "it has ended by itself: " << WEXITSTATUS(status);
    }
}

// A process that is stopped, with a full completion ring and more that waits, costs nobody anything.
TEST_F(SessionHostileTest, ShouldRestBesideAClientThatIsStopped)
{
    const pid_t child = fork();
    ASSERT_LE(0, child);
    if (child == 0) {
        RawSession session(path(), RawSizes{16, 16, 0});
        bool sound = session.open();
        for (uint64_t i = 0; i < 16; i++) {
            session.submit(entryOf(SFD_SESSION_NOTHING, i));
        }
        session.publish();
        while (sound && session.word(SFD_SESSION_TAKEN_AT) < 16) {
            std::this_thread::yield();
        }
        for (uint64_t i = 16; i < 32; i++) {
            session.submit(entryOf(SFD_SESSION_NOTHING, i));
        }
        session.publish();
        raise(SIGSTOP);
        for (uint64_t i = 0; i < 32 && sound; i++) {
            struct sfd_session_completion c = {};
            session.wake();
            sound = session.reap(&c) && c.error == 0 && c.user_data == i;
        }
        _exit(sound ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(child, waitpid(child, &status, WUNTRACED));
    ASSERT_TRUE(WIFSTOPPED(status));
    const uint64_t served = witness_->served;
    EXPECT_TRUE(await([&] { return witness_->served > served + 100; }));
    witness_->stop();
    RawSession session(path());
    ASSERT_TRUE(session.open());
    constexpr unsigned REQUESTS = 50;
    const unsigned before = shared()->loops[0]->beats;
    for (unsigned i = 0; i < REQUESTS; i++) {
        EXPECT_EQ(0u, session.one(entryOf(SFD_SESSION_NOTHING)).error);
    }
    EXPECT_LT(shared()->loops[0]->beats - before, REQUESTS * 8) << "it looks at the ring again and again";
    witness_ = std::make_unique<Witness>(path(), small_);
    ASSERT_EQ(0, kill(child, SIGCONT));
    ASSERT_EQ(child, waitpid(child, &status, 0));
    EXPECT_EQ(0, WIFEXITED(status) ? WEXITSTATUS(status) : -1) << "it is served as if nothing had been";
}

// The engine ends while sessions are in every state.
TEST_F(SessionHostileTest, ShouldEndWithSessionsInEveryState)
{
    std::vector<std::unique_ptr<RawSession>> sessions;
    const SocketPair pair;

    witness_.reset();
    for (int i = 0; i < 60; i++) {
        sessions.push_back(std::make_unique<RawSession>(path(), RawSizes{8, 16, 4096}));
        RawSession &session = *sessions.back();
        if (i % 4 == 0) continue;
        ASSERT_TRUE(session.prepare());
        (void)session.say(RawSession::hello(session.sizes()), {session.memory_fd.get(), session.event.get()});
        if (i % 4 == 1) continue;
        ASSERT_EQ(RawSession::Answer::WELCOME, session.answer(20000));
        const uint32_t to = session.add(SFD_SESSION_DESTINATION, pair.out.get());
        memcpy(session.arena(), "big", 3);
        struct sfd_session_entry e = sending(0, to, 2);
        e.flags = SFD_SESSION_PATH | (i % 2 == 0 ? SFD_SESSION_LINK : 0);
        e.path_length = 3;
        for (int k = 0; k < 8; k++) {
            session.submit(e);
        }
        session.publish();
    }
    daemon_.reset();
    sessions.clear();
    sfd_engine_destroy(engine_);
    engine_ = nullptr;
    restart();
}

} // namespace
