/*
 * Where the daemon's messages go, so that writing them waits for nobody; see process.h. Main thread, before the engine
 * starts. Owns nothing.
 */
#include "process/process.h"

#include "sys/sys_setup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Major numbers of terminals: consoles and serial lines, /dev/tty and /dev/console, pseudo-terminals (devices.txt). */
static bool is_terminal(dev_t device)
{
    const unsigned number = major(device);
    return number == 4 || number == 5 || (number >= 136 && number <= 143);
}

/* A description of its own: O_NONBLOCK on the one that we have would be everybody's who shares it. */
static void unblock(const struct sfd_sys_setup *sys, int fd)
{
    char path[32];
    struct stat st;

    if (sys->fstat(fd, &st) < 0) return;
    if (!S_ISFIFO(st.st_mode) && !(S_ISCHR(st.st_mode) && is_terminal(st.st_rdev))) return;
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    const int own = sys->openat(AT_FDCWD, path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
    if (own < 0) return;
    (void)sys->dup2(own, fd);
    sys->close(own);
}

void sfd_process_output_unblock(void)
{
    unblock(&sfd_sys_setup_linux, STDOUT_FILENO);
    unblock(&sfd_sys_setup_linux, STDERR_FILENO);
}

int sfd_process_log_open(const char *path, mode_t mode)
{
    const struct sfd_sys_setup *sys = &sfd_sys_setup_linux;
    uid_t real;
    uid_t effective;
    uid_t saved;
    struct stat st;
    /* In a directory where others can make files: none of theirs, and no link. O_NONBLOCK: a FIFO must not hold us. */
    const int fd =
        sys->openat(AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, mode);
    if (fd < 0) return fd;
    int result = sys->fstat(fd, &st);
    if (result == 0) result = sys->getresuid(&real, &effective, &saved);
    if (result == 0 && (!S_ISREG(st.st_mode) || st.st_uid != effective || st.st_nlink != 1)) result = -EEXIST;
    if (result == 0) return fd;
    sys->close(fd);
    return result;
}
