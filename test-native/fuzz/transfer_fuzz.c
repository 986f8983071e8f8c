/*
 * Fuzz target: the loop and its transfers (native/core/loop/loop.c, loop_requests.c, transfer*.c, ...) in a kernel
 * whose every answer the input decides. The input also is the clients (what they send, when they go), the disk pool
 * (when a task runs), the clock and the selector. The dispatcher is the one of tests (support/dispatcher).
 *
 * What must hold at each step is in kernel.c. At the end: every loop stops, nothing is open, mapped, counted or in a
 * table, and in a kernel without faults each request with a usable status channel was answered.
 * R1 R2 R3 R6 R7 R11 R12 R14; D5 D8 D11 D13 D14 D16 D21 D24 D25 D27 D37 D38
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>

#include "dispatcher.h"
#include "kernel.h"
#include "loop/loop_private.h"

#define OPS_MAX   600
#define HELD_MAX  4096
#define LOOPS_MAX 2

struct harness {
    struct fuzz_bytes ops; /* what is done; the rest of the input is the kernel's */
    struct sfd_shared shared;
    struct sfd_root root;
    struct sfd_carrier *carriers[LOOPS_MAX]; /* that the loops begin with */
    bool ended[LOOPS_MAX];
    unsigned held_count;
    struct sfd_task *held[HELD_MAX]; /* that the disk pool has */
};

static struct harness h;

static void start(const uint8_t *data, size_t size)
{
    const size_t ops = size == 0 ? 0 : (size - 1) * data[0] / UINT8_MAX;

    memset(&h, 0, offsetof(struct harness, held));
    if (size > 0) {
        h.ops = (struct fuzz_bytes){.at = data + 1, .left = ops};
        kernel_reset(data + 1 + ops, size - 1 - ops);
    } else {
        kernel_reset(data, 0);
    }
    const uint8_t how = fuzz_u8(&h.ops);
    const uint8_t more = fuzz_u8(&h.ops);
    h.shared.settings = (struct sfd_settings){
        .loops = 1 + (how & 1),
        .max_transfers = 1 + (more & 31),
        .open_timeout_ms = 50,
        .buffer_size = 4096,
        .quantum = (uint64_t)4096 << (how >> 1 & 3),
        .idle_timeout_ms = (how & 0x08) != 0 ? 100 : 0,
        .drain_timeout_ms = (how & 0x10) != 0 ? 80 : 0,
        .selector = (how & 0x20) != 0,
    };
    if ((more & 0x80) != 0)
        h.shared.settings.client =
            (struct sfd_limits){.transfers = 1 + (more >> 5 & 3), .descriptors = 12, .disk_tasks = 1};
    h.shared.kernel = (struct sfd_kernel){
        .sys = &kernel_sys,
        .null_fd = KERNEL_NULL_FD,
        .pipe_write_flags = RWF_NOWAIT,
        .resolve_cached = (how & 0x40) == 0,
        .cachestat = (how & 0x80) == 0,
        .pidfds = true,
    };
    h.shared.techniques = SFD_TECHNIQUES_ALL;
    sfd_devices_init(&h.shared.devices);
    sfd_write_ranges_init(&h.shared.write_ranges);
    sfd_carriers_init(&h.shared.carriers);
    sfd_client_accounts_init(&h.shared.accounts, &h.shared.settings.client);
    sfd_client_accounts_divide(&h.shared.accounts, h.shared.settings.max_transfers);
    sfd_memory_budget_init_in(&h.shared.memory, &sfd_sys_linux, UINT64_MAX / 2, 0, NULL, 0, true);
    h.shared.request_fd = KERNEL_REQUEST_FD;
    h.shared.session_fd = -1;
    FUZZ_CHECK(
        sfd_counters_file_make(&h.shared.counters_file, -1, NULL, "fuzz", h.shared.settings.loops, SFD_QUEUES, 4) == 0);
    h.root.fd = KERNEL_ROOT_FD;
    h.root.opens_here = (more & 0x40) == 0;
    atomic_init(&h.root.references, 1);
    h.shared.roots[0] = &h.root;
    for (uint32_t i = 0; i < h.shared.settings.loops; i++) {
        FUZZ_CHECK(sfd_loop_create(&h.shared.loops[i], &h.shared, i) == 0);
        h.carriers[i] = sfd_loop_carrier(h.shared.loops[i]);
    }
}

/* ------------------------------------------------------------------ the loop's thread and the disk pool */

static void turn(uint32_t index)
{
    struct sfd_turn *turn;

    if (h.ended[index]) return;
    const int result = sfd_carrier_poll(h.carriers[index]);
    FUZZ_CHECK(result == 0 || result == -ESHUTDOWN);
    turn = sfd_carrier_turn(h.carriers[index]);
    if (result == -ESHUTDOWN) {
        h.ended[index] = true;
        return;
    }
    FUZZ_CHECK(turn->requests >= 0 && turn->requests <= SFD_BATCH_MAX);
    for (int i = 0; i < turn->requests; i++)
        dispatcher_decide(&turn->slot[i], 1000);
    for (int i = 0; i < turn->selections; i++)
        turn->selection[i].verdict = fuzz_u8(&kernel.bytes) % 8;
    for (int i = 0; i < turn->offloads; i++) {
        FUZZ_CHECK(turn->offload[i].queue >= 0 && turn->offload[i].queue < SFD_QUEUES);
        FUZZ_CHECK(h.held_count < HELD_MAX);
        h.held[h.held_count++] = (struct sfd_task *)(uintptr_t)turn->offload[i].task;
    }
    turn->offloads = 0;
}

static void work(unsigned which)
{
    if (h.held_count == 0) return;
    struct sfd_task **at = &h.held[which % h.held_count];
    struct sfd_task *task = *at;
    *at = h.held[--h.held_count];
    sfd_loop_work(task);
}

/* ------------------------------------------------------------------ the clients */

static void attach(struct kernel_datagram *datagram, enum kernel_kind kind)
{
    const int fd = kernel_new(kind);

    if (fd < 0) return;
    const uint8_t how = kind == KERNEL_PIPE ? 0 : fuzz_u8(&h.ops);
    struct kernel_fd *entry = kernel_fd(fd);
    if ((how & 1) != 0) entry->flags ^= O_NONBLOCK;
    if ((how & 0x1e) == 0x1e) entry->flags |= O_APPEND;
    entry->linger = (how & 0x40) != 0;
    entry->forbidden = true; /* until a request says otherwise */
    datagram->fds[datagram->fd_count++] = fd;
}

static enum kernel_kind some_kind(void)
{
    static const enum kernel_kind kinds[] = {KERNEL_PIPE, KERNEL_TCP,  KERNEL_UNIX,  KERNEL_FILE,     KERNEL_TCP,
                                             KERNEL_NULL, KERNEL_FILE, KERNEL_OTHER, KERNEL_DIRECTORY};

    return kinds[fuzz_below(&h.ops, 9)];
}

static uint64_t some_number(void)
{
    static const uint64_t numbers[] = {0, 0, 0, 1, 2, 100, 4095, 4096, 20000, INT64_MAX, 1u << 31, UINT64_MAX};
    const uint8_t which = fuzz_u8(&h.ops);

    return which == 0xff ? fuzz_u64(&h.ops) : numbers[which % 12];
}

static void put_path(struct kernel_datagram *datagram)
{
    memcpy(datagram->bytes + datagram->length, "d/file", 7);
    datagram->length += 7;
}

/*
 * Makes the request one with segments. Together they are the file from its beginning on, bytes and ranges in turn, so
 * that what arrives is what the kernel of tests compares it with.
 */
static void put_segments(struct kernel_datagram *datagram)
{
    const uint8_t count = 1 + (fuzz_u8(&h.ops) & 7);
    const size_t begin = datagram->length;
    uint64_t at = 0;

    for (uint8_t i = 0; i < count; i++) {
        const uint8_t how = fuzz_u8(&h.ops);
        struct sfd_segment segment = {.offset = (off_t)at,
                                      .length = (size_t)(how & 0x3f) * ((how & 0x40) == 0 ? 1 : 300)};
        uint8_t bytes[64];
        if ((how & 0x80) != 0) {
            segment.bytes = bytes;
            segment.length = how & 0x3f;
            for (size_t n = 0; n < segment.length; n++)
                bytes[n] = kernel_byte_at(at + n);
        } else if (i == 7) {
            segment.length = SFD_TO_END;
        }
        datagram->length += sfd_wire_put_segment(datagram->bytes + datagram->length, &segment);
        if (segment.bytes != NULL) {
            memcpy(datagram->bytes + datagram->length, bytes, segment.length);
            datagram->length += segment.length;
        }
        at += segment.length;
    }
    sfd_wire_set_segments(datagram->bytes, count, datagram->length - begin);
}

/* Open, Read, Send, Send Descriptor; extended or not. */
static void compose_begin(struct kernel_datagram *datagram)
{
    const uint8_t what = fuzz_u8(&h.ops);
    const uint8_t cmd = 1 + (what & 3);
    const int64_t offset = (int64_t)some_number();
    const uint64_t length = some_number();
    struct sfd_options options = {0};
    bool split = false;

    if ((what & 4) == 0 && cmd <= 3) {
        datagram->length = sfd_wire_put_path_request(datagram->bytes, cmd, offset, length);
        put_path(datagram);
    } else {
        options.rate = some_number();
        options.idle_ms = (uint32_t)some_number();
        options.deadline_ms = (uint32_t)some_number();
        options.technique = fuzz_u8(&h.ops) % 7;
        const uint8_t flags = fuzz_u8(&h.ops);
        options.flags = flags & SFD_OPTIONS_ALL;
        options.version = (flags & 0x80) != 0 ? SFD_WIRE_VERSION_2 : 0;
        split = cmd == SFD_WIRE_READ_FILE && (flags & 0x60) == 0x20;
        const bool list = options.version == SFD_WIRE_VERSION_2 && (flags & 0x18) == 0x10;
        datagram->length = sfd_wire_put_extended_request(datagram->bytes, 0x10 | cmd, list ? 0 : offset,
                                                         list ? 0 : length, &options, 6);
        if (cmd <= 3) put_path(datagram);
        if (list) put_segments(datagram);
    }
    attach(datagram, (what & 0xf8) == 0xf8 ? some_kind() : KERNEL_PIPE);
    if (split) attach(datagram, (what & 0x10) != 0 ? some_kind() : KERNEL_PIPE);
    if (cmd >= 3) attach(datagram, some_kind());
    if (cmd == 4) attach(datagram, (what & 0x38) == 0x38 ? some_kind() : KERNEL_FILE);
    if ((what & 0xc0) == 0x40 && (what & 0x30) == 0x30) attach(datagram, some_kind());
}

/* Send Open File, Cancel: of an id that was told, or of one that is wrong by one bit, or of none. */
static void compose_transfer(struct kernel_datagram *datagram, uint8_t cmd)
{
    const uint8_t how = fuzz_u8(&h.ops);
    uint64_t id = fuzz_u8(&h.ops);

    if (kernel.open_count > 0) {
        const struct kernel_open *opened = &kernel.opens[id % kernel.open_count];
        id = opened->id;
        datagram->pid = opened->pid;
        if ((how & 0x70) == 0x70) datagram->pid ^= 1;
        if ((how & 0x07) == 0x07) id ^= (uint64_t)1 << fuzz_below(&h.ops, 64);
    }
    datagram->length = sfd_wire_put_transfer_request(datagram->bytes, cmd, id);
    if ((cmd == SFD_WIRE_SEND_OPEN_FILE) != ((how & 0x88) == 0x88)) attach(datagram, some_kind());
}

/* Any bytes, or a request that has been changed. */
static void compose_noise(struct kernel_datagram *datagram)
{
    const uint8_t how = fuzz_u8(&h.ops);

    if ((how & 1) == 0) {
        datagram->length = fuzz_below(&h.ops, 64);
        for (size_t i = 0; i < datagram->length; i++)
            datagram->bytes[i] = fuzz_u8(&h.ops);
        for (unsigned n = how >> 5; n > 0; n--)
            attach(datagram, some_kind());
    } else {
        compose_begin(datagram);
        datagram->bytes[fuzz_below(&h.ops, 48)] = fuzz_u8(&h.ops);
        if ((how & 2) != 0) datagram->length = fuzz_below(&h.ops, 64);
    }
    datagram->anonymous = (how & 0x1c) == 0x1c;
    if ((how & 0x1c) == 0x18) datagram->uid = 1001;
}

/* The datagram that takes a file's bytes to `dest` from `begin` on. */
static void allow(int dest, uint64_t begin, int opened)
{
    struct kernel_fd *entry = kernel_fd(dest);

    entry->forbidden = false;
    entry->begin = begin;
    entry->opened = opened;
}

static void annotate_begin(const struct kernel_datagram *datagram, struct kernel_fd *status,
                           const struct dispatcher_request *request)
{
    const uint64_t begin = (uint64_t)request->offset;

    status->must_seal = (request->options.flags & SFD_OPTION_SEAL) != 0;
    switch (request->cmd) {
    case SFD_WIRE_OPEN_FILE:
        if (kernel.open_count == 256) break;
        kernel.opens[kernel.open_count] = (struct kernel_open){.pid = datagram->pid, .begin = begin, .dest = -1};
        status->opened = (int)kernel.open_count++;
        break;
    case SFD_WIRE_READ_FILE:
        if (request->version >= SFD_WIRE_VERSION_2 && datagram->fd_count == 2) {
            allow(datagram->fds[1], begin, -1);
            status->dest = datagram->fds[1];
            break;
        }
        status->said.is_read = true;
        status->forbidden = false;
        status->begin = begin;
        break;
    default:
        if (datagram->fd_count < 2) break;
        status->dest = datagram->fds[1];
        allow(datagram->fds[1], begin, -1);
    }
}

/* What may become of each descriptor, by what the bytes turn out to say. */
static void annotate(const struct kernel_datagram *datagram)
{
    struct dispatcher_request request = {0};
    const int result = dispatcher_decode(datagram->bytes, datagram->length, &request);
    const bool sound = result == 0 && !datagram->anonymous && datagram->uid == 1000;
    const bool on_transfer = datagram->length > 0 &&
                             (datagram->bytes[0] == SFD_WIRE_SEND_OPEN_FILE || datagram->bytes[0] == SFD_WIRE_CANCEL);

    if (datagram->fd_count == 0) return;
    struct kernel_fd *first = kernel_fd(datagram->fds[0]);
    if (sound && on_transfer) {
        for (unsigned i = 0; i < kernel.open_count; i++)
            if (request.cmd == SFD_WIRE_SEND_OPEN_FILE && kernel.opens[i].id == request.id && request.id != 0 &&
                kernel.opens[i].pid == datagram->pid)
                allow(datagram->fds[0], kernel.opens[i].begin, (int)i);
        return;
    }
    first->is_status = true;
    first->must_answer = first->kind == KERNEL_PIPE && datagram->uid == 1000 && !datagram->anonymous &&
                         !kernel.dead[datagram->pid - KERNEL_PID_BASE];
    if (sound) annotate_begin(datagram, first, &request);
}

static void send_datagram(uint8_t op)
{
    struct kernel_datagram *datagram = kernel_send();

    if (datagram == NULL) return;
    datagram->pid = 100 + (op >> 7);
    switch (op & 15) {
    case 4:
        compose_noise(datagram);
        break;
    case 5:
    case 6:
        compose_transfer(datagram, SFD_WIRE_SEND_OPEN_FILE);
        break;
    case 7:
        compose_transfer(datagram, SFD_WIRE_CANCEL);
        break;
    default:
        compose_begin(datagram);
    }
    annotate(datagram);
}

/* A client closes its end of something, or a file changes its size. */
static void change_something(bool a_file)
{
    if (kernel.fd_count == 0) return;
    struct kernel_fd *entry = &kernel.fds[kernel.fd_count - 1 - fuzz_u8(&h.ops) % kernel.fd_count];
    if (a_file && entry->kind == KERNEL_FILE) {
        entry->size = some_number() & INT64_MAX;
        kernel.zeros = true;
    } else if (!a_file && entry->kind <= KERNEL_UNIX) {
        entry->gone = true;
    }
}

static void step(uint8_t op)
{
    switch (op & 15) {
    case 8:
        work(fuzz_u8(&h.ops));
        break;
    case 9:
        kernel.now_ms += fuzz_u8(&h.ops);
        if ((op & 0xe0) == 0xe0) kernel.now_ms += 1000; /* clients are watched */
        if ((op & 0xf0) == 0xf0) kernel_end_process(fuzz_u8(&h.ops) & 1);
        break;
    case 10:
        change_something((op & 0x80) != 0);
        break;
    case 11:
    case 12:
    case 13:
    case 14:
    case 15:
        turn((op >> 4) % h.shared.settings.loops);
        break;
    default:
        send_datagram(op);
    }
}

/* ------------------------------------------------------------------ the end */

static bool all_ended(void)
{
    for (uint32_t i = 0; i < h.shared.settings.loops; i++)
        if (!h.ended[i]) return false;
    return true;
}

static void round_of_all(void)
{
    for (uint32_t i = 0; i < h.shared.settings.loops; i++)
        turn(i);
    while (h.held_count > 0)
        work(0);
}

static void stop(void)
{
    uint64_t completed = 0;
    unsigned said = 0;

    kernel.bytes.left = 0;
    for (int i = 0; i < 40; i++)
        round_of_all();
    FUZZ_CHECK(kernel.waiting == 0); /* R1: whatever came before, requests are received */
    for (uint32_t i = 0; i < h.shared.settings.loops; i++)
        sfd_loop_stop(h.shared.loops[i]);
    for (int i = 0; i < 200 && !all_ended(); i++)
        round_of_all();
    FUZZ_CHECK(all_ended());
    FUZZ_CHECK(atomic_load(&h.shared.transfers) == 0);
    for (uint32_t i = 0; i < h.shared.settings.loops; i++) {
        struct sfd_loop *loop = h.shared.loops[i];
        FUZZ_CHECK(loop->transfers.count == 0 && loop->offloaded == 0);
        /* The loop's own timers may be armed until it ends; a transfer's may not. D11, R14 */
        FUZZ_CHECK(loop->context.timers.count ==
                   (loop->receive_again.position > 0 ? 1u : 0u) + (loop->close_again.position > 0 ? 1u : 0u));
        completed += atomic_load(&sfd_loop_counters(loop)->at[SFD_COUNTER_COMPLETED]);
        sfd_loop_destroy(loop);
    }
    for (int i = 0; i < SFD_CLIENT_ACCOUNT_BUCKETS; i++)
        FUZZ_CHECK(h.shared.accounts.buckets[i] == NULL); /* R10 */
    FUZZ_CHECK(atomic_load(&h.shared.accounts.active) == 0 && atomic_load(&h.shared.accounts.beyond) == 0);
    sfd_client_accounts_deinit(&h.shared.accounts);
    sfd_memory_budget_deinit(&h.shared.memory);
    sfd_counters_file_release(&h.shared.counters_file);
    sfd_carriers_deinit(&h.shared.carriers);
    FUZZ_CHECK(h.shared.write_ranges.first == NULL); /* R17; what it says of writes is checked in kernel.c */
    sfd_write_ranges_deinit(&h.shared.write_ranges);
    sfd_devices_deinit(&h.shared.devices);
    kernel_check_empty();
    for (unsigned i = 0; i < kernel.fd_count; i++) {
        const struct kernel_fd *entry = &kernel.fds[i];
        said += entry->said.complete ? 1 : 0;
        if (kernel.quiet && entry->must_answer && !entry->gone && !entry->full)
            FUZZ_CHECK(entry->said.messages > 0); /* R1 */
    }
    FUZZ_CHECK(said <= completed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    start(data, size);
    for (int i = 0; i < OPS_MAX && h.ops.left > 0; i++)
        step(fuzz_u8(&h.ops));
    stop();
    return 0;
}
