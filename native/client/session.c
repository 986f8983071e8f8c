/*
 * Sessions of the client API: see <sendfiled/session.h>, which draws the memory that is shared.
 *
 * Role: connects, makes the memory, fills the submission ring and reads the completion ring. Thread: one at a time for
 * each session. Owns the connection, the eventfd and the memory. What the daemon writes is checked before it is used,
 * but for what a completion says: the daemon is trusted with that, as with the files.
 */
#include <sendfiled/sendfiled.h>

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "api.h"
#include "base/lane.h"
#include "base/socket_places.h"
#include "protocol/wire.h"
#include "sys/fd.h"
#include "sys/rights.h"
#include "sys/sys.h"

/* How long the daemon may take to welcome: a request through its dispatcher, on a busy machine. */
#define WELCOME_MS 5000

/* How often, and how long apart, a session is asked for that a daemon refuses because it ends. */
#define SUCCESSION_TRIES 50
#define SUCCESSION_NS    (20 * 1000 * 1000)

#define SUBMISSIONS    64
#define ARENA_PER_SLOT 512

static const struct sfd_sys *const sys = &sfd_sys_linux;

struct sfd_session {
    int connection;
    int eventfd;
    int memory_fd; /* until it is passed */
    unsigned char *memory;
    size_t bytes;
    uint32_t submissions;
    uint32_t completions;
    uint32_t arena;
    uint32_t submitted;   /* of our own */
    uint32_t reaped;      /* of our own */
    uint32_t in_flight;   /* submitted or registered, and not reaped */
    uint64_t arena_head;  /* bytes of the arena that were ever used; its place is modulo its size */
    uint64_t arena_tail;  /* those of entries that were taken are free again */
    uint32_t freed;       /* entries whose bytes are free */
    bool ended;           /* the connection has */
    uint64_t arena_end[]; /* by entry: arena_head behind its bytes */
};

static atomic_uint *word_at(const struct sfd_session *s, size_t at)
{
    return (atomic_uint *)(void *)(s->memory + at);
}

/* ---- opening ---- */

static bool is_power_of_two(uint32_t n)
{
    return n >= SFD_SESSION_RING_MIN && n <= SFD_SESSION_RING_MAX && (n & (n - 1)) == 0;
}

/* The sizes that are asked for, or those that are usual. 0 or -EINVAL. */
static int choose_sizes(const struct sfd_session_options *options, struct sfd_session_options *out)
{
    static const struct sfd_session_options none = {.arena = 0};

    *out = options == NULL ? none : *options;
    if (memcmp(out->reserved, none.reserved, sizeof none.reserved) != 0) return -EINVAL;
    if (out->submissions == 0) out->submissions = SUBMISSIONS;
    if (!is_power_of_two(out->submissions)) return -EINVAL;
    if (out->completions == 0)
        out->completions = out->submissions < SFD_SESSION_RING_MAX ? 2 * out->submissions : SFD_SESSION_RING_MAX;
    if (!is_power_of_two(out->completions)) return -EINVAL;
    if (out->arena == 0) out->arena = out->submissions * ARENA_PER_SLOT;
    if (out->arena > SFD_SESSION_ARENA_MAX)
        out->arena = options == NULL || options->arena == 0 ? SFD_SESSION_ARENA_MAX : 0;
    return out->arena == 0 ? -EINVAL : 0;
}

static int make_memory(struct sfd_session *s)
{
    s->bytes = SFD_SESSION_RINGS_AT + ((size_t)s->submissions + s->completions) * SFD_SESSION_ENTRY_SIZE + s->arena;
    const int fd = memfd_create("sendfiled session", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0) return -errno;
    s->memory_fd = fd;
    if (ftruncate(fd, (off_t)s->bytes) < 0) return -errno;
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) return -errno;
    void *memory = mmap(NULL, s->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (memory == MAP_FAILED) return -errno;
    s->memory = memory;
    /* Who watches the descriptor before the first look at the ring is to be woken as well. */
    atomic_store(word_at(s, SFD_SESSION_CLIENT_STATE_AT), SFD_SESSION_WAKE);
    s->eventfd = sfd_sys_eventfd();
    return s->eventfd < 0 ? s->eventfd : 0;
}

/* Where the request socket is that sfd_connect() would find, in `path`. 0 or -errno. */
static int find_socket(const char *sockdir, const char *name, char *path, size_t size)
{
    struct sfd_place_rule rule;
    struct sfd_place place;

    if (sockdir != NULL) {
        const int result = sfd_place_check_name(name);
        return result < 0 ? result : sfd_place_socket(sockdir, name, path, size);
    }
    int probe = sfd_sys_unix_datagram();
    if (probe < 0) return probe;
    sfd_place_rule_init(&rule);
    const int result = sfd_places_connect(&rule, probe, name, &place);
    sfd_fd_close(sys, &probe);
    if (result < 0) return result;
    if (strlen(place.path) >= size) return -ENAMETOOLONG;
    memcpy(path, place.path, strlen(place.path) + 1);
    return 0;
}

static void put_head(unsigned char *out, uint8_t command, uint32_t length)
{
    const uint16_t version = SFD_SESSION_VERSION;

    memset(out, 0, length);
    out[0] = command;
    memcpy(out + 2, &version, sizeof version);
    memcpy(out + 4, &length, sizeof length);
}

/* 0 or -errno. */
static int send_message(const struct sfd_session *s, void *bytes, size_t length, const int *fds, unsigned count)
{
    struct iovec part = {.iov_base = bytes, .iov_len = length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    union sfd_rights rights;

    sfd_rights_attach(&message, &rights, fds, count);
    const int64_t sent = sys->sendmsg(s->connection, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent < 0 ? (int)sent : 0;
}

static int say_hello(struct sfd_session *s)
{
    unsigned char hello[SFD_SESSION_HELLO_SIZE];
    unsigned char welcome[SFD_SESSION_WELCOME_SIZE + 1];
    const int fds[] = {s->memory_fd, s->eventfd};

    put_head(hello, SFD_SESSION_HELLO, sizeof hello);
    memcpy(hello + 8, &s->submissions, sizeof s->submissions);
    memcpy(hello + 12, &s->completions, sizeof s->completions);
    memcpy(hello + 16, &s->arena, sizeof s->arena);
    int result = send_message(s, hello, sizeof hello, fds, 2);
    /* A daemon that refuses at once may have closed the connection by now: what it has said is there to be read. */
    if (result < 0 && result != -EPIPE && result != -ECONNRESET) return result;
    result = sfd_sys_wait_readable(s->connection, WELCOME_MS);
    if (result <= 0) return result < 0 ? result : -ETIMEDOUT;
    ssize_t n = recv(s->connection, welcome, sizeof welcome, MSG_DONTWAIT);
    /* It has not read the Hello: the kernel tells of that first, and then gives what it has said. */
    if (n < 0 && errno == ECONNRESET) n = recv(s->connection, welcome, sizeof welcome, MSG_DONTWAIT);
    if (n < 0) return -errno;
    if (n == 0) return -ECONNRESET;
    if (n != SFD_SESSION_WELCOME_SIZE || welcome[0] != SFD_SESSION_WELCOME) return -EPROTO;
    return -(int)welcome[1];
}

static int connect_session(struct sfd_session *s, const char *sockdir, const char *name)
{
    char path[SFD_PLACE_PATH_SIZE];
    const int found = find_socket(sockdir, name, path, sizeof path);

    if (found < 0) return found;
    s->connection = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->connection < 0) return -errno;
    return sfd_session_connect(s->connection, path);
}

/* Of a daemon whose successor takes its place, the name is the successor's in a moment. */
static int begin_session(struct sfd_session *s, const char *sockdir, const char *name)
{
    const struct timespec moment = {.tv_nsec = SUCCESSION_NS};
    int result;

    for (int tries = 0;; tries++) {
        result = connect_session(s, sockdir, name);
        if (result == 0) result = say_hello(s);
        if (result != -ESHUTDOWN || tries == SUCCESSION_TRIES) return result;
        sfd_fd_close(sys, &s->connection);
        (void)nanosleep(&moment, NULL);
    }
}

static void free_session(struct sfd_session *s)
{
    sfd_fd_close(sys, &s->connection);
    sfd_fd_close(sys, &s->eventfd);
    sfd_fd_close(sys, &s->memory_fd);
    if (s->memory != NULL) (void)munmap(s->memory, s->bytes);
    free(s);
}

static int open_session(const char *sockdir, const char *name, const struct sfd_session_options *options,
                        struct sfd_session **session)
{
    struct sfd_session_options sizes;

    if (session == NULL) return -EINVAL;
    int result = choose_sizes(options, &sizes);
    if (result < 0) return result;
    struct sfd_session *s = calloc(1, sizeof *s + sizes.submissions * sizeof s->arena_end[0]);
    if (s == NULL) return -ENOMEM;
    s->connection = s->eventfd = s->memory_fd = -1;
    s->submissions = sizes.submissions;
    s->completions = sizes.completions;
    s->arena = sizes.arena;
    result = make_memory(s);
    if (result == 0) result = begin_session(s, sockdir, name == NULL ? SFD_DEFAULT_NAME : name);
    if (result < 0) {
        free_session(s);
        return result;
    }
    sfd_fd_close(sys, &s->memory_fd);
    *session = s;
    return 0;
}

int sfd_session_open(const char *server_sockdir, const char *server_name, const struct sfd_session_options *options,
                     struct sfd_session **session)
{
    return sfd_api_result(open_session(server_sockdir, server_name, options, session));
}

void sfd_session_close(struct sfd_session *session)
{
    if (session == NULL) return;
    (void)shutdown(session->connection, SHUT_RDWR); /* a child of this process may have the connection as well */
    free_session(session);
}

int sfd_session_fd(const struct sfd_session *session)
{
    return session->connection;
}

size_t sfd_session_in_flight(const struct sfd_session *session)
{
    return session->in_flight;
}

/* ---- registering ---- */

static int register_fd(struct sfd_session *s, enum sfd_session_kind kind, int fd, uint64_t user_data)
{
    unsigned char message[SFD_SESSION_REGISTER_SIZE];
    const uint32_t what = (uint32_t)kind;

    if (kind <= SFD_SESSION_FREE || kind >= SFD_SESSION_KINDS) return -EINVAL;
    if (s->ended) return -ENOTCONN;
    if (s->in_flight == s->completions) return -EAGAIN;
    put_head(message, SFD_SESSION_REGISTER, sizeof message);
    memcpy(message + 8, &what, sizeof what);
    memcpy(message + 16, &user_data, sizeof user_data);
    const int result = send_message(s, message, sizeof message, &fd, 1);
    if (result == 0) s->in_flight++;
    return result == -EPIPE || result == -ECONNRESET ? -ENOTCONN : result;
}

int sfd_session_register(struct sfd_session *session, enum sfd_session_kind kind, int fd, uint64_t user_data)
{
    return sfd_api_result(register_fd(session, kind, fd, user_data));
}

/* ---- submitting ---- */

/* What the daemon has taken of the arena is free again. */
static void free_taken(struct sfd_session *s)
{
    const uint32_t taken = atomic_load_explicit(word_at(s, SFD_SESSION_TAKEN_AT), memory_order_acquire);

    if (s->submitted - taken > s->submissions) return; /* no daemon says that */
    for (; s->freed != taken; s->freed++)
        s->arena_tail = s->arena_end[s->freed & (s->submissions - 1)];
    /* All of it is: from its start on, whatever fits into the arena fits in one piece. */
    if (s->freed == s->submitted) s->arena_head = s->arena_tail = 0;
}

/* A piece of the arena in one: where it is, or -1 if there is no room now. */
static int64_t take_arena(struct sfd_session *s, size_t length)
{
    const uint64_t place = s->arena_head % s->arena;
    const uint64_t skip = place + length <= s->arena ? 0 : s->arena - place; /* it does not wrap */

    if (s->arena_head + skip + length - s->arena_tail > s->arena) return -1;
    s->arena_head += skip + length;
    return (int64_t)((place + skip) % s->arena);
}

/* 0 or -errno: by which a request is none. */
static int check_request(const struct sfd_session *s, const struct sfd_session_request *r, size_t path_length)
{
    const bool sends = r->operation == SFD_SESSION_SEND;
    const bool takes_path = sends || r->operation == SFD_SESSION_OPEN || r->operation == SFD_SESSION_READ ||
                            r->operation == SFD_SESSION_LOAD;

    if (r->reserved[0] != 0 || r->reserved[1] != 0) return -EINVAL;
    if (r->operation >= SFD_SESSION_OPERATIONS || (r->flags & ~(uint32_t)SFD_SESSION_LINK) != 0) return -EINVAL;
    if (r->path != NULL ? !takes_path || path_length == 0 : r->operation == SFD_SESSION_OPEN) return -EINVAL;
    if (path_length > SFD_WIRE_MAX_PATH) return -ENAMETOOLONG;
    if (!sends && (r->head_length > 0 || r->options != NULL)) return -EINVAL;
    if (r->head_length > SFD_SEGMENTS_ROOM) return -EMSGSIZE; /* and the sum does not overflow */
    if (r->head_length > 0 && r->head_length + path_length + 1 + 2 * SFD_WIRE_SEGMENT_SIZE > SFD_SEGMENTS_ROOM)
        return -EMSGSIZE;
    return path_length + r->head_length > s->arena ? -EMSGSIZE : 0;
}

static void write_entry(struct sfd_session *s, const struct sfd_session_request *r, uint32_t data, size_t path_length)
{
    static const struct sfd_options none = {.flags = 0};
    const struct sfd_options *options = r->options == NULL ? &none : r->options;
    const bool sends = r->operation == SFD_SESSION_SEND;
    const uint32_t place = s->submitted & (s->submissions - 1);
    const struct sfd_session_entry entry = {
        .operation = (uint8_t)r->operation,
        .flags = (uint8_t)(r->flags | (r->path == NULL ? 0 : SFD_SESSION_PATH)),
        .technique = options->technique,
        .options = options->flags,
        .file = r->path == NULL ? r->file : 0,
        .user_data = r->user_data,
        .offset = r->offset,
        .length = r->length,
        .destination = r->destination,
        .data = data,
        .path_length = (uint16_t)path_length,
        .head_length = (uint16_t)r->head_length,
        .idle_ms = options->idle_ms,
        .target = sends ? options->rate : r->target,
        .deadline_ms = options->deadline_ms,
    };

    memcpy(s->memory + SFD_SESSION_RINGS_AT + (size_t)place * SFD_SESSION_ENTRY_SIZE, &entry, sizeof entry);
    s->arena_end[place] = s->arena_head;
    s->submitted++;
    s->in_flight++;
}

/* 1: it is in the ring; 0: there is no room; -errno. */
static int put_request(struct sfd_session *s, const struct sfd_session_request *r)
{
    const size_t path_length = r->path == NULL ? 0 : strnlen(r->path, SFD_WIRE_MAX_PATH + 1);
    const size_t length = path_length + r->head_length;
    int64_t data = 0;
    const int result = check_request(s, r, path_length);

    if (result < 0) return result;
    if (s->in_flight == s->completions || s->submitted - s->freed == s->submissions) return 0;
    if (length > 0) data = take_arena(s, length);
    if (data < 0) return 0;
    if (length > 0) {
        unsigned char *arena =
            s->memory + SFD_SESSION_RINGS_AT + ((size_t)s->submissions + s->completions) * SFD_SESSION_ENTRY_SIZE;
        if (path_length > 0) memcpy(arena + data, r->path, path_length);
        if (r->head_length > 0) memcpy(arena + data + path_length, r->head, r->head_length);
    }
    write_entry(s, r, (uint32_t)data, path_length);
    return 1;
}

/* Having stored a counter: wakes the daemon if it sleeps. */
static void wake(struct sfd_session *s)
{
    atomic_uint *state = word_at(s, SFD_SESSION_STATE_AT);

    if ((atomic_load(state) & SFD_SESSION_WAKE) == 0) return;
    if ((atomic_fetch_and(state, ~(unsigned)SFD_SESSION_WAKE) & SFD_SESSION_WAKE) != 0)
        sfd_sys_event_signal(s->eventfd);
}

int sfd_session_submit(struct sfd_session *session, const struct sfd_session_request *requests, size_t count)
{
    size_t n = 0;
    int result = session->ended ? -ENOTCONN : 1;

    free_taken(session);
    while (n < count && result > 0) {
        result = put_request(session, &requests[n]);
        if (result > 0) n++;
    }
    if (n > 0) {
        atomic_store(word_at(session, SFD_SESSION_SUBMITTED_AT), session->submitted);
        wake(session);
    }
    return n > 0 || result >= 0 ? (int)n : sfd_api_result(result);
}

/* ---- reaping ---- */

/* How many completions wait. */
static uint32_t completed(const struct sfd_session *s)
{
    const uint32_t n = atomic_load(word_at(s, SFD_SESSION_COMPLETED_AT)) - s->reaped;

    return n <= s->completions ? n : 0; /* no daemon says more */
}

/* Reads what is there to wake us. False: the connection has ended. */
static bool drain(struct sfd_session *s)
{
    unsigned char byte[16];
    ssize_t n;

    while ((n = recv(s->connection, byte, sizeof byte, MSG_DONTWAIT)) > 0 || (n < 0 && errno == EINTR))
        continue;
    return n < 0 && errno == EAGAIN;
}

int sfd_session_reap(struct sfd_session *session, struct sfd_session_completion *completions, size_t most)
{
    uint32_t n = completed(session);

    if (n == 0) {
        if (session->ended || !drain(session)) session->ended = true;
        atomic_fetch_or(word_at(session, SFD_SESSION_CLIENT_STATE_AT), SFD_SESSION_WAKE);
        n = completed(session);
        if (n == 0) return session->ended ? sfd_api_result(-ENOTCONN) : 0;
        atomic_fetch_and(word_at(session, SFD_SESSION_CLIENT_STATE_AT), ~(unsigned)SFD_SESSION_WAKE);
    }
    if (n > most) n = (uint32_t)most;
    for (uint32_t i = 0; i < n; i++) {
        const size_t place = session->submissions + ((session->reaped + i) & (session->completions - 1));
        memcpy(&completions[i], session->memory + SFD_SESSION_RINGS_AT + place * SFD_SESSION_ENTRY_SIZE,
               sizeof completions[i]);
    }
    session->reaped += n;
    session->in_flight -= n;
    atomic_store(word_at(session, SFD_SESSION_REAPED_AT), session->reaped);
    /* It may wait for room; what it waits for otherwise, it has been told of. */
    if (session->in_flight + n >= session->completions ||
        session->submitted != atomic_load_explicit(word_at(session, SFD_SESSION_TAKEN_AT), memory_order_relaxed))
        wake(session);
    return (int)n;
}
