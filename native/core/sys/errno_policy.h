/*
 * What each errno means at each place where a system call, or memory, can fail: the one table of it.
 *
 * Role: nothing that a kernel answers ends the daemon. What passes is waited for, with an event where there is one and
 * by a timer where there is none; what does not pass ends the one transfer that met it, and its client is told. The
 * code at each place obeys; it does not judge.
 * Thread: any; the table is constant. Owns nothing.
 *
 *            receive  wait    watch   open    open    lock    read    load    move    copy    status
 *                                     cached
 *   EINTR    ready    defer                                                   ready           ready
 *   EAGAIN   ready    defer           pool                    pool    defer   ready   defer   ready
 *   ENOMEM   defer    defer   defer   pool    defer   defer   pool    defer   defer   defer   defer
 *   ENOBUFS  defer    defer           pool    defer   defer   pool    defer   defer   defer   defer
 *   EMFILE   defer    defer           pool    defer                           defer   defer   defer
 *   ENFILE   defer    defer           pool    defer                           defer   defer   defer
 *   ENOSPC   defer    defer   defer
 *   ENOLCK   defer    defer                   defer   defer
 *   EXDEV    defer    defer           pool
 *   EEXIST   defer    defer   pass
 *   EINVAL   defer    end                             pass
 *   EBADF, EFAULT     end
 *   ENOSYS   defer    defer                           pass
 *   EOPNOTSUPP        defer                           pass    pool
 *   the rest defer    defer   end     end     end     end     end     end     end     end     end
 *
 * An empty field is the rest's. EINTR never comes here from most calls: sys.c asks again at once. It does from sendfile
 * and splice, which a signal of the watchdog frees. EIO of a disk is among the rest: the transfer ends with EIO.
 */
#ifndef SFD_SYS_ERRNO_POLICY_H
#define SFD_SYS_ERRNO_POLICY_H

enum sfd_place {
    SFD_PLACE_RECEIVE,     /* requests from the socket */
    SFD_PLACE_WAIT,        /* epoll_wait */
    SFD_PLACE_WATCH,       /* epoll_ctl: of a transfer's descriptors, or of the request socket */
    SFD_PLACE_OPEN_CACHED, /* a file, on the loop, from the kernel's caches alone */
    SFD_PLACE_OPEN,        /* a file, in the disk pool */
    SFD_PLACE_LOCK,        /* the advisory lock on a range */
    SFD_PLACE_READ,        /* of what may be in the page cache, on the loop */
    SFD_PLACE_LOAD,        /* of a window, in the disk pool */
    SFD_PLACE_MOVE,        /* to a destination, on the loop */
    SFD_PLACE_COPY,        /* from file to file, in the disk pool */
    SFD_PLACE_STATUS,      /* a message into the status channel */
    SFD_PLACES,
};

enum sfd_remedy {
    SFD_REMEDY_END,   /* that is the answer: whoever asked is told */
    SFD_REMEDY_READY, /* epoll says when there is a point in trying again */
    SFD_REMEDY_DEFER, /* the machine lacks something: tried again by a timer, for as long as the place says */
    SFD_REMEDY_POOL,  /* the disk pool may wait for it, the loop may not */
    SFD_REMEDY_PASS,  /* goes on without it */
};

/* What to do about `error` (-errno) at `place`. */
enum sfd_remedy sfd_errno_policy(enum sfd_place place, int error);

#endif
