/*
 * Devices: the file systems that files have been found on so far, and the queues of the disk pool that follow from
 * them.
 *
 * Role: one table for all loops. The disk pool learns the medium of each device once (sfd_residency_learn). An entry
 * stays until another device needs it and nothing uses it: whoever has its index, a transfer or a close on its way,
 * counts as a user, so that an index never means another device than before.
 * Thread: any; only sfd_devices_add may wait, for the table's lock.
 */
#ifndef SFD_DISK_DEVICES_H
#define SFD_DISK_DEVICES_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum sfd_medium {
    SFD_MEDIUM_UNKNOWN = 0,
    SFD_MEDIUM_MEMORY,  /* tmpfs and its kin: always resident */
    SFD_MEDIUM_LOCAL,   /* the page cache tells the truth and preadv2(RWF_NOWAIT) works */
    SFD_MEDIUM_LOCKING, /* XFS: the same, but splice waits while a process writes to the file */
    SFD_MEDIUM_FUSE,    /* splice takes what the disk pool has loaded; a read can ask the server */
    SFD_MEDIUM_REMOTE,  /* network and others: only bytes that the disk pool has read into memory are ready */
};

/* True for the media whose opens, locks, attributes and closes wait for no server. */
static inline bool sfd_medium_is_local(enum sfd_medium medium)
{
    return medium == SFD_MEDIUM_MEMORY || medium == SFD_MEDIUM_LOCAL || medium == SFD_MEDIUM_LOCKING;
}

#define SFD_DEVICES_MAX 64

/* The entry of all devices for which there is no other while the others are in use. */
#define SFD_DEVICES_SHARED (SFD_DEVICES_MAX - 1)

/* Queues of the disk pool. Devices follow: SFD_QUEUE_DEVICES + index in struct sfd_devices. */
enum sfd_queue {
    SFD_QUEUE_CLOSE = 0,  /* closes of all that is on no known device */
    SFD_QUEUE_OPEN = 1,   /* opens of files whose device is not known before */
    SFD_QUEUE_LINGER = 2, /* closes of sockets that wait for their peer */
    SFD_QUEUE_DEVICES = 3,
};
#define SFD_QUEUES (SFD_QUEUE_DEVICES + SFD_DEVICES_MAX)

struct sfd_device {
    _Atomic(uint64_t) dev; /* st_dev */
    atomic_int medium;     /* enum sfd_medium */
    atomic_uint users;     /* that have its index */
};

/* Table of the file systems seen lately. When all are in use it answers with the shared entry, which is REMOTE. */
struct sfd_devices {
    pthread_mutex_t lock; /* writers only */
    atomic_uint count;    /* without the shared entry */
    unsigned next;        /* under the lock: where to look for an idle entry */
    struct sfd_device at[SFD_DEVICES_MAX];
};

void sfd_devices_init(struct sfd_devices *devices);
void sfd_devices_deinit(struct sfd_devices *devices);

/* The index of `dev`, to be put, or -ENOENT. Never blocks. */
int sfd_devices_find(struct sfd_devices *devices, uint64_t dev);

/*
 * Finds or adds `dev`, of a medium that may be unknown: its index, to be put. Never blocks for longer than the table is
 * locked.
 */
int sfd_devices_add(struct sfd_devices *devices, uint64_t dev);

/* One more user of an index that the caller uses; and one less. Nothing for a negative index. */
void sfd_devices_hold(struct sfd_devices *devices, int index);
void sfd_devices_put(struct sfd_devices *devices, int index);

/* The medium of a device, whose index the caller uses, as far as it is known now. */
enum sfd_medium sfd_devices_medium(struct sfd_devices *devices, int index);

#endif
