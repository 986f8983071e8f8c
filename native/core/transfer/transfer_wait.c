/*
 * How a transfer waits: what it reports to its client before, how long it may wait, and how its rate is kept. Loop
 * only.
 *
 * One timer serves all limits of a transfer. It may fire too early, because it is not moved when a limit moves to a
 * later time; then the transfer looks at the clock and arms it again. So a transfer that makes progress needs no work
 * on its timer, and one that is stuck wakes the loop once for its progress and once for each limit.
 */
#include <errno.h>

#include "sys/errno_policy.h"
#include "transfer/transfer_private.h"

#define NEVER UINT64_MAX

/*
 * The client does not read a status channel that is full: it is tried again after a second, not after the interval of
 * progress.
 */
#define FULL_MS 950

/* A shortage can end at any time: the first try comes soon, the others after longer and longer pauses. */
#define RETRY_MS     10
#define RETRY_MAX_MS 1000

/*
 * A request whose file cannot be opened because of a shortage, or of a lease that another process does not give up, is
 * refused after this long: its client decides whether to try again.
 */
#define OPEN_PATIENCE_MS 1000

/*
 * A transfer with a rate sends its share this often, and may catch up on the last RATE_BURST_MS after its receiver was
 * slow.
 */
#define RATE_STEPS_A_SECOND 20
#define RATE_BURST_MS       100
#define RATE_EARN_MS        2000 /* longer than the slowest step takes to earn */

/* A higher rate is no limit: no machine reaches this one. */
#define RATE_MAX ((uint64_t)1 << 40)

/* ------------------------------------------------------------------ telling */

bool sfd_transfer_tell(struct sfd_context *context, struct sfd_transfer *t)
{
    if (t->command == SFD_WIRE_READ_FILE) return true; /* the header is sent with the first bytes */
    const int told = sfd_status_flush(&t->status, &context->kernel);
    t->limits.reported_ms = context->now_ms + (told == 1 ? 0 : FULL_MS);
    /* An opened file must be reported as soon as possible, and no event announces that memory is free again. */
    if (told < 0 && t->state == SFD_STATE_PARKED) sfd_transfer_retry(context, t);
    return !sfd_status_is_lost(told);
}

static bool progress_is_due(const struct sfd_context *context, const struct sfd_transfer *t)
{
    return t->status.info_due ||
           (t->status.progress > 0 && context->now_ms >= t->limits.reported_ms + SFD_PROGRESS_INTERVAL_MS);
}

/* ------------------------------------------------------------------ rate */

/* Thousandths of a byte, so that a millisecond of the lowest rate counts. */
#define CREDIT_BYTE ((uint64_t)1000)

static bool has_rate(const struct sfd_transfer *t)
{
    return t->options.rate > 0 && t->options.rate < RATE_MAX;
}

/*
 * The fewest bytes that are worth a step: small enough for a smooth flow, and large enough not to keep the loop busy.
 */
static uint64_t rate_step(const struct sfd_context *context, const struct sfd_transfer *t)
{
    const uint64_t even = t->options.rate / RATE_STEPS_A_SECOND;
    const uint64_t step = sfd_min_u64(even > 0 ? even : 1, context->settings->quantum);

    return sfd_min_u64(step, sfd_transfer_left(t));
}

void sfd_transfer_rate_start(struct sfd_context *context, struct sfd_transfer *t)
{
    t->limits.rate_ms = context->now_ms;
    t->limits.rate_credit = has_rate(t) ? rate_step(context, t) * CREDIT_BYTE : 0;
}

uint64_t sfd_transfer_rate_take(struct sfd_context *context, struct sfd_transfer *t, uint64_t most)
{
    if (!has_rate(t)) return most;

    const uint64_t step = rate_step(context, t) * CREDIT_BYTE;
    const uint64_t burst = t->options.rate * RATE_BURST_MS;
    const uint64_t elapsed = sfd_min_u64(context->now_ms - t->limits.rate_ms, RATE_EARN_MS);
    const uint64_t credit = t->limits.rate_credit + elapsed * t->options.rate;

    /* The credit may always reach one step, also when that is more than a burst. */
    t->limits.rate_credit = sfd_min_u64(credit, burst > step ? burst : step);
    t->limits.rate_ms = context->now_ms;
    return t->limits.rate_credit < step ? 0 : sfd_min_u64(most, t->limits.rate_credit / CREDIT_BYTE);
}

void sfd_transfer_rate_spend(struct sfd_transfer *t, uint64_t moved)
{
    if (has_rate(t)) t->limits.rate_credit -= sfd_min_u64(t->limits.rate_credit, moved * CREDIT_BYTE);
}

static uint64_t rate_due_ms(const struct sfd_context *context, const struct sfd_transfer *t)
{
    const uint64_t missing = rate_step(context, t) * CREDIT_BYTE - t->limits.rate_credit;

    return t->limits.rate_ms + (missing + t->options.rate - 1) / t->options.rate;
}

/* ------------------------------------------------------------------ limits */

static uint64_t after(uint64_t since_ms, uint32_t limit_ms)
{
    return limit_ms == 0 ? NEVER : since_ms + limit_ms;
}

static uint32_t idle_limit(const struct sfd_context *context, const struct sfd_transfer *t)
{
    return t->options.idle_ms > 0 ? t->options.idle_ms : context->settings->idle_timeout_ms;
}

static uint64_t idle_ms(const struct sfd_context *context, const struct sfd_transfer *t)
{
    return after(t->limits.since_ms, idle_limit(context, t));
}

/* When a shortage has lasted too long. */
static uint64_t patience_ms(const struct sfd_context *context, const struct sfd_transfer *t)
{
    return after(t->limits.short_ms, t->state == SFD_STATE_OPENING ? OPEN_PATIENCE_MS : idle_limit(context, t));
}

/* When the present wait has lasted too long. */
static uint64_t limit_ms(const struct sfd_context *context, const struct sfd_transfer *t)
{
    switch (t->wait) {
    case SFD_NEXT_DEST:
        return idle_ms(context, t);
    case SFD_NEXT_STATUS:
        /*
         * The Result of a Read File comes behind the file's bytes, which the reader may take slowly: so the idle limit
         * applies.
         */
        return t->command == SFD_WIRE_READ_FILE ? idle_ms(context, t)
                                                : after(t->limits.since_ms, context->settings->drain_timeout_ms);
    case SFD_NEXT_PARK:
        return after(t->limits.since_ms, context->settings->open_timeout_ms);
    default: /* the daemon makes it wait, so no limit of the client applies */
        return NEVER;
    }
}

static uint64_t progress_ms(const struct sfd_transfer *t)
{
    /* Progress is reported in time even if the destination stays full, or the disk is dead. */
    return t->status.progress > 0 ? t->limits.reported_ms + SFD_PROGRESS_INTERVAL_MS : NEVER;
}

/* When the transfer has to run next if no event comes before. */
static uint64_t due_ms(const struct sfd_context *context, const struct sfd_transfer *t)
{
    uint64_t due = limit_ms(context, t);

    if (t->limits.retry_ms > 0) due = sfd_min_u64(due, t->limits.retry_ms);
    if (t->wait == SFD_NEXT_STATUS) return due;
    if (t->limits.deadline_ms > 0) due = sfd_min_u64(due, t->limits.deadline_ms);
    if (t->wait == SFD_NEXT_TIMER) due = sfd_min_u64(due, rate_due_ms(context, t));
    return sfd_min_u64(due, progress_ms(t));
}

void sfd_transfer_wait(struct sfd_context *context, struct sfd_transfer *t, enum sfd_next wait)
{
    t->wait = (uint8_t)wait;
    const uint64_t due = due_ms(context, t);
    if (due != NEVER && (t->limits.timer.position == 0 || t->limits.timer.due_ms > due))
        sfd_timer_arm(&context->timers, &t->limits.timer, due);
}

bool sfd_transfer_is_late(const struct sfd_context *context, const struct sfd_transfer *t)
{
    return t->limits.deadline_ms > 0 && context->now_ms >= t->limits.deadline_ms;
}

/* ------------------------------------------------------------------ waiting */

enum sfd_next sfd_transfer_pause(struct sfd_context *context, struct sfd_transfer *t, enum sfd_next next)
{
    const int locked = t->source.fd < 0 ? 0 : sfd_transfer_lock(context, t);

    /* A shortage of memory for a lock does not end it: the next wait tries again. */
    if (locked < 0 && sfd_errno_policy(SFD_PLACE_LOCK, locked) != SFD_REMEDY_DEFER)
        return sfd_transfer_fail(context, t, locked);
    if (progress_is_due(context, t) && !sfd_transfer_tell(context, t)) return sfd_transfer_cancel(context, t);
    if (next == SFD_NEXT_AGAIN) return next;
    if (next == SFD_NEXT_DEST) sfd_counters_add(context->counters, SFD_COUNTER_BLOCKED, 1);
    sfd_transfer_wait(context, t, next);
    return next;
}

void sfd_transfer_got_on(struct sfd_transfer *t)
{
    t->limits.short_ms = 0;
    t->limits.retries = 0;
    t->limits.vain_runs = 0;
    t->limits.spared = false;
}

void sfd_transfer_retry(struct sfd_context *context, struct sfd_transfer *t)
{
    const uint64_t pause = sfd_min_u64((uint64_t)RETRY_MS << t->limits.retries, RETRY_MAX_MS);

    sfd_counters_add(context->counters, SFD_COUNTER_SHORTAGES, 1);
    if (pause < RETRY_MAX_MS) t->limits.retries++;
    t->limits.retry_ms = context->now_ms + pause;
}

enum sfd_next sfd_transfer_defer(struct sfd_context *context, struct sfd_transfer *t, int error)
{
    if (t->limits.short_ms == 0) t->limits.short_ms = context->now_ms;
    const uint64_t last_ms = patience_ms(context, t);
    if (context->now_ms >= last_ms) return sfd_transfer_fail(context, t, error);
    sfd_transfer_retry(context, t);
    t->limits.retry_ms = sfd_min_u64(t->limits.retry_ms, last_ms);
    return sfd_transfer_pause(context, t, SFD_NEXT_RETRY);
}

void sfd_transfer_unwatched(struct sfd_context *context, struct sfd_transfer *t)
{
    sfd_transfer_retry(context, t);
    sfd_transfer_wait(context, t, (enum sfd_next)t->wait);
}

static enum sfd_next expire(struct sfd_context *context, struct sfd_transfer *t, enum sfd_counter counter)
{
    sfd_counters_add(context->counters, counter, 1);
    return sfd_transfer_fail(context, t, -ETIMEDOUT);
}

/*
 * After a late turn nobody knows who made the transfer wait: its receiver may have been stopped together with the
 * daemon, and a request for it may be in the socket. So its wait begins anew, but only once without progress.
 */
static bool is_spared(const struct sfd_context *context, struct sfd_transfer *t)
{
    if (!context->late || t->limits.spared) return false;
    t->limits.since_ms = context->now_ms;
    t->limits.spared = true;
    return true;
}

/*
 * Its time is over: one last try. A socket takes bytes before epoll says so, which waits until a third of its buffer is
 * free.
 */
static enum sfd_next try_once(struct sfd_context *context, struct sfd_transfer *t)
{
    const uint64_t before = sfd_transfer_moved(t);

    if (t->wait == SFD_NEXT_PARK) return expire(context, t, SFD_COUNTER_OPEN_TIMEOUTS);
    const enum sfd_next next = sfd_transfer_run(context, t);
    const bool waits = next == SFD_NEXT_DEST || next == SFD_NEXT_RETRY;
    return waits && sfd_transfer_moved(t) == before ? expire(context, t, SFD_COUNTER_IDLE_TIMEOUTS) : next;
}

/* The same with the final message. */
static enum sfd_next tell_once(struct sfd_context *context, struct sfd_transfer *t)
{
    const enum sfd_next next = sfd_transfer_end(context, t);

    return sfd_status_is_open(&t->status) ? sfd_transfer_give_up(context, t) : next;
}

enum sfd_next sfd_transfer_timeout(struct sfd_context *context, struct sfd_transfer *t)
{
    const bool expired = context->now_ms >= limit_ms(context, t) && !is_spared(context, t);

    if (t->due_end != 0) return SFD_NEXT_WAIT; /* for the job that writes */
    if (t->wait == SFD_NEXT_STATUS && expired) return tell_once(context, t);
    if (t->wait != SFD_NEXT_STATUS) {
        if (sfd_transfer_is_late(context, t)) return expire(context, t, SFD_COUNTER_DEADLINES);
        if (expired) return try_once(context, t);
        if (progress_is_due(context, t) && !sfd_transfer_tell(context, t)) return sfd_transfer_cancel(context, t);
        if (t->wait == SFD_NEXT_TIMER && context->now_ms >= rate_due_ms(context, t)) return SFD_NEXT_AGAIN;
    }
    if (t->limits.retry_ms > 0 && context->now_ms >= t->limits.retry_ms) {
        t->limits.retry_ms = 0;
        if (t->state == SFD_STATE_PARKED) {
            /*
             * Its File Information was just written, so its Send Open File can come at once. It must not go into the
             * ready queue now: there the command would not find it parked.
             */
            sfd_transfer_wait(context, t, SFD_NEXT_PARK);
            return SFD_NEXT_PARK;
        }
        if (!t->loop.offloaded || t->state == SFD_STATE_ENDING) return SFD_NEXT_AGAIN;
    }
    sfd_transfer_wait(context, t, (enum sfd_next)t->wait);
    return SFD_NEXT_WAIT;
}
