/*
 * Inside of a loop, for the files that make it up: loop.c (the turn), loop_life.c (its creation and its end),
 * loop_requests.c (what a request asks for), loop_offload.c (what goes to the disk pool), loop_receiving.c (which loop
 * receives) and watchdog.c (what happens to one that is stuck).
 */
#ifndef SFD_LOOP_LOOP_PRIVATE_H
#define SFD_LOOP_LOOP_PRIVATE_H

#include "loop/loop.h"
#include "loop/transfer_table.h"

/* epoll data: a transfer id, with the first bit when the descriptor is the status channel; or one of the others. */
#define SFD_EVENT_STATUS   SFD_ID_MAX
#define SFD_EVENT_REQUESTS UINT64_MAX
#define SFD_EVENT_MAILBOX  0

enum sfd_task_kind {
    SFD_TASK_TRANSFER,
    SFD_TASK_CLOSE,   /* descriptors whose close can block; nobody gets it back */
    SFD_TASK_MESSAGE, /* Send Open File or Cancel that another loop received */
    SFD_TASK_RECEIVE, /* it may be this loop's turn to receive */
    SFD_TASK_LOOK,    /* a client of this loop may have room for another disk task */
};

/* A loop's own timers, which always have room. */
#define SFD_LOOP_TIMERS 2

struct sfd_loop {
    struct sfd_shared *shared;
    uint32_t index;
    int epoll;
    int spare; /* sfd_machine_keep_spare */
    struct sfd_context context;
    struct sfd_table table;
    struct sfd_turns turns;
    struct sfd_mailbox mailbox;
    struct sfd_receiver receiver;
    struct sfd_turn *turn;
    struct sfd_task *lend_first; /* for the dispatcher, when the turn buffer is full */
    struct sfd_task *lend_last;
    uint32_t lent;  /* transfers that the disk pool has */
    int own_tid;    /* of the loop's thread */
    bool receiving; /* the request socket is in its epoll, as far as it knows */
    bool stopping;
    int last_batches; /* of requests that wait in the socket, still to be refused */
    atomic_bool stop;

    /* for the other loops and the watch to read */
    atomic_uint load;  /* transfers in the table */
    atomic_uint beats; /* turns begun */
    atomic_int tid;    /* of the thread that works on a turn; 0 while it waits */
    atomic_bool stuck; /* in one call for too long, says the watch */

    struct sfd_timer receive_again; /* until then it looks away from the request socket */
    struct sfd_timer close_again;   /* until then there is no memory for the tasks that close */

    /* loop_receiving.c */
    struct sfd_task receive; /* SFD_TASK_RECEIVE; in the mailbox at most once */
    atomic_bool receive_queued;

    /* loop_offload.c */
    struct sfd_task look; /* SFD_TASK_LOOK; in the mailbox at most once */
    atomic_bool look_queued;
    atomic_uint waiting; /* lent transfers that are not in the disk pool yet */

    /* watchdog.c: what it saw, and since when */
    uint32_t watched_beats;
    uint64_t watched_ms;
};

/* ---- loop.c ---- */

/* epoll_ctl: adds, or modifies what is `registered` or turns out to be. 0 or -errno. */
int sfd_loop_watch(struct sfd_loop *loop, int fd, struct epoll_event event, bool registered);

/* Something of the loop's own has to wait, for want of memory or the like: arms that timer of its own. */
void sfd_loop_defer(struct sfd_loop *loop, struct sfd_timer *timer);

/* Puts a transfer where it has to wait, or forgets it. */
void sfd_loop_place(struct sfd_loop *loop, struct sfd_transfer *transfer, enum sfd_next next);

/* Forgets a transfer that has ended. */
void sfd_loop_forget(struct sfd_loop *loop, struct sfd_transfer *transfer);

/* Cancels now, or as soon as the disk pool or the ready queue lets go of it. */
void sfd_loop_cancel(struct sfd_loop *loop, struct sfd_transfer *transfer);

/* ---- loop_requests.c ---- */

/* Does what the verdict on one request says. Takes the slot's descriptors. */
void sfd_requests_serve(struct sfd_loop *loop, struct sfd_slot *slot);

/* Lets go of a slot's descriptors without an answer. */
void sfd_requests_drop(struct sfd_loop *loop, struct sfd_slot *slot);

/* What a message was made of is free again. */
void sfd_requests_free(struct sfd_message *message);

/* A message, perhaps of another loop. Takes `dest`, which is as in struct sfd_message. */
void sfd_requests_command(struct sfd_loop *loop, uint64_t id, int32_t pid, uint32_t uid, int dest);

/* ---- loop_offload.c ---- */

/* Lends a transfer: to the disk pool, or until its client may have another task there. */
void sfd_lending_add(struct sfd_loop *loop, struct sfd_transfer *transfer);

/* The disk pool is done with it: somebody who waits may follow. */
void sfd_lending_take_back(struct sfd_loop *loop, struct sfd_transfer *transfer);

/* A transfer that waits is lent no more. */
void sfd_lending_withdraw(struct sfd_loop *loop, struct sfd_transfer *transfer);

/* Whether descriptors wait for a task that closes them, for which there may be memory. */
bool sfd_lending_has_closes(const struct sfd_loop *loop);

/* SFD_TASK_LOOK has come. */
void sfd_lending_look(struct sfd_loop *loop);

/* At the end of a turn: leaves the dispatcher what is for the disk pool, closes as well. */
void sfd_lending_publish(struct sfd_loop *loop);

/* SFD_TASK_CLOSE. The disk pool. */
void sfd_lending_close(struct sfd_task *task);

/* ---- loop_receiving.c ---- */

/* Lets `loop` look whether it is its turn to receive. Any thread. */
void sfd_receiving_offer(struct sfd_loop *loop);

/* SFD_TASK_RECEIVE has come: receives, if it is its turn. */
void sfd_receiving_start(struct sfd_loop *loop);

/* The requests that wait cannot be received now: looks away from them until a timer fires, and resumes. */
void sfd_receiving_pause(struct sfd_loop *loop);
void sfd_receiving_resume(struct sfd_loop *loop);

/* Receives no more; whoever has the turn keeps it. */
void sfd_receiving_stop(struct sfd_loop *loop);

/* Once a turn: hands over if another loop is less loaded. */
void sfd_receiving_balance(struct sfd_loop *loop);

/* Gives the turn to another loop because this one is stuck. The service thread. */
void sfd_receiving_take_away(struct sfd_loop *loop);

/* ---- watchdog.c ---- */

/* For the watch: a loop that works and begins no new turn is stuck. */
void sfd_watch_working(struct sfd_loop *loop);
void sfd_watch_waiting(struct sfd_loop *loop);

#endif
