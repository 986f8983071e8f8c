// A tree of its own with the places where request sockets may be. All of it belongs to whoever runs the test; who that
// is for the rule (root, the user himself, a stranger), a test says by the rule's two numbers.
#ifndef SFD_TEST_PLACES_FIXTURE_H
#define SFD_TEST_PLACES_FIXTURE_H

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include <sys/stat.h>
#include <unistd.h>

#include "descriptors.h"
#include "request_socket.h"
#include "temporary_directory.h"

extern "C" {
#include "base/socket_places.h"
#include "sys/sys.h"
#include "sys/sys_setup.h"
}

class PlacesTest : public DescriptorCountingTest
{
  protected:
    void SetUp() override
    {
        DescriptorCountingTest::SetUp();
        base_ = std::make_unique<TemporaryDirectory>();
        run_ = *base_ / "run";
        tmp_ = *base_ / "tmp";
        make(run_);
        make(tmp_);
        rule_.sys = &sfd_sys_setup_linux;
        rule_.run = run_.c_str();
        rule_.tmp = tmp_.c_str();
        rule_.uid = geteuid();
        rule_.root = geteuid();
    }

    void TearDown() override
    {
        base_.reset();
        DescriptorCountingTest::TearDown();
    }

    // The tree is root's, and the process another user's.
    void treeIsRoots()
    {
        rule_.uid = geteuid() + 1;
    }
    // The tree is the user's own, who is not root.
    void treeIsOwn()
    {
        rule_.root = geteuid() + 1;
    }
    // The tree is a stranger's.
    void treeIsAStrangers()
    {
        rule_.uid = geteuid() + 1;
        rule_.root = geteuid() + 2;
    }

    static void make(const std::string &path, mode_t mode = 0755)
    {
        ASSERT_TRUE(std::filesystem::create_directories(path)) << path;
        ASSERT_EQ(0, chmod(path.c_str(), mode)) << path;
    }

    std::string system() const
    {
        return run_ + "/sendfiled";
    }
    std::string instance(const std::string &name = "web") const
    {
        return system() + "/" + name;
    }
    std::string own() const
    {
        return tmp_ + "/sendfiled-" + std::to_string(rule_.uid);
    }
    std::string runtime() const
    {
        return *base_ / "runtime";
    }

    std::unique_ptr<TemporaryDirectory> base_;
    std::string run_;
    std::string tmp_;
    struct sfd_place_rule rule_ = {};
};

#endif
