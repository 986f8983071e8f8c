// Two loops on threads of their own, of which one can get stuck: what tests of the receiving and of the watchdog share.
//
// A loop gets stuck as it would in life: a client clears O_NONBLOCK of its socket between the look and the sendfile,
// here played by a scripted F_GETFL.
#ifndef SFD_TEST_TWO_LOOPS_FIXTURE_H
#define SFD_TEST_TWO_LOOPS_FIXTURE_H

#include "shared_fixture.h"

#include <linux/magic.h>
#include <memory>
#include <thread>

#include "await.h"

class TwoLoopsFixture : public SharedFixture
{
  protected:
    static constexpr size_t BIG = 8 << 20;

    void SetUp() override
    {
        CoreTest::SetUp();
        shared_ = std::make_unique<struct sfd_shared>();
        shared_->settings.loops = 2;
        shared_->settings.max_transfers = 100;
        shared_->settings.open_timeout_ms = 60000;
        shared_->settings.buffer_size = 64 * 1024;
        shared_->settings.quantum = 4 << 20;
        sys_ = copyOfSys();
        sys_.fcntl = [](int fd, int command, int64_t argument) {
            const int result = sfd_sys_linux.fcntl(fd, command, argument);
            return command == F_GETFL && result >= 0 ? result | O_NONBLOCK : result;
        };
        sys_.fstatfs_type = [](int, uint64_t *type) {
            *type = TMPFS_MAGIC; // everything is warm, wherever the tests run
            return 0;
        };
        setUpShared();
        for (uint32_t i = 0; i < 2; i++) {
            ASSERT_EQ(0, sfd_loop_create(&shared_->loops[i], shared_.get(), i));
        }
        content_ = pattern(BIG);
        writeFile(*directory_ / "big", content_);
        writeFile(*directory_ / "small", "small");
        shared_->wake_signal = sfd_sys_wake_signal();
        for (struct sfd_loop *loop : {shared_->loops[0], shared_->loops[1]}) {
            threads_.emplace_back([carrier = sfd_loop_carrier(loop)] { run(carrier); });
        }
    }
    void TearDown() override
    {
        for (struct sfd_loop *loop : {shared_->loops[0], shared_->loops[1]}) {
            sfd_loop_stop(loop);
        }
        for (std::thread &thread : threads_) {
            thread.join();
        }
        for (struct sfd_loop *loop : {shared_->loops[0], shared_->loops[1]}) {
            sfd_loop_destroy(loop);
        }
        pair_.reset();
        status_.reset();
        tearDownShared();
        CoreTest::TearDown();
    }

    /* Loop, dispatcher and disk pool in one thread. */
    static void run(struct sfd_carrier *carrier)
    {
        struct sfd_turn *turn = sfd_carrier_turn(carrier);
        int result = 0;
        while (result == 0) {
            result = sfd_carrier_poll(carrier);
            for (int i = 0; i < turn->requests; i++) {
                dispatcher_decide(&turn->slot[i], getuid());
            }
            for (int i = 0; i < turn->offloads; i++) {
                sfd_loop_work(reinterpret_cast<struct sfd_task *>(turn->offload[i].task));
            }
            turn->offloads = 0;
        }
        EXPECT_EQ(-ESHUTDOWN, result);
    }

    OwnedFd request(uint8_t command, const std::string &path, int dest = -1)
    {
        Pipe status;
        char header[SFD_WIRE_MAX_REQUEST_SIZE];
        const size_t n = sfd_wire_put_path_request(header, command, 0, 0);
        const std::string bytes = std::string(header, n) + path + '\0';
        const int fds[] = {status.out.get(), dest};
        EXPECT_EQ(0, sfd_submit_send(&sfd_sys_linux, requests_->out.get(), bytes.data(), bytes.size(), fds,
                                     dest < 0 ? 1 : 2));
        return std::move(status.in);
    }
    /* A loop sits in a sendfile: its client does not read, and its socket blocks. */
    void stick()
    {
        pair_ = std::make_unique<SocketPair>();
        status_ = request(SFD_WIRE_SEND_FILE, "big", pair_->out.get());
        pair_->out.reset();
        ASSERT_TRUE(await([this] {
            sfd_watchdog_look(shared_.get(), false);
            return stuck() > 0;
        }));
    }
    uint64_t stuck()
    {
        uint64_t sum = 0;
        for (struct sfd_loop *loop : {shared_->loops[0], shared_->loops[1]}) {
            sum += sfd_loop_counters(loop)->at[SFD_COUNTER_STUCK].load();
        }
        return sum;
    }
    /* Looks until the watchdog is asleep. */
    void sleepOverWatch()
    {
        ASSERT_TRUE(await([this] { return sfd_watchdog_look(shared_.get(), false) == -1; }));
    }
    /* A request that is served at once, by whichever loop can. */
    testing::AssertionResult serves()
    {
        const OwnedFd in = request(SFD_WIRE_READ_FILE, "small");
        const bool answered = await([&] {
            sfd_watchdog_look(shared_.get(), false);
            return readable(in.get());
        });
        if (!answered) {
            return testing::AssertionFailure() << "no answer";
        }
        return sameBytes("small", readToEnd(in.get()).substr(SFD_WIRE_FILE_INFO_SIZE));
    }
    void expectAllOfTheBigFile()
    {
        std::string data;
        while (data.size() < BIG) {
            const std::string part = readExactly(pair_->in.get(), std::min(BIG - data.size(), size_t{65536}));
            sfd_watchdog_look(shared_.get(), false);
            ASSERT_FALSE(part.empty());
            data += part;
        }
        EXPECT_BYTES(content_, data);
        EXPECT_EQ("complete", messages(readToEnd(status_.get())).back());
    }

    std::string content_;
    std::vector<std::thread> threads_;
    std::unique_ptr<SocketPair> pair_;
    OwnedFd status_;
};

#endif
