/*
 * Codec of the wire protocol, version 1: see wire.h, and <sendfiled/wire.h> for the layouts.
 */
#include "wire.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* Byte offsets of the fields; see the drawings in <sendfiled/wire.h>. */
enum {
    AT_CMD = 0,
    AT_STAT = 1,

    AT_OFFSET = 8,
    AT_LENGTH = 16,
    AT_PATH = SFD_WIRE_PATH_REQUEST_SIZE,

    AT_REQUEST_ID = 8,

    AT_SIZE = 8,
    AT_ATIME = 16,
    AT_MTIME = 24,
    AT_CTIME = 32,
    AT_INFO_ID = 40
};

static void put_u64(unsigned char *message, size_t at, uint64_t value)
{
    memcpy(message + at, &value, sizeof value);
}

static void put_i64(unsigned char *message, size_t at, int64_t value)
{
    memcpy(message + at, &value, sizeof value);
}

static uint64_t get_u64(const unsigned char *message, size_t at)
{
    uint64_t value;
    memcpy(&value, message + at, sizeof value);
    return value;
}

static int64_t get_i64(const unsigned char *message, size_t at)
{
    int64_t value;
    memcpy(&value, message + at, sizeof value);
    return value;
}

/* Clears the padding as well: what is not a field must not carry our memory to another process. */
static unsigned char *start(void *buf, size_t size, uint8_t cmd)
{
    unsigned char *message = buf;

    memset(message, 0, size);
    message[AT_CMD] = cmd;
    return message;
}

size_t sfd_wire_put_file_info(void *buf, const struct sfd_wire_file_info *info)
{
    unsigned char *message = start(buf, SFD_WIRE_FILE_INFO_SIZE, SFD_WIRE_FILE_INFO);

    put_u64(message, AT_SIZE, info->size);
    put_i64(message, AT_ATIME, info->atime);
    put_i64(message, AT_MTIME, info->mtime);
    put_i64(message, AT_CTIME, info->ctime);
    put_u64(message, AT_INFO_ID, info->id);
    return SFD_WIRE_FILE_INFO_SIZE;
}

size_t sfd_wire_put_xfer_stat(void *buf, uint64_t moved)
{
    unsigned char *message = start(buf, SFD_WIRE_XFER_STAT_SIZE, SFD_WIRE_XFER_STAT);

    put_u64(message, AT_SIZE, moved);
    return SFD_WIRE_XFER_STAT_SIZE;
}

size_t sfd_wire_put_complete(void *buf)
{
    return sfd_wire_put_xfer_stat(buf, SFD_WIRE_COMPLETE);
}

size_t sfd_wire_put_error(void *buf, uint8_t cmd, int errnum)
{
    unsigned char *message = start(buf, SFD_WIRE_ERROR_SIZE, cmd);

    message[AT_STAT] = (unsigned char)(errnum >= 1 && errnum <= UINT8_MAX ? errnum : EIO);
    return SFD_WIRE_ERROR_SIZE;
}

size_t sfd_wire_put_path_request(void *buf, uint8_t cmd, int64_t offset, uint64_t length)
{
    unsigned char *message = start(buf, SFD_WIRE_PATH_REQUEST_SIZE, cmd);

    put_i64(message, AT_OFFSET, offset);
    put_u64(message, AT_LENGTH, length);
    return SFD_WIRE_PATH_REQUEST_SIZE;
}

size_t sfd_wire_put_transfer_request(void *buf, uint8_t cmd, uint64_t id)
{
    unsigned char *message = start(buf, SFD_WIRE_TRANSFER_REQUEST_SIZE, cmd);

    put_u64(message, AT_REQUEST_ID, id);
    return SFD_WIRE_TRANSFER_REQUEST_SIZE;
}

static bool in_file_range(int64_t offset, uint64_t length)
{
    return offset >= 0 && length <= (uint64_t)(INT64_MAX - offset);
}

static int get_path_request(const unsigned char *message, size_t len, struct sfd_wire_request *out)
{
    if (len < AT_PATH + 1) {
        return -EBADMSG;
    }

    const char *path = (const char *)message + AT_PATH;
    const size_t path_length = len - AT_PATH - 1;

    if (path[path_length] != '\0' || memchr(path, '\0', path_length) != NULL) {
        return -EBADMSG;
    }
    if (path_length > SFD_WIRE_MAX_PATH) {
        return -ENAMETOOLONG;
    }
    if (path_length == 0) {
        return -ENOENT;
    }

    const int64_t offset = get_i64(message, AT_OFFSET);
    const uint64_t length = get_u64(message, AT_LENGTH);

    if (!in_file_range(offset, length)) {
        return -ERANGE;
    }

    *out = (struct sfd_wire_request){
        .cmd = message[AT_CMD],
        .offset = offset,
        .length = length,
        .path = path,
        .path_length = path_length,
    };
    return 0;
}

static int get_transfer_request(const unsigned char *message, size_t len,
                                struct sfd_wire_request *out)
{
    if (len != SFD_WIRE_TRANSFER_REQUEST_SIZE) {
        return -EBADMSG;
    }

    *out = (struct sfd_wire_request){
        .cmd = message[AT_CMD],
        .id = get_u64(message, AT_REQUEST_ID),
    };
    return 0;
}

int sfd_wire_get_request(const void *buf, size_t len, struct sfd_wire_request *out)
{
    const unsigned char *message = buf;

    if (len < SFD_WIRE_PREFIX_SIZE || message[AT_STAT] != 0) {
        return -EBADMSG;
    }

    const uint8_t cmd = message[AT_CMD];

    switch (cmd) {
    case SFD_WIRE_OPEN_FILE:
    case SFD_WIRE_READ_FILE:
    case SFD_WIRE_SEND_FILE:
        return get_path_request(message, len, out);
    case SFD_WIRE_SEND_OPEN_FILE:
    case SFD_WIRE_CANCEL:
        return get_transfer_request(message, len, out);
    default:
        return cmd >= SFD_WIRE_EXTENDED_REQUEST_FIRST && cmd <= SFD_WIRE_EXTENDED_REQUEST_LAST
                   ? -EPROTONOSUPPORT
                   : -EBADMSG;
    }
}

static int get_file_info(const unsigned char *message, size_t len, struct sfd_wire_response *out)
{
    if (len < SFD_WIRE_FILE_INFO_SIZE) {
        return 0;
    }

    *out = (struct sfd_wire_response){
        .kind = SFD_WIRE_RESPONSE_INFO,
        .cmd = SFD_WIRE_FILE_INFO,
        .info =
            {
                .size = get_u64(message, AT_SIZE),
                .atime = get_i64(message, AT_ATIME),
                .mtime = get_i64(message, AT_MTIME),
                .ctime = get_i64(message, AT_CTIME),
                .id = get_u64(message, AT_INFO_ID),
            },
    };
    return SFD_WIRE_FILE_INFO_SIZE;
}

static int get_xfer_stat(const unsigned char *message, size_t len, struct sfd_wire_response *out)
{
    if (len < SFD_WIRE_XFER_STAT_SIZE) {
        return 0;
    }

    const uint64_t size = get_u64(message, AT_SIZE);
    const bool complete = size == SFD_WIRE_COMPLETE;

    *out = (struct sfd_wire_response){
        .kind = complete ? SFD_WIRE_RESPONSE_COMPLETE : SFD_WIRE_RESPONSE_PROGRESS,
        .cmd = SFD_WIRE_XFER_STAT,
        .moved = complete ? 0 : size,
    };
    return SFD_WIRE_XFER_STAT_SIZE;
}

int sfd_wire_get_response(const void *buf, size_t len, struct sfd_wire_response *out)
{
    const unsigned char *message = buf;

    if (len < SFD_WIRE_PREFIX_SIZE) {
        return 0;
    }

    const uint8_t cmd = message[AT_CMD];

    if (cmd != SFD_WIRE_FILE_INFO && cmd != SFD_WIRE_XFER_STAT) {
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
    return cmd == SFD_WIRE_FILE_INFO ? get_file_info(message, len, out)
                                     : get_xfer_stat(message, len, out);
}
