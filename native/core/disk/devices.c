/*
 * The table of devices.
 */
#include "disk/devices.h"

#include <errno.h>

/* Instead of a number of users: the entry is being given to another device. */
#define TAKEN UINT32_MAX

void sfd_devices_init(struct sfd_devices *devices)
{
    pthread_mutex_init(&devices->lock, NULL);
    atomic_init(&devices->count, 0);
    devices->next = 0;
    for (unsigned i = 0; i < SFD_DEVICES_MAX; i++) {
        atomic_init(&devices->at[i].dev, 0);
        atomic_init(&devices->at[i].users, 0);
        /* All devices that do not fit are treated as the slowest medium. */
        atomic_init(&devices->at[i].medium, i == SFD_DEVICES_SHARED ? SFD_MEDIUM_REMOTE : SFD_MEDIUM_UNKNOWN);
    }
}

void sfd_devices_deinit(struct sfd_devices *devices)
{
    pthread_mutex_destroy(&devices->lock);
}

void sfd_devices_hold(struct sfd_devices *devices, int index)
{
    if (index >= 0) atomic_fetch_add(&devices->at[index].users, 1);
}

void sfd_devices_put(struct sfd_devices *devices, int index)
{
    if (index >= 0) atomic_fetch_sub(&devices->at[index].users, 1);
}

/* Holds an entry that may be given to another device at the same moment: false if it is. */
static bool try_hold(struct sfd_device *device, uint64_t dev)
{
    unsigned users = atomic_load(&device->users);

    do {
        if (users == TAKEN) return false;
    } while (!atomic_compare_exchange_weak(&device->users, &users, users + 1));
    if (atomic_load(&device->dev) == dev) return true; /* and it cannot change any more */
    atomic_fetch_sub(&device->users, 1);
    return false;
}

int sfd_devices_find(struct sfd_devices *devices, uint64_t dev)
{
    const unsigned count = atomic_load_explicit(&devices->count, memory_order_acquire);

    for (unsigned i = 0; i < count; i++)
        if (atomic_load_explicit(&devices->at[i].dev, memory_order_relaxed) == dev && try_hold(&devices->at[i], dev))
            return (int)i;
    return -ENOENT;
}

/* An entry that nothing uses, in turn, so that those used lately are kept; or the shared one. */
static int take_idle(struct sfd_devices *devices)
{
    for (unsigned i = 0; i < SFD_DEVICES_SHARED; i++) {
        const unsigned at = devices->next;
        unsigned none = 0;
        devices->next = (at + 1) % SFD_DEVICES_SHARED;
        if (atomic_compare_exchange_strong(&devices->at[at].users, &none, TAKEN)) return (int)at;
    }
    return SFD_DEVICES_SHARED;
}

/* Under the lock. */
static int make(struct sfd_devices *devices, uint64_t dev)
{
    const unsigned count = atomic_load_explicit(&devices->count, memory_order_relaxed);
    const int index = count < SFD_DEVICES_SHARED ? (int)count : take_idle(devices);
    struct sfd_device *device = &devices->at[index];

    if (index == SFD_DEVICES_SHARED) {
        sfd_devices_hold(devices, index);
        return index;
    }
    atomic_store(&device->dev, dev);
    atomic_store(&device->medium, SFD_MEDIUM_UNKNOWN);
    atomic_store(&device->users, 1);
    if (count < SFD_DEVICES_SHARED) atomic_store_explicit(&devices->count, count + 1, memory_order_release);
    return index;
}

int sfd_devices_add(struct sfd_devices *devices, uint64_t dev)
{
    int index = sfd_devices_find(devices, dev);

    if (index >= 0) return index;
    pthread_mutex_lock(&devices->lock);
    index = sfd_devices_find(devices, dev);
    if (index < 0) index = make(devices, dev);
    pthread_mutex_unlock(&devices->lock);
    return index;
}

enum sfd_medium sfd_devices_medium(struct sfd_devices *devices, int index)
{
    return (enum sfd_medium)atomic_load_explicit(&devices->at[index].medium, memory_order_relaxed);
}
