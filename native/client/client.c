/*
 * Connections and requests of the client API: see <sendfiled/sendfiled.h>.
 *
 * Role: make the status pipe, send one datagram with its descriptors. Thread: any; no state. Owns
 * the pipe's write end for the duration of a call and nothing after it. Never waits for an answer,
 * never prints, never changes a descriptor that it was given.
 *
 * Inside, failure is -errno as everywhere in this project; the last function on the way out turns
 * it into the original's -1 and errno.
 */
#include <sendfiled/sendfiled.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "api.h"
#include "base/lane.h"
#include "base/socket_places.h"
#include "memory/memory.h"
#include "protocol/wire.h"
#include "sys/fd.h"
#include "sys/rights.h"
#include "sys/sys.h"

static const struct sfd_sys *const sys = &sfd_sys_linux;

/* Connects `fd`, which it borrows, to the daemon of that directory, or wherever it is. 0 or -errno. */
static int connect_daemon(int fd, const char *sockdir, const char *name)
{
    if (sockdir == NULL) {
        struct sfd_place_rule rule;
        struct sfd_place place;

        sfd_place_rule_init(&rule);
        return sfd_places_connect(&rule, fd, name, &place);
    }

    char path[SFD_PLACE_PATH_SIZE];
    int result = sfd_place_check_name(name);

    if (result == 0) result = sfd_place_socket(sockdir, name, path, sizeof path);
    return result < 0 ? result : sfd_lane_connect(fd, path);
}

static int open_connection(const char *sockdir, const char *name)
{
    int fd = sfd_sys_unix_datagram();

    if (fd < 0) return fd;
    int result = connect_daemon(fd, sockdir, name == NULL ? SFD_DEFAULT_NAME : name);
    /*
     * A datagram socket's connect(2) never waits, so EINTR cannot happen. Nothing is ever received here, so reading is
     * shut down: then no process can fill our queue.
     */
    if (result == 0 && shutdown(fd, SHUT_RD) < 0) result = -errno;
    if (result == 0) return fd;
    sfd_fd_close(sys, &fd);
    return result;
}

int sfd_connect(const char *server_sockdir, const char *server_name)
{
    return sfd_api_result(open_connection(server_sockdir, server_name));
}

int sfd_find(const char *server_name, struct sfd_place *places, unsigned count)
{
    struct sfd_place_rule rule;

    sfd_place_rule_init(&rule);
    return sfd_api_result(sfd_places_find(&rule, server_name == NULL ? SFD_DEFAULT_NAME : server_name, places, count));
}

/*
 * Sends one datagram, which consists of `parts`, with `count` descriptors. 0 or -errno. Blocks while the daemon's queue
 * is full, unless the socket is non-blocking.
 */
static int send_request(int srv, const struct iovec *parts, size_t part_count, const int *descriptors, unsigned count)
{
    union sfd_rights rights;
    struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = part_count};

    sfd_rights_attach(&message, &rights, descriptors, count);

    const int64_t sent = sys->sendmsg(srv, &message, MSG_NOSIGNAL);

    return sent < 0 ? (int)sent : 0;
}

/*
 * Makes a status channel, or a data channel: out[0] for us, out[1] for the daemon. The write end is non-blocking, as
 * the original's was; the read end as asked.
 */
static int make_pipe(bool nonblock, int out[2])
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0) return -errno;
    if (!nonblock) {
        const int cleared = sys->fcntl(fds[0], F_SETFL, 0);

        if (cleared < 0) {
            sfd_fd_close(sys, &fds[0]);
            sfd_fd_close(sys, &fds[1]);
            return cleared;
        }
    }
    out[0] = fds[0];
    out[1] = fds[1];
    return 0;
}

/* A request that is answered: its bytes, and what is passed behind the status channel. */
struct request {
    unsigned char head[SFD_WIRE_EXTENDED_REQUEST_SIZE];
    size_t head_size;
    const char *path;     /* borrowed; NULL: none */
    size_t path_size;     /* with the NUL */
    const void *segments; /* borrowed: as they travel */
    size_t segments_size;
    unsigned segment_count;
    int passed[SFD_RIGHTS_MAX - 1]; /* borrowed: destination, source */
    unsigned passed_count;
};

/* Makes the status pipe and sends the request. Our end of the pipe, or -errno. */
static int submit(int srv, const struct request *request, bool nonblock)
{
    int status[2] = {-1, -1};
    const int made = make_pipe(nonblock, status);

    if (made < 0) return made;

    int descriptors[SFD_RIGHTS_MAX] = {status[1]};
    const struct iovec parts[] = {
        {.iov_base = (void *)(uintptr_t)request->head, .iov_len = request->head_size},
        {.iov_base = (void *)(uintptr_t)request->path, .iov_len = request->path_size},
        {.iov_base = (void *)(uintptr_t)request->segments, .iov_len = request->segments_size},
    };

    memcpy(descriptors + 1, request->passed, sizeof(int) * request->passed_count);

    const int sent = send_request(srv, parts, 3, descriptors, 1 + request->passed_count);

    /* The daemon's duplicate has to be the only write end, or its close would not be seen as EOF.
     */
    sfd_fd_close(sys, &status[1]);
    if (sent < 0) {
        sfd_fd_close(sys, &status[0]);
        return sent;
    }
    return status[0];
}

/* 0, or -errno for a path that no request can carry. */
static int set_path(struct request *request, const char *path)
{
    if (path == NULL) return -EINVAL;

    const size_t length = strnlen(path, SFD_WIRE_MAX_PATH + 1);

    if (length > SFD_WIRE_MAX_PATH) return -ENAMETOOLONG;
    request->path = path;
    request->path_size = length + 1;
    return 0;
}

static void pass(struct request *request, int fd)
{
    request->passed[request->passed_count++] = fd;
}

/* The length as a request of that version has it. */
static uint64_t length_on_wire(size_t length, uint8_t version)
{
    if (length == SFD_TO_END) return version >= SFD_WIRE_VERSION_2 ? SFD_WIRE_TO_END : 0;
    return length;
}

/* A version 1 request on a path; destination is borrowed, NULL: none. The status channel or -errno. */
static int request_path(int srv, uint8_t cmd, const char *path, const int *destination, off_t offset, size_t length,
                        bool nonblock)
{
    struct request request = {.path = NULL};
    const int set = set_path(&request, path);

    if (set < 0) return set;
    if (destination != NULL) pass(&request, *destination);
    request.head_size = sfd_wire_put_path_request(request.head, cmd, offset, length_on_wire(length, SFD_WIRE_VERSION));
    return submit(srv, &request, nonblock);
}

/*
 * Fills the head of an extended request and sends it. Unknown techniques and flags are the daemon's to
 * judge: it may be newer than we are.
 */
static int submit_extended(int srv, uint8_t cmd, struct request *request, off_t offset, size_t length, bool nonblock,
                           const struct sfd_options *options)
{
    static const struct sfd_options none = {0};
    const struct sfd_options *asked = options == NULL ? &none : options;

    if (asked->version > SFD_WIRE_VERSION_2) return -EINVAL;
    if (memcmp(asked->reserved, none.reserved, sizeof none.reserved) != 0) return -EINVAL;
    request->head_size =
        sfd_wire_put_extended_request(request->head, cmd, offset, length_on_wire(length, asked->version), asked,
                                      request->path == NULL ? 0 : request->path_size - 1);
    if (request->segment_count > 0)
        sfd_wire_set_segments(request->head, request->segment_count, request->segments_size);
    return submit(srv, request, nonblock);
}

/* As request_path. */
static int request_path_with(int srv, uint8_t cmd, const char *path, const int *destination, off_t offset,
                             size_t length, bool nonblock, const struct sfd_options *options)
{
    struct request request = {.path = NULL};
    const int set = set_path(&request, path);

    if (set < 0) return set;
    if (destination != NULL) pass(&request, *destination);
    return submit_extended(srv, cmd, &request, offset, length, nonblock, options);
}

int sfd_read(int srv_sockfd, const char *path, off_t offset, size_t len, bool dest_fd_nonblock)
{
    return sfd_api_result(request_path(srv_sockfd, SFD_WIRE_READ_FILE, path, NULL, offset, len, dest_fd_nonblock));
}

int sfd_send(int srv_sockfd, const char *path, int destination_fd, off_t offset, size_t len, bool stat_fd_nonblock)
{
    return sfd_api_result(
        request_path(srv_sockfd, SFD_WIRE_SEND_FILE, path, &destination_fd, offset, len, stat_fd_nonblock));
}

int sfd_open(int srv_sockfd, const char *path, off_t offset, size_t len, bool stat_fd_nonblock)
{
    return sfd_api_result(request_path(srv_sockfd, SFD_WIRE_OPEN_FILE, path, NULL, offset, len, stat_fd_nonblock));
}

/* A request on a transfer. 0 or -errno. */
static int request_transfer(int srv, uint8_t cmd, uint64_t id, const int *destination)
{
    unsigned char message[SFD_WIRE_TRANSFER_REQUEST_SIZE];
    const struct iovec part = {
        .iov_base = message,
        .iov_len = sfd_wire_put_transfer_request(message, cmd, id),
    };

    return send_request(srv, &part, 1, destination, destination == NULL ? 0 : 1);
}

bool sfd_send_open(int srv_sockfd, size_t txnid, int destination_fd)
{
    return sfd_api_result(request_transfer(srv_sockfd, SFD_WIRE_SEND_OPEN_FILE, txnid, &destination_fd)) == 0;
}

bool sfd_cancel(int srv_sockfd, size_t txnid)
{
    return sfd_api_result(request_transfer(srv_sockfd, SFD_WIRE_CANCEL, txnid, NULL)) == 0;
}

int sfd_read_with(int srv_sockfd, const char *path, off_t offset, size_t len, bool dest_fd_nonblock,
                  const struct sfd_options *options)
{
    return sfd_api_result(
        request_path_with(srv_sockfd, SFD_WIRE_READ_FILE_EXT, path, NULL, offset, len, dest_fd_nonblock, options));
}

int sfd_send_with(int srv_sockfd, const char *path, int destination_fd, off_t offset, size_t len, bool stat_fd_nonblock,
                  const struct sfd_options *options)
{
    return sfd_api_result(request_path_with(srv_sockfd, SFD_WIRE_SEND_FILE_EXT, path, &destination_fd, offset, len,
                                            stat_fd_nonblock, options));
}

int sfd_open_with(int srv_sockfd, const char *path, off_t offset, size_t len, bool stat_fd_nonblock,
                  const struct sfd_options *options)
{
    return sfd_api_result(
        request_path_with(srv_sockfd, SFD_WIRE_OPEN_FILE_EXT, path, NULL, offset, len, stat_fd_nonblock, options));
}

int sfd_send_fd(int srv_sockfd, int source_fd, int destination_fd, off_t offset, size_t len, bool stat_fd_nonblock,
                const struct sfd_options *options)
{
    struct request request = {.path = NULL};

    pass(&request, destination_fd);
    pass(&request, source_fd);
    return sfd_api_result(
        submit_extended(srv_sockfd, SFD_WIRE_SEND_DESCRIPTOR, &request, offset, len, stat_fd_nonblock, options));
}

/* Encodes segments into `room` bytes: how many they take up, or -errno for what no request can carry. */
static int put_segments(unsigned char *out, size_t room, const struct sfd_segment *segments, unsigned count)
{
    size_t size = 0;

    if (count > SFD_SEGMENTS_MAX) return -E2BIG;
    for (unsigned i = 0; i < count; i++) {
        const struct sfd_segment *segment = &segments[i];
        const size_t bytes = segment->bytes == NULL ? 0 : segment->length;

        if (segment->bytes == NULL && segment->offset < 0) return -ERANGE; /* -1 would stand for bytes */
        if (room - size < SFD_WIRE_SEGMENT_SIZE || bytes > room - size - SFD_WIRE_SEGMENT_SIZE) return -EMSGSIZE;
        size += sfd_wire_put_segment(out + size, segment);
        if (bytes > 0) memcpy(out + size, segment->bytes, bytes);
        size += bytes;
    }
    return (int)size;
}

/* Sends a request whose path and descriptors are set. The status channel or -errno. */
static int submit_segments(int srv, uint8_t cmd, struct request *request, const struct sfd_segment *segments,
                           unsigned count, bool nonblock, const struct sfd_options *options)
{
    unsigned char encoded[SFD_SEGMENTS_ROOM];
    struct sfd_options asked = {.flags = 0};

    if (options != NULL) asked = *options;
    asked.version = SFD_WIRE_VERSION_2;
    const int size = put_segments(encoded, sizeof encoded - request->path_size, segments, count);
    if (size < 0) return size;
    request->segments = encoded;
    request->segments_size = (size_t)size;
    request->segment_count = count;
    return submit_extended(srv, cmd, request, 0, 0, nonblock, &asked);
}

int sfd_send_segments(int srv_sockfd, const char *path, int destination_fd, const struct sfd_segment *segments,
                      unsigned count, bool stat_fd_nonblock, const struct sfd_options *options)
{
    struct request request = {.path = NULL};
    const int set = set_path(&request, path);

    if (set < 0) return sfd_api_result(set);
    pass(&request, destination_fd);
    return sfd_api_result(
        submit_segments(srv_sockfd, SFD_WIRE_SEND_FILE_EXT, &request, segments, count, stat_fd_nonblock, options));
}

int sfd_send_fd_segments(int srv_sockfd, int source_fd, int destination_fd, const struct sfd_segment *segments,
                         unsigned count, bool stat_fd_nonblock, const struct sfd_options *options)
{
    struct request request = {.path = NULL};

    pass(&request, destination_fd);
    pass(&request, source_fd);
    return sfd_api_result(
        submit_segments(srv_sockfd, SFD_WIRE_SEND_DESCRIPTOR, &request, segments, count, stat_fd_nonblock, options));
}

/* Sends a Read File with a data channel. The status channel, with our end of the data channel in *data, or -errno. */
static int read_split(int srv, const char *path, off_t offset, size_t length, bool nonblock,
                      const struct sfd_options *options, int *data)
{
    struct sfd_options asked = {.flags = 0};
    int ends[2] = {-1, -1};

    if (options != NULL) asked = *options;
    asked.version = SFD_WIRE_VERSION_2;
    const int made = make_pipe(nonblock, ends);
    if (made < 0) return made;

    const int status = request_path_with(srv, SFD_WIRE_READ_FILE_EXT, path, &ends[1], offset, length, nonblock, &asked);

    sfd_fd_close(sys, &ends[1]); /* as of a status channel: the daemon's close has to be the last one */
    if (status < 0)
        sfd_fd_close(sys, &ends[0]);
    else
        *data = ends[0];
    return status;
}

int sfd_read_split(int srv_sockfd, const char *path, off_t offset, size_t len, bool nonblock,
                   const struct sfd_options *options, int *data_fd)
{
    return sfd_api_result(read_split(srv_sockfd, path, offset, len, nonblock, options, data_fd));
}

/* What comes behind the last slash: how a file is called. */
static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

/* The name of a memory file, cut to what memfd_create(2) takes. */
static int open_memory(const char *path)
{
    char name[SFD_MEMORY_NAME_MAX + 1];

    (void)snprintf(name, sizeof name, "%s", name_of(path));
    return sfd_memory_open(&sfd_sys_memory_linux, name);
}

static int read_buffer(int srv, const char *path, off_t offset, size_t len, bool nonblock,
                       const struct sfd_options *options, struct sfd_buffer *out)
{
    struct sfd_options asked = {.flags = 0};
    struct sfd_buffer buffer = SFD_BUFFER_INIT;

    if (path == NULL) return -EINVAL;
    if (options != NULL) asked = *options;
    asked.flags |= SFD_OPTION_SEAL;
    buffer.fd = open_memory(path);
    if (buffer.fd < 0) return buffer.fd;

    const int status = request_path_with(srv, SFD_WIRE_SEND_FILE_EXT, path, &buffer.fd, offset, len, nonblock, &asked);

    if (status < 0) {
        sfd_memory_free(&sfd_sys_memory_linux, &buffer);
        return status;
    }
    *out = buffer;
    return status;
}

int sfd_read_buffer(int srv_sockfd, const char *path, off_t offset, size_t len, bool stat_fd_nonblock,
                    const struct sfd_options *options, struct sfd_buffer *out)
{
    return sfd_api_result(read_buffer(srv_sockfd, path, offset, len, stat_fd_nonblock, options, out));
}

static int send_buffer(int srv, struct sfd_buffer *buffer, int destination, off_t offset, size_t len, bool nonblock,
                       const struct sfd_options *options)
{
    if (buffer->fd < 0) return -EBADF;
    if (offset < 0 || (uint64_t)offset > buffer->size) return -ERANGE;

    const bool exact = options != NULL && options->version >= SFD_WIRE_VERSION_2;
    const size_t rest = buffer->size - (size_t)offset;

    if (len == SFD_TO_END || (len == 0 && !exact)) len = rest;
    if (len > rest) return -ERANGE;

    int result = sfd_memory_seal(&sfd_sys_memory_linux, buffer);
    uint64_t end = 0;

    if (result == 0) result = sfd_sys_memory_linux.file_size(buffer->fd, &end);
    if (result < 0) return result;
    /* In version 1 no length is "to the end of the file", which may be longer: huge pages are whole. */
    if (len == 0 && !exact) offset = (off_t)end;

    struct request request = {.path = NULL};

    pass(&request, destination);
    pass(&request, buffer->fd);
    return submit_extended(srv, SFD_WIRE_SEND_DESCRIPTOR, &request, offset, len, nonblock, options);
}

int sfd_send_buffer(int srv_sockfd, struct sfd_buffer *buffer, int destination_fd, off_t offset, size_t len,
                    bool stat_fd_nonblock, const struct sfd_options *options)
{
    return sfd_api_result(send_buffer(srv_sockfd, buffer, destination_fd, offset, len, stat_fd_nonblock, options));
}
