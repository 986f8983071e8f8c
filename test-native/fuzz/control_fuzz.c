/*
 * Fuzz target: receipt (native/core/loop/receive_batch.c) of what the kernel makes of any sendmsg: lengths,
 * descriptors, credentials, pidfds, truncation, foreign control messages, in batches.
 *
 * R2, R19, D2, D8, D25, D37: each descriptor is in one slot or closed, once; a slot says what came and nothing of the
 * one before.
 */
#include <errno.h>

#include "kernel.h"
#include "loop/receive_batch.h"

static void compose(struct kernel_datagram *datagram)
{
    static const enum kernel_kind kinds[] = {KERNEL_PIPE, KERNEL_TCP,   KERNEL_UNIX,     KERNEL_FILE,
                                             KERNEL_NULL, KERNEL_OTHER, KERNEL_DIRECTORY};
    static const size_t lengths[] = {0, 1, 2, 16, 26, 4239, 4240, 4241, 4400};
    const uint8_t how = fuzz_u8(&kernel.bytes);
    const unsigned count = (how & 3) == 3 ? fuzz_below(&kernel.bytes, 254) : how & 7;

    datagram->length = lengths[fuzz_below(&kernel.bytes, 9)];
    memset(datagram->bytes, how, datagram->length);
    datagram->anonymous = (how & 0x08) != 0;
    datagram->extra = how >> 4 & 3;
    datagram->pid = 100 + (how >> 6);
    datagram->uid = 1000u + (how >> 6);
    if ((how & 0x40) != 0) { /* a sender in another pid namespace */
        const uint8_t what = fuzz_u8(&kernel.bytes);
        if ((what & 1) != 0) datagram->pid = 0;
        datagram->pidfd = what >= 0xe0 ? -EMFILE : what >= 0xc0 ? -ESRCH : kernel_new(KERNEL_PIDFD);
        if (datagram->pidfd == -1) datagram->pidfd = -EMFILE;
    }
    for (unsigned i = 0; i < count; i++) {
        const int fd = kernel_new(kinds[fuzz_below(&kernel.bytes, 7)]);
        if (fd < 0) break;
        kernel_fd(fd)->linger = (how & 0x10) != 0;
        datagram->fds[datagram->fd_count++] = fd;
    }
}

static void check_slot(const struct sfd_slot *slot, const struct kernel_datagram *sent)
{
    const bool cut = sent->length > SFD_SLOT_BYTES;
    unsigned kept = 0;

    FUZZ_CHECK(slot->length == (int)(cut ? SFD_SLOT_BYTES : sent->length));
    FUZZ_CHECK(memcmp(slot->bytes, sent->bytes, (size_t)slot->length) == 0);
    FUZZ_CHECK(slot->fd_count >= 0 && slot->fd_count <= SFD_SLOT_FDS);
    for (int i = 0; i < SFD_SLOT_FDS; i++) {
        FUZZ_CHECK((slot->fds[i] >= 0) == (i < slot->fd_count));
        if (slot->fds[i] >= 0) FUZZ_CHECK(slot->fds[i] == sent->fds[i] && kernel_fd(sent->fds[i]));
    }
    for (unsigned i = 0; i < sent->fd_count; i++)
        kept += kernel_any(sent->fds[i])->open ? 1 : 0;
    const bool lost = (unsigned)slot->fd_count < sent->fd_count;
    if (sent->anonymous) {
        FUZZ_CHECK(slot->fault == SFD_SLOT_ANONYMOUS);
        FUZZ_CHECK(slot->pid == 0 && slot->uid == 0 && slot->gid == 0);
    } else {
        FUZZ_CHECK(slot->pid == sent->pid && slot->uid == sent->uid && slot->gid == 7);
        const bool nameless = slot->process == 0 && sent->pidfd == -EMFILE;
        const bool no_room = sent->pidfd > 0 && slot->pidfd < 0;
        FUZZ_CHECK((slot->fault != SFD_SLOT_SOUND) == (cut || lost || nameless || no_room));
    }
    FUZZ_CHECK(slot->pidfd == -1 || (slot->pidfd == sent->pidfd && kernel_fd(slot->pidfd)->kind == KERNEL_PIDFD));
    /* R19: the pid, or the pidfd's inode, or nobody. */
    if (sent->pid > 0 && !sent->anonymous)
        FUZZ_CHECK(slot->process == (uint64_t)sent->pid);
    else if (sent->anonymous || slot->pidfd < 0)
        FUZZ_CHECK(slot->process == 0);
    else
        FUZZ_CHECK(slot->process == 0 || slot->process == (SFD_PROCESS_INODE | (uint64_t)slot->pidfd));
    FUZZ_CHECK(kept >= (unsigned)slot->fd_count);
    FUZZ_CHECK(slot->verdict == 0 && slot->command == 0 && slot->id == 0 && slot->version == 0);
}

/* What loop_requests.c does with the descriptors of a request that is refused. */
static void drop(struct sfd_client_accounts *accounts, struct sfd_closer *closer, struct sfd_slot *slot)
{
    struct sfd_client_account *account = sfd_client_accounts_get(accounts, slot->process, slot->uid);

    for (int i = 0; i < SFD_SLOT_FDS; i++)
        sfd_closer_take_unknown(closer, &slot->fds[i], account);
    sfd_client_account_put(account);
    sfd_fd_close(&kernel_sys, &slot->pidfd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sfd_receive_batch receipt;
    static struct sfd_slot slots[SFD_BATCH_MAX];
    static struct kernel_datagram sent[SFD_BATCH_MAX];
    static const struct sfd_limits limits;
    struct sfd_client_accounts accounts;
    struct sfd_devices devices;
    struct sfd_closer closer;

    sfd_client_accounts_init(&accounts, &limits);
    receipt.accounts = &accounts;
    receipt.pidfs = true;
    kernel_reset(data, size);
    sfd_devices_init(&devices);
    sfd_closer_init(&closer, &kernel_sys, &devices);
    for (int batch = 0; batch < 4; batch++) {
        const unsigned count = fuzz_below(&kernel.bytes, SFD_BATCH_MAX + 1);
        for (unsigned i = 0; i < count && kernel.waiting < SFD_BATCH_MAX; i++)
            compose(kernel_send());
        for (unsigned i = 0; i < kernel.waiting; i++)
            sent[i] = kernel.queue[(kernel.first + i) % 16];
        const int n = sfd_receive_batch_fill(&receipt, &closer, KERNEL_REQUEST_FD, slots, SFD_BATCH_MAX);
        for (int i = 0; i < n; i++) {
            check_slot(&slots[i], &sent[i]);
            drop(&accounts, &closer, &slots[i]);
        }
    }
    kernel.bytes.left = 0;
    while (kernel.waiting > 0) {
        const int n = sfd_receive_batch_fill(&receipt, &closer, KERNEL_REQUEST_FD, slots, SFD_BATCH_MAX);
        FUZZ_CHECK(n > 0);
        for (int i = 0; i < n; i++)
            drop(&accounts, &closer, &slots[i]);
    }
    sfd_closer_deinit(&closer);
    for (int i = 0; i < SFD_CLIENT_ACCOUNT_BUCKETS; i++)
        FUZZ_CHECK(accounts.buckets[i] == NULL); /* nothing is pending any more */
    sfd_client_accounts_deinit(&accounts);
    sfd_devices_deinit(&devices);
    kernel_check_empty();
    return 0;
}
