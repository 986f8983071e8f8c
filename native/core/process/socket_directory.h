/*
 * The directory of the request socket, for a daemon that was not told one: base/socket_places.h has the rule.
 *
 * Runs on the thread that starts the engine; may touch the disk. Stateless. Only make needs root, and follows no link
 * that another user could have made.
 */
#ifndef SFD_PROCESS_SOCKET_DIRECTORY_H
#define SFD_PROCESS_SOCKET_DIRECTORY_H

#include <sys/types.h>

#include "base/socket_places.h"

/*
 * As root: makes /run/sendfiled (root's, 0755) and /run/sendfiled/NAME (UID's and GID's, 0755), for an instance that
 * will run as UID. A directory of NAME that is another user's, or of root's, is given to UID, and what a killed
 * instance of NAME has left in it is removed, unless such an instance runs.
 *
 * 0, with the directory in out->path. Else -errno, with error and reason of that place in `out`: -EADDRINUSE (another
 * user's instance of NAME runs), -EPERM (others could replace the directory), -ENAMETOOLONG (see sfd_place_socket),
 * -EINVAL (see sfd_place_check_name), -ENOENT (there is no /run), -EROFS, ...
 */
int sfd_socket_directory_make(const struct sfd_place_rule *rule, const char *name, uid_t uid, gid_t gid,
                              struct sfd_place *out);

/*
 * The first place in which this process can have its socket. Makes /run/sendfiled/NAME if it is root, else
 * /run/sendfiled if it may, and /tmp/sendfiled-UID, which is last. Not $XDG_RUNTIME_DIR as root: that is the session's,
 * and ends with it.
 *
 * Fills `places` with the `count` directories that it has looked at. 0: the last one is it; or -errno, of the last:
 * then error and reason are set in each.
 */
int sfd_socket_directory_choose(const struct sfd_place_rule *rule, const char *name,
                                struct sfd_place places[SFD_PLACES_MAX], unsigned *count);

#endif
