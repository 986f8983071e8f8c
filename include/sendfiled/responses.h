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
 * The answer to a request with options (sfd_send_with() and its like) has, instead:
 *   - struct sfd_refusal (16 bytes) when the request is refused;
 *   - struct sfd_file_details (48 bytes) directly before the file information, if the request is of version 2;
 *   - struct sfd_result (32 bytes) at the end, whether "complete" or an error; in a Read File behind
 *     the last of the file's bytes, only if it is complete. End of file without it means that the
 *     transfer failed or was cancelled. sfd_read_split() has the file's bytes come apart from these
 *     messages, and a result in any case.
 * A daemon that knows no options answers with the 2-byte error SFD_FILE_INFO, EPROTONOSUPPORT.
 *
 * Several messages may wait in the pipe. Read the first SFD_HDR_SIZE bytes and then up to sfd_get_size() of them, or
 * read more and split it.
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
    SFD_FILE_INFO = 0x81,   /* file information, or the refusal of a request */
    SFD_XFER_STAT = 0x82,   /* progress, completion or failure of a transfer */
    SFD_REFUSAL = 0x91,     /* the refusal of a request with options */
    SFD_RESULT = 0x92,      /* completion or failure of a transfer with options */
    SFD_FILE_DETAILS = 0x93 /* of a request of version 2: more about the file */
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

/* More about the file of an accepted request of version 2: comes directly before its file information. */
struct sfd_file_details {
    uint8_t cmd;  /* SFD_FILE_DETAILS */
    uint8_t stat; /* SFD_STAT_OK */

    uint32_t mode;   /* type and permissions, as st_mode of stat(2) */
    uint64_t size;   /* bytes of the whole file */
    uint64_t inode;  /* st_ino */
    uint64_t device; /* st_dev */

    uint32_t atime_ns; /* what is behind the full seconds of the file information's times */
    uint32_t mtime_ns;
    uint32_t ctime_ns;
};

/* Progress of a transfer. */
struct sfd_xfer_stat {
    uint8_t cmd;  /* SFD_XFER_STAT */
    uint8_t stat; /* SFD_STAT_OK */

    size_t size; /* bytes moved since the previous message; all ones: complete */
};

/* Why a request with options is refused. */
struct sfd_refusal {
    uint8_t cmd;  /* SFD_REFUSAL */
    uint8_t stat; /* the errno */

    /*
     * The techniques that fit this file and destination: (fits & 1u << SFD_TECHNIQUE_MMAP) and so on. 0: techniques are
     * not the reason of the refusal.
     */
    uint32_t fits;
};

/* The end of a transfer with options. */
struct sfd_result {
    uint8_t cmd;  /* SFD_RESULT */
    uint8_t stat; /* SFD_STAT_OK: every byte has been accepted by the destination; else an errno */

    uint8_t technique;     /* of enum sfd_technique: the one that moved the bytes */
    uint8_t fits;          /* as in struct sfd_refusal, of the destination of sfd_send_open() */
    uint32_t cold_windows; /* how many times it had to wait for the disk */
    uint64_t moved;        /* bytes, in all */
    uint64_t elapsed_ns;   /* from the daemon's receipt of the request to the last byte accepted */
};

/* Bytes at the start of every response: command and status. A 2-byte error is nothing else. */
#define SFD_HDR_SIZE ((size_t)2)

/* Bytes of the longest response. */
#define SFD_MAX_RESP_SIZE ((size_t)48)

/* The command id at the start of a response. buf: at least 1 byte, borrowed. */
int sfd_get_cmd(const void *buf) SFD_API;

/* The status of a response: SFD_STAT_OK or an errno. buf: at least SFD_HDR_SIZE bytes, borrowed. */
int sfd_get_stat(const void *buf) SFD_API;

/*
 * How many bytes the response has of which the first SFD_HDR_SIZE are in buf (borrowed):
 * SFD_HDR_SIZE to SFD_MAX_RESP_SIZE, or 0 when no response starts like this.
 */
size_t sfd_get_size(const void *buf) SFD_API;

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

/*
 * Reads a Refusal message. buf (borrowed, any alignment) holds at least 1 byte, and the whole 16 when
 * that is SFD_REFUSAL. False, with *pdu untouched, when buf starts with another command or is of a
 * version that this library does not know.
 */
bool sfd_unmarshal_refusal(struct sfd_refusal *pdu, const void *buf) SFD_API;

/*
 * Reads a Result message, be it of success or of failure (pdu->stat). buf (borrowed, any alignment)
 * holds at least 1 byte, and the whole 32 when that is SFD_RESULT. False as sfd_unmarshal_refusal().
 */
bool sfd_unmarshal_result(struct sfd_result *pdu, const void *buf) SFD_API;

/*
 * Reads a File Details message. buf (borrowed, any alignment) holds at least 1 byte, and the whole 48 when that is
 * SFD_FILE_DETAILS. False as sfd_unmarshal_refusal().
 */
bool sfd_unmarshal_file_details(struct sfd_file_details *pdu, const void *buf) SFD_API;

#ifdef __cplusplus
}
#endif

#endif
