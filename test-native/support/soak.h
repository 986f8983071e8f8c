/*
 * The parts of soak: its threads (soak.c), and one honest transfer or one that is left (soak_transfer.c).
 */
#ifndef SFD_TEST_SOAK_H
#define SFD_TEST_SOAK_H

#include <stddef.h>
#include <stdint.h>

#include "hostile_common.h"

enum { SOAK_FILES = 32 };

/* A file that the daemon serves, and its bytes as they are for us. */
struct soak_file {
    const char *path;
    char *name; /* for us */
    const uint8_t *bytes;
    uint64_t size;
};

struct soak {
    struct soak_file files[SOAK_FILES];
    size_t count;
    size_t biggest;
};

/* One thread's: what it has done. */
struct soaker {
    const struct soak *soak;
    struct chance chance;
    int socket; /* owned */
    uint64_t honest, hostile;
    uint64_t bytes; /* received and compared */
    uint64_t failures;
    char first_failure[200];
};

/* A transfer of any kind, waited for to its end and compared byte by byte. */
void soak_transfer(struct soaker *soaker);

/* A transfer that its client leaves, cancels or dies of, at any point. */
void soak_leave(struct soaker *soaker);

#endif
