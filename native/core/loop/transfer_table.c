/*
 * The table of transfers of one loop.
 */
#include "loop/transfer_table.h"

#include <errno.h>
#include <stdlib.h>

#define POSITION_BITS 20
_Static_assert(SFD_TRANSFER_TABLE_MAX == (uint32_t)1 << POSITION_BITS, "a position fits");
#define LOOP_BITS    3
#define RANDOM_SHIFT (POSITION_BITS + LOOP_BITS)
_Static_assert(SFD_ID_MIN == (uint64_t)1 << RANDOM_SHIFT, "ids begin behind position and loop");
#define TAG_SHIFT 57
_Static_assert((uint64_t)SFD_ID_TAGS << TAG_SHIFT == SFD_ID_MAX, "the tag is the upper part of what epoll can carry");
#define RANDOM_MASK (((uint64_t)1 << (TAG_SHIFT - RANDOM_SHIFT)) - 1)

void sfd_transfer_table_init(struct sfd_transfer_table *table, uint32_t loop)
{
    *table = (struct sfd_transfer_table){.loop = loop, .free = SFD_TRANSFER_TABLE_MAX};
}

void sfd_transfer_table_deinit(struct sfd_transfer_table *table)
{
    free(table->entries);
    sfd_transfer_table_init(table, table->loop);
}

static int grow(struct sfd_transfer_table *table)
{
    const uint32_t capacity = table->capacity == 0 ? 64 : table->capacity * 2;

    if (table->capacity == SFD_TRANSFER_TABLE_MAX) return -EMFILE;
    struct sfd_transfer_table_entry *entries = realloc(table->entries, capacity * sizeof(*entries));
    if (entries == NULL) return -ENOMEM;
    for (uint32_t i = table->capacity; i < capacity; i++)
        entries[i] = (struct sfd_transfer_table_entry){.next_free = i + 1 < capacity ? i + 1 : SFD_TRANSFER_TABLE_MAX};
    table->free = table->capacity;
    table->entries = entries;
    table->capacity = capacity;
    return 0;
}

/* Random bits that are neither all 0 nor all 1, whatever the position. */
static int draw(struct sfd_transfer_table *table, uint64_t *out)
{
    for (;;) {
        if (table->random_left == 0) {
            const int result = sfd_sys_random(table->random, sizeof(table->random));
            if (result < 0) return result;
            table->random_left = sizeof(table->random) / sizeof(table->random[0]);
        }
        const uint64_t bits = table->random[--table->random_left] & RANDOM_MASK;
        if (bits == 0 || bits == RANDOM_MASK) continue;
        *out = (uint64_t)table->tag << (TAG_SHIFT - RANDOM_SHIFT) | bits;
        return 0;
    }
}

int sfd_transfer_table_add(struct sfd_transfer_table *table, struct sfd_transfer *transfer)
{
    uint64_t bits;
    int result = draw(table, &bits);

    if (result < 0) return result;
    if (table->free == SFD_TRANSFER_TABLE_MAX) {
        result = grow(table);
        if (result < 0) return result;
    }
    const uint32_t position = table->free;
    table->free = table->entries[position].next_free;
    table->entries[position].transfer = transfer;
    table->count++;
    transfer->id = bits << RANDOM_SHIFT | (uint64_t)table->loop << POSITION_BITS | position;
    return 0;
}

static uint32_t position_of(uint64_t id)
{
    return (uint32_t)(id & (SFD_TRANSFER_TABLE_MAX - 1));
}

void sfd_transfer_table_remove(struct sfd_transfer_table *table, const struct sfd_transfer *transfer)
{
    const uint32_t position = position_of(transfer->id);

    table->entries[position] = (struct sfd_transfer_table_entry){.next_free = table->free};
    table->free = position;
    table->count--;
}

struct sfd_transfer *sfd_transfer_table_find(const struct sfd_transfer_table *table, uint64_t id)
{
    const uint32_t position = position_of(id);

    if (position >= table->capacity) return NULL;
    struct sfd_transfer *transfer = table->entries[position].transfer;
    return transfer != NULL && transfer->id == id ? transfer : NULL;
}

struct sfd_transfer *sfd_transfer_table_next(const struct sfd_transfer_table *table, uint32_t *position)
{
    while (*position < table->capacity) {
        struct sfd_transfer *transfer = table->entries[(*position)++].transfer;
        if (transfer != NULL) return transfer;
    }
    return NULL;
}

uint32_t sfd_transfer_table_tag_of(uint64_t id)
{
    return (uint32_t)(id >> TAG_SHIFT) & (SFD_ID_TAGS - 1);
}

uint32_t sfd_transfer_table_loop_of(uint64_t id)
{
    return (uint32_t)(id >> POSITION_BITS) & ((1u << LOOP_BITS) - 1);
}
