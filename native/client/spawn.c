/*
 * Starting and ending a daemon as a child process: see <sendfiled/sendfiled.h>.
 *
 * Role: sfd_spawn() and sfd_shutdown(). Thread: any; the calling process may have many threads and
 * much memory, hence posix_spawn(3), which runs none of the caller's code in the child and copies
 * no page tables. Owns the readiness pipe for the duration of a call. Never prints.
 */
#include <sendfiled/sendfiled.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/fd.h"
#include "sys/sys.h"

#define PROGRAM "sendfiled"

/* The descriptor on which `sendfiled -p` reports one native int: 0 when it is ready, else an errno. */
#define READINESS_FD 3

/* What the daemon exits with when it does not understand its arguments. */
#define EXIT_USAGE 2

/* With another libc the child inherits those descriptors of the caller that lack FD_CLOEXEC. */
#ifdef __GLIBC__
#if __GLIBC_PREREQ(2, 34)
#define CAN_CLOSE_FROM
#endif
#endif

/* Digits, sign and NUL of an int. */
#define INT_TEXT 12

static const struct sfd_sys *const sys = &sfd_sys_linux;

/* waitpid(2) that goes on after a signal. The status, which is never negative, or -errno. */
static int wait_for(pid_t pid)
{
    int status;
    pid_t waited;

    do {
        waited = waitpid(pid, &status, 0);
    } while (waited < 0 && errno == EINTR);
    return waited < 0 ? -errno : status;
}

/*
 * The child's descriptors: /dev/null as 0 to 2, the pipe as 3, nothing else. The order matters: the pipe itself may be
 * 0, 1 or 2 when the caller has closed those.
 */
static int add_descriptors(posix_spawn_file_actions_t *actions, int readiness)
{
    /* Clears FD_CLOEXEC even when the two numbers are the same (glibc 2.29, POSIX.1-2024). */
    int error = posix_spawn_file_actions_adddup2(actions, readiness, READINESS_FD);

    for (int fd = STDIN_FILENO; error == 0 && fd <= STDERR_FILENO; fd++)
        error = posix_spawn_file_actions_addopen(actions, fd, "/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY, 0);
#ifdef CAN_CLOSE_FROM
    if (error == 0) error = posix_spawn_file_actions_addclosefrom_np(actions, READINESS_FD + 1);
#endif
    return -error;
}

/*
 * A caller that blocks or ignores signals (a JVM, a server with signalfd) would otherwise start a
 * daemon that SIGTERM cannot end.
 */
static int set_signals(posix_spawnattr_t *attributes)
{
    static const int handled[] = {SIGHUP, SIGINT, SIGQUIT, SIGPIPE, SIGTERM, SIGCHLD};
    sigset_t none;
    sigset_t defaults;

    sigemptyset(&none);
    sigemptyset(&defaults);
    for (size_t i = 0; i < sizeof handled / sizeof handled[0]; i++)
        sigaddset(&defaults, handled[i]);

    int error = posix_spawnattr_setsigmask(attributes, &none);

    if (error == 0) error = posix_spawnattr_setsigdefault(attributes, &defaults);
    if (error == 0) error = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    return -error;
}

/* The working directory was removed, or lies outside a chroot(2). No JVM starts in such a directory. */
static bool is_working_directory_gone(void)
{
    char path[PATH_MAX];

    return getcwd(path, sizeof path) == NULL;
}

/*
 * Starts the program with `readiness` (borrowed) as descriptor 3, in the caller's working directory or, with `in_root`,
 * in the root directory. 0 or -errno.
 */
static int start(char *const *arguments, int readiness, bool in_root, pid_t *out)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int result = -posix_spawn_file_actions_init(&actions);

    if (result < 0) return result;
    result = -posix_spawnattr_init(&attributes);
    if (result == 0) {
        result = add_descriptors(&actions, readiness);
        if (result == 0 && in_root) result = -posix_spawn_file_actions_addchdir_np(&actions, "/");
        if (result == 0) result = set_signals(&attributes);
        if (result == 0) result = -posix_spawnp(out, PROGRAM, &actions, &attributes, arguments, environ);
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return result;
}

/* Waits for the daemon's report. 1: it is in *out; 0: end of file came first; or -errno. */
static int read_readiness(int fd, int *out)
{
    int said = 0;
    size_t have = 0;

    while (have < sizeof said) {
        const ssize_t n = read(fd, (char *)&said + have, sizeof said - have);

        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -errno;
        if (n == 0) return 0;
        have += (size_t)n;
    }
    *out = said;
    return 1;
}

/*
 * The outcome, from the report on the readiness pipe: the pid, 0 (an instance runs already) or -errno. Waits for the
 * child, unless it gives the pid.
 */
static int judge(pid_t pid, int heard, int said)
{
    if (heard == 1 && said == 0) return pid;
    if (heard != 1) {
        /* It usually ends by itself; but the program called "sendfiled" may be any other, and may go on. */
        (void)kill(pid, SIGTERM);
    }

    const int status = wait_for(pid);

    if (heard < 0) return heard;
    if (heard == 0) {
        const bool usage = status >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_USAGE;

        return usage ? -EINVAL : -EIO;
    }
    if (said == EADDRINUSE) return 0;
    return said > 0 ? -said : -EIO;
}

static int spawn(char *const *arguments, bool in_root)
{
    int fds[2];
    pid_t pid = -1;

    if (pipe2(fds, O_CLOEXEC) < 0) return -errno;

    int result = start(arguments, fds[1], in_root, &pid);

    /* Our write end is closed before the read: otherwise a daemon that ends without a report would not give end of
     * file.
     */
    sfd_fd_close(sys, &fds[1]);
    if (result == 0) {
        int said = 0;
        const int heard = read_readiness(fds[0], &said);

        result = judge(pid, heard, said);
    }
    sfd_fd_close(sys, &fds[0]);
    return result;
}

pid_t sfd_spawn(const char *server_name, const char *root_dir, const char *sockdir, int maxfiles,
                int open_fd_timeout_ms)
{
    if (server_name == NULL || root_dir == NULL || sockdir == NULL || maxfiles <= 0 || open_fd_timeout_ms <= 0) {
        errno = EINVAL;
        return -1;
    }

    const bool gone = is_working_directory_gone();

    if (gone && (root_dir[0] != '/' || sockdir[0] != '/')) {
        errno = ENOENT;
        return -1;
    }

    char transfers[INT_TEXT];
    char timeout[INT_TEXT];

    (void)snprintf(transfers, sizeof transfers, "%d", maxfiles);
    (void)snprintf(timeout, sizeof timeout, "%d", open_fd_timeout_ms);

    /* The options of the original and no other: the program of that name on PATH may be the original. */
    const char *const arguments[] = {
        PROGRAM, "-S", sockdir, "-s", server_name, "-r", root_dir, "-n", transfers, "-t", timeout, "-p", NULL,
    };
    /* execve(2) does not write to the strings; its prototype only lacks the const. */
    const int result = spawn((char *const *)(uintptr_t)arguments, gone);

    if (result < 0) {
        errno = -result;
        return -1;
    }
    return result;
}

int sfd_shutdown(pid_t pid)
{
    if (pid <= 0) {
        errno = EINVAL;
        return -1;
    }
    if (kill(pid, SIGTERM) < 0) return -1;

    const int status = wait_for(pid);

    if (status < 0) {
        errno = -status;
        return -1;
    }
    return status;
}
