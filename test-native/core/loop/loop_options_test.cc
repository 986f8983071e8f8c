// The event loop with extended requests, limits of time, a selector and clients that want more than their turn.
#include "loop_fixture.h"

#include <map>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "pty.h"

namespace
{

constexpr uint64_t START_MS = 1000000;

class LoopOptionsTest : public LoopFixture
{
  protected:
    void SetUp() override
    {
        LoopFixture::SetUp();
        script.now_ms = START_MS;
    }
    static std::string result(size_t moved, enum sfd_technique technique, int error = 0)
    {
        return "result " + std::to_string(error) + " moved " + std::to_string(moved) + " by " +
               std::to_string(technique);
    }
    /* A Send File to a regular file that the disk pool has, and does not get to. */
    OwnedFd stuckOnDisk(const struct sfd_options &options)
    {
        warmUp();
        file(BIG);
        hold_ = true;
        const OwnedFd out = openFile(*directory_ / "out", O_WRONLY | O_CREAT);
        OwnedFd status = sendExtended(out.get(), options);
        until([&] { return held_.size() == 1; });
        EXPECT_EQ(Messages{"info " + std::to_string(BIG)}, messages(drain(status.get())));
        return status;
    }
    void handBack()
    {
        hold_ = false;
        releaseHeld();
        until([&] { return transfers() == 0; });
        settle(); // closes
    }
};

/* ------------------------------------------------------------------ extended requests */

TEST_F(LoopOptionsTest, ShouldServeAnExtendedRequest)
{
    warmUp();
    file(4096);
    Pipe dest;
    const OwnedFd status = sendExtended(dest.out.get());
    untilServed(1);
    EXPECT_EQ((Messages{"info 4096", result(4096, SFD_TECHNIQUE_READ_WRITE)}), messages(drain(status.get())));
    EXPECT_TRUE(atEnd(status.get()));
    EXPECT_BYTES(content_, drain(dest.in.get()));
}

/* ------------------------------------------------------------------ requests of version 2 */

class LoopVersion2Test : public LoopOptionsTest
{
  protected:
    LoopVersion2Test()
    {
        options_.version = SFD_WIRE_VERSION_2;
    }
    void TearDown() override
    {
        data_.reset();
        LoopOptionsTest::TearDown();
    }
    /* A request on the file; gives the status channel. */
    OwnedFd ask(uint8_t command, uint64_t length, const std::vector<int> &fds, int64_t offset = 0)
    {
        char header[SFD_WIRE_MAX_REQUEST_SIZE];
        const size_t n = sfd_wire_put_extended_request(header, command, offset, length, &options_, 4);
        Pipe status;
        std::vector<int> all = {status.out.get()};
        all.insert(all.end(), fds.begin(), fds.end());
        submit(std::string(header, n) + "file" + '\0', all);
        return std::move(status.in);
    }
    OwnedFd split(uint64_t length = SFD_WIRE_TO_END)
    {
        data_ = std::make_unique<Pipe>(O_NONBLOCK);
        OwnedFd status = ask(SFD_WIRE_READ_FILE_EXT, length, {data_->out.get()});
        data_->out.reset();
        return status;
    }

    struct sfd_options options_ = {};
    std::unique_ptr<Pipe> data_;
};

/* The same with segments, as they travel. */
static std::string listed(const std::string &head, const std::vector<std::string> &segments)
{
    std::string request = head;
    for (const std::string &segment : segments) {
        request += segment;
    }
    sfd_wire_set_segments(request.data(), static_cast<unsigned>(segments.size()), request.size() - head.size());
    return request;
}

static std::string segment(const struct sfd_segment &segment)
{
    char head[SFD_WIRE_SEGMENT_SIZE];
    const std::string text(head, sfd_wire_put_segment(head, &segment));
    return segment.bytes == nullptr ? text
                                    : text + std::string(static_cast<const char *>(segment.bytes), segment.length);
}

TEST_F(LoopVersion2Test, ShouldSendSegmentsBehindAPathAndBehindADescriptor)
{
    warmUp();
    file(4096);
    const std::vector<std::string> list = {segment({"head", 0, 4}), segment({nullptr, 4000, SFD_TO_END}),
                                           segment({nullptr, 0, 7}), segment({"tail", 0, 4})};
    const OwnedFd source = openFile(*directory_ / "file", O_RDONLY);
    int served = 0;
    for (const bool descriptor : {false, true}) {
        Pipe dest;
        Pipe status;
        std::vector<int> fds = {status.out.get(), dest.out.get()};
        if (descriptor) {
            fds.push_back(source.get());
        }
        submit(listed(extendedRequest(descriptor ? SFD_WIRE_SEND_DESCRIPTOR : SFD_WIRE_SEND_FILE_EXT, options_,
                                      descriptor ? "" : "file"),
                      list),
               fds);
        status.out.reset();
        untilServed(++served);
        EXPECT_EQ((Messages{"details 4096", "info 111", result(111, SFD_TECHNIQUE_READ_WRITE)}),
                  messages(drain(status.in.get())));
        EXPECT_BYTES("head" + content_.substr(4000) + content_.substr(0, 7) + "tail", drain(dest.in.get()));
    }
}

TEST_F(LoopVersion2Test, ShouldRefuseSegmentsThatAreNone)
{
    warmUp();
    file(4096);
    const std::string head = extendedRequest(SFD_WIRE_SEND_FILE_EXT, options_, "file");
    const std::string range = segment({nullptr, 0, 1});
    std::string cut = listed(head, {range, range.substr(0, 15)});
    const std::vector<std::pair<std::string, int>> refused = {
        {cut, EBADMSG},
        {listed(head, std::vector<std::string>(SFD_SEGMENTS_MAX + 1, range)), E2BIG},
        {listed(head, {segment({nullptr, -2, 1})}), ERANGE},
        {listed(head, {segment({nullptr, 4000, 97})}), ERANGE},
        {listed(head, {range, segment({std::string(4100, 'x').data(), 0, 4100})}), EMSGSIZE},
    };
    for (const auto &[request, error] : refused) {
        Pipe dest;
        Pipe status;
        submit(request, {status.out.get(), dest.out.get()});
        status.out.reset();
        until([&] { return readable(status.in.get()); });
        EXPECT_EQ(Messages{"refusal " + std::to_string(error) + " fits 0"}, messages(drain(status.in.get())));
        EXPECT_EQ("", drain(dest.in.get()));
    }
}

TEST_F(LoopVersion2Test, ShouldTellAnEmptyRangeFromOneToTheEnd)
{
    warmUp();
    file(4096);
    int served = 0;
    for (const int64_t offset : {int64_t{0}, int64_t{4000}, int64_t{4096}}) {
        const size_t rest = 4096 - static_cast<size_t>(offset);
        for (const auto &[length, size] : {std::pair<uint64_t, size_t>{0, 0}, {SFD_WIRE_TO_END, rest}}) {
            SCOPED_TRACE(testing::Message() << offset << " + " << length);
            Pipe dest;
            OwnedFd status = ask(SFD_WIRE_SEND_FILE_EXT, length, {dest.out.get()}, offset);
            untilServed(++served);
            Messages told = messages(drain(status.get()));
            EXPECT_EQ("details 4096", told.at(0));
            EXPECT_EQ("info " + std::to_string(size), told.at(1));
            EXPECT_EQ(result(size, SFD_TECHNIQUE_READ_WRITE), told.at(2));
            EXPECT_EQ(3u, told.size());
            EXPECT_BYTES(content_.substr(static_cast<size_t>(offset), size), drain(dest.in.get()));
            status = ask(SFD_WIRE_READ_FILE_EXT, length, {}, offset);
            untilServed(++served);
            const std::string all = drain(status.get());
            ASSERT_EQ(2u * 48 + size + 32, all.size());
            EXPECT_BYTES(content_.substr(static_cast<size_t>(offset), size), all.substr(96, size));
            EXPECT_TRUE(atEnd(status.get()));
        }
    }
    const OwnedFd status = ask(SFD_WIRE_OPEN_FILE_EXT, 0, {}, 4097);
    untilServed(++served);
    EXPECT_EQ(Messages{"refusal " + std::to_string(ERANGE) + " fits 0"}, messages(drain(status.get())));
}

TEST_F(LoopVersion2Test, ShouldTellTheDetailsThatStatTells)
{
    file(4096);
    ASSERT_EQ(0, chmod((*directory_ / "file").c_str(), 0640));
    const struct timespec times[2] = {{1700000001, 123456789}, {-5, 999999999}};
    ASSERT_EQ(0, utimensat(AT_FDCWD, (*directory_ / "file").c_str(), times, 0));
    struct stat st = {};
    ASSERT_EQ(0, stat((*directory_ / "file").c_str(), &st));
    for (const bool cold : {false, true}) {
        script.cold_opens = cold;
        const OwnedFd status = ask(SFD_WIRE_OPEN_FILE_EXT, 10, {}, 5);
        until([&] { return readable(status.get()); });
        const std::string told = drain(status.get());
        struct sfd_wire_response r = {};
        ASSERT_EQ(48, sfd_wire_get_response(told.data(), told.size(), &r));
        ASSERT_EQ(SFD_WIRE_RESPONSE_DETAILS, r.kind);
        EXPECT_EQ(4096u, r.details.size);
        EXPECT_EQ(st.st_ino, r.details.inode);
        EXPECT_EQ(st.st_dev, r.details.device);
        EXPECT_EQ(st.st_mode, r.details.mode);
        EXPECT_EQ(123456789u, r.details.atime_ns);
        EXPECT_EQ(999999999u, r.details.mtime_ns);
        EXPECT_EQ(static_cast<uint32_t>(st.st_ctim.tv_nsec), r.details.ctime_ns);
        const struct sfd_wire_file_info info = infoOf(told.substr(48));
        EXPECT_EQ(10u, info.size);
        EXPECT_EQ(1700000001, info.atime);
        EXPECT_EQ(-5, info.mtime);
        EXPECT_EQ(st.st_ctim.tv_sec, info.ctime);
    }
}

TEST_F(LoopVersion2Test, ShouldMoveTheBytesOfAReadThroughItsDataChannelAndNothingElse)
{
    warmUp();
    file(BIG);
    const OwnedFd status = split();
    untilServed(1);
    EXPECT_GT(fcntl(data_->in.get(), F_GETPIPE_SZ), 65536) << "it is enlarged as the channel of other reads is";
    std::string got;
    until([&] {
        got += drain(data_->in.get());
        return transfers() == 0;
    });
    got += drain(data_->in.get());
    EXPECT_BYTES(content_, got);
    EXPECT_TRUE(atEnd(data_->in.get()));
    const Messages told = messages(drain(status.get()));
    EXPECT_EQ("details " + std::to_string(BIG), told.at(0));
    EXPECT_EQ("info " + std::to_string(BIG), told.at(1));
    EXPECT_EQ(result(BIG, SFD_TECHNIQUE_SPLICE), told.back());
    EXPECT_TRUE(atEnd(status.get()));
}

TEST_F(LoopVersion2Test, ShouldSayWhyAReadHasFailedApartFromItsBytes)
{
    warmUp();
    file(BIG);
    options_.idle_ms = 100;
    OwnedFd status = split();
    untilServed(1);
    script.now_ms += 100;
    settle();
    EXPECT_EQ(0u, transfers());
    std::string got = drain(data_->in.get());
    EXPECT_BYTES(content_.substr(0, got.size()), got);
    EXPECT_TRUE(atEnd(data_->in.get()));
    EXPECT_EQ(result(got.size(), SFD_TECHNIQUE_SPLICE, ETIMEDOUT), messages(drain(status.get())).back());

    status = split();
    untilServed(2);
    ASSERT_EQ(0, truncate((*directory_ / "file").c_str(), 1));
    until([&] {
        got = drain(data_->in.get());
        return transfers() == 0;
    });
    EXPECT_EQ(0u, messages(drain(status.get())).back().rfind("result " + std::to_string(ENODATA), 0));

    status = split();
    untilServed(3);
    data_->in.reset();
    until([&] { return transfers() == 0; });
    EXPECT_EQ(0u, messages(drain(status.get())).back().rfind("result 0 moved 1", 0)) << "one byte fits";
    EXPECT_TRUE(atEnd(status.get()));
}

TEST_F(LoopVersion2Test, ShouldRefuseADataChannelThatIsNoPipeOrNotOfVersion2)
{
    warmUp();
    file(10);
    SocketPair pair;
    Pipe data;
    OwnedFd status = ask(SFD_WIRE_READ_FILE_EXT, 0, {pair.out.get()});
    untilServed(1);
    EXPECT_EQ(Messages{"refusal " + std::to_string(EBADMSG) + " fits 0"}, messages(drain(status.get())));
    status = ask(SFD_WIRE_READ_FILE_EXT, 0, {data.out.get(), data.out.get()});
    untilServed(2);
    EXPECT_EQ(Messages{"refusal " + std::to_string(EBADMSG) + " fits 0"}, messages(drain(status.get())));
    options_.version = 0;
    status = ask(SFD_WIRE_READ_FILE_EXT, 0, {data.out.get()});
    untilServed(3);
    EXPECT_EQ(Messages{"refusal " + std::to_string(EBADMSG) + " fits 0"}, messages(drain(status.get())));
    data.out.reset();
    EXPECT_TRUE(atEnd(data.in.get())) << "it is closed";
}

/* ------------------------------------------------------------------ techniques and refusals */

TEST_F(LoopOptionsTest, ShouldObeyAForcedTechniqueAndRefuseOneThatDoesNotFit)
{
    warmUp();
    file(4096);
    Pipe dest;
    struct sfd_options options = {};
    options.technique = SFD_TECHNIQUE_MMAP;
    OwnedFd status = sendExtended(dest.out.get(), options);
    untilServed(1);
    EXPECT_EQ(result(4096, SFD_TECHNIQUE_MMAP), messages(drain(status.get())).back());
    options.technique = SFD_TECHNIQUE_COPY_FILE_RANGE;
    status = sendExtended(dest.out.get(), options);
    untilServed(2);
    EXPECT_EQ(Messages{"refusal " + std::to_string(EOPNOTSUPP) + " fits 28"}, messages(drain(status.get())));
    EXPECT_TRUE(atEnd(status.get()));
}

TEST_F(LoopOptionsTest, ShouldRefuseAnExtendedRequestWithARefusalWhateverRefusesIt)
{
    file(10);
    Pipe dest;
    deny_ = EACCES;
    OwnedFd status = sendExtended(dest.out.get());
    untilServed(1);
    EXPECT_EQ(Messages{"refusal " + std::to_string(EACCES) + " fits 0"}, messages(drain(status.get())));
    deny_ = 0;
    shared_->settings.max_transfers = 0;
    status = sendExtended(dest.out.get());
    untilServed(2);
    EXPECT_EQ(Messages{"refusal " + std::to_string(EMFILE) + " fits 0"}, messages(drain(status.get())));
    EXPECT_TRUE(atEnd(status.get()));
}

TEST_F(LoopOptionsTest, ShouldSendADescriptorOfTheClients)
{
    warmUp();
    file(BIG);
    OwnedFd source = openFile(*directory_ / "file", O_RDONLY);
    Pipe status, dest;
    submit(extendedRequest(SFD_WIRE_SEND_DESCRIPTOR, {}), {status.out.get(), dest.out.get(), source.get()});
    status.out.reset();
    dest.out.reset();
    source.reset();
    std::string got;
    until([&] {
        got += drain(dest.in.get());
        return got.size() >= BIG;
    });
    settle();
    EXPECT_BYTES(content_, got);
    EXPECT_EQ(result(BIG, SFD_TECHNIQUE_SPLICE), messages(drain(status.in.get())).back());
}

TEST_F(LoopOptionsTest, ShouldRefuseASendDescriptorWithoutItsDescriptors)
{
    Pipe dest;
    for (const size_t count : {1u, 2u}) {
        Pipe status;
        std::vector<int> fds = {status.out.get(), dest.out.get()};
        fds.resize(count);
        submit(extendedRequest(SFD_WIRE_SEND_DESCRIPTOR, {}), fds);
        status.out.reset();
        untilServed(static_cast<int>(count));
        EXPECT_EQ(Messages{"refusal " + std::to_string(EBADMSG) + " fits 0"}, messages(drain(status.in.get())));
        EXPECT_TRUE(atEnd(status.in.get()));
    }
}

/* ------------------------------------------------------------------ time */

TEST_F(LoopOptionsTest, ShouldEndATransferAtItsDeadlineAlthoughADeadDiskHasIt)
{
    struct sfd_options options = {};
    options.deadline_ms = 500;
    const OwnedFd status = stuckOnDisk(options);
    script.now_ms += 499;
    settle();
    EXPECT_FALSE(readable(status.get()));
    script.now_ms += 1;
    settle();
    EXPECT_EQ(Messages{result(0, SFD_TECHNIQUE_COPY_FILE_RANGE, ETIMEDOUT)}, messages(drain(status.get())));
    EXPECT_TRUE(atEnd(status.get()));
    EXPECT_EQ(1u, transfers()) << "one entry of the table, until the disk answers";
    EXPECT_EQ(1u, count(SFD_COUNTER_DEADLINES));
    handBack();
    EXPECT_EQ("", contentOf(*directory_ / "out"));
}

TEST_F(LoopOptionsTest, ShouldSeeThatAClientIsGoneAlthoughADeadDiskHasItsTransfer)
{
    OwnedFd status = stuckOnDisk({});
    status.reset();
    settle();
    EXPECT_EQ(1u, count(SFD_COUNTER_CANCELLED));
    handBack();
    EXPECT_EQ("", contentOf(*directory_ / "out")) << "the disk is spared what nobody waits for";
    EXPECT_EQ(1u, count(SFD_COUNTER_CANCELLED));
}

TEST_F(LoopOptionsTest, ShouldAnswerAtOnceWhenItStopsAlthoughADeadDiskHasTheTransfer)
{
    const OwnedFd status = stuckOnDisk({});
    sfd_loop_stop(loop());
    turn();
    EXPECT_EQ(Messages{result(0, SFD_TECHNIQUE_COPY_FILE_RANGE, ESHUTDOWN)}, messages(drain(status.get())));
    EXPECT_TRUE(atEnd(status.get()));
    EXPECT_EQ(0, turn()) << "it waits for the disk";
    hold_ = false;
    releaseHeld();
    int result = 0;
    for (int i = 0; i < 10 && result == 0; i++) {
        result = turn();
    }
    EXPECT_EQ(-ESHUTDOWN, result);
}

TEST_F(LoopOptionsTest, ShouldLetAnIdleTransferGoInTime)
{
    shared_->settings.idle_timeout_ms = 1000;
    destroyLoops();
    createLoops();
    file(BIG);
    Pipe dest;
    const OwnedFd status = send(dest.out.get());
    until([&] { return count(SFD_COUNTER_BLOCKED) > 0; });
    script.now_ms += 999;
    settle();
    EXPECT_EQ(1u, transfers());
    script.now_ms += 1;
    settle();
    EXPECT_EQ(0u, transfers());
    EXPECT_EQ(error(SFD_WIRE_XFER_STAT, ETIMEDOUT), messages(drain(status.get())).back());
    EXPECT_EQ(1u, count(SFD_COUNTER_IDLE_TIMEOUTS));
}

TEST_F(LoopOptionsTest, ShouldSleepWhileItsReceiversAreStuck)
{
    shared_->settings.idle_timeout_ms = 300000;
    destroyLoops();
    createLoops();
    file(BIG);
    std::vector<OwnedFd> statuses;
    std::vector<std::unique_ptr<Pipe>> dests;
    for (int i = 0; i < 100; i++) {
        dests.push_back(std::make_unique<Pipe>());
        statuses.push_back(send(dests.back()->out.get()));
        until([&] { return count(SFD_COUNTER_BLOCKED) == static_cast<uint64_t>(i) + 1; });
    }
    int passed = 0;
    for (const int ms : {SFD_PROGRESS_INTERVAL_MS, SFD_LOOP_EXITS_MS, SFD_LOOP_EXITS_MS}) {
        script.now_ms += static_cast<uint64_t>(ms);
        passed += ms;
        settle(); // what was to be told is told, and the client is watched
    }
    turn();
    EXPECT_EQ(300000 - passed, script.timeout_ms) << "nothing before the limit";
    const uint64_t blocked = count(SFD_COUNTER_BLOCKED);
    settle();
    EXPECT_EQ(blocked, count(SFD_COUNTER_BLOCKED)) << "none of them is tried again";
}

TEST_F(LoopOptionsTest, ShouldWakeForTheNextStepOfARate)
{
    warmUp();
    file(1000);
    Pipe dest;
    struct sfd_options options = {};
    options.rate = 1000;
    const OwnedFd status = sendExtended(dest.out.get(), options);
    untilServed(1);
    EXPECT_EQ(50u, drain(dest.in.get()).size());
    EXPECT_EQ(50, script.timeout_ms) << "20 steps a second";
    size_t got = 50;
    for (int step = 1; step < 20; step++) {
        script.now_ms += 49;
        settle();
        EXPECT_EQ("", drain(dest.in.get()));
        script.now_ms += 1;
        settle();
        got += drain(dest.in.get()).size();
        EXPECT_EQ(50u * (static_cast<size_t>(step) + 1), got);
    }
    EXPECT_EQ(0u, transfers());
}

TEST_F(LoopOptionsTest, ShouldSeeThatAClientIsGoneWhileItsRateMakesItWait)
{
    warmUp();
    file(1000);
    Pipe dest;
    struct sfd_options options = {};
    options.rate = 1;
    OwnedFd status = sendExtended(dest.out.get(), options);
    untilServed(1);
    ASSERT_EQ(1u, transfers());
    status.reset();
    settle();
    EXPECT_EQ(0u, transfers());
}

/* ------------------------------------------------------------------ the selector */

class LoopSelectorTest : public LoopOptionsTest
{
  protected:
    void createLoops() override
    {
        shared_->settings.selector = true;
        LoopFixture::createLoops();
    }
};

TEST_F(LoopSelectorTest, ShouldLeaveAChoiceAndObeyTheVerdict)
{
    warmUp();
    selections_.clear();
    verdict_ = SFD_TECHNIQUE_MMAP;
    file(4096);
    Pipe dest;
    const OwnedFd status = sendExtended(dest.out.get());
    untilServed(1);
    ASSERT_EQ(1u, selections_.size());
    EXPECT_EQ(4096u, selections_[0].size);
    EXPECT_EQ(SFD_FD_PIPE, selections_[0].kind);
    EXPECT_EQ(1, selections_[0].blocking);
    EXPECT_EQ(28u, selections_[0].fits) << "splice, mmap, read-write";
    EXPECT_EQ(0, selections_[0].verdict);
    EXPECT_EQ(result(4096, SFD_TECHNIQUE_MMAP), messages(drain(status.get())).back());
}

TEST_F(LoopSelectorTest, ShouldLeaveMoreChoicesThanATurnHolds)
{
    file(100);
    std::vector<OwnedFd> reads;
    script.cold_opens = true;
    hold_ = true;
    for (int i = 0; i < 3 * SFD_SELECTIONS_MAX; i++) {
        reads.push_back(read());
        untilServed(i + 1);
    }
    selections_.clear();
    hold_ = false;
    releaseHeld(); // all become ready in one turn
    until([&] { return transfers() == 0; });
    EXPECT_EQ(3u * SFD_SELECTIONS_MAX, selections_.size());
    for (const OwnedFd &in : reads) {
        EXPECT_EQ(content_, drain(in.get()).substr(SFD_WIRE_FILE_INFO_SIZE));
    }
}

TEST_F(LoopSelectorTest, ShouldForgetAChoiceWhoseClientIsGone)
{
    warmUp();
    selections_.clear();
    file(BIG);
    OwnedFd in = read();
    until([&] { return selections_.size() == 1; });
    in.reset();
    settle();
    EXPECT_EQ(0u, transfers());
}

TEST_F(LoopSelectorTest, ShouldStopWithAChoiceLeft)
{
    warmUp();
    selections_.clear();
    file(BIG);
    const OwnedFd in = read();
    until([&] { return selections_.size() == 1; });
    sfd_loop_stop(loop());
    int result = 0;
    for (int i = 0; i < 10 && result == 0; i++) {
        result = turn();
    }
    EXPECT_EQ(-ESHUTDOWN, result);
    EXPECT_EQ(Messages{error(SFD_WIRE_FILE_INFO, ESHUTDOWN)}, messages(drain(in.get())));
}

/* ------------------------------------------------------------------ fair turns */

/* Destinations that take everything at once, and whose bytes are counted by the socket that they go to. */
std::map<ino_t, uint64_t> taken;

class FairTurnsTest : public LoopOptionsTest
{
  protected:
    static constexpr size_t SIZE = 64 * 1024 * 1024;

    void scriptCalls(struct sfd_sys *sys) override
    {
        taken.clear();
        sys->sendfile = [](int to, int from, int64_t *offset, size_t count) {
            struct stat st;
            if (fstat(to, &st) < 0 || !S_ISSOCK(st.st_mode)) {
                return sfd_sys_linux.sendfile(to, from, offset, count);
            }
            taken[st.st_ino] += count;
            *offset += static_cast<int64_t>(count);
            return static_cast<int64_t>(count);
        };
    }
    void TearDown() override
    {
        pairs_.clear();
        statuses_.clear();
        LoopOptionsTest::TearDown();
    }
    /* So many transfers of one client. */
    void ask(int32_t pid, int transfers)
    {
        pid_ = pid;
        for (int i = 0; i < transfers; i++) {
            pairs_.emplace_back();
            setNonblocking(pairs_.back().out.get());
            struct stat st;
            ASSERT_EQ(0, fstat(pairs_.back().out.get(), &st));
            clients_[st.st_ino] = pid;
            statuses_.push_back(send(pairs_.back().out.get()));
            const int before = received_;
            until([&] { return received_ == before + 1; });
        }
    }
    std::map<int32_t, uint64_t> bytes()
    {
        std::map<int32_t, uint64_t> of;
        for (const auto &[inode, count] : taken) {
            of[clients_[inode]] += count;
        }
        return of;
    }

    std::deque<SocketPair> pairs_;
    std::vector<OwnedFd> statuses_;
    std::map<ino_t, int32_t> clients_;
};

TEST_F(FairTurnsTest, ShouldGiveEveryClientAsManyBytesWhateverItsNumberOfTransfers) // D36
{
    warmUp();
    writeFile(*directory_ / "file", "");
    ASSERT_EQ(0, truncate((*directory_ / "file").c_str(), SIZE));
    ask(1001, 30);
    ask(1002, 1);
    ask(1003, 5);
    turn();
    std::map<int32_t, uint64_t> before = bytes(); // they did not come at the same time
    uint64_t least = 0;
    for (int i = 0; i < 20; i++) {
        turn();
        least = UINT64_MAX;
        uint64_t most = 0;
        for (const auto &[pid, count] : bytes()) {
            least = std::min(least, count - before[pid]);
            most = std::max(most, count - before[pid]);
        }
        EXPECT_LE(most - least, shared_->settings.quantum) << "in turn " << i;
    }
    EXPECT_GT(least, 0u);
    EXPECT_EQ(36u, transfers()) << "none is through";
}

TEST_F(FairTurnsTest, ShouldGiveTheTransfersOfAClientTheSameAsWell)
{
    warmUp();
    writeFile(*directory_ / "file", "");
    ASSERT_EQ(0, truncate((*directory_ / "file").c_str(), SIZE));
    ask(1001, 7);
    turn();
    const std::map<ino_t, uint64_t> before = taken;
    for (int i = 0; i < 20; i++) {
        turn();
    }
    uint64_t least = UINT64_MAX;
    uint64_t most = 0;
    for (const auto &[inode, count] : taken) {
        least = std::min(least, count - before.at(inode));
        most = std::max(most, count - before.at(inode));
    }
    EXPECT_LE(most - least, shared_->settings.quantum);
    EXPECT_GT(least, 0u);
}

/* ------------------------------------------------------------------ clients that go */

using GoneClientTest = LoopFixture;

TEST_F(GoneClientTest, ShouldBeSeenLaterWhenTheirGoingCouldNotBeWatchedAtFirst)
{
    const Pipe data;

    file(BIG);
    script.cold_opens = true;
    hold_ = true;
    OwnedFd status = send(data.out.get());
    script.epoll_add_error = -ENOSPC; // the user's limit of watches
    until([&] { return !held_.empty(); });
    script.epoll_add_error = 0;
    hold_ = false;
    releaseHeld();
    settle();
    ASSERT_EQ(1u, transfers()) << "its destination is full";
    status.reset();
    until([&] { return transfers() == 0; });
    EXPECT_EQ(1u, count(SFD_COUNTER_CANCELLED));
}

/* ------------------------------------------------------------------ terminals */

using TerminalTest = LoopFixture;

/*
 * Runs `work` as a background job of a terminal that stops those who write to it (stty tostop). 0: it ended with true.
 */
int inBackground(const Pty &pty, const std::function<bool()> &work)
{
    const pid_t leader = fork();

    if (leader == 0) {
        struct termios modes = {};
        setsid();
        ioctl(pty.line.get(), TIOCSCTTY, 0);
        tcgetattr(pty.line.get(), &modes);
        modes.c_lflag |= TOSTOP;
        tcsetattr(pty.line.get(), TCSANOW, &modes);
        const pid_t job = fork();
        if (job == 0) {
            setpgid(0, 0);
            _exit(work() ? 0 : 1);
        }
        int status = 0;
        waitpid(job, &status, WUNTRACED);
        if (WIFSTOPPED(status)) {
            kill(job, SIGKILL);
        }
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 2);
    }
    int status = 0;
    waitpid(leader, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 3;
}

TEST_F(TerminalTest, ShouldNotBeStoppedByTheTerminalThatItWasStartedFrom)
{
    const Pty pty;

    file(100);
    EXPECT_EQ(0, inBackground(pty, [&] {
                  const OwnedFd status = send(pty.line.get());
                  untilServed(1);
                  const Messages all = messages(drain(status.get()));
                  return !all.empty() && all.back() == "complete";
              }));
    EXPECT_BYTES(content_, drain(pty.master.get()));
}

} // namespace
