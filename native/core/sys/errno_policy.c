/*
 * What each errno means at each place. The table is drawn in errno_policy.h.
 */
#include "sys/errno_policy.h"

#include <errno.h>
#include <stdint.h>

#define ERRNO_MAX 134 /* EHWPOISON 133, errno.h(0) */

/* One more than the remedy; 0: the rest's. */
#define END   (1 + SFD_REMEDY_END)
#define READY (1 + SFD_REMEDY_READY)
#define DEFER (1 + SFD_REMEDY_DEFER)
#define POOL  (1 + SFD_REMEDY_POOL)
#define PASS  (1 + SFD_REMEDY_PASS)

/* A socket or an epoll instance that fails for no known reason may work again; nobody could live without either. */
static const uint8_t rest[SFD_PLACES] = {
    [SFD_PLACE_RECEIVE] = DEFER, [SFD_PLACE_WAIT] = DEFER, [SFD_PLACE_WATCH] = END,  [SFD_PLACE_OPEN_CACHED] = END,
    [SFD_PLACE_OPEN] = END,      [SFD_PLACE_LOCK] = END,   [SFD_PLACE_READ] = END,   [SFD_PLACE_LOAD] = END,
    [SFD_PLACE_MOVE] = END,      [SFD_PLACE_COPY] = END,   [SFD_PLACE_STATUS] = END,
};

/* Want of memory: of the kernel's, or of ours. */
#define MEMORY                                                                                                         \
    [SFD_PLACE_OPEN_CACHED] = POOL, [SFD_PLACE_OPEN] = DEFER, [SFD_PLACE_LOCK] = DEFER, [SFD_PLACE_READ] = POOL,       \
    [SFD_PLACE_LOAD] = DEFER, [SFD_PLACE_MOVE] = DEFER, [SFD_PLACE_COPY] = DEFER, [SFD_PLACE_STATUS] = DEFER

/*
 * Want of descriptors: of this process, or of the machine. A pipe is written to through one more where the kernel asks
 * for it.
 */
#define DESCRIPTORS                                                                                                    \
    [SFD_PLACE_OPEN_CACHED] = POOL, [SFD_PLACE_OPEN] = DEFER, [SFD_PLACE_MOVE] = DEFER, [SFD_PLACE_COPY] = DEFER,      \
    [SFD_PLACE_STATUS] = DEFER

static const uint8_t table[ERRNO_MAX][SFD_PLACES] = {
    [EINTR] = {[SFD_PLACE_RECEIVE] = READY, [SFD_PLACE_MOVE] = READY, [SFD_PLACE_STATUS] = READY},
    [EAGAIN] = {[SFD_PLACE_RECEIVE] = READY,
                [SFD_PLACE_OPEN_CACHED] = POOL,
                [SFD_PLACE_READ] = POOL,
                [SFD_PLACE_LOAD] = DEFER,
                [SFD_PLACE_MOVE] = READY,
                [SFD_PLACE_COPY] = DEFER,
                [SFD_PLACE_STATUS] = READY},
    [ENOMEM] = {MEMORY, [SFD_PLACE_WATCH] = DEFER},
    [ENOBUFS] = {MEMORY},
    [EMFILE] = {DESCRIPTORS},
    [ENFILE] = {DESCRIPTORS},
    [ENOSPC] = {[SFD_PLACE_WATCH] = DEFER}, /* fs.epoll.max_user_watches, which a user's programs share */
    [ENOLCK] = {[SFD_PLACE_OPEN] = DEFER, [SFD_PLACE_LOCK] = DEFER}, /* no memory for a lock */
    [EXDEV] = {[SFD_PLACE_OPEN_CACHED] = POOL},                      /* to another disk */
    [EEXIST] = {[SFD_PLACE_WATCH] = PASS},
    [EINVAL] = {[SFD_PLACE_WAIT] = END, [SFD_PLACE_LOCK] = PASS},
    [EBADF] = {[SFD_PLACE_WAIT] = END},
    [EFAULT] = {[SFD_PLACE_WAIT] = END},
    [ENOSYS] = {[SFD_PLACE_LOCK] = PASS},
    /* A file system without locks; a file that, unlike its neighbours, cannot be read without waiting. */
    [EOPNOTSUPP] = {[SFD_PLACE_LOCK] = PASS, [SFD_PLACE_READ] = POOL},
};

enum sfd_remedy sfd_errno_policy(enum sfd_place place, int error)
{
    uint8_t entry = 0;

    if ((unsigned)place >= SFD_PLACES) return SFD_REMEDY_END;
    if (error < 0 && error > -ERRNO_MAX) entry = table[-error][place];
    return (enum sfd_remedy)((entry != 0 ? entry : rest[place]) - 1);
}
