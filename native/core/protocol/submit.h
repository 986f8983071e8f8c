/*
 * Submitting requests: the client's end of the request socket.
 *
 * Role: sends one datagram with its descriptors to a daemon, and never waits for it.
 * Thread: any; calls on one socket may overlap, the kernel keeps datagrams whole.
 * Owns nothing: the descriptors that travel are borrowed, the kernel makes its own references.
 * Never blocks: sfd_sys_wait_writable is for a thread that has nothing else to do.
 */
#ifndef SFD_PROTOCOL_SUBMIT_H
#define SFD_PROTOCOL_SUBMIT_H

#include <stddef.h>

#include "sys/rights.h"
#include "sys/sys.h"

/*
 * Sends `length` bytes and the `count` (0 to SFD_RIGHTS_MAX) descriptors of `fds` as one request. 0 or -errno: -EAGAIN
 * when the daemon's queue is full, -ECONNREFUSED or -ENOTCONN when the daemon has ended (connect again, it may have
 * been restarted), -EBADF when one of the descriptors is none.
 */
int sfd_submit_send(const struct sfd_sys *sys, int socket, const void *request, size_t length, const int *fds,
                    unsigned count);

#endif
