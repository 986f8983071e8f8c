/*
 * Memory that is handed to another process without copying it: a memory file, memfd_create(2), whose
 * descriptor travels over a UNIX socket. Included by sendfiled.h.
 *
 *     struct sfd_buffer buffer;                                       one process:
 *     if (sfd_buffer_alloc(&buffer, "frame", 64 << 20, 0) < 0) ...
 *     fill(buffer.data, buffer.size);
 *     if (sfd_buffer_send(unix_socket, &buffer) < 0) ...
 *     sfd_buffer_free(&buffer);
 *
 *     struct sfd_buffer buffer;                                       the other one:
 *     if (sfd_buffer_recv(unix_socket, &buffer, 0) > 0)
 *         use(buffer.data, buffer.size);
 *     sfd_buffer_free(&buffer);
 *
 * The kernel enforces that the sender stops writing: a hand-over seals the memory, and the kernel refuses every later
 * write, also the sender's. So a receiver can check the bytes and rely on them, and one buffer can be sent to many. The
 * size of a buffer never changes, so that no mapping of it can raise SIGBUS. A receiver that needs to write uses a
 * *move*: the sender calls sfd_buffer_move() and gives the memory up, the receiver asks for SFD_BUFFER_WRITABLE.
 *
 * What it costs: sending and receiving, some microseconds whatever the size. Sealing, once for each buffer:
 * the kernel takes the sender's pages out of its address space and looks at each of them, 20 to 60 ms for
 * 1 GiB (half a millisecond with huge pages). A program with an event loop should seal in the thread that fills the
 * buffer, sfd_buffer_seal().
 *
 * For all functions here:
 *   - Failure is -1 with errno set. The arguments are unchanged, except that a buffer to be sent may be sealed already;
 *     nothing is leaked.
 *   - They may be called by any thread. One buffer is used by one thread at a time; once it is sealed its
 *     bytes may be read by any number. None is async-signal-safe.
 *   - The descriptor of a buffer has FD_CLOEXEC set. No file is made in any file system, but by sfd_buffer_alloc_in().
 *   - A process that forks shares its buffers with the child, mapping and all, as with any shared memory: until the
 *     child has ended or started another program it can write, and what is sealed is SFD_BUFFER_SEALED_FUTURE.
 */
#ifndef SENDFILED_BUFFER_H
#define SENDFILED_BUFFER_H

#include <stddef.h>

#include "attr.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Flags of sfd_buffer_alloc(). */
enum {
    /*
     * Huge pages of the machine's default size (2 MiB on x86_64), out of those that its administrator has reserved
     * (sysctl vm.nr_hugepages). There are fewer page faults, and a seal costs almost nothing; but each buffer takes
     * whole huge pages, and a seal also allocates those that were never written to. Ordinary pages never replace them:
     * ENOMEM when there are not enough.
     */
    SFD_BUFFER_HUGE_PAGES = 1,
    /*
     * Allocates all pages now, instead of each at the first access to it. Blocks while the kernel clears them. Before
     * Linux 5.14 a lack of memory shows as it does at an access: SIGBUS, or the kernel kills some process.
     */
    SFD_BUFFER_PREFAULT = 2
};

/* Flags of sfd_buffer_recv() and sfd_buffer_map(). */
enum {
    /*
     * A buffer to write to: one that was moved, and is not sealed. A sender that keeps the rules does not have it any
     * more; one that does not keep them can still change the bytes.
     */
    SFD_BUFFER_WRITABLE = 16,
    /*
     * Accepts a buffer also if it is only SFD_BUFFER_SEALED_FUTURE: others may still be writing to it. Without this
     * flag such a buffer is refused.
     */
    SFD_BUFFER_FUTURE_WRITE = 32,
    /*
     * Accepts also what is not sealed, a file included, by copying it: as senders hand it over that do not know seals,
     * those of libfatipc among them. The copy is memory of this process's, sealed, or with SFD_BUFFER_WRITABLE to write
     * to; what is sealed as demanded is not copied. Blocks while it reads, on a file's disk too. The sender may write
     * meanwhile: then the copy has some bytes from before and some from after, and no other danger.
     */
    SFD_BUFFER_COPY = 64,
    /*
     * With SFD_BUFFER_WRITABLE: accepts also a file, sfd_buffer_alloc_in(), and memory whose size is not sealed, and
     * maps it as it is. Only from a sender that is trusted: it can change the bytes at any time, and if it cuts the
     * file, or its disk fails, an access raises SIGBUS.
     */
    SFD_BUFFER_TRUST = 128
};

/* Against which writes the kernel protects a buffer. It always protects the size. */
enum sfd_buffer_seal {
    SFD_BUFFER_UNSEALED = 0,
    SFD_BUFFER_SEALED_FUTURE = 1, /* only through mappings for writing that existed before the seal */
    SFD_BUFFER_SEALED = 2         /* none is possible */
};

/*
 * Callers allocate the struct. They may read the fields described here, and write none, but for `fd` before
 * sfd_buffer_map().
 */
struct sfd_buffer {
    void *data;    /* the bytes, mapped; NULL when there are none, or they are not mapped (yet) */
    size_t size;   /* bytes */
    int fd;        /* the memory file, FD_CLOEXEC; -1: there is no buffer here */
    int seal;      /* enum sfd_buffer_seal, as far as this process knows */
    size_t mapped; /* for the library: bytes of the mapping */
    size_t reserved[3];
};

/* An empty struct sfd_buffer: before the first use, and after sfd_buffer_free(). */
#define SFD_BUFFER_INIT                                                                                                \
    {                                                                                                                  \
        NULL, 0, -1, 0, 0,                                                                                             \
        {                                                                                                              \
            0, 0, 0                                                                                                    \
        }                                                                                                              \
    }

/*
 * Allocates a buffer of zeros and maps it for reading and writing.
 *
 *   out      filled on success, untouched on failure; the caller frees it, sfd_buffer_free()
 *   name     shown in /proc/PID/maps and /proc/PID/fd as "/memfd:NAME"; at most 249 bytes, need not be unique;
 *            NULL: "sendfiled"
 *   size     bytes; 0 is a buffer without any
 *   flags    SFD_BUFFER_HUGE_PAGES, SFD_BUFFER_PREFAULT
 *
 * Memory is taken page by page when it is first written to, and counts for the process (its cgroup) that does.
 * Does not block, but see SFD_BUFFER_PREFAULT.
 *
 * errno: EINVAL (unknown flags, a name too long), ENOMEM (more than the machine's memory and swap space, not
 * enough huge pages, or out of memory), EFBIG (more than a file can have), EMFILE, ENFILE, ENOSYS (a kernel without
 * huge pages).
 */
int sfd_buffer_alloc(struct sfd_buffer *out, const char *name, size_t size, unsigned flags) SFD_API;

/*
 * Allocates a buffer that may be larger than memory and swap space: in a file without a name, on the disk of
 * `directory`, which the kernel writes out as it needs memory.
 *
 *   out        as in sfd_buffer_alloc()
 *   directory  on a file system with room for it, which is taken at once; a path, as the caller sees it
 *   size       bytes, > 0
 *
 * No kernel seals a file. So it cannot be sent, only moved; and the receiver has to trust the sender, SFD_BUFFER_TRUST,
 * or to copy it, SFD_BUFFER_COPY. The file is gone when the last process has freed it. Blocks for the disk, as any
 * access to its bytes may.
 *
 * errno: EINVAL (a NULL argument, or size is 0), ENOSPC, EDQUOT (no room), EFBIG, EOPNOTSUPP, EISDIR (a file system
 * without nameless files or without fallocate(2)), EACCES, ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG, EROFS (the directory),
 * ENOMEM, EMFILE, ENFILE, EIO.
 */
int sfd_buffer_alloc_in(struct sfd_buffer *out, const char *directory, size_t size) SFD_API;

/*
 * Seals a buffer: from now on no process can change its bytes. `data` keeps its address and can be read; a write to it
 * raises SIGSEGV, write(2) to its descriptor fails with EPERM. (After mprotect(2), writes go to private copies of the
 * pages, which no other process sees.) Does nothing to a buffer that is sealed.
 *
 * Does not need to be called before sfd_buffer_send(), which does it. Waits for no other process, but takes 20 to 60 ms
 * per GiB, with huge pages half a millisecond; meanwhile no thread may use the bytes.
 *
 * Where another process (or a second mapping) has the buffer mapped for writing, or the kernel still reads or writes it
 * (splice(2), O_DIRECT), the seal can only keep out new writers: the result is SFD_BUFFER_SEALED_FUTURE. A later call
 * tries again.
 *
 * Returns 0; buffer->seal says how far it went. errno: EBADF (no buffer), EINVAL (sfd_read_buffer()'s, and not mapped
 * yet), EMEDIUMTYPE (it is in a file, sfd_buffer_alloc_in(), or a received one), EPERM (its descriptor was made
 * read-only, or sealed against seals), ENOMEM (no memory to map it again: then data is NULL, and sfd_buffer_map() may
 * try later).
 */
int sfd_buffer_seal(struct sfd_buffer *buffer) SFD_API;

/*
 * Hands a buffer to the process at the other end of a UNIX socket, sealed: sfd_buffer_seal() first if it is not. The
 * caller keeps the buffer too, to read it and to send it to others, until sfd_buffer_free(); the kernel frees the
 * memory when the last process has freed it. The receiver's part is sfd_buffer_recv(), which refuses
 * SFD_BUFFER_SEALED_FUTURE unless it is told otherwise.
 *
 *   socket   a connected UNIX socket: stream, datagram or seqpacket; borrowed. Other bytes may travel before and
 *            behind the buffer
 *
 * One message, sent whole or not at all. Blocks while the socket is full, unless the socket is non-blocking, and as
 * sfd_buffer_seal().
 *
 * errno: EAGAIN (the socket is non-blocking and full: wait until it is writable and call again), EBADF (no buffer, or
 * not a descriptor), EPIPE, ECONNRESET, ECONNREFUSED, ENOTCONN (no process at the other end), ENOTSOCK, EOPNOTSUPP (not
 * a UNIX socket), ETOOMANYREFS (too many descriptors of this user are on their way), ENOBUFS, ENOMEM, and those of
 * sfd_buffer_seal(). No SIGPIPE.
 */
int sfd_buffer_send(int socket, struct sfd_buffer *buffer) SFD_API;

/*
 * Hands a buffer over for writing: it is not sealed, and this process loses it as by sfd_buffer_free(); on failure it
 * stays. The receiver asks for SFD_BUFFER_WRITABLE, and can hand it on or back.
 *
 * The mapping is removed before the message is sent, and made again if that fails: 20 to 40 ms per GiB each time.
 * Blocking and errno: as sfd_buffer_send(), and EROFS (it is sealed already).
 */
int sfd_buffer_move(int socket, struct sfd_buffer *buffer) SFD_API;

/*
 * Receives a buffer and maps it: for reading, or with SFD_BUFFER_WRITABLE for reading and writing.
 *
 *   socket   a UNIX socket, at the point where the other end calls sfd_buffer_send() or sfd_buffer_move(); borrowed
 *   out      filled when the result is 1, else untouched; the caller frees it
 *   flags    0, or what is to be accepted: SFD_BUFFER_WRITABLE, SFD_BUFFER_FUTURE_WRITE, SFD_BUFFER_COPY,
 *            SFD_BUFFER_TRUST
 *
 * Trusts nothing that arrives: a message that is not a buffer, or not sealed as the caller demands, is refused, and all
 * descriptors that came with it are closed. (To close a file of a slow file server can block: an event loop should
 * receive only from processes that it trusts.)
 *
 * With SFD_BUFFER_COPY or SFD_BUFFER_TRUST the messages of libfatipc are understood, too.
 *
 * Returns 1; 0 when the other end has closed the connection (or, over seqpacket, sent an empty message); -1 with errno.
 * Blocks until something comes, unless the socket is non-blocking.
 *
 * errno, of what came (it has been taken out of the socket, and the next call receives what follows):
 *     EBADMSG       the bytes are not those of a buffer's message, or they are cut short
 *     EPROTONOSUPPORT  a message of a later version
 *     ENOMSG        no descriptor came with it
 *     E2BIG         more than one descriptor
 *     EMEDIUMTYPE   the descriptor is not a memory file; with SFD_BUFFER_COPY or SFD_BUFFER_TRUST: no regular file
 *     ERANGE        the buffer is said to be larger than the memory file is, or became shorter while it was copied
 *     EPERM         not sealed: neither against changes of its size, nor, as it was not to be written to, against
 *                   writing
 *     EBUSY         SFD_BUFFER_SEALED_FUTURE, without SFD_BUFFER_FUTURE_WRITE
 *     EROFS         sealed, or open for reading only, although it was asked for SFD_BUFFER_WRITABLE
 *     EACCES        its descriptor is not open for reading
 *     EMFILE        this process has no free descriptor for it
 *     ENOMEM        no room to map or to copy it, or it needs huge pages that are not free
 *     EIO           its disk, while it was copied
 * and of the call: EAGAIN (the socket is non-blocking and nothing has come), EBADF, EINVAL (unknown flags,
 * SFD_BUFFER_TRUST without SFD_BUFFER_WRITABLE or with SFD_BUFFER_COPY, or a stream socket without a connection),
 * ENOTSOCK, ENOTCONN, EOPNOTSUPP (not a UNIX socket), ECONNRESET, ENOBUFS.
 */
int sfd_buffer_recv(int socket, struct sfd_buffer *out, unsigned flags) SFD_API;

/*
 * Maps the memory file of a buffer that is not mapped, after the checks of sfd_buffer_recv(): one that
 * sfd_read_buffer() has filled, or a descriptor that the caller got in another way:
 *
 *     struct sfd_buffer buffer = SFD_BUFFER_INIT;
 *     buffer.fd = fd;                          the buffer owns it now
 *     if (sfd_buffer_map(&buffer, 0) < 0) ...
 *
 * Its size is the file's. Does nothing to a buffer that is mapped. Does not block, but see SFD_BUFFER_COPY, with which
 * the descriptor is replaced by that of the copy.
 *
 * flags: as sfd_buffer_recv(). errno: EACCES, EBADF, EBUSY, EINVAL, EIO, EMEDIUMTYPE, ENOMEM, EPERM, ERANGE and EROFS
 * as there.
 */
int sfd_buffer_map(struct sfd_buffer *buffer, unsigned flags) SFD_API;

/*
 * Unmaps and closes a buffer, and sets it to SFD_BUFFER_INIT. Idempotent; NULL does nothing. errno is not touched. Does
 * not block, but takes 20 to 50 ms per GiB to unmap.
 */
void sfd_buffer_free(struct sfd_buffer *buffer) SFD_API;

#ifdef __cplusplus
}
#endif

#endif
