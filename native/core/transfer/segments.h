/*
 * Segments: the list of bytes and ranges that one transfer sends, in one block of memory.
 *
 * Role: decodes the list of a request, checks its ranges against the file, and says how much is before and behind the
 * segment that is sent now. That one is the transfer's `range`; if it is bytes of the client's, these are its `bounce`
 * as if the disk pool had read them, so that a step, a rate and a limit need not know of segments.
 * Thread: as the transfer's range. Owns its block, bytes included.
 */
#ifndef SFD_TRANSFER_SEGMENTS_H
#define SFD_TRANSFER_SEGMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include <sendfiled/segments.h>

struct sfd_segments {
    uint64_t before; /* bytes of the segments before the present one */
    uint64_t behind; /* bytes of those behind it */
    uint32_t count;
    uint32_t next;               /* index of the one behind the present one */
    bool literal;                /* the present one is bytes of the client's */
    bool jumped;                 /* the file has not been loaded from since the present one began */
    struct sfd_segment *segment; /* in the same block, and so are the bytes that they point to */
};

/*
 * Copies `count` segments of a request, which take up all `length` bytes. 0 with *out, to be freed with free(3);
 * -EBADMSG when they do not, -ENOMEM.
 */
int sfd_segments_decode(const char *bytes, size_t length, unsigned count, struct sfd_segments **out);

/*
 * The file is open and has `file_size` bytes: no segment is the present one, and all are behind. 0, or -ERANGE with
 * nothing changed when a range is not inside the file, or when they are more bytes than a number has.
 */
int sfd_segments_begin(struct sfd_segments *segments, uint64_t file_size);

/* The bytes of one of them in a file of that size, into which it fits. */
uint64_t sfd_segment_size(const struct sfd_segment *segment, uint64_t file_size);

#endif
