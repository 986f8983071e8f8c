/*
 * The block of an engine's counters: its layout, and its memory.
 */
#include "base/counters_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "sys/sys_memory.h"
#include "sys/sys_setup.h"

_Static_assert(sizeof(struct sfd_counters_row) == 256, "rows do not share lines of the cache");

static size_t pages(size_t size)
{
    return (size + SFD_COUNTERS_PAGE - 1) / SFD_COUNTERS_PAGE * SFD_COUNTERS_PAGE;
}

static void lay_out(struct sfd_counters_head *head, uint32_t loops, uint32_t queues, uint32_t rows)
{
    _Static_assert(sizeof(struct sfd_counters_head) <= SFD_COUNTERS_PAGE, "queues begin on the next page");
    head->queues = queues;
    head->queue_size = sizeof(struct sfd_counters_queue);
    head->queues_at = SFD_COUNTERS_PAGE;
    head->loops = loops;
    head->loop_size = (uint32_t)pages(sizeof(struct sfd_counters_loop));
    head->loops_at = head->queues_at + (uint32_t)pages((size_t)queues * head->queue_size);
    head->rows = rows;
    head->row_size = sizeof(struct sfd_counters_row);
    head->rows_at = head->loops_at + loops * head->loop_size;
    head->size = pages(head->rows_at + (size_t)loops * rows * head->row_size);
    head->counters = SFD_COUNTERS;
    head->counters_at = offsetof(struct sfd_counters_loop, counters);
    head->operations = SFD_OPERATIONS;
    head->techniques = SFD_COUNTERS_TECHNIQUES;
    head->outcomes = SFD_OUTCOMES;
    head->errnos = SFD_COUNTERS_ERRNOS;
    head->requests_at = offsetof(struct sfd_counters_loop, requests);
    head->outcomes_at = offsetof(struct sfd_counters_loop, outcomes);
    head->flows_at = offsetof(struct sfd_counters_loop, flow);
    head->refusals_at = offsetof(struct sfd_counters_loop, refusals);
    head->failures_at = offsetof(struct sfd_counters_loop, failures);
    head->times = SFD_TIMES;
    head->histogram_size = sizeof(struct sfd_histogram);
    head->histograms_at = offsetof(struct sfd_counters_loop, time);
    head->cells = SFD_HISTOGRAM_CELLS;
    head->cells_at = offsetof(struct sfd_histogram, cell);
    head->turned_at = offsetof(struct sfd_counters_loop, turned_ns);
}

static uint64_t now_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Field 22 of /proc/self/stat; the second one may have blanks and brackets in it. 0 where /proc is not there. */
static uint64_t process_start(const struct sfd_sys_setup *sys)
{
    char text[1024];
    unsigned long long start = 0;
    const int fd = sys->openat(AT_FDCWD, "/proc/self/stat", O_RDONLY | O_CLOEXEC, 0);

    if (fd < 0) return 0;
    const ssize_t n = sys->read(fd, text, sizeof(text) - 1);
    sys->close(fd);
    if (n <= 0) return 0;
    text[n] = '\0';
    const char *at = strrchr(text, ')');
    for (int field = 2; at != NULL && field < 22; field++)
        at = strchr(at + 1, ' ');
    return at != NULL && sscanf(at, "%llu", &start) == 1 ? start : 0;
}

/* Who writes it. */
static void sign(struct sfd_counters_head *head, const char *name)
{
    head->version = SFD_COUNTERS_VERSION;
    head->pid = (uint32_t)getpid();
    head->process_start = process_start(&sfd_sys_setup_linux);
    head->started_ns = now_ns(CLOCK_MONOTONIC);
    head->started_epoch_ns = now_ns(CLOCK_REALTIME);
    (void)snprintf(head->name, sizeof(head->name), "%s", name);
    atomic_store(&head->state, SFD_COUNTERS_SERVING);
    atomic_thread_fence(memory_order_release);
    memcpy(head->magic, SFD_COUNTERS_MAGIC, sizeof(head->magic));
}

int sfd_counters_file_make(struct sfd_counters_file *file, const char *name, uint32_t loops, uint32_t queues,
                           uint32_t rows)
{
    struct sfd_counters_head head = {.version = 0};
    void *memory = NULL;

    lay_out(&head, loops, queues, rows);
    const int result =
        sfd_sys_memory_linux.mmap(NULL, head.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, &memory);
    if (result < 0) return result;
    file->head = memory;
    file->size = head.size;
    *file->head = head;
    sign(file->head, name);
    return 0;
}

void sfd_counters_file_release(struct sfd_counters_file *file)
{
    if (file->head == NULL) return;
    atomic_store(&file->head->state, SFD_COUNTERS_ENDED);
    (void)sfd_sys_memory_linux.munmap(file->head, file->size);
    *file = (struct sfd_counters_file){.head = NULL};
}

static void *at(const struct sfd_counters_file *file, size_t offset)
{
    return (char *)file->head + offset;
}

struct sfd_counters_loop *sfd_counters_file_loop(const struct sfd_counters_file *file, uint32_t index)
{
    return at(file, file->head->loops_at + (size_t)index * file->head->loop_size);
}

struct sfd_counters_row *sfd_counters_file_rows(const struct sfd_counters_file *file, uint32_t loop)
{
    return at(file, file->head->rows_at + (size_t)loop * file->head->rows * sizeof(struct sfd_counters_row));
}

struct sfd_counters_queue *sfd_counters_file_queue(const struct sfd_counters_file *file, uint32_t queue)
{
    return at(file, file->head->queues_at + (size_t)queue * sizeof(struct sfd_counters_queue));
}
