/*
 * What is told of requests and transfers.
 */
#include "transfer/observe.h"

#include <errno.h>
#include <string.h>

#include "transfer/transfer_private.h"

void sfd_observe_init(struct sfd_context *context, struct sfd_counters_loop *loop, struct sfd_counters_row *rows,
                      uint32_t row_count, uint32_t index)
{
    context->counters = &loop->counters;
    context->observer = (struct sfd_observer){
        .loop = loop,
        .rows = rows,
        .row_count = rows == NULL ? 0 : row_count,
        .last_id = (uint64_t)(index + 1) << SFD_OBSERVER_SERIAL_BITS,
    };
}

void sfd_observe_keep(struct sfd_context *context, struct sfd_journal *journal, uint32_t ring)
{
    context->observer.journal = journal;
    context->observer.journal_ring = ring;
}

#define GET(member)        atomic_load_explicit(&(member), memory_order_relaxed)
#define SET(member, value) atomic_store_explicit(&(member), value, memory_order_relaxed)

/* Behind what was stored before, for others to see as well: what fills a row, whose number is odd by then. */
#define FILL(member, value) atomic_store_explicit(&(member), value, memory_order_release)

struct sfd_counters_row *sfd_observe_row(const struct sfd_context *context, const struct sfd_transfer *t)
{
    const uint32_t position = (uint32_t)(t->id & (SFD_TRANSFERS_MAX - 1));

    return position < context->observer.row_count ? &context->observer.rows[position] : NULL;
}

uint64_t sfd_observe_id(const struct sfd_context *context, const struct sfd_transfer *t)
{
    struct sfd_counters_row *row = sfd_observe_row(context, t);

    return row == NULL ? 0 : GET(row->id);
}

uint32_t sfd_observe_loop_of(uint64_t id)
{
    return (uint32_t)(id >> SFD_OBSERVER_SERIAL_BITS) - 1;
}

static enum sfd_operation operation_of(uint8_t command)
{
    switch (command) {
    case SFD_WIRE_OPEN_FILE:
        return SFD_OPERATION_OPEN;
    case SFD_WIRE_READ_FILE:
        return SFD_OPERATION_READ;
    case SFD_WIRE_SEND_FILE:
        return SFD_OPERATION_SEND;
    case SFD_WIRE_SEND_DESCRIPTOR:
        return SFD_OPERATION_DESCRIPTOR;
    case SFD_WIRE_SEND_OPEN_FILE:
        return SFD_OPERATION_SEND_OPEN;
    case SFD_WIRE_CANCEL:
        return SFD_OPERATION_CANCEL;
    default:
        return SFD_OPERATION_OTHER;
    }
}

/* What the row says is an index only if it is one: the memory is a file. */
static uint8_t operation_in(const struct sfd_counters_row *row)
{
    const uint8_t operation = row == NULL ? SFD_OPERATION_OTHER : GET(row->operation);

    return operation < SFD_OPERATIONS ? operation : SFD_OPERATION_OTHER;
}

static uint32_t errno_index(int error)
{
    return error < 0 && error > -SFD_COUNTERS_ERRNOS ? (uint32_t)-error : 0;
}

static struct sfd_counters_flow *flow_of(const struct sfd_context *context, const struct sfd_transfer *t,
                                         const struct sfd_counters_row *row)
{
    return &context->observer.loop->flow[operation_in(row)][t->technique % SFD_COUNTERS_TECHNIQUES];
}

/* ------------------------------------------------------------------ its row */

static void write_path(struct sfd_counters_row *row, const char *path, size_t length)
{
    const size_t kept = length < SFD_COUNTERS_PATH ? length : SFD_COUNTERS_PATH;
    const char *from = path + length - kept;
    uint64_t word = 0;

    for (size_t at = 0; at < kept; at += sizeof(word)) {
        const size_t n = kept - at < sizeof(word) ? kept - at : sizeof(word);
        word = 0;
        memcpy(&word, from + at, n);
        FILL(row->path[at / sizeof(word)], word);
    }
    FILL(row->path_length, (uint16_t)length);
}

/* Between the two, who reads the row knows that it is not whole. */
static void open_row(struct sfd_counters_row *row)
{
    SET(row->sequence, GET(row->sequence) | 1);
}

static void close_row(struct sfd_counters_row *row)
{
    atomic_store_explicit(&row->sequence, GET(row->sequence) + 1, memory_order_release);
}

void sfd_observe_begin(struct sfd_context *context, const struct sfd_transfer *t,
                       const struct sfd_transfer_request *request)
{
    const enum sfd_operation operation = operation_of(request->asked != 0 ? request->asked : request->command);
    const struct sfd_client_account *account = t->loop.account;
    struct sfd_counters_row *row = sfd_observe_row(context, t);
    const uint64_t id = ++context->observer.last_id;

    sfd_counter_add(&context->observer.loop->requests[operation], 1);
    if (row == NULL) return;
    open_row(row);
    FILL(row->id, id);
    FILL(row->begun_ns, context->now_ns);
    FILL(row->asked_ns, context->now_ns);
    FILL(row->first_ns, 0);
    FILL(row->size, UINT64_MAX);
    FILL(row->moved, 0);
    FILL(row->pid, account == NULL ? 0 : (uint32_t)sfd_process_pid(account->process));
    FILL(row->uid, account == NULL ? 0 : account->uid);
    FILL(row->operation, (uint8_t)operation);
    FILL(row->technique, SFD_TECHNIQUE_AUTO);
    FILL(row->waits_for, SFD_WAITS_FOR_NOTHING);
    FILL(row->cold, 0);
    FILL(row->ended, 0);
    write_path(row, request->path == NULL ? "" : request->path, request->path == NULL ? 0 : strlen(request->path));
    close_row(row);
}

void sfd_observe_asked(struct sfd_context *context, const struct sfd_transfer *t)
{
    struct sfd_counters_row *row = sfd_observe_row(context, t);

    if (row == NULL) return;
    SET(row->asked_ns, context->now_ns);
    SET(row->cold, 0);
    SET(row->waits_for, SFD_WAITS_FOR_NOTHING);
}

void sfd_observe_opened(struct sfd_context *context, const struct sfd_transfer *t)
{
    struct sfd_counters_row *row = sfd_observe_row(context, t);

    if (row != NULL) SET(row->size, sfd_transfer_size(t));
}

void sfd_observe_moves_by(struct sfd_context *context, const struct sfd_transfer *t)
{
    struct sfd_counters_row *row = sfd_observe_row(context, t);

    if (row != NULL) SET(row->technique, t->technique);
}

void sfd_observe_moved(struct sfd_context *context, const struct sfd_transfer *t, uint64_t bytes)
{
    struct sfd_counters_row *row = sfd_observe_row(context, t);

    if (bytes == 0) return;
    sfd_counters_add(context->counters, SFD_COUNTER_BYTES, bytes);
    sfd_counter_add(&flow_of(context, t, row)->bytes, bytes);
    if (row == NULL) return;
    sfd_counter_add(&row->moved, bytes);
    if (GET(row->first_ns) != 0) return;
    const uint64_t now_ns = context->kernel.sys->now_ns();
    const uint64_t asked_ns = GET(row->asked_ns);
    const enum sfd_time kind = GET(row->cold) != 0 ? SFD_TIME_FIRST_BYTE_COLD : SFD_TIME_FIRST_BYTE_WARM;
    SET(row->first_ns, now_ns);
    sfd_histogram_record(&context->observer.loop->time[kind], now_ns > asked_ns ? now_ns - asked_ns : 0);
}

void sfd_observe_cold(struct sfd_context *context, const struct sfd_transfer *t, bool window)
{
    struct sfd_counters_row *row = sfd_observe_row(context, t);

    if (window) {
        sfd_counters_add(context->counters, SFD_COUNTER_COLD_WINDOWS, 1);
        sfd_counter_add(&flow_of(context, t, row)->cold_windows, 1);
    }
    if (row != NULL && GET(row->first_ns) == 0) SET(row->cold, 1);
}

void sfd_observe_waits(const struct sfd_context *context, const struct sfd_transfer *t, enum sfd_waits_for waits_for)
{
    struct sfd_counters_row *row = sfd_observe_row(context, t);

    if (row != NULL) SET(row->waits_for, (uint8_t)waits_for);
}

/* ------------------------------------------------------------------ ends */

static void count_end(struct sfd_context *context, uint8_t operation, enum sfd_outcome outcome, int error)
{
    static const enum sfd_counter counters[] = {
        [SFD_OUTCOME_COMPLETED] = SFD_COUNTER_COMPLETED,
        [SFD_OUTCOME_REFUSED] = SFD_COUNTER_REFUSED,
        [SFD_OUTCOME_FAILED] = SFD_COUNTER_FAILED,
        [SFD_OUTCOME_CANCELLED] = SFD_COUNTER_CANCELLED,
    };
    struct sfd_counters_loop *loop = context->observer.loop;

    sfd_counters_add(context->counters, counters[outcome], 1);
    sfd_counter_add(&loop->outcomes[operation][outcome], 1);
    if (outcome == SFD_OUTCOME_REFUSED) sfd_counter_add(&loop->refusals[operation][errno_index(error)], 1);
    if (outcome == SFD_OUTCOME_FAILED) sfd_counter_add(&loop->failures[operation][errno_index(error)], 1);
}

/* A record for the journal, to be committed; NULL if nobody wants it, or there is no room. */
static struct sfd_record *record_for(const struct sfd_context *context, enum sfd_outcome outcome, int error,
                                     uint64_t now_ns)
{
    static const enum sfd_record_kind kinds[] = {
        [SFD_OUTCOME_COMPLETED] = SFD_RECORD_DONE,
        [SFD_OUTCOME_REFUSED] = SFD_RECORD_REFUSED,
        [SFD_OUTCOME_FAILED] = SFD_RECORD_FAILED,
        [SFD_OUTCOME_CANCELLED] = SFD_RECORD_CANCELLED,
    };
    const struct sfd_observer *observer = &context->observer;

    if (observer->journal == NULL || !sfd_journal_wants(observer->journal, kinds[outcome])) return NULL;
    struct sfd_record *record = sfd_journal_reserve(observer->journal, observer->journal_ring);
    if (record == NULL) return NULL;
    record->kind = (uint8_t)kinds[outcome];
    record->error = outcome == SFD_OUTCOME_CANCELLED ? ECANCELED : -error;
    record->ended_ns = now_ns;
    record->loop = (uint16_t)observer->journal_ring;
    return record;
}

/* The end of `path`, if it is longer than there is room. */
static void keep_path(struct sfd_record *record, const char *path, size_t length)
{
    const size_t kept = length < SFD_RECORD_PATH_SIZE ? length : SFD_RECORD_PATH_SIZE;

    memcpy(record->path, path + length - kept, kept);
    record->path_length = (uint16_t)kept;
    if (kept < length) record->flags |= SFD_RECORD_PATH_CUT;
}

/* The same from the row, which has no more of it. */
static void keep_row_path(struct sfd_record *record, const struct sfd_counters_row *row)
{
    const uint16_t length = GET(row->path_length);
    const uint16_t kept = length < SFD_RECORD_PATH_SIZE ? length : SFD_RECORD_PATH_SIZE;

    for (size_t at = 0; at < kept; at += sizeof(uint64_t)) {
        const uint64_t word = GET(row->path[at / sizeof(word)]);
        memcpy(record->path + at, &word, sizeof(word));
    }
    record->path_length = kept;
    if (kept < length) record->flags |= SFD_RECORD_PATH_CUT;
}

_Static_assert(SFD_RECORD_PATH_SIZE == SFD_COUNTERS_PATH, "a record has the path of a row");

static void tell_end(struct sfd_context *context, const struct sfd_transfer *t, const struct sfd_counters_row *row,
                     enum sfd_outcome outcome, int error, uint64_t now_ns)
{
    const struct sfd_client_account *account = t->loop.account;
    struct sfd_record *record = record_for(context, outcome, error, now_ns);

    if (record == NULL) return;
    record->pid = account == NULL ? 0 : sfd_process_pid(account->process);
    record->uid = account == NULL ? 0 : account->uid;
    record->operation = operation_in(row);
    record->technique = t->technique;
    record->bytes = sfd_transfer_moved(t);
    if (row != NULL) {
        record->id = GET(row->id);
        record->received_ns = GET(row->asked_ns);
        record->first_byte_ns = GET(row->first_ns);
        record->size = GET(row->size);
        if (GET(row->cold) != 0 || t->cache.cold_windows > 0) record->flags |= SFD_RECORD_COLD;
        keep_row_path(record, row);
    }
    sfd_journal_commit(context->observer.journal, context->observer.journal_ring);
}

uint64_t sfd_observe_end(struct sfd_context *context, const struct sfd_transfer *t, enum sfd_outcome outcome, int error)
{
    struct sfd_counters_row *row = sfd_observe_row(context, t);
    const uint64_t now_ns = context->kernel.sys->now_ns();

    count_end(context, operation_in(row), outcome, error);
    sfd_counter_add(&flow_of(context, t, row)->transfers, 1);
    tell_end(context, t, row, outcome, error, now_ns);
    if (row == NULL) return now_ns;
    SET(row->ended, 1);
    const uint64_t asked_ns = GET(row->asked_ns);
    if (outcome == SFD_OUTCOME_COMPLETED)
        sfd_histogram_record(&context->observer.loop->time[SFD_TIME_TRANSFER],
                             now_ns > asked_ns ? now_ns - asked_ns : 0);
    return now_ns;
}

void sfd_observe_forget(const struct sfd_context *context, const struct sfd_transfer *t)
{
    struct sfd_counters_row *row = sfd_observe_row(context, t);

    if (row == NULL) return;
    open_row(row);
    FILL(row->id, 0);
    close_row(row);
}

void sfd_observe_refused(struct sfd_context *context, const struct sfd_refused_request *request, int error)
{
    const enum sfd_operation operation = operation_of(request->command);

    sfd_counter_add(&context->observer.loop->requests[operation], 1);
    const enum sfd_outcome outcome = error == -ECANCELED ? SFD_OUTCOME_CANCELLED : SFD_OUTCOME_REFUSED;
    count_end(context, (uint8_t)operation, outcome, error);
    struct sfd_record *record = record_for(context, outcome, error, context->now_ns);
    if (record == NULL) return;
    record->pid = sfd_process_pid(request->process);
    record->uid = request->uid;
    record->operation = (uint8_t)operation;
    record->flags = SFD_RECORD_UNBEGUN;
    record->received_ns = context->now_ns;
    if (request->path != NULL) keep_path(record, request->path, request->path_length);
    sfd_journal_commit(context->observer.journal, context->observer.journal_ring);
}

void sfd_observe_before(struct sfd_context *context, uint8_t command, uint8_t technique, uint64_t bytes)
{
    struct sfd_counters_flow *flow =
        &context->observer.loop->flow[operation_of(command)][technique % SFD_COUNTERS_TECHNIQUES];

    if (bytes == 0) return;
    sfd_counters_add(context->counters, SFD_COUNTER_BYTES, bytes);
    sfd_counter_add(&flow->bytes, bytes);
}

void sfd_observe_at_once(struct sfd_context *context, const struct sfd_at_once *request, int error)
{
    const enum sfd_operation operation = operation_of(request->command);
    const enum sfd_outcome outcome = error < 0 ? SFD_OUTCOME_REFUSED : SFD_OUTCOME_COMPLETED;
    struct sfd_counters_loop *loop = context->observer.loop;
    struct sfd_counters_flow *flow = &loop->flow[operation][request->technique % SFD_COUNTERS_TECHNIQUES];

    sfd_counter_add(&loop->requests[operation], 1);
    sfd_counter_add(&flow->transfers, 1);
    sfd_observe_before(context, request->command, request->technique, request->bytes);
    count_end(context, (uint8_t)operation, outcome, error);
    const uint64_t now_ns = context->kernel.sys->now_ns();
    if (error == 0)
        sfd_histogram_record(&loop->time[SFD_TIME_TRANSFER], now_ns > context->now_ns ? now_ns - context->now_ns : 0);
    struct sfd_record *record = record_for(context, outcome, error, now_ns);
    if (record == NULL) return;
    record->pid = sfd_process_pid(request->process);
    record->uid = request->uid;
    record->operation = (uint8_t)operation;
    record->technique = request->technique;
    record->bytes = request->bytes;
    record->size = request->bytes;
    record->received_ns = context->now_ns;
    record->first_byte_ns = now_ns;
    if (request->path != NULL) keep_path(record, request->path, request->path_length);
    sfd_journal_commit(context->observer.journal, context->observer.journal_ring);
}

void sfd_observe_command(struct sfd_context *context, uint8_t command)
{
    sfd_counter_add(&context->observer.loop->requests[operation_of(command)], 1);
}
