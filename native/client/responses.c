/*
 * The client API's view of responses: see <sendfiled/responses.h>.
 *
 * Role: fit the wire codec to the original's structs. Thread: any; pure functions. Owns nothing.
 */
#include <sendfiled/responses.h>

#include "protocol/wire.h"

_Static_assert(SFD_HDR_SIZE == SFD_WIRE_ERROR_SIZE, "an error is a header and nothing else");
_Static_assert(SFD_MAX_RESP_SIZE == SFD_WIRE_MAX_RESPONSE_SIZE, "the longest response");

int sfd_get_cmd(const void *buf)
{
    return ((const unsigned char *)buf)[0];
}

int sfd_get_stat(const void *buf)
{
    return ((const unsigned char *)buf)[1];
}

size_t sfd_get_size(const void *buf)
{
    const bool error = sfd_get_stat(buf) != SFD_STAT_OK;

    switch (sfd_get_cmd(buf)) {
    case SFD_FILE_INFO:
        return error ? SFD_WIRE_ERROR_SIZE : SFD_WIRE_FILE_INFO_SIZE;
    case SFD_XFER_STAT:
        return error ? SFD_WIRE_ERROR_SIZE : SFD_WIRE_XFER_STAT_SIZE;
    case SFD_REFUSAL:
        return SFD_WIRE_REFUSAL_SIZE;
    case SFD_RESULT:
        return SFD_WIRE_RESULT_SIZE;
    case SFD_FILE_DETAILS:
        return SFD_WIRE_FILE_DETAILS_SIZE;
    default:
        return 0;
    }
}

bool sfd_unmarshal_file_info(struct sfd_file_info *pdu, const void *buf)
{
    struct sfd_wire_response response;

    if (sfd_get_cmd(buf) != SFD_FILE_INFO || sfd_get_stat(buf) != SFD_STAT_OK ||
        sfd_wire_get_response(buf, SFD_WIRE_FILE_INFO_SIZE, &response) <= 0)
        return false;

    *pdu = (struct sfd_file_info){
        .cmd = SFD_FILE_INFO,
        .stat = SFD_STAT_OK,
        .size = (size_t)response.info.size,
        .atime = (time_t)response.info.atime,
        .mtime = (time_t)response.info.mtime,
        .ctime = (time_t)response.info.ctime,
        .txnid = (size_t)response.info.id,
    };
    return true;
}

bool sfd_unmarshal_xfer_stat(struct sfd_xfer_stat *pdu, const void *buf)
{
    struct sfd_wire_response response;

    if (sfd_get_cmd(buf) != SFD_XFER_STAT || sfd_get_stat(buf) != SFD_STAT_OK ||
        sfd_wire_get_response(buf, SFD_WIRE_XFER_STAT_SIZE, &response) <= 0)
        return false;

    const bool complete = response.kind == SFD_WIRE_RESPONSE_COMPLETE;

    *pdu = (struct sfd_xfer_stat){
        .cmd = SFD_XFER_STAT,
        .stat = SFD_STAT_OK,
        .size = complete ? SIZE_MAX : (size_t)response.moved,
    };
    return true;
}

bool sfd_xfer_complete(const struct sfd_xfer_stat *pdu)
{
    return pdu->size == SIZE_MAX;
}

bool sfd_unmarshal_refusal(struct sfd_refusal *pdu, const void *buf)
{
    struct sfd_wire_response response;

    if (sfd_get_cmd(buf) != SFD_REFUSAL || sfd_wire_get_response(buf, SFD_WIRE_REFUSAL_SIZE, &response) <= 0)
        return false;

    *pdu = (struct sfd_refusal){
        .cmd = SFD_REFUSAL,
        .stat = (uint8_t)response.errnum,
        .fits = response.fits,
    };
    return true;
}

bool sfd_unmarshal_result(struct sfd_result *pdu, const void *buf)
{
    struct sfd_wire_response response;

    if (sfd_get_cmd(buf) != SFD_RESULT || sfd_wire_get_response(buf, SFD_WIRE_RESULT_SIZE, &response) <= 0)
        return false;

    *pdu = (struct sfd_result){
        .cmd = SFD_RESULT,
        .stat = (uint8_t)response.errnum,
        .technique = response.result.technique,
        .fits = response.result.fits,
        .cold_windows = response.result.cold_windows,
        .moved = response.result.moved,
        .elapsed_ns = response.result.elapsed_ns,
    };
    return true;
}

bool sfd_unmarshal_file_details(struct sfd_file_details *pdu, const void *buf)
{
    struct sfd_wire_response response;

    if (sfd_get_cmd(buf) != SFD_FILE_DETAILS || sfd_wire_get_response(buf, SFD_WIRE_FILE_DETAILS_SIZE, &response) <= 0)
        return false;

    *pdu = (struct sfd_file_details){
        .cmd = SFD_FILE_DETAILS,
        .stat = SFD_STAT_OK,
        .mode = response.details.mode,
        .size = response.details.size,
        .inode = response.details.inode,
        .device = response.details.device,
        .atime_ns = response.details.atime_ns,
        .mtime_ns = response.details.mtime_ns,
        .ctime_ns = response.details.ctime_ns,
    };
    return true;
}
