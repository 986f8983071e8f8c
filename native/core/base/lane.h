/*
 * Lanes: request sockets beside an instance's own, one for each of some users.
 *
 * Why. All that wait for room in the queue of one socket wait alike, and the kernel lets them go on in turn by thread:
 * who floods that queue keeps everybody else waiting in it. A user who has a lane has a queue of its own there.
 *
 *   DIR/sendfiled.NAME.socket      the request socket: for everybody whom the daemon serves
 *   DIR/sendfiled.NAME.UID.lane    the lane of the user UID, who alone (and root) can connect to it
 *
 * A client needs to know of no lane: the rule by which it connects takes its user's, if there is one. A lane is a queue
 * and no more: who is served is decided by the credentials of each request, wherever it has come from.
 *
 * Any thread; stateless.
 */
#ifndef SFD_BASE_LANE_H
#define SFD_BASE_LANE_H

#include <stddef.h>
#include <stdint.h>

/* The most lanes of an instance: a queue costs a descriptor, and some of the kernel's memory while it is full. */
#define SFD_LANES_MAX 64

/* What fits a socket's address: sun_path, unix(7). */
#define SFD_LANE_PATH_SIZE 108

/*
 * The lane of a user beside the request socket at `path`, in `out` (SFD_LANE_PATH_SIZE). 0; -ENAMETOOLONG; or -EINVAL:
 * `path` does not end as a request socket's does.
 */
int sfd_lane_path(const char *path, uint32_t uid, char *out);

/*
 * The socket of sessions beside the request socket at `path` (<sendfiled/session.h>), in `out` (SFD_LANE_PATH_SIZE). As
 * sfd_lane_path.
 */
int sfd_session_path(const char *path, char *out);

/*
 * Connects a socket of SOCK_SEQPACKET to the session socket beside the request socket at `path`, if that has been made
 * by the owner of one of the two as above. 0; -ENOENT: there is none that can be trusted; or another -errno.
 */
int sfd_session_connect(int socket, const char *path);

/*
 * Connects (or reconnects) a datagram socket to the daemon whose request socket is at `path`: by the lane of this
 * process's effective user, if there is one that the owner of the socket, or of its directory, has made and that is
 * served; else to `path` itself.
 * 0 or -errno. May touch the disk; waits for nobody but it.
 */
int sfd_lane_connect(int socket, const char *path);

#endif
