// Tests of the benchmark's programs: numbers of servers and of a load client that are wrong are worse than none.
#include <gtest/gtest.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "descriptors.h"
#include "helper_process.h"
#include "temporary_directory.h"

extern "C" {
#include "sys/sys.h"
}

namespace
{

class BenchProgramsTest : public DescriptorCountingTest
{
  protected:
    void SetUp() override
    {
        DescriptorCountingTest::SetUp();
        directory_ = std::make_unique<TemporaryDirectory>();
        std::mt19937 random(1);
        std::ofstream small(*directory_ / "small");
        std::ofstream big(*directory_ / "big");
        for (int i = 0; i < 4096; i++) {
            small.put(static_cast<char>(random()));
        }
        for (int i = 0; i < (3 << 20) + 1; i++) {
            big.put(static_cast<char>(random()));
        }
    }

    void TearDown() override
    {
        server_.reset();
        directory_.reset();
        DescriptorCountingTest::TearDown();
    }

    void serveWith(const std::string &program, const std::vector<std::string> &options = {})
    {
        std::vector<std::string> command{helper(program), *directory_ / "socket", directory_->path()};
        command.insert(command.end(), options.begin(), options.end());
        server_ = std::make_unique<HelperProcess>(command);
        ASSERT_EQ(server_->readLine(), "ready");
    }

    // The load client's report on this many transfers of one file, every byte compared.
    std::string load(const std::string &file, std::vector<std::string> options)
    {
        options.insert(options.begin(), {helper("load"), "--socket", *directory_ / "socket", "--path", file,
                                         "--reference", *directory_ / file, "--timeout", "20"});
        HelperProcess client(options);
        const std::string report = client.readLine();
        client.wait();
        return report;
    }

    std::unique_ptr<TemporaryDirectory> directory_;
    std::unique_ptr<HelperProcess> server_;
};

constexpr char kAllWell[] = "{\"requests\":40,\"failures\":0,";

#define EXPECT_ALL_WELL(report) EXPECT_EQ((report).substr(0, sizeof kAllWell - 1), kAllWell) << (report)

TEST_F(BenchProgramsTest, ShouldServeEveryOperationWithTheOriginalsCalls)
{
    serveWith("server_original");
    for (const char *operation : {"read", "send", "open"}) {
        for (const char *channel : {"tcp", "unix", "pipe"}) {
            for (const char *file : {"small", "big"}) {
                EXPECT_ALL_WELL(
                    load(file, {"--op", operation, "--to", channel, "--depth", "4", "--count", "40", "--eof"}))
                    << operation << " " << channel << " " << file;
            }
        }
    }
}

TEST_F(BenchProgramsTest, ShouldServeReadsAndSendsWithTheFewestCalls)
{
    serveWith("server_fewest");
    for (const char *operation : {"read", "send"}) {
        for (const char *file : {"small", "big"}) {
            EXPECT_ALL_WELL(load(file, {"--op", operation, "--to", "tcp", "--count", "40", "--eof"}))
                << operation << " " << file;
        }
    }
}

TEST_F(BenchProgramsTest, ShouldServeARange)
{
    serveWith("server_original");
    EXPECT_ALL_WELL(load("big", {"--offset", "4095", "--length", "70001", "--count", "40", "--eof"}));
}

TEST_F(BenchProgramsTest, ShouldCountRequestsInEachSliceOfTheTime)
{
    serveWith("server_fewest");
    const std::string report = load("small", {"--op", "read", "--warmup", "500", "--seconds", "0.2", "--slice", "1"});
    const std::string key = "\"slices\":[";
    const size_t begin = report.find(key);
    ASSERT_NE(begin, std::string::npos) << report;
    std::istringstream counts(report.substr(begin + key.size()));
    uint64_t slices = 0;
    uint64_t sum = 0;
    for (uint64_t count; counts >> count; counts.get(), slices++)
        sum += count;
    const uint64_t requests = std::stoull(report.substr(report.find(':') + 1));
    EXPECT_GE(slices, 200U) << report;
    EXPECT_LE(sum, requests) << report;
    EXPECT_GE(sum, requests / 2) << report; /* but for the slice that was not over */
}

TEST_F(BenchProgramsTest, ShouldReportARefusalAsAFailure)
{
    serveWith("server_original");
    HelperProcess client({helper("load"), "--socket", *directory_ / "socket", "--path", "missing", "--count", "1"});
    const std::string report = client.readLine();
    EXPECT_NE(report.find("\"failures\":1"), std::string::npos) << report;
    EXPECT_NE(report.find("\"first_errno\":2"), std::string::npos) << report;
    EXPECT_EQ(client.wait(), 1);
}

TEST_F(BenchProgramsTest, ShouldReportWrongBytesAsAFailure)
{
    serveWith("server_original");
    HelperProcess client({helper("load"), "--socket", *directory_ / "socket", "--path", "small", "--reference",
                          *directory_ / "big", "--count", "1"});
    EXPECT_NE(client.readLine().find("\"failures\":1"), std::string::npos);
    EXPECT_EQ(client.wait(), 1);
}

TEST_F(BenchProgramsTest, ShouldMoveEveryByteInABareLoopHoweverItWaits)
{
    for (const char *way : {"blocking", "polling", "loops", "one-loop"}) {
        serveWith("server_bare", {way});
        EXPECT_ALL_WELL(load("big", {"--op", "read", "--count", "40", "--eof"})) << way;
        for (const char *channel : {"tcp", "unix"}) {
            EXPECT_ALL_WELL(load("big", {"--op", "send", "--to", channel, "--threads", "8", "--count", "40", "--eof"}))
                << way << " " << channel;
        }
        server_.reset();
    }
}

TEST_F(BenchProgramsTest, ShouldCompareWhatWasWrittenToAFile)
{
    serveWith("server_fewest");
    EXPECT_ALL_WELL(load("big", {"--op", "send", "--to", "file", "--count", "40", "--eof"}));
    EXPECT_ALL_WELL(
        load("big", {"--op", "send", "--to", "file", "--directory", directory_->path(), "--count", "40", "--eof"}));
    HelperProcess client({helper("load"), "--socket", *directory_ / "socket", "--path", "small", "--reference",
                          *directory_ / "big", "--op", "send", "--to", "file", "--offset", "1", "--count", "1"});
    EXPECT_NE(client.readLine().find("\"failures\":1"), std::string::npos);
}

TEST_F(BenchProgramsTest, ShouldTakeEveryByteThatTheKernelDropsForIt)
{
    serveWith("server_fewest");
    HelperProcess client({helper("load"), "--socket", *directory_ / "socket", "--path", "big", "--op", "send", "--to",
                          "tcp", "--discard", "--count", "40"});
    const std::string report = client.readLine();
    EXPECT_NE(report.find("\"requests\":40,\"failures\":0,"), std::string::npos) << report;
    EXPECT_EQ(client.wait(), 0);
}

TEST_F(BenchProgramsTest, ShouldEndEarlyWithAReportWhenAsked)
{
    serveWith("server_fewest");
    HelperProcess client(
        {helper("load"), "--socket", *directory_ / "socket", "--path", "small", "--seconds", "20", "--announce"});
    EXPECT_EQ(client.readLine(), "started");
    client.signal(SIGTERM);
    EXPECT_NE(client.readLine().find("\"failures\":0,"), std::string::npos);
    EXPECT_EQ(client.wait(), 0);
}

// On a disk that holds the reads of file "a" until its gate opens.
class ColdProgramsTest : public BenchProgramsTest
{
  protected:
    void SetUp() override
    {
        BenchProgramsTest::SetUp();
        if (!helperExists("slowfs")) {
            GTEST_SKIP() << "slowfs was not built: libfuse3 is missing";
        }
        if (access("/dev/fuse", R_OK | W_OK) != 0) {
            GTEST_SKIP() << "/dev/fuse is missing or not allowed";
        }
        std::filesystem::create_directory(*directory_ / "source");
        std::filesystem::create_directory(*directory_ / "mount");
        std::ofstream(*directory_ / "source/a") << std::string(100000, 'a');
        std::ofstream(*directory_ / "source/b") << std::string(100000, 'b');
        disk_ = std::make_unique<HelperProcess>(
            std::vector<std::string>{helper("slowfs"), *directory_ / "mount", *directory_ / "source", "--hold", "a"});
        ASSERT_EQ(disk_->readLine(), "ready");
    }

    void TearDown() override
    {
        server_.reset();
        disk_.reset();
        BenchProgramsTest::TearDown();
    }

    std::unique_ptr<HelperProcess> disk_;
};

TEST_F(ColdProgramsTest, ShouldReadColdFilesWithCat)
{
    const std::vector<std::string> command{helper("cats"), *directory_ / "mount/a", *directory_ / "mount/b"};
    HelperProcess first(command);
    EXPECT_EQ(disk_->readLine(), "held");
    disk_->signal(SIGUSR1);
    EXPECT_EQ(first.readLine().rfind("{\"requests\":2,\"failures\":0,", 0), 0U);
    EXPECT_EQ(first.wait(), 0);

    HelperProcess again(command); // has pages to drop, and checks itself that it did
    EXPECT_EQ(again.readLine().rfind("{\"requests\":2,\"failures\":0,", 0), 0U);
    EXPECT_EQ(again.wait(), 0);
}

/* Of this thread, from here on; one that is not there, or not allowed, leaves it where it is. */
void runOn(size_t processor)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    sched_setaffinity(0, sizeof set, &set);
}

/* What one processor sends another one receives: the packets, which refer to pages of the file, are left to the first.
 */
TEST_F(ColdProgramsTest, ShouldMakeAFileColdOfWhichPacketsAreLeft)
{
    const OwnedFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const OwnedFd sender(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = {};
    socklen_t length = sizeof address;
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr *>(&address), length), 0);
    ASSERT_EQ(listen(listener.get(), 1), 0);
    ASSERT_EQ(getsockname(listener.get(), reinterpret_cast<sockaddr *>(&address), &length), 0);
    ASSERT_EQ(connect(sender.get(), reinterpret_cast<sockaddr *>(&address), length), 0);
    const OwnedFd receiver(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    std::thread([&] {
        runOn(0);
        const OwnedFd file(open((*directory_ / "mount/b").c_str(), O_RDONLY | O_CLOEXEC));
        EXPECT_EQ(sendfile(sender.get(), file.get(), nullptr, 100000), 100000);
    }).join();
    std::thread([&] {
        runOn(1);
        std::string bytes(100000, '\0');
        EXPECT_EQ(recv(receiver.get(), bytes.data(), bytes.size(), MSG_WAITALL), 100000);
    }).join();
    HelperProcess cats({helper("cats"), *directory_ / "mount/b"});
    EXPECT_EQ(cats.readLine().rfind("{\"requests\":1,\"failures\":0,", 0), 0U);
    EXPECT_EQ(cats.wait(), 0);
}

TEST_F(ColdProgramsTest, ShouldRefuseToCallAFileColdThatIsBeingRead)
{
    const struct sfd_cachestat_range all = {};
    struct sfd_cachestat stat = {};
    const OwnedFd file(open((*directory_ / "mount/a").c_str(), O_RDONLY | O_CLOEXEC));
    if (sfd_sys_linux.cachestat(file.get(), &all, &stat) < 0) {
        GTEST_SKIP() << "cachestat(2) is missing: Linux 6.5";
    }
    ASSERT_EQ(posix_fadvise(file.get(), 0, 0, POSIX_FADV_WILLNEED), 0);
    ASSERT_EQ(disk_->readLine(), "held");
    HelperProcess cats({helper("cats"), *directory_ / "mount/a"});
    EXPECT_EQ(cats.readLine(), "");
    EXPECT_EQ(cats.wait(), 1);
    disk_->signal(SIGUSR1);
}

TEST_F(BenchProgramsTest, ShouldRefuseToCallAFileColdWhosePagesStay)
{
    const std::string file = "/dev/shm/bench_programs_test." + std::to_string(getpid());
    std::ofstream(file) << "in memory, always";
    HelperProcess cats({helper("cats"), file});
    EXPECT_EQ(cats.readLine(), "");
    EXPECT_EQ(cats.wait(), 1);
    std::filesystem::remove(file);
}

TEST_F(ColdProgramsTest, ShouldReadFilesWithCatUntilAskedToEnd)
{
    HelperProcess cats({helper("cats"), "--loop", *directory_ / "mount/a"});
    EXPECT_EQ(cats.readLine(), "started");
    EXPECT_EQ(disk_->readLine(), "held");
    EXPECT_EQ(cats.stop(), 0);
}

TEST_F(ColdProgramsTest, ShouldMakeTheFileOfEachRequestCold)
{
    serveWith("server_original");
    HelperProcess client({helper("load"), "--socket", *directory_ / "socket", "--path", "mount/a", "--cold",
                          directory_->path(), "--reference", *directory_ / "source/a", "--count", "2"});
    EXPECT_EQ(disk_->readLine(), "held");
    disk_->signal(SIGUSR1);
    EXPECT_EQ(client.readLine().rfind("{\"requests\":2,\"failures\":0,", 0), 0U);
    EXPECT_EQ(client.wait(), 0);
}

TEST_F(BenchProgramsTest, ShouldHoldTransfersThatAreStuckUntilAskedToEnd)
{
    serveWith("server_original");
    for (const char *operation : {"read", "send"}) {
        HelperProcess stuck({helper("stuck"), "--socket", *directory_ / "socket", "--path", "big", "--op", operation,
                             "--count", "100"});
        EXPECT_EQ(stuck.readLine(), "holding 100");
        EXPECT_EQ(stuck.stop(), 0);
    }
}

TEST_F(BenchProgramsTest, ShouldNotHoldWhatIsNotStuck)
{
    serveWith("server_original");
    HelperProcess stuck({helper("stuck"), "--socket", *directory_ / "socket", "--path", "small", "--count", "1"});
    EXPECT_EQ(stuck.readLine(), "");
    EXPECT_EQ(stuck.wait(), 1);
}

// What a server has used is told of each request, and what it holds: of each number more than 0, and less than so much.
TEST_F(BenchProgramsTest, ShouldTellWhatEachRequestCostsTheServer)
{
    serveWith("server_original");
    const std::string report = load("small", {"--count", "40", "--server-pid", std::to_string(server_->pid())});
    EXPECT_ALL_WELL(report);
    const std::pair<const char *, double> most[] = {
        {"\"server_cpu_us\":", 1e6}, {"\"server_switches\":", 1e3}, {"\"server_pss_kib\":", 1e6}};
    for (const auto &[key, limit] : most) {
        const size_t at = report.find(key);
        ASSERT_NE(at, std::string::npos) << report;
        const double value = std::stod(report.substr(at + strlen(key)));
        EXPECT_GT(value, 0) << report;
        EXPECT_LT(value, limit) << report;
    }
}

TEST_F(BenchProgramsTest, ShouldMeasureWhatIdleProcessesUse)
{
    serveWith("server_original");
    HelperProcess idle({helper("idle"), "--seconds", "0.1", std::to_string(server_->pid()), std::to_string(getpid())});
    EXPECT_EQ(idle.readLine().rfind("{\"seconds\":", 0), 0U);
    EXPECT_EQ(idle.wait(), 0);
}

TEST_F(BenchProgramsTest, ShouldHandMemoryOverInEveryWayAndCheckWhatArrives)
{
    for (const std::string way : {"sealed", "unsealed", "socket", "whole-buffer", "whole-socket"}) {
        HelperProcess handover(
            {helper("handover"), "--way", way, "--size", "4096", "--size", "3145728", "--count", "3"});
        const std::string report = handover.readLine();
        EXPECT_EQ(report.rfind(R"({"way":")" + way + R"(","sizes":[{"bytes":4096,"count":3,)", 0), 0U) << report;
        EXPECT_NE(report.find(R"({"bytes":3145728,"count":3,)"), std::string::npos) << report;
        EXPECT_EQ(handover.wait(), 0);
    }
}

TEST_F(BenchProgramsTest, ShouldReadTheSameBytesHoweverTheFileIsMapped)
{
    std::string sums[2];
    for (const bool populated : {false, true}) {
        HelperProcess reader({helper("filereader"), "--way", populated ? "mmap-populate" : "mmap", "--file",
                              *directory_ / "big", "--count", "2"});
        const std::string report = reader.readLine();
        const size_t at = report.find(R"("bytes":3145729,"sum":")");
        ASSERT_NE(at, std::string::npos) << report;
        sums[populated ? 1 : 0] = report.substr(at, 40);
        EXPECT_EQ(reader.wait(), 0);
    }
    EXPECT_EQ(sums[0], sums[1]);
}

// A socket of the loopback address that listens; connections to it wait until they are accepted.
class Listener
{
  public:
    Listener() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))
    {
        sockaddr_in address{};
        socklen_t length = sizeof address;
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr *>(&address), length), 0);
        EXPECT_EQ(listen(fd_, 8), 0);
        EXPECT_EQ(getsockname(fd_, reinterpret_cast<sockaddr *>(&address), &length), 0);
        port_ = std::to_string(ntohs(address.sin_port));
    }
    ~Listener()
    {
        close(fd_);
    }
    Listener(const Listener &) = delete;
    Listener &operator=(const Listener &) = delete;

    const std::string &port() const
    {
        return port_;
    }

    // Whoever still waits for a connection goes on without.
    void stop() const
    {
        shutdown(fd_, SHUT_RDWR);
    }

    // Accepts one connection, and answers each of its requests until it hangs up; how many they were.
    int serve(const std::string &answer) const
    {
        const int connection = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
        std::string received;
        char buffer[4096];
        int requests = 0;
        for (ssize_t count; (count = recv(connection, buffer, sizeof buffer, 0)) > 0;) {
            received.append(buffer, static_cast<size_t>(count));
            if (received.size() >= 4 && received.compare(received.size() - 4, 4, "\r\n\r\n") == 0) {
                received.clear();
                requests++;
                send(connection, answer.data(), answer.size(), MSG_NOSIGNAL);
            }
        }
        close(connection);
        return requests;
    }

  private:
    int fd_;
    std::string port_;
};

std::vector<double> latencies(const std::string &report)
{
    static const std::string key = R"({"latencies_us":[)";
    std::vector<double> values;
    EXPECT_EQ(report.rfind(key, 0), 0U) << report;
    for (const char *at = report.c_str() + key.size() - 1; *at == '[' || *at == ',';) {
        char *end = nullptr;
        values.push_back(std::strtod(at + 1, &end));
        at = end;
    }
    return values;
}

TEST_F(BenchProgramsTest, ShouldSendRequestsOfHttpOnASchedule)
{
    const Listener listener;
    int requests = 0;
    std::thread server([&] { requests = listener.serve("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nbytes"); });
    HelperProcess paced({helper("http_paced"), listener.port(), "file", "5", "1", "1000", "100"});
    EXPECT_EQ(paced.readLine(), "started");
    const std::vector<double> values = latencies(paced.readLine());
    EXPECT_EQ(paced.wait(), 0);
    listener.stop();
    server.join();
    EXPECT_EQ(requests, 100);
    ASSERT_EQ(values.size(), 100U);
    for (const double value : values)
        EXPECT_GT(value, 0);
}

// Of ten requests one is under way; those behind it were never sent, and have waited as well.
TEST_F(BenchProgramsTest, ShouldChargeAServerThatStallsForAllThatWasDue)
{
    const Listener listener;
    HelperProcess paced({helper("http_paced"), listener.port(), "file", "5", "1", "100", "100"});
    EXPECT_EQ(paced.readLine(), "started");
    const std::vector<double> values = latencies(paced.readLine());
    EXPECT_EQ(paced.wait(), 0);
    ASSERT_EQ(values.size(), 10U);
    EXPECT_LE(values.back(), -1000000) << "waited since the last was due";
    for (size_t i = 1; i < values.size(); i++)
        EXPECT_NEAR(values[i] - values[i - 1], 10000, 1) << "each is due 10 ms after the one before";
}

TEST_F(BenchProgramsTest, ShouldRefuseAnAnswerThatIsNotTheFile)
{
    for (const char *answer : {"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nbytes",
                               "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbyte"}) {
        const Listener listener;
        std::thread server([&] { listener.serve(answer); });
        HelperProcess paced({helper("http_paced"), listener.port(), "file", "5", "1", "100", "100"});
        EXPECT_EQ(paced.readLine(), "started");
        EXPECT_EQ(paced.readLine(), "") << answer;
        EXPECT_EQ(paced.wait(), 1) << answer;
        listener.stop();
        server.join();
    }
}

} // namespace
