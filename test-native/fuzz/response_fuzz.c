/*
 * Fuzz target: the client's decoders of responses, the core's (native/core/wire.c) and the C API's (native/client/responses.c).
 * The input is what a status channel says.
 *
 * R1, D25, D39: a message is known by its own bytes, however they are cut up; it encodes to the same bytes; the two decoders agree.
 */
#include <errno.h>

#include <sendfiled/responses.h>

#include "fuzz.h"
#include "wire.h"

#define MESSAGES_MAX 64

static void clear(uint8_t *message, size_t from, size_t to)
{
    memset(message + from, 0, to - from);
}

/* What our encoder makes of a response; bytes of `clean`, a copy of the message, that nobody looks at become 0. */
static size_t encode(const struct sfd_wire_response *r, uint8_t *clean, uint8_t *out)
{
    switch (r->kind) {
    case SFD_WIRE_RESPONSE_INFO:
        clear(clean, 2, 8);
        return sfd_wire_put_file_info(out, &r->info);
    case SFD_WIRE_RESPONSE_PROGRESS:
        clear(clean, 2, 8);
        return sfd_wire_put_xfer_stat(out, r->moved);
    case SFD_WIRE_RESPONSE_COMPLETE:
        clear(clean, 2, 8);
        return sfd_wire_put_complete(out);
    case SFD_WIRE_RESPONSE_ERROR:
        FUZZ_CHECK(r->errnum >= 1 && r->errnum <= 255);
        return sfd_wire_put_error(out, r->cmd, r->errnum);
    case SFD_WIRE_RESPONSE_REFUSAL:
        FUZZ_CHECK(r->errnum >= 1 && r->errnum <= 255);
        clear(clean, 12, 16);
        return sfd_wire_put_refusal(out, r->errnum, r->fits);
    case SFD_WIRE_RESPONSE_RESULT:
        FUZZ_CHECK(r->errnum >= 0 && r->errnum <= 255);
        clear(clean, 30, 32);
        return sfd_wire_put_result(out, r->errnum, &r->result);
    }
    return 0;
}

/* The C API is given a whole message, as its documentation asks, and must say the same. */
static void check_api(const struct sfd_wire_response *r, const uint8_t *message, size_t size)
{
    struct sfd_file_info info;
    struct sfd_xfer_stat stat;
    struct sfd_refusal refusal;
    struct sfd_result result;
    const bool is_info = sfd_unmarshal_file_info(&info, message);
    const bool is_stat = sfd_unmarshal_xfer_stat(&stat, message);
    const bool is_refusal = sfd_unmarshal_refusal(&refusal, message);
    const bool is_result = sfd_unmarshal_result(&result, message);

    FUZZ_CHECK(sfd_get_size(message) == size);
    FUZZ_CHECK(sfd_get_cmd(message) == r->cmd);
    FUZZ_CHECK(is_info == (r->kind == SFD_WIRE_RESPONSE_INFO));
    FUZZ_CHECK(is_stat ==
               (r->kind == SFD_WIRE_RESPONSE_PROGRESS || r->kind == SFD_WIRE_RESPONSE_COMPLETE));
    FUZZ_CHECK(is_refusal == (r->kind == SFD_WIRE_RESPONSE_REFUSAL));
    FUZZ_CHECK(is_result == (r->kind == SFD_WIRE_RESPONSE_RESULT));
    if (is_info)
        FUZZ_CHECK(info.size == r->info.size && info.txnid == r->info.id &&
                   info.mtime == (time_t)r->info.mtime);
    if (is_stat)
        FUZZ_CHECK(sfd_xfer_complete(&stat) == (r->kind == SFD_WIRE_RESPONSE_COMPLETE) &&
                   (sfd_xfer_complete(&stat) || stat.size == r->moved));
    if (is_refusal) FUZZ_CHECK(refusal.stat == r->errnum && refusal.fits == r->fits);
    if (is_result)
        FUZZ_CHECK(result.stat == r->errnum && result.moved == r->result.moved &&
                   result.elapsed_ns == r->result.elapsed_ns);
}

/* The message at the start of `data`, told apart from each prefix of it. What sfd_wire_get_response says. */
static int decode(const uint8_t *data, size_t size)
{
    struct sfd_wire_response whole;
    struct sfd_wire_response part;
    struct sfd_wire_response untouched;
    uint8_t again[SFD_WIRE_MAX_RESPONSE_SIZE];

    memset(&part, 0xa5, sizeof(part));
    memcpy(&untouched, &part, sizeof(part));
    const int n = sfd_wire_get_response(data, size, &whole);
    FUZZ_CHECK(n == -EBADMSG || (n >= 0 && (size_t)n <= size));
    for (size_t length = 0; length < size && length <= SFD_WIRE_MAX_RESPONSE_SIZE; length++) {
        if (n > 0 && length == (size_t)n) break;
        uint8_t *prefix = fuzz_exact_copy(data, length);
        const int early = sfd_wire_get_response(prefix, length, &part);
        free(prefix);
        FUZZ_CHECK(early == 0 || early == n);
        FUZZ_CHECK(early != n || n <= 0);
        FUZZ_CHECK(memcmp(&part, &untouched, sizeof(part)) == 0);
    }
    if (n <= 0) return n;
    uint8_t *message = fuzz_exact_copy(data, (size_t)n);
    FUZZ_CHECK(sfd_wire_get_response(message, (size_t)n, &part) == n);
    check_api(&whole, message, (size_t)n);
    FUZZ_CHECK(encode(&whole, message, again) == (size_t)n);
    FUZZ_CHECK(memcmp(again, message, (size_t)n) == 0);
    free(message);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int i = 0; i < MESSAGES_MAX; i++) {
        const int n = decode(data, size);
        if (n <= 0) break;
        data += n;
        size -= (size_t)n;
    }
    return 0;
}
