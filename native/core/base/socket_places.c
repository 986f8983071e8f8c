/*
 * Where a request socket may be, and who may have put it there; see socket_places.h. Owns a descriptor for the duration
 * of a call.
 */
#include "base/socket_places.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/lane.h"
#include "sys/sys.h"
#include "sys/sys_setup.h"

#define SYSTEM "sendfiled"

/* The longest path of a socket; a NUL stands behind it. */
#define SOCKET_PATH_MAX (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

static bool is_set(const char *value)
{
    return value != NULL && value[0] != '\0';
}

void sfd_place_rule_init(struct sfd_place_rule *rule)
{
    *rule = (struct sfd_place_rule){
        .sys = &sfd_sys_setup_linux,
        .given = secure_getenv("SENDFILED_SOCKET_DIR"),
        .runtime = secure_getenv("XDG_RUNTIME_DIR"),
        .run = "/run",
        .tmp = "/tmp",
        .uid = geteuid(),
        .root = 0,
    };
}

int sfd_place_check_name(const char *name)
{
    return name[0] == '\0' || strchr(name, '/') != NULL ? -EINVAL : 0;
}

unsigned sfd_place_kinds(const struct sfd_place_rule *rule, enum sfd_place_kind kinds[SFD_PLACES_MAX])
{
    unsigned count = 0;

    if (is_set(rule->given)) {
        kinds[0] = SFD_PLACE_GIVEN;
        return 1;
    }
    if (is_set(rule->runtime)) kinds[count++] = SFD_PLACE_RUNTIME;
    kinds[count++] = SFD_PLACE_INSTANCE;
    kinds[count++] = SFD_PLACE_SYSTEM;
    kinds[count++] = SFD_PLACE_PRIVATE;
    return count;
}

/* ---- paths ------------------------------------------------------------------------------------------------------ */

static int fits(int length, size_t size)
{
    return length < 0 || (size_t)length >= size ? -ENAMETOOLONG : 0;
}

int sfd_place_directory(const struct sfd_place_rule *rule, enum sfd_place_kind kind, const char *name, char *out,
                        size_t size)
{
    switch (kind) {
    case SFD_PLACE_GIVEN:
        return fits(snprintf(out, size, "%s", rule->given), size);
    case SFD_PLACE_RUNTIME:
        return fits(snprintf(out, size, "%s", rule->runtime), size);
    case SFD_PLACE_INSTANCE:
        return fits(snprintf(out, size, "%s/" SYSTEM "/%s", rule->run, name), size);
    case SFD_PLACE_SYSTEM:
        return fits(snprintf(out, size, "%s/" SYSTEM, rule->run), size);
    case SFD_PLACE_PRIVATE:
        break;
    }
    return fits(snprintf(out, size, "%s/" SYSTEM "-%lu", rule->tmp, (unsigned long)rule->uid), size);
}

int sfd_place_socket(const char *directory, const char *name, char *out, size_t size)
{
    const size_t length = strlen(directory);
    const char *separator = length > 0 && directory[length - 1] == '/' ? "" : "/";

    return fits(snprintf(out, size, "%s%s" SYSTEM ".%s.socket", directory, separator, name), size);
}

/* The path of the socket, as far as it fits. */
static void set_path(const struct sfd_place_rule *rule, enum sfd_place_kind kind, const char *name,
                     struct sfd_place *out)
{
    char directory[SFD_PLACE_PATH_SIZE];

    (void)sfd_place_directory(rule, kind, name, directory, sizeof directory);
    (void)sfd_place_socket(directory, name, out->path, sizeof out->path);
}

int sfd_place_refuse(struct sfd_place *place, int error, const char *format, ...)
{
    va_list arguments;

    place->error = error;
    va_start(arguments, format);
    (void)vsnprintf(place->reason, sizeof place->reason, format, arguments);
    va_end(arguments);
    return -error;
}

/* A failure that needs no more words than its errno. */
static int refuse_for(struct sfd_place *place, int error)
{
    char text[SFD_PLACE_REASON_SIZE];

    return sfd_place_refuse(place, error, "%s", strerror_r(error, text, sizeof text));
}

/* ---- whom a directory belongs to -------------------------------------------------------------------------------- */

/* The rights of those who are neither the owner nor root. */
#define WRITABLE_BY_OTHERS (S_IWGRP | S_IWOTH)

/* Whose a directory may be. */
enum owners { ROOTS, OWN, OWN_OR_ROOTS, ANYBODYS };

/* Takes `fd`, and gives it back if the directory is whose it may be, and nobody else may write to it. */
static int demand_safe(const struct sfd_place_rule *rule, int fd, enum owners owners, mode_t forbidden,
                       const char *subject, struct sfd_place *out)
{
    struct stat st = {.st_mode = 0};
    int result = rule->sys->fstat(fd, &st);
    const bool own = st.st_uid == rule->uid && (owners == OWN || owners == OWN_OR_ROOTS);
    const bool roots = st.st_uid == rule->root && (owners == ROOTS || owners == OWN_OR_ROOTS);

    if (result < 0)
        result = refuse_for(out, -result);
    else if (owners != ANYBODYS && !own && !roots)
        result = sfd_place_refuse(out, EPERM, "%sbelongs to another user (uid %lu)", subject, (unsigned long)st.st_uid);
    else if ((st.st_mode & forbidden & WRITABLE_BY_OTHERS) != 0)
        result = sfd_place_refuse(out, EPERM, "%sothers may write to it (mode %04o)", subject, st.st_mode & 07777U);
    else if ((st.st_mode & forbidden) != 0)
        result = sfd_place_refuse(out, EPERM, "%sis open to other users (mode %04o)", subject, st.st_mode & 07777U);
    if (result == 0) return fd;
    rule->sys->close(fd);
    return result;
}

static int open_directory(const struct sfd_place_rule *rule, int parent, const char *path, int flags,
                          struct sfd_place *out)
{
    const int fd = rule->sys->openat(parent, path, O_PATH | O_DIRECTORY | O_CLOEXEC | flags, 0);

    switch (-fd) {
    case ENOENT:
        return sfd_place_refuse(out, ENOENT, "no such directory");
    case ENOTDIR:
        return sfd_place_refuse(out, ENOTDIR, "is not a directory");
    case EACCES:
        return sfd_place_refuse(out, EPERM, "this user may not get there");
    default:
        break;
    }
    return fd < 0 ? refuse_for(out, -fd) : fd;
}

int sfd_place_open_roots(const struct sfd_place_rule *rule, struct sfd_place *out)
{
    char directory[SFD_PLACE_PATH_SIZE];

    (void)sfd_place_directory(rule, SFD_PLACE_SYSTEM, "", directory, sizeof directory);
    const int fd = open_directory(rule, AT_FDCWD, directory, O_NOFOLLOW, out);
    return fd < 0 ? fd : demand_safe(rule, fd, ROOTS, WRITABLE_BY_OTHERS, "the directory above it: ", out);
}

/* /run/sendfiled/NAME: whoever has it got it from root, because nobody else can make names in /run/sendfiled. */
static int open_instance(const struct sfd_place_rule *rule, const char *name, struct sfd_place *out)
{
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) return sfd_place_refuse(out, ENOENT, "no such directory");
    const int parent = sfd_place_open_roots(rule, out);
    if (parent < 0) return parent;
    const int fd = open_directory(rule, parent, name, O_NOFOLLOW, out);
    rule->sys->close(parent);
    return fd < 0 ? fd : demand_safe(rule, fd, ANYBODYS, WRITABLE_BY_OTHERS, "", out);
}

int sfd_place_open(const struct sfd_place_rule *rule, enum sfd_place_kind kind, const char *name, struct sfd_place *out)
{
    char directory[SFD_PLACE_PATH_SIZE];
    int fd;

    if (sfd_place_directory(rule, kind, name, directory, sizeof directory) < 0)
        return sfd_place_refuse(out, ENAMETOOLONG, "too long for a socket, %zu bytes", SOCKET_PATH_MAX);
    switch (kind) {
    case SFD_PLACE_GIVEN:
        return open_directory(rule, AT_FDCWD, directory, 0, out);
    case SFD_PLACE_RUNTIME:
        /* XDG Base Directory Specification: absolute, and the user's; one that su(1) has left set is another user's. */
        if (directory[0] != '/') return sfd_place_refuse(out, EPERM, "XDG_RUNTIME_DIR is not an absolute path");
        fd = open_directory(rule, AT_FDCWD, directory, 0, out);
        return fd < 0 ? fd : demand_safe(rule, fd, OWN, WRITABLE_BY_OTHERS, "", out);
    case SFD_PLACE_INSTANCE:
        return open_instance(rule, name, out);
    case SFD_PLACE_SYSTEM:
        fd = open_directory(rule, AT_FDCWD, directory, O_NOFOLLOW, out);
        return fd < 0 ? fd : demand_safe(rule, fd, OWN_OR_ROOTS, WRITABLE_BY_OTHERS, "", out);
    case SFD_PLACE_PRIVATE:
        break;
    }
    fd = open_directory(rule, AT_FDCWD, directory, O_NOFOLLOW, out);
    return fd < 0 ? fd : demand_safe(rule, fd, OWN, S_IRWXG | S_IRWXO, "", out);
}

/* ---- who listens ------------------------------------------------------------------------------------------------ */

static int explain(struct sfd_place *out, int error)
{
    switch (error) {
    case ENOENT:
        return sfd_place_refuse(out, error, "no such socket");
    case ECONNREFUSED:
        return sfd_place_refuse(out, error, "no process serves it");
    case EACCES:
        return sfd_place_refuse(out, error, "this user may not connect to it");
    case EPROTOTYPE:
        return sfd_place_refuse(out, error, "something else than a daemon listens there");
    case ENAMETOOLONG:
        return sfd_place_refuse(out, error, "too long for a socket, %zu bytes", SOCKET_PATH_MAX);
    default:
        return refuse_for(out, error);
    }
}

/* Connects to the socket of one place. 0, or -errno with error and reason set in `out`; its path is set in any case. */
static int connect_to(const struct sfd_place_rule *rule, int socket, enum sfd_place_kind kind, const char *name,
                      struct sfd_place *out)
{
    *out = (struct sfd_place){.error = 0};
    set_path(rule, kind, name, out);
    if (strlen(out->path) > SOCKET_PATH_MAX) return explain(out, ENAMETOOLONG);
    if (kind != SFD_PLACE_GIVEN) {
        const int fd = sfd_place_open(rule, kind, name, out);
        if (fd < 0) return fd;
        rule->sys->close(fd);
    }
    const int result = sfd_lane_connect(socket, out->path);
    return result < 0 ? explain(out, -result) : 0;
}

/* Of two failures the one with the higher number says more about why there is no daemon. */
static int weight(int result)
{
    switch (-result) {
    case EPERM:
    case ENAMETOOLONG:
    case ENOTDIR:
        return 0; /* there is no such place for this process */
    case ENOENT:
        return 1;
    case ECONNREFUSED:
        return 2; /* there was one */
    default:
        return 3; /* there is one */
    }
}

int sfd_places_connect(const struct sfd_place_rule *rule, int socket, const char *name, struct sfd_place *out)
{
    enum sfd_place_kind kinds[SFD_PLACES_MAX];
    int worst = sfd_place_check_name(name);

    if (worst < 0) return worst;
    const unsigned count = sfd_place_kinds(rule, kinds);
    for (unsigned i = 0; i < count; i++) {
        struct sfd_place place;
        const int result = connect_to(rule, socket, kinds[i], name, &place);

        if (result == 0 || worst == 0 || weight(result) > weight(worst)) {
            worst = result;
            *out = place;
        }
        if (result == 0) return 0;
    }
    return worst;
}

int sfd_places_find(const struct sfd_place_rule *rule, const char *name, struct sfd_place *places, unsigned count)
{
    enum sfd_place_kind kinds[SFD_PLACES_MAX];
    int result = sfd_place_check_name(name);

    if (result < 0) return result;
    if (places == NULL) return -EINVAL;
    const int socket = sfd_sys_unix_datagram();
    if (socket < 0) return socket;
    const unsigned all = sfd_place_kinds(rule, kinds);
    for (unsigned i = 0; i < all && i < count && result == 0; i++) {
        const int error = -connect_to(rule, socket, kinds[i], name, &places[i]);
        /* These are about this process, not about the place. */
        if (error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS) result = -error;
    }
    rule->sys->close(socket);
    return result < 0 ? result : (int)all;
}
