/*
 * The daemon as a process; see process.h. Main thread only, except the signal handler, which runs on any thread and
 * only writes to an eventfd. Owns the detached child until its report arrived.
 */
#include "process.h"

#include "sys_setup.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ENTRY_BYTES = 64 * 1024, GROUPS_MAX = 65536 };

/* ---- identity ------------------------------------------------------------------------------------------------- */

/* A decimal id; 2^32 - 1 means "unchanged" to setresuid(2) and is nobody's. */
static bool parse_id(const char *text, uint32_t *out)
{
    if (text[0] < '0' || text[0] > '9') {
        return false;
    }
    char *end = NULL;
    const unsigned long long value = strtoull(text, &end, 10);
    if (*end != '\0' || value >= UINT32_MAX) {
        return false;
    }
    *out = (uint32_t)value;
    return true;
}

int sfd_process_user(const char *user, uid_t *uid, gid_t *gid)
{
    struct passwd entry;
    struct passwd *found = NULL;
    char *buf = malloc(ENTRY_BYTES);
    if (buf == NULL) {
        return -ENOMEM;
    }
    uint32_t id = 0;
    const bool numeric = parse_id(user, &id);
    int error = getpwnam_r(user, &entry, buf, ENTRY_BYTES, &found);
    if (found == NULL && numeric) {
        error = getpwuid_r((uid_t)id, &entry, buf, ENTRY_BYTES, &found);
    }
    int result = 0;
    if (found != NULL) {
        *uid = entry.pw_uid;
        *gid = entry.pw_gid;
    } else if (numeric) {
        *uid = (uid_t)id;
        *gid = (gid_t)id;
    } else {
        /* getpwnam(3): "0 or ENOENT or ESRCH or EBADF or EPERM or ..." all mean that the name was not found. */
        result = error == ENOMEM || error == ERANGE || error == EIO ? -error : -ENOENT;
    }
    free(buf);
    return result;
}

int sfd_process_group(const char *group, gid_t *gid)
{
    struct group entry;
    struct group *found = NULL;
    char *buf = malloc(ENTRY_BYTES);
    if (buf == NULL) {
        return -ENOMEM;
    }
    int result = 0;
    uint32_t id = 0;
    const int error = getgrnam_r(group, &entry, buf, ENTRY_BYTES, &found);
    if (found != NULL) {
        *gid = entry.gr_gid;
    } else if (parse_id(group, &id)) {
        *gid = (gid_t)id;
    } else {
        result = error == ENOMEM || error == ERANGE || error == EIO ? -error : -ENOENT;
    }
    free(buf);
    return result;
}

/* The groups of UID as the group database has them, GID among them; a uid without an entry has GID only. */
static int groups_of(uid_t uid, gid_t gid, gid_t *groups, int *count)
{
    struct passwd entry;
    struct passwd *found = NULL;
    char *buf = malloc(ENTRY_BYTES);
    if (buf == NULL) {
        return -ENOMEM;
    }
    int result = 0;
    (void)getpwuid_r(uid, &entry, buf, ENTRY_BYTES, &found);
    if (found == NULL) {
        groups[0] = gid;
        *count = 1;
    } else if (getgrouplist(entry.pw_name, gid, groups, count) < 0) {
        result = -ERANGE;
    }
    free(buf);
    return result;
}

static bool contains(const gid_t *groups, int count, gid_t gid)
{
    for (int i = 0; i < count; i++) {
        if (groups[i] == gid) {
            return true;
        }
    }
    return false;
}

static int verify_ids(const struct sfd_sys_setup *sys, uid_t uid, gid_t gid)
{
    uid_t ruid;
    uid_t euid;
    uid_t suid;
    gid_t rgid;
    gid_t egid;
    gid_t sgid;
    int result = sys->getresuid(&ruid, &euid, &suid);
    if (result < 0) {
        return result;
    }
    result = sys->getresgid(&rgid, &egid, &sgid);
    if (result < 0) {
        return result;
    }
    const bool same =
        ruid == uid && euid == uid && suid == uid && rgid == gid && egid == gid && sgid == gid;
    return same ? 0 : -ENOTRECOVERABLE;
}

int sfd_process_become(const struct sfd_sys_setup *sys, uid_t uid, gid_t gid)
{
    uid_t ruid;
    uid_t euid;
    uid_t suid;
    int result = sys->getresuid(&ruid, &euid, &suid);
    if (result < 0) {
        return result;
    }
    if (euid != 0) {
        return verify_ids(sys, uid, gid) == 0 ? 0 : -EPERM;
    }
    gid_t *wanted = calloc(GROUPS_MAX, sizeof *wanted);
    gid_t *actual = calloc(GROUPS_MAX, sizeof *actual);
    if (wanted == NULL || actual == NULL) {
        result = -ENOMEM;
        goto done;
    }
    int wanted_count = GROUPS_MAX;
    result = groups_of(uid, gid, wanted, &wanted_count);
    if (result < 0) {
        goto done;
    }
    /* Groups first: setgroups(2) needs the privilege that setresuid gives up. glibc sets every thread of the process. */
    result = sys->setgroups((size_t)wanted_count, wanted);
    if (result < 0) {
        goto done;
    }
    result = sys->setresgid(gid, gid, gid);
    if (result < 0) {
        goto done;
    }
    result = sys->setresuid(uid, uid, uid);
    if (result < 0) {
        goto done;
    }
    result = verify_ids(sys, uid, gid);
    if (result < 0) {
        goto done;
    }
    const int actual_count = sys->getgroups(GROUPS_MAX, actual);
    if (actual_count < 0) {
        result = actual_count;
        goto done;
    }
    for (int i = 0; i < actual_count; i++) {
        if (!contains(wanted, wanted_count, actual[i])) {
            result = -ENOTRECOVERABLE;
            goto done;
        }
    }
    if (uid != 0 && sys->setresuid(0, 0, 0) >= 0) {
        result = -ENOTRECOVERABLE;
    }

done:
    free(wanted);
    free(actual);
    return result;
}

/* ---- limits --------------------------------------------------------------------------------------------------- */

int64_t sfd_process_raise_open_files(const struct sfd_sys_setup *sys)
{
    struct rlimit limit;
    const int result = sys->getrlimit(RLIMIT_NOFILE, &limit);
    if (result < 0) {
        return result;
    }
    if (limit.rlim_cur != limit.rlim_max) {
        const struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
        /* RLIM_INFINITY as hard limit is refused above fs.nr_open: then the soft limit stays, which is no failure. */
        if (sys->setrlimit(RLIMIT_NOFILE, &raised) >= 0) {
            limit = raised;
        }
    }
    return limit.rlim_cur > (rlim_t)INT64_MAX ? INT64_MAX : (int64_t)limit.rlim_cur;
}

/* ---- signals -------------------------------------------------------------------------------------------------- */

/*
 * A handler has no argument of ours, so its descriptor and the dispositions to restore are the one piece of state with
 * static storage in the core. signalfd(2) would avoid it, but needs the signals blocked in every thread, and the
 * threads of a JVM exist before us.
 */
static volatile sig_atomic_t signal_fd = -1;
static struct sigaction previous_term;
static struct sigaction previous_int;

/* The counter of an eventfd adds up, so a wait can tell which signals came; no number of signals fills 2^64 - 2. */
enum { INT_WEIGHT = 1, TERM_WEIGHT = 1 << 20 };

static void note_signal(int number)
{
    const int saved = errno; /* the interrupted code's */
    const uint64_t value = number == SIGTERM ? TERM_WEIGHT : INT_WEIGHT;
    const ssize_t n = write((int)signal_fd, &value, sizeof value);
    (void)n;
    errno = saved;
}

int sfd_process_signals_open(void)
{
    const struct sfd_sys_setup *sys = &sfd_sys_setup_linux;
    if (signal_fd >= 0) {
        return -EALREADY;
    }
    const int fd = sys->eventfd(0, EFD_CLOEXEC);
    if (fd < 0) {
        return fd;
    }
    signal_fd = fd;
    struct sigaction note = {.sa_flags = SA_RESTART | SA_ONSTACK};
    note.sa_handler = note_signal;
    sigfillset(&note.sa_mask);
    struct sigaction ignore = {.sa_flags = 0};
    ignore.sa_handler = SIG_IGN;
    int result = sys->sigaction(SIGTERM, &note, &previous_term);
    if (result < 0) {
        goto fail;
    }
    result = sys->sigaction(SIGINT, &note, &previous_int);
    if (result < 0) {
        goto fail_term;
    }
    result = sys->sigaction(SIGHUP, &ignore, NULL);
    if (result < 0) {
        goto fail_int;
    }
    return fd;

fail_int:
    sys->sigaction(SIGINT, &previous_int, NULL);
fail_term:
    sys->sigaction(SIGTERM, &previous_term, NULL);
fail:
    signal_fd = -1;
    sys->close(fd);
    return result;
}

int sfd_process_signal_wait(int fd, int timeout_ms)
{
    const struct sfd_sys_setup *sys = &sfd_sys_setup_linux;
    const int ready = sys->await_readable(fd, timeout_ms);
    if (ready <= 0) {
        return ready;
    }
    uint64_t value = 0;
    const ssize_t n = sys->read(fd, &value, sizeof value);
    if (n < 0) {
        return (int)n;
    }
    return value >= TERM_WEIGHT ? SIGTERM : SIGINT;
}

void sfd_process_signal_wake(int fd)
{
    const uint64_t value = INT_WEIGHT;
    (void)sfd_sys_setup_linux.write(fd, &value, sizeof value);
}

void sfd_process_signals_close(int fd)
{
    const struct sfd_sys_setup *sys = &sfd_sys_setup_linux;
    if (fd < 0 || fd != (int)signal_fd) {
        return;
    }
    sys->sigaction(SIGTERM, &previous_term, NULL);
    sys->sigaction(SIGINT, &previous_int, NULL);
    signal_fd = -1;
    sys->close(fd);
}

/* ---- report to a waiting parent ------------------------------------------------------------------------------- */

/*
 * A JVM that was given nothing on descriptor 3 has a file of its own there, opened for reading; a report there, and
 * the close after it, would be the end of it.
 */
int sfd_process_report_check(int fd)
{
    const struct sfd_sys_setup *sys = &sfd_sys_setup_linux;
    const int flags = sys->fcntl(fd, F_GETFL, 0);
    if (flags < 0) {
        return flags;
    }
    struct stat st;
    const int result = sys->fstat(fd, &st);
    if (result < 0) {
        return result;
    }
    const bool takes =
        S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || S_ISCHR(st.st_mode) || S_ISREG(st.st_mode);
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

/* The numbers 0 to 3 are what the child gets; what must survive until it has them stands above. */
enum { CHILD_FD_FLOOR = 10, CLOSE_ALL_FALLBACK = 65536 };

static int move_up(const struct sfd_sys_setup *sys, int fd)
{
    const int moved = sys->fcntl(fd, F_DUPFD_CLOEXEC, CHILD_FD_FLOOR);
    sys->close(fd);
    return moved;
}

/* After fork in a program with threads: calls that are async-signal-safe only (signal-safety(7)). */
static _Noreturn void run_child(const struct sfd_sys_setup *sys, const char *path,
                                char *const argv[], int null_fd, int report_fd)
{
    struct sigaction standard = {.sa_flags = 0};
    standard.sa_handler = SIG_DFL;
    for (int number = 1; number < NSIG; number++) {
        struct sigaction current;
        if (sys->sigaction(number, NULL, &current) == 0 && current.sa_handler != SIG_IGN) {
            sys->sigaction(number, &standard, NULL);
        }
    }
    int result = sys->setsid();
    if (result >= 0) {
        result = sys->dup2(null_fd, STDIN_FILENO);
    }
    if (result >= 0) {
        result = sys->dup2(null_fd, STDOUT_FILENO);
    }
    if (result >= 0 && sys->fcntl(STDERR_FILENO, F_GETFD, 0) < 0) {
        result = sys->dup2(null_fd, STDERR_FILENO);
    }
    if (result >= 0) {
        result = sys->dup2(report_fd, SFD_PROCESS_REPORT_FD);
    }
    if (result >= 0) {
        if (sys->close_range(SFD_PROCESS_REPORT_FD + 1, ~0U) < 0) {
            for (int fd = SFD_PROCESS_REPORT_FD + 1; fd < CLOSE_ALL_FALLBACK; fd++) {
                sys->close(fd);
            }
        }
        report_fd = SFD_PROCESS_REPORT_FD;
        sigset_t none;
        sigemptyset(&none);
        result = sys->thread_sigmask(SIG_SETMASK, &none, NULL);
    }
    if (result >= 0) {
        result = sys->execv(path, argv);
    }
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
        if (n < 0) {
            return (int)n;
        }
        if (n == 0) {
            return -ECHILD;
        }
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
    if (result < 0) {
        return result;
    }
    result = move_up(sys, fds[1]);
    fds[1] = result;
    if (result < 0) {
        goto done;
    }
    result = sys->openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0);
    if (result < 0) {
        goto done;
    }
    result = move_up(sys, result);
    null_fd = result;
    if (result < 0) {
        goto done;
    }
    /* No handler of this program may run in the child. */
    sigset_t all;
    sigset_t previous;
    sigfillset(&all);
    result = sys->thread_sigmask(SIG_SETMASK, &all, &previous);
    if (result < 0) {
        goto done;
    }
    const pid_t pid = sys->fork();
    if (pid == 0) {
        run_child(sys, path, argv, null_fd, fds[1]);
    }
    sys->thread_sigmask(SIG_SETMASK, &previous, NULL);
    sys->close(fds[1]);
    fds[1] = -1;
    result = pid < 0 ? (int)pid : read_report(sys, fds[0]);

done:
    if (null_fd >= 0) {
        sys->close(null_fd);
    }
    if (fds[1] >= 0) {
        sys->close(fds[1]);
    }
    sys->close(fds[0]);
    return result;
}

/* The whole file, however long, and a NUL behind it; the caller frees. */
static int read_file(const struct sfd_sys_setup *sys, const char *path, char **out, size_t *length)
{
    const int fd = sys->openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) {
        return fd;
    }
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
            if (grown == NULL) {
                free(buf);
            }
            buf = grown;
        }
    }
    sys->close(fd);
    if (buf == NULL) {
        return -ENOMEM;
    }
    if (result < 0) {
        free(buf);
        return result;
    }
    buf[used] = '\0';
    *out = buf;
    *length = used;
    return 0;
}

int sfd_process_detach(void)
{
    const struct sfd_sys_setup *sys = &sfd_sys_setup_linux;
    char path[PATH_MAX];
    char *line = NULL;
    size_t length = 0;
    /* The real path, so that the process goes by its own name; a replaced executable (" (deleted)") by the link. */
    const ssize_t n = sys->readlink("/proc/self/exe", path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    struct stat st;
    if (n <= 0 || sys->fstatat(AT_FDCWD, path, &st, 0) < 0) {
        memcpy(path, "/proc/self/exe", sizeof "/proc/self/exe");
    }
    int result = read_file(sys, "/proc/self/cmdline", &line, &length);
    if (result < 0) {
        return result;
    }
    size_t count = 0;
    for (size_t i = 0; i < length; i++) {
        count += line[i] == '\0';
    }
    char **argv = calloc(count + 2, sizeof *argv);
    if (argv == NULL || count == 0) {
        result = count == 0 ? -EINVAL : -ENOMEM;
        goto done;
    }
    char marker[] = SFD_PROCESS_DETACHED;
    size_t next = 0;
    for (size_t i = 0; i < length; i += strlen(line + i) + 1) {
        argv[next++] = line + i;
        if (next == 1) {
            argv[next++] = marker;
        }
    }
    result = sfd_process_spawn_detached(path, argv);

done:
    free(argv);
    free(line);
    return result;
}

int sfd_process_detached_finish(void)
{
    const struct sfd_sys_setup *sys = &sfd_sys_setup_linux;
    int result = sys->chdir("/");
    if (result < 0) {
        return result;
    }
    const int fd = sys->openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0);
    if (fd < 0) {
        return fd;
    }
    result = sys->dup2(fd, STDERR_FILENO);
    sys->close(fd);
    return result < 0 ? result : 0;
}
