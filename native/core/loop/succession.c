/*
 * Which process takes which request.
 */
#include "loop/succession.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <sys/socket.h>

#include <sendfiled/wire.h>

#include "loop/transfer_table.h"

_Static_assert(SFD_WIRE_TRANSFER_REQUEST_SIZE == 16, "the id ends a request on a transfer");

void sfd_succession_init(struct sfd_succession *s, uint32_t tag)
{
    s->tag = tag;
    atomic_init(&s->predecessors, 0);
    for (int i = 0; i < SFD_SUCCESSION_MAX; i++)
        atomic_init(&s->predecessor[i].fd, -1);
    atomic_init(&s->delegated, false);
    atomic_init(&s->receipts, 0);
    atomic_init(&s->paused, false);
    atomic_init(&s->loops_paused, 0);
    atomic_init(&s->successor_fd, -1);
    atomic_init(&s->take_queued, false);
    atomic_init(&s->take_source, 0);
    atomic_init(&s->takes, 0);
}

/* The predecessor whose transfer a request is about; -1: it is not. */
static int owner_of(const struct sfd_succession *s, const unsigned char *request, size_t length)
{
    uint64_t id;

    if (length != SFD_WIRE_TRANSFER_REQUEST_SIZE) return -1;
    if (request[0] != SFD_WIRE_SEND_OPEN_FILE && request[0] != SFD_WIRE_CANCEL) return -1;
    memcpy(&id, request + SFD_WIRE_TRANSFER_REQUEST_SIZE - sizeof(id), sizeof(id));
    for (int i = 0; i < SFD_SUCCESSION_MAX; i++)
        if (atomic_load(&s->predecessor[i].fd) >= 0 && s->predecessor[i].tag == sfd_transfer_table_tag_of(id)) return i;
    return -1;
}

/* The length of the first request, of which `head` gets what it has room for; or -errno. */
static int peek(const struct sfd_sys *sys, int fd, unsigned char *head, size_t room)
{
    struct iovec iov = {.iov_base = head, .iov_len = room};
    /* No room for control data: its descriptors stay in the socket, and no copies of them come. */
    struct mmsghdr message = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};
    const int n = sys->recvmmsg(fd, &message, 1, MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC);

    return n < 0 ? n : n == 0 ? -EAGAIN : (int)message.msg_len;
}

/* How many requests may be received: none while it is to take one, and the first one if it has ended. */
static int delegate(struct sfd_succession *s, const struct sfd_sys *sys, int owner, uint32_t source)
{
    char text[32];
    const int length = snprintf(text, sizeof(text), SFD_SUCCESSION_TAKE " %u", source);

    atomic_store(&s->delegated, true); /* before the answer can come */
    const int64_t sent =
        sys->send(atomic_load(&s->predecessor[owner].fd), text, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) return 0;
    atomic_store(&s->delegated, false);
    return sent == -EAGAIN ? 0 : 1; /* the request stays, and is looked at again */
}

bool sfd_succession_begin_receipt(struct sfd_succession *s)
{
    unsigned none = 0;

    if (atomic_load(&s->predecessors) > 0) return atomic_compare_exchange_strong(&s->receipts, &none, 1);
    atomic_fetch_add(&s->receipts, 1);
    return true;
}

void sfd_succession_end_receipt(struct sfd_succession *s)
{
    atomic_fetch_sub(&s->receipts, 1);
}

bool sfd_succession_is_paused(const struct sfd_succession *s, uint32_t loops)
{
    /* In this order: a thread that has lost its loop may be in a receipt when that notices the pause. */
    return atomic_load(&s->loops_paused) == loops && atomic_load(&s->receipts) == 0;
}

int sfd_succession_look(struct sfd_succession *s, const struct sfd_sys *sys, int fd, uint32_t source, int most)
{
    unsigned char head[SFD_WIRE_TRANSFER_REQUEST_SIZE];

    if (atomic_load(&s->predecessors) == 0) return most;
    if (atomic_load(&s->delegated)) return 0;
    const int length = peek(sys, fd, head, sizeof(head));
    if (length < 0) return length == -EAGAIN ? 0 : length; /* what comes from here on is not looked at yet */
    const int owner = owner_of(s, head, (size_t)length);
    return owner < 0 ? 1 : delegate(s, sys, owner, source);
}

void sfd_succession_forget(struct sfd_succession *s, uint32_t index)
{
    if (index >= SFD_SUCCESSION_MAX || atomic_exchange(&s->predecessor[index].fd, -1) < 0) return;
    atomic_fetch_sub(&s->predecessors, 1);
}
