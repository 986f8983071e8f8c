/*
 * One event loop: receives requests, gives every ready transfer its turn, waits for the rest.
 *
 * Role: the orchestrator. One call of sfd_loop_poll is one turn; its events are left in the turn buffer, where the Java
 * dispatcher decodes and authorizes the requests in place and hands lent transfers to the disk pool. The next turn
 * begins with the verdicts. Thread: poll: one thread, always the same; work: any (the disk pool); wake, stop: any.
 * Never: makes a call that a disk or a client can block, apart from a page that is evicted between probe and move.
 */
#ifndef SFD_LOOP_LOOP_H
#define SFD_LOOP_LOOP_H

#include "base/mailbox.h"
#include "loop/ready_queue.h"
#include "loop/receive_batch.h"
#include "transfer/transfer.h"

#define SFD_LOOPS_MAX   8
#define SFD_ROOTS_MAX   16
#define SFD_LENDS_MAX   128
#define SFD_CHOICES_MAX 32

/* A task for the disk pool: pass `task` to sfd_loop_work on a thread of queue `queue`. */
struct sfd_lend {
    uint64_t task;
    int16_t queue;  /* enum sfd_queue */
    int16_t urgent; /* 1: goes before those that are not */
    int32_t client; /* whose it is (a process id), for fair turns in the queue; 0: nobody's */
};

/* A transfer that waits for the selector to name its technique. */
struct sfd_choice {
    uint64_t id;
    uint64_t size;    /* bytes that it will move */
    int32_t kind;     /* of the destination, enum sfd_fd_kind */
    int32_t blocking; /* 1: the destination's description has no O_NONBLOCK */
    int32_t verdict;  /* enum sfd_technique; AUTO leaves it to the rules, and so does what does not fit */
    uint32_t fits;    /* mask of techniques */
};

/*
 * The turn buffer, shared with the dispatcher. Layout contract with io.sendfiled.jni.Turn:
 *     0 requests | 4 lends | 8 choices | 64 lend[128] of 16 bytes | 2112 choice[32] of 32 bytes
 *  4096 slot[16] of 4352 bytes
 */
struct sfd_turn {
    int32_t requests; /* slots filled by C; after the dispatcher's pass, slots with a verdict */
    int32_t lends;
    int32_t choices; /* filled by C; after the dispatcher's pass, with a verdict */
    char reserved0[52];
    struct sfd_lend lend[SFD_LENDS_MAX];
    struct sfd_choice choice[SFD_CHOICES_MAX];
    char reserved1[4096 - 64 - SFD_LENDS_MAX * sizeof(struct sfd_lend) - SFD_CHOICES_MAX * sizeof(struct sfd_choice)];
    struct sfd_slot slot[SFD_BATCH_MAX];
};

struct sfd_loop;

struct sfd_settings {
    uint32_t loops;
    uint32_t max_transfers;
    struct sfd_limits client; /* what one client may have */
    uint32_t open_timeout_ms;
    uint32_t buffer_size;      /* bytes; of read-write, one a loop */
    uint64_t quantum;          /* bytes */
    uint32_t idle_timeout_ms;  /* without a byte moved; 0: never */
    uint32_t drain_timeout_ms; /* for room for the last message; 0: never */
    bool selector;             /* the dispatcher chooses techniques: leave it choices */
    uint8_t rule_count;
    struct sfd_rule rules[SFD_RULES_MAX]; /* for `auto`, the first that matches and fits */
};

/* The service thread's: see watchdog.c. */
struct sfd_watch {
    int eventfd;          /* wakes it */
    atomic_bool asleep;   /* a loop that works has to wake it */
    uint32_t quiet_looks; /* in a row */
};

/* Send Open File or Cancel, on its way to the loop that has the transfer. */
struct sfd_message {
    struct sfd_task task;
    uint64_t id;
    int32_t pid;
    uint32_t uid;
    int dest;          /* owned; -1: Cancel; another -errno: it was lost on its way here */
    bool reserved;     /* of the reserve */
    atomic_bool taken; /* then: it is under way */
};

/*
 * Under way at once without memory for them: neither request can be refused, there is no channel to say so. One batch.
 */
#define SFD_MESSAGES_RESERVED SFD_BATCH_MAX

/* What the loops of one engine share. Filled before the first loop starts; borrowed by the loops. */
struct sfd_shared {
    struct sfd_settings settings;
    struct sfd_machine machine;
    struct sfd_devices devices;
    struct sfd_accounts accounts;
    int request_fd;                 /* borrowed */
    int roots[SFD_ROOTS_MAX];       /* O_PATH directories, owned by the engine */
    bool root_local[SFD_ROOTS_MAX]; /* sfd_residency_opens_here */
    atomic_uint transfers;          /* in all tables */
    atomic_int receiver;            /* index of the loop whose turn it is to receive */
    atomic_bool draining;           /* no new transfers; those that are there go on */
    int wake_signal;                /* ends a call that blocks; 0 where no signal was free */
    struct sfd_watch watch;
    struct sfd_message messages[SFD_MESSAGES_RESERVED]; /* the reserve */
    struct sfd_loop *loops[SFD_LOOPS_MAX];
};

/* A new loop in *out; nothing runs yet. 0 or -errno. */
int sfd_loop_create(struct sfd_loop **out, struct sfd_shared *shared, uint32_t index);

/* Aborts what is left. Neither poll nor work may be running. NULL is allowed. */
void sfd_loop_destroy(struct sfd_loop *loop);

/* The turn buffer, and the counters; both live as long as the loop. */
struct sfd_turn *sfd_loop_turn(struct sfd_loop *loop);
struct sfd_counters *sfd_loop_counters(struct sfd_loop *loop);

/*
 * One turn. Waits, in epoll only, until there is something to do. 0, with events in the turn buffer; -ESHUTDOWN after
 * stop, when nothing is lent any more; another -errno when epoll itself fails.
 */
int sfd_loop_poll(struct sfd_loop *loop);

/* Runs a lent task; blocks as long as the disk likes. */
void sfd_loop_work(struct sfd_task *task);

/* Ends the wait of a poll that is under way. */
void sfd_loop_wake(struct sfd_loop *loop);

/* Refuses what comes, aborts what is there. Returns at once; poll tells when it is over. */
void sfd_loop_stop(struct sfd_loop *loop);

/* 0 or -errno. */
int sfd_watch_init(struct sfd_watch *watch);

/* Idempotent after init. */
void sfd_watch_deinit(struct sfd_watch *watch);

/*
 * One look of the watch over the loops: takes the receiving away from a loop that is stuck in one call, and frees it
 * with a signal after 250 ms. From one thread, never a loop's. How long to wait until the next look, in milliseconds;
 * -1: until sfd_watch_wait is woken, which the next loop to work does. Never that while something else is `pending`.
 */
int sfd_watch_look(struct sfd_shared *shared, bool pending);

/* Waits between two looks, on the same thread. */
void sfd_watch_wait(struct sfd_watch *watch, int timeout_ms);

/* Ends a wait, or the next one. Any thread. */
void sfd_watch_wake(struct sfd_watch *watch);

#endif
