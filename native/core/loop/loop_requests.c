/*
 * What one request asks for: from the dispatcher's verdict to a transfer, or to an answer that refuses it.
 *
 * Thread: the loop that received it. Every descriptor of a slot goes to a transfer, to another loop or to the closer.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "loop/loop_private.h"
#include "transfer/observe.h"

#define NO_DEST (-1) /* of a Cancel */

/* Closes descriptors; their sender is charged for them while the closes are pending. */
static void drop(struct sfd_loop *loop, int *fds, int count, uint64_t process, uint32_t uid)
{
    struct sfd_client_account *account = sfd_client_accounts_get(&loop->shared->accounts, process, uid);

    for (int i = 0; i < count; i++)
        sfd_closer_take_unknown(&loop->context.closer, &fds[i], account);
    sfd_client_account_put(account);
}

void sfd_loop_requests_drop(struct sfd_loop *loop, struct sfd_slot *slot)
{
    sfd_fd_close(loop->shared->kernel.sys, &slot->pidfd); /* waits for nobody: no guard */
    if (slot->job != 0) sfd_loop_sessions_decide(loop, slot, ESHUTDOWN);
    if (slot->fd_count > 0) drop(loop, slot->fds, SFD_SLOT_FDS, slot->process, slot->uid);
}

/* A well-formed Send Open File or Cancel has no status channel: its descriptor is a destination. */
static bool has_status_channel(const struct sfd_slot *slot, int error)
{
    const uint8_t command = slot->length > 0 ? (uint8_t)slot->bytes[0] : 0;

    return error == -EBADMSG || (command != SFD_WIRE_SEND_OPEN_FILE && command != SFD_WIRE_CANCEL);
}

/* A slot has what was decoded of its request, which may be nothing. */
static void observe_refused(struct sfd_loop *loop, const struct sfd_slot *slot, int error)
{
    const bool has_path = slot->command == SFD_WIRE_OPEN_FILE || slot->command == SFD_WIRE_READ_FILE ||
                          slot->command == SFD_WIRE_SEND_FILE;
    const bool sound = has_path && slot->path > 0 && slot->path_length >= 0 && slot->path_length <= slot->length &&
                       slot->path <= slot->length - slot->path_length;
    const struct sfd_refused_request request = {
        .command = (uint8_t)slot->command,
        .process = slot->process,
        .uid = slot->uid,
        .path = sound ? slot->bytes + slot->path : NULL,
        .path_length = sound ? (size_t)slot->path_length : 0,
    };

    sfd_observe_refused(&loop->context, &request, error);
}

/* Answers on the first descriptor if it can be a status channel, and closes all descriptors. */
static void refuse(struct sfd_loop *loop, struct sfd_slot *slot, int error)
{
    struct sfd_status status;

    observe_refused(loop, slot, error);
    if (error == -EBADMSG || error == -EACCES) sfd_loop_receiving_blame(loop, slot);
    if (slot->fds[0] >= 0 && has_status_channel(slot, error) &&
        sfd_status_accept(&loop->context.kernel, &slot->fds[0]) == 0) {
        sfd_status_init(&status);
        status.fd = slot->fds[0];
        status.version = slot->version;
        sfd_status_fail(&status, SFD_WIRE_FILE_INFO, error);
        /* A pipe without room for two bytes is not the fresh pipe that the protocol asks for. */
        (void)sfd_status_flush(&status, &loop->context.kernel);
    }
    sfd_loop_requests_drop(loop, slot);
}

/*
 * The descriptors that a request may hold at once: its status channel, the file, and the destination, also one of a
 * later Send Open File.
 */
static uint8_t descriptors_of(const struct sfd_slot *slot)
{
    return slot->command == SFD_WIRE_READ_FILE && slot->fd_count == 1 ? 2 : 3;
}

/* Open File, Read File, Send File, Send Descriptor. */
static void begin(struct sfd_loop *loop, struct sfd_slot *slot)
{
    const bool descriptor = slot->command == SFD_WIRE_SEND_DESCRIPTOR;
    /* A Read File with a data channel is a Send File to that pipe. */
    const bool split =
        slot->command == SFD_WIRE_READ_FILE && slot->version >= SFD_WIRE_VERSION_2 && slot->fd_count == 2;
    const bool sends = descriptor || split || slot->command == SFD_WIRE_SEND_FILE;
    const int wanted = descriptor ? 3 : sends ? 2 : 1;
    const size_t segments = descriptor ? SFD_WIRE_EXTENDED_REQUEST_SIZE : (size_t)(slot->path + slot->path_length + 1);
    struct sfd_transfer_request request = {
        .command = sends ? SFD_WIRE_SEND_FILE : (uint8_t)slot->command,
        .asked = (uint8_t)slot->command,
        .root = descriptor ? NULL : loop->shared->roots[slot->root],
        .path = descriptor ? NULL : slot->bytes + slot->path,
        .offset = slot->range_offset,
        .length = slot->range_length,
        .segment_count = slot->segments,
        .segments = slot->bytes + segments,
        .segments_size = segments < (size_t)slot->length ? (size_t)slot->length - segments : 0,
        .version = slot->version,
        .foreign = slot->uid != 0 && slot->uid != loop->context.kernel.uid,
        .grows = split,
        .options =
            {
                .rate = slot->rate,
                .idle_ms = slot->idle_ms,
                .deadline_ms = slot->deadline_ms,
                .technique = slot->technique,
                .flags = slot->flags,
            },
        .dest = -1,
    };
    int error = -EBADMSG;

    if (slot->fd_count != wanted) goto fail;
    if (slot->command == SFD_WIRE_OPEN_FILE && slot->process == 0) {
        error = -ESRCH; /* it could be sent and cancelled by everybody who is as unknown */
        goto fail;
    }
    if (atomic_load_explicit(&loop->shared->draining, memory_order_relaxed) && !loop->shared->socket_stays) {
        error = -ESHUTDOWN;
        goto fail;
    }
    request.accepted = sfd_status_accept(&loop->context.kernel, &slot->fds[0]);
    if (request.accepted == -EBADMSG) goto fail;
    if (sends) {
        error = sfd_fd_classify(loop->context.kernel.sys, slot->fds[1], &request.dest_info);
        if (error == 0 && split && request.dest_info.kind != SFD_FD_PIPE) error = -EBADMSG;
        if (error < 0) goto fail;
    }
    error = -ESHUTDOWN;
    if (loop->stopping) goto fail; /* since one of these calls */
    struct sfd_transfer *t = sfd_loop_admit(loop, slot->process, slot->uid, descriptors_of(slot), &slot->pidfd, &error);
    if (t == NULL) goto fail;
    request.id = t->id;
    request.status = slot->fds[0];
    request.dest = slot->fds[1];
    request.source = slot->fds[2];
    sfd_loop_enter(loop, t);
    sfd_loop_place(loop, t, sfd_transfer_begin(&loop->context, t, &request));
    sfd_loop_leave(loop, t);
    return;
fail:
    refuse(loop, slot, error);
}

/* Takes `dest`. Only the process that opened a file may send or cancel it; any other command is ignored. */
void sfd_loop_requests_command(struct sfd_loop *loop, uint64_t id, uint64_t process, uint32_t uid, int dest)
{
    struct sfd_transfer *t = sfd_transfer_table_find(&loop->transfers, id);
    /* A sender that is unknown owns nothing. */
    const bool own = t != NULL && process != 0 && t->loop.account->process == process && t->loop.account->uid == uid;

    if (own && dest == NO_DEST) {
        sfd_loop_act(loop, t, SFD_DUE_CANCEL);
    } else if (own && (t->loop.due & SFD_DUE_SEND) == 0) {
        t->loop.send_dest = dest;
        sfd_loop_act(loop, t, SFD_DUE_SEND);
    } else if (dest >= 0) {
        drop(loop, &dest, 1, process, uid);
    }
}

void sfd_loop_requests_order(struct sfd_loop *loop, uint64_t id)
{
    struct sfd_transfer *t;
    uint32_t position = 0;

    while ((t = sfd_transfer_table_next(&loop->transfers, &position)) != NULL) {
        if (sfd_observe_id(&loop->context, t) != id) continue;
        t->loop.ordered = true;
        sfd_loop_act(loop, t, SFD_DUE_CANCEL);
        return;
    }
}

/* NULL when there is no memory and the whole reserve is in use. */
static struct sfd_command *new_command(struct sfd_shared *shared)
{
    struct sfd_command *command = malloc(sizeof(*command));

    if (command != NULL) {
        command->reserved = false;
        return command;
    }
    for (size_t i = 0; i < SFD_COMMANDS_RESERVED; i++) {
        command = &shared->commands[i];
        if (!atomic_exchange(&command->taken, true)) {
            command->reserved = true;
            return command;
        }
    }
    return NULL;
}

void sfd_loop_requests_free(struct sfd_command *command)
{
    if (command->reserved)
        atomic_store(&command->taken, false);
    else
        free(command);
}

int sfd_loop_order_end(struct sfd_shared *shared, uint64_t id)
{
    const uint32_t loop = sfd_observe_loop_of(id);

    if (loop >= shared->settings.loops) return -ESRCH;
    struct sfd_command *command = new_command(shared);
    if (command == NULL) return -ENOMEM;
    command->task = (struct sfd_task){.kind = SFD_TASK_ORDER};
    command->id = id;
    command->dest = NO_DEST;
    if (sfd_mailbox_push(&shared->loops[loop]->mailbox, &command->task)) return 0;
    sfd_loop_requests_free(command);
    return -ESRCH; /* that loop has ended, and with it the transfer */
}

/* Send Open File, Cancel: passes the command to the loop that has the transfer. */
static void forward(struct sfd_loop *loop, struct sfd_slot *slot)
{
    const bool crowded = slot->fault == SFD_SLOT_CROWDED;
    const bool lost = crowded && slot->fd_count == 0;
    const int wanted = slot->command == SFD_WIRE_SEND_OPEN_FILE && !lost ? 1 : 0;
    const uint32_t index = sfd_transfer_table_loop_of(slot->id);
    const int dest = lost ? -EMFILE : slot->fds[0];

    if (slot->fd_count != wanted || (crowded && !lost) || slot->id >= SFD_ID_MAX ||
        index >= loop->shared->settings.loops) {
        /* There is no status channel to answer on: the descriptor is a destination. */
        observe_refused(loop, slot, -EBADMSG);
        sfd_loop_requests_drop(loop, slot);
        return;
    }
    sfd_observe_command(&loop->context, (uint8_t)slot->command);
    if (index == loop->index) {
        sfd_loop_requests_command(loop, slot->id, slot->process, slot->uid, dest);
        return;
    }
    struct sfd_command *command = new_command(loop->shared);
    if (command == NULL) {
        sfd_loop_requests_drop(loop, slot);
        return;
    }
    command->task = (struct sfd_task){.kind = SFD_TASK_COMMAND};
    command->id = slot->id;
    command->process = slot->process;
    command->uid = slot->uid;
    command->dest = dest;
    if (sfd_mailbox_push(&loop->shared->loops[index]->mailbox, &command->task)) return;
    sfd_loop_requests_free(command); /* that loop has ended, and with it the transfer */
    sfd_loop_requests_drop(loop, slot);
}

/* Does what the verdict on one request says. */
static void obey(struct sfd_loop *loop, struct sfd_slot *slot)
{
    const bool path_sound = slot->root >= 0 && slot->root < SFD_ROOTS_MAX && loop->shared->roots[slot->root] != NULL &&
                            slot->path >= 0 && slot->path_length >= 0 &&
                            slot->path < SFD_SLOT_BYTES - slot->path_length;

    if (slot->fault == SFD_SLOT_CROWDED) sfd_counters_add(loop->context.counters, SFD_COUNTER_CROWDED, 1);
    if (slot->verdict != 0) {
        refuse(loop, slot, -slot->verdict);
    } else if (loop->stopping) {
        refuse(loop, slot, -ESHUTDOWN);
    } else {
        switch (slot->command) {
        case SFD_WIRE_OPEN_FILE:
        case SFD_WIRE_READ_FILE:
        case SFD_WIRE_SEND_FILE:
            if (path_sound && slot->bytes[slot->path + slot->path_length] == '\0')
                begin(loop, slot);
            else
                refuse(loop, slot, -EBADMSG);
            break;
        case SFD_WIRE_SEND_DESCRIPTOR:
            begin(loop, slot);
            break;
        case SFD_WIRE_SEND_OPEN_FILE:
        case SFD_WIRE_CANCEL:
            forward(loop, slot);
            break;
        default:
            refuse(loop, slot, -EBADMSG);
        }
    }
}

/* ------------------------------------------------------------------ requests that wait */

/* More requests of one client than this do not wait: they get no answer, which their client has made impossible. */
#define HELD_REQUESTS_MAX 64

/* A request of a client that holds all the threads that it may hold. */
struct sfd_held_request {
    struct sfd_held_request *next;
    struct sfd_client_account *account; /* a reference of its own */
    struct sfd_slot slot;               /* not all of its `bytes` */
};

static void append(struct sfd_loop *loop, struct sfd_held_request *request)
{
    request->next = NULL;
    if (loop->request_last == NULL)
        loop->request_first = request;
    else
        loop->request_last->next = request;
    loop->request_last = request;
    loop->requests_held++;
}

static struct sfd_held_request *take_first(struct sfd_loop *loop)
{
    struct sfd_held_request *request = loop->request_first;

    if (request == NULL) return NULL;
    loop->request_first = request->next;
    if (request->next == NULL) loop->request_last = NULL;
    loop->requests_held--;
    return request;
}

/* Copies the request, to be served when its client may hold a thread. False without memory, and beyond the limit. */
static bool hold(struct sfd_loop *loop, struct sfd_slot *slot, struct sfd_client_account *account)
{
    const size_t size = sfd_slot_size(slot);
    struct sfd_held_request *request = NULL;

    if (!sfd_client_account_hold_request(account, HELD_REQUESTS_MAX)) return false;
    request = malloc(offsetof(struct sfd_held_request, slot) + size);
    if (request == NULL) {
        sfd_client_account_release_request(account);
        return false;
    }
    memcpy(&request->slot, slot, size);
    request->account = sfd_client_account_share(account);
    append(loop, request);
    atomic_fetch_add(&loop->waiting, 1);
    if (sfd_carrier_may_be_held(loop->shared, account)) loop->look_again = true; /* since a moment ago */
    return true;
}

/* Closes what cannot wait, in the disk pool: here even a close could be held. */
static void drop_unanswered(struct sfd_loop *loop, struct sfd_slot *slot, struct sfd_client_account *account)
{
    sfd_fd_close(loop->shared->kernel.sys, &slot->pidfd);
    observe_refused(loop, slot, -EBUSY);
    for (int i = 0; i < SFD_SLOT_FDS; i++)
        sfd_closer_take(&loop->context.closer, &slot->fds[i], SFD_FD_OTHER, account);
}

static void serve(struct sfd_loop *loop, struct sfd_slot *slot, const struct sfd_client_account *account)
{
    struct sfd_carrier *carrier = loop->carrier;

    carrier->slot = slot;
    carrier->suspect = sfd_client_account_is_suspect(account);
    obey(loop, slot);
    sfd_fd_close(loop->shared->kernel.sys, &slot->pidfd); /* unless its client has kept it */
    carrier->slot = NULL;
    carrier->suspect = false;
}

void sfd_loop_requests_serve(struct sfd_loop *loop, struct sfd_slot *slot)
{
    struct sfd_client_account *account = NULL;

    if (slot->job != 0) { /* no call is made for it */
        sfd_loop_sessions_decide(loop, slot, slot->verdict);
        return;
    }
    if (!atomic_load_explicit(&loop->shared->accounts.suspicious, memory_order_relaxed) || loop->stopping) {
        serve(loop, slot, NULL);
        return;
    }
    account = sfd_client_accounts_get(&loop->shared->accounts, slot->process, slot->uid);
    /* Behind those of its client that wait: a Cancel must not overtake. */
    const bool first = account == NULL || atomic_load(&account->held_requests) == 0;
    if (first && (account == NULL || sfd_carrier_may_be_held(loop->shared, account)))
        serve(loop, slot, account);
    else if (!hold(loop, slot, account))
        drop_unanswered(loop, slot, account);
    sfd_client_account_put(account);
}

static void free_request(struct sfd_held_request *request)
{
    sfd_client_account_release_request(request->account);
    sfd_client_account_put(request->account);
    free(request);
}

void sfd_loop_requests_look(struct sfd_loop *loop)
{
    while (loop->requests_to_look_at > 0) {
        struct sfd_held_request *request = take_first(loop);
        loop->requests_to_look_at--;
        if (request == NULL) continue; /* it came to the end of its loop meanwhile */
        if (!loop->stopping && !sfd_carrier_may_be_held(loop->shared, request->account)) {
            append(loop, request);
            continue;
        }
        atomic_fetch_sub(&loop->waiting, 1);
        serve(loop, &request->slot, request->account);
        free_request(request);
    }
}

void sfd_loop_requests_close_surplus(struct sfd_loop *loop)
{
    struct sfd_closer *closer = &loop->context.closer;
    struct sfd_client_account *account = NULL;
    int fd = -1;

    while (sfd_closer_take_aside(closer, &fd, &account)) {
        loop->carrier->account_now = account;
        if (sfd_client_account_is_suspect(account))
            sfd_closer_take(closer, &fd, SFD_FD_OTHER, account); /* in the disk pool, whatever it is */
        else
            sfd_closer_take_unknown(closer, &fd, account);
        loop->carrier->account_now = NULL;
        loop->carrier->suspect = false;
        sfd_client_account_put(account);
    }
}

void sfd_loop_requests_forget(struct sfd_loop *loop)
{
    struct sfd_held_request *request;

    while ((request = take_first(loop)) != NULL) {
        sfd_loop_requests_drop(loop, &request->slot);
        free_request(request);
    }
}
