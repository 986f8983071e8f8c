/*
 * What the programs share that measure memory: how it is had, filled and read, the same for every side of a comparison.
 */
#ifndef SFD_BENCH_MEMORY_H
#define SFD_BENCH_MEMORY_H

#include <stddef.h>
#include <stdint.h>

enum { FILL_PAGE = 4096 };

/* From now on malloc(3) gives back what is freed at once: large memory is fresh from the kernel, every time. */
void memory_stays_fresh(void);
/* malloc(3), or the end. */
void *fresh_memory(size_t size);

/* Writes every byte, another one each round, and a stamp to each page. Whole pages. */
void fill_memory(void *memory, size_t size, uint64_t round);
/* The stamp of a filled memory's first page, and the sum_memory() of all of it. */
uint64_t first_of_fill(uint64_t round);
uint64_t sum_of_fill(size_t size, uint64_t round);

/* Reads every byte. */
uint64_t sum_memory(const void *memory, size_t size);

#endif
