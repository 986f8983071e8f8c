/*
 * A root: the directory below which files are opened.
 *
 * Role: its descriptor, or its path if each request resolves that anew. Reference-counted: by who made it, and by each
 * transfer until its file is open. Thread: any, but sfd_root_open, which waits for the disk. Constant once it is open.
 */
#ifndef SFD_DISK_ROOT_H
#define SFD_DISK_ROOT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "sys/kernel.h"

struct sfd_root {
    struct sfd_root *next; /* in a list of its maker's */
    atomic_uint references;
    int fd;          /* O_PATH directory */
    bool opens_here; /* sfd_residency_opens_here; false if it is followed */
    char *follow;    /* its path, which each request resolves anew; NULL: `fd` is the root of all requests */
};

/* Opens the directory `path` as a root. In *out, with one reference, and 0; or -errno. Waits for the disk. */
int sfd_root_open(struct sfd_root **out, const struct sfd_kernel *kernel, const char *path, bool follow);

/* One more reference, given back. NULL is allowed. */
struct sfd_root *sfd_root_share(struct sfd_root *root);

/* Releases a reference; the last one closes it, which flushes nothing: it is O_PATH. NULL is allowed. Never waits. */
void sfd_root_put(struct sfd_root *root);

#endif
