/*
 * service_manager [--watchdog USEC] [--abstract] [--no-credentials] [--any] [--listen TYPE PATH]... DIRECTORY
 * PROGRAM [ARGUMENT]...
 *
 * Stands in for systemd: starts a program with the protocols of sd_notify(3) and sd_listen_fds(3), and checks every
 * message that it gets. Commands on standard input, a line each: "start" runs the program (once at a time), "end" ends.
 * Lines on standard output:
 *
 *   listening              all sockets are there
 *   started PID
 *   message VARIABLE=VALUE[|VARIABLE=VALUE]...
 *   wrong REASON           a message that systemd would refuse
 *   exited STATUS          or 128 and the number of a signal
 *
 * Its socket for messages is DIRECTORY/notify, or an abstract one. --listen binds a socket of TYPE (dgram, stream,
 * packet, or udp), which it keeps over all starts. --no-credentials: without PassCredentials=. --any:
 * messages may come from other processes as well, as with NotifyAccess=all. One thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SOCKETS_MAX = 8, FIRST_FD = 3, MESSAGE_MAX = 4096 };

struct manager {
    int notify_fd;
    char address[128];
    int sockets[SOCKETS_MAX];
    int count;
    const char *watchdog;
    bool any;
    char **command;
    pid_t child;
};

static const char *const known[] = {
    "READY",   "RELOADING", "STOPPING", "MONOTONIC_USEC",      "STATUS",
    "MAINPID", "WATCHDOG",  "ERRNO",    "EXTEND_TIMEOUT_USEC", "BARRIER",
};

static _Noreturn void fail(const char *what)
{
    perror(what);
    exit(1);
}

static int bound(int type, const char *path, bool credentials)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const size_t length = strlen(path);
    const int on = 1;
    const int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

    if (fd < 0 || length >= sizeof(address.sun_path)) fail(path);
    memcpy(address.sun_path, path, length);
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    else
        (void)unlink(path);
    if (credentials && setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0) fail("SO_PASSCRED");
    const socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (path[0] == '@' ? 0 : 1));
    if (bind(fd, (struct sockaddr *)&address, size) < 0) fail(path);
    if (type != SOCK_DGRAM && listen(fd, 5) < 0) fail(path);
    return fd;
}

static int listening(const char *type, const char *path, bool credentials)
{
    if (strcmp(type, "udp") == 0) return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return bound(strcmp(type, "dgram") == 0    ? SOCK_DGRAM
                 : strcmp(type, "stream") == 0 ? SOCK_STREAM
                                               : SOCK_SEQPACKET,
                 path, credentials);
}

static void put_number(const char *name, long number)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%ld", number);
    if (setenv(name, text, 1) < 0) fail(name);
}

/* The child: its sockets are at 3 and above, as systemd has them. */
static _Noreturn void run(const struct manager *manager)
{
    int moved[SOCKETS_MAX];
    sigset_t none;

    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    for (int i = 0; i < manager->count; i++)
        moved[i] = fcntl(manager->sockets[i], F_DUPFD_CLOEXEC, FIRST_FD + SOCKETS_MAX);
    for (int i = 0; i < manager->count; i++)
        if (dup2(moved[i], FIRST_FD + i) < 0) fail("dup2");
    (void)setenv("NOTIFY_SOCKET", manager->address, 1);
    if (manager->watchdog != NULL) {
        (void)setenv("WATCHDOG_USEC", manager->watchdog, 1);
        put_number("WATCHDOG_PID", (long)getpid());
    }
    if (manager->count > 0) {
        put_number("LISTEN_FDS", manager->count);
        put_number("LISTEN_PID", (long)getpid());
        (void)setenv("LISTEN_FDNAMES", "sendfiled.socket", 1);
    }
    execv(manager->command[0], manager->command);
    fail(manager->command[0]);
}

static bool is_known(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strlen(known[i]) == length && memcmp(known[i], name, length) == 0) return true;
    return false;
}

/* Lines NAME=VALUE, none of them empty, no control character in a value. NULL when it is all right. */
static const char *fault(const char *message, size_t length)
{
    for (size_t at = 0; at < length;) {
        const char *line = message + at;
        const char *end = memchr(line, '\n', length - at);
        const size_t size = end == NULL ? length - at : (size_t)(end - line);
        const char *equals = memchr(line, '=', size);
        if (equals == NULL || equals == line) return "a line without a variable";
        if (!is_known(line, (size_t)(equals - line))) return "an unknown variable";
        for (size_t i = 0; i < size; i++)
            if ((unsigned char)line[i] < ' ') return "a control character";
        at += size + 1;
    }
    return length == 0 ? "an empty message" : NULL;
}

static void take_message(const struct manager *manager)
{
    char text[MESSAGE_MAX + 1];
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec iov = {.iov_base = text, .iov_len = MESSAGE_MAX};
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    struct ucred sender = {.pid = 0};
    int barrier = -1;
    const ssize_t n = recvmsg(manager->notify_fd, &message, MSG_CMSG_CLOEXEC);

    if (n < 0) fail("recvmsg");
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_type == SCM_CREDENTIALS) memcpy(&sender, CMSG_DATA(header), sizeof(sender));
        if (header->cmsg_type == SCM_RIGHTS) memcpy(&barrier, CMSG_DATA(header), sizeof(barrier));
    }
    const char *wrong = fault(text, (size_t)n);
    if ((barrier >= 0) != (strncmp(text, "BARRIER=1", (size_t)n) == 0)) wrong = "a descriptor, or none";
    if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) wrong = "longer than 4096 bytes, or with descriptors";
    if (sender.pid != manager->child && !manager->any) wrong = "from another process";
    for (ssize_t i = 0; i < n; i++)
        if (text[i] == '\n') text[i] = '|';
    text[n] = '\0';
    if (wrong == NULL)
        printf("message %s\n", text);
    else
        printf("wrong %s: %s\n", wrong, text);
    if (barrier >= 0) (void)close(barrier);
}

/* False at the end of the commands. */
static bool take_command(struct manager *manager)
{
    char line[64];

    if (fgets(line, sizeof(line), stdin) == NULL || strncmp(line, "end", 3) == 0) return false;
    if (strncmp(line, "start", 5) != 0 || manager->child > 0) return true;
    (void)fflush(stdout);
    manager->child = fork();
    if (manager->child < 0) fail("fork");
    if (manager->child == 0) run(manager);
    printf("started %ld\n", (long)manager->child);
    return true;
}

static void take_exit(struct manager *manager)
{
    int status = 0;

    if (manager->child <= 0 || waitpid(manager->child, &status, WNOHANG) != manager->child) return;
    manager->child = 0;
    printf("exited %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static void ignore_signal(int number)
{
    (void)number; /* it only ends a wait */
}

static void serve(struct manager *manager)
{
    struct pollfd wait[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = manager->notify_fd, .events = POLLIN}};
    sigset_t blocked;
    sigset_t previous;
    const struct sigaction action = {.sa_handler = ignore_signal};

    (void)sigaction(SIGCHLD, &action, NULL);
    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &blocked, &previous);
    for (;;) {
        (void)fflush(stdout);
        if (ppoll(wait, 2, NULL, &previous) < 0 && errno != EINTR) fail("ppoll");
        while (poll(&wait[1], 1, 0) > 0)
            take_message(manager);
        take_exit(manager); /* behind its messages */
        if (poll(&wait[0], 1, 0) > 0 && !take_command(manager)) return;
        wait[0].revents = wait[1].revents = 0;
    }
}

int main(int count, char **arguments)
{
    struct manager manager = {.count = 0};
    bool abstract = false;
    bool credentials = true;
    int next = 1;

    (void)count;
    (void)setvbuf(stdin, NULL, _IONBF, 0); /* poll(2) tells of every command */
    for (; arguments[next] != NULL && strncmp(arguments[next], "--", 2) == 0; next++) {
        if (strcmp(arguments[next], "--watchdog") == 0)
            manager.watchdog = arguments[++next];
        else if (strcmp(arguments[next], "--abstract") == 0)
            abstract = true;
        else if (strcmp(arguments[next], "--no-credentials") == 0)
            credentials = false;
        else if (strcmp(arguments[next], "--any") == 0)
            manager.any = true;
        else if (strcmp(arguments[next], "--listen") == 0 && manager.count < SOCKETS_MAX) {
            manager.sockets[manager.count++] = listening(arguments[next + 1], arguments[next + 2], credentials);
            next += 2;
        }
    }
    (void)snprintf(manager.address, sizeof(manager.address), abstract ? "@%s/notify" : "%s/notify", arguments[next]);
    manager.command = arguments + next + 1;
    manager.notify_fd = bound(SOCK_DGRAM, manager.address, true);
    if (!abstract) (void)chmod(manager.address, 0777);
    puts("listening");
    serve(&manager);
    if (manager.child > 0) {
        (void)kill(manager.child, SIGKILL);
        (void)waitpid(manager.child, NULL, 0);
    }
    return 0;
}
