/*
 * The service manager that has started this process: systemd, or what speaks its protocols. sd_notify(3) by a socket
 * that is connected once, and the sockets of sd_listen_fds(3).
 *
 * Without libsystemd: the library of the engine needs libc only. Main thread. Owns nothing; the caller closes. Never
 * prints, and never ends the process: a manager that is gone does not end what it has started.
 */
#ifndef SFD_PROCESS_SERVICE_MANAGER_H
#define SFD_PROCESS_SERVICE_MANAGER_H

#include <stddef.h>
#include <stdint.h>

/*
 * Connects to the socket that NOTIFY_SOCKET names: "/PATH", or "@NAME" for one of the abstract namespace. The
 * descriptor (CLOEXEC), whose sends wait a second at most; or -errno, -EAFNOSUPPORT among them for another kind of
 * address and -ENAMETOOLONG. To be called before the sandbox, which allows no connection; sends pass it.
 */
int sfd_service_connect(const char *address);

/* Sends one message, whole: 0, or -errno; -EAGAIN when there was no room for a second. */
int sfd_service_send(int fd, const char *message, size_t length);

/*
 * Waits until it has taken the messages so far, at most so long: for the last words of a process, which it could not
 * tell whose they are when that has ended. 0; -ETIMEDOUT; or -errno, -EPERM among them in the sandbox.
 */
int sfd_service_await_receipt(int fd, int timeout_ms);

/* Where the descriptors begin that it passes: SD_LISTEN_FDS_START. */
enum { SFD_SERVICE_SOCKET_FD = 3 };

/*
 * Takes a socket that it passes as the request socket, and makes it what the engine wants: CLOEXEC, O_NONBLOCK,
 * SO_PASSCRED. Writes its path and a NUL, as it was bound, to PATH, which has room for SFD_SERVICE_PATH_MAX bytes.
 * Returns 0; 1 when the option had to be set, so that what was sent before has no credentials; or -errno, and then FD
 * is as it was: -EBADF, -ENOTSOCK, -EAFNOSUPPORT (not of AF_UNIX), -EPROTOTYPE (not for datagrams), -EADDRNOTAVAIL
 * (without a path).
 */
enum { SFD_SERVICE_PATH_MAX = 109 };
int sfd_service_socket(int fd, char *path);

/* CLOCK_MONOTONIC in microseconds, as MONOTONIC_USEC= wants it. */
uint64_t sfd_service_clock_us(void);

#endif
