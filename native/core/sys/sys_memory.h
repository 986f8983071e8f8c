/*
 * The system calls of memory that is handed between processes: memory files, their seals and mappings, and the socket
 * that carries them.
 *
 * A table beside struct sfd_sys, as sys_setup.h is: the calls of a transfer's path stay few, and tests script these as
 * well. Any thread may use it; it owns nothing. Each call gives >= 0 or -errno; EINTR is retried.
 */
#ifndef SFD_SYS_SYS_MEMORY_H
#define SFD_SYS_SYS_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include <sys/socket.h>

struct sfd_sys_memory {
    int (*memfd_create)(const char *name, unsigned flags);
    int (*open_unnamed)(const char *directory); /* a file without a name, on the directory's disk, for us alone */
    int (*fallocate)(int fd, uint64_t size);    /* from 0 on; of size > 0 */
    int64_t (*pread)(int fd, void *to, size_t size, uint64_t offset);
    int (*ftruncate)(int fd, uint64_t size);
    int (*fcntl)(int fd, int command, int argument);
    int (*file_size)(int fd, uint64_t *size);       /* -ENODEV: not a regular file. Never blocks for a memory file */
    int (*file_allocated)(int fd, uint64_t *bytes); /* without its holes */
    int (*page_size)(int fd, uint64_t *size);       /* of its file system: huge pages are larger */
    int (*memory_total)(uint64_t *bytes);           /* the machine's, with swap space */
    int (*populate)(void *address, size_t size);    /* takes all pages, for writing */
    /* At the address `at`, replacing what is mapped there; anywhere if `at` is NULL. */
    int (*mmap)(void *at, size_t size, int protection, int flags, int fd, void **out);
    int (*munmap)(void *address, size_t size);
    int (*close)(int fd);

    int (*socket_option)(int socket, int name); /* of SOL_SOCKET, an int that is never negative */
    int64_t (*sendmsg)(int socket, const struct msghdr *message, int flags);
    int64_t (*recvmsg)(int socket, struct msghdr *message, int flags);
};

extern const struct sfd_sys_memory sfd_sys_memory_linux;

#endif
