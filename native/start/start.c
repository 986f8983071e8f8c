/*
 * sendfiled-start [--data] PROGRAM ARGUMENT...: becomes the program (a Java virtual machine), with what a JVM needs and
 * a parent may have left otherwise. The launchers run it, and the daemon when it starts its child in the background.
 *
 * - Standard input, output and error are open: else the JVM's own files get these numbers, and it prints into them.
 * - SIGHUP and SIGUSR1 are ignored until the daemon takes them: they would end a JVM that is just starting.
 * - No signal is blocked. A JVM's threads inherit what is blocked here for good: the sandbox could not reach them, nor
 * the watchdog, nor SIGTERM.
 * - The working directory has a name. A JVM does not start without (it was removed, or is deeper than PATH_MAX): it
 * gets
 * "/" instead, and a descriptor of the other, where the property sendfiled.directory says.
 * - As many threads can be started as the daemon needs at its start. A JVM that cannot start one of its own prints
 * pages, or aborts, and cannot report to a parent.
 *
 * With --data, for a program that writes data to standard output, there is no such demand for threads, and the signals
 * are left as they are. Instead standard output is the same as standard error, for what the JVM itself has to say
 * (warnings, the threads after SIGQUIT, agents), and the property sendfiled.output has the descriptor for data: -1 if
 * standard output was closed.
 *
 * One thread until it proves the last point; never waits. Owns nothing that outlives it.
 */
#include "process/process.h"
#include "sys/sys_setup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A JVM with the serial collector has 14 at most, the daemon 8 loops, a spare one, two of its own, and a few for disks.
 */
enum { THREADS_NEEDED = 32, STACK_BYTES = 64 * 1024 };

/* Descriptors for the JVM are at this number or above: those below may be a caller's. A property has room for one. */
enum { FD_FLOOR = 10, PROPERTY_MAX = 64 };

static const struct sfd_sys_setup *const sys = &sfd_sys_setup_linux;

static void open_standard(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (sys->fcntl(fd, F_GETFD, 0) < 0)
            (void)sys->openat(AT_FDCWD, "/dev/null", O_RDWR, 0); /* the lowest free one */
}

/* Gives the descriptor for data; -1 if there is none. */
static int divert_output(void)
{
    const int data = sys->fcntl(STDOUT_FILENO, F_DUPFD, FD_FLOOR);

    open_standard();
    (void)sys->dup2(STDERR_FILENO, STDOUT_FILENO);
    return data < 0 ? -1 : data;
}

/* Gives a descriptor of the working directory, and leaves it; -1 if it has a name. */
static int leave_nameless_directory(void)
{
    char name[PATH_MAX];
    int low;
    int fd;

    if (getcwd(name, sizeof(name)) != NULL) return -1;
    low = sys->openat(AT_FDCWD, ".", O_PATH | O_DIRECTORY, 0);
    fd = low < 0 ? low : sys->fcntl(low, F_DUPFD, FD_FLOOR);
    if (low >= 0) (void)sys->close(low);
    (void)sys->chdir("/");
    return fd < 0 ? INT_MAX : fd; /* a number of nothing: relative names are missing then */
}

/* From the first instruction on what an operator asks for ends nobody; the daemon takes the signals when it can. */
static void ignore_orders(void)
{
    const struct sigaction ignore = {.sa_handler = SIG_IGN};

    (void)sys->sigaction(SIGHUP, &ignore, NULL);
    (void)sys->sigaction(SIGUSR1, &ignore, NULL);
}

static void unblock_signals(void)
{
    sigset_t none;

    sigemptyset(&none);
    (void)sys->thread_sigmask(SIG_SETMASK, &none, NULL);
}

/* ---- threads ---------------------------------------------------------------------------------------------------- */

static void *wait_for_others(void *gate)
{
    pthread_mutex_lock(gate);
    pthread_mutex_unlock(gate);
    return NULL;
}

/* Starts them all, and lets them end together. How many there were. */
static int start_threads(int *error)
{
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    pthread_t threads[THREADS_NEEDED];
    pthread_attr_t attributes;
    int count = 0;

    *error = pthread_attr_init(&attributes);
    if (*error != 0) return 0;
    (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
    pthread_mutex_lock(&gate);
    while (count < THREADS_NEEDED && *error == 0) {
        *error = pthread_create(&threads[count], &attributes, wait_for_others, &gate);
        if (*error == 0) count++;
    }
    pthread_mutex_unlock(&gate);
    for (int i = 0; i < count; i++)
        (void)pthread_join(threads[i], NULL);
    (void)pthread_attr_destroy(&attributes);
    return count;
}

/* ---- the parent that waits for a report ------------------------------------------------------------------------- */

/* A bundle of short options; those that take a value end it. */
static bool has_sync(const char *bundle)
{
    while (*bundle != '\0' && strchr("dhV", *bundle) != NULL)
        bundle++;
    return *bundle == 'p';
}

/* As far as that can be told without the table of options: a value that looks like -p counts as well. */
static bool parent_waits(char *const *arguments)
{
    bool ours = false; /* behind -jar FILE */

    for (; *arguments != NULL; arguments++) {
        if (strcmp(*arguments, SFD_PROCESS_DETACHED) == 0) return true;
        if (ours && (strcmp(*arguments, "--sync") == 0 || ((*arguments)[0] == '-' && has_sync(*arguments + 1))))
            return true;
        if (strcmp(*arguments, "-jar") == 0) ours = true;
    }
    return false;
}

static int give_up(char *const *arguments, int error)
{
    if (parent_waits(arguments) && sfd_process_report_check(SFD_PROCESS_REPORT_FD) == 0)
        (void)sfd_process_report(SFD_PROCESS_REPORT_FD, error);
    return 1;
}

static int become(char **arguments)
{
    const int error = -sys->execv(arguments[0], arguments);

    (void)fprintf(stderr, "sendfiled: cannot run %s: %s\n", arguments[0], strerror(error));
    return give_up(arguments, error);
}

static int demand_threads(char *const *arguments)
{
    int error;
    const int threads = start_threads(&error);

    if (error == 0) return 0;
    (void)fprintf(
        stderr,
        "sendfiled: cannot start: it needs %d threads, and may have %d: %s (see ulimit -u, and pids.max of its "
        "control group)\n",
        THREADS_NEEDED, threads, strerror(error));
    return give_up(arguments, error);
}

int main(int count, char **arguments)
{
    const bool has_data = count > 1 && strcmp(arguments[1], "--data") == 0;
    char **const command = arguments + (has_data ? 2 : 1);
    char output[PROPERTY_MAX];
    char directory[PROPERTY_MAX];
    char **all;
    int length = 0;

    if (command[0] == NULL) {
        (void)fprintf(stderr, "usage: sendfiled-start [--data] PROGRAM [ARGUMENT]...\n");
        return 2;
    }
    all = calloc((size_t)count + 2, sizeof(*all)); /* two properties behind the program's name, and NULL */
    if (all == NULL) return give_up(command, ENOMEM);
    all[length++] = command[0];
    if (has_data) {
        (void)snprintf(output, sizeof(output), "-Dsendfiled.output=%d", divert_output());
        all[length++] = output;
    } else {
        open_standard();
    }
    const int left = leave_nameless_directory();
    if (left >= 0) {
        (void)snprintf(directory, sizeof(directory), "-Dsendfiled.directory=/proc/self/fd/%d", left);
        all[length++] = directory;
    }
    for (char **argument = command + 1; *argument != NULL; argument++)
        all[length++] = *argument;
    unblock_signals();
    if (!has_data) ignore_orders();
    const int result = has_data ? 0 : demand_threads(command);
    return result != 0 ? result : become(all);
}
