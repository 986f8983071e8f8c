/*
 * The wire layouts of the protocol, as constants: what a program needs to speak to the daemon
 * without this project's client library. Every integer is native-endian, since both ends are on one
 * host; every message is read and written at the byte offsets below, never by casting a struct.
 *
 * Channels
 *   request socket   AF_UNIX, SOCK_DGRAM, bound by the daemon at SOCKDIR/sendfiled.NAME.socket. One
 *                    request is one datagram; the client only sends.
 *   status channel   the write end of a pipe, made by the client for each request and passed along
 *                    with it (SCM_RIGHTS). The daemon writes responses and closes it at the end.
 *   data channel     Send File, Send Open File: a descriptor of the client's, passed along.
 *                    Read File: the status channel, after its File Information message; of version 2, if it is
 *                    passed along, a pipe of its own.
 *
 * Requests on a path (0x01 Open File, 0x02 Read File, 0x03 Send File)
 *
 *   0     1      2           8            16           24
 *   +-----+------+-----------+------------+------------+---------------+-----+
 *   | cmd | stat | 6 padding | i64 offset | u64 length | path, n bytes | NUL |
 *   +-----+------+-----------+------------+------------+---------------+-----+
 *
 *   stat is 0; length 0 means "to the end of the file"; 1 <= n <= 4095.
 *   Descriptors: status (0x01, 0x02); status, destination (0x03).
 *
 * Requests on a transfer (0x04 Send Open File, 0x05 Cancel)
 *
 *   0     1      2           8                 16
 *   +-----+------+-----------+-----------------+
 *   | cmd | stat | 6 padding | u64 transfer id |
 *   +-----+------+-----------+-----------------+
 *
 *   Descriptors: destination (0x04); none (0x05).
 *
 * File Information (0x81)
 *
 *   0     1      2           8          16          24          32          40                48
 *   +-----+------+-----------+----------+-----------+-----------+-----------+-----------------+
 *   | cmd | stat | 6 padding | u64 size | i64 atime | i64 mtime | i64 ctime | u64 transfer id |
 *   +-----+------+-----------+----------+-----------+-----------+-----------+-----------------+
 *
 *   size is the number of bytes that this transfer will move; times are seconds since the epoch.
 *
 * Transfer Status (0x82)
 *
 *   0     1      2           8          16
 *   +-----+------+-----------+----------+
 *   | cmd | stat | 6 padding | u64 size |
 *   +-----+------+-----------+----------+
 *
 *   size is the number of bytes moved since the previous Transfer Status; 2^64 - 1 means complete
 *   and makes this the last message.
 *
 * Error (0x81: the request is refused; 0x82: a transfer that had begun has failed)
 *
 *   0     1       2
 *   +-----+-------+
 *   | cmd | errno |
 *   +-----+-------+
 *
 * Extensions have the command ids 0x10-0x7f (requests) and 0x90-0xff (responses). All of them start
 * alike; version is 1, or 2 in requests on a file; total length is the whole message's. 0x30, 0x31, 0xb0 and 0xb1
 * are those of sessions, on a socket of their own (session.h).
 *
 *   0     1      2             4                  8
 *   +-----+------+-------------+------------------+------+
 *   | cmd | stat | u16 version | u32 total length | ...  |
 *   +-----+------+-------------+------------------+------+
 *
 * A request of an id or a version that the daemon does not know is refused with the 2-byte error
 * 0x81/EPROTONOSUPPORT, one whose total length is not the datagram's with 0x81/EBADMSG. A request that passes these
 * checks shows that its client understands extended responses. The client then gets: a Refusal in place of the error
 * 0x81, and a Result in place of the last Transfer Status and of the error 0x82. File Information and progress are as
 * above.
 *
 * Extended requests on a path (0x11 Open File, 0x12 Read File, 0x13 Send File) and on a descriptor
 * (0x14 Send Descriptor: nothing after the padding but segments)
 *
 *   0     1      2             4                  8            16           24         32
 *   +-----+------+-------------+------------------+------------+------------+----------+
 *   | cmd | stat | u16 version | u32 total length | i64 offset | u64 length | u64 rate |
 *   +-----+------+-------------+------------------+------------+------------+----------+
 *   32                 36             40             41         42          48
 *   +------------------+--------------+--------------+----------+-----------+---------------+-----+
 *   | u32 idle timeout | u32 deadline | u8 technique | u8 flags | 6 padding | path, n bytes | NUL |
 *   +------------------+--------------+--------------+----------+-----------+---------------+-----+
 *
 *   rate is in bytes per second, 0: no limit; idle timeout in milliseconds, 0: the daemon's; deadline
 *   in milliseconds from receipt, 0: none; technique and flags as in options.h. A technique or flag
 *   that the daemon does not know: EINVAL. A Send Open File of a file that was opened by 0x11 uses the options of that
 *   request.
 *   Descriptors: status (0x11, 0x12); status, destination (0x13); status, destination, source (0x14: a regular file
 *   opened for reading; the offset counts from the file's beginning, and the file position is neither used nor moved).
 *
 *   Read File (0x12) with success: File Information, the file's bytes, a Result, end of file.
 *
 * Version 2 of these has the same layout, and differs in this:
 *   - length 2^64 - 1 means "to the end of the file", and 0 is an empty range;
 *   - the padding behind the count of segments has to be 0, or the request is refused with EINVAL;
 *   - File Details come directly before the File Information;
 *   - a Read File (0x12) may pass a second descriptor, the data channel, the write end of a pipe. Then the file's bytes
 *     go there and nothing else does; the status channel has the messages of a Send File, and ends with a Result in
 *     failure as well. Without it nothing can follow the bytes of a failed read, since a reader could not tell it from
 *     them, and who splices the channel does not look at them at all;
 *   - the first two bytes of the padding are a count, 0 to 64. If it is not 0, so many segments follow the path's NUL
 *     (0x14: the 48 bytes), and are what is sent, one after the other, in place of the range; offset and length are 0:
 *
 *       0     42             44          48              48 + n + 1
 *       +-----+--------------+-----------+---------------+-----+-----------+-----------+-----+
 *       | ... | u16 segments | 4 padding | path, n bytes | NUL | segment 1 | segment 2 | ... |
 *       +-----+--------------+-----------+---------------+-----+-----------+-----------+-----+
 *
 *       a range of the file             bytes of the client's
 *       0            8            16    0        8            16
 *       +------------+------------+     +--------+------------+---------------+
 *       | i64 offset | u64 length |     | i64 -1 | u64 length | length bytes  |
 *       +------------+------------+     +--------+------------+---------------+
 *
 *     Path, NUL and segments have 4096 bytes at most. The size in File Information, progress and the bytes in a Result
 *     count ranges and bytes alike. A range outside the file refuses all of it (ERANGE), before a byte is sent. To TCP
 *     a part that others follow is written with MSG_MORE, but not by sendfile(2), so a header shares its packet with
 *     the first bytes of the file. More than 64 segments: E2BIG; more than 4096 bytes: EMSGSIZE; an offset or a length
 *     beside them, or the flag that seals: EINVAL; a destination other than a TCP or UNIX stream socket, a pipe, or a
 *     character device: EOPNOTSUPP.
 *
 * Refusal (0x91)
 *
 *   0     1       2             4                       8                 12        16
 *   +-----+-------+-------------+-----------------------+-----------------+---------+
 *   | cmd | errno | u16 version | u32 total length = 16 | u32 techniques  | u32 0   |
 *   +-----+-------+-------------+-----------------------+-----------------+---------+
 *
 *   techniques: bit n is set if technique n fits this file and destination; 0: techniques are not the reason of the
 *   refusal.
 *
 * Result (0x92)
 *
 *   0     1       2             4                       8           16             24
 *   +-----+-------+-------------+-----------------------+-----------+----------------+
 *   | cmd | errno | u16 version | u32 total length = 32 | u64 bytes | u64 elapsed ns |
 *   +-----+-------+-------------+-----------------------+-----------+----------------+
 *   24                 28             29              30          32
 *   +------------------+--------------+---------------+-----------+
 *   | u32 cold windows | u8 technique | u8 techniques | 2 padding |
 *   +------------------+--------------+---------------+-----------+
 *
 *   errno 0: complete, every byte was accepted by the destination. bytes: moved in all; elapsed: from
 *   receipt of the request that started it to the last byte accepted; cold windows: how many times it
 *   had to wait for the disk; technique: the one that moved the bytes; techniques: as in a
 *   Refusal, for the destination of a Send Open File. It is the last message.
 *
 * File Details (0x93)
 *
 *   0     1      2             4                       8               16          24           32
 *   +-----+------+-------------+-----------------------+---------------+-----------+------------+
 *   | cmd | stat | u16 version | u32 total length = 48 | u64 file size | u64 inode | u64 device |
 *   +-----+------+-------------+-----------------------+---------------+-----------+------------+
 *   32             36             40             44         46          48
 *   +--------------+--------------+--------------+----------+-----------+
 *   | u32 atime ns | u32 mtime ns | u32 ctime ns | u16 mode | 2 padding |
 *   +--------------+--------------+--------------+----------+-----------+
 *
 *   file size: of the whole file, where File Information has that of the range; device and mode: st_dev and st_mode of
 *   stat(2); ns: the times' parts of a second.
 *
 * Buffer (0x20): between two clients, over any UNIX socket of their own, never to the daemon. With it travels one
 * descriptor, a memory file; size is how much of it the buffer is.
 *
 *   0     1      2             4                       8          16
 *   +-----+------+-------------+-----------------------+----------+
 *   | cmd | stat | u16 version | u32 total length = 16 | u64 size |
 *   +-----+------+-------------+-----------------------+----------+
 */
#ifndef SENDFILED_WIRE_H
#define SENDFILED_WIRE_H

#include <stdint.h>

#include "options.h"

enum sfd_wire_command {
    SFD_WIRE_OPEN_FILE = 0x01,
    SFD_WIRE_READ_FILE = 0x02,
    SFD_WIRE_SEND_FILE = 0x03,
    SFD_WIRE_SEND_OPEN_FILE = 0x04,
    SFD_WIRE_CANCEL = 0x05,

    SFD_WIRE_EXTENDED_REQUEST_FIRST = 0x10,
    SFD_WIRE_OPEN_FILE_EXT = 0x11,
    SFD_WIRE_READ_FILE_EXT = 0x12,
    SFD_WIRE_SEND_FILE_EXT = 0x13,
    SFD_WIRE_SEND_DESCRIPTOR = 0x14,
    SFD_WIRE_BUFFER = 0x20, /* the daemon does not know it as a request */
    SFD_WIRE_EXTENDED_REQUEST_LAST = 0x7f,

    SFD_WIRE_FILE_INFO = 0x81,
    SFD_WIRE_XFER_STAT = 0x82,

    SFD_WIRE_EXTENDED_RESPONSE_FIRST = 0x90,
    SFD_WIRE_REFUSAL = 0x91,
    SFD_WIRE_RESULT = 0x92,
    SFD_WIRE_FILE_DETAILS = 0x93,
    SFD_WIRE_EXTENDED_RESPONSE_LAST = 0xff
};

/* Sizes in bytes. */
#define SFD_WIRE_PREFIX_SIZE           2    /* cmd and stat, the start of every message */
#define SFD_WIRE_EXTENDED_PREFIX_SIZE  8    /* the start of every extended message */
#define SFD_WIRE_PATH_REQUEST_SIZE     24   /* Open, Read and Send File up to the path */
#define SFD_WIRE_EXTENDED_REQUEST_SIZE 48   /* their extended forms, and Send Descriptor without segments */
#define SFD_WIRE_TRANSFER_REQUEST_SIZE 16   /* Send Open File and Cancel */
#define SFD_WIRE_MAX_PATH              4095 /* without the NUL: PATH_MAX - 1 */
#define SFD_WIRE_MAX_REQUEST_SIZE      (SFD_WIRE_EXTENDED_REQUEST_SIZE + SFD_WIRE_MAX_PATH + 1)
#define SFD_WIRE_SEGMENT_SIZE          16 /* of one segment, without bytes that follow it */
#define SFD_WIRE_FILE_INFO_SIZE        48
#define SFD_WIRE_XFER_STAT_SIZE        16
#define SFD_WIRE_ERROR_SIZE            2
#define SFD_WIRE_REFUSAL_SIZE          16
#define SFD_WIRE_RESULT_SIZE           32
#define SFD_WIRE_FILE_DETAILS_SIZE     48
#define SFD_WIRE_BUFFER_SIZE           16
#define SFD_WIRE_MAX_RESPONSE_SIZE     SFD_WIRE_FILE_INFO_SIZE

/* The version field of extended messages, and the other one that requests on a file may have. */
#define SFD_WIRE_VERSION   1
#define SFD_WIRE_VERSION_2 2

/* The length of a request of version 2 that means "to the end of the file". */
#define SFD_WIRE_TO_END UINT64_MAX

/* The offset of a segment that is bytes: they follow it. */
#define SFD_WIRE_SEGMENT_BYTES (-1)

/* The size field of the last Transfer Status of a successful transfer. */
#define SFD_WIRE_COMPLETE UINT64_MAX

#endif
