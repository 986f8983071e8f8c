// The event loop: requests in, transfers placed, woken, offloaded and forgotten; one turn at a time on the test's
// thread.
#include "loop_fixture.h"

#include <sys/resource.h>

namespace
{

using LoopTest = LoopFixture;

/* ------------------------------------------------------------------ serving */

TEST_F(LoopTest, ShouldServeAWarmFileInTheTurnAfterItsRequestWithoutTheDiskPool)
{
    warmUp();
    file(4096);
    const OwnedFd in = read();
    turn(); // receives
    EXPECT_EQ(1, received_);
    turn(); // serves
    const std::string bytes = drain(in.get());
    EXPECT_EQ(4096u, infoOf(bytes).size);
    EXPECT_BYTES(content_, bytes.substr(SFD_WIRE_FILE_INFO_SIZE));
    EXPECT_TRUE(atEnd(in.get()));
    EXPECT_EQ(0, offloaded_total_);
    EXPECT_EQ(0u, transfers());
}

TEST_F(LoopTest, ShouldServeABatchInOneTurn)
{
    warmUp();
    file(100);
    std::vector<OwnedFd> all;
    for (int i = 0; i < 10; i++) {
        all.push_back(read());
    }
    turn();
    EXPECT_EQ(10, received_);
    turn();
    for (const OwnedFd &in : all) {
        EXPECT_EQ(148u, drain(in.get()).size());
        EXPECT_TRUE(atEnd(in.get()));
    }
}

TEST_F(LoopTest, ShouldGoOnWhenAFullDestinationGetsRoom)
{
    file(BIG);
    const Pipe dest;
    const OwnedFd status = send(dest.out.get());
    until([&] { return count(SFD_COUNTER_BLOCKED) > 0; });
    const uint64_t blocked = count(SFD_COUNTER_BLOCKED);
    settle();
    EXPECT_EQ(blocked, count(SFD_COUNTER_BLOCKED)) << "nobody wakes who cannot go on";
    std::string data;
    until([&] {
        data += drain(dest.in.get());
        return transfers() == 0;
    });
    data += drain(dest.in.get());
    EXPECT_BYTES(content_, data);
    EXPECT_EQ("complete", messages(drain(status.get())).back());
}

TEST_F(LoopTest, ShouldServeOthersWhileOneIsStuck)
{
    warmUp();
    file(BIG);
    const Pipe stuck;
    const OwnedFd stuck_status = send(stuck.out.get());
    writeFile(*directory_ / "small", "hello");
    for (int i = 0; i < 50; i++) {
        const OwnedFd in = read("small");
        until([&] { return readable(in.get()); });
        EXPECT_EQ("hello", drain(in.get()).substr(SFD_WIRE_FILE_INFO_SIZE));
    }
    EXPECT_EQ(1u, transfers());
}

TEST_F(LoopTest, ShouldServeOthersWhileOneWaitsForTheDisk)
{
    warmUp();
    file(100);
    hold_ = true;
    script.cold_opens = true;
    const OwnedFd cold = read();
    settle();
    EXPECT_EQ(1u, held_.size());
    EXPECT_EQ(SFD_QUEUE_DEVICES, queues_.front()) << "its disk's own";
    script.cold_opens = false;
    const OwnedFd warm = read();
    settle();
    EXPECT_EQ(148u, drain(warm.get()).size());
    EXPECT_FALSE(readable(cold.get()));
    releaseHeld();
    settle();
    EXPECT_EQ(148u, drain(cold.get()).size());
    EXPECT_TRUE(atEnd(cold.get()));
}

TEST_F(LoopTest, ShouldSendAnOpenedFile)
{
    file(BIG);
    uint64_t id = 0;
    const OwnedFd status = opened(&id);
    Pipe dest;
    sendOpen(id, dest.out.get());
    dest.out.reset();
    std::string data;
    until([&] {
        data += drain(dest.in.get());
        return transfers() == 0;
    });
    data += drain(dest.in.get());
    EXPECT_BYTES(content_, data);
    EXPECT_TRUE(atEnd(dest.in.get()));
    EXPECT_EQ("complete", messages(drain(status.get())).back());
    EXPECT_TRUE(atEnd(status.get()));
}

TEST_F(LoopTest, ShouldSendToARegularFileThroughTheDiskPool) // D9
{
    warmUp();
    file(BIG);
    OwnedFd out = openFile(*directory_ / "out", O_WRONLY | O_CREAT);
    const OwnedFd status = send(out.get());
    out.reset();
    untilServed(1);
    until([&] { return transfers() == 0; });
    settle();
    EXPECT_BYTES(content_, contentOf(*directory_ / "out"));
    EXPECT_EQ("complete", messages(drain(status.get())).back());
    EXPECT_EQ(SFD_QUEUE_DEVICES, queues_.back()) << "its close can block as well";
}

TEST_F(LoopTest, ShouldCountWhatItDoes)
{
    warmUp();
    file(100);
    const OwnedFd a = read();
    const OwnedFd b = read("missing");
    untilServed(2);
    until([&] { return transfers() == 0; });
    EXPECT_EQ(3u, count(SFD_COUNTER_REQUESTS));
    EXPECT_EQ(2u, count(SFD_COUNTER_COMPLETED));
    EXPECT_EQ(1u, count(SFD_COUNTER_REFUSED));
    EXPECT_EQ(101u, count(SFD_COUNTER_BYTES));
    EXPECT_EQ(0u, count(SFD_COUNTER_TRANSFERS));
}

/* ------------------------------------------------------------------ refusing */

TEST_F(LoopTest, ShouldTellTheDispatchersVerdict)
{
    file(100);
    deny_ = EACCES;
    const OwnedFd in = read();
    until([&] { return readable(in.get()); });
    EXPECT_EQ(Messages{error(0x81, EACCES)}, messages(drain(in.get())));
    EXPECT_TRUE(atEnd(in.get()));
    EXPECT_EQ(0u, transfers());
}

TEST_F(LoopTest, ShouldNotAnswerOnTheDestinationOfASendThatIsDenied)
{
    file(100);
    uint64_t id = 0;
    const OwnedFd status = opened(&id);
    deny_ = EACCES;
    Pipe dest;
    sendOpen(id, dest.out.get());
    dest.out.reset();
    untilServed(2);
    EXPECT_TRUE(atEnd(dest.in.get())) << "an answer would be data there";
    EXPECT_EQ(1u, transfers());
}

TEST_F(LoopTest, ShouldAnswerAMalformedRequestThatHasAPipe)
{
    const std::string requests[] = {"", "x", std::string(5000, 'x'), std::string("\x02\x00", 2) + "short"};
    for (const std::string &bytes : requests) {
        Pipe status;
        submit(bytes, {status.out.get()});
        status.out.reset();
        until([&] { return readable(status.in.get()); });
        EXPECT_EQ(Messages{error(0x81, EBADMSG)}, messages(drain(status.in.get())));
        EXPECT_TRUE(atEnd(status.in.get()));
    }
}

TEST_F(LoopTest, ShouldLetGoOfMalformedRequestsThatHaveNone) // D1
{
    const SocketPair socket;
    const OwnedFd file_fd = openFile(*directory_ / "some", O_RDWR | O_CREAT);
    submit("", {});
    submit("x", {socket.out.get()});
    submit("x", {file_fd.get()});
    submit(pathRequest(SFD_WIRE_READ_FILE, "file"), {});
    submit(pathRequest(SFD_WIRE_READ_FILE, "file"), {socket.out.get()});
    untilServed(5);
    EXPECT_EQ(5u, count(SFD_COUNTER_REFUSED));
    EXPECT_FALSE(readable(socket.in.get())) << "an answer would be data there";
    EXPECT_EQ("", contentOf(*directory_ / "some"));
}

TEST_F(LoopTest, ShouldRefuseAWrongNumberOfDescriptors) // D21
{
    file(100);
    Pipe status;
    const SocketPair dest;
    submit(pathRequest(SFD_WIRE_SEND_FILE, "file"), {status.out.get()});
    submit(pathRequest(SFD_WIRE_READ_FILE, "file"), {status.out.get(), dest.out.get()});
    submit(pathRequest(SFD_WIRE_OPEN_FILE, "file"), {status.out.get(), dest.out.get()});
    status.out.reset();
    untilServed(3);
    EXPECT_EQ((Messages{error(0x81, EBADMSG), error(0x81, EBADMSG), error(0x81, EBADMSG)}),
              messages(drain(status.in.get())));
    EXPECT_TRUE(atEnd(status.in.get()));
    EXPECT_FALSE(readable(dest.in.get()));
}

TEST_F(LoopTest, ShouldCloseDescriptorsOfACancel) // D7
{
    file(100);
    uint64_t id = 0;
    const OwnedFd status = opened(&id);
    Pipe extra;
    submit(idRequest(SFD_WIRE_CANCEL, id), {extra.out.get()});
    extra.out.reset();
    untilServed(2);
    EXPECT_TRUE(atEnd(extra.in.get()));
    EXPECT_EQ(1u, transfers()) << "a malformed Cancel cancels nothing";
}

/* Has the next requests received while this process has no descriptor to spare but so many. */
class CrowdedTest : public LoopTest
{
  protected:
    void receiveWithRoomFor(int descriptors)
    {
        struct rlimit old;
        ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &old));
        const int next = dup(0); // the number that the kernel would use
        ASSERT_GE(next, 0);
        ASSERT_EQ(0, close(next));
        const struct rlimit crowded = {static_cast<rlim_t>(next + descriptors), old.rlim_max};
        ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &crowded));
        const int before = received_;
        until([&] { return received_ > before; });
        settle();
        ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &old));
    }
};

TEST_F(CrowdedTest, ShouldSayThatThereIsNoRoomForTheDescriptorsOfARequest) // D3
{
    file(100);
    Pipe status;
    const SocketPair dest;
    submit(pathRequest(SFD_WIRE_SEND_FILE, "file"), {status.out.get(), dest.out.get()});
    status.out.reset();
    receiveWithRoomFor(1);
    EXPECT_EQ(Messages{error(0x81, EMFILE)}, messages(drain(status.in.get())));
    EXPECT_TRUE(atEnd(status.in.get()));
    EXPECT_FALSE(readable(dest.in.get()));
    EXPECT_EQ(1u, count(SFD_COUNTER_REFUSED));
    EXPECT_EQ(1u, count(SFD_COUNTER_CROWDED));
}

TEST_F(CrowdedTest, ShouldHaveRoomForALastWordWhereTheKernelWantsADescriptorForIt) // D3
{
    file(100);
    Pipe status;
    Pipe other;
    ASSERT_EQ(1, write(other.out.get(), "x", 1)); // a splice takes RWF_NOWAIT away from a pipe for good
    ASSERT_EQ(1, splice(other.in.get(), nullptr, status.out.get(), nullptr, 1, 0));
    ASSERT_EQ("x", drain(status.in.get()));
    for (int i = 0; i < 2; i++) { // the reserve is there again
        submit(pathRequest(SFD_WIRE_SEND_FILE, "file"), {status.out.get(), other.out.get()});
        receiveWithRoomFor(1);
        EXPECT_EQ(Messages{error(0x81, EMFILE)}, messages(drain(status.in.get())));
    }
}

TEST_F(CrowdedTest, ShouldCountARequestThatHasLostItsStatusChannel) // D3
{
    file(100);
    Pipe status;
    submit(pathRequest(SFD_WIRE_READ_FILE, "file"), {status.out.get()});
    status.out.reset();
    receiveWithRoomFor(0);
    EXPECT_TRUE(atEnd(status.in.get())) << "a client takes that for a failure";
    EXPECT_EQ(1u, count(SFD_COUNTER_CROWDED));
    const OwnedFd next = read();
    until([&] { return readable(next.get()); });
    EXPECT_EQ(148u, drain(next.get()).size());
}

TEST_F(CrowdedTest, ShouldEndAnOpenedFileWhoseDestinationWasLost) // D3, R3
{
    file(100);
    uint64_t id = 0;
    const OwnedFd status = opened(&id);
    const SocketPair dest;
    submit(idRequest(SFD_WIRE_SEND_OPEN_FILE, id), {dest.out.get()});
    receiveWithRoomFor(0);
    EXPECT_EQ(Messages{error(0x82, EMFILE)}, messages(drain(status.get())));
    EXPECT_TRUE(atEnd(status.get()));
    EXPECT_EQ(0u, transfers());
}

TEST_F(LoopTest, ShouldRefuseWhatDoesNotFitIntoTheTable)
{
    destroyLoops();
    shared_->settings.max_transfers = 3;
    createLoops();
    file(100);
    std::vector<OwnedFd> held;
    uint64_t id = 0;
    for (int i = 0; i < 3; i++) {
        held.push_back(opened(&id));
    }
    const OwnedFd over = read();
    until([&] { return readable(over.get()); });
    EXPECT_EQ(Messages{error(0x81, EMFILE)}, messages(drain(over.get())));
    EXPECT_EQ(3u, transfers());
    cancel(id);
    until([&] { return transfers() == 2; });
    const OwnedFd next = read();
    until([&] { return readable(next.get()); });
    EXPECT_EQ(148u, drain(next.get()).size());
}

TEST_F(LoopTest, ShouldNotBlockOnAFullPipeThatWaitsForARefusal) // R4
{
    for (const int flags : {shared_->kernel.pipe_write_flags, 0}) {
        SCOPED_TRACE(flags);
        destroyLoops();
        shared_->kernel.pipe_write_flags = flags;
        createLoops();
        const int received = received_;
        Pipe status; // blocking
        status.fill();
        submit("malformed", {status.out.get()});
        until([&] { return received_ == received + 1; });
        settle();
        EXPECT_EQ(0, fcntl(status.out.get(), F_GETFL) & O_NONBLOCK);
    }
}

/* ------------------------------------------------------------------ Send Open File and Cancel */

TEST_F(LoopTest, ShouldIgnoreIdsThatNobodyHas) // D24, D25
{
    file(100);
    uint64_t id = 0;
    const OwnedFd status = opened(&id);
    int sent = 1;
    for (const uint64_t wrong : {uint64_t{0}, UINT64_MAX, id + 1, id ^ (uint64_t{1} << 30), id | SFD_ID_MAX}) {
        Pipe dest;
        sendOpen(wrong, dest.out.get());
        cancel(wrong);
        dest.out.reset();
        sent += 2;
        untilServed(sent);
        EXPECT_TRUE(atEnd(dest.in.get())) << "the destination is closed";
    }
    EXPECT_EQ(1u, transfers());
    EXPECT_FALSE(readable(status.get()));
}

TEST_F(LoopTest, ShouldIgnoreAnotherProcess) // D20, R11
{
    file(100);
    uint64_t id = 0;
    const OwnedFd status = opened(&id);
    pid_ = getpid() + 1;
    Pipe dest;
    sendOpen(id, dest.out.get());
    cancel(id);
    dest.out.reset();
    untilServed(3);
    EXPECT_TRUE(atEnd(dest.in.get()));
    EXPECT_FALSE(readable(status.get()));
    EXPECT_EQ(1u, transfers());
}

TEST_F(LoopTest, ShouldIgnoreASecondSendOfTheSameFile) // D13
{
    file(BIG);
    uint64_t id = 0;
    const OwnedFd status = opened(&id);
    Pipe first;
    Pipe second;
    sendOpen(id, first.out.get());
    sendOpen(id, second.out.get());
    first.out.reset();
    second.out.reset();
    untilServed(3);
    EXPECT_TRUE(atEnd(second.in.get()));
    std::string data;
    until([&] {
        data += drain(first.in.get());
        return transfers() == 0;
    });
    data += drain(first.in.get());
    EXPECT_BYTES(content_, data);
}

TEST_F(LoopTest, ShouldObeyACancelWithEndOfFileAndNoMessage)
{
    file(BIG);
    uint64_t id = 0;
    const OwnedFd status = opened(&id);
    cancel(id);
    until([&] { return transfers() == 0; });
    EXPECT_TRUE(atEnd(status.get()));
    EXPECT_EQ(1u, count(SFD_COUNTER_CANCELLED));
}

TEST_F(LoopTest, ShouldObeyTwoCancelsInOneTurnOnce) // D16
{
    file(BIG);
    uint64_t id = 0;
    const OwnedFd status = opened(&id);
    cancel(id);
    cancel(id);
    untilServed(3);
    EXPECT_TRUE(atEnd(status.get()));
    EXPECT_EQ(1u, count(SFD_COUNTER_CANCELLED));
    EXPECT_EQ(0u, transfers());
}

TEST_F(LoopTest, ShouldCancelABlockedTransfer)
{
    file(BIG);
    uint64_t id = 0;
    const OwnedFd status = opened(&id);
    Pipe dest;
    sendOpen(id, dest.out.get());
    dest.out.reset();
    until([&] { return count(SFD_COUNTER_BLOCKED) > 0; });
    cancel(id);
    until([&] { return transfers() == 0; });
    drain(dest.in.get());
    EXPECT_TRUE(atEnd(dest.in.get()));
    for (const std::string &message : messages(drain(status.get()))) {
        EXPECT_EQ(0u, message.find("progress")) << message;
    }
    EXPECT_TRUE(atEnd(status.get()));
}

TEST_F(LoopTest, ShouldObeyACancelAtOnceAndCloseTheFilesWhenTheDiskPoolHandsBack)
{
    warmUp();
    file(BIG);
    uint64_t id = 0;
    const OwnedFd status = opened(&id);
    OwnedFd out = openFile(*directory_ / "out", O_WRONLY | O_CREAT);
    hold_ = true;
    sendOpen(id, out.get());
    out.reset();
    until([&] { return held_.size() == 1; });
    cancel(id);
    settle();
    EXPECT_TRUE(atEnd(status.get())) << "its client need not wait for a disk";
    EXPECT_EQ(1u, transfers()) << "the disk pool works with the rest";
    EXPECT_EQ(1u, count(SFD_COUNTER_CANCELLED));
    hold_ = false;
    releaseHeld();
    until([&] { return transfers() == 0; });
    EXPECT_EQ("", contentOf(*directory_ / "out"));
    EXPECT_EQ(1u, count(SFD_COUNTER_CANCELLED));
    settle();
}

/* ------------------------------------------------------------------ clients that go, timers, undrained channels */

TEST_F(LoopTest, ShouldForgetAnOpenedFileWhenItsClientGoes)
{
    file(100);
    uint64_t id = 0;
    OwnedFd status = opened(&id);
    status.reset();
    until([&] { return transfers() == 0; });
    EXPECT_EQ(1u, count(SFD_COUNTER_CANCELLED));
}

TEST_F(LoopTest, ShouldForgetABlockedTransferWhenItsClientGoes)
{
    file(BIG);
    Pipe dest;
    OwnedFd status = send(dest.out.get());
    until([&] { return count(SFD_COUNTER_BLOCKED) > 0; });
    settle();
    status.reset(); // the destination stays full, and open
    until([&] { return transfers() == 0; });
}

TEST_F(LoopTest, ShouldForgetAReadWhenItsReaderGoes)
{
    file(4 * BIG);
    OwnedFd in = read();
    until([&] { return count(SFD_COUNTER_BLOCKED) > 0; });
    in.reset();
    until([&] { return transfers() == 0; });
    EXPECT_EQ(1u, count(SFD_COUNTER_CANCELLED) + count(SFD_COUNTER_FAILED));
}

/* A status channel that we can read, too, would never say that its client has gone. */
class ReadableStatusTest : public LoopTest
{
  protected:
    /* Our end, and what is passed on. */
    static OwnedFd readableChannel(OwnedFd *status)
    {
        Pipe pipe;
        const std::string name = "/proc/self/fd/" + std::to_string(pipe.in.get());
        status->reset(::open(name.c_str(), O_RDWR | O_CLOEXEC));
        EXPECT_GE(status->get(), 0);
        return std::move(pipe.in);
    }
};

TEST_F(ReadableStatusTest, ShouldNotParkAFileWhoseClientCannotBeSeenToGo) // R14, D30
{
    file(100);
    OwnedFd status;
    OwnedFd in = readableChannel(&status);
    submit(pathRequest(SFD_WIRE_OPEN_FILE, "file"), {status.get()});
    status.reset();
    until([&] { return count(SFD_COUNTER_FAILED) > 0; });
    EXPECT_EQ(0u, transfers());
    const std::string said = {'\x82', EBADMSG};
    EXPECT_EQ(said, drain(in.get()).substr(SFD_WIRE_FILE_INFO_SIZE));
}

TEST_F(ReadableStatusTest, ShouldNotWaitForAReaderThatCannotBeSeenToGo) // R14, D30
{
    file(BIG);
    OwnedFd status;
    OwnedFd in = readableChannel(&status);
    struct sfd_options options = {};
    options.idle_ms = UINT32_MAX;
    submit(extendedRequest(SFD_WIRE_READ_FILE_EXT, options, "file"), {status.get()});
    status.reset();
    until([&] { return count(SFD_COUNTER_FAILED) > 0; });
    EXPECT_EQ(0u, transfers());
}

TEST_F(ReadableStatusTest, ShouldServeWhatNeedsNoWaiting)
{
    warmUp();
    file(100);
    OwnedFd status;
    OwnedFd in = readableChannel(&status);
    submit(pathRequest(SFD_WIRE_READ_FILE, "file"), {status.get()});
    status.reset();
    until([&] { return count(SFD_COUNTER_COMPLETED) > 1; });
    EXPECT_EQ(SFD_WIRE_FILE_INFO_SIZE + 100u, drain(in.get()).size());
}

TEST_F(LoopTest, ShouldForgetALentTransferWhoseClientIsGoneWhenItComesBack) // D14
{
    warmUp();
    file(BIG);
    uint64_t id = 0;
    OwnedFd status = opened(&id);
    OwnedFd out = openFile(*directory_ / "out", O_WRONLY | O_CREAT);
    hold_ = true;
    sendOpen(id, out.get());
    out.reset();
    until([&] { return held_.size() == 1; });
    status.reset();
    settle();
    EXPECT_EQ(1u, transfers());
    hold_ = false;
    releaseHeld();
    until([&] { return transfers() == 0; });
    settle();
}

TEST_F(LoopTest, ShouldKeepTheLastMessageForAClientThatReadsLate) // D10, R3
{
    warmUp();
    file(100);
    Pipe status;
    status.fill();
    Pipe dest;
    submit(pathRequest(SFD_WIRE_SEND_FILE, "file"), {status.out.get(), dest.out.get()});
    dest.out.reset();
    untilServed(1);
    EXPECT_BYTES(content_, drain(dest.in.get()));
    EXPECT_TRUE(atEnd(dest.in.get()));
    EXPECT_EQ(1u, transfers()) << "it counts until its last words are said";
    const size_t filled = status.capacity();
    status.out.reset();
    drain(status.in.get(), filled);
    until([&] { return transfers() == 0; });
    EXPECT_EQ((Messages{"info 100", "complete"}), messages(drain(status.in.get())));
    EXPECT_TRUE(atEnd(status.in.get()));
}

TEST_F(LoopTest, ShouldForgetATransferWhoseLastMessageNobodyWillRead)
{
    warmUp();
    file(100);
    Pipe status;
    status.fill();
    Pipe dest;
    submit(pathRequest(SFD_WIRE_SEND_FILE, "file"), {status.out.get(), dest.out.get()});
    untilServed(1);
    EXPECT_EQ(1u, transfers());
    status.out.reset();
    status.in.reset();
    until([&] { return transfers() == 0; });
}

TEST_F(LoopTest, ShouldWaitInEpollForTheOpenTimeoutAndTellIt)
{
    destroyLoops();
    shared_->settings.open_timeout_ms = 20;
    createLoops();
    file(100);
    uint64_t id = 0;
    const OwnedFd status = opened(&id);
    int polls = 0;
    while (transfers() == 1 && polls++ < 1000) {
        ASSERT_EQ(0, turn(0, false)); // nobody wakes it but the timer
    }
    EXPECT_EQ(Messages{error(0x82, ETIMEDOUT)}, messages(drain(status.get())));
    EXPECT_TRUE(atEnd(status.get()));
    EXPECT_LT(polls, 40) << "it waits, and does not spin";
    Pipe dest;
    sendOpen(id, dest.out.get()); // D27
    dest.out.reset();
    untilServed(2);
    EXPECT_TRUE(atEnd(dest.in.get()));
}

/* ------------------------------------------------------------------ many at once */

TEST_F(LoopTest, ShouldServeEveryTransferOfManyThatAreReadyAtOnce)
{
    warmUp();
    file(100);
    hold_ = true;
    script.cold_opens = true;
    std::vector<OwnedFd> all;
    for (int i = 0; i < 200; i++) {
        all.push_back(read());
        turn();
    }
    hold_ = false;
    releaseHeld(); // all come back in one turn
    until([&] { return transfers() == 0; });
    EXPECT_EQ(201u, count(SFD_COUNTER_COMPLETED));
}

TEST_F(LoopTest, ShouldLeaveNothingBehindAfterRandomRequests) // R2, R11
{
    std::mt19937 random(42);
    warmUp();
    file(300000);
    writeFile(*directory_ / "small", "small");
    std::vector<OwnedFd> statuses;
    std::vector<OwnedFd> dests;
    std::vector<uint64_t> ids = {0};
    const auto pick = [&](size_t n) { return static_cast<size_t>(random() % n); };
    for (int i = 0; i < 3000; i++) {
        const char *path = pick(3) == 0 ? "file" : pick(4) == 0 ? "missing" : "small";
        Pipe dest;
        switch (pick(10)) {
        case 0:
            statuses.push_back(read(path));
            break;
        case 1:
            statuses.push_back(send(dest.out.get(), path));
            dests.push_back(std::move(dest.in));
            break;
        case 2:
        case 3:
            statuses.push_back(open(path));
            break;
        case 4:
            sendOpen(ids[pick(ids.size())], dest.out.get());
            dests.push_back(std::move(dest.in));
            break;
        case 5:
            cancel(ids[pick(ids.size())]);
            break;
        case 6:
            submit(std::string(pick(60), static_cast<char>(pick(6))), {dest.out.get()});
            break;
        case 7:
            if (!statuses.empty()) {
                const size_t which = pick(statuses.size());
                const std::string bytes = drain(statuses[which].get());
                if (bytes.size() == SFD_WIRE_FILE_INFO_SIZE) {
                    ids.push_back(infoOf(bytes).id);
                }
                if (pick(2) == 0) {
                    statuses.erase(statuses.begin() + static_cast<std::ptrdiff_t>(which));
                }
            }
            break;
        case 8:
            if (!dests.empty()) {
                dests.erase(dests.begin() + static_cast<std::ptrdiff_t>(pick(dests.size())));
            }
            break;
        default:
            hold_ = !hold_;
            script.cold_opens = pick(2) == 0;
            if (!hold_) {
                releaseHeld();
            }
        }
        if (pick(3) > 0 || i % 5 == 0) {
            turn();
        }
    }
    EXPECT_GT(ids.size(), 50u);
    hold_ = false;
    releaseHeld();
    statuses.clear(); // every client goes
    dests.clear();
    until([&] { return transfers() == 0; });
    settle();
    EXPECT_EQ(0u, count(SFD_COUNTER_TRANSFERS));
}

/* ------------------------------------------------------------------ the end */

TEST_F(LoopTest, ShouldTellEveryClientOfAStop)
{
    warmUp();
    file(BIG);
    uint64_t id = 0;
    const OwnedFd parked = opened(&id);
    const Pipe dest;
    const OwnedFd blocked = send(dest.out.get());
    until([&] { return count(SFD_COUNTER_BLOCKED) > 0; });
    drain(blocked.get());
    sfd_loop_stop(loop());
    int result = 0;
    for (int i = 0; i < 100 && result == 0; i++) {
        result = turn();
    }
    EXPECT_EQ(-ESHUTDOWN, result);
    EXPECT_EQ(0u, transfers());
    EXPECT_EQ(error(0x82, ESHUTDOWN), messages(drain(parked.get())).back());
    EXPECT_EQ(error(0x82, ESHUTDOWN), messages(drain(blocked.get())).back());
}

TEST_F(LoopTest, ShouldLookForRequestsOftenWhileBulkTransfersMove)
{
    warmUp();
    file(4 << 20);
    const OwnedFd null = openFile("/dev/null", O_WRONLY);
    std::vector<OwnedFd> statuses;
    for (int i = 0; i < 6; i++) {
        statuses.push_back(send(null.get()));
    }
    until([&] { return received_ == 6; });
    turn();
    ASSERT_EQ(6u, transfers());
    uint64_t most = 0;
    while (transfers() > 0) {
        const uint64_t before = count(SFD_COUNTER_BYTES);
        ASSERT_EQ(0, turn());
        most = std::max(most, count(SFD_COUNTER_BYTES) - before);
    }
    EXPECT_EQ(512u * 1024, most);
    EXPECT_EQ(6u * (4 << 20), count(SFD_COUNTER_BYTES) - 1) << "and what warmed up";
}

TEST_F(LoopTest, ShouldTellATransferOfAStopThatIsWaitingForItsTurn)
{
    destroyLoops();
    shared_->settings.quantum = 16384;
    createLoops();
    file(BIG);
    const SocketPair dest;
    setNonblocking(dest.out.get());
    const OwnedFd status = send(dest.out.get());
    until([&] { return count(SFD_COUNTER_BYTES) > 0; });
    ASSERT_EQ(0u, count(SFD_COUNTER_BLOCKED)) << "it is ready";
    sfd_loop_stop(loop());
    until([&] { return turn() == -ESHUTDOWN; });
    EXPECT_EQ(error(0x82, ESHUTDOWN), messages(drain(status.get())).back());
    EXPECT_EQ(0u, transfers());
}

TEST_F(LoopTest, ShouldRefuseRequestsThatWereReceivedBeforeTheStop)
{
    file(100);
    const OwnedFd in = read();
    until([&] { return received_ == 1; });
    sfd_loop_stop(loop());
    until([&] { return turn() == -ESHUTDOWN; });
    EXPECT_EQ(Messages{error(0x81, ESHUTDOWN)}, messages(drain(in.get())));
}

TEST_F(LoopTest, ShouldNotEndBeforeTheDiskPoolHasHandedBack)
{
    warmUp();
    file(100);
    hold_ = true;
    script.cold_opens = true;
    Pipe dest;
    const OwnedFd read_status = read();
    const OwnedFd send_status = send(dest.out.get());
    dest.out.reset();
    until([&] { return held_.size() == 2; });
    sfd_loop_stop(loop());
    for (int i = 0; i < 10; i++) {
        EXPECT_EQ(0, turn());
    }
    hold_ = false;
    releaseHeld();
    until([&] { return turn() == -ESHUTDOWN; });
    EXPECT_EQ(Messages{error(0x81, ESHUTDOWN)}, messages(drain(read_status.get())));
    EXPECT_EQ(Messages{error(0x81, ESHUTDOWN)}, messages(drain(send_status.get())));
    EXPECT_TRUE(atEnd(dest.in.get()));
}

TEST_F(LoopTest, ShouldLendTheLastClosesBeforeItEnds)
{
    warmUp();
    file(BIG);
    const OwnedFd out = openFile(*directory_ / "out", O_WRONLY | O_CREAT);
    submit("malformed", {out.get()});
    until([&] { return received_ == 1; });
    queues_.clear();
    sfd_loop_stop(loop());
    until([&] { return turn() == -ESHUTDOWN; });
    EXPECT_EQ(std::vector<int32_t>{SFD_QUEUE_DEVICES}, queues_);
}

TEST_F(LoopTest, ShouldLeaveNothingBehindWhenItIsDestroyedInMidWork)
{
    warmUp();
    file(BIG);
    uint64_t id = 0;
    const OwnedFd parked = opened(&id);
    const Pipe dest;
    const OwnedFd blocked = send(dest.out.get());
    until([&] { return count(SFD_COUNTER_BLOCKED) > 0; });
    const OwnedFd received = read();
    until([&] { return received_ == 3; }); // it has no verdict yet
    destroyLoops();
    EXPECT_TRUE(atEnd(received.get()));
    EXPECT_EQ(error(0x82, ESHUTDOWN), messages(drain(parked.get())).back());
}

/* Nobody looks at the turn buffer then. */
TEST_F(LoopTest, ShouldKeepItsClosesForItsEndWhenItCannotWaitForEvents)
{
    warmUp();
    file(BIG);
    const OwnedFd out = openFile(*directory_ / "out", O_WRONLY | O_CREAT);
    submit("malformed", {out.get()});
    until([&] { return received_ == 1; });
    sys_.epoll_wait = [](int, struct epoll_event *, int, int) { return -EBADF; };
    EXPECT_EQ(-EBADF, sfd_carrier_poll(carriers_[0]));
    destroyLoops();
}

/* ------------------------------------------------------------------ two loops */

class TwoLoopsTest : public LoopFixture
{
  protected:
    void createLoops() override
    {
        shared_->settings.loops = 2;
        LoopFixture::createLoops();
    }

    void TearDown() override
    {
        crowd_.clear();
        LoopFixture::TearDown();
    }

    /* Loop 1 gets more to offload in one turn than its buffer holds: the others' messages come all at once. */
    void crowdLoopOne()
    {
        file(100);
        std::vector<uint64_t> ids;
        std::vector<OwnedFd> others;
        for (int i = 0; i < 280; i++) {
            uint64_t id = 0;
            OwnedFd status = opened(&id);
            receiveElsewhere();
            if (sfd_transfer_table_loop_of(id) == 1) {
                ids.push_back(id);
            }
            (sfd_transfer_table_loop_of(id) == 1 ? crowd_ : others).push_back(std::move(status));
        }
        others.clear();
        until([&] { return transfers() == crowd_.size(); }); // the clients of loop 0 are gone
        settle();
        ASSERT_EQ(140u, crowd_.size());
        hold_ = true;
        const OwnedFd out = openFile(*directory_ / "out", O_WRONLY | O_CREAT);
        for (size_t i = 0; i < ids.size(); i++) {
            sendOpen(ids[i], out.get());
            if (i % 8 == 7 || i + 1 == ids.size()) {
                turn(0);
                turn(0);
            }
        }
        turn(0);
        offloaded_total_ = 0;
        turn(1);
        EXPECT_EQ(SFD_OFFLOADS_MAX, offloads_);
    }

    std::vector<OwnedFd> crowd_;
};

TEST_F(TwoLoopsTest, ShouldLendMoreThanATurnsBufferHoldsInTwoTurns)
{
    crowdLoopOne();
    turn(1);
    EXPECT_EQ(140 - SFD_OFFLOADS_MAX, offloads_);
    hold_ = false;
    releaseHeld();
    until([&] { return transfers() == 0; });
    for (const OwnedFd &status : crowd_) {
        EXPECT_EQ(Messages{"complete"}, messages(drain(status.get())));
    }
    settle();
}

TEST_F(TwoLoopsTest, ShouldLeaveNothingBehindWhenTheDiskPoolIsGoneBeforeItsTasks)
{
    crowdLoopOne();
    held_.clear();
    destroyLoops();
    for (const OwnedFd &status : crowd_) {
        drain(status.get());
        EXPECT_TRUE(atEnd(status.get()));
    }
}

TEST_F(TwoLoopsTest, ShouldForwardCommandsToTheLoopThatHasTheTransfer)
{
    file(100);
    for (int i = 0; i < 8; i++) {
        uint64_t sent_id = 0;
        uint64_t cancelled_id = 0;
        const OwnedFd sent = opened(&sent_id);
        receiveElsewhere();
        const OwnedFd cancelled = opened(&cancelled_id);
        Pipe dest;
        sendOpen(sent_id, dest.out.get());
        cancel(cancelled_id);
        dest.out.reset();
        until([&] { return transfers() == 0; });
        EXPECT_BYTES(content_, drain(dest.in.get()));
        EXPECT_TRUE(atEnd(dest.in.get()));
        EXPECT_EQ(Messages{"complete"}, messages(drain(sent.get())));
        EXPECT_TRUE(atEnd(cancelled.get()));
    }
}

TEST_F(TwoLoopsTest, ShouldCloseADestinationThatIsOnItsWayToALoopThatIsDestroyed)
{
    file(100);
    uint64_t ids[2] = {0, 0};
    const OwnedFd a = opened(&ids[0]);
    receiveElsewhere();
    const OwnedFd b = opened(&ids[1]);
    Pipe dest;
    sendOpen(ids[0], dest.out.get());
    sendOpen(ids[1], dest.out.get());
    dest.out.reset();
    until([&] { return received_ == 4; });
    turn(receiver()); // serves its own, forwards the other
    destroyLoops();
    EXPECT_BYTES(content_, drain(dest.in.get()));
    EXPECT_TRUE(atEnd(dest.in.get()));
}

TEST_F(TwoLoopsTest, ShouldStopBoth)
{
    file(100);
    uint64_t id = 0;
    const OwnedFd a = opened(&id);
    receiveElsewhere();
    const OwnedFd b = opened(&id);
    for (uint32_t i = 0; i < 2; i++) {
        sfd_loop_stop(loop(i));
        int result = 0;
        for (int n = 0; n < 100 && result == 0; n++) {
            result = turn(i);
        }
        EXPECT_EQ(-ESHUTDOWN, result);
    }
    for (const OwnedFd *status : {&a, &b}) {
        EXPECT_EQ(Messages{error(0x82, ESHUTDOWN)}, messages(drain(status->get())));
        EXPECT_TRUE(atEnd(status->get()));
    }
    EXPECT_EQ(0u, transfers());
}

} // namespace
