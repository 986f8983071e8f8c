/*
 * Drop-behind: what a transfer itself has brought into the page cache leaves it again.
 *
 * Role: remembers which parts of a file were not in the cache when a transfer first asked for them, and drops those,
 * and no others, once it is through with them. A part of which one page was warm stays as it is; so does everything
 * where the kernel cannot be asked (cachestat(2), 6.5). What somebody else has begun to use meanwhile goes too: the
 * kernel does not tell. Pages that a socket or a pipe still refers to cannot be dropped; they are the first to be
 * reclaimed.
 * Thread: the disk pool. Owns nothing.
 */
#ifndef SFD_DISK_DROP_H
#define SFD_DISK_DROP_H

#include "sys/kernel.h"

/* Files are looked at in parts of this size, at multiples of it. */
#define SFD_DROP_PART ((uint64_t)256 * 1024)

/* No more than this lies between what was dropped and what was asked for; what is older stays. */
#define SFD_DROP_SPAN (64 * SFD_DROP_PART)

/* All 0: nothing claimed. */
struct sfd_drop {
    uint64_t own; /* bit per part, by its number modulo 64 */
    uint64_t end; /* parts before it have been looked at */
};

/*
 * Takes note of which parts of [from, to) are ours to load, before anybody asks the disk for them. Parts that were
 * looked at before are passed over.
 */
void sfd_drop_claim(struct sfd_drop *drop, const struct sfd_kernel *kernel, int fd, uint64_t from, uint64_t to);

/* Drops our parts that end before `until`; UINT64_MAX: all of them. */
void sfd_drop_behind(struct sfd_drop *drop, const struct sfd_sys *sys, int fd, uint64_t until);

#endif
