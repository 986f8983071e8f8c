/*
 * decode <CASES >RESULTS: what the C decoders (of requests the one of tests) answer to many inputs, for a test that
 * compares another decoder's.
 *
 * A case is a byte of kind ('q': a request, 's': what a status channel says), a u32 length and that many bytes. The
 * answer to 'q' is one struct request_answer; to 's' one struct message_answer for each message, the last one of kind
 * NEED_MORE or MALFORMED. Everything is native-endian, without padding.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dispatcher.h"
#include "protocol/wire.h"

struct request_answer {
    uint32_t error; /* errno, or 0: then the rest counts */
    uint32_t version;
    uint32_t cmd;
    uint32_t path_position;
    uint32_t path_length;
    uint32_t idle_ms;
    uint32_t deadline_ms;
    uint8_t technique;
    uint8_t flags;
    uint8_t segments;
    uint8_t zero;
    uint64_t offset;
    uint64_t length;
    uint64_t id;
    uint64_t rate;
};
_Static_assert(sizeof(struct request_answer) == 64, "read by Java");

enum { NEED_MORE = 7, MALFORMED = 8 }; /* behind enum sfd_wire_response_kind */

struct message_answer {
    uint32_t kind;
    uint32_t error;
    uint64_t size; /* of a File Information or File Details; else bytes moved */
    int64_t atime;
    int64_t mtime;
    int64_t ctime;
    uint64_t id;
    uint64_t elapsed_ns;
    uint32_t cold_windows;
    uint32_t fits;
    uint32_t technique;
    uint32_t cmd; /* of an error */
};
_Static_assert(sizeof(struct message_answer) == 72, "read by Java");

static void put(const void *answer, size_t size)
{
    if (fwrite(answer, size, 1, stdout) != 1) exit(1);
}

static void answer_request(const unsigned char *bytes, size_t size)
{
    struct dispatcher_request request = {0};
    const int result = dispatcher_decode(bytes, size, &request);
    const struct request_answer answer = {
        .error = (uint32_t)-result,
        .version = dispatcher_version(bytes, size),
        .cmd = request.cmd,
        .path_position = request.path == NULL ? 0 : (uint32_t)((size_t)request.path - (size_t)(const char *)bytes),
        .path_length = (uint32_t)request.path_length,
        .idle_ms = request.options.idle_ms,
        .deadline_ms = request.options.deadline_ms,
        .technique = request.options.technique,
        .flags = request.options.flags,
        .segments = (uint8_t)request.segment_count,
        .offset = (uint64_t)request.offset,
        .length = request.length,
        .id = request.id,
        .rate = request.options.rate,
    };

    put(&answer, sizeof(answer));
}

static struct message_answer describe(const struct sfd_wire_response *r)
{
    struct message_answer answer = {.kind = r->kind, .error = (uint32_t)r->errnum};

    switch (r->kind) {
    case SFD_WIRE_RESPONSE_INFO:
        answer.size = r->info.size;
        answer.atime = r->info.atime;
        answer.mtime = r->info.mtime;
        answer.ctime = r->info.ctime;
        answer.id = r->info.id;
        break;
    case SFD_WIRE_RESPONSE_DETAILS:
        answer.size = r->details.size;
        answer.id = r->details.inode;
        answer.elapsed_ns = r->details.device;
        answer.atime = r->details.atime_ns;
        answer.mtime = r->details.mtime_ns;
        answer.ctime = r->details.ctime_ns;
        answer.technique = r->details.mode;
        break;
    case SFD_WIRE_RESPONSE_PROGRESS:
        answer.size = r->moved;
        break;
    case SFD_WIRE_RESPONSE_COMPLETE:
        break;
    case SFD_WIRE_RESPONSE_ERROR:
        answer.cmd = r->cmd;
        break;
    case SFD_WIRE_RESPONSE_REFUSAL:
        answer.fits = r->fits;
        break;
    case SFD_WIRE_RESPONSE_RESULT:
        answer.size = r->result.moved;
        answer.elapsed_ns = r->result.elapsed_ns;
        answer.cold_windows = r->result.cold_windows;
        answer.technique = r->result.technique;
        answer.fits = r->result.fits;
        break;
    }
    return answer;
}

static void answer_status(const unsigned char *bytes, size_t size)
{
    struct sfd_wire_response response;
    struct message_answer answer;
    int n;

    while ((n = sfd_wire_get_response(bytes, size, &response)) > 0) {
        answer = describe(&response);
        put(&answer, sizeof(answer));
        bytes += n;
        size -= (size_t)n;
    }
    answer = (struct message_answer){.kind = n == 0 ? NEED_MORE : MALFORMED};
    put(&answer, sizeof(answer));
}

int main(void)
{
    int kind;
    uint32_t size;

    while ((kind = getchar()) != EOF) {
        if (fread(&size, sizeof(size), 1, stdin) != 1) return 1;
        unsigned char *bytes = malloc(size == 0 ? 1 : size);
        if (bytes == NULL || fread(bytes, 1, size, stdin) != size) return 1;
        if (kind == 'q')
            answer_request(bytes, size);
        else
            answer_status(bytes, size);
        free(bytes);
    }
    return fflush(stdout) == 0 ? 0 : 1;
}
