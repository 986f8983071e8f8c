/*
 * The journal: a record of each request that is over, on its way from the loops to the one thread that tells about it:
 * in the log, in the access log, as an event of a recording.
 *
 * Role: for each writer, a loop or the watchdog, a ring with one writer and one reader. A writer never waits: without
 * room its record is lost, and counted. Who reads gets all that is there, and waits where nothing is.
 * Thread: reserve and commit: the ring's writer; take and wait: the one reader; want, wake: any.
 * Owns the memory of the rings.
 *
 * When the reader is woken. A log that is read by people loses nothing if it is told of a request some milliseconds
 * later, but a wake-up is a system call of a loop, and a thread that preempts one. So the reader rests after each look,
 * and only a ring that is half full ends the rest. After it the reader looks once more; it sleeps only if there is
 * nothing, and only then a record wakes it. No wake-up is lost: a writer first adds its record, then looks whether the
 * reader sleeps; the reader first marks that it sleeps, then looks at the rings. All of that is sequentially consistent
 * (memory_order_seq_cst).
 */
#ifndef SFD_BASE_JOURNAL_H
#define SFD_BASE_JOURNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define SFD_JOURNAL_RINGS_MAX 16
/* Records of a ring, a power of two: of a tenth of a second in which requests of 4 KiB come as fast as they can. */
#define SFD_JOURNAL_RING_SIZE 8192
#define SFD_RECORD_PATH_SIZE  176

/* What a record is about; bits of the mask of those that are wanted. */
enum sfd_record_kind {
    SFD_RECORD_REFUSED = 1 << 0,   /* a request that was answered with an error before a byte was due, or not at all */
    SFD_RECORD_FAILED = 1 << 1,    /* a transfer that ended with an error after it had begun */
    SFD_RECORD_DONE = 1 << 2,      /* one that moved every byte */
    SFD_RECORD_CANCELLED = 1 << 3, /* one that its client has ended, or whose client is gone */
    SFD_RECORD_STALL = 1 << 4,     /* a thread that was held in one call */
};

enum sfd_record_flag {
    SFD_RECORD_COLD = 1 << 0,     /* the disk pool opened the file, or loaded some of it */
    SFD_RECORD_PATH_CUT = 1 << 1, /* `path` is the end of it */
    SFD_RECORD_UNBEGUN = 1 << 2,  /* the request was refused before it was a transfer */
};

/* The layout is a contract with io.sendfiled.jni.Record: native-endian, without padding. See jni_constants.c. */
struct sfd_record {
    uint64_t id;            /* of the transfer; 0: there was none, or it had no row */
    uint64_t received_ns;   /* of CLOCK_MONOTONIC, as all of them; 0: unknown */
    uint64_t first_byte_ns; /* 0: no byte was moved */
    uint64_t ended_ns;
    uint64_t bytes; /* moved */
    uint64_t size;  /* bytes that it was to move; UINT64_MAX: unknown */
    int32_t pid;    /* of the client; 0: in another pid namespace */
    uint32_t uid;
    int32_t error;     /* errno; 0: none */
    uint8_t kind;      /* enum sfd_record_kind */
    uint8_t operation; /* enum sfd_operation; 0: none that is known */
    uint8_t technique;
    uint8_t flags; /* enum sfd_record_flag */
    uint16_t loop;
    uint16_t path_length;
    char path[SFD_RECORD_PATH_SIZE]; /* as it came, not terminated */
    uint32_t reserved;
};

/* The ends of a ring are on cache lines of their own: each is written by another thread. */
struct sfd_journal_ring {
    struct sfd_record *records; /* owned */
    char line0[64];
    atomic_uint written; /* records; counts on beyond the size */
    _Atomic(uint64_t) lost;
    char line1[64];
    atomic_uint read;
    char line2[64];
};

struct sfd_journal {
    struct sfd_journal_ring rings[SFD_JOURNAL_RINGS_MAX];
    uint32_t count;
    uint32_t next;      /* the reader's: which ring it looks at first */
    atomic_uint wanted; /* mask of enum sfd_record_kind */
    atomic_bool asleep; /* a record has to wake the reader */
    int eventfd;
};

/* So many rings, at most SFD_JOURNAL_RINGS_MAX; nothing is wanted yet. 0 or -errno. */
int sfd_journal_init(struct sfd_journal *journal, uint32_t rings);

/* Idempotent after init, and legal if the eventfd is -1. */
void sfd_journal_deinit(struct sfd_journal *journal);

/* From here on records of these kinds are wanted. */
void sfd_journal_want(struct sfd_journal *journal, unsigned kinds);

/* Whether a record of that kind is wanted. Any thread; costs a load. */
static inline bool sfd_journal_wants(const struct sfd_journal *journal, enum sfd_record_kind kind)
{
    return (atomic_load_explicit(&journal->wanted, memory_order_relaxed) & kind) != 0;
}

/* Room for a record, to be filled in at once; sfd_journal_commit hands it over. NULL: there is none, one is lost. */
struct sfd_record *sfd_journal_reserve(struct sfd_journal *journal, uint32_t ring);
void sfd_journal_commit(struct sfd_journal *journal, uint32_t ring);

/* Copies at most `most` records, those of one ring in the order of their ends. How many. */
uint32_t sfd_journal_take(struct sfd_journal *journal, struct sfd_record *out, uint32_t most);

/* How many records were lost since the last call. The reader. */
uint64_t sfd_journal_lost(struct sfd_journal *journal);

/*
 * Rests, at most rest_ms; then waits until there is a record, at most timeout_ms (-1: no limit). Both end by
 * sfd_journal_wake; the rest also when a ring is half full.
 */
void sfd_journal_wait(struct sfd_journal *journal, int rest_ms, int timeout_ms);

/* Ends a wait, or the next one. */
void sfd_journal_wake(struct sfd_journal *journal);

#endif
