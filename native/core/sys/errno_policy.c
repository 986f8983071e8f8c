/*
 * What each errno means at each place. The table is drawn in errno_policy.h.
 */
#include "sys/errno_policy.h"

#include <errno.h>
#include <stdint.h>

#define ERRNO_MAX 134 /* EHWPOISON 133, errno.h(0) */

/* A table entry is the remedy plus 1; 0 means the entry of `rest`. */
#define END   (1 + SFD_REMEDY_END)
#define READY (1 + SFD_REMEDY_READY)
#define DEFER (1 + SFD_REMEDY_DEFER)
#define POOL  (1 + SFD_REMEDY_POOL)
#define PASS  (1 + SFD_REMEDY_PASS)

/* The request socket and the epoll instance are tried again after an unknown error: a loop cannot work without them. */
static const uint8_t rest[SFD_PLACES] = {
    [SFD_PLACE_RECEIVE] = DEFER, [SFD_PLACE_WAIT] = DEFER, [SFD_PLACE_WATCH] = END,      [SFD_PLACE_OPEN_CACHED] = END,
    [SFD_PLACE_OPEN] = END,      [SFD_PLACE_LOCK] = END,   [SFD_PLACE_READ] = END,       [SFD_PLACE_LOAD] = END,
    [SFD_PLACE_MOVE] = END,      [SFD_PLACE_COPY] = END,   [SFD_PLACE_BEGIN_COPY] = END, [SFD_PLACE_STATUS] = END,
};

/* Out of memory, in the kernel or in this process. */
#define MEMORY                                                                                                         \
    [SFD_PLACE_OPEN_CACHED] = POOL, [SFD_PLACE_OPEN] = DEFER, [SFD_PLACE_LOCK] = DEFER, [SFD_PLACE_READ] = POOL,       \
    [SFD_PLACE_LOAD] = DEFER, [SFD_PLACE_MOVE] = DEFER, [SFD_PLACE_COPY] = DEFER, [SFD_PLACE_STATUS] = DEFER

/*
 * Out of descriptors, in this process or in the whole system. MOVE and STATUS are here because a write to a pipe may
 * need one more descriptor (pipe.c).
 */
#define DESCRIPTORS                                                                                                    \
    [SFD_PLACE_OPEN_CACHED] = POOL, [SFD_PLACE_OPEN] = DEFER, [SFD_PLACE_MOVE] = DEFER, [SFD_PLACE_COPY] = DEFER,      \
    [SFD_PLACE_BEGIN_COPY] = DEFER, [SFD_PLACE_STATUS] = DEFER

static const uint8_t table[ERRNO_MAX][SFD_PLACES] = {
    [EINTR] = {[SFD_PLACE_RECEIVE] = READY, [SFD_PLACE_MOVE] = READY, [SFD_PLACE_STATUS] = READY},
    [EAGAIN] = {[SFD_PLACE_RECEIVE] = READY,
                [SFD_PLACE_OPEN_CACHED] = POOL,
                [SFD_PLACE_READ] = POOL,
                [SFD_PLACE_LOAD] = DEFER,
                [SFD_PLACE_MOVE] = READY,
                [SFD_PLACE_COPY] = DEFER,
                [SFD_PLACE_STATUS] = READY},
    [ENOMEM] = {MEMORY, [SFD_PLACE_WATCH] = DEFER, [SFD_PLACE_BEGIN_COPY] = DEFER},
    [ENOBUFS] = {MEMORY},
    [EMFILE] = {DESCRIPTORS},
    [ENFILE] = {DESCRIPTORS},
    [ENOSPC] = {[SFD_PLACE_WATCH] = DEFER}, /* fs.epoll.max_user_watches, which a user's programs share */
    [ENOLCK] = {[SFD_PLACE_OPEN] = DEFER, [SFD_PLACE_LOCK] = DEFER}, /* no memory for a lock */
    [EXDEV] = {[SFD_PLACE_OPEN_CACHED] = POOL},                      /* the path leads to another mount */
    [EEXIST] = {[SFD_PLACE_WATCH] = PASS},
    [EINVAL] = {[SFD_PLACE_WAIT] = END, [SFD_PLACE_LOCK] = PASS},
    [EBADF] = {[SFD_PLACE_WAIT] = END},
    [EFAULT] = {[SFD_PLACE_WAIT] = END},
    [ENOSYS] = {[SFD_PLACE_LOCK] = PASS},
    /* LOCK: a file system without locks. READ: a file without RWF_NOWAIT, although its device has it. */
    [EOPNOTSUPP] = {[SFD_PLACE_LOCK] = PASS, [SFD_PLACE_READ] = POOL},
};

enum sfd_remedy sfd_errno_policy(enum sfd_place place, int error)
{
    uint8_t entry = 0;

    if ((unsigned)place >= SFD_PLACES) return SFD_REMEDY_END;
    if (error < 0 && error > -ERRNO_MAX) entry = table[-error][place];
    return (enum sfd_remedy)((entry != 0 ? entry : rest[place]) - 1);
}
