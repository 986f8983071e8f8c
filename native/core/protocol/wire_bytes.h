/*
 * Fields of a message: native-endian numbers at byte offsets, aligned or not (<sendfiled/wire.h> draws them).
 *
 * Thread: any; no state. Never looks at a length: the caller has compared it with the message's.
 */
#ifndef SFD_PROTOCOL_WIRE_BYTES_H
#define SFD_PROTOCOL_WIRE_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline void sfd_wire_put_u64(unsigned char *message, size_t at, uint64_t value)
{
    memcpy(message + at, &value, sizeof value);
}

static inline void sfd_wire_put_i64(unsigned char *message, size_t at, int64_t value)
{
    memcpy(message + at, &value, sizeof value);
}

static inline void sfd_wire_put_u32(unsigned char *message, size_t at, uint32_t value)
{
    memcpy(message + at, &value, sizeof value);
}

static inline void sfd_wire_put_u16(unsigned char *message, size_t at, uint16_t value)
{
    memcpy(message + at, &value, sizeof value);
}

static inline uint64_t sfd_wire_get_u64(const unsigned char *message, size_t at)
{
    uint64_t value;
    memcpy(&value, message + at, sizeof value);
    return value;
}

static inline int64_t sfd_wire_get_i64(const unsigned char *message, size_t at)
{
    int64_t value;
    memcpy(&value, message + at, sizeof value);
    return value;
}

static inline uint32_t sfd_wire_get_u32(const unsigned char *message, size_t at)
{
    uint32_t value;
    memcpy(&value, message + at, sizeof value);
    return value;
}

static inline uint16_t sfd_wire_get_u16(const unsigned char *message, size_t at)
{
    uint16_t value;
    memcpy(&value, message + at, sizeof value);
    return value;
}

#endif
