/*
 * Destinations: the rules of each type of descriptor that can take bytes.
 *
 * Role: the one place that says what is accepted as a destination, what must be done to it first, which techniques fit
 * it, how memory is written to it, and how it is closed.
 *
 *   type               fits                                      how it is kept from blocking
 *   stream socket      sendfile mmap read-write                  O_NONBLOCK, asked for before each batch
 *     blocking         mmap read-write                           MSG_DONTWAIT
 *   seqpacket socket   mmap read-write                         MSG_DONTWAIT, one record a call
 *   pipe               splice mmap read-write                    SPLICE_F_NONBLOCK; RWF_NOWAIT or our own description
 *     O_NONBLOCK       and sendfile                              O_NONBLOCK, asked for before each batch
 *   regular, memory    copy-file-range sendfile mmap read-write  it does block: the disk pool does all of it (copy.h)
 *   null, zero         sendfile mmap read-write                  never blocks
 *   full               mmap read-write (it knows no splice)      never blocks
 *   terminal           mmap read-write                           a description of our own with O_NONBLOCK
 *   all else           none: EOPNOTSUPP
 *   With O_APPEND neither sendfile nor copy-file-range fits anything but a pipe.
 *
 * Thread: an event loop (accept, write, close never block); the copy itself is the disk pool's. Owns nothing.
 * Never: changes O_NONBLOCK of a client's description.
 */
#ifndef SFD_TRANSFER_DESTINATION_H
#define SFD_TRANSFER_DESTINATION_H

#include "disk/closer.h"
#include "disk/residency.h"
#include "protocol/technique.h"
#include "sys/kernel.h"

/*
 * The most bytes of one record to a seqpacket socket, which takes a record whole or not at all. What the original's
 * receivers expect, a block of the file; and no send buffer is too small for it: the least that SO_SNDBUF sets is 4608
 * bytes, of which 32 are the kernel's (EMSGSIZE, unix_dgram_sendmsg in net/unix/af_unix.c).
 */
#define SFD_RECORD_BYTES ((size_t)4096)

struct sfd_destination {
    int fd;
    enum sfd_fd_kind kind;
    uint32_t fits;  /* mask of techniques, of those that this machine has */
    int16_t device; /* of a regular file: its index, which it uses; -1: it is on no disk */
    bool asked;     /* O_NONBLOCK was read; before, `fits` has only what fits in any case */
    bool nonblock;  /* its description had O_NONBLOCK when it came, or is our own */
    bool grows;     /* a pipe that is enlarged for the file: the data channel of a read */
    bool seal_due;  /* it has to be sealed before it is complete; a copy's last job does */
};

/*
 * Accepts destination->fd, classified as `info`; `available` is the mask of techniques that work here. 0 with the rest
 * filled, and `fd` perhaps replaced by a description of our own (the client's is closed then); or, with `fd` as it was
 * and of the rest only the kind, by which it is closed: -EBADF when it cannot be written to, -EPERM when it is sealed
 * against writing, -EOPNOTSUPP when it cannot be a destination, or the -errno for which it cannot be opened again.
 * Never blocks.
 */
int sfd_destination_accept(const struct sfd_kernel *kernel, uint32_t available, struct sfd_devices *devices,
                           const struct sfd_fd_info *info, struct sfd_destination *destination);

/*
 * What the daemon sends to a UNIX socket carries the identity of the daemon for a receiver that asks (SO_PASSCRED,
 * unix(7)), which it must not lend to another user. 0 if all of the receiver is that user's own: the one at the other
 * end of `fd` when it was connected was `uid`. Also 0 for all other kinds; -EPERM, -ENOTCONN or another -errno. Never
 * blocks.
 */
int sfd_destination_demand_own_peer(const struct sfd_kernel *kernel, int fd, enum sfd_fd_kind kind, uint32_t uid);

/*
 * Whether it makes no difference to a regular file who writes to it: 0; -EACCES on a pseudo file system; -EPERM if it
 * has a bit for another identity (S_ISUID, S_ISGID), which stays when a privileged process writes; or another -errno.
 * Blocks as long as the file's server likes: disk pool only.
 */
int sfd_destination_demand_plain(const struct sfd_kernel *kernel, int fd);

/*
 * The destination of a Read File: the status channel, accepted by sfd_status_accept. Its `fd` is -1: the channel has
 * its own owner. `available` as above.
 */
struct sfd_destination sfd_destination_of_channel(uint32_t available);

/*
 * Reads O_NONBLOCK of its description, `fd` (borrowed), unless that is known. Not called for a small transfer: its
 * technique does not depend on it, and the call would be a fiftieth of its cost. Never blocks.
 */
void sfd_destination_ask(const struct sfd_kernel *kernel, uint32_t available, int fd,
                         struct sfd_destination *destination);

/*
 * Mask of the techniques that fit such a descriptor, whether this machine has them or not; 0 when it can be no
 * destination.
 */
uint32_t sfd_destination_type_fits(const struct sfd_fd_info *info);

/* Of the techniques that fit a destination, those that can take a source on that medium. */
uint32_t sfd_destination_fits(const struct sfd_destination *destination, enum sfd_medium source);

/* True when the disk pool moves the bytes, because every write to it may wait for a disk. */
static inline bool sfd_destination_is_pooled(enum sfd_fd_kind kind)
{
    return kind == SFD_FD_REGULAR;
}

/*
 * True when bytes of the client's may come between those of the file: the loop moves all of them, and they are a
 * stream.
 */
static inline bool sfd_destination_takes_segments(enum sfd_fd_kind kind)
{
    return kind == SFD_FD_TCP || kind == SFD_FD_UNIX_STREAM || kind == SFD_FD_PIPE || kind == SFD_FD_CHAR;
}

/*
 * Whether it is a memory file that can be sealed when it is complete: 0, -EINVAL for anything else, -EPERM when its
 * seals are sealed. Never blocks.
 */
int sfd_destination_can_seal(const struct sfd_kernel *kernel, int fd);

/*
 * Seals it, against writing and against changes of its size. 0, or -EBUSY while a process has it mapped for writing.
 * Looks at each of its pages and may wait 150 ms for those that are in use: disk pool only.
 */
int sfd_destination_seal(const struct sfd_kernel *kernel, int fd);

/*
 * Writes memory to it: the bytes taken, or -errno, -EAGAIN when it is full. `more`: further bytes follow, so a last
 * packet that is not full may wait for them (TCP; ignored for others). Never blocks; not for regular files.
 */
int64_t sfd_destination_write(const struct sfd_kernel *kernel, int fd, enum sfd_fd_kind kind, const struct iovec *iov,
                              int count, bool more);

/*
 * Takes its descriptor, the client's, and sets it to -1: closes it at once if that cannot block, else leaves it to the
 * closer. The device of a regular file may be -1: unknown.
 */
void sfd_destination_close(struct sfd_closer *closer, struct sfd_destination *destination,
                           struct sfd_client_account *account);

#endif
