// One transfer between a scripted file system and a client: what tests of transfers share.
//
// The fixture is the loop: it calls run when the transfer could go on, and does the disk pool's work in between. The
// file system is scripted: which medium it is, which of its bytes are warm, and what its calls answer.
#ifndef SFD_TEST_TRANSFER_FIXTURE_H
#define SFD_TEST_TRANSFER_FIXTURE_H

#include "core.h"

#include <deque>
#include <functional>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <memory>
#include <sys/eventfd.h>

#include "await.h"

constexpr uint64_t QUANTUM = 256 * 1024;
constexpr uint32_t OPEN_TIMEOUT_MS = 5000;
constexpr uint64_t START_MS = 100000;
constexpr uint64_t ID = uint64_t{0x1234} << 23; // of the first place in a table
constexpr uint64_t FUSE_MAGIC = 0x65735546;
constexpr uint64_t XFS_MAGIC = 0x58465342;
constexpr size_t BIG = 1024 * 1024 + 1;

struct Script {
    uint64_t fs_type;
    uint64_t warm_until; /* bytes before it are in the page cache */
    bool keeps_nothing;  /* direct I/O: a load leaves no page behind */
    int load_error;
    int lock_error;
    int locks;
    int late_lock_error;               // of the lock itself, not of the question before it
    std::vector<uint64_t> loads;       /* lengths */
    std::deque<int64_t> dest_sendfile; /* answers, then the real call */
    std::deque<int64_t> copy;
    std::deque<int> opens; /* of openat2 */
    int null_fd;
    int sendfiles;
    int sends;
    uint64_t now_ns;
};
inline Script script;

inline struct sfd_sys scripted()
{
    struct sfd_sys sys = copyOfSys();
    sys.fstatfs_type = [](int, uint64_t *type) {
        *type = script.fs_type;
        return 0;
    };
    sys.openat2 = [](int dir, const char *path, const struct open_how *how) {
        if (!script.opens.empty()) {
            const int result = script.opens.front();
            script.opens.pop_front();
            if (result < 0) {
                return result;
            }
        }
        struct open_how uncached = *how; // a busy machine may have dropped the path from its cache
        uncached.resolve &= ~uint64_t{0x20};
        return sfd_sys_linux.openat2(dir, path, &uncached);
    };
    sys.preadv2 = [](int fd, const struct iovec *iov, int count, int64_t offset, int flags) {
        if ((flags & RWF_NOWAIT) != 0 && static_cast<uint64_t>(offset) >= script.warm_until) {
            return static_cast<int64_t>(-EAGAIN);
        }
        return sfd_sys_linux.preadv2(fd, iov, count, offset, 0);
    };
    sys.cachestat = [](int, const struct sfd_cachestat_range *range, struct sfd_cachestat *out) {
        const uint64_t page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
        const uint64_t last = std::min(range->offset + range->length, script.warm_until);
        *out = {};
        if (last > range->offset) {
            out->nr_cache = (last - 1) / page - range->offset / page + 1;
        }
        return 0;
    };
    sys.sendfile = [](int to, int from, int64_t *offset, size_t count) {
        if (to != script.null_fd) {
            script.sendfiles++;
            if (!script.dest_sendfile.empty()) {
                const int64_t n = script.dest_sendfile.front();
                script.dest_sendfile.pop_front();
                if (n <= 0) {
                    return n;
                }
                count = std::min(count, static_cast<size_t>(n));
            }
            return sfd_sys_linux.sendfile(to, from, offset, count);
        }
        script.loads.push_back(count);
        if (script.load_error < 0) {
            return static_cast<int64_t>(script.load_error);
        }
        const uint64_t begin = static_cast<uint64_t>(*offset);
        const int64_t n = sfd_sys_linux.sendfile(to, from, offset, count);
        if (n > 0 && !script.keeps_nothing) {
            script.warm_until = std::max(script.warm_until, begin + static_cast<uint64_t>(n));
        }
        return n;
    };
    sys.copy_file_range = [](int from, int64_t *offset, int to, int64_t *at, size_t count) {
        if (!script.copy.empty()) {
            const int64_t n = script.copy.front();
            script.copy.pop_front();
            if (n <= 0) {
                return n;
            }
            count = std::min(count, static_cast<size_t>(n));
        }
        return sfd_sys_linux.copy_file_range(from, offset, to, at, count);
    };
    sys.send = [](int fd, const void *bytes, size_t length, int flags) {
        script.sends++;
        return sfd_sys_linux.send(fd, bytes, length, flags);
    };
    sys.ofd_read_lock = [](int fd, uint64_t offset, uint64_t length) {
        script.locks++;
        if (script.late_lock_error < 0) {
            return script.late_lock_error;
        }
        return script.lock_error < 0 ? script.lock_error : sfd_sys_linux.ofd_read_lock(fd, offset, length);
    };
    sys.ofd_test_read_lock = [](int fd, uint64_t offset, uint64_t length) {
        return script.lock_error < 0 ? script.lock_error : sfd_sys_linux.ofd_test_read_lock(fd, offset, length);
    };
    sys.now_ns = [] { return script.now_ns; };
    return sys;
}

class TransferFixture : public CoreTest
{
  protected:
    void SetUp() override
    {
        CoreTest::SetUp();
        script = {};
        script.fs_type = EXT4_SUPER_MAGIC;
        script.warm_until = UINT64_MAX;
        sys_ = scripted();
        context_ = std::make_unique<struct sfd_context>();
        context_->settings = &settings_;
        counted_ = std::make_unique<struct sfd_counters_loop>();
        row_ = std::make_unique<struct sfd_counters_row>();
        sfd_observe_init(context_.get(), counted_.get(), row_.get(), 1, 0);
        ASSERT_EQ(0, sfd_kernel_init(&context_->kernel, &sys_));
        context_->techniques = sfd_techniques_available(&sys_);
        script.sendfiles = 0; // of the techniques' probe
        script.null_fd = context_->kernel.null_fd;
        context_->kernel.cachestat = true;
        context_->kernel.resolve_cached = true;
        sfd_closer_init(&context_->closer, &sys_, &devices_);
        sfd_timers_init(&context_->timers);
        ASSERT_EQ(0, sfd_timers_reserve(&context_->timers, 16));
        buffer_.resize(64 * 1024);
        context_->buffer = buffer_.data();
        settings_.buffer_size = static_cast<uint32_t>(buffer_.size());
        settings_.quantum = QUANTUM;
        settings_.open_timeout_ms = OPEN_TIMEOUT_MS;
        context_->now_ms = START_MS;
        context_->epoll = sfd_sys_epoll();
        sfd_devices_init(&devices_);
        context_->devices = &devices_;
        sfd_write_ranges_init(&ranges_);
        context_->ranges = &ranges_;
        directory_ = std::make_unique<TemporaryDirectory>();
        root_ = openFile(directory_->path(), O_PATH | O_DIRECTORY);
        servedRoot_.references = 1;
        t_ = std::make_unique<struct sfd_transfer>();
        sfd_transfer_init(t_.get());
    }
    void TearDown() override
    {
        EXPECT_EQ(-1, t_->source.fd);
        EXPECT_EQ(-1, t_->destination.fd);
        EXPECT_EQ(-1, t_->status.fd) << "the transfer has not ended";
        EXPECT_EQ(0u, context_->timers.count) << "a timer outlived its transfer"; // D11
        EXPECT_EQ(nullptr, t_->source.path);
        EXPECT_EQ(nullptr, t_->bounce.bytes);
        EXPECT_EQ(nullptr, t_->target);
        EXPECT_EQ(nullptr, t_->segments);
        status_.reset();
        pipe_.reset();
        pair_.reset();
        output_.reset();
        EXPECT_EQ(1u, servedRoot_.references.load()) << "a root is still in use";
        root_.reset();
        directory_.reset();
        EXPECT_EQ(nullptr, ranges_.first) << "a range that nobody writes to";
        sfd_write_ranges_deinit(&ranges_);
        sfd_devices_deinit(&devices_);
        sfd_timers_deinit(&context_->timers);
        sfd_closer_deinit(&context_->closer);
        close(context_->epoll);
        sfd_kernel_deinit(&context_->kernel);
        CoreTest::TearDown();
    }

    /* A kernel before 6.4: pipes must be reopened. */
    void pipesWithoutNowait()
    {
        context_->kernel.pipe_write_flags = 0;
    }

    /* The file system of the temporary directory becomes known, as after a first transfer. */
    void learnDevice()
    {
        writeFile(*directory_ / "first", "x");
        struct sfd_opened opened = {};
        ASSERT_EQ(0, sfd_open_path(&context_->kernel, root_.get(), "first", &opened));
        sfd_residency_learn(&devices_, &context_->kernel, opened.fd, opened.dev);
        close(opened.fd);
    }

    void file(size_t size)
    {
        content_ = pattern(size);
        writeFile(*directory_ / "file", content_);
    }

    enum sfd_next begin(uint8_t command, int dest = -1, int64_t offset = 0, uint64_t length = SFD_WIRE_TO_END,
                        const char *path = "file")
    {
        if (status_ == nullptr) {
            status_ = std::make_unique<Pipe>();
        }
        struct sfd_transfer_request request = {};
        request.command = command;
        servedRoot_.fd = root_.get();
        servedRoot_.opens_here = rootIsLocal_;
        request.root = &servedRoot_;
        request.path = path;
        request.offset = offset;
        request.length = length;
        request.id = ID;
        request.status = take(status_->out);
        request.accepted = sfd_status_accept(&context_->kernel, &request.status);
        request.dest = dest;
        request.version = version_;
        request.options = options_;
        request.segments = segments_.data();
        request.segments_size = segments_.size();
        request.segment_count = segment_count_;
        if (source_.get() >= 0) {
            request.path = nullptr;
            request.source = take(source_);
        }
        if (dest >= 0) {
            EXPECT_EQ(0, sfd_fd_classify(&sfd_sys_linux, dest, &request.dest_info));
        }
        return next_ = sfd_transfer_begin(context_.get(), t_.get(), &request);
    }

    /* The clock goes on: whether the transfer's timer fired, as it does for a loop, and what it said last. */
    bool fires(uint64_t ms)
    {
        context_->now_ms += ms;
        script.now_ns += ms * 1000000;
        if (sfd_timers_expire(&context_->timers, context_->now_ms) == nullptr) {
            return false;
        }
        next_ = sfd_transfer_timeout(context_.get(), t_.get());
        return true;
    }

    /* Destinations: the read end stays here, the write end is the transfer's. */
    int toPipe()
    {
        pipe_ = std::make_unique<Pipe>();
        return take(pipe_->out);
    }
    int toPair(SocketPair pair, bool nonblock)
    {
        pair_ = std::make_unique<SocketPair>(std::move(pair));
        const struct timeval patience = {20, 0};
        setsockopt(pair_->in.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        if (nonblock) {
            setNonblocking(pair_->out.get());
        }
        return take(pair_->out);
    }
    int toFile(int flags = O_WRONLY)
    {
        output_ = openFile(*directory_ / "output", flags | O_CREAT);
        return take(output_);
    }
    static int take(OwnedFd &fd)
    {
        const int copy = fcntl(fd.get(), F_DUPFD_CLOEXEC, 0);
        fd.reset();
        return copy;
    }

    enum sfd_next run()
    {
        return next_ = sfd_transfer_run(context_.get(), t_.get());
    }
    void work()
    {
        EXPECT_EQ(SFD_NEXT_POOL, next_);
        sfd_transfer_work(context_.get(), t_.get());
    }
    enum sfd_next workAndRun()
    {
        work();
        return run();
    }

    void collect()
    {
        if (status_ != nullptr) {
            status_bytes_ += drain(status_->in.get());
        }
        if (pipe_ != nullptr) {
            data_ += drain(pipe_->in.get());
        }
        if (pair_ != nullptr) {
            data_ += drain(pair_->in.get());
        }
    }

    /* The disk pool closes what the loop must not. */
    void closePending()
    {
        struct sfd_closer closing;
        while (context_->closer.count > 0 && sfd_closer_split(&context_->closer, &closing)) {
            sfd_closer_deinit(&closing);
        }
    }

    /* Plays loop, disk pool and client until the transfer is over or parked. */
    void finish()
    {
        for (int i = 0; i < 100000 && next_ != SFD_NEXT_END && next_ != SFD_NEXT_PARK; i++) {
            collect();
            if (next_ == SFD_NEXT_POOL) {
                work();
            } else if (next_ == SFD_NEXT_DEST) {
                const int dest = t_->destination.fd < 0 ? t_->status.fd : t_->destination.fd;
                ASSERT_TRUE(await([&] {
                    collect();
                    return sfd_sys_wait_writable(dest, 0) == 1;
                }));
            }
            run();
        }
        ASSERT_TRUE(next_ == SFD_NEXT_END || next_ == SFD_NEXT_PARK) << "it does not end";
        collect();
        if (next_ == SFD_NEXT_END && pair_ != nullptr) {
            closePending();
            data_ += readExactly(pair_->in.get(), content_.size() + 1);
        }
    }

    /* What the client of a Read File got behind the File Information. */
    std::string readBytes()
    {
        EXPECT_GE(status_bytes_.size(), static_cast<size_t>(SFD_WIRE_FILE_INFO_SIZE));
        infoOf(status_bytes_);
        return status_bytes_.substr(std::min(status_bytes_.size(), static_cast<size_t>(SFD_WIRE_FILE_INFO_SIZE)));
    }
    Messages told()
    {
        collect();
        return messages(status_bytes_);
    }
    bool clientSeesEnd()
    {
        collect();
        return atEnd(status_->in.get());
    }
    uint64_t count(enum sfd_counter counter)
    {
        return context_->counters->at[counter].load();
    }
    /* Sends a whole file: info first, progress that adds up to no more than its size, complete last. */
    void expectSent(size_t size)
    {
        const Messages all = told();
        ASSERT_GE(all.size(), 2u);
        EXPECT_EQ("info " + std::to_string(size), all.front());
        EXPECT_EQ("complete", all.back());
        size_t sum = 0;
        for (size_t i = 1; i + 1 < all.size(); i++) {
            ASSERT_EQ(0u, all[i].find("progress ")) << all[i];
            sum += std::stoul(all[i].substr(9));
        }
        EXPECT_LE(sum, size);
        EXPECT_TRUE(clientSeesEnd());
        EXPECT_EQ(1u, count(SFD_COUNTER_COMPLETED));
        EXPECT_EQ(size, count(SFD_COUNTER_BYTES));
    }
    void again()
    {
        sfd_transfer_init(t_.get());
        status_.reset();
        pipe_.reset();
        pair_.reset();
        status_bytes_.clear();
        data_.clear();
        for (auto &counter : context_->counters->at) {
            counter = 0;
        }
    }

    struct sfd_sys sys_;
    struct sfd_settings settings_ = {};
    std::unique_ptr<struct sfd_context> context_;
    std::unique_ptr<struct sfd_counters_loop> counted_;
    std::unique_ptr<struct sfd_counters_row> row_; // of the transfer
    struct sfd_devices devices_;
    struct sfd_write_ranges ranges_ = {};
    std::string buffer_;
    std::unique_ptr<TemporaryDirectory> directory_;
    OwnedFd root_;
    bool rootIsLocal_ = true;
    struct sfd_root servedRoot_ = {};
    std::unique_ptr<struct sfd_transfer> t_;
    enum sfd_next next_ = SFD_NEXT_END;
    std::unique_ptr<Pipe> status_;
    std::unique_ptr<Pipe> pipe_;
    std::unique_ptr<SocketPair> pair_;
    OwnedFd output_;
    std::string content_;
    std::string status_bytes_;
    std::string data_;
    uint8_t version_ = 0; // what the next request asks for
    struct sfd_options options_ = {};
    OwnedFd source_;       // in place of the path, unless -1
    std::string segments_; // as they travel
    unsigned segment_count_ = 0;
};

#endif
