/*
 * The guard: the system calls of a loop, each of which may cost the thread its loop.
 *
 * Role: a table of system calls that a loop uses instead of the one that it was given. Each call marks that its thread
 * is in a call, makes it by the table below, and takes note afterwards if the loop was taken away meanwhile: then it
 * returns only when the thread has it back. So to the code above a call is a call, but other transfers may have run
 * before it returns. Thread: the carriers of loops.
 */
#ifndef SFD_LOOP_GUARD_H
#define SFD_LOOP_GUARD_H

#include "sys/sys.h"

struct sfd_carrier;

/* To be used by the thread of a carrier, between sfd_guard_enter and sfd_guard_leave. */
extern const struct sfd_sys sfd_guard_sys;

/* The calling thread works as this carrier from here on, until it leaves. */
void sfd_guard_enter(struct sfd_carrier *carrier);
void sfd_guard_leave(void);

#endif
