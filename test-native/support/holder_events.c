/*
 * What holds a call of the daemon although no client has a lock: a permission event that its listener answers late, as
 * an antivirus does (fanotify(7)), and pages that are evicted before they are sent.
 */
#include "holder.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/fanotify.h>
#include <sys/resource.h>
#include <unistd.h>

#include "driver_common.h"

enum { ANSWER_MS = 4000, PENDING_MAX = 4096 };

/* ---- clients ---- */

/* One Read File after the other, as long as there is a daemon. */
void hold_by_permission(const struct holder *h)
{
    struct outcome outcome = {0};
    struct transfer t;
    bool held = false;

    do {
        int pipe[2];
        if (pipe2(pipe, O_CLOEXEC) < 0) driver_die("pipe");
        transfer_begin_read(&t, h, pipe[0], 0);
        if (!transfer_ask(h, pipe[1], -1)) break;
        if (!held) say_held(h);
        held = true;
        while (t.channel >= 0 && !is_over(h, 0))
            transfer_receive(&t, SIZE_MAX, 50);
        (void)transfer_finish(&t, false, now_ms() + RELEASE_MS);
        transfer_count(&t, &outcome);
    } while (!is_over(h, 0));
    say_outcome(h, &outcome);
}

static atomic_bool evicts = true;

/* What it takes of a processor, it takes last. */
static void *evict(void *argument)
{
    const struct holder *h = argument;
    const int fd = open(h->file, O_RDONLY | O_CLOEXEC);

    if (fd < 0) driver_die(h->file);
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), 19);
    while (atomic_load(&evicts))
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    (void)close(fd);
    return NULL;
}

/* One Send File after the other, as long as there is a daemon; what is loaded for them is evicted. */
void hold_by_eviction(const struct holder *h)
{
    struct outcome outcome = {0};
    struct transfer t;
    pthread_t thread;
    bool held = false;

    if (pthread_create(&thread, NULL, evict, (void *)(uintptr_t)h) != 0) driver_die("pthread_create");
    do {
        int data;
        int destination = driver_open_destination(h->kind->to, &data);
        const int status = transfer_begin_send(&t, h, data);
        if (!transfer_ask(h, status, destination)) break;
        driver_close(&destination);
        while (t.channel >= 0 && !is_over(h, 0)) {
            transfer_receive(&t, SIZE_MAX, 50);
            if (!held && t.received > 0) {
                say_held(h);
                held = true;
            }
        }
        if (is_over(h, 0)) atomic_store(&evicts, false);
        (void)transfer_finish(&t, true, now_ms() + RELEASE_MS);
        transfer_count(&t, &outcome);
    } while (!is_over(h, 0));
    atomic_store(&evicts, false);
    (void)pthread_join(thread, NULL);
    say_outcome(h, &outcome);
}

/* ---- the listener ---- */

struct pending {
    int fd;
    long due_ms;
};

struct listener {
    const struct holder *holder;
    int group;
    struct pending pending[PENDING_MAX]; /* a ring, in the order in which they are due */
    size_t first;
    size_t count;
};

static void answer(const struct listener *l, int fd)
{
    const struct fanotify_response response = {.fd = fd, .response = FAN_ALLOW};

    (void)!write(l->group, &response, sizeof response);
    (void)close(fd);
}

static void receive_events(struct listener *l)
{
    static struct fanotify_event_metadata events[256];
    ssize_t size = read(l->group, events, sizeof events);
    const long due_ms = now_ms() + (l->holder->hold_ms > 0 ? l->holder->hold_ms : ANSWER_MS);

    for (const struct fanotify_event_metadata *e = events; FAN_EVENT_OK(e, size); e = FAN_EVENT_NEXT(e, size)) {
        if (e->fd < 0) continue;
        if (e->pid != l->holder->daemon || l->count == PENDING_MAX) {
            answer(l, e->fd);
        } else {
            l->pending[(l->first + l->count) % PENDING_MAX] = (struct pending){.fd = e->fd, .due_ms = due_ms};
            l->count++;
        }
    }
}

static void *listen_on(void *argument)
{
    struct listener *l = argument;
    struct pollfd ready[] = {{.fd = l->group, .events = POLLIN}, {.fd = l->holder->over}};

    while (ready[1].revents == 0) {
        const long left = l->count > 0 ? l->pending[l->first].due_ms - now_ms() : -1;
        if (l->count > 0 && left <= 0) {
            answer(l, l->pending[l->first].fd);
            l->first = (l->first + 1) % PENDING_MAX;
            l->count--;
        } else if (poll(ready, 2, (int)left) > 0 && ready[0].revents != 0) {
            receive_events(l);
        }
    }
    (void)close(l->group); /* allows what is not answered */
    free(l);
    return NULL;
}

int permission_open(const struct holder *h)
{
    const int group = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC | FAN_NONBLOCK, O_RDONLY | O_CLOEXEC);

    if (group >= 0 && fanotify_mark(group, FAN_MARK_ADD, FAN_OPEN_PERM | FAN_ACCESS_PERM, AT_FDCWD, h->file) == 0)
        return group;
    const int error = errno;
    if (group >= 0) (void)close(group);
    errno = error;
    return -1;
}

void permission_start(const struct holder *h, int group, pthread_t *thread)
{
    struct listener *l = calloc(1, sizeof *l);

    if (l == NULL) driver_die("calloc");
    l->holder = h;
    l->group = group;
    if (pthread_create(thread, NULL, listen_on, l) != 0) driver_die("pthread_create");
}
