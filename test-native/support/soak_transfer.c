/*
 * One transfer of the soak: see soak.h. Spoken by PROTOCOL.md and wire.h's drawings, and not by our encoder.
 */
#include "soak.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "driver_common.h"

enum { OPEN = 1, READ, SEND, SEND_OPEN, CANCEL, EXTENDED = 0x10, SEND_DESCRIPTOR = 0x14 };
enum { HEADER = 24, EXTENDED_HEADER = 48, ID_REQUEST = 16 };
enum { INFO = 0x81, STATUS = 0x82, REFUSAL = 0x91, RESULT = 0x92 };
enum { INFO_SIZE = 48, STATUS_SIZE = 16, REFUSAL_SIZE = 16, RESULT_SIZE = 32, ERROR_SIZE = 2 };
enum { MESSAGES_MAX = 4096, PATIENCE_MS = 30000 };

#define COMPLETE UINT64_MAX

struct transfer {
    struct soaker *s;
    const struct soak_file *file;
    uint64_t offset, length; /* as asked for; length 0: to the end */
    uint64_t size;           /* what must come */
    uint8_t command;         /* of version 1 */
    bool extended;
    int status, data, sink; /* sink: the destination, ours until it is sent */
    const char *destination;
    uint8_t messages[MESSAGES_MAX];
    size_t message_bytes;
    uint64_t received;
    uint64_t id;
    bool begun, complete, ended, failed;
};

static void fail(struct transfer *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void fail(struct transfer *t, const char *format, ...)
{
    char what[100];
    va_list arguments;

    t->failed = true;
    if (t->s->failures++ > 0) return;
    va_start(arguments, format);
    (void)vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    (void)snprintf(t->s->first_failure, sizeof t->s->first_failure, "%s: command %d%s, %s to %s, range %llu+%llu", what,
                   t->command, t->extended ? " extended" : "", t->file->path,
                   t->destination == NULL ? "itself" : t->destination, (unsigned long long)t->offset,
                   (unsigned long long)t->length);
}

/* ------------------------------------------------------------------ asking */

static size_t put_request(const struct transfer *t, uint8_t *bytes)
{
    const bool has_path = t->command != SEND_DESCRIPTOR;
    const size_t header = t->extended ? EXTENDED_HEADER : HEADER;
    const size_t path = has_path ? strlen(t->file->path) + 1 : 0;
    const uint16_t version = 1;
    const uint32_t total = (uint32_t)(header + path);

    memset(bytes, 0, header);
    bytes[0] = (uint8_t)(t->command | (t->extended ? EXTENDED : 0));
    memcpy(bytes + 8, &t->offset, sizeof t->offset);
    memcpy(bytes + 16, &t->length, sizeof t->length);
    if (t->extended) {
        memcpy(bytes + 2, &version, sizeof version);
        memcpy(bytes + 4, &total, sizeof total);
    }
    if (has_path) memcpy(bytes + header, t->file->path, path);
    return total;
}

static void send_request(struct transfer *t)
{
    uint8_t bytes[EXTENDED_HEADER + 4096];
    int fds[3];
    int ends[2];
    size_t count = 0;
    int source = -1;

    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) driver_die("pipe");
    t->status = ends[0];
    fds[count++] = ends[1];
    if (t->command == SEND || t->command == SEND_DESCRIPTOR) fds[count++] = t->sink;
    if (t->command == SEND_DESCRIPTOR) {
        source = open(t->file->name, O_RDONLY | O_CLOEXEC);
        if (source < 0) driver_die(t->file->name);
        fds[count++] = source;
    }
    const int error = hostile_send_bytes(t->s->socket, bytes, put_request(t, bytes), fds, count);
    if (error != 0) fail(t, "errno %d from sending", error);
    close(ends[1]);
    driver_close(&source);
    if (t->command != OPEN && t->destination != NULL && t->data >= 0) driver_close(&t->sink);
}

static int send_id(const struct transfer *t, uint8_t command, const int *fds, size_t count)
{
    uint8_t bytes[ID_REQUEST] = {command};

    memcpy(bytes + 8, &t->id, sizeof t->id);
    return hostile_send_bytes(t->s->socket, bytes, sizeof bytes, fds, count);
}

static void send_open_file(struct transfer *t)
{
    const int error = send_id(t, SEND_OPEN, &t->sink, 1);

    if (error != 0) fail(t, "errno %d from sending", error);
    if (t->data >= 0) driver_close(&t->sink);
}

/* ------------------------------------------------------------------ what comes */

static void take_data(struct transfer *t, const uint8_t *bytes, size_t count)
{
    if (t->received + count > t->size || memcmp(t->file->bytes + t->offset + t->received, bytes, count) != 0)
        fail(t, "wrong bytes at %llu", (unsigned long long)t->received);
    t->received += count;
    t->s->bytes += count;
}

static uint64_t number_at(const uint8_t *bytes, size_t at)
{
    uint64_t value;

    memcpy(&value, bytes + at, sizeof value);
    return value;
}

static void take_message(struct transfer *t, const uint8_t *bytes)
{
    if (t->ended) fail(t, "message %d after the last one", bytes[0]);
    if (bytes[0] == INFO) {
        t->begun = true;
        t->id = number_at(bytes, 40);
        if (number_at(bytes, 8) != t->size) fail(t, "size %llu", (unsigned long long)number_at(bytes, 8));
        if (t->command == OPEN && !t->failed) send_open_file(t);
    } else if (bytes[0] == STATUS) {
        t->complete = t->ended = number_at(bytes, 8) == COMPLETE;
    } else { /* a Result: it says how many */
        t->complete = t->ended = true;
        if (number_at(bytes, 8) != t->size) fail(t, "a result of %llu", (unsigned long long)number_at(bytes, 8));
    }
}

/* How long the message at the start is; 0: unknown yet or never. */
static size_t message_size(const uint8_t *bytes, size_t count)
{
    if (count < 2) return 0;
    if (bytes[1] != 0) return bytes[0] == REFUSAL ? REFUSAL_SIZE : bytes[0] == RESULT ? RESULT_SIZE : ERROR_SIZE;
    return bytes[0] == INFO ? INFO_SIZE : bytes[0] == STATUS ? STATUS_SIZE : bytes[0] == RESULT ? RESULT_SIZE : 0;
}

/* Of a Read File all between the File Information and the Result is data. */
static size_t data_ahead(const struct transfer *t)
{
    return t->command == READ && t->begun ? (size_t)(t->size - t->received) : 0;
}

static void take_status(struct transfer *t, const uint8_t *bytes, size_t count)
{
    while (count > 0 && !t->failed) {
        size_t n = data_ahead(t);
        if (n > 0 && t->message_bytes == 0) {
            n = n < count ? n : count;
            take_data(t, bytes, n);
            bytes += n;
            count -= n;
            continue;
        }
        t->messages[t->message_bytes++] = *bytes++;
        count--;
        const size_t size = message_size(t->messages, t->message_bytes);
        if (size == 0 || t->message_bytes < size) {
            if (t->message_bytes > RESULT_SIZE + INFO_SIZE) fail(t, "message %d", t->messages[0]);
            continue;
        }
        t->message_bytes = 0;
        if (t->messages[1] != 0)
            fail(t, "errno %d in message %d", t->messages[1], t->messages[0]);
        else
            take_message(t, t->messages);
    }
}

/* Reads what is there. False at the end of it. */
static bool take_from(struct transfer *t, int fd, void (*take)(struct transfer *, const uint8_t *, size_t))
{
    static _Thread_local uint8_t buffer[128 * 1024];
    const ssize_t n = read(fd, buffer, sizeof buffer);

    if (n > 0) take(t, buffer, (size_t)n);
    /* A terminal's master says EIO when the last slave is closed. */
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* To the end of both channels. */
static void receive(struct transfer *t)
{
    struct pollfd fds[2] = {{.fd = t->status, .events = POLLIN}, {.fd = t->data, .events = POLLIN}};

    while ((fds[0].fd >= 0 || fds[1].fd >= 0) && !t->failed) {
        const int n = poll(fds, 2, PATIENCE_MS);
        if (n == 0) {
            fail(t, "silence after %llu bytes", (unsigned long long)t->received);
            return;
        }
        if (fds[1].revents != 0 && !take_from(t, t->data, take_data)) fds[1].fd = -1;
        if (fds[0].revents != 0 && !take_from(t, t->status, take_status)) fds[0].fd = -1;
    }
}

/* What has been written to a file: it was never read. */
static void take_file(struct transfer *t)
{
    static _Thread_local uint8_t buffer[64 * 1024];
    ssize_t n;
    off_t at = 0;

    while ((n = pread(t->sink, buffer, sizeof buffer, at)) > 0 && !t->failed) {
        take_data(t, buffer, (size_t)n);
        at += n;
    }
}

/* ------------------------------------------------------------------ one transfer */

static void open_destination(struct transfer *t)
{
    static const char *const kinds[] = {"pipe", "pipe/blocking",   "unix",   "unix/blocking",
                                        "tcp",  "tcp/nonblocking", "memory", "null"};

    t->destination = kinds[chance_below(&t->s->chance, sizeof kinds / sizeof kinds[0])];
    if (strcmp(t->destination, "memory") == 0) {
        t->data = -1;
        t->sink = memfd_create("soak", MFD_CLOEXEC);
        if (t->sink < 0) driver_die("memfd_create");
    } else {
        t->sink = driver_open_destination(t->destination, &t->data);
    }
}

static void prepare(struct transfer *t, struct soaker *s, const struct soak_file *file)
{
    static const uint8_t commands[] = {OPEN, READ, READ, SEND, SEND, SEND_DESCRIPTOR};

    *t = (struct transfer){.s = s, .file = file, .status = -1, .data = -1, .sink = -1};
    t->command = commands[chance_below(&s->chance, sizeof commands)];
    t->extended = t->command == SEND_DESCRIPTOR || chance_of(&s->chance, 30);
    t->size = file->size;
    if (file->size > 0 && chance_of(&s->chance, 30)) {
        t->offset = chance_next(&s->chance) % (file->size + 1);
        t->size = file->size - t->offset;
        if (t->size > 0 && chance_of(&s->chance, 50)) {
            t->length = 1 + chance_next(&s->chance) % t->size;
            t->size = t->length;
        }
    }
    if (t->command != READ) open_destination(t);
}

static void finish(struct transfer *t)
{
    driver_close(&t->status);
    driver_close(&t->data);
    driver_close(&t->sink);
}

static const struct soak_file *any_file(struct soaker *s)
{
    return &s->soak->files[chance_below(&s->chance, (uint32_t)s->soak->count)];
}

void soak_transfer(struct soaker *s)
{
    struct transfer t;

    prepare(&t, s, any_file(s));
    send_request(&t);
    if (!t.failed) receive(&t);
    if (!t.failed && t.destination != NULL && strcmp(t.destination, "memory") == 0) take_file(&t);
    const bool unread = t.destination != NULL && strcmp(t.destination, "null") == 0;
    const bool says_complete = t.command != READ || t.extended;
    if (!t.failed && says_complete && !t.complete) fail(&t, "no complete");
    if (!t.failed && !unread && t.received != t.size)
        fail(&t, "%llu bytes of %llu", (unsigned long long)t.received, (unsigned long long)t.size);
    finish(&t);
    s->honest++;
}

/* Takes a little, if something comes at once. */
static void take_a_little(struct transfer *t)
{
    struct pollfd fds[2] = {{.fd = t->status, .events = POLLIN}, {.fd = t->data, .events = POLLIN}};
    char buffer[100];

    (void)poll(fds, 2, 5);
    if (fds[0].revents != 0 && read(t->status, buffer, sizeof buffer) >= INFO_SIZE)
        t->id = number_at((const uint8_t *)buffer, 40);
    if (fds[1].revents != 0) (void)!read(t->data, buffer, 1);
}

/* Dies with transfers under way. */
static void die_in_mid_transfer(struct soaker *s)
{
    const pid_t child = fork();

    if (child < 0) driver_die("fork");
    if (child == 0) {
        for (int i = 0; i < 4; i++) {
            struct transfer t;
            prepare(&t, s, &s->soak->files[s->soak->biggest]);
            send_request(&t);
        }
        (void)raise(SIGKILL);
        _exit(1);
    }
    (void)waitpid(child, NULL, 0);
}

void soak_leave(struct soaker *s)
{
    struct transfer t;

    s->hostile++;
    if (chance_of(&s->chance, 2)) {
        die_in_mid_transfer(s);
        return;
    }
    prepare(&t, s, chance_of(&s->chance, 50) ? &s->soak->files[s->soak->biggest] : any_file(s));
    send_request(&t);
    if (chance_of(&s->chance, 60)) take_a_little(&t);
    if (t.id != 0 && chance_of(&s->chance, 50)) (void)send_id(&t, CANCEL, NULL, 0);
    if (chance_of(&s->chance, 50)) driver_close(&t.data); /* the destination goes first, or the status channel */
    finish(&t);
}
