/*
 * Holds a daemon in a phase of a hand-over (io.sendfiled.daemon.HandOver), while the file SENDFILED_TEST_HELD exists.
 * The phase is SENDFILED_TEST_PHASE, "before WORD" or "after WORD", of a word that this process sends; when it is
 * there, "held" and the phase are written to standard error. Preloaded. Thread: the one that sends. The sandbox must
 * let it see the file.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void hold(const char *phase)
{
    const struct timespec moment = {.tv_nsec = 2000000};
    const char *file = getenv("SENDFILED_TEST_HELD");

    if (file == NULL || access(file, F_OK) != 0) return;
    (void)dprintf(STDERR_FILENO, "held %s\n", phase);
    while (access(file, F_OK) == 0)
        (void)nanosleep(&moment, NULL);
}

static bool is(const char *phase, const char *when, const void *bytes, size_t length)
{
    const size_t prefix = strlen(when);

    return phase != NULL && strncmp(phase, when, prefix) == 0 && strlen(phase + prefix) == length &&
           memcmp(phase + prefix, bytes, length) == 0;
}

__attribute__((visibility("default"))) ssize_t send(int fd, const void *bytes, size_t length, int flags)
{
    const char *phase = getenv("SENDFILED_TEST_PHASE");

    if (is(phase, "before ", bytes, length)) hold(phase);
    const ssize_t sent = sendto(fd, bytes, length, flags, NULL, 0);
    if (is(phase, "after ", bytes, length)) hold(phase);
    return sent;
}
