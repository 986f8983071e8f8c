/*
 * The hot path of the client API: see <sendfiled/hot.h>.
 *
 * Role: the core's hot path (hot.h) behind structs that stay as they are, and the hand-over of what is cold to a
 * daemon. Thread: any; no state but the root's. Never waits, but for the functions of roots and the hand-over.
 */
#include <sendfiled/sendfiled.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "hot.h"

#define NS 1000000000

struct sfd_hot_root {
    struct sfd_hot hot;
};

/* The public struct has room for the core's, and does not change with it. */
_Static_assert(sizeof(struct sfd_hot_source) <= sizeof(((struct sfd_hot_file *)0)->internal), "it fits");

static struct sfd_hot_source inner(const struct sfd_hot_file *file)
{
    struct sfd_hot_source opened;

    memcpy(&opened, file->internal, sizeof opened);
    return opened;
}

/* Of an -errno. */
static enum sfd_hot_result fail(int error)
{
    errno = -error;
    return SFD_HOT_FAILED;
}

static int open_root(const char *path, const struct sfd_hot_options *options, struct sfd_hot_root **root)
{
    static const struct sfd_hot_options none = {.flags = 0};
    const struct sfd_hot_options *asked = options == NULL ? &none : options;

    if (path == NULL || root == NULL) return -EINVAL;
    if ((asked->flags & ~(uint32_t)SFD_HOT_SIGPIPE_HANDLED) != 0) return -EINVAL;
    if (memcmp(asked->reserved, none.reserved, sizeof none.reserved) != 0) return -EINVAL;

    const struct sfd_hot_settings core = {
        .sigpipe_is_harmless = (asked->flags & SFD_HOT_SIGPIPE_HANDLED) != 0,
        .cache_entries = asked->cache_entries,
        .cache_age_ns = (uint64_t)asked->cache_age_ms * 1000000,
    };
    struct sfd_hot_root *opened = calloc(1, sizeof *opened);

    if (opened == NULL) return -ENOMEM;
    const int result = sfd_hot_init(&opened->hot, path, &core);
    if (result < 0)
        free(opened);
    else
        *root = opened;
    return result;
}

int sfd_hot_open_root(const char *path, const struct sfd_hot_options *options, struct sfd_hot_root **root)
{
    return sfd_api_result(open_root(path, options, root));
}

void sfd_hot_close_root(struct sfd_hot_root *root)
{
    if (root == NULL) return;
    sfd_hot_deinit(&root->hot);
    free(root);
}

enum sfd_hot_result sfd_hot_open(struct sfd_hot_root *root, const char *path, struct sfd_hot_file *file)
{
    struct sfd_hot_source opened;

    if (root == NULL || path == NULL || file == NULL) return fail(-EINVAL);
    const int result = sfd_hot_source_open(&root->hot, path, &opened);
    if (result == -EAGAIN) return SFD_HOT_COLD;
    if (result < 0) return fail(result);
    const bool below = opened.mtime_ns % NS < 0; /* before 1970 */
    *file = (struct sfd_hot_file){
        .size = opened.size,
        .inode = opened.inode,
        .device = opened.dev,
        .mtime = opened.mtime_ns / NS - (below ? 1 : 0),
        .mtime_ns = (uint32_t)(opened.mtime_ns % NS + (below ? NS : 0)),
        .mode = opened.mode,
        .fd = opened.fd,
    };
    memcpy(file->internal, &opened, sizeof opened);
    return SFD_HOT_DONE;
}

/* Checks a part of the file, and says how long it is if it goes to the end: 0; -EBADF: the file is closed; or -ERANGE.
 */
static int select_part(const struct sfd_hot_file *file, const struct sfd_hot_source *opened, off_t offset,
                       size_t *length)
{
    if (opened->hot == NULL) return -EBADF;
    if (offset < 0 || (uint64_t)offset > file->size) return -ERANGE;
    const uint64_t rest = file->size - (uint64_t)offset;
    if (*length == SFD_TO_END) *length = (size_t)rest;
    return *length > rest ? -ERANGE : 0;
}

enum sfd_hot_result sfd_hot_read(struct sfd_hot_file *file, off_t offset, size_t length, void *buffer, size_t size)
{
    if (file == NULL || (buffer == NULL && size > 0)) return fail(-EINVAL);

    struct sfd_hot_source opened = inner(file);
    const int selected = select_part(file, &opened, offset, &length);

    if (selected < 0) return fail(selected);
    if (length > size) return SFD_HOT_BIG;
    for (size_t got = 0; got < length;) {
        const int64_t n = sfd_hot_source_read(&opened, (char *)buffer + got, length - got, (uint64_t)offset + got);

        if (n == -EAGAIN) return SFD_HOT_COLD;
        if (n <= 0) return fail(n < 0 ? (int)n : -ENODATA);
        got += (size_t)n;
    }
    return SFD_HOT_DONE;
}

enum sfd_hot_result sfd_hot_send(struct sfd_hot_file *file, int destination_fd, struct sfd_hot_rest *rest)
{
    if (file == NULL || rest == NULL || (rest->head == NULL && rest->head_length > 0)) return fail(-EINVAL);

    struct sfd_hot_source opened = inner(file);
    const int selected = select_part(file, &opened, rest->offset, &rest->length);

    if (selected < 0) return fail(selected);
    const struct sfd_hot_sent sent = sfd_hot_source_send(&opened, destination_fd, NULL, rest->head, rest->head_length,
                                                         (uint64_t)rest->offset, rest->length);
    rest->head = rest->head == NULL ? NULL : (const char *)rest->head + sent.head_moved;
    rest->head_length -= sent.head_moved;
    rest->offset += (off_t)sent.moved;
    rest->length -= (size_t)sent.moved;
    switch (sent.step) {
    case SFD_HOT_STEP_DONE:
        return SFD_HOT_DONE;
    case SFD_HOT_STEP_BLOCKED:
        return SFD_HOT_BLOCKED;
    case SFD_HOT_STEP_COLD:
        return SFD_HOT_COLD;
    default:
        return fail(sent.error);
    }
}

void sfd_hot_close(struct sfd_hot_file *file)
{
    struct sfd_hot_source opened = inner(file);
    const int error = errno;

    if (opened.hot != NULL) sfd_hot_source_close(&opened);
    errno = error;
    memset(file->internal, 0, sizeof file->internal);
    file->fd = -1;
}

int sfd_hot_hand_over(int srv_sockfd, const struct sfd_hot_file *file, const char *path, int destination_fd,
                      const struct sfd_hot_rest *rest, bool stat_fd_nonblock, const struct sfd_options *options)
{
    if (rest == NULL) return sfd_api_result(-EINVAL);

    const struct sfd_segment parts[] = {
        {.bytes = rest->head, .length = rest->head_length},
        {.offset = rest->offset, .length = rest->length},
    };
    struct sfd_options asked = {.flags = 0};

    if (options != NULL) asked = *options;
    asked.version = 2;
    if (rest->head_length > 0 && file != NULL)
        return sfd_send_fd_segments(srv_sockfd, file->fd, destination_fd, parts, 2, stat_fd_nonblock, &asked);
    if (rest->head_length > 0)
        return sfd_send_segments(srv_sockfd, path, destination_fd, parts, 2, stat_fd_nonblock, &asked);
    if (file != NULL)
        return sfd_send_fd(srv_sockfd, file->fd, destination_fd, rest->offset, rest->length, stat_fd_nonblock, &asked);
    return sfd_send_with(srv_sockfd, path, destination_fd, rest->offset, rest->length, stat_fd_nonblock, &asked);
}
