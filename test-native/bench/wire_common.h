/*
 * The wire as the benchmark programs speak it: PROTOCOL.md's messages and the extended ones.
 *
 * Role: written from the protocol's description alone, so that it checks the daemon rather than repeats its code.
 */
#ifndef SFD_BENCH_WIRE_H
#define SFD_BENCH_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CMD_OPEN = 0x01,
    CMD_READ = 0x02,
    CMD_SEND = 0x03,
    CMD_SEND_OPEN = 0x04,
    CMD_CANCEL = 0x05,
    CMD_EXTENDED = 0x10, /* added to the first three */
    RSP_FILE_INFO = 0x81,
    RSP_XFER_STAT = 0x82,
    RSP_REFUSAL = 0x91,
    RSP_RESULT = 0x92,
};

enum { HEADER_SIZE = 2, ERROR_SIZE = 2, FILE_INFO_SIZE = 48, XFER_STAT_SIZE = 16 };
enum { REQUEST_HEADER_SIZE = 24, ID_REQUEST_SIZE = 16, EXTENDED_HEADER_SIZE = 48 };
enum { REQUEST_MAX = EXTENDED_HEADER_SIZE + 4096 };
enum { REFUSAL_SIZE = 16, RESULT_SIZE = 32 };

#define XFER_COMPLETE UINT64_MAX

struct file_info {
    uint64_t size;
    int64_t atime, mtime, ctime;
    uint64_t id;
};

/* What only an extended request carries; 0 is "as the daemon likes". */
struct request_options {
    uint64_t rate; /* bytes a second */
    uint8_t technique;
    uint8_t flags;
};

struct request {
    int cmd;
    int64_t offset;
    uint64_t length;
    uint64_t id;
    struct request_options options;
    char path[4096];
};

/* The last message of an extended transfer. */
struct result {
    int error;
    uint64_t bytes, elapsed_ns;
    uint32_t cold_windows;
    uint8_t technique;
};

size_t put_request(void *out, const struct request *request);
/* Version 1 only: the yardstick servers know no more. */
bool get_request(struct request *request, const void *bytes, size_t length);
size_t put_file_info(void *out, const struct file_info *info);
void get_file_info(struct file_info *info, const void *bytes);
size_t put_xfer_stat(void *out, uint64_t size);
uint64_t get_xfer_size(const void *bytes);
size_t put_error(void *out, int cmd, int error);
void get_result(struct result *result, const void *bytes);

/* A technique's number on the wire, or -1. */
int find_technique(const char *name);

#endif
