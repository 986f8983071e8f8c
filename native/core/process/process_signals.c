/*
 * The signals that end the daemon, or have it read its configuration again; see process.h. Main thread only, except the
 * handler, which runs on any thread and only writes to an eventfd. Owns that eventfd and the dispositions that were
 * there before.
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
static struct sigaction previous_hup;

/*
 * The counter of an eventfd adds up, so that a wait can tell which signals came. SIGHUP is on top: a storm of it fills
 * the counter, and then is lost, as is right for a signal whose number does not matter; it never looks like the others.
 */
#define INT_WEIGHT  ((uint64_t)1)
#define TERM_WEIGHT ((uint64_t)1 << 20)
#define HUP_WEIGHT  ((uint64_t)1 << 40)

static uint64_t weight_of(int number)
{
    return number == SIGHUP ? HUP_WEIGHT : number == SIGTERM ? TERM_WEIGHT : INT_WEIGHT;
}

static void note_signal(int number)
{
    const int saved = errno; /* the interrupted code's */
    const uint64_t value = weight_of(number);
    const ssize_t n = write((int)signal_fd, &value, sizeof value);
    (void)n;
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

int sfd_process_signals_open(void)
{
    const struct sfd_sys_setup *sys = &sfd_sys_setup_linux;
    if (signal_fd >= 0) return -EALREADY;
    const int fd = sys->eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) return fd;
    signal_fd = fd;
    struct sigaction note = {.sa_flags = SA_RESTART | SA_ONSTACK};
    note.sa_handler = note_signal;
    sigfillset(&note.sa_mask);
    int result = sys->sigaction(SIGTERM, &note, &previous_term);
    if (result < 0) goto fail;
    result = sys->sigaction(SIGINT, &note, &previous_int);
    if (result < 0) goto fail_term;
    result = sys->sigaction(SIGHUP, &note, &previous_hup);
    if (result < 0) goto fail_int;
    if (getpid() == INIT) reap_others(sys);
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
    const uint64_t ends = value % HUP_WEIGHT; /* those that end the daemon */
    const int number = ends >= TERM_WEIGHT ? SIGTERM : ends > 0 ? SIGINT : SIGHUP;
    /* Each recorded signal ends one wait, all of SIGHUP together one: the rest goes back. */
    const uint64_t left = number == SIGHUP ? 0 : value - weight_of(number);
    if (left > 0) (void)sys->write(fd, &left, sizeof left);
    return number;
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
    sys->sigaction(SIGHUP, &previous_hup, NULL);
    signal_fd = -1;
    sys->close(fd);
}
