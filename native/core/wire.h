/*
 * Codec of the wire protocol, version 1. The layouts are drawn in <sendfiled/wire.h>.
 *
 * Role: turn messages into bytes and back. Thread: any; there is no state. Owns: nothing; every
 * buffer belongs to the caller. Never allocates, never makes a system call, never reads past the
 * length that it was given.
 */
#ifndef SFD_CORE_WIRE_H
#define SFD_CORE_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include <sendfiled/wire.h>

struct sfd_wire_file_info {
    uint64_t size; /* bytes that the transfer will move: the range, not the file */
    int64_t atime; /* seconds since the epoch */
    int64_t mtime;
    int64_t ctime;
    uint64_t id; /* transfer id */
};

/* What an extended request asks for beside its range. All 0: what a version 1 request gets. */
struct sfd_options {
    uint64_t rate;        /* bytes a second; 0: as fast as it goes */
    uint32_t idle_ms;     /* ends when no byte moved for so long; 0: the daemon's setting */
    uint32_t deadline_ms; /* ends so long after its receipt; 0: never */
    uint8_t technique;    /* enum sfd_technique; 0: auto */
    uint8_t flags;
};

/*
 * Responses, written by the daemon. Each returns the number of bytes written; buf has room for
 * SFD_WIRE_MAX_RESPONSE_SIZE and needs no alignment.
 */
size_t sfd_wire_put_file_info(void *buf, const struct sfd_wire_file_info *info);

/* moved is below SFD_WIRE_COMPLETE, which no file reaches. */
size_t sfd_wire_put_xfer_stat(void *buf, uint64_t moved);

size_t sfd_wire_put_complete(void *buf);

/* cmd is SFD_WIRE_FILE_INFO or SFD_WIRE_XFER_STAT. An errnum outside 1..255, which one byte could
   not carry (0 would read as success), becomes EIO. */
size_t sfd_wire_put_error(void *buf, uint8_t cmd, int errnum);

/*
 * Requests, written by a client. Each returns the number of bytes written.
 */

/* cmd is SFD_WIRE_OPEN_FILE, _READ_FILE or _SEND_FILE. The path and its NUL follow these bytes. */
size_t sfd_wire_put_path_request(void *buf, uint8_t cmd, int64_t offset, uint64_t length);

/* cmd is SFD_WIRE_SEND_OPEN_FILE or SFD_WIRE_CANCEL. */
size_t sfd_wire_put_transfer_request(void *buf, uint8_t cmd, uint64_t id);

struct sfd_wire_request {
    uint8_t cmd;
    int64_t offset;     /* path requests */
    uint64_t length;    /* path requests; 0: to the end of the file */
    const char *path;   /* path requests: borrowed from the datagram, NUL-terminated */
    size_t path_length; /* without the NUL, 1..SFD_WIRE_MAX_PATH */
    uint64_t id;        /* transfer requests */
};

/*
 * Checks and decodes one datagram. 0, or with *out untouched:
 *   -EBADMSG          shorter than 2 bytes, stat not 0, an unknown command, a wrong length, no NUL
 *                     at the end of the path or another one inside
 *   -EPROTONOSUPPORT  a command of the extensions (0x10-0x7f)
 *   -ENAMETOOLONG     a path longer than SFD_WIRE_MAX_PATH
 *   -ENOENT           an empty path
 *   -ERANGE           a negative offset, or an end beyond INT64_MAX
 * The first that applies, in this order. Padding is not looked at. The daemon's own decoder is
 * io.sendfiled.protocol.RequestDecoder; the golden vectors hold the two to the same answers.
 */
int sfd_wire_get_request(const void *buf, size_t len, struct sfd_wire_request *out);

enum sfd_wire_response_kind {
    SFD_WIRE_RESPONSE_INFO,
    SFD_WIRE_RESPONSE_PROGRESS,
    SFD_WIRE_RESPONSE_COMPLETE,
    SFD_WIRE_RESPONSE_ERROR
};

struct sfd_wire_response {
    enum sfd_wire_response_kind kind;
    uint8_t cmd;                    /* ERROR: which message failed */
    int errnum;                     /* ERROR: 1..255 */
    uint64_t moved;                 /* PROGRESS: bytes since the previous one */
    struct sfd_wire_file_info info; /* INFO */
};

/*
 * Decodes the response at the start of a status channel's bytes. Returns the number of bytes that
 * it takes up; 0 when more bytes are needed; -EBADMSG when no response starts like this. *out is
 * written only when the result is positive.
 */
int sfd_wire_get_response(const void *buf, size_t len, struct sfd_wire_response *out);

#endif
