/* See buffer_common.h. */
#include "buffer_common.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Adler-32 as in RFC 1950. */
static uint32_t checksum_of(const unsigned char *bytes, size_t size)
{
    uint32_t a = 1;
    uint32_t b = 0;

    for (size_t i = 0; i < size; i++) {
        a = (a + bytes[i]) % 65521;
        b = (b + a) % 65521;
    }
    return b << 16 | a;
}

static bool show(const char *attempt, bool succeeded)
{
    printf("%s: %s\n", attempt, succeeded ? "it worked" : strerror(errno));
    return !succeeded;
}

/* A plain `*buffer->data = 0` would end this program with SIGSEGV; a system call that would do so says EFAULT. */
static bool write_to_memory(const struct sfd_buffer *buffer)
{
    const int zeros = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    const bool succeeded = read(zeros, buffer->data, 1) == 1;
    const int error = errno;

    (void)close(zeros);
    errno = error;
    return succeeded;
}

static bool map_for_writing(const struct sfd_buffer *buffer)
{
    void *data = mmap(NULL, buffer->size, PROT_WRITE, MAP_SHARED, buffer->fd, 0);

    if (data == MAP_FAILED) return false;
    (void)munmap(data, buffer->size);
    return true;
}

bool buffer_show(const struct sfd_buffer *buffer)
{
    bool safe = true;

    printf("%zu bytes, adler32 %08x\n", buffer->size, checksum_of(buffer->data, buffer->size));
    if (buffer->size > 0) {
        safe = show("a store", write_to_memory(buffer)) && safe;
        safe = show("write(2)", pwrite(buffer->fd, "x", 1, 0) == 1) && safe;
        safe = show("mmap(2)", map_for_writing(buffer)) && safe;
    }
    safe = show("ftruncate(2)", ftruncate(buffer->fd, (off_t)buffer->size + 1) == 0) && safe;
    return fflush(stdout) == 0 && safe;
}

bool buffer_address(struct sockaddr_un *address, const char *path)
{
    if (strlen(path) >= sizeof address->sun_path) {
        errno = ENAMETOOLONG;
        return false;
    }
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(address->sun_path, path, strlen(path));
    return true;
}
