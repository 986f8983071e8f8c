/*
 * A loop's mailbox: what other threads hand to it.
 *
 * Role: a lock-free stack, on which many threads push and which one takes as a whole, and an eventfd that ends the
 * loop's wait. Thread: push, wake: any; the rest: the loop.
 *
 * A push makes a system call only if the loop may be waiting. No wake-up is lost: the loop first marks that it may
 * wait, then looks whether the mailbox is empty; a push first adds its task, then looks at the mark. All of it is
 * sequentially consistent (memory_order_seq_cst). The eventfd is never read: its registration with epoll is
 * edge-triggered.
 */
#ifndef SFD_BASE_MAILBOX_H
#define SFD_BASE_MAILBOX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/task.h"

struct sfd_mailbox {
    _Atomic(struct sfd_task *) top; /* or a mark that nothing is taken any more */
    atomic_bool may_wait;           /* the loop waits, or is about to: who clears it has to wake the loop */
    int eventfd;
};

/* 0 or -errno. */
int sfd_mailbox_init(struct sfd_mailbox *mailbox);
void sfd_mailbox_deinit(struct sfd_mailbox *mailbox);

/* Hands over `task`; the loop owns it from here on. False, and the task is still the caller's, if it is closed. */
bool sfd_mailbox_push(struct sfd_mailbox *mailbox, struct sfd_task *task);

/* The loop is about to wait: true when nothing is in it; then a push ends the wait, until sfd_mailbox_end_wait. */
bool sfd_mailbox_begin_wait(struct sfd_mailbox *mailbox);
void sfd_mailbox_end_wait(struct sfd_mailbox *mailbox);

/* Ends the loop's wait without a task. */
void sfd_mailbox_wake(struct sfd_mailbox *mailbox);

/* Everything that was pushed, oldest first; NULL when nothing was, or it is closed. */
struct sfd_task *sfd_mailbox_take(struct sfd_mailbox *mailbox);

/* From here on nothing can be pushed any more; false, and nothing is changed, if something is in it. Idempotent. */
bool sfd_mailbox_close(struct sfd_mailbox *mailbox);

#endif
