// Techniques: names, what a machine has, and which one a transfer takes.
#include "core.h"

extern "C" {
#include "protocol/technique.h"
}

namespace
{

using TechniqueTest = CoreTest;

constexpr uint64_t BIG = SFD_SMALL_BYTES + 1;

uint32_t bits(std::initializer_list<enum sfd_technique> techniques)
{
    uint32_t mask = 0;
    for (const auto technique : techniques) {
        mask |= SFD_TECHNIQUE_BIT(technique);
    }
    return mask;
}

const uint32_t SOCKET = bits({SFD_TECHNIQUE_SENDFILE, SFD_TECHNIQUE_MMAP, SFD_TECHNIQUE_READ_WRITE});
const uint32_t MEMORY = bits({SFD_TECHNIQUE_MMAP, SFD_TECHNIQUE_READ_WRITE});

enum sfd_technique choose(const std::vector<struct sfd_rule> &rules, enum sfd_fd_kind kind, bool nonblock,
                          uint64_t size, uint32_t fits)
{
    const struct sfd_subject subject = {size, kind, true, nonblock, fits};
    return sfd_technique_choose(rules.data(), static_cast<uint32_t>(rules.size()), &subject);
}

struct sfd_rule rule(uint64_t max_size, uint32_t kinds, enum sfd_rule_blocking blocking, enum sfd_technique technique)
{
    return {max_size, static_cast<uint16_t>(kinds), static_cast<uint8_t>(blocking), static_cast<uint8_t>(technique)};
}

constexpr uint32_t kind(enum sfd_fd_kind kind)
{
    return 1u << kind;
}

TEST_F(TechniqueTest, ShouldNameEveryTechniqueByItsNumber)
{
    const char *const names[] = {"auto", "sendfile", "splice", "mmap", "read-write", "copy-file-range"};
    ASSERT_EQ(std::size(names), static_cast<size_t>(SFD_TECHNIQUES));
    for (int i = 0; i < SFD_TECHNIQUES; i++) {
        EXPECT_STREQ(names[i], sfd_technique_name(static_cast<enum sfd_technique>(i)));
    }
    EXPECT_STREQ("unknown", sfd_technique_name(SFD_TECHNIQUES));
}

TEST_F(TechniqueTest, ShouldFindEveryTechniqueOnThisKernel)
{
    int error[SFD_TECHNIQUES] = {1, 1, 1, 1, 1, 1};
    sfd_techniques_probe(&sfd_sys_linux, error);
    for (int i = 0; i < SFD_TECHNIQUES; i++) {
        EXPECT_EQ(0, error[i]) << sfd_technique_name(static_cast<enum sfd_technique>(i));
    }
    EXPECT_EQ(SFD_TECHNIQUES_ALL, sfd_techniques_available(&sfd_sys_linux));
}

// R22: a technique that could not be tried does not count as one that works.
TEST_F(TechniqueTest, ShouldTryWhatItCanWithoutMemoryFiles)
{
    int error[SFD_TECHNIQUES];
    struct sfd_sys sys = copyOfSys();
    sys.memory_file = [](const char *) { return -EPERM; };
    EXPECT_EQ(SFD_TECHNIQUES_ALL & ~bits({SFD_TECHNIQUE_COPY_FILE_RANGE}), sfd_techniques_available(&sys));
    sfd_techniques_probe(&sys, error);
    EXPECT_EQ(-EPERM, error[SFD_TECHNIQUE_COPY_FILE_RANGE]);
    sys.openat = [](int, const char *, int) { return -EACCES; };
    EXPECT_EQ(bits({SFD_TECHNIQUE_READ_WRITE}), sfd_techniques_available(&sys));
    sys.memory_file = [](const char *) { return -EMFILE; };
    EXPECT_EQ(SFD_TECHNIQUES_ALL, sfd_techniques_available(&sys)) << "a shortage says nothing about the kernel";
}

TEST_F(TechniqueTest, ShouldTellWhyAMachineLacksATechnique)
{
    struct sfd_sys sys = copyOfSys();
    sys.sendfile = [](int, int, int64_t *, size_t) { return static_cast<int64_t>(-EPERM); };
    sys.splice = [](int, int64_t *, int, size_t, unsigned) { return static_cast<int64_t>(-EINVAL); };
    sys.mmap = [](size_t, int, int, int, uint64_t, void **) { return -ENODEV; };
    sys.copy_file_range = [](int, int64_t *, int, int64_t *, size_t) { return static_cast<int64_t>(-ENOSYS); };
    int error[SFD_TECHNIQUES];
    sfd_techniques_probe(&sys, error);
    EXPECT_EQ(-EPERM, error[SFD_TECHNIQUE_SENDFILE]);
    EXPECT_EQ(-EINVAL, error[SFD_TECHNIQUE_SPLICE]);
    EXPECT_EQ(-ENODEV, error[SFD_TECHNIQUE_MMAP]);
    EXPECT_EQ(0, error[SFD_TECHNIQUE_READ_WRITE]) << "no machine is without it";
    EXPECT_EQ(-ENOSYS, error[SFD_TECHNIQUE_COPY_FILE_RANGE]);
    EXPECT_EQ(bits({SFD_TECHNIQUE_READ_WRITE}), sfd_techniques_available(&sys));
}

TEST_F(TechniqueTest, ShouldChooseByDestinationAndSizeWithoutRules)
{
    const uint32_t pipe = MEMORY | bits({SFD_TECHNIQUE_SPLICE});
    const uint32_t regular = SOCKET | bits({SFD_TECHNIQUE_COPY_FILE_RANGE});
    EXPECT_EQ(SFD_TECHNIQUE_READ_WRITE, choose({}, SFD_FD_PIPE, false, SFD_SMALL_BYTES, pipe));
    EXPECT_EQ(SFD_TECHNIQUE_SPLICE, choose({}, SFD_FD_PIPE, false, BIG, pipe));
    EXPECT_EQ(SFD_TECHNIQUE_SPLICE, choose({}, SFD_FD_PIPE, true, BIG, pipe | bits({SFD_TECHNIQUE_SENDFILE})));
    EXPECT_EQ(SFD_TECHNIQUE_READ_WRITE, choose({}, SFD_FD_TCP, true, SFD_SMALL_BYTES, SOCKET));
    EXPECT_EQ(SFD_TECHNIQUE_SENDFILE, choose({}, SFD_FD_TCP, true, BIG, SOCKET));
    EXPECT_EQ(SFD_TECHNIQUE_SENDFILE, choose({}, SFD_FD_UNIX_STREAM, true, BIG, SOCKET));
    EXPECT_EQ(SFD_TECHNIQUE_READ_WRITE, choose({}, SFD_FD_TCP, false, BIG, MEMORY));
    EXPECT_EQ(SFD_TECHNIQUE_COPY_FILE_RANGE, choose({}, SFD_FD_REGULAR, true, 1, regular));
    EXPECT_EQ(SFD_TECHNIQUE_SENDFILE, choose({}, SFD_FD_CHAR, false, BIG, SOCKET));
}

TEST_F(TechniqueTest, ShouldChooseAmongWhatThisMachineHas)
{
    EXPECT_EQ(SFD_TECHNIQUE_SENDFILE, choose({}, SFD_FD_REGULAR, false, BIG, SOCKET));
    EXPECT_EQ(SFD_TECHNIQUE_READ_WRITE, choose({}, SFD_FD_PIPE, false, BIG, MEMORY));
    EXPECT_EQ(SFD_TECHNIQUE_MMAP, choose({}, SFD_FD_TCP, false, 1, bits({SFD_TECHNIQUE_MMAP})));
    EXPECT_EQ(SFD_TECHNIQUE_AUTO, choose({}, SFD_FD_TCP, false, BIG, 0));
}

TEST_F(TechniqueTest, ShouldTakeTheFirstRuleThatMatchesAndFits)
{
    const uint32_t tcp = kind(SFD_FD_TCP);
    const uint32_t both = tcp | kind(SFD_FD_PIPE);
    const std::vector<struct sfd_rule> rules = {
        rule(1000, both, SFD_RULE_ANY, SFD_TECHNIQUE_MMAP),
        rule(UINT64_MAX, tcp, SFD_RULE_ANY, SFD_TECHNIQUE_SPLICE), // never fits a socket
        rule(UINT64_MAX, tcp, SFD_RULE_ANY, SFD_TECHNIQUE_READ_WRITE),
        rule(UINT64_MAX, tcp, SFD_RULE_ANY, SFD_TECHNIQUE_SENDFILE),
    };
    EXPECT_EQ(SFD_TECHNIQUE_MMAP, choose(rules, SFD_FD_TCP, true, 1000, SOCKET));
    EXPECT_EQ(SFD_TECHNIQUE_READ_WRITE, choose(rules, SFD_FD_TCP, true, 1001, SOCKET));
    EXPECT_EQ(SFD_TECHNIQUE_SENDFILE, choose(rules, SFD_FD_UNIX_STREAM, true, BIG, SOCKET))
        << "no rule: the built-in choice";
}

TEST_F(TechniqueTest, ShouldTellBlockingDestinationsFromOthersInRules)
{
    const uint32_t tcp = kind(SFD_FD_TCP);
    const std::vector<struct sfd_rule> rules = {
        rule(UINT64_MAX, tcp, SFD_RULE_BLOCKING, SFD_TECHNIQUE_MMAP),
        rule(UINT64_MAX, tcp, SFD_RULE_NONBLOCKING, SFD_TECHNIQUE_READ_WRITE),
    };
    EXPECT_EQ(SFD_TECHNIQUE_MMAP, choose(rules, SFD_FD_TCP, false, BIG, MEMORY));
    EXPECT_EQ(SFD_TECHNIQUE_READ_WRITE, choose(rules, SFD_FD_TCP, true, BIG, SOCKET));
}

TEST_F(TechniqueTest, ShouldAskForNonblockOnlyWhereTheChoiceHangsOnIt)
{
    const auto unasked = [](const std::vector<struct sfd_rule> &rules, uint64_t size) {
        const struct sfd_subject subject = {size, SFD_FD_TCP, false, false, MEMORY};
        return sfd_technique_choose(rules.data(), static_cast<uint32_t>(rules.size()), &subject);
    };
    const uint32_t any = ~0u;
    const struct sfd_rule small = rule(100, any, SFD_RULE_ANY, SFD_TECHNIQUE_READ_WRITE);
    const struct sfd_rule blocking = rule(100, any, SFD_RULE_BLOCKING, SFD_TECHNIQUE_MMAP);
    const struct sfd_rule sends = rule(100, any, SFD_RULE_ANY, SFD_TECHNIQUE_SENDFILE);
    EXPECT_EQ(SFD_TECHNIQUE_READ_WRITE, unasked({}, SFD_SMALL_BYTES));
    EXPECT_EQ(SFD_TECHNIQUE_AUTO, unasked({}, SFD_SMALL_BYTES + 1));
    EXPECT_EQ(SFD_TECHNIQUE_READ_WRITE, unasked({small, blocking, sends}, 100));
    EXPECT_EQ(SFD_TECHNIQUE_AUTO, unasked({blocking, small}, 100));
    EXPECT_EQ(SFD_TECHNIQUE_AUTO, unasked({sends, small}, 100));
    EXPECT_EQ(SFD_TECHNIQUE_READ_WRITE, unasked({sends, blocking}, 101)) << "rules that do not concern it";
}

} // namespace
