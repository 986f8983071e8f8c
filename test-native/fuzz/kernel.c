/*
 * The kernel of the fuzz targets, see kernel.h. One thread.
 */
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#ifndef SCM_PIDFD
#define SCM_PIDFD 0x04
#endif

struct kernel kernel;

/* ------------------------------------------------------------------ deciding */

/* 0, or one of the errors: an eighth of the time as long as there are bytes. */
static int fault(const int *errors, unsigned count)
{
    if (kernel.quiet || fuzz_u8(&kernel.bytes) < 0xe0) return 0;
    return -errors[fuzz_below(&kernel.bytes, count)];
}

#define FAULT(...) fault((const int[]){__VA_ARGS__}, sizeof((const int[]){__VA_ARGS__}) / sizeof(int))

/* How many of `most` bytes go through: all when the input is used up, 0 when there is no room. */
static uint64_t share(uint64_t most)
{
    const uint8_t how = fuzz_u8(&kernel.bytes);

    if (how < 0x60 || most == 0) return most;
    if (how < 0x80) return 0;
    const uint64_t some = how < 0xc0 ? most * (how - 0x80u) / 0x40u : how - 0xbfu;
    return some == 0 ? 1 : some < most ? some : most;
}

/* ------------------------------------------------------------------ descriptors */

void kernel_reset(const uint8_t *data, size_t size)
{
    kernel.bytes = (struct fuzz_bytes){.at = data, .left = size};
    kernel.quiet = (fuzz_u8(&kernel.bytes) & 3) == 0;
    kernel.zeros = false;
    kernel.epoll = -1;
    kernel.now_ms = 1000000;
    kernel.fd_count = 0;
    kernel.open_count = 0;
    kernel.mappings = 0;
    memset(kernel.dead, 0, sizeof(kernel.dead));
    kernel.first = 0;
    kernel.waiting = 0;
}

bool kernel_is_ours(int fd)
{
    return fd >= KERNEL_FD_BASE;
}

struct kernel_fd *kernel_any(int fd)
{
    FUZZ_CHECK(fd >= KERNEL_FD_BASE);
    FUZZ_CHECK((unsigned)(fd - KERNEL_FD_BASE) < kernel.fd_count);
    return &kernel.fds[fd - KERNEL_FD_BASE];
}

struct kernel_fd *kernel_fd(int fd)
{
    struct kernel_fd *entry = kernel_any(fd);

    FUZZ_CHECK(entry->open); /* R2, D37: used after it was closed */
    return entry;
}

int kernel_new(enum kernel_kind kind)
{
    static const uint64_t sizes[] = {0, 1, 4095, 4096, 4097, 5000, 20000, 65536, 1048577, INT64_MAX};

    if (kernel.fd_count == KERNEL_FDS_MAX) return -1;
    struct kernel_fd *entry = &kernel.fds[kernel.fd_count++];
    *entry = (struct kernel_fd){.kind = kind, .open = true, .dest = -1, .opened = -1};
    entry->flags = kind == KERNEL_FILE || kind == KERNEL_TCP ? O_RDWR : O_WRONLY;
    if (kind == KERNEL_FILE) {
        const uint8_t what = fuzz_u8(&kernel.bytes);
        entry->size = sizes[what % 10];
        entry->hole = what < 0xc0 ? UINT64_MAX : entry->size / 2;
        entry->device = 100 + (what >> 4) % 3;
        if (entry->hole < entry->size) kernel.zeros = true;
    }
    return KERNEL_FD_BASE + (int)kernel.fd_count - 1;
}

void kernel_check_empty(void)
{
    for (unsigned i = 0; i < kernel.fd_count; i++)
        FUZZ_CHECK(!kernel.fds[i].open); /* R2: leaked */
    FUZZ_CHECK(kernel.mappings == 0);
}

/*
 * Of a file without end no more can be read into memory than its last pages: the test would take as long as the file.
 */
static bool readable_at(const struct kernel_fd *file, uint64_t offset)
{
    return file->size < UINT32_MAX || file->size - offset < 65536 || offset >= file->size;
}

uint8_t kernel_byte_at(uint64_t offset)
{
    return (uint8_t)((offset ^ offset >> 8 ^ 0x5a) | 1);
}

static uint8_t byte_at(const struct kernel_fd *file, uint64_t offset)
{
    return offset >= file->hole ? 0 : kernel_byte_at(offset);
}

/* ------------------------------------------------------------------ what is taken */

/* The descriptor that counts the file's bytes which this status channel tells about. */
static const struct kernel_fd *taker_of(const struct kernel_fd *status)
{
    if (status->said.is_read) return status;
    if (status->opened >= 0) {
        const int dest = kernel.opens[status->opened].dest;
        return dest < 0 ? NULL : kernel_any(dest);
    }
    return status->dest < 0 ? NULL : kernel_any(status->dest);
}

static void end_of(struct kernel_fd *status, bool complete)
{
    const struct kernel_fd *taker = taker_of(status);

    status->said.ended = true;
    status->said.complete = complete;
    if (!complete) return;
    FUZZ_CHECK(status->said.info);                                       /* D38 */
    FUZZ_CHECK((taker == NULL ? 0 : taker->taken) == status->said.size); /* R3 */
    FUZZ_CHECK(!status->must_seal || taker == NULL || taker->sealed);
}

static void hear(struct kernel_fd *status, const struct sfd_wire_response *r)
{
    struct kernel_said *said = &status->said;
    const struct kernel_fd *taker = taker_of(status);

    FUZZ_CHECK(!said->ended); /* R3: one terminal message, the last one */
    said->messages++;
    switch (r->kind) {
    case SFD_WIRE_RESPONSE_INFO:
        FUZZ_CHECK(!said->info);
        FUZZ_CHECK(r->info.id != 0 && r->info.id != UINT64_MAX);
        said->info = true;
        said->size = r->info.size;
        if (status->opened >= 0) {
            for (unsigned i = 0; i < kernel.open_count; i++)
                FUZZ_CHECK(kernel.opens[i].id != r->info.id); /* R11 */
            kernel.opens[status->opened].id = r->info.id;
        }
        break;
    case SFD_WIRE_RESPONSE_DETAILS:
        FUZZ_CHECK(!said->info && said->messages == 1 && (r->details.mode & S_IFMT) == S_IFREG);
        break;
    case SFD_WIRE_RESPONSE_PROGRESS:
        FUZZ_CHECK(said->info && !said->is_read);
        said->progress += r->moved;
        FUZZ_CHECK(r->moved > 0 && taker != NULL && (said->progress <= taker->taken || kernel.zeros)); /* a hole */
        break;
    case SFD_WIRE_RESPONSE_COMPLETE:
        end_of(status, true);
        break;
    case SFD_WIRE_RESPONSE_RESULT:
        FUZZ_CHECK(r->result.moved <= said->size);
        FUZZ_CHECK(taker == NULL || r->result.moved <= taker->taken || kernel.zeros);
        end_of(status, r->errnum == 0);
        break;
    case SFD_WIRE_RESPONSE_ERROR:
        FUZZ_CHECK(said->info == (r->cmd == SFD_WIRE_XFER_STAT));
        end_of(status, false);
        break;
    case SFD_WIRE_RESPONSE_REFUSAL:
        FUZZ_CHECK(!said->info);
        end_of(status, false);
        break;
    }
}

/*
 * The file's bytes [taken, taken + count) have arrived in `dest`; *offset: where the caller took them from, if it says.
 */
static void take(struct kernel_fd *dest, uint64_t count, const int64_t *offset)
{
    if (dest->any) return;
    FUZZ_CHECK(!dest->forbidden); /* R11, D13, D20, D24 */
    FUZZ_CHECK(!dest->sealed);
    if (offset != NULL) FUZZ_CHECK((uint64_t)*offset == dest->begin + dest->taken);
    if (dest->opened >= 0 && !dest->is_status) {
        struct kernel_open *opened = &kernel.opens[dest->opened];
        const int self = KERNEL_FD_BASE + (int)(dest - kernel.fds);
        if (opened->dest < 0) opened->dest = self;
        FUZZ_CHECK(opened->dest == self); /* D13: sent once */
    }
    dest->taken += count;
    if (dest->is_status) {
        FUZZ_CHECK(dest->said.is_read && dest->said.info && !dest->said.ended);
        FUZZ_CHECK(dest->taken <= dest->said.size);
    }
}

/* Bytes of memory arrive: messages on a status channel, else the file's. Holes are zeros wherever they are. */
static void take_byte(struct kernel_fd *dest, uint8_t byte)
{
    static const struct kernel_fd solid = {.hole = UINT64_MAX};
    struct kernel_said *said = &dest->said;

    if (dest->any) return;
    if (dest->is_status && !(said->is_read && said->info && dest->taken < said->size && said->part_length == 0)) {
        struct sfd_wire_response response;
        FUZZ_CHECK(said->part_length < sizeof(said->part));
        said->part[said->part_length++] = byte;
        const int n = sfd_wire_get_response(said->part, said->part_length, &response);
        FUZZ_CHECK(n >= 0);
        if (n == 0) return;
        said->part_length = 0;
        hear(dest, &response);
        return;
    }
    FUZZ_CHECK((byte == 0 && kernel.zeros) || byte == byte_at(&solid, dest->begin + dest->taken)); /* R3 */
    take(dest, 1, NULL);
}

static void take_memory(struct kernel_fd *dest, const struct iovec *iov, int count, uint64_t limit)
{
    for (int i = 0; i < count; i++)
        for (size_t n = 0; n < iov[i].iov_len && limit > 0; n++, limit--)
            take_byte(dest, ((const uint8_t *)iov[i].iov_base)[n]);
}

static uint64_t total(const struct iovec *iov, int count)
{
    uint64_t sum = 0;

    for (int i = 0; i < count; i++)
        sum += iov[i].iov_len;
    return sum;
}

/* A file is only written to as long as its client has not been told the end. R17 */
static void check_goes_on(const struct kernel_fd *dest)
{
    for (unsigned i = 0; i < kernel.fd_count; i++) {
        const struct kernel_fd *status = &kernel.fds[i];
        if (status->is_status && !status->said.is_read && taker_of(status) == dest)
            FUZZ_CHECK(status->open && !status->said.ended);
    }
}

/* Bytes come to `offset` of the file `dest`: a hole is what is passed over before. */
static void pass_hole(struct kernel_fd *dest, uint64_t offset)
{
    const uint64_t at = dest->position + dest->taken;

    if (dest->any) return;
    FUZZ_CHECK(offset == at || (offset > at && kernel.zeros)); /* R17 */
    if (offset > at) take(dest, offset - at, NULL);
}

static void grow_to_taken(struct kernel_fd *dest)
{
    const uint64_t at = dest->position + dest->taken;

    if (dest->size < at) dest->size = at;
}

/* Whether `dest` takes bytes at all now: 0 or -errno. */
static int can_take(const struct kernel_fd *dest)
{
    FUZZ_CHECK(dest->kind != KERNEL_DIRECTORY && dest->kind != KERNEL_OTHER); /* R6 */
    if (dest->gone) return dest->kind == KERNEL_TCP ? -ECONNRESET : -EPIPE;
    return 0;
}

/* ------------------------------------------------------------------ files */

static int k_openat2(int dir, const char *path, const struct open_how *how)
{
    if (dir != KERNEL_ROOT_FD) (void)kernel_fd(dir);
    FUZZ_CHECK(path[0] != '\0');
    FUZZ_CHECK((how->flags & O_CLOEXEC) != 0);
    FUZZ_CHECK((how->resolve & RESOLVE_NO_MAGICLINKS) != 0); /* R8 */
    FUZZ_CHECK((how->resolve & (RESOLVE_IN_ROOT | RESOLVE_BENEATH)) != 0);
    FUZZ_CHECK((how->flags & (O_NONBLOCK | O_PATH)) != 0); /* D17 */
    const int error =
        FAULT(ENOENT, EACCES, EAGAIN, EXDEV, EMFILE, ENFILE, ENOMEM, ENXIO, EINTR, EIO, ELOOP, ENOTDIR, ENAMETOOLONG);
    if (error < 0) return error;
    const int fd = kernel_new((how->flags & O_PATH) != 0 ? KERNEL_DIRECTORY : KERNEL_FILE);
    return fd < 0 ? -EMFILE : fd;
}

static int k_statx(int fd, const char *path, int flags, unsigned mask, struct statx *out)
{
    static const struct kernel_fd root = {.kind = KERNEL_DIRECTORY, .device = 100};
    const struct kernel_fd *entry = fd == KERNEL_ROOT_FD ? &root : kernel_fd(fd);

    (void)mask;
    FUZZ_CHECK(path[0] == '\0' && (flags & AT_EMPTY_PATH) != 0);
    const int error = FAULT(ENOMEM, EIO, EACCES);
    if (error < 0) return error;
    memset(out, 0, sizeof(*out));
    out->stx_size = entry->size;
    out->stx_nlink = (fd & 1) != 0 ? 1 : 0;
    out->stx_ino = (unsigned)fd;
    out->stx_dev_major = (unsigned)entry->device % 2; /* 0: made up by a file system */
    out->stx_dev_minor = (unsigned)entry->device;
    switch (entry->kind) {
    case KERNEL_FILE:
        out->stx_mode = S_IFREG | 0644;
        break;
    case KERNEL_DIRECTORY:
        out->stx_mode = S_IFDIR | 0755;
        break;
    case KERNEL_NULL:
        out->stx_mode = S_IFCHR | 0666;
        out->stx_rdev_major = 1;
        out->stx_rdev_minor = 3;
        break;
    default:
        out->stx_mode = S_IFIFO | 0600;
    }
    return 0;
}

static int k_fstatfs_type(int fd, uint64_t *type)
{
    static const uint64_t types[] = {EXT4_SUPER_MAGIC, TMPFS_MAGIC, 0x65735546 /* FUSE */, 0x58465342 /* XFS */,
                                     NFS_SUPER_MAGIC};

    if (kernel_is_ours(fd)) (void)kernel_fd(fd);
    const int error = FAULT(ENOSYS, EIO, ENOMEM);
    if (error == 0) *type = types[fuzz_below(&kernel.bytes, 5)];
    return error;
}

static int k_close(int fd)
{
    if (!kernel_is_ours(fd)) return close(fd) == 0 ? 0 : -EBADF;
    struct kernel_fd *entry = kernel_fd(fd);
    FUZZ_CHECK(!entry->registered); /* the client's copy would go on firing: D14, D27 */
    entry->open = false;
    return FAULT(EINTR, EIO, ENOSPC);
}

static int k_fadvise(int fd, uint64_t offset, uint64_t length, int advice)
{
    (void)offset;
    (void)length;
    (void)advice;
    (void)kernel_fd(fd);
    return FAULT(ENOMEM, EINVAL, EINTR);
}

static int k_cachestat(int fd, const struct sfd_cachestat_range *range, struct sfd_cachestat *out)
{
    (void)kernel_fd(fd);
    const int error = FAULT(ENOSYS, EOPNOTSUPP, EINTR);
    if (error < 0) return error;
    memset(out, 0, sizeof(*out));
    if (fuzz_u8(&kernel.bytes) < 0xa0) out->nr_cache = range->length / 4096 + 2;
    return 0;
}

static int k_lock(int fd, uint64_t offset, uint64_t length)
{
    FUZZ_CHECK(length > 0 && offset + length > offset); /* R12 */
    (void)kernel_fd(fd);
    return FAULT(EAGAIN, EACCES, ENOLCK, EINTR, EINVAL, ENOMEM, EOPNOTSUPP);
}

static int64_t k_lseek(int fd, int64_t offset, int whence)
{
    struct kernel_fd *entry = kernel_fd(fd);
    const int error = FAULT(EINVAL, ESPIPE, EIO);

    if (error < 0) return error;
    switch (whence) {
    case SEEK_DATA:
        FUZZ_CHECK(offset >= 0);
        return (uint64_t)offset >= entry->size || (uint64_t)offset >= entry->hole ? -ENXIO : offset;
    case SEEK_HOLE:
        FUZZ_CHECK(offset >= 0);
        if ((uint64_t)offset >= entry->size) return -ENXIO;
        return (int64_t)(entry->hole < entry->size ? entry->hole : entry->size);
    case SEEK_SET: /* a copy has ended */
        check_goes_on(entry);
        FUZZ_CHECK(entry->any || (uint64_t)offset == entry->position + entry->taken || kernel.zeros);
        return offset;
    default:
        FUZZ_CHECK(whence == SEEK_CUR && offset == 0);
        return (int64_t)entry->position;
    }
}

static int k_fallocate(int fd, int mode, uint64_t offset, uint64_t length)
{
    struct kernel_fd *entry = kernel_fd(fd);

    FUZZ_CHECK(length > 0 && offset <= INT64_MAX && length <= INT64_MAX - offset); /* R12 */
    const int error = FAULT(EOPNOTSUPP, ENOSYS, ENOSPC, EFBIG, EINTR, EIO);
    check_goes_on(entry);
    if (error < 0) return error;
    if (mode == 0 && offset + length > entry->size) entry->size = offset + length;
    if (offset + length > entry->position + entry->taken) pass_hole(entry, offset + length);
    return 0;
}

static int k_mmap(size_t length, int protection, int flags, int fd, uint64_t offset, void **out)
{
    const struct kernel_fd *file = kernel_fd(fd);

    FUZZ_CHECK(protection == PROT_READ && (flags & MAP_SHARED) != 0);
    FUZZ_CHECK(offset % 4096 == 0 && length > 0);
    const int error = FAULT(ENOMEM, EAGAIN, ENODEV, EACCES, ENFILE);
    if (error < 0) return error;
    if (!readable_at(file, offset)) return -ENOMEM;
    uint8_t *bytes = malloc(length);
    FUZZ_CHECK(bytes != NULL);
    for (size_t i = 0; i < length; i++)
        bytes[i] = offset + i < file->size ? byte_at(file, offset + i) : 0;
    kernel.mappings++;
    *out = bytes;
    return 0;
}

static int k_munmap(void *address, size_t length)
{
    (void)length;
    FUZZ_CHECK(kernel.mappings > 0);
    kernel.mappings--;
    free(address);
    return 0;
}

/* ------------------------------------------------------------------ bytes */

static int64_t k_preadv2(int fd, const struct iovec *iov, int count, int64_t offset, int flags)
{
    const struct kernel_fd *file = kernel_fd(fd);
    uint64_t limit;

    FUZZ_CHECK(offset >= 0 && file->kind == KERNEL_FILE); /* R6, R12 */
    const int error = FAULT(EIO, EINTR, ENOMEM, EOPNOTSUPP, EAGAIN);
    if (error < 0) return error;
    if ((flags & RWF_NOWAIT) != 0 && fuzz_u8(&kernel.bytes) >= 0xa0) return -EAGAIN;
    if (!readable_at(file, (uint64_t)offset)) return -EIO;
    if ((uint64_t)offset >= file->size) return 0;
    limit = file->size - (uint64_t)offset;
    if (limit > total(iov, count)) limit = total(iov, count);
    limit = share(limit);
    if (limit == 0) limit = 1;
    uint64_t done = 0;
    for (int i = 0; i < count; i++)
        for (size_t n = 0; n < iov[i].iov_len && done < limit; n++, done++)
            ((uint8_t *)iov[i].iov_base)[n] = byte_at(file, (uint64_t)offset + done);
    return (int64_t)done;
}

static int64_t k_pwritev2(int fd, const struct iovec *iov, int count, int64_t offset, int flags)
{
    struct kernel_fd *dest = kernel_fd(fd);
    uint64_t n = total(iov, count);

    (void)flags;
    FUZZ_CHECK((offset >= 0) == (dest->kind == KERNEL_FILE && (dest->flags & O_APPEND) == 0) && n > 0); /* R17 */
    FUZZ_CHECK(dest->kind != KERNEL_TCP && dest->kind != KERNEL_UNIX);
    if (dest->kind == KERNEL_FILE) check_goes_on(dest);
    int error = can_take(dest);
    if (error == 0) error = FAULT(EAGAIN, ENOMEM, ENOBUFS, EINTR, ENOSPC, EIO, EPIPE, EOPNOTSUPP, EFAULT);
    if (error < 0) return error;
    const bool atomic = dest->kind == KERNEL_PIPE && n <= 4096;
    const uint64_t some = share(n);
    if (dest->kind == KERNEL_PIPE && (some == 0 || (atomic && some < n))) {
        dest->full = true;
        return -EAGAIN;
    }
    n = some == 0 ? n : some;
    if (offset >= 0) pass_hole(dest, (uint64_t)offset);
    take_memory(dest, iov, count, n);
    if (offset >= 0 || (dest->flags & O_APPEND) == 0)
        grow_to_taken(dest);
    else
        dest->size += n;
    return (int64_t)n;
}

static int64_t k_send(int fd, const void *bytes, size_t length, int flags)
{
    struct kernel_fd *dest = kernel_fd(fd);
    const struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length};

    FUZZ_CHECK(dest->kind == KERNEL_TCP || dest->kind == KERNEL_UNIX);
    FUZZ_CHECK((flags & MSG_DONTWAIT) != 0 && (flags & MSG_NOSIGNAL) != 0); /* R5 */
    int error = can_take(dest);
    if (error == 0) error = FAULT(EAGAIN, ENOMEM, ENOBUFS, EINTR, ECONNRESET, EPIPE, EFAULT);
    if (error < 0) return error;
    const uint64_t n = share(length);
    if (n == 0) return -EAGAIN;
    take_memory(dest, &iov, 1, n);
    return (int64_t)n;
}

/* From a file at *offset: how many bytes, or -errno. */
static int64_t from_file(int in, const int64_t *offset, size_t count)
{
    const struct kernel_fd *file = kernel_fd(in);

    FUZZ_CHECK(file->kind == KERNEL_FILE && *offset >= 0 && count > 0); /* R6, R12 */
    const int error = FAULT(EAGAIN, EINTR, EIO, ENOMEM, ENOSPC, EINVAL, EPIPE, EXDEV, EBADF, EPERM);
    if (error < 0) return error;
    if ((uint64_t)*offset >= file->size) return 0;
    const uint64_t rest = file->size - (uint64_t)*offset;
    const uint64_t n = share(count < rest ? count : rest);
    return n == 0 ? -EAGAIN : (int64_t)n;
}

static int64_t move_bytes(int out, int in, int64_t *offset, size_t count)
{
    struct kernel_fd *dest = kernel_fd(out);
    const int error = can_take(dest);
    const int64_t n = error < 0 ? error : from_file(in, offset, count);

    if (n > 0) {
        take(dest, (uint64_t)n, offset);
        grow_to_taken(dest);
        *offset += n;
    }
    return n;
}

static int64_t k_sendfile(int out, int in, int64_t *offset, size_t count)
{
    if (out != KERNEL_NULL_FD) return move_bytes(out, in, offset, count);
    const int64_t n = from_file(in, offset, count); /* a load */
    if (n > 0) *offset += n;
    return n == -EAGAIN ? -EINTR : n;
}

static int64_t k_splice(int in, int64_t *offset, int out, size_t count, unsigned flags)
{
    FUZZ_CHECK((flags & SPLICE_F_NONBLOCK) != 0 && kernel_fd(out)->kind == KERNEL_PIPE); /* R5 */
    struct kernel_fd *pipe = kernel_fd(out);
    if (!pipe->is_ours) return move_bytes(out, in, offset, count);
    const int64_t n = from_file(in, offset, count < 65536 ? count : 65536);
    if (n > 0) {
        FUZZ_CHECK(pipe->held == 0); /* what a copy has left there would come first */
        pipe->held = (uint64_t)n;
        pipe->held_from = *offset;
        *offset += n;
    }
    return n;
}

static int64_t k_splice_out(int pipe, int out, int64_t *offset, size_t count)
{
    struct kernel_fd *from = kernel_fd(pipe + 1); /* the end that has been written to */
    struct kernel_fd *dest = kernel_fd(out);

    FUZZ_CHECK(from->is_ours && dest->kind == KERNEL_FILE && (dest->flags & O_APPEND) == 0);
    FUZZ_CHECK(count > 0 && count <= from->held);
    check_goes_on(dest);
    int error = can_take(dest);
    if (error == 0) error = FAULT(EINTR, EIO, ENOMEM, ENOSPC, EINVAL, EPERM, EBADF);
    if (error < 0) return error;
    pass_hole(dest, (uint64_t)*offset);
    uint64_t n = share(count);
    if (n == 0) n = 1;
    take(dest, n, &from->held_from);
    grow_to_taken(dest);
    from->held -= n;
    from->held_from += (int64_t)n;
    *offset += (int64_t)n;
    return (int64_t)n;
}

static int64_t k_copy_file_range(int in, int64_t *offset, int out, int64_t *out_offset, size_t count)
{
    struct kernel_fd *dest = kernel_fd(out);

    FUZZ_CHECK(dest->kind == KERNEL_FILE && (dest->flags & O_APPEND) == 0);
    check_goes_on(dest);
    pass_hole(dest, (uint64_t)*out_offset);
    const int64_t n = move_bytes(out, in, offset, count);
    if (n > 0) *out_offset += n;
    return n;
}

/* ------------------------------------------------------------------ descriptors and sockets */

static bool is_socket(const struct kernel_fd *entry)
{
    return entry->kind == KERNEL_TCP || entry->kind == KERNEL_UNIX;
}

/* Each time what it likes: somebody else may seal it at any time. */
static int get_seals(const struct kernel_fd *entry)
{
    const uint8_t what = fuzz_u8(&kernel.bytes);

    if (entry->kind != KERNEL_FILE || (what > 0 && what < 0x40)) return -EINVAL;
    if (what >= 0xf0) return F_SEAL_WRITE;
    return what >= 0xe0 ? F_SEAL_SEAL : 0;
}

static int add_seals(struct kernel_fd *entry, int seals)
{
    const uint8_t what = fuzz_u8(&kernel.bytes);

    FUZZ_CHECK(entry->kind == KERNEL_FILE);
    check_goes_on(entry);
    FUZZ_CHECK(seals == (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE));
    if (what >= 0xe0) return -EBUSY;
    if (what >= 0xc0) return -ENOMEM;
    if (what >= 0xb0) return -EPERM;
    entry->sealed = true;
    return 0;
}

static int k_fcntl(int fd, int command, int64_t argument)
{
    if (command == F_DUPFD_CLOEXEC) return -EMFILE; /* a loop's spare descriptor: it has none */
    struct kernel_fd *entry = kernel_fd(fd);

    switch (command) {
    case F_GETFL:
        if (fuzz_u8(&kernel.bytes) >= 0xd0) entry->flags ^= O_NONBLOCK; /* the client's: D18 */
        return entry->flags;
    case F_GETPIPE_SZ:
        return entry->kind == KERNEL_PIPE ? 65536 : -EBADF;
    case F_SETPIPE_SZ:
        return entry->kind == KERNEL_PIPE && argument < 1 << 20 ? (int)argument : -EPERM;
    case F_GET_SEALS:
        return get_seals(entry);
    case F_ADD_SEALS:
        return add_seals(entry, (int)argument);
    default:
        FUZZ_FAIL("a command that nobody uses");
    }
}

/* A copy's, that it splices through. */
static int k_pipe2(int ends[2], int flags)
{
    FUZZ_CHECK((flags & O_CLOEXEC) != 0); /* R2 */
    const int error = FAULT(EMFILE, ENFILE, ENOMEM);
    if (error < 0) return error;
    if (kernel.fd_count + 2 > KERNEL_FDS_MAX) return -EMFILE;
    for (int i = 0; i < 2; i++) {
        ends[i] = kernel_new(KERNEL_PIPE);
        kernel_fd(ends[i])->is_ours = true;
    }
    return 0;
}

static bool is_dead(int pid)
{
    return pid < KERNEL_PID_BASE || pid >= KERNEL_PID_BASE + KERNEL_PIDS || kernel.dead[pid - KERNEL_PID_BASE];
}

void kernel_end_process(unsigned index)
{
    kernel.dead[index % KERNEL_PIDS] = true;
    for (unsigned i = 0; i < kernel.fd_count; i++)
        kernel.fds[i].must_answer = false;
}

static int k_pidfd_open(int pid)
{
    const int error = FAULT(EMFILE, ENFILE, ENOMEM, EPERM);
    if (error < 0) return error;
    if (is_dead(pid)) return -ESRCH;
    const int fd = kernel_new(KERNEL_PIDFD);
    if (fd < 0) return -EMFILE;
    kernel_fd(fd)->pid = pid;
    return fd;
}

static int k_getsockopt_int(int fd, int level, int name, int *out)
{
    const struct kernel_fd *entry = kernel_fd(fd);

    FUZZ_CHECK(level == SOL_SOCKET);
    if (!is_socket(entry)) return -ENOTSOCK;
    *out = name == SO_TYPE ? SOCK_STREAM : entry->kind == KERNEL_TCP ? AF_INET : AF_UNIX;
    return 0;
}

static int k_peer_uid(int fd, uint32_t *out)
{
    (void)kernel_fd(fd);
    *out = 1000; /* the client's own, kernel_datagram */
    return FAULT(ENOMEM);
}

static int k_get_linger(int fd, struct linger *out)
{
    const struct kernel_fd *entry = kernel_fd(fd);

    *out = (struct linger){.l_onoff = entry->linger, .l_linger = 5};
    return FAULT(ENOMEM);
}

static int k_set_linger(int fd, const struct linger *value)
{
    FUZZ_CHECK(value->l_onoff == 0);
    kernel_fd(fd)->linger = false;
    return 0;
}

static int k_get_unread(int fd, int *out)
{
    *out = kernel_fd(fd)->linger ? 1 : 0;
    return FAULT(ENOMEM);
}

struct kernel_datagram *kernel_send(void)
{
    if (kernel.waiting == 16) return NULL;
    struct kernel_datagram *datagram = &kernel.queue[(kernel.first + kernel.waiting++) % 16];
    datagram->length = 0;
    datagram->fd_count = 0;
    datagram->pid = 100;
    datagram->uid = 1000;
    datagram->pidfd = 0;
    datagram->anonymous = false;
    datagram->extra = 0;
    return datagram;
}

/* One control message behind the others. False when it had no room; `length` bytes of it may have had. */
static bool put_control(struct msghdr *header, size_t *used, int type, const void *data, size_t length)
{
    const size_t room = header->msg_controllen - *used;

    if (room < CMSG_LEN(length)) return false;
    struct cmsghdr *control = (struct cmsghdr *)(void *)((char *)header->msg_control + *used);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = type;
    control->cmsg_len = CMSG_LEN(length);
    memcpy(CMSG_DATA(control), data, length);
    *used += CMSG_SPACE(length) < room ? CMSG_SPACE(length) : room;
    return true;
}

static void lose(const struct kernel_datagram *datagram, unsigned from)
{
    for (unsigned i = from; i < datagram->fd_count; i++)
        kernel_fd(datagram->fds[i])->open = false;
}

/* Descriptors that find no room, or no number in a full table, are lost: unix(7), MSG_CTRUNC. */
static void put_rights(struct msghdr *header, size_t *used, const struct kernel_datagram *datagram)
{
    unsigned count = datagram->fd_count;

    if (count == 0) return;
    if (!kernel.quiet && fuzz_u8(&kernel.bytes) >= 0xf0) count = fuzz_below(&kernel.bytes, count);
    if (count < datagram->fd_count) header->msg_flags |= MSG_CTRUNC;
    lose(datagram, count);
    if (count > 0 && !put_control(header, used, SCM_RIGHTS, datagram->fds, count * sizeof(int))) {
        header->msg_flags |= MSG_CTRUNC;
        for (unsigned i = 0; i < count; i++)
            kernel_fd(datagram->fds[i])->open = false;
    }
}

static void deliver(const struct kernel_datagram *datagram, struct mmsghdr *message)
{
    struct msghdr *header = &message->msg_hdr;
    const struct ucred peer = {.pid = datagram->pid, .uid = datagram->uid, .gid = 7};
    const size_t room = header->msg_iov[0].iov_len;
    const size_t length = datagram->length < room ? datagram->length : room;
    size_t used = 0;

    FUZZ_CHECK(header->msg_iovlen == 1);
    memcpy(header->msg_iov[0].iov_base, datagram->bytes, length);
    message->msg_len = (unsigned)length;
    header->msg_flags = MSG_CMSG_CLOEXEC | (length < datagram->length ? MSG_TRUNC : 0);
    if ((datagram->extra & 1) != 0) put_control(header, &used, SO_TIMESTAMP, "12345678", 8);
    if (!datagram->anonymous) put_control(header, &used, SCM_CREDENTIALS, &peer, sizeof(peer));
    if ((datagram->extra & 2) != 0) put_control(header, &used, SCM_CREDENTIALS, &peer, 4);
    put_rights(header, &used, datagram);
    /* The last one, as scm_recv_unix has it; without room for it, it is closed again. */
    if (datagram->pidfd != 0 && !put_control(header, &used, SCM_PIDFD, &datagram->pidfd, sizeof(int))) {
        header->msg_flags |= MSG_CTRUNC;
        if (datagram->pidfd > 0) kernel_fd(datagram->pidfd)->open = false;
    }
    header->msg_controllen = used;
}

static int k_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    unsigned n = 0;

    FUZZ_CHECK(fd == KERNEL_REQUEST_FD);
    FUZZ_CHECK((flags & MSG_CMSG_CLOEXEC) != 0 && (flags & MSG_DONTWAIT) != 0); /* R2 */
    const int error = FAULT(EAGAIN, ENOBUFS, ENOMEM, EINTR, EMFILE);
    if (error < 0) return error;
    if (kernel.waiting == 0) return -EAGAIN;
    for (; n < count && kernel.waiting > 0; n++) {
        deliver(&kernel.queue[kernel.first % 16], &messages[n]);
        kernel.first++;
        kernel.waiting--;
    }
    return (int)n;
}

/* ------------------------------------------------------------------ waiting */

static int request_socket(int epoll, int operation)
{
    const bool was = kernel.epoll == epoll;

    if (operation == EPOLL_CTL_DEL) {
        if (was) kernel.epoll = -1;
        return was ? 0 : -ENOENT;
    }
    if (was) return -EEXIST;
    const int error = FAULT(ENOMEM, ENOSPC);
    if (error == 0) kernel.epoll = epoll;
    return error;
}

static int k_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    if (fd == KERNEL_REQUEST_FD) return request_socket(epoll, operation);
    if (!kernel_is_ours(fd)) return 0; /* the mailbox: it is looked at in each turn */
    struct kernel_fd *entry = kernel_fd(fd);
    if (operation == EPOLL_CTL_DEL) {
        const bool was = entry->registered;
        entry->registered = entry->armed = false;
        return was ? 0 : -ENOENT;
    }
    if (entry->kind == KERNEL_FILE || entry->kind == KERNEL_NULL) return -EPERM;
    if (operation == EPOLL_CTL_ADD && entry->registered) return -EEXIST;
    if (operation == EPOLL_CTL_MOD && !entry->registered) return -ENOENT;
    const int error = operation == EPOLL_CTL_ADD ? FAULT(ENOMEM, ENOSPC) : 0;
    if (error < 0) return error;
    FUZZ_CHECK((event->events & EPOLLONESHOT) != 0 || entry->kind == KERNEL_PIDFD);
    FUZZ_CHECK(!entry->registered || entry->epoll == epoll);
    entry->epoll = epoll;
    entry->registered = entry->armed = true;
    entry->events = event->events;
    entry->data = event->data.u64;
    return 0;
}

static int k_epoll_wait(int epoll, struct epoll_event *events, int count, int timeout_ms)
{
    int n = 0;

    const int error = FAULT(EINTR);
    if (error < 0) return 0;
    if (kernel.waiting > 0 && kernel.epoll == epoll) events[n++] = (struct epoll_event){EPOLLIN, {.u64 = UINT64_MAX}};
    for (unsigned i = 0; i < kernel.fd_count && n < count; i++) {
        struct kernel_fd *entry = &kernel.fds[i];
        if (entry->kind == KERNEL_PIDFD && entry->armed && entry->epoll == epoll && is_dead(entry->pid))
            events[n++] = (struct epoll_event){EPOLLIN, {.u64 = entry->data}}; /* as long as it is watched */
        const uint32_t gone = entry->gone ? EPOLLERR | EPOLLOUT : 0;
        if (!entry->armed || entry->epoll != epoll || (gone == 0 && (entry->events & EPOLLOUT) == 0)) continue;
        if (fuzz_u8(&kernel.bytes) >= 0xc0) continue;
        entry->armed = false;
        events[n++] = (struct epoll_event){gone | (entry->events & EPOLLOUT), {.u64 = entry->data}};
    }
    if (n == 0 && timeout_ms > 0) kernel.now_ms += (uint64_t)timeout_ms;
    return n;
}

static uint64_t k_now_ms(void)
{
    return kernel.now_ms;
}

static uint64_t k_now_ns(void)
{
    return kernel.now_ms * 1000000;
}

const struct sfd_sys kernel_sys = {
    .openat = sfd_sys_openat,
    .openat2 = k_openat2,
    .statx = k_statx,
    .fstatfs_type = k_fstatfs_type,
    .close = k_close,
    .fadvise = k_fadvise,
    .cachestat = k_cachestat,
    .ofd_read_lock = k_lock,
    .ofd_test_read_lock = k_lock,
    .lseek = k_lseek,
    .fallocate = k_fallocate,
    .mmap = k_mmap,
    .munmap = k_munmap,
    .preadv2 = k_preadv2,
    .pwritev2 = k_pwritev2,
    .sendfile = k_sendfile,
    .splice = k_splice,
    .splice_out = k_splice_out,
    .copy_file_range = k_copy_file_range,
    .fcntl = k_fcntl,
    .pipe2 = k_pipe2,
    .pidfd_open = k_pidfd_open,
    .getsockopt_int = k_getsockopt_int,
    .get_linger = k_get_linger,
    .peer_uid = k_peer_uid,
    .set_linger = k_set_linger,
    .get_unread = k_get_unread,
    .recvmmsg = k_recvmmsg,
    .send = k_send,
    .epoll_ctl = k_epoll_ctl,
    .epoll_wait = k_epoll_wait,
    .now_ms = k_now_ms,
    .now_ns = k_now_ns,
};
