/*
 * Descriptor passing: the control message (SCM_RIGHTS, unix(7)) of a datagram that we send.
 *
 * Role: the only place that composes one. Thread: any; no state. Owns nothing: the descriptors are borrowed, the kernel
 * makes its own references when the message is sent.
 */
#ifndef SFD_SYS_RIGHTS_H
#define SFD_SYS_RIGHTS_H

#include <sys/socket.h>

/* The most descriptors that a message of ours carries: the status channel, destination and source of a request. */
enum { SFD_RIGHTS_MAX = 3 };

/* Room for the control message, aligned for its header. */
union sfd_rights {
    struct cmsghdr align;
    unsigned char bytes[CMSG_SPACE(SFD_RIGHTS_MAX * sizeof(int))];
};

/*
 * Lets `message` carry the first `count` (0 to SFD_RIGHTS_MAX) of `fds`, in this order; with 0 it gets no control
 * message. `rights` is written, and has to live until the message is sent.
 */
void sfd_rights_attach(struct msghdr *message, union sfd_rights *rights, const int *fds, unsigned count);

#endif
