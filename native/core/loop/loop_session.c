/*
 * Sessions of a loop: which it has, from when they come to it until they end or leave it, and whose turn it is.
 * session.h says what they are.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "loop/loop_session.h"

/* How long a connection may say nothing at first. */
#define HELLO_MS 5000

/* ------------------------------------------------------------------ lists */

static void append(struct sfd_session **last, struct sfd_session *s)
{
    if (*last == NULL) {
        s->next = s;
    } else {
        s->next = (*last)->next;
        (*last)->next = s;
    }
    *last = s;
}

static struct sfd_session *take_first(struct sfd_session **last)
{
    struct sfd_session *s = *last == NULL ? NULL : (*last)->next;

    if (s == NULL) return NULL;
    if (s == *last)
        *last = NULL;
    else
        (*last)->next = s->next;
    return s;
}

void sfd_loop_session_queue(struct sfd_loop *loop, struct sfd_session *s)
{
    if (s->queued) return;
    s->queued = true;
    s->references++;
    append(&loop->sessions.last, s);
    loop->sessions.queued++;
}

static int add_to_table(struct sfd_sessions *sessions, struct sfd_session *s)
{
    uint32_t index = 0;

    while (index < sessions->capacity && sessions->at[index] != NULL)
        index++;
    if (index == sessions->capacity) {
        const uint32_t capacity = index == 0 ? 8 : index * 2;
        struct sfd_session **at = realloc(sessions->at, capacity * sizeof(struct sfd_session *));
        if (at == NULL) return -ENOMEM;
        memset(at + index, 0, (capacity - index) * sizeof(struct sfd_session *));
        sessions->at = at;
        sessions->capacity = capacity;
    }
    s->index = index;
    sessions->at[index] = s;
    sessions->count++;
    return 0;
}

void sfd_loop_session_put(struct sfd_loop *loop, struct sfd_session *s)
{
    if (--s->references > 0) return;
    sfd_handles_deinit(&s->handles);
    sfd_client_account_end_session(s->account);
    sfd_client_account_put(s->account);
    if (s->client != NULL) sfd_loop_exits_leave(loop, s->client);
    atomic_fetch_sub(&loop->shared->sessions, 1);
    free(s);
}

/* ------------------------------------------------------------------ the end */

static void forget_handles(struct sfd_loop *loop, struct sfd_session *s)
{
    struct sfd_handle *thing;
    uint32_t place = 0;

    while ((thing = sfd_handles_next(&s->handles, &place)) != NULL)
        sfd_loop_session_release(loop, s, thing);
}

/* Its last carrier is out of it: nothing reads its memory any more. */
static void clear(struct sfd_loop *loop, struct sfd_session *s)
{
    struct sfd_client_account *account = s->account;

    forget_handles(loop, s);
    if (s->memory != NULL) {
        void *memory = s->memory;
        s->memory = NULL;
        (void)sfd_loop_sys(loop)->munmap(memory, s->bytes);
    }
    sfd_closer_take(&loop->context.closer, &s->eventfd, SFD_FD_OTHER, account);
    sfd_closer_take(&loop->context.closer, &s->memory_fd, SFD_FD_OTHER, account);
    sfd_closer_take(&loop->context.closer, &s->connection, SFD_FD_UNIX_SEQPACKET, account);
    sfd_client_account_release(account, SFD_SESSION_DESCRIPTORS, loop->context.counters);
    sfd_loop_session_put(loop, s); /* the table's */
}

/* Its events are those of no session any more. */
static void remove_from_table(struct sfd_loop *loop, const struct sfd_session *s)
{
    const struct sfd_sys *sys = loop->shared->kernel.sys;

    (void)sys->epoll_ctl(loop->epoll, EPOLL_CTL_DEL, s->connection, NULL);
    if (s->eventfd >= 0) (void)sys->epoll_ctl(loop->epoll, EPOLL_CTL_DEL, s->eventfd, NULL);
    loop->sessions.at[s->index] = NULL;
    loop->sessions.count--;
    atomic_fetch_sub(&loop->session_count, 1);
}

void sfd_loop_session_end(struct sfd_loop *loop, struct sfd_session *s)
{
    if (s->stage == SFD_SESSION_STAGE_OVER) return;
    s->stage = SFD_SESSION_STAGE_OVER;
    remove_from_table(loop, s);
    sfd_loop_session_cancel_all(s);
    if (s->busy)
        s->again = true; /* who works on it clears it */
    else
        sfd_loop_session_queue(loop, s); /* not here: the caller may be walking the table */
}

/* ------------------------------------------------------------------ between loops */

int sfd_loop_session_watch(struct sfd_loop *loop, const struct sfd_session *s, bool eventfd)
{
    const struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET,
                                      .data.u64 = SFD_EVENT_SESSION + 2 * s->index + eventfd};

    return sfd_loop_watch(loop, eventfd ? s->eventfd : s->connection, event, false);
}

void sfd_loop_session_give(struct sfd_loop *loop, struct sfd_session *s, struct sfd_loop *to)
{
    s->task.loop = to;
    atomic_fetch_add(&to->session_count, 1);
    if (to == loop || !sfd_mailbox_push(&to->mailbox, &s->task)) sfd_loop_session_take(loop, &s->task);
}

void sfd_loop_session_leave(struct sfd_loop *loop, struct sfd_session *s)
{
    remove_from_table(loop, s);
    s->references--; /* the table's is that of the next one */
    s->settings_version = loop->sessions.settings_version;
    sfd_loop_exits_leave(loop, s->client);
    s->client = NULL;
}

/* There is no memory for it here. */
static void drop(struct sfd_loop *loop, struct sfd_session *s)
{
    if (s->stage == SFD_SESSION_STAGE_NEW) sfd_loop_session_welcome(sfd_loop_sys(loop), s->connection, -ENOMEM);
    s->stage = SFD_SESSION_STAGE_OVER;
    atomic_fetch_sub(&loop->session_count, 1);
    clear(loop, s);
}

void sfd_loop_session_take(struct sfd_loop *loop, struct sfd_task *task)
{
    struct sfd_session *s = (struct sfd_session *)task;

    if (s->task.loop != loop) { /* that loop has ended */
        atomic_fetch_sub(&s->task.loop->session_count, 1);
        atomic_fetch_add(&loop->session_count, 1);
        s->task.loop = loop;
    }
    s->client = sfd_clients_enter(&loop->clients, s->process, s->uid);
    if (s->client != NULL && s->pidfd >= 0) sfd_loop_exits_give(s->client, &s->pidfd);
    sfd_fd_close(loop->shared->kernel.sys, &s->pidfd); /* waits for nobody */
    if (s->client == NULL || add_to_table(&loop->sessions, s) < 0) {
        drop(loop, s);
        return;
    }
    s->born = loop->waits;
    if (s->stage == SFD_SESSION_STAGE_NEW) {
        s->silent_ms = sfd_loop_sys(loop)->now_ms() + HELLO_MS; /* the turn's time is that before its wait */
        if (loop->sessions.look_for_silent.position == 0)
            sfd_timer_arm(&loop->context.timers, &loop->sessions.look_for_silent, s->silent_ms);
    }
    int result = sfd_loop_session_watch(loop, s, false);
    if (result == 0 && s->eventfd >= 0) result = sfd_loop_session_watch(loop, s, true);
    if (result == 0 && s->stage == SFD_SESSION_STAGE_OPEN && s->settings_version != loop->sessions.settings_version)
        result = sfd_loop_session_ask_hello(loop, s); /* ask_again() has asked for those that were here */
    if (result < 0) {
        s->references++; /* the call that tells it may be held */
        sfd_loop_session_refuse(loop, s, result);
        sfd_loop_session_put(loop, s);
        return;
    }
    sfd_loop_exits_await(loop, s->client); /* the connection may outlive its process, in another one */
    s->readable = true;                    /* what came before it was watched */
    sfd_loop_session_queue(loop, s);
}

/* ------------------------------------------------------------------ what all are told, and what comes of one */

/* Other settings hold: the dispatcher is asked anew whom it serves. */
static void ask_again(struct sfd_loop *loop)
{
    loop->sessions.settings_version = loop->settings_version;
    for (uint32_t i = 0; i < loop->sessions.capacity; i++) {
        struct sfd_session *s = loop->sessions.at[i];
        if (s != NULL && s->stage == SFD_SESSION_STAGE_OPEN && sfd_loop_session_ask_hello(loop, s) < 0)
            sfd_loop_session_end(loop, s);
    }
}

void sfd_loop_sessions_tell(struct sfd_loop *loop)
{
    if (loop->sessions.settings_version != loop->settings_version) ask_again(loop);
    if (loop->sessions.told || !sfd_loop_sessions_end(loop)) return;
    loop->sessions.told = true;
    for (uint32_t i = 0; i < loop->sessions.capacity; i++)
        if (loop->sessions.at[i] != NULL) sfd_loop_session_queue(loop, loop->sessions.at[i]);
}

void sfd_loop_sessions_end_silent(struct sfd_loop *loop)
{
    uint64_t next_ms = UINT64_MAX;

    for (uint32_t i = 0; i < loop->sessions.capacity; i++) {
        struct sfd_session *s = loop->sessions.at[i];
        if (s == NULL || s->stage != SFD_SESSION_STAGE_NEW) continue;
        if (s->silent_ms <= loop->context.now_ms)
            sfd_loop_session_end(loop, s);
        else if (s->silent_ms < next_ms)
            next_ms = s->silent_ms;
    }
    if (next_ms != UINT64_MAX) sfd_timer_arm(&loop->context.timers, &loop->sessions.look_for_silent, next_ms);
}

void sfd_loop_sessions_end_of(struct sfd_loop *loop, const struct sfd_client *client)
{
    for (uint32_t i = 0; i < loop->sessions.capacity; i++)
        if (loop->sessions.at[i] != NULL && loop->sessions.at[i]->client == client)
            sfd_loop_session_end(loop, loop->sessions.at[i]);
}

void sfd_loop_sessions_event(struct sfd_loop *loop, uint64_t data)
{
    if (data == SFD_EVENT_LISTENER) {
        sfd_loop_sessions_accept(loop);
        return;
    }
    const uint64_t index = (data - SFD_EVENT_SESSION) / 2;
    struct sfd_session *s = index < loop->sessions.capacity ? loop->sessions.at[index] : NULL;
    if (s == NULL || s->born == loop->waits)
        return; /* of one that has ended since: the events of this batch are older */
    if ((data & 1) == (SFD_EVENT_SESSION & 1)) s->readable = true;
    sfd_loop_session_queue(loop, s);
}

/* ------------------------------------------------------------------ a turn */

/* Works on it as long as the carrier has it. */
static void serve(struct sfd_loop *loop, struct sfd_session *s)
{
    struct sfd_carrier *carrier = loop->carrier;

    s->busy = true;
    s->turns++;
    carrier->account_now = s->account;
    carrier->suspect = sfd_client_account_is_suspect(s->account);
    do {
        s->again = false;
        if (s->readable && s->stage != SFD_SESSION_STAGE_OVER) sfd_loop_session_receive(loop, s);
        if (sfd_loop_session_run(loop, s)) sfd_loop_session_queue(loop, s);
    } while (s->again); /* it ended, or something came, while a call was held */
    if (s->stage == SFD_SESSION_STAGE_OVER && s->connection >= 0) clear(loop, s);
    if (s->again) sfd_loop_session_queue(loop, s);
    s->busy = false;
    carrier->account_now = NULL;
    carrier->suspect = false;
}

void sfd_loop_sessions_look(struct sfd_loop *loop)
{
    struct sfd_session *s;

    while ((s = take_first(&loop->sessions.held_last)) != NULL) {
        atomic_fetch_sub(&loop->waiting, 1);
        append(&loop->sessions.last, s);
        loop->sessions.queued++;
    }
}

void sfd_loop_sessions_serve(struct sfd_loop *loop)
{
    const uint64_t before = loop->context.counters->at[SFD_COUNTER_BYTES];
    const bool may_move = loop->shared->settings.loops > 1;

    sfd_loop_session_take_ends(loop);
    uint64_t since_ns = may_move && loop->sessions.queued > 0 ? sfd_loop_sys(loop)->now_ns() : 0;
    for (uint32_t n = loop->sessions.queued; n > 0; n--) { /* each once */
        if (loop->context.counters->at[SFD_COUNTER_BYTES] - before >= SFD_SESSION_TURN_BYTES)
            return; /* the others come first then */
        struct sfd_session *s = take_first(&loop->sessions.last);
        if (s == NULL) return; /* another carrier has had them */
        loop->sessions.queued--;
        if (!loop->stopping && !sfd_carrier_may_be_held(loop->shared, s->account)) {
            append(&loop->sessions.held_last, s);
            atomic_fetch_add(&loop->waiting, 1);
            if (sfd_carrier_may_be_held(loop->shared, s->account)) loop->look_again = true; /* since then */
            continue;
        }
        s->queued = false;
        if (s->busy) {
            s->again = true;
        } else {
            serve(loop, s);
            if (may_move && sfd_loop_session_served(loop, s, &since_ns)) continue;
        }
        sfd_loop_session_put(loop, s); /* the ring's */
    }
}

void sfd_loop_sessions_forget(struct sfd_loop *loop)
{
    struct sfd_session *s;
    struct sfd_slot slot;

    for (uint32_t i = 0; i < loop->sessions.capacity; i++)
        if (loop->sessions.at[i] != NULL) sfd_loop_session_end(loop, loop->sessions.at[i]);
    sfd_loop_session_take_ends(loop);
    while (sfd_loop_sessions_ask(loop, &slot, 1) > 0)
        sfd_loop_sessions_decide(loop, &slot, ESHUTDOWN);
    sfd_loop_sessions_look(loop);
    while ((s = take_first(&loop->sessions.last)) != NULL) {
        s->queued = false;
        (void)sfd_loop_session_run(loop, s);
        if (s->connection >= 0) clear(loop, s);
        sfd_loop_session_put(loop, s);
    }
    free(loop->sessions.at);
    loop->sessions.at = NULL;
}
