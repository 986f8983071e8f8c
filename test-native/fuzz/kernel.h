/*
 * A kernel whose every answer is decided by the bytes of an input: the system calls of struct sfd_sys, over descriptors
 * that exist in a table only. So millions of faults, short counts, events and clocks a minute, each run the same as the
 * last.
 *
 * It checks what no caller may do: use or close a descriptor that is closed or was never given, forget one in epoll,
 * move other bytes than the file has at that place, write to a status channel behind its last message, or say complete
 * too soon, before a destination is sealed that has to be.
 * When the bytes are used up every call succeeds, so that all that is under way comes to its end.
 */
#ifndef SFD_FUZZ_KERNEL_H
#define SFD_FUZZ_KERNEL_H

#include <sys/types.h>

#include "fuzz.h"
#include "protocol/wire.h"
#include "sys/sys.h"

#define KERNEL_FD_BASE    1000000 /* /proc/self/fd has none of these */
#define KERNEL_FDS_MAX    4096
#define KERNEL_REQUEST_FD (KERNEL_FD_BASE - 1)
#define KERNEL_ROOT_FD    (KERNEL_FD_BASE - 2)
#define KERNEL_NULL_FD    (KERNEL_FD_BASE - 3)

enum kernel_kind {
    KERNEL_PIPE,
    KERNEL_TCP,
    KERNEL_UNIX,
    KERNEL_FILE,
    KERNEL_NULL,
    KERNEL_OTHER,
    KERNEL_DIRECTORY,
    KERNEL_PIDFD,
    KERNEL_KINDS,
};

/* Pids are from here on, and so many. */
#define KERNEL_PID_BASE 100
#define KERNEL_PIDS     4

/* A file that was opened, and who may take its bytes. */
struct kernel_open {
    uint64_t id; /* 0: not told yet */
    int pid;
    uint64_t begin; /* of the range */
    int dest;       /* that takes the bytes; -1: none has so far */
};

/* What a status channel has said. */
struct kernel_said {
    bool is_read; /* the file's bytes follow the File Information */
    bool info;
    bool ended; /* its last message */
    bool complete;
    uint64_t size;
    uint64_t progress;
    uint64_t messages;
    uint8_t part[SFD_WIRE_MAX_RESPONSE_SIZE]; /* of a message */
    size_t part_length;
};

struct kernel_fd {
    enum kernel_kind kind;
    bool open;
    int flags; /* O_... */

    /* epoll */
    bool registered;
    int epoll; /* with this one */
    bool armed;
    uint32_t events;
    uint64_t data;

    /* a pipe or socket: the client's end */
    bool gone; /* nobody reads */
    bool full; /* it has refused bytes at least once */
    bool linger;
    bool is_ours;      /* made by the core: a copy's */
    uint64_t held;     /* bytes of a file in it */
    int64_t held_from; /* its offset of the first of them */

    /* a file */
    uint64_t size;
    uint64_t hole; /* zeros from here on, to the end */
    uint64_t device;
    uint64_t position; /* where the client has it; a copy leaves it there until the end */
    bool sealed;       /* against all that could change it */

    /* a status channel */
    bool is_status;
    bool must_answer;
    bool must_seal; /* its destination, before complete */
    struct kernel_said said;
    int dest; /* of its request; -1: none, or its own */

    /* that takes a file's bytes */
    int pid; /* a pidfd */

    bool forbidden; /* its request is nobody's to make */
    bool any;       /* takes whatever comes: of a session, whose requests run beside each other */
    uint64_t begin; /* of the range */
    uint64_t taken;
    int opened; /* index of struct kernel_open, -1 */
};

/* One datagram on its way. */
struct kernel_datagram {
    uint8_t bytes[4400];
    size_t length;
    int fds[253];
    unsigned fd_count;
    int pid;
    unsigned uid;
    int pidfd; /* SCM_PIDFD: a descriptor, or -errno; 0: none */
    bool anonymous;
    uint8_t extra; /* bits: control messages that are no credentials and no rights */
};

struct kernel {
    struct fuzz_bytes bytes;
    bool quiet; /* no faults; still short counts and full pipes */
    bool zeros; /* some file has or gets holes, or has lost its end: zeros can stand for any byte */
    int epoll;  /* that the request socket is registered with; -1: none */
    uint64_t now_ms;
    unsigned fd_count;
    struct kernel_fd fds[KERNEL_FDS_MAX];
    unsigned open_count;
    struct kernel_open opens[256];
    unsigned mappings;
    bool dead[KERNEL_PIDS]; /* processes that have ended */
    unsigned first;         /* of the datagrams that wait, modulo 16 */
    unsigned waiting;
    struct kernel_datagram queue[16];
};

extern struct kernel kernel;
extern const struct sfd_sys kernel_sys;

/* Forgets everything. `data` is borrowed. */
void kernel_reset(const uint8_t *data, size_t size);

/* A new descriptor, or -1 when the table is full. */
int kernel_new(enum kernel_kind kind);

/* What every file has at an offset, but in its holes. */
uint8_t kernel_byte_at(uint64_t offset);

/* The entry of an open descriptor; anything else is a failure of the caller. */
struct kernel_fd *kernel_fd(int fd);

/* The entry, also of a closed one. */
struct kernel_fd *kernel_any(int fd);

bool kernel_is_ours(int fd);

/* A process ends: nobody waits for its answers any more. */
void kernel_end_process(unsigned index);

/* Room for one more datagram at the end of the queue, emptied; NULL when it is full. */
struct kernel_datagram *kernel_send(void);

/* Nothing may be open any more, or mapped. */
void kernel_check_empty(void);

#endif
