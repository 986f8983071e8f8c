/*
 * The one rule by which a daemon chooses the directory of its request socket, and clients in C and Java find it.
 *
 * Runs on any thread; stateless. Touches the disk, by calls that wait for nobody but it. Owns nothing, makes nothing,
 * removes nothing: process/socket_directory.h makes directories.
 *
 * The places of instance NAME, in the order in which they are looked at:
 *
 *   $SENDFILED_SOCKET_DIR    if it is set, and then no other
 *   $XDG_RUNTIME_DIR         of the user whose process it is
 *   /run/sendfiled/NAME      made by root (a daemon that root starts, systemd) and given to the user of that instance
 *   /run/sendfiled           root's, or the user's own
 *   /tmp/sendfiled-UID       the user's own, and closed to others
 *
 * Who listens on a socket gets requests, and with them descriptors. So a place counts only if nobody but root, this
 * process's user and, in /run/sendfiled/NAME, the user to whom root gave it could have put a socket there: it is a
 * directory of theirs, others may not write to it, and those above it are root's. What the first place is, the user
 * says himself, and it is not checked.
 *
 * A place that cannot be used, or that holds a socket which nobody serves, hides none that comes after it.
 */
#ifndef SFD_BASE_SOCKET_PLACES_H
#define SFD_BASE_SOCKET_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "sendfiled/places.h"

struct sfd_sys_setup;

enum sfd_place_kind {
    SFD_PLACE_GIVEN,
    SFD_PLACE_RUNTIME,
    SFD_PLACE_INSTANCE,
    SFD_PLACE_SYSTEM,
    SFD_PLACE_PRIVATE,
};

/* What the rule depends on. */
struct sfd_place_rule {
    const struct sfd_sys_setup *sys;
    const char *given;   /* $SENDFILED_SOCKET_DIR; NULL or "": not set */
    const char *runtime; /* $XDG_RUNTIME_DIR; likewise */
    const char *run;     /* /run */
    const char *tmp;     /* /tmp */
    uid_t uid;           /* effective, of this process */
    uid_t root;          /* 0 */
};

/* The rule for this process, whose environment it borrows; in a set-user-ID program none of it. */
void sfd_place_rule_init(struct sfd_place_rule *rule);

/* 0, or -EINVAL: empty, or with a slash. */
int sfd_place_check_name(const char *name);

/* Fills `kinds` with those that there are, in order; gives their number, from 1. */
unsigned sfd_place_kinds(const struct sfd_place_rule *rule, enum sfd_place_kind kinds[SFD_PLACES_MAX]);

/* The directory of a place. 0, or -ENAMETOOLONG: it was cut. */
int sfd_place_directory(const struct sfd_place_rule *rule, enum sfd_place_kind kind, const char *name, char *out,
                        size_t size);

/* DIRECTORY/sendfiled.NAME.socket. 0, or -ENAMETOOLONG: it was cut. */
int sfd_place_socket(const char *directory, const char *name, char *out, size_t size);

/* Sets why a place is not used, and gives -error: `error` is an errno, the format one of printf(3). */
int sfd_place_refuse(struct sfd_place *place, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Opens /run/sendfiled, if it is root's alone; as sfd_place_open. */
int sfd_place_open_roots(const struct sfd_place_rule *rule, struct sfd_place *out);

/*
 * Opens the directory of a place, if it is safe. A descriptor (O_PATH, close-on-exec), which it gives, or -errno, with
 * error and reason set in `out`.
 */
int sfd_place_open(const struct sfd_place_rule *rule, enum sfd_place_kind kind, const char *name,
                   struct sfd_place *out);

/*
 * Connects `socket`, a datagram socket that it borrows, to the first daemon of that name that listens, and tells where
 * in `out`. 0 or -errno; without a daemon the most telling of the places' errors: EACCES and the like, ECONNREFUSED,
 * ENOENT, and what comes of the directories.
 */
int sfd_places_connect(const struct sfd_place_rule *rule, int socket, const char *name, struct sfd_place *out);

/* As sfd_find(); -errno on failure. */
int sfd_places_find(const struct sfd_place_rule *rule, const char *name, struct sfd_place *places, unsigned count);

#endif
