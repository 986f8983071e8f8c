/*
 * The content of a small file in place of an open one.
 *
 * A program that sends a small file itself, behind a header say, needs its bytes, and no more. So an open of this
 * process may ask for them: the job that opens the file reads and closes it, too, and the loop hands the bytes over
 * with the File Information and the end. That is one job in place of three (open, load, close), and neither a
 * duplicate of the destination, nor a second command, nor a timer; nothing stays open.
 *
 * Read whole, or not at all: what is told is a size and as many bytes. A file that is longer, or that cannot be read
 * for something that passes by itself, is opened as any other, and is sent as any other. All else that fails now would
 * fail when it is sent: the open fails, so that its client can still answer otherwise.
 *
 * The bytes belong to the transfer (`bounce`), then to the local channel: who ends first frees them. The requests that
 * an owner may have limit how many there are, and SFD_CONTENT_MAX how long each is.
 *
 * Thread: the disk pool while it has the transfer.
 */
#include <errno.h>
#include <stdlib.h>

#include "sys/errno_policy.h"
#include "transfer/transfer_private.h"

/* Whether its client only has to know the bytes: nothing is asked that concerns how they are moved. */
static bool wants_content(const struct sfd_transfer *t, uint64_t size)
{
    return size <= t->job.content_most && t->job.content_most > 0 && t->segments == NULL && t->options.rate == 0 &&
           (t->options.flags & SFD_OPTION_DROP_BEHIND) == 0;
}

/* Fills the buffer from the range: 0, -ENODATA when the file ends before, or -errno. */
static int read_range(const struct sfd_context *context, const struct sfd_transfer *t, char *to, size_t size)
{
    for (size_t length = 0; length < size;) {
        const struct iovec iov = {.iov_base = to + length, .iov_len = size - length};
        const int64_t n = context->kernel.sys->preadv2(t->source.fd, &iov, 1, (int64_t)(t->range.begin + length), 0);
        if (n <= 0) return n == 0 ? -ENODATA : (int)n;
        length += (size_t)n;
    }
    return 0;
}

/* Whether a read that failed so can succeed later: the transfer tries again when it is sent. */
static bool passes(int error)
{
    return sfd_errno_policy(SFD_PLACE_LOAD, error) == SFD_REMEDY_DEFER ||
           sfd_errno_policy(SFD_PLACE_OPEN, error) == SFD_REMEDY_DEFER;
}

int sfd_transfer_take_content(const struct sfd_context *context, struct sfd_transfer *t)
{
    const uint64_t size = sfd_transfer_size(t);

    if (!wants_content(t, size)) return 0;
    char *bytes = malloc(size > 0 ? (size_t)size : 1);
    if (bytes == NULL) return 0; /* it stays open */
    const int result = read_range(context, t, bytes, (size_t)size);
    if (result < 0) {
        free(bytes);
        return passes(result) ? 0 : result;
    }
    sfd_fd_close(context->kernel.sys, &t->source.fd); /* and with it the lock */
    t->bounce.bytes = bytes;
    t->bounce.length = (uint32_t)size;
    t->bounce.position = 0;
    return 0;
}
