/*
 * Fuzz target: the decoder of requests of the tests' dispatcher (test-native/support/dispatcher). The input is one
 * datagram. The daemon decodes in Java: CodecAgreementTest has its decoder answer this corpus, and changes of it.
 *
 * R1, R12, D1, D5, D25, D34, D39: an errno of the documented ones with nothing written, or a request that encodes to
 * the same bytes, whose range fits into a file and whose path has no NUL.
 */
#include <errno.h>

#include "dispatcher.h"
#include "fuzz.h"
#include "protocol/wire.h"
#include "transfer/segments.h"

__extension__ typedef unsigned __int128 wide;

/* What our encoder makes of a request, in `out`; how many bytes. */
static size_t encode(const struct dispatcher_request *r, uint8_t *out)
{
    /* "To the end", as that version has it. */
    const uint64_t length = r->length == SFD_WIRE_TO_END && r->version < SFD_WIRE_VERSION_2 ? 0 : r->length;
    size_t n;

    if (r->cmd == SFD_WIRE_SEND_OPEN_FILE || r->cmd == SFD_WIRE_CANCEL)
        return sfd_wire_put_transfer_request(out, r->cmd, r->id);
    if (r->version > 0) {
        const uint8_t cmd = r->cmd == SFD_WIRE_SEND_DESCRIPTOR ? r->cmd : r->cmd | 0x10;
        n = sfd_wire_put_extended_request(out, cmd, r->offset, length, &r->options, r->path_length);
    } else {
        n = sfd_wire_put_path_request(out, r->cmd, r->offset, length);
    }
    if (r->path != NULL) {
        memcpy(out + n, r->path, r->path_length);
        out[n + r->path_length] = 0;
        n += r->path_length + 1;
    }
    if (r->segment_count == 0) return n;
    sfd_wire_set_segments(out, r->segment_count, r->segments_size);
    memcpy(out + n, r->segments, r->segments_size);
    return n + r->segments_size;
}

/* The core, which copies them, takes them for the same. */
static void check_segments(const struct dispatcher_request *r)
{
    struct sfd_segments *segments = NULL;
    size_t size = 0;

    if (r->segment_count == 0) return;
    FUZZ_CHECK(r->segment_count <= SFD_SEGMENTS_MAX && r->offset == 0 && r->length == 0);
    FUZZ_CHECK(sfd_segments_decode(r->segments, r->segments_size, r->segment_count, &segments) == 0);
    for (uint32_t i = 0; i < segments->count; i++) {
        const struct sfd_segment *segment = &segments->segment[i];
        size += SFD_WIRE_SEGMENT_SIZE + (segment->bytes != NULL ? segment->length : 0);
        if (segment->bytes != NULL) continue;
        FUZZ_CHECK(segment->offset >= 0);
        FUZZ_CHECK(segment->length == SFD_TO_END || (wide)segment->offset + segment->length <= INT64_MAX);
    }
    FUZZ_CHECK(size == r->segments_size);
    free(segments);
}

/* Bytes that nobody looks at in version 1: those before its fields, of an extended request those behind. */
static void clear_padding(const struct dispatcher_request *r, uint8_t *message)
{
    if (r->version < SFD_WIRE_VERSION_2) memset(message + (r->version > 0 ? 42 : 2), 0, 6);
}

static void check_sound(const struct dispatcher_request *r, const uint8_t *message, size_t size)
{
    static uint8_t again[SFD_WIRE_MAX_REQUEST_SIZE];
    uint8_t *clean = fuzz_exact_copy(message, size);

    FUZZ_CHECK(size <= SFD_WIRE_MAX_REQUEST_SIZE);
    FUZZ_CHECK(r->offset >= 0);
    FUZZ_CHECK(r->length == SFD_WIRE_TO_END || (wide)r->offset + r->length <= INT64_MAX);
    FUZZ_CHECK(r->options.technique < SFD_TECHNIQUES);
    FUZZ_CHECK((r->options.flags & ~SFD_OPTIONS_ALL) == 0);
    if (r->path != NULL) {
        FUZZ_CHECK(r->path_length >= 1 && r->path_length <= SFD_WIRE_MAX_PATH);
        FUZZ_CHECK(strlen(r->path) == r->path_length);
    }
    check_segments(r);
    clear_padding(r, clean);
    FUZZ_CHECK(encode(r, again) == size);
    FUZZ_CHECK(memcmp(again, clean, size) == 0);
    free(clean);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dispatcher_request request;
    struct dispatcher_request untouched;
    uint8_t *message = fuzz_exact_copy(data, size);

    memset(&request, 0xa5, sizeof(request));
    memcpy(&untouched, &request, sizeof(request));
    const int result = dispatcher_decode(message, size, &request);
    const uint8_t version = dispatcher_version(message, size);
    FUZZ_CHECK(memcmp(message, data, size) == 0);
    switch (result) {
    case 0:
        FUZZ_CHECK(request.version == version);
        check_sound(&request, message, size);
        break;
    case -EBADMSG:
    case -EPROTONOSUPPORT:
    case -ENAMETOOLONG:
    case -ENOENT:
    case -EINVAL:
    case -ERANGE:
    case -E2BIG:
    case -EMSGSIZE:
        FUZZ_CHECK(memcmp(&request, &untouched, sizeof(request)) == 0);
        break;
    default:
        FUZZ_FAIL("an errno that is not documented");
    }
    free(message);
    return 0;
}
