// Tests of native/core/wire.c: the golden vectors, and what a table of vectors cannot say.
#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

extern "C" {
#include "wire.h"
}

namespace
{

using Bytes = std::vector<unsigned char>;

struct Vector {
    std::string name;
    std::string kind;
    std::map<std::string, std::string> fields;
    Bytes bytes;
};

Bytes parseBytes(const std::string &text)
{
    Bytes bytes;
    std::istringstream groups(text);
    std::string group;

    while (groups >> group) {
        const auto star = group.find('*');
        const std::string hex = group.substr(0, star);
        const unsigned long times =
            star == std::string::npos ? 1 : std::stoul(group.substr(star + 1));

        for (unsigned long n = 0; n < times; n++) {
            for (size_t i = 0; i < hex.size(); i += 2) {
                bytes.push_back(
                    static_cast<unsigned char>(std::stoul(hex.substr(i, 2), nullptr, 16)));
            }
        }
    }
    return bytes;
}

std::vector<Vector> readVectors()
{
    std::ifstream file(SENDFILED_SOURCE_DIR "/test-native/golden/messages.txt");
    std::vector<Vector> vectors;
    std::string line;

    while (std::getline(file, line)) {
        if (line.empty() || line[0] == '#') {
            continue;
        }
        const auto first = line.find('|');
        const auto second = line.find('|', first + 1);
        Vector vector;
        std::istringstream words(line.substr(first + 1, second - first - 1));
        std::string word;

        std::istringstream(line.substr(0, first)) >> vector.name;
        words >> vector.kind;
        while (words >> word) {
            const auto equals = word.find('=');
            vector.fields[word.substr(0, equals)] = word.substr(equals + 1);
        }
        vector.bytes = parseBytes(line.substr(second + 1));
        vectors.push_back(vector);
    }
    return vectors;
}

uint64_t unsignedField(const Vector &v, const std::string &key)
{
    return std::stoull(v.fields.at(key));
}

int64_t signedField(const Vector &v, const std::string &key)
{
    return std::stoll(v.fields.at(key));
}

int errnoByName(const std::string &name)
{
    static const std::map<std::string, int> numbers = {
        {"EBADMSG", EBADMSG}, {"ENAMETOOLONG", ENAMETOOLONG},       {"ENOENT", ENOENT},
        {"ERANGE", ERANGE},   {"EPROTONOSUPPORT", EPROTONOSUPPORT},
    };
    return numbers.at(name);
}

Bytes encodeRequest(const Vector &v)
{
    const auto cmd = static_cast<uint8_t>(unsignedField(v, "command"));
    Bytes bytes(SFD_WIRE_MAX_REQUEST_SIZE, 0xee);

    if (v.fields.count("path") == 0) {
        bytes.resize(sfd_wire_put_transfer_request(bytes.data(), cmd, unsignedField(v, "id")));
        return bytes;
    }
    bytes.resize(sfd_wire_put_path_request(bytes.data(), cmd, signedField(v, "offset"),
                                           unsignedField(v, "length")));
    const Bytes path = parseBytes(v.fields.at("path"));
    bytes.insert(bytes.end(), path.begin(), path.end());
    bytes.push_back(0);
    return bytes;
}

void expectRequest(const Vector &v)
{
    sfd_wire_request request = {};

    ASSERT_EQ(sfd_wire_get_request(v.bytes.data(), v.bytes.size(), &request), 0);
    EXPECT_EQ(request.cmd, unsignedField(v, "command"));
    if (v.fields.count("path") == 0) {
        EXPECT_EQ(request.id, unsignedField(v, "id"));
        return;
    }
    EXPECT_EQ(request.offset, signedField(v, "offset"));
    EXPECT_EQ(request.length, unsignedField(v, "length"));
    EXPECT_EQ(Bytes(request.path, request.path + request.path_length),
              parseBytes(v.fields.at("path")));
    EXPECT_EQ(request.path[request.path_length], '\0');
}

Bytes encodeResponse(const Vector &v)
{
    Bytes bytes(SFD_WIRE_MAX_RESPONSE_SIZE, 0xee);
    size_t size = 0;

    if (v.kind == "file_info") {
        const sfd_wire_file_info info = {
            unsignedField(v, "size"), signedField(v, "atime"), signedField(v, "mtime"),
            signedField(v, "ctime"),  unsignedField(v, "id"),
        };
        size = sfd_wire_put_file_info(bytes.data(), &info);
    } else if (v.kind == "progress") {
        size = sfd_wire_put_xfer_stat(bytes.data(), unsignedField(v, "moved"));
    } else if (v.kind == "complete") {
        size = sfd_wire_put_complete(bytes.data());
    } else {
        size = sfd_wire_put_error(bytes.data(), static_cast<uint8_t>(unsignedField(v, "command")),
                                  static_cast<int>(signedField(v, "errno")));
    }
    bytes.resize(size);
    return bytes;
}

void expectResponse(const Vector &v)
{
    Bytes bytes = v.bytes;
    sfd_wire_response response = {};

    bytes.insert(bytes.end(), 7, 0xee); // the next message, or a file's bytes
    ASSERT_EQ(sfd_wire_get_response(bytes.data(), bytes.size(), &response),
              static_cast<int>(v.bytes.size()));
    if (v.kind == "file_info") {
        EXPECT_EQ(response.kind, SFD_WIRE_RESPONSE_INFO);
        EXPECT_EQ(response.info.size, unsignedField(v, "size"));
        EXPECT_EQ(response.info.atime, signedField(v, "atime"));
        EXPECT_EQ(response.info.mtime, signedField(v, "mtime"));
        EXPECT_EQ(response.info.ctime, signedField(v, "ctime"));
        EXPECT_EQ(response.info.id, unsignedField(v, "id"));
    } else if (v.kind == "progress") {
        EXPECT_EQ(response.kind, SFD_WIRE_RESPONSE_PROGRESS);
        EXPECT_EQ(response.moved, unsignedField(v, "moved"));
    } else if (v.kind == "complete") {
        EXPECT_EQ(response.kind, SFD_WIRE_RESPONSE_COMPLETE);
    } else {
        EXPECT_EQ(response.kind, SFD_WIRE_RESPONSE_ERROR);
        EXPECT_EQ(response.cmd, unsignedField(v, "command"));
        EXPECT_EQ(response.errnum, signedField(v, "errno"));
    }
}

TEST(Wire, shouldAgreeWithTheGoldenVectors)
{
    std::map<std::string, int> seen;

    for (const Vector &v : readVectors()) {
        SCOPED_TRACE(v.name);
        sfd_wire_request request = {};
        sfd_wire_response response = {};

        seen[v.kind]++;
        if (v.kind == "request") {
            EXPECT_EQ(encodeRequest(v), v.bytes);
            expectRequest(v);
        } else if (v.kind == "request_decode") {
            expectRequest(v);
        } else if (v.kind == "refused") {
            EXPECT_EQ(sfd_wire_get_request(v.bytes.data(), v.bytes.size(), &request),
                      -errnoByName(v.fields.at("errno")));
            EXPECT_EQ(request.cmd, 0); // untouched
        } else if (v.kind == "error_encode") {
            EXPECT_EQ(encodeResponse(v), v.bytes);
        } else if (v.kind == "incomplete") {
            EXPECT_EQ(sfd_wire_get_response(v.bytes.data(), v.bytes.size(), &response), 0);
        } else if (v.kind == "malformed") {
            EXPECT_EQ(sfd_wire_get_response(v.bytes.data(), v.bytes.size(), &response), -EBADMSG);
        } else {
            EXPECT_EQ(encodeResponse(v), v.bytes);
            expectResponse(v);
        }
    }
    for (const char *kind : {"request", "request_decode", "refused", "file_info", "progress",
                             "complete", "error", "error_encode", "incomplete", "malformed"}) {
        EXPECT_GT(seen[kind], 0) << "no vector of kind " << kind;
    }
}

TEST(Wire, shouldKnowEveryCommandByte)
{
    unsigned char message[26] = {};
    sfd_wire_request request = {};

    message[24] = 'a';
    for (int cmd = 0; cmd <= 255; cmd++) {
        message[0] = static_cast<unsigned char>(cmd);
        const int expected = cmd >= 1 && cmd <= 3         ? 0
                             : cmd >= 0x10 && cmd <= 0x7f ? -EPROTONOSUPPORT
                                                          : -EBADMSG;
        EXPECT_EQ(sfd_wire_get_request(message, sizeof message, &request), expected) << cmd;
    }
}

TEST(Wire, shouldNeverReadPastTheLengthGiven)
{
    // An exactly sized heap block for each prefix of each vector: the sanitizer build watches the
    // end.
    for (const Vector &v : readVectors()) {
        const size_t longest = v.bytes.size() < 64 ? v.bytes.size() : 64;

        for (size_t size = 0; size <= longest; size++) {
            const Bytes prefix(v.bytes.begin(),
                               v.bytes.begin() + static_cast<std::ptrdiff_t>(size));
            sfd_wire_request request = {};
            sfd_wire_response response = {};

            EXPECT_LE(sfd_wire_get_request(prefix.data(), prefix.size(), &request), 0);
            EXPECT_LE(sfd_wire_get_response(prefix.data(), prefix.size(), &response),
                      static_cast<int>(prefix.size()));
        }
    }
}

TEST(Wire, shouldWorkAtAnyAlignment)
{
    unsigned char buffer[8 + SFD_WIRE_MAX_RESPONSE_SIZE];

    for (size_t shift = 0; shift < 8; shift++) {
        const sfd_wire_file_info info = {1, 2, 3, 4, 5};
        sfd_wire_response response = {};
        const size_t size = sfd_wire_put_file_info(buffer + shift, &info);

        ASSERT_EQ(sfd_wire_get_response(buffer + shift, size, &response), 48);
        EXPECT_EQ(response.info.ctime, 4);
        EXPECT_EQ(response.info.id, 5u);
    }
}

} // namespace
