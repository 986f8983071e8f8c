/* Making a file cold: what is measured as a read from the disk must not come from memory. */
#include "bench_common.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Pages of the file that are in the page cache. mincore(2) tells the truth to the file's owner. */
static size_t resident_pages(int fd, size_t size, const char *path)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t pages = (size + page - 1) / page;
    unsigned char *in_core = allocate(pages > 0 ? pages : 1);
    void *map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED || mincore(map, size, in_core) < 0) die_errno("%s: which pages are in the cache", path);
    munmap(map, size);
    size_t count = 0;
    for (size_t i = 0; i < pages; i++)
        count += in_core[i] & 1U;
    free(in_core);
    return count;
}

void make_cold(const char *path)
{
    enum { ATTEMPTS = 500 };
    static const struct timespec pause = {.tv_nsec = 2000000};
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) die_errno("%s", path);
    /* A page that is being read ahead, for someone who went away, is locked and stays: once more when it is there. */
    for (int i = 0; st.st_size > 0; i++) {
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        size_t left = resident_pages(fd, (size_t)st.st_size, path);
        if (left == 0) break;
        if (i == ATTEMPTS) die("%s: %zu pages stay in the page cache: it cannot be made cold", path, left);
        nanosleep(&pause, NULL);
    }
    close(fd);
}
