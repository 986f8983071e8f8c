/*
 * idle: what processes use while nothing is asked of them.
 *
 * Role: lets them come to rest, sleeps, and tells for each process how much processor time it took meanwhile and how
 * often its threads woke up.
 *   One line of JSON on stdout.
 * Threads: one. Never: wakes the processes that it watches.
 */
#include "bench_common.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_PROCESSES = 16, SETTLE_MS = 500 };

int main(int argc, char **argv)
{
    struct process_use before[MAX_PROCESSES];
    pid_t pids[MAX_PROCESSES];
    const int count = argc - 3;
    const double seconds = argc > 3 ? atof(argv[2]) : 0;
    if (count < 1 || count > MAX_PROCESSES || strcmp(argv[1], "--seconds") != 0 || seconds <= 0 || seconds > 60)
        die("usage: idle --seconds S PID...");
    static const struct timespec settle = {.tv_nsec = SETTLE_MS * 1000000L};
    nanosleep(&settle, NULL);
    for (int i = 0; i < count; i++) {
        pids[i] = (pid_t)parse_number("pid", argv[3 + i], 1, INT32_MAX);
        before[i] = process_use(pids[i]);
        if (before[i].cpu_ns == 0) die("there is no process %d", (int)pids[i]);
    }
    const uint64_t start_ns = now_ns();
    struct timespec left = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&left, NULL);
    const double elapsed = (double)(now_ns() - start_ns) / 1e9;
    printf("{\"seconds\":%.3f,\"processes\":[", elapsed);
    for (int i = 0; i < count; i++) {
        const struct process_use used = process_use_since(pids[i], &before[i]);
        printf("%s{\"cpu_us_per_s\":%.3f,\"wakeups_per_s\":%.1f}", i > 0 ? "," : "",
               (double)used.cpu_ns / 1e3 / elapsed, (double)used.wakeups / elapsed);
    }
    puts("]}");
    return 0;
}
