// Carriers: a kernel call that is held holds its thread and one transfer, and nothing else (R4, R16).
#include "held_loops_fixture.h"

namespace
{

/* ------------------------------------------------------------------ a held call of each kind */

enum Request { READ, SEND, OPEN };

struct Case {
    const char *name;
    Hold hold;
    Request request;
    const char *file;
    uint8_t technique;
    uint32_t loops;
};

std::ostream &operator<<(std::ostream &out, const Case &c)
{
    return out << c.name;
}

class HeldCallTest : public HeldLoopsFixture, public testing::WithParamInterface<Case>
{
  protected:
    void begin()
    {
        const Case &c = GetParam();
        switch (c.request) {
        case READ:
            status_ = read(1, c.file, c.technique);
            break;
        case SEND:
            status_ = send(1, c.file, pair_->out.get(), c.technique);
            break;
        case OPEN:
            status_ = open(1, c.file);
            break;
        }
    }
    /* All of it, and one terminal message. */
    void expectSuccess()
    {
        const Case &c = GetParam();
        const std::string &content = std::strcmp(c.file, "big") == 0 ? big_ : small_;
        const std::string size = std::to_string(content.size());
        const std::string result = "result 0 moved " + size + " by " + std::to_string(c.technique);
        if (c.request == OPEN) {
            sendOpen(1, idFrom(status_.get()), pair_->out.get());
        }
        pair_->out.reset();
        if (c.request != READ) {
            EXPECT_BYTES(content, receive(pair_->in.get(), content.size() + 1));
        }
        ASSERT_TRUE(awaitEnd(status_.get()));
        if (c.request == READ) {
            EXPECT_BYTES(content, seen_.substr(SFD_WIRE_FILE_INFO_SIZE, content.size()));
            seen_.erase(SFD_WIRE_FILE_INFO_SIZE, content.size());
        }
        Messages expected = {"info " + size};
        if (c.request == OPEN) {
            expected = {}; // read already
        }
        if (c.technique != SFD_TECHNIQUE_AUTO) {
            expected.push_back(result);
        } else if (c.request != READ) {
            expected.emplace_back("complete");
        }
        Messages got = messages(seen_);
        got.erase(std::remove_if(got.begin(), got.end(),
                                 [](const std::string &message) { return message.rfind("progress", 0) == 0; }),
                  got.end());
        EXPECT_EQ(expected, got);
    }
};

TEST_P(HeldCallTest, ShouldHoldNothingButItsTransfer)
{
    start(GetParam().loops);
    warmUp();
    gate.hold(GetParam().hold);
    begin();
    ASSERT_TRUE(gate.awaitHeld(1)) << "there is no such call";
    expectService();
    expectService(98);
    EXPECT_EQ(1, gate.held());
    EXPECT_EQ(1u, shared_->carriers.held.load());
    gate.release();
    expectSuccess();
    EXPECT_TRUE(awaitTransfers(0));
    EXPECT_TRUE(await([this] { return shared_->carriers.held.load() == 0; }));
}

std::vector<Case> cases()
{
    std::vector<Case> all;
    const std::vector<Case> one = {
        {"openat2", OPENAT2, READ, "small", SFD_TECHNIQUE_AUTO, 1},
        {"statx", STATX, READ, "small", SFD_TECHNIQUE_AUTO, 1},
        {"close", CLOSE, READ, "small", SFD_TECHNIQUE_AUTO, 1},
        {"close_of_status", Hold(CLOSE).from(1), READ, "small", SFD_TECHNIQUE_AUTO, 1},
        {"read_lock", READ_LOCK, OPEN, "small", SFD_TECHNIQUE_AUTO, 1},
        {"test_lock", TEST_LOCK, READ, "small", SFD_TECHNIQUE_AUTO, 1},
        {"mmap", MMAP, READ, "small", SFD_TECHNIQUE_MMAP, 1},
        {"munmap", MUNMAP, SEND, "big", SFD_TECHNIQUE_MMAP, 1},
        {"preadv2", PREADV2, SEND, "big", SFD_TECHNIQUE_READ_WRITE, 1},
        {"pwritev2", PWRITEV2, READ, "small", SFD_TECHNIQUE_READ_WRITE, 1},
        {"sendfile", SENDFILE, SEND, "big", SFD_TECHNIQUE_SENDFILE, 1},
        {"splice", SPLICE, READ, "big", SFD_TECHNIQUE_SPLICE, 1},
        {"pipe_size", PIPE_SIZE, READ, "small", SFD_TECHNIQUE_AUTO, 1},
        {"get_unread", GET_UNREAD, SEND, "small", SFD_TECHNIQUE_AUTO, 1},
        {"recvmmsg", Hold(RECVMMSG).of(ANY), SEND, "small", SFD_TECHNIQUE_AUTO, 1},
        {"send", SOCKET_SEND, SEND, "big", SFD_TECHNIQUE_READ_WRITE, 1},
    };
    for (const Case &c : one) {
        for (const bool after : {false, true}) {
            for (const uint32_t loops : {1u, 2u}) {
                all.push_back(c);
                all.back().hold.after = after;
                all.back().loops = loops;
            }
        }
    }
    return all;
}

INSTANTIATE_TEST_SUITE_P(Calls, HeldCallTest, testing::ValuesIn(cases()), [](const auto &test) {
    const Case &c = test.param;
    return std::string(c.name) + (c.hold.after ? "_made" : "_begun") + "_on_" + std::to_string(c.loops);
});

/* ------------------------------------------------------------------ what comes meanwhile */

class CarrierTest : public HeldLoopsFixture
{
  protected:
    /* Client 1 has a transfer whose sendfile is held. */
    void holdASend(bool after = true, const struct sfd_options &options = {})
    {
        gate.hold(Hold(SENDFILE).made(after));
        struct sfd_options forced = options;
        forced.technique = SFD_TECHNIQUE_SENDFILE;
        Pipe status;
        submit(1, extended_(SFD_WIRE_SEND_FILE_EXT, "big", forced), {status.out.get(), pair_->out.get()});
        status_ = std::move(status.in);
        pair_->out.reset();
        ASSERT_TRUE(gate.awaitHeld(1));
        expectService(); // so the loop has been taken
    }
    /* Until the loop has seen all that was sent to it before. */
    void sync()
    {
        expectService(97);
        expectService(97);
    }
    void skewClock(uint64_t ms)
    {
        answers.skew_ms += ms;
        for (uint32_t i = 0; i < shared_->settings.loops; i++) {
            sfd_loop_wake(shared_->loops[i]);
        }
    }
};

/* It runs, or was preempted: to take its loop would help nobody, and its client has done nothing. */
TEST_F(CarrierTest, ShouldNotTakeTheLoopOfAThreadThatRuns)
{
    start(2);
    warmUp();
    gate.hold(Hold(PREADV2).spinning());
    const OwnedFd in = read(1, "small");
    ASSERT_TRUE(gate.awaitHeld(1)) << "there is no such call";
    expectService(); // by the other loop, which receives after many looks of the watchdog
    EXPECT_EQ(1, gate.held());
    EXPECT_EQ(0u, shared_->carriers.held.load());
    gate.release();
    EXPECT_BYTES(small_, readToEnd(in.get()).substr(SFD_WIRE_FILE_INFO_SIZE));
    EXPECT_FALSE(shared_->accounts.suspicious.load()) << "nobody is suspect";
}

TEST_F(CarrierTest, ShouldTellTheJournalWhoseCallHoldsAThread)
{
    start();
    ASSERT_EQ(0, sfd_journal_init(&shared_->journal, shared_->settings.loops + 1));
    warmUp();
    sfd_journal_want(&shared_->journal, SFD_RECORD_STALL);
    holdASend();
    gate.release();
    EXPECT_TRUE(await([this] { return shared_->carriers.held.load() == 0; }));
    struct sfd_record records[8];
    ASSERT_LE(1u, sfd_journal_take(&shared_->journal, records, 8));
    EXPECT_EQ(SFD_RECORD_STALL, records[0].kind);
    EXPECT_EQ(PID + 1, records[0].pid);
    EXPECT_EQ(getuid(), records[0].uid);
    EXPECT_EQ(0u, records[0].loop);
    EXPECT_GT(records[0].ended_ns, records[0].received_ns);
    pair_->in.reset();
    EXPECT_TRUE(awaitTransfers(0));
    sfd_journal_deinit(&shared_->journal);
}

TEST_F(CarrierTest, ShouldObeyCancelWhenTheCallIsBack)
{
    start();
    warmUp();
    gate.hold(Hold(SENDFILE).made());
    status_ = open(1, "big");
    const uint64_t id = idFrom(status_.get());
    sendOpen(1, id, pair_->out.get());
    pair_->out.reset();
    ASSERT_TRUE(gate.awaitHeld(1));
    cancel(1, id);
    cancel(1, id);
    sync();
    EXPECT_FALSE(readable(status_.get())) << "the thread that has the transfer is not back";
    gate.release();
    ASSERT_TRUE(awaitEnd(status_.get()));
    for (const std::string &message : messages(seen_)) {
        EXPECT_EQ(0u, message.rfind("progress", 0)) << message << ": a cancelled transfer has no terminal message";
    }
    EXPECT_TRUE(awaitTransfers(0));
    EXPECT_EQ(1u, count(SFD_COUNTER_CANCELLED));
}

TEST_F(CarrierTest, ShouldNoticeTheEndOfTheClientWhenTheCallIsBack)
{
    start();
    warmUp();
    pair_->fill(); // the transfer waits for its destination, and is watched
    status_ = send(1, "big", pair_->out.get(), SFD_TECHNIQUE_SENDFILE);
    ASSERT_TRUE(await([this] { return readable(status_.get()); }));
    gate.hold(Hold(SENDFILE).made());
    EXPECT_FALSE(drain(pair_->in.get(), 200 * 1024).empty());
    ASSERT_TRUE(gate.awaitHeld(1));
    status_.reset();
    pair_->in.reset();
    sync();
    EXPECT_EQ(1u, shared_->transfers.load());
    gate.release();
    EXPECT_TRUE(awaitTransfers(0));
}

TEST_F(CarrierTest, ShouldKeepTheDeadlineWhenTheCallIsBack)
{
    start();
    warmUp();
    struct sfd_options options = {};
    options.deadline_ms = 3600 * 1000;
    holdASend(false, options);
    skewClock(3600 * 1000);
    sync();
    EXPECT_TRUE(messages(drain(status_.get())).size() <= 1);
    gate.release();
    ASSERT_TRUE(awaitEnd(status_.get()));
    const std::string last = messages(seen_).empty() ? "" : messages(seen_).back();
    /* It may have moved all that its destination takes, but its time was over. */
    EXPECT_EQ(0u, last.rfind("result " + std::to_string(ETIMEDOUT), 0)) << last;
    EXPECT_EQ(1u, count(SFD_COUNTER_DEADLINES));
}

TEST_F(CarrierTest, ShouldKeepTheIdleTimeoutWhenTheCallIsBack)
{
    shared_->settings.idle_timeout_ms = 3600 * 1000;
    start();
    warmUp();
    pair_->fill();
    holdASend();
    skewClock(3600 * 1000);
    sync();
    gate.release();
    ASSERT_TRUE(awaitEnd(status_.get()));
    ASSERT_FALSE(messages(seen_).empty());
    EXPECT_EQ("result " + std::to_string(ETIMEDOUT) + " moved 0 by 1", messages(seen_).back());
    EXPECT_EQ(1u, count(SFD_COUNTER_IDLE_TIMEOUTS));
}

TEST_F(CarrierTest, ShouldObeySendOpenFileWhenTheCallIsBack)
{
    start();
    warmUp();
    gate.hold(Hold(PWRITEV2).made()); // the client has the id, and the loop has the pipe's lock
    status_ = open(1, "big");
    const uint64_t id = idFrom(status_.get());
    ASSERT_TRUE(gate.awaitHeld(1));
    SocketPair second;
    sendOpen(1, id, pair_->out.get());
    sendOpen(1, id, second.out.get()); // the file is sent once
    pair_->out.reset();
    second.out.reset();
    sync();
    EXPECT_EQ("", drain(pair_->in.get()));
    gate.release();
    EXPECT_BYTES(big_, receive(pair_->in.get(), big_.size() + 1));
    EXPECT_EQ("", receive(second.in.get(), 1));
    ASSERT_TRUE(awaitEnd(status_.get()));
    EXPECT_EQ("complete", messages(seen_).back());
}

/* The descriptor of a Send Open File that is due for a transfer that ends. */
TEST_F(CarrierTest, ShouldCloseTheDestinationOfATransferThatEndsMeanwhile)
{
    start();
    warmUp();
    gate.hold(Hold(PWRITEV2).made().giving(-EPIPE));
    status_ = open(1, "big");
    sendOpen(1, idFrom(status_.get()), pair_->out.get());
    pair_->out.reset();
    sync();
    gate.release();
    EXPECT_TRUE(awaitTransfers(0));
    EXPECT_TRUE(await([this] { return ended(pair_->in.get()); })) << "its destination is open";
}

TEST_F(CarrierTest, ShouldTakeATransferBackFromTheDiskPoolWhenTheCallIsBack)
{
    writeFile(*directory_ / "cold", big_);
    start();
    warmUp();
    gate.hold(Hold(OPENAT2).inPool());
    status_ = open(1, "cold");
    ASSERT_TRUE(gate.awaitHeld(1, POOL));
    gate.hold(Hold(CLOSE));
    status_.reset(); // its client is gone: the status channel is closed
    ASSERT_TRUE(gate.awaitHeld(1));
    const int worked = worked_;
    gate.release(POOL);
    EXPECT_TRUE(await([&] { return worked_ > worked; }));
    sync();
    EXPECT_EQ(1u, shared_->transfers.load());
    gate.release();
    EXPECT_TRUE(awaitTransfers(0));
    EXPECT_EQ(1u, count(SFD_COUNTER_CANCELLED));
}

TEST_F(CarrierTest, ShouldNotEndBeforeTheCallIsBack)
{
    start();
    warmUp();
    holdASend(false);
    /* Another one that waits for its destination. */
    SocketPair full;
    full.fill();
    setNonblocking(full.out.get());
    OwnedFd other = send(2, "big", full.out.get());
    ASSERT_TRUE(await([&] { return readable(other.get()); })); // it waits, and its client has been told
    stopLoops();
    ASSERT_TRUE(awaitEnd(other.get())) << "it is aborted at once";
    EXPECT_EQ("error " + std::to_string(SFD_WIRE_XFER_STAT) + " " + std::to_string(ESHUTDOWN), messages(seen_).back());
    EXPECT_EQ(1u, loopsThatRun()) << "a carrier is away";
    EXPECT_EQ("", drain(status_.get()));
    gate.release();
    EXPECT_TRUE(await([this] { return carrying_ == 0; }));
    ASSERT_TRUE(awaitEnd(status_.get()));
    ASSERT_FALSE(messages(seen_).empty());
    EXPECT_NE(std::string::npos, messages(seen_).back().find(std::to_string(ESHUTDOWN)));
}

/* The count of batches that are still to be refused stays right. */
TEST_F(CarrierTest, ShouldEndAlthoughTheReceiptOfTheLastRequestsIsHeld)
{
    start(1, false);
    warmUp();
    gate.hold(OPENAT2);
    const OwnedFd held = read(1, "small");
    ASSERT_TRUE(gate.awaitHeld(1)); // and nobody can take the loop
    const OwnedFd first = read(2, "small");
    stopLoops();
    gate.hold(Hold(RECVMMSG).of(ANY));
    addSpare();
    ASSERT_TRUE(gate.awaitHeld(2)); // it has received the first one
    const OwnedFd second = read(3, "small");
    for (int i = 0; i < 3; i++) { // not before: a loop that has found the socket empty looks no more
        addSpare();
    }
    EXPECT_TRUE(await([&] { return readable(second.get()); })) << "it is refused";
    const unsigned beats = shared_->loops[0]->beats;
    EXPECT_TRUE(await([&] { // until no request is left
        sfd_loop_wake(shared_->loops[0]);
        return shared_->loops[0]->beats > beats + 5;
    }));
    gate.release();
    EXPECT_TRUE(await([this] { return loopsThatRun() == 0; })) << "the loop does not end";
    for (const OwnedFd *in : {&first, &second}) {
        EXPECT_EQ(Messages{"error " + std::to_string(SFD_WIRE_FILE_INFO) + " " + std::to_string(ESHUTDOWN)},
                  messages(readToEnd(in->get())));
    }
}

TEST_F(CarrierTest, ShouldAbortTheOthersAlthoughTheAbortOfOneIsHeld)
{
    start();
    warmUp();
    SocketPair full;
    full.fill();
    std::vector<OwnedFd> all;
    for (int i = 1; i <= 3; i++) {
        all.push_back(send(i, "big", full.out.get(), SFD_TECHNIQUE_READ_WRITE));
        ASSERT_TRUE(await([&] { return readable(all.back().get()); }));
    }
    gate.hold(PWRITEV2); // of its last message
    stopLoops();
    ASSERT_TRUE(gate.awaitHeld(1));
    EXPECT_TRUE(awaitEnd(all[1].get()));
    EXPECT_TRUE(awaitEnd(all[2].get()));
    gate.release();
    EXPECT_TRUE(awaitEnd(all[0].get()));
}

TEST_F(CarrierTest, ShouldRefuseARequestThatWasHeldDuringTheStop)
{
    start();
    warmUp();
    SocketPair full;
    full.fill();
    const OwnedFd other = send(2, "big", full.out.get());
    gate.hold(PIPE_SIZE);
    status_ = send(1, "big", full.out.get(), SFD_TECHNIQUE_READ_WRITE);
    ASSERT_TRUE(gate.awaitHeld(1));
    sync();
    stopLoops();
    EXPECT_TRUE(awaitEnd(other.get()));
    gate.release();
    EXPECT_TRUE(await([this] { return loopsThatRun() == 0; }));
    EXPECT_TRUE(awaitEnd(status_.get()));
    EXPECT_EQ(Messages{"refusal " + std::to_string(ESHUTDOWN) + " fits 0"}, messages(seen_));
}

/* What another carrier has left of the mail, and what has come since; the signal for that was taken before. */
TEST_F(CarrierTest, ShouldTakeTheMailboxAlthoughThereIsMail)
{
    create(1);
    struct sfd_loop *loop = shared_->loops[0];
    for (const bool left : {true, false}) {
        auto *command = static_cast<struct sfd_command *>(std::calloc(1, sizeof(struct sfd_command)));
        command->task.kind = SFD_TASK_COMMAND;
        command->dest = left ? -1 : dup(pair_->out.get());
        if (left) {
            loop->mail = &command->task;
        } else {
            ASSERT_TRUE(sfd_mailbox_push(&loop->mailbox, &command->task));
        }
    }
    pair_->out.reset();
    run();
    EXPECT_TRUE(await([this] { return ended(pair_->in.get()); })) << "a command waits";
}

/* Two that replace the descriptor that is kept for a full table: one of theirs is left over. */
TEST_F(CarrierTest, ShouldKeepOneSpareDescriptor)
{
    shared_->kernel.pipe_write_flags = 0; // each status channel is opened again
    start();
    warmUp();
    gate.hold(Hold(OPENAT).failing(-EMFILE));
    gate.hold(DUPLICATE);
    const OwnedFd held = read(1, "small");
    ASSERT_TRUE(gate.awaitHeld(1));
    expectService();
    gate.release();
    EXPECT_BYTES(small_, readToEnd(held.get()).substr(SFD_WIRE_FILE_INFO_SIZE));
}

/* Else the next call that is held would be found a tenth of a second later. */
TEST_F(CarrierTest, ShouldWakeTheWatchdogAlsoWhileACallIsHeld)
{
    start();
    warmUp();
    holdASend();
    EXPECT_TRUE(await([this] { return shared_->watchdog.asleep.load(); }));
    gate.hold(Hold(OPENAT2).of(2));
    const OwnedFd second = read(2, "small");
    ASSERT_TRUE(gate.awaitHeld(2));
    EXPECT_TRUE(await([this] { return !shared_->watchdog.asleep.load(); }));
    expectService();
    gate.release();
    EXPECT_BYTES(small_, readToEnd(second.get()).substr(SFD_WIRE_FILE_INFO_SIZE));
}

/* ------------------------------------------------------------------ requests and selections of a turn */

TEST_F(CarrierTest, ShouldServeTheOthersOfItsBatchAtOnceAndOnce)
{
    gate.hold(Hold(PIPE_SIZE));
    OwnedFd held = read(1, "small");
    std::vector<OwnedFd> others;
    for (int i = 2; i < 8; i++) {
        others.push_back(read(i, "small"));
    }
    start(); // all of them are one batch
    ASSERT_TRUE(gate.awaitHeld(1));
    for (OwnedFd &in : others) {
        ASSERT_TRUE(await([&] { return readable(in.get()); }));
        EXPECT_BYTES(small_, readToEnd(in.get()).substr(SFD_WIRE_FILE_INFO_SIZE));
    }
    EXPECT_EQ(0u, shared_->transfers.load());
    gate.release();
    EXPECT_BYTES(small_, readToEnd(held.get()).substr(SFD_WIRE_FILE_INFO_SIZE));
    EXPECT_TRUE(awaitTransfers(0));
    EXPECT_EQ(7u, count(SFD_COUNTER_REQUESTS));
    EXPECT_EQ(7u, count(SFD_COUNTER_COMPLETED)) << "none twice";
}

TEST_F(CarrierTest, ShouldAskAgainForASelectionOfATurnThatWasTaken)
{
    shared_->settings.selector = true;
    start();
    warmUp();
    gate.hold(Hold(RECVMMSG).of(ANY)); // so that the next two come together
    const OwnedFd first = read(3, "small");
    ASSERT_TRUE(gate.awaitHeld(1));
    gate.release();
    EXPECT_BYTES(small_, readToEnd(first.get()).substr(SFD_WIRE_FILE_INFO_SIZE));

    gate.hold(Hold(OPENAT2));
    OwnedFd other = read(2, "small");
    OwnedFd held = read(1, "small");
    ASSERT_TRUE(gate.awaitHeld(1));
    ASSERT_TRUE(await([&] { return readable(other.get()); })) << "nobody asks again";
    EXPECT_BYTES(small_, readToEnd(other.get()).substr(SFD_WIRE_FILE_INFO_SIZE));
    gate.release();
    EXPECT_BYTES(small_, readToEnd(held.get()).substr(SFD_WIRE_FILE_INFO_SIZE));
}

/* ------------------------------------------------------------------ probation */

TEST_F(CarrierTest, ShouldLetAClientHoldAFewThreadsAndNoMore)
{
    start();
    warmUp();
    gate.hold(Hold(OPENAT2).times(1000));
    std::vector<OwnedFd> all;
    for (int i = 0; i < 20; i++) {
        all.push_back(read(1, "small"));
    }
    ASSERT_TRUE(gate.awaitHeld(SFD_HELD_CLIENT_MAX));
    sync();
    sync();
    EXPECT_EQ(SFD_HELD_CLIENT_MAX, gate.held()) << "the others wait";
    gate.release();
    for (OwnedFd &in : all) {
        EXPECT_BYTES(small_, readToEnd(in.get()).substr(SFD_WIRE_FILE_INFO_SIZE));
    }
    EXPECT_TRUE(awaitTransfers(0));
}

TEST_F(CarrierTest, ShouldLetFurtherTransfersOfAClientThatHoldsThreadsWait)
{
    start();
    warmUp();
    std::vector<OwnedFd> opened;
    std::vector<uint64_t> ids;
    for (int i = 0; i < 12; i++) {
        opened.push_back(open(1, "small"));
        ids.push_back(idFrom(opened.back().get()));
    }
    gate.hold(Hold(SENDFILE).times(1000).made());
    gate.hold(Hold(PREADV2).times(1000).made());
    std::vector<SocketPair> pairs(12);
    for (int i = 0; i < 12; i++) {
        setNonblocking(pairs[i].out.get());
        sendOpen(1, ids[i], pairs[i].out.get());
        pairs[i].out.reset();
    }
    ASSERT_TRUE(gate.awaitHeld(SFD_HELD_CLIENT_MAX));
    sync();
    EXPECT_EQ(SFD_HELD_CLIENT_MAX, gate.held());
    gate.release();
    for (int i = 0; i < 12; i++) {
        EXPECT_BYTES(small_, receive(pairs[i].in.get(), small_.size() + 1));
        ASSERT_TRUE(awaitEnd(opened[i].get()));
        EXPECT_EQ("complete", messages(seen_).back());
    }
}

/* What waits for a thread in a loop goes on when one comes back in another loop, whatever is due for it. */
TEST_F(CarrierTest, ShouldServeWhatWaitsAlthoughSomeThreadsStayAway)
{
    start(2);
    warmUp();
    gate.hold(Hold(OPENAT2).times(SFD_HELD_CLIENT_MAX - 1));
    std::vector<OwnedFd> held;
    for (int i = 0; i < SFD_HELD_CLIENT_MAX - 1; i++) {
        held.push_back(read(1, "small"));
        ASSERT_TRUE(gate.awaitHeld(i + 1));
    }
    std::vector<OwnedFd> all;
    for (int i = 0; i < 30; i++) {
        all.push_back(read(1, "small"));
    }
    for (OwnedFd &in : all) {
        ASSERT_TRUE(await([&] { return readable(in.get()); }));
        EXPECT_BYTES(small_, readToEnd(in.get()).substr(SFD_WIRE_FILE_INFO_SIZE));
    }
    EXPECT_EQ(SFD_HELD_CLIENT_MAX - 1, gate.held());
    gate.release();
    for (OwnedFd &in : held) {
        EXPECT_BYTES(small_, readToEnd(in.get()).substr(SFD_WIRE_FILE_INFO_SIZE));
    }
}

TEST_F(CarrierTest, ShouldTrustAClientAgainWhoseCallsComeBackAtOnce)
{
    start();
    warmUp();
    struct sfd_client_account *account = sfd_client_accounts_get(&shared_->accounts, PID + 1, getuid());
    EXPECT_FALSE(sfd_client_account_is_suspect(account));
    gate.hold(Hold(OPENAT2));
    OwnedFd in = read(1, "small");
    ASSERT_TRUE(gate.awaitHeld(1));
    EXPECT_TRUE(await([&] { return sfd_client_account_is_suspect(account); })) << "at once, not when it is back";
    gate.release();
    EXPECT_BYTES(small_, readToEnd(in.get()).substr(SFD_WIRE_FILE_INFO_SIZE));
    EXPECT_TRUE(await([&] {
        OwnedFd again = read(1, "small");
        EXPECT_BYTES(small_, readToEnd(again.get()).substr(SFD_WIRE_FILE_INFO_SIZE));
        return !sfd_client_account_is_suspect(account);
    }));
    EXPECT_TRUE(awaitTransfers(0));
    EXPECT_TRUE(await([&] { return account->held.load() == 0; }));
    sfd_client_account_put(account);
}

class SuspectsTest : public CarrierTest
{
  protected:
    /* Makes a client suspect, and as if it had held so many threads. */
    struct sfd_client_account *suspect(int client)
    {
        struct sfd_client_account *account = sfd_client_accounts_get(&shared_->accounts, PID + client, getuid());
        sfd_client_account_suspect(account);
        account->held += SFD_HELD_CLIENT_MAX;
        return account;
    }
    static void releaseThreads(struct sfd_client_account *account)
    {
        account->held -= SFD_HELD_CLIENT_MAX;
    }
    /* As a thread of another loop does that is not held any more. */
    void tell()
    {
        struct sfd_loop *loop = shared_->loops[0];
        if (!loop->look_queued.exchange(true)) {
            EXPECT_TRUE(sfd_mailbox_push(&loop->mailbox, &loop->look));
        }
    }
    bool awaitWaiting(unsigned count)
    {
        return await([&] { return shared_->loops[0]->waiting.load() == count; });
    }
    void expectSmall(const OwnedFd &in)
    {
        ASSERT_TRUE(await([&] { return readable(in.get()); })) << "it waits";
        EXPECT_BYTES(small_, readToEnd(in.get()).substr(SFD_WIRE_FILE_INFO_SIZE));
    }
};

/* Client 1 is held while the requests that wait are looked at. */
TEST_F(SuspectsTest, ShouldLetAUserHoldHalfOfTheThreadsHoweverManyProcessesItHas) // R16, R25
{
    constexpr int MORE = 10;

    sfd_client_accounts_reserve(&shared_->accounts);
    start();
    warmUp();
    struct sfd_client_account *account = sfd_client_accounts_get(&shared_->accounts, PID, getuid());
    struct sfd_client_account *stranger = sfd_client_accounts_get(&shared_->accounts, PID, getuid() + 1);
    std::vector<OwnedFd> all;
    for (int client = 1; client <= SFD_HELD_USER_MAX + MORE; client++) {
        gate.hold(Hold(OPENAT2).of(client));
        all.push_back(read(client, "small"));
    }
    ASSERT_TRUE(gate.awaitHeld(SFD_HELD_USER_MAX));
    ASSERT_TRUE(awaitWaiting(MORE));
    EXPECT_EQ(SFD_HELD_USER_MAX, gate.held());
    EXPECT_FALSE(sfd_carrier_may_be_held(shared_.get(), account)) << "although it has never held one";
    EXPECT_TRUE(sfd_carrier_may_be_held(shared_.get(), stranger));
    sfd_client_account_suspect(stranger);
    EXPECT_TRUE(sfd_carrier_may_be_held(shared_.get(), stranger)) << "also if it has held one";
    gate.release();
    for (OwnedFd &in : all) {
        EXPECT_BYTES(small_, readToEnd(in.get()).substr(SFD_WIRE_FILE_INFO_SIZE));
    }
    EXPECT_TRUE(await([&] { return account->user->held.load() == 0; }));
    sfd_client_account_put(account);
    sfd_client_account_put(stranger);
}

TEST_F(SuspectsTest, ShouldGoOnWithRequestsThatWaitWhileOneOfThemIsHeld)
{
    start();
    warmUp();
    std::vector<struct sfd_client_account *> accounts;
    std::vector<OwnedFd> reads;
    for (const int client : {1, 3, 2}) {
        accounts.push_back(suspect(client));
        reads.push_back(read(client, "small"));
    }
    ASSERT_TRUE(awaitWaiting(3));
    gate.hold(OPENAT2);
    releaseThreads(accounts[0]);
    releaseThreads(accounts[2]);
    tell();
    ASSERT_TRUE(gate.awaitHeld(1));
    expectSmall(reads[2]);
    tell();
    sync();
    gate.release();
    expectSmall(reads[0]);
    sync();
    EXPECT_FALSE(readable(reads[1].get()));
    releaseThreads(accounts[1]);
    tell();
    expectSmall(reads[1]);
    EXPECT_TRUE(awaitTransfers(0));
    for (struct sfd_client_account *account : accounts) {
        sfd_client_account_put(account);
    }
}

/* The same with transfers. */
TEST_F(SuspectsTest, ShouldGoOnWithTransfersThatWaitWhileOneOfThemIsHeld)
{
    start();
    warmUp();
    std::vector<struct sfd_client_account *> accounts;
    std::vector<OwnedFd> opened;
    for (const int client : {1, 2}) {
        opened.push_back(open(client, "small"));
        (void)idFrom(opened.back().get());
        accounts.push_back(suspect(client));
    }
    opened.clear(); // both are to be cancelled
    ASSERT_TRUE(awaitWaiting(2));
    gate.hold(CLOSE);
    gate.hold(Hold(CLOSE).of(2));
    releaseThreads(accounts[0]);
    releaseThreads(accounts[1]);
    tell();
    EXPECT_TRUE(gate.awaitHeld(2)) << "one waits for the other's call";
    gate.release();
    EXPECT_TRUE(awaitTransfers(0));
    for (struct sfd_client_account *account : accounts) {
        sfd_client_account_put(account);
    }
}

/* Without a spare carrier no thread comes back and tells, however many were chosen. */
TEST_F(SuspectsTest, ShouldGoOnWithAllTransfersThatWait)
{
    start(1, false);
    warmUp();
    std::vector<OwnedFd> opened;
    for (int i = 0; i < 3 * SFD_HELD_CLIENT_MAX; i++) {
        opened.push_back(open(1, "small"));
        (void)idFrom(opened.back().get());
    }
    struct sfd_client_account *account = suspect(1);
    opened.clear();
    ASSERT_TRUE(awaitWaiting(3 * SFD_HELD_CLIENT_MAX));
    releaseThreads(account);
    tell();
    EXPECT_TRUE(awaitTransfers(0));
    sfd_client_account_put(account);
}

/* ------------------------------------------------------------------ spare carriers */

TEST_F(CarrierTest, ShouldGoOnAfterTheCallWithoutASpareCarrier)
{
    start(1, false);
    warmUp();
    gate.hold(Hold(OPENAT2));
    OwnedFd held = read(1, "small");
    OwnedFd other = read(2, "small");
    ASSERT_TRUE(gate.awaitHeld(1));
    EXPECT_TRUE(await([this] { return count(SFD_COUNTER_STUCK) > 0; })) << "the watchdog has seen it";
    EXPECT_FALSE(readable(other.get()));
    gate.release();
    EXPECT_BYTES(small_, readToEnd(held.get()).substr(SFD_WIRE_FILE_INFO_SIZE));
    EXPECT_BYTES(small_, readToEnd(other.get()).substr(SFD_WIRE_FILE_INFO_SIZE));
}

TEST_F(CarrierTest, ShouldEndSpareCarriersThatAreNotNeeded)
{
    shared_->carriers.idle_ms = 20;
    start(1, false);
    for (int i = 0; i < 5; i++) {
        addSpare();
    }
    EXPECT_TRUE(await([this] { return timed_out_ == 4; })) << "all but one";
    warmUp();
}

} // namespace
