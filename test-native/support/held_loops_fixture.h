// Loops with their carriers, a watchdog and a disk pool, all on threads of their own, over a scripted kernel that holds
// any call for any time: what tests of the carriers share.
//
// A call passes the gate. The test says which call of which kind is held there, before or after it is made, and
// releases it. A client is a number in the padding of its requests, from which the dispatcher makes its pid.
#ifndef SFD_TEST_HELD_LOOPS_FIXTURE_H
#define SFD_TEST_HELD_LOOPS_FIXTURE_H

#include "shared_fixture.h"

#include <condition_variable>
#include <deque>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <thread>

#include "await.h"

extern "C" {
#include "loop/loop_private.h"
}

enum Call {
    OPENAT2,
    STATX,
    CLOSE,
    READ_LOCK,
    TEST_LOCK,
    MMAP,
    MUNMAP,
    PREADV2,
    PWRITEV2,
    SENDFILE,
    SPLICE,
    PIPE_SIZE,
    GET_UNREAD,
    RECVMMSG, // only one that has received something
    SOCKET_SEND,
    OPENAT,
    DUPLICATE,
};

enum Role { OTHER, LOOP, POOL };
inline thread_local Role role = OTHER;                      // of this thread; calls of the others pass
inline thread_local struct sfd_carrier *carrier_ = nullptr; // of this thread

constexpr int32_t PID = 10000; // of client 0
constexpr int ANY = -1;

/* For whom this thread makes a call. */
inline int clientOfCall()
{
    if (carrier_ == nullptr || (carrier_->transfer == nullptr && carrier_->slot == nullptr)) {
        return ANY;
    }
    const uint64_t process =
        carrier_->transfer != nullptr ? carrier_->transfer->loop.account->process : carrier_->slot->process;
    return sfd_process_pid(process) - PID;
}

// Which calls are held: of a kind, for client 1, one, before it is made, on a loop; unless something else is said.
struct Hold {
    Hold(Call kind) : call(kind) {}
    Hold &of(int whose)
    {
        client = whose;
        return *this;
    }
    Hold &from(int before)
    {
        skip = before;
        return *this;
    }
    Hold &times(int n)
    {
        count = n;
        return *this;
    }
    Hold &made(bool it_is = true)
    {
        after = it_is;
        return *this;
    }
    Hold &giving(int64_t what)
    {
        result = what;
        return *this;
    }
    Hold &failing(int64_t what)
    {
        waits = false;
        return giving(what);
    }
    Hold &spinning()
    {
        spins = true;
        return *this;
    }
    Hold &inPool()
    {
        on = POOL;
        return of(ANY);
    }

    Call call;
    int client = 1;
    int skip = 0; // calls that pass before
    int count = 1;
    bool after = false;            // it is made before it is held
    std::optional<int64_t> result; // what it gives, instead of the call if that is not made before
    bool waits = true;
    bool spins = false; // its thread runs meanwhile
    Role on = LOOP;
};

class Gate
{
  public:
    void hold(const Hold &hold)
    {
        const std::lock_guard<std::mutex> guard(lock_);
        holds_.push_back(hold);
        armed_ = true;
    }
    // Each call is held for some microseconds with this probability, from this seed on.
    void holdAtRandom(unsigned seed, unsigned perMille, unsigned most_us)
    {
        seed_ = seed;
        most_us_ = most_us;
        per_mille_ = perMille;
    }
    // All that are held on threads of this role go on, and nothing is held there any more.
    void release(Role on = LOOP)
    {
        const std::lock_guard<std::mutex> guard(lock_);
        per_mille_ = 0;
        for (size_t i = holds_.size(); i-- > 0;) {
            if (holds_[i].on == on) {
                holds_.erase(holds_.begin() + static_cast<std::ptrdiff_t>(i));
            }
        }
        released_[on]++;
        changed_.notify_all();
    }
    void reset()
    {
        release(LOOP);
        release(POOL);
        armed_ = false;
    }
    int held(Role on = LOOP)
    {
        const std::lock_guard<std::mutex> guard(lock_);
        return held_[on];
    }
    bool awaitHeld(int count, Role on = LOOP)
    {
        std::unique_lock<std::mutex> lock(lock_);
        return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return held_[on] >= count; });
    }
    template <typename Real> auto pass(Call call, Real real) -> decltype(real())
    {
        const int random_us = drawHold();
        if (random_us > 0) {
            // Before it or after it; no lock, which would order what has to be ordered by the loops themselves.
            if (random_us % 2 == 0) {
                pause(random_us);
                return real();
            }
            const auto result = real();
            pause(random_us);
            return result;
        }
        Hold hold(call);
        if (role == OTHER || !armed_.load(std::memory_order_relaxed) || !take(call, &hold)) {
            return real();
        }
        decltype(real()) result = 0;
        if (hold.after) {
            result = real();
        }
        if (hold.spins) {
            spin();
        } else if (hold.waits) {
            wait();
        }
        if (hold.result) {
            return static_cast<decltype(real())>(*hold.result);
        }
        return hold.after ? result : real();
    }

  private:
    int drawHold()
    {
        static thread_local std::minstd_rand random(seed_ + ++threads_);
        if (role == OTHER || per_mille_.load(std::memory_order_relaxed) == 0) {
            return 0;
        }
        return random() % 1000 < per_mille_ ? static_cast<int>(random() % most_us_ + 1) : 0;
    }
    static void pause(int us)
    {
        std::this_thread::sleep_for(std::chrono::microseconds(us)); // what the scripted kernel does, not the test
    }
    bool take(Call call, Hold *out)
    {
        const std::lock_guard<std::mutex> guard(lock_);
        for (Hold &hold : holds_) {
            if (hold.call != call || hold.on != role || hold.count == 0 ||
                (hold.client != ANY && hold.client != clientOfCall())) {
                continue;
            }
            if (hold.skip > 0) {
                hold.skip--;
                continue;
            }
            hold.count--;
            *out = hold;
            return true;
        }
        return false;
    }
    void wait()
    {
        std::unique_lock<std::mutex> lock(lock_);
        const unsigned before = released_[role];
        held_[role]++;
        changed_.notify_all();
        changed_.wait(lock, [&] { return released_[role] != before; });
        held_[role]--;
        changed_.notify_all();
    }

    void spin()
    {
        const unsigned before = released_[role];
        addHeld(1);
        while (released_[role] == before) {
        }
        addHeld(-1);
    }
    void addHeld(int n)
    {
        const std::lock_guard<std::mutex> guard(lock_);
        held_[role] += n;
        changed_.notify_all();
    }

    std::mutex lock_;
    std::condition_variable changed_;
    std::vector<Hold> holds_;
    int held_[3] = {};
    std::atomic<unsigned> released_[3] = {};
    std::atomic<bool> armed_{false};
    std::atomic<unsigned> per_mille_{0};
    std::atomic<unsigned> most_us_{1};
    std::atomic<unsigned> seed_{0};
    std::atomic<unsigned> threads_{0};
};

inline Gate gate;

/* Answers of scripted calls. */
struct Kernel_ {
    std::atomic<unsigned> cold_per_mille{0}; // opens and reads of a loop that need the disk
    std::atomic<uint64_t> skew_ms{0};        // the clock is that far ahead
};
inline Kernel_ answers;

inline bool isCold()
{
    static thread_local std::minstd_rand random(static_cast<unsigned>(gettid()));
    return role == LOOP && random() % 1000 < answers.cold_per_mille;
}

class HeldLoopsFixture : public SharedFixture
{
  protected:
    void SetUp() override
    {
        CoreTest::SetUp();
        answers.cold_per_mille = 0;
        answers.skew_ms = 0;
        shared_ = std::make_unique<struct sfd_shared>();
        shared_->settings.loops = 1;
        shared_->settings.max_transfers = 1000;
        shared_->settings.open_timeout_ms = 3600 * 1000;
        shared_->settings.buffer_size = 64 * 1024;
        shared_->settings.quantum = 256 * 1024;
        script();
        setUpShared();
        small_ = pattern(300);
        big_ = pattern(300 * 1000, 2);
        writeFile(*directory_ / "small", small_);
        writeFile(*directory_ / "big", big_);
        pair_.emplace();
        setNonblocking(pair_->out.get());
    }
    void TearDown() override
    {
        stop();
        for (struct sfd_loop *&loop : shared_->loops) {
            sfd_loop_destroy(loop);
            loop = nullptr;
        }
        pair_ = std::nullopt;
        status_.reset();
        tearDownShared();
        CoreTest::TearDown();
    }

#define GATED(name, call, parameters, arguments)                                                                       \
    sys_.name = [] parameters { return gate.pass(call, [&] { return sfd_sys_linux.name arguments; }); }
    void script()
    {
        sys_ = copyOfSys();
        sys_.pidfd_open = [](int) { return -ENOSYS; }; // of processes that there are not
        GATED(statx, STATX, (int fd, const char *path, int flags, unsigned mask, struct statx *out),
              (fd, path, flags, mask, out));
        GATED(close, CLOSE, (int fd), (fd));
        GATED(ofd_read_lock, READ_LOCK, (int fd, uint64_t offset, uint64_t length), (fd, offset, length));
        GATED(ofd_test_read_lock, TEST_LOCK, (int fd, uint64_t offset, uint64_t length), (fd, offset, length));
        GATED(mmap, MMAP, (size_t length, int protection, int flags, int fd, uint64_t offset, void **out),
              (length, protection, flags, fd, offset, out));
        GATED(munmap, MUNMAP, (void *address, size_t length), (address, length));
        GATED(pwritev2, PWRITEV2, (int fd, const struct iovec *iov, int count, int64_t offset, int flags),
              (fd, iov, count, offset, flags));
        GATED(sendfile, SENDFILE, (int out, int in, int64_t *offset, size_t count), (out, in, offset, count));
        GATED(splice, SPLICE, (int in, int64_t *offset, int out, size_t count, unsigned flags),
              (in, offset, out, count, flags));
        GATED(get_unread, GET_UNREAD, (int fd, int *out), (fd, out));
        GATED(send, SOCKET_SEND, (int fd, const void *bytes, size_t length, int flags), (fd, bytes, length, flags));
        GATED(openat, OPENAT, (int dir, const char *path, int flags), (dir, path, flags));
        sys_.preadv2 = [](int fd, const struct iovec *iov, int count, int64_t offset, int flags) {
            return gate.pass(PREADV2,
                             [&] { return isCold() ? -EAGAIN : sfd_sys_linux.preadv2(fd, iov, count, offset, flags); });
        };
        sys_.fcntl = [](int fd, int command, int64_t argument) {
            if (command != F_GETPIPE_SZ && command != F_DUPFD_CLOEXEC) {
                return sfd_sys_linux.fcntl(fd, command, argument);
            }
            return gate.pass(command == F_GETPIPE_SZ ? PIPE_SIZE : DUPLICATE,
                             [&] { return sfd_sys_linux.fcntl(fd, command, argument); });
        };
        sys_.openat2 = [](int dir, const char *path, const struct open_how *how) {
            return gate.pass(OPENAT2, [&] {
                const uint64_t cached = 0x20; // RESOLVE_CACHED
                if (role == LOOP && (how->resolve & cached) != 0 && (std::strncmp(path, "cold", 4) == 0 || isCold())) {
                    return -EAGAIN;
                }
                struct open_how uncached = *how; // a busy machine may have dropped the path from its cache
                uncached.resolve &= ~cached;
                return sfd_sys_linux.openat2(dir, path, &uncached);
            });
        };
        sys_.recvmmsg = [](int fd, struct mmsghdr *messages, unsigned count, int flags) {
            const int n = sfd_sys_linux.recvmmsg(fd, messages, count, flags);
            return n <= 0 ? n : gate.pass(RECVMMSG, [&] { return n; });
        };
        sys_.fstatfs_type = [](int, uint64_t *type) {
            *type = TMPFS_MAGIC; // everything is warm, wherever the tests run
            return 0;
        };
        sys_.now_ms = [] { return sfd_sys_now_ms() + answers.skew_ms; };
    }

    /* ---- the threads */

    /* Begins with that many loops, and with spare carriers as the daemon has them. */
    void start(uint32_t loops = 1, bool spares = true)
    {
        create(loops);
        run(spares);
    }
    void create(uint32_t loops)
    {
        shared_->settings.loops = loops;
        for (uint32_t i = 0; i < loops; i++) {
            ASSERT_EQ(0, sfd_loop_create(&shared_->loops[i], shared_.get(), i));
        }
    }
    void run(bool spares = true)
    {
        const uint32_t loops = shared_->settings.loops;
        spares_ = spares;
        for (int i = 0; i < 2; i++) {
            pool_.emplace_back([this] { work(); });
        }
        for (uint32_t i = 0; i < loops; i++) {
            addCarrier(sfd_loop_carrier(shared_->loops[i]));
        }
        service_ = std::thread([this] { serve(); });
    }
    /* The device of the directory becomes known. */
    void warmUp()
    {
        OwnedFd in = read(0, "small");
        EXPECT_BYTES(small_, readToEnd(in.get()).substr(SFD_WIRE_FILE_INFO_SIZE));
        EXPECT_TRUE(awaitTransfers(0));
    }
    void stop()
    {
        gate.reset();
        if (!service_.joinable()) {
            return;
        }
        stopLoops();
        EXPECT_TRUE(await([this] { return carrying_ == 0; })) << "a carrier does not end";
        stopping_ = true;
        sfd_watchdog_wake(&shared_->watchdog);
        service_.join();
        joinPool();
        for (std::thread &thread : carriers_) {
            thread.join();
        }
        for (uint32_t i = 0; i < shared_->settings.loops; i++) {
            EXPECT_EQ(0u, shared_->loops[i]->away);
            EXPECT_EQ(nullptr, shared_->loops[i]->left);
            EXPECT_EQ(0u, shared_->loops[i]->waiting.load());
            EXPECT_EQ(0u, shared_->loops[i]->transfers.count);
        }
        EXPECT_EQ(0u, shared_->carriers.held.load());
        EXPECT_EQ(0u, shared_->transfers.load());
    }
    void stopLoops()
    {
        for (uint32_t i = 0; i < shared_->settings.loops; i++) {
            sfd_loop_stop(shared_->loops[i]);
        }
    }
    void joinPool()
    {
        {
            const std::lock_guard<std::mutex> guard(lock_);
            tasks_over_ = true;
            there_is_work_.notify_all();
        }
        for (std::thread &thread : pool_) {
            thread.join();
        }
    }
    void addCarrier(struct sfd_carrier *carrier)
    {
        const std::lock_guard<std::mutex> guard(lock_);
        carrying_++;
        carriers_.emplace_back([this, carrier] { carry(carrier); });
    }
    void addSpare()
    {
        struct sfd_carrier *carrier = nullptr;
        ASSERT_EQ(0, sfd_carrier_create(&carrier, shared_.get()));
        addCarrier(carrier);
    }
    /* A carrier's thread, with the dispatcher. */
    void carry(struct sfd_carrier *carrier)
    {
        struct sfd_turn *turn = sfd_carrier_turn(carrier);
        int result = 0;
        role = LOOP;
        carrier_ = carrier;
        while (result == 0) {
            result = sfd_carrier_poll(carrier);
            if (result == -ETIMEDOUT) {
                break;
            }
            decide(turn);
            if (result == 0) {
                readMessages(turn);
            }
            for (int i = 0; i < turn->offloads; i++) {
                const std::lock_guard<std::mutex> guard(lock_);
                tasks_.push_back(reinterpret_cast<struct sfd_task *>(turn->offload[i].task));
                there_is_work_.notify_one();
            }
            turn->offloads = 0;
        }
        if (result == -ETIMEDOUT) {
            timed_out_++;
            sfd_carrier_destroy(carrier);
        } else {
            EXPECT_EQ(-ESHUTDOWN, result);
        }
        carrying_--;
    }
    /* Those to requests of this process. */
    virtual void readMessages(const struct sfd_turn *) {}
    static void decide(struct sfd_turn *turn)
    {
        for (int i = 0; i < turn->requests; i++) {
            struct sfd_slot *slot = &turn->slot[i];
            const int client = static_cast<unsigned char>(slot->bytes[slot->bytes[0] >= 0x10 ? 42 : 2]);
            slot->pid = PID + client;
            slot->process = static_cast<uint64_t>(slot->pid);
            dispatcher_decide(slot, getuid());
        }
        for (int i = 0; i < turn->selections; i++) {
            turn->selection[i].verdict = SFD_TECHNIQUE_AUTO;
        }
    }
    /* The service thread, as the engine's. */
    void serve()
    {
        while (!stopping_) {
            const int timeout_ms = sfd_watchdog_look(shared_.get(), false);
            const uint32_t missing = spares_ ? sfd_carriers_missing(shared_.get()) : 0;
            for (uint32_t i = 0; i < missing; i++) {
                addSpare();
            }
            if (missing == 0) {
                sfd_watchdog_wait(&shared_->watchdog, timeout_ms);
            }
        }
    }
    /* A thread of the disk pool. */
    void work()
    {
        std::unique_lock<std::mutex> lock(lock_);
        role = POOL;
        for (;;) {
            there_is_work_.wait(lock, [this] { return tasks_over_ || !tasks_.empty(); });
            if (tasks_.empty()) {
                return;
            }
            struct sfd_task *task = tasks_.front();
            tasks_.pop_front();
            lock.unlock();
            sfd_loop_work(task);
            worked_++;
            lock.lock();
        }
    }

    /* ---- the clients */

    void submit(int client, std::string bytes, const std::vector<int> &fds)
    {
        bytes[bytes[0] >= 0x10 ? 42 : 2] = static_cast<char>(client);
        ASSERT_EQ(0, sfd_submit_send(&sfd_sys_linux, requests_->out.get(), bytes.data(), bytes.size(), fds.data(),
                                     static_cast<unsigned>(fds.size())));
    }
    OwnedFd read(int client, const std::string &path, uint8_t technique = SFD_TECHNIQUE_AUTO)
    {
        Pipe status;
        submit(client, path_(SFD_WIRE_READ_FILE, path, technique), {status.out.get()});
        return std::move(status.in);
    }
    OwnedFd send(int client, const std::string &path, int dest, uint8_t technique = SFD_TECHNIQUE_AUTO)
    {
        Pipe status;
        submit(client, path_(SFD_WIRE_SEND_FILE, path, technique), {status.out.get(), dest});
        return std::move(status.in);
    }
    OwnedFd open(int client, const std::string &path)
    {
        Pipe status;
        submit(client, path_(SFD_WIRE_OPEN_FILE, path, SFD_TECHNIQUE_AUTO), {status.out.get()});
        return std::move(status.in);
    }
    void sendOpen(int client, uint64_t id, int dest)
    {
        submit(client, id_(SFD_WIRE_SEND_OPEN_FILE, id), {dest});
    }
    void cancel(int client, uint64_t id)
    {
        submit(client, id_(SFD_WIRE_CANCEL, id), {});
    }
    /* Version 1, unless a technique is forced. */
    static std::string path_(uint8_t command, const std::string &path, uint8_t technique)
    {
        struct sfd_options options = {};
        options.technique = technique;
        if (technique != SFD_TECHNIQUE_AUTO) {
            return extended_(command | 0x10, path, options);
        }
        char header[SFD_WIRE_MAX_REQUEST_SIZE];
        const size_t n = sfd_wire_put_path_request(header, command, 0, 0);
        return std::string(header, n) + path + '\0';
    }
    static std::string extended_(uint8_t command, const std::string &path, const struct sfd_options &options)
    {
        char header[SFD_WIRE_MAX_REQUEST_SIZE];
        const size_t n = sfd_wire_put_extended_request(header, command, 0, 0, &options, path.size());
        return std::string(header, n) + path + '\0';
    }
    static std::string id_(uint8_t command, uint64_t id)
    {
        char header[SFD_WIRE_MAX_REQUEST_SIZE];
        return {header, sfd_wire_put_transfer_request(header, command, id)};
    }
    static uint64_t idFrom(int status)
    {
        return infoOf(readExactly(status, SFD_WIRE_FILE_INFO_SIZE)).id;
    }

    /* ---- what is seen */

    uint32_t loopsThatRun()
    {
        pthread_mutex_lock(&shared_->carriers.lock);
        const uint32_t loops = shared_->carriers.loops;
        pthread_mutex_unlock(&shared_->carriers.lock);
        return loops;
    }
    bool awaitTransfers(uint32_t count)
    {
        return await([&] { return shared_->transfers.load() == count; });
    }
    uint64_t count(enum sfd_counter counter)
    {
        uint64_t sum = 0;
        for (uint32_t i = 0; i < shared_->settings.loops; i++) {
            sum += sfd_loop_counters(shared_->loops[i])->at[counter].load();
        }
        return sum;
    }
    /* Another client is served now: each way of being served once. */
    void expectService(int client = 99)
    {
        const OwnedFd in = read(client, "small");
        SocketPair pair;
        setNonblocking(pair.out.get());
        const OwnedFd status = send(client, "big", pair.out.get());
        pair.out.reset();
        ASSERT_TRUE(await([&] { return readable(in.get()); })) << "a read is not answered";
        EXPECT_BYTES(small_, readToEnd(in.get()).substr(SFD_WIRE_FILE_INFO_SIZE));
        EXPECT_BYTES(big_, receive(pair.in.get(), big_.size()));
        ASSERT_TRUE(awaitEnd(status.get()));
        EXPECT_EQ("complete", messages(seen_).back());
    }
    /* What comes within ten seconds. */
    static std::string receive(int fd, size_t size)
    {
        std::string bytes;
        await([&] {
            bytes += drain(fd, size - bytes.size());
            return bytes.size() == size || ended(fd);
        });
        return bytes;
    }
    static bool ended(int fd)
    {
        char byte;
        return readable(fd) && recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
    }
    /* Reads a status channel to its end, in `seen_`. */
    bool awaitEnd(int fd)
    {
        seen_.clear();
        return await([&] {
            char buffer[4096];
            while (readable(fd)) {
                const ssize_t n = ::read(fd, buffer, sizeof(buffer));
                if (n <= 0) {
                    return true;
                }
                seen_.append(buffer, static_cast<size_t>(n));
            }
            return false;
        });
    }

    std::string small_;
    std::string big_;
    std::string seen_;
    std::optional<SocketPair> pair_; // for a transfer's destination: `out` has O_NONBLOCK
    OwnedFd status_;

    std::mutex lock_; // of what follows
    std::condition_variable there_is_work_;
    std::deque<struct sfd_task *> tasks_;
    bool tasks_over_ = false;
    std::vector<std::thread> carriers_;

    std::vector<std::thread> pool_;
    std::thread service_;
    std::atomic<bool> stopping_{false};
    bool spares_ = true;
    std::atomic<int> carrying_{0};
    std::atomic<int> worked_{0};
    std::atomic<int> timed_out_{0};
};

#endif
