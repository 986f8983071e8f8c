/*
 * The one place that reads errno for the calls of the sandbox; see sys_sandbox.h. Start only; owns nothing.
 */
#include "sys/sys_sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The same on every architecture (include/uapi/asm-generic/unistd.h). */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule       445
#define SYS_landlock_restrict_self  446
#endif

enum { ASK_VERSION = 1, ASK_ERRATA = 2, RULE_PATH_BENEATH = 1 };

/* struct landlock_path_beneath_attr, which is packed. */
struct path_beneath {
    uint64_t access;
    int32_t fd;
} __attribute__((packed));

static int result(long value)
{
    return value < 0 ? -errno : (int)value;
}

int sfd_sys_landlock_abi(void)
{
    return result(syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, ASK_VERSION));
}

int sfd_sys_landlock_errata(void)
{
    const long errata = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, ASK_ERRATA);

    return errata < 0 ? 0 : (int)errata;
}

int sfd_sys_landlock_create(const struct sfd_landlock_ruleset *ruleset, size_t size)
{
    return result(syscall(SYS_landlock_create_ruleset, ruleset, size, 0));
}

int sfd_sys_landlock_allow(int ruleset, uint64_t access, int fd)
{
    const struct path_beneath rule = {.access = access, .fd = fd};

    return result(syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0));
}

int sfd_sys_landlock_restrict(int ruleset)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return -errno;
    return result(syscall(SYS_landlock_restrict_self, ruleset, 0));
}

int sfd_sys_seccomp_probe(void)
{
    const uint32_t action = SECCOMP_RET_ERRNO;

    return result(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action));
}

int sfd_sys_seccomp_filter(const struct sock_fprog *program)
{
    /* Without SPEC_ALLOW a kernel before 5.16 slows the whole process down. */
    const unsigned flags = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_SPEC_ALLOW;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return -errno;
    const int value = result(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, program));
    return value > 0 ? -EBUSY : value; /* the id of a thread that has a filter of its own */
}

int sfd_sys_signal_take(void (*handler)(int, siginfo_t *, void *), struct sigaction *previous)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};

    action.sa_sigaction = handler;
    sigfillset(&action.sa_mask);
    /* One that is ignored is free as well: a parent may have ignored all of them. */
    for (int pass = 0; pass < 2; pass++) {
        for (int number = SIGRTMIN + 2; number < SIGRTMAX - 2; number++) {
            if (sigaction(number, NULL, previous) < 0) continue;
            if (previous->sa_handler != (pass == 0 ? SIG_DFL : SIG_IGN)) continue;
            if (sigaction(number, &action, NULL) == 0) return number;
        }
    }
    return -ENOENT;
}

void sfd_sys_signal_release(int number, const struct sigaction *previous)
{
    (void)sigaction(number, previous, NULL);
}

int sfd_sys_signal_send(int thread_id, int number, void *value)
{
    siginfo_t info;

    memset(&info, 0, sizeof(info));
    info.si_signo = number;
    info.si_code = SI_QUEUE;
    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_value.sival_ptr = value;
    return result(syscall(SYS_rt_tgsigqueueinfo, getpid(), thread_id, number, &info));
}

int sfd_sys_thread_alive(int thread_id)
{
    return result(syscall(SYS_tgkill, getpid(), thread_id, 0));
}

int sfd_sys_threads(int *ids, int max)
{
    DIR *tasks = opendir("/proc/self/task");
    int count = 0;

    if (tasks == NULL) return -errno;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(tasks);
        if (entry == NULL) break;
        const int id = atoi(entry->d_name);
        if (id <= 0) continue;
        if (count < max) ids[count] = id;
        count++;
    }
    const int error = errno;
    (void)closedir(tasks);
    return error != 0 ? -error : count;
}

int sfd_sys_process_id(void)
{
    return getpid();
}

void sfd_sys_sleep_ms(int milliseconds)
{
    const struct timespec time = {.tv_nsec = (long)milliseconds * 1000000};

    (void)nanosleep(&time, NULL); /* a signal may cut it short; the caller calls in a loop */
}

int sfd_sys_open_path(const char *path)
{
    int fd;

    do {
        fd = open(path, O_PATH | O_CLOEXEC);
    } while (fd < 0 && errno == EINTR);
    return result(fd);
}

int sfd_sys_is_directory(int fd)
{
    struct stat st;

    if (fstat(fd, &st) < 0) return -errno;
    return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

void sfd_sys_close_fd(int fd)
{
    (void)close(fd);
}
