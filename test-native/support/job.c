/*
 * job: runs a command as an interactive shell does, on a terminal of its own: job COMMAND [ARGUMENT]...
 *
 * Prints a line with the path of the terminal, 80 columns by 24 lines, and the pid of the command, which is the
 * foreground job of its session. From then on what comes on standard input is typed there, and what is written there
 * goes to standard output. Once the command has ended, and all of that is copied, a line "[ended STATUS]", as $? would
 * be. The terminal stays until standard input ends, for others to look at its settings.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static int fail(const char *what)
{
    perror(what);
    return 1;
}

/* Leads the session, and tells the pid of the job and, when it has ended, its status. */
static int be_shell(const char *path, int tell, char **command)
{
    int status = 0;

    if (setsid() < 0) return fail("job: setsid");
    const int line = open(path, O_RDWR);
    if (line < 0 || ioctl(line, TIOCSCTTY, 0) < 0) return fail("job: terminal");
    (void)signal(SIGTTOU, SIG_IGN);
    const pid_t job = fork();
    if (job < 0) return fail("job: fork");
    if (job == 0) {
        (void)setpgid(0, 0);
        (void)tcsetpgrp(line, getpid());
        (void)signal(SIGTTOU, SIG_DFL);
        for (int fd = 0; fd < 3; fd++)
            (void)dup2(line, fd);
        (void)close(line);
        (void)execvp(command[0], command);
        _exit(127);
    }
    (void)setpgid(job, job);
    (void)tcsetpgrp(line, job);
    int told = (int)job;
    if (write(tell, &told, sizeof(told)) < 0) return fail("job: tell");
    while (waitpid(job, &status, 0) < 0 && errno == EINTR)
        continue;
    told = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return write(tell, &told, sizeof(told)) < 0 ? fail("job: tell") : 0;
}

/* What can be read of one descriptor goes to the other. Gives false at its end. */
static int copy(int from, int to)
{
    char buffer[4096];
    const ssize_t n = read(from, buffer, sizeof(buffer));

    for (ssize_t done = 0; done < n;) {
        const ssize_t put = write(to, buffer + done, (size_t)(n - done));
        if (put < 0) return 0;
        done += put;
    }
    return n > 0;
}

int main(int argc, char **argv)
{
    const struct winsize size = {.ws_row = 24, .ws_col = 80};
    const int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    int shell[2];
    int told = 0;

    if (argc < 2 || master < 0 || grantpt(master) < 0 || unlockpt(master) < 0) return fail("job: posix_openpt");
    /* Held, so that its settings outlive the job. */
    const int line = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (line < 0 || ioctl(line, TIOCSWINSZ, &size) < 0 || pipe(shell) < 0) return fail("job: terminal");
    if (fcntl(shell[0], F_SETFD, FD_CLOEXEC) < 0 || fcntl(shell[1], F_SETFD, FD_CLOEXEC) < 0) return fail("job: pipe");
    (void)signal(SIGPIPE, SIG_IGN);
    const pid_t child = fork();
    if (child < 0) return fail("job: fork");
    if (child == 0) {
        const char *path = ptsname(master);
        (void)close(master); /* it hangs up when this process ends */
        (void)close(line);
        return be_shell(path, shell[1], argv + 1);
    }
    (void)close(shell[1]);
    if (read(shell[0], &told, sizeof(told)) != (ssize_t)sizeof(told)) return fail("job: start");
    printf("%s %d\n", ptsname(master), told);
    (void)fflush(stdout);

    struct pollfd fds[] = {{shell[0], POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}, {master, POLLIN, 0}};
    while (poll(fds, 3, -1) > 0) {
        if (fds[2].revents != 0) {
            if (!copy(master, STDOUT_FILENO)) fds[2].fd = -1;
        } else if (fds[0].revents != 0) {
            if (read(shell[0], &told, sizeof(told)) == (ssize_t)sizeof(told)) printf("\n[ended %d]\n", told);
            (void)fclose(stdout);
            fds[0].fd = fds[2].fd = -1;
        }
        if (fds[1].revents != 0 && !copy(STDIN_FILENO, master)) break; /* the terminal goes with this process */
    }
    return 0;
}
