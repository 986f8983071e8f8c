/*
 * Descriptors whose close(2) can block.
 */
#include "closer.h"

#include <errno.h>
#include <stdlib.h>

void sfd_closer_init(struct sfd_closer *closer, const struct sfd_sys *sys, uint8_t queue)
{
    *closer = (struct sfd_closer){.sys = sys, .queue = queue};
}

void sfd_closer_deinit(struct sfd_closer *closer)
{
    for (size_t i = 0; i < closer->count; i++) {
        struct sfd_close *close = &closer->closes[i];
        sfd_drop_behind(&close->drop, closer->sys, close->fd, UINT64_MAX);
        sfd_fd_close(closer->sys, &close->fd);
        sfd_account_release(close->account, 1, closer->counters);
        sfd_account_put(close->account);
    }
    free(closer->closes);
    closer->closes = NULL;
    closer->count = 0;
    closer->capacity = 0;
}

static bool put(struct sfd_closer *closer, int fd, uint8_t queue, const struct sfd_drop *drop,
                struct sfd_account *account)
{
    if (closer->count == closer->capacity) {
        const size_t capacity = closer->capacity == 0 ? 16 : closer->capacity * 2;
        struct sfd_close *closes = realloc(closer->closes, capacity * sizeof(*closes));
        if (closes == NULL) return false;
        closer->closes = closes;
        closer->capacity = capacity;
    }
    closer->closes[closer->count++] = (struct sfd_close){
        .fd = fd, .queue = queue, .drop = *drop, .account = sfd_account_share(account)};
    sfd_account_hold(account, 1, closer->counters);
    return true;
}

void sfd_closer_take_dropping(struct sfd_closer *closer, int *fd, uint8_t queue,
                              const struct sfd_drop *drop, struct sfd_account *account)
{
    if (*fd < 0) return;
    if (put(closer, *fd, queue, drop, account)) {
        *fd = -1;
    } else {
        sfd_fd_close(closer->sys, fd);
    }
}

void sfd_closer_take_file(struct sfd_closer *closer, int *fd, uint8_t queue,
                          struct sfd_account *account)
{
    const struct sfd_drop nothing = {0};

    sfd_closer_take_dropping(closer, fd, queue, &nothing, account);
}

void sfd_closer_take(struct sfd_closer *closer, int *fd, enum sfd_fd_kind kind,
                     struct sfd_account *account)
{
    if (*fd < 0) return;
    if (sfd_fd_close_may_block(closer->sys, *fd, kind)) {
        sfd_closer_take_file(closer, fd, closer->queue, account);
    } else {
        sfd_fd_close(closer->sys, fd);
    }
}

void sfd_closer_take_unknown(struct sfd_closer *closer, int *fd, struct sfd_account *account)
{
    struct sfd_fd_info info;

    if (*fd < 0) return;
    const int result = sfd_fd_classify(closer->sys, *fd, &info);
    if (result == -EBADF) {
        *fd = -1; /* no descriptor at all */
        return;
    }
    /* One that cannot be looked at is closed where it may take its time. */
    sfd_closer_take(closer, fd, result < 0 ? SFD_FD_OTHER : info.kind, account);
}

bool sfd_closer_split(struct sfd_closer *closer, struct sfd_closer *out)
{
    const struct sfd_account *account = closer->closes[0].account;
    size_t kept = 0;

    sfd_closer_init(out, closer->sys, closer->closes[0].queue);
    out->counters = closer->counters;
    out->closes = malloc(closer->count * sizeof(*out->closes));
    if (out->closes == NULL) return false;
    out->capacity = closer->count;
    for (size_t i = 0; i < closer->count; i++) {
        if (closer->closes[i].queue == out->queue && closer->closes[i].account == account) {
            out->closes[out->count++] = closer->closes[i];
        } else {
            closer->closes[kept++] = closer->closes[i];
        }
    }
    closer->count = kept;
    return true;
}
