/*
 * Destinations: accepting, writing, closing, by type.
 */
#include "transfer/destination.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "sys/pipe.h"

#define BIT SFD_TECHNIQUE_BIT

/* Techniques that write memory fit every destination. */
#define FITS_MEMORY (BIT(SFD_TECHNIQUE_MMAP) | BIT(SFD_TECHNIQUE_READ_WRITE))

static uint32_t fits_device(enum sfd_fd_device device)
{
    switch (device) {
    case SFD_FD_DEVICE_NULL:
        return FITS_MEMORY | BIT(SFD_TECHNIQUE_SENDFILE);
    case SFD_FD_DEVICE_FULL: /* no splice_write: sendfile gives EINVAL where a write gives ENOSPC */
    case SFD_FD_DEVICE_TERMINAL:
        return FITS_MEMORY;
    default:
        return 0;
    }
}

uint32_t sfd_destination_type_fits(const struct sfd_fd_info *info)
{
    /* With O_APPEND sendfile(2) gives EINVAL for every descriptor but a pipe, and copy_file_range(2) gives EBADF. */
    const uint32_t sendfile = info->append ? 0 : BIT(SFD_TECHNIQUE_SENDFILE);

    switch (info->kind) {
    case SFD_FD_TCP:
    case SFD_FD_UNIX_STREAM:
        return FITS_MEMORY | (info->nonblock ? sendfile : 0);
    case SFD_FD_UNIX_SEQPACKET: /* sendfile(2) would choose the size of the records, by kernel and by page */
        return FITS_MEMORY;
    case SFD_FD_PIPE:
        return FITS_MEMORY | (info->nonblock ? BIT(SFD_TECHNIQUE_SENDFILE) : 0) | BIT(SFD_TECHNIQUE_SPLICE);
    case SFD_FD_REGULAR:
        return FITS_MEMORY | sendfile | (info->append ? 0 : BIT(SFD_TECHNIQUE_COPY_FILE_RANGE));
    case SFD_FD_CHAR:
        return fits_device(info->device) & (FITS_MEMORY | sendfile);
    default:
        return 0;
    }
}

/* Other processes, often a whole session, share the terminal's O_NONBLOCK; ours is set on a description of our own. */
static int own_terminal(const struct sfd_kernel *kernel, int *fd)
{
    const int own = sfd_fd_reopen(kernel->sys, *fd, O_WRONLY | O_NONBLOCK | O_NOCTTY);

    if (own < 0) return own;
    sfd_fd_close(kernel->sys, fd); /* not the last close of the terminal: ours is open */
    *fd = own;
    return 0;
}

/* Whether it is a memory file whose seals forbid writing. */
static bool is_sealed(const struct sfd_kernel *kernel, int fd)
{
    const int seals = kernel->sys->fcntl(fd, F_GET_SEALS, 0); /* EINVAL for most files */

    return seals > 0 && (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) != 0;
}

int sfd_destination_can_seal(const struct sfd_kernel *kernel, int fd)
{
    const int seals = kernel->sys->fcntl(fd, F_GET_SEALS, 0);

    if (seals < 0) return -EINVAL;
    return (seals & F_SEAL_SEAL) != 0 ? -EPERM : 0;
}

int sfd_destination_seal(const struct sfd_kernel *kernel, int fd)
{
    return kernel->sys->fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
}

int sfd_destination_demand_own_peer(const struct sfd_kernel *kernel, int fd, enum sfd_fd_kind kind, uint32_t uid)
{
    uint32_t peer = UINT32_MAX;

    if (kind != SFD_FD_UNIX_STREAM && kind != SFD_FD_UNIX_SEQPACKET) return 0;
    const int result = kernel->sys->peer_uid(fd, &peer);
    if (result < 0) return result;
    if (peer == UINT32_MAX) return -ENOTCONN; /* its client could connect it later */
    return peer == uid ? 0 : -EPERM;
}

int sfd_destination_demand_plain(const struct sfd_kernel *kernel, int fd)
{
    struct statx st;

    if (sfd_fd_is_pseudo(kernel->sys, fd)) return -EACCES;
    const int result = kernel->sys->statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MODE, &st);
    if (result < 0) return result;
    return (st.stx_mode & (S_ISUID | S_ISGID)) != 0 ? -EPERM : 0;
}

static struct sfd_destination describe(uint32_t available, const struct sfd_fd_info *info)
{
    return (struct sfd_destination){
        .fd = -1,
        .kind = info->kind,
        .fits = sfd_destination_type_fits(info) & available,
        .device = -1,
        .asked = info->asked,
        .nonblock = info->nonblock,
    };
}

int sfd_destination_accept(const struct sfd_kernel *kernel, uint32_t available, struct sfd_devices *devices,
                           const struct sfd_fd_info *info, struct sfd_destination *destination)
{
    struct sfd_fd_info now = *info;
    int fd = destination->fd;
    int result = 0;

    destination->kind = info->kind;
    if (sfd_destination_type_fits(info) == 0) return -EOPNOTSUPP;
    if (!info->writable) return -EBADF;
    if (info->kind == SFD_FD_PIPE) {
        result = sfd_pipe_own(kernel, &fd);
        if (fd != destination->fd) now.nonblock = true; /* ours */
    } else if (info->kind == SFD_FD_CHAR && info->device == SFD_FD_DEVICE_TERMINAL) {
        result = own_terminal(kernel, &fd);
        now.nonblock = true;
    } else if (info->kind == SFD_FD_REGULAR && is_sealed(kernel, fd)) {
        result = -EPERM;
    }
    if (result < 0) return result;
    *destination = describe(available, &now);
    destination->fd = fd;
    if (info->kind == SFD_FD_REGULAR) destination->device = (int16_t)sfd_devices_add(devices, info->dev);
    return 0;
}

struct sfd_destination sfd_destination_of_channel(uint32_t available)
{
    const struct sfd_fd_info info = {.kind = SFD_FD_PIPE};

    return describe(available, &info);
}

void sfd_destination_ask(const struct sfd_kernel *kernel, uint32_t available, int fd,
                         struct sfd_destination *destination)
{
    struct sfd_fd_info info = {.kind = destination->kind};

    if (destination->asked || sfd_fd_ask(kernel->sys, fd, &info) < 0) return;
    destination->fits = sfd_destination_type_fits(&info) & available;
    destination->asked = info.asked;
    destination->nonblock = info.nonblock;
}

uint32_t sfd_destination_fits(const struct sfd_destination *destination, enum sfd_medium source)
{
    /*
     * Of such a file the loop can only send memory that the disk pool has filled; the disk pool itself may wait for the
     * file.
     */
    if (source == SFD_MEDIUM_REMOTE && !sfd_destination_is_pooled(destination->kind))
        return destination->fits & BIT(SFD_TECHNIQUE_READ_WRITE);
    /*
     * Mapping or unmapping a server's file can wait for the server, while it holds the lock that every thread needs for
     * its own mappings.
     */
    if (!sfd_medium_is_local(source)) return destination->fits & ~BIT(SFD_TECHNIQUE_MMAP);
    return destination->fits;
}

int64_t sfd_destination_write(const struct sfd_kernel *kernel, int fd, enum sfd_fd_kind kind, const struct iovec *iov,
                              int count, bool more)
{
    if (kind == SFD_FD_PIPE) return sfd_pipe_write(kernel, fd, iov, count);
    if (kind == SFD_FD_CHAR) return kernel->sys->pwritev2(fd, iov, count, -1, 0);
    /*
     * Not sendmsg(2), which the sandbox refuses; one piece after the other. The last one is without MSG_MORE, so that
     * the kernel delays no earlier bytes either.
     */
    const bool last = !more && count == 1;
    const bool whole = kind != SFD_FD_UNIX_SEQPACKET || iov->iov_len <= SFD_RECORD_BYTES;
    return kernel->sys->send(fd, iov->iov_base, whole ? iov->iov_len : SFD_RECORD_BYTES,
                             MSG_DONTWAIT | MSG_NOSIGNAL | (!last && kind == SFD_FD_TCP ? MSG_MORE : 0));
}

void sfd_destination_close(struct sfd_closer *closer, struct sfd_destination *destination,
                           struct sfd_client_account *account)
{
    if (sfd_destination_is_pooled(destination->kind))
        sfd_closer_take_file(closer, &destination->fd, destination->device, account);
    else if (destination->kind == SFD_FD_OTHER)
        sfd_closer_take_unknown(closer, &destination->fd, account); /* a directory, for example */
    else
        sfd_closer_take(closer, &destination->fd, destination->kind, account);
}
