// Tests of native/client/events.c, through libsendfiled.so: every sequence of messages that a status channel carries,
// cut in every way, fed or read; and all that it never carries.
#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <functional>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sendfiled/sendfiled.h>

extern "C" {
#include "protocol/wire.h"
}

#include "descriptors.h"

namespace
{

/* ------------------------------------------------------------------ messages */

template <typename Put> std::string message(Put put)
{
    char bytes[SFD_WIRE_MAX_RESPONSE_SIZE];
    return {bytes, put(bytes)};
}

std::string info(uint64_t size)
{
    return message([size](char *bytes) {
        const struct sfd_wire_file_info file = {size, 1, 2, 3, 77};
        return sfd_wire_put_file_info(bytes, &file);
    });
}

std::string details(uint64_t size, uint16_t mode = S_IFREG | 0640)
{
    return message([=](char *bytes) {
        const struct sfd_wire_file_details file = {size, 11, 12, 13, 14, 15, mode};
        return sfd_wire_put_file_details(bytes, &file);
    });
}

std::string progress(uint64_t moved)
{
    return message([moved](char *bytes) { return sfd_wire_put_xfer_stat(bytes, moved); });
}

std::string complete()
{
    return message([](char *bytes) { return sfd_wire_put_complete(bytes); });
}

std::string error(uint8_t cmd, int number)
{
    return message([=](char *bytes) { return sfd_wire_put_error(bytes, cmd, number); });
}

std::string refusal(int number, uint32_t fits)
{
    return message([=](char *bytes) { return sfd_wire_put_refusal(bytes, number, fits); });
}

std::string result(int number, uint64_t moved, uint8_t fits = 0)
{
    return message([=](char *bytes) {
        const struct sfd_wire_result told = {moved, 12345, 6, SFD_TECHNIQUE_SPLICE, fits};
        return sfd_wire_put_result(bytes, number, &told);
    });
}

/* ------------------------------------------------------------------ events */

// What an event says, in words: "accepted 10", "progress 3 of 10", "data hello", "complete 10", "failed 5 at 3".
std::string describe(const sfd_event &event)
{
    const std::string moved = std::to_string(event.moved);

    switch (event.type) {
    case SFD_EVENT_NONE:
        return "none";
    case SFD_EVENT_ACCEPTED:
        return "accepted " + std::to_string(event.info.size);
    case SFD_EVENT_PROGRESS:
        return "progress " + moved + " of " + std::to_string(event.info.size);
    case SFD_EVENT_DATA:
        return "data " + std::string(static_cast<const char *>(event.data), event.size);
    case SFD_EVENT_COMPLETE:
        return "complete " + moved + (event.result.cmd == SFD_RESULT ? " with result" : "") +
               (event.error != 0 || event.refused ? " but an error" : "");
    case SFD_EVENT_FAILED:
        return "failed " + std::to_string(event.error) + " at " + moved + (event.refused ? " refused" : "") +
               (event.fits != 0 ? " fits " + std::to_string(event.fits) : "") +
               (event.result.cmd == SFD_RESULT ? " with result" : "");
    }
    return "?";
}

using Events = std::vector<std::string>;

// Takes note of events; data that comes in pieces is one event.
class Listener
{
  public:
    void take(const sfd_event &event)
    {
        const std::string text = describe(event);

        EXPECT_FALSE(over_) << text << " after the last event";
        EXPECT_GE(event.moved, moved_) << text;
        moved_ = event.moved;
        if (event.info.cmd != 0) {
            EXPECT_LE(event.moved, event.info.size);
        }
        over_ = event.type == SFD_EVENT_COMPLETE || event.type == SFD_EVENT_FAILED;
        if (event.type == SFD_EVENT_DATA) {
            EXPECT_GT(event.size, 0u);
            takeData(text.substr(5));
        } else {
            events_.push_back(text);
        }
    }
    void takeData(const std::string &bytes)
    {
        if (!events_.empty() && events_.back().rfind("data ", 0) == 0) {
            events_.back() += bytes;
        } else {
            events_.push_back("data " + bytes);
        }
    }
    const Events &events() const
    {
        return events_;
    }
    bool over() const
    {
        return over_;
    }

  private:
    Events events_;
    uint64_t moved_ = 0;
    bool over_ = false;
};

// Feeds a piece to its end, as the header's example does.
void feed(sfd_events *events, const std::string &piece, Listener *listener)
{
    // A copy of exactly this size: a sanitizer sees a byte too much.
    std::vector<char> exact(piece.begin(), piece.end());
    const char *at = exact.data();
    const char *const end = at + exact.size();
    sfd_event event;

    for (int calls = 0; at < end; calls++) {
        ASSERT_LT(calls, 100000) << "it does not get on";
        const size_t taken = sfd_events_feed(events, at, static_cast<size_t>(end - at), &event);
        ASSERT_LE(taken, static_cast<size_t>(end - at));
        if (event.type == SFD_EVENT_NONE) {
            EXPECT_EQ(static_cast<size_t>(end - at), taken) << "it may stop at an event only";
        } else {
            listener->take(event);
        }
        at += taken;
    }
}

// All that these pieces and the end of file give.
Events fed(enum sfd_events_of of, const std::vector<std::string> &pieces)
{
    sfd_events events;
    sfd_event event;
    Listener listener;

    sfd_events_init(&events, of);
    for (const std::string &piece : pieces) {
        feed(&events, piece, &listener);
    }
    if (sfd_events_end(&events, &event)) {
        listener.take(event);
    }
    EXPECT_TRUE(listener.over()) << "no last event";
    EXPECT_FALSE(sfd_events_end(&events, &event));
    EXPECT_EQ(SFD_EVENT_NONE, event.type);
    return listener.events();
}

std::vector<std::string> cutAt(const std::string &bytes, size_t at)
{
    return {bytes.substr(0, at), bytes.substr(at)};
}

std::vector<std::string> bytewise(const std::string &bytes)
{
    std::vector<std::string> pieces;
    for (const char byte : bytes) {
        pieces.emplace_back(1, byte);
    }
    return pieces;
}

struct StatusPipe {
    explicit StatusPipe(bool nonblock)
    {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) < 0) {
            throw std::runtime_error("pipe2");
        }
        in.reset(ends[0]);
        out.reset(ends[1]);
        if (nonblock) {
            EXPECT_EQ(0, fcntl(in.get(), F_SETFL, O_NONBLOCK));
        }
    }
    void put(const std::string &bytes) const
    {
        ASSERT_EQ(static_cast<ssize_t>(bytes.size()), write(out.get(), bytes.data(), bytes.size()));
    }

    OwnedFd in;
    OwnedFd out;
};

// Takes the file's bytes that are in the channel, some at a time. False when there are none now.
bool takeData(sfd_events *events, int fd, Listener *listener)
{
    char bytes[7];
    const uint64_t left = sfd_events_data_left(events);
    const size_t size = left < sizeof bytes ? static_cast<size_t>(left) : sizeof bytes;
    const ssize_t n = read(fd, bytes, size);
    sfd_event event;

    if (n > 0) {
        sfd_events_skip(events, static_cast<uint64_t>(n));
        listener->takeData(std::string(bytes, static_cast<size_t>(n)));
    } else if (n == 0 && sfd_events_end(events, &event)) {
        listener->take(event);
    }
    return n >= 0;
}

// Reads until there is nothing, or to the end.
void readOn(sfd_events *events, int fd, Listener *listener)
{
    sfd_event event;
    int n;

    while ((n = sfd_events_next(events, fd, &event)) > 0) {
        ASSERT_NE(SFD_EVENT_NONE, event.type);
        if (event.type != SFD_EVENT_DATA) {
            listener->take(event);
        } else {
            EXPECT_EQ(nullptr, event.data);
            EXPECT_GT(sfd_events_data_left(events), 0u);
            if (!takeData(events, fd, listener)) {
                return;
            }
        }
    }
    EXPECT_EQ(0, n);
    EXPECT_EQ(SFD_EVENT_NONE, event.type);
}

// All that a real channel gives that carries these pieces.
Events read(enum sfd_events_of of, const std::vector<std::string> &pieces, bool nonblock)
{
    StatusPipe pipe(nonblock);
    sfd_events events;
    Listener listener;

    sfd_events_init(&events, of);
    if (nonblock) {
        readOn(&events, pipe.in.get(), &listener);
    }
    for (const std::string &piece : pieces) {
        pipe.put(piece);
        if (nonblock) {
            readOn(&events, pipe.in.get(), &listener);
        }
    }
    pipe.out.reset();
    readOn(&events, pipe.in.get(), &listener);
    EXPECT_TRUE(listener.over()) << "no last event";
    return listener.events();
}

/* ------------------------------------------------------------------ what a daemon says */

struct Sequence {
    const char *name;
    enum sfd_events_of of;
    std::string bytes;
    Events events;
};

// GoogleTest would print the object's bytes, padding and all, which Valgrind takes ill.
void PrintTo(const Sequence &sequence, std::ostream *out)
{
    *out << sequence.name;
}

std::string failed(int number, const std::string &rest)
{
    return "failed " + std::to_string(number) + " " + rest;
}

const std::vector<Sequence> SEQUENCES = {
    {"SendWithDetails",
     SFD_EVENTS_OF_SEND,
     details(99) + info(10) + progress(3) + result(0, 10),
     {"accepted 10", "progress 3 of 10", "complete 10 with result"}},
    {"ReadWithDetails",
     SFD_EVENTS_OF_READ,
     details(99) + info(5) + "hello" + result(0, 5),
     {"accepted 5", "data hello", "complete 5 with result"}},
    {"DetailsAndNoMore", SFD_EVENTS_OF_SEND, details(99), {failed(ECONNABORTED, "at 0")}},
    {"DetailsAndARefusal", SFD_EVENTS_OF_SEND, details(99) + refusal(ENOENT, 0), {failed(ENOENT, "at 0 refused")}},
    {"DetailsTwice", SFD_EVENTS_OF_SEND, details(99) + details(99) + info(10), {failed(EBADMSG, "at 0")}},
    {"DetailsBehindTheInfo",
     SFD_EVENTS_OF_SEND,
     info(10) + details(99) + complete(),
     {"accepted 10", failed(EBADMSG, "at 0")}},
    {"DetailsOfNoFile", SFD_EVENTS_OF_SEND, details(99, 0) + info(10), {failed(EBADMSG, "at 0")}},
    {"Send",
     SFD_EVENTS_OF_SEND,
     info(10) + progress(3) + progress(4) + complete(),
     {"accepted 10", "progress 3 of 10", "progress 7 of 10", "complete 10"}},
    {"SendWithoutProgress", SFD_EVENTS_OF_SEND, info(10) + complete(), {"accepted 10", "complete 10"}},
    {"SendOfAllThatProgressCanTell",
     SFD_EVENTS_OF_SEND,
     info(UINT64_MAX) + progress(UINT64_MAX - 1) + progress(1) + complete(),
     {"accepted 18446744073709551615", "progress 18446744073709551614 of 18446744073709551615",
      "progress 18446744073709551615 of 18446744073709551615", "complete 18446744073709551615"}},
    {"EmptySend", SFD_EVENTS_OF_SEND, info(0) + complete(), {"accepted 0", "complete 0"}},
    {"ProgressOfNothing",
     SFD_EVENTS_OF_SEND,
     info(0) + progress(0) + complete(),
     {"accepted 0", "progress 0 of 0", "complete 0"}},
    {"RefusedSend", SFD_EVENTS_OF_SEND, error(0x81, ENOENT), {failed(ENOENT, "at 0 refused")}},
    {"FailedSend",
     SFD_EVENTS_OF_SEND,
     info(10) + progress(3) + error(0x82, EPIPE),
     {"accepted 10", "progress 3 of 10", failed(EPIPE, "at 3")}},
    {"SendThatFailsAtOnce", SFD_EVENTS_OF_SEND, info(10) + error(0x82, EIO), {"accepted 10", failed(EIO, "at 0")}},
    {"CancelledSend",
     SFD_EVENTS_OF_SEND,
     info(10) + progress(3),
     {"accepted 10", "progress 3 of 10", failed(ECONNABORTED, "at 3")}},
    {"CancelledSendOfWhichAllIsMoved",
     SFD_EVENTS_OF_SEND,
     info(10) + progress(10),
     {"accepted 10", "progress 10 of 10", failed(ECONNABORTED, "at 10")}},
    {"NothingAtAll", SFD_EVENTS_OF_SEND, "", {failed(ECONNABORTED, "at 0")}},
    {"SendWithOptions",
     SFD_EVENTS_OF_SEND,
     info(10) + progress(3) + result(0, 10),
     {"accepted 10", "progress 3 of 10", "complete 10 with result"}},
    {"SendWithOptionsThatFails",
     SFD_EVENTS_OF_SEND,
     info(10) + progress(3) + result(ETIMEDOUT, 5),
     {"accepted 10", "progress 3 of 10", failed(ETIMEDOUT, "at 5 with result")}},
    {"RefusedSendWithOptions",
     SFD_EVENTS_OF_SEND,
     refusal(EOPNOTSUPP, 0x1c),
     {failed(EOPNOTSUPP, "at 0 refused fits 28")}},
    {"RefusedSendThatNoTechniqueFits", SFD_EVENTS_OF_SEND, refusal(ENOENT, 0), {failed(ENOENT, "at 0 refused")}},
    {"OlderDaemon", SFD_EVENTS_OF_SEND, error(0x81, EPROTONOSUPPORT), {failed(EPROTONOSUPPORT, "at 0 refused")}},
    {"OpenedFileThatFitsNot",
     SFD_EVENTS_OF_SEND,
     info(10) + result(EOPNOTSUPP, 0, 0x0a),
     {"accepted 10", failed(EOPNOTSUPP, "at 0 refused fits 10 with result")}},
    {"OpenedFileThatIsNotSentInTime",
     SFD_EVENTS_OF_SEND,
     info(10) + error(0x82, ETIMEDOUT),
     {"accepted 10", failed(ETIMEDOUT, "at 0")}},
    {"Read", SFD_EVENTS_OF_READ, info(10) + "0123456789", {"accepted 10", "data 0123456789", "complete 10"}},
    {"ReadOfBytesThatLookLikeMessages",
     SFD_EVENTS_OF_READ,
     info(96) + info(5) + info(5),
     {"accepted 96", "data " + info(5) + info(5), "complete 96"}},
    {"EmptyRead", SFD_EVENTS_OF_READ, info(0), {"accepted 0", "complete 0"}},
    {"ReadThatEndsEarly",
     SFD_EVENTS_OF_READ,
     info(10) + "012345678",
     {"accepted 10", "data 012345678", failed(ECONNABORTED, "at 9")}},
    {"ReadWithoutAByte", SFD_EVENTS_OF_READ, info(10), {"accepted 10", failed(ECONNABORTED, "at 0")}},
    {"RefusedRead", SFD_EVENTS_OF_READ, error(0x81, EACCES), {failed(EACCES, "at 0 refused")}},
    {"ReadWithoutAWord", SFD_EVENTS_OF_READ, "", {failed(ECONNABORTED, "at 0")}},
    {"ReadWithOptions",
     SFD_EVENTS_OF_READ,
     info(10) + "0123456789" + result(0, 10),
     {"accepted 10", "data 0123456789", "complete 10 with result"}},
    {"EmptyReadWithOptions", SFD_EVENTS_OF_READ, info(0) + result(0, 0), {"accepted 0", "complete 0 with result"}},
    {"RefusedReadWithOptions", SFD_EVENTS_OF_READ, refusal(EMFILE, 0), {failed(EMFILE, "at 0 refused")}},
    {"ReadWithPartOfAResult", // the daemon has died, all bytes are there
     SFD_EVENTS_OF_READ,
     info(3) + "abc" + result(0, 3).substr(0, 20),
     {"accepted 3", "data abc", "complete 3"}},

    /* What no daemon says. */
    {"TwoInformations", SFD_EVENTS_OF_SEND, info(10) + info(10), {"accepted 10", failed(EBADMSG, "at 0")}},
    {"ProgressBeforeInformation", SFD_EVENTS_OF_SEND, progress(1), {failed(EBADMSG, "at 0")}},
    {"CompleteBeforeInformation", SFD_EVENTS_OF_SEND, complete(), {failed(EBADMSG, "at 0")}},
    {"ResultBeforeInformation", SFD_EVENTS_OF_SEND, result(0, 0), {failed(EBADMSG, "at 0")}},
    {"FailureBeforeInformation", SFD_EVENTS_OF_SEND, result(EIO, 0), {failed(EIO, "at 0 with result")}},
    {"VersionOneFailureBeforeInformation", SFD_EVENTS_OF_SEND, error(0x82, EIO), {failed(EIO, "at 0")}},
    {"RefusalBehindBytes", // something has been written to the destination
     SFD_EVENTS_OF_SEND,
     info(10) + progress(3) + error(0x81, EIO),
     {"accepted 10", "progress 3 of 10", failed(EIO, "at 3")}},
    {"RefusalWithOptionsBehindBytes",
     SFD_EVENTS_OF_SEND,
     info(10) + progress(3) + refusal(EIO, 2),
     {"accepted 10", "progress 3 of 10", failed(EIO, "at 3 fits 2")}},
    {"ResultThatFitsNotBehindBytes",
     SFD_EVENTS_OF_SEND,
     info(10) + result(EOPNOTSUPP, 3, 2),
     {"accepted 10", failed(EOPNOTSUPP, "at 3 fits 2 with result")}},
    {"RefusalBehindInformation",
     SFD_EVENTS_OF_SEND,
     info(10) + error(0x81, EIO),
     {"accepted 10", failed(EIO, "at 0 refused")}},
    {"MoreThanThereIs", SFD_EVENTS_OF_SEND, info(10) + progress(11), {"accepted 10", failed(EBADMSG, "at 0")}},
    {"MoreThanThereIsInAll",
     SFD_EVENTS_OF_SEND,
     info(10) + progress(10) + progress(1),
     {"accepted 10", "progress 10 of 10", failed(EBADMSG, "at 10")}},
    {"ProgressThatOverflows",
     SFD_EVENTS_OF_SEND,
     info(UINT64_MAX - 1) + progress(UINT64_MAX - 2) + progress(3),
     {"accepted 18446744073709551614", "progress 18446744073709551613 of 18446744073709551614",
      failed(EBADMSG, "at 18446744073709551613")}},
    {"ResultOfLess", SFD_EVENTS_OF_SEND, info(10) + result(0, 9), {"accepted 10", failed(EBADMSG, "at 0")}},
    {"ResultOfMore", SFD_EVENTS_OF_SEND, info(10) + result(0, 11), {"accepted 10", failed(EBADMSG, "at 0")}},
    {"FailureThatTakesBack",
     SFD_EVENTS_OF_SEND,
     info(10) + progress(5) + result(EIO, 4),
     {"accepted 10", "progress 5 of 10", failed(EIO, "at 5 with result")}},
    {"FailureOfMore", SFD_EVENTS_OF_SEND, info(10) + result(EIO, 11), {"accepted 10", failed(EIO, "at 0 with result")}},
    {"ProgressOfARead", SFD_EVENTS_OF_READ, info(0) + progress(0), {"accepted 0", failed(EBADMSG, "at 0")}},
    {"CompleteOfARead",
     SFD_EVENTS_OF_READ,
     info(1) + "a" + complete(),
     {"accepted 1", "data a", failed(EBADMSG, "at 1")}},
    {"ReadWithTwoInformations", SFD_EVENTS_OF_READ, info(0) + info(0), {"accepted 0", failed(EBADMSG, "at 0")}},
    {"BytesBehindARead", SFD_EVENTS_OF_READ, info(1) + "abc", {"accepted 1", "data a", failed(EBADMSG, "at 1")}},
    {"BytesBehindTheEnd",
     SFD_EVENTS_OF_SEND,
     info(10) + complete() + info(10) + "anything",
     {"accepted 10", "complete 10"}},
    {"TwoEnds",
     SFD_EVENTS_OF_SEND,
     info(10) + result(0, 10) + result(EIO, 0) + complete(),
     {"accepted 10", "complete 10 with result"}},
    {"NoMessage", SFD_EVENTS_OF_SEND, "hello", {failed(EBADMSG, "at 0")}},
    {"RefusalWithoutAnErrno",
     SFD_EVENTS_OF_SEND,
     std::string("\x91\0", 2) + refusal(1, 0).substr(2),
     {failed(EBADMSG, "at 0")}},
    {"ResultOfALaterVersion",
     SFD_EVENTS_OF_SEND,
     info(0) + std::string("\x92\0\2\0", 4) + result(0, 0).substr(4),
     {"accepted 0", failed(EBADMSG, "at 0")}},
};

class SequenceTest : public DescriptorCountingTest, public testing::WithParamInterface<Sequence>
{
};

INSTANTIATE_TEST_SUITE_P(Channels, SequenceTest, testing::ValuesIn(SEQUENCES),
                         [](const auto &instance) { return std::string(instance.param.name); });

TEST_P(SequenceTest, shouldBeToldWhenItIsFedInOnePiece)
{
    const Sequence &sequence = GetParam();
    EXPECT_EQ(sequence.events, fed(sequence.of, {sequence.bytes}));
}

TEST_P(SequenceTest, shouldBeToldWhenItIsFedByteByByte)
{
    const Sequence &sequence = GetParam();
    EXPECT_EQ(sequence.events, fed(sequence.of, bytewise(sequence.bytes)));
}

TEST_P(SequenceTest, shouldBeToldWhereverItIsCutInTwo)
{
    const Sequence &sequence = GetParam();
    for (size_t at = 0; at <= sequence.bytes.size(); at++) {
        EXPECT_EQ(sequence.events, fed(sequence.of, cutAt(sequence.bytes, at))) << at;
    }
}

TEST_P(SequenceTest, shouldBeReadFromAChannelThatBlocks)
{
    const Sequence &sequence = GetParam();
    EXPECT_EQ(sequence.events, read(sequence.of, {sequence.bytes}, false));
}

TEST_P(SequenceTest, shouldBeReadFromAChannelThatDoesNot)
{
    const Sequence &sequence = GetParam();
    EXPECT_EQ(sequence.events, read(sequence.of, {sequence.bytes}, true));
    EXPECT_EQ(sequence.events, read(sequence.of, bytewise(sequence.bytes), true));
}

TEST_P(SequenceTest, shouldBeReadWhereverItIsCutInTwo)
{
    const Sequence &sequence = GetParam();
    for (size_t at = 0; at <= sequence.bytes.size(); at++) {
        EXPECT_EQ(sequence.events, read(sequence.of, cutAt(sequence.bytes, at), true)) << at;
    }
}

TEST_P(SequenceTest, shouldHaveOneEndWhereverTheChannelEnds)
{
    const Sequence &sequence = GetParam();
    for (size_t at = 0; at < sequence.bytes.size(); at++) {
        const std::string part = sequence.bytes.substr(0, at);
        const Events events = fed(sequence.of, {part});
        EXPECT_EQ(events, read(sequence.of, {part}, false)) << at;
        for (size_t i = 0; i + 1 < events.size() && i < sequence.events.size(); i++) {
            EXPECT_EQ(sequence.events[i].substr(0, events[i].size()), events[i]);
        }
    }
}

/* ------------------------------------------------------------------ details */

class EventsTest : public DescriptorCountingTest
{
  protected:
    /* The last event of what is fed. */
    static sfd_event lastOf(enum sfd_events_of of, const std::string &bytes)
    {
        sfd_events events;
        sfd_event event = {};
        sfd_event last = {};
        const char *at = bytes.data();

        sfd_events_init(&events, of);
        while (at < bytes.data() + bytes.size()) {
            at += sfd_events_feed(&events, at, static_cast<size_t>(bytes.data() + bytes.size() - at), &event);
            if (event.type != SFD_EVENT_NONE) {
                last = event;
            }
        }
        return last;
    }
};

TEST_F(EventsTest, shouldTellTheFileWithEveryEventFromAcceptedOn)
{
    for (const std::string &bytes :
         {info(10), info(10) + progress(1), info(10) + complete(), info(10) + result(EIO, 0)}) {
        const sfd_event event = lastOf(SFD_EVENTS_OF_SEND, bytes);
        EXPECT_EQ(SFD_FILE_INFO, event.info.cmd);
        EXPECT_EQ(10u, event.info.size);
        EXPECT_EQ(1, event.info.atime);
        EXPECT_EQ(2, event.info.mtime);
        EXPECT_EQ(3, event.info.ctime);
        EXPECT_EQ(77u, event.info.txnid);
    }
    EXPECT_EQ(0, lastOf(SFD_EVENTS_OF_SEND, error(0x81, EIO)).info.cmd) << "there was none";
}

TEST_F(EventsTest, shouldTellWhichTransferCanBeCancelled)
{
    sfd_events events;
    sfd_event event;
    const std::string file = info(10);
    const std::string end = complete();

    sfd_events_init(&events, SFD_EVENTS_OF_SEND);
    EXPECT_EQ(0u, sfd_events_txnid(&events)) << "nobody knows it yet";
    sfd_events_feed(&events, file.data(), file.size(), &event);
    EXPECT_EQ(77u, sfd_events_txnid(&events));
    sfd_events_feed(&events, end.data(), end.size(), &event);
    EXPECT_EQ(0u, sfd_events_txnid(&events)) << "it is over";
}

TEST_F(EventsTest, shouldTellTheFiguresOfAResult)
{
    for (const int number : {0, EIO}) {
        const sfd_event event = lastOf(SFD_EVENTS_OF_SEND, info(10) + result(number, 10, 3));
        EXPECT_EQ(SFD_RESULT, event.result.cmd);
        EXPECT_EQ(number, event.result.stat);
        EXPECT_EQ(number, event.error);
        EXPECT_EQ(10u, event.result.moved);
        EXPECT_EQ(12345u, event.result.elapsed_ns);
        EXPECT_EQ(6u, event.result.cold_windows);
        EXPECT_EQ(SFD_TECHNIQUE_SPLICE, event.result.technique);
        EXPECT_EQ(3u, event.fits);
    }
}

TEST_F(EventsTest, shouldGiveAReadsBytesWhereTheyWereFed)
{
    const std::string bytes = info(10) + "0123456789";
    sfd_events events;
    sfd_event event;

    sfd_events_init(&events, SFD_EVENTS_OF_READ);
    EXPECT_EQ(48u, sfd_events_feed(&events, bytes.data(), bytes.size(), &event));
    EXPECT_EQ(SFD_EVENT_ACCEPTED, event.type);
    EXPECT_EQ(10u, sfd_events_data_left(&events));
    EXPECT_EQ(4u, sfd_events_feed(&events, bytes.data() + 48, 4, &event));
    EXPECT_EQ(bytes.data() + 48, event.data);
    EXPECT_EQ(4u, event.size);
    EXPECT_EQ(4u, event.moved);
    EXPECT_EQ(6u, sfd_events_data_left(&events));
}

TEST_F(EventsTest, shouldSkipNoMoreThanThereIs)
{
    sfd_events events;
    sfd_event event;
    const std::string bytes = info(10);

    sfd_events_init(&events, SFD_EVENTS_OF_READ);
    sfd_events_skip(&events, 5); // nothing is known of any byte yet
    EXPECT_EQ(0u, sfd_events_data_left(&events));
    sfd_events_feed(&events, bytes.data(), bytes.size(), &event);
    EXPECT_EQ(10u, sfd_events_data_left(&events));
    sfd_events_skip(&events, UINT64_MAX);
    EXPECT_EQ(0u, sfd_events_data_left(&events));
    EXPECT_TRUE(sfd_events_end(&events, &event));
    EXPECT_EQ("complete 10", describe(event));
}

TEST_F(EventsTest, shouldLeaveEveryByteOfAReadInTheChannel)
{
    const StatusPipe pipe(true);
    sfd_events events;
    sfd_event event;
    char bytes[16];

    sfd_events_init(&events, SFD_EVENTS_OF_READ);
    pipe.put(info(10) + "0123456789");
    ASSERT_EQ(1, sfd_events_next(&events, pipe.in.get(), &event));
    EXPECT_EQ("accepted 10", describe(event));
    for (int i = 0; i < 2; i++) {
        ASSERT_EQ(1, sfd_events_next(&events, pipe.in.get(), &event));
        EXPECT_EQ(SFD_EVENT_DATA, event.type);
        EXPECT_EQ(nullptr, event.data);
        EXPECT_EQ(0u, event.moved) << "nothing was taken";
    }
    EXPECT_EQ(10, ::read(pipe.in.get(), bytes, sizeof bytes));
}

TEST_F(EventsTest, shouldLetAReadsBytesBeSpliced)
{
    StatusPipe from(true);
    const StatusPipe to(false);
    sfd_events events;
    sfd_event event;
    char bytes[16];

    sfd_events_init(&events, SFD_EVENTS_OF_READ);
    from.put(info(10) + "0123456789" + result(0, 10));
    from.out.reset();
    ASSERT_EQ(1, sfd_events_next(&events, from.in.get(), &event));
    while (sfd_events_next(&events, from.in.get(), &event) > 0 && event.type == SFD_EVENT_DATA) {
        const size_t left = static_cast<size_t>(sfd_events_data_left(&events));
        const ssize_t n = splice(from.in.get(), nullptr, to.out.get(), nullptr, left < 6 ? left : 6, 0);
        ASSERT_GT(n, 0);
        sfd_events_skip(&events, static_cast<uint64_t>(n));
    }
    EXPECT_EQ("complete 10 with result", describe(event));
    EXPECT_EQ("0123456789", std::string(bytes, static_cast<size_t>(::read(to.in.get(), bytes, sizeof bytes))));
}

TEST_F(EventsTest, shouldWaitForAWholeMessageOnAChannelThatBlocks)
{
    StatusPipe pipe(false);
    sfd_events events;
    sfd_event event;

    sfd_events_init(&events, SFD_EVENTS_OF_SEND);
    std::thread daemon([&] {
        for (const std::string &byte : bytewise(info(10) + complete())) {
            pipe.put(byte);
        }
    });
    EXPECT_EQ(1, sfd_events_next(&events, pipe.in.get(), &event));
    EXPECT_EQ("accepted 10", describe(event));
    EXPECT_EQ(1, sfd_events_next(&events, pipe.in.get(), &event));
    EXPECT_EQ("complete 10", describe(event));
    EXPECT_EQ(0, sfd_events_next(&events, pipe.in.get(), &event)) << "it does not read any more";
    daemon.join();
}

TEST_F(EventsTest, shouldSayThatADescriptorCannotBeRead)
{
    const StatusPipe pipe(true);
    sfd_events events;
    sfd_event event;

    sfd_events_init(&events, SFD_EVENTS_OF_SEND);
    errno = 0;
    EXPECT_EQ(-1, sfd_events_next(&events, -1, &event));
    EXPECT_EQ(EBADF, errno);
    EXPECT_EQ(SFD_EVENT_NONE, event.type);
    EXPECT_EQ(-1, sfd_events_next(&events, pipe.out.get(), &event));
    pipe.put(info(10));
    EXPECT_EQ(1, sfd_events_next(&events, pipe.in.get(), &event)) << "it goes on by the right one";
}

TEST_F(EventsTest, shouldTakeMessagesThatWereReadBeforeWhatIsFed)
{
    const StatusPipe pipe(true);
    sfd_events events;
    sfd_event event;
    Listener listener;

    sfd_events_init(&events, SFD_EVENTS_OF_SEND);
    pipe.put(info(10));
    ASSERT_EQ(1, sfd_events_next(&events, pipe.in.get(), &event));
    pipe.put(progress(1) + progress(1) + progress(1).substr(0, 9)); // one read takes all of it
    ASSERT_EQ(1, sfd_events_next(&events, pipe.in.get(), &event));
    EXPECT_EQ("progress 1 of 10", describe(event));
    feed(&events, progress(1).substr(9) + complete(), &listener);
    EXPECT_EQ((Events{"progress 2 of 10", "progress 3 of 10", "complete 10"}), listener.events());
}

TEST_F(EventsTest, shouldNotLoseAnEndThatWasReadWhenTheChannelEnds)
{
    const StatusPipe pipe(true);
    sfd_events events;
    sfd_event event;

    sfd_events_init(&events, SFD_EVENTS_OF_SEND);
    pipe.put(info(10));
    ASSERT_EQ(1, sfd_events_next(&events, pipe.in.get(), &event));
    pipe.put(progress(10) + complete()); // one read takes both
    ASSERT_EQ(1, sfd_events_next(&events, pipe.in.get(), &event));
    EXPECT_EQ("progress 10 of 10", describe(event));
    ASSERT_TRUE(sfd_events_end(&events, &event)); // nobody will read it any more
    EXPECT_EQ("complete 10", describe(event));
    EXPECT_FALSE(sfd_events_end(&events, &event));
}

TEST_F(EventsTest, shouldNotTouchErrnoUnlessItFails)
{
    const StatusPipe pipe(true);
    sfd_events events;
    sfd_event event;

    sfd_events_init(&events, SFD_EVENTS_OF_SEND);
    pipe.put(info(10));
    errno = 4711;
    EXPECT_EQ(1, sfd_events_next(&events, pipe.in.get(), &event));
    sfd_events_feed(&events, "junk", 4, &event);
    sfd_events_end(&events, &event);
    EXPECT_EQ(4711, errno);
}

TEST_F(EventsTest, shouldTakeNothingOfNothing)
{
    sfd_events events;
    sfd_event event;

    sfd_events_init(&events, SFD_EVENTS_OF_SEND);
    EXPECT_EQ(0u, sfd_events_feed(&events, nullptr, 0, &event));
    EXPECT_EQ(SFD_EVENT_NONE, event.type);
}

/* ------------------------------------------------------------------ anything */

// Messages in any order, whole or cut, with random bytes between them: rarely what a daemon says.
std::string anything(std::mt19937 *random)
{
    const auto below = [random](unsigned count) { return static_cast<unsigned>((*random)() % count); };
    const auto number = [&]() -> uint64_t {
        static const uint64_t special[] = {0, 1, UINT64_MAX, UINT64_MAX - 1, 1ull << 63};
        return below(4) == 0 ? special[below(5)] : below(12);
    };
    std::string bytes = below(5) == 0 ? "" : info(number());

    for (unsigned i = below(6); i > 0; i--) {
        std::string next;
        switch (below(9)) {
        case 0:
            next = info(number());
            break;
        case 1:
            next = complete();
            break;
        case 2:
            next = error(below(2) == 0 ? 0x81 : 0x82, static_cast<int>(below(256)));
            break;
        case 3:
            next = refusal(static_cast<int>(below(256)), below(64));
            break;
        case 4:
            next = result(static_cast<int>(below(3) * 5), number(), static_cast<uint8_t>(below(2) * 7));
            break;
        case 5:
            for (unsigned n = below(60); n > 0; n--) {
                next += static_cast<char>(below(256));
            }
            break;
        default:
            next = progress(number());
            break;
        }
        if (below(12) == 0) {
            next.resize(below(static_cast<unsigned>(next.size()) + 1));
        }
        if (below(12) == 0 && !next.empty()) {
            next[below(static_cast<unsigned>(next.size()))] = static_cast<char>(below(256));
        }
        bytes += next;
    }
    return bytes;
}

TEST_F(EventsTest, shouldHaveOneEndAndTellTheSameHoweverItIsCutWhateverComes)
{
    std::mt19937 random(20240229);
    for (int round = 0; round < 20000 && !HasFailure(); round++) {
        SCOPED_TRACE(round);
        const std::string bytes = anything(&random);
        const auto of = random() % 2 == 0 ? SFD_EVENTS_OF_SEND : SFD_EVENTS_OF_READ;
        std::vector<std::string> pieces;
        for (size_t at = 0; at < bytes.size();) {
            const size_t size = 1 + random() % 50;
            pieces.push_back(bytes.substr(at, size));
            at += size;
        }
        const Events whole = fed(of, {bytes});
        EXPECT_EQ(whole, fed(of, pieces));
        if (round % 10 == 0) {
            EXPECT_EQ(whole, read(of, {bytes}, false));
            EXPECT_EQ(whole, read(of, pieces, true));
        }
    }
}

/* ------------------------------------------------------------------ details */

TEST(EventDetails, shouldBeThereFromTheAcceptanceOnAndForGood)
{
    sfd_events events;
    sfd_file_details found = {};
    Listener listener;

    sfd_events_init(&events, SFD_EVENTS_OF_SEND);
    feed(&events, details(99), &listener);
    EXPECT_FALSE(sfd_events_details(&events, &found)) << "it is not accepted yet";
    EXPECT_EQ(0, found.cmd);
    for (const std::string &more : {info(10), result(0, 10)}) {
        feed(&events, more, &listener);
        ASSERT_TRUE(sfd_events_details(&events, &found));
        EXPECT_EQ(SFD_FILE_DETAILS, found.cmd);
        EXPECT_EQ(99u, found.size);
        EXPECT_EQ(11u, found.inode);
        EXPECT_EQ(12u, found.device);
        EXPECT_EQ(13u, found.atime_ns);
        EXPECT_EQ(14u, found.mtime_ns);
        EXPECT_EQ(15u, found.ctime_ns);
        EXPECT_EQ(static_cast<uint32_t>(S_IFREG | 0640), found.mode);
        found = {};
    }
    Listener other;
    sfd_events_init(&events, SFD_EVENTS_OF_SEND);
    feed(&events, info(10) + progress(1), &other);
    EXPECT_FALSE(sfd_events_details(&events, &found)) << "a request of version 1";
}

} // namespace
