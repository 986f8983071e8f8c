/*
 * The settings of one engine.
 *
 * Role: one struct for the engine, its loops and its transfers. It is in the lowest folder that reads it and may
 * include the types of all its members. Thread: filled before the first loop starts, constant afterwards, read by all;
 * a reload makes others, which each loop copies between two turns (loop/loop.h). The disk pool keeps to the first ones,
 * and so reads only what no reload changes.
 */
#ifndef SFD_TRANSFER_SETTINGS_H
#define SFD_TRANSFER_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/client_account.h"
#include "protocol/technique.h"

struct sfd_settings {
    uint32_t loops; /* no reload changes it */
    uint32_t max_transfers;
    struct sfd_limits client; /* what one client may have */
    uint64_t memory;          /* bytes that are filled for all clients at once; 0: memory_budget.h */
    uint64_t client_memory;   /* the same for one client */
    uint32_t open_timeout_ms;
    uint32_t buffer_size;      /* bytes; of read-write, one a loop; no reload changes it */
    uint64_t quantum;          /* bytes that one transfer may move a turn */
    uint32_t idle_timeout_ms;  /* without a byte moved; 0: never */
    uint32_t drain_timeout_ms; /* to wait for room for the final message; 0: no limit */
    uint32_t open_files;       /* the most files that are kept open for sessions; 0: none; not by a reload */
    uint32_t open_files_ms;    /* for so long they are used unchecked; not by a reload */
    uint32_t follow_root;      /* not 0: the path of the root is resolved anew for each request; not by a reload */
    bool selector;             /* a selector answers the selections of each turn; no reload changes it */
    uint8_t rule_count;
    struct sfd_rule rules[SFD_RULES_MAX]; /* for `auto`, the first that matches and fits */
};

#endif
