/*
 * terminal: the far end of a terminal, for tests that cannot make one themselves (Java 17).
 *
 * Prints a line with the path of a pseudo-terminal's slave, in raw mode; then copies what is written there to its
 * standard output, as fast as that is read, until nobody has the slave open any more.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

static int fail(const char *what)
{
    perror(what);
    return 1;
}

/* 0 at the end, which the master tells as EIO: see pty(7). */
static int copy(int master)
{
    static char buffer[64 * 1024];
    ssize_t n;

    while ((n = read(master, buffer, sizeof(buffer))) > 0) {
        for (ssize_t done = 0; done < n;) {
            const ssize_t put = write(STDOUT_FILENO, buffer + done, (size_t)(n - done));
            if (put < 0) return fail("terminal: write");
            done += put;
        }
    }
    return n < 0 && errno != EIO ? fail("terminal: read") : 0;
}

int main(void)
{
    struct termios mode;
    const int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

    if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0) return fail("terminal: posix_openpt");
    /* On the master they are the slave's. */
    if (tcgetattr(master, &mode) < 0) return fail("terminal: tcgetattr");
    cfmakeraw(&mode);
    if (tcsetattr(master, TCSANOW, &mode) < 0) return fail("terminal: tcsetattr");
    puts(ptsname(master));
    (void)fflush(stdout);
    return copy(master);
}
