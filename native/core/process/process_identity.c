/*
 * Who the daemon runs as, and how many files it may open; see process.h. Main thread only. Owns nothing.
 */
#include "process/process.h"

#include "process/process_members.h"

#include "sys/sys_setup.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { ENTRY_BYTES = 64 * 1024, GROUPS_MAX = 65536 };

/* Of users and groups, unless /proc says otherwise: DEFAULT_OVERFLOWUID, include/linux/highuid.h. */
enum { OVERFLOW_ID = 65534 };

/* 340 lines is the most that a uid_map has. */
enum { PROC_BYTES = 340 * 40 };

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
        result = sfd_process_look_up_error(error);
    }
    free(buf);
    return result;
}

int sfd_process_group(const char *group, gid_t *gid)
{
    struct group entry;
    struct group *found = NULL;
    char *buf = NULL;
    int result = 0;
    uint32_t id = 0;
    const int error = sfd_process_group_entry(group, 0, &entry, &buf, &found);
    if (found != NULL)
        *gid = entry.gr_gid;
    else if (parse_id(group, &id))
        *gid = (gid_t)id;
    else
        result = sfd_process_look_up_error(error);
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

/* Reads a file of /proc as text; "" when it cannot. */
static void read_proc(const struct sfd_sys_setup *sys, const char *path, char *out, size_t size)
{
    size_t length = 0;
    ssize_t n = 0;
    const int fd = sys->openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);

    while (fd >= 0 && length < size - 1 && (n = sys->read(fd, out + length, size - 1 - length)) > 0)
        length += (size_t)n;
    if (fd >= 0) sys->close(fd);
    out[length] = '\0';
}

/* Whether a uid_map has every uid but 2^32 - 1. Its lines are: first inside, first outside, how many. */
static bool maps_all(const char *map)
{
    uint64_t sum = 0;
    char *end = NULL;

    for (int field = 0;; field++) {
        const unsigned long long number = strtoull(map, &end, 10);
        if (end == map) return sum >= UINT32_MAX;
        if (field % 3 == 2) sum += number;
        map = end;
    }
}

/* The id that those without a place in the map appear as; UINT32_MAX if there are none. */
static uint32_t unmapped(const struct sfd_sys_setup *sys, const char *overflow_file, const char *map_file)
{
    char text[PROC_BYTES];
    uint32_t overflow = OVERFLOW_ID;

    read_proc(sys, overflow_file, text, sizeof text);
    text[strcspn(text, "\n")] = '\0';
    (void)parse_id(text, &overflow);
    read_proc(sys, map_file, text, sizeof text);
    return maps_all(text) ? UINT32_MAX : overflow;
}

uid_t sfd_process_nobody(const struct sfd_sys_setup *sys)
{
    return unmapped(sys, "/proc/sys/kernel/overflowuid", "/proc/self/uid_map");
}

gid_t sfd_process_nogroup(const struct sfd_sys_setup *sys)
{
    return unmapped(sys, "/proc/sys/kernel/overflowgid", "/proc/self/gid_map");
}

uid_t sfd_process_client_uid(const struct sfd_sys_setup *sys)
{
    uid_t ruid;
    uid_t euid;
    uid_t suid;

    if (sys->getresuid(&ruid, &euid, &suid) < 0) return UINT32_MAX;
    return euid == sfd_process_nobody(sys) ? UINT32_MAX : euid;
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
