/*
 * buffer_send: hands memory to another process, buffer_receive, without copying it.
 *
 *   buffer_send SOCKET <FILE     the bytes of a file
 *   buffer_send SOCKET SIZE      so many bytes of a pattern
 *
 * Waits on a UNIX socket for one receiver; prints what it has sent, and that it cannot change it any more.
 */
#include "buffer_common.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static bool fill_from_file(struct sfd_buffer *buffer, int file)
{
    struct stat st;

    if (fstat(file, &st) < 0 || sfd_buffer_alloc(buffer, "example", (size_t)st.st_size, 0) < 0) return false;
    for (size_t filled = 0; filled < buffer->size;) {
        const ssize_t count = read(file, (char *)buffer->data + filled, buffer->size - filled);

        if (count <= 0) {
            errno = count == 0 ? ENODATA : errno; /* it has become shorter */
            return false;
        }
        filled += (size_t)count;
    }
    return true;
}

static bool fill_with_pattern(struct sfd_buffer *buffer, size_t size)
{
    if (sfd_buffer_alloc(buffer, "example", size, 0) < 0) return false;
    for (size_t i = 0; i < size; i++)
        ((unsigned char *)buffer->data)[i] = (unsigned char)(i % 251);
    return true;
}

/* Waits for one receiver. The socket's name is gone when this returns. */
static int accept_one(const char *path)
{
    struct sockaddr_un address;
    int connection = -1;
    const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (listener < 0) return -1;
    if (buffer_address(&address, path) && bind(listener, (struct sockaddr *)&address, sizeof address) == 0) {
        if (listen(listener, 1) == 0) connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        (void)unlink(path);
    }
    (void)close(listener);
    return connection;
}

/*
 * Sealing is a part of sending. It is done before here, as soon as the buffer is full, because it takes a while for a
 * big one, and a receiver that has come should not have to wait for that.
 */
static bool seal_and_send(struct sfd_buffer *buffer, const char *path)
{
    int connection;
    bool sent;

    if (sfd_buffer_seal(buffer) < 0 || (connection = accept_one(path)) < 0) return false;
    sent = sfd_buffer_send(connection, buffer) == 0;
    (void)close(connection);
    return sent;
}

int main(int argc, char **argv)
{
    struct sfd_buffer buffer = SFD_BUFFER_INIT;
    bool filled;
    bool safe = false;

    if (argc < 2 || argc > 3 || *argv[1] == '-') {
        (void)fprintf(stderr, "usage: %s SOCKET SIZE\n       %s SOCKET <FILE\n", argv[0], argv[0]);
        return 2;
    }
    filled = argc == 3 ? fill_with_pattern(&buffer, strtoul(argv[2], NULL, 10)) : fill_from_file(&buffer, STDIN_FILENO);
    if (filled && seal_and_send(&buffer, argv[1]))
        safe = buffer_show(&buffer);
    else
        perror(argv[0]);
    sfd_buffer_free(&buffer);
    return safe ? 0 : 1;
}
