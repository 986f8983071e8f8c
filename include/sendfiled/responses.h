/*
 * What the daemon answers on a status channel, and functions that read it. Source compatible with
 * the responses.h of the original sendfiled; included by sendfiled.h.
 *
 * A status channel carries, whole and in order:
 *   - struct sfd_file_info (48 bytes) when a request is accepted;
 *   - struct sfd_xfer_stat (16 bytes), any number of times, while a Send File or Send Open File
 *     moves bytes, the last one being "complete" (sfd_xfer_complete());
 *   - an error (2 bytes: the command and an errno) in place of either;
 *   - after the file information of a Read File, the file's bytes and nothing else;
 *   - end of file, always. End of file before "complete" (Read File: before as many bytes as
 *     sfd_file_info.size promised) means that the transfer failed or was cancelled.
 *
 * Several messages may wait in the pipe. Read the first SFD_HDR_SIZE bytes, and the rest of the
 * message only when sfd_get_stat() says SFD_STAT_OK, or read more and cut it up.
 *
 * The functions below are pure: they never block, never touch errno, and may be called by any
 * thread at any time.
 */
#ifndef SENDFILED_RESPONSES_H
#define SENDFILED_RESPONSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#ifndef SFD_API
#define SFD_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Command ids of the responses. */
enum {
    SFD_FILE_INFO = 0x81, /* file information, or the refusal of a request */
    SFD_XFER_STAT = 0x82  /* progress, completion or failure of a transfer */
};

/* Status of a response; any other value is an errno. */
enum { SFD_STAT_OK = 0 };

/* The file of an accepted request. */
struct sfd_file_info {
    uint8_t cmd;  /* SFD_FILE_INFO */
    uint8_t stat; /* SFD_STAT_OK */

    size_t size;  /* bytes that the transfer will move: the range asked for, not the whole file */
    time_t atime; /* last access, last modification, last status change */
    time_t mtime;
    time_t ctime;
    size_t txnid; /* transfer id, for sfd_send_open() and sfd_cancel() */
};

/* Progress of a transfer. */
struct sfd_xfer_stat {
    uint8_t cmd;  /* SFD_XFER_STAT */
    uint8_t stat; /* SFD_STAT_OK */

    size_t size; /* bytes moved since the previous message; all ones: complete */
};

/* Bytes at the start of every response: command and status. An error consists of nothing else. */
#define SFD_HDR_SIZE ((size_t)2)

/* Bytes of the longest response. */
#define SFD_MAX_RESP_SIZE ((size_t)48)

/* The command id at the start of a response. buf: at least 1 byte, borrowed. */
int sfd_get_cmd(const void *buf) SFD_API;

/* The status of a response: SFD_STAT_OK or an errno. buf: at least SFD_HDR_SIZE bytes, borrowed. */
int sfd_get_stat(const void *buf) SFD_API;

/*
 * Reads a File Information message. buf (borrowed, any alignment) holds at least SFD_HDR_SIZE
 * bytes, and the whole 48 when its status is SFD_STAT_OK. False, with *pdu untouched, when buf
 * starts with another command or with an error: sfd_get_stat(buf) is the errno then.
 */
bool sfd_unmarshal_file_info(struct sfd_file_info *pdu, const void *buf) SFD_API;

/*
 * Reads a Transfer Status message. buf (borrowed, any alignment) holds at least SFD_HDR_SIZE bytes,
 * and the whole 16 when its status is SFD_STAT_OK. False, with *pdu untouched, when buf starts with
 * another command or with an error: sfd_get_stat(buf) is the errno then.
 */
bool sfd_unmarshal_xfer_stat(struct sfd_xfer_stat *pdu, const void *buf) SFD_API;

/*
 * True for the last message of a successful transfer: every byte has been accepted by the
 * destination. pdu: filled by sfd_unmarshal_xfer_stat(), borrowed.
 */
bool sfd_xfer_complete(const struct sfd_xfer_stat *pdu) SFD_API;

#ifdef __cplusplus
}
#endif

#endif
