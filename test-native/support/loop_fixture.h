// Loops, one turn at a time on the test's thread: what tests of loops share.
//
// The fixture is the dispatcher (it decodes and grants) and, unless a test holds the tasks back, the disk pool. Every
// turn is woken beforehand, so that no poll waits.
#ifndef SFD_TEST_LOOP_FIXTURE_H
#define SFD_TEST_LOOP_FIXTURE_H

#include "shared_fixture.h"

#include <algorithm>
#include <deque>
#include <functional>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <memory>
#include <random>
#include <sys/eventfd.h>

extern "C" {
#include "loop/loop_private.h"
}

constexpr size_t BIG = 1024 * 1024 + 1;

/* Answers of scripted calls, then the real ones. */
struct Script {
    int epoll_add_error; /* of a descriptor that is not a loop's own */
    int receive_errors;
    int request_fd;
    bool cold_opens;
    uint64_t now_ms; /* 0: the kernel's */
    int timeout_ms;  /* of the last wait */
    int process;     /* whose pidfd every client gets; 0: the test's own; -errno: none */
    int pidfds;      /* that were asked for */
};
inline Script script;

class LoopFixture : public SharedFixture
{
  protected:
    void SetUp() override
    {
        CoreTest::SetUp();
        script = {};
        shared_ = std::make_unique<struct sfd_shared>();
        shared_->settings.loops = 1;
        shared_->settings.max_transfers = 300;
        shared_->settings.open_timeout_ms = 3600 * 1000;
        shared_->settings.buffer_size = 64 * 1024;
        shared_->settings.quantum = 256 * 1024;
        sys_ = copyOfSys();
        sys_.epoll_ctl = [](int epoll, int operation, int fd, struct epoll_event *event) {
            if (script.epoll_add_error < 0 && operation == EPOLL_CTL_ADD) {
                return script.epoll_add_error;
            }
            return sfd_sys_linux.epoll_ctl(epoll, operation, fd, event);
        };
        sys_.epoll_wait = [](int epoll, struct epoll_event *events, int count, int timeout_ms) {
            // What would wait for ever returns at once: the only one who could wake it is this thread.
            script.timeout_ms = timeout_ms;
            return sfd_sys_linux.epoll_wait(epoll, events, count, timeout_ms < 0 ? 0 : timeout_ms);
        };
        sys_.recvmmsg = [](int fd, struct mmsghdr *messages, unsigned count, int flags) {
            if (script.receive_errors > 0) {
                script.receive_errors--;
                return -ENOBUFS;
            }
            return sfd_sys_linux.recvmmsg(fd, messages, count, flags);
        };
        sys_.openat2 = [](int dir, const char *path, const struct open_how *how) {
            if (script.cold_opens && !working) {
                return -EAGAIN;
            }
            struct open_how uncached = *how; // a busy machine may have dropped the path from its cache
            uncached.resolve &= ~uint64_t{0x20};
            return sfd_sys_linux.openat2(dir, path, &uncached);
        };
        sys_.fstatfs_type = [](int, uint64_t *type) {
            *type = TMPFS_MAGIC; // everything is warm, wherever the tests run
            return 0;
        };
        sys_.pidfd_open = [](int) {
            script.pidfds++;
            return script.process < 0 ? script.process
                                      : sfd_sys_linux.pidfd_open(script.process > 0 ? script.process : getpid());
        };
        sys_.now_ms = [] { return script.now_ms > 0 ? script.now_ms : sfd_sys_now_ms(); };
        scriptCalls(&sys_);
        setUpShared();
        createLoops();
        turn(); // takes the receiving
    }
    /* More answers of a test's own. */
    virtual void scriptCalls(struct sfd_sys *) {}
    virtual void createLoops()
    {
        for (uint32_t i = 0; i < shared_->settings.loops; i++) {
            ASSERT_EQ(0, sfd_loop_create(&shared_->loops[i], shared_.get(), i));
            carriers_.push_back(sfd_loop_carrier(shared_->loops[i]));
        }
    }
    void destroyLoops()
    {
        for (struct sfd_loop *&loop : shared_->loops) {
            sfd_loop_destroy(loop);
            loop = nullptr;
        }
        carriers_.clear();
        sfd_carriers_deinit(&shared_->carriers);
        sfd_carriers_init(&shared_->carriers);
    }
    void TearDown() override
    {
        releaseHeld();
        destroyLoops();
        tearDownShared();
        CoreTest::TearDown();
    }

    struct sfd_loop *loop(uint32_t index = 0)
    {
        return shared_->loops[index];
    }
    struct sfd_turn *buffer(uint32_t index = 0)
    {
        return sfd_carrier_turn(carriers_[index]);
    }

    void dispatch(uint32_t index)
    {
        struct sfd_turn *turn = buffer(index);
        for (int i = 0; i < turn->requests; i++) {
            struct sfd_slot *slot = &turn->slot[i];
            received_++;
            receivers_.push_back(index);
            if (pid_ != 0) {
                slot->pid = pid_;
                slot->process = static_cast<uint64_t>(pid_);
            }
            dispatcher_decide(slot, getuid());
            if (deny_ != 0) {
                slot->verdict = deny_;
            }
        }
        for (int i = 0; i < turn->selections; i++) {
            selections_.push_back(turn->selection[i]);
            turn->selection[i].verdict = verdict_;
        }
    }
    void takeOffloads(uint32_t index)
    {
        struct sfd_turn *turn = buffer(index);
        offloads_ = turn->offloads;
        for (int i = 0; i < turn->offloads; i++) {
            offloaded_total_++;
            queues_.push_back(turn->offload[i].queue);
            clients_.push_back(turn->offload[i].client);
            held_.push_back(reinterpret_cast<struct sfd_task *>(turn->offload[i].task));
        }
        turn->offloads = 0;
        if (!hold_) {
            releaseHeld();
        }
    }
    void releaseHeld()
    {
        while (!held_.empty()) {
            struct sfd_task *task = held_.front();
            held_.pop_front();
            working = true;
            sfd_loop_work(task);
            working = false;
        }
    }
    int turn(uint32_t index = 0, bool wake = true)
    {
        if (wake) { // does not even wait for a timer
            sfd_loop_wake(loop(index));
        }
        const int result = sfd_carrier_poll(carriers_[index]);
        if (result == 0) {
            dispatch(index);
        }
        takeOffloads(index);
        return result;
    }
    /* Turns until it holds; a thousand are a failure. */
    void until(const std::function<bool()> &condition)
    {
        for (int i = 0; i < 20000; i++) {
            if (condition()) {
                return;
            }
            for (uint32_t l = 0; l < shared_->settings.loops; l++) {
                turn(l);
            }
        }
        FAIL() << "it does not come true";
    }
    /* Until that many requests were received, and the turn after it has obeyed the verdicts. */
    void untilServed(int requests)
    {
        until([&] { return received_ == requests; });
        settle();
    }
    /* Until nothing is on its way any more. */
    void settle()
    {
        for (int i = 0; i < 20; i++) {
            for (uint32_t l = 0; l < shared_->settings.loops; l++) {
                turn(l);
            }
        }
    }

    /* The loop that receives. */
    uint32_t receiver()
    {
        return static_cast<uint32_t>(shared_->receiving_loop.load());
    }
    /* Another loop receives from now on, as if this one were stuck. */
    void receiveElsewhere()
    {
        sfd_loop_receiving_take_away(loop(receiver()));
        for (uint32_t l = 0; l < shared_->settings.loops; l++) {
            turn(l);
        }
    }

    void file(size_t size, const std::string &name = "file")
    {
        content_ = pattern(size);
        writeFile(*directory_ / name, content_);
    }
    /* The device of the directory becomes known. */
    void warmUp()
    {
        writeFile(*directory_ / "first", "x");
        const OwnedFd in = read("first");
        untilServed(1);
        until([&] { return transfers() == 0; });
        EXPECT_EQ(49u, drain(in.get()).size());
        received_ = 0;
        offloaded_total_ = 0;
        queues_.clear();
        clients_.clear();
        receivers_.clear();
    }

    /* ---- the client */

    void submit(const std::string &bytes, const std::vector<int> &fds)
    {
        ASSERT_EQ(0, sfd_submit_send(&sfd_sys_linux, requests_->out.get(), bytes.data(), bytes.size(), fds.data(),
                                     static_cast<unsigned>(fds.size())));
    }
    static std::string pathRequest(uint8_t command, const std::string &path, int64_t offset = 0, uint64_t length = 0)
    {
        char header[SFD_WIRE_MAX_REQUEST_SIZE];
        const size_t n = sfd_wire_put_path_request(header, command, offset, length);
        return std::string(header, n) + path + '\0';
    }
    static std::string idRequest(uint8_t command, uint64_t id)
    {
        char header[SFD_WIRE_MAX_REQUEST_SIZE];
        return {header, sfd_wire_put_transfer_request(header, command, id)};
    }
    OwnedFd read(const std::string &path = "file", int64_t offset = 0, uint64_t length = 0)
    {
        Pipe status;
        submit(pathRequest(SFD_WIRE_READ_FILE, path, offset, length), {status.out.get()});
        return std::move(status.in);
    }
    OwnedFd send(int dest, const std::string &path = "file")
    {
        Pipe status;
        submit(pathRequest(SFD_WIRE_SEND_FILE, path), {status.out.get(), dest});
        return std::move(status.in);
    }
    OwnedFd sendExtended(int dest, const struct sfd_options &options = {}, const std::string &path = "file")
    {
        Pipe status;
        submit(extendedRequest(SFD_WIRE_SEND_FILE_EXT, options, path), {status.out.get(), dest});
        return std::move(status.in);
    }
    static std::string extendedRequest(uint8_t command, const struct sfd_options &options, const std::string &path = "")
    {
        char header[SFD_WIRE_MAX_REQUEST_SIZE];
        const size_t n = sfd_wire_put_extended_request(header, command, 0, 0, &options, path.size());
        return path.empty() ? std::string(header, n) : std::string(header, n) + path + '\0';
    }
    OwnedFd open(const std::string &path = "file")
    {
        Pipe status;
        submit(pathRequest(SFD_WIRE_OPEN_FILE, path), {status.out.get()});
        return std::move(status.in);
    }
    /* An opened file: its status channel and id. */
    OwnedFd opened(uint64_t *id)
    {
        OwnedFd status = open();
        until([&] { return readable(status.get()); });
        *id = infoOf(drain(status.get())).id;
        return status;
    }
    void sendOpen(uint64_t id, int dest)
    {
        submit(idRequest(SFD_WIRE_SEND_OPEN_FILE, id), {dest});
    }
    void cancel(uint64_t id)
    {
        submit(idRequest(SFD_WIRE_CANCEL, id), {});
    }

    uint32_t transfers()
    {
        return shared_->transfers.load();
    }
    uint64_t count(enum sfd_counter counter, uint32_t index = 0)
    {
        return sfd_loop_counters(loop(index))->at[counter].load();
    }
    static std::string error(uint8_t command, int number)
    {
        return "error " + std::to_string(command) + " " + std::to_string(number);
    }

    static inline bool working = false;

    std::vector<struct sfd_carrier *> carriers_; // that the loops begin with
    std::string content_;
    int32_t pid_ = 0; // of the sender, unless 0
    int deny_ = 0;    // the dispatcher's verdict, unless 0
    int received_ = 0;
    std::vector<uint32_t> receivers_; // the loop that received each request
    int offloads_ = 0;                // of the last turn
    int offloaded_total_ = 0;
    std::vector<int32_t> queues_;
    std::vector<int32_t> clients_; // whose each task is
    bool hold_ = false;            // the disk is slow
    std::deque<struct sfd_task *> held_;
    int verdict_ = SFD_TECHNIQUE_AUTO; // the selector's
    std::vector<struct sfd_selection> selections_;
};

#endif
