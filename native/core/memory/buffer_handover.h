/*
 * Hand-over: a buffer's descriptor on its way between two processes, over a UNIX socket of theirs.
 *
 * Thread: any; no state. Owns the descriptors that it receives until one is given to the caller as a buffer; closes
 * them all on every other path. Blocks as the socket does, or never with MSG_DONTWAIT. The message is drawn in
 * <sendfiled/wire.h>.
 */
#ifndef SFD_MEMORY_BUFFER_HANDOVER_H
#define SFD_MEMORY_BUFFER_HANDOVER_H

#include "memory/memory.h"

/* sfd_buffer_send: seals and sends. `how` is 0 or MSG_DONTWAIT. 0 or -errno. */
int sfd_buffer_handover_send(const struct sfd_sys_memory *sys, int socket, struct sfd_buffer *buffer, int how);

/* sfd_buffer_move: sends without a seal, and frees. 0 or -errno. */
int sfd_buffer_handover_move(const struct sfd_sys_memory *sys, int socket, struct sfd_buffer *buffer, int how);

/* sfd_buffer_recv: 1 with a buffer in *out, 0 at the end of the connection, or -errno. */
int sfd_buffer_handover_receive(const struct sfd_sys_memory *sys, int socket, unsigned flags, int how,
                                struct sfd_buffer *out);

#endif
