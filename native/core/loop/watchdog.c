/*
 * The watch over loops that are stuck in one call.
 *
 * Role: looks at every loop ten times a second, and sleeps without limit when no loop has worked for a second: then the
 * loop that begins to work first wakes it. Thread: the service thread; sfd_watch_working: the loops; sfd_watch_wake:
 * any. Owns the eventfd that it sleeps on. Never: touches anything of a loop but what it shares.
 *
 * No wake-up is lost: the loop says that it works and then looks whether the watch sleeps, the watch says that it
 * sleeps and then looks whether a loop works, all in one order (memory_order_seq_cst).
 */
#include "loop/loop_private.h"

#define LOOK_MS 100

/* Looks in a row that see nobody work before it goes to sleep: what comes in bursts wakes it once. */
#define QUIET_LOOKS 10

/* A loop without a new turn for this long is passed over, and what it would receive goes to another. */
#define STUCK_MS 100

/* A loop that is stuck for this long is woken out of a sendfile or splice that blocks. */
#define FREE_MS 250

int sfd_watch_init(struct sfd_watch *watch)
{
    *watch = (struct sfd_watch){.eventfd = sfd_sys_eventfd()};
    return watch->eventfd < 0 ? watch->eventfd : 0;
}

void sfd_watch_deinit(struct sfd_watch *watch)
{
    if (watch->eventfd >= 0) (void)sfd_sys_linux.close(watch->eventfd);
    watch->eventfd = -1;
}

void sfd_watch_working(struct sfd_loop *loop)
{
    struct sfd_watch *watch = &loop->shared->watch;
    const unsigned beats = atomic_load_explicit(&loop->beats, memory_order_relaxed);

    atomic_store_explicit(&loop->beats, beats + 1, memory_order_relaxed);
    atomic_store(&loop->tid, loop->own_tid);
    if (atomic_load(&watch->asleep) && atomic_exchange(&watch->asleep, false)) sfd_sys_event_signal(watch->eventfd);
}

void sfd_watch_waiting(struct sfd_loop *loop)
{
    atomic_store_explicit(&loop->tid, 0, memory_order_release);
}

/* True while a loop works, or when it has worked since the last look. */
static bool is_active(const struct sfd_loop *loop)
{
    return atomic_load(&loop->tid) != 0 || atomic_load(&loop->beats) != loop->watched_beats;
}

static void look_at(struct sfd_loop *loop, uint64_t now_ms)
{
    const uint32_t beats = atomic_load(&loop->beats);
    const int tid = atomic_load(&loop->tid);

    if (tid == 0 || beats != loop->watched_beats) {
        loop->watched_beats = beats;
        loop->watched_ms = now_ms;
        atomic_store(&loop->stuck, false);
        return;
    }
    const uint64_t stuck_ms = now_ms - loop->watched_ms;
    if (stuck_ms < STUCK_MS) return;
    if (!atomic_exchange(&loop->stuck, true))
        sfd_counters_add(&loop->context.counters, SFD_COUNTER_STUCK, 1); /* nobody else writes this one */
    sfd_receiving_take_away(loop);
    if (stuck_ms >= FREE_MS && loop->shared->wake_signal > 0) {
        /* Not pthread_kill: a thread that has ended meanwhile is an error, not undefined. */
        sfd_sys_signal_thread(tid, loop->shared->wake_signal);
    }
}

/* Says that the watch sleeps. False when a loop has begun to work meanwhile and may not have seen it. */
static bool fall_asleep(struct sfd_shared *shared)
{
    atomic_store(&shared->watch.asleep, true);
    for (uint32_t i = 0; i < shared->settings.loops; i++) {
        if (is_active(shared->loops[i])) {
            atomic_store(&shared->watch.asleep, false);
            return false;
        }
    }
    return true;
}

int sfd_watch_look(struct sfd_shared *shared, bool pending)
{
    const uint64_t now_ms = shared->machine.sys->now_ms();
    bool active = pending;

    atomic_store(&shared->watch.asleep, false);
    for (uint32_t i = 0; i < shared->settings.loops; i++) {
        active = is_active(shared->loops[i]) || active;
        look_at(shared->loops[i], now_ms);
    }
    shared->watch.quiet_looks = active ? 0 : shared->watch.quiet_looks + 1;
    return shared->watch.quiet_looks >= QUIET_LOOKS && fall_asleep(shared) ? -1 : LOOK_MS;
}

void sfd_watch_wait(struct sfd_watch *watch, int timeout_ms)
{
    (void)sfd_sys_wait_readable(watch->eventfd, timeout_ms);
    sfd_sys_event_clear(watch->eventfd);
}

void sfd_watch_wake(struct sfd_watch *watch)
{
    sfd_sys_event_signal(watch->eventfd);
}
