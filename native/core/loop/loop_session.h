/*
 * Sessions of a loop, between the files loop_session*.c only: session.h says what they are, loop_private.h what they do
 * for the other files of a loop.
 */
#ifndef SFD_LOOP_LOOP_SESSION_H
#define SFD_LOOP_LOOP_SESSION_H

#include "loop/loop_private.h"

/* Descriptors of each session: its connection and its eventfd. */
#define SFD_SESSION_DESCRIPTORS 2

/* The root of requests that come by a socket, for what the kernel has in memory; NULL: there is none. */
static inline struct sfd_hot *sfd_loop_hot(const struct sfd_loop *loop, int32_t root)
{
    return root >= 0 && root < SFD_ROOTS_MAX ? loop->shared->hot[root] : NULL;
}

/* Whether sessions begin nothing new any more, and end when they are idle. */
static inline bool sfd_loop_sessions_end(const struct sfd_loop *loop)
{
    return loop->stopping || loop->draining || atomic_load_explicit(&loop->shared->sessions_end, memory_order_relaxed);
}

/* ---- loop_session.c ---- */

/* Gives a session that has no loop to that one, or takes it if that one has ended. */
void sfd_loop_session_give(struct sfd_loop *loop, struct sfd_session *session, struct sfd_loop *to);

/* It has no loop any more. Takes the caller's reference: the caller has to give it to another one. */
void sfd_loop_session_leave(struct sfd_loop *loop, struct sfd_session *session);

/* It has something to do. */
void sfd_loop_session_queue(struct sfd_loop *loop, struct sfd_session *session);

/* It ends: when nobody works on it any more, and what was in flight has ended. Idempotent. */
void sfd_loop_session_end(struct sfd_loop *loop, struct sfd_session *session);

/* Releases a reference. */
void sfd_loop_session_put(struct sfd_loop *loop, struct sfd_session *session);

/* Has epoll watch its connection, or its eventfd. 0 or -errno. */
int sfd_loop_session_watch(struct sfd_loop *loop, const struct sfd_session *session, bool eventfd);

/* ---- loop_session_accept.c ---- */

/* The listening socket is readable. */
void sfd_loop_sessions_accept(struct sfd_loop *loop);

/* ---- loop_session_messages.c ---- */

/* A Welcome to whoever is at the other end: 0 or -errno. If it does not take it, it is no client that waits for it. */
void sfd_loop_session_welcome(const struct sfd_sys *sys, int connection, int error);

/* It ends, and is told so, unless it was welcome before. */
void sfd_loop_session_refuse(struct sfd_loop *loop, struct sfd_session *session, int error);

/* Its connection may have messages: reads some. */
void sfd_loop_session_receive(struct sfd_loop *loop, struct sfd_session *session);

/* Its Hello is decided: 0 or -errno. */
void sfd_loop_session_open(struct sfd_loop *loop, struct sfd_session *session, int error);

/* ---- loop_session_move.c ---- */

/*
 * A session was served since then; the time of the next one begins now. True: it is another loop's from here on, with
 * the caller's reference.
 */
bool sfd_loop_session_served(struct sfd_loop *loop, struct sfd_session *session, uint64_t *since_ns);

/* ---- loop_session_handles.c ---- */

/* 0 if `fd` is a memory file with these seals, and what it is; or -errno. */
int sfd_loop_session_look_at_memory(const struct sfd_sys *sys, int fd, int seals, struct sfd_session_memory *out);

/*
 * Whether all pages of a buffer are there, as far as was looked in this turn: what is filled otherwise is charged to
 * this process, and has to be granted (memory/memory_budget.h).
 */
bool sfd_loop_session_is_whole(struct sfd_loop *loop, struct sfd_session *session, uint32_t handle);

/* A place for a thing that is open already. 0, or -errno. */
int sfd_loop_session_add_handle(struct sfd_loop *loop, struct sfd_session *session, enum sfd_session_kind kind,
                                uint32_t *handle);

/* A Register. Takes `fd`, or the -errno for which there is none. */
void sfd_loop_session_register(struct sfd_loop *loop, struct sfd_session *session, uint32_t kind, int fd,
                               uint64_t user_data);

/* A handle stands for nothing any more. */
void sfd_loop_session_release(struct sfd_loop *loop, struct sfd_session *session, struct sfd_handle *thing);

/* ---- loop_session_requests.c ---- */

/* Takes entries, and goes on with what is due. True: there may be more at once. */
bool sfd_loop_session_run(struct sfd_loop *loop, struct sfd_session *session);

/* ---- loop_session_transfers.c ---- */

/* Requests that were not served at once have ended. */
void sfd_loop_session_take_ends(struct sfd_loop *loop);

/* ---- loop_session_jobs.c ---- */

/* One that was promised is written; the client sees it with the next ones that it is shown. */
void sfd_loop_session_complete(struct sfd_session *session, const struct sfd_session_completion *completion);

/* Withdraws all that is in flight. */
void sfd_loop_session_cancel_all(struct sfd_session *session);

/* The dispatcher is to say whether the client is served. 0 or -ENOMEM. */
int sfd_loop_session_ask_hello(struct sfd_loop *loop, struct sfd_session *session);

#endif
