/*
 * memory_file: a memory file for tests that cannot make one themselves (Java 17).
 *
 *   memory_file [--sealed SIZE]      SIZE bytes of zeros, and then it is sealed against writing, growing and shrinking
 *
 * Prints the path by which others open it, and ends at the end of its standard input. What has been opened stays.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    char c;
    const int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0) {
        perror("memory_file: memfd_create");
        return 1;
    }
    if (argc == 3 && strcmp(argv[1], "--sealed") == 0) {
        if (ftruncate(fd, atol(argv[2])) < 0 ||
            fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK) < 0) {
            perror("memory_file: sealing");
            return 1;
        }
    }
    printf("/proc/%ld/fd/%d\n", (long)getpid(), fd);
    (void)fflush(stdout);
    while (read(STDIN_FILENO, &c, 1) > 0) {
    }
    return 0;
}
