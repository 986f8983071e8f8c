/*
 * Tries to get at a file that lies beside the daemon's root, while another thread swaps links and directories under the
 * daemon's feet (R8).
 *
 *   escape_client SOCKDIR NAME DIR OPENS
 *
 * DIR/root is what the daemon serves, DIR/outside what it must not. This program makes and owns what is in both: every
 * file below the root holds one 'i', every file outside one 'O'.
 * Threads: READERS, which read by paths that lead, lead round, or would lead out; one that swaps; main, which waits.
 * Never: sleeps. All of them go on until the readers together have asked OPENS times.
 *
 * One line of JSON: {"inside":N,"refused":N,"outside":N,"wrong":N,"swaps":N}. wrong: neither of the two bytes nor a
 * refusal.
 * Exit: 0 nothing from outside and nothing wrong, 1 something, 2 usage, 3 no daemon.
 */
#include <sendfiled/sendfiled.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver_common.h"

enum { EXIT_NO_DAEMON = 3, READERS = 4 };

#define INSIDE  'i'
#define OUTSIDE 'O'

static const char *const paths[] = {
    "swap/file",                         /* a directory, or a link to one outside */
    "swap/sub/../file",                  /* up again, in whatever that is by then */
    "link",                              /* a file, or a link to one outside */
    "a/../swap/file",                    /* */
    "/swap/file",                        /* absolute is relative to the root */
    "a/b/c/file",                        /* b moves in and out of the root */
    "a/b/c/../../../../outside/file",    /* from where it moves to, outside is near */
    "a/b/../../outside/file",            /* */
    "../outside/file",                   /* no way at all */
    "../../../../../../../outside/file", /* */
    "up/outside/file",                   /* a link to .. */
    "magic/outside/file",                /* a link through /proc/self/cwd */
};

enum { PATHS = sizeof paths / sizeof paths[0] };

struct escape {
    const char *sockets;
    const char *dir;
    const char *name;
    int root; /* DIR/root */
    int base; /* DIR */
    int opens;
    atomic_int next;
    atomic_int inside, refused, outside, wrong;
    atomic_bool over;
    long swaps;
};

/* ---- the directories ------------------------------------------------------------------------- */

static void make_directory(int at, const char *path)
{
    if (mkdirat(at, path, 0755) < 0 && errno != EEXIST) driver_die(path);
}

static void make_file(int at, const char *path, char content)
{
    const int fd = openat(at, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    if (fd < 0 || write(fd, &content, 1) != 1) driver_die(path);
    close(fd);
}

static void make_link(int at, const char *target, const char *path)
{
    if (symlinkat(target, at, path) < 0 && errno != EEXIST) driver_die(path);
}

static void make_tree(struct escape *e)
{
    static const char *const inside[] = {"a", "a/b", "a/b/c", "real", "real/sub"};
    static const char *const outside[] = {"outside", "outside/sub"};
    char absolute[4096];

    for (size_t i = 0; i < sizeof inside / sizeof inside[0]; i++)
        make_directory(e->root, inside[i]);
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++)
        make_directory(e->base, outside[i]);
    make_file(e->root, "a/b/c/file", INSIDE);
    make_file(e->root, "real/file", INSIDE);
    make_file(e->root, "real/sub/file", INSIDE);
    make_file(e->root, "file", INSIDE);
    make_file(e->base, "outside/file", OUTSIDE);
    make_file(e->base, "outside/sub/file", OUTSIDE);
    make_link(e->root, "..", "up");
    make_link(e->root, "/proc/self/cwd", "magic");
    /* What is put in the place of swap and link, one after the other. */
    (void)snprintf(absolute, sizeof absolute, "%s/outside", e->dir);
    make_link(e->root, "real", "to.0");
    make_link(e->root, "../outside", "to.1");
    make_link(e->root, absolute, "to.2");
    make_link(e->root, "up/outside", "to.3");
    make_link(e->root, "real", "swap");
    make_link(e->root, "real/file", "link");
}

/* Puts a link to `target` in the place of `path`, in one step: whoever looks sees one or the other. */
static void replace(const struct escape *e, const char *target, const char *path)
{
    if (symlinkat(target, e->root, "new") < 0 || renameat(e->root, "new", e->root, path) < 0) driver_die(path);
}

static void *swap(void *argument)
{
    static const char *const directories[] = {"real", "../outside", "to.2", "to.3", "to.0", "to.1"};
    static const char *const files[] = {"real/file", "../outside/file", "to.2/file", "up/outside/file"};
    struct escape *e = argument;

    while (!atomic_load(&e->over)) {
        const long n = e->swaps++;

        replace(e, directories[n % 6], "swap");
        replace(e, files[n % 4], "link");
        /* Out of the root while somebody is on the way through it, and back. */
        if (renameat(e->root, "a/b", e->base, "outside/b") < 0 || renameat(e->base, "outside/b", e->root, "a/b") < 0)
            driver_die("a/b");
    }
    return NULL;
}

/* ---- the readers ----------------------------------------------------------------------------- */

/* The byte of a file; 0: refused; -1: something else. */
static int read_byte(int srv, const char *path)
{
    unsigned char answer[SFD_MAX_RESP_SIZE + 16];
    size_t have = 0;
    const int fd = sfd_read(srv, path, 0, 0, false);

    if (fd < 0) driver_die("sfd_read");
    while (have < sizeof answer) {
        const ssize_t n = read(fd, answer + have, sizeof answer - have);

        if (n <= 0) break;
        have += (size_t)n;
    }
    close(fd);
    if (have == 2) return 0;
    return have == 49 ? answer[48] : -1; /* File Information, and all of the file */
}

static void *read_on(void *argument)
{
    struct escape *e = argument;
    const int srv = sfd_connect(e->sockets, e->name);

    if (srv < 0) driver_die("sfd_connect");
    for (int n; (n = atomic_fetch_add(&e->next, 1)) < e->opens;) {
        const int byte = read_byte(srv, paths[n % PATHS]);

        atomic_fetch_add(byte == INSIDE    ? &e->inside
                         : byte == 0       ? &e->refused
                         : byte == OUTSIDE ? &e->outside
                                           : &e->wrong,
                         1);
    }
    close(srv);
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc != 5 || atoi(argv[4]) < 1) {
        fputs("usage: escape_client SOCKDIR NAME DIR OPENS\n", stderr);
        return DRIVER_USAGE;
    }

    const int srv = sfd_connect(argv[1], argv[2]);

    if (srv < 0) {
        perror("escape_client: sfd_connect");
        return EXIT_NO_DAEMON;
    }
    close(srv);

    struct escape e = {.sockets = argv[1], .dir = argv[3], .name = argv[2], .opens = atoi(argv[4])};
    pthread_t readers[READERS];
    pthread_t swapper;

    e.base = open(e.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    e.root = openat(e.base, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (e.root < 0) driver_die("root");
    make_tree(&e);
    errno = pthread_create(&swapper, NULL, swap, &e);
    for (int i = 0; i < READERS && errno == 0; i++)
        errno = pthread_create(&readers[i], NULL, read_on, &e);
    if (errno != 0) driver_die("pthread_create");
    for (int i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    atomic_store(&e.over, true);
    pthread_join(swapper, NULL);
    printf("{\"inside\":%d,\"refused\":%d,\"outside\":%d,\"wrong\":%d,\"swaps\":%ld}\n", e.inside, e.refused, e.outside,
           e.wrong, e.swaps);
    return e.outside == 0 && e.wrong == 0 ? 0 : DRIVER_FAILED;
}
