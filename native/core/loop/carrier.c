/*
 * Carriers: a loop is not its thread.
 *
 * Why. A loop makes only calls that do not wait: O_NONBLOCK, MSG_DONTWAIT, RWF_NOWAIT, SPLICE_F_NONBLOCK,
 * RESOLVE_CACHED. Yet each of them can wait for a *lock* inside the kernel, and a client can hold such a lock for as
 * long as it likes: the mutex of a pipe, while it splices from the pipe to a full blocking socket; the lock of a TCP
 * socket, while it receives into memory whose page a dead disk has to bring. fanotify(7) holds opens and reads until
 * its listener answers. A page may be evicted, or swapped out, between the look at it and its move; and any call that
 * allocates can wait for memory. No flag covers that, and the wait is mostly uninterruptible. So the loop must not need
 * the thread that waits, as Go's scheduler does not need the thread of a system call: it takes its processor away.
 *
 * How. A loop is a baton: all of its state is in struct sfd_loop, and the thread that carries the loop may use it, and
 * nobody else. The loop's system calls go through the guard (guard.c), which marks their beginning and their end.
 * Between the two the loop is settled: whatever a turn has not done yet (events, mail, ready transfers, timers) is in
 * struct sfd_loop, and not on the stack; the transfer that the call is made for is `transfer` of the carrier. The
 * watchdog looks every few milliseconds. If a carrier is still in the same call, and waits there (a thread that
 * runs, or was preempted, is not held), it takes the loop and gives it to a spare carrier, which goes on with the turn.
 * The late thread finds after its call that it was claimed, asks for the loop, and gets it from the one that has it,
 * between two parts of a turn. So it goes on where it was, with the loop, and the result of its call is handled by the
 * code that made the call, as if nothing had happened.
 *
 *     a carrier:      SPARE --given--> CARRYING <--call begins, ends--> IN A CALL
 *                       ^               |    ^                              | taken by the watchdog,
 *                       |   yields the  |    | given back                   | or given away before the call
 *                       +---- loop -----+    |                              v
 *                       |                  WANTS IT BACK <--call ends---- AWAY
 *                       +--> ends, when it is not needed
 *
 *     a loop:         CARRIED --taken--> CARRIED by another ... until -ESHUTDOWN; it is never without a carrier,
 *                     because it is taken only if another carrier can have it.
 *
 * Nothing is lost or doubled:
 * - A call is made once and returns once, and what it returns goes to the code that made it.
 * - While a carrier is away, its transfer is `out`: the loop only notes what is due for it (loop_act.c): an event, its
 *   timer, Cancel, Send Open File, the hand-back of the disk pool. The carrier does what is due before it lets the
 *   transfer go. So no transfer has two threads, and no event of a one-shot registration is lost.
 * - Requests of its turn that it has not served, and selections that were not decided, are adopted by the next one that
 *   begins a turn (loop.c), or it goes on with them itself if it is back first.
 * - What a call uses (slot, memory for read-write and for receipt) is the carrier's own, so the next one cannot touch
 *   it.
 * - A loop does not end before all carriers that have lost it are back.
 *
 * What held a thread is remembered (client_account.h): the client is suspect until so many of its calls have come back
 * at once. For a suspect the loop is given to a spare carrier *before* each call, so it costs the loop nothing more. A
 * client may hold a few threads, all suspects may hold half of the threads that there may be; what is beyond waits in
 * the loop, without a thread (loop_act.c, loop_requests.c). Where several users are served, no user may hold more than
 * half of them either, however many processes it has: the other half is there for the others.
 *
 * All hand-overs are under one mutex, which the path without a hand-over never takes.
 */
#include "loop/carrier.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "loop/guard.h"
#include "loop/loop_private.h"

#define MS ((uint64_t)1000 * 1000)

/* A call for a suspect that waits no longer than this came back at once. */
#define AT_ONCE_MS 5

/* For so long after a thread was held, more spare carriers are kept, and the watchdog looks more often. */
#define ALARM_NS (1000 * MS)

/* After this long a signal interrupts the call, and then again and again. */
#define INTERRUPT_MS       250
#define INTERRUPT_AGAIN_MS 100

void sfd_carriers_init(struct sfd_carriers *carriers)
{
    *carriers = (struct sfd_carriers){.idle_ms = SFD_CARRIER_IDLE_MS, .barrier = sfd_sys_barrier()};
    pthread_mutex_init(&carriers->lock, NULL);
}

static void free_carrier(struct sfd_carrier *c)
{
    pthread_cond_destroy(&c->given);
    free(c->turn);
    free(c->batch);
    free(c->buffer);
    free(c);
}

void sfd_carriers_deinit(struct sfd_carriers *carriers)
{
    struct sfd_carrier *next;

    for (struct sfd_carrier *c = carriers->all; c != NULL; c = next) {
        next = c->all_next;
        free_carrier(c);
    }
    carriers->all = NULL;
    pthread_mutex_destroy(&carriers->lock);
}

int sfd_carrier_create(struct sfd_carrier **out, struct sfd_shared *shared)
{
    struct sfd_carriers *carriers = &shared->carriers;
    pthread_condattr_t attributes;
    struct sfd_carrier *c = calloc(1, sizeof(*c));

    if (c == NULL) return -ENOMEM;
    c->shared = shared;
    c->sys = shared->kernel.sys;
    c->fences = !carriers->barrier;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&c->given, &attributes);
    pthread_condattr_destroy(&attributes);
    c->turn = calloc(1, sizeof(*c->turn));
    c->batch = calloc(1, sizeof(*c->batch));
    c->buffer = malloc(shared->settings.buffer_size);
    if (c->turn == NULL || c->batch == NULL || c->buffer == NULL) {
        free_carrier(c);
        return -ENOMEM;
    }
    c->batch->accounts = &shared->accounts;
    c->batch->pidfs = shared->kernel.pidfs;
    pthread_mutex_lock(&carriers->lock);
    c->all_next = carriers->all;
    carriers->all = c;
    carriers->count++;
    pthread_mutex_unlock(&carriers->lock);
    *out = c;
    return 0;
}

void sfd_carrier_destroy(struct sfd_carrier *c)
{
    struct sfd_carriers *carriers = &c->shared->carriers;

    pthread_mutex_lock(&carriers->lock);
    struct sfd_carrier **at = &carriers->all;
    while (*at != c)
        at = &(*at)->all_next;
    *at = c->all_next;
    if (c->tid == 0) carriers->count--; /* else its poll has done so */
    pthread_mutex_unlock(&carriers->lock);
    free_carrier(c);
}

struct sfd_turn *sfd_carrier_turn(struct sfd_carrier *c)
{
    return c->turn;
}

/* ------------------------------------------------------------------ under the lock */

/* The next one carries the loop; what its thread needs to know it finds out itself. */
static void give(struct sfd_loop *loop, struct sfd_carrier *to)
{
    to->loop = loop;
    loop->carrier = to;
    pthread_cond_signal(&to->given);
}

/* Who can have the loop: first one that wants it back, then a spare one. NULL: nobody. Takes it out of its list. */
static struct sfd_carrier *next_carrier(struct sfd_carriers *carriers, struct sfd_loop *loop)
{
    struct sfd_carrier *c = loop->returning_first;

    if (c != NULL) {
        loop->returning_first = c->next;
        if (c->next == NULL) loop->returning_last = NULL;
        atomic_fetch_sub_explicit(&loop->returning, 1, memory_order_relaxed);
        return c;
    }
    c = carriers->spare;
    if (c == NULL) return NULL;
    carriers->spare = c->next;
    carriers->spares--;
    return c;
}

static void make_spare(struct sfd_carriers *carriers, struct sfd_carrier *c)
{
    c->next = carriers->spare;
    carriers->spare = c;
    carriers->spares++;
}

/* For whom the carrier works: an account with a reference for the caller; NULL: for nobody in particular. */
static struct sfd_client_account *client_of(struct sfd_carrier *c)
{
    if (c->transfer != NULL) return sfd_client_account_share(c->transfer->loop.account);
    if (c->slot == NULL) return sfd_client_account_share(c->account_now);
    return sfd_client_accounts_get(&c->shared->accounts, c->slot->process, c->slot->uid);
}

/* The carrier loses its loop to `heir`. The caller may touch the loop: it is the carrier, or has claimed it. */
static void part(struct sfd_carrier *c, struct sfd_carrier *heir, bool long_held)
{
    struct sfd_carriers *carriers = &c->shared->carriers;
    struct sfd_loop *loop = c->loop;

    c->loop = NULL;
    c->away_from = loop;
    c->away_ns = loop->shared->kernel.sys->now_ns();
    c->signalled_ms = 0;
    c->long_held = long_held;
    c->account = client_of(c);
    sfd_client_account_hold_thread(c->account);
    if (c->transfer != NULL) c->transfer->loop.out = true;
    c->away_next = carriers->away;
    carriers->away = c;
    atomic_fetch_add(&carriers->held, 1);
    c->left_next = loop->left;
    c->left = true;
    loop->left = c;
    loop->away++;
    give(loop, heir);
}

/* ------------------------------------------------------------------ losing a loop */

/* The thread is held: tells of it, and for whom. The watchdog, under the lock. */
static void tell_stall(struct sfd_loop *loop, const struct sfd_carrier *c)
{
    struct sfd_journal *journal = &loop->shared->journal;
    const uint32_t ring = loop->shared->settings.loops; /* behind those of the loops */

    if (!sfd_journal_wants(journal, SFD_RECORD_STALL)) return;
    struct sfd_record *record = sfd_journal_reserve(journal, ring);
    if (record == NULL) return;
    record->kind = SFD_RECORD_STALL;
    record->received_ns = loop->watched_ns;
    record->ended_ns = loop->shared->kernel.sys->now_ns();
    record->loop = (uint16_t)loop->index;
    record->pid = c->account == NULL ? 0 : sfd_process_pid(c->account->process);
    record->uid = c->account == NULL ? 0 : c->account->uid;
    sfd_journal_commit(journal, ring);
}

bool sfd_carrier_take(struct sfd_loop *loop, struct sfd_carrier *c, uint64_t word)
{
    struct sfd_carriers *carriers = &loop->shared->carriers;
    bool taken = false;

    pthread_mutex_lock(&carriers->lock);
    /* A thread that runs, or that another one has preempted, is not held: its client has done nothing. */
    if (loop->carrier == c && sfd_sys_thread_waits(c->tid) &&
        (loop->returning_first != NULL || carriers->spare != NULL)) {
        atomic_store(&c->claimed, true);
        const bool visible = !carriers->barrier || sfd_sys_barrier();
        taken = visible && atomic_load(&c->word) == word;
        carriers->alarm_until = loop->shared->kernel.sys->now_ns() + ALARM_NS;
        if (taken) {
            part(c, next_carrier(carriers, loop), true);
            sfd_client_account_suspect(c->account); /* now: the call may never come back */
            tell_stall(loop, c);
        } else {
            atomic_store_explicit(&c->claimed, false, memory_order_relaxed); /* if it has seen it: come_back */
        }
    }
    pthread_mutex_unlock(&carriers->lock);
    return taken;
}

void sfd_carrier_step_aside(struct sfd_carrier *c)
{
    struct sfd_carriers *carriers = &c->shared->carriers;
    struct sfd_loop *loop = c->of;

    pthread_mutex_lock(&carriers->lock);
    struct sfd_carrier *heir = next_carrier(carriers, loop);
    if (heir != NULL) {
        atomic_store_explicit(&c->claimed, true, memory_order_relaxed);
        carriers->alarm_until = loop->shared->kernel.sys->now_ns() + ALARM_NS;
        sfd_watchdog_waiting(loop); /* until the heir works */
        part(c, heir, false);
    }
    pthread_mutex_unlock(&carriers->lock);
}

/* ------------------------------------------------------------------ getting it back */

/* What the loop uses of its carrier. */
static void mount(struct sfd_carrier *c, struct sfd_loop *loop)
{
    loop->turn = c->turn;
    loop->context.buffer = c->buffer;
    loop->context.now_ms = loop->shared->kernel.sys->now_ms();
    loop->context.late = loop->context.now_ms > loop->awaited_ms && /* the sum could overflow */
                         loop->context.now_ms - loop->awaited_ms > SFD_LOOP_LATE_MS;
    sfd_watchdog_working(loop);
}

static void leave_list(struct sfd_carrier **at, struct sfd_carrier *c, size_t link)
{
    while (*at != c)
        at = (struct sfd_carrier **)(void *)((char *)*at + link);
    *at = *(struct sfd_carrier **)(void *)((char *)c + link);
}

/* It was away for this client: what that means for the client's next calls. */
static void judge(struct sfd_carrier *c, struct sfd_client_account *account)
{
    if (c->long_held)
        sfd_client_account_suspect(account);
    else
        sfd_client_account_behaved(account);
}

void sfd_carrier_come_back(struct sfd_carrier *c)
{
    struct sfd_carriers *carriers = &c->shared->carriers;

    pthread_mutex_lock(&carriers->lock);
    if (c->loop != NULL) { /* the claim was given up, because the call had ended */
        pthread_mutex_unlock(&carriers->lock);
        return;
    }
    struct sfd_loop *loop = c->away_from;
    leave_list(&carriers->away, c, offsetof(struct sfd_carrier, away_next));
    c->next = NULL;
    if (loop->returning_last == NULL)
        loop->returning_first = c;
    else
        loop->returning_last->next = c;
    loop->returning_last = c;
    atomic_fetch_add_explicit(&loop->returning, 1, memory_order_relaxed);
    sfd_mailbox_wake(&loop->mailbox); /* the loop cannot end before this carrier is back */
    while (c->loop == NULL)
        pthread_cond_wait(&c->given, &carriers->lock);
    atomic_store_explicit(&c->claimed, false, memory_order_relaxed);
    c->away_from = NULL;
    struct sfd_client_account *account = c->account;
    c->account = NULL;
    atomic_fetch_sub(&carriers->held, 1);
    pthread_mutex_unlock(&carriers->lock);

    if (c->left) leave_list(&loop->left, c, offsetof(struct sfd_carrier, left_next));
    c->left = false;
    loop->away--;
    if (c->transfer != NULL) c->transfer->loop.out = false;
    mount(c, loop);
    judge(c, account);
    c->suspect = sfd_client_account_is_suspect(account);
    sfd_client_account_release_thread(account);
    sfd_client_account_put(account);
    sfd_loop_act_tell(loop);
}

bool sfd_carrier_yield(struct sfd_carrier *c, struct sfd_loop *loop)
{
    struct sfd_carriers *carriers = &c->shared->carriers;

    if (atomic_load_explicit(&loop->returning, memory_order_relaxed) == 0) return false;
    pthread_mutex_lock(&carriers->lock);
    const bool wanted = loop->returning_first != NULL;
    if (wanted) {
        sfd_watchdog_waiting(loop); /* until the next one works */
        c->loop = c->of = NULL;
        give(loop, next_carrier(carriers, loop));
        make_spare(carriers, c);
    }
    pthread_mutex_unlock(&carriers->lock);
    return wanted;
}

/* ------------------------------------------------------------------ its life */

void sfd_carrier_begin(struct sfd_carrier *c, struct sfd_loop *loop)
{
    struct sfd_carriers *carriers = &c->shared->carriers;

    pthread_mutex_lock(&carriers->lock);
    carriers->loops++;
    c->loop = c->of = loop;
    loop->carrier = c;
    loop->turn = c->turn;
    loop->context.buffer = c->buffer;
    pthread_mutex_unlock(&carriers->lock);
}

void sfd_carrier_end(struct sfd_carrier *c, struct sfd_loop *loop)
{
    struct sfd_carriers *carriers = &c->shared->carriers;

    pthread_mutex_lock(&carriers->lock);
    loop->carrier = NULL;
    c->loop = c->of = NULL;
    carriers->loops--;
    carriers->count--; /* its thread does not poll again */
    if (carriers->loops == 0)
        for (struct sfd_carrier *spare = carriers->spare; spare != NULL; spare = spare->next)
            pthread_cond_signal(&spare->given);
    pthread_mutex_unlock(&carriers->lock);
}

static struct timespec after(uint64_t now_ns, uint64_t ms)
{
    const uint64_t at = now_ns + ms * MS;

    return (struct timespec){.tv_sec = (time_t)(at / (1000 * MS)), .tv_nsec = (long)(at % (1000 * MS))};
}

static void leave_spares(struct sfd_carriers *carriers, struct sfd_carrier *c)
{
    leave_list(&carriers->spare, c, offsetof(struct sfd_carrier, next));
    carriers->spares--;
}

/* Waits as a spare one until it is given a loop: 0; -ESHUTDOWN, -ETIMEDOUT. It is in the list of the spare ones. */
static int wait_for_loop(struct sfd_carrier *c)
{
    struct sfd_carriers *carriers = &c->shared->carriers;
    int result = 0;

    const struct timespec until = after(c->shared->kernel.sys->now_ns(), carriers->idle_ms);
    while (c->loop == NULL && result == 0) {
        if (carriers->loops == 0)
            result = -ESHUTDOWN;
        else if (carriers->spares > 1)
            result = -pthread_cond_timedwait(&c->given, &carriers->lock, &until);
        else
            result = -pthread_cond_wait(&c->given, &carriers->lock);
        if (result == -ETIMEDOUT && carriers->spares <= 1) result = 0; /* the last one stays */
    }
    if (c->loop != NULL) return 0;
    leave_spares(carriers, c);
    carriers->count--;
    return result;
}

/* It has no loop, and is in the list of the spare ones if it had one before. */
static int wait_as_spare(struct sfd_carrier *c, bool new)
{
    struct sfd_carriers *carriers = &c->shared->carriers;

    pthread_mutex_lock(&carriers->lock);
    if (new) make_spare(carriers, c);
    const int result = wait_for_loop(c);
    c->of = c->loop;
    pthread_mutex_unlock(&carriers->lock);
    return result;
}

int sfd_carrier_poll(struct sfd_carrier *c)
{
    if (c->tid == 0) {
        c->tid = sfd_sys_thread_id();
        sfd_sys_block_terminal_stop(); /* a terminal can be a destination */
        if (c->shared->wake_signal > 0) sfd_sys_unblock_signal(c->shared->wake_signal);
    }
    int result = c->of == NULL ? wait_as_spare(c, true) : 0;
    while (result == 0) {
        struct sfd_loop *loop = c->of;
        mount(c, loop);
        sfd_guard_enter(c);
        result = sfd_loop_run_turn(loop);
        sfd_guard_leave();
        if (result != SFD_TURN_YIELDED) {
            sfd_watchdog_waiting(loop);
            if (result < 0) sfd_carrier_end(c, loop);
            return result;
        }
        result = wait_as_spare(c, false);
    }
    return result;
}

/* ------------------------------------------------------------------ how many there are */

bool sfd_carrier_may_be_held(struct sfd_shared *shared, const struct sfd_client_account *account)
{
    const bool suspect = sfd_client_account_is_suspect(account);
    unsigned most = SFD_HELD_SUSPECT_MAX;

    if (account != NULL && shared->accounts.users.several) {
        const unsigned of_user = suspect ? SFD_HELD_USER_SUSPECT_MAX : SFD_HELD_USER_MAX;
        if (atomic_load(&account->user->held) >= of_user) return false;
        most = SFD_HELD_MAX - SFD_HELD_USER_SUSPECT_MAX; /* one user's threads leave room for the suspects of others */
    }
    return !suspect ||
           (atomic_load(&account->held) < SFD_HELD_CLIENT_MAX && atomic_load(&shared->carriers.held) < most);
}

bool sfd_carriers_alarmed(struct sfd_shared *shared)
{
    struct sfd_carriers *carriers = &shared->carriers;

    pthread_mutex_lock(&carriers->lock);
    const bool alarmed = shared->kernel.sys->now_ns() < carriers->alarm_until;
    pthread_mutex_unlock(&carriers->lock);
    return alarmed;
}

bool sfd_carriers_are_away(const struct sfd_shared *shared)
{
    return atomic_load_explicit(&shared->carriers.held, memory_order_relaxed) > 0;
}

uint32_t sfd_carriers_missing(struct sfd_shared *shared)
{
    struct sfd_carriers *carriers = &shared->carriers;

    pthread_mutex_lock(&carriers->lock);
    const bool alarm = shared->kernel.sys->now_ns() < carriers->alarm_until;
    const uint32_t busy = carriers->loops + atomic_load_explicit(&carriers->held, memory_order_relaxed);
    const uint32_t ready = carriers->count - busy; /* spare, or about to be */
    const uint32_t wanted = alarm ? carriers->loops + 1 : 1;
    const uint32_t most = carriers->loops + SFD_HELD_MAX;
    uint32_t missing = carriers->loops == 0 || ready >= wanted ? 0 : wanted - ready;
    if (missing > 0 && carriers->count + missing > most) missing = carriers->count >= most ? 0 : most - carriers->count;
    pthread_mutex_unlock(&carriers->lock);
    return missing;
}

static void interrupt(struct sfd_carrier *c, uint64_t now_ms)
{
    const uint64_t due_ms =
        c->signalled_ms == 0 ? c->away_ns / MS + INTERRUPT_MS : c->signalled_ms + INTERRUPT_AGAIN_MS;

    if (c->shared->wake_signal <= 0 || now_ms < due_ms) return;
    c->signalled_ms = now_ms;
    /* Not pthread_kill: for a thread that has ended meanwhile this gives an error, pthread_kill is undefined. */
    sfd_sys_signal_thread(c->tid, c->shared->wake_signal);
}

void sfd_carriers_look(struct sfd_shared *shared, uint64_t now_ms)
{
    struct sfd_carriers *carriers = &shared->carriers;

    if (!sfd_carriers_are_away(shared)) return;
    pthread_mutex_lock(&carriers->lock);
    for (struct sfd_carrier *c = carriers->away; c != NULL; c = c->away_next) {
        const bool is_late = now_ms >= c->away_ns / MS + AT_ONCE_MS;
        if (is_late && !c->long_held) c->long_held = sfd_sys_thread_waits(c->tid);
        interrupt(c, now_ms);
    }
    pthread_mutex_unlock(&carriers->lock);
}
