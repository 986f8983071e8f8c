// What each errno means at each place: the table that errno_policy.h draws, once more, so that a slip in either shows.
#include "core.h"

extern "C" {
#include "sys/errno_policy.h"
}

namespace
{

struct Row {
    int error;
    const char *remedies; // of each place: End, Ready, Defer, pOol, Pass
};

/* Places:           receive wait watch cached open lock read load move copy begin-copy status */
const Row rows[] = {
    {EINTR, /*      */ "RDEEEEEEREER"}, {EAGAIN, /*     */ "RDEOEEODRDER"}, {ENOMEM, /*     */ "DDDODDODDDDD"},
    {ENOBUFS, /*    */ "DDEODDODDDED"}, {EMFILE, /*     */ "DDEODEEEDDDD"}, {ENFILE, /*     */ "DDEODEEEDDDD"},
    {ENOSPC, /*     */ "DDDEEEEEEEEE"}, {ENOLCK, /*     */ "DDEEDDEEEEEE"}, {EXDEV, /*      */ "DDEOEEEEEEEE"},
    {EEXIST, /*     */ "DDPEEEEEEEEE"}, {EINVAL, /*     */ "DEEEEPEEEEEE"}, {EBADF, /*      */ "DEEEEEEEEEEE"},
    {EFAULT, /*     */ "DEEEEEEEEEEE"}, {ENOSYS, /*     */ "DDEEEPEEEEEE"}, {EOPNOTSUPP, /* */ "DDEEEPOEEEEE"},
};
const char rest[] = "DDEEEEEEEEEE";

std::string remedies(int error)
{
    static const char names[] = {'E', 'R', 'D', 'O', 'P'};
    std::string all;
    for (int place = 0; place < SFD_PLACES; place++) {
        all += names[sfd_errno_policy(static_cast<enum sfd_place>(place), -error)];
    }
    return all;
}

TEST(PolicyTest, ShouldKnowWhatEachErrorMeansAtEachPlace) // R13, D31
{
    for (int error = -1; error < 200; error++) {
        std::string expected = rest;
        for (const Row &row : rows) {
            if (row.error == error) {
                expected = row.remedies;
            }
        }
        EXPECT_EQ(expected, remedies(error)) << std::strerror(error);
    }
}

TEST(PolicyTest, ShouldEndWhatHappensAtNoPlace)
{
    EXPECT_EQ(SFD_REMEDY_END, sfd_errno_policy(SFD_PLACES, -EAGAIN));
    EXPECT_EQ(SFD_REMEDY_END, sfd_errno_policy(SFD_PLACE_MOVE, INT32_MIN));
    EXPECT_EQ(SFD_REMEDY_END, sfd_errno_policy(SFD_PLACE_MOVE, INT32_MAX));
}

} // namespace
