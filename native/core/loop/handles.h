/*
 * Handles: small numbers for what a session has registered.
 *
 * Role: a table of places. A handle is a place (20 bits) and its generation (12 bits), which changes when the place is
 * freed: so an old handle is told apart from the next thing in its place, until that has changed 4,095 times. Never 0.
 * Thread: one event loop. Owns its memory, and nothing that is in it.
 */
#ifndef SFD_LOOP_HANDLES_H
#define SFD_LOOP_HANDLES_H

#include <stddef.h>
#include <stdint.h>

#include <sendfiled/session.h>

#include "hot.h"
#include "transfer/destination.h"

#define SFD_HANDLES_MAX (1u << 20)

struct sfd_handle {
    uint8_t kind; /* enum sfd_session_kind */
    uint16_t generation;
    uint32_t next_free;
    union {
        struct {
            struct sfd_hot_source source; /* its descriptor; of the hot path's only if `source.hot` is there */
            bool known;                   /* its size is */
        } file;
        struct sfd_destination destination;
        struct {
            int fd;
            void *memory; /* mapped */
            size_t size;
            uint32_t looked; /* the turn of its session in which it was looked whether it is whole */
            bool whole;      /* all of its pages were there */
        } buffer;
    };
};

struct sfd_handles {
    struct sfd_handle *at;
    uint32_t capacity;
    uint32_t used; /* places that were ever in use: those behind are not written yet */
    uint32_t count;
    uint32_t free; /* first free place; SFD_HANDLES_MAX: none */
};

void sfd_handles_init(struct sfd_handles *handles);

/* Frees the table, of which nothing is in use. Idempotent. */
void sfd_handles_deinit(struct sfd_handles *handles);

/* A place for a thing of that kind, to be filled at once: its handle, or 0 without memory or room. */
uint32_t sfd_handles_add(struct sfd_handles *handles, enum sfd_session_kind kind);

/* What a handle of that kind stands for, until the next add; NULL: nothing. SFD_SESSION_FREE: of any kind. */
struct sfd_handle *sfd_handles_find(const struct sfd_handles *handles, uint32_t handle, enum sfd_session_kind kind);

/* Frees its place. */
void sfd_handles_remove(struct sfd_handles *handles, struct sfd_handle *thing);

/* The first thing at or behind *place, which is advanced; NULL at the end. */
struct sfd_handle *sfd_handles_next(const struct sfd_handles *handles, uint32_t *place);

#endif
