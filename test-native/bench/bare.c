/*
 * bare: the limit for throughput, a loop around one system call with the receiver in another process.
 *
 * Role: sendfile to TCP or UNIX sockets, splice to a pipe; a thread for each connection, each moving the file. The
 *   receiver reads as load does, into buffers of the same size. One line of JSON on stdout.
 * Threads: one a connection on either side. Never: runs longer than 60 seconds.
 */
#include "bench_common.h"

#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_CONNECTIONS = 64, PIPE_SIZE = 1024 * 1024, TIMEOUT_SECONDS = 60 };

struct connection {
    int source, sink;
    pthread_t thread;
};

static struct connection connections[MAX_CONNECTIONS];
static const char *path;
static uint64_t size;
static enum channel_kind kind = CHANNEL_TCP;
static size_t chunk = 1024 * 1024;

static void *send_file(void *arg)
{
    const struct connection *c = arg;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        die_errno("%s", path);
    }
    off_t offset = 0;
    for (uint64_t left = size; left > 0;) {
        size_t want = left < chunk ? (size_t)left : chunk;
        ssize_t n = kind == CHANNEL_PIPE ? splice(file, &offset, c->sink, NULL, want, SPLICE_F_MOVE)
                                         : sendfile(c->sink, file, &offset, want);
        if (n <= 0) {
            die_errno("moving the file");
        }
        left -= (uint64_t)n;
    }
    close(file);
    return NULL;
}

static void *receive_file(void *arg)
{
    const struct connection *c = arg;
    uint8_t *buffer = allocate(DRAIN_BUFFER);
    drain(c->source, size, buffer, DRAIN_BUFFER, NULL);
    free(buffer);
    return NULL;
}

static void run_all(void *(*body)(void *), size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (pthread_create(&connections[i].thread, NULL, body, &connections[i]) != 0) {
            die("cannot start a thread");
        }
    }
    for (size_t i = 0; i < count; i++) {
        pthread_join(connections[i].thread, NULL);
    }
}

static pid_t start_receiver(size_t count, int go, int done)
{
    pid_t pid = fork();
    if (pid != 0) {
        return pid;
    }
    char byte = 0;
    alarm(TIMEOUT_SECONDS);
    if (read(go, &byte, 1) == 1) {
        run_all(receive_file, count);
    }
    _exit(write(done, &byte, 1) == 1 ? 0 : 1);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"file", required_argument, NULL, 'f'},
        {"to", required_argument, NULL, 't'},
        {"connections", required_argument, NULL, 'c'},
        {"chunk", required_argument, NULL, 'k'},
        {NULL, 0, NULL, 0},
    };
    size_t count = 1;
    for (int which; (which = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (which) {
        case 'f':
            path = optarg;
            break;
        case 't':
            kind = parse_channel(optarg);
            break;
        case 'c':
            count = (size_t)parse_number("connections", optarg, 1, MAX_CONNECTIONS);
            break;
        case 'k':
            chunk = (size_t)parse_number("chunk", optarg, 4096, 1 << 30);
            break;
        default:
            path = NULL;
            optind = argc;
        }
    }
    struct stat st;
    if (path == NULL) {
        die("usage: bare --file FILE [--to tcp|unix|pipe] [--connections N] [--chunk BYTES]");
    }
    if (stat(path, &st) < 0) {
        die_errno("%s", path);
    }
    size = (uint64_t)st.st_size;
    alarm(TIMEOUT_SECONDS);
    int go[2];
    int done[2];
    if (pipe2(go, O_CLOEXEC) < 0 || pipe2(done, O_CLOEXEC) < 0) {
        die_errno("pipes");
    }
    for (size_t i = 0; i < count; i++) {
        channel_open(kind, &connections[i].source, &connections[i].sink);
        if (kind == CHANNEL_PIPE) {
            fcntl(connections[i].sink, F_SETPIPE_SZ, PIPE_SIZE);
        }
    }
    pid_t receiver = start_receiver(count, go[0], done[1]);
    if (receiver < 0) {
        die_errno("fork");
    }
    char byte = 0;
    uint64_t start_ns = now_ns();
    if (write(go[1], &byte, 1) != 1) {
        die_errno("starting the receiver");
    }
    run_all(send_file, count);
    if (read(done[0], &byte, 1) != 1) {
        die("the receiver failed");
    }
    double seconds = (double)(now_ns() - start_ns) / 1e9;
    waitpid(receiver, NULL, 0);
    uint64_t bytes = size * count;
    printf("{\"bytes\":%llu,\"seconds\":%.6f,\"mb_per_s\":%.1f}\n", (unsigned long long)bytes,
           seconds, (double)bytes / 1e6 / seconds);
    return 0;
}
