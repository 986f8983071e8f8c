/*
 * Codec of the wire protocol: see wire.h, and <sendfiled/wire.h> for the layouts.
 */
#include "protocol/wire.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "protocol/wire_bytes.h"

/* Byte offsets of the fields; see the drawings in <sendfiled/wire.h>. */
enum {
    AT_CMD = 0,
    AT_STAT = 1,

    AT_OFFSET = 8,
    AT_LENGTH = 16,

    AT_REQUEST_ID = 8,

    AT_SIZE = 8,
    AT_ATIME = 16,
    AT_MTIME = 24,
    AT_CTIME = 32,
    AT_INFO_ID = 40,

    AT_VERSION = 2,
    AT_TOTAL = 4,

    AT_RATE = 24,
    AT_IDLE = 32,
    AT_DEADLINE = 36,
    AT_TECHNIQUE = 40,
    AT_FLAGS = 41,
    AT_SEGMENTS = 42,

    AT_SEGMENT_OFFSET = 0,
    AT_SEGMENT_LENGTH = 8,

    AT_FITS = 8,

    AT_MOVED = 8,
    AT_ELAPSED = 16,
    AT_COLD_WINDOWS = 24,
    AT_USED = 28,
    AT_RESULT_FITS = 29,

    AT_FILE_SIZE = 8,
    AT_INODE = 16,
    AT_DEVICE = 24,
    AT_ATIME_NS = 32,
    AT_MTIME_NS = 36,
    AT_CTIME_NS = 40,
    AT_MODE = 44
};

/* Clears the padding as well: what is not a field must not carry our memory to another process. */
static unsigned char *start(void *buf, size_t size, uint8_t cmd)
{
    unsigned char *message = buf;

    memset(message, 0, size);
    message[AT_CMD] = cmd;
    return message;
}

/* The same for an extended message: `size` bytes of it are ours, `total` is what it will be. */
static unsigned char *start_extended(void *buf, size_t size, uint8_t cmd, size_t total)
{
    unsigned char *message = start(buf, size, cmd);

    sfd_wire_put_u16(message, AT_VERSION, SFD_WIRE_VERSION);
    sfd_wire_put_u32(message, AT_TOTAL, (uint32_t)total);
    return message;
}

size_t sfd_wire_put_file_details(void *buf, const struct sfd_wire_file_details *details)
{
    unsigned char *message =
        start_extended(buf, SFD_WIRE_FILE_DETAILS_SIZE, SFD_WIRE_FILE_DETAILS, SFD_WIRE_FILE_DETAILS_SIZE);

    sfd_wire_put_u64(message, AT_FILE_SIZE, details->size);
    sfd_wire_put_u64(message, AT_INODE, details->inode);
    sfd_wire_put_u64(message, AT_DEVICE, details->device);
    sfd_wire_put_u32(message, AT_ATIME_NS, details->atime_ns);
    sfd_wire_put_u32(message, AT_MTIME_NS, details->mtime_ns);
    sfd_wire_put_u32(message, AT_CTIME_NS, details->ctime_ns);
    sfd_wire_put_u16(message, AT_MODE, details->mode);
    return SFD_WIRE_FILE_DETAILS_SIZE;
}

/* An errno that one byte carries; 0 would read as success. */
static unsigned char error_byte(int errnum)
{
    return (unsigned char)(errnum >= 1 && errnum <= UINT8_MAX ? errnum : EIO);
}

size_t sfd_wire_put_file_info(void *buf, const struct sfd_wire_file_info *info)
{
    unsigned char *message = start(buf, SFD_WIRE_FILE_INFO_SIZE, SFD_WIRE_FILE_INFO);

    sfd_wire_put_u64(message, AT_SIZE, info->size);
    sfd_wire_put_i64(message, AT_ATIME, info->atime);
    sfd_wire_put_i64(message, AT_MTIME, info->mtime);
    sfd_wire_put_i64(message, AT_CTIME, info->ctime);
    sfd_wire_put_u64(message, AT_INFO_ID, info->id);
    return SFD_WIRE_FILE_INFO_SIZE;
}

size_t sfd_wire_put_xfer_stat(void *buf, uint64_t moved)
{
    unsigned char *message = start(buf, SFD_WIRE_XFER_STAT_SIZE, SFD_WIRE_XFER_STAT);

    sfd_wire_put_u64(message, AT_SIZE, moved);
    return SFD_WIRE_XFER_STAT_SIZE;
}

size_t sfd_wire_put_complete(void *buf)
{
    return sfd_wire_put_xfer_stat(buf, SFD_WIRE_COMPLETE);
}

size_t sfd_wire_put_error(void *buf, uint8_t cmd, int errnum)
{
    unsigned char *message = start(buf, SFD_WIRE_ERROR_SIZE, cmd);

    message[AT_STAT] = error_byte(errnum);
    return SFD_WIRE_ERROR_SIZE;
}

size_t sfd_wire_put_refusal(void *buf, int errnum, uint32_t fits)
{
    unsigned char *message = start_extended(buf, SFD_WIRE_REFUSAL_SIZE, SFD_WIRE_REFUSAL, SFD_WIRE_REFUSAL_SIZE);

    message[AT_STAT] = error_byte(errnum);
    sfd_wire_put_u32(message, AT_FITS, fits);
    return SFD_WIRE_REFUSAL_SIZE;
}

size_t sfd_wire_put_result(void *buf, int errnum, const struct sfd_wire_result *result)
{
    unsigned char *message = start_extended(buf, SFD_WIRE_RESULT_SIZE, SFD_WIRE_RESULT, SFD_WIRE_RESULT_SIZE);

    message[AT_STAT] = errnum == 0 ? 0 : error_byte(errnum);
    sfd_wire_put_u64(message, AT_MOVED, result->moved);
    sfd_wire_put_u64(message, AT_ELAPSED, result->elapsed_ns);
    sfd_wire_put_u32(message, AT_COLD_WINDOWS, result->cold_windows);
    message[AT_USED] = result->technique;
    message[AT_RESULT_FITS] = result->fits;
    return SFD_WIRE_RESULT_SIZE;
}

size_t sfd_wire_put_path_request(void *buf, uint8_t cmd, int64_t offset, uint64_t length)
{
    unsigned char *message = start(buf, SFD_WIRE_PATH_REQUEST_SIZE, cmd);

    sfd_wire_put_i64(message, AT_OFFSET, offset);
    sfd_wire_put_u64(message, AT_LENGTH, length);
    return SFD_WIRE_PATH_REQUEST_SIZE;
}

size_t sfd_wire_put_transfer_request(void *buf, uint8_t cmd, uint64_t id)
{
    unsigned char *message = start(buf, SFD_WIRE_TRANSFER_REQUEST_SIZE, cmd);

    sfd_wire_put_u64(message, AT_REQUEST_ID, id);
    return SFD_WIRE_TRANSFER_REQUEST_SIZE;
}

size_t sfd_wire_put_extended_request(void *buf, uint8_t cmd, int64_t offset, uint64_t length,
                                     const struct sfd_options *options, size_t path_length)
{
    const size_t follows = cmd == SFD_WIRE_SEND_DESCRIPTOR ? 0 : path_length + 1;
    unsigned char *message =
        start_extended(buf, SFD_WIRE_EXTENDED_REQUEST_SIZE, cmd, SFD_WIRE_EXTENDED_REQUEST_SIZE + follows);

    if (options->version > SFD_WIRE_VERSION) sfd_wire_put_u16(message, AT_VERSION, options->version);
    sfd_wire_put_i64(message, AT_OFFSET, offset);
    sfd_wire_put_u64(message, AT_LENGTH, length);
    sfd_wire_put_u64(message, AT_RATE, options->rate);
    sfd_wire_put_u32(message, AT_IDLE, options->idle_ms);
    sfd_wire_put_u32(message, AT_DEADLINE, options->deadline_ms);
    message[AT_TECHNIQUE] = options->technique;
    message[AT_FLAGS] = options->flags;
    return SFD_WIRE_EXTENDED_REQUEST_SIZE;
}

void sfd_wire_set_segments(void *request, unsigned count, size_t size)
{
    unsigned char *message = request;

    sfd_wire_put_u16(message, AT_SEGMENTS, (uint16_t)count);
    sfd_wire_put_u32(message, AT_TOTAL, sfd_wire_get_u32(message, AT_TOTAL) + (uint32_t)size);
}

size_t sfd_wire_put_segment(void *buf, const struct sfd_segment *segment)
{
    sfd_wire_put_i64(buf, AT_SEGMENT_OFFSET, segment->bytes != NULL ? SFD_WIRE_SEGMENT_BYTES : segment->offset);
    sfd_wire_put_u64(buf, AT_SEGMENT_LENGTH, segment->length);
    return SFD_WIRE_SEGMENT_SIZE;
}

int sfd_wire_get_segment(const void *buf, size_t len, struct sfd_segment *out)
{
    const unsigned char *message = buf;

    if (len < SFD_WIRE_SEGMENT_SIZE) return -EBADMSG;
    const int64_t offset = sfd_wire_get_i64(message, AT_SEGMENT_OFFSET);
    const uint64_t length = sfd_wire_get_u64(message, AT_SEGMENT_LENGTH);
    const bool literal = offset == SFD_WIRE_SEGMENT_BYTES;
    if (literal && length > len - SFD_WIRE_SEGMENT_SIZE) return -EBADMSG;
    *out = (struct sfd_segment){
        .bytes = literal ? message + SFD_WIRE_SEGMENT_SIZE : NULL,
        .offset = literal ? 0 : offset,
        .length = length,
    };
    return SFD_WIRE_SEGMENT_SIZE + (literal ? (int)length : 0);
}

static int get_file_info(const unsigned char *message, size_t len, struct sfd_wire_response *out)
{
    if (len < SFD_WIRE_FILE_INFO_SIZE) return 0;

    *out = (struct sfd_wire_response){
        .kind = SFD_WIRE_RESPONSE_INFO,
        .cmd = SFD_WIRE_FILE_INFO,
        .info =
            {
                .size = sfd_wire_get_u64(message, AT_SIZE),
                .atime = sfd_wire_get_i64(message, AT_ATIME),
                .mtime = sfd_wire_get_i64(message, AT_MTIME),
                .ctime = sfd_wire_get_i64(message, AT_CTIME),
                .id = sfd_wire_get_u64(message, AT_INFO_ID),
            },
    };
    return SFD_WIRE_FILE_INFO_SIZE;
}

static int get_xfer_stat(const unsigned char *message, size_t len, struct sfd_wire_response *out)
{
    if (len < SFD_WIRE_XFER_STAT_SIZE) return 0;

    const uint64_t size = sfd_wire_get_u64(message, AT_SIZE);
    const bool complete = size == SFD_WIRE_COMPLETE;

    *out = (struct sfd_wire_response){
        .kind = complete ? SFD_WIRE_RESPONSE_COMPLETE : SFD_WIRE_RESPONSE_PROGRESS,
        .cmd = SFD_WIRE_XFER_STAT,
        .moved = complete ? 0 : size,
    };
    return SFD_WIRE_XFER_STAT_SIZE;
}

static int get_refusal(const unsigned char *message, struct sfd_wire_response *out)
{
    if (message[AT_STAT] == 0) return -EBADMSG;

    *out = (struct sfd_wire_response){
        .kind = SFD_WIRE_RESPONSE_REFUSAL,
        .cmd = SFD_WIRE_REFUSAL,
        .errnum = message[AT_STAT],
        .fits = sfd_wire_get_u32(message, AT_FITS),
    };
    return SFD_WIRE_REFUSAL_SIZE;
}

static int get_result(const unsigned char *message, struct sfd_wire_response *out)
{
    *out = (struct sfd_wire_response){
        .kind = SFD_WIRE_RESPONSE_RESULT,
        .cmd = SFD_WIRE_RESULT,
        .errnum = message[AT_STAT],
        .result =
            {
                .moved = sfd_wire_get_u64(message, AT_MOVED),
                .elapsed_ns = sfd_wire_get_u64(message, AT_ELAPSED),
                .cold_windows = sfd_wire_get_u32(message, AT_COLD_WINDOWS),
                .technique = message[AT_USED],
                .fits = message[AT_RESULT_FITS],
            },
    };
    return SFD_WIRE_RESULT_SIZE;
}

static int get_file_details(const unsigned char *message, struct sfd_wire_response *out)
{
    if (message[AT_STAT] != 0) return -EBADMSG;

    *out = (struct sfd_wire_response){
        .kind = SFD_WIRE_RESPONSE_DETAILS,
        .cmd = SFD_WIRE_FILE_DETAILS,
        .details =
            {
                .size = sfd_wire_get_u64(message, AT_FILE_SIZE),
                .inode = sfd_wire_get_u64(message, AT_INODE),
                .device = sfd_wire_get_u64(message, AT_DEVICE),
                .atime_ns = sfd_wire_get_u32(message, AT_ATIME_NS),
                .mtime_ns = sfd_wire_get_u32(message, AT_MTIME_NS),
                .ctime_ns = sfd_wire_get_u32(message, AT_CTIME_NS),
                .mode = sfd_wire_get_u16(message, AT_MODE),
            },
    };
    return SFD_WIRE_FILE_DETAILS_SIZE;
}

static size_t extended_size(uint8_t cmd)
{
    switch (cmd) {
    case SFD_WIRE_REFUSAL:
        return SFD_WIRE_REFUSAL_SIZE;
    case SFD_WIRE_RESULT:
        return SFD_WIRE_RESULT_SIZE;
    default:
        return SFD_WIRE_FILE_DETAILS_SIZE;
    }
}

static int get_extended_response(const unsigned char *message, size_t len, struct sfd_wire_response *out)
{
    const size_t size = extended_size(message[AT_CMD]);

    if (len < SFD_WIRE_EXTENDED_PREFIX_SIZE) return 0;
    if (sfd_wire_get_u16(message, AT_VERSION) != SFD_WIRE_VERSION || sfd_wire_get_u32(message, AT_TOTAL) != size)
        return -EBADMSG;
    if (len < size) return 0;
    switch (message[AT_CMD]) {
    case SFD_WIRE_REFUSAL:
        return get_refusal(message, out);
    case SFD_WIRE_RESULT:
        return get_result(message, out);
    default:
        return get_file_details(message, out);
    }
}

int sfd_wire_get_response(const void *buf, size_t len, struct sfd_wire_response *out)
{
    const unsigned char *message = buf;

    if (len < SFD_WIRE_PREFIX_SIZE) return 0;

    const uint8_t cmd = message[AT_CMD];

    switch (cmd) {
    case SFD_WIRE_REFUSAL:
    case SFD_WIRE_RESULT:
    case SFD_WIRE_FILE_DETAILS:
        return get_extended_response(message, len, out);
    case SFD_WIRE_FILE_INFO:
    case SFD_WIRE_XFER_STAT:
        break;
    default:
        return -EBADMSG;
    }
    if (message[AT_STAT] != 0) {
        *out = (struct sfd_wire_response){
            .kind = SFD_WIRE_RESPONSE_ERROR,
            .cmd = cmd,
            .errnum = message[AT_STAT],
        };
        return SFD_WIRE_ERROR_SIZE;
    }
    return cmd == SFD_WIRE_FILE_INFO ? get_file_info(message, len, out) : get_xfer_stat(message, len, out);
}
