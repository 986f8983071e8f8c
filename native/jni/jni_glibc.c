/*
 * Keeps the library's need of glibc at 2.28: what glibc 2.32 to 2.34 moved or added has here the version that older
 * ones have as well. The library is linked with --wrap for each of these functions (pom.xml); JarIT says what it needs.
 *
 * Thread: any. Owns nothing.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Of another C library, and of sanitizers, which have functions of the same names, what is there. */
#if defined(__GLIBC__) && defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
#define OF_OLD_GLIBC(name, x86_64) __asm__(".symver __old_" #name "," #name "@" x86_64)
#elif defined(__GLIBC__) && defined(__aarch64__) && !defined(__SANITIZE_ADDRESS__)
#define OF_OLD_GLIBC(name, x86_64) __asm__(".symver __old_" #name "," #name "@GLIBC_2.17")
#else
#define OF_OLD_GLIBC(name, x86_64) __asm__(".set __old_" #name "," #name)
#endif

typedef void *thread_body(void *argument);

int __old_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, thread_body *body, void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, thread_body *body, void *argument);
OF_OLD_GLIBC(pthread_create, "GLIBC_2.2.5");

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, thread_body *body, void *argument)
{
    return __old_pthread_create(thread, attributes, body, argument);
}

int __old_pthread_join(pthread_t thread, void **value);
int __wrap_pthread_join(pthread_t thread, void **value);
OF_OLD_GLIBC(pthread_join, "GLIBC_2.2.5");

int __wrap_pthread_join(pthread_t thread, void **value)
{
    return __old_pthread_join(thread, value);
}

int __old_pthread_sigmask(int how, const sigset_t *set, sigset_t *previous);
int __wrap_pthread_sigmask(int how, const sigset_t *set, sigset_t *previous);
OF_OLD_GLIBC(pthread_sigmask, "GLIBC_2.2.5");

int __wrap_pthread_sigmask(int how, const sigset_t *set, sigset_t *previous)
{
    return __old_pthread_sigmask(how, set, previous);
}

int __old_pthread_condattr_setclock(pthread_condattr_t *attributes, clockid_t clock);
int __wrap_pthread_condattr_setclock(pthread_condattr_t *attributes, clockid_t clock);
OF_OLD_GLIBC(pthread_condattr_setclock, "GLIBC_2.3.3");

int __wrap_pthread_condattr_setclock(pthread_condattr_t *attributes, clockid_t clock)
{
    return __old_pthread_condattr_setclock(attributes, clock);
}

int __old_pthread_attr_setstacksize(pthread_attr_t *attributes, size_t size);
int __wrap_pthread_attr_setstacksize(pthread_attr_t *attributes, size_t size);
OF_OLD_GLIBC(pthread_attr_setstacksize, "GLIBC_2.2.5");

int __wrap_pthread_attr_setstacksize(pthread_attr_t *attributes, size_t size)
{
    return __old_pthread_attr_setstacksize(attributes, size);
}

/* Before glibc 2.33 it had no function of these names, only some behind macros. struct stat is the kernel's. */
int __wrap_fstat64(int fd, struct stat *out);
int __wrap_fstatat64(int dir, const char *path, struct stat *out, int flags);

int __wrap_fstat64(int fd, struct stat *out)
{
    return (int)syscall(SYS_fstat, fd, out);
}

int __wrap_fstatat64(int dir, const char *path, struct stat *out, int flags)
{
    return (int)syscall(SYS_newfstatat, dir, path, out, flags);
}
