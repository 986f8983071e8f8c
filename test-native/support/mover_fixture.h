// A file, and destinations to move it to: what tests of movers share.
#ifndef SFD_TEST_MOVER_FIXTURE_H
#define SFD_TEST_MOVER_FIXTURE_H

#include "scripted.h"

#include <memory>

class MoverFixture : public CoreTest
{
  protected:
    static constexpr uint64_t SIZE = 50000;

    void SetUp() override
    {
        CoreTest::SetUp();
        script = {};
        kernel_ = std::make_unique<Kernel>();
        sys_ = scripted();
        kernel_->kernel.sys = &sys_;
        directory_ = std::make_unique<TemporaryDirectory>();
        content_ = pattern(SIZE);
        writeFile(*directory_ / "file", content_);
        file_ = openFile(*directory_ / "file", O_RDONLY);
        buffer_.resize(16384);
    }
    void TearDown() override
    {
        file_.reset();
        pipe_.reset();
        pair_.reset();
        directory_.reset();
        kernel_.reset();
        CoreTest::TearDown();
    }

    struct sfd_move to(int dest, enum sfd_fd_kind kind)
    {
        struct sfd_move move = {};
        move.kernel = &kernel_->kernel;
        move.file = file_.get();
        move.dest = dest;
        move.dest_kind = kind;
        move.buffer = buffer_.data();
        move.buffer_size = buffer_.size();
        return move;
    }
    struct sfd_move toPipe()
    {
        pipe_ = std::make_unique<Pipe>();
        return to(pipe_->out.get(), SFD_FD_PIPE);
    }
    struct sfd_move toSocket()
    {
        pair_ = std::make_unique<SocketPair>();
        setNonblocking(pair_->out.get());
        const int size = 1 << 20;
        setsockopt(pair_->out.get(), SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
        return to(pair_->out.get(), SFD_FD_UNIX_STREAM);
    }

    /* Steps until all is moved or one stops, as a transfer does. */
    static struct sfd_progress stepAll(const struct sfd_move *move, enum sfd_technique technique, uint64_t offset,
                                       uint64_t limit)
    {
        struct sfd_progress all = {};
        all.step = SFD_STEP_MORE;
        while (all.step == SFD_STEP_MORE && all.moved < limit) {
            const struct sfd_progress step = sfd_mover_step(move, technique, offset + all.moved, limit - all.moved);
            all.moved += step.moved;
            all.step = step.step;
            all.error = step.error;
        }
        return all;
    }

    std::unique_ptr<Kernel> kernel_;
    struct sfd_sys sys_;
    std::unique_ptr<TemporaryDirectory> directory_;
    std::string content_;
    OwnedFd file_;
    std::string buffer_;
    std::unique_ptr<Pipe> pipe_;
    std::unique_ptr<SocketPair> pair_;
};

#endif
