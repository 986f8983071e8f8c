/*
 * A task: work that a loop hands to another thread, or that another thread hands to a loop.
 *
 * Role: the link of mailboxes and queues, and the first member of the struct that is handed over. Owned by one thread
 * at a time: a push gives it away.
 */
#ifndef SFD_BASE_TASK_H
#define SFD_BASE_TASK_H

#include <stdbool.h>
#include <stdint.h>

struct sfd_loop;

struct sfd_task {
    struct sfd_task *next; /* in the mailbox, or among the tasks that wait for the dispatcher */
    struct sfd_loop *loop; /* to which it is handed back */
    uint8_t kind;          /* of the loop: enum sfd_task_kind */
    uint8_t queue;         /* of the disk pool: enum sfd_queue */
    bool urgent;           /* in that queue, goes before tasks that are not */
    int32_t client;        /* the process that it is done for; 0: none */
    uint32_t user;         /* the uid of that process */
};

#endif
