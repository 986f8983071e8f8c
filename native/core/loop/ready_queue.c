/*
 * The ready queue.
 */
#include "loop/ready_queue.h"

static void push_client(struct sfd_ready_queue *queue, struct sfd_client *client)
{
    client->queue_next = NULL;
    if (queue->last == NULL)
        queue->first = client;
    else
        queue->last->queue_next = client;
    queue->last = client;
}

void sfd_ready_queue_push(struct sfd_ready_queue *queue, struct sfd_transfer *transfer)
{
    struct sfd_client *client = transfer->loop.client;

    if (transfer->loop.ready) return;
    transfer->loop.ready = true;
    queue->count++;
    if (client->ready_last == NULL) {
        transfer->loop.ready_next = transfer;
        push_client(queue, client);
    } else {
        transfer->loop.ready_next = client->ready_last->loop.ready_next;
        client->ready_last->loop.ready_next = transfer;
    }
    client->ready_last = transfer;
}

struct sfd_transfer *sfd_ready_queue_pop(struct sfd_ready_queue *queue)
{
    struct sfd_client *client = queue->first;

    if (client == NULL) return NULL;
    struct sfd_transfer *transfer = client->ready_last->loop.ready_next;
    if (transfer == client->ready_last)
        client->ready_last = NULL;
    else
        client->ready_last->loop.ready_next = transfer->loop.ready_next;
    queue->first = client->queue_next;
    if (queue->first == NULL) queue->last = NULL;
    if (client->ready_last != NULL) push_client(queue, client); /* to the end of the queue */
    transfer->loop.ready = false;
    queue->count--;
    return transfer;
}
