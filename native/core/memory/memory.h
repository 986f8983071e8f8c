/*
 * Memory files that are handed between processes: making, sealing, mapping; see <sendfiled/buffer.h>, whose struct
 * sfd_buffer this fills.
 *
 * Thread: any, one at a time for each buffer; there is no state but the buffer. Owns nothing itself. Never trusts a
 * descriptor that another process has made: checks its seals and its size before mapping it.
 */
#ifndef SFD_MEMORY_MEMORY_H
#define SFD_MEMORY_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include <sendfiled/buffer.h>

#include "sys/sys_memory.h"

/* Gives a new buffer in *out. 0 or -errno. */
int sfd_memory_create(const struct sfd_sys_memory *sys, const char *name, size_t size, unsigned flags,
                      struct sfd_buffer *out);

/* The same in a file without a name on the disk of `directory`. `size` > 0. Waits for the disk. */
int sfd_memory_create_in(const struct sfd_sys_memory *sys, const char *directory, size_t size, struct sfd_buffer *out);

/* Bytes of the longest name, memfd_create(2). */
#define SFD_MEMORY_NAME_MAX 249

/* Gives an empty memory file that may be sealed: a descriptor or -errno. */
int sfd_memory_open(const struct sfd_sys_memory *sys, const char *name);

/* 0, or -EINVAL for a buffer of sfd_read_buffer() that is not mapped yet: its size is unknown before sfd_memory_map. */
int sfd_memory_check_size(const struct sfd_sys_memory *sys, const struct sfd_buffer *buffer);

/* Seals the buffer; its mapping keeps its address and becomes read-only. 0 or -errno. */
int sfd_memory_seal(const struct sfd_sys_memory *sys, struct sfd_buffer *buffer);

/* Whether such flags can be together in sfd_memory_map: 0 or -EINVAL. */
int sfd_memory_check_flags(unsigned flags);

/*
 * Maps the file buffer->fd, which is not mapped: `size` bytes of it, or all of it with SFD_MEMORY_WHOLE, if it is what
 * `flags` demand (SFD_BUFFER_WRITABLE and those after it). Or, with SFD_BUFFER_COPY, replaces it by a copy, and closes
 * it. 0 or -errno, with *buffer untouched.
 */
#define SFD_MEMORY_WHOLE UINT64_MAX
int sfd_memory_map(const struct sfd_sys_memory *sys, struct sfd_buffer *buffer, uint64_t size, unsigned flags);

/* Unmaps the pages and keeps the addresses reserved: an access raises SIGSEGV until sfd_memory_show. 0 or -errno. */
int sfd_memory_hide(const struct sfd_sys_memory *sys, struct sfd_buffer *buffer);

/* Maps a hidden buffer again, as its seals allow. On failure it is not mapped at all. 0 or -errno. */
int sfd_memory_show(const struct sfd_sys_memory *sys, struct sfd_buffer *buffer);

/*
 * Moves the mapping to other addresses, for a program that cannot know which pointers to the old ones are left. An
 * access to an old address raises SIGBUS from now on (in a JVM, InternalError), until sfd_memory_release frees the old
 * addresses. 0, or -errno and nothing has changed.
 */
int sfd_memory_revoke(const struct sfd_sys_memory *sys, struct sfd_buffer *buffer);
void sfd_memory_release(const struct sfd_sys_memory *sys, void *address, size_t length);

/* Unmaps, closes, forgets; idempotent. */
void sfd_memory_free(const struct sfd_sys_memory *sys, struct sfd_buffer *buffer);

#endif
