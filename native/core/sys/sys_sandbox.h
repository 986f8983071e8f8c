/*
 * The system calls of the sandbox: Landlock, seccomp, and what it takes to reach every thread of a process.
 *
 * Constants of Landlock stand here because the headers of the build machine may be older than the kernel that runs
 * (landlock(7)). Start only, main thread; owns nothing. >= 0 is success, -errno is failure.
 */
#ifndef SFD_SYS_SYS_SANDBOX_H
#define SFD_SYS_SYS_SANDBOX_H

#include <linux/filter.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>

/* struct landlock_ruleset_attr as of ABI 6; an older kernel is given a shorter one. */
struct sfd_landlock_ruleset {
    uint64_t handled_fs;
    uint64_t handled_net;
    uint64_t scoped;
};

/* The highest ABI that the kernel has; -ENOSYS: none built in, -EOPNOTSUPP: not enabled at boot. */
int sfd_sys_landlock_abi(void);

/* A bit for each erratum that this kernel has fixed; 0 when the kernel does not report them. */
int sfd_sys_landlock_errata(void);

/* A descriptor of a ruleset. */
int sfd_sys_landlock_create(const struct sfd_landlock_ruleset *ruleset, size_t size);

/* Allows `access` beneath the directory or file `fd`; `fd` is borrowed. */
int sfd_sys_landlock_allow(int ruleset, uint64_t access, int fd);

/* Restricts the calling thread, and the threads that it starts later, to the ruleset. Async-signal-safe. */
int sfd_sys_landlock_restrict(int ruleset);

/* 0 when the kernel supports filters. */
int sfd_sys_seccomp_probe(void);

/* Puts the filter on every thread of the process, or on none; none can gain privileges afterwards (no_new_privs). */
int sfd_sys_seccomp_filter(const struct sock_fprog *program);

/* Sets `handler` on a real-time signal that has none, and returns its number; `previous` is for release. -ENOENT. */
int sfd_sys_signal_take(void (*handler)(int, siginfo_t *, void *), struct sigaction *previous);
void sfd_sys_signal_release(int number, const struct sigaction *previous);

/* Sends a signal with a pointer to one thread of this process. -ESRCH: that thread has ended. */
int sfd_sys_signal_send(int thread_id, int number, void *value);

/* -ESRCH when that thread of this process has ended. */
int sfd_sys_thread_alive(int thread_id);

/* The ids of this process's threads, at most `max`; returns how many there are. */
int sfd_sys_threads(int *ids, int max);

int sfd_sys_process_id(void);

void sfd_sys_sleep_ms(int milliseconds);

/* A descriptor that names a file or directory and opens nothing (O_PATH). */
int sfd_sys_open_path(const char *path);

/* -ENOTDIR when `fd` is no directory. */
int sfd_sys_is_directory(int fd);

void sfd_sys_close_fd(int fd);

#endif
