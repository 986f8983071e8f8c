/*
 * Hand-over of buffers: one message, one descriptor.
 */
#include "memory/buffer_handover.h"

#include <errno.h>
#include <string.h>

#include <sendfiled/wire.h>

#include "sys/rights.h"

/* Byte offsets of the fields; the message is drawn in <sendfiled/wire.h>. */
enum { AT_CMD = 0, AT_STAT = 1, AT_VERSION = 2, AT_TOTAL = 4, AT_SIZE = 8 };

/* The most descriptors that the kernel lets one message carry, SCM_MAX_FD, unix(7). */
#define MAX_DESCRIPTORS 253

/*
 * Bytes of other control data that may come: credentials, a pidfd, a security label (SO_PASSCRED, SO_PASSPIDFD,
 * SO_PASSSEC).
 */
#define MAX_OTHER 1024

/* Linux 6.5: a descriptor, too. */
#ifndef SCM_PIDFD
#define SCM_PIDFD 0x04
#endif

static void encode(unsigned char *message, uint64_t size)
{
    const uint16_t version = SFD_WIRE_VERSION;
    const uint32_t total = SFD_WIRE_BUFFER_SIZE;

    message[AT_CMD] = SFD_WIRE_BUFFER;
    message[AT_STAT] = 0;
    memcpy(message + AT_VERSION, &version, sizeof(version));
    memcpy(message + AT_TOTAL, &total, sizeof(total));
    memcpy(message + AT_SIZE, &size, sizeof(size));
}

static int decode(const unsigned char *message, size_t length, uint64_t *size)
{
    uint16_t version = 0;
    uint32_t total = 0;

    if (length < SFD_WIRE_EXTENDED_PREFIX_SIZE || message[AT_CMD] != SFD_WIRE_BUFFER || message[AT_STAT] != 0)
        return -EBADMSG;
    memcpy(&version, message + AT_VERSION, sizeof(version));
    memcpy(&total, message + AT_TOTAL, sizeof(total));
    if (version != SFD_WIRE_VERSION) return -EPROTONOSUPPORT;
    if (length != SFD_WIRE_BUFFER_SIZE || total != SFD_WIRE_BUFFER_SIZE) return -EBADMSG;
    memcpy(size, message + AT_SIZE, sizeof(*size));
    return 0;
}

/* Sockets of other families would send the bytes without the descriptor. */
static int check_socket(const struct sfd_sys_memory *sys, int socket)
{
    const int domain = sys->socket_option(socket, SO_DOMAIN);

    if (domain < 0) return domain;
    return domain == AF_UNIX ? 0 : -EOPNOTSUPP;
}

static int send_message(const struct sfd_sys_memory *sys, int socket, const struct sfd_buffer *buffer, int how)
{
    unsigned char bytes[SFD_WIRE_BUFFER_SIZE];
    union sfd_rights rights;
    struct iovec iov = {.iov_base = bytes, .iov_len = sizeof(bytes)};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

    encode(bytes, buffer->size);
    sfd_rights_attach(&message, &rights, &buffer->fd, 1);

    /* Even a stream socket sends so short a message whole or not at all: no socket buffer is smaller. */
    const int64_t sent = sys->sendmsg(socket, &message, how | MSG_NOSIGNAL);
    return sent < 0 ? (int)sent : 0;
}

/*
 * Tries to seal for good also a buffer that is sealed against new writers only. A received one that takes no further
 * seal (EPERM) is sent as it is.
 */
static int seal(const struct sfd_sys_memory *sys, struct sfd_buffer *buffer)
{
    const bool guarded = buffer->seal != SFD_BUFFER_UNSEALED;
    const int result = sfd_memory_seal(sys, buffer);

    return result == -EPERM && guarded ? 0 : result;
}

int sfd_buffer_handover_send(const struct sfd_sys_memory *sys, int socket, struct sfd_buffer *buffer, int how)
{
    int result = buffer->fd < 0 ? -EBADF : check_socket(sys, socket);

    if (result == 0) result = seal(sys, buffer);
    return result < 0 ? result : send_message(sys, socket, buffer, how);
}

int sfd_buffer_handover_move(const struct sfd_sys_memory *sys, int socket, struct sfd_buffer *buffer, int how)
{
    int result = buffer->fd < 0 ? -EBADF : check_socket(sys, socket);

    if (result < 0) return result;
    if (buffer->seal != SFD_BUFFER_UNSEALED) return -EROFS;
    result = sfd_memory_check_size(sys, buffer);
    if (result < 0) return result;
    /* Before sending: the receiver could not seal a buffer that this process still has mapped for writing. */
    result = sfd_memory_hide(sys, buffer);
    if (result < 0) return result;
    result = send_message(sys, socket, buffer, how);
    if (result < 0) {
        const int shown = sfd_memory_show(sys, buffer);
        return shown < 0 ? shown : result;
    }
    sfd_memory_free(sys, buffer);
    return 0;
}

/*
 * Gives the first SCM_RIGHTS descriptor of a message in *fd, and closes all others. Returns how many SCM_RIGHTS
 * descriptors there were.
 */
static int take_descriptors(const struct sfd_sys_memory *sys, struct msghdr *message, int *fd)
{
    int count = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET) continue;
        if (c->cmsg_type != SCM_RIGHTS && c->cmsg_type != SCM_PIDFD) continue;
        for (size_t at = 0; at + sizeof(int) <= c->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
            int one;
            memcpy(&one, CMSG_DATA(c) + at, sizeof(one)); /* control data is not aligned for int */
            if (one < 0) continue;                        /* a pidfd for which no descriptor was free */
            if (c->cmsg_type == SCM_RIGHTS && count++ == 0)
                *fd = one;
            else
                (void)sys->close(one);
        }
    }
    return count;
}

/* What libfatipc sends with a descriptor. The size is the file's. */
static bool is_of_fatipc(const unsigned char *bytes, size_t length)
{
    return length == 3 && memcmp(bytes, "ABC", 3) == 0;
}

/* Whether what came is one buffer's message: 0 or -errno. */
static int judge(const struct msghdr *message, const unsigned char *bytes, size_t length, int count, unsigned flags,
                 uint64_t *size)
{
    const bool old = (flags & (SFD_BUFFER_COPY | SFD_BUFFER_TRUST)) != 0 && is_of_fatipc(bytes, length);
    int result = (message->msg_flags & MSG_TRUNC) != 0 ? -EBADMSG : 0;

    if (old)
        *size = SFD_MEMORY_WHOLE;
    else if (result == 0)
        result = decode(bytes, length, size);
    if (result < 0) return result;
    if (!old && *size == SFD_MEMORY_WHOLE) return -ERANGE; /* no file is so long */
    /* `control` has room for everything, so MSG_CTRUNC means that the process had no free descriptor, recvmsg(2). */
    if ((message->msg_flags & MSG_CTRUNC) != 0) return -EMFILE;
    if (count == 0) return -ENOMSG;
    return count == 1 ? 0 : -E2BIG;
}

int sfd_buffer_handover_receive(const struct sfd_sys_memory *sys, int socket, unsigned flags, int how,
                                struct sfd_buffer *out)
{
    unsigned char bytes[SFD_WIRE_BUFFER_SIZE];
    union {
        struct cmsghdr align;
        unsigned char bytes[CMSG_SPACE(sizeof(int) * MAX_DESCRIPTORS) + MAX_OTHER];
    } control;
    struct iovec iov = {.iov_base = bytes, .iov_len = sizeof(bytes)};
    struct msghdr message = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof(control.bytes),
    };
    struct sfd_buffer buffer = SFD_BUFFER_INIT;
    uint64_t size = 0;

    int result = sfd_memory_check_flags(flags);
    if (result == 0) result = check_socket(sys, socket);
    if (result < 0) return result;
    const int64_t got = sys->recvmsg(socket, &message, how | MSG_CMSG_CLOEXEC);
    if (got < 0) return (int)got;
    const int count = take_descriptors(sys, &message, &buffer.fd);
    /* An empty datagram is a message, not an end. */
    if (got == 0 && count == 0 && sys->socket_option(socket, SO_TYPE) != SOCK_DGRAM) return 0;
    result = judge(&message, bytes, (size_t)got, count, flags, &size);
    if (result == 0) result = sfd_memory_map(sys, &buffer, size, flags);
    if (result < 0) {
        sfd_memory_free(sys, &buffer);
        return result;
    }
    *out = buffer;
    return 1;
}
