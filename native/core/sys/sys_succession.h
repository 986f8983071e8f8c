/*
 * The system calls by which one process of an instance follows another.
 *
 * Descriptors are fetched by the one that comes (pidfd_getfd(2), Linux 5.6), with the rights of a debugger: as root, or
 * as the same user, where no security module says more. They are not sent by the one that goes, whose sandbox allows no
 * sendmsg(2): with that it could reach every datagram socket that has a name.
 *
 * Any thread; each returns >= 0, or -errno. Owns nothing.
 */
#ifndef SFD_SYS_SYS_SUCCESSION_H
#define SFD_SYS_SYS_SUCCESSION_H

#include <stddef.h>
#include <stdint.h>

/* A stream connection to the UNIX socket at `path`, CLOEXEC. */
int sfd_sys_connect_stream(const char *path);

/* The pid of the process at the other end of a connected UNIX socket: who connected, or listened. -ESRCH: not visible
 * here. */
int sfd_sys_peer_pid(int fd);

/* The effective uid and gid of that process when it connected, or listened. */
int sfd_sys_peer_ids(int fd, uint32_t ids[2]);

/* A copy of descriptor `fd` of the process of `pidfd`, CLOEXEC. -EPERM: it may not be looked into. */
int sfd_sys_fetch(int pidfd, int fd);

/* Lets one process look into this one where Yama asks for that (prctl(2), PR_SET_PTRACER); 0: none. */
void sfd_sys_let_in(int pid);

/* A pair of sockets of whole messages (SOCK_SEQPACKET), CLOEXEC. */
int sfd_sys_message_pair(int fds[2]);

/* A pair of datagram sockets, CLOEXEC, of which the first is non-blocking, and told who sends. */
int sfd_sys_request_pair(int fds[2]);

/* Sends one message; waits for nobody: -EAGAIN. */
int sfd_sys_message_send(int fd, const void *bytes, size_t length);

/*
 * Receives one message, or what a stream has; waits so long (-1: no limit). 0: the end; -ETIMEDOUT; -ECANCELED when
 * `wake` can be read from, which may be -1.
 */
int sfd_sys_message_receive(int fd, int wake, void *bytes, size_t room, int timeout_ms);

#endif
