/*
 * Descriptors whose close(2) can block, on their way to the disk pool.
 *
 * Role: closes at once what can be closed at once and collects the rest for the disk pool: what is on a file system for
 * the queue of its device, so that a dead disk keeps up its own closes only; sockets that linger for a queue of theirs;
 * all else for SFD_QUEUE_CLOSE.
 * Thread: one event loop. Owns the descriptors that it holds; each counts in the account of the client that it came
 * from, or was opened for, until it is closed.
 */
#ifndef SFD_DISK_CLOSER_H
#define SFD_DISK_CLOSER_H

#include <stddef.h>

#include "base/client_account.h"
#include "disk/drop.h"
#include "disk/residency.h"
#include "sys/fd.h"

struct sfd_close {
    int fd;
    uint8_t queue;                      /* of the disk pool */
    struct sfd_drop drop;               /* leaves the page cache first */
    struct sfd_client_account *account; /* a reference of its own; NULL: nobody's */
};

struct sfd_closer {
    const struct sfd_sys *sys;
    struct sfd_counters *counters; /* borrowed; NULL: none */
    struct sfd_devices *devices;   /* borrowed */
    struct sfd_close *closes;
    size_t count;
    size_t capacity;
};

void sfd_closer_init(struct sfd_closer *closer, const struct sfd_sys *sys, struct sfd_devices *devices);

/* Closes what is left; may block. Idempotent. */
void sfd_closer_deinit(struct sfd_closer *closer);

/*
 * Takes *fd, a pipe, socket or device, unless it is -1, and sets it to -1. Never blocks while memory lasts. `account`
 * is borrowed: whose it is, as long as its close is pending; NULL: nobody's.
 */
void sfd_closer_take(struct sfd_closer *closer, int *fd, enum sfd_fd_kind kind, struct sfd_client_account *account);

/*
 * The same for a file, whose close is its device's business: never closes it at once while memory lasts. `device` is
 * its index; -1: nobody has looked yet.
 */
void sfd_closer_take_file(struct sfd_closer *closer, int *fd, int device, struct sfd_client_account *account);

/* The same for a file of which something is left to drop from the page cache. */
void sfd_closer_take_dropping(struct sfd_closer *closer, int *fd, int device, const struct sfd_drop *drop,
                              struct sfd_client_account *account);

/* The same for a descriptor that nobody has looked at yet. */
void sfd_closer_take_unknown(struct sfd_closer *closer, int *fd, struct sfd_client_account *account);

/*
 * Moves all descriptors of the first one's queue and account to `out`, which is initialized here. False without memory.
 */
bool sfd_closer_split(struct sfd_closer *closer, struct sfd_closer *out);

#endif
