/*
 * HTTP/1.1 as text, for the servers http_*_server.c: what a client asks for, what to answer.
 *
 * Pure but for the clock: no file, no socket, no allocation, no state. RFC 9110 is the meaning, RFC 9112 the syntax.
 */
#ifndef HTTP_COMMON_H
#define HTTP_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* Bytes that are enough for whatever http_format() makes. */
enum { HTTP_MAX_HEADER = 1024 };

/* A range of bytes as it was asked for: it may lie outside of the file. */
struct http_range {
    bool given;
    bool suffix;    /* the last `last` bytes; else from `first` to `last`, both included */
    uint64_t first; /* bytes from the beginning */
    uint64_t last;  /* UINT64_MAX: to the end */
};

struct http_request {
    int refusal;      /* 0, or the status to answer with: then `path` and `range` are not to be used */
    bool http_1_1;    /* else 1.0 */
    bool head;        /* HEAD: the header only */
    bool keep_alive;  /* the connection stays open for the next request */
    const char *path; /* decoded, in the memory of the request's head */
    struct http_range range;
};

struct http_response {
    int status;      /* 0: not known yet */
    uint64_t first;  /* the part of the file that is the body */
    uint64_t length; /* bytes */
    uint64_t size;   /* of the whole file */
    time_t modified;
};

/*
 * Parses the head of a request, in place: request->path points into it. Returns how many bytes it has; 0 when it is not
 * whole yet, and nothing has been touched.
 */
size_t http_parse_request(char *head, size_t size, struct http_request *request);

/* What to answer when a file of this size is there: 200, 206 or 416, and which part of it. */
void http_select(const struct http_request *request, uint64_t size, time_t modified, struct http_response *response);

/* The status for a request that the daemon, or the library, has refused with this errno. */
int http_status_of_errno(int error);

/* Whether bytes of the file follow the header. */
bool http_has_body(const struct http_request *request, const struct http_response *response);

/* Formats the header, and the body of an error behind it. out: HTTP_MAX_HEADER bytes. Returns how many are used. */
size_t http_format(const struct http_request *request, const struct http_response *response, char *out);

#endif
