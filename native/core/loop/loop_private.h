/*
 * For the files of a loop only. Calls go down this list:
 *
 *     loop_life.c       its creation and its end
 *     watchdog.c        what is done about a loop that is stuck
 *     carrier.c         the threads that carry it, between which it changes inside any system call
 *     loop.c            the turn
 *     loop_requests.c   what a request asks for
 *     loop_local.c      the same of requests of this process
 *     loop_session.c    its sessions, and whose turn it is
 *     loop_session_accept.c     connections as they come
 *     loop_session_messages.c   what comes over them
 *     loop_session_move.c       when a session goes to another loop
 *     loop_session_handles.c    what is registered over them
 *     loop_session_requests.c   what their requests ask for, out of their rings
 *     loop_session_at_once.c    what of that is served at once
 *     loop_session_transfers.c  what becomes a transfer
 *     loop_session_jobs.c       what goes on, and what of it is decided
 *     loop_admission.c  within which limits a transfer begins
 *     loop_act.c        what is done with a transfer
 *     loop_receiving.c  which loop receives
 *     loop_exits.c      what becomes of clients whose process ends
 *     loop_place.c      where a transfer waits
 *     loop_offload.c    what goes to the disk pool
 */
#ifndef SFD_LOOP_LOOP_PRIVATE_H
#define SFD_LOOP_LOOP_PRIVATE_H

#include "loop/carrier.h"
#include "loop/clients.h"
#include "loop/local_request.h"
#include "loop/loop.h"
#include "loop/ready_queue.h"
#include "loop/session.h"
#include "loop/transfer_table.h"

/*
 * epoll data: a transfer id, with the bit SFD_EVENT_STATUS for its status channel; a pidfd of a client, counted from
 * SFD_EVENT_PIDFD to below SFD_EVENT_SESSION; the connection of a session, twice its index from there on, or its
 * eventfd, one behind that; or one of the others.
 */
#define SFD_EVENT_STATUS   SFD_ID_MAX
#define SFD_EVENT_REQUESTS UINT64_MAX
#define SFD_EVENT_MAILBOX  0
#define SFD_EVENT_PIDFD    1
#define SFD_EVENT_SESSION  (SFD_ID_MIN / 2)
#define SFD_EVENT_LISTENER (SFD_ID_MIN - 1)

enum sfd_task_kind {
    SFD_TASK_TRANSFER,
    SFD_TASK_CLOSE,        /* descriptors whose close can block; not handed back */
    SFD_TASK_COMMAND,      /* Send Open File or Cancel that another loop received */
    SFD_TASK_ORDER,        /* the administrator ends a transfer */
    SFD_TASK_RECEIVE,      /* this loop may be the receiving one now */
    SFD_TASK_LOOK,         /* a client of this loop may have room for another disk task, or may hold a thread again */
    SFD_TASK_TAKE,         /* a request waits that is for a transfer of this process: succession.h */
    SFD_TASK_SESSION,      /* a session that another loop has accepted */
    SFD_TASK_LOCAL,        /* a request of this process */
    SFD_TASK_LOCAL_SEND,   /* its opened file is to be sent */
    SFD_TASK_LOCAL_CANCEL, /* it is to be cancelled */
};

/* What is due for a transfer: bits of loop.due, in the order in which they are obeyed. */
enum sfd_due {
    SFD_DUE_BACK = 1 << 0,   /* the disk pool has handed it back */
    SFD_DUE_SEND = 1 << 1,   /* Send Open File, loop.send_dest */
    SFD_DUE_CANCEL = 1 << 2, /* Cancel, or its client is gone */
    SFD_DUE_STOP = 1 << 3,   /* the loop stops */
    SFD_DUE_EVENT = 1 << 4,  /* a descriptor that it waits for is ready */
    SFD_DUE_TIMER = 1 << 5,
    SFD_DUE_RUN = 1 << 6,   /* it was ready, and it is its turn */
    SFD_DUE_DRAIN = 1 << 7, /* nothing new begins any more */
};

/* How much a loop works, in nanoseconds since its beginning: loop_session_move.c. */
struct sfd_work {
    uint64_t loop_ns;     /* all of its turns */
    uint64_t sessions_ns; /* what it has served sessions of that */
    uint64_t moved_ns;    /* when a session has left it last */
    uint64_t period_begin_ns;
    uint64_t period_loop_ns;     /* loop_ns at that time */
    _Atomic(uint64_t) published; /* for the other loops */
};

/* The result of a turn whose carrier has given the loop back to another one. */
#define SFD_TURN_YIELDED 1

#define SFD_EVENTS_MAX 64

/* A loop's own timers, for which room is reserved. */
#define SFD_LOOP_TIMERS 7

struct sfd_loop {
    struct sfd_shared *shared;
    uint32_t index;
    int epoll;
    int spare; /* sfd_pipe_keep_spare */
    struct sfd_context context;
    struct sfd_transfer_table transfers;
    struct sfd_clients clients;
    struct sfd_ready_queue ready_queue;
    struct sfd_mailbox mailbox;
    struct sfd_turn *turn;          /* of the carrier */
    struct sfd_task *offload_first; /* for the dispatcher, when the turn buffer is full */
    struct sfd_task *offload_last;
    uint32_t offloaded; /* transfers that are offloaded */
    bool receiving;     /* the request socket is in its epoll, as far as it knows */
    bool stopping;
    uint32_t stop_position; /* in the table: the transfers before it have been told to stop */
    uint32_t exit_position; /* the same, of those whose client is gone */
    bool draining;          /* the transfers are told that nothing new begins */
    bool drained;           /* counted in loops_drained */
    uint32_t drain_position;
    int last_batches; /* of waiting requests, still to be received and refused */
    bool paused;      /* counted in succession.loops_paused */
    bool takes;       /* SFD_TASK_TAKE is due */
    uint32_t taken;   /* requests of the turn that came by it */
    atomic_bool stop;

    /* What a turn has not done yet: a carrier may lose the loop in the middle of it. */
    struct epoll_event events[SFD_EVENTS_MAX];
    int next_event;
    int event_count;
    uint32_t waits;           /* batches of events so far */
    bool requests_wait;       /* the request socket was among the events */
    struct sfd_task *mail;    /* taken from the mailbox */
    bool wait_skipped;        /* by the last turn, because it had messages */
    struct sfd_carrier *left; /* carriers that have lost the loop, with what they have not served */
    uint32_t away;            /* carriers that have lost it, and are not back */

    /* Under the lock of the carriers. */
    struct sfd_carrier *carrier; /* that has the loop; NULL: it has ended */
    struct sfd_carrier *returning_first;
    struct sfd_carrier *returning_last;
    atomic_uint returning; /* carriers that want it back */

    /* loop_act.c, loop_requests.c: what waits until its client may hold a thread */
    bool look_again;                  /* something that waits may go now */
    struct sfd_transfer *chosen_last; /* of a ring: these may go on */
    struct sfd_held_request *request_first;
    struct sfd_held_request *request_last;
    uint32_t requests_held;
    uint32_t requests_to_look_at; /* of those, whether they may be served now */

    /* loop_local.c: of rings of owners, clients with requests that have not begun */
    struct sfd_client *owners_last;
    struct sfd_client *owners_held_last; /* these wait until they may hold a thread */
    struct sfd_outbox outbox;

    struct sfd_sessions sessions;
    struct sfd_work work;

    /* for the other loops and the watchdog to read */
    _Atomic(uint64_t) load;    /* ready transfers lately: loop_receiving.c */
    atomic_uint beats;         /* turns begun */
    atomic_int tid;            /* of the thread that works on a turn; 0 while it waits */
    atomic_bool stuck;         /* set by the watchdog: in one call for too long */
    atomic_uint session_count; /* with those on their way to it */

    struct sfd_settings settings; /* of the last reload, for context.settings; before it those of the start are there */
    uint32_t settings_version;    /* of sfd_shared.reload */

    uint64_t awaited_ms; /* by when its timers wanted the next turn */

    struct sfd_timer receive_again;  /* when it tries to receive again */
    struct sfd_timer close_again;    /* when it tries again to allocate tasks that close */
    struct sfd_timer rest_over;      /* of request sockets that rest: intake.h */
    struct sfd_timer look_for_exits; /* when it looks which clients it has for long: loop_exits.c */

    /* loop_receiving.c */
    struct sfd_task receive; /* SFD_TASK_RECEIVE; in the mailbox at most once */
    atomic_bool receive_queued;
    bool receive_fails; /* at every try since receive_fails_ms */
    uint64_t receive_fails_ms;

    /* loop_offload.c */
    struct sfd_task look; /* SFD_TASK_LOOK; in the mailbox at most once */
    atomic_bool look_queued;
    atomic_uint waiting; /* offloaded transfers that are not in the disk pool yet, and all that waits for a thread */

    /* What the disk pool works with: its calls may wait, so they are not guarded. */
    struct sfd_context pool_context;

    /* watchdog.c: what it saw last, and since when */
    uint32_t watchdog_beats;
    uint64_t watchdog_ms;
    const struct sfd_carrier *watched; /* in the call that `watched_word` stands for */
    uint64_t watched_word;
    uint64_t watched_ns;
    uint32_t probed_beats; /* of sfd_watchdog_probe: as it found them last */
};

/*
 * A turn is late this long after its timers were due: more than a loaded machine lets a thread wait for its processor.
 * The process was stopped then (SIGSTOP, a frozen cgroup, a virtual machine that was paused).
 */
#define SFD_LOOP_LATE_MS 100

/* After this long a loop tries again what failed for lack of memory. */
#define SFD_LOOP_SHORTAGE_MS 10

/* A client that has transfers in a loop for longer than this is waited for. */
#define SFD_LOOP_EXITS_MS 1000

/* Defers work of the loop itself, for lack of memory or the like: arms the loop's timer for it. */
static inline void sfd_loop_defer(struct sfd_loop *loop, struct sfd_timer *timer)
{
    sfd_counters_add(loop->context.counters, SFD_COUNTER_SHORTAGES, 1);
    sfd_timer_arm(&loop->context.timers, timer, loop->context.now_ms + SFD_LOOP_SHORTAGE_MS);
}

/* Calls for a client: they go through the guard. */
static inline const struct sfd_sys *sfd_loop_sys(const struct sfd_loop *loop)
{
    return loop->context.kernel.sys;
}

/* ---- loop.c ---- */

/* One turn, on the loop's carrier: as sfd_carrier_poll, or SFD_TURN_YIELDED. */
int sfd_loop_run_turn(struct sfd_loop *loop);

/* ---- loop_act.c ---- */

/* Does what is due for a transfer, which may be gone afterwards; or notes it, if that cannot be done now. */
void sfd_loop_act(struct sfd_loop *loop, struct sfd_transfer *transfer, uint8_t due);

/* The carrier works on the transfer from here on, and does what is due before it leaves it. */
void sfd_loop_enter(struct sfd_loop *loop, struct sfd_transfer *transfer);
void sfd_loop_leave(struct sfd_loop *loop, struct sfd_transfer *transfer);

/* Once a turn: what waits for a thread goes on, as far as it may. */
void sfd_loop_act_look(struct sfd_loop *loop);

/* A thread is not held any more: what waits for one, here or in other loops, may go on. */
void sfd_loop_act_tell(struct sfd_loop *loop);

/* ---- loop_place.c ---- */

/* epoll_ctl: adds `fd`, or modifies it if it is registered already. 0 or -errno. */
int sfd_loop_watch(struct sfd_loop *loop, int fd, struct epoll_event event, bool registered);

/* Puts a transfer where `next` says that it has to wait, or forgets it. */
void sfd_loop_place(struct sfd_loop *loop, struct sfd_transfer *transfer, enum sfd_next next);

/* Closes the destination of a Send Open File that is due, and will not be obeyed. */
void sfd_loop_drop_dest(struct sfd_loop *loop, struct sfd_transfer *transfer);

/* Forgets a transfer that has ended. */
void sfd_loop_forget(struct sfd_loop *loop, struct sfd_transfer *transfer);

/*
 * Cancels a transfer now, or when it runs if it is in the ready queue. What the disk pool has is closed when it comes
 * back.
 */
void sfd_loop_cancel(struct sfd_loop *loop, struct sfd_transfer *transfer);

/* Ends it with an error message if there is room for one now; a transfer that the disk pool has stays until it comes
 * back. */
void sfd_loop_abort(struct sfd_loop *loop, struct sfd_transfer *transfer, int error);

/* ---- loop_requests.c ---- */

/* Does what the verdict on one request says, or lets it wait, if its client holds too many threads. Takes the slot's
 * descriptors. */
void sfd_loop_requests_serve(struct sfd_loop *loop, struct sfd_slot *slot);

/* Serves requests that wait, as far as they may go on. */
void sfd_loop_requests_look(struct sfd_loop *loop);

/* Drops the requests that wait; the loop ends. */
void sfd_loop_requests_forget(struct sfd_loop *loop);

/* Closes the descriptors that came with datagrams and are no request's. */
void sfd_loop_requests_close_surplus(struct sfd_loop *loop);

/* Closes a slot's descriptors without an answer. */
void sfd_loop_requests_drop(struct sfd_loop *loop, struct sfd_slot *slot);

/* Frees a command, or returns it to the reserve. */
void sfd_loop_requests_free(struct sfd_command *message);

/* Obeys a command, perhaps received by another loop. Takes `dest`, which is as in struct sfd_command. */
void sfd_loop_requests_command(struct sfd_loop *loop, uint64_t id, uint64_t process, uint32_t uid, int dest);

/* Ends the transfer of that sfd_observe_id, if there is one, whoever its client is. */
void sfd_loop_requests_order(struct sfd_loop *loop, uint64_t id);

/* ---- loop_local.c ---- */

/* A request of this process has come, or a command for one: SFD_TASK_LOCAL; SFD_TASK_LOCAL_SEND, SFD_TASK_LOCAL_CANCEL.
 */
void sfd_loop_local_take(struct sfd_loop *loop, struct sfd_task *task);
void sfd_loop_local_command(struct sfd_loop *loop, struct sfd_task *task);

/* Once a turn, after its mail: requests begin, one of each owner in turn. */
void sfd_loop_local_serve(struct sfd_loop *loop);

/* Owners that wait for a thread may have one now. */
void sfd_loop_local_look(struct sfd_loop *loop);

/* The last part of a turn: writes the messages that are due into its buffer. */
void sfd_loop_local_publish(struct sfd_loop *loop);

/* Drops the requests that wait, and a task of one; the loop ends. */
void sfd_loop_local_forget(struct sfd_loop *loop);
void sfd_loop_local_forget_task(struct sfd_loop *loop, struct sfd_task *task);

/* ---- loop_session*.c: what they do for the others; between themselves: loop_session.h ---- */

/* Once a turn: the loop that accepts connections begins to, or stops. */
void sfd_loop_sessions_listen(struct sfd_loop *loop);

/* Once a turn: sessions are told that they are to end; and the dispatcher is asked anew after a reload. */
void sfd_loop_sessions_tell(struct sfd_loop *loop);

/* An event of a session, or of the listening socket. */
void sfd_loop_sessions_event(struct sfd_loop *loop, uint64_t data);

/* SFD_TASK_SESSION: it is this loop's from here on. */
void sfd_loop_session_take(struct sfd_loop *loop, struct sfd_task *task);

/* Once a turn, after its mail and its transfers: serves those that have something to do. */
void sfd_loop_sessions_serve(struct sfd_loop *loop);

/* A turn has worked for so long. */
void sfd_loop_sessions_note_turn(struct sfd_loop *loop, uint64_t worked_ns, uint64_t now_ns);

/* Sessions that wait for a thread may have one now. */
void sfd_loop_sessions_look(struct sfd_loop *loop);

/* Fills slots for the dispatcher: how many. Makes no system call. */
int sfd_loop_sessions_ask(struct sfd_loop *loop, struct sfd_slot *slots, int most);

/* Its verdict on what a slot asked, 0 or an errno. */
void sfd_loop_sessions_decide(struct sfd_loop *loop, struct sfd_slot *slot, int verdict);

/* The timer look_for_silent is due. */
void sfd_loop_sessions_end_silent(struct sfd_loop *loop);

/* The timer close_unused: closes kept files that nobody has asked for. */
void sfd_loop_sessions_close_unused(struct sfd_loop *loop);

/* The process of a client is gone, and with it its sessions. */
void sfd_loop_sessions_end_of(struct sfd_loop *loop, const struct sfd_client *client);

/* Ends all; the loop ends, and so have their transfers. */
void sfd_loop_sessions_forget(struct sfd_loop *loop);

/* ---- loop_admission.c ---- */

/*
 * A new transfer of a client, in the table, with an id; so many descriptors are promised to it. NULL with *error, a
 * -errno: -EMFILE and -EDQUOT at a limit, or what is short. Takes *pidfd as sfd_loop_exits_give, unless `pidfd` is
 * NULL.
 */
struct sfd_transfer *sfd_loop_admit(struct sfd_loop *loop, uint64_t process, uint32_t uid, uint8_t descriptors,
                                    int *pidfd, int *error);

/* ---- loop_exits.c ---- */

/* Gives a client the pidfd that came with a request of its, unless it has one. Takes *pidfd then. */
void sfd_loop_exits_give(struct sfd_client *client, int *pidfd);

/* A transfer of the client is not over at once: if it has some for long, the end of its process is waited for. */
static inline void sfd_loop_exits_await(struct sfd_loop *loop, const struct sfd_client *client)
{
    if (loop->look_for_exits.position > 0 || client->watch > SFD_WATCH_SEEN) return;
    sfd_timer_arm(&loop->context.timers, &loop->look_for_exits, loop->context.now_ms + SFD_LOOP_EXITS_MS);
}

/* The timer look_for_exits is due. */
void sfd_loop_exits_look(struct sfd_loop *loop);

/* epoll has reported this pidfd. */
void sfd_loop_exits_event(struct sfd_loop *loop, int pidfd);

/* Uncounts a transfer of the client, which may be freed with that. */
void sfd_loop_exits_leave(struct sfd_loop *loop, struct sfd_client *client);

/* ---- loop_offload.c ---- */

/*
 * Offloads a transfer: to the disk pool, or to the queue of its client, while that has all the disk tasks that it may
 * have.
 */
void sfd_loop_offload_add(struct sfd_loop *loop, struct sfd_transfer *transfer);

/* The disk pool has handed a transfer back: another one of its client may follow. */
void sfd_loop_offload_take_back(struct sfd_loop *loop, struct sfd_transfer *transfer);

/* Takes back an offloaded transfer that still waits for a disk task. */
void sfd_loop_offload_withdraw(struct sfd_loop *loop, struct sfd_transfer *transfer);

/* Whether descriptors wait for a task that closes them, and no timer is armed to wait for memory first. */
bool sfd_loop_offload_has_closes(const struct sfd_loop *loop);

/* Obeys SFD_TASK_LOOK. */
void sfd_loop_offload_look(struct sfd_loop *loop);

/* Sends SFD_TASK_LOOK to the other loops in which something waits. */
void sfd_loop_offload_tell(struct sfd_loop *loop);

/* At the end of a turn: writes the tasks for the disk pool, closes included, into the turn buffer. */
void sfd_loop_offload_publish(struct sfd_loop *loop);

/* SFD_TASK_CLOSE. The disk pool. */
void sfd_loop_offload_close(struct sfd_task *task);

/* ---- loop_receiving.c ---- */

/* Makes `loop` check whether it is the receiving loop. Any thread. */
void sfd_loop_receiving_offer(struct sfd_loop *loop);

/* Obeys SFD_TASK_RECEIVE: begins to receive, if this is the receiving loop. */
void sfd_loop_receiving_start(struct sfd_loop *loop);

/*
 * Waiting requests cannot be received now, for `error`: stops watching the request socket until a timer fires, which
 * resumes. What fails at every try for a second is reported (sfd_shared.receive_error), until one works.
 */
void sfd_loop_receiving_pause(struct sfd_loop *loop, int error);
void sfd_loop_receiving_works(struct sfd_loop *loop);
void sfd_loop_receiving_resume(struct sfd_loop *loop);

/* Receives into the turn buffer, from that slot on: as sfd_receive_batch_fill, from the sockets whose turn it is. */
int sfd_loop_receiving_fill(struct sfd_loop *loop, int from);

/* The same of one request, which the successor has left to this process, and is told of. */
int sfd_loop_receiving_take(struct sfd_loop *loop, int from);

/* Once a turn, after its requests: obeys a pause, or the end of one. */
void sfd_loop_receiving_note_pause(struct sfd_loop *loop);

/* A request is refused that is none. */
void sfd_loop_receiving_blame(struct sfd_loop *loop, const struct sfd_slot *slot);

/* Once a turn, and by the timer rest_over: request sockets that rest are watched again when their time is over. */
void sfd_loop_receiving_end_rests(struct sfd_loop *loop);

/* From a drain on, where the socket stays, and while another process receives: no loop does. */
bool sfd_loop_receiving_is_over(const struct sfd_loop *loop);

/* Stops receiving for good. Does not hand over. */
void sfd_loop_receiving_stop(struct sfd_loop *loop);

/*
 * Once a turn, after its requests and before its mail: notes how many transfers are ready, and hands over if another
 * loop is less loaded.
 */
void sfd_loop_receiving_balance(struct sfd_loop *loop);

/* Makes another loop the receiving one, because this one is stuck. The service thread. */
void sfd_loop_receiving_take_away(struct sfd_loop *loop);

#endif
