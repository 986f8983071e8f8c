/*
 * Drop-behind.
 */
#include "disk/drop.h"

#include <fcntl.h>

#include "disk/residency.h"

static uint64_t bit_of(uint64_t part)
{
    return (uint64_t)1 << (part % 64);
}

void sfd_drop_claim(struct sfd_drop *drop, const struct sfd_kernel *kernel, int fd, uint64_t from, uint64_t to)
{
    uint64_t part = (from > drop->end ? from : drop->end) / SFD_DROP_PART;

    /* After a jump of more than the span every bit stands for a part too far behind. */
    if (from > drop->end + SFD_DROP_SPAN) drop->own = 0;
    for (; part * SFD_DROP_PART < to; part++) {
        /* Until now the bit stood for the part that is one span behind. */
        drop->own &= ~bit_of(part);
        if (sfd_residency_is_absent(kernel, fd, part * SFD_DROP_PART, SFD_DROP_PART)) drop->own |= bit_of(part);
        drop->end = (part + 1) * SFD_DROP_PART;
    }
}

void sfd_drop_behind(struct sfd_drop *drop, const struct sfd_sys *sys, int fd, uint64_t until)
{
    const uint64_t last = drop->end / SFD_DROP_PART;

    for (uint64_t part = last > 64 ? last - 64 : 0; part < last; part++) {
        if ((part + 1) * SFD_DROP_PART > until) break;
        if ((drop->own & bit_of(part)) == 0) continue;
        drop->own &= ~bit_of(part);
        (void)sys->fadvise(fd, part * SFD_DROP_PART, SFD_DROP_PART, POSIX_FADV_DONTNEED);
    }
}
