/*
 * Closing a file that may be the last of its name.
 *
 * Role: the last close of a removed file frees its blocks: some 100 ms for 1 GiB, and more on a busy disk. The closes
 * of a file that is large enough for that, and removed, are left to a thread that lives for this close alone. They are
 * rare: a file was replaced while it was sent. Thread: any; never waits for a disk, unless no thread can be started.
 * Owns nothing.
 */
#ifndef SFD_HOT_HOT_CLOSE_H
#define SFD_HOT_HOT_CLOSE_H

#include "sys/sys.h"

/* Closes *fd, of a file of that size, unless it is -1, and sets it to -1. */
void sfd_hot_close_file(const struct sfd_sys *sys, int *fd, uint64_t size);

#endif
