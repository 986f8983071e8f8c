/*
 * The parts of holder: the program and its clients' life (holder.c), one transfer as a client sees it
 * (holder_transfer.c), clients that hold a lock of the kernel (holder_locks.c), and what holds a call of the daemon
 * without a lock: permission events and evicted pages (holder_events.c).
 */
#ifndef SFD_TEST_HOLDER_H
#define SFD_TEST_HOLDER_H

#include <sendfiled.h>

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct holder;

struct holder_kind {
    const char *name;
    void (*run)(const struct holder *holder); /* the life of one client */
    const char *to;                           /* the destination, as driver_open_destination() knows it */
    long pause_ms;                            /* splice: how often its peer reads a little; 0: not before the end */
};

/* Made once, read by all; `number` and what follows it are each client's own. */
struct holder {
    const struct holder_kind *kind;
    const char *socket;
    const char *path;               /* as the daemon knows it */
    const char *file;               /* the same file here */
    const unsigned char *reference; /* its bytes */
    size_t size;
    const char *dead; /* a file on a disk that does not answer */
    bool early;       /* the lock is held before the request is sent */
    long hold_ms;     /* 0: until the end */
    long patience_ms;
    pid_t daemon;
    int over;    /* at its end when all is to be released */
    int held;    /* where a client says that it holds */
    int results; /* where it says how its transfers ended */
    size_t number;
    int requests; /* connected to the daemon */
};

/* How the transfers of a client ended. */
struct outcome {
    uint32_t complete;
    uint32_t failed;     /* with an errno */
    uint32_t aborted;    /* the end of the channel without a last message */
    uint32_t unfinished; /* by the end of our patience */
    uint32_t wrong;      /* other bytes than the file's, or other numbers than the bytes */
    int32_t first_errno;
};

enum { RELEASE_MS = 20000 }; /* how long a client's transfers may take after the release */

long now_ms(void);

/* Whether all is to be released; waits for that so long, -1: without limit. */
bool is_over(const struct holder *holder, long timeout_ms);
void say_held(const struct holder *holder);
void say_outcome(const struct holder *holder, const struct outcome *outcome);

/* ---- holder_transfer.c: one thread at a time ---- */

struct transfer {
    const struct holder *holder;
    struct sfd_events events;
    int channel;       /* where messages come, and the bytes of a Read File; -1: at its end */
    int data;          /* where the bytes of a Send File come; -1: none, or at its end */
    uint64_t foreign;  /* bytes that come first and are not the daemon's */
    uint64_t received; /* bytes of the file */
    bool ended;
    bool wrong;
    struct sfd_event end;
};

/* A Read File, whose messages and bytes come at `channel`, behind `foreign` bytes. */
void transfer_begin_read(struct transfer *t, const struct holder *holder, int channel, uint64_t foreign);
/* A Send File, whose bytes come at `data`; the end of its status channel that is the daemon's. */
int transfer_begin_send(struct transfer *t, const struct holder *holder, int data);
/* Takes `status`, borrows `destination`, -1: a Read File. False: the daemon takes no requests. */
bool transfer_ask(const struct holder *holder, int status, int destination);
void transfer_take(struct transfer *t, const unsigned char *bytes, size_t size);
void transfer_end(struct transfer *t);
/* Takes what has come, at most `size` bytes; waits for it, or for the release if that matters, so long. */
void transfer_receive(struct transfer *t, size_t size, long timeout_ms);
/* Receives until the last message; of a Send File also until the end of its bytes if `all`. False: not in time. */
bool transfer_finish(struct transfer *t, bool all, long deadline_ms);
void transfer_count(struct transfer *t, struct outcome *outcome);

/* ---- holder_locks.c ---- */

void hold_by_splice(const struct holder *holder);
void hold_by_read(const struct holder *holder);
void hold_by_socket(const struct holder *holder);

/* ---- holder_events.c ---- */

void hold_by_permission(const struct holder *holder);
void hold_by_eviction(const struct holder *holder);

/* Marks the file; the group, or -1 with errno. */
int permission_open(const struct holder *holder);
/* Answers until the release, then all at once; starts the thread, which takes the group. */
void permission_start(const struct holder *holder, int group, pthread_t *thread);

#endif
