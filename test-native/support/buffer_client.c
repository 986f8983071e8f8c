/*
 * Buffers through the C client library, for system tests: with a daemon, and with another process of any language.
 *
 *   buffer_client read SOCKDIR NAME PATH [OFFSET [LENGTH]]      Read File into a buffer
 *   buffer_client send SOCKDIR NAME FILE OFFSET LENGTH DESTINATION
 *                                  Send Buffer: a local FILE, read into a buffer here; DESTINATION is a path
 *   buffer_client give SOCKET FILE [move]   hands a local FILE's bytes to who listens at SOCKET
 *   buffer_client take SOCKET [write]       takes a buffer from who listens at SOCKET; with "write" it asks for one to
 *                                  write to, turns each byte round, and hands it back
 *
 * One line of JSON on stdout tells the outcome:
 *   {"done":B,"errno":N,"size":N,"sha256":"...","seal":N,"writes":N}
 * errno: of the call or the transfer that failed. seal: enum sfd_buffer_seal. writes: how many of four ways to write to
 * the bytes this process still has (through the mapping, by a new one, by write(2), by ftruncate(2)).
 *
 * Exit: 0 whatever came of it, 1 when this side failed, 2 usage.
 */
#include <sendfiled/sendfiled.h>

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "driver_common.h"

static sigjmp_buf after_fault;

static void on_fault(int number)
{
    siglongjmp(after_fault, number);
}

/* Whether this process can write through the mapping that it has. */
static bool writes_through_mapping(const struct sfd_buffer *buffer)
{
    struct sigaction action = {.sa_handler = on_fault};
    struct sigaction before;
    volatile bool wrote = false;

    if (buffer->data == NULL) return false;
    (void)sigaction(SIGSEGV, &action, &before);
    if (sigsetjmp(after_fault, 1) == 0) {
        volatile char *const byte = buffer->data;

        *byte = *byte;
        wrote = true;
    }
    (void)sigaction(SIGSEGV, &before, NULL);
    return wrote;
}

static int count_writes(const struct sfd_buffer *buffer)
{
    char byte = 'x';
    int writes = writes_through_mapping(buffer) ? 1 : 0;

    if (buffer->data == NULL) return 0;
    void *const again = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, buffer->fd, 0);

    if (again != MAP_FAILED) {
        writes++;
        (void)munmap(again, 1);
    }
    byte = *(const char *)buffer->data;
    writes += pwrite(buffer->fd, &byte, 1, 0) == 1 ? 1 : 0;
    writes += ftruncate(buffer->fd, (off_t)buffer->size + 1) == 0 ? 1 : 0;
    return writes;
}

static int tell(int error, const struct sfd_buffer *buffer)
{
    char hex[SHA256_HEX_SIZE] = "";

    if (error == 0) {
        struct sha256 hash;

        sha256_init(&hash);
        sha256_update(&hash, buffer->data, buffer->size);
        sha256_finish(&hash, hex);
    }
    printf("{\"done\":%s,\"errno\":%d,\"size\":%zu,\"sha256\":\"%s\",\"seal\":%d,\"writes\":%d}\n",
           error == 0 ? "true" : "false", error, buffer->size, hex, buffer->seal,
           error == 0 ? count_writes(buffer) : 0);
    return 0;
}

/* Waits for the end of a transfer: 0, or the errno for which it failed. */
static int await_end(int status)
{
    struct sfd_events events;
    struct sfd_event event;

    sfd_events_init(&events, SFD_EVENTS_OF_SEND);
    while (sfd_events_next(&events, status, &event) > 0)
        if (event.type == SFD_EVENT_COMPLETE || event.type == SFD_EVENT_FAILED) return event.error;
    return errno;
}

static struct sfd_buffer load(const char *path)
{
    struct sfd_buffer buffer;
    struct stat st;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) < 0 || sfd_buffer_alloc(&buffer, "given", (size_t)st.st_size, 0) < 0) driver_die(path);
    for (size_t have = 0; have < buffer.size;) {
        const ssize_t count = read(fd, (char *)buffer.data + have, buffer.size - have);

        if (count <= 0) driver_die(path);
        have += (size_t)count;
    }
    (void)close(fd);
    return buffer;
}

static int connect_daemon(const char *sockdir, const char *name)
{
    const int srv = sfd_connect(sockdir, name);

    if (srv < 0) driver_die("sfd_connect");
    return srv;
}

static int run_read(int argc, char **argv)
{
    struct sfd_buffer buffer = SFD_BUFFER_INIT;
    int srv = connect_daemon(argv[0], argv[1]);
    int status = sfd_read_buffer(srv, argv[2], argc > 3 ? (off_t)strtoll(argv[3], NULL, 0) : 0,
                                 argc > 4 ? (size_t)strtoull(argv[4], NULL, 0) : 0, false, NULL, &buffer);

    if (status < 0) driver_die("sfd_read_buffer");
    int error = await_end(status);

    if (error == 0 && sfd_buffer_map(&buffer, 0) < 0) error = errno;
    (void)tell(error, &buffer);
    sfd_buffer_free(&buffer);
    driver_close(&status);
    driver_close(&srv);
    return 0;
}

static int run_send(int argc, char **argv)
{
    struct sfd_buffer buffer = load(argv[2]);
    int srv = connect_daemon(argv[0], argv[1]);
    int destination = open(argv[5], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    (void)argc;
    if (destination < 0) driver_die(argv[5]);
    int status = sfd_send_buffer(srv, &buffer, destination, (off_t)strtoll(argv[3], NULL, 0),
                                 (size_t)strtoull(argv[4], NULL, 0), false, NULL);
    const int error = status < 0 ? errno : await_end(status);

    (void)tell(error, &buffer);
    sfd_buffer_free(&buffer);
    driver_close(&status);
    driver_close(&destination);
    driver_close(&srv);
    return 0;
}

static int connect_peer(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) driver_die(path);
    return fd;
}

static int run_give(int argc, char **argv)
{
    const bool moves = argc > 2;
    struct sfd_buffer buffer = load(argv[1]);
    int peer = connect_peer(argv[0]);
    const int sent = moves ? sfd_buffer_move(peer, &buffer) : sfd_buffer_send(peer, &buffer);
    const int error = sent < 0 ? errno : 0;

    (void)tell(error, &buffer);
    sfd_buffer_free(&buffer);
    driver_close(&peer);
    return 0;
}

static int run_take(int argc, char **argv)
{
    const bool writes = argc > 1;
    struct sfd_buffer buffer = SFD_BUFFER_INIT;
    int peer = connect_peer(argv[0]);
    const int got = sfd_buffer_recv(peer, &buffer, writes ? SFD_BUFFER_WRITABLE : 0);
    int error = got < 0 ? errno : got == 0 ? ECONNRESET : 0;

    if (error == 0 && writes) {
        unsigned char *const bytes = buffer.data;

        for (size_t i = 0; i < buffer.size; i++)
            bytes[i] = (unsigned char)~bytes[i];
        if (sfd_buffer_send(peer, &buffer) < 0) error = errno;
    }
    (void)tell(error, &buffer);
    sfd_buffer_free(&buffer);
    driver_close(&peer);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int least;
        int most;
        int (*run)(int argc, char **argv);
    } commands[] = {
        {"read", 3, 5, run_read},
        {"send", 6, 6, run_send},
        {"give", 2, 3, run_give},
        {"take", 1, 2, run_take},
    };

    for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(argv[1], commands[i].name) == 0 && argc - 2 >= commands[i].least && argc - 2 <= commands[i].most)
            return commands[i].run(argc - 2, argv + 2);
    fputs("usage: see the beginning of buffer_client.c\n", stderr);
    return DRIVER_USAGE;
}
