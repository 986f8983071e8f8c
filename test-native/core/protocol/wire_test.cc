// Tests of native/core/protocol/wire.c: the golden vectors, and what a table of vectors cannot say.
#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "golden.h"

extern "C" {
#include "protocol/wire.h"
}

namespace
{

Bytes encodeRequest(const GoldenVector &v)
{
    const auto cmd = static_cast<uint8_t>(v.number("command"));
    Bytes bytes(SFD_WIRE_MAX_REQUEST_SIZE, 0xee);

    if (!v.has("path")) {
        bytes.resize(sfd_wire_put_transfer_request(bytes.data(), cmd, v.number("id")));
        return bytes;
    }
    bytes.resize(sfd_wire_put_path_request(bytes.data(), cmd, v.signedNumber("offset"), v.number("length")));
    const Bytes path = parseBytes(v.fields.at("path"));
    bytes.insert(bytes.end(), path.begin(), path.end());
    bytes.push_back(0);
    return bytes;
}

sfd_options optionsOf(const GoldenVector &v)
{
    sfd_options options = {};

    options.rate = v.number("rate");
    options.idle_ms = static_cast<uint32_t>(v.number("idle"));
    options.deadline_ms = static_cast<uint32_t>(v.number("deadline"));
    options.technique = static_cast<uint8_t>(v.number("technique"));
    options.flags = static_cast<uint8_t>(v.number("flags"));
    options.version = v.has("version") ? static_cast<uint8_t>(v.number("version")) : 0;
    return options;
}

Bytes encodeExtended(const GoldenVector &v)
{
    const sfd_options options = optionsOf(v);
    const Bytes path = v.has("path") ? parseBytes(v.fields.at("path")) : Bytes();
    Bytes bytes(SFD_WIRE_MAX_REQUEST_SIZE, 0xee);

    bytes.resize(sfd_wire_put_extended_request(bytes.data(), static_cast<uint8_t>(v.number("command")),
                                               v.signedNumber("offset"), v.number("length"), &options, path.size()));
    if (v.has("path")) {
        bytes.insert(bytes.end(), path.begin(), path.end());
        bytes.push_back(0);
    }
    const std::vector<std::string> segments = parseSegments(v);
    const size_t head = bytes.size();
    for (const std::string &text : segments) {
        const size_t plus = text.find('+');
        const Bytes literal = plus == std::string::npos ? parseBytes(text) : Bytes();
        sfd_segment segment = {"", 0, literal.size()};
        if (plus != std::string::npos)
            segment = {nullptr, static_cast<off_t>(std::stoull(text.substr(0, plus))),
                       std::stoull(text.substr(plus + 1))};
        unsigned char start[SFD_WIRE_SEGMENT_SIZE];
        bytes.insert(bytes.end(), start, start + sfd_wire_put_segment(start, &segment));
        bytes.insert(bytes.end(), literal.begin(), literal.end());
    }
    if (!segments.empty())
        sfd_wire_set_segments(bytes.data(), static_cast<unsigned>(segments.size()), bytes.size() - head);
    return bytes;
}

sfd_wire_result resultOf(const GoldenVector &v)
{
    return {v.number("moved"), v.number("elapsed"), static_cast<uint32_t>(v.number("cold")),
            static_cast<uint8_t>(v.number("technique")), static_cast<uint8_t>(v.number("fits"))};
}

sfd_wire_file_details detailsOf(const GoldenVector &v)
{
    return {v.number("size"),
            v.number("inode"),
            v.number("device"),
            static_cast<uint32_t>(v.number("atime_ns")),
            static_cast<uint32_t>(v.number("mtime_ns")),
            static_cast<uint32_t>(v.number("ctime_ns")),
            static_cast<uint16_t>(v.number("mode"))};
}

Bytes encodeResponse(const GoldenVector &v)
{
    Bytes bytes(SFD_WIRE_MAX_RESPONSE_SIZE, 0xee);
    size_t size = 0;

    if (v.kind == "file_info") {
        const sfd_wire_file_info info = {
            v.number("size"), v.signedNumber("atime"), v.signedNumber("mtime"), v.signedNumber("ctime"), v.number("id"),
        };
        size = sfd_wire_put_file_info(bytes.data(), &info);
    } else if (v.kind == "file_details") {
        const sfd_wire_file_details details = detailsOf(v);
        size = sfd_wire_put_file_details(bytes.data(), &details);
    } else if (v.kind == "progress") {
        size = sfd_wire_put_xfer_stat(bytes.data(), v.number("moved"));
    } else if (v.kind == "complete") {
        size = sfd_wire_put_complete(bytes.data());
    } else if (v.kind == "refusal" || v.kind == "refusal_encode") {
        size = sfd_wire_put_refusal(bytes.data(), static_cast<int>(v.signedNumber("errno")),
                                    static_cast<uint32_t>(v.number("fits")));
    } else if (v.kind == "result" || v.kind == "result_encode") {
        const sfd_wire_result result = resultOf(v);
        size = sfd_wire_put_result(bytes.data(), static_cast<int>(v.signedNumber("errno")), &result);
    } else {
        size = sfd_wire_put_error(bytes.data(), static_cast<uint8_t>(v.number("command")),
                                  static_cast<int>(v.signedNumber("errno")));
    }
    bytes.resize(size);
    return bytes;
}

void expectResponse(const GoldenVector &v)
{
    Bytes bytes = v.bytes;
    sfd_wire_response response = {};

    bytes.insert(bytes.end(), 7, 0xee); // the next message, or a file's bytes
    ASSERT_EQ(sfd_wire_get_response(bytes.data(), bytes.size(), &response), static_cast<int>(v.bytes.size()));
    if (v.kind == "file_info") {
        EXPECT_EQ(response.kind, SFD_WIRE_RESPONSE_INFO);
        EXPECT_EQ(response.info.size, v.number("size"));
        EXPECT_EQ(response.info.atime, v.signedNumber("atime"));
        EXPECT_EQ(response.info.mtime, v.signedNumber("mtime"));
        EXPECT_EQ(response.info.ctime, v.signedNumber("ctime"));
        EXPECT_EQ(response.info.id, v.number("id"));
    } else if (v.kind == "file_details") {
        const sfd_wire_file_details details = detailsOf(v);
        EXPECT_EQ(response.kind, SFD_WIRE_RESPONSE_DETAILS);
        EXPECT_EQ(response.details.size, details.size);
        EXPECT_EQ(response.details.inode, details.inode);
        EXPECT_EQ(response.details.device, details.device);
        EXPECT_EQ(response.details.atime_ns, details.atime_ns);
        EXPECT_EQ(response.details.mtime_ns, details.mtime_ns);
        EXPECT_EQ(response.details.ctime_ns, details.ctime_ns);
        EXPECT_EQ(response.details.mode, details.mode);
    } else if (v.kind == "progress") {
        EXPECT_EQ(response.kind, SFD_WIRE_RESPONSE_PROGRESS);
        EXPECT_EQ(response.moved, v.number("moved"));
    } else if (v.kind == "complete") {
        EXPECT_EQ(response.kind, SFD_WIRE_RESPONSE_COMPLETE);
    } else if (v.kind == "refusal") {
        EXPECT_EQ(response.kind, SFD_WIRE_RESPONSE_REFUSAL);
        EXPECT_EQ(response.errnum, v.signedNumber("errno"));
        EXPECT_EQ(response.fits, v.number("fits"));
    } else if (v.kind == "result") {
        const sfd_wire_result result = resultOf(v);
        EXPECT_EQ(response.kind, SFD_WIRE_RESPONSE_RESULT);
        EXPECT_EQ(response.errnum, v.signedNumber("errno"));
        EXPECT_EQ(response.result.moved, result.moved);
        EXPECT_EQ(response.result.elapsed_ns, result.elapsed_ns);
        EXPECT_EQ(response.result.cold_windows, result.cold_windows);
        EXPECT_EQ(response.result.technique, result.technique);
        EXPECT_EQ(response.result.fits, result.fits);
    } else {
        EXPECT_EQ(response.kind, SFD_WIRE_RESPONSE_ERROR);
        EXPECT_EQ(response.cmd, v.number("command"));
        EXPECT_EQ(response.errnum, v.signedNumber("errno"));
    }
}

TEST(Wire, shouldAgreeWithTheGoldenVectors)
{
    std::map<std::string, int> seen;

    for (const GoldenVector &v : readGoldenVectors()) {
        SCOPED_TRACE(v.name);
        sfd_wire_response response = {};

        seen[v.kind]++;
        if (v.kind == "request") {
            EXPECT_EQ(encodeRequest(v), v.bytes);
        } else if (v.kind == "extended") {
            EXPECT_EQ(encodeExtended(v), v.bytes);
        } else if (v.kind == "request_decode" || v.kind == "extended_decode" || v.kind == "refused") {
            continue; // for who decodes requests: dispatcher_test
        } else if (v.kind == "error_encode" || v.kind == "refusal_encode" || v.kind == "result_encode") {
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
    for (const char *kind :
         {"request", "extended", "file_info", "file_details", "progress", "complete", "error", "error_encode",
          "refusal", "refusal_encode", "result", "result_encode", "incomplete", "malformed"}) {
        EXPECT_GT(seen[kind], 0) << "no vector of kind " << kind;
    }
}

TEST(Wire, shouldNeverReadPastTheLengthGiven)
{
    // An exactly sized heap block for each prefix of each vector: the sanitizer build watches the
    // end.
    for (const GoldenVector &v : readGoldenVectors()) {
        const size_t longest = v.bytes.size() < 64 ? v.bytes.size() : 64;

        for (size_t size = 0; size <= longest; size++) {
            const Bytes prefix(v.bytes.begin(), v.bytes.begin() + static_cast<std::ptrdiff_t>(size));
            sfd_wire_response response = {};

            EXPECT_LE(sfd_wire_get_response(prefix.data(), prefix.size(), &response), static_cast<int>(prefix.size()));
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
