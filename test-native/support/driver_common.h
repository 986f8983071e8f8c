/*
 * What test programs that drive a daemon need on their own side: destinations, hashes of local files.
 *
 * Thread: any. Every failure of this side ends the program: the test cannot say anything then.
 */
#ifndef SFD_TEST_DRIVER_H
#define SFD_TEST_DRIVER_H

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "sha256_common.h"

enum { DRIVER_FAILED = 1, DRIVER_USAGE = 2 }; /* exit statuses */

/* Ends the program with what errno says. */
_Noreturn void driver_die(const char *what);

/* Closes *fd unless it is -1 and sets it to -1. */
void driver_close(int *fd);

/*
 * Makes a destination; *data is our end of it, non-blocking, -1 if there is nothing to read. The
 * result, which is the caller's, is what to pass to the daemon.
 *
 *   pipe, unix, seqpacket, tcp   connected pairs, non-blocking unless KIND/blocking is asked for; but tcp is
 *                     blocking unless tcp/nonblocking is
 *   tty               the slave of a pseudo terminal, raw; we read the master
 *   null              /dev/null
 *   file:NAME         written from its start; created or emptied
 */
int driver_open_destination(const char *destination, int *data);

/* Whether what arrives at this destination cannot be read from *data. */
bool driver_is_unread(const char *destination);

/* SHA-256 of a range of a local file; length 0: to its end. */
void driver_hash_range(const char *path, off_t offset, size_t length, char hex[SHA256_HEX_SIZE]);

/* How many descriptors this process has open. */
int driver_count_descriptors(void);

#endif
