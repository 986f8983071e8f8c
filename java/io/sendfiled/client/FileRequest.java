package io.sendfiled.client;

import io.sendfiled.jni.Errno;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Which file, and which part of it. Immutable.
 *
 * <pre>{@code
 * FileRequest.of("videos/a.mp4")                      // the whole file
 * FileRequest.of("videos/a.mp4").from(1_000)          // without its first 1,000 bytes
 * FileRequest.of("videos/a.mp4").range(1_000, 500)    // bytes 1,000 to 1,499
 * }</pre>
 *
 * <p>A path is relative to the daemon's root, with or without a leading slash, and is never resolved by the client.
 */
public final class FileRequest {
    private final byte[] path;
    private final long offset;
    private final long length;

    private FileRequest(byte[] path, long offset, long length) {
        this.path = path;
        this.offset = offset;
        this.length = length;
    }

    /**
     * The whole of a file.
     *
     * @param path the path, which travels as UTF-8
     * @throws IllegalArgumentException if it holds a NUL, which no path can
     */
    public static FileRequest of(String path) {
        return ofBytes(path.getBytes(StandardCharsets.UTF_8));
    }

    /**
     * The whole of a file whose path is not text.
     *
     * @param path the path's bytes, which are copied
     * @throws IllegalArgumentException if it holds a NUL, which no path can
     */
    public static FileRequest ofBytes(byte[] path) {
        for (byte b : path) {
            if (b == 0) {
                throw new IllegalArgumentException("a path cannot hold a NUL");
            }
        }
        return new FileRequest(path.clone(), 0, 0);
    }

    /**
     * The same file from an offset to its end.
     *
     * @param offset the first byte, from 0 up to the file's size (which gives an empty transfer)
     * @throws IllegalArgumentException if it is negative
     */
    public FileRequest from(long offset) {
        if (offset < 0) {
            throw new IllegalArgumentException("negative offset " + offset);
        }
        return new FileRequest(path, offset, 0);
    }

    /**
     * A range of the same file. The daemon refuses one that ends behind the file's end, with {@link Errno#ERANGE}.
     *
     * @param offset the first byte, from 0
     * @param length how many bytes, from 1
     * @throws IllegalArgumentException if one is below that, or the sum is above 2^63 - 1
     */
    public FileRequest range(long offset, long length) {
        if (offset < 0) {
            throw new IllegalArgumentException("negative offset " + offset);
        }
        if (length <= 0) { // on the wire, 0 says "to the end"
            throw new IllegalArgumentException("length " + length + " is below 1");
        }
        if (offset > Long.MAX_VALUE - length) {
            throw new IllegalArgumentException("offset " + offset + " and length " + length + " exceed 2^63 - 1");
        }
        return new FileRequest(path, offset, length);
    }

    /** The path as text; bytes that are no UTF-8 show as U+FFFD. */
    public String path() {
        return new String(path, StandardCharsets.UTF_8);
    }

    /** The first byte. */
    public long offset() {
        return offset;
    }

    /** How many bytes; 0 means "to the end of the file". */
    public long length() {
        return length;
    }

    byte[] pathBytes() {
        return path;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof FileRequest that
                && Arrays.equals(path, that.path)
                && offset == that.offset
                && length == that.length;
    }

    @Override
    public int hashCode() {
        return 31 * (31 * Arrays.hashCode(path) + Long.hashCode(offset)) + Long.hashCode(length);
    }

    @Override
    public String toString() {
        if (offset == 0 && length == 0) {
            return path();
        }
        return path() + "[" + offset + (length == 0 ? " to the end]" : " +" + length + "]");
    }
}
