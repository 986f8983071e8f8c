/*
 * The messages of a status channel as typed events, so that no program has to parse them. Included by sendfiled.h.
 *
 *     struct sfd_events events;
 *     sfd_events_init(&events, SFD_EVENTS_OF_SEND);
 *     ...when poll(2) says that the status channel is readable:
 *     struct sfd_event event;
 *     while (sfd_events_next(&events, status_fd, &event) > 0) {
 *         switch (event.type) {
 *         case SFD_EVENT_ACCEPTED: ...event.info.size, event.info.txnid...  break;
 *         case SFD_EVENT_PROGRESS: ...event.moved...                        break;
 *         case SFD_EVENT_COMPLETE: ...every byte was accepted...            close(status_fd); return;
 *         case SFD_EVENT_FAILED:   ...strerror(event.error)...              close(status_fd); return;
 *         default: break;
 *         }
 *     }
 *
 * Answers to both forms of request are understood, with options and without, also when a read gives only a part of a
 * message. Each transfer ends with exactly one SFD_EVENT_COMPLETE or SFD_EVENT_FAILED.
 *
 * sfd_events_next() reads the channel itself. A program whose loop has read already (io_uring, libuv) feeds the bytes
 * instead: sfd_events_feed(), and sfd_events_end() at end of file.
 *
 * For all functions here:
 *   - They may be called by any thread; one struct sfd_events is used by one thread at a time. It owns nothing, and
 *     needs no cleaning up.
 *   - Only sfd_events_next() can block: it reads. The others neither touch errno nor make a system call. Signal
 *     handlers may call all of them.
 */
#ifndef SENDFILED_EVENTS_H
#define SENDFILED_EVENTS_H

#include "responses.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The kind of request that the status channel belongs to. */
enum sfd_events_of {
    SFD_EVENTS_OF_SEND, /* Send File, Send Descriptor, Open File, sfd_read_split(): only messages come */
    SFD_EVENTS_OF_READ  /* Read File: the file's bytes come too */
};

enum sfd_event_type {
    SFD_EVENT_NONE = 0, /* nothing yet: more bytes are needed */
    SFD_EVENT_ACCEPTED, /* the file is open. Of an Open File: now sfd_send_open() can be called */
    SFD_EVENT_PROGRESS, /* bytes have been moved */
    SFD_EVENT_DATA,     /* of a Read File: here are bytes of the file, or they come next */
    SFD_EVENT_COMPLETE, /* the end: every byte has been accepted by the destination, or read */
    SFD_EVENT_FAILED    /* the end: an error, or it was cancelled */
};

struct sfd_event {
    enum sfd_event_type type;

    /*
     * FAILED: an errno. ECONNABORTED: the channel ended without a final message (a Cancel, a Read File whose file
     * became shorter or unreadable, or the daemon has ended). EBADMSG: the bytes are no valid message.
     */
    int error;
    /* FAILED: before the transfer had begun; nothing has been written to the destination. */
    bool refused;
    /* FAILED: techniques that would fit, as in struct sfd_refusal; 0: techniques are not the reason. */
    uint32_t fits;

    uint64_t moved; /* bytes moved so far, in all, as far as the messages tell */

    const void *data; /* DATA, of sfd_events_feed(): in what was fed. NULL: see sfd_events_next() */
    size_t size;      /* DATA, of sfd_events_feed(): bytes */

    struct sfd_file_info info; /* ACCEPTED and later: the file; cmd is 0 when no File Information came */
    struct sfd_result result;  /* COMPLETE or FAILED, of a request with options; else cmd is 0 */
    uint64_t reserved[4];
};

/* Callers allocate the struct; only the library uses the fields. */
struct sfd_events {
    struct sfd_file_info info;
    uint64_t moved;
    unsigned char held[48]; /* the beginning of a message, at most SFD_MAX_RESP_SIZE */
    uint8_t held_size;
    uint8_t of;
    unsigned char details[38]; /* the fields of File Details, once they came */
};

/* Begins with a new status channel. of: enum sfd_events_of. */
void sfd_events_init(struct sfd_events *events, enum sfd_events_of of) SFD_API;

/*
 * Reads the status channel, as far as it needs for the next event. Blocks if it is a blocking descriptor, until an
 * event or the end comes; a signal does not end the wait.
 *
 *   status_fd   what sfd_send() and its like returned; borrowed. The caller closes it after the last event
 *   event       filled when the result is 1; else its type is SFD_EVENT_NONE
 *
 * The bytes of a Read File are not read here: SFD_EVENT_DATA says that they come next. Take up to
 * sfd_events_data_left() of them out of the channel, by read(2) or splice(2), and tell how many, sfd_events_skip(); as
 * long as bytes are left, this event comes again. When your read(2) gives 0, the daemon has stopped: call
 * sfd_events_end(). When splice(2) gives EAGAIN, either end may be the reason: as long as the channel has bytes
 * (FIONREAD) wait for the other one, and do not watch the channel meanwhile. Splice to a non-blocking socket only:
 * while splice(2) waits for room in a blocking one, it keeps the daemon out of the channel (pipe's lock), and the
 * daemon lets a client keep only a few of its threads waiting.
 *
 * Returns 1; 0 when there is no event (the channel is non-blocking and empty, or the last event was given); or -1 with
 * the errno of read(2), for a descriptor that is no status channel: EBADF (not open for reading), EINVAL, EIO, EISDIR
 * (no pipe).
 */
int sfd_events_next(struct sfd_events *events, int status_fd, struct sfd_event *event) SFD_API;

/*
 * Takes bytes that were read from the status channel, up to the next event.
 *
 *   bytes, size   any piece of what came; borrowed
 *   event         its type is SFD_EVENT_NONE if the bytes end before an event does
 *
 * Returns how many bytes it has taken: the rest is for the next call.
 *
 *     for (const char *at = bytes; at < bytes + count;) {
 *         at += sfd_events_feed(&events, at, (size_t)(bytes + count - at), &event);
 *         if (event.type != SFD_EVENT_NONE) handle(&event);
 *     }
 */
size_t sfd_events_feed(struct sfd_events *events, const void *bytes, size_t size, struct sfd_event *event) SFD_API;

/*
 * Says that the status channel is at end of file, or will not be read any more. True, with the last event, if that was
 * not given yet: SFD_EVENT_FAILED as a rule, SFD_EVENT_COMPLETE for a Read File of which all bytes came.
 */
bool sfd_events_end(struct sfd_events *events, struct sfd_event *event) SFD_API;

/*
 * The id of the transfer, for sfd_send_open() and sfd_cancel(). 0: there is nothing to cancel: the transfer is not
 * accepted yet, or it is over.
 */
size_t sfd_events_txnid(const struct sfd_events *events) SFD_API;

/*
 * More about the file of a request of version 2, as soon as it is accepted. False, with *out untouched, before that and
 * for other requests.
 */
bool sfd_events_details(const struct sfd_events *events, struct sfd_file_details *out) SFD_API;

/* How many bytes of the file come next in the channel, before any message. 0: a message or the end comes next. */
uint64_t sfd_events_data_left(const struct sfd_events *events) SFD_API;

/* Says that `size` bytes of the file, at most sfd_events_data_left(), were taken out of the channel. */
void sfd_events_skip(struct sfd_events *events, uint64_t size) SFD_API;

#ifdef __cplusplus
}
#endif

#endif
