/*
 * Residency: can the next bytes of a file be moved without waiting for its disk?
 *
 * Role: knows the media behind files, asks the page cache, and loads windows.
 * Thread: find, probe: event loops, never block. learn, load, read: the disk pool, block as long as the disk likes.
 * What is known of a file system is learnt once, by the disk pool, and shared by all loops.
 */
#ifndef SFD_DISK_RESIDENCY_H
#define SFD_DISK_RESIDENCY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "sys/kernel.h"

enum sfd_medium {
    SFD_MEDIUM_UNKNOWN = 0,
    SFD_MEDIUM_MEMORY,  /* tmpfs and its kin: always resident */
    SFD_MEDIUM_LOCAL,   /* the page cache tells the truth and preadv2(RWF_NOWAIT) works */
    SFD_MEDIUM_LOCKING, /* XFS: the same, but splice waits while somebody writes to the file */
    SFD_MEDIUM_FUSE,    /* splice takes what the disk pool has loaded; a read can ask the server */
    SFD_MEDIUM_REMOTE,  /* network and unknown: only what the disk pool has read into memory is ready */
};

/* True for the media whose opens, locks, attributes and closes wait for no server. */
static inline bool sfd_medium_is_local(enum sfd_medium medium)
{
    return medium == SFD_MEDIUM_MEMORY || medium == SFD_MEDIUM_LOCAL || medium == SFD_MEDIUM_LOCKING;
}

#define SFD_DEVICES_MAX 64

/* Queues of the disk pool. Devices follow: SFD_QUEUE_DEVICES + index in struct sfd_devices. */
enum sfd_queue {
    SFD_QUEUE_CLOSE = 0,  /* closes of what is in no file system */
    SFD_QUEUE_OPEN = 1,   /* of files whose device only the disk can tell */
    SFD_QUEUE_LINGER = 2, /* closes of sockets that wait for their peer */
    SFD_QUEUE_DEVICES = 3,
};
#define SFD_QUEUES (SFD_QUEUE_DEVICES + SFD_DEVICES_MAX)

struct sfd_device {
    uint64_t dev;      /* st_dev */
    atomic_int medium; /* enum sfd_medium */
};

/* Append-only table of the file systems seen so far. A full table answers with its last entry, which is REMOTE. */
struct sfd_devices {
    pthread_mutex_t lock; /* writers only */
    atomic_uint count;
    struct sfd_device at[SFD_DEVICES_MAX];
};

void sfd_devices_init(struct sfd_devices *devices);
void sfd_devices_deinit(struct sfd_devices *devices);

/* The index of `dev`, or -ENOENT. Never blocks. */
int sfd_devices_find(struct sfd_devices *devices, uint64_t dev);

/* Finds or adds `dev`, of a medium that may be unknown: its index. Never blocks for longer than the table is locked. */
int sfd_devices_add(struct sfd_devices *devices, uint64_t dev);

/* What is known of a device's medium now. */
enum sfd_medium sfd_devices_medium(struct sfd_devices *devices, int index);

/*
 * Finds or adds the device of the open file `fd` (borrowed): its index. Blocks: asks the file system what it is, each
 * time, because the kernel gives the number of an unmounted file system to the next one. A device that has changed is
 * REMOTE.
 */
int sfd_devices_learn(struct sfd_devices *devices, const struct sfd_machine *machine, int fd, uint64_t dev);

/*
 * Whether opening a file below the directory `fd` (borrowed, O_PATH will do), on the same mount, asks no server.
 * Blocks: asks the file system what it is.
 */
bool sfd_residency_opens_here(const struct sfd_machine *machine, int fd);

/*
 * Whether an open file (borrowed) is where its device says: on `medium`, which is local. A device without hardware
 * behind it, FUSE's too, takes the number of one that was unmounted, and a client can mount what it likes and send a
 * descriptor of it. Never blocks.
 */
bool sfd_residency_is_on(const struct sfd_machine *machine, enum sfd_medium medium, int fd, uint64_t dev);

/*
 * How many bytes from `offset`, at most `length`, can be moved now. 0 when the disk is needed first. Never blocks and
 * starts no I/O on files that are wholly cold.
 */
uint64_t sfd_residency_probe(const struct sfd_machine *machine, enum sfd_medium medium, int fd, uint64_t offset,
                             uint64_t length);

/*
 * Asks the kernel to read the bytes between two offsets and does not wait for them; only advice. May block all the
 * same: disk pool only.
 */
void sfd_residency_request(const struct sfd_machine *machine, int fd, uint64_t from, uint64_t to);

/*
 * Makes a window resident by sending it to /dev/null, which copies nothing. Gives the bytes that are ready (fewer than
 * `length` at the end of the file) or -errno. Blocks.
 */
int64_t sfd_residency_load(const struct sfd_machine *machine, int fd, uint64_t offset, uint64_t length);

/* True when a window that was just loaded has left pages in the cache; direct I/O leaves none. */
bool sfd_residency_stays(const struct sfd_machine *machine, int fd, uint64_t offset, uint64_t length);

#endif
