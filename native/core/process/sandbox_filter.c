/*
 * The seccomp filter: a list of what is refused. Start only; owns nothing.
 *
 * Written by hand, without libseccomp: the engine's library is also loaded into other programs' JVMs, and must need
 * libc only. For a system call whose arguments the filter does not read, the kernel caches the decision (5.11).
 */
#include "process/sandbox.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "sys/sys_sandbox.h"

#if defined(__x86_64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_X86_64
#define FOREIGN_BIT      0x40000000U /* x32, which has other numbers for the same calls */
#elif defined(__aarch64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

/* Later than the oldest headers; the numbers are the same on every architecture. */
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#ifndef SYS_quotactl_fd
#define SYS_quotactl_fd 443
#endif
#define SYS_FCHMODAT2      452
#define SYS_SETXATTRAT     463
#define SYS_REMOVEXATTRAT  466
#define SYS_OPEN_TREE_ATTR 467

static const uint32_t refused[] = {
    /* programs */
    SYS_execve,
    SYS_execveat,
    /* other processes: their memory, their descriptors, signals */
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_kcmp,
    SYS_pidfd_getfd,
    SYS_pidfd_send_signal,
    SYS_kill,
    SYS_tkill,
    SYS_rt_sigqueueinfo,
    SYS_setpgid,
    SYS_setsid,
    /* the tree of files, and ways round its permissions */
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_open_tree,
    SYS_move_mount,
    SYS_fsopen,
    SYS_fsconfig,
    SYS_fsmount,
    SYS_fspick,
    SYS_mount_setattr,
    SYS_OPEN_TREE_ATTR,
    SYS_open_by_handle_at,
    SYS_fanotify_init,
    SYS_quotactl,
    SYS_quotactl_fd,
    SYS_acct,
    SYS_swapon,
    SYS_swapoff,
    /* namespaces and identities */
    SYS_setns,
    SYS_unshare,
    SYS_setuid,
    SYS_setgid,
    SYS_setreuid,
    SYS_setregid,
    SYS_setresuid,
    SYS_setresgid,
    SYS_setfsuid,
    SYS_setfsgid,
    SYS_setgroups,
    SYS_capset,
    SYS_personality,
    /* the kernel itself */
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_kexec_load,
    SYS_kexec_file_load,
    SYS_reboot,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_io_uring_register,
    SYS_add_key,
    SYS_request_key,
    SYS_keyctl,
    SYS_syslog,
    SYS_vhangup,
    /* the machine's clock and name */
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_clock_adjtime,
    SYS_adjtimex,
    SYS_sethostname,
    SYS_setdomainname,
#if defined(__x86_64__)
    SYS_iopl,
    SYS_ioperm,
    SYS_modify_ldt,
    SYS_fork,
    SYS_vfork,
#endif
};

/*
 * What only the start needs: its socket, and the mode of that. Landlock does not look at connections to sockets that
 * have a path (a program that serves one could run other programs for us), nor at modes, owners and attributes.
 */
static const uint32_t refused_at_work[] = {
    SYS_socket,      SYS_connect,      SYS_bind,         SYS_listen,     SYS_fchmod,        SYS_fchmodat,
    SYS_FCHMODAT2,   SYS_fchown,       SYS_fchownat,     SYS_setxattr,   SYS_lsetxattr,     SYS_fsetxattr,
    SYS_removexattr, SYS_lremovexattr, SYS_fremovexattr, SYS_SETXATTRAT, SYS_REMOVEXATTRAT,
#if defined(__x86_64__)
    SYS_chmod,       SYS_chown,        SYS_lchown,
#endif
};

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

static void answer(struct program *p, uint32_t action)
{
    add(p, BPF_RET | BPF_K, action, 0, 0);
}

static void refuse(struct program *p, int error)
{
    answer(p, SECCOMP_RET_ERRNO | (uint32_t)error);
}

static void jump(struct program *p, unsigned how, uint32_t value, unsigned yes, unsigned no)
{
    add(p, BPF_JMP | how | BPF_K, value, yes, no);
}

/* Allows `call` only if its argument is `value`. */
static void only_if(struct program *p, uint32_t call, int argument, uint32_t value)
{
    jump(p, BPF_JEQ, call, 0, 4);
    load_argument(p, argument);
    jump(p, BPF_JEQ, value, 0, 1);
    answer(p, SECCOMP_RET_ALLOW);
    refuse(p, EPERM);
}

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

/* Refuses these, and allows the rest. */
static void end(struct program *p, const uint32_t *calls, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        jump(p, BPF_JEQ, calls[i], 0, 1);
        refuse(p, EPERM);
    }
    answer(p, SECCOMP_RET_ALLOW);
}

size_t sfd_sandbox_program(struct sock_filter *out, int process_id)
{
    struct program p = {.at = out};

    begin(&p);
    /* Threads, but neither processes nor namespaces. */
    jump(&p, BPF_JEQ, SYS_clone, 0, 5);
    load_argument(&p, 0);
    jump(&p, BPF_JSET, NAMESPACES, 2, 0);
    jump(&p, BPF_JSET, CLONE_THREAD, 0, 1);
    answer(&p, SECCOMP_RET_ALLOW);
    refuse(&p, EPERM);
    /* Its flags are in memory, which a filter cannot read; after ENOSYS libc uses clone. */
    jump(&p, BPF_JEQ, SYS_clone3, 0, 1);
    refuse(&p, ENOSYS);
    only_if(&p, SYS_socket, 0, AF_UNIX);
    only_if(&p, SYS_tgkill, 0, (uint32_t)process_id);
    only_if(&p, SYS_rt_tgsigqueueinfo, 0, (uint32_t)process_id);
    /* A client's terminal must not be typed into. */
    jump(&p, BPF_JEQ, SYS_ioctl, 0, 5);
    load_argument(&p, 1);
    jump(&p, BPF_JEQ, TIOCSTI, 1, 0);
    jump(&p, BPF_JEQ, TIOCLINUX, 0, 1);
    refuse(&p, EPERM);
    answer(&p, SECCOMP_RET_ALLOW);
    end(&p, refused, sizeof(refused) / sizeof(refused[0]));
    return p.count;
}

size_t sfd_sandbox_program_at_work(struct sock_filter *out)
{
    struct program p = {.at = out};

    begin(&p);
    end(&p, refused_at_work, sizeof(refused_at_work) / sizeof(refused_at_work[0]));
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

size_t sfd_sandbox_program_at_work(struct sock_filter *out)
{
    (void)out;
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

    return put_on(instructions, sfd_sandbox_program_at_work(instructions));
}
