// Drop-behind: what a transfer has brought into the page cache is gone afterwards, and what others have there stays.
//
// The page cache is scripted: a set of pages that the calls fill and empty as the kernel would. One test asks the real
// one.
#include "page_cache.h"
#include "transfer_fixture.h"

#include <set>

namespace
{

constexpr uint64_t PAGE = 4096;
constexpr uint64_t PART_PAGES = SFD_DROP_PART / PAGE;

struct Cache {
    std::set<uint64_t> pages;
    uint64_t file_pages;
    size_t most;       /* pages of it at once */
    int not_reused;    /* calls of NOREUSE */
    int dropped;       /* calls of DONTNEED */
    bool blocked_loop; /* a page was sent that was not there */
};
Cache cache;

void fill(uint64_t offset, uint64_t length)
{
    for (uint64_t page = offset / PAGE; page * PAGE < offset + length && page < cache.file_pages; page++) {
        cache.pages.insert(page);
    }
    cache.most = std::max(cache.most, cache.pages.size());
}

/* How many bytes from there on are cached. */
uint64_t cachedFrom(uint64_t offset)
{
    uint64_t page = offset / PAGE;
    while (cache.pages.count(page) > 0) {
        page++;
    }
    return page * PAGE > offset ? page * PAGE - offset : 0;
}

class DropTest : public TransferFixture
{
  protected:
    void SetUp() override
    {
        if (sysconf(_SC_PAGESIZE) != static_cast<long>(PAGE)) {
            GTEST_SKIP() << "the script counts pages of 4096 bytes";
        }
        TransferFixture::SetUp();
        cache = {};
        sys_.cachestat = [](int, const struct sfd_cachestat_range *range, struct sfd_cachestat *out) {
            *out = {};
            for (uint64_t page = range->offset / PAGE; page * PAGE < range->offset + range->length; page++) {
                out->nr_cache += cache.pages.count(page);
            }
            return 0;
        };
        sys_.fadvise = [](int, uint64_t offset, uint64_t length, int advice) {
            if (advice == POSIX_FADV_WILLNEED) {
                fill(offset, length);
            } else if (advice == POSIX_FADV_DONTNEED) {
                cache.dropped++;
                const uint64_t first = (offset + PAGE - 1) / PAGE;
                cache.pages.erase(cache.pages.lower_bound(first), cache.pages.lower_bound((offset + length) / PAGE));
            } else {
                EXPECT_EQ(POSIX_FADV_NOREUSE, advice);
                cache.not_reused++;
            }
            return 0;
        };
        sys_.preadv2 = [](int fd, const struct iovec *iov, int count, int64_t offset, int flags) {
            struct iovec limited = *iov;
            EXPECT_EQ(1, count);
            if ((flags & RWF_NOWAIT) == 0) {
                fill(static_cast<uint64_t>(offset), iov->iov_len);
            } else {
                const uint64_t ready = cachedFrom(static_cast<uint64_t>(offset));
                if (ready == 0) {
                    return static_cast<int64_t>(-EAGAIN);
                }
                limited.iov_len = std::min<size_t>(iov->iov_len, ready);
            }
            return sfd_sys_linux.preadv2(fd, &limited, 1, offset, 0);
        };
        sys_.sendfile = [](int to, int from, int64_t *offset, size_t length) {
            const uint64_t at = static_cast<uint64_t>(*offset);
            const int64_t n = sfd_sys_linux.sendfile(to, from, offset, length);
            if (n > 0 && to == script.null_fd) {
                fill(at, static_cast<uint64_t>(n));
            } else if (n > 0 && cachedFrom(at) < static_cast<uint64_t>(n)) {
                cache.blocked_loop = true;
            }
            return n;
        };
        sys_.copy_file_range = [](int from, int64_t *offset, int to, int64_t *at, size_t length) {
            fill(static_cast<uint64_t>(*offset), length);
            return sfd_sys_linux.copy_file_range(from, offset, to, at, length);
        };
        learnDevice();
        version_ = SFD_WIRE_VERSION;
        options_.flags = SFD_OPTION_DROP_BEHIND;
    }

    void coldFile(size_t size)
    {
        file(size);
        cache.pages.clear();
        cache.file_pages = (size + PAGE - 1) / PAGE;
        cache.most = 0;
    }
    /* The disk pool has nothing left to do. */
    void finishAll()
    {
        finish();
        sfd_closer_deinit(&context_->closer);
        EXPECT_FALSE(cache.blocked_loop);
    }
    void send(uint64_t offset = 0, uint64_t length = SFD_WIRE_TO_END)
    {
        begin(SFD_WIRE_SEND_FILE, toPair(SocketPair(), true), static_cast<int64_t>(offset), length);
        finishAll();
    }
};

TEST_F(DropTest, ShouldLeaveNothingOfAColdFileInThePageCache)
{
    for (const size_t size : {size_t{1}, size_t{PAGE}, size_t{100000}, size_t{SFD_DROP_PART}, 9 * BIG}) {
        SCOPED_TRACE(size);
        again();
        coldFile(size);
        send();
        EXPECT_BYTES(content_, data_);
        EXPECT_TRUE(cache.pages.empty()) << cache.pages.size() << " of " << cache.file_pages;
    }
}

TEST_F(DropTest, ShouldDropWhatItIsThroughWithAsItGoes)
{
    coldFile(24 * BIG);
    send();
    EXPECT_LE(cache.most * PAGE, 5u << 20) << "two windows, and what has not been read of a third";
    EXPECT_EQ(1, cache.not_reused);
}

TEST_F(DropTest, ShouldKeepWhatOthersHadInThePageCache)
{
    coldFile(6 * BIG);
    std::set<uint64_t> warm;
    for (uint64_t page = 0; page < 100; page++) { // the beginning
        warm.insert(page);
    }
    warm.insert(7 * PART_PAGES + 3); // one page of a part
    for (uint64_t page = 10 * PART_PAGES; page < 12 * PART_PAGES; page++) {
        warm.insert(page);
    }
    cache.pages = warm;
    send();
    EXPECT_BYTES(content_, data_);
    for (const uint64_t page : warm) {
        EXPECT_EQ(1u, cache.pages.count(page)) << page;
    }
    for (const uint64_t page : cache.pages) {
        const uint64_t part = page / PART_PAGES;
        EXPECT_TRUE(part <= 1 || part == 7 || part == 10 || part == 11) << "page " << page << " is ours";
    }
}

TEST_F(DropTest, ShouldDropARangeThatBeginsAndEndsInsidePages)
{
    coldFile(4 * BIG);
    send(SFD_DROP_PART + 5, 2 * SFD_DROP_PART + 1000);
    EXPECT_BYTES(content_.substr(SFD_DROP_PART + 5, 2 * SFD_DROP_PART + 1000), data_);
    EXPECT_TRUE(cache.pages.empty());
}

TEST_F(DropTest, ShouldDropWhatItAskedForAndNeverSent)
{
    coldFile(6 * BIG);
    begin(SFD_WIRE_SEND_FILE, toPair(SocketPair(), true));
    while (t_->range.offset < BIG) {
        next_ == SFD_NEXT_POOL ? workAndRun() : run();
        collect();
    }
    EXPECT_FALSE(cache.pages.empty());
    if (next_ == SFD_NEXT_POOL) {
        (void)sfd_write_gate_close(&t_->gate);
        run();
    } else {
        next_ = sfd_transfer_cancel(context_.get(), t_.get());
    }
    sfd_closer_deinit(&context_->closer);
    EXPECT_TRUE(cache.pages.empty());
}

TEST_F(DropTest, ShouldDropBehindAForcedTechniqueThatTakesPages)
{
    coldFile(6 * BIG);
    options_.technique = SFD_TECHNIQUE_SENDFILE;
    send();
    EXPECT_BYTES(content_, data_);
    EXPECT_EQ(SFD_TECHNIQUE_SENDFILE, t_->technique);
    EXPECT_TRUE(cache.pages.empty()) << cache.pages.size();
}

TEST_F(DropTest, ShouldDropTheSourceOfACopy)
{
    coldFile(20 * BIG);
    begin(SFD_WIRE_SEND_FILE, toFile(O_WRONLY | O_TRUNC));
    finishAll();
    EXPECT_BYTES(content_, contentOf(*directory_ / "output"));
    EXPECT_TRUE(cache.pages.empty()) << cache.pages.size();
}

TEST_F(DropTest, ShouldDropWhatAReadFromAFileServerLeft)
{
    sfd_devices_deinit(&devices_);
    sfd_devices_init(&devices_);
    for (const uint64_t type : {FUSE_MAGIC, uint64_t{NFS_SUPER_MAGIC}}) {
        again();
        script.fs_type = type;
        coldFile(6 * BIG);
        send();
        EXPECT_BYTES(content_, data_);
        EXPECT_TRUE(cache.pages.empty()) << cache.pages.size();
    }
}

// R22: what cachestat does not tell of another user's files, their bytes do.
TEST_F(DropTest, ShouldLeaveNothingOfAnotherUsersColdFileInThePageCache)
{
    sys_.cachestat = [](int, const struct sfd_cachestat_range *, struct sfd_cachestat *) { return -EPERM; };
    for (const size_t size : {size_t{1}, size_t{PAGE}, size_t{100000}, size_t{SFD_DROP_PART}, 9 * BIG}) {
        SCOPED_TRACE(size);
        again();
        coldFile(size);
        send();
        EXPECT_BYTES(content_, data_);
        EXPECT_TRUE(cache.pages.empty()) << cache.pages.size() << " of " << cache.file_pages;
    }
}

TEST_F(DropTest, ShouldKeepWhatOthersHadInThePageCacheOfAnotherUsersFile)
{
    sys_.cachestat = [](int, const struct sfd_cachestat_range *, struct sfd_cachestat *) { return -EPERM; };
    coldFile(6 * BIG);
    fill(7 * SFD_DROP_PART, SFD_DROP_PART);
    fill(10 * SFD_DROP_PART, 2 * SFD_DROP_PART);
    const std::set<uint64_t> warm = cache.pages;
    send();
    EXPECT_BYTES(content_, data_);
    EXPECT_EQ(warm, cache.pages);
}

TEST_F(DropTest, ShouldSendAnotherUsersWarmFilesFromTheLoop)
{
    sys_.cachestat = [](int, const struct sfd_cachestat_range *, struct sfd_cachestat *) { return -EPERM; };
    coldFile(4 * BIG);
    fill(0, content_.size());
    send();
    EXPECT_BYTES(content_, data_);
    EXPECT_EQ(0u, count(SFD_COUNTER_COLD_WINDOWS));
    EXPECT_EQ(cache.file_pages, cache.pages.size());
}

TEST_F(DropTest, ShouldDropNothingThatItCannotKnowToBeItsOwn)
{
    context_->kernel.cachestat = false;
    coldFile(4 * BIG);
    sys_.preadv2 = [](int fd, const struct iovec *iov, int count, int64_t offset, int flags) {
        return (flags & RWF_NOWAIT) != 0 ? static_cast<int64_t>(-EOPNOTSUPP)
                                         : sfd_sys_linux.preadv2(fd, iov, count, offset, flags);
    };
    send();
    EXPECT_BYTES(content_, data_);
    EXPECT_EQ(0, cache.dropped);
    EXPECT_EQ(1, cache.not_reused);
}

TEST_F(DropTest, ShouldDropNothingUnlessItIsAsked)
{
    options_.flags = 0;
    coldFile(4 * BIG);
    send();
    EXPECT_EQ(0, cache.dropped);
    EXPECT_EQ(0, cache.not_reused);
    EXPECT_EQ(cache.file_pages, cache.pages.size());
}

TEST_F(DropTest, ShouldNotChangeHowAClientsOwnDescriptionIsRead)
{
    coldFile(2 * BIG);
    source_ = openFile(*directory_ / "file", O_RDONLY);
    send();
    EXPECT_BYTES(content_, data_);
    EXPECT_EQ(0, cache.not_reused);
    EXPECT_TRUE(cache.pages.empty());
}

TEST_F(DropTest, ShouldSendWarmFilesFromTheLoop)
{
    coldFile(4 * BIG);
    fill(0, content_.size());
    send();
    EXPECT_BYTES(content_, data_);
    EXPECT_EQ(0u, count(SFD_COUNTER_COLD_WINDOWS));
    EXPECT_EQ(cache.file_pages, cache.pages.size());
}

TEST_F(DropTest, ShouldForgetPartsThatAreMoreThanASpanBehind)
{
    struct sfd_drop drop = {};
    cache.file_pages = UINT64_MAX;
    sfd_drop_claim(&drop, &context_->kernel, -1, 0, SFD_DROP_PART);
    fill(0, SFD_DROP_PART);
    sfd_drop_claim(&drop, &context_->kernel, -1, SFD_DROP_SPAN, SFD_DROP_SPAN + 2 * SFD_DROP_PART);
    fill(SFD_DROP_SPAN, 2 * SFD_DROP_PART);
    sfd_drop_behind(&drop, &sys_, -1, SFD_DROP_SPAN + 2 * SFD_DROP_PART - 1);
    EXPECT_EQ(2 * PART_PAGES, cache.pages.size()) << "the old one, and the one that has not ended";
    sfd_drop_behind(&drop, &sys_, -1, UINT64_MAX);
    EXPECT_EQ(PART_PAGES, cache.pages.size());
    EXPECT_EQ(0u, drop.own);
}

TEST_F(DropTest, ShouldDropNothingOfOthersBehindAHoleThatIsLongerThanASpan)
{
    struct sfd_drop drop = {};
    cache.file_pages = UINT64_MAX;
    sfd_drop_claim(&drop, &context_->kernel, -1, 0, 3 * SFD_DROP_PART);
    const uint64_t far = 3 * SFD_DROP_SPAN;
    fill(far, SFD_DROP_PART); // somebody else's, where the first part's bit would stand for it
    sfd_drop_claim(&drop, &context_->kernel, -1, far + SFD_DROP_PART, far + 2 * SFD_DROP_PART);
    sfd_drop_behind(&drop, &sys_, -1, UINT64_MAX);
    EXPECT_EQ(PART_PAGES, cache.pages.size());
}

TEST(DropRealTest, ShouldEmptyTheKernelsPageCacheOfItsOwnPartsOnly)
{
    const TemporaryDirectory directory;
    const Kernel kernel;
    const size_t size = 8 * SFD_DROP_PART;
    writeFile(directory / "file", pattern(size));
    const OwnedFd fd = openFile(directory / "file", O_RDONLY);
    struct sfd_cachestat stat = {};
    const auto present = [&](uint64_t part) {
        const struct sfd_cachestat_range range = {part * SFD_DROP_PART, SFD_DROP_PART};
        EXPECT_EQ(0, sfd_sys_linux.cachestat(fd.get(), &range, &stat));
        return stat.nr_cache;
    };
    ASSERT_EQ(0, fsync(fd.get()));
    if (!kernel.kernel.cachestat || !evict(fd.get())) {
        GTEST_SKIP() << "no cachestat, or a file system that is all memory";
    }
    char byte;
    ASSERT_EQ(0, posix_fadvise(fd.get(), 0, 0, POSIX_FADV_RANDOM)); // one page
    ASSERT_EQ(1, pread(fd.get(), &byte, 1, 5 * SFD_DROP_PART + 10000));
    struct sfd_drop drop = {};
    sfd_drop_claim(&drop, &kernel.kernel, fd.get(), 0, size);
    EXPECT_EQ(static_cast<int64_t>(size), sfd_residency_load(&kernel.kernel, fd.get(), 0, size));
    sfd_drop_behind(&drop, &sfd_sys_linux, fd.get(), UINT64_MAX);
    for (uint64_t part = 0; part < 8; part++) {
        EXPECT_EQ(part == 5 ? SFD_DROP_PART / static_cast<uint64_t>(sysconf(_SC_PAGESIZE)) : 0u, present(part)) << part;
    }
}

} // namespace
