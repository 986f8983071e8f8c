/*
 * The table of devices.
 */
#include "disk/devices.h"

#include <errno.h>

void sfd_devices_init(struct sfd_devices *devices)
{
    pthread_mutex_init(&devices->lock, NULL);
    atomic_init(&devices->count, 0);
}

void sfd_devices_deinit(struct sfd_devices *devices)
{
    pthread_mutex_destroy(&devices->lock);
}

int sfd_devices_find(struct sfd_devices *devices, uint64_t dev)
{
    const unsigned count = atomic_load_explicit(&devices->count, memory_order_acquire);

    for (unsigned i = 0; i < count; i++)
        if (devices->at[i].dev == dev) return (int)i;
    return -ENOENT;
}

int sfd_devices_add(struct sfd_devices *devices, uint64_t dev)
{
    int index = sfd_devices_find(devices, dev);

    if (index >= 0) return index;
    pthread_mutex_lock(&devices->lock);
    index = sfd_devices_find(devices, dev);
    if (index < 0) {
        const unsigned count = atomic_load_explicit(&devices->count, memory_order_relaxed);
        if (count == SFD_DEVICES_MAX) {
            index = SFD_DEVICES_MAX - 1;
        } else {
            /* The last entry stands for all devices that do not fit, and is treated as the slowest medium. */
            const bool last = count == SFD_DEVICES_MAX - 1;
            devices->at[count].dev = dev;
            atomic_store(&devices->at[count].medium, last ? SFD_MEDIUM_REMOTE : SFD_MEDIUM_UNKNOWN);
            atomic_store_explicit(&devices->count, count + 1, memory_order_release);
            index = (int)count;
        }
    }
    pthread_mutex_unlock(&devices->lock);
    return index;
}

enum sfd_medium sfd_devices_medium(struct sfd_devices *devices, int index)
{
    return (enum sfd_medium)atomic_load_explicit(&devices->at[index].medium, memory_order_relaxed);
}
