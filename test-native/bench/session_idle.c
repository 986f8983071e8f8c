/*
 * session_idle: sessions that ask for nothing, for as long as it is wanted.
 *
 * Role: opens sessions of the usual size, each with a destination; says "holding N"; keeps them until SIGTERM.
 * Threads: one.
 */
#include "bench_common.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sendfiled/sendfiled.h>

enum { DESCRIPTORS = 2, SPARE_FILES = 32 }; /* of each session in this process */

static struct sfd_session *open_one(const char *directory, const char *name)
{
    struct sfd_session *session;

    while (sfd_session_open(directory, name, NULL, &session) < 0)
        if (errno != EAGAIN) die_errno("cannot open a session"); /* the daemon has not accepted earlier ones yet */
    return session;
}

static void register_one(struct sfd_session *session, int fd)
{
    struct sfd_session_completion completion;
    struct pollfd waits = {.fd = sfd_session_fd(session), .events = POLLIN};

    if (sfd_session_register(session, SFD_SESSION_DESTINATION, fd, 0) < 0) die_errno("register");
    for (int n; (n = sfd_session_reap(session, &completion, 1)) <= 0;) {
        if (n < 0) die_errno("the session has ended");
        if (poll(&waits, 1, -1) < 0 && errno != EINTR) die_errno("poll");
    }
    if (completion.error != 0) die("register: %s", strerror((int)completion.error));
    if (sfd_session_reap(session, &completion, 1) != 0) die("a completion of nothing"); /* from here on it sleeps */
}

int main(int argc, char **argv)
{
    if (argc != 4) die("usage: session_idle SOCKDIR NAME COUNT");
    const size_t count = (size_t)parse_number("COUNT", argv[3], 1, 1 << 20);
    const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    uint64_t allowed;
    sigset_t end;
    int number;

    if (!raise_open_files(count * DESCRIPTORS + SPARE_FILES, &allowed))
        die("%llu open files are too few", (unsigned long long)allowed);
    sigemptyset(&end);
    sigaddset(&end, SIGTERM);
    sigaddset(&end, SIGINT);
    sigprocmask(SIG_BLOCK, &end, NULL);
    struct sfd_session **sessions = allocate(count * sizeof(struct sfd_session *));
    for (size_t i = 0; i < count; i++) {
        sessions[i] = open_one(argv[1], argv[2]);
        register_one(sessions[i], null);
    }
    printf("holding %zu\n", count);
    fflush(stdout);
    sigwait(&end, &number);
    for (size_t i = 0; i < count; i++)
        sfd_session_close(sessions[i]);
    free(sessions);
    return 0;
}
