/*
 * The parts of load: options (load_options.c), one transfer at a time (load_transfer.c), and the workers (load.c).
 */
#ifndef SFD_BENCH_LOAD_H
#define SFD_BENCH_LOAD_H

#include "bench_common.h"

#include <pthread.h>

enum { MAX_PATHS = 512, MAX_DEPTH = 4096, MAX_THREADS = 512, MAX_SAMPLES = 4 * 1000 * 1000 };

struct options {
    const char *socket;
    const char *paths[MAX_PATHS];
    size_t path_count;
    int command; /* of version 1; `extended` adds to it */
    bool extended;
    struct request_options request;
    enum channel_kind channel;
    size_t threads, depth;
    long count, warmup;
    double seconds;
    int64_t offset;
    uint64_t length;
    int pipe_size;
    pid_t server_pid;
    bool wait_eof, announce;
    bool discard;          /* receivers of big files let the kernel drop the bytes */
    bool rude;             /* tries again instead of waiting for its turn */
    bool malformed;        /* requests that are none, and get no answer */
    unsigned slice_ms;     /* requests are counted for each so many milliseconds; 0: only in all */
    long user;             /* uid, once it has connected; -1: as it was started */
    const char *directory; /* where a file to write to is made; NULL: in memory */
    const char *cold;      /* directory where the paths can be made cold, or NULL */
    const uint8_t *reference;
    uint64_t reference_size;
};

struct slot {
    int status;       /* our end of the status pipe */
    int source, sink; /* the destination's two ends, for sends */
    uint64_t started_ns;
    uint64_t expected; /* bytes that the receiver thread waits for */
    pthread_t receiver;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool receiving, ended;
};

struct worker {
    pthread_t thread;
    size_t number;
    int socket;
    struct slot *slots;
    uint8_t *buffer;
    uint64_t *samples;
    size_t sample_count;
    uint64_t requests, bytes, failures;
    uint64_t cold_windows;
    int technique; /* of the last extended transfer */
    int first_errno;
    char first_failure[160];
};

/* Made by parse_options, read by all. */
extern struct options opt;

/* Exits on a wrong command line; starts the timeout. */
void parse_options(int argc, char **argv);

/* Sends the request for a path, with new channels where needed. */
void submit(struct worker *w, struct slot *slot, const char *path);
/* Takes all of its bytes and messages, and counts it. */
void finish(struct worker *w, struct slot *slot);
/* Ends the threads that receive. */
void stop_receivers(struct worker *w);

#endif
