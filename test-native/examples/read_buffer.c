/*
 * read_buffer: reads a file into memory by Read File, and writes it to standard output.
 *
 *   read_buffer [--send] SOCKDIR NAME PATH
 *
 * The daemon fills a memory file and seals it: this program has the bytes as an array, without a pipe, a copy or a loop
 * that reads. With --send it does not write them itself: the daemon sends the buffer (Send Buffer), which can go to any
 * number of sockets at a time.
 *
 * It waits for nothing else, and so the status channels are blocking ones.
 */
#include <errno.h>
#include <sendfiled.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Waits for the end of a transfer, whose status channel it closes. False, with errno, if not all bytes were moved. */
static bool is_complete(int channel)
{
    struct sfd_events events;
    struct sfd_event event = {.type = SFD_EVENT_NONE};

    if (channel < 0) return false;
    sfd_events_init(&events, SFD_EVENTS_OF_SEND);
    while (event.type != SFD_EVENT_COMPLETE && event.type != SFD_EVENT_FAILED)
        if (sfd_events_next(&events, channel, &event) < 0)
            event = (struct sfd_event){.type = SFD_EVENT_FAILED, .error = errno};
    (void)close(channel);
    errno = event.error;
    return event.type == SFD_EVENT_COMPLETE;
}

static bool write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        const ssize_t count = write(fd, bytes, size);

        if (count < 0) return false;
        bytes += count;
        size -= (size_t)count;
    }
    return true;
}

int main(int argc, char **argv)
{
    const bool send = argc > 1 && strcmp(argv[1], "--send") == 0;
    char **const arguments = argv + (send ? 2 : 1);
    struct sfd_buffer buffer = SFD_BUFFER_INIT;
    int daemon;
    bool ok;

    if (argc != (send ? 5 : 4)) {
        (void)fprintf(stderr, "usage: %s [--send] SOCKDIR NAME PATH\n", argv[0]);
        return 2;
    }
    daemon = sfd_connect(arguments[0], arguments[1]);
    ok = daemon >= 0 && is_complete(sfd_read_buffer(daemon, arguments[2], 0, 0, false, NULL, &buffer)) &&
         sfd_buffer_map(&buffer, 0) == 0;
    if (ok && buffer.size > 0) {
        ok = send ? is_complete(sfd_send_buffer(daemon, &buffer, STDOUT_FILENO, 0, 0, false, NULL))
                  : write_all(STDOUT_FILENO, buffer.data, buffer.size);
    }
    if (!ok) (void)fprintf(stderr, "%s: %s: %s\n", argv[0], arguments[2], strerror(errno));
    sfd_buffer_free(&buffer);
    if (daemon >= 0) (void)close(daemon);
    return ok ? 0 : 1;
}
