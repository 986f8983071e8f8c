/*
 * Grants of memory, and what they are measured by.
 */
#include "memory/memory_budget.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNLIMITED UINT64_MAX

/* What grants are counted in. */
#define PIECE ((uint64_t)4096)

/* A fill that is not larger may take from the credit. */
#define SMALL ((uint64_t)1 << 20)

/* The most that small fills may take between two measurements: a sixteenth of what is free, and no more than this. */
#define CREDIT_MAX   ((uint64_t)16 << 20)
#define CREDIT_SHARE 16

/* What is left to the process itself, for its heap and buffers: an eighth of a limit, and no more than this. */
#define RESERVE_MAX   ((uint64_t)64 << 20)
#define RESERVE_SHARE 8

/* The files that are read have a few thousand bytes; only mountinfo may have more. */
#define FILE_MAX ((size_t)16 * 1024)

/* A measurement. */
struct room {
    uint64_t limit; /* the lowest */
    uint64_t free;
};

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t difference(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

/* ------------------------------------------------------------------ files */

/* The beginning of a file, with a NUL behind it: the bytes read, or -errno. */
static int64_t read_text(const struct sfd_sys *sys, const char *path, char *text, size_t size)
{
    size_t length = 0;
    int64_t n = 0;

    const int fd = sys->openat(AT_FDCWD, path, O_RDONLY);
    if (fd < 0) return fd;
    while (length < size - 1) {
        const struct iovec rest = {.iov_base = text + length, .iov_len = size - 1 - length};
        n = sys->preadv2(fd, &rest, 1, (int64_t)length, 0);
        if (n <= 0) break;
        length += (size_t)n;
    }
    (void)sys->close(fd);
    text[length] = '\0';
    return n < 0 ? n : (int64_t)length;
}

/* The number behind `name`, at the beginning of a line. False when there is none. */
static bool find_number(const char *text, const char *name, uint64_t *out)
{
    const size_t length = strlen(name);

    for (const char *line = text; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
        if (*line == '\n') line++;
        if (strncmp(line, name, length) != 0 || (line[length] != ' ' && line[length] != ':')) continue;
        *out = strtoull(line + length + 1, NULL, 10);
        return true;
    }
    return false;
}

static bool read_in(const struct sfd_memory_budget *budget, size_t level, const char *name, char *text)
{
    char path[PATH_MAX];
    const int length = snprintf(path, sizeof(path), "%.*s/%s", (int)level, budget->cgroup, name);

    return length > 0 && (size_t)length < sizeof(path) && read_text(budget->sys, path, text, FILE_MAX) >= 0;
}

static uint64_t read_number_in(const struct sfd_memory_budget *budget, size_t level, const char *name, char *text)
{
    if (!read_in(budget, level, name, text) || text[0] < '0' || text[0] > '9') return UNLIMITED; /* "max" */
    return strtoull(text, NULL, 10);
}

/* ------------------------------------------------------------------ measuring */

static void take_level(struct room *room, uint64_t limit, uint64_t used)
{
    const uint64_t reserve = least(limit / RESERVE_SHARE, RESERVE_MAX);

    room->limit = least(room->limit, limit);
    room->free = least(room->free, difference(limit, used + reserve));
}

static void measure_machine(const struct sfd_memory_budget *budget, char *text, struct room *room)
{
    uint64_t total = 0;
    uint64_t available = 0;

    if (read_text(budget->sys, "/proc/meminfo", text, FILE_MAX) < 0) return;
    if (!find_number(text, "MemTotal", &total) || !find_number(text, "MemAvailable", &available)) return;
    take_level(room, total * 1024, difference(total, available) * 1024);
}

/* One cgroup, the first `level` bytes of the name. Pages that the kernel can drop at any time count as free. */
static void measure_level(const struct sfd_memory_budget *budget, size_t level, char *text, struct room *room)
{
    static const char *const droppable[2][3] = {
        {"total_inactive_file", "total_active_file", NULL},
        {"inactive_file", "active_file", "slab_reclaimable"},
    };
    uint64_t limit = 0;

    if (budget->unified) {
        limit = read_number_in(budget, level, "memory.max", text);
        limit = least(limit, read_number_in(budget, level, "memory.high", text)); /* above it every page waits */
    } else {
        limit = read_number_in(budget, level, "memory.limit_in_bytes", text);
    }
    if (limit >= INT64_MAX / 2) return;
    const char *const usage = budget->unified ? "memory.current" : "memory.usage_in_bytes";
    uint64_t used = read_number_in(budget, level, usage, text);
    if (used == UNLIMITED) used = 0;
    if (read_in(budget, level, "memory.stat", text)) {
        for (size_t i = 0; i < 3; i++) {
            const char *const name = droppable[budget->unified ? 1 : 0][i];
            uint64_t bytes = 0;
            if (name != NULL && find_number(text, name, &bytes)) used = difference(used, bytes);
        }
    }
    take_level(room, limit, used);
}

/* What cannot be read limits nothing. */
static struct room measure(const struct sfd_memory_budget *budget)
{
    struct room room = {.limit = UNLIMITED, .free = UNLIMITED};
    char text[FILE_MAX];

    measure_machine(budget, text, &room);
    for (size_t level = budget->cgroup == NULL ? 0 : strlen(budget->cgroup); level > 0;) {
        measure_level(budget, level, text, &room);
        if (level <= budget->top) break;
        do
            level--;
        while (level > budget->top && budget->cgroup[level] != '/');
    }
    return room;
}

static struct room measure_and_note(struct sfd_memory_budget *budget)
{
    const struct room room = measure(budget);

    if (atomic_load(&budget->for_all) == 0) atomic_store(&budget->most, room.limit / 2);
    return room;
}

/* ------------------------------------------------------------------ the own cgroup */

/* A line of /proc/self/cgroup: "5:memory:/path", or "0::/path" of version 2. Gives the path. */
static const char *path_in(const char *line, bool *unified, bool *memory)
{
    const char *const names = strchr(line, ':');
    const char *const path = names == NULL ? NULL : strchr(names + 1, ':');

    if (path == NULL) return NULL;
    *unified = path == names + 1;
    *memory = false;
    for (const char *name = names; name < path; name = strpbrk(name + 1, ",:"))
        if (strncmp(name + 1, "memory", 6) == 0 && (name[7] == ',' || name[7] == ':')) *memory = true;
    return path + 1;
}

/* The path of the cgroup that has the controller of memory, in `path`. */
static bool find_path(char *text, char *path, bool *unified)
{
    bool found = false;
    char *rest = NULL;

    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        bool is_unified = false;
        bool has_memory = false;
        const char *at = path_in(line, &is_unified, &has_memory);
        if (at == NULL || (!has_memory && !(is_unified && !found)) || strlen(at) >= PATH_MAX) continue;
        (void)strcpy(path, at);
        *unified = is_unified;
        found = true;
        if (has_memory) break;
    }
    return found;
}

static bool has_word(const char *list, const char *word)
{
    const size_t length = strlen(word);

    for (const char *at = list; at != NULL; at = strchr(at, ',')) {
        if (*at == ',') at++;
        if (strncmp(at, word, length) == 0 && (at[length] == ',' || at[length] == '\0')) return true;
    }
    return false;
}

/*
 * Where that hierarchy is mounted, of a line of /proc/self/mountinfo: what of it is mounted there in *root, and the
 * mount point. NULL when it is another mount.
 */
static char *mount_point(char *line, bool unified, const char **root)
{
    char *fields[6] = {NULL};
    char *rest = NULL;
    char *const dash = strstr(line, " - ");

    if (dash == NULL) return NULL;
    *dash = '\0';
    for (size_t i = 0; i < 6; i++)
        fields[i] = strtok_r(i == 0 ? line : NULL, " ", &rest);
    const char *const type = strtok_r(dash + 3, " ", &rest);
    (void)strtok_r(NULL, " ", &rest);
    const char *const options = strtok_r(NULL, " ", &rest);
    if (fields[4] == NULL || type == NULL || options == NULL) return NULL;
    if (strcmp(type, unified ? "cgroup2" : "cgroup") != 0) return NULL;
    if (!unified && !has_word(options, "memory")) return NULL;
    *root = fields[3];
    return fields[4];
}

/* The whole of a file that may be long; to be freed. NULL when it cannot be read. */
static char *read_all(const struct sfd_sys *sys, const char *path)
{
    for (size_t size = FILE_MAX; size <= ((size_t)4 << 20); size *= 4) {
        char *text = malloc(size);
        if (text == NULL) return NULL;
        const int64_t n = read_text(sys, path, text, size);
        if (n >= 0 && (size_t)n < size - 1) return text;
        free(text);
        if (n < 0) return NULL;
    }
    return NULL;
}

/* Gives the directory of the own cgroup in `directory` (PATH_MAX), and the length of its mount point in *top. */
static bool find_cgroup(const struct sfd_sys *sys, char *directory, size_t *top, bool *unified)
{
    char path[PATH_MAX];
    char *rest = NULL;
    bool found = false;

    char *text = read_all(sys, "/proc/self/cgroup");
    if (text == NULL) return false;
    found = find_path(text, path, unified);
    free(text);
    text = found ? read_all(sys, "/proc/self/mountinfo") : NULL;
    found = false;
    for (char *line = text == NULL ? NULL : strtok_r(text, "\n", &rest); line != NULL && !found;
         line = strtok_r(NULL, "\n", &rest)) {
        const char *root = NULL;
        const char *const point = mount_point(line, *unified, &root);
        if (point == NULL) continue;
        const size_t mounted = strcmp(root, "/") == 0 ? 0 : strlen(root);
        /* In a container without a namespace of cgroups the path is the machine's: only its end is seen there. */
        const char *below = strncmp(path, root, mounted) == 0 ? path + mounted : "";
        if (strcmp(below, "/") == 0) below = "";
        const int length = snprintf(directory, PATH_MAX, "%s%s", point, below);
        found = length > 0 && length < PATH_MAX;
        *top = strlen(point);
    }
    free(text);
    return found;
}

/* ------------------------------------------------------------------ granting */

void sfd_memory_budget_init_in(struct sfd_memory_budget *budget, const struct sfd_sys *sys, uint64_t for_all,
                               uint64_t for_each, const char *cgroup, size_t top, bool unified)
{
    *budget = (struct sfd_memory_budget){
        .sys = sys, .top = top, .unified = unified, .for_all = for_all, .for_each = for_each};
    if (cgroup != NULL) budget->cgroup = strdup(cgroup);
    pthread_mutex_init(&budget->lock, NULL);
    atomic_init(&budget->most, for_all);
}

void sfd_memory_budget_init(struct sfd_memory_budget *budget, const struct sfd_sys *sys, uint64_t for_all,
                            uint64_t for_each)
{
    char directory[PATH_MAX];
    size_t top = 0;
    bool unified = false;
    const bool found = find_cgroup(sys, directory, &top, &unified);

    sfd_memory_budget_init_in(budget, sys, for_all, for_each, found ? directory : NULL, top, unified);
}

void sfd_memory_budget_limit(struct sfd_memory_budget *budget, uint64_t for_all, uint64_t for_each)
{
    pthread_mutex_lock(&budget->lock); /* no measurement is under way that notes the old limit */
    atomic_store(&budget->for_each, for_each);
    atomic_store(&budget->for_all, for_all);
    if (for_all > 0)
        atomic_store(&budget->most, for_all);
    else
        (void)measure_and_note(budget);
    pthread_mutex_unlock(&budget->lock);
}

void sfd_memory_budget_deinit(struct sfd_memory_budget *budget)
{
    free(budget->cgroup);
    budget->cgroup = NULL;
    pthread_mutex_destroy(&budget->lock);
}

/* Adds to a sum, unless it would exceed `most`. */
static bool add_within(_Atomic(uint64_t) *sum, uint64_t bytes, uint64_t most)
{
    uint64_t before = atomic_load(sum);

    do {
        if (before > most || bytes > most - before) return false;
    } while (!atomic_compare_exchange_weak(sum, &before, before + bytes));
    return true;
}

/* Takes a small fill from the credit: false when it is not enough. */
static bool take_credit(struct sfd_memory_budget *budget, uint64_t bytes)
{
    uint64_t before = atomic_load(&budget->credit);

    do {
        if (bytes > SMALL || bytes > before) return false;
    } while (!atomic_compare_exchange_weak(&budget->credit, &before, before - bytes));
    return true;
}

/* Whether the memory can take them. Adds them to `missing`, so that the next measurement knows of them. */
static bool fits(struct sfd_memory_budget *budget, uint64_t bytes)
{
    if (take_credit(budget, bytes)) {
        atomic_fetch_add(&budget->missing, bytes);
        return true;
    }
    pthread_mutex_lock(&budget->lock);
    const struct room room = measure_and_note(budget);
    const uint64_t free = difference(room.free, atomic_load(&budget->missing));
    const bool result = bytes <= free;
    if (result) {
        atomic_fetch_add(&budget->missing, bytes);
        atomic_store(&budget->credit, least((free - bytes) / CREDIT_SHARE, CREDIT_MAX));
    }
    pthread_mutex_unlock(&budget->lock);
    return result;
}

/* Within the limits of a client and of its user: both or none. */
static bool add_for(struct sfd_client_account *account, uint64_t bytes, uint64_t of_each, uint64_t of_user)
{
    if (account == NULL) return true;
    if (!add_within(&account->user->memory, bytes, of_user)) return false;
    if (add_within(&account->memory, bytes, of_each)) return true;
    atomic_fetch_sub(&account->user->memory, bytes);
    return false;
}

static void subtract_for(struct sfd_client_account *account, uint64_t bytes)
{
    if (account == NULL) return;
    atomic_fetch_sub(&account->memory, bytes);
    atomic_fetch_sub(&account->user->memory, bytes);
}

int sfd_memory_budget_take(struct sfd_memory_budget *budget, struct sfd_client_account *account, uint64_t bytes,
                           struct sfd_memory_grant *grant)
{
    if (atomic_load(&budget->most) == 0) (void)measure_and_note(budget);
    const uint64_t most = atomic_load(&budget->most);
    const uint64_t each = atomic_load(&budget->for_each);
    const uint64_t of_each = each > 0 ? each : most / 4 * 3;
    const bool reserved = account != NULL && account->owner->users.several; /* for other users */
    const uint64_t of_user = reserved ? most / 4 * 3 : UNLIMITED;
    const uint64_t pieces = bytes / PIECE + (bytes % PIECE == 0 ? 0 : 1);

    if (pieces > UINT32_MAX) return -ENOBUFS;
    bytes = pieces * PIECE;
    if (!add_for(account, bytes, of_each, of_user)) return -EDQUOT;
    if (!add_within(&budget->filling, bytes, most)) goto refuse;
    if (!fits(budget, bytes)) {
        atomic_fetch_sub(&budget->filling, bytes);
        goto refuse;
    }
    *grant = (struct sfd_memory_grant){.pieces = (uint32_t)pieces, .missing = (uint32_t)pieces};
    return 0;
refuse:
    subtract_for(account, bytes);
    return -ENOBUFS;
}

static void found(struct sfd_memory_budget *budget, struct sfd_memory_grant *grant, uint64_t pieces)
{
    const uint64_t filled = least(pieces, grant->missing);

    grant->missing -= (uint32_t)filled;
    if (filled > 0) atomic_fetch_sub(&budget->missing, filled * PIECE);
}

void sfd_memory_budget_filled(struct sfd_memory_budget *budget, struct sfd_memory_grant *grant, uint64_t bytes)
{
    found(budget, grant, bytes / PIECE);
}

void sfd_memory_budget_give_back(struct sfd_memory_budget *budget, struct sfd_client_account *account,
                                 struct sfd_memory_grant *grant)
{
    const uint64_t bytes = grant->pieces * PIECE;

    if (bytes == 0) return;
    found(budget, grant, grant->missing);
    atomic_fetch_sub(&budget->filling, bytes);
    subtract_for(account, bytes);
    *grant = (struct sfd_memory_grant){0};
}
