// A client of a daemon that serves a directory, in one process: what tests of the client library's hot path share.
#ifndef SFD_TEST_SERVING_FIXTURE_H
#define SFD_TEST_SERVING_FIXTURE_H

#include "await.h"
#include "helper_process.h"
#include "page_cache.h"
#include "small_daemon.h"

#include <memory>

#include <sendfiled/sendfiled.h>

class ServingFixture : public CoreTest
{
  protected:
    void SetUp() override
    {
        CoreTest::SetUp();
        directory_ = std::make_unique<TemporaryDirectory>();
        std::filesystem::create_directory(path());
        serve(path());
    }
    void TearDown() override
    {
        endDaemon();
        slowfs_.reset();
        directory_.reset();
        CoreTest::TearDown();
    }

    /* Starts the daemon, for that root, and connects to it. */
    void serve(const std::string &root)
    {
        const struct sfd_endpoint_access own = {0600, 0};
        const struct sfd_settings settings = settingsOf(1);
        ASSERT_EQ(0, sfd_engine_create(&engine_, &settings, directory_->path().c_str(), "test", root.c_str(), &own,
                                       nullptr, -1));
        daemon_ = std::make_unique<SmallDaemon>(engine_, 1);
        srv_.reset(sfd_connect(directory_->path().c_str(), "test"));
        ASSERT_LE(0, srv_.get());
    }
    /* The connection stays, and leads nowhere. */
    void endDaemon()
    {
        daemon_.reset();
        sfd_engine_destroy(engine_);
        engine_ = nullptr;
    }
    uint64_t count(enum sfd_counter counter)
    {
        return sfd_loop_counters(sfd_engine_loop(engine_, 0))->at[counter].load();
    }

    std::string path(const std::string &name = "") const
    {
        return *directory_ / ("root" + (name.empty() ? name : "/" + name));
    }
    /* Makes a file that can be evicted: it is on the disk. */
    std::string makeFile(const std::string &name, size_t size, unsigned seed = 1)
    {
        writeFile(path(name), pattern(size, seed));
        const OwnedFd file = openFile(path(name), O_RDONLY);
        EXPECT_EQ(0, fdatasync(file.get()));
        return path(name);
    }
    /* As that of a descriptor. */
    static bool evict(const std::string &path, off_t offset = 0, off_t length = 0)
    {
        return ::evict(openFile(path, O_RDONLY).get(), offset, length);
    }
    static void warm(const std::string &path)
    {
        (void)contentOf(path);
    }

    static bool canMount()
    {
        return helperExists("slowfs") && access("/dev/fuse", R_OK | W_OK) == 0;
    }
    /* Has the files of the root on a slow disk as well, which is given back. */
    std::string mountSlowly(std::vector<std::string> options)
    {
        const std::string mount = *directory_ / "mount";
        std::filesystem::create_directory(mount);
        options.insert(options.begin(), {helper("slowfs"), mount, path()});
        slowfs_ = std::make_unique<HelperProcess>(options);
        EXPECT_EQ("ready", slowfs_->readLine());
        return mount;
    }

    std::unique_ptr<TemporaryDirectory> directory_;
    std::unique_ptr<HelperProcess> slowfs_;
    struct sfd_engine *engine_ = nullptr;
    std::unique_ptr<SmallDaemon> daemon_;
    OwnedFd srv_;
};

#endif
