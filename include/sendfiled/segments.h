/*
 * Segments: what one request sends, in order, when it is more than one range of the file. Included by sendfiled.h; how
 * they travel is in wire.h.
 */
#ifndef SENDFILED_SEGMENTS_H
#define SENDFILED_SEGMENTS_H

#include <stddef.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of the client's, for example a header, or a range of the file. */
struct sfd_segment {
    const void *bytes; /* NULL: a range of the file */
    off_t offset;      /* of a range: its first byte, 0 to the file's size; of bytes: unused */
    size_t length;     /* 0: nothing; of a range also SFD_TO_END, to the end of the file */
};

/* The most segments of one request. */
#define SFD_SEGMENTS_MAX 64

/* The room for a request's path, with its NUL, and all its segments: 16 bytes each, beside their bytes. */
#define SFD_SEGMENTS_ROOM 4096

#ifdef __cplusplus
}
#endif

#endif
