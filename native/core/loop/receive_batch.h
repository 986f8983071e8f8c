/*
 * Receipt of requests: datagrams, credentials and descriptors, a batch at a time.
 *
 * Role: fills the slots of a turn. Thread: one event loop. Every descriptor that the kernel hands over is either in a
 * slot, whose reader then owns it, or put aside in the closer before sfd_receive_batch_fill returns. Never blocks.
 *
 * Who sent a request: the kernel attaches the sender's pid, as the daemon's pid namespace has it, and its uid. A pid of
 * 0 says only that the sender is in a namespace that the daemon does not see into. Then the daemon asks for a pidfd as
 * well (SO_PASSPIDFD, Linux 6.5), whose inode number no other process ever has (pidfs, 6.9). Without that such senders
 * are one and the same to it: unknown.
 */
#ifndef SFD_LOOP_RECEIVE_BATCH_H
#define SFD_LOOP_RECEIVE_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/socket.h>

#include "disk/closer.h"

/* net.unix.max_dgram_qlen is the kernel's 10, or systemd's 512: a batch of 16 empties a queue of 11, and others by and
 * by. */
#define SFD_BATCH_MAX 16

#define SFD_SLOT_FDS   3
#define SFD_FDS_MAX    253
#define SFD_SLOT_BYTES 4240

/* Why a datagram cannot be a request, whatever its bytes say. */
enum sfd_slot_fault {
    SFD_SLOT_SOUND = 0,
    SFD_SLOT_MALFORMED = 1, /* longer than any request, or surplus descriptors */
    SFD_SLOT_ANONYMOUS = 2, /* without credentials */
    SFD_SLOT_CROWDED = 3,   /* descriptors were lost: this process had no free descriptor */
    SFD_SLOT_HELLO = 4,     /* no datagram: a session asks whether its client is served */
};

/*
 * One request on its way through Java: C fills the first part, the dispatcher decodes `bytes` in place and writes its
 * verdict into the second. The layout is a contract with io.sendfiled.jni.Turn, which has every member behind the one
 * before: native-endian, without padding. What differs is found when the library is loaded (jni_constants.c).
 */
struct sfd_slot {
    int32_t length; /* of the datagram, bytes */
    int32_t fault;
    uint32_t uid;
    uint32_t gid;
    int32_t pid;
    int32_t fd_count;
    int32_t fds[SFD_SLOT_FDS]; /* -1 where there is none */
    int32_t pidfd;             /* of the sender; -1 unless it was asked for */

    int32_t verdict; /* 0: granted, else the errno to refuse with */
    int32_t command; /* an extended one by its version 1 id, or SFD_WIRE_SEND_DESCRIPTOR */
    int64_t range_offset;
    uint64_t range_length; /* SFD_WIRE_TO_END: to the end of the file */
    uint64_t id;
    int32_t root;        /* index of a granted root */
    int32_t path;        /* position in `bytes`, NUL-terminated there */
    int32_t path_length; /* without the NUL */
    uint8_t technique;   /* forced; 0: auto */
    uint8_t flags;
    uint8_t version;      /* of an extended request, whose answers are extended ones, a refusal as well; else 0 */
    uint8_t segments;     /* how many follow the path, or the request */
    uint64_t rate;        /* bytes a second, 0: as fast as it goes */
    uint32_t idle_ms;     /* 0: the setting */
    uint32_t deadline_ms; /* from receipt on, 0: none */
    uint64_t process;     /* C's: the number of the sender, base/client_account.h; 0: unknown */
    uint64_t source;      /* C's: of several request sockets the one that it came from, intake.h */
    uint64_t job;         /* C's: of a session, whose question it is, session.h; 0: it is a datagram */

    char bytes[SFD_SLOT_BYTES];
};

/* The bytes of a slot that are in use, with the byte behind the datagram if there is one. */
static inline size_t sfd_slot_size(const struct sfd_slot *slot)
{
    const size_t length = slot->length < SFD_SLOT_BYTES ? (size_t)slot->length + 1 : SFD_SLOT_BYTES;

    return offsetof(struct sfd_slot, bytes) + length;
}

struct sfd_receive_batch {
    struct sfd_client_accounts *accounts; /* borrowed: to charge surplus descriptors to their sender; NULL: none */
    bool pidfs;                           /* inode numbers of pidfds tell processes apart */
    struct mmsghdr messages[SFD_BATCH_MAX];
    struct iovec iov[SFD_BATCH_MAX];
    /*
     * Room for all that a message can carry (SCM_MAX_FD): what has no room is closed by the kernel inside recvmmsg, on
     * the loop, and the last close of a socket that lingers takes as long as its client likes.
     */
    union {
        size_t align; /* what struct cmsghdr asks for */
        char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int) * SFD_FDS_MAX) + CMSG_SPACE(sizeof(int))];
    } control[SFD_BATCH_MAX];
};

/*
 * Receives what waits on the request socket `fd`, at most `most` datagrams (1..SFD_BATCH_MAX), into `slots`. The number
 * of slots filled, 0 when nothing waits, or -errno (for example -ENOBUFS: try again later).
 */
int sfd_receive_batch_fill(struct sfd_receive_batch *receiver, struct sfd_closer *closer, int fd,
                           struct sfd_slot *slots, int most);

#endif
