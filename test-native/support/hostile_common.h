/*
 * A client that means harm, or is as broken as if it did: datagrams of every wrong kind, with descriptors of every
 * type.
 *
 * Role: the storm sends nothing else, the soak mixes them into honest work. All is drawn from a seed, so that what
 * happened once can be had again. Thread: each has its own struct hostile; a pool may be shared, it does not change.
 */
#ifndef SFD_TEST_HOSTILE_H
#define SFD_TEST_HOSTILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- chance (xorshift64*) ---- */

struct chance {
    uint64_t state;
};

void chance_init(struct chance *chance, uint64_t seed);
uint64_t chance_next(struct chance *chance);
/* 0 .. n-1 */
uint32_t chance_below(struct chance *chance, uint32_t n);
/* True in `percent` of 100 cases. */
bool chance_of(struct chance *chance, uint32_t percent);

/* ---- descriptors of every type (hostile_pool_common.c) ---- */

enum { POOL_MAX = 64 };

struct pool {
    int fds[POOL_MAX];
    const char *names[POOL_MAX];
    size_t count;
    int kept[POOL_MAX]; /* the other ends of pairs, never passed on */
    size_t kept_count;
};

/* Opens whatever this machine and user can have of them; `socket` is the daemon's request socket. */
void pool_open(struct pool *pool, const char *socket);

/* Takes what has arrived at the other ends, and puts the files back to their start, so that none grows. */
void pool_drain(struct pool *pool);

void pool_close(struct pool *pool);

/* ---- datagrams ---- */

enum {
    DATAGRAM_MAX = 65536,
    DATAGRAM_FDS = 253, /* SCM_MAX_FD */
    HELD = 32,
    PAST_IDS = 64,
};

struct hostile {
    struct chance chance;
    const struct pool *pool;
    const char *path; /* of a file that the daemon serves */
    int socket;       /* owned */

    uint8_t bytes[DATAGRAM_MAX];
    size_t length;
    int fds[DATAGRAM_FDS];
    size_t fd_count;
    int own; /* a fresh status channel's write end among fds, or -1 */

    struct {
        int status; /* our end, or -1 */
        bool asked; /* its File Information has come, or never will */
    } held[HELD];
    size_t next_held;
    uint64_t ids[PAST_IDS]; /* of transfers, most of them over */
    size_t id_count;

    uint64_t sent;
    uint64_t descriptors; /* passed on */
    uint64_t crowded;     /* datagrams that went without descriptors: the kernel had too many under way */
};

/* Connects to the daemon; ends the program if there is none. */
void hostile_init(struct hostile *hostile, const struct pool *pool, const char *socket, const char *path,
                  uint64_t seed);

/* Lets go of everything. */
void hostile_deinit(struct hostile *hostile);

/*
 * Makes and sends one datagram (some are sent twice). 0, or an errno: EAGAIN if the daemon has taken nothing for
 * HOSTILE_PATIENCE_S seconds, ECONNREFUSED if it is gone.
 */
int hostile_send(struct hostile *hostile);

enum { HOSTILE_PATIENCE_S = 20 };

/* A connected request socket that gives up after HOSTILE_PATIENCE_S seconds. */
int hostile_connect(const char *socket);

/* Sends a datagram with descriptors, which stay the caller's; 0 or an errno. */
int hostile_send_bytes(int socket, const void *bytes, size_t length, const int *fds, size_t fd_count);

#endif
