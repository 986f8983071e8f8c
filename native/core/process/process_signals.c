/*
 * The signals that end the daemon, have it read its configuration again, or open its access log anew; see process.h.
 * Main thread only, except the handler, which runs on any thread, notes the signal and writes to an eventfd. Owns that
 * eventfd and the dispositions that were there before.
 */
#include "process/process.h"

#include "sys/sys_setup.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* The first process of a pid namespace. */
enum { INIT = 1 };

/*
 * A handler has no argument of ours, so its descriptor and the dispositions to restore have static storage, as only the
 * users of the signal that wakes threads have besides (sys.c). signalfd(2) would avoid it, but needs the signals
 * blocked in every thread, and the threads of a JVM exist before us.
 */
static volatile sig_atomic_t signal_fd = -1;

/* In the order in which waits return them. The eventfd only wakes: a storm that fills its counter hides no signal. */
static struct {
    int number;
    bool merged;       /* all that come before a wait are one */
    atomic_uint noted; /* that no wait has returned yet */
    struct sigaction previous;
} taken[] = {
    {.number = SIGTERM},
    {.number = SIGINT},
    {.number = SIGHUP, .merged = true},
    {.number = SIGUSR1, .merged = true},
};

#define TAKEN (sizeof(taken) / sizeof(taken[0]))

/* Any thread, also in a signal handler. */
static void note(int fd, int number)
{
    const uint64_t one = 1;

    for (size_t i = 0; i < TAKEN; i++) {
        if (taken[i].number != number) continue;
        if (taken[i].merged)
            atomic_store(&taken[i].noted, 1);
        else
            atomic_fetch_add(&taken[i].noted, 1);
    }
    const ssize_t n = write(fd, &one, sizeof one); /* without room it is readable already */
    (void)n;
}

static void note_signal(int number)
{
    const int saved = errno; /* the interrupted code's */

    note((int)signal_fd, number);
    errno = saved;
}

/*
 * As process 1 of a container it inherits the children of processes that end before these do, and the kernel keeps what
 * has ended until it is waited for. Who ignores SIGCHLD never has to (wait(2)). It has no children of its own.
 */
static void reap_others(const struct sfd_sys_setup *sys)
{
    const struct sigaction ignore = {.sa_handler = SIG_IGN};

    (void)sys->sigaction(SIGCHLD, &ignore, NULL);
    while (waitpid(-1, NULL, WNOHANG) > 0)
        continue; /* those that have ended before */
}

/* Gives the first `count` signals the dispositions that they had. */
static void give_back(const struct sfd_sys_setup *sys, size_t count)
{
    while (count-- > 0)
        (void)sys->sigaction(taken[count].number, &taken[count].previous, NULL);
}

int sfd_process_signals_open(void)
{
    const struct sfd_sys_setup *sys = &sfd_sys_setup_linux;
    if (signal_fd >= 0) return -EALREADY;
    const int fd = sys->eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) return fd;
    signal_fd = fd;
    struct sigaction noting = {.sa_flags = SA_RESTART | SA_ONSTACK};
    noting.sa_handler = note_signal;
    sigfillset(&noting.sa_mask);
    for (size_t i = 0; i < TAKEN; i++) {
        atomic_store(&taken[i].noted, 0);
        const int result = sys->sigaction(taken[i].number, &noting, &taken[i].previous);
        if (result == 0) continue;
        give_back(sys, i);
        signal_fd = -1;
        sys->close(fd);
        return result;
    }
    if (getpid() == INIT) reap_others(sys);
    return fd;
}

/* The number of the first signal that is noted, which is not from here on; 0: none is. */
static int take_first(void)
{
    for (size_t i = 0; i < TAKEN; i++) {
        if (atomic_load(&taken[i].noted) == 0) continue;
        atomic_fetch_sub(&taken[i].noted, 1); /* only here it gets less */
        return taken[i].number;
    }
    return 0;
}

int sfd_process_signal_wait(int fd, int timeout_ms)
{
    const struct sfd_sys_setup *sys = &sfd_sys_setup_linux;
    const uint64_t one = 1;
    uint64_t value = 0;
    const int ready = sys->await_readable(fd, timeout_ms);
    if (ready <= 0) return ready;
    const ssize_t n = sys->read(fd, &value, sizeof value);
    if (n < 0) return (int)n;
    const int number = take_first();
    if (number != 0) (void)sys->write(fd, &one, sizeof one); /* there may be more */
    return number;
}

void sfd_process_signal_wake(int fd)
{
    note(fd, SIGINT);
}

void sfd_process_signals_close(int fd)
{
    const struct sfd_sys_setup *sys = &sfd_sys_setup_linux;
    if (fd < 0 || fd != (int)signal_fd) return;
    give_back(sys, TAKEN);
    signal_fd = -1;
    sys->close(fd);
}
