/*
 * Local channels: the status channel of a request of this very process, and the way of its messages to the dispatcher.
 *
 * Role: a request that came by no socket needs no pipe. Its channel keeps what is due, and the outbox of its loop lists
 * the channels with something due; at the end of a turn they are written into the turn buffer, byte for byte what a
 * pipe would have got. There is always room to keep: one File Information, merged progress and one final message, as in
 * struct sfd_status. So a transfer never waits for its channel, and nothing is allocated or lost when a turn buffer is
 * full: the rest goes with the next turn.
 *
 * Order: the outbox belongs to the loop and not to the thread that carries it (loop/carrier.c). A turn buffer is filled
 * as the last thing of a turn, and its thread has the loop until the dispatcher has read it. So the messages of all
 * tickets of one loop are read one turn after the other, whatever threads lost the loop in between.
 *
 * Thread: the loop's; references: any.
 */
#ifndef SFD_PROTOCOL_OUTBOX_H
#define SFD_PROTOCOL_OUTBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "protocol/status.h"

/*
 * The head of what one ticket gets in a turn. What a status channel would carry follows, then what none can: the
 * content of a file; and zeros to a multiple of 8.
 */
struct sfd_message {
    uint64_t ticket;
    int32_t length;  /* bytes of messages */
    int32_t content; /* bytes of the file whose information is among these; SFD_NO_CONTENT: it is open, or there is none
                      */
};

#define SFD_NO_CONTENT (-1)

struct sfd_local_channel {
    struct sfd_local_channel *next; /* in the outbox */
    struct sfd_outbox *outbox;      /* borrowed; of the loop that serves the request */
    uint64_t ticket;                /* the request's name, which its submitter gave it */
    atomic_uint references;         /* the outbox has one while the channel is in it */
    bool queued;                    /* in the outbox */
    struct sfd_status due;          /* merged since the last turn */
    char *content;                  /* owned: due with the File Information; NULL: none */
    uint32_t content_length;
};

struct sfd_outbox {
    struct sfd_local_channel *first;
    struct sfd_local_channel *last;
};

/* With one reference. It is to be allocated by malloc, as the first member of what the last release frees. */
void sfd_local_channel_init(struct sfd_local_channel *channel, uint64_t ticket);
struct sfd_local_channel *sfd_local_channel_share(struct sfd_local_channel *channel);
void sfd_local_channel_put(struct sfd_local_channel *channel);

/* Keeps what is due on a status channel that is this one. */
void sfd_local_channel_add(struct sfd_local_channel *channel, const struct sfd_status *status);

/* Keeps the content of the file whose information comes next. Takes `bytes`, which are of malloc; once. */
void sfd_local_channel_give(struct sfd_local_channel *channel, char *bytes, uint32_t length);

/* Writes what is due, oldest first, as far as `size` bytes have room for it: how many messages. */
int32_t sfd_outbox_publish(struct sfd_outbox *outbox, char *bytes, size_t size);

/*
 * Takes the first channel in which something is due, with the outbox's reference to it; NULL: there is none. The caller
 * reads `due` of it, and clears what it has taken.
 */
struct sfd_local_channel *sfd_outbox_take(struct sfd_outbox *outbox);

/* Drops what is due: nobody will read it. */
void sfd_outbox_deinit(struct sfd_outbox *outbox);

#endif
