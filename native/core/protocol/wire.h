/*
 * Codec of the wire protocol. The layouts are drawn in <sendfiled/wire.h>.
 *
 * Role: turn requests into bytes, and responses into bytes and back. Thread: any; there is no state. Owns: nothing;
 * every buffer belongs to the caller. Never allocates, never makes a system call, never reads past the length that it
 * was given.
 */
#ifndef SFD_PROTOCOL_WIRE_H
#define SFD_PROTOCOL_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include <sendfiled/segments.h>
#include <sendfiled/wire.h>

struct sfd_wire_file_info {
    uint64_t size; /* bytes that the transfer will move: the range, not the file */
    int64_t atime; /* seconds since the epoch */
    int64_t mtime;
    int64_t ctime;
    uint64_t id; /* transfer id */
};

/* What File Details tell of the file; `size` is the whole file's. The times' seconds are in its File Information. */
struct sfd_wire_file_details {
    uint64_t size;
    uint64_t inode;
    uint64_t device; /* st_dev */
    uint32_t atime_ns;
    uint32_t mtime_ns;
    uint32_t ctime_ns;
    uint16_t mode; /* st_mode: type and permissions */
};

/*
 * Responses, written by the daemon. Each returns the number of bytes written; buf has room for
 * SFD_WIRE_MAX_RESPONSE_SIZE and needs no alignment.
 */
size_t sfd_wire_put_file_info(void *buf, const struct sfd_wire_file_info *info);

/* Goes directly before the File Information of a request of version 2. */
size_t sfd_wire_put_file_details(void *buf, const struct sfd_wire_file_details *details);

/* moved is below SFD_WIRE_COMPLETE, which no file reaches. */
size_t sfd_wire_put_xfer_stat(void *buf, uint64_t moved);

size_t sfd_wire_put_complete(void *buf);

/* cmd is SFD_WIRE_FILE_INFO or SFD_WIRE_XFER_STAT. An errnum outside 1..255, which one byte could
   not carry (0 would read as success), becomes EIO. */
size_t sfd_wire_put_error(void *buf, uint8_t cmd, int errnum);

/* What a Result tells beside the errno. */
struct sfd_wire_result {
    uint64_t moved;        /* bytes, in all */
    uint64_t elapsed_ns;   /* from receipt of the request to the last byte accepted */
    uint32_t cold_windows; /* how many times it waited for the disk */
    uint8_t technique;     /* of enum sfd_technique: the one that moved the bytes */
    uint8_t fits;          /* bit n is set if technique n would have fit; 0: not the reason */
};

/*
 * The refusal of an extended request; errnum as in sfd_wire_put_error. `fits`: bit n is set if technique n would fit, 0
 * when techniques are not the reason.
 */
size_t sfd_wire_put_refusal(void *buf, int errnum, uint32_t fits);

/* The end of an extended transfer. errnum 0: complete; else as in sfd_wire_put_error. */
size_t sfd_wire_put_result(void *buf, int errnum, const struct sfd_wire_result *result);

/*
 * Requests, written by a client. Each returns the number of bytes written. The daemon decodes them in Java:
 * io.sendfiled.protocol.RequestDecoder.
 */

/* cmd is SFD_WIRE_OPEN_FILE, _READ_FILE or _SEND_FILE. The path and its NUL follow these bytes. */
size_t sfd_wire_put_path_request(void *buf, uint8_t cmd, int64_t offset, uint64_t length);

/* cmd is SFD_WIRE_SEND_OPEN_FILE or SFD_WIRE_CANCEL. */
size_t sfd_wire_put_transfer_request(void *buf, uint8_t cmd, uint64_t id);

/*
 * cmd is SFD_WIRE_OPEN_FILE_EXT, _READ_FILE_EXT or _SEND_FILE_EXT: a path of `path_length` bytes and its
 * NUL follow these bytes. Or SFD_WIRE_SEND_DESCRIPTOR: nothing follows, path_length is ignored. `length` as the version
 * has it that the options ask for: "to the end" is 0 in version 1, and SFD_WIRE_TO_END in version 2.
 */
size_t sfd_wire_put_extended_request(void *buf, uint8_t cmd, int64_t offset, uint64_t length,
                                     const struct sfd_options *options, size_t path_length);

/*
 * Makes an encoded extended request of version 2 one with `count` segments, whose `size` bytes follow the path's NUL,
 * or the request itself if it has no path.
 */
void sfd_wire_set_segments(void *request, unsigned count, size_t size);

/* The head of one segment; if it is bytes, they follow. SFD_WIRE_SEGMENT_SIZE. */
size_t sfd_wire_put_segment(void *buf, const struct sfd_segment *segment);

/*
 * Decodes the segment at the start of `len` bytes, whose range is not looked at; its bytes are borrowed. The number of
 * bytes that it takes up, or -EBADMSG when it is cut.
 */
int sfd_wire_get_segment(const void *buf, size_t len, struct sfd_segment *out);

enum sfd_wire_response_kind {
    SFD_WIRE_RESPONSE_INFO,
    SFD_WIRE_RESPONSE_PROGRESS,
    SFD_WIRE_RESPONSE_COMPLETE,
    SFD_WIRE_RESPONSE_ERROR,
    SFD_WIRE_RESPONSE_REFUSAL,
    SFD_WIRE_RESPONSE_RESULT,
    SFD_WIRE_RESPONSE_DETAILS
};

struct sfd_wire_response {
    enum sfd_wire_response_kind kind;
    uint8_t cmd;                          /* ERROR: which message failed */
    int errnum;                           /* ERROR, REFUSAL: 1..255; RESULT: 0 (complete) .. 255 */
    uint64_t moved;                       /* PROGRESS: bytes since the previous one */
    struct sfd_wire_file_info info;       /* INFO */
    uint32_t fits;                        /* REFUSAL: set of techniques; 0: not the reason */
    struct sfd_wire_result result;        /* RESULT */
    struct sfd_wire_file_details details; /* DETAILS */
};

/*
 * Decodes the response at the start of a status channel's bytes. Returns the number of bytes that
 * it takes up; 0 when more bytes are needed; -EBADMSG when no response starts like this. *out is
 * written only when the result is positive.
 */
int sfd_wire_get_response(const void *buf, size_t len, struct sfd_wire_response *out);

#endif
