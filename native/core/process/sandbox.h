/*
 * The sandbox of the daemon's process: what the process cannot do, even when an attacker controls it.
 *
 * Two independent halves. Landlock (landlock(7), Linux 5.13) restricts the file system to what the rules name. It also
 * forbids TCP sockets of the process's own (ABI 4), and abstract sockets and signals to other processes (ABI 6). A
 * seccomp filter (seccomp(2)) leaves the system calls that the engine and a JVM at work make, and refuses all others:
 * programs, mounts, namespaces, modules, tracing, other users, other processes, memory and messages that processes
 * share, sockets of its own, io_uring, and whatever a later kernel brings.
 *
 * Both restrict the running process: they are put on every thread that exists, and the threads that these start inherit
 * them. So the JVM starts once, unrestricted, and can read its configuration, open its logs and become another user.
 * After that even execve(2) is refused, which a launcher that restricts itself before it starts java would have to
 * allow. Neither half restricts descriptors that are already open, or that clients pass.
 *
 * Main thread, after the change of user and before a client can send anything. The second filter, against what only the
 * start needs, when the engine has its socket and before it receives. Nothing can be undone.
 */
#ifndef SFD_PROCESS_SANDBOX_H
#define SFD_PROCESS_SANDBOX_H

#include <linux/filter.h>
#include <stddef.h>

/* What a rule allows at a file, or beneath a directory. */
enum sfd_sandbox_access {
    SFD_SANDBOX_READ = 1,  /* open files for reading */
    SFD_SANDBOX_LIST = 2,  /* read directories */
    SFD_SANDBOX_WRITE = 4, /* open what exists for writing */
    SFD_SANDBOX_MAKE = 8,  /* make, truncate and remove regular files and sockets */
    SFD_SANDBOX_ADD = 16   /* make regular files */
};

struct sfd_sandbox_rule {
    const char *path;
    unsigned access; /* of enum sfd_sandbox_access */
};

/*
 * The ABI of Landlock, from 1; -ENOSYS or -EOPNOTSUPP when the kernel has none, or was started without; another -errno
 * when one of its calls is refused, as by the filter of a container. Makes all of them, on a thread of its own that
 * ends. The other one gives the name of the call that failed; NULL: none.
 */
int sfd_sandbox_landlock(void);
const char *sfd_sandbox_landlock_lacks(void);

/* 0 when this kernel and architecture can filter system calls; -errno. */
int sfd_sandbox_seccomp(void);

/*
 * Puts Landlock on every thread. A rule whose path does not exist, or may not be reached, allows nothing and is no
 * error. 0, or -errno, -ETIMEDOUT among them: a thread did not answer. After a failure some threads may be restricted
 * and others not, and memory that they may still use stays allocated: the caller must end.
 */
int sfd_sandbox_confine(const struct sfd_sandbox_rule *rules, size_t count);

/* Puts the filter on every thread, all or none. 0, or -errno. */
int sfd_sandbox_filter(void);

/* A second filter, once the engine has its socket: no further socket or connection, no mode of a file. As above. */
int sfd_sandbox_filter_at_work(void);

/*
 * The programs of the filters, for the process of that id. Writes at most SFD_SANDBOX_FILTER_MAX
 * instructions, and returns how many.
 */
enum { SFD_SANDBOX_FILTER_MAX = 512 };
size_t sfd_sandbox_program(struct sock_filter *out, int process_id);
size_t sfd_sandbox_program_at_work(struct sock_filter *out, int process_id);

#endif
