/*
 * Which loop receives.
 *
 * One loop receives. On two cores, two loops that both wake for a batch cost 18 % more CPU a request and 17 % of the
 * rate; so the others sleep until one of them is less loaded than the one that receives, which then hands over. A
 * transfer stays where its request was received: bulk transfers spread over the loops, and small requests find the
 * idlest one.
 *
 * Load is the number of transfers that are ready when the turn's requests have been served: they have used up a quantum
 * or their receiver has made room, and so there is work for them. A small request ends while it is served, and has no
 * part in it; nor have a parked file, a receiver that does not read, or a transfer that the disk pool has. So the turn
 * to receive stays on one loop, whatever the number of small requests. Time worked would not tell loops apart that have
 * one bulk transfer and seven, and would show a burst of bulk requests only after one loop had received them all.
 *
 * A turn finds more or fewer of them ready by chance. So what counts is the most of them lately: `load` goes up at
 * once, and is halved every LOAD_HALVES_MS. And the loop with the turn to receive keeps it until its load is well above
 * another's. Longer halving hides that transfers have ended: the loops' shares of short ones then swing.
 *
 * `shared->receiving_loop` says which loop receives. The thread that changes it, by compare and exchange, next takes
 * the request socket out of the old loop's epoll, and only then offers it to the new loop. So no old registration can
 * follow a new one.
 *
 * Threads: the loops, and the service thread in sfd_loop_receiving_take_away.
 */
#include <string.h>

#include <sys/socket.h>

#include "loop/loop_private.h"

#define LOAD_HALVES_MS 2

/* What has failed for so long, at every try, may do so for good: then it is reported. */
#define FAILING_MS 1000

/* Of `load`: the lower bits are the number, the others are its time in milliseconds. */
#define LOAD_BITS 24

void sfd_loop_receiving_offer(struct sfd_loop *loop)
{
    if (atomic_exchange(&loop->receive_queued, true)) return; /* the loop will check when it reads its mailbox */
    (void)sfd_mailbox_push(&loop->mailbox, &loop->receive);
}

static int look_for(struct sfd_loop *loop, uint32_t events)
{
    const struct epoll_event event = {.events = events, .data.u64 = SFD_EVENT_REQUESTS};

    if (loop->shared->request_fd < 0) return 0; /* all requests come by the mailbox of the loop that receives */
    return sfd_loop_watch(loop, loop->shared->request_fd, event, loop->receiving);
}

void sfd_loop_receiving_start(struct sfd_loop *loop)
{
    atomic_store(&loop->receive_queued, false); /* before the check: a later offer is queued again */
    sfd_loop_receiving_resume(loop);
}

static void note_failure(struct sfd_loop *loop, int error)
{
    const uint64_t now_ms = loop->context.now_ms;

    if (!loop->receive_fails) {
        loop->receive_fails = true;
        loop->receive_fails_ms = now_ms;
    } else if (now_ms - loop->receive_fails_ms >= FAILING_MS) {
        atomic_store(&loop->shared->receive_error, -error);
    }
}

void sfd_loop_receiving_resume(struct sfd_loop *loop)
{
    if (loop->stopping || sfd_loop_receiving_is_over(loop)) return;
    if (atomic_load(&loop->shared->receiving_loop) != (int)loop->index) return;
    const int result = look_for(loop, EPOLLIN);
    loop->receiving = result == 0;
    if (loop->receiving) return;
    note_failure(loop, result);
    sfd_loop_defer(loop, &loop->receive_again); /* without another try no loop would receive */
}

void sfd_loop_receiving_pause(struct sfd_loop *loop, int error)
{
    note_failure(loop, error);
    if (loop->receiving) (void)look_for(loop, 0); /* the socket stays readable: it would wake the loop for nothing */
    sfd_loop_defer(loop, &loop->receive_again);
}

void sfd_loop_receiving_works(struct sfd_loop *loop)
{
    if (!loop->receive_fails) return;
    loop->receive_fails = false;
    atomic_store(&loop->shared->receive_error, 0);
}

static void unregister(struct sfd_loop *loop)
{
    if (loop->shared->request_fd < 0) return;
    (void)loop->shared->kernel.sys->epoll_ctl(loop->epoll, EPOLL_CTL_DEL, loop->shared->request_fd, NULL);
}

bool sfd_loop_receiving_is_over(const struct sfd_loop *loop)
{
    const struct sfd_succession *succession = &loop->shared->succession;

    return (loop->draining && loop->shared->socket_stays) || atomic_load(&succession->paused) ||
           atomic_load(&succession->delegated);
}

void sfd_loop_receiving_stop(struct sfd_loop *loop)
{
    if (loop->receiving) unregister(loop);
    loop->receiving = false;
    sfd_timer_disarm(&loop->context.timers, &loop->receive_again);
}

/* Finer than that of the turn, which may go in steps of 4 ms. */
static uint64_t clock_ms(const struct sfd_shared *shared)
{
    return shared->kernel.sys->now_ns() / 1000000;
}

static uint32_t load_of(const struct sfd_loop *loop, uint64_t now_ms)
{
    const uint64_t load = atomic_load_explicit(&loop->load, memory_order_relaxed);
    const uint64_t since_ms = load >> LOAD_BITS;
    const uint64_t halvings = now_ms > since_ms ? (now_ms - since_ms) / LOAD_HALVES_MS : 0;

    return halvings < LOAD_BITS ? (uint32_t)(load & ((1u << LOAD_BITS) - 1)) >> halvings : 0;
}

/* Replaces `loop` as receiving loop by the least loaded one that is not stuck, if its load is below `most`. */
static void hand_over(struct sfd_loop *loop, uint64_t now_ms, uint32_t most)
{
    struct sfd_shared *shared = loop->shared;
    struct sfd_loop *idlest = NULL;
    uint32_t least = most;
    int holder = (int)loop->index;

    for (uint32_t i = 0; i < shared->settings.loops; i++) {
        struct sfd_loop *other = shared->loops[i];
        const uint32_t load = load_of(other, now_ms);
        if (other != loop && load < least && !atomic_load(&other->stuck)) {
            least = load;
            idlest = other;
        }
    }
    if (idlest == NULL) return;
    if (!atomic_compare_exchange_strong(&shared->receiving_loop, &holder, (int)idlest->index)) return;
    unregister(loop);
    sfd_loop_receiving_offer(idlest);
}

void sfd_loop_receiving_balance(struct sfd_loop *loop)
{
    const uint64_t now_ms = clock_ms(loop->shared);
    const uint32_t ready = loop->ready_queue.count;

    if (ready > 0 && ready >= load_of(loop, now_ms))
        atomic_store_explicit(&loop->load, now_ms << LOAD_BITS | ready, memory_order_relaxed);
    if (!loop->receiving) return;
    if (atomic_load(&loop->shared->receiving_loop) == (int)loop->index) {
        const uint32_t load = load_of(loop, now_ms);
        hand_over(loop, now_ms, load - load / 4);
    }
    /* False also when the watchdog has made another loop the receiving one while this one was stuck. */
    loop->receiving = atomic_load(&loop->shared->receiving_loop) == (int)loop->index;
}

/* Of the socket that is watched, and no intake. */
static int fill_from_socket(struct sfd_loop *loop, int from)
{
    struct sfd_shared *shared = loop->shared;
    struct sfd_closer *closer = &loop->context.closer;
    const int most = sfd_succession_look(&shared->succession, closer->sys, shared->request_fd, 0, SFD_BATCH_MAX - from);

    if (most <= 0) return most;
    return sfd_receive_batch_fill(loop->carrier->batch, closer, shared->request_fd, loop->turn->slot + from, most);
}

int sfd_loop_receiving_fill(struct sfd_loop *loop, int from)
{
    struct sfd_shared *shared = loop->shared;
    int n;

    if (!sfd_succession_begin_receipt(&shared->succession)) return 0;
    if (shared->intake.count == 0 || shared->request_fd != shared->intake.epoll)
        n = fill_from_socket(loop, from);
    else
        n = sfd_intake_receive(&shared->intake, loop->carrier->batch, &loop->context.closer, loop->turn->slot + from,
                               SFD_BATCH_MAX - from, clock_ms(shared));
    sfd_succession_end_receipt(&shared->succession);
    /* What is left to a predecessor stays readable: it would wake the loop for nothing. */
    if (atomic_load(&shared->succession.delegated) && loop->receiving) (void)look_for(loop, 0);
    return n;
}

int sfd_loop_receiving_take(struct sfd_loop *loop, int from)
{
    struct sfd_shared *shared = loop->shared;
    struct sfd_succession *succession = &shared->succession;
    struct sfd_closer *closer = &loop->context.closer;
    const uint32_t source = atomic_load(&succession->take_source);
    const int successor = atomic_load(&succession->successor_fd);
    int fd = shared->intake.count == 0 ? shared->request_fd : -1;

    if (source < shared->intake.count) fd = shared->intake.source[source].fd;
    const int n = fd < 0 ? 0 : sfd_receive_batch_fill(loop->carrier->batch, closer, fd, loop->turn->slot + from, 1);
    loop->taken = n > 0 ? 1 : 0;
    if (n <= 0) atomic_fetch_sub(&succession->takes, 1);
    for (int i = 0; i < n; i++)
        loop->turn->slot[from + i].source = source;
    if (successor >= 0) /* it has room: there is one answer to each question */
        (void)closer->sys->send(successor, SFD_SUCCESSION_TAKEN, strlen(SFD_SUCCESSION_TAKEN),
                                MSG_DONTWAIT | MSG_NOSIGNAL);
    return n;
}

void sfd_loop_receiving_note_pause(struct sfd_loop *loop)
{
    struct sfd_succession *succession = &loop->shared->succession;
    const bool paused = atomic_load_explicit(&succession->paused, memory_order_relaxed);

    if (loop->taken > 0) atomic_fetch_sub(&succession->takes, loop->taken);
    loop->taken = 0;
    if (paused == loop->paused) return;
    loop->paused = paused;
    if (!paused) {
        atomic_fetch_sub(&succession->loops_paused, 1);
        sfd_loop_receiving_offer(loop); /* the receiving loop begins again */
        return;
    }
    sfd_loop_receiving_stop(loop);
    atomic_fetch_add(&succession->loops_paused, 1);
}

void sfd_loop_receiving_blame(struct sfd_loop *loop, const struct sfd_slot *slot)
{
    struct sfd_shared *shared = loop->shared;

    if (shared->intake.count > 0) sfd_intake_blame(&shared->intake, shared->kernel.sys, slot->source, clock_ms(shared));
}

void sfd_loop_receiving_end_rests(struct sfd_loop *loop)
{
    struct sfd_shared *shared = loop->shared;

    if (shared->intake.count == 0 || !sfd_intake_rests(&shared->intake)) return;
    sfd_intake_resume(&shared->intake, shared->kernel.sys, loop->stopping ? UINT64_MAX : clock_ms(shared));
    if (sfd_intake_rests(&shared->intake) && loop->rest_over.position == 0)
        sfd_timer_arm(&loop->context.timers, &loop->rest_over, loop->context.now_ms + 1);
}

void sfd_loop_receiving_take_away(struct sfd_loop *loop)
{
    if (atomic_load(&loop->shared->receiving_loop) == (int)loop->index)
        hand_over(loop, clock_ms(loop->shared), UINT32_MAX);
}
