/*
 * Stands in for the daemon in tests of sfd_spawn(): says on descriptor 3 what it is told to, and
 * writes down how it was started.
 *
 * FAKE_DAEMON says how to behave:
 *   ready       0 on descriptor 3, wait for a signal; SIGTERM: exit 0
 *   original    as ready, if the arguments are those that the original daemon knows; else, like it, exit 1
 *   errno=N     N on descriptor 3, exit 1
 *   exit=N      nothing on descriptor 3, exit N
 *   half        half an int on descriptor 3, exit 1
 *   mute        close descriptor 3, wait for a signal
 * FAKE_DAEMON_LOG names a file for the arguments, working directory, open descriptors and signals found at start.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void log_descriptors(FILE *log)
{
    DIR *directory = opendir("/proc/self/fd");

    if (directory == NULL) return;
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        const int fd = atoi(entry->d_name);
        char target[PATH_MAX] = "";

        if (entry->d_name[0] == '.' || fd == dirfd(directory) || fd == fileno(log)) continue;
        if (readlinkat(dirfd(directory), entry->d_name, target, sizeof target - 1) < 0) continue;
        *strchrnul(target, ':') = '\0'; /* "pipe:[123]": the number says nothing */
        fprintf(log, "descriptor %d %s %d\n", fd, target, fcntl(fd, F_GETFL) & O_ACCMODE);
    }
    closedir(directory);
}

static void log_directory(FILE *log)
{
    char path[PATH_MAX];

    fprintf(log, "directory %s\n", getcwd(path, sizeof path) == NULL ? "none" : path);
}

static void log_signals(FILE *log)
{
    sigset_t blocked;

    sigprocmask(SIG_BLOCK, NULL, &blocked);
    for (int signal = 1; signal < NSIG; signal++) {
        struct sigaction action;

        if (sigismember(&blocked, signal) == 1) fprintf(log, "blocked %d\n", signal);
        if (sigaction(signal, NULL, &action) == 0 && action.sa_handler == SIG_IGN) fprintf(log, "ignored %d\n", signal);
    }
}

static void write_log(int argc, char **argv)
{
    const char *path = getenv("FAKE_DAEMON_LOG");
    FILE *log = path == NULL ? NULL : fopen(path, "we");

    if (log == NULL) return;
    for (int i = 0; i < argc; i++)
        fprintf(log, "argument %s\n", argv[i]);
    log_directory(log);
    log_descriptors(log);
    log_signals(log);
    fclose(log);
}

static void say(int value, size_t size)
{
    if (write(3, &value, size) != (ssize_t)size) _exit(99);
    close(3);
}

static void on_term(int signal)
{
    (void)signal;
    _exit(0);
}

/* The original's way to read its arguments: true if it would start. */
static bool starts_original(int argc, char **argv)
{
    bool root = false;
    bool name = false;
    bool count = false;
    bool says = false;
    int option;

    opterr = 0;
    while ((option = getopt(argc, argv, "+s:S:n:t:r:u:g:pd")) != -1) {
        if (option == '?') return false;
        if (option == 'r') root = true;
        if (option == 's') name = true;
        if (option == 'n') count = strtol(optarg, NULL, 10) > 0;
        if (option == 'p') says = true;
    }
    return root && name && count && says && optind == argc;
}

/* Not for ever: a signal that cannot end us has to fail a test, not hang it. */
_Noreturn static void wait_for_signal(void)
{
    const struct sigaction action = {.sa_handler = on_term};

    sigaction(SIGTERM, &action, NULL);
    sleep(10);
    _exit(96);
}

int main(int argc, char **argv)
{
    const char *behaviour = getenv("FAKE_DAEMON");
    int number = 0;

    write_log(argc, argv);
    if (behaviour == NULL) return 98;
    if (strcmp(behaviour, "original") == 0 && !starts_original(argc, argv)) return 1;
    if (strcmp(behaviour, "ready") == 0 || strcmp(behaviour, "original") == 0) {
        const struct sigaction action = {.sa_handler = on_term};

        sigaction(SIGTERM, &action, NULL); /* before the word: the caller may end us at once */
        say(0, sizeof(int));
        wait_for_signal();
    }
    if (sscanf(behaviour, "errno=%d", &number) == 1) {
        say(number, sizeof number);
        return 1;
    }
    if (sscanf(behaviour, "exit=%d", &number) == 1) return number;
    if (strcmp(behaviour, "half") == 0) {
        say(0, sizeof(int) / 2);
        return 1;
    }
    if (strcmp(behaviour, "mute") == 0) {
        close(3);
        wait_for_signal();
    }
    return 97;
}
