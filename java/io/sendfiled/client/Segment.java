package io.sendfiled.client;

import io.sendfiled.protocol.RequestEncoder;
import io.sendfiled.protocol.Wire;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A part of what one request sends: bytes of this process, or a range of the file. Immutable.
 *
 * @see FileRequest#withSegments
 */
public final class Segment {
    private static final byte[] NONE = {};

    private final byte @Nullable [] bytes; // null: a range
    private final long offset;
    private final long length;

    private Segment(byte @Nullable [] bytes, long offset, long length) {
        this.bytes = bytes;
        this.offset = offset;
        this.length = length;
    }

    /**
     * Bytes, for example a header. They travel in the request.
     *
     * @param bytes what the receiver gets; copied; may be empty
     */
    public static Segment of(byte[] bytes) {
        return new Segment(bytes.clone(), 0, bytes.length);
    }

    /**
     * A range of the file. The daemon refuses the whole request if it ends behind the file's end.
     *
     * @param offset the first byte, from 0
     * @param length how many bytes, from 0
     * @throws IllegalArgumentException if one is below 0, or the sum is above 2^63 - 1
     */
    public static Segment range(long offset, long length) {
        if (offset < 0 || length < 0 || offset > Long.MAX_VALUE - length) {
            throw new IllegalArgumentException("offset " + offset + " and length " + length + " are no range");
        }
        return new Segment(null, offset, length);
    }

    /**
     * The file from an offset to its end.
     *
     * @param offset the first byte, from 0 up to the file's size
     * @throws IllegalArgumentException if it is negative
     */
    public static Segment from(long offset) {
        if (offset < 0) {
            throw new IllegalArgumentException("negative offset " + offset);
        }
        return new Segment(null, offset, FileRequest.TO_END);
    }

    static Segment of(long offset, long length) {
        return length == FileRequest.TO_END ? from(offset) : range(offset, length);
    }

    /**
     * In a file of a known size, which may be less than what is allocated for it.
     *
     * @throws IllegalArgumentException if it begins behind that size
     */
    Segment within(long size) {
        return bytes == null && length == FileRequest.TO_END ? range(offset, size - offset) : this;
    }

    boolean isBytes() {
        return bytes != null;
    }

    /** Of one that {@link #isBytes}; borrowed. */
    byte[] bytes() {
        return Objects.requireNonNull(bytes);
    }

    long offset() {
        return offset;
    }

    long length() {
        return length;
    }

    /** Bytes that it takes up in a request. */
    long sizeInRequest() {
        return Wire.SEGMENT_SIZE + (bytes == null ? 0L : bytes.length);
    }

    /** These segments as they follow the path in a request. */
    static byte[] encode(List<Segment> segments) {
        if (segments.isEmpty()) {
            return NONE;
        }
        int begin = Wire.EXTENDED_REQUEST_HEADER_SIZE; // of a request, of which the rest is not wanted
        long size = begin;
        for (Segment segment : segments) {
            size += segment.sizeInRequest();
        }
        ByteBuffer request = ByteBuffer.allocate(Math.toIntExact(size))
                .order(ByteOrder.nativeOrder())
                .position(begin);
        for (Segment segment : segments) {
            if (segment.bytes == null) {
                RequestEncoder.addRange(request, 0, segment.offset, segment.length);
            } else {
                RequestEncoder.addBytes(request, 0, segment.bytes);
            }
        }
        return Arrays.copyOfRange(request.array(), begin, request.position());
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Segment that
                && Arrays.equals(bytes, that.bytes)
                && offset == that.offset
                && length == that.length;
    }

    @Override
    public int hashCode() {
        return 31 * Arrays.hashCode(bytes) + Long.hashCode(offset) + Long.hashCode(length);
    }

    @Override
    public String toString() {
        if (bytes != null) {
            return bytes.length + " bytes";
        }
        return offset + (length == FileRequest.TO_END ? " to the end" : " +" + length);
    }
}
