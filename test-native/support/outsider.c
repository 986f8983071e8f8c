/*
 * A process that shares a machine and a user with a confined daemon, and tells what has been done to it.
 *
 *   outsider DIR
 *
 * Makes in DIR: a file, a datagram socket, a FIFO with which a test wakes the probe (preload/probe.c), and a file of
 * ids. Has System V and POSIX objects, an abstract socket and a UDP port. Prints a line when all is there. At the end
 * of its standard input it prints one more: what has changed, as words, or "nothing". Removes its objects. Threads:
 * main.
 */
#include "outsider.h"

#include <fcntl.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "driver_common.h"

enum { IOPRIO_WHO_PROCESS = 1, PAGE = 4096 };

static volatile long secret = 1;

static struct {
    struct outsider ids;
    int file, directory, named, abstract, udp;
    int queue;
    volatile char *memory;
    struct stat file_was, directory_was;
    struct rlimit limit_was;
    int nice_was, policy_was;
    long ioprio_was;
    cpu_set_t processors_were;
} self;

static int must(int result, const char *what)
{
    if (result < 0) driver_die(what);
    return result;
}

static void make_sockets(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = OUTSIDER_SOCKET};
    self.named = must(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
    must(bind(self.named, (const struct sockaddr *)&address, sizeof address), OUTSIDER_SOCKET);

    (void)snprintf(self.ids.abstract, sizeof self.ids.abstract, "outsider.%d", getpid());
    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    memcpy(address.sun_path + 1, self.ids.abstract, strlen(self.ids.abstract));
    self.abstract = must(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
    must(bind(self.abstract, (const struct sockaddr *)&address,
              (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(self.ids.abstract))),
         "abstract socket");

    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof in;
    self.udp = must(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
    must(bind(self.udp, (const struct sockaddr *)&in, sizeof in), "udp");
    must(getsockname(self.udp, (struct sockaddr *)&in, &length), "getsockname");
    self.ids.udp_port = ntohs(in.sin_port);
}

static void make_objects(void)
{
    self.ids.shm = must(shmget(IPC_PRIVATE, PAGE, IPC_CREAT | 0600), "shmget");
    self.memory = shmat(self.ids.shm, NULL, 0);
    self.ids.sem = must(semget(IPC_PRIVATE, 1, IPC_CREAT | 0600), "semget");
    self.ids.msg = must(msgget(IPC_PRIVATE, IPC_CREAT | 0600), "msgget");

    /* By number, because older libcs have the functions in a library of their own. The kernel's names have no slash. */
    (void)snprintf(self.ids.queue, sizeof self.ids.queue, "outsider.%d", getpid());
    self.queue = (int)syscall(SYS_mq_open, self.ids.queue, O_RDWR | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0600, NULL);
    if (self.queue < 0) self.ids.queue[0] = '\0';
}

static void remember(void)
{
    must(fstat(self.file, &self.file_was), "fstat");
    must(fstat(self.directory, &self.directory_was), "fstat");
    must(getrlimit(RLIMIT_NOFILE, &self.limit_was), "getrlimit");
    self.nice_was = getpriority(PRIO_PROCESS, 0);
    self.policy_was = sched_getscheduler(0);
    self.ioprio_was = syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0);
    must(sched_getaffinity(0, sizeof self.processors_were, &self.processors_were), "sched_getaffinity");
}

static bool differs(const struct stat *was, int fd)
{
    struct stat is;

    must(fstat(fd, &is), "fstat");
    return memcmp(&was->st_ctim, &is.st_ctim, sizeof is.st_ctim) != 0;
}

static bool has_received(int socket)
{
    char byte;

    return recv(socket, &byte, 1, MSG_DONTWAIT) >= 0;
}

static void tell(bool *any, bool changed, const char *what)
{
    if (!changed) return;
    printf("%s%s", *any ? " " : "", what);
    *any = true;
}

static void tell_all(void)
{
    bool any = false;
    struct rlimit limit;
    cpu_set_t processors;
    sigset_t pending;
    struct msqid_ds messages;
    struct mq_attr queue = {.mq_curmsgs = 0};
    bool signalled = false;

    must(getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
    must(sched_getaffinity(0, sizeof processors, &processors), "sched_getaffinity");
    must(sigpending(&pending), "sigpending");
    for (int number = 1; number < NSIG; number++)
        signalled = signalled || sigismember(&pending, number) == 1;
    must(msgctl(self.ids.msg, IPC_STAT, &messages), "msgctl");
    if (self.queue >= 0) must((int)syscall(SYS_mq_getsetattr, self.queue, NULL, &queue), "mq_getsetattr");

    tell(&any, differs(&self.file_was, self.file), "file");
    tell(&any, differs(&self.directory_was, self.directory), "directory");
    tell(&any, has_received(self.named), "socket");
    tell(&any, has_received(self.abstract), "abstract");
    tell(&any, has_received(self.udp), "udp");
    tell(&any, self.memory[0] != 0, "shm");
    tell(&any, semctl(self.ids.sem, 0, GETVAL) != 0, "sem");
    tell(&any, messages.msg_qnum != 0, "msg");
    tell(&any, queue.mq_curmsgs != 0, "mq");
    tell(&any, secret != 1, "memory");
    tell(&any, limit.rlim_cur != self.limit_was.rlim_cur, "limit");
    tell(&any, getpriority(PRIO_PROCESS, 0) != self.nice_was, "priority");
    tell(&any, sched_getscheduler(0) != self.policy_was, "policy");
    tell(&any, syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0) != self.ioprio_was, "ioprio");
    tell(&any, CPU_EQUAL(&processors, &self.processors_were) == 0, "processors");
    tell(&any, signalled, "signal");
    puts(any ? "" : "nothing");
}

static void remove_objects(void)
{
    (void)shmctl(self.ids.shm, IPC_RMID, NULL);
    (void)semctl(self.ids.sem, 0, IPC_RMID);
    (void)msgctl(self.ids.msg, IPC_RMID, NULL);
    if (self.ids.queue[0] != '\0') (void)syscall(SYS_mq_unlink, self.ids.queue);
}

int main(int argc, char **argv)
{
    sigset_t all;
    char byte;

    if (argc != 2) {
        fputs("usage: outsider DIR\n", stderr);
        return DRIVER_USAGE;
    }
    must(chdir(argv[1]), argv[1]);
    sigfillset(&all);
    must(sigprocmask(SIG_SETMASK, &all, NULL), "sigprocmask");
    self.ids.pid = getpid();
    self.ids.secret = (long)&secret;
    make_sockets();
    make_objects();
    must(mkfifo(OUTSIDER_GO, 0600), OUTSIDER_GO);
    const int ids = must(open(OUTSIDER_IDS, O_WRONLY | O_CREAT | O_CLOEXEC, 0600), OUTSIDER_IDS);
    if (write(ids, &self.ids, sizeof self.ids) != sizeof self.ids) driver_die(OUTSIDER_IDS);
    close(ids);
    must(mkdir("d", 0700), "d");
    self.directory = must(open("d", O_RDONLY | O_DIRECTORY | O_CLOEXEC), "d");
    self.file = must(openat(self.directory, OUTSIDER_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0600), OUTSIDER_FILE);
    if (write(self.file, "outside", 7) != 7) driver_die(OUTSIDER_FILE);
    remember();
    puts("ready");
    fflush(stdout);
    while (read(0, &byte, 1) > 0)
        continue;
    tell_all();
    remove_objects();
    return 0;
}
