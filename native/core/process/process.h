/*
 * The daemon as a process: identity, limits, signals, the report to a waiting parent, the detached child, its messages.
 *
 * Runs on the main thread, before the engine starts and after it ended. Only signal_wait and detach wait. Nothing here
 * is used when the engine is embedded in another program, but what tells who its clients are: users, groups and their
 * members.
 */
#ifndef SFD_PROCESS_PROCESS_H
#define SFD_PROCESS_PROCESS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct sfd_sys_setup;

/* The marker that a detached child finds as its first argument (a JVM system property). */
#define SFD_PROCESS_DETACHED "-Dsendfiled.detached=true"

/* Where a waiting parent listens: the write end of its pipe has this number (-p, and a detached child). */
enum { SFD_PROCESS_REPORT_FD = 3 };

/*
 * A user by name or decimal number. A number without an entry is taken as it is, with the same number as group.
 * Returns 0, -ENOENT when there is no such user, or -errno of the look-up; -EACCES: this process may not ask.
 */
int sfd_process_user(const char *user, uid_t *uid, gid_t *gid);

/* A group by name or decimal number; as above. */
int sfd_process_group(const char *group, gid_t *gid);

/*
 * The members of a group by the databases of groups and of users: those that its entry lists, and those whose own group
 * it is. Writes the first ROOM of them, some perhaps twice; returns how many there are, or -errno. A number without an
 * entry has none. Asks the databases, which may be a directory service, for all users that they list: blocks. Not
 * beside another thread that lists them (getpwent(3)).
 */
int64_t sfd_process_members(gid_t gid, uid_t *members, size_t room);

/*
 * Becomes UID and GID for good, with the supplementary groups of UID (and no others), and reads everything back.
 * 0 also when the process is that user and group already and cannot change its groups: then there is nothing to drop.
 * -EPERM when it may not; -ENOTRECOVERABLE when the process could still regain privileges, or the kernel reports
 * another identity than asked for: the caller must end.
 */
int sfd_process_become(const struct sfd_sys_setup *sys, uid_t uid, gid_t gid);

/*
 * The overflow uid of a user namespace: there all uids that it does not map look like this one (user_namespaces(7)), so
 * it is nobody's. UINT32_MAX, which no user has, if this process's namespace maps all.
 */
uid_t sfd_process_nobody(const struct sfd_sys_setup *sys);

/* The same of groups. */
gid_t sfd_process_nogroup(const struct sfd_sys_setup *sys);

/*
 * The uid by which other processes of this user are recognized: the effective one, or UINT32_MAX if that is nobody's.
 */
uid_t sfd_process_client_uid(const struct sfd_sys_setup *sys);

/* Raises the soft limit of open files to the hard one; returns what holds then, or -errno. */
int64_t sfd_process_raise_open_files(const struct sfd_sys_setup *sys);

/*
 * From here on SIGTERM, SIGINT, SIGHUP and SIGUSR1 are recorded instead of ending the process. Once a process:
 * -EALREADY. As process 1 it waits for no child from here on: all of them are reaped. Returns a descriptor for
 * signal_wait, or -errno.
 */
int sfd_process_signals_open(void);

/*
 * Blocks until a recorded signal is there that no wait has returned yet, at most timeout_ms (-1: no limit); returns its
 * number, 0 when none came (perhaps early, after another one), or -errno. Each recorded signal ends one wait, SIGTERM
 * before SIGINT before SIGHUP before SIGUSR1; of each of the last two, all that were recorded end one wait together.
 */
int sfd_process_signal_wait(int fd, int timeout_ms);

/* Ends a wait, or the next one, as SIGINT would. Any thread, before close. */
void sfd_process_signal_wake(int fd);

/* Takes fd; the four signals get the dispositions that they had before open. */
void sfd_process_signals_close(int fd);

/* 0 when fd can take a parent's report: writable, and a pipe, socket, terminal or file; else -EBADF. */
int sfd_process_report_check(int fd);

/* Writes one native int: 0 (ready) or a positive errno. Takes fd. */
int sfd_process_report(int fd, int value);

/*
 * Runs this very program again (same executable, arguments and environment, SFD_PROCESS_DETACHED as first argument; by
 * native/start, if this one was) in a session of its own, with standard input and output on /dev/null, standard error
 * kept, the report descriptor on a pipe and nothing else open. Waits for its report: 0 when it is ready and lives on, a
 * positive errno when it failed (and said so on standard error), -ECHILD when it ended without a report, or another
 * -errno.
 */
int sfd_process_detach(void);

/* The same for any program: detach calls it when it knows path and arguments. */
int sfd_process_spawn_detached(const char *path, char *const argv[]);

/*
 * In the detached child, once ready: standard error goes to log_fd, which is taken (-1: /dev/null), and the working
 * directory to "/".
 */
int sfd_process_detached_finish(int log_fd);

/*
 * Opens a file for messages, to append to; made with that mode, less the umask, when it is missing. A descriptor or
 * -errno: -EEXIST for what is not a regular file of this user's with one name, -ELOOP for a symbolic link.
 */
int sfd_process_log_open(const char *path, mode_t mode);

/*
 * From here on what is written to standard output and error is lost, if they are pipes or terminals that have no room:
 * a thread that writes would wait there for as long as nobody reads. Sockets stay as they are; nobody else who writes
 * to the same pipe or terminal sees a difference. To be called as the user who owns them.
 */
void sfd_process_output_unblock(void);

#endif
