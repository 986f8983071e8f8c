/*
 * Fuzz target: the client's decoders of responses, the core's (native/core/protocol/wire.c) and the C API's
 * (native/client/responses.c), and the events that they make (native/client/events.c). The input is what a status
 * channel says.
 *
 * R1, D25, D39: a message is known by its own bytes, however they are cut up; it encodes to the same bytes; the two
 * decoders agree. Whatever comes, a transfer has one end, and it is the same however the bytes are cut up.
 */
#include <errno.h>

#include <sendfiled/events.h>

#include "fuzz.h"
#include "protocol/wire.h"

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
    case SFD_WIRE_RESPONSE_DETAILS:
        clear(clean, 46, 48);
        return sfd_wire_put_file_details(out, &r->details);
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
    struct sfd_file_details details;
    const bool is_info = sfd_unmarshal_file_info(&info, message);
    const bool is_stat = sfd_unmarshal_xfer_stat(&stat, message);
    const bool is_refusal = sfd_unmarshal_refusal(&refusal, message);
    const bool is_result = sfd_unmarshal_result(&result, message);
    const bool is_details = sfd_unmarshal_file_details(&details, message);

    FUZZ_CHECK(sfd_get_size(message) == size);
    FUZZ_CHECK(sfd_get_cmd(message) == r->cmd);
    FUZZ_CHECK(is_info == (r->kind == SFD_WIRE_RESPONSE_INFO));
    FUZZ_CHECK(is_stat == (r->kind == SFD_WIRE_RESPONSE_PROGRESS || r->kind == SFD_WIRE_RESPONSE_COMPLETE));
    FUZZ_CHECK(is_refusal == (r->kind == SFD_WIRE_RESPONSE_REFUSAL));
    FUZZ_CHECK(is_result == (r->kind == SFD_WIRE_RESPONSE_RESULT));
    FUZZ_CHECK(is_details == (r->kind == SFD_WIRE_RESPONSE_DETAILS));
    if (is_info)
        FUZZ_CHECK(info.size == r->info.size && info.txnid == r->info.id && info.mtime == (time_t)r->info.mtime);
    if (is_stat)
        FUZZ_CHECK(sfd_xfer_complete(&stat) == (r->kind == SFD_WIRE_RESPONSE_COMPLETE) &&
                   (sfd_xfer_complete(&stat) || stat.size == r->moved));
    if (is_details)
        FUZZ_CHECK(details.size == r->details.size && details.inode == r->details.inode &&
                   details.mode == r->details.mode && details.ctime_ns == r->details.ctime_ns);
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

/* What a channel's events add up to. */
struct story {
    struct sfd_event last;
    struct sfd_file_details details; /* at the end; cmd is 0 when none came */
    unsigned count;                  /* of events, all DATA together being one */
    uint64_t data;
    uint64_t moved;
    bool in_data;
    bool over;
};

static void listen(struct story *story, const struct sfd_event *event)
{
    const bool is_data = event->type == SFD_EVENT_DATA;

    FUZZ_CHECK(!story->over);
    FUZZ_CHECK(event->moved >= story->moved);
    FUZZ_CHECK(event->info.cmd == 0 || event->moved <= event->info.size);
    FUZZ_CHECK(event->type == SFD_EVENT_FAILED ? event->error != 0 : event->error == 0);
    FUZZ_CHECK(event->type == SFD_EVENT_FAILED || event->info.cmd != 0);
    FUZZ_CHECK(event->type != SFD_EVENT_COMPLETE || event->moved == event->info.size);
    FUZZ_CHECK(!event->refused || (event->type == SFD_EVENT_FAILED && event->moved == 0));
    FUZZ_CHECK(!is_data || (event->data != NULL && event->size > 0));
    story->data += is_data ? event->size : 0;
    story->count += is_data && story->in_data ? 0 : 1;
    story->in_data = is_data;
    story->moved = event->moved;
    story->over = event->type == SFD_EVENT_COMPLETE || event->type == SFD_EVENT_FAILED;
    story->last = *event;
}

/* Feeds the input in pieces of that size. */
static struct story tell(enum sfd_events_of of, const uint8_t *data, size_t size, size_t piece)
{
    struct story story = {.count = 0};
    struct sfd_events events;
    struct sfd_event event;

    sfd_events_init(&events, of);
    for (size_t at = 0; at < size;) {
        const size_t length = size - at < piece ? size - at : piece;
        uint8_t *copy = fuzz_exact_copy(data + at, length);
        const size_t taken = sfd_events_feed(&events, copy, length, &event);
        free(copy);
        FUZZ_CHECK(taken > 0 && taken <= length);
        FUZZ_CHECK(taken == length || event.type != SFD_EVENT_NONE);
        if (event.type != SFD_EVENT_NONE) listen(&story, &event);
        at += taken;
    }
    if (sfd_events_end(&events, &event)) listen(&story, &event);
    FUZZ_CHECK(story.over);
    FUZZ_CHECK(!sfd_events_end(&events, &event));
    if (sfd_events_details(&events, &story.details)) FUZZ_CHECK(story.last.info.cmd != 0 && story.details.mode != 0);
    FUZZ_CHECK(sfd_events_data_left(&events) == 0);
    return story;
}

static void check_events(enum sfd_events_of of, const uint8_t *data, size_t size)
{
    static const size_t pieces[] = {1, 7, 48, 49};
    const struct story whole = tell(of, data, size, SIZE_MAX);

    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        const struct story cut = tell(of, data, size, pieces[i]);
        FUZZ_CHECK(cut.count == whole.count && cut.data == whole.data && cut.moved == whole.moved);
        FUZZ_CHECK(cut.last.type == whole.last.type && cut.last.error == whole.last.error);
        FUZZ_CHECK(cut.details.cmd == whole.details.cmd && cut.details.inode == whole.details.inode);
        FUZZ_CHECK(cut.last.refused == whole.last.refused && cut.last.fits == whole.last.fits);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_events(SFD_EVENTS_OF_SEND, data, size);
    check_events(SFD_EVENTS_OF_READ, data, size);
    for (int i = 0; i < MESSAGES_MAX; i++) {
        const int n = decode(data, size);
        if (n <= 0) break;
        data += n;
        size -= (size_t)n;
    }
    return 0;
}
