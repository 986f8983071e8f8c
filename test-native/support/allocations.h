// Allocations of the core that fail when a test says so. For programs named *_memory_test alone: CMake links those with
// --wrap, so that every call of malloc and its kin in the core, and none of the C++ library's, comes here. One include
// each.
#ifndef SFD_TEST_ALLOCATIONS_H
#define SFD_TEST_ALLOCATIONS_H

#include <cstddef>

struct Allocations {
    int before; // so many succeed, then
    int fail;   // so many fail; while there are any left
    int failed; // since the last arm()
};
inline Allocations allocations;

inline void arm(int before, int fail)
{
    allocations = {before, fail, 0};
}

inline bool allocationFails()
{
    if (allocations.fail == 0) {
        return false;
    }
    if (allocations.before > 0) {
        allocations.before--;
        return false;
    }
    allocations.fail--;
    allocations.failed++;
    return true;
}

extern "C" {
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
char *__real_strdup(const char *text);

void *__wrap_malloc(size_t size)
{
    return allocationFails() ? nullptr : __real_malloc(size);
}
void *__wrap_calloc(size_t count, size_t size)
{
    return allocationFails() ? nullptr : __real_calloc(count, size);
}
void *__wrap_realloc(void *memory, size_t size)
{
    return allocationFails() ? nullptr : __real_realloc(memory, size);
}
char *__wrap_strdup(const char *text)
{
    return allocationFails() ? nullptr : __real_strdup(text);
}
}

#endif
