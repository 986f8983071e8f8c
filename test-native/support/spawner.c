/*
 * Takes a daemon of its own through its life, from a process that is in a bad way: sfd_spawn(), a Read File,
 * sfd_shutdown(). Needs no descriptor and no variable of the environment but what finds the program "sendfiled".
 *
 *   spawner REPORT ROOT SOCKDIR PATH [HOW]...
 *
 * How this process is when it calls the library:
 *   gone       its working directory has been removed
 *   closed     its descriptors 0 to 2 are closed
 *   blocked    all signals are blocked
 *   ignored    SIGTERM, SIGINT, SIGHUP and SIGPIPE are ignored
 *   childless  SIGCHLD is ignored
 *
 * One line in the file REPORT tells the outcome: "ok N", N being the file's size; or "STEP: ERRNO". All paths are
 * absolute, except PATH, which is below ROOT. Exit: 0 if the report could be written.
 */
#include <sendfiled.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAME "spawner"

static bool is_in_a_bad_way(const char *how)
{
    static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE};
    char directory[] = "/tmp/sendfiled-spawner-XXXXXX";
    sigset_t all;

    if (strcmp(how, "gone") == 0) return mkdtemp(directory) != NULL && chdir(directory) == 0 && rmdir(directory) == 0;
    if (strcmp(how, "closed") == 0) return close(0) == 0 && close(1) == 0 && close(2) == 0;
    if (strcmp(how, "blocked") == 0) return sigfillset(&all) == 0 && sigprocmask(SIG_SETMASK, &all, NULL) == 0;
    if (strcmp(how, "ignored") == 0) {
        for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
            if (signal(ignored[i], SIG_IGN) == SIG_ERR) return false;
        return true;
    }
    return strcmp(how, "childless") == 0 && signal(SIGCHLD, SIG_IGN) != SIG_ERR;
}

/* Reads all bytes of a Read File. The event that was its end. */
static struct sfd_event read_to_the_end(int fd)
{
    static char bytes[65536];
    struct sfd_events events;
    struct sfd_event event;

    sfd_events_init(&events, SFD_EVENTS_OF_READ);
    do {
        const ssize_t count = read(fd, bytes, sizeof bytes);
        const char *at = bytes;

        if (count <= 0) sfd_events_end(&events, &event);
        while (at < bytes + count)
            at += sfd_events_feed(&events, at, (size_t)(bytes + count - at), &event);
    } while (event.type < SFD_EVENT_COMPLETE);
    return event;
}

static const char *read_file(const char *sockdir, const char *path, uint64_t *size)
{
    const int srv = sfd_connect(sockdir, NAME);

    if (srv == -1) return "connect";

    const int fd = sfd_read(srv, path, 0, 0, false);

    if (fd == -1) return "read";

    const struct sfd_event end = read_to_the_end(fd);

    close(fd);
    close(srv);
    errno = end.error;
    *size = end.moved;
    return end.type == SFD_EVENT_COMPLETE ? NULL : "transfer";
}

/* The step that failed, with errno; NULL: all went well. */
static const char *run(char **arguments, uint64_t *size)
{
    for (char **how = arguments + 5; *how != NULL; how++)
        if (!is_in_a_bad_way(*how)) return *how;

    const pid_t pid = sfd_spawn(NAME, arguments[2], arguments[3], 10, 5000);

    if (pid <= 0) return "spawn";

    const char *failed = read_file(arguments[3], arguments[4], size);
    const int error = errno;
    const int status = sfd_shutdown(pid);

    if (failed != NULL) {
        errno = error;
        return failed;
    }
    if (status == -1) return "shutdown";
    errno = status;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? NULL : "status";
}

int main(int argc, char **argv)
{
    uint64_t size = 0;

    if (argc < 5) return 2;

    const char *failed = run(argv, &size);
    const int error = errno;
    FILE *report = fopen(argv[1], "we");

    if (report == NULL) return 1;
    if (failed == NULL)
        fprintf(report, "ok %llu\n", (unsigned long long)size);
    else
        fprintf(report, "%s: %d\n", failed, error);
    return fclose(report) == 0 ? 0 : 1;
}
