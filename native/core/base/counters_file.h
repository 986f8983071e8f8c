/*
 * What an engine tells of itself, in one block of memory: counters, histograms, disk queues, and the transfers under
 * way. A daemon has the block in a file, which others read without asking it, also while it is stuck, stopped or dead.
 *
 *     0            struct sfd_counters_head      who writes this, and where everything is
 *     queues_at    struct sfd_counters_queue     [queues]: the disk pool's
 *     loops_at     struct sfd_counters_loop      [loops], each on pages of its own
 *     rows_at      struct sfd_counters_row       [loops][rows]: transfers
 *
 * Numbers are of this machine's byte order. A reader takes every place and count from the head, checks that all of it
 * lies in the file, and believes no value: the file is as trustworthy as the user who may write to it. What is added
 * later goes to the end of an array, or into what is reserved; anything else changes SFD_COUNTERS_VERSION. Reserved
 * bytes are 0.
 *
 * Nothing here takes a lock or a system call to write. A cell has one writer, its loop, and is stored with a relaxed
 * store; queues have several, and atomic adds. Only a row has to be read as a whole: see struct sfd_counters_row.
 *
 * Where the file is. Its memory must be the machine's: who stores into a page of a file on a disk waits while the disk
 * takes that page, and here event loops store. So:
 *
 *     DIR/sendfiled.NAME.counters       this block, if DIR is in memory (tmpfs), as /run is; else the name of the file
 *                                       that has it, in /dev/shm/sendfiled-UID, a directory of this
 *                                       user, and a line feed; locked (flock(2)) as long as its process is there
 *     DIR/sendfiled.NAME.counters.PID   the same of the process before, if that is still there when the next one starts
 *                                       (no instance has a name by which its own file is called so)
 *
 * DIR is that of the request socket. Mode 0640: the daemon's user, and its group to look. All of the space is taken at
 * the start, so no store can find the file system full (SIGBUS). The name appears when the file is complete, which is
 * never truncated; at a clean end it goes, while those who have it open read on. What a killed process leaves stays
 * until the next start, and tells how far it got.
 *
 * Thread: make, publish, hide and release the one that starts and stops the engine. Owns the memory and the names.
 */
#ifndef SFD_BASE_COUNTERS_FILE_H
#define SFD_BASE_COUNTERS_FILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/counters.h"
#include "base/histogram.h"

#define SFD_COUNTERS_MAGIC   "SFDCOUNT"
#define SFD_COUNTERS_VERSION 1
#define SFD_COUNTERS_PAGE    4096 /* of the head, and a multiple of it of each loop */

/* What a request asks for. */
enum sfd_operation {
    SFD_OPERATION_OTHER, /* it says nothing that is known */
    SFD_OPERATION_OPEN,  /* Open File, and what is sent of it later */
    SFD_OPERATION_READ,
    SFD_OPERATION_SEND,
    SFD_OPERATION_DESCRIPTOR, /* Send Descriptor */
    SFD_OPERATION_SEND_OPEN,  /* a command, no transfer */
    SFD_OPERATION_CANCEL,     /* the same */
    SFD_OPERATIONS,
};

/* How a request, or its transfer, has ended. */
enum sfd_outcome {
    SFD_OUTCOME_COMPLETED,
    SFD_OUTCOME_REFUSED, /* before it moved anything */
    SFD_OUTCOME_FAILED,
    SFD_OUTCOME_CANCELLED,
    SFD_OUTCOMES,
};

/* What a transfer under way waits for. */
enum sfd_waits_for {
    SFD_WAITS_FOR_NOTHING,   /* it is ready, or a thread works on it */
    SFD_WAITS_FOR_RECEIVER,  /* the destination is full */
    SFD_WAITS_FOR_STATUS,    /* the status channel is full */
    SFD_WAITS_FOR_DISK,      /* it is in the disk pool */
    SFD_WAITS_FOR_PLACE,     /* its client has all the disk tasks that it may have */
    SFD_WAITS_FOR_SEND,      /* an opened file: for its Send Open File */
    SFD_WAITS_FOR_RATE,      /* its rate allows no more yet */
    SFD_WAITS_FOR_RESOURCES, /* the system is short of memory, descriptors or the like */
    SFD_WAITS_FOR_SELECTOR,
    SFD_WAITS_FOR_THREAD, /* its client holds all the threads that it may hold */
    SFD_WAITS_FOR_KINDS,
};

enum sfd_time {
    SFD_TIME_FIRST_BYTE_WARM, /* from receipt until the destination has accepted a byte */
    SFD_TIME_FIRST_BYTE_COLD, /* the same where the disk pool had to work before that */
    SFD_TIME_TRANSFER,        /* from receipt to the end, of those that completed */
    SFD_TIME_TURN,            /* of the loop between two waits: how long an event can have had to wait */
    SFD_TIMES,
};

#define SFD_COUNTERS_ERRNOS     134 /* 0: of none that is known */
#define SFD_COUNTERS_TECHNIQUES 8   /* 0: none was chosen */
#define SFD_COUNTERS_NAME       128
#define SFD_COUNTERS_PATH       176 /* bytes of a path's end that a row has; a multiple of 8 */

struct sfd_counters_head {
    char magic[8]; /* SFD_COUNTERS_MAGIC */
    uint32_t version;
    uint32_t pid;
    uint64_t size;             /* of the file */
    uint64_t process_start;    /* field 22 of /proc/PID/stat: with the pid it tells whether the writer is still there */
    uint64_t started_ns;       /* CLOCK_MONOTONIC, as all times in rows */
    uint64_t started_epoch_ns; /* the same moment, CLOCK_REALTIME */
    _Atomic(uint32_t) state;   /* enum sfd_counters_state */
    uint32_t queues, queue_size, queues_at;
    uint32_t loops, loop_size, loops_at;
    uint32_t rows, row_size, rows_at; /* rows of each loop */
    /* Of a loop: how many there are, and where from its beginning on. */
    uint32_t counters, counters_at;
    uint32_t operations, techniques, outcomes, errnos;
    uint32_t requests_at; /* [operation] */
    uint32_t outcomes_at; /* [operation][outcome] */
    uint32_t flows_at;    /* [operation][technique] of struct sfd_counters_flow */
    uint32_t refusals_at; /* [operation][errno] */
    uint32_t failures_at; /* [operation][errno] */
    uint32_t times, histogram_size, histograms_at;
    uint32_t cells, cells_at;          /* of a histogram */
    uint32_t turned_at;                /* sfd_counters_loop.turned_ns */
    char name[SFD_COUNTERS_NAME];      /* of the instance; NUL-terminated, cut if it is longer */
    char directory[SFD_COUNTERS_NAME]; /* of its socket; empty: there is none */
};

enum sfd_counters_state {
    SFD_COUNTERS_SERVING = 1,
    SFD_COUNTERS_ENDED, /* nothing changes any more */
};

/* A queue of the disk pool, enum sfd_queue. Any thread writes: atomic adds. */
struct sfd_counters_queue {
    _Atomic(uint64_t) device; /* st_dev; 0: it is none of a device, or was never used */
    _Atomic(uint64_t) begun;  /* tasks that a thread has taken */
    _Atomic(uint64_t) done;
    _Atomic(uint64_t) queued; /* tasks that have come: queued - begun wait, begun - done have a thread */
};

/* Transfers by what moved them. */
struct sfd_counters_flow {
    _Atomic(uint64_t) transfers; /* that have ended */
    _Atomic(uint64_t) bytes;     /* accepted by destinations, also of those under way */
    _Atomic(uint64_t) cold_windows;
};

struct sfd_counters_loop {
    struct sfd_counters counters; /* first: io.sendfiled.engine.LoopCounters reads them there */
    _Atomic(uint64_t) turned_ns;  /* when its last turn began */
    _Atomic(uint64_t) requests[SFD_OPERATIONS];
    _Atomic(uint64_t) outcomes[SFD_OPERATIONS][SFD_OUTCOMES];
    struct sfd_counters_flow flow[SFD_OPERATIONS][SFD_COUNTERS_TECHNIQUES];
    _Atomic(uint64_t) refusals[SFD_OPERATIONS][SFD_COUNTERS_ERRNOS];
    _Atomic(uint64_t) failures[SFD_OPERATIONS][SFD_COUNTERS_ERRNOS];
    struct sfd_histogram time[SFD_TIMES];
};

/*
 * A transfer under way. `sequence` is odd while the loop writes a new one into the row, and grows with each, so a
 * reader that finds the same even number before and after a copy has one transfer. What is atomic below changes while
 * the transfer goes on, and each of these is right for itself.
 */
struct sfd_counters_row {
    _Atomic(uint64_t) sequence;
    _Atomic(uint64_t) id; /* 0: the row is free */
    _Atomic(uint64_t) begun_ns;
    _Atomic(uint64_t) asked_ns; /* when the request came that its bytes are for: Send Open File, or the same */
    _Atomic(uint64_t) first_ns; /* of the first byte; 0: none yet */
    _Atomic(uint64_t) size;     /* bytes that it will move; UINT64_MAX: its file is not open yet */
    _Atomic(uint64_t) moved;
    _Atomic(uint32_t) pid; /* of the client; 0: unknown */
    _Atomic(uint32_t) uid;
    _Atomic(uint8_t) operation; /* enum sfd_operation */
    _Atomic(uint8_t) technique;
    _Atomic(uint8_t) waits_for; /* enum sfd_waits_for */
    _Atomic(uint8_t) cold;      /* the disk pool had to work before its first byte */
    _Atomic(uint8_t) ended;     /* only its final message, or a job in the disk pool, is left */
    uint8_t reserved[1];
    _Atomic(uint16_t) path_length;                 /* of all of it; 0: a descriptor, which has no path */
    _Atomic(uint64_t) path[SFD_COUNTERS_PATH / 8]; /* its last bytes, without a NUL */
    uint64_t reserved2[1];
};

#define SFD_COUNTERS_FILE_MAX 128 /* of a name in the directory */

/* The block. */
struct sfd_counters_file {
    struct sfd_counters_head *head; /* mapped; NULL: there is none */
    size_t size;
    int error; /* the -errno for which there is no file: the block is in this process's own memory; 0: there is one */
    bool named;
    bool elsewhere; /* `memory_file` */
    int dir;        /* owned: DIR; -1 without a file */
    int pointer;    /* owned, while `elsewhere`: the file in DIR, so that no other one gets its inode number; -1 */
    int memory;     /* owned, while `elsewhere`: `memory_file`, locked; -1 */
    dev_t dev;      /* of the file in DIR, to remove no other one */
    ino_t ino;
    char file[SFD_COUNTERS_FILE_MAX];        /* its name in DIR */
    char aside[SFD_COUNTERS_FILE_MAX];       /* the one that the next process gives it */
    char before[SFD_COUNTERS_FILE_MAX];      /* that of the process before, as it has been put aside; empty: none */
    bool gives_back;                         /* it gets its name again when this one is hidden: it serves on */
    char memory_file[SFD_COUNTERS_FILE_MAX]; /* in the directory in /dev/shm */
};

/*
 * Makes the block: in a file of the directory `dir`, borrowed, if it is not -1, and if that fails (file->error) as well
 * as with -1 in memory of this process alone. `rows`: of each loop. 0 or -errno. The caller has the lock of the
 * instance. `directory` is the path of `dir`; NULL without one. A block that is all 0 may be released.
 */
int sfd_counters_file_make(struct sfd_counters_file *file, int dir, const char *directory, const char *name,
                           uint32_t loops, uint32_t queues, uint32_t rows);

/* Removes the names, if they are still its own: nobody finds it any more. Idempotent. */
void sfd_counters_file_hide(struct sfd_counters_file *file);

/* Hides and releases it. Idempotent. */
void sfd_counters_file_release(struct sfd_counters_file *file);

struct sfd_counters_loop *sfd_counters_file_loop(const struct sfd_counters_file *file, uint32_t index);
struct sfd_counters_row *sfd_counters_file_rows(const struct sfd_counters_file *file, uint32_t loop);
struct sfd_counters_queue *sfd_counters_file_queue(const struct sfd_counters_file *file, uint32_t queue);

#endif
