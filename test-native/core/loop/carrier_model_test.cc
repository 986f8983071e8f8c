// R3, R16: random requests, held calls and deaths of clients, against a model of what each client may see in the end.
//
// Real threads, sockets, pipes and files. SENDFILED_HELD_OPERATIONS says how many requests a run has.
#include "held_loops_fixture.h"

#include <list>

namespace
{

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int STANDARD = 300;
#else
constexpr int STANDARD = 1500;
#endif
constexpr int CLIENTS = 5;
constexpr size_t ACTIVE = 24;       // requests at once
constexpr unsigned HELD = 30;       // of a thousand calls
constexpr unsigned HELD_US = 15000; // at most
constexpr unsigned COLD = 60;       // of a thousand opens and reads

int operations()
{
    const char *wanted = std::getenv("SENDFILED_HELD_OPERATIONS");
    return wanted == nullptr ? STANDARD : std::atoi(wanted);
}

enum Kind { READ, READ_EXTENDED, SEND, SEND_EXTENDED, OPEN_AND_SEND, OPEN_AND_CANCEL, SEND_AND_CANCEL, KINDS };

/* One request, and what its client has got so far. */
struct Operation {
    Kind kind;
    int client;
    const std::string *content;
    bool deadline;
    size_t dies_at; // its client, when it has got that many bytes
    OwnedFd status;
    OwnedFd data;
    OwnedFd dest; // until it is sent
    uint64_t id = 0;
    std::string status_bytes;
    std::string data_bytes;
    bool status_over = false;
    bool data_over = true;
};

class CarrierModelTest : public HeldLoopsFixture, public testing::WithParamInterface<int>
{
  protected:
    unsigned pick(unsigned n)
    {
        return static_cast<unsigned>(random_() % n);
    }

    void makeDest(Operation &o)
    {
        const unsigned which = pick(3);
        if (which == 0) {
            Pipe pipe;
            o.data = std::move(pipe.in);
            o.dest = std::move(pipe.out);
        } else {
            SocketPair pair = which == 1 ? tcpPair() : SocketPair();
            o.data = std::move(pair.in);
            o.dest = std::move(pair.out);
        }
        if (pick(4) != 0) { // else sendfile does not fit
            setNonblocking(o.dest.get());
        }
        o.data_over = false;
    }
    void begin()
    {
        Operation o;
        o.kind = static_cast<Kind>(pick(KINDS));
        o.client = static_cast<int>(pick(CLIENTS)) + 1;
        const bool big = pick(2) == 0;
        o.dies_at = pick(10) == 0 ? pick(3) * pick(100 * 1000) : SIZE_MAX;
        o.content = big ? &big_ : &small_;
        struct sfd_options options = {};
        o.deadline = pick(2) == 0;
        options.deadline_ms = o.deadline ? pick(60) + 1 : 0;
        uint8_t command = SFD_WIRE_OPEN_FILE;
        if (o.kind == READ || o.kind == READ_EXTENDED) {
            command = SFD_WIRE_READ_FILE;
        } else if (o.kind == SEND || o.kind == SEND_EXTENDED) {
            command = SFD_WIRE_SEND_FILE;
        }
        if (command != SFD_WIRE_READ_FILE) {
            makeDest(o);
        }
        const bool extended = o.kind == READ_EXTENDED || o.kind == SEND_EXTENDED;
        o.deadline = o.deadline && extended;
        const std::string path = big ? "big" : "small";
        Pipe status;
        std::vector<int> fds = {status.out.get()};
        if (command == SFD_WIRE_SEND_FILE) {
            fds.push_back(o.dest.get());
        }
        submit(o.client, extended ? extended_(command | 0x10, path, options) : path_(command, path, SFD_TECHNIQUE_AUTO),
               fds);
        o.status = std::move(status.in);
        if (command == SFD_WIRE_SEND_FILE) {
            o.dest.reset();
        }
        active_.push_back(std::move(o));
    }
    /* An opened file: what follows is sent as soon as its id is known. */
    void follow(Operation &o)
    {
        const bool opens = o.kind == OPEN_AND_SEND || o.kind == OPEN_AND_CANCEL || o.kind == SEND_AND_CANCEL;
        if (!opens || o.id != 0 || o.status_bytes.size() < SFD_WIRE_FILE_INFO_SIZE) {
            return;
        }
        o.id = infoOf(o.status_bytes).id;
        if (o.kind != OPEN_AND_CANCEL) {
            sendOpen(o.client, o.id, o.dest.get());
        }
        o.dest.reset();
        if (o.kind != OPEN_AND_SEND) {
            cancel(o.client, o.id);
        }
    }
    static bool take(int fd, std::string *bytes)
    {
        char buffer[16 * 1024];
        if (!readable(fd)) {
            return false;
        }
        const ssize_t n = ::read(fd, buffer, sizeof(buffer));
        if (n > 0) {
            bytes->append(buffer, static_cast<size_t>(n));
        }
        return n <= 0;
    }
    /* One step of a client. True when it is over. */
    bool step(Operation &o)
    {
        o.status_over = o.status_over || take(o.status.get(), &o.status_bytes);
        o.data_over = o.data_over || take(o.data.get(), &o.data_bytes);
        if (o.status_bytes.size() + o.data_bytes.size() > o.dies_at) {
            return true;
        }
        follow(o);
        if (!o.status_over || !o.data_over) {
            return false;
        }
        check(o);
        return true;
    }

    /* The bytes of a Read File are in its status channel. */
    static void splitRead(Operation &o)
    {
        if (o.status_bytes.size() < SFD_WIRE_FILE_INFO_SIZE ||
            static_cast<uint8_t>(o.status_bytes[0]) != SFD_WIRE_FILE_INFO || o.status_bytes[1] != 0) {
            return;
        }
        o.data_bytes = o.status_bytes.substr(SFD_WIRE_FILE_INFO_SIZE, o.content->size());
        o.status_bytes.erase(SFD_WIRE_FILE_INFO_SIZE, o.content->size());
    }
    void check(Operation &o)
    {
        const bool reads = o.kind == READ || o.kind == READ_EXTENDED;
        const bool may_be_cancelled = o.kind == OPEN_AND_CANCEL || o.kind == SEND_AND_CANCEL;
        if (reads) {
            splitRead(o);
        }
        uint64_t told = 0;
        int terminals = 0;
        bool complete = false;
        uint64_t moved = o.data_bytes.size();
        for (const std::string &message : messages(o.status_bytes)) {
            unsigned long n = 0;
            int error = 0;
            EXPECT_EQ(0, terminals) << message << " behind the terminal message";
            if (std::sscanf(message.c_str(), "info %lu", &n) == 1) {
                EXPECT_EQ(o.content->size(), n);
            } else if (std::sscanf(message.c_str(), "progress %lu", &n) == 1) {
                told += n;
            } else if (message == "complete") {
                terminals++;
                complete = true;
            } else if (std::sscanf(message.c_str(), "result %d moved %lu", &error, &moved) == 2 ||
                       std::sscanf(message.c_str(), "refusal %d", &error) == 1) {
                terminals++;
                complete = error == 0;
                EXPECT_TRUE(error == 0 || (error == ETIMEDOUT && o.deadline)) << message;
            } else {
                ADD_FAILURE() << "kind " << o.kind << ": " << message;
            }
        }
        EXPECT_LE(told, o.content->size());
        EXPECT_BYTES(o.content->substr(0, o.data_bytes.size()), o.data_bytes);
        EXPECT_EQ(moved, o.data_bytes.size()) << "kind " << o.kind;
        if (o.kind == READ) {
            complete = true; // it has no terminal message
            terminals++;
        }
        if (complete) {
            EXPECT_EQ(o.content->size(), o.data_bytes.size()) << "kind " << o.kind;
            completed_++;
        }
        /* A Read File that fails behind its header ends without one. */
        EXPECT_TRUE(terminals == 1 || may_be_cancelled || (o.kind == READ_EXTENDED && o.deadline))
            << "kind " << o.kind << " has " << terminals;
    }

    std::minstd_rand random_;
    std::list<Operation> active_;
    int completed_ = 0;
};

TEST_P(CarrierModelTest, ShouldEndEachRequestOnceAndWithTheRightBytes)
{
    const auto seed = static_cast<unsigned>(GetParam());
    random_.seed(seed);
    shared_->settings.selector = GetParam() % 2 == 0;
    start(seed % 3 == 0 ? 2 : 1);
    warmUp();
    answers.cold_per_mille = COLD;
    gate.holdAtRandom(seed, HELD, HELD_US);
    int begun = 0;
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (begun < operations() || !active_.empty()) {
        ASSERT_LT(std::chrono::steady_clock::now(), deadline) << active_.size() << " do not end";
        if (begun < operations() && active_.size() < ACTIVE) {
            begin();
            begun++;
        }
        for (auto o = active_.begin(); o != active_.end();) {
            o = step(*o) ? active_.erase(o) : std::next(o);
        }
    }
    gate.release();
    answers.cold_per_mille = 0;
    EXPECT_TRUE(awaitTransfers(0));
    EXPECT_TRUE(await([this] { return shared_->carriers.held.load() == 0; }));
    EXPECT_GT(completed_, operations() / 4) << "most requests are not disturbed that much";
    expectService();
    for (int client = 1; client <= CLIENTS; client++) {
        struct sfd_client_account *account = sfd_client_accounts_get(&shared_->accounts, PID + client, getuid());
        EXPECT_TRUE(await([&] { return account->held == 0 && account->transfers == 0 && account->descriptors == 0; }));
        EXPECT_EQ(0u, account->disk_tasks.load());
        EXPECT_EQ(0u, account->held_requests.load());
        sfd_client_account_put(account);
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, CarrierModelTest, testing::Range(1, 5));

} // namespace
