// Requests of this process: from the submission to the messages, one turn at a time.
#include "local_requests.h"
#include "loop_fixture.h"

namespace
{

class LoopLocalTest : public LoopFixture
{
  protected:
    void createLoops() override
    {
        shared_->request_fd = -1;
        shared_->settings.max_transfers = 1000;
        LoopFixture::createLoops();
    }
    void TearDown() override
    {
        releaseHeld();
        for (int i = 0; i < 100 && requests_.open() > 0; i++) {
            step();
        }
        LoopFixture::TearDown();
    }

    /* A turn whose messages are read; how many tickets have got some. */
    int step(uint32_t index = 0)
    {
        const int result = turn(index);
        result_ = result;
        return result == 0 ? requests_.dispatch(buffer(index)) : 0;
    }
    /* Until every request is over. */
    void finish()
    {
        for (int i = 0; i < 1000 && requests_.open() > 0; i++) {
            step();
        }
        EXPECT_EQ(0u, requests_.open()) << "requests without an end";
    }
    int64_t submit(const struct sfd_local_order &order)
    {
        return requests_.submit(shared_.get(), order);
    }
    struct sfd_local_order order(uint8_t command, int dest, const std::string &path = "file", uint64_t owner = 1)
    {
        paths_.push_back(path);
        return localOrder(command, &servedRoot_, paths_.back(), dest, owner);
    }
    int64_t sendTo(int dest, const std::string &path = "file", uint64_t owner = 1)
    {
        return submit(order(SFD_WIRE_SEND_FILE, dest, path, owner));
    }
    /* The device becomes known, so that nothing needs the disk pool any more. */
    void warmUp()
    {
        sendTo(null());
        finish();
    }
    int64_t openFor(uint64_t owner = 1)
    {
        return submit(order(SFD_WIRE_OPEN_FILE, -1, "file", owner));
    }
    static int null()
    {
        return ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    }
    static std::string refusal(int error)
    {
        return "refusal " + std::to_string(error) + " fits 0";
    }
    std::string result(int error, size_t moved)
    {
        return "result " + std::to_string(error) + " moved " + std::to_string(moved);
    }
    std::string end(int64_t ticket)
    {
        return requests_.lastOf(ticket);
    }

    LocalRequests requests_;
    std::deque<std::string> paths_;
    int result_ = 0;
};

TEST_F(LoopLocalTest, ShouldTellOfASmallSendInOneRecord)
{
    file(1000);
    Pipe pipe;
    const int64_t ticket = sendTo(dup(pipe.out.get()));
    pipe.out.reset();
    finish();
    EXPECT_EQ((Messages{"details 1000", "info 1000", result(0, 1000)}),
              (Messages{requests_.of(ticket)[0], requests_.of(ticket)[1], end(ticket)}));
    EXPECT_EQ(size_t{SFD_WIRE_FILE_DETAILS_SIZE + SFD_WIRE_FILE_INFO_SIZE + SFD_WIRE_RESULT_SIZE},
              requests_.bytesOf(ticket).size());
    EXPECT_BYTES(content_, readToEnd(pipe.in.get()));
    EXPECT_EQ(0u, transfers());
    EXPECT_EQ(1u, count(SFD_COUNTER_REQUESTS));
    EXPECT_EQ(1u, count(SFD_COUNTER_COMPLETED));
}

TEST_F(LoopLocalTest, ShouldNotLookForASocketThatIsNotThere)
{
    EXPECT_TRUE(loop()->receiving);
    EXPECT_EQ(0u, loop()->receive_again.position) << "it tries again";
    sfd_loop_stop(loop());
    while (result_ == 0) {
        step();
    }
    EXPECT_EQ(0u, count(SFD_COUNTER_SHORTAGES));
}

TEST_F(LoopLocalTest, ShouldTellInOneRecordWhatCameInOneTurn)
{
    file(300 * 1024); // more than a quantum, so it is told of its beginning first
    warmUp();
    const int64_t ticket = sendTo(null());
    EXPECT_EQ(1, step());
    EXPECT_EQ(result(0, 300 * 1024), end(ticket));
    EXPECT_EQ("details", requests_.of(ticket).front().substr(0, 7));
}

TEST_F(LoopLocalTest, ShouldTellHowMuchACancelledCopyHasWritten)
{
    file(BIG);
    warmUp();
    hold_ = true;
    const int64_t ticket = sendTo(::open((*directory_ / "copy").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    for (int i = 0; i < 10 && held_.empty(); i++) {
        step();
    }
    ASSERT_EQ(1u, held_.size());
    struct sfd_task *task = held_.front();
    held_.pop_front();
    sfd_loop_work(task); // the copy is made, and its loop does not know yet
    requests_.cancel(ticket);
    finish();
    EXPECT_EQ(result(ECANCELED, std::filesystem::file_size(*directory_ / "copy")), end(ticket));
}

TEST_F(LoopLocalTest, ShouldOpenAFileAndSendItLater)
{
    file(BIG);
    const int64_t ticket = openFor();
    step();
    step();
    ASSERT_EQ((Messages{"details " + std::to_string(BIG), "info " + std::to_string(BIG)}), requests_.of(ticket));
    SocketPair pair;
    setNonblocking(pair.out.get());
    requests_.sendOpened(ticket, dup(pair.out.get()));
    pair.out.reset();
    std::string got;
    until([&] {
        requests_.dispatch(buffer());
        got += drain(pair.in.get());
        return requests_.isOver(ticket);
    });
    got += readToEnd(pair.in.get());
    EXPECT_EQ(result(0, BIG), end(ticket));
    EXPECT_BYTES(content_, got);
}

TEST_F(LoopLocalTest, ShouldSendADescriptorAPartAndSegments)
{
    file(5000);
    Pipe pipe;
    struct sfd_local_order of = order(SFD_WIRE_SEND_DESCRIPTOR, dup(pipe.out.get()));
    of.source = ::open((*directory_ / "file").c_str(), O_RDONLY | O_CLOEXEC);
    of.root = nullptr;
    of.path = nullptr;
    of.path_length = 0;
    of.offset = 4000;
    const int64_t descriptor = submit(of);
    struct sfd_local_order part = order(SFD_WIRE_SEND_FILE, dup(pipe.out.get()));
    part.offset = 100;
    part.length = 50;
    const int64_t range = submit(part);
    char segments[100];
    struct sfd_segment head = {};
    head.bytes = "head";
    head.length = 4;
    struct sfd_segment tail = {};
    tail.offset = 4990;
    tail.length = SFD_TO_END;
    size_t n = sfd_wire_put_segment(segments, &head);
    memcpy(segments + n, head.bytes, 4);
    n += 4;
    n += sfd_wire_put_segment(segments + n, &tail);
    struct sfd_local_order several = order(SFD_WIRE_SEND_FILE, dup(pipe.out.get()));
    several.length = 0;
    several.segments = segments;
    several.segments_size = n;
    several.segment_count = 2;
    const int64_t both = submit(several);
    pipe.out.reset();
    finish();
    EXPECT_EQ(result(0, 1000), end(descriptor));
    EXPECT_EQ(result(0, 50), end(range));
    EXPECT_EQ(result(0, 14), end(both));
    EXPECT_BYTES(content_.substr(4000) + content_.substr(100, 50) + "head" + content_.substr(4990),
                 readToEnd(pipe.in.get()));
}

TEST_F(LoopLocalTest, ShouldReadAFileIntoAPipeThatItEnlarges)
{
    file(300 * 1024);
    Pipe pipe;
    const int64_t ticket = submit(order(SFD_WIRE_READ_FILE, dup(pipe.out.get())));
    const int64_t other = submit(order(SFD_WIRE_READ_FILE, null()));
    pipe.out.reset();
    finish(); // before anything is read
    EXPECT_EQ(result(0, 300 * 1024), end(ticket));
    EXPECT_EQ(Messages{refusal(EINVAL)}, requests_.of(other)) << "it is no pipe";
    EXPECT_BYTES(content_, readToEnd(pipe.in.get()));
}

TEST_F(LoopLocalTest, ShouldWarmAFileWithoutADestination)
{
    file(BIG);
    const int64_t ticket = sendTo(null());
    finish();
    EXPECT_EQ(result(0, BIG), end(ticket));
}

TEST_F(LoopLocalTest, ShouldRefuseWhatMakesNoSenseAndCloseItsDescriptors)
{
    file(10);
    const auto refused = [this](const std::function<void(struct sfd_local_order &)> &change,
                                uint8_t command = SFD_WIRE_SEND_FILE) {
        struct sfd_local_order wrong = order(command, command == SFD_WIRE_OPEN_FILE ? -1 : null());
        change(wrong);
        return submit(wrong);
    };
    const std::string longPath(SFD_WIRE_MAX_PATH + 1, 'x');
    EXPECT_EQ(-EINVAL, refused([](auto &o) { o.command = SFD_WIRE_CANCEL; }));
    EXPECT_EQ(-EINVAL, refused([](auto &o) { o.root = nullptr; }));
    EXPECT_EQ(-EINVAL, refused([](auto &o) { o.source = null(); })) << "a source unasked";
    EXPECT_EQ(-EINVAL, refused([](auto &o) { o.dest = null(); }, SFD_WIRE_OPEN_FILE)) << "a destination unasked";
    EXPECT_EQ(-EINVAL, refused([](auto &) {}, SFD_WIRE_SEND_DESCRIPTOR)) << "no source";
    EXPECT_EQ(-EINVAL, refused([](auto &o) { o.options.technique = SFD_TECHNIQUES; }));
    EXPECT_EQ(-EINVAL, refused([](auto &o) { o.options.flags = SFD_OPTIONS_ALL + 1; }));
    EXPECT_EQ(-ENOENT, refused([](auto &o) { o.path_length = 0; }));
    EXPECT_EQ(-EINVAL, refused([](auto &o) {
        o.path = "a\0b";
        o.path_length = 3;
    }));
    EXPECT_EQ(-ENAMETOOLONG, refused([&](auto &o) {
        o.path = longPath.data();
        o.path_length = longPath.size();
    }));
    EXPECT_EQ(-ERANGE, refused([](auto &o) { o.offset = -1; }));
    EXPECT_EQ(-ERANGE, refused([](auto &o) {
        o.offset = 2;
        o.length = INT64_MAX - 1;
    }));
    EXPECT_EQ(-E2BIG, refused([](auto &o) { o.segment_count = 65; }));
    EXPECT_EQ(-EMSGSIZE, refused([](auto &o) { o.segments_size = SFD_WIRE_MAX_PATH; }));
    EXPECT_EQ(-EINVAL, refused([](auto &o) { o.segment_count = 1; })) << "segments beside a range";
    EXPECT_EQ(0u, requests_.open());
}

TEST_F(LoopLocalTest, ShouldRefuseWhatCannotBeServed)
{
    file(10);
    const int64_t missing = sendTo(null(), "missing");
    struct sfd_local_order cut = order(SFD_WIRE_SEND_FILE, null());
    cut.length = 0;
    cut.segments = "cut";
    cut.segments_size = 3;
    cut.segment_count = 1;
    const int64_t undecodable = submit(cut);
    const int64_t directory = sendTo(::open("/", O_RDONLY | O_CLOEXEC));
    finish();
    EXPECT_EQ(Messages{refusal(ENOENT)}, requests_.of(missing));
    EXPECT_EQ(Messages{refusal(EBADMSG)}, requests_.of(undecodable));
    EXPECT_EQ("refusal", requests_.of(directory).back().substr(0, 7));
    EXPECT_EQ(0u, transfers());
}

TEST_F(LoopLocalTest, ShouldObeyTheOptions)
{
    file(BIG);
    script.now_ms = 1000;
    struct sfd_local_order late = order(SFD_WIRE_OPEN_FILE, -1);
    late.options.deadline_ms = 100;
    const int64_t deadline = submit(late);
    Pipe pipe;
    pipe.fill();
    struct sfd_local_order idle = order(SFD_WIRE_SEND_FILE, dup(pipe.out.get()));
    idle.options.idle_ms = 100;
    const int64_t stuck = submit(idle);
    struct sfd_local_order forced = order(SFD_WIRE_SEND_FILE, null());
    forced.options.technique = SFD_TECHNIQUE_COPY_FILE_RANGE;
    const int64_t unfit = submit(forced);
    step();
    step();
    script.now_ms = 1200;
    finish();
    EXPECT_EQ(result(ETIMEDOUT, 0), end(deadline));
    EXPECT_EQ(result(ETIMEDOUT, 0), end(stuck));
    EXPECT_EQ("refusal " + std::to_string(EOPNOTSUPP), requests_.of(unfit).back().substr(0, 10));
}

/* ------------------------------------------------------------------ cancel */

TEST_F(LoopLocalTest, ShouldCancelWhateverBecomesOfARequest)
{
    file(BIG);
    Pipe pipe;
    const int64_t waits = sendTo(dup(pipe.out.get()));
    requests_.cancel(waits); // before the loop has heard of it
    const int64_t parked = openFor();
    const int64_t moves = sendTo(dup(pipe.out.get()));
    step();
    step();
    step();
    EXPECT_EQ(Messages{refusal(ECANCELED)}, requests_.of(waits));
    for (const int64_t ticket : {parked, moves}) {
        EXPECT_FALSE(requests_.isOver(ticket));
        requests_.cancel(ticket);
        requests_.cancel(ticket);
    }
    finish();
    EXPECT_EQ(result(ECANCELED, 0), end(parked));
    EXPECT_EQ(result(ECANCELED, pipe.capacity()), end(moves)) << "it tells what was sent";
    EXPECT_EQ(3u, count(SFD_COUNTER_CANCELLED));
    EXPECT_EQ(0u, transfers());
}

TEST_F(LoopLocalTest, ShouldIgnoreWhatComesTooLate)
{
    file(10);
    const int64_t ticket = sendTo(null());
    turn();
    turn(); // it is over, and its submitter does not know yet
    requests_.cancel(ticket);
    requests_.sendOpened(ticket, null());
    requests_.sendOpened(ticket, null());
    requests_.dispatch(buffer());
    finish();
    EXPECT_EQ(result(0, 10), end(ticket));
    settle();
    EXPECT_EQ(0u, count(SFD_COUNTER_CANCELLED));
}

/* The loop is destroyed with the command in its mailbox, which is all that keeps the request. */
TEST_F(LoopLocalTest, ShouldForgetACommandToARequestThatIsOver)
{
    file(10);
    const int64_t ticket = sendTo(null());
    turn();
    turn();
    requests_.cancel(ticket);
    requests_.dispatch(buffer());
    EXPECT_EQ(result(0, 10), end(ticket));
}

TEST_F(LoopLocalTest, ShouldCancelAtOnceWhatADeadDiskHasAndServeTheOthers)
{
    file(10);
    warmUp();
    script.cold_opens = true;
    hold_ = true;
    Pipe pipe;
    const int64_t dead = sendTo(dup(pipe.out.get()));
    until([&] { return !held_.empty(); });
    script.cold_opens = false;
    const int64_t other = sendTo(null());
    requests_.cancel(dead);
    finish();
    EXPECT_EQ(Messages{refusal(ECANCELED)}, requests_.of(dead));
    EXPECT_EQ(result(0, 10), end(other));
    pipe.out.reset();
    EXPECT_TRUE(atEnd(pipe.in.get())) << "its destination is still open";
    EXPECT_EQ(1u, transfers()) << "the disk has it still";
    releaseHeld();
    until([&] { return transfers() == 0; });
}

/* ------------------------------------------------------------------ owners */

TEST_F(LoopLocalTest, ShouldBeginOneRequestOfEachOwnerInTurn)
{
    file(10);
    warmUp();
    std::vector<int64_t> flood;
    for (int i = 0; i < 500; i++) {
        flood.push_back(sendTo(null(), "file", 1));
    }
    const int64_t other = sendTo(null(), "file", 2);
    step();
    EXPECT_TRUE(requests_.isOver(other)) << "it waits behind another owner's";
    EXPECT_TRUE(requests_.isOver(flood.front()));
    EXPECT_FALSE(requests_.isOver(flood.back())) << "all of it in one turn";
    finish();
}

TEST_F(LoopLocalTest, ShouldNotServeTheLargeFilesOfManyRequestsInOneTurn)
{
    file(BIG);
    warmUp();
    const uint64_t before = count(SFD_COUNTER_BYTES);
    for (int i = 0; i < 20; i++) {
        sendTo(null());
    }
    step();
    EXPECT_LE(count(SFD_COUNTER_BYTES) - before, 3u << 19) << "both halves of a turn, and a quantum more of each";
    finish();
}

class LoopLocalLimitsTest : public LoopLocalTest
{
  protected:
    void createLoops() override
    {
        const struct sfd_limits limits = {2, 200, 1};
        sfd_client_accounts_limit(&shared_->accounts, &limits, 1000);
        LoopLocalTest::createLoops();
    }
};

TEST_F(LoopLocalLimitsTest, ShouldLimitEachOwnerForItself)
{
    file(10);
    warmUp();
    std::vector<int64_t> tickets;
    for (const uint64_t owner : {1, 1, 1, 2, 2, 2}) {
        tickets.push_back(openFor(owner));
    }
    step();
    step();
    for (size_t i = 0; i < tickets.size(); i++) {
        EXPECT_EQ(i % 3 == 2, requests_.isOver(tickets[i]));
        if (i % 3 == 2) {
            EXPECT_EQ(Messages{refusal(EDQUOT)}, requests_.of(tickets[i]));
        } else {
            requests_.cancel(tickets[i]);
        }
    }
    finish();
    settle();
    for (const struct sfd_client_account *account : shared_->accounts.buckets) {
        EXPECT_EQ(nullptr, account) << "an owner that has nothing is kept";
    }
}

TEST_F(LoopLocalLimitsTest, ShouldNotRefuseSmallRequestsThatFollowEachOther)
{
    file(10);
    warmUp();
    for (int i = 0; i < 200; i++) {
        sendTo(null());
    }
    finish();
    EXPECT_EQ(201u, count(SFD_COUNTER_COMPLETED)) << "they wait in the loop, and are no transfers there";
}

TEST_F(LoopLocalTest, ShouldLetAnOwnerWaitThatHoldsItsThreadsAndServeTheOthers)
{
    file(10);
    struct sfd_client_account *account = sfd_client_accounts_get(&shared_->accounts, sfd_local_process(7), getuid());
    sfd_client_account_suspect(account);
    account->held += SFD_HELD_CLIENT_MAX;
    const int64_t held = sendTo(null(), "file", 7);
    const int64_t cancelled = sendTo(null(), "file", 7);
    const int64_t other = sendTo(null(), "file", 8);
    step();
    step();
    EXPECT_TRUE(requests_.isOver(other));
    EXPECT_FALSE(requests_.isOver(held)) << "it may hold a fifth thread";
    requests_.cancel(cancelled);
    step();
    step();
    EXPECT_EQ(Messages{refusal(ECANCELED)}, requests_.of(cancelled)) << "a cancel waits for a thread";
    account->held -= SFD_HELD_CLIENT_MAX;
    sfd_loop_act_tell(loop());
    finish();
    EXPECT_EQ(result(0, 10), end(held));
    EXPECT_EQ(0u, loop()->waiting.load());
    sfd_client_account_put(account);
}

/* ------------------------------------------------------------------ messages */

TEST_F(LoopLocalTest, ShouldTellTheRestInTheNextTurnWhenATurnIsFull)
{
    constexpr size_t record = 16 + SFD_WIRE_FILE_DETAILS_SIZE + SFD_WIRE_FILE_INFO_SIZE + SFD_WIRE_RESULT_SIZE;
    constexpr int room = SFD_MESSAGES_SIZE / (record + SFD_CONTENT_MAX);
    file(SFD_CONTENT_MAX);
    hold_ = true;
    std::vector<int64_t> tickets;
    for (int i = 0; i < 2 * room + 1; i++) {
        struct sfd_local_order with_content = order(SFD_WIRE_OPEN_FILE, -1);
        with_content.content_most = SFD_CONTENT_MAX;
        tickets.push_back(submit(with_content));
    }
    until([&] { return held_.size() == tickets.size(); });
    releaseHeld(); // all of them are done
    EXPECT_EQ(room, step());
    EXPECT_EQ(0u, transfers()) << "a transfer waits for room";
    EXPECT_EQ(room, step());
    EXPECT_EQ(1, step());
    EXPECT_EQ(0u, requests_.open());
    for (const int64_t ticket : tickets) {
        EXPECT_EQ(result(0, SFD_CONTENT_MAX), end(ticket));
        EXPECT_BYTES(content_, requests_.contentOf(ticket));
    }
}

TEST_F(LoopLocalTest, ShouldMergeProgress)
{
    file(BIG);
    warmUp();
    script.now_ms = 1000;
    Pipe pipe;
    const int64_t ticket = sendTo(dup(pipe.out.get()));
    step();
    const std::string all = "progress " + std::to_string(pipe.capacity());
    EXPECT_EQ((Messages{"details " + std::to_string(BIG), "info " + std::to_string(BIG), all}), requests_.of(ticket));
    size_t got = 0;
    while (got < 3 * pipe.capacity()) {
        got += drain(pipe.in.get()).size();
        step();
        ASSERT_EQ(3u, requests_.of(ticket).size()) << "again within the interval";
    }
    script.now_ms += SFD_PROGRESS_INTERVAL_MS;
    until([&] {
        requests_.dispatch(buffer());
        return requests_.of(ticket).size() > 3;
    });
    EXPECT_EQ("progress " + std::to_string(got), requests_.of(ticket).back()) << "of which the first pipe was told";
    pipe.in.reset();
    finish();
    EXPECT_EQ(result(EPIPE, got + pipe.capacity()), end(ticket));
}

/* A turn that has messages does not wait, not even for as long as a system call takes. */
TEST_F(LoopLocalTest, ShouldGiveMessagesToTheDispatcherBeforeItWaits)
{
    file(10);
    warmUp();
    settle();
    sendTo(null());
    const uint32_t waits = loop()->waits;
    script.timeout_ms = -2;
    ASSERT_EQ(0, turn(0, false));
    EXPECT_EQ(1, requests_.dispatch(buffer()));
    EXPECT_EQ(waits, loop()->waits);
    EXPECT_EQ(-2, script.timeout_ms);
    ASSERT_EQ(0, turn(0, false));
    EXPECT_EQ(-1, script.timeout_ms) << "it has nothing to do, and does not wait";
}

/* ------------------------------------------------------------------ roots */

TEST_F(LoopLocalTest, ShouldServeWhatWasSubmittedBeforeItsRootWasRemoved)
{
    std::filesystem::create_directory(*directory_ / "other");
    writeFile(*directory_ / "other/file", "of the other");
    for (const bool follow : {false, true}) {
        struct sfd_root *root = nullptr;
        ASSERT_EQ(0, sfd_root_open(&root, &shared_->kernel, (*directory_ / "other").c_str(), follow));
        Pipe pipe;
        struct sfd_local_order first = order(SFD_WIRE_SEND_FILE, dup(pipe.out.get()));
        first.root = root;
        const int64_t ticket = submit(first);
        sfd_root_put(root); // it is removed, and closed by the request
        pipe.out.reset();
        finish();
        EXPECT_EQ(result(0, 12), end(ticket));
        EXPECT_EQ("of the other", readToEnd(pipe.in.get()));
    }
}

/* ------------------------------------------------------------------ the end */

TEST_F(LoopLocalTest, ShouldEndEverythingWithAMessageBeforeItHasStopped)
{
    file(BIG);
    warmUp();
    Pipe pipe;
    const int64_t moves = sendTo(dup(pipe.out.get()));
    const int64_t parked = openFor();
    script.cold_opens = false;
    step();
    step();
    script.cold_opens = true;
    hold_ = true;
    const int64_t offloaded = sendTo(null());
    until([&] { return !held_.empty(); });
    const int64_t waits = sendTo(null());
    sfd_loop_stop(loop());
    EXPECT_EQ(-ESHUTDOWN, sendTo(null()));
    for (int i = 0; i < 10; i++) {
        step();
        EXPECT_EQ(0, result_) << "it has ended before the disk has given back what it has";
    }
    EXPECT_EQ(0u, requests_.open());
    for (const int64_t ticket : {offloaded, waits}) {
        EXPECT_EQ(Messages{refusal(ESHUTDOWN)}, requests_.of(ticket));
    }
    EXPECT_EQ(result(ESHUTDOWN, 0), end(parked));
    EXPECT_EQ(result(ESHUTDOWN, pipe.capacity()), end(moves));
    releaseHeld();
    hold_ = false;
    for (int i = 0; i < 100 && result_ == 0; i++) {
        step();
    }
    EXPECT_EQ(-ESHUTDOWN, result_);
    EXPECT_EQ(-ESHUTDOWN, sendTo(null()));
}

TEST_F(LoopLocalTest, ShouldHandOutTheLastMessagesBeforeItSaysThatItHasEnded)
{
    file(10);
    for (int i = 0; i < 1000; i++) {
        openFor(static_cast<uint64_t>(i));
    }
    step();
    sfd_loop_stop(loop());
    for (int i = 0; i < 1000 && result_ == 0; i++) {
        step();
    }
    EXPECT_EQ(-ESHUTDOWN, result_);
    EXPECT_EQ(0u, requests_.open());
}

TEST_F(LoopLocalTest, ShouldRefuseWhileItDrains)
{
    file(10);
    const int64_t parked = openFor();
    step();
    step();
    shared_->draining = true;
    const int64_t after = sendTo(null());
    finish();
    EXPECT_EQ(result(ESHUTDOWN, 0), end(parked));
    EXPECT_EQ(Messages{refusal(ESHUTDOWN)}, requests_.of(after));
    EXPECT_EQ(1u, shared_->loops_drained.load());
}

/* The engine failed while it started, or a loop could not go on: nobody reads messages any more. */
TEST_F(LoopLocalTest, ShouldLeaveNothingBehindWhenItIsDestroyedWithoutAStop)
{
    file(BIG);
    std::vector<struct sfd_local_request *> requests;
    Pipe pipe;
    const auto direct = [&](uint8_t command, int dest) {
        struct sfd_local_request *request = nullptr;
        const struct sfd_local_order what = order(command, dest);
        ASSERT_EQ(0, sfd_local_submit(shared_.get(), &what, &request));
        requests.push_back(request);
    };
    direct(SFD_WIRE_SEND_FILE, dup(pipe.out.get()));
    direct(SFD_WIRE_OPEN_FILE, -1);
    turn();
    for (int i = 0; i < 100; i++) {
        direct(SFD_WIRE_SEND_FILE, dup(pipe.out.get()));
    }
    turn(); // some have begun
    direct(SFD_WIRE_SEND_FILE, dup(pipe.out.get()));
    sfd_local_cancel(requests.back());
    sfd_local_send_opened(requests[1], dup(pipe.out.get()));
    destroyLoops();
    for (struct sfd_local_request *request : requests) {
        sfd_local_release(request);
    }
    pipe.out.reset();
    EXPECT_NE(0u, readToEnd(pipe.in.get()).size()) << "and there is an end";
}

TEST_F(LoopLocalTest, ShouldForgetWhatATurnHasLeftOfItsMail)
{
    std::vector<struct sfd_local_request *> requests(2000);
    const struct sfd_local_order what = order(SFD_WIRE_OPEN_FILE, -1);
    for (struct sfd_local_request *&request : requests) {
        ASSERT_EQ(0, sfd_local_submit(shared_.get(), &what, &request));
    }
    turn();
    EXPECT_NE(nullptr, loop()->mail);
    destroyLoops();
    for (struct sfd_local_request *request : requests) {
        sfd_local_release(request);
    }
}

/* ------------------------------------------------------------------ two loops */

class TwoLocalLoopsTest : public LoopLocalTest
{
  protected:
    void createLoops() override
    {
        shared_->settings.loops = 2;
        LoopLocalTest::createLoops();
    }
};

TEST_F(TwoLocalLoopsTest, ShouldSubmitToTheLoopThatHasLessToDo)
{
    file(10);
    const uint32_t busy = receiver();
    const int64_t here = openFor();
    step(0);
    step(1);
    sfd_loop_receiving_take_away(loop(busy)); // as if it were stuck
    step(0);
    step(1);
    EXPECT_NE(busy, receiver());
    const int64_t there = openFor();
    for (int i = 0; i < 3; i++) {
        step(0);
        step(1);
    }
    EXPECT_EQ(loop(busy), requests_.loopOf(here));
    EXPECT_EQ(loop(1 - busy), requests_.loopOf(there));
    EXPECT_EQ(2u, transfers());
    for (const int64_t ticket : {here, there}) {
        requests_.cancel(ticket);
    }
    for (int i = 0; i < 3; i++) {
        step(0);
        step(1);
    }
    EXPECT_EQ(0u, requests_.open());
}

} // namespace
