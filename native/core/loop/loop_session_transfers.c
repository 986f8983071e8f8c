/*
 * What of a session's requests is not served at once: each becomes a request as those of this process are
 * (local_request.h), with descriptors of its own, and its end a completion.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "loop/loop_session.h"
#include "loop/session_job.h"
#include "transfer/observe.h"

/* ------------------------------------------------------------------ the beginning */

static int duplicate(const struct sfd_sys *sys, int fd)
{
    return sys->fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

/* A description of our own of a buffer, at the place where the bytes go. */
static int buffer_at(const struct sfd_sys *sys, const struct sfd_handle *buffer, uint64_t position)
{
    int fd = sfd_fd_reopen(sys, buffer->buffer.fd, O_RDWR | O_CLOEXEC);

    if (fd < 0) return fd;
    const int64_t at = sys->lseek(fd, (int64_t)position, SEEK_SET);
    if (at >= 0) return fd;
    sfd_fd_close(sys, &fd);
    return (int)at;
}

/* Where the bytes go to, for the request that is made of a job: -1: nowhere; or -errno. Borrows nothing. */
static int destination_for(struct sfd_loop *loop, struct sfd_session *s, const struct sfd_session_attempt *a)
{
    const struct sfd_sys *sys = sfd_loop_sys(loop);
    const struct sfd_handle *to;

    switch (a->entry->operation) {
    case SFD_SESSION_SEND:
        to = sfd_handles_find(&s->handles, a->entry->destination, SFD_SESSION_DESTINATION);
        return to == NULL ? -EBADF : duplicate(sys, to->destination.fd);
    case SFD_SESSION_READ:
        to = sfd_handles_find(&s->handles, a->entry->destination, SFD_SESSION_BUFFER);
        return to == NULL ? -EBADF : buffer_at(sys, to, a->entry->target + a->moved);
    default:
        return duplicate(sys, loop->context.kernel.null_fd);
    }
}

/* The file, if it is open. */
static int source_for(struct sfd_loop *loop, struct sfd_session *s, const struct sfd_session_attempt *a)
{
    const struct sfd_handle *thing;

    if (a->source.fd >= 0) return duplicate(sfd_loop_sys(loop), a->source.fd);
    thing = sfd_handles_find(&s->handles, a->entry->file, SFD_SESSION_FILE);
    return thing == NULL ? -EBADF : duplicate(sfd_loop_sys(loop), thing->file.source.fd);
}

/* What is left of its head, and behind it the range, as segments. How many bytes. */
static size_t put_segments(char *out, const struct sfd_session_attempt *a)
{
    const struct sfd_segment head = {.bytes = a->bytes, .length = a->head};
    const struct sfd_segment file = {.offset = (off_t)a->offset,
                                     .length = a->length == SFD_SESSION_TO_END ? SFD_TO_END : (size_t)a->length};
    size_t size = sfd_wire_put_segment(out, &head);

    memcpy(out + size, a->bytes, a->head);
    size += a->head;
    return size + sfd_wire_put_segment(out + size, &file);
}

int sfd_loop_session_transfer(struct sfd_loop *loop, struct sfd_session_job *job, const struct sfd_session_attempt *a)
{
    struct sfd_session *s = job->session;
    const struct sfd_sys *sys = sfd_loop_sys(loop);
    const bool opened = a->source.fd >= 0;
    char segments[SFD_SEGMENTS_ROOM];
    struct sfd_local_order order = {
        .ticket = (uint64_t)(uintptr_t)job,
        .command = opened ? SFD_WIRE_SEND_DESCRIPTOR : sfd_session_command(&job->entry),
        .dest = -1,
        .source = -1,
        .offset = (int64_t)a->offset,
        .length = a->length,
        .options = {.technique = job->entry.technique,
                    .flags = job->entry.options,
                    .idle_ms = job->entry.idle_ms,
                    .deadline_ms = job->entry.deadline_ms,
                    .rate = job->entry.operation == SFD_SESSION_SEND ? job->entry.target : 0},
    };
    int result = 0;

    if (order.command != SFD_WIRE_SEND_DESCRIPTOR) {
        order.root = loop->shared->roots[a->root];
        order.path = a->path;
        order.path_length = job->entry.path_length;
    } else {
        order.source = source_for(loop, s, a);
        if (order.source < 0) result = order.source;
    }
    if (result == 0 && order.command != SFD_WIRE_OPEN_FILE) {
        order.dest = destination_for(loop, s, a);
        if (order.dest < 0) result = order.dest;
    }
    if (result == 0 && a->head > 0) {
        order.segments = segments;
        order.segments_size = put_segments(segments, a);
        order.segment_count = 2;
        order.offset = 0;
        order.length = 0;
    }
    if (result == 0) result = sfd_local_check(&order);
    struct sfd_local_request *local = result == 0 ? sfd_local_new(&order) : NULL;
    if (local == NULL) {
        sfd_fd_close(sys, &order.dest); /* duplicates: these are not the last */
        sfd_fd_close(sys, &order.source);
        return result < 0 ? result : -ENOMEM;
    }
    local->task.loop = loop;
    local->channel.outbox = &loop->sessions.outbox;
    local->process = s->process;
    local->uid = s->uid;
    job->local = local;
    job->moved = a->moved;
    sfd_observe_before(&loop->context, order.command, a->completion.technique, a->moved);
    (void)sfd_local_channel_share(&local->channel); /* the loop's */
    sfd_loop_local_take(loop, &local->task);
    if (job->withdrawn) sfd_local_cancel(local); /* in one of these calls */
    return 0;
}

/* ------------------------------------------------------------------ the end */

/*
 * A file that only somebody who may wait could open: it is parked in a transfer, from which it is taken. Gives 0 with
 * its handle, or -errno.
 */
static int take_parked(struct sfd_loop *loop, struct sfd_session_job *job, struct sfd_session_completion *completion)
{
    struct sfd_session *s = job->session;
    struct sfd_hot *hot = sfd_loop_hot(loop, job->root);
    struct sfd_transfer *t = sfd_transfer_table_find(&loop->transfers, job->local->id);
    const struct sfd_wire_file_details details = job->local->channel.due.details; /* before a call can be held */
    const int64_t mtime = job->local->channel.due.info.mtime;
    struct sfd_hot_source source = {.fd = -1};

    if (t == NULL || t->loop.out || t->loop.queued || t->loop.offloaded || t->source.fd < 0) return -EIO;
    sfd_loop_enter(loop, t); /* in these calls it must not close the file */
    int fd = duplicate(sfd_loop_sys(loop), t->source.fd);
    int result = fd < 0 ? fd : hot == NULL ? -EAGAIN : sfd_hot_source_adopt(hot, fd, &source);
    sfd_loop_leave(loop, t);
    if (fd < 0) return fd;
    if (result < 0) source = (struct sfd_hot_source){.fd = fd};
    result = -ECANCELED; /* it has ended in one of these calls */
    if (s->stage == SFD_SESSION_STAGE_OPEN)
        result = sfd_loop_session_add_handle(loop, s, SFD_SESSION_FILE, &completion->handle);
    if (result < 0) {
        sfd_fd_close(sfd_loop_sys(loop), &fd); /* the transfer has another one */
        return result;
    }
    source.size = details.size;
    source.inode = details.inode;
    source.dev = details.device;
    source.mode = details.mode;
    source.mtime_ns = sfd_hot_nanoseconds(mtime, details.mtime_ns);
    struct sfd_handle *thing = sfd_handles_find(&s->handles, completion->handle, SFD_SESSION_FILE);
    thing->file.source = source;
    thing->file.known = true;
    sfd_session_tell_file(completion, &source);
    return 0;
}

static void take_end(struct sfd_loop *loop, struct sfd_local_channel *channel)
{
    struct sfd_session_job *job = (struct sfd_session_job *)(uintptr_t)channel->ticket;
    struct sfd_session_completion completion = {.error = 0};
    struct sfd_status *due = &channel->due;

    if (due->terminal == SFD_TERMINAL_NONE && job->entry.operation == SFD_SESSION_OPEN && due->info_due &&
        !job->withdrawn) {
        due->info_due = false;
        channel->ticket = 0; /* what comes from here on is of the transfer, which nobody needs any more */
        job->withdrawn = true;
        completion.error = (uint32_t)-take_parked(loop, job, &completion);
        sfd_local_cancel(job->local);
        sfd_session_job_end(loop, job, &completion);
        return;
    }
    due->info_due = false;
    due->progress = 0;
    if (due->terminal == SFD_TERMINAL_NONE) return;
    const bool began = due->terminal == SFD_TERMINAL_COMPLETE || due->error_command != SFD_WIRE_FILE_INFO;
    completion.error = due->terminal == SFD_TERMINAL_COMPLETE ? 0 : due->error;
    completion.moved = job->moved + (began ? due->result.moved : 0);
    completion.technique = began ? due->result.technique : 0;
    if (job->entry.operation == SFD_SESSION_LOAD) completion.moved = 0;
    sfd_session_job_end(loop, job, &completion);
}

void sfd_loop_session_take_ends(struct sfd_loop *loop)
{
    struct sfd_local_channel *channel;

    while ((channel = sfd_outbox_take(&loop->sessions.outbox)) != NULL) {
        struct sfd_session_job *job = (struct sfd_session_job *)(uintptr_t)channel->ticket;
        struct sfd_session *s = job == NULL ? NULL : job->session;
        if (s != NULL) {
            s->references++;
            take_end(loop, channel);
            if (!s->busy && s->stage != SFD_SESSION_STAGE_NEW) sfd_loop_session_queue(loop, s); /* to show it */
            if (s->busy) s->again = true;
            sfd_loop_session_put(loop, s);
        }
        sfd_local_channel_put(channel);
    }
}
