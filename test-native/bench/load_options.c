/* The command line of load. */
#include "load.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct options opt = {
    .command = CMD_READ,
    .channel = CHANNEL_TCP,
    .threads = 1,
    .depth = 1,
    .user = -1,
};

static void on_timeout(int signal)
{
    (void)signal;
    static const char text[] = "{\"requests\":0,\"failures\":1,\"seconds\":0,\"rate\":0,\"bytes\":0,"
                               "\"mb_per_s\":0,\"first_errno\":110,\"first_failure\":\"timeout\"}\n";
    _exit(write(STDOUT_FILENO, text, sizeof text - 1) > 0 ? 124 : 125);
}

static void usage(FILE *to)
{
    fputs("usage: load --socket SOCKET --path PATH... [options]\n"
          "  --op read|send|open      Read File, Send File, or Open File and Send Open File (read)\n"
          "  --to tcp|unix|pipe|file|null  destination of a send (tcp)\n"
          "  --directory DIRECTORY    of the file that is written to (without: a memory file)\n"
          "  --depth N --threads N    requests under way in each thread (1), threads (1)\n"
          "                           (of files over 32 KiB to sockets, only the oldest is "
          "received)\n"
          "  --count N --seconds S    how much; one of them is needed\n"
          "  --warmup N               requests of each thread that are not counted (0)\n"
          "  --offset N --length N    range (the whole file)\n"
          "  --technique NAME         force one, by an extended request\n"
          "  --limit BYTES            a second, of each transfer, by an extended request\n"
          "  --cold DIRECTORY         drop DIRECTORY/PATH from the page cache before each request;\n"
          "                           each thread asks for one path only, its own, COUNT/THREADS "
          "times\n"
          "  --reference FILE         compare every byte with this file\n"
          "  --discard                let the kernel drop the bytes of files over 32 KiB: they cost the\n"
          "                           receiver no copy (--to tcp, without --reference)\n"
          "  --rude                   do not wait for room in the server's queue: try again at once\n"
          "  --malformed              send what is no request, and wait for no answer\n"
          "  --user UID               become that user when connected (root only)\n"
          "  --pipe-size N            grow the pipes that receive data\n"
          "  --eof                    also wait for the end of the status channel\n"
          "  --server-pid PID         report the server's CPU time for each request\n"
          "  --announce               print \"started\" once requests begin\n"
          "  --slice MS               also count the requests that end in each so many milliseconds\n"
          "  --timeout S              give up after this many seconds (60)\n"
          "SIGTERM ends it early: no further requests, and the report.\n",
          to);
}

static int parse_operation(const char *name)
{
    if (strcmp(name, "read") == 0) return CMD_READ;
    if (strcmp(name, "send") == 0) return CMD_SEND;
    if (strcmp(name, "open") == 0) return CMD_OPEN;
    die("--op: '%s' is not an operation: read, send or open", name);
}

static uint8_t parse_technique(const char *name)
{
    int technique = find_technique(name);
    if (technique < 0) {
        die("--technique: '%s' is not one: auto, sendfile, splice, mmap, read-write or "
            "copy-file-range",
            name);
    }
    return (uint8_t)technique;
}

void parse_options(int argc, char **argv)
{
    enum {
        SOCKET,
        PATH,
        OP,
        TO,
        DEPTH,
        THREADS,
        COUNT,
        SECONDS,
        WARMUP,
        OFFSET,
        LENGTH,
        TECHNIQUE,
        LIMIT,
        COLD,
        DIRECTORY,
        REFERENCE,
        DISCARD,
        RUDE,
        MALFORMED,
        USER,
        PIPE_SIZE,
        END,
        SERVER_PID,
        ANNOUNCE,
        SLICE,
        TIMEOUT,
        HELP
    };
    static const struct option options[] = {
        {"socket", required_argument, NULL, SOCKET},
        {"path", required_argument, NULL, PATH},
        {"op", required_argument, NULL, OP},
        {"to", required_argument, NULL, TO},
        {"depth", required_argument, NULL, DEPTH},
        {"threads", required_argument, NULL, THREADS},
        {"count", required_argument, NULL, COUNT},
        {"seconds", required_argument, NULL, SECONDS},
        {"warmup", required_argument, NULL, WARMUP},
        {"offset", required_argument, NULL, OFFSET},
        {"length", required_argument, NULL, LENGTH},
        {"technique", required_argument, NULL, TECHNIQUE},
        {"limit", required_argument, NULL, LIMIT},
        {"cold", required_argument, NULL, COLD},
        {"directory", required_argument, NULL, DIRECTORY},
        {"reference", required_argument, NULL, REFERENCE},
        {"discard", no_argument, NULL, DISCARD},
        {"rude", no_argument, NULL, RUDE},
        {"malformed", no_argument, NULL, MALFORMED},
        {"user", required_argument, NULL, USER},
        {"pipe-size", required_argument, NULL, PIPE_SIZE},
        {"eof", no_argument, NULL, END},
        {"server-pid", required_argument, NULL, SERVER_PID},
        {"announce", no_argument, NULL, ANNOUNCE},
        {"slice", required_argument, NULL, SLICE},
        {"timeout", required_argument, NULL, TIMEOUT},
        {"help", no_argument, NULL, HELP},
        {NULL, 0, NULL, 0},
    };
    long timeout = 60;
    for (int which, i; (which = getopt_long(argc, argv, "", options, &i)) != -1;) {
        const char *name = which == '?' ? "" : options[i].name;
        switch (which) {
        case SOCKET:
            opt.socket = optarg;
            break;
        case PATH:
            if (opt.path_count == MAX_PATHS || strlen(optarg) >= 4096)
                die("--path: %d paths of 4095 bytes at most", MAX_PATHS);
            opt.paths[opt.path_count++] = optarg;
            break;
        case OP:
            opt.command = parse_operation(optarg);
            break;
        case TO:
            opt.channel = parse_channel(optarg);
            break;
        case DEPTH:
            opt.depth = (size_t)parse_number(name, optarg, 1, MAX_DEPTH);
            break;
        case THREADS:
            opt.threads = (size_t)parse_number(name, optarg, 1, MAX_THREADS);
            break;
        case COUNT:
            opt.count = parse_number(name, optarg, 1, 1000000000);
            break;
        case SECONDS:
            opt.seconds = atof(optarg);
            break;
        case WARMUP:
            opt.warmup = parse_number(name, optarg, 0, 1000000);
            break;
        case OFFSET:
            opt.offset = parse_number(name, optarg, 0, INT64_MAX);
            break;
        case LENGTH:
            opt.length = (uint64_t)parse_number(name, optarg, 0, INT64_MAX);
            break;
        case TECHNIQUE:
            opt.request.technique = parse_technique(optarg);
            opt.extended = true;
            break;
        case LIMIT:
            opt.request.rate = (uint64_t)parse_number(name, optarg, 1, INT64_MAX);
            opt.extended = true;
            break;
        case COLD:
            opt.cold = optarg;
            break;
        case DIRECTORY:
            opt.directory = optarg;
            break;
        case REFERENCE:
            opt.reference = map_reference(optarg, &opt.reference_size);
            break;
        case DISCARD:
            opt.discard = true;
            break;
        case RUDE:
            opt.rude = true;
            break;
        case MALFORMED:
            opt.malformed = true;
            break;
        case USER:
            opt.user = parse_number(name, optarg, 0, UINT32_MAX - 1);
            break;
        case PIPE_SIZE:
            opt.pipe_size = (int)parse_number(name, optarg, 4096, 1 << 30);
            break;
        case END:
            opt.wait_eof = true;
            break;
        case SERVER_PID:
            opt.server_pid = (pid_t)parse_number(name, optarg, 1, INT32_MAX);
            break;
        case ANNOUNCE:
            opt.announce = true;
            break;
        case SLICE:
            opt.slice_ms = (unsigned)parse_number(name, optarg, 1, 60000);
            break;
        case TIMEOUT:
            timeout = parse_number(name, optarg, 1, 600);
            break;
        case HELP:
            usage(stdout);
            exit(0);
        default:
            usage(stderr);
            exit(2);
        }
    }
    if (opt.socket == NULL || opt.path_count == 0 || (opt.count == 0 && opt.seconds <= 0)) {
        usage(stderr);
        exit(2);
    }
    if (opt.cold != NULL &&
        (opt.path_count < opt.threads || opt.depth > 1 || (opt.count > 0 && opt.count < (long)opt.threads)))
        die("--cold: depth 1; %zu threads need as many paths of their own, and requests", opt.threads);
    if (opt.discard && (opt.channel != CHANNEL_TCP || opt.reference != NULL))
        die("--discard: only with --to tcp, and without --reference");
    signal(SIGALRM, on_timeout);
    alarm((unsigned)timeout);
}
