/* HTTP/1.1 requests: see http_common.h. */
#include "http_common.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The first fault is the one that is told. */
static void refuse(struct http_request *request, int status)
{
    if (request->refusal == 0) request->refusal = status;
}

/* Digits and nothing else: strtoull(3) alone would take blanks and a sign. It saturates, which suits a range. */
static bool take_number(const char **at, uint64_t *out)
{
    const bool found = isdigit((unsigned char)**at);

    if (found) *out = strtoull(*at, (char **)at, 10);
    return found;
}

/* "bytes=a-b", "bytes=a-" or "bytes=-n". Anything else, also several ranges, is ignored: RFC 9110, 14.2 allows it. */
static struct http_range parse_range(const char *value)
{
    const struct http_range none = {.given = false};
    struct http_range range = {.given = true, .last = UINT64_MAX};

    if (strncasecmp(value, "bytes=", 6) != 0) return none;
    value += 6;
    range.suffix = *value == '-';
    if (!range.suffix && !take_number(&value, &range.first)) return none;
    if (*value++ != '-' || (!take_number(&value, &range.last) && range.suffix)) return none;
    return *value == '\0' && range.first <= range.last ? range : none;
}

/* Cuts the query off and decodes %XX, in place. A NUL would hide the rest of the path from whoever reads it. */
static bool decode_path(char *path)
{
    char *out = path;

    for (const char *in = path; *in != '\0' && *in != '?'; in++) {
        *out = *in;
        if (*in == '%') {
            if (!isxdigit((unsigned char)in[1]) || !isxdigit((unsigned char)in[2])) return false;
            const char digits[] = {in[1], in[2], '\0'};

            *out = (char)strtol(digits, NULL, 16);
            in += 2;
        }
        if (*out++ == '\0') return false;
    }
    *out = '\0';
    return true;
}

static bool is_known_method(const char *name)
{
    /* The blanks are so that only whole names are found. A name has none: the line was cut at one. */
    static const char *const names = " GET HEAD POST PUT DELETE OPTIONS PATCH TRACE CONNECT ";
    const char *at = strstr(names, name);

    return at != NULL && at > names && at[-1] == ' ' && at[strlen(name)] == ' ';
}

/* "GET /path HTTP/1.1" */
static void parse_request_line(char *line, struct http_request *request)
{
    char *path = strchr(line, ' ');
    char *version = path != NULL ? strchr(path + 1, ' ') : NULL;

    if (version == NULL || strncmp(version + 1, "HTTP/", 5) != 0) {
        refuse(request, 400);
        return;
    }
    *path++ = *version++ = '\0';
    request->http_1_1 = strcmp(version, "HTTP/1.1") == 0;
    request->head = strcmp(line, "HEAD") == 0;
    if (!request->http_1_1 && strcmp(version, "HTTP/1.0") != 0) refuse(request, 505);
    if (!request->head && strcmp(line, "GET") != 0) refuse(request, is_known_method(line) ? 405 : 501);
    if (strncasecmp(path, "http://", 7) == 0) /* as to a proxy: servers have to take it, too */
        path = strchr(path + 7, '/');
    if (path == NULL || *path != '/' || !decode_path(path)) refuse(request, 400);
    request->path = path;
}

/* What the fields say that matters here. */
struct fields {
    unsigned hosts;
    bool close, keep_alive, if_range;
};

static void parse_connection(char *value, struct fields *fields)
{
    char *state;

    for (char *token = strtok_r(value, ", \t", &state); token != NULL; token = strtok_r(NULL, ", \t", &state)) {
        fields->close = fields->close || strcasecmp(token, "close") == 0;
        fields->keep_alive = fields->keep_alive || strcasecmp(token, "keep-alive") == 0;
    }
}

/* "Name: value". A blank before the colon, or at the line's beginning, is how requests are smuggled past a proxy. */
static void parse_field(char *line, struct http_request *request, struct fields *fields)
{
    char *value = line + strcspn(line, ": \t");

    if (value == line || *value != ':') {
        refuse(request, 400);
        return;
    }
    *value++ = '\0';
    value += strspn(value, " \t");
    for (size_t n = strlen(value); n > 0 && strchr(" \t", value[n - 1]) != NULL; n--)
        value[n - 1] = '\0';
    if (strcasecmp(line, "Host") == 0)
        fields->hosts++;
    else if (strcasecmp(line, "Connection") == 0)
        parse_connection(value, fields);
    else if (strcasecmp(line, "Range") == 0)
        request->range = parse_range(value);
    else if (strcasecmp(line, "If-Range") == 0)
        fields->if_range = true;
    else if (strcasecmp(line, "Transfer-Encoding") == 0 ||
             (strcasecmp(line, "Content-Length") == 0 && strcmp(value, "0") != 0))
        refuse(request, 413); /* nobody here reads a body */
}

/* The line at *at, without its end; NULL when there is none. */
static char *next_line(char **at)
{
    char *line = *at;
    char *end = strstr(line, "\r\n");

    if (end != NULL) {
        *end = '\0';
        *at = end + 2;
    }
    return end != NULL ? line : NULL;
}

size_t http_parse_request(char *head, size_t size, struct http_request *request)
{
    struct fields fields = {.hosts = 0};
    char *at = head;

    while (size - (size_t)(at - head) >= 2 && memcmp(at, "\r\n", 2) == 0)
        at += 2; /* RFC 9112, 2.2: empty lines before a request are ignored */
    char *end = memmem(at, size - (size_t)(at - head), "\r\n\r\n", 4);

    if (end == NULL) return 0;
    *request = (struct http_request){.refusal = 0};
    if (memchr(at, '\0', (size_t)(end - at)) != NULL) {
        request->refusal = 400;
        return (size_t)(end + 4 - head);
    }
    end[2] = '\0';
    parse_request_line(next_line(&at), request);
    for (char *line = next_line(&at); line != NULL; line = next_line(&at))
        parse_field(line, request, &fields);
    if (request->http_1_1 && fields.hosts != 1) refuse(request, 400);
    /* Whether what was asked for before is still the same is not known here: then the whole file is right. */
    request->range.given = request->range.given && !fields.if_range && !request->head;
    /* After a fault nobody knows where the next request begins. */
    request->keep_alive = request->refusal == 0 && !fields.close && (request->http_1_1 || fields.keep_alive);
    return (size_t)(end + 4 - head);
}
