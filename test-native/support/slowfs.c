/*
 * slowfs: a disk that is as slow as a test wants it to be.
 *
 * Role: a FUSE file system that passes everything through to a directory and waits before it answers. The
 *   kernel's page cache is on (unless --direct-io), so a file is cold once and warm afterwards, as on a real disk.
 * Threads: the main thread waits for signals; WORKERS threads answer requests. A wait blocks one worker, nothing else.
 * Owns: the mount, from "ready" on stdout until SIGTERM, SIGINT or SIGHUP.
 * Never: writes to the directory behind it, unless with --writable: then files that are there can be written.
 *
 * Faults: --eio-at makes reads from that offset on fail, --shrink-to lets files be that short from the first read on;
 * both for
 *   files whose name contains --faulty. --copy-errno is what copy_file_range and fallocate answer, of all files.
 * Output: "ready" once mounted, then "held" for each call that waits for the gate.
 * Signals: SIGUSR1 opens the gate of --hold (held calls go on, later ones pass), SIGUSR2 closes it again. What is held
 * is
 *   reading, unless --hold-calls says otherwise.
 */
#define FUSE_USE_VERSION 31

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <fuse_lowlevel.h>
#include <getopt.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { WORKERS = 64, MAX_BACKGROUND = 64, WORKER_STACK = 512 * 1024 };

struct slowfs {
    int root;
    long read_ms, open_ms, getattr_ms, flush_ms, release_ms;
    bool direct_io, writable;
    int copy_errno; /* 0: as if there were no such calls */
    const char *hold;
    const char *hold_calls;
    const char *faulty;
    off_t eio_at, shrink_to; /* -1: never */
    atomic_bool shrunk;
    pthread_mutex_t lock;
    pthread_cond_t gate_opened;
    bool gate_open;
};

static struct slowfs fs = {
    .root = -1,
    .hold_calls = "read",
    .faulty = "",
    .eio_at = -1,
    .shrink_to = -1,
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .gate_opened = PTHREAD_COND_INITIALIZER,
};

static void wait_ms(long ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000};
    while (ms > 0 && nanosleep(&left, &left) < 0 && errno == EINTR) {
    }
}

static bool name_contains(const char *path, const char *pattern)
{
    const char *name = strrchr(path, '/');
    return strstr(name != NULL ? name : path, pattern) != NULL;
}

static void wait_at_gate(const char *path, const char *call)
{
    if (fs.hold == NULL || strstr(fs.hold_calls, call) == NULL || !name_contains(path, fs.hold)) return;
    pthread_mutex_lock(&fs.lock);
    if (!fs.gate_open) {
        puts("held");
        fflush(stdout);
    }
    while (!fs.gate_open)
        pthread_cond_wait(&fs.gate_opened, &fs.lock);
    pthread_mutex_unlock(&fs.lock);
}

static void set_gate(bool open)
{
    pthread_mutex_lock(&fs.lock);
    fs.gate_open = open;
    pthread_cond_broadcast(&fs.gate_opened);
    pthread_mutex_unlock(&fs.lock);
}

/* FUSE's paths begin with a slash; ours are relative to the root descriptor. */
static const char *relative(const char *path)
{
    return path[1] == '\0' ? "." : path + 1;
}

static void *slow_init(struct fuse_conn_info *conn, struct fuse_config *config)
{
    /* Reads ahead count as background requests; the default of 12 would be a limit of ours, not of the server. */
    conn->max_background = MAX_BACKGROUND;
    conn->congestion_threshold = MAX_BACKGROUND;
    /* What is read goes from one page cache to the other: a disk takes no processor from who is measured beside it. */
    conn->want |= conn->capable & FUSE_CAP_SPLICE_WRITE;
    config->kernel_cache = !fs.direct_io;
    config->direct_io = fs.direct_io;
    config->nullpath_ok = 0;
    if (fs.getattr_ms > 0) {
        config->attr_timeout = 0;
        config->entry_timeout = 0;
    }
    return NULL;
}

static int slow_getattr(const char *path, struct stat *st, struct fuse_file_info *fi)
{
    wait_at_gate(path, "getattr");
    wait_ms(fs.getattr_ms);
    int result = fi != NULL ? fstat((int)fi->fh, st) : fstatat(fs.root, relative(path), st, AT_SYMLINK_NOFOLLOW);
    if (result == 0 && S_ISREG(st->st_mode) && atomic_load(&fs.shrunk) && name_contains(path, fs.faulty) &&
        st->st_size > fs.shrink_to)
        st->st_size = fs.shrink_to;
    return result < 0 ? -errno : 0;
}

static int slow_readlink(const char *path, char *target, size_t size)
{
    ssize_t length = readlinkat(fs.root, relative(path), target, size - 1);
    if (length < 0) return -errno;
    target[length] = '\0';
    return 0;
}

static int slow_open(const char *path, struct fuse_file_info *fi)
{
    if ((fi->flags & O_ACCMODE) != O_RDONLY && !fs.writable) return -EROFS;
    wait_at_gate(path, "open");
    wait_ms(fs.open_ms);
    int fd = openat(fs.root, relative(path), (fi->flags & O_ACCMODE) | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return -errno;
    fi->fh = (uint64_t)fd;
    return 0;
}

static int slow_read(const char *path, struct fuse_bufvec **answer, size_t size, off_t offset,
                     struct fuse_file_info *fi)
{
    wait_at_gate(path, "read");
    wait_ms(fs.read_ms);
    off_t end = offset + (off_t)size;
    if (name_contains(path, fs.faulty)) {
        /* As a disk with a bad block has it. Not a short answer: to the kernel that is the end of the file. */
        if (fs.eio_at >= 0 && end > fs.eio_at) return -EIO;
        if (fs.shrink_to >= 0) {
            atomic_store(&fs.shrunk, true);
            end = end < fs.shrink_to ? end : offset < fs.shrink_to ? fs.shrink_to : offset;
        }
    }
    struct fuse_bufvec *part = malloc(sizeof *part); /* libfuse frees it */
    if (part == NULL) return -ENOMEM;
    *part = FUSE_BUFVEC_INIT((size_t)(end - offset));
    part->buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
    part->buf[0].fd = (int)fi->fh;
    part->buf[0].pos = offset;
    *answer = part;
    return 0;
}

static int slow_write(const char *path, const char *buf, size_t size, off_t offset, struct fuse_file_info *fi)
{
    wait_at_gate(path, "write");
    ssize_t n = pwrite((int)fi->fh, buf, size, offset);
    return n < 0 ? -errno : (int)n;
}

static ssize_t slow_copy(const char *from, struct fuse_file_info *in, off_t in_offset, const char *to,
                         struct fuse_file_info *out, off_t out_offset, size_t size, int flags)
{
    (void)from, (void)in, (void)in_offset, (void)to, (void)out, (void)out_offset, (void)size, (void)flags;
    return fs.copy_errno > 0 ? -fs.copy_errno : -ENOSYS;
}

static int slow_allocate(const char *path, int mode, off_t offset, off_t length, struct fuse_file_info *fi)
{
    (void)path, (void)mode, (void)offset, (void)length, (void)fi;
    return fs.copy_errno > 0 ? -fs.copy_errno : -ENOSYS;
}

static int slow_flush(const char *path, struct fuse_file_info *fi)
{
    (void)fi;
    wait_at_gate(path, "flush");
    wait_ms(fs.flush_ms);
    return 0;
}

static int slow_release(const char *path, struct fuse_file_info *fi)
{
    wait_at_gate(path, "release");
    wait_ms(fs.release_ms);
    close((int)fi->fh);
    return 0;
}

static int slow_readdir(const char *path, void *out, fuse_fill_dir_t fill, off_t offset, struct fuse_file_info *fi,
                        enum fuse_readdir_flags flags)
{
    (void)offset;
    (void)fi;
    (void)flags;
    int fd = openat(fs.root, relative(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return -errno;
    DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        close(fd);
        return -ENOMEM;
    }
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        if (fill(out, entry->d_name, NULL, 0, 0) != 0) break;
    closedir(dir);
    return 0;
}

static const struct fuse_operations operations = {
    .init = slow_init,
    .getattr = slow_getattr,
    .readlink = slow_readlink,
    .open = slow_open,
    .read_buf = slow_read,
    .write = slow_write,
    .copy_file_range = slow_copy,
    .fallocate = slow_allocate,
    .flush = slow_flush,
    .release = slow_release,
    .readdir = slow_readdir,
};

/*
 * Our own loop rather than fuse_loop_mt(): that one stops at 10 threads, and how to ask for more changed between
 * libfuse 3.10 and 3.12. Ten sleeping readers would then look like a slow server.
 */
static void *work(void *arg)
{
    struct fuse_session *session = arg;
    struct fuse_buf buf = {.mem = NULL};
    while (!fuse_session_exited(session)) {
        int result = fuse_session_receive_buf(session, &buf);
        if (result == -EINTR || result == -EAGAIN) continue;
        if (result <= 0) break;
        fuse_session_process_buf(session, &buf);
    }
    free(buf.mem);
    return NULL;
}

static int start_workers(struct fuse_session *session)
{
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, WORKER_STACK);
    int result = 0;
    for (int i = 0; i < WORKERS && result == 0; i++) {
        pthread_t thread;
        result = pthread_create(&thread, &attr, work, session);
    }
    pthread_attr_destroy(&attr);
    return result;
}

static void usage(FILE *to)
{
    fputs("usage: slowfs MOUNTPOINT DIRECTORY [--read-ms N] [--open-ms N] [--getattr-ms N]\n"
          "              [--flush-ms N] [--release-ms N] [--hold PATTERN] [--direct-io]\n"
          "              [--hold-calls read,write,open,getattr,flush,release]\n"
          "              [--writable] [--copy-errno NUMBER]\n"
          "              [--faulty PATTERN] [--eio-at OFFSET] [--shrink-to SIZE]\n"
          "Prints \"ready\" once mounted; SIGTERM unmounts. SIGUSR1 opens the gate of --hold, "
          "SIGUSR2 closes it.\n",
          to);
}

static long parse_ms(const char *option, const char *text)
{
    char *end;
    long value = strtol(text, &end, 10);
    if (end == text || *end != '\0' || value < 0 || value > 600000) {
        fprintf(stderr, "slowfs: --%s: '%s' is not a number of milliseconds (0..600000)\n", option, text);
        exit(2);
    }
    return value;
}

static off_t parse_offset(const char *option, const char *text)
{
    char *end;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || value < 0) {
        fprintf(stderr, "slowfs: --%s: '%s' is not a number of bytes\n", option, text);
        exit(2);
    }
    return (off_t)value;
}

static void parse_options(int argc, char **argv)
{
    static const struct option options[] = {
        {"read-ms", required_argument, NULL, 'r'},
        {"open-ms", required_argument, NULL, 'o'},
        {"getattr-ms", required_argument, NULL, 'g'},
        {"flush-ms", required_argument, NULL, 'f'},
        {"release-ms", required_argument, NULL, 'e'},
        {"hold", required_argument, NULL, 'h'},
        {"hold-calls", required_argument, NULL, 'c'},
        {"direct-io", no_argument, NULL, 'd'},
        {"writable", no_argument, NULL, 'w'},
        {"copy-errno", required_argument, NULL, 'C'},
        {"faulty", required_argument, NULL, 'F'},
        {"eio-at", required_argument, NULL, 'E'},
        {"shrink-to", required_argument, NULL, 'S'},
        {"help", no_argument, NULL, '?'},
        {NULL, 0, NULL, 0},
    };
    for (int which, i; (which = getopt_long(argc, argv, "", options, &i)) != -1;) {
        switch (which) {
        case 'r':
            fs.read_ms = parse_ms(options[i].name, optarg);
            break;
        case 'o':
            fs.open_ms = parse_ms(options[i].name, optarg);
            break;
        case 'g':
            fs.getattr_ms = parse_ms(options[i].name, optarg);
            break;
        case 'f':
            fs.flush_ms = parse_ms(options[i].name, optarg);
            break;
        case 'e':
            fs.release_ms = parse_ms(options[i].name, optarg);
            break;
        case 'h':
            fs.hold = optarg;
            break;
        case 'c':
            fs.hold_calls = optarg;
            break;
        case 'd':
            fs.direct_io = true;
            break;
        case 'w':
            fs.writable = true;
            break;
        case 'C':
            fs.copy_errno = atoi(optarg);
            break;
        case 'F':
            fs.faulty = optarg;
            break;
        case 'E':
            fs.eio_at = parse_offset(options[i].name, optarg);
            break;
        case 'S':
            fs.shrink_to = parse_offset(options[i].name, optarg);
            break;
        default:
            usage(stderr);
            exit(2);
        }
    }
    if (argc - optind != 2) {
        usage(stderr);
        exit(2);
    }
}

static struct fuse *mount_at(const char *mountpoint, char *program)
{
    char options[] = "-oro,fsname=slowfs,default_permissions";
    char writable[] = "-orw,fsname=slowfs,default_permissions";
    /*
     * Root's is there for the daemon's user as well, and stands for a local disk: with the other two options the kernel
     * would tell nobody but the files' owner what is in the page cache.
     */
    char options_of_root[] = "-ofsname=slowfs,allow_other";
    char *args[] = {program, geteuid() == 0 ? options_of_root : fs.writable ? writable : options, NULL};
    struct fuse_args fuse_args = FUSE_ARGS_INIT(2, args);
    struct fuse *fuse = fuse_new(&fuse_args, &operations, sizeof operations, NULL);
    if (fuse == NULL || fuse_mount(fuse, mountpoint) != 0) {
        fprintf(stderr, "slowfs: cannot mount at %s (is /dev/fuse there and allowed?)\n", mountpoint);
        exit(1);
    }
    fuse_opt_free_args(&fuse_args);
    return fuse;
}

int main(int argc, char **argv)
{
    parse_options(argc, argv);
    const char *mountpoint = argv[optind];
    fs.root = open(argv[optind + 1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fs.root < 0) {
        fprintf(stderr, "slowfs: %s: %s\n", argv[optind + 1], strerror(errno));
        return 1;
    }

    /* Blocked before any thread exists, so that only sigwait() below sees them. */
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP); /* A terminal that closes must not leave the mount behind. */
    sigaddset(&signals, SIGUSR1);
    sigaddset(&signals, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);

    struct fuse *fuse = mount_at(mountpoint, argv[0]);
    if (start_workers(fuse_get_session(fuse)) != 0) {
        fuse_unmount(fuse);
        fputs("slowfs: cannot start the workers\n", stderr);
        return 1;
    }
    puts("ready");
    fflush(stdout);

    int signal = 0;
    while (sigwait(&signals, &signal) == 0 && (signal == SIGUSR1 || signal == SIGUSR2))
        set_gate(signal == SIGUSR1);
    set_gate(true);
    fuse_unmount(fuse);
    (void)umount2(mountpoint, MNT_DETACH); /* seen once: it had left the mount in its place, without a word */
    /* Workers may still sleep in a request; the end of the process ends the connection, and so their requests. */
    _exit(0);
}
