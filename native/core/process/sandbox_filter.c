/*
 * The seccomp filters: lists of what is allowed. Start only; owns nothing.
 *
 * What is not listed is refused: also what a later kernel adds, and what nobody has thought of. The JVM's calls are of
 * HotSpot 17 and 25 with each of its collectors, of its recorder, its dumps and its attach listener. A call is never
 * answered by a signal. EPERM: it is known and refused. ENOSYS: it is younger than this source, so whoever makes it can
 * do without (libc does).
 *
 * Written by hand, without libseccomp: the engine's library is also loaded into other programs' JVMs, and must need
 * libc only. For a system call whose arguments the filter does not read, the kernel caches the decision (5.11), so the
 * order of the list counts on an older kernel only: what the engine does for each request stands first. A call whose
 * arguments are read runs both filters each time, so these stand before the lists.
 */
#include "process/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "sys/sys_sandbox.h"

#if defined(__x86_64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_X86_64
#define FOREIGN_BIT      0x40000000U /* x32, which has other numbers for the same calls */
#elif defined(__aarch64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

/* Later than the oldest headers; the same on every architecture. */
enum {
    CALL_PIDFD_OPEN = 434,
    CALL_CLONE3 = 435,
    CALL_CLOSE_RANGE = 436,
    CALL_OPENAT2 = 437,
    CALL_FACCESSAT2 = 439,
    CALL_EPOLL_PWAIT2 = 441,
    CALL_LANDLOCK_CREATE_RULESET = 444,
    CALL_LANDLOCK_ADD_RULE = 445,
    CALL_LANDLOCK_RESTRICT_SELF = 446,
    CALL_FUTEX_WAITV = 449,
    CALL_CACHESTAT = 451,
    CALL_FCHMODAT2 = 452,
    CALL_FUTEX_WAKE = 454,
    CALL_FUTEX_WAIT = 455,
    CALL_MSEAL = 462,
    CALLS_KNOWN = 470 /* from here on ENOSYS */
};

/* Allowed whatever the arguments say. None of them reaches a process or a file beyond what Landlock leaves. */
static const uint32_t always[] = {
    /* moving bytes */
    SYS_splice,
    SYS_sendfile,
    SYS_read,
    SYS_write,
    SYS_readv,
    SYS_writev,
    SYS_pread64,
    SYS_pwrite64,
    SYS_preadv,
    SYS_pwritev,
    SYS_preadv2,
    SYS_pwritev2,
    SYS_copy_file_range,
    SYS_recvmmsg,
    SYS_recvmsg,
    SYS_recvfrom,
    SYS_lseek,
    SYS_fallocate,
    SYS_ftruncate,
    SYS_fadvise64,
    SYS_fsync,
    SYS_fdatasync,
    /* opening, closing, asking; Landlock decides which files */
    CALL_OPENAT2,
    SYS_close,
    SYS_statx,
    SYS_openat,
    SYS_fstat,
    SYS_newfstatat,
    SYS_statfs,
    SYS_fstatfs,
    CALL_CACHESTAT,
    SYS_faccessat,
    CALL_FACCESSAT2,
    SYS_readlinkat,
    SYS_getdents64,
    SYS_getcwd,
    SYS_chdir, /* of the background process, when it has started */
    SYS_flock,
    SYS_unlinkat,
    SYS_renameat, /* the JVM rotates its logs */
    SYS_renameat2,
    SYS_linkat, /* beside itself: Landlock lets no file change its directory */
    /* descriptors of its own */
    SYS_pipe2,
    SYS_dup,
    SYS_dup3,
    CALL_CLOSE_RANGE,
    SYS_eventfd2,
    SYS_memfd_create,
    SYS_epoll_create1,
    CALL_PIDFD_OPEN, /* watches a process; what a pidfd could do to it is not listed */
    /* sockets that it was given */
    SYS_getsockopt,
    SYS_getsockname,
    SYS_getpeername,
    SYS_shutdown,
    SYS_accept, /* of the attach listener, if the JVM was started with it */
    SYS_accept4,
    /* waiting */
    SYS_futex,
    CALL_FUTEX_WAITV,
    CALL_FUTEX_WAKE,
    CALL_FUTEX_WAIT,
    SYS_epoll_pwait,
    CALL_EPOLL_PWAIT2,
    SYS_epoll_ctl,
    SYS_ppoll,
    SYS_pselect6,
    SYS_nanosleep,
    SYS_clock_nanosleep,
    SYS_restart_syscall,
    /* time */
    SYS_clock_gettime,
    SYS_clock_getres,
    SYS_gettimeofday,
    SYS_times,
    SYS_getrusage,
    SYS_timer_create, /* the recorder's, for threads of its own */
    SYS_timer_settime,
    SYS_timer_gettime,
    SYS_timer_getoverrun,
    SYS_timer_delete,
    /* memory of its own */
    SYS_mmap,
    SYS_munmap,
    SYS_mprotect,
    SYS_mremap,
    SYS_madvise,
    SYS_brk,
    SYS_msync,
    SYS_mincore,
    SYS_membarrier,
    SYS_mbind,
    SYS_get_mempolicy,
    SYS_set_mempolicy,
    CALL_MSEAL,
    /* threads of its own, and their signals */
    SYS_gettid,
    SYS_set_robust_list,
    SYS_set_tid_address,
#ifdef SYS_rseq
    SYS_rseq,
#endif
    SYS_exit,
    SYS_exit_group,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigpending,
    SYS_rt_sigtimedwait,
    SYS_rt_sigsuspend,
    SYS_rt_sigreturn,
    SYS_sigaltstack,
    SYS_sched_yield,
    SYS_getcpu,
    /* asking about processors, limits and itself */
    SYS_sched_getaffinity,
    SYS_sched_getscheduler,
    SYS_sched_getparam,
    SYS_sched_get_priority_max,
    SYS_sched_get_priority_min,
    SYS_getpriority,
    SYS_getpid,
    SYS_getppid,
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_getresuid,
    SYS_getresgid,
    SYS_getrandom,
    SYS_sysinfo,
    SYS_uname,
#ifdef SYS_getrlimit
    SYS_getrlimit,
#endif
/* the older forms of the same */
#if defined(__x86_64__)
    SYS_epoll_wait,
    SYS_poll,
    SYS_select,
    SYS_open,
    SYS_stat,
    SYS_lstat,
    SYS_access,
    SYS_readlink,
    SYS_getdents,
    SYS_unlink,
    SYS_rename,
    SYS_pipe,
    SYS_dup2,
    SYS_eventfd,
    SYS_epoll_create,
    SYS_time,
    SYS_arch_prctl,
#endif
};

/*
 * What only the start needs: the request sockets, their directory, modes and access lists, and the rest of the sandbox.
 * Landlock does not look at connections to sockets that have a path (a program that serves one could run other programs
 * for us), nor at modes, owners, times and attributes, nor at inotify.
 */
static const uint32_t at_start[] = {
    SYS_connect,
    SYS_sendmsg, /* a request of its own, with descriptors: protocol/trial.h */
    SYS_bind,
    SYS_listen,
    SYS_setsockopt,
    SYS_fchmod,
    SYS_fchmodat,
    CALL_FCHMODAT2,
    SYS_fchownat,
    SYS_lsetxattr,
    SYS_mkdirat,
    SYS_umask,
    SYS_inotify_init1,
    SYS_inotify_add_watch,
    SYS_prctl, /* no_new_privs */
    SYS_seccomp,
    CALL_LANDLOCK_CREATE_RULESET,
    CALL_LANDLOCK_ADD_RULE,
    CALL_LANDLOCK_RESTRICT_SELF,
#if defined(__x86_64__)
    SYS_chmod,
    SYS_mkdir,
#endif
};

/* Of fcntl: not the owner or the signal of a descriptor (it can be another process), leases, notifications. */
static const uint32_t fcntl_commands[] = {
    F_GETFL,     F_DUPFD_CLOEXEC, F_SETFL, F_GETFD, F_SETFD,  F_DUPFD,     F_SETPIPE_SZ, F_GETPIPE_SZ,
    F_GET_SEALS, F_ADD_SEALS,     F_GETLK, F_SETLK, F_SETLKW, F_OFD_GETLK, F_OFD_SETLK,  F_OFD_SETLKW,
};

/* Of ioctl: not what types into a terminal, takes it, or changes the owner of a socket. */
static const uint32_t ioctl_requests[] = {FIONREAD, FIONBIO, TCGETS, 0x802C542A /* TCGETS2 */};

/* Of prctl: names, which libc also gives to memory; who may look into this process, which lets it do nothing more. */
static const uint32_t prctl_options[] = {PR_SET_NAME, PR_GET_NAME, 0x53564d41 /* PR_SET_VMA */,
                                         0x59616d61 /* PR_SET_PTRACER */};

static const uint32_t zero[] = {0};
static const uint32_t af_unix[] = {AF_UNIX};

#ifdef OWN_ARCHITECTURE

enum {
    NAMESPACES =
        CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET
};

struct program {
    struct sock_filter *at;
    size_t count;
};

static void add(struct program *p, unsigned code, uint32_t value, unsigned yes, unsigned no)
{
    p->at[p->count++] = (struct sock_filter){.code = (uint16_t)code, .jt = (uint8_t)yes, .jf = (uint8_t)no, .k = value};
}

static void load(struct program *p, size_t offset)
{
    add(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

/* The lower half of an argument: what we look at are ints, and both architectures are little-endian. */
static void load_argument(struct program *p, int index)
{
    load(p, offsetof(struct seccomp_data, args) + sizeof(uint64_t) * (size_t)index);
}

static void load_upper_half(struct program *p, int index)
{
    load(p, offsetof(struct seccomp_data, args) + sizeof(uint64_t) * (size_t)index + sizeof(uint32_t));
}

static void allow(struct program *p)
{
    add(p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
}

static void refuse(struct program *p, int error)
{
    add(p, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error, 0, 0);
}

static void jump(struct program *p, unsigned how, uint32_t value, unsigned yes, unsigned no)
{
    add(p, BPF_JMP | how | BPF_K, value, yes, no);
}

/* Allows `call` only if its argument is one of the values. */
static void only_if(struct program *p, uint32_t call, int argument, const uint32_t *values, unsigned count)
{
    jump(p, BPF_JEQ, call, 0, count + 3);
    load_argument(p, argument);
    for (unsigned i = 0; i < count; i++)
        jump(p, BPF_JEQ, values[i], count - i, 0);
    refuse(p, EPERM);
    allow(p);
}

#define ONLY_IF(p, call, argument, values)                                                                             \
    only_if(p, call, argument, values, (unsigned)(sizeof(values) / sizeof((values)[0])))

/* Refuses calls of a foreign architecture, and loads the number of the call for what follows. */
static void begin(struct program *p)
{
    load(p, offsetof(struct seccomp_data, arch));
    jump(p, BPF_JEQ, OWN_ARCHITECTURE, 1, 0);
    refuse(p, EPERM);
    load(p, offsetof(struct seccomp_data, nr));
#ifdef FOREIGN_BIT
    jump(p, BPF_JGE, FOREIGN_BIT, 0, 1);
    refuse(p, EPERM);
#endif
}

/* The calls that are allowed with some arguments. Each leaves the number of the call loaded if it is another one. */
static void add_tests(struct program *p, const uint32_t *process_id)
{
    ONLY_IF(p, SYS_fcntl, 1, fcntl_commands);
    /*
     * Without an address: a socket without a peer, which anybody can make by socketpair(2) or have from a client, would
     * reach every other socket that has a name. The address of sendmsg(2) is in memory, which a filter cannot read.
     */
    jump(p, BPF_JEQ, SYS_sendto, 0, 6);
    load_argument(p, 4);
    jump(p, BPF_JEQ, 0, 0, 3);
    load_upper_half(p, 4);
    jump(p, BPF_JEQ, 0, 0, 1);
    allow(p);
    refuse(p, EPERM);
    ONLY_IF(p, SYS_ioctl, 1, ioctl_requests);
    /* Threads, but neither processes nor namespaces. */
    jump(p, BPF_JEQ, SYS_clone, 0, 5);
    load_argument(p, 0);
    jump(p, BPF_JSET, NAMESPACES, 2, 0);
    jump(p, BPF_JSET, CLONE_THREAD, 0, 1);
    allow(p);
    refuse(p, EPERM);
    /* Its flags are in memory; after ENOSYS libc uses clone. */
    jump(p, BPF_JEQ, CALL_CLONE3, 0, 1);
    refuse(p, ENOSYS);
    only_if(p, SYS_tgkill, 0, process_id, 1);
    ONLY_IF(p, SYS_prctl, 0, prctl_options);
    /* 0 is the caller. */
    ONLY_IF(p, SYS_prlimit64, 0, zero);
    ONLY_IF(p, SYS_sched_setscheduler, 0, zero);
    /* A class of the JDK makes a pair when it is first used. */
    ONLY_IF(p, SYS_socketpair, 0, af_unix);
    /* A socket that lingers is closed at once when its client has too many of them. */
    jump(p, BPF_JEQ, SYS_setsockopt, 0, 6);
    load_argument(p, 1);
    jump(p, BPF_JEQ, SOL_SOCKET, 0, 3);
    load_argument(p, 2);
    jump(p, BPF_JEQ, SO_LINGER, 0, 1);
    allow(p);
    refuse(p, EPERM);
}

static void add_list(struct program *p, const uint32_t *calls, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        jump(p, BPF_JEQ, calls[i], 0, 1);
        allow(p);
    }
}

/* Allows what always is, and refuses the rest. */
static void end(struct program *p)
{
    add_list(p, always, sizeof(always) / sizeof(always[0]));
    jump(p, BPF_JGE, CALLS_KNOWN, 0, 1);
    refuse(p, ENOSYS);
    refuse(p, EPERM);
}

size_t sfd_sandbox_program(struct sock_filter *out, int process_id)
{
    struct program p = {.at = out};
    const uint32_t own[] = {(uint32_t)process_id};

    begin(&p);
    ONLY_IF(&p, SYS_socket, 0, af_unix);
    ONLY_IF(&p, SYS_rt_tgsigqueueinfo, 0, own); /* Landlock is put on by a signal */
    add_list(&p, at_start, sizeof(at_start) / sizeof(at_start[0]));
    add_tests(&p, own);
    end(&p);
    return p.count;
}

size_t sfd_sandbox_program_at_work(struct sock_filter *out, int process_id)
{
    struct program p = {.at = out};
    const uint32_t own[] = {(uint32_t)process_id};

    begin(&p);
    add_tests(&p, own);
    end(&p);
    return p.count;
}

int sfd_sandbox_seccomp(void)
{
    return sfd_sys_seccomp_probe();
}

#else

size_t sfd_sandbox_program(struct sock_filter *out, int process_id)
{
    (void)out;
    (void)process_id;
    return 0;
}

size_t sfd_sandbox_program_at_work(struct sock_filter *out, int process_id)
{
    (void)out;
    (void)process_id;
    return 0;
}

int sfd_sandbox_seccomp(void)
{
    return -ENOSYS;
}

#endif

static int put_on(struct sock_filter *instructions, size_t count)
{
    const struct sock_fprog program = {.len = (unsigned short)count, .filter = instructions};

    return count == 0 ? -ENOSYS : sfd_sys_seccomp_filter(&program);
}

int sfd_sandbox_filter(void)
{
    struct sock_filter instructions[SFD_SANDBOX_FILTER_MAX];

    return put_on(instructions, sfd_sandbox_program(instructions, sfd_sys_process_id()));
}

int sfd_sandbox_filter_at_work(void)
{
    struct sock_filter instructions[SFD_SANDBOX_FILTER_MAX];

    return put_on(instructions, sfd_sandbox_program_at_work(instructions, sfd_sys_process_id()));
}
