// Source compatibility with the original's header, from C++ (support/original_client.c: from C99). The
// include is the original's, and the first, so that the header has to be complete by itself.
#include <sendfiled.h>

#include <sendfiled/attr.h>

#include <gtest/gtest.h>

#include <type_traits>

namespace
{

// The original's declarations, as types.
static_assert(std::is_same_v<decltype(sfd_spawn), pid_t(const char *, const char *, const char *, int, int)>);
static_assert(std::is_same_v<decltype(sfd_connect), int(const char *, const char *)>);
static_assert(std::is_same_v<decltype(sfd_shutdown), int(pid_t)>);
static_assert(std::is_same_v<decltype(sfd_read), int(int, const char *, off_t, size_t, bool)>);
static_assert(std::is_same_v<decltype(sfd_send), int(int, const char *, int, off_t, size_t, bool)>);
static_assert(std::is_same_v<decltype(sfd_open), int(int, const char *, off_t, size_t, bool)>);
static_assert(std::is_same_v<decltype(sfd_send_open), bool(int, size_t, int)>);
static_assert(std::is_same_v<decltype(sfd_cancel), bool(int, size_t)>);
static_assert(std::is_same_v<decltype(sfd_get_cmd), int(const void *)>);
static_assert(std::is_same_v<decltype(sfd_get_stat), int(const void *)>);
static_assert(std::is_same_v<decltype(sfd_unmarshal_file_info), bool(sfd_file_info *, const void *)>);
static_assert(std::is_same_v<decltype(sfd_unmarshal_xfer_stat), bool(sfd_xfer_stat *, const void *)>);
static_assert(std::is_same_v<decltype(sfd_xfer_complete), bool(const sfd_xfer_stat *)>);

static_assert(std::is_same_v<decltype(sfd_file_info::cmd), uint8_t>);
static_assert(std::is_same_v<decltype(sfd_file_info::stat), uint8_t>);
static_assert(std::is_same_v<decltype(sfd_file_info::size), size_t>);
static_assert(std::is_same_v<decltype(sfd_file_info::atime), time_t>);
static_assert(std::is_same_v<decltype(sfd_file_info::mtime), time_t>);
static_assert(std::is_same_v<decltype(sfd_file_info::ctime), time_t>);
static_assert(std::is_same_v<decltype(sfd_file_info::txnid), size_t>);
static_assert(std::is_same_v<decltype(sfd_xfer_stat::cmd), uint8_t>);
static_assert(std::is_same_v<decltype(sfd_xfer_stat::stat), uint8_t>);
static_assert(std::is_same_v<decltype(sfd_xfer_stat::size), size_t>);

// The original's enums, by their tags, and with its members only: -Wswitch asks for every member.
static_assert(std::is_same_v<decltype(SFD_FILE_INFO), sfd_cmd_id> &&
              std::is_same_v<decltype(SFD_XFER_STAT), sfd_cmd_id>);
static_assert(std::is_same_v<decltype(SFD_STAT_OK), sfd_op_stat>);

// Ours, which have to stay as well.
static_assert(
    std::is_same_v<decltype(sfd_read_with), int(int, const char *, off_t, size_t, bool, const sfd_options *)>);
static_assert(
    std::is_same_v<decltype(sfd_send_with), int(int, const char *, int, off_t, size_t, bool, const sfd_options *)>);
static_assert(
    std::is_same_v<decltype(sfd_open_with), int(int, const char *, off_t, size_t, bool, const sfd_options *)>);
static_assert(std::is_same_v<decltype(sfd_send_fd), int(int, int, int, off_t, size_t, bool, const sfd_options *)>);
static_assert(sizeof(sfd_options) == 24 && sizeof(sfd_refusal) == 8 && sizeof(sfd_result) == 24);
static_assert(
    std::is_same_v<decltype(sfd_read_split), int(int, const char *, off_t, size_t, bool, const sfd_options *, int *)>);
static_assert(std::is_same_v<decltype(sfd_send_segments),
                             int(int, const char *, int, const sfd_segment *, unsigned, bool, const sfd_options *)>);
static_assert(std::is_same_v<decltype(sfd_send_fd_segments),
                             int(int, int, int, const sfd_segment *, unsigned, bool, const sfd_options *)>);
static_assert(sizeof(sfd_segment) == 24);
static_assert(sizeof(sfd_events) == 144 && sizeof(sfd_event) == 144 && sizeof(sfd_file_details) == 48);
static_assert(std::is_same_v<decltype(SFD_TO_END), size_t> && SFD_TO_END == SIZE_MAX);

static_assert(SFD_FILE_INFO == 0x81 && SFD_XFER_STAT == 0x82 && SFD_STAT_OK == 0);
static_assert(std::is_same_v<decltype(SFD_HDR_SIZE), size_t> && SFD_HDR_SIZE == 2);
static_assert(std::is_same_v<decltype(SFD_MAX_RESP_SIZE), size_t> && SFD_MAX_RESP_SIZE == 48);

TEST(Compatibility, shouldLinkWithCLinkageFromCpp)
{
    const unsigned char refusal[SFD_HDR_SIZE] = {SFD_FILE_INFO, 13};

    EXPECT_EQ(sfd_get_cmd(refusal), SFD_FILE_INFO);
    EXPECT_EQ(sfd_get_stat(refusal), 13);
    EXPECT_EQ(sfd_connect("/nonexistent", "test"), -1);
}

} // namespace
