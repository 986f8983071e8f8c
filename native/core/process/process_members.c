/*
 * The members of a group; see process.h. The thread that starts an engine, or reloads its settings. Owns nothing.
 */
#include "process/process_members.h"

#include "process/process.h"

#include "sys/sys_setup.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>

/* Of an entry; a group of a directory service may have a hundred thousand members. */
enum { ENTRY_BYTES = 64 * 1024, ENTRY_BYTES_MAX = 64 * 1024 * 1024 };

int sfd_process_group_entry(const char *name, gid_t gid, struct group *entry, char **buf, struct group **found)
{
    int error = ERANGE;

    *buf = NULL;
    *found = NULL;
    for (size_t size = ENTRY_BYTES; error == ERANGE && size <= ENTRY_BYTES_MAX; size *= 4) {
        free(*buf);
        *buf = malloc(size);
        if (*buf == NULL) return ENOMEM;
        error = name != NULL ? getgrnam_r(name, entry, *buf, size, found) : getgrgid_r(gid, entry, *buf, size, found);
    }
    return error;
}

int sfd_process_look_up_error(int error)
{
    if (error == ENOMEM || error == ERANGE || error == EIO) return -error;
    /* A database that the sandbox keeps from this process says in many ways that it has no such entry. */
    const int fd = sfd_sys_setup_linux.openat(AT_FDCWD, "/etc/passwd", O_RDONLY | O_CLOEXEC, 0);
    if (fd >= 0) sfd_sys_setup_linux.close(fd);
    return fd == -EACCES ? -EACCES : -ENOENT;
}

/* Adds a user, if there is room. */
static void add(uid_t uid, uid_t *members, size_t room, int64_t *count)
{
    if ((uint64_t)*count < room) members[*count] = uid;
    (*count)++;
}

/* Those that the entry of the group lists. A name without a user is no user's. */
static int add_listed(char *const *names, uid_t *members, size_t room, int64_t *count)
{
    struct passwd entry;
    struct passwd *found;
    char *buf = malloc(ENTRY_BYTES);

    if (buf == NULL) return -ENOMEM;
    for (; *names != NULL; names++) {
        found = NULL;
        (void)getpwnam_r(*names, &entry, buf, ENTRY_BYTES, &found);
        if (found != NULL) add(entry.pw_uid, members, room, count);
    }
    free(buf);
    return 0;
}

/* Those whose own group it is, as far as the databases list all their users. */
static void add_own(gid_t gid, uid_t *members, size_t room, int64_t *count)
{
    setpwent();
    for (const struct passwd *user = getpwent(); user != NULL; user = getpwent())
        if (user->pw_gid == gid) add(user->pw_uid, members, room, count);
    endpwent();
}

int64_t sfd_process_members(gid_t gid, uid_t *members, size_t room)
{
    struct group entry;
    struct group *found = NULL;
    char *buf = NULL;
    int64_t count = 0;
    int result = 0;
    const int error = sfd_process_group_entry(NULL, gid, &entry, &buf, &found);

    if (found != NULL)
        result = add_listed(entry.gr_mem, members, room, &count);
    else if (sfd_process_look_up_error(error) != -ENOENT)
        result = -error;
    free(buf);
    if (result < 0) return result;
    add_own(gid, members, room, &count);
    return count;
}
