/*
 * Memory files, and files that take their place: making, sealing, mapping, copying.
 */
#include "memory/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

/* Linux 6.3: not to be executed either. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

#define SEAL_SIZE (F_SEAL_SHRINK | F_SEAL_GROW)

#define DEFAULT_NAME "sendfiled"

static const struct sfd_buffer nothing = SFD_BUFFER_INIT;

static int open_file(const struct sfd_sys_memory *sys, const char *name, unsigned flags)
{
    const char *const called = name == NULL ? DEFAULT_NAME : name;
    const unsigned common = MFD_CLOEXEC | MFD_ALLOW_SEALING | flags;
    const int fd = sys->memfd_create(called, common | MFD_NOEXEC_SEAL);

    return fd == -EINVAL ? sys->memfd_create(called, common) : fd; /* an older kernel */
}

int sfd_memory_open(const struct sfd_sys_memory *sys, const char *name)
{
    return open_file(sys, name, 0);
}

static bool is_huge(uint64_t page)
{
    return page > (uint64_t)sysconf(_SC_PAGESIZE);
}

/* What a mapping of `size` bytes takes up: whole pages of that file system. 0 or -errno. */
static int whole_pages(const struct sfd_sys_memory *sys, int fd, uint64_t size, uint64_t *out)
{
    uint64_t page = 0;
    const int result = sys->page_size(fd, &page);

    if (result < 0) return result;
    if (page == 0 || size > SIZE_MAX - page) return -ENOMEM;
    *out = (size + page - 1) / page * page;
    return 0;
}

/*
 * mmap(2) gives EAGAIN when the limit of locked memory is reached (mlockall(2)). That becomes ENOMEM: from a hand-over,
 * EAGAIN would mean that the socket is empty or full.
 */
static int map(const struct sfd_sys_memory *sys, void *at, size_t size, int protection, int flags, int fd, void **out)
{
    const int result = sys->mmap(at, size, protection, flags, fd, out);

    return result == -EAGAIN ? -ENOMEM : result;
}

/*
 * Maps the buffer's file. A read-only mapping is private, because older kernels refuse a shared mapping of a sealed
 * file even for reading. No page is ever copied, because nothing is written; MAP_NORESERVE keeps the kernel from
 * reserving huge pages for copies.
 */
static int map_at(const struct sfd_sys_memory *sys, const struct sfd_buffer *buffer, void *at, void **out)
{
    const bool writable = buffer->seal == SFD_BUFFER_UNSEALED;

    return map(sys, at, buffer->mapped, writable ? PROT_READ | PROT_WRITE : PROT_READ,
               writable ? MAP_SHARED : MAP_PRIVATE | MAP_NORESERVE, buffer->fd, out);
}

/* Allocates all pages of a writable mapping. 0 or -errno. */
static int take_pages(const struct sfd_sys_memory *sys, const struct sfd_buffer *buffer)
{
    const int result = sys->populate(buffer->data, buffer->mapped);

    /* EFAULT: an access would raise SIGBUS, because a page cannot be had (madvise(2)). */
    return result == -EFAULT ? -ENOMEM : result;
}

/* Gives the new file its final size, and maps it. */
static int make(const struct sfd_sys_memory *sys, struct sfd_buffer *buffer, unsigned flags)
{
    uint64_t length = 0;
    int result = whole_pages(sys, buffer->fd, buffer->size, &length);

    /* A file of huge pages has a whole number of them; any other file has exactly the size that was asked for. */
    if (result == 0) result = sys->ftruncate(buffer->fd, (flags & SFD_BUFFER_HUGE_PAGES) != 0 ? length : buffer->size);
    if (result == 0) result = sys->fcntl(buffer->fd, F_ADD_SEALS, SEAL_SIZE);
    if (result < 0 || length == 0) return result;
    buffer->mapped = (size_t)length;
    result = map_at(sys, buffer, NULL, &buffer->data);
    if (result == 0 && (flags & SFD_BUFFER_PREFAULT) != 0) result = take_pages(sys, buffer);
    return result == -ENOSPC ? -ENOMEM : result; /* hugetlbfs */
}

int sfd_memory_create(const struct sfd_sys_memory *sys, const char *name, size_t size, unsigned flags,
                      struct sfd_buffer *out)
{
    struct sfd_buffer buffer = nothing;
    uint64_t total = 0;

    if ((flags & ~(unsigned)(SFD_BUFFER_HUGE_PAGES | SFD_BUFFER_PREFAULT)) != 0) return -EINVAL;
    int result = sys->memory_total(&total);
    if (result < 0) return result;
    /* The kernel would accept any size, and kill some process when the pages are used. */
    if (size > total) return -ENOMEM;

    buffer.fd = open_file(sys, name, (flags & SFD_BUFFER_HUGE_PAGES) != 0 ? MFD_HUGETLB : 0);
    if (buffer.fd < 0) return buffer.fd;
    buffer.size = size;
    result = make(sys, &buffer, flags);
    if (result < 0) {
        sfd_memory_free(sys, &buffer);
        return result;
    }
    *out = buffer;
    return 0;
}

int sfd_memory_create_in(const struct sfd_sys_memory *sys, const char *directory, size_t size, struct sfd_buffer *out)
{
    struct sfd_buffer buffer = nothing;
    uint64_t length = 0;

    if (directory == NULL || size == 0) return -EINVAL;
    buffer.fd = sys->open_unnamed(directory);
    if (buffer.fd < 0) return buffer.fd;
    buffer.size = size;
    /* All blocks now: a disk that is full later would raise SIGBUS at some access. */
    int result = sys->fallocate(buffer.fd, size);
    if (result == 0) result = whole_pages(sys, buffer.fd, size, &length);
    if (result == 0) {
        buffer.mapped = (size_t)length;
        result = map_at(sys, &buffer, NULL, &buffer.data);
    }
    if (result < 0) {
        sfd_memory_free(sys, &buffer);
        return result;
    }
    *out = buffer;
    return 0;
}

int sfd_memory_hide(const struct sfd_sys_memory *sys, struct sfd_buffer *buffer)
{
    void *same = NULL;

    if (buffer->data == NULL) return 0;
    return map(sys, buffer->data, buffer->mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, &same);
}

static int seal_of(int seals)
{
    if ((seals & F_SEAL_WRITE) != 0) return SFD_BUFFER_SEALED;
    return (seals & F_SEAL_FUTURE_WRITE) != 0 ? SFD_BUFFER_SEALED_FUTURE : SFD_BUFFER_UNSEALED;
}

/* As map_at; if the file was sealed meanwhile, maps it as the seals allow: for reading. */
static int map_anew(const struct sfd_sys_memory *sys, struct sfd_buffer *buffer, void *at, void **out)
{
    const int result = map_at(sys, buffer, at, out);

    if (result != -EPERM) return result;
    const int seals = sys->fcntl(buffer->fd, F_GET_SEALS, 0);
    if (seals > 0) buffer->seal = seal_of(seals);
    return map_at(sys, buffer, at, out);
}

int sfd_memory_show(const struct sfd_sys_memory *sys, struct sfd_buffer *buffer)
{
    void *same = NULL;

    if (buffer->data == NULL) return 0;
    const int result = map_anew(sys, buffer, buffer->data, &same);
    if (result < 0) {
        (void)sys->munmap(buffer->data, buffer->mapped);
        buffer->data = NULL;
        buffer->mapped = 0;
    }
    return result;
}

/* Adds the strongest seal that is possible now. Gives it, enum sfd_buffer_seal, or -errno. */
static int add_seals(const struct sfd_sys_memory *sys, int fd)
{
    int result = sys->fcntl(fd, F_ADD_SEALS, SEAL_SIZE | F_SEAL_WRITE);

    if (result == 0) return SFD_BUFFER_SEALED;
    if (result == -EINVAL) return -EMEDIUMTYPE; /* no memory file */
    if (result != -EBUSY) return result;
    result = sys->fcntl(fd, F_ADD_SEALS, SEAL_SIZE | F_SEAL_FUTURE_WRITE);
    return result == 0 ? SFD_BUFFER_SEALED_FUTURE : result;
}

/*
 * Allocates the huge pages that were never written to, as long as they are reserved for our mapping. Whoever maps the
 * file once it is sealed, this process included, would need a free huge page for each missing one, and would get SIGBUS
 * where none is left. 0 or -errno.
 */
static int fill_huge(const struct sfd_sys_memory *sys, const struct sfd_buffer *buffer)
{
    uint64_t page = 0;

    if (buffer->data == NULL || buffer->seal != SFD_BUFFER_UNSEALED) return 0;
    const int result = sys->page_size(buffer->fd, &page);
    return result == 0 && is_huge(page) ? take_pages(sys, buffer) : result;
}

int sfd_memory_check_size(const struct sfd_sys_memory *sys, const struct sfd_buffer *buffer)
{
    if (buffer->size > 0 || buffer->seal != SFD_BUFFER_UNSEALED) return 0;
    const int seals = sys->fcntl(buffer->fd, F_GET_SEALS, 0);
    if (seals < 0) return seals;
    return (seals & (SEAL_SIZE | F_SEAL_WRITE)) == SEAL_SIZE ? 0 : -EINVAL;
}

int sfd_memory_seal(const struct sfd_sys_memory *sys, struct sfd_buffer *buffer)
{
    if (buffer->fd < 0) return -EBADF;
    if (buffer->seal == SFD_BUFFER_SEALED) return 0;
    int result = sfd_memory_check_size(sys, buffer);
    if (result == 0) result = fill_huge(sys, buffer);
    if (result < 0) return result;
    /* F_SEAL_WRITE is refused while the file is mapped for writing, so our own mapping is removed first. */
    const int hidden = sfd_memory_hide(sys, buffer);
    if (hidden < 0) return hidden;
    const int sealed = add_seals(sys, buffer->fd);
    if (sealed >= 0) buffer->seal = sealed;
    const int shown = sfd_memory_show(sys, buffer);
    return sealed < 0 ? sealed : shown;
}

/* Whether a file is what `flags` demand: its enum sfd_buffer_seal, or -errno. */
static int check(const struct sfd_sys_memory *sys, int fd, unsigned flags)
{
    /* The first call, because it never blocks: all that follow are made on memory files only. */
    const int seals = sys->fcntl(fd, F_GET_SEALS, 0);

    /* A descriptor that is open and answers EBADF is an O_PATH one. */
    const bool path_only = seals == -EBADF && sys->fcntl(fd, F_GETFD, 0) >= 0;
    if (seals < 0) return seals == -EINVAL || path_only ? -EMEDIUMTYPE : seals;
    if ((seals & SEAL_SIZE) != SEAL_SIZE) return -EPERM;
    const int seal = seal_of(seals);
    const int mode = sys->fcntl(fd, F_GETFL, 0);
    if (mode < 0) return mode;
    if ((flags & SFD_BUFFER_WRITABLE) != 0) {
        const bool writable = seal == SFD_BUFFER_UNSEALED && (mode & O_ACCMODE) == O_RDWR;
        return writable ? seal : -EROFS;
    }
    if ((mode & O_ACCMODE) == O_WRONLY) return -EACCES;
    if (seal == SFD_BUFFER_UNSEALED) return -EPERM;
    return seal == SFD_BUFFER_SEALED || (flags & SFD_BUFFER_FUTURE_WRITE) != 0 ? seal : -EBUSY;
}

/*
 * Whether a reader can have every page of a sealed file. For a hole in a file of ordinary pages the kernel allocates a
 * page. For a hole in a file of huge pages it needs a huge page that is free and not reserved, else the access raises
 * SIGBUS: such a file is refused with -ENOMEM. 0 or -errno.
 */
static int check_holes(const struct sfd_sys_memory *sys, int fd, uint64_t size)
{
    uint64_t page = 0;
    uint64_t allocated = 0;
    int result = sys->page_size(fd, &page);

    if (result < 0 || !is_huge(page)) return result;
    result = sys->file_allocated(fd, &allocated);
    return result == 0 && allocated < size ? -ENOMEM : result;
}

/* What check() says of a buffer that is not sealed as demanded, and not of one that cannot be read. */
static bool is_unsealed(int checked)
{
    return checked == -EMEDIUMTYPE || checked == -EPERM || checked == -EBUSY || checked == -EROFS;
}

/* As check(), of a sender that is trusted: any regular file that can be mapped for writing. */
static int check_trusted(const struct sfd_sys_memory *sys, int fd, unsigned flags)
{
    const int checked = check(sys, fd, flags);

    if ((flags & SFD_BUFFER_TRUST) == 0 || (checked != -EMEDIUMTYPE && checked != -EPERM)) return checked;
    const int mode = sys->fcntl(fd, F_GETFL, 0);
    if (mode < 0) return mode;
    if ((mode & O_PATH) != 0) return -EMEDIUMTYPE;
    return (mode & O_ACCMODE) == O_RDWR ? SFD_BUFFER_UNSEALED : -EROFS;
}

/* Fills the buffer from a file. 0, -ERANGE when the file has become shorter, or -errno. */
static int read_file(const struct sfd_sys_memory *sys, int fd, const struct sfd_buffer *buffer)
{
    size_t done = 0;

    while (done < buffer->size) {
        const int64_t n = sys->pread(fd, (char *)buffer->data + done, buffer->size - done, done);
        if (n == 0) return -ERANGE;
        if (n == -EBADF) return -EACCES;
        if (n < 0) return (int)n;
        done += (size_t)n;
    }
    return 0;
}

/* Replaces a buffer, of which only the descriptor is known, by a copy. 0 or -errno. */
static int take_copy(const struct sfd_sys_memory *sys, struct sfd_buffer *buffer, uint64_t size, unsigned flags)
{
    struct sfd_buffer copy;
    uint64_t have = 0;
    const int mode = sys->fcntl(buffer->fd, F_GETFL, 0);

    if (mode < 0) return mode;
    if ((mode & O_PATH) != 0) return -EMEDIUMTYPE;
    int result = sys->file_size(buffer->fd, &have);
    if (result < 0) return result == -ENODEV ? -EMEDIUMTYPE : result;
    if (size == SFD_MEMORY_WHOLE) size = have;
    if (size > have) return -ERANGE;
    if (size > SIZE_MAX) return -ENOMEM;
    result = sfd_memory_create(sys, NULL, (size_t)size, 0, &copy);
    if (result < 0) return result;
    result = read_file(sys, buffer->fd, &copy);
    if (result == 0 && (flags & SFD_BUFFER_WRITABLE) == 0) result = sfd_memory_seal(sys, &copy);
    if (result < 0) {
        sfd_memory_free(sys, &copy);
        return result;
    }
    (void)sys->close(buffer->fd);
    *buffer = copy;
    return 0;
}

int sfd_memory_check_flags(unsigned flags)
{
    const bool trusts = (flags & SFD_BUFFER_TRUST) != 0;

    if ((flags & ~(unsigned)(SFD_BUFFER_WRITABLE | SFD_BUFFER_FUTURE_WRITE | SFD_BUFFER_COPY | SFD_BUFFER_TRUST)) != 0)
        return -EINVAL;
    return trusts && (flags & (SFD_BUFFER_WRITABLE | SFD_BUFFER_COPY)) != SFD_BUFFER_WRITABLE ? -EINVAL : 0;
}

int sfd_memory_map(const struct sfd_sys_memory *sys, struct sfd_buffer *buffer, uint64_t size, unsigned flags)
{
    struct sfd_buffer mapped = {.fd = buffer->fd};
    uint64_t have = 0;
    uint64_t length = 0;

    int result = sfd_memory_check_flags(flags);
    if (result < 0) return result;
    if (buffer->fd < 0) return -EBADF;
    if (buffer->data != NULL) return 0;
    mapped.seal = check_trusted(sys, buffer->fd, flags);
    if ((flags & SFD_BUFFER_COPY) != 0 && is_unsealed(mapped.seal)) return take_copy(sys, buffer, size, flags);
    if (mapped.seal < 0) return mapped.seal;
    result = sys->file_size(buffer->fd, &have);
    if (result < 0) return result == -ENODEV ? -EMEDIUMTYPE : result;
    if (size == SFD_MEMORY_WHOLE) size = have;
    if (size > have) return -ERANGE;
    if (mapped.seal != SFD_BUFFER_UNSEALED) result = check_holes(sys, buffer->fd, have);
    if (result < 0) return result;
    result = whole_pages(sys, buffer->fd, size, &length);
    if (result < 0) return result;
    mapped.size = (size_t)size;
    mapped.mapped = (size_t)length;
    if (length > 0) result = map_at(sys, &mapped, NULL, &mapped.data);
    if (result < 0) return result;
    *buffer = mapped;
    return 0;
}

int sfd_memory_revoke(const struct sfd_sys_memory *sys, struct sfd_buffer *buffer)
{
    void *elsewhere = NULL;
    void *same = NULL;

    if (buffer->data == NULL) return 0;
    /* An access behind the end of this empty file raises SIGBUS. */
    const int empty = sfd_memory_open(sys, "sendfiled-revoked");
    if (empty < 0) return empty;
    int result = map_anew(sys, buffer, NULL, &elsewhere);
    if (result == 0) {
        result = map(sys, buffer->data, buffer->mapped, PROT_READ | PROT_WRITE, MAP_SHARED, empty, &same);
        if (result < 0) (void)sys->munmap(elsewhere, buffer->mapped);
    }
    if (result == 0) buffer->data = elsewhere;
    (void)sys->close(empty);
    return result;
}

void sfd_memory_release(const struct sfd_sys_memory *sys, void *address, size_t length)
{
    (void)sys->munmap(address, length);
}

void sfd_memory_free(const struct sfd_sys_memory *sys, struct sfd_buffer *buffer)
{
    if (buffer->data != NULL) (void)sys->munmap(buffer->data, buffer->mapped);
    if (buffer->fd >= 0) (void)sys->close(buffer->fd);
    *buffer = nothing;
}
