/*
 * Drop-behind: removes from the page cache what a transfer itself has loaded into it.
 *
 * Role: remembers which parts of a file were not in the cache when a transfer first asked for them, and drops those,
 * and no others, once it has moved them. A part of which one page was resident stays as it is. Where the kernel does
 * not count pages (before 6.5; of files that the daemon's user neither owns nor may write), three bytes of a part stand
 * for it; where these tell nothing either (file servers), every part stays. Pages that others have begun to use
 * meanwhile are dropped too: the kernel does not report that. Pages that a socket or a pipe still refers to cannot be
 * dropped; they are the first to be reclaimed.
 * Thread: the disk pool. Owns nothing.
 */
#ifndef SFD_DISK_DROP_H
#define SFD_DISK_DROP_H

#include "sys/kernel.h"

/* Files are looked at in parts of this size, at multiples of it. */
#define SFD_DROP_PART ((uint64_t)256 * 1024)

/* Bytes of a file that one struct sfd_drop can remember: parts further behind are forgotten, and stay in the cache. */
#define SFD_DROP_SPAN (64 * SFD_DROP_PART)

/* All 0: nothing claimed. */
struct sfd_drop {
    uint64_t own; /* bit per part, by its number modulo 64 */
    uint64_t end; /* parts before it have been looked at */
};

/*
 * Remembers which parts of [from, to) are not in the cache, and so are ours to drop later. To be called before they are
 * loaded. Skips parts that were looked at before.
 */
void sfd_drop_claim(struct sfd_drop *drop, const struct sfd_kernel *kernel, int fd, uint64_t from, uint64_t to);

/* Drops our parts that end before `until`; UINT64_MAX: all of them. */
void sfd_drop_behind(struct sfd_drop *drop, const struct sfd_sys *sys, int fd, uint64_t until);

#endif
