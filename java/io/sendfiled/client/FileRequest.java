package io.sendfiled.client;

import io.sendfiled.buffer.SharedBuffer;
import io.sendfiled.sys.Errno;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Which file, which part of it, and how it is to be moved. Immutable.
 *
 * <pre>{@code
 * FileRequest.of("videos/a.mp4")                      // the whole file
 * FileRequest.of("videos/a.mp4").from(1_000)          // without its first 1,000 bytes
 * FileRequest.of("videos/a.mp4").range(1_000, 500)    // bytes 1,000 to 1,499
 * FileRequest.of("videos/a.mp4").with(options)        // at a limited rate, say
 * FileRequest.of(Source.of(fileChannel))              // a file that this process has open
 * }</pre>
 *
 * <p>A path is relative to the daemon's root, with or without a leading slash, and is never resolved by the client. A
 * {@link Source} has no path, and need not be in the daemon's root.
 */
public final class FileRequest {
    private final byte[] path; // empty for a source
    private final @Nullable Source source;
    private final long offset;
    private final long length;
    private final TransferOptions options;

    private FileRequest(byte[] path, @Nullable Source source, long offset, long length, TransferOptions options) {
        this.path = path;
        this.source = source;
        this.offset = offset;
        this.length = length;
        this.options = options;
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
        return new FileRequest(path.clone(), null, 0, 0, TransferOptions.DEFAULT);
    }

    /**
     * The whole of a file that this process has open. It can be sent, but neither read nor opened by the daemon, and needs
     * a daemon that knows {@linkplain TransferOptions options}.
     *
     * @param source the file; a duplicate is made each time the request is submitted
     */
    public static FileRequest of(Source source) {
        return new FileRequest(new byte[0], source, 0, source.size(), TransferOptions.DEFAULT);
    }

    /**
     * The whole of a buffer, which is sealed when the request is submitted; as {@link #of(Source)}.
     *
     * @param buffer the buffer; the caller keeps it, and may close it as soon as the request was submitted
     */
    public static FileRequest of(SharedBuffer buffer) {
        return of(Source.of(buffer));
    }

    /**
     * The same file from an offset to its end.
     *
     * @param offset the first byte, from 0 up to the file's size (which gives an empty transfer)
     * @throws IllegalArgumentException if it is negative, or not below the size of a {@linkplain #of(SharedBuffer) buffer}
     */
    public FileRequest from(long offset) {
        if (offset < 0) {
            throw new IllegalArgumentException("negative offset " + offset);
        }
        long size = source == null ? 0 : source.size();
        return size > 0 ? range(offset, size - offset) : new FileRequest(path, source, offset, 0, options);
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
        return new FileRequest(path, source, offset, length, options);
    }

    /** The same file and range, to be moved in this way. */
    public FileRequest with(TransferOptions newOptions) {
        return new FileRequest(path, source, offset, length, newOptions);
    }

    /**
     * The path as text; bytes that are no UTF-8 show as U+FFFD. Of a source, its {@linkplain Source#name name}, and "an
     * open file" if that throws: messages about failures are made of it.
     */
    public String path() {
        if (source == null) {
            return new String(path, StandardCharsets.UTF_8);
        }
        try {
            return source.name();
        } catch (Throwable t) { // the user's
            return "an open file";
        }
    }

    /** The first byte. */
    public long offset() {
        return offset;
    }

    /** How many bytes; 0 means "to the end of the file". */
    public long length() {
        return length;
    }

    /** How it is to be moved. */
    public TransferOptions options() {
        return options;
    }

    byte[] pathBytes() {
        return path;
    }

    @Nullable
    Source source() {
        return source;
    }

    /** Whether it needs the extended form of the protocol. */
    boolean isExtended() {
        return source != null || !options.equals(TransferOptions.DEFAULT);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof FileRequest that
                && Arrays.equals(path, that.path)
                && Objects.equals(source, that.source)
                && offset == that.offset
                && length == that.length
                && options.equals(that.options);
    }

    @Override
    public int hashCode() {
        return Objects.hash(Arrays.hashCode(path), source, offset, length, options);
    }

    @Override
    public String toString() {
        if (offset == 0 && length == 0) {
            return path();
        }
        return path() + "[" + offset + (length == 0 ? " to the end]" : " +" + length + "]");
    }
}
