/*
 * Closing a file that may be the last of its name.
 */
#include "hot/hot_close.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "sys/fd.h"

#define LARGE_BYTES  ((uint64_t)1024 * 1024)
#define THREAD_STACK ((size_t)64 * 1024)

struct closing {
    const struct sfd_sys *sys;
    int fd;
};

static void *close_here(void *argument)
{
    struct closing *closing = argument;

    sfd_fd_close(closing->sys, &closing->fd);
    free(closing);
    return NULL;
}

/* Starts a thread that closes it, and handles no signal of the program's. False: there is none. */
static bool close_elsewhere(const struct sfd_sys *sys, int fd)
{
    struct closing *closing = malloc(sizeof(*closing));
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;

    if (closing == NULL || pthread_attr_init(&attributes) != 0) {
        free(closing);
        return false;
    }
    *closing = (struct closing){.sys = sys, .fd = fd};
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    (void)pthread_attr_setstacksize(&attributes, THREAD_STACK);
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    const bool started = pthread_create(&thread, &attributes, close_here, closing) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    if (!started) free(closing);
    return started;
}

static bool is_removed(const struct sfd_sys *sys, int fd)
{
    struct statx st;

    return sys->statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_NLINK, &st) == 0 && st.stx_nlink == 0;
}

void sfd_hot_close_file(const struct sfd_sys *sys, int *fd, uint64_t size)
{
    if (*fd >= 0 && size >= LARGE_BYTES && is_removed(sys, *fd) && close_elsewhere(sys, *fd))
        *fd = -1;
    else
        sfd_fd_close(sys, fd);
}
