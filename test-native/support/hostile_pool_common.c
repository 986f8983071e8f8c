/*
 * Descriptors of every type: see hostile_common.h.
 */
#include "hostile_common.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "driver_common.h"

/* Puts one into the pool; what this machine or user cannot have is left out. */
static void add(struct pool *pool, const char *name, int fd)
{
    if (fd < 0 || pool->count == POOL_MAX) return;
    pool->fds[pool->count] = fd;
    pool->names[pool->count++] = name;
}

static void keep(struct pool *pool, int fd)
{
    if (fd < 0) return;
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    pool->kept[pool->kept_count++] = fd;
}

static void add_pipes(struct pool *pool)
{
    int ends[2];
    char page[4096] = {0};

    if (pipe2(ends, O_CLOEXEC) < 0) driver_die("pipe");
    add(pool, "pipe", ends[1]);
    keep(pool, ends[0]);
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) driver_die("pipe");
    add(pool, "read end", ends[0]);
    keep(pool, ends[1]);
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) driver_die("pipe");
    add(pool, "pipe without a reader", ends[1]);
    close(ends[0]);
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) driver_die("pipe");
    while (write(ends[1], page, sizeof page) > 0)
        ;
    add(pool, "full pipe", ends[1]);
    add(pool, "full pipe's read end", ends[0]);
    if (pipe2(ends, O_CLOEXEC | O_DIRECT) < 0) driver_die("pipe");
    add(pool, "packet pipe", ends[1]);
    keep(pool, ends[0]);
}

static void add_pair(struct pool *pool, const char *name, int type)
{
    int ends[2];

    if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) < 0) driver_die("socketpair");
    add(pool, name, ends[0]);
    keep(pool, ends[1]);
}

static void pass(int socket, int fd)
{
    (void)hostile_send_bytes(socket, "x", 1, &fd, 1);
}

/* Two sockets, each of which waits in the other's queue: only the kernel's collector frees them. */
static void add_knot(struct pool *pool)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) driver_die("socketpair");
    pass(ends[0], ends[0]);
    pass(ends[1], ends[1]);
    add(pool, "unix in flight", ends[0]);
    add(pool, "its peer", ends[1]);
}

static void add_sockets(struct pool *pool, const char *socket_path)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int peer;

    add(pool, "tcp", driver_open_destination("tcp", &peer));
    keep(pool, peer);
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener >= 0 && bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, 1) == 0)
        add(pool, "tcp listening", listener);
    add(pool, "tcp unconnected", socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    add(pool, "udp", socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const int connected = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    address.sin_port = htons(9); /* discard */
    if (connected >= 0 && connect(connected, (struct sockaddr *)&address, sizeof address) == 0)
        add(pool, "udp connected", connected);
    add(pool, "raw", socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP));
    add(pool, "packet", socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
    add(pool, "netlink", socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    add_pair(pool, "unix stream", SOCK_STREAM);
    add_pair(pool, "unix dgram", SOCK_DGRAM);
    add_pair(pool, "unix seqpacket", SOCK_SEQPACKET);
    add(pool, "unix seqpacket unconnected", socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    add_knot(pool);
    add(pool, "request socket", hostile_connect(socket_path));
}

static int memory_file(int seals)
{
    const int fd = memfd_create("hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd >= 0 && (ftruncate(fd, 8192) < 0 || fcntl(fd, F_ADD_SEALS, seals) < 0)) driver_die("memfd");
    return fd;
}

static void add_files(struct pool *pool)
{
    char name[] = "/tmp/hostile-XXXXXX";
    char fifo[64];
    const int file = mkstemp(name);

    if (file < 0) driver_die(name);
    add(pool, "file", file);
    add(pool, "file, read only", open(name, O_RDONLY | O_CLOEXEC));
    add(pool, "file, write only", open(name, O_WRONLY | O_CLOEXEC));
    add(pool, "file, path only", open(name, O_PATH | O_CLOEXEC));
    (void)unlink(name);
    strcpy(fifo, name);
    strcat(fifo, ".fifo");
    if (mkfifo(fifo, 0600) < 0) driver_die(fifo);
    add(pool, "fifo", open(fifo, O_RDWR | O_CLOEXEC));
    add(pool, "fifo, path only", open(fifo, O_PATH | O_CLOEXEC));
    (void)unlink(fifo);
    add(pool, "memory", memory_file(0));
    add(pool, "memory, sealed", memory_file(F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW));
    add(pool, "memory, sealed for later", memory_file(F_SEAL_FUTURE_WRITE));
    add(pool, "memory, of one size", memory_file(F_SEAL_GROW | F_SEAL_SHRINK));
    add(pool, "directory", open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    add(pool, "directory, path only", open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    add(pool, "null", open("/dev/null", O_RDWR | O_CLOEXEC));
    add(pool, "full", open("/dev/full", O_RDWR | O_CLOEXEC));
    add(pool, "zero", open("/dev/zero", O_RDWR | O_CLOEXEC));
    add(pool, "urandom", open("/dev/urandom", O_RDONLY | O_CLOEXEC));
    add(pool, "proc", open("/proc/self/maps", O_RDONLY | O_CLOEXEC));
    add(pool, "own memory", open("/proc/self/mem", O_RDONLY | O_CLOEXEC));
}

static void add_others(struct pool *pool)
{
    sigset_t signals;
    int master;
    const int slave = driver_open_destination("tty", &master);

    add(pool, "terminal", slave);
    add(pool, "its master", master);
    sigemptyset(&signals);
    sigaddset(&signals, SIGUSR2);
    add(pool, "eventfd", eventfd(0, EFD_CLOEXEC));
    add(pool, "timerfd", timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
    add(pool, "signalfd", signalfd(-1, &signals, SFD_CLOEXEC));
    add(pool, "inotify", inotify_init1(IN_CLOEXEC));
    add(pool, "pidfd", (int)syscall(SYS_pidfd_open, getpid(), 0));
    const int inner = epoll_create1(EPOLL_CLOEXEC);
    const int outer = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    (void)epoll_ctl(outer, EPOLL_CTL_ADD, inner, &event);
    add(pool, "epoll", inner);
    add(pool, "epoll of epoll", outer);
}

void pool_open(struct pool *pool, const char *socket)
{
    *pool = (struct pool){.count = 0};
    add_pipes(pool);
    add_sockets(pool, socket);
    add_files(pool);
    add_others(pool);
}

void pool_drain(struct pool *pool)
{
    static _Thread_local char buffer[64 * 1024];

    for (size_t i = 0; i < pool->kept_count; i++)
        while (read(pool->kept[i], buffer, sizeof buffer) == (ssize_t)sizeof buffer)
            ;
    for (size_t i = 0; i < pool->count; i++)
        if (strncmp(pool->names[i], "file", 4) == 0 || strncmp(pool->names[i], "memory", 6) == 0)
            (void)lseek(pool->fds[i], 0, SEEK_SET);
}

void pool_close(struct pool *pool)
{
    for (size_t i = 0; i < pool->count; i++)
        close(pool->fds[i]);
    for (size_t i = 0; i < pool->kept_count; i++)
        close(pool->kept[i]);
    *pool = (struct pool){.count = 0};
}
