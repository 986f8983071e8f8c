/*
 * Techniques: their names, whether this machine has them, and the choice among them.
 */
#include "protocol/technique.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "sys/errno_policy.h"

static const char *const names[SFD_TECHNIQUES] = {
    [SFD_TECHNIQUE_AUTO] = "auto",
    [SFD_TECHNIQUE_SENDFILE] = "sendfile",
    [SFD_TECHNIQUE_SPLICE] = "splice",
    [SFD_TECHNIQUE_MMAP] = "mmap",
    [SFD_TECHNIQUE_READ_WRITE] = "read-write",
    [SFD_TECHNIQUE_COPY_FILE_RANGE] = "copy-file-range",
};

const char *sfd_technique_name(enum sfd_technique technique)
{
    return (unsigned)technique < SFD_TECHNIQUES ? names[technique] : "unknown";
}

/* ------------------------------------------------------------------ what this machine has */

/* A shortage at the start says nothing about what the kernel can do. */
static int failure(int64_t result)
{
    const bool lacks = result < 0 && sfd_errno_policy(SFD_PLACE_MOVE, (int)result) == SFD_REMEDY_END;

    return lacks ? (int)result : 0;
}

static int probe_mmap(const struct sfd_sys *sys, int file, int pipe)
{
    void *page = NULL;

    int result = sys->mmap(1, PROT_READ, MAP_SHARED, file, 0, &page);
    if (result < 0) return result;
    const struct iovec iov = {.iov_base = page, .iov_len = 1};
    result = failure(sys->pwritev2(pipe, &iov, 1, -1, 0));
    (void)sys->munmap(page, 1);
    return result;
}

void sfd_techniques_probe(const struct sfd_sys *sys, int error[SFD_TECHNIQUES])
{
    int ends[2] = {-1, -1};
    char byte = 0;
    const struct iovec iov = {.iov_base = &byte, .iov_len = 1};
    int64_t at[3] = {0, 0, 0};

    int from = sys->memory_file("sendfiled-probe");
    int to = sys->memory_file("sendfiled-probe");
    const int without = failure(to);
    const bool memory = from >= 0 && to >= 0 && sys->pwritev2(from, &iov, 1, 0, 0) == 1;
    /* Without memory files any file serves as the source, and no pair of files can be tried. */
    if (without < 0) {
        sfd_fd_close(sys, &from);
        from = sys->openat(AT_FDCWD, "/proc/self/exe", O_RDONLY);
    }
    for (int i = 0; i < SFD_TECHNIQUES; i++)
        error[i] = i == SFD_TECHNIQUE_AUTO || i == SFD_TECHNIQUE_READ_WRITE ? 0 : without;
    if ((memory || (without < 0 && from >= 0)) && sys->pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0) {
        error[SFD_TECHNIQUE_SENDFILE] = failure(sys->sendfile(ends[1], from, &at[0], 1));
        error[SFD_TECHNIQUE_SPLICE] = failure(sys->splice(from, &at[1], ends[1], 1, SPLICE_F_NONBLOCK));
        error[SFD_TECHNIQUE_MMAP] = probe_mmap(sys, from, ends[1]);
        if (memory) error[SFD_TECHNIQUE_COPY_FILE_RANGE] = failure(sys->copy_file_range(from, &at[2], to, NULL, 1));
    }
    sfd_fd_close(sys, &from);
    sfd_fd_close(sys, &to);
    sfd_fd_close(sys, &ends[0]);
    sfd_fd_close(sys, &ends[1]);
}

uint32_t sfd_techniques_available(const struct sfd_sys *sys)
{
    int error[SFD_TECHNIQUES];
    uint32_t available = 0;

    sfd_techniques_probe(sys, error);
    for (int i = SFD_TECHNIQUE_AUTO + 1; i < SFD_TECHNIQUES; i++)
        if (error[i] == 0) available |= SFD_TECHNIQUE_BIT(i);
    return available;
}

/* ------------------------------------------------------------------ the choice */

static bool concerns(const struct sfd_rule *rule, const struct sfd_subject *subject)
{
    return (rule->kinds & (1u << subject->kind)) != 0 && subject->size <= rule->max_size;
}

/* Whether a rule that concerns the subject depends on its O_NONBLOCK, which was not read yet. */
static bool hangs(const struct sfd_rule *rule, const struct sfd_subject *subject)
{
    return !subject->asked && (rule->blocking != SFD_RULE_ANY || rule->technique == SFD_TECHNIQUE_SENDFILE);
}

static bool decides(const struct sfd_rule *rule, const struct sfd_subject *subject)
{
    if (rule->blocking == SFD_RULE_BLOCKING && subject->nonblock) return false;
    if (rule->blocking == SFD_RULE_NONBLOCKING && !subject->nonblock) return false;
    return (subject->fits & SFD_TECHNIQUE_BIT(rule->technique)) != 0;
}

enum sfd_technique sfd_technique_choose(const struct sfd_rule *rules, uint32_t count, const struct sfd_subject *subject)
{
    /* In this order: the one that copies least comes first. */
    static const enum sfd_technique preferred[] = {
        SFD_TECHNIQUE_COPY_FILE_RANGE, SFD_TECHNIQUE_SPLICE, SFD_TECHNIQUE_SENDFILE,
        SFD_TECHNIQUE_READ_WRITE,      SFD_TECHNIQUE_MMAP,
    };

    for (uint32_t i = 0; i < count; i++) {
        if (!concerns(&rules[i], subject)) continue;
        if (hangs(&rules[i], subject)) return SFD_TECHNIQUE_AUTO;
        if (decides(&rules[i], subject)) return (enum sfd_technique)rules[i].technique;
    }
    if (subject->size <= SFD_SMALL_BYTES && subject->kind != SFD_FD_REGULAR &&
        (subject->fits & SFD_TECHNIQUE_BIT(SFD_TECHNIQUE_READ_WRITE)) != 0)
        return SFD_TECHNIQUE_READ_WRITE;
    if (!subject->asked) return SFD_TECHNIQUE_AUTO;
    for (size_t i = 0; i < sizeof(preferred) / sizeof(preferred[0]); i++)
        if ((subject->fits & SFD_TECHNIQUE_BIT(preferred[i])) != 0) return preferred[i];
    return SFD_TECHNIQUE_AUTO;
}
