/*
 * Sessions that move to another loop.
 *
 * A session goes to the loop that has the fewest when it is accepted. Nobody knows then which sessions will be busy,
 * nor how long they last; so later one loop can have all of the work, and another one none. What can be moved without a
 * risk is a session that is idle: nothing of it is in flight, and its ring is empty. All that a loop knows of it is
 * then in struct sfd_session, but for a place in a table, its client, and two descriptors in epoll. What was registered
 * is in no epoll: each transfer has duplicates, and ends where it began.
 *
 * So it moves as it came: out of the table, into the mailbox of the other loop, sfd_loop_session_take. What the client
 * submits, registers or closes meanwhile is in memory and in a socket; who takes the session looks at both, whatever
 * epoll says. For so long nobody else knows it. Its account is its own, and so all limits hold throughout.
 *
 * The loop that has it decides, when it has served it and nothing is left to do. It knows what part of the time it has
 * worked lately, and what part of its sessions' time this session had; from both, what would go with it. Other loops
 * publish what part of the time they work. The session moves if even with it the other one would have less to do than
 * this one has now, by some margin. So a session that is alone stays, and one that has moved would not move back. What
 * a session's transfers cost is taken to be in proportion to what it costs itself.
 *
 * Bounds: after a move a loop measures anew before the next one: four moves a second. And a session moves only when the
 * end of its client's process is waited for, or cannot be (loop_exits.c), which takes a loop a second or two: it cannot
 * move away from that. So a client that has its sessions move costs two loops some calls of epoll_ctl(2) and a wake-up
 * four times a second, and gains what all gain, a loop with less to do.
 *
 * Thread: the loop's. Its calls wait for nobody, and go round the guard.
 */
#include <fcntl.h>

#include "loop/loop_session.h"

#define MS ((uint64_t)1000 * 1000)

/* Over so long it is measured who works how much. What another loop has published says nothing after twice that. */
#define PERIOD_MS 250

/* Parts of the time: all of it, and what a move is worth. */
#define ALL   1024
#define WORTH (ALL / 8)

/* Of `work`: the lower bits are the part, the others are its time in milliseconds. */
#define WORK_BITS 24

static uint32_t part(uint64_t ns, uint64_t of_ns)
{
    return ns >= of_ns ? ALL : (uint32_t)(ns * ALL / of_ns);
}

void sfd_loop_sessions_note_turn(struct sfd_loop *loop, uint64_t worked_ns, uint64_t now_ns)
{
    struct sfd_work *work = &loop->work;

    work->loop_ns += worked_ns;
    const uint64_t period_ns = now_ns - work->period_begin_ns;
    if (period_ns < PERIOD_MS * MS) return;
    const uint64_t now = now_ns / MS << WORK_BITS | part(work->loop_ns - work->period_loop_ns, period_ns);
    atomic_store_explicit(&work->published, now, memory_order_relaxed);
    work->period_begin_ns = now_ns;
    work->period_loop_ns = work->loop_ns;
}

/* What part of the time another loop works. One that has published nothing for long sleeps, unless it is stuck. */
static uint32_t work_of(const struct sfd_loop *loop, uint64_t now_ns)
{
    const uint64_t work = atomic_load_explicit(&loop->work.published, memory_order_relaxed);

    if (atomic_load(&loop->stuck)) return ALL;
    return now_ns / MS > (work >> WORK_BITS) + 2 * PERIOD_MS ? 0 : work & ((1u << WORK_BITS) - 1);
}

static void measure_anew(const struct sfd_loop *loop, struct sfd_session *s, uint64_t now_ns)
{
    s->measured_ns = now_ns;
    s->worked_ns = 0;
    s->loop_ns = loop->work.loop_ns;
    s->sessions_ns = loop->work.sessions_ns;
}

/* The loop where it is better off; NULL: it stays. What goes with it in *out. */
static struct sfd_loop *choose(struct sfd_loop *loop, struct sfd_session *s, uint64_t now_ns, uint32_t *out)
{
    const struct sfd_shared *shared = loop->shared;
    const uint64_t period_ns = now_ns - s->measured_ns;
    const uint64_t all_ns = loop->work.sessions_ns - s->sessions_ns;
    struct sfd_loop *idlest = NULL;
    uint32_t least = ALL;

    if (s->measured_ns <= loop->work.moved_ns) {
        measure_anew(loop, s, now_ns);
        return NULL;
    }
    if (period_ns < PERIOD_MS * MS) return NULL;
    const uint32_t here = part(loop->work.loop_ns - s->loop_ns, period_ns);
    *out = all_ns == 0 ? here : (uint32_t)(here * s->worked_ns / all_ns);
    measure_anew(loop, s, now_ns);
    for (uint32_t i = 0; i < shared->settings.loops; i++) {
        const uint32_t there = shared->loops[i] == loop ? ALL : work_of(shared->loops[i], now_ns);
        if (there >= least) continue;
        least = there;
        idlest = shared->loops[i];
    }
    return least + *out + WORTH <= here ? idlest : NULL;
}

/* Nothing of it is in flight, queued or held, and its table and the caller alone refer to it. */
static bool is_idle(const struct sfd_session *s)
{
    return s->references == 2 && !s->busy && s->stage == SFD_SESSION_STAGE_OPEN && s->promised == 0;
}

bool sfd_loop_session_served(struct sfd_loop *loop, struct sfd_session *s, uint64_t *since_ns)
{
    const struct sfd_sys *sys = loop->shared->kernel.sys;
    const uint64_t now_ns = sys->now_ns();
    uint32_t share = 0;

    s->worked_ns += now_ns - *since_ns;
    loop->work.sessions_ns += now_ns - *since_ns;
    *since_ns = now_ns;
    if (!is_idle(s) || s->client->watch <= SFD_WATCH_SEEN || sfd_loop_sessions_end(loop)) return false;
    struct sfd_loop *to = choose(loop, s, now_ns, &share);
    if (to == NULL) return false;
    if (s->client->pidfd >= 0) s->pidfd = sys->fcntl(s->client->pidfd, F_DUPFD_CLOEXEC, 0);
    if (s->client->pidfd >= 0 && s->pidfd < 0) return false;
    sfd_loop_session_leave(loop, s);
    loop->work.moved_ns = now_ns;
    s->measured_ns = 0;
    sfd_counters_add(loop->context.counters, SFD_COUNTER_SESSION_MOVES, 1);
    atomic_fetch_add(&to->work.published, share); /* until it has measured that itself */
    sfd_loop_session_give(loop, s, to);
    return true;
}
