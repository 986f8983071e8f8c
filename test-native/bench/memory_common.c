#include "memory_common.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "bench_common.h"

enum { MAPPED_BYTES = 128 * 1024, PAGE_WORDS = FILL_PAGE / 8 };

void memory_stays_fresh(void)
{
    mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES); /* said by us it does not grow, mallopt(3) */
}

void *fresh_memory(size_t size)
{
    void *memory = malloc(size);
    if (memory == NULL) die("out of memory (%zu bytes)", size);
    return memory;
}

static uint8_t byte_of(uint64_t round)
{
    return (uint8_t)(round * 7 + 1);
}

static uint64_t stamp(uint64_t page, uint64_t round)
{
    return page * 0x9e3779b97f4a7c15U + round;
}

void fill_memory(void *memory, size_t size, uint64_t round)
{
    for (size_t page = 0; page < size / FILL_PAGE; page++) {
        char *at = (char *)memory + page * FILL_PAGE;
        const uint64_t mark = stamp(page, round);
        memset(at, byte_of(round), FILL_PAGE);
        memcpy(at, &mark, sizeof mark);
    }
}

uint64_t first_of_fill(uint64_t round)
{
    return stamp(0, round);
}

uint64_t sum_of_fill(size_t size, uint64_t round)
{
    const uint64_t pages = size / FILL_PAGE;
    uint64_t sum = pages * (PAGE_WORDS - 1) * (0x0101010101010101U * byte_of(round));
    for (uint64_t page = 0; page < pages; page++)
        sum += stamp(page, round);
    return sum;
}

uint64_t sum_memory(const void *memory, size_t size)
{
    enum { LANES = 8 }; /* one alone would wait for itself */
    uint64_t sums[LANES] = {0};
    const uint64_t *words = memory;
    const size_t count = size / sizeof *words;
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (size_t lane = 0; lane < LANES; lane++)
            sums[lane] += words[i + lane];
    for (; i < count; i++)
        sums[0] += words[i];
    uint64_t rest = 0;
    memcpy(&rest, words + count, size % sizeof rest);
    for (size_t lane = 0; lane < LANES; lane++)
        rest += sums[lane];
    return rest;
}
