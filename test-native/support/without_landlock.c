/*
 * without_landlock PROGRAM [ARGUMENT]...: runs a program for which the kernel has no Landlock, as an older one has
 * none: a filter answers ENOSYS. With -s first the kernel seems to have no seccomp filters either.
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

#define LANDLOCK_CREATE_RULESET 444

int main(int argc, char *argv[])
{
    const int all = argc > 1 && strcmp(argv[1], "-s") == 0;
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, LANDLOCK_CREATE_RULESET, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, all ? SYS_seccomp : LANDLOCK_CREATE_RULESET, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

    if (argc < 2 + all) return 2;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0) {
        perror("without_landlock");
        return 1;
    }
    execv(argv[1 + all], argv + 1 + all);
    perror(argv[1 + all]);
    return 1;
}
