/* HTTP/1.1 responses: see http_common.h. */
#include "http_common.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct row {
    int key;
    const char *text;
};

static const char *reason_of(int status)
{
    static const struct row rows[] = {
        {200, "OK"},
        {206, "Partial Content"},
        {400, "Bad Request"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {416, "Range Not Satisfiable"},
        {431, "Request Header Fields Too Large"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].key == status) return rows[i].text;
    return "Internal Server Error";
}

static const char *type_of(const char *path)
{
    static const char *const types[][2] = {
        {"css", "text/css"},          {"html", "text/html"}, {"jpg", "image/jpeg"},      {"js", "text/javascript"},
        {"json", "application/json"}, {"mp4", "video/mp4"},  {"pdf", "application/pdf"}, {"png", "image/png"},
        {"svg", "image/svg+xml"},     {"txt", "text/plain"}, {"webp", "image/webp"},
    };
    const char *name = strrchr(path, '/');
    const char *end = strrchr(name != NULL ? name : path, '.');

    for (size_t i = 0; end != NULL && i < sizeof types / sizeof *types; i++)
        if (strcasecmp(end + 1, types[i][0]) == 0) return types[i][1];
    return "application/octet-stream";
}

int http_status_of_errno(int error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
    case EINVAL: /* there, but not a regular file */
    case ELOOP:
        return 404;
    case EACCES:
    case EPERM:
        return 403;
    case ENAMETOOLONG:
        return 414;
    case EMFILE: /* too many transfers, of the daemon or of this process; or descriptors */
    case ENFILE:
    case EDQUOT:
    case EAGAIN: /* somebody has a write lock on the file */
    case ERANGE: /* the file has become shorter since its size was told */
    case ENOMEM:
    case ENOBUFS:
    case ECONNREFUSED: /* no daemon */
    case ENOTCONN:
    case ECONNABORTED:
    case ESHUTDOWN: /* it is about to end */
        return 503;
    case ETIMEDOUT:
        return 504;
    default:
        return 500;
    }
}

void http_select(const struct http_request *request, uint64_t size, time_t modified, struct http_response *response)
{
    const struct http_range *range = &request->range;
    uint64_t first = range->first;
    uint64_t end = range->last < size ? range->last + 1 : size;

    *response = (struct http_response){.status = 200, .length = size, .size = size, .modified = modified};
    if (!range->given) return;
    if (range->suffix) {
        first = range->last < size ? size - range->last : 0;
        end = range->last == 0 ? 0 : size;
    }
    if (first >= end) {
        response->status = 416;
        return;
    }
    response->status = 206;
    response->first = first;
    response->length = end - first;
}

bool http_has_body(const struct http_request *request, const struct http_response *response)
{
    return response->status < 300 && response->length > 0 && !request->head;
}

static void format_date(time_t time, char *out, size_t room)
{
    struct tm tm;

    if (gmtime_r(&time, &tm) == NULL || strftime(out, room, "%a, %d %b %Y %T GMT", &tm) == 0) *out = '\0';
}

/* The fields that only this status has. Nothing that a client has sent gets into a header. */
static void format_fields(const struct http_response *response, char *out, size_t room)
{
    char modified[64];

    *out = '\0';
    switch (response->status) {
    case 206:
    case 200:
        format_date(response->modified, modified, sizeof modified);
        (void)snprintf(out, room, "Accept-Ranges: bytes\r\nLast-Modified: %s\r\n", modified);
        if (response->status == 206) {
            const size_t used = strlen(out);

            (void)snprintf(out + used, room - used, "Content-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64 "\r\n",
                           response->first, response->first + response->length - 1, response->size);
        }
        break;
    case 405:
        (void)snprintf(out, room, "Allow: GET, HEAD\r\n");
        break;
    case 416:
        (void)snprintf(out, room, "Content-Range: bytes */%" PRIu64 "\r\n", response->size);
        break;
    case 503:
        (void)snprintf(out, room, "Retry-After: 1\r\n");
        break;
    default:
        break;
    }
}

size_t http_format(const struct http_request *request, const struct http_response *response, char *out)
{
    const bool ok = response->status < 300;
    char date[64];
    char fields[256];
    char message[64];
    int used;

    format_date(time(NULL), date, sizeof date);
    format_fields(response, fields, sizeof fields);
    (void)snprintf(message, sizeof message, "%d %s\n", response->status, reason_of(response->status));
    used = snprintf(out, HTTP_MAX_HEADER,
                    "HTTP/1.1 %d %s\r\nDate: %s\r\n%sConnection: %s\r\nContent-Type: %s\r\n"
                    "Content-Length: %" PRIu64 "\r\n\r\n%s",
                    response->status, reason_of(response->status), date, fields,
                    request->keep_alive ? "keep-alive" : "close", ok ? type_of(request->path) : "text/plain",
                    ok ? response->length : (uint64_t)strlen(message), ok || request->head ? "" : message);
    return used < 0 ? 0 : (size_t)used;
}
