/*
 * Counts the memory that libsendfiled-jni.so has from malloc, in a process where much else allocates: preloaded into a
 * daemon, so that a test can demand that all of it comes back.
 *
 * Role: writes the numbers below into the file that SENDFILED_TEST_ALLOCATIONS names, which a test reads at any time;
 * does nothing without it. An allocation is the library's own if it returns into it: what libc allocates on its behalf
 * is not seen, but for strdup. Its blocks end with a mark, since a free that is a function's last call does not return
 * into the library. Thread: any.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* glibc's own names, so that nothing has to be looked up before the first call. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void __libc_free(void *block);

#define EXPORT __attribute__((visibility("default")))

/* What the test reads: native-endian. */
struct counts {
    atomic_llong bytes;
    atomic_llong blocks;
    atomic_llong calls; /* that have allocated, ever */
};

static struct counts *counts;

/* Callers that have been looked up: few places allocate. 0: free, else the return address and whether it is ours. */
#define KNOWN 4096
static atomic_uintptr_t known[KNOWN];

__attribute__((constructor)) static void map_counts(void)
{
    const char *name = getenv("SENDFILED_TEST_ALLOCATIONS");
    const int fd = name == NULL ? -1 : open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0) return;
    if (ftruncate(fd, sizeof(*counts)) == 0) {
        void *at = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (at != MAP_FAILED) counts = at;
    }
    (void)close(fd);
}

static bool look_up(uintptr_t address)
{
    Dl_info info;
    const char *name = dladdr((const void *)address, &info) != 0 && info.dli_fname != NULL ? info.dli_fname : "";
    const char *slash = strrchr(name, '/');

    return strcmp(slash == NULL ? name : slash + 1, "libsendfiled-jni.so") == 0;
}

static bool is_ours(const void *caller)
{
    const uintptr_t address = (uintptr_t)caller;
    atomic_uintptr_t *at = &known[(address ^ address >> 12) % KNOWN];
    const uintptr_t value = atomic_load_explicit(at, memory_order_relaxed);

    if (counts == NULL) return false;
    if (value >> 1 == address) return (value & 1) != 0;
    const bool ours = look_up(address);
    atomic_store_explicit(at, address << 1 | (ours ? 1 : 0), memory_order_relaxed);
    return ours;
}

/* Behind what the caller may use; no other block has it there. */
#define MARK_SIZE (2 * sizeof(uintptr_t))

static uintptr_t *mark_of(void *block)
{
    return (uintptr_t *)(void *)((char *)block + malloc_usable_size(block) - sizeof(uintptr_t));
}

static uintptr_t mark_for(const void *block)
{
    return (uintptr_t)block ^ (uintptr_t)0x5fd5fd5fd5fd5fd5U;
}

static bool is_counted(void *block)
{
    uintptr_t mark;

    if (counts == NULL || block == NULL) return false;
    memcpy(&mark, mark_of(block), sizeof mark);
    return mark == mark_for(block);
}

static void *count(void *block)
{
    const uintptr_t mark = mark_for(block);

    if (block == NULL) return NULL;
    memcpy(mark_of(block), &mark, sizeof mark);
    atomic_fetch_add(&counts->bytes, (long long)malloc_usable_size(block));
    atomic_fetch_add(&counts->blocks, 1);
    atomic_fetch_add(&counts->calls, 1);
    return block;
}

static void discount(void *block)
{
    memset(mark_of(block), 0, sizeof(uintptr_t));
    atomic_fetch_sub(&counts->bytes, (long long)malloc_usable_size(block));
    atomic_fetch_sub(&counts->blocks, 1);
}

EXPORT void *malloc(size_t size)
{
    if (!is_ours(__builtin_return_address(0))) return __libc_malloc(size);
    return count(__libc_malloc(size + MARK_SIZE));
}

EXPORT void *calloc(size_t n, size_t size)
{
    if (!is_ours(__builtin_return_address(0))) return __libc_calloc(n, size);
    return count(__libc_calloc(1, n * size + MARK_SIZE)); /* the library asks for nothing that overflows */
}

EXPORT void *realloc(void *block, size_t size)
{
    const bool counted = is_counted(block);

    if (!counted && !is_ours(__builtin_return_address(0))) return __libc_realloc(block, size);
    if (counted) discount(block);
    void *grown = __libc_realloc(block, size + MARK_SIZE);
    if (grown == NULL && counted) (void)count(block); /* it is as it was */
    return count(grown);
}

EXPORT void free(void *block)
{
    if (is_counted(block)) discount(block);
    __libc_free(block);
}

EXPORT char *strdup(const char *text)
{
    const bool ours = is_ours(__builtin_return_address(0));
    const size_t size = strlen(text) + 1;
    char *copy = __libc_malloc(size + (ours ? MARK_SIZE : 0));

    if (copy == NULL) return NULL;
    memcpy(copy, text, size);
    return ours ? count(copy) : copy;
}
