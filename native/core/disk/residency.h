/*
 * Residency: can the next bytes of a file be moved without waiting for its disk?
 *
 * Role: knows the media behind files, asks the page cache, and loads windows.
 * Thread: find, probe: event loops, never block. learn, load, read: the disk pool, block as long as the disk likes.
 * What is known of a file system is learnt once, by the disk pool, and shared by all loops.
 */
#ifndef SFD_DISK_RESIDENCY_H
#define SFD_DISK_RESIDENCY_H

#include <stdint.h>

#include "disk/devices.h"
#include "sys/kernel.h"

/*
 * Finds or adds the device of the open file `fd` (borrowed): its index. Blocks: asks the file system what it is, each
 * time, because the kernel gives the number of an unmounted file system to the next one. A device that has changed is
 * REMOTE.
 */
int sfd_residency_learn(struct sfd_devices *devices, const struct sfd_kernel *kernel, int fd, uint64_t dev);

/*
 * Whether opening a file below the directory `fd` (borrowed, O_PATH will do), on the same mount, asks no server.
 * Blocks: asks the file system what it is.
 */
bool sfd_residency_opens_here(const struct sfd_kernel *kernel, int fd);

/*
 * Whether an open file (borrowed) is where its device says: on `medium`, which is local. A device without hardware
 * behind it, FUSE's too, takes the number of one that was unmounted, and a client can mount what it likes and send a
 * descriptor of it. Never blocks.
 */
bool sfd_residency_is_on(const struct sfd_kernel *kernel, enum sfd_medium medium, int fd, uint64_t dev);

/*
 * How many bytes from `offset`, at most `length`, can be moved now. 0 when the disk is needed first. Never blocks and
 * starts no I/O on files that are wholly cold.
 */
uint64_t sfd_residency_probe(const struct sfd_kernel *kernel, enum sfd_medium medium, int fd, uint64_t offset,
                             uint64_t length);

/*
 * Asks the kernel to read the bytes between two offsets and does not wait for them; only advice. May block all the
 * same: disk pool only.
 */
void sfd_residency_request(const struct sfd_kernel *kernel, int fd, uint64_t from, uint64_t to);

/*
 * Makes a window resident by sending it to /dev/null, which copies nothing. Gives the bytes that are ready (fewer than
 * `length` at the end of the file) or -errno. Blocks.
 */
int64_t sfd_residency_load(const struct sfd_kernel *kernel, int fd, uint64_t offset, uint64_t length);

/* True when a window that was just loaded has left pages in the cache; direct I/O leaves none. */
bool sfd_residency_stays(const struct sfd_kernel *kernel, int fd, uint64_t offset, uint64_t length);

#endif
