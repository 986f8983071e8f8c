/*
 * Which process of an instance takes which request, while one follows another.
 *
 * An upgrade starts a second process, which takes the request sockets over; the first one keeps its transfers until
 * they end. From then on the new one alone receives. But a Send Open File, or a Cancel, may be for a transfer of the
 * old one, and it carries a descriptor that the new one may not send on: the sandbox allows no sendmsg(2). So the
 * request stays where it is. While a predecessor lives, the receiving loop looks at the first request of a socket
 * (MSG_PEEK) before it takes it, one by one; if its id has a predecessor's tag, it receives nothing until the
 * predecessor, who has the same socket, has taken that one. Requests keep their order, and none is copied.
 *
 * Between look and receipt nobody else may receive, or the receipt takes what was not looked at: a thread can lose its
 * loop in either call (guard.h), and come back after another one has received for it. So there is one receipt at a time
 * then. And no process hands over before the last of its receipts has ended.
 *
 * This costs a look and a receipt a request, and 0.1 ms for each one that is a predecessor's: only while one lives.
 *
 * Thread: the loops, and those that hand over (engine.h). All that several use is atomic. Owns no descriptor.
 */
#ifndef SFD_LOOP_SUCCESSION_H
#define SFD_LOOP_SUCCESSION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/task.h"
#include "sys/sys.h"

#define SFD_SUCCESSION_MAX 8 /* predecessors */

/* What a process says to its predecessor, by a socket of whole messages, and what that one answers. */
#define SFD_SUCCESSION_TAKE  "take" /* and a space, and the number of the socket: of `intake`, or 0 */
#define SFD_SUCCESSION_TAKEN "taken"

struct sfd_succession {
    uint32_t tag; /* of the own transfers; fixed before the first loop */

    /* the one before */
    atomic_uint predecessors; /* how many live */
    struct {
        atomic_int fd; /* a socket to it, borrowed; -1: none, or it has ended */
        uint32_t tag;
    } predecessor[SFD_SUCCESSION_MAX];
    atomic_bool delegated; /* one of them is to take a request: nothing is received until it has */
    atomic_uint receipts;  /* under way */

    /* the one after */
    atomic_bool paused;       /* no loop receives */
    atomic_uint loops_paused; /* how many know */
    atomic_int successor_fd;  /* a socket to it, borrowed; -1: none */
    struct sfd_task take;     /* one request is to be taken for this process; in one mailbox at most */
    atomic_bool take_queued;
    atomic_uint take_source; /* from which socket */
    atomic_uint takes;       /* ordered, and not served yet */
};

void sfd_succession_init(struct sfd_succession *s, uint32_t tag);

/* Around sfd_succession_look and the receipt of what it allows. False: there is one already; what waits, waits on. */
bool sfd_succession_begin_receipt(struct sfd_succession *s);
void sfd_succession_end_receipt(struct sfd_succession *s);

/* Whether nothing is received, nor will be before the end of the pause. */
bool sfd_succession_is_paused(const struct sfd_succession *s, uint32_t loops);

/* How many of the requests that wait in the socket may be received now, at most `most`; 0: none; or -errno. */
int sfd_succession_look(struct sfd_succession *s, const struct sfd_sys *sys, int fd, uint32_t source, int most);

/* The predecessor has ended, or takes no more. Its socket is not used afterwards by who looks anew. */
void sfd_succession_forget(struct sfd_succession *s, uint32_t index);

#endif
