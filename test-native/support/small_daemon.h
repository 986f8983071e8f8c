// A daemon without Java, in threads of the test.
#ifndef SFD_TEST_SMALL_DAEMON_H
#define SFD_TEST_SMALL_DAEMON_H

#include "core.h"

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

inline struct sfd_settings settingsOf(uint32_t loops)
{
    struct sfd_settings settings = {};
    settings.loops = loops;
    settings.max_transfers = 100;
    settings.open_timeout_ms = 10000;
    settings.buffer_size = 64 * 1024;
    settings.quantum = 256 * 1024;
    return settings;
}

/* What io.sendfiled.engine does, in a page of C++: a thread for each loop, and a disk pool of two. */
class SmallDaemon
{
  public:
    /* `read` reads the messages of a turn; on the loops' threads. */
    SmallDaemon(
        struct sfd_engine *engine, uint32_t loops,
        std::function<void(const struct sfd_turn *)> read = [](const struct sfd_turn *) {})
        : engine_(engine), read_(std::move(read))
    {
        for (uint32_t i = 0; i < loops; i++) {
            loops_.emplace_back([this, i] { runLoop(sfd_loop_carrier(sfd_engine_loop(engine_, i))); });
        }
        for (int i = 0; i < 2; i++) {
            workers_.emplace_back([this] { runWorker(); });
        }
    }
    SmallDaemon(const SmallDaemon &) = delete;
    SmallDaemon &operator=(const SmallDaemon &) = delete;
    ~SmallDaemon()
    {
        for (uint32_t i = 0; i < loops_.size(); i++) {
            sfd_loop_stop(sfd_engine_loop(engine_, i));
        }
        for (std::thread &thread : loops_) {
            thread.join();
        }
        {
            const std::lock_guard<std::mutex> guard(lock_);
            over_ = true;
        }
        changed_.notify_all();
        for (std::thread &thread : workers_) {
            thread.join();
        }
    }

  private:
    void runLoop(struct sfd_carrier *carrier)
    {
        struct sfd_turn *turn = sfd_carrier_turn(carrier);
        int result = 0;
        while (result == 0) {
            result = sfd_carrier_poll(carrier);
            for (int i = 0; i < turn->requests; i++) {
                dispatcher_decide(&turn->slot[i], getuid());
            }
            if (result == 0) {
                read_(turn);
            }
            const std::lock_guard<std::mutex> guard(lock_);
            for (int i = 0; i < turn->offloads; i++) {
                tasks_.push_back(reinterpret_cast<struct sfd_task *>(turn->offload[i].task));
                changed_.notify_one();
            }
            turn->offloads = 0;
        }
        EXPECT_EQ(-ESHUTDOWN, result);
    }
    void runWorker()
    {
        std::unique_lock<std::mutex> guard(lock_);
        while (true) {
            changed_.wait(guard, [this] { return over_ || !tasks_.empty(); });
            if (tasks_.empty()) {
                return;
            }
            struct sfd_task *task = tasks_.front();
            tasks_.pop_front();
            guard.unlock();
            sfd_loop_work(task);
            guard.lock();
        }
    }

    struct sfd_engine *engine_;
    std::function<void(const struct sfd_turn *)> read_;
    std::mutex lock_;
    std::condition_variable changed_;
    std::deque<struct sfd_task *> tasks_;
    bool over_ = false;
    std::vector<std::thread> loops_;
    std::vector<std::thread> workers_;
};

#endif
