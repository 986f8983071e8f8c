// Taking files out of the page cache.
#ifndef SFD_TEST_PAGE_CACHE_H
#define SFD_TEST_PAGE_CACHE_H

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include <gtest/gtest.h>

#include "core.h"

// Drops a range of a file, which has no dirty pages; length 0: to its end. Asks for none of it: that would begin to
// read it. False where that is impossible: the file is in memory.
inline bool evict(int fd, off_t offset = 0, off_t length = 0)
{
    const struct sfd_cachestat_range range = {static_cast<uint64_t>(offset), static_cast<uint64_t>(length)};
    struct statfs disk = {};

    EXPECT_EQ(0, fstatfs(fd, &disk));
    if (disk.f_type == TMPFS_MAGIC || disk.f_type == RAMFS_MAGIC) return false;
    /* Pages that some processor has just used are not dropped at the first try. */
    for (int i = 0; i < 1000; i++) {
        struct sfd_cachestat stat = {};
        EXPECT_EQ(0, posix_fadvise(fd, offset, length, POSIX_FADV_DONTNEED));
        /* An older kernel cannot be asked. */
        if (sfd_sys_linux.cachestat(fd, &range, &stat) < 0 || stat.nr_cache == 0) return true;
    }
    return false;
}

#endif
