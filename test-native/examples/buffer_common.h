/* What the examples of buffers have in common: saying what one holds, and trying to change it. */
#ifndef BUFFER_COMMON_H
#define BUFFER_COMMON_H

#include <sendfiled.h>

/*
 * Prints size and checksum of a buffer, and what becomes of each way to write to it. True if it is as it should be:
 * nothing can be written.
 */
bool buffer_show(const struct sfd_buffer *buffer);

/* The address of a UNIX socket. False if the path is too long for one. */
struct sockaddr_un;
bool buffer_address(struct sockaddr_un *address, const char *path);

#endif
