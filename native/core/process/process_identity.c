/*
 * Who the daemon runs as, and how many files it may open; see process.h. Main thread only. Owns nothing.
 */
#include "process/process.h"

#include "sys/sys_setup.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>

enum { ENTRY_BYTES = 64 * 1024, GROUPS_MAX = 65536 };

/* A decimal id; 2^32 - 1 is no valid id, it means "unchanged" to setresuid(2). */
static bool parse_id(const char *text, uint32_t *out)
{
    if (text[0] < '0' || text[0] > '9') return false;
    char *end = NULL;
    const unsigned long long value = strtoull(text, &end, 10);
    if (*end != '\0' || value >= UINT32_MAX) return false;
    *out = (uint32_t)value;
    return true;
}

int sfd_process_user(const char *user, uid_t *uid, gid_t *gid)
{
    struct passwd entry;
    struct passwd *found = NULL;
    char *buf = malloc(ENTRY_BYTES);
    if (buf == NULL) return -ENOMEM;
    uint32_t id = 0;
    const bool numeric = parse_id(user, &id);
    int error = getpwnam_r(user, &entry, buf, ENTRY_BYTES, &found);
    if (found == NULL && numeric) error = getpwuid_r((uid_t)id, &entry, buf, ENTRY_BYTES, &found);
    int result = 0;
    if (found != NULL) {
        *uid = entry.pw_uid;
        *gid = entry.pw_gid;
    } else if (numeric) {
        *uid = (uid_t)id;
        *gid = (gid_t)id;
    } else {
        /* getpwnam(3): "0 or ENOENT or ESRCH or EBADF or EPERM or ..." all mean that the name was not found. */
        result = error == ENOMEM || error == ERANGE || error == EIO ? -error : -ENOENT;
    }
    free(buf);
    return result;
}

int sfd_process_group(const char *group, gid_t *gid)
{
    struct group entry;
    struct group *found = NULL;
    char *buf = malloc(ENTRY_BYTES);
    if (buf == NULL) return -ENOMEM;
    int result = 0;
    uint32_t id = 0;
    const int error = getgrnam_r(group, &entry, buf, ENTRY_BYTES, &found);
    if (found != NULL)
        *gid = entry.gr_gid;
    else if (parse_id(group, &id))
        *gid = (gid_t)id;
    else
        result = error == ENOMEM || error == ERANGE || error == EIO ? -error : -ENOENT;
    free(buf);
    return result;
}

/* The groups of UID as the group database has them, GID among them; a uid without an entry has GID only. */
static int groups_of(uid_t uid, gid_t gid, gid_t *groups, int *count)
{
    struct passwd entry;
    struct passwd *found = NULL;
    char *buf = malloc(ENTRY_BYTES);
    if (buf == NULL) return -ENOMEM;
    int result = 0;
    (void)getpwuid_r(uid, &entry, buf, ENTRY_BYTES, &found);
    if (found == NULL) {
        groups[0] = gid;
        *count = 1;
    } else if (getgrouplist(entry.pw_name, gid, groups, count) < 0) {
        result = -ERANGE;
    }
    free(buf);
    return result;
}

static bool contains(const gid_t *groups, int count, gid_t gid)
{
    for (int i = 0; i < count; i++)
        if (groups[i] == gid) return true;
    return false;
}

static int verify_ids(const struct sfd_sys_setup *sys, uid_t uid, gid_t gid)
{
    uid_t ruid;
    uid_t euid;
    uid_t suid;
    gid_t rgid;
    gid_t egid;
    gid_t sgid;
    int result = sys->getresuid(&ruid, &euid, &suid);
    if (result < 0) return result;
    result = sys->getresgid(&rgid, &egid, &sgid);
    if (result < 0) return result;
    const bool same = ruid == uid && euid == uid && suid == uid && rgid == gid && egid == gid && sgid == gid;
    return same ? 0 : -ENOTRECOVERABLE;
}

/*
 * capabilities(7): a change of user drops all capabilities, unless the program that started us has asked the kernel to
 * keep them (PR_SET_KEEPCAPS, secure bits). A capability that is still permitted could be made effective again.
 */
static int verify_no_way_back(const struct sfd_sys_setup *sys)
{
    uint64_t permitted = 0;
    if (sys->setresuid(0, 0, 0) >= 0) return -ENOTRECOVERABLE;
    const int result = sys->capabilities(&permitted);
    if (result < 0) return result;
    return permitted == 0 ? 0 : -ENOTRECOVERABLE;
}

int sfd_process_become(const struct sfd_sys_setup *sys, uid_t uid, gid_t gid)
{
    uid_t ruid;
    uid_t euid;
    uid_t suid;
    int result = sys->getresuid(&ruid, &euid, &suid);
    if (result < 0) return result;
    if (euid != 0) return verify_ids(sys, uid, gid) == 0 ? 0 : -EPERM;
    gid_t *wanted = calloc(GROUPS_MAX, sizeof *wanted);
    gid_t *actual = calloc(GROUPS_MAX, sizeof *actual);
    if (wanted == NULL || actual == NULL) {
        result = -ENOMEM;
        goto done;
    }
    int wanted_count = GROUPS_MAX;
    result = groups_of(uid, gid, wanted, &wanted_count);
    if (result < 0) goto done;
    /*
     * Groups first: setgroups(2) needs the privilege that setresuid gives up. glibc sets every thread of the process.
     */
    result = sys->setgroups((size_t)wanted_count, wanted);
    if (result < 0) goto done;
    result = sys->setresgid(gid, gid, gid);
    if (result < 0) goto done;
    result = sys->setresuid(uid, uid, uid);
    if (result < 0) goto done;
    result = verify_ids(sys, uid, gid);
    if (result < 0) goto done;
    const int actual_count = sys->getgroups(GROUPS_MAX, actual);
    if (actual_count < 0) {
        result = actual_count;
        goto done;
    }
    for (int i = 0; i < actual_count; i++) {
        if (!contains(wanted, wanted_count, actual[i])) {
            result = -ENOTRECOVERABLE;
            goto done;
        }
    }
    if (uid != 0) result = verify_no_way_back(sys);

done:
    free(wanted);
    free(actual);
    return result;
}

int64_t sfd_process_raise_open_files(const struct sfd_sys_setup *sys)
{
    struct rlimit limit;
    const int result = sys->getrlimit(RLIMIT_NOFILE, &limit);
    if (result < 0) return result;
    if (limit.rlim_cur != limit.rlim_max) {
        const struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
        /* RLIM_INFINITY as hard limit is refused above fs.nr_open: then the soft limit stays, which is no failure. */
        if (sys->setrlimit(RLIMIT_NOFILE, &raised) >= 0) limit = raised;
    }
    return limit.rlim_cur > (rlim_t)INT64_MAX ? INT64_MAX : (int64_t)limit.rlim_cur;
}
