/*
 * contained ROOT UID CAPABILITIES [SOURCE=TARGET]... -- PROGRAM [ARGUMENT]...: runs a program as a container's engine
 * does, in the mount namespace that it is started in, which must be of its own (unshare(1)).
 *
 * The program sees the directory ROOT as /, to which it cannot write; of the machine it sees /proc, /dev and what is
 * bound, each SOURCE at the TARGET in ROOT. It is the user and group UID with no other groups, can gain no privilege,
 * and has of the superuser's capabilities those with the numbers in CAPABILITIES (0,6,7), which are none for other
 * users; "-" for none. "build" has all of them, and a root that can be written to: what a Containerfile's RUN is.
 */
#include <grp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "driver_common.h"

enum { CAPABILITIES_MAX = 64, PATH_SIZE = 4096 };

static void must(int result, const char *what)
{
    if (result < 0) driver_die(what);
}

static const char *inside(const char *root, const char *target)
{
    static char path[PATH_SIZE];

    (void)snprintf(path, sizeof(path), "%s%s", root, target);
    return path;
}

static void bind(const char *source, const char *target)
{
    must(mount(source, target, NULL, MS_BIND | MS_REC, NULL), target);
}

static void bind_asked(const char *root, char *pair)
{
    char *const target = strchr(pair, '=');

    if (target == NULL) driver_die("SOURCE=TARGET");
    *target = '\0';
    bind(pair, inside(root, target + 1));
}

static bool is_listed(const char *list, int capability)
{
    char word[16];
    const size_t length = (size_t)snprintf(word, sizeof(word), "%d", capability);

    for (const char *at = list; at != NULL; at = strchr(at, ',') == NULL ? NULL : strchr(at, ',') + 1)
        if (strncmp(at, word, length) == 0 && (at[length] == ',' || at[length] == '\0')) return true;
    return false;
}

/* The next execve grants root what is in the bounding set, and nobody else anything. */
static void keep_capabilities(const char *list)
{
    for (int capability = 0; capability < CAPABILITIES_MAX; capability++)
        if (!is_listed(list, capability) && prctl(PR_CAPBSET_READ, capability) >= 0)
            must(prctl(PR_CAPBSET_DROP, capability, 0, 0, 0), "PR_CAPBSET_DROP");
}

int main(int argc, char **argv)
{
    int at = 4;

    if (argc < 6) return DRIVER_USAGE;
    const char *const root = argv[1];
    const uid_t uid = (uid_t)strtoul(argv[2], NULL, 10);
    const char *const capabilities = argv[3];
    const bool builds = strcmp(capabilities, "build") == 0;

    must(mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL), "private mounts");
    bind(root, root);
    must(mount("proc", inside(root, "/proc"), "proc", 0, NULL), "proc");
    bind("/dev", inside(root, "/dev"));
    for (; at < argc && strcmp(argv[at], "--") != 0; at++)
        bind_asked(root, argv[at]);
    if (at + 1 >= argc) return DRIVER_USAGE;
    if (!builds) must(mount(NULL, root, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), "read-only root");
    must(chroot(root), "chroot");
    must(chdir("/"), "chdir");
    if (!builds) keep_capabilities(capabilities);
    must(setgroups(0, NULL), "setgroups");
    must(setresgid(uid, uid, uid), "setresgid");
    must(setresuid(uid, uid, uid), "setresuid");
    must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
    (void)execve(argv[at + 1], argv + at + 1, environ);
    driver_die(argv[at + 1]);
}
