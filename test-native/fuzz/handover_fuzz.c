/*
 * Fuzz target: what one process of an instance takes from the other. The numbers of its inheritance, the first of which
 * is their count (native/core/process/handover.c), and the requests that are left to a predecessor
 * (native/core/loop/succession.c): the sockets that are looked at, and what is said to whom.
 *
 * R27: numbers are refused whole, or are within all bounds and say the same when they are written again. A request goes
 * to the predecessor whose tag its id has, or to nobody; while one is left, none is received.
 */
#include <errno.h>
#include <limits.h>

#include "fuzz.h"
#include "loop/succession.h"
#include "loop/transfer_table.h"
#include "process/handover.h"
#include "protocol/wire.h"

_Static_assert(SFD_PREDECESSORS_MAX == SFD_SUCCESSION_MAX, "each has a place");

#define REQUEST_FD 7
#define LOOKS_MAX  64

/* The kernel: a socket with one request, and the sockets to predecessors. */
static struct {
    struct fuzz_bytes bytes;
    unsigned char request[SFD_WIRE_MAX_REQUEST_SIZE];
    size_t length;
    bool looked_at; /* somebody has seen the request */
    bool deaf;      /* a predecessor has ended */
    int said_to;    /* -1: nothing was said */
    char said[64];
} peers;

static int peek(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    struct msghdr *header = &messages->msg_hdr;
    size_t room = header->msg_iov[0].iov_len;

    FUZZ_CHECK(fd == REQUEST_FD && count == 1 && header->msg_iovlen == 1);
    FUZZ_CHECK((flags & MSG_PEEK) != 0 && (flags & MSG_DONTWAIT) != 0);
    FUZZ_CHECK(header->msg_control == NULL && header->msg_controllen == 0); /* no copy of a descriptor comes */
    const uint8_t how = fuzz_u8(&peers.bytes);
    if (how < 8) return how < 4 ? -EAGAIN : -ENOBUFS;
    if (room > peers.length) room = peers.length;
    memcpy(header->msg_iov[0].iov_base, peers.request, room);
    peers.looked_at = true;
    messages->msg_len = (unsigned)((flags & MSG_TRUNC) != 0 ? peers.length : room);
    return 1;
}

static int64_t say(int fd, const void *bytes, size_t length, int flags)
{
    FUZZ_CHECK((flags & MSG_DONTWAIT) != 0 && (flags & MSG_NOSIGNAL) != 0);
    FUZZ_CHECK(length < sizeof(peers.said) && peers.said_to == -1);
    peers.deaf = fuzz_u8(&peers.bytes) < 16;
    if (peers.deaf) return -EPIPE;
    memcpy(peers.said, bytes, length);
    peers.said[length] = '\0';
    peers.said_to = fd;
    return (int64_t)length;
}

static void check_read(const struct sfd_handover *read, const int64_t *numbers, size_t count)
{
    int64_t again[SFD_HANDOVER_NUMBERS_MAX];

    FUZZ_CHECK(read->predecessors <= SFD_PREDECESSORS_MAX && read->lanes <= SFD_LANES_MAX);
    FUZZ_CHECK(read->request_fd >= 0 && read->lock_fd >= 0);
    for (uint32_t i = 0; i < read->predecessors; i++)
        FUZZ_CHECK(read->predecessor[i].fd >= 0);
    for (uint32_t i = 0; i < read->lanes; i++)
        FUZZ_CHECK(read->lane[i].fd >= 0);
    FUZZ_CHECK(sfd_handover_write(read, again) == count);
    for (size_t i = 0; i < count; i++)
        FUZZ_CHECK(again[i] == numbers[i] || (i == 3 && numbers[i] != 0 && again[i] == 1));
}

/* What was inherited; false: it was refused, and `out` is as it was. */
static bool inherit(struct sfd_handover *out, const int64_t *numbers, size_t count)
{
    struct sfd_handover before;

    memset(out, 0x5a, sizeof(*out));
    memcpy(&before, out, sizeof(before));
    const int result = sfd_handover_read(out, numbers, count);
    FUZZ_CHECK(result == 0 || result == -EPROTO || result == -EPROTONOSUPPORT);
    if (result < 0) {
        FUZZ_CHECK(memcmp(out, &before, sizeof(before)) == 0);
        return false;
    }
    check_read(out, numbers, count);
    return true;
}

/* Whose the request is: the first predecessor that is there and has its tag; -1: nobody's. */
static int expected_owner(const struct sfd_succession *s)
{
    uint64_t id;

    if (peers.length != SFD_WIRE_TRANSFER_REQUEST_SIZE) return -1;
    if (peers.request[0] != SFD_WIRE_SEND_OPEN_FILE && peers.request[0] != SFD_WIRE_CANCEL) return -1;
    memcpy(&id, peers.request + 8, sizeof(id));
    for (int i = 0; i < SFD_SUCCESSION_MAX; i++)
        if (atomic_load(&s->predecessor[i].fd) >= 0 && s->predecessor[i].tag == (uint32_t)(id >> 57 & 63)) return i;
    return -1;
}

static void look(struct sfd_succession *s, const struct sfd_sys *sys, uint32_t source, int most)
{
    const bool waits = atomic_load(&s->delegated);
    const bool any = atomic_load(&s->predecessors) > 0;
    const int owner = expected_owner(s);
    char text[64];

    peers.looked_at = peers.deaf = false;
    peers.said_to = -1;
    const int result = sfd_succession_look(s, sys, REQUEST_FD, source, most);
    if (!any) {
        FUZZ_CHECK(result == most && peers.said_to == -1);
    } else if (waits) {
        FUZZ_CHECK(result == 0 && peers.said_to == -1);
    } else if (!peers.looked_at) {
        FUZZ_CHECK(result == most && peers.said_to == -1 && !atomic_load(&s->delegated));
    } else if (owner >= 0 && !peers.deaf) {
        FUZZ_CHECK(result == 0 && peers.said_to == atomic_load(&s->predecessor[owner].fd));
        FUZZ_CHECK(atomic_load(&s->delegated));
        (void)snprintf(text, sizeof(text), "take %u", source);
        FUZZ_CHECK(strcmp(text, peers.said) == 0);
    } else {
        FUZZ_CHECK(result == 1 && peers.said_to == -1 && !atomic_load(&s->delegated));
    }
}

static void compose_request(void)
{
    static const uint8_t commands[] = {SFD_WIRE_SEND_OPEN_FILE, SFD_WIRE_CANCEL, SFD_WIRE_READ_FILE, 0};
    static const size_t lengths[] = {SFD_WIRE_TRANSFER_REQUEST_SIZE, 0, 1, 15, 17, 24, SFD_WIRE_MAX_REQUEST_SIZE};
    const uint8_t how = fuzz_u8(&peers.bytes);
    const uint64_t id = fuzz_u64(&peers.bytes);

    memset(peers.request, how, sizeof(peers.request));
    peers.length = (how & 0x80) != 0 ? lengths[how % 7] : SFD_WIRE_TRANSFER_REQUEST_SIZE;
    peers.request[0] = commands[how & 3];
    memcpy(peers.request + 8, &id, sizeof(id));
}

static void follow(const struct sfd_handover *read)
{
    struct sfd_sys sys = {.recvmmsg = peek, .send = say};
    struct sfd_succession s;

    sfd_succession_init(&s, read->tag % SFD_ID_TAGS);
    for (uint32_t i = 0; i < read->predecessors; i++) {
        s.predecessor[i].tag = read->predecessor[i].tag;
        atomic_store(&s.predecessor[i].fd, read->predecessor[i].fd);
    }
    atomic_store(&s.predecessors, read->predecessors);
    for (int i = 0; i < LOOKS_MAX && peers.bytes.left > 0; i++) {
        const uint8_t what = fuzz_u8(&peers.bytes);
        if (what < 160) {
            compose_request();
            look(&s, &sys, what, 1 + (what & 15));
        } else if (what < 224) {
            atomic_store(&s.delegated, false); /* sfd_engine_taken */
        } else {
            sfd_succession_forget(&s, what & 31u); /* also who is none */
            uint32_t live = 0;
            for (uint32_t j = 0; j < SFD_SUCCESSION_MAX; j++)
                live += atomic_load(&s.predecessor[j].fd) >= 0 ? 1 : 0;
            FUZZ_CHECK(live == atomic_load(&s.predecessors));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sfd_handover read;
    const size_t most = SFD_HANDOVER_NUMBERS_MAX + 4;

    if (size == 0) return 0;
    size_t count = (size - 1) / sizeof(int64_t);
    if (count > data[0]) count = data[0];
    if (data[0] == UINT8_MAX && (size - 1) / sizeof(int64_t) >= most) count = most;
    int64_t *numbers = (int64_t *)(void *)fuzz_exact_copy(data + 1, count * sizeof(int64_t));
    if (inherit(&read, numbers, count)) {
        const size_t used = 1 + count * sizeof(int64_t);
        peers.bytes = (struct fuzz_bytes){.at = data + used, .left = size - used};
        follow(&read);
    }
    free(numbers);
    return 0;
}
