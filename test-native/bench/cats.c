/*
 * cats: what cat(1) makes of cold files, one process a file: the limit for a disk, and a load on it that is not ours.
 *
 * Role: makes the files cold, starts the processes all at once, and tells how long they took. With --loop each file is
 *   made cold and read again and again until SIGTERM. One line of JSON on stdout.
 * Threads: one; with --loop a process a file that starts its cats. Never: runs longer than TIMEOUT_SECONDS.
 */
#include "bench_common.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_FILES = 512, TIMEOUT_SECONDS = 60 };

static atomic_ullong *files_read; /* shared with the children */

static void become_cat(const char *path)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null < 0 || dup2(null, STDOUT_FILENO) < 0) _exit(126);
    execlp("cat", "cat", path, (char *)NULL);
    _exit(127);
}

/* Ends with its parent: a cat that waits for a disk must not outlive the measurement. */
static pid_t start_child(void)
{
    pid_t pid = fork();
    if (pid < 0) die_errno("fork");
    if (pid == 0) prctl(PR_SET_PDEATHSIG, SIGKILL);
    return pid;
}

static void await_cat(pid_t pid, const char *path)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) die_errno("waiting for cat");
    if (status != 0) die("cat %s failed", path);
}

static void read_again_and_again(const char *path)
{
    for (;;) {
        make_cold(path);
        pid_t pid = start_child();
        if (pid == 0) become_cat(path);
        await_cat(pid, path);
        atomic_fetch_add(files_read, 1);
    }
}

static void report(unsigned long long files, uint64_t size, uint64_t elapsed_ns)
{
    double seconds = (double)elapsed_ns / 1e9;
    printf("{\"requests\":%llu,\"failures\":0,\"seconds\":%.6f,\"mb_per_s\":%.1f}\n", files, seconds,
           (double)files * (double)size / 1e6 / seconds);
}

static void loop(char **paths, size_t count, uint64_t size)
{
    sigset_t end;
    sigemptyset(&end);
    sigaddset(&end, SIGTERM);
    sigaddset(&end, SIGALRM);
    static pid_t children[MAX_FILES];
    const uint64_t start_ns = now_ns();
    sigprocmask(SIG_BLOCK, &end, NULL);
    for (size_t i = 0; i < count; i++) {
        children[i] = start_child();
        if (children[i] == 0) {
            sigprocmask(SIG_UNBLOCK, &end, NULL);
            read_again_and_again(paths[i]);
        }
    }
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    puts("started");
    fflush(stdout);
    int number;
    sigwait(&end, &number);
    report(atomic_load(files_read), size, now_ns() - start_ns);
    for (size_t i = 0; i < count; i++)
        kill(children[i], SIGKILL);
    while (wait(NULL) > 0) { /* their cats too: this is who reaps them */
    }
}

static void read_once(char **paths, size_t count, uint64_t size)
{
    static pid_t children[MAX_FILES];
    int go[2];
    char byte;
    if (pipe2(go, O_CLOEXEC) < 0) die_errno("pipe");
    for (size_t i = 0; i < count; i++)
        make_cold(paths[i]);
    for (size_t i = 0; i < count; i++) {
        children[i] = start_child();
        if (children[i] == 0) {
            close(go[1]);
            if (read(go[0], &byte, 1) == 0) become_cat(paths[i]);
            _exit(125);
        }
    }
    uint64_t start_ns = now_ns();
    close(go[1]);
    for (size_t i = 0; i < count; i++)
        await_cat(children[i], paths[i]);
    report(count, size, now_ns() - start_ns);
}

int main(int argc, char **argv)
{
    const bool loops = argc > 1 && strcmp(argv[1], "--loop") == 0;
    char **paths = argv + (loops ? 2 : 1);
    const size_t count = (size_t)(argc - (loops ? 2 : 1));
    struct stat st;
    if (count < 1 || count > MAX_FILES) die("usage: cats [--loop] FILE... (of one size)");
    if (stat(paths[0], &st) < 0) die_errno("%s", paths[0]);
    files_read = mmap(NULL, sizeof *files_read, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (files_read == MAP_FAILED) die_errno("memory");
    alarm(TIMEOUT_SECONDS);
    if (loops)
        loop(paths, count, (uint64_t)st.st_size);
    else
        read_once(paths, count, (uint64_t)st.st_size);
    return 0;
}
