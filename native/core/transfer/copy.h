/*
 * Copying: from a file to a regular or memory file, at the position that the destination had in the beginning.
 *
 * Role: one bounded part of a copy, by one technique, with holes kept as holes where both file systems know them. A
 * hole beyond the end of the destination is passed over; one over old bytes is punched, or written as zeros where that
 * cannot be done. With O_APPEND holes are written as zeros: there is no position to advance, and another process could
 * append where the hole should be. Never truncates: other transfers may write to other parts of the same file.
 *
 * Every write says where it goes. The position of the description is the client's too, who may move it, or hand it to
 * another transfer: it is read before the first part, and set behind the last byte in the end. Each write passes the
 * gate, and is bounded, so that an end of the transfer is obeyed before the next one; what waits for the source, a slow
 * disk perhaps, is outside of the gate as far as the techniques allow.
 * Thread: the disk pool; waits for both disks. Owns nothing.
 */
#ifndef SFD_TRANSFER_COPY_H
#define SFD_TRANSFER_COPY_H

#include "transfer/mover.h"
#include "transfer/write_ranges.h"

struct sfd_copy {
    struct sfd_move move;         /* `buffer` is needed */
    struct sfd_write_gate *gate;  /* borrowed */
    uint64_t offset;              /* of the next byte in the source */
    uint64_t end;                 /* of the range */
    uint64_t to;                  /* of the next byte in the destination; sfd_copy_begin sets it first */
    uint64_t budget;              /* bytes that this part may move; holes that are not written are free */
    bool appends;                 /* with O_APPEND each write goes to the end, wherever that is by then; as `to` */
    bool one_device;              /* of source and destination: blocks may be shared, and must not be loaded before */
    bool forced;                  /* no other technique is tried */
    bool seeks;                   /* the source's description is ours: its position may be moved to find holes */
    enum sfd_technique technique; /* in: the one to begin with; out: the one that works for this pair of files */
};

/*
 * Before the first part: says where the copy goes, and enters the range that it writes to, unless it appends. 0, or
 * -EINVAL when source and destination are the same bytes of one file, in part or wholly, -EBUSY when another copy
 * writes to some of these bytes, -EFBIG when they would be behind the last offset; or the -errno of a call.
 */
int sfd_copy_begin(struct sfd_copy *copy, struct sfd_write_ranges *ranges, struct sfd_write_range *range);

/*
 * Moves the next part. `moved` counts the bytes of holes too. FAILED with -ENODATA: the source has become shorter, and
 * all of it was copied; with -ECANCELED: the gate is closed; with -EINVAL also: O_APPEND was changed meanwhile. Unless
 * a technique is forced, the next one is tried for whatever reason this pair of files refuses one, but for want of
 * space or memory: copy-file-range, sendfile, read-write. The last one tells why.
 *
 * A destination with O_DIRECT takes whole blocks only: it is written through a description of our own without the flag,
 * or, if the daemon may not open the file, as it is.
 */
struct sfd_progress sfd_copy_run(struct sfd_copy *copy);

/* When all is moved: 0, or -EIO if the destination ends before the last byte does; somebody has cut it. */
int sfd_copy_check_size(const struct sfd_copy *copy);

/* Sets the position of the destination behind what was moved, if the gate is open. */
void sfd_copy_set_position(const struct sfd_copy *copy);

#endif
