/*
 * A task: what a loop has another thread do, or what another thread hands to a loop.
 *
 * Role: the link of mailboxes and queues; the first member of what is handed over. Owned by one thread at a time:
 * whoever pushes it lets go of it.
 */
#ifndef SFD_BASE_TASK_H
#define SFD_BASE_TASK_H

#include <stdbool.h>
#include <stdint.h>

struct sfd_loop;

struct sfd_task {
    struct sfd_task *next; /* in the mailbox, or among the tasks that wait for the dispatcher */
    struct sfd_loop *loop; /* to hand it back to */
    uint8_t kind;          /* of the loop: enum sfd_task_kind */
    uint8_t queue;         /* of the disk pool: enum sfd_queue */
    bool urgent;           /* before those that are not, in that queue */
    int32_t client;        /* the process that it is done for; 0: none */
};

#endif
