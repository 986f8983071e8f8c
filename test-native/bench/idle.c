/*
 * idle: what processes use while nothing is asked of them.
 *
 * Role: lets them come to rest, sleeps, and tells for each process how much processor time it took meanwhile and how
 * often its threads woke up.
 *   One line of JSON on stdout.
 * Threads: one. Never: wakes the processes that it watches.
 */
#include "bench_common.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_PROCESSES = 16, SETTLE_MS = 500 };

struct use {
    uint64_t cpu_ns, wakeups;
};

/* Each wait that a thread ends by waking up is a voluntary switch. Threads that ended are not counted. */
static uint64_t thread_wakeups(const char *status_path)
{
    static const char key[] = "voluntary_ctxt_switches:";
    char line[256];
    uint64_t wakeups = 0;
    FILE *file = fopen(status_path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, key, sizeof key - 1) == 0) wakeups = strtoull(line + sizeof key - 1, NULL, 10);
    if (file != NULL) fclose(file);
    return wakeups;
}

static uint64_t process_wakeups(pid_t pid)
{
    char path[300];
    uint64_t wakeups = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *threads = opendir(path);
    if (threads == NULL) die_errno("%s", path);
    for (struct dirent *thread; (thread = readdir(threads)) != NULL;) {
        if (thread->d_name[0] != '.') {
            snprintf(path, sizeof path, "/proc/%d/task/%.16s/status", (int)pid, thread->d_name);
            wakeups += thread_wakeups(path);
        }
    }
    closedir(threads);
    return wakeups;
}

static struct use use_of(pid_t pid)
{
    return (struct use){.cpu_ns = process_cpu_ns(pid), .wakeups = process_wakeups(pid)};
}

int main(int argc, char **argv)
{
    struct use before[MAX_PROCESSES];
    pid_t pids[MAX_PROCESSES];
    const int count = argc - 3;
    const double seconds = argc > 3 ? atof(argv[2]) : 0;
    if (count < 1 || count > MAX_PROCESSES || strcmp(argv[1], "--seconds") != 0 || seconds <= 0 || seconds > 60)
        die("usage: idle --seconds S PID...");
    static const struct timespec settle = {.tv_nsec = SETTLE_MS * 1000000L};
    nanosleep(&settle, NULL);
    for (int i = 0; i < count; i++) {
        pids[i] = (pid_t)parse_number("pid", argv[3 + i], 1, INT32_MAX);
        before[i] = use_of(pids[i]);
    }
    const uint64_t start_ns = now_ns();
    struct timespec left = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&left, NULL);
    const double elapsed = (double)(now_ns() - start_ns) / 1e9;
    printf("{\"seconds\":%.3f,\"processes\":[", elapsed);
    for (int i = 0; i < count; i++) {
        struct use after = use_of(pids[i]);
        if (after.wakeups < before[i].wakeups)
            after.wakeups = before[i].wakeups; /* a thread has ended, and took its count along */
        printf("%s{\"cpu_us_per_s\":%.3f,\"wakeups_per_s\":%.1f}", i > 0 ? "," : "",
               (double)(after.cpu_ns - before[i].cpu_ns) / 1e3 / elapsed,
               (double)(after.wakeups - before[i].wakeups) / elapsed);
    }
    puts("]}");
    return 0;
}
