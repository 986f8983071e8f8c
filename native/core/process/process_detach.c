/*
 * The report to a waiting parent, and the detached child; see process.h. Main thread only. Owns the child until its
 * report has come.
 */
#include "process/process.h"

#include "sys/sys_setup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- report to a waiting parent ------------------------------------------------------------------------------- */

/*
 * A JVM that was started without a descriptor 3 has a file of its own at that number, open for reading. To write a
 * report to it, and close it, would break the JVM.
 */
int sfd_process_report_check(int fd)
{
    const struct sfd_sys_setup *sys = &sfd_sys_setup_linux;
    const int flags = sys->fcntl(fd, F_GETFL, 0);
    if (flags < 0) return flags;
    struct stat st;
    const int result = sys->fstat(fd, &st);
    if (result < 0) return result;
    const bool takes = S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || S_ISCHR(st.st_mode) || S_ISREG(st.st_mode);
    return takes && (flags & O_ACCMODE) != O_RDONLY ? 0 : -EBADF;
}

int sfd_process_report(int fd, int value)
{
    const struct sfd_sys_setup *sys = &sfd_sys_setup_linux;
    const ssize_t n = sys->write(fd, &value, sizeof value);
    sys->close(fd);
    return n < 0 ? (int)n : n == (ssize_t)sizeof value ? 0 : -EIO;
}

/* ---- the detached child --------------------------------------------------------------------------------------- */

/* The child gets the descriptors 0 to 3. Those that it needs until then are kept at this number or above. */
enum { CHILD_FD_FLOOR = 10, CLOSE_ALL_FALLBACK = 65536 };

static int move_up(const struct sfd_sys_setup *sys, int fd)
{
    const int moved = sys->fcntl(fd, F_DUPFD_CLOEXEC, CHILD_FD_FLOOR);
    sys->close(fd);
    return moved;
}

/* After fork in a program with threads: calls that are async-signal-safe only (signal-safety(7)). */
static _Noreturn void run_child(const struct sfd_sys_setup *sys, const char *path, char *const argv[], int null_fd,
                                int report_fd)
{
    struct sigaction standard = {.sa_flags = 0};
    standard.sa_handler = SIG_DFL;
    for (int number = 1; number < NSIG; number++) {
        struct sigaction current;
        if (sys->sigaction(number, NULL, &current) == 0 && current.sa_handler != SIG_IGN)
            sys->sigaction(number, &standard, NULL);
    }
    int result = sys->setsid();
    if (result >= 0) result = sys->dup2(null_fd, STDIN_FILENO);
    if (result >= 0) result = sys->dup2(null_fd, STDOUT_FILENO);
    if (result >= 0 && sys->fcntl(STDERR_FILENO, F_GETFD, 0) < 0) result = sys->dup2(null_fd, STDERR_FILENO);
    if (result >= 0) result = sys->dup2(report_fd, SFD_PROCESS_REPORT_FD);
    if (result >= 0) {
        if (sys->close_range(SFD_PROCESS_REPORT_FD + 1, ~0U) < 0)
            for (int fd = SFD_PROCESS_REPORT_FD + 1; fd < CLOSE_ALL_FALLBACK; fd++)
                sys->close(fd);
        report_fd = SFD_PROCESS_REPORT_FD;
        sigset_t none;
        sigemptyset(&none);
        result = sys->thread_sigmask(SIG_SETMASK, &none, NULL);
    }
    if (result >= 0) result = sys->execv(path, argv);
    const int error = -result;
    (void)sys->write(report_fd, &error, sizeof error);
    _exit(127);
}

static int read_report(const struct sfd_sys_setup *sys, int fd)
{
    int value = 0;
    size_t got = 0;
    while (got < sizeof value) {
        const ssize_t n = sys->read(fd, (char *)&value + got, sizeof value - got);
        if (n < 0) return (int)n;
        if (n == 0) return -ECHILD;
        got += (size_t)n;
    }
    return value;
}

int sfd_process_spawn_detached(const char *path, char *const argv[])
{
    const struct sfd_sys_setup *sys = &sfd_sys_setup_linux;
    int fds[2] = {-1, -1};
    int null_fd = -1;
    int result = sys->pipe2(fds, O_CLOEXEC);
    if (result < 0) return result;
    result = move_up(sys, fds[1]);
    fds[1] = result;
    if (result < 0) goto done;
    result = sys->openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0);
    if (result < 0) goto done;
    result = move_up(sys, result);
    null_fd = result;
    if (result < 0) goto done;
    /* No handler of this program may run in the child. */
    sigset_t all;
    sigset_t previous;
    sigfillset(&all);
    result = sys->thread_sigmask(SIG_SETMASK, &all, &previous);
    if (result < 0) goto done;
    const pid_t pid = sys->fork();
    if (pid == 0) run_child(sys, path, argv, null_fd, fds[1]);
    sys->thread_sigmask(SIG_SETMASK, &previous, NULL);
    sys->close(fds[1]);
    fds[1] = -1;
    result = pid < 0 ? (int)pid : read_report(sys, fds[0]);

done:
    if (null_fd >= 0) sys->close(null_fd);
    if (fds[1] >= 0) sys->close(fds[1]);
    sys->close(fds[0]);
    return result;
}

/* The whole file, however long, and a NUL behind it; the caller frees. */
static int read_file(const struct sfd_sys_setup *sys, const char *path, char **out, size_t *length)
{
    const int fd = sys->openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) return fd;
    int result = 0;
    size_t used = 0;
    size_t size = 4096;
    char *buf = malloc(size);
    while (buf != NULL) {
        const ssize_t n = sys->read(fd, buf + used, size - used - 1);
        if (n <= 0) {
            result = (int)n;
            break;
        }
        used += (size_t)n;
        if (used == size - 1) {
            size *= 2;
            char *grown = realloc(buf, size);
            if (grown == NULL) free(buf);
            buf = grown;
        }
    }
    sys->close(fd);
    if (buf == NULL) return -ENOMEM;
    if (result < 0) {
        free(buf);
        return result;
    }
    buf[used] = '\0';
    *out = buf;
    *length = used;
    return 0;
}

/* The argument that names the program by which the launcher has started this one: native/start. */
#define STARTER "-Dsendfiled.start="

int sfd_process_detach(void)
{
    const struct sfd_sys_setup *sys = &sfd_sys_setup_linux;
    char path[PATH_MAX];
    char *line = NULL;
    size_t length = 0;
    /*
     * The real path, so that the process shows its own name. If the executable was replaced (" (deleted)"), the link.
     */
    const ssize_t n = sys->readlink("/proc/self/exe", path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    struct stat st;
    if (n <= 0 || sys->fstatat(AT_FDCWD, path, &st, 0) < 0) memcpy(path, "/proc/self/exe", sizeof "/proc/self/exe");
    int result = read_file(sys, "/proc/self/cmdline", &line, &length);
    if (result < 0) return result;
    size_t count = 0;
    for (size_t i = 0; i < length; i++)
        count += line[i] == '\0';
    char **argv = calloc(count + 3, sizeof *argv);
    if (argv == NULL || count == 0) {
        result = count == 0 ? -EINVAL : -ENOMEM;
        goto done;
    }
    char marker[] = SFD_PROCESS_DETACHED;
    char *starter = NULL;
    size_t next = 1; /* after the starter */
    argv[next++] = path;
    argv[next++] = marker;
    for (size_t i = strlen(line) + 1; i < length; i += strlen(line + i) + 1) {
        argv[next++] = line + i;
        if (starter == NULL && strncmp(line + i, STARTER, sizeof STARTER - 1) == 0)
            starter = line + i + sizeof STARTER - 1;
    }
    argv[0] = starter;
    result = starter == NULL ? sfd_process_spawn_detached(path, argv + 1) : sfd_process_spawn_detached(starter, argv);

done:
    free(argv);
    free(line);
    return result;
}

int sfd_process_detached_finish(int log_fd)
{
    const struct sfd_sys_setup *sys = &sfd_sys_setup_linux;
    const int null_fd = log_fd >= 0 ? -1 : sys->openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0);
    const int fd = log_fd >= 0 ? log_fd : null_fd;
    int result = sys->chdir("/");
    if (result == 0) result = fd < 0 ? fd : sys->dup2(fd, STDERR_FILENO);
    if (fd >= 0) sys->close(fd);
    return result < 0 ? result : 0;
}
