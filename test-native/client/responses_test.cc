// Tests of native/client/responses.c, through libsendfiled.so.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <iterator>

#include <sendfiled/sendfiled.h>

#include "golden.h"

namespace
{

// A struct full of a pattern, to see whether a function left it alone. Bytes, because copying a
// struct need not copy its padding.
template <typename Pdu> class Patterned
{
  public:
    Patterned()
    {
        std::memset(bytes_, 0x5a, sizeof bytes_);
    }
    Pdu *pdu()
    {
        return reinterpret_cast<Pdu *>(bytes_);
    }
    bool isUntouched() const
    {
        return std::count(bytes_, std::end(bytes_), 0x5a) == sizeof bytes_;
    }

  private:
    alignas(Pdu) unsigned char bytes_[sizeof(Pdu)];
};

void expectNoFileInfo(const void *buf)
{
    Patterned<sfd_file_info> info;

    EXPECT_FALSE(sfd_unmarshal_file_info(info.pdu(), buf));
    EXPECT_TRUE(info.isUntouched());
}

void expectNoTransferStatus(const void *buf)
{
    Patterned<sfd_xfer_stat> progress;

    EXPECT_FALSE(sfd_unmarshal_xfer_stat(progress.pdu(), buf));
    EXPECT_TRUE(progress.isUntouched());
}

void expectFileInfo(const GoldenVector &v)
{
    sfd_file_info info;

    ASSERT_TRUE(sfd_unmarshal_file_info(&info, v.bytes.data()));
    EXPECT_EQ(info.cmd, SFD_FILE_INFO);
    EXPECT_EQ(info.stat, SFD_STAT_OK);
    EXPECT_EQ(info.size, v.number("size"));
    EXPECT_EQ(info.atime, v.signedNumber("atime"));
    EXPECT_EQ(info.mtime, v.signedNumber("mtime"));
    EXPECT_EQ(info.ctime, v.signedNumber("ctime"));
    EXPECT_EQ(info.txnid, v.number("id"));
    expectNoTransferStatus(v.bytes.data());
}

void expectTransferStatus(const GoldenVector &v)
{
    sfd_xfer_stat progress;

    ASSERT_TRUE(sfd_unmarshal_xfer_stat(&progress, v.bytes.data()));
    EXPECT_EQ(progress.cmd, SFD_XFER_STAT);
    EXPECT_EQ(progress.stat, SFD_STAT_OK);
    EXPECT_EQ(sfd_xfer_complete(&progress), v.kind == "complete");
    EXPECT_EQ(progress.size, v.kind == "complete" ? SIZE_MAX : v.number("moved"));
    expectNoFileInfo(v.bytes.data());
}

void expectNoExtendedResponse(const void *buf)
{
    Patterned<sfd_refusal> refusal;
    Patterned<sfd_result> result;

    EXPECT_FALSE(sfd_unmarshal_refusal(refusal.pdu(), buf));
    EXPECT_TRUE(refusal.isUntouched());
    EXPECT_FALSE(sfd_unmarshal_result(result.pdu(), buf));
    EXPECT_TRUE(result.isUntouched());
}

void expectRefusal(const GoldenVector &v)
{
    sfd_refusal refusal;

    ASSERT_TRUE(sfd_unmarshal_refusal(&refusal, v.bytes.data()));
    EXPECT_EQ(refusal.cmd, SFD_REFUSAL);
    EXPECT_EQ(refusal.stat, v.number("errno"));
    EXPECT_EQ(refusal.fits, v.number("fits"));
    expectNoFileInfo(v.bytes.data());
    expectNoTransferStatus(v.bytes.data());
}

void expectResult(const GoldenVector &v)
{
    sfd_result result;

    ASSERT_TRUE(sfd_unmarshal_result(&result, v.bytes.data()));
    EXPECT_EQ(result.cmd, SFD_RESULT);
    EXPECT_EQ(result.stat, v.number("errno"));
    EXPECT_EQ(result.moved, v.number("moved"));
    EXPECT_EQ(result.elapsed_ns, v.number("elapsed"));
    EXPECT_EQ(result.cold_windows, v.number("cold"));
    EXPECT_EQ(result.technique, v.number("technique"));
    EXPECT_EQ(result.fits, v.number("fits"));
    expectNoFileInfo(v.bytes.data());
    expectNoTransferStatus(v.bytes.data());
}

void expectError(const GoldenVector &v)
{
    EXPECT_EQ(sfd_get_cmd(v.bytes.data()), v.signedNumber("command"));
    EXPECT_EQ(sfd_get_stat(v.bytes.data()), v.signedNumber("errno"));
    expectNoFileInfo(v.bytes.data());
    expectNoTransferStatus(v.bytes.data());
}

// The vectors' bytes are exactly as long as the message: the sanitizer build watches the end.
TEST(Responses, shouldReadTheGoldenVectors)
{
    int read = 0;

    for (const GoldenVector &v : readGoldenVectors()) {
        SCOPED_TRACE(v.name);
        if (v.kind == "file_info") {
            expectFileInfo(v);
        } else if (v.kind == "progress" || v.kind == "complete") {
            expectTransferStatus(v);
        } else if (v.kind == "error") {
            expectError(v);
        } else if (v.kind == "refusal") {
            expectRefusal(v);
        } else if (v.kind == "result") {
            expectResult(v);
        } else {
            continue;
        }
        if (v.kind != "refusal" && v.kind != "result") {
            expectNoExtendedResponse(v.bytes.data());
        }
        EXPECT_EQ(sfd_get_size(v.bytes.data()), v.bytes.size());
        read++;
    }
    EXPECT_GT(read, 25);
}

TEST(Responses, shouldRefuseBytesThatAreNoResponse)
{
    for (const GoldenVector &v : readGoldenVectors()) {
        if (v.kind != "malformed") {
            continue;
        }
        SCOPED_TRACE(v.name);
        expectNoFileInfo(v.bytes.data());
        expectNoTransferStatus(v.bytes.data());

        // Longer than what is malformed about them.
        Bytes bytes = v.bytes;
        bytes.resize(SFD_MAX_RESP_SIZE);
        expectNoExtendedResponse(bytes.data());
    }
}

TEST(Responses, shouldHaveNoSizeForWhatIsNoResponse)
{
    for (int command = 0; command <= 255; command++) {
        const unsigned char header[SFD_HDR_SIZE] = {static_cast<unsigned char>(command), 0};
        const bool known = command == 0x81 || command == 0x82 || (command >= 0x91 && command <= 0x93);

        EXPECT_EQ(sfd_get_size(header) != 0, known) << command;
    }
}

TEST(Responses, shouldReadAtAnyAlignment)
{
    const GoldenVector v = goldenVector("file_info");
    unsigned char buffer[8 + 48];

    for (size_t shift = 0; shift < 8; shift++) {
        sfd_file_info info;

        std::memcpy(buffer + shift, v.bytes.data(), v.bytes.size());
        ASSERT_TRUE(sfd_unmarshal_file_info(&info, buffer + shift));
        EXPECT_EQ(info.txnid, v.number("id"));
    }
}

TEST(Responses, shouldHaveTheLayoutOfTheWire)
{
    // Programs of the original read the bytes straight into these structs.
    EXPECT_EQ(sizeof(sfd_file_info), SFD_MAX_RESP_SIZE);
    EXPECT_EQ(sizeof(sfd_xfer_stat), 16u);
    EXPECT_EQ(offsetof(sfd_file_info, txnid), 40u);
    EXPECT_EQ(offsetof(sfd_xfer_stat, size), 8u);
}

} // namespace
