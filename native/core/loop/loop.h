/*
 * One event loop: receives requests, runs every ready transfer, waits for the others.
 *
 * Role: the orchestrator. One call of sfd_carrier_poll is one turn. It leaves its events in the turn buffer, where the
 * Java dispatcher decodes and authorizes the requests in place, and hands offloaded transfers to the disk pool. The
 * next turn begins by obeying the verdicts. Thread: the carrier that has it (carrier.h); work: any (the disk pool);
 * wake, stop: any.
 * Never: makes a call that is known to wait for a disk or a client. A call that waits all the same holds its thread and
 * one transfer, not the loop.
 */
#ifndef SFD_LOOP_LOOP_H
#define SFD_LOOP_LOOP_H

#include "base/journal.h"
#include "base/mailbox.h"
#include "loop/carrier.h"
#include "loop/intake.h"
#include "loop/receive_batch.h"
#include "loop/succession.h"
#include "loop/watchdog.h"
#include "protocol/outbox.h"
#include "transfer/transfer.h"

#define SFD_LOOPS_MAX      8
#define SFD_ROOTS_MAX      16
#define SFD_OFFLOADS_MAX   120
#define SFD_SELECTIONS_MAX 32

/* Of messages in one turn: those of more requests than begin in a turn (loop_local.c), or the content of some files. */
#define SFD_MESSAGES_SIZE (64 * 1024)

/* A task for the disk pool: pass `task` to sfd_loop_work on a thread of queue `queue`. */
struct sfd_offload {
    uint64_t task;
    int16_t queue;  /* enum sfd_queue */
    int16_t urgent; /* 1: goes before those that are not */
    int32_t client; /* sfd_process_short of the client, for round-robin in the queue; 0: none, or unknown */
    int32_t user;   /* its uid */
    int32_t reserved;
};

/* A transfer that waits for the selector to name its technique. */
struct sfd_selection {
    uint64_t id;
    uint64_t size;    /* bytes that it will move */
    int32_t kind;     /* of the destination, enum sfd_fd_kind */
    int32_t blocking; /* 1: the destination's description has no O_NONBLOCK */
    int32_t verdict;  /* enum sfd_technique; with AUTO, or one that does not fit, the rules decide */
    uint32_t fits;    /* mask of techniques */
};

/* The turn buffer, shared with the dispatcher; a layout contract with io.sendfiled.jni.Turn: see jni_constants.c. */
struct sfd_turn {
    int32_t requests; /* slots filled by C; after the dispatcher's pass, slots with a verdict */
    int32_t offloads;
    int32_t selections; /* filled by C; after the dispatcher's pass, with a verdict */
    int32_t messages;   /* in `message`, one behind the other: struct sfd_message and what it says */
    char reserved0[48];
    struct sfd_offload offload[SFD_OFFLOADS_MAX];
    struct sfd_selection selection[SFD_SELECTIONS_MAX];
    char reserved1[4096 - 64 - SFD_OFFLOADS_MAX * sizeof(struct sfd_offload) -
                   SFD_SELECTIONS_MAX * sizeof(struct sfd_selection)];
    struct sfd_slot slot[SFD_BATCH_MAX];
    char message[SFD_MESSAGES_SIZE];
};

struct sfd_hot;
struct sfd_loop;

/* A command: Send Open File or Cancel, on its way to the loop that has the transfer. */
struct sfd_command {
    struct sfd_task task;
    uint64_t id;
    uint64_t process; /* of the sender */
    uint32_t uid;
    int dest;          /* owned; -1: Cancel; another -errno: the descriptor was lost on receipt */
    bool reserved;     /* it is one of sfd_shared.commands */
    atomic_bool taken; /* of the reserve: it is in use */
};

/*
 * Commands that can be on their way when there is no memory for more: as many as a batch has requests. They cannot be
 * refused, because they come without a status channel.
 */
#define SFD_COMMANDS_RESERVED SFD_BATCH_MAX

/* The settings of the last reload. Loops look at the version, and take them over when it is another one. */
struct sfd_reload {
    pthread_mutex_t lock; /* of the settings: held for a copy */
    struct sfd_settings settings;
    atomic_uint version; /* 0: there was no reload */
};

/* What the loops of one engine share. Filled before the first loop starts; borrowed by the loops. */
struct sfd_shared {
    struct sfd_settings settings; /* of the start */
    struct sfd_reload reload;
    struct sfd_kernel kernel;
    uint32_t techniques; /* mask of those that work here */
    struct sfd_devices devices;
    struct sfd_write_ranges write_ranges;
    struct sfd_client_accounts accounts;
    struct sfd_memory_budget memory;
    struct sfd_counters_file counters_file; /* made before the first loop */
    int request_fd; /* borrowed: readable when requests wait; the request socket, or that of `intake`; -1: there is none
                     */
    struct sfd_intake intake;           /* of several request sockets */
    int session_fd;                     /* borrowed: the listening socket of sessions; -1: there are none */
    atomic_uint sessions;               /* in all loops */
    atomic_bool sessions_end;           /* another process serves: each ends when it is idle */
    struct sfd_hot *hot[SFD_ROOTS_MAX]; /* what of a root is in memory; the engine's; NULL: it is followed, or none */
    struct sfd_succession succession;
    struct sfd_root *roots[SFD_ROOTS_MAX]; /* of requests that come by a socket; the engine's; NULL: none */
    atomic_uint transfers;                 /* in all tables */
    atomic_int receiving_loop;             /* index of the loop that receives */
    atomic_int receive_error;  /* the errno with which requests cannot be received for a second or more; 0: none */
    atomic_uint loops_drained; /* how many begin nothing more that they have received */
    bool socket_stays;         /* after the end: what is left in it is there for the next engine */
    atomic_bool draining;      /* new transfers are refused, parked ones end; the others go on */
    int wake_signal;           /* interrupts a call that blocks; 0: no signal was free */
    struct sfd_watchdog watchdog;
    struct sfd_carriers carriers;
    struct sfd_journal journal;                         /* a ring for each loop, and behind them the watchdog's */
    struct sfd_command commands[SFD_COMMANDS_RESERVED]; /* the reserve */
    struct sfd_loop *loops[SFD_LOOPS_MAX];
};

/*
 * Has a loop end the transfer of that sfd_observe_id, whoever its client is. 0, -ESRCH (no loop has given it, or that
 * loop has ended), -ENOMEM. Never waits. Any thread.
 */
int sfd_loop_order_end(struct sfd_shared *shared, uint64_t id);

/* A new loop in *out; nothing runs yet. 0 or -errno. */
int sfd_loop_create(struct sfd_loop **out, struct sfd_shared *shared, uint32_t index);

/* Aborts the transfers that are left. No carrier may be in it, and no work running. NULL is allowed. */
void sfd_loop_destroy(struct sfd_loop *loop);

/* The carrier that it begins with. To be asked before the first turn. */
struct sfd_carrier *sfd_loop_carrier(struct sfd_loop *loop);

/* The counters; they live as long as the loop. */
struct sfd_counters *sfd_loop_counters(struct sfd_loop *loop);

/* Runs an offloaded task; waits for the disk. */
void sfd_loop_work(struct sfd_task *task);

/* Whether something of it waits for a thread, or for the disk pool. Any thread. */
bool sfd_loop_has_waiting(struct sfd_loop *loop);

/*
 * succession.h: the loop receives one request, whoever receives the others; false: it has ended. And: what was left to
 * another process is taken. Any thread.
 */
bool sfd_loop_take(struct sfd_loop *loop, struct sfd_task *task);
void sfd_loop_receive_again(struct sfd_loop *loop);

/* Ends its wait. */
void sfd_loop_wake(struct sfd_loop *loop);

/*
 * From here on the loop refuses requests and aborts its transfers. Returns at once; its carrier's poll gives -ESHUTDOWN
 * when that is done.
 */
void sfd_loop_stop(struct sfd_loop *loop);

#endif
