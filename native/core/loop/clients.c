/*
 * The clients of one loop.
 */
#include "loop/clients.h"

#include <stdlib.h>

void sfd_clients_init(struct sfd_clients *clients, struct sfd_client_accounts *accounts)
{
    *clients = (struct sfd_clients){.accounts = accounts};
}

static uint32_t bucket_index(uint64_t process)
{
    return (uint32_t)(process % SFD_CLIENT_BUCKETS);
}

static struct sfd_client **bucket_of(struct sfd_clients *clients, uint64_t process)
{
    return &clients->buckets[bucket_index(process)];
}

static struct sfd_user *enter_user(struct sfd_clients *clients, uint32_t uid)
{
    struct sfd_user **bucket = &clients->users[uid % SFD_USER_BUCKETS];
    struct sfd_user *user = *bucket;

    while (user != NULL && user->uid != uid)
        user = user->bucket_next;
    if (user == NULL) {
        user = malloc(sizeof(*user));
        if (user == NULL) return NULL;
        *user = (struct sfd_user){.uid = uid, .bucket_next = *bucket};
        *bucket = user;
    }
    user->clients++;
    return user;
}

static void leave_user(struct sfd_clients *clients, struct sfd_user *user)
{
    struct sfd_user **at = &clients->users[user->uid % SFD_USER_BUCKETS];

    if (--user->clients > 0) return;
    while (*at != user)
        at = &(*at)->bucket_next;
    *at = user->bucket_next;
    free(user);
}

struct sfd_client *sfd_clients_enter(struct sfd_clients *clients, uint64_t process, uint32_t uid)
{
    struct sfd_client **bucket = bucket_of(clients, process);

    for (struct sfd_client *c = *bucket; c != NULL; c = c->bucket_next) {
        if (c->account->process == process && c->account->uid == uid) {
            c->transfers++;
            if (c->watch == SFD_WATCH_OVER) c->watch = SFD_WATCH_NEW; /* perhaps another process by now */
            return c;
        }
    }
    struct sfd_client *client = malloc(sizeof(*client));
    if (client == NULL) return NULL;
    *client = (struct sfd_client){
        .account = sfd_client_accounts_get(clients->accounts, process, uid),
        .user = enter_user(clients, uid),
        .transfers = 1,
        .pidfd = -1,
        .bucket_next = *bucket,
    };
    if (client->account == NULL || client->user == NULL) {
        if (client->user != NULL) leave_user(clients, client->user);
        sfd_client_account_put(client->account);
        free(client);
        return NULL;
    }
    *bucket = client;
    return client;
}

int sfd_clients_leave(struct sfd_clients *clients, struct sfd_client *client)
{
    struct sfd_client **at = bucket_of(clients, client->account->process);
    const int pidfd = client->pidfd;

    if (--client->transfers > 0) return -1;
    while (*at != client)
        at = &(*at)->bucket_next;
    *at = client->bucket_next;
    leave_user(clients, client->user);
    sfd_client_account_put(client->account);
    free(client);
    return pidfd;
}

struct sfd_client *sfd_clients_next(const struct sfd_clients *clients, const struct sfd_client *previous)
{
    uint32_t bucket = 0;

    if (previous != NULL) {
        if (previous->bucket_next != NULL) return previous->bucket_next;
        bucket = bucket_index(previous->account->process) + 1;
    }
    for (; bucket < SFD_CLIENT_BUCKETS; bucket++)
        if (clients->buckets[bucket] != NULL) return clients->buckets[bucket];
    return NULL;
}
