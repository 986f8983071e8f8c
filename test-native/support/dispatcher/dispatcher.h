/*
 * The dispatcher of tests: what io.sendfiled.engine.Dispatcher and io.sendfiled.protocol.RequestDecoder do in the
 * daemon, in C for native tests, fuzz targets and the helper program `decode`.
 *
 * Role: decodes a request and gives it its verdict. No product code: the daemon decodes in Java. CodecAgreementTest and
 * the golden vectors hold the two decoders to the same answers. Thread: any; no state. Owns nothing. Never reads past
 * the length that it was given.
 */
#ifndef SFD_TEST_DISPATCHER_H
#define SFD_TEST_DISPATCHER_H

#include <stddef.h>
#include <stdint.h>

#include <sendfiled/wire.h>

struct sfd_slot;

struct dispatcher_request {
    uint8_t cmd;                /* SFD_WIRE_OPEN_FILE .. _CANCEL, for the extended ones too; _SEND_DESCRIPTOR */
    uint8_t version;            /* of an extended request, answered with extended responses; else 0 */
    int64_t offset;             /* path requests, Send Descriptor */
    uint64_t length;            /* path requests, Send Descriptor; SFD_WIRE_TO_END: to the end of the file */
    const char *path;           /* path requests: borrowed from the datagram, NUL-terminated */
    size_t path_length;         /* without the NUL, 1..SFD_WIRE_MAX_PATH */
    unsigned segment_count;     /* of version 2; then offset and length are 0 */
    const char *segments;       /* borrowed from the datagram */
    size_t segments_size;       /* to its end */
    uint64_t id;                /* transfer requests */
    struct sfd_options options; /* extended requests; else zeros */
};

/*
 * Checks and decodes one datagram. 0, or with *out untouched -errno as RequestDecoder.decode says it: the first of its
 * list that applies. Padding is not looked at.
 */
int dispatcher_decode(const void *buf, size_t len, struct dispatcher_request *out);

/*
 * The version of a datagram, sound or not, to which the answer may be an extended one: its command and version are
 * known and its total length is its own. Else 0.
 */
uint8_t dispatcher_version(const void *buf, size_t len);

/*
 * Decodes the request of a slot and writes the verdict into it: an errno, or the grant of root 0. Clients of `uid` and
 * the superuser's are served.
 */
void dispatcher_decide(struct sfd_slot *slot, uint32_t uid);

#endif
