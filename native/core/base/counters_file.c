/*
 * The block of an engine's counters: its layout, and its memory.
 */
#include "base/counters_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sys/sys.h"
#include "sys/sys_memory.h"
#include "sys/sys_setup.h"

#define SHM    "/dev/shm/sendfiled-" /* and the uid */
#define SYS    (&sfd_sys_setup_linux)
#define MEMORY (&sfd_sys_memory_linux)
#define FIND   (O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) /* whatever is there */

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

/* ------------------------------------------------------------------ who writes it */

/*
 * Field 22 of /proc/PID/stat: when the process began, so that another one of the same id has another number. 0: there
 * is none, it is a zombie, or /proc does not tell.
 */
static uint64_t process_start(uint32_t pid)
{
    char path[32];
    char text[1024];
    unsigned long long start = 0;

    (void)snprintf(path, sizeof(path), "/proc/%u/stat", pid);
    const int fd = SYS->openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) return 0;
    const ssize_t n = SYS->read(fd, text, sizeof(text) - 1);
    SYS->close(fd);
    if (n <= 0) return 0;
    text[n] = '\0';
    const char *at = strrchr(text, ')'); /* the second field may have blanks and brackets in it */
    if (at == NULL || at[1] == '\0' || at[2] == 'Z') return 0;
    for (int field = 2; at != NULL && field < 22; field++)
        at = strchr(at + 1, ' ');
    return at != NULL && sscanf(at, "%llu", &start) == 1 ? start : 0;
}

static void sign(struct sfd_counters_head *head, const char *name)
{
    head->version = SFD_COUNTERS_VERSION;
    head->pid = (uint32_t)getpid();
    head->process_start = process_start(head->pid);
    head->started_ns = now_ns(CLOCK_MONOTONIC);
    head->started_epoch_ns = now_ns(CLOCK_REALTIME);
    (void)snprintf(head->name, sizeof(head->name), "%s", name);
    atomic_store(&head->state, SFD_COUNTERS_SERVING);
    atomic_thread_fence(memory_order_release);
    memcpy(head->magic, SFD_COUNTERS_MAGIC, sizeof(head->magic));
}

/* ------------------------------------------------------------------ the file */

static bool is_in_memory(int dir)
{
    uint64_t type = 0;

    return sfd_sys_linux.fstatfs_type(dir, &type) == 0 && (type == TMPFS_MAGIC || type == RAMFS_MAGIC);
}

/* "/dev/shm/sendfiled-UID"; gives its length. */
static size_t shm_path(char out[sizeof(SHM) + 16])
{
    return (size_t)snprintf(out, sizeof(SHM) + 16, SHM "%u", (unsigned)geteuid());
}

/* This user's directory in /dev/shm, where everybody may make one of that name: -EPERM if it is another user's. */
static int open_shm(void)
{
    char path[sizeof(SHM) + 16];
    struct stat st;

    (void)shm_path(path);
    const int made = SYS->mkdir(path, 0750);
    const int fd = SYS->openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
    if (fd < 0) return made < 0 && made != -EEXIST ? made : fd;
    if (made == 0) (void)SYS->fchmodat(AT_FDCWD, path, 0750); /* whatever the umask is */
    int result = SYS->fstat(fd, &st);
    if (result == 0 && (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)) result = -EPERM;
    if (result == 0 && !is_in_memory(fd)) result = -EOPNOTSUPP;
    if (result == 0) return fd;
    SYS->close(fd);
    return result;
}

/* A new file, open for writing: 0640 whatever the umask is. A name that is in the way is a killed process's. */
static int new_file(int dir, const char *name)
{
    const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int fd = SYS->openat(dir, name, flags, 0600);

    if (fd == -EEXIST && SYS->unlinkat(dir, name, 0) == 0) fd = SYS->openat(dir, name, flags, 0600);
    if (fd < 0) return fd;
    const int result = SYS->fchmod(fd, 0640);
    if (result == 0) return fd;
    SYS->close(fd);
    (void)SYS->unlinkat(dir, name, 0);
    return result;
}

/* Maps all of the file, with all of its space taken. */
static int map_file(struct sfd_counters_file *file, int fd, size_t size)
{
    void *memory = NULL;
    int result = MEMORY->fallocate(fd, size);

    if (result == 0) result = MEMORY->mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, &memory);
    if (result < 0) return result;
    file->head = memory;
    file->size = size;
    return 0;
}

/* The file that has the counters if `fd` has not: a name in this user's directory in /dev/shm, in `out`. */
static bool names_another(int fd, char out[SFD_COUNTERS_FILE_MAX])
{
    char text[sizeof(SHM) + 16 + SFD_COUNTERS_FILE_MAX];
    char path[sizeof(SHM) + 16];
    const size_t prefix = shm_path(path);
    const ssize_t n = SYS->pread(fd, text, sizeof(text) - 1, 0);

    if (n <= (ssize_t)prefix || memcmp(text, path, prefix) != 0 || text[prefix] != '/') return false;
    text[n] = '\0';
    const char *name = text + prefix + 1;
    const size_t length = strcspn(name, "\n");
    if (length == 0 || length >= SFD_COUNTERS_FILE_MAX || memchr(name, '/', length) != NULL) return false;
    memcpy(out, name, length);
    out[length] = '\0';
    return true;
}

static bool has_living_writer(int fd)
{
    struct sfd_counters_head head;

    return SYS->pread(fd, &head, sizeof(head), 0) == (ssize_t)sizeof(head) &&
           memcmp(head.magic, SFD_COUNTERS_MAGIC, sizeof(head.magic)) == 0 && head.pid != (uint32_t)getpid() &&
           head.process_start != 0 && process_start(head.pid) == head.process_start;
}

/*
 * What a process has left that was killed, and whose directory is gone, so that nobody starts there again. The lock
 * tells that: the process may be in a container, which has other pids, and other directories, but this /dev/shm.
 */
static bool is_forgotten(int fd)
{
    char path[sizeof(((struct sfd_counters_head *)0)->directory) + SFD_COUNTERS_FILE_MAX + 32];
    struct sfd_counters_head head;
    struct stat st;

    if (SYS->pread(fd, &head, sizeof(head), 0) != (ssize_t)sizeof(head)) return false;
    if (memcmp(head.magic, SFD_COUNTERS_MAGIC, sizeof(head.magic)) != 0) return false; /* it is being made */
    if (head.directory[0] != '/' || SYS->flock(fd, LOCK_EX | LOCK_NB) < 0) return false;
    head.name[sizeof(head.name) - 1] = head.directory[sizeof(head.directory) - 1] = '\0';
    (void)snprintf(path, sizeof(path), "%s/sendfiled.%s.counters", head.directory, head.name);
    return SYS->fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) == -ENOENT;
}

/* Of a directory, to be closed; NULL if it cannot be read. */
static DIR *entries_of(int dir)
{
    const int fd = SYS->openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    DIR *entries = fd < 0 ? NULL : fdopendir(fd);

    if (entries == NULL && fd >= 0) SYS->close(fd);
    return entries;
}

static void sweep(int shm)
{
    DIR *entries = entries_of(shm);

    if (entries == NULL) return;
    for (const struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        const int file = SYS->openat(shm, entry->d_name, FIND, 0);
        if (file < 0) continue;
        if (is_forgotten(file)) (void)SYS->unlinkat(shm, entry->d_name, 0);
        SYS->close(file);
    }
    (void)closedir(entries);
}

static uint32_t writer_of(int fd)
{
    struct sfd_counters_head head;

    return SYS->pread(fd, &head, sizeof(head), 0) == (ssize_t)sizeof(head) ? head.pid : 0;
}

static int set_aside_name(char out[SFD_COUNTERS_FILE_MAX], const char *name, uint32_t pid)
{
    const int n = snprintf(out, SFD_COUNTERS_FILE_MAX, "sendfiled.%s.counters.%u", name, pid);

    return n < 0 || n >= SFD_COUNTERS_FILE_MAX ? -ENAMETOOLONG : 0;
}

/* A file in DIR, or the one that it names, whose name is in `other` then; else that is empty. */
static int open_named(const struct sfd_counters_file *file, int shm, const char *name,
                      char other[SFD_COUNTERS_FILE_MAX])
{
    const int fd = SYS->openat(file->dir, name, FIND, 0);

    other[0] = '\0';
    if (fd < 0 || !names_another(fd, other)) return fd;
    SYS->close(fd);
    return shm < 0 ? shm : SYS->openat(shm, other, FIND, 0);
}

/* The process before may still be there, and end its transfers: its file gets another name. */
static void put_aside(struct sfd_counters_file *file, int shm, const char *name)
{
    char other[SFD_COUNTERS_FILE_MAX];
    char aside[SFD_COUNTERS_FILE_MAX];
    const int fd = open_named(file, shm, file->file, other);

    if (fd >= 0 && has_living_writer(fd)) {
        if (set_aside_name(aside, name, writer_of(fd)) == 0 && SYS->renameat(file->dir, file->file, aside) == 0)
            memcpy(file->before, aside, sizeof(aside));
    } else if (other[0] != '\0' && shm >= 0) {
        (void)SYS->unlinkat(shm, other, 0);
    }
    if (fd >= 0) SYS->close(fd);
}

/* What processes have left that were killed after their files had been put aside. */
static void sweep_aside(const struct sfd_counters_file *file, int shm)
{
    const size_t length = strlen(file->file);
    char other[SFD_COUNTERS_FILE_MAX];
    DIR *entries = entries_of(file->dir);

    if (entries == NULL) return;
    for (const struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        const char *name = entry->d_name;
        if (strncmp(name, file->file, length) != 0 || name[length] != '.') continue;
        if (name[length + 1] == '\0' || name[length + 1 + strspn(name + length + 1, "0123456789")] != '\0') continue;
        const int fd = open_named(file, shm, name, other);
        if (fd >= 0 ? !has_living_writer(fd) : fd == -ENOENT) {
            (void)SYS->unlinkat(file->dir, name, 0);
            if (other[0] != '\0' && shm >= 0) (void)SYS->unlinkat(shm, other, 0);
        }
        if (fd >= 0) SYS->close(fd);
    }
    (void)closedir(entries);
}

/* Gives a file that is complete its name. */
static int publish(struct sfd_counters_file *file, int fd, const char *hidden)
{
    struct stat st;
    int result = SYS->fstat(fd, &st);

    if (result == 0) result = SYS->renameat(file->dir, hidden, file->file);
    if (result < 0) return result;
    file->dev = st.st_dev;
    file->ino = st.st_ino;
    file->named = true;
    return 0;
}

static int make_here(struct sfd_counters_file *file, const struct sfd_counters_head *head, const char *name,
                     const char *hidden)
{
    const int fd = new_file(file->dir, hidden);
    int result = fd < 0 ? fd : map_file(file, fd, head->size);

    if (result == 0) {
        *file->head = *head;
        sign(file->head, name);
        result = publish(file, fd, hidden);
    }
    if (fd >= 0) SYS->close(fd);
    if (fd >= 0 && result < 0) (void)SYS->unlinkat(file->dir, hidden, 0);
    return result;
}

static int make_elsewhere(struct sfd_counters_file *file, int shm, const struct sfd_counters_head *head,
                          const char *name, const char *hidden)
{
    char path[sizeof(SHM) + 16];
    char text[sizeof(path) + SFD_COUNTERS_FILE_MAX + 2];
    uint64_t random = 0;
    int result = shm < 0 ? shm : sfd_sys_random(&random, sizeof(random));

    if (result < 0) return result;
    sweep(shm);
    (void)shm_path(path);
    (void)snprintf(file->memory_file, sizeof(file->memory_file), "%016llx.counters", (unsigned long long)random);
    const int length = snprintf(text, sizeof(text), "%s/%s\n", path, file->memory_file);
    const int fd = new_file(shm, file->memory_file);
    if (fd < 0) return fd;
    file->elsewhere = true;
    file->memory = fd;
    result = SYS->flock(fd, LOCK_EX | LOCK_NB); /* before it is signed: what is not, nobody sweeps away */
    if (result == 0) result = map_file(file, fd, head->size);
    if (result < 0) return result;
    *file->head = *head;
    sign(file->head, name);
    const int pointer = new_file(file->dir, hidden);
    result = pointer;
    if (pointer >= 0) {
        file->pointer = pointer;
        result = SYS->pwrite(pointer, text, (size_t)length, 0) == length ? publish(file, pointer, hidden) : -ENOSPC;
        if (result < 0) (void)SYS->unlinkat(file->dir, hidden, 0);
    }
    return result;
}

static void remove_elsewhere(struct sfd_counters_file *file)
{
    if (file->pointer >= 0) SYS->close(file->pointer);
    if (file->memory >= 0) SYS->close(file->memory);
    file->pointer = file->memory = -1;
    const int shm = file->elsewhere ? open_shm() : -ENOENT;

    if (shm >= 0) {
        (void)SYS->unlinkat(shm, file->memory_file, 0);
        SYS->close(shm);
    }
    file->elsewhere = false;
}

static void unmap(struct sfd_counters_file *file)
{
    if (file->head != NULL) (void)MEMORY->munmap(file->head, file->size);
    file->head = NULL;
}

/* 0, or -errno and there is nothing of it. */
static int make_file(struct sfd_counters_file *file, const struct sfd_counters_head *head, const char *name)
{
    char hidden[SFD_COUNTERS_FILE_MAX];
    const bool here = is_in_memory(file->dir);
    const int shm = here ? -ENOENT : open_shm();
    int result =
        snprintf(hidden, sizeof(hidden), ".sendfiled.%s.counters", name) >= (int)sizeof(hidden) ? -ENAMETOOLONG : 0;
    (void)snprintf(file->file, sizeof(file->file), "%s", hidden + 1);
    if (result == 0) result = set_aside_name(file->aside, name, (uint32_t)getpid());
    if (result == 0) {
        sweep_aside(file, shm);
        put_aside(file, shm, name);
        result = here ? make_here(file, head, name, hidden) : make_elsewhere(file, shm, head, name, hidden);
    }
    if (shm >= 0) SYS->close(shm);
    if (result == 0) return 0;
    remove_elsewhere(file);
    unmap(file);
    return result;
}

int sfd_counters_file_make(struct sfd_counters_file *file, int dir, const char *directory, const char *name,
                           uint32_t loops, uint32_t queues, uint32_t rows)
{
    struct sfd_counters_head head = {.version = 0};
    void *memory = NULL;

    *file = (struct sfd_counters_file){.dir = -1, .pointer = -1, .memory = -1};
    lay_out(&head, loops, queues, rows);
    (void)snprintf(head.directory, sizeof(head.directory), "%s", directory == NULL ? "" : directory);
    if (dir >= 0) {
        file->dir = SYS->fcntl(dir, F_DUPFD_CLOEXEC, 0);
        file->error = file->dir < 0 ? file->dir : make_file(file, &head, name);
        if (file->error == 0) return 0;
    }
    const int result = MEMORY->mmap(NULL, head.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, &memory);
    if (result < 0) {
        sfd_counters_file_hide(file);
        return result;
    }
    file->head = memory;
    file->size = head.size;
    *file->head = head;
    sign(file->head, name);
    return 0;
}

static void remove_name(const struct sfd_counters_file *file, const char *name)
{
    struct stat st;

    if (SYS->fstatat(file->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == file->dev &&
        st.st_ino == file->ino)
        (void)SYS->unlinkat(file->dir, name, 0);
}

void sfd_counters_file_hide(struct sfd_counters_file *file)
{
    if (file->named) {
        remove_name(file, file->file);
        remove_name(file, file->aside);
        if (file->gives_back && file->before[0] != 0) (void)SYS->renameat(file->dir, file->before, file->file);
    }
    file->named = false;
    remove_elsewhere(file);
    if (file->dir >= 0) SYS->close(file->dir);
    file->dir = -1;
}

void sfd_counters_file_release(struct sfd_counters_file *file)
{
    if (file->head == NULL) return;
    atomic_store(&file->head->state, SFD_COUNTERS_ENDED);
    sfd_counters_file_hide(file);
    unmap(file);
}

/* ------------------------------------------------------------------ its parts */

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
