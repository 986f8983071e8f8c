/*
 * Handles of a session.
 */
#include "loop/handles.h"

#include <stdlib.h>

#define PLACE_BITS     20
#define GENERATIONS    (1u << 12)
#define CAPACITY_FIRST 8

void sfd_handles_init(struct sfd_handles *handles)
{
    *handles = (struct sfd_handles){.free = SFD_HANDLES_MAX};
}

void sfd_handles_deinit(struct sfd_handles *handles)
{
    free(handles->at);
    sfd_handles_init(handles);
}

static bool grow(struct sfd_handles *handles)
{
    const uint32_t capacity = handles->capacity == 0 ? CAPACITY_FIRST : handles->capacity * 2;

    if (handles->capacity == SFD_HANDLES_MAX) return false;
    struct sfd_handle *at = realloc(handles->at, capacity * sizeof(*at));
    if (at == NULL) return false;
    handles->at = at;
    handles->capacity = capacity;
    return true;
}

uint32_t sfd_handles_add(struct sfd_handles *handles, enum sfd_session_kind kind)
{
    struct sfd_handle *thing;

    if (handles->free != SFD_HANDLES_MAX) {
        thing = &handles->at[handles->free];
        handles->free = thing->next_free;
    } else {
        if (handles->used == handles->capacity && !grow(handles)) return 0;
        thing = &handles->at[handles->used++];
        thing->generation = 1;
    }
    thing->kind = (uint8_t)kind;
    handles->count++;
    return (uint32_t)thing->generation << PLACE_BITS | (uint32_t)(thing - handles->at);
}

struct sfd_handle *sfd_handles_find(const struct sfd_handles *handles, uint32_t handle, enum sfd_session_kind kind)
{
    const uint32_t place = handle & (SFD_HANDLES_MAX - 1);

    if (place >= handles->used) return NULL;
    struct sfd_handle *thing = &handles->at[place];
    if (thing->generation != handle >> PLACE_BITS || thing->kind == SFD_SESSION_FREE) return NULL;
    return kind == SFD_SESSION_FREE || thing->kind == kind ? thing : NULL;
}

void sfd_handles_remove(struct sfd_handles *handles, struct sfd_handle *thing)
{
    thing->kind = SFD_SESSION_FREE;
    thing->generation = (uint16_t)(thing->generation % (GENERATIONS - 1) + 1);
    thing->next_free = handles->free;
    handles->free = (uint32_t)(thing - handles->at);
    handles->count--;
}

struct sfd_handle *sfd_handles_next(const struct sfd_handles *handles, uint32_t *place)
{
    while (*place < handles->used) {
        struct sfd_handle *thing = &handles->at[(*place)++];
        if (thing->kind != SFD_SESSION_FREE) return thing;
    }
    return NULL;
}
