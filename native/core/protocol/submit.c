/*
 * Submitting requests: one sendmsg(2).
 */
#include "protocol/submit.h"

#include <errno.h>
#include <string.h>

int sfd_submit_send(const struct sfd_sys *sys, int socket, const void *request, size_t length, const int *fds,
                    unsigned count)
{
    union {
        struct cmsghdr align;
        unsigned char bytes[CMSG_SPACE(SFD_SUBMIT_MAX_FDS * sizeof(int))];
    } control;
    /* sendmsg(2) only reads what iov_base points to */
    struct iovec iov = {.iov_base = (void *)(uintptr_t)request, .iov_len = length};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

    if (count > SFD_SUBMIT_MAX_FDS) return -EINVAL;
    if (count > 0) {
        memset(&control, 0, sizeof(control));
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *const header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(header), fds, count * sizeof(int));
    }

    const int64_t sent = sys->sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent < 0 ? (int)sent : 0; /* a datagram goes whole or not at all */
}
