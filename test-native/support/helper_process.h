// A helper program that a test starts, waits for and ends.
#ifndef SFD_TEST_HELPER_PROCESS_H
#define SFD_TEST_HELPER_PROCESS_H

#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

// Where a helper is, or would be: some are left out of some builds.
inline std::string helper(const std::string &name)
{
    return std::string(SENDFILED_BIN_DIR "/") + name;
}

inline bool helperExists(const std::string &name)
{
    return access(helper(name).c_str(), X_OK) == 0;
}

class HelperProcess
{
  public:
    explicit HelperProcess(const std::vector<std::string> &command)
    {
        int out[2];
        std::vector<char *> args;

        for (const std::string &arg : command) {
            args.push_back(const_cast<char *>(arg.c_str()));
        }
        args.push_back(nullptr);
        if (pipe2(out, O_CLOEXEC) < 0 || (pid_ = fork()) < 0) {
            throw std::runtime_error("cannot start " + command[0]);
        }
        if (pid_ == 0) {
            dup2(out[1], STDOUT_FILENO);
            execv(args[0], args.data());
            _exit(127);
        }
        close(out[1]);
        output_ = out[0];
    }
    HelperProcess(const HelperProcess &) = delete;
    HelperProcess &operator=(const HelperProcess &) = delete;
    ~HelperProcess()
    {
        stop();
    }

    // The next line of its output, without its end; empty at the end.
    std::string readLine()
    {
        std::string line;
        char c;

        while (read(output_, &c, 1) == 1 && c != '\n') {
            line += c;
        }
        return line;
    }

    pid_t pid() const
    {
        return pid_;
    }

    void signal(int number)
    {
        kill(pid_, number);
    }

    // Waits for its own end: the exit status, or 128 + signal.
    int wait()
    {
        int status = 0;

        while (pid_ > 0 && waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
        }
        pid_ = -1;
        close(output_);
        output_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }

    // SIGTERM, and its end.
    int stop()
    {
        if (pid_ <= 0) {
            return -1;
        }
        signal(SIGTERM);
        return wait();
    }

  private:
    pid_t pid_ = -1;
    int output_ = -1;
};

#endif
