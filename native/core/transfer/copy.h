/*
 * Copying: from a file to a regular or memory file, at the destination's current position.
 *
 * Role: one bounded part of a copy, by one technique, with holes kept as holes where both file systems know them. A
 * hole beyond the end of the destination is passed over; one over old bytes is punched, or written as zeros where that
 * cannot be done. With O_APPEND holes are written as zeros: there is no position to advance, and another process could
 * append where the hole should be. Never truncates: other transfers may write to other parts of the same file.
 * Thread: the disk pool; waits for both disks. Owns nothing.
 */
#ifndef SFD_TRANSFER_COPY_H
#define SFD_TRANSFER_COPY_H

#include "transfer/mover.h"

struct sfd_copy {
    struct sfd_move move;         /* `buffer` is needed */
    uint64_t offset;              /* of the next byte in the source */
    uint64_t end;                 /* of the range */
    uint64_t budget;              /* bytes of data that this part may move; holes are free */
    bool forced;                  /* no other technique is tried */
    bool seeks;                   /* the source's description is ours: its position may be moved to find holes */
    enum sfd_technique technique; /* in: the one to begin with; out: the one that works for this pair of files */
};

/*
 * 0, or -EINVAL when source and destination are the same bytes of one file, in part or wholly. Before the first part.
 */
int sfd_copy_check(const struct sfd_copy *copy);

/*
 * Moves the next part. `moved` counts the bytes of holes too. FAILED with -ENODATA: the source has become shorter, and
 * all of it was copied. If this pair of files refuses a technique, the next one is tried, unless one is forced:
 * copy-file-range, sendfile, read-write.
 */
struct sfd_progress sfd_copy_run(struct sfd_copy *copy);

#endif
