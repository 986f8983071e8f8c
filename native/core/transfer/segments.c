/*
 * Segments: decoding and sizes.
 */
#include "transfer/segments.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "disk/open.h"
#include "protocol/wire.h"

int sfd_segments_decode(const char *bytes, size_t length, unsigned count, struct sfd_segments **out)
{
    const size_t list = count * sizeof(struct sfd_segment);
    size_t at = 0;

    /* The whole list behind the array: 16 bytes too many for each segment, and one copy. */
    struct sfd_segments *segments = malloc(sizeof(*segments) + list + length);
    if (segments == NULL) return -ENOMEM;
    *segments = (struct sfd_segments){.count = count, .segment = (struct sfd_segment *)(segments + 1)};
    char *copy = (char *)(segments + 1) + list;
    memcpy(copy, bytes, length);
    for (unsigned i = 0; i < count; i++) {
        const int size = sfd_wire_get_segment(copy + at, length - at, &segments->segment[i]);
        if (size < 0) {
            free(segments);
            return size;
        }
        at += (size_t)size;
    }
    if (at != length) {
        free(segments);
        return -EBADMSG;
    }
    *out = segments;
    return 0;
}

int sfd_segments_begin(struct sfd_segments *segments, uint64_t file_size)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < segments->count; i++) {
        const struct sfd_segment *segment = &segments->segment[i];
        uint64_t end = 0;
        if (segment->bytes == NULL && sfd_open_range(file_size, segment->offset, segment->length, &end) < 0)
            return -ERANGE;
        sum += sfd_segment_size(segment, file_size); /* each below 2^63, and so is the sum of those before */
        if (sum > INT64_MAX) return -ERANGE;
    }
    segments->before = 0;
    segments->behind = sum;
    segments->next = 0;
    segments->literal = false;
    return 0;
}

uint64_t sfd_segment_size(const struct sfd_segment *segment, uint64_t file_size)
{
    if (segment->bytes != NULL || segment->length != SFD_TO_END) return segment->length;
    return file_size - (uint64_t)segment->offset;
}
