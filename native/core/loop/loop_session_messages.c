/*
 * What comes over the connections of sessions, and is told there: Hello and Welcome, Register. <sendfiled/session.h>
 * says what these are.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <sys/mman.h>
#include <sys/stat.h>

#include "loop/loop_session.h"

/* The most messages of one connection that a turn reads. */
#define TURN_MESSAGES 8

/* The longest message; what is longer is none. */
#define MESSAGE_BYTES SFD_SESSION_HELLO_SIZE

/* ------------------------------------------------------------------ what is told */

static void put_head(unsigned char *out, uint8_t command, uint8_t stat, uint32_t length)
{
    const uint16_t version = SFD_SESSION_VERSION;

    out[0] = command;
    out[1] = stat;
    memcpy(out + 2, &version, sizeof(version));
    memcpy(out + 4, &length, sizeof(length));
}

void sfd_loop_session_welcome(const struct sfd_sys *sys, int connection, int error)
{
    unsigned char message[SFD_SESSION_WELCOME_SIZE];

    put_head(message, SFD_SESSION_WELCOME, (uint8_t)(error < 0 ? -error : 0), sizeof(message));
    (void)sys->send(connection, message, sizeof(message), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void sfd_loop_session_refuse(struct sfd_loop *loop, struct sfd_session *s, int error)
{
    if (s->stage != SFD_SESSION_STAGE_OPEN) sfd_loop_session_welcome(sfd_loop_sys(loop), s->connection, error);
    sfd_loop_session_end(loop, s);
}

/* ------------------------------------------------------------------ what comes */

/* What came in one message. */
struct message {
    unsigned char bytes[MESSAGE_BYTES + 1];
    size_t length;
    int fds[SFD_SESSION_DESCRIPTORS];
    unsigned fd_count;
    bool crowded; /* descriptors were lost: this process has none free */
};

static uint32_t word_at(const struct message *m, size_t at)
{
    uint32_t word;

    memcpy(&word, m->bytes + at, sizeof(word));
    return word;
}

static bool is_head(const struct message *m, uint8_t command, uint32_t length)
{
    return m->length == length && m->bytes[0] == command && m->bytes[1] == 0 && word_at(m, 4) == length;
}

static uint16_t version_of(const struct message *m)
{
    uint16_t version;

    memcpy(&version, m->bytes + 2, sizeof(version));
    return version;
}

/* Whether an event of such a descriptor comes from the kernel alone: an eventfd, and no file or epoll of a client's. */
static bool is_eventfd(const struct sfd_sys *sys, int fd)
{
    struct statx st;
    uint64_t value;
    const struct iovec iov = {.iov_base = &value, .iov_len = sizeof(value)};

    if (sys->statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) < 0) return false;
    if ((st.stx_mode & S_IFMT) != 0) return false;
    const int64_t n = sys->preadv2(fd, &iov, 1, -1, RWF_NOWAIT);
    return n == (int64_t)sizeof(value) || n == -EAGAIN;
}

/* The dispatcher serves this client. 0 or -errno. */
static int open_ring(struct sfd_loop *loop, struct sfd_session *s)
{
    const struct sfd_sys *sys = sfd_loop_sys(loop);
    struct sfd_session_memory memory = {0};

    s->bytes = sfd_session_ring_bytes(&s->sizes);
    int result = s->bytes == 0 ? -EINVAL : sfd_loop_session_look_at_memory(sys, s->memory_fd, F_SEAL_SHRINK, &memory);
    if (result == 0 && (memory.size < s->bytes || !memory.whole)) result = -EINVAL;
    if (result == 0 && !is_eventfd(sys, s->eventfd)) result = -EINVAL;
    if (result == 0) result = sys->mmap(s->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, s->memory_fd, 0, &s->memory);
    if (result < 0) return result;
    sfd_closer_take(&loop->context.closer, &s->memory_fd, SFD_FD_OTHER, s->account);
    if (s->stage == SFD_SESSION_STAGE_OVER) return -ECANCELED; /* in one of these calls */
    sfd_session_ring_init(&s->ring, s->memory, &s->sizes);
    return sfd_loop_session_watch(loop, s, true);
}

void sfd_loop_session_open(struct sfd_loop *loop, struct sfd_session *s, int error)
{
    int result = error;

    if (result == 0) result = open_ring(loop, s);
    if (s->stage == SFD_SESSION_STAGE_OVER) return; /* since one of these calls */
    if (result < 0) {
        sfd_loop_session_refuse(loop, s, result);
        return;
    }
    s->stage = SFD_SESSION_STAGE_OPEN;
    sfd_loop_session_welcome(sfd_loop_sys(loop), s->connection, 0);
}

static void take_hello(struct sfd_loop *loop, struct sfd_session *s, struct message *m)
{
    const bool padded = word_at(m, 20) == 0 && word_at(m, 24) == 0 && word_at(m, 28) == 0;

    if (version_of(m) != SFD_SESSION_VERSION || m->crowded || m->fd_count != SFD_SESSION_DESCRIPTORS || !padded) {
        sfd_loop_session_refuse(loop, s,
                                version_of(m) != SFD_SESSION_VERSION ? -EPROTONOSUPPORT
                                : m->crowded                         ? -EMFILE
                                                                     : -EBADMSG);
        return;
    }
    s->sizes = (struct sfd_session_sizes){word_at(m, 8), word_at(m, 12), word_at(m, 16)};
    s->memory_fd = m->fds[0];
    s->eventfd = m->fds[1];
    m->fd_count = 0;
    s->stage = SFD_SESSION_STAGE_ASKING;
    const int result = sfd_loop_session_ask_hello(loop, s);
    if (result < 0) sfd_loop_session_refuse(loop, s, result);
}

/* False: it is no message of this protocol, or not now. */
static bool take_message(struct sfd_loop *loop, struct sfd_session *s, struct message *m)
{
    uint64_t user_data;

    if (s->stage == SFD_SESSION_STAGE_NEW && is_head(m, SFD_SESSION_HELLO, SFD_SESSION_HELLO_SIZE)) {
        take_hello(loop, s, m);
        return true;
    }
    if (s->stage != SFD_SESSION_STAGE_OPEN || !is_head(m, SFD_SESSION_REGISTER, SFD_SESSION_REGISTER_SIZE))
        return false;
    if (version_of(m) != SFD_SESSION_VERSION || m->fd_count != (m->crowded ? 0 : 1)) return false;
    if (sfd_session_ring_room(&s->ring) <= (int64_t)s->promised) return false;
    memcpy(&user_data, m->bytes + 16, sizeof(user_data));
    const int fd = m->crowded ? -EMFILE : m->fds[0];
    m->fd_count = 0;
    s->promised++;
    sfd_loop_session_register(loop, s, word_at(m, 8), fd, user_data);
    return true;
}

static void take_rights(struct sfd_loop *loop, struct sfd_session *s, struct message *m, struct msghdr *header)
{
    m->fd_count = 0;
    m->crowded = (header->msg_flags & MSG_CTRUNC) != 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
        const size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
            if (m->fd_count < SFD_SESSION_DESCRIPTORS)
                m->fds[m->fd_count++] = fd;
            else
                sfd_closer_put_aside(&loop->context.closer, &fd, s->account);
        }
    }
}

/* Descriptors that no message has taken. */
static void drop_rights(struct sfd_loop *loop, struct sfd_session *s, struct message *m)
{
    for (unsigned i = 0; i < m->fd_count; i++)
        sfd_closer_put_aside(&loop->context.closer, &m->fds[i], s->account);
}

void sfd_loop_session_receive(struct sfd_loop *loop, struct sfd_session *s)
{
    struct message messages[TURN_MESSAGES];
    struct mmsghdr headers[TURN_MESSAGES];
    struct iovec iov[TURN_MESSAGES];
    union {
        size_t align;
        char bytes[CMSG_SPACE(sizeof(int) * SFD_FDS_MAX)];
    } control[TURN_MESSAGES];

    for (int i = 0; i < TURN_MESSAGES; i++) {
        iov[i] = (struct iovec){.iov_base = messages[i].bytes, .iov_len = sizeof(messages[i].bytes)};
        headers[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &iov[i],
                                                  .msg_iovlen = 1,
                                                  .msg_control = control[i].bytes,
                                                  .msg_controllen = sizeof(control[i].bytes)}};
    }
    s->readable = false;
    const int n = sfd_loop_sys(loop)->recvmmsg(s->connection, headers, TURN_MESSAGES, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    for (int i = 0; i < n; i++)
        take_rights(loop, s, &messages[i], &headers[i].msg_hdr);
    bool sound = n > 0 || n == -EAGAIN;
    for (int i = 0; i < n; i++) {
        messages[i].length = headers[i].msg_len; /* 0: the client has closed its end */
        sound = sound && s->stage != SFD_SESSION_STAGE_OVER && take_message(loop, s, &messages[i]);
        drop_rights(loop, s, &messages[i]);
    }
    if (!sound) sfd_loop_session_end(loop, s);
    if (n == TURN_MESSAGES) {
        s->readable = true; /* edge-triggered: there may be more, in the next turn: others wait too */
        sfd_loop_session_queue(loop, s);
    }
}
