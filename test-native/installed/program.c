/*
 * A program of the library's users in C99, compiled from the installed tree and nothing else (InstalledLibraryIT):
 * hands a buffer to itself, has a daemon read a file into another, sends that one on, and reads the file by a pipe.
 * Then sends the file by itself, as far as it is in memory.
 *
 *   program SOCKDIR NAME PATH ROOT       PATH: below the daemon's ROOT, 1 to 4096 bytes
 *
 * Prints the size of the file. Exit: 0, or 1 with what failed on standard error.
 */
#include <sendfiled.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int fail(const char *what)
{
    perror(what);
    return 1;
}

static int hand_over(void)
{
    struct sfd_buffer sent = SFD_BUFFER_INIT;
    struct sfd_buffer received = SFD_BUFFER_INIT;
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == -1) return fail("socketpair");
    if (sfd_buffer_alloc(&sent, "program", 100000, 0) == -1) return fail("sfd_buffer_alloc");
    memset(sent.data, 'x', sent.size);
    if (sfd_buffer_send(ends[0], &sent) == -1) return fail("sfd_buffer_send");
    if (sfd_buffer_recv(ends[1], &received, 0) != 1) return fail("sfd_buffer_recv");
    if (received.seal != SFD_BUFFER_SEALED || received.size != sent.size ||
        memcmp(received.data, sent.data, sent.size) != 0)
        return fail("another buffer");
    sfd_buffer_free(&received);
    sfd_buffer_free(&sent);
    close(ends[0]);
    close(ends[1]);
    return 0;
}

/* Waits for the end of a transfer on its status channel, which is non-blocking, and closes that. */
static int await_end(int status)
{
    struct sfd_events events;
    struct sfd_event event;

    sfd_events_init(&events, SFD_EVENTS_OF_SEND);
    do {
        struct pollfd readable;

        readable.fd = status;
        readable.events = POLLIN;
        if (poll(&readable, 1, 60000) != 1) return fail("poll");
        if (sfd_events_next(&events, status, &event) < 0) return fail("sfd_events_next");
    } while (event.type < SFD_EVENT_COMPLETE);
    close(status);
    if (event.type == SFD_EVENT_COMPLETE) return 0;
    fprintf(stderr, "transfer: %s\n", strerror(event.error));
    return 1;
}

static int send_on(int srv, struct sfd_buffer *buffer)
{
    char got[4096];
    int ends[2];

    if (pipe(ends) == -1) return fail("pipe");

    const int status = sfd_send_buffer(srv, buffer, ends[1], 0, 0, true, NULL);

    if (status == -1) return fail("sfd_send_buffer");
    if (await_end(status) != 0) return 1;
    if (read(ends[0], got, sizeof got) != (ssize_t)buffer->size || memcmp(got, buffer->data, buffer->size) != 0)
        return fail("other bytes");
    close(ends[0]);
    close(ends[1]);
    return 0;
}

/* Reads `len` bytes by a data channel, and expects so many. */
static int read_apart(int srv, const char *path, size_t len, size_t expected)
{
    char got[4097];
    struct sfd_events events;
    struct sfd_event event;
    struct sfd_file_details details;
    int data;
    const int status = sfd_read_split(srv, path, 0, len, false, NULL, &data);

    if (status == -1) return fail("sfd_read_split");
    if (read(data, got, sizeof got) != (ssize_t)expected) return fail("other bytes");
    if (expected > 0 && read(data, got, sizeof got) != 0) return fail("no end");
    sfd_events_init(&events, SFD_EVENTS_OF_SEND);
    do {
        if (sfd_events_next(&events, status, &event) != 1) return fail("sfd_events_next");
    } while (event.type < SFD_EVENT_COMPLETE);
    if (event.type != SFD_EVENT_COMPLETE || event.moved != expected) return fail("another end");
    if (!sfd_events_details(&events, &details) || details.size == 0 || details.inode == 0) return fail("no details");
    close(data);
    close(status);
    return 0;
}

/* Sends the file to a pipe by itself, or has the daemon do it. */
static int send_hot(int srv, const char *root_path, const char *path, size_t size)
{
    struct sfd_hot_options options;
    struct sfd_hot_root *root;
    struct sfd_hot_file file;
    struct sfd_hot_rest rest;
    enum sfd_hot_result result;
    char got[4200];
    int ends[2];

    memset(&options, 0, sizeof options);
    memset(&rest, 0, sizeof rest);
    rest.head = "head";
    rest.head_length = 4;
    rest.length = SFD_TO_END;
    if (sfd_hot_open_root(root_path, &options, &root) == -1)
        return errno == ENOSYS ? 0 : fail("sfd_hot_open_root"); /* before Linux 5.6, and in qemu-user */
    if (pipe(ends) == -1) return fail("pipe");
    result = sfd_hot_open(root, path, &file);
    if (result == SFD_HOT_FAILED) return fail("sfd_hot_open");

    const int opened = result == SFD_HOT_DONE;

    if (opened && file.size != size) return fail("another size");
    if (opened && sfd_hot_read(&file, 0, SFD_TO_END, got, 0) != SFD_HOT_BIG) return fail("sfd_hot_read");
    if (opened) result = sfd_hot_send(&file, ends[1], &rest);
    if (result == SFD_HOT_COLD) {
        const int status = sfd_hot_hand_over(srv, opened ? &file : NULL, path, ends[1], &rest, true, NULL);

        if (status == -1) return fail("sfd_hot_hand_over");
        if (await_end(status) != 0) return 1;
    } else if (result != SFD_HOT_DONE) {
        return fail("sfd_hot_send");
    }
    if (opened) sfd_hot_close(&file);
    sfd_hot_close_root(root);
    if (read(ends[0], got, sizeof got) != (ssize_t)(4 + size) || memcmp(got, "head", 4) != 0)
        return fail("other bytes");
    close(ends[0]);
    close(ends[1]);
    return 0;
}

/* As a program that called sendfile(2). */
static int send_file(int srv, const char *root, const char *path, size_t size)
{
    char name[4096];
    off_t offset = 1;

    if (snprintf(name, sizeof name, "%s/%s", root, path) >= (int)sizeof name) return 1;

    const int in = open(name, O_RDONLY);
    const int out = open("/dev/null", O_WRONLY);

    if (in == -1 || out == -1) return fail("open");
    if (sfd_sendfile(srv, out, in, &offset, size) != (ssize_t)size - 1) return fail("sfd_sendfile");
    if (offset != (off_t)size || sfd_sendfile(srv, out, in, &offset, size) != 0) return fail("no end");
    close(in);
    close(out);
    return 0;
}

int main(int argc, char **argv)
{
    struct sfd_buffer file = SFD_BUFFER_INIT;

    if (argc != 5) return 2;
    if (hand_over() != 0) return 1;

    const int srv = sfd_connect(argv[1], argv[2]);

    if (srv == -1) return fail("sfd_connect");

    const int status = sfd_read_buffer(srv, argv[3], 0, 0, true, NULL, &file);

    if (status == -1) return fail("sfd_read_buffer");
    if (await_end(status) != 0) return 1;
    if (sfd_buffer_map(&file, 0) == -1) return fail("sfd_buffer_map");
    if (send_on(srv, &file) != 0) return 1;
    if (read_apart(srv, argv[3], SFD_TO_END, file.size) != 0) return 1;
    if (read_apart(srv, argv[3], 0, 0) != 0) return 1;
    if (send_hot(srv, argv[4], argv[3], file.size) != 0) return 1;
    if (send_file(srv, argv[4], argv[3], file.size) != 0) return 1;
    printf("%lu\n", (unsigned long)file.size);
    sfd_buffer_free(&file);
    close(srv);
    return 0;
}
