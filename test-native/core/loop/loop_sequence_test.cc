// R11: random sequences of commands against a model that says, after each of them, what every client sees.
//
// Real sockets, pipes and files; the clock alone is the test's. SENDFILED_SEQUENCES says how many sequences, all builds
// without a sanitizer run 100,000.
#include "loop_fixture.h"

#include <cinttypes>
#include <set>

namespace
{

constexpr uint64_t TIMEOUT_MS = 1000;
constexpr int32_t PIDS[] = {1001, 1002};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int STANDARD = 8000;
#else
constexpr int STANDARD = 100000;
#endif
constexpr int SHARDS = 4;

int sequences()
{
    const char *wanted = std::getenv("SENDFILED_SEQUENCES");
    return wanted == nullptr ? STANDARD : std::atoi(wanted);
}

enum State {
    PARKED,
    MOVING, // to a destination that is full
    GONE,
};

// What the model knows of an opened file.
struct Opened {
    uint64_t id;
    int32_t pid;
    State state;
    uint64_t since_ms;
    std::string content; // of its range
    OwnedFd status;
    OwnedFd dest; // of a MOVING one, the client's end
    size_t received;
};

class SequenceTest : public LoopFixture, public testing::WithParamInterface<int>
{
  protected:
    void SetUp() override
    {
        LoopFixture::SetUp();
        destroyLoops();
        shared_->settings.open_timeout_ms = TIMEOUT_MS;
        shared_->settings.loops = GetParam() == 0 ? 2 : 1; // commands find the loop that has the file
        script.now_ms = 1000000;
        createLoops();
        small_ = pattern(300);
        big_ = pattern(200000, 2);
        writeFile(*directory_ / "small", small_);
        writeFile(*directory_ / "big", big_);
        writeFile(*directory_ / "empty", "");
        read("small"); // its device becomes known, and nobody waits for it
        settle();
        ASSERT_EQ(0u, transfers());
    }

    unsigned pick(unsigned n)
    {
        return static_cast<unsigned>(random_() % n);
    }

    /* One command has been sent: it is received, obeyed, handed to another loop and obeyed there. */
    void serve(int32_t pid)
    {
        const int before = received_;
        pid_ = pid;
        for (int i = 0; i < 3 || received_ == before; i++) {
            ASSERT_LT(i, 100) << "it is not received";
            turnAll();
        }
    }
    void turnAll()
    {
        for (uint32_t l = 0; l < shared_->settings.loops; l++) {
            turn(l);
        }
    }

    /* ---- what a client sees */

    static std::string messagesOf(const OwnedFd &status)
    {
        std::string all;
        for (const std::string &message : messages(drain(status.get()))) {
            if (message.rfind("progress", 0) != 0) {
                all += message + ";";
            }
        }
        return all;
    }
    /* Its last words, then the end. */
    void ends(Opened &opened, const std::string &words)
    {
        ASSERT_EQ(words, messagesOf(opened.status));
        ASSERT_TRUE(atEnd(opened.status.get()));
        opened.state = GONE;
        opened.status.reset();
    }
    void refused(const OwnedFd &status, int errnum)
    {
        ASSERT_EQ(error(SFD_WIRE_FILE_INFO, errnum) + ";", messagesOf(status));
        ASSERT_TRUE(atEnd(status.get()));
    }
    /* Whatever has come of a MOVING one is the next of its bytes. */
    void takeBytes(Opened &opened)
    {
        const std::string bytes = drain(opened.dest.get());
        ASSERT_LE(opened.received + bytes.size(), opened.content.size());
        ASSERT_EQ(0, opened.content.compare(opened.received, bytes.size(), bytes));
        opened.received += bytes.size();
    }
    void stopsInMidMove(Opened &opened)
    {
        takeBytes(opened);
        ASSERT_TRUE(atEnd(opened.dest.get()));
        ASSERT_LT(opened.received, opened.content.size());
        opened.dest.reset();
    }

    /* ---- commands */

    void open()
    {
        const unsigned which = pick(8);
        const char *path = which == 0 ? "missing" : which == 1 ? "empty" : which < 4 ? "big" : "small";
        const std::string &content = which == 1 ? empty_ : which < 4 ? big_ : small_;
        const uint64_t size = content.size();
        const auto offset = static_cast<int64_t>(pick(3) == 0 ? pick(310) : 0);
        const uint64_t length = pick(4) == 0 ? pick(310) : pick(60) == 0 ? UINT64_MAX : 0;
        const int32_t pid = PIDS[pick(2)];
        Pipe status;

        if (pick(3) == 0) {
            receiveElsewhere();
        }
        submit(pathRequest(SFD_WIRE_OPEN_FILE, path, offset, length), {status.out.get()});
        status.out.reset();
        serve(pid);
        const auto from = static_cast<uint64_t>(offset);
        if (length == UINT64_MAX) {
            refused(status.in, ERANGE); // D5
        } else if (which == 0) {
            refused(status.in, ENOENT);
        } else if (from > size || length > size - from) {
            refused(status.in, ERANGE); // D6: at the end is no error
        } else {
            const std::string range = content.substr(from, length == 0 ? size : length);
            const std::string bytes = drain(status.in.get());
            ASSERT_EQ(static_cast<size_t>(SFD_WIRE_FILE_INFO_SIZE), bytes.size());
            const struct sfd_wire_file_info info = infoOf(bytes);
            ASSERT_EQ(range.size(), info.size);
            ASSERT_NE(0u, info.id);
            ASSERT_NE(UINT64_MAX, info.id);
            ASSERT_TRUE(ids_.insert(info.id).second) << "an id twice";
            files_.push_back({info.id, pid, PARKED, script.now_ms, range, std::move(status.in), OwnedFd(), 0});
        }
    }

    /* The id of a file and who says it; either may be wrong. True when both are right. */
    bool choose(Opened *&opened, uint64_t *id, int32_t *pid)
    {
        opened = files_.empty() ? nullptr : &files_[pick(static_cast<unsigned>(files_.size()))];
        *id = opened == nullptr ? random_() : opened->id;
        *pid = opened == nullptr ? PIDS[0] : opened->pid;
        bool right = opened != nullptr;
        if (pick(5) == 0) {
            *pid = *pid == PIDS[0] ? PIDS[1] : PIDS[0];
            right = false;
        }
        if (pick(5) == 0) {
            *id ^= uint64_t{1} << pick(64); // D24: near is not equal
            right = false;
        }
        return right;
    }

    void sendOpenFile()
    {
        Opened *opened = nullptr;
        uint64_t id = 0;
        int32_t pid = 0;
        const bool right = choose(opened, &id, &pid) && opened->state == PARKED;
        Pipe dest;

        sendOpen(id, dest.out.get());
        dest.out.reset();
        serve(pid);
        if (!right) { // D13, too: one that is moving or gone
            ASSERT_TRUE(atEnd(dest.in.get())) << "closed, and not a byte";
            return;
        }
        opened->received = 0;
        opened->dest = std::move(dest.in);
        if (opened->content.size() <= 65536) {
            takeBytes(*opened);
            ASSERT_EQ(opened->content.size(), opened->received);
            ASSERT_TRUE(atEnd(opened->dest.get()));
            opened->dest.reset();
            ends(*opened, "complete;");
        } else {
            opened->state = MOVING;
        }
    }

    void cancelFile()
    {
        Opened *opened = nullptr;
        uint64_t id = 0;
        int32_t pid = 0;
        const bool right = choose(opened, &id, &pid) && opened->state != GONE;

        cancel(id);
        if (pick(4) == 0) { // D16: twice in one turn
            cancel(id);
        }
        serve(pid);
        if (!right) {
            return;
        }
        if (opened->state == MOVING) {
            stopsInMidMove(*opened);
        }
        ends(*opened, "");
    }

    /* A Cancel or Send Open File that is cut or has a descriptor too many or too few does nothing: D7, D25. */
    void sendMalformed()
    {
        Opened *opened = nullptr;
        uint64_t id = 0;
        int32_t pid = 0;
        Pipe pipe;
        const uint8_t command = pick(2) == 0 ? SFD_WIRE_CANCEL : SFD_WIRE_SEND_OPEN_FILE;

        choose(opened, &id, &pid);
        const std::string request = idRequest(command, id);
        switch (pick(3)) {
        case 0:
            submit(request.substr(0, pick(16)), {});
            break;
        case 1:
            submit(request.substr(0, pick(16)), {pipe.out.get()});
            break;
        default:
            submit(request, command == SFD_WIRE_CANCEL ? std::vector<int>{pipe.out.get()}
                                                       : std::vector<int>{pipe.out.get(), pipe.out.get()});
        }
        pipe.out.reset();
        serve(pid);
        const std::string said = messagesOf(pipe.in);
        ASSERT_TRUE(said.empty() || said == error(SFD_WIRE_FILE_INFO, EBADMSG) + ";") << said;
    }

    void readOn()
    {
        for (Opened &opened : files_) {
            while (opened.state == MOVING) {
                const size_t before = opened.received;
                takeBytes(opened);
                turnAll();
                if (opened.received == opened.content.size()) {
                    ASSERT_TRUE(atEnd(opened.dest.get()));
                    opened.dest.reset();
                    ends(opened, "complete;");
                } else {
                    ASSERT_TRUE(opened.received > before || readable(opened.dest.get()));
                }
                if (HasFatalFailure()) {
                    return;
                }
            }
        }
    }

    void goAway()
    {
        if (files_.empty()) {
            return;
        }
        Opened &opened = files_[pick(static_cast<unsigned>(files_.size()))];
        if (opened.state == GONE) {
            return;
        }
        opened.status.reset();
        for (int i = 0; i < 3; i++) {
            turnAll();
        }
        if (opened.state == MOVING) {
            stopsInMidMove(opened);
        }
        opened.state = GONE;
    }

    void letTimePass()
    {
        const uint64_t end = script.now_ms + (pick(2) == 0 ? pick(600) : pick(60));
        while (script.now_ms < end) { // not in one jump: to a loop that would look as if it had been stopped
            script.now_ms += std::min<uint64_t>(end - script.now_ms, SFD_LOOP_LATE_MS);
            for (int i = 0; i < 2; i++) {
                turnAll();
            }
        }
        for (Opened &opened : files_) {
            if (opened.state == PARKED && opened.since_ms + TIMEOUT_MS <= script.now_ms) {
                ends(opened, error(SFD_WIRE_XFER_STAT, ETIMEDOUT) + ";");
            }
        }
    }

    /* What no command was about is as it was. */
    void check()
    {
        uint32_t alive = 0;
        for (const Opened &opened : files_) {
            if (opened.state == PARKED) {
                ASSERT_FALSE(readable(opened.status.get())) << "nobody has asked for that";
            }
            alive += opened.state == GONE ? 0 : 1;
        }
        ASSERT_EQ(alive, transfers());
    }

    void sequence()
    {
        for (unsigned commands = 2 + pick(9); commands > 0; commands--) {
            const unsigned what = pick(16);
            done_ += static_cast<char>('a' + what);
            if (what < 5) {
                open();
            } else if (what < 9) {
                sendOpenFile();
            } else if (what < 11) {
                cancelFile();
            } else if (what < 12) {
                sendMalformed();
            } else if (what < 13) {
                readOn();
            } else if (what < 14) {
                goAway();
            } else {
                letTimePass();
            }
            commands_++;
            check();
            if (HasFatalFailure()) {
                return;
            }
        }
        files_.clear(); // every client goes
        for (int i = 0; i < 10 && transfers() > 0; i++) {
            turnAll();
        }
        ASSERT_EQ(0u, transfers());
    }

    std::mt19937_64 random_;
    std::string small_;
    std::string big_;
    const std::string empty_;
    std::vector<Opened> files_;
    std::set<uint64_t> ids_;
    std::string done_; // by the sequence, a letter a command
    uint64_t commands_ = 0;
};

TEST_P(SequenceTest, ShouldDoWhatTheModelSaysInEveryState) // R11: D5 D13 D16 D24 D25
{
    const int count = sequences() / SHARDS;
    for (int i = 0; i < count; i++) {
        const uint64_t seed = static_cast<uint64_t>(GetParam()) << 32 | static_cast<unsigned>(i);
        random_.seed(seed);
        done_.clear();
        files_.clear();
        ids_.clear();
        sequence();
        ASSERT_FALSE(HasFatalFailure()) << "sequence " << seed << ": " << done_;
    }
    RecordProperty("commands", std::to_string(commands_));
    EXPECT_GT(commands_, static_cast<uint64_t>(count) * 5);
}

INSTANTIATE_TEST_SUITE_P(Shards, SequenceTest, testing::Range(0, SHARDS));

} // namespace
