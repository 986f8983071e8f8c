/*
 * A loop's mailbox.
 */
#include "base/mailbox.h"

#include "sys/sys.h"

/* What `top` is once it is closed: no task has this address. */
static struct sfd_task *closed_mark(struct sfd_mailbox *mailbox)
{
    return (struct sfd_task *)(void *)mailbox;
}

int sfd_mailbox_init(struct sfd_mailbox *mailbox)
{
    atomic_init(&mailbox->top, NULL);
    atomic_init(&mailbox->may_wait, false);
    mailbox->eventfd = sfd_sys_eventfd();
    return mailbox->eventfd < 0 ? mailbox->eventfd : 0;
}

void sfd_mailbox_deinit(struct sfd_mailbox *mailbox)
{
    if (mailbox->eventfd >= 0) (void)sfd_sys_linux.close(mailbox->eventfd);
    mailbox->eventfd = -1;
}

bool sfd_mailbox_push(struct sfd_mailbox *mailbox, struct sfd_task *task)
{
    struct sfd_task *top = atomic_load_explicit(&mailbox->top, memory_order_relaxed);

    do {
        if (top == closed_mark(mailbox)) return false;
        task->next = top;
    } while (!atomic_compare_exchange_weak(&mailbox->top, &top, task));
    /* `task` is the loop's now and must not be touched. One of those who push wakes the loop. */
    if (atomic_load(&mailbox->may_wait) && atomic_exchange(&mailbox->may_wait, false)) sfd_mailbox_wake(mailbox);
    return true;
}

bool sfd_mailbox_begin_wait(struct sfd_mailbox *mailbox)
{
    atomic_store(&mailbox->may_wait, true);
    return atomic_load(&mailbox->top) == NULL;
}

void sfd_mailbox_end_wait(struct sfd_mailbox *mailbox)
{
    atomic_store_explicit(&mailbox->may_wait, false, memory_order_relaxed);
}

void sfd_mailbox_wake(struct sfd_mailbox *mailbox)
{
    sfd_sys_event_signal(mailbox->eventfd);
}

bool sfd_mailbox_close(struct sfd_mailbox *mailbox)
{
    struct sfd_task *top = NULL;

    return atomic_compare_exchange_strong(&mailbox->top, &top, closed_mark(mailbox)) || top == closed_mark(mailbox);
}

struct sfd_task *sfd_mailbox_take(struct sfd_mailbox *mailbox)
{
    struct sfd_task *newest = atomic_load_explicit(&mailbox->top, memory_order_relaxed);
    struct sfd_task *oldest = NULL;

    if (newest == NULL || newest == closed_mark(mailbox)) return NULL;
    newest = atomic_exchange_explicit(&mailbox->top, NULL, memory_order_acquire); /* only the loop closes it */

    while (newest != NULL) {
        struct sfd_task *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}
