/*
 * One transfer: an explicit, resumable state machine.
 *
 *     OPENING --> PARKED --> SELECTING --> MOVING --> ENDING --> (gone)
 *        |   (Open File only) (with a selector)         ^
 *        +----------------------- refused --------------+
 *
 * Role: owns everything that one request needs, and decides what happens next; the loop puts it where it has to wait.
 * Thread: its loop. Between SFD_NEXT_POOL and the hand-back the disk pool works on it (sfd_transfer_work) and the loop
 * keeps to the rooms of struct sfd_transfer that are its own. So it can end, for its client, while a dead disk has it;
 * but while the pool writes to a file for it, it ends only when the job is back (write_gate.h).
 * Owns the file, the destination and the status channel.
 * Never: blocks on the loop; has two terminal messages; reports complete before the destination has accepted every
 * byte; writes to a file after its terminal message or the end of its status channel.
 */
#ifndef SFD_TRANSFER_TRANSFER_H
#define SFD_TRANSFER_TRANSFER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/client_account.h"
#include "base/counters_file.h"
#include "base/journal.h"
#include "base/task.h"
#include "base/timer.h"
#include "disk/closer.h"
#include "disk/residency.h"
#include "disk/root.h"
#include "memory/memory_budget.h"
#include "protocol/status.h"
#include "sys/kernel.h"
#include "transfer/destination.h"
#include "transfer/mover.h"
#include "transfer/segments.h"
#include "transfer/settings.h"
#include "transfer/write_ranges.h"

/* Progress is merged into at most 20 messages a second: each one wakes the client. */
#define SFD_PROGRESS_INTERVAL_MS 50

/* Where a loop tells of its transfers (observe.h). */
struct sfd_observer {
    struct sfd_counters_loop *loop; /* borrowed, as `rows` */
    struct sfd_counters_row *rows;
    uint32_t row_count;
    uint64_t last_id;            /* the loop's index and 1, and a number of its own */
    struct sfd_journal *journal; /* borrowed: gets a record of each end that it wants; NULL: there is none */
    uint32_t journal_ring;
};

#define SFD_OBSERVER_SERIAL_BITS 48

/* The most transfers of one loop: a transfer's place in its table is in these bits of its id. */
#define SFD_TRANSFERS_MAX ((uint32_t)1 << 20)

/* The most bytes of a file whose content an Open File can ask for. */
#define SFD_CONTENT_MAX ((uint16_t)(16 * 1024))

/* What all transfers of one loop share; what is borrowed, and `kernel`, is the same for all loops. */
struct sfd_context {
    const struct sfd_settings *settings; /* borrowed */
    struct sfd_devices *devices;         /* borrowed */
    struct sfd_write_ranges *ranges;     /* borrowed; of copies to files */
    struct sfd_memory_budget *memory;    /* borrowed; NULL: no limit */
    struct sfd_kernel kernel;
    uint32_t techniques; /* mask of those that work here */
    struct sfd_closer closer;
    struct sfd_counters *counters; /* borrowed: those of `observer` */
    struct sfd_observer observer;
    struct sfd_timers timers;
    char *buffer;    /* of read-write, settings->buffer_size, for the length of one step */
    uint64_t now_ms; /* of this turn */
    uint64_t now_ns; /* when the loop last came back from its wait, CLOCK_MONOTONIC: requests are as old as this */
    bool late;       /* this turn came long after its timers were due: the process was stopped, or had no processor */
    int epoll;       /* the loop's; a registered descriptor leaves it before it is closed */
};

enum sfd_state {
    SFD_STATE_OPENING,   /* offloaded to the disk pool for its open */
    SFD_STATE_PARKED,    /* Open File: waits for Send Open File */
    SFD_STATE_SELECTING, /* waits for the selector's verdict */
    SFD_STATE_MOVING,
    SFD_STATE_ENDING, /* only a message that waits for room, or a job in the disk pool, is left */
};

/* What a transfer needs from the loop after each call. */
enum sfd_next {
    SFD_NEXT_AGAIN,  /* it is ready: run it again */
    SFD_NEXT_DEST,   /* until the destination takes bytes, or the client is gone */
    SFD_NEXT_STATUS, /* until the status channel takes bytes */
    SFD_NEXT_POOL,   /* offload it to the disk pool, queue `task.queue` */
    SFD_NEXT_PARK,   /* until Send Open File, Cancel, hang-up of the status channel or the timer */
    SFD_NEXT_TIMER,  /* until its timer is due, or the client is gone */
    SFD_NEXT_RETRY,  /* the same, because of a shortage */
    SFD_NEXT_SELECT, /* until the selector has chosen its technique */
    SFD_NEXT_WAIT,   /* it stays where it waits */
    SFD_NEXT_END,    /* over and closed: forget it */
};

struct sfd_client;
struct sfd_target;

/*
 * Who may touch what. While `loop.out` only the thread that works on it may touch it, except `due` and `send_dest`,
 * which are the loop's. While `loop.offloaded` it has two threads: its loop, which goes on answering the client, and
 * the disk pool, which does the job. The loop writes to nothing below `gate` then, except to the
 * destination when the job is no copy; it may read the range, which the disk pool sets with an open and leaves alone
 * afterwards.
 */
struct sfd_transfer {
    struct sfd_task task; /* first: the mailbox carries it; for the thread that has the transfer */

    /* What was asked for. Set when it begins; read by both. */
    uint64_t id;
    struct sfd_options options;
    uint8_t command;
    bool foreign; /* its client is another user's, whom the daemon must not lend its own identity */

    /* The loop's. The disk pool reads the technique; an open there fills `info` and `details` of the status channel. */
    uint8_t state;     /* enum sfd_state */
    uint8_t wait;      /* enum sfd_next: what it waits for */
    uint8_t verdict;   /* the selector's */
    uint8_t technique; /* what moves it now; regular destinations: what works so far */
    int16_t due_end;   /* why it ends once the job that writes is back: -errno, -ECANCELED silently; 0: not */
    struct sfd_status status;

    /* The loop's: where it stands in its loop, and what it counts for there. */
    struct {
        struct sfd_client *client;
        struct sfd_client_account *account; /* the client's, borrowed; NULL: no client is charged */
        struct sfd_transfer *ready_next;
        struct sfd_transfer *queued_next; /* it may be in the ready queue as well */
        bool ready;                       /* in the ready queue */
        bool offloaded;                   /* the disk pool has it, or will */
        bool waiting;           /* offloaded, but not in the disk pool yet: its client may have no more tasks there */
        bool dest_registered;   /* with epoll */
        bool status_registered; /* with epoll */
        bool hangup_watched;    /* epoll watches for the status channel losing its reader */
        bool out;               /* a thread that has lost the loop works on it */
        bool queued;            /* it waits until its client may hold a thread */
        bool ordered;           /* its cancel is the administrator's */
        uint8_t due;            /* what is to be done with it, loop_act.c */
        uint8_t promised;       /* descriptors that its account counts for it */
        int send_dest;          /* of a Send Open File that is due */
    } loop;

    /* The loop's: how long it may wait, and how fast it may go (transfer_wait.c). */
    struct {
        struct sfd_timer timer; /* for the earliest of its limits, progress and rate; or earlier */
        uint64_t since_ms;      /* when its wait began, or last made progress */
        uint64_t deadline_ms;   /* of the clock; 0: none */
        uint64_t started_ns;    /* of receipt; extended requests only */
        uint64_t retry_ms;      /* when it tries again, because no event announces it; 0: it waits for an event */
        uint64_t short_ms;      /* since when a shortage makes it wait; 0: none does */
        uint64_t reported_ms;   /* when progress was last written */
        uint64_t rate_ms;       /* when rate_credit was last counted */
        uint64_t rate_credit;   /* thousandths of a byte */
        uint8_t retries;        /* in a row */
        uint8_t vain_runs;      /* in a row: epoll reported the destination as ready, and it took nothing */
        bool spared;            /* a late turn has let its wait begin anew, and it has made no progress since */
    } limits;

    /* The loop closes it, also while the disk pool uses it: the job should not begin, or should stop. */
    struct sfd_write_gate gate;

    /* From here on: for the thread that has the transfer. */

    struct sfd_destination destination; /* `fd` is -1: the status channel itself (Read File) */

    struct {
        uint64_t begin;
        uint64_t offset; /* of the next byte; only the loop goes forward */
        uint64_t end;    /* until the file is open: what was asked for, UINT64_MAX to its end */
    } range;             /* of segments: the present one, from 0 if it is bytes */

    struct sfd_segments *segments; /* owned; NULL: the range is all that is sent */

    struct {
        int fd;
        int directory;         /* owned: where the root was for this request, if it is followed; -1: not resolved yet;
                                  else, while `rest`, a directory below the root that the path goes on from; -1: it */
        struct sfd_root *root; /* a reference, until the file is open; NULL: none, or not any more */
        char *path;            /* owned; cold opens only */
        int16_t device;        /* index, which it uses; -1: none */
        uint8_t medium;        /* enum sfd_medium */
        bool shared : 1;       /* its description is the client's, sfd_open_descriptor */
        bool sparse : 1;       /* it had holes when it was opened */
        bool locked : 1;       /* the range has our read lock */
        uint16_t rest;         /* the position in the path where it goes on from a directory; 0: there is none */
        uint16_t snapshot_pieces; /* of the grant for the memory that took its place (transfer_snapshot.c) */
    } source;

    /* Which part of the range is in the page cache, and how the rest is loaded (transfer_load.c). */
    struct {
        uint64_t resident_end; /* bytes before it were ready at resident_ms */
        uint64_t resident_ms;
        uint64_t requested_end; /* bytes before it were asked of the disk */
        struct sfd_drop drop;
        uint32_t window;       /* bytes that the disk pool loads next */
        uint32_t cold_windows; /* that the disk pool loaded for it */
        uint8_t cold_rounds;   /* loads in a row that left nothing resident */
        uint8_t stays;         /* enum sfd_stays: do loaded pages stay in the cache? */
        bool bounce_only;      /* the disk pool reads it into memory, because pages do not stay */
    } cache;

    /* Bytes that the disk pool has read into memory, for the loop to send. */
    struct {
        char *bytes; /* owned, but for those of a segment; NULL when there are none */
        uint32_t length;
        uint32_t position;
    } bounce;

    struct sfd_target *target; /* owned; of a copy to a file, once it has begun */

    /* One job: what the disk pool has to do, and the result (transfer_work.c). */
    struct {
        uint64_t limit; /* bytes to copy */
        uint64_t moved;
        int error;
        uint8_t kind;          /* enum sfd_job */
        uint8_t technique;     /* that copied them */
        uint16_t content_most; /* of an open: of a file of at most so many bytes, these (transfer_content.c) */
    } job;
};

/* Everything -1 or zero; deinit is legal from here on. */
void sfd_transfer_init(struct sfd_transfer *transfer);

/* It has ended and will be freed. Idempotent. */
void sfd_transfer_deinit(const struct sfd_context *context, struct sfd_transfer *transfer);

/* What a request asks for; the descriptors are taken. */
struct sfd_transfer_request {
    uint8_t command;       /* SFD_WIRE_OPEN_FILE, READ_FILE or SEND_FILE: what is done */
    uint8_t asked;         /* the command of the request, as it is counted; 0: the same */
    struct sfd_root *root; /* borrowed for the call; NULL only without a path */
    const char *path;      /* borrowed for the call; NULL: the source is a descriptor */
    int64_t offset;
    uint64_t length; /* SFD_WIRE_TO_END: to the end of the file */
    unsigned segment_count;
    const char *segments; /* borrowed for the call: as they came, segments_size bytes */
    size_t segments_size;
    uint64_t id;
    uint8_t version; /* of an extended request; else 0 */
    bool foreign;    /* the client is another user's, and not root's */
    bool grows;      /* the destination is a pipe that is enlarged for the file */
    /* Of an Open File with a local channel: the client has just not found the file in the caches, and of one of at most
       so many bytes it gets the content in place of an open file; 0: neither. */
    uint16_t content_most;
    struct sfd_options options;
    int status;                      /* -1: it has a local channel */
    struct sfd_local_channel *local; /* of a request of this process: its reference is taken; NULL: it has a pipe */
    int accepted; /* the result of sfd_status_accept: 0, or the -errno for which the client can get no answer */
    int dest;     /* -1 unless SEND_FILE */
    int source;   /* without a path */
    struct sfd_fd_info dest_info;
};

/* Begins a transfer; opens the file at once if its path is cached. Takes the descriptors, also on failure. */
enum sfd_next sfd_transfer_begin(struct sfd_context *context, struct sfd_transfer *transfer,
                                 const struct sfd_transfer_request *request);

/* Runs it: after a hand-back by the disk pool, when a descriptor is writable, or for its next quantum. */
enum sfd_next sfd_transfer_run(struct sfd_context *context, struct sfd_transfer *transfer);

/* Send Open File on a PARKED transfer. Takes `dest`, or the -errno for which there is none. */
enum sfd_next sfd_transfer_send(struct sfd_context *context, struct sfd_transfer *transfer, int dest);

/* What there is to choose from, for SFD_NEXT_SELECT. */
struct sfd_subject sfd_transfer_subject(const struct sfd_transfer *transfer);

/*
 * The selector's answer for a SELECTING transfer. With AUTO, or with a technique that does not fit, which is counted,
 * the rules decide. sfd_transfer_run obeys.
 */
void sfd_transfer_select(struct sfd_transfer *transfer, int verdict);

/* The timer is due; the transfer may be offloaded. */
enum sfd_next sfd_transfer_timeout(struct sfd_context *context, struct sfd_transfer *transfer);

/* Epoll cannot watch the descriptor that it waits for: it tries again by its timer. May be offloaded. */
void sfd_transfer_unwatched(struct sfd_context *context, struct sfd_transfer *transfer);

/*
 * Ends it without a further message: Cancel, or the client is gone. An offloaded one as well: the client sees the end
 * at once, and run closes the rest after the hand-back; or, if the disk pool writes to a file for it, all of it.
 */
enum sfd_next sfd_transfer_cancel(struct sfd_context *context, struct sfd_transfer *transfer);

/*
 * Ends it with an error message if there is room for one now (the engine stops). An offloaded one is to be run after
 * the hand-back.
 */
void sfd_transfer_abort(struct sfd_context *context, struct sfd_transfer *transfer, int error);

/* The disk pool's part: one blocking job. Any thread, as long as the transfer is offloaded. */
void sfd_transfer_work(const struct sfd_context *context, struct sfd_transfer *transfer);

#endif
