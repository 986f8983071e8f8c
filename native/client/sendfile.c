/*
 * sfd_sendfile(): see <sendfiled/sendfiled.h>.
 *
 * Role: sendfile(2) in windows. Each is asked for in the page cache first; what is not there the daemon loads, by a
 * Send Descriptor to /dev/null, while this thread sleeps. All bytes are moved by the real sendfile(2) in the caller's
 * thread, so that counts, positions, errors and signals are its own: if the daemon moved them, nobody could tell how
 * many had been moved when a signal ends the call. Thread: any; no state. Owns a status channel during a call.
 */
#include <sendfiled/sendfiled.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk/residency.h"
#include "sys/fd.h"
#include "sys/sys.h"

/* A window is asked for, and then moved: what is evicted between the two waits for the disk. */
#define WINDOW_BYTES ((size_t)256 * 1024)

/* One request loads so much ahead of the destination, which may be slow, or gone. */
#define LOAD_BYTES ((uint64_t)4 * 1024 * 1024)

/* sendfile(2) moves no more in one call. */
#define CALL_BYTES_MAX ((size_t)0x7ffff000)

/* A part of the file that the daemon loads. */
struct load {
    int status; /* -1: none is under way */
    struct sfd_events events;
    uint64_t from;
    uint64_t loaded; /* what is between `from` and this offset is in the page cache */
};

struct call {
    int srv;
    int out;
    int in;
    uint64_t size; /* of the file, when the call began */
    bool alone;    /* the daemon cannot help: what is missing is waited for here */
    struct load load;
};

static bool is_file(int fd, uint64_t *size)
{
    struct statx st;

    /* As far as memory knows: fstat(2) may wait for the file's server. */
    if (sfd_sys_linux.statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_SIZE, &st) < 0) return false;
    *size = st.stx_size;
    return S_ISREG(st.stx_mode);
}

static bool is_resident(int in, uint64_t at, uint64_t length)
{
    /* Nothing is probed beforehand: a kernel that does not know a call says so. */
    const struct sfd_kernel kernel = {.sys = &sfd_sys_linux, .null_fd = -1, .cachestat = true};

    /* A file in memory has seals, and in older kernels no RWF_NOWAIT. */
    return sfd_residency_probe(&kernel, SFD_MEDIUM_LOCAL, in, at, length) == length || fcntl(in, F_GET_SEALS) >= 0;
}

static void end_load(struct load *load)
{
    sfd_fd_close(&sfd_sys_linux, &load->status); /* which cancels it, unless it is over */
}

/* Asks the daemon for a part of the file. The status channel or -errno. Waits while the daemon's queue is full. */
static int submit_load(const struct call *call, int null, uint64_t at, uint64_t length)
{
    const struct sfd_options exact = {.version = 2};
    struct pollfd queue = {.fd = call->srv, .events = POLLOUT};

    for (;;) {
        const int status = sfd_send_fd(call->srv, call->in, null, (off_t)at, (size_t)length, false, &exact);

        if (status >= 0) return status;
        if (errno != EAGAIN || poll(&queue, 1, -1) < 0) return -errno;
    }
}

/* 0 or -errno. */
static int begin_load(struct call *call, uint64_t at, uint64_t length)
{
    struct load *load = &call->load;
    off_t from = (off_t)at;

    /* What cannot be sent is not loaded: of nothing, sendfile(2) checks all but the bytes. */
    if (sendfile(call->out, call->in, &from, 0) < 0) return -errno;
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null < 0) return -errno;
    const int status = submit_load(call, null, at, length);
    sfd_fd_close(&sfd_sys_linux, &null);
    if (status < 0) return status;
    *load = (struct load){.status = status, .from = at, .loaded = at};
    sfd_events_init(&load->events, SFD_EVENTS_OF_SEND);
    return 0;
}

/*
 * Waits for messages of the daemon: 0 or -errno. In read(2), which goes on after a signal whose handler has SA_RESTART,
 * as sendfile(2) does; poll(2) never does.
 */
static int await_messages(struct load *load)
{
    char bytes[512];
    struct sfd_event event;
    const ssize_t count = read(load->status, bytes, sizeof bytes);

    if (count < 0) return -errno;
    if (count == 0) return -ECONNABORTED;
    for (const char *at = bytes; at < bytes + count;) {
        at += sfd_events_feed(&load->events, at, (size_t)(bytes + count - at), &event);
        if (event.type == SFD_EVENT_FAILED) return -event.error;
        if (event.type == SFD_EVENT_NONE) continue;
        load->loaded = load->from + event.moved;
        if (event.type == SFD_EVENT_COMPLETE) end_load(load);
    }
    return 0;
}

/* Waits until that part of the file is in the page cache. 0; -EINTR; or another -errno: the daemon cannot help. */
static int await_window(struct call *call, uint64_t at, uint64_t length)
{
    struct load *load = &call->load;
    int result = 0;

    for (bool asked = false; load->from > at || at + length > load->loaded;) {
        if (load->status < 0) {
            if (asked) return -ENODATA; /* it says that all is loaded, and how much that was: not so much */
            if (is_resident(call->in, at, length)) return 0;
            const uint64_t ahead = length > LOAD_BYTES ? length : LOAD_BYTES;
            const uint64_t rest = call->size - at;
            result = begin_load(call, at, ahead < rest ? ahead : rest);
            asked = true;
        }
        if (result == 0) result = await_messages(load);
        if (result < 0) return result;
    }
    return 0;
}

/* sendfile(2), as soon as it need not wait for the disk. */
static ssize_t move_window(struct call *call, off_t *offset, size_t length)
{
    const int64_t at = offset != NULL ? *offset : lseek(call->in, 0, SEEK_CUR);

    /* At the end there is no disk to wait for, and what is wrong with the arguments it tells itself. */
    if (length == 0 || call->alone || at < 0 || (uint64_t)at >= call->size)
        return sendfile(call->out, call->in, offset, length);
    const uint64_t rest = call->size - (uint64_t)at;
    const size_t window = length < rest ? length : (size_t)rest;
    const int result = await_window(call, (uint64_t)at, window);
    if (result == -EINTR) {
        errno = EINTR;
        return -1;
    }
    call->alone = result < 0;
    return sendfile(call->out, call->in, offset, window);
}

/*
 * How many bytes one sendfile(2) is asked for. A pipe gets what it has room for by one call, also if it is blocking and
 * there is more: a second call would wait for a reader, who may be this very thread.
 */
static size_t window_of(int out, size_t *count)
{
    const int room = *count > WINDOW_BYTES ? fcntl(out, F_GETPIPE_SZ) : -1;

    if (room <= 0) return WINDOW_BYTES;
    if (*count > (size_t)room) *count = (size_t)room;
    return *count;
}

ssize_t sfd_sendfile(int srv_sockfd, int out_fd, int in_fd, off_t *offset, size_t count)
{
    struct call call = {.srv = srv_sockfd, .out = out_fd, .in = in_fd, .load = {.status = -1}};
    size_t moved = 0;

    if (srv_sockfd < 0 || count > SSIZE_MAX || !is_file(in_fd, &call.size))
        return sendfile(out_fd, in_fd, offset, count);
    if (count > CALL_BYTES_MAX) count = CALL_BYTES_MAX;
    const size_t window = window_of(out_fd, &count);
    for (;;) {
        const size_t asked = count - moved < window ? count - moved : window;
        const ssize_t n = move_window(&call, offset, asked);
        if (n > 0) moved += (size_t)n;
        if (n == (ssize_t)asked && moved < count) continue;
        const int error = errno;
        end_load(&call.load);
        errno = error;
        return moved > 0 ? (ssize_t)moved : n;
    }
}
