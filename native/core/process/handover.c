/*
 * What one process of an instance leaves to the next, as numbers.
 */
#include "process/handover.h"

#include <errno.h>
#include <limits.h>

size_t sfd_handover_write(const struct sfd_handover *handover, int64_t numbers[SFD_HANDOVER_NUMBERS_MAX])
{
    size_t n = 0;

    numbers[n++] = SFD_HANDOVER_VERSION;
    numbers[n++] = handover->request_fd;
    numbers[n++] = handover->lock_fd;
    numbers[n++] = handover->stays;
    numbers[n++] = (int64_t)handover->dev;
    numbers[n++] = (int64_t)handover->ino;
    numbers[n++] = handover->tag;
    numbers[n++] = handover->predecessors;
    numbers[n++] = handover->lanes;
    for (uint32_t i = 0; i < handover->predecessors; i++) {
        numbers[n++] = handover->predecessor[i].fd;
        numbers[n++] = handover->predecessor[i].tag;
    }
    for (uint32_t i = 0; i < handover->lanes; i++) {
        numbers[n++] = handover->lane[i].fd;
        numbers[n++] = handover->lane[i].uid;
        numbers[n++] = (int64_t)handover->lane[i].dev;
        numbers[n++] = (int64_t)handover->lane[i].ino;
    }
    return n;
}

static bool is_fd(int64_t number)
{
    return number >= 0 && number <= INT_MAX;
}

static bool is_word(int64_t number)
{
    return number >= 0 && number <= UINT32_MAX;
}

int sfd_handover_read(struct sfd_handover *out, const int64_t *numbers, size_t count)
{
    struct sfd_handover read = {.request_fd = -1};
    size_t n = SFD_HANDOVER_HEAD;

    if (count > 0 && numbers[0] != SFD_HANDOVER_VERSION) return -EPROTONOSUPPORT;
    if (count < SFD_HANDOVER_HEAD || !is_fd(numbers[1]) || !is_fd(numbers[2]) || !is_word(numbers[6]) ||
        numbers[7] < 0 || numbers[7] > SFD_PREDECESSORS_MAX || numbers[8] < 0 || numbers[8] > SFD_LANES_MAX)
        return -EPROTO;
    read.request_fd = (int)numbers[1];
    read.lock_fd = (int)numbers[2];
    read.stays = numbers[3] != 0;
    read.dev = (dev_t)numbers[4];
    read.ino = (ino_t)numbers[5];
    read.tag = (uint32_t)numbers[6];
    read.predecessors = (uint32_t)numbers[7];
    read.lanes = (uint32_t)numbers[8];
    if (count != SFD_HANDOVER_HEAD + 2 * (size_t)read.predecessors + 4 * (size_t)read.lanes) return -EPROTO;
    for (uint32_t i = 0; i < read.predecessors; i++, n += 2) {
        if (!is_fd(numbers[n]) || !is_word(numbers[n + 1])) return -EPROTO;
        read.predecessor[i].fd = (int)numbers[n];
        read.predecessor[i].tag = (uint32_t)numbers[n + 1];
    }
    for (uint32_t i = 0; i < read.lanes; i++, n += 4) {
        if (!is_fd(numbers[n]) || !is_word(numbers[n + 1])) return -EPROTO;
        read.lane[i].fd = (int)numbers[n];
        read.lane[i].uid = (uint32_t)numbers[n + 1];
        read.lane[i].dev = (dev_t)numbers[n + 2];
        read.lane[i].ino = (ino_t)numbers[n + 3];
    }
    *out = read;
    return 0;
}
