/*
 * Local channels.
 */
#include "protocol/outbox.h"

#include <stdlib.h>
#include <string.h>

void sfd_local_channel_init(struct sfd_local_channel *channel, uint64_t ticket)
{
    *channel = (struct sfd_local_channel){.ticket = ticket};
    atomic_init(&channel->references, 1);
    sfd_status_init(&channel->due);
}

struct sfd_local_channel *sfd_local_channel_share(struct sfd_local_channel *channel)
{
    atomic_fetch_add_explicit(&channel->references, 1, memory_order_relaxed);
    return channel;
}

void sfd_local_channel_put(struct sfd_local_channel *channel)
{
    if (atomic_fetch_sub_explicit(&channel->references, 1, memory_order_acq_rel) != 1) return;
    free(channel->content);
    free(channel);
}

void sfd_local_channel_give(struct sfd_local_channel *channel, char *bytes, uint32_t length)
{
    channel->content = bytes;
    channel->content_length = length;
}

void sfd_local_channel_add(struct sfd_local_channel *channel, const struct sfd_status *status)
{
    struct sfd_outbox *outbox = channel->outbox;
    struct sfd_status *due = &channel->due;

    due->version = status->version;
    due->terminal = status->terminal;
    due->error_command = status->error_command;
    due->error = status->error;
    due->fits = status->fits;
    if (status->info_due) { /* else an open in the disk pool may be writing them: the transfer may be cancelled */
        due->info = status->info;
        due->details = status->details;
        due->info_due = true;
    }
    if (status->terminal == SFD_TERMINAL_NONE) {
        due->progress += status->progress;
    } else {
        due->progress = 0; /* a Result includes it */
        due->result = status->result;
    }
    if (channel->queued) return;
    channel->queued = true;
    channel->next = NULL;
    if (outbox->last == NULL)
        outbox->first = sfd_local_channel_share(channel);
    else
        outbox->last->next = sfd_local_channel_share(channel);
    outbox->last = channel;
}

struct sfd_local_channel *sfd_outbox_take(struct sfd_outbox *outbox)
{
    struct sfd_local_channel *channel = outbox->first;

    if (channel == NULL) return NULL;
    outbox->first = channel->next;
    if (outbox->first == NULL) outbox->last = NULL;
    channel->queued = false;
    return channel;
}

/* Writes the content that is due, and frees it. */
static void put_content(struct sfd_local_channel *channel, char *bytes)
{
    if (channel->content == NULL) return;
    memcpy(bytes, channel->content, channel->content_length);
    free(channel->content);
    channel->content = NULL;
}

int32_t sfd_outbox_publish(struct sfd_outbox *outbox, char *bytes, size_t size)
{
    char buffer[SFD_STATUS_BYTES_MAX];
    int32_t count = 0;
    size_t at = 0;

    for (; outbox->first != NULL; count++) {
        const struct sfd_local_channel *first = outbox->first;
        const size_t length = sfd_status_put(&first->due, buffer);
        const size_t content = first->content == NULL ? 0 : first->content_length;
        const size_t padded = (length + content + 7) & ~(size_t)7;
        const struct sfd_message message = {
            .ticket = first->ticket,
            .length = (int32_t)length,
            .content = first->content == NULL ? SFD_NO_CONTENT : (int32_t)content,
        };
        if (size - at < sizeof(message) + padded) break;
        struct sfd_local_channel *channel = sfd_outbox_take(outbox);
        memcpy(bytes + at, &message, sizeof(message));
        at += sizeof(message);
        memcpy(bytes + at, buffer, length);
        put_content(channel, bytes + at + length);
        memset(bytes + at + length + content, 0, padded - length - content);
        at += padded;
        channel->due.info_due = false;
        channel->due.progress = 0;
        sfd_local_channel_put(channel);
    }
    return count;
}

void sfd_outbox_deinit(struct sfd_outbox *outbox)
{
    while (outbox->first != NULL)
        sfd_local_channel_put(sfd_outbox_take(outbox));
}
