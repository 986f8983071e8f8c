/*
 * What has held a thread: the memory of one device, by which threads that must not wait keep away from it.
 *
 * Role: "from the kernel's caches alone" keeps disks out, but not all that can hold a call: a fanotify listener, such
 * as an antivirus, answers an open or a read when it likes, and so does whatever else is hooked into the kernel. So
 * each call is timed. One that held its thread closes the device for a while: a second, twice as long each time that
 * this happens again, up to a minute; after a minute of good conduct a second again. Then one thread tries it, alone.
 *
 * Time alone does not tell: on a busy machine a thread that is ready has been seen to wait 2 s for a processor. So a
 * call is held only if it was slow and the thread has waited in it of its own (getrusage(2), ru_nvcsw), which one that
 * only lost its processor has not. To count that before each call would cost a third of it: it is done while the device
 * is suspect, which it is at first (2 s), after a slow call that was not counted (2 s: a device that holds threads less
 * often is not worth a second's pause), and after it was closed (10 s).
 *
 * Thread: any; no locks. A call costs two readings of the clock, ~50 ns. Owns nothing.
 */
#ifndef SFD_HOT_DEVICE_H
#define SFD_HOT_DEVICE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "sys/sys.h"

/* Times of sys->now_ns. */
struct sfd_hot_device {
    _Atomic(uint64_t) closed_until; /* 0: open to all */
    _Atomic(uint64_t) suspect_until;
    _Atomic(uint64_t) held_last;
    _Atomic(uint64_t) pause; /* how long it was closed last */
};

/* One call on its way. */
struct sfd_hot_call {
    uint64_t begun;
    int64_t switches; /* of the thread, before it; -1: not counted */
    bool trial;       /* the first one after a pause */
};

/* Open, and suspect. */
void sfd_hot_device_init(struct sfd_hot_device *device, const struct sfd_sys *sys);

/* Whether it is closed, or was, and is to be tried. */
static inline bool sfd_hot_device_is_closed(struct sfd_hot_device *device)
{
    return atomic_load_explicit(&device->closed_until, memory_order_relaxed) != 0;
}

/* Begins a call. False: the device is closed, and the caller makes none. */
bool sfd_hot_device_enter(struct sfd_hot_device *device, const struct sfd_sys *sys, struct sfd_hot_call *call);

/* Ends a call that was begun. */
void sfd_hot_device_leave(struct sfd_hot_device *device, const struct sfd_sys *sys, const struct sfd_hot_call *call);

#endif
