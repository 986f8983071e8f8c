/*
 * What to do about each errno, at each place where a system call or an allocation can fail.
 *
 * Role: the one table of it; the code at each place does what the table says. A condition that passes is waited for:
 * with epoll where the kernel reports its end, else by a timer. Any other error ends only the transfer that met it,
 * whose client gets the errno. Only a broken epoll instance (WAIT) ends a loop.
 * Thread: any; the table is constant. Owns nothing.
 *
 *            receive  wait    watch   open    open    lock    read    load    move    copy    begin   status
 *                                     cached                                                  copy
 *   EINTR    ready    defer                                                   ready                   ready
 *   EAGAIN   ready    defer           pool                    pool    defer   ready   defer           ready
 *   ENOMEM   defer    defer   defer   pool    defer   defer   pool    defer   defer   defer   defer   defer
 *   ENOBUFS  defer    defer           pool    defer   defer   pool    defer   defer   defer           defer
 *   EMFILE   defer    defer           pool    defer                           defer   defer   defer   defer
 *   ENFILE   defer    defer           pool    defer                           defer   defer   defer   defer
 *   ENOSPC   defer    defer   defer
 *   ENOLCK   defer    defer                   defer   defer
 *   EXDEV    defer    defer           pool
 *   EEXIST   defer    defer   pass
 *   EINVAL   defer    end                             pass
 *   EBADF, EFAULT     end
 *   ENOSYS   defer    defer                           pass
 *   EOPNOTSUPP        defer                           pass    pool
 *   the rest defer    defer   end     end     end     end     end     end     end     end     end     end
 *
 * An empty field means the same as the field of "the rest" in its column. Most calls never give EINTR, because sys.c
 * repeats them at once. sendfile and splice do: the watchdog interrupts them with a signal when they block. EIO of a
 * disk belongs to "the rest": the transfer ends with EIO.
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
    SFD_PLACE_READ,        /* of bytes that may be in the page cache, on the loop */
    SFD_PLACE_LOAD,        /* of a window, in the disk pool */
    SFD_PLACE_MOVE,        /* to a destination, on the loop */
    SFD_PLACE_COPY,        /* from file to file, in the disk pool */
    SFD_PLACE_BEGIN_COPY,  /* what that needs before its first byte; ENOBUFS: memory_budget.h refuses it */
    SFD_PLACE_STATUS,      /* a message into the status channel */
    SFD_PLACES,
};

enum sfd_remedy {
    SFD_REMEDY_END,   /* final: it is reported to whoever asked */
    SFD_REMEDY_READY, /* try again when epoll reports the descriptor as ready */
    SFD_REMEDY_DEFER, /* a shortage: try again by a timer, for as long as the caller allows */
    SFD_REMEDY_POOL,  /* hand it to the disk pool, which may wait; the loop may not */
    SFD_REMEDY_PASS,  /* ignore it and go on */
};

/* What to do about `error` (-errno) at `place`. */
enum sfd_remedy sfd_errno_policy(enum sfd_place place, int error);

#endif
