// Tests of support/dispatcher, which other tests and fuzz targets trust to decode as the daemon does: the golden
// vectors, and what a table of vectors cannot say.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "core.h"
#include "golden.h"

namespace
{

int errnoByName(const std::string &name)
{
    static const std::map<std::string, int> numbers = {
        {"EBADMSG", EBADMSG},
        {"ENAMETOOLONG", ENAMETOOLONG},
        {"ENOENT", ENOENT},
        {"ERANGE", ERANGE},
        {"EPROTONOSUPPORT", EPROTONOSUPPORT},
        {"EINVAL", EINVAL},
        {"E2BIG", E2BIG},
        {"EMSGSIZE", EMSGSIZE},
    };
    return numbers.at(name);
}

uint8_t versionOf(const GoldenVector &v)
{
    return v.has("version") ? static_cast<uint8_t>(v.number("version")) : 1;
}

/* In version 1, 0 is "to the end". */
uint64_t lengthOf(const GoldenVector &v)
{
    return versionOf(v) == 1 && v.number("length") == 0 ? SFD_WIRE_TO_END : v.number("length");
}

void expectRequest(const GoldenVector &v)
{
    dispatcher_request request = {};

    ASSERT_EQ(dispatcher_decode(v.bytes.data(), v.bytes.size(), &request), 0);
    EXPECT_EQ(request.cmd, v.number("command"));
    EXPECT_EQ(request.version, 0);
    EXPECT_EQ(dispatcher_version(v.bytes.data(), v.bytes.size()), 0);
    if (!v.has("path")) {
        EXPECT_EQ(request.id, v.number("id"));
        return;
    }
    EXPECT_EQ(request.offset, v.signedNumber("offset"));
    EXPECT_EQ(request.length, lengthOf(v));
    EXPECT_EQ(Bytes(request.path, request.path + request.path_length), parseBytes(v.fields.at("path")));
    EXPECT_EQ(request.path[request.path_length], '\0');
}

sfd_options optionsOf(const GoldenVector &v)
{
    sfd_options options = {};

    options.rate = v.number("rate");
    options.idle_ms = static_cast<uint32_t>(v.number("idle"));
    options.deadline_ms = static_cast<uint32_t>(v.number("deadline"));
    options.technique = static_cast<uint8_t>(v.number("technique"));
    options.flags = static_cast<uint8_t>(v.number("flags"));
    return options;
}

void expectExtended(const GoldenVector &v)
{
    const sfd_options options = optionsOf(v);
    dispatcher_request request = {};

    ASSERT_EQ(dispatcher_decode(v.bytes.data(), v.bytes.size(), &request), 0);
    EXPECT_EQ(request.cmd, v.number("asks"));
    EXPECT_EQ(request.version, versionOf(v));
    EXPECT_EQ(request.options.version, versionOf(v));
    EXPECT_EQ(request.offset, v.signedNumber("offset"));
    EXPECT_EQ(request.length, lengthOf(v));
    EXPECT_EQ(request.options.rate, options.rate);
    EXPECT_EQ(request.options.idle_ms, options.idle_ms);
    EXPECT_EQ(request.options.deadline_ms, options.deadline_ms);
    EXPECT_EQ(request.options.technique, options.technique);
    EXPECT_EQ(request.options.flags, options.flags);
    EXPECT_EQ(request.segment_count, parseSegments(v).size());
    EXPECT_EQ(request.segment_count == 0 ? nullptr : request.segments + request.segments_size,
              request.segment_count == 0 ? nullptr : reinterpret_cast<const char *>(v.bytes.data()) + v.bytes.size());
    if (!v.has("path")) {
        EXPECT_EQ(request.path, nullptr);
        return;
    }
    EXPECT_EQ(Bytes(request.path, request.path + request.path_length), parseBytes(v.fields.at("path")));
    EXPECT_EQ(request.path[request.path_length], '\0');
}

TEST(Dispatcher, shouldAgreeWithTheGoldenVectors)
{
    std::map<std::string, int> seen;

    for (const GoldenVector &v : readGoldenVectors()) {
        SCOPED_TRACE(v.name);
        dispatcher_request request = {};

        seen[v.kind]++;
        if (v.kind == "request" || v.kind == "request_decode") {
            expectRequest(v);
        } else if (v.kind == "extended" || v.kind == "extended_decode") {
            expectExtended(v);
        } else if (v.kind == "refused") {
            EXPECT_EQ(dispatcher_decode(v.bytes.data(), v.bytes.size(), &request), -errnoByName(v.fields.at("errno")));
            EXPECT_EQ(request.cmd, 0); // untouched
            EXPECT_EQ(dispatcher_version(v.bytes.data(), v.bytes.size()), v.has("extended") ? versionOf(v) : 0);
        }
    }
    for (const char *kind : {"request", "request_decode", "extended", "extended_decode", "refused"}) {
        EXPECT_GT(seen[kind], 0) << "no vector of kind " << kind;
    }
}

TEST(Dispatcher, shouldKnowEveryCommandByte)
{
    unsigned char message[26] = {};
    dispatcher_request request = {};

    message[24] = 'a';
    for (int cmd = 0; cmd <= 255; cmd++) {
        message[0] = static_cast<unsigned char>(cmd);
        const int expected = cmd >= 1 && cmd <= 3 ? 0 : cmd >= 0x10 && cmd <= 0x7f ? -EPROTONOSUPPORT : -EBADMSG;
        EXPECT_EQ(dispatcher_decode(message, sizeof message, &request), expected) << cmd;
    }
}

TEST(Dispatcher, shouldNeverReadPastTheLengthGiven)
{
    // An exactly sized heap block for each prefix of each vector: the sanitizer build watches the
    // end.
    for (const GoldenVector &v : readGoldenVectors()) {
        const size_t longest = v.bytes.size() < 64 ? v.bytes.size() : 64;

        for (size_t size = 0; size <= longest; size++) {
            const Bytes prefix(v.bytes.begin(), v.bytes.begin() + static_cast<std::ptrdiff_t>(size));
            dispatcher_request request = {};

            EXPECT_LE(dispatcher_decode(prefix.data(), prefix.size(), &request), 0);
        }
    }
}

TEST(Dispatcher, shouldAnswerRandomBytesWithinItsRules)
{
    std::mt19937 random(20261120);
    const std::vector<GoldenVector> vectors = readGoldenVectors();

    for (int n = 0; n < 200000; n++) {
        Bytes bytes = vectors[random() % vectors.size()].bytes;

        bytes.resize(random() % 4 == 0 ? random() % 64 : std::min<size_t>(bytes.size(), 64));
        if (bytes.size() > 8 && bytes[0] >= 0x11 && bytes[0] <= 0x14 && random() % 2 == 0) {
            const auto total = static_cast<uint32_t>(bytes.size()); // past the first checks
            memcpy(&bytes[4], &total, sizeof total);
        }
        for (unsigned change = random() % 4; change > 0 && !bytes.empty(); change--) {
            bytes[random() % bytes.size()] = static_cast<unsigned char>(random());
        }

        dispatcher_request request = {};
        const int result = dispatcher_decode(bytes.data(), bytes.size(), &request);
        if (result != 0) {
            ASSERT_TRUE(result == -EBADMSG || result == -EPROTONOSUPPORT || result == -ENOENT || result == -ERANGE ||
                        result == -EINVAL || result == -E2BIG || result == -EMSGSIZE)
                << result;
            continue;
        }
        ASSERT_GE(request.cmd, 1);
        ASSERT_TRUE(request.cmd <= 5 || request.cmd == SFD_WIRE_SEND_DESCRIPTOR);
        ASSERT_EQ(dispatcher_version(bytes.data(), bytes.size()), request.version);
        ASSERT_LT(request.options.technique, SFD_TECHNIQUES);
        ASSERT_LE(request.options.flags, SFD_OPTIONS_ALL);
        if (request.cmd == SFD_WIRE_SEND_OPEN_FILE || request.cmd == SFD_WIRE_CANCEL) {
            ASSERT_EQ(bytes.size(), 16u);
            continue;
        }
        ASSERT_GE(request.offset, 0);
        if (request.length != SFD_WIRE_TO_END) {
            ASSERT_LE(static_cast<uint64_t>(request.offset) + request.length, static_cast<uint64_t>(INT64_MAX));
        }
        if (request.cmd == SFD_WIRE_SEND_DESCRIPTOR) {
            ASSERT_EQ(bytes.size() - (request.segment_count > 0 ? request.segments_size : 0), 48u);
        } else {
            ASSERT_EQ(std::strlen(request.path), request.path_length);
            ASSERT_EQ((request.version > 0 ? 48 : 24) + request.path_length + 1 +
                          (request.segment_count > 0 ? request.segments_size : 0),
                      bytes.size());
        }
    }
}

/* The verdict on an extended Read File that is sound but for its receipt; 1000 is whose requests are served. */
int verdictOn(int32_t fault, uint32_t uid, const std::string &vector = "extended_read_file")
{
    const Bytes bytes = goldenVector(vector).bytes;
    struct sfd_slot slot = {};

    slot.fault = fault;
    slot.uid = uid;
    slot.length = static_cast<int32_t>(bytes.size());
    std::copy(bytes.begin(), bytes.end(), slot.bytes);
    dispatcher_decide(&slot, 1000);
    return slot.verdict;
}

TEST(Dispatcher, shouldLookAtTheSenderAndTheReceiptOfARequest)
{
    EXPECT_EQ(verdictOn(SFD_SLOT_SOUND, 1000), 0);
    EXPECT_EQ(verdictOn(SFD_SLOT_SOUND, 0), 0);
    EXPECT_EQ(verdictOn(SFD_SLOT_SOUND, 1001), EACCES);
    EXPECT_EQ(verdictOn(SFD_SLOT_MALFORMED, 1000), EBADMSG);
    EXPECT_EQ(verdictOn(SFD_SLOT_MALFORMED, 1001), EACCES);
    EXPECT_EQ(verdictOn(SFD_SLOT_ANONYMOUS, 0), EBADMSG);
    EXPECT_EQ(verdictOn(SFD_SLOT_CROWDED, 1000), EMFILE);
    EXPECT_EQ(verdictOn(SFD_SLOT_CROWDED, 1000, "send_open_file"), 0);
}

} // namespace
