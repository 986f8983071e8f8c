/*
 * fatipc: the API of libfatipc, for programs that were written for it, on buffers of sendfiled.
 *
 *   fatipc SIZE      hands SIZE bytes from one process to another, by that API
 *
 * Take the part above main() into a program of yours, in place of fatipc_buffer.c and fatipc_socket.c; struct
 * FatipcBuffer has one member more. It works with programs that still use libfatipc at the other end: fatipc_recv()
 * copies what they send, because nothing keeps them from changing it, and they can receive what fatipc_send() sends.
 * What is sent is sealed: a write to it raises SIGSEGV at its sender, where libfatipc only asked for there to be none.
 */
#include <sendfiled.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct FatipcBuffer {
    size_t size;              /* bytes */
    int fd;                   /* the memory file */
    void *data;               /* the bytes */
    struct sfd_buffer buffer; /* who owns them */
};

static int show(struct FatipcBuffer *out, const struct sfd_buffer *buffer)
{
    out->size = buffer->size;
    out->fd = buffer->fd;
    out->data = buffer->data;
    out->buffer = *buffer;
    return 0;
}

/* Returns 0, or -3: there is no memory for it, or no descriptor. */
int fatipc_alloc(size_t size, struct FatipcBuffer *out)
{
    struct sfd_buffer buffer = SFD_BUFFER_INIT;

    if (sfd_buffer_alloc(&buffer, "fatipc", size, 0) < 0) return -3;
    return show(out, &buffer);
}

void fatipc_free(struct FatipcBuffer *buffer)
{
    sfd_buffer_free(&buffer->buffer);
    (void)show(buffer, &buffer->buffer);
}

/* Returns 0, or -1 with errno. The caller can still read the buffer, and has to free it. */
int fatipc_send(int socket, struct FatipcBuffer *buffer)
{
    return sfd_buffer_send(socket, &buffer->buffer);
}

/* Returns 0, or -1 with errno, which is 0 when the other end has closed the connection. */
int fatipc_recv(int socket, struct FatipcBuffer *out)
{
    struct sfd_buffer buffer = SFD_BUFFER_INIT;
    const int received = sfd_buffer_recv(socket, &buffer, SFD_BUFFER_COPY);

    if (received <= 0) return -1;
    return show(out, &buffer);
}

/* ------------------------------------------------------------------ the two processes */

static int fill_and_send(int socket, size_t size)
{
    struct FatipcBuffer buffer;

    if (fatipc_alloc(size, &buffer) != 0) return 1;
    memset(buffer.data, 0x55, size);

    const int sent = fatipc_send(socket, &buffer);

    fatipc_free(&buffer);
    return sent == 0 ? 0 : 1;
}

static int receive_and_check(int socket)
{
    struct FatipcBuffer buffer;
    size_t right = 0;

    if (fatipc_recv(socket, &buffer) != 0) {
        perror("fatipc: no buffer came");
        return 1;
    }
    for (size_t i = 0; i < buffer.size; i++)
        right += ((const unsigned char *)buffer.data)[i] == 0x55;
    printf("%zu of %zu bytes as they were sent\n", right, buffer.size);

    const int result = right == buffer.size ? 0 : 1;

    fatipc_free(&buffer);
    return result;
}

int main(int argc, char **argv)
{
    int ends[2];
    int status = 1;

    if (argc != 2) {
        fprintf(stderr, "usage: fatipc SIZE\n");
        return 2;
    }
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) < 0) {
        perror("fatipc: socketpair");
        return 1;
    }

    const pid_t sender = fork();

    if (sender == 0) _exit(fill_and_send(ends[1], (size_t)strtoull(argv[1], NULL, 10)));
    if (sender < 0 || waitpid(sender, &status, 0) < 0 || status != 0) {
        fprintf(stderr, "fatipc: nothing was sent\n");
        return 1;
    }
    return receive_and_check(ends[0]);
}
