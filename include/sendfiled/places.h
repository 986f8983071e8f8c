/*
 * Where a daemon's request socket may be, and what is found there. Included by sendfiled.h. sendfiled(7), FINDING THE
 * DAEMON, has the rule.
 */
#ifndef SENDFILED_PLACES_H
#define SENDFILED_PLACES_H

#include "attr.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The name of an instance that was given none. */
#define SFD_DEFAULT_NAME "default"

/* The most places where one instance may be. */
#define SFD_PLACES_MAX 4

/* Room for a path, and for a reason, with their NULs. */
#define SFD_PLACE_PATH_SIZE   256
#define SFD_PLACE_REASON_SIZE 92

/* One place where a socket was looked for. */
struct sfd_place {
    int error;                          /* 0: a daemon listens there; else why it is not used, as sfd_find() says */
    char path[SFD_PLACE_PATH_SIZE];     /* of the socket; cut if it is longer than any socket's can be */
    char reason[SFD_PLACE_REASON_SIZE]; /* the error in English words, for a message; "" if it is 0 */
};

/*
 * Looks at every place where a daemon of that name may be, in the order in which sfd_connect(NULL, SERVER_NAME) does,
 * which connects to the first whose error is 0. Sends nothing, and does not block.
 *
 *   server_name      instance name; NULL: "default"
 *   places           gets the first `count` of them
 *   count            its elements; SFD_PLACES_MAX is enough for all
 *
 * Returns how many places there are, from 1; more than `count` if that is too small.
 *
 * A place's error: ENOENT (no such socket or directory), ECONNREFUSED (a socket that nobody serves), EACCES (not
 * allowed to connect), EPERM (not looked at, because another user could have put the socket there), EPROTOTYPE
 * (something else listens there), ENAMETOOLONG (the path does not fit a socket, 107 bytes), ENOTDIR, ELOOP.
 *
 * Thread-safe as long as no thread changes the environment. errno: EINVAL (a name that is empty or contains a slash, or
 * NULL for places), EMFILE, ENFILE, ENOBUFS, ENOMEM.
 */
int sfd_find(const char *server_name, struct sfd_place *places, unsigned count) SFD_API;

#ifdef __cplusplus
}
#endif

#endif
