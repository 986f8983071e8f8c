/*
 * What a process outside of a sandbox (outsider.c) tells the probe inside (preload/probe.c): a file of this structure.
 */
#ifndef OUTSIDER_COMMON_H
#define OUTSIDER_COMMON_H

#include <sys/types.h>

#define OUTSIDER_IDS    "ids"
#define OUTSIDER_FILE   "file"
#define OUTSIDER_SOCKET "socket"
#define OUTSIDER_GO     "go"

struct outsider {
    pid_t pid;
    int shm;
    int sem;
    int msg;
    int udp_port;
    char abstract[64]; /* the name of its abstract socket, without the NUL before it */
    char queue[64];    /* of POSIX messages; empty: this machine has none */
    long secret;       /* the address of a word in its memory */
};

#endif
