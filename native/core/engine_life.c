/*
 * Creation and end of one engine.
 */
#include "engine.h"

#include <errno.h>
#include <stdlib.h>

#include "hot.h"
#include "loop/guard.h"
#include "loop/transfer_table.h"
#include "sys/fd.h"
#include "sys/sys_setup.h"

/* What comes from another process, or from the service manager; -1 and NULL: nothing does. */
struct given {
    int fd;
    const struct sfd_handover *handover;
};

static int open_endpoint(struct sfd_engine *engine, const char *dir, const char *name,
                         const struct sfd_endpoint_access *access, const struct given *given)
{
    const struct sfd_handover *h = given->handover;

    if (h == NULL) return sfd_endpoint_adopt(&engine->endpoint, &sfd_sys_setup_linux, dir, name, access, given->fd);
    return sfd_endpoint_inherit(&engine->endpoint, &sfd_sys_setup_linux, dir, name, access, h->request_fd, h->lock_fd,
                                h->stays, h->dev, h->ino);
}

/* The lanes of the other process, whether or not their users have one now: there may be requests in them. */
static int inherit_lanes(struct sfd_engine *engine, const char *path, const struct sfd_handover *handover)
{
    int first_error = 0;

    for (uint32_t i = 0; i < handover->lanes; i++) {
        const int result = sfd_lanes_inherit(&engine->lanes, path, handover->lane[i].uid, handover->lane[i].fd,
                                             handover->lane[i].dev, handover->lane[i].ino);
        if (first_error == 0) first_error = result;
    }
    return first_error;
}

/* Beside it: where that cannot be, there are none. The name is taken when this process serves. */
static void open_sessions(struct sfd_engine *engine, const char *path, const struct sfd_endpoint_access *access,
                          bool later)
{
    int result = sfd_session_socket_open(&engine->sessions, path, access);

    if (result == 0 && !later) result = sfd_session_socket_claim(&engine->sessions);
    engine->sessions_error = result;
    engine->shared.session_fd = engine->sessions.fd;
}

/*
 * The request socket, and lanes beside it if users have some. Without lanes it is watched itself, and there is no
 * intake.
 */
static int open_sockets(struct sfd_engine *engine, const char *dir, const char *name,
                        const struct sfd_endpoint_access *access, const struct sfd_lane_users *users,
                        const struct given *given)
{
    struct sfd_shared *shared = &engine->shared;
    struct sfd_endpoint *endpoint = &engine->endpoint;
    char path[SFD_LANE_PATH_SIZE];

    int result = open_endpoint(engine, dir, name, access, given);
    sfd_endpoint_path(endpoint, dir, path);
    if (given->handover != NULL) {
        const int inherited = inherit_lanes(engine, path, given->handover); /* in any case: it takes descriptors */
        if (result == 0) result = inherited;
    }
    if (result < 0) return result;
    shared->socket_stays = endpoint->stays;
    shared->request_fd = endpoint->fd;
    bool tells = !endpoint->blind || (shared->kernel.pidfs && sfd_endpoint_pass_pidfds(endpoint) == 0);
    if (users != NULL && users->count > 0 && shared->socket_stays) {
        engine->lanes_error = -EADDRINUSE; /* what is left in a lane would be lost with it */
    } else if (users != NULL && users->count > 0) {
        engine->lanes_error = given->handover != NULL ? sfd_lanes_add(&engine->lanes, path, users)
                                                      : sfd_lanes_open(&engine->lanes, path, users);
    }
    for (uint32_t i = 0; i < engine->lanes.count && result == 0; i++) {
        if (i == 0) result = sfd_intake_add(&shared->intake, &sfd_sys_linux, endpoint->fd);
        if (result == 0) result = sfd_intake_add(&shared->intake, &sfd_sys_linux, engine->lanes.lane[i].fd);
        if (endpoint->blind && tells) tells = sfd_endpoint_pass_pidfds_of(endpoint, engine->lanes.lane[i].fd) == 0;
        shared->request_fd = shared->intake.epoll;
    }
    shared->intake.succession = &shared->succession;
    engine->tells_clients = tells;
    if (result == 0) open_sessions(engine, path, access, given->handover != NULL);
    return result;
}

/*
 * What of a root is in memory. Without it, as on a root that is followed, all of a session's requests take the way of
 * those that are cold. Its calls are a loop's, but for those here.
 */
static int open_hot(struct sfd_shared *shared, int index, const char *root, const struct sfd_settings *settings)
{
    const struct sfd_hot_settings hot = {
        .sigpipe_is_harmless = true,
        .cache_entries = settings->open_files,
        .cache_age_ns = (uint64_t)settings->open_files_ms * 1000000,
    };
    struct sfd_hot *made = malloc(sizeof(*made));

    if (made == NULL) return -ENOMEM;
    const int result = sfd_hot_init(made, root, &hot);
    if (result < 0) {
        free(made);
        return result == -ENOMEM ? result : 0;
    }
    made->kernel.sys = made->cache.sys = &sfd_guard_sys;
    shared->hot[index] = made;
    return 0;
}

static void close_hot(struct sfd_shared *shared)
{
    for (int i = 0; i < SFD_ROOTS_MAX; i++) {
        if (shared->hot[i] == NULL) continue;
        shared->hot[i]->kernel.sys = shared->hot[i]->cache.sys = shared->kernel.sys;
        sfd_hot_deinit(shared->hot[i]);
        free(shared->hot[i]);
        shared->hot[i] = NULL;
    }
}

/* Any loop can have all transfers; those beyond are counted, but not shown. */
#define ROWS_MAX 8192

static uint32_t rows_for(uint32_t transfers)
{
    return transfers < ROWS_MAX ? transfers : ROWS_MAX;
}

static void close_given(const struct given *given)
{
    const struct sfd_handover *h = given->handover;
    int fd = given->fd;

    sfd_fd_close(&sfd_sys_linux, &fd);
    if (h == NULL) return;
    sfd_fd_close(&sfd_sys_linux, &(int){h->request_fd});
    sfd_fd_close(&sfd_sys_linux, &(int){h->lock_fd});
    for (uint32_t i = 0; i < h->lanes; i++)
        sfd_fd_close(&sfd_sys_linux, &(int){h->lane[i].fd});
}

static bool is_used(const struct sfd_handover *handover, uint32_t tag)
{
    bool used = handover->tag == tag;

    for (uint32_t i = 0; i < handover->predecessors; i++)
        used = used || handover->predecessor[i].tag == tag;
    return used;
}

/* Another one than those of the processes before. Their sockets are not the engine's. */
static int begin_succession(struct sfd_succession *s, const struct sfd_handover *handover)
{
    uint32_t tag = 0;
    const int result = sfd_sys_random(&tag, sizeof(tag));

    if (result < 0) return result;
    tag %= SFD_ID_TAGS;
    while (handover != NULL && is_used(handover, tag))
        tag = (tag + 1) % SFD_ID_TAGS;
    sfd_succession_init(s, tag);
    if (handover == NULL) return 0;
    atomic_store(&s->paused, true);
    for (uint32_t i = 0; i < handover->predecessors; i++) {
        s->predecessor[i].tag = handover->predecessor[i].tag;
        atomic_store(&s->predecessor[i].fd, handover->predecessor[i].fd);
    }
    atomic_store(&s->predecessors, handover->predecessors);
    return 0;
}

static int create(struct sfd_engine **out, const struct sfd_settings *settings, const char *dir, const char *name,
                  const char *root, const struct sfd_endpoint_access *access, const struct sfd_lane_users *users,
                  const struct given *given)
{
    const bool sound =
        settings->loops > 0 && settings->loops <= SFD_LOOPS_MAX && settings->quantum > 0 && settings->buffer_size > 0;
    struct sfd_engine *engine = sound ? calloc(1, sizeof(*engine)) : NULL;
    int result = sound ? -ENOMEM : -EINVAL;
    bool opened = false; /* what is given is the endpoint's */

    if (engine == NULL) {
        close_given(given);
        return result;
    }
    struct sfd_shared *shared = &engine->shared;
    shared->settings = *settings;
    shared->kernel.null_fd = -1;
    shared->watchdog.eventfd = -1;
    shared->journal.eventfd = -1;
    shared->request_fd = -1;
    shared->session_fd = -1;
    atomic_init(&shared->sessions, 0);
    atomic_init(&shared->sessions_end, false);
    shared->counters_file.dir = shared->counters_file.pointer = shared->counters_file.memory = -1;
    atomic_init(&shared->transfers, 0);
    atomic_init(&shared->reload.version, 0);
    atomic_init(&shared->receiving_loop, 0);
    atomic_init(&shared->receive_error, 0);
    atomic_init(&shared->draining, false);
    atomic_init(&shared->loops_drained, 0);
    sfd_devices_init(&shared->devices);
    sfd_write_ranges_init(&shared->write_ranges);
    sfd_carriers_init(&shared->carriers);
    sfd_client_accounts_init(&shared->accounts, &settings->client);
    sfd_client_accounts_divide(&shared->accounts, settings->max_transfers);
    sfd_memory_budget_init(&shared->memory, &sfd_sys_linux, settings->memory, settings->client_memory);
    if (dir != NULL && access->mode != 0600) sfd_client_accounts_reserve(&shared->accounts);
    sfd_endpoint_init(&engine->endpoint);
    sfd_lanes_init(&engine->lanes, &sfd_sys_setup_linux);
    sfd_session_socket_init(&engine->sessions, &sfd_sys_setup_linux);
    sfd_intake_init(&shared->intake);
    pthread_mutex_init(&engine->endpoint_lock, NULL);
    pthread_mutex_init(&engine->roots_lock, NULL);
    pthread_mutex_init(&shared->reload.lock, NULL);

    engine->chores_fd = sfd_sys_eventfd();
    result = engine->chores_fd;
    if (result < 0) goto fail;
    result = sfd_sys_wake_signal();
    shared->wake_signal = result < 0 ? 0 : result; /* 0: a stuck loop only stops receiving */
    result = sfd_watchdog_init(&shared->watchdog);
    if (result < 0) goto fail;
    result = sfd_journal_init(&shared->journal, settings->loops + 1);
    if (result < 0) goto fail;
    result = sfd_kernel_init(&shared->kernel, &sfd_sys_linux);
    if (result < 0) goto fail;
    shared->techniques = sfd_techniques_available(&sfd_sys_linux);
    if (root != NULL) result = sfd_root_open(&shared->roots[0], &shared->kernel, root, settings->follow_root != 0);
    if (result < 0) goto fail;
    if (root != NULL && dir != NULL && settings->follow_root == 0) result = open_hot(shared, 0, root, settings);
    if (result < 0) goto fail;
    engine->tells_clients = dir == NULL; /* what has no socket has owners, which name themselves */
    result = begin_succession(&shared->succession, given->handover);
    if (result < 0) goto fail;
    opened = true;
    if (dir != NULL) result = open_sockets(engine, dir, name, access, users, given);
    if (result < 0) goto fail;
    result = sfd_counters_file_make(&shared->counters_file, engine->endpoint.dir_fd, dir, name, settings->loops,
                                    SFD_QUEUES, rows_for(settings->max_transfers));
    shared->counters_file.gives_back = given->handover != NULL; /* until it is claimed */
    if (result < 0) goto fail;
    for (uint32_t i = 0; i < settings->loops; i++) {
        result = sfd_loop_create(&shared->loops[i], shared, i);
        if (result < 0) goto fail;
    }
    *out = engine;
    return 0;
fail:
    if (!opened) close_given(given);
    sfd_engine_destroy(engine);
    return result;
}

int sfd_engine_create(struct sfd_engine **out, const struct sfd_settings *settings, const char *dir, const char *name,
                      const char *root, const struct sfd_endpoint_access *access, const struct sfd_lane_users *users,
                      int passed_fd)
{
    const struct given given = {.fd = passed_fd};

    return create(out, settings, dir, name, root, access, users, &given);
}

int sfd_engine_create_successor(struct sfd_engine **out, const struct sfd_settings *settings, const char *dir,
                                const char *name, const char *root, const struct sfd_endpoint_access *access,
                                const struct sfd_lane_users *users, const struct sfd_handover *handover)
{
    const struct given given = {.fd = -1, .handover = handover};

    return create(out, settings, dir, name, root, access, users, &given);
}

void sfd_engine_destroy(struct sfd_engine *engine)
{
    if (engine == NULL) return;
    if (engine->shared.wake_signal > 0) sfd_sys_wake_signal_release();
    for (uint32_t i = 0; i < SFD_LOOPS_MAX; i++)
        sfd_loop_destroy(engine->shared.loops[i]);
    for (int i = 0; i < SFD_ROOTS_MAX; i++)
        sfd_root_put(engine->shared.roots[i]);
    while (engine->added_roots != NULL)
        sfd_engine_remove_root(engine, engine->added_roots);
    sfd_intake_deinit(&engine->shared.intake);
    sfd_counters_file_hide(&engine->shared.counters_file); /* these before the lock of the instance is given up */
    sfd_lanes_close(&engine->lanes);
    sfd_session_socket_close(&engine->sessions);
    sfd_endpoint_close(&engine->endpoint);
    close_hot(&engine->shared);
    sfd_kernel_deinit(&engine->shared.kernel);
    sfd_watchdog_deinit(&engine->shared.watchdog);
    sfd_journal_deinit(&engine->shared.journal); /* the loops have told it of their ends */
    sfd_carriers_deinit(&engine->shared.carriers);
    sfd_devices_deinit(&engine->shared.devices);
    sfd_write_ranges_deinit(&engine->shared.write_ranges);
    sfd_client_accounts_deinit(&engine->shared.accounts);
    sfd_memory_budget_deinit(&engine->shared.memory);
    sfd_counters_file_release(&engine->shared.counters_file);
    sfd_fd_close(&sfd_sys_linux, &engine->chores_fd);
    pthread_mutex_destroy(&engine->endpoint_lock);
    pthread_mutex_destroy(&engine->roots_lock);
    pthread_mutex_destroy(&engine->shared.reload.lock);
    free(engine);
}
