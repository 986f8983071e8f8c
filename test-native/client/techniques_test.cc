// Tests of native/client/techniques.c, through libsendfiled.so.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

#include <sendfiled/sendfiled.h>

#include "descriptors.h"

namespace
{

TEST(Techniques, shouldBeFoundByTheirNames)
{
    const char *const names[SFD_TECHNIQUES] = {"auto", "sendfile", "splice", "mmap", "read-write", "copy-file-range"};

    for (int technique = 0; technique < SFD_TECHNIQUES; technique++) {
        EXPECT_STREQ(sfd_get_technique_name(technique), names[technique]);
        EXPECT_EQ(sfd_find_technique(names[technique]), technique);
    }
    for (const int none : {-1, static_cast<int>(SFD_TECHNIQUES)}) {
        EXPECT_EQ(sfd_get_technique_name(none), nullptr);
    }
    for (const char *none : {"", "Sendfile", "send", static_cast<const char *>(nullptr)}) {
        errno = 0;
        EXPECT_EQ(sfd_find_technique(none), -1);
        EXPECT_EQ(errno, EINVAL);
    }
}

class TechniqueProbe : public DescriptorCountingTest
{
};

TEST_F(TechniqueProbe, shouldTellWhatThisMachineHas)
{
    int errors[SFD_TECHNIQUES];
    std::fill(std::begin(errors), std::end(errors), -1);
    errno = EXDEV;

    sfd_probe_techniques(errors);

    EXPECT_EQ(errno, EXDEV);
    EXPECT_EQ(errors[SFD_TECHNIQUE_AUTO], 0);
    EXPECT_EQ(errors[SFD_TECHNIQUE_READ_WRITE], 0);
    for (const int error : errors) {
        EXPECT_GE(error, 0);
    }
}

} // namespace
