// R29: random sequences of what a client may do, against a model of what must be completed with what.
//
// SENDFILED_MODEL_SEED and SENDFILED_MODEL_ACTIONS in the environment repeat a run, or make it longer.
#include "core.h"

#include <map>
#include <random>
#include <set>

#include <poll.h>
#include <sys/mman.h>

#include <sendfiled/sendfiled.h>

#include "await.h"
#include "small_daemon.h"

namespace
{

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t STANDARD = 2000;
#else
constexpr uint64_t STANDARD = 40000;
#endif
constexpr int PATIENCE_MS = 20000;
constexpr size_t BUFFER = 1 << 20;

uint64_t environment(const char *name, uint64_t otherwise)
{
    const char *value = getenv(name);

    return value == nullptr ? otherwise : strtoull(value, nullptr, 0);
}

/* What a handle stands for, as the model has it. */
struct Thing {
    enum sfd_session_kind kind;
    const std::string *content; // of a file
    size_t sink;                // of a destination
};

/* Of a request or a registration: what its completion must be. */
struct Expected {
    explicit Expected(uint32_t of = SFD_SESSION_NOTHING) : operation(static_cast<uint8_t>(of)) {}

    uint8_t operation;
    std::set<uint32_t> errors = {0}; // that it may have
    uint64_t moved = 0;              // if it has none
    Thing thing = {SFD_SESSION_FREE, nullptr, 0};
    std::string bytes; // that arrive, in a sink
    uint64_t place = 0;
    uint64_t before = 0; // user data of the request that it is linked to; 0: none
};

class SessionModelTest : public DescriptorCountingTest
{
  protected:
    void SetUp() override
    {
        DescriptorCountingTest::SetUp();
        const struct sfd_endpoint_access access = {0600, 0};
        ASSERT_EQ(0, mkdir((path() + "/root").c_str(), 0700));
        for (const auto &[name, content] : files_) {
            writeFile(path() + "/root/" + name, content);
        }
        settings_ = settingsOf(2);
        settings_.open_files = 2;
        ASSERT_EQ(0, sfd_engine_create(&engine_, &settings_, path().c_str(), "test", (path() + "/root").c_str(),
                                       &access, nullptr, -1));
        daemon_ = std::make_unique<SmallDaemon>(engine_, settings_.loops);
        const struct sfd_session_options options = {64, 128, 16384, {}};
        ASSERT_EQ(0, sfd_session_open(path().c_str(), "test", &options, &session_));
        memory_.reset(memfd_create("session_model_test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
        ASSERT_EQ(0, ftruncate(memory_.get(), BUFFER));
        ASSERT_EQ(0, fcntl(memory_.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
        mapped_ = static_cast<char *>(mmap(nullptr, BUFFER, PROT_READ | PROT_WRITE, MAP_SHARED, memory_.get(), 0));
        ASSERT_NE(MAP_FAILED, static_cast<void *>(mapped_));
        file_ = openFile(path() + "/root/big", O_RDONLY);
    }
    void TearDown() override
    {
        munmap(mapped_, BUFFER);
        memory_.reset();
        file_.reset();
        sfd_session_close(session_);
        EXPECT_TRUE(await([this] { return sfd_engine_transfers(engine_) == 0; }));
        daemon_.reset();
        sfd_engine_destroy(engine_);
        sinks_.clear();
        DescriptorCountingTest::TearDown();
    }
    const std::string &path()
    {
        return directory_.path();
    }
    uint64_t below(uint64_t n)
    {
        return random_() % n;
    }
    // A handle of that kind; or, now and then, one that is none.
    uint32_t handle(enum sfd_session_kind kind, const Thing **thing)
    {
        std::vector<uint32_t> fit;
        *thing = nullptr;
        for (const auto &[number, has] : things_) {
            if (has.kind == kind) {
                fit.push_back(number);
            }
        }
        if (fit.empty() || below(20) == 0) {
            return below(2) == 0 || released_.empty() ? 0 : released_[below(released_.size())];
        }
        const uint32_t number = fit[below(fit.size())];
        *thing = &things_.at(number);
        return number;
    }
    void registers()
    {
        Expected e(SFD_SESSION_REGISTERED);
        int fd = -1;
        switch (below(3)) {
        case 0:
            sinks_.emplace_back(std::make_unique<SocketPair>());
            fd = sinks_.back()->out.get();
            e.thing = {SFD_SESSION_DESTINATION, nullptr, sinks_.size() - 1};
            break;
        case 1:
            fd = file_.get();
            e.thing = {SFD_SESSION_FILE, &files_.at("big"), 0};
            break;
        default:
            fd = memory_.get();
            e.thing = {SFD_SESSION_BUFFER, nullptr, 0};
        }
        ASSERT_EQ(0, sfd_session_register(session_, e.thing.kind, fd, ++last_));
        expected_[last_] = e;
    }
    // The file of a request, and its range.
    void choose_file(struct sfd_session_request *request, Expected *e, bool by_path)
    {
        const std::string *content = nullptr;
        if (by_path) {
            const auto file = std::next(files_.begin(), static_cast<long>(below(files_.size())));
            const bool missing = below(12) == 0;
            request->path = missing ? "missing" : file->first.c_str();
            content = missing ? nullptr : &file->second;
            if (missing) {
                e->errors = {ENOENT};
            }
        } else {
            const Thing *thing = nullptr;
            request->file = handle(SFD_SESSION_FILE, &thing);
            content = thing == nullptr ? nullptr : thing->content;
            if (thing == nullptr) {
                e->errors = {EBADF};
            }
        }
        if (content == nullptr || request->operation == SFD_SESSION_OPEN) {
            e->thing.content = content;
            return;
        }
        const uint64_t offset = below(content->size() + 2);
        const uint64_t length = below(2) == 0 ? SFD_SESSION_TO_END : below(content->size() + 1);
        request->offset = static_cast<off_t>(offset);
        request->length = length;
        if (offset > content->size() || (length != SFD_SESSION_TO_END && offset + length > content->size())) {
            e->errors = {ERANGE};
        } else {
            e->bytes = content->substr(offset, length == SFD_SESSION_TO_END ? std::string::npos : length);
            e->moved = e->bytes.size();
        }
    }
    // One request, and what its completion is to be.
    Expected make(struct sfd_session_request *request)
    {
        static const uint32_t operations[] = {SFD_SESSION_NOTHING, SFD_SESSION_OPEN, SFD_SESSION_SEND,
                                              SFD_SESSION_SEND,    SFD_SESSION_READ, SFD_SESSION_LOAD,
                                              SFD_SESSION_WITHDRAW};
        const Thing *thing = nullptr;
        *request = {};
        request->operation = operations[below(std::size(operations))];
        Expected e(request->operation);
        switch (request->operation) {
        case SFD_SESSION_OPEN:
            choose_file(request, &e, true);
            e.thing.kind = SFD_SESSION_FILE;
            break;
        case SFD_SESSION_LOAD:
            choose_file(request, &e, below(2) == 0);
            e.moved = 0;
            break;
        case SFD_SESSION_WITHDRAW:
            request->target = UINT64_MAX; // nobody's
            e.errors = {ENOENT};
            break;
        case SFD_SESSION_SEND:
            request->destination = handle(SFD_SESSION_DESTINATION, &thing);
            choose_file(request, &e, below(2) == 0);
            if (below(2) == 0) {
                request->head = HEAD.data();
                request->head_length = HEAD.size();
                e.bytes.insert(0, HEAD);
                e.moved += HEAD.size();
            }
            break;
        case SFD_SESSION_READ:
            request->destination = handle(SFD_SESSION_BUFFER, &thing);
            choose_file(request, &e, below(2) == 0);
            request->target = place_;
            e.place = place_;
            if (e.errors.count(0) > 0 && place_ + e.bytes.size() > BUFFER) {
                e.errors = {ERANGE};
            }
            break;
        default:
            break;
        }
        if (request->operation == SFD_SESSION_SEND || request->operation == SFD_SESSION_READ) {
            if (thing == nullptr && e.errors.count(0) > 0) {
                e.errors = {EBADF};
            } else if (thing == nullptr) {
                e.errors.insert(EBADF);
            } else {
                e.thing = *thing;
            }
        }
        if (e.errors.count(0) > 0 && request->operation == SFD_SESSION_READ) {
            place_ = (place_ + e.bytes.size()) % BUFFER;
        }
        return e;
    }
    // Some requests, perhaps linked; all are complete before the next ones begin, so that the order of bytes is known.
    void requests()
    {
        std::vector<struct sfd_session_request> batch(1 + below(6));
        const bool linked = batch.size() > 1 && below(2) == 0;
        std::vector<uint64_t> chain;
        std::set<size_t> sinks;
        place_ = 0;
        for (struct sfd_session_request &request : batch) {
            Expected e = make(&request);
            while (!linked && e.operation == SFD_SESSION_SEND && e.thing.kind == SFD_SESSION_DESTINATION &&
                   !sinks.insert(e.thing.sink).second) {
                e = make(&request); // two at a time could mix their bytes
            }
            request.user_data = ++last_;
            request.flags = linked && &request != &batch.back() ? SFD_SESSION_LINK : 0;
            e.before = linked && !chain.empty() ? chain.back() : 0;
            chain.push_back(last_);
            expected_[last_] = e;
        }
        Expected &first = expected_[chain.front()];
        if (!linked && batch.size() > 1 && first.operation != SFD_SESSION_SEND && below(2) == 0) {
            batch.back() = {};
            batch.back().operation = SFD_SESSION_WITHDRAW;
            batch.back().user_data = last_;
            batch.back().target = chain.front();
            expected_[last_] = Expected(SFD_SESSION_WITHDRAW);
            expected_[last_].errors = {0, ENOENT}; // it is complete
            first.errors.insert(ECANCELED);
        }
        ASSERT_EQ(static_cast<int>(batch.size()), sfd_session_submit(session_, batch.data(), batch.size()));
    }
    void releases()
    {
        if (things_.size() < 8) {
            return;
        }
        const auto which = std::next(things_.begin(), static_cast<long>(below(things_.size())));
        struct sfd_session_request request = {};
        request.operation = SFD_SESSION_RELEASE;
        request.file = which->first;
        request.user_data = ++last_;
        expected_[last_] = Expected(SFD_SESSION_RELEASE);
        ASSERT_EQ(1, sfd_session_submit(session_, &request, 1));
        released_.push_back(which->first);
        things_.erase(which);
    }
    // A completion is what the model expects, after those that it is linked to.
    void check(const struct sfd_session_completion &c)
    {
        ASSERT_EQ(1u, expected_.count(c.user_data)) << "a second completion, or of nothing: " << c.user_data;
        const Expected e = std::move(expected_[c.user_data]);
        expected_.erase(c.user_data);
        const std::string what =
            "operation " + std::to_string(e.operation) + ", user data " + std::to_string(c.user_data);
        EXPECT_EQ(e.operation, c.operation) << what;
        bool cancelled = false;
        if (e.before != 0) {
            ASSERT_EQ(1u, errors_.count(e.before)) << what << ": before what it is linked to";
            cancelled = errors_[e.before] != 0;
        }
        errors_[c.user_data] = c.error;
        if (cancelled) {
            EXPECT_EQ(static_cast<uint32_t>(ECANCELED), c.error) << what;
            EXPECT_EQ(0u, c.moved) << what;
            return;
        }
        ASSERT_EQ(1u, e.errors.count(c.error)) << what << ": " << strerror(static_cast<int>(c.error));
        if (c.error != 0) {
            EXPECT_GE(c.error == ECANCELED ? e.moved : 0, c.moved) << what;
            EXPECT_EQ(0u, c.handle) << what;
            return;
        }
        EXPECT_EQ(e.moved, c.moved) << what;
        if (e.operation == SFD_SESSION_SEND) {
            EXPECT_BYTES(e.bytes, readExactly(sinks_[e.thing.sink]->in.get(), e.bytes.size()));
        } else if (e.operation == SFD_SESSION_READ) {
            EXPECT_EQ(0, memcmp(e.bytes.data(), mapped_ + e.place, e.bytes.size())) << what;
        } else if (e.operation == SFD_SESSION_OPEN || e.operation == SFD_SESSION_REGISTERED) {
            ASSERT_NE(0u, c.handle) << what;
            ASSERT_EQ(0u, things_.count(c.handle)) << what << ": a handle that is in use";
            things_[c.handle] = e.thing;
            if (e.operation == SFD_SESSION_OPEN) {
                EXPECT_EQ(e.thing.content->size(), c.size) << what;
            }
        }
    }
    void reapAll()
    {
        struct sfd_session_completion some[16];
        while (!expected_.empty() && !HasFatalFailure()) {
            const int n = sfd_session_reap(session_, some, 1 + below(16));
            ASSERT_LE(0, n) << "the session has ended";
            for (int i = 0; i < n && !HasFatalFailure(); i++) {
                check(some[i]);
            }
            struct pollfd waits = {sfd_session_fd(session_), POLLIN, 0};
            if (n == 0) {
                ASSERT_EQ(1, poll(&waits, 1, PATIENCE_MS)) << expected_.size() << " completions do not come";
            }
        }
        errors_.clear();
        EXPECT_EQ(0u, sfd_session_in_flight(session_));
    }

    const std::string HEAD = std::string(50, 'h');
    const std::map<std::string, std::string> files_ = {
        {"empty", ""}, {"small", pattern(4096)}, {"middle", pattern(20000)}, {"big", pattern(70000)}};
    TemporaryDirectory directory_;
    struct sfd_settings settings_ = {};
    struct sfd_engine *engine_ = nullptr;
    std::unique_ptr<SmallDaemon> daemon_;
    struct sfd_session *session_ = nullptr;
    OwnedFd memory_;
    OwnedFd file_;
    char *mapped_ = nullptr;
    std::mt19937_64 random_;
    std::vector<std::unique_ptr<SocketPair>> sinks_;
    std::map<uint32_t, Thing> things_; // by their handles
    std::vector<uint32_t> released_;   // handles
    std::map<uint64_t, Expected> expected_;
    std::map<uint64_t, uint32_t> errors_; // of what is complete, since nothing was in flight
    uint64_t last_ = 0;
    uint64_t place_ = 0; // in the buffer
};

TEST_F(SessionModelTest, ShouldCompleteAsTheModelSays)
{
    const uint64_t seed = environment("SENDFILED_MODEL_SEED", 1);
    const uint64_t actions = environment("SENDFILED_MODEL_ACTIONS", STANDARD);

    random_.seed(seed);
    RecordProperty("seed", std::to_string(seed));
    for (uint64_t i = 0; i < actions && !HasFailure(); i++) {
        if (below(10) == 0 && things_.size() < 40) {
            registers();
        } else if (below(10) == 0) {
            releases();
        }
        requests();
        if (!HasFatalFailure()) {
            reapAll();
        }
    }
    EXPECT_FALSE(HasFailure()) << "SENDFILED_MODEL_SEED=" << seed;
}

} // namespace
