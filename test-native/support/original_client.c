/*
 * A program as users of the original sendfiled wrote them: C99, <sendfiled.h> and nothing else of
 * ours, the original's types, the original's way to read responses. That it compiles shows source
 * compatibility; run, it takes a daemon through all operations and its whole life.
 *
 *   original_client ROOT SOCKDIR PATH        with "sendfiled" on PATH; PATH names a file under ROOT,
 *                                            at least 16 bytes and at most 32 KiB long
 *
 * Prints a line for each step. Exit: 0 all went well, 1 not.
 */
#include <sendfiled.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int step(const char *what, bool good)
{
    printf("%s: %s\n", what, good ? "ok" : "FAILED");
    if (!good) perror("errno, for what it is worth");
    return good ? 0 : 1;
}

/* read(2) until all is there or nothing follows. */
static size_t read_all(int fd, void *buf, size_t size)
{
    size_t have = 0;

    while (have < size) {
        const ssize_t n = read(fd, (char *)buf + have, size - have);

        if (n <= 0) break;
        have += (size_t)n;
    }
    return have;
}

static bool read_file_info(int fd, struct sfd_file_info *info)
{
    char buf[SFD_MAX_RESP_SIZE];

    if (read_all(fd, buf, sizeof(*info)) < SFD_HDR_SIZE) return false;

    const enum sfd_cmd_id cmd = (enum sfd_cmd_id)sfd_get_cmd(buf);
    const enum sfd_op_stat stat = (enum sfd_op_stat)sfd_get_stat(buf);

    if (cmd != SFD_FILE_INFO || stat != SFD_STAT_OK) {
        errno = (int)stat;
        return false;
    }
    return sfd_unmarshal_file_info(info, buf) && info->cmd == SFD_FILE_INFO && info->stat == SFD_STAT_OK &&
           info->txnid != 0;
}

/* A file that was made and read a moment ago, or at least not in times to come. */
static bool is_recent(const struct sfd_file_info *info)
{
    const time_t soon = time(NULL) + 1;

    return info->mtime > 0 && info->mtime <= soon && info->ctime > 0 && info->ctime <= soon && info->atime > 0 &&
           info->atime <= soon;
}

/* Progress, completion and end of file. */
static bool read_transfer(int fd, size_t expected)
{
    struct sfd_xfer_stat stat;
    char buf[sizeof(stat)];
    size_t total = 0;

    do {
        if (read_all(fd, buf, sizeof(stat)) != sizeof(stat) || sfd_get_cmd(buf) != SFD_XFER_STAT ||
            !sfd_unmarshal_xfer_stat(&stat, buf) || stat.cmd != SFD_XFER_STAT || stat.stat != SFD_STAT_OK)
            return false;
        if (!sfd_xfer_complete(&stat)) total += stat.size;
    } while (!sfd_xfer_complete(&stat));
    return total <= expected && read(fd, buf, 1) == 0;
}

static int read_file(int srv, const char *path, char *data, size_t *size)
{
    struct sfd_file_info info;
    const int fd = sfd_read(srv, path, 0, 0, false);
    bool good = fd != -1 && read_file_info(fd, &info) && is_recent(&info);

    if (good) {
        *size = info.size;
        good = info.size <= 32768 && read_all(fd, data, info.size + 1) == info.size;
    }
    close(fd);
    return step("read", good);
}

static int send_file(int srv, const char *path, const char *data, size_t size)
{
    struct sfd_file_info info;
    char got[16];
    int dest[2];

    if (pipe(dest) == -1) return step("pipe", false);

    /* A range, 8 bytes from the second quarter of 16. */
    const int fd = sfd_send(srv, path, dest[1], 4, 8, false);

    close(dest[1]);

    const bool good = fd != -1 && size >= 16 && read_file_info(fd, &info) && info.size == 8 &&
                      read_all(dest[0], got, sizeof(got)) == 8 && memcmp(got, data + 4, 8) == 0 && read_transfer(fd, 8);

    close(dest[0]);
    close(fd);
    return step("send", good);
}

static int send_open_file(int srv, const char *path, const char *data, size_t size)
{
    static char got[32768 + 16];
    static const char header[] = "HEADER\r\n";
    const size_t header_size = sizeof(header) - 1;
    struct sfd_file_info info;
    int dest[2];

    if (pipe(dest) == -1) return step("pipe", false);

    const int fd = sfd_open(srv, path, 0, 0, false);
    bool good = fd != -1 && read_file_info(fd, &info) && info.size == size;

    good = good && write(dest[1], header, header_size) == (ssize_t)header_size;
    good = good && sfd_send_open(srv, info.txnid, dest[1]);
    close(dest[1]);
    good = good && read_all(dest[0], got, sizeof(got)) == header_size + size && memcmp(got, header, header_size) == 0 &&
           memcmp(got + header_size, data, size) == 0 && read_transfer(fd, size);
    close(dest[0]);
    close(fd);
    return step("open and send", good);
}

static int cancel_file(int srv, const char *path)
{
    struct sfd_file_info info;
    char byte;
    const int fd = sfd_open(srv, path, 0, 0, false);
    const bool good = fd != -1 && read_file_info(fd, &info) && sfd_cancel(srv, info.txnid) && read(fd, &byte, 1) == 0;

    close(fd);
    return step("open and cancel", good);
}

static int refused_file(int srv)
{
    struct sfd_file_info info;
    char buf[SFD_MAX_RESP_SIZE];
    const int fd = sfd_read(srv, "/no/such/file", 0, 0, false);
    const bool good = fd != -1 && read_all(fd, buf, sizeof(buf)) == SFD_HDR_SIZE && sfd_get_cmd(buf) == SFD_FILE_INFO &&
                      sfd_get_stat(buf) == ENOENT && !sfd_unmarshal_file_info(&info, buf);

    close(fd);
    return step("refusal", good);
}

int main(int argc, char **argv)
{
    static char data[32768 + 1];
    size_t size = 0;
    int failures = 0;

    if (argc != 4) {
        fprintf(stderr, "usage: original_client ROOT SOCKDIR PATH\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);

    const char *path = argv[3];
    const pid_t pid = sfd_spawn("original", argv[1], argv[2], 1000, 5000);

    if (step("spawn", pid > 0) != 0) return 1;
    failures += step("spawn again", sfd_spawn("original", argv[1], argv[2], 1000, 5000) == 0);

    const int srv = sfd_connect(argv[2], "original");

    failures += step("connect", srv != -1);
    failures += read_file(srv, path, data, &size);
    failures += send_file(srv, path, data, size);
    failures += send_open_file(srv, path, data, size);
    failures += cancel_file(srv, path);
    failures += refused_file(srv);
    close(srv);

    const int status = sfd_shutdown(pid);

    failures += step("shutdown", status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    failures += step("gone", sfd_connect(argv[2], "original") == -1);
    return failures == 0 ? 0 : 1;
}
