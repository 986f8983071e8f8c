// Transfers of several segments: bytes of the client's and ranges of the file in one request.
#include "transfer_fixture.h"

#include <linux/tcp.h>
#include <netinet/in.h>

namespace
{

std::vector<int> sendFlags; // of each send(2) to a destination

class TransferSegmentsTest : public TransferFixture
{
  protected:
    void SetUp() override
    {
        TransferFixture::SetUp();
        learnDevice();
        version_ = SFD_WIRE_VERSION_2;
        sendFlags.clear();
        sys_.send = [](int fd, const void *bytes, size_t length, int flags) {
            sendFlags.push_back(flags);
            return sfd_sys_linux.send(fd, bytes, length, flags);
        };
    }
    /* The list of the next request; `expected_` is what its receiver will get. */
    void start()
    {
        segments_.clear();
        segment_count_ = 0;
        expected_.clear();
    }
    void put(const struct sfd_segment &segment)
    {
        char head[SFD_WIRE_SEGMENT_SIZE];
        segments_.append(head, sfd_wire_put_segment(head, &segment));
        segment_count_++;
    }
    void bytes(const std::string &text)
    {
        put({text.data(), 0, text.size()});
        segments_ += text;
        expected_ += text;
    }
    void range(size_t offset, size_t length)
    {
        put({nullptr, static_cast<off_t>(offset), length});
        expected_ += content_.substr(offset, length == SFD_TO_END ? std::string::npos : length);
    }
    enum sfd_next send(int dest)
    {
        return begin(SFD_WIRE_SEND_FILE, dest, 0, 0);
    }
    /* Goes on to the end; a socket's receiver reads all of it. */
    void finishAll()
    {
        finish();
        if (pair_ != nullptr) {
            data_ += readToEnd(pair_->in.get());
        }
    }
    void expectAllSent(const std::string &what)
    {
        SCOPED_TRACE(what);
        const std::string size = std::to_string(expected_.size());
        const Messages all = told();
        EXPECT_BYTES(expected_, data_);
        ASSERT_GE(all.size(), 3u);
        EXPECT_EQ("details " + std::to_string(content_.size()), all[0]);
        EXPECT_EQ("info " + size, all[1]);
        EXPECT_EQ(0u, all.back().find("result 0 moved " + size + " ")) << all.back();
        EXPECT_EQ(expected_.size(), count(SFD_COUNTER_BYTES));
        size_t sum = 0;
        for (size_t i = 2; i + 1 < all.size(); i++) {
            sum += std::stoul(all[i].substr(strlen("progress ")));
        }
        EXPECT_LE(sum, expected_.size());
        EXPECT_TRUE(clientSeesEnd());
    }
    void multipart(const std::vector<size_t> &sizes)
    {
        start();
        bytes("HTTP/1.1 206 Partial Content\r\n\r\n");
        for (size_t i = 0; i < sizes.size(); i++) {
            bytes("--part " + std::to_string(i) + "\r\n");
            range(content_.size() - sizes[i] - i, sizes[i]); // each before the last one, mostly
        }
        bytes("--end--\r\n");
    }

    std::string expected_;
};

TEST_F(TransferSegmentsTest, ShouldSendHeaderRangesAndTrailerToEveryStreamByEveryTechnique)
{
    const std::vector<std::vector<size_t>> lists = {{}, {0}, {1, 4096, 0}, {4095, 70000, 1}, {BIG - 9, 5, 300000}};
    const auto tcp = [] { return tcpPair(); };
    const auto local = [] { return SocketPair(); };
    const std::vector<std::function<int()>> destinations = {
        [&] { return toPipe(); },
        [&] { return toPair(tcp(), true); },
        [&] { return toPair(tcp(), false); },
        [&] { return toPair(local(), true); },
        [&] { return toPair(local(), false); },
    };
    file(BIG);
    for (size_t kind = 0; kind < destinations.size(); kind++) {
        for (int technique = SFD_TECHNIQUE_AUTO; technique <= SFD_TECHNIQUE_READ_WRITE; technique++) {
            const bool socket = kind > 0;
            const bool nonblock = kind == 1 || kind == 3;
            if ((technique == SFD_TECHNIQUE_SPLICE && socket) || (technique == SFD_TECHNIQUE_SENDFILE && !nonblock)) {
                continue;
            }
            for (size_t list = 0; list < lists.size(); list++) {
                options_.technique = static_cast<uint8_t>(technique);
                multipart(lists[list]);
                send(destinations[kind]());
                finishAll();
                expectAllSent("destination " + std::to_string(kind) + " technique " + std::to_string(technique) +
                              " list " + std::to_string(list));
                again();
            }
        }
    }
}

TEST_F(TransferSegmentsTest, ShouldSendColdRangesBackAndForth)
{
    file(BIG);
    for (const uint64_t medium : {static_cast<uint64_t>(EXT4_SUPER_MAGIC), FUSE_MAGIC}) {
        for (const bool drops : {false, true}) {
            script.fs_type = medium;
            script.warm_until = 0;
            options_.flags = drops ? SFD_OPTION_DROP_BEHIND : 0;
            multipart({300000, 5, BIG - 8, 200000});
            send(toPair(tcpPair(), true));
            finishAll();
            expectAllSent(drops ? "dropped behind" : "kept");
            again();
        }
    }
}

TEST_F(TransferSegmentsTest, ShouldNotTakeARangeForResidentBecauseAnotherOneBehindItIs)
{
    file(BIG);
    sys_.cachestat = [](int, const struct sfd_cachestat_range *range, struct sfd_cachestat *out) {
        *out = {};
        const uint64_t page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
        const uint64_t pages = (range->offset + range->length - 1) / page - range->offset / page + 1;
        out->nr_cache = range->offset >= BIG / 2 ? pages : 0;
        return 0;
    };
    options_.technique = SFD_TECHNIQUE_SENDFILE;
    start();
    range(BIG - 100000, 100000);
    range(4096, 50000);
    send(toPair(tcpPair(), true));
    finishAll();
    expectAllSent("back");
    EXPECT_EQ(std::vector<uint64_t>{50000}, script.loads);
}

TEST_F(TransferSegmentsTest, ShouldDropBehindItWhatItHasLoadedOfEachRange)
{
    static std::vector<uint64_t> dropped;
    constexpr size_t part = SFD_DROP_PART;
    dropped.clear();
    sys_.cachestat = [](int, const struct sfd_cachestat_range *, struct sfd_cachestat *out) {
        *out = {};
        return 0;
    };
    sys_.fadvise = [](int, uint64_t offset, uint64_t, int advice) {
        if (advice == POSIX_FADV_DONTNEED) {
            dropped.push_back(offset);
        }
        return 0;
    };
    file(BIG);
    script.warm_until = 0;
    options_.flags = SFD_OPTION_DROP_BEHIND;
    start();
    range(2 * part, part);
    bytes("between");
    range(0, part);
    range(3 * part, part);
    send(toPair(tcpPair(), true));
    finishAll();
    expectAllSent("dropped");
    EXPECT_EQ((std::vector<uint64_t>{2 * part, 0, 3 * part}), dropped);
}

TEST_F(TransferSegmentsTest, ShouldKeepTheTechniqueOfTheFileInItsResult)
{
    file(BIG);
    multipart({BIG - 10});
    send(toPipe());
    finish();
    EXPECT_EQ("result 0 moved " + std::to_string(expected_.size()) + " by " + std::to_string(SFD_TECHNIQUE_SPLICE),
              told().back());
}

TEST_F(TransferSegmentsTest, ShouldSendNothingButBytesOrNothingAtAll)
{
    file(100);
    start();
    bytes("a");
    bytes("");
    bytes("bc");
    send(toPipe());
    finish();
    expectAllSent("bytes");
    again();

    start();
    range(100, 0);
    bytes("");
    range(100, SFD_TO_END);
    send(toPair(tcpPair(), true));
    finishAll();
    expectAllSent("nothing");
}

TEST_F(TransferSegmentsTest, ShouldGoOnInTheMiddleOfBytesWhenTheReceiverTakesOneAtATime)
{
    file(3000);
    start();
    bytes(pattern(3000, 7));
    range(1000, 2000);
    bytes(pattern(900, 9));
    SocketPair pair;
    const int least = 1;
    setsockopt(pair.out.get(), SOL_SOCKET, SO_SNDBUF, &least, sizeof(least));
    pair.fill();
    const int dest = toPair(std::move(pair), true);
    const int in = pair_->in.get();
    ASSERT_EQ(SFD_NEXT_DEST, send(dest));
    EXPECT_EQ(0u, count(SFD_COUNTER_BYTES));
    while (next_ == SFD_NEXT_DEST || next_ == SFD_NEXT_AGAIN) {
        data_ += drain(in, 1);
        if (sfd_sys_wait_writable(t_->destination.fd, 0) == 1) {
            run();
        }
    }
    ASSERT_EQ(SFD_NEXT_END, next_);
    data_ += readToEnd(in);
    data_.erase(0, data_.size() - std::min(data_.size(), expected_.size())); // what filled it
    expectAllSent("one at a time");
}

TEST_F(TransferSegmentsTest, ShouldStopInsideBytesThatAreLargerThanTheRoom)
{
    file(10);
    start();
    bytes(pattern(3000, 7));
    range(0, 10);
    static size_t room;
    room = 1000;
    sys_.send = [](int fd, const void *bytes, size_t length, int flags) {
        const size_t taken = std::min(length, room);
        room -= taken;
        return taken == 0 ? int64_t{-EAGAIN} : sfd_sys_linux.send(fd, bytes, taken, flags);
    };
    ASSERT_EQ(SFD_NEXT_DEST, send(toPair(tcpPair(), true)));
    EXPECT_EQ(1000u, count(SFD_COUNTER_BYTES));
    room = 1999;
    ASSERT_EQ(SFD_NEXT_DEST, run());
    EXPECT_EQ(2999u, count(SFD_COUNTER_BYTES));
    room = SIZE_MAX;
    run();
    finishAll();
    expectAllSent("room");
}

TEST_F(TransferSegmentsTest, ShouldDelayEveryPartThatAnotherFollows)
{
    file(10);
    options_.technique = SFD_TECHNIQUE_READ_WRITE;
    start();
    bytes("header");
    range(3, 4);
    bytes("trailer");
    range(10, SFD_TO_END); // nothing
    bytes("");
    send(toPair(tcpPair(), true));
    finishAll();
    expectAllSent("header and trailer");
    ASSERT_EQ(3u, sendFlags.size());
    EXPECT_NE(0, sendFlags[0] & MSG_MORE);
    EXPECT_NE(0, sendFlags[1] & MSG_MORE);
    EXPECT_EQ(0, sendFlags[2] & MSG_MORE);
}

TEST_F(TransferSegmentsTest, ShouldSendHeaderAndFirstBytesInOnePacket)
{
    file(500);
    for (const uint8_t technique : {SFD_TECHNIQUE_SENDFILE, SFD_TECHNIQUE_READ_WRITE, SFD_TECHNIQUE_MMAP}) {
        options_.technique = technique;
        start();
        bytes("HTTP/1.1 200 OK\r\n\r\n");
        range(0, 500);
        const int dest = toPair(tcpPair(), true);
        const int none = 1;
        setsockopt(dest, IPPROTO_TCP, TCP_NODELAY, &none, sizeof(none));
        const OwnedFd socket(fcntl(dest, F_DUPFD_CLOEXEC, 0));
        ASSERT_EQ(SFD_NEXT_END, send(dest));
        struct tcp_info info = {};
        socklen_t size = sizeof(info);
        ASSERT_EQ(0, getsockopt(socket.get(), IPPROTO_TCP, TCP_INFO, &info, &size));
        EXPECT_EQ(1u, info.tcpi_data_segs_out) << "technique " << static_cast<int>(technique);
        shutdown(socket.get(), SHUT_WR);
        data_ += readToEnd(pair_->in.get());
        expectAllSent("one packet");
        again();
    }
}

TEST_F(TransferSegmentsTest, ShouldRefuseAllOfItWhenOneRangeIsOutsideTheFile)
{
    file(100);
    for (const auto &[offset, length] : std::vector<std::pair<off_t, size_t>>{{101, SFD_TO_END}, {0, 101}, {100, 1}}) {
        start();
        bytes("header");
        range(0, 50);
        put({nullptr, offset, length});
        ASSERT_EQ(SFD_NEXT_END, send(toPipe()));
        EXPECT_EQ(Messages{"refusal " + std::to_string(ERANGE) + " fits 0"}, told());
        EXPECT_EQ("", data_);
        again();
    }
}

TEST_F(TransferSegmentsTest, ShouldRefuseDestinationsThatAreNoStream)
{
    const Messages unfit = {"refusal " + std::to_string(EOPNOTSUPP) + " fits 0"};

    file(100);
    start();
    bytes("header");
    range(0, 50);
    ASSERT_EQ(SFD_NEXT_END, send(toFile()));
    closePending();
    EXPECT_EQ(unfit, told());
    EXPECT_EQ("", contentOf(*directory_ / "output"));
    again();
    ASSERT_EQ(SFD_NEXT_END, send(toPair(SocketPair(SOCK_SEQPACKET), true)));
    EXPECT_EQ(unfit, told());
    EXPECT_EQ("", drain(pair_->in.get()));
    again();
    options_.flags = SFD_OPTION_SEAL;
    ASSERT_EQ(SFD_NEXT_END, send(toPipe()));
    EXPECT_EQ(Messages{"refusal " + std::to_string(EINVAL) + " fits 0"}, told());
}

TEST_F(TransferSegmentsTest, ShouldTellHowFarItCameWhenTheFileShrinks)
{
    file(BIG);
    start();
    bytes("header");
    range(BIG - 10, 10);
    range(0, BIG);
    options_.technique = SFD_TECHNIQUE_SENDFILE;
    script.dest_sendfile = {10, 1000, -EAGAIN};
    ASSERT_EQ(SFD_NEXT_DEST, send(toPair(tcpPair(), true)));
    data_ += readExactly(pair_->in.get(), 1016); // sendfile lends pages, which truncation zeroes
    ASSERT_EQ(0, truncate((*directory_ / "file").c_str(), 1500));
    script.warm_until = 1500;
    finishAll();
    EXPECT_EQ("result " + std::to_string(ENODATA) + " moved 1516 by 1", told().back());
    EXPECT_BYTES(expected_.substr(0, 1516), data_);
}

TEST_F(TransferSegmentsTest, ShouldLockEveryRangeAndNothingElse)
{
    file(BIG);
    static std::vector<std::pair<uint64_t, uint64_t>> locked;
    locked.clear();
    sys_.ofd_read_lock = [](int, uint64_t offset, uint64_t length) {
        locked.emplace_back(offset, length);
        return 0;
    };
    start();
    bytes("header");
    range(500000, 100000);
    range(7, 0);
    range(10, 20);
    range(BIG - 5, SFD_TO_END);
    send(toPipe());
    finish();
    expectAllSent("locked");
    EXPECT_EQ((std::vector<std::pair<uint64_t, uint64_t>>{{500000, 100000}, {10, 20}, {BIG - 5, 5}}), locked);
}

TEST_F(TransferSegmentsTest, ShouldBeOpenedFirstAndSentLater)
{
    file(1000);
    start();
    bytes("header");
    range(990, SFD_TO_END);
    ASSERT_EQ(SFD_NEXT_PARK, begin(SFD_WIRE_OPEN_FILE, -1, 0, 0));
    EXPECT_EQ("info 16", told().back());
    next_ = sfd_transfer_send(context_.get(), t_.get(), toPipe());
    finish();
    expectAllSent("opened");
    again();
    ASSERT_EQ(SFD_NEXT_PARK, begin(SFD_WIRE_OPEN_FILE, -1, 0, 0));
    EXPECT_EQ(SFD_NEXT_END, sfd_transfer_send(context_.get(), t_.get(), toFile()));
    closePending();
    EXPECT_EQ(0u, told().back().find("result " + std::to_string(EOPNOTSUPP) + " moved 0 ")) << told().back();
}

TEST_F(TransferSegmentsTest, ShouldBeReadFromTheStatusChannel)
{
    file(BIG);
    multipart({BIG - 10, 5});
    begin(SFD_WIRE_READ_FILE, -1, 0, 0);
    finish();
    const size_t before = SFD_WIRE_FILE_DETAILS_SIZE + SFD_WIRE_FILE_INFO_SIZE;
    ASSERT_EQ(before + expected_.size() + SFD_WIRE_RESULT_SIZE, status_bytes_.size());
    EXPECT_BYTES(expected_, status_bytes_.substr(before, expected_.size()));
}

TEST_F(TransferSegmentsTest, ShouldObeyCancelRateAndTheEndOfTheReceiverInsideBytes)
{
    file(1000);
    start();
    bytes(std::string(2000, 'h'));
    range(0, 1000);
    options_.rate = 1000;
    ASSERT_EQ(SFD_NEXT_TIMER, send(toPair(tcpPair(), true)));
    EXPECT_EQ(50u, count(SFD_COUNTER_BYTES)) << "a twentieth of a second's";
    ASSERT_TRUE(fires(1000));
    run();
    EXPECT_LE(count(SFD_COUNTER_BYTES), 250u) << "a burst is a tenth of a second";
    EXPECT_EQ(SFD_NEXT_END, sfd_transfer_cancel(context_.get(), t_.get()));
    EXPECT_TRUE(clientSeesEnd());
    again();

    options_.rate = 0;
    const int dest = toPipe();
    pipe_->in.reset();
    ASSERT_EQ(SFD_NEXT_END, send(dest));
    pipe_.reset();
    EXPECT_EQ(Messages{"refusal " + std::to_string(EPIPE) + " fits 0"}, told()) << "nothing was sent yet";
}

/* ------------------------------------------------------------------ the list */

TEST(SegmentsTest, ShouldRefuseAListThatIsCutOrTooLong)
{
    char list[64];
    const struct sfd_segment bytes = {"abc", 0, 3};
    const struct sfd_segment range = {nullptr, 5, 6};
    size_t size = sfd_wire_put_segment(list, &bytes);
    memcpy(list + size, "abc", 3);
    size += 3;
    size += sfd_wire_put_segment(list + size, &range);
    for (size_t length = 0; length <= size + 1; length++) {
        struct sfd_segments *segments = nullptr;
        const std::string exact(list, length);
        ASSERT_EQ(length == size ? 0 : -EBADMSG, sfd_segments_decode(exact.data(), length, 2, &segments)) << length;
        if (segments != nullptr) {
            EXPECT_EQ("abc", std::string(static_cast<const char *>(segments->segment[0].bytes), 3));
            EXPECT_EQ(nullptr, segments->segment[1].bytes);
            EXPECT_EQ(5, segments->segment[1].offset);
            EXPECT_EQ(6u, segments->segment[1].length);
        }
        free(segments);
    }
}

TEST(SegmentsTest, ShouldRefuseMoreBytesThanANumberHas)
{
    struct sfd_segment list[4] = {{nullptr, 0, SFD_TO_END}, {"", 0, 0}, {nullptr, INT64_MAX, SFD_TO_END}, {"x", 0, 1}};
    struct sfd_segments segments = {};
    segments.segment = list;
    segments.count = 3;
    EXPECT_EQ(0, sfd_segments_begin(&segments, INT64_MAX));
    EXPECT_EQ(static_cast<uint64_t>(INT64_MAX), segments.behind);
    segments.count = 4;
    EXPECT_EQ(-ERANGE, sfd_segments_begin(&segments, INT64_MAX));
    list[1] = {nullptr, 0, SFD_TO_END};
    EXPECT_EQ(-ERANGE, sfd_segments_begin(&segments, INT64_MAX));
    list[1] = {nullptr, -1, 0};
    EXPECT_EQ(-ERANGE, sfd_segments_begin(&segments, INT64_MAX));
}

} // namespace
