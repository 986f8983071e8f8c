/*
 * Entries of the group database, whatever their size: a group may have thousands of members.
 */
#ifndef SFD_PROCESS_PROCESS_MEMBERS_H
#define SFD_PROCESS_PROCESS_MEMBERS_H

#include <grp.h>

/*
 * Finds a group by NAME, or by GID if that is NULL. As getgrnam_r(3): 0 or an errno, and *found is ENTRY or NULL. *buf
 * has what ENTRY points to, and is freed by the caller, also after a failure. Blocks as the database does.
 */
int sfd_process_group_entry(const char *name, gid_t gid, struct group *entry, char **buf, struct group **found);

/*
 * What a look-up that has found nothing means: -errno if the database could not be asked, else -ENOENT. "0 or ENOENT or
 * ESRCH or EBADF or EPERM or ..." all mean that there is no such entry (getpwnam(3)).
 */
int sfd_process_look_up_error(int error);

#endif
