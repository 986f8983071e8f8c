/*
 * What the fuzz targets share: the entry point, a check that no build leaves out, and bytes that decide.
 *
 * A target NAME_fuzz.c is built twice: as NAME_fuzzer by clang with libFuzzer (a build of its own, CMakeLists.txt
 * here), and everywhere as NAME_replay, whose main runs the corpus in the repository through it (replay.c).
 */
#ifndef SFD_FUZZ_H
#define SFD_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One input. Always 0; what must not be ends the process. `data` is borrowed. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(condition)                                                                                          \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            (void)fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                              \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

#define FUZZ_FAIL(what)                                                                                                \
    do {                                                                                                               \
        (void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, what);                                                \
        abort();                                                                                                       \
    } while (0)

/* The rest of an input, taken from the front. Where it is used up all that is taken is 0. */
struct fuzz_bytes {
    const uint8_t *at;
    size_t left;
};

static inline uint8_t fuzz_u8(struct fuzz_bytes *bytes)
{
    if (bytes->left == 0) return 0;
    bytes->left--;
    return *bytes->at++;
}

static inline uint64_t fuzz_u64(struct fuzz_bytes *bytes)
{
    uint64_t value = 0;

    for (int i = 0; i < 8; i++)
        value = value << 8 | fuzz_u8(bytes);
    return value;
}

/* A number below `count`, which is 1 to 256. */
static inline unsigned fuzz_below(struct fuzz_bytes *bytes, unsigned count)
{
    return fuzz_u8(bytes) % count;
}

/* A copy of exactly this size, so that a sanitizer sees the first byte behind it. The caller frees it. */
static inline uint8_t *fuzz_exact_copy(const uint8_t *data, size_t size)
{
    uint8_t *copy = calloc(1, size == 0 ? 1 : size);

    FUZZ_CHECK(copy != NULL);
    if (size > 0) memcpy(copy, data, size);
    return copy;
}

#endif
