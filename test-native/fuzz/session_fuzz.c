/*
 * Fuzz target: sessions (native/core/loop/loop_session*.c, handles.c, protocol/session_ring.c) of clients that own the
 * memory, and keep no rule. The input is what they say, register and write, when they go, and every answer of the
 * kernel (kernel.h). They also write while the loop works: inside of any system call that it makes, so that what it
 * reads twice can differ, and a run is the same as the last one.
 *
 * What must hold: the daemon writes nothing of the memory that is the client's. A client that has kept the rules has
 * one completion for each request and each registration. In the end nothing is open, mapped, counted or in a table.
 * R1 R2 R10 R29
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

#include "dispatcher.h"
#include "hot.h"
#include "kernel.h"
#include "loop/loop_private.h"

#define OPS_MAX      600
#define HELD_MAX     4096
#define CLIENTS_MAX  4
#define MESSAGES_MAX 8
#define OBJECTS_MAX  512
#define OBJECT_BASE  2000000 /* descriptors of what kernel.c does not know */
#define LISTENER_FD  (OBJECT_BASE - 1)
#define ARENA_MOST   64
#define BUFFER_BYTES 8192

enum object_kind { CONNECTION, MEMORY, EVENT, BUFFER };

/* A connection, its memory file or its eventfd, or a buffer. Each descriptor is the daemon's. */
struct object {
    enum object_kind kind;
    bool open;
    bool watched;
    bool edge; /* an event is due */
    uint64_t data;
    unsigned client;
};

struct message {
    unsigned char bytes[SFD_SESSION_HELLO_SIZE + 8];
    size_t length;
    int fds[3];
    unsigned fd_count;
};

struct client {
    bool connected;
    bool accepted;
    bool gone;
    bool honest; /* it has kept the rules so far */
    bool blind;  /* its own memory is a buffer of its own: the daemon reads into it */
    int connection;
    int eventfd; /* of the last Hello */
    struct sfd_session_sizes sizes;
    size_t bytes;
    unsigned char *memory;
    unsigned char *shadow; /* what the client has written there */
    uint32_t submitted;
    uint32_t registered;
    unsigned first;
    unsigned waiting;
    struct message queue[MESSAGES_MAX];
};

static struct harness {
    struct fuzz_bytes ops;
    struct sfd_shared shared;
    struct sfd_root root;
    struct sfd_hot hot;
    struct sfd_sys sys;
    struct sfd_carrier *carrier;
    bool ended;
    bool listening;
    uint64_t listener_data;
    unsigned object_count;
    struct object objects[OBJECTS_MAX];
    struct client clients[CLIENTS_MAX];
    unsigned mappings; /* of memory files */
    unsigned char buffer[BUFFER_BYTES];
    unsigned held_count;
    struct sfd_task *held[HELD_MAX];
} h;

static struct object *object_of(int fd)
{
    if (fd < OBJECT_BASE) return NULL;
    FUZZ_CHECK((unsigned)(fd - OBJECT_BASE) < h.object_count);
    struct object *object = &h.objects[fd - OBJECT_BASE];
    FUZZ_CHECK(object->open); /* R2 */
    return object;
}

static int new_object(enum object_kind kind, unsigned client)
{
    if (h.object_count == OBJECTS_MAX) return -1;
    h.objects[h.object_count] = (struct object){.kind = kind, .open = true, .client = client};
    return OBJECT_BASE + (int)h.object_count++;
}

static bool is_memory(const struct object *object)
{
    return object->kind == MEMORY || object->kind == BUFFER;
}

static struct client *client_of(const struct object *object)
{
    return &h.clients[object->client];
}

/* ------------------------------------------------------------------ what a client writes */

static void set_edge(int fd)
{
    if (fd >= OBJECT_BASE && h.objects[fd - OBJECT_BASE].open) h.objects[fd - OBJECT_BASE].edge = true;
}

static void write_memory(struct client *c, size_t at, const void *bytes, size_t length)
{
    if (c->memory == NULL || at + length > c->bytes) return;
    memcpy(c->memory + at, bytes, length);
    memcpy(c->shadow + at, bytes, length);
}

static void write_word(struct client *c, size_t at, uint32_t word)
{
    write_memory(c, at, &word, sizeof(word));
}

static uint32_t word_at(const struct client *c, size_t at)
{
    uint32_t word = 0;

    if (c->memory != NULL) memcpy(&word, c->memory + at, sizeof(word));
    return word;
}

static size_t arena_at(const struct client *c)
{
    return SFD_SESSION_RINGS_AT + ((size_t)c->sizes.submissions + c->sizes.completions) * SFD_SESSION_ENTRY_SIZE;
}

static uint32_t some_handle(struct fuzz_bytes *bytes)
{
    const uint8_t which = fuzz_u8(bytes);

    return which == 0xff ? (uint32_t)fuzz_u64(bytes) : (uint32_t)(1 + (which >> 6)) << 20 | (which & 15);
}

static uint64_t some_number(struct fuzz_bytes *bytes)
{
    static const uint64_t numbers[] = {0,     SFD_SESSION_TO_END, 1,       100,      4096,
                                       20000, SFD_SESSION_TO_END, 1 << 20, INT64_MAX};
    const uint8_t which = fuzz_u8(bytes);

    return which == 0xff ? fuzz_u64(bytes) : numbers[which % 9];
}

static struct sfd_session_entry some_entry(struct fuzz_bytes *bytes)
{
    const uint8_t what = fuzz_u8(bytes);
    const uint8_t how = fuzz_u8(bytes);
    struct sfd_session_entry e = {.operation = what % SFD_SESSION_OPERATIONS,
                                  .flags = (how & 0x03),
                                  .user_data = what >> 4,
                                  .file = some_handle(bytes),
                                  .destination = some_handle(bytes)};

    e.length = some_number(bytes);
    if ((how & 0x04) != 0) e.offset = (int64_t)some_number(bytes);
    if ((e.flags & SFD_SESSION_PATH) != 0) {
        e.path_length = (uint16_t)(1 + fuzz_below(bytes, 8));
        e.data = fuzz_below(bytes, ARENA_MOST + 8);
    }
    if ((how & 0x08) != 0) e.head_length = (uint16_t)fuzz_below(bytes, 16);
    if ((how & 0x10) != 0) e.target = some_number(bytes);
    if ((how & 0x20) != 0) e.technique = fuzz_u8(bytes) % 8;
    if ((how & 0x40) != 0) e.options = fuzz_u8(bytes);
    if ((how & 0xc0) == 0xc0) e.deadline_ms = 1 + fuzz_u8(bytes);
    if ((how & 0x88) == 0x88) ((uint8_t *)&e)[fuzz_below(bytes, sizeof(e))] = fuzz_u8(bytes);
    return e;
}

/* Anything, anywhere: by a client that keeps no rule, at any time. */
static void scribble(struct fuzz_bytes *bytes)
{
    static const size_t words[] = {SFD_SESSION_SUBMITTED_AT, SFD_SESSION_REAPED_AT, SFD_SESSION_CLIENT_STATE_AT};
    struct client *c = &h.clients[fuzz_below(bytes, CLIENTS_MAX)];
    const uint8_t how = fuzz_u8(bytes);

    if (c->memory == NULL) return;
    c->honest = false;
    switch (how & 3) {
    case 0: {
        const size_t at = words[(how >> 2) % 3];
        write_word(c, at, word_at(c, at) + fuzz_u8(bytes) - 0x80u);
        break;
    }
    case 1: {
        const struct sfd_session_entry e = some_entry(bytes);
        const size_t place = (how >> 2) & (c->sizes.submissions - 1);
        write_memory(c, SFD_SESSION_RINGS_AT + place * sizeof(e), &e, sizeof(e));
        break;
    }
    default: {
        const uint8_t byte = fuzz_u8(bytes);
        const size_t at = SFD_SESSION_RINGS_AT + (size_t)fuzz_u8(bytes) * 8 + (how >> 5);
        if (at < arena_at(c) - (size_t)c->sizes.completions * SFD_SESSION_ENTRY_SIZE || at >= arena_at(c))
            write_memory(c, at, &byte, 1);
    }
    }
}

/* While a call of the loop's is under way. */
static void meddle(void)
{
    if (fuzz_u8(&kernel.bytes) >= 0xf0) scribble(&kernel.bytes);
}

/* Nothing of this is the daemon's to write. */
static void check_memory(const struct client *c)
{
    const size_t completions = SFD_SESSION_RINGS_AT + (size_t)c->sizes.submissions * SFD_SESSION_ENTRY_SIZE;

    if (c->memory == NULL || c->blind) return;
    FUZZ_CHECK(memcmp(c->memory, c->shadow, SFD_SESSION_TAKEN_AT) == 0);
    FUZZ_CHECK(memcmp(c->memory + SFD_SESSION_REAPED_AT, c->shadow + SFD_SESSION_REAPED_AT, 32) == 0);
    FUZZ_CHECK(memcmp(c->memory + SFD_SESSION_RINGS_AT, c->shadow + SFD_SESSION_RINGS_AT,
                      completions - SFD_SESSION_RINGS_AT) == 0);
    FUZZ_CHECK(memcmp(c->memory + arena_at(c), c->shadow + arena_at(c), c->bytes - arena_at(c)) == 0);
    if (!c->honest) return;
    FUZZ_CHECK(word_at(c, SFD_SESSION_COMPLETED_AT) - word_at(c, SFD_SESSION_REAPED_AT) <= c->sizes.completions);
    FUZZ_CHECK(word_at(c, SFD_SESSION_COMPLETED_AT) <= word_at(c, SFD_SESSION_TAKEN_AT) + c->registered); /* R3 */
}

/* ------------------------------------------------------------------ the kernel of sessions */

static int s_accept(int fd)
{
    FUZZ_CHECK(fd == LISTENER_FD);
    if (fuzz_u8(&kernel.bytes) >= 0xf8) return -EMFILE;
    for (unsigned i = 0; i < CLIENTS_MAX; i++) {
        struct client *c = &h.clients[i];
        if (!c->connected || c->accepted) continue;
        c->accepted = true;
        return c->connection;
    }
    return -EAGAIN;
}

static int s_peer_credentials(int fd, struct ucred *out)
{
    *out = (struct ucred){.pid = KERNEL_PID_BASE + (int)object_of(fd)->client / 2, .uid = 1000, .gid = 7};
    return 0;
}

/* Messages that nobody has received: their descriptors are closed by the kernel. */
static void lose_messages(struct client *c)
{
    for (; c->waiting > 0; c->first++, c->waiting--) {
        const struct message *m = &c->queue[c->first % MESSAGES_MAX];
        for (unsigned i = 0; i < m->fd_count; i++) {
            struct object *object = object_of(m->fds[i]);
            if (object != NULL)
                object->open = false;
            else
                kernel_fd(m->fds[i])->open = false;
        }
    }
}

static int s_close(int fd)
{
    struct object *object = object_of(fd);

    if (object == NULL) return kernel_sys.close(fd);
    FUZZ_CHECK(!object->watched);
    object->open = false;
    if (object->kind == CONNECTION) {
        client_of(object)->gone = true;
        lose_messages(client_of(object));
    }
    return 0;
}

static int s_statx(int fd, const char *path, int flags, unsigned mask, struct statx *out)
{
    const struct object *object = object_of(fd);

    meddle();
    if (object == NULL) {
        const int result = kernel_sys.statx(fd, path, flags, mask, out);
        if (result == 0) out->stx_nlink = 1; /* a large file that was removed is closed by another thread */
        return result;
    }
    memset(out, 0, sizeof(*out));
    out->stx_mode = is_memory(object) ? S_IFREG | 0600 : object->kind == CONNECTION ? S_IFSOCK : 0;
    out->stx_size = object->kind == MEMORY ? client_of(object)->bytes : object->kind == BUFFER ? BUFFER_BYTES : 0;
    out->stx_blocks = fuzz_u8(&kernel.bytes) >= 0xf0 ? 0 : (out->stx_size + 511) / 512;
    return 0;
}

static int s_fstatfs_type(int fd, uint64_t *type)
{
    if (object_of(fd) == NULL) return kernel_sys.fstatfs_type(fd, type);
    *type = TMPFS_MAGIC;
    return 0;
}

static int s_getsockopt_int(int fd, int level, int name, int *out)
{
    if (object_of(fd) == NULL) return kernel_sys.getsockopt_int(fd, level, name, out);
    *out = name == SO_TYPE ? SOCK_SEQPACKET : AF_UNIX;
    return 0;
}

static int s_get_linger(int fd, struct linger *out)
{
    if (object_of(fd) == NULL) return kernel_sys.get_linger(fd, out);
    *out = (struct linger){.l_onoff = 0};
    return 0;
}

/* A duplicate of what takes and gives whatever it likes. */
static int duplicate(int fd)
{
    const struct kernel_fd *entry = kernel_fd(fd);
    const int copy = fuzz_u8(&kernel.bytes) >= 0xf8 ? -1 : kernel_new(entry->kind);

    if (copy < 0) return -EMFILE;
    struct kernel_fd *made = kernel_fd(copy);
    const struct kernel_fd *from = kernel_fd(fd);
    *made = *from;
    made->registered = made->armed = false;
    return copy;
}

static int s_fcntl(int fd, int command, int64_t argument)
{
    const struct object *object = object_of(fd);

    meddle();
    if (command == F_DUPFD_CLOEXEC && fd == KERNEL_NULL_FD) {
        const int null = kernel_new(KERNEL_NULL);
        if (null >= 0) kernel_fd(null)->any = true;
        return null < 0 ? -EMFILE : null;
    }
    if (command == F_DUPFD_CLOEXEC) return object == NULL && kernel_is_ours(fd) ? duplicate(fd) : -EMFILE;
    if (object == NULL) return kernel_sys.fcntl(fd, command, argument);
    if (command == F_GETFL) return O_RDWR | O_NONBLOCK;
    if (!is_memory(object)) return -EINVAL;
    return fuzz_u8(&kernel.bytes) >= 0xf0 ? 0 : F_SEAL_SHRINK | F_SEAL_GROW;
}

static int s_mmap(size_t length, int protection, int flags, int fd, uint64_t offset, void **out)
{
    const struct object *object = object_of(fd);

    meddle();
    if (object == NULL) return kernel_sys.mmap(length, protection, flags, fd, offset, out);
    FUZZ_CHECK(is_memory(object) && length <= (object->kind == MEMORY ? client_of(object)->bytes : BUFFER_BYTES));
    if (fuzz_u8(&kernel.bytes) >= 0xf8) return -ENOMEM;
    h.mappings++;
    *out = object->kind == MEMORY ? client_of(object)->memory : h.buffer;
    return 0;
}

static int s_munmap(void *address, size_t length)
{
    bool known = address == h.buffer;

    for (unsigned i = 0; i < CLIENTS_MAX; i++)
        known = known || (address != NULL && h.clients[i].memory == address);
    if (!known) return kernel_sys.munmap(address, length);
    FUZZ_CHECK(h.mappings > 0);
    h.mappings--;
    return 0;
}

static int64_t s_preadv2(int fd, const struct iovec *iov, int count, int64_t offset, int flags)
{
    const struct object *object = object_of(fd);

    meddle();
    if (object == NULL) return kernel_sys.preadv2(fd, iov, count, offset, flags);
    return object->kind == EVENT ? -EAGAIN : -EINVAL;
}

static int64_t s_send(int fd, const void *bytes, size_t length, int flags)
{
    const struct object *object = object_of(fd);

    meddle();
    if (object == NULL) return kernel_sys.send(fd, bytes, length, flags);
    FUZZ_CHECK(object->kind == CONNECTION && (flags & MSG_DONTWAIT) != 0);
    return client_of(object)->gone ? -EPIPE : fuzz_u8(&kernel.bytes) >= 0xf0 ? -EAGAIN : (int64_t)length;
}

static int64_t s_sendfile(int out, int in, int64_t *offset, size_t count)
{
    meddle();
    return kernel_sys.sendfile(out, in, offset, count);
}

/* A description of its own, of a buffer. */
static int s_openat(int dir, const char *path, int flags)
{
    (void)dir;
    (void)path;
    (void)flags;
    const int fd = fuzz_u8(&kernel.bytes) >= 0xe0 ? -1 : kernel_new(KERNEL_FILE);
    if (fd < 0) return -EMFILE;
    kernel_fd(fd)->any = true;
    return fd;
}

static void deliver(const struct message *m, struct mmsghdr *out)
{
    struct msghdr *header = &out->msg_hdr;
    const size_t room = header->msg_iov[0].iov_len;

    out->msg_len = (unsigned)(m->length < room ? m->length : room);
    memcpy(header->msg_iov[0].iov_base, m->bytes, out->msg_len);
    header->msg_flags = 0;
    if (m->fd_count == 0) {
        header->msg_controllen = 0;
        return;
    }
    struct cmsghdr *control = header->msg_control;
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(m->fd_count * sizeof(int));
    memcpy(CMSG_DATA(control), m->fds, m->fd_count * sizeof(int));
    header->msg_controllen = CMSG_SPACE(m->fd_count * sizeof(int));
}

static int s_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    const struct object *object = object_of(fd);
    unsigned n = 0;

    meddle();
    if (object == NULL) return kernel_sys.recvmmsg(fd, messages, count, flags);
    FUZZ_CHECK((flags & MSG_CMSG_CLOEXEC) != 0 && (flags & MSG_DONTWAIT) != 0); /* R2 */
    struct client *c = client_of(object);
    for (; n < count && c->waiting > 0; n++, c->first++, c->waiting--)
        deliver(&c->queue[c->first % MESSAGES_MAX], &messages[n]);
    if (n == 0 && !c->gone) return -EAGAIN;
    if (n < count && c->gone) deliver(&(struct message){.length = 0}, &messages[n++]);
    return (int)n;
}

static int s_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    struct object *object = object_of(fd);

    if (fd == LISTENER_FD) {
        h.listening = operation != EPOLL_CTL_DEL;
        if (event != NULL) h.listener_data = event->data.u64;
        return 0;
    }
    if (object == NULL) return kernel_sys.epoll_ctl(epoll, operation, fd, event);
    if (operation == EPOLL_CTL_DEL) {
        const bool was = object->watched;
        object->watched = false;
        return was ? 0 : -ENOENT;
    }
    if (fuzz_u8(&kernel.bytes) >= 0xf8) return -ENOSPC;
    object->watched = object->edge = true;
    object->data = event->data.u64;
    return 0;
}

static bool somebody_connects(void)
{
    for (unsigned i = 0; i < CLIENTS_MAX; i++)
        if (h.clients[i].connected && !h.clients[i].accepted) return true;
    return false;
}

static int s_epoll_wait(int epoll, struct epoll_event *events, int count, int timeout_ms)
{
    int n = 0;

    meddle();
    if (h.listening && somebody_connects()) events[n++] = (struct epoll_event){EPOLLIN, {.u64 = h.listener_data}};
    for (unsigned i = 0; i < h.object_count && n < count; i++) {
        struct object *object = &h.objects[i];
        if (!object->open || !object->watched || !object->edge) continue;
        object->edge = false;
        events[n++] = (struct epoll_event){EPOLLIN, {.u64 = object->data}};
    }
    return n + kernel_sys.epoll_wait(epoll, events + n, count - n, n > 0 ? 0 : timeout_ms);
}

static int64_t s_voluntary_switches(void)
{
    return 0;
}

/* ------------------------------------------------------------------ the daemon */

static void start(const uint8_t *data, size_t size)
{
    const size_t ops = size == 0 ? 0 : (size - 1) * data[0] / UINT8_MAX;

    memset(&h, 0, offsetof(struct harness, held));
    if (size > 0) h.ops = (struct fuzz_bytes){.at = data + 1, .left = ops};
    kernel_reset(data + (size > 0 ? 1 + ops : 0), size > 0 ? size - 1 - ops : 0);
    kernel.zeros = true;
    const uint8_t how = fuzz_u8(&h.ops);
    h.sys = kernel_sys;
    h.sys.accept = s_accept;
    h.sys.close = s_close;
    h.sys.epoll_ctl = s_epoll_ctl;
    h.sys.epoll_wait = s_epoll_wait;
    h.sys.fcntl = s_fcntl;
    h.sys.fstatfs_type = s_fstatfs_type;
    h.sys.get_linger = s_get_linger;
    h.sys.getsockopt_int = s_getsockopt_int;
    h.sys.mmap = s_mmap;
    h.sys.munmap = s_munmap;
    h.sys.openat = s_openat;
    h.sys.peer_credentials = s_peer_credentials;
    h.sys.preadv2 = s_preadv2;
    h.sys.recvmmsg = s_recvmmsg;
    h.sys.send = s_send;
    h.sys.sendfile = s_sendfile;
    h.sys.statx = s_statx;
    h.sys.voluntary_switches = s_voluntary_switches;
    h.shared.settings = (struct sfd_settings){
        .loops = 1,
        .max_transfers = 1 + (how & 15),
        .open_timeout_ms = 50,
        .buffer_size = 4096,
        .quantum = 4096,
        .idle_timeout_ms = (how & 0x10) != 0 ? 100 : 0,
    };
    if ((how & 0x20) != 0) h.shared.settings.client = (struct sfd_limits){.transfers = 2, .descriptors = 12};
    h.shared.kernel = (struct sfd_kernel){.sys = &h.sys,
                                          .null_fd = KERNEL_NULL_FD,
                                          .pipe_write_flags = RWF_NOWAIT,
                                          .resolve_cached = true,
                                          .cachestat = true,
                                          .pidfds = true};
    h.shared.techniques = SFD_TECHNIQUES_ALL;
    sfd_devices_init(&h.shared.devices);
    sfd_write_ranges_init(&h.shared.write_ranges);
    sfd_carriers_init(&h.shared.carriers);
    sfd_client_accounts_init(&h.shared.accounts, &h.shared.settings.client);
    sfd_client_accounts_divide(&h.shared.accounts, h.shared.settings.max_transfers);
    sfd_memory_budget_init_in(&h.shared.memory, &sfd_sys_linux, UINT64_MAX / 2, 0, NULL, 0, true);
    h.shared.request_fd = KERNEL_REQUEST_FD;
    h.shared.session_fd = LISTENER_FD;
    FUZZ_CHECK(sfd_counters_file_make(&h.shared.counters_file, -1, NULL, "fuzz", 1, SFD_QUEUES, 4) == 0);
    h.root = (struct sfd_root){.fd = KERNEL_ROOT_FD, .opens_here = true};
    atomic_init(&h.root.references, 1);
    h.shared.roots[0] = &h.root;
    h.hot = (struct sfd_hot){.kernel = h.shared.kernel,
                             .root = KERNEL_ROOT_FD,
                             .opens = true,
                             .sigpipe_is_harmless = true,
                             .dev = makedev(0, 100)};
    sfd_hot_device_init(&h.hot.device, &h.sys);
    /* In one set of entries the hash, which is random, decides nothing. */
    FUZZ_CHECK(sfd_hot_cache_init(&h.hot.cache, &h.sys, (how & 0x40) != 0 ? 4 : 0, 50 * 1000000) == 0);
    if ((how & 0x80) == 0) h.shared.hot[0] = &h.hot;
    FUZZ_CHECK(sfd_loop_create(&h.shared.loops[0], &h.shared, 0) == 0);
    h.carrier = sfd_loop_carrier(h.shared.loops[0]);
}

static void turn(void)
{
    if (h.ended) return;
    const int result = sfd_carrier_poll(h.carrier);
    FUZZ_CHECK(result == 0 || result == -ESHUTDOWN);
    struct sfd_turn *turn = sfd_carrier_turn(h.carrier);
    for (unsigned i = 0; i < CLIENTS_MAX; i++)
        check_memory(&h.clients[i]);
    if (result == -ESHUTDOWN) {
        h.ended = true;
        return;
    }
    for (int i = 0; i < turn->requests; i++)
        dispatcher_decide(&turn->slot[i], fuzz_u8(&kernel.bytes) >= 0xf8 ? 1001 : 1000);
    for (int i = 0; i < turn->offloads; i++) {
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

static struct message *new_message(struct client *c, uint8_t command, uint32_t length)
{
    const uint16_t version = SFD_SESSION_VERSION;

    if (!c->connected || c->gone || c->waiting == MESSAGES_MAX) return NULL;
    struct message *m = &c->queue[(c->first + c->waiting++) % MESSAGES_MAX];
    *m = (struct message){.length = length};
    m->bytes[0] = command;
    memcpy(m->bytes + 2, &version, sizeof(version));
    memcpy(m->bytes + 4, &length, sizeof(length));
    set_edge(c->connection);
    return m;
}

static void attach(struct message *m, int fd)
{
    if (fd >= 0) m->fds[m->fd_count++] = fd;
}

static void connect_client(unsigned which)
{
    struct client *c = &h.clients[which];

    if (c->connected) return;
    c->connection = new_object(CONNECTION, which);
    c->connected = c->connection >= 0;
    c->eventfd = -1;
}

/* Some byte of a message is another one, or there are more descriptors. */
static void spoil(struct client *c, struct message *m)
{
    const uint8_t how = fuzz_u8(&h.ops);

    if (how < 0xe0) return;
    c->honest = false;
    if ((how & 1) != 0) m->bytes[fuzz_below(&h.ops, 32)] ^= 1 + fuzz_u8(&h.ops) % 255;
    if ((how & 2) != 0) m->length = fuzz_below(&h.ops, sizeof(m->bytes));
    if ((how & 4) != 0) attach(m, new_object(EVENT, (unsigned)(c - h.clients)));
}

static void say_hello(struct client *c)
{
    const unsigned which = (unsigned)(c - h.clients);
    struct message *m = new_message(c, SFD_SESSION_HELLO, SFD_SESSION_HELLO_SIZE);

    if (m == NULL) return;
    const uint8_t how = fuzz_u8(&h.ops);
    struct sfd_session_sizes sizes = {4u << (how & 1), 4u << (how >> 1 & 2), (how & 0x10) != 0 ? 0 : ARENA_MOST};
    if (c->memory == NULL) {
        c->sizes = sizes;
        c->bytes = sfd_session_ring_bytes(&sizes);
        c->memory = aligned_alloc(64, (c->bytes + 63) / 64 * 64);
        c->shadow = calloc(1, c->bytes);
        FUZZ_CHECK(c->memory != NULL && c->shadow != NULL);
        memset(c->memory, 0, c->bytes);
        c->honest = true;
    } else {
        c->honest = false; /* twice */
    }
    memcpy(m->bytes + 8, &c->sizes.submissions, 4);
    memcpy(m->bytes + 12, &c->sizes.completions, 4);
    memcpy(m->bytes + 16, &c->sizes.arena, 4);
    attach(m, new_object(MEMORY, which));
    c->eventfd = new_object(EVENT, which);
    attach(m, c->eventfd);
    spoil(c, m);
}

static void register_something(struct client *c)
{
    static const enum kernel_kind kinds[] = {KERNEL_TCP,  KERNEL_FILE,  KERNEL_PIPE,      KERNEL_UNIX,
                                             KERNEL_NULL, KERNEL_OTHER, KERNEL_DIRECTORY, KERNEL_FILE};
    const uint8_t how = fuzz_u8(&h.ops);
    const uint32_t kind = how % SFD_SESSION_KINDS;

    /* Only with room for its completion; who knows whether it is welcome already has kept the rules. */
    const uint32_t unread = c->submitted + c->registered - word_at(c, SFD_SESSION_REAPED_AT);
    if (unread >= c->sizes.completions || word_at(c, SFD_SESSION_STATE_AT) == 0) c->honest = false;
    struct message *m = new_message(c, SFD_SESSION_REGISTER, SFD_SESSION_REGISTER_SIZE);
    if (m == NULL) return;
    memcpy(m->bytes + 8, &kind, sizeof(kind));
    m->bytes[16] = how;
    if (kind == SFD_SESSION_BUFFER && (how & 0x10) == 0) {
        const bool own = c->memory != NULL && (how & 0xe0) == 0xe0;
        c->blind = c->blind || own;
        c->honest = c->honest && !own;
        attach(m, new_object(own ? MEMORY : BUFFER, (unsigned)(c - h.clients)));
    } else {
        const int fd = kernel_new(kinds[how >> 5]);
        if (fd >= 0) kernel_fd(fd)->any = true;
        attach(m, fd);
    }
    c->registered++;
    if (m->fd_count != 1) c->honest = false;
    spoil(c, m);
}

static void submit(struct client *c)
{
    const struct sfd_session_entry e = some_entry(&h.ops);
    const uint32_t taken = word_at(c, SFD_SESSION_TAKEN_AT);

    if (c->memory == NULL || (c->honest && c->submitted - taken == c->sizes.submissions)) return;
    const size_t place = c->submitted & (c->sizes.submissions - 1);
    write_memory(c, SFD_SESSION_RINGS_AT + place * sizeof(e), &e, sizeof(e));
    write_word(c, SFD_SESSION_SUBMITTED_AT, ++c->submitted);
}

static void reap(struct client *c)
{
    if (c->memory == NULL) return;
    write_word(c, SFD_SESSION_REAPED_AT, word_at(c, SFD_SESSION_COMPLETED_AT));
    set_edge(c->eventfd);
}

static void leave(struct client *c)
{
    if (!c->connected) return;
    c->gone = true;
    set_edge(c->connection);
}

static void step(uint8_t op)
{
    struct client *c = &h.clients[op >> 6];
    const char path[] = "d/file/x";

    switch (op & 15) {
    case 0:
        connect_client(op >> 6);
        say_hello(c);
        break;
    case 1:
        register_something(c);
        break;
    case 2:
    case 3:
    case 4:
        submit(c);
        set_edge(c->eventfd);
        break;
    case 5:
        if (c->memory != NULL) write_memory(c, arena_at(c) + fuzz_below(&h.ops, ARENA_MOST), path, 8);
        break;
    case 6:
        reap(c);
        break;
    case 7:
        scribble(&h.ops);
        break;
    case 8:
        work(fuzz_u8(&h.ops));
        break;
    case 9:
        kernel.now_ms += fuzz_u8(&h.ops) * ((op & 0x30) == 0x30 ? 40u : 1u);
        break;
    case 10:
        if ((op & 0x30) == 0x30) leave(c);
        if ((op & 0x30) == 0x20) kernel_end_process(fuzz_u8(&h.ops) & 1);
        if ((op & 0x30) == 0x10 && kernel.fd_count > 0) kernel.fds[fuzz_u8(&h.ops) % kernel.fd_count].gone = true;
        break;
    default:
        turn();
    }
}

/* ------------------------------------------------------------------ the end */

static void round_of_all(bool reaps)
{
    for (unsigned i = 0; i < CLIENTS_MAX && reaps; i++)
        reap(&h.clients[i]);
    turn();
    while (h.held_count > 0)
        work(0);
}

static const struct sfd_session *session_of(const struct client *c)
{
    const struct sfd_sessions *sessions = &h.shared.loops[0]->sessions;

    for (uint32_t i = 0; i < sessions->capacity; i++)
        if (sessions->at[i] != NULL && sessions->at[i]->connection == c->connection) return sessions->at[i];
    return NULL;
}

/* R3: what is not complete is under way: a rate or a size can make that long. */
static void check_answered(const struct client *c)
{
    const struct sfd_session *s = session_of(c);

    if (s == NULL || s->stage != SFD_SESSION_STAGE_OPEN || !c->honest) return;
    FUZZ_CHECK(word_at(c, SFD_SESSION_COMPLETED_AT) + s->promised == word_at(c, SFD_SESSION_TAKEN_AT) + c->registered);
    FUZZ_CHECK(s->promised == s->job_count);
    if (s->job_count == 0) FUZZ_CHECK(word_at(c, SFD_SESSION_TAKEN_AT) == c->submitted);
}

static void stop(void)
{
    struct sfd_loop *loop = h.shared.loops[0];

    kernel.bytes.left = 0;
    for (int i = 0; i < 60; i++)
        round_of_all(true);
    for (unsigned i = 0; i < CLIENTS_MAX; i++)
        check_answered(&h.clients[i]);
    for (unsigned i = 0; i < CLIENTS_MAX; i++)
        leave(&h.clients[i]);
    for (int i = 0; i < 20; i++)
        round_of_all(false);
    FUZZ_CHECK(atomic_load(&h.shared.sessions) == 0);
    sfd_loop_stop(loop);
    for (int i = 0; i < 200 && !h.ended; i++)
        round_of_all(false);
    FUZZ_CHECK(h.ended);
    FUZZ_CHECK(atomic_load(&h.shared.transfers) == 0 && loop->transfers.count == 0 && loop->offloaded == 0);
    sfd_loop_destroy(loop);
    sfd_hot_cache_deinit(&h.hot.cache);
    for (int i = 0; i < SFD_CLIENT_ACCOUNT_BUCKETS; i++)
        FUZZ_CHECK(h.shared.accounts.buckets[i] == NULL); /* R10 */
    sfd_client_accounts_deinit(&h.shared.accounts);
    sfd_memory_budget_deinit(&h.shared.memory);
    sfd_counters_file_release(&h.shared.counters_file);
    sfd_carriers_deinit(&h.shared.carriers);
    sfd_write_ranges_deinit(&h.shared.write_ranges);
    sfd_devices_deinit(&h.shared.devices);
    kernel_check_empty();
    for (unsigned i = 0; i < h.object_count; i++)
        FUZZ_CHECK(!h.objects[i].open); /* R2 */
    FUZZ_CHECK(h.mappings == 0);
    for (unsigned i = 0; i < CLIENTS_MAX; i++) {
        free(h.clients[i].memory);
        free(h.clients[i].shadow);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    start(data, size);
    for (int i = 0; i < OPS_MAX && h.ops.left > 0; i++)
        step(fuzz_u8(&h.ops));
    stop();
    return 0;
}
