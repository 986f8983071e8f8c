/*
 * For the files of a transfer only:
 *
 *     transfer.c         the state machine
 *     transfer_open.c    opens its file
 *     transfer_source.c  takes the file over, and locks its range
 *     transfer_select.c  which technique moves it
 *     transfer_step.c    one step on the loop
 *     transfer_segments.c  from one segment to the next
 *     transfer_wait.c    between two steps
 *     transfer_end.c     after the last one
 *     transfer_work.c    one job in the disk pool
 *     transfer_load.c    the job that loads a window
 *     transfer_memory.c  the memory that a copy may fill
 *     transfer_snapshot.c  the content of a file that does not tell its size
 *     transfer_content.c  the content of a small file in place of an open one
 */
#ifndef SFD_TRANSFER_TRANSFER_PRIVATE_H
#define SFD_TRANSFER_TRANSFER_PRIVATE_H

#include "disk/open.h"
#include "transfer/transfer.h"

enum sfd_job {
    SFD_JOB_NONE = 0,
    SFD_JOB_OPEN, /* path -> file, device, range, lock */
    SFD_JOB_LOAD, /* the next window */
    SFD_JOB_COPY, /* a slice to a regular file */
};

enum sfd_stays {
    SFD_STAYS_UNKNOWN = 0,
    SFD_STAYS, /* bytes that the disk is asked for ahead will be in the page cache */
    SFD_STAYS_NOT,
};

static inline uint64_t sfd_min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Where a copy goes to. */
struct sfd_target {
    struct sfd_write_range range; /* entered, unless it appends */
    uint64_t start;               /* of the first byte; with O_APPEND: the size of the file before */
    bool appends;
    struct sfd_memory_grant memory; /* to fill a memory file with (transfer_memory.c) */
};

/* The directory below which its path is opened; -1: its root is followed, and not resolved yet. */
static inline int sfd_transfer_root(const struct sfd_transfer *t)
{
    return t->source.root->follow == NULL ? t->source.root->fd : t->source.directory;
}

/* The descriptor that the bytes go to. */
static inline int sfd_transfer_output(const struct sfd_transfer *t)
{
    return t->command == SFD_WIRE_READ_FILE ? t->status.fd : t->destination.fd;
}

/* The bytes that it moves in all, ranges and bytes of the client's; its file is open. */
static inline uint64_t sfd_transfer_size(const struct sfd_transfer *t)
{
    const uint64_t others = t->segments == NULL ? 0 : t->segments->before + t->segments->behind;

    return others + (t->range.end - t->range.begin);
}

/* Of these, those that are moved, and those that are not. */
static inline uint64_t sfd_transfer_moved(const struct sfd_transfer *t)
{
    return (t->segments == NULL ? 0 : t->segments->before) + (t->range.offset - t->range.begin);
}

static inline uint64_t sfd_transfer_left(const struct sfd_transfer *t)
{
    return (t->segments == NULL ? 0 : t->segments->behind) + (t->range.end - t->range.offset);
}

/* The disk pool's queue for a device, or for one that is not known. */
static inline uint8_t sfd_transfer_queue(int device)
{
    return device < 0 ? SFD_QUEUE_OPEN : (uint8_t)(SFD_QUEUE_DEVICES + device);
}

/* Takes the index of the device that its file is on, or will wait for, and puts the one that it had. */
static inline void sfd_transfer_hold_device(const struct sfd_context *context, struct sfd_transfer *t, int device)
{
    sfd_devices_put(context->devices, t->source.device);
    t->source.device = (int16_t)device;
}

/* ---- transfer.c ---- */

/* Has the disk pool do a job. */
enum sfd_next sfd_transfer_offload(struct sfd_context *context, struct sfd_transfer *transfer, enum sfd_job job,
                                   uint8_t queue);

/* Its file is open: goes on as the request asks. */
enum sfd_next sfd_transfer_opened(struct sfd_context *context, struct sfd_transfer *transfer);

/* Its technique is chosen: begins to move. */
enum sfd_next sfd_transfer_move_by(struct sfd_context *context, struct sfd_transfer *transfer,
                                   enum sfd_technique technique);

/* Counts the bytes that a job has copied, also when it ends all the same. */
void sfd_transfer_take_copied(struct sfd_context *context, struct sfd_transfer *transfer);

/* ---- transfer_open.c ---- */

/* Opens a path, or takes the descriptor that a client opened itself. `path` is borrowed, `source` is taken. */
enum sfd_next sfd_transfer_open_path(struct sfd_context *context, struct sfd_transfer *transfer, const char *path);
enum sfd_next sfd_transfer_open_source(struct sfd_context *context, struct sfd_transfer *transfer, int source);

/* Needs its root no more: its file is open, or it ends. Idempotent; for the thread that has it. */
void sfd_transfer_drop_root(const struct sfd_context *context, struct sfd_transfer *transfer);

/* The disk pool has tried to open the file: goes on with the result. */
enum sfd_next sfd_transfer_after_open(struct sfd_context *context, struct sfd_transfer *transfer);

/* Lets the disk pool try once more. */
enum sfd_next sfd_transfer_open_again(struct sfd_context *context, struct sfd_transfer *transfer);

/* ---- transfer_source.c ---- */

/* Takes over an opened file whose device is known: range, times, lock. 0 or -errno. */
int sfd_transfer_adopt(const struct sfd_context *context, struct sfd_transfer *transfer,
                       const struct sfd_opened *opened, int device);

/*
 * Takes the advisory read lock on the range, which the original promised; idempotent. 0 or -errno, -EAGAIN while a
 * process has it locked for writing.
 */
int sfd_transfer_lock(const struct sfd_context *context, struct sfd_transfer *transfer);

/* ---- transfer_select.c ---- */

/*
 * Its source and its destination are known: begins to move, or waits for the selector. Fails when no technique fits, or
 * not the one that its client forces.
 */
enum sfd_next sfd_transfer_choose(struct sfd_context *context, struct sfd_transfer *transfer);

/* The selector has chosen. */
enum sfd_next sfd_transfer_obey(struct sfd_context *context, struct sfd_transfer *transfer);

/* ---- transfer_step.c ---- */

/* Moves at most `limit` bytes from where the transfer stands; `offset` is the caller's to advance. Loop only. */
struct sfd_progress sfd_transfer_step(struct sfd_context *context, struct sfd_transfer *transfer, uint64_t limit);

/* The transfer's descriptors and the loop's buffer, as a mover takes them. */
struct sfd_move sfd_transfer_move(const struct sfd_context *context, const struct sfd_transfer *transfer);

/* ---- transfer_segments.c ---- */

/* The file is open: begins with the first segment that is not empty. 0 or -ERANGE. */
int sfd_transfer_begin_segments(struct sfd_transfer *transfer, uint64_t file_size);

/* Its range is moved: goes on to the next segment that is not empty, if there is one. */
void sfd_transfer_next_segment(struct sfd_transfer *transfer);

/* Frees the bytes that it would send next, unless they belong to a segment. Idempotent. */
void sfd_transfer_drop_bounce(struct sfd_transfer *transfer);

/* ---- transfer_wait.c ---- */

/* Reports to the client what is due. False when the client is gone. */
bool sfd_transfer_tell(struct sfd_context *context, struct sfd_transfer *transfer);

/*
 * Ends a run of the transfer with `next`: takes the lock, reports to the client what is due, and arms the timer of its
 * limits.
 */
enum sfd_next sfd_transfer_pause(struct sfd_context *context, struct sfd_transfer *transfer, enum sfd_next next);

/* Records what it waits for, and arms the timer for when that has lasted too long. */
void sfd_transfer_wait(struct sfd_context *context, struct sfd_transfer *transfer, enum sfd_next wait);

/*
 * A shortage, which `error` names: tries again by the timer, after longer and longer pauses. Fails with the error when
 * the shortage has lasted for the idle timeout; an open is refused after one second.
 */
enum sfd_next sfd_transfer_defer(struct sfd_context *context, struct sfd_transfer *transfer, int error);

/*
 * No event will announce what it waits for: tries again by the timer. To be called before sfd_transfer_wait or
 * sfd_transfer_pause.
 */
void sfd_transfer_retry(struct sfd_context *context, struct sfd_transfer *transfer);

/* It has made progress: the next shortage is a new one. */
void sfd_transfer_got_on(struct sfd_transfer *transfer);

/* True when its deadline is over. */
bool sfd_transfer_is_late(const struct sfd_context *context, const struct sfd_transfer *transfer);

/*
 * The rate: `start` with the first byte; `take` gives how many of `most` bytes may be moved now, 0 when it has to wait
 * for the timer first; `spend` counts those that were. Without a rate all of them may.
 */
void sfd_transfer_rate_start(struct sfd_context *context, struct sfd_transfer *transfer);
uint64_t sfd_transfer_rate_take(struct sfd_context *context, struct sfd_transfer *transfer, uint64_t most);
void sfd_transfer_rate_spend(struct sfd_transfer *transfer, uint64_t moved);

/* ---- transfer_end.c ---- */

/* The destination has accepted every byte. */
enum sfd_next sfd_transfer_complete(struct sfd_context *context, struct sfd_transfer *transfer);

/* Ends it with an error: a refusal if nothing has begun yet. */
enum sfd_next sfd_transfer_fail(struct sfd_context *context, struct sfd_transfer *transfer, int error);
enum sfd_next sfd_transfer_refuse(struct sfd_context *context, struct sfd_transfer *transfer, int error);

/*
 * Only the final message is left: closes the file and the destination first, so that EOF on the status channel means
 * EOF everywhere, and then writes the message, if it has room.
 */
enum sfd_next sfd_transfer_end(struct sfd_context *context, struct sfd_transfer *transfer);

/* Gives back what a copy has taken to write with. Idempotent; for the thread that has the transfer. */
void sfd_transfer_drop_target(const struct sfd_context *context, struct sfd_transfer *transfer);

/* The job is back during which it should have ended: it ends now. */
enum sfd_next sfd_transfer_end_as_due(struct sfd_context *context, struct sfd_transfer *transfer);

/* Its final message has had no room for too long. */
enum sfd_next sfd_transfer_give_up(struct sfd_context *context, struct sfd_transfer *transfer);

/* ---- transfer_load.c ---- */

/* The first window of a new transfer. */
void sfd_transfer_load_init(struct sfd_transfer *transfer);

/* Loads the next window: into the page cache, or into memory where it would not stay or shall not. Disk pool. */
void sfd_transfer_load(const struct sfd_context *context, struct sfd_transfer *transfer);

/*
 * True when what comes next has to go through the disk pool although it may be in the page cache: this transfer has
 * asked for it and shall leave nothing there. The loop would hand pages to sockets and pipes, and those cannot be
 * dropped for as long as the receiver likes.
 */
bool sfd_transfer_loads_to_memory(const struct sfd_transfer *transfer);

/* Before and after part of a copy to a regular file. Disk pool. */
void sfd_transfer_claim(const struct sfd_context *context, struct sfd_transfer *transfer, uint64_t length);
void sfd_transfer_drop(const struct sfd_context *context, struct sfd_transfer *transfer, uint64_t until);

/* ---- transfer_memory.c: the disk pool; only while there is a target ---- */

/*
 * Before the first byte is copied: asks for the memory that the destination needs and does not have yet, if it is a
 * memory file. 0, or -EDQUOT, -ENOBUFS as sfd_memory_budget_take.
 */
int sfd_transfer_take_memory(const struct sfd_context *context, struct sfd_transfer *transfer);

/* So many bytes were copied. */
void sfd_transfer_filled_memory(const struct sfd_context *context, struct sfd_transfer *transfer, uint64_t bytes);

/* The copy is over. Idempotent; for the thread that has the transfer. */
void sfd_transfer_give_memory_back(const struct sfd_context *context, struct sfd_transfer *transfer);

/* ---- transfer_snapshot.c ---- */

/*
 * If the file does not tell its size, reads it to its end, and replaces its descriptor by that of a memory file with
 * the content; *dev is the st_dev of what the descriptor refers to then, and the client is told the file's own. 0, or
 * -errno with the file as it was, among them -EINVAL: its read would wait, or it cannot be read at an offset; -EFBIG:
 * it has more than 4 MiB; -EDQUOT, -ENOBUFS as sfd_memory_budget_take. Disk pool only.
 */
int sfd_transfer_take_snapshot(const struct sfd_context *context, struct sfd_transfer *transfer,
                               struct sfd_opened *file, uint64_t *dev);

/* Gives back the grant of that memory. Idempotent; for the thread that has the transfer. */
void sfd_transfer_drop_snapshot(const struct sfd_context *context, struct sfd_transfer *transfer);

/* ---- transfer_content.c ---- */

/*
 * Its file is open: if its client has asked for the content of such a file, reads it into `bounce` and closes the file.
 * 0, also when it stays open, or -errno with the file open, among them -ENODATA: it ends before its range does. Disk
 * pool only.
 */
int sfd_transfer_take_content(const struct sfd_context *context, struct sfd_transfer *transfer);

#endif
