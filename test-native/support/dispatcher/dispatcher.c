/*
 * The dispatcher of tests: see dispatcher.h, and <sendfiled/wire.h> for the layouts.
 */
#include "dispatcher.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "loop/receive_batch.h"
#include "protocol/wire.h"
#include "protocol/wire_bytes.h"

/* Byte offsets of the fields; see the drawings in <sendfiled/wire.h>. */
enum {
    AT_CMD = 0,
    AT_STAT = 1,
    AT_VERSION = 2,
    AT_TOTAL = 4,

    AT_OFFSET = 8,
    AT_LENGTH = 16,
    AT_PATH = SFD_WIRE_PATH_REQUEST_SIZE,

    AT_ID = 8,

    AT_RATE = 24,
    AT_IDLE = 32,
    AT_DEADLINE = 36,
    AT_TECHNIQUE = 40,
    AT_FLAGS = 41,
    AT_SEGMENTS = 42,
    AT_PADDING = 44,
    AT_EXTENDED_PATH = SFD_WIRE_EXTENDED_REQUEST_SIZE
};

/* Of a request whose path begins at `at`: 0 or -errno. */
static int check_path(const unsigned char *message, size_t len, size_t at)
{
    if (len < at + 1) return -EBADMSG;

    const size_t path_length = len - at - 1;

    if (message[len - 1] != '\0' || memchr(message + at, '\0', path_length) != NULL) return -EBADMSG;
    if (path_length > SFD_WIRE_MAX_PATH) return -ENAMETOOLONG;
    return path_length == 0 ? -ENOENT : 0;
}

/* The length that a request of that version has, with one word for "to the end". */
static uint64_t get_length(const unsigned char *message, uint8_t version)
{
    const uint64_t length = sfd_wire_get_u64(message, AT_LENGTH);
    const uint64_t to_end = version >= SFD_WIRE_VERSION_2 ? SFD_WIRE_TO_END : 0;

    return length == to_end ? SFD_WIRE_TO_END : length == SFD_WIRE_TO_END ? SFD_WIRE_TO_END - 1 : length;
}

static int check_range(const unsigned char *message, uint8_t version)
{
    const int64_t offset = sfd_wire_get_i64(message, AT_OFFSET);
    const uint64_t length = get_length(message, version);

    return offset < 0 || (length != SFD_WIRE_TO_END && length > (uint64_t)(INT64_MAX - offset)) ? -ERANGE : 0;
}

static int get_path_request(const unsigned char *message, size_t len, struct dispatcher_request *out)
{
    int result = check_path(message, len, AT_PATH);

    if (result == 0) result = check_range(message, 0);
    if (result < 0) return result;

    *out = (struct dispatcher_request){
        .cmd = message[AT_CMD],
        .offset = sfd_wire_get_i64(message, AT_OFFSET),
        .length = get_length(message, 0),
        .path = (const char *)message + AT_PATH,
        .path_length = len - AT_PATH - 1,
    };
    return 0;
}

/* What every extended request of ours begins with. 0 or -errno. */
static int check_extended_prefix(const unsigned char *message, size_t len)
{
    if (len < SFD_WIRE_EXTENDED_PREFIX_SIZE) return -EBADMSG;
    const uint16_t version = sfd_wire_get_u16(message, AT_VERSION);

    if (version != SFD_WIRE_VERSION && version != SFD_WIRE_VERSION_2) return -EPROTONOSUPPORT;
    return sfd_wire_get_u32(message, AT_TOTAL) == len ? 0 : -EBADMSG;
}

/* Where the path, or the head of a request without one, ends: at its NUL if segments follow. */
static size_t end_of_head(const unsigned char *message, size_t len, bool on_path, unsigned segments)
{
    const size_t head = SFD_WIRE_EXTENDED_REQUEST_SIZE;
    const unsigned char *nul = NULL;

    if (segments == 0) return len;
    if (!on_path) return head;
    nul = memchr(message + head, '\0', len - head);
    return nul == NULL ? len : (size_t)(nul - message) + 1;
}

/* The segments behind the head: 0 or -errno. */
static int check_segments(const unsigned char *message, size_t len, size_t at, unsigned count)
{
    bool in_file = true;

    if (count == 0) return 0;
    if (count > SFD_SEGMENTS_MAX) return -E2BIG;
    if (len > SFD_WIRE_MAX_REQUEST_SIZE) return -EMSGSIZE;
    if (sfd_wire_get_u64(message, AT_OFFSET) != 0 || sfd_wire_get_u64(message, AT_LENGTH) != 0 ||
        (message[AT_FLAGS] & SFD_OPTION_SEAL) != 0)
        return -EINVAL;
    for (; count > 0; count--) {
        struct sfd_segment segment;
        const int size = sfd_wire_get_segment(message + at, len - at, &segment);
        if (size < 0) return size;
        at += (size_t)size;
        in_file &= segment.bytes != NULL ||
                   (segment.offset >= 0 &&
                    (segment.length == SFD_TO_END || segment.length <= (uint64_t)(INT64_MAX - segment.offset)));
    }
    if (at != len) return -EBADMSG;
    return in_file ? 0 : -ERANGE;
}

static int check_options(const unsigned char *message, uint8_t version)
{
    static const unsigned char none[SFD_WIRE_EXTENDED_REQUEST_SIZE - AT_PADDING] = {0};

    if (message[AT_TECHNIQUE] >= SFD_TECHNIQUES || (message[AT_FLAGS] & ~SFD_OPTIONS_ALL) != 0) return -EINVAL;
    return version >= SFD_WIRE_VERSION_2 && memcmp(message + AT_PADDING, none, sizeof none) != 0 ? -EINVAL : 0;
}

static int get_extended_request(const unsigned char *message, size_t len, struct dispatcher_request *out)
{
    const bool on_path = message[AT_CMD] != SFD_WIRE_SEND_DESCRIPTOR;
    int result = check_extended_prefix(message, len);
    const uint8_t version = result < 0 ? 0 : (uint8_t)sfd_wire_get_u16(message, AT_VERSION);

    if (result == 0 && len < SFD_WIRE_EXTENDED_REQUEST_SIZE) result = -EBADMSG;
    if (result < 0) return result;
    const unsigned segments = version >= SFD_WIRE_VERSION_2 ? sfd_wire_get_u16(message, AT_SEGMENTS) : 0;
    const size_t end = end_of_head(message, len, on_path, segments);
    if (on_path)
        result = check_path(message, end, AT_EXTENDED_PATH);
    else if (end != SFD_WIRE_EXTENDED_REQUEST_SIZE)
        result = -EBADMSG;
    if (result == 0) result = check_options(message, version);
    if (result == 0) result = check_segments(message, len, end, segments);
    if (result == 0) result = check_range(message, version);
    if (result < 0) return result;

    *out = (struct dispatcher_request){
        .cmd = on_path ? message[AT_CMD] & 0x0f : SFD_WIRE_SEND_DESCRIPTOR,
        .version = version,
        .offset = sfd_wire_get_i64(message, AT_OFFSET),
        .length = get_length(message, version),
        .path = on_path ? (const char *)message + AT_EXTENDED_PATH : NULL,
        .path_length = on_path ? end - AT_EXTENDED_PATH - 1 : 0,
        .segment_count = segments,
        .segments = segments == 0 ? NULL : (const char *)message + end,
        .segments_size = len - end,
        .options =
            {
                .rate = sfd_wire_get_u64(message, AT_RATE),
                .idle_ms = sfd_wire_get_u32(message, AT_IDLE),
                .deadline_ms = sfd_wire_get_u32(message, AT_DEADLINE),
                .technique = message[AT_TECHNIQUE],
                .flags = message[AT_FLAGS],
                .version = version,
            },
    };
    return 0;
}

static int get_transfer_request(const unsigned char *message, size_t len, struct dispatcher_request *out)
{
    if (len != SFD_WIRE_TRANSFER_REQUEST_SIZE) return -EBADMSG;

    *out = (struct dispatcher_request){
        .cmd = message[AT_CMD],
        .id = sfd_wire_get_u64(message, AT_ID),
    };
    return 0;
}

int dispatcher_decode(const void *buf, size_t len, struct dispatcher_request *out)
{
    const unsigned char *message = buf;

    if (len < SFD_WIRE_PREFIX_SIZE || message[AT_STAT] != 0) return -EBADMSG;

    const uint8_t cmd = message[AT_CMD];

    switch (cmd) {
    case SFD_WIRE_OPEN_FILE:
    case SFD_WIRE_READ_FILE:
    case SFD_WIRE_SEND_FILE:
        return get_path_request(message, len, out);
    case SFD_WIRE_SEND_OPEN_FILE:
    case SFD_WIRE_CANCEL:
        return get_transfer_request(message, len, out);
    case SFD_WIRE_OPEN_FILE_EXT:
    case SFD_WIRE_READ_FILE_EXT:
    case SFD_WIRE_SEND_FILE_EXT:
    case SFD_WIRE_SEND_DESCRIPTOR:
        return get_extended_request(message, len, out);
    default:
        return cmd >= SFD_WIRE_EXTENDED_REQUEST_FIRST && cmd <= SFD_WIRE_EXTENDED_REQUEST_LAST ? -EPROTONOSUPPORT
                                                                                               : -EBADMSG;
    }
}

uint8_t dispatcher_version(const void *buf, size_t len)
{
    const unsigned char *message = buf;
    const bool known = len >= SFD_WIRE_PREFIX_SIZE && message[AT_STAT] == 0 &&
                       message[AT_CMD] >= SFD_WIRE_OPEN_FILE_EXT && message[AT_CMD] <= SFD_WIRE_SEND_DESCRIPTOR;

    return known && check_extended_prefix(message, len) == 0 ? (uint8_t)sfd_wire_get_u16(message, AT_VERSION) : 0;
}

/* Whether the request may be looked at: 0 or -errno. */
static int authorize(const struct sfd_slot *slot, uint32_t uid)
{
    if (slot->fault == SFD_SLOT_ANONYMOUS) return -EBADMSG;
    if (slot->uid != uid && slot->uid != 0) return -EACCES;
    return slot->fault == SFD_SLOT_MALFORMED ? -EBADMSG : 0;
}

static void grant(struct sfd_slot *slot, const struct dispatcher_request *request)
{
    slot->command = request->cmd;
    slot->range_offset = request->offset;
    slot->range_length = request->length;
    slot->id = request->id;
    slot->root = 0;
    slot->path = request->path == NULL ? 0 : (int32_t)(request->path - slot->bytes);
    slot->path_length = (int32_t)request->path_length;
    slot->technique = request->options.technique;
    slot->flags = request->options.flags;
    slot->segments = (uint8_t)request->segment_count;
    slot->rate = request->options.rate;
    slot->idle_ms = request->options.idle_ms;
    slot->deadline_ms = request->options.deadline_ms;
}

void dispatcher_decide(struct sfd_slot *slot, uint32_t uid)
{
    struct dispatcher_request request = {0};
    int result = authorize(slot, uid);

    if (slot->fault == SFD_SLOT_HELLO) {
        slot->verdict = -result;
        return;
    }
    if (result == 0) {
        result = dispatcher_decode(slot->bytes, (size_t)slot->length, &request);
        slot->version = dispatcher_version(slot->bytes, (size_t)slot->length);
    }
    /* The transfer of a Send Open File has a status channel of its own. */
    if (result == 0 && slot->fault == SFD_SLOT_CROWDED && request.cmd != SFD_WIRE_SEND_OPEN_FILE) result = -EMFILE;
    slot->verdict = -result;
    if (result == 0) grant(slot, &request);
}
