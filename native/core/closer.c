/*
 * Descriptors whose close(2) can block.
 */
#include "closer.h"

#include <stdlib.h>

void sfd_closer_init(struct sfd_closer *closer, const struct sfd_sys *sys)
{
    *closer = (struct sfd_closer){.sys = sys};
}

void sfd_closer_deinit(struct sfd_closer *closer)
{
    for (size_t i = 0; i < closer->count; i++)
        sfd_fd_close(closer->sys, &closer->fds[i]);
    free(closer->fds);
    sfd_closer_init(closer, closer->sys);
}

static bool make_room(struct sfd_closer *closer)
{
    if (closer->count < closer->capacity) return true;
    const size_t capacity = closer->capacity == 0 ? 16 : closer->capacity * 2;
    int *fds = realloc(closer->fds, capacity * sizeof(*fds));
    if (fds == NULL) return false;
    closer->fds = fds;
    closer->capacity = capacity;
    return true;
}

void sfd_closer_take(struct sfd_closer *closer, int *fd, enum sfd_fd_kind kind)
{
    if (*fd < 0) return;
    if (sfd_fd_close_may_block(closer->sys, *fd, kind) && make_room(closer)) {
        closer->fds[closer->count++] = *fd;
        *fd = -1;
        return;
    }
    sfd_fd_close(closer->sys, fd);
}

void sfd_closer_take_unknown(struct sfd_closer *closer, int *fd)
{
    struct sfd_fd_info info;

    if (*fd < 0) return;
    if (sfd_fd_classify(closer->sys, *fd, &info) < 0) {
        *fd = -1; /* no descriptor at all */
        return;
    }
    sfd_closer_take(closer, fd, info.kind);
}
