/* PROTOCOL.md's messages, drawn above what writes and reads them. */
#include "wire_common.h"

#include <errno.h>
#include <string.h>

static const char *const techniques[] = {"auto", "sendfile", "splice", "mmap", "read-write", "copy-file-range"};

int find_technique(const char *name)
{
    for (size_t i = 0; i < sizeof techniques / sizeof *techniques; i++)
        if (strcmp(name, techniques[i]) == 0) return (int)i;
    return -1;
}

/*
 * 0      1      2         4       8        16       24     32        36         40          41      42        48
 * | cmd  | stat | version | total | offset | length | rate | idle ms | deadline | technique | flags | padding | path
 * ... NUL
 */
static size_t put_extended(uint8_t *bytes, const struct request *request)
{
    const uint16_t version = 1;
    const size_t path_size = strlen(request->path) + 1;
    const uint32_t total = (uint32_t)(EXTENDED_HEADER_SIZE + path_size);
    memset(bytes, 0, EXTENDED_HEADER_SIZE);
    bytes[0] = (uint8_t)request->cmd;
    memcpy(bytes + 2, &version, 2);
    memcpy(bytes + 4, &total, 4);
    memcpy(bytes + 8, &request->offset, 8);
    memcpy(bytes + 16, &request->length, 8);
    memcpy(bytes + 24, &request->options.rate, 8);
    bytes[40] = request->options.technique;
    bytes[41] = request->options.flags;
    memcpy(bytes + EXTENDED_HEADER_SIZE, request->path, path_size);
    return total;
}

/*
 * 0      1      2        8         16        24
 * | cmd  | stat | padding | offset  | length  | path ... NUL      (Open, Read, Send)
 * | cmd  | stat | padding | id      |                             (Send Open, Cancel)
 */
size_t put_request(void *out, const struct request *request)
{
    uint8_t *bytes = out;
    if (request->cmd > CMD_EXTENDED) return put_extended(bytes, request);
    memset(bytes, 0, 8);
    bytes[0] = (uint8_t)request->cmd;
    if (request->cmd == CMD_SEND_OPEN || request->cmd == CMD_CANCEL) {
        memcpy(bytes + 8, &request->id, 8);
        return ID_REQUEST_SIZE;
    }
    size_t path_size = strlen(request->path) + 1;
    memcpy(bytes + 8, &request->offset, 8);
    memcpy(bytes + 16, &request->length, 8);
    memcpy(bytes + REQUEST_HEADER_SIZE, request->path, path_size);
    return REQUEST_HEADER_SIZE + path_size;
}

bool get_request(struct request *request, const void *in, size_t length)
{
    const uint8_t *bytes = in;
    if (length < ID_REQUEST_SIZE || bytes[1] != 0) return false;
    request->cmd = bytes[0];
    switch (request->cmd) {
    case CMD_SEND_OPEN:
    case CMD_CANCEL:
        memcpy(&request->id, bytes + 8, 8);
        return length == ID_REQUEST_SIZE;
    case CMD_OPEN:
    case CMD_READ:
    case CMD_SEND:
        if (length < REQUEST_HEADER_SIZE + 1 || bytes[length - 1] != '\0' ||
            length - REQUEST_HEADER_SIZE > sizeof request->path)
            return false;
        memcpy(&request->offset, bytes + 8, 8);
        memcpy(&request->length, bytes + 16, 8);
        memcpy(request->path, bytes + REQUEST_HEADER_SIZE, length - REQUEST_HEADER_SIZE);
        return true;
    default:
        return false;
    }
}

/* | cmd | stat | 6 padding | size | atime | mtime | ctime | id | */
size_t put_file_info(void *out, const struct file_info *info)
{
    uint8_t *bytes = out;
    memset(bytes, 0, 8);
    bytes[0] = RSP_FILE_INFO;
    memcpy(bytes + 8, &info->size, 8);
    memcpy(bytes + 16, &info->atime, 8);
    memcpy(bytes + 24, &info->mtime, 8);
    memcpy(bytes + 32, &info->ctime, 8);
    memcpy(bytes + 40, &info->id, 8);
    return FILE_INFO_SIZE;
}

void get_file_info(struct file_info *info, const void *in)
{
    const uint8_t *bytes = in;
    memcpy(&info->size, bytes + 8, 8);
    memcpy(&info->atime, bytes + 16, 8);
    memcpy(&info->mtime, bytes + 24, 8);
    memcpy(&info->ctime, bytes + 32, 8);
    memcpy(&info->id, bytes + 40, 8);
}

/* | cmd | stat | 6 padding | size | */
size_t put_xfer_stat(void *out, uint64_t size)
{
    uint8_t *bytes = out;
    memset(bytes, 0, 8);
    bytes[0] = RSP_XFER_STAT;
    memcpy(bytes + 8, &size, 8);
    return XFER_STAT_SIZE;
}

uint64_t get_xfer_size(const void *bytes)
{
    uint64_t size;
    memcpy(&size, (const uint8_t *)bytes + 8, 8);
    return size;
}

size_t put_error(void *out, int cmd, int error)
{
    uint8_t *bytes = out;
    bytes[0] = (uint8_t)cmd;
    bytes[1] = (uint8_t)(error > 0 && error < 256 ? error : EIO);
    return ERROR_SIZE;
}

/* | cmd | errno | version | total | bytes | elapsed ns | cold windows | technique | 3 padding | */
void get_result(struct result *result, const void *in)
{
    const uint8_t *bytes = in;
    result->error = bytes[1];
    memcpy(&result->bytes, bytes + 8, 8);
    memcpy(&result->elapsed_ns, bytes + 16, 8);
    memcpy(&result->cold_windows, bytes + 24, 4);
    result->technique = bytes[28];
}
