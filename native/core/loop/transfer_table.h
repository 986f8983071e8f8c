/*
 * The table of transfers of one loop: transfer id -> transfer.
 *
 * Role: makes ids that cannot be guessed and matches them exactly. An id is a tag of 6 bits, by which the processes of
 * one instance tell their transfers apart (succession.h), 34 random bits, 3 bits of loop index and 20 bits of table
 * position; it is never 0 and never 2^64 - 1. Thread: one event loop, except sfd_transfer_table_loop_of and _tag_of
 * (any).
 */
#ifndef SFD_LOOP_TRANSFER_TABLE_H
#define SFD_LOOP_TRANSFER_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "transfer/transfer.h"

#define SFD_TRANSFER_TABLE_MAX SFD_TRANSFERS_MAX

/* Bit 63 of an id stays clear, so that epoll can carry an id and one bit more. */
#define SFD_ID_MAX ((uint64_t)1 << 63)

/* Tag and random bits of an id are not all 0: epoll can carry what is below for something else. */
#define SFD_ID_MIN ((uint64_t)1 << 23)

/* Tags are below. */
#define SFD_ID_TAGS 64

struct sfd_transfer_table_entry {
    struct sfd_transfer *transfer; /* NULL: free */
    uint32_t next_free;
};

struct sfd_transfer_table {
    struct sfd_transfer_table_entry *entries;
    uint32_t capacity;
    uint32_t free; /* first free position, SFD_TRANSFER_TABLE_MAX when there is none */
    uint32_t count;
    uint32_t loop;
    uint32_t tag;        /* 0 unless it is set before the first transfer */
    uint64_t random[32]; /* drawn in batches: one system call for 32 ids */
    uint32_t random_left;
};

void sfd_transfer_table_init(struct sfd_transfer_table *table, uint32_t loop);
void sfd_transfer_table_deinit(struct sfd_transfer_table *table);

/* Adds the transfer and gives it its id. 0, -ENOMEM, -EMFILE when the table is full, or the -errno of getrandom(2). */
int sfd_transfer_table_add(struct sfd_transfer_table *table, struct sfd_transfer *transfer);

void sfd_transfer_table_remove(struct sfd_transfer_table *table, const struct sfd_transfer *transfer);

/* The transfer of exactly this id, or NULL. */
struct sfd_transfer *sfd_transfer_table_find(const struct sfd_transfer_table *table, uint64_t id);

/* The first transfer at or behind *position, which is advanced; NULL at the end. For the stop. */
struct sfd_transfer *sfd_transfer_table_next(const struct sfd_transfer_table *table, uint32_t *position);

/* The index of the loop that gave this id, if any did. */
uint32_t sfd_transfer_table_loop_of(uint64_t id);

/* The tag of the process that gave this id, if any did. */
uint32_t sfd_transfer_table_tag_of(uint64_t id);

#endif
