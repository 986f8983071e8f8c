/*
 * The ready queue.
 */
#include "loop/ready_queue.h"

static void push_user(struct sfd_ready_queue *queue, struct sfd_user *user)
{
    user->queue_next = NULL;
    if (queue->last == NULL)
        queue->first = user;
    else
        queue->last->queue_next = user;
    queue->last = user;
}

/* To the end of its user's ring. */
static void push_client(struct sfd_ready_queue *queue, struct sfd_client *client)
{
    struct sfd_user *user = client->user;

    if (user->ready_last == NULL) {
        client->ready_next = client;
        push_user(queue, user);
    } else {
        client->ready_next = user->ready_last->ready_next;
        user->ready_last->ready_next = client;
    }
    user->ready_last = client;
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

/* The first client of a user's ring goes to its end; or leaves it, if it has no ready transfer any more. */
static void turn_ring(struct sfd_user *user)
{
    struct sfd_client *client = user->ready_last->ready_next;

    if (client->ready_last != NULL)
        user->ready_last = client;
    else if (client == user->ready_last)
        user->ready_last = NULL;
    else
        user->ready_last->ready_next = client->ready_next;
}

struct sfd_transfer *sfd_ready_queue_pop(struct sfd_ready_queue *queue)
{
    struct sfd_user *user = queue->first;

    if (user == NULL) return NULL;
    struct sfd_client *client = user->ready_last->ready_next;
    struct sfd_transfer *transfer = client->ready_last->loop.ready_next;
    if (transfer == client->ready_last)
        client->ready_last = NULL;
    else
        client->ready_last->loop.ready_next = transfer->loop.ready_next;
    turn_ring(user);
    queue->first = user->queue_next;
    if (queue->first == NULL) queue->last = NULL;
    if (user->ready_last != NULL) push_user(queue, user); /* to the end of the queue */
    transfer->loop.ready = false;
    queue->count--;
    return transfer;
}
