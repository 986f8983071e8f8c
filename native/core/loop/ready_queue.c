/*
 * Whose turn it is.
 */
#include "loop/ready_queue.h"

#include <stdlib.h>

void sfd_turns_init(struct sfd_turns *turns, struct sfd_accounts *accounts)
{
    *turns = (struct sfd_turns){.accounts = accounts};
}

static struct sfd_client **bucket_of(struct sfd_turns *turns, int32_t pid)
{
    return &turns->buckets[(uint32_t)pid % SFD_CLIENT_BUCKETS];
}

struct sfd_client *sfd_turns_enter(struct sfd_turns *turns, int32_t pid, uint32_t uid)
{
    struct sfd_client **bucket = bucket_of(turns, pid);

    for (struct sfd_client *c = *bucket; c != NULL; c = c->bucket_next) {
        if (c->account->pid == pid && c->account->uid == uid) {
            c->transfers++;
            return c;
        }
    }
    struct sfd_client *client = malloc(sizeof(*client));
    if (client == NULL) return NULL;
    *client = (struct sfd_client){
        .account = sfd_accounts_get(turns->accounts, pid, uid),
        .transfers = 1,
        .bucket_next = *bucket,
    };
    if (client->account == NULL) {
        free(client);
        return NULL;
    }
    *bucket = client;
    return client;
}

void sfd_turns_leave(struct sfd_turns *turns, struct sfd_client *client)
{
    struct sfd_client **at = bucket_of(turns, client->account->pid);

    if (--client->transfers > 0) return;
    while (*at != client)
        at = &(*at)->bucket_next;
    *at = client->bucket_next;
    sfd_account_put(client->account);
    free(client);
}

static void push_client(struct sfd_turns *turns, struct sfd_client *client)
{
    client->turn_next = NULL;
    if (turns->last == NULL)
        turns->first = client;
    else
        turns->last->turn_next = client;
    turns->last = client;
}

void sfd_turns_push(struct sfd_turns *turns, struct sfd_transfer *transfer)
{
    struct sfd_client *client = transfer->client;

    if (transfer->ready) return;
    transfer->ready = true;
    transfer->ready_next = NULL;
    turns->ready++;
    if (client->first == NULL) {
        client->first = transfer;
        push_client(turns, client);
    } else {
        client->last->ready_next = transfer;
    }
    client->last = transfer;
}

struct sfd_transfer *sfd_turns_pop(struct sfd_turns *turns)
{
    struct sfd_client *client = turns->first;

    if (client == NULL) return NULL;
    struct sfd_transfer *transfer = client->first;
    client->first = transfer->ready_next;
    turns->first = client->turn_next;
    if (turns->first == NULL) turns->last = NULL;
    if (client->first != NULL) push_client(turns, client); /* to the back of the line */
    transfer->ready = false;
    turns->ready--;
    return transfer;
}
