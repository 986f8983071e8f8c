/*
 * Making a file cold: what is measured as a read from the disk must not come from memory.
 *
 * A page that is asked to leave the page cache stays while somebody uses it. Two users outlive those for whom they
 * work, such as a server whose client was cut off: a read ahead that the disk has not answered; and a network packet
 * that refers to the page, as those of sendfile(2) do. The receiver of a packet leaves it to the processor that made it
 * to free the packet (skb_attempt_defer_free, Linux 5.19), which does so with its next packets: without any it never
 * does.
 */
#include "bench_common.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sys/sys.h"

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

/* The same with those that are on their way from the disk, which only cachestat(2) tells: Linux 6.5. */
static size_t cached_pages(int fd, size_t size, const char *path)
{
    static const struct sfd_cachestat_range all;
    struct sfd_cachestat stat;
    return sfd_sys_linux.cachestat(fd, &all, &stat) < 0 ? resident_pages(fd, size, path) : (size_t)stat.nr_cache;
}

/* Gives every processor a packet: to this thread's own socket, over the loopback device. Those it may not use it skips.
 */
static void visit_processors(void)
{
    struct sockaddr_in self = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof self;
    cpu_set_t before;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&self, length) < 0 ||
        getsockname(fd, (struct sockaddr *)&self, &length) < 0 || sched_getaffinity(0, sizeof before, &before) < 0)
        die_errno("a datagram to itself");
    const size_t processors = (size_t)sysconf(_SC_NPROCESSORS_CONF);
    for (size_t i = 0; i < processors && i < CPU_SETSIZE; i++) {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(i, &one);
        if (sched_setaffinity(0, sizeof one, &one) == 0)
            sendto(fd, "", 0, MSG_DONTWAIT, (struct sockaddr *)&self, length);
    }
    sched_setaffinity(0, sizeof before, &before);
    close(fd);
}

void make_cold(const char *path)
{
    static const struct timespec pause = {.tv_nsec = 2000000};
    const uint64_t deadline_ns = now_ns() + UINT64_C(2000000000);
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) die_errno("%s", path);
    while (st.st_size > 0) {
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        size_t left = cached_pages(fd, (size_t)st.st_size, path);
        if (left == 0) break;
        if (now_ns() >= deadline_ns) die("%s: %zu pages stay in the page cache: it cannot be made cold", path, left);
        visit_processors();
        nanosleep(&pause, NULL);
    }
    close(fd);
}
