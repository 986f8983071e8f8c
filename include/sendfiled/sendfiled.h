/*
 * The client API: asks a daemon to read files and to send them to descriptors. Source compatible with the sendfiled.h
 * of the original sendfiled; link with -lsendfiled (pkg-config sendfiled).
 *
 * How it goes: connect once, then each request makes a pipe, hands its write end to the daemon and
 * gives you the read end, the status channel, to watch in your event loop. responses.h says what
 * arrives there.
 *
 *     int srv = sfd_connect(NULL, NULL);
 *     int status = sfd_send(srv, "index.html", client_socket, 0, 0, true);
 *     ...when poll(2) says that status is readable: sfd_events_next() (events.h), or by hand read(2),
 *        sfd_get_stat(), sfd_unmarshal_xfer_stat(), sfd_xfer_complete(); at the end close(status)...
 *
 * For all functions here:
 *   - Failure is -1 (or false) with errno set. Nothing is leaked or left half done: no request was
 *     sent, and no descriptor is open that was not before.
 *   - They are thread-safe: the library keeps no state, so one connection may be used by any number of threads. None is
 *     async-signal-safe. They go on after a signal.
 *   - Descriptors that they return have FD_CLOEXEC set and are yours to close.
 *   - Descriptors and strings passed in are borrowed. The daemon gets duplicates: you may close a
 *     destination as soon as a call has returned, but a socket stays connected until the transfer
 *     is over, because its duplicate does.
 *
 * Errors that every request (sfd_read, sfd_send, sfd_open, sfd_send_open, sfd_cancel, and those with
 * options) may give:
 *     EAGAIN        only if you made srv_sockfd non-blocking: the daemon's queue is full. Nothing was sent; try again
 *                   when the socket is writable
 *     EBADF         srv_sockfd, destination_fd or source_fd is not an open descriptor
 *     ECONNREFUSED ENOTCONN
 *                   the daemon has ended: connect again. (The kernel gives ECONNREFUSED once, drops the connection and
 *                   gives ENOTCONN from then on. EPIPE: after shutdown(2).)
 *     EINVAL        path is NULL; a reserved field of struct sfd_options is not 0, or its version above 2
 *     EMFILE ENFILE out of descriptors
 *     ENAMETOOLONG  path is longer than 4095 bytes
 *     ENOBUFS ENOMEM out of memory
 *     ENOTSOCK      srv_sockfd is not a socket
 *     ETOOMANYREFS  too many descriptors of yours are on their way in sockets
 * The daemon's own refusal of a request (no such file, not allowed, table full) comes on the status channel.
 */
#ifndef SENDFILED_SENDFILED_H
#define SENDFILED_SENDFILED_H

#include "buffer.h"
#include "events.h"
#include "hot.h"
#include "options.h"
#include "places.h"
#include "responses.h"
#include "segments.h"
#include "session.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Starts a daemon: the program "sendfiled" found on PATH (when that is not set, in the system's default
 * path), as a child process, with standard input, output and error on /dev/null, and no other descriptor of yours. It
 * starts in the caller's working directory (in / when that has been removed), with the caller's environment, of which
 * it needs nothing, and with no signal blocked.
 *
 *   server_name      instance name, for sfd_connect()
 *   root_dir         paths of requests are resolved inside this directory
 *   sockdir          directory of its socket, as the caller sees it (never relative to root_dir)
 *   maxfiles         most transfers at a time, > 0; a request beyond them is refused with EMFILE
 *   open_fd_timeout_ms  milliseconds after which a file opened with sfd_open() and not sent is
 *                    closed, > 0
 *
 * Returns the child's pid (> 0) once the daemon takes requests, or 0 when an instance of this name
 * runs already. The caller ends it with sfd_shutdown(), or has a child for which it must wait(2) itself.
 *
 * Blocks until the daemon is ready or has failed, a fraction of a second as a rule. Signal handlers run meanwhile and
 * do not end the wait. When the call fails, the child has ended and has been waited for.
 *
 * errno: EINVAL (a NULL argument, a number out of range, or the daemon did not accept its
 * arguments), ENOENT (no program "sendfiled" on PATH, or a relative directory when the working directory
 * has been removed), EACCES (it may not be executed), EAGAIN or ENOMEM (no process could be made), EMFILE,
 * ENFILE, EIO (the daemon ended without saying why: it finds no Java, as a rule), or the errno of the
 * daemon's failure to start: EPERM for root without SENDFILED_ALLOW_ROOT=1 in its environment.
 */
pid_t sfd_spawn(const char *server_name, const char *root_dir, const char *sockdir, int maxfiles,
                int open_fd_timeout_ms) SFD_API;

/*
 * Connects to the daemon whose socket is SERVER_SOCKDIR/sendfiled.SERVER_NAME.socket. With NULL as directory it looks
 * in each place where a daemon that was not told another one has its socket, sendfiled(7), FINDING THE DAEMON, and
 * connects to the first that listens; sfd_find() (places.h) tells which that is, or why there is none. NULL as name is
 * "default". Returns a blocking datagram socket. Does not block.
 *
 * errno: EINVAL (a name that is empty or contains a slash), ENAMETOOLONG (the socket's path is longer than 107 bytes,
 * the limit of UNIX sockets), ENOENT (no such socket: no daemon of this name), ENOTDIR or ELOOP (on the way to it),
 * ECONNREFUSED (a socket is there but its daemon has gone), EACCES (a daemon that does not serve this user), EPERM
 * (only with NULL: another user could have put a socket into each of the places), EPROTOTYPE (something else listens
 * there), EMFILE, ENFILE, ENOBUFS, ENOMEM. Of several places that is the error of the one where a daemon most likely
 * is.
 */
int sfd_connect(const char *server_sockdir, const char *server_name) SFD_API;

/*
 * Ends a daemon that sfd_spawn() started: SIGTERM, then waits for it to end. Blocks until then.
 *
 * Returns its status as waitpid(2) gives it (WIFEXITED and so on).
 *
 * errno: EINVAL (pid is not positive: 0, which sfd_spawn() gives for "already running", would be
 * the caller's own process group), ESRCH (no such process), EPERM (another user's), ECHILD (not a
 * child of the caller: it has been told to end, but cannot be waited for; or SIGCHLD is ignored, and it has ended, but
 * its status is lost).
 */
int sfd_shutdown(pid_t pid) SFD_API;

/*
 * Read File: the file's bytes come on the returned descriptor, after its File Information, which comes with
 * the first of them. (To learn the size before the first bytes are loaded, use sfd_open().)
 *
 *   srv_sockfd       of sfd_connect()
 *   path             relative to the daemon's root, with or without a leading slash
 *   offset           first byte, >= 0
 *   len              number of bytes; 0 or SFD_TO_END: to the end of the file
 *   dest_fd_nonblock whether the returned descriptor is non-blocking (O_NONBLOCK)
 *
 * Returns the read end of a pipe. Blocks while the daemon's queue of requests is full (10 by
 * default, shared by all clients), unless srv_sockfd is non-blocking. errno: see the top.
 */
int sfd_read(int srv_sockfd, const char *path, off_t offset, size_t len, bool dest_fd_nonblock) SFD_API;

/*
 * Send File: the daemon writes the file's bytes to destination_fd (TCP or UNIX stream socket, UNIX seqpacket socket, in
 * records of at most 4096 bytes, pipe, regular file, opened for writing), and File Information, progress and the
 * outcome to the returned descriptor. Do not write to destination_fd until it is over. Its O_NONBLOCK is not changed. A
 * file is written from its position on, which is moved behind the last byte at the end, but not when the transfer was
 * cancelled or timed out; EBUSY when another transfer writes to the same bytes.
 *
 * stat_fd_nonblock: whether the returned descriptor is non-blocking. The other parameters, blocking
 * and errno: as sfd_read().
 */
int sfd_send(int srv_sockfd, const char *path, int destination_fd, off_t offset, size_t len,
             bool stat_fd_nonblock) SFD_API;

/*
 * Open File: the daemon opens the file and writes its File Information to the returned descriptor,
 * so that you can write a header of your own before sfd_send_open(). A file that is not sent within
 * the daemon's open-file timeout is closed, with the error ETIMEDOUT on the status channel.
 *
 * Only the process that opened a file can send or cancel it, and the transfer ends with that process.
 * Parameters, blocking and errno: as sfd_send().
 */
int sfd_open(int srv_sockfd, const char *path, off_t offset, size_t len, bool stat_fd_nonblock) SFD_API;

/*
 * Send Open File: sends an opened file to destination_fd. Progress and the outcome arrive on the
 * descriptor that sfd_open() returned.
 *
 *   txnid            sfd_file_info.txnid. The daemon ignores one that is wrong or has expired
 *   destination_fd   as in sfd_send()
 *
 * True: the request was sent. Blocking and errno: as sfd_read().
 */
bool sfd_send_open(int srv_sockfd, size_t txnid, int destination_fd) SFD_API;

/*
 * Cancel: ends a transfer of any kind at any point; its status channel gives end of file with no
 * further message, and nothing is written to the destination afterwards. Nothing happens when the
 * transfer is over already, or belongs to another process.
 *
 * txnid: sfd_file_info.txnid. True: the request was sent. Blocking and errno: as sfd_read().
 */
bool sfd_cancel(int srv_sockfd, size_t txnid) SFD_API;

/*
 * Requests with options: how the bytes are moved, how fast, for how long; options.h has them. They are
 * otherwise the same, and can be mixed with those without options on one connection.
 *
 *     struct sfd_options options = {.rate = 10000000, .idle_ms = 30000};
 *     int status = sfd_send_with(srv, "index.html", client_socket, 0, 0, true, &options);
 *
 * They are answered with struct sfd_refusal and struct sfd_result in place of errors and "complete".
 * The daemon judges the options: it refuses a technique that does not fit (EOPNOTSUPP; the refusal says
 * which ones do), a technique or flag that it does not know (EINVAL) and, if it is older than options,
 * all of it (the 2-byte error SFD_FILE_INFO, EPROTONOSUPPORT). A deadline or an idle timeout that is
 * reached ends the transfer with ETIMEDOUT.
 *
 * With options.version 2, len is exact: SFD_TO_END means to the end of the file, and 0 an empty range, which is
 * complete at once. The answer then has a struct sfd_file_details before its struct sfd_file_info:
 * sfd_events_details().
 *
 * options: borrowed; NULL: no options, but the answer still ends with a struct sfd_result. The other parameters, what
 * is returned, blocking and errno: as sfd_read(), sfd_send() and sfd_open().
 */
int sfd_read_with(int srv_sockfd, const char *path, off_t offset, size_t len, bool dest_fd_nonblock,
                  const struct sfd_options *options) SFD_API;

int sfd_send_with(int srv_sockfd, const char *path, int destination_fd, off_t offset, size_t len, bool stat_fd_nonblock,
                  const struct sfd_options *options) SFD_API;

/* The options are those of the transfer that sfd_send_open() begins; its deadline begins here. */
int sfd_open_with(int srv_sockfd, const char *path, off_t offset, size_t len, bool stat_fd_nonblock,
                  const struct sfd_options *options) SFD_API;

/*
 * Read File with the bytes apart from the messages: as sfd_read_with(), but the file's bytes come on a descriptor of
 * their own, *data_fd, and nothing else does. The status channel that is returned says how it ended, also when it has
 * failed; which the end of *data_fd alone does not. So *data_fd may be spliced on as it is, up to its end of file.
 *
 *     int data;
 *     int status = sfd_read_split(srv, "index.html", 0, SFD_TO_END, false, NULL, &data);
 *     ...read(2) or splice(2) from data until it gives 0; then sfd_events_next() from status, SFD_EVENTS_OF_SEND, until
 *        it gives SFD_EVENT_COMPLETE or SFD_EVENT_FAILED; close both...
 *
 *   len       SFD_TO_END, or exactly so many bytes: 0 is an empty range
 *   nonblock  whether the two descriptors are non-blocking (O_NONBLOCK)
 *   options   borrowed; NULL: none. The request is of version 2 in any case
 *   data_fd   the read end of a pipe, the caller's to close; untouched when the call fails. The daemon's limits of time
 *             apply while its reader takes nothing. To close it early ends the transfer with EPIPE
 *
 * The other parameters, what is returned, blocking and errno: as sfd_read_with(). A daemon that does not know version 2
 * answers with the error SFD_FILE_INFO, EPROTONOSUPPORT.
 */
int sfd_read_split(int srv_sockfd, const char *path, off_t offset, size_t len, bool nonblock,
                   const struct sfd_options *options, int *data_fd) SFD_API;

/*
 * Send Descriptor: as sfd_send_with(), from a file that the caller has opened, wherever it is.
 *
 *   source_fd        a regular file, opened for reading; else the daemon refuses with EINVAL or EBADF
 *   offset           from the file's beginning, >= 0; the file position is neither used nor moved
 */
int sfd_send_fd(int srv_sockfd, int source_fd, int destination_fd, off_t offset, size_t len, bool stat_fd_nonblock,
                const struct sfd_options *options) SFD_API;

/*
 * Send File of several segments, one after the other: bytes of the caller's, as a header or a trailer, and ranges of
 * the file. They are one transfer: one Result, and progress and size count bytes and ranges alike. An HTTP answer:
 *
 *     const struct sfd_segment answer[] = {
 *         {.bytes = header, .length = strlen(header)},
 *         {.offset = 0, .length = SFD_TO_END},
 *     };
 *     int status = sfd_send_segments(srv, "index.html", client, answer, 2, true, NULL);
 *
 *   destination_fd   a TCP or UNIX stream socket, a pipe, or a character device
 *   segments, count  borrowed for the call; at most SFD_SEGMENTS_MAX
 *   options          as sfd_send_with(), and may be NULL; the request has version 2 in any case
 *
 * To TCP a segment that another one follows is sent with MSG_MORE, so that they share packets, but for the end of one
 * that sendfile(2) moves. The daemon refuses any other destination with EOPNOTSUPP, SFD_OPTION_SEAL with EINVAL, and
 * all of the segments with ERANGE, before a byte is sent, if one range is not inside the file.
 *
 * Descriptors, blocking, events and errno as sfd_send_with(); and errno E2BIG (too many segments), EMSGSIZE (path and
 * segments are more than SFD_SEGMENTS_ROOM), ERANGE (a negative offset).
 */
int sfd_send_segments(int srv_sockfd, const char *path, int destination_fd, const struct sfd_segment *segments,
                      unsigned count, bool stat_fd_nonblock, const struct sfd_options *options) SFD_API;

/* The same of a file that the caller has opened: source_fd as sfd_send_fd(). It can know the size for its header. */
int sfd_send_fd_segments(int srv_sockfd, int source_fd, int destination_fd, const struct sfd_segment *segments,
                         unsigned count, bool stat_fd_nonblock, const struct sfd_options *options) SFD_API;

/*
 * Read File into a buffer (buffer.h): a file as memory, without a pipe. The daemon fills a memory file that this
 * call makes, and seals it; when the status channel says that it is complete, sfd_buffer_map() maps it.
 *
 *     struct sfd_buffer buffer;
 *     int status = sfd_read_buffer(srv, "model.bin", 0, 0, true, NULL, &buffer);
 *     ...on SFD_EVENT_COMPLETE: sfd_buffer_map(&buffer, 0), then buffer.data, buffer.size...
 *     sfd_buffer_free(&buffer);
 *
 *   out      a buffer that is not mapped yet, untouched on failure; the caller frees it, also when the transfer
 *            failed: at any time; the daemon releases its part when the transfer ends
 *
 * In /proc it has the file's name. The memory is charged to the daemon (its cgroup): the transfer fails with ENOBUFS,
 * before anything is filled, when the daemon has no room for it, and with EDQUOT when it is more than one client may
 * have filled at once. For larger files allocate a memory file, fallocate(2), and have it filled by sfd_send_with().
 * The descriptor that is returned, the other parameters, blocking and errno: as sfd_send_with(), whose SFD_OPTION_SEAL
 * is set in addition; and EMFILE, ENFILE, ENOMEM when no memory file can be made.
 */
int sfd_read_buffer(int srv_sockfd, const char *path, off_t offset, size_t len, bool stat_fd_nonblock,
                    const struct sfd_options *options, struct sfd_buffer *out) SFD_API;

/*
 * Send Buffer: as sfd_send_fd(), from a buffer. It is sealed first if it is not, sfd_buffer_seal(): a socket keeps
 * references to its pages, which must not change any more. The caller keeps the buffer, and may free it as soon as the
 * call has returned.
 *
 *   offset, len   a part of the buffer; len SFD_TO_END, or 0 unless options.version is 2: to its end
 *
 * errno: as sfd_send_fd(); EBADF (no buffer), ERANGE (the part is not inside the buffer), and those of
 * sfd_buffer_seal().
 */
int sfd_send_buffer(int srv_sockfd, struct sfd_buffer *buffer, int destination_fd, off_t offset, size_t len,
                    bool stat_fd_nonblock, const struct sfd_options *options) SFD_API;

/*
 * sendfile(2), with the disk waited for by a daemon. A program that calls sendfile(2) today calls this instead: what it
 * returns, and when, errno, and what becomes of *offset, of the position of in_fd, and of SIGPIPE is the same, for
 * files, sockets and pipes alike. What is in the page cache is moved at once. What is not, the daemon loads, some MiB
 * at a time, while the calling thread sleeps; the calling thread moves it then. So it does not hang in the disk, where
 * no signal reaches a thread, and the daemon's limits (how many read from one disk at a time) hold for it, too.
 *
 *   srv_sockfd   of sfd_connect(). -1: there is none, and the disk is waited for as sendfile(2) does. So it is when the
 *                daemon cannot help: it has ended, or refuses, or cannot read the file
 *   out_fd       whatever sendfile(2) takes. Non-blocking: EAGAIN when it is full, but a cold file is waited for first
 *   in_fd        the file
 *   offset       where to read from, and moved on; the file's position is not used. NULL: the file's position is used,
 *                and moved on
 *   count        bytes; at most 0x7ffff000 are sent
 *
 * Returns the number of bytes sent, fewer than count at the end of the file, when a non-blocking out_fd is full, to a
 * pipe, and after a signal; 0 at the end of the file; or -1. Blocks.
 *
 * The differences: EINTR comes also when a signal ends the wait for the disk before the first byte was sent (its
 * handler has no SA_RESTART, or it came while a non-blocking srv_sockfd was full). Some descriptors
 * are used for a moment. Thread-safe as sendfile(2) is.
 */
ssize_t sfd_sendfile(int srv_sockfd, int out_fd, int in_fd, off_t *offset, size_t count) SFD_API;

/*
 * The name of a technique, "auto", "sendfile", "splice", "mmap", "read-write" or "copy-file-range":
 * a constant string, or NULL when `technique` is none of enum sfd_technique. Neither blocks nor fails.
 */
const char *sfd_get_technique_name(int technique) SFD_API;

/* The technique of this name, >= 0. Does not block. -1 with EINVAL when there is none, or name is NULL. */
int sfd_find_technique(const char *name) SFD_API;

/*
 * Whether this machine has each technique: errors[t] becomes 0, or the errno with which the calling process cannot use
 * technique t; usually ENOSYS or EPERM. A daemon in a stricter sandbox may have fewer. A technique that cannot be
 * tried, because no descriptor is free, counts as available. Makes memory files and a pipe and closes them again; waits
 * for no disk. errno is not touched.
 */
void sfd_probe_techniques(int errors[SFD_TECHNIQUES]) SFD_API;

#ifdef __cplusplus
}
#endif

#endif
