/*
 * The socket by which sessions of an instance begin, beside its request socket: DIR/sendfiled.NAME.session.
 *
 * Role: it is bound under a hidden name and gets its own by sfd_session_socket_claim, which takes the place of one of
 * an earlier process: so a process that follows another one leaves the other's where it is until it serves. Runs on the
 * thread that starts or stops the engine; may touch the disk. Owns the socket and its names. Without it there are no
 * sessions, and all else is as it was.
 */
#ifndef SFD_PROCESS_SESSION_SOCKET_H
#define SFD_PROCESS_SESSION_SOCKET_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/lane.h"
#include "process/endpoint.h"

struct sfd_session_socket {
    const struct sfd_sys_setup *sys;
    int fd;      /* listening, SOCK_SEQPACKET, non-blocking, CLOEXEC; -1: there is none */
    bool hidden; /* it has the hidden name */
    bool named;  /* it has its own */
    dev_t dev;
    ino_t ino;
    char path[SFD_LANE_PATH_SIZE];
    char hidden_path[SFD_LANE_PATH_SIZE];
};

/* Makes close legal. */
void sfd_session_socket_init(struct sfd_session_socket *s, const struct sfd_sys_setup *sys);

/*
 * Makes the socket of the instance whose request socket is at `path`, for those who can connect to that. 0, or -errno
 * and there is none: -ENAMETOOLONG, -EEXIST (something else has the hidden name), -EACCES (DIR is not this user's)...
 */
int sfd_session_socket_open(struct sfd_session_socket *s, const char *path, const struct sfd_endpoint_access *access);

/* From here on clients find it. Uses only calls that the sandbox allows. 0 or -errno: there are no sessions. */
int sfd_session_socket_claim(struct sfd_session_socket *s);

/* The name is another process's from here on. */
void sfd_session_socket_release(struct sfd_session_socket *s);

/* Removes the names, if they are still ours: nobody new can connect. Idempotent. */
void sfd_session_socket_hide(struct sfd_session_socket *s);

/* The same, and closes. Idempotent. */
void sfd_session_socket_close(struct sfd_session_socket *s);

#endif
