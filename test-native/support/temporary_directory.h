// A private directory that goes away with its test.
#ifndef SFD_TEST_TEMPORARY_DIRECTORY_H
#define SFD_TEST_TEMPORARY_DIRECTORY_H

#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>

#include <stdlib.h>

class TemporaryDirectory
{
  public:
    explicit TemporaryDirectory(const std::string &parent = "/tmp")
        : path_(parent + "/sendfiled-test-XXXXXX") // short: sockets in it have 107 bytes at most
    {
        if (mkdtemp(path_.data()) == nullptr) {
            throw std::runtime_error("mkdtemp");
        }
    }
    TemporaryDirectory(const TemporaryDirectory &) = delete;
    TemporaryDirectory &operator=(const TemporaryDirectory &) = delete;
    ~TemporaryDirectory()
    {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    const std::string &path() const
    {
        return path_;
    }
    std::string operator/(const std::string &name) const
    {
        return path_ + "/" + name;
    }

  private:
    std::string path_;
};

#endif
