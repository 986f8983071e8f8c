/*
 * Descriptors whose close(2) can block.
 */
#include "disk/closer.h"

#include <errno.h>
#include <stdlib.h>

void sfd_closer_init(struct sfd_closer *closer, const struct sfd_sys *sys, struct sfd_devices *devices)
{
    *closer = (struct sfd_closer){.sys = sys, .devices = devices};
}

/* -1: the queue is no device's. */
static int device_of_queue(uint8_t queue)
{
    return queue < SFD_QUEUE_DEVICES ? -1 : queue - SFD_QUEUE_DEVICES;
}

void sfd_closer_deinit(struct sfd_closer *closer)
{
    for (size_t i = 0; i < closer->count; i++) {
        struct sfd_close *close = &closer->closes[i];
        sfd_drop_behind(&close->drop, closer->sys, close->fd, UINT64_MAX);
        sfd_fd_close(closer->sys, &close->fd);
        sfd_devices_put(closer->devices, device_of_queue(close->queue));
        sfd_client_account_release(close->account, 1, closer->counters);
        sfd_client_account_put(close->account);
    }
    for (size_t i = 0; i < closer->unknown_count; i++) {
        struct sfd_unknown *unknown = &closer->unknown[i];
        sfd_fd_close(closer->sys, &unknown->fd);
        sfd_client_account_release(unknown->account, 1, closer->counters);
        sfd_client_account_put(unknown->account);
    }
    free(closer->unknown);
    closer->unknown = NULL;
    closer->unknown_count = 0;
    closer->unknown_capacity = 0;
    free(closer->closes);
    closer->closes = NULL;
    closer->count = 0;
    closer->capacity = 0;
}

/* Makes room for one more element of an array. */
static bool reserve(void **array, size_t size, size_t count, size_t *capacity)
{
    if (count < *capacity) return true;
    const size_t more = *capacity == 0 ? 16 : *capacity * 2;
    void *larger = realloc(*array, more * size);
    if (larger == NULL) return false;
    *array = larger;
    *capacity = more;
    return true;
}

static bool put(struct sfd_closer *closer, const struct sfd_close *close)
{
    void *closes = closer->closes;

    if (!reserve(&closes, sizeof(*close), closer->count, &closer->capacity)) return false;
    closer->closes = closes;
    closer->closes[closer->count++] = *close;
    return true;
}

/* Queues a close for the disk pool; closes here if there is no memory for that. */
static void keep(struct sfd_closer *closer, int *fd, struct sfd_close close)
{
    close.fd = *fd;
    if (put(closer, &close)) {
        sfd_devices_hold(closer->devices, device_of_queue(close.queue));
        (void)sfd_client_account_share(close.account);
        sfd_client_account_hold(close.account, 1, closer->counters);
        *fd = -1;
    } else {
        sfd_fd_close(closer->sys, fd);
    }
}

static uint8_t queue_of_device(int device)
{
    return device < 0 ? SFD_QUEUE_CLOSE : (uint8_t)(SFD_QUEUE_DEVICES + device);
}

/*
 * The queue for the close of a socket that may block. A TCP socket waits for its peer, as long as its client has set
 * (SO_LINGER). A UNIX socket waits for the closes of the descriptors in its receive queue.
 */
static uint8_t queue_of_kind(enum sfd_fd_kind kind)
{
    return kind == SFD_FD_TCP ? SFD_QUEUE_LINGER : SFD_QUEUE_CLOSE;
}

void sfd_closer_take_dropping(struct sfd_closer *closer, int *fd, int device, const struct sfd_drop *drop,
                              struct sfd_client_account *account)
{
    if (*fd < 0) return;
    keep(closer, fd, (struct sfd_close){.queue = queue_of_device(device), .drop = *drop, .account = account});
}

void sfd_closer_take_file(struct sfd_closer *closer, int *fd, int device, struct sfd_client_account *account)
{
    if (device < 0)
        sfd_closer_take_unknown(closer, fd, account);
    else if (*fd >= 0)
        keep(closer, fd, (struct sfd_close){.queue = queue_of_device(device), .account = account});
}

/*
 * The sockets of a client that has all its descriptors do not linger: they could take all of the daemon's. The kernel
 * still sends what is in them, but nobody waits for it. Our descriptor may not be the last one: then the client's has
 * lost its SO_LINGER, too.
 */
static void stop_lingering(struct sfd_closer *closer, int fd, enum sfd_fd_kind kind, struct sfd_client_account *account)
{
    const struct linger off = {.l_onoff = 0};

    if (kind == SFD_FD_TCP && sfd_client_account_is_full(account)) (void)closer->sys->set_linger(fd, &off);
}

void sfd_closer_take(struct sfd_closer *closer, int *fd, enum sfd_fd_kind kind, struct sfd_client_account *account)
{
    if (*fd < 0) return;
    stop_lingering(closer, *fd, kind, account);
    if (sfd_fd_close_may_block(closer->sys, *fd, kind))
        keep(closer, fd, (struct sfd_close){.queue = queue_of_kind(kind), .account = account});
    else
        sfd_fd_close(closer->sys, fd);
}

static void take_stored(struct sfd_closer *closer, int *fd, uint64_t dev, struct sfd_client_account *account)
{
    const int device = sfd_devices_add(closer->devices, dev);

    sfd_closer_take_file(closer, fd, device, account);
    sfd_devices_put(closer->devices, device);
}

void sfd_closer_take_unknown(struct sfd_closer *closer, int *fd, struct sfd_client_account *account)
{
    struct sfd_fd_info info;

    if (*fd < 0) return;
    const int result = sfd_fd_classify(closer->sys, *fd, &info);
    if (result == -EBADF)
        *fd = -1;        /* it is not open */
    else if (result < 0) /* its kind is unknown: closed in the disk pool */
        sfd_closer_take(closer, fd, SFD_FD_OTHER, account);
    else if (info.stored)
        take_stored(closer, fd, info.dev, account);
    else
        sfd_closer_take(closer, fd, info.kind, account);
}

void sfd_closer_put_aside(struct sfd_closer *closer, int *fd, struct sfd_client_account *account)
{
    void *unknown = closer->unknown;

    if (!reserve(&unknown, sizeof(*closer->unknown), closer->unknown_count, &closer->unknown_capacity)) {
        sfd_fd_close(closer->sys, fd);
        return;
    }
    closer->unknown = unknown;
    closer->unknown[closer->unknown_count++] =
        (struct sfd_unknown){.fd = *fd, .account = sfd_client_account_share(account)};
    sfd_client_account_hold(account, 1, closer->counters);
    *fd = -1;
}

bool sfd_closer_take_aside(struct sfd_closer *closer, int *fd, struct sfd_client_account **account)
{
    if (closer->unknown_count == 0) return false;
    const struct sfd_unknown last = closer->unknown[--closer->unknown_count];
    sfd_client_account_release(last.account, 1, closer->counters);
    *fd = last.fd;
    *account = last.account;
    return true;
}

bool sfd_closer_split(struct sfd_closer *closer, struct sfd_closer *out)
{
    const struct sfd_close first = closer->closes[0];
    size_t kept = 0;

    sfd_closer_init(out, closer->sys, closer->devices);
    out->counters = closer->counters;
    out->closes = malloc(closer->count * sizeof(*out->closes));
    if (out->closes == NULL) return false;
    out->capacity = closer->count;
    for (size_t i = 0; i < closer->count; i++) {
        const struct sfd_close close = closer->closes[i];
        if (close.queue == first.queue && close.account == first.account)
            out->closes[out->count++] = close;
        else
            closer->closes[kept++] = close;
    }
    closer->count = kept;
    return true;
}
