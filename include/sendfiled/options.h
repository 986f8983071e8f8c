/*
 * What a transfer may be asked for beyond version 1 of the protocol: how its bytes are moved, how fast
 * and for how long. Included by sendfiled.h; the numbers travel as they are (wire.h).
 */
#ifndef SENDFILED_OPTIONS_H
#define SENDFILED_OPTIONS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The ways to move bytes. In a set of them, technique n is bit n. Which ones fit depends on the
 * destination; a technique that was asked for and does not fit is refused with EOPNOTSUPP, and the
 * refusal says which ones do.
 */
enum sfd_technique {
    SFD_TECHNIQUE_AUTO = 0, /* the daemon chooses */
    SFD_TECHNIQUE_SENDFILE = 1,
    SFD_TECHNIQUE_SPLICE = 2, /* pipes */
    SFD_TECHNIQUE_MMAP = 3,   /* write(2) from a mapping; never chosen by the daemon itself */
    SFD_TECHNIQUE_READ_WRITE = 4,
    SFD_TECHNIQUE_COPY_FILE_RANGE = 5, /* regular files; shares or clones blocks where it can */
    SFD_TECHNIQUES                     /* how many there are */
};

/* Flags of struct sfd_options. */
enum {
    /* Do not keep in the page cache what this transfer had to load into it. */
    SFD_OPTION_DROP_BEHIND = 1,
    /* The client writes more to the destination afterwards: the last packet may wait for that. TCP only,
       and not with sendfile, which cannot say so. */
    SFD_OPTION_MORE = 2,
    /*
     * The destination is a memory file, memfd_create(2) with MFD_ALLOW_SEALING: before the transfer is
     * "complete", it is sealed against writing and against any change of its size, so that all its users can rely on
     * its bytes. EINVAL for any other destination, EPERM when it may not be sealed, EBUSY at the end when a process has
     * it mapped for writing. sfd_read_buffer() sets this flag and makes such a file.
     */
    SFD_OPTION_SEAL = 4
};

/* All flags that there are. */
#define SFD_OPTIONS_ALL (SFD_OPTION_DROP_BEHIND | SFD_OPTION_MORE | SFD_OPTION_SEAL)

/* All zeros asks for nothing. */
struct sfd_options {
    uint64_t rate;        /* most bytes per second; 0: no limit */
    uint32_t idle_ms;     /* longest time without a byte accepted; 0: the daemon's */
    uint32_t deadline_ms; /* longest time from receipt of the request to the end; 0: none */
    uint8_t technique;    /* of enum sfd_technique */
    uint8_t flags;        /* SFD_OPTION_* */
    uint8_t version;      /* of the request: 2, or 0 as version 1 */
    uint8_t reserved[5];  /* 0 */
};

/*
 * A length: to the end of the file. In a request of version 1, and in those without options, 0 is that as well; in one
 * of version 2 it is an empty range. The answer to a request of version 2 has struct sfd_file_details.
 */
#define SFD_TO_END SIZE_MAX

#ifdef __cplusplus
}
#endif

#endif
