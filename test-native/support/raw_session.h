// A client of sessions that keeps none of the rules: it makes the memory, says Hello and writes entries itself.
#ifndef SFD_TEST_RAW_SESSION_H
#define SFD_TEST_RAW_SESSION_H

#include <atomic>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <sendfiled/session.h>

#include "descriptors.h"

struct RawSizes {
    uint32_t submissions = 16;
    uint32_t completions = 32;
    uint32_t arena = 8192;

    size_t bytes() const
    {
        return SFD_SESSION_RINGS_AT + (size_t{submissions} + completions) * SFD_SESSION_ENTRY_SIZE + arena;
    }
};

/* All of it is allocated, unless it is too large for a test, or sparse as such. */
inline OwnedFd sealedMemory(size_t bytes, int seals = F_SEAL_SHRINK | F_SEAL_GROW, unsigned flags = 0,
                            bool sparse = false)
{
    OwnedFd fd(memfd_create("hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags));

    if (fd.get() < 0 || ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0) {
        return OwnedFd();
    }
    if (!sparse && bytes > 0 && bytes <= 8 << 20 && fallocate(fd.get(), 0, 0, static_cast<off_t>(bytes)) != 0) {
        return OwnedFd();
    }
    if (seals != 0 && fcntl(fd.get(), F_ADD_SEALS, seals) != 0) {
        return OwnedFd();
    }
    return fd;
}

class RawSession
{
  public:
    enum class Answer { NOTHING, WELCOME, REFUSAL, END };

    explicit RawSession(const std::string &directory, const RawSizes &sizes = RawSizes()) : sizes_(sizes)
    {
        sockaddr_un address = {};
        const std::string path = directory + "/sendfiled.test.session";

        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        connection.reset(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
        while (connect(connection.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0) {
            if (errno != EAGAIN && errno != EINTR) {
                connection.reset();
                return;
            }
        }
    }
    RawSession(const RawSession &) = delete;
    RawSession &operator=(const RawSession &) = delete;
    ~RawSession()
    {
        if (memory_ != nullptr) {
            munmap(memory_, sizes_.bytes());
        }
    }

    const RawSizes &sizes() const
    {
        return sizes_;
    }
    // Makes the memory and the eventfd; does not send them.
    bool prepare()
    {
        memory_fd = sealedMemory(sizes_.bytes());
        event.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        void *memory = mmap(nullptr, sizes_.bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd.get(), 0);
        memory_ = memory == MAP_FAILED ? nullptr : static_cast<unsigned char *>(memory);
        return memory_ != nullptr && event.get() >= 0;
    }
    // A message of any kind. 0 or an errno.
    int say(const void *bytes, size_t length, const std::vector<int> &fds, int flags = 0)
    {
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 253)] = {};
        iovec part = {const_cast<void *>(bytes), length};
        msghdr message = {};

        message.msg_iov = &part;
        message.msg_iovlen = 1;
        if (!fds.empty()) {
            message.msg_control = control;
            message.msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
            cmsghdr *c = CMSG_FIRSTHDR(&message);
            c->cmsg_level = SOL_SOCKET;
            c->cmsg_type = SCM_RIGHTS;
            c->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
            memcpy(CMSG_DATA(c), fds.data(), sizeof(int) * fds.size());
        }
        return sendmsg(connection.get(), &message, MSG_NOSIGNAL | flags) < 0 ? errno : 0;
    }
    static std::vector<unsigned char> head(uint8_t command, uint32_t length)
    {
        std::vector<unsigned char> bytes(length);
        const uint16_t version = SFD_SESSION_VERSION;

        bytes[0] = command;
        memcpy(&bytes[2], &version, sizeof version);
        memcpy(&bytes[4], &length, sizeof length);
        return bytes;
    }
    static std::vector<unsigned char> hello(const RawSizes &sizes)
    {
        std::vector<unsigned char> bytes = head(SFD_SESSION_HELLO, SFD_SESSION_HELLO_SIZE);

        memcpy(&bytes[8], &sizes.submissions, 4);
        memcpy(&bytes[12], &sizes.completions, 4);
        memcpy(&bytes[16], &sizes.arena, 4);
        return bytes;
    }
    static std::vector<unsigned char> registering(uint32_t kind, uint64_t user_data)
    {
        std::vector<unsigned char> bytes = head(SFD_SESSION_REGISTER, SFD_SESSION_REGISTER_SIZE);

        memcpy(&bytes[8], &kind, 4);
        memcpy(&bytes[16], &user_data, 8);
        return bytes;
    }
    int say(const std::vector<unsigned char> &bytes, const std::vector<int> &fds, int flags = 0)
    {
        return say(bytes.data(), bytes.size(), fds, flags);
    }
    // What the daemon says first; `stat` is the errno of a refusal.
    Answer answer(int timeout_ms, int *stat = nullptr)
    {
        unsigned char bytes[64];
        pollfd waits = {connection.get(), POLLIN, 0};

        if (poll(&waits, 1, timeout_ms) <= 0) {
            return Answer::NOTHING;
        }
        const ssize_t n = recv(connection.get(), bytes, sizeof bytes, MSG_DONTWAIT);
        if (n != SFD_SESSION_WELCOME_SIZE || bytes[0] != SFD_SESSION_WELCOME) {
            return Answer::END;
        }
        if (stat != nullptr) {
            *stat = bytes[1];
        }
        return bytes[1] == 0 ? Answer::WELCOME : Answer::REFUSAL;
    }
    bool open(int timeout_ms = 20000)
    {
        return connection.get() >= 0 && prepare() && say(hello(sizes_), {memory_fd.get(), event.get()}) == 0 &&
               answer(timeout_ms) == Answer::WELCOME;
    }
    // Waits for the daemon to close the connection.
    bool ends(int timeout_ms = 20000)
    {
        unsigned char bytes[64];
        pollfd waits = {connection.get(), POLLIN, 0};

        while (poll(&waits, 1, timeout_ms) > 0) {
            const ssize_t n = recv(connection.get(), bytes, sizeof bytes, MSG_DONTWAIT);
            if (n == 0 || (n < 0 && errno == ECONNRESET)) {
                return true;
            }
        }
        return false;
    }
    bool ended()
    {
        return ends(0);
    }

    std::atomic<uint32_t> &word(size_t at)
    {
        return *reinterpret_cast<std::atomic<uint32_t> *>(memory_ + at);
    }
    struct sfd_session_entry &entry(uint32_t number)
    {
        return reinterpret_cast<struct sfd_session_entry *>(memory_ +
                                                            SFD_SESSION_RINGS_AT)[number & (sizes_.submissions - 1)];
    }
    struct sfd_session_completion completion(uint32_t number)
    {
        struct sfd_session_completion copy;
        memcpy(&copy,
               memory_ + SFD_SESSION_RINGS_AT +
                   SFD_SESSION_ENTRY_SIZE * (sizes_.submissions + size_t{number & (sizes_.completions - 1)}),
               sizeof copy);
        return copy;
    }
    unsigned char *arena()
    {
        return memory_ + sizes_.bytes() - sizes_.arena;
    }
    // Wakes the daemon, whether it sleeps or not.
    void wake()
    {
        const uint64_t one = 1;
        (void)!write(event.get(), &one, sizeof one);
    }
    void submit(const struct sfd_session_entry &e)
    {
        entry(submitted++) = e;
    }
    void publish()
    {
        word(SFD_SESSION_SUBMITTED_AT) = submitted;
        wake();
    }
    // The next completion; polls the memory. False: none comes.
    bool reap(struct sfd_session_completion *out, int timeout_ms = 20000)
    {
        for (int i = 0; word(SFD_SESSION_COMPLETED_AT) == reaped; i++) {
            pollfd waits = {connection.get(), POLLIN, 0};
            unsigned char bytes[16];
            if (i > timeout_ms * 10) {
                return false;
            }
            if (i > 100) {
                word(SFD_SESSION_CLIENT_STATE_AT) |= SFD_SESSION_WAKE;
                if (word(SFD_SESSION_COMPLETED_AT) != reaped) {
                    break;
                }
                if (poll(&waits, 1, timeout_ms) <= 0 || recv(connection.get(), bytes, sizeof bytes, 0) <= 0) {
                    return word(SFD_SESSION_COMPLETED_AT) != reaped && (read(out), true);
                }
            }
        }
        read(out);
        return true;
    }
    // Registers, and waits: the handle, or 0.
    uint32_t add(uint32_t kind, int fd, uint32_t *error = nullptr)
    {
        struct sfd_session_completion c = {};
        if (say(registering(kind, 0xadd), {fd}) != 0 || !reap(&c)) {
            return 0;
        }
        if (error != nullptr) {
            *error = c.error;
        }
        return c.handle;
    }
    // Submits one and waits for a completion.
    struct sfd_session_completion one(const struct sfd_session_entry &e)
    {
        struct sfd_session_completion c = {};
        submit(e);
        publish();
        if (!reap(&c)) {
            ADD_FAILURE() << "no completion";
            c.error = UINT32_MAX;
        }
        return c;
    }
    // Of a path, at the start of the arena.
    uint32_t file(const std::string &path)
    {
        struct sfd_session_entry e = {};
        memcpy(arena(), path.data(), path.size());
        e.operation = SFD_SESSION_OPEN;
        e.flags = SFD_SESSION_PATH;
        e.path_length = static_cast<uint16_t>(path.size());
        return one(e).handle;
    }

    OwnedFd connection;
    OwnedFd event;
    OwnedFd memory_fd;
    uint32_t submitted = 0;
    uint32_t reaped = 0;

  private:
    void read(struct sfd_session_completion *out)
    {
        *out = completion(reaped++);
        word(SFD_SESSION_REAPED_AT) = reaped;
    }

    RawSizes sizes_;
    unsigned char *memory_ = nullptr;
};

#endif
