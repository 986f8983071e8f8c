/*
 * A root.
 */
#include "disk/root.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "disk/residency.h"
#include "sys/fd.h"

int sfd_root_open(struct sfd_root **out, const struct sfd_kernel *kernel, const char *path, bool follow)
{
    struct sfd_root *root = calloc(1, sizeof(*root));

    if (root == NULL) return -ENOMEM;
    atomic_init(&root->references, 1);
    root->fd = sfd_sys_openat(AT_FDCWD, path, O_PATH | O_DIRECTORY);
    int result = root->fd;
    if (result < 0) goto fail;
    result = -ENOMEM;
    if (follow) root->follow = strdup(path);
    if (follow && root->follow == NULL) goto fail;
    root->opens_here = !follow && sfd_residency_opens_here(kernel, root->fd);
    *out = root;
    return 0;
fail:
    sfd_root_put(root);
    return result;
}

struct sfd_root *sfd_root_share(struct sfd_root *root)
{
    if (root != NULL) atomic_fetch_add_explicit(&root->references, 1, memory_order_relaxed);
    return root;
}

void sfd_root_put(struct sfd_root *root)
{
    if (root == NULL || atomic_fetch_sub_explicit(&root->references, 1, memory_order_acq_rel) > 1) return;
    sfd_fd_close(&sfd_sys_linux, &root->fd);
    free(root->follow);
    free(root);
}
