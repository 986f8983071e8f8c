/*
 * Submitting requests: one sendmsg(2).
 */
#include "protocol/submit.h"

#include <errno.h>

int sfd_submit_send(const struct sfd_sys *sys, int socket, const void *request, size_t length, const int *fds,
                    unsigned count)
{
    union sfd_rights rights;
    /* sendmsg(2) only reads what iov_base points to */
    struct iovec iov = {.iov_base = (void *)(uintptr_t)request, .iov_len = length};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

    if (count > SFD_RIGHTS_MAX) return -EINVAL;
    sfd_rights_attach(&message, &rights, fds, count);

    const int64_t sent = sys->sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent < 0 ? (int)sent : 0; /* a datagram goes whole or not at all */
}
