/*
 * Residency: can the next bytes of a file be moved without waiting for its disk?
 *
 * Role: learns the medium of a file's device, asks the page cache, and loads windows.
 * Thread: is_on, probe: event loops, never block. learn, is_absent, request, load, stays: the disk pool, wait for the
 * disk.
 * opens_here: at the start. The disk pool learns the medium of a file system once, for all loops.
 */
#ifndef SFD_DISK_RESIDENCY_H
#define SFD_DISK_RESIDENCY_H

#include <stdint.h>

#include "disk/devices.h"
#include "sys/kernel.h"

/*
 * Finds or adds the device of the open file `fd` (borrowed), and gives its index. Blocks: asks for the type of the file
 * system each time, because the kernel reuses the number of an unmounted one. A device whose medium has changed becomes
 * REMOTE.
 */
int sfd_residency_learn(struct sfd_devices *devices, const struct sfd_kernel *kernel, int fd, uint64_t dev);

/*
 * The medium below the directory `fd` (borrowed, may be O_PATH), on the same mount, by the type of the file system
 * alone: whether files there know RWF_NOWAIT shows with the first of them. Blocks: asks for that type.
 */
enum sfd_medium sfd_residency_medium_of_root(const struct sfd_kernel *kernel, int fd);

/* Whether an open there asks no server. Blocks likewise. */
bool sfd_residency_opens_here(const struct sfd_kernel *kernel, int fd);

/*
 * Whether an open file (borrowed) really is on `medium`, which is local, as the table says of its device. The kernel
 * gives the number of an unmounted device without hardware to the next such device, FUSE included, and a client can
 * mount one and send a descriptor of a file on it. Never blocks.
 */
bool sfd_residency_is_on(const struct sfd_kernel *kernel, enum sfd_medium medium, int fd, uint64_t dev);

/*
 * How many bytes from `offset`, at most `length`, can be moved now. 0 when the disk is needed first. Never blocks; of a
 * cold file that this process neither owns nor may write, it has the kernel read a page.
 */
uint64_t sfd_residency_probe(const struct sfd_kernel *kernel, enum sfd_medium medium, int fd, uint64_t offset,
                             uint64_t length);

/*
 * Whether no page of the range is in the page cache, as far as it can be told: of a file that this process neither owns
 * nor may write, by a byte each 128 KiB. False also when nothing can be told. Disk pool only.
 */
bool sfd_residency_is_absent(const struct sfd_kernel *kernel, int fd, uint64_t offset, uint64_t length);

/*
 * Asks the kernel to read the bytes between two offsets, without waiting for them. The kernel may ignore it, and may
 * block all the same: disk pool only.
 */
void sfd_residency_request(const struct sfd_kernel *kernel, int fd, uint64_t from, uint64_t to);

/*
 * Makes a window resident by sending it to /dev/null, which copies nothing. Gives the bytes that are ready (fewer than
 * `length` at the end of the file) or -errno. Blocks.
 */
int64_t sfd_residency_load(const struct sfd_kernel *kernel, int fd, uint64_t offset, uint64_t length);

/*
 * True when a window that was just loaded has left pages in the cache; direct I/O leaves none. False also when that
 * cannot be told: another user's file on a file system without RWF_NOWAIT.
 */
bool sfd_residency_stays(const struct sfd_kernel *kernel, int fd, uint64_t offset, uint64_t length);

/*
 * Whether the pages of a file are memory, which is charged to who touches them first: 1, 0 or -errno. Never blocks for
 * such a file.
 */
int sfd_residency_is_memory(const struct sfd_kernel *kernel, int fd);

/* So many bytes of a memory file's range have pages: all that are known to, without cachestat(2) those of the file. */
uint64_t sfd_residency_allocated(const struct sfd_kernel *kernel, int fd, uint64_t offset, uint64_t length);

#endif
