/*
 * What an attacker who controls the daemon would try: system calls from a thread inside of its process.
 *
 * Role: preloaded into a daemon's JVM. With SENDFILED_TEST_PROBE=DIR, where DIR is that of an outsider (outsider.c), it
 * starts a thread that waits for a byte in the FIFO DIR/go, tries everything below, and writes a line for each attempt
 * into DIR/report:
 *
 *   - NAME ERRNO    reaches or changes something outside; ERRNO 0: it worked
 *   + NAME ERRNO    what the daemon or its JVM needs
 *
 * and "end" in the last one. What has no harmless form is called with arguments that mean nothing (an error other than
 * that of a refusal tells that the kernel has looked at them). Descriptors such as clients pass are made before.
 * Thread: one of its own. Never: frees, ends the process.
 */
#include "../outsider.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* Later than the oldest headers; the same on every architecture. */
enum {
    NR_pidfd_send_signal = 424,
    NR_io_uring_setup = 425,
    NR_open_tree = 428,
    NR_move_mount = 429,
    NR_fsopen = 430,
    NR_pidfd_open = 434,
    NR_clone3 = 435,
    NR_openat2 = 437,
    NR_pidfd_getfd = 438,
    NR_process_madvise = 440,
    NR_mount_setattr = 442,
    NR_landlock_create_ruleset = 444,
    NR_memfd_secret = 447,
    NR_process_mrelease = 448,
    NR_cachestat = 451,
    NR_fchmodat2 = 452,
    NR_setxattrat = 463,
    NR_file_setattr = 469,
};

enum { IOPRIO_WHO_PROCESS = 1, IOPRIO_IDLE = 3 << 13, PAGE = 4096 };

#define BAD ((void *)8) /* an address at which nothing is */

static struct {
    struct outsider out;
    char dir[PATH_MAX];
    char file[PATH_MAX];   /* of the outsider, and beside it */
    char beside[PATH_MAX]; /* a name that is free */
    char names[PATH_MAX];  /* the directory of both */
    int go, report;
    int file_fd;   /* of a file outside, open for reading: a client passes such ones */
    int directory; /* likewise */
    int unbound;   /* sockets without an address */
    int udp;
    int stream[2];
    int datagram[2];
    int terminal;
} probe;

static void report(char kind, const char *name, long result)
{
    char line[128];
    const int error = result < 0 ? errno : 0;
    const int length = snprintf(line, sizeof line, "%c %s %d\n", kind, name, error);

    (void)!write(probe.report, line, (size_t)length);
}

#define OUTSIDE(name, call) report('-', name, (long)(call))
#define NEEDED(name, call)  report('+', name, (long)(call))

/* ---- calls by the numbers of i386 ---------------------------------------------------------------- */

#if defined(__x86_64__)
static __thread sigjmp_buf *segv_exit; /* of the thread that makes one; the JVM has its own use for the signal */
static struct sigaction segv_before;

static void on_segv(int signal, siginfo_t *info, void *context)
{
    if (segv_exit != NULL) siglongjmp(*segv_exit, 1);
    segv_before.sa_sigaction(signal, info, context);
}

/* What the kernel gives, or -ENOSYS where it has no such calls: it sends SIGSEGV then. */
static long call_by_int80(long number)
{
    struct sigaction action = {.sa_sigaction = on_segv, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK};
    volatile long result = -ENOSYS;
    sigjmp_buf exit;

    sigaction(SIGSEGV, &action, &segv_before);
    segv_exit = &exit;
    if (sigsetjmp(exit, 1) == 0) {
        long register_value = number;
        __asm__ volatile("int $0x80" : "+a"(register_value) : : "memory", "r8", "r9", "r10", "r11");
        result = register_value;
    }
    segv_exit = NULL;
    sigaction(SIGSEGV, &segv_before, NULL);
    return result;
}
#endif

/* ---- other processes ------------------------------------------------------------------------- */

static void try_processes(void)
{
    const pid_t pid = probe.out.pid;
    const struct rlimit few = {64, 64};
    const struct sched_param zero = {.sched_priority = 0};
    const int pidfd = (int)syscall(NR_pidfd_open, pid, 0);
    long word = 2;
    struct iovec own = {&word, sizeof word};
    struct iovec foreign = {(void *)probe.out.secret, sizeof word};
    cpu_set_t first;
    siginfo_t info = {.si_signo = SIGUSR1, .si_code = SI_QUEUE};
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t times[3];
    } attributes = {.size = sizeof attributes, .policy = SCHED_BATCH, .nice = 7};

    CPU_ZERO(&first);
    CPU_SET(0, &first);
    OUTSIDE("kill", syscall(SYS_kill, pid, SIGUSR1));
    OUTSIDE("tkill", syscall(SYS_tkill, pid, SIGUSR1));
    OUTSIDE("tgkill", syscall(SYS_tgkill, pid, pid, SIGUSR1));
    OUTSIDE("rt_sigqueueinfo", syscall(SYS_rt_sigqueueinfo, pid, SIGUSR1, &info));
    OUTSIDE("rt_tgsigqueueinfo", syscall(SYS_rt_tgsigqueueinfo, pid, pid, SIGUSR1, &info));
    OUTSIDE("pidfd_send_signal", syscall(NR_pidfd_send_signal, pidfd, SIGUSR1, NULL, 0));
    OUTSIDE("pidfd_getfd", syscall(NR_pidfd_getfd, pidfd, 0, 0));
    OUTSIDE("process_madvise", syscall(NR_process_madvise, pidfd, &foreign, 1, 20 /* MADV_COLD */, 0));
    OUTSIDE("process_mrelease", syscall(NR_process_mrelease, pidfd, 0));
    OUTSIDE("setns-pidfd", syscall(SYS_setns, pidfd, 0x08000000 /* CLONE_NEWIPC */));
    OUTSIDE("ptrace", syscall(SYS_ptrace, PTRACE_SEIZE, pid, 0, 0));
    OUTSIDE("process_vm_readv", syscall(SYS_process_vm_readv, pid, &own, 1, &foreign, 1, 0));
    word = 2;
    OUTSIDE("process_vm_writev", syscall(SYS_process_vm_writev, pid, &own, 1, &foreign, 1, 0));
    OUTSIDE("kcmp", syscall(SYS_kcmp, getpid(), pid, 0, 0, 0));
    OUTSIDE("prlimit", syscall(SYS_prlimit64, pid, RLIMIT_NOFILE, &few, NULL));
    OUTSIDE("setpriority", syscall(SYS_setpriority, PRIO_PROCESS, pid, 7));
    OUTSIDE("ioprio_set", syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, pid, IOPRIO_IDLE));
    OUTSIDE("sched_setaffinity", syscall(SYS_sched_setaffinity, pid, sizeof first, &first));
    OUTSIDE("sched_setscheduler", syscall(SYS_sched_setscheduler, pid, SCHED_BATCH, &zero));
    OUTSIDE("sched_setparam", syscall(SYS_sched_setparam, pid, &zero));
    OUTSIDE("sched_setattr", syscall(SYS_sched_setattr, pid, &attributes, 0));
    OUTSIDE("migrate_pages", syscall(SYS_migrate_pages, pid, 0, NULL, NULL));
    OUTSIDE("move_pages", syscall(SYS_move_pages, pid, 0, NULL, NULL, NULL, 0));
    OUTSIDE("setpgid", syscall(SYS_setpgid, pid, 0));
    OUTSIDE("F_SETOWN", syscall(SYS_fcntl, probe.stream[0], F_SETOWN, pid));
    OUTSIDE("F_SETSIG", syscall(SYS_fcntl, probe.stream[0], F_SETSIG, SIGUSR2));
    OUTSIDE("FIOSETOWN", syscall(SYS_ioctl, probe.stream[0], 0x8901 /* FIOSETOWN */, &pid));
    OUTSIDE("SIOCSPGRP", syscall(SYS_ioctl, probe.stream[0], 0x8902 /* SIOCSPGRP */, &pid));
    (void)fcntl(probe.stream[0], F_SETFL, O_ASYNC | O_NONBLOCK);
    (void)!write(probe.stream[1], "x", 1); /* a signal to the owner, if there is one */
    (void)fcntl(probe.stream[0], F_SETFL, O_NONBLOCK);
    char memory[64];
    (void)snprintf(memory, sizeof memory, "/proc/%d/mem", pid);
    OUTSIDE("/proc/PID/mem", open(memory, O_RDONLY | O_CLOEXEC));
    (void)snprintf(memory, sizeof memory, "/proc/%d/oom_score_adj", pid);
    OUTSIDE("/proc/PID/oom_score_adj", open(memory, O_WRONLY | O_CLOEXEC));
    if (pidfd >= 0) close(pidfd);
}

/* ---- memory and messages between processes ---------------------------------------------------- */

static void try_ipc(void)
{
    struct sembuf up = {0, 1, IPC_NOWAIT};
    struct {
        long type;
        char text[8];
    } message = {1, "inside"};
    void *shared = (void *)syscall(SYS_shmat, probe.out.shm, NULL, 0);
    const int attach_error = errno;

    if ((long)shared != -1) *(volatile char *)shared = 1;
    errno = attach_error;
    OUTSIDE("shmat", (long)shared == -1 ? -1 : 0);
    const int made = (int)syscall(SYS_shmget, IPC_PRIVATE, PAGE, 0); /* IPC_PRIVATE makes one without IPC_CREAT */
    OUTSIDE("shmget", made);
    if (made >= 0) (void)syscall(SYS_shmctl, made, IPC_RMID, NULL);
    OUTSIDE("shmctl", syscall(SYS_shmctl, probe.out.shm, IPC_STAT, BAD));
    OUTSIDE("semop", syscall(SYS_semtimedop, probe.out.sem, &up, 1, NULL));
    OUTSIDE("semget", syscall(SYS_semget, 1, 1, 0));
    OUTSIDE("semctl", syscall(SYS_semctl, probe.out.sem, 0, GETVAL));
    OUTSIDE("msgsnd", syscall(SYS_msgsnd, probe.out.msg, &message, sizeof message.text, IPC_NOWAIT));
    OUTSIDE("msgrcv", syscall(SYS_msgrcv, probe.out.msg, &message, sizeof message.text, 2, IPC_NOWAIT));
    OUTSIDE("msgget", syscall(SYS_msgget, 1, 0));
    OUTSIDE("msgctl", syscall(SYS_msgctl, probe.out.msg, IPC_STAT, BAD));
    if (probe.out.queue[0] == '\0') return;
    const int queue = (int)syscall(SYS_mq_open, probe.out.queue, O_WRONLY | O_NONBLOCK | O_CLOEXEC, 0, NULL);
    OUTSIDE("mq_open", queue);
    OUTSIDE("mq_timedsend", syscall(SYS_mq_timedsend, queue, "x", 1, 0, NULL));
    OUTSIDE("mq_unlink", syscall(SYS_mq_unlink, "no such queue"));
}

/* ---- sockets ---------------------------------------------------------------------------------- */

static void try_address(const char *how, int socket, const void *address, socklen_t length)
{
    char name[64];
    struct iovec iov = {(void *)"x", 1};
    struct mmsghdr all = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};

    all.msg_hdr.msg_name = (void *)(uintptr_t)address;
    all.msg_hdr.msg_namelen = length;
    (void)snprintf(name, sizeof name, "sendto-%s", how);
    OUTSIDE(name, syscall(SYS_sendto, socket, "x", 1, MSG_DONTWAIT, address, length));
    (void)snprintf(name, sizeof name, "sendmsg-%s", how);
    OUTSIDE(name, syscall(SYS_sendmsg, socket, &all.msg_hdr, MSG_DONTWAIT));
    (void)snprintf(name, sizeof name, "sendmmsg-%s", how);
    OUTSIDE(name, syscall(SYS_sendmmsg, socket, &all, 1, MSG_DONTWAIT));
    (void)snprintf(name, sizeof name, "connect-%s", how);
    OUTSIDE(name, syscall(SYS_connect, socket, address, length));
}

static void try_sockets(void)
{
    struct sockaddr_un named = {.sun_family = AF_UNIX};
    struct sockaddr_un abstract = {.sun_family = AF_UNIX};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const size_t length = strlen(probe.out.abstract);
    static const int families[] = {AF_UNIX,         AF_INET,      AF_INET6, 16 /* netlink */,
                                   17 /* packet */, 38 /* alg */, 40 /* vsock */};

    (void)snprintf(named.sun_path, sizeof named.sun_path, "%.90s/" OUTSIDER_SOCKET, probe.dir);
    memcpy(abstract.sun_path + 1, probe.out.abstract, length);
    in.sin_port = htons((uint16_t)probe.out.udp_port);
    const socklen_t abstract_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
    int pair[2] = {-1, -1};
    const int made = socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair);

    if (made == 0) try_address("own-pair", pair[0], &named, sizeof named);
    try_address("pair", probe.datagram[0], &named, sizeof named);
    try_address("unbound", probe.unbound, &named, sizeof named);
    try_address("abstract", probe.unbound, &abstract, abstract_length);
    try_address("udp", probe.udp, &in, sizeof in);
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "socket-%d", families[i]);
        OUTSIDE(name, syscall(SYS_socket, families[i], SOCK_DGRAM | SOCK_CLOEXEC, 0));
    }
    OUTSIDE("socketpair-tipc", syscall(SYS_socketpair, 30, SOCK_STREAM, 0, BAD));
    OUTSIDE("bind", syscall(SYS_bind, probe.udp, &in, 1));
    OUTSIDE("listen", syscall(SYS_listen, probe.udp, 1));
    OUTSIDE("SO_ATTACH_FILTER", syscall(SYS_setsockopt, probe.udp, SOL_SOCKET, 26, BAD, 16));
    OUTSIDE("IP_ADD_MEMBERSHIP", syscall(SYS_setsockopt, probe.udp, 0, 35, BAD, 8));
    OUTSIDE("TCP_CONGESTION", syscall(SYS_setsockopt, probe.udp, 6, 13, BAD, 8)); /* the number of SO_LINGER */
}

/* ---- files ------------------------------------------------------------------------------------ */

static void try_files(void)
{
    const struct timespec then[2] = {{1, 0}, {1, 0}};
    const int watch = (int)syscall(SYS_inotify_init1, IN_CLOEXEC | IN_NONBLOCK);
    struct {
        unsigned bytes;
        int type;
        char handle[128];
    } handle = {.bytes = 128};
    int mount;

    OUTSIDE("open-read", open(probe.file, O_RDONLY | O_CLOEXEC));
    OUTSIDE("open-write", open(probe.file, O_WRONLY | O_CLOEXEC));
    OUTSIDE("open-create", open(probe.beside, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    OUTSIDE("open-list", open(probe.names, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    OUTSIDE("openat-fd", openat(probe.directory, OUTSIDER_FILE, O_RDONLY | O_CLOEXEC));
    OUTSIDE("truncate", syscall(SYS_truncate, probe.file, 0L));
    OUTSIDE("utimensat", syscall(SYS_utimensat, AT_FDCWD, probe.file, then, 0));
    OUTSIDE("futimens", syscall(SYS_utimensat, probe.file_fd, NULL, then, 0));
    OUTSIDE("fchmod", syscall(SYS_fchmod, probe.file_fd, 0640));
    OUTSIDE("fchmodat", syscall(SYS_fchmodat, AT_FDCWD, probe.file, 0640));
    OUTSIDE("fchmodat2", syscall(NR_fchmodat2, AT_FDCWD, probe.file, 0640, 0));
    OUTSIDE("fchown", syscall(SYS_fchown, probe.file_fd, geteuid(), -1));
    OUTSIDE("fchownat", syscall(SYS_fchownat, AT_FDCWD, probe.file, geteuid(), -1, 0));
    OUTSIDE("setxattr", syscall(SYS_setxattr, probe.file, "user.probe", "x", 1, 0));
    OUTSIDE("fsetxattr", syscall(SYS_fsetxattr, probe.file_fd, "user.probe", "x", 1, 0));
    OUTSIDE("removexattr", syscall(SYS_removexattr, probe.file, "user.none"));
    OUTSIDE("setxattrat", syscall(NR_setxattrat, -1, BAD, 0, BAD, BAD, 0));
    OUTSIDE("file_setattr", syscall(NR_file_setattr, -1, BAD, BAD, 0, 0));
    OUTSIDE("FS_IOC_SETFLAGS", syscall(SYS_ioctl, probe.file_fd, 0x40086602, BAD));
    OUTSIDE("F_SETLEASE", syscall(SYS_fcntl, probe.file_fd, 1024 /* F_SETLEASE */, F_RDLCK));
    OUTSIDE("F_NOTIFY", syscall(SYS_fcntl, probe.directory, 1026 /* F_NOTIFY */, 1L));
    OUTSIDE("link", syscall(SYS_linkat, AT_FDCWD, probe.file, AT_FDCWD, probe.beside, 0));
    OUTSIDE("symlink", syscall(SYS_symlinkat, "/", AT_FDCWD, probe.beside));
    OUTSIDE("mknod", syscall(SYS_mknodat, AT_FDCWD, probe.beside, S_IFIFO | 0600, 0));
    OUTSIDE("mkdir", syscall(SYS_mkdirat, AT_FDCWD, probe.beside, 0700));
    OUTSIDE("rename", syscall(SYS_renameat2, AT_FDCWD, probe.file, AT_FDCWD, probe.beside, 0));
    OUTSIDE("unlink", syscall(SYS_unlinkat, AT_FDCWD, probe.file, 0));
    OUTSIDE("rmdir", syscall(SYS_unlinkat, AT_FDCWD, probe.names, AT_REMOVEDIR));
    OUTSIDE("inotify_add_watch", syscall(SYS_inotify_add_watch, watch, probe.names, IN_ALL_EVENTS));
    OUTSIDE("fanotify_init", syscall(SYS_fanotify_init, 0x200, O_RDONLY)); /* FAN_REPORT_FID */
    OUTSIDE("name_to_handle_at", syscall(SYS_name_to_handle_at, AT_FDCWD, probe.names, &handle, &mount, 0));
    OUTSIDE("open_by_handle_at", syscall(SYS_open_by_handle_at, probe.directory, &handle, O_RDONLY));
    OUTSIDE("/proc/sys", open("/proc/sys/kernel/core_pattern", O_WRONLY | O_CLOEXEC));
    if (watch >= 0) close(watch);
}

/* ---- programs, identities, the machine --------------------------------------------------------- */

static void try_programs(void)
{
    char *const argv[] = {NULL};
    const int memory = (int)syscall(SYS_memfd_create, "probe", 0);
    const pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

    if (child == 0) _exit(0);
    OUTSIDE("fork", child);
    OUTSIDE("clone-namespace", syscall(SYS_clone, 0x10000000 | 0x00010000 | 0x900, 0, 0, 0, 0)); /* user, thread */
    OUTSIDE("clone3", syscall(NR_clone3, BAD, 88));
    OUTSIDE("execve", syscall(SYS_execve, "", argv, argv));
    OUTSIDE("execveat", syscall(SYS_execveat, memory, "", argv, argv, AT_EMPTY_PATH)); /* empty: no program */
    close(memory);
}

static void try_machine(void)
{
#define CALL(name, ...) OUTSIDE(#name, syscall(SYS_##name, __VA_ARGS__))
    CALL(setuid, geteuid());
    CALL(setresuid, -1, -1, -1);
    CALL(setresgid, -1, -1, -1);
    CALL(setgroups, -1, BAD);
    CALL(setfsuid, -1);
    CALL(capset, BAD, BAD);
    CALL(unshare, 0);
    CALL(setns, -1, 0);
    CALL(chroot, BAD);
    CALL(pivot_root, BAD, BAD);
    CALL(mount, BAD, BAD, BAD, 0, BAD);
    CALL(umount2, BAD, 0);
    OUTSIDE("open_tree", syscall(NR_open_tree, -1, BAD, 0));
    OUTSIDE("move_mount", syscall(NR_move_mount, -1, BAD, -1, BAD, 0));
    OUTSIDE("fsopen", syscall(NR_fsopen, BAD, 0));
    OUTSIDE("mount_setattr", syscall(NR_mount_setattr, -1, BAD, 0, BAD, 0));
    CALL(swapon, BAD, 0);
    CALL(swapoff, BAD);
    CALL(quotactl, -1, BAD, 0, BAD);
    CALL(acct, BAD);
    CALL(init_module, BAD, 0, BAD);
    CALL(finit_module, -1, BAD, 0);
    CALL(delete_module, BAD, 0);
    CALL(kexec_load, 0, 0, BAD, -1);
    CALL(reboot, 0, 0, 0, BAD);
    CALL(bpf, -1, BAD, 0);
    CALL(perf_event_open, BAD, 0, -1, -1, 0);
    CALL(userfaultfd, -1);
    OUTSIDE("io_uring_setup", syscall(NR_io_uring_setup, 1, BAD));
    CALL(add_key, BAD, BAD, BAD, 0, 0);
    CALL(request_key, BAD, BAD, BAD, 0);
    CALL(keyctl, -1);
    CALL(syslog, 10, BAD, 0); /* the size of the kernel's buffer */
    CALL(personality, 0xffffffff);
    CALL(settimeofday, BAD, BAD);
    CALL(clock_settime, -1, BAD);
    CALL(clock_adjtime, -1, BAD);
    CALL(adjtimex, BAD);
    CALL(sethostname, BAD, -1);
    CALL(setdomainname, BAD, -1);
    CALL(vhangup, 0);
    CALL(setsid, 0);
    CALL(sync, 0);
    OUTSIDE("memfd_secret", syscall(NR_memfd_secret, -1));
    CALL(seccomp, 1, 0, BAD);
    OUTSIDE("landlock", syscall(NR_landlock_create_ruleset, BAD, 8, 0));
    OUTSIDE("PR_SET_MM", syscall(SYS_prctl, 35, -1, 0, 0, 0));
    OUTSIDE("PR_SET_DUMPABLE", syscall(SYS_prctl, PR_SET_DUMPABLE, 7, 0, 0, 0));
    OUTSIDE("PR_SET_KEEPCAPS", syscall(SYS_prctl, 8, 7, 0, 0, 0));
    OUTSIDE("TIOCSTI", syscall(SYS_ioctl, probe.terminal, TIOCSTI, "x"));
    OUTSIDE("TIOCLINUX", syscall(SYS_ioctl, probe.terminal, 0x541C, "\2"));
    OUTSIDE("TIOCSCTTY", syscall(SYS_ioctl, probe.terminal, TIOCSCTTY, 0));
#if defined(__x86_64__)
    CALL(iopl, 0);
    CALL(ioperm, 0, 1, 0);
    CALL(modify_ldt, 0, BAD, 0);
    CALL(lookup_dcookie, 0L, BAD, 0L);
    OUTSIDE("utime", syscall(SYS_utime, probe.file, NULL));
    OUTSIDE("utimes", syscall(SYS_utimes, probe.file, NULL));
    OUTSIDE("futimesat", syscall(SYS_futimesat, AT_FDCWD, probe.file, NULL));
    OUTSIDE("chmod", syscall(SYS_chmod, probe.file, 0640));
    const long result = call_by_int80(20); /* getpid */
    errno = (int)-result;
    OUTSIDE("i386", result < 0 ? -1 : 0);
    OUTSIDE("x32", syscall(0x40000000L + SYS_getpid));
#endif
#undef CALL
}

/* ---- what must go on ---------------------------------------------------------------------------- */

static void *nothing(void *argument)
{
    return argument;
}

static void try_needed(void)
{
    pthread_t thread;
    struct rlimit limit;
    struct linger linger = {0, 0};
    const struct sched_param zero = {.sched_priority = 0};
    struct stat st;
    int ends[2];
    char byte = 'x';
    struct iovec iov = {&byte, 1};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

    errno = pthread_create(&thread, NULL, nothing, NULL);
    NEEDED("thread", errno == 0 ? pthread_join(thread, NULL) : -1);
    NEEDED("tgkill-self", syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), 0));
    NEEDED("getrlimit", getrlimit(RLIMIT_NOFILE, &limit));
    NEEDED("sched_setscheduler-self", syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &zero));
    NEEDED("name", prctl(PR_SET_NAME, "probe"));
    NEEDED("jit", (long)mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == -1
                      ? -1
                      : 0);
    NEEDED("pipe", pipe2(ends, O_CLOEXEC));
    NEEDED("F_SETPIPE_SZ", fcntl(ends[1], 1031 /* F_SETPIPE_SZ */, 65536));
    NEEDED("memfd_create", syscall(SYS_memfd_create, "probe", 1));
    NEEDED("send", send(probe.stream[1], &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL));
    NEEDED("recvmsg", recvmsg(probe.stream[0], &message, MSG_DONTWAIT));
    NEEDED("SO_LINGER", setsockopt(probe.stream[0], SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
    NEEDED("F_SETFL", fcntl(probe.stream[0], F_SETFL, O_NONBLOCK));
    NEEDED("fstat", fstat(probe.file_fd, &st));
    NEEDED("pidfd_open", syscall(NR_pidfd_open, getpid(), 0));
    NEEDED("poll", poll(NULL, 0, 0));
    NEEDED("/proc", open("/proc/self/status", O_RDONLY | O_CLOEXEC));
    /* Not secret, and so documented: that a file is there, and of whom. */
    NEEDED("stat-outside", stat(probe.file, &st));
}

/* ------------------------------------------------------------------------------------------------- */

static void *run(void *argument)
{
    char byte;

    while (read(probe.go, &byte, 1) < 0 && errno == EINTR)
        continue;
    try_processes();
    try_ipc();
    try_sockets();
    try_machine();
    try_programs();
    try_needed();
    try_files(); /* last: without a sandbox the file goes */
    (void)!write(probe.report, "end\n", 4);
    return argument;
}

static int open_in(const char *name, int flags)
{
    char path[PATH_MAX];

    (void)snprintf(path, sizeof path, "%.4000s/%s", probe.dir, name);
    return open(path, flags | O_CLOEXEC, 0600);
}

static int is_java(void)
{
    char name[16] = "";
    const int fd = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd < 0 ? -1 : read(fd, name, sizeof name - 1);

    if (fd >= 0) close(fd);
    return n > 0 && strcmp(name, "java\n") == 0;
}

__attribute__((constructor)) static void prepare(void)
{
    const char *dir = getenv("SENDFILED_TEST_PROBE");
    pthread_t thread;

    if (dir == NULL || !is_java()) return;
    (void)snprintf(probe.dir, sizeof probe.dir, "%.4000s", dir);
    (void)snprintf(probe.names, sizeof probe.names, "%.4000s/d", dir);
    (void)snprintf(probe.file, sizeof probe.file, "%.4000s/d/" OUTSIDER_FILE, dir);
    (void)snprintf(probe.beside, sizeof probe.beside, "%.4000s/d/new", dir);
    const int ids = open_in(OUTSIDER_IDS, O_RDONLY);
    if (read(ids, &probe.out, sizeof probe.out) != sizeof probe.out) return;
    close(ids);
    probe.go = open_in(OUTSIDER_GO, O_RDWR);
    probe.report = open_in("report", O_WRONLY | O_CREAT | O_APPEND);
    probe.file_fd = open(probe.file, O_RDONLY | O_CLOEXEC);
    probe.directory = open(probe.names, O_PATH | O_DIRECTORY | O_CLOEXEC);
    probe.unbound = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    probe.udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    probe.terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, probe.stream) < 0) return;
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, probe.datagram) < 0) return;
    if (pthread_create(&thread, NULL, run, NULL) == 0) (void)pthread_detach(thread);
}
