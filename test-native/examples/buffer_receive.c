/*
 * buffer_receive: takes memory from another process, buffer_send.
 *
 *   buffer_receive SOCKET
 *
 * Prints what it has received, and that nobody can change it. So it may check the bytes first and rely on them then,
 * also if it does not trust the sender: sfd_buffer_recv() has refused whatever is not sealed.
 */
#include "buffer_common.h"

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int connect_to(const char *path)
{
    struct sockaddr_un address;
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && (!buffer_address(&address, path) || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)) {
        perror(path);
        (void)close(fd);
        return -1;
    }
    return fd;
}

int main(int argc, char **argv)
{
    struct sfd_buffer buffer = SFD_BUFFER_INIT;
    bool safe = false;
    int connection;
    int count;

    if (argc != 2 || *argv[1] == '-') {
        (void)fprintf(stderr, "usage: %s SOCKET\n", argv[0]);
        return 2;
    }
    connection = connect_to(argv[1]);
    if (connection < 0) return 1;
    count = sfd_buffer_recv(connection, &buffer, 0);
    (void)close(connection); /* the memory does not need it */
    if (count > 0)
        safe = buffer_show(&buffer);
    else if (count == 0)
        (void)fprintf(stderr, "%s: the sender has hung up without sending a buffer\n", argv[0]);
    else
        perror(argv[0]);
    sfd_buffer_free(&buffer);
    return safe ? 0 : 1;
}
