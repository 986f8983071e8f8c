/*
 * The request socket of one instance and the lock that makes it the only one of its name.
 *
 * Runs on the thread that starts or stops the engine, and on the one that looks after the socket; may touch the disk,
 * so never on a loop. One thread at a time. Owns the directory, lock, socket and inotify descriptors and the three
 * names in the directory. Never reads a request.
 *
 *   DIR/sendfiled.NAME.socket
 *       AF_UNIX SOCK_DGRAM, mode 0600 from its first moment, then as sfd_endpoint_access says
 *   DIR/.sendfiled.NAME.spare
 *       a second link of the same, from which the first is made again when somebody has removed it; hidden, so that
 *       who removes all that a pattern of the shell matches leaves it
 *   DIR/sendfiled.NAME.lock
 *       flock(2)ed for the life of the instance, holds "PID\n"
 *
 * Cleaners remove old files of which they think that nobody uses them. systemd-tmpfiles finds the sockets in use in
 * /proc/net/unix, which has those of its own network namespace only; but it leaves a directory alone on which somebody
 * has a lock (flock(2); tmpfiles.d(5)). So DIR is locked as well, shared, if it is not everybody's.
 */
#ifndef SFD_PROCESS_ENDPOINT_H
#define SFD_PROCESS_ENDPOINT_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/un.h>

struct sfd_sys_setup;

/* Longest NAME: what is left of sun_path after "sendfiled." and ".socket", were DIR empty. */
#define SFD_ENDPOINT_FILE_MAX sizeof(((struct sockaddr_un *)0)->sun_path)

/* Who can connect: the mode of the socket (a client needs write permission, unix(7)), and its group. */
struct sfd_endpoint_access {
    mode_t mode; /* 0600, 0660 or 0666 */
    gid_t group; /* of 0660. If this process may not give the socket to it, the mode is 0666 */
};

struct sfd_endpoint {
    int fd;          /* the bound request socket: non-blocking, CLOEXEC, SO_PASSCRED; -1 when closed */
    int dir_fd;      /* O_PATH on DIR: names are removed from this directory, even if it was renamed */
    int lock_fd;     /* holds the flock */
    int dir_lock_fd; /* holds a shared flock on DIR; -1: DIR is everybody's, or must not be read */
    int watch_fd;    /* inotify(7) on the socket: readable when its links have changed; -1: it cannot be watched */
    bool blind;      /* senders may be in pid namespaces that this process does not see into: their pid is 0 */
    bool named;      /* we made the socket's name, and remove it if the next two still match */
    bool spared;     /* we made the spare name */
    bool stays;      /* the socket and its name are the service manager's, and outlive us */
    bool borrowed;   /* everything is another process's yet: sfd_endpoint_inherit */
    dev_t socket_dev;
    ino_t socket_ino;
    const struct sfd_sys_setup *sys;
    char socket_file[SFD_ENDPOINT_FILE_MAX];
    char spare_file[SFD_ENDPOINT_FILE_MAX];
    char lock_file[SFD_ENDPOINT_FILE_MAX];
};

/* Makes close legal; open calls it too. */
void sfd_endpoint_init(struct sfd_endpoint *e);

/*
 * Takes the lock, removes a stale socket, binds. DIR is created with mode 0700 when it is missing (its parent is not).
 * Returns 0 or -errno, and then nothing is left behind:
 *   -EADDRINUSE    an instance of that name runs (see sfd_endpoint_holder), or a foreign program serves the socket
 *   -EINVAL        NAME is empty or contains a slash
 *   -ENAMETOOLONG  DIR/sendfiled.NAME.socket does not fit a socket address (107 bytes)
 *   -EEXIST        something that is not a socket has the socket's name, or not a regular file the lock's
 *   -EPERM         DIR belongs to neither root nor this user, or others may write to it and it is not sticky
 *   -ENOTDIR, -ENOENT, -EACCES, ... from the directory
 */
int sfd_endpoint_open(struct sfd_endpoint *e, const char *dir, const char *name);

/*
 * The same for others than this user. The mode is never wider than ACCESS says, nor that of another group. A missing
 * DIR is made with mode 0755, less the umask; -EPERM also if its group may write to DIR, but root's. SYS must live as
 * long as the endpoint.
 */
int sfd_endpoint_open_for(struct sfd_endpoint *e, const struct sfd_sys_setup *sys, const char *dir, const char *name,
                          const struct sfd_endpoint_access *access);

/*
 * The same with a socket that a service manager has bound to DIR/sendfiled.NAME.socket, and keeps: FD, which is taken,
 * also after a failure, and fits as sfd_service_socket says. Neither hide nor close remove its name, which has no spare
 * and is not watched, and requests that are left in it are there for the next one. Its mode changes only if it is this
 * user's.
 */
int sfd_endpoint_adopt(struct sfd_endpoint *e, const struct sfd_sys_setup *sys, const char *dir, const char *name,
                       const struct sfd_endpoint_access *access, int fd);

/*
 * The same with the socket and the lock of a process that serves, and that is to be followed: FD and LOCK_FD are taken,
 * also after a failure. STAYS, DEV and INO are its own. Nothing is removed by hide and close, or by a failure, before
 * sfd_endpoint_claim. The mode is only widened. -ESTALE: the lock is not that of the name.
 */
int sfd_endpoint_inherit(struct sfd_endpoint *e, const struct sfd_sys_setup *sys, const char *dir, const char *name,
                         const struct sfd_endpoint_access *access, int fd, int lock_fd, bool stays, dev_t dev,
                         ino_t ino);

/* The other process has let go: from here on socket and names are ours. Uses only calls that the sandbox allows. */
void sfd_endpoint_claim(struct sfd_endpoint *e);

/* Another process follows, which has the descriptors: the names are its from here on, and the lock. Not the socket. */
void sfd_endpoint_release(struct sfd_endpoint *e);

/* For this user alone, on a given table. */
int sfd_endpoint_open_with(struct sfd_endpoint *e, const struct sfd_sys_setup *sys, const char *dir, const char *name);

/*
 * The pid in the lock file of a running instance: > 0, 0 when none runs, or -errno. Does not disturb the lock of that
 * instance.
 */
int sfd_endpoint_holder(const char *dir, const char *name);

/*
 * Lets the kernel add a pidfd of the sender to each datagram (SO_PASSPIDFD, Linux 6.5): for a blind endpoint, where the
 * pid alone tells nothing. Costs about a microsecond a datagram. 0 or -errno.
 */
int sfd_endpoint_pass_pidfds(const struct sfd_endpoint *e);

/* The same for another request socket of the instance. */
int sfd_endpoint_pass_pidfds_of(const struct sfd_endpoint *e, int fd);

/* The path of an open endpoint's socket in `dir`, in `out`, which has room for a socket address's. */
void sfd_endpoint_path(const struct sfd_endpoint *e, const char *dir, char *out);

/*
 * Looks whether the socket has its name, and gives it back when that was removed. 0: it has; 1: it has it again;
 * -EEXIST: the name is somebody else's now, who keeps it; -ENOENT: the spare name, or DIR, is gone as well; another
 * -errno. No client can connect then, and it is worth another look later. 0 also after sfd_endpoint_hide. Uses only
 * calls that the sandbox allows at work.
 */
int sfd_endpoint_look(struct sfd_endpoint *e);

/* Removes the socket's name: no new client can connect; connected ones can still send. Idempotent. */
void sfd_endpoint_hide(struct sfd_endpoint *e);

/* Removes all names, if they are still ours, and closes. Idempotent. */
void sfd_endpoint_close(struct sfd_endpoint *e);

#endif
