/*
 * The parts of storm: what it sends (storm.c), and the polite client beside it (storm_probe.c).
 */
#ifndef SFD_TEST_STORM_H
#define SFD_TEST_STORM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define PROBE_LATE_NS ((uint64_t)250 * 1000 * 1000) /* SECURITY: R1 */

/* What the polite client has seen; in memory that both processes have. */
struct probe_report {
    atomic_bool stop;
    uint64_t probes;
    uint64_t failures; /* no answer in time, another one than asked for, or other bytes */
    uint64_t late;
    uint64_t late_in_a_row; /* the longest run */
    uint64_t p50_ns, p99_ns, max_ns;
    char first_failure[160];
};

/*
 * Asks for a file again and again until `stop`, and compares every byte with `file`. Runs in a process of its own, so
 * that for the daemon it is another client. Returns the process's exit status.
 */
int probe_run(struct probe_report *report, const char *socket, const char *path, const char *file);

#endif
