/*
 * The memory that a copy may fill: asked for before its first byte, and given back when the transfer is over.
 *
 * Thread: the disk pool while it has the transfer; give_back: who has it. memory_budget.h has the reasons.
 */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transfer/transfer_private.h"

/* The data of a file in more pieces than this is not counted. */
#define PIECES_MAX 4096

static uint64_t whole_pages(uint64_t offset, uint64_t length)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

    return ((offset + length + page - 1) / page - offset / page) * page;
}

/* The bytes of the rest that will be written, in whole pages: holes of the source stay holes. */
static uint64_t bytes_to_write(const struct sfd_context *context, const struct sfd_transfer *t, bool holes)
{
    const struct sfd_sys *sys = context->kernel.sys;
    const uint64_t all = whole_pages(t->range.offset, t->range.end - t->range.offset);
    uint64_t at = t->range.offset;
    uint64_t sum = 0;

    if (!holes) return all;
    for (int i = 0; i < PIECES_MAX; i++) {
        const int64_t data = sys->lseek(t->source.fd, (int64_t)at, SEEK_DATA);
        if (data == -ENXIO || (data >= 0 && (uint64_t)data >= t->range.end)) return sum;
        const int64_t hole = data < 0 ? data : sys->lseek(t->source.fd, data, SEEK_HOLE);
        if (hole <= data) return all;
        at = sfd_min_u64((uint64_t)hole, t->range.end);
        sum += whole_pages((uint64_t)data, at - (uint64_t)data);
        if (at == t->range.end) return sum;
    }
    return all;
}

int sfd_transfer_take_memory(const struct sfd_context *context, struct sfd_transfer *t)
{
    struct sfd_target *target = t->target;
    const int fd = t->destination.fd;
    const uint64_t length = t->range.end - t->range.offset;

    if (context->memory == NULL || target->memory.pieces > 0 || length == 0) return 0;
    const int memory = sfd_residency_is_memory(&context->kernel, fd);
    if (memory <= 0) return memory;
    const uint64_t wanted = bytes_to_write(context, t, t->source.sparse && !t->source.shared && !target->appends);
    const uint64_t there = sfd_residency_allocated(&context->kernel, fd, target->start, length);
    if (there >= wanted) return 0;
    return sfd_memory_budget_take(context->memory, t->loop.account, wanted - there, &target->memory);
}

void sfd_transfer_filled_memory(const struct sfd_context *context, struct sfd_transfer *t, uint64_t bytes)
{
    if (context->memory != NULL) sfd_memory_budget_filled(context->memory, &t->target->memory, bytes);
}

void sfd_transfer_give_memory_back(const struct sfd_context *context, struct sfd_transfer *t)
{
    if (context->memory != NULL) sfd_memory_budget_give_back(context->memory, t->loop.account, &t->target->memory);
}
