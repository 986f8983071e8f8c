// Requests of this process, from the submitter's side: what was submitted, what has come back, and when it is released.
#ifndef SFD_TEST_LOCAL_REQUESTS_H
#define SFD_TEST_LOCAL_REQUESTS_H

#include "core.h"

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <vector>

extern "C" {
#include "loop/local_request.h"
#include "loop/loop.h"
}

/* An order with defaults; a descriptor in it is taken by the submission, the path is borrowed for that. */
inline struct sfd_local_order localOrder(uint8_t command, struct sfd_root *root, const std::string &path, int dest,
                                         uint64_t owner = 1)
{
    struct sfd_local_order order = {};
    order.owner = owner;
    order.command = command;
    order.root = root;
    order.path = path.data();
    order.path_length = path.size();
    order.dest = dest;
    order.source = -1;
    order.length = SFD_WIRE_TO_END;
    return order;
}

/*
 * Any thread. The lock is held during a submission: a final message can come before that has returned, and its handle
 * must be known then.
 */
class LocalRequests
{
  public:
    ~LocalRequests()
    {
        for (const auto &[ticket, request] : requests_) {
            ADD_FAILURE() << "ticket " << ticket << " has got no final message, but " << bytes_[ticket].size()
                          << " bytes";
            sfd_local_release(request);
        }
    }

    /* Its ticket, or -errno. */
    int64_t submit(struct sfd_shared *shared, struct sfd_local_order order)
    {
        const std::lock_guard<std::mutex> guard(lock_);
        struct sfd_local_request *request = nullptr;
        order.ticket = last_ + 1;
        const int result = sfd_local_submit(shared, &order, &request);
        if (result < 0) {
            return result;
        }
        requests_[++last_] = request;
        return static_cast<int64_t>(last_);
    }
    /* These two do nothing when it is over. */
    void cancel(int64_t ticket)
    {
        const std::lock_guard<std::mutex> guard(lock_);
        const auto found = requests_.find(static_cast<uint64_t>(ticket));
        if (found != requests_.end()) {
            sfd_local_cancel(found->second);
        }
    }
    void sendOpened(int64_t ticket, int dest)
    {
        const std::lock_guard<std::mutex> guard(lock_);
        const auto found = requests_.find(static_cast<uint64_t>(ticket));
        if (found != requests_.end()) {
            sfd_local_send_opened(found->second, dest);
        } else {
            close(dest);
        }
    }
    struct sfd_loop *loopOf(int64_t ticket)
    {
        const std::lock_guard<std::mutex> guard(lock_);
        return requests_.at(static_cast<uint64_t>(ticket))->task.loop;
    }

    bool isOver(int64_t ticket)
    {
        const std::lock_guard<std::mutex> guard(lock_);
        return requests_.count(static_cast<uint64_t>(ticket)) == 0;
    }
    /* How many are not over. */
    size_t open()
    {
        const std::lock_guard<std::mutex> guard(lock_);
        return requests_.size();
    }
    uint64_t submitted()
    {
        const std::lock_guard<std::mutex> guard(lock_);
        return last_;
    }
    bool awaitAtMost(size_t count)
    {
        std::unique_lock<std::mutex> guard(lock_);
        return changed_.wait_for(guard, std::chrono::seconds(20), [&] { return requests_.size() <= count; });
    }
    /* The content that has come for a ticket; "none" if there was none. */
    std::string contentOf(int64_t ticket)
    {
        const std::lock_guard<std::mutex> guard(lock_);
        const auto found = contents_.find(static_cast<uint64_t>(ticket));
        return found == contents_.end() ? "none" : found->second;
    }
    /* What has come for a ticket so far. */
    std::string bytesOf(int64_t ticket)
    {
        const std::lock_guard<std::mutex> guard(lock_);
        return bytes_[static_cast<uint64_t>(ticket)];
    }
    Messages of(int64_t ticket)
    {
        return messages(bytesOf(ticket));
    }
    /* The last message, without its technique. */
    std::string lastOf(int64_t ticket)
    {
        const Messages all = of(ticket);
        const std::string last = all.empty() ? "nothing" : all.back();
        return last.substr(0, last.find(" by "));
    }

    /* Reads the messages of a turn; who gets the final one is released. How many tickets there were. */
    int dispatch(const struct sfd_turn *turn)
    {
        const char *at = turn->message;
        for (int i = 0; i < turn->messages; i++) {
            struct sfd_message message = {};
            memcpy(&message, at, sizeof(message));
            const std::string bytes(at + sizeof(message), static_cast<size_t>(message.length));
            size_t size = bytes.size();
            if (message.content != SFD_NO_CONTENT) {
                const std::lock_guard<std::mutex> guard(lock_);
                const bool first = contents_
                                       .emplace(message.ticket, std::string(at + sizeof(message) + size,
                                                                            static_cast<size_t>(message.content)))
                                       .second;
                EXPECT_TRUE(first) << "content comes once";
                size += static_cast<size_t>(message.content);
            }
            at += sizeof(message) + (size + 7) / 8 * 8;
            EXPECT_LE(at, turn->message + sizeof(turn->message));
            take(message.ticket, bytes);
        }
        return turn->messages;
    }

    std::function<void(int64_t ticket)> opened; // its File Information has come; without the lock

  private:
    void take(uint64_t ticket, const std::string &bytes)
    {
        const Messages all = messages(bytes);
        const std::string last = all.empty() ? "nothing" : all.back();
        bool opens = false;
        {
            const std::lock_guard<std::mutex> guard(lock_);
            const auto found = requests_.find(ticket);
            EXPECT_NE(requests_.end(), found) << "after the final message of ticket " << ticket << ": " << last;
            if (found == requests_.end()) {
                return;
            }
            std::string &before = bytes_[ticket];
            opens = before.empty() && last.rfind("info", 0) == 0;
            EXPECT_TRUE(!before.empty() || opens || all.front().rfind("details", 0) == 0 ||
                        last.rfind("refusal", 0) == 0)
                << "not in order: " << last;
            before += bytes;
            if (last.rfind("result", 0) == 0 || last.rfind("refusal", 0) == 0) {
                sfd_local_release(found->second);
                requests_.erase(found);
                changed_.notify_all();
            }
        }
        if (opens && opened) {
            opened(static_cast<int64_t>(ticket));
        }
    }

    std::mutex lock_;
    std::condition_variable changed_;
    uint64_t last_ = 0;
    std::map<uint64_t, struct sfd_local_request *> requests_; // without a final message
    std::map<uint64_t, std::string> bytes_;
    std::map<uint64_t, std::string> contents_;
};

#endif
