/* The sandbox: put on forked children, for there is no way back; each child tries what must not work any more. */
#include "descriptors.h"
#include "temporary_directory.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <functional>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <string>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <thread>
#include <unistd.h>
#include <vector>

extern "C" {
#include "process/sandbox.h"
#include "sys/fd.h"
#include "sys/kernel.h"
#include "sys/pipe.h"
#include "sys/sys_sandbox.h"
}

namespace
{

#define NEEDS_LANDLOCK()                                                                                               \
    if (sfd_sandbox_landlock() < 0) GTEST_SKIP() << "this kernel has no Landlock"
#define NEEDS_SECCOMP()                                                                                                \
    if (sfd_sandbox_seccomp() < 0) GTEST_SKIP() << "this kernel has no seccomp filters"

/* In a child: the first check that fails ends it, and says which on standard error. */
#define DEMAND(condition)                                                                                              \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            dprintf(2, "line %d: %s (errno %d: %s)\n", __LINE__, #condition, errno, strerror(errno));                  \
            _exit(1);                                                                                                  \
        }                                                                                                              \
    } while (false)

void in_child(const std::function<void()> &body)
{
    const pid_t pid = fork();
    if (pid == 0) {
        body();
        _exit(0);
    }
    int status = 0;
    ASSERT_EQ(pid, waitpid(pid, &status, 0));
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "status " << status;
}

int open_error(const std::string &path, int flags)
{
    const int fd = open(path.c_str(), flags | O_CLOEXEC, 0600);
    if (fd < 0) {
        return errno;
    }
    close(fd);
    return 0;
}

std::string status_of(const std::string &path, const std::string &key)
{
    std::ifstream file(path);
    std::string line;
    while (std::getline(file, line)) {
        if (line.rfind(key + ":", 0) == 0) {
            return line.substr(key.size() + 2);
        }
    }
    return "";
}

/* Threads that exist before the sandbox does, and do on demand what they are told. */
class Threads
{
  public:
    explicit Threads(int count)
    {
        DEMAND(pipe(start_) == 0);
        for (int i = 0; i < count; i++) {
            threads_.emplace_back([this] {
                waiting_++;
                char byte;
                DEMAND(read(start_[0], &byte, 1) == 1);
                body_();
            });
        }
        while (waiting_ < count) {
            std::this_thread::yield();
        }
    }

    void run(const std::function<void()> &body)
    {
        body_ = body;
        const std::string bytes(threads_.size(), 'x');
        DEMAND(write(start_[1], bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
        for (std::thread &thread : threads_) {
            thread.join();
        }
    }

  private:
    int start_[2] = {-1, -1};
    std::atomic<int> waiting_{0};
    std::function<void()> body_;
    std::vector<std::thread> threads_;
};

class Sandbox : public DescriptorCountingTest
{
  protected:
    void SetUp() override
    {
        DescriptorCountingTest::SetUp();
        for (const char *name : {"in", "out", "socket"}) {
            ASSERT_EQ(0, mkdir(path(name).c_str(), 0700));
            std::ofstream(path(name) + "/file") << "content";
        }
    }

    std::string path(const std::string &name) const
    {
        return directory_.path() + "/" + name;
    }

    /* As the daemon has it: a root to read, a directory for the socket. */
    int confine() const
    {
        const std::string in = path("in");
        const std::string socket = path("socket");
        const struct sfd_sandbox_rule rules[] = {
            {in.c_str(), SFD_SANDBOX_READ},
            {socket.c_str(), SFD_SANDBOX_READ | SFD_SANDBOX_WRITE | SFD_SANDBOX_MAKE},
            {"/dev/null", SFD_SANDBOX_READ | SFD_SANDBOX_WRITE},
            {"/proc", SFD_SANDBOX_READ | SFD_SANDBOX_LIST},
            {"/nowhere/at/all", SFD_SANDBOX_READ},
        };
        return sfd_sandbox_confine(rules, 5);
    }

    TemporaryDirectory directory_;
};

TEST_F(Sandbox, shouldOpenNothingButWhatTheRulesAllow)
{
    NEEDS_LANDLOCK();
    in_child([this] {
        DEMAND(open_error(path("out/file"), O_RDONLY) == 0);
        DEMAND(confine() == 0);
        DEMAND(open_error(path("in/file"), O_RDONLY) == 0);
        DEMAND(open_error(path("in/file"), O_WRONLY) == EACCES);
        DEMAND(open_error(path("in/new"), O_WRONLY | O_CREAT) == EACCES);
        DEMAND(open_error(path("in"), O_RDONLY | O_DIRECTORY) == EACCES);
        DEMAND(open_error(path("in"), O_PATH | O_DIRECTORY) == 0);
        DEMAND(open_error(path("in/../out/file"), O_RDONLY) == EACCES);
        DEMAND(open_error(path("out/file"), O_RDONLY) == EACCES);
        DEMAND(open_error(path("out/new"), O_WRONLY | O_CREAT) == EACCES);
        DEMAND(open_error("/etc/passwd", O_RDONLY) == EACCES);
        DEMAND(unlink(path("in/file").c_str()) < 0 && errno == EACCES);
        DEMAND(mkdir(path("out/new").c_str(), 0700) < 0 && errno == EACCES);
        DEMAND(truncate(path("in/file").c_str(), 0) < 0 && errno == EACCES);
        DEMAND(rename(path("out/file").c_str(), path("socket/moved").c_str()) < 0);
        DEMAND(link(path("out/file").c_str(), path("socket/linked").c_str()) < 0);
    });
}

TEST_F(Sandbox, shouldLeaveTheSocketDirectoryToTheDaemon)
{
    NEEDS_LANDLOCK();
    in_child([this] {
        DEMAND(confine() == 0);
        DEMAND(open_error(path("socket/lock"), O_RDWR | O_CREAT | O_TRUNC) == 0);
        struct sockaddr_un address = {};
        address.sun_family = AF_UNIX;
        const std::string name = path("socket/s");
        DEMAND(name.size() < sizeof(address.sun_path));
        strcpy(address.sun_path, name.c_str());
        const int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
        DEMAND(bind(fd, reinterpret_cast<struct sockaddr *>(&address), sizeof(address)) == 0);
        DEMAND(unlink(name.c_str()) == 0);
        DEMAND(unlink(path("socket/lock").c_str()) == 0);
        DEMAND(symlink("/etc", path("socket/link").c_str()) < 0 && errno == EACCES);
        DEMAND(mkfifo(path("socket/fifo").c_str(), 0600) < 0 && errno == EACCES);
    });
}

/* The JVM has a dozen threads before it runs a line of ours. */
TEST_F(Sandbox, shouldHoldForThreadsThatExistedBeforeAndForTheirChildren)
{
    NEEDS_LANDLOCK();
    NEEDS_SECCOMP();
    in_child([this] {
        Threads threads(20);
        DEMAND(sfd_sandbox_filter() == 0);
        DEMAND(confine() == 0);
        threads.run([this] {
            DEMAND(open_error(path("out/file"), O_RDONLY) == EACCES);
            DEMAND(open_error(path("in/file"), O_RDONLY) == 0);
            DEMAND(status_of("/proc/thread-self/status", "NoNewPrivs") == "1");
            DEMAND(status_of("/proc/thread-self/status", "Seccomp") == "2");
            DEMAND(syscall(SYS_unshare, 0) < 0 && errno == EPERM);
            std::thread child([this] {
                DEMAND(open_error(path("out/file"), O_RDONLY) == EACCES);
                DEMAND(syscall(SYS_unshare, 0) < 0 && errno == EPERM);
            });
            child.join();
        });
    });
}

/* Threads that come and go while the sandbox is put on: none may slip through. */
TEST_F(Sandbox, shouldMissNoThreadThatStartsMeanwhile)
{
    NEEDS_LANDLOCK();
    in_child([this] {
        std::atomic<bool> confined{false};
        std::atomic<int> checked{0};
        std::vector<std::thread> families;
        std::function<void(int)> family = [&](int depth) {
            if (confined) {
                DEMAND(open_error(path("out/file"), O_RDONLY) == EACCES);
                checked++;
                return;
            }
            /* Never so deep that the kernel's 16 layers are used up, whichever of them were called by a signal. */
            std::thread next([&, depth] {
                if (depth < 6) {
                    family(depth + 1);
                } else {
                    while (!confined) {
                        std::this_thread::yield();
                    }
                    family(depth);
                }
            });
            next.join();
        };
        for (int i = 0; i < 4; i++) {
            families.emplace_back([&] { family(0); });
        }
        DEMAND(confine() == 0);
        confined = true;
        for (std::thread &thread : families) {
            thread.join();
        }
        DEMAND(checked == 4);
    });
}

TEST_F(Sandbox, shouldLeaveWhatIsOpenAndWhatIsPassedAlone)
{
    NEEDS_LANDLOCK();
    NEEDS_SECCOMP();
    in_child([this] {
        const int out = open(path("out/file").c_str(), O_RDWR);
        const int listener = socket(AF_INET, SOCK_STREAM, 0);
        struct sockaddr_in address = {};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof(address);
        DEMAND(bind(listener, reinterpret_cast<struct sockaddr *>(&address), length) == 0);
        DEMAND(listen(listener, 1) == 0);
        DEMAND(getsockname(listener, reinterpret_cast<struct sockaddr *>(&address), &length) == 0);
        const int tcp = socket(AF_INET, SOCK_STREAM, 0);
        DEMAND(connect(tcp, reinterpret_cast<struct sockaddr *>(&address), length) == 0);
        const int peer = accept(listener, nullptr, nullptr);
        int pipe_fds[2];
        DEMAND(pipe(pipe_fds) == 0);

        DEMAND(sfd_sandbox_filter() == 0);
        DEMAND(confine() == 0);

        char bytes[8] = {};
        DEMAND(pread(out, bytes, 7, 0) == 7 && strcmp(bytes, "content") == 0);
        DEMAND(write(out, "c", 1) == 1 && ftruncate(out, 3) == 0);
        DEMAND(send(tcp, "tcp", 3, MSG_DONTWAIT) == 3 && read(peer, bytes, 3) == 3);
        /* A pipe has no place in the tree that a rule could name, so it can be opened anew. */
        const int own = sfd_fd_reopen_pipe(&sfd_sys_linux, pipe_fds[1]);
        DEMAND(own >= 0 && write(own, "x", 1) == 1);
        /* A file can only be opened anew where a rule allows. */
        DEMAND(sfd_fd_reopen(&sfd_sys_linux, out, O_RDONLY) == -EACCES);
    });
}

/* A splice has taken RWF_NOWAIT away, and the sandbox the way round it: a description of our own. */
TEST_F(Sandbox, shouldWriteToAFifoThatMayNotBeOpenedAnew)
{
    NEEDS_LANDLOCK();
    in_child([this] {
        const std::string name = path("out/fifo");
        DEMAND(mkfifo(name.c_str(), 0600) == 0);
        const int fifo = open(name.c_str(), O_RDWR);
        int pipe_fds[2];
        DEMAND(pipe(pipe_fds) == 0 && write(pipe_fds[1], "spliced", 7) == 7);
        DEMAND(splice(pipe_fds[0], nullptr, fifo, nullptr, 7, 0) == 7);
        struct sfd_kernel kernel = {};
        DEMAND(sfd_kernel_init(&kernel, &sfd_sys_linux) == 0);
        DEMAND(confine() == 0);
        DEMAND(sfd_fd_reopen_pipe(&sfd_sys_linux, fifo) == -EACCES);

        char written[] = " written";
        const struct iovec iov = {written, 8};
        DEMAND(sfd_pipe_write(&kernel, fifo, &iov, 1) == 8);
        char bytes[16] = {};
        DEMAND(read(fifo, bytes, 15) == 15 && strcmp(bytes, "spliced written") == 0);

        std::vector<char> more(1 << 20, 'x');
        const struct iovec all = {more.data(), more.size()};
        int64_t moved = 0;
        for (int64_t n = 1; n > 0; moved += n > 0 ? n : 0) {
            n = sfd_pipe_write(&kernel, fifo, &all, 1);
            DEMAND(n > 0 || n == -EAGAIN);
        }
        int held = 0;
        DEMAND(ioctl(fifo, FIONREAD, &held) == 0 && held == moved && held > 0);
    });
}

TEST_F(Sandbox, shouldReachNoOtherProcess)
{
    NEEDS_LANDLOCK();
    NEEDS_SECCOMP();
    const pid_t parent = getpid();
    in_child([this, parent] {
        DEMAND(kill(parent, 0) == 0);
        DEMAND(sfd_sandbox_filter() == 0);
        DEMAND(confine() == 0);
        const std::string proc = "/proc/" + std::to_string(parent);
        DEMAND(kill(parent, 0) < 0 && errno == EPERM);
        DEMAND(syscall(SYS_tgkill, parent, parent, 0) < 0 && errno == EPERM);
        DEMAND(syscall(SYS_pidfd_send_signal, -1, 0, nullptr, 0) < 0 && errno == EPERM);
        DEMAND(open_error(proc + "/mem", O_RDONLY) == EACCES);
        DEMAND(open_error(proc + "/root/etc/passwd", O_RDONLY) == EACCES);
        /* Its own threads, of which each has a domain of its own, it may signal: the watchdog over the loops does. */
        std::atomic<int> id{0};
        std::atomic<bool> end{false};
        std::thread thread([&] {
            id = static_cast<int>(syscall(SYS_gettid));
            while (!end) {
                std::this_thread::yield();
            }
        });
        while (id == 0) {
            std::this_thread::yield();
        }
        DEMAND(syscall(SYS_tgkill, getpid(), id.load(), 0) == 0);
        end = true;
        thread.join();
        DEMAND(fork() < 0 && errno == EPERM);
    });
}

/* Each half by itself. */
TEST_F(Sandbox, shouldSignalNoOtherProcessByEitherHalf)
{
    NEEDS_LANDLOCK();
    NEEDS_SECCOMP();
    const pid_t parent = getpid();
    in_child([parent] {
        DEMAND(sfd_sandbox_filter() == 0);
        DEMAND(kill(parent, 0) < 0 && errno == EPERM);
        DEMAND(syscall(SYS_tgkill, parent, parent, 0) < 0 && errno == EPERM);
    });
    if (sfd_sandbox_landlock() >= 6 && (sfd_sys_landlock_errata() & 2) != 0) {
        in_child([this, parent] {
            DEMAND(confine() == 0);
            DEMAND(kill(parent, 0) < 0 && errno == EPERM);
        });
    }
}

TEST_F(Sandbox, shouldSignalThreadsThatHaveADomainOfTheirOwn)
{
    NEEDS_LANDLOCK();
    in_child([this] {
        std::atomic<int> id{0};
        std::atomic<bool> end{false};
        std::thread thread([&] {
            id = static_cast<int>(syscall(SYS_gettid));
            while (!end) {
                std::this_thread::yield();
            }
        });
        while (id == 0) {
            std::this_thread::yield();
        }
        DEMAND(confine() == 0);
        DEMAND(syscall(SYS_tgkill, getpid(), id.load(), 0) == 0);
        end = true;
        thread.join();
    });
}

TEST_F(Sandbox, shouldOpenNoNetworkOfItsOwn)
{
    NEEDS_LANDLOCK();
    NEEDS_SECCOMP();
    if (sfd_sandbox_landlock() >= 4) {
        in_child([this] {
            DEMAND(confine() == 0);
            struct sockaddr_in address = {};
            address.sin_family = AF_INET;
            address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            const int fd = socket(AF_INET, SOCK_STREAM, 0);
            const auto *at = reinterpret_cast<struct sockaddr *>(&address);
            DEMAND(bind(fd, at, sizeof(address)) < 0 && errno == EACCES);
            address.sin_port = htons(9);
            DEMAND(connect(fd, at, sizeof(address)) < 0 && errno == EACCES);
        });
    }
    in_child([] {
        DEMAND(sfd_sandbox_filter() == 0);
        for (const int domain : {AF_INET, AF_INET6, AF_NETLINK, AF_PACKET}) {
            DEMAND(socket(domain, SOCK_DGRAM, 0) < 0 && errno == EPERM);
        }
        DEMAND(socket(AF_UNIX, SOCK_DGRAM, 0) >= 0);
        int pair[2];
        DEMAND(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    });
}

/* With arguments that mean nothing: without the filter each says EFAULT, EINVAL, EBADF or does nothing. */
TEST_F(Sandbox, shouldRefuseSocketsAndModesOnceTheEngineWorks)
{
    NEEDS_SECCOMP();
    const std::string file = path("in") + "/file";
    const std::string name = path("socket") + "/s";
    in_child([&] {
        struct sockaddr_un address = {};
        address.sun_family = AF_UNIX;
        DEMAND(name.size() < sizeof(address.sun_path));
        memcpy(address.sun_path, name.c_str(), name.size());
        const auto *at = reinterpret_cast<const struct sockaddr *>(&address);
        const int server = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        const int client = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        const int pair = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        DEMAND(sfd_sandbox_filter() == 0);
        /* The start of the engine. */
        DEMAND(bind(server, at, sizeof(address)) == 0);
        DEMAND(chmod(name.c_str(), 0600) == 0);
        DEMAND(connect(client, at, sizeof(address)) == 0);

        DEMAND(sfd_sandbox_filter_at_work() == 0);
        DEMAND(connect(pair, at, sizeof(address)) < 0 && errno == EPERM);
        DEMAND(socket(AF_UNIX, SOCK_DGRAM, 0) < 0 && errno == EPERM);
        DEMAND(bind(pair, at, sizeof(address)) < 0 && errno == EPERM);
        DEMAND(chmod(file.c_str(), 0777) < 0 && errno == EPERM);
        DEMAND(fchmodat(AT_FDCWD, file.c_str(), 0777, 0) < 0 && errno == EPERM);
        DEMAND(chown(file.c_str(), 1, 1) < 0 && errno == EPERM);
        DEMAND(setxattr(file.c_str(), "user.a", "b", 1, 0) < 0 && errno == EPERM);
        /* What is connected goes on. */
        char byte = 'x';
        DEMAND(send(client, &byte, 1, 0) == 1 && recv(server, &byte, 1, 0) == 1);
        DEMAND(unlink(name.c_str()) == 0);
    });
}

TEST_F(Sandbox, shouldRefuseTheSystemCallsThatADaemonNeverMakes)
{
    NEEDS_SECCOMP();
    in_child([] {
        DEMAND(sfd_sandbox_filter() == 0);
        static const long calls[] = {
            SYS_execve,
            SYS_execveat,
            SYS_ptrace,
            SYS_process_vm_readv,
            SYS_mount,
            SYS_umount2,
            SYS_pivot_root,
            SYS_chroot,
            SYS_init_module,
            SYS_finit_module,
            SYS_delete_module,
            SYS_kexec_load,
            SYS_bpf,
            SYS_perf_event_open,
            SYS_keyctl,
            SYS_add_key,
            SYS_request_key,
            SYS_swapon,
            SYS_reboot,
            SYS_setns,
            SYS_unshare,
            SYS_userfaultfd,
            SYS_io_uring_setup,
            SYS_io_uring_enter,
            SYS_personality,
            SYS_open_by_handle_at,
            SYS_setuid,
            SYS_setresuid,
            SYS_setgroups,
            SYS_capset,
            SYS_settimeofday,
            SYS_sethostname,
            SYS_acct,
            SYS_process_vm_writev,
            SYS_fanotify_init,
            438 /* pidfd_getfd */,
            428 /* open_tree */,
            429 /* move_mount */,
            430 /* fsopen */,
            442 /* mount_setattr */,
        };
        for (const long call : calls) {
            errno = 0;
            if (syscall(call, -1L, -1L, -1L, -1L, -1L, -1L) >= 0 || errno != EPERM) {
                dprintf(2, "system call %ld: errno %d\n", call, errno);
                _exit(1);
            }
        }
        char *const argv[] = {const_cast<char *>("/bin/true"), nullptr};
        DEMAND(execv("/bin/true", argv) < 0 && errno == EPERM);
        DEMAND(syscall(SYS_clone, 0x10000000 /* CLONE_NEWUSER */ | SIGCHLD, 0, 0, 0, 0) < 0 && errno == EPERM);
        DEMAND(syscall(435 /* clone3 */, nullptr, 0) < 0 && errno == ENOSYS);
        char byte = 'x';
        DEMAND(ioctl(0, TIOCSTI, &byte) < 0 && errno == EPERM);
        int unread = 0;
        int pipe_fds[2];
        DEMAND(pipe(pipe_fds) == 0 && ioctl(pipe_fds[0], FIONREAD, &unread) == 0);
    });
}

// R23: who holds a socket without a peer, and anybody can make a pair, would reach every socket that has a name
TEST_F(Sandbox, shouldSendToNoAddressOnceTheEngineWorks)
{
    NEEDS_SECCOMP();
    in_child([] {
        int pair[2];
        struct sockaddr_un address = {};
        address.sun_family = AF_UNIX;
        struct iovec iov = {address.sun_path, 1};
        struct mmsghdr message = {};
        message.msg_hdr.msg_iov = &iov;
        message.msg_hdr.msg_iovlen = 1;
        DEMAND(sfd_sandbox_filter_at_work() == 0);
        DEMAND(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
        DEMAND(sendto(pair[0], "x", 1, 0, reinterpret_cast<struct sockaddr *>(&address), 3) < 0 && errno == EPERM);
        DEMAND(syscall(SYS_sendto, pair[0], "x", 1L, 0L, 1L << 32, 3L) < 0 && errno == EPERM); /* its upper half */
        DEMAND(sendmsg(pair[0], &message.msg_hdr, 0) < 0 && errno == EPERM);
        DEMAND(sendmmsg(pair[0], &message, 1, 0) < 0 && errno == EPERM);
        char byte = 0;
        DEMAND(send(pair[0], "x", 1, MSG_DONTWAIT) == 1 && recv(pair[1], &byte, 1, MSG_DONTWAIT) == 1);
        DEMAND(write(pair[0], "x", 1) == 1);
    });
}

// R23
TEST_F(Sandbox, shouldAllowSomeCallsForThisProcessOnly)
{
    NEEDS_SECCOMP();
    const pid_t other = getpid();
    in_child([other] {
        int pair[2];
        struct rlimit limit = {};
        struct sched_param none = {};
        const struct linger linger = {0, 0};
        DEMAND(sfd_sandbox_filter_at_work() == 0);
        DEMAND(getrlimit(RLIMIT_NOFILE, &limit) == 0);
        DEMAND(prlimit(other, RLIMIT_NOFILE, nullptr, &limit) < 0 && errno == EPERM);
        DEMAND(sched_setscheduler(0, SCHED_OTHER, &none) == 0);
        DEMAND(sched_setscheduler(other, SCHED_OTHER, &none) < 0 && errno == EPERM);
        DEMAND(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
        DEMAND(fcntl(pair[0], F_SETFL, O_NONBLOCK) == 0 && fcntl(pair[0], F_GETFL) >= 0);
        DEMAND(fcntl(pair[0], F_SETOWN, other) < 0 && errno == EPERM);
        DEMAND(fcntl(pair[0], F_SETLEASE, F_RDLCK) < 0 && errno == EPERM);
        DEMAND(ioctl(pair[0], FIOSETOWN, &other) < 0 && errno == EPERM);
        DEMAND(setsockopt(pair[0], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) == 0);
        DEMAND(setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &linger, sizeof(int)) < 0 && errno == EPERM);
        DEMAND(setsockopt(pair[0], IPPROTO_TCP, SO_LINGER, &linger, sizeof(linger)) < 0 && errno == EPERM);
        DEMAND(prctl(PR_SET_NAME, "name") == 0);
        DEMAND(prctl(PR_SET_DUMPABLE, 0) < 0 && errno == EPERM);
    });
}

/* What is listed nowhere, and what no kernel has yet: whoever makes it finds another way. */
TEST_F(Sandbox, shouldRefuseWhatIsNotListed)
{
    NEEDS_SECCOMP();
    for (const auto put_on : {sfd_sandbox_filter, sfd_sandbox_filter_at_work}) {
        in_child([put_on] {
            DEMAND(put_on() == 0);
            DEMAND(syscall(SYS_shmget, 0, 4096, 0) < 0 && errno == EPERM);
            DEMAND(syscall(SYS_msgget, 0, 0) < 0 && errno == EPERM);
            DEMAND(syscall(SYS_setpriority, 0, 0, 0) < 0 && errno == EPERM);
            DEMAND(syscall(SYS_utimensat, -1, nullptr, nullptr, 0) < 0 && errno == EPERM);
            DEMAND(syscall(SYS_vmsplice, -1, nullptr, 0, 0) < 0 && errno == EPERM);
            for (const long call : {470L, 500L, 1000000L}) {
                DEMAND(syscall(call, 0, 0, 0, 0, 0, 0) < 0 && errno == ENOSYS);
            }
            std::thread([] {}).join(); /* clone3 is ENOSYS, so libc takes clone */
        });
    }
}

#if defined(__x86_64__)
long call_by_int80(long number)
{
    long result = number;
    __asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
    return result;
}

/* A kernel without calls of i386 ends who makes one. */
bool has_int80()
{
    const pid_t pid = fork();
    if (pid == 0) {
        signal(SIGSEGV, SIG_DFL); // no report of a sanitizer
        _exit(call_by_int80(20 /* getpid */) > 0 ? 0 : 1);
    }
    int status = 0;
    EXPECT_EQ(pid, waitpid(pid, &status, 0));
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* The same calls by their other numbers: int 0x80, and those of x32. */
TEST_F(Sandbox, shouldNotBeGoneRoundByAnotherArchitecture)
{
    NEEDS_SECCOMP();
    in_child([has = has_int80()] {
        DEMAND(sfd_sandbox_filter() == 0);
        if (has) {
            const long result = call_by_int80(20);
            DEMAND(result == -EPERM || result == -ENOSYS);
        }
        DEMAND(syscall(0x40000000L + SYS_getpid) < 0 && (errno == EPERM || errno == ENOSYS));
    });
}
#endif

/* What a kernel without Landlock says, said by a filter. */
TEST_F(Sandbox, shouldTellThatTheKernelHasNoLandlock)
{
    NEEDS_SECCOMP();
    in_child([this] {
        struct sock_filter program[] = {
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 444, 0, 1),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        const struct sock_fprog filter = {4, program};
        DEMAND(sfd_sys_seccomp_filter(&filter) == 0);
        DEMAND(sfd_sandbox_landlock() == -ENOSYS);
        DEMAND(confine() == -ENOSYS);
        DEMAND(open_error(path("out/file"), O_RDONLY) == 0);
    });
}

TEST_F(Sandbox, shouldFitTheRoomThatIsPromised)
{
    struct sock_filter instructions[SFD_SANDBOX_FILTER_MAX];
    for (const size_t count : {sfd_sandbox_program(instructions, 1), sfd_sandbox_program_at_work(instructions, 1)}) {
        EXPECT_GT(count, 0U);
        EXPECT_LT(count, static_cast<size_t>(SFD_SANDBOX_FILTER_MAX) - 20);
    }
}

} // namespace
