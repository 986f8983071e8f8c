/*
 * Descriptors: classification without a call that can block.
 */
#include "sys/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* Pseudo file systems that linux/magic.h does not have: fs/configfs, fs/fuse/control.c, fs/nfsd, net/sunrpc. */
#define CONFIGFS_TYPE     0x62656570
#define FUSE_CONTROL_TYPE 0x65735543
#define NFSD_TYPE         0x6e667364
#define RPC_PIPEFS_TYPE   0x67596969

static enum sfd_fd_kind socket_kind(const struct sfd_sys *sys, int fd, int domain)
{
    int type = 0;

    if (sys->getsockopt_int(fd, SOL_SOCKET, SO_TYPE, &type) < 0) return SFD_FD_OTHER;
    if (domain == AF_UNIX && type == SOCK_SEQPACKET) return SFD_FD_UNIX_SEQPACKET;
    if (type != SOCK_STREAM) return SFD_FD_OTHER;
    if (domain == AF_UNIX) return SFD_FD_UNIX_STREAM;
    if (domain == AF_INET || domain == AF_INET6) return SFD_FD_TCP;
    return SFD_FD_OTHER;
}

static enum sfd_fd_device device_of(unsigned major, unsigned minor)
{
    /* Documentation/admin-guide/devices.txt; a driver that is not a tty there does not count as a terminal. */
    switch (major) {
    case 1: /* mem */
        if (minor == 3 || minor == 5) return SFD_FD_DEVICE_NULL;
        return minor == 7 ? SFD_FD_DEVICE_FULL : SFD_FD_DEVICE_OTHER;
    case 4: /* virtual consoles, serial lines; 0 is whichever console is in front */
        return minor == 0 ? SFD_FD_DEVICE_OTHER : SFD_FD_DEVICE_TERMINAL;
    case 3:   /* slaves of BSD ptys */
    case 166: /* USB modems */
    case 188: /* USB serial lines */
    case 204: /* serial lines of boards */
    case 229: /* consoles of hypervisors */
        return SFD_FD_DEVICE_TERMINAL;
    default:
        /* slaves of UNIX98 ptys */
        return major >= 136 && major <= 143 ? SFD_FD_DEVICE_TERMINAL : SFD_FD_DEVICE_OTHER;
    }
}

static void classify_file(const struct sfd_sys *sys, int fd, bool path_only, struct sfd_fd_info *info)
{
    struct statx st;

    if (sys->statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) < 0) return;
    info->stored = path_only || S_ISREG(st.stx_mode) || S_ISDIR(st.stx_mode);
    info->dev = makedev(st.stx_dev_major, st.stx_dev_minor);
    if (path_only) return; /* it can be neither read nor written */
    if (S_ISREG(st.stx_mode)) info->kind = SFD_FD_REGULAR;
    if (S_ISCHR(st.stx_mode)) {
        info->kind = SFD_FD_CHAR;
        info->device = device_of(st.stx_rdev_major, st.stx_rdev_minor);
    }
}

bool sfd_fd_is_pipe(const struct sfd_sys *sys, int fd)
{
    return sys->fcntl(fd, F_GETPIPE_SZ, 0) > 0; /* EBADF for all else, O_PATH among them */
}

int sfd_fd_ask(const struct sfd_sys *sys, int fd, struct sfd_fd_info *info)
{
    const int flags = sys->fcntl(fd, F_GETFL, 0);
    const int mode = flags & O_ACCMODE;
    const bool path_only = (flags & O_PATH) != 0;

    if (flags < 0) return flags;
    info->asked = true;
    info->readable = !path_only && mode != O_WRONLY;
    info->writable = !path_only && mode != O_RDONLY;
    info->nonblock = (flags & O_NONBLOCK) != 0;
    info->append = (flags & O_APPEND) != 0;
    return 0;
}

int sfd_fd_classify(const struct sfd_sys *sys, int fd, struct sfd_fd_info *out)
{
    struct sfd_fd_info info = {.kind = SFD_FD_OTHER};
    int domain = 0;

    /* Sockets first: most destinations are sockets. An O_PATH descriptor answers EBADF here although it is open. */
    const int result = sys->getsockopt_int(fd, SOL_SOCKET, SO_DOMAIN, &domain);
    if (result == 0) {
        info.readable = info.writable = true;
        info.kind = socket_kind(sys, fd, domain);
    } else {
        const int asked = sfd_fd_ask(sys, fd, &info);
        if (asked < 0) return asked;
        if (result == -ENOTSOCK && sfd_fd_is_pipe(sys, fd))
            info.kind = SFD_FD_PIPE;
        else
            classify_file(sys, fd, result != -ENOTSOCK, &info);
    }
    *out = info;
    return 0;
}

bool sfd_fd_close_may_block(const struct sfd_sys *sys, int fd, enum sfd_fd_kind kind)
{
    struct linger linger;
    int unread = 0;

    switch (kind) {
    case SFD_FD_PIPE:
        return false;
    case SFD_FD_UNIX_STREAM:
        /* Descriptors that were never received are closed together with the socket in whose queue they wait. */
        return sys->get_unread(fd, &unread) < 0 || unread > 0;
    case SFD_FD_TCP:
        return sys->get_linger(fd, &linger) < 0 || (linger.l_onoff != 0 && linger.l_linger > 0);
    default:
        return true;
    }
}

bool sfd_fd_is_foreign(const struct sfd_sys *sys, int fd, uint32_t uid)
{
    struct statx st;

    return sys->statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_UID, &st) == 0 && st.stx_uid != uid;
}

bool sfd_fd_is_pseudo(const struct sfd_sys *sys, int fd)
{
    static const uint64_t types[] = {
        PROC_SUPER_MAGIC,  SYSFS_MAGIC,    CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC,  DEBUGFS_MAGIC,     TRACEFS_MAGIC,
        SECURITYFS_MAGIC,  SELINUX_MAGIC,  SMACK_MAGIC,        AAFS_MAGIC,           BPF_FS_MAGIC,      EFIVARFS_MAGIC,
        PSTOREFS_MAGIC,    BINFMTFS_MAGIC, NSFS_MAGIC,         RDTGROUP_SUPER_MAGIC, XENFS_SUPER_MAGIC, CONFIGFS_TYPE,
        FUSE_CONTROL_TYPE, NFSD_TYPE,      RPC_PIPEFS_TYPE,
    };
    uint64_t type = 0;

    if (sys->fstatfs_type(fd, &type) < 0) return true; /* what cannot be told is not trusted */
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (types[i] == type) return true;
    return false;
}

static int size_of(const struct sfd_sys *sys, int fd, int sync, uint64_t *size)
{
    struct statx st;
    const int result = sys->statx(fd, "", AT_EMPTY_PATH | sync, STATX_SIZE, &st);

    if (result == 0) *size = st.stx_size;
    return result;
}

int sfd_fd_size(const struct sfd_sys *sys, int fd, uint64_t *size)
{
    return size_of(sys, fd, AT_STATX_DONT_SYNC, size);
}

int sfd_fd_size_now(const struct sfd_sys *sys, int fd, uint64_t *size)
{
    return size_of(sys, fd, AT_STATX_SYNC_AS_STAT, size);
}

int sfd_fd_reopen(const struct sfd_sys *sys, int fd, int flags)
{
    char path[sizeof("/proc/self/fd/") + 12];

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return sys->openat(AT_FDCWD, path, flags);
}

int sfd_fd_reopen_pipe(const struct sfd_sys *sys, int fd)
{
    return sfd_fd_reopen(sys, fd, O_WRONLY | O_NONBLOCK);
}

void sfd_fd_close(const struct sfd_sys *sys, int *fd)
{
    if (*fd < 0) return;
    const int number = *fd;
    *fd = -1;
    (void)sys->close(number); /* the number is free even after an error (close(2)); a retry would be wrong */
}
