/*
 * Descriptor passing: see rights.h.
 */
#include "sys/rights.h"

#include <stddef.h>
#include <string.h>

void sfd_rights_attach(struct msghdr *message, union sfd_rights *rights, const int *fds, unsigned count)
{
    const size_t size = count * sizeof(int);

    message->msg_control = NULL;
    message->msg_controllen = 0;
    if (count == 0) return;

    memset(rights, 0, sizeof(*rights)); /* the padding goes to the kernel as well */
    message->msg_control = rights->bytes;
    message->msg_controllen = CMSG_SPACE(size);
    struct cmsghdr *const header = CMSG_FIRSTHDR(message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(header), fds, size);
}
