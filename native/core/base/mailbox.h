/*
 * A loop's mailbox: what other threads hand to it.
 *
 * Role: a lock-free stack, on which many threads push and which one takes as a whole, and an eventfd that ends the
 * loop's wait. Thread: push: any; take: the loop.
 */
#ifndef SFD_BASE_MAILBOX_H
#define SFD_BASE_MAILBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/task.h"

struct sfd_mailbox {
    _Atomic(struct sfd_task *) top;
    int eventfd;
};

/* 0 or -errno. */
int sfd_mailbox_init(struct sfd_mailbox *mailbox);
void sfd_mailbox_deinit(struct sfd_mailbox *mailbox);

/* Hands over `task`; the loop owns it from here on. */
void sfd_mailbox_push(struct sfd_mailbox *mailbox, struct sfd_task *task);

/* Whether nothing is in it; a push that follows ends the loop's wait. The loop. */
static inline bool sfd_mailbox_is_empty(const struct sfd_mailbox *mailbox)
{
    return atomic_load_explicit(&mailbox->top, memory_order_relaxed) == NULL;
}

/* Ends the loop's wait without a task. */
void sfd_mailbox_wake(struct sfd_mailbox *mailbox);

/* Everything that was pushed, oldest first; NULL when nothing was. */
struct sfd_task *sfd_mailbox_take(struct sfd_mailbox *mailbox);

#endif
