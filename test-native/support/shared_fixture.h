// What the loops of one engine share, without an engine: the base of every fixture that runs loops.
//
// A directory is the root, one end of a socket pair is the request socket. The derived fixture scripts the system
// calls, creates the loops after setUpShared and destroys them before tearDownShared.
#ifndef SFD_TEST_SHARED_FIXTURE_H
#define SFD_TEST_SHARED_FIXTURE_H

#include "core.h"

#include <memory>

extern "C" {
#include "loop/loop.h"
}

class SharedFixture : public CoreTest
{
  protected:
    /* With sys_ scripted, and shared_->settings and limits_ as the test wants them. */
    void setUpShared()
    {
        ASSERT_EQ(0, sfd_watchdog_init(&shared_->watchdog));
        ASSERT_EQ(0, sfd_kernel_init(&shared_->kernel, &sys_));
        shared_->techniques = sfd_techniques_available(&sys_);
        sfd_devices_init(&shared_->devices);
        sfd_write_ranges_init(&shared_->write_ranges);
        sfd_carriers_init(&shared_->carriers);
        ASSERT_EQ(0, sfd_counters_file_make(&shared_->counters_file, -1, NULL, "test", SFD_LOOPS_MAX, SFD_QUEUES, 64));
        sfd_client_accounts_init(&shared_->accounts, &limits_);
        sfd_memory_budget_init(&shared_->memory, &sfd_sys_linux, 0, 0);
        directory_ = std::make_unique<TemporaryDirectory>();
        root_ = openFile(directory_->path(), O_PATH | O_DIRECTORY);
        servedRoot_.fd = root_.get();
        servedRoot_.opens_here = true;
        servedRoot_.references = 1;
        shared_->roots[0] = &servedRoot_;
        requests_ = std::make_unique<SocketPair>(SOCK_DGRAM);
        const int on = 1;
        ASSERT_EQ(0, setsockopt(requests_->in.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
        setNonblocking(requests_->in.get());
        shared_->request_fd = requests_->in.get();
        shared_->session_fd = -1;
    }
    void tearDownShared()
    {
        sfd_carriers_deinit(&shared_->carriers);
        EXPECT_EQ(1u, servedRoot_.references.load()) << "a root is still in use";
        requests_.reset();
        root_.reset();
        directory_.reset();
        EXPECT_EQ(nullptr, shared_->write_ranges.first) << "a range that nobody writes to";
        sfd_write_ranges_deinit(&shared_->write_ranges);
        sfd_devices_deinit(&shared_->devices);
        sfd_client_accounts_deinit(&shared_->accounts); // forgets those that it remembers
        for (const struct sfd_client_account *account : shared_->accounts.buckets) {
            EXPECT_EQ(nullptr, account) << "an account outlived the loops";
        }
        sfd_memory_budget_deinit(&shared_->memory);
        sfd_counters_file_release(&shared_->counters_file);
        sfd_kernel_deinit(&shared_->kernel);
        sfd_watchdog_deinit(&shared_->watchdog);
    }

    struct sfd_limits limits_ = {}; // of each client
    std::unique_ptr<struct sfd_shared> shared_;
    struct sfd_sys sys_;
    std::unique_ptr<TemporaryDirectory> directory_;
    OwnedFd root_;
    struct sfd_root servedRoot_ = {};
    std::unique_ptr<SocketPair> requests_;
};

#endif
