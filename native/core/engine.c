/*
 * One engine while it runs, and when another process follows it. engine_life.c creates and destroys it.
 */
#include "engine.h"

#include <errno.h>

#include "transfer/observe.h"

/* ---- one process follows another -------------------------------------------------------------------------------- */

void sfd_engine_describe(struct sfd_engine *engine, struct sfd_handover *out)
{
    const struct sfd_endpoint *endpoint = &engine->endpoint;
    const struct sfd_succession *s = &engine->shared.succession;

    *out = (struct sfd_handover){
        .request_fd = endpoint->fd,
        .lock_fd = endpoint->lock_fd,
        .stays = endpoint->stays,
        .dev = endpoint->socket_dev,
        .ino = endpoint->socket_ino,
        .tag = s->tag,
    };
    for (uint32_t i = 0; i < SFD_PREDECESSORS_MAX; i++) {
        const int fd = atomic_load(&s->predecessor[i].fd);
        if (fd < 0) continue;
        out->predecessor[out->predecessors].fd = fd;
        out->predecessor[out->predecessors++].tag = s->predecessor[i].tag;
    }
    for (uint32_t i = 0; i < engine->lanes.count; i++) {
        out->lane[i].fd = engine->lanes.lane[i].fd;
        out->lane[i].uid = engine->lanes.lane[i].uid;
        out->lane[i].dev = engine->lanes.lane[i].dev;
        out->lane[i].ino = engine->lanes.lane[i].ino;
    }
    out->lanes = engine->lanes.count;
}

static void wake_loops(struct sfd_engine *engine)
{
    for (uint32_t i = 0; i < engine->shared.settings.loops; i++)
        sfd_loop_wake(engine->shared.loops[i]);
}

void sfd_engine_pause(struct sfd_engine *engine)
{
    atomic_store(&engine->shared.succession.paused, true);
    wake_loops(engine);
}

bool sfd_engine_paused(struct sfd_engine *engine)
{
    return sfd_succession_is_paused(&engine->shared.succession, engine->shared.settings.loops);
}

void sfd_engine_resume(struct sfd_engine *engine, int fd)
{
    struct sfd_shared *shared = &engine->shared;
    const int own = shared->intake.count > 0 ? shared->intake.epoll : engine->endpoint.fd;

    shared->request_fd = fd < 0 ? own : fd; /* no loop looks at it while it is paused */
    atomic_store(&shared->succession.paused, false);
    wake_loops(engine);
}

void sfd_engine_claim(struct sfd_engine *engine)
{
    engine->shared.counters_file.gives_back = false;
    pthread_mutex_lock(&engine->endpoint_lock);
    sfd_endpoint_claim(&engine->endpoint);
    sfd_lanes_claim(&engine->lanes);
    engine->sessions_error = sfd_session_socket_claim(&engine->sessions);
    pthread_mutex_unlock(&engine->endpoint_lock);
}

void sfd_engine_release(struct sfd_engine *engine)
{
    pthread_mutex_lock(&engine->endpoint_lock);
    sfd_endpoint_release(&engine->endpoint);
    sfd_lanes_release(&engine->lanes);
    sfd_session_socket_release(&engine->sessions);
    pthread_mutex_unlock(&engine->endpoint_lock);
    atomic_store(&engine->shared.sessions_end, true);
    wake_loops(engine);
}

bool sfd_engine_idle(struct sfd_engine *engine)
{
    struct sfd_shared *shared = &engine->shared;
    bool waiting = atomic_load(&shared->succession.takes) > 0;

    for (uint32_t i = 0; i < shared->settings.loops; i++)
        waiting = waiting || sfd_loop_has_waiting(shared->loops[i]);
    return !waiting && sfd_engine_paused(engine) && atomic_load(&shared->transfers) == 0 &&
           atomic_load(&shared->sessions) == 0;
}

void sfd_engine_take(struct sfd_engine *engine, int successor_fd, uint32_t source)
{
    struct sfd_shared *shared = &engine->shared;
    struct sfd_succession *s = &shared->succession;

    if (atomic_exchange(&s->take_queued, true)) return; /* there is one question at a time */
    atomic_store(&s->successor_fd, successor_fd);
    atomic_store(&s->take_source, source);
    atomic_fetch_add(&s->takes, 1);
    if (!sfd_loop_take(shared->loops[atomic_load(&shared->receiving_loop)], &s->take)) atomic_fetch_sub(&s->takes, 1);
}

void sfd_engine_taken(struct sfd_engine *engine)
{
    struct sfd_shared *shared = &engine->shared;

    atomic_store(&shared->succession.delegated, false);
    sfd_loop_receive_again(shared->loops[atomic_load(&shared->receiving_loop)]);
}

void sfd_engine_forget_predecessor(struct sfd_engine *engine, uint32_t index)
{
    sfd_succession_forget(&engine->shared.succession, index);
    sfd_engine_taken(engine);
}

bool sfd_engine_delegates(struct sfd_engine *engine)
{
    return atomic_load(&engine->shared.succession.delegated);
}

/* ---- while it runs ----------------------------------------------------------------------------------------------- */

int sfd_engine_reload(struct sfd_engine *engine, const struct sfd_settings *settings)
{
    struct sfd_shared *shared = &engine->shared;
    const struct sfd_settings *started = &shared->settings;

    if (settings->loops != started->loops || settings->buffer_size != started->buffer_size ||
        settings->follow_root != started->follow_root || settings->selector != started->selector ||
        settings->quantum == 0)
        return -EINVAL;
    pthread_mutex_lock(&shared->reload.lock);
    shared->reload.settings = *settings;
    sfd_client_accounts_limit(&shared->accounts, &settings->client, settings->max_transfers);
    sfd_memory_budget_limit(&shared->memory, settings->memory, settings->client_memory);
    atomic_fetch_add(&shared->reload.version, 1);
    pthread_mutex_unlock(&shared->reload.lock);
    wake_loops(engine); /* sessions are asked for anew */
    return 0;
}

int sfd_engine_add_root(struct sfd_engine *engine, const char *path, bool follow, struct sfd_root **out)
{
    struct sfd_root *root = NULL;
    const int result = sfd_root_open(&root, &engine->shared.kernel, path, follow);

    if (result < 0) return result;
    pthread_mutex_lock(&engine->roots_lock);
    root->next = engine->added_roots;
    engine->added_roots = root;
    pthread_mutex_unlock(&engine->roots_lock);
    *out = root;
    return 0;
}

void sfd_engine_remove_root(struct sfd_engine *engine, struct sfd_root *root)
{
    pthread_mutex_lock(&engine->roots_lock);
    struct sfd_root **at = &engine->added_roots;
    while (*at != root)
        at = &(*at)->next;
    *at = root->next;
    pthread_mutex_unlock(&engine->roots_lock);
    sfd_root_put(root);
}

bool sfd_engine_tells_clients(const struct sfd_engine *engine)
{
    return engine->tells_clients;
}

int sfd_engine_sessions_error(const struct sfd_engine *engine)
{
    return engine->sessions_error;
}

int sfd_engine_lanes_error(const struct sfd_engine *engine)
{
    return engine->lanes_error;
}

int sfd_engine_counters_error(const struct sfd_engine *engine)
{
    return engine->shared.counters_file.error;
}

struct sfd_loop *sfd_engine_loop(struct sfd_engine *engine, uint32_t index)
{
    return engine->shared.loops[index];
}

int sfd_engine_add_carrier(struct sfd_engine *engine, struct sfd_carrier **out)
{
    return sfd_carrier_create(out, &engine->shared);
}

uint32_t sfd_engine_run_watchdog(struct sfd_engine *engine, bool pending)
{
    const int timeout_ms = sfd_watchdog_look(&engine->shared, pending);
    const uint32_t missing = sfd_carriers_missing(&engine->shared);

    if (missing == 0 || pending) sfd_watchdog_wait(&engine->shared.watchdog, timeout_ms);
    return missing;
}

void sfd_engine_wake_watchdog(struct sfd_engine *engine)
{
    sfd_watchdog_wake(&engine->shared.watchdog);
}

bool sfd_engine_probe(struct sfd_engine *engine)
{
    return sfd_watchdog_probe(&engine->shared);
}

int sfd_engine_receive_error(struct sfd_engine *engine)
{
    return atomic_load(&engine->shared.receive_error);
}

void sfd_engine_drain(struct sfd_engine *engine)
{
    atomic_store(&engine->shared.draining, true);
    wake_loops(engine);
    pthread_mutex_lock(&engine->endpoint_lock);
    sfd_lanes_hide(&engine->lanes);
    sfd_session_socket_hide(&engine->sessions);
    sfd_endpoint_hide(&engine->endpoint);
    pthread_mutex_unlock(&engine->endpoint_lock);
}

/* Without a watch on the socket, it is looked at so often. */
#define LOOK_MS 1000

void sfd_engine_chores_wait(struct sfd_engine *engine, int timeout_ms)
{
    const int watch_fd = engine->endpoint.watch_fd;

    if (engine->endpoint.fd >= 0 && watch_fd < 0 && (timeout_ms < 0 || timeout_ms > LOOK_MS)) timeout_ms = LOOK_MS;
    (void)sfd_sys_wait_either_readable(engine->chores_fd, watch_fd, timeout_ms);
    sfd_sys_event_clear(engine->chores_fd);
}

void sfd_engine_chores_wake(struct sfd_engine *engine)
{
    sfd_sys_event_signal(engine->chores_fd);
}

uint32_t sfd_engine_missing_carriers(struct sfd_engine *engine)
{
    return sfd_carriers_missing(&engine->shared);
}

int sfd_engine_look(struct sfd_engine *engine)
{
    pthread_mutex_lock(&engine->endpoint_lock);
    const int result = sfd_endpoint_look(&engine->endpoint);
    pthread_mutex_unlock(&engine->endpoint_lock);
    return result;
}

bool sfd_engine_drained(struct sfd_engine *engine)
{
    return atomic_load(&engine->shared.loops_drained) == engine->shared.settings.loops &&
           atomic_load(&engine->shared.transfers) == 0 && atomic_load(&engine->shared.sessions) == 0;
}

bool sfd_engine_has(struct sfd_engine *engine, uint64_t id)
{
    const struct sfd_counters_file *file = &engine->shared.counters_file;
    const uint32_t loop = sfd_observe_loop_of(id);

    if (loop >= engine->shared.settings.loops) return false;
    const struct sfd_counters_row *rows = sfd_counters_file_rows(file, loop);
    for (uint32_t i = 0; i < file->head->rows; i++)
        if (atomic_load(&rows[i].id) == id) return atomic_load(&rows[i].ended) == 0;
    return false;
}

int sfd_engine_cancel(struct sfd_engine *engine, uint64_t id)
{
    return sfd_engine_has(engine, id) ? sfd_loop_order_end(&engine->shared, id) : -ESRCH;
}

uint32_t sfd_engine_transfers(struct sfd_engine *engine)
{
    return atomic_load(&engine->shared.transfers);
}

void sfd_engine_close_endpoint(struct sfd_engine *engine)
{
    pthread_mutex_lock(&engine->endpoint_lock);
    sfd_counters_file_hide(&engine->shared.counters_file);
    sfd_lanes_close(&engine->lanes);
    sfd_session_socket_hide(&engine->sessions); /* a loop may have it in its epoll */
    sfd_endpoint_close(&engine->endpoint);
    pthread_mutex_unlock(&engine->endpoint_lock);
}
