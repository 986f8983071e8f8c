/*
 * Sessions of a loop: their connections, from the first message to the end. session.h says what they are.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <sys/mman.h>
#include <sys/stat.h>

#include "loop/loop_private.h"
#include "sys/errno_policy.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* asm-generic/socket.h of Linux 6.5 */
#endif

/* The most connections that a turn accepts, and messages of one connection that it reads. */
#define TURN_CONNECTIONS 16
#define TURN_MESSAGES    8

/* How long a connection may say nothing at first. */
#define HELLO_MS 5000

/* The longest message; what is longer is none. */
#define MESSAGE_BYTES SFD_SESSION_HELLO_SIZE

/* Descriptors of a session: its connection and its eventfd. */
#define SESSION_DESCRIPTORS 2

/* ------------------------------------------------------------------ lists */

static void append(struct sfd_session **last, struct sfd_session *s)
{
    if (*last == NULL) {
        s->next = s;
    } else {
        s->next = (*last)->next;
        (*last)->next = s;
    }
    *last = s;
}

static struct sfd_session *take_first(struct sfd_session **last)
{
    struct sfd_session *s = *last == NULL ? NULL : (*last)->next;

    if (s == NULL) return NULL;
    if (s == *last)
        *last = NULL;
    else
        (*last)->next = s->next;
    return s;
}

void sfd_loop_session_queue(struct sfd_loop *loop, struct sfd_session *s)
{
    if (s->queued) return;
    s->queued = true;
    s->references++;
    append(&loop->sessions.last, s);
    loop->sessions.queued++;
}

static int add_to_table(struct sfd_sessions *sessions, struct sfd_session *s)
{
    uint32_t index = 0;

    while (index < sessions->capacity && sessions->at[index] != NULL)
        index++;
    if (index == sessions->capacity) {
        const uint32_t capacity = index == 0 ? 8 : index * 2;
        struct sfd_session **at = realloc(sessions->at, capacity * sizeof(struct sfd_session *));
        if (at == NULL) return -ENOMEM;
        memset(at + index, 0, (capacity - index) * sizeof(struct sfd_session *));
        sessions->at = at;
        sessions->capacity = capacity;
    }
    s->index = index;
    sessions->at[index] = s;
    sessions->count++;
    return 0;
}

void sfd_loop_session_put(struct sfd_loop *loop, struct sfd_session *s)
{
    if (--s->references > 0) return;
    sfd_handles_deinit(&s->handles);
    sfd_client_account_end_session(s->account);
    sfd_client_account_put(s->account);
    if (s->client != NULL) sfd_loop_exits_leave(loop, s->client);
    atomic_fetch_sub(&loop->shared->sessions, 1);
    free(s);
}

/* ------------------------------------------------------------------ the end */

static void forget_handles(struct sfd_loop *loop, struct sfd_session *s)
{
    struct sfd_handle *thing;
    uint32_t place = 0;

    while ((thing = sfd_handles_next(&s->handles, &place)) != NULL)
        sfd_loop_session_release(loop, s, thing);
}

/* Its last carrier is out of it: nothing reads its memory any more. */
static void clear(struct sfd_loop *loop, struct sfd_session *s)
{
    struct sfd_client_account *account = s->account;

    forget_handles(loop, s);
    if (s->memory != NULL) {
        void *memory = s->memory;
        s->memory = NULL;
        (void)sfd_loop_sys(loop)->munmap(memory, s->bytes);
    }
    sfd_closer_take(&loop->context.closer, &s->eventfd, SFD_FD_OTHER, account);
    sfd_closer_take(&loop->context.closer, &s->memory_fd, SFD_FD_OTHER, account);
    sfd_closer_take(&loop->context.closer, &s->connection, SFD_FD_UNIX_SEQPACKET, account);
    sfd_client_account_release(account, SESSION_DESCRIPTORS, loop->context.counters);
    sfd_loop_session_put(loop, s); /* the table's */
}

/* Its events are those of no session any more. */
static void remove_from_table(struct sfd_loop *loop, const struct sfd_session *s)
{
    const struct sfd_sys *sys = loop->shared->kernel.sys;

    (void)sys->epoll_ctl(loop->epoll, EPOLL_CTL_DEL, s->connection, NULL);
    if (s->eventfd >= 0) (void)sys->epoll_ctl(loop->epoll, EPOLL_CTL_DEL, s->eventfd, NULL);
    loop->sessions.at[s->index] = NULL;
    loop->sessions.count--;
    atomic_fetch_sub(&loop->session_count, 1);
}

void sfd_loop_session_end(struct sfd_loop *loop, struct sfd_session *s)
{
    if (s->stage == SFD_SESSION_STAGE_OVER) return;
    s->stage = SFD_SESSION_STAGE_OVER;
    remove_from_table(loop, s);
    sfd_loop_session_cancel_all(s);
    if (s->busy)
        s->again = true; /* who works on it clears it */
    else
        sfd_loop_session_queue(loop, s); /* not here: the caller may be walking the table */
}

/* ------------------------------------------------------------------ messages */

static void put_head(unsigned char *out, uint8_t command, uint8_t stat, uint32_t length)
{
    const uint16_t version = SFD_SESSION_VERSION;

    out[0] = command;
    out[1] = stat;
    memcpy(out + 2, &version, sizeof(version));
    memcpy(out + 4, &length, sizeof(length));
}

/* To whoever is at the other end; if it does not take it, it is no client that waits for it. */
static void welcome(const struct sfd_sys *sys, int connection, int error)
{
    unsigned char message[SFD_SESSION_WELCOME_SIZE];

    put_head(message, SFD_SESSION_WELCOME, (uint8_t)(error < 0 ? -error : 0), sizeof(message));
    (void)sys->send(connection, message, sizeof(message), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void refuse(struct sfd_loop *loop, struct sfd_session *s, int error)
{
    if (s->stage != SFD_SESSION_STAGE_OPEN) welcome(sfd_loop_sys(loop), s->connection, error);
    sfd_loop_session_end(loop, s);
}

/* What came in one message. */
struct message {
    unsigned char bytes[MESSAGE_BYTES + 1];
    size_t length;
    int fds[SESSION_DESCRIPTORS];
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

/* Its connection, or its eventfd. 0 or -errno. */
static int watch(struct sfd_loop *loop, const struct sfd_session *s, bool eventfd)
{
    const struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET,
                                      .data.u64 = SFD_EVENT_SESSION + 2 * s->index + eventfd};

    return sfd_loop_watch(loop, eventfd ? s->eventfd : s->connection, event, false);
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
    return watch(loop, s, true);
}

void sfd_loop_session_open(struct sfd_loop *loop, struct sfd_session *s, int error)
{
    int result = error;

    if (result == 0) result = open_ring(loop, s);
    if (s->stage == SFD_SESSION_STAGE_OVER) return; /* since one of these calls */
    if (result < 0) {
        refuse(loop, s, result);
        return;
    }
    s->stage = SFD_SESSION_STAGE_OPEN;
    welcome(sfd_loop_sys(loop), s->connection, 0);
}

static void take_hello(struct sfd_loop *loop, struct sfd_session *s, struct message *m)
{
    const bool padded = word_at(m, 20) == 0 && word_at(m, 24) == 0 && word_at(m, 28) == 0;

    if (version_of(m) != SFD_SESSION_VERSION || m->crowded || m->fd_count != SESSION_DESCRIPTORS || !padded) {
        refuse(loop, s, version_of(m) != SFD_SESSION_VERSION ? -EPROTONOSUPPORT : m->crowded ? -EMFILE : -EBADMSG);
        return;
    }
    s->sizes = (struct sfd_session_sizes){word_at(m, 8), word_at(m, 12), word_at(m, 16)};
    s->memory_fd = m->fds[0];
    s->eventfd = m->fds[1];
    m->fd_count = 0;
    s->stage = SFD_SESSION_STAGE_ASKING;
    const int result = sfd_loop_session_ask_hello(loop, s);
    if (result < 0) refuse(loop, s, result);
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
            if (m->fd_count < SESSION_DESCRIPTORS)
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

/* ------------------------------------------------------------------ the beginning */

/* Finds out which process is at the other end, as client_account.h numbers them. */
static void find_process(const struct sfd_loop *loop, struct sfd_session *s)
{
    const struct sfd_sys *sys = sfd_loop_sys(loop);
    struct statx stat;

    s->process = s->pid > 0 ? (uint64_t)s->pid : 0;
    if (s->pid > 0 || !loop->shared->kernel.pidfs) return;
    if (sys->getsockopt_int(s->connection, SOL_SOCKET, SO_PEERPIDFD, &s->pidfd) < 0) s->pidfd = -1;
    if (s->pidfd >= 0 && sys->statx(s->pidfd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &stat) == 0)
        s->process = SFD_PROCESS_INODE | stat.stx_ino;
}

static struct sfd_loop *least_loaded(const struct sfd_shared *shared)
{
    struct sfd_loop *least = shared->loops[0];

    for (uint32_t i = 1; i < shared->settings.loops; i++)
        if (atomic_load(&shared->loops[i]->session_count) < atomic_load(&least->session_count))
            least = shared->loops[i];
    return least;
}

/* Counts it for its client. 0, or -errno: what must not be. */
static int charge(struct sfd_loop *loop, struct sfd_session *s)
{
    s->account = sfd_client_accounts_get(&loop->shared->accounts, s->process, s->uid);
    if (s->account == NULL) return -ENOMEM;
    if (sfd_client_account_is_full(s->account)) return -EDQUOT;
    if (sfd_loop_sessions_end(loop)) return -ESHUTDOWN;
    if (!sfd_client_account_begin_session(s->account, SFD_SESSIONS_MAX)) return -EDQUOT;
    sfd_client_account_hold(s->account, SESSION_DESCRIPTORS, loop->context.counters);
    return 0;
}

static int make(struct sfd_loop *loop, int connection)
{
    struct ucred peer;
    struct sfd_session *s = NULL;
    int result = sfd_loop_sys(loop)->peer_credentials(connection, &peer);

    if (result < 0) return result;
    if (atomic_fetch_add(&loop->shared->sessions, 1) >= SFD_SESSIONS_MAX) result = -EMFILE;
    if (result == 0) s = calloc(1, sizeof(*s));
    if (s == NULL) {
        atomic_fetch_sub(&loop->shared->sessions, 1);
        return result < 0 ? result : -ENOMEM;
    }
    s->task.kind = SFD_TASK_SESSION;
    s->references = 1;
    s->uid = peer.uid;
    s->gid = peer.gid;
    s->pid = peer.pid;
    s->connection = connection;
    s->pidfd = s->eventfd = s->memory_fd = -1;
    find_process(loop, s);
    sfd_handles_init(&s->handles);
    result = charge(loop, s);
    if (result < 0) {
        sfd_fd_close(loop->shared->kernel.sys, &s->pidfd);
        sfd_client_account_put(s->account);
        atomic_fetch_sub(&loop->shared->sessions, 1);
        free(s);
        return result;
    }
    sfd_loop_session_give(loop, s, least_loaded(loop->shared));
    return 0;
}

void sfd_loop_session_give(struct sfd_loop *loop, struct sfd_session *s, struct sfd_loop *to)
{
    s->task.loop = to;
    atomic_fetch_add(&to->session_count, 1);
    if (to == loop || !sfd_mailbox_push(&to->mailbox, &s->task)) sfd_loop_session_take(loop, &s->task);
}

void sfd_loop_session_leave(struct sfd_loop *loop, struct sfd_session *s)
{
    remove_from_table(loop, s);
    s->references--; /* the table's is that of the next one */
    s->settings_version = loop->sessions.settings_version;
    sfd_loop_exits_leave(loop, s->client);
    s->client = NULL;
}

/* There is no memory for it here. */
static void drop(struct sfd_loop *loop, struct sfd_session *s)
{
    if (s->stage == SFD_SESSION_STAGE_NEW) welcome(sfd_loop_sys(loop), s->connection, -ENOMEM);
    s->stage = SFD_SESSION_STAGE_OVER;
    atomic_fetch_sub(&loop->session_count, 1);
    clear(loop, s);
}

void sfd_loop_session_take(struct sfd_loop *loop, struct sfd_task *task)
{
    struct sfd_session *s = (struct sfd_session *)task;

    if (s->task.loop != loop) { /* that loop has ended */
        atomic_fetch_sub(&s->task.loop->session_count, 1);
        atomic_fetch_add(&loop->session_count, 1);
        s->task.loop = loop;
    }
    s->client = sfd_clients_enter(&loop->clients, s->process, s->uid);
    if (s->client != NULL && s->pidfd >= 0) sfd_loop_exits_give(s->client, &s->pidfd);
    sfd_fd_close(loop->shared->kernel.sys, &s->pidfd); /* waits for nobody */
    if (s->client == NULL || add_to_table(&loop->sessions, s) < 0) {
        drop(loop, s);
        return;
    }
    s->born = loop->waits;
    if (s->stage == SFD_SESSION_STAGE_NEW) {
        s->silent_ms = sfd_loop_sys(loop)->now_ms() + HELLO_MS; /* the turn's time is that before its wait */
        if (loop->sessions.look_for_silent.position == 0)
            sfd_timer_arm(&loop->context.timers, &loop->sessions.look_for_silent, s->silent_ms);
    }
    int result = watch(loop, s, false);
    if (result == 0 && s->eventfd >= 0) result = watch(loop, s, true);
    if (result == 0 && s->stage == SFD_SESSION_STAGE_OPEN && s->settings_version != loop->sessions.settings_version)
        result = sfd_loop_session_ask_hello(loop, s); /* ask_again() has asked for those that were here */
    if (result < 0) {
        s->references++; /* the call that tells it may be held */
        refuse(loop, s, result);
        sfd_loop_session_put(loop, s);
        return;
    }
    sfd_loop_exits_await(loop, s->client); /* the connection may outlive its process, in another one */
    s->readable = true;                    /* what came before it was watched */
    sfd_loop_session_queue(loop, s);
}

/* Each ends when it is idle. */
static void tell(struct sfd_loop *loop)
{
    for (uint32_t i = 0; i < loop->sessions.capacity; i++)
        if (loop->sessions.at[i] != NULL) sfd_loop_session_queue(loop, loop->sessions.at[i]);
}

void sfd_loop_sessions_end_silent(struct sfd_loop *loop)
{
    uint64_t next_ms = UINT64_MAX;

    for (uint32_t i = 0; i < loop->sessions.capacity; i++) {
        struct sfd_session *s = loop->sessions.at[i];
        if (s == NULL || s->stage != SFD_SESSION_STAGE_NEW) continue;
        if (s->silent_ms <= loop->context.now_ms)
            sfd_loop_session_end(loop, s);
        else if (s->silent_ms < next_ms)
            next_ms = s->silent_ms;
    }
    if (next_ms != UINT64_MAX) sfd_timer_arm(&loop->context.timers, &loop->sessions.look_for_silent, next_ms);
}

void sfd_loop_sessions_kept(struct sfd_loop *loop, const struct sfd_hot *hot)
{
    struct sfd_timer *timer = &loop->sessions.close_unused;

    if (timer->position != 0) return; /* all roots have the same times */
    const uint64_t in_ns = sfd_hot_cache_sweep_in(&hot->cache);
    if (in_ns > 0) sfd_timer_arm(&loop->context.timers, timer, sfd_loop_sys(loop)->now_ms() + in_ns / 1000000 + 1);
}

void sfd_loop_sessions_close_unused(struct sfd_loop *loop)
{
    for (int32_t i = 0; i < SFD_ROOTS_MAX; i++) {
        struct sfd_hot *hot = sfd_loop_hot(loop, i);
        if (hot == NULL || sfd_hot_cache_sweep_in(&hot->cache) == 0) continue;
        sfd_hot_cache_sweep(&hot->cache, sfd_loop_sys(loop)->now_ns());
        sfd_loop_sessions_kept(loop, hot);
    }
}

void sfd_loop_sessions_end_of(struct sfd_loop *loop, const struct sfd_client *client)
{
    for (uint32_t i = 0; i < loop->sessions.capacity; i++)
        if (loop->sessions.at[i] != NULL && loop->sessions.at[i]->client == client)
            sfd_loop_session_end(loop, loop->sessions.at[i]);
}

/*
 * Whether this loop accepts connections now. In a pause they wait; when sessions end they are accepted all the same, to
 * be told so at once.
 */
static bool should_listen(const struct sfd_loop *loop)
{
    if (loop->index != 0 || loop->shared->session_fd < 0 || loop->stopping) return false;
    if (loop->sessions.accept_again.position > 0) return false;
    return sfd_loop_sessions_end(loop) || !sfd_loop_receiving_is_over(loop);
}

static void accept_connections(struct sfd_loop *loop, int most)
{
    for (int i = 0; i < most && loop->sessions.listening; i++) {
        int connection = sfd_loop_sys(loop)->accept(loop->shared->session_fd);
        if (connection == -EAGAIN || connection == -ECONNABORTED) return;
        if (connection < 0) { /* a shortage: it stays readable, and would wake the loop for nothing */
            sfd_loop_defer(loop, &loop->sessions.accept_again);
            return;
        }
        const int result = make(loop, connection);
        if (result == 0) continue;
        welcome(sfd_loop_sys(loop), connection, result);
        sfd_closer_take(&loop->context.closer, &connection, SFD_FD_UNIX_SEQPACKET, NULL);
    }
}

/* Other settings hold: the dispatcher is asked anew whom it serves. */
static void ask_again(struct sfd_loop *loop)
{
    loop->sessions.settings_version = loop->settings_version;
    for (uint32_t i = 0; i < loop->sessions.capacity; i++) {
        struct sfd_session *s = loop->sessions.at[i];
        if (s != NULL && s->stage == SFD_SESSION_STAGE_OPEN && sfd_loop_session_ask_hello(loop, s) < 0)
            sfd_loop_session_end(loop, s);
    }
}

void sfd_loop_sessions_listen(struct sfd_loop *loop)
{
    const struct epoll_event event = {.events = EPOLLIN, .data.u64 = SFD_EVENT_LISTENER};
    const bool should = should_listen(loop);

    if (loop->sessions.settings_version != loop->settings_version) ask_again(loop);
    if (!loop->sessions.told && sfd_loop_sessions_end(loop)) {
        loop->sessions.told = true;
        tell(loop);
    }
    if (should == loop->sessions.listening) return;
    if (!should) {
        if (loop->sessions.accept_again.position == 0) accept_connections(loop, SOMAXCONN); /* else they wait in vain */
        loop->sessions.listening = false;
        (void)loop->shared->kernel.sys->epoll_ctl(loop->epoll, EPOLL_CTL_DEL, loop->shared->session_fd, NULL);
        return;
    }
    loop->sessions.listening = sfd_loop_watch(loop, loop->shared->session_fd, event, false) == 0;
    if (!loop->sessions.listening) sfd_loop_defer(loop, &loop->sessions.accept_again);
}

void sfd_loop_sessions_event(struct sfd_loop *loop, uint64_t data)
{
    if (data == SFD_EVENT_LISTENER) {
        accept_connections(loop, TURN_CONNECTIONS);
        return;
    }
    const uint64_t index = (data - SFD_EVENT_SESSION) / 2;
    struct sfd_session *s = index < loop->sessions.capacity ? loop->sessions.at[index] : NULL;
    if (s == NULL || s->born == loop->waits)
        return; /* of one that has ended since: the events of this batch are older */
    if ((data & 1) == (SFD_EVENT_SESSION & 1)) s->readable = true;
    sfd_loop_session_queue(loop, s);
}

/* ------------------------------------------------------------------ a turn */

/* Works on it as long as the carrier has it. */
static void serve(struct sfd_loop *loop, struct sfd_session *s)
{
    struct sfd_carrier *carrier = loop->carrier;

    s->busy = true;
    s->turns++;
    carrier->account_now = s->account;
    carrier->suspect = sfd_client_account_is_suspect(s->account);
    do {
        s->again = false;
        if (s->readable && s->stage != SFD_SESSION_STAGE_OVER) sfd_loop_session_receive(loop, s);
        if (sfd_loop_session_run(loop, s)) sfd_loop_session_queue(loop, s);
    } while (s->again); /* it ended, or something came, while a call was held */
    if (s->stage == SFD_SESSION_STAGE_OVER && s->connection >= 0) clear(loop, s);
    if (s->again) sfd_loop_session_queue(loop, s);
    s->busy = false;
    carrier->account_now = NULL;
    carrier->suspect = false;
}

void sfd_loop_sessions_look(struct sfd_loop *loop)
{
    struct sfd_session *s;

    while ((s = take_first(&loop->sessions.held_last)) != NULL) {
        atomic_fetch_sub(&loop->waiting, 1);
        append(&loop->sessions.last, s);
        loop->sessions.queued++;
    }
}

void sfd_loop_sessions_serve(struct sfd_loop *loop)
{
    const uint64_t before = loop->context.counters->at[SFD_COUNTER_BYTES];
    const bool may_move = loop->shared->settings.loops > 1;

    sfd_loop_session_take_ends(loop);
    uint64_t since_ns = may_move && loop->sessions.queued > 0 ? sfd_loop_sys(loop)->now_ns() : 0;
    for (uint32_t n = loop->sessions.queued; n > 0; n--) { /* each once */
        if (loop->context.counters->at[SFD_COUNTER_BYTES] - before >= SFD_SESSION_TURN_BYTES)
            return; /* the others come first then */
        struct sfd_session *s = take_first(&loop->sessions.last);
        if (s == NULL) return; /* another carrier has had them */
        loop->sessions.queued--;
        if (!loop->stopping && !sfd_carrier_may_be_held(loop->shared, s->account)) {
            append(&loop->sessions.held_last, s);
            atomic_fetch_add(&loop->waiting, 1);
            if (sfd_carrier_may_be_held(loop->shared, s->account)) loop->look_again = true; /* since then */
            continue;
        }
        s->queued = false;
        if (s->busy) {
            s->again = true;
        } else {
            serve(loop, s);
            if (may_move && sfd_loop_session_served(loop, s, &since_ns)) continue;
        }
        sfd_loop_session_put(loop, s); /* the ring's */
    }
}

void sfd_loop_sessions_forget(struct sfd_loop *loop)
{
    struct sfd_session *s;
    struct sfd_slot slot;

    for (uint32_t i = 0; i < loop->sessions.capacity; i++)
        if (loop->sessions.at[i] != NULL) sfd_loop_session_end(loop, loop->sessions.at[i]);
    sfd_loop_session_take_ends(loop);
    while (sfd_loop_sessions_ask(loop, &slot, 1) > 0)
        sfd_loop_sessions_decide(loop, &slot, ESHUTDOWN);
    sfd_loop_sessions_look(loop);
    while ((s = take_first(&loop->sessions.last)) != NULL) {
        s->queued = false;
        (void)sfd_loop_session_run(loop, s);
        if (s->connection >= 0) clear(loop, s);
        sfd_loop_session_put(loop, s);
    }
    free(loop->sessions.at);
    loop->sessions.at = NULL;
}
