/*
 * A client that means harm: see hostile_common.h.
 */
#include "hostile_common.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "driver_common.h"

/* PROTOCOL.md, and not our encoder. */
enum { OPEN = 1, READ, SEND, SEND_OPEN, CANCEL, OPEN_EXT = 0x11, SEND_DESCRIPTOR = 0x14 };
enum { HEADER = 24, ID_REQUEST = 16, EXTENDED_HEADER = 48, FILE_INFO_SIZE = 48 };

/* Lengths at which something changes: the parts of each layout, the longest request, the slot, a page, the most. */
static const uint32_t lengths[] = {0,    1,    2,    3,     4,     7,     8,     9,    15,   16,   17,
                                   23,   24,   25,   26,    47,    48,    49,    50,   63,   255,  512,
                                   4095, 4096, 4119, 4120,  4121,  4143,  4144,  4145, 4239, 4240, 4241,
                                   4242, 8192, 9000, 32767, 32768, 65534, 65535, 65536};

void chance_init(struct chance *chance, uint64_t seed)
{
    chance->state = (seed + 1) * 0x9e3779b97f4a7c15U;
    if (chance->state == 0) chance->state = 1;
}

uint64_t chance_next(struct chance *chance)
{
    uint64_t x = chance->state;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    chance->state = x;
    return x * 0x2545f4914f6cdd1dU;
}

uint32_t chance_below(struct chance *chance, uint32_t n)
{
    return (uint32_t)((chance_next(chance) >> 32) * n >> 32);
}

bool chance_of(struct chance *chance, uint32_t percent)
{
    return chance_below(chance, 100) < percent;
}

int hostile_connect(const char *socket_path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval patience = {.tv_sec = HOSTILE_PATIENCE_S};
    const int size = 1024 * 1024;
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    strncpy(address.sun_path, socket_path, sizeof address.sun_path - 1);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size) < 0)
        driver_die(socket_path);
    return fd;
}

int hostile_send_bytes(int socket, const void *bytes, size_t length, const int *fds, size_t fd_count)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * DATAGRAM_FDS)];
    } control;
    struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

    if (fd_count > 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        memset(control.bytes, 0, message.msg_controllen);
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(rights), fds, sizeof(int) * fd_count);
    }
    for (;;) {
        if (sendmsg(socket, &message, MSG_NOSIGNAL) >= 0) return 0;
        if (errno != EINTR && errno != ENOBUFS && errno != ENOMEM) return errno;
        sched_yield();
    }
}

/* ------------------------------------------------------------------ bytes */

static void put(struct hostile *h, size_t at, const void *value, size_t size)
{
    memcpy(h->bytes + at, value, size);
}

static void put_u64(struct hostile *h, size_t at, uint64_t value)
{
    put(h, at, &value, sizeof value);
}

static void put_u32(struct hostile *h, size_t at, uint32_t value)
{
    put(h, at, &value, sizeof value);
}

static void put_total_length(struct hostile *h)
{
    const uint16_t version = 1;

    put(h, 2, &version, sizeof version);
    put_u32(h, 4, (uint32_t)h->length);
}

static void scatter(struct hostile *h, size_t from, size_t to)
{
    for (size_t i = from; i < to; i += sizeof(uint64_t)) {
        const uint64_t value = chance_next(&h->chance);
        memcpy(h->bytes + i, &value, to - i < sizeof value ? to - i : sizeof value);
    }
}

static uint32_t any_length(struct hostile *h)
{
    if (chance_of(&h->chance, 70)) return lengths[chance_below(&h->chance, sizeof lengths / sizeof lengths[0])];
    return chance_below(&h->chance, chance_of(&h->chance, 80) ? 600 : DATAGRAM_MAX + 1);
}

static uint8_t any_command(struct hostile *h)
{
    static const uint8_t known[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x11, 0x12, 0x13, 0x14};

    if (chance_of(&h->chance, 15)) return (uint8_t)chance_next(&h->chance);
    return known[chance_below(&h->chance, sizeof known)];
}

static uint64_t any_number(struct hostile *h)
{
    static const uint64_t edges[] = {0,         1,          4096,           INT64_MAX, (uint64_t)INT64_MAX + 1,
                                     INT32_MAX, UINT32_MAX, UINT64_MAX - 1, UINT64_MAX};

    if (chance_of(&h->chance, 50)) return 0;
    if (chance_of(&h->chance, 20)) return chance_next(&h->chance);
    return edges[chance_below(&h->chance, sizeof edges / sizeof edges[0])];
}

/* An id that was, or is, or is near to one: D24 matched them modulo the size of a table. */
static uint64_t any_id(struct hostile *h)
{
    if (h->id_count == 0 || chance_of(&h->chance, 20)) return any_number(h);
    const uint64_t id = h->ids[chance_below(&h->chance, (uint32_t)(h->id_count < PAST_IDS ? h->id_count : PAST_IDS))];
    return chance_of(&h->chance, 60) ? id : id ^ (uint64_t)1 << chance_below(&h->chance, 64);
}

static size_t put_path(struct hostile *h, size_t at)
{
    static const char *const odd[] = {"", "/", ".", "..", "../../etc/passwd", "missing", "/dev/zero", "file\0hidden"};
    const char *path = h->path;
    size_t length = strlen(path);

    if (chance_of(&h->chance, 15)) {
        const uint32_t which = chance_below(&h->chance, sizeof odd / sizeof odd[0]);
        path = odd[which];
        length = strlen(path) + (which == 7 ? 7 : 0);
    } else if (chance_of(&h->chance, 5)) {
        length = chance_of(&h->chance, 50) ? 4095 : chance_below(&h->chance, 5000);
        memset(h->bytes + at, 'a', length);
        h->bytes[at + length] = 0;
        return at + length + 1;
    }
    memcpy(h->bytes + at, path, length);
    h->bytes[at + length] = 0;
    return at + length + 1;
}

/* A request that could be sound, of a random command. */
static void put_request(struct hostile *h)
{
    const uint8_t command = any_command(h);

    memset(h->bytes, 0, EXTENDED_HEADER);
    h->bytes[0] = command;
    if (command == SEND_OPEN || command == CANCEL) {
        put_u64(h, 8, any_id(h));
        h->length = ID_REQUEST;
        return;
    }
    const bool extended = command >= OPEN_EXT;
    put_u64(h, 8, any_number(h));
    put_u64(h, 16, any_number(h));
    if (extended) {
        put_u64(h, 24, any_number(h));
        put_u32(h, 32, (uint32_t)any_number(h));
        put_u32(h, 36, (uint32_t)any_number(h));
        h->bytes[40] = (uint8_t)chance_below(&h->chance, 7);
        h->bytes[41] = (uint8_t)chance_below(&h->chance, 5);
    }
    h->length = command == SEND_DESCRIPTOR ? EXTENDED_HEADER : put_path(h, extended ? EXTENDED_HEADER : HEADER);
    if (extended) put_total_length(h);
}

static void mutate(struct hostile *h)
{
    const uint32_t flips = chance_below(&h->chance, 5);

    for (uint32_t i = 0; i < flips && h->length > 0; i++)
        h->bytes[chance_below(&h->chance, (uint32_t)h->length)] = (uint8_t)chance_next(&h->chance);
    if (chance_of(&h->chance, 30)) { /* cut short, or longer than it says */
        const size_t length = any_length(h);
        if (length > h->length) scatter(h, h->length, length);
        h->length = length;
        if (length >= 8 && chance_of(&h->chance, 50)) put_total_length(h);
    }
}

static void put_garbage(struct hostile *h)
{
    h->length = any_length(h);
    scatter(h, 0, h->length);
    if (chance_of(&h->chance, 70)) h->bytes[0] = any_command(h);
    if (chance_of(&h->chance, 70)) h->bytes[1] = 0;
    if (h->length >= 8 && h->bytes[0] >= OPEN_EXT && chance_of(&h->chance, 70)) put_total_length(h);
    if (h->length > 0 && chance_of(&h->chance, 50)) h->bytes[h->length - 1] = 0;
}

/* ------------------------------------------------------------------ descriptors */

/* Remembers our end of a status channel, and lets go of the one that had its place. */
static void hold(struct hostile *h, int status)
{
    const size_t at = h->next_held++ % HELD;

    driver_close(&h->held[at].status);
    h->held[at].status = status;
    h->held[at].asked = false;
}

/* Takes the ids of transfers that have begun. */
static void learn_ids(struct hostile *h)
{
    uint8_t info[FILE_INFO_SIZE];

    for (size_t i = 0; i < HELD; i++) {
        if (h->held[i].status < 0 || h->held[i].asked) continue;
        const ssize_t n = read(h->held[i].status, info, sizeof info);
        if (n < 0) continue; /* not yet */
        h->held[i].asked = true;
        if (n == FILE_INFO_SIZE && info[0] == 0x81 && info[1] == 0)
            memcpy(&h->ids[h->id_count++ % PAST_IDS], info + 40, sizeof(uint64_t));
    }
}

/* A fresh status channel as the first descriptor; our end is closed now, later, or has been closed before. */
static void attach_status(struct hostile *h)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) driver_die("pipe");
    h->own = ends[1];
    h->fds[h->fd_count++] = ends[1];
    if (chance_of(&h->chance, 30))
        close(ends[0]);
    else
        hold(h, ends[0]);
}

static int any_fd(struct hostile *h)
{
    return h->pool->fds[chance_below(&h->chance, (uint32_t)h->pool->count)];
}

static void attach(struct hostile *h)
{
    const uint32_t dice = chance_below(&h->chance, 100);
    const uint32_t count = dice < 15   ? 0
                           : dice < 45 ? 1
                           : dice < 70 ? 2
                           : dice < 85 ? 3
                           : dice < 97 ? 4 + chance_below(&h->chance, 12)
                                       : 16 + chance_below(&h->chance, DATAGRAM_FDS - 15);

    h->fd_count = 0;
    h->own = -1;
    if (count > 0 && chance_of(&h->chance, 50)) attach_status(h);
    if (count > 1 && h->fd_count == 1 && chance_of(&h->chance, 5))
        h->fds[h->fd_count++] = h->fds[0]; /* the status channel is the destination, too */
    while (h->fd_count < count)
        h->fds[h->fd_count++] = any_fd(h);
}

/* ------------------------------------------------------------------ what is sent */

/* A sound request for a transfer that a later datagram has something against. */
static void put_beginning(struct hostile *h)
{
    static const uint8_t commands[] = {OPEN, OPEN, OPEN, READ, SEND};

    memset(h->bytes, 0, HEADER);
    h->bytes[0] = commands[chance_below(&h->chance, sizeof commands)];
    memcpy(h->bytes + HEADER, h->path, strlen(h->path) + 1);
    h->length = HEADER + strlen(h->path) + 1;
    h->fd_count = 0;
    h->own = -1;
    attach_status(h);
    if (h->bytes[0] == SEND) h->fds[h->fd_count++] = any_fd(h);
}

/* Send Open File and Cancel: of what is over, of what runs, too short, with descriptors that do not belong there. */
static void put_untimely(struct hostile *h)
{
    memset(h->bytes, 0, ID_REQUEST);
    h->bytes[0] = chance_of(&h->chance, 50) ? SEND_OPEN : CANCEL;
    put_u64(h, 8, any_id(h));
    h->length = chance_of(&h->chance, 85) ? ID_REQUEST : chance_below(&h->chance, 2 * ID_REQUEST);
    if (h->length > ID_REQUEST) scatter(h, ID_REQUEST, h->length);
    attach(h);
}

static int send_one(struct hostile *h)
{
    int error = hostile_send_bytes(h->socket, h->bytes, h->length, h->fds, h->fd_count);

    if (error == ETOOMANYREFS) {
        h->crowded++;
        h->fd_count = 0;
        error = hostile_send_bytes(h->socket, h->bytes, h->length, h->fds, 0);
    }
    if (error == 0) {
        h->sent++;
        h->descriptors += h->fd_count;
    }
    return error;
}

int hostile_send(struct hostile *h)
{
    const uint32_t dice = chance_below(&h->chance, 100);
    int error;

    if (dice < 25) {
        put_garbage(h);
        attach(h);
    } else if (dice < 70) {
        put_request(h);
        mutate(h);
        attach(h);
    } else if (dice < 80) {
        put_beginning(h);
    } else {
        put_untimely(h);
    }
    error = send_one(h);
    if (error == 0 && chance_of(&h->chance, 10)) error = send_one(h); /* D16: twice in one turn */
    if (h->own >= 0) close(h->own);
    if (chance_of(&h->chance, 25)) learn_ids(h);
    if (chance_of(&h->chance, 20)) driver_close(&h->held[chance_below(&h->chance, HELD)].status);
    return error;
}

void hostile_init(struct hostile *h, const struct pool *pool, const char *socket, const char *path, uint64_t seed)
{
    memset(h, 0, sizeof *h);
    chance_init(&h->chance, seed);
    h->pool = pool;
    h->path = path;
    h->socket = hostile_connect(socket);
    h->own = -1;
    for (size_t i = 0; i < HELD; i++)
        h->held[i].status = -1;
}

void hostile_deinit(struct hostile *h)
{
    for (size_t i = 0; i < HELD; i++)
        driver_close(&h->held[i].status);
    driver_close(&h->socket);
}
