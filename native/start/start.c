/*
 * sendfiled-start PROGRAM ARGUMENT...: becomes the program (a Java virtual machine), with what a JVM needs and a parent
 * may have left otherwise. The launcher runs it, and the daemon when it starts its child in the background.
 *
 * - Standard input, output and error are open: else the JVM's own files get these numbers, and it prints into them.
 * - No signal is blocked. A JVM's threads inherit what is blocked here for good: the sandbox could not reach them, nor
 * the watchdog, nor SIGTERM.
 * - As many threads can be started as the daemon needs at its start. A JVM that cannot start one of its own prints
 * pages, or aborts, and cannot report to a parent.
 *
 * One thread until it proves the last point; never waits. Owns nothing that outlives it.
 */
#include "process/process.h"
#include "sys/sys_setup.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A JVM with the serial collector has 14 at most, the daemon 8 loops, a spare one, two of its own, and a few for disks.
 */
enum { THREADS_NEEDED = 32, STACK_BYTES = 64 * 1024 };

static const struct sfd_sys_setup *const sys = &sfd_sys_setup_linux;

static void open_standard(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (sys->fcntl(fd, F_GETFD, 0) < 0)
            (void)sys->openat(AT_FDCWD, "/dev/null", O_RDWR, 0); /* the lowest free one */
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

int main(int count, char **arguments)
{
    int error;

    if (count < 2) {
        (void)fprintf(stderr, "usage: sendfiled-start PROGRAM [ARGUMENT]...\n");
        return 2;
    }
    open_standard();
    unblock_signals();
    const int threads = start_threads(&error);
    if (error != 0) {
        (void)fprintf(
            stderr,
            "sendfiled: cannot start: it needs %d threads, and may have %d: %s (see ulimit -u, and pids.max of its "
            "control group)\n",
            THREADS_NEEDED, threads, strerror(error));
        return give_up(arguments + 1, error);
    }
    error = -sys->execv(arguments[1], arguments + 1);
    (void)fprintf(stderr, "sendfiled: cannot run %s: %s\n", arguments[1], strerror(error));
    return give_up(arguments + 1, error);
}
