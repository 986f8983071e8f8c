/*
 * without CALL[,CALL]... ERRNO PROGRAM [ARGUMENT]...: runs a program for which system calls fail with EPERM or ENOSYS,
 * as the seccomp filter of a container, or an older kernel, has it.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The same on every architecture, and missing in older headers. */
#define PIDFD_GETFD             438
#define LANDLOCK_CREATE_RULESET 444
#define LANDLOCK_ADD_RULE       445
#define LANDLOCK_RESTRICT_SELF  446
#define CACHESTAT               451

#define CALLS_MAX 16

static const struct call {
    const char *name;
    unsigned number;
} calls[] = {
    {"cachestat", CACHESTAT},
    {"close_range", SYS_close_range},
    {"copy_file_range", SYS_copy_file_range},
    {"fadvise64", SYS_fadvise64},
    {"landlock_create_ruleset", LANDLOCK_CREATE_RULESET},
    {"landlock_add_rule", LANDLOCK_ADD_RULE},
    {"landlock_restrict_self", LANDLOCK_RESTRICT_SELF},
    {"membarrier", SYS_membarrier},
    {"memfd_create", SYS_memfd_create},
    {"openat2", SYS_openat2},
    {"pidfd_getfd", PIDFD_GETFD},
    {"preadv2", SYS_preadv2},
    {"pwritev2", SYS_pwritev2},
    {"recvmmsg", SYS_recvmmsg},
    {"sched_setscheduler", SYS_sched_setscheduler},
    {"seccomp", SYS_seccomp},
    {"sendfile", SYS_sendfile},
    {"splice", SYS_splice},
    {"statx", SYS_statx},
};

/* The call's number; 0, which is no call here, for an unknown name. */
static unsigned number_of(const char *name)
{
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        if (strcmp(name, calls[i].name) == 0) return calls[i].number;
    return 0;
}

int main(int argc, char *argv[])
{
    struct sock_filter code[2 * CALLS_MAX + 2] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    };
    unsigned short length = 1;

    if (argc < 4) {
        fputs("usage: without CALL[,CALL]... EPERM|ENOSYS PROGRAM [ARGUMENT]...\n", stderr);
        return 2;
    }
    const unsigned error = strcmp(argv[2], "EPERM") == 0 ? EPERM : ENOSYS;
    for (char *rest, *name = strtok_r(argv[1], ",", &rest); name != NULL; name = strtok_r(NULL, ",", &rest)) {
        const unsigned number = number_of(name);
        if (number == 0 || length > 2 * CALLS_MAX - 1) {
            fprintf(stderr, "without: %s: not a call that it knows, or one too many\n", name);
            return 2;
        }
        code[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1);
        code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error);
    }
    code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    const struct sock_fprog program = {.len = length, .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0) {
        perror("without");
        return 1;
    }
    execv(argv[3], argv + 3);
    perror(argv[3]);
    return 1;
}
