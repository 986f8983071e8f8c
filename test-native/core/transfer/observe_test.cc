// What the counters and a transfer's row say of it, at each point of its life.
#include "transfer_fixture.h"

#include <atomic>
#include <thread>

namespace
{

class ObserveTest : public TransferFixture
{
  protected:
    const struct sfd_counters_row &row() const
    {
        return *row_;
    }
    uint64_t bytes(enum sfd_operation operation, enum sfd_technique technique) const
    {
        return counted_->flow[operation][technique].bytes.load();
    }
    uint64_t outcomes(enum sfd_operation operation, enum sfd_outcome outcome) const
    {
        return counted_->outcomes[operation][outcome].load();
    }
    const struct sfd_histogram &time(enum sfd_time kind) const
    {
        return counted_->time[kind];
    }
    std::string pathInRow() const
    {
        std::string bytes;
        for (const auto &word : row_->path) {
            const uint64_t value = word.load();
            bytes.append(reinterpret_cast<const char *>(&value), sizeof(value));
        }
        return bytes.substr(0, std::min<size_t>(row_->path_length.load(), SFD_COUNTERS_PATH));
    }

    /* The journal, from here on, of ends of these kinds. */
    void keep(unsigned kinds)
    {
        if (journal_.count == 0) {
            ASSERT_EQ(0, sfd_journal_init(&journal_, 1));
            sfd_observe_keep(context_.get(), &journal_, 0);
        }
        sfd_journal_want(&journal_, kinds);
    }
    std::vector<struct sfd_record> records()
    {
        std::vector<struct sfd_record> all(8);
        all.resize(sfd_journal_take(&journal_, all.data(), 8));
        return all;
    }
    void TearDown() override
    {
        sfd_journal_deinit(&journal_);
        TransferFixture::TearDown();
    }

    ObserveTest()
    {
        journal_.eventfd = -1;
    }

  private:
    struct sfd_journal journal_ = {};
};

TEST_F(ObserveTest, ShouldCountATransferByOperationAndTechnique)
{
    learnDevice();
    file(10);
    options_.technique = SFD_TECHNIQUE_SPLICE;
    begin(SFD_WIRE_SEND_FILE, toPipe());
    finish();
    EXPECT_EQ(10u, bytes(SFD_OPERATION_SEND, SFD_TECHNIQUE_SPLICE));
    EXPECT_EQ(1u, counted_->flow[SFD_OPERATION_SEND][SFD_TECHNIQUE_SPLICE].transfers.load());
    EXPECT_EQ(1u, counted_->requests[SFD_OPERATION_SEND].load());
    EXPECT_EQ(1u, outcomes(SFD_OPERATION_SEND, SFD_OUTCOME_COMPLETED));
    EXPECT_EQ(1u, count(SFD_COUNTER_COMPLETED));
    EXPECT_EQ(10u, count(SFD_COUNTER_BYTES));
}

TEST_F(ObserveTest, ShouldCountARefusalByItsErrno)
{
    learnDevice();
    begin(SFD_WIRE_READ_FILE, -1, 0, SFD_WIRE_TO_END, "missing");
    EXPECT_EQ(SFD_NEXT_END, next_);
    EXPECT_EQ(1u, counted_->refusals[SFD_OPERATION_READ][ENOENT].load());
    EXPECT_EQ(1u, outcomes(SFD_OPERATION_READ, SFD_OUTCOME_REFUSED));
    EXPECT_EQ(0u, outcomes(SFD_OPERATION_READ, SFD_OUTCOME_FAILED));
}

TEST_F(ObserveTest, ShouldCountAFailureByItsErrno)
{
    learnDevice();
    file(BIG);
    begin(SFD_WIRE_SEND_FILE, toPipe());
    ASSERT_EQ(SFD_NEXT_DEST, next_);
    pipe_->in.reset();
    run();
    EXPECT_EQ(1u, counted_->failures[SFD_OPERATION_SEND][EPIPE].load());
    EXPECT_EQ(1u, outcomes(SFD_OPERATION_SEND, SFD_OUTCOME_FAILED));
    EXPECT_EQ(0u, time(SFD_TIME_TRANSFER).count.load()) << "of those that completed";
}

TEST_F(ObserveTest, ShouldCountAnErrnoBeyondTheLastRowWithTheUnknownOnes)
{
    const struct sfd_refused_request request = {SFD_WIRE_READ_FILE, 0, 0, nullptr, 0};
    sfd_observe_refused(context_.get(), &request, -SFD_COUNTERS_ERRNOS);
    sfd_observe_refused(context_.get(), &request, -(SFD_COUNTERS_ERRNOS - 1));
    EXPECT_EQ(1u, counted_->refusals[SFD_OPERATION_READ][0].load());
    EXPECT_EQ(1u, counted_->refusals[SFD_OPERATION_READ][SFD_COUNTERS_ERRNOS - 1].load());
    EXPECT_EQ(2u, outcomes(SFD_OPERATION_READ, SFD_OUTCOME_REFUSED));
}

TEST_F(ObserveTest, ShouldNotCountWhatItsClientWithdrewAsRefused)
{
    const struct sfd_refused_request request = {SFD_WIRE_READ_FILE, 0, 0, nullptr, 0};
    sfd_observe_refused(context_.get(), &request, -ECANCELED);
    EXPECT_EQ(1u, outcomes(SFD_OPERATION_READ, SFD_OUTCOME_CANCELLED));
    EXPECT_EQ(0u, outcomes(SFD_OPERATION_READ, SFD_OUTCOME_REFUSED));
    EXPECT_EQ(0u, counted_->refusals[SFD_OPERATION_READ][ECANCELED].load());
    EXPECT_EQ(1u, counted_->requests[SFD_OPERATION_READ].load());
}

TEST_F(ObserveTest, ShouldCountEachCommandAsWhatItAsksFor)
{
    const std::vector<std::pair<uint8_t, enum sfd_operation>> all = {
        {SFD_WIRE_OPEN_FILE, SFD_OPERATION_OPEN},
        {SFD_WIRE_READ_FILE, SFD_OPERATION_READ},
        {SFD_WIRE_SEND_FILE, SFD_OPERATION_SEND},
        {SFD_WIRE_SEND_DESCRIPTOR, SFD_OPERATION_DESCRIPTOR},
        {SFD_WIRE_SEND_OPEN_FILE, SFD_OPERATION_SEND_OPEN},
        {SFD_WIRE_CANCEL, SFD_OPERATION_CANCEL},
        {0, SFD_OPERATION_OTHER}, // none that is known
    };
    for (const auto &[command, operation] : all) {
        sfd_observe_command(context_.get(), command);
        EXPECT_EQ(1u, counted_->requests[operation].load()) << int{command};
    }
}

/* Nothing of the transfer that had the row before. */
TEST_F(ObserveTest, ShouldBeginARowAnew)
{
    memset(static_cast<void *>(row_.get()), 0xff, sizeof(*row_));
    row_->sequence = 8;
    t_->id = ID;
    context_->now_ns = 5000;
    struct sfd_client_account account = {};
    account.uid = 1000;
    account.process = 4711;
    t_->loop.account = &account;
    struct sfd_transfer_request request = {};
    request.command = SFD_WIRE_READ_FILE;
    request.path = "a";
    sfd_observe_begin(context_.get(), t_.get(), &request);
    t_->loop.account = nullptr;
    EXPECT_EQ(10u, row().sequence.load());
    EXPECT_EQ(uint64_t{1} << 48 | 1, row().id.load());
    EXPECT_EQ(5000u, row().begun_ns.load());
    EXPECT_EQ(5000u, row().asked_ns.load());
    EXPECT_EQ(0u, row().first_ns.load());
    EXPECT_EQ(UINT64_MAX, row().size.load());
    EXPECT_EQ(0u, row().moved.load());
    EXPECT_EQ(4711u, row().pid.load());
    EXPECT_EQ(1000u, row().uid.load());
    EXPECT_EQ(SFD_OPERATION_READ, row().operation.load());
    EXPECT_EQ(0u, row().technique.load());
    EXPECT_EQ(SFD_WAITS_FOR_NOTHING, row().waits_for.load());
    EXPECT_EQ(0u, row().cold.load());
    EXPECT_EQ(0u, row().ended.load());
    EXPECT_EQ("a", pathInRow());
    sfd_observe_waits(context_.get(), t_.get(), SFD_WAITS_FOR_RATE);
    EXPECT_EQ(SFD_WAITS_FOR_RATE, row().waits_for.load());
    row_->cold = 1; // of its open
    sfd_observe_asked(context_.get(), t_.get());
    EXPECT_EQ(SFD_WAITS_FOR_NOTHING, row().waits_for.load());
    EXPECT_EQ(0u, row().cold.load()) << "its bytes are asked for only now";
}

TEST_F(ObserveTest, ShouldShowATransferWhileItLasts)
{
    learnDevice();
    file(BIG);
    context_->now_ns = 5000;
    script.now_ns = 7000;
    begin(SFD_WIRE_SEND_FILE, toPipe());
    ASSERT_EQ(SFD_NEXT_DEST, next_);
    EXPECT_EQ(uint64_t{1} << 48 | 1, row().id.load());
    EXPECT_EQ(row().id.load(), sfd_observe_id(context_.get(), t_.get()));
    EXPECT_EQ("file", pathInRow());
    EXPECT_EQ(BIG, row().size.load());
    EXPECT_EQ(row().moved.load(), count(SFD_COUNTER_BYTES));
    EXPECT_GT(row().moved.load(), 0u);
    EXPECT_EQ(5000u, row().asked_ns.load());
    EXPECT_EQ(7000u, row().first_ns.load());
    EXPECT_EQ(SFD_OPERATION_SEND, row().operation.load());
    EXPECT_EQ(t_->technique, row().technique.load());
    EXPECT_EQ(0u, row().sequence.load() % 2) << "it is whole";
    EXPECT_EQ(0u, row().ended.load());
    const uint64_t before = row().sequence.load();
    finish();
    EXPECT_EQ(1u, row().ended.load());
    sfd_observe_forget(context_.get(), t_.get());
    EXPECT_EQ(0u, row().id.load());
    EXPECT_EQ(before + 2, row().sequence.load()) << "who has read half of it sees that it is another one";
}

TEST_F(ObserveTest, ShouldKeepTheEndOfALongPath)
{
    learnDevice();
    std::string path;
    for (int i = 0; i < 60; i++) {
        path += "0123456/";
    }
    path += "end";
    begin(SFD_WIRE_READ_FILE, -1, 0, SFD_WIRE_TO_END, path.c_str());
    EXPECT_EQ(path.size(), row().path_length.load());
    EXPECT_EQ(path.substr(path.size() - SFD_COUNTERS_PATH), pathInRow());
}

TEST_F(ObserveTest, ShouldTimeAWarmFirstByteApartFromACold)
{
    learnDevice();
    file(10);
    context_->now_ns = 1000;
    script.now_ns = 1000 + 640;
    begin(SFD_WIRE_SEND_FILE, toPipe());
    finish();
    EXPECT_EQ(1u, time(SFD_TIME_FIRST_BYTE_WARM).count.load());
    EXPECT_EQ(640u, time(SFD_TIME_FIRST_BYTE_WARM).sum_ns.load());
    EXPECT_EQ(0u, time(SFD_TIME_FIRST_BYTE_COLD).count.load());
    EXPECT_EQ(1u, time(SFD_TIME_TRANSFER).count.load());

    again();
    script.warm_until = 0;
    begin(SFD_WIRE_SEND_FILE, toPipe());
    ASSERT_EQ(SFD_NEXT_POOL, next_);
    EXPECT_EQ(1u, row().cold.load());
    finish();
    EXPECT_EQ(1u, time(SFD_TIME_FIRST_BYTE_COLD).count.load());
    EXPECT_EQ(1u, time(SFD_TIME_FIRST_BYTE_WARM).count.load());
    EXPECT_EQ(1u, counted_->flow[SFD_OPERATION_SEND][t_->technique].cold_windows.load());
}

TEST_F(ObserveTest, ShouldTimeTheFirstByteAlone)
{
    learnDevice();
    file(BIG);
    context_->now_ns = 5000;
    script.now_ns = 7000;
    begin(SFD_WIRE_SEND_FILE, toPipe());
    ASSERT_EQ(SFD_NEXT_DEST, next_);
    const uint64_t first_ns = row().first_ns.load();
    sfd_observe_cold(context_.get(), t_.get(), false);
    EXPECT_EQ(0u, row().cold.load()) << "the disk was needed later";
    EXPECT_EQ(0u, count(SFD_COUNTER_COLD_WINDOWS)) << "for no window";
    script.now_ns += 1000;
    finish();
    EXPECT_EQ(first_ns, row().first_ns.load());
    EXPECT_EQ(1u, time(SFD_TIME_FIRST_BYTE_WARM).count.load());
}

TEST_F(ObserveTest, ShouldTimeAnOpenedFileFromWhenItIsToBeSent)
{
    learnDevice();
    file(10);
    context_->now_ns = 1000;
    begin(SFD_WIRE_OPEN_FILE);
    ASSERT_EQ(SFD_NEXT_PARK, next_);
    EXPECT_EQ(0u, time(SFD_TIME_FIRST_BYTE_WARM).count.load());
    context_->now_ns = 900000;
    script.now_ns = 900640;
    next_ = sfd_transfer_send(context_.get(), t_.get(), toPipe());
    finish();
    EXPECT_EQ(640u, time(SFD_TIME_FIRST_BYTE_WARM).sum_ns.load());
    EXPECT_EQ(1u, outcomes(SFD_OPERATION_OPEN, SFD_OUTCOME_COMPLETED));
}

TEST_F(ObserveTest, ShouldCountWhatHasNoRow)
{
    learnDevice();
    file(10);
    context_->observer.row_count = 0;
    begin(SFD_WIRE_SEND_FILE, toPipe());
    EXPECT_EQ(0u, sfd_observe_id(context_.get(), t_.get()));
    finish();
    EXPECT_EQ(1u, count(SFD_COUNTER_COMPLETED));
    EXPECT_EQ(10u, count(SFD_COUNTER_BYTES));
}

TEST_F(ObserveTest, ShouldNotTakeAnIndexFromTheFile)
{
    learnDevice();
    file(BIG);
    begin(SFD_WIRE_SEND_FILE, toPipe());
    ASSERT_EQ(SFD_NEXT_DEST, next_);
    row_->operation = 255; // whoever may write to the file
    finish();
    EXPECT_EQ(1u, outcomes(SFD_OPERATION_OTHER, SFD_OUTCOME_COMPLETED));
}

/* A reader on another thread, which may stop at any place: under ThreadSanitizer, and on machines with weaker order. */
TEST_F(ObserveTest, ShouldLetAReaderTellWhetherARowIsOfOneTransfer)
{
    std::atomic<bool> over = false;
    uint64_t torn = 0;
    uint64_t whole = 0;
    std::thread reader([&] {
        while (!over.load() || whole == 0) { // on a busy machine it may begin when all is over
            const uint64_t before = row_->sequence.load(std::memory_order_acquire);
            const uint64_t id = row_->id.load(std::memory_order_acquire);
            const uint64_t first = row_->path[0].load(std::memory_order_acquire);
            const uint64_t last = row_->path[SFD_COUNTERS_PATH / 8 - 1].load(std::memory_order_acquire);
            const uint32_t uid = row_->uid.load(std::memory_order_acquire);
            if (row_->sequence.load(std::memory_order_relaxed) != before || before % 2 != 0 || id == 0) {
                continue;
            }
            whole++;
            torn += first != last || (first & 0xff) != 'a' + uid % 26 ? 1 : 0;
        }
    });
    t_->id = ID;
    struct sfd_client_account account = {};
    t_->loop.account = &account;
    struct sfd_transfer_request request = {};
    for (uint32_t i = 0; i < 200000; i++) {
        const std::string path(SFD_COUNTERS_PATH, static_cast<char>('a' + i % 26));
        account.uid = i;
        request.path = path.c_str();
        sfd_observe_begin(context_.get(), t_.get(), &request);
        if (i % 3 == 0) {
            sfd_observe_forget(context_.get(), t_.get());
        }
    }
    over = true;
    reader.join();
    t_->loop.account = nullptr;
    EXPECT_EQ(0u, torn) << "of " << whole;
}

TEST_F(ObserveTest, ShouldTellTheJournalOfATransfersEnd)
{
    keep(SFD_RECORD_DONE);
    learnDevice();
    file(10);
    context_->now_ns = 1000;
    script.now_ns = 1640;
    begin(SFD_WIRE_SEND_FILE, toPipe());
    finish();
    const auto all = records();
    ASSERT_EQ(1u, all.size()) << "once";
    const struct sfd_record &record = all[0];
    EXPECT_EQ(SFD_RECORD_DONE, record.kind);
    EXPECT_EQ(0, record.error);
    EXPECT_EQ(uint64_t{1} << 48 | 1, record.id);
    EXPECT_EQ(SFD_OPERATION_SEND, record.operation);
    EXPECT_EQ(t_->technique, record.technique);
    EXPECT_EQ(10u, record.bytes);
    EXPECT_EQ(10u, record.size);
    EXPECT_EQ(1000u, record.received_ns);
    EXPECT_EQ(1640u, record.first_byte_ns);
    EXPECT_EQ(1640u, record.ended_ns);
    EXPECT_EQ(0, record.flags);
    EXPECT_EQ("file", std::string(record.path, record.path_length));
}

TEST_F(ObserveTest, ShouldTellTheJournalWhyATransferHasFailed)
{
    keep(SFD_RECORD_FAILED | SFD_RECORD_REFUSED);
    learnDevice();
    begin(SFD_WIRE_READ_FILE, -1, 0, SFD_WIRE_TO_END, "missing");
    again();
    file(BIG);
    script.warm_until = 0;
    begin(SFD_WIRE_SEND_FILE, toPipe());
    ASSERT_EQ(SFD_NEXT_POOL, next_);
    pipe_->in.reset();
    finish();
    const auto all = records();
    ASSERT_EQ(2u, all.size());
    EXPECT_EQ(SFD_RECORD_REFUSED, all[0].kind);
    EXPECT_EQ(ENOENT, all[0].error);
    EXPECT_EQ(UINT64_MAX, all[0].size);
    EXPECT_EQ(0, all[0].flags & SFD_RECORD_UNBEGUN) << "it was a transfer";
    EXPECT_EQ(SFD_RECORD_FAILED, all[1].kind);
    EXPECT_EQ(EPIPE, all[1].error);
    EXPECT_EQ(BIG, all[1].size);
    EXPECT_EQ(SFD_RECORD_COLD, all[1].flags);
}

TEST_F(ObserveTest, ShouldTellTheJournalOnlyWhatItWants)
{
    keep(SFD_RECORD_FAILED);
    learnDevice();
    file(10);
    begin(SFD_WIRE_SEND_FILE, toPipe());
    finish();
    EXPECT_EQ(0u, records().size());
    keep(SFD_RECORD_CANCELLED);
    again();
    file(BIG);
    begin(SFD_WIRE_SEND_FILE, toPipe());
    next_ = sfd_transfer_cancel(context_.get(), t_.get());
    const auto all = records();
    ASSERT_EQ(1u, all.size());
    EXPECT_EQ(ECANCELED, all[0].error);
    EXPECT_EQ(0u, sfd_journal_lost(context_->observer.journal));
}

TEST_F(ObserveTest, ShouldTellTheJournalOfARequestThatWasNoTransfer)
{
    keep(SFD_RECORD_REFUSED);
    const std::string path = std::string(300, 'a') + "/end";
    const struct sfd_refused_request request = {SFD_WIRE_SEND_FILE, 4711, 1000, path.c_str(), path.size()};
    sfd_observe_refused(context_.get(), &request, -EDQUOT);
    const auto all = records();
    ASSERT_EQ(1u, all.size());
    EXPECT_EQ(SFD_RECORD_UNBEGUN | SFD_RECORD_PATH_CUT, all[0].flags);
    EXPECT_EQ(EDQUOT, all[0].error);
    EXPECT_EQ(4711, all[0].pid);
    EXPECT_EQ(1000u, all[0].uid);
    EXPECT_EQ(path.substr(path.size() - SFD_RECORD_PATH_SIZE), std::string(all[0].path, all[0].path_length));
}

/* What the row says is an index, or a length, only if it is one: whoever may write to the file may have. */
TEST_F(ObserveTest, ShouldCopyNoMoreOfAPathThanARowHas)
{
    keep(SFD_RECORD_DONE);
    learnDevice();
    file(BIG);
    begin(SFD_WIRE_SEND_FILE, toPipe());
    ASSERT_EQ(SFD_NEXT_DEST, next_);
    row_->path_length = UINT16_MAX;
    finish();
    const auto all = records();
    ASSERT_EQ(1u, all.size());
    EXPECT_EQ(SFD_RECORD_PATH_SIZE, all[0].path_length);
}

} // namespace
