/*
 * Receipt of requests.
 */
#include "receive.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

_Static_assert(offsetof(struct sfd_slot, fds) == 24, "layout shared with Java");
_Static_assert(offsetof(struct sfd_slot, verdict) == 40, "layout shared with Java");
_Static_assert(offsetof(struct sfd_slot, range_offset) == 48, "layout shared with Java");
_Static_assert(offsetof(struct sfd_slot, root) == 72, "layout shared with Java");
_Static_assert(offsetof(struct sfd_slot, technique) == 84, "layout shared with Java");
_Static_assert(offsetof(struct sfd_slot, rate) == 88, "layout shared with Java");
_Static_assert(offsetof(struct sfd_slot, bytes) == 112, "layout shared with Java");
_Static_assert(sizeof(struct sfd_slot) == 4352, "layout shared with Java");

static void prepare(struct sfd_receiver *receiver, struct sfd_slot *slots)
{
    for (int i = 0; i < SFD_BATCH_MAX; i++) {
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
static void take_descriptors(struct sfd_slot *slot, struct sfd_closer *closer,
                             const struct cmsghdr *header)
{
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);

    for (size_t i = 0; i < count; i++) {
        int fd;
        memcpy(&fd, CMSG_DATA(header) + i * sizeof(int),
               sizeof(fd)); /* control data is not aligned for int */
        if (slot->fd_count < SFD_SLOT_FDS) {
            slot->fds[slot->fd_count++] = fd;
        } else {
            slot->fault = SFD_SLOT_MALFORMED;
            sfd_closer_take_unknown(closer, &fd);
        }
    }
}

static void fill(struct sfd_slot *slot, struct sfd_closer *closer, struct mmsghdr *message)
{
    struct msghdr *header = &message->msg_hdr;
    bool known = false;

    /* Everything but the bytes, which the kernel has just written. */
    memset(slot, 0, offsetof(struct sfd_slot, bytes));
    slot->length = (int32_t)message->msg_len;
    for (int i = 0; i < SFD_SLOT_FDS; i++)
        slot->fds[i] = -1;
    if ((header->msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) slot->fault = SFD_SLOT_MALFORMED;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level != SOL_SOCKET) continue;
        if (c->cmsg_type == SCM_RIGHTS) {
            take_descriptors(slot, closer, c);
        } else if (c->cmsg_type == SCM_CREDENTIALS &&
                   c->cmsg_len == CMSG_LEN(sizeof(struct ucred))) {
            struct ucred peer;
            memcpy(&peer, CMSG_DATA(c), sizeof(peer));
            slot->uid = peer.uid;
            slot->gid = peer.gid;
            slot->pid = peer.pid;
            known = true;
        }
    }
    if (!known) slot->fault = SFD_SLOT_ANONYMOUS;
}

int sfd_receive(struct sfd_receiver *receiver, struct sfd_closer *closer, int fd,
                struct sfd_slot *slots)
{
    prepare(receiver, slots);
    const int n = closer->sys->recvmmsg(fd, receiver->messages, SFD_BATCH_MAX,
                                        MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n == -EAGAIN) return 0;
    for (int i = 0; i < n; i++)
        fill(&slots[i], closer, &receiver->messages[i]);
    return n;
}
