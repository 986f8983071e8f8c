/*
 * deputy_client: a client of another user, who would have the daemon do what only its own user may. For root.
 *
 *   deputy_client SOCKDIR NAME UID CASE [PATH]
 *
 *   own         Send File of `small` to a UNIX socket whose other end is this user's, too
 *   lent        the same to one whose other end is root's and asks who sends (SO_PASSCRED)
 *   lent-later  Open File, then Send Open File to that one
 *   later       Send File to a UNIX socket that is not connected yet
 *   pipe        Send File to a pipe
 *   source PATH Send Descriptor of a file that this user can open
 *   file PATH   Send File to a file that this user can open
 *
 * Prints "complete" or the name of the errno, and behind it "lent" if root's end was told that somebody else than UID
 * has sent. Exit status 1 with a word on standard error for all else.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sendfiled.h>

#include "driver_common.h"

/* What the last message says of a transfer of which `of` tells. */
static const char *outcome_of(int status, enum sfd_events_of of)
{
    struct sfd_events events;
    struct sfd_event event;

    if (status < 0) driver_die("request");
    sfd_events_init(&events, of);
    while (sfd_events_next(&events, status, &event) > 0) {
        if (event.type == SFD_EVENT_COMPLETE) return "complete";
        if (event.type == SFD_EVENT_FAILED) return strerrorname_np(event.error);
    }
    driver_die("no outcome");
}

static const char *open_and_send(int srv, int dest)
{
    struct sfd_events events;
    struct sfd_event event;
    const int status = sfd_open(srv, "small", 0, 0, false);

    if (status < 0) driver_die("open");
    sfd_events_init(&events, SFD_EVENTS_OF_SEND);
    while (sfd_events_next(&events, status, &event) > 0) {
        if (event.type == SFD_EVENT_ACCEPTED && !sfd_send_open(srv, sfd_events_txnid(&events), dest))
            driver_die("send");
        if (event.type == SFD_EVENT_COMPLETE) return "complete";
        if (event.type == SFD_EVENT_FAILED) return strerrorname_np(event.error);
    }
    driver_die("no outcome");
}

static void new_pair(int pair[2])
{
    const int on = 1;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ||
        setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
        driver_die("socketpair");
}

/* Whether bytes have come from another user than `uid`. */
static bool was_lent(int fd, uid_t uid)
{
    char bytes[4096];
    union {
        size_t align;
        char bytes[CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct iovec iov = {.iov_base = bytes, .iov_len = sizeof(bytes)};
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
    struct ucred who = {.uid = uid};

    if (recvmsg(fd, &message, MSG_DONTWAIT) <= 0) return false;
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header != NULL && header->cmsg_type == SCM_CREDENTIALS) memcpy(&who, CMSG_DATA(header), sizeof(who));
    return who.uid != uid;
}

static int open_own(const char *path, int flags)
{
    const int fd = open(path, flags | O_CLOEXEC);

    if (fd < 0) driver_die(path);
    return fd;
}

int main(int argc, char **argv)
{
    int roots[2];
    int own[2];
    int ends[2];

    if (argc < 5) return DRIVER_USAGE;
    const uid_t uid = (uid_t)atol(argv[3]);
    const char *what = argv[4];
    const char *path = argc > 5 ? argv[5] : "";
    const char *outcome = "";
    new_pair(roots);
    if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0) driver_die("setresuid");
    (void)prctl(PR_SET_DUMPABLE, 1); /* or its files in /proc are root's */
    new_pair(own);
    if (pipe2(ends, O_CLOEXEC) < 0) driver_die("pipe");
    const int srv = sfd_connect(argv[1], argv[2]);
    if (srv < 0) driver_die("connect");

    if (strcmp(what, "own") == 0)
        outcome = outcome_of(sfd_send(srv, "small", own[1], 0, 0, false), SFD_EVENTS_OF_SEND);
    else if (strcmp(what, "lent") == 0)
        outcome = outcome_of(sfd_send(srv, "small", roots[1], 0, 0, false), SFD_EVENTS_OF_SEND);
    else if (strcmp(what, "lent-later") == 0)
        outcome = open_and_send(srv, roots[1]);
    else if (strcmp(what, "later") == 0)
        outcome = outcome_of(sfd_send(srv, "small", socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), 0, 0, false),
                             SFD_EVENTS_OF_SEND);
    else if (strcmp(what, "pipe") == 0)
        outcome = outcome_of(sfd_send(srv, "small", ends[1], 0, 0, false), SFD_EVENTS_OF_SEND);
    else if (strcmp(what, "source") == 0)
        outcome = outcome_of(sfd_send_fd(srv, open_own(path, O_RDONLY), ends[1], 0, SFD_TO_END, false, NULL),
                             SFD_EVENTS_OF_SEND);
    else if (strcmp(what, "file") == 0)
        outcome = outcome_of(sfd_send(srv, "small", open_own(path, O_WRONLY), 0, 0, false), SFD_EVENTS_OF_SEND);
    else
        return DRIVER_USAGE;
    (void)printf("%s%s\n", outcome, was_lent(roots[0], uid) ? " lent" : "");
    return 0;
}
