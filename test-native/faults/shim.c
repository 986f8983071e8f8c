/*
 * The fault shim: makes system calls and allocations of one library fail, when and how a test says (faults.h).
 *
 * Role: preloaded (LD_PRELOAD) into the real daemon, it stands between libsendfiled-jni.so and the C library. Only
 * calls whose return address lies in that library are touched; a JVM around it sees nothing. With the JVM itself as the
 * library, no thread of Java can be started.
 * Thread: any, also signal handlers: nothing here waits or allocates. Owns a mapping of the test's file. Never: invents
 * a state that the kernel could not leave behind: a call that fails does nothing, but for close(2) and munmap(2), which
 * do their work and fail all the same, as Linux does it.
 */
#include "faults.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef __NR_cachestat
#define __NR_cachestat 451
#endif
#ifndef F_OFD_GETLK
#define F_OFD_GETLK 36
#define F_OFD_SETLK 37
#endif

#define PUBLIC __attribute__((visibility("default")))

/* The name of each call, as a test gives it, and as it stands in the C library's table of symbols. */
#define CALLS(X)                                                                                                       \
    X(openat2)                                                                                                         \
    X(cachestat)                                                                                                       \
    X(statx)                                                                                                           \
    X(fstatfs)                                                                                                         \
    X(close)                                                                                                           \
    X(posix_fadvise)                                                                                                   \
    X(fcntl)                                                                                                           \
    X(ofd_setlk)                                                                                                       \
    X(ofd_getlk)                                                                                                       \
    X(lseek)                                                                                                           \
    X(fallocate)                                                                                                       \
    X(mmap)                                                                                                            \
    X(munmap)                                                                                                          \
    X(preadv2)                                                                                                         \
    X(pwritev2)                                                                                                        \
    X(sendfile)                                                                                                        \
    X(splice)                                                                                                          \
    X(copy_file_range)                                                                                                 \
    X(getsockopt)                                                                                                      \
    X(ioctl)                                                                                                           \
    X(recvmmsg)                                                                                                        \
    X(recvmsg)                                                                                                         \
    X(madvise)                                                                                                         \
    X(sysinfo)                                                                                                         \
    X(send)                                                                                                            \
    X(sendmsg)                                                                                                         \
    X(epoll_ctl)                                                                                                       \
    X(epoll_wait)                                                                                                      \
    X(openat)                                                                                                          \
    X(getrandom)                                                                                                       \
    X(read)                                                                                                            \
    X(write)                                                                                                           \
    X(poll)                                                                                                            \
    X(pipe2)                                                                                                           \
    X(eventfd)                                                                                                         \
    X(epoll_create1)                                                                                                   \
    X(memfd_create)                                                                                                    \
    X(socket)                                                                                                          \
    X(connect)                                                                                                         \
    X(shutdown)                                                                                                        \
    X(bind)                                                                                                            \
    X(setsockopt)                                                                                                      \
    X(mkdir)                                                                                                           \
    X(flock)                                                                                                           \
    X(fstat)                                                                                                           \
    X(fstatat)                                                                                                         \
    X(unlinkat)                                                                                                        \
    X(fchmod)                                                                                                          \
    X(fchmodat)                                                                                                        \
    X(ftruncate)                                                                                                       \
    X(pread)                                                                                                           \
    X(pwrite)                                                                                                          \
    X(readlink)                                                                                                        \
    X(getrlimit)                                                                                                       \
    X(sigaction)                                                                                                       \
    X(spawn_actions)                                                                                                   \
    X(posix_spawnp)                                                                                                    \
    X(pthread_create)                                                                                                  \
    X(alloc)

enum call {
#define ENUM(name) CALL_##name,
    CALLS(ENUM)
#undef ENUM
        CALLS_COUNT
};

static const char names[CALLS_COUNT][FAULTS_NAME] = {
#define NAME(name) #name,
    CALLS(NAME)
#undef NAME
};

_Static_assert(CALLS_COUNT <= FAULTS_CALLS, "room in the shared page");

/* Of the C library and exported by it for programs that stand before malloc(3): dlsym(3) would call malloc itself. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static struct faults *page;
static char target[128];

/* Where the target's code lies, for the generation in which it was found; `end` is written last. */
static _Atomic uintptr_t code_begin;
static _Atomic uintptr_t code_end;
static _Atomic uintptr_t code_base;
static _Atomic uint32_t looked; /* in this generation, and there was none */

/* ------------------------------------------------------------------ whose call it is */

static int look_at(struct dl_phdr_info *info, size_t size, void *unused)
{
    const size_t length = strlen(info->dlpi_name);
    const size_t wanted = strlen(target);

    (void)size;
    (void)unused;
    if (length < wanted || strcmp(info->dlpi_name + length - wanted, target) != 0) return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type != PT_LOAD || (header->p_flags & PF_X) == 0) continue;
        atomic_store(&code_base, info->dlpi_addr);
        atomic_store(&code_begin, info->dlpi_addr + header->p_vaddr);
        atomic_store(&code_end, info->dlpi_addr + header->p_vaddr + header->p_memsz);
        return 1;
    }
    return 0;
}

static bool is_ours(const void *caller, uint32_t generation)
{
    if (atomic_load(&code_end) == 0 && atomic_exchange(&looked, generation) != generation)
        (void)dl_iterate_phdr(look_at, NULL);
    const uintptr_t at = (uintptr_t)caller;
    return at >= atomic_load(&code_begin) && at < atomic_load(&code_end);
}

/* ------------------------------------------------------------------ whether it fails */

static bool is_due(uint64_t number)
{
    if (number < page->first) return false;
    if (number == page->first) return true;
    return page->every > 0 && (number - page->first) % page->every == 0;
}

/* The fault for this call: an errno, FAULTS_SHORT, or 0 for none. */
static int fault(enum call call, const void *caller)
{
    if (page == NULL) return 0;
    const uint32_t generation = atomic_load_explicit(&page->generation, memory_order_acquire);
    if (generation == 0 || !is_ours(caller, generation)) return 0;
    atomic_fetch_add(&page->count[call], 1);
    if (page->call != (uint32_t)call) return 0;
    if (!is_due(atomic_fetch_add(&page->seen, 1) + 1)) return 0;
    const uint64_t failed = atomic_fetch_add(&page->failed, 1);
    if (page->limit > 0 && failed >= page->limit) {
        atomic_fetch_sub(&page->failed, 1);
        return 0;
    }
    atomic_store(&page->place, (uintptr_t)caller - atomic_load(&code_base));
    return page->error;
}

/* ------------------------------------------------------------------ life */

/*
 * As an initializer of the process, before its threads. What fails here leaves the shim without effect: the test sees
 * that.
 */
__attribute__((constructor)) static void attach(void)
{
    const char *file = getenv(FAULTS_FILE);
    const char *wanted = getenv(FAULTS_TARGET);

    if (file == NULL || wanted == NULL || strlen(wanted) >= sizeof(target)) return;
    const int fd = (int)syscall(SYS_openat, AT_FDCWD, file, O_RDWR | O_CLOEXEC, 0);
    if (fd < 0) return;
    void *at = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    if (at == MAP_FAILED) return;
    memcpy(target, wanted, strlen(wanted) + 1);
    page = at;
    if (atomic_load(&page->version) != 0) return; /* the shell before the daemon has done it */
    memcpy(page->name, names, sizeof(names));
    page->calls = CALLS_COUNT;
    atomic_store(&page->version, FAULTS_VERSION);
}

/* The C library's own function of a name; the one for 64-bit offsets where there are two. */
static void *next(const char *name, const char *name64)
{
    void *const found = name64 == NULL ? NULL : dlsym(RTLD_NEXT, name64);

    return found != NULL ? found : dlsym(RTLD_NEXT, name);
}

/*
 * Defines the function before the C library's: REAL(...) is that one. The first call finds it; two threads that do so
 * at once find the same.
 */
#define REAL_OF(result, name, name64, parameters)                                                                      \
    static result(*real_##name) parameters;                                                                            \
    __attribute__((constructor)) static void find_##name(void)                                                         \
    {                                                                                                                  \
        if (real_##name == NULL) *(void **)(void *)&real_##name = next(#name, name64);                                 \
    }

#define SHIM64(result, name, name64, parameters, arguments, failure)                                                   \
    REAL_OF(result, name, name64, parameters)                                                                          \
    PUBLIC result name parameters                                                                                      \
    {                                                                                                                  \
        const int error = fault(CALL_##name, __builtin_return_address(0));                                             \
        if (error > 0) {                                                                                               \
            errno = error;                                                                                             \
            return failure;                                                                                            \
        }                                                                                                              \
        find_##name();                                                                                                 \
        return real_##name arguments;                                                                                  \
    }

#define SHIM(result, name, parameters, arguments) SHIM64(result, name, NULL, parameters, arguments, -1)

/* ------------------------------------------------------------------ calls that fail and do nothing */

SHIM64(int, fstatfs, "fstatfs64", (int fd, struct statfs *out), (fd, out), -1)
SHIM64(int, fallocate, "fallocate64", (int fd, int mode, off_t offset, off_t length), (fd, mode, offset, length), -1)
SHIM64(off_t, lseek, "lseek64", (int fd, off_t offset, int whence), (fd, offset, whence), -1)
SHIM64(void *, mmap, "mmap64", (void *address, size_t length, int protection, int flags, int fd, off_t offset),
       (address, length, protection, flags, fd, offset), MAP_FAILED)
SHIM(int, getsockopt, (int fd, int level, int name, void *value, socklen_t *size), (fd, level, name, value, size))
SHIM(int, recvmmsg, (int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout),
     (fd, messages, count, flags, timeout))
SHIM(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags))
SHIM(int, madvise, (void *at, size_t size, int advice), (at, size, advice))
SHIM(int, sysinfo, (struct sysinfo * out), (out))
SHIM(int, epoll_ctl, (int epoll, int operation, int fd, struct epoll_event *event), (epoll, operation, fd, event))
SHIM(int, epoll_wait, (int epoll, struct epoll_event *events, int count, int timeout), (epoll, events, count, timeout))
SHIM(ssize_t, getrandom, (void *out, size_t length, unsigned flags), (out, length, flags))
SHIM(ssize_t, read, (int fd, void *out, size_t length), (fd, out, length))
SHIM(ssize_t, write, (int fd, const void *bytes, size_t length), (fd, bytes, length))
SHIM(int, poll, (struct pollfd * fds, nfds_t count, int timeout), (fds, count, timeout))
SHIM(int, pipe2, (int fds[2], int flags), (fds, flags))
SHIM(int, eventfd, (unsigned value, int flags), (value, flags))
SHIM(int, epoll_create1, (int flags), (flags))
SHIM(int, memfd_create, (const char *name, unsigned flags), (name, flags))
SHIM(int, socket, (int domain, int type, int protocol), (domain, type, protocol))
SHIM(int, connect, (int fd, __CONST_SOCKADDR_ARG address, socklen_t size), (fd, address, size))
SHIM(int, shutdown, (int fd, int how), (fd, how))
SHIM(int, bind, (int fd, __CONST_SOCKADDR_ARG address, socklen_t size), (fd, address, size))
SHIM(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t size), (fd, level, name, value, size))
SHIM(int, mkdir, (const char *path, mode_t mode), (path, mode))
SHIM(int, flock, (int fd, int operation), (fd, operation))
SHIM64(int, fstat, "fstat64", (int fd, struct stat *out), (fd, out), -1)
SHIM64(int, fstatat, "fstatat64", (int fd, const char *path, struct stat *out, int flags), (fd, path, out, flags), -1)
SHIM(int, unlinkat, (int fd, const char *path, int flags), (fd, path, flags))
SHIM(int, fchmod, (int fd, mode_t mode), (fd, mode))
SHIM(int, fchmodat, (int fd, const char *path, mode_t mode, int flags), (fd, path, mode, flags))
SHIM64(int, ftruncate, "ftruncate64", (int fd, off_t length), (fd, length), -1)
SHIM64(ssize_t, pread, "pread64", (int fd, void *out, size_t length, off_t offset), (fd, out, length, offset), -1)
SHIM64(ssize_t, pwrite, "pwrite64", (int fd, const void *bytes, size_t length, off_t offset),
       (fd, bytes, length, offset), -1)
SHIM(ssize_t, readlink, (const char *path, char *out, size_t length), (path, out, length))
SHIM(int, sigaction, (int number, const struct sigaction *action, struct sigaction *previous),
     (number, action, previous))

REAL_OF(int, posix_fadvise, "posix_fadvise64", (int fd, off_t offset, off_t length, int advice))
PUBLIC int posix_fadvise(int fd, off_t offset, off_t length, int advice)
{
    const int error = fault(CALL_posix_fadvise, __builtin_return_address(0));

    if (error > 0) return error; /* its result, and errno stays */
    find_posix_fadvise();
    return real_posix_fadvise(fd, offset, length, advice);
}

/* These as well; the descriptions of what a child does with its descriptors are memory. */
#define SHIM_RESULT(name, call, parameters, arguments)                                                                 \
    REAL_OF(int, name, NULL, parameters)                                                                               \
    PUBLIC int name parameters                                                                                         \
    {                                                                                                                  \
        const int error = fault(CALL_##call, __builtin_return_address(0));                                             \
        if (error > 0) return error;                                                                                   \
        find_##name();                                                                                                 \
        return real_##name arguments;                                                                                  \
    }

SHIM_RESULT(posix_spawn_file_actions_adddup2, spawn_actions, (posix_spawn_file_actions_t * actions, int from, int to),
            (actions, from, to))
SHIM_RESULT(posix_spawn_file_actions_addopen, spawn_actions,
            (posix_spawn_file_actions_t * actions, int fd, const char *path, int flags, mode_t mode),
            (actions, fd, path, flags, mode))
SHIM_RESULT(posix_spawnp, posix_spawnp,
            (pid_t * pid, const char *file, const posix_spawn_file_actions_t *actions,
             const posix_spawnattr_t *attributes, char *const argv[], char *const envp[]),
            (pid, file, actions, attributes, argv, envp))
SHIM_RESULT(pthread_create, pthread_create,
            (pthread_t * thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument),
            (thread, attributes, body, argument))

/* ------------------------------------------------------------------ calls with a variable number of arguments */

REAL_OF(int, fcntl, "fcntl64", (int fd, int command, ...))
PUBLIC int fcntl(int fd, int command, ...)
{
    const enum call call = command == F_OFD_SETLK   ? CALL_ofd_setlk
                           : command == F_OFD_GETLK ? CALL_ofd_getlk
                                                    : CALL_fcntl;
    const int error = fault(call, __builtin_return_address(0));
    va_list list;

    va_start(list, command);
    void *const argument = va_arg(list, void *); /* a number comes in the same register */
    va_end(list);
    if (error > 0) {
        errno = error;
        return -1;
    }
    find_fcntl();
    return real_fcntl(fd, command, argument);
}

REAL_OF(int, ioctl, NULL, (int fd, unsigned long request, ...))
PUBLIC int ioctl(int fd, unsigned long request, ...)
{
    const int error = fault(CALL_ioctl, __builtin_return_address(0));
    va_list list;

    va_start(list, request);
    void *const argument = va_arg(list, void *);
    va_end(list);
    if (error > 0) {
        errno = error;
        return -1;
    }
    find_ioctl();
    return real_ioctl(fd, request, argument);
}

REAL_OF(int, openat, "openat64", (int fd, const char *path, int flags, ...))
PUBLIC int openat(int fd, const char *path, int flags, ...)
{
    const int error = fault(CALL_openat, __builtin_return_address(0));
    va_list list;

    va_start(list, flags);
    const mode_t mode = va_arg(list, mode_t); /* ignored unless a file is created */
    va_end(list);
    if (error > 0) {
        errno = error;
        return -1;
    }
    find_openat();
    return real_openat(fd, path, flags, mode);
}

REAL_OF(long, syscall, NULL, (long number, ...))
PUBLIC long syscall(long number, ...)
{
    long a[6];
    va_list list;
    const int error = number == SYS_openat2      ? fault(CALL_openat2, __builtin_return_address(0))
                      : number == __NR_cachestat ? fault(CALL_cachestat, __builtin_return_address(0))
                      : number == SYS_statx      ? fault(CALL_statx, __builtin_return_address(0))
                      : number == SYS_fstat      ? fault(CALL_fstat, __builtin_return_address(0))
                      : number == SYS_newfstatat ? fault(CALL_fstatat, __builtin_return_address(0))
                                                 : 0;

    va_start(list, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(list, long); /* those that are not there are garbage, and the kernel looks at none of them */
    va_end(list);
    if (error > 0) {
        errno = error;
        return -1;
    }
    find_syscall();
    return real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* ------------------------------------------------------------------ calls that fail and do their work */

REAL_OF(int, close, NULL, (int fd))
PUBLIC int close(int fd)
{
    const int error = fault(CALL_close, __builtin_return_address(0));

    find_close();
    const int result = real_close(fd); /* close(2): the number is free whatever it says */
    if (error <= 0 || result < 0) return result;
    errno = error;
    return -1;
}

REAL_OF(int, munmap, NULL, (void *address, size_t length))
PUBLIC int munmap(void *address, size_t length)
{
    const int error = fault(CALL_munmap, __builtin_return_address(0));

    find_munmap();
    const int result = real_munmap(address, length);
    if (error <= 0 || result < 0) return result;
    errno = error;
    return -1;
}

/* ------------------------------------------------------------------ calls that can move less */

/* What is left of a count; a pipe takes what is not more than PIPE_BUF whole or not at all, pipe(7). */
static size_t less(size_t count)
{
    return count > 4096 ? count / 3 : count;
}

#define SHIM_COUNT(name, name64, parameters, shortened, arguments)                                                     \
    REAL_OF(ssize_t, name, name64, parameters)                                                                         \
    PUBLIC ssize_t name parameters                                                                                     \
    {                                                                                                                  \
        const int error = fault(CALL_##name, __builtin_return_address(0));                                             \
        if (error > 0) {                                                                                               \
            errno = error;                                                                                             \
            return -1;                                                                                                 \
        }                                                                                                              \
        if (error == FAULTS_SHORT) shortened;                                                                          \
        find_##name();                                                                                                 \
        return real_##name arguments;                                                                                  \
    }

SHIM_COUNT(sendfile, "sendfile64", (int out, int in, off_t *offset, size_t count), count = less(count),
           (out, in, offset, count))
SHIM_COUNT(splice, NULL, (int in, loff_t *in_offset, int out, loff_t *out_offset, size_t count, unsigned flags),
           count = less(count), (in, in_offset, out, out_offset, count, flags))
SHIM_COUNT(copy_file_range, NULL,
           (int in, loff_t *in_offset, int out, loff_t *out_offset, size_t count, unsigned flags), count = less(count),
           (in, in_offset, out, out_offset, count, flags))

/* Of several pieces the first; of one, a part. */
#define SHORTEN(iov, count)                                                                                            \
    struct iovec piece = (iov)[0];                                                                                     \
    if ((count) > 1)                                                                                                   \
        (count) = 1;                                                                                                   \
    else                                                                                                               \
        piece.iov_len = less(piece.iov_len);                                                                           \
    (iov) = &piece

#define SHIM_VECTOR(name, name64, call, parameters, arguments)                                                         \
    REAL_OF(ssize_t, name, name64, parameters)                                                                         \
    PUBLIC ssize_t name parameters                                                                                     \
    {                                                                                                                  \
        const int error = fault(CALL_##call, __builtin_return_address(0));                                             \
        find_##name();                                                                                                 \
        if (error > 0) {                                                                                               \
            errno = error;                                                                                             \
            return -1;                                                                                                 \
        }                                                                                                              \
        if (error == FAULTS_SHORT && count > 0) {                                                                      \
            SHORTEN(iov, count);                                                                                       \
            return real_##name arguments;                                                                              \
        }                                                                                                              \
        return real_##name arguments;                                                                                  \
    }

/* The older calls do what the newer ones do without flags. */
SHIM_VECTOR(preadv2, "preadv64v2", preadv2, (int fd, const struct iovec *iov, int count, off_t offset, int flags),
            (fd, iov, count, offset, flags))
SHIM_VECTOR(pwritev2, "pwritev64v2", pwritev2, (int fd, const struct iovec *iov, int count, off_t offset, int flags),
            (fd, iov, count, offset, flags))
SHIM_VECTOR(preadv, "preadv64", preadv2, (int fd, const struct iovec *iov, int count, off_t offset),
            (fd, iov, count, offset))
SHIM_VECTOR(pwritev, "pwritev64", pwritev2, (int fd, const struct iovec *iov, int count, off_t offset),
            (fd, iov, count, offset))
SHIM_VECTOR(writev, NULL, pwritev2, (int fd, const struct iovec *iov, int count), (fd, iov, count))

SHIM_COUNT(send, NULL, (int fd, const void *bytes, size_t length, int flags), length = less(length),
           (fd, bytes, length, flags))

REAL_OF(ssize_t, sendmsg, NULL, (int fd, const struct msghdr *message, int flags))
PUBLIC ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    const int error = fault(CALL_sendmsg, __builtin_return_address(0));

    find_sendmsg();
    if (error > 0) {
        errno = error;
        return -1;
    }
    if (error == FAULTS_SHORT && message->msg_iovlen > 0 && message->msg_controllen == 0) {
        struct msghdr part = *message;
        const struct iovec *iov = part.msg_iov;
        size_t count = part.msg_iovlen;
        SHORTEN(iov, count);
        part.msg_iov = &piece;
        part.msg_iovlen = count;
        return real_sendmsg(fd, &part, flags);
    }
    return real_sendmsg(fd, message, flags);
}

/* Its first parameter is an enumeration where _GNU_SOURCE is defined. */
REAL_OF(int, getrlimit, "getrlimit64", (__rlimit_resource_t resource, struct rlimit *out))
PUBLIC int getrlimit(__rlimit_resource_t resource, struct rlimit *out)
{
    const int error = fault(CALL_getrlimit, __builtin_return_address(0));

    if (error > 0) {
        errno = error;
        return -1;
    }
    find_getrlimit();
    return real_getrlimit(resource, out);
}

/* ------------------------------------------------------------------ memory */

PUBLIC void *malloc(size_t size)
{
    if (fault(CALL_alloc, __builtin_return_address(0)) == 0) return __libc_malloc(size);
    errno = ENOMEM;
    return NULL;
}

PUBLIC void *calloc(size_t count, size_t size)
{
    if (fault(CALL_alloc, __builtin_return_address(0)) == 0) return __libc_calloc(count, size);
    errno = ENOMEM;
    return NULL;
}

PUBLIC void *realloc(void *old, size_t size)
{
    if (fault(CALL_alloc, __builtin_return_address(0)) == 0) return __libc_realloc(old, size);
    errno = ENOMEM;
    return NULL;
}

PUBLIC char *strdup(const char *text)
{
    const size_t size = strlen(text) + 1;
    char *copy = fault(CALL_alloc, __builtin_return_address(0)) == 0 ? __libc_malloc(size) : NULL;

    if (copy == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    return memcpy(copy, text, size);
}
