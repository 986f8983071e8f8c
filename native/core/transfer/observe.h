/*
 * What is told of requests and transfers: the one place that hears of each, in the order of its life.
 *
 *     begin --> opened --> moves_by --> moved ... --> end --> forget
 *                             waits, at any time
 *     refused: a request that became no transfer
 *
 * Role: fills the loop's part of the counters (base/counters_file.h) and the transfer's row there, and tells the
 * journal (base/journal.h) of ends. Thread: the loop's. Owns nothing. Never: makes a system call, but reads the clock
 * (vDSO) for the first byte and for the end, and wakes the reader of a journal; allocates; lets what it finds in that
 * memory decide about a transfer.
 *
 * A transfer's row is the one of its position in the table of its loop. Those beyond the last row are counted, but have
 * no row: no id, no times.
 */
#ifndef SFD_TRANSFER_OBSERVE_H
#define SFD_TRANSFER_OBSERVE_H

#include <stddef.h>
#include <stdint.h>

#include "base/counters_file.h"
#include "transfer/transfer.h"

/* A request that was refused before it was a transfer. */
struct sfd_refused_request {
    uint8_t command;  /* as in struct sfd_slot; 0: none that is known */
    uint64_t process; /* of the sender, base/client_account.h; 0: unknown */
    uint32_t uid;
    const char *path; /* borrowed for the call; NULL: it has none, or none that was decoded */
    size_t path_length;
};

/* `loop` of the counters of this loop; `rows` for its transfers, by their position in its table; NULL: none. */
void sfd_observe_init(struct sfd_context *context, struct sfd_counters_loop *loop, struct sfd_counters_row *rows,
                      uint32_t row_count, uint32_t index);

/* From here on ends are told of in that ring of a journal, too. */
void sfd_observe_keep(struct sfd_context *context, struct sfd_journal *journal, uint32_t ring);

/* The row of a transfer; NULL: it has none. */
struct sfd_counters_row *sfd_observe_row(const struct sfd_context *context, const struct sfd_transfer *transfer);

/* The number by which others name it: unique in the instance; 0: it has no row. */
uint64_t sfd_observe_id(const struct sfd_context *context, const struct sfd_transfer *transfer);

/* The index of the loop that gave such a number; UINT32_MAX: none has. Any thread. */
uint32_t sfd_observe_loop_of(uint64_t id);

/* It is admitted. context->now_ns is the time of receipt. */
void sfd_observe_begin(struct sfd_context *context, const struct sfd_transfer *transfer,
                       const struct sfd_transfer_request *request);

/* Its opened file is asked for now (Send Open File): times count from here on. */
void sfd_observe_asked(struct sfd_context *context, const struct sfd_transfer *transfer);

/* Its file is open, and so its size known. */
void sfd_observe_opened(struct sfd_context *context, const struct sfd_transfer *transfer);

/* transfer->technique moves it from here on. */
void sfd_observe_moves_by(struct sfd_context *context, const struct sfd_transfer *transfer);

/* Its destination has accepted so many bytes, perhaps 0. */
void sfd_observe_moved(struct sfd_context *context, const struct sfd_transfer *transfer, uint64_t bytes);

/* The disk pool is needed: for a window that is not resident, or for something else. */
void sfd_observe_cold(struct sfd_context *context, const struct sfd_transfer *transfer, bool window);

/* Where it waits now. */
void sfd_observe_waits(const struct sfd_context *context, const struct sfd_transfer *transfer,
                       enum sfd_waits_for waits_for);

/*
 * It has ended: once for each transfer that has begun. `error` is the -errno of a refusal or failure, else 0. Gives the
 * time, of CLOCK_MONOTONIC.
 */
uint64_t sfd_observe_end(struct sfd_context *context, const struct sfd_transfer *transfer, enum sfd_outcome outcome,
                         int error);

/* It leaves its loop, and its row is free. */
void sfd_observe_forget(const struct sfd_context *context, const struct sfd_transfer *transfer);

/* A request that was no transfer: `error` is the -errno that it was refused with; -ECANCELED: its client withdrew it.
 */
void sfd_observe_refused(struct sfd_context *context, const struct sfd_refused_request *request, int error);

/* A request that was served, or has failed, without a transfer. */
struct sfd_at_once {
    uint8_t command;   /* as in struct sfd_slot */
    uint8_t technique; /* that moved its bytes; 0: none */
    uint64_t process;
    uint32_t uid;
    uint64_t bytes;
    const char *path; /* borrowed; NULL: none */
    size_t path_length;
};

/* `error` is 0 or the -errno of its failure. */
void sfd_observe_at_once(struct sfd_context *context, const struct sfd_at_once *request, int error);

/* So many bytes of a request were moved before it became a transfer. */
void sfd_observe_before(struct sfd_context *context, uint8_t command, uint8_t technique, uint64_t bytes);

/* A command that makes no transfer was received: Send Open File, or Cancel. */
void sfd_observe_command(struct sfd_context *context, uint8_t command);

#endif
