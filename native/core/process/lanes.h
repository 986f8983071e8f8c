/*
 * The lanes of one instance: a request socket for each of some users (base/lane.h).
 *
 * Runs on the thread that starts or stops the engine; may touch the disk. Owns the sockets and their names. Never reads
 * a request.
 *
 * A lane belongs to this process's user, mode 0600, and its access control list (acl(5)) lets one user in. Where the
 * file system has none, there are no lanes, and everybody comes by the request socket.
 */
#ifndef SFD_PROCESS_LANES_H
#define SFD_PROCESS_LANES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/lane.h"

struct sfd_sys_setup;

/* Who gets one. */
struct sfd_lane_users {
    const uint32_t *uids; /* borrowed */
    uint32_t count;
};

struct sfd_lanes {
    const struct sfd_sys_setup *sys;
    uint32_t count;
    struct {
        uint32_t uid;
        int fd; /* non-blocking, CLOEXEC, SO_PASSCRED */
        bool named;
        dev_t dev;
        ino_t ino;
        char path[SFD_LANE_PATH_SIZE];
    } lane[SFD_LANES_MAX];
};

/* Makes close legal. */
void sfd_lanes_init(struct sfd_lanes *lanes, const struct sfd_sys_setup *sys);

/*
 * Makes the lanes of these users beside the request socket at `path`, of which this process must be the one instance:
 * what is left of a killed one is removed, of other
 * users as well. 0, or the -errno for which some user, the first one of them, has no lane:
 * -EOPNOTSUPP (no access control lists), -ENAMETOOLONG, -E2BIG (more than SFD_LANES_MAX), ... The others have theirs.
 */
int sfd_lanes_open(struct sfd_lanes *lanes, const char *path, const struct sfd_lane_users *users);

/*
 * A lane of a process that is to be followed, whose descriptor is taken: also after a failure, -ENAMETOOLONG or -E2BIG.
 * Its name is not ours before sfd_lanes_claim.
 */
int sfd_lanes_inherit(struct sfd_lanes *lanes, const char *path, uint32_t uid, int fd, dev_t dev, ino_t ino);

/* Makes the lanes of those of the users who have none yet. As sfd_lanes_open, but nothing is removed. */
int sfd_lanes_add(struct sfd_lanes *lanes, const char *path, const struct sfd_lane_users *users);

/* The other process has let go: all names are ours. The other way round: they are another process's now. */
void sfd_lanes_claim(struct sfd_lanes *lanes);
void sfd_lanes_release(struct sfd_lanes *lanes);

/* Removes the names, if they are still ours: no new client can connect. Idempotent. */
void sfd_lanes_hide(struct sfd_lanes *lanes);

/* The same, and closes. Idempotent. */
void sfd_lanes_close(struct sfd_lanes *lanes);

#endif
