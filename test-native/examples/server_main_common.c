/* The beginning and the end of server_common.h: arguments, descriptors, signals. */
#include "server_common.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATIENCE_S = 30 };

static int listen_on(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    const int on = 1;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, SOMAXCONN) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) < 0 ||
        printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port)) < 0 || fflush(stdout) != 0) {
        if (fd >= 0) (void)close(fd);
        return -1;
    }
    return fd;
}

/* SIGTERM and SIGINT become readable; a client that has gone is an errno. */
static int take_signals(void)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

static bool start(struct server *server, uint16_t port)
{
    server->epoll = epoll_create1(EPOLL_CLOEXEC);
    server->signals.fd = take_signals();
    return server->epoll >= 0 && server->signals.fd >= 0 && server->way->connect(server) &&
           (server->listener.fd = listen_on(port)) >= 0 && server_watch(server, &server->signals, EPOLLIN) &&
           server_watch(server, &server->listener, EPOLLIN);
}

static void stop(struct server *server)
{
    const int fds[] = {server->listener.fd, server->signals.fd, server->epoll};

    for (struct connection *c = server->connections; c != NULL; c = c->next)
        if (c->client.fd >= 0) server_close(server, c);
    server->way->disconnect(server);
    server_free_closed(server);
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        if (fds[i] >= 0) (void)close(fds[i]);
    sfd_hot_close_root(server->root);
}

/* A whole decimal number up to `most`; -1 for anything else. */
static int parse_number(const char *text, int most)
{
    char *end;
    const long number = strtol(text, &end, 10);

    return *text >= '0' && *text <= '9' && *end == '\0' && number <= most ? (int)number : -1;
}

int server_main(int argc, char **argv, const struct server_way *way)
{
    struct server server = {.listener.fd = -1, .signals.fd = -1, .daemon.fd = -1, .way = way};
    const int port = argc >= 4 ? parse_number(argv[3], UINT16_MAX) : -1;
    bool ok;

    server.patience = argc >= 5 ? parse_number(argv[4], 3600) : PATIENCE_S;
    if (argc > (way->hot ? 6 : 5) || port < 0 || server.patience < 1) {
        (void)fprintf(
            stderr,
            "usage: %s SOCKDIR NAME PORT [SECONDS%s]\n"
            "Serves the files of the sendfiled NAME, whose socket is in SOCKDIR, on "
            "127.0.0.1:PORT\n"
            "(0: any). A client may take SECONDS (%d) for a request or for reading on.\n"
            "%s",
            argv[0], way->hot ? " [ROOT]" : "", PATIENCE_S,
            way->hot
                ? "Of the directory ROOT, which is that sendfiled's root, what is in memory is served without it.\n"
                : "");
        return 2;
    }
    server.sockets = argv[1];
    server.name = argv[2];
    ok = (argc < 6 || server_open_root(&server, argv[5])) && start(&server, (uint16_t)port) && server_run(&server);
    if (!ok) perror(argv[0]);
    stop(&server);
    return ok ? 0 : 1;
}
