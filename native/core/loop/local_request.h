/*
 * Requests of this very process: without a socket, a status channel or a decoder.
 *
 * Role: one struct is the request, the tasks that carry it and its commands to its loop, and its local channel. It is
 * what the submitter holds to send an opened file or to cancel, so neither allocates, and neither can be too late: the
 * loop knows its transfer by an id that is never used again.
 *
 * Who it is for is a number that the submitter chooses, the owner: a connection, a tenant. Each owner has an account
 * and fair turns, as each process has that sends requests to a daemon; the limits of clients are those of owners.
 * Requests wait in their loop, one queue for each owner, and begin one of each in turn: an owner that submits thousands
 * delays the others by one request.
 *
 * The end: each request that was submitted gets exactly one final message (a Refusal or a Result), also when it is
 * cancelled (ECANCELED) or the loop stops (ESHUTDOWN). What is submitted to a loop that has ended is refused at once.
 *
 * A session's requests that are not served at once are such requests, too: made by its loop, with their client as
 * owner, and an outbox of their own (loop_session_transfers.c).
 *
 * Thread: sfd_local_*: any, also several at once, but none for a request after its release; the rest: the loop's.
 */
#ifndef SFD_LOOP_LOCAL_REQUEST_H
#define SFD_LOOP_LOCAL_REQUEST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sendfiled/options.h>

#include "base/client_account.h"
#include "base/task.h"
#include "protocol/outbox.h"

struct sfd_root;
struct sfd_shared;

/* What is asked for; all pointers are borrowed for the call. */
struct sfd_local_order {
    uint64_t ticket; /* with which its messages come; of the submitter's choice */
    uint64_t owner;  /* any number */
    uint8_t command; /* SFD_WIRE_OPEN_FILE, SEND_FILE, SEND_DESCRIPTOR; READ_FILE: a Send File to a pipe, which is
                        enlarged */
    struct sfd_root *root;
    const char *path; /* path_length bytes, below `root`; not of a Send Descriptor */
    size_t path_length;
    int dest;   /* -1 for an Open File */
    int source; /* of a Send Descriptor, else -1 */
    int64_t offset;
    uint64_t length;      /* SFD_WIRE_TO_END: to the end of the file; with segments 0, as the offset */
    const char *segments; /* as on the wire */
    size_t segments_size;
    unsigned segment_count;
    struct sfd_options options;
    /* Of an Open File, up to SFD_CONTENT_MAX: the submitter has just not found the file in the kernel's caches, which
       are not asked again; and of a file, or range, of at most so many bytes the content comes, with the end of the
       request. 0: neither. */
    uint32_t content_most;
};

enum sfd_local_state {
    SFD_LOCAL_SUBMITTED, /* on its way to the loop, or in the queue of its owner */
    SFD_LOCAL_BEGINNING, /* a thread begins it */
    SFD_LOCAL_BEGUN,     /* it is a transfer, or over */
};

struct sfd_local_request {
    struct sfd_local_channel channel; /* first: the last release frees it, and the request with it */
    struct sfd_task task;             /* SFD_TASK_LOCAL, to `task.loop`; then in the queue of its owner */
    struct sfd_task send;             /* SFD_TASK_LOCAL_SEND; has a reference while it is on its way */
    struct sfd_task cancel;           /* SFD_TASK_LOCAL_CANCEL; the same */
    atomic_bool sent;
    atomic_bool cancelled;
    int send_dest; /* owned; of `send` */

    /* The loop's. */
    uint8_t state;    /* enum sfd_local_state */
    bool end_at_once; /* BEGINNING: it was cancelled meanwhile */
    uint64_t id;      /* of its transfer, once it has one */

    /* What is asked for. */
    uint64_t process; /* the owner, as client_account.h numbers processes */
    uint32_t uid;     /* whose account it is; of a session's client, else of this process */
    uint8_t command;
    struct sfd_root *root; /* a reference, until it begins */
    int dest;              /* these two owned, until it begins */
    int source;
    int64_t offset;
    uint64_t length;
    struct sfd_options options;
    uint32_t content_most;
    unsigned segment_count;
    size_t segments_size;
    size_t path_size; /* with its NUL; 0 of a Send Descriptor */
    char *bytes;      /* behind it: path, segments */
};

/*
 * The number of an owner's account, as of a process (client_account.h). Any number can be an owner's, an address as
 * well: its bits are mixed, so that those of a hash table are not the same for all. No two owners share one but by a
 * chance of 2^-63, and no pid is one.
 */
static inline uint64_t sfd_local_process(uint64_t owner)
{
    owner = (owner ^ (owner >> 30)) * 0xbf58476d1ce4e5b9u;
    owner = (owner ^ (owner >> 27)) * 0x94d049bb133111ebu;
    return (owner ^ (owner >> 31)) | SFD_PROCESS_INODE;
}

/*
 * A request that is not submitted yet, with one reference, the submitter's; NULL without memory. Takes no descriptor.
 * 0, or the -errno of sfd_local_submit, by which `order` is none.
 */
int sfd_local_check(const struct sfd_local_order *order);
struct sfd_local_request *sfd_local_new(const struct sfd_local_order *order);

/*
 * Submits a request. The request in *out, with a reference of the submitter's, and 0. Takes `dest` and `source`, also
 * on failure: -EINVAL (an unknown command, technique or flag; a NUL in the path; descriptors or a root that are missing
 * or unasked; segments with a range or a seal; content that cannot be had), -ENOENT (an empty path), -ENAMETOOLONG,
 * -E2BIG and -EMSGSIZE (segments), -ERANGE (the range does not fit into a file), -ENOMEM; -ESHUTDOWN when the engine
 * has stopped. A failure closes them in the calling thread; else this never waits. Any thread.
 */
int sfd_local_submit(struct sfd_shared *shared, const struct sfd_local_order *order, struct sfd_local_request **out);

/*
 * Sends a file that was opened: its File Information has come. Takes `dest`; once. If the request is over, or opens no
 * file, that is closed, and nothing else happens. Never waits. Any thread.
 */
void sfd_local_send_opened(struct sfd_local_request *request, int dest);

/* Ends the request, unless it is over. Cannot fail, never waits. Idempotent. Any thread. */
void sfd_local_cancel(struct sfd_local_request *request);

/* The submitter needs it no more: its final message has come. */
void sfd_local_release(struct sfd_local_request *request);

#endif
