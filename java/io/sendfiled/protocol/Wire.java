package io.sendfiled.protocol;

/**
 * The numbers of the wire protocol: command ids, sizes and field offsets.
 *
 * <p>Native-endian: both ends are on one host. The same numbers stand in {@code include/sendfiled/wire.h} for C; the
 * golden byte vectors, which the tests of both languages read, keep the two equal.
 *
 * <pre>
 * Open, Read, Send File       u8 cmd | u8 stat | 6 padding | i64 offset | u64 length | path bytes | NUL
 * Send Open File, Cancel      u8 cmd | u8 stat | 6 padding | u64 transfer id
 * File Information            u8 cmd | u8 stat | 6 padding | u64 size | i64 atime | i64 mtime | i64 ctime | u64 id
 * Transfer Status             u8 cmd | u8 stat | 6 padding | u64 bytes moved since the last one, or COMPLETE
 * Error                       u8 cmd | u8 errno
 *
 * Extended requests           u8 cmd | u8 stat | u16 version | u32 total length | i64 offset | u64 length |
 *                             u64 rate | u32 idle timeout | u32 deadline | u8 technique | u8 flags | 6 padding |
 *                             path bytes | NUL        (Send Descriptor: no path, no NUL)
 * Refusal                     u8 cmd | u8 errno | u16 version | u32 total length | u32 techniques that fit | u32 0
 * Result                      u8 cmd | u8 errno | u16 version | u32 total length | u64 bytes | u64 elapsed ns |
 *                             u32 cold windows | u8 technique | u8 techniques that fit | 2 padding
 * File Details                u8 cmd | u8 stat | u16 version | u32 total length | u64 file size | u64 inode |
 *                             u64 device | u32 atime ns | u32 mtime ns | u32 ctime ns | u16 mode | 2 padding
 * </pre>
 */
public final class Wire {
    /** Request: open a file now, send it later. Passed along: the status channel. */
    public static final int OPEN_FILE = 0x01;
    /** Request: read a file through the status channel. Passed along: the status channel. */
    public static final int READ_FILE = 0x02;
    /** Request: send a file to a descriptor. Passed along: the status channel, the destination. */
    public static final int SEND_FILE = 0x03;
    /** Request: send a file that was opened before. Passed along: the destination. */
    public static final int SEND_OPEN_FILE = 0x04;
    /** Request: end a transfer. Nothing is passed along. */
    public static final int CANCEL = 0x05;

    /** The first command id of extended requests. */
    public static final int FIRST_EXTENDED_REQUEST = 0x10;
    /** Request: {@link #OPEN_FILE} with options. */
    public static final int OPEN_FILE_EXT = 0x11;
    /** Request: {@link #READ_FILE} with options. */
    public static final int READ_FILE_EXT = 0x12;
    /** Request: {@link #SEND_FILE} with options. */
    public static final int SEND_FILE_EXT = 0x13;
    /** Request: send what a descriptor reads. Passed along: the status channel, the destination, the source. */
    public static final int SEND_DESCRIPTOR = 0x14;
    /** The last command id of extended requests. */
    public static final int LAST_EXTENDED_REQUEST = 0x7f;

    /** Response: the file's size and times, or a refusal of the request. */
    public static final int FILE_INFO = 0x81;
    /** Response: progress, the completion, or the error that ended a transfer. */
    public static final int TRANSFER_STATUS = 0x82;

    /** Response to an extended request: why it is refused, and which techniques would fit. */
    public static final int REFUSAL = 0x91;
    /** Response to an extended request: the end of the transfer, complete or not, with its figures. */
    public static final int RESULT = 0x92;

    /** Response to an extended request of version 2: more about the file; comes directly before its information. */
    public static final int FILE_DETAILS = 0x93;

    /** The version in extended messages. */
    public static final int VERSION = 1;
    /** The other version that extended requests may have: exact lengths, {@link #FILE_DETAILS}, a data channel. */
    public static final int VERSION_2 = 2;

    /** The length of a request of version 2 that means "to the end of the file". Version 1 has 0 for that. */
    public static final long TO_END = -1L;

    /** Flag of an extended request: do not keep in the page cache what this transfer had to load into it. */
    public static final int FLAG_DROP_BEHIND = 1;
    /** Flag of an extended request: the client writes more to the destination afterwards. */
    public static final int FLAG_MORE = 2;
    /** Flag of an extended request: seal the destination, a memory file, when all is in it. */
    public static final int FLAG_SEAL = 4;

    static final int ALL_FLAGS = FLAG_DROP_BEHIND | FLAG_MORE | FLAG_SEAL;

    /** The {@code size} of a Transfer Status that is the last message of a complete transfer. */
    public static final long COMPLETE = -1L;

    /** Bytes before the path of a file request. */
    public static final int FILE_REQUEST_HEADER_SIZE = 24;
    /** Bytes before the path of an extended file request, and all bytes of Send Descriptor without segments. */
    public static final int EXTENDED_REQUEST_HEADER_SIZE = 48;
    /** Bytes of what every extended message begins with. */
    public static final int EXTENDED_PREFIX_SIZE = 8;
    /** Bytes of Send Open File and of Cancel. */
    public static final int ID_REQUEST_SIZE = 16;
    /** Bytes of an Error, and of what every message begins with. */
    public static final int ERROR_SIZE = 2;
    /** Bytes of File Information. */
    public static final int FILE_INFO_SIZE = 48;
    /** Bytes of Transfer Status. */
    public static final int TRANSFER_STATUS_SIZE = 16;
    /** Bytes of Refusal. */
    public static final int REFUSAL_SIZE = 16;
    /** Bytes of Result. */
    public static final int RESULT_SIZE = 32;
    /** Bytes of File Details. */
    public static final int FILE_DETAILS_SIZE = 48;
    /** The longest path in bytes, without its NUL: {@code PATH_MAX - 1}. */
    public static final int MAX_PATH_LENGTH = 4095;
    /** The most segments of one request. */
    public static final int MAX_SEGMENTS = 64;
    /** Bytes of one segment, without those that follow it. */
    public static final int SEGMENT_SIZE = 16;
    /** Bytes for the segments of a request and its path, with its NUL. */
    public static final int SEGMENTS_ROOM = MAX_PATH_LENGTH + 1;
    /** The offset of a segment that is bytes of the client's. */
    public static final long SEGMENT_BYTES = -1L;
    /** Bytes of the longest request. */
    public static final int MAX_REQUEST_SIZE = EXTENDED_REQUEST_HEADER_SIZE + MAX_PATH_LENGTH + 1;

    static final int COMMAND = 0;
    static final int STAT = 1;
    static final int REQUEST_OFFSET = 8;
    static final int REQUEST_LENGTH = 16;
    static final int REQUEST_ID = 8;
    static final int INFO_SIZE = 8;
    static final int INFO_ATIME = 16;
    static final int INFO_MTIME = 24;
    static final int INFO_CTIME = 32;
    static final int INFO_ID = 40;
    static final int STATUS_SIZE = 8;

    static final int EXTENDED_VERSION = 2;
    static final int EXTENDED_TOTAL = 4;
    static final int REQUEST_RATE = 24;
    static final int REQUEST_IDLE = 32;
    static final int REQUEST_DEADLINE = 36;
    static final int REQUEST_TECHNIQUE = 40;
    static final int REQUEST_FLAGS = 41;
    static final int REQUEST_SEGMENTS = 42;
    static final int REQUEST_PADDING = 44;
    static final int SEGMENT_OFFSET = 0;
    static final int SEGMENT_LENGTH = 8;
    static final int DETAILS_SIZE = 8;
    static final int DETAILS_INODE = 16;
    static final int DETAILS_DEVICE = 24;
    static final int DETAILS_ATIME_NS = 32;
    static final int DETAILS_MTIME_NS = 36;
    static final int DETAILS_CTIME_NS = 40;
    static final int DETAILS_MODE = 44;
    static final int REFUSAL_FITS = 8;
    static final int RESULT_MOVED = 8;
    static final int RESULT_ELAPSED = 16;
    static final int RESULT_COLD_WINDOWS = 24;
    static final int RESULT_TECHNIQUE = 28;
    static final int RESULT_FITS = 29;

    private Wire() {}
}
