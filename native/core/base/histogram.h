/*
 * A histogram of times, log-linear: what HdrHistogram keeps (https://hdrhistogram.github.io/HdrHistogram/).
 *
 * Role: each power of two of a time has 128 buckets, so a time is known to 1 % (two significant digits), whatever it
 * is; buckets are SFD_HISTOGRAM_UNIT_NS wide at least. The cells are those of `new Histogram(64, 2^42 - 1, 2)` of
 * org.HdrHistogram in their order, so a reader has nothing to convert.
 * Thread: one writer, any readers (relaxed: what they see may be a moment old, and a sum may lag behind its count).
 */
#ifndef SFD_BASE_HISTOGRAM_H
#define SFD_BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/counters.h"

#define SFD_HISTOGRAM_UNIT_SHIFT 6 /* 64 ns */
#define SFD_HISTOGRAM_UNIT_NS    (1u << SFD_HISTOGRAM_UNIT_SHIFT)
#define SFD_HISTOGRAM_HALF_SHIFT 7    /* half of the buckets of the first power of two: those of each further one */
#define SFD_HISTOGRAM_CELLS      3840 /* up to 2^42 ns, 73 minutes; what takes longer counts in the last one */

struct sfd_histogram {
    _Atomic(uint64_t) count;
    _Atomic(uint64_t) sum_ns;
    _Atomic(uint64_t) max_ns;
    uint64_t reserved[5];
    _Atomic(uint64_t) cell[SFD_HISTOGRAM_CELLS];
};

/* The cell of a time. */
static inline uint32_t sfd_histogram_cell(uint64_t ns)
{
    const uint64_t units = ns >> SFD_HISTOGRAM_UNIT_SHIFT;
    const uint64_t linear = (2u << SFD_HISTOGRAM_HALF_SHIFT) - 1;
    /* How often the width of a bucket doubles. */
    const uint32_t doubled = 63 - (uint32_t)__builtin_clzll(units | linear) - SFD_HISTOGRAM_HALF_SHIFT;
    const uint64_t cell = ((uint64_t)doubled << SFD_HISTOGRAM_HALF_SHIFT) + (units >> doubled);

    return cell < SFD_HISTOGRAM_CELLS ? (uint32_t)cell : SFD_HISTOGRAM_CELLS - 1;
}

static inline void sfd_histogram_record(struct sfd_histogram *histogram, uint64_t ns)
{
    sfd_counter_add(&histogram->cell[sfd_histogram_cell(ns)], 1);
    sfd_counter_add(&histogram->sum_ns, ns);
    sfd_counter_add(&histogram->count, 1);
    if (ns > atomic_load_explicit(&histogram->max_ns, memory_order_relaxed))
        atomic_store_explicit(&histogram->max_ns, ns, memory_order_relaxed);
}

#endif
