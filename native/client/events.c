/*
 * Events of a status channel: see <sendfiled/events.h>.
 *
 * Role: split the bytes that arrive into messages, and report what each one means for the transfer. Thread: any, one at
 * a time for each struct sfd_events. Owns nothing. Makes one system call, the read(2) of sfd_events_next().
 */
#include <sendfiled/events.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "protocol/wire.h"
#include "protocol/wire_bytes.h"

/* Beside the values of enum sfd_events_of: the last event was given. */
#define OVER UINT8_MAX

_Static_assert(sizeof(((struct sfd_events *)0)->held) == SFD_MAX_RESP_SIZE, "the longest message");
_Static_assert(sizeof(((struct sfd_events *)0)->held) == SFD_WIRE_FILE_DETAILS_SIZE, "nothing is behind File Details");

void sfd_events_init(struct sfd_events *events, enum sfd_events_of of)
{
    *events = (struct sfd_events){.of = (uint8_t)of};
}

uint64_t sfd_events_data_left(const struct sfd_events *events)
{
    if (events->of != SFD_EVENTS_OF_READ || events->info.cmd == 0 || events->of == OVER) return 0;
    return events->info.size - events->moved;
}

/* Their mode, which no file has as 0; 0: they have not come. */
static uint16_t kept_mode(const struct sfd_events *events)
{
    return sfd_wire_get_u16(events->details, sizeof events->details - sizeof(uint16_t));
}

bool sfd_events_details(const struct sfd_events *events, struct sfd_file_details *out)
{
    static const struct sfd_wire_file_details none = {.size = 0};
    unsigned char message[SFD_WIRE_FILE_DETAILS_SIZE];

    if (events->info.cmd == 0 || kept_mode(events) == 0) return false;
    (void)sfd_wire_put_file_details(message, &none);
    memcpy(message + SFD_WIRE_EXTENDED_PREFIX_SIZE, events->details, sizeof events->details);
    return sfd_unmarshal_file_details(out, message);
}

size_t sfd_events_txnid(const struct sfd_events *events)
{
    return events->of == OVER ? 0 : events->info.txnid;
}

void sfd_events_skip(struct sfd_events *events, uint64_t size)
{
    const uint64_t left = sfd_events_data_left(events);

    events->moved += size < left ? size : left;
}

/* Fills the fields that every event has. */
static void begin(const struct sfd_events *events, struct sfd_event *event, enum sfd_event_type type)
{
    *event = (struct sfd_event){.type = type, .moved = events->moved, .info = events->info};
}

static void finish(struct sfd_events *events, struct sfd_event *event, int error)
{
    begin(events, event, error == 0 ? SFD_EVENT_COMPLETE : SFD_EVENT_FAILED);
    event->error = error;
    event->refused = error != 0 && events->info.cmd == 0;
    events->of = OVER;
}

static void on_nonsense(struct sfd_events *events, struct sfd_event *event)
{
    finish(events, event, EBADMSG);
    event->refused = false;
}

static void on_info(struct sfd_events *events, struct sfd_event *event)
{
    if (events->info.cmd != 0 || !sfd_unmarshal_file_info(&events->info, events->held)) {
        on_nonsense(events, event);
        return;
    }
    begin(events, event, SFD_EVENT_ACCEPTED);
}

/* No daemon reports fewer bytes than before, or more than the range has. */
static bool is_plausible(const struct sfd_events *events, uint64_t moved)
{
    return events->info.cmd != 0 && moved >= events->moved && moved <= events->info.size;
}

static void on_progress(struct sfd_events *events, struct sfd_event *event, uint64_t more)
{
    if (events->of == SFD_EVENTS_OF_READ || more > events->info.size || !is_plausible(events, events->moved + more)) {
        on_nonsense(events, event);
        return;
    }
    events->moved += more;
    begin(events, event, SFD_EVENT_PROGRESS);
}

static void on_complete(struct sfd_events *events, struct sfd_event *event)
{
    if (events->of == SFD_EVENTS_OF_READ || events->info.cmd == 0) {
        on_nonsense(events, event);
        return;
    }
    events->moved = events->info.size;
    finish(events, event, 0);
}

static void on_refusal(struct sfd_events *events, struct sfd_event *event, const struct sfd_wire_response *response)
{
    finish(events, event, response->errnum);
    event->refused = events->moved == 0;
    event->fits = response->fits;
}

static void on_result(struct sfd_events *events, struct sfd_event *event, const struct sfd_wire_response *response)
{
    struct sfd_result result = {.cmd = 0};
    const bool complete = response->errnum == 0;
    const bool plausible = is_plausible(events, response->result.moved);

    if (!sfd_unmarshal_result(&result, events->held) ||
        (complete && !(plausible && result.moved == events->info.size))) {
        on_nonsense(events, event);
        return;
    }
    if (plausible) events->moved = result.moved;
    finish(events, event, response->errnum);
    event->result = result;
    event->fits = result.fits;
    /* An opened file, and a destination, given later, that no technique fits. */
    event->refused = !complete && result.fits != 0 && events->moved == 0;
}

/* Keeps the fields for the File Information, which comes next. False, with an event, if they make no sense. */
static bool on_details(struct sfd_events *events, struct sfd_event *event, const struct sfd_wire_response *response)
{
    if (events->info.cmd != 0 || kept_mode(events) != 0 || response->details.mode == 0) {
        on_nonsense(events, event);
        return false;
    }
    memcpy(events->details, events->held + SFD_WIRE_EXTENDED_PREFIX_SIZE, sizeof events->details);
    events->held_size = 0; /* the message fills all of it */
    return true;
}

/* Takes the message at the start of the held bytes, if it is whole: gives its event, and true. */
static bool take_message(struct sfd_events *events, struct sfd_event *event)
{
    struct sfd_wire_response response;
    const int size = sfd_wire_get_response(events->held, events->held_size, &response);

    if (size == 0) return false;
    if (size < 0) {
        on_nonsense(events, event);
        return true;
    }
    switch (response.kind) {
    case SFD_WIRE_RESPONSE_INFO:
        on_info(events, event);
        break;
    case SFD_WIRE_RESPONSE_PROGRESS:
        on_progress(events, event, response.moved);
        break;
    case SFD_WIRE_RESPONSE_COMPLETE:
        on_complete(events, event);
        break;
    case SFD_WIRE_RESPONSE_ERROR:
        finish(events, event, response.errnum);
        event->refused = response.cmd == SFD_FILE_INFO && events->moved == 0;
        break;
    case SFD_WIRE_RESPONSE_REFUSAL:
        on_refusal(events, event, &response);
        break;
    case SFD_WIRE_RESPONSE_RESULT:
        on_result(events, event, &response);
        break;
    case SFD_WIRE_RESPONSE_DETAILS:
        if (on_details(events, event, &response)) return false;
        break;
    }
    events->held_size = (uint8_t)(events->held_size - size);
    memmove(events->held, events->held + size, events->held_size);
    return true;
}

/* Bytes of a Read File: the event points to the caller's bytes, nothing is copied. */
static size_t take_data(struct sfd_events *events, const void *bytes, size_t size, struct sfd_event *event)
{
    const uint64_t left = sfd_events_data_left(events);
    const size_t taken = size < left ? size : (size_t)left;

    events->moved += taken;
    begin(events, event, SFD_EVENT_DATA);
    event->data = bytes;
    event->size = taken;
    return taken;
}

size_t sfd_events_feed(struct sfd_events *events, const void *bytes, size_t size, struct sfd_event *event)
{
    const size_t room = sizeof events->held - events->held_size;
    const size_t taken = size < room ? size : room;

    begin(events, event, SFD_EVENT_NONE);
    if (size == 0 || events->of == OVER) return size;
    if (take_message(events, event)) /* held by an earlier sfd_events_next() */
        return 0;
    if (sfd_events_data_left(events) > 0) return take_data(events, bytes, size, event);
    memcpy(events->held + events->held_size, bytes, taken);
    events->held_size = (uint8_t)(events->held_size + taken);
    if (!take_message(events, event)) {
        /* File Details are no event of their own: it may be behind them. */
        const bool details = events->held_size == 0 && taken < size;
        return details ? taken + sfd_events_feed(events, (const char *)bytes + taken, size - taken, event) : taken;
    }

    /*
     * The held bytes were no whole message before, so those behind the message are from this call: the caller feeds
     * them again.
     */
    const size_t behind = events->of == OVER ? 0 : events->held_size;

    events->held_size = 0;
    return events->of == OVER ? size : taken - behind;
}

bool sfd_events_end(struct sfd_events *events, struct sfd_event *event)
{
    begin(events, event, SFD_EVENT_NONE);
    if (events->of == OVER) return false;
    /* Messages that sfd_events_next() has read, but not reported yet, may have the end. */
    while (take_message(events, event))
        if (events->of == OVER) return true;

    /*
     * The Result behind the last byte may be missing, when the daemon is too old or has died: the file is whole all the
     * same.
     */
    const bool read_whole =
        events->of == SFD_EVENTS_OF_READ && events->info.cmd != 0 && events->moved == events->info.size;

    finish(events, event, read_whole ? 0 : ECONNABORTED);
    event->refused = false;
    return true;
}

/* read(2) that goes on after a signal. */
static ssize_t read_some(int fd, void *buf, size_t size)
{
    ssize_t count;

    do {
        count = read(fd, buf, size);
    } while (count < 0 && errno == EINTR);
    return count;
}

int sfd_events_next(struct sfd_events *events, int status_fd, struct sfd_event *event)
{
    begin(events, event, SFD_EVENT_NONE);
    for (;;) {
        if (events->of == OVER) return 0;
        if (sfd_events_data_left(events) > 0) {
            begin(events, event, SFD_EVENT_DATA);
            return 1;
        }
        if (take_message(events, event)) return 1;

        /*
         * Before the File Information of a Read File there is room for these 48 bytes only: no byte of the file is
         * read.
         */
        const ssize_t count =
            read_some(status_fd, events->held + events->held_size, sizeof events->held - events->held_size);

        if (count < 0) return errno == EAGAIN ? 0 : -1;
        if (count == 0) return sfd_events_end(events, event) ? 1 : 0;
        events->held_size = (uint8_t)(events->held_size + count);
    }
}
