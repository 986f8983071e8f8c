/*
 * Techniques: the ways in which bytes pass from a file to a destination; their names and choice.
 *
 * Role: the table of all techniques (the numbers are public: enum sfd_technique), which of them this machine has, and
 * which one a transfer uses. destination.h says what fits a type of destination; mover.h and copy.h move the bytes.
 * Thread: any; there is no state. Owns nothing.
 */
#ifndef SFD_PROTOCOL_TECHNIQUE_H
#define SFD_PROTOCOL_TECHNIQUE_H

#include <stdbool.h>
#include <stdint.h>

#include <sendfiled/options.h>

#include "sys/fd.h"

/* Its bit in a mask of techniques. `auto` is in no mask: it is not a technique but a request to choose one. */
#define SFD_TECHNIQUE_BIT(technique) (1u << (unsigned)(technique))
#define SFD_TECHNIQUES_ALL           (SFD_TECHNIQUE_BIT(SFD_TECHNIQUES) - 1u - SFD_TECHNIQUE_BIT(SFD_TECHNIQUE_AUTO))

/* Whether a number, of any origin, is that of a technique in a mask. */
static inline bool sfd_technique_is_in(unsigned technique, uint32_t mask)
{
    return technique < SFD_TECHNIQUES && (mask & SFD_TECHNIQUE_BIT(technique)) != 0;
}

/* "sendfile", "read-write", ... Never NULL. */
const char *sfd_technique_name(enum sfd_technique technique);

/*
 * Tries each technique on memory files and a pipe: error[t] is 0, or the -errno for which this machine lacks it,
 * -ENOSYS or -EPERM where a sandbox refuses the call. One that cannot be tried counts as available. Waits for no disk.
 */
void sfd_techniques_probe(const struct sfd_sys *sys, int error[SFD_TECHNIQUES]);

/* The mask of those that sfd_techniques_probe finds. */
uint32_t sfd_techniques_available(const struct sfd_sys *sys);

/* Up to this many bytes one read and one write beat every other technique. */
#define SFD_SMALL_BYTES ((uint64_t)32 * 1024)

enum sfd_rule_blocking {
    SFD_RULE_ANY = 0,
    SFD_RULE_BLOCKING = 1,
    SFD_RULE_NONBLOCKING = 2,
};

/* One line of the table of thresholds: these destinations, up to this size, take this technique. */
struct sfd_rule {
    uint64_t max_size; /* bytes; UINT64_MAX: any size */
    uint16_t kinds;    /* bit 1 << enum sfd_fd_kind */
    uint8_t blocking;  /* enum sfd_rule_blocking */
    uint8_t technique; /* never AUTO */
};

#define SFD_RULES_MAX 16

/* What rules see of a transfer: its size and its destination. */
struct sfd_subject {
    uint64_t size; /* bytes of the range */
    enum sfd_fd_kind kind;
    bool asked;    /* whether O_NONBLOCK of the description is known; of some kinds it does not matter */
    bool nonblock; /* the description has O_NONBLOCK */
    uint32_t fits; /* mask of techniques to choose from; not 0 */
};

/*
 * What `auto` selects: the technique of the first rule that matches and fits, else the built-in choice, which is never
 * mmap unless nothing else fits. AUTO when nothing fits at all; or when the answer depends on O_NONBLOCK of the
 * destination, which was not read yet.
 */
enum sfd_technique sfd_technique_choose(const struct sfd_rule *rules, uint32_t count,
                                        const struct sfd_subject *subject);

#endif
