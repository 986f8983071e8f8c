/*
 * One step of a transfer on its loop: from the page cache, or from memory that the disk pool has filled, to the
 * destination. Never blocks; gives COLD when the disk is needed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "transfer/transfer_private.h"

/* One probe costs 2 us and 7.5 us a MiB; a partly cached file is looked at in smaller pieces. */
#define PROBE_BYTES       ((uint64_t)1024 * 1024)
#define PROBE_BYTES_SMALL ((uint64_t)64 * 1024)

/* Resident pages can be evicted: an answer older than this is not used. */
#define RESIDENT_MS 1000

/*
 * Whether more bytes follow those before `offset`, from the transfer or afterwards from the client: then TCP may delay
 * a packet that is not full, 200 ms at most. Otherwise all bytes are sent at once, also those delayed so far.
 * sendfile(2) has no such flag: the kernel sets it inside a call, and sends the last packet of each call at once.
 */
static bool more_after(const struct sfd_transfer *t, uint64_t offset)
{
    return offset - t->range.offset < sfd_transfer_left(t) || (t->options.flags & SFD_OPTION_MORE) != 0;
}

/* Header and data of a Read File in one write, as long as the header is due. */
static struct sfd_progress memory_step(struct sfd_context *context, struct sfd_transfer *t, char *bytes,
                                       uint64_t length)
{
    const bool more = more_after(t, t->range.offset + length);
    char header[SFD_STATUS_INFO_MAX];
    struct iovec iov[2];
    int count = 0;
    uint64_t header_length = 0;

    if (t->command == SFD_WIRE_READ_FILE && t->status.info_due) {
        /*
         * The header fits as a whole or not at all: only this transfer writes to the client's pipe, whose first page is
         * empty or is being read.
         */
        header_length = sfd_status_put_info(&t->status, header);
        iov[count++] = (struct iovec){.iov_base = header, .iov_len = (size_t)header_length};
    }
    iov[count++] = (struct iovec){.iov_base = bytes, .iov_len = (size_t)length};
    struct sfd_progress p =
        sfd_mover_memory(&context->kernel, sfd_transfer_output(t), t->destination.kind, iov, count, more);
    if (header_length > 0) {
        if (p.moved >= header_length) {
            p.moved -= header_length;
            t->status.info_due = false;
        } else if (p.moved > 0) {
            p = (struct sfd_progress){.step = SFD_STEP_FAILED, .error = -EIO};
            t->status.info_due = false; /* a cut header cannot be completed: the client sees EOF */
        }
    }
    return p;
}

static struct sfd_progress bounce_step(struct sfd_context *context, struct sfd_transfer *t, uint64_t limit)
{
    const uint64_t rest = t->bounce.length - t->bounce.position;
    const struct sfd_progress p =
        memory_step(context, t, t->bounce.bytes + t->bounce.position, sfd_min_u64(rest, limit));

    if (t->segments == NULL || !t->segments->literal)
        t->technique = SFD_TECHNIQUE_READ_WRITE; /* whatever was selected, this is what moves the bytes of the file */
    t->bounce.position += (uint32_t)p.moved;
    if (t->bounce.position == t->bounce.length) sfd_transfer_drop_bounce(t);
    return p;
}

struct sfd_move sfd_transfer_move(const struct sfd_context *context, const struct sfd_transfer *t)
{
    return (struct sfd_move){
        .kernel = &context->kernel,
        .file = t->source.fd,
        .dest = sfd_transfer_output(t),
        .dest_kind = t->destination.kind,
        .memory_file = t->source.medium == SFD_MEDIUM_MEMORY,
        .buffer = context->buffer,
        .buffer_size = context->settings->buffer_size,
    };
}

/* The bytes from the offset on that can be moved now without the disk; probes at most once a MiB. */
static uint64_t ready_bytes(struct sfd_context *context, struct sfd_transfer *t)
{
    const enum sfd_medium medium = (enum sfd_medium)t->source.medium;
    const bool locking = medium == SFD_MEDIUM_LOCKING; /* a writer can come at any time: probe before each step */
    const bool fresh = context->now_ms < t->cache.resident_ms + RESIDENT_MS && !locking;

    if (!fresh || t->range.offset >= t->cache.resident_end) {
        const uint64_t rest = t->range.end - t->range.offset;
        const uint64_t piece = locking ? context->settings->quantum : PROBE_BYTES;
        uint64_t ready =
            sfd_residency_probe(&context->kernel, medium, t->source.fd, t->range.offset, sfd_min_u64(rest, piece));
        if (ready == 0 && sfd_medium_is_local(medium) && rest > PROBE_BYTES_SMALL)
            ready = sfd_residency_probe(&context->kernel, medium, t->source.fd, t->range.offset, PROBE_BYTES_SMALL);
        t->cache.resident_end = t->range.offset + ready;
        t->cache.resident_ms = context->now_ms;
    }
    return t->cache.resident_end - t->range.offset;
}

/* The client shares the flags and may change them at any time: they are read before each step. */
static bool sendfile_still_fits(const struct sfd_context *context, const struct sfd_transfer *t)
{
    const int flags = context->kernel.sys->fcntl(sfd_transfer_output(t), F_GETFL, 0);

    if (flags < 0) return false;
    return ((flags & O_NONBLOCK) != 0 || t->destination.kind == SFD_FD_CHAR) && (flags & O_APPEND) == 0;
}

static struct sfd_progress file_step(struct sfd_context *context, struct sfd_transfer *t, uint64_t limit)
{
    struct sfd_move move = sfd_transfer_move(context, t);

    if (t->source.shared && sfd_open_turned_direct(&context->kernel, t->source.fd))
        return (struct sfd_progress){.step = SFD_STEP_FAILED, .error = -EINVAL};
    if (sfd_transfer_loads_to_memory(t)) return (struct sfd_progress){.step = SFD_STEP_COLD};
    /* For the rest of the transfer: a client that has cleared the flag once may do so again. */
    if (t->technique == SFD_TECHNIQUE_SENDFILE && !sendfile_still_fits(context, t))
        t->technique = SFD_TECHNIQUE_READ_WRITE;
    if (t->technique == SFD_TECHNIQUE_READ_WRITE) {
        /* A read of a remote file can ask its server although the pages are resident, so the disk pool reads it. */
        if (!sfd_medium_is_local((enum sfd_medium)t->source.medium)) t->cache.bounce_only = true;
        if (t->cache.bounce_only) return (struct sfd_progress){.step = SFD_STEP_COLD};
        const struct sfd_progress got = sfd_mover_read(&move, t->range.offset, limit);
        return got.step == SFD_STEP_MORE ? memory_step(context, t, context->buffer, got.moved) : got;
    }

    const uint64_t ready = t->cache.bounce_only ? 0 : ready_bytes(context, t);
    if (ready == 0) return (struct sfd_progress){.step = SFD_STEP_COLD};
    if (t->command == SFD_WIRE_READ_FILE && t->status.info_due) {
        struct sfd_progress header = {.moved = 0};
        const int told = sfd_status_flush(&t->status, &context->kernel);
        if (told <= 0) {
            (void)sfd_progress_take(&header, told == 0 ? -EAGAIN : told);
            return header;
        }
    }
    limit = sfd_min_u64(limit, ready);
    move.more = more_after(t, t->range.offset + limit);
    return sfd_mover_step(&move, (enum sfd_technique)t->technique, t->range.offset, limit);
}

struct sfd_progress sfd_transfer_step(struct sfd_context *context, struct sfd_transfer *t, uint64_t limit)
{
    return t->bounce.bytes != NULL ? bounce_step(context, t, limit) : file_step(context, t, limit);
}
