// Requests of this process, from the submitter's side: what was submitted, what has come back, and when it is released.
#ifndef SFD_TEST_LOCAL_REQUESTS_H
#define SFD_TEST_LOCAL_REQUESTS_H

#include "core.h"

#include <map>
#include <vector>

extern "C" {
#include "loop/local_request.h"
#include "loop/loop.h"
}

/* An order with defaults; a descriptor in it is taken by the submission. */
inline struct sfd_local_order localOrder(uint8_t command, struct sfd_root *root, const std::string &path, int dest)
{
    struct sfd_local_order order = {};
    order.command = command;
    order.root = root;
    order.path = path.data();
    order.path_length = path.size();
    order.dest = dest;
    order.source = -1;
    order.length = SFD_WIRE_TO_END;
    return order;
}

/* Not thread-safe: of one submitter, which is its own dispatcher. */
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
        struct sfd_local_request *request = nullptr;
        order.ticket = ++last_;
        const int result = sfd_local_submit(shared, &order, &request);
        if (result < 0) {
            return result;
        }
        requests_[last_] = request;
        return static_cast<int64_t>(last_);
    }
    struct sfd_local_request *at(int64_t ticket)
    {
        return requests_.at(static_cast<uint64_t>(ticket));
    }
    bool isOver(int64_t ticket) const
    {
        return requests_.count(static_cast<uint64_t>(ticket)) == 0;
    }
    size_t open() const
    {
        return requests_.size();
    }
    /* What has come for a ticket so far. */
    Messages of(int64_t ticket)
    {
        return messages(bytes_[static_cast<uint64_t>(ticket)]);
    }
    const std::string &bytesOf(int64_t ticket)
    {
        return bytes_[static_cast<uint64_t>(ticket)];
    }

    /* Reads the messages of a turn; who gets the final one is released. How many tickets there were. */
    int dispatch(const struct sfd_turn *turn)
    {
        const char *at = turn->message;
        for (int i = 0; i < turn->messages; i++) {
            struct sfd_message message = {};
            memcpy(&message, at, sizeof(message));
            const std::string bytes(at + sizeof(message), static_cast<size_t>(message.length));
            at += sizeof(message) + (bytes.size() + 7) / 8 * 8;
            EXPECT_LE(at, turn->message + sizeof(turn->message));
            EXPECT_FALSE(bytes.empty());
            const auto found = requests_.find(message.ticket);
            if (found == requests_.end()) {
                ADD_FAILURE() << "a message after the final one, ticket " << message.ticket;
                continue;
            }
            bytes_[message.ticket] += bytes;
            const std::string last = messages(bytes).back();
            if (last.rfind("result", 0) == 0 || last.rfind("refusal", 0) == 0) {
                sfd_local_release(found->second);
                requests_.erase(found);
            }
        }
        return turn->messages;
    }

  private:
    uint64_t last_ = 0;
    std::map<uint64_t, struct sfd_local_request *> requests_; // without a final message
    std::map<uint64_t, std::string> bytes_;
};

#endif
