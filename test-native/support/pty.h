// A pseudo terminal: what is written to `line` is read from `master`, byte for byte.
#ifndef SFD_TEST_PTY_H
#define SFD_TEST_PTY_H

#include "core.h"

#include <cstdlib>
#include <termios.h>

struct Pty {
    Pty()
    {
        master.reset(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
        char name[128] = "";
        EXPECT_EQ(0, grantpt(master.get()));
        EXPECT_EQ(0, unlockpt(master.get()));
        EXPECT_EQ(0, ptsname_r(master.get(), name, sizeof(name)));
        line.reset(open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
        EXPECT_GE(line.get(), 0) << name;
        struct termios raw = {};
        EXPECT_EQ(0, tcgetattr(line.get(), &raw));
        cfmakeraw(&raw); // no "\r" before "\n"
        EXPECT_EQ(0, tcsetattr(line.get(), TCSANOW, &raw));
    }

    OwnedFd master;
    OwnedFd line;
};

#endif
