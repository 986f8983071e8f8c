/*
 * The memory of a device that may hold threads.
 */
#include "hot/hot_device.h"

#define MS            ((uint64_t)1000 * 1000)
#define SLOW_NS       (4 * MS)
#define NEW_NS        (2 * 1000 * MS)  /* how long it is suspect at first, and after a slow call that was not counted */
#define SUSPECT_NS    (10 * 1000 * MS) /* and after it was closed */
#define PAUSE_MIN_NS  (1000 * MS)
#define PAUSE_MAX_NS  (60 * 1000 * MS)
#define GOOD_AFTER_NS (60 * 1000 * MS)

void sfd_hot_device_init(struct sfd_hot_device *device, const struct sfd_sys *sys)
{
    *device = (struct sfd_hot_device){.suspect_until = sys->now_ns() + NEW_NS};
}

bool sfd_hot_device_enter(struct sfd_hot_device *device, const struct sfd_sys *sys, struct sfd_hot_call *call)
{
    const uint64_t now = sys->now_ns();
    uint64_t until = atomic_load_explicit(&device->closed_until, memory_order_relaxed);

    call->begun = now;
    call->trial = false;
    if (until != 0) {
        if (now < until) return false;
        /* As if it fails: should this thread never come back, no other follows it for so long. */
        const uint64_t next = now + 2 * atomic_load_explicit(&device->pause, memory_order_relaxed);
        if (!atomic_compare_exchange_strong(&device->closed_until, &until, next)) return false;
        call->trial = true;
    }
    const bool suspect = call->trial || now < atomic_load_explicit(&device->suspect_until, memory_order_relaxed);
    call->switches = suspect ? sys->voluntary_switches() : -1;
    return true;
}

static void close_for_a_while(struct sfd_hot_device *device, uint64_t now, bool trial)
{
    const uint64_t last = atomic_exchange(&device->held_last, now);
    uint64_t pause = atomic_load(&device->pause);

    if (!trial && atomic_load(&device->closed_until) > now) return; /* threads held at the same time are one incident */
    pause = pause == 0 || now - last > pause + GOOD_AFTER_NS ? PAUSE_MIN_NS : 2 * pause;
    if (pause > PAUSE_MAX_NS) pause = PAUSE_MAX_NS;
    atomic_store(&device->pause, pause);
    atomic_store(&device->suspect_until, now + pause + SUSPECT_NS);
    atomic_store(&device->closed_until, now + pause);
}

/* Until then, unless it is for longer already. */
static void suspect(struct sfd_hot_device *device, uint64_t until)
{
    if (atomic_load(&device->suspect_until) < until) atomic_store(&device->suspect_until, until);
}

void sfd_hot_device_leave(struct sfd_hot_device *device, const struct sfd_sys *sys, const struct sfd_hot_call *call)
{
    const uint64_t now = sys->now_ns();
    const uint64_t elapsed = now - call->begun;

    if (elapsed >= SLOW_NS) {
        const int64_t switches = call->switches < 0 ? -1 : sys->voluntary_switches();
        if (switches > call->switches) {
            close_for_a_while(device, now, call->trial);
            return;
        }
        if (switches < 0) suspect(device, now + NEW_NS); /* else the thread has only lost its processor */
    }
    if (call->trial) atomic_store(&device->closed_until, 0);
}
