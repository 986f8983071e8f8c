/*
 * The job that loads a transfer's next window, in the disk pool.
 *
 * It always requests the window after it too, so that the disk works while this one is sent. Windows start small, so
 * that the first bytes come soon, and grow fast, so that there are few hand-overs: unlike readahead, a transfer knows
 * its range.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "transfer/transfer_private.h"

#define WINDOW_MIN    ((uint32_t)128 * 1024)
#define WINDOW_MAX    ((uint32_t)2 * 1024 * 1024)
#define WINDOW_GROWTH 4
#define BOUNCE_MAX    ((uint32_t)256 * 1024)

void sfd_transfer_load_init(struct sfd_transfer *t)
{
    t->cache.window = WINDOW_MIN;
    t->cache.stays = sfd_medium_is_local((enum sfd_medium)t->source.medium) ? SFD_STAYS : SFD_STAYS_UNKNOWN;
}

/* ------------------------------------------------------------------ drop-behind */

static bool drops(const struct sfd_transfer *t)
{
    return (t->options.flags & SFD_OPTION_DROP_BEHIND) != 0;
}

/* Not if a technique is forced: it takes its bytes from the page cache. */
static bool drops_at_once(const struct sfd_transfer *t)
{
    return drops(t) && t->options.technique == SFD_TECHNIQUE_AUTO;
}

bool sfd_transfer_loads_to_memory(const struct sfd_transfer *t)
{
    return drops_at_once(t) && t->range.offset < t->cache.requested_end;
}

void sfd_transfer_claim(const struct sfd_context *context, struct sfd_transfer *t, uint64_t length)
{
    if (!drops(t)) return;
    if (t->segments != NULL && t->segments->jumped) { /* perhaps back: what was looked at says nothing of this part */
        sfd_drop_behind(&t->cache.drop, context->kernel.sys, t->source.fd, UINT64_MAX);
        t->cache.drop = (struct sfd_drop){.own = 0};
        t->segments->jumped = false;
    }
    if (t->cache.drop.end == 0 && !t->source.shared) {
        /* Only on our own description: pages read through it do not count as used (Linux 6.3; ignored before). */
        (void)context->kernel.sys->fadvise(t->source.fd, 0, 0, POSIX_FADV_NOREUSE);
    }
    sfd_drop_claim(&t->cache.drop, &context->kernel, t->source.fd, t->range.offset,
                   t->range.offset + sfd_min_u64(length, t->range.end - t->range.offset));
}

void sfd_transfer_drop(const struct sfd_context *context, struct sfd_transfer *t, uint64_t until)
{
    if (drops(t))
        sfd_drop_behind(&t->cache.drop, context->kernel.sys, t->source.fd, until < t->range.end ? until : UINT64_MAX);
}

/* ------------------------------------------------------------------ loading */

static void note_whether_it_stays(const struct sfd_context *context, struct sfd_transfer *t, uint64_t length)
{
    if (t->cache.stays != SFD_STAYS_UNKNOWN) return;
    t->cache.stays =
        sfd_residency_stays(&context->kernel, t->source.fd, t->range.offset, length) ? SFD_STAYS : SFD_STAYS_NOT;
}

/* Loads into the page cache. False when the pages did not stay there, or where sendfile(2) is refused. */
static bool load_pages(const struct sfd_context *context, struct sfd_transfer *t, uint64_t length)
{
    if ((context->techniques & SFD_TECHNIQUE_BIT(SFD_TECHNIQUE_SENDFILE)) == 0) return false;
    sfd_transfer_drop(context, t, t->range.offset);
    const int64_t n = sfd_residency_load(&context->kernel, t->source.fd, t->range.offset, length);
    if (n < 0) {
        t->job.error = (int)n;
        return true;
    }
    t->job.moved = (uint64_t)n;
    if (n > 0) note_whether_it_stays(context, t, (uint64_t)n);
    return t->cache.stays != SFD_STAYS_NOT;
}

static void load_memory(const struct sfd_context *context, struct sfd_transfer *t, uint64_t length)
{
    struct iovec iov = {.iov_len = (size_t)sfd_min_u64(length, BOUNCE_MAX)};

    t->job.moved = 0;
    iov.iov_base = malloc(iov.iov_len);
    if (iov.iov_base == NULL) {
        t->job.error = -ENOMEM;
        return;
    }
    const int64_t n = context->kernel.sys->preadv2(t->source.fd, &iov, 1, (int64_t)t->range.offset, 0);
    if (n <= 0) {
        free(iov.iov_base);
        t->job.error = (int)n;
        return;
    }
    note_whether_it_stays(context, t, (uint64_t)n);
    sfd_transfer_drop(context, t, t->range.offset + (uint64_t)n);
    t->bounce.bytes = iov.iov_base;
    t->bounce.length = (uint32_t)n;
    t->bounce.position = 0;
    t->job.moved = (uint64_t)n;
}

/* Asks the disk for those bytes of this window and the next one that were not asked for yet. */
static void ask_ahead(const struct sfd_context *context, struct sfd_transfer *t, uint64_t ahead)
{
    const bool useful = t->cache.stays == SFD_STAYS || (t->cache.stays == SFD_STAYS_UNKNOWN && !t->cache.bounce_only);

    if (!useful || ahead <= t->cache.requested_end) return;
    sfd_residency_request(&context->kernel, t->source.fd,
                          t->cache.requested_end > t->range.offset ? t->cache.requested_end : t->range.offset, ahead);
    t->cache.requested_end = ahead;
}

void sfd_transfer_load(const struct sfd_context *context, struct sfd_transfer *t)
{
    const uint64_t rest = t->range.end - t->range.offset;
    const uint64_t length = sfd_min_u64(t->cache.window, rest);

    if (t->cache.window < WINDOW_MAX)
        t->cache.window = (uint32_t)sfd_min_u64((uint64_t)t->cache.window * WINDOW_GROWTH, WINDOW_MAX);
    const uint64_t both = sfd_min_u64(length + t->cache.window, rest);
    sfd_transfer_claim(context, t, both);
    ask_ahead(context, t, t->range.offset + both);
    if (!t->cache.bounce_only && !drops_at_once(t)) {
        if (load_pages(context, t, length)) return;
        t->cache.bounce_only = true;
    }
    load_memory(context, t, length);
}
