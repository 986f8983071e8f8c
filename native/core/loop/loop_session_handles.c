/*
 * What a session's handles stand for: registering and releasing. handles.h says what a handle is.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>

#include <sys/mman.h>
#include <sys/stat.h>

#include "disk/open.h"
#include "loop/loop_session.h"

/* ------------------------------------------------------------------ memory of a client's */

int sfd_loop_session_look_at_memory(const struct sfd_sys *sys, int fd, int seals, struct sfd_session_memory *out)
{
    struct statx st;
    uint64_t type = 0;
    const int has = sys->fcntl(fd, F_GET_SEALS, 0); /* of nothing but memory files */

    if (has < 0) return -EINVAL;
    if ((has & seals) != seals) return -EPERM;
    int result = sys->fstatfs_type(fd, &type);
    if (result == 0 && type != TMPFS_MAGIC) result = -EINVAL; /* huge pages: there may be none when one is touched */
    if (result == 0) result = sys->statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_SIZE | STATX_BLOCKS, &st);
    if (result < 0) return result;
    out->size = st.stx_size;
    out->whole = st.stx_blocks * 512 >= st.stx_size;
    return 0;
}

bool sfd_loop_session_is_whole(struct sfd_loop *loop, struct sfd_session *s, uint32_t handle)
{
    struct sfd_handle *thing = sfd_handles_find(&s->handles, handle, SFD_SESSION_BUFFER);
    struct sfd_session_memory file = {0};

    if (thing == NULL || thing->buffer.looked == s->turns) return thing != NULL && thing->buffer.whole;
    const int result = sfd_loop_session_look_at_memory(sfd_loop_sys(loop), thing->buffer.fd, 0, &file);
    thing = sfd_handles_find(&s->handles, handle, SFD_SESSION_BUFFER);
    if (thing == NULL) return false;
    thing->buffer.looked = s->turns;
    thing->buffer.whole = result == 0 && file.whole;
    return thing->buffer.whole;
}

/* ------------------------------------------------------------------ handles */

void sfd_loop_session_release(struct sfd_loop *loop, struct sfd_session *s, struct sfd_handle *thing)
{
    struct sfd_client_account *account = s->account;
    struct sfd_closer *closer = &loop->context.closer;
    struct sfd_handle gone = *thing; /* its place may be another's after the first call */

    sfd_handles_remove(&s->handles, thing);
    switch (gone.kind) {
    case SFD_SESSION_FILE:
        if (gone.file.source.hot != NULL)
            sfd_hot_source_close(&gone.file.source);
        else
            sfd_closer_take_unknown(closer, &gone.file.source.fd, account);
        break;
    case SFD_SESSION_DESTINATION:
        sfd_destination_close(closer, &gone.destination, account);
        break;
    default:
        (void)sfd_loop_sys(loop)->munmap(gone.buffer.memory, gone.buffer.size);
        sfd_closer_take_file(closer, &gone.buffer.fd, -1, account);
    }
    sfd_client_account_release(account, 1, loop->context.counters);
}

int sfd_loop_session_add_handle(struct sfd_loop *loop, struct sfd_session *s, enum sfd_session_kind kind,
                                uint32_t *handle)
{
    if (sfd_client_account_is_full(s->account)) return -EDQUOT;
    *handle = sfd_handles_add(&s->handles, kind);
    if (*handle == 0) return -ENOMEM;
    sfd_client_account_hold(s->account, 1, loop->context.counters);
    return 0;
}

static int register_destination(struct sfd_loop *loop, struct sfd_session *s, int *fd, uint32_t *handle)
{
    const struct sfd_kernel *kernel = &loop->context.kernel;
    struct sfd_destination destination = {.fd = *fd, .device = -1};
    struct sfd_fd_info info;
    int result = sfd_fd_classify(kernel->sys, *fd, &info);

    if (result == 0 && s->uid != 0 && s->uid != kernel->uid)
        result = sfd_destination_demand_own_peer(kernel, *fd, info.kind, s->uid);
    if (result == 0)
        result = sfd_destination_accept(kernel, loop->context.techniques, loop->context.devices, &info, &destination);
    if (result < 0) return result;
    *fd = -1;
    result = sfd_loop_session_add_handle(loop, s, SFD_SESSION_DESTINATION, handle);
    if (result < 0)
        sfd_destination_close(&loop->context.closer, &destination, s->account);
    else
        sfd_handles_find(&s->handles, *handle, SFD_SESSION_DESTINATION)->destination = destination;
    return result;
}

static int register_file(struct sfd_loop *loop, struct sfd_session *s, int *fd, uint32_t *handle)
{
    struct sfd_hot *hot = sfd_loop_hot(loop, 0);
    struct sfd_hot_source source = {.fd = *fd};
    struct sfd_opened opened;
    bool known = true;
    int result = hot == NULL ? -EAGAIN : sfd_hot_source_adopt(hot, *fd, &source);

    if (result == -EAGAIN) { /* on another device: each request finds out what it is */
        source = (struct sfd_hot_source){.fd = *fd};
        result = sfd_open_descriptor(&loop->context.kernel, fd, true, &opened);
        known = result == 0;
        if (known) source = (struct sfd_hot_source){.fd = opened.fd, .size = opened.size};
        if (result == -EAGAIN) result = 0;
    }
    if (result == 0) result = sfd_loop_session_add_handle(loop, s, SFD_SESSION_FILE, handle);
    if (result < 0) {
        if (*fd < 0) *fd = source.fd;
        return result;
    }
    *fd = -1;
    struct sfd_handle *thing = sfd_handles_find(&s->handles, *handle, SFD_SESSION_FILE);
    thing->file.source = source;
    thing->file.known = known;
    return 0;
}

static int register_buffer(struct sfd_loop *loop, struct sfd_session *s, int *fd, uint32_t *handle)
{
    const struct sfd_sys *sys = sfd_loop_sys(loop);
    struct sfd_session_memory file = {0};
    void *memory = NULL;
    int result = sfd_loop_session_look_at_memory(sys, *fd, F_SEAL_SHRINK | F_SEAL_GROW, &file);

    if (result == 0 && file.size == 0) result = -EINVAL;
    if (result == 0 && file.size > SFD_SESSION_BUFFER_MAX) result = -EFBIG;
    if (result == 0) result = sys->mmap((size_t)file.size, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0, &memory);
    if (result < 0) return result;
    result = sfd_loop_session_add_handle(loop, s, SFD_SESSION_BUFFER, handle);
    if (result < 0) {
        (void)sys->munmap(memory, (size_t)file.size);
        return result;
    }
    struct sfd_handle *thing = sfd_handles_find(&s->handles, *handle, SFD_SESSION_BUFFER);
    thing->buffer.fd = *fd;
    thing->buffer.memory = memory;
    thing->buffer.size = (size_t)file.size;
    thing->buffer.whole = file.whole;
    thing->buffer.looked = s->turns;
    *fd = -1;
    return 0;
}

void sfd_loop_session_register(struct sfd_loop *loop, struct sfd_session *s, uint32_t kind, int fd, uint64_t user_data)
{
    struct sfd_session_completion completion = {.user_data = user_data, .operation = SFD_SESSION_REGISTERED};
    int result = fd < 0 ? fd : -EINVAL;

    if (fd >= 0 && kind == SFD_SESSION_FILE) result = register_file(loop, s, &fd, &completion.handle);
    if (fd >= 0 && kind == SFD_SESSION_DESTINATION) result = register_destination(loop, s, &fd, &completion.handle);
    if (fd >= 0 && kind == SFD_SESSION_BUFFER) result = register_buffer(loop, s, &fd, &completion.handle);
    if (result < 0) {
        completion.handle = 0;
        if (fd >= 0) sfd_closer_take_unknown(&loop->context.closer, &fd, s->account);
    }
    completion.error = (uint32_t)-result;
    sfd_loop_session_complete(s, &completion);
}
