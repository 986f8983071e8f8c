/*
 * Sessions: a connection over which a program registers descriptors once, and then asks and is answered through memory
 * that it shares with the daemon. For programs that send thousands of files a second. Included by sendfiled.h.
 *
 *     struct sfd_session *session;
 *     sfd_session_open(NULL, NULL, NULL, &session);          (once)
 *     struct sfd_session_request open = {.operation = SFD_SESSION_OPEN, .path = "index.html", .user_data = 1};
 *     sfd_session_submit(session, &open, 1);                  ...its completion has the handle of the file
 *     sfd_session_register(session, SFD_SESSION_DESTINATION, socket, 2);
 *                                                             ...its completion has the handle of the socket
 *     struct sfd_session_request send = {.operation = SFD_SESSION_SEND, .file = file, .destination = handle,
 *                                        .length = SFD_SESSION_TO_END, .user_data = 3};
 *     sfd_session_submit(session, &send, 1);
 *     ...when poll(2) says that sfd_session_fd(session) is readable:
 *     while ((n = sfd_session_reap(session, completions, 32)) > 0)
 *         ...completions[i].user_data, .error, .moved...
 *     ...and when n is 0, poll(2) again: before that, nothing makes the descriptor readable
 *
 * For all functions here:
 *   - Failure is -1 with errno set. Nothing is leaked or left half done.
 *   - A session is used by one thread at a time. Signal handlers must not call them.
 *   - None of them waits for the daemon but sfd_session_open.
 *   - A child process after fork(2) does not use the sessions of its parent.
 *
 * ---- What is shared: version 1 --------------------------------------------------------------------------------------
 *
 * The client makes the memory: a memory file, memfd_create(2), not of huge pages, as large as drawn or larger, all of
 * it allocated (fallocate(2), or written to), and sealed so that it never shrinks (F_SEAL_SHRINK). All counters and the
 * daemon's state are 0. Every integer is native-endian, since both ends are on one host. Sizes of rings are powers of
 * two, from 4 to 8192; the arena has any size up to 1 MiB.
 *
 *     byte
 *        0  +------------------+
 *           | u32 submitted    |  entries that the client has submitted so far; the client writes it
 *       64  +------------------+
 *           | u32 taken        |  entries that the daemon has taken so far; the daemon
 *       96  | u32 state        |  SFD_SESSION_WAKE, SFD_SESSION_ENDING; the daemon sets, the client clears WAKE
 *      128  +------------------+
 *           | u32 completed    |  completions that the daemon has written so far; the daemon
 *      192  +------------------+
 *           | u32 reaped       |  completions that the client has read so far; the client
 *      224  | u32 client state |  SFD_SESSION_WAKE: the client sets, the daemon clears
 *      256  +------------------+
 *           | submission ring  |  `submissions` entries of 64 bytes
 *           +------------------+
 *           | completion ring  |  `completions` entries of 64 bytes
 *           +------------------+
 *           | arena            |  `arena` bytes: what entries refer to, paths and heads
 *           +------------------+
 *
 * The counters only grow, modulo 2^32; the place of the n-th entry is n modulo the size of its ring. Whoever has
 * written entries stores the counter with release semantics, and whoever reads them loads it with acquire semantics.
 * An entry of the submission ring, and what it refers to in the arena, is the client's again when it has been taken.
 * The daemon takes no entry for whose completion the completion ring might have no room: what is in flight counts as
 * written. So `reaped` is a counter that the daemon may wait for as well.
 *
 * Nobody is woken who does not sleep. Before it waits, a side sets WAKE in its state, makes a full barrier and looks
 * once more; the other side, having stored its counter, makes a full barrier, and if WAKE is set, clears it and wakes.
 * The daemon is woken by its eventfd, which the client has passed, the client by a byte on the connection. Both change
 * their bits of a state by atomic operations (fetch-or, fetch-and), since the other side may change it at the same
 * time.
 *
 * ---- How a session begins -------------------------------------------------------------------------------------------
 *
 * The connection is AF_UNIX, SOCK_SEQPACKET, to SOCKDIR/sendfiled.NAME.session. Messages of the client:
 *
 *   Hello (0x30), first of all; with the memory file and an eventfd(2), in this order
 *     0     1      2             4                       8                 12                16          20          32
 *     +-----+------+-------------+-----------------------+-----------------+-----------------+-----------+-----------+
 *     | cmd | stat | u16 version | u32 total length = 32 | u32 submissions | u32 completions | u32 arena | 12 zeros  |
 *     +-----+------+-------------+-----------------------+-----------------+-----------------+-----------+-----------+
 *   Register (0x31), once the session is welcome; with one descriptor; the completion ring has room for its completion
 *   beside those of all requests and registrations that are in flight, or wait to be taken
 *     0     1      2             4                       8          12       16              24
 *     +-----+------+-------------+-----------------------+----------+--------+---------------+
 *     | cmd | stat | u16 version | u32 total length = 24 | u32 kind | 4 zeros| u64 user data |
 *     +-----+------+-------------+-----------------------+----------+--------+---------------+
 *
 * and of the daemon:
 *
 *   Welcome (0xb0), in answer to a Hello: stat 0, or the errno for which there will be no session
 *     0     1      2             4                       8
 *     +-----+------+-------------+-----------------------+
 *     | cmd | stat | u16 version | u32 total length = 8  |
 *     +-----+------+-------------+-----------------------+
 *   Wake (0xb1), of one byte: there are completions.
 *
 * A Register is answered by a completion, and so is an entry that cannot be: with an errno. What is no such message
 * ends the session, and so does a counter that cannot be: the daemon closes the connection. The end of the connection,
 * whoever closes it, ends what is in flight and frees all that was registered.
 *
 * A daemon that ends, or is replaced by another one, sets SFD_SESSION_ENDING: requests that it takes from then on are
 * complete with ESHUTDOWN, those in flight go on, and when none is left it closes the connection.
 */
#ifndef SENDFILED_SESSION_H
#define SENDFILED_SESSION_H

#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "options.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the layout ---- */

enum { SFD_SESSION_HELLO = 0x30, SFD_SESSION_REGISTER = 0x31, SFD_SESSION_WELCOME = 0xb0, SFD_SESSION_WAKE_UP = 0xb1 };

#define SFD_SESSION_VERSION       1
#define SFD_SESSION_HELLO_SIZE    32
#define SFD_SESSION_REGISTER_SIZE 24
#define SFD_SESSION_WELCOME_SIZE  8

/* Where the counters and the states are. */
#define SFD_SESSION_SUBMITTED_AT    0
#define SFD_SESSION_TAKEN_AT        64
#define SFD_SESSION_STATE_AT        96
#define SFD_SESSION_COMPLETED_AT    128
#define SFD_SESSION_REAPED_AT       192
#define SFD_SESSION_CLIENT_STATE_AT 224
#define SFD_SESSION_RINGS_AT        256
#define SFD_SESSION_ENTRY_SIZE      64

/* Entries of a ring, and bytes of the arena. */
#define SFD_SESSION_RING_MIN  4
#define SFD_SESSION_RING_MAX  8192
#define SFD_SESSION_ARENA_MAX (1024 * 1024)

/* Bytes of a buffer that is registered: the daemon maps it, and a sparse file of any size costs its maker nothing. */
#define SFD_SESSION_BUFFER_MAX (1024 * 1024 * 1024)

/* Bits of both states. */
enum {
    SFD_SESSION_WAKE = 1,  /* this side sleeps, or is about to */
    SFD_SESSION_ENDING = 2 /* the daemon's: it takes no further requests, and ends the session when it is idle */
};

enum sfd_session_operation {
    SFD_SESSION_NOTHING = 0,  /* completes at once */
    SFD_SESSION_OPEN = 1,     /* a path: the completion has a handle */
    SFD_SESSION_SEND = 2,     /* a file, or a path, to a destination */
    SFD_SESSION_READ = 3,     /* a file, or a path, into a buffer */
    SFD_SESSION_LOAD = 4,     /* a file, or a path, into the page cache */
    SFD_SESSION_RELEASE = 5,  /* a handle, of any kind, is used no more */
    SFD_SESSION_WITHDRAW = 6, /* cancels the request in flight whose user data is `target`; ENOENT: there is none. The
                                 completion of that tells by `moved` what it has sent until then */
    SFD_SESSION_OPERATIONS    /* how many there are */
};

/* Flags of a request. */
enum {
    SFD_SESSION_PATH = 1, /* the file is named by a path */
    /* The next request of the ring, whenever it is submitted, begins when this one is complete; if this one fails, it
       is not begun (ECANCELED), nor is what is linked to it. */
    SFD_SESSION_LINK = 2,
    SFD_SESSION_FLAGS_ALL = 3
};

/* What a handle stands for. */
enum sfd_session_kind {
    SFD_SESSION_FREE = 0,
    SFD_SESSION_FILE = 1,        /* a regular file, open for reading */
    SFD_SESSION_DESTINATION = 2, /* a socket, pipe, file or device that bytes are sent to */
    SFD_SESSION_BUFFER = 3, /* a memory file that bytes are read into; sealed, F_SEAL_SHRINK and F_SEAL_GROW at least */
    SFD_SESSION_KINDS
};

/* A length: to the end of the file. */
#define SFD_SESSION_TO_END UINT64_MAX

/* An entry of the submission ring. What an operation has no use for is 0; some of that is refused (EINVAL). */
struct sfd_session_entry {
    uint8_t operation; /* of enum sfd_session_operation */
    uint8_t flags;     /* SFD_SESSION_PATH, SFD_SESSION_LINK */
    uint8_t technique; /* of enum sfd_technique; SEND */
    uint8_t options;   /* SFD_OPTION_*; SEND */
    uint32_t file;     /* handle; of RELEASE, of any kind */
    uint64_t user_data;
    int64_t offset;       /* of the file's first byte */
    uint64_t length;      /* bytes of the file, or SFD_SESSION_TO_END */
    uint32_t destination; /* handle: of a destination, or of a buffer */
    uint32_t data;        /* where the path, without a NUL, and behind it the head are in the arena */
    uint16_t path_length;
    uint16_t head_length; /* bytes that are sent before the file's; SEND */
    uint32_t idle_ms;     /* as in struct sfd_options; SEND */
    uint64_t target;      /* READ: where in the buffer; SEND: the rate, bytes a second, 0: no limit; WITHDRAW */
    uint32_t deadline_ms; /* SEND */
    uint32_t reserved;    /* 0 */
};

/* An entry of the completion ring. */
struct sfd_session_completion {
    uint64_t user_data;
    uint32_t error;     /* 0, or an errno */
    uint8_t operation;  /* of enum sfd_session_operation, or SFD_SESSION_REGISTERED */
    uint8_t technique;  /* by which the bytes were moved; 0: by none */
    uint16_t reserved0; /* 0 */
    uint64_t moved;   /* bytes that the destination, or the buffer, has accepted: also beside an error. With the head */
    uint32_t handle;  /* OPEN, Register */
    uint32_t mode;    /* of OPEN, as those that follow: st_mode */
    uint64_t size;    /* of OPEN: of the file, bytes */
    int64_t mtime_ns; /* nanoseconds since 1970 */
    uint64_t inode;
    uint64_t device;
};

/* The operation of a completion that answers a Register. */
#define SFD_SESSION_REGISTERED 0x40

/* ---- the functions ---- */

struct sfd_session;

/* All zeros asks for nothing. */
struct sfd_session_options {
    uint32_t submissions; /* the most requests that wait for the daemon, a power of two; 0: 64 */
    uint32_t completions; /* the most requests and registrations that are not reaped, a power of two; 0: twice as many
                             as submissions. Both from 4 to 8192 */
    uint32_t arena;       /* bytes for paths and heads of requests that wait, up to 1 MiB; 0: 512 for each of them */
    uint32_t reserved[5]; /* 0 */
};

/* What is asked for; copied by the call. */
struct sfd_session_request {
    uint32_t operation;   /* of enum sfd_session_operation */
    uint32_t flags;       /* SFD_SESSION_LINK */
    uint32_t file;        /* handle; ignored with a path. Of RELEASE, of any kind */
    uint32_t destination; /* handle: SEND of a destination, READ of a buffer */
    uint64_t user_data;   /* the program's: the completion has it */
    const char *path;     /* OPEN; in place of a file's handle for SEND, READ, LOAD; NULL: none */
    const void *head;     /* SEND: bytes before the file's */
    size_t head_length;
    int64_t offset;                    /* of the file's first byte */
    uint64_t length;                   /* bytes of the file, or SFD_SESSION_TO_END */
    uint64_t target;                   /* READ: where in the buffer; WITHDRAW: the user data of what is cancelled */
    const struct sfd_options *options; /* SEND; NULL: none. Its `version` is ignored */
    uint64_t reserved[2];              /* 0 */
};

/*
 * Opens a session with the daemon that sfd_connect() with the same arguments would find.
 *
 *   options   borrowed; NULL: none
 *   session   untouched on failure; the caller closes it
 *
 * 0 or -1. Blocks until the daemon has answered, for some 100 us, or for 5 s at the most. errno: those of
 * sfd_connect(), of which ENOENT and ECONNREFUSED can also mean that the daemon offers no sessions: then
 * sfd_connect() works; EINVAL (sizes that are no powers of two or out of range; a reserved field is not 0), EACCES (the
 * daemon does not serve this user), EDQUOT or EMFILE (it has no room for another session of this program, or of all),
 * EAGAIN (too many sessions are being opened), EPROTONOSUPPORT (it does not know this version), ESHUTDOWN (it is about
 * to end; another one may have taken its place: try again), ETIMEDOUT (it does not answer), ECONNRESET (it has ended),
 * EPROTO (something else has answered), ENOMEM.
 */
int sfd_session_open(const char *server_sockdir, const char *server_name, const struct sfd_session_options *options,
                     struct sfd_session **session) SFD_API;

/*
 * Closes the session: what is in flight is cancelled, and everything that was registered is freed. Completions that
 * were not reaped are lost. Does not block. NULL: nothing happens.
 */
void sfd_session_close(struct sfd_session *session) SFD_API;

/*
 * The descriptor to watch, for reading. It becomes readable when there are completions, or the session ends, once
 * sfd_session_reap() has given 0, or has not been called yet; and stays so until it gives 0 again, or fails. Who has
 * reaped less than all is not woken for the rest. Not to be closed or read.
 */
int sfd_session_fd(const struct sfd_session *session) SFD_API;

/*
 * Registers a descriptor. The daemon gets a duplicate: the caller may close its own, but what it stands for, such as a
 * connection, stays open until the handle is released (SFD_SESSION_RELEASE).
 *
 *   kind        of enum sfd_session_kind
 *   fd          borrowed
 *   user_data   of the completion, whose `handle` is then valid, or whose `error` says why there is none: EDQUOT (more
 *               descriptors than one client may have), EFBIG (a buffer above SFD_SESSION_BUFFER_MAX), EMFILE (the
 * daemon has none free), ENOMEM; EBADF, EINVAL, EOPNOTSUPP, EPERM, EACCES, ENOTCONN (it cannot be what it is to be)
 *
 * 0 or -1. Does not block: errno EAGAIN: the daemon has not received earlier ones yet, or as many requests are in
 * flight as the completion ring has room for: reap first. EBADF, EINVAL (an unknown kind), ETOOMANYREFS, ENOBUFS,
 * ENOMEM; ENOTCONN: the session has ended.
 */
int sfd_session_register(struct sfd_session *session, enum sfd_session_kind kind, int fd, uint64_t user_data) SFD_API;

/*
 * Submits requests, in order, as many as there is room for. They run in any order, and beside each other, but for
 * linked ones: the bytes of two that send to one destination can be mixed.
 *
 * Returns how many were submitted, from 0 to `count`: fewer when the ring or its arena is full: reap, or wait, and
 * submit the rest. Or -1, and errno says what is wrong with the first one: EINVAL (an unknown operation or flag, a path
 * that is missing, empty or unasked; a head or options of anything but SEND), ENAMETOOLONG (a path above 4095 bytes),
 * EMSGSIZE (path and head are longer than the arena, or, if there is a head, than 4063 bytes), ENOTCONN (the session
 * has ended). Does not block. All else that is wrong with a request is the error of its completion.
 *
 * The daemon may keep a file open that was named by a path, for the next request by that path (its --open-files). Once
 * nobody asks for it any more, it is closed within about two seconds, or twice --open-files-age if that is longer.
 */
int sfd_session_submit(struct sfd_session *session, const struct sfd_session_request *requests, size_t count) SFD_API;

/*
 * Gives completions that have come.
 *
 * Returns how many, up to `most`. 0: there are none, and sfd_session_fd() becomes readable when there are. -1: errno
 * ENOTCONN: the session has ended, and everything that it still gave has been given; what was in flight has ended, in
 * whatever state. Does not block.
 */
int sfd_session_reap(struct sfd_session *session, struct sfd_session_completion *completions, size_t most) SFD_API;

/* How many requests, with registrations, have been submitted and not been reaped. */
size_t sfd_session_in_flight(const struct sfd_session *session) SFD_API;

#ifdef __cplusplus
}
#endif

#endif
