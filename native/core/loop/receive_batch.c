/*
 * Receipt of requests.
 */
#include "loop/receive_batch.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>

#include <sys/stat.h>

#include "sys/errno_policy.h"

#ifndef SCM_PIDFD
#define SCM_PIDFD 0x04 /* sys/socket.h of glibc 2.38 */
#endif

static void prepare(struct sfd_receive_batch *receiver, struct sfd_slot *slots, int most)
{
    for (int i = 0; i < most; i++) {
        receiver->iov[i] = (struct iovec){.iov_base = slots[i].bytes, .iov_len = SFD_SLOT_BYTES};
        receiver->messages[i] = (struct mmsghdr){
            .msg_hdr =
                {
                    .msg_iov = &receiver->iov[i],
                    .msg_iovlen = 1,
                    .msg_control = receiver->control[i].bytes,
                    .msg_controllen = sizeof(receiver->control[i].bytes),
                },
        };
    }
}

/* Keeps the first descriptors and gives the surplus to the closer. */
static void take_descriptors(struct sfd_slot *slot, struct sfd_closer *closer, struct sfd_client_account *account,
                             const struct cmsghdr *header)
{
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);

    for (size_t i = 0; i < count; i++) {
        int fd;
        memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(fd)); /* control data is not aligned for int */
        if (slot->fd_count < SFD_SLOT_FDS) {
            slot->fds[slot->fd_count++] = fd;
        } else {
            if (slot->fault != SFD_SLOT_ANONYMOUS) slot->fault = SFD_SLOT_MALFORMED;
            sfd_closer_put_aside(closer, &fd, account); /* no call here: other clients' requests would wait for it */
        }
    }
}

/* Reads the sender's credentials; false when the kernel gives none. */
static bool take_credentials(struct sfd_slot *slot, struct msghdr *header)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
        struct ucred peer;
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS || c->cmsg_len != CMSG_LEN(sizeof(peer)))
            continue;
        memcpy(&peer, CMSG_DATA(c), sizeof(peer));
        slot->uid = peer.uid;
        slot->gid = peer.gid;
        slot->pid = peer.pid;
        return true;
    }
    return false;
}

/*
 * Takes the sender's pidfd, and gives 0; or the -errno for which there is none: the kernel writes it in the place of
 * the descriptor (scm_pidfd_recv, include/net/scm.h).
 */
static int take_pidfd(struct sfd_slot *slot, const struct sfd_sys *sys, struct msghdr *header)
{
    int lost = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
        int fd;
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_PIDFD || c->cmsg_len != CMSG_LEN(sizeof(fd))) continue;
        memcpy(&fd, CMSG_DATA(c), sizeof(fd));
        if (fd < 0)
            lost = fd;
        else if (slot->pidfd < 0)
            slot->pidfd = fd;
        else
            (void)sys->close(fd); /* of a pidfd: waits for nobody */
    }
    return lost;
}

static uint64_t process_of(const struct sfd_slot *slot, const struct sfd_sys *sys, bool pidfs)
{
    struct statx stat;

    if (slot->pid > 0) return (uint64_t)slot->pid;
    if (!pidfs || slot->pidfd < 0) return 0;
    if (sys->statx(slot->pidfd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &stat) < 0) return 0;
    return SFD_PROCESS_INODE | stat.stx_ino;
}

/* Gives the account of a sender whose datagram has more descriptors than any request. */
static struct sfd_client_account *account_of(struct sfd_receive_batch *receiver, const struct sfd_slot *slot,
                                             const struct cmsghdr *descriptors)
{
    if (receiver->accounts == NULL || descriptors->cmsg_len <= CMSG_LEN(SFD_SLOT_FDS * sizeof(int))) return NULL;
    return sfd_client_accounts_get(receiver->accounts, slot->process, slot->uid);
}

static void fill(struct sfd_receive_batch *receiver, struct sfd_slot *slot, struct sfd_closer *closer,
                 struct msghdr *header, uint32_t length)
{
    /* Everything but the bytes, which the kernel has just written. */
    memset(slot, 0, offsetof(struct sfd_slot, bytes));
    slot->length = (int32_t)length;
    for (int i = 0; i < SFD_SLOT_FDS; i++)
        slot->fds[i] = -1;
    slot->pidfd = -1;
    /* There is room for all control data, so MSG_CTRUNC means that this process had no free descriptor, recvmsg(2). */
    if ((header->msg_flags & MSG_CTRUNC) != 0) slot->fault = SFD_SLOT_CROWDED;
    if ((header->msg_flags & MSG_TRUNC) != 0) slot->fault = SFD_SLOT_MALFORMED;
    const bool known = take_credentials(slot, header); /* first: surplus descriptors are charged to the sender */
    const int lost = take_pidfd(slot, closer->sys, header);
    slot->process = known ? process_of(slot, closer->sys, receiver->pidfs) : 0;
    /* A sender that would be known if there were a descriptor for it; else it has ended already. */
    if (slot->process == 0 && (lost == -EMFILE || lost == -ENFILE || lost == -ENOMEM) && slot->fault == SFD_SLOT_SOUND)
        slot->fault = SFD_SLOT_CROWDED;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
        struct sfd_client_account *account = known ? account_of(receiver, slot, c) : NULL;
        take_descriptors(slot, closer, account, c);
        sfd_client_account_put(account);
    }
    if (!known) slot->fault = SFD_SLOT_ANONYMOUS;
}

int sfd_receive_batch_fill(struct sfd_receive_batch *receiver, struct sfd_closer *closer, int fd,
                           struct sfd_slot *slots, int most)
{
    prepare(receiver, slots, most);
    const int n = closer->sys->recvmmsg(fd, receiver->messages, (unsigned)most, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0 && sfd_errno_policy(SFD_PLACE_RECEIVE, n) == SFD_REMEDY_READY) return 0;
    for (int i = 0; i < n; i++)
        fill(receiver, &slots[i], closer, &receiver->messages[i].msg_hdr, receiver->messages[i].msg_len);
    return n;
}
