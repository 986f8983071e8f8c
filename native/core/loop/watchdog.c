/*
 * The watchdog.
 *
 * No wake-up is lost: a loop first marks that it works, then checks whether the watchdog sleeps; the watchdog first
 * marks that it sleeps, then checks whether a loop works. All of it is sequentially consistent (memory_order_seq_cst).
 */
#include "loop/watchdog.h"

#include "loop/loop_private.h"

/* How often it looks while loops work; while a thread is held, or was lately; and while only somebody else asks. */
#define LOOK_MS      5
#define ALARM_MS     1
#define LOOK_IDLE_MS 100

/* A call that lasts from one look to the next holds its thread. */
#define HELD_NS       ((uint64_t)4 * 1000 * 1000)
#define HELD_ALARM_NS ((uint64_t)800 * 1000)

/* It sleeps after so many looks in a row at which no loop worked, so that a burst of requests wakes it only once. */
#define QUIET_LOOKS 10

/* A loop that works and begins no new turn for this long is stuck: another loop receives instead. */
#define STUCK_MS 100

/* After this long a signal interrupts the sendfile or splice in which a stuck loop blocks. */
#define FREE_MS 250

int sfd_watchdog_init(struct sfd_watchdog *watchdog)
{
    *watchdog = (struct sfd_watchdog){.eventfd = sfd_sys_eventfd()};
    return watchdog->eventfd < 0 ? watchdog->eventfd : 0;
}

void sfd_watchdog_deinit(struct sfd_watchdog *watchdog)
{
    if (watchdog->eventfd >= 0) (void)sfd_sys_linux.close(watchdog->eventfd);
    watchdog->eventfd = -1;
}

void sfd_watchdog_working(struct sfd_loop *loop)
{
    struct sfd_watchdog *watchdog = &loop->shared->watchdog;
    const unsigned beats = atomic_load_explicit(&loop->beats, memory_order_relaxed);

    atomic_store_explicit(&loop->beats, beats + 1, memory_order_relaxed);
    atomic_store(&loop->tid, loop->carrier->tid);
    if (atomic_load(&watchdog->asleep) && atomic_exchange(&watchdog->asleep, false))
        sfd_sys_event_signal(watchdog->eventfd);
}

void sfd_watchdog_waiting(struct sfd_loop *loop)
{
    atomic_store_explicit(&loop->tid, 0, memory_order_release);
}

/* True while a loop works, or when it has worked since the last look. */
static bool is_active(const struct sfd_loop *loop)
{
    return atomic_load(&loop->tid) != 0 || atomic_load(&loop->beats) != loop->watchdog_beats;
}

/* Takes the loop away from its thread, if that is in the same call as at the last look. */
static void look_at_call(struct sfd_loop *loop, bool alarm)
{
    struct sfd_carriers *carriers = &loop->shared->carriers;

    pthread_mutex_lock(&carriers->lock);
    struct sfd_carrier *carrier = loop->carrier;
    const uint64_t word = carrier == NULL ? 0 : atomic_load_explicit(&carrier->word, memory_order_relaxed);
    pthread_mutex_unlock(&carriers->lock);
    const uint64_t now_ns = loop->shared->kernel.sys->now_ns();
    if (carrier != loop->watched || word != loop->watched_word || (word & 1) == 0) {
        loop->watched = carrier;
        loop->watched_word = word;
        loop->watched_ns = now_ns;
    } else if (now_ns - loop->watched_ns >= (alarm ? HELD_ALARM_NS : HELD_NS) &&
               sfd_carrier_take(loop, carrier, word)) {
        sfd_counters_add(loop->context.counters, SFD_COUNTER_STUCK, 1); /* no other thread writes this one */
    }
}

/* A loop that is stuck and was not taken: there is no spare thread, or it is in no system call. */
static void look_at_turn(struct sfd_loop *loop, uint64_t now_ms)
{
    const uint32_t beats = atomic_load(&loop->beats);
    const int tid = atomic_load(&loop->tid);

    if (tid == 0 || beats != loop->watchdog_beats) {
        loop->watchdog_beats = beats;
        loop->watchdog_ms = now_ms;
        atomic_store(&loop->stuck, false);
        return;
    }
    const uint64_t stuck_ms = now_ms - loop->watchdog_ms;
    if (stuck_ms < STUCK_MS) return;
    if (!atomic_exchange(&loop->stuck, true)) sfd_counters_add(loop->context.counters, SFD_COUNTER_STUCK, 1);
    sfd_loop_receiving_take_away(loop);
    if (stuck_ms >= FREE_MS && loop->shared->wake_signal > 0) {
        /* Not pthread_kill: for a thread that has ended meanwhile this gives an error, pthread_kill is undefined. */
        sfd_sys_signal_thread(tid, loop->shared->wake_signal);
    }
}

/* Marks that the watchdog sleeps. False when a loop has begun to work meanwhile, and may not have seen the mark. */
static bool fall_asleep(struct sfd_shared *shared)
{
    atomic_store(&shared->watchdog.asleep, true);
    for (uint32_t i = 0; i < shared->settings.loops; i++) {
        if (is_active(shared->loops[i])) {
            atomic_store(&shared->watchdog.asleep, false);
            return false;
        }
    }
    return true;
}

int sfd_watchdog_look(struct sfd_shared *shared, bool pending)
{
    const uint64_t now_ms = shared->kernel.sys->now_ms();
    const bool alarm = sfd_carriers_alarmed(shared);
    bool active = false;

    atomic_fetch_add_explicit(&shared->watchdog.looks, 1, memory_order_relaxed);
    atomic_store(&shared->watchdog.asleep, false);
    for (uint32_t i = 0; i < shared->settings.loops; i++) {
        active = is_active(shared->loops[i]) || active;
        look_at_call(shared->loops[i], alarm);
        look_at_turn(shared->loops[i], now_ms);
    }
    sfd_carriers_look(shared, now_ms);
    shared->watchdog.quiet_looks = active ? 0 : shared->watchdog.quiet_looks + 1;
    if (active && alarm) return ALARM_MS;
    if (shared->watchdog.quiet_looks < QUIET_LOOKS) return LOOK_MS;
    if (!fall_asleep(shared)) return LOOK_MS;
    return pending || sfd_carriers_are_away(shared) ? LOOK_IDLE_MS : -1;
}

void sfd_watchdog_wait(struct sfd_watchdog *watchdog, int timeout_ms)
{
    (void)sfd_sys_wait_readable(watchdog->eventfd, timeout_ms);
    sfd_sys_event_clear(watchdog->eventfd);
}

void sfd_watchdog_wake(struct sfd_watchdog *watchdog)
{
    sfd_sys_event_signal(watchdog->eventfd);
}

bool sfd_watchdog_probe(struct sfd_shared *shared)
{
    struct sfd_watchdog *watchdog = &shared->watchdog;
    const uint32_t looks = atomic_load_explicit(&watchdog->looks, memory_order_relaxed);
    bool all = looks != watchdog->probed_looks;

    watchdog->probed_looks = looks;
    sfd_watchdog_wake(watchdog);
    for (uint32_t i = 0; i < shared->settings.loops; i++) {
        struct sfd_loop *loop = shared->loops[i];
        const uint32_t beats = atomic_load_explicit(&loop->beats, memory_order_relaxed);
        all = all && beats != loop->probed_beats;
        loop->probed_beats = beats;
        sfd_loop_wake(loop);
    }
    return all;
}
