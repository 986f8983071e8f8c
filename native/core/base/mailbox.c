/*
 * A loop's mailbox.
 */
#include "base/mailbox.h"

#include "sys/sys.h"

int sfd_mailbox_init(struct sfd_mailbox *mailbox)
{
    atomic_init(&mailbox->top, NULL);
    mailbox->eventfd = sfd_sys_eventfd();
    return mailbox->eventfd < 0 ? mailbox->eventfd : 0;
}

void sfd_mailbox_deinit(struct sfd_mailbox *mailbox)
{
    if (mailbox->eventfd >= 0) (void)sfd_sys_linux.close(mailbox->eventfd);
    mailbox->eventfd = -1;
}

void sfd_mailbox_push(struct sfd_mailbox *mailbox, struct sfd_task *task)
{
    struct sfd_task *top = atomic_load_explicit(&mailbox->top, memory_order_relaxed);

    do {
        task->next = top;
    } while (
        !atomic_compare_exchange_weak_explicit(&mailbox->top, &top, task, memory_order_release, memory_order_relaxed));
    /*
     * Only the push that found the mailbox empty has to wake the loop. `task` is the loop's now and must not be
     * touched.
     */
    if (top == NULL) sfd_mailbox_wake(mailbox);
}

void sfd_mailbox_wake(struct sfd_mailbox *mailbox)
{
    sfd_sys_event_signal(mailbox->eventfd);
}

struct sfd_task *sfd_mailbox_take(struct sfd_mailbox *mailbox)
{
    struct sfd_task *newest = atomic_exchange_explicit(&mailbox->top, NULL, memory_order_acquire);
    struct sfd_task *oldest = NULL;

    while (newest != NULL) {
        struct sfd_task *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}
