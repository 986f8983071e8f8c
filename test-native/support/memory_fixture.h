// Memory files in tests: the calls that they are made of, each of which can be made to fail; what this process has
// mapped; and which signal an access raises.
#ifndef SFD_TEST_MEMORY_FIXTURE_H
#define SFD_TEST_MEMORY_FIXTURE_H

#include "core.h"

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

extern "C" {
#include "memory/buffer_handover.h"
#include "memory/memory.h"
}

/* Of the calls that the table makes, the one that fails; what was called, and where was mapped. */
struct Faults {
    int fail_at = 0; /* the number of the call, from 1; 0: none */
    int error = 0;
    std::vector<std::string> calls;
    std::vector<void *> addresses; /* that mmap has given */
};
inline Faults faults;

inline bool fails(const char *call)
{
    faults.calls.emplace_back(call);
    return static_cast<int>(faults.calls.size()) == faults.fail_at;
}

/* The real calls, but for the one that is to fail. What gives something back does so all the same. */
inline struct sfd_sys_memory faulty()
{
    struct sfd_sys_memory sys = sfd_sys_memory_linux;
    sys.memfd_create = [](const char *name, unsigned flags) {
        return fails("memfd_create") ? faults.error : sfd_sys_memory_linux.memfd_create(name, flags);
    };
    sys.ftruncate = [](int fd, uint64_t size) {
        return fails("ftruncate") ? faults.error : sfd_sys_memory_linux.ftruncate(fd, size);
    };
    sys.fcntl = [](int fd, int command, int argument) {
        return fails("fcntl") ? faults.error : sfd_sys_memory_linux.fcntl(fd, command, argument);
    };
    sys.file_size = [](int fd, uint64_t *size) {
        return fails("file_size") ? faults.error : sfd_sys_memory_linux.file_size(fd, size);
    };
    sys.file_allocated = [](int fd, uint64_t *bytes) {
        return fails("file_allocated") ? faults.error : sfd_sys_memory_linux.file_allocated(fd, bytes);
    };
    sys.page_size = [](int fd, uint64_t *size) {
        return fails("page_size") ? faults.error : sfd_sys_memory_linux.page_size(fd, size);
    };
    sys.memory_total = [](uint64_t *bytes) {
        return fails("memory_total") ? faults.error : sfd_sys_memory_linux.memory_total(bytes);
    };
    sys.populate = [](void *address, size_t size) {
        return fails("populate") ? faults.error : sfd_sys_memory_linux.populate(address, size);
    };
    sys.mmap = [](void *at, size_t size, int protection, int flags, int fd, void **out) {
        if (fails("mmap")) {
            return faults.error;
        }
        const int result = sfd_sys_memory_linux.mmap(at, size, protection, flags, fd, out);
        if (result == 0) {
            faults.addresses.push_back(*out);
        }
        return result;
    };
    sys.munmap = [](void *address, size_t size) {
        const int result = sfd_sys_memory_linux.munmap(address, size);
        return fails("munmap") ? faults.error : result;
    };
    sys.close = [](int fd) {
        const int result = sfd_sys_memory_linux.close(fd);
        return fails("close") ? faults.error : result;
    };
    sys.socket_option = [](int socket, int name) {
        return fails("socket_option") ? faults.error : sfd_sys_memory_linux.socket_option(socket, name);
    };
    sys.sendmsg = [](int socket, const struct msghdr *message, int flags) {
        return fails("sendmsg") ? static_cast<int64_t>(faults.error)
                                : sfd_sys_memory_linux.sendmsg(socket, message, flags);
    };
    sys.recvmsg = [](int socket, struct msghdr *message, int flags) {
        return fails("recvmsg") ? static_cast<int64_t>(faults.error)
                                : sfd_sys_memory_linux.recvmsg(socket, message, flags);
    };
    return sys;
}

// One line of /proc/self/maps.
struct Mapping {
    uintptr_t begin = 0;
    uintptr_t end = 0;
    std::string protection; // "rw-s"
    std::string name;       // "" of anonymous memory
};

inline std::vector<Mapping> mappings()
{
    std::ifstream in("/proc/self/maps");
    std::vector<Mapping> all;
    std::string line;

    while (std::getline(in, line)) {
        Mapping mapping;
        char protection[8] = "";
        int name = 0;
        unsigned long begin = 0;
        unsigned long end = 0;
        if (std::sscanf(line.c_str(), "%lx-%lx %7s %*s %*s %*s %n", &begin, &end, protection, &name) < 3) {
            ADD_FAILURE() << line;
            continue;
        }
        mapping.begin = begin;
        mapping.end = end;
        mapping.protection = protection;
        mapping.name = line.substr(static_cast<size_t>(name));
        all.push_back(mapping);
    }
    return all;
}

// What is mapped at an address: nothing has an empty protection.
inline Mapping mappingAt(const void *address)
{
    const auto at = reinterpret_cast<uintptr_t>(address);

    for (const Mapping &mapping : mappings()) {
        if (at >= mapping.begin && at < mapping.end) {
            return mapping;
        }
    }
    return {};
}

// How many mappings there are of memory files.
inline size_t memoryMappings()
{
    size_t count = 0;

    for (const Mapping &mapping : mappings()) {
        count += mapping.name.rfind("/memfd:", 0) == 0;
    }
    return count;
}

// What a child does, on copies of this process's descriptors and mappings: its exit status, or -signal.
template <typename Action> int inChild(Action action)
{
    const pid_t pid = fork();

    if (pid == 0) {
        const struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        std::signal(SIGSEGV, SIG_DFL); // a sanitizer has its own
        std::signal(SIGBUS, SIG_DFL);
        _exit(action());
    }
    int status = 0;
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

inline int reading(const void *address)
{
    return inChild([address] {
        const char byte = *static_cast<const volatile char *>(address);
        return byte == 0 ? 0 : 1;
    });
}

inline int writing(void *address) // the byte that is there
{
    return inChild([address] {
        volatile char *const byte = static_cast<volatile char *>(address);
        *byte = *byte;
        return 0;
    });
}

inline size_t pageSize()
{
    return static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

inline std::string bytesOf(const struct sfd_buffer &buffer)
{
    return buffer.data == nullptr ? std::string() : std::string(static_cast<const char *>(buffer.data), buffer.size);
}

inline bool isNothing(const struct sfd_buffer &buffer)
{
    return buffer.data == nullptr && buffer.size == 0 && buffer.fd == -1 && buffer.seal == 0 && buffer.mapped == 0;
}

inline bool isSame(const struct sfd_buffer &a, const struct sfd_buffer &b)
{
    return a.data == b.data && a.size == b.size && a.fd == b.fd && a.seal == b.seal && a.mapped == b.mapped;
}

// The same file by another description, opened anew.
inline OwnedFd reopened(int fd, int flags)
{
    return OwnedFd(open(("/proc/self/fd/" + std::to_string(fd)).c_str(), flags | O_CLOEXEC)); // or -1
}

// A test that also fails when it leaves a mapping of a memory file.
class MemoryFixture : public CoreTest
{
  protected:
    void SetUp() override
    {
        CoreTest::SetUp();
        faults = {};
        sys_ = faulty();
        mapped_ = memoryMappings();
    }
    void TearDown() override
    {
        for (struct sfd_buffer *buffer : {&buffer_, &other_}) {
            sfd_memory_free(&sfd_sys_memory_linux, buffer);
        }
        EXPECT_EQ(mapped_, memoryMappings()) << "mappings leaked";
        for (const void *address : faults.addresses) {
            EXPECT_EQ("", mappingAt(address).protection) << "addresses leaked";
        }
        CoreTest::TearDown();
    }

    /* A new buffer full of a pattern in buffer_. */
    void create(size_t size, unsigned flags = 0)
    {
        ASSERT_EQ(0, sfd_memory_create(&sys_, "test", size, flags, &buffer_));
        content_ = pattern(size);
        std::memcpy(buffer_.data, content_.data(), size);
    }
    /* A memory file that a peer could have made: so long, with these seals. */
    static OwnedFd memoryFile(size_t size, int seals)
    {
        OwnedFd fd(memfd_create("peer", MFD_CLOEXEC | MFD_ALLOW_SEALING));
        EXPECT_EQ(0, ftruncate(fd.get(), static_cast<off_t>(size)));
        if (seals != 0) {
            EXPECT_EQ(0, fcntl(fd.get(), F_ADD_SEALS, seals));
        }
        return fd;
    }
    /* What sfd_memory_map says of a descriptor, which stays open; what it maps is unmapped again. */
    int mapOf(int fd, unsigned flags = 0, uint64_t size = SFD_MEMORY_WHOLE)
    {
        struct sfd_buffer buffer = SFD_BUFFER_INIT;
        buffer.fd = fd;
        const struct sfd_buffer before = buffer;
        const int result = sfd_memory_map(&sys_, &buffer, size, flags);
        if (result < 0) {
            EXPECT_TRUE(isSame(before, buffer)) << "touched on failure";
        } else if (buffer.data != nullptr) {
            sfd_memory_release(&sys_, buffer.data, buffer.mapped);
        }
        return result;
    }

    struct sfd_sys_memory sys_;
    struct sfd_buffer buffer_ = SFD_BUFFER_INIT;
    struct sfd_buffer other_ = SFD_BUFFER_INIT;
    std::string content_;

  private:
    size_t mapped_ = 0;
};

// Huge pages for the length of a test, in whichever process it runs: one at a time has them.
class HugePages
{
  public:
    explicit HugePages(unsigned count)
    {
        control_.reset(open("/proc/sys/vm/nr_hugepages", O_RDWR | O_CLOEXEC));
        if (control_.get() < 0) {
            why_ = "only root may set huge pages aside";
            return;
        }
        flock(control_.get(), LOCK_EX);
        before_ = get();
        set(before_ + count);
        if (get() < before_ + count) {
            why_ = "the machine has no huge pages to set aside";
        }
    }
    HugePages(const HugePages &) = delete;
    HugePages &operator=(const HugePages &) = delete;
    ~HugePages()
    {
        if (control_.get() >= 0) {
            set(before_);
        }
    }

    /* Why there are none; empty: they are there. */
    const std::string &missing() const
    {
        return why_;
    }

    /* Bytes of one, or 0. */
    static size_t size()
    {
        std::ifstream in("/proc/meminfo");
        std::string word;
        size_t kilobytes = 0;

        while (in >> word) {
            if (word == "Hugepagesize:") {
                in >> kilobytes;
                break;
            }
        }
        return kilobytes * 1024;
    }

  private:
    unsigned long get() const
    {
        char text[32] = "";
        return pread(control_.get(), text, sizeof text - 1, 0) > 0 ? std::strtoul(text, nullptr, 10) : 0;
    }
    void set(unsigned long count) const
    {
        const std::string text = std::to_string(count);
        if (pwrite(control_.get(), text.data(), text.size(), 0) < 0) {
            ADD_FAILURE() << "vm.nr_hugepages: " << std::strerror(errno);
        }
    }

    OwnedFd control_;
    unsigned long before_ = 0;
    std::string why_;
};

#endif
