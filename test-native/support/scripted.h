// The calls that move bytes, scripted: what the next ones answer, and what they were asked.
#ifndef SFD_TEST_SCRIPTED_H
#define SFD_TEST_SCRIPTED_H

#include "core.h"

#include <algorithm>
#include <deque>

/*
 * What the next calls of one kind answer; a positive value moves at most that many bytes really. Empty: the real call.
 */
struct Script {
    std::deque<int64_t> sendfile;
    std::deque<int64_t> splice;
    std::deque<int64_t> splice_out;
    std::deque<int64_t> copy_file_range;
    std::deque<int64_t> preadv2;
    std::deque<int64_t> pwritev2;
    std::deque<int64_t> send;
    std::deque<int64_t> fallocate;
    std::deque<int64_t> lseek;
    std::vector<std::string> holes; // calls of fallocate: "punch OFFSET LENGTH", "grow OFFSET LENGTH"
    int read_flags;
    int send_flags;
    unsigned splice_flags;
    int calls;
};
inline Script script;

/* The next answer in *out; false when the script is over. */
inline bool answer(std::deque<int64_t> &from, int64_t *out)
{
    script.calls++;
    if (from.empty()) {
        return false;
    }
    *out = from.front();
    from.pop_front();
    return true;
}

inline std::vector<struct iovec> cut(const struct iovec *iov, int count, size_t limit)
{
    std::vector<struct iovec> parts;
    for (int i = 0; i < count && limit > 0; i++) {
        parts.push_back({iov[i].iov_base, std::min(iov[i].iov_len, limit)});
        limit -= parts.back().iov_len;
    }
    return parts;
}

inline struct sfd_sys scripted()
{
    struct sfd_sys sys = copyOfSys();
    sys.sendfile = [](int to, int from, int64_t *offset, size_t count) {
        int64_t n = 0;
        if (!answer(script.sendfile, &n)) {
            return sfd_sys_linux.sendfile(to, from, offset, count);
        }
        return n <= 0 ? n : sfd_sys_linux.sendfile(to, from, offset, std::min(count, static_cast<size_t>(n)));
    };
    sys.splice = [](int from, int64_t *offset, int to, size_t count, unsigned flags) {
        int64_t n = 0;
        script.splice_flags = flags;
        if (!answer(script.splice, &n)) {
            return sfd_sys_linux.splice(from, offset, to, count, flags);
        }
        return n <= 0 ? n : sfd_sys_linux.splice(from, offset, to, std::min(count, static_cast<size_t>(n)), flags);
    };
    sys.splice_out = [](int pipe, int to, int64_t *at, size_t count) {
        int64_t n = 0;
        if (!answer(script.splice_out, &n)) {
            return sfd_sys_linux.splice_out(pipe, to, at, count);
        }
        return n <= 0 ? n : sfd_sys_linux.splice_out(pipe, to, at, std::min(count, static_cast<size_t>(n)));
    };
    sys.copy_file_range = [](int from, int64_t *offset, int to, int64_t *at, size_t count) {
        int64_t n = 0;
        if (!answer(script.copy_file_range, &n)) {
            return sfd_sys_linux.copy_file_range(from, offset, to, at, count);
        }
        return n <= 0 ? n
                      : sfd_sys_linux.copy_file_range(from, offset, to, at, std::min(count, static_cast<size_t>(n)));
    };
    sys.preadv2 = [](int fd, const struct iovec *iov, int count, int64_t offset, int flags) {
        int64_t n = 0;
        script.read_flags = flags;
        if (!answer(script.preadv2, &n)) {
            return sfd_sys_linux.preadv2(fd, iov, count, offset, 0);
        }
        if (n <= 0) {
            return n;
        }
        const auto parts = cut(iov, count, static_cast<size_t>(n));
        return sfd_sys_linux.preadv2(fd, parts.data(), static_cast<int>(parts.size()), offset, 0);
    };
    sys.pwritev2 = [](int fd, const struct iovec *iov, int count, int64_t offset, int flags) {
        int64_t n = 0;
        if (!answer(script.pwritev2, &n)) {
            return sfd_sys_linux.pwritev2(fd, iov, count, offset, flags);
        }
        if (n <= 0) {
            return n;
        }
        const auto parts = cut(iov, count, static_cast<size_t>(n));
        return sfd_sys_linux.pwritev2(fd, parts.data(), static_cast<int>(parts.size()), offset, flags);
    };
    sys.fallocate = [](int fd, int mode, uint64_t offset, uint64_t length) {
        int64_t n = 0;
        script.holes.push_back((mode == 0 ? "grow " : "punch ") + std::to_string(offset) + " " +
                               std::to_string(length));
        return answer(script.fallocate, &n) ? static_cast<int>(n) : sfd_sys_linux.fallocate(fd, mode, offset, length);
    };
    sys.lseek = [](int fd, int64_t offset, int whence) {
        int64_t n = 0;
        return answer(script.lseek, &n) ? n : sfd_sys_linux.lseek(fd, offset, whence);
    };
    sys.send = [](int fd, const void *bytes, size_t length, int flags) {
        int64_t n = 0;
        script.send_flags = flags;
        if (!answer(script.send, &n)) {
            return sfd_sys_linux.send(fd, bytes, length, flags);
        }
        return n <= 0 ? n : sfd_sys_linux.send(fd, bytes, std::min(length, static_cast<size_t>(n)), flags);
    };
    return sys;
}

#define EXPECT_PROGRESS(expected_moved, expected_step, expected_error, progress)                                       \
    do {                                                                                                               \
        const struct sfd_progress p_ = (progress);                                                                     \
        EXPECT_EQ(static_cast<uint64_t>(expected_moved), p_.moved);                                                    \
        EXPECT_EQ(expected_step, p_.step);                                                                             \
        EXPECT_EQ(expected_error, p_.error);                                                                           \
    } while (0)

#endif
