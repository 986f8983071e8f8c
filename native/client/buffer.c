/*
 * Memory handed between processes, the client API's view of it: see <sendfiled/buffer.h>.
 *
 * Role: the core's memory and hand-over with -1 and errno. Thread: any; no state. Owns nothing.
 */
#include <sendfiled/buffer.h>

#include <errno.h>
#include <string.h>

#include "api.h"
#include "memory/buffer_handover.h"
#include "memory/memory.h"

static const struct sfd_sys_memory *const sys = &sfd_sys_memory_linux;

int sfd_buffer_alloc(struct sfd_buffer *out, const char *name, size_t size, unsigned flags)
{
    return sfd_api_result(sfd_memory_create(sys, name, size, flags, out));
}

int sfd_buffer_alloc_in(struct sfd_buffer *out, const char *directory, size_t size)
{
    return sfd_api_result(out == NULL ? -EINVAL : sfd_memory_create_in(sys, directory, size, out));
}

int sfd_buffer_seal(struct sfd_buffer *buffer)
{
    return sfd_api_result(sfd_memory_seal(sys, buffer));
}

int sfd_buffer_send(int socket, struct sfd_buffer *buffer)
{
    return sfd_api_result(sfd_buffer_handover_send(sys, socket, buffer, 0));
}

int sfd_buffer_move(int socket, struct sfd_buffer *buffer)
{
    return sfd_api_result(sfd_buffer_handover_move(sys, socket, buffer, 0));
}

int sfd_buffer_recv(int socket, struct sfd_buffer *out, unsigned flags)
{
    return sfd_api_result(sfd_buffer_handover_receive(sys, socket, flags, 0, out));
}

int sfd_buffer_map(struct sfd_buffer *buffer, unsigned flags)
{
    return sfd_api_result(sfd_memory_map(sys, buffer, SFD_MEMORY_WHOLE, flags));
}

void sfd_buffer_free(struct sfd_buffer *buffer)
{
    const int before = errno;

    if (buffer != NULL) sfd_memory_free(sys, buffer);
    errno = before;
}
