/*
 * What one process of an instance leaves to the next: its request sockets, its lock, and who came before it.
 *
 * The numbers travel as text (io.sendfiled.daemon), the descriptors are fetched by the next process (pidfd_getfd(2),
 * Linux 5.6): the sandbox of the one that serves lets it send none. So in `struct sfd_handover` a descriptor is the old
 * process's, until the new one has put its own in its place.
 *
 * Any thread. Owns nothing: who fetched descriptors closes them, or gives them to an engine.
 */
#ifndef SFD_PROCESS_HANDOVER_H
#define SFD_PROCESS_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/lane.h"

/* How many processes of one instance may be waiting for the ends of their transfers. */
#define SFD_PREDECESSORS_MAX 8

struct sfd_handover {
    int request_fd;
    int lock_fd;
    bool stays; /* as in struct sfd_endpoint */
    dev_t dev;  /* of the request socket's name */
    ino_t ino;
    uint32_t tag; /* of the old process's transfers: loop/transfer_table.h */
    uint32_t predecessors;
    struct {
        int fd; /* a socket to it */
        uint32_t tag;
    } predecessor[SFD_PREDECESSORS_MAX];
    uint32_t lanes;
    struct {
        int fd;
        uint32_t uid;
        dev_t dev;
        ino_t ino;
    } lane[SFD_LANES_MAX];
};

/*
 * As numbers, an order that io.sendfiled.daemon.Inheritance knows as well: version, request_fd, lock_fd, stays, dev,
 * ino, tag, predecessors, lanes; fd and tag of each predecessor; fd, uid, dev, ino of each lane.
 */
enum {
    SFD_HANDOVER_VERSION = 1,
    SFD_HANDOVER_HEAD = 9,
    SFD_HANDOVER_NUMBERS_MAX = SFD_HANDOVER_HEAD + 2 * SFD_PREDECESSORS_MAX + 4 * SFD_LANES_MAX
};

/* How many numbers it has written. */
size_t sfd_handover_write(const struct sfd_handover *handover, int64_t numbers[SFD_HANDOVER_NUMBERS_MAX]);

/* 0, or -EPROTO when these are not the numbers of one, -EPROTONOSUPPORT when they are of another version. */
int sfd_handover_read(struct sfd_handover *out, const int64_t *numbers, size_t count);

#endif
