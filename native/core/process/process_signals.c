/*
 * The signals that end the daemon; see process.h. Main thread only, except the handler, which runs on any thread and
 * only writes to an eventfd. Owns that eventfd and the dispositions that were there before.
 */
#include "process/process.h"

#include "sys/sys_setup.h"

#include <errno.h>
#include <signal.h>
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
static struct sigaction previous_term;
static struct sigaction previous_int;

/* The counter of an eventfd adds up, so that a wait can tell which signals came; it cannot overflow in practice. */
enum { INT_WEIGHT = 1, TERM_WEIGHT = 1 << 20 };

static void note_signal(int number)
{
    const int saved = errno; /* the interrupted code's */
    const uint64_t value = number == SIGTERM ? TERM_WEIGHT : INT_WEIGHT;
    const ssize_t n = write((int)signal_fd, &value, sizeof value);
    (void)n;
    errno = saved;
}

/*
 * As process 1 of a container it inherits the children of processes that end before these do, and the kernel keeps what
 * has ended until it is waited for. Who ignores SIGCHLD never has to (wait(2)). It has no children of its own.
 */
static void reap_others(const struct sfd_sys_setup *sys, const struct sigaction *ignore)
{
    (void)sys->sigaction(SIGCHLD, ignore, NULL);
    while (waitpid(-1, NULL, WNOHANG) > 0)
        continue; /* those that have ended before */
}

int sfd_process_signals_open(void)
{
    const struct sfd_sys_setup *sys = &sfd_sys_setup_linux;
    if (signal_fd >= 0) return -EALREADY;
    const int fd = sys->eventfd(0, EFD_CLOEXEC);
    if (fd < 0) return fd;
    signal_fd = fd;
    struct sigaction note = {.sa_flags = SA_RESTART | SA_ONSTACK};
    note.sa_handler = note_signal;
    sigfillset(&note.sa_mask);
    struct sigaction ignore = {.sa_flags = 0};
    ignore.sa_handler = SIG_IGN;
    int result = sys->sigaction(SIGTERM, &note, &previous_term);
    if (result < 0) goto fail;
    result = sys->sigaction(SIGINT, &note, &previous_int);
    if (result < 0) goto fail_term;
    result = sys->sigaction(SIGHUP, &ignore, NULL);
    if (result < 0) goto fail_int;
    if (getpid() == INIT) reap_others(sys, &ignore);
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
    if (ready <= 0) return ready;
    uint64_t value = 0;
    const ssize_t n = sys->read(fd, &value, sizeof value);
    if (n < 0) return (int)n;
    const uint64_t taken = value >= TERM_WEIGHT ? TERM_WEIGHT : INT_WEIGHT;
    const uint64_t left = value - taken;
    if (left > 0) (void)sys->write(fd, &left, sizeof left); /* each recorded signal ends one wait: the rest goes back */
    return taken == TERM_WEIGHT ? SIGTERM : SIGINT;
}

void sfd_process_signal_wake(int fd)
{
    const uint64_t value = INT_WEIGHT;
    (void)sfd_sys_setup_linux.write(fd, &value, sizeof value);
}

void sfd_process_signals_close(int fd)
{
    const struct sfd_sys_setup *sys = &sfd_sys_setup_linux;
    if (fd < 0 || fd != (int)signal_fd) return;
    sys->sigaction(SIGTERM, &previous_term, NULL);
    sys->sigaction(SIGINT, &previous_int, NULL);
    signal_fd = -1;
    sys->close(fd);
}
